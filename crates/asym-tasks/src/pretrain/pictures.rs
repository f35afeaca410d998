//! Pre-training of `vit-mini`: the shapes of drawn pictures, in all styles.
//!
//! The ViT of the paper was pre-trained on the classes of ImageNet-21k. In the same way, this model is pre-trained on the twelve
//! shapes of [`Shape::PRETRAINING`]. The tasks on drawn pictures have seven other shapes, so their classes are new to the model,
//! and only the styles are known. Each picture is drawn when it is needed, and no picture is used twice.

use std::path::Path;
use std::sync::Arc;

use asym_data::ImageProcessor;
use asym_models::{PretrainedModel, VitClassifier, VitConfig};
use asym_train::{EvalRoom, Evaluation, Scores, Source, TrainError, TrainSettings};
use burn::tensor::Device;
use serde::Serialize;

use super::recipe::{Budget, Parts, Pretraining};
use super::tally::Tally;
use crate::drawing::{self, SIDE, Shape, Style};
use crate::error::TaskError;
use crate::images::{ImageBatch, ImageLoss};

/// The number of pictures on which the model is evaluated.
const EVALUATED: usize = 9600;

/// The settings of the pre-training of `vit-mini`.
#[derive(Clone, Debug, Serialize)]
pub struct PictureRecipe {
    /// The settings of the training loop.
    #[serde(flatten)]
    pub budget: Budget,
    /// Rows and columns of a patch, in pixels.
    pub patch_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
}

impl Default for PictureRecipe {
    fn default() -> Self {
        Self {
            budget: Budget { seed: 1, steps: 6000, batch_size: 64, learning_rate: 2e-3, warmup_ratio: 0.05 },
            patch_size: 4,
            hidden_size: 128,
            layers: 4,
            heads: 4,
        }
    }
}

impl Pretraining for PictureRecipe {
    const NAME: &'static str = "vit-mini";
    // As in the ImageNet-21k checkpoints of ViT.
    const KEEPS_HEAD: bool = false;

    type Model = VitClassifier;
    type Source = Drawn;
    type Objective = ImageLoss;
    type Evaluation = Evaluate;

    fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    fn settings(&self) -> TrainSettings {
        TrainSettings { weight_decay: 0.05, ..self.budget.settings() }
    }

    fn prepare(&self, folder: &Path, device: &Device) -> Result<Parts<Self>, TaskError> {
        let processor = ImageProcessor::new(SIDE, SIDE)?;
        let path = folder.join("preprocessor_config.json");
        asym_core::write_whole(&path, processor.to_json().as_bytes()).map_err(TaskError::io(&path))?;
        let config = VitConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            intermediate_size: 4 * self.hidden_size,
            image_size: [SIDE; 2],
            patch_size: [self.patch_size; 2],
            pooler_output_size: self.hidden_size,
            labels: Shape::PRETRAINING.iter().map(|shape| shape.name().to_string()).collect(),
            ..VitConfig::default()
        };
        let model = VitClassifier::init(&config, self.budget.seed, device)?;
        let trained = self.budget.examples();
        let drawn =
            |start, count| Arc::new(Drawn { seed: self.budget.seed, start, count, processor: processor.clone() });
        Ok(Parts {
            model,
            train: drawn(0, trained),
            objective: ImageLoss,
            evaluation: Evaluate(drawn(trained, EVALUATED)),
        })
    }
}

/// Pictures that are drawn when a batch is created. Shapes and styles alternate.
#[derive(Debug)]
pub struct Drawn {
    seed: u64,
    /// The index of the first picture.
    start: usize,
    count: usize,
    processor: ImageProcessor,
}

impl Source for Drawn {
    type Batch = ImageBatch;

    fn len(&self) -> usize {
        self.count
    }

    fn threads(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<ImageBatch, TrainError> {
        let picture = |index: &usize| {
            let number = self.start + index;
            let (class, rest) = (number % Shape::PRETRAINING.len(), number / Shape::PRETRAINING.len());
            let style = Style::ALL[rest % Style::ALL.len()];
            let picture = drawing::picture(self.seed, Shape::PRETRAINING[class], style, rest / Style::ALL.len());
            (class, self.processor.values(&picture))
        };
        Ok(ImageBatch::new(indices.iter().map(picture), indices, device))
    }
}

/// Loss and accuracy on pictures that are not trained on.
#[derive(Debug)]
pub struct Evaluate(Arc<Drawn>);

impl Evaluation<VitClassifier> for Evaluate {
    fn run(&self, model: &VitClassifier, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        Tally::over(&self.0, model, room, |batch| (model.forward(batch.input), batch.classes))
    }
}
