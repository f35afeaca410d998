//! GLUE's tasks: one row of a table each.
//!
//! To add a task: a variant of [`Task`], its place in [`Task::ALL`], and a row here. Nothing else in the crate knows
//! a task's columns, labels or metrics.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::TaskError;
use crate::metrics::Metric;
use crate::table::{self, Columns, Example};

/// A benchmark task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Microsoft's paraphrase corpus: do two sentences mean the same?
    Mrpc,
    /// The corpus of linguistic acceptability: is a sentence grammatical?
    Cola,
}

/// What there is to know about a task.
#[derive(Debug)]
pub struct TaskRow {
    /// The name in recipes and on the command line.
    pub name: &'static str,
    /// The name in tables.
    pub title: &'static str,
    /// The labels as files write them; a class is an index into it.
    pub labels: &'static [&'static str],
    /// The score that the paper reports first.
    pub headline: Metric,
    /// Further scores.
    pub further: &'static [Metric],
    /// The layouts known, in the order in which a folder is searched; the first is GLUE's own.
    pub layouts: &'static [Layout],
}

/// A pair of files in which a task is distributed.
#[derive(Debug)]
pub struct Layout {
    /// File name of the training set.
    pub train: &'static str,
    /// File name of the development set.
    pub dev: &'static str,
    /// Where its columns are.
    pub columns: Columns,
}

/// A task's examples.
#[derive(Clone, Debug)]
pub struct Split {
    /// Examples to train on, in file order.
    pub train: Vec<Example>,
    /// Examples to measure on, in file order.
    pub dev: Vec<Example>,
    /// Where the training set came from: a path, or the name of an embedded set.
    pub train_name: String,
    /// Where the development set came from.
    pub dev_name: String,
}

const MRPC_COLUMNS: Columns = Columns::Named { first: "#1 String", second: Some("#2 String"), label: "Quality" };

const MRPC: TaskRow = TaskRow {
    name: "mrpc",
    title: "MRPC",
    labels: &["0", "1"],
    headline: Metric::Accuracy,
    further: &[Metric::F1],
    layouts: &[
        Layout { train: "train.tsv", dev: "dev.tsv", columns: MRPC_COLUMNS },
        Layout { train: "glue_train.tsv", dev: "glue_dev.tsv", columns: MRPC_COLUMNS },
        // The corpus as Microsoft ships it. GLUE's dev set was cut from its training file, so its test file, whose
        // labels are public, is what there is to measure on.
        Layout { train: "msr_paraphrase_train.txt", dev: "msr_paraphrase_test.txt", columns: MRPC_COLUMNS },
    ],
};

/// Source, label, the linguists' mark, sentence.
const COLA_COLUMNS: Columns = Columns::Positional { width: 4, first: 3, second: None, label: 1 };

const COLA: TaskRow = TaskRow {
    name: "cola",
    title: "CoLA",
    labels: &["0", "1"],
    headline: Metric::Matthews,
    further: &[Metric::Accuracy],
    layouts: &[
        Layout { train: "train.tsv", dev: "dev.tsv", columns: COLA_COLUMNS },
        Layout { train: "glue_train.tsv", dev: "glue_dev.tsv", columns: COLA_COLUMNS },
    ],
};

impl Task {
    /// Every task.
    pub const ALL: &[Self] = &[Self::Mrpc, Self::Cola];

    /// The task's row of the table.
    pub fn row(self) -> &'static TaskRow {
        match self {
            Self::Mrpc => &MRPC,
            Self::Cola => &COLA,
        }
    }

    /// The name in recipes and on the command line.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Number of classes.
    pub fn classes(self) -> usize {
        self.row().labels.len()
    }

    /// The headline score, then the further ones.
    pub fn metrics(self) -> impl Iterator<Item = Metric> {
        let row = self.row();
        std::iter::once(row.headline).chain(row.further.iter().copied())
    }

    /// Reads the task from a folder, by the first layout whose two files are there.
    ///
    /// # Errors
    ///
    /// [`TaskError::MissingData`] names every pair that was looked for; else what [`table::read`] refuses.
    pub fn read(self, folder: &Path) -> Result<Split, TaskError> {
        let row = self.row();
        let there = |name: &str| folder.join(name).is_file();
        let Some(layout) = row.layouts.iter().find(|layout| there(layout.train) && there(layout.dev)) else {
            return Err(TaskError::MissingData {
                task: row.name,
                folder: folder.to_owned(),
                looked_for: row.layouts.iter().map(|layout| format!("{} and {}", layout.train, layout.dev)).collect(),
            });
        };
        let (train, dev) = (folder.join(layout.train), folder.join(layout.dev));
        Ok(Split {
            train: table::read(&train, layout.columns, row.labels)?,
            dev: table::read(&dev, layout.columns, row.labels)?,
            train_name: train.display().to_string(),
            dev_name: dev.display().to_string(),
        })
    }

    /// Reads the task from texts in GLUE's layout, each with the name that errors call it.
    ///
    /// # Errors
    ///
    /// What [`table::parse`] refuses.
    pub fn parse(self, train: (&str, &str), dev: (&str, &str)) -> Result<Split, TaskError> {
        Ok(Split {
            train: self.parse_examples(train.0, train.1)?,
            dev: self.parse_examples(dev.0, dev.1)?,
            train_name: train.0.to_owned(),
            dev_name: dev.0.to_owned(),
        })
    }

    /// Reads one text in GLUE's layout, which errors call `name`.
    ///
    /// # Errors
    ///
    /// What [`table::parse`] refuses.
    pub fn parse_examples(self, name: &str, text: &str) -> Result<Vec<Example>, TaskError> {
        let row = self.row();
        table::parse(name, text, row.layouts[0].columns, row.labels)
    }
}

impl FromStr for Task {
    type Err = TaskError;

    fn from_str(name: &str) -> Result<Self, TaskError> {
        Self::ALL.iter().copied().find(|task| task.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            TaskError::UnknownTask { found: name.to_owned(), known: Self::ALL.iter().map(|task| task.name()).collect() }
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.row().title)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::scratch::Scratch;

    const GLUE: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tglue\tb\n";

    fn first_word(split: &Split) -> &str {
        &split.train[0].first
    }

    #[test]
    fn every_task_is_in_the_table_once() {
        for task in Task::ALL {
            assert_eq!(task.name().parse::<Task>().unwrap(), *task);
            assert!(!task.row().layouts.is_empty());
            assert!(task.classes() >= 2);
        }
        let error = "wnli".parse::<Task>().unwrap_err();
        assert!(error.to_string().contains("mrpc, cola"), "{error}");
    }

    #[test]
    fn both_layouts_of_mrpc_and_glue_first() {
        let folder = Scratch::new("glue-layouts");
        let original = format!("\u{feff}{}", GLUE.replace("glue", "original"));
        folder.write("msr_paraphrase_train.txt", original.as_bytes());
        folder.write("msr_paraphrase_test.txt", original.as_bytes());
        assert_eq!(first_word(&Task::Mrpc.read(folder.path()).unwrap()), "original");
        // Half a layout does not count.
        folder.write("glue_train.tsv", GLUE.as_bytes());
        assert_eq!(first_word(&Task::Mrpc.read(folder.path()).unwrap()), "original");
        folder.write("glue_dev.tsv", GLUE.as_bytes());
        let split = Task::Mrpc.read(folder.path()).unwrap();
        assert_eq!(first_word(&split), "glue");
        assert!(split.dev_name.ends_with("glue_dev.tsv"));
    }

    #[test]
    fn a_missing_file_names_all_that_were_looked_for() {
        let folder = Scratch::new("glue-missing");
        let error = Task::Mrpc.read(folder.path()).unwrap_err();
        assert!(matches!(error, TaskError::MissingData { .. }), "{error:?}");
        for layout in MRPC.layouts {
            assert!(error.to_string().contains(layout.train), "{error}");
            assert!(error.to_string().contains(layout.dev), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_found() {
        let folder = Scratch::new("glue-latin1");
        folder.write("train.tsv", b"gj04\t1\t\tIt is.\ngj04\t1\t\tcaf\xe9\n");
        folder.write("dev.tsv", b"gj04\t1\t\tIt is.\n");
        let error = Task::Cola.read(folder.path()).unwrap_err();
        assert!(matches!(error, TaskError::NotUtf8 { line: 2, .. }), "{error:?}");
    }

    #[test]
    fn embedded_texts() {
        let split = Task::Mrpc.parse(("paraphrase/train", GLUE), ("paraphrase/dev", GLUE)).unwrap();
        assert_eq!(split.train, split.dev);
        let error = Task::Cola.parse_examples("acceptability/dev", "").unwrap_err();
        assert!(error.to_string().starts_with("acceptability/dev"), "{error}");
        assert_eq!(Task::Cola.metrics().collect::<Vec<_>>(), [Metric::Matthews, Metric::Accuracy]);
    }

    /// Rows by `wc -l`, less the header; dev majority by INDEX.md.
    #[test]
    fn the_real_files() {
        let Some(shared) = crate::scratch::shared() else {
            return;
        };
        let mrpc = Task::Mrpc.read(&shared.join("data/MRPC")).unwrap();
        assert_eq!((mrpc.train.len(), mrpc.dev.len()), (3668, 408));
        let ones = mrpc.dev.iter().filter(|example| example.label == 1).count();
        assert_eq!(ones, 279);
        let cola = Task::Cola.read(&shared.join("data/CoLA")).unwrap();
        assert_eq!((cola.train.len(), cola.dev.len()), (8551, 1043));
        assert!(cola.dev.iter().all(|example| !example.first.is_empty()));
        let original = MRPC.layouts[2].columns;
        for (name, rows) in [("msr_paraphrase_train.txt", 4076), ("msr_paraphrase_test.txt", 1725)] {
            let path = shared.join("data/MRPC").join(name);
            assert_eq!(table::read(&path, original, MRPC.labels).unwrap().len(), rows);
        }
    }
}
