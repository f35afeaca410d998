//! Errors of the analyses. Each says how to correct it.

use std::borrow::Cow;

/// An error of this crate. Each variant carries the place, what was expected and what was found.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A matrix without entries.
    #[error("{what} is {rows} × {columns}: it has no entries; give it at least one row and one column")]
    Empty {
        /// The matrix.
        what: Cow<'static, str>,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// A matrix whose shape does not fit the other matrices.
    #[error(
        "{what} must be {expected}, found {rows} × {columns}: check its orientation, B is d_out × r and A r × d_in"
    )]
    Shape {
        /// The matrix.
        what: Cow<'static, str>,
        /// The shape that it must have.
        expected: String,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// An entry that is NaN or infinite.
    #[error("{what} is {found} at row {row}, column {column} (from 0): every entry must be finite")]
    NotFinite {
        /// The matrix.
        what: Cow<'static, str>,
        /// The first such row.
        row: usize,
        /// Its column.
        column: usize,
        /// The entry.
        found: f64,
    },
    /// A Σ that is not symmetric, and so no second moment.
    #[error(
        "Σ is not symmetric: {above} at ({row}, {column}) but {below} at ({column}, {row}); \
         compute it as XᵀX/n, or pass (Σ + Σᵀ)/2 if that is what is meant"
    )]
    Asymmetric {
        /// Row of the worst entry.
        row: usize,
        /// Column of the worst entry.
        column: usize,
        /// Σ at (row, column).
        above: f64,
        /// Σ at (column, row).
        below: f64,
    },
    /// A Σ with a negative eigenvalue, and so no second moment.
    #[error(
        "Σ is not positive semi-definite: its most negative eigenvalue is {smallest:e}, its largest {largest:e}; \
         accumulate XᵀX in f64, or add a small multiple of the identity"
    )]
    NotPositive {
        /// The most negative eigenvalue.
        smallest: f64,
        /// The largest eigenvalue.
        largest: f64,
    },
    /// A matrix of zeros where a direction is needed.
    #[error("{what} is all zeros, so that the trained factor would have no effect: draw it at random")]
    Zero {
        /// The matrix.
        what: Cow<'static, str>,
    },
    /// A rank that no pair of factors of these shapes can use.
    #[error("rank {rank} does not fit a change of {d_out} × {d_in}: choose a rank from 1 to {}", d_in.min(d_out))]
    Rank {
        /// The rank asked for.
        rank: usize,
        /// Input features.
        d_in: usize,
        /// Output features.
        d_out: usize,
    },
    /// A number outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The argument or field.
        field: &'static str,
        /// The value that was given.
        found: f64,
        /// The range that is allowed.
        expected: String,
    },
    /// Values too large for f64.
    #[error("{what} overflows f64: scale the inputs or the weights down")]
    Overflow {
        /// The quantity.
        what: Cow<'static, str>,
    },
    /// An iterative decomposition that gave up.
    #[error(
        "the decomposition of {what} did not converge: its entries span too many orders of magnitude; rescale them"
    )]
    NoConvergence {
        /// The matrix.
        what: Cow<'static, str>,
    },
    /// A factor that spans nothing.
    #[error(
        "{what} is all zeros, which span no subspace: a factor that starts at zero has to be trained before it is compared"
    )]
    ZeroFactor {
        /// The factor.
        what: String,
    },
    /// Fewer adapters than can be compared.
    #[error("{found} adapters given: similarity is that of at least two")]
    TooFew {
        /// Their number.
        found: usize,
    },
    /// Adapters without a module that has factors in all of them.
    #[error("no module has factors in every adapter: there is nothing to compare")]
    NothingInCommon,
    /// A problem whose change has no effect on what is read.
    #[error("the change has no effect on any input: tr ΔΣΔᵀ is 0, and no factor can explain a part of it")]
    NothingToExplain,
    /// Adapters that were not made for the same layers.
    #[error(
        "`{module}` is {expected} in {first} and {found} in {second}: compare adapters of one model and the same targets"
    )]
    OtherModel {
        /// The first adapter.
        first: String,
        /// The other.
        second: String,
        /// The module in which they differ.
        module: String,
        /// Its sizes in the first.
        expected: String,
        /// Its sizes in the other.
        found: String,
    },
    /// A device that cannot descend.
    #[error("{device} has no autodiff in f64: use the CPU's, Device::flex().autodiff()")]
    NoF64 {
        /// The device.
        device: String,
    },
}
