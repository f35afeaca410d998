//! The facts of a layer that a method adapts, and the interface of a method's settings.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value};

use super::{Adapter, Factor};
use crate::AdapterError;
use crate::init::{Known, NoStart, Shape};
use crate::layout::{Entry, Kind, Layer};
use crate::random::stream;

/// The operations of a method's settings. Each method implements it in its own file.
pub(crate) trait Settings {
    /// The method's name, for people.
    fn name(&self) -> &'static str;

    /// The name of the row in a table: the method and the difference between its variants.
    fn label(&self) -> String;

    /// Refuse settings that no model could make good.
    fn validate(&self) -> Result<(), AdapterError>;

    /// Refuse a layer that the method cannot adapt with these settings.
    fn check(&self, site: &Site) -> Result<(), AdapterError>;

    /// The adapter of a layer; `None` where these settings leave nothing of it.
    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError>;

    /// PEFT's fields for these settings. Fields that are not among them must be switched off in a folder that is read.
    fn write(&self) -> Result<Map<String, Value>, serde_json::Error>;

    /// The factor of the update for people, with how it is made: `α/r = 16/8 = 2`. None where the method has no such factor.
    fn scale(&self) -> Option<String> {
        None
    }

    /// The factor pair, where its start and training can be chosen.
    fn factors(&self) -> Option<(Factor, Factor)> {
        None
    }

    /// Choose the factor pair. This has no effect if the method has no pair to choose.
    fn set_factors(&mut self, _a: Factor, _b: Factor) {}

    /// A name or pattern in these settings that matches none of the adapted `modules`, and its field.
    fn unmatched(&self, _modules: &[&str]) -> Option<(&'static str, String)> {
        None
    }

    /// Modules that these settings adapt although their rank was pruned to nothing. They have no parameters, but PEFT's
    /// files name them.
    fn emptied(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The part of a tensor that is stored if some of the rank was dropped: its shape and values in files.
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
    /// Whether its forward passes through this crate.
    pub(crate) factored: bool,
    /// Whether it adds a bias.
    pub(crate) bias: bool,
    /// The largest size in the file with the values of the factors, if the values come from a file. The rank may then be larger
    /// than any rank that can be initialized.
    pub(crate) loaded: Option<usize>,
    /// Features in; rows of an embedding; input channels times the kernel's size.
    pub(crate) d_input: usize,
    /// Features out.
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

    /// Refuse a rank that is 0 or above min(d_input, d_output), or above every size in the file that has the factors: they would
    /// take any amount of memory before their shapes are compared.
    pub(crate) fn check_rank(&self, rank: usize) -> Result<(), AdapterError> {
        let (module, d_input, d_output) = (self.module.clone(), self.d_input, self.d_output);
        match self.loaded {
            Some(most) if rank > most => Err(AdapterError::LoadedRank { module, rank, most }),
            None if rank > d_input.min(d_output) => Err(AdapterError::Rank { module, rank, d_input, d_output }),
            _ if rank == 0 => Err(AdapterError::Rank { module, rank, d_input, d_output }),
            _ => Ok(()),
        }
    }

    /// Refuse dropout where the adapter never sees the layer's input.
    pub(crate) fn check_dropout(&self, dropout: f64) -> Result<(), AdapterError> {
        match dropout > 0.0 && !self.factored {
            true => Err(AdapterError::DropoutOnDense { module: self.module.clone(), dropout }),
            false => Ok(()),
        }
    }

    /// Whether what the layer reads can be seen.
    pub(crate) fn shows_its_input(&self) -> bool {
        self.layer == Layer::Linear && self.factored
    }

    /// Refuse anything but a linear layer.
    pub(crate) fn check_linear(&self, method: &'static str) -> Result<(), AdapterError> {
        match self.layer {
            Layer::Linear => Ok(()),
            layer => Err(AdapterError::Layer { module: self.module.clone(), method, found: layer }),
        }
    }
}

/// Where an adapter's first values come from.
pub(crate) struct Draw<'a> {
    /// The run's seed. Absent where a file brings the values: zeros cost the least.
    pub(crate) seed: Option<u64>,
    /// Where the weight is, or will be.
    pub(crate) device: Device,
    /// W0, which is made when somebody asks for it, and what the layer reads.
    pub(crate) known: Known<'a>,
    /// The parameters that the adapters of all layers share.
    pub(crate) shared: &'a mut Shared,
}

/// The parameters that the adapters of all layers share. They are drawn once and have one piece of memory.
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
    /// The values of the factor called `name`, from the seed and that name, as Burn stores them.
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

    /// A trained vector with one value throughout.
    pub(crate) fn vector(&self, length: usize, value: f64) -> Param<Tensor<1>> {
        Param::from_tensor(Tensor::full([length], value, &self.device))
    }
}

/// The information about the adapted layer that the adapter's tensors in files need.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Its kind.
    pub(crate) layer: Layer,
    /// The shape of its weight in files.
    pub(crate) shape: Vec<usize>,
}

/// How PEFT stores one tensor of an adapter. Burn's matrices are its transposes.
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
