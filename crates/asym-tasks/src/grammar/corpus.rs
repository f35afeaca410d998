//! The pre-training corpus: single sentences, and short discourses in which a fact comes back in another form.

use super::acceptability::specimen;
use super::draw::{Draw, Stream};
use super::held_out;
use super::scene::Scene;

/// With a token for each word and four marks around a pair, a line of so many words fits 64 positions.
const MOST_WORDS: usize = 60;

/// Lines without end; see [`super::pretraining_corpus`].
pub(super) struct Lines {
    draw: Draw,
}

impl Lines {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            draw: Draw::new(seed, Stream::Corpus),
        }
    }

    /// A scene that no development set holds.
    fn scene(&mut self) -> Scene {
        loop {
            let scene = Scene::draw(&mut self.draw);
            if !held_out(&scene.key()) {
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

    /// A statement and one or two replies, each true or false of it, and each introduced as what it is.
    ///
    /// The second reply doubles what a line teaches about consent for half its length again.
    fn discussion(&mut self) -> String {
        let scene = self.scene();
        let (said, first) = self.reply(&scene);
        let (_, second) = self.reply(&scene);
        let words: usize = [&said, &first, &second]
            .map(|part| part.split(' ').count())
            .iter()
            .sum();
        if words <= MOST_WORDS {
            format!("{said}\t{first} {second}")
        } else {
            format!("{said}\t{first}")
        }
    }

    /// A statement of the scene, and "yes ," with a restatement or "no ," with a contradiction.
    fn reply(&mut self, scene: &Scene) -> (String, String) {
        let agrees = self.draw.chance(50);
        let answer = if agrees {
            *scene
        } else {
            scene.contradicted(&mut self.draw)
        };
        let (said, answered) = scene.said_and_answered(&answer, &mut self.draw);
        (
            said,
            format!("{} , {answered}", if agrees { "yes" } else { "no" }),
        )
    }
}

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let line = match self.draw.below(100) {
            0..25 => {
                let (said, again) = self.scene().restated(&mut self.draw);
                format!("{said}\t{again}")
            }
            25..75 => self.discussion(),
            75..95 => self.good_sentence(),
            _ => self.scene().sentence(&mut self.draw),
        };
        Some(line)
    }
}
