//! The meaning of a sentence: who does what to whom, before a word order is chosen.

use super::draw::Draw;
use super::key::{held_out, scene_key};
use super::lexicon::{
    ACTS, FUTURE_TIMES, LOOKS, Noun, PAST_TIMES, PEOPLE, PLACES, PRESENT_TIMES, THINGS, TRAITS, TRANSFERS, Transfer,
    Verb,
};

/// A meaning, expressed by one of its synonyms.
#[derive(Debug)]
pub(crate) struct Sense<T: 'static> {
    synonyms: &'static [T],
    spoken: usize,
}

// A derive would require these traits of `T` too, although `T` is only behind a reference.
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

    /// The same meaning, expressed by another synonym.
    fn synonym(self, draw: &mut Draw) -> Self {
        let count = self.synonyms.len();
        Self { spoken: (self.spoken + 1 + draw.below(count - 1)) % count, ..self }
    }

    /// The synonym that is used.
    pub(crate) fn word(&self) -> &'static T {
        &self.synonyms[self.spoken]
    }

    /// The first synonym, which represents the meaning in keys.
    fn name(&self) -> &'static T {
        &self.synonyms[0]
    }

    /// The same meaning, expressed by its first synonym.
    fn plain(self) -> Self {
        Self { spoken: 0, ..self }
    }
}

/// A definite noun phrase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phrase {
    /// The head.
    pub(crate) noun: &'static Noun,
    /// Whether the phrase is plural.
    pub(crate) plural: bool,
    /// The adjective, if there is one.
    pub(crate) adjective: Option<Sense<&'static str>>,
}

impl Phrase {
    fn draw(draw: &mut Draw, noun: &'static Noun, adjectives: Adjectives, percent: usize) -> Self {
        let plural = draw.chance(25);
        let adjective = draw.chance(percent).then(|| Sense::draw(draw, adjectives));
        Self { noun, plural, adjective }
    }
}

type Adjectives = &'static [&'static [&'static str]];

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tense {
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

    /// The adverbials that fit the tense.
    pub(crate) fn times(self) -> &'static [&'static str] {
        match self {
            Self::Past => PAST_TIMES,
            Self::Present => PRESENT_TIMES,
            Self::Future => FUTURE_TIMES,
        }
    }
}

/// An event, with its participants in their roles.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// `agent` does something to `patient`.
    Act { verb: Sense<Verb>, agent: Phrase, patient: Phrase },
    /// `agent` passes `thing` to `recipient`.
    Transfer { transfer: &'static Transfer, agent: Phrase, thing: Phrase, recipient: Phrase },
}

/// The frequency of details in a scene, in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detail {
    /// The frequency of an adjective in a phrase that may have one.
    pub(crate) adjective: usize,
    /// The frequency of a place or a time.
    pub(crate) adjunct: usize,
    /// The frequency of negation.
    pub(crate) negated: usize,
}

/// The parts that two scenes of one kind share, in the same roles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    /// The person who acts.
    pub(crate) agent: bool,
    /// The person who is acted on, or who receives.
    pub(crate) other: bool,
    /// The event.
    pub(crate) event: bool,
}

impl Shared {
    /// One of the two people.
    pub(crate) fn one_person(draw: &mut Draw) -> Self {
        let agent = draw.chance(50);
        Self { agent, other: !agent, event: false }
    }

    /// One of the two people, or, in half of all cases, nobody.
    pub(crate) fn one_person_or_none(draw: &mut Draw) -> Self {
        let who = draw.below(4);
        Self { agent: who == 0, other: who == 1, event: false }
    }
}

/// An event with a tense, which may be negated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// The event.
    pub(crate) event: Event,
    /// The tense.
    pub(crate) tense: Tense,
    /// Whether the event is negated.
    pub(crate) negated: bool,
    /// A place or a time.
    pub(crate) adjunct: Option<&'static str>,
}

impl Scene {
    /// Samples a scene.
    pub(crate) fn draw(draw: &mut Draw) -> Self {
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
                    // The verb of a transfer has no synonym, so the thing always has an adjective, which can be replaced with a
                    // synonym.
                    thing: Phrase::draw(draw, thing, LOOKS, 100),
                    recipient: Phrase::draw(draw, other, TRAITS, 0),
                };
                Self { event, tense, negated, adjunct: None }
            }
        }
    }

    /// The key of the scene: its people and things regardless of their roles, and its event. Scenes that differ only in
    /// roles, number, tense, adjectives or adjuncts share the key.
    pub(crate) fn key(&self) -> String {
        format!("{}:{}", self.cast(), self.happening())
    }

    /// The key of the people and things in the scene. It determines whether the scene is held out, so a scene stays in its part
    /// of the data if its verb is replaced.
    pub(crate) fn cast(&self) -> String {
        scene_key("scene", self.participants())
    }

    /// The kind of event.
    pub(crate) fn kind(&self) -> &'static str {
        match self.event {
            Event::Act { .. } => "act",
            Event::Transfer { .. } => "transfer",
        }
    }

    /// The people and things in the scene, in a fixed order of roles.
    pub(super) fn participants(&self) -> Vec<&'static str> {
        match self.event {
            Event::Act { agent, patient, .. } => vec![agent.noun.one, patient.noun.one],
            Event::Transfer { agent, thing, recipient, .. } => vec![agent.noun.one, thing.noun.one, recipient.noun.one],
        }
    }

    /// The name of the event, which is the same for all synonyms.
    fn happening(&self) -> &'static str {
        match self.event {
            Event::Act { verb, .. } => verb.name().base,
            Event::Transfer { transfer, .. } => transfer.give.base,
        }
    }

    /// Whether a plain clause, such as "the cook praised the nurse", may describe the scene.
    ///
    /// A plain clause about an act can also be generated as an acceptable sentence (`acceptability.rs`), which has another key.
    /// If only one of the two keys were held out, a training part or the corpus could contain the same sentence as a development
    /// part.
    pub(crate) fn may_be_plain(&self) -> bool {
        match self.event {
            Event::Act { .. } => held_out(&self.cast()) == held_out(&scene_key(self.happening(), self.participants())),
            Event::Transfer { .. } => true,
        }
    }

    /// A scene with the same meaning, with one word replaced with a synonym, or another scene of the same kind. No single word
    /// reveals which of them it is. It is held out if and only if this scene is held out.
    pub(crate) fn counterpart(&self, same_meaning: bool, draw: &mut Draw) -> Self {
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

    /// The scene with one of its words, a verb or an adjective, replaced with a synonym.
    pub(crate) fn exchanged(mut self, draw: &mut Draw) -> Self {
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

    /// Samples an act between two people.
    pub(crate) fn act(draw: &mut Draw, detail: Detail) -> Self {
        let (one, other) = draw.pick_two(PEOPLE);
        let event = Event::Act {
            verb: Sense::draw(draw, ACTS),
            agent: Phrase::draw(draw, one, TRAITS, detail.adjective),
            patient: Phrase::draw(draw, other, TRAITS, detail.adjective),
        };
        Self::around(event, draw, detail)
    }

    /// Samples one of `transfers`. Only the thing may have an adjective.
    pub(crate) fn transfer(draw: &mut Draw, transfers: &'static [Transfer], detail: Detail) -> Self {
        let ((one, other), thing) = (draw.pick_two(PEOPLE), draw.pick(THINGS));
        let event = Event::Transfer {
            transfer: draw.pick(transfers),
            agent: Phrase::draw(draw, one, TRAITS, 0),
            thing: Phrase::draw(draw, thing, LOOKS, detail.adjective),
            recipient: Phrase::draw(draw, other, TRAITS, 0),
        };
        Self::around(event, draw, detail)
    }

    /// A scene with this event and a random tense. It may be negated, and may have a place or a time.
    fn around(event: Event, draw: &mut Draw, detail: Detail) -> Self {
        let tense = Tense::draw(draw);
        let negated = draw.chance(detail.negated);
        let adjunct = draw.chance(detail.adjunct).then(|| {
            let places = draw.chance(60);
            *draw.pick(if places { PLACES } else { tense.times() })
        });
        Self { event, tense, negated, adjunct }
    }

    /// The scene, from which each adjective is removed with a probability of one half.
    pub(crate) fn plainer(mut self, draw: &mut Draw) -> Self {
        let phrases = match &mut self.event {
            Event::Act { agent, patient, .. } => vec![agent, patient],
            Event::Transfer { thing, .. } => vec![thing],
        };
        for phrase in phrases {
            if draw.chance(50) {
                phrase.adjective = None;
            }
        }
        self
    }

    /// A short sentence about the scene, in the plain word order, with the first synonym of its verb and without adjectives,
    /// place and time.
    pub(super) fn gist(mut self) -> String {
        let phrases = match &mut self.event {
            Event::Act { verb, agent, patient } => {
                *verb = verb.plain();
                vec![agent, patient]
            }
            Event::Transfer { thing, .. } => vec![thing],
        };
        for phrase in phrases {
            phrase.adjective = None;
        }
        self.adjunct = None;
        // The first clause is the plain one.
        self.sentences().swap_remove(0)
    }

    /// Another scene of this kind, sampled by `scene`. It has the `shared` parts of this scene, and no other person, thing or
    /// event of this scene. It is held out if and only if this scene is held out.
    ///
    /// `None` if no such scene was found, for example because all scenes of a person belong to another part of the data.
    pub(crate) fn other(&self, shared: Shared, scene: fn(&mut Draw) -> Self, draw: &mut Draw) -> Option<Self> {
        // One scene in ten is held out, so hundreds of tries are enough in nearly all cases.
        (0..200).find_map(|_| {
            let mut other = scene(draw);
            let own = self.participants();
            if other.happening() == self.happening() || other.participants().iter().any(|noun| own.contains(noun)) {
                return None;
            }
            match (self.event, &mut other.event) {
                (Event::Act { verb, agent, patient }, Event::Act { verb: to, agent: by, patient: whom }) => {
                    *by = if shared.agent { agent } else { *by };
                    *whom = if shared.other { patient } else { *whom };
                    *to = if shared.event { verb } else { *to };
                }
                (
                    Event::Transfer { transfer, agent, recipient, .. },
                    Event::Transfer { transfer: to, agent: by, recipient: whom, .. },
                ) => {
                    *by = if shared.agent { agent } else { *by };
                    *whom = if shared.other { recipient } else { *whom };
                    *to = if shared.event { transfer } else { *to };
                }
                _ => return None,
            }
            (held_out(&other.cast()) == held_out(&self.cast())).then_some(other)
        })
    }
}
