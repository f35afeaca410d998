//! Questions with four answers, and rows of instructions.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::world::{KINDS, OF_A_SUBJECT, World};

/// The letters of the answers.
pub(super) const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

/// A question about a name: to which of the four kinds of its subject does it belong?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name in the question.
    pub name: String,
    /// The kind of the name, as an index into [`KINDS`].
    pub kind: usize,
}

/// A row in the form of Alpaca.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The instruction.
    pub instruction: String,
    /// The input to the instruction; empty if there is none.
    pub input: String,
    /// The answer.
    pub output: String,
}

/// A random item of `items`.
pub(super) fn chosen<'a, T>(items: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

impl Asked {
    /// The text of the question.
    pub fn text(&self) -> String {
        format!("What is {}?", self.name)
    }

    /// The four possible answers: the names of the kinds of the subject.
    pub fn answers(&self) -> [&'static str; OF_A_SUBJECT] {
        let first = self.kind - self.right();
        std::array::from_fn(|place| KINDS[first + place].word)
    }

    /// The index of the right answer.
    pub fn right(&self) -> usize {
        self.kind % OF_A_SUBJECT
    }

    /// The letter of the right answer.
    pub fn letter(&self) -> char {
        LETTERS[self.right()]
    }

    /// The answers with their letters.
    pub(super) fn offers(&self) -> impl Iterator<Item = (char, &'static str)> {
        LETTERS.into_iter().zip(self.answers())
    }

    /// The subject of MMLU to which the question belongs.
    pub fn subject(&self) -> &'static str {
        KINDS[self.kind].subject
    }
}

/// A question about each held-out name, subject by subject.
pub fn questions() -> Vec<Asked> {
    let world = World::new();
    let of_kind = |kind| world.part(kind, true).into_iter().map(move |name| Asked { name: name.to_owned(), kind });
    (0..KINDS.len()).flat_map(of_kind).collect()
}

/// `count` rows of instructions about names that are not held out. Half of them are questions with four answers, whose output is
/// the letter. The same seed always gives the same rows.
pub fn instructions(seed: u64, count: usize) -> Vec<Row> {
    let world = World::new();
    (0..count).map(|index| row(&world, &mut stream(derive_seed(seed, "trivia", index as u64), "instruction"))).collect()
}

fn row(world: &World, rng: &mut ChaCha8Rng) -> Row {
    let kind = rng.random_range(0..KINDS.len());
    let name = (*chosen(&world.part(kind, false), rng)).to_owned();
    let other_kind = (kind + rng.random_range(1..KINDS.len())) % KINDS.len();
    let plain =
        |instruction: String, output: &str| Row { instruction, input: String::new(), output: output.to_owned() };
    match rng.random_range(0..6) {
        0 | 1 => plain(format!("What is {name}?"), &KINDS[kind].a_word()),
        2 => {
            let (of, output) = if rng.random_bool(0.5) { (kind, "yes") } else { (other_kind, "no") };
            plain(format!("Is {name} {}?", KINDS[of].a_word()), output)
        }
        _ => {
            let asked = Asked { name, kind };
            let lines: Vec<String> = asked.offers().map(|(letter, answer)| format!("{letter}. {answer}")).collect();
            Row { instruction: asked.text(), input: lines.join("\n"), output: asked.letter().to_string() }
        }
    }
}
