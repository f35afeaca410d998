//! The closed set of adapters that a weight can carry.

mod low_rank;

pub use low_rank::LowRank;

use burn::module::{Module, Reparameterization};
use burn::tensor::Tensor;

/// The adapter of one weight. Adding a method adds a variant here, and the compiler lists the rest.
#[derive(Module, Debug)]
pub enum Adapter {
    /// LoRA and its asymmetric variants.
    LowRank(LowRank),
}

impl Adapter {
    /// The layer's output with the adapter's effect, from the layer's `input` and the frozen layer's `output`.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>, output: Tensor<D>) -> Tensor<D> {
        match self {
            Self::LowRank(adapter) => output + adapter.forward(input),
        }
    }

    /// A word or two for a module's display.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::LowRank(adapter) => format!("low-rank r={}", adapter.rank()),
        }
    }

    /// PEFT's name for the tensor that the parameter path `variant.field` holds, behind the module's name.
    pub(crate) fn peft_suffix(path: &str) -> Option<&'static str> {
        match path.split_once('.')? {
            ("LowRank", field) => LowRank::peft_suffix(field),
            _ => None,
        }
    }
}

impl Reparameterization for Adapter {
    const NAME: &'static str = "adapter";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        match self {
            Self::LowRank(adapter) => {
                let delta = adapter.delta().reshape(base.shape());
                base + delta
            }
        }
    }
}
