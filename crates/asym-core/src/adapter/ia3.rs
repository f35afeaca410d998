//! W' = l ⊙ W0: (IA)³, a trained factor for each output of a layer, or for each input of a feed-forward layer.
//!
//! Liu et al., 2022 (arXiv:2205.05638).

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Adapter, Draw, Owner, PeftTensor, Settings, Site, Weight, is_type};
use crate::pattern::Pattern;
use crate::{AdapterError, BaseLinear, Targets};

/// (IA)³'s settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ia3 {
    /// The targets whose input is scaled, which is usually the second layer of each feed-forward block. The output of all other
    /// targets is scaled. An empty list selects no layer. A string is a regular expression.
    pub feedforward: Targets,
}

impl Ia3 {
    /// PEFT's default targets in BERT and RoBERTa, for [`AdapterConfig::targets`](crate::AdapterConfig::targets).
    pub const BERT_TARGETS: [&'static str; 3] = ["key", "value", "output.dense"];

    /// (IA)³ that scales the input of these layers.
    pub fn new(feedforward: impl Into<Targets>) -> Self {
        Self { feedforward: feedforward.into() }
    }

    pub(crate) fn scales_input(&self, module: &str) -> bool {
        match &self.feedforward {
            // As in PEFT, a name matches any end of a module's name, not only whole segments, so `dense` matches `predense`.
            Targets::Names(wanted) => wanted.iter().any(|name| module.ends_with(name.as_str())),
            Targets::Pattern(pattern) => Pattern::whole(pattern).is_ok_and(|pattern| pattern.is_match(module)),
        }
    }

    pub(super) fn is_described(fields: &Map<String, Value>) -> bool {
        is_type(fields, "IA3")
    }

    pub(super) fn read(fields: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Fields {
            feedforward_modules: Targets,
        }
        let Fields { feedforward_modules: feedforward } = serde_json::from_value(fields)?;
        Ok(Self { feedforward })
    }
}

impl Settings for Ia3 {
    fn name(&self) -> &'static str {
        "(IA)³"
    }

    fn label(&self) -> String {
        self.name().to_string()
    }

    fn validate(&self) -> Result<(), AdapterError> {
        let Targets::Pattern(pattern) = &self.feedforward else { return Ok(()) };
        Pattern::whole(pattern).map(drop)
    }

    fn check(&self, site: &Site) -> Result<(), AdapterError> {
        site.check_linear(self.name())?;
        match site.bias && !site.factored && !self.scales_input(&site.module) {
            true => Err(AdapterError::BiasOnDense { module: site.module.clone() }),
            false => Ok(()),
        }
    }

    fn build(&self, site: &Site, draw: &mut Draw<'_>) -> Result<Option<Adapter>, AdapterError> {
        let scales_input = self.scales_input(&site.module);
        Ok(Some(Adapter::Ia3Scale(Ia3Scale {
            input: scales_input.then(|| draw.vector(site.d_input, 1.0)),
            output: (!scales_input).then(|| draw.vector(site.d_output, 1.0)),
        })))
    }

    fn unmatched(&self, modules: &[&str]) -> Option<(&'static str, String)> {
        let idle = |name: &str| !modules.iter().any(|module| module.ends_with(name));
        match &self.feedforward {
            Targets::Names(names) => names.iter().find(|name| idle(name)).map(|name| ("feedforward", name.clone())),
            Targets::Pattern(pattern) => {
                let idle = !modules.iter().any(|module| self.scales_input(module));
                idle.then(|| ("feedforward", pattern.clone()))
            }
        }
    }

    fn write(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let fields = json!({
            "peft_type": "IA3",
            "feedforward_modules": self.feedforward,
            "init_ia3_weights": true,
        });
        Ok(fields.as_object().cloned().unwrap_or_default())
    }
}

/// The factors of one weight, either for its inputs or for its outputs.
#[derive(Module, Debug)]
pub struct Ia3Scale {
    /// One factor per input: `[d_input]`, trained.
    pub input: Option<Param<Tensor<1>>>,
    /// One factor per output, which also scales the bias: `[d_output]`, trained.
    pub output: Option<Param<Tensor<1>>>,
}

impl Weight for Ia3Scale {
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
        let input = match &self.input {
            Some(scale) => input * scale.val().unsqueeze(),
            None => input,
        };
        let output = base.forward(input);
        match &self.output {
            Some(scale) => output * scale.val().unsqueeze(),
            None => output,
        }
    }

    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let dtype = base.dtype();
        let base = match self.input.as_ref().or(self.output.as_ref()) {
            Some(scale) => base.cast(scale.val().dtype()),
            None => base,
        };
        let base = match &self.input {
            Some(scale) => {
                let mut column = [1; D];
                column[0] = scale.shape()[0];
                base * scale.val().reshape(column)
            }
            None => base,
        };
        match &self.output {
            Some(scale) => base * scale.val().unsqueeze(),
            None => base,
        }
        .cast(dtype)
    }

    fn describe(&self) -> String {
        "(IA)³".to_string()
    }

    fn peft_tensor(field: &str, dims: &[usize], _owner: &Owner) -> Option<PeftTensor> {
        let &[length] = dims else { return None };
        match field {
            "input" => Some(PeftTensor::new("ia3_l", [1, length])),
            "output" => Some(PeftTensor::new("ia3_l", [length, 1])),
            _ => None,
        }
    }
}
