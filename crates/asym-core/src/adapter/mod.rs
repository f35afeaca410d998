//! The closed set of adapter methods: their settings, and what a weight then carries.
//!
//! A method is one file here: a struct of settings, a module that holds its parameters, and how both are written in
//! PEFT's format. [`Method`] and [`Adapter`] have a variant for each, and the compiler lists what else has to know it.

mod adalora;
mod dora;
mod ia3;
mod low_rank;
mod site;
mod vera;

pub use adalora::{AdaLora, AdaLoraPair, RankAllocator, orthogonality};
pub use dora::{Dora, DoraPair};
pub use ia3::{Ia3, Ia3Scale};
pub use low_rank::{Factor, Lora, LowRank};
pub use vera::{Vera, VeraScales};

pub(crate) use site::{Draw, Owner, PeftTensor, Settings, Shared, Site};

use std::fmt;

use burn::module::{Module, Reparameterization};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor, module};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An adapter method with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// LoRA (Hu et al., 2021), every asymmetric variant of it (paper, section 3), and rsLoRA.
    Lora(Lora),
    /// DoRA (Liu et al., 2024).
    Dora(Dora),
    /// AdaLoRA (Zhang et al., 2023).
    AdaLora(AdaLora),
    /// VeRA (Kopiczko et al., 2024).
    Vera(Vera),
    /// (IA)³ (Liu et al., 2022).
    Ia3(Ia3),
}

impl Method {
    pub(crate) fn settings(&self) -> &dyn Settings {
        match self {
            Self::Lora(settings) => settings,
            Self::Dora(settings) => settings,
            Self::AdaLora(settings) => settings,
            Self::Vera(settings) => settings,
            Self::Ia3(settings) => settings,
        }
    }

    /// The method that PEFT's fields describe; `None` for a `peft_type` that is not here.
    pub(crate) fn read(fields: &Map<String, Value>) -> Option<Result<Self, serde_json::Error>> {
        let fields_of = || Value::Object(fields.clone());
        Some(match fields.get("peft_type")?.as_str()? {
            "LORA" if fields.get("use_dora") == Some(&Value::Bool(true)) => Lora::read(fields_of()).map(|l| Dora(l).into()),
            "LORA" => Lora::read(fields_of()).map(Self::Lora),
            "ADALORA" => AdaLora::read(fields_of()).map(Self::AdaLora),
            "VERA" => Vera::read(fields_of()).map(Self::Vera),
            "IA3" => Ia3::read(fields_of()).map(Self::Ia3),
            _ => return None,
        })
    }

    /// The values of `peft_type` that are read.
    pub(crate) const PEFT_TYPES: &'static str = "\"LORA\", \"ADALORA\", \"VERA\" or \"IA3\"";
}

impl fmt::Display for Method {
    /// What a table's row is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.settings().label())
    }
}

macro_rules! into_method {
    ($($settings:ident),*) => {
        $(impl From<$settings> for Method {
            fn from(settings: $settings) -> Self {
                Self::$settings(settings)
            }
        })*
    };
}
into_method!(Lora, Dora, AdaLora, Vera, Ia3);

/// The adapter of one weight.
#[derive(Module, Debug)]
pub enum Adapter {
    /// Of [`Method::Lora`].
    LowRank(LowRank),
    /// Of [`Method::Dora`].
    Dora(DoraPair),
    /// Of [`Method::AdaLora`].
    AdaLora(AdaLoraPair),
    /// Of [`Method::Vera`].
    Vera(VeraScales),
    /// Of [`Method::Ia3`].
    Ia3(Ia3Scale),
}

impl Adapter {
    /// The output of a linear layer with this adapter, from the frozen `weight` and the bias.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - weight: `[d_input, d_output]`
    /// - bias: `[d_output]`
    /// - output: `[..., d_output]`
    pub fn linear<const D: usize>(
        &self,
        input: Tensor<D>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Tensor<D> {
        let base = |input: &Tensor<D>| module::linear(input.clone(), weight.clone(), bias.clone());
        match self {
            Self::LowRank(adapter) => base(&input) + adapter.forward(input),
            Self::AdaLora(adapter) => base(&input) + adapter.forward(input),
            Self::Vera(adapter) => base(&input) + adapter.forward(input),
            Self::Dora(adapter) => adapter.forward(input, weight, bias),
            Self::Ia3(adapter) => adapter.forward(input, base),
        }
    }

    /// The rows of an embedding with this adapter.
    ///
    /// # Shapes
    ///
    /// - ids: `[batch, length]`
    /// - weight: `[n_embedding, d_model]`
    /// - output: `[batch, length, d_model]`
    pub fn embedding(&self, ids: Tensor<2, Int>, weight: Tensor<2>) -> Tensor<3> {
        match self {
            Self::LowRank(adapter) => module::embedding(weight, ids.clone()) + adapter.embedding(ids),
            // No other method adapts an embedding.
            _ => module::embedding(self.apply(weight), ids),
        }
    }

    /// The output of a two-dimensional convolution with this adapter.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels_in, height, width]`
    /// - weight: `[channels_out, channels_in / groups, kernel_height, kernel_width]`
    /// - bias: `[channels_out]`
    /// - output: `[batch, channels_out, height_out, width_out]`
    pub fn conv2d(
        &self,
        input: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    ) -> Tensor<4> {
        match self {
            // With groups, a narrow convolution of the whole input is not what ΔW adds.
            Self::LowRank(adapter) if options.groups == 1 => {
                let [_, _, height, width] = weight.dims();
                let output = module::conv2d(input.clone(), weight, bias, options.clone());
                output + adapter.conv2d(input, [height, width], options)
            }
            _ => module::conv2d(input, self.apply(weight), bias, options),
        }
    }

    /// A word or two for a module's display.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::LowRank(adapter) => format!("low-rank r={}", adapter.rank()),
            Self::Dora(adapter) => format!("DoRA r={}", adapter.pair.rank()),
            Self::AdaLora(adapter) => format!("AdaLoRA r={}", adapter.rank()),
            Self::Vera(adapter) => format!("VeRA r={}", adapter.rank()),
            Self::Ia3(_) => "(IA)³".to_string(),
        }
    }

    /// How PEFT stores the tensor at the parameter path `variant.field`, of shape `dims` in Burn, in an adapter of `owner`.
    pub(crate) fn peft_tensor(path: &str, dims: &[usize], owner: &Owner) -> Option<PeftTensor> {
        let (variant, field) = path.split_once('.')?;
        match variant {
            "LowRank" => LowRank::peft_tensor(field, dims, owner),
            "Dora" => DoraPair::peft_tensor(field, dims, owner),
            "AdaLora" => AdaLoraPair::peft_tensor(field, dims),
            "Vera" => VeraScales::peft_tensor(field, dims),
            "Ia3" => Ia3Scale::peft_tensor(field, dims),
            _ => None,
        }
    }
}

impl Reparameterization for Adapter {
    const NAME: &'static str = "adapter";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        match self {
            Self::LowRank(adapter) => add(base, adapter.delta()),
            Self::AdaLora(adapter) => add(base, adapter.delta()),
            Self::Vera(adapter) => add(base, adapter.delta()),
            Self::Dora(adapter) => adapter.apply(base),
            Self::Ia3(adapter) => adapter.apply(base),
        }
    }
}

/// `base` plus the update `[d_input, d_output]`, in whatever shape the layer keeps its weight.
fn add<const D: usize>(base: Tensor<D>, delta: Tensor<2>) -> Tensor<D> {
    let delta = match D {
        // A convolution's kernel has its outputs first.
        4 => delta.swap_dims(0, 1),
        _ => delta,
    };
    let delta = delta.reshape(base.shape());
    base + delta
}
