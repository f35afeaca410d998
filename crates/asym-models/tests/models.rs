//! ViT, Llama and BART give the numbers of transformers: on fixtures that `tests/fixtures/make_models.py` made, and on the
//! shared reference where `ASYM_SHARED` names it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym_models::{
    BartClassifier, BartLanguageModel, Checkpoint, FileDtype, LlamaLanguageModel, PretrainedModel, VitClassifier,
    check_input, read_inputs, save,
};
use burn::tensor::{Device, Int, Tensor};

mod common;
use common::{difference, fixture, golden, scratch};

const TOLERANCE: f32 = 1e-4;

/// The mask of a file, which says where logits count.
fn mask(folder: &Path, name: &str, device: &Device) -> Option<Tensor<2, Int>> {
    let bytes = std::fs::read(folder.join("inputs.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).ok()?;
    let values: Vec<i64> = view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    let shape: [usize; 2] = view.shape().try_into().unwrap();
    Some(Tensor::from_data(burn::tensor::TensorData::new(values, shape), device))
}

/// Load, run and compare one folder; save and load again, and compare once more.
fn check<M: PretrainedModel>(folder: &Path, counts: Option<&str>) {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let device = Device::default();
    let loaded = Checkpoint::open(folder).unwrap().load::<M>(None, 0, &device).unwrap();
    assert!(loaded.initialised.is_empty(), "{name}: {:?}", loaded.initialised);
    let input: M::Input = read_inputs(folder.join("inputs.safetensors"), &device).unwrap();
    check_input(&input, loaded.model.config()).unwrap();
    let logits = loaded.model.logits(input.clone());
    let expected = &golden(&folder.join("expected.safetensors"))["logits"];
    let mask = counts.and_then(|name| mask(folder, name, &device));
    let difference = difference(&logits, expected, mask.as_ref());
    println!("{name}: logits differ by {difference:.1e}");
    assert!(difference < TOLERANCE, "{name}: logits differ by {difference}");

    let copy = scratch(&format!("models-{name}"));
    save(&loaded.model, &copy, FileDtype::F32).unwrap();
    let again = Checkpoint::open(&copy).unwrap().load::<M>(None, 1, &device).unwrap();
    assert!(again.initialised.is_empty(), "{name}: {:?}", again.initialised);
    assert_eq!(again.model.config(), loaded.model.config(), "{name}");
    again.model.logits(input).assert_eq(&logits, true);
}

#[test]
fn shared_reference_gives_the_logits_of_transformers() {
    let Some(shared) = std::env::var_os("ASYM_SHARED") else {
        eprintln!("SKIPPED: set ASYM_SHARED to the shared folder to compare with its reference");
        return;
    };
    let reference = PathBuf::from(shared).join("reference");
    check::<VitClassifier>(&reference.join("vit-image-classification"), None);
    check::<LlamaLanguageModel>(&reference.join("llama-causal-lm"), Some("attention_mask"));
    check::<BartLanguageModel>(&reference.join("bart-conditional-generation"), None);
}
