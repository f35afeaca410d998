//! What a sentence is about: who does what to whom, before any word order is chosen.

use super::draw::Draw;
use super::lexicon::{
    ACTS, FUTURE_TIMES, LOOKS, Noun, PAST_TIMES, PEOPLE, PLACES, PRESENT_TIMES, THINGS, TRAITS, TRANSFERS, Transfer,
    Verb,
};
use super::{held_out, scene_key};

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
        Self { synonyms, spoken: draw.below(synonyms.len()) }
    }

    /// The same meaning in another word.
    fn synonym(self, draw: &mut Draw) -> Self {
        let count = self.synonyms.len();
        Self { spoken: (self.spoken + 1 + draw.below(count - 1)) % count, ..self }
    }

    /// The word as spoken.
    pub(super) fn word(&self) -> &'static T {
        &self.synonyms[self.spoken]
    }

    /// The first synonym, which stands for the meaning in keys.
    fn name(&self) -> &'static T {
        &self.synonyms[0]
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
            0..12 => {
                let event = Event::Act {
                    verb: Sense::draw(draw, ACTS),
                    agent: Phrase::draw(draw, one, TRAITS, 25),
                    patient: Phrase::draw(draw, other, TRAITS, 25),
                };
                Self { event, tense, negated, adjunct }
            }
            _ => {
                let thing = draw.pick(THINGS);
                let event = Event::Transfer {
                    transfer: draw.pick(TRANSFERS),
                    agent: Phrase::draw(draw, one, TRAITS, 0),
                    // A transfer's verb has no synonym: what can be exchanged is the look of the thing.
                    thing: Phrase::draw(draw, thing, LOOKS, 100),
                    recipient: Phrase::draw(draw, other, TRAITS, 0),
                };
                Self { event, tense, negated, adjunct: None }
            }
        }
    }

    /// Who and what is in the scene, whatever their roles, and then what happens: scenes that differ in roles alone, in
    /// number, tense, adjectives or adjuncts share the key.
    pub(super) fn key(&self) -> String {
        let event = match self.event {
            Event::Act { verb, .. } => verb.name().base,
            Event::Transfer { transfer, .. } => transfer.give.base,
        };
        format!("{}:{event}", self.cast())
    }

    /// Who and what is in the scene. Parts are divided by it, so that exchanging the verb does not leave a part.
    pub(super) fn cast(&self) -> String {
        let fillers = match self.event {
            Event::Act { agent, patient, .. } => vec![agent.noun.one, patient.noun.one],
            Event::Transfer { agent, thing, recipient, .. } => vec![agent.noun.one, thing.noun.one, recipient.noun.one],
        };
        scene_key("scene", fillers)
    }

    /// A scene of the same meaning with one word exchanged for a synonym; or another scene of the same kind, which no word
    /// by itself gives away. It is held out, or not, as this one is.
    pub(super) fn counterpart(&self, same_meaning: bool, draw: &mut Draw) -> Self {
        if same_meaning {
            return self.exchanged(draw);
        }
        let kind = std::mem::discriminant(&self.event);
        loop {
            let other = Self::draw(draw);
            let (cast, own) = (other.cast(), self.cast());
            if std::mem::discriminant(&other.event) == kind && cast != own && held_out(&cast) == held_out(&own) {
                return other;
            }
        }
    }

    /// The scene with one of its words, a verb or an adjective, exchanged for a synonym.
    pub(super) fn exchanged(mut self, draw: &mut Draw) -> Self {
        let (verb, phrases) = match &mut self.event {
            Event::Act { verb, agent, patient } => (Some(verb), vec![agent, patient]),
            Event::Transfer { thing, .. } => (None, vec![thing]),
        };
        let mut described: Vec<_> = phrases.into_iter().filter_map(|phrase| phrase.adjective.as_mut()).collect();
        let place = draw.below(described.len() + usize::from(verb.is_some()));
        match (described.get_mut(place), verb) {
            (Some(adjective), _) => **adjective = adjective.synonym(draw),
            (None, Some(verb)) => *verb = verb.synonym(draw),
            (None, None) => {}
        }
        self
    }
}
