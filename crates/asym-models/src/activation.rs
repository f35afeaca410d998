//! The activation functions of the models. Their gradients are exact on every backend.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use asym_kernels::{Kept, gelu};
use burn::tensor::{Tensor, activation};

/// The activation between the two linear layers of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// x·Φ(x), exact: `gelu`.
    Gelu,
    /// GELU by its tanh approximation: `gelu_new` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// max(x, 0): `relu`.
    Relu,
    /// x·σ(x): `silu` and `swish`.
    Silu,
    /// x·σ(1.702·x): `quick_gelu`.
    QuickGelu,
    /// `tanh`.
    Tanh,
}

impl Activation {
    pub(crate) const SUPPORTED: &'static str =
        "`gelu`, `gelu_new`, `gelu_pytorch_tanh`, `quick_gelu`, `relu`, `silu` or `tanh`";

    /// The activation that transformers calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Self::GeluTanh,
            "quick_gelu" => Self::QuickGelu,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Its name in transformers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_new",
            Self::Relu => "relu",
            Self::Silu => "silu",
            Self::QuickGelu => "quick_gelu",
            Self::Tanh => "tanh",
        }
    }

    /// Apply the activation to a tensor of any shape.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        self.forward_keeping(x, Kept::Exact)
    }

    /// The same result as [`forward`](Self::forward). On the host, `kept` determines what GELU keeps for backward.
    pub fn forward_keeping<const D: usize>(self, x: Tensor<D>, kept: Kept) -> Tensor<D> {
        match self {
            Self::Gelu => gelu(x, kept),
            Self::GeluTanh => gelu_tanh(x),
            Self::Relu => activation::relu(x),
            Self::Silu => activation::silu(x),
            Self::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
            Self::Tanh => x.tanh(),
        }
    }
}

/// x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))): `gelu_new` of transformers.
fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const SQRT_2_OVER_PI: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    let cube = x.clone() * x.clone() * x.clone();
    let inner = (x.clone() + cube * 0.044715) * SQRT_2_OVER_PI;
    x * (inner.tanh() + 1.0) * 0.5
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::f64::consts::PI;

    use asym_kernels::composed;
    use burn::tensor::Device;

    use super::*;

    /// x·Φ(x) in f64, by Simpson's rule over the normal density. This reference shares no code with the implementation above.
    fn gelu_f64(x: f64) -> f64 {
        const STEPS: usize = 2000;
        let density = |t: f64| (-0.5 * t * t).exp() / (2.0 * PI).sqrt();
        let step = x / STEPS as f64;
        let weight = |i: usize| if i == 0 || i == STEPS { 1.0 } else { [2.0, 4.0][i % 2] };
        let integral: f64 = (0..=STEPS).map(|i| weight(i) * density(i as f64 * step)).sum::<f64>() * step / 3.0;
        x * (0.5 + integral)
    }

    fn gelu_tanh_f64(x: f64) -> f64 {
        0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
    }

    fn check(name: &str, apply: fn(Tensor<1>) -> Tensor<1>, exact: fn(f64) -> f64) {
        let points: Vec<f32> = (-50..=50).map(|i| i as f32 * 0.1).collect();
        let device = Device::default().autodiff();
        let x = Tensor::<1>::from_floats(points.as_slice(), &device).require_grad();
        let y = apply(x.clone());
        let gradients = y.clone().sum().backward();
        let gradient = x.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
        let values = y.into_data().try_to_vec::<f32>().unwrap();
        for (i, &point) in points.iter().enumerate() {
            let (point, step) = (f64::from(point), 1e-4);
            let slope = (exact(point + step) - exact(point - step)) / (2.0 * step);
            assert!((f64::from(values[i]) - exact(point)).abs() < 1e-6, "{name}({point}) = {}", values[i]);
            // The derivative of the tanh approximation differs by up to 1e-3.
            assert!((f64::from(gradient[i]) - slope).abs() < 1e-6, "{name}'({point}) = {}, {slope}", gradient[i]);
        }
    }

    #[test]
    fn names_match_transformers() {
        for activation in ["gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh"] {
            assert_eq!(Activation::named(activation).map(Activation::name), Some(activation));
        }
        assert_eq!(Activation::named("swish"), Some(Activation::Silu));
        assert_eq!(Activation::named("mish"), None);
    }

    #[test]
    fn values_and_gradients_match_f64_references() {
        check("gelu", |x| Activation::Gelu.forward(x), gelu_f64);
        check("composed_gelu", composed::gelu, gelu_f64);
        check("gelu_tanh", gelu_tanh, gelu_tanh_f64);
        check("silu", |x| Activation::Silu.forward(x), |x| x / (1.0 + (-x).exp()));
        check("quick_gelu", |x| Activation::QuickGelu.forward(x), |x| x / (1.0 + (-1.702 * x).exp()));
        check("tanh", |x| Activation::Tanh.forward(x), f64::tanh);
    }
}
