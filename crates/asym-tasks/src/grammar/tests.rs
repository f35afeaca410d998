use std::collections::{BTreeSet, HashSet};

use super::draw::{Draw, Stream};
use super::scene::{Detail, Scene, Shared};
use super::*;

mod bags;

/// The development sets of a task, one by one.
fn development_sets(dev: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    dev.chunk_by(|one, next| one.part == next.part)
}

/// Both texts of a sample.
fn texts(sample: &Sample) -> impl Iterator<Item = &str> {
    [Some(sample.first.as_str()), sample.second.as_deref()].into_iter().flatten()
}

/// What tells a scene, or judges one: a question of QNLI's leaves somebody out of it.
fn whole_texts(task: Task, sample: &Sample) -> impl Iterator<Item = &str> {
    texts(sample).skip(usize::from(task == Task::Qnli))
}

#[test]
fn a_seed_stands_for_its_data() {
    for &task in Task::ALL {
        assert_eq!(generate(task, 3), generate(task, 3));
        assert_ne!(generate(task, 3), generate(task, 4));
    }
    let lines = |seed| pretraining_corpus(seed, 100).collect::<Vec<_>>();
    assert_eq!(lines(3), lines(3));
    assert_ne!(lines(3), lines(4));
}

#[test]
fn each_part_has_its_own_stream() {
    let mut numbers = HashSet::from([Stream::Corpus as u64]);
    for design in Task::ALL.iter().map(|task| design(*task)) {
        for part in std::iter::once(&design.train).chain(design.dev) {
            assert!(numbers.insert(part.stream as u64), "{:?}", part.stream);
        }
    }
}

/// Hashes of files and lines as they were when the checkpoint was trained and the tables of the documents made; a
/// difference means that another set stands under the same seed.
#[test]
fn the_sets_are_what_they_were() -> std::io::Result<()> {
    for (task, train, dev) in [
        (Task::Cola, 0x23b5_b761_7003_a00e, 0xc0d9_0ba4_a28a_b396),
        (Task::Mnli, 0x3ba4_0ff1_94c8_f42c, 0xf422_8712_336c_ca64),
        (Task::Mrpc, 0x5c69_cfd9_1b53_3802, 0xbb20_6f4e_e2ab_fa6e),
        (Task::Qnli, 0x7a8d_7662_2b58_319b, 0x996c_72a9_9a83_69e3),
        (Task::Qqp, 0x1322_0c66_c571_7911, 0x3ad5_2c46_9546_1184),
        (Task::Rte, 0x7e5f_3a65_fa75_9b70, 0x1d81_a883_520e_3d30),
        (Task::Sst2, 0xf505_63fe_e681_e7ed, 0xdfd3_57fa_467b_df58),
        (Task::Stsb, 0x6352_3ea0_2892_72d2, 0xc014_43ae_39e0_c36f),
    ] {
        let set = generate(task, 0);
        let mut bytes = Vec::new();
        write_tsv(task, &set.train, &mut bytes)?;
        assert_eq!(fnv1a(&bytes), train, "{task:?}, training set: {:#018x}", fnv1a(&bytes));
        bytes.clear();
        for part in development_sets(&set.dev) {
            write_tsv(task, part, &mut bytes)?;
        }
        assert_eq!(fnv1a(&bytes), dev, "{task:?}, development sets: {:#018x}", fnv1a(&bytes));
    }
    let corpus: String = pretraining_corpus(1, 20_000).map(|line| line + "\n").collect();
    assert_eq!(fnv1a(corpus.as_bytes()), 0xb338_a7a5_5f6a_5f71);
    Ok(())
}

#[test]
fn no_part_holds_a_key_of_the_other() {
    for seed in 0..3 {
        let (mut trained, mut held) = (HashSet::new(), HashSet::new());
        for &task in Task::ALL {
            let set = generate(task, seed);
            let keys = |part: &[Sample]| {
                let keys: HashSet<String> = part.iter().map(|sample| sample.key.clone()).collect();
                assert_eq!(keys.len(), part.len(), "{task:?}: a key occurs twice in one part");
                keys
            };
            trained.extend(keys(&set.train));
            held.extend(development_sets(&set.dev).flat_map(keys));
        }
        assert!(trained.is_disjoint(&held));
    }
}

#[test]
fn no_text_of_a_development_set_is_trained_on() {
    let sets: Vec<_> = Task::ALL.iter().map(|task| (*task, generate(*task, 0))).collect();
    let held: HashSet<&str> =
        sets.iter().flat_map(|(task, set)| set.dev.iter().flat_map(|sample| whole_texts(*task, sample))).collect();
    for text in sets.iter().flat_map(|(_, set)| set.train.iter().flat_map(texts)) {
        assert!(!held.contains(text), "{text}");
    }
    // The second seed is the checkpoint's.
    for line in pretraining_corpus(0, 50_000).chain(pretraining_corpus(1, 50_000)) {
        for half in line.split('\t') {
            let mut told = ANSWERS.iter().filter_map(|answer| half.strip_prefix(answer)?.strip_prefix(" , "));
            let text = told.next().unwrap_or(half);
            assert!(!held.contains(text), "{text}");
        }
    }
}

#[test]
fn no_pair_of_a_development_set_is_trained_on() {
    for &task in Task::ALL {
        let set = generate(task, 1);
        let trained: HashSet<_> = set.train.iter().map(|sample| (&sample.first, &sample.second)).collect();
        assert!(set.dev.iter().all(|sample| !trained.contains(&(&sample.first, &sample.second))));
    }
}

#[test]
fn the_classes_are_even() {
    for &task in Task::ALL {
        let set = generate(task, 0);
        assert_eq!(set.train.len(), TRAIN_SIZE);
        assert_eq!(set.dev.len(), design(task).dev.len() * DEV_SIZE);
        assert!(set.train.iter().all(|sample| sample.part == 0));
        let sets = development_sets(&set.dev);
        for part in sets.chain([set.train.as_slice()]) {
            assert!([TRAIN_SIZE, DEV_SIZE].contains(&part.len()));
            assert!(part.iter().all(|sample| sample.second.as_ref() != Some(&sample.first)));
            let mut counts = std::collections::BTreeMap::new();
            for sample in part {
                let bin = match sample.target {
                    Target::Class(class) => class,
                    // The quarters of the scale, of which the last has both ends.
                    Target::Score(score) => (score / 1.25).min(3.0) as usize,
                    Target::Unknown => panic!("a generated sample has an answer"),
                };
                *counts.entry(bin).or_insert(0) += 1;
            }
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            match task {
                Task::Stsb => assert!(counts.len() == 4 && 8 * least > part.len(), "{counts:?}"),
                _ => assert!(most - least <= 1, "{task:?}: {counts:?}"),
            }
        }
    }
}

#[test]
fn an_exchange_changes_one_word_and_not_the_scene() {
    let mut draw = Draw::new(0, Stream::Corpus);
    for _ in 0..5000 {
        let scene = Scene::draw(&mut draw);
        let said: HashSet<String> = scene.sentences().into_iter().collect();
        assert!(said.len() >= 4 && said.len() == scene.sentences().len(), "{said:?}");
        let same = scene.counterpart(true, &mut draw);
        let (first, second) = (&scene.sentences()[0], &same.sentences()[0]);
        let changed = first.split(' ').zip(second.split(' ')).filter(|(one, other)| one != other).count();
        assert_eq!(changed, 1, "{first} / {second}");
        assert_eq!(scene.key(), same.key());
        let other = scene.counterpart(false, &mut draw);
        assert!(scene.key() != other.key() && held_out(&scene.cast()) == held_out(&other.cast()));
    }
}

#[test]
fn another_scene_shares_what_it_is_told_to() {
    fn scene(draw: &mut Draw) -> Scene {
        Scene::act(draw, Detail { adjective: 0, adjunct: 0, negated: 0 })
    }
    let mut draw = Draw::new(0, Stream::Corpus);
    for round in 0..400 {
        let shared = Shared { agent: round % 2 == 0, other: round % 4 < 2, event: round % 8 < 4 };
        let one = scene(&mut draw);
        let Some(other) = one.other(shared, scene, &mut draw) else { continue };
        assert_eq!(held_out(&one.cast()), held_out(&other.cast()));
        let (key, again) = (one.key(), other.key());
        let names = |key: &str| key.split([':', ',']).map(str::to_owned).collect::<HashSet<_>>();
        let common = (&names(&key) & &names(&again)).len() - 1;
        let told = [shared.agent, shared.other, shared.event].into_iter().filter(|part| *part).count();
        assert_eq!(common, told, "{key} {again}");
    }
}

#[test]
fn questions_of_a_scene_differ() {
    let mut draw = Draw::new(0, Stream::Corpus);
    let mut forms = HashSet::new();
    for _ in 0..2000 {
        let scene = Scene { negated: false, ..Scene::draw(&mut draw) };
        let Some((one, other)) = scene.asked_twice(&scene, &mut draw) else { continue };
        assert!(one != other && one.ends_with(" ?") && other.ends_with(" ?"), "{one} {other}");
        forms.insert(one.split(' ').next().map(str::to_owned));
    }
    assert_eq!(forms.len(), 8, "{forms:?}");
}

#[test]
fn lines_are_short_and_of_few_words() {
    let lines: Vec<String> = pretraining_corpus(0, 50_000).collect();
    assert!(lines.iter().all(|line| line.split([' ', '\t']).count() <= 60));
    let mut words = BTreeSet::new();
    for half in lines.iter().flat_map(|line| line.split('\t')) {
        assert!(half.ends_with(" .") || half.ends_with(" ?"), "{half}");
        words.extend(half.split(' '));
    }
    assert!((250..=450).contains(&words.len()), "{}", words.len());
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase()) || [",", ".", "?"].contains(word)));

    // What the sets say in words, the corpus has said before: nothing there is new but the combination.
    for task in Task::ALL {
        let set = generate(*task, 0);
        for sample in set.train.iter().chain(&set.dev) {
            assert!(texts(sample).flat_map(|text| text.split(' ')).count() <= 60, "{sample:?}");
            for word in texts(sample).flat_map(|text| text.split(' ')) {
                assert!(words.contains(word), "{word}");
            }
        }
    }
}

/// A file of two samples whose texts are "a ." and "b .".
fn file(task: Task, targets: [Target; 2]) -> std::io::Result<String> {
    let samples = targets.map(|target| Sample {
        first: "a .".to_owned(),
        second: Some("b .".to_owned()),
        target,
        source: "kind",
        key: String::new(),
        part: 0,
    });
    let mut bytes = Vec::new();
    write_tsv(task, &samples, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn files_have_the_columns_of_glue() -> std::io::Result<()> {
    let two = [Target::Class(1), Target::Class(0)];
    assert_eq!(file(Task::Cola, two)?, "kind\t1\t\ta .\nkind\t0\t*\ta .\n");
    let header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    assert_eq!(file(Task::Mrpc, two)?, format!("{header}1\t1\t2\ta .\tb .\n0\t3\t4\ta .\tb .\n"));
    let header = "index\tquestion\tsentence\tlabel\n";
    assert_eq!(file(Task::Qnli, two)?, format!("{header}0\ta .\tb .\tnot_entailment\n1\ta .\tb .\tentailment\n"));
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    assert_eq!(file(Task::Qqp, two)?, format!("{header}0\t1\t2\ta .\tb .\t1\n1\t3\t4\ta .\tb .\t0\n"));
    let header = "index\tsentence1\tsentence2\tlabel\n";
    assert_eq!(file(Task::Rte, two)?, format!("{header}0\ta .\tb .\tnot_entailment\n1\ta .\tb .\tentailment\n"));
    assert_eq!(file(Task::Sst2, two)?, "sentence\tlabel\na .\t1\na .\t0\n");

    let text = file(Task::Stsb, [Target::Score(1.6), Target::Score(5.0)])?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "0\tkind\t-\t-\t0\t-\t-\ta .\tb .\t1.600");
    assert_eq!(lines[2], "1\tkind\t-\t-\t1\t-\t-\ta .\tb .\t5.000");
    assert!(lines[0].starts_with("index\tgenre\t") && lines[0].ends_with("\tsentence1\tsentence2\tscore"));

    let text = file(Task::Mnli, [Target::Class(1), Target::Class(2)])?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "0\t0\t0\tkind\t-\t-\t-\t-\ta .\tb .\tneutral\tneutral");
    assert!(lines[2].ends_with("\tcontradiction\tcontradiction"));
    for lines in [lines, file(Task::Stsb, two)?.lines().collect()] {
        assert!(lines.iter().all(|line| line.split('\t').count() == lines[0].split('\t').count()));
    }
    Ok(())
}
