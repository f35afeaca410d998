//! `asym evaluate summarization`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_models::{BartConfig, BartLanguageModel, ModelClass};
use asym_tasks::answers;
use asym_tasks::rouge::{Bootstrap, RougeReport};
use asym_tasks::summarization::{self, Questions, Summarization, Summarizer};
use asym_tasks::{AnyTask, Recipe};
use asym_train::StopSignal;
use burn::module::Module;
use clap::Args;
use serde_json::{Map, Value, json};

use super::recorded;
use super::rouge::Line;
use crate::cli::{Dtype, FormArgs, SourceArgs, locate, run_beside, trained};
use crate::device;

/// Options of `asym evaluate summarization`.
#[derive(Debug, Args)]
pub struct SummarizationArgs {
    /// BART checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// xsum, cnn-dailymail, or summarization for your own data, with task.text=COLUMN and task.summary=COLUMN
    /// [default: the task of the run that saved the adapter or the model]
    #[arg(long)]
    task: Option<String>,
    /// The documents and their summaries: a file, a folder, or a name on the Hub [default: generated reports]
    #[arg(long)]
    data: Option<String>,
    /// The set to evaluate if --data is a folder; if it is a file, all of its rows are evaluated
    #[arg(long, default_value = "validation")]
    split: String,
    /// Folder for summaries and scores; an evaluation that was stopped is continued
    #[arg(long)]
    output: PathBuf,
    /// Number of documents in a batch
    #[arg(long, default_value_t = 4)]
    batch_size: usize,
    /// Number of bootstrap samples for the confidence intervals
    #[arg(long, default_value_t = Bootstrap::default().samples)]
    samples: usize,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Merge the adapter into the weights first, which speeds up generation
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    /// Settings of the task, as in a recipe, such as task.num_beams=4 task.eval_examples=500
    #[arg(value_name = "KEY=VALUE")]
    changes: Vec<String>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    form: FormArgs,
}

impl SummarizationArgs {
    /// Summarize the documents, save the summaries, and print the scores.
    pub(super) fn run(&self) -> Result<()> {
        for (option, value) in [("--batch-size", self.batch_size), ("--samples", self.samples)] {
            if value == 0 {
                bail!("{option} 0: expected at least 1");
            }
        }
        let adapter = self.source.adapter(self.adapter.as_deref())?;
        let task = self.task(adapter.as_deref())?;
        let documents = task.read_set(&self.source.files(self.data.as_deref()), &self.split)?;
        let rows = documents.rows.len();
        crate::cli::note(format!("{}: {rows} documents", documents.source));
        documents.describe_empty().iter().for_each(crate::cli::note);
        let device = device::default_device()?;
        let location = locate(&self.source, self.model.as_deref(), adapter.as_deref())?;
        let base = location.base()?;
        let class = crate::cli::class(&base.checkpoint, adapter.as_deref())?;
        if class != ModelClass::ConditionalGeneration {
            bail!("{}: a model of the class {class:?} cannot summarize texts; use a BART model", location.name());
        }
        let config = base.checkpoint.config_of::<BartConfig>()?;
        let positions = config.max_position_embeddings;
        let (source_length, target_length) = task.lengths(positions);
        let (questions, notes) = Questions::read(&task, &documents, &base)?;
        notes.iter().for_each(crate::cli::note);
        let generation = task.generation(&base.checkpoint.generation_config()?, target_length)?;
        let search = generation.resolve(1, Some(positions), config.vocab_size)?;
        let settings = json!({
            "benchmark": task_name(&task),
            "model": location.pinned().as_deref().map(recorded),
            "adapter": adapter.as_deref().map(|adapter| recorded(&adapter.to_string_lossy())),
            "data": self.data.as_deref().map(recorded),
            "split": self.split,
            "dtype": format!("{:?}", self.dtype).to_lowercase(),
            "max_source_length": source_length,
            "max_target_length": target_length,
            "num_beams": search.num_beams,
        });
        answers::settle(&self.output, &settings)?;
        let settings = (None, self.dtype.computed(), self.merge);
        let model: BartLanguageModel =
            trained(location.name(), &base.checkpoint, adapter.as_deref(), settings, &device)?;
        let model = model.valid();

        let stop = StopSignal::on_signals();
        let summarizer = Summarizer::new(&model, base.tokenizer()?, &generation);
        let file = self.output.join("summaries.jsonl");
        let what = format!("{} beams", search.num_beams);
        let mut progress = |progress| {
            super::show((&what, "documents"), progress, self.batch_size);
            !stop.requested()
        };
        let answers = summarizer.answer(&questions, (Some(&file), self.batch_size), &mut progress)?;
        let Some(answers) = answers else { bail!("stopped; run the same command again to continue") };
        let scores = summarization::scores(&answers);
        let bootstrap = Bootstrap { samples: self.samples, seed: self.seed };
        let whole = RougeReport::new(&scores.whole, bootstrap);
        let cut = RougeReport::new(&scores.cut, bootstrap);
        let results = self.output.join("results.json");
        let json = json!({ "whole references": whole, "cut references": cut });
        asym_core::write_whole(&results, format!("{json:#}\n").as_bytes())
            .with_context(|| results.display().to_string())?;
        let table = format!(
            "Against whole references:\n\n{}\n\nAgainst references cut at {target_length} tokens:\n\n{}",
            whole.table(),
            cut.table()
        );
        let lines = [Line::all(&whole, Some("whole")), Line::all(&cut, Some("cut"))].concat();
        self.form.print_whole(table, &lines, &json)?;
        let empty = answers.iter().filter(|answer| answer.prediction.trim().is_empty()).count();
        if empty > 0 {
            crate::cli::note(format!("empty summaries, which score 0: {empty} of {rows}"));
        }
        crate::cli::note(format!("{}: each summary with its reference", file.display()));
        Ok(())
    }

    /// The task of `--task`, or else the task of the run that saved the weights, with the changes from the command line.
    fn task(&self, adapter: Option<&Path>) -> Result<Summarization> {
        let place = adapter.or(self.model.as_deref().map(Path::new));
        let (name, options) = match (&self.task, place.map(run_beside).transpose()?.flatten()) {
            (Some(name), _) => (name.clone(), Map::new()),
            (None, Some(run)) => run.tasks.first().map_or_else(Default::default, |task| {
                let options = serde_json::to_value(task.options()).unwrap_or_default();
                (task.name(), options.as_object().cloned().unwrap_or_default())
            }),
            (None, None) => ("summarization".to_string(), Map::new()),
        };
        let task: toml::Table = serde_json::from_value(Value::Object(options)).unwrap_or_default();
        let recipe = toml::Table::from_iter([
            ("tasks".to_string(), toml::Value::from(vec![name.clone()])),
            ("seeds".to_string(), toml::Value::from(vec![0])),
            ("tuning".to_string(), toml::Value::from("head")),
            ("task".to_string(), toml::Value::Table(task)),
        ]);
        let recipe = Recipe::parse(Path::new("options"), &recipe.to_string(), &self.changes)?;
        match recipe.runs().next().map(|run| run.task) {
            Some(AnyTask::Summarization(task)) => Ok(task),
            _ => bail!("the task {name} is not a summarization task; give --task xsum, cnn-dailymail or summarization"),
        }
    }
}

fn task_name(task: &Summarization) -> String {
    use asym_tasks::TaskInfo;
    task.name()
}
