//! Sentences of English text, with the same results as `sent_tokenize` of NLTK 3.9.
//!
//! Source: Kiss and Strunk, 2006, "Unsupervised Multilingual Sentence Boundary Detection" (Computational Linguistics 32). Each
//! `.`, `?` and `!` is a candidate for the end of a sentence. A first pass decides by the word before the candidate, and a second
//! pass by the words on both sides. The parameters are those of NLTK for English (`data/make_punkt.py`).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use fancy_regex::Regex;

/// The sentences of `text`, in their order, without the white space between them. A text that is empty or only white space has no
/// sentences.
pub fn sentences(text: &str) -> Vec<&str> {
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let chars: Vec<char> = text.chars().collect();
    let spans = realigned(&chars, &slices(&chars));
    spans.into_iter().map(|(start, stop)| &text[offsets[start]..offsets[stop]]).collect()
}

/// Whether a character is white space in Python.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Whether a character may end a sentence.
fn is_end(c: char) -> bool {
    matches!(c, '.' | '?' | '!')
}

/// Whether a character ends the word before it.
fn is_no_word(c: char) -> bool {
    matches!(c, ')' | '"' | ';' | '}' | ']' | '*' | ':' | '@' | '\'' | '(' | '{' | '[' | '?' | '!')
}

/// Whether a character cannot begin a word.
fn is_no_beginning(c: char) -> bool {
    matches!(c, '(' | '"' | '`' | '{' | '[' | ':' | ';' | '&' | '#' | '*' | '@' | ')' | '}' | ']' | '-' | ',')
}

/// Whether a character ends a line for Python's `splitlines`.
fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A character that may end a sentence, with the words around it. All fields are indices in the text.
#[derive(Clone, Copy)]
struct Candidate {
    /// The beginning of the word before the character.
    word: usize,
    /// The character.
    at: usize,
    /// The end of the text after the character: another character that ends words, or white space and a word.
    after: usize,
    /// The beginning of the next word, if there is white space before it.
    next: Option<usize>,
}

/// The candidates. If a word has several candidates, such as three exclamation marks, only the last one is kept.
fn candidates(text: &[char]) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut previous: Option<Candidate> = None;
    for at in (0..text.len()).filter(|at| is_end(text[*at])) {
        let (after, next) = match text.get(at + 1) {
            Some(c) if is_no_word(*c) => (at + 2, None),
            Some(c) if is_space(*c) => {
                let rest = &text[at + 1..];
                let Some(space) = rest.iter().position(|c| !is_space(*c)) else { continue };
                let word = rest[space..].iter().position(|c| is_space(*c)).unwrap_or(rest.len() - space);
                (at + 1 + space + word, Some(at + 1 + space))
            }
            _ => continue,
        };
        let (start, stop) = previous.map_or((0, 0), |previous| (previous.word, previous.at));
        let last_space = text[stop..at].iter().rposition(|c| matches!(c, ' ' | '\t'..='\r'));
        // NLTK ignores a space at the very beginning.
        let word = last_space.filter(|place| *place > 0).map_or(start, |place| stop + place + 1);
        found.extend(previous.filter(|previous| previous.at <= word));
        previous = Some(Candidate { word, at, after, next });
    }
    found.extend(previous);
    found
}

/// The sentences, before [`realigned`] moves closing quotes and brackets to the sentences that they close.
fn slices(text: &[char]) -> Vec<(usize, usize)> {
    let (mut found, mut start) = (Vec::new(), 0);
    for candidate in candidates(text) {
        if has_break(&text[candidate.word..candidate.after]) {
            found.push((start, candidate.at + 1));
            start = candidate.next.unwrap_or(candidate.at + 1);
        }
    }
    let end = text.iter().rposition(|c| !is_space(*c)).map_or(0, |last| last + 1);
    found.push((start, end));
    found
}

/// Move closing quotes and brackets at the beginning of a sentence to the previous sentence.
fn realigned(text: &[char], slices: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let (mut found, mut moved) = (Vec::new(), 0);
    for (number, (start, stop)) in slices.iter().enumerate() {
        let start = start + moved;
        let closing = slices.get(number + 1).and_then(|(next, stop)| closing(text.get(*next..*stop)?));
        match closing {
            Some((kept, skipped)) => {
                let next = slices[number + 1].0;
                found.push((start, next + kept));
                moved = skipped;
            }
            None => {
                moved = 0;
                found.extend((start < *stop).then_some((start, *stop)));
            }
        }
    }
    found
}

/// The number of closing quotes and brackets at the beginning of a sentence, without and with the white space after them; `None`
/// if there are none.
fn closing(sentence: &[char]) -> Option<(usize, usize)> {
    let count = sentence.iter().take_while(|c| matches!(c, '"' | '\'' | ')' | ']' | '}')).count();
    (1..=count).find_map(|kept| {
        let rest = &sentence[kept..];
        let space = rest.iter().take_while(|c| is_space(**c)).count();
        (space > 0 || rest.is_empty() || rest.starts_with(&['-', '-'])).then_some((kept, kept + space))
    })
}

/// Whether a sentence ends before the last token of a text.
fn has_break(text: &[char]) -> bool {
    let mut tokens = Vec::new();
    for line in text.split(|c| ends_line(*c)) {
        tokenize(line, &mut tokens);
    }
    let mut tokens: Vec<Token> = tokens.into_iter().map(Token::new).collect();
    for at in 1..tokens.len() {
        let (left, right) = tokens.split_at_mut(at);
        second_pass(&mut left[at - 1], &right[0]);
        if left[at - 1].ends_sentence {
            return true;
        }
    }
    false
}

/// Add the words and punctuation marks of a line. A period belongs to its word.
fn tokenize(line: &[char], tokens: &mut Vec<String>) {
    let mut at = 0;
    while at < line.len() {
        let length = match marks(&line[at..]) {
            Some(length) => length,
            None if is_space(line[at]) => {
                at += 1;
                continue;
            }
            None if is_no_beginning(line[at]) => 1,
            None => (1..).find(|length| word_ends(&line[at + length..])).unwrap_or(1),
        };
        tokens.push(line[at..at + length].iter().collect());
        at += length;
    }
}

/// Whether a word ends where `rest` begins.
fn word_ends(rest: &[char]) -> bool {
    let ends = |rest: &[char]| rest.first().is_none_or(|c| is_space(*c) || is_no_word(*c)) || marks(rest).is_some();
    ends(rest) || (rest[0] == ',' && ends(&rest[1..]))
}

/// The length of the dash or ellipsis with which a text begins: two or more hyphens or periods, or three or more periods that are
/// separated by white space.
fn marks(text: &[char]) -> Option<usize> {
    let run = |mark: char| text.iter().take_while(|c| **c == mark).count();
    match text.first()? {
        '-' => Some(run('-')).filter(|count| *count >= 2),
        '.' => Some(run('.')).filter(|count| *count >= 2).or_else(|| {
            let pairs = text.chunks_exact(2).take_while(|pair| pair[0] == '.' && is_space(pair[1])).count();
            // If no period follows the last pair, the period of this pair is the last one.
            let pairs = if text.get(2 * pairs) == Some(&'.') { pairs } else { pairs.saturating_sub(1) };
            (pairs >= 2).then_some(2 * pairs + 1)
        }),
        _ => None,
    }
}

/// A word or a punctuation mark. The last three fields are set by the first pass and changed by the second pass.
struct Token {
    text: String,
    /// The text in lower case, or [`NUMBER`].
    kind: String,
    is_abbreviation: bool,
    is_ellipsis: bool,
    ends_sentence: bool,
}

/// The kind of all numbers.
const NUMBER: &str = "##number##";

impl Token {
    fn new(text: String) -> Self {
        let lower = text.to_lowercase();
        let is_ellipsis = text.len() >= 2 && text.bytes().all(|byte| byte == b'.');
        let ends_word = text.ends_with('.') && !text.ends_with("..");
        let (mut is_abbreviation, mut ends_sentence) = (false, matches!(text.as_str(), "." | "?" | "!"));
        if !ends_sentence && !is_ellipsis && ends_word {
            let word = text[..text.len() - 1].to_lowercase();
            let last = word.rsplit('-').next().unwrap_or(&word);
            is_abbreviation =
                PARAMETERS.abbreviations.contains(word.as_str()) || PARAMETERS.abbreviations.contains(last);
            ends_sentence = !is_abbreviation;
        }
        let kind = if matches(&NUMERIC, &lower) { NUMBER.to_string() } else { lower };
        Self { text, kind, is_abbreviation, is_ellipsis, ends_sentence }
    }

    /// The kind without its last period.
    fn word(&self) -> &str {
        self.kind.strip_suffix('.').filter(|word| !word.is_empty()).unwrap_or(&self.kind)
    }

    /// The kind without a period that ends a sentence.
    fn following(&self) -> &str {
        if self.ends_sentence { self.word() } else { &self.kind }
    }

    fn is_upper(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// Whether the token begins a sentence, judged by the cases in which its word was seen in training; `None` if they are not
    /// conclusive.
    fn begins_sentence(&self) -> Option<bool> {
        if matches!(self.text.as_str(), ";" | ":" | "," | "." | "!" | "?") {
            return Some(false);
        }
        let seen = PARAMETERS.words.get(self.following());
        if self.is_upper() && matches!(seen, Some(Seen::Lower | Seen::BeginsLower)) {
            return Some(true);
        }
        (self.text.starts_with(char::is_lowercase) && seen != Some(&Seen::BeginsLower)).then_some(false)
    }
}

/// The second pass: decide by the words on both sides of a period.
fn second_pass(token: &mut Token, next: &Token) {
    if !token.text.ends_with('.') {
        return;
    }
    let is_initial = matches(&INITIAL, &token.text);
    let following = next.following();
    if PARAMETERS.collocations.contains(&(token.word(), following)) {
        token.ends_sentence = false;
        token.is_abbreviation = true;
        return;
    }
    let begins = next.begins_sentence();
    if (token.is_abbreviation || token.is_ellipsis)
        && !is_initial
        && (begins == Some(true) || (next.is_upper() && PARAMETERS.starters.contains(following)))
    {
        token.ends_sentence = true;
        return;
    }
    if is_initial || token.word() == NUMBER {
        let is_name = is_initial && begins.is_none() && next.is_upper() && !PARAMETERS.words.contains_key(following);
        if begins == Some(false) || is_name {
            token.ends_sentence = false;
            token.is_abbreviation = true;
        }
    }
}

/// A letter and a period.
static INITIAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}_--\p{Nd}]\.$").ok());

/// A number, which may end with a period.
static NUMERIC: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^-?[.,]?\p{Nd}[\p{Nd},.\-]*$").ok());

/// Whether `regex` matches. A test checks that the expressions compile.
fn matches(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text).unwrap_or(false))
}

/// The cases in which a word was seen in training. A word that was never seen in lower case is not informative and is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// In lower case, and never in upper case within a sentence.
    Lower,
    /// In lower case, and in upper case within a sentence.
    LowerAndUpperInside,
    /// In lower case at the beginning of a sentence, and never in upper case.
    BeginsLower,
}

/// The trained parameters.
#[derive(Default)]
struct Parameters {
    abbreviations: HashSet<&'static str>,
    starters: HashSet<&'static str>,
    collocations: HashSet<(&'static str, &'static str)>,
    words: HashMap<&'static str, Seen>,
}

static PARAMETERS: LazyLock<Parameters> =
    LazyLock::new(|| Parameters::parse(include_str!("../../data/punkt-english.txt")));

impl Parameters {
    fn parse(text: &'static str) -> Self {
        let (mut found, mut section) = (Self::default(), "");
        for line in text.lines() {
            let items = line.split('\t');
            match line {
                "[abbreviations]"
                | "[starters]"
                | "[collocations]"
                | "[lower]"
                | "[lower and upper inside]"
                | "[begins lower, never upper]" => section = line,
                _ => match section {
                    "[abbreviations]" => found.abbreviations.extend(items),
                    "[starters]" => found.starters.extend(items),
                    "[collocations]" => found.collocations.extend(items.filter_map(|pair| pair.split_once("  "))),
                    "[lower]" => found.words.extend(items.map(|word| (word, Seen::Lower))),
                    "[lower and upper inside]" => {
                        found.words.extend(items.map(|word| (word, Seen::LowerAndUpperInside)));
                    }
                    "[begins lower, never upper]" => found.words.extend(items.map(|word| (word, Seen::BeginsLower))),
                    // The header.
                    _ => {}
                },
            }
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_parameters_are_loaded() {
        let Parameters { abbreviations, starters, collocations, words } = &*PARAMETERS;
        assert_eq!((abbreviations.len(), starters.len(), collocations.len(), words.len()), (156, 39, 37, 14702));
        // This abbreviation ends with a space.
        assert!(abbreviations.contains(". . ") && collocations.contains(&(NUMBER, "cbot")));
        assert!(INITIAL.is_some() && NUMERIC.is_some());
        assert!(matches(&INITIAL, "É.") && !matches(&INITIAL, "7.") && !matches(&INITIAL, "ab."));
        assert!(matches(&NUMERIC, "-1,000.50.") && matches(&NUMERIC, "٣") && !matches(&NUMERIC, "3d"));
    }

    #[test]
    fn words_and_punctuation_are_tokenized() {
        let tokens = |text: &str| {
            let mut tokens = Vec::new();
            tokenize(&text.chars().collect::<Vec<_>>(), &mut tokens);
            tokens
        };
        assert_eq!(
            tokens("He said: \"U.S. bonds, 1,000--(all).\""),
            ["He", "said", ":", "\"", "U.S.", "bonds", ",", "1,000", "--", "(", "all", ")", ".", "\""]
        );
        assert_eq!(tokens("well . . . . so"), ["well", ". . . .", "so"]);
        assert_eq!(tokens("a . . b ... c"), ["a", ".", ".", "b", "...", "c"]);
    }
}
