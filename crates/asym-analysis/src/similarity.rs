//! The similarity of learned factors: the paper's Figure 1 and appendix D.
//!
//! An update B·A equals the update (B·C)(C⁻¹·A) for any invertible C. A factor is therefore characterized by the subspace that it
//! spans: the row space of A, or the column space of B. The similarity of two subspaces with orthonormal bases U_X and U_Y is the
//! goodness of fit of canonical correlations, ‖U_Yᵀ·U_X‖²_F / min(r_X, r_Y). It is 1 if one subspace contains the other, and 0 if
//! the subspaces are orthogonal. [`Expected`] describes the similarity of independent subspaces.

mod report;

use std::fmt;

use asym_core::FactorPair;
use asym_core::linalg::Matrix;
use faer::{Mat, MatRef};

use crate::linalg::{check, compact_svd, to_mat};
use crate::moments::Moments;
use crate::{AnalysisError, names};

pub use report::{panel, panels, table};

/// Singular values of at most this share of the largest are treated as rounding errors, because factors are read from files with
/// 32 bits or less per value.
const NEGLIGIBLE: f64 = 1e-6;

/// A factor of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// A, whose rows span the input directions on which the update depends.
    A,
    /// B, whose columns span the output directions that the update changes.
    B,
}

impl Side {
    /// Both factors.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// An orthonormal basis of a subspace, as columns.
#[derive(Debug, Clone)]
pub struct Basis(Mat<f64>);

impl Basis {
    /// The space that the columns of `matrix` span, by its left singular vectors.
    ///
    /// The number of vectors in the basis is the rank of the matrix. A column that depends on other columns, except for rounding,
    /// does not increase it.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::ZeroFactor`] for a matrix of zeros, which spans no subspace; and errors for a matrix that is empty or not
    /// finite, and for a decomposition that does not converge.
    pub fn of_columns(matrix: &Matrix, what: &str) -> Result<Self, AnalysisError> {
        Self::spanned(to_mat(matrix).as_ref(), what)
    }

    /// [`of_columns`](Self::of_columns) for a faer matrix.
    fn spanned(matrix: MatRef<'_, f64>, what: &str) -> Result<Self, AnalysisError> {
        check(what.to_string(), matrix)?;
        let svd = compact_svd(what.to_string(), matrix, NEGLIGIBLE)?;
        match svd.values.is_empty() {
            true => Err(AnalysisError::ZeroFactor { what: what.to_string() }),
            false => Ok(Self(svd.left)),
        }
    }

    /// The space that a factor of `pair` spans: the row space of A, by its right singular vectors, or the column space of B.
    /// `whose` is the name of the adapter in error messages.
    ///
    /// # Errors
    ///
    /// The errors of [`of_columns`](Self::of_columns).
    pub fn of_factor(pair: &FactorPair, side: Side, whose: &str) -> Result<Self, AnalysisError> {
        let what = format!("{side} of `{}` in {whose}", pair.module);
        match side {
            Side::A => Self::spanned(to_mat(&pair.a).transpose(), &what),
            Side::B => Self::of_columns(&pair.b, &what),
        }
    }

    /// The dimension of the subspace.
    pub fn dim(&self) -> usize {
        self.0.ncols()
    }

    /// The dimension of the space that contains the subspace.
    pub fn ambient(&self) -> usize {
        self.0.nrows()
    }

    /// ‖U_Yᵀ·U_X‖²_F / min(r_X, r_Y), from 0 to 1 except for rounding. It is symmetric.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Shape`] for subspaces of spaces of different dimensions.
    pub fn similarity(&self, other: &Self) -> Result<f64, AnalysisError> {
        if self.ambient() != other.ambient() {
            return Err(AnalysisError::Shape {
                what: "the second subspace's basis".into(),
                expected: format!("{} × {}", self.ambient(), other.dim()),
                rows: other.ambient(),
                columns: other.dim(),
            });
        }
        let overlap = (self.0.transpose() * &other.0).squared_norm_l2();
        Ok(overlap / self.dim().min(other.dim()) as f64)
    }

    /// The expected [`similarity`](Self::similarity) of two independent subspaces of these dimensions.
    pub fn expected(&self, other: &Self) -> Expected {
        Expected::of(self.ambient(), self.dim(), other.dim())
    }
}

/// The similarity of independent subspaces, uniform on their Grassmannians: mean and standard deviation.
///
/// Let P and Q be the projections on the subspaces. Then ‖U_Yᵀ·U_X‖²_F = tr PQ. Its mean is exactly r_X·r_Y/d, because E\[P\] =
/// (r_X/d)·I. Its variance is 2·r_X·r_Y·(d − r_X)(d − r_Y) / (d²·(d − 1)(d + 2)), which follows from the second moments of a
/// uniform projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// max(r_X, r_Y)/d.
    pub mean: f64,
    /// The standard deviation of the similarity of one pair.
    pub std: f64,
}

impl Expected {
    /// The similarity of subspaces of dimensions `r_x` and `r_y` in d dimensions.
    pub fn of(d: usize, r_x: usize, r_y: usize) -> Self {
        let (n, x, y, smaller) = (d as f64, r_x as f64, r_y as f64, r_x.min(r_y) as f64);
        let variance = 2.0 * x * y * (n - x) * (n - y) / (n * n * (n - 1.0) * (n + 2.0));
        // In one dimension, there is only one subspace.
        Self { mean: x * y / n / smaller, std: if d > 1 { variance.sqrt() / smaller } else { 0.0 } }
    }
}

/// The name and the factors of an adapter.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// The folder of the adapter.
    pub name: String,
    /// The factors of each weight, in the order of the modules' names.
    pub pairs: Vec<FactorPair>,
}

/// The similarity of several adapters in one factor of one module.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// One value per pair of adapters: (first, second), (first, third), …, (second, third), ….
    pub pairs: Vec<f64>,
    /// The expected similarity of independent subspaces of these dimensions, a mean over the pairs.
    pub independent: f64,
}

impl Alike {
    /// Mean and spread over the pairs. Pairs share adapters, so the spread divided by the square root of their number
    /// is not a standard error.
    pub fn moments(&self) -> Moments {
        Moments::of(self.pairs.iter().copied())
    }
}

/// The similarity of several adapters in one module.
#[derive(Debug, Clone, PartialEq)]
pub struct Similarity {
    /// The module's name.
    pub module: String,
    /// The subspace that A's rows span.
    pub a: Alike,
    /// The subspace that B's columns span.
    pub b: Alike,
}

impl Similarity {
    /// The similarity of one factor.
    pub fn of(&self, side: Side) -> &Alike {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

/// Compare all pairs of `adapters` of one model in each module. The result is sorted by module, with layers in numerical order. A
/// module is skipped if AdaLoRA pruned all its ranks in one of the adapters.
///
/// # Errors
///
/// Fewer than two adapters; adapters that adapt different modules or modules of different sizes ([`AnalysisError::OtherModel`]);
/// a factor of zeros or with values that are not finite; no module with factors in all adapters.
pub fn compare(adapters: &[Adapter]) -> Result<Vec<Similarity>, AnalysisError> {
    let [first, others @ ..] = adapters else { return Err(AnalysisError::TooFew { found: 0 }) };
    if others.is_empty() {
        return Err(AnalysisError::TooFew { found: 1 });
    }
    for other in others {
        same_model(first, other)?;
    }
    let mut found = Vec::new();
    for module in first.pairs.iter().map(|pair| &pair.module) {
        let of = |pair: &&FactorPair| pair.module == *module;
        let pairs: Vec<(&str, &FactorPair)> = adapters
            .iter()
            .filter_map(|adapter| Some((adapter.name.as_str(), adapter.pairs.iter().find(of)?)))
            .collect();
        if pairs.iter().all(|(_, pair)| pair.a.rows() > 0) {
            let [a, b] = [alike(&pairs, Side::A)?, alike(&pairs, Side::B)?];
            found.push(Similarity { module: module.clone(), a, b });
        }
    }
    if found.is_empty() {
        return Err(AnalysisError::NothingInCommon);
    }
    found.sort_by_key(|row| names::natural(&row.module));
    Ok(found)
}

fn alike(adapters: &[(&str, &FactorPair)], side: Side) -> Result<Alike, AnalysisError> {
    let bases: Vec<Basis> =
        adapters.iter().map(|(name, pair)| Basis::of_factor(pair, side, name)).collect::<Result<_, _>>()?;
    let mut pairs = Vec::new();
    let mut independent = 0.0;
    for (at, basis) in bases.iter().enumerate() {
        for other in &bases[at + 1..] {
            pairs.push(basis.similarity(other)?);
            independent += basis.expected(other).mean;
        }
    }
    independent /= pairs.len() as f64;
    Ok(Alike { pairs, independent })
}

/// Refuse adapters that do not adapt the same layers.
fn same_model(first: &Adapter, other: &Adapter) -> Result<(), AnalysisError> {
    let refuse = |module: &str, expected: String, found: String| AnalysisError::OtherModel {
        first: first.name.clone(),
        second: other.name.clone(),
        module: module.to_string(),
        expected,
        found,
    };
    let size = |pair: &FactorPair| format!("{} -> {}", pair.a.columns(), pair.b.rows());
    let of = |adapter: &Adapter, module: &str| {
        let pair = adapter.pairs.iter().find(|pair| pair.module == module);
        pair.map_or("missing".to_string(), size)
    };
    let modules = first.pairs.iter().chain(&other.pairs).map(|pair| &pair.module);
    match modules.map(|module| (module, of(first, module), of(other, module))).find(|(_, a, b)| a != b) {
        Some((module, expected, found)) => Err(refuse(module, expected, found)),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use asym_core::linalg::{gaussian, orthonormal};
    use asym_core::random::stream;

    fn basis(matrix: &Mat<f64>) -> Basis {
        Basis::spanned(matrix.as_ref(), "it").unwrap()
    }

    #[test]
    fn invertible_mixing_preserves_the_subspace() {
        let mut rng = stream(1, "mixture");
        for (d, r) in [(64, 8), (40, 1), (16, 16), (300, 32)] {
            let b = to_mat(&gaussian(d, r, &mut rng));
            let mixed = &b * to_mat(&gaussian(r, r, &mut rng));
            let similarity = basis(&b).similarity(&basis(&mixed)).unwrap();
            assert!((similarity - 1.0).abs() < 1e-10, "{d} x {r}: {similarity}");
        }
    }

    #[test]
    fn nested_subspaces_have_similarity_1_and_orthogonal_ones_0() {
        let q = to_mat(&orthonormal(30, 10, &mut stream(2, "parts")));
        let part = |from, count| basis(&q.subcols(from, count).to_owned());
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        close(part(0, 3).similarity(&part(0, 8)).unwrap(), 1.0);
        close(part(0, 4).similarity(&part(4, 4)).unwrap(), 0.0);
        // Two of four directions are common.
        close(part(0, 4).similarity(&part(2, 4)).unwrap(), 0.5);
        close(part(2, 4).similarity(&part(0, 4)).unwrap(), 0.5);
    }

    /// Compares mean and standard deviation over draws with the exact expressions, within three standard errors. The standard
    /// error of the standard deviation is based on that of a normal sample.
    #[test]
    fn random_subspaces_have_the_expected_similarity() {
        for (d, r_x, r_y) in [(64, 8, 8), (48, 4, 12), (20, 1, 1), (32, 30, 5)] {
            let (mut rng, draws) = (stream(3, "independent"), 2000);
            let mut draw = |r| Basis(to_mat(&orthonormal(d, r, &mut rng)));
            let values: Vec<f64> = (0..draws).map(|_| draw(r_x).similarity(&draw(r_y)).unwrap()).collect();
            let expected = Expected::of(d, r_x, r_y);
            let mean = values.iter().sum::<f64>() / draws as f64;
            let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (draws - 1) as f64).sqrt();
            let error = expected.std / (draws as f64).sqrt();
            assert!((mean - expected.mean).abs() < 3.0 * error, "{d} {r_x} {r_y}: {mean} is not {}", expected.mean);
            // In few dimensions, the tail is heavier than that of a normal sample, so twice its error is allowed.
            let spread = 2.0 * 3.0 * expected.std / (2.0 * draws as f64).sqrt();
            assert!((std - expected.std).abs() < spread, "{d} {r_x} {r_y}: {std} is not {}", expected.std);
        }
        assert_eq!(Expected::of(1024, 8, 8).mean, 8.0 / 1024.0);
        // The whole space contains every subspace, so the similarity is always 1.
        assert_eq!(Expected::of(16, 16, 4), Expected { mean: 1.0, std: 0.0 });
    }

    #[test]
    fn linearly_dependent_columns_are_ignored() {
        let b = to_mat(&gaussian(50, 4, &mut stream(4, "dependent")));
        let twice = Mat::from_fn(50, 8, |i, j| b[(i, j % 4)] * (1.0 + j as f64));
        assert_eq!(basis(&twice).dim(), 4);
        assert!((basis(&twice).similarity(&basis(&b)).unwrap() - 1.0).abs() < 1e-10);
    }

    fn pair(module: &str, d_input: usize, d_output: usize, seed: u64) -> FactorPair {
        let mut rng = stream(seed, module);
        FactorPair { module: module.into(), a: gaussian(2, d_input, &mut rng), b: gaussian(d_output, 2, &mut rng) }
    }

    fn adapter(name: &str, pairs: Vec<FactorPair>) -> Adapter {
        Adapter { name: name.into(), pairs }
    }

    #[test]
    fn modules_are_matched_by_name_and_sorted_by_layer() {
        let names = ["m.dec.10.q", "m.dec.2.q", "m.enc.2.q"];
        let of = |seed| adapter("it", names.iter().map(|name| pair(name, 12, 10, seed)).collect());
        let mut moved = of(1);
        // The modules are in another order, and one B differs.
        moved.pairs.reverse();
        moved.pairs[0].b = pair("other", 12, 10, 9).b;
        let rows = compare(&[of(1), moved]).unwrap();
        assert_eq!(
            rows.iter().map(|row| row.module.as_str()).collect::<Vec<_>>(),
            ["m.dec.2.q", "m.dec.10.q", "m.enc.2.q"]
        );
        for row in &rows {
            assert!((row.a.moments().mean - 1.0).abs() < 1e-9, "{row:?}");
            assert_eq!((row.b.moments().mean - 1.0).abs() < 1e-9, row.module != "m.enc.2.q", "{row:?}");
            assert_eq!((row.a.independent, row.b.independent), (2.0 / 12.0, 2.0 / 10.0));
        }
        assert_eq!(compare(&[of(1), of(2), of(3)]).unwrap()[0].a.pairs.len(), 3);
        let mut left = of(1);
        left.pairs[1].a = Matrix::zeros(0, 12);
        left.pairs[1].b = Matrix::zeros(10, 0);
        assert_eq!(compare(&[of(1), left]).unwrap().len(), 2);
    }

    #[test]
    fn incompatible_adapters_are_rejected() {
        let one = adapter("one", vec![pair("query", 12, 10, 1)]);
        let message = |others: &[Adapter]| {
            let all: Vec<Adapter> = [one.clone()].into_iter().chain(others.iter().cloned()).collect();
            compare(&all).unwrap_err().to_string()
        };
        assert!(message(&[]).contains("two"), "{}", message(&[]));
        let wider = message(&[adapter("two", vec![pair("query", 14, 10, 1)])]);
        assert!(wider.contains("`query`") && wider.contains("12 -> 10") && wider.contains("14 -> 10"), "{wider}");
        let more = message(&[adapter("two", vec![pair("query", 12, 10, 1), pair("value", 12, 10, 1)])]);
        assert!(more.contains("`value`") && more.contains("missing"), "{more}");
        let mut empty = pair("query", 12, 10, 1);
        empty.b = Matrix::zeros(10, 2);
        let zero = message(&[adapter("two", vec![empty.clone()])]);
        assert!(zero.contains("B of `query` in two") && zero.contains("zeros"), "{zero}");
        empty.b[(3, 1)] = f64::NAN;
        assert!(message(&[adapter("two", vec![empty])]).contains("row 3, column 1"));
    }
}
