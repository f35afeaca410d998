//! Metrics of predictions and labels, computed on the host.
//!
//! Every metric follows the definition of scikit-learn or SciPy. An undefined metric is 0 instead of NaN, so a
//! model that always predicts the same class still has a row in the table.

mod summary;
#[cfg(test)]
mod tests;

use std::fmt;

pub use summary::Summary;

/// The metrics of tasks with class labels or numeric targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Fraction of correct predictions.
    Accuracy,
    /// Harmonic mean of precision and recall of class 1.
    F1,
    /// F1 from the counts of all labels together. With one class per example, this is the accuracy.
    MicroF1,
    /// The mean of the F1 of each class or label. A class that is neither predicted nor correct is left out. In [`LabelSets`],
    /// such a label is included with an F1 of 0.
    MacroF1,
    /// Matthews' correlation coefficient, generalized to any number of classes.
    Matthews,
    /// Pearson's correlation coefficient.
    Pearson,
    /// Spearman's correlation coefficient, which is Pearson's of the ranks. Equal values share the mean of their ranks.
    Spearman,
}

impl Metric {
    /// Every metric.
    pub const ALL: &[Self] =
        &[Self::Accuracy, Self::F1, Self::MicroF1, Self::MacroF1, Self::Matthews, Self::Pearson, Self::Spearman];

    /// The name in `results.json` and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::MicroF1 => "micro_f1",
            Self::MacroF1 => "macro_f1",
            Self::Matthews => "matthews",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        }
    }

    /// Compute the score of `outcomes`. It is in [0, 1], or in [-1, 1] for correlations. An undefined score is 0.
    pub fn score(self, outcomes: &Outcomes) -> f64 {
        let Outcomes { predicted, right } = outcomes;
        match self {
            Self::Accuracy | Self::MicroF1 => {
                let hits = predicted.iter().zip(right).filter(|(predicted, right)| predicted == right).count();
                ratio(hits as f64, right.len() as f64)
            }
            Self::F1 => f1(predicted, right),
            Self::MacroF1 => Confusion::new(predicted, right).macro_f1(),
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

/// Predictions and labels, one of each per example. A class is represented by its index.
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

/// Predictions and labels of examples with any number of labels each.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSets {
    /// For each label, the number of examples in which it is predicted and correct, in which it is predicted, and in which it is
    /// correct.
    counts: Vec<[f64; 3]>,
    /// The number of examples, and the number of examples whose labels are all correct.
    examples: f64,
    exact: f64,
}

impl LabelSets {
    /// An empty collection of examples with `labels` labels.
    pub fn new(labels: usize) -> Self {
        Self { counts: vec![[0.0; 3]; labels], examples: 0.0, exact: 0.0 }
    }

    /// Add an example with the labels `predicted` and `right`.
    ///
    /// # Panics
    ///
    /// Panics if a label is not below the number of labels.
    pub fn add(&mut self, predicted: &[usize], right: &[usize]) {
        for label in predicted {
            self.counts[*label][0] += f64::from(u8::from(right.contains(label)));
            self.counts[*label][1] += 1.0;
        }
        right.iter().for_each(|label| self.counts[*label][2] += 1.0);
        self.examples += 1.0;
        let same = predicted.len() == right.len() && predicted.iter().all(|label| right.contains(label));
        self.exact += f64::from(u8::from(same));
    }

    /// Compute the score. The accuracy is the fraction of examples whose labels are all correct. Metrics that are not defined for
    /// several labels per example are 0.
    pub fn score(&self, metric: Metric) -> f64 {
        let f1 = |[hits, predicted, right]: [f64; 3]| ratio(2.0 * hits, predicted + right);
        match metric {
            Metric::Accuracy => ratio(self.exact, self.examples),
            Metric::MicroF1 => f1(self.counts.iter().fold([0.0; 3], |sum, one| [0, 1, 2].map(|at| sum[at] + one[at]))),
            Metric::MacroF1 => {
                ratio(self.counts.iter().map(|counts| f1(*counts)).sum::<f64>(), self.counts.len() as f64)
            }
            Metric::F1 | Metric::Matthews | Metric::Pearson | Metric::Spearman => 0.0,
        }
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
    /// The number of correct predictions of each class.
    hit: Vec<f64>,
}

impl Confusion {
    fn new(predicted: &[f64], right: &[f64]) -> Self {
        let class = |value: &f64| *value as usize;
        let classes = predicted.iter().chain(right).map(class).max().map_or(0, |largest| largest + 1);
        let none = vec![0.0; classes];
        let mut confusion =
            Self { total: right.len() as f64, hits: 0.0, predicted: none.clone(), right: none.clone(), hit: none };
        for (predicted, right) in predicted.iter().zip(right) {
            confusion.predicted[class(predicted)] += 1.0;
            confusion.right[class(right)] += 1.0;
            let hit = f64::from(u8::from(class(predicted) == class(right)));
            confusion.hits += hit;
            confusion.hit[class(right)] += hit;
        }
        confusion
    }

    fn macro_f1(&self) -> f64 {
        let counts = self.hit.iter().zip(&self.predicted).zip(&self.right);
        let seen: Vec<f64> = counts
            .filter(|((_, predicted), right)| **predicted + **right > 0.0)
            .map(|((hit, predicted), right)| 2.0 * hit / (predicted + right))
            .collect();
        ratio(seen.iter().sum(), seen.len() as f64)
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
