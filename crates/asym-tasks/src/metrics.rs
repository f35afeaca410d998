//! Scores of a classifier, from predictions and labels on the host.
//!
//! Every score follows scikit-learn's definition, also where it is undefined: 0 then, never NaN, so that a
//! model that has collapsed to one class still yields a table.

use std::fmt;

/// The scores that GLUE's tasks report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Share of right predictions.
    Accuracy,
    /// Harmonic mean of precision and recall of class 1.
    F1,
    /// Matthews' correlation coefficient, in its form for any number of classes.
    Matthews,
}

impl Metric {
    /// The name in `results.json` and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::F1 => "f1",
            Self::Matthews => "matthews",
        }
    }

    /// The score, in [0, 1], for Matthews in [-1, 1]; 0 where it is undefined.
    pub fn score(self, confusion: &Confusion) -> f64 {
        match self {
            Self::Accuracy => confusion.accuracy(),
            Self::F1 => confusion.f1(),
            Self::Matthews => confusion.matthews(),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often each class was predicted where each class was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `counts[label * classes + prediction]`.
    counts: Vec<usize>,
}

impl Confusion {
    /// Counts of nothing yet, for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts of `predictions` against `labels`, which stand in the same order.
    ///
    /// # Panics
    ///
    /// If the slices differ in length, or a class is not below `classes`.
    pub fn of(classes: usize, predictions: &[usize], labels: &[usize]) -> Self {
        assert_eq!(predictions.len(), labels.len(), "a prediction for each label");
        let mut confusion = Self::new(classes);
        for (&prediction, &label) in predictions.iter().zip(labels) {
            confusion.add(prediction, label);
        }
        confusion
    }

    /// Counts one example.
    ///
    /// # Panics
    ///
    /// If a class is not below the number of classes.
    pub fn add(&mut self, prediction: usize, label: usize) {
        assert!(
            prediction < self.classes && label < self.classes,
            "class {} of {} classes",
            prediction.max(label),
            self.classes
        );
        self.counts[label * self.classes + prediction] += 1;
    }

    /// How often `prediction` was made where `label` was right.
    pub fn count(&self, prediction: usize, label: usize) -> usize {
        self.counts[label * self.classes + prediction]
    }

    /// Number of examples counted.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    fn right(&self) -> usize {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    fn predicted(&self, class: usize) -> usize {
        (0..self.classes).map(|label| self.count(class, label)).sum()
    }

    fn labelled(&self, class: usize) -> usize {
        (0..self.classes).map(|prediction| self.count(prediction, class)).sum()
    }

    fn accuracy(&self) -> f64 {
        ratio(self.right() as f64, self.total() as f64)
    }

    fn f1(&self) -> f64 {
        if self.classes < 2 {
            return 0.0;
        }
        // 2·TP / (2·TP + FP + FN): its denominator is what was predicted plus what was right.
        let hits = 2 * self.count(1, 1);
        ratio(hits as f64, (self.predicted(1) + self.labelled(1)) as f64)
    }

    fn matthews(&self) -> f64 {
        let total = self.total() as f64;
        let dot = |a: fn(&Self, usize) -> usize, b: fn(&Self, usize) -> usize| -> f64 {
            (0..self.classes).map(|class| a(self, class) as f64 * b(self, class) as f64).sum()
        };
        let covariance = self.right() as f64 * total - dot(Self::predicted, Self::labelled);
        let predicted = total * total - dot(Self::predicted, Self::predicted);
        let labelled = total * total - dot(Self::labelled, Self::labelled);
        ratio(covariance, (predicted * labelled).sqrt())
    }
}

/// `a / b`, and 0 where `b` is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Mean and spread of one number over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divided by n − 1); none for a single run.
    pub std: Option<f64>,
    /// Number of runs.
    pub n: usize,
}

impl Summary {
    /// Mean and sample standard deviation of `values`; none of no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { mean, std, n })
    }

    /// The same in another unit, such as percent by `scaled(100.0)`.
    pub fn scaled(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, std: self.std.map(|std| std * factor.abs()), n: self.n }
    }
}

/// `87.3 ± 0.4`, or `87.3` for a single run; the precision is the formatter's, one digit if it has none.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let text = match self.std {
            Some(std) => format!("{:.digits$} ± {std:.digits$}", self.mean),
            None => format!("{:.digits$}", self.mean),
        };
        // The precision is spent on the numbers: `pad` would cut the text to it.
        match f.width() {
            Some(width) => write!(f, "{text:>width$}"),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    /// TP 3, FP 1, FN 2, TN 4, by hand: accuracy 7/10; F1 = 6/(6+1+2) = 2/3;
    /// Matthews = (3·4 − 1·2) / √((3+1)(3+2)(4+1)(4+2)) = 10/√600.
    #[test]
    fn binary_scores() {
        let labels = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
        let predictions = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
        let confusion = Confusion::of(2, &predictions, &labels);
        assert_eq!(confusion.count(1, 1), 3);
        assert_eq!(confusion.count(1, 0), 1);
        assert_eq!(confusion.count(0, 1), 2);
        assert_eq!(confusion.total(), 10);
        close(Metric::Accuracy.score(&confusion), 0.7);
        close(Metric::F1.score(&confusion), 2.0 / 3.0);
        close(Metric::Matthews.score(&confusion), 10.0 / 600f64.sqrt());
    }

    /// Perfectly right and perfectly wrong, by definition.
    #[test]
    fn extremes() {
        let labels = [0, 1, 1, 0];
        let right = Confusion::of(2, &labels, &labels);
        let wrong = Confusion::of(2, &[1, 0, 0, 1], &labels);
        for metric in [Metric::Accuracy, Metric::F1, Metric::Matthews] {
            close(metric.score(&right), 1.0);
        }
        close(Metric::Accuracy.score(&wrong), 0.0);
        close(Metric::F1.score(&wrong), 0.0);
        close(Metric::Matthews.score(&wrong), -1.0);
    }

    /// One class alone: MRPC's majority answer scores F1 = 2·2/(2·2+1) with Matthews undefined, thus 0; without
    /// any 1 in sight F1's denominator is 0, thus 0.
    #[test]
    fn one_class() {
        let all_ones = Confusion::of(2, &[1, 1, 1], &[1, 1, 0]);
        close(Metric::Accuracy.score(&all_ones), 2.0 / 3.0);
        close(Metric::F1.score(&all_ones), 0.8);
        close(Metric::Matthews.score(&all_ones), 0.0);

        let all_zeros = Confusion::of(2, &[0, 0], &[0, 0]);
        close(Metric::Accuracy.score(&all_zeros), 1.0);
        close(Metric::F1.score(&all_zeros), 0.0);
        close(Metric::Matthews.score(&all_zeros), 0.0);

        let labels_of_one_class = Confusion::of(2, &[0, 1], &[1, 1]);
        close(Metric::Matthews.score(&labels_of_one_class), 0.0);

        let nothing = Confusion::new(2);
        for metric in [Metric::Accuracy, Metric::F1, Metric::Matthews] {
            close(metric.score(&nothing), 0.0);
        }
    }

    /// Three classes, labels 0 1 2 2, predictions 0 2 2 1, by hand: right 2, n 4, predicted (1, 1, 2), labelled
    /// (1, 1, 2): (2·4 − 6) / √((16 − 6)(16 − 6)) = 0.2.
    #[test]
    fn matthews_of_three_classes() {
        let confusion = Confusion::of(3, &[0, 2, 2, 1], &[0, 1, 2, 2]);
        close(Metric::Matthews.score(&confusion), 0.2);
        close(Metric::Accuracy.score(&confusion), 0.5);
    }

    /// 1, 2, 4 by hand: mean 7/3, squares 16/9 + 1/9 + 25/9 = 42/9, divided by 2: 7/3.
    #[test]
    fn summary() {
        let summary = Summary::of(&[1.0, 2.0, 4.0]).unwrap();
        close(summary.mean, 7.0 / 3.0);
        close(summary.std.unwrap(), (7.0f64 / 3.0).sqrt());
        assert_eq!(summary.n, 3);
        assert_eq!(format!("{summary:.2}"), "2.33 ± 1.53");
        assert_eq!(format!("{:>14.1}", summary.scaled(10.0)), "   23.3 ± 15.3");

        let single = Summary::of(&[0.5]).unwrap();
        assert_eq!((single.mean, single.std, single.n), (0.5, None, 1));
        assert_eq!(single.to_string(), "0.5");
        assert_eq!(Summary::of(&[]), None);
    }
}
