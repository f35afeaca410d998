//! `asym generate --chat`: a conversation, line by line.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use asym_data::{ChatTemplate, Message, Tokenizer};
use asym_models::generation::GenerationConfig;
use asym_models::{Checkpoint, GenerativeModel, LlamaLanguageModel, PretrainedModel, generate_aloud, resolve_batch};
use burn::module::Module;
use burn::tensor::{Device, FloatDType};

use super::generate::batch;
use super::trained;

/// The turns so far, and all that is needed to generate the next turn.
pub(super) struct Conversation {
    template: ChatTemplate,
    tokenizer: Tokenizer,
    config: GenerationConfig,
    turns: Vec<Message>,
}

impl Conversation {
    /// A conversation that begins with the system turn, if there is one.
    pub(super) fn new(
        template: ChatTemplate,
        tokenizer: Tokenizer,
        config: GenerationConfig,
        system: Option<&str>,
    ) -> Self {
        let turns = system.map(|text| Message::new("system", text)).into_iter().collect();
        Self { template, tokenizer, config, turns }
    }

    /// The tokens of the prompt. If the conversation is longer than the model's positions, its oldest turns are dropped.
    fn tokens(&mut self, positions: usize) -> Result<Vec<u32>> {
        loop {
            let text = self.template.render_messages(&self.turns, true)?;
            let encoding = self.tokenizer.encode_whole(&text, positions)?;
            // At least one position is needed for the answer.
            if encoding.cut == 0 && encoding.input_ids.len() < positions {
                return Ok(encoding.input_ids);
            }
            let first = usize::from(self.turns.first().is_some_and(|turn| turn.role == "system"));
            if self.turns.len() < first + 3 {
                let tokens = encoding.input_ids.len() + encoding.cut;
                bail!("the turn has {tokens} tokens, but the model has {positions} positions; shorten the turn");
            }
            // A question and its answer.
            self.turns.drain(first..first + 2);
            super::note("the conversation is too long for the model: the oldest question and its answer are dropped");
        }
    }

    /// Generate the answer to `question` and print it while it is generated.
    fn answer(&mut self, question: &str, model: &LlamaLanguageModel, device: &Device, number: u64) -> Result<()> {
        self.turns.push(Message::new("user", question));
        let prompt = self.tokens(LlamaLanguageModel::limits(model.config()).0)?;
        let length = prompt.len();
        let input = batch::<LlamaLanguageModel>(&[prompt], device);
        let said = RefCell::new((String::new(), Ok(())));
        let grown = |tokens: &[u32]| {
            let mut said = said.borrow_mut();
            if said.1.is_ok() {
                let text = self.tokenizer.decode(&tokens[length..]);
                said.1 = text.map_err(Into::into).and_then(|text| print_on(&mut said.0, text));
            }
        };
        let ends = |ids: &[u32], strings: &[String]| self.tokenizer.ends_with_any(ids, strings);
        let found = generate_aloud(model, &input, &self.config, number, (&grown, Some(&ends)))?;
        let (mut printed, outcome) = said.into_inner();
        outcome?;
        let text = match found.rows.first() {
            Some(row) => self.tokenizer.decode(row.continuation())?,
            None => String::new(),
        };
        // The last character may not be printed yet, because some of its bytes were missing. Beam search prints nothing before it
        // ends.
        print_rest(&mut printed, &text)?;
        super::say("")?;
        self.turns.push(Message::new("assistant", &text));
        Ok(())
    }
}

/// Print the part of `text` that follows the `printed` part. A character whose last bytes are still missing is decoded as a
/// replacement character and is not printed yet.
fn print_on(printed: &mut String, text: String) -> Result<()> {
    let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned();
    print_rest(printed, &whole)
}

fn print_rest(printed: &mut String, text: &str) -> Result<()> {
    if let Some(rest) = text.strip_prefix(printed.as_str()).filter(|rest| !rest.is_empty()) {
        let mut out = std::io::stdout().lock();
        out.write_all(rest.as_bytes()).and_then(|()| out.flush()).context("standard output")?;
        printed.push_str(rest);
    }
    Ok(())
}

/// Hold a conversation until the input ends. On a terminal, a turn that cannot be answered is dropped, and the conversation
/// continues. Otherwise, the error is returned.
pub(super) fn chat(
    (name, checkpoint, adapter): (&str, &Checkpoint, Option<&Path>),
    (settings, device): ((Option<usize>, FloatDType, bool), &Device),
    mut conversation: Conversation,
) -> Result<()> {
    let own = super::adapted_config::<LlamaLanguageModel>(checkpoint, adapter)?;
    // Settings that contradict each other are refused before the model is loaded.
    conversation.turns.push(Message::new("user", "?"));
    let prompt = conversation.tokens(LlamaLanguageModel::limits(&own).0)?;
    conversation.turns.pop();
    resolve_batch::<LlamaLanguageModel>(&own, &batch::<LlamaLanguageModel>(&[prompt], device), &conversation.config)?;
    let model: LlamaLanguageModel = trained(name, checkpoint, adapter, settings, device)?;
    let model = model.valid();
    let is_terminal = std::io::stdin().is_terminal();
    if is_terminal {
        super::note("write a line to the model; the end of the input (Ctrl-D) ends the conversation");
    }
    let mut lines = std::io::stdin().lock().lines();
    for number in 0.. {
        if is_terminal {
            eprint!("> ");
        }
        let Some(line) = lines.next() else { break };
        let line = line.context("standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = conversation.answer(&line, &model, device, number) {
            conversation.turns.pop_if(|turn| turn.role == "user");
            // A person can try again. A script gets an error, so that it does not overlook a missing answer.
            if !is_terminal {
                return Err(error);
            }
            super::note(format!("error: {error:#}"));
        }
    }
    Ok(())
}
