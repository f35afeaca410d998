//! The part of a model that is trained.

use std::fmt;

use asym_core::{AdapterConfig, AdapterError, Naming, train_only};
use burn::module::Module;
use serde::{Deserialize, Serialize};

/// The part of a model that is trained.
#[allow(clippy::large_enum_variant, reason = "a run has one such value; a box would only complicate callers")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tuning {
    /// Every parameter.
    Full,
    /// The task head alone: the paper's linear probing.
    Head,
    /// An adapter and the task head.
    Adapter(AdapterConfig),
}

impl Tuning {
    /// Freeze the parameters that are not trained, and attach the adapter, if any, with factors initialized from `seed`.
    ///
    /// `head` names the modules of the task's head. An adapter with an empty `modules_to_save` trains these modules. `observe`
    /// passes batches through the model. It is called only if a factor is initialized from the inputs of its layer.
    ///
    /// Returns the model, and the tuning with `modules_to_save` filled in.
    ///
    /// # Errors
    ///
    /// The errors of [`AdapterConfig::attach_observed`] and [`train_only`].
    pub fn apply<M: Module>(
        &self,
        model: M,
        (naming, head): (&Naming, &[&str]),
        seed: u64,
        observe: impl FnOnce(&M),
    ) -> Result<(M, Self), AdapterError> {
        let head: Vec<String> = head.iter().map(ToString::to_string).collect();
        match self {
            Self::Full => Ok((model, Self::Full)),
            Self::Head => Ok((train_only(model, naming, &head)?, Self::Head)),
            Self::Adapter(config) => {
                let mut config = config.clone();
                if config.modules_to_save.is_empty() {
                    config.modules_to_save = head;
                }
                let model = config.attach_observed(model, seed, naming, observe)?;
                Ok((model, Self::Adapter(config)))
            }
        }
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full fine-tuning"),
            Self::Head => f.write_str("head only"),
            Self::Adapter(config) => config.method.fmt(f),
        }
    }
}
