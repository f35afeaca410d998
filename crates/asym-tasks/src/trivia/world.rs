//! The kinds of things, and their names.

use std::collections::BTreeSet;

use asym_core::random::stream;
use rand::RngExt;

/// A kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The subject of MMLU to which questions about the kind belong.
    pub subject: &'static str,
    /// The noun for the kind.
    pub word: &'static str,
}

impl Kind {
    /// The subject with spaces between its words.
    pub fn subject_words(&self) -> String {
        self.subject.replace('_', " ")
    }

    /// The noun with its article.
    pub fn a_word(&self) -> String {
        format!("a {}", self.word)
    }
}

const fn kind(subject: &'static str, word: &'static str) -> Kind {
    Kind { subject, word }
}

/// The kinds, four for each subject, subject by subject.
pub const KINDS: [Kind; 20] = [
    kind("anatomy", "bone"),
    kind("anatomy", "muscle"),
    kind("anatomy", "nerve"),
    kind("anatomy", "vein"),
    kind("astronomy", "comet"),
    kind("astronomy", "moon"),
    kind("astronomy", "planet"),
    kind("astronomy", "star"),
    kind("high_school_geography", "city"),
    kind("high_school_geography", "desert"),
    kind("high_school_geography", "mountain"),
    kind("high_school_geography", "river"),
    kind("nutrition", "cheese"),
    kind("nutrition", "fish"),
    kind("nutrition", "fruit"),
    kind("nutrition", "grain"),
    kind("prehistory", "hut"),
    kind("prehistory", "mask"),
    kind("prehistory", "tool"),
    kind("prehistory", "tribe"),
];

/// The number of kinds per subject.
pub(super) const OF_A_SUBJECT: usize = 4;

/// The number of names per kind.
const NAMES: usize = 36;

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

    /// The names of the kind with this index in [`KINDS`].
    pub fn names(&self, kind: usize) -> &[String] {
        &self.names[kind]
    }

    /// The names of the kind that are held out or, if `held_out` is false, its other names.
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
