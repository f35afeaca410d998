//! What an adapter is: its method, where it goes and what else is trained.

use serde::{Deserialize, Serialize};

use crate::AdapterError;
use crate::adapter::{Factor, Lora, Method};

/// Which layers get an adapter, or which do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Targets {
    /// Modules whose name is one of these or ends in `.` and one of these: `["query", "value"]`.
    Names(Vec<String>),
    /// `"all-linear"`: every linear layer outside the modules that are trained whole. Any other string is a regular
    /// expression that must match a module's whole name.
    Pattern(String),
}

impl Targets {
    /// The word for every linear layer but the head, as in PEFT.
    pub const ALL_LINEAR: &'static str = "all-linear";
}

impl<const N: usize> From<[&str; N]> for Targets {
    fn from(names: [&str; N]) -> Self {
        Self::Names(names.iter().map(ToString::to_string).collect())
    }
}

impl From<&str> for Targets {
    fn from(pattern: &str) -> Self {
        Self::Pattern(pattern.to_string())
    }
}

/// The numbered layers of a model that get an adapter, among the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Their numbers, from 0.
    pub indices: Vec<usize>,
    /// Names of the lists that are counted, such as `layer`, as regular expressions. None: the first number in a name
    /// that is not its start.
    #[serde(default)]
    pub lists: Vec<String>,
}

/// Which of the model's own biases are trained, and saved with the adapter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bias {
    /// None of them.
    #[default]
    None,
    /// All of them, those of norms included.
    All,
    /// Those of the adapted layers.
    Adapted,
}

/// An adapter: the method, the layers it is added to, and what is trained beside it.
///
/// Names follow PEFT, the mathematics the paper: A is r × d_in and comes first, B is d_out × r.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// The method and its settings.
    // Flattened, so that a recipe reads `method = "lora"`, `rank = 8`. An unknown field is one that the method does not
    // know, and each method's settings refuse it.
    #[serde(flatten)]
    pub method: Method,
    /// The layers that get an adapter.
    pub targets: Targets,
    /// Layers among the targets that get none. A pattern is a regular expression here, without `all-linear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Targets>,
    /// Which of the model's own biases are trained. Default: none.
    #[serde(default)]
    pub bias: Bias,
    /// Modules that are trained and saved whole, such as a new task head. Names match as in [`Targets::Names`].
    #[serde(default)]
    pub modules_to_save: Vec<String>,
    /// The numbered layers among the targets. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Layers>,
}

impl AdapterConfig {
    /// This method on the layers called `query` and `value`.
    pub fn new(method: impl Into<Method>) -> Self {
        Self {
            method: method.into(),
            targets: ["query", "value"].into(),
            exclude: None,
            bias: Bias::None,
            modules_to_save: Vec::new(),
            layers: None,
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

    /// On these layers.
    pub fn targets(mut self, targets: impl Into<Targets>) -> Self {
        self.targets = targets.into();
        self
    }

    /// But not on these.
    pub fn exclude(mut self, modules: impl Into<Targets>) -> Self {
        self.exclude = Some(modules.into());
        self
    }

    /// On the layers with these numbers alone.
    pub fn layers<const N: usize>(mut self, indices: [usize; N]) -> Self {
        self.layers = Some(Layers { indices: indices.to_vec(), lists: Vec::new() });
        self
    }

    /// With these biases trained.
    pub fn bias(mut self, bias: Bias) -> Self {
        self.bias = bias;
        self
    }

    /// With these modules trained and saved whole.
    pub fn modules_to_save<const N: usize>(mut self, modules: [&str; N]) -> Self {
        self.modules_to_save = modules.iter().map(ToString::to_string).collect();
        self
    }

    /// Check all that can be checked without a model.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Setting`] for a number outside its range; [`AdapterError::Conflict`] for settings that exclude each
    /// other; [`AdapterError::Pattern`] for a method's pattern that is no regular expression. Those of targets are read
    /// when the adapter is attached.
    pub fn validate(&self) -> Result<(), AdapterError> {
        self.method.settings().validate()?;
        if let (Some(_), Targets::Pattern(pattern)) = (&self.layers, &self.targets)
            && pattern != Targets::ALL_LINEAR
        {
            return Err(AdapterError::Conflict {
                field: "layers",
                reason: "numbered layers are chosen among targets given by name; write the numbers into the pattern",
            });
        }
        if self.bias != Bias::None && matches!(self.method, Method::Ia3(_)) {
            return Err(AdapterError::Conflict {
                field: "bias",
                reason: "(IA)³ scales biases and PEFT has no field for training them with it",
            });
        }
        if self.exclude == Some(Targets::ALL_LINEAR.into()) {
            return Err(AdapterError::Conflict {
                field: "exclude",
                reason: "`all-linear` is a word for targets; list names, or give a regular expression",
            });
        }
        Ok(())
    }

    /// The factor pair, where the method has one whose start and training can be chosen.
    pub fn factors(&self) -> Option<(Factor, Factor)> {
        self.method.settings().factors()
    }
}

/// `value` where it lies in its range.
pub(crate) fn setting(field: &'static str, found: f64, good: bool, expected: &'static str) -> Result<(), AdapterError> {
    match good {
        true => Ok(()),
        false => Err(AdapterError::Setting { field, found, expected }),
    }
}
