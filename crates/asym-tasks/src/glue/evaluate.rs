//! The scores of a sequence classifier on the development sets.

use std::ops::Range;
use std::sync::Arc;

use asym_models::SequenceClassifier;
use asym_train::{Batch, EvalRoom, Evaluation, Scores, TrainError};
use burn::module::Module;

use super::answers::Target;
use super::batch::Examples;
use super::dataset::Score;
use super::objective::loss;
use crate::metrics::Outcomes;
use crate::predict::{Prediction, predictions};

/// Loss and scores over the development sets, all together and, where there are several, each.
#[derive(Clone, Debug)]
pub struct TextEvaluation {
    /// The examples of all sets, one set behind the other.
    pub dev: Arc<Examples>,
    /// The place of each set in `dev`.
    pub parts: Vec<Range<usize>>,
    /// The scores.
    pub scores: Vec<Score>,
}

impl Evaluation<SequenceClassifier> for TextEvaluation {
    fn run(&self, model: &SequenceClassifier, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let mut found = vec![Target::Unknown; self.dev.all().len()];
        let (mut sum, mut weight) = (0.0, 0.0);
        let complete = room.pass(&self.dev, &device, |batch| {
            let logits = model.forward(batch.input.clone()); // [batch, outputs]
            sum += batch.weight() * f64::from(loss(logits.clone(), &batch.targets).into_scalar::<f32>());
            weight += batch.weight();
            for (index, prediction) in batch.indices.iter().zip(predictions(logits)) {
                found[*index] = prediction.into();
            }
            Ok(())
        })?;
        if !complete {
            return Ok(None);
        }
        let mut scores = Scores::from([("loss".to_string(), sum / f64::max(weight, 1.0))]);
        for score in &self.scores {
            let members = score.part.map_or(0..found.len(), |part| self.parts[part].clone());
            let outcomes = outcomes(&found[members.clone()], self.dev.all()[members].iter().map(|one| one.target));
            scores.insert(score.to_string(), score.metric.score(&outcomes));
        }
        Ok(Some(scores))
    }
}

/// The examples whose answer is known.
fn outcomes(found: &[Target], right: impl Iterator<Item = Target>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (found, right) in found.iter().zip(right) {
        if let (Some(found), Some(right)) = (number(*found), number(right)) {
            outcomes.add(found, right);
        }
    }
    outcomes
}

/// A class counts as its index.
fn number(target: Target) -> Option<f64> {
    match target {
        Target::Class(class) => Some(class as f64),
        Target::Score(score) => Some(f64::from(score)),
        Target::Unknown => None,
    }
}

impl From<Prediction> for Target {
    fn from(prediction: Prediction) -> Self {
        match prediction {
            Prediction::Class(class) => Self::Class(class),
            Prediction::Score(score) => Self::Score(score),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    #[test]
    fn a_score_counts_the_examples_of_its_set_alone() {
        let class = |classes: &[usize]| classes.iter().map(|class| Target::Class(*class)).collect::<Vec<_>>();
        // Set one is 0..3, of which two are right; set two is 3..5, of which none is.
        let (found, right) = (class(&[1, 1, 1, 0, 0]), class(&[0, 1, 1, 1, 1]));
        for (members, expected) in [(0..3, 2.0 / 3.0), (3..5, 0.0), (0..5, 0.4)] {
            let score = Metric::Accuracy.score(&outcomes(&found[members.clone()], right[members].iter().copied()));
            assert!((score - expected).abs() < 1e-12, "{score}");
        }
    }
}
