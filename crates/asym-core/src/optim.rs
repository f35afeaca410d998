//! What an optimizer can know of the factors: LoRA+'s learning rates and LoRA-FA's projected gradient.

use std::collections::HashMap;

use burn::module::{Module, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use faer::Mat;

use crate::layout::{self, EachParam, Entry, Kind, Naming};
use crate::linalg::apart;
use crate::{AdapterConfig, AdapterError, Method};

/// The parameters that LoRA+ (Hayou et al., 2024, arXiv:2402.12354) trains faster than the others: every factor B, and
/// every trained vector. For a learning rate of their own, some multiple of that of A.
///
/// As PEFT's `create_loraplus_optimizer`, but for what it stores as a column (AdaLoRA's E, (IA)³'s factors), which is slow
/// there, and for the adapters of embeddings, which have a small rate of their own there.
pub fn fast_parameters<M: Module>(model: &M) -> ParamGroup {
    #[derive(Default)]
    struct Fast(Vec<Param<Tensor<1>>>);
    impl EachParam for Fast {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            if D == 1 || is_b(&entry) {
                // A group is made of a module's ids; what stands behind them does not matter.
                let stand_in = Tensor::zeros([1], &param.lazy_device());
                self.0.push(Param::initialized(param.id, stand_in));
            }
        }
    }
    let mut fast = Fast::default();
    layout::each(model, &Naming::BURN, &mut fast);
    ParamGroup::ids_from_module(fast.0)
}

fn is_b(entry: &Entry) -> bool {
    entry.kind == Kind::Adapter && entry.path.ends_with(".b")
}

/// LoRA-FA's gradient of B (Zhang et al., 2023, arXiv:2308.03303): the one whose effect on the weight is nearest to that
/// of the full gradient.
///
/// With A frozen, G_B ← (1/s²)·G_B·(A·Aᵀ)⁻¹, as PEFT's `create_lorafa_optimizer`. For an orthonormal A that is a factor
/// 1/s², which an optimizer that divides by the gradient's size, such as Adam, does not see.
#[derive(Debug, Clone)]
pub struct ProjectedGradient {
    /// (A·Aᵀ)⁻¹ / s², by the id of B.
    projections: HashMap<ParamId, Tensor<2>>,
}

impl ProjectedGradient {
    /// For the factor pairs of `model`, attached or loaded with `config`. A is read once, since it does not move.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Conflict`] unless the method is LoRA with A frozen and B trained.
    pub fn new<M: Module>(config: &AdapterConfig, model: &M, naming: &Naming) -> Result<Self, AdapterError> {
        let lora = match &config.method {
            Method::Lora(lora) if !lora.a.train && lora.b.train => lora,
            _ => {
                return Err(AdapterError::Conflict {
                    field: "projected_gradient",
                    reason: "it belongs to LoRA with A frozen and B trained: choose that, or switch it off",
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
                    // Gradients are plain tensors.
                    let plain = param.lazy_device().inner();
                    self.found.insert(param.id, Tensor::from_data(TensorData::new(values, [rank, rank]), &plain));
                }
            }
        }
        let mut siblings = Siblings { values: projections, found: HashMap::new() };
        layout::each(model, naming, &mut siblings);
        Ok(Self { projections: siblings.found })
    }

    /// The gradients with those of each B projected.
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
