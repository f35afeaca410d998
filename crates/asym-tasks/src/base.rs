//! The model that runs start from: a checkpoint with its tokenizer or image processor.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use asym_data::tokenizer::special_tokens;
use asym_data::{ChatTemplate, ImageProcessor, ModelLimits, Tokenizer};
use asym_models::{Checkpoint, Config, EncoderConfig, Loaded, PretrainedModel};
use asym_train::Dtype;
use burn::tensor::Device;

use crate::error::TaskError;

/// The files with settings of the tokenizer. Without them, transformers sets some tokenizers up differently.
const TOKENIZER_FILES: [&str; 2] = [TOKENIZER_CONFIG, "special_tokens_map.json"];
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The files that a model that generates text may have in addition.
const LANGUAGE_FILES: [&str; 2] = ["chat_template.jinja", "generation_config.json"];

/// A checkpoint with its tokenizer and other files.
///
/// Its weights are read once for each model type and dtype; see [`load`](Self::load).
#[derive(Debug)]
pub struct Base {
    name: String,
    folder: Option<PathBuf>,
    /// The weights and their configuration.
    pub checkpoint: Checkpoint,
    tokenizer: OnceLock<Tokenizer>,
    /// The text of the tokenizer's settings of a checkpoint without a folder.
    tokenizer_config: Option<String>,
    /// The image processor of a checkpoint without a folder.
    image_processor: Option<ImageProcessor>,
    /// A `Loaded<M>` for each model type `M` and each dtype that was requested.
    models: Mutex<HashMap<(TypeId, Dtype), Box<dyn Any + Send>>>,
}

impl Base {
    /// Open a folder in the layout of Hugging Face. The tokenizer and the image processor are read when they are first used.
    ///
    /// # Errors
    ///
    /// A file that is missing or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TaskError> {
        let name = folder.display().to_string();
        Ok(Self::new(name, Some(folder.to_path_buf()), Checkpoint::open(folder)?))
    }

    /// A checkpoint that is compiled into the program: `config.json` and `model.safetensors`. It has neither tokenizer nor image
    /// processor until one is added.
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    pub fn from_bytes(name: &str, config: &str, weights: &'static [u8]) -> Result<Self, TaskError> {
        Ok(Self::new(name.to_string(), None, Checkpoint::from_bytes(name, config, weights)?))
    }

    /// Add the settings of a tokenizer, the text of a `tokenizer_config.json`. They are only saved, for other programs.
    pub fn with_tokenizer_config(self, config: &str) -> Self {
        Self { tokenizer_config: Some(config.to_string()), ..self }
    }

    /// Add a tokenizer from the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// A tokenizer that cannot be read.
    pub fn with_tokenizer(self, tokenizer: &[u8]) -> Result<Self, TaskError> {
        let tokenizer = Tokenizer::from_bytes(&format!("{}/tokenizer.json", self.name), tokenizer)?;
        Ok(Self { tokenizer: OnceLock::from(tokenizer), ..self })
    }

    /// Add an image processor from the text of a `preprocessor_config.json`.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be read.
    pub fn with_image_processor(self, config: &str) -> Result<Self, TaskError> {
        let processor = ImageProcessor::from_json(&format!("{}/preprocessor_config.json", self.name), config)?;
        Ok(Self { image_processor: Some(processor), ..self })
    }

    fn new(name: String, folder: Option<PathBuf>, checkpoint: Checkpoint) -> Self {
        Self {
            name,
            folder,
            checkpoint,
            tokenizer: OnceLock::new(),
            tokenizer_config: None,
            image_processor: None,
            models: Mutex::default(),
        }
    }

    /// Change the name, for example to the name on the Hub. Saved adapters record this name as their base model.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_string(), ..self }
    }

    /// The folder, or the name of the embedded checkpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tokenizer of an encoder, whose head reads the hidden states of special tokens.
    ///
    /// # Errors
    ///
    /// A folder without a tokenizer, a tokenizer that cannot be read, or a tokenizer that adds no special tokens.
    pub fn tokenizer(&self) -> Result<&Tokenizer, TaskError> {
        let tokenizer = self.language_tokenizer()?;
        tokenizer.check_special_tokens()?;
        Ok(tokenizer)
    }

    /// The tokenizer of a model that generates text. It need not add special tokens.
    ///
    /// # Errors
    ///
    /// A folder without a tokenizer, or a tokenizer that cannot be read.
    pub fn language_tokenizer(&self) -> Result<&Tokenizer, TaskError> {
        if let Some(tokenizer) = self.tokenizer.get() {
            return Ok(tokenizer);
        }
        // The tokenizer of a checkpoint without a folder is set by `with_tokenizer`. If it was not set, the next line returns an
        // error.
        let tokenizer = Tokenizer::for_generation(self.folder.as_deref().unwrap_or(Path::new(&self.name)))?;
        let tokenizer = match self.checkpoint.config().vocabulary() {
            Some(rows) => tokenizer.for_rows(rows),
            None => tokenizer,
        };
        Ok(self.tokenizer.get_or_init(|| tokenizer))
    }

    /// Write `tokenizer.json` into `folder`, and the settings of the tokenizer if the checkpoint has any.
    ///
    /// # Errors
    ///
    /// The errors of [`language_tokenizer`](Self::language_tokenizer), and [`TaskError::Io`].
    pub fn save_tokenizer(&self, folder: &Path) -> Result<(), TaskError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            asym_core::write_whole(&path, bytes).map_err(TaskError::io(&path))
        };
        write("tokenizer.json", self.language_tokenizer()?.to_json()?.as_bytes())?;
        if let Some(config) = &self.tokenizer_config {
            write(TOKENIZER_CONFIG, config.as_bytes())?;
        }
        self.copy(&TOKENIZER_FILES, folder)
    }

    /// Write the files that prepare inputs into `folder`, for a checkpoint without a folder: the image processor if it has one, and
    /// otherwise the tokenizer.
    ///
    /// # Errors
    ///
    /// The errors of [`save_tokenizer`](Self::save_tokenizer).
    pub fn save_inputs(&self, folder: &Path) -> Result<(), TaskError> {
        let Some(processor) = &self.image_processor else { return self.save_tokenizer(folder) };
        let path = folder.join("preprocessor_config.json");
        asym_core::write_whole(&path, processor.to_json().as_bytes()).map_err(TaskError::io(&path))
    }

    /// The chat template; `None` if the checkpoint has none.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>, TaskError> {
        Ok(self.folder.as_deref().map(ChatTemplate::from_folder).transpose()?.flatten())
    }

    /// The token that ends a text: `eos_token` of the tokenizer's files, or else `eos_token_id` of the model's files. `None` if
    /// neither is set.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn end_of_text(&self) -> Result<Option<u32>, TaskError> {
        let tokens = self.folder.as_deref().map(special_tokens).transpose()?.unwrap_or_default();
        let named = tokens.get("eos_token").map(|token| self.language_tokenizer().map(|all| all.token_id(token)));
        if let Some(id) = named.transpose()?.flatten() {
            return Ok(u32::try_from(id).ok());
        }
        Ok(self.checkpoint.generation_config()?.eos_token_id.and_then(|ids| ids.0.first().copied()))
    }

    /// Write into `folder` the files that text generation needs in addition to the tokenizer: the chat template and generation
    /// settings. Files that the checkpoint lacks are skipped.
    ///
    /// # Errors
    ///
    /// [`TaskError::Io`].
    pub fn save_language_files(&self, folder: &Path) -> Result<(), TaskError> {
        self.copy(&LANGUAGE_FILES, folder)
    }

    /// Copy those of the files `names` that the checkpoint's folder has.
    fn copy(&self, names: &[&str], folder: &Path) -> Result<(), TaskError> {
        let Some(from) = &self.folder else { return Ok(()) };
        for name in names {
            let (from, to) = (from.join(name), folder.join(name));
            if from.is_file() {
                let bytes = std::fs::read(&from).map_err(TaskError::io(&from))?;
                asym_core::write_whole(&to, &bytes).map_err(TaskError::io(&to))?;
            }
        }
        Ok(())
    }

    /// The image processor.
    ///
    /// # Errors
    ///
    /// A checkpoint without an image processor, or an image processor that cannot be read.
    pub fn image_processor(&self) -> Result<ImageProcessor, TaskError> {
        if let Some(processor) = &self.image_processor {
            return Ok(processor.clone());
        }
        Ok(ImageProcessor::from_folder(self.folder.as_deref().unwrap_or(Path::new(&self.name)))?)
    }

    /// BERT's or RoBERTa's configuration.
    ///
    /// # Errors
    ///
    /// A checkpoint of another model family.
    pub fn encoder(&self) -> Result<&EncoderConfig, TaskError> {
        Ok(self.checkpoint.encoder()?)
    }

    /// The limits of a text model, which its tokenizer must not exceed.
    ///
    /// # Errors
    ///
    /// A checkpoint of a model that does not read texts.
    pub fn limits(&self) -> Result<ModelLimits, TaskError> {
        let (vocab_size, positions, type_vocab_size) = match self.checkpoint.config() {
            Config::Llama(config) => (config.vocab_size, config.max_position_embeddings, 1),
            Config::Bart(config) => (config.vocab_size, config.max_position_embeddings, 1),
            // For a ViT, `encoder` returns the error.
            Config::Encoder(_) | Config::Vit(_) => {
                let config = self.encoder()?;
                (config.vocab_size, config.max_length(), config.type_vocab_size)
            }
        };
        Ok(ModelLimits { vocab_size, positions, type_vocab_size })
    }

    /// Read the weights of the model `M`, unless they were read before. Returns the time that reading took, or `None` if they
    /// were read before.
    ///
    /// # Errors
    ///
    /// The errors of [`Checkpoint::load`].
    pub fn read<M: PretrainedModel + 'static>(
        &self,
        dtype: Dtype,
        device: &Device,
    ) -> Result<Option<Duration>, TaskError> {
        Ok(self.shared::<M>(dtype, device)?.1)
    }

    /// The model `M` with `num_labels` labels, whose head is initialized from `seed` if the checkpoint lacks it or `new_head` is
    /// set.
    ///
    /// The weights are read at the first call for each dtype. All models of one dtype share these tensors, on the device of the
    /// first call. A model whose weights are trained gets separate tensors as soon as it changes them.
    ///
    /// # Errors
    ///
    /// The errors of [`Checkpoint::load`].
    pub fn load<M: PretrainedModel + 'static>(
        &self,
        (num_labels, new_head): (Option<usize>, bool),
        dtype: Dtype,
        seed: u64,
        device: &Device,
    ) -> Result<Loaded<M>, TaskError> {
        let (shared, _) = self.shared::<M>(dtype, device)?;
        Ok(self.checkpoint.redraw(&shared, (num_labels, new_head), seed, device)?)
    }

    /// The model as it was read, and the time that reading took, or `None` if it was read before.
    fn shared<M: PretrainedModel + 'static>(
        &self,
        dtype: Dtype,
        device: &Device,
    ) -> Result<(Loaded<M>, Option<Duration>), TaskError> {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<M>(), dtype);
        if let Some(shared) = models.get(&key).and_then(|model| model.downcast_ref::<Loaded<M>>()) {
            return Ok((shared.clone(), None));
        }
        let started = Instant::now();
        let loaded: Loaded<M> = self.checkpoint.load_as(None, 0, dtype.float(), device)?;
        models.insert(key, Box::new(loaded.clone()));
        Ok((loaded, Some(started.elapsed())))
    }
}
