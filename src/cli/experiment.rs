//! `asym table` and the examples: a column of the paper's tables.

use std::path::Path;

use anyhow::Result;
use asym_tasks::{AnyTask, Experiment, Method, Recipe};
use asym_train::Tuning;
use clap::Parser;

use super::run::{RunsArgs, execute, next_free};

/// Compare fine-tuning methods in a table: one row per method, with mean and standard deviation over seeds.
///
/// Without arguments it trains the embedded mini RoBERTa on generated data, in about five minutes on two cores. With --model
/// and --data it trains a real checkpoint on the real task, by default with the settings that the paper follows.
#[derive(Debug, Parser)]
pub struct ExperimentArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the embedded mini RoBERTa]
    #[arg(long)]
    model: Option<String>,
    /// The task's data: a folder, or a name on the Hub [default: generated data]
    #[arg(long)]
    data: Option<String>,
    /// Rows of the table: full, head, ia3, lora, b-only, b-only-input (A from the layers' inputs), a-only, rslora,
    /// dora, b-only-dora, adalora or vera; all except the first three accept a rank, as in b-only-r16
    #[arg(long, value_delimiter = ',', default_value = "full,head,lora-r8,b-only-r8,b-only-r16,a-only-r8,a-only-r16")]
    methods: Vec<String>,
    /// Compare the other rows with this one, seed by seed; prints mean differences with confidence intervals
    #[arg(long, value_name = "METHOD")]
    compare: Option<String>,
    /// Seeds of each row
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Number of epochs
    #[arg(long)]
    epochs: Option<usize>,
    /// Number of examples in a batch
    #[arg(long)]
    batch_size: Option<usize>,
    /// Number of gradient accumulation steps: batches for one optimizer step [default: 1]
    #[arg(long)]
    gradient_accumulation: Option<usize>,
    /// Peak learning rate of adapters and of head-only training
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Peak learning rate of full fine-tuning
    #[arg(long)]
    full_learning_rate: Option<f64>,
    /// Fraction of the steps for the warmup of the learning rate [default: 0.06]
    #[arg(long)]
    warmup_ratio: Option<f64>,
    /// Weight decay of AdamW; biases and norms are excluded
    #[arg(long)]
    weight_decay: Option<f64>,
    /// LoRA+: ratio of the learning rate of B and of trainable vectors to that of the other parameters [default: no
    /// LoRA+]
    #[arg(long)]
    loraplus_lr_ratio: Option<f64>,
    /// LoRA-FA: train B with the projected gradient, which requires a frozen A
    #[arg(long)]
    projected_gradient: bool,
    /// Clip the global gradient norm to this value [default: no clipping]
    #[arg(long)]
    max_grad_norm: Option<f64>,
    /// Rank of methods whose name has no rank
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Maximum number of tokens of an example, special tokens included
    #[arg(long)]
    max_length: Option<usize>,
    /// Shuffle without grouping by length, as PyTorch's default data loader does; this needs more padding
    #[arg(long)]
    no_grouping: bool,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Options of `asym table`: the options of the examples, for any task.
#[derive(Debug, Parser)]
pub struct TableArgs {
    /// The task
    #[arg(long)]
    task: AnyTask,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

impl TableArgs {
    /// Make the table and print it.
    ///
    /// # Errors
    ///
    /// Returns an error if settings, data or model are invalid, or if a run fails.
    pub fn run(self) -> Result<()> {
        self.experiment.run(self.task)
    }
}

/// Run an example: parse the options, make the table of the task with this name, and print it.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn table_of(name: &str) -> Result<()> {
    let args = ExperimentArgs::parse();
    args.run(name.parse()?)
}

impl ExperimentArgs {
    /// Make the table of `task` and print it.
    ///
    /// # Errors
    ///
    /// Returns an error if settings, data or model are invalid, or if a run fails.
    pub fn run(self, task: AnyTask) -> Result<()> {
        let (source, model, data) = (self.runs.source.clone(), self.model.clone(), self.data.clone());
        let experiment = self.experiment(&task)?;
        let output = experiment.output.clone();
        execute(&source, model.as_deref(), data.as_deref(), &[experiment], &output)
    }

    fn experiment(self, task: &AnyTask) -> Result<Experiment> {
        let methods: Vec<Method> =
            self.methods.iter().map(|name| Method::parse(name, self.rank)).collect::<Result<_, _>>()?;
        let output = self.runs.output.clone().unwrap_or_else(|| next_free(Path::new("runs"), &task.name()));
        let recipe = self.recipe(task)?;
        let full = task.defaults(recipe.scale(), &Tuning::Full).learning_rate;
        Ok(Experiment {
            task: recipe.tasks[0].clone(),
            recipe,
            methods,
            // Full fine-tuning does not use --learning-rate, which is for adapters.
            full_learning_rate: self.full_learning_rate.or(Some(full)),
            reference: self.compare,
            output,
            resume: self.runs.resume,
        })
    }

    /// Make a recipe from the options. Settings that are not given have the task's defaults.
    fn recipe(&self, task: &AnyTask) -> Result<Recipe> {
        fn change(key: &str, value: Option<impl std::fmt::Debug>) -> Option<String> {
            value.map(|value| format!("{key}={value:?}").to_lowercase())
        }
        let changes = [
            change("task.max_length", self.max_length),
            change("training.epochs", self.epochs),
            change("training.batch_size", self.batch_size),
            change("training.gradient_accumulation", self.gradient_accumulation),
            change("training.learning_rate", self.learning_rate),
            change("training.warmup_ratio", self.warmup_ratio),
            change("training.weight_decay", self.weight_decay),
            change("training.loraplus_lr_ratio", self.loraplus_lr_ratio),
            change("training.projected_gradient", self.projected_gradient.then_some(true)),
            change("training.max_grad_norm", self.max_grad_norm),
            change("training.group_by_length", self.no_grouping.then_some(false)),
        ];
        let changes: Vec<String> = changes.into_iter().flatten().collect();
        // The tuning is a placeholder: each row of the table has its own.
        let text = format!("tasks = [\"{}\"]\nseeds = {:?}\ntuning = \"head\"", task.name(), self.seeds);
        let recipe = Recipe::parse(Path::new("options"), &text, &changes)?;
        Ok(Recipe { model: self.model.clone(), data: self.data.clone(), ..recipe })
    }
}
