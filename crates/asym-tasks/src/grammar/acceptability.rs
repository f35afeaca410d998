//! Sentences that are acceptable or not.
//!
//! Each construction combines two independent choices, so no word is more frequent in either class. It first samples its words,
//! and then makes the sentence acceptable or unacceptable, as requested. The class always depends on how two words are combined,
//! and never on the words alone.

use super::draw::Draw;
use super::key::scene_key;
use super::lexicon::{
    ACTS, FUTURE_TIMES, Gender, MOVES, Noun, PAST_TIMES, PEOPLE, PLACES, SCALES, STRICT, TRAITS, Verb,
};
use super::render::agree;

/// A sentence of a construction, with the key of its fillers.
pub(crate) struct Specimen {
    /// The name of the construction.
    pub(crate) source: &'static str,
    /// The key of the fillers, which determines whether the sentence is held out.
    pub(crate) key: String,
    /// The sentence.
    pub(crate) sentence: String,
}

/// Returns the key of the fillers and the sentence, which is acceptable or not, as requested.
type Construction = fn(&mut Draw, bool) -> (String, String);

/// Every construction by its name.
static CONSTRUCTIONS: &[(&str, Construction)] = &[
    ("agreement", agreement),
    ("relative", relative),
    ("coordination", coordination),
    ("reflexive", reflexive),
    ("auxiliary", auxiliary),
    ("object", object),
    ("demonstrative", demonstrative),
    ("order", order),
    ("time", time),
    ("question", question),
    ("degree", degree),
];

/// Samples a specimen that is acceptable or not, as requested.
pub(crate) fn specimen(draw: &mut Draw, acceptable: bool) -> Specimen {
    let (source, construction) = *draw.pick(CONSTRUCTIONS);
    let (key, sentence) = construction(draw, acceptable);
    Specimen { source, key, sentence }
}

fn in_number(noun: &Noun, plural: bool) -> &'static str {
    agree(plural, noun.one, noun.many)
}

/// A random verb of `table`, and the first synonym of its meaning, which is the name of the meaning.
fn any_verb(draw: &mut Draw, table: &'static [&'static [Verb]]) -> (&'static Verb, &'static str) {
    let synonyms = table[draw.below(table.len())];
    (draw.pick(synonyms), synonyms[0].base)
}

/// "the boys near the king sleep", not "sleeps".
fn agreement(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, attractor) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, MOVES);
    let between = *draw.pick(&["near", "behind", "with"]);
    let (plural, other) = (draw.chance(50), draw.chance(50));
    let verb_plural = plural == acceptable;
    let (s, o) = (in_number(subject, plural), in_number(attractor, other));
    let says = agree(verb_plural, verb.third, verb.base);
    let place = draw.pick(PLACES);
    (scene_key(name, vec![subject.one, attractor.one]), format!("the {s} {between} the {o} {says} {place} ."))
}

/// "the king who the boys praise sleeps", not "sleep"; "the king who praises the boys".
fn relative(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, attractor) = draw.pick_two(PEOPLE);
    let ((inner, name), (outer, _)) = (any_verb(draw, ACTS), any_verb(draw, MOVES));
    let (plural, other) = (draw.chance(50), draw.chance(50));
    let (s, o) = (in_number(subject, plural), in_number(attractor, other));
    let says = agree(plural == acceptable, outer.third, outer.base);
    let clause = if draw.chance(50) {
        format!("{} the {o}", agree(plural, inner.third, inner.base))
    } else {
        format!("the {o} {}", agree(other, inner.third, inner.base))
    };
    let key = scene_key(name, vec![subject.one, attractor.one]);
    (key, format!("the {s} who {clause} {says} ."))
}

/// "the cook and the nurse sleep", but "the cook near the nurse sleeps".
fn coordination(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (one, other) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, MOVES);
    let both = draw.chance(50);
    let joint = if both { "and" } else { *draw.pick(&["near", "behind", "with"]) };
    let says = agree(both == acceptable, verb.third, verb.base);
    let place = draw.pick(PLACES);
    let key = scene_key(name, vec![one.one, other.one]);
    (key, format!("the {} {joint} the {} {says} {place} .", one.one, other.one))
}

/// "the king near the girls praised himself", not "themselves".
fn reflexive(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let gendered: Vec<&'static Noun> = PEOPLE.iter().filter(|noun| noun.gender != Gender::Any).collect();
    let (&subject, &attractor) = draw.pick_two(&gendered);
    let (verb, name) = any_verb(draw, ACTS);
    let between = *draw.pick(&["near", "behind", "with"]);
    let reflexives = ["himself", "herself", "themselves"];
    // The three kinds of subject are equally frequent, and so are the reflexives in each class.
    let kind = draw.below(3);
    let plural = kind == 2;
    let subject = match (kind, subject.gender) {
        (0, Gender::She) | (1, Gender::He) => counterpart(subject, &gendered),
        _ => subject,
    };
    let said = if acceptable { kind } else { (kind + 1 + draw.below(2)) % 3 };
    let other = draw.chance(50);
    let (s, o) = (in_number(subject, plural), in_number(attractor, other));
    let key = scene_key(name, vec![subject.one, attractor.one]);
    (key, format!("the {s} {between} the {o} {} {} .", verb.past, reflexives[said]))
}

/// The noun at the corresponding index of the other gender. The table lists the same number of nouns for both genders.
fn counterpart(noun: &'static Noun, gendered: &[&'static Noun]) -> &'static Noun {
    let at = gendered.iter().position(|other| other.one == noun.one).unwrap_or(0);
    gendered[(at + gendered.len() / 2) % gendered.len()]
}

/// "will praise", "has praised", "is praising": each of the three auxiliaries requires another form of the verb.
fn auxiliary(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, ACTS);
    let plural = draw.chance(40);
    let kind = draw.below(3);
    let said = if acceptable { kind } else { (kind + 1 + draw.below(2)) % 3 };
    let helper = ["will", agree(plural, "has", "have"), agree(plural, "is", "are")][kind];
    let form = [verb.base, verb.participle, verb.gerund][said];
    let not = if draw.chance(30) { " not" } else { "" };
    let patient_plural = draw.chance(40);
    let key = scene_key(name, vec![subject.one, patient.one]);
    let (s, p) = (in_number(subject, plural), in_number(patient, patient_plural));
    (key, format!("the {s} {helper}{not} {form} the {p} ."))
}

/// "the cook praised the nurse" and "the cook slept", not "the cook praised" nor "the cook slept the nurse".
fn object(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let transitive = draw.chance(50);
    let (verb, name) = if transitive {
        let verb = draw.pick(STRICT);
        (verb, verb.base)
    } else {
        any_verb(draw, MOVES)
    };
    let adjective = draw.pick(TRAITS)[0];
    let (plural, other) = (draw.chance(30), draw.chance(30));
    let place = draw.pick(PLACES);
    // The key of a sentence without a patient contains the place, so that there are enough keys for such sentences.
    let (object, second) = if transitive == acceptable {
        (format!(" the {}", in_number(patient, other)), patient.one)
    } else {
        (String::new(), *place)
    };
    let key = scene_key(name, vec![subject.one, second]);
    (key, format!("the {adjective} {} {}{object} {place} .", in_number(subject, plural), verb.past))
}

/// "this cook" and "those cooks", not "this cooks".
fn demonstrative(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, ACTS);
    let plural = draw.chance(50);
    let pointer = *draw.pick(if plural { &["these", "those"] } else { &["this", "that"] });
    let (odd, other) = (in_number(patient, plural == acceptable), draw.chance(50));
    let s = in_number(subject, other);
    let adjective = draw.pick(TRAITS)[0];
    let key = scene_key(name, vec![subject.one, patient.one]);
    let clause = if draw.chance(50) {
        format!("the {s} {} {pointer} {adjective} {odd} .", verb.past)
    } else {
        format!("{pointer} {adjective} {odd} {} the {s} .", verb.past)
    };
    (key, clause)
}

/// "the old cook praised the nurse in the garden" with two adjacent words swapped, or not.
fn order(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, ACTS);
    let adjective = draw.pick(TRAITS)[0];
    let place = draw.pick(PLACES);
    let (s, p) = (in_number(subject, draw.chance(30)), in_number(patient, draw.chance(30)));
    let text = format!("the {adjective} {s} will {} the {p} {place}", verb.base);
    let mut words: Vec<&str> = text.split(' ').collect();
    let at = draw.below(words.len() - 1);
    if !acceptable {
        words.swap(at, at + 1);
    }
    (scene_key(name, vec![subject.one, patient.one]), format!("{} .", words.join(" ")))
}

/// "praised … yesterday" and "will praise … tomorrow", not the reverse.
fn time(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let (verb, name) = any_verb(draw, ACTS);
    let past = draw.chance(50);
    let when = draw.pick(if past { PAST_TIMES } else { FUTURE_TIMES });
    let (s, p) = (in_number(subject, draw.chance(30)), in_number(patient, draw.chance(30)));
    let clause = if past == acceptable {
        format!("the {s} {} the {p}", verb.past)
    } else {
        format!("the {s} will {} the {p}", verb.base)
    };
    let key = scene_key(name, vec![subject.one, patient.one]);
    let text = if draw.chance(50) { format!("{clause} {when} .") } else { format!("{when} , {clause} .") };
    (key, text)
}

/// "who did the cook praise ?" and "did the cook praise the nurse ?": the object is missing if and only if the question has
/// "who".
fn question(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (subject, patient) = draw.pick_two(PEOPLE);
    let verb = draw.pick(STRICT);
    let asks = draw.chance(50);
    let (s, p) = (in_number(subject, draw.chance(30)), in_number(patient, draw.chance(30)));
    let who = if asks { "who did" } else { "did" };
    let place = draw.pick(PLACES);
    let (object, second) =
        if asks == acceptable { (String::new(), *place) } else { (format!(" the {p}"), patient.one) };
    let key = scene_key(verb.base, vec![subject.one, second]);
    (key, format!("{who} the {s} {}{object} {place} ?", verb.base))
}

/// "taller than" and "as tall as", not "tall than" nor "as taller as".
fn degree(draw: &mut Draw, acceptable: bool) -> (String, String) {
    let (one, other) = draw.pick_two(PEOPLE);
    let scale = draw.pick(SCALES);
    let (plain, more) = if draw.chance(50) { scale.more } else { scale.less };
    let equal = draw.chance(50);
    let form = if equal == acceptable { plain } else { more };
    let (plural, another) = (draw.chance(30), draw.chance(30));
    let (s, o) = (in_number(one, plural), in_number(other, another));
    let is = agree(plural, "was", "were");
    let clause = if equal {
        format!("the {s} {is} as {form} as the {o} .")
    } else {
        format!("the {s} {is} {form} than the {o} .")
    };
    (scene_key(scale.more.1, vec![one.one, other.one]), clause)
}
