//! This project's metrics as burn-train knows metrics.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry, SerializedEntry,
};

use crate::metrics::{self, Outcomes};
use crate::table::Target;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars {
    pub(crate) loss: f64,
    /// Known in training alone.
    pub(crate) gradient_norm: Option<f64>,
}

/// What was predicted for a batch, and what was right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) predicted: Vec<Target>,
    pub(crate) right: Vec<Target>,
    /// Where each example stands in the development sets.
    pub(crate) indices: Vec<usize>,
}

/// Which number of a step a [`ScalarMetric`] follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Loss,
    LearningRate,
    GradientNorm,
}

impl Scalar {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::LearningRate => "learning_rate",
            Self::GradientNorm => "gradient_norm",
        }
    }
}

/// A number of each step, and its mean over the epoch.
#[derive(Clone, Debug)]
pub(crate) struct ScalarMetric {
    scalar: Scalar,
    current: Option<f64>,
    sum: f64,
    count: usize,
}

impl ScalarMetric {
    pub(crate) fn new(scalar: Scalar) -> Self {
        Self { scalar, current: None, sum: 0.0, count: 0 }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}

fn entry(value: f64) -> SerializedEntry {
    SerializedEntry { formatted: format!("{value:.4}"), serialized: value.to_string() }
}

impl Metric for ScalarMetric {
    type Input = Scalars;

    fn name(&self) -> MetricName {
        Arc::new(self.scalar.name().to_string())
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: None, higher_is_better: false }.into()
    }

    fn update(&mut self, item: &Scalars, metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        self.current = match self.scalar {
            Scalar::Loss => Some(item.loss),
            Scalar::LearningRate => metadata.lr.as_ref().map(|rate| rate.base()),
            Scalar::GradientNorm => item.gradient_norm,
        };
        let Some(value) = self.current else {
            return Ok(SerializedEntry::not_available(None));
        };
        self.sum += value;
        self.count += 1;
        Ok(entry(value))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(entry(self.mean()))
    }

    fn clear(&mut self) {
        *self = Self::new(self.scalar);
    }
}

impl Numeric for ScalarMetric {
    fn value(&self) -> Option<NumericEntry> {
        self.current.map(NumericEntry::Value)
    }

    fn running_value(&self) -> Option<NumericEntry> {
        (self.count > 0).then(|| NumericEntry::Aggregated { aggregated_value: self.mean(), count: self.count })
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.mean())
    }
}

/// A score over the predictions of an epoch, of one development set or of all.
#[derive(Clone, Debug)]
pub(crate) struct ScoreMetric {
    name: String,
    metric: metrics::Metric,
    /// The examples that count.
    members: Range<usize>,
    outcomes: Outcomes,
}

impl ScoreMetric {
    pub(crate) fn new(name: String, metric: metrics::Metric, members: Range<usize>) -> Self {
        Self { name, metric, members, outcomes: Outcomes::default() }
    }

    fn score(&self) -> f64 {
        self.metric.score(&self.outcomes)
    }
}

/// A class by its number.
fn number(target: Target) -> Option<f64> {
    match target {
        Target::Class(class) => Some(class as f64),
        Target::Score(score) => Some(f64::from(score)),
        Target::Unknown => None,
    }
}

impl Metric for ScoreMetric {
    type Input = Predictions;

    fn name(&self) -> MetricName {
        Arc::new(self.name.clone())
    }

    fn update(&mut self, item: &Predictions, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        for ((predicted, right), index) in item.predicted.iter().zip(&item.right).zip(&item.indices) {
            if let (true, Some(predicted), Some(right)) =
                (self.members.contains(index), number(*predicted), number(*right))
            {
                self.outcomes.add(predicted, right);
            }
        }
        // A score of a part of the set says little, and to take it after each batch would cost more than the batch.
        Ok(SerializedEntry::not_available(None))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(entry(self.score()))
    }

    fn clear(&mut self) {
        self.outcomes = Outcomes::default();
    }
}

impl Numeric for ScoreMetric {
    // Scores such as Matthews's mean little over part of the set.
    fn value(&self) -> Option<NumericEntry> {
        None
    }

    fn running_value(&self) -> Option<NumericEntry> {
        None
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.score())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches are sorted by length, so that examples of both sets stand in each.
    #[test]
    fn a_score_counts_the_examples_of_its_set_alone() {
        let metadata =
            MetricMetadata { progress: burn::data::dataloader::Progress::new(0, 0, None), iteration: None, lr: None };
        let class = |classes: &[usize]| classes.iter().map(|class| Target::Class(*class)).collect::<Vec<_>>();
        // Set one is 0..3, of which two are right; set two is 3..5, of which none is.
        let batches = [
            Predictions { predicted: class(&[1, 0, 1]), right: class(&[1, 1, 0]), indices: vec![2, 4, 0] },
            Predictions { predicted: class(&[0, 1]), right: class(&[1, 1]), indices: vec![3, 1] },
        ];
        for (members, expected) in [(0..3, 2.0 / 3.0), (3..5, 0.0), (0..5, 0.4)] {
            let mut metric = ScoreMetric::new("accuracy".into(), metrics::Metric::Accuracy, members);
            for batch in &batches {
                assert!(metric.update(batch, &metadata).is_ok());
            }
            assert!((metric.score() - expected).abs() < 1e-12, "{}", metric.score());
            metric.clear();
            assert_eq!(metric.score(), 0.0);
        }
    }
}
