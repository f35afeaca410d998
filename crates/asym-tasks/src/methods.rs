//! Fine-tuning methods by their names on the command line.

use std::str::FromStr;

use asym_core::{AdaLora, AdapterConfig, Dora, Factor, Ia3, Init, Lora, Targets, Vera};
use asym_train::Tuning;

use crate::error::TaskError;
use crate::names::nearest;

/// A fine-tuning method, as named on the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// The name of the method, with which the names of its run folders begin.
    pub name: String,
    /// The parameters that it trains: all of them, the head, or an adapter.
    pub tuning: Tuning,
}

/// The names of the layers that methods adapt in a model, as in transformers 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerNames {
    /// The attention layers that low-rank methods adapt.
    pub attention: &'static [&'static str],
    /// The key projection of attention.
    pub key: &'static str,
    /// The value projection of attention.
    pub value: &'static str,
    /// The second layer of the feed-forward block.
    pub output: &'static str,
}

impl LayerNames {
    /// The layers of BERT and RoBERTa. `output.dense` also matches the output layer of attention, as in PEFT's defaults for these
    /// models.
    pub const BERT: Self = Self { attention: &["query", "value"], key: "key", value: "value", output: "output.dense" };
    /// The layers of Llama.
    pub const LLAMA: Self =
        Self { attention: &["q_proj", "v_proj"], key: "k_proj", value: "v_proj", output: "down_proj" };
    /// The layers of ViT.
    pub const VIT: Self = Self { attention: &["q_proj", "v_proj"], key: "k_proj", value: "v_proj", output: "mlp.fc2" };
    /// The layers of BART, in the encoder, the decoder and cross-attention. The keys are included to match the number of
    /// parameters in the paper.
    pub const BART: Self =
        Self { attention: &["q_proj", "k_proj", "v_proj"], key: "k_proj", value: "v_proj", output: "fc2" };
}

/// The names without ranks.
const WORDS: [&str; 12] = [
    "full",
    "head",
    "ia3",
    "lora",
    "b-only",
    "b-only-input",
    "a-only",
    "rslora",
    "dora",
    "b-only-dora",
    "adalora",
    "vera",
];

impl Method {
    const FORMS: &'static str = "full, head, ia3, lora, b-only, b-only-input, a-only, rslora, dora, b-only-dora, adalora, \
        vera; a rank may follow the names from lora on, as in b-only-r16";

    /// The method called `name` on a model with these `layers`, with `rank` if the name contains no rank. (IA)³ adapts keys,
    /// values and the feed-forward block. The other adapters adapt the attention layers.
    ///
    /// # Errors
    ///
    /// [`TaskError::UnknownMethod`].
    pub fn parse(name: &str, rank: usize, layers: LayerNames) -> Result<Self, TaskError> {
        let LayerNames { attention, key, value, output } = layers;
        let unknown = |word: &str| TaskError::UnknownMethod {
            found: name.to_string(),
            nearest: nearest(word, WORDS).map(ToOwned::to_owned),
            expected: Self::FORMS,
        };
        let (word, rank) = match name.rsplit_once("-r") {
            Some((word, digits)) => (word, usize::from_str(digits).map_err(|_| unknown(name))?),
            None => (name, rank),
        };
        if word != name && matches!(word, "full" | "head" | "ia3") {
            return Err(unknown(word));
        }
        let targets = Targets::Names(attention.iter().map(ToString::to_string).collect());
        let adapter =
            |config: AdapterConfig| (format!("{word}-r{rank}"), Tuning::Adapter(config.targets(targets.clone())));
        let (name, tuning) = match word {
            "full" => ("full".to_string(), Tuning::Full),
            "head" => ("head".to_string(), Tuning::Head),
            "ia3" => {
                let config = AdapterConfig::new(Ia3::new([output])).targets([key, value, output]);
                ("ia3".to_string(), Tuning::Adapter(config))
            }
            "lora" => adapter(AdapterConfig::lora(rank)),
            "b-only" => adapter(AdapterConfig::b_only(rank)),
            "b-only-input" => adapter(AdapterConfig::new(Lora::b_only(rank).a(Factor::frozen(Init::InputSvd)))),
            "a-only" => adapter(AdapterConfig::a_only(rank)),
            "rslora" => adapter(AdapterConfig::new(Lora::new(rank).rank_stabilized())),
            "dora" => adapter(AdapterConfig::new(Dora(Lora::new(rank)))),
            "b-only-dora" => adapter(AdapterConfig::new(Dora(Lora::b_only(rank)))),
            // The initial rank is 1.5 times the target rank, as in the experiments of the AdaLoRA paper.
            "adalora" => adapter(AdapterConfig::new(AdaLora::new(rank.saturating_add(rank.div_ceil(2)), rank))),
            "vera" => adapter(AdapterConfig::new(Vera::new(rank))),
            _ => return Err(unknown(word)),
        };
        Ok(Self { name, tuning })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    #[test]
    fn each_method_has_one_name() {
        let parse = |text: &str| Method::parse(text, 8, LayerNames::BERT);
        let name = |text: &str| parse(text).unwrap().name;
        let huge = parse(&format!("adalora-r{}", usize::MAX)).unwrap();
        let Tuning::Adapter(AdapterConfig { method: asym_core::Method::AdaLora(adalora), .. }) = huge.tuning else {
            panic!("{huge:?}")
        };
        assert_eq!((adalora.initial_rank, adalora.target_rank), (usize::MAX, usize::MAX));
        assert_eq!(name("full"), "full");
        assert_eq!(name("b-only"), "b-only-r8");
        assert_eq!(name("b-only-r16"), "b-only-r16");
        assert_eq!(parse("a-only-r4").unwrap().tuning, Tuning::Adapter(AdapterConfig::a_only(4)));
        for bad in ["bitfit", "lora-rx", ""] {
            assert!(matches!(parse(bad), Err(TaskError::UnknownMethod { .. })), "{bad}");
        }
        let error = parse("adalroa-r4").unwrap_err().to_string();
        assert!(error.contains("did you mean `adalora`?"), "{error}");
    }

    #[test]
    fn methods_target_the_layers_of_the_model() {
        let tuning = |name: &str| Method::parse(name, 8, LayerNames::VIT).unwrap().tuning;
        assert_eq!(tuning("b-only"), Tuning::Adapter(AdapterConfig::b_only(8).targets(["q_proj", "v_proj"])));
        let bart = Method::parse("b-only", 8, LayerNames::BART).unwrap().tuning;
        assert_eq!(bart, Tuning::Adapter(AdapterConfig::b_only(8).targets(["q_proj", "k_proj", "v_proj"])));
        let ia3 = AdapterConfig::new(Ia3::new(["mlp.fc2"])).targets(["k_proj", "v_proj", "mlp.fc2"]);
        assert_eq!(tuning("ia3"), Tuning::Adapter(ia3));
    }

    #[test]
    fn every_method_name_is_parsed_and_listed() {
        for word in WORDS {
            assert!(Method::parse(word, 8, LayerNames::VIT).is_ok(), "{word}");
            assert!(Method::FORMS.contains(word), "{word}");
        }
    }

    proptest! {
        #![proptest_config(config(500))]

        #[test]
        fn method_names_survive_a_round_trip(
            word in prop::sample::select(WORDS.to_vec()),
            given in prop::option::of(any::<usize>()),
            rank in any::<usize>(),
        ) {
            let text = given.iter().fold(word.to_string(), |word, rank| format!("{word}-r{rank}"));
            if let Ok(method) = Method::parse(&text, rank, LayerNames::LLAMA) {
                prop_assert_eq!(Method::parse(&method.name, 1, LayerNames::LLAMA).unwrap(), method.clone());
                if let Tuning::Adapter(config) = &method.tuning {
                    let _ = (config.validate(), method.tuning.to_string());
                }
            }
        }

        #[test]
        fn arbitrary_method_names_do_not_panic(text in "(\\PC|-|r|lora|full|ia3|[0-9]){0,8}") {
            if let Ok(method) = Method::parse(&text, 8, LayerNames::BERT) {
                prop_assert_eq!(Method::parse(&method.name, 1, LayerNames::BERT).unwrap(), method);
            }
        }
    }
}
