//! `asym classify --image`: predicts the labels of images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_data::ImageProcessor;
use asym_models::{VitClassifier, VitConfig, VitInput, check_input};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value, json};

use super::{Dtype, SourceArgs, locate, trained};
use crate::device;

/// Classify images with a ViT, and print a line for each: its label and the label's probability.
pub(super) fn classify_images(
    source: &SourceArgs,
    (model, adapter): (Option<&str>, Option<&Path>),
    images: &[PathBuf],
    (batch_size, dtype): (usize, Dtype),
    as_json: bool,
) -> Result<()> {
    if batch_size == 0 {
        bail!("--batch-size 0: expected at least one image in a batch");
    }
    let device = device::default_device()?;
    let location = locate(source, model, adapter)?;
    let checkpoint = location.checkpoint()?;
    let config: &VitConfig = checkpoint.config_of()?;
    let Some(folder) = location.folder() else { bail!("{}: classifies texts, not images", location.name()) };
    let processor = ImageProcessor::from_folder(folder)?;
    // All images are read before the model is loaded, so that an invalid file is reported at once. They are not kept in
    // memory: there can be many, and reading an image takes much less time than classifying it.
    for path in images {
        let pixels = processor.read(path)?;
        let input = input(&[pixels.values.as_slice()], [pixels.height, pixels.width], &device);
        check_input(&input, config).with_context(|| path.display().to_string())?;
    }
    let settings = (None, dtype.computed(), false);
    let model: VitClassifier = trained(location.name(), &checkpoint, adapter, settings, &device)?;
    let (model, labels) = (model.valid(), super::distinct(&config.labels));
    // The images in a batch have one size. Some processors keep the size of each image.
    let batch_size = if processor.output_size().is_some() { batch_size } else { 1 };
    for paths in images.chunks(batch_size) {
        let pixels = paths.iter().map(|path| processor.read(path)).collect::<Result<Vec<_>, _>>()?;
        let size = pixels.first().map_or([0; 2], |pixels| [pixels.height, pixels.width]);
        let values: Vec<&[f32]> = pixels.iter().map(|pixels| pixels.values.as_slice()).collect();
        let input = input(&values, size, &device);
        let probabilities: Vec<f32> = softmax(model.forward(input), 1).into_data().iter::<f32>().collect();
        for (path, row) in paths.iter().zip(probabilities.chunks(labels.len())) {
            super::say(if as_json { object(path, row, &labels) } else { line(path, row, &labels) })?;
        }
    }
    Ok(())
}

fn input(values: &[&[f32]], [height, width]: [usize; 2], device: &Device) -> VitInput {
    let data = TensorData::new(values.concat(), [values.len(), 3, height, width]);
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
