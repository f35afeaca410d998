//! The adapted convolution with a factored forward pass.

use burn::module::{Content, DisplaySettings, Module, ModuleDisplay, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::Adapter;

/// A two-dimensional convolution that can carry an adapter, in place of Burn's [`Conv2d`].
///
/// Without an adapter, it computes the same as [`Conv2d`]. With an adapter, it adds a convolution with r output channels,
/// followed by a convolution of size 1, as PEFT does. With more than one group, it adds a convolution with the composed update
/// of the kernel instead, because two convolutions do not compute this update. Adapters of grouped or dilated convolutions work
/// only in asym: PEFT rejects those of grouped convolutions, and its first convolution ignores dilation.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct AdaptedConv2d {
    /// W0, `[channels_out, channels_in / groups, kernel_height, kernel_width]`, with the adapter, if there is one.
    pub weight: Param<Tensor<4>>,
    /// The bias, `[channels_out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// The stride along height and width.
    pub stride: [usize; 2],
    /// The distance between the elements of the kernel along height and width.
    pub dilation: [usize; 2],
    /// The number of groups of channels. An output channel depends only on the input channels of its group.
    pub groups: usize,
    /// The padding of the input.
    #[module(skip)]
    pub padding: PaddingConfig2d,
}

impl AdaptedConv2d {
    /// A convolution on `device` with Burn's configuration, without an adapter.
    pub fn new(config: &Conv2dConfig, device: &Device) -> Self {
        config.init(device).into()
    }

    /// Apply the convolution.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, height_out, width_out]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let [_, _, kernel_height, kernel_width] = self.weight.shape().dims();
        let kernel = [kernel_height, kernel_width];
        let padding = pairs(&self.padding, [height, width], kernel, self.stride);
        let options = ConvOptions::new_with_padding(self.stride, padding, self.dilation, self.groups);
        let bias = self.bias.as_ref().map(Param::val);

        match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => adapter.conv2d(input, self.weight.base(), bias, options),
            // `val` instead of `base`, so that a reparameterization of another crate is applied.
            None => conv2d(input, self.weight.val(), bias, options),
        }
    }
}

/// The padding before and after the input, along height and width. Burn's own function is private.
fn pairs(padding: &PaddingConfig2d, size: [usize; 2], kernel: [usize; 2], stride: [usize; 2]) -> [(usize, usize); 2] {
    match *padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        // The size of the output is that of the input divided by the stride, rounded up. If the padding is odd, the end gets
        // one more.
        PaddingConfig2d::Same => [0, 1].map(|axis| {
            let steps = size[axis].div_ceil(stride[axis]).saturating_sub(1);
            let rest = (steps * stride[axis] + kernel[axis]).saturating_sub(size[axis]);
            (rest / 2, rest - rest / 2)
        }),
    }
}

impl From<Conv2d> for AdaptedConv2d {
    fn from(conv: Conv2d) -> Self {
        let Conv2d { weight, bias, stride, dilation, groups, padding, .. } = conv;
        Self { weight, bias, stride, dilation, groups, padding }
    }
}

impl ModuleDisplay for AdaptedConv2d {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [channels_out, channels_in, ..] = self.weight.lazy_shape().dims::<4>();
        let content = content.add("ch_in", &(channels_in * self.groups)).add("ch_out", &channels_out);
        match self.weight.reparameterization::<Adapter>() {
            Some(adapter) => content.add("adapter", &adapter.describe()).optional(),
            None => content.optional(),
        }
    }
}
