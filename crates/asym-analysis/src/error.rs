//! What cannot be studied, and what to do about it.

/// An error of this crate. Each variant says what was given, where, and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A value that is not finite.
    #[error("{what}: the value at [{row}, {column}] is {found}: every value must be finite")]
    NotFinite {
        /// The matrix.
        what: String,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
        /// The value.
        found: f64,
    },
    /// A matrix of another shape than its place asks for.
    #[error("{what}: expected the shape {expected:?}, found {found:?}")]
    Shape {
        /// The matrix.
        what: String,
        /// Rows and columns that fit.
        expected: Vec<usize>,
        /// Rows and columns that were given.
        found: Vec<usize>,
    },
    /// A factor that spans nothing.
    #[error(
        "{what}: all zeros, which span no subspace: a factor that starts at zero has to be trained before it is compared"
    )]
    ZeroFactor {
        /// The factor.
        what: String,
    },
    /// A decomposition that did not converge.
    #[error("{what}: its decomposition does not converge")]
    NoDecomposition {
        /// The matrix.
        what: String,
    },
    /// Fewer adapters than can be compared.
    #[error("{found} adapters given: similarity is that of at least two")]
    TooFew {
        /// Their number.
        found: usize,
    },
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
    /// A setting outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What was given.
        found: f64,
        /// The range that is allowed.
        expected: &'static str,
    },
}
