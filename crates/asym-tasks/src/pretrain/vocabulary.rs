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
/// The token that opens a text.
pub(super) const START: u32 = 0;
/// The token that ends a text.
pub(super) const END: u32 = 2;
/// The token that stands for others.
pub(super) const MASK: u32 = 4;

/// The lines from which a tokenizer learns. Every word of the grammar is in the first few thousand.
pub(super) const SAMPLE: usize = 20_000;

/// Learn `size` byte-level tokens from `sample`, and write `tokenizer.json` into `folder`. As RoBERTa's and BART's, it puts `<s>` before a text and
/// `</s>` behind it. It puts a blank before the first word, so that a word has one token wherever it stands.
///
/// # Errors
///
/// [`TokenizerError::UnreadableTokenizer`], if the tokenizers crate fails.
pub(super) fn vocabulary(
    size: usize,
    sample: impl Iterator<Item = String> + Send,
    folder: &Path,
) -> Result<Tokenizer, TaskError> {
    let path = folder.join("tokenizer.json");
    let unreadable = |source| TokenizerError::UnreadableTokenizer { path: path.display().to_string(), source };
    let bytes = ByteLevel::new(true, true, true);
    let mut inner: TokenizerImpl<BPE, NormalizerWrapper, ByteLevel, PostProcessorWrapper, DecoderWrapper> =
        TokenizerImpl::new(BPE::default());
    inner.with_pre_tokenizer(Some(bytes));
    inner.with_decoder(Some(DecoderWrapper::ByteLevel(bytes)));
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .show_progress(false)
        .special_tokens(SPECIAL.iter().map(|token| AddedToken::from(*token, true)).collect())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    inner.train(&mut trainer, sample).map_err(unreadable)?;
    let marks = RobertaProcessing::new(("</s>".into(), END), ("<s>".into(), START)).trim_offsets(true);
    inner.with_post_processor(Some(PostProcessorWrapper::from(marks)));
    inner.save(&path, true).map_err(unreadable)?;
    Ok(Tokenizer::from_folder(folder)?)
}
