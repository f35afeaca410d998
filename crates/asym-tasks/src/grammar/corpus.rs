//! The pre-training corpus: single sentences, and short discourses in which a fact is restated in another form.

use super::acceptability::specimen;
use super::draw::{Draw, Stream};
use super::key::held_out;
use super::scene::Scene;

/// The words that introduce the second sentence of a line of the corpus: "yes" if it agrees with the first sentence, and "no" if
/// it does not.
pub const ANSWERS: [&str; 2] = ["yes", "no"];

/// `lines` lines for pre-training. A tab separates the two halves of a discourse, which are tokenized as a pair.
///
/// About 35 % of the lines restate a fact in another form. Another 35 % state a fact and answer with "yes ," and a
/// restatement, or with "no ," and another meaning. The other lines are single sentences. No line describes a held-out scene.
///
/// # Example
///
/// ```
/// # use asym_tasks::grammar::pretraining_corpus;
/// let lines: Vec<String> = pretraining_corpus(0, 3).collect();
/// assert_eq!(lines, pretraining_corpus(0, 5).take(3).collect::<Vec<_>>());
/// ```
pub fn pretraining_corpus(seed: u64, lines: usize) -> impl Iterator<Item = String> {
    Lines::new(seed).take(lines)
}

/// An endless iterator over the lines of [`pretraining_corpus`].
struct Lines {
    draw: Draw,
}

impl Lines {
    fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed, Stream::CORPUS) }
    }

    /// A scene that is in no development set.
    fn scene(&mut self) -> Scene {
        loop {
            let scene = Scene::draw(&mut self.draw);
            if !held_out(&scene.cast()) {
                return scene;
            }
        }
    }

    /// An acceptable sentence. Neither this sentence nor its unacceptable counterpart is in a development set.
    fn good_sentence(&mut self) -> String {
        loop {
            let specimen = specimen(&mut self.draw, true);
            if !held_out(&specimen.key) {
                return specimen.sentence;
            }
        }
    }

    /// A statement, and "yes ," with a restatement or "no ," with another meaning.
    fn answer(&mut self) -> String {
        let scene = self.scene();
        let agrees = self.draw.chance(50);
        let other = scene.counterpart(agrees, &mut self.draw);
        let (said, answered) = scene.said_and_answered(&other, &mut self.draw);
        format!("{said}\t{} , {answered}", ANSWERS[usize::from(!agrees)])
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let line = match self.draw.below(100) {
            0..35 => {
                let (said, again) = self.scene().restated(&mut self.draw);
                format!("{said}\t{again}")
            }
            35..70 => self.answer(),
            70..95 => self.good_sentence(),
            _ => self.scene().sentence(&mut self.draw),
        };
        Some(line)
    }
}
