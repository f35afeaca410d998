//! The closed set of adapter methods, with their settings and their parameters.
//!
//! A method is one file in this folder and one line of `methods!`. It consists of a struct of settings (`Settings`) and a
//! module with the parameters of one weight (`Weight`). These two traits also define how PEFT's format stores the settings
//! and the parameters.

mod adalora;
mod dora;
mod ia3;
mod low_rank;
mod site;
mod vera;

pub use adalora::{AdaLora, AdaLoraPair, RankAllocator, orthogonality};
pub use dora::{Dora, DoraPair};
pub use ia3::{Ia3, Ia3Scale};
pub use low_rank::{Factor, Lora, LowRank};
pub use vera::{Vera, VeraScales};

pub(crate) use site::{Draw, Owner, PeftTensor, Settings, Shared, Site};

use std::fmt;

use burn::module::{Module, Reparameterization};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor, module};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::BaseLinear;

/// The operations of the parameters that adapt one weight.
trait Weight {
    /// The output of the adapted linear layer, where `base` is the layer without the adapter.
    fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D>;

    /// The adapted weight, in the shape of the layer's weight.
    fn compose<const D: usize>(&self, base: Tensor<D>) -> Tensor<D>;

    /// The rows of the adapted embedding.
    fn embedding(&self, ids: Tensor<2, Int>, weight: Tensor<2>) -> Tensor<3> {
        module::embedding(self.compose(weight), ids)
    }

    /// The output of the adapted convolution.
    fn conv2d(
        &self,
        input: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    ) -> Tensor<4> {
        module::conv2d(input, self.compose(weight), bias, options)
    }

    /// A short description for the display of a module.
    fn describe(&self) -> String;

    /// How PEFT stores the parameter at the path `field`, of shape `dims` in Burn, in an adapter of `owner`.
    fn peft_tensor(field: &str, dims: &[usize], owner: &Owner) -> Option<PeftTensor>;
}

macro_rules! methods {
    ($($(#[$doc:meta])* $settings:ident => $weight:ident,)*) => {
        /// An adapter method with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "method", rename_all = "lowercase")]
        #[non_exhaustive]
        pub enum Method {
            $($(#[$doc])* $settings($settings),)*
        }

        impl Method {
            pub(crate) fn settings(&self) -> &dyn Settings {
                match self {
                    $(Self::$settings(settings) => settings,)*
                }
            }

            pub(crate) fn settings_mut(&mut self) -> &mut dyn Settings {
                match self {
                    $(Self::$settings(settings) => settings,)*
                }
            }

            /// The method that PEFT's fields describe; `None` for a method that is not supported.
            pub(crate) fn read(fields: &Map<String, Value>) -> Option<Result<Self, serde_json::Error>> {
                $(if $settings::is_described(fields) {
                    return Some($settings::read(Value::Object(fields.clone())).map(Self::$settings));
                })*
                None
            }
        }

        $(impl From<$settings> for Method {
            fn from(settings: $settings) -> Self {
                Self::$settings(settings)
            }
        })*

        /// The adapter of one weight.
        #[derive(Module, Debug)]
        pub enum Adapter {
            $($(#[$doc])* $weight($weight),)*
        }

        impl Adapter {
            /// The output of a linear layer with this adapter, where `base` is the layer without the adapter.
            ///
            /// # Shapes
            ///
            /// - input: `[..., d_input]`
            /// - output: `[..., d_output]`
            pub fn linear<const D: usize>(&self, input: Tensor<D>, base: BaseLinear) -> Tensor<D> {
                match self {
                    $(Self::$weight(adapter) => adapter.linear(input, base),)*
                }
            }

            /// The rows of an embedding with this adapter.
            ///
            /// # Shapes
            ///
            /// - ids: `[batch, length]`
            /// - weight: `[n_embedding, d_model]`
            /// - output: `[batch, length, d_model]`
            pub fn embedding(&self, ids: Tensor<2, Int>, weight: Tensor<2>) -> Tensor<3> {
                match self {
                    $(Self::$weight(adapter) => Weight::embedding(adapter, ids, weight),)*
                }
            }

            /// The output of a two-dimensional convolution with this adapter.
            ///
            /// # Shapes
            ///
            /// - input: `[batch, channels_in, height, width]`
            /// - weight: `[channels_out, channels_in / groups, kernel_height, kernel_width]`
            /// - bias: `[channels_out]`
            /// - output: `[batch, channels_out, height_out, width_out]`
            pub fn conv2d(
                &self,
                input: Tensor<4>,
                weight: Tensor<4>,
                bias: Option<Tensor<1>>,
                options: ConvOptions<2>,
            ) -> Tensor<4> {
                match self {
                    $(Self::$weight(adapter) => Weight::conv2d(adapter, input, weight, bias, options),)*
                }
            }

            /// A short description for the display of a module.
            pub(crate) fn describe(&self) -> String {
                match self {
                    $(Self::$weight(adapter) => adapter.describe(),)*
                }
            }

            /// How PEFT stores the tensor at the parameter path `variant.field`, of shape `dims` in Burn, in an adapter
            /// of `owner`.
            pub(crate) fn peft_tensor(path: &str, dims: &[usize], owner: &Owner) -> Option<PeftTensor> {
                let (variant, field) = path.split_once('.')?;
                $(if variant == stringify!($weight) {
                    return $weight::peft_tensor(field, dims, owner);
                })*
                None
            }
        }

        impl Reparameterization for Adapter {
            const NAME: &'static str = "adapter";

            fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
                match self {
                    $(Self::$weight(adapter) => adapter.compose(base),)*
                }
            }
        }
    };
}

// The first method that matches the fields of a PEFT folder is used. DoRA precedes LoRA because it is LoRA with a switch.
methods! {
    /// DoRA (Liu et al., 2024).
    Dora => DoraPair,
    /// LoRA (Hu et al., 2021), every asymmetric variant of it (paper, section 3), and rsLoRA.
    Lora => LowRank,
    /// AdaLoRA (Zhang et al., 2023).
    AdaLora => AdaLoraPair,
    /// VeRA (Kopiczko et al., 2024).
    Vera => VeraScales,
    /// (IA)³ (Liu et al., 2022).
    Ia3 => Ia3Scale,
}

impl Method {
    /// The supported values of `peft_type`.
    pub(crate) const PEFT_TYPES: &'static str = "\"LORA\", \"ADALORA\", \"VERA\" or \"IA3\"";
}

impl Method {
    /// The factor of the update as text with its computation, such as `α/r = 16/8 = 2`. `None` for a method without such a
    /// factor. Layers that match a pattern may have a different factor.
    pub fn scale(&self) -> Option<String> {
        self.settings().scale()
    }
}

impl fmt::Display for Method {
    /// Writes the label of the method in tables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.settings().label())
    }
}

/// Whether PEFT's field `peft_type` has this value.
fn is_type(fields: &Map<String, Value>, peft_type: &str) -> bool {
    fields.get("peft_type").is_some_and(|found| found == peft_type)
}

/// `base` plus the update `[d_input, d_output]`, in the shape of `base`. The sum is rounded to the dtype of `base`.
fn add<const D: usize>(base: Tensor<D>, delta: Tensor<2>) -> Tensor<D> {
    let delta = match D {
        // The first axis of a convolution's kernel is the output channels.
        4 => delta.swap_dims(0, 1),
        _ => delta,
    };
    let delta = delta.reshape(base.shape());
    let dtype = base.dtype();
    (base.cast(delta.dtype()) + delta).cast(dtype)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;
    use crate::{Patterns, Targets};

    fn pattern<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Patterns<T>> {
        prop::collection::vec(("[a-z.]{1,8}", value), 0..3).prop_map(Patterns::from_iter)
    }

    fn lora() -> impl Strategy<Value = Lora> {
        let alpha = prop_oneof![0.1..100.0, -100.0..-0.1];
        let numbers = (1..5000_usize, alpha.clone(), 0.0..0.99, any::<bool>());
        (numbers, pattern(1..100_usize), pattern(alpha)).prop_map(|(numbers, rank_pattern, alpha_pattern)| {
            let (rank, alpha, dropout, rank_stabilized) = numbers;
            let lora = Lora::new(rank).alpha(alpha).dropout(dropout);
            Lora { rank_stabilized, rank_pattern, alpha_pattern, ..lora }
        })
    }

    fn adalora() -> impl Strategy<Value = AdaLora> {
        let ranks = (1..100_usize, 1..100_usize).prop_map(|(one, other)| (one.max(other), one.min(other)));
        let steps = (0..50_usize, 0..50_usize, 1..20_usize, 100..1000_usize);
        let shares = (0.1..100.0, 0.0..0.99, 0.01..0.99, 0.01..0.99, 0.0..2.0);
        let kept = pattern(prop::collection::vec(any::<bool>(), 0..4));
        (ranks, steps, shares, kept).prop_map(|((initial, target), steps, shares, rank_pattern)| {
            let ((warmup, last, interval, total), (alpha, dropout, beta1, beta2, orthogonality)) = (steps, shares);
            let settings = AdaLora::new(initial, target).alpha(alpha).dropout(dropout);
            let settings = settings.schedule(warmup, interval, last).total_steps(total);
            AdaLora { beta1, beta2, orthogonality, rank_pattern, ..settings }
        })
    }

    fn method() -> impl Strategy<Value = Method> {
        let names = prop::collection::vec("[a-z.]{1,8}", 0..4).prop_map(Targets::Names);
        let targets = prop_oneof![names, "[a-z.*|]{1,8}".prop_map(Targets::Pattern)];
        prop_oneof![
            lora().prop_map(Method::from),
            lora().prop_map(|lora| Dora(lora).into()),
            adalora().prop_map(Method::from),
            (1..65_537_usize, -2.0..2.0, 0.0..0.99)
                .prop_map(|(rank, initial, dropout)| Vera::new(rank).d_initial(initial).dropout(dropout).into()),
            targets.prop_map(|feedforward| Ia3 { feedforward }.into()),
        ]
    }

    proptest! {
        #![proptest_config(config(500))]

        /// This holds for the fields of PEFT and for those of a recipe.
        #[test]
        fn settings_survive_a_round_trip(method in method()) {
            let fields = serde_json::to_string(&method.settings().write().unwrap()).unwrap();
            let fields: Map<String, Value> = serde_json::from_str(&fields).unwrap();
            prop_assert_eq!(Method::read(&fields).unwrap().unwrap(), method.clone());
            let own = serde_json::to_string(&method).unwrap();
            prop_assert_eq!(serde_json::from_str::<Method>(&own).unwrap(), method);
        }

        /// Fields of wrong types, and values outside their ranges, are errors.
        #[test]
        fn invalid_settings_do_not_panic(
            method in method(),
            place in any::<prop::sample::Index>(),
            value in prop::sample::select(vec![
                "null", "-1", "0", "1e308", "18446744073709551615", "\"(\"", "[]", "{\"(\": 1}",
            ]),
        ) {
            let mut fields = method.settings().write().unwrap();
            let key = place.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
            fields.insert(key, serde_json::from_str(value).unwrap());
            if let Some(Ok(method)) = Method::read(&fields) {
                let _ = (method.settings().validate(), method.scale(), method.to_string());
            }
        }
    }
}
