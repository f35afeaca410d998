#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

fn outcomes(predicted: &[f64], right: &[f64]) -> Outcomes {
    Outcomes { predicted: predicted.to_vec(), right: right.to_vec() }
}

/// TP 3, FP 1, FN 2, TN 4, computed by hand: accuracy 7/10; F1 = 6/(6+1+2) = 2/3;
/// Matthews = (3·4 − 1·2) / √((3+1)(3+2)(4+1)(4+2)) = 10/√600.
#[test]
fn binary_scores() {
    let outcomes = outcomes(
        &[1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    );
    close(Metric::Accuracy.score(&outcomes), 0.7);
    close(Metric::F1.score(&outcomes), 2.0 / 3.0);
    close(Metric::Matthews.score(&outcomes), 10.0 / 600f64.sqrt());
}

/// Three classes, labels 0 1 2 2, predictions 0 2 2 1, computed by hand: correct 2, n 4, predicted (1, 1, 2), labeled
/// (1, 1, 2): (2·4 − 6) / √((16 − 6)(16 − 6)) = 0.2.
#[test]
fn matthews_supports_three_classes() {
    let outcomes = outcomes(&[0.0, 2.0, 2.0, 1.0], &[0.0, 1.0, 2.0, 2.0]);
    close(Metric::Matthews.score(&outcomes), 0.2);
    close(Metric::Accuracy.score(&outcomes), 0.5);
}

#[test]
fn empty_outcomes_score_zero() {
    for metric in Metric::ALL {
        close(metric.score(&Outcomes::default()), 0.0);
    }
}

/// Computed by hand. For example, the two values 10 share the ranks 1 and 2.
#[test]
fn tied_values_share_the_mean_rank() {
    assert_eq!(ranks(&[30.0, 10.0, 10.0, 20.0]), [4.0, 1.5, 1.5, 3.0]);
    assert_eq!(ranks(&[5.0, 5.0, 5.0]), [2.0, 2.0, 2.0]);
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    label_cases: Vec<LabelCase>,
}

#[derive(Deserialize)]
struct LabelCase {
    name: String,
    labels: usize,
    predicted: Vec<Vec<usize>>,
    right: Vec<Vec<usize>>,
    scores: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    predicted: Vec<f64>,
    right: Vec<f64>,
    scores: BTreeMap<String, f64>,
}

/// `tests/fixtures/make_metrics.py` computed the expected scores with scikit-learn and SciPy.
#[test]
fn scores_match_scikit_learn_and_scipy() {
    let fixture: Fixture = serde_json::from_str(include_str!("../../tests/fixtures/metrics.json")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for case in &fixture.cases {
        let outcomes = outcomes(&case.predicted, &case.right);
        for (name, expected) in &case.scores {
            let metric = Metric::ALL.iter().find(|metric| metric.name() == name).unwrap();
            let found = metric.score(&outcomes);
            assert!((found - expected).abs() < 1e-6, "{}: {name} is {found}, expected {expected}", case.name);
            seen.insert(name);
        }
    }
    assert_eq!(seen.len(), Metric::ALL.len());
    assert!(fixture.label_cases.len() >= 10);
    for case in &fixture.label_cases {
        let mut sets = LabelSets::new(case.labels);
        case.predicted.iter().zip(&case.right).for_each(|(predicted, right)| sets.add(predicted, right));
        for (name, expected) in &case.scores {
            let metric = Metric::ALL.iter().find(|metric| metric.name() == name).unwrap();
            close(sets.score(*metric), *expected);
        }
        assert_eq!(case.scores.len(), 3, "{}", case.name);
    }
}
