//! What a sentence is about: who does what to whom, before any word order is chosen.

use super::draw::Draw;
use super::lexicon::{
    ACTS, FUTURE_TIMES, LOOKS, Noun, PAST_TIMES, PEOPLE, PLACES, PRESENT_TIMES, SCALES, Scale, THINGS, TRAITS,
    TRANSFERS, Transfer, Verb,
};
use super::scene_key;

/// One meaning, said by one of its synonyms.
#[derive(Debug)]
pub(super) struct Sense<T: 'static> {
    synonyms: &'static [T],
    spoken: usize,
}

// Derived, these would ask the same of `T`, which is only pointed at.
impl<T> Clone for Sense<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Sense<T> {}

impl<T> Sense<T> {
    fn draw(draw: &mut Draw, senses: &'static [&'static [T]]) -> Self {
        let synonyms: &'static [T] = senses[draw.below(senses.len())];
        Self::of(synonyms).reworded(draw)
    }

    fn of(synonyms: &'static [T]) -> Self {
        Self { synonyms, spoken: 0 }
    }

    /// The same meaning, in a synonym of equal chance.
    fn reworded(self, draw: &mut Draw) -> Self {
        Self { spoken: draw.below(self.synonyms.len()), ..self }
    }

    /// The word as spoken.
    pub(super) fn word(&self) -> &'static T {
        &self.synonyms[self.spoken]
    }

    /// The first synonym, which stands for the meaning in keys.
    fn name(&self) -> &'static T {
        &self.synonyms[0]
    }

    fn means(&self, other: &Self) -> bool {
        std::ptr::eq(self.synonyms, other.synonyms)
    }
}

/// A definite noun phrase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phrase {
    /// The head.
    pub(super) noun: &'static Noun,
    /// Whether there are several.
    pub(super) plural: bool,
    /// What is said of it.
    pub(super) adjective: Option<Sense<&'static str>>,
}

impl Phrase {
    fn draw(draw: &mut Draw, noun: &'static Noun, adjectives: Adjectives, percent: usize) -> Self {
        let plural = draw.chance(25);
        let adjective = draw.chance(percent).then(|| Sense::draw(draw, adjectives));
        Self { noun, plural, adjective }
    }

    /// A phrase about one person, without an adjective, for scenes in which only the heads matter.
    fn bare(draw: &mut Draw, noun: &'static Noun) -> Self {
        Self::draw(draw, noun, TRAITS, 0)
    }

    fn reworded(self, draw: &mut Draw) -> Self {
        Self { adjective: self.adjective.map(|sense| sense.reworded(draw)), ..self }
    }

    fn has_same_adjective(&self, other: &Self) -> bool {
        match (&self.adjective, &other.adjective) {
            (Some(one), Some(other)) => one.means(other),
            (None, None) => true,
            _ => false,
        }
    }
}

type Adjectives = &'static [&'static [&'static str]];

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tense {
    /// "praised"
    Past,
    /// "praises"
    Present,
    /// "will praise"
    Future,
}

impl Tense {
    fn draw(draw: &mut Draw) -> Self {
        match draw.below(5) {
            0 => Self::Present,
            1 => Self::Future,
            _ => Self::Past,
        }
    }

    /// The adverbials that go with the tense.
    pub(super) fn times(self) -> &'static [&'static str] {
        match self {
            Self::Past => PAST_TIMES,
            Self::Present => PRESENT_TIMES,
            Self::Future => FUTURE_TIMES,
        }
    }
}

/// What happens, with its participants in their roles.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// `agent` does something to `patient`.
    Act { verb: Sense<Verb>, agent: Phrase, patient: Phrase },
    /// `agent` passes `thing` to `recipient`.
    Transfer { transfer: &'static Transfer, agent: Phrase, thing: Phrase, recipient: Phrase },
    /// `more` stands above `less` on a scale.
    Comparison { scale: &'static Scale, more: Phrase, less: Phrase },
}

/// An event in time, possibly denied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    /// What happens.
    pub(super) event: Event,
    /// When.
    pub(super) tense: Tense,
    /// Whether the sentence says that it does not happen.
    pub(super) negated: bool,
    /// A place or a time.
    pub(super) adjunct: Option<&'static str>,
}

impl Scene {
    /// Draws a scene.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        let tense = Tense::draw(draw);
        let negated = draw.chance(10);
        let adjunct = draw.chance(20).then(|| {
            let places = draw.chance(60);
            *draw.pick(if places { PLACES } else { tense.times() })
        });
        let (one, other) = draw.pick_two(PEOPLE);
        match draw.below(16) {
            0..10 => {
                let event = Event::Act {
                    verb: Sense::draw(draw, ACTS),
                    agent: Phrase::draw(draw, one, TRAITS, 20),
                    patient: Phrase::draw(draw, other, TRAITS, 20),
                };
                Self { event, tense, negated, adjunct }
            }
            10..13 => {
                let thing = draw.pick(THINGS);
                let event = Event::Transfer {
                    transfer: draw.pick(TRANSFERS),
                    agent: Phrase::draw(draw, one, TRAITS, 0),
                    thing: Phrase::draw(draw, thing, LOOKS, 20),
                    recipient: Phrase::draw(draw, other, TRAITS, 0),
                };
                Self { event, tense, negated, adjunct: None }
            }
            _ => {
                let event = Event::Comparison {
                    scale: draw.pick(SCALES),
                    more: Phrase::bare(draw, one),
                    less: Phrase::bare(draw, other),
                };
                // "Not taller" is not "shorter": a comparison is never denied.
                Self { event, tense, negated: false, adjunct: None }
            }
        }
    }

    /// The fillers, whatever their roles: a scene and its contradictions share the key.
    ///
    /// Number, tense, adjectives and adjuncts are left out, so that disjoint keys mean more than disjoint sentences.
    pub(super) fn key(&self) -> String {
        let (kind, fillers) = match self.event {
            Event::Act { verb, agent, patient } => (verb.name().base, vec![agent.noun.one, patient.noun.one]),
            Event::Transfer { transfer, agent, thing, recipient } => {
                (transfer.give.base, vec![agent.noun.one, thing.noun.one, recipient.noun.one])
            }
            Event::Comparison { scale, more, less } => (scale.more.1, vec![more.noun.one, less.noun.one]),
        };
        scene_key(kind, fillers)
    }

    /// The same scene with each word replaced by one of its synonyms, drawn with equal chance.
    pub(super) fn reworded(mut self, draw: &mut Draw) -> Self {
        match &mut self.event {
            Event::Act { verb, agent, patient } => {
                *verb = verb.reworded(draw);
                *agent = agent.reworded(draw);
                *patient = patient.reworded(draw);
            }
            Event::Transfer { agent, thing, recipient, .. } => {
                for phrase in [agent, thing, recipient] {
                    *phrase = phrase.reworded(draw);
                }
            }
            Event::Comparison { .. } => {}
        }
        self
    }

    /// A scene of the same words that means something else: two participants change places, or their adjectives do.
    pub(super) fn contradicted(mut self, draw: &mut Draw) -> Self {
        let (one, other) = match &mut self.event {
            Event::Act { agent, patient, .. } => (agent, patient),
            Event::Transfer { agent, recipient, .. } => (agent, recipient),
            Event::Comparison { more, less, .. } => (more, less),
        };
        exchange(draw, one, other);
        self
    }
}

/// Swaps two phrases, or their heads alone, or their adjectives alone; the last two only where that says anything new.
fn exchange(draw: &mut Draw, one: &mut Phrase, other: &mut Phrase) {
    let choices = if one.has_same_adjective(other) { 1 } else { 3 };
    match draw.below(choices) {
        0 => std::mem::swap(one, other),
        1 => std::mem::swap(&mut one.adjective, &mut other.adjective),
        _ => {
            std::mem::swap(one, other);
            std::mem::swap(&mut one.adjective, &mut other.adjective);
        }
    }
}
