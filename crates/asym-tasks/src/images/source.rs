//! Batches of pictures with their classes.

use std::sync::Arc;

use asym_data::Pixels;
use asym_models::VitInput;
use asym_train::{Batch, Source, TrainError};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::pictures::{Augment, Pictures};

/// The maximum number of threads that decode pictures in advance.
const MOST_THREADS: usize = 8;

/// Pictures on the device.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// The pixel values, `[batch, channels, height, width]`.
    pub input: VitInput,
    /// The classes, `[batch]`.
    pub classes: Tensor<1, Int>,
    /// The index of each picture in its source.
    pub indices: Vec<usize>,
}

impl ImageBatch {
    /// The batch of these pictures with their classes. `indices` are the indices of the pictures in their source. All pictures
    /// must have the same size.
    pub fn new(pictures: impl IntoIterator<Item = (usize, Pixels)>, indices: &[usize], device: &Device) -> Self {
        let (mut values, mut classes, mut shape) = (Vec::new(), Vec::new(), [indices.len(), 0, 0, 0]);
        for (class, pixels) in pictures {
            shape = [indices.len(), pixels.channels, pixels.height, pixels.width];
            values.extend(pixels.values);
            classes.push(class as i32);
        }
        Self {
            input: VitInput { pixel_values: Tensor::from_data(TensorData::new(values, shape), device) },
            classes: Tensor::from_data(TensorData::new(classes, [indices.len()]), device),
            indices: indices.to_vec(),
        }
    }
}

impl Batch for ImageBatch {
    fn examples(&self) -> usize {
        self.indices.len()
    }
}

/// A selection of the pictures of a task.
#[derive(Clone, Debug)]
pub struct ImageSource {
    pictures: Arc<Pictures>,
    members: Arc<[usize]>,
    augment: Augment,
}

impl ImageSource {
    /// The pictures at the indices `members`.
    pub fn new(pictures: Arc<Pictures>, members: impl Into<Arc<[usize]>>, augment: Augment) -> Self {
        Self { pictures, members: members.into(), augment }
    }

    /// All pictures of the task, including those of other sources.
    pub fn pictures(&self) -> &Arc<Pictures> {
        &self.pictures
    }

    /// The indices of this source's pictures among all pictures of the task.
    pub fn members(&self) -> &[usize] {
        &self.members
    }

    /// Whether and how pictures are augmented.
    pub fn augment(&self) -> Augment {
        self.augment
    }

    /// The class of the picture at `index`.
    pub fn class(&self, index: usize) -> usize {
        self.pictures.members()[self.members[index]].class
    }
}

impl Source for ImageSource {
    type Batch = ImageBatch;

    fn len(&self) -> usize {
        self.members.len()
    }

    fn threads(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
    }

    fn collate(&self, indices: &[usize], epoch: usize, device: &Device) -> Result<ImageBatch, TrainError> {
        let picture = |index: &usize| {
            let pixels = self.pictures.values(self.members[*index], self.augment, epoch).map_err(TrainError::data)?;
            Ok((self.class(*index), pixels))
        };
        let pictures = indices.iter().map(picture).collect::<Result<Vec<_>, TrainError>>()?;
        Ok(ImageBatch::new(pictures, indices, device))
    }
}
