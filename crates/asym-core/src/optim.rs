//! Parameter groups and gradients for optimizers: LoRA+'s learning rates, LoRA-FA's projected gradient, and the
//! parameters without weight decay.

use std::collections::HashMap;

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use faer::Mat;

use crate::layout::{self, EachParam, Entry, Kind, Naming};
use crate::linalg::apart;
use crate::{AdapterConfig, AdapterError, Method};

/// The parameters that LoRA+ (Hayou et al., 2024, arXiv:2402.12354) trains with a higher learning rate than A: every
/// factor B and every vector.
///
/// The group is that of PEFT's `create_loraplus_optimizer`, with two exceptions. PEFT stores AdaLoRA's E and (IA)³'s
/// factors as columns and trains them with the lower learning rate. PEFT also has a separate, small learning rate for the
/// adapters of embeddings.
pub fn fast_parameters<M: Module>(model: &M) -> ParamGroup {
    ids(model, &Naming::BURN, |entry, dimensions| dimensions == 1 || is_b(entry))
}

/// The parameters without weight decay: biases, and the weights of norms.
///
/// The rule is that of `Trainer.get_decay_parameter_names` in transformers 5.23. A parameter has no decay if it belongs
/// to a norm, or if its name in files, in lower case, contains `bias`, `layernorm` or `rmsnorm`, or has a segment that
/// is `norm` or ends in `_norm`. Burn's own norms are recognized by the names of their fields, `gamma` and `beta`.
pub fn undecayed_parameters<M: Module>(model: &M, naming: &Naming) -> ParamGroup {
    ids(model, naming, |entry, _| is_spared(entry))
}

fn is_spared(entry: &Entry) -> bool {
    let name = entry.name.to_lowercase();
    let of_a_norm = matches!(entry.path.rsplit('.').next(), Some("gamma" | "beta"));
    of_a_norm
        || ["bias", "layernorm", "rmsnorm"].iter().any(|part| name.contains(part))
        || name.split('.').any(|segment| segment == "norm" || segment.ends_with("_norm"))
}

/// The ids of the parameters that `wanted` selects by entry and number of dimensions.
fn ids<M: Module>(model: &M, naming: &Naming, wanted: impl Fn(&Entry, usize) -> bool) -> ParamGroup {
    struct Ids<F> {
        wanted: F,
        found: Vec<ParamId>,
    }
    impl<F: Fn(&Entry, usize) -> bool> EachParam for Ids<F> {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            if (self.wanted)(&entry, D) {
                self.found.push(param.id);
            }
        }
    }
    let mut ids = Ids { wanted, found: Vec::new() };
    layout::each(model, naming, &mut ids);
    ParamGroup::from_ids(ids.found)
}

fn is_b(entry: &Entry) -> bool {
    entry.kind == Kind::Adapter && entry.path.ends_with(".b")
}

/// LoRA-FA's gradient of B (Zhang et al., 2023, arXiv:2308.03303). Its effect on the weight is the closest to the effect of the
/// full gradient.
///
/// With A frozen, G_B ← (1/s²)·G_B·(A·Aᵀ)⁻¹, as in PEFT's `create_lorafa_optimizer`. For an orthonormal A, this is a
/// factor of 1/s², which has no effect on optimizers such as Adam that divide by the size of the gradient.
#[derive(Debug, Clone)]
pub struct ProjectedGradient {
    /// (A·Aᵀ)⁻¹ / s², by the id of B.
    projections: HashMap<ParamId, Tensor<2>>,
}

impl ProjectedGradient {
    /// Create the projections for the factor pairs of `model`, which were attached or loaded with `config`.
    ///
    /// Each A is read once, because it is frozen.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Conflict`] if the method is not LoRA with A frozen and B trained; [`AdapterError::NoSvd`] if a factor A
    /// has values that are not finite.
    pub fn new<M: Module>(config: &AdapterConfig, model: &M, naming: &Naming) -> Result<Self, AdapterError> {
        let lora = match &config.method {
            Method::Lora(lora) if !lora.a.train && lora.b.train => lora,
            _ => {
                return Err(AdapterError::Conflict {
                    field: "projected_gradient",
                    reason: "it requires LoRA with A frozen and B trained; choose this method, or disable the projection",
                });
            }
        };
        let is_a = |entry: &Entry| entry.kind == Kind::Adapter && entry.path.ends_with(".LowRank.a");
        let mut projections: HashMap<String, Vec<f32>> = HashMap::new();
        for (entry, values) in layout::collect(model, naming, is_a) {
            let Some(values) = values else { continue };
            let scale = lora.scale_at(entry.module());
            let inverse = inverse_gram(&values, entry.shape[0])
                .ok_or_else(|| AdapterError::NoSvd { module: entry.module().to_string() })?;
            let values = inverse.into_iter().map(|value| (value / (scale * scale)) as f32).collect();
            projections.insert(entry.path.trim_end_matches('a').to_string(), values);
        }

        struct Siblings {
            values: HashMap<String, Vec<f32>>,
            found: HashMap<ParamId, Tensor<2>>,
        }
        impl EachParam for Siblings {
            fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
                let pair = entry.path.strip_suffix('b').filter(|_| is_b(&entry));
                if let Some(values) = pair.and_then(|pair| self.values.remove(pair)) {
                    let rank = param.shape()[0];
                    // Gradients are not on the autodiff device.
                    let plain = param.lazy_device().inner();
                    self.found.insert(param.id, Tensor::from_data(TensorData::new(values, [rank, rank]), &plain));
                }
            }
        }
        let mut siblings = Siblings { values: projections, found: HashMap::new() };
        layout::each(model, naming, &mut siblings);
        Ok(Self { projections: siblings.found })
    }

    /// Project the gradient of each B. All other gradients are unchanged.
    pub fn apply(&self, mut gradients: GradientsParams) -> GradientsParams {
        for (id, projection) in &self.projections {
            if let Some(gradient) = gradients.remove::<2>(*id) {
                gradients.register(*id, projection.clone().matmul(gradient));
            }
        }
        gradients
    }
}

/// The pseudo-inverse of A·Aᵀ + 10⁻⁸·I for A with `rows` rows.
fn inverse_gram(a: &[f32], rows: usize) -> Option<Vec<f64>> {
    apart(|| {
        let columns = a.len() / rows;
        let a = Mat::from_fn(rows, columns, |row, column| f64::from(a[row * columns + column]));
        let gram = &a * a.transpose() + Mat::<f64>::identity(rows, rows) * faer::Scale(1e-8);
        let inverse = gram.thin_svd().ok()?.pseudoinverse();
        Some((0..rows).flat_map(|row| (0..rows).map(move |column| (row, column))).map(|at| inverse[at]).collect())
    })
}

#[cfg(test)]
mod tests {
    use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
    use burn::tensor::Device;

    use super::*;
    use crate::AdapterConfig;

    #[derive(Module, Debug)]
    struct Model {
        query: Linear,
        ln1: LayerNorm,
        scale: RmsNorm,
        final_norm: Linear,
    }

    #[test]
    fn weight_decay_skips_biases_and_norms_but_not_factors() {
        let device = Device::default();
        let model = Model {
            query: LinearConfig::new(4, 4).init(&device),
            ln1: LayerNormConfig::new(4).init(&device),
            scale: RmsNormConfig::new(4).init(&device),
            final_norm: LinearConfig::new(4, 4).with_bias(false).init(&device),
        };
        let model = AdapterConfig::lora(2).targets(["query"]).attach(model, 1).unwrap();
        let spared: Vec<String> = layout::entries(&model, &Naming::BURN)
            .iter()
            .filter(|entry| is_spared(entry))
            .map(|e| e.name.clone())
            .collect();
        assert_eq!(spared, ["query.bias", "ln1.weight", "ln1.bias", "scale.weight", "final_norm.weight"]);
    }
}
