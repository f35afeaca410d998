//! Mean and spread of a sample.

/// Mean and standard deviation of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, with the divisor n − 1; 0 for a single value.
    pub sd: f64,
    /// The size of the sample.
    pub count: usize,
}

impl Moments {
    /// The moments of these values. Without values, the mean is NaN.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count();
        let mean = values.clone().sum::<f64>() / count as f64;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self { mean, sd: if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 }, count }
    }

    /// The standard error of the mean, if the values are independent.
    pub fn standard_error(&self) -> f64 {
        self.sd / (self.count as f64).sqrt()
    }
}
