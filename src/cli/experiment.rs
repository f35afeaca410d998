//! `asym table` and the examples: a column of the paper's tables.

use std::path::Path;

use anyhow::Result;
use asym_tasks::sweep::SETTINGS;
use asym_tasks::{AnyTask, Experiment, Method, Recipe, Sweep};
use asym_train::Tuning;
use clap::{Args, Parser};
use toml::Value;

use super::FormArgs;
use super::run::{RunsArgs, execute};

/// The options of a table for one task.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// Checkpoint: a folder, or a name on the Hub [default: the embedded checkpoint for the task]
    #[arg(long)]
    model: Option<String>,
    /// The task's data: a file, a folder, or a name on the Hub [default: generated data]
    #[arg(long)]
    data: Option<String>,
    /// Rows of the table: full, head, ia3, lora, b-only, b-only-input (A from the layers' inputs), a-only, rslora,
    /// dora, b-only-dora, adalora or vera; all except the first three accept a rank, as in b-only-r16 [default: the rows of the
    /// paper's table for the task]
    #[arg(long, value_delimiter = ',')]
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
    /// Number of gradient accumulation steps, that is, batches per optimizer step [default: 1]
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
    /// Replace the head of the checkpoint, for example one for other labels, with a newly initialized head
    #[arg(long)]
    new_head: bool,
    /// The dtype of frozen weights [default: f32]
    #[arg(long, value_parser = ["f32", "bf16"])]
    dtype: Option<String>,
    /// Optimizer steps between two checkpoints, from which --resume continues [default: chosen so that saving takes
    /// less than 1 % of the time]
    #[arg(long)]
    save_every: Option<usize>,
    /// Shuffle without grouping by length, as PyTorch's default data loader does; this needs more padding
    #[arg(long)]
    no_grouping: bool,
    #[command(flatten)]
    runs: RunsArgs,
    #[command(flatten)]
    form: FormArgs,
    /// Further settings, as in a recipe, such as task.max_length=64 training.adam_beta2=0.98
    #[arg(value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

/// Options of `asym table`: the options of the examples, for any task.
#[derive(Debug, Parser)]
pub struct TableArgs {
    /// The task [default: classification for --data with --text and --label, else image-classification for a folder
    /// with one subfolder of images per class]
    #[arg(long, required_unless_present_any = ["text", "data"])]
    task: Option<AnyTask>,
    /// The column of the texts in your own file
    #[arg(long, value_name = "COLUMN", requires = "label")]
    text: Option<String>,
    /// The column of the second texts, if examples are pairs
    #[arg(long, value_name = "COLUMN", requires = "text")]
    pair: Option<String>,
    /// The column of the labels or scores; or several columns of 0 or 1, one for each label that an example can have
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "text")]
    label: Vec<String>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

impl TableArgs {
    /// Train the runs of the table and print it.
    ///
    /// # Errors
    ///
    /// Returns an error if settings, data or model are invalid, or if a run fails.
    pub fn run(mut self) -> Result<()> {
        let text = |key: &str, value: &str| format!("task.{key}={}", Value::String(value.to_string()));
        let mut columns = Vec::new();
        columns.extend(self.text.as_deref().map(|column| text("text", column)));
        columns.extend(self.pair.as_deref().map(|column| text("pair", column)));
        match self.label.as_slice() {
            [] => {}
            [column] => columns.push(text("label", column)),
            several => {
                let several = several.iter().cloned().map(Value::String).collect();
                columns.push(format!("task.label={}", Value::Array(several)));
            }
        }
        // Further settings come last, so that they override the columns.
        self.experiment.changes.splice(0..0, columns);
        let own = if self.text.is_some() { "classification" } else { "image-classification" };
        let task = self.task.map_or_else(|| own.parse(), Ok)?;
        self.experiment.run(task)
    }
}

/// Compare fine-tuning methods in a table: one row per method, with mean and standard deviation over seeds.
///
/// Without arguments it trains an embedded mini model on generated data, in a few minutes on two cores. With --model
/// and --data it trains a real checkpoint on the real task, by default with the paper's settings.
#[derive(Debug, Parser)]
struct ExampleArgs {
    /// Another task, as in `asym table` [default: the task of the example]
    #[arg(long)]
    task: Option<AnyTask>,
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// Run an example: parse the options, train the runs of the task `name` or of the task in `--task`, and print the table.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn table_of(name: &str) -> Result<()> {
    super::messages::show();
    let args = ExampleArgs::parse();
    let task = args.task.map_or_else(|| name.parse(), Ok)?;
    args.experiment.run(task)
}

impl ExperimentArgs {
    /// Train the runs of the table for `task`, and print it.
    ///
    /// # Errors
    ///
    /// Returns an error if settings, data or model are invalid, or if a run fails.
    pub fn run(self, task: AnyTask) -> Result<()> {
        let output = self.runs.output.open(&task.name())?;
        let (source, reference, form) = (self.runs.source.clone(), self.compare.clone(), self.form);
        let experiments = vec![self.experiment(&task)?];
        execute(&source, &Sweep { experiments, reference, ..output.sweep() }, form)
    }

    fn experiment(self, task: &AnyTask) -> Result<Experiment> {
        let named: Vec<&str> = self.methods.iter().map(String::as_str).collect();
        let names = if named.is_empty() { task.methods() } else { &named };
        let methods: Vec<Method> =
            names.iter().map(|name| Method::parse(name, self.rank, task.layers())).collect::<Result<_, _>>()?;
        let recipe = self.recipe(task)?;
        let full = task.defaults(recipe.scale(), &Tuning::Full).learning_rate;
        Ok(Experiment {
            task: recipe.tasks[0].clone(),
            recipe,
            methods,
            // Full fine-tuning does not use --learning-rate, which is for adapters.
            full_learning_rate: self.full_learning_rate.or(Some(full)),
            folder: String::new(),
            settings: SETTINGS.into(),
        })
    }

    /// Create a recipe from the options. Settings that are not given have the task's defaults.
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
            change("training.dtype", self.dtype.as_ref()),
            change("training.save_every", self.save_every),
            change("new_head", self.new_head.then_some(true)),
        ];
        let changes: Vec<String> = changes.into_iter().flatten().chain(self.changes.iter().cloned()).collect();
        // The tuning is a placeholder: each row of the table has its own.
        let text = format!("tasks = [\"{}\"]\nseeds = {:?}\ntuning = \"head\"", task.name(), self.seeds);
        let recipe = Recipe::parse(Path::new("options"), &text, &changes)?;
        Ok(Recipe { model: self.model.clone(), data: self.data.clone(), ..recipe })
    }
}
