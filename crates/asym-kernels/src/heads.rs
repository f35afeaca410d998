//! How attention divides rows into sequences and features into heads.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

/// How the features of queries, keys and values are divided, and which keys a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Heads of the queries.
    pub query: usize,
    /// Heads of keys and values, each shared by `query / key_value` heads of the queries.
    pub key_value: usize,
    /// Whether a query sees only the keys up to its own position. The last query has the position of the last key.
    pub causal: bool,
}

impl Heads {
    /// The same number of heads for keys and values as for queries; each query sees every key.
    pub const fn new(heads: usize) -> Self {
        Self { query: heads, key_value: heads, causal: false }
    }

    /// Features of a head.
    ///
    /// # Panics
    ///
    /// Panics if heads do not divide the features.
    pub(crate) fn width(&self, query: &Tensor<3>, key: &Tensor<3>) -> usize {
        let ([_, _, features], [_, _, key_features]) = (query.dims(), key.dims());
        let width = features / self.query;
        assert!(
            features == self.query * width
                && key_features == self.key_value * width
                && self.query.is_multiple_of(self.key_value),
            "{features} features of queries and {key_features} of keys in {self:?}"
        );
        width
    }
}

/// Sequences whose tokens follow each other directly, without padding between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequences(pub(crate) Arc<[Sequence]>);

/// The rows of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) queries: Range<usize>,
    pub(crate) keys: Range<usize>,
}

impl Sequences {
    /// Sequences of these lengths, in the order of their rows, in which each token is a query and a key.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut start = 0;
        let rows = lengths.into_iter().map(|length| {
            let rows = start..start + length;
            start = rows.end;
            Sequence { queries: rows.clone(), keys: rows }
        });
        Self(rows.collect())
    }

    /// `count` sequences of the same length: `queries` and `keys`.
    #[cfg(feature = "host")]
    pub(crate) fn uniform(count: usize, queries: usize, keys: usize) -> Self {
        let rows = |at: usize, length: usize| at * length..(at + 1) * length;
        Self((0..count).map(|at| Sequence { queries: rows(at, queries), keys: rows(at, keys) }).collect())
    }

    /// The same keys, with only the first token of each sequence as a query. The rows of these tokens follow each other
    /// directly.
    pub fn first_queries(&self) -> Self {
        let sequence = |(at, sequence): (usize, &Sequence)| Sequence { queries: at..at + 1, ..sequence.clone() };
        Self(self.0.iter().enumerate().map(sequence).collect())
    }

    /// The same queries, which see the keys of `others` instead, sequence by sequence: cross-attention.
    ///
    /// # Panics
    ///
    /// Panics if there are not as many.
    pub fn attending_to(&self, others: &Self) -> Self {
        assert_eq!(self.0.len(), others.0.len(), "sequences of queries and of keys");
        let each = self.0.iter().zip(others.0.iter());
        Self(each.map(|(own, other)| Sequence { queries: own.queries.clone(), keys: other.keys.clone() }).collect())
    }

    /// The first row of each sequence.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|sequence| sequence.keys.start)
    }

    /// The rows of queries and of keys of each sequence.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        self.0.iter().map(|sequence| (sequence.queries.clone(), sequence.keys.clone()))
    }
}
