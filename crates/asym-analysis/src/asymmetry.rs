//! Theorem 3.3 by simulation: is it better to freeze a random A than a random B?
//!
//! The theorem states that it is better to freeze A, for Q and U uniform on their Stiefel manifolds, with high probability
//! as d/r → ∞, for every Σ and Δ. This does not hold as stated. Two expectations of the noise-free losses, as shares of tr
//! ΔΣΔᵀ, are exact at every size:
//!
//! - with B frozen, the loss is 1 − r/d_out on average, for any Σ and Δ, since E\[UUᵀ\] = (r/d_out) I;
//! - with A frozen, the loss is 1 − r/m on average, for any Δ, if inputs vary in m ≥ r directions equally (0 if m ≤ r).
//!
//! For Σ = I, it is therefore worse to freeze the factor on the wider side of the weight, which is A if d_in > d_out and B
//! otherwise. For square weights, both factors are equally good on average. The theorem's conclusion holds if inputs vary equally
//! in fewer directions than there are outputs. If inputs vary unequally, the result depends on Δ. Freezing A is better if Δ acts
//! on directions with much variance, since Q's features consist mostly of those directions. Freezing A is worse at every d/r if Δ
//! acts on directions with little variance. The error in the proof is the inequality of appendix E.3, because the product of
//! three positive semi-definite matrices may have a negative trace ([`key_inequality`]).

mod gap;
mod report;
mod setting;

use std::num::NonZeroUsize;

use faer::Mat;

use crate::AnalysisError;
use crate::least_squares::Problem;
use crate::linalg::{NEGLIGIBLE, compact_svd, scale_columns, square_norm, to_mat};
use asym_core::linalg::{gaussian, orthonormal};
use asym_core::random::stream;

pub use crate::moments::Moments;
pub use gap::{Gap, KeyInequality, gap, key_inequality};
pub use report::{Survey, Surveyed, gaps, losses, probabilities, table};
pub use setting::{Change, Expected, Inputs, Setting};

/// Losses are a tie if their difference, as a share of tr ΔΣΔᵀ, is at most this. Such differences are due to rounding.
const TIE: f64 = 1e-12;

/// The noise-free losses of one draw of Δ, Q and U, as shares of tr ΔΣΔᵀ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// L(Q, B\*) by Lemma 3.1, from 0 to 1.
    pub freeze_a: f64,
    /// L(A\*, U) by Lemma 3.2, from 0 to 1.
    pub freeze_b: f64,
}

/// The results of many draws of one setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// The number of draws in which the loss with A frozen is strictly smaller than the loss with B frozen.
    pub wins: usize,
    /// The number of draws in which both losses are equal to within 1e-12.
    pub ties: usize,
    /// The number of draws.
    pub draws: usize,
    /// The losses with A frozen.
    pub freeze_a: Moments,
    /// The losses with B frozen.
    pub freeze_b: Moments,
    /// `freeze_b` minus `freeze_a`. It is positive where the theorem holds.
    pub gap: Moments,
}

impl Simulation {
    /// The share of draws in which freezing A was strictly better.
    pub fn probability(&self) -> f64 {
        self.wins as f64 / self.draws as f64
    }

    /// Wilson's 95 % interval of the probability. Unlike the normal interval, it does not collapse at 0 and 1.
    pub fn interval(&self) -> (f64, f64) {
        const Z: f64 = 1.959_963_984_540_054;
        let (n, p) = (self.draws as f64, self.probability());
        let shrink = 1.0 + Z * Z / n;
        let center = (p + Z * Z / (2.0 * n)) / shrink;
        let half = Z / shrink * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At 0 and at 1, rounding must not move an end of the interval past the probability.
        ((center - half).clamp(0.0, p), (center + half).clamp(p, 1.0))
    }
}

/// The matrices of a draw.
struct Sample {
    /// Δ in the directions on which it acts, among those in which inputs vary, `[d_out, acting]`.
    change: Mat<f64>,
    /// Qᵀ, `[d_in, rank]`.
    q: Mat<f64>,
    /// U, `[d_out, rank]`.
    u: Mat<f64>,
}

impl Setting {
    /// The losses of one draw of Δ, Q and U, where Q and U are uniform on their Stiefel manifolds. The draw depends only on the
    /// setting, `seed` and `index`. Settings that differ only in the inputs or the change use the same Q and U.
    ///
    /// Σ is diagonal without loss of generality. With Σ = HΛHᵀ, the losses depend on Q through QH and on Δ through ΔH. QH has the
    /// same distribution as Q, and every [`Change`] is defined by Σ's eigenvectors or does not depend on directions.
    ///
    /// # Errors
    ///
    /// A setting that [`Setting::validate`] refuses; a decomposition that does not converge.
    pub fn draw(&self, seed: u64, index: u64) -> Result<Draw, AnalysisError> {
        self.validate()?;
        self.draw_with(&self.deviations(), seed, index)
    }

    fn draw_with(&self, deviations: &[f64], seed: u64, index: u64) -> Result<Draw, AnalysisError> {
        let varying = deviations.len();
        let (first, acting) = self.change.directions(varying);
        let Sample { change, q, u } = self.sample(seed, index);
        // ΔΣ^½ in the directions on which Δ acts. Other directions have no effect.
        let change = scale_columns(change.as_ref(), |j| deviations[first + j]);
        let total = square_norm(change.as_ref());

        // By Lemma 3.1, A = Q explains ‖ΔΣ^½P‖², where P is the projection on the column space of Σ^½Qᵀ. Its singular value
        // decomposition, unlike an inverse of QΣQᵀ, resolves variances down to 1e-24 of the largest.
        let features = Mat::from_fn(varying, self.rank, |i, j| deviations[i] * q[(i, j)]);
        let span = compact_svd("Σ^½Qᵀ", features.as_ref(), NEGLIGIBLE)?.left;
        let by_a = square_norm((&change * span.subrows(first, acting)).as_ref());
        let by_b = square_norm((u.transpose() * &change).as_ref());
        // As shares, these have errors of about 1e-16, even after cancellation. Differences up to TIE are ties.
        let left = |explained: f64| (1.0 - explained / total).clamp(0.0, 1.0);
        Ok(Draw { freeze_a: left(by_a), freeze_b: left(by_b) })
    }

    fn sample(&self, seed: u64, index: u64) -> Sample {
        // Each matrix has its own random stream, so it does not change when the size of another matrix changes.
        let rng = |name: &str| stream(seed, &format!("asymmetry.{name}.{index}"));
        let (_, acting) = self.change.directions(self.varying());
        let change = match self.change {
            Change::LowRank { k } => {
                let left = to_mat(&gaussian(self.d_out, k, &mut rng("change.left")));
                left * to_mat(&gaussian(acting, k, &mut rng("change.right"))).transpose()
            }
            Change::Gaussian | Change::Leading { .. } | Change::Trailing { .. } => {
                to_mat(&gaussian(self.d_out, acting, &mut rng("change")))
            }
        };
        Sample {
            change,
            q: to_mat(&orthonormal(self.d_in, self.rank, &mut rng("q"))),
            u: to_mat(&orthonormal(self.d_out, self.rank, &mut rng("u"))),
        }
    }

    /// Simulate the draws 0 .. `draws` with `seed`, on all cores. The result does not depend on the number of cores.
    ///
    /// # Errors
    ///
    /// The errors of [`Setting::draw`], and an error for fewer than two draws, which have no spread.
    pub fn simulate(&self, draws: usize, seed: u64) -> Result<Simulation, AnalysisError> {
        self.validate()?;
        at_least_two(draws)?;
        let deviations = self.deviations();
        let all = in_parallel(draws, |index| self.draw_with(&deviations, seed, index))?;
        Ok(Simulation::of(&all))
    }
}

impl Simulation {
    fn of(all: &[Draw]) -> Self {
        Self {
            wins: all.iter().filter(|draw| draw.freeze_b - draw.freeze_a > TIE).count(),
            ties: all.iter().filter(|draw| (draw.freeze_b - draw.freeze_a).abs() <= TIE).count(),
            draws: all.len(),
            freeze_a: Moments::of(all.iter().map(|draw| draw.freeze_a)),
            freeze_b: Moments::of(all.iter().map(|draw| draw.freeze_b)),
            gap: Moments::of(all.iter().map(|draw| draw.freeze_b - draw.freeze_a)),
        }
    }
}

/// Simulate many draws of Q and U for one problem, such as that of a real layer. The losses are as in [`Setting::simulate`].
///
/// # Errors
///
/// A rank outside 1 ..= min(d_in, d_out); fewer than two draws; a problem with nothing to explain; a decomposition that does
/// not converge.
pub fn simulate(problem: &Problem, rank: usize, draws: usize, seed: u64) -> Result<Simulation, AnalysisError> {
    let (d_in, d_out) = (problem.d_in(), problem.d_out());
    if rank == 0 || rank > d_in.min(d_out) {
        return Err(AnalysisError::Rank { rank, d_in, d_out });
    }
    at_least_two(draws)?;
    let total = problem.total();
    if total == 0.0 {
        return Err(AnalysisError::NothingToExplain);
    }
    let all = in_parallel(draws, |index| {
        let rng = |name: &str| stream(seed, &format!("asymmetry.{name}.{index}"));
        let q = to_mat(&orthonormal(d_in, rank, &mut rng("q")));
        let u = to_mat(&orthonormal(d_out, rank, &mut rng("u")));
        let left = |explained: f64| (1.0 - explained / total).clamp(0.0, 1.0);
        let freeze_a = left(problem.frozen_a(q.transpose())?.explained);
        let freeze_b = left(problem.frozen_b(u.as_ref())?.explained);
        Ok(Draw { freeze_a, freeze_b })
    })?;
    Ok(Simulation::of(&all))
}

fn at_least_two(draws: usize) -> Result<(), AnalysisError> {
    if draws < 2 {
        let expected = "2 or more, as one draw has no spread".to_owned();
        return Err(AnalysisError::Setting { field: "draws", found: draws as f64, expected });
    }
    Ok(())
}

/// The results of `work` for 0 .. `count`, in order. The threads end with the call, because faer keeps buffers of tens of MiB for
/// each thread that has multiplied matrices.
fn in_parallel<T: Send>(
    count: usize,
    work: impl Fn(u64) -> Result<T, AnalysisError> + Sync,
) -> Result<Vec<T>, AnalysisError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(count);
    let work = &work;
    std::thread::scope(|scope| {
        let part = |thread: usize| count * thread / threads..count * (thread + 1) / threads;
        let parts: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || part(thread).map(|i| work(i as u64)).collect::<Result<Vec<T>, _>>()))
            .collect();
        let mut all = Vec::with_capacity(count);
        for part in parts {
            match part.join() {
                Ok(values) => all.extend(values?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the shortcuts of a draw with the lemmas on whole matrices.
    #[test]
    fn draws_match_the_lemmas() {
        let inputs = [Inputs::Isotropic, Inputs::LowRank { rank: 5 }, Inputs::PowerLaw { exponent: 1.5 }];
        let changes = [Change::Gaussian, Change::Leading { k: 2 }, Change::Trailing { k: 3 }, Change::LowRank { k: 2 }];
        for (d_in, d_out, rank) in [(9, 6, 2), (7, 12, 6), (6, 6, 6)] {
            for (inputs, change) in inputs.into_iter().flat_map(|inputs| changes.map(|change| (inputs, change))) {
                let setting = Setting { d_in, d_out, rank, inputs, change };
                let Draw { freeze_a, freeze_b } = setting.draw(3, 4).unwrap();
                let Sample { change, q, u } = setting.sample(3, 4);
                let (first, acting) = setting.change.directions(setting.varying());
                let mut delta = Mat::zeros(d_out, d_in);
                delta.subcols_mut(first, acting).copy_from(&change);
                let spectrum = setting.spectrum();
                let sigma =
                    Mat::from_fn(d_in, d_in, |i, j| if i == j && i < spectrum.len() { spectrum[i] } else { 0.0 });
                assert!((spectrum.iter().sum::<f64>() - d_in as f64).abs() < 1e-12);
                let problem = Problem::of(delta, sigma, 0.0).unwrap();
                let a = problem.frozen_a(q.transpose()).unwrap().loss / problem.total();
                let b = problem.frozen_b(u.as_ref()).unwrap().loss / problem.total();
                assert!((freeze_a - a).abs() < 1e-12, "{setting:?}: {freeze_a}, not {a}");
                assert!((freeze_b - b).abs() < 1e-12, "{setting:?}: {freeze_b}, not {b}");
            }
        }
    }

    #[test]
    fn the_interval_is_the_wilson_score_interval() {
        let moments = Moments { mean: 0.0, sd: 0.0, count: 100 };
        let of = |wins, draws| {
            Simulation { wins, ties: 0, draws, freeze_a: moments, freeze_b: moments, gap: moments }.interval()
        };
        // By definition, the ends are the values of p for which the share is 1.96 standard deviations from p.
        for (wins, draws) in [(10, 100), (1, 3), (999, 1000), (0, 100), (100, 100)] {
            let share = wins as f64 / draws as f64;
            let (low, high) = of(wins, draws);
            assert!(low <= share && share <= high);
            for p in [low, high] {
                let deviation = (p * (1.0 - p) / draws as f64).sqrt();
                assert!(
                    ((share - p).abs() - 1.959_963_984_540_054 * deviation).abs() < 1e-12,
                    "{wins} of {draws}: {p}"
                );
            }
        }
        assert!(of(0, 100).0 == 0.0 && of(0, 100).1 > 0.03);
        assert!(of(100, 100).0 < 0.97 && of(100, 100).1 == 1.0);
    }
}
