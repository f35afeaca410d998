//! What a run starts from: a checkpoint with its tokenizer, and data encoded for it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use asym_models::{Checkpoint, EncoderConfig};

use crate::batch::{EncodedExample, Padding};
use crate::error::TaskError;
use crate::glue::{Split, Task};
use crate::tokenizer::{ModelLimits, Tokenizer};

/// A checkpoint and its tokenizer.
#[derive(Debug, Clone)]
pub struct Base {
    name: String,
    /// The weights and their configuration.
    pub checkpoint: Checkpoint,
    config: EncoderConfig,
    /// The tokenizer that belongs to them.
    pub tokenizer: Tokenizer,
}

impl Base {
    /// Open a folder as Hugging Face lays it out.
    ///
    /// # Errors
    ///
    /// A file that is missing or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TaskError> {
        let checkpoint = Checkpoint::open(folder)?;
        Ok(Self {
            name: folder.display().to_string(),
            config: checkpoint.encoder()?.clone(),
            checkpoint,
            tokenizer: Tokenizer::from_folder(folder)?,
        })
    }

    /// A checkpoint that is compiled into the program: `config.json`, `model.safetensors` and `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn from_bytes(
        name: &str,
        config: &str,
        weights: &'static [u8],
        tokenizer: &'static [u8],
    ) -> Result<Self, TaskError> {
        let checkpoint = Checkpoint::from_bytes(name, config, weights)?;
        Ok(Self {
            name: name.to_string(),
            config: checkpoint.encoder()?.clone(),
            checkpoint,
            tokenizer: Tokenizer::from_bytes(&format!("{name}/tokenizer.json"), tokenizer)?,
        })
    }

    /// The same under another name, such as that on the Hub, which adapters then give as their base model.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_string(), ..self }
    }

    /// The folder, or the name of the embedded checkpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BERT's or RoBERTa's configuration: the models that the tasks are for.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// What the model can take.
    pub fn limits(&self) -> ModelLimits {
        let config = &self.config;
        ModelLimits {
            vocab_size: config.vocab_size,
            positions: config.max_length(),
            type_vocab_size: config.type_vocab_size,
            pad_token_id: config.pad_token_id,
        }
    }
}

/// A task's data, encoded for one checkpoint.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The task.
    pub task: Task,
    /// Training examples, in file order.
    pub train: Arc<[EncodedExample]>,
    /// Development examples, one set behind the other, in file order.
    pub dev: Arc<[EncodedExample]>,
    /// Where each development set lies in `dev`.
    pub parts: Vec<Range<usize>>,
    /// How batches of them are filled up.
    pub padding: Padding,
}

impl Prepared {
    /// Encode `split`, cutting each example to `max_length` tokens.
    ///
    /// # Errors
    ///
    /// A tokenizer that does not fit the model, a length that does not, a text that cannot be encoded.
    pub fn new(task: Task, split: &Split, base: &Base, max_length: usize) -> Result<Self, TaskError> {
        let limits = base.limits();
        base.tokenizer.check(&limits, max_length)?;
        let mut dev = Vec::new();
        let mut parts = Vec::new();
        for part in &split.dev {
            let start = dev.len();
            dev.append(&mut base.tokenizer.encode_all(&part.examples, max_length)?);
            parts.push(start..dev.len());
        }
        Ok(Self {
            task,
            train: base.tokenizer.encode_all(&split.train.examples, max_length)?.into(),
            dev: dev.into(),
            parts,
            padding: Padding::from(&limits),
        })
    }
}
