//! The adapted linear layer: the factored forward.

use asym_kernels::{Kept, PackedWeight};
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor, assert_shape};

use crate::observe::Observer;
use crate::{Adapter, BaseLinear};

/// Configuration of an [`AdaptedLinear`], as of Burn's [`LinearConfig`].
#[derive(Config, Debug)]
pub struct AdaptedLinearConfig {
    /// Input features.
    pub d_input: usize,
    /// Output features.
    pub d_output: usize,
    /// Whether a bias is added.
    #[config(default = true)]
    pub bias: bool,
    /// How weight and bias start. Default: uniform within ±1/√d_input, as in Burn and PyTorch.
    #[config(default = "Initializer::KaimingUniform{gain: 0.577_350_269_189_625_8, fan_out_only: false}")]
    pub initializer: Initializer,
}

impl AdaptedLinearConfig {
    /// A layer on `device`, without an adapter. Its parameters are made when they are first read.
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
/// Without an adapter it computes what [`Linear`] does. With one it computes `x·W0 + bias + s·((x·A)·B)` and never forms
/// `W0 + s·A·B`. Where W0 and A are frozen, autodiff then keeps `x·A`, r numbers a token, and not `x`, d_input numbers
/// a token (the argument of LoRA-FA, Zhang et al., 2023), and computes no gradient of W0's shape.
///
/// A frozen W0 can be in bf16 while all else is in f32: [`layout::round`](crate::layout::round) makes it so. See [`BaseLinear`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct AdaptedLinear {
    /// W0, `[d_input, d_output]`, with the adapter attached where there is one.
    pub weight: Param<Tensor<2>>,
    /// The bias, `[d_output]`.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    packed: PackedWeight,
}

impl AdaptedLinear {
    /// A layer with these parameters, `[d_input, d_output]` and `[d_output]`.
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
            // `val` and not `base`: a reparameterization of another crate must keep its effect.
            None => base(self.weight.val()).forward(input),
        }
    }
}

impl AdaptedLinear {
    /// How a model keeps activations beside this layer for backward: rounded to bf16 where the weight is.
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
