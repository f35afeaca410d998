//! What each method keeps for backward, and the peak of a step, on a stack of RoBERTa-base's shape with random weights.
//!
//! ```text
//! cargo bench --bench memory                       # RoBERTa-base's 12 blocks; --layers 2 for a quick look
//! cargo bench --bench memory -- --targets all-linear
//! python benches/peers/peft_memory.py --layers 12  # the same with PyTorch and PEFT
//! ```
//!
//! Bytes are the heap's, counted by the allocator: exact, and the same in every run. The model's own dropout is 0, so
//! that only the adapter's counts. The peak is that of a forward pass, a backward pass and AdamW's step, above what the
//! model, its optimizer state and the batch take.

use asym::core::layout::{self, Kind};
use asym::core::{AdaLora, AdapterConfig, Dora, Ia3, Lora, Method, Targets, Vera, inspect, orthogonality, train_only};
use asym::models::{EncoderConfig, EncoderInput, EncoderModel, Family, SequenceClassifier};
use asym::tasks::memory;
use burn::module::{Lora as BurnLora, Module, ParamGroup};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

const MIB: f64 = (1 << 20) as f64;
const VOCABULARY: usize = 1000;

/// Bytes kept for backward and peak bytes of a step, for each adapter method.
#[derive(Debug, Parser)]
struct Options {
    /// Blocks of the stack
    #[arg(long, default_value_t = 12)]
    layers: usize,
    /// Sequences
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Tokens of a sequence
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// The layers that get adapters: names, or all-linear
    #[arg(long, value_delimiter = ',', default_value = "query,value")]
    targets: Vec<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one row of the table trains.
#[allow(clippy::large_enum_variant, reason = "there is one in each row")]
enum Trained {
    Full,
    Head,
    Adapter(AdapterConfig),
    /// Burn's own `apply_lora` on the same weights, with the same head.
    Burn,
}

fn methods(targets: &Targets) -> Vec<(&'static str, f64, Trained)> {
    let mut rows = vec![("full fine-tuning", 0.0, Trained::Full), ("head only", 0.0, Trained::Head)];
    for dropout in [0.0, 0.1] {
        let methods: [(&'static str, Method); 7] = [
            ("LoRA r=8", Lora::new(8).dropout(dropout).into()),
            ("LoRA r=8, A frozen (B only)", Lora::b_only(8).dropout(dropout).into()),
            ("LoRA r=8, B frozen (A only)", Lora::a_only(8).dropout(dropout).into()),
            ("DoRA r=8", Dora(Lora::new(8).dropout(dropout)).into()),
            ("DoRA r=8, A frozen", Dora(Lora::b_only(8).dropout(dropout)).into()),
            ("AdaLoRA r=12", AdaLora::new(12, 8).dropout(dropout).into()),
            ("VeRA r=256", Vera::new(256).dropout(dropout).into()),
        ];
        for (name, method) in methods {
            rows.push((name, dropout, Trained::Adapter(AdapterConfig::new(method).targets(targets.clone()))));
        }
    }
    rows.push((
        "(IA)³",
        0.0,
        Trained::Adapter(AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS)),
    ));
    rows.push(("Burn's apply_lora r=8", 0.0, Trained::Burn));
    rows
}

/// The model of a row, on `device`.
fn model(trained: &Trained, targets: &Targets, layers: usize, device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(Family::Roberta, VOCABULARY, 768, layers);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    let plain = SequenceClassifier::init(&config, 1, device).unwrap_or_else(|error| panic!("{error}"));
    let (naming, head) = (plain.naming(), ["classifier".to_string()]);
    let adapted = match trained {
        Trained::Full => Ok(plain),
        Trained::Head => train_only(plain, &naming, &head),
        Trained::Adapter(config) => config.clone().save_whole(["classifier"]).attach_named(plain, 1, &naming),
        Trained::Burn => {
            // The weights that asym would adapt, found by attaching to a copy.
            let like = AdapterConfig::lora(8).targets(targets.clone()).save_whole(["classifier"]);
            let copy = like.attach_named(plain.clone(), 1, &naming).unwrap_or_else(|error| panic!("{error}"));
            let adapters = layout::entries(&copy, &naming).into_iter().filter(|entry| entry.kind == Kind::Adapter);
            let weights = adapters.filter_map(|entry| Some(entry.path.split_once(".adapter.")?.0.to_string()));
            let mut weights: Vec<String> = weights.collect();
            weights.dedup();
            let lora = BurnLora::new(8, 16.0).set_param_group(ParamGroup::from_paths(weights));
            // It freezes all there is, the head too.
            let trained_head = ParamGroup::from_predicate("head.");
            train_only(plain, &naming, &head).map(|model| model.apply_lora(lora).unfreeze_group(trained_head))
        }
    };
    adapted.unwrap_or_else(|error| panic!("{error}"))
}

/// (bytes kept for backward, peak bytes of a step, trained parameters).
fn measure(trained: &Trained, targets: &Targets, options: &Options, device: &Device) -> (usize, usize, usize) {
    let mut model = model(trained, targets, options.layers, device);
    let parameters = inspect(&model, &model.naming()).trained();
    let shape = [options.batch, options.length];
    let ids: Vec<i64> = (0..options.batch * options.length).map(|i| 5 + (i * 7 % (VOCABULARY - 5)) as i64).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, shape), device);
    let labels: Vec<i64> = (0..options.batch).map(|i| (i % 2) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(labels.as_slice(), device);
    let criterion = CrossEntropyLossConfig::new().init(device);
    let mut optimizer = AdamWConfig::new().init();
    let adalora = matches!(trained, Trained::Adapter(config) if matches!(config.method, Method::AdaLora(_)));

    let (mut kept, mut peak) = (0, 0);
    // The first steps fill caches, the optimizer's state and threads' buffers.
    for _ in 0..3 {
        memory::reset_peak();
        let before = memory::current();
        let input = EncoderInput { input_ids: ids.clone(), attention_mask: None, token_type_ids: None };
        let loss = criterion.forward(model.forward(input), labels.clone());
        let loss = match adalora.then(|| orthogonality(&model)).flatten() {
            Some(penalty) => loss + penalty * 0.5,
            None => loss,
        };
        kept = memory::current().saturating_sub(before);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-4, model, gradients);
        peak = memory::peak().saturating_sub(before);
    }
    (kept, peak, parameters)
}

fn main() {
    let options = Options::parse();
    let targets = match options.targets.as_slice() {
        [word] if word == Targets::ALL_LINEAR => Targets::ALL_LINEAR.into(),
        names => Targets::Names(names.to_vec()),
    };
    let device = Device::default().autodiff();
    println!(
        "{} blocks of RoBERTa-base, batch {} x {} tokens, f32, adapters on {}\n",
        options.layers,
        options.batch,
        options.length,
        options.targets.join(", ")
    );
    println!("| method | adapter dropout | trained | kept for backward, MiB | of LoRA's | peak of a step, MiB |");
    println!("|---|---:|---:|---:|---:|---:|");
    let rows: Vec<_> = methods(&targets)
        .into_iter()
        .map(|(name, dropout, trained)| (name, dropout, measure(&trained, &targets, &options, &device)))
        .collect();
    let lora = rows.iter().find(|(name, ..)| *name == "LoRA r=8").map_or(1, |(_, _, (kept, ..))| *kept);
    for (name, dropout, (kept, peak, parameters)) in rows {
        println!(
            "| {name} | {dropout} | {parameters} | {:.1} | {:.3} | {:.1} |",
            kept as f64 / MIB,
            kept as f64 / lora as f64,
            peak as f64 / MIB
        );
    }
}
