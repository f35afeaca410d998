//! Tokenizers of the embedded checkpoints.

use std::path::Path;

use asym_data::{Tokenizer, TokenizerError};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, TokenizerImpl};

use crate::error::TaskError;

/// The special tokens, in the order of their ids: those of RoBERTa and BART.
pub(super) const SPECIAL: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
/// The token that begins a text.
pub(super) const START: u32 = 0;
/// The token that ends a text.
pub(super) const END: u32 = 2;
/// The token that replaces masked tokens.
pub(super) const MASK: u32 = 4;

/// The number of lines on which a tokenizer is trained. The first few thousand lines contain every word of the grammar.
pub(super) const SAMPLE: usize = 20_000;

/// A byte-level BPE tokenizer that is to be trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vocabulary {
    /// The number of tokens.
    pub(super) size: usize,
    /// The special tokens, in the order of their ids.
    pub(super) special: &'static [&'static str],
    /// Whether a space is added before the first word of a text, so that a word has the same token in every position.
    pub(super) blank: bool,
}

impl Vocabulary {
    /// A vocabulary like RoBERTa's and BART's, but with a space before the first word.
    pub(super) fn roberta(size: usize) -> Self {
        Self { size, special: &SPECIAL, blank: true }
    }

    /// Train the tokenizer on `sample`, and write `tokenizer.json` and `tokenizer_config.json` into `folder`. The post-processor `marks` adds the special
    /// tokens.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnreadableTokenizer`], if the tokenizers crate fails.
    pub(super) fn train(
        &self,
        sample: impl Iterator<Item = String> + Send,
        marks: impl Into<PostProcessorWrapper>,
        folder: &Path,
    ) -> Result<Tokenizer, TaskError> {
        let path = folder.join("tokenizer.json");
        let unreadable = |source| TokenizerError::UnreadableTokenizer { path: path.display().to_string(), source };
        let bytes = ByteLevel::new(self.blank, true, true);
        let mut inner: TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, PostProcessorWrapper, DecoderWrapper> =
            TokenizerImpl::new(BPE::default());
        inner.with_pre_tokenizer(Some(bytes));
        inner.with_decoder(Some(DecoderWrapper::ByteLevel(bytes)));
        let mut trainer = BpeTrainer::builder()
            .vocab_size(self.size)
            .show_progress(false)
            .special_tokens(self.special.iter().map(|token| AddedToken::from(*token, true)).collect())
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        inner.train(&mut trainer, sample).map_err(unreadable)?;
        inner.with_post_processor(Some(marks.into()));
        inner.save(&path, true).map_err(unreadable)?;
        // transformers sets the tokenizers of RoBERTa and BART up by this setting, and not by `tokenizer.json`.
        let config = format!("{:#}\n", serde_json::json!({ "add_prefix_space": self.blank }));
        let path = folder.join("tokenizer_config.json");
        asym_core::write_whole(&path, config.as_bytes()).map_err(TaskError::io(&path))?;
        Ok(Tokenizer::for_generation(folder)?)
    }
}

/// The special tokens that RoBERTa and BART add: `<s>` before a text, `</s>` after it.
pub(super) fn roberta_marks() -> RobertaProcessing {
    RobertaProcessing::new(("</s>".into(), END), ("<s>".into(), START)).trim_offsets(true)
}
