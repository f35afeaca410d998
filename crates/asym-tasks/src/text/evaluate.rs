//! The scores of a sequence classifier on the development sets.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use asym_models::SequenceClassifier;
use asym_train::{Batch, EvalRoom, Evaluation, Scores, TrainError};
use burn::module::Module;

use super::batch::Examples;
use super::objective::loss;
use super::predict::predictions;
use super::target::{Problem, Target};
use crate::metrics::{LabelSets, Metric, Outcomes};

/// A score that a run reports: a metric over all development sets, or over one of several sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextScore {
    /// The metric.
    pub metric: Metric,
    /// The development set by its index, and its name. `None` for all sets together.
    pub part: Option<(usize, &'static str)>,
}

impl fmt::Display for TextScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some((_, name)) => write!(f, "{} {name}", self.metric),
            None => self.metric.fmt(f),
        }
    }
}

/// The loss over all development sets together, and scores over all sets or over one of them.
#[derive(Clone, Debug)]
pub struct TextEvaluation {
    /// The examples of all sets, one set after the other.
    pub dev: Arc<Examples>,
    /// The range of each set in `dev`.
    pub parts: Vec<Range<usize>>,
    /// The kind of answers.
    pub problem: Problem,
    /// The scores.
    pub scores: Vec<TextScore>,
    /// Scores that do not depend on the model, such as the accuracy of the most frequent answer.
    pub constant: Scores,
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
            for (index, prediction) in batch.indices.iter().zip(predictions(logits, self.problem)) {
                found[*index] = prediction;
            }
            Ok(())
        })?;
        if !complete {
            return Ok(None);
        }
        let mut scores = self.constant.clone();
        scores.insert("loss".to_string(), sum / f64::max(weight, 1.0));
        for score in &self.scores {
            let members = score.part.map_or(0..found.len(), |(part, _)| self.parts[part].clone());
            let right = self.dev.all()[members.clone()].iter().map(|one| &one.target);
            scores.insert(score.to_string(), self.score(score.metric, &found[members], right));
        }
        Ok(Some(scores))
    }
}

impl TextEvaluation {
    fn score<'a>(&self, metric: Metric, found: &[Target], right: impl Iterator<Item = &'a Target>) -> f64 {
        if self.problem == Problem::Labels {
            let mut sets = LabelSets::new(self.dev.outputs());
            for pair in found.iter().zip(right) {
                if let (Target::Labels(found), Target::Labels(right)) = pair {
                    sets.add(found, right);
                }
            }
            return sets.score(metric);
        }
        metric.score(&outcomes(found, right))
    }
}

/// The predictions and answers of the examples whose answer is known.
fn outcomes<'a>(found: &[Target], right: impl Iterator<Item = &'a Target>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (found, right) in found.iter().zip(right) {
        if let (Some(found), Some(right)) = (number(found), number(right)) {
            outcomes.add(found, right);
        }
    }
    outcomes
}

/// A class or a score as a number. A class is represented by its index.
fn number(target: &Target) -> Option<f64> {
    match target {
        Target::Class(class) => Some(*class as f64),
        Target::Score(score) => Some(f64::from(*score)),
        Target::Labels(_) | Target::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_count_only_the_examples_of_their_set() {
        let class = |classes: &[usize]| classes.iter().map(|class| Target::Class(*class)).collect::<Vec<_>>();
        // The first set is 0..3, with two correct predictions. The second set is 3..5, with none.
        let (found, right) = (class(&[1, 1, 1, 0, 0]), class(&[0, 1, 1, 1, 1]));
        for (members, expected) in [(0..3, 2.0 / 3.0), (3..5, 0.0), (0..5, 0.4)] {
            let score = Metric::Accuracy.score(&outcomes(&found[members.clone()], right[members].iter()));
            assert!((score - expected).abs() < 1e-12, "{score}");
        }
    }
}
