//! What can be wrong with a benchmark's files, a tokenizer or a run, each with where it is and what to do.

use std::path::PathBuf;

/// An error of the library below the tokenizer, whose own type is this box.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that asym-tasks refuses, or that stops a run.
///
/// `path` is the file as it was asked for; for a data set that is compiled in, its display name. `line` counts from 1.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// What a `tokenizer.model`, or a file beside it, was refused for.
    #[error(transparent)]
    SentencePiece(#[from] crate::tokenizer::SentencePieceError),
    /// A task's name is none of those known.
    #[error("there is no task `{found}`{}; write one of {}", near(*.nearest), known.join(", "))]
    UnknownTask {
        /// The name that was given.
        found: String,
        /// The name that it comes nearest to.
        nearest: Option<&'static str>,
        /// Every task's name.
        known: Vec<&'static str>,
    },

    /// A folder has no complete set of a task's files.
    #[error("{}: no data of task {task} here; looked for {}, here and in the task's own folder below: put one of these \
        there, or point --data elsewhere", folder.display(), looked_for.join("; or "))]
    MissingData {
        /// The task's name.
        task: &'static str,
        /// The folder that was searched.
        folder: PathBuf,
        /// Each set of files that would have done.
        looked_for: Vec<String>,
    },

    /// A data set lies in several files, of which one is not there.
    #[error("{}: of its {expected} parts {found} are in this folder; fetch the missing ones", path.display())]
    MissingShard {
        /// The first part.
        path: PathBuf,
        /// Parts by the files' names.
        expected: usize,
        /// Parts that are there.
        found: usize,
    },

    /// A file that was named is not there.
    #[error("{}: no such file; looked for {}", folder.display(), looked_for.join(", or "))]
    MissingFile {
        /// The folder that was searched.
        folder: PathBuf,
        /// Each file name, or group of names, that would have done.
        looked_for: Vec<&'static str>,
    },

    /// The operating system refused a file.
    #[error("{}: {source}; check that the path exists and may be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// The `csv` crate could not split a file into records.
    #[error("{path}: its rows cannot be told apart: {source}")]
    Csv {
        /// The file.
        path: String,
        /// What the reader said.
        source: csv::Error,
    },

    /// A line is no JSON object.
    #[error("{path}:{line}: not a JSON object: {source}; JSON lines hold one object per line")]
    Json {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// What the reader said.
        source: serde_json::Error,
    },

    /// A Parquet file cannot be read.
    #[error(
        "{path}: not a Parquet file that can be read: {source}; fetch it again, or save it with Snappy compression"
    )]
    Parquet {
        /// The file.
        path: String,
        /// What the reader said.
        source: Source,
    },

    /// A row has nothing, or neither text nor number, where a text or label should be.
    #[error("{path}: row {line}: no text or number in column `{column}`; repair or remove the row")]
    MissingValue {
        /// The file.
        path: String,
        /// The line, or the row of a Parquet file.
        line: usize,
        /// The column.
        column: String,
    },

    /// A quote is opened and never closed, so that the rest of the file would be one cell.
    #[error(
        "{path}:{line}: a cell begins with a quote that nothing closes; write each \" of a text twice, or name the file as \
        GLUE does (dev.tsv), whose quotes are text"
    )]
    OpenQuote {
        /// The file.
        path: String,
        /// The line of the cell.
        line: usize,
    },

    /// A file is quoted as CSV, where GLUE's layout has none.
    #[error(
        "{path}:{line}: this file is quoted as CSV is (each \" written twice), and GLUE's .tsv files are not; \
        write it without quoting, or as validation.csv and the like, with the columns of the Hub's data set"
    )]
    QuotedTsv {
        /// The file.
        path: String,
        /// The first line that shows it.
        line: usize,
    },

    /// A file holds no example (a header at most).
    #[error("{path}: the file holds no example; fetch it again")]
    EmptyFile {
        /// The file.
        path: String,
    },

    /// A file is not UTF-8.
    #[error("{path}:{line}: not UTF-8; convert the file (for instance with iconv -t UTF-8)")]
    NotUtf8 {
        /// The file.
        path: String,
        /// The line of the first bad byte.
        line: usize,
    },

    /// A header lacks a column that the task needs.
    #[error("{path}:1: the header has no column `{expected}` (found: {}); is this another task's file?", found.join(", "))]
    MissingColumn {
        /// The file.
        path: String,
        /// The column's name.
        expected: &'static str,
        /// The columns that the header names.
        found: Vec<String>,
    },

    /// A row has too few columns, or so many that a tab must stand inside a sentence.
    #[error("{path}:{line}: {expected} columns expected, {found} found; repair or remove the line")]
    ColumnCount {
        /// The file.
        path: String,
        /// The row's line.
        line: usize,
        /// Columns that the layout has.
        expected: usize,
        /// Columns that the row has.
        found: usize,
    },

    /// A label is none of the task's.
    #[error("{path}:{line}: label `{found}` is not one of {}; is this another task's file, or a test file without labels?",
        allowed.join(", "))]
    UnknownLabel {
        /// The file.
        path: String,
        /// The row's line.
        line: usize,
        /// What the label column holds.
        found: String,
        /// The task's labels as files write them.
        allowed: &'static [&'static str],
    },

    /// A label is no number of the task's range.
    #[error(
        "{path}:{line}: score `{found}` is no number from {least} to {most}; is this another task's file, or a test \
        file without labels?"
    )]
    UnknownScore {
        /// The file.
        path: String,
        /// The row's line.
        line: usize,
        /// What the label column holds.
        found: String,
        /// The least score.
        least: f32,
        /// The largest score.
        most: f32,
    },

    /// A tokenizer's files cannot be understood.
    #[error("{path}: the tokenizer cannot be read: {source}; fetch it again, or save it anew with transformers")]
    UnreadableTokenizer {
        /// The file, or the name of the bytes.
        path: String,
        /// What the tokenizers crate said.
        source: Source,
    },

    /// A vocabulary lacks a token that its family of models cannot do without.
    #[error("{path}: the vocabulary has no `{token}`; these are not RoBERTa's vocab.json and merges.txt")]
    MissingToken {
        /// The vocabulary.
        path: String,
        /// The token.
        token: &'static str,
    },

    /// A tokenizer surrounds a text with nothing, where an encoder's head reads the first special token.
    #[error(
        "{path}: the tokenizer adds no special tokens, yet the classifier reads the first one; \
        use the tokenizer.json that belongs to the checkpoint"
    )]
    NoSpecialTokens {
        /// The tokenizer.
        path: String,
    },

    /// A tokenizer can give ids that the model has no embedding for.
    #[error(
        "{path}: the tokenizer is larger than the model's embedding: token `{token}` has id {id}, \
        the model's vocab_size is {vocab_size}; use the tokenizer that belongs to the checkpoint"
    )]
    TokenizerTooLarge {
        /// The tokenizer.
        path: String,
        /// The token of the largest id.
        token: String,
        /// That id.
        id: usize,
        /// Rows of the model's word embedding.
        vocab_size: usize,
    },

    /// A tokenizer marks segments that the model has no embedding for.
    #[error(
        "{path}: the tokenizer gives segment (token type) {found}, the model's type_vocab_size is {type_vocab_size}; \
        use the tokenizer that belongs to the checkpoint"
    )]
    TooManySegments {
        /// The tokenizer.
        path: String,
        /// The largest segment it gives.
        found: usize,
        /// Rows of the model's token type embedding.
        type_vocab_size: usize,
    },

    /// Tokenizer and model pad with different ids.
    #[error(
        "{path}: the tokenizer pads with id {tokenizer}, the model's pad_token_id is {model}; \
        use the tokenizer that belongs to the checkpoint"
    )]
    PadMismatch {
        /// The tokenizer.
        path: String,
        /// The tokenizer's padding id.
        tokenizer: usize,
        /// The model's `pad_token_id`.
        model: usize,
    },

    /// A text could not be encoded.
    #[error("line {line}: the text cannot be encoded: {source}")]
    Encode {
        /// The example's line in its file.
        line: usize,
        /// What the tokenizers crate said.
        source: Source,
    },

    /// No text fits beside the special tokens.
    #[error("max length {max_length} leaves no room for text beside the special tokens; give at least {minimum}")]
    MaxLengthTooSmall {
        /// Tokens per example, special tokens included.
        max_length: usize,
        /// The least that does.
        minimum: usize,
    },

    /// A sequence may become longer than the model has positions.
    #[error("max length {max_length} is above the {positions} positions of the model; give at most {positions}")]
    MaxLengthTooLarge {
        /// Tokens per example, special tokens included.
        max_length: usize,
        /// Tokens that the model has position embeddings for.
        positions: usize,
    },

    /// A batch of no example.
    #[error("the batch size is 0; give at least 1")]
    ZeroBatchSize,

    /// A run would overwrite another.
    #[error("{}: exists already; name another output folder, or remove this one", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },

    /// A setting outside its range.
    #[error("`{field}` is {found}: it must be {expected}")]
    Setting {
        /// The field of the recipe, or the option.
        field: &'static str,
        /// What was given.
        found: f64,
        /// The range that is allowed.
        expected: &'static str,
    },

    /// A method's name is none of those known.
    #[error("there is no method `{found}`; write one of {expected}")]
    UnknownMethod {
        /// The name that was given.
        found: String,
        /// The forms that are understood.
        expected: &'static str,
    },

    /// A row to compare with that is none of the table's.
    #[error("the table has no row `{found}` to compare with; its rows are {}", listed.join(", "))]
    UnknownReference {
        /// The name that was given.
        found: String,
        /// The names of the rows.
        listed: Vec<String>,
    },

    /// A recipe that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Recipe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Source,
    },

    /// A key of a recipe, or a word in it, that nobody knows.
    #[error("{}: there is no `{found}` here{}; write one of {}", path.display(), near(nearest.as_deref()), known.join(", "))]
    RecipeKey {
        /// The file.
        path: PathBuf,
        /// What stands there.
        found: String,
        /// The word that it comes nearest to.
        nearest: Option<String>,
        /// The words that may stand there.
        known: Vec<String>,
    },

    /// Something is listed twice.
    #[error("`{found}` stands twice in {field}; write it once")]
    Repeated {
        /// The list.
        field: &'static str,
        /// The item.
        found: String,
    },

    /// A change of a recipe that cannot be made.
    #[error(
        "`{found}` changes no recipe; write key=value, with dots into tables, as in epochs=3 or tuning.adapter.rank=4"
    )]
    Override {
        /// What was given.
        found: String,
    },

    /// A batch could not be made.
    #[error("a batch could not be made: {source}")]
    Input {
        /// What the loader said.
        source: Source,
    },

    /// What the Hub, or the way to it, refused.
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),

    /// What asym-core refused.
    #[error(transparent)]
    Adapter(#[from] asym_core::AdapterError),

    /// What asym-models refused.
    #[error(transparent)]
    Model(#[from] asym_models::ModelError),

    /// Burn's training stopped on an error.
    #[error("training stopped: {source}")]
    Training {
        /// Burn's error.
        source: std::sync::Arc<burn::train::TrainingError>,
    },

    /// Somebody asked to stop.
    #[error("stopped on request; nothing was written")]
    Interrupted,

    /// The loss or its gradient is NaN or infinite.
    #[error(
        "the loss is {loss}, the gradient's norm {gradient_norm}, at step {step} (learning rate {learning_rate:e}): \
        the run stops, the last good adapter is kept; lower the learning rate, lengthen the warm-up or clip the gradient's norm"
    )]
    NonFiniteLoss {
        /// The loss.
        loss: f64,
        /// The norm of its gradient over all trained parameters.
        gradient_norm: f64,
        /// The optimizer step, counted from 1.
        step: usize,
        /// The learning rate at that step.
        learning_rate: f64,
    },
}

/// What is appended to an unknown name.
fn near(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}

/// The word of `known` that `found` comes nearest to, if it comes near at all.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&found, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
