//! Mean and spread over several runs.

use std::fmt;

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
