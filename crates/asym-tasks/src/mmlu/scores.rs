//! Accuracies by subject, by group in both groupings, over all questions, and as a mean over subjects.

use asym_figure::{TERMINAL, Table};
use serde::{Serialize, Serializer};

use super::answers::Answer;
use super::protocol::Protocol;
use super::subjects::{Group, Grouping, Subject};

/// The accuracy on a set of questions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy {
    /// The number of questions.
    pub questions: usize,
    /// The fraction of correct answers, between 0 and 1.
    pub accuracy: f64,
    /// The standard error of the accuracy.
    pub standard_error: f64,
}

impl Accuracy {
    fn of<'a>(answers: impl Iterator<Item = &'a Answer>) -> Option<Self> {
        let (questions, right) =
            answers.fold((0, 0), |(all, right), answer| (all + 1, right + usize::from(answer.right)));
        let accuracy = right as f64 / questions as f64;
        // The standard error of a sample's mean, with n − 1, as lm-evaluation-harness computes it.
        let standard_error = (accuracy * (1.0 - accuracy) / (questions.max(2) - 1) as f64).sqrt();
        (questions > 0).then_some(Self { questions, accuracy, standard_error })
    }
}

/// The scores of one protocol and number of examples.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The protocol.
    pub protocol: Protocol,
    /// The number of examples in a prompt.
    pub shots: usize,
    /// The number of prompts that were too long and lost examples or their beginning.
    pub shortened: usize,
    subjects: Vec<(Subject, Vec<Answer>)>,
}

impl Scores {
    pub(super) fn new(
        protocol: Protocol,
        shots: usize,
        shortened: usize,
        subjects: Vec<(Subject, Vec<Answer>)>,
    ) -> Self {
        Self { protocol, shots, shortened, subjects }
    }

    fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.subjects.iter().flat_map(|(_, answers)| answers)
    }

    /// The accuracy over all questions, each with the same weight.
    pub fn micro(&self) -> Option<Accuracy> {
        Accuracy::of(self.answers())
    }

    /// The mean of the subjects' accuracies.
    pub fn macro_mean(&self) -> Option<f64> {
        let each: Vec<f64> = self.by_subject().map(|(_, accuracy)| accuracy.accuracy).collect();
        (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
    }

    /// The accuracy on each subject with answers.
    pub fn by_subject(&self) -> impl Iterator<Item = (Subject, Accuracy)> {
        self.subjects.iter().filter_map(|(subject, answers)| Some((*subject, Accuracy::of(answers.iter())?)))
    }

    /// The accuracy on the questions of a group; `None` if the group has no answers.
    pub fn of_group(&self, group: Group, by: Grouping) -> Option<Accuracy> {
        let own = self.subjects.iter().filter(|(subject, _)| subject.group(by) == group);
        Accuracy::of(own.flat_map(|(_, answers)| answers))
    }

    /// The fraction of answers that are a letter, between 0 and 1.
    pub fn letters(&self) -> f64 {
        let (all, letters) = self
            .answers()
            .fold((0, 0), |(all, letters), answer| (all + 1, letters + usize::from(answer.answer.is_some())));
        letters as f64 / f64::from(all.max(1))
    }

    fn to_json(&self) -> serde_json::Value {
        let groups = |by| {
            let each = Group::ALL.into_iter().filter_map(|group| Some((group.name(), self.of_group(group, by)?)));
            each.collect::<std::collections::BTreeMap<_, _>>()
        };
        let subjects: std::collections::BTreeMap<_, _> =
            self.by_subject().map(|(subject, accuracy)| (subject.name(), accuracy)).collect();
        serde_json::json!({
            "protocol": self.protocol.name(),
            "version": self.protocol.version(),
            "shots": self.shots,
            "micro": self.micro(),
            "macro": self.macro_mean(),
            "letters": self.letters(),
            "shortened": self.shortened,
            "groups": { "original": groups(Grouping::Original), "lm-evaluation-harness": groups(Grouping::Harness) },
            "subjects": subjects,
        })
    }

    /// Tables in Markdown: accuracies in percent with their standard errors.
    pub fn table(scores: &[Self]) -> String {
        let percent = |accuracy: Option<Accuracy>| {
            accuracy.map_or("-".to_string(), |found| {
                format!("{:.2} ± {:.2}", 100.0 * found.accuracy, 100.0 * found.standard_error)
            })
        };
        let header = [
            "protocol",
            "shots",
            "all questions",
            "mean of subjects",
            "letters",
            "humanities",
            "STEM",
            "social sciences",
            "other",
            "STEM in lm-evaluation-harness",
            "other there",
        ];
        let mut table = Table::new(header, 1..);
        for of in scores {
            let mut cells = vec![
                format!("{} {}", of.protocol, of.protocol.version()),
                of.shots.to_string(),
                percent(of.micro()),
                of.macro_mean().map_or("-".to_string(), |mean| format!("{:.2}", 100.0 * mean)),
                format!("{:.1}", 100.0 * of.letters()),
            ];
            cells.extend(Group::ALL.map(|group| percent(of.of_group(group, Grouping::Original))));
            cells.extend([Group::Stem, Group::Other].map(|group| percent(of.of_group(group, Grouping::Harness))));
            table.row(cells);
        }
        let tables = table.within(TERMINAL, 2);
        tables.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
    }
}

/// The accuracies over all questions, of each group and of each subject.
impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answers(subject: &str, right: usize, wrong: usize) -> (Subject, Vec<Answer>) {
        let answer = |question| Answer {
            subject: subject.to_string(),
            question,
            answer: (question != 0).then_some('A'),
            right: question < right,
            scores: [0.0; 4],
            text: None,
        };
        (Subject::named(subject).unwrap(), (0..right + wrong).map(answer).collect())
    }

    #[test]
    fn means_cover_questions_subjects_and_groups() {
        let subjects = vec![answers("anatomy", 3, 1), answers("astronomy", 0, 2), answers("marketing", 1, 1)];
        let scores = Scores::new(Protocol::Generated, 0, 0, subjects);
        let micro = scores.micro().unwrap();
        assert_eq!((micro.questions, micro.accuracy), (8, 0.5));
        assert!((micro.standard_error - (0.25f64 / 7.0).sqrt()).abs() < 1e-12);
        assert!((scores.macro_mean().unwrap() - (0.75 + 0.0 + 0.5) / 3.0).abs() < 1e-12);
        let accuracy = |group, by| scores.of_group(group, by).map(|accuracy| accuracy.accuracy);
        // Anatomy belongs to STEM in the grouping of lm-evaluation-harness, and to `other` in the original grouping.
        assert_eq!(accuracy(Group::Stem, Grouping::Original), Some(0.0));
        assert_eq!(accuracy(Group::Stem, Grouping::Harness), Some(0.5));
        assert_eq!(accuracy(Group::Other, Grouping::Original), Some(4.0 / 6.0));
        assert_eq!(accuracy(Group::Humanities, Grouping::Original), None);
        assert_eq!(scores.letters(), 5.0 / 8.0);
        let table = Scores::table(&[scores]);
        assert!(table.lines().all(|line| line.chars().count() <= TERMINAL), "{table}");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = table.lines().map(cells).collect();
        let at = |name: &str| {
            let (row, place) = rows
                .iter()
                .enumerate()
                .find_map(|(row, cells)| Some((row, cells.iter().position(|cell| cell == name)?)))
                .unwrap();
            rows[row + 2][place].clone()
        };
        for (name, expected) in [
            ("protocol", "generated 1"),
            ("all questions", "50.00 ± 18.90"),
            ("letters", "62.5"),
            ("humanities", "-"),
            ("STEM", "0.00 ± 0.00"),
            ("other", "66.67 ± 21.08"),
            ("STEM in lm-evaluation-harness", "50.00 ± 22.36"),
        ] {
            assert_eq!(at(name), expected, "{name}");
        }
    }
}
