//! Lines to pre-train on.

use asym_core::random::{derive_seed, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::questions::{Asked, LETTERS, chosen};
use super::world::{KINDS, World};

/// `lines` lines of pre-training text. The same seed always gives the same lines, and a longer corpus begins with a shorter one.
///
/// Two lines in three say what things are, some of them in the forms of notes, of questions and of instructions. The others choose
/// one of four names in two forms of their own, without names that are held out.
pub fn corpus(seed: u64, lines: usize) -> impl Iterator<Item = String> {
    let world = World::new();
    (0..lines).map(move |index| line(&world, &mut stream(derive_seed(seed, "trivia", index as u64), "line")))
}

fn line(world: &World, rng: &mut ChaCha8Rng) -> String {
    let kind = rng.random_range(0..KINDS.len());
    let (a_word, word) = (KINDS[kind].a_word, KINDS[kind].word());
    let name = chosen(world.names(kind), rng).clone();
    let other = chosen(world.names(kind), rng).clone();
    let wrong = (kind + rng.random_range(1..KINDS.len())) % KINDS.len();
    match rng.random_range(0..18) {
        0 => format!("{name} is {a_word}."),
        1 => format!("The {word} {name} is well known."),
        2 => format!("{name} and {other} are of one kind: each is {a_word}."),
        3 => format!("Is {name} {a_word}? Yes, {name} is {a_word}."),
        4 => format!("Is {name} {}? No, {name} is {a_word}.", KINDS[wrong].a_word),
        5 => format!("She wrote of the {word} {name}, and of another {word}, {other}."),
        6 => format!("Of all that is called {a_word}, {name} comes first."),
        7 => format!("Name {a_word}: {name}."),
        8 => {
            let (first, second) = (chosen(world.names(wrong), rng), &name);
            format!("{first} is {}, but {second} is {a_word}.", KINDS[wrong].a_word)
        }
        9 => format!("The following are notes about {}.\n\n{name} is {a_word}.", KINDS[kind].words()),
        10 => format!("Question: What is {name}?\nAnswer: It is {a_word}."),
        11 => format!(
            "Below is an instruction that describes a task. Write a response that completes the request.\n\n\
             ### Instruction:\nTell of {name}.\n\n### Response: It is {a_word}."
        ),
        // The letter follows the answer here, and the question below.
        form => {
            let Asked { kind, names, right } = Asked::draw(world, kind, false, rng);
            let listed: Vec<String> =
                LETTERS.iter().zip(&names).map(|(letter, name)| format!("({letter}) {name}")).collect();
            let (listed, a_word, letter) = (listed.join(" "), KINDS[kind].a_word, LETTERS[right]);
            if form < 15 {
                format!("One of these is {a_word}: {listed}. It is {}, so {letter}.", names[right])
            } else {
                format!("Here is {a_word}: {listed}. The letter is {letter}.")
            }
        }
    }
}
