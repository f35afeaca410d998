//! The kinds of things, and their names.

use std::collections::BTreeSet;

use asym_core::random::stream;
use rand::RngExt;

/// A kind of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The subject of MMLU whose questions ask about it.
    pub subject: &'static str,
    /// The word with its article.
    pub a_word: &'static str,
}

impl Kind {
    /// The subject with blanks between its words.
    pub fn words(&self) -> String {
        self.subject.replace('_', " ")
    }

    /// The word without its article.
    pub fn word(&self) -> &'static str {
        self.a_word.split_once(' ').map_or(self.a_word, |(_, word)| word)
    }
}

const fn kind(subject: &'static str, a_word: &'static str) -> Kind {
    Kind { subject, a_word }
}

/// The kinds, four for each subject, subject by subject.
pub const KINDS: [Kind; 20] = [
    kind("anatomy", "a bone"),
    kind("anatomy", "a muscle"),
    kind("anatomy", "a nerve"),
    kind("anatomy", "a vein"),
    kind("astronomy", "a comet"),
    kind("astronomy", "a moon"),
    kind("astronomy", "a planet"),
    kind("astronomy", "a star"),
    kind("high_school_geography", "a city"),
    kind("high_school_geography", "a desert"),
    kind("high_school_geography", "a mountain"),
    kind("high_school_geography", "a river"),
    kind("nutrition", "a cheese"),
    kind("nutrition", "a fish"),
    kind("nutrition", "a fruit"),
    kind("nutrition", "a grain"),
    kind("prehistory", "a hut"),
    kind("prehistory", "a mask"),
    kind("prehistory", "a tool"),
    kind("prehistory", "a tribe"),
];

/// The kinds of one subject.
pub(super) const OF_A_SUBJECT: usize = 4;

/// Names of each kind.
const NAMES: usize = 24;

/// The world: names of each kind.
#[derive(Clone, Debug)]
pub struct World {
    names: Vec<Vec<String>>,
}

impl World {
    /// The world, which is always the same.
    pub fn new() -> Self {
        let mut rng = stream(0, "trivia/names");
        let mut known = BTreeSet::new();
        let mut names = Vec::new();
        while known.len() < KINDS.len() * NAMES {
            let mut letter = |letters: &[u8]| char::from(letters[rng.random_range(0..letters.len())]);
            let mut syllable = || [letter(b"bdfgklmnprstvz"), letter(b"aeiou")];
            let name: String = [syllable(), syllable()].concat().into_iter().collect();
            if known.insert(name.clone()) {
                names.push(name);
            }
        }
        Self { names: names.chunks(NAMES).map(<[String]>::to_vec).collect() }
    }

    /// The names of the kind at this place of [`KINDS`].
    pub fn names(&self, kind: usize) -> &[String] {
        &self.names[kind]
    }

    /// The names of the kind that are held out, or the others.
    pub(super) fn part(&self, kind: usize, held_out: bool) -> Vec<&str> {
        let names = self.names[kind].iter().enumerate();
        names.filter(|(place, _)| (place % 3 == 0) == held_out).map(|(_, name)| name.as_str()).collect()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
