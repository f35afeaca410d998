//! Products of f32 rows with a frozen weight in bf16, with sums in f32.
//!
//! Where the processor has AMX, rows are rounded to bf16 as well, and its tiles multiply them with a copy of the weight that is
//! laid out once for each direction. Elsewhere the product is that of f32 with the rounded weight.

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod amx;
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux", not(miri))),
    allow(dead_code, reason = "the kernel of AMX alone reads it")
)]
mod packed;
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod product;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::{DType, Shape, Tensor};
use half::bf16;

use self::packed::{Packed, Source};
use crate::composed;
use crate::extension::{HostOperation, run};
use crate::host::{HostTensor, floats, takes, tensor};
use crate::linear::{column_sums, dims, f32_product, with_last};
use crate::math::{Matrix, new_product};

/// The environment variable that chooses the kernel: `f32` turns AMX off.
const VARIABLE: &str = "ASYM_BF16_KERNEL";

/// How the host multiplies with a weight in bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16Kernel {
    /// On the tiles of AMX.
    Amx,
    /// In f32, on the rounded weight.
    F32,
}

impl Bf16Kernel {
    /// The kernel of this process. It is chosen at the first call.
    ///
    /// It is [`Amx`](Self::Amx) where the processor has AMX for bf16 and Linux grants the tiles, unless the environment variable
    /// `ASYM_BF16_KERNEL` is `f32`.
    pub fn get() -> Self {
        static KERNEL: OnceLock<Bf16Kernel> = OnceLock::new();
        *KERNEL.get_or_init(|| {
            let is_off = std::env::var(VARIABLE).is_ok_and(|value| value == "f32");
            if !is_off && is_amx_available() { Self::Amx } else { Self::F32 }
        })
    }
}

impl fmt::Display for Bf16Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amx => "AMX",
            Self::F32 => "f32 on the rounded weight",
        })
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
fn is_amx_available() -> bool {
    amx::is_available()
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
fn is_amx_available() -> bool {
    false
}

/// The copies of a layer's weight that products read, made when a product first needs them.
///
/// A layer that can have a weight in bf16 owns one and passes it to [`rounded_linear`]. Clones share the copies. The value
/// holds the weight that the copies were made of, so that it recognizes another weight and makes them again.
#[derive(Clone, Default)]
pub struct PackedWeight(Arc<Mutex<Copies>>);

#[derive(Default)]
struct Copies {
    of: Option<HostTensor>,
    forward: Option<Arc<Packed>>,
    backward: Option<Arc<Packed>>,
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackedWeight")
    }
}

impl PackedWeight {
    /// The copy for x·W.
    fn forward(&self, weight: &HostTensor) -> Arc<Packed> {
        self.copy(weight, |copies| &mut copies.forward, Source::of(weight))
    }

    /// The copy for dY·Wᵀ.
    fn backward(&self, weight: &HostTensor) -> Arc<Packed> {
        self.copy(weight, |copies| &mut copies.backward, Source::of(weight).transposed())
    }

    fn copy(
        &self,
        weight: &HostTensor,
        of: impl Fn(&mut Copies) -> &mut Option<Arc<Packed>>,
        source: Source<'_>,
    ) -> Arc<Packed> {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !copies.of.as_ref().is_some_and(|other| is_same(other, weight)) {
            *copies = Copies { of: Some(weight.clone()), ..Copies::default() };
        }
        of(&mut copies).get_or_insert_with(|| Arc::new(Packed::new(source))).clone()
    }
}

/// Whether both are the same values in memory. `known` is held, so that no other tensor can have taken its place.
fn is_same(known: &HostTensor, other: &HostTensor) -> bool {
    let place = |tensor: &HostTensor| (tensor.storage::<bf16>().as_ptr(), tensor.layout().start_offset());
    place(known) == place(other)
        && known.layout().shape() == other.layout().shape()
        && known.layout().strides() == other.layout().strides()
}

/// x·W + bias for x in f32 and a frozen W in bf16: the product rounds x to bf16 where that is faster, and sums in f32.
///
/// Kept for backward is the weight alone, which the layer has in any case. On a device that is not the host's memory, x is
/// rounded, and the product is rounded once more, as that device gives it.
///
/// # Shapes
///
/// - input: `[..., d_input]`, f32
/// - weight: `[d_input, d_output]`, bf16
/// - bias: `[d_output]`, f32
/// - output: `[..., d_output]`, f32
pub fn rounded_linear<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    packed: &PackedWeight,
) -> Tensor<D> {
    let dtypes = input.dtype() == DType::F32
        && weight.dtype() == DType::BF16
        && bias.as_ref().is_none_or(|bias| bias.dtype() == DType::F32);
    if !dtypes || !takes(&input) || D < 2 || input.dims().contains(&0) || weight.dims().contains(&0) {
        return composed::rounded_linear(input, weight, bias);
    }
    let mut inputs = vec![input.into_dispatch(), weight.into_dispatch()];
    inputs.extend(bias.map(Tensor::into_dispatch));
    run(RoundedLinear { packed: packed.clone(), kernel: Bf16Kernel::get() }, inputs)
}

#[derive(Debug)]
struct RoundedLinear {
    packed: PackedWeight,
    kernel: Bf16Kernel,
}

impl HostOperation for RoundedLinear {
    fn forward(&self, inputs: Vec<HostTensor>, tracked: &[bool]) -> (HostTensor, Vec<HostTensor>) {
        let (input, weight) = (&inputs[0], &inputs[1]);
        let bias = inputs.get(2).map(floats);
        let rows = floats(input);
        let output = match self.kernel {
            Bf16Kernel::Amx => multiply(&rows, &self.packed.forward(weight), bias.as_deref()),
            Bf16Kernel::F32 => f32_product(&rows, Matrix::of(&floats(weight), dims(weight)[1]), bias.as_deref()),
        };
        let output = tensor(output, with_last(input.layout().shape(), dims(weight)[1]), DType::F32);
        drop(rows);
        let kept = [tracked[0].then(|| weight.clone()), tracked[1].then(|| input.clone())];
        (output, kept.into_iter().flatten().collect())
    }

    fn backward(&self, kept: Vec<HostTensor>, gradient: HostTensor, tracked: &[bool]) -> Vec<Option<HostTensor>> {
        let shape = gradient.layout().shape().clone();
        let last = shape.num_dims() - 1;
        let rows = floats(&gradient);
        let mut kept = kept.into_iter();
        let of_input = tracked[0].then(|| kept.next()).flatten().map(|weight| {
            let [d_input, d_output] = dims(&weight);
            let of_input = match self.kernel {
                Bf16Kernel::Amx => multiply(&rows, &self.packed.backward(&weight), None),
                Bf16Kernel::F32 => f32_product(&rows, Matrix::of(&floats(&weight), d_output).transposed(), None),
            };
            tensor(of_input, with_last(&shape, d_input), DType::F32)
        });
        let of_weight = tracked[1].then(|| kept.next()).flatten().map(|input| {
            let (d_input, d_output) = (input.layout().shape()[last], shape[last]);
            let of_weight =
                new_product(1.0, Matrix::of(&floats(&input), d_input).transposed(), Matrix::of(&rows, d_output));
            tensor(of_weight, Shape::from([d_input, d_output]), DType::BF16)
        });
        let of_bias = tracked
            .get(2)
            .is_some_and(|tracked| *tracked)
            .then(|| tensor(column_sums(&rows, shape[last]), Shape::from([shape[last]]), DType::F32));
        vec![of_input, of_weight, of_bias]
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
fn multiply(rows: &[f32], weight: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    // SAFETY: this kernel is chosen where AMX is available.
    unsafe { product::product(rows, weight, bias) }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
fn multiply(_rows: &[f32], _weight: &Packed, _bias: Option<&[f32]>) -> Vec<f32> {
    unreachable!("this kernel is chosen where AMX is available")
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux", not(miri)))]
mod tests;
