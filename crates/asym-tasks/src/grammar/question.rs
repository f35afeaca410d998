//! The questions about a scene: whether it is true, and who takes part in it. No question is negated.

use super::draw::Draw;
use super::render::{active, agree, passive};
use super::scene::{Event, Phrase, Scene, Tense};

impl Scene {
    /// Two questions that differ in form. The first asks whether this scene is true, and the second asks whether
    /// `other` is.
    ///
    /// `None` if a sampled form is plain and its scene [may not be plain](Self::may_be_plain).
    pub(crate) fn asked_twice(&self, other: &Self, draw: &mut Draw) -> Option<(String, String)> {
        let (mut asked, mut again) = (self.questions(), other.questions());
        let form = draw.below(asked.len());
        let next = (form + 1 + draw.below(again.len() - 1)) % again.len();
        // The first form is the plain one.
        let allowed = (form > 0 || self.may_be_plain()) && (next > 0 || other.may_be_plain());
        allowed.then(|| (asked.swap_remove(form), again.swap_remove(next)))
    }

    /// A question about one of the two people of an act, and the role of this person. `None` if the scene is not an act.
    pub(crate) fn who(&self, draw: &mut Draw) -> Option<(String, &'static str)> {
        let Event::Act { verb, agent, patient } = &self.event else { return None };
        let (a, p, verb) = (agent.text(), patient.text(), verb.word());
        let (is, be) = self.is(patient);
        // "who" is always in the singular.
        let (clause, asked) = match draw.below(4) {
            0 => (format!("who {} {a} {}", self.does(agent), verb.base), "patient"),
            1 => (format!("who {} by {a}", passive(verb, self, false)), "patient"),
            2 => (format!("who {} {p}", active(verb, self, false)), "agent"),
            _ => (format!("who {is} {p} {be}{} by", verb.participle), "agent"),
        };
        Some((self.asked(&clause), asked))
    }

    /// The five different questions that ask whether the scene is true, in a fixed order.
    fn questions(&self) -> Vec<String> {
        let it = if self.tense == Tense::Past { "was it" } else { "is it" };
        let clauses = match &self.event {
            Event::Act { verb, agent, patient } => {
                let (a, p, verb) = (agent.text(), patient.text(), verb.word());
                let ((is, be), act) = (self.is(patient), active(verb, self, agent.plural));
                vec![
                    format!("{} {a} {} {p}", self.does(agent), verb.base),
                    format!("{is} {p} {be}{} by {a}", verb.participle),
                    format!("is it true that {a} {act} {p}"),
                    format!("{it} {a} who {act} {p}"),
                    format!("{it} {p} who {a} {act}"),
                ]
            }
            Event::Transfer { transfer, agent, thing, recipient } => {
                let (a, t, r, verb) = (agent.text(), thing.text(), recipient.text(), &transfer.give);
                let ((is, be), act) = (self.is(thing), active(verb, self, agent.plural));
                vec![
                    format!("{} {a} {} {t} to {r}", self.does(agent), verb.base),
                    format!("{} {a} {} {r} {t}", self.does(agent), verb.base),
                    format!("{is} {t} {be}{} to {r} by {a}", verb.participle),
                    format!("is it true that {a} {act} {t} to {r}"),
                    format!("{it} {a} who {act} {t} to {r}"),
                ]
            }
        };
        clauses.iter().map(|clause| self.asked(clause)).collect()
    }

    /// The clause with the adjunct and the question mark at its end.
    fn asked(&self, clause: &str) -> String {
        match self.adjunct {
            Some(adjunct) => format!("{clause} {adjunct} ?"),
            None => format!("{clause} ?"),
        }
    }

    /// The auxiliary before the subject of an active question: "did".
    fn does(&self, subject: &Phrase) -> &'static str {
        match self.tense {
            Tense::Past => "did",
            Tense::Present => agree(subject.plural, "does", "do"),
            Tense::Future => "will",
        }
    }

    /// The words before and after the subject of a passive question: "will" and "be ".
    fn is(&self, subject: &Phrase) -> (&'static str, &'static str) {
        match self.tense {
            Tense::Past => (agree(subject.plural, "was", "were"), ""),
            Tense::Present => (agree(subject.plural, "is", "are"), ""),
            Tense::Future => ("will", "be "),
        }
    }
}
