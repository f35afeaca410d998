//! Tokens with their byte ranges in the text.

use std::ops::Range;

use tokenizers::PostProcessorWrapper;
use tokenizers::utils::truncation::TruncationDirection;

use super::{Pieces, Tokenizer, TokenizerError, guarded};

/// A text as tokens, with the byte range of each token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// The ids.
    pub input_ids: Vec<u32>,
    /// The byte range of each token in the text. A token that the tokenizer adds has an empty range. If a character is divided
    /// into several tokens, each of them has the range of the whole character.
    pub places: Vec<Range<usize>>,
    /// The number of tokens that were cut off at the end. It is an estimate if the text was so long that only a part of it was
    /// encoded.
    pub cut: usize,
    /// Whether the text already begins with the tokens that the tokenizer adds there. In this case, they are not added again.
    pub has_beginning: bool,
}

/// A [`Tokenizer`] that also returns the byte range of each token. The ranges include spaces before words.
#[derive(Clone, Debug)]
pub struct SpanTokenizer {
    /// The tokenizer without its post-processor, because that of byte-level tokenizers removes spaces from the ranges.
    tokenizer: Tokenizer,
    /// The tokens that are added before a text.
    before: Vec<u32>,
    /// The tokens that are added after a text.
    after: Vec<u32>,
}

impl Tokenizer {
    /// The same tokenizer, which also returns the byte range of each token in the text.
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
    /// Encodes a text into at most `max_length` tokens. A longer text loses its last tokens. Special tokens are added unless
    /// `is_whole` is true: the result of a chat template already contains them. If a text begins with the tokens that would be
    /// added there, they are not added again.
    ///
    /// The encoded part of a long text is the same as in [`Tokenizer::encode`].
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
        // No tokens are added after a text whose end is missing.
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scratch::{Scratch, shared};

    /// A byte-level BPE like SmolLM2's, created by `tests/fixtures/make_chat.py`. It adds no tokens to a text.
    const BYTES: &str = include_str!("../../../../tests/fixtures/chat/tokenizer.json");

    /// Texts with different kinds of characters.
    const TEXTS: [&str; 6] = [
        "Below is the response:\n 12 + 3 = 15.",
        "  two spaces, a tab\t and\r\nbreaks \n\n",
        "É日本 \u{1f600}e\u{301} \u{a0}x",
        " ",
        "<|im_start|>user\nhello<|im_end|>\n",
        "bane tiro lusa men dor",
    ];

    fn tokenizer(name: &str, change: impl FnOnce(&mut Value)) -> Tokenizer {
        let mut file: Value = serde_json::from_str(BYTES).unwrap();
        change(&mut file);
        let folder = Scratch::new(&format!("spans-{name}"));
        folder.write("tokenizer.json", file.to_string().as_bytes());
        Tokenizer::for_generation(folder.path()).unwrap()
    }

    /// A post-processor like Llama 3's: it adds a token before each text, and it removes spaces from the ranges.
    fn with_beginning(file: &mut Value) {
        file["post_processor"] = json!({"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}}},
        ]});
    }

    /// Checks that the ranges cover the whole text in order, and that the ids are those of the plain tokenizer.
    fn check(name: &str, tokenizer: &Tokenizer, texts: &[&str]) {
        let places = tokenizer.with_places().unwrap();
        for text in texts {
            let spans = places.encode(text, false, usize::MAX).unwrap();
            assert_eq!(
                spans.input_ids,
                tokenizer.encode(text, None, usize::MAX).unwrap().input_ids,
                "{name}: {text:?}"
            );
            assert_eq!(spans.places.len(), spans.input_ids.len(), "{name}");
            let mut end = 0;
            for place in spans.places.iter().filter(|place| !place.is_empty()) {
                assert!(place.start <= end && place.end >= end, "{name}: {text:?}: {:?}", spans.places);
                end = end.max(place.end);
            }
            assert_eq!(end, text.len(), "{name}: {text:?}: {:?}", spans.places);
            let whole = places.encode(text, true, usize::MAX).unwrap();
            assert_eq!(
                whole.input_ids,
                tokenizer.encode_whole(text, usize::MAX).unwrap().input_ids,
                "{name}: {text:?}"
            );
        }
    }

    #[test]
    fn tokens_cover_every_byte_of_a_text() {
        check("bytes", &tokenizer("bytes", |_| ()), &TEXTS);
        check("beginning", &tokenizer("beginning", with_beginning), &TEXTS);
        let pieces = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/sentencepiece");
        check("pieces", &Tokenizer::for_generation(std::path::Path::new(pieces)).unwrap(), &TEXTS);
        if let Some(shared) = shared() {
            for name in ["tok-llama", "tok-gpt2", "tok-roberta"] {
                check(name, &Tokenizer::for_generation(&shared.join("data").join(name)).unwrap(), &TEXTS);
            }
        }
    }

    #[test]
    fn spaces_belong_to_the_next_word() {
        let places = tokenizer("space", with_beginning).with_places().unwrap();
        let spans = places.encode("bane tiro 12", false, usize::MAX).unwrap();
        let text = |place: &Range<usize>| "bane tiro 12"[place.clone()].to_owned();
        let texts: Vec<String> = spans.places.iter().map(text).collect();
        assert_eq!((texts[0].as_str(), texts.concat().as_str()), ("", "bane tiro 12"));
        assert!(texts.contains(&" ti".to_owned()) || texts.iter().any(|text| text.starts_with(" t")), "{texts:?}");
        assert_eq!(texts[texts.len() - 2..], ["1", "2"]);
    }

    #[test]
    fn the_beginning_token_is_not_added_twice() {
        let places = tokenizer("once", with_beginning).with_places().unwrap();
        assert_eq!(places.beginning(), "<|endoftext|>");
        let (plain, doubled) = ("men dor", "<|endoftext|>men dor");
        let [plain, doubled] = [plain, doubled].map(|text| places.encode(text, false, usize::MAX).unwrap());
        assert_eq!((plain.has_beginning, doubled.has_beginning), (false, true));
        assert_eq!(plain.input_ids, doubled.input_ids);
        assert!(plain.places[0].is_empty() && doubled.places[0] == (0..13));
        let none = tokenizer("none", |_| ()).with_places().unwrap();
        assert!(!none.encode("<|endoftext|>men dor", false, usize::MAX).unwrap().has_beginning);
    }

    #[test]
    fn long_texts_are_truncated_at_the_end() {
        let places = tokenizer("long", with_beginning).with_places().unwrap();
        let whole = places.encode("bane tiro lusa men dor", false, usize::MAX).unwrap();
        let cut = places.encode("bane tiro lusa men dor", false, 4).unwrap();
        assert_eq!((&cut.input_ids[..], &cut.places[..]), (&whole.input_ids[..4], &whole.places[..4]));
        assert_eq!(cut.cut, whole.input_ids.len() - 4);
        let huge = "bane tiro ".repeat(100_000);
        let cut = places.encode(&huge, false, 8).unwrap();
        assert!(cut.input_ids.len() == 8 && cut.cut > 200_000, "{}", cut.cut);
    }
}
