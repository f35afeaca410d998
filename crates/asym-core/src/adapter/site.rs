//! The properties of a layer that a method adapts, and the interface of a method's settings.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value};

use super::{Adapter, Factor};
use crate::AdapterError;
use crate::init::{Known, NoStart, Shape};
use crate::layout::{Entry, Kind, Layer};
use crate::random::stream;

/// The operations of a method's settings. Each method implements this trait in its own file.
pub(crate) trait Settings {
    /// The name of the method in messages and model cards.
    fn name(&self) -> &'static str;

    /// The label in tables: the method and the settings that distinguish its variants.
    fn label(&self) -> String;

    /// Reject settings that are invalid for every model.
    fn validate(&self) -> Result<(), AdapterError>;

    /// Reject a layer that the method cannot adapt with these settings.
    fn check(&self, site: &Site) -> Result<(), AdapterError>;

    /// The adapter of a layer; `None` if its rank is 0 with these settings.
    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError>;

    /// PEFT's fields for these settings. In a folder that is read, any other field of a method must be switched off.
    fn write(&self) -> Result<Map<String, Value>, serde_json::Error>;

    /// The factor of the update as text with its computation, such as `α/r = 16/8 = 2`. `None` if the method has no such factor.
    fn scale(&self) -> Option<String> {
        None
    }

    /// The factor pair, if the method has one with configurable initialization and training.
    fn factors(&self) -> Option<(Factor, Factor)> {
        None
    }

    /// Set the factor pair. This has no effect if the method has no such pair.
    fn set_factors(&mut self, _a: Factor, _b: Factor) {}

    /// The first name or pattern in these settings that matches none of the adapted `modules`, with its field.
    fn unmatched(&self, _modules: &[&str]) -> Option<(&'static str, String)> {
        None
    }

    /// Adapted modules whose rank was pruned to 0. They have no parameters, but PEFT's files list them.
    fn emptied(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The shape and the values of a tensor in files, without the part of the rank that was dropped.
    fn prune(&self, _module: &str, _tensor: &str, shape: &[usize], values: Vec<f32>) -> (Vec<usize>, Vec<f32>) {
        (shape.to_vec(), values)
    }
}

/// A layer that gets an adapter.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Its name in files.
    pub(crate) module: String,
    /// Its kind.
    pub(crate) layer: Layer,
    /// Whether its forward pass is implemented in this crate.
    pub(crate) factored: bool,
    /// Whether it has a bias.
    pub(crate) bias: bool,
    /// The largest dimension of a factor in the file, if the values come from a file. The rank may then be larger than any rank
    /// that can be initialized.
    pub(crate) loaded: Option<usize>,
    /// The number of input features, of the rows of an embedding, or of the input channels per group times the kernel's size.
    pub(crate) d_input: usize,
    /// The number of output features or channels.
    pub(crate) d_output: usize,
}

impl Site {
    /// The layer whose weight is `entry`; `None` if it is not a weight that can be adapted.
    pub(crate) fn new(entry: &Entry, bias: bool, loaded: Option<usize>) -> Option<Self> {
        let Kind::Weight { layer, factored } = entry.kind else { return None };
        let (d_input, d_output) = match (layer, entry.shape.as_slice()) {
            (Layer::Linear, &[d_output, d_input]) => (d_input, d_output),
            (Layer::Embedding, &[rows, d_output]) => (rows, d_output),
            (Layer::Conv2d, [channels_out, kernel @ ..]) => (kernel.iter().product(), *channels_out),
            _ => return None,
        };
        Some(Self { module: entry.module().to_string(), layer, factored, bias, loaded, d_input, d_output })
    }

    /// Reject a rank of 0, and a rank above min(d_input, d_output) or, for values from a file, above `loaded`. Without this
    /// limit, a file could cause factors of any size to be allocated before the shapes are compared.
    pub(crate) fn check_rank(&self, rank: usize) -> Result<(), AdapterError> {
        let (module, d_input, d_output) = (self.module.clone(), self.d_input, self.d_output);
        match self.loaded {
            Some(most) if rank > most => Err(AdapterError::LoadedRank { module, rank, most }),
            None if rank > d_input.min(d_output) => Err(AdapterError::Rank { module, rank, d_input, d_output }),
            _ if rank == 0 => Err(AdapterError::Rank { module, rank, d_input, d_output }),
            _ => Ok(()),
        }
    }

    /// Reject dropout if the adapter has no access to the layer's input.
    pub(crate) fn check_dropout(&self, dropout: f64) -> Result<(), AdapterError> {
        match dropout > 0.0 && !self.factored {
            true => Err(AdapterError::DropoutOnDense { module: self.module.clone(), dropout }),
            false => Ok(()),
        }
    }

    /// Whether the inputs of the layer can be observed.
    pub(crate) fn shows_its_input(&self) -> bool {
        self.layer == Layer::Linear && self.factored
    }

    /// Reject any layer that is not linear.
    pub(crate) fn check_linear(&self, method: &'static str) -> Result<(), AdapterError> {
        match self.layer {
            Layer::Linear => Ok(()),
            layer => Err(AdapterError::Layer { module: self.module.clone(), method, found: layer }),
        }
    }
}

/// The sources of an adapter's initial values.
pub(crate) struct Draw<'a> {
    /// The random seed of the run. If it is `None`, all factors are zeros, because their values are set later or never read.
    pub(crate) seed: Option<u64>,
    /// The device of the weight.
    pub(crate) device: Device,
    /// W0, which is computed on request, and the inputs of the layer.
    pub(crate) known: Known<'a>,
    /// The parameters that the adapters of all layers share.
    pub(crate) shared: &'a mut Shared,
}

/// The parameters that the adapters of all layers share. They are initialized once and are in memory once.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The largest d_input among the adapted layers.
    pub(crate) max_input: usize,
    /// The largest d_output among the adapted layers.
    pub(crate) max_output: usize,
    /// VeRA's projections Aᵀ `[max_input, r]` and Bᵀ `[r, max_output]`.
    pub(crate) projections: Option<(Tensor<2>, Tensor<2>)>,
}

impl Draw<'_> {
    /// The initial values of a factor in Burn's layout. They depend on the random seed and on `name`.
    pub(crate) fn values(
        &self,
        site: &Site,
        factor: Factor,
        name: &str,
        shape: Shape,
    ) -> Result<Tensor<2>, AdapterError> {
        let values = match self.seed {
            None => vec![0.0; shape.dims().iter().product()],
            Some(seed) => {
                let module = site.module.clone();
                factor.init.draw(shape, self.known, &mut stream(seed, name)).map_err(|missing| match missing {
                    NoStart::Svd => AdapterError::NoSvd { module },
                    NoStart::Unobserved => AdapterError::Unobserved { module },
                    NoStart::FewRows { rows, rank } => AdapterError::FewRows { module, rows, rank },
                })?
            }
        };
        Ok(Tensor::from_data(TensorData::new(values, shape.dims()), &self.device))
    }

    /// A factor of `site`, trained or frozen.
    pub(crate) fn factor(
        &self,
        site: &Site,
        factor: Factor,
        field: &str,
        shape: Shape,
    ) -> Result<Param<Tensor<2>>, AdapterError> {
        let values = self.values(site, factor, &format!("{}.{field}", site.module), shape)?;
        Ok(Param::from_tensor(values).set_require_grad(factor.train))
    }

    /// A trained vector whose elements are all `value`.
    pub(crate) fn vector(&self, length: usize, value: f64) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::full([length], value, &self.device))
    }
}

/// The properties of the adapted layer that determine how its adapter's tensors are stored in files.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Its kind.
    pub(crate) layer: Layer,
    /// The shape of its weight in files.
    pub(crate) shape: Vec<usize>,
}

/// How PEFT stores one tensor of an adapter. Burn stores the transposes of PEFT's matrices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeftTensor {
    /// Its name, which follows the module's name.
    pub(crate) name: &'static str,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// Whether it is stored once for all layers, without a module's name.
    pub(crate) shared: bool,
}

impl PeftTensor {
    pub(crate) fn new(name: &'static str, shape: impl Into<Vec<usize>>) -> Self {
        Self { name, shape: shape.into(), shared: false }
    }
}
