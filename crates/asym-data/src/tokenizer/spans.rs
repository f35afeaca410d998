//! Tokens with the places of a text that they stand for.

use std::ops::Range;

use tokenizers::PostProcessorWrapper;
use tokenizers::utils::truncation::TruncationDirection;

use super::{Pieces, Tokenizer, TokenizerError, guarded};

/// A text as tokens, with the place of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// The ids.
    pub input_ids: Vec<u32>,
    /// The bytes of the text that each token stands for. A token that the tokenizer adds has an empty range. Tokens that divide a
    /// character have all of it.
    pub places: Vec<Range<usize>>,
    /// The number of tokens that were cut off at the end. It is an estimate if the text was so long that only a part of it was
    /// encoded.
    pub cut: usize,
    /// Whether the text begins with the tokens that the tokenizer adds there. They stand once then.
    pub has_beginning: bool,
}

/// A [`Tokenizer`] whose tokens know their places, spaces before a word included.
#[derive(Clone, Debug)]
pub struct SpanTokenizer {
    /// Without a post-processor: that of byte-level tokenizers takes spaces out of the places.
    tokenizer: Tokenizer,
    /// The tokens that are added before a text.
    before: Vec<u32>,
    /// The tokens that are added behind it.
    after: Vec<u32>,
}

impl Tokenizer {
    /// The same tokenizer, whose tokens know their places in the text.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Encode`] if the tokenizers crate fails.
    pub fn with_places(&self) -> Result<SpanTokenizer, TokenizerError> {
        let failed = |source| TokenizerError::Encode { source };
        let probe = guarded(|| self.inner.encode("a", true)).map_err(failed)?;
        let (ids, added) = (probe.get_ids(), probe.get_special_tokens_mask());
        let first = added.iter().position(|added| *added == 0).unwrap_or(ids.len());
        let last = added.iter().rposition(|added| *added == 0).map_or(ids.len(), |last| last + 1);
        let mut tokenizer = self.clone();
        tokenizer.inner.with_post_processor(None::<PostProcessorWrapper>);
        Ok(SpanTokenizer { tokenizer, before: ids[..first].to_vec(), after: ids[last..].to_vec() })
    }
}

impl SpanTokenizer {
    /// Encodes a text into at most `max_length` tokens; a longer one loses its last tokens. The tokens that the tokenizer adds are
    /// added unless the text `is_whole`: a chat template writes them itself. If a text begins with those that are added there, they
    /// are not added again.
    ///
    /// As much of a long text is encoded as in [`Tokenizer::encode`].
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Encode`], [`TokenizerError::TokenizerTooLarge`].
    pub fn encode(&self, text: &str, is_whole: bool, max_length: usize) -> Result<Spans, TokenizerError> {
        let mut pieces = Pieces::new(text, max_length, TruncationDirection::Right);
        let (encoding, tokens) = loop {
            let piece = pieces.get();
            let encoding = guarded(|| self.tokenizer.inner.encode(piece, false))
                .map_err(|source| TokenizerError::Encode { source })?;
            if let Some(tokens) = pieces.tokens(encoding.len()) {
                break (encoding, tokens);
            }
        };
        let own = encoding.get_ids();
        let has_beginning = !is_whole && !self.before.is_empty() && own.starts_with(&self.before);
        let before = if is_whole || has_beginning { &[][..] } else { &self.before };
        // A text whose end is missing has no tokens behind it.
        let after = if is_whole || own.len() < tokens { &[][..] } else { &self.after };
        let places = encoding.get_offsets().iter().map(|(start, end)| *start..*end);
        let added = |count: usize, at: usize| std::iter::repeat_n(at..at, count);
        let mut input_ids = [before, own, after].concat();
        let mut places: Vec<Range<usize>> =
            added(before.len(), 0).chain(places).chain(added(after.len(), text.len())).collect();
        let cut = (before.len() + tokens + after.len()).saturating_sub(max_length);
        input_ids.truncate(max_length);
        places.truncate(max_length);
        self.tokenizer.check_ids(&input_ids, self.tokenizer.rows.unwrap_or(usize::MAX))?;
        Ok(Spans { input_ids, places, cut, has_beginning })
    }

    /// The tokens that are added before a text, as the vocabulary spells them.
    pub fn beginning(&self) -> String {
        self.tokenizer.tokens(&self.before).join(" ")
    }
}
