//! Selects the device that the program computes on.

use burn::tensor::{Device, DeviceType};

#[cfg(not(any(feature = "flex", feature = "wgpu", feature = "vulkan", feature = "metal", feature = "cuda")))]
compile_error!("choose a backend: one of the features flex (default), wgpu, vulkan, metal, cuda");

/// The environment variable that selects a device: a compiled-in backend with an optional index, as in `cuda:1`.
pub const VARIABLE: &str = "BURN_DEVICE";

/// An error in the selection of a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The variable is set to an empty value, which Burn refuses too.
    #[error("{VARIABLE} is empty: unset it for the default device, or set it to one of {built}")]
    Empty {
        /// The compiled-in backends.
        built: String,
    },
    /// The name is not a compiled-in backend.
    #[error(
        "{VARIABLE}={name}: this program was built with {built}; name one of these, or build with `--features {name}`"
    )]
    Backend {
        /// The given name.
        name: String,
        /// The compiled-in backends.
        built: String,
    },
    /// The text after the colon is not a number.
    #[error("{VARIABLE}={given}: expected a backend and a device index, as in cuda:1")]
    Index {
        /// The value of the variable.
        given: String,
    },
    /// The backend does not find the hardware or the driver.
    #[error("no {name} device was found: install {install}, or build with `--features flex` for the CPU")]
    NoDevice {
        /// The backend.
        name: &'static str,
        /// The hardware and drivers that it needs.
        install: &'static str,
    },
    /// The backend has no device with this index.
    #[error("{VARIABLE}={name}:{index}: there {} of {name}, numbered from 0", counted(*.found))]
    NoSuchIndex {
        /// The backend.
        name: &'static str,
        /// The given index.
        index: usize,
        /// The number of devices.
        found: usize,
    },
}

fn counted(found: usize) -> String {
    if found == 1 { "is 1 device".to_string() } else { format!("are {found} devices") }
}

/// A compiled-in backend.
struct Backend {
    name: &'static str,
    kind: fn() -> DeviceType,
    /// The hardware and drivers that it needs.
    install: &'static str,
}

/// The compiled-in backends, in the order in which Burn prefers them.
const BACKENDS: &[Backend] = &[
    #[cfg(feature = "cuda")]
    Backend { name: "cuda", kind: || DeviceType::Cuda, install: "NVIDIA's driver (libcuda) for an NVIDIA GPU" },
    #[cfg(feature = "metal")]
    Backend { name: "metal", kind: || DeviceType::Metal, install: "macOS with a GPU that has Metal" },
    #[cfg(feature = "vulkan")]
    Backend { name: "vulkan", kind: || DeviceType::Vulkan, install: VULKAN },
    #[cfg(feature = "wgpu")]
    Backend { name: "wgpu", kind: || DeviceType::Wgpu, install: VULKAN },
    #[cfg(feature = "flex")]
    Backend { name: "flex", kind: || DeviceType::Flex, install: "nothing" },
];

#[cfg(any(feature = "vulkan", feature = "wgpu"))]
const VULKAN: &str = "the GPU's Vulkan driver, or Mesa's for the CPU (Debian: mesa-vulkan-drivers)";

/// The device that the variable `BURN_DEVICE` selects, or Burn's default device if the variable is not set.
///
/// The device is logged with the `log` crate, so that the output of every command states which device computed it.
///
/// # Errors
///
/// Returns an error if the variable is empty, if its value is not a compiled-in backend with an optional index, or if the backend
/// has no such device.
pub fn default_device() -> Result<Device, DeviceError> {
    let given = std::env::var(VARIABLE).ok();
    let device = choose(given.as_deref(), &|backend| Device::enumerate((backend.kind)()).into_iter().collect())?;
    log::info!("device: {device:?}");
    Ok(device)
}

fn choose(given: Option<&str>, find: &dyn Fn(&Backend) -> Vec<Device>) -> Result<Device, DeviceError> {
    let (name, index) = match given.map(|given| (given, given.split_once(':'))) {
        None => (None, 0),
        Some((name, None)) => (Some(name), 0),
        Some((given, Some((name, index)))) => {
            (Some(name), index.parse().map_err(|_| DeviceError::Index { given: given.to_string() })?)
        }
    };
    let found = match name {
        None => BACKENDS.first(),
        Some(name) => BACKENDS.iter().find(|backend| backend.name.eq_ignore_ascii_case(name)),
    };
    let Some(backend) = found else {
        let built = BACKENDS.iter().map(|backend| backend.name).collect::<Vec<_>>().join(", ");
        let name = name.unwrap_or_default().to_string();
        return Err(if name.is_empty() { DeviceError::Empty { built } } else { DeviceError::Backend { name, built } });
    };
    let devices = find(backend);
    match devices.len() {
        0 => Err(DeviceError::NoDevice { name: backend.name, install: backend.install }),
        found if index >= found => Err(DeviceError::NoSuchIndex { name: backend.name, index, found }),
        // Burn's default device is not always the first device in the list.
        _ if given.is_none() => Ok(Device::default()),
        _ => {
            devices.into_iter().nth(index).ok_or(DeviceError::NoDevice { name: backend.name, install: backend.install })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal(given: Option<&str>, devices: usize) -> String {
        choose(given, &|_| vec![Device::flex(); devices]).unwrap_err().to_string()
    }

    #[test]
    fn unavailable_devices_are_named() {
        let name = BACKENDS[0].name;
        for (given, devices, parts) in [
            (None, 0, vec!["no ", name, "install"]),
            (Some(String::new()), 1, vec!["is empty", "unset", name]),
            (Some(name.to_string()), 0, vec![name, "install"]),
            (Some(format!("{name}:3")), 1, vec![":3", "is 1 device"]),
            (Some(format!("{name}:2")), 2, vec![":2", "are 2 devices"]),
            (Some(format!("{name}:x")), 1, vec![":x", "a device index"]),
            (Some("abacus".to_string()), 1, vec!["abacus", name, "--features abacus"]),
        ] {
            let message = refusal(given.as_deref(), devices);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }

    #[test]
    fn devices_are_selected_by_name_and_index() {
        let name = BACKENDS[0].name;
        for given in [name.to_string(), name.to_uppercase(), format!("{name}:1")] {
            assert!(choose(Some(&given), &|_| vec![Device::flex(); 2]).is_ok(), "{given}");
        }
    }
}
