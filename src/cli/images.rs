//! `asym classify --image`: pictures in, labels out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_data::ImageProcessor;
use asym_models::{VitClassifier, VitConfig, VitInput, check_input};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use serde_json::{Map, Value, json};

use super::{SourceArgs, locate, trained};
use crate::device;

/// Which label each picture has, by a ViT, and how likely it is: a line for each.
pub(super) fn classify_images(
    source: &SourceArgs,
    (model, adapter): (Option<&str>, Option<&Path>),
    images: &[PathBuf],
    batch_size: usize,
    as_json: bool,
) -> Result<()> {
    if batch_size == 0 {
        bail!("--batch-size 0: expected at least one picture in a batch");
    }
    let device = device::default_device()?;
    let location = locate(source, model, adapter)?;
    let checkpoint = location.checkpoint()?;
    let config: &VitConfig = checkpoint.config_of()?;
    let Some(folder) = location.folder() else { bail!("{}: is for texts", location.name()) };
    let processor = ImageProcessor::from_folder(folder)?;
    // Every picture is read before the model is, so that what is none is refused at once. Not kept, since there may be many,
    // and reading one takes far less than the model's look at it.
    for path in images {
        let pixels = processor.read(path)?;
        let input = input(&[pixels.values.as_slice()], [pixels.height, pixels.width], &device);
        check_input(&input, config).with_context(|| path.display().to_string())?;
    }
    let settings = (None, FloatDType::F32, false);
    let model: VitClassifier = trained(location.name(), &checkpoint, adapter, settings, &device)?;
    let (model, labels) = (model.valid(), config.labels.clone());
    // Pictures of one size pass together; a processor may leave each with its own.
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

/// The likeliest label.
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
