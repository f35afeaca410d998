//! A user's own data as a [`Task`].

use std::path::Path;
use std::sync::Arc;

use asym_data::Tokenizer;
use asym_models::{Padding, SequenceClassifier};
use asym_train::{Scores, TrainError, TrainSettings, Tuning};

use super::error::ClassificationError;
use super::files::{self, Named, Rows};
use super::labels::Labels;
use super::options::ClassificationOptions;
use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::metrics::Metric;
use crate::sets;
use crate::split::{DEV_SHARE, held_out, split};
use crate::task::{Kept, Prepared, Scale, Score, Task, TaskInfo};
use crate::text::{
    Example, Examples, Problem, Target, TextEvaluation, TextLoss, TextScore, encode, preview, save_tokenizer,
};

/// The default maximum number of tokens of an example. It is lower for a model that supports fewer tokens.
const MAX_LENGTH: usize = 256;

/// The accuracy of always predicting the most frequent label of the training set, as a score next to the model's
/// scores.
const MAJORITY: &str = "majority";

/// Labels are imbalanced if one of them has at least this many times the examples of another.
const IMBALANCE: usize = 10;

/// A user's own texts with labels, on which a sequence classifier is trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classification {
    /// The task's own settings.
    pub options: ClassificationOptions,
}

/// The examples of the training set and of the evaluation set, and the meaning of their answers.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationData {
    /// The kind of answers, and the names of the labels.
    pub labels: Labels,
    /// The training set.
    pub train: Vec<Example>,
    /// The evaluation set.
    pub dev: Vec<Example>,
    /// The files of the training set and of the evaluation set, for messages.
    sources: [String; 2],
    /// The share and the seed of the split, if there is no separate evaluation set.
    drawn: Option<(f64, u64)>,
}

impl Classification {
    fn metrics(&self) -> &'static [Metric] {
        match self.options.problem_type.unwrap_or_default() {
            Problem::Classes => &[Metric::Accuracy, Metric::MacroF1],
            Problem::Score => &[Metric::Pearson, Metric::Spearman],
            Problem::Labels => &[Metric::MicroF1, Metric::MacroF1, Metric::Accuracy],
        }
    }

    fn has_majority(&self) -> bool {
        self.options.problem_type.unwrap_or_default() == Problem::Classes
    }

    fn split(&self) -> (f64, u64) {
        (self.options.dev_share.unwrap_or(DEV_SHARE), self.options.split_seed.unwrap_or_default())
    }

    /// Read the training set and the evaluation set at `path`.
    ///
    /// # Errors
    ///
    /// All errors of [`ClassificationError`].
    fn read_from(&self, path: &Path) -> Result<ClassificationData, ClassificationError> {
        let (share, seed) = self.split();
        if !(share > 0.0 && share < 1.0) {
            let (setting, expected) = ("dev_share", "above 0 and below 1");
            return Err(ClassificationError::Setting { setting, found: share.to_string(), expected });
        }
        let options = &self.options;
        let named = Named::of(options)?;
        let (train, dev) = files::read(path, &named, options)?;
        if train.rows.len() < 2 && dev.is_none() {
            return Err(ClassificationError::TooFewRows { path: train.source, rows: train.rows.len() });
        }
        let labels = Labels::of(&train, &named, options)?;
        let examples = |Rows { source, rows }: &Rows| -> Result<Vec<Example>, ClassificationError> {
            let example = |raw: &files::Raw| {
                let target = labels.target(source, raw, &named, options)?;
                Ok(Example { first: raw.first.clone(), second: raw.second.clone(), target, line: raw.line })
            };
            rows.iter().map(example).collect()
        };
        let all = examples(&train)?;
        let (drawn, sets, sources) = match &dev {
            Some(dev) => (None, (all, examples(dev)?), [train.source, dev.source.clone()]),
            None => {
                let groups: Vec<usize> = all.iter().map(|example| example.target.group()).collect();
                let (train_at, dev_at) = split(&groups, share, seed);
                let chosen = |at: Vec<usize>| at.into_iter().map(|at| all[at].clone()).collect::<Vec<_>>();
                (Some((share, seed)), (chosen(train_at), chosen(dev_at)), [train.source.clone(), train.source])
            }
        };
        Ok(ClassificationData { labels, train: sets.0, dev: sets.1, sources, drawn })
    }
}

impl ClassificationData {
    /// The number of training examples with each label.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.labels.names.len()];
        for example in &self.train {
            match &example.target {
                Target::Class(class) => counts[*class] += 1,
                Target::Labels(labels) => labels.iter().for_each(|label| counts[*label] += 1),
                Target::Score(_) | Target::Unknown => {}
            }
        }
        counts
    }

    /// The most frequent class of the training set, and its share of the evaluation set.
    fn majority(&self) -> Option<(usize, f64)> {
        let counts = self.counts();
        // If several classes are equally frequent, the first one is chosen.
        let class = (0..counts.len()).rev().max_by_key(|class| counts[*class])?;
        let hits = self.dev.iter().filter(|example| example.target == Target::Class(class)).count();
        Some((class, hits as f64 / self.dev.len().max(1) as f64))
    }

    fn spell(&self, target: &Target) -> String {
        let name = |label: &usize| self.labels.names.get(*label).cloned().unwrap_or_default();
        match target {
            Target::Class(class) => name(class),
            Target::Score(score) => score.to_string(),
            Target::Labels(labels) if labels.is_empty() => "no label".to_string(),
            Target::Labels(labels) => labels.iter().map(name).collect::<Vec<_>>().join(", "),
            Target::Unknown => "unknown".to_string(),
        }
    }

    fn describe_answers(&self) -> Vec<String> {
        let count = self.train.len().max(1);
        if self.labels.problem == Problem::Score {
            let scores = || {
                self.train.iter().filter_map(|example| match example.target {
                    Target::Score(score) => Some(f64::from(score)),
                    _ => None,
                })
            };
            let mean = scores().sum::<f64>() / count as f64;
            let deviation = (scores().map(|score| (score - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
            let (least, most) = (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
            let mut lines = vec![format!(
                "scores in training: {least} to {most}, mean {mean:.3}, standard deviation {deviation:.3}"
            )];
            if deviation > 10.0 || mean.abs() > 10.0 {
                lines.push(
                    "the scores are far from 0 and 1, but a new head starts near 0: scale the scores, or train longer"
                        .to_string(),
                );
            }
            return lines;
        }
        let counts = self.counts();
        let share = |number: usize| format!("{number} ({:.1} %)", 100.0 * number as f64 / count as f64);
        let each = self.labels.names.iter().zip(&counts).map(|(name, number)| format!("{name}: {}", share(*number)));
        let mut lines = vec![format!("labels in training: {}", each.collect::<Vec<_>>().join(", "))];
        let least = counts.iter().min().copied().unwrap_or_default();
        let most = counts.iter().max().copied().unwrap_or_default();
        if most >= IMBALANCE * least.max(1) {
            let rare = counts.iter().position(|number| *number == least).unwrap_or_default();
            let often = counts.iter().position(|number| *number == most).unwrap_or_default();
            let (rare, often) = (&self.labels.names[rare], &self.labels.names[often]);
            lines.push(format!(
                "the labels are imbalanced: {often} has {most} examples, {rare} has {least}; macro_f1 weights all labels equally"
            ));
        }
        if let Some((class, share)) = self.majority().filter(|_| self.labels.problem == Problem::Classes) {
            let name = &self.labels.names[class];
            lines.push(format!(
                "the most frequent answer, {name}, is correct for {:.1} % of the evaluation examples; compare the accuracy \
                with this value",
                100.0 * share
            ));
        }
        lines
    }
}

impl TaskInfo for Classification {
    fn name(&self) -> String {
        Self::KIND.to_string()
    }

    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let (learning_rate, full) = match scale {
            Scale::Paper => (5e-4, 2e-5),
            Scale::Embedded => (3e-3, 5e-4),
        };
        TrainSettings {
            epochs: 3,
            batch_size: 16,
            learning_rate: match tuning {
                Tuning::Full => full,
                Tuning::Head | Tuning::Adapter(_) => learning_rate,
            },
            ..TrainSettings::default()
        }
    }

    fn scores(&self) -> Vec<Score> {
        let names = self.metrics().iter().map(ToString::to_string);
        let majority = self.has_majority().then(|| MAJORITY.to_string());
        names.chain(majority).map(Score::share).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.options.labels.clone().unwrap_or_default()
    }

    fn outputs(&self) -> Option<usize> {
        match self.options.problem_type? {
            Problem::Score => Some(1),
            Problem::Classes | Problem::Labels => self.options.labels.as_ref().map(Vec::len),
        }
    }

    fn problem(&self) -> Option<Problem> {
        Some(self.options.problem_type.unwrap_or_default())
    }

    fn is_pair(&self) -> Option<bool> {
        Some(self.options.pair.is_some())
    }

    fn max_length(&self) -> Option<usize> {
        self.options.max_length
    }
}

impl Task for Classification {
    const KIND: &'static str = "classification";
    const PEFT_TASK: Option<&'static str> = Some("SEQ_CLS");

    type Options = ClassificationOptions;
    type Model = SequenceClassifier;
    type Data = ClassificationData;
    type Source = Examples;
    type Objective = TextLoss;
    type Evaluation = TextEvaluation;

    fn names() -> Vec<String> {
        vec![Self::KIND.to_string()]
    }

    fn named(name: &str, options: ClassificationOptions) -> Option<Self> {
        (name == Self::KIND).then_some(Self { options })
    }

    fn options(&self) -> ClassificationOptions {
        self.options.clone()
    }

    fn resolved(self, _scale: Scale) -> Self {
        self
    }

    fn read(&self, files: &Files) -> Result<ClassificationData, TaskError> {
        let missing = ClassificationError::Missing {
            setting: "data",
            how: "name a file or a folder with --data, or with `data` in the recipe",
        };
        let path = files.folder(&sets::is_table)?.ok_or(missing)?;
        Ok(self.read_from(&path)?)
    }

    fn settled(&self, data: &ClassificationData) -> Self {
        let Labels { problem, names } = &data.labels;
        let labels = (*problem != Problem::Score).then(|| names.clone());
        let drawn = data.drawn;
        Self {
            options: ClassificationOptions {
                problem_type: Some(*problem),
                labels,
                dev_share: drawn.map(|(share, _)| share).or(self.options.dev_share),
                split_seed: drawn.map(|(_, seed)| seed).or(self.options.split_seed),
                ..self.options.clone()
            },
        }
    }

    fn hold_out(&self, data: ClassificationData, share: f64) -> ClassificationData {
        let (train, dev) = held_out(&data.train, |example| example.target.group(), share);
        let sources = [data.sources[0].clone(), data.sources[0].clone()];
        ClassificationData { train, dev, sources, ..data }
    }

    fn describe(&self, data: &ClassificationData) -> Vec<String> {
        let (train, dev) = (data.train.len(), data.dev.len());
        let [train_source, dev_source] = &data.sources;
        let sets = match data.drawn {
            Some((share, seed)) => format!(
                "{train_source}: {} rows; {train} to train on and {dev} to evaluate on, {} % of each label drawn with seed {seed}",
                train + dev,
                100.0 * share
            ),
            None => format!("{train_source}: {train} rows to train on; {dev_source}: {dev} to evaluate on"),
        };
        std::iter::once(sets).chain(data.describe_answers()).collect()
    }

    fn prepare(&self, data: ClassificationData, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let limits = base.limits()?;
        let tokenizer: &Tokenizer = base.tokenizer()?;
        let max_length = self.options.max_length.unwrap_or(MAX_LENGTH.min(limits.positions));
        tokenizer.check(&limits, max_length)?;
        let [train_source, dev_source] = &data.sources;
        let encode = |source: &str, examples: &[Example]| {
            encode(tokenizer, source, examples, max_length).map_err(ClassificationError::from)
        };
        let (train, dev) = (encode(train_source, &data.train)?, encode(dev_source, &data.dev)?);
        let mut notes = vec![train.lengths.and(dev.lengths).describe(max_length)];
        if let (Some(encoded), Some(example)) = (train.examples.first(), data.train.first()) {
            notes.push(preview(tokenizer, encoded, &data.spell(&example.target)));
        }
        let majority = data.majority().filter(|_| self.has_majority()).map(|(_, share)| (MAJORITY.to_string(), share));
        let (padding, outputs) = (Padding::from(base.encoder()?), data.labels.outputs());
        if dev.examples.is_empty() {
            return Err(TrainError::NoExamples.into());
        }
        Ok(Prepared {
            train: Arc::new(Examples::new(train.examples, padding, outputs)),
            objective: TextLoss,
            evaluation: TextEvaluation {
                parts: std::iter::once(0..dev.examples.len()).collect(),
                dev: Arc::new(Examples::new(dev.examples, padding, outputs)),
                problem: data.labels.problem,
                scores: self.metrics().iter().map(|metric| TextScore { metric: *metric, part: None }).collect(),
                constant: majority.into_iter().collect::<Scores>(),
            },
            notes,
        })
    }

    fn save_inputs(&self, base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError> {
        save_tokenizer(base, kept, folder)
    }

    fn label(&self, model: SequenceClassifier) -> SequenceClassifier {
        let labels = self.labels();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let model = if labels.is_empty() { model } else { model.with_labels(&labels) };
        model.with_problem_type(self.options.problem_type.unwrap_or_default().name())
    }
}

impl From<ClassificationError> for TaskError {
    fn from(error: ClassificationError) -> Self {
        Self::task(error)
    }
}
