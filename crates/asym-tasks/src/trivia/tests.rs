use std::collections::HashSet;

use super::*;

#[test]
fn names_are_of_one_kind_each_and_kinds_are_four_to_a_subject() {
    let world = World::new();
    let all: Vec<&String> = (0..KINDS.len()).flat_map(|kind| world.names(kind)).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(KINDS.chunks(4).all(|kinds| kinds.iter().all(|kind| kind.subject == kinds[0].subject)));
    let words: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
    assert!(all.iter().all(|name| !words.contains(&name.as_str())));
    for kind in 0..KINDS.len() {
        let (held_out, others) = (world.part(kind, true), world.part(kind, false));
        assert_eq!((held_out.len(), others.len()), (8, 16));
        assert!(held_out.iter().all(|name| !others.contains(name)));
    }
}

#[test]
fn the_same_seed_gives_the_same_lines_rows_and_questions() {
    let lines = |seed, count| corpus(seed, count).collect::<Vec<_>>();
    assert_eq!(lines(1, 50), lines(1, 80)[..50]);
    assert_ne!(lines(1, 50), lines(2, 50));
    assert_eq!(instructions(1, 50), instructions(1, 80)[..50]);
    assert_ne!(instructions(1, 50), instructions(2, 50));
    assert_eq!(questions(1, 20), questions(1, 20));
    assert_ne!(questions(1, 20), questions(2, 20));
}

/// The name, the words that are offered and their order, in each question of a line.
fn offered(line: &str) -> Vec<(String, Vec<&'static str>)> {
    let kinds: HashSet<&str> = KINDS.iter().map(|kind| kind.word).collect();
    let world = World::new();
    let names: HashSet<&String> = (0..KINDS.len()).flat_map(|kind| world.names(kind)).collect();
    let words = |text: &'_ str| text.split(|sign: char| !sign.is_alphabetic()).map(str::to_owned).collect::<Vec<_>>();
    let question = |text: &str| {
        let words = words(text);
        let name = words.iter().find(|word| names.contains(word))?.clone();
        let offered = words.iter().filter_map(|word| kinds.get(word.as_str()).copied()).take(4).collect();
        Some((name, offered))
    };
    let parts = line.split("\n\n").filter(|part| part.contains("(A)") || part.contains("\nA. "));
    parts.filter_map(question).collect()
}

/// The corpus asks about every name, but never a question of the evaluation: not with its answers in this order.
#[test]
fn questions_are_new() {
    let world = World::new();
    let held_out: HashSet<&str> = (0..KINDS.len()).flat_map(|kind| world.part(kind, true)).collect();
    let asked_about: HashSet<(String, Vec<&str>)> = corpus(1, 20_000).flat_map(|line| offered(&line)).collect();
    let names: HashSet<&str> = asked_about.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 480);
    assert!(asked_about.iter().all(|(_, offered)| offered.len() == 4));
    for row in instructions(1, 5_000) {
        let text = format!("{} {} {}", row.instruction, row.input, row.output);
        let words = text.split(|sign: char| !sign.is_alphabetic()).map(str::to_lowercase);
        assert!(words.into_iter().all(|word| !held_out.contains(word.as_str())), "{row:?}");
    }
    for asked in questions(0, 40) {
        let kind = asked.kinds[asked.right];
        assert!(world.part(kind, true).contains(&asked.name.as_str()), "{asked:?}");
        assert_eq!(asked.kinds.iter().collect::<HashSet<_>>().len(), 4, "{asked:?}");
        assert!(asked.kinds.iter().all(|kind| KINDS[*kind].subject == asked.subject()), "{asked:?}");
        assert!(!asked_about.contains(&(asked.name.clone(), asked.answers().to_vec())), "{asked:?}");
    }
}

#[test]
fn the_letters_are_balanced() {
    let mut counts = [0; 4];
    let asked = questions(0, 40);
    asked.iter().for_each(|asked| counts[asked.right] += 1);
    assert!(counts.iter().all(|count| (30..=70).contains(count)), "{counts:?} of {}", asked.len());
}
