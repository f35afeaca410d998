//! The folder of an adapter. An input is the text of `adapter_config.json`, a zero byte, and the bytes of
//! `adapter_model.safetensors`.
#![no_main]

use std::hint::black_box;

use asym_core::{base_model, read_config, read_factors, read_purpose};
use asym_fuzz::{folder, two_files};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    two_files(["adapter_config.json", "adapter_model.safetensors"], data);
    let _ = black_box((base_model(folder()), read_purpose(folder())));
    if let Ok(config) = read_config(folder()) {
        config.validate().expect("a configuration that was read is valid");
    }
    for pair in read_factors(folder()).into_iter().flatten() {
        assert_eq!(pair.a.rows(), pair.b.columns(), "{}", pair.module);
    }
});
