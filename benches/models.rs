//! ViT-B/16, BART-base and a block of Llama 2 7B: training steps and generated tokens, compared with other libraries.
//!
//! ```text
//! cargo xtask bench-models --python python3                       # in alternation with benches/peers/models.py
//! cargo bench --bench models -- --model vit-base --rounds 3       # by itself
//! ```
//!
//! With `--serve`, it reads commands from standard input, one per line, like the Python script. `step` takes one training step,
//! `memory` measures the memory of a step, and `generate` generates tokens for a batch. The answer to each command is a line of
//! JSON.

use std::io::BufRead;
use std::time::Instant;

use asym::core::{AdapterConfig, Lora};
use asym::models::bart::Stack;
use asym::models::generation::GenerationConfig;
use asym::models::{
    BartConfig, BartInput, BartLanguageModel, GenerativeModel, LlamaConfig, LlamaInput, LlamaLanguageModel,
    PretrainedModel, VitClassifier, VitConfig, VitInput, generate_batch,
};
use asym::train::memory;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

mod common;
use common::{Dtype, versions};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Benchmark training steps and generation of one model.
#[derive(Debug, Parser)]
struct Options {
    /// The model
    #[arg(long, value_enum, default_value_t = Model::VitBase)]
    model: Model,
    /// Method to train, with rank 8 on queries and values
    #[arg(long, value_enum, default_value_t = Method::BOnly)]
    method: Method,
    /// Number of rows in a batch
    #[arg(long, default_value_t = 4)]
    batch: usize,
    /// Number of tokens in a row; for BART, in the source text; not used by ViT, which has 197
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// Number of generated tokens in a row; for BART, also the number of target tokens in training
    #[arg(long, default_value_t = 32)]
    new_tokens: usize,
    /// The dtype of the frozen weights
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Number of beams
    #[arg(long, default_value_t = 1)]
    beams: usize,
    /// Use two blocks of 64 features, only to check that the benchmark works
    #[arg(long)]
    tiny: bool,
    /// Number of steps to time
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Read commands from standard input
    #[arg(long)]
    serve: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Model {
    /// ViT-B/16, ten labels
    VitBase,
    /// BART-base
    BartBase,
    /// One block of Llama 2 7B, with a vocabulary of 1000 tokens
    LlamaBlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// LoRA with A frozen
    BOnly,
    /// LoRA
    Lora,
}

/// The measured operations of a model.
trait Work {
    fn step(&mut self) -> Value;
    fn memory(&mut self) -> Value;
    fn generate(&self) -> Value;
}

/// A model in training.
struct Training<M: PretrainedModel> {
    model: M,
    optimizer: ModuleOptimizer,
    input: M::Input,
    forward: Forward<M>,
    labels: Tensor<1, Int>,
    generate: Option<Generate<M>>,
}

/// Computes logits with one row per label.
type Forward<M> = fn(&M, <M as PretrainedModel>::Input) -> Tensor<2>;

/// Generates tokens for a batch, and returns the time in seconds.
type Generate<M> = Box<dyn Fn(&M) -> f64>;

impl<M: PretrainedModel> Training<M> {
    fn new(
        options: &Options,
        config: &M::Config,
        targets: [&str; 2],
        (input, forward, rows): (M::Input, Forward<M>, usize),
        labels: usize,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let plain = M::init(config, 1, device)?;
        let lora = match options.method {
            Method::BOnly => Lora::b_only(8),
            Method::Lora => Lora::new(8),
        };
        let mut adapter = AdapterConfig::new(lora).targets(targets);
        adapter.modules_to_save = M::keys(config).task_head.iter().map(ToString::to_string).collect();
        let naming = plain.naming();
        let labels: Vec<i64> = (0..rows).map(|row| (row * 7 % labels) as i64).collect();
        Ok(Self {
            model: options.dtype.of(adapter.attach_named(plain, 1, &naming)?),
            optimizer: AdamWConfig::new().init(),
            input,
            forward,
            labels: Tensor::from_data(labels.as_slice(), device),
            generate: None,
        })
    }

    fn loss(&self) -> Tensor<1> {
        let logits = (self.forward)(&self.model, self.input.clone());
        CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, self.labels.clone())
    }

    fn update(&mut self, loss: Tensor<1>) {
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.optimizer.step(1e-4, self.model.clone(), gradients);
    }
}

impl<M: PretrainedModel> Work for Training<M> {
    fn step(&mut self) -> Value {
        let start = Instant::now();
        let loss = self.loss();
        self.update(loss);
        json!({ "seconds": start.elapsed().as_secs_f64() })
    }

    fn memory(&mut self) -> Value {
        memory::reset_peak();
        let before = memory::current();
        let loss = self.loss();
        let kept = memory::current().saturating_sub(before);
        self.update(loss);
        json!({ "kept": kept, "peak": memory::peak().saturating_sub(before) })
    }

    fn generate(&self) -> Value {
        let seconds = self.generate.as_ref().map_or(f64::NAN, |generate| generate(&self.model.valid()));
        json!({ "seconds": seconds })
    }
}

/// A function that generates `new_tokens` tokens for each row of the batch.
fn continuing<M: GenerativeModel>(options: &Options, input: M::Input) -> anyhow::Result<Generate<M>>
where
    M::Input: 'static,
{
    let (new, beams) = (options.new_tokens, options.beams);
    let settings = json!({"max_new_tokens": new, "min_new_tokens": new, "num_beams": beams, "eos_token_id": 2});
    let config = GenerationConfig::strict(&settings.to_string())?;
    Ok(Box::new(move |model: &M| {
        let start = Instant::now();
        let sequences = generate_batch(model, &input, &config, 0, |_, _| ());
        sequences.map_or(f64::NAN, |_| start.elapsed().as_secs_f64())
    }))
}

fn ids(rows: usize, length: usize, vocabulary: usize, device: &Device) -> Tensor<2, Int> {
    let values: Vec<i64> = (0..rows * length).map(|i| 5 + (i * 7 % (vocabulary - 5)) as i64).collect();
    Tensor::from_data(TensorData::new(values, [rows, length]), device)
}

fn work(options: &Options, device: &Device) -> anyhow::Result<Box<dyn Work>> {
    let Options { batch, length, new_tokens, tiny, .. } = *options;
    let plain = Device::default();
    match options.model {
        Model::VitBase => {
            let mut config =
                VitConfig { labels: (0..10).map(|label| label.to_string()).collect(), ..VitConfig::default() };
            if tiny {
                (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) = (64, 2, 1);
                (config.intermediate_size, config.image_size) = (128, [32; 2]);
            }
            let [height, width] = config.image_size;
            let values: Vec<f32> = (0..batch * 3 * height * width).map(|i| (i as f32 * 0.37).sin()).collect();
            let pixels = Tensor::from_data(TensorData::new(values, [batch, 3, height, width]), device);
            let input = VitInput { pixel_values: pixels };
            let batch = (input, VitClassifier::forward as fn(&_, _) -> _, batch);
            Ok(Box::new(Training::<VitClassifier>::new(options, &config, ["q_proj", "v_proj"], batch, 10, device)?))
        }
        Model::BartBase => {
            let (vocabulary, width, layers) = if tiny { (1000, 64, 2) } else { (50_265, 768, 6) };
            let heads = width / 64;
            let stack = Stack { layers, heads, ffn_dim: 4 * width };
            let mut config = BartConfig::new(vocabulary, width, layers);
            (config.encoder, config.decoder, config.dropout) = (stack, stack, 0.0);
            let on = |device: &Device, answer: Option<usize>| BartInput {
                input_ids: ids(batch, length, vocabulary, device),
                attention_mask: None,
                decoder_input_ids: answer.map(|length| ids(batch, length, vocabulary, device)),
                decoder_attention_mask: None,
            };
            let forward: fn(&BartLanguageModel, BartInput) -> Tensor<2> =
                |model, input| model.forward(input).flatten(0, 1);
            let rows = (on(device, Some(new_tokens)), forward, batch * new_tokens);
            let mut training = Training::new(options, &config, ["q_proj", "v_proj"], rows, vocabulary, device)?;
            training.generate = Some(continuing(options, on(&plain, None))?);
            Ok(Box::new(training))
        }
        Model::LlamaBlock => {
            let vocabulary = 1000;
            let mut config = match tiny {
                true => LlamaConfig::new(vocabulary, 64, 2, 2),
                false => LlamaConfig::new(vocabulary, 4096, 1, 32),
            };
            if tiny {
                config.intermediate_size = 128;
            }
            let on = |device: &Device| LlamaInput {
                input_ids: ids(batch, length, vocabulary, device),
                attention_mask: None,
            };
            let forward: fn(&LlamaLanguageModel, LlamaInput) -> Tensor<2> =
                |model, input| model.forward(input).flatten(0, 1);
            let rows = (on(device), forward, batch * length);
            let mut training = Training::new(options, &config, ["q_proj", "v_proj"], rows, vocabulary, device)?;
            training.generate = Some(continuing(options, on(&plain))?);
            Ok(Box::new(training))
        }
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    memory::keep_pages();
    let mut work = work(&options, &Device::default().autodiff())?;
    let orders: Vec<String> = match options.serve {
        true => {
            // The first steps allocate caches, the optimizer's state and the buffers of threads.
            (0..2).for_each(|_| drop(work.step()));
            println!("{}", json!({ "versions": versions() }));
            Vec::new()
        }
        false => std::iter::repeat_n("step", options.rounds).chain(["memory", "generate"]).map(String::from).collect(),
    };
    let asked = std::io::stdin().lock().lines().take_while(|_| options.serve);
    for order in orders.into_iter().map(Ok).chain(asked) {
        let answer = match order?.trim() {
            "step" => work.step(),
            "memory" => work.memory(),
            "generate" => work.generate(),
            other => anyhow::bail!("`{other}`: expected step, memory or generate"),
        };
        println!("{answer}");
    }
    Ok(())
}
