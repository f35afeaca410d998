use std::collections::HashSet;

use super::sets::design;
use super::*;
use crate::grammar::draw::Stream;
use crate::grammar::key::fnv1a;
use crate::grammar::{ANSWERS, pretraining_corpus};
use crate::text::Target;

mod bags;

/// The development sets of a dataset, one by one.
fn development_sets(dev: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    dev.chunk_by(|one, next| one.part == next.part)
}

/// The one or two texts of a sample.
fn texts(sample: &Sample) -> impl Iterator<Item = &str> {
    [Some(sample.first.as_str()), sample.second.as_deref()].into_iter().flatten()
}

/// The texts that describe a whole scene or are an opinion. QNLI's questions omit one person of their scene, so they are not
/// included.
fn whole_texts(dataset: Dataset, sample: &Sample) -> impl Iterator<Item = &str> {
    texts(sample).skip(usize::from(dataset == Dataset::Qnli))
}

#[test]
fn the_seed_determines_the_data() {
    for &dataset in Dataset::ALL {
        assert_eq!(generate(dataset, 3), generate(dataset, 3));
        assert_ne!(generate(dataset, 3), generate(dataset, 4));
    }
}

#[test]
fn each_part_has_its_own_stream() {
    let mut numbers = HashSet::from([Stream::CORPUS]);
    for design in Dataset::ALL.iter().map(|dataset| design(*dataset)) {
        for part in std::iter::once(&design.train).chain(design.dev) {
            assert!(numbers.insert(part.stream), "{:?}", part.stream);
        }
    }
}

/// Hashes of the files on which the tables in the documentation are based. A difference means that the same seed results in
/// another set.
#[test]
fn generated_sets_match_their_pinned_hashes() -> std::io::Result<()> {
    for (dataset, train, dev) in [
        (Dataset::Cola, 0x23b5_b761_7003_a00e, 0xc0d9_0ba4_a28a_b396),
        (Dataset::Mnli, 0x3ba4_0ff1_94c8_f42c, 0xf422_8712_336c_ca64),
        (Dataset::Mrpc, 0x5c69_cfd9_1b53_3802, 0xbb20_6f4e_e2ab_fa6e),
        (Dataset::Qnli, 0x7a8d_7662_2b58_319b, 0x996c_72a9_9a83_69e3),
        (Dataset::Qqp, 0x1322_0c66_c571_7911, 0x3ad5_2c46_9546_1184),
        (Dataset::Rte, 0x7e5f_3a65_fa75_9b70, 0x1d81_a883_520e_3d30),
        (Dataset::Sst2, 0xf505_63fe_e681_e7ed, 0xdfd3_57fa_467b_df58),
        (Dataset::Stsb, 0x6352_3ea0_2892_72d2, 0xc014_43ae_39e0_c36f),
    ] {
        let set = generate(dataset, 0);
        let mut bytes = Vec::new();
        write_tsv(dataset, &set.train, &mut bytes)?;
        assert_eq!(fnv1a(&bytes), train, "{dataset:?}, training set: {:#018x}", fnv1a(&bytes));
        bytes.clear();
        for part in development_sets(&set.dev) {
            write_tsv(dataset, part, &mut bytes)?;
        }
        assert_eq!(fnv1a(&bytes), dev, "{dataset:?}, development sets: {:#018x}", fnv1a(&bytes));
    }
    Ok(())
}

#[test]
fn training_and_development_sets_share_no_keys() {
    for seed in 0..3 {
        let (mut trained, mut held) = (HashSet::new(), HashSet::new());
        for &dataset in Dataset::ALL {
            let set = generate(dataset, seed);
            let keys = |part: &[Sample]| {
                let keys: HashSet<String> = part.iter().map(|sample| sample.key.clone()).collect();
                assert_eq!(keys.len(), part.len(), "{dataset:?}: a key occurs twice in one part");
                keys
            };
            trained.extend(keys(&set.train));
            held.extend(development_sets(&set.dev).flat_map(keys));
        }
        assert!(trained.is_disjoint(&held));
    }
}

#[test]
fn training_sets_contain_no_development_texts() {
    let sets: Vec<_> = Dataset::ALL.iter().map(|dataset| (*dataset, generate(*dataset, 0))).collect();
    let held: HashSet<&str> = sets
        .iter()
        .flat_map(|(dataset, set)| set.dev.iter().flat_map(|sample| whole_texts(*dataset, sample)))
        .collect();
    for text in sets.iter().flat_map(|(_, set)| set.train.iter().flat_map(texts)) {
        assert!(!held.contains(text), "{text}");
    }
    // The checkpoint was trained on the corpus of the second seed.
    for line in pretraining_corpus(0, 50_000).chain(pretraining_corpus(1, 50_000)) {
        for half in line.split('\t') {
            let mut told = ANSWERS.iter().filter_map(|answer| half.strip_prefix(answer)?.strip_prefix(" , "));
            let text = told.next().unwrap_or(half);
            assert!(!held.contains(text), "{text}");
        }
    }
}

#[test]
fn training_sets_contain_no_development_pairs() {
    for &dataset in Dataset::ALL {
        let set = generate(dataset, 1);
        let trained: HashSet<_> = set.train.iter().map(|sample| (&sample.first, &sample.second)).collect();
        assert!(set.dev.iter().all(|sample| !trained.contains(&(&sample.first, &sample.second))));
    }
}

#[test]
fn classes_are_balanced() {
    for &dataset in Dataset::ALL {
        let set = generate(dataset, 0);
        assert_eq!(set.train.len(), TRAIN_SIZE);
        assert_eq!(set.dev.len(), design(dataset).dev.len() * DEV_SIZE);
        assert!(set.train.iter().all(|sample| sample.part == 0));
        let sets = development_sets(&set.dev);
        for part in sets.chain([set.train.as_slice()]) {
            assert!([TRAIN_SIZE, DEV_SIZE].contains(&part.len()));
            assert!(part.iter().all(|sample| sample.second.as_ref() != Some(&sample.first)));
            let mut counts = std::collections::BTreeMap::new();
            for sample in part {
                let bin = match sample.target {
                    Target::Class(class) => class,
                    // The quarters of the range. The last quarter includes both of its ends.
                    Target::Score(score) => (score / 1.25).min(3.0) as usize,
                    Target::Labels(_) | Target::Unknown => panic!("a generated sample must have one answer"),
                };
                *counts.entry(bin).or_insert(0) += 1;
            }
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            match dataset {
                Dataset::Stsb => assert!(counts.len() == 4 && 8 * least > part.len(), "{counts:?}"),
                _ => assert!(most - least <= 1, "{dataset:?}: {counts:?}"),
            }
        }
    }
}

#[test]
fn texts_are_short_and_use_only_words_of_the_corpus() {
    let lines: Vec<String> = pretraining_corpus(0, 50_000).collect();
    let words: HashSet<&str> = lines.iter().flat_map(|line| line.split([' ', '\t'])).collect();
    // Only the combinations of words are new to a model that was trained on the corpus.
    for dataset in Dataset::ALL {
        let set = generate(*dataset, 0);
        for sample in set.train.iter().chain(&set.dev) {
            assert!(texts(sample).flat_map(|text| text.split(' ')).count() <= 60, "{sample:?}");
            for word in texts(sample).flat_map(|text| text.split(' ')) {
                assert!(words.contains(word), "{word}");
            }
        }
    }
}

/// A file with two samples, whose texts are "a ." and "b .".
fn file(dataset: Dataset, targets: [Target; 2]) -> std::io::Result<String> {
    let samples = targets.map(|target| Sample {
        first: "a .".to_owned(),
        second: Some("b .".to_owned()),
        target,
        source: "kind",
        key: String::new(),
        part: 0,
    });
    let mut bytes = Vec::new();
    write_tsv(dataset, &samples, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn files_have_the_columns_of_glue() -> std::io::Result<()> {
    let two = || [Target::Class(1), Target::Class(0)];
    assert_eq!(file(Dataset::Cola, two())?, "kind\t1\t\ta .\nkind\t0\t*\ta .\n");
    let header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    assert_eq!(file(Dataset::Mrpc, two())?, format!("{header}1\t1\t2\ta .\tb .\n0\t3\t4\ta .\tb .\n"));
    let header = "index\tquestion\tsentence\tlabel\n";
    assert_eq!(file(Dataset::Qnli, two())?, format!("{header}0\ta .\tb .\tnot_entailment\n1\ta .\tb .\tentailment\n"));
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    assert_eq!(file(Dataset::Qqp, two())?, format!("{header}0\t1\t2\ta .\tb .\t1\n1\t3\t4\ta .\tb .\t0\n"));
    let header = "index\tsentence1\tsentence2\tlabel\n";
    assert_eq!(file(Dataset::Rte, two())?, format!("{header}0\ta .\tb .\tnot_entailment\n1\ta .\tb .\tentailment\n"));
    assert_eq!(file(Dataset::Sst2, two())?, "sentence\tlabel\na .\t1\na .\t0\n");

    let text = file(Dataset::Stsb, [Target::Score(1.6), Target::Score(5.0)])?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "0\tkind\t-\t-\t0\t-\t-\ta .\tb .\t1.600");
    assert_eq!(lines[2], "1\tkind\t-\t-\t1\t-\t-\ta .\tb .\t5.000");
    assert!(lines[0].starts_with("index\tgenre\t") && lines[0].ends_with("\tsentence1\tsentence2\tscore"));

    let text = file(Dataset::Mnli, [Target::Class(1), Target::Class(2)])?;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "0\t0\t0\tkind\t-\t-\t-\t-\ta .\tb .\tneutral\tneutral");
    assert!(lines[2].ends_with("\tcontradiction\tcontradiction"));
    for lines in [lines, file(Dataset::Stsb, two())?.lines().collect()] {
        assert!(lines.iter().all(|line| line.split('\t').count() == lines[0].split('\t').count()));
    }
    Ok(())
}
