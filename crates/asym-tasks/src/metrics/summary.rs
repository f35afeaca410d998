//! Mean and standard deviation over several runs.

use std::fmt;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and standard deviation of a number over several runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divided by n − 1); `None` for a single run.
    pub std: Option<f64>,
    /// Number of runs.
    pub n: usize,
}

impl Summary {
    /// Compute the mean and the sample standard deviation of `values`; `None` if there are no values.
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

    /// The half-width of the 95 % confidence interval of the mean, by Student's t; `None` for a single run.
    ///
    /// It assumes that the values are independent and approximately normal.
    pub fn margin(&self) -> Option<f64> {
        let std = self.std?;
        let student = StudentsT::new(0.0, 1.0, (self.n - 1) as f64).ok()?;
        Some(student.inverse_cdf(0.975) * std / (self.n as f64).sqrt())
    }

    /// Scale to another unit, for example to percent with `scaled(100.0)`.
    pub fn scaled(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, std: self.std.map(|std| std * factor.abs()), n: self.n }
    }
}

/// `87.3 ± 0.4`, or `87.3` for a single run. The precision is that of the formatter, or one digit by default.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let text = match self.std {
            Some(std) => format!("{:.digits$} ± {std:.digits$}", self.mean),
            None => format!("{:.digits$}", self.mean),
        };
        // The precision applies to the numbers. `pad` would truncate the text to it.
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

    /// The 97.5 % quantiles of Student's t for 2 and 9 degrees of freedom are 4.302653 and 2.262157, from a published table.
    #[test]
    fn the_margin_uses_the_t_distribution() {
        let margin = |values: &[f64]| Summary::of(values).unwrap().margin();
        let std = (7.0f64 / 3.0).sqrt();
        assert!((margin(&[1.0, 2.0, 4.0]).unwrap() - 4.302_653 * std / 3f64.sqrt()).abs() < 1e-5);
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let std = (82.5f64 / 9.0).sqrt();
        assert!((margin(&ten).unwrap() - 2.262_157 * std / 10f64.sqrt()).abs() < 1e-5);
        assert_eq!(margin(&[1.0]), None);
        assert_eq!(margin(&[1.0, 1.0]), Some(0.0));
    }

    /// Computed by hand for 1, 2, 4: mean 7/3, squares 16/9 + 1/9 + 25/9 = 42/9, divided by 2: 7/3.
    #[test]
    fn mean_and_standard_deviation_match_hand_computed_values() {
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
