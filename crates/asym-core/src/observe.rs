//! The second moment of the inputs of layers, gathered while batches pass the model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, Param, Reparameterization, Reparameterizer};
use burn::tensor::{FloatDType, Tensor};
use faer::Mat;

use crate::layout::{self, Kind, Layer, Naming};
use crate::linalg::Matrix;

/// The second moment of one layer's input, over all rows that it read.
#[derive(Debug, Clone)]
pub struct InputMoment {
    /// f32, as the sums are: the moments of a large model take as much memory as its weights.
    pub(crate) moment: Mat<f32>,
    /// The rows that were read: tokens, where texts pass.
    pub rows: usize,
}

impl InputMoment {
    /// E\[xxᵀ\], `[d_input, d_input]`. Not centered: with a frozen bias, the mean is a direction like any other.
    pub fn moment(&self) -> Matrix {
        Matrix::from_fn(self.moment.nrows(), self.moment.ncols(), |i, j| f64::from(self.moment[(i, j)]))
    }
}

/// Gather the second moments of the inputs of linear layers, by the names of the layers in files, while `batches` passes batches
/// through the model that it is given.
///
/// The result has the layers that `wanted` names, that are an [`AdaptedLinear`](crate::AdaptedLinear) without an adapter, and that
/// a batch reached. Every row counts, padding included: pass batches without padding. Sums are kept on the model's device
/// in f32, d_input² values for each layer. On an autodiff device Burn's dropout is active and each batch keeps a graph: call this
/// before `train()`.
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
            // Some products leave XᵀX a little asymmetric.
            let even = |i: usize, j: usize| 0.5 * (values[i * size + j] + values[j * size + i]);
            let moment = Mat::from_fn(size, size, |i, j| even(i, j) / rows as f32);
            Some((module, InputMoment { moment, rows }))
        })
        .collect()
}

/// Σxxᵀ `[d_input, d_input]` and the number of rows; absent before the first.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Option<(Tensor<2>, usize)>>>);

/// Rides on a weight as an adapter does, changes nothing, and remembers what the layer reads.
#[derive(Module, Debug, Default)]
pub(crate) struct Observer {
    #[module(skip)]
    seen: Seen,
}

impl Observer {
    /// Take note of `[..., d_input]`.
    pub(crate) fn see<const D: usize>(&self, input: Tensor<D>) {
        let width = input.dims()[D - 1];
        // f16 has no room for sums of squares.
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
