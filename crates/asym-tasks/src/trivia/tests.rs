use std::collections::HashSet;

use super::*;

#[test]
fn each_name_has_one_kind_and_each_subject_four_kinds() {
    let world = World::new();
    let all: Vec<&String> = (0..KINDS.len()).flat_map(|kind| world.names(kind)).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(KINDS.chunks(4).all(|kinds| kinds.iter().all(|kind| kind.subject == kinds[0].subject)));
    let words: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
    assert!(all.iter().all(|name| !words.contains(&name.as_str())));
    for kind in 0..KINDS.len() {
        let (held_out, others) = (world.part(kind, true), world.part(kind, false));
        assert_eq!((held_out.len(), others.len()), (12, 24));
        assert!(held_out.iter().all(|name| !others.contains(name)));
    }
}

#[test]
fn the_same_seed_gives_the_same_lines_and_rows() {
    let lines = |seed, count| corpus(seed, count).collect::<Vec<_>>();
    assert_eq!(lines(1, 50), lines(1, 80)[..50]);
    assert_ne!(lines(1, 50), lines(2, 50));
    assert_eq!(instructions(1, 50), instructions(1, 80)[..50]);
    assert_ne!(instructions(1, 50), instructions(2, 50));
}

/// No row and no line with a four-answer question contains a held-out name.
#[test]
fn held_out_names_do_not_occur_in_questions() {
    let world = World::new();
    let held_out: HashSet<&str> = (0..KINDS.len()).flat_map(|kind| world.part(kind, true)).collect();
    let words = |text: &str| {
        let words = text.split(|sign: char| !sign.is_alphabetic()).map(str::to_lowercase);
        words.filter(|word| held_out.contains(word.as_str())).collect::<HashSet<_>>()
    };
    let mut described = HashSet::new();
    for line in corpus(1, 20_000) {
        if line.contains("(A)") || line.contains("\nA. ") {
            assert!(words(&line).is_empty(), "{line}");
        } else {
            described.extend(words(&line));
        }
    }
    assert_eq!(described.len(), held_out.len());
    for row in instructions(1, 5_000) {
        assert!(words(&format!("{} {} {}", row.instruction, row.input, row.output)).is_empty(), "{row:?}");
    }
    let questions = questions();
    assert_eq!(questions.iter().map(|asked| asked.name.as_str()).collect::<HashSet<_>>(), held_out);
    let mut letters = [0; 4];
    for asked in &questions {
        assert!(world.part(asked.kind, true).contains(&asked.name.as_str()), "{asked:?}");
        assert_eq!(asked.answers()[asked.right()], KINDS[asked.kind].word);
        assert!(asked.answers().is_sorted(), "{asked:?}");
        letters[asked.right()] += 1;
    }
    assert_eq!(letters, [60; 4]);
}
