//! The rendering of a row as text, and the positions of the answers in the text.

use std::ops::Range;

use asym_data::{ChatTemplate, Message, TextTemplate, TokenizerError};

use super::error::InstructionError;
use super::files::{ASSISTANT, Content};
use crate::names::nearest;

/// The prompt of Stanford's Alpaca. The answer follows directly after the colon. `alpaca-lora`, litgpt and torchtune have a line
/// break between the colon and the answer.
const STANFORD: &str = "{% if input %}Below is an instruction that describes a task, paired with an input that provides \
    further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{{ instruction }}\n\n\
    ### Input:\n{{ input }}\n\n### Response:{% else %}Below is an instruction that describes a task. Write a response that \
    appropriately completes the request.\n\n### Instruction:\n{{ instruction }}\n\n### Response:{% endif %}";

/// The template that does not change the prompt.
const PLAIN: &str = "{{ instruction }}";

/// The names of templates.
pub(super) const NAMES: [&str; 4] = ["stanford", "alpaca-lora", "plain", "chat"];

/// How to render a row as text.
#[derive(Clone, Debug)]
pub(super) enum Template {
    /// A template of the prompt. The answer follows the rendered prompt.
    Prompt(Box<TextTemplate>),
    /// The tokenizer's chat template, for whole conversations.
    Chat,
}

/// A row that was rendered as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// The byte ranges of the answers in the text.
    pub answers: Vec<Range<usize>>,
    /// Whether the text already contains its special tokens.
    pub is_whole: bool,
}

impl Template {
    /// The template called `name`, or `name` itself as a template.
    ///
    /// # Errors
    ///
    /// [`InstructionError::UnknownTemplate`], [`InstructionError::Template`].
    pub(super) fn named(name: &str) -> Result<Self, InstructionError> {
        let source = match name {
            "chat" => return Ok(Self::Chat),
            "stanford" => STANFORD.to_owned(),
            "alpaca-lora" => format!("{STANFORD}\n"),
            "plain" => PLAIN.to_owned(),
            own if own.contains("{{") => own.to_owned(),
            other => {
                let nearest = nearest(other, NAMES).map(ToOwned::to_owned);
                return Err(InstructionError::UnknownTemplate { found: other.to_owned(), nearest });
            }
        };
        let template = TextTemplate::new(&source).map_err(refused)?;
        let prompt = |instruction, input| render(&template, instruction, input);
        // A template without the instruction results in the same prompt for every row.
        if prompt("a", "b")? == prompt("c", "b")? && prompt("a", "")? == prompt("c", "")? {
            let message = "it does not use `instruction`, so all rows have the same prompt".to_owned();
            return Err(InstructionError::Template { message, names: VALUES.to_vec() });
        }
        Ok(Self::Prompt(Box::new(template)))
    }

    /// The text of a row. `chat` is the tokenizer's template, which [`Template::Chat`] needs. The inner error states why
    /// the row cannot be rendered.
    ///
    /// # Errors
    ///
    /// [`InstructionError::Template`].
    pub(super) fn render(
        &self,
        content: &Content,
        chat: Option<&ChatTemplate>,
    ) -> Result<Result<Rendered, RowProblem>, InstructionError> {
        match (self, content) {
            (Self::Prompt(template), Content::Pair { instruction, input, output }) => {
                let mut text = render(template, instruction, input)?;
                let start = text.len();
                text.push_str(output);
                Ok(Ok(Rendered { answers: std::iter::once(start..text.len()).collect(), text, is_whole: false }))
            }
            (Self::Chat, Content::Pair { instruction, input, output }) => {
                let asked = if input.is_empty() { instruction.clone() } else { format!("{instruction}\n\n{input}") };
                let turns = [Message::new("user", &asked), Message::new(ASSISTANT, output)];
                Ok(conversation(chat, &turns))
            }
            (Self::Chat, Content::Turns(turns)) => Ok(conversation(chat, turns)),
            (Self::Prompt(_), Content::Turns(_)) => Ok(Err(RowProblem::Text("a conversation needs the template chat"))),
        }
    }
}

/// Why a row cannot be rendered.
#[derive(Debug)]
pub(super) enum RowProblem {
    /// The chat template cannot render the row.
    Chat(TokenizerError),
    /// Any other problem.
    Text(&'static str),
}

/// The variables of a template.
const VALUES: [&str; 2] = ["instruction", "input"];

fn refused(error: impl ToString) -> InstructionError {
    InstructionError::Template { message: error.to_string(), names: VALUES.to_vec() }
}

fn render(template: &TextTemplate, instruction: &str, input: &str) -> Result<String, InstructionError> {
    template.render(&[(VALUES[0], instruction), (VALUES[1], input)]).map_err(refused)
}

/// A conversation as text. The answers are all turns of the model. An answer begins after the template's generation prompt. It
/// ends with the last character of its turn that is not whitespace, so it includes the end-of-turn token, if the template has
/// one.
fn conversation(chat: Option<&ChatTemplate>, turns: &[Message]) -> Result<Rendered, RowProblem> {
    let Some(chat) = chat else { return Err(RowProblem::Text("the checkpoint has no chat template")) };
    let render = |turns: &[Message], continued| chat.render_messages(turns, continued).map_err(RowProblem::Chat);
    let text = render(turns, false)?;
    let mut answers = Vec::new();
    for at in (0..turns.len()).filter(|at| turns[*at].role == ASSISTANT) {
        let before = render(&turns[..at], true)?;
        let until = render(&turns[..=at], false)?;
        let until = until.trim_end();
        if !text.starts_with(until) || !until.starts_with(&before) {
            return Err(RowProblem::Text(
                "the chat template renders a turn differently if another turn follows, so the answers cannot be found; \
                put each answer into a separate row, or use another template",
            ));
        }
        answers.push(before.len()..until.len());
    }
    Ok(Rendered { text, answers, is_whole: true })
}
