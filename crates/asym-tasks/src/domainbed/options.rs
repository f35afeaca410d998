//! The settings of the task in a recipe.

use serde::{Deserialize, Serialize};

use crate::images::Broken;
use crate::names::Names;

/// The settings of DomainBed's tasks. The data decide those that are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainBedOptions {
    /// The environment that is trained on. The default is the paper's, or `flat` of drawn pictures; data of your own need one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// The environment that is tested out of domain, or several. The default is all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Names>,
    /// The names of the classes, in the order of the model's outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Rows and columns of a picture as the model sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Whether pictures of the training environment are augmented, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augment: Option<bool>,
    /// How to treat pictures that cannot be decoded. Without those that are left out, the split is not DomainBed's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// The seed of the split, the same for all runs. The default is the seed of each run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
}
