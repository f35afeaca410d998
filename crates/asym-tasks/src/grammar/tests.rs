use std::collections::{BTreeSet, HashSet};

use super::draw::{Draw, Stream};
use super::key::{fnv1a, held_out};
use super::scene::{Detail, Scene, Shared};
use super::*;

#[test]
fn the_seed_determines_the_lines() {
    let lines = |seed| pretraining_corpus(seed, 100).collect::<Vec<_>>();
    assert_eq!(lines(3), lines(3));
    assert_ne!(lines(3), lines(4));
}

/// The hash of the lines on which the checkpoint was trained. A difference means that the same seed results in other lines.
#[test]
fn the_corpus_matches_its_pinned_hash() {
    let corpus: String = pretraining_corpus(1, 20_000).map(|line| line + "\n").collect();
    assert_eq!(fnv1a(corpus.as_bytes()), 0xb338_a7a5_5f6a_5f71);
}

#[test]
fn counterparts_differ_in_one_word_and_keep_the_scene() {
    let mut draw = Draw::new(0, Stream::CORPUS);
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
fn another_scene_shares_only_the_requested_parts() {
    fn scene(draw: &mut Draw) -> Scene {
        Scene::act(draw, Detail { adjective: 0, adjunct: 0, negated: 0 })
    }
    let mut draw = Draw::new(0, Stream::CORPUS);
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
    let mut draw = Draw::new(0, Stream::CORPUS);
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
fn lines_are_short_and_use_a_small_vocabulary() {
    let lines: Vec<String> = pretraining_corpus(0, 50_000).collect();
    assert!(lines.iter().all(|line| line.split([' ', '\t']).count() <= 60));
    let mut words = BTreeSet::new();
    for half in lines.iter().flat_map(|line| line.split('\t')) {
        assert!(half.ends_with(" .") || half.ends_with(" ?"), "{half}");
        words.extend(half.split(' '));
    }
    assert!((250..=450).contains(&words.len()), "{}", words.len());
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase()) || [",", ".", "?"].contains(word)));
}

#[test]
fn reports_mention_the_summarized_event_twice_but_not_first() {
    let words = |text: &str| text.split(' ').map(ToString::to_string).collect::<HashSet<String>>();
    let nouns: HashSet<String> = lexicon::PEOPLE
        .iter()
        .chain(lexicon::THINGS)
        .flat_map(|noun| [noun.one, noun.many])
        .map(ToString::to_string)
        .collect();
    let named = |text: &str| words(text).intersection(&nouns).cloned().collect::<BTreeSet<String>>();
    for set in [ReportSet::Pretraining, ReportSet::Train, ReportSet::Dev] {
        let all: Vec<Report> = reports(3, set, 500).collect();
        assert_eq!(all, reports(3, set, 500).collect::<Vec<_>>());
        for Report { sentences, summary } in &all {
            let subject = named(summary);
            assert!(subject.len() >= 2, "{summary}");
            let telling: Vec<usize> = (0..5).filter(|at| named(&sentences[*at]) == subject).collect();
            assert!(sentences.len() == 5 && telling.len() == 2 && telling[0] > 0, "{sentences:?}");
            // The two sentences differ in more than the number of the witness.
            let said = |at: usize| sentences[at].split_once(": ").map(|(_, said)| said);
            assert!(said(telling[0]).is_some());
            assert_ne!(said(telling[0]), said(telling[1]));
            let others = (0..5).filter(|at| !telling.contains(at)).map(|at| named(&sentences[at]));
            assert!(others.into_iter().all(|other| other.is_disjoint(&subject)), "{sentences:?}");
        }
    }
}

/// No summary of another set describes an event with the same people and things as a summary of the development set.
#[test]
fn development_summaries_are_held_out() {
    let cast = |report: &Report| {
        let nouns = lexicon::PEOPLE.iter().chain(lexicon::THINGS);
        let words: HashSet<&str> = report.summary.split(' ').collect();
        let held = |noun: &&lexicon::Noun| words.contains(noun.one) || words.contains(noun.many);
        nouns.filter(held).map(|noun| noun.one).collect::<BTreeSet<&str>>()
    };
    let casts = |set| reports(0, set, 3000).map(|report| cast(&report)).collect::<HashSet<_>>();
    let dev = casts(ReportSet::Dev);
    assert!(dev.len() > 50, "{}", dev.len());
    for set in [ReportSet::Pretraining, ReportSet::Train] {
        assert!(casts(set).is_disjoint(&dev));
    }
}
