//! The pre-training corpus: single sentences, and short discourses in which a fact comes back in another form.

use super::draw::{Draw, Stream};
use super::scene::Scene;
use super::tasks::cola::specimen;
use super::{ANSWERS, held_out};

/// Lines without end; see [`super::pretraining_corpus`].
pub(super) struct Lines {
    draw: Draw,
}

impl Lines {
    pub(super) fn new(seed: u64) -> Self {
        Self { draw: Draw::new(seed, Stream::Corpus) }
    }

    /// A scene that no development set holds.
    fn scene(&mut self) -> Scene {
        loop {
            let scene = Scene::draw(&mut self.draw);
            if !held_out(&scene.cast()) {
                return scene;
            }
        }
    }

    /// An acceptable sentence that no development set holds, nor its unacceptable twin.
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
