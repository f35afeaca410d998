#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use asym_core::AdapterConfig;
use asym_data::HubOptions;
use asym_train::{Source, Tuning};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::*;
use crate::files::Files;
use crate::images::Pictures;
use crate::names::Names;
use crate::scratch::{Scratch, shared};
use crate::task::{Task, TaskInfo};
use crate::{AnyTask, TaskError};

/// A split that NumPy computed, from `tests/fixtures/make_domainbed_split.py`.
#[derive(Deserialize)]
struct Case {
    count: usize,
    trial: u64,
    environment: usize,
    held_out: usize,
    first_held_out: Vec<usize>,
    first_rest: Vec<usize>,
    sha256: String,
}

#[test]
fn splits_match_numpy() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/fixtures/domainbed-split.json")).unwrap();
    // The environments of PACS in three trials, and other sizes.
    assert!(
        cases.iter().filter(|case| [2048, 2344, 1670, 3929].contains(&case.count)).count() == 12 && cases.len() > 12
    );
    for case in cases {
        let Split { held_out, rest } = split(case.count, case.trial, case.environment);
        let name = format!("({}, {}) of {}", case.trial, case.environment, case.count);
        assert_eq!((held_out.len(), held_out.len() + rest.len()), (case.held_out, case.count), "{name}");
        assert!(held_out.starts_with(&case.first_held_out[..case.first_held_out.len().min(case.held_out)]), "{name}");
        assert!(rest.starts_with(&case.first_rest), "{name}");
        let all: Vec<String> = held_out.iter().chain(&rest).map(ToString::to_string).collect();
        let digest: String = Sha256::digest(all.join(",")).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case.sha256, "{name}");
    }
}

/// Writes a folder `environment/class/picture` with `count` files for each class. The files are not valid pictures.
fn tree(name: &str, environments: &[(&str, &[(&str, usize)])]) -> Scratch {
    let folder = Scratch::new(name);
    for (environment, classes) in environments {
        for (class, count) in *classes {
            let place = format!("{environment}/{class}");
            std::fs::create_dir_all(folder.path().join(&place)).unwrap();
            (0..*count).for_each(|at| folder.write(&format!("{place}/{at}.png"), b"a picture"));
        }
    }
    folder
}

fn read(folder: &Scratch, task: &DomainBed) -> Result<DomainBedData, TaskError> {
    task.read(&Files::new(folder.path().to_str(), HubOptions::default()))
}

fn own(train: Option<&str>) -> DomainBed {
    DomainBed {
        benchmark: None,
        options: DomainBedOptions { train: train.map(String::from), ..DomainBedOptions::default() },
    }
}

#[test]
fn missing_settings_are_derived_from_the_data() {
    let folder = tree(
        "domainbed-own",
        &[("b", &[("dog", 4), ("cat", 6)]), ("A", &[("cat", 3), ("dog", 3)]), ("c", &[("dog", 5), ("cat", 5)])],
    );
    let task = own(Some("B"));
    let data = read(&folder, &task).unwrap();
    assert_eq!(
        (data.train.as_str(), data.test.clone(), data.by_path),
        ("b", vec!["A".to_string(), "c".to_string()], true)
    );
    assert_eq!(data.classes, ["cat", "dog"]);
    let settled = task.settled(&data);
    assert_eq!((settled.outputs(), settled.labels()), (Some(2), data.classes.clone()));
    let scores: Vec<String> = settled.scores().into_iter().map(|score| score.name).collect();
    assert_eq!(scores, ["ood", "id", "A", "c", "train", "gap"]);
    // The settled task reads the same data, and its recipe describes the same task.
    assert_eq!(read(&folder, &settled).unwrap().test, data.test);
    let again = AnyTask::named("domainbed", &AnyTask::from(settled.clone()).options()).unwrap();
    assert_eq!(again, AnyTask::from(settled));
    let lines = task.describe(&data).join("\n");
    assert!(
        lines.contains("26 pictures of 2 classes: A 6, b 10, c 10") && lines.contains("trained on b, tested on A, c"),
        "{lines}"
    );
    let one =
        DomainBed { options: DomainBedOptions { test: Some(Names::One("C".into())), ..task.options.clone() }, ..task };
    assert_eq!(read(&folder, &one).unwrap().test, ["c"]);
}

#[test]
fn unsuitable_data_are_rejected() {
    let refused = |name: &str, environments: &[(&str, &[(&str, usize)])], task: DomainBed| {
        let folder = tree(name, environments);
        let message = read(&folder, &task).unwrap_err().to_string();
        println!("{name}: {message}");
        message
    };
    let classes: &[(&str, usize)] = &[("cat", 3), ("dog", 3)];
    let two = [("a", classes), ("b", classes)];
    let test = |names: &[&str]| {
        let names = Names::Several(names.iter().map(ToString::to_string).collect());
        DomainBed { options: DomainBedOptions { test: Some(names), ..own(Some("a")).options }, ..own(None) }
    };
    let labels = DomainBedOptions { labels: Some(vec!["cat".into(), "cow".into()]), ..own(Some("a")).options };
    for (message, part) in [
        (
            refused("db-lacks", &[("a", classes), ("b", &[("cat", 6)])], own(Some("a"))),
            "b: no picture of the class `dog`, which a has;",
        ),
        (
            refused("db-empty-class", &[("a", classes), ("b", &[("cat", 6), ("dog", 0)])], own(Some("a"))),
            "b: no picture of the class `dog`",
        ),
        (
            refused("db-case", &[("a", classes), ("b", &[("cat", 6), ("Dog", 2)])], own(Some("a"))),
            "(a has `dog`, a similar name)",
        ),
        (
            refused("db-empty", &[("a", classes), ("b", &[("cat", 0)]), ("c", classes)], own(Some("a"))),
            "b: no picture; remove the folder",
        ),
        (refused("db-one", &[("a", classes)], own(Some("a"))), "a is the only environment"),
        (
            refused("db-few", &[("a", classes), ("b", &[("cat", 1), ("dog", 1)])], own(Some("a"))),
            "b has too few pictures to be divided: 2;",
        ),
        (
            refused("db-class", &[("a", &[("cat", 9)]), ("b", &[("cat", 9)])], own(Some("a"))),
            "all pictures are of the class `cat`",
        ),
        (refused("db-train", &two, own(None)), "one of a, b, as in task.train=a"),
        (refused("db-unknown", &[("photo", classes), ("b", classes)], own(Some("foto"))), "did you mean `photo`?"),
        (
            refused("db-reserved", &[("ood", classes), ("b", classes)], own(Some("b"))),
            "which are scores; rename the folder",
        ),
        (
            refused("db-test", &two, test(&["a"])),
            "a, which is the training environment: it must be one or several environments that are not trained on",
        ),
        (refused("db-none", &two, test(&[])), "the setting `test` is empty"),
        (
            refused("db-labels", &two, DomainBed { options: labels, ..own(None) }),
            "the recipe has the classes cat, cow, but the data have cat, dog",
        ),
        (
            refused("db-flat", &[(".", classes)], own(Some("a"))),
            "there are no environments; use a folder of environments",
        ),
    ] {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
    let none = || Files::new(None, HubOptions::default());
    let pacs = DomainBed { benchmark: Some(Benchmark::Pacs), ..own(None) };
    let message = pacs.read(&none()).unwrap_err().to_string();
    assert!(message.contains("--data PACS") && message.contains("domainbed draws pictures"), "{message}");
    let message = own(Some("a")).read(&none()).unwrap_err().to_string();
    assert!(message.contains("no environment `a`; the data have flat, outline, shaded, striped"), "{message}");
}

/// The parts of a run are disjoint and belong to the right environments, and the split changes only with the seed of the run.
#[test]
fn the_seed_of_a_run_determines_its_splits() {
    let folder = tree(
        "domainbed-parts",
        &[("a", &[("cat", 10), ("dog", 15)]), ("b", &[("cat", 20), ("dog", 20)]), ("c", &[("cat", 5), ("dog", 5)])],
    );
    let task = own(Some("b"));
    let data = read(&folder, &task).unwrap();
    let task = task.settled(&data);
    let processor = asym_data::ImageProcessor::new(8, 8).unwrap();
    let pictures =
        std::sync::Arc::new(Pictures::new(&data.environments, processor, asym_data::Augmentation::DOMAINBED));
    let (train, evaluation) = task.trial(&pictures, 1);
    assert_eq!(train.len(), 32);
    let named = |name: &str| evaluation.sets.iter().find(|set| set.name == name).unwrap();
    assert_eq!(evaluation.sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["id", "train", "a", "c"]);
    let places = |members: &[usize]| members.iter().copied().collect::<BTreeSet<usize>>();
    let (id, rest) = (places(named("id").source.members()), places(train.members()));
    assert!(id.is_disjoint(&rest) && id.union(&rest).copied().eq(25..65));
    assert_eq!(places(named("train").source.members()), rest);
    // Four fifths of each test environment are evaluated, only after the last epoch.
    for (name, range, count) in [("a", 0..25, 20), ("c", 65..75, 8)] {
        let set = named(name);
        assert!(
            set.last && set.source.members().len() == count && set.source.members().iter().all(|at| range.contains(at))
        );
    }
    assert!(!named("id").last);
    let (other, _) = task.trial(&pictures, 2);
    assert_ne!(places(other.members()), rest);
    assert_eq!(task.trial(&pictures, 1).0.members(), train.members());
    let fixed = DomainBed { options: DomainBedOptions { split_seed: Some(1), ..task.options.clone() }, ..task };
    assert_eq!(fixed.trial(&pictures, 2).0.members(), train.members());
    // A learning rate is chosen on a part of the run's own training pictures.
    let share = fixed.hold_out(data, 0.25).held_out;
    let choosing = std::sync::Arc::new((*pictures).clone().holding_out(share));
    let (less, choice) = fixed.trial(&choosing, 1);
    assert_eq!(choice.sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["id", "train"]);
    let (held, less) = (places(choice.sets[0].source.members()), places(less.members()));
    assert_eq!((held.len(), less.len()), (8, 24));
    assert!(held.is_disjoint(&less) && held.union(&less).copied().eq(rest.iter().copied()));
    // The result has no out-of-domain score, so the in-domain score is the headline.
    let scores = asym_train::Scores::from(
        [("gap id", 0.1), ("id", 0.7), ("train", 0.8)].map(|(name, score)| (name.to_string(), score)),
    );
    assert_eq!(fixed.headline(&scores).map(|score| score.name), Some("id".to_string()));
}

/// Cells of Tables 7, 11 and 12. The means in Table 7 are computed from the environments of Table 11, and agree up to rounding.
#[test]
fn scores_of_the_paper_are_found() {
    assert_eq!(domainbed_cells().unwrap().len(), 112);
    let score = |name: &str, tuning: &Tuning, score: &str| {
        let task: AnyTask = name.parse().unwrap();
        task.paper(tuning).into_iter().find(|cell| cell.score == score).map(|cell| cell.mean)
    };
    let b_only = Tuning::Adapter(AdapterConfig::b_only(8));
    assert_eq!(score("pacs", &b_only, "id"), Some(92.45));
    assert_eq!(score("vlcs", &Tuning::Head, "ood"), Some(71.7));
    assert_eq!(score("vlcs", &Tuning::Adapter(AdapterConfig::lora(8)), "ood"), Some(56.43));
    assert_eq!(score("vlcs", &b_only, "ood"), Some(75.81));
    assert_eq!(
        score("terra-incognita", &Tuning::Full, "location_38"),
        None,
        "the score of the training environment is `id`"
    );
    assert_eq!(score("terra-incognita", &Tuning::Full, "id"), Some(95.05));
    assert_eq!(score("pacs", &Tuning::Adapter(AdapterConfig::lora(16)), "id"), None);
    // With a single test environment, the mean is its accuracy.
    let test = DomainBedOptions { test: Some(Names::One("photo".into())), ..DomainBedOptions::default() };
    let one = DomainBed { benchmark: Some(Benchmark::Pacs), options: test };
    let found = one.paper(&b_only).into_iter().find(|cell| cell.score == "ood").map(|cell| cell.mean);
    assert_eq!(found, Some(96.07));
    let other = DomainBed { benchmark: Some(Benchmark::Pacs), ..own(Some("photo")) };
    assert!(other.paper(&b_only).is_empty(), "the paper trained on cartoons");
}

/// A real data set in DomainBed's layout.
#[test]
fn pacs_is_read() {
    let Some(shared) = shared() else { return };
    let task = DomainBed { benchmark: Some(Benchmark::Pacs), options: DomainBedOptions::default() };
    let path = shared.join("data/PACS-mini");
    let data = task.read(&Files::new(path.to_str(), HubOptions::default())).unwrap();
    assert_eq!(data.environments.iter().map(|environment| environment.len()).sum::<usize>(), 392);
    assert_eq!((data.train.as_str(), data.classes.len()), ("cartoon", 7));
    assert_eq!(data.test, ["art_painting", "photo", "sketch"]);
}
