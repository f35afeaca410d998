//! The questions of MMLU, from the benchmark's archive or from the Hub.

use std::path::{Path, PathBuf};

use asym_data::table::{self, Cell, Columns, Files, Format, Reading, Row};

use super::error::MmluError;
use super::subjects::Subject;
use crate::names::nearest;

/// The letters of the answers.
pub const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

/// A split of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Five questions per subject: the examples of few-shot prompts.
    Dev,
    /// About 1530 questions in all; the number depends on the edition of the files.
    Validation,
    /// 14 042 questions in all.
    Test,
}

impl Split {
    /// The split of this name: `dev`, `val` or `validation`, `test`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "dev" => Some(Self::Dev),
            "val" | "validation" => Some(Self::Validation),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// The name in the benchmark's archive.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Validation => "val",
            Self::Test => "test",
        }
    }

    /// The name on the Hub.
    pub const fn hub(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            other => other.name(),
        }
    }
}

/// A question with four answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The subject.
    pub subject: Subject,
    /// The index of the question in its file, from 0.
    pub number: usize,
    /// The text.
    pub text: String,
    /// The answers A to D.
    pub choices: [String; 4],
    /// The index of the right answer.
    pub right: usize,
}

/// The subjects with these names, in alphabetical order. If `names` is empty, all subjects.
///
/// # Errors
///
/// [`MmluError::UnknownSubject`].
pub fn subjects(names: &[String]) -> Result<Vec<Subject>, MmluError> {
    if names.is_empty() {
        return Ok(Subject::all().collect());
    }
    let named = |name: &String| {
        Subject::named(name.trim()).ok_or_else(|| MmluError::UnknownSubject {
            found: name.clone(),
            nearest: nearest(name, Subject::all().map(Subject::name)).map(ToOwned::to_owned),
        })
    };
    let mut found = names.iter().map(named).collect::<Result<Vec<Subject>, _>>()?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether a file of the data set on the Hub belongs to one of these subjects and splits.
pub fn wanted(path: &str, subjects: &[Subject], splits: &[Split]) -> bool {
    let Some((folder, file)) = path.split_once('/') else { return false };
    let is_split = |split: &Split| file.starts_with(&format!("{}-", split.hub())) && file.ends_with(".parquet");
    subjects.iter().any(|subject| subject.name() == folder) && splits.iter().any(is_split)
}

/// Read the questions of a split, with one list per subject.
///
/// # Errors
///
/// [`MmluError::NoFiles`], [`MmluError::MissingSubject`], [`MmluError::Row`], and the errors of tables.
pub fn read(folder: &Path, split: Split, subjects: &[Subject]) -> Result<Vec<Vec<Question>>, MmluError> {
    let files = subjects.iter().map(|subject| files(folder, split, *subject)).collect::<Result<Vec<_>, _>>()?;
    let missing: Vec<&Subject> =
        subjects.iter().zip(&files).filter(|(_, files)| files.is_none()).map(|(s, _)| s).collect();
    match missing.as_slice() {
        [] => {}
        all if all.len() == subjects.len() && all.len() > 1 => {
            return Err(MmluError::NoFiles { folder: folder.to_owned(), split: split.name(), hub: split.hub() });
        }
        [first, others @ ..] => {
            return Err(MmluError::MissingSubject {
                folder: folder.to_owned(),
                subject: first.name(),
                split: split.name(),
                others: others.len(),
            });
        }
    }
    subjects.iter().zip(files.into_iter().flatten()).map(|(subject, files)| of_subject(*subject, &files)).collect()
}

/// The files of a subject, if there are any.
fn files(folder: &Path, split: Split, subject: Subject) -> Result<Option<Files>, MmluError> {
    let archive: PathBuf = folder.join(split.name());
    if let Some(files) = Files::find(&archive, &format!("{}_{}", subject.name(), split.name()))? {
        return Ok(Some(files));
    }
    Ok(Files::find(&folder.join(subject.name()), split.hub())?)
}

fn of_subject(subject: Subject, files: &Files) -> Result<Vec<Question>, MmluError> {
    let columns = match files.format {
        Format::Parquet | Format::Json => Columns::Named(["question", "choices", "answer"].map(String::from).into()),
        Format::Csv | Format::Tsv => Columns::Positional { width: 6, wanted: (0..6).collect() },
    };
    let reading = Reading { format: files.format, columns, skip_short_rows: false };
    let mut questions = Vec::new();
    for path in &files.paths {
        for row in table::read(path, &reading)? {
            let number = questions.len();
            let (text, choices, right) = question(&row).map_err(|problem| MmluError::Row {
                path: path.display().to_string(),
                line: row.line,
                problem,
            })?;
            questions.push(Question { subject, number, text, choices, right });
        }
    }
    Ok(questions)
}

/// The text, the answers, and the index of the right answer.
fn question(row: &Row) -> Result<(String, [String; 4], usize), String> {
    let text = |cell: &Cell| cell.text().map(|text| text.into_owned()).ok_or_else(|| "a text is expected".to_string());
    let (question, choices, answer) = match row.cells.as_slice() {
        [question, Cell::List(choices), answer] => (question, choices.as_slice(), answer),
        [question, choices @ .., answer] => (question, choices, answer),
        _ => return Err("a question, four answers and the right answer are expected".to_string()),
    };
    let choices = choices.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let count = choices.len();
    let choices = <[String; 4]>::try_from(choices).map_err(|_| format!("{count} answers, but four are expected"))?;
    let right = match answer {
        Cell::Integer(number) => usize::try_from(*number).ok().filter(|number| *number < 4),
        other => other.text().and_then(|text| LETTERS.iter().position(|letter| text.trim() == letter.to_string())),
    };
    let right = right.ok_or_else(|| {
        format!("the right answer is `{}`, but A, B, C or D is expected", answer.text().unwrap_or_default())
    })?;
    Ok((text(question)?, choices, right))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn both_layouts_give_the_same_questions() {
        let folder = Scratch::new("mmlu-questions");
        for place in ["val", "anatomy"] {
            std::fs::create_dir_all(folder.path().join(place)).unwrap();
        }
        folder.write("val/anatomy_val.csv", b"\"Which;\n\"\"one\"\"?\",a,\"b, c\",,1,C\nAnd?,1,2,3,4,A\n");
        let anatomy = subjects(&["anatomy".to_string()]).unwrap();
        let archive = read(folder.path(), Split::Validation, &anatomy).unwrap();
        assert_eq!(archive[0].len(), 2);
        assert_eq!(archive[0][0].text, "Which;\n\"one\"?");
        assert_eq!((archive[0][0].choices.clone(), archive[0][0].right), (["a", "b, c", "", "1"].map(String::from), 2));
        std::fs::remove_dir_all(folder.path().join("val")).unwrap();
        let lines = "{\"question\":\"Which;\\n\\\"one\\\"?\",\"choices\":[\"a\",\"b, c\",\"\",\"1\"],\"answer\":2}\n\
                     {\"question\":\"And?\",\"choices\":[\"1\",\"2\",\"3\",\"4\"],\"answer\":0}\n";
        folder.write("anatomy/validation.jsonl", lines.as_bytes());
        assert_eq!(read(folder.path(), Split::Validation, &anatomy).unwrap(), archive);
        folder.write("anatomy/validation.jsonl", b"{\"question\":\"q\",\"choices\":[\"1\",\"2\"],\"answer\":0}\n");
        let error = read(folder.path(), Split::Validation, &anatomy).unwrap_err();
        assert!(error.to_string().contains("2 answers, but four are expected"), "{error}");
    }

    #[test]
    fn hub_files_are_selected_by_subject_and_split() {
        let anatomy = subjects(&["anatomy".to_string()]).unwrap();
        let is_wanted = |path| wanted(path, &anatomy, &[Split::Validation]);
        assert!(is_wanted("anatomy/validation-00000-of-00001.parquet"));
        for other in ["anatomy/test-00000-of-00001.parquet", "all/validation-00000-of-00001.parquet", "README.md"] {
            assert!(!is_wanted(other), "{other}");
        }
    }

    /// The real files, if they are available.
    #[test]
    fn real_files_are_read() {
        let Some(folder) = std::env::var_os("ASYM_SHARED").map(|shared| Path::new(&shared).join("data/mmlu")) else {
            return eprintln!("skipped: ASYM_SHARED is not set");
        };
        let count =
            |split| -> usize { read(&folder, split, &subjects(&[]).unwrap()).unwrap().iter().map(Vec::len).sum() };
        assert_eq!((count(Split::Dev), count(Split::Validation)), (285, 1529));
    }
}
