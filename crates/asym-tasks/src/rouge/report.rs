//! Means over summaries, with intervals.

use asym_core::random::stream;
use asym_figure::Table;
use rand::RngExt;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::score::{Measure, RougeScore, VARIANTS};

/// The settings of the bootstrap intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// The number of samples. Each sample is drawn with replacement and is as large as the set of summaries.
    pub samples: usize,
    /// The seed.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// A thousand samples, as in `rouge_score`.
    fn default() -> Self {
        Self { samples: 1000, seed: 0 }
    }
}

/// A mean, with the central 95 % interval of the sample means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// The mean over the summaries.
    pub mean: f64,
    /// The lower end of the interval: 2.5 % of the sample means are smaller.
    pub low: f64,
    /// The upper end of the interval: 2.5 % of the sample means are larger.
    pub high: f64,
}

/// The means of all variants over the summaries of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct RougeReport {
    /// The number of summaries.
    pub summaries: usize,
    /// Precision, recall and F1 of each variant, in the order of [`VARIANTS`].
    pub means: [[Mean; 3]; 4],
}

impl RougeReport {
    /// The means of `scores`. All variants use the same samples, which depend only on the number of summaries and the seed.
    ///
    /// If there are no scores, every mean is 0.
    pub fn new(scores: &[RougeScore], bootstrap: Bootstrap) -> Self {
        let count = scores.len();
        let columns: Vec<[f64; 12]> = scores.iter().map(values).collect();
        let mean_of = |rows: &mut dyn Iterator<Item = usize>| {
            let mut sums = [0.0; 12];
            for row in rows {
                sums.iter_mut().zip(columns[row]).for_each(|(sum, value)| *sum += value);
            }
            sums.map(|sum| sum / count.max(1) as f64)
        };
        let mean = mean_of(&mut (0..count));
        let mut random = stream(bootstrap.seed, "rouge-bootstrap");
        let samples = if count == 0 { 0 } else { bootstrap.samples };
        let sampled: Vec<[f64; 12]> =
            (0..samples).map(|_| mean_of(&mut (0..count).map(|_| random.random_range(0..count)))).collect();
        let interval = |column: usize| {
            let mut means: Vec<f64> = sampled.iter().map(|means| means[column]).collect();
            means.sort_by(f64::total_cmp);
            let quantile = |share| quantile(&means, share).unwrap_or(mean[column]);
            Mean { mean: mean[column], low: quantile(0.025), high: quantile(0.975) }
        };
        let means = std::array::from_fn(|variant| std::array::from_fn(|kind| interval(3 * variant + kind)));
        Self { summaries: count, means }
    }

    /// The F1 of a variant, which papers report.
    pub fn f1(&self, variant: usize) -> Mean {
        self.means[variant][2]
    }

    fn to_json(&self) -> Value {
        let mean = |mean: Mean| json!({ "mean": mean.mean, "low": mean.low, "high": mean.high });
        let mut variants = serde_json::Map::new();
        for (name, [precision, recall, f1]) in VARIANTS.into_iter().zip(self.means) {
            let of = json!({ "f1": mean(f1), "precision": mean(precision), "recall": mean(recall) });
            variants.insert(name.to_string(), of);
        }
        json!({ "summaries": self.summaries, "scores": variants })
    }

    /// A table in Markdown, in percent.
    pub fn table(&self) -> String {
        let mut table = Table::new(["score", "F1", "95 % interval", "precision", "recall"], 1..);
        for (name, [precision, recall, f1]) in VARIANTS.into_iter().zip(self.means) {
            let percent = |number: f64| format!("{:.2}", 100.0 * number);
            table.row([
                name.to_string(),
                percent(f1.mean),
                format!("{} to {}", percent(f1.low), percent(f1.high)),
                percent(precision.mean),
                percent(recall.mean),
            ]);
        }
        table.to_string()
    }
}

/// The number of summaries, and the means of each variant.
impl Serialize for RougeReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn values(score: &RougeScore) -> [f64; 12] {
    let of = |Measure { precision, recall, f1 }: Measure| [precision, recall, f1];
    let each = score.0.map(of);
    std::array::from_fn(|at| each[at / 3][at % 3])
}

/// The quantile `share` of sorted values, with linear interpolation as in NumPy's `percentile`; `None` if there are no values.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_intervals_match_the_standard_error() {
        // 400 scores of 0 or 1: the mean is 0.5, and its standard error is 0.025.
        let score = |at: usize| RougeScore([Measure { f1: (at % 2) as f64, ..Measure::default() }; 4]);
        let scores: Vec<RougeScore> = (0..400).map(score).collect();
        let report = RougeReport::new(&scores, Bootstrap { samples: 4000, seed: 3 });
        let Mean { mean, low, high } = report.f1(0);
        assert_eq!((mean, report.f1(3), report.means[0][0]), (0.5, report.f1(0), Mean::default()));
        assert!((low - 0.451).abs() < 0.004 && (high - 0.549).abs() < 0.004, "{low} {high}");
        assert_eq!(RougeReport::new(&scores, Bootstrap { samples: 4000, seed: 3 }), report);
        assert_ne!(RougeReport::new(&scores, Bootstrap { samples: 4000, seed: 4 }), report);
        assert!(report.table().contains("| rougeL    | 50.00 | 45."), "{}", report.table());
        assert_eq!(RougeReport::new(&[], Bootstrap::default()).f1(1), Mean::default());
    }

    #[test]
    fn quantiles_match_numpy() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.5), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0, 8.0], 0.975), Some(4.0 + 4.0 * (0.975 * 3.0 - 2.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
