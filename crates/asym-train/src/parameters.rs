//! The parameters of a model: the trained parameters, those in a checkpoint, and a digest of the others.

use std::collections::HashSet;

use asym_core::Naming;
use asym_core::layout::{self, Kind};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Tensor};
use sha2::{Digest, Sha256};

/// The number of values of each frozen parameter that the digest includes.
const SAMPLED: usize = 64;

/// The parameters of a model by their role in a run.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    /// The paths of the trained parameters.
    pub(crate) trained: Vec<String>,
    /// The parameters in a checkpoint: the trained parameters, all parameters of adapters, and the parameters and running
    /// statistics of batch normalization. Parameters that all layers share are initialized from the seed and not saved, because
    /// every layer would save them again.
    pub(crate) saved: Vec<ParamId>,
    /// A digest of the paths, the shapes and the first values of the other parameters.
    pub(crate) frozen: String,
}

impl Parameters {
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let adapters = layout::entries(model, &Naming::BURN).into_iter().filter(|entry| entry.kind == Kind::Adapter);
        let mut visitor = Visitor {
            adapters: adapters.map(|entry| entry.path).collect(),
            path: Vec::new(),
            containers: Vec::new(),
            trained: Vec::new(),
            saved: Vec::new(),
            digest: Sha256::new(),
        };
        model.visit(&mut visitor);
        Self { trained: visitor.trained, saved: visitor.saved, frozen: hex(visitor.digest) }
    }
}

/// A digest in hexadecimal.
pub(crate) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Visitor {
    adapters: HashSet<String>,
    path: Vec<String>,
    containers: Vec<String>,
    trained: Vec<String>,
    saved: Vec<ParamId>,
    digest: Sha256,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_string());
        self.containers.push(container.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let (value, trained) = (param.base(), param.base().is_require_grad());
        let runs = self.containers.last().is_some_and(|container| container.ends_with("BatchNorm"));
        if trained || runs || self.adapters.contains(&path) {
            self.saved.push(param.id);
            if trained {
                self.trained.push(path);
            }
            return;
        }
        let dims = value.dims();
        self.digest.update(format!("{path} {dims:?}\n"));
        if dims.contains(&0) {
            return;
        }
        // Only the first row is read, because reshaping might copy the whole tensor.
        let first = std::array::from_fn::<_, D, _>(|axis| 0..if axis + 1 == D { dims[axis].min(SAMPLED) } else { 1 });
        for value in value.slice(first).into_data().iter::<f32>() {
            self.digest.update(value.to_le_bytes());
        }
    }
}

/// Whether every value of every trained parameter is finite.
pub(crate) fn all_finite<M: Module>(model: &M) -> bool {
    struct Finite(Option<Tensor<1, Bool>>);
    impl ModuleVisitor for Finite {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.base();
            if !value.is_require_grad() {
                return;
            }
            let value = value.detach();
            let value = if value.device().is_autodiff() { value.inner() } else { value };
            let finite = value.is_finite().all();
            self.0 = Some(match self.0.take() {
                Some(others) => {
                    let device = others.device();
                    others.bool_and(finite.to_device(&device))
                }
                None => finite,
            });
        }
    }
    let mut finite = Finite(None);
    model.visit(&mut finite);
    finite.0.is_none_or(|finite| finite.into_data().iter::<bool>().all(|finite| finite))
}
