//! Whether real layers are as the paper's theorem wants them.

use std::path::Path;

use anyhow::{Result, bail};
use asym_analysis::layers::{TrainedLayer, figure, table};
use asym_core::Naming;
use asym_core::layout::{self, Kind, Layer};
use asym_models::{Checkpoint, SequenceClassifier};
use asym_tasks::{AnyTask, Recipe, cell};
use asym_train::{RunFolder, StopSignal, Tuning};
use clap::Parser;

use super::run::{RunsArgs, line, next_free};
use crate::device;

/// Fine-tunes a whole model, takes of each linear layer what training added (Δ) and what it reads (Σ), and says what an
/// adapter with a frozen random A, a frozen random B, and A from the inputs would have lost: Theorem 3.3 on real layers.
#[derive(Debug, Parser)]
pub struct LayersArgs {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the embedded mini RoBERTa]
    #[arg(long)]
    model: Option<String>,
    /// The task's data: a folder, or a name on the Hub [default: the generated set]
    #[arg(long)]
    data: Option<String>,
    /// The task
    #[arg(long, default_value = "mrpc")]
    task: AnyTask,
    /// The rank r
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Random factors a layer
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Seed of training and of the factors
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passes over the training set
    #[arg(long)]
    epochs: Option<usize>,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Run the example: parse the options, train, compute, draw.
///
/// # Errors
///
/// Everything that the library refuses; nothing is trained before all of it was checked.
pub fn layers() -> Result<()> {
    LayersArgs::parse().run()
}

impl LayersArgs {
    fn run(self) -> Result<()> {
        if self.draws < 2 || self.rank == 0 {
            bail!("--draws {}, --rank {}: a spread wants two draws, an adapter a rank of 1", self.draws, self.rank);
        }
        let output = self.runs.output.clone().unwrap_or_else(|| next_free(Path::new("runs"), "layers"));
        if output.exists() && !self.runs.resume {
            bail!("{}: exists already; name another output folder, or give --resume", output.display());
        }
        let device = device::default_device()?;
        let (model, data) = (self.model.clone(), self.data.clone());
        let mut recipe = Recipe::new(model, data, self.task.clone(), vec![self.seed], Tuning::Full);
        recipe.set_epochs(self.epochs);
        let run = recipe.run(&self.task, &Tuning::Full, self.seed);
        let task = cell::read(&run.task, &self.runs.source.files(self.data.as_deref()))?;
        let location = self.runs.source.model(self.model.as_deref())?;
        let base = location.base()?;
        task.check_base(&base)?;
        let task = task.prepare(&base, location.pinned(), &device)?;
        let stop = StopSignal::on_ctrl_c();
        task.check(&run)?;

        let before = weights(&base.checkpoint, self.task.outputs(), &device)?;
        if let Some((module, ([d_out, d_in], _))) =
            before.iter().find(|(_, (shape, _))| shape.iter().any(|d| *d < self.rank))
        {
            bail!("--rank {} does not fit `{module}` ({d_in} -> {d_out})", self.rank);
        }
        let moments = task.observe_inputs(self.seed)?;
        let folder = output.join("full");
        let finished = if self.runs.resume { RunFolder::resume(&folder, &task.recipe(&run))? } else { None };
        let result = match finished {
            Some(result) => result,
            None => task.run(&run, &format!("{} full", self.task), Some(&folder), &stop)?,
        };
        eprintln!("{}", line(&self.task, &result));
        if result.interrupted {
            bail!("stopped early: {} has the model so far", folder.display());
        }
        let after = weights(&Checkpoint::open(folder.join("model"))?, None, &device)?;
        let (mut losses, mut failed) = (Vec::new(), Vec::new());
        for (module, (_, start)) in &before {
            // The head has no start that was learned.
            let end = after.iter().find(|(name, _)| name == module).map(|(_, (_, values))| values);
            let layer = moments.get(module).zip(end);
            let layer = layer.and_then(|(observed, end)| TrainedLayer::new(module, start, end, &observed.moment));
            let Some(layer) = layer else { continue };
            match layer.losses(self.rank, self.draws, self.seed) {
                Ok(found) => losses.push(found),
                Err(error) => failed.push(format!("{module}: {error}")),
            }
        }
        failed.iter().for_each(|failed| eprintln!("left out: {failed}"));
        super::say(table(&losses))?;
        let title = format!("What rank {} loses of full fine-tuning's Δ, {}", self.rank, self.task);
        super::say(figure(&losses, title).save(&output.join("layers"))?)
    }
}

/// The weights of the linear layers outside the head, in the model's order: shape `[d_out, d_in]` and values.
#[allow(clippy::type_complexity, reason = "one use")]
fn weights(
    checkpoint: &Checkpoint,
    labels: Option<usize>,
    device: &burn::tensor::Device,
) -> Result<Vec<(String, ([usize; 2], Vec<f32>))>> {
    let model: SequenceClassifier = checkpoint.sequence_classifier(labels, 0, device)?.model;
    let naming: Naming = model.naming();
    let wanted = |entry: &layout::Entry| {
        matches!(entry.kind, Kind::Weight { layer: Layer::Linear, .. }) && !layout::within(&entry.name, "classifier")
    };
    let found = layout::collect(&model, &naming, wanted).into_iter();
    Ok(found
        .filter_map(|(entry, values)| {
            let &[rows, columns] = entry.shape.as_slice() else { return None };
            Some((entry.module().to_string(), ([rows, columns], values?)))
        })
        .collect())
}
