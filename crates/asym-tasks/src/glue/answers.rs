//! The labels of a data set, and how they are written in files.

use asym_data::Cell;

use super::error::GlueError;
use crate::text::{Problem, Target};

/// The answers that a data set allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answers {
    /// One of several classes. A file contains the name of the class, GLUE's spelling of it, or, as in the Hub's files, its
    /// index.
    Classes {
        /// The names of the classes, for display and for configurations.
        names: &'static [&'static str],
        /// The spelling of the classes in GLUE's files, in the same order.
        spelled: &'static [&'static str],
    },
    /// A number in this range, both ends included.
    Score {
        /// The lowest score.
        least: f32,
        /// The highest score.
        most: f32,
    },
}

impl Answers {
    /// The names of the classes. Empty for scores.
    pub fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Classes { names, .. } => names,
            Self::Score { .. } => &[],
        }
    }

    /// The number of outputs that a model needs: one per class, or one for a score.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { names, .. } => names.len(),
            Self::Score { .. } => 1,
        }
    }

    /// The kind of answers.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Classes { .. } => Problem::Classes,
            Self::Score { .. } => Problem::Score,
        }
    }

    /// Reads a label. A number is a score or the index of a class. It can be stored as a number or as text.
    ///
    /// `path` and `line` are used in error messages.
    ///
    /// # Errors
    ///
    /// [`GlueError::UnknownLabel`], [`GlueError::UnknownScore`].
    pub fn parse(&self, path: &str, line: usize, cell: &Cell) -> Result<Target, GlueError> {
        let target = match self {
            Self::Classes { names, spelled } => class(names, spelled, cell).map(Target::Class),
            Self::Score { least, most } => {
                score(cell).filter(|score| (*least..=*most).contains(score)).map(Target::Score)
            }
        };
        target.ok_or_else(|| {
            let found = cell.text().map_or_else(|| "a list or bytes".to_owned(), |text| text.trim().to_owned());
            let path = path.to_owned();
            match *self {
                Self::Classes { spelled, .. } => GlueError::UnknownLabel { path, line, found, allowed: spelled },
                Self::Score { least, most } => GlueError::UnknownScore { path, line, found, least, most },
            }
        })
    }

    /// The answer in the spelling of GLUE's files. Empty if `target` is of another kind than these answers.
    pub(super) fn spell(&self, target: &Target) -> String {
        match (self, target) {
            (Self::Classes { spelled, .. }, Target::Class(class)) => {
                spelled.get(*class).map_or_else(String::new, ToString::to_string)
            }
            // GLUE's server rejects scores outside the range.
            (Self::Score { least, most }, Target::Score(score)) => format!("{:.3}", score.clamp(*least, *most)),
            _ => String::new(),
        }
    }
}

fn class(names: &[&str], spelled: &[&str], cell: &Cell) -> Option<usize> {
    let by_index = |number: f64| (0..names.len()).find(|class| *class as f64 == number);
    match cell {
        Cell::Text(text) => {
            let text = text.trim();
            let by_name = |names: &[&str]| names.iter().position(|name| *name == text);
            // If a column of numbers has a missing value, pandas writes its numbers as floats: `1.0`.
            by_name(names).or_else(|| by_name(spelled)).or_else(|| by_index(text.parse().ok()?))
        }
        // `false` is class 0, and `true` is class 1.
        Cell::Boolean(boolean) => Some(usize::from(*boolean)).filter(|class| *class < names.len()),
        Cell::Integer(number) => usize::try_from(*number).ok().filter(|class| *class < names.len()),
        Cell::Float(number) => by_index(*number),
        Cell::List(_) | Cell::Bytes(_) | Cell::Struct(_) => None,
    }
}

fn score(cell: &Cell) -> Option<f32> {
    match cell {
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Integer(number) => Some(*number as f32),
        Cell::Float(number) => Some(*number as f32),
        Cell::Boolean(_) | Cell::List(_) | Cell::Bytes(_) | Cell::Struct(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;
    use crate::glue::dataset::Dataset;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    /// The Hub's files contain the indices of classes instead of their names.
    #[test]
    fn classes_and_scores_are_parsed_and_validated() {
        let names = &["entailment", "not_entailment"];
        let classes = Answers::Classes { names, spelled: names };
        let texts = [("entailment", 0), ("1", 1), (" not_entailment ", 1), ("1.0", 1)];
        let numbers = [
            (Cell::Integer(0), 0),
            (Cell::Integer(1), 1),
            (Cell::Float(1.0), 1),
            (Cell::Boolean(false), 0),
            (Cell::Boolean(true), 1),
        ];
        for (found, class) in texts.map(|(found, class)| (text(found), class)).into_iter().chain(numbers) {
            assert_eq!(classes.parse("f", 1, &found).unwrap(), Target::Class(class), "{found:?}");
        }
        let texts = ["2", "-1", "0.5", "NaN", "neutral", ""].map(text);
        let numbers = [Cell::Integer(2), Cell::Integer(-1), Cell::Float(0.5), Cell::Float(f64::NAN)];
        let others = [Cell::List(vec![Cell::Integer(1)]), Cell::Bytes(b"1".into())];
        for bad in texts.iter().chain(&numbers).chain(&others) {
            assert!(matches!(classes.parse("f", 1, bad), Err(GlueError::UnknownLabel { .. })), "{bad:?}");
        }

        let scores = Answers::Score { least: 0.0, most: 5.0 };
        for (found, score) in [(text("4.750"), 4.75), (Cell::Float(4.75), 4.75), (Cell::Integer(5), 5.0)] {
            assert_eq!(scores.parse("f", 1, &found).unwrap(), Target::Score(score));
        }
        // A score in single precision, as in the Hub's files.
        assert_eq!(scores.parse("f", 1, &Cell::Float(f64::from(3.8_f32))).unwrap(), Target::Score(3.8));
        let texts = ["5.1", "-1", "NaN", "many", ""].map(text);
        let numbers = [Cell::Integer(6), Cell::Float(5.1), Cell::Float(f64::NAN)];
        for bad in texts.iter().chain(&numbers).chain(&others) {
            let error = scores.parse("f", 7, bad).unwrap_err();
            assert!(matches!(error, GlueError::UnknownScore { line: 7, .. }), "{bad:?}");
            assert!(error.to_string().contains("from 0 to 5"), "{error}");
        }
    }

    #[test]
    fn unknown_labels_are_reported_with_their_line() {
        let binary = Answers::Classes { names: &["no", "yes"], spelled: &["0", "1"] };
        let error = binary.parse("pairs.tsv", 3, &text("2")).unwrap_err();
        assert!(matches!(&error, GlueError::UnknownLabel { line: 3, found, .. } if found == "2"), "{error:?}");
        assert!(error.to_string().starts_with("pairs.tsv:3: label `2`"), "{error}");
    }

    #[test]
    fn answers_are_formatted_as_in_files() {
        let names = &["entailment", "not_entailment"];
        let classes = Answers::Classes { names, spelled: names };
        assert_eq!(classes.spell(&Target::Class(1)), "not_entailment");
        let scores = Answers::Score { least: 0.0, most: 5.0 };
        assert_eq!(scores.spell(&Target::Score(5.25)), "5.000");
        assert_eq!(scores.spell(&Target::Score(1.23456)), "1.235");
    }

    proptest! {
        #![proptest_config(config(500))]

        #[test]
        fn answers_survive_a_round_trip(score in 0.0..5.0_f32, wild in any::<f32>()) {
            for dataset in Dataset::ALL {
                let answers = dataset.row().answers;
                for class in 0..answers.names().len() {
                    let spelled = text(&answers.spell(&Target::Class(class)));
                    prop_assert_eq!(answers.parse("f", 1, &spelled).unwrap(), Target::Class(class));
                }
                if answers.problem() == Problem::Score {
                    let read = |score| answers.parse("f", 1, &text(&answers.spell(&Target::Score(score))));
                    let Target::Score(found) = read(score).unwrap() else { panic!("a class") };
                    // The files have three digits after the decimal point.
                    prop_assert!((found - score).abs() < 6e-4, "{found} {score}");
                    prop_assert!(wild.is_nan() || read(wild).is_ok(), "{wild}");
                }
            }
        }
    }
}
