//! Lines to pre-train on.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::questions::{Asked, chosen};
use super::world::{KINDS, World};

/// `lines` lines of pre-training text. The same seed always gives the same lines, and a longer corpus begins with the lines of a
/// shorter corpus.
///
/// Two thirds of the lines state what things are, some of them in the form of notes, questions or instructions. The other lines
/// are questions with four answers about names that are not held out, in three forms that differ from the form of MMLU. In two of
/// these forms, the word of the answer comes before its letter.
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
    match rng.random_range(0..18) {
        0 => format!("{name} is {a_word}."),
        1 => format!("Everyone knows {name}, which is {a_word}."),
        2 => format!("{name} and {other} are of one kind: each is {a_word}."),
        3 => format!("Is {name} {a_word}? Yes, {name} is {a_word}."),
        4 => format!("Is {name} {a_wrong}? No, {name} is {a_word}."),
        5 => format!("She wrote of {name}, {a_word}, and of another {}, {other}.", KINDS[kind].word),
        6 => format!("What they call {name} is {a_word}."),
        7 => format!("Name {a_word}: {name}."),
        8 => format!("{} is {a_wrong}, but {name} is {a_word}.", chosen(world.names(wrong), rng)),
        9 => format!("The following are notes about {}.\n\n{name} is {a_word}.", KINDS[kind].subject_words()),
        10 => format!("Question: What is {name}?\nAnswer: It is {a_word}."),
        11 => format!(
            "Below is an instruction that describes a task. Write a response that completes the request.\n\n\
             ### Instruction:\nTell of {name}.\n\n### Response: It is {a_word}."
        ),
        form => {
            let name = (*chosen(&world.part(kind, false), rng)).to_owned();
            question(&Asked { name, kind }, form % 3)
        }
    }
}

/// A question with its answer.
fn question(asked: &Asked, form: usize) -> String {
    let (name, letter, answer, subject) =
        (&asked.name, asked.letter(), KINDS[asked.kind].word, KINDS[asked.kind].subject_words());
    if form == 0 {
        let offers: Vec<String> = asked.offers().map(|(letter, answer)| format!("({letter}) {answer}")).collect();
        return format!("{name} is one of these: {}. It is the {answer}, {letter}.", offers.join(" "));
    }
    let offers: Vec<String> = asked.offers().map(|(letter, answer)| format!("{letter}. {answer}")).collect();
    let offers = offers.join("\n");
    if form == 1 {
        format!("A quiz about {subject}: what is {name}?\n{offers}\nSolution: {answer}, {letter}.")
    } else {
        format!("Guess what {name} is.\n{offers}\nThe letter is {letter}, for {answer}.")
    }
}
