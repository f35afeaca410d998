//! `asym classify --image`: predicts the labels of images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_data::pictures::pictures_in;
use asym_data::{ImageProcessor, Pixels};
use asym_models::{ModelError, PretrainedModel, VitClassifier, VitConfig, VitInput, check_input, check_logits};
use asym_tasks::Problem;
use burn::module::Module;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value, json};

use super::classify::ClassifyArgs;
use super::{locate, run_beside, trained};
use crate::device;

/// Classify the images of `args` with a ViT, and print a line for each image: the label and its probability.
pub(super) fn classify_images(args: &ClassifyArgs, (model, adapter): (Option<&str>, Option<&Path>)) -> Result<()> {
    let ClassifyArgs { image, num_labels, batch_size, json: as_json, dtype, source, .. } = args;
    let images = &files(image)?;
    if *batch_size == 0 {
        bail!("--batch-size 0: expected at least one image in a batch");
    }
    let device = device::default_device()?;
    let location = locate(source, model, adapter)?;
    let base = location.base()?;
    let mut checkpoint = base.checkpoint.clone();
    // A run can train on images of another size than its base model. Its adapter or model then has its own image processor.
    let own = adapter.filter(|folder| folder.join("preprocessor_config.json").is_file());
    let run = adapter.or(model.map(Path::new)).map(run_beside).transpose()?.flatten();
    if args.interpolate_pos_encoding || own.is_some() || run.is_some() {
        checkpoint = checkpoint.with_interpolated_positions();
    }
    let config: &VitConfig = checkpoint.config_of()?;
    let processor = own.map_or_else(|| base.image_processor(), |folder| Ok(ImageProcessor::from_folder(folder)?))?;
    let processor = processor.for_channels(config.num_channels);
    let names = run.and_then(|run| Some(run.tasks.first()?.labels())).unwrap_or_default();
    // All images are read before the model is loaded, so that an invalid file is reported early. They are not kept in memory:
    // there can be many, and reading an image takes much less time than classifying it.
    for path in images {
        let pixels = processor.read(path)?;
        let input = input(&[&pixels], &device);
        check_input(&input, config).with_context(|| path.display().to_string())?;
    }
    let settings = (*num_labels, dtype.unwrap_or_default().computed(), false);
    let model: VitClassifier = trained(location.name(), &checkpoint, adapter, settings, &device)?;
    // Names whose number differs from the number of outputs do not belong to this head.
    let names = Some(names).filter(|names| names.len() == model.config().labels.len());
    let labels = super::distinct(names.as_ref().unwrap_or(&model.config().labels));
    let model = model.valid();
    let problem = Problem::of(config.other.get::<String>("problem_type").as_deref(), labels.len());
    // All images in a batch have the same size, but some processors keep the size of each image.
    let batch_size = if processor.output_size().is_some() { *batch_size } else { 1 };
    for paths in images.chunks(batch_size) {
        let pixels = paths.iter().map(|path| processor.read(path)).collect::<Result<Vec<_>, _>>()?;
        let input = input(&pixels.iter().collect::<Vec<_>>(), &device);
        let logits = model.forward(input);
        if let Err(ModelError::Logits { row, found }) = check_logits(&logits.to_data()) {
            let path = paths[row - 1].display().to_string();
            return Err(ModelError::Logits { row, found }).context(path);
        }
        let probabilities = match problem {
            Problem::Classes => softmax(logits, 1),
            Problem::Labels => sigmoid(logits),
            Problem::Score => logits,
        };
        let probabilities: Vec<f32> = probabilities.into_data().iter::<f32>().collect();
        for (path, row) in paths.iter().zip(probabilities.chunks(labels.len())) {
            super::say(if *as_json { object(path, row, &labels) } else { line(path, row, &labels) })?;
        }
    }
    Ok(())
}

/// The given files, and the files in the given folders that have the extension of an image, in the order of their names.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let inside = |path: &PathBuf| if path.is_dir() { pictures_in(path) } else { Ok(vec![path.clone()]) };
    Ok(given.iter().map(inside).collect::<Result<Vec<_>, _>>()?.concat())
}

/// A batch of images of the same size.
fn input(pictures: &[&Pixels], device: &Device) -> VitInput {
    let [channels, height, width] =
        pictures.first().map_or([0; 3], |first| [first.channels, first.height, first.width]);
    let values: Vec<f32> = pictures.iter().flat_map(|picture| picture.values.iter().copied()).collect();
    let data = TensorData::new(values, [pictures.len(), channels, height, width]);
    VitInput { pixel_values: Tensor::from_data(data, device) }
}

/// The most likely label.
fn best(row: &[f32]) -> usize {
    row.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(label, _)| label)
}

fn line(path: &Path, row: &[f32], labels: &[String]) -> String {
    let best = best(row);
    format!("{}\t{:.4}\t{}", labels[best], row[best], path.display())
}

fn object(path: &Path, row: &[f32], labels: &[String]) -> String {
    let probabilities: Map<String, Value> =
        labels.iter().zip(row).map(|(label, probability)| (label.clone(), f64::from(*probability).into())).collect();
    json!({"image": path.display().to_string(), "label": labels[best(row)], "probabilities": probabilities}).to_string()
}
