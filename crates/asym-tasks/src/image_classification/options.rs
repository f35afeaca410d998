//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

use crate::images::Broken;

/// The settings of a task on pictures in folders of classes. Settings that are left out have defaults or are inferred from the
/// data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageClassificationOptions {
    /// The names of the classes, in the order of the model's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The rows and columns of a picture as the model sees it, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Whether training pictures are augmented, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<bool>,
    /// How to treat pictures that cannot be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// The share of the pictures that is held out for the evaluation, if there is no evaluation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev_share: Option<f64>,
    /// The seed that selects the held-out pictures. It does not depend on the seed of a run, so all runs have the same split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}
