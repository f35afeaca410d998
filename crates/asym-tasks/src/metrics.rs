//! Metrics of predictions and labels, computed on the host.
//!
//! Every metric follows the definition of scikit-learn or SciPy. An undefined metric is 0 instead of NaN, so that a
//! model that always predicts the same class still has a row in the table.

mod summary;
#[cfg(test)]
mod tests;

use std::fmt;

pub use summary::Summary;

/// The metrics of the GLUE tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Fraction of correct predictions.
    Accuracy,
    /// Harmonic mean of precision and recall of class 1.
    F1,
    /// Matthews' correlation coefficient, generalized to any number of classes.
    Matthews,
    /// Pearson's correlation coefficient.
    Pearson,
    /// Spearman's correlation coefficient, which is Pearson's of the ranks. Equal values share the mean of their ranks.
    Spearman,
}

impl Metric {
    /// Every metric.
    pub const ALL: &[Self] = &[Self::Accuracy, Self::F1, Self::Matthews, Self::Pearson, Self::Spearman];

    /// The name in `results.json` and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Matthews => "matthews",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        }
    }

    /// Compute the score of `outcomes`. It is in [0, 1], or in [-1, 1] for correlations. An undefined score is 0.
    pub fn score(self, outcomes: &Outcomes) -> f64 {
        let Outcomes { predicted, right } = outcomes;
        match self {
            Self::Accuracy => {
                let hits = predicted.iter().zip(right).filter(|(predicted, right)| predicted == right).count();
                ratio(hits as f64, right.len() as f64)
            }
            Self::F1 => f1(predicted, right),
            Self::Matthews => Confusion::new(predicted, right).matthews(),
            Self::Pearson => pearson(predicted, right),
            Self::Spearman => pearson(&ranks(predicted), &ranks(right)),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Predictions and labels, one of each per example. A class is represented by its number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    predicted: Vec<f64>,
    right: Vec<f64>,
}

impl Outcomes {
    /// Add an example.
    pub fn add(&mut self, predicted: f64, right: f64) {
        self.predicted.push(predicted);
        self.right.push(right);
    }
}

/// `a / b`, or 0 if `b` is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

fn f1(predicted: &[f64], right: &[f64]) -> f64 {
    let count = |values: &[f64]| values.iter().filter(|value| **value == 1.0).count();
    let hits = predicted.iter().zip(right).filter(|(predicted, right)| **predicted == 1.0 && **right == 1.0).count();
    // 2·TP / (2·TP + FP + FN): the denominator is the number of positive predictions plus that of positive labels.
    ratio(2.0 * hits as f64, (count(predicted) + count(right)) as f64)
}

/// The number of predictions and of labels of each class.
struct Confusion {
    total: f64,
    hits: f64,
    predicted: Vec<f64>,
    right: Vec<f64>,
}

impl Confusion {
    fn new(predicted: &[f64], right: &[f64]) -> Self {
        let class = |value: &f64| *value as usize;
        let classes = predicted.iter().chain(right).map(class).max().map_or(0, |largest| largest + 1);
        let mut confusion =
            Self { total: right.len() as f64, hits: 0.0, predicted: vec![0.0; classes], right: vec![0.0; classes] };
        for (predicted, right) in predicted.iter().zip(right) {
            confusion.predicted[class(predicted)] += 1.0;
            confusion.right[class(right)] += 1.0;
            confusion.hits += f64::from(class(predicted) == class(right));
        }
        confusion
    }

    fn matthews(&self) -> f64 {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let covariance = self.hits * self.total - dot(&self.predicted, &self.right);
        let predicted = self.total * self.total - dot(&self.predicted, &self.predicted);
        let right = self.total * self.total - dot(&self.right, &self.right);
        ratio(covariance, (predicted * right).sqrt())
    }
}

fn pearson(left: &[f64], right: &[f64]) -> f64 {
    let centered = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        values.iter().map(|value| value - mean).collect()
    };
    // The mean of equal numbers can differ from them by rounding. The difference would look like a variance.
    let constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if left.len() < 2 || constant(left) || constant(right) {
        return 0.0;
    }
    let (left, right) = (centered(left), centered(right));
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let dot: f64 = left.iter().zip(&right).map(|(left, right)| left * right).sum();
    ratio(dot, norm(&left) * norm(&right)).clamp(-1.0, 1.0)
}

/// The ranks of `values`, counted from 1; equal values share the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        // The ranks of this group start after those of all smaller values.
        let before = order.partition_point(|at| values[*at].total_cmp(&values[tied[0]]).is_lt());
        let mean = before as f64 + (tied.len() + 1) as f64 / 2.0;
        for at in tied {
            ranks[*at] = mean;
        }
    }
    ranks
}
