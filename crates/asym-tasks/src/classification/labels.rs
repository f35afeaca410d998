//! The kind of the answers, the names of the labels, and the answer of each row.

use std::collections::BTreeSet;

use asym_data::Cell;

use super::error::ClassificationError;
use super::files::{Named, Raw, Rows};
use super::options::ClassificationOptions;
use crate::text::{Problem, Target};

/// The maximum number of different numbers that are treated as classes. Star ratings and codes are below it, but prices are not.
const NUMBERS: usize = 100;

/// The kind of answers, and the names of the labels in the order of the model's outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The kind of answers.
    pub problem: Problem,
    /// The names of the labels; empty for scores.
    pub names: Vec<String>,
}

impl Labels {
    /// The kind of the answers in `rows` and the names of the labels. If `options` do not set the kind, it is inferred. Several
    /// columns, a separator or a list mean any number of labels. Numbers are scores if one of them has a fraction. All other
    /// answers are classes.
    ///
    /// # Errors
    ///
    /// A cell without an answer, answers that are all equal, and classes that are all different or are too many numbers.
    pub fn of(rows: &Rows, named: &Named, options: &ClassificationOptions) -> Result<Self, ClassificationError> {
        let problem = options.problem_type.unwrap_or_else(|| infer(rows, named, options));
        let mut labels = Self { problem, names: Vec::new() };
        match problem {
            Problem::Score => labels.check_scores(rows, named)?,
            Problem::Classes => labels.names = classes(rows, named)?,
            Problem::Labels => labels.names = label_names(rows, named, options)?,
        }
        if let Some(given) = &options.labels {
            labels.names.clone_from(given);
            let help = "remove the setting `labels` to use the labels of the file, or add this label to it";
            rows.rows.iter().try_for_each(|raw| labels.find(&rows.source, raw, named, options, help).map(drop))?;
        }
        Ok(labels)
    }

    /// The number of outputs that a model needs.
    pub fn outputs(&self) -> usize {
        if self.problem == Problem::Score { 1 } else { self.names.len() }
    }

    /// The answer of a row of the file `source`.
    ///
    /// # Errors
    ///
    /// An unknown label, and a cell without an answer.
    pub fn target(
        &self,
        source: &str,
        raw: &Raw,
        named: &Named,
        options: &ClassificationOptions,
    ) -> Result<Target, ClassificationError> {
        let help = "correct the row, or add examples with this label to the training set";
        self.find(source, raw, named, options, help)
    }

    /// The answer of a row; `help` says how to resolve the error of an unknown label.
    fn find(
        &self,
        source: &str,
        raw: &Raw,
        named: &Named,
        options: &ClassificationOptions,
        help: &'static str,
    ) -> Result<Target, ClassificationError> {
        let index = |found: String| {
            self.names.iter().position(|name| *name == found).ok_or_else(|| ClassificationError::UnknownLabel {
                path: source.to_owned(),
                line: raw.line,
                found,
                known: self.names.clone(),
                help,
            })
        };
        match self.problem {
            Problem::Score => Ok(Target::Score(number(source, raw, named)? as f32)),
            Problem::Classes => Ok(Target::Class(index(class(source, raw, named)?)?)),
            Problem::Labels => {
                let found = own_labels(source, raw, named, options)?;
                let found = found.into_iter().map(index).collect::<Result<BTreeSet<_>, _>>()?;
                Ok(Target::Labels(found.into_iter().collect()))
            }
        }
    }

    fn check_scores(&self, rows: &Rows, named: &Named) -> Result<(), ClassificationError> {
        let numbers: Vec<f64> =
            rows.rows.iter().map(|raw| number(&rows.source, raw, named)).collect::<Result<_, _>>()?;
        match numbers.first() {
            Some(first) if numbers.iter().all(|number| number == first) => {
                Err(constant(rows, named, first.to_string()))
            }
            _ => Ok(()),
        }
    }
}

fn infer(rows: &Rows, named: &Named, options: &ClassificationOptions) -> Problem {
    let cells = || rows.rows.iter().flat_map(|raw| &raw.answer);
    let is_fraction = |cell: &Cell| parsed(cell).is_some_and(|number| number.fract() != 0.0);
    if named.label.all().len() > 1 || options.separator.is_some() || cells().any(|cell| matches!(cell, Cell::List(_))) {
        Problem::Labels
    } else if cells().all(|cell| parsed(cell).is_some()) && cells().any(is_fraction) {
        Problem::Score
    } else {
        Problem::Classes
    }
}

/// The names of the classes. Numbers are in ascending order, words in alphabetical order.
fn classes(rows: &Rows, named: &Named) -> Result<Vec<String>, ClassificationError> {
    let found: BTreeSet<String> =
        rows.rows.iter().map(|raw| class(&rows.source, raw, named)).collect::<Result<_, _>>()?;
    let names = sorted(found);
    let (path, column) = (rows.source.clone(), column(named));
    if let [only] = names.as_slice()
        && rows.rows.len() > 1
    {
        return Err(constant(rows, named, only.clone()));
    }
    let numeric = names.iter().all(|name| name.parse::<f64>().is_ok());
    if numeric && names.len() > NUMBERS {
        return Err(ClassificationError::ManyNumbers { path, column, found: names.len(), most: NUMBERS });
    }
    if names.len() == rows.rows.len() && names.len() > 2 {
        return Err(ClassificationError::AllDifferent { path, column, rows: names.len() });
    }
    Ok(names)
}

/// The names of the labels if each example can have any number of labels.
fn label_names(
    rows: &Rows,
    named: &Named,
    options: &ClassificationOptions,
) -> Result<Vec<String>, ClassificationError> {
    let mut found = BTreeSet::new();
    for raw in &rows.rows {
        found.extend(own_labels(&rows.source, raw, named, options)?);
    }
    if found.is_empty() {
        return Err(constant(rows, named, "no label".to_string()));
    }
    let columns = named.label.all();
    Ok(if columns.len() > 1 { columns.to_vec() } else { sorted(found) })
}

fn sorted(names: BTreeSet<String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    let number = |name: &String| name.parse::<f64>().ok().filter(|number| number.is_finite());
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by(|a, b| f64::total_cmp(&number(a).unwrap_or(0.0), &number(b).unwrap_or(0.0)));
    }
    names
}

/// The class of a row.
fn class(source: &str, raw: &Raw, named: &Named) -> Result<String, ClassificationError> {
    let cell = raw.answer.first();
    cell.and_then(name)
        .ok_or_else(|| wrong(source, raw, &column(named), cell, "a label (a word, a number, true or false)"))
}

/// The score of a row.
fn number(source: &str, raw: &Raw, named: &Named) -> Result<f64, ClassificationError> {
    let cell = raw.answer.first();
    let number = cell.and_then(parsed).filter(|number| number.is_finite());
    number.ok_or_else(|| wrong(source, raw, &column(named), cell, "a finite number"))
}

/// The labels of a row.
fn own_labels(
    source: &str,
    raw: &Raw,
    named: &Named,
    options: &ClassificationOptions,
) -> Result<Vec<String>, ClassificationError> {
    let columns = named.label.all();
    if columns.len() > 1 {
        let mut found = Vec::new();
        for (column, cell) in columns.iter().zip(&raw.answer) {
            match flag(cell) {
                Some(true) => found.push(column.clone()),
                Some(false) => {}
                None => return Err(wrong(source, raw, column, Some(cell), "0, 1, false or true")),
            }
        }
        return Ok(found);
    }
    let expected = "a list of labels";
    match (raw.answer.first(), &options.separator) {
        (Some(cell @ Cell::List(list)), _) => list
            .iter()
            .map(|label| name(label).ok_or_else(|| wrong(source, raw, &column(named), Some(cell), expected)))
            .collect(),
        (Some(cell), Some(separator)) if !separator.is_empty() => {
            let text = cell.text().unwrap_or_default();
            let labels = text.split(separator.as_str()).map(str::trim).filter(|label| !label.is_empty());
            Ok(labels.map(ToOwned::to_owned).collect())
        }
        _ => Err(ClassificationError::Missing {
            setting: "separator",
            how: "set the text that separates several labels in one cell, as in task.separator=\";\"",
        }),
    }
}

/// The name of the label in a cell. A whole number that is written as a float loses its `.0`. pandas writes whole numbers in this
/// way if a value is missing in the column.
fn name(cell: &Cell) -> Option<String> {
    let name = cell.text()?;
    let name = name.trim();
    let whole = name.strip_suffix(".0").filter(|whole| whole.parse::<i64>().is_ok());
    Some(whole.unwrap_or(name).to_owned()).filter(|name| !name.is_empty())
}

fn parsed(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Integer(number) => Some(*number as f64),
        Cell::Float(number) => Some(*number),
        Cell::Boolean(_) | Cell::List(_) | Cell::Bytes(_) | Cell::Struct(_) => None,
    }
}

fn flag(cell: &Cell) -> Option<bool> {
    match name(cell)?.to_lowercase().as_str() {
        "0" | "false" => Some(false),
        "1" | "true" => Some(true),
        _ => None,
    }
}

fn column(named: &Named) -> String {
    named.label.all().join(", ")
}

fn constant(rows: &Rows, named: &Named, found: String) -> ClassificationError {
    ClassificationError::Constant { path: rows.source.clone(), column: column(named), found }
}

fn wrong(source: &str, raw: &Raw, column: &str, cell: Option<&Cell>, expected: &'static str) -> ClassificationError {
    let found = cell.and_then(|cell| cell.text().map(|text| text.into_owned())).unwrap_or_else(|| "a list".to_string());
    ClassificationError::Answer { path: source.to_owned(), line: raw.line, column: column.to_owned(), found, expected }
}
