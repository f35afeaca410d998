//! Reports: each of several witnesses describes an event, two of them describe the same event, and the summary is this event.
//!
//! "first : the queen sold a rope to the monk . second : the old cook commended the nurse . third : … fifth : it was the nurse
//! who was praised by the elderly cook ." has the summary "the cook praised the nurse .". The two descriptions differ in word
//! order and in one word. The summary has the plain word order and the first synonym of the verb, and no adjectives, places or
//! times. The first witness always describes another event.

use super::draw::{Draw, Stream};
use super::key::held_out;
use super::scene::Scene;

/// The number of events that only one witness describes.
const OTHERS: usize = 3;

/// The words that number the witnesses.
const ORDINALS: [&str; OTHERS + 2] = ["first", "second", "third", "fourth", "fifth"];

/// A report with its summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sentences of the witnesses, in their order.
    pub sentences: Vec<String>,
    /// The event that two of the witnesses describe.
    pub summary: String,
}

/// The sets of reports. Each set has its own random stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportSet {
    /// For pre-training, which does not use the summaries.
    Pretraining,
    /// For training.
    Train,
    /// For evaluation. The events of its summaries are held out from all other sets.
    Dev,
}

impl ReportSet {
    fn stream(self) -> Stream {
        match self {
            Self::Pretraining => Stream::REPORTS,
            Self::Train => Stream::REPORTS_TRAIN,
            Self::Dev => Stream::REPORTS_DEV,
        }
    }
}

impl Report {
    /// The sentences as one text.
    pub fn text(&self) -> String {
        self.sentences.join(" ")
    }

    fn draw(draw: &mut Draw, set: ReportSet) -> Self {
        let main = scene(draw, set == ReportSet::Dev);
        let mut cast = main.participants();
        let mut sentences = Vec::with_capacity(ORDINALS.len());
        while sentences.len() < OTHERS {
            // No person or thing is in two events, so a noun that is in two sentences belongs to the summary.
            let other = scene(draw, false);
            if other.participants().iter().all(|noun| !cast.contains(noun)) {
                cast.extend(other.participants());
                sentences.push(other.sentence(draw));
            }
        }
        let (said, again) = main.restated(draw);
        sentences.extend([said, again]);
        draw.shuffle(&mut sentences[1..]);
        let numbered = ORDINALS.iter().zip(&sentences).map(|(ordinal, sentence)| format!("{ordinal} : {sentence}"));
        Self { sentences: numbered.collect(), summary: main.gist() }
    }
}

/// A scene that is held out for development sets if `held` is true, and is not held out otherwise.
fn scene(draw: &mut Draw, held: bool) -> Scene {
    loop {
        let scene = Scene::draw(draw);
        if held_out(&scene.cast()) == held {
            return scene;
        }
    }
}

/// The first `count` reports of a set. The same seed always results in the same reports.
pub fn reports(seed: u64, set: ReportSet, count: usize) -> impl Iterator<Item = Report> {
    let mut draw = Draw::new(seed, set.stream());
    std::iter::repeat_with(move || Report::draw(&mut draw, set)).take(count)
}
