//! The second moments of the inputs of layers, which are computed while batches run through the model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, Param, Reparameterization, Reparameterizer};
use burn::tensor::{FloatDType, Tensor};
use faer::Mat;

use crate::layout::{self, Kind, Layer, Naming};
use crate::linalg::Matrix;

/// The second moment of one layer's input, over all input rows of the layer.
#[derive(Debug, Clone)]
pub struct InputMoment {
    /// E\[xxᵀ\] in f32, because the moments of a large model take as much memory as its weights.
    pub(crate) moment: Mat<f32>,
    /// The number of input rows, which are tokens in a language model.
    pub rows: usize,
}

impl InputMoment {
    /// E\[xxᵀ\], `[d_input, d_input]`. The mean is not subtracted: with a frozen bias, it is a direction like any other.
    pub fn moment(&self) -> Matrix {
        Matrix::from_fn(self.moment.nrows(), self.moment.ncols(), |i, j| f64::from(self.moment[(i, j)]))
    }
}

/// Compute the second moments of the inputs of linear layers, by the names of the layers in files.
///
/// `batches` receives the model and must run some batches through it. The result contains each
/// [`AdaptedLinear`](crate::AdaptedLinear) without an adapter that `wanted` selects by name and that received a batch.
///
/// Padding is included in the moments, so use batches without padding. The sums are kept on the model's device in f32, with
/// d_input² values per layer. On an autodiff device, Burn's dropout is active and a graph is kept for each batch. To avoid this,
/// call this function before `train()`.
pub fn observe_inputs<M: Module>(
    model: &M,
    naming: &Naming,
    wanted: impl Fn(&str) -> bool,
    batches: impl FnOnce(&M),
) -> HashMap<String, InputMoment> {
    let entries = layout::entries(model, naming);
    let observers: HashMap<String, (String, Observer)> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Weight { layer: Layer::Linear, factored: true } && wanted(entry.module()))
        .map(|entry| (entry.path.clone(), (entry.module().to_string(), Observer::default())))
        .collect();
    batches(&model.clone().apply_reparameterization(Attach(&observers)));
    observers
        .into_values()
        .filter_map(|(module, observer)| {
            let (sum, rows) = observer.seen.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let [size, _] = sum.dims();
            let values: Vec<f32> = sum.into_data().iter::<f32>().collect();
            // Some matrix products compute XᵀX with a small asymmetry.
            let even = |i: usize, j: usize| 0.5 * (values[i * size + j] + values[j * size + i]);
            let moment = Mat::from_fn(size, size, |i, j| even(i, j) / rows as f32);
            Some((module, InputMoment { moment, rows }))
        })
        .collect()
}

/// Σxxᵀ `[d_input, d_input]` and the number of rows; `None` before the first row.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Option<(Tensor<2>, usize)>>>);

/// A reparameterization that does not change the weight, and that accumulates the second moment of the layer's input.
#[derive(Module, Debug, Default)]
pub(crate) struct Observer {
    #[module(skip)]
    seen: Seen,
}

impl Observer {
    /// Add an input `[..., d_input]` to the sums.
    pub(crate) fn see<const D: usize>(&self, input: Tensor<D>) {
        let width = input.dims()[D - 1];
        // Sums of squares can overflow in f16.
        let rows: Tensor<2> = input.detach().cast(FloatDType::F32).reshape([-1, width as i32]);
        let count = rows.dims()[0];
        let product = rows.clone().transpose().matmul(rows);
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some(match seen.take() {
            None => (product, count),
            Some((sum, before)) => (sum + product, before + count),
        });
    }
}

impl Reparameterization for Observer {
    const NAME: &'static str = "observer";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        base
    }
}

struct Attach<'a>(&'a HashMap<String, (String, Observer)>);

impl Reparameterizer for Attach<'_> {
    type Reparam = Observer;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Observer>) {
        (param, self.0.get(path).map(|(_, observer)| observer.clone()))
    }
}
