//! Tokenizers of the embedded checkpoints.

use std::path::Path;

use asym_data::TokenizerError;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, TokenizerImpl};

use crate::error::TaskError;

/// The lines from which a tokenizer learns.
pub(super) const SAMPLE: usize = 20_000;

/// A byte-level BPE tokenizer.
pub(super) struct Vocabulary<'a> {
    /// The number of tokens.
    pub(super) size: usize,
    /// The special tokens, in the order of their ids.
    pub(super) special: &'a [&'static str],
    /// Whether a blank is put before the first word of a text.
    pub(super) blank: bool,
}

impl Vocabulary<'_> {
    /// Learn the tokens of `sample`, and write `tokenizer.json` into `folder`, which adds special tokens by `marks`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::UnreadableTokenizer`], if the tokenizers crate fails.
    pub(super) fn train(
        &self,
        sample: impl Iterator<Item = String> + Send,
        marks: impl Into<PostProcessorWrapper>,
        folder: &Path,
    ) -> Result<(), TaskError> {
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
        Ok(())
    }
}
