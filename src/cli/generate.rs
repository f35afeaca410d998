//! `asym generate`: generates text from prompts.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use asym_data::{ChatTemplate, Encoding, Tokenizer};
use asym_models::generation::GenerationConfig;
use asym_models::{
    BartInput, BartLanguageModel, Checkpoint, Ends, GenerativeModel, LlamaInput, LlamaLanguageModel, ModelClass,
    generate_until, read_inputs, resolve_batch,
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
    /// Adapter in PEFT format: a folder, or a name on the Hub
    #[arg(long)]
    adapter: Option<PathBuf>,
    /// A prompt, or an input text for BART; can be given several times
    #[arg(long, required_unless_present_any = ["file", "chat"])]
    prompt: Vec<String>,
    /// File with one prompt per line; `-` reads standard input
    #[arg(long, conflicts_with = "prompt")]
    file: Option<PathBuf>,
    /// Hold a conversation with a model that has a chat template: each line of standard input is a turn, and the answer is
    /// printed while it is generated
    #[arg(long, conflicts_with_all = ["prompt", "file", "json", "max_length", "no_chat_template"])]
    chat: bool,
    /// System message at the beginning of the conversation
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Number of prompts in a batch
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Truncate prompts to this number of tokens [default: a prompt that is too long for the model is an error]
    #[arg(long)]
    max_length: Option<usize>,
    /// Give each prompt to the model unchanged, without the checkpoint's chat template
    #[arg(long)]
    no_chat_template: bool,
    /// Print one JSON object per text, with its token ids
    #[arg(long)]
    json: bool,
    /// Merge the adapter into the weights first, which speeds up generation
    #[arg(long, requires = "adapter")]
    merge: bool,
    /// Compute in this dtype, which the device must support; bf16 rounds only the weights of linear layers and embeddings
    #[arg(long, value_enum, default_value_t)]
    dtype: Dtype,
    #[command(flatten)]
    source: SourceArgs,
}

/// The most common settings of generation. `--generate` accepts all of them.
#[derive(Debug, Default, Args)]
pub(super) struct SettingsArgs {
    /// Generation settings as in generation_config.json: a JSON object, or a file that contains one
    #[arg(long)]
    generate: Option<String>,
    /// Maximum number of new tokens of a text
    #[arg(long)]
    max_new_tokens: Option<u64>,
    /// Number of beams; 1 disables beam search
    #[arg(long)]
    num_beams: Option<u64>,
    /// Sample tokens instead of taking the most likely ones
    #[arg(long)]
    do_sample: bool,
    /// Sampling temperature, by which the logits are divided; implies --do-sample
    #[arg(long)]
    temperature: Option<f64>,
    /// Number of most likely tokens that are sampled from; implies --do-sample
    #[arg(long)]
    top_k: Option<u64>,
    /// Sample only from the most likely tokens, whose probabilities add up to this value; implies --do-sample
    #[arg(long)]
    top_p: Option<f64>,
    /// Seed for sampling; implies --do-sample
    #[arg(long)]
    seed: Option<u64>,
}

impl SettingsArgs {
    /// The user's settings: the JSON object, overridden by the options.
    pub(super) fn config(&self) -> Result<GenerationConfig> {
        let own = self.generate.as_deref().map(settings).transpose()?;
        let asked = own.as_ref().and_then(|own| own.do_sample);
        let sampling = [
            ("--temperature", self.temperature.is_some()),
            ("--top-k", self.top_k.is_some()),
            ("--top-p", self.top_p.is_some()),
            ("--seed", self.seed.is_some()),
        ];
        // If the JSON object contains `do_sample`, its value is kept, and a contradiction is refused.
        let implied = sampling.iter().find(|(_, given)| *given).filter(|_| !self.do_sample && asked.is_none());
        if let Some((option, _)) = implied {
            super::note(format!("{option}: tokens are sampled, as with --do-sample"));
        }
        let options: [(&str, Option<Value>); 7] = [
            ("max_new_tokens", self.max_new_tokens.map(Value::from)),
            ("num_beams", self.num_beams.map(Value::from)),
            ("do_sample", (self.do_sample || implied.is_some()).then_some(Value::Bool(true))),
            ("temperature", self.temperature.map(Value::from)),
            ("top_k", self.top_k.map(Value::from)),
            ("top_p", self.top_p.map(Value::from)),
            ("seed", self.seed.map(Value::from)),
        ];
        let given: Map<String, Value> =
            options.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect();
        let options = GenerationConfig::strict(&Value::Object(given).to_string())?;
        Ok(match own {
            Some(own) => own.overlaid_with(&options),
            None => options,
        })
    }
}

/// Parse the user's settings: a JSON object, or the name of a file that contains one.
pub(super) fn settings(given: &str) -> Result<GenerationConfig> {
    let text = if given.trim_start().starts_with('{') {
        given.to_string()
    } else {
        std::fs::read_to_string(given)
            .with_context(|| format!("{given}: expected a JSON object or a file that contains one"))?
    };
    Ok(GenerationConfig::strict(&text)?)
}

/// A model whose inputs are created from prompts.
pub(super) trait FromPrompts: GenerativeModel {
    /// Whether padding is on the left. It must be on the right if positions are counted from the start of the row.
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

/// Print the text generated from each prompt.
///
/// # Errors
///
/// Returns an error if a file is missing or damaged, if it does not fit the model, if settings contradict each other, if a prompt
/// is too long, or if the model does not generate text.
pub fn generate(args: &GenerateArgs) -> Result<()> {
    let asked = args.settings.config()?;
    let prompts = prompts(args)?;
    if args.batch_size == 0 {
        bail!("--batch-size 0: expected at least one prompt in a batch");
    }
    let device = device::default_device()?;
    let adapter = args.source.adapter(args.adapter.as_deref())?;
    let location = locate(&args.source, args.model.as_deref(), adapter.as_deref())?;
    let base = location.base()?;
    let checkpoint = &base.checkpoint;
    let config = checkpoint.generation_config()?.overlaid_with(&asked);
    let class = super::class(checkpoint, adapter.as_deref())?;
    if !matches!(class, ModelClass::CausalLanguageModel | ModelClass::ConditionalGeneration) {
        bail!("{}: a model of the class {class:?} cannot generate text; use a Llama or BART model", location.name());
    }
    let tokenizer = base.language_tokenizer()?.clone();
    let is_chat = class == ModelClass::CausalLanguageModel && !args.no_chat_template;
    let chat = match location.folder() {
        Some(folder) if is_chat => ChatTemplate::from_folder(folder)?,
        _ => None,
    };
    if args.chat {
        let Some(template) = chat else {
            bail!("{}: the checkpoint has no chat template; use --prompt to continue a text", location.name())
        };
        let settings = (None, args.dtype.computed(), args.merge);
        return super::chat::chat(
            (location.name(), checkpoint, adapter.as_deref()),
            (settings, &device),
            super::chat::Conversation::new(template, tokenizer, config, args.system.as_deref()),
        );
    }
    if chat.is_some() {
        super::note(
            "the checkpoint's chat template is applied to each prompt; use --no-chat-template to pass prompts unchanged",
        );
    }
    let (name, adapter) = (location.name(), adapter.as_deref());
    let texts = Texts { args, name, adapter, checkpoint, config, tokenizer, chat, prompts, device };
    match class {
        ModelClass::ConditionalGeneration => texts.generate::<BartLanguageModel>(),
        _ => texts.generate::<LlamaLanguageModel>(),
    }
}

fn prompts(args: &GenerateArgs) -> Result<Vec<String>> {
    let Some(path) = &args.file else { return Ok(args.prompt.clone()) };
    let lines = super::lines(path)?;
    if lines.is_empty() {
        bail!("{}: no prompt found; write one prompt per line", path.display());
    }
    Ok(lines)
}

struct Texts<'a> {
    args: &'a GenerateArgs,
    name: &'a str,
    adapter: Option<&'a Path>,
    checkpoint: &'a Checkpoint,
    config: GenerationConfig,
    tokenizer: Tokenizer,
    chat: Option<ChatTemplate>,
    prompts: Vec<String>,
    device: Device,
}

impl Texts<'_> {
    fn generate<M: FromPrompts>(self) -> Result<()> {
        let Self { args, name, adapter, checkpoint, config, tokenizer, chat, prompts, device } = self;
        let own = &super::adapted_config::<M>(checkpoint, adapter)?;
        let (positions, rows) = M::limits(own);
        let tokenizer = tokenizer.for_rows(rows);
        let encode = |(at, text): (usize, &String)| -> Result<Vec<u32>> {
            // Only the beginning of a text that the model can read is encoded.
            let longest = args.max_length.unwrap_or(positions);
            let encoding = match &chat {
                Some(chat) => chat.render(text).and_then(|text| tokenizer.encode_whole(&text, longest)),
                None => tokenizer.encode(text, None, longest),
            };
            let Encoding { input_ids, cut, .. } = encoding.with_context(|| format!("prompt {}", at + 1))?;
            if args.max_length.is_none() && cut > 0 {
                bail!(
                    "prompt {} has {} tokens, but the model has {positions} positions; shorten the prompt, or truncate \
                     it with --max-length",
                    at + 1,
                    input_ids.len() + cut
                );
            }
            Ok(input_ids)
        };
        let encoded: Vec<Vec<u32>> = prompts.iter().enumerate().map(encode).collect::<Result<_>>()?;
        let batches: Vec<M::Input> = encoded.chunks(args.batch_size).map(|rows| batch::<M>(rows, &device)).collect();
        // All prompts and their settings are checked before the model is loaded.
        for batch in &batches {
            M::check_input(batch, own)?;
            resolve_batch::<M>(own, batch, &config)?;
        }
        let settings = (None, args.dtype.computed(), args.merge);
        let model: M = trained(name, checkpoint, adapter, settings, &device)?;
        let model = model.valid();
        let started = Instant::now();
        for (at, batch) in batches.iter().enumerate() {
            let first = at * args.batch_size;
            let done = |tokens, most| progress((first, prompts.len()), (tokens, most), started);
            let ends = |ids: &[u32], strings: &[String]| tokenizer.ends_with_any(ids, strings);
            let sequences = generate_until(&model, batch, &config, first as u64, (done, Some(&ends)))?;
            end_of_progress();
            let each = sequences.settings.num_return_sequences;
            for (row, generated) in sequences.rows.iter().enumerate() {
                let text = tokenizer.decode(generated.continuation())?;
                let prompt = &prompts[first + row / each];
                super::say(if args.json {
                    json!({"prompt": prompt, "text": text, "tokens": generated.continuation(), "score": generated.score})
                        .to_string()
                } else {
                    text
                })?;
            }
        }
        Ok(())
    }
}

/// Pad the rows to one length, on the side that the model expects. The mask is 1 for tokens and 0 for padding. The ids of the
/// padding have no effect.
pub(super) fn batch<M: FromPrompts>(rows: &[Vec<u32>], device: &Device) -> M::Input {
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

/// Print the progress to a terminal, on a line that is overwritten.
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

/// End the progress line, so that the texts start on a new line.
fn end_of_progress() {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = writeln!(err);
    }
}

/// Generate from the batch in a file, for `asym predict --generate`.
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
        // The decoder inputs in a file are used only for logits. Generation does not use them.
        ModelClass::ConditionalGeneration => file.continued::<BartLanguageModel>(|input| BartInput {
            decoder_input_ids: None,
            decoder_attention_mask: None,
            ..input
        }),
        other => bail!(
            "{name}: a model of the class {other:?} cannot generate text; use a Llama or BART model, or leave out --generate"
        ),
    }
}

/// A batch in a file, with the model and the settings for generation.
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
        let own = &super::adapted_config::<M>(checkpoint, adapter)?;
        M::check_input(&input, own).with_context(|| inputs.display().to_string())?;
        let input = beginning(input);
        resolve_batch::<M>(own, &input, &config)?;
        let model: M = trained(name, checkpoint, adapter, settings, device)?;
        // The tokenizer is needed only to find the stop strings.
        let tokenizer = match &config.stop_strings {
            Some(_) => Some(Tokenizer::for_generation(checkpoint.path())?),
            None => None,
        };
        let found = |ids: &[u32], strings: &[String]| {
            tokenizer.as_ref().is_some_and(|tokenizer| tokenizer.ends_with_any(ids, strings))
        };
        let ends: Option<Ends<'_>> = tokenizer.as_ref().map(|_| &found as Ends<'_>);
        Ok(generate_until(&model.valid(), &input, &config, 0, (|_, _| (), ends))?.to_data())
    }
}
