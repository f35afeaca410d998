//! The checkpoints that are compiled into the program, so that the first table needs no download.
//!
//! The `README.md` of each folder in `models/` describes its files and the command that created them.

use asym_models::{BartConfig, EncoderConfig, LlamaConfig, ModelConfig, VitConfig};
use asym_tasks::{Base, TaskError};

/// A checkpoint that is compiled into the program.
#[derive(Debug)]
pub struct Embedded {
    /// The name of the base model in adapters.
    pub name: &'static str,
    /// The family of models that it belongs to.
    family: &'static str,
    config: &'static str,
    weights: &'static [u8],
    inputs: Inputs,
}

/// The file that describes how inputs are prepared.
#[derive(Debug)]
enum Inputs {
    /// `tokenizer.json` and `tokenizer_config.json`.
    Tokenizer(&'static [u8], &'static str),
    /// `preprocessor_config.json`.
    ImageProcessor(&'static str),
}

macro_rules! path {
    ($model:literal, $file:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/models/", $model, "/", $file)
    };
}

macro_rules! tokenizer {
    ($model:literal) => {
        Inputs::Tokenizer(
            include_bytes!(path!($model, "tokenizer.json")),
            include_str!(path!($model, "tokenizer_config.json")),
        )
    };
}

/// The mini RoBERTa, pre-trained on generated text.
pub static ROBERTA_MINI: Embedded = Embedded {
    name: "roberta-mini (embedded)",
    family: EncoderConfig::FAMILY,
    config: include_str!(path!("roberta-mini", "config.json")),
    weights: include_bytes!(path!("roberta-mini", "model.safetensors")),
    inputs: tokenizer!("roberta-mini"),
};

/// The mini ViT, pre-trained on drawn shapes.
pub static VIT_MINI: Embedded = Embedded {
    name: "vit-mini (embedded)",
    family: VitConfig::FAMILY,
    config: include_str!(path!("vit-mini", "config.json")),
    weights: include_bytes!(path!("vit-mini", "model.safetensors")),
    inputs: Inputs::ImageProcessor(include_str!(path!("vit-mini", "preprocessor_config.json"))),
};

/// The mini BART, pre-trained on generated reports.
pub static BART_MINI: Embedded = Embedded {
    name: "bart-mini (embedded)",
    family: BartConfig::FAMILY,
    config: include_str!(path!("bart-mini", "config.json")),
    weights: include_bytes!(path!("bart-mini", "model.safetensors")),
    inputs: tokenizer!("bart-mini"),
};

/// The mini Llama, pre-trained on lines about an invented world.
pub static LLAMA_MINI: Embedded = Embedded {
    name: "llama-mini (embedded)",
    family: LlamaConfig::FAMILY,
    config: include_str!(path!("llama-mini", "config.json")),
    weights: include_bytes!(path!("llama-mini", "model.safetensors")),
    inputs: tokenizer!("llama-mini"),
};

/// All embedded checkpoints.
pub static ALL: [&Embedded; 4] = [&ROBERTA_MINI, &VIT_MINI, &BART_MINI, &LLAMA_MINI];

impl Embedded {
    /// The checkpoint with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|embedded| embedded.name == name)
    }

    /// The checkpoint of this family of models.
    pub fn of_family(family: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|embedded| embedded.family == family)
    }

    /// The weights with their tokenizer or image processor.
    ///
    /// # Errors
    ///
    /// Returns an error if the embedded files are damaged.
    pub fn base(&self) -> Result<Base, TaskError> {
        let base = Base::from_bytes(self.name, self.config, self.weights)?;
        match self.inputs {
            Inputs::Tokenizer(tokenizer, config) => Ok(base.with_tokenizer(tokenizer)?.with_tokenizer_config(config)),
            Inputs::ImageProcessor(config) => base.with_image_processor(config),
        }
    }
}
