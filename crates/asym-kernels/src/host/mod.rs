//! The kernels: operations on tensors in the host's memory, each with its own backward pass.
//!
//! They support f32 and, unless stated otherwise, f16 and bf16.

mod attention;
mod bf16;
mod cross_entropy;
mod dropout;
mod extension;
mod gated_silu;
mod gelu;
mod kept;
mod linear;
mod low_rank;
mod math;
mod normal;
mod residual_norm;
mod rms_norm;
mod rotary;

use std::borrow::Cow;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape, Tensor, TensorData};
use half::{bf16 as Bf16, f16 as F16};

pub(crate) use self::attention::attention;
pub(crate) use self::bf16::rounded_linear;
pub use self::bf16::{Bf16Kernel, PackedWeight};
pub(crate) use self::cross_entropy::cross_entropy;
pub(crate) use self::dropout::dropout;
pub(crate) use self::gated_silu::gated_silu;
pub(crate) use self::gelu::gelu;
use self::kept::widen;
pub(crate) use self::linear::linear;
pub(crate) use self::low_rank::add_low_rank;
pub(crate) use self::residual_norm::{layer_norm, residual_norm};
pub(crate) use self::rms_norm::rms_norm;
pub(crate) use self::rotary::rotary;
use crate::is_host;

/// A tensor in the host's memory.
pub(crate) type HostTensor = FloatTensor<Flex>;

/// Whether the kernels support `tensor`. In half precision, they compute in f32.
pub(crate) fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) && is_host(&tensor.device())
}

/// The values as f32 in the order of the axes. They are copied only if the tensor has another dtype or another order.
pub(crate) fn floats(tensor: &HostTensor) -> Cow<'_, [f32]> {
    match (tensor.dtype(), tensor.layout().contiguous_offsets()) {
        (DType::F32, Some((start, end))) => Cow::Borrowed(&tensor.storage::<f32>()[start..end]),
        (DType::BF16, Some((start, end))) => Cow::Owned(widen(&tensor.storage::<Bf16>()[start..end])),
        _ => Cow::Owned(converted(tensor.clone())),
    }
}

/// The values as f32, for writing. They are copied only if the tensor is shared or has another dtype or another order.
pub(crate) fn owned(tensor: HostTensor) -> Vec<f32> {
    if tensor.dtype() == DType::F32 { converted(tensor) } else { floats(&tensor).into_owned() }
}

fn converted(tensor: HostTensor) -> Vec<f32> {
    match tensor.into_data().convert::<f32>().try_into_vec() {
        Ok(values) => values,
        Err(error) => unreachable!("floats convert to f32: {error}"),
    }
}

/// A tensor of `values` with this shape and dtype.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape, dtype: DType) -> HostTensor {
    let data = TensorData::new(values, shape);
    HostTensor::from_data(match dtype {
        DType::F16 => data.convert::<F16>(),
        DType::BF16 => data.convert::<Bf16>(),
        _ => data,
    })
}
