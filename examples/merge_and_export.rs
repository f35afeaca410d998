//! Lesson 2: train, export for Python, load again, merge.
//!
//! The embedded mini RoBERTa is trained for a few steps. Its adapter is saved in PEFT format, loaded into a new
//! model, and merged into the weights. All three models compute the same logits.
//!
//! ```text
//! cargo run --release --example merge_and_export
//! ```

use asym::core::{AdapterConfig, Dora, Lora, SaveOptions, load_adapter, merge, save_adapter};
use asym::embedded::ROBERTA_MINI;
use asym::models::{EncoderInput, FileDtype, SequenceClassifier};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Eight sequences of twelve tokens.
fn input(device: &Device) -> EncoderInput {
    let ids: Vec<i64> = (0..8 * 12).map(|i| 10 + (i * i) % 200).collect();
    let input_ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [8, 12]), device);
    EncoderInput { input_ids, attention_mask: None, token_type_ids: None }
}

fn logits(model: &SequenceClassifier, device: &Device) -> Tensor<2> {
    model.valid().forward(input(device))
}

fn main() -> anyhow::Result<()> {
    let (plain, device) = (Device::default(), Device::default().autodiff());
    let folder = std::env::temp_dir().join(format!("asym-lesson-{}", std::process::id()));
    let base = || Ok::<_, anyhow::Error>(ROBERTA_MINI.base()?.checkpoint.sequence_classifier(Some(2), 1, &device)?);
    let model = base()?.model;
    let naming = model.naming();

    // The method is DoRA here. Every method saves, loads and merges in the same way.
    let config = AdapterConfig::new(Dora(Lora::b_only(8))).targets(["query", "value"]).modules_to_save(["classifier"]);
    let mut model = config.attach_named(model, 7, &naming)?;
    let labels = Tensor::<1, Int>::from_data([0i64, 1, 0, 1, 0, 1, 0, 1], &device);
    let (criterion, mut optimizer) = (CrossEntropyLossConfig::new().init(&device), AdamWConfig::new().init());
    for step in 0..40 {
        let loss = criterion.forward(model.forward(input(&device)), labels.clone());
        if step % 13 == 0 {
            println!("step {step}: loss {:.3}", loss.clone().into_scalar::<f32>());
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-2, model, gradients);
    }
    let trained = logits(&model, &plain);

    // PeftModel.from_pretrained loads this folder: adapter_config.json, adapter_model.safetensors and a model card.
    let options =
        SaveOptions { naming, base_model: Some(ROBERTA_MINI.name), task_type: Some("SEQ_CLS"), seed: Some(7) };
    save_adapter(&model, &config, folder.join("adapter"), &options)?;
    let (loaded, _) = load_adapter(base()?.model, folder.join("adapter"), &naming)?;
    let difference: f32 = (logits(&loaded, &plain) - trained.clone()).abs().max().into_scalar();
    println!("loaded again: logits differ by {difference:.1e}");
    assert!(difference < 1e-5);

    // The merged model is a plain model. It is as fast as the base, and transformers can load its checkpoint.
    let merged = merge(loaded);
    let difference: f32 = (logits(&merged, &plain) - trained).abs().max().into_scalar();
    println!("merged: logits differ by {difference:.1e}");
    assert!(difference < 1e-4);
    asym::models::save(&merged, folder.join("merged"), FileDtype::F32)?;
    println!("written: {}", folder.display());
    Ok(())
}
