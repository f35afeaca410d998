//! The layouts of the files in which a data set is distributed.

use asym_data::table;

/// The columns of a file that contain the texts and the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// Columns with names.
    Named {
        /// The text, or the first of a pair.
        first: &'static str,
        /// The second text of a pair.
        second: Option<&'static str>,
        /// The label. `None` in a test set.
        label: Option<&'static str>,
    },
    /// A file without a header. Columns are counted from 0.
    Positional {
        /// The number of columns in each row.
        width: usize,
        /// The text.
        first: usize,
        /// The label.
        label: usize,
    },
}

impl Columns {
    pub(super) fn is_pair(self) -> bool {
        matches!(self, Self::Named { second: Some(_), .. })
    }

    pub(super) fn has_label(self) -> bool {
        !matches!(self, Self::Named { label: None, .. })
    }

    /// The same columns without the label.
    pub(super) fn without_label(self) -> Self {
        match self {
            Self::Named { first, second, .. } => Self::Named { first, second, label: None },
            positional @ Self::Positional { .. } => positional,
        }
    }

    /// The columns to read: the text, the second text of a pair, and the label, if there is one.
    pub(super) fn wanted(self) -> table::Columns {
        match self {
            Self::Named { first, second, label } => {
                table::Columns::Named([Some(first), second, label].into_iter().flatten().map(str::to_owned).collect())
            }
            Self::Positional { width, first, label } => {
                table::Columns::Positional { width, wanted: vec![first, label] }
            }
        }
    }
}

/// A set of files in which a data set is distributed.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub(super) train: &'static str,
    pub(super) dev: &'static [&'static str],
    pub(super) tests: &'static [&'static str],
    pub(super) columns: Columns,
    pub(super) test_columns: Columns,
    pub(super) naming: Naming,
    pub(super) skip_short_rows: bool,
}

/// The meaning of the names in a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The full names of GLUE's TSV files.
    Files,
    /// Names without the extension, for one or several files in any supported format.
    Stems,
}

impl Layout {
    /// A layout of GLUE's TSV files, with their full names.
    pub(super) const fn files(
        train: &'static str,
        dev: &'static [&'static str],
        columns: Columns,
        tests: &'static [&'static str],
        test_columns: Columns,
    ) -> Self {
        Self { train, dev, tests, columns, test_columns, naming: Naming::Files, skip_short_rows: false }
    }

    /// A layout as on the Hub. A set has one or several files, and their extension determines the format.
    pub(super) const fn stems(
        train: &'static str,
        dev: &'static [&'static str],
        tests: &'static [&'static str],
        columns: Columns,
    ) -> Self {
        Self { train, dev, tests, columns, test_columns: columns, naming: Naming::Stems, skip_short_rows: false }
    }

    /// The same layout, except that rows with too few columns are skipped.
    pub(super) const fn skip_short_rows(self) -> Self {
        Self { skip_short_rows: true, ..self }
    }

    pub(super) fn is_pair(&self) -> bool {
        self.columns.is_pair()
    }

    /// The files called `names`, for the message that they are missing.
    pub(super) fn describe(&self, names: &[&str]) -> String {
        let names: Vec<String> = match self.naming {
            Naming::Files => names.iter().map(ToString::to_string).collect(),
            Naming::Stems => names.iter().map(|name| format!("{name}.parquet (or .jsonl, .csv)")).collect(),
        };
        names.join(" and ")
    }
}
