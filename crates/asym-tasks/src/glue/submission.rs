//! Submission files for GLUE's server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use asym_core::write_whole;

use super::dataset::Dataset;
use super::error::GlueError;
use crate::text::Target;

/// Writes a submission file into `folder` for each test set of `dataset`. A file has a header and, for each row, the index of the
/// row and the answer in the spelling of GLUE's files. Returns the paths of the files.
///
/// # Errors
///
/// [`GlueError::Io`].
pub fn write_submission(dataset: Dataset, answers: &[Vec<Target>], folder: &Path) -> Result<Vec<PathBuf>, GlueError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GlueError::Io { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut written = Vec::new();
    for (name, answers) in dataset.row().submissions.iter().zip(answers) {
        let mut text = String::from("index\tprediction\n");
        for (index, answer) in answers.iter().enumerate() {
            let _ = writeln!(text, "{index}\t{}", dataset.row().answers.spell(answer));
        }
        let path = folder.join(name);
        write_whole(&path, text.as_bytes()).map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}
