//! `asym table`, and the examples: a column of the paper's GLUE tables.

use std::path::Path;

use anyhow::Result;
use asym_tasks::recipe::{Grouping, Recipe, Tuning};
use asym_tasks::{Experiment, Method, Task};
use clap::Parser;

use super::run::{RunsArgs, execute, next_free};

/// A table of fine-tuning methods: a row each, mean and standard deviation over seeds.
///
/// Without arguments it trains the embedded mini RoBERTa on the embedded generated task, in about five minutes on two
/// cores. With --model and --data it does the same to a real checkpoint on the real task, by default with the settings
/// of the LoRA scripts that the paper follows.
#[derive(Debug, Parser)]
pub struct ExperimentArgs {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the embedded mini RoBERTa]
    #[arg(long)]
    model: Option<String>,
    /// The task's data: a folder, or a name on the Hub, such as nyu-mll/glue [default: the generated set]
    #[arg(long)]
    data: Option<String>,
    /// Rows of the table: full, head, ia3, and lora, b-only, b-only-input (A from the layers' input), a-only, rslora, dora,
    /// b-only-dora, adalora, vera, which a rank may follow, as in b-only-r16
    #[arg(long, value_delimiter = ',', default_value = "full,head,lora-r8,b-only-r8,b-only-r16,a-only-r8,a-only-r16")]
    methods: Vec<String>,
    /// Compare the other rows with this one, seed by seed: mean differences with confidence intervals below the table
    #[arg(long, value_name = "METHOD")]
    compare: Option<String>,
    /// Seeds of each row
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Passes over the training set
    #[arg(long)]
    epochs: Option<usize>,
    /// Examples that pass the model at once
    #[arg(long)]
    batch_size: Option<usize>,
    /// Batches whose gradients make one step
    #[arg(long, default_value_t = 1)]
    accumulation: usize,
    /// Peak learning rate of adapters and of the head alone
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Peak learning rate of full fine-tuning
    #[arg(long)]
    full_learning_rate: Option<f64>,
    /// Part of the steps over which the learning rate rises
    #[arg(long, default_value_t = 0.06)]
    warmup: f64,
    /// AdamW's weight decay
    #[arg(long)]
    weight_decay: Option<f64>,
    /// LoRA+: the learning rate of B, and of trained vectors, over that of the rest [default: one for all]
    #[arg(long)]
    b_learning_rate_ratio: Option<f64>,
    /// LoRA-FA: project the gradient of B, where A is frozen, onto what A passes
    #[arg(long)]
    projected_gradient: bool,
    /// Clip the gradient's norm, taken over all parameters, to this length [default: no clipping]
    #[arg(long)]
    max_gradient_norm: Option<f64>,
    /// Rank of methods that name none
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Tokens of an example, special ones included
    #[arg(long)]
    max_length: Option<usize>,
    /// Shuffle without regard to length: more padding, as PyTorch's plain data loader
    #[arg(long)]
    no_grouping: bool,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Options of `asym table`: those of the examples, for any task.
#[derive(Debug, Parser)]
pub struct TableArgs {
    /// The task
    #[arg(long)]
    task: Task,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

impl TableArgs {
    /// Make the table and print it.
    ///
    /// # Errors
    ///
    /// Everything that the library refuses.
    pub fn run(self) -> Result<()> {
        self.experiment.run(self.task)
    }
}

/// Run an example: parse the options, make the table of `task`, print it.
///
/// # Errors
///
/// Everything that the library refuses; nothing is trained before all of it was checked.
pub fn glue(task: Task) -> Result<()> {
    ExperimentArgs::parse().run(task)
}

impl ExperimentArgs {
    /// Make the table of `task` and print it.
    ///
    /// # Errors
    ///
    /// Everything that the library refuses.
    pub fn run(self, task: Task) -> Result<()> {
        let (source, model, data) = (self.runs.source.clone(), self.model.clone(), self.data.clone());
        let experiment = self.experiment(task)?;
        let output = experiment.output.clone();
        execute(&source, model.as_deref(), data.as_deref(), &[experiment], &output)
    }

    fn experiment(self, task: Task) -> Result<Experiment> {
        let defaults = if self.model.is_some() { task.row().paper } else { task.row().mini };
        let methods: Vec<Method> =
            self.methods.iter().map(|name| Method::parse(name, self.rank)).collect::<Result<_, _>>()?;
        let recipe = Recipe {
            task,
            tuning: methods.first().map_or(Tuning::Head, |method| method.tuning.clone()),
            seed: self.seeds.first().copied().unwrap_or(1),
            epochs: self.epochs.unwrap_or(defaults.epochs),
            batch_size: self.batch_size.unwrap_or(defaults.batch_size),
            accumulation: self.accumulation,
            learning_rate: self.learning_rate.unwrap_or(defaults.learning_rate),
            warmup: self.warmup,
            weight_decay: self.weight_decay.unwrap_or(defaults.weight_decay),
            b_learning_rate_ratio: self.b_learning_rate_ratio,
            projected_gradient: self.projected_gradient,
            max_gradient_norm: self.max_gradient_norm,
            max_length: self.max_length.unwrap_or(defaults.max_length),
            grouping: if self.no_grouping { Grouping::None } else { Grouping::ByLength },
        };
        let output = self.runs.output.unwrap_or_else(|| next_free(Path::new("runs"), task.name()));
        Ok(Experiment {
            recipe,
            methods,
            seeds: self.seeds,
            reference: self.compare,
            full_learning_rate: self.full_learning_rate.unwrap_or(defaults.full_learning_rate),
            output,
            resume: self.runs.resume,
        })
    }
}
