//! Shared parts of the benchmarks: the measured models and their training steps.
#![allow(dead_code, reason = "each bench is a separate program")]

use asym::core::layout::{self, Kind};
use asym::core::{AdapterConfig, Method, Targets, orthogonality, train_only};
use asym::models::{EncoderConfig, EncoderInput, Family, PretrainedModel, SequenceClassifier};
use burn::module::{Lora as BurnLora, Module, ParamGroup};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// The size of the vocabulary. A small embedding is enough for random tokens, and it takes little of the measured memory.
pub const VOCABULARY: usize = 1000;

/// The trained parameters.
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub enum Trained {
    Full,
    Head,
    Adapter(AdapterConfig),
    /// Burn's own `apply_lora` on the same weights, with the same head.
    Burn(Targets),
}

/// A RoBERTa with random weights, `hidden` features and `layers` blocks, prepared for the training of `trained`.
pub fn model(trained: &Trained, hidden: usize, layers: usize, dropout: f64, device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(Family::Roberta, VOCABULARY, hidden, layers);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (dropout, dropout);
    let plain = SequenceClassifier::init(&config, 1, device).unwrap_or_else(|error| panic!("{error}"));
    let (naming, head) = (plain.naming(), ["classifier".to_string()]);
    let adapted = match trained {
        Trained::Full => Ok(plain),
        Trained::Head => train_only(plain, &naming, &head),
        Trained::Adapter(config) => config.clone().modules_to_save(["classifier"]).attach_named(plain, 1, &naming),
        Trained::Burn(targets) => {
            // The weights that asym would adapt. They are found by attaching an adapter to a copy.
            let like = AdapterConfig::lora(8).targets(targets.clone()).modules_to_save(["classifier"]);
            let copy = like.attach_named(plain.clone(), 1, &naming).unwrap_or_else(|error| panic!("{error}"));
            let adapters = layout::entries(&copy, &naming).into_iter().filter(|entry| entry.kind == Kind::Adapter);
            let weights = adapters.filter_map(|entry| Some(entry.path.split_once(".adapter.")?.0.to_string()));
            let mut weights: Vec<String> = weights.collect();
            weights.dedup();
            let lora = BurnLora::new(8, 16.0).set_param_group(ParamGroup::from_paths(weights));
            // `apply_lora` freezes all parameters, including the head.
            let trained_head = ParamGroup::from_predicate("head.");
            train_only(plain, &naming, &head).map(|model| model.apply_lora(lora).unfreeze_group(trained_head))
        }
    };
    adapted.unwrap_or_else(|error| panic!("{error}"))
}

/// The dtype of the frozen weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Dtype {
    /// All parameters in f32
    F32,
    /// Frozen weights in bf16
    Bf16,
}

impl Dtype {
    /// `model` with frozen weights in this dtype.
    pub fn of<M: Module>(self, model: M) -> M {
        match self {
            Self::F32 => model,
            Self::Bf16 => layout::round(model),
        }
    }
}

/// The version, the kind of pages and the kernel, for the table.
pub fn versions() -> String {
    let (version, pages) = (env!("CARGO_PKG_VERSION"), asym::train::memory::HugePages::get());
    format!("asym {version} (huge pages {pages}; products with bf16 by {})", asym::kernels::Bf16Kernel::get())
}

/// One model with its batch and its optimizer.
pub struct Training {
    pub model: SequenceClassifier,
    optimizer: ModuleOptimizer,
    ids: Tensor<2, Int>,
    labels: Tensor<1, Int>,
    criterion: CrossEntropyLoss,
    /// Whether AdaLoRA's penalty is added to the loss.
    adalora: bool,
}

impl Training {
    pub fn new(
        trained: &Trained,
        [hidden, layers]: [usize; 2],
        [batch, length]: [usize; 2],
        dropout: f64,
        dtype: Dtype,
        device: &Device,
    ) -> Self {
        let ids: Vec<i64> = (0..batch * length).map(|i| 5 + (i * 7 % (VOCABULARY - 5)) as i64).collect();
        let labels: Vec<i64> = (0..batch).map(|i| (i % 2) as i64).collect();
        Self {
            model: dtype.of(model(trained, hidden, layers, dropout, device)),
            optimizer: AdamWConfig::new().init(),
            ids: Tensor::from_data(TensorData::new(ids, [batch, length]), device),
            labels: Tensor::from_data(labels.as_slice(), device),
            criterion: CrossEntropyLossConfig::new().init(device),
            adalora: matches!(trained, Trained::Adapter(config) if matches!(config.method, Method::AdaLora(_))),
        }
    }

    pub fn loss(&self) -> Tensor<1> {
        let input = EncoderInput { input_ids: self.ids.clone(), attention_mask: None, token_type_ids: None };
        let loss = self.criterion.forward(self.model.forward(input), self.labels.clone());
        match self.adalora.then(|| orthogonality(&self.model)).flatten() {
            Some(penalty) => loss + penalty * 0.5,
            None => loss,
        }
    }

    /// The backward pass and the optimizer step.
    pub fn update(&mut self, loss: Tensor<1>) {
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.optimizer.step(1e-4, self.model.clone(), gradients);
    }
}
