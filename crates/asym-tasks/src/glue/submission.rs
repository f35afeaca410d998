//! What GLUE's server takes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Task;
use crate::error::TaskError;
use crate::run::write_whole;
use crate::table::{Answers, Target};

/// Writes a submission file of `task` into `folder` for each of its test sets: a header, then the number of each row
/// and the answer as GLUE's files write it. Returns the files.
///
/// # Errors
///
/// What the system refuses.
pub fn write_submission(task: Task, answers: &[Vec<Target>], folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    std::fs::create_dir_all(folder).map_err(|source| TaskError::Io { path: folder.to_owned(), source })?;
    let mut written = Vec::new();
    for (name, answers) in task.row().submissions.iter().zip(answers) {
        let mut text = String::from("index\tprediction\n");
        for (index, answer) in answers.iter().enumerate() {
            let _ = writeln!(text, "{index}\t{}", spell(task.row().answers, *answer));
        }
        let path = folder.join(name);
        write_whole(&path, text.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// The answer as GLUE's files write it.
pub(crate) fn spell(answers: Answers, answer: Target) -> String {
    match (answers, answer) {
        (Answers::Classes { spelt, .. }, Target::Class(class)) => {
            spelt.get(class).map_or_else(String::new, ToString::to_string)
        }
        // The server refuses what lies outside the scale.
        (Answers::Score { least, most }, Target::Score(score)) => format!("{:.3}", score.clamp(least, most)),
        _ => String::new(),
    }
}
