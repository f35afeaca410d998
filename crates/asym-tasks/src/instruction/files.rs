//! The rows of instruction files.

use std::path::Path;

use asym_data::Message;
use asym_data::table::{self, Cell, Columns, Files, Reading, TableError};

use super::error::InstructionError;
use super::options::InstructionOptions;
use crate::sets;
use crate::trivia;

/// The column of the text that belongs to an instruction, if there is one.
const INPUT: &str = "input";

/// The seed of the rows about the invented world.
const DATA_SEED: u64 = 0;

/// The number of these rows.
const INVENTED_ROWS: usize = 3000;

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An instruction, a text that it is about, and the answer.
    Instruction {
        /// The column of the instruction.
        instruction: String,
        /// The column of the text.
        input: Option<String>,
        /// The column of the answer.
        output: String,
    },
    /// A prompt and the text after it.
    Prompt {
        /// The column of the prompt.
        prompt: String,
        /// The column of the text after it.
        completion: String,
    },
    /// A conversation.
    Messages {
        /// The column of the turns.
        messages: String,
    },
}

/// An example of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The example.
    pub content: Content,
    /// The line in the file, or the row of a JSON array or a Parquet file, counted from 1.
    pub line: usize,
}

/// The content of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One instruction or prompt, and its answer.
    Pair {
        /// The instruction, or the prompt.
        instruction: String,
        /// The text that the instruction is about; empty if there is none.
        input: String,
        /// The answer.
        output: String,
    },
    /// The turns of a conversation.
    Turns(Vec<Message>),
}

impl Content {
    /// Whether an answer is empty.
    pub fn has_empty_answer(&self) -> bool {
        match self {
            Self::Pair { output, .. } => output.is_empty(),
            Self::Turns(turns) => turns.iter().any(|turn| turn.role == ASSISTANT && turn.content.is_empty()),
        }
    }
}

/// The role of the model in a conversation.
pub(super) const ASSISTANT: &str = "assistant";

/// The rows of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The names of the files, for messages.
    pub source: String,
    /// The rows.
    pub samples: Vec<Sample>,
}

impl Layout {
    /// The layout of the columns that are set in `options`; `None` if no column is set.
    ///
    /// # Errors
    ///
    /// [`InstructionError::Setting`] for columns of two layouts.
    pub(super) fn named(options: &InstructionOptions) -> Result<Option<Self>, InstructionError> {
        let of_instruction = [&options.instruction, &options.input, &options.output].iter().any(|name| name.is_some());
        let of_prompt = options.prompt.is_some() || options.completion.is_some();
        let kinds = [of_instruction, of_prompt, options.messages.is_some()];
        if kinds.iter().filter(|named| **named).count() > 1 {
            return Err(InstructionError::Setting {
                setting: "instruction, prompt, messages",
                found: "a mix of layouts".to_owned(),
                expected: "the columns of one of them".to_owned(),
            });
        }
        let name = |name: &Option<String>, default: &str| name.clone().unwrap_or_else(|| default.to_owned());
        Ok(if let Some(messages) = options.messages.clone() {
            Some(Self::Messages { messages })
        } else if of_prompt {
            let (prompt, completion) = (name(&options.prompt, "prompt"), name(&options.completion, "completion"));
            Some(Self::Prompt { prompt, completion })
        } else if of_instruction {
            let (instruction, output) = (name(&options.instruction, "instruction"), name(&options.output, "output"));
            Some(Self::Instruction { instruction, input: options.input.clone(), output })
        } else {
            None
        })
    }

    /// The layout of a file with these columns.
    fn of_columns(found: &[String]) -> Option<Self> {
        let has = |name: &str| found.iter().any(|column| column.eq_ignore_ascii_case(name));
        let text = ToString::to_string;
        if has("messages") {
            Some(Self::Messages { messages: text(&"messages") })
        } else if has("prompt") && has("completion") {
            Some(Self::Prompt { prompt: text(&"prompt"), completion: text(&"completion") })
        } else if has("instruction") && has("output") {
            Some(Self::Instruction { instruction: text(&"instruction"), input: None, output: text(&"output") })
        } else {
            None
        }
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        match self {
            Self::Instruction { instruction, input, output } => {
                [Some(instruction), Some(output), input.as_ref()].into_iter().flatten().cloned().collect()
            }
            Self::Prompt { prompt, completion } => vec![prompt.clone(), completion.clone()],
            Self::Messages { messages } => vec![messages.clone()],
        }
    }

    /// The same layout with a column called `input`; `None` if the layout already has a column of inputs or cannot have one.
    fn with_input(&self) -> Option<Self> {
        match self {
            Self::Instruction { instruction, input: None, output } => Some(Self::Instruction {
                instruction: instruction.clone(),
                input: Some(INPUT.to_owned()),
                output: output.clone(),
            }),
            _ => None,
        }
    }
}

/// The training set at `path`, the evaluation set, if there is one, and their layout.
///
/// # Errors
///
/// [`InstructionError::Columns`], [`InstructionError::Row`], and files that cannot be read.
pub(super) fn read(
    path: &Path,
    options: &InstructionOptions,
) -> Result<(Layout, Rows, Option<Rows>), InstructionError> {
    let named = Layout::named(options)?;
    let (train, dev) = sets::pair(path, &["data"], options.dev.as_deref())?;
    let (layout, train) = with_layout(&train, named)?;
    let dev = dev.map(|dev| rows(&dev, &layout)).transpose()?;
    Ok((layout, train, dev))
}

/// The template of the rows about the invented world. It ends in a space, unlike Stanford's, because `llama-mini` was pre-trained
/// on lines with a space before each answer, and its vocabulary has other tokens for words without a leading space.
pub(super) const INVENTED_TEMPLATE: &str =
    "Instruction: {{ instruction }}\n{% if input %}{{ input }}\n{% endif %}Response: ";

/// Rows about the invented world. There is no separate evaluation set.
pub(super) fn invented() -> (Layout, Rows, Option<Rows>) {
    let row = |(row, line): (trivia::Row, usize)| {
        let trivia::Row { instruction, input, output } = row;
        Sample { content: Content::Pair { instruction, input, output }, line }
    };
    let samples = trivia::instructions(DATA_SEED, INVENTED_ROWS).into_iter().zip(1..).map(row).collect();
    let layout = Layout::Instruction {
        instruction: "instruction".to_owned(),
        input: Some(INPUT.to_owned()),
        output: "output".to_owned(),
    };
    (layout, Rows { source: "rows about an invented world".to_owned(), samples }, None)
}

/// The rows of a set, in the layout `named`, or in the layout that its columns have.
fn with_layout(files: &Files, named: Option<Layout>) -> Result<(Layout, Rows), InstructionError> {
    let layout = match named {
        Some(layout) => layout,
        None => {
            let alpaca =
                Layout::Instruction { instruction: "instruction".into(), input: None, output: "output".into() };
            // Most files have Alpaca's columns, so these are tried first. Such a file is read only once.
            let whole = alpaca.with_input().unwrap_or(alpaca);
            match rows(files, &whole) {
                Err(InstructionError::Table(TableError::MissingColumn { path, found, .. })) => {
                    Layout::of_columns(&found).ok_or(InstructionError::Columns { path, found })?
                }
                rows => return rows.map(|rows| (whole, rows)),
            }
        }
    };
    if let Some(with_input) = layout.with_input() {
        match rows(files, &with_input) {
            Err(InstructionError::Table(TableError::MissingColumn { expected, .. })) if expected == INPUT => {}
            rows => return rows.map(|rows| (with_input, rows)),
        }
    }
    let rows = rows(files, &layout)?;
    Ok((layout, rows))
}

fn rows(files: &Files, layout: &Layout) -> Result<Rows, InstructionError> {
    let columns = layout.columns();
    let reading = Reading { format: files.format, columns: Columns::Named(columns.clone()), skip_short_rows: false };
    let mut samples = Vec::new();
    for file in &files.paths {
        let path = file.display().to_string();
        for row in table::read(file, &reading)? {
            let content = match layout {
                Layout::Messages { .. } => {
                    let turns = row.cells.first().map_or(Err("no cell".to_owned()), turns);
                    let problem = |problem| InstructionError::Row { path: path.clone(), line: row.line, problem };
                    Content::Turns(turns.map_err(problem)?)
                }
                Layout::Instruction { .. } | Layout::Prompt { .. } => {
                    let mut texts = Vec::with_capacity(columns.len());
                    for (cell, column) in row.cells.iter().zip(&columns) {
                        let missing = || {
                            let (path, line, column) = (path.clone(), row.line, column.clone());
                            TableError::MissingValue { path, line, column }
                        };
                        texts.push(cell.text().ok_or_else(missing)?.into_owned());
                    }
                    let mut texts = texts.into_iter();
                    let mut next = || texts.next().unwrap_or_default();
                    let (instruction, output) = (next(), next());
                    Content::Pair { instruction, output, input: next() }
                }
            };
            samples.push(Sample { content, line: row.line });
        }
    }
    Ok(Rows { source: files.describe(), samples })
}

/// The turns in a cell.
fn turns(cell: &Cell) -> Result<Vec<Message>, String> {
    const EXPECTED: &str = "expected a list of objects with the texts `role` and `content`";
    let Cell::List(turns) = cell else { return Err(format!("a conversation is not a list; {EXPECTED}")) };
    if turns.is_empty() {
        return Err(format!("a conversation has no turn; {EXPECTED}"));
    }
    let turn = |(at, turn): (usize, &Cell)| {
        let field = |name: &str| {
            let Cell::Struct(fields) = turn else { return Err(format!("turn {}: not an object; {EXPECTED}", at + 1)) };
            let value = fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
            match value {
                Some(Cell::Text(text)) => Ok(text.clone()),
                Some(_) => Err(format!("`{name}` of turn {} is not a text; {EXPECTED}", at + 1)),
                None => Err(format!("turn {} has no `{name}`; {EXPECTED}", at + 1)),
            }
        };
        Ok(Message { role: field("role")?, content: field("content")? })
    };
    turns.iter().enumerate().map(turn).collect()
}
