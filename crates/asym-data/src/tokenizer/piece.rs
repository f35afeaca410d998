//! The part of a long text that is needed for a given number of tokens.
//!
//! The tokenizers crate needs about 140 bytes of memory for each byte of a text. A text of many megabytes would fill the memory
//! before it is cut to a few hundred tokens.

use tokenizers::utils::truncation::TruncationDirection;

/// A text of at most this many bytes is encoded whole.
const SHORT: usize = 16 << 10;
/// The number of bytes per token in the first part.
const LIKELY: usize = 32;
/// The largest number of bytes per token in a part.
const MOST: usize = 256;
/// The limit of a part's length is at least this many bytes.
const LARGEST: usize = 128 << 10;
/// The number of tokens next to the cut that may differ from those of the whole text.
const MARGIN: usize = 64;

/// Parts of a text, each longer than the one before.
pub(super) struct Pieces<'a> {
    text: &'a str,
    /// The number of tokens that are needed.
    length: usize,
    direction: TruncationDirection,
    /// The largest number of bytes in the current part.
    bytes: usize,
}

impl<'a> Pieces<'a> {
    /// The parts of `text` for `length` tokens. They are at the beginning of the text, or at its end if the text is truncated
    /// on the left.
    pub(super) fn new(text: &'a str, length: usize, direction: TruncationDirection) -> Self {
        Self { text, length, direction, bytes: length.saturating_mul(LIKELY).max(SHORT) }
    }

    /// The current part. It is cut between two words, if there are any.
    pub(super) fn get(&self) -> &'a str {
        if self.text.len() <= self.bytes {
            return self.text;
        }
        match self.direction {
            TruncationDirection::Right => {
                let part = &self.text[..self.text.floor_char_boundary(self.bytes)];
                let words = part.trim_end_matches(|c: char| !c.is_whitespace()).trim_end();
                if words.len() > part.len() / 2 { words } else { part }
            }
            TruncationDirection::Left => {
                let part = &self.text[self.text.ceil_char_boundary(self.text.len() - self.bytes)..];
                // A space belongs to the word after it.
                let words = part.trim_start_matches(|c: char| !c.is_whitespace());
                if words.len() > part.len() / 2 { words } else { part }
            }
        }
    }

    /// The number of tokens of the whole text, if the current part, which has `found` tokens, is enough. Otherwise `None`, and
    /// the next part becomes the current part.
    pub(super) fn tokens(&mut self, found: usize) -> Option<usize> {
        let part = self.get().len();
        if part == self.text.len() {
            return Some(found);
        }
        let most = self.length.saturating_mul(MOST).max(LARGEST);
        if found >= self.length.saturating_add(MARGIN) || self.bytes >= most {
            let share = part.max(1) as f64 / self.text.len() as f64;
            return Some(((found as f64 / share) as usize).max(self.length.saturating_add(1)));
        }
        self.bytes = self.bytes.saturating_mul(4).min(most);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_not_cut() {
        let text = "word ".repeat(SHORT / 5);
        let mut pieces = Pieces::new(&text, 8, TruncationDirection::Right);
        assert_eq!(pieces.get(), text);
        assert_eq!(pieces.tokens(3), Some(3));
        // Nothing is cut off if the number of tokens is not limited.
        let text = "word ".repeat(LARGEST);
        assert_eq!(Pieces::new(&text, usize::MAX, TruncationDirection::Left).get().len(), text.len());
    }

    #[test]
    fn pieces_end_between_words_and_grow_to_a_limit() {
        let text = "é word".repeat(1 << 20);
        let mut pieces = Pieces::new(&text, 8, TruncationDirection::Right);
        assert!(pieces.get().ends_with("é") && pieces.get().len() > SHORT - 10, "{}", pieces.get().len());
        let mut last = Pieces::new(&text, 8, TruncationDirection::Left);
        assert!(last.get().starts_with(" word") && last.get().len() > SHORT - 10);
        assert_eq!(last.tokens(7), None);
        let mut lengths = vec![pieces.get().len()];
        while pieces.tokens(8 + MARGIN - 1).is_none() {
            lengths.push(pieces.get().len());
        }
        assert!(lengths.is_sorted() && lengths.len() == 3, "{lengths:?}");
        assert!(lengths[2] <= LARGEST && lengths[2] > LARGEST - 10, "{lengths:?}");
        // Without a space, the text is cut at the limit.
        let text = "é".repeat(SHORT);
        assert_eq!(Pieces::new(&text, 8, TruncationDirection::Right).get().len(), SHORT);
        assert_eq!(Pieces::new(&text[..], 8, TruncationDirection::Left).get().len(), SHORT);
    }

    #[test]
    fn the_number_of_remaining_tokens_is_estimated() {
        let text = "word ".repeat(SHORT);
        let mut pieces = Pieces::new(&text, 8, TruncationDirection::Right);
        let found = pieces.get().len().div_ceil(5);
        let tokens = pieces.tokens(found).unwrap();
        assert!(tokens.abs_diff(SHORT) < 5, "{tokens}");
    }
}
