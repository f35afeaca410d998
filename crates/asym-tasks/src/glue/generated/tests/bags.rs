//! Tests that linear models of words reach only low scores.

use std::collections::HashMap;

use super::*;

/// A sparse matrix of features, as the column indices of each row, and the target of each row.
struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<(Vec<usize>, Target)>,
}

impl Table {
    /// The features of the samples. A feature that is not in `columns` is left out. Without `columns`, each feature gets a
    /// column.
    fn new(samples: &[Sample], columns: Option<&HashMap<String, usize>>) -> Self {
        let mut known = columns.cloned().unwrap_or_default();
        let mut rows = Vec::new();
        for sample in samples {
            let mut row = Vec::new();
            for feature in features(sample) {
                let next = known.len();
                match columns {
                    Some(_) => row.extend(known.get(&feature)),
                    None => row.push(*known.entry(feature).or_insert(next)),
                }
            }
            rows.push((row, sample.target.clone()));
        }
        Self { columns: known, rows }
    }

    /// The scores of a linear model.
    fn scores(&self, weights: &[f64]) -> Vec<f64> {
        self.rows.iter().map(|(row, _)| row.iter().map(|&column| weights[column]).sum()).collect()
    }

    /// The product of the transposed matrix and `errors`, which has a number for each row.
    fn gradient(&self, errors: &[f64]) -> Vec<f64> {
        let mut gradient = vec![0.0; self.columns.len()];
        for ((row, _), error) in self.rows.iter().zip(errors) {
            for &column in row {
                gradient[column] += error;
            }
        }
        gradient
    }

    /// An L2-regularized logistic regression of one class, fitted by full-batch gradient descent with momentum.
    fn logistic(&self, class: usize, penalty: f64) -> Vec<f64> {
        let mut weights = vec![0.0; self.columns.len()];
        let mut velocity = weights.clone();
        for _ in 0..400 {
            let scores = self.scores(&weights);
            let errors: Vec<f64> = scores
                .iter()
                .zip(&self.rows)
                .map(|(score, (_, target))| {
                    let label = f64::from(u8::from(*target == Target::Class(class)));
                    (1.0 / (1.0 + (-score).exp()) - label) / self.rows.len() as f64
                })
                .collect();
            for ((weight, speed), slope) in weights.iter_mut().zip(&mut velocity).zip(self.gradient(&errors)) {
                *speed = 0.9 * *speed - 0.1 * (slope + penalty * *weight);
                *weight += *speed;
            }
        }
        weights
    }

    /// A ridge regression of the score, by conjugate gradients.
    fn ridge(&self, penalty: f64) -> Vec<f64> {
        let wanted: Vec<f64> = self.rows.iter().map(|(_, target)| score(target)).collect();
        let mean = wanted.iter().sum::<f64>() / wanted.len() as f64;
        let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
        let mut weights = vec![0.0; self.columns.len()];
        let mut residual = self.gradient(&wanted.iter().map(|score| score - mean).collect::<Vec<_>>());
        let mut direction = residual.clone();
        for _ in 0..200 {
            let square = dot(&residual, &residual);
            if square < 1e-9 {
                break;
            }
            let mut image = self.gradient(&self.scores(&direction));
            image.iter_mut().zip(&direction).for_each(|(to, from)| *to += penalty * from);
            let step = square / dot(&direction, &image);
            weights.iter_mut().zip(&direction).for_each(|(to, from)| *to += step * from);
            residual.iter_mut().zip(&image).for_each(|(to, from)| *to -= step * from);
            let next = dot(&residual, &residual) / square;
            direction.iter_mut().zip(&residual).for_each(|(to, from)| *to = from + next * *to);
        }
        weights
    }
}

/// The score, or the index of the class.
fn score(target: &Target) -> f64 {
    match target {
        Target::Score(score) => f64::from(*score),
        Target::Class(class) => *class as f64,
        Target::Labels(_) | Target::Unknown => panic!("a generated sample must have one answer"),
    }
}

/// The features that do not depend on word order: each word together with the index of its text, each word without this index,
/// and the lengths of the texts. The number of words that the texts share is not a feature. It indicates a paraphrase here, as it
/// does in MRPC.
fn features(sample: &Sample) -> Vec<String> {
    let mut features = vec!["bias".to_owned()];
    for (side, text) in ["1", "2"].into_iter().zip(texts(sample)) {
        for word in text.split(' ') {
            features.push(format!("{side} {word}"));
            features.push(format!("both {word}"));
        }
        features.push(format!("{side} length {}", text.split(' ').count()));
    }
    features
}

/// How well the words predict the target: the highest accuracy, or the largest absolute correlation, over all development sets
/// and several penalties. An upper bound of this value therefore applies to each set and penalty.
fn best(dataset: Dataset, set: &Samples) -> f64 {
    let train = Table::new(&set.train, None);
    let dev: Vec<Table> = development_sets(&set.dev).map(|part| Table::new(part, Some(&train.columns))).collect();
    let measure = |penalty: f64| -> f64 {
        if dataset == Dataset::Stsb {
            let weights = train.ridge(penalty * train.rows.len() as f64);
            return dev.iter().map(|part| correlation(&part.scores(&weights), part).abs()).fold(0.0, f64::max);
        }
        let classes = if dataset == Dataset::Mnli { 0..3 } else { 1..2 };
        let weights: Vec<Vec<f64>> = classes.map(|class| train.logistic(class, penalty)).collect();
        dev.iter().map(|part| accuracy(&weights, part)).fold(0.0, f64::max)
    };
    [1e-4, 1e-3, 1e-2].into_iter().map(measure).fold(0.0, f64::max)
}

/// The share of the rows whose class has the highest score. If there are weights for only one of two classes, the score of the
/// other class is 0.
fn accuracy(weights: &[Vec<f64>], part: &Table) -> f64 {
    let mut scores: Vec<Vec<f64>> = weights.iter().map(|weights| part.scores(weights)).collect();
    if scores.len() == 1 {
        scores.insert(0, vec![0.0; part.rows.len()]);
    }
    let hits = part.rows.iter().enumerate().filter(|(row, (_, target))| {
        let best = (0..scores.len()).max_by(|one, other| scores[*one][*row].total_cmp(&scores[*other][*row]));
        best.map(Target::Class).as_ref() == Some(target)
    });
    hits.count() as f64 / part.rows.len() as f64
}

/// Pearson's correlation between the scores and the targets.
fn correlation(scores: &[f64], part: &Table) -> f64 {
    let wanted: Vec<f64> = part.rows.iter().map(|(_, target)| score(target)).collect();
    let centered = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let (one, other) = (centered(scores), centered(&wanted));
    let dot = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(x, y)| x * y).sum::<f64>();
    dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
}

/// The bound that the score of words must not reach.
fn bar(dataset: Dataset) -> f64 {
    match dataset {
        Dataset::Stsb => 0.25,
        Dataset::Mnli => 0.45,
        _ => 0.6,
    }
}

#[test]
fn words_alone_do_not_determine_the_class() {
    for &dataset in Dataset::ALL {
        for seed in 0..2 {
            let found = best(dataset, &generate(dataset, seed));
            println!("{dataset:?}, seed {seed}: {found:.3}");
            assert!(found < bar(dataset), "{dataset:?}: {found}");
        }
    }
}

/// This checks that the test above can fail. If a word reveals half of a class, the same model exceeds the bound.
#[test]
fn revealing_words_are_detected() {
    for &dataset in Dataset::ALL {
        let mut set = generate(dataset, 0);
        let all = set.train.iter_mut().chain(&mut set.dev);
        for sample in all.filter(|sample| score(&sample.target) >= 1.0).step_by(2) {
            sample.first = format!("indeed , {}", sample.first);
        }
        let found = best(dataset, &set);
        assert!(found > bar(dataset), "{dataset:?}: {found}");
    }
}
