//! The configuration of an adapter: its method, its target layers and the other trainable modules.

use serde::{Deserialize, Serialize};

use crate::adapter::{Factor, Lora, Method};
use crate::{AdapterError, Patterns};

/// A selection of layers to adapt or to exclude.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Targets {
    /// Modules with one of these names, or with a name that ends in `.` and one of these names. An example is
    /// `["query", "value"]`.
    Names(Vec<String>),
    /// `"all-linear"` selects every linear layer except the output layer of a language model and the fully trained modules. Any
    /// other string is a regular expression that must match the full name of a module.
    Pattern(String),
}

impl Targets {
    /// The keyword for every linear layer except the output layer of a language model, as in PEFT.
    pub const ALL_LINEAR: &'static str = "all-linear";
}

impl<S: Into<String>> FromIterator<S> for Targets {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self::Names(names.into_iter().map(Into::into).collect())
    }
}

// This is not generic over the type of the names, so the element type of an empty array can be inferred.
impl<const N: usize> From<[&str; N]> for Targets {
    fn from(names: [&str; N]) -> Self {
        names.into_iter().collect()
    }
}

impl<S: Into<String>> From<Vec<S>> for Targets {
    fn from(names: Vec<S>) -> Self {
        names.into_iter().collect()
    }
}

impl<S: Clone + Into<String>> From<&[S]> for Targets {
    fn from(names: &[S]) -> Self {
        names.iter().cloned().collect()
    }
}

impl From<&str> for Targets {
    fn from(pattern: &str) -> Self {
        Self::Pattern(pattern.to_string())
    }
}

/// Restricts the targets to numbered layers of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// The indices of the layers, starting at 0.
    pub indices: Vec<usize>,
    /// The names of the lists of layers, such as `layer`, as regular expressions. If this is empty, the index of a layer is
    /// the first number in its name after at least two other segments.
    #[serde(default)]
    pub lists: Vec<String>,
}

/// The biases of the model that are trained and saved with the adapter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// No biases.
    #[default]
    None,
    /// All biases, including those of norms.
    All,
    /// The biases of the adapted layers.
    Adapted,
}

/// The part that was subtracted from the base weights when an adapter from a file was initialized, according to PEFT's
/// `init_lora_weights`. The adapter is added to the remaining weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TakenOut {
    /// Nothing.
    #[default]
    Nothing,
    /// PiSSA (Meng et al., 2024): the top r singular triplets.
    Pissa,
    /// OLoRA (Büyükakyüz, 2024): the first r columns of Q with the first r rows of R, times the scale of the update.
    Olora,
}

/// The configuration of an adapter: the method, the target layers, and the modules that are trained with it.
///
/// The names are those of PEFT. The notation is that of the paper: A is r × d_in and is applied first, and B is d_out × r.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// The method and its settings.
    // This field is flattened, so a recipe contains `method = "lora"` and `rank = 8`. The settings of each method reject
    // unknown fields.
    #[serde(flatten)]
    pub method: Method,
    /// The layers that get an adapter.
    pub targets: Targets,
    /// Layers among the targets that get no adapter. A pattern is a regular expression here; `all-linear` is not
    /// allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Targets>,
    /// Which of the model's own biases are trained. Default: none.
    #[serde(default)]
    pub bias: Bias,
    /// Modules that are fully trained and saved, such as a new task head. Names match as in [`Targets::Names`].
    #[serde(default)]
    pub modules_to_save: Vec<String>,
    /// The indices of the layers to which the targets are limited. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Layers>,
    /// The rows of embeddings that an adapter from a file replaces, by module (PEFT's `trainable_token_indices`). They are
    /// loaded, merged and saved, but never trained here, so a recipe cannot contain them.
    #[serde(skip)]
    pub token_rows: Patterns<Vec<usize>>,
    /// The biases of the factors B of an adapter from a file, by module (PEFT's `lora_bias`). They are added to the biases of the
    /// layers and saved, but never trained here.
    #[serde(skip)]
    pub factor_biases: Patterns<Vec<f32>>,
    /// The part that was subtracted from the base weights when an adapter from a file was initialized.
    #[serde(skip)]
    pub taken_out: TakenOut,
}

impl AdapterConfig {
    /// Create an adapter with this method on the layers called `query` and `value`.
    pub fn new(method: impl Into<Method>) -> Self {
        Self {
            method: method.into(),
            targets: ["query", "value"].into(),
            exclude: None,
            bias: Bias::None,
            modules_to_save: Vec::new(),
            layers: None,
            token_rows: Patterns::new(),
            factor_biases: Patterns::new(),
            taken_out: TakenOut::Nothing,
        }
    }

    /// [`Lora::new`] on `query` and `value`.
    pub fn lora(rank: usize) -> Self {
        Self::new(Lora::new(rank))
    }

    /// [`Lora::b_only`] on `query` and `value`.
    pub fn b_only(rank: usize) -> Self {
        Self::new(Lora::b_only(rank))
    }

    /// [`Lora::a_only`] on `query` and `value`.
    pub fn a_only(rank: usize) -> Self {
        Self::new(Lora::a_only(rank))
    }

    /// Set the layers that get an adapter: names in an array, a vector or a slice, or a regular expression. An iterator of names
    /// can be collected into [`Targets`].
    pub fn targets(mut self, targets: impl Into<Targets>) -> Self {
        self.targets = targets.into();
        self
    }

    /// Exclude layers from the targets.
    pub fn exclude(mut self, modules: impl Into<Targets>) -> Self {
        self.exclude = Some(modules.into());
        self
    }

    /// Restrict the targets to the layers with these indices.
    pub fn layers(mut self, indices: impl IntoIterator<Item = usize>) -> Self {
        self.layers = Some(Layers { indices: indices.into_iter().collect(), lists: Vec::new() });
        self
    }

    /// Set the biases that are trained.
    pub fn bias(mut self, bias: Bias) -> Self {
        self.bias = bias;
        self
    }

    /// Set the modules that are fully trained and saved.
    pub fn modules_to_save(mut self, modules: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.modules_to_save = modules.into_iter().map(Into::into).collect();
        self
    }

    /// Check the settings that do not depend on a model.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Setting`] if a number is out of range; [`AdapterError::Conflict`] if settings exclude each
    /// other; [`AdapterError::Pattern`] if a pattern of the method is not a regular expression. Patterns of targets are
    /// checked when the adapter is attached.
    pub fn validate(&self) -> Result<(), AdapterError> {
        self.method.settings().validate()?;
        if let (Some(_), Targets::Pattern(pattern)) = (&self.layers, &self.targets)
            && pattern != Targets::ALL_LINEAR
        {
            return Err(AdapterError::Conflict {
                field: "layers",
                reason: "numbered layers require targets given by name; write the numbers into the pattern",
            });
        }
        if self.bias != Bias::None && matches!(self.method, Method::Ia3(_)) {
            return Err(AdapterError::Conflict {
                field: "bias",
                reason: "(IA)³ scales biases, and PEFT has no field for training them",
            });
        }
        if self.exclude == Some(Targets::ALL_LINEAR.into()) {
            return Err(AdapterError::Conflict {
                field: "exclude",
                reason: "`all-linear` is allowed only for targets; list names, or give a regular expression",
            });
        }
        Ok(())
    }

    /// The factor pair, if the method has one with configurable initialization and training.
    pub fn factors(&self) -> Option<(Factor, Factor)> {
        self.method.settings().factors()
    }
}

/// Return an error if `good` is false, that is, if the setting is outside its range.
pub(crate) fn setting(field: &'static str, found: f64, good: bool, expected: &'static str) -> Result<(), AdapterError> {
    if good { Ok(()) } else { Err(AdapterError::Setting { field, found, expected }) }
}
