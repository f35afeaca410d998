//! Lines to pre-train on.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::questions::{Asked, LETTERS, Orders, chosen};
use super::world::{KINDS, World};

/// Questions of a line that asks some.
const QUESTIONS: usize = 3;

/// `lines` lines of pre-training text. The same seed always gives the same lines, and a longer corpus begins with a shorter one.
///
/// A quarter of the lines say what things are, some of them in the forms of notes, of questions and of instructions. Another quarter
/// only pair words with letters. Each of the others has three questions with four answers, in one of three forms, which are not the
/// form of MMLU. A model of this size learns to choose among answers only if it also sees the steps that a choice consists of.
pub fn corpus(seed: u64, lines: usize) -> impl Iterator<Item = String> {
    let world = World::new();
    (0..lines).map(move |index| line(&world, &mut stream(derive_seed(seed, "trivia", index as u64), "line")))
}

fn line(world: &World, rng: &mut ChaCha8Rng) -> String {
    let kind = rng.random_range(0..KINDS.len());
    let wrong = (kind + rng.random_range(1..KINDS.len())) % KINDS.len();
    let (a_word, a_wrong) = (KINDS[kind].a_word(), KINDS[wrong].a_word());
    let name = chosen(world.names(kind), rng).clone();
    let other = chosen(world.names(kind), rng).clone();
    match rng.random_range(0..48) {
        0 => format!("{name} is {a_word}."),
        1 => format!("Everyone knows {name}, which is {a_word}."),
        2 => format!("{name} and {other} are of one kind: each is {a_word}."),
        3 => format!("Is {name} {a_word}? Yes, {name} is {a_word}."),
        4 => format!("Is {name} {a_wrong}? No, {name} is {a_word}."),
        5 => format!("She wrote of {name}, {a_word}, and of another {}, {other}.", KINDS[kind].word),
        6 => format!("What they call {name} is {a_word}."),
        7 => format!("Name {a_word}: {name}."),
        8 => format!("{} is {a_wrong}, but {name} is {a_word}.", chosen(world.names(wrong), rng)),
        9 => format!("The following are notes about {}.\n\n{name} is {a_word}.", KINDS[kind].words()),
        10 => format!("Question: What is {name}?\nAnswer: It is {a_word}."),
        11 => format!(
            "Below is an instruction that describes a task. Write a response that completes the request.\n\n\
             ### Instruction:\nTell of {name}.\n\n### Response: It is {a_word}."
        ),
        12..24 => pairs(rng),
        form => {
            let questions: Vec<String> = (0..QUESTIONS).map(|_| question(world, form % 3, rng)).collect();
            questions.join("\n\n")
        }
    }
}

/// Four words with letters, and the letter of each.
fn pairs(rng: &mut ChaCha8Rng) -> String {
    let mut kinds: Vec<usize> = (0..KINDS.len()).collect();
    for place in 0..LETTERS.len() {
        let other = rng.random_range(place..kinds.len());
        kinds.swap(place, other);
    }
    let word = |place: usize| KINDS[kinds[place]].word;
    let listed: Vec<String> = (0..4).map(|place| format!("{}. {}", LETTERS[place], word(place))).collect();
    let mut order = [0, 1, 2, 3];
    for place in (1..order.len()).rev() {
        order.swap(place, rng.random_range(0..=place));
    }
    let said: Vec<String> = order.iter().map(|place| format!("The {} is {}.", word(*place), LETTERS[*place])).collect();
    format!("{}\n{}", listed.join("\n"), said.join(" "))
}

/// A question about any name, with its answer.
fn question(world: &World, form: usize, rng: &mut ChaCha8Rng) -> String {
    let kind = rng.random_range(0..KINDS.len());
    let name = chosen(world.names(kind), rng).clone();
    let asked = Asked::draw(name, kind, Orders::Even, rng);
    let (name, letter, answer) = (&asked.name, LETTERS[asked.right], KINDS[kind].word);
    let offers = LETTERS.iter().zip(asked.answers());
    match form {
        0 => {
            let offers: Vec<String> = offers.map(|(letter, answer)| format!("({letter}) {answer}")).collect();
            format!("{name} is one of these: {}. It is the {answer}, {letter}.", offers.join(" "))
        }
        form => {
            let offers: Vec<String> = offers.map(|(letter, answer)| format!("{letter}. {answer}")).collect();
            let offers = offers.join("\n");
            if form == 1 {
                format!(
                    "A quiz about {}: what is {name}?\n{offers}\nSolution: {letter}, {answer}.",
                    KINDS[kind].words()
                )
            } else {
                format!("Guess what {name} is.\n{offers}\nThe letter is {letter}, for {answer}.")
            }
        }
    }
}
