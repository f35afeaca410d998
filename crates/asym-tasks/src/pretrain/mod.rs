//! Pre-training of the embedded checkpoints. All of them use the training loop of `asym-train` ([`fit`]) and need no input but a
//! seed.
//!
//! | checkpoint | pre-training data |
//! |---|---|
//! | [`TextRecipe`]: `roberta-mini` | masked words of generated English ([`crate::grammar`]) |
//! | [`PictureRecipe`]: `vit-mini` | the shapes of drawn pictures ([`crate::drawing`]) |
//! | [`ReportRecipe`]: `bart-mini` | reports with shuffled sentences and masked spans ([`crate::grammar::reports`]) |
//! | [`LanguageRecipe`]: `llama-mini` | lines about an invented world ([`crate::trivia`]) |
//!
//! To add a checkpoint, write a file that implements [`Pretraining`], and add a line to `checkpoints!`.

mod infilling;
mod language;
mod masking;
mod pictures;
mod recipe;
mod reports;
mod tally;
mod text;
mod vocabulary;

use std::path::Path;

use asym_models::{Checkpoint, FileDtype, JsonObject, PretrainedModel};
use asym_train::{Loader, Run, Source, State, StopSignal, Tuning, fit};
use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

pub use self::language::LanguageRecipe;
pub use self::pictures::PictureRecipe;
pub use self::recipe::{Budget, Parts, Pretraining};
pub use self::reports::ReportRecipe;
pub use self::text::TextRecipe;
use crate::error::TaskError;

/// The outcome of pre-training.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainResult {
    /// The settings.
    pub recipe: JsonObject,
    /// Number of parameters of the model with its head.
    pub parameters: usize,
    /// Mean loss on examples that were not trained on.
    pub loss: f64,
    /// Fraction of correct predictions on the same examples.
    pub accuracy: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// One line for each embedded checkpoint.
macro_rules! checkpoints {
    ($($recipe:ident),+ $(,)?) => {
        /// The names of the checkpoints that can be pre-trained.
        pub const NAMES: &[&str] = &[$($recipe::NAME),+];

        /// Pre-train the checkpoint called `name` with its default settings, this seed and, if given, this number of steps, and
        /// write it into `folder`. Return `None` if there is no checkpoint with this name.
        ///
        /// # Errors
        ///
        /// The errors of [`pretrain`].
        pub fn pretrain_named(
            name: &str,
            (seed, steps): (u64, Option<usize>),
            folder: &Path,
            device: &Device,
            stop: &StopSignal,
        ) -> Option<Result<PretrainResult, TaskError>> {
            match name {
                $($recipe::NAME => {
                    let mut recipe = $recipe::default();
                    let budget = recipe.budget();
                    (budget.seed, budget.steps) = (seed, steps.unwrap_or(budget.steps));
                    Some(pretrain(&recipe, folder, device, stop))
                })+
                _ => None,
            }
        }
    };
}

checkpoints! { TextRecipe, PictureRecipe, ReportRecipe, LanguageRecipe }

/// Train, and write `config.json`, `model.safetensors` (f16) and the tokenizer or the image processor into `folder`.
///
/// # Errors
///
/// Settings that define no valid model, and files that cannot be written. A loss that is not finite or a request to stop ends the
/// training, and no model is written.
pub fn pretrain<P: Pretraining>(
    recipe: &P,
    folder: &Path,
    device: &Device,
    stop: &StopSignal,
) -> Result<PretrainResult, TaskError> {
    std::fs::create_dir_all(folder).map_err(TaskError::io(folder))?;
    let training = device.clone().autodiff();
    let Parts { model, train, objective, evaluation } = recipe.prepare(folder, &training)?;
    let (parameters, naming, settings) = (model.num_params(), model.naming(), recipe.settings());
    let steps = settings.steps(train.len());
    let mut state = State::new(model, Tuning::Full, &naming, &settings, steps)?;
    let train = Loader::new(train, settings.batch_size, settings.order(), &training)?;
    let run = Run { stop: stop.clone(), ..Run::new("pre-training") };
    let outcome = fit(&mut state, &objective, &train, &evaluation, run)?;
    if outcome.interrupted {
        return Err(TaskError::Interrupted);
    }
    let save = if P::KEEPS_HEAD { asym_models::save } else { asym_models::save_base };
    save(&state.model().valid(), folder, FileDtype::F16)?;
    // These files will be compiled into the crate, so they are read once as a check.
    Checkpoint::open(folder)?.load::<P::Model>(None, 0, device)?;
    let scores = outcome.epochs.last().map(|epoch| epoch.dev.clone()).unwrap_or_default();
    let score = |name: &str| scores.get(name).copied().unwrap_or(f64::NAN);
    Ok(PretrainResult {
        // A struct of numbers can always be serialized as JSON.
        recipe: JsonObject::of(recipe).unwrap_or_default(),
        parameters,
        loss: score("loss"),
        accuracy: score("accuracy"),
        seconds: outcome.seconds,
    })
}
