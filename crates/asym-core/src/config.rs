//! What an adapter is: the factor pair, its rank, where it goes and what else is trained.

use serde::{Deserialize, Serialize};

use crate::{AdapterError, Init};

/// One factor of a low-rank update: how it starts, and whether it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Its values before the first step.
    pub init: Init,
    /// Whether the optimizer moves it. A frozen factor is outside the autodiff graph.
    pub train: bool,
}

impl Factor {
    /// A factor that the optimizer moves.
    pub const fn trained(init: Init) -> Self {
        Self { init, train: true }
    }

    /// A factor that stays as it starts.
    pub const fn frozen(init: Init) -> Self {
        Self { init, train: false }
    }
}

/// Which linear layers get an adapter.
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

/// The adapter method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// ΔW = (α/r)·B·A, with any init and any subset of {A, B} trained: LoRA (Hu et al., 2021) and every asymmetric
    /// variant of it (paper, section 3).
    #[default]
    Lora,
}

/// An adapter: what is added to which layers, how it starts, what is trained.
///
/// Names follow PEFT, the mathematics the paper: A is r × d_in and comes first, B is d_out × r.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterConfig {
    /// The method. Default: [`Method::Lora`].
    #[serde(default)]
    pub method: Method,
    /// The rank r of the update, from 1 to min(d_in, d_out) of each target.
    pub rank: usize,
    /// α: the update is scaled by α / r. Default: 2r, as in the paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Probability with which an element of the adapter's input is dropped in training. Default: 0.
    ///
    /// Its mask is as wide as the input and is kept for backward: on a layer with frozen A it costs the memory that
    /// freezing A saves.
    #[serde(default)]
    pub dropout: f64,
    /// The factor A. Default: Kaiming, trained.
    #[serde(default = "default_a")]
    pub a: Factor,
    /// The factor B. Default: zero, trained.
    #[serde(default = "default_b")]
    pub b: Factor,
    /// The layers that get an adapter.
    pub targets: Targets,
    /// Modules that are trained and saved whole, such as a new task head. Names match as in [`Targets::Names`].
    #[serde(default)]
    pub modules_to_save: Vec<String>,
}

const fn default_a() -> Factor {
    Factor::trained(Init::Kaiming)
}

const fn default_b() -> Factor {
    Factor::trained(Init::Zero)
}

impl AdapterConfig {
    /// LoRA as Hu et al. (2021) start it: A Kaiming, B zero, both trained, α = 2r, no dropout, on `query` and `value`.
    pub fn lora(rank: usize) -> Self {
        Self {
            method: Method::Lora,
            rank,
            alpha: None,
            dropout: 0.0,
            a: default_a(),
            b: default_b(),
            targets: ["query", "value"].into(),
            modules_to_save: Vec::new(),
        }
    }

    /// The paper's B̂₀A_rand: A random orthonormal and frozen, B zero and trained.
    pub fn b_only(rank: usize) -> Self {
        Self::lora(rank).a(Factor::frozen(Init::Orthonormal))
    }

    /// The paper's B_randÂ₀: B random orthonormal and frozen, A zero and trained.
    pub fn a_only(rank: usize) -> Self {
        Self::lora(rank).a(Factor::trained(Init::Zero)).b(Factor::frozen(Init::Orthonormal))
    }

    /// With this factor A.
    pub fn a(mut self, factor: Factor) -> Self {
        self.a = factor;
        self
    }

    /// With this factor B.
    pub fn b(mut self, factor: Factor) -> Self {
        self.b = factor;
        self
    }

    /// With this α.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = Some(alpha);
        self
    }

    /// With this dropout on the adapter's input.
    pub fn dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// On these layers.
    pub fn targets(mut self, targets: impl Into<Targets>) -> Self {
        self.targets = targets.into();
        self
    }

    /// With these modules trained and saved whole.
    pub fn save_whole<const N: usize>(mut self, modules: [&str; N]) -> Self {
        self.modules_to_save = modules.iter().map(ToString::to_string).collect();
        self
    }

    /// The factor s = α / r of the update.
    pub fn scale(&self) -> f64 {
        self.alpha_or_default() / self.rank as f64
    }

    /// α, 2r where none was given.
    pub fn alpha_or_default(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * self.rank as f64)
    }

    /// Check all that can be checked without a model.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Setting`] for a rank of 0, an α that is not a positive number, or a dropout outside [0, 1).
    pub fn validate(&self) -> Result<(), AdapterError> {
        let setting = |field, found, expected| AdapterError::Setting { field, found, expected };
        if self.rank == 0 {
            return Err(setting("rank", 0.0, "at least 1"));
        }
        let alpha = self.alpha_or_default();
        if !(alpha.is_finite() && alpha > 0.0) {
            return Err(setting("alpha", alpha, "a positive number"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(setting("dropout", self.dropout, "from 0 to below 1"));
        }
        Ok(())
    }
}
