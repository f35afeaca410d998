//! Whether real layers are as the paper's theorem wants them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_analysis::layers::{TrainedLayer, figure, table};
use asym_core::Naming;
use asym_core::layout::{self, Kind, Layer};
use asym_models::{Checkpoint, SequenceClassifier};
use asym_tasks::recipe::Tuning;
use asym_tasks::{Origin, Plan, Prepared, Session, StopSignal, Task};
use clap::Parser;
use faer::Mat;

use super::SourceArgs;
use super::run::{line, next_free};
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
    task: Task,
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
    /// Folder for the run and the figure, which must be new [default: the next free runs/layers-NUMBER]
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
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
        let output = self.output.clone().unwrap_or_else(|| next_free(Path::new("runs"), "layers"));
        if output.exists() {
            bail!("{}: exists already; name another output folder", output.display());
        }
        let device = device::default_device()?;
        let (split, data) = self.source.split(self.task, self.data.as_deref())?;
        let location = self.source.model(self.model.as_deref())?;
        let base = location.base()?;
        let model = location.pinned();
        let plan = Plan {
            epochs: self.epochs,
            ..Plan::new(self.model.clone(), data.clone(), self.task, self.seed, Tuning::Full)
        };
        let recipe = plan.recipe(self.task, self.seed);
        let prepared = Prepared::new(self.task, &split, &base, recipe.max_length)?;
        let (stop, origin) = (StopSignal::on_ctrl_c(), Origin { model, data });
        let session = Session { base: &base, data: &prepared, device: &device, stop: &stop, origin };
        session.check(&recipe)?;

        let moments = session.observe_inputs(self.seed)?;
        let run = session.run(&recipe, &format!("{} full", self.task), Some(&output.join("full")))?;
        eprintln!("{}", line(&run));
        if run.interrupted {
            bail!("stopped early: {} has the model so far", output.join("full").display());
        }
        let before = weights(&base.checkpoint, Some(self.task.outputs()), &device)?;
        let after = weights(&Checkpoint::open(output.join("full/model"))?, None, &device)?;
        let mut losses = Vec::new();
        for (module, (shape, start)) in before {
            // The head has no start that was learned.
            let (Some(moment), Some((_, end))) =
                (moments.get(&module), after.iter().find(|(name, _)| *name == module).map(|(_, found)| found))
            else {
                continue;
            };
            let [rows, columns] = shape;
            let delta = Mat::from_fn(rows, columns, |i, j| f64::from(end[i * columns + j] - start[i * columns + j]));
            let layer = TrainedLayer { module, delta, moment: moment.moment.clone() };
            losses.push(layer.losses(self.rank, self.draws, self.seed)?);
        }
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
