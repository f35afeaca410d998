//! GLUE as a [`Task`]: a sequence classifier on one of its data sets.

use std::path::Path;
use std::sync::Arc;

use asym_models::{Padding, SequenceClassifier};
use asym_train::{TrainSettings, Tuning};
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Defaults, Part, Split};
use super::error::GlueError;
use super::{generated, paper, read};
use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::split::held_out;
use crate::task::{Kept, PaperScore, Prepared, Scale, Score, Task, TaskInfo};
use crate::text::{Encoded, Examples, Lengths, Problem, TextEvaluation, TextLoss, encode, preview, save_tokenizer};

/// The seed of the generated data. It is the same for all runs.
pub const DATA_SEED: u64 = 0;

/// A data set of GLUE, on which a sequence classifier is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Glue {
    /// The data set.
    pub dataset: Dataset,
    /// The task's own settings.
    pub options: GlueOptions,
}

/// The settings of GLUE's tasks in a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlueOptions {
    /// The maximum number of tokens of an example, including special tokens. Longer examples are truncated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}

impl From<Dataset> for Glue {
    fn from(dataset: Dataset) -> Self {
        Self { dataset, options: GlueOptions::default() }
    }
}

impl Glue {
    fn row_defaults(&self, scale: Scale) -> &'static Defaults {
        let row = self.dataset.row();
        match scale {
            Scale::Paper => &row.paper,
            Scale::Embedded => &row.mini,
        }
    }
}

impl TaskInfo for Glue {
    fn name(&self) -> String {
        self.dataset.name().to_string()
    }

    fn title(&self) -> String {
        self.dataset.row().title.to_string()
    }

    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let defaults = self.row_defaults(scale);
        TrainSettings {
            epochs: defaults.epochs,
            batch_size: defaults.batch_size,
            learning_rate: match tuning {
                Tuning::Full => defaults.full_learning_rate,
                Tuning::Head | Tuning::Adapter(_) => defaults.learning_rate,
            },
            weight_decay: defaults.weight_decay,
            ..TrainSettings::default()
        }
    }

    fn scores(&self) -> Vec<Score> {
        self.dataset.scores().iter().map(Score::share).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.dataset.row().answers.names().iter().map(ToString::to_string).collect()
    }

    fn outputs(&self) -> Option<usize> {
        Some(self.dataset.outputs())
    }

    fn problem(&self) -> Option<Problem> {
        Some(self.dataset.row().answers.problem())
    }

    fn is_pair(&self) -> Option<bool> {
        Some(self.dataset.is_pair())
    }

    fn max_length(&self) -> Option<usize> {
        self.options.max_length
    }

    fn paper(&self, tuning: &Tuning) -> Vec<PaperScore> {
        paper::score(self.dataset, tuning).into_iter().collect()
    }

    fn paper_model(&self) -> Option<&'static str> {
        Some(paper::MODEL)
    }
}

impl Task for Glue {
    const KIND: &'static str = "glue";
    const PEFT_TASK: Option<&'static str> = Some("SEQ_CLS");

    type Options = GlueOptions;
    type Model = SequenceClassifier;
    type Data = Split;
    type Source = Examples;
    type Objective = TextLoss;
    type Evaluation = TextEvaluation;

    fn names() -> Vec<String> {
        Dataset::ALL.iter().map(|dataset| dataset.name().to_string()).collect()
    }

    fn named(name: &str, options: GlueOptions) -> Option<Self> {
        Some(Self { dataset: Dataset::named(name)?, options })
    }

    fn options(&self) -> GlueOptions {
        self.options.clone()
    }

    fn resolved(self, scale: Scale) -> Self {
        let max_length = self.options.max_length.unwrap_or(self.row_defaults(scale).max_length);
        Self { options: GlueOptions { max_length: Some(max_length) }, ..self }
    }

    fn read(&self, files: &Files) -> Result<Split, TaskError> {
        match files.folder(&|path| self.dataset.is_hub_file(path, false))? {
            Some(folder) => Ok(read(self.dataset, &folder)?),
            None => Ok(generated(self.dataset, DATA_SEED)),
        }
    }

    fn hold_out(&self, Split { train, dev }: Split, share: f64) -> Split {
        let (rest, held) = held_out(&train.examples, |example| example.target.group(), share);
        // Each of MNLI's development sets has its own scores, so each set is replaced.
        let part = |part: Part| Part { source: train.source.clone(), examples: held.clone(), ..part };
        let dev = dev.into_iter().map(part).collect();
        Split { dev, train: Part { examples: rest, ..train } }
    }

    fn describe(&self, Split { train, dev }: &Split) -> Vec<String> {
        let sets: Vec<String> =
            dev.iter().map(|part| format!("{} to evaluate on ({})", part.examples.len(), part.source)).collect();
        let title = self.title();
        vec![format!("{title}: {} training examples ({}), {}", train.examples.len(), train.source, sets.join(", "))]
    }

    fn prepare(&self, data: Split, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let limits = base.limits()?;
        let tokenizer = base.tokenizer()?;
        let max_length = self.options.max_length.unwrap_or(limits.positions);
        tokenizer.check(&limits, max_length)?;
        let encode = |part: &Part| encode(tokenizer, &part.source, &part.examples, max_length).map_err(GlueError::from);
        let train = encode(&data.train)?;
        let (mut dev, mut parts, mut lengths) = (Vec::new(), Vec::new(), Lengths::default());
        for part in &data.dev {
            let start = dev.len();
            let Encoded { examples, lengths: own } = encode(part)?;
            dev.extend(examples);
            lengths = lengths.and(own);
            parts.push(start..dev.len());
        }
        let mut notes = vec![train.lengths.and(lengths).describe(max_length)];
        if let (Some(encoded), Some(example)) = (train.examples.first(), data.train.examples.first()) {
            notes.push(preview(tokenizer, encoded, &self.dataset.row().answers.spell(&example.target)));
        }
        let (padding, outputs) = (Padding::from(base.encoder()?), self.dataset.outputs());
        Ok(Prepared {
            train: Arc::new(Examples::new(train.examples, padding, outputs)),
            objective: TextLoss,
            evaluation: TextEvaluation {
                dev: Arc::new(Examples::new(dev, padding, outputs)),
                parts,
                problem: self.dataset.row().answers.problem(),
                scores: self.dataset.scores(),
                constant: asym_train::Scores::new(),
            },
            notes,
        })
    }

    fn save_inputs(&self, base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError> {
        save_tokenizer(base, kept, folder)
    }

    fn label(&self, model: SequenceClassifier) -> SequenceClassifier {
        model.with_labels(self.dataset.row().answers.names())
    }
}

impl From<GlueError> for TaskError {
    fn from(error: GlueError) -> Self {
        Self::task(error)
    }
}
