//! `asym generate`: prompts in, texts out.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use asym_data::Tokenizer;
use asym_models::generation::GenerationConfig;
use asym_models::{
    BartInput, BartLanguageModel, Checkpoint, GenerativeModel, LlamaInput, LlamaLanguageModel, ModelClass,
    generate_batch, read_inputs, resolve_batch,
};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use clap::Args;
use serde_json::{Map, Value, json};

use super::{Dtype, SourceArgs, locate, trained};
use crate::device;

/// Options of `asym generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Llama or BART checkpoint: a folder, or a name on the Hub [default: the base model that the adapter names]
    #[arg(long, required_unless_present = "adapter")]
    model: Option<String>,
    /// Folder of an adapter in PEFT's format
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// A prompt, or for BART a text to be answered; may be given several times
    #[arg(long, required_unless_present = "file")]
    prompt: Vec<String>,
    /// File with a prompt per line; `-` reads standard input
    #[arg(long, conflicts_with = "prompt")]
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Prompts that pass the model at once
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Tokens of a prompt: a longer one is cut [default: a longer one than the model takes is an error]
    #[arg(long)]
    max_length: Option<usize>,
    /// Print a JSON object per text, with its token ids
    #[arg(long)]
    json: bool,
    /// Fold the adapter into the weights first: fewer products for each token
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Compute in this dtype, where the device has it
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    #[command(flatten)]
    source: SourceArgs,
}

/// The settings of generation that are asked for most; `--generate` has them all.
#[derive(Debug, Default, Args)]
struct SettingsArgs {
    /// Settings as in generation_config.json: a JSON object, or a file that holds one
    #[arg(long)]
    generate: Option<String>,
    /// The most new tokens of a text
    #[arg(long)]
    max_new_tokens: Option<u64>,
    /// Beams; 1 takes the likeliest token each time
    #[arg(long)]
    num_beams: Option<u64>,
    /// Draw tokens by their probabilities
    #[arg(long)]
    do_sample: bool,
    /// What logits are divided by before tokens are drawn
    #[arg(long, requires = "do_sample")]
    temperature: Option<f64>,
    /// Draw from so many of the likeliest tokens
    #[arg(long, requires = "do_sample")]
    top_k: Option<u64>,
    /// Draw from the likeliest tokens that have this much of the probability together
    #[arg(long, requires = "do_sample")]
    top_p: Option<f64>,
    /// Seed of what is drawn
    #[arg(long, requires = "do_sample")]
    seed: Option<u64>,
}

impl SettingsArgs {
    /// What the user asks for: the object, and the options in its place where both are given.
    fn config(&self) -> Result<GenerationConfig> {
        let options: [(&str, Option<Value>); 7] = [
            ("max_new_tokens", self.max_new_tokens.map(Value::from)),
            ("num_beams", self.num_beams.map(Value::from)),
            ("do_sample", self.do_sample.then_some(Value::Bool(true))),
            ("temperature", self.temperature.map(Value::from)),
            ("top_k", self.top_k.map(Value::from)),
            ("top_p", self.top_p.map(Value::from)),
            ("seed", self.seed.map(Value::from)),
        ];
        let given: Map<String, Value> =
            options.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect();
        let options = GenerationConfig::strict(&Value::Object(given).to_string())?;
        Ok(match &self.generate {
            Some(given) => settings(given)?.overlaid_with(&options),
            None => options,
        })
    }
}

/// Settings of a user: a JSON object, or the name of a file that holds one.
pub(super) fn settings(given: &str) -> Result<GenerationConfig> {
    let text = match given.trim_start().starts_with('{') {
        true => given.to_string(),
        false => std::fs::read_to_string(given)
            .with_context(|| format!("{given}: expected a JSON object or a file that holds one"))?,
    };
    Ok(GenerationConfig::strict(&text)?)
}

/// A batch of texts for one model.
trait FromPrompts: GenerativeModel {
    /// Whether padding stands before the tokens. Where positions are counted from the row's beginning it must not.
    const LEFT: bool;

    /// `ids` and `mask` are `[batch, length]`.
    fn input(ids: Tensor<2, Int>, mask: Tensor<2, Int>) -> Self::Input;
}

impl FromPrompts for LlamaLanguageModel {
    const LEFT: bool = true;

    fn input(input_ids: Tensor<2, Int>, mask: Tensor<2, Int>) -> LlamaInput {
        LlamaInput { input_ids, attention_mask: Some(mask) }
    }
}

impl FromPrompts for BartLanguageModel {
    const LEFT: bool = false;

    fn input(input_ids: Tensor<2, Int>, mask: Tensor<2, Int>) -> BartInput {
        BartInput { input_ids, attention_mask: Some(mask), decoder_input_ids: None, decoder_attention_mask: None }
    }
}

/// Print the text that continues or answers each prompt.
///
/// # Errors
///
/// A file that is missing, damaged or does not fit; settings that contradict each other; a prompt that is too long; a
/// model that generates nothing.
pub fn generate(args: &GenerateArgs) -> Result<()> {
    let asked = args.settings.config()?;
    let prompts = prompts(args)?;
    if args.batch_size == 0 {
        bail!("--batch-size 0: expected at least one prompt in a batch");
    }
    let device = device::default_device()?;
    let location = locate(&args.source, args.model.as_deref(), args.adapter.as_deref())?;
    let checkpoint = location.checkpoint()?;
    let config = checkpoint.generation_config()?.overlaid_with(&asked);
    let class = super::class(&checkpoint, args.adapter.as_deref())?;
    let (ModelClass::CausalLanguageModel | ModelClass::ConditionalGeneration, Some(folder)) =
        (class, location.folder())
    else {
        bail!("{}: {class:?} generates no text; give a Llama or a BART", location.name())
    };
    let tokenizer = Tokenizer::for_generation(folder)?;
    let texts = Texts { args, name: location.name(), checkpoint: &checkpoint, config, tokenizer, prompts, device };
    match class {
        ModelClass::ConditionalGeneration => texts.generate::<BartLanguageModel>(),
        _ => texts.generate::<LlamaLanguageModel>(),
    }
}

fn prompts(args: &GenerateArgs) -> Result<Vec<String>> {
    let Some(path) = &args.file else { return Ok(args.prompt.clone()) };
    let lines = super::lines(path)?;
    if lines.is_empty() {
        bail!("{}: no prompt; write one per line", path.display());
    }
    Ok(lines)
}

struct Texts<'a> {
    args: &'a GenerateArgs,
    name: &'a str,
    checkpoint: &'a Checkpoint,
    config: GenerationConfig,
    tokenizer: Tokenizer,
    prompts: Vec<String>,
    device: Device,
}

impl Texts<'_> {
    fn generate<M: FromPrompts>(self) -> Result<()> {
        let Self { args, name, checkpoint, config, tokenizer, prompts, device } = self;
        let encode = |(at, text): (usize, &String)| {
            let encoding = tokenizer.encode(text, None, args.max_length.unwrap_or(usize::MAX));
            encoding.map(|encoding| encoding.input_ids).with_context(|| format!("prompt {}", at + 1))
        };
        let encoded: Vec<Vec<u32>> = prompts.iter().enumerate().map(encode).collect::<Result<_>>()?;
        let batches: Vec<M::Input> = encoded.chunks(args.batch_size).map(|rows| batch::<M>(rows, &device)).collect();
        // Every prompt is checked, and the settings for it, before there is a model.
        let own = checkpoint.config_of()?;
        for batch in &batches {
            M::check_input(batch, own)?;
            resolve_batch::<M>(own, batch, &config)?;
        }
        let settings = (None, args.dtype.computed(), args.merge);
        let model: M = trained(name, checkpoint, args.adapter.as_deref(), settings, &device)?;
        let model = model.valid();
        let started = Instant::now();
        for (at, batch) in batches.iter().enumerate() {
            let first = at * args.batch_size;
            let done = |tokens, most| progress((first, prompts.len()), (tokens, most), started);
            let sequences = generate_batch(&model, batch, &config, first as u64, done)?;
            end_of_progress();
            let each = sequences.settings.num_return_sequences;
            for (row, generated) in sequences.rows.iter().enumerate() {
                let text = tokenizer.decode(generated.continuation())?;
                let prompt = &prompts[first + row / each];
                super::say(match args.json {
                    true => json!({"prompt": prompt, "text": text, "tokens": generated.continuation(), "score": generated.score})
                        .to_string(),
                    false => text,
                })?;
            }
        }
        Ok(())
    }
}

/// Rows of one length, padded on the side where the model has it; the mask says what is padding, and no id of it counts.
fn batch<M: FromPrompts>(rows: &[Vec<u32>], device: &Device) -> M::Input {
    let length = rows.iter().map(Vec::len).max().unwrap_or(0);
    let padded = |value: fn(u32) -> i64| {
        let row = move |row: &Vec<u32>| {
            let mut values: Vec<i64> = row.iter().map(|id| value(*id)).collect();
            values.resize(length, 0);
            if M::LEFT {
                values.rotate_left(row.len());
            }
            values
        };
        let values: Vec<i64> = rows.iter().flat_map(row).collect();
        Tensor::<2, Int>::from_data(TensorData::new(values, [rows.len(), length]), device)
    };
    M::input(padded(i64::from), padded(|_| 1))
}

/// A line that is written over, for whoever waits at a terminal.
fn progress((first, prompts): (usize, usize), (tokens, most): (usize, usize), started: Instant) {
    let mut err = std::io::stderr();
    if !err.is_terminal() {
        return;
    }
    let _ = write!(
        err,
        "\rprompt {} of {prompts}: {tokens} of at most {most} tokens, {:.0} s ",
        first + 1,
        started.elapsed().as_secs_f64()
    );
}

/// Texts begin on a line of their own, wherever the last one ended.
fn end_of_progress() {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = writeln!(err);
    }
}

/// What `asym predict --generate` does: the batch of a file, continued.
pub(super) fn continued(
    (class, name, checkpoint): (ModelClass, &str, &Checkpoint),
    (adapter, inputs): (Option<&Path>, &Path),
    (dtype, merge): (Dtype, bool),
    asked: &GenerationConfig,
    device: &Device,
) -> Result<TensorData> {
    let config = checkpoint.generation_config()?.overlaid_with(asked);
    let file = File { name, checkpoint, adapter, inputs, settings: (None, dtype.computed(), merge), config, device };
    match class {
        ModelClass::CausalLanguageModel => file.continued::<LlamaLanguageModel>(|input| input),
        // What logits are asked for is no beginning of an answer.
        ModelClass::ConditionalGeneration => file.continued::<BartLanguageModel>(|input| BartInput {
            decoder_input_ids: None,
            decoder_attention_mask: None,
            ..input
        }),
        other => bail!("{name}: {other:?} generates no text; give a Llama or a BART, or leave out --generate"),
    }
}

/// A batch in a file, and what it is continued by.
struct File<'a> {
    name: &'a str,
    checkpoint: &'a Checkpoint,
    adapter: Option<&'a Path>,
    inputs: &'a Path,
    settings: (Option<usize>, FloatDType, bool),
    config: GenerationConfig,
    device: &'a Device,
}

impl File<'_> {
    fn continued<M: GenerativeModel>(self, beginning: fn(M::Input) -> M::Input) -> Result<TensorData> {
        let Self { name, checkpoint, adapter, inputs, settings, config, device } = self;
        let input: M::Input = read_inputs(inputs, device)?;
        let own = checkpoint.config_of()?;
        M::check_input(&input, own).with_context(|| inputs.display().to_string())?;
        let input = beginning(input);
        resolve_batch::<M>(own, &input, &config)?;
        let model: M = trained(name, checkpoint, adapter, settings, device)?;
        Ok(generate_batch(&model.valid(), &input, &config, 0, |_, _| ())?.to_data())
    }
}
