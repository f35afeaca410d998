//! Summarization as a [`Task`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asym_data::Tokenizer;
use asym_models::generation::GenerationConfig;
use asym_models::{BartConfig, BartLanguageModel};
use asym_train::{TrainError, TrainSettings, Tuning};

use super::benchmark::Benchmark;
use super::error::SummarizationError;
use super::evaluate::SummaryEvaluation;
use super::files::{self, Document, Documents};
use super::generate::{Questions, cut_score, whole_score};
use super::generated::generated;
use super::options::SummarizationOptions;
use super::paper;
use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::methods::LayerNames;
use crate::rouge::{Bootstrap, Rouge, RougeReport, VARIANTS, sentences};
use crate::sequences::{Pair, PairLoss, Pairs};
use crate::sets;
use crate::split::{DEV_SHARE, held_out, split};
use crate::task::{Kept, PaperScore, Prepared, Scale, Score, Shown, Task, TaskInfo};
use crate::text::{EncodedExample, Lengths, Target, preview, save_tokenizer};

/// The name of the task on a user's own data.
const OWN: &str = "summarization";

/// The default maximum number of tokens of a user's own document, unless the model reads fewer tokens.
const SOURCE_LENGTH: usize = 1024;

/// The default maximum number of tokens of a user's own summary, unless the model reads fewer tokens.
const TARGET_LENGTH: usize = 128;

/// A benchmark, or a user's own documents with summaries, on which a BART model is trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summarization {
    /// The benchmark; `None` for a user's own data.
    pub benchmark: Option<Benchmark>,
    /// The settings of the task.
    pub options: SummarizationOptions,
}

/// The documents of both sets.
#[derive(Clone, Debug, PartialEq)]
pub struct SummarizationData {
    /// The training set.
    pub train: Documents,
    /// The evaluation set.
    pub dev: Documents,
    /// The fraction and the seed of the split, if there is no separate evaluation set.
    drawn: Option<(f64, u64)>,
}

/// The settings that name the columns, each with a hint for an error message.
const COLUMNS: [(&str, &str); 2] = [
    ("text", "name the column of the documents, as in task.text=article"),
    ("summary", "name the column of the summaries, as in task.summary=abstract"),
];

impl Summarization {
    fn setting_error(setting: &'static str, found: impl ToString, expected: impl ToString) -> SummarizationError {
        SummarizationError::Setting { setting, found: found.to_string(), expected: expected.to_string() }
    }

    /// The columns of documents and summaries.
    fn columns(&self) -> Result<[&str; 2], SummarizationError> {
        let row = self.benchmark.map(Benchmark::row);
        let [text, summary] = [
            self.options.text.as_deref().or(row.map(|row| row.text)),
            self.options.summary.as_deref().or(row.map(|row| row.summary)),
        ];
        let missing =
            |at: usize| SummarizationError::Missing { task: self.name(), setting: COLUMNS[at].0, how: COLUMNS[at].1 };
        Ok([text.ok_or_else(|| missing(0))?, summary.ok_or_else(|| missing(1))?])
    }

    /// The maximum numbers of tokens of a document and of a summary, for a model that reads `positions` tokens.
    pub fn lengths(&self, positions: usize) -> (usize, usize) {
        let row = self.benchmark.map(Benchmark::row);
        let source = self.options.max_source_length.or(row.map(|row| row.source_length));
        let target = self.options.max_target_length.or(row.map(|row| row.target_length));
        (source.unwrap_or(SOURCE_LENGTH.min(positions)), target.unwrap_or(TARGET_LENGTH.min(positions)))
    }

    /// The settings of the search: `own`, the settings of the checkpoint, with the beams of the task and at most `length` tokens.
    ///
    /// # Errors
    ///
    /// [`SummarizationError::Generation`] for an invalid length or number of beams.
    pub fn generation(&self, own: &GenerationConfig, length: usize) -> Result<GenerationConfig, SummarizationError> {
        let beams = self.options.num_beams.or(self.benchmark.map(|benchmark| benchmark.row().beams));
        let mut asked = serde_json::Map::from_iter([("max_length".to_string(), length.into())]);
        asked.extend(beams.map(|beams| ("num_beams".to_string(), beams.into())));
        let asked = GenerationConfig::strict(&serde_json::Value::Object(asked).to_string());
        let failed = |source| SummarizationError::Generation {
            what: "the settings of the generation".into(),
            source: Box::new(source),
        };
        Ok(own.overlaid_with(&asked.map_err(failed)?))
    }

    /// The documents of the set called `name` at `files`, or all documents of a file, for an evaluation without training.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::read`].
    pub fn read_set(&self, files: &Files, name: &str) -> Result<Documents, TaskError> {
        let mut found = match self.path(files)? {
            Some(path) => files::read_set(&path, name, self.columns()?, self.options.header.unwrap_or(true))?,
            None => {
                let (train, dev) = generated();
                match name {
                    "train" => train,
                    name if sets::DEV.contains(&name) => dev,
                    name => return Err(Self::setting_error("split", name, "train or validation").into()),
                }
            }
        };
        found.rows.truncate(self.options.eval_examples.unwrap_or(usize::MAX));
        if found.rows.is_empty() {
            let (path, needed) = (found.source, "at least one is needed");
            return Err(SummarizationError::TooFewRows { path, rows: 0, needed }.into());
        }
        Ok(found)
    }

    /// The path of the data; `None` if they are generated. They are generated if there are no files and the task names neither a
    /// benchmark, nor a column, nor an evaluation file.
    fn path(&self, files: &Files) -> Result<Option<PathBuf>, TaskError> {
        let path = files.folder(&files::is_wanted)?;
        let SummarizationOptions { text, summary, dev, .. } = &self.options;
        let own = self.benchmark.is_some() || [text, summary, dev].into_iter().any(Option::is_some);
        if path.is_none() && own {
            let how = "name a file or a folder with --data, or with `data` in the recipe";
            return Err(SummarizationError::Missing { task: self.name(), setting: "data", how }.into());
        }
        Ok(path)
    }

    fn read_from(&self, path: Option<&Path>) -> Result<SummarizationData, SummarizationError> {
        let options = &self.options;
        let share = options.dev_share.unwrap_or(DEV_SHARE);
        if !(share > 0.0 && share < 1.0) {
            return Err(Self::setting_error("dev_share", share, "above 0 and below 1"));
        }
        let smoothing = options.label_smoothing.unwrap_or(0.0);
        if !(0.0..1.0).contains(&smoothing) {
            return Err(Self::setting_error("label_smoothing", smoothing, "at least 0 and below 1"));
        }
        for (setting, value) in [("num_beams", options.num_beams), ("eval_examples", options.eval_examples)] {
            if value == Some(0) {
                return Err(Self::setting_error(setting, 0, "at least 1"));
            }
        }
        let (train, dev) = match path {
            Some(path) => files::read(path, self.columns()?, options)?,
            None => {
                let (train, dev) = generated();
                (train, Some(dev))
            }
        };
        let seed = options.split_seed.unwrap_or_default();
        let needed = if dev.is_some() { 1 } else { 2 };
        if train.rows.len() < needed {
            let needed = if dev.is_some() {
                "at least one is needed"
            } else {
                "at least two are needed, one to train on and one to evaluate on"
            };
            return Err(SummarizationError::TooFewRows { path: train.source, rows: train.rows.len(), needed });
        }
        let mut data = match dev {
            Some(dev) => SummarizationData { train, dev, drawn: None },
            None => {
                let (train_at, dev_at) = split(&vec![0; train.rows.len()], share, seed);
                let chosen = |at: Vec<usize>| at.into_iter().map(|at| train.rows[at].clone()).collect();
                let dev = Documents { rows: chosen(dev_at), source: train.source.clone(), empty: Vec::new() };
                SummarizationData {
                    train: Documents { rows: chosen(train_at), ..train },
                    dev,
                    drawn: Some((share, seed)),
                }
            }
        };
        data.dev.rows.truncate(options.eval_examples.unwrap_or(usize::MAX));
        if data.dev.rows.is_empty() {
            let (path, needed) = (data.dev.source, "the evaluation needs at least one");
            return Err(SummarizationError::TooFewRows { path, rows: 0, needed });
        }
        Ok(data)
    }
}

/// A tokenizer and the maximum lengths, checked against a model.
pub(super) struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    lengths: (usize, usize),
}

/// Encoded pairs, and the lengths of sources and targets before truncation.
pub(super) struct EncodedPairs {
    pub pairs: Vec<Pair>,
    pub sources: Lengths,
    pub targets: Lengths,
}

impl<'a> Encoder<'a> {
    /// Refuses lengths that are too small or too large for the model, and a tokenizer that does not end texts with the model's
    /// end token.
    pub(super) fn new(base: &'a Base, config: &BartConfig, lengths: (usize, usize)) -> Result<Self, TaskError> {
        let (tokenizer, limits) = (base.tokenizer()?, base.limits()?);
        tokenizer.check(&limits, lengths.0)?;
        tokenizer.check(&limits, lengths.1)?;
        let probe = tokenizer.encode("a", None, usize::MAX)?;
        if probe.input_ids.last() != Some(&(config.eos_token_id as u32)) {
            let (path, id) = (base.checkpoint.path().to_path_buf(), config.eos_token_id);
            return Err(SummarizationError::NoEnd { path, id }.into());
        }
        Ok(Self { tokenizer, lengths })
    }

    pub(super) fn encode(&self, documents: &Documents) -> Result<EncodedPairs, SummarizationError> {
        let none = Lengths::default();
        let mut found = EncodedPairs { pairs: Vec::with_capacity(documents.rows.len()), sources: none, targets: none };
        for Document { text, summary, line } in &documents.rows {
            let side = |text: &str, length| {
                let encoding = self.tokenizer.encode(text, None, length).map_err(|source| {
                    SummarizationError::Encode { path: documents.source.clone(), line: *line, source }
                })?;
                let length = encoding.input_ids.len() + encoding.cut;
                let lengths =
                    Lengths { examples: 1, cut: usize::from(encoding.cut > 0), longest: length, total: length };
                Ok::<_, SummarizationError>((encoding.input_ids, lengths))
            };
            let ((source, of_source), (target, of_target)) =
                (side(text, self.lengths.0)?, side(summary, self.lengths.1)?);
            found.sources = found.sources.and(of_source);
            found.targets = found.targets.and(of_target);
            found.pairs.push(Pair { source, target, line: *line });
        }
        Ok(found)
    }
}

impl Questions {
    /// The questions of encoded documents.
    ///
    /// # Errors
    ///
    /// Tokens that cannot be decoded.
    pub(super) fn of(documents: &Documents, pairs: &[Pair], tokenizer: &Tokenizer) -> Result<Self, SummarizationError> {
        let cut = pairs.iter().map(|pair| tokenizer.decode(&pair.target)).collect::<Result<_, _>>()?;
        Ok(Self {
            sources: pairs.iter().map(|pair| pair.source.clone()).collect(),
            references: documents.rows.iter().map(|row| row.summary.clone()).collect(),
            cut,
        })
    }

    /// The questions of a set for the model of `base`, and notes on the set for the user.
    ///
    /// # Errors
    ///
    /// A tokenizer or lengths that do not fit the model, and texts that cannot be encoded.
    pub fn read(task: &Summarization, documents: &Documents, base: &Base) -> Result<(Self, Vec<String>), TaskError> {
        let config = base.checkpoint.config_of::<BartConfig>()?;
        let lengths = task.lengths(config.max_position_embeddings);
        let encoded = Encoder::new(base, config, lengths)?.encode(documents)?;
        let notes = vec![
            format!("documents: {}", encoded.sources.describe(lengths.0)),
            format!("summaries: {}", encoded.targets.describe(lengths.1)),
        ];
        Ok((Self::of(documents, &encoded.pairs, base.tokenizer()?)?, notes))
    }
}

impl TaskInfo for Summarization {
    fn name(&self) -> String {
        self.benchmark.map_or(OWN, Benchmark::name).to_string()
    }

    fn title(&self) -> String {
        self.benchmark.map_or(OWN, |benchmark| benchmark.row().title).to_string()
    }

    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let learning_rate = match (tuning, scale) {
            // The rate that BART uses for summarization.
            (Tuning::Full, Scale::Paper) => 3e-5,
            (Tuning::Full, Scale::Embedded) => 1e-3,
            (Tuning::Head | Tuning::Adapter(_), Scale::Paper) => 5e-4,
            (Tuning::Head | Tuning::Adapter(_), Scale::Embedded) => 5e-3,
        };
        let row = self.benchmark.map(Benchmark::row);
        let defaults = TrainSettings::default();
        // A step of the paper has 48 examples.
        let (batch_size, gradient_accumulation, epochs) = match scale {
            Scale::Paper => (8, 6, row.map_or(3, |row| row.epochs)),
            Scale::Embedded => (16, 1, 4),
        };
        TrainSettings {
            epochs,
            batch_size,
            gradient_accumulation,
            learning_rate,
            warmup_ratio: row.map_or(defaults.warmup_ratio, |row| row.warmup),
            weight_decay: 0.0,
            ..defaults
        }
    }

    fn scores(&self) -> Vec<Score> {
        let names = (0..4).map(whole_score).chain((0..4).map(cut_score));
        names.map(Score::share).collect()
    }

    fn layers(&self) -> LayerNames {
        LayerNames::BART
    }

    // The head of the model is trained only in full fine-tuning.
    fn methods(&self) -> &'static [&'static str] {
        &["full", "lora-r8", "lora-r16", "b-only-r8", "b-only-r16", "a-only-r8", "a-only-r16"]
    }

    fn max_length(&self) -> Option<usize> {
        self.options.max_source_length
    }

    fn paper(&self, tuning: &Tuning) -> Vec<PaperScore> {
        self.benchmark.map_or_else(Vec::new, |benchmark| paper::scores(benchmark, tuning))
    }

    fn paper_model(&self) -> Option<&'static str> {
        self.benchmark.map(|_| paper::MODEL)
    }
}

impl Task for Summarization {
    const KIND: &'static str = OWN;
    const PEFT_TASK: Option<&'static str> = Some("SEQ_2_SEQ_LM");

    type Options = SummarizationOptions;
    type Model = BartLanguageModel;
    type Data = SummarizationData;
    type Source = Pairs;
    type Objective = PairLoss;
    type Evaluation = SummaryEvaluation;

    fn names() -> Vec<String> {
        Benchmark::ALL.iter().map(|benchmark| benchmark.name()).chain([OWN]).map(String::from).collect()
    }

    fn named(name: &str, options: SummarizationOptions) -> Option<Self> {
        let benchmark = Benchmark::named(name);
        (benchmark.is_some() || name == OWN).then_some(Self { benchmark, options })
    }

    fn options(&self) -> SummarizationOptions {
        self.options.clone()
    }

    fn resolved(self, _scale: Scale) -> Self {
        let Some(row) = self.benchmark.map(Benchmark::row) else { return self };
        let options = self.options;
        let options = SummarizationOptions {
            text: options.text.or(Some(row.text.to_string())),
            summary: options.summary.or(Some(row.summary.to_string())),
            max_source_length: options.max_source_length.or(Some(row.source_length)),
            max_target_length: options.max_target_length.or(Some(row.target_length)),
            num_beams: options.num_beams.or(Some(row.beams)),
            ..options
        };
        Self { options, ..self }
    }

    fn read(&self, files: &Files) -> Result<SummarizationData, TaskError> {
        Ok(self.read_from(self.path(files)?.as_deref())?)
    }

    fn settled(&self, data: &SummarizationData) -> Self {
        let options = self.options.clone();
        let options = SummarizationOptions {
            dev_share: data.drawn.map(|(share, _)| share).or(options.dev_share),
            split_seed: data.drawn.map(|(_, seed)| seed).or(options.split_seed),
            ..options
        };
        Self { options, ..self.clone() }
    }

    fn hold_out(&self, data: SummarizationData, share: f64) -> SummarizationData {
        let (train, mut held) = held_out(&data.train.rows, |_| 0, share);
        held.truncate(self.options.eval_examples.unwrap_or(usize::MAX));
        let dev = Documents { source: data.train.source.clone(), rows: held, empty: Vec::new() };
        SummarizationData { train: Documents { rows: train, ..data.train }, dev, ..data }
    }

    fn describe(&self, data: &SummarizationData) -> Vec<String> {
        let SummarizationData { train, dev, drawn } = data;
        let (train_rows, dev_rows) = (train.rows.len(), dev.rows.len());
        let sets = match drawn {
            Some((share, seed)) => format!(
                "{}: {train_rows} documents to train on and {dev_rows} to evaluate on, {} % drawn with seed {seed}",
                train.source,
                100.0 * share
            ),
            None => {
                format!(
                    "{}: {train_rows} documents to train on; {}: {dev_rows} to evaluate on",
                    train.source, dev.source
                )
            }
        };
        std::iter::once(sets).chain([train, dev].into_iter().filter_map(Documents::describe_empty)).collect()
    }

    fn prepare(&self, data: SummarizationData, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let config = base.checkpoint.config_of::<BartConfig>()?;
        let lengths = self.lengths(config.max_position_embeddings);
        let encoder = Encoder::new(base, config, lengths)?;
        let generation = self.generation(&base.checkpoint.generation_config()?, lengths.1)?;
        let failed = |source| SummarizationError::Generation {
            what: "the settings of the generation".into(),
            source: Box::new(source),
        };
        let search = generation.resolve(1, Some(config.max_position_embeddings), config.vocab_size).map_err(failed)?;
        let (train, dev) = (encoder.encode(&data.train)?, encoder.encode(&data.dev)?);
        let tokenizer = base.tokenizer()?;
        let mut notes = vec![
            format!("documents: {}", train.sources.and(dev.sources).describe(lengths.0)),
            format!("summaries: {}", train.targets.and(dev.targets).describe(lengths.1)),
        ];
        if let (Some(Pair { source, .. }), Some(document)) = (train.pairs.first(), data.train.rows.first()) {
            let shown =
                EncodedExample { input_ids: source.clone(), type_ids: vec![0; source.len()], target: Target::Unknown };
            notes.push(preview(tokenizer, &shown, &format!("`{}`", shortened(&document.summary))));
        }
        notes.push(format!(
            "after the last epoch, {} documents are summarized: {} beams, at most {} tokens; other settings are those of {}",
            dev.pairs.len(),
            search.num_beams,
            search.max_new_tokens + 1,
            generation.path.display()
        ));
        notes.push(data.dev.describe_first());
        if train.pairs.is_empty() || dev.pairs.is_empty() {
            return Err(TrainError::NoExamples.into());
        }
        let loss = PairLoss { smoothing: self.options.label_smoothing.unwrap_or(0.0) };
        let questions = Questions::of(&data.dev, &dev.pairs, tokenizer)?;
        Ok(Prepared {
            train: Arc::new(Pairs::new(train.pairs, config)),
            objective: loss,
            evaluation: SummaryEvaluation {
                dev: Arc::new(Pairs::new(dev.pairs, config)),
                questions: Arc::new(questions),
                loss,
                tokenizer: Arc::new(tokenizer.clone()),
                config: Arc::new(generation),
            },
            notes,
        })
    }

    fn shown(&self, prepared: &Prepared<Self>, base: &Base, index: usize) -> Result<Option<Shown>, TaskError> {
        let Pair { source, target, line } = &prepared.train.all()[index];
        let labeled = source.iter().map(|_| false).chain(target.iter().map(|_| true)).collect();
        let input_ids = [source.as_slice(), target.as_slice()].concat();
        let tokens = base.tokenizer()?.tokens(&input_ids);
        Ok(Some(Shown { line: *line, input_ids, labeled, tokens }))
    }

    fn save_inputs(&self, base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError> {
        save_tokenizer(base, kept, folder)?;
        let own = base.checkpoint.path().join("generation_config.json");
        if kept == Kept::Model && own.is_file() {
            // Without this file, the settings are in config.json, which is saved with the model.
            let bytes = std::fs::read(&own).map_err(TaskError::io(&own))?;
            let path = folder.join("generation_config.json");
            asym_core::write_whole(&path, &bytes).map_err(TaskError::io(&path))?;
        }
        Ok(())
    }
}

impl Documents {
    /// A line on the rows that were left out.
    pub fn describe_empty(&self) -> Option<String> {
        let first = self.empty.first()?;
        let count = self.empty.len();
        Some(format!(
            "{}: rows left out because the document or the summary is empty: {count}, the first in line {first}",
            self.source
        ))
    }
}

/// The number of characters of a document in which its first sentence is searched for.
const FIRST: usize = 4000;

impl Documents {
    /// A line on the scores of a baseline that uses the first sentence of each document as its summary.
    fn describe_first(&self) -> String {
        let rouge = Rouge::default();
        let score = |row: &Document| {
            let text = row.text.char_indices().nth(FIRST).map_or(row.text.as_str(), |(end, _)| &row.text[..end]);
            rouge.score(sentences(text).first().map_or("", |first| first), &row.summary)
        };
        let report =
            RougeReport::new(&self.rows.iter().map(score).collect::<Vec<_>>(), Bootstrap { samples: 0, seed: 0 });
        let means = (0..3).map(|variant| format!("{} {:.1} %", VARIANTS[variant], 100.0 * report.f1(variant).mean));
        format!("the first sentence of a document as its summary: {}", means.collect::<Vec<_>>().join(", "))
    }
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let line: String = text.chars().take(80).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if text.chars().count() > 80 { line + "…" } else { line }
}

impl From<SummarizationError> for TaskError {
    fn from(error: SummarizationError) -> Self {
        Self::task(error)
    }
}
