//! The selection of triplets: their importance, a decreasing budget, and the penalty that keeps triplets comparable.

use std::collections::HashMap;
use std::path::Path;

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use indexmap::IndexMap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::AdaLora;
use crate::adapter::Settings;
use crate::layout::{self, EachParam, Entry, Kind, Naming};
use crate::{AdapterError, Patterns};

/// Names in the file of an allocator's state, for the smoothed importance, its uncertainty and the kept triplets.
const MEAN: &str = "importance";
const UNCERTAINTY: &str = "uncertainty";
const KEPT: &str = "rank_pattern";

/// Decides after each step which triplets of an AdaLoRA model are kept.
///
/// ```text
/// gradients = loss.backward() …       loss: the task's, plus γ · orthogonality(&model)
/// allocator.observe(&model, &gradients)
/// model     = optimizer.step(…)
/// model     = allocator.allocate(model, step)
/// ```
///
/// The importance of a weight is the smoothed |w · ∂L/∂w| times the smoothed deviation from it. The importance of a
/// triplet is the importance of its E plus the mean importances of its A and its B. After `warmup_steps` steps, every
/// `interval` steps, the triplets with the lowest importance over all layers get E = 0. A budget, which decreases along a
/// cubic curve, determines how many triplets are kept. A dropped triplet can return until `final_steps` before the end. Every
/// step is the same as in PEFT 0.21 (`RankAllocator`).
#[derive(Debug)]
pub struct RankAllocator {
    settings: AdaLora,
    total_steps: usize,
    naming: Naming,
    initial_budget: usize,
    target_budget: usize,
    /// The importance of the triplets, by the module's name.
    triplets: IndexMap<String, Triplets>,
    rank_pattern: Patterns<Vec<bool>>,
}

/// The importance of the triplets of one module.
#[derive(Debug, Default)]
struct Triplets {
    a: Importance<2>,
    b: Importance<2>,
    e: Importance<1>,
}

/// Smoothed importance and uncertainty of each value of one tensor.
#[derive(Debug)]
struct Importance<const D: usize> {
    /// The shape of the tensor. A is `[d_input, r]`, B is `[r, d_output]`, and E is `[r]`.
    shape: [usize; D],
    gradient: Option<Tensor<D>>,
    smoothed: Option<(Tensor<D>, Tensor<D>)>,
}

impl<const D: usize> Default for Importance<D> {
    fn default() -> Self {
        Self { shape: [0; D], gradient: None, smoothed: None }
    }
}

impl<const D: usize> Importance<D> {
    fn update(&mut self, value: Tensor<D>, beta1: f64, beta2: f64) {
        let Some(gradient) = self.gradient.take() else { return };
        let importance = (value * gradient).abs();
        let (mean, uncertainty) = match self.smoothed.take() {
            Some((mean, uncertainty)) => (mean * beta1, uncertainty * beta2),
            None => (importance.zeros_like(), importance.zeros_like()),
        };
        let mean = mean + importance.clone() * (1.0 - beta1);
        let uncertainty = uncertainty + (importance - mean.clone()).abs() * (1.0 - beta2);
        self.smoothed = Some((mean, uncertainty));
    }

    fn score(&self) -> Option<Tensor<D>> {
        self.smoothed.as_ref().map(|(mean, uncertainty)| mean.clone() * uncertainty.clone())
    }
}

impl Triplets {
    /// The importance of each triplet.
    fn scores(&self) -> Option<Vec<f32>> {
        let a = self.a.score()?.mean_dim(0).squeeze_dim::<1>(0); // [d_input, r] -> [r]
        let b = self.b.score()?.mean_dim(1).squeeze_dim::<1>(1); // [r, d_output] -> [r]
        Some((self.e.score()? + (a + b)).into_data().iter::<f32>().collect())
    }
}

impl RankAllocator {
    /// Create an allocator for the AdaLoRA adapters of `model`, with the names of modules that `naming` returns.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Setting`] if `total_steps` is not set; [`AdapterError::Conflict`] if there is a `rank_pattern` from
    /// earlier training; the errors of [`AdapterConfig::validate`](crate::AdapterConfig::validate);
    /// [`AdapterError::NotAdapted`] if the model has no such adapters.
    pub fn new<M: Module>(settings: &AdaLora, model: &M, naming: &Naming) -> Result<Self, AdapterError> {
        settings.validate()?;
        let Some(total_steps) = settings.total_steps else {
            return Err(AdapterError::Setting {
                field: "total_steps",
                found: f64::NAN,
                expected: "the total number of training steps",
            });
        };
        if !settings.rank_pattern.is_empty() {
            return Err(AdapterError::Conflict {
                field: "rank_pattern",
                reason: "dropped triplets cannot be restored; remove it, or train LoRA with a rank_pattern",
            });
        }
        let triplets = triplets_of(model, naming);
        if triplets.is_empty() {
            return Err(AdapterError::NotAdapted);
        }
        Ok(Self {
            total_steps,
            naming: *naming,
            initial_budget: triplets.values().map(|triplets| triplets.e.shape[0]).sum(),
            target_budget: settings.target_rank * triplets.len(),
            triplets,
            rank_pattern: Patterns::new(),
            settings: settings.clone(),
        })
    }

    /// The number of triplets, over all layers, that are kept after step number `step`, counted from 0.
    pub fn budget(&self, step: usize) -> usize {
        let AdaLora { warmup_steps, final_steps, .. } = self.settings;
        let last = self.total_steps - final_steps;
        if step <= warmup_steps {
            return self.initial_budget;
        }
        if step > last {
            return self.target_budget;
        }
        let left = 1.0 - (step - warmup_steps) as f64 / (last - warmup_steps) as f64;
        let surplus = (self.initial_budget - self.target_budget.min(self.initial_budget)) as f64;
        (surplus * left.powi(3) + self.target_budget as f64) as usize
    }

    /// Which triplets of each module are kept. It is empty before the first decision. Assign it to
    /// [`AdaLora::rank_pattern`](super::AdaLora::rank_pattern) before saving, so that dropped triplets are not saved.
    pub fn rank_pattern(&self) -> &Patterns<Vec<bool>> {
        &self.rank_pattern
    }

    /// Store the gradients of this step, before the optimizer consumes them.
    pub fn observe<M: Module>(&mut self, model: &M, gradients: &GradientsParams) {
        self.each(model, |triplets, part, param| match (part, param) {
            (Part::A, Parameter::Matrix(id, _)) => triplets.a.gradient = gradients.get(id),
            (Part::B, Parameter::Matrix(id, _)) => triplets.b.gradient = gradients.get(id),
            (Part::E, Parameter::Vector(id, _)) => triplets.e.gradient = gradients.get(id),
            _ => {}
        });
    }

    /// Update the importance of the triplets after the optimizer's step number `step`, counted from 0, and drop the triplets
    /// that exceed the budget.
    pub fn allocate<M: Module>(&mut self, model: M, step: usize) -> M {
        let last = self.total_steps - self.settings.final_steps;
        if step < last {
            let (beta1, beta2) = (self.settings.beta1, self.settings.beta2);
            self.each(&model, |triplets, part, param| match (part, param) {
                (Part::A, Parameter::Matrix(_, value)) => triplets.a.update(value, beta1, beta2),
                (Part::B, Parameter::Matrix(_, value)) => triplets.b.update(value, beta1, beta2),
                (Part::E, Parameter::Vector(_, value)) => triplets.e.update(value, beta1, beta2),
                _ => {}
            });
        }
        let falling = step > self.settings.warmup_steps && step < last;
        if (falling && step.is_multiple_of(self.settings.interval)) || step == last {
            self.decide(self.budget(step));
        } else if step < last {
            return model;
        }
        self.mask(model)
    }

    /// The state of the allocator as a safetensors file. For each module, it contains the smoothed importance and its uncertainty
    /// for A, B and E. The metadata contain the kept triplets. [`restore`](Self::restore) reads this file.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Safetensors`] or [`AdapterError::Json`] if the state cannot be serialized. `path` is used only in errors.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, AdapterError> {
        fn tensors<const D: usize>(name: String, importance: &Importance<D>) -> Vec<(String, Vec<usize>, Vec<u8>)> {
            let Some((mean, uncertainty)) = &importance.smoothed else { return Vec::new() };
            let tensor = |kind: &str, tensor: &Tensor<D>| {
                let bytes = tensor.to_data().iter::<f32>().flat_map(f32::to_le_bytes).collect();
                (format!("{name}.{kind}"), tensor.dims().to_vec(), bytes)
            };
            vec![tensor(MEAN, mean), tensor(UNCERTAINTY, uncertainty)]
        }
        let mut all = Vec::new();
        for (module, Triplets { a, b, e }) in &self.triplets {
            all.extend(tensors(format!("{module}.a"), a));
            all.extend(tensors(format!("{module}.b"), b));
            all.extend(tensors(format!("{module}.e"), e));
        }
        let invalid = |source| AdapterError::Safetensors { path: path.to_path_buf(), source };
        let views = all
            .iter()
            .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(invalid)?;
        let kept = serde_json::to_string(&self.rank_pattern)
            .map_err(|source| AdapterError::Json { path: path.to_path_buf(), source: source.into() })?;
        safetensors::serialize(views, Some(HashMap::from([(KEPT.to_string(), kept)]))).map_err(invalid)
    }

    /// Restore the state in `bytes`, which [`to_bytes`](Self::to_bytes) returned for an allocator with the same model and
    /// settings. `device` is the model's device without autodiff.
    ///
    /// # Errors
    ///
    /// A damaged file, or a file of a model with other modules or other shapes. `path` is used only in errors.
    pub fn restore(&mut self, bytes: &[u8], path: &Path, device: &Device) -> Result<(), AdapterError> {
        let path = || path.to_path_buf();
        let invalid = |source| AdapterError::Safetensors { path: path(), source };
        let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
        let kept = header.metadata().as_ref().and_then(|metadata| metadata.get(KEPT)).map_or("{}", String::as_str);
        let kept: Patterns<Vec<bool>> =
            serde_json::from_str(kept).map_err(|source| AdapterError::Json { path: path(), source: source.into() })?;
        let known = |name: &str| {
            let of = |module: &String| {
                name.strip_prefix(module.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            self.triplets.keys().any(of)
        };
        let others: Vec<String> =
            file.names().into_iter().chain(kept.keys()).filter(|name| !known(name)).map(Into::into).collect();
        if !others.is_empty() {
            return Err(AdapterError::UnexpectedKeys { path: path(), keys: others });
        }
        let same_shape = |key: String, expected: &[usize], found: &[usize]| {
            if found == expected {
                return Ok(());
            }
            let (expected, found) = (expected.to_vec(), found.to_vec());
            Err(AdapterError::Shape { path: path(), key, expected, found })
        };
        for (module, kept) in kept.iter() {
            if let Some(triplets) = self.triplets.get(module) {
                same_shape(format!("{KEPT} of {module}"), &triplets.e.shape, &[kept.len()])?;
            }
        }
        let read = |key: String, shape: &[usize]| -> Result<Option<TensorData>, AdapterError> {
            let Ok(view) = file.tensor(&key) else { return Ok(None) };
            let Some(values) = layout::to_f32(&view) else {
                return Err(AdapterError::Dtype { path: path(), key, found: format!("{:?}", view.dtype()) });
            };
            same_shape(key, shape, view.shape())?;
            Ok(Some(TensorData::new(values, view.shape().to_vec())))
        };
        fn smoothed<const D: usize>(
            importance: &mut Importance<D>,
            name: &str,
            read: &impl Fn(String, &[usize]) -> Result<Option<TensorData>, AdapterError>,
            device: &Device,
        ) -> Result<(), AdapterError> {
            let [mean, uncertainty] = [MEAN, UNCERTAINTY].map(|kind| read(format!("{name}.{kind}"), &importance.shape));
            importance.smoothed = mean?
                .zip(uncertainty?)
                .map(|(mean, uncertainty)| (Tensor::from_data(mean, device), Tensor::from_data(uncertainty, device)));
            Ok(())
        }
        for (module, triplets) in &mut self.triplets {
            smoothed(&mut triplets.a, &format!("{module}.a"), &read, device)?;
            smoothed(&mut triplets.b, &format!("{module}.b"), &read, device)?;
            smoothed(&mut triplets.e, &format!("{module}.e"), &read, device)?;
        }
        self.rank_pattern = kept;
        Ok(())
    }

    fn decide(&mut self, budget: usize) {
        let scores: Vec<(&String, Vec<f32>)> =
            self.triplets.iter().filter_map(|(module, triplets)| Some((module, triplets.scores()?))).collect();
        let mut sorted: Vec<f32> = scores.iter().flat_map(|(_, scores)| scores.iter().copied()).collect();
        sorted.sort_by(f32::total_cmp);
        // A triplet is dropped if its importance is at most the threshold, so ties are dropped together, as in PEFT.
        let dropped = sorted.len().saturating_sub(budget);
        let threshold = dropped.checked_sub(1).map(|last| sorted[last]);
        self.rank_pattern = scores
            .iter()
            .map(|(module, scores)| {
                let kept = scores.iter().map(|score| threshold.is_none_or(|threshold| *score > threshold)).collect();
                (module.to_string(), kept)
            })
            .collect();
    }

    fn mask<M: Module>(&self, model: M) -> M {
        let is_e = |entry: &Entry| triplet_part(entry) == Some(Part::E);
        layout::rewrite(model, &self.naming, is_e, |entry, values| {
            let kept = self.rank_pattern.get(entry.module())?;
            Some(values.into_iter().zip(kept).map(|(value, kept)| if *kept { value } else { 0.0 }).collect())
        })
    }

    fn each<M: Module>(&mut self, model: &M, act: impl FnMut(&mut Triplets, Part, Parameter)) {
        struct Each<'a, F> {
            triplets: &'a mut IndexMap<String, Triplets>,
            act: F,
        }
        impl<F: FnMut(&mut Triplets, Part, Parameter)> EachParam for Each<'_, F> {
            fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
                let Some(part) = triplet_part(&entry) else { return };
                let Some(triplets) = self.triplets.get_mut(entry.module()) else { return };
                // The importance is not trained, so it is computed outside the autodiff graph.
                let value = param.base().detach();
                let value = if value.device().is_autodiff() { value.inner() } else { value };
                let parameter = match D {
                    1 => Parameter::Vector(param.id, value.reshape([-1])),
                    _ => Parameter::Matrix(param.id, matrix(value)),
                };
                (self.act)(triplets, part, parameter);
            }
        }
        let naming = self.naming;
        layout::each(model, &naming, &mut Each { triplets: &mut self.triplets, act });
    }
}

/// The triplets of each module, with the shapes of their tensors.
fn triplets_of<M: Module>(model: &M, naming: &Naming) -> IndexMap<String, Triplets> {
    struct Shapes(IndexMap<String, Triplets>);
    impl EachParam for Shapes {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            let Some(part) = triplet_part(&entry) else { return };
            let shape = param.lazy_shape();
            let (rows, values) = (shape[0], shape.num_elements());
            let triplets = self.0.entry(entry.module().to_string()).or_default();
            match part {
                Part::A => triplets.a.shape = [rows, values / rows.max(1)],
                Part::B => triplets.b.shape = [rows, values / rows.max(1)],
                Part::E => triplets.e.shape = [values],
            }
        }
    }
    let mut shapes = Shapes(IndexMap::new());
    layout::each(model, naming, &mut shapes);
    shapes.0
}

fn matrix<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let rows = tensor.dims()[0];
    tensor.reshape([rows as i64, -1])
}

/// A parameter of a triplet.
enum Parameter {
    Matrix(ParamId, Tensor<2>),
    Vector(ParamId, Tensor<1>),
}

/// The part of the triplets that a parameter contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    A,
    B,
    E,
}

fn triplet_part(entry: &Entry) -> Option<Part> {
    if entry.kind != Kind::Adapter || !entry.path.contains(".AdaLoraPair.") {
        return None;
    }
    match entry.path.rsplit('.').next()? {
        "a" => Some(Part::A),
        "b" => Some(Part::B),
        "e" => Some(Part::E),
        _ => None,
    }
}

/// The mean of ‖AAᵀ − I‖ and ‖BᵀB − I‖ over all factors A and B of AdaLoRA adapters. Multiply it by
/// [`AdaLora::orthogonality`] and add it to the loss. `None` for a model without such adapters.
pub fn orthogonality<M: Module>(model: &M) -> Option<Tensor<1>> {
    #[derive(Default)]
    struct Penalty {
        sum: Option<Tensor<1>>,
        count: usize,
    }
    impl EachParam for Penalty {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            let Some(part @ (Part::A | Part::B)) = triplet_part(&entry) else { return };
            let factor = matrix(param.val());
            let gram = match part {
                Part::B => factor.clone().matmul(factor.transpose()),
                _ => factor.clone().transpose().matmul(factor),
            };
            let eye = Tensor::eye(gram.dims()[0], &gram.device());
            // The square root has no derivative at 0, which is the value for an orthonormal factor.
            let distance = (gram - eye).powi_scalar(2).sum().clamp_min(1e-20).sqrt();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + distance,
                None => distance,
            });
            self.count += 1;
        }
    }
    let mut penalty = Penalty::default();
    layout::each(model, &Naming::BURN, &mut penalty);
    penalty.sum.map(|sum| sum / penalty.count as f64)
}
