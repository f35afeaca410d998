//! The device that the program was built for.

use burn::tensor::Device;

#[cfg(not(any(feature = "flex", feature = "wgpu", feature = "vulkan", feature = "metal", feature = "cuda")))]
compile_error!("choose a backend: one of the features flex (default), wgpu, vulkan, metal, cuda");

/// The best device among the backends that were compiled in, as Burn ranks them; `BURN_DEVICE` names another.
///
/// Printed on standard error, so that no result is read without knowing where it was made.
pub fn default_device() -> Device {
    let device = Device::default();
    eprintln!("device: {device:?}");
    device
}
