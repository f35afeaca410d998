//! Theorem 3.3 by simulation: cases in which it holds, and cases in which it does not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common::{normals, posed, rng, rows};
use asym_analysis::asymmetry::{Change, Inputs, Moments, Setting, gap, key_inequality};
use asym_analysis::{AnalysisError, Matrix};
use faer::{Mat, Scale};

fn setting(d_in: usize, d_out: usize, rank: usize, inputs: Inputs, change: Change) -> Setting {
    Setting { d_in, d_out, rank, inputs, change }
}

#[track_caller]
fn within_three_errors(moments: Moments, expected: f64, what: &str) {
    let error = moments.standard_error();
    let apart = (moments.mean - expected).abs();
    assert!(apart <= 3.0 * error + 1e-12, "{what}: {} ± {error}, not {expected}", moments.mean);
}

#[test]
fn draws_depend_only_on_seed_and_index() {
    let setting = setting(12, 9, 3, Inputs::PowerLaw { exponent: 1.0 }, Change::LowRank { k: 2 });
    let draw = setting.draw(1, 2).unwrap();
    assert_eq!(draw, setting.draw(1, 2).unwrap());
    assert_ne!(draw, setting.draw(1, 3).unwrap());
    assert_ne!(draw, setting.draw(2, 2).unwrap());
    // The result does not depend on the number of threads.
    let simulation = setting.simulate(7, 1).unwrap();
    let mean = (0..7).map(|i| setting.draw(1, i).unwrap().freeze_a).sum::<f64>() / 7.0;
    assert_eq!(simulation.freeze_a.mean, mean);
    assert_eq!(simulation, setting.simulate(7, 1).unwrap());
}

#[test]
fn moments_match_the_draws() {
    let setting = setting(12, 9, 3, Inputs::Isotropic, Change::Gaussian);
    let gaps: Vec<f64> =
        (0..3).map(|i| setting.draw(5, i).unwrap()).map(|draw| draw.freeze_b - draw.freeze_a).collect();
    let simulation = setting.simulate(3, 5).unwrap();
    let mean = gaps.iter().sum::<f64>() / 3.0;
    let sd = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((simulation.gap.mean - mean).abs() < 1e-15 && (simulation.gap.sd - sd).abs() < 1e-15);
    assert_eq!(simulation.wins, gaps.iter().filter(|gap| **gap > 0.0).count());
    assert_eq!(simulation.probability(), simulation.wins as f64 / 3.0);
}

#[test]
fn flat_spectra_have_exact_expectations() {
    let cases = [
        // Σ = I: 1 − r/d_in and 1 − r/d_out, for every kind of change.
        setting(24, 8, 2, Inputs::Isotropic, Change::Gaussian),
        setting(8, 24, 2, Inputs::Isotropic, Change::LowRank { k: 1 }),
        setting(10, 10, 9, Inputs::Isotropic, Change::Leading { k: 1 }),
        setting(10, 6, 3, Inputs::Isotropic, Change::Trailing { k: 2 }),
        // Inputs that vary in m directions: 1 − r/m.
        setting(30, 10, 3, Inputs::LowRank { rank: 7 }, Change::Gaussian),
        setting(30, 10, 3, Inputs::LowRank { rank: 12 }, Change::Leading { k: 1 }),
        setting(30, 10, 3, Inputs::LowRank { rank: 3 }, Change::LowRank { k: 2 }),
        setting(30, 10, 3, Inputs::LowRank { rank: 2 }, Change::Trailing { k: 1 }),
    ];
    for setting in cases {
        let simulation = setting.simulate(2000, 1).unwrap();
        let expected = setting.expected();
        within_three_errors(simulation.freeze_a, expected.freeze_a.unwrap(), &format!("A, {setting:?}"));
        within_three_errors(simulation.freeze_b, expected.freeze_b, &format!("B, {setting:?}"));
    }
    let isotropic = setting(24, 8, 2, Inputs::Isotropic, Change::Gaussian).expected();
    assert_eq!((isotropic.freeze_a, isotropic.freeze_b), (Some(1.0 - 2.0 / 24.0), 1.0 - 2.0 / 8.0));
    let low = setting(24, 8, 2, Inputs::LowRank { rank: 5 }, Change::Gaussian).expected();
    assert_eq!(low.freeze_a, Some(1.0 - 2.0 / 5.0));
}

#[test]
fn the_mean_loss_with_b_frozen_does_not_depend_on_inputs() {
    for change in [Change::Gaussian, Change::Leading { k: 2 }, Change::Trailing { k: 2 }] {
        let setting = setting(16, 8, 2, Inputs::PowerLaw { exponent: 2.0 }, change);
        assert_eq!(setting.expected().freeze_a, None);
        within_three_errors(setting.simulate(2000, 2).unwrap().freeze_b, 0.75, "B");
    }
}

#[test]
fn the_theorem_fails_for_wide_isotropic_inputs() {
    let simulation = setting(256, 64, 8, Inputs::Isotropic, Change::Gaussian).simulate(100, 1).unwrap();
    assert_eq!((simulation.wins, simulation.ties), (0, 0));
    assert!(simulation.gap.mean < -0.05);
    // If there are more outputs than inputs, the theorem holds.
    let simulation = setting(64, 256, 8, Inputs::Isotropic, Change::Gaussian).simulate(100, 1).unwrap();
    assert_eq!(simulation.wins, 100);
}

#[test]
fn square_isotropic_settings_win_half_of_the_draws() {
    for d in [16, 64] {
        let simulation = setting(d, d, 4, Inputs::Isotropic, Change::Gaussian).simulate(1000, 1).unwrap();
        let (low, high) = simulation.interval();
        assert!(low < 0.5 && 0.5 < high, "{low} {high}");
        within_three_errors(simulation.gap, 0.0, "the gap");
    }
}

#[test]
fn the_theorem_fails_for_changes_in_low_variance_directions() {
    for (d, rank) in [(32, 8), (64, 4), (128, 2), (256, 1)] {
        let change = Change::Trailing { k: d / 2 };
        let simulation = setting(d, d, rank, Inputs::PowerLaw { exponent: 2.0 }, change).simulate(60, 1).unwrap();
        assert_eq!(simulation.wins, 0, "d = {d}, r = {rank}");
    }
}

#[test]
fn the_theorem_holds_for_redundant_inputs() {
    let cases = [
        setting(128, 64, 8, Inputs::LowRank { rank: 16 }, Change::Gaussian),
        setting(128, 64, 8, Inputs::LowRank { rank: 8 }, Change::LowRank { k: 3 }),
        setting(128, 64, 8, Inputs::PowerLaw { exponent: 2.0 }, Change::Leading { k: 16 }),
        setting(128, 128, 8, Inputs::PowerLaw { exponent: 1.0 }, Change::Gaussian),
    ];
    for setting in cases {
        assert_eq!(setting.simulate(60, 1).unwrap().wins, 60, "{setting:?}");
    }
}

#[test]
fn factors_of_full_rank_tie() {
    let simulation = setting(8, 8, 8, Inputs::PowerLaw { exponent: 1.0 }, Change::Gaussian).simulate(50, 1).unwrap();
    assert_eq!((simulation.wins, simulation.ties), (0, 50));
    assert!(simulation.freeze_a.mean < 1e-12);
}

/// The paper's regime, Σ = σ²U_X U_Xᵀ, for small d, which is far from a limit.
#[test]
fn the_gap_is_exact_in_the_regime_of_the_paper() {
    for (d, rank, inputs, scale) in [(5, 3, 3, 1.0), (5, 3, 3, 4.0), (4, 3, 2, 0.25), (40, 2, 2, 9.0)] {
        let mut rng = rng(d as u64);
        let u_x = rows(inputs, d, &mut rng).transpose().to_owned();
        let delta = normals(6, d, &mut rng);
        let projected = (&delta * &u_x).squared_norm_l2();
        let problem = posed(delta, Scale(scale) * &u_x * u_x.transpose(), 0.3).unwrap();
        let gap = gap(&problem, rank, 4000, 1).unwrap();
        let limit = (1.0 - rank as f64 / d as f64) * scale * projected;
        assert!((gap.limit - limit).abs() < 1e-10 * limit);
        within_three_errors(gap.gap, limit, "the gap");
        // The left side does not depend on Q, except for rounding, which is larger if Q is almost orthogonal to U_X.
        let left = scale * projected;
        assert!((gap.left.mean - left).abs() < 1e-6 * left && gap.left.sd < 1e-6 * left);
        within_three_errors(gap.right, rank as f64 / d as f64 * scale * projected, "the right side");
    }
}

/// Outside the paper's regime, the right side has the same expectation, and the left side does not.
#[test]
fn the_gap_differs_outside_the_regime_of_the_paper() {
    let mut rng = rng(7);
    let (d, rank) = (8, 2);
    let sigma = Mat::from_fn(d, d, |i, j| if i == j { 1.0 / (1.0 + i as f64) } else { 0.0 });
    let problem = posed(normals(6, d, &mut rng), sigma.clone(), 0.0).unwrap();
    let found = gap(&problem, rank, 4000, 1).unwrap();
    within_three_errors(found.right, 0.25 * problem.total(), "the right side");
    assert!(found.gap.mean + 10.0 * found.gap.standard_error() < found.limit);

    // Three equal variances and r = 2.
    let flat = Mat::from_fn(d, d, |i, j| if i == j && i < 3 { 4.0 } else { 0.0 });
    let flat = posed(normals(6, d, &mut rng), flat, 0.0).unwrap();
    within_three_errors(gap(&flat, rank, 4000, 1).unwrap().gap, (2.0 / 3.0 - 0.25) * flat.total(), "m equal variances");

    // Σ = I: both sides are equal for each Q.
    let isotropic = posed(normals(6, d, &mut rng), Mat::identity(d, d), 0.0).unwrap();
    let found = gap(&isotropic, rank, 100, 1).unwrap();
    assert!(found.gap.mean.abs() < 1e-13 * isotropic.total() && found.violations == 0);

    // ΔᵀΔ = I: this is a product of two positive semi-definite matrices, and the paper's argument is valid for each Q.
    let even = posed(Mat::identity(d, d), sigma.clone(), 0.0).unwrap();
    let found = gap(&even, rank, 500, 1).unwrap();
    assert!(found.gap.mean > 0.0 && found.violations == 0);

    // The change acts on a direction with little variance. The inequality does not hold, not even in expectation.
    let steep = Mat::from_fn(d, d, |i, j| if i == j { 0.1f64.powi(i as i32) } else { 0.0 });
    let trailing = Mat::from_fn(1, d, |_, j| if j == d - 2 { 1.0 } else { 0.0 });
    let trailing = posed(trailing, steep, 0.0).unwrap();
    let found = gap(&trailing, rank, 500, 1).unwrap();
    assert!(found.violations > 450, "{}", found.violations);
    assert!(found.gap.mean + 10.0 * found.gap.standard_error() < 0.0);
}

#[test]
fn invalid_settings_are_rejected() {
    let good = setting(8, 6, 2, Inputs::LowRank { rank: 4 }, Change::Leading { k: 4 });
    assert!(good.validate().is_ok());
    for rank in [0, 7] {
        let error = Setting { rank, ..good }.simulate(2, 1).unwrap_err();
        assert_eq!(error, AnalysisError::Rank { rank, d_in: 8, d_out: 6 });
    }
    let field = |setting: Setting| match setting.draw(1, 1).unwrap_err() {
        AnalysisError::Setting { field, expected, .. } => format!("{field}: {expected}"),
        other => panic!("{other}"),
    };
    assert_eq!(field(Setting { inputs: Inputs::LowRank { rank: 9 }, ..good }), "inputs.rank: from 1 to 8, d_in");
    for exponent in [-1.0, f64::NAN, 11.0] {
        assert_eq!(field(Setting { inputs: Inputs::PowerLaw { exponent }, ..good }), "inputs.exponent: from 0 to 10");
    }
    for change in [Change::Leading { k: 5 }, Change::Trailing { k: 0 }] {
        let expected = "change.k: from 1 to 4, the number of directions in which inputs vary";
        assert_eq!(field(Setting { change, ..good }), expected);
    }
    assert_eq!(field(Setting { change: Change::LowRank { k: 7 }, ..good }), "change.k: from 1 to 6, min(d_in, d_out)");
    assert!(matches!(good.simulate(1, 1), Err(AnalysisError::Setting { field: "draws", .. })));

    let problem = posed(Mat::identity(2, 3), Mat::identity(3, 3), 0.0).unwrap();
    assert!(matches!(gap(&problem, 4, 2, 1), Err(AnalysisError::Setting { field: "rank", .. })));
    let skewed = Matrix::from_fn(1, 3, |_, _| 1.0);
    let error = key_inequality(&problem, &skewed).unwrap_err();
    assert!(error.to_string().contains("orthonormal"), "{error}");
}
