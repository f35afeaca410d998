//! Burn operations for the CPU that make few passes over memory and keep little memory for the backward pass.
//!
//! Burn composes attention, layer norm and GELU from element-wise operations. Each of these operations is a separate pass
//! over memory, and under autodiff most of them keep their input. In this crate, each of the following is a single operation
//! of the autodiff graph with its own backward pass:
//!
//! | operation | kept for backward | composed |
//! |---|---|---|
//! | [`attention`] | Q, K, V | Q, K, V and three tensors of heads · length² |
//! | [`packed_attention`] | Q, K, V, for sequences without padding between them | |
//! | [`residual_norm`], [`layer_norm`] | the normalized rows | the normalized rows, their variance, a mask, the sum |
//! | [`rms_norm`] | its input | its input and the normalized rows |
//! | [`rotary`] | cosines and sines | the same, with one pass for each product and sum |
//! | [`gelu`] | its input | the derivative |
//! | [`gated_silu`] | gate and up | gate, up, σ(gate) and silu(gate) |
//! | [`cross_entropy`] | the logits | the logits' softmax and its logarithm |
//! | [`dropout`] | a seed | a mask as wide as its input |
//! | [`linear`] | the operands that tracked inputs need | the same, with one matrix product per sequence |
//! | [`rounded_linear`] | nothing, for a frozen weight in bf16 | its input in bf16, if the backend keeps it |
//! | [`add_low_rank`] | x·A, and x if A is tracked | the same, with one more sum |
//!
//! With [`Kept::Rounded`], activations in f32 are kept in bf16, and the derivative of GELU is kept in 8 bits.
//!
//! These operations work on f32 tensors in the host's memory, that is, with Burn's flex backend. All of them except
//! [`rounded_linear`] and [`add_low_rank`] also support half precision, with f32 arithmetic. On other backends, each function
//! computes its [`composed`] form, which is also the reference in the tests. All operations run on rayon's threads, and their
//! results do not depend on the number of threads.
//!
//! The feature `host`, which is enabled by default, compiles these kernels. Without it, the crate has only the composed forms
//! and depends on no backend.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::<2>::random([4, 8], Distribution::Default, &device).require_grad();
//! let gradients = asym_kernels::gelu(x.clone(), asym_kernels::Kept::Exact).sum().backward();
//! assert_eq!(x.grad(&gradients).map(|gradient| gradient.dims()), Some([4, 8]));
//! ```

pub mod composed;
mod heads;
#[cfg(feature = "host")]
mod host;
mod operations;

pub use heads::{Heads, Sequences};
#[cfg(feature = "host")]
pub use host::{Bf16Kernel, PackedWeight};
pub use operations::{
    Kept, LowRank, Rotation, add_low_rank, attention, cross_entropy, dropout, gated_silu, gelu, is_host, layer_norm,
    linear, packed_attention, residual_norm, rms_norm, rotary, rounded_linear,
};

/// The copies of a layer's weight for the kernels of the feature `host`. Without this feature, there are no copies.
#[cfg(not(feature = "host"))]
#[derive(Debug, Clone, Default)]
pub struct PackedWeight(());
