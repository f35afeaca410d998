//! How attention divides rows into sequences and features into heads.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

/// The numbers of attention heads, and whether attention is causal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The number of heads of the queries.
    pub query: usize,
    /// The number of heads of keys and values. Each is shared by `query / key_value` heads of the queries.
    pub key_value: usize,
    /// Whether a query attends only to the keys up to its own position. The last query has the position of the last key.
    pub causal: bool,
}

impl Heads {
    /// The same number of heads for queries, keys and values, where each query attends to every key.
    pub const fn new(heads: usize) -> Self {
        Self { query: heads, key_value: heads, causal: false }
    }

    /// The number of features per head.
    ///
    /// # Panics
    ///
    /// Panics if a number of heads does not divide the corresponding number of features.
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

/// Sequences that are stored one after another, without padding between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequences(pub(crate) Arc<[Sequence]>);

/// The rows of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) queries: Range<usize>,
    pub(crate) keys: Range<usize>,
}

impl Sequences {
    /// Sequences of these lengths, in the order of their rows. Each token is both a query and a key.
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut start = 0;
        let rows = lengths.into_iter().map(|length| {
            let rows = start..start + length;
            start = rows.end;
            Sequence { queries: rows.clone(), keys: rows }
        });
        Self(rows.collect())
    }

    /// `count` sequences, each with the same numbers of queries and keys.
    #[cfg(feature = "host")]
    pub(crate) fn uniform(count: usize, queries: usize, keys: usize) -> Self {
        let rows = |at: usize, length: usize| at * length..(at + 1) * length;
        Self((0..count).map(|at| Sequence { queries: rows(at, queries), keys: rows(at, keys) }).collect())
    }

    /// The same keys, with only the first token of each sequence as a query. The rows of these queries are stored one after
    /// another.
    pub fn first_queries(&self) -> Self {
        let sequence = |(at, sequence): (usize, &Sequence)| Sequence { queries: at..at + 1, ..sequence.clone() };
        Self(self.0.iter().enumerate().map(sequence).collect())
    }

    /// The same queries with the keys of `others`, sequence by sequence, for cross-attention.
    ///
    /// # Panics
    ///
    /// Panics if the numbers of sequences differ.
    pub fn attending_to(&self, others: &Self) -> Self {
        assert_eq!(self.0.len(), others.0.len(), "the numbers of sequences of queries and of keys");
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
