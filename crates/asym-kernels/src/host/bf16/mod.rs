//! Products of f32 rows with a frozen weight in bf16, with sums in f32.
//!
//! If the processor multiplies bf16 faster than f32, the rows are rounded to bf16 too. They are multiplied by a copy of the
//! weight in a special layout, which is created once for the forward and once for the backward pass. Otherwise, the rows are
//! multiplied in f32 with the bf16 weight.

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod amx;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod avx512;
#[cfg_attr(
    not(all(target_arch = "x86_64", not(miri))),
    allow(dead_code, reason = "only the kernels of x86-64 read it")
)]
mod packed;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod product;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::{DType, Shape, Tensor};
use half::bf16;

use self::packed::{Packed, Source};
use crate::host::extension::{HostOperation, run};
use crate::host::linear::{column_sums, dims, f32_product, with_last};
use crate::host::math::{Matrix, new_product};
use crate::host::{HostTensor, floats, tensor};

/// The environment variable that selects a kernel by its [`name`](Bf16Kernel::name).
const VARIABLE: &str = "ASYM_BF16_KERNEL";

/// The kernel that multiplies by a bf16 weight on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16Kernel {
    /// The tiles of AMX, which Intel's processors have since Sapphire Rapids.
    Amx,
    /// AVX512-BF16, which is fast on AMD's processors since Zen 4.
    Avx512,
    /// Products in f32 with the rounded weight.
    F32,
}

impl Bf16Kernel {
    const ALL: [Self; 3] = [Self::Amx, Self::Avx512, Self::F32];

    /// The kernel of this process. It is selected in the first call.
    ///
    /// The environment variable `ASYM_BF16_KERNEL` can contain the [`name`](Self::name) of a kernel that this machine has.
    /// Otherwise, the kernel is [`Amx`](Self::Amx) if the processor has AMX for bf16 and Linux permits its use,
    /// [`Avx512`](Self::Avx512) on AMD's processors with AVX512-BF16, and [`F32`](Self::F32) on all other processors. Intel's
    /// AVX512-BF16 is slower than f32.
    pub fn get() -> Self {
        static KERNEL: OnceLock<Bf16Kernel> = OnceLock::new();
        *KERNEL.get_or_init(|| {
            let wanted = std::env::var(VARIABLE).unwrap_or_default();
            let named = Self::ALL.into_iter().find(|kernel| kernel.name() == wanted && kernel.is_available());
            let fast = || Self::ALL.into_iter().find(|kernel| kernel.is_available() && kernel.is_fast());
            named.or_else(fast).unwrap_or(Self::F32)
        })
    }

    /// `amx`, `avx512` or `f32`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amx => "amx",
            Self::Avx512 => "avx512",
            Self::F32 => "f32",
        }
    }

    /// Whether this machine has the instructions of the kernel.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
            Self::Amx => amx::is_available(),
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Self::Avx512 => avx512::is_available(),
            Self::F32 => true,
            #[allow(unreachable_patterns, reason = "on x86-64 with Linux every kernel is above")]
            _ => false,
        }
    }

    /// Whether an available kernel is faster than f32 on this machine.
    fn is_fast(self) -> bool {
        match self {
            Self::Amx | Self::F32 => true,
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Self::Avx512 => avx512::is_fast(),
            #[cfg(not(all(target_arch = "x86_64", not(miri))))]
            Self::Avx512 => false,
        }
    }

    /// x·W + bias, where each row of x has as many values as the weight has rows.
    fn multiply(self, rows: &[f32], weight: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
        match self {
            // SAFETY: a kernel is selected only if it is available.
            #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
            Self::Amx => unsafe { product::product::<amx::Tiles>(rows, weight, bias) },
            // SAFETY: as above.
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            Self::Avx512 => unsafe { product::product::<avx512::Dots>(rows, weight, bias) },
            _ => unreachable!("{self} multiplies without a packed weight on this machine"),
        }
    }
}

impl fmt::Display for Bf16Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amx => "AMX",
            Self::Avx512 => "AVX512-BF16",
            Self::F32 => "f32 on the rounded weight",
        })
    }
}

/// The copies of a layer's weight in the layout for products. They are created when a product first needs them.
///
/// A layer that can have a weight in bf16 owns a value of this type and passes it to
/// [`rounded_linear`](crate::rounded_linear()). Clones share the copies. The value also contains the weight from which the copies
/// were created. If it is used with a different weight, it creates new copies.
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

/// Whether both tensors are the same values in memory. `known` is not freed, so no other tensor can be at its address.
fn is_same(known: &HostTensor, other: &HostTensor) -> bool {
    let place = |tensor: &HostTensor| (tensor.storage::<bf16>().as_ptr(), tensor.layout().start_offset());
    place(known) == place(other)
        && known.layout().shape() == other.layout().shape()
        && known.layout().strides() == other.layout().strides()
}

/// See [`rounded_linear`](crate::rounded_linear()).
pub(crate) fn rounded_linear<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    packed: &PackedWeight,
) -> Tensor<D> {
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
            Bf16Kernel::F32 => f32_product(&rows, Matrix::of(&floats(weight), dims(weight)[1]), bias.as_deref()),
            kernel => kernel.multiply(&rows, &self.packed.forward(weight), bias.as_deref()),
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
                Bf16Kernel::F32 => f32_product(&rows, Matrix::of(&floats(&weight), d_output).transposed(), None),
                kernel => kernel.multiply(&rows, &self.packed.backward(&weight), None),
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

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests;
