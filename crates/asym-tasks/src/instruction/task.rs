//! Instructions as a [`Task`].

use std::path::Path;
use std::sync::Arc;

use asym_data::TokenizerError;
use asym_models::{LlamaConfig, LlamaLanguageModel};
use asym_train::{TrainSettings, Tuning};

use super::encode::{Encoded, Encoder};
use super::error::InstructionError;
use super::files::{self, Layout, Rows};
use super::knowledge::{self, CHOICE, GENERATED, INVENTED, InstructionEvaluation, LETTERS, Quiz};
use super::options::{InstructionOptions, LossOn, TooLong, Unlabeled};
use super::paper;
use super::template::Template;
use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::language::{LOSS, LanguageEvaluation, LanguageExamples, LanguageLoss, PERPLEXITY};
use crate::methods::LayerNames;
use crate::mmlu::Asked;
use crate::sets;
use crate::split::{held_out, split};
use crate::task::{Kept, PaperScore, Prepared, Scale, Score, Shown, Task, TaskInfo};
use crate::text::save_tokenizer;

/// The name of the task for a user's own data.
const OWN: &str = "instruction";
/// The name of the task for Alpaca's data.
const ALPACA: &str = "alpaca";

/// The default maximum number of tokens of a text, as in Stanford's Alpaca. It is lower for a model that supports fewer tokens.
const MAX_LENGTH: usize = 512;

/// The default share of the rows that is held out for the evaluation. A small share is enough to estimate the loss, and leaves
/// more rows for training.
const DEV_SHARE: f64 = 0.05;

/// Instructions with answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instruction {
    /// Whether the data are Alpaca's.
    pub alpaca: bool,
    /// The task's own settings.
    pub options: InstructionOptions,
}

/// The rows of the training set and of the evaluation set.
#[derive(Clone, Debug, PartialEq)]
pub struct InstructionData {
    /// The columns that were found.
    pub layout: Layout,
    /// The training set.
    pub train: Rows,
    /// The evaluation set.
    pub dev: Rows,
    /// The share and the seed of the split, if there is no separate evaluation set.
    drawn: Option<(f64, u64)>,
    /// The value of the setting `mmlu`, and its questions.
    mmlu: Option<(String, Asked)>,
    /// The template that is used if the recipe sets none.
    template: &'static str,
}

impl Instruction {
    /// Read the training set and the evaluation set at `path`, or the rows about the invented world if there is no path.
    ///
    /// # Errors
    ///
    /// All errors of [`InstructionError`].
    fn read_from(&self, path: Option<&Path>) -> Result<InstructionData, InstructionError> {
        let options = &self.options;
        let (share, seed) = (options.dev_share.unwrap_or(DEV_SHARE), options.split_seed.unwrap_or_default());
        if !(share > 0.0 && share < 1.0) {
            let (setting, expected) = ("dev_share", "above 0 and below 1".to_owned());
            return Err(InstructionError::Setting { setting, found: share.to_string(), expected });
        }
        // An invalid template is rejected before a large file is read.
        options.template.as_deref().map(Template::named).transpose()?;
        let (layout, train, dev) = match path {
            Some(path) => files::read(path, options)?,
            None => files::invented(),
        };
        if train.samples.len() < 2 && dev.is_none() {
            return Err(InstructionError::TooFewRows { path: train.source, rows: train.samples.len() });
        }
        let mmlu = options.mmlu.clone().or_else(|| path.is_none().then(|| INVENTED.to_owned()));
        let mmlu = mmlu.map(|setting| knowledge::asked(&setting).map(|asked| (setting, asked))).transpose()?;
        let template = match layout {
            _ if path.is_none() => files::INVENTED_TEMPLATE,
            Layout::Instruction { .. } => "stanford",
            Layout::Prompt { .. } => "plain",
            Layout::Messages { .. } => "chat",
        };
        let data = match dev {
            Some(dev) => InstructionData { layout, train, dev, drawn: None, mmlu, template },
            None => {
                let (train_at, dev_at) = split(&vec![0; train.samples.len()], share, seed);
                let chosen = |at: Vec<usize>| Rows {
                    source: train.source.clone(),
                    samples: at.into_iter().map(|at| train.samples[at].clone()).collect(),
                };
                let (train, dev) = (chosen(train_at), chosen(dev_at));
                InstructionData { layout, train, dev, drawn: Some((share, seed)), mmlu, template }
            }
        };
        let template = self.template(&data);
        match (&data.layout, template.as_str()) {
            (Layout::Messages { .. }, "chat") => Ok(data),
            (Layout::Messages { messages }, _) => {
                Err(InstructionError::NeedsChat { column: messages.clone(), template })
            }
            _ => Ok(data),
        }
    }

    /// The template of the recipe, or the default template of the data.
    fn template(&self, data: &InstructionData) -> String {
        self.options.template.clone().unwrap_or_else(|| data.template.to_owned())
    }
}

impl TaskInfo for Instruction {
    fn name(&self) -> String {
        if self.alpaca { ALPACA } else { OWN }.to_string()
    }

    fn title(&self) -> String {
        if self.alpaca { "Alpaca" } else { OWN }.to_string()
    }

    /// The settings of alpaca-lora for adapters and of Stanford for full fine-tuning, except for the schedule, which
    /// decays linearly.
    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let (epochs, gradient_accumulation) = match scale {
            Scale::Embedded => (2, 1),
            Scale::Paper if self.alpaca => (3, 16),
            Scale::Paper => (3, 1),
        };
        TrainSettings {
            epochs,
            batch_size: 8,
            gradient_accumulation,
            learning_rate: match (tuning, scale) {
                (Tuning::Full, Scale::Paper) => 2e-5,
                (Tuning::Full, Scale::Embedded) => 1e-3,
                (Tuning::Head | Tuning::Adapter(_), Scale::Paper) => 3e-4,
                (Tuning::Head | Tuning::Adapter(_), Scale::Embedded) => 5e-3,
            },
            warmup_ratio: 0.03,
            weight_decay: 0.0,
            ..TrainSettings::default()
        }
    }

    fn scores(&self) -> Vec<Score> {
        let asked = self.options.mmlu.as_ref().map(|_| [GENERATED, CHOICE, LETTERS].map(Score::share));
        asked.into_iter().flatten().chain([LOSS, PERPLEXITY].map(Score::cost)).collect()
    }

    fn layers(&self) -> LayerNames {
        LayerNames::LLAMA
    }

    fn methods(&self) -> &'static [&'static str] {
        &["full", "lora-r32", "b-only-r32", "a-only-r32"]
    }

    fn max_length(&self) -> Option<usize> {
        self.options.max_length
    }

    /// The paper's scores on MMLU, with generated answers.
    fn paper(&self, tuning: &Tuning) -> Vec<PaperScore> {
        if self.alpaca { paper::scores(tuning) } else { Vec::new() }
    }

    /// The paper has no scores of the training itself, so a table shows the paper's scores only if MMLU is evaluated.
    fn paper_model(&self) -> Option<&'static str> {
        (self.alpaca && self.options.mmlu.is_some()).then_some(paper::MODEL)
    }
}

impl Task for Instruction {
    const KIND: &'static str = "instruction";
    const PEFT_TASK: Option<&'static str> = Some("CAUSAL_LM");

    type Options = InstructionOptions;
    type Model = LlamaLanguageModel;
    type Data = InstructionData;
    type Source = LanguageExamples;
    type Objective = LanguageLoss;
    type Evaluation = InstructionEvaluation;

    fn names() -> Vec<String> {
        [ALPACA, OWN].map(String::from).to_vec()
    }

    fn named(name: &str, options: InstructionOptions) -> Option<Self> {
        [ALPACA, OWN].contains(&name).then_some(Self { alpaca: name == ALPACA, options })
    }

    fn options(&self) -> InstructionOptions {
        self.options.clone()
    }

    fn resolved(self, _scale: Scale) -> Self {
        let options = self.options;
        // A few of Alpaca's 52 002 rows lose their answer when texts are truncated. A user's own rows must not be dropped
        // unnoticed.
        let unlabeled = if self.alpaca { Unlabeled::Drop } else { Unlabeled::Refuse };
        let options = InstructionOptions {
            loss: options.loss.or(Some(LossOn::default())),
            too_long: options.too_long.or(Some(TooLong::default())),
            unlabeled: options.unlabeled.or(Some(unlabeled)),
            ..options
        };
        Self { options, ..self }
    }

    fn read(&self, files: &Files) -> Result<InstructionData, TaskError> {
        Ok(self.read_from(files.folder(&sets::is_table)?.as_deref())?)
    }

    fn settled(&self, data: &InstructionData) -> Self {
        let template = self.template(data);
        let mut options = InstructionOptions {
            eos: self.options.eos.or(Some(template != "chat")),
            template: Some(template),
            mmlu: data.mmlu.as_ref().map(|(setting, _)| setting.clone()),
            dev_share: data.drawn.map(|(share, _)| share).or(self.options.dev_share),
            split_seed: data.drawn.map(|(_, seed)| seed).or(self.options.split_seed),
            ..self.options.clone()
        };
        match data.layout.clone() {
            Layout::Instruction { instruction, input, output } => {
                (options.instruction, options.input, options.output) = (Some(instruction), input, Some(output));
            }
            Layout::Prompt { prompt, completion } => {
                (options.prompt, options.completion) = (Some(prompt), Some(completion));
            }
            Layout::Messages { messages } => options.messages = Some(messages),
        }
        Self { options, ..self.clone() }
    }

    fn hold_out(&self, data: InstructionData, share: f64) -> InstructionData {
        let (train, held) = held_out(&data.train.samples, |_| 0, share);
        let dev = Rows { source: data.train.source.clone(), samples: held };
        // The questions of a benchmark are not used to choose settings.
        InstructionData { train: Rows { samples: train, ..data.train }, dev, mmlu: None, ..data }
    }

    fn describe(&self, data: &InstructionData) -> Vec<String> {
        let (train, dev) = (data.train.samples.len(), data.dev.samples.len());
        let mut lines = vec![match data.drawn {
            Some((share, seed)) => format!(
                "{}: {} rows; {train} to train on and {dev} to evaluate on, {} % drawn with seed {seed}",
                data.train.source,
                train + dev,
                100.0 * share
            ),
            None => {
                format!("{}: {train} rows to train on; {}: {dev} to evaluate on", data.train.source, data.dev.source)
            }
        }];
        let columns = data.layout.columns().join(", ");
        let loss = match self.options.loss.unwrap_or_default() {
            LossOn::Answer => "the loss is computed on the tokens of the answers",
            LossOn::All => "the loss is computed on all tokens",
        };
        let template = self.template(data).replace('\n', "\\n");
        lines.push(format!("columns {columns}; template {template}; {loss}"));
        let empty = |rows: &Rows| rows.samples.iter().filter(|sample| sample.content.has_empty_answer()).count();
        let empty = empty(&data.train) + empty(&data.dev);
        if empty > 0 {
            lines.push(format!("rows with an empty answer, for which the model learns to generate nothing: {empty}"));
        }
        lines
    }

    fn prepare(&self, data: InstructionData, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let options = &self.options;
        let positions = base.limits()?.positions;
        let max_length = options.max_length.unwrap_or(MAX_LENGTH.min(positions));
        if max_length > positions {
            return Err(TokenizerError::MaxLengthTooLarge { max_length, positions }.into());
        }
        // A labeled token needs a token before it.
        if max_length < 2 {
            return Err(TokenizerError::MaxLengthTooSmall { max_length, minimum: 2 }.into());
        }
        let name = self.template(&data);
        let template = Template::named(&name)?;
        let model = || base.name().to_owned();
        let chat = match template {
            Template::Chat => {
                Some(base.chat_template()?.ok_or_else(|| InstructionError::NoChatTemplate { model: model() })?)
            }
            Template::Prompt(_) => None,
        };
        let end = if options.eos.unwrap_or(chat.is_none()) {
            Some(base.end_of_text()?.ok_or_else(|| InstructionError::NoEnd { model: model() })?)
        } else {
            None
        };
        let tokenizer = base.language_tokenizer()?;
        let encoder = Encoder {
            tokenizer: tokenizer.with_places()?,
            template: &template,
            chat: chat.as_ref(),
            loss: options.loss.unwrap_or_default(),
            end,
            max_length,
            too_long: options.too_long.unwrap_or_default(),
            unlabeled: options.unlabeled.unwrap_or_default(),
        };
        let (train, dev) = (encoder.encode(&data.train)?, encoder.encode(&data.dev)?);
        let mut notes = vec![train.lengths.and(dev.lengths).describe(max_length)];
        let beginning = encoder.tokenizer.beginning();
        notes.extend(train.describe("training", &beginning));
        notes.extend(dev.describe("evaluation", &beginning));
        let ends = end.map(|end| tokenizer.tokens(&[end]).concat());
        notes.push(match ends {
            Some(end) => format!("each text ends with {end}, unless it is cut"),
            None => "no end-of-text token is appended".to_owned(),
        });
        let quiz = data.mmlu.map(|(_, asked)| Quiz::new(asked, base)).transpose()?;
        notes.extend(quiz.as_ref().map(Quiz::describe));
        // Padding is masked, so any id is valid.
        let pad_id = base.checkpoint.config_of::<LlamaConfig>()?.pad_token_id.unwrap_or_default();
        let examples = |set: Encoded| Arc::new(LanguageExamples::new(set.examples, pad_id));
        Ok(Prepared {
            train: examples(train),
            objective: LanguageLoss,
            evaluation: InstructionEvaluation::new(LanguageEvaluation { dev: examples(dev) }, quiz),
            notes,
        })
    }

    fn shown(&self, prepared: &Prepared<Self>, base: &Base, index: usize) -> Result<Option<Shown>, TaskError> {
        let example = prepared.train.all()[index].clone();
        let tokens = base.language_tokenizer()?.tokens(&example.input_ids);
        Ok(Some(Shown { line: example.line, input_ids: example.input_ids, labeled: example.labeled, tokens }))
    }

    fn save_inputs(&self, base: &Base, kept: Kept, folder: &Path) -> Result<(), TaskError> {
        save_tokenizer(base, kept, folder)?;
        if kept == Kept::Model { base.save_language_files(folder) } else { Ok(()) }
    }
}

impl From<InstructionError> for TaskError {
    fn from(error: InstructionError) -> Self {
        Self::task(error)
    }
}
