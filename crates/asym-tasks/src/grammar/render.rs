//! The sentences of a scene, in all word orders with the same meaning.

use super::draw::Draw;
use super::lexicon::Verb;
use super::scene::{Event, Phrase, Scene, Tense};

impl Phrase {
    /// "the old cook"
    pub(crate) fn text(&self) -> String {
        match &self.adjective {
            Some(sense) => format!("the {} {}", sense.word(), self.head()),
            None => format!("the {}", self.head()),
        }
    }

    fn head(&self) -> &'static str {
        if self.plural { self.noun.many } else { self.noun.one }
    }
}

/// Chooses the form that agrees in number.
pub(crate) fn agree(plural: bool, one: &'static str, many: &'static str) -> &'static str {
    if plural { many } else { one }
}

/// The finite verb phrase of an active clause: "did not praise".
pub(crate) fn active(verb: &Verb, scene: &Scene, plural: bool) -> String {
    match (scene.tense, scene.negated) {
        (Tense::Past, false) => verb.past.to_owned(),
        (Tense::Past, true) => format!("did not {}", verb.base),
        (Tense::Present, false) => agree(plural, verb.third, verb.base).to_owned(),
        (Tense::Present, true) => format!("{} not {}", agree(plural, "does", "do"), verb.base),
        (Tense::Future, false) => format!("will {}", verb.base),
        (Tense::Future, true) => format!("will not {}", verb.base),
    }
}

/// The finite form of "be": "was not".
fn be(scene: &Scene, plural: bool) -> String {
    let not = if scene.negated { " not" } else { "" };
    match scene.tense {
        Tense::Past => format!("{}{not}", agree(plural, "was", "were")),
        Tense::Present => format!("{}{not}", agree(plural, "is", "are")),
        Tense::Future => format!("will{not} be"),
    }
}

/// The finite verb phrase of a passive clause: "was not praised".
pub(crate) fn passive(verb: &Verb, scene: &Scene, plural: bool) -> String {
    format!("{} {}", be(scene, plural), verb.participle)
}

impl Scene {
    /// Every sentence of the scene, in a fixed order. There are at least four, and all differ.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let clauses = match &self.event {
            Event::Act { verb, agent, patient } => self.acted(verb.word(), agent, patient),
            Event::Transfer { transfer, agent, thing, recipient } => {
                self.transferred(&transfer.give, transfer.take.as_ref(), agent, thing, recipient)
            }
        };
        clauses.into_iter().flat_map(|clause| self.placed(&clause)).collect()
    }

    /// Two sentences of the scene that differ in form and in one word.
    pub(crate) fn restated(&self, draw: &mut Draw) -> (String, String) {
        let again = self.exchanged(draw);
        self.said_and_answered(&again, draw)
    }

    /// A sentence of this scene and a sentence of `other`. They differ in form, also if the meaning is the same.
    ///
    /// The forms are sampled independently of the meaning, so they do not reveal whether the two sentences agree.
    pub(crate) fn said_and_answered(&self, other: &Self, draw: &mut Draw) -> (String, String) {
        let mut said = self.sentences();
        let mut answered = other.sentences();
        let form = draw.below(said.len());
        let answer = (form + 1 + draw.below(answered.len() - 1)) % answered.len();
        (said.swap_remove(form), answered.swap_remove(answer))
    }

    /// Like [`said_and_answered`](Self::said_and_answered), but `None` if a sampled clause is plain and its scene [may not be
    /// plain](Self::may_be_plain).
    pub(crate) fn told_apart(&self, other: &Self, draw: &mut Draw) -> Option<(String, String)> {
        let (told, again) = self.said_and_answered(other, draw);
        (self.allows(&told) && other.allows(&again)).then_some((told, again))
    }

    /// One sentence of the scene. `None` if the sentence is plain and the scene [may not be plain](Self::may_be_plain).
    pub(crate) fn told(&self, draw: &mut Draw) -> Option<String> {
        let told = self.sentence(draw);
        self.allows(&told).then_some(told)
    }

    /// Whether a sentence of this scene may be in the part of the data to which the scene belongs.
    fn allows(&self, sentence: &String) -> bool {
        // The first clause is the plain one.
        let plain = 1 + usize::from(self.adjunct.is_some());
        self.may_be_plain() || !self.sentences()[..plain].contains(sentence)
    }

    /// One sentence of the scene.
    pub(crate) fn sentence(&self, draw: &mut Draw) -> String {
        let mut sentences = self.sentences();
        let form = draw.below(sentences.len());
        sentences.swap_remove(form)
    }

    /// Two sentences, with the adjunct after the clause and before the clause. If there is no adjunct, only the clause.
    fn placed(&self, clause: &str) -> Vec<String> {
        match self.adjunct {
            Some(adjunct) => vec![format!("{clause} {adjunct} ."), format!("{adjunct} , {clause} .")],
            None => vec![format!("{clause} .")],
        }
    }

    /// The words that start a cleft sentence: "it was", "it is".
    fn it(&self) -> &'static str {
        if self.tense == Tense::Past { "it was" } else { "it is" }
    }

    fn acted(&self, verb: &Verb, agent: &Phrase, patient: &Phrase) -> Vec<String> {
        let (a, p, it) = (agent.text(), patient.text(), self.it());
        let does = active(verb, self, agent.plural);
        let is_done = passive(verb, self, patient.plural);
        let mut clauses = vec![format!("{a} {does} {p}"), format!("{p} {is_done} by {a}")];
        // A negated cleft presupposes that somebody performs the act, so it means more than the plain negation.
        if !self.negated {
            clauses.push(format!("{it} {a} who {does} {p}"));
            clauses.push(format!("{it} {p} who {a} {does}"));
            clauses.push(format!("{it} {p} who {is_done} by {a}"));
        } else {
            let affirmed = Self { negated: false, ..*self };
            let (does, is_done) = (active(verb, &affirmed, agent.plural), passive(verb, &affirmed, patient.plural));
            clauses.push(format!("it is not true that {a} {does} {p}"));
            clauses.push(format!("it is not true that {p} {is_done} by {a}"));
        }
        clauses
    }

    fn transferred(
        &self,
        give: &Verb,
        take: Option<&Verb>,
        agent: &Phrase,
        thing: &Phrase,
        recipient: &Phrase,
    ) -> Vec<String> {
        let (a, t, r, it) = (agent.text(), thing.text(), recipient.text(), self.it());
        let gives = active(give, self, agent.plural);
        let mut clauses = vec![
            format!("{a} {gives} {t} to {r}"),
            format!("{a} {gives} {r} {t}"),
            format!("{t} {} to {r} by {a}", passive(give, self, thing.plural)),
            format!("{r} {} {t} by {a}", passive(give, self, recipient.plural)),
        ];
        if !self.negated {
            clauses.push(format!("{it} {a} who {gives} {t} to {r}"));
            clauses.push(format!("{it} {r} who {a} {gives} {t} to"));
        }
        if let Some(take) = take {
            let takes = active(take, self, recipient.plural);
            clauses.push(format!("{r} {takes} {t} from {a}"));
            if !self.negated {
                clauses.push(format!("{it} {r} who {takes} {t} from {a}"));
            }
        }
        clauses
    }
}
