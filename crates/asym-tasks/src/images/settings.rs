//! The settings that tasks on pictures share.

use std::path::Path;

use asym_data::ImageProcessor;
use asym_models::VitConfig;
use serde::{Deserialize, Serialize};

use super::error::ImagesError;
use crate::base::Base;
use crate::error::TaskError;

/// How to treat pictures that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Broken {
    /// Stop with an error that lists the pictures.
    #[default]
    Refuse,
    /// Skip the pictures, and list them.
    Skip,
}

/// How pictures are converted to pixel values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// Rows and columns of the model's input; `None` for the size of the checkpoint's image processor.
    pub size: Option<usize>,
    /// Whether the whole picture is resized, as in DomainBed, regardless of the checkpoint's crop, aspect and filter.
    pub whole: bool,
}

impl ImageSettings {
    /// `processor` with these settings.
    ///
    /// # Errors
    ///
    /// A processor whose output size depends on the picture, if no size is set.
    pub fn apply(self, processor: ImageProcessor) -> Result<ImageProcessor, TaskError> {
        let own = processor.output_size();
        let Some(size) = self.size.or(own.map(|(height, width)| height.max(width))) else {
            return Err(TaskError::task(ImagesError::Setting {
                setting: "image_size",
                found: "absent".into(),
                expected:
                    "the number of rows and columns, because the checkpoint's processor keeps the size of each picture"
                        .into(),
            }));
        };
        Ok(if self.whole {
            processor.whole(size)?
        } else if self.size.is_some() {
            processor.with_size(size)?
        } else {
            processor
        })
    }
}

/// The image processor of `base` with `settings`, and a description of its size, in lines of text.
///
/// # Errors
///
/// A checkpoint without an image processor or of another model family, and a size that the model does not support.
pub fn processor_of(base: &Base, settings: ImageSettings) -> Result<(ImageProcessor, Vec<String>), TaskError> {
    let config = base.checkpoint.config_of::<VitConfig>()?;
    let processor = settings.apply(base.image_processor()?.for_channels(config.num_channels))?;
    // The settings above ensure that there is a size.
    let (height, width) = processor.output_size().unwrap_or_default();
    let [rows, columns] = config.grid_of([height, width]);
    if rows * columns == 0 {
        return Err(TaskError::task(ImagesError::Setting {
            setting: "image_size",
            found: height.max(width).to_string(),
            expected: format!("at least the patch size of the model, {:?} pixels", config.patch_size),
        }));
    }
    let mut notes = vec![format!("pictures: {height} x {width} pixels, {rows} x {columns} patches")];
    if [height, width] != config.image_size {
        let [own_height, own_width] = config.image_size;
        notes.push(format!(
            "the checkpoint is for {own_height} x {own_width} pixels, so its position embeddings are interpolated"
        ));
    }
    let left = [height - rows * config.patch_size[0], width - columns * config.patch_size[1]];
    if left != [0, 0] {
        notes.push(format!("no patch covers the last {} rows and {} columns of a picture", left[0], left[1]));
    }
    Ok((processor, notes))
}

/// Write the image processor of `base`, with `settings`, as `preprocessor_config.json` into `folder`. With this file, pictures
/// are processed in the same way as in training.
///
/// # Errors
///
/// The errors of [`processor_of`], and [`TaskError::Io`].
pub fn save_processor(base: &Base, settings: ImageSettings, folder: &Path) -> Result<(), TaskError> {
    let path = folder.join("preprocessor_config.json");
    let json = processor_of(base, settings)?.0.to_json();
    asym_core::write_whole(&path, json.as_bytes()).map_err(TaskError::io(&path))
}
