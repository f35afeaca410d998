//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

use crate::images::Broken;
use crate::names::Names;

/// The settings of DomainBed's tasks. Settings that are left out have defaults or are inferred from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainBedOptions {
    /// The training environment. The default is the paper's, or `flat` for drawn pictures. There is no default for a user's own
    /// data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// The test environments, one or several. The default is all environments except the training environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Names>,
    /// The names of the classes, in the order of the model's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The rows and columns of a picture as the model sees it, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Whether pictures of the training environment are augmented, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<bool>,
    /// How to treat pictures that cannot be decoded. If pictures are skipped, the split differs from DomainBed's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// The seed of the split, which is then the same for all runs. By default, the split depends on the seed of each run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}
