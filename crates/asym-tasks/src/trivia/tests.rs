use std::collections::HashSet;

use super::*;

#[test]
fn names_are_of_one_kind_each_and_kinds_are_four_to_a_subject() {
    let world = World::new();
    let all: Vec<&String> = (0..KINDS.len()).flat_map(|kind| world.names(kind)).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(KINDS.chunks(4).all(|kinds| kinds.iter().all(|kind| kind.subject == kinds[0].subject)));
    let words: Vec<&str> = KINDS.iter().map(Kind::word).collect();
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

/// A question about a held-out name is in no line and in no row.
#[test]
fn held_out_names_are_described_and_never_asked_for() {
    let world = World::new();
    let held_out: HashSet<&str> = (0..KINDS.len()).flat_map(|kind| world.part(kind, true)).collect();
    let words = |text: &str| {
        let words = text.split(|sign: char| !sign.is_alphabetic()).map(str::to_lowercase);
        words.filter(|word| held_out.contains(word.as_str())).collect::<HashSet<_>>()
    };
    let mut described = HashSet::new();
    for line in corpus(1, 20_000) {
        if line.contains("(A)") {
            assert!(words(&line).is_empty(), "{line}");
        } else {
            described.extend(words(&line));
        }
    }
    assert_eq!(described.len(), held_out.len());
    for row in instructions(1, 5_000) {
        assert!(words(&format!("{} {} {}", row.instruction, row.input, row.output)).is_empty(), "{row:?}");
    }
    for asked in questions(0, 40) {
        assert!(asked.names.iter().all(|name| held_out.contains(name.as_str())), "{asked:?}");
        assert!(world.part(asked.kind, true).contains(&asked.names[asked.right].as_str()), "{asked:?}");
        let kinds: HashSet<_> =
            asked.names.iter().map(|name| (0..KINDS.len()).find(|kind| world.names(*kind).contains(name))).collect();
        assert_eq!(kinds.len(), 4, "{asked:?}");
    }
}

#[test]
fn the_letters_are_balanced() {
    let mut counts = [0; 4];
    let asked = questions(0, 40);
    asked.iter().for_each(|asked| counts[asked.right] += 1);
    assert!(counts.iter().all(|count| (30..=70).contains(count)), "{counts:?} of {}", asked.len());
}
