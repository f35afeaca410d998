//! Questions with four answers, and rows of instructions.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::world::{KINDS, OF_A_SUBJECT, World};

/// The letters of the answers.
pub(super) const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

/// A question: which of four names, one of each kind of a subject, is of a kind?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The kind that is asked for, as a place in [`KINDS`].
    pub kind: usize,
    /// The four names.
    pub names: [String; 4],
    /// The place of the right one.
    pub right: usize,
}

/// A row in the form of Alpaca.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The instruction.
    pub instruction: String,
    /// The text that it is about; empty if there is none.
    pub input: String,
    /// The answer.
    pub output: String,
}

/// The item of `items` that is drawn.
pub(super) fn chosen<'a, T>(items: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &items[rng.random_range(0..items.len())]
}

impl Asked {
    /// A question that asks for `kind`, with names that are all held out or all not.
    pub(super) fn draw(world: &World, kind: usize, held_out: bool, rng: &mut ChaCha8Rng) -> Self {
        let first = kind / OF_A_SUBJECT * OF_A_SUBJECT;
        let mut kinds: [usize; OF_A_SUBJECT] = std::array::from_fn(|place| first + place);
        for last in (1..kinds.len()).rev() {
            kinds.swap(last, rng.random_range(0..=last));
        }
        let names = kinds.map(|kind| (*chosen(&world.part(kind, held_out), rng)).to_owned());
        let right = kinds.iter().position(|at| *at == kind).unwrap_or_default();
        Self { kind, names, right }
    }

    /// The text of the question.
    pub fn text(&self) -> String {
        format!("Which of these is {}?", KINDS[self.kind].a_word)
    }

    /// The subject of MMLU that it belongs to.
    pub fn subject(&self) -> &'static str {
        KINDS[self.kind].subject
    }
}

/// `count` questions about held-out names for each subject, subject by subject. The same seed always gives the same questions, and
/// none is there twice.
pub fn questions(seed: u64, count: usize) -> Vec<Asked> {
    let world = World::new();
    let mut all = Vec::new();
    for first in (0..KINDS.len()).step_by(OF_A_SUBJECT) {
        let mut rng = stream(seed, &format!("trivia/questions/{}", KINDS[first].subject));
        let mut own: Vec<Asked> = Vec::new();
        while own.len() < count {
            let asked = Asked::draw(&world, first + own.len() % OF_A_SUBJECT, true, &mut rng);
            if !own.contains(&asked) {
                own.push(asked);
            }
        }
        all.append(&mut own);
    }
    all
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
    let plain = |instruction: String, output: String| Row { instruction, input: String::new(), output };
    match rng.random_range(0..6) {
        0 => plain(format!("What is {name}?"), KINDS[kind].a_word.to_owned()),
        1 => plain(format!("Name {}.", KINDS[kind].a_word), name),
        2 => {
            let other =
                if rng.random_bool(0.5) { kind } else { (kind + rng.random_range(1..KINDS.len())) % KINDS.len() };
            let output = if other == kind { "yes" } else { "no" };
            plain(format!("Is {name} {}?", KINDS[other].a_word), output.to_owned())
        }
        _ => {
            let asked = Asked::draw(world, kind, false, rng);
            let lines: Vec<String> =
                LETTERS.iter().zip(&asked.names).map(|(letter, name)| format!("{letter}. {name}")).collect();
            Row {
                instruction: asked.text(),
                input: lines.join("\n"),
                output: LETTERS[asked.right].to_string(),
            }
        }
    }
}
