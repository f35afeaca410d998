//! `asym inspect`: prints the table of parameters and bounds on the generalization error.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_analysis::bounds::{AdaptedWeight, Bounds, Learning};
use asym_core::layout::Kind;
use asym_core::{Inspection, train_only};
use asym_models::{Checkpoint, Config, InFamily, Loaded, ModelClass, PretrainedModel, WithModel, load_adapter};
use asym_tasks::Recipe;
use asym_train::Tuning;
use burn::tensor::Device;
use clap::Args;
use serde::Serialize;

use super::{FormArgs, SourceArgs, locate};
use crate::device;

/// Options of `asym inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Checkpoint: a folder, a name on the Hub, or a config.json, which needs no weights [default: the base model of
    /// the adapter or the recipe]
    #[arg(long, required_unless_present_any = ["adapter", "recipe"])]
    model: Option<String>,
    /// Folder of an adapter in PEFT format [default: head-only training, or a language model without changes]
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// A recipe; the table shows its trainable parameters
    #[arg(long, conflicts_with = "adapter")]
    recipe: Option<PathBuf>,
    /// Number of labels of the classifier, if config.json does not give it
    #[arg(long)]
    num_labels: Option<usize>,
    /// Number of training examples n; adds the bounds on the generalization error (paper, Lemma B.5)
    #[arg(long, value_name = "N")]
    examples: Option<usize>,
    /// Bits q of each trainable parameter
    #[arg(long, value_name = "Q", default_value_t = 32, requires = "examples")]
    bits: u32,
    /// σ of the σ-sub-Gaussian loss; an error rate has 0.5
    #[arg(long, default_value_t = 0.5, requires = "examples")]
    sigma: f64,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    form: FormArgs,
}

/// A row of the table in the JSON or CSV output.
#[derive(Serialize)]
struct Parameter<'a> {
    name: &'a str,
    /// In the form `768x8`.
    shape: String,
    values: usize,
    trained: bool,
    /// Whether the parameter belongs to an adapter.
    adapter: bool,
}

impl<'a> Parameter<'a> {
    fn of(row: &'a asym_core::Row) -> Self {
        let shape: Vec<String> = row.entry.shape.iter().map(ToString::to_string).collect();
        Self {
            name: &row.entry.name,
            shape: shape.join("x"),
            values: row.entry.count(),
            trained: row.trained,
            adapter: matches!(row.entry.kind, Kind::Adapter | Kind::Shared),
        }
    }
}

/// Print the name, shape and state of every parameter, and the number of trainable parameters.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, or if the number of examples, the number of
/// bits or σ is out of range.
pub fn inspect(args: &InspectArgs) -> Result<()> {
    let learning = args.examples.map(|n| Learning::new(n, args.bits, args.sigma)).transpose()?;
    if learning.is_some() && !args.form.is_table() {
        bail!("--examples: the bounds are printed only below a table; leave out --json and --csv");
    }
    if learning.is_some() && args.adapter.is_none() && args.recipe.is_none() {
        bail!("--examples: the bounds apply to low-rank adapters; give an --adapter or a --recipe");
    }
    let recipe = args.recipe.as_deref().map(|path| Recipe::read(path, &[])).transpose()?;
    if let Some([first, _, ..]) =
        recipe.as_ref().map(|recipe| recipe.tasks.as_slice()).filter(|_| args.num_labels.is_none())
    {
        super::note(format!(
            "the head is for {first}, the first task of the recipe; use --num-labels for another number of labels"
        ));
    }
    let device = device::default_device()?;
    let model = args.model.as_deref().or(recipe.as_ref().and_then(|recipe| recipe.model.as_deref()));
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let adapter = adapter.as_deref();
    let inspect = |shape: Shape<'_>, class: ModelClass| {
        class.visit(Inspect { args, adapter, recipe: recipe.as_ref(), shape, device: &device })
    };
    let table = match model.map(Path::new).filter(|path| path.extension().is_some_and(|end| end == "json")) {
        Some(path) => {
            let config = Config::read(path)?;
            inspect(Shape::Config(&config, path), config.class())?
        }
        None => {
            let location = match &recipe {
                Some(recipe) => args.source.model_for(model, &recipe.tasks[0])?,
                None => locate(&args.source, model, adapter)?,
            };
            let checkpoint = location.checkpoint()?;
            let class = super::class(&checkpoint, adapter)?;
            // Tasks load a masked language model as a classifier.
            let class = if class == ModelClass::MaskedLanguageModel { ModelClass::SequenceClassifier } else { class };
            inspect(Shape::Checkpoint(&checkpoint), class)?
        }
    };
    let parameters: Vec<Parameter<'_>> = table.rows.iter().map(Parameter::of).collect();
    args.form.print(&table, &parameters)?;
    let Some(learning) = learning else { return Ok(()) };
    let weights = AdaptedWeight::of(&table);
    if weights.is_empty() {
        bail!("no weight has factors A and B, but the bounds apply only to low-rank adapters");
    }
    let of_adapter = |row: &&asym_core::Row| row.trained && matches!(row.entry.kind, Kind::Adapter | Kind::Shared);
    let trained = table.rows.iter().filter(of_adapter).fold(0, |sum: usize, row| sum.saturating_add(row.entry.count()));
    super::say(format_args!("\n{}", Bounds { weights: &weights, trained, learning }))?;
    let from_data = |recipe: &Recipe| matches!(&recipe.tuning, Tuning::Adapter(config) if config.reads_inputs());
    if recipe.as_ref().is_some_and(from_data) {
        super::say(
            "This recipe initializes A from the training data, which the lemma does not allow. The bound includes only B.",
        )?;
    }
    Ok(())
}

/// The source of a model's shapes.
enum Shape<'a> {
    Checkpoint(&'a Checkpoint),
    /// A configuration and its path.
    Config(&'a Config, &'a Path),
}

struct Inspect<'a> {
    args: &'a InspectArgs,
    adapter: Option<&'a Path>,
    recipe: Option<&'a Recipe>,
    shape: Shape<'a>,
    device: &'a Device,
}

impl WithModel for Inspect<'_> {
    type Output = Result<Inspection>;

    fn with<M: PretrainedModel>(self) -> Result<Inspection> {
        let labels = self.args.num_labels.or(self.recipe.and_then(|recipe| recipe.tasks.first()?.outputs()));
        let model = match self.shape {
            Shape::Checkpoint(checkpoint) => {
                let Loaded { model, .. } = checkpoint.load::<M>(labels, 0, self.device)?;
                model
            }
            Shape::Config(config, path) => {
                let Some(config) = M::Config::of(config) else {
                    bail!("{}: the configuration belongs to another family of models", path.display())
                };
                let config = match labels {
                    Some(labels) => config.clone().with_num_labels(labels, path)?,
                    None => config.clone(),
                };
                M::outline(&config, path, self.device)?
            }
        };
        let (naming, head) = (model.naming(), M::keys(model.config()).task_head);
        let head: Vec<String> = head.iter().map(ToString::to_string).collect();
        let model = match (self.adapter, self.recipe.map(|recipe| &recipe.tuning)) {
            (Some(folder), _) => load_adapter(model, folder)?.0,
            (None, Some(Tuning::Adapter(config))) => {
                let mut config = config.clone();
                if config.modules_to_save.is_empty() {
                    config.modules_to_save = head;
                }
                config.attach_blank(model, &naming)?
            }
            (None, Some(Tuning::Full)) => model,
            // A language model has no task head to train.
            (None, Some(Tuning::Head) | None) if head.is_empty() => model,
            (None, Some(Tuning::Head) | None) => train_only(model, &naming, &head)?,
        };
        Ok(asym_core::inspect(&model, &naming))
    }
}
