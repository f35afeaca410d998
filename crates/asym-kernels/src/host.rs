//! Tensors as slices of the host's memory.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use half::{bf16, f16};

use crate::kept::widen;

/// A tensor in the host's memory.
pub(crate) type HostTensor = FloatTensor<Flex>;

/// Whether tensors on `device` lie in the host's memory.
///
/// Burn distinguishes backends only by cargo features, which belong to the program and not to this crate, so the name
/// of the device has to do. A name that is not known costs speed, nothing else.
pub fn is_host(device: &Device) -> bool {
    format!("{device:?}").contains("Flex")
}

/// Whether the operations here work on `tensor`; in half precision they compute in f32.
pub(crate) fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) && is_host(&tensor.device())
}

/// The values as f32 in the order of the axes; copied only where they lie otherwise.
pub(crate) fn floats(tensor: &HostTensor) -> Cow<'_, [f32]> {
    match (tensor.dtype(), tensor.layout().contiguous_offsets()) {
        (DType::F32, Some((start, end))) => Cow::Borrowed(&tensor.storage::<f32>()[start..end]),
        (DType::BF16, Some((start, end))) => Cow::Owned(widen(&tensor.storage::<bf16>()[start..end])),
        _ => Cow::Owned(converted(tensor.clone())),
    }
}

/// The values as f32, to write to; without a copy where nothing else holds the tensor.
pub(crate) fn owned(tensor: HostTensor) -> Vec<f32> {
    if tensor.dtype() == DType::F32 { converted(tensor) } else { floats(&tensor).into_owned() }
}

fn converted(tensor: HostTensor) -> Vec<f32> {
    match tensor.into_data().convert::<f32>().try_into_vec() {
        Ok(values) => values,
        Err(error) => unreachable!("floats convert to f32: {error}"),
    }
}

/// A tensor of `values`, in the dtype of `like`.
pub(crate) fn tensor(values: Vec<f32>, shape: Shape, dtype: DType) -> HostTensor {
    let data = TensorData::new(values, shape);
    HostTensor::from_data(match dtype {
        DType::F16 => data.convert::<f16>(),
        DType::BF16 => data.convert::<bf16>(),
        _ => data,
    })
}
