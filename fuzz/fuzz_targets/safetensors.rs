//! The weights of a checkpoint, in memory and in a file.
#![no_main]

use std::hint::black_box;

use asym_core::{layout, repeated_key};
use asym_fuzz::{file, folder};
use asym_models::Checkpoint;
use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;

const CONFIG: &str = include_str!("../../tests/fixtures/roberta-classifier/config.json");

fuzz_target!(|data: &[u8]| {
    let held = Checkpoint::from_bytes("checkpoint", CONFIG, data.to_vec());
    file("config.json", CONFIG.as_bytes());
    file("model.safetensors", data);
    let opened = Checkpoint::open(folder());
    // A file is read in pieces, but for bytes in memory the safetensors crate reads the header. Only repeated keys are handled
    // differently.
    match (&held, &opened) {
        (Ok(held), Ok(opened)) => {
            assert_eq!(held.file_dtype(), opened.file_dtype());
            assert_eq!(held.is_masked_language_model(), opened.is_masked_language_model());
        }
        (Ok(_), Err(error)) => assert!(repeated_key(data).is_some(), "{error}"),
        (Err(error), Ok(_)) => panic!("the file is accepted, but not the same bytes in memory: {error}"),
        (Err(_), Err(_)) => {}
    }
    if let Ok(tensors) = SafeTensors::deserialize(data) {
        for (name, view) in tensors.iter() {
            if let Some(values) = layout::to_f32(&view) {
                assert_eq!(values.len(), view.shape().iter().product::<usize>(), "{name}");
            }
        }
    }
    let _ = black_box(opened);
});
