//! The norm of a gradient over all parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The Euclidean norm over all gradients together, and the gradients, scaled down to `limit` where it is longer.
///
/// Burn's own clipping takes each parameter's norm by itself; this is `torch.nn.utils.clip_grad_norm_`.
pub fn clip_by_global_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    limit: Option<f64>,
) -> (f64, GradientsParams) {
    let mut squares = Squares { gradients: &gradients, sum: None };
    module.visit(&mut squares);
    let sum = squares.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()));
    let norm = sum.sqrt();
    match limit {
        Some(limit) if norm > limit => {
            let mut scale = Scale { gradients, scaled: GradientsParams::new(), factor: limit / (norm + 1e-6) };
            module.visit(&mut scale);
            (norm, scale.scaled)
        }
        _ => (norm, gradients),
    }
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    /// Kept on the device: one transfer for all parameters.
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let square = gradient.powi_scalar(2).sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    scaled: GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.scaled.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
