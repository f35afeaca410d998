//! `asym evaluate mmlu`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_models::{LlamaLanguageModel, ModelClass};
use asym_tasks::answers::{self, AnswersError};
use asym_tasks::mmlu::{self, Accuracy, Asked, Group, Grouping, Protocol, Scores, Split};
use asym_train::StopSignal;
use burn::module::Module;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::recorded;
use crate::cli::{Dtype, FormArgs, Location, SourceArgs, locate, trained};
use crate::device;
use crate::embedded::LLAMA_MINI;

/// Options of `asym evaluate mmlu`.
#[derive(Debug, Args)]
pub struct MmluArgs {
    /// Llama checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names; without --data
    /// too, the embedded mini Llama]
    #[arg(long)]
    model: Option<String>,
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// Folder of the benchmark's files, or a name on the Hub, such as cais/mmlu [default: questions about the invented
    /// world on which the embedded mini Llama was pre-trained]
    #[arg(long)]
    data: Option<String>,
    /// Split of the benchmark: test, val or dev
    #[arg(long, default_value = "test")]
    split: String,
    /// How the questions are put to the model and how its answers are determined
    #[arg(long, value_enum, value_delimiter = ',', default_value = "choice,generated")]
    protocol: Vec<ProtocolName>,
    /// Number of examples in a prompt, 0 to 5; they come from the split dev
    #[arg(long, value_delimiter = ',', default_value = "0")]
    shots: Vec<usize>,
    /// Subjects, with underscores as in the files [default: all]
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Folder for answers and scores; an evaluation that was stopped is continued
    #[arg(long)]
    output: PathBuf,
    /// Number of prompts in a batch
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Merge the adapter into the weights first
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    form: FormArgs,
}

/// An accuracy in the JSON or CSV output.
#[derive(Serialize)]
struct Line {
    protocol: &'static str,
    version: u32,
    shots: usize,
    /// A subject, a group, or all questions.
    part: String,
    /// The grouping to which a group belongs.
    grouping: Option<&'static str>,
    questions: usize,
    /// Between 0 and 1, like its standard error.
    accuracy: f64,
    standard_error: f64,
}

impl Line {
    /// The accuracies of all questions, of the groups in both groupings, and of the subjects.
    fn all(scores: &Scores) -> Vec<Self> {
        let line = |part: &str, grouping, found: Accuracy| Self {
            protocol: scores.protocol.name(),
            version: scores.protocol.version(),
            shots: scores.shots,
            part: part.to_string(),
            grouping,
            questions: found.questions,
            accuracy: found.accuracy,
            standard_error: found.standard_error,
        };
        let mut lines: Vec<Self> = scores.micro().map(|found| line("all questions", None, found)).into_iter().collect();
        for (by, grouping) in [(Grouping::Original, "original"), (Grouping::Harness, "lm-evaluation-harness")] {
            let groups = Group::ALL.into_iter().filter_map(|group| Some((group.name(), scores.of_group(group, by)?)));
            lines.extend(groups.map(|(name, found)| line(name, Some(grouping), found)));
        }
        lines.extend(scores.by_subject().map(|(subject, found)| line(subject.name(), None, found)));
        lines
    }
}

/// A protocol by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProtocolName {
    /// The largest logit of the four letters, as in the benchmark's own script
    Choice,
    /// The most likely of the four letters, as in lm-evaluation-harness
    Loglikelihood,
    /// The most likely of all tokens must be the letter, as in the paper's scripts
    Generated,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Choice => Self::Choice,
            ProtocolName::Loglikelihood => Self::Loglikelihood,
            ProtocolName::Generated => Self::Generated,
        }
    }
}

impl MmluArgs {
    /// Evaluate the questions, save the answers, and print the table.
    pub(super) fn run(&self) -> Result<()> {
        let asked = self.asked()?;
        let device = device::default_device()?;
        let adapter = self.source.adapter(self.adapter.as_deref())?;
        let location = match (&self.model, &adapter) {
            // The mini Llama is the default only for the invented world, since it was not trained on the benchmark's subjects.
            (None, None) if self.data.is_none() => Location::Embedded(&LLAMA_MINI),
            _ => locate(&self.source, self.model.as_deref(), adapter.as_deref())?,
        };
        let base = location.base()?;
        let checkpoint = &base.checkpoint;
        let class = crate::cli::class(checkpoint, adapter.as_deref())?;
        if class != ModelClass::CausalLanguageModel {
            bail!(
                "{}: a model of the class {class:?} cannot answer the questions of MMLU; use a Llama model",
                location.name()
            );
        }
        let config = crate::cli::adapted_config::<LlamaLanguageModel>(checkpoint, adapter.as_deref())?;
        let tokenizer = base.language_tokenizer()?.clone().for_rows(config.vocab_size);
        // Every prompt is encoded before the model is loaded.
        let prompts = mmlu::prompts(&asked, &tokenizer, config.max_position_embeddings)?;
        answers::settle(&self.output, &self.settings(location.pinned(), adapter.as_deref()))?;
        let settings = (None, self.dtype.computed(), self.merge);
        let model: LlamaLanguageModel = trained(location.name(), checkpoint, adapter.as_deref(), settings, &device)?;
        let model = model.valid();

        let (stop, mut all) = (StopSignal::on_signals(), Vec::new());
        for prompts in &prompts {
            crate::cli::note(format!(
                "{}, {} examples: {} questions, {} tokens, {} prompts shortened",
                prompts.protocol,
                prompts.shots,
                asked.questions(),
                prompts.tokens(),
                prompts.shortened
            ));
            let mut progress = |progress| {
                let what = format!("{}, {} examples", prompts.protocol, prompts.shots);
                super::show((&what, "questions"), progress, self.batch_size);
                !stop.requested()
            };
            let place = (Some(self.output.as_path()), self.batch_size);
            match mmlu::ask(&model, &tokenizer, (&asked, prompts), place, &mut progress)? {
                Some(scores) => all.push(scores),
                None => bail!("stopped; run the same command again to continue"),
            }
        }
        let results = self.output.join("results.json");
        let json = serde_json::to_string_pretty(&all)? + "\n";
        asym_core::write_whole(&results, json.as_bytes())
            .map_err(|source| AnswersError::Io { path: results.clone(), source })?;
        let lines: Vec<Line> = all.iter().flat_map(Line::all).collect();
        self.form.print_whole(Scores::table(&all), &lines, &all)?;
        crate::cli::note(format!("{}: accuracy of each subject", results.display()));
        Ok(())
    }

    /// The questions and their examples: from files, or about the invented world.
    fn asked(&self) -> Result<Asked> {
        if self.batch_size == 0 {
            bail!("--batch-size 0: expected at least one prompt in a batch");
        }
        let Some(split) = Split::named(&self.split) else { bail!("--split {}: expected test, val or dev", self.split) };
        let most = self.shots.iter().copied().max().unwrap_or(0);
        if most > 5 {
            bail!("--shots {most}: the split dev has only five examples of each subject");
        }
        let subjects = mmlu::subjects(&self.subjects)?;
        let protocols = self.protocol.iter().map(|protocol| Protocol::from(*protocol)).collect();
        let Some(data) = &self.data else {
            if most > 0 || !self.subjects.is_empty() {
                bail!("the questions about the invented world do not support --shots and --subjects; give --data");
            }
            return Ok(Asked::invented(protocols));
        };
        let splits = if most > 0 { vec![split, Split::Dev] } else { vec![split] };
        let wanted = |path: &str| mmlu::wanted(path, &subjects, &splits);
        let files = self.source.files(Some(data));
        let Some(folder) = files.folder(&wanted)? else { unreachable!("data have a name") };
        Ok(Asked::read(&folder, split, subjects, (protocols, self.shots.clone()))?)
    }

    /// The settings that all answers in a folder have in common.
    fn settings(&self, model: Option<String>, adapter: Option<&Path>) -> Value {
        let versions: Map<String, Value> =
            Protocol::ALL.iter().map(|protocol| (protocol.name().to_string(), protocol.version().into())).collect();
        let split = Split::named(&self.split).map(Split::name);
        json!({
            "benchmark": "mmlu",
            "model": model.as_deref().map(recorded),
            "adapter": adapter.map(|adapter| recorded(&adapter.to_string_lossy())),
            "data": self.data.as_deref().map(recorded),
            "split": split,
            "dtype": format!("{:?}", self.dtype).to_lowercase(),
            "protocols": versions,
        })
    }
}
