//! The adapted linear layer with a factored forward pass.

use asym_kernels::{Kept, PackedWeight};
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, assert_shape};

use crate::observe::Observer;
use crate::{Adapter, BaseLinear};

/// The configuration of an [`AdaptedLinear`], like Burn's [`LinearConfig`].
#[derive(Config, Debug)]
pub struct AdaptedLinearConfig {
    /// The number of input features.
    pub d_input: usize,
    /// The number of output features.
    pub d_output: usize,
    /// Whether a bias is added.
    #[config(default = true)]
    pub bias: bool,
    /// The initialization of weight and bias. Default: uniform within ±1/√d_input, as in Burn and PyTorch.
    #[config(default = "Initializer::KaimingUniform{gain: 0.577_350_269_189_625_8, fan_out_only: false}")]
    pub initializer: Initializer,
}

impl AdaptedLinearConfig {
    /// A layer on `device`, without an adapter. Its parameters are initialized when they are first used.
    pub fn init(&self, device: &Device) -> AdaptedLinear {
        LinearConfig::new(self.d_input, self.d_output)
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone())
            .init(device)
            .into()
    }
}

/// A linear layer that can carry an adapter, in place of Burn's [`Linear`].
///
/// Without an adapter, it computes the same as [`Linear`]. With an adapter, it computes `x·W0 + bias + s·((x·A)·B)` and never
/// forms `W0 + s·A·B`. If W0 and A are frozen, autodiff keeps `x·A` (r numbers per token) instead of `x` (d_input numbers per
/// token), which is the idea of LoRA-FA (Zhang et al., 2023). It computes no gradient with the shape of W0.
///
/// A frozen W0 can be in bf16 while all other tensors are in f32. [`layout::round`](crate::layout::round) converts a model to
/// this form. See [`BaseLinear`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct AdaptedLinear {
    /// W0, `[d_input, d_output]`, with the adapter, if there is one.
    pub weight: Param<Tensor<2>>,
    /// The bias, `[d_output]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    packed: PackedWeight,
}

impl AdaptedLinear {
    /// A layer with these parameters, of shape `[d_input, d_output]` and `[d_output]`.
    pub fn new(weight: Param<Tensor<2>>, bias: Option<Param<Tensor<1>>>) -> Self {
        Self { weight, bias, packed: PackedWeight::default() }
    }

    /// Apply the layer.
    ///
    /// # Shapes
    ///
    /// - input: `[..., d_input]`
    /// - output: `[..., d_output]`
    ///
    /// # Panics
    ///
    /// Panics if the last axis of `input` is not `d_input`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let [d_input, _] = self.weight.shape().dims();
        assert_shape!(input, [.., d_input]);
        let bias = self.bias.as_ref().map(Param::val);
        if let Some(observer) = self.weight.reparameterization::<Observer>() {
            observer.see(input.clone());
        }

        let base = |weight| BaseLinear { weight, bias, packed: self.packed.clone() };
        match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => adapter.linear(input, base(self.weight.base())),
            // `val` instead of `base`, so that a reparameterization of another crate is applied.
            None => base(self.weight.val()).forward(input),
        }
    }
}

impl AdaptedLinear {
    /// How a model keeps the activations next to this layer for the backward pass: rounded to bf16 if the weight is in bf16.
    pub fn kept(&self) -> Kept {
        if self.weight.base().dtype() == DType::BF16 { Kept::Rounded } else { Kept::Exact }
    }
}

impl From<Linear> for AdaptedLinear {
    fn from(linear: Linear) -> Self {
        Self::new(linear.weight, linear.bias)
    }
}

impl ModuleDisplay for AdaptedLinear {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [d_input, d_output] = self.weight.lazy_shape().dims();
        let content = content.add("d_input", &d_input).add("d_output", &d_output).add("bias", &self.bias.is_some());
        match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => content.add("adapter", &adapter.describe()).optional(),
            None => content.optional(),
        }
    }
}
