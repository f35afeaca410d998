//! The standard normal distribution in f32. It has no branch and no call, so a loop over it compiles to vector instructions.

use crate::host::math::exp;

/// 1/√(2π).
const DENSITY_AT_ZERO: f32 = 0.398_942_3;

/// The coefficients of P in Φ(−x) = exp(−x²/2)·P(1/(1 + 0.325·x)) for x ≥ 0, the constant first. This is a minimax
/// approximation from `scripts/fit_normal.py`.
const TAIL: [f32; 8] =
    [-1.604_316e-4, 0.132_626_7, 0.106_934_18, 0.209_791_99, -0.139_197_51, 0.377_731_92, -0.233_861_65, 0.046_134_79];

/// Φ(x) and φ(x), both with an absolute error of about 1e-7.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let distance = x.abs();
    let bell = exp(-0.5 * distance * distance);
    let t = 1.0 / (1.0 + 0.325 * distance);
    let [c0, c1, c2, c3, c4, c5, c6, c7] = TAIL;
    let tail = bell * (c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * (c5 + t * (c6 + t * c7)))))));
    (if x > 0.0 { 1.0 - tail } else { tail }, bell * DENSITY_AT_ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Φ(x) by Simpson's rule over its density in f64, which is independent of the code above.
    fn cdf(x: f64) -> f64 {
        const STEPS: usize = 4000;
        let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = x / STEPS as f64;
        let weight = |i: usize| if i == 0 || i == STEPS { 1.0 } else { [2.0, 4.0][i % 2] };
        0.5 + (0..=STEPS).map(|i| weight(i) * density(i as f64 * step)).sum::<f64>() * step / 3.0
    }

    #[test]
    fn the_cdf_and_the_density_are_accurate() {
        for i in -1200..=1200 {
            let x = i as f32 * 0.01;
            let (cumulative, density) = normal(x);
            let exact = f64::from(x);
            assert!((f64::from(cumulative) - cdf(exact)).abs() < 1.2e-7, "Φ({x}) = {cumulative}, {}", cdf(exact));
            let of_density = (-0.5 * exact * exact).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(density) - of_density).abs() < 1e-7, "φ({x}) = {density}");
        }
    }

    #[test]
    fn large_inputs_saturate_and_nan_is_preserved() {
        assert_eq!(normal(40.0), (1.0, 0.0));
        assert_eq!(normal(-1e30), (0.0, 0.0));
        assert_eq!(normal(f32::INFINITY), (1.0, 0.0));
        assert_eq!(normal(f32::NEG_INFINITY), (0.0, 0.0));
        assert!(normal(f32::NAN).0.is_nan());
    }
}
