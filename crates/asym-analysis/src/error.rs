//! The errors of the analyses. Most messages state how to correct the error.

use std::borrow::Cow;

/// An error of this crate. A variant contains the quantity in error, and the expected and found values where they apply.
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
    /// A Σ that is not symmetric, and so is not a second moment.
    #[error(
        "Σ is not symmetric: {above} at ({row}, {column}) but {below} at ({column}, {row}); \
         compute it as XᵀX/n, or pass (Σ + Σᵀ)/2"
    )]
    Asymmetric {
        /// The row of the entry with the largest difference.
        row: usize,
        /// The column of this entry.
        column: usize,
        /// Σ at (row, column).
        above: f64,
        /// Σ at (column, row).
        below: f64,
    },
    /// A Σ with a negative eigenvalue, and so not a second moment.
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
    #[error("{what} is all zeros, so the trained factor would have no effect: initialize the frozen factor randomly")]
    Zero {
        /// The matrix.
        what: Cow<'static, str>,
    },
    /// A rank that no pair of factors of these shapes can use.
    #[error("rank {rank} does not fit a change of {d_out} × {d_in}: choose a rank from 1 to {}", d_in.min(d_out))]
    Rank {
        /// The requested rank.
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
        /// The given value.
        found: f64,
        /// The allowed range.
        expected: String,
    },
    /// Values too large for f64.
    #[error("{what} overflows f64: scale down the inputs or the weights")]
    Overflow {
        /// The quantity.
        what: Cow<'static, str>,
    },
    /// An iterative decomposition that did not converge.
    #[error(
        "the decomposition of {what} did not converge: its entries span too many orders of magnitude; rescale them"
    )]
    NoConvergence {
        /// The matrix.
        what: Cow<'static, str>,
    },
    /// A factor of zeros, which spans no subspace.
    #[error(
        "{what} is all zeros, which span no subspace: a factor that is initialized to zero must be trained before it is compared"
    )]
    ZeroFactor {
        /// The factor.
        what: String,
    },
    /// Fewer than two adapters.
    #[error("the number of adapters is {found}: similarity needs at least two adapters")]
    TooFew {
        /// The number of adapters.
        found: usize,
    },
    /// Adapters without a module that has factors in all of them.
    #[error("no module has factors in every adapter: there is nothing to compare")]
    NothingInCommon,
    /// A problem whose change has no effect for any input.
    #[error("the change has no effect for any input: tr ΔΣΔᵀ is 0, so there is nothing that a factor can explain")]
    NothingToExplain,
    /// Adapters that do not adapt the same layers.
    #[error(
        "`{module}` is {expected} in {first} and {found} in {second}: compare adapters of one model and the same targets"
    )]
    OtherModel {
        /// The first adapter.
        first: String,
        /// The second adapter.
        second: String,
        /// The module in which they differ.
        module: String,
        /// The module's sizes in the first adapter.
        expected: String,
        /// The module's sizes in the second adapter.
        found: String,
    },
    /// A device without autodiff in f64, which gradient descent needs.
    #[error("{device} has no autodiff in f64: use the CPU, Device::flex().autodiff()")]
    NoF64 {
        /// The device.
        device: String,
    },
}
