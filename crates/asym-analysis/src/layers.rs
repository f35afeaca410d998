//! Theorem 3.3 on real layers: the losses for the Σ of a layer's inputs and the Δ of its training.

use asym_core::linalg::{Matrix, truncated_svd};
use asym_core::random::stream;
use asym_figure::{Axis, Figure, Panel, Point, Series, Table};

use crate::asymmetry::{Simulation, simulate};
use crate::least_squares::{Problem, positive};
use crate::linalg::{to_mat, to_matrix};
use crate::{AnalysisError, names};

/// The change of a layer's weight by training, and the second moment of the layer's inputs.
#[derive(Debug, Clone)]
pub struct TrainedLayer {
    /// The layer's name.
    pub module: String,
    /// Δ, the change of its weight by training, `[d_out, d_in]`.
    pub delta: Matrix,
    /// Σ = E\[xxᵀ\] of its inputs, `[d_in, d_in]`. It may be summed in f32.
    pub moment: Matrix,
}

/// The losses of a layer with adapters of one rank, as shares of tr ΔΣΔᵀ.
#[derive(Debug, Clone)]
pub struct LayerLosses {
    /// The layer's name.
    pub module: String,
    /// The numbers of input and output features.
    pub sizes: (usize, usize),
    /// (tr Σ)² / tr Σ². If inputs vary equally in m directions and not at all in the others, this is m.
    pub directions: f64,
    /// Losses with random factors, each frozen in turn.
    pub random: Simulation,
    /// Loss with A frozen at the top eigenvectors of Σ, as in [`Init::InputSvd`](asym_core::Init::InputSvd).
    pub top_inputs: f64,
    /// Loss of the best pair.
    pub best: f64,
}

impl TrainedLayer {
    /// A layer with its weight `before` and `after` training, each `[d_out, d_in]` row by row, and the second `moment` of its
    /// inputs. Returns `None` if the sizes do not match.
    pub fn new(module: &str, before: &[f32], after: &[f32], moment: &Matrix) -> Option<Self> {
        let d_in = moment.columns();
        let d_out = before.len().checked_div(d_in)?;
        if moment.rows() != d_in || before.len() != d_out * d_in || after.len() != before.len() {
            return None;
        }
        let delta =
            Matrix::from_fn(d_out, d_in, |i, j| f64::from(after[i * d_in + j]) - f64::from(before[i * d_in + j]));
        Some(Self { module: module.to_string(), delta, moment: moment.clone() })
    }

    /// Computes the losses at `rank`, with `draws` random factors.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Rank`] for a rank that does not fit the layer; [`AnalysisError::NothingToExplain`] for a layer that
    /// training did not change; and the errors of [`Problem::new`].
    pub fn losses(&self, rank: usize, draws: usize, seed: u64) -> Result<LayerLosses, AnalysisError> {
        let (d_in, d_out) = (self.delta.columns(), self.delta.rows());
        if rank == 0 || rank > d_in.min(d_out) {
            return Err(AnalysisError::Rank { rank, d_in, d_out });
        }
        let sigma = positive(to_mat(&self.moment))?;
        let (trace, square) = ((0..sigma.nrows()).map(|i| sigma[(i, i)]).sum::<f64>(), sigma.squared_norm_l2());
        let failed = || AnalysisError::NoConvergence { what: "Σ".into() };
        let top = truncated_svd(&to_matrix(sigma.as_ref()), rank, &mut stream(seed, "layers")).ok_or_else(failed)?.left;
        let problem = Problem::of(to_mat(&self.delta), sigma, 0.0)?;
        let random = simulate(&problem, rank, draws, seed)?;
        let left = |explained: f64| (1.0 - explained / problem.total()).clamp(0.0, 1.0);
        Ok(LayerLosses {
            module: self.module.clone(),
            sizes: (problem.d_in(), problem.d_out()),
            directions: trace * trace / square,
            random,
            top_inputs: left(problem.frozen_a(to_mat(&top).transpose())?.explained),
            best: left(problem.best(rank)?.explained),
        })
    }
}

/// Draws a panel for each kind of module, with the remaining loss over the layers.
pub fn figure(losses: &[LayerLosses], title: impl Into<String>) -> Figure {
    let kinds = names::kinds(losses.iter().map(|row| row.module.as_str()));
    let panel = |(kind, short): &(String, String)| {
        let of = || losses.iter().filter(|row| names::kind(&row.module) == *kind);
        let x = |row: &LayerLosses, at: usize| names::layer(&row.module).unwrap_or(at) as f64;
        let points = |pick: &dyn Fn(&LayerLosses) -> (f64, f64)| {
            let point = |(at, row)| {
                let (mean, sd) = pick(row);
                let point = Point::new(x(row, at), mean);
                if sd > 0.0 { point.between((mean - sd).max(0.0), (mean + sd).min(1.0)) } else { point }
            };
            of().enumerate().map(point).collect::<Vec<_>>()
        };
        let ticks = of().enumerate().map(|(at, row)| (x(row, at), format!("{}", x(row, at))));
        Panel::new(short, Axis::linear("layer").ticked(ticks), Axis::linear("remaining loss").within(0.0, 1.0))
            .with(Series::line(
                "A frozen, random",
                0,
                points(&|row| (row.random.freeze_a.mean, row.random.freeze_a.sd)),
            ))
            .with(Series::line(
                "B frozen, random",
                1,
                points(&|row| (row.random.freeze_b.mean, row.random.freeze_b.sd)),
            ))
            .with(Series::line("A frozen, top inputs", 2, points(&|row| (row.top_inputs, 0.0))))
            .with(Series::line("the best pair", 7, points(&|row| (row.best, 0.0))))
    };
    let draws = losses.first().map_or(0, |row| row.random.draws);
    Figure {
        panels: kinds.iter().map(panel).collect(),
        ..Figure::new(title).columns(3).note(format!(
            "Shares of tr ΔΣΔᵀ. Random factors: means over {draws} draws, bands of one standard deviation."
        ))
    }
}

/// Makes a table in Markdown with one row for each layer.
pub fn table(losses: &[LayerLosses]) -> Table {
    let header = [
        "layer",
        "d_in",
        "d_out",
        "directions",
        "P(A frozen loses less)",
        "A frozen",
        "B frozen",
        "A = top inputs",
        "best",
    ];
    let mut table = Table::new(header, 1..);
    for row in losses {
        let LayerLosses { module, sizes, directions, random, top_inputs, best } = row;
        let loss = |moments: crate::asymmetry::Moments| format!("{:.3} ± {:.3}", moments.mean, moments.sd);
        table.row([
            module.clone(),
            sizes.0.to_string(),
            sizes.1.to_string(),
            format!("{directions:.1}"),
            format!("{:.3}", random.probability()),
            loss(random.freeze_a),
            loss(random.freeze_b),
            format!("{top_inputs:.3}"),
            format!("{best:.3}"),
        ]);
    }
    table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use asym_core::linalg::{gaussian, orthonormal};

    use super::*;
    use crate::least_squares::without_rounding;

    const D: usize = 24;
    const RANK: usize = 4;

    /// A layer whose inputs vary equally in eight directions of 24, with the rounding of f32. Its change acts on all eight.
    fn layer() -> TrainedLayer {
        let basis = to_mat(&orthonormal(D, 8, &mut stream(1, "basis")));
        let sigma = &basis * basis.transpose();
        let moment = Matrix::from_fn(D, D, |i, j| f64::from(sigma[(i.min(j), i.max(j))] as f32));
        let before: Vec<f32> = vec![0.5; 10 * D];
        let change = gaussian(10, D, &mut stream(2, "change"));
        let after: Vec<f32> = (0..10 * D).map(|at| 0.5 + 0.1 * change[(at / D, at % D)] as f32).collect();
        TrainedLayer::new("m.layer.3.query", &before, &after, &moment).unwrap()
    }

    #[test]
    fn layer_losses_match_the_expected_values() {
        let layer = layer();
        let found = layer.losses(RANK, 500, 7).unwrap();
        assert_eq!(found.sizes, (D, 10));
        assert!((found.directions - 8.0).abs() < 1e-4, "{}", found.directions);
        // The mean is 1 − r/m with A frozen, where inputs vary in m directions, and 1 − r/d_out with B frozen. It must be
        // within three standard errors.
        for (moments, expected) in [(found.random.freeze_a, 1.0 - 4.0 / 8.0), (found.random.freeze_b, 1.0 - 4.0 / 10.0)]
        {
            assert!((moments.mean - expected).abs() < 3.0 * moments.standard_error(), "{moments:?}, not {expected}");
        }
        let problem = Problem::new(&layer.delta, &without_rounding(&layer.moment).unwrap(), 0.0).unwrap();
        let best = problem.best(RANK).unwrap().loss / problem.total();
        assert!((found.best - best).abs() < 1e-9);
        // The loss of the best pair is smaller than with a frozen A. With rank 8 in eight directions, the loss is 0.
        assert!(found.best < found.top_inputs && found.best < found.random.freeze_a.mean);
        let all = layer.losses(8, 2, 7).unwrap();
        assert!(all.top_inputs < 1e-5 && all.random.freeze_a.mean < 1e-5, "{all:?}");
        assert_eq!(figure(std::slice::from_ref(&found), "it").panels[0].title, "query");
        assert!(table(&[found]).to_string().contains("m.layer.3.query"));
    }

    #[test]
    fn the_change_is_the_difference_of_the_weights() {
        let layer = layer();
        let change = gaussian(10, D, &mut stream(2, "change"));
        assert!((layer.delta[(3, 5)] - 0.1 * change[(3, 5)]).abs() < 1e-6);
        let moment = Matrix::from_fn(3, 3, |i, j| f64::from(u8::from(i == j)));
        assert!(TrainedLayer::new("it", &[0.0; 6], &[0.0; 6], &moment).is_some());
        for (before, after) in [(6, 3), (5, 5)] {
            assert!(TrainedLayer::new("it", &vec![0.0; before], &vec![0.0; after], &moment).is_none());
        }
        assert!(TrainedLayer::new("it", &[], &[], &Matrix::zeros(0, 0)).is_none());
    }

    #[test]
    fn invalid_ranks_and_zero_changes_are_rejected() {
        let mut layer = layer();
        for rank in [0, 11] {
            assert_eq!(layer.losses(rank, 2, 1).unwrap_err(), AnalysisError::Rank { rank, d_in: D, d_out: 10 });
        }
        layer.delta = Matrix::zeros(10, D);
        assert_eq!(layer.losses(2, 2, 1).unwrap_err(), AnalysisError::NothingToExplain);
    }
}
