//! The norm of a gradient over all parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Tensor};

/// The Euclidean norm over all gradients together, `[1]` on their device, and the gradients, scaled down to `limit` if the norm
/// is larger.
///
/// Burn's clipping uses the norm of each parameter's gradient separately. This function corresponds to
/// `torch.nn.utils.clip_grad_norm_`. The scale is computed on the device, without a transfer to the host. It is 1 for a norm
/// within the limit.
pub fn clip_by_global_norm<M: Module>(
    module: &M,
    gradients: GradientsParams,
    limit: Option<f64>,
) -> (Tensor<1>, GradientsParams) {
    let mut squares = Squares { gradients: &gradients, sum: None, device: None };
    module.visit(&mut squares);
    let device = squares.device.unwrap_or_default();
    let norm = squares.sum.map_or_else(|| Tensor::zeros([1], &device), Tensor::sqrt);
    let Some(limit) = limit else { return (norm, gradients) };
    // PyTorch's guard against a norm of 0.
    let factor = norm.clone().add_scalar(1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    (norm, scale(module, gradients, factor))
}

/// Multiply every gradient of `module` by `factor`, `[1]`.
pub(crate) fn scale<M: Module>(module: &M, gradients: GradientsParams, factor: Tensor<1>) -> GradientsParams {
    let mut scale = Scale { gradients, scaled: GradientsParams::new(), factor };
    module.visit(&mut scale);
    scale.scaled
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
    device: Option<Device>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.device.get_or_insert_with(|| gradient.device());
            // Squares of f16 would overflow.
            let square = gradient.cast(FloatDType::F32).powi_scalar(2).sum();
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
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let factor: Tensor<D> = self.factor.clone().reshape([1; D]).cast(gradient.dtype());
            self.scaled.register(param.id, gradient * factor);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::TensorData;

    use super::*;

    /// Gradients 3 and -3 of the two weights and √7 of the bias: the norm is √(9 + 9 + 7) = 5.
    fn example() -> (Linear, GradientsParams) {
        let device = Device::default();
        let layer = LinearConfig::new(2, 1).init(&device);
        let mut gradients = GradientsParams::new();
        gradients.register(layer.weight.id, Tensor::<2>::from_data([[3.0], [-3.0]], &device));
        let bias = TensorData::from([7.0f32.sqrt()]);
        gradients.register(layer.bias.as_ref().unwrap().id, Tensor::<1>::from_data(bias, &device));
        (layer, gradients)
    }

    fn weight(layer: &Linear, gradients: &GradientsParams) -> Vec<f32> {
        gradients.get::<2>(layer.weight.id).unwrap().into_data().iter::<f32>().collect()
    }

    #[test]
    fn clipping_scales_all_gradients_equally() {
        let (layer, gradients) = example();
        let (norm, clipped) = clip_by_global_norm(&layer, gradients, Some(2.5));
        assert!((norm.into_scalar::<f32>() - 5.0).abs() < 1e-6);
        // All gradients are halved, although the norms of the weight's gradient (4.2) and of the bias's gradient (2.6) differ.
        assert!(
            weight(&layer, &clipped).iter().zip([1.5, -1.5]).all(|(found, expected)| (found - expected).abs() < 1e-5)
        );
        let bias: f32 = clipped.get::<1>(layer.bias.as_ref().unwrap().id).unwrap().into_scalar();
        assert!((bias - 0.5 * 7.0f32.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn gradients_within_the_limit_are_unchanged() {
        for limit in [None, Some(5.1)] {
            let (layer, gradients) = example();
            let (_, kept) = clip_by_global_norm(&layer, gradients, limit);
            assert_eq!(weight(&layer, &kept), [3.0, -3.0]);
        }
    }

    #[test]
    fn the_norm_without_gradients_is_zero() {
        let (layer, _) = example();
        let (norm, _) = clip_by_global_norm(&layer, GradientsParams::new(), Some(1.0));
        assert_eq!(norm.into_scalar::<f32>(), 0.0);
    }
}
