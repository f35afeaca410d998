//! The scores of an image classifier on several sets.

use std::sync::Arc;

use asym_models::VitClassifier;
use asym_train::{Batch, EvalRoom, Evaluation, Scores, TrainError};
use burn::module::Module;

use super::objective::loss;
use super::source::ImageSource;
use crate::metrics::{Metric, Outcomes};

/// A set that is evaluated.
#[derive(Clone, Debug)]
pub struct ImageSet {
    /// The name. The accuracy of each of its classes is a score called `name/class`.
    pub name: String,
    /// The pictures.
    pub source: Arc<ImageSource>,
    /// Whether the set is evaluated only after the last epoch, because no choice may depend on it.
    pub last: bool,
    /// The scores of the set.
    pub metrics: Vec<SetMetric>,
}

/// A metric, and the name of its score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMetric {
    /// The metric.
    pub metric: Metric,
    /// The name in results.
    pub score: String,
}

/// A score that is computed from other scores. It is left out if one of these scores is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derived {
    /// The mean of scores.
    Mean {
        /// The name in results.
        score: String,
        /// The scores.
        of: Vec<String>,
    },
    /// One score minus another.
    Difference {
        /// The name in results.
        score: String,
        /// The score from which the other score is subtracted.
        from: String,
        /// The score that is subtracted.
        minus: String,
    },
}

/// Loss and scores on several sets. The loss is computed on the first set.
#[derive(Clone, Debug)]
pub struct ImageEvaluation {
    /// The sets.
    pub sets: Vec<ImageSet>,
    /// Scores that are computed from those of the sets, in this order.
    pub derived: Vec<Derived>,
    /// Scores that do not depend on the model, such as the accuracy of the most frequent class.
    pub constant: Scores,
}

impl Evaluation<VitClassifier> for ImageEvaluation {
    fn run(&self, model: &VitClassifier, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let mut scores = self.constant.clone();
        let is_due = room.is_last();
        for (number, set) in self.sets.iter().filter(|set| is_due || !set.last).enumerate() {
            let mut found = vec![0; set.source.members().len()];
            let (mut sum, mut weight) = (0.0, 0.0);
            let complete = room.pass(&set.source, &device, |batch| {
                let logits = model.forward(batch.input.clone()); // [batch, classes]
                if number == 0 {
                    sum += batch.weight() * f64::from(loss(logits.clone(), &batch.classes).into_scalar::<f32>());
                    weight += batch.weight();
                }
                for (index, class) in batch.indices.iter().zip(logits.argmax(1).into_data().iter::<i64>()) {
                    found[*index] = class as usize;
                }
                Ok(())
            })?;
            if !complete {
                return Ok(None);
            }
            if number == 0 {
                scores.insert("loss".to_string(), sum / f64::max(weight, 1.0));
            }
            scores.extend(set.scores(&found));
        }
        for derived in &self.derived {
            scores.extend(derived.of(&scores));
        }
        Ok(Some(scores))
    }
}

impl ImageSet {
    /// The scores of the predicted classes `found`, which are in the order of the set's pictures.
    pub(super) fn scores(&self, found: &[usize]) -> Scores {
        let right: Vec<usize> = (0..found.len()).map(|index| self.source.class(index)).collect();
        let mut outcomes = Outcomes::default();
        found.iter().zip(&right).for_each(|(found, right)| outcomes.add(*found as f64, *right as f64));
        let mut scores: Scores =
            self.metrics.iter().map(|metric| (metric.score.clone(), metric.metric.score(&outcomes))).collect();
        for (class, name) in self.source.pictures().classes.iter().enumerate() {
            let of_class = || found.iter().zip(&right).filter(|(_, right)| **right == class);
            let hits = of_class().filter(|(found, right)| found == right).count();
            // A set may have no picture of a class.
            if let Some(count) = Some(of_class().count()).filter(|count| *count > 0) {
                scores.insert(format!("{}/{name}", self.name), hits as f64 / count as f64);
            }
        }
        scores
    }
}

impl Derived {
    pub(super) fn of(&self, scores: &Scores) -> Option<(String, f64)> {
        let value = |name: &String| scores.get(name).copied();
        match self {
            Self::Mean { score, of } => {
                let values: Vec<f64> = of.iter().map(value).collect::<Option<_>>()?;
                Some((score.clone(), values.iter().sum::<f64>() / values.len().max(1) as f64))
            }
            Self::Difference { score, from, minus } => Some((score.clone(), value(from)? - value(minus)?)),
        }
    }
}
