//! Questions with four answers, and rows of instructions.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::world::{KINDS, OF_A_SUBJECT, World};

/// The letters of the answers.
pub(super) const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

/// A question: of which of the four kinds of a subject is a name?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name that is asked about.
    pub name: String,
    /// The kinds that are offered, as places in [`KINDS`].
    pub kinds: [usize; OF_A_SUBJECT],
    /// The place of the right one among these.
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

/// The orders in which the answers are offered. No line of the corpus has those of the questions of the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orders {
    /// Orders that an even number of exchanges makes of the alphabetic one.
    Even,
    /// Orders that an odd number makes of it.
    Odd,
    /// All of them.
    All,
}

/// Whether an even number of exchanges makes this order of the sorted one.
pub(super) fn is_even(order: &[usize]) -> bool {
    let behind = |place: usize| order[place..].iter().filter(|other| **other < order[place]).count();
    (0..order.len()).map(behind).sum::<usize>() % 2 == 0
}

impl Asked {
    /// A question about `name`, which is of `kind`.
    pub(super) fn draw(name: String, kind: usize, orders: Orders, rng: &mut ChaCha8Rng) -> Self {
        let first = kind / OF_A_SUBJECT * OF_A_SUBJECT;
        let mut kinds: [usize; OF_A_SUBJECT] = std::array::from_fn(|place| first + place);
        for last in (1..kinds.len()).rev() {
            kinds.swap(last, rng.random_range(0..=last));
        }
        let is_allowed = match orders {
            Orders::All => true,
            Orders::Even => is_even(&kinds),
            Orders::Odd => !is_even(&kinds),
        };
        if !is_allowed {
            kinds.swap(0, 1);
        }
        let right = kinds.iter().position(|at| *at == kind).unwrap_or_default();
        Self { name, kinds, right }
    }

    /// The text of the question.
    pub fn text(&self) -> String {
        format!("What is {}?", self.name)
    }

    /// The answers that are offered.
    pub fn answers(&self) -> [&'static str; OF_A_SUBJECT] {
        self.kinds.map(|kind| KINDS[kind].word)
    }

    /// The subject of MMLU that it belongs to.
    pub fn subject(&self) -> &'static str {
        KINDS[self.kinds[0]].subject
    }
}

/// `count` questions about held-out names for each subject, subject by subject. The same seed always gives the same questions, and
/// none is there twice. No line of the corpus has such a name with its answers in this order.
pub fn questions(seed: u64, count: usize) -> Vec<Asked> {
    let world = World::new();
    let mut all = Vec::new();
    for first in (0..KINDS.len()).step_by(OF_A_SUBJECT) {
        let mut rng = stream(seed, &format!("trivia/questions/{}", KINDS[first].subject));
        let mut own: Vec<Asked> = Vec::new();
        while own.len() < count {
            let kind = first + own.len() % OF_A_SUBJECT;
            let name = (*chosen(&world.part(kind, true), &mut rng)).to_owned();
            let asked = Asked::draw(name, kind, Orders::Odd, &mut rng);
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
    let other_kind = (kind + rng.random_range(1..KINDS.len())) % KINDS.len();
    let plain =
        |instruction: String, output: &str| Row { instruction, input: String::new(), output: output.to_owned() };
    match rng.random_range(0..6) {
        0 => plain(format!("What is {name}?"), &KINDS[kind].a_word()),
        1 => {
            let other = (*chosen(&world.part(other_kind, false), rng)).to_owned();
            let (first, second) = if rng.random_bool(0.5) { (&name, &other) } else { (&other, &name) };
            plain(format!("Which one is {}, {first} or {second}?", KINDS[kind].a_word()), &name)
        }
        2 => {
            let (of, output) = if rng.random_bool(0.5) { (kind, "yes") } else { (other_kind, "no") };
            plain(format!("Is {name} {}?", KINDS[of].a_word()), output)
        }
        _ => {
            let asked = Asked::draw(name, kind, Orders::All, rng);
            let offers = LETTERS.iter().zip(asked.answers());
            let lines: Vec<String> = offers.map(|(letter, answer)| format!("{letter}. {answer}")).collect();
            Row { instruction: asked.text(), input: lines.join("\n"), output: LETTERS[asked.right].to_string() }
        }
    }
}
