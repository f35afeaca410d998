//! The losses of the paper's Theorem 3.3 on real layers.

use anyhow::{Context, Result, bail};
use asym_analysis::layers::{TrainedLayer, figure, table};
use asym_core::Naming;
use asym_core::layout::{self, Kind, Layer};
use asym_models::{Checkpoint, SequenceClassifier};
use asym_tasks::{AnyTask, Recipe, cell};
use asym_train::{Dtype, StopSignal, Tuning};
use clap::Parser;

use super::run::{RunsArgs, line};
use crate::device;

/// Fine-tune a whole model and compute the losses of Theorem 3.3 on its linear layers.
///
/// The losses of a layer follow from its weight update (Δ) and the second moment of its inputs (Σ). The table shows the loss of
/// an adapter with a frozen random A, with a frozen random B, and with A from the inputs.
#[derive(Debug, Parser)]
pub struct LayersArgs {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the embedded mini RoBERTa]
    #[arg(long)]
    model: Option<String>,
    /// The task's data: a folder, or a name on the Hub [default: generated data]
    #[arg(long)]
    data: Option<String>,
    /// The task
    #[arg(long, default_value = "mrpc")]
    task: AnyTask,
    /// The rank r
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Number of random factors per layer
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Seed of the training and of the factors
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of epochs
    #[arg(long)]
    epochs: Option<usize>,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Run the example: parse the options, train, compute the losses, and draw the figure.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn layers() -> Result<()> {
    super::messages::show();
    LayersArgs::parse().run()
}

impl LayersArgs {
    fn run(self) -> Result<()> {
        if self.draws < 2 || self.rank == 0 {
            bail!("--draws {}, --rank {}: expected at least 2 draws and a rank of at least 1", self.draws, self.rank);
        }
        let output = self.runs.output.open("layers")?;
        let device = device::default_device()?;
        let (model, data) = (self.model.clone(), self.data.clone());
        let mut recipe = Recipe::new(model, data, self.task.clone(), vec![self.seed], Tuning::Full);
        recipe.set_epochs(self.epochs);
        let run = recipe.run(&self.task, &Tuning::Full, self.seed);
        let task = cell::read(&run.task, &self.runs.source.files(self.data.as_deref()), None)
            .with_context(|| format!("data of task {}", self.task.name()))?;
        let location = self.runs.source.model_for(self.model.as_deref(), &self.task)?;
        let base = location.base()?;
        task.check_base(&base)?;
        let task = task.prepare(&base, location.pinned(), Some(Dtype::F32), &device)?;
        let stop = StopSignal::on_signals();
        task.check(&run)?;

        let before = weights(&base.load((self.task.outputs(), false), Dtype::F32, 0, &device)?.model);
        if let Some((module, ([d_out, d_in], _))) =
            before.iter().find(|(_, (shape, _))| shape.iter().any(|d| *d < self.rank))
        {
            bail!("--rank {} does not fit `{module}` ({d_in} -> {d_out})", self.rank);
        }
        let moments = task.observe_inputs(self.seed)?;
        let folder = output.path.join("full");
        let result = task.run(&run, &format!("{} full", self.task), Some((&folder, output.existing)), &stop)?;
        super::note(line(&self.task, &result));
        if result.interrupted {
            bail!("stopped early: the partly trained model is in {}", folder.display());
        }
        let after = weights(&Checkpoint::open(folder.join("model"))?.sequence_classifier(None, 0, &device)?.model);
        let (mut losses, mut failed) = (Vec::new(), Vec::new());
        for (module, (_, start)) in &before {
            // The head is left out, since it has no pre-trained weights.
            let end = after.iter().find(|(name, _)| name == module).map(|(_, (_, values))| values);
            let layer = moments.get(module).zip(end);
            let layer = layer.and_then(|(observed, end)| TrainedLayer::new(module, start, end, &observed.moment()));
            let Some(layer) = layer else { continue };
            match layer.losses(self.rank, self.draws, self.seed) {
                Ok(found) => losses.push(found),
                Err(error) => failed.push(format!("{module}: {error}")),
            }
        }
        failed.iter().for_each(|failed| super::note(format!("left out: {failed}")));
        super::say(table(&losses))?;
        let title = format!("What rank {} loses of full fine-tuning's Δ, {}", self.rank, self.task);
        super::say(figure(&losses, title).save(&output.path.join("layers"))?)
    }
}

/// The weights of the linear layers outside the head, in the model's order: shape `[d_out, d_in]` and values.
#[allow(clippy::type_complexity, reason = "one use")]
fn weights(model: &SequenceClassifier) -> Vec<(String, ([usize; 2], Vec<f32>))> {
    let naming: Naming = model.naming();
    let wanted = |entry: &layout::Entry| {
        matches!(entry.kind, Kind::Weight { layer: Layer::Linear, .. }) && !layout::within(&entry.name, "classifier")
    };
    let found = layout::collect(model, &naming, wanted).into_iter();
    found
        .filter_map(|(entry, values)| {
            let &[rows, columns] = entry.shape.as_slice() else { return None };
            Some((entry.module().to_string(), ([rows, columns], values?)))
        })
        .collect()
}
