//! The lexicon: about four hundred word types, with the forms that agreement, tense and voice require.

/// The reflexive pronoun of a noun's singular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gender {
    /// himself
    He,
    /// herself
    She,
    /// Either pronoun is possible, so sentences with reflexives do not use the noun.
    Any,
}

/// A noun in the singular and the plural.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Noun {
    /// The singular, which also names the noun in scene keys.
    pub(crate) one: &'static str,
    /// The plural.
    pub(crate) many: &'static str,
    /// The reflexive pronoun of the singular.
    pub(crate) gender: Gender,
}

const fn noun(one: &'static str, many: &'static str, gender: Gender) -> Noun {
    Noun { one, many, gender }
}

/// A verb in its five forms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verb {
    /// The infinitive, also the present with a plural subject.
    pub(crate) base: &'static str,
    /// The present with a singular subject.
    pub(crate) third: &'static str,
    /// The simple past.
    pub(crate) past: &'static str,
    /// The form after "has" and in the passive.
    pub(crate) participle: &'static str,
    /// The form after a progressive "is".
    pub(crate) gerund: &'static str,
}

const fn verb(
    base: &'static str,
    third: &'static str,
    past: &'static str,
    participle: &'static str,
    gerund: &'static str,
) -> Verb {
    Verb { base, third, past, participle, gerund }
}

/// A verb whose simple past and participle are the same.
const fn weak(base: &'static str, third: &'static str, past: &'static str, gerund: &'static str) -> Verb {
    verb(base, third, past, past, gerund)
}

use Gender::{Any, He, She};

/// People, who act and are acted on.
pub(crate) static PEOPLE: &[Noun] = &[
    noun("boy", "boys", He),
    noun("man", "men", He),
    noun("king", "kings", He),
    noun("uncle", "uncles", He),
    noun("father", "fathers", He),
    noun("brother", "brothers", He),
    noun("son", "sons", He),
    noun("prince", "princes", He),
    noun("monk", "monks", He),
    noun("waiter", "waiters", He),
    noun("girl", "girls", She),
    noun("woman", "women", She),
    noun("queen", "queens", She),
    noun("aunt", "aunts", She),
    noun("mother", "mothers", She),
    noun("sister", "sisters", She),
    noun("daughter", "daughters", She),
    noun("lady", "ladies", She),
    noun("nun", "nuns", She),
    noun("witch", "witches", She),
    noun("cook", "cooks", Any),
    noun("nurse", "nurses", Any),
    noun("farmer", "farmers", Any),
    noun("teacher", "teachers", Any),
    noun("doctor", "doctors", Any),
    noun("singer", "singers", Any),
    noun("painter", "painters", Any),
    noun("sailor", "sailors", Any),
    noun("baker", "bakers", Any),
    noun("pilot", "pilots", Any),
    noun("guard", "guards", Any),
    noun("writer", "writers", Any),
];

/// Things that are given.
pub(crate) static THINGS: &[Noun] = &[
    noun("book", "books", Any),
    noun("letter", "letters", Any),
    noun("cup", "cups", Any),
    noun("key", "keys", Any),
    noun("lamp", "lamps", Any),
    noun("ring", "rings", Any),
    noun("coin", "coins", Any),
    noun("box", "boxes", Any),
    noun("ball", "balls", Any),
    noun("rope", "ropes", Any),
    noun("hat", "hats", Any),
    noun("map", "maps", Any),
    noun("knife", "knives", Any),
    noun("pen", "pens", Any),
    noun("basket", "baskets", Any),
    noun("bottle", "bottles", Any),
    noun("spoon", "spoons", Any),
    noun("stick", "sticks", Any),
];

/// Acts of one person on another. Each row is a meaning, and its items are synonyms.
pub(crate) static ACTS: &[&[Verb]] = &[
    &[weak("praise", "praises", "praised", "praising"), weak("commend", "commends", "commended", "commending")],
    &[weak("help", "helps", "helped", "helping"), weak("assist", "assists", "assisted", "assisting")],
    &[weak("follow", "follows", "followed", "following"), weak("trail", "trails", "trailed", "trailing")],
    &[weak("call", "calls", "called", "calling"), weak("phone", "phones", "phoned", "phoning")],
    &[weak("blame", "blames", "blamed", "blaming"), weak("accuse", "accuses", "accused", "accusing")],
    &[weak("watch", "watches", "watched", "watching"), weak("observe", "observes", "observed", "observing")],
    &[weak("warn", "warns", "warned", "warning"), weak("alert", "alerts", "alerted", "alerting")],
    &[weak("admire", "admires", "admired", "admiring"), weak("adore", "adores", "adored", "adoring")],
    &[weak("push", "pushes", "pushed", "pushing"), weak("shove", "shoves", "shoved", "shoving")],
    &[weak("chase", "chases", "chased", "chasing"), weak("pursue", "pursues", "pursued", "pursuing")],
    &[weak("greet", "greets", "greeted", "greeting"), weak("welcome", "welcomes", "welcomed", "welcoming")],
    &[weak("invite", "invites", "invited", "inviting"), weak("summon", "summons", "summoned", "summoning")],
    &[verb("see", "sees", "saw", "seen", "seeing"), weak("spot", "spots", "spotted", "spotting")],
    &[verb("choose", "chooses", "chose", "chosen", "choosing"), weak("select", "selects", "selected", "selecting")],
    &[weak("find", "finds", "found", "finding"), weak("locate", "locates", "located", "locating")],
    &[verb("draw", "draws", "drew", "drawn", "drawing"), weak("sketch", "sketches", "sketched", "sketching")],
];

/// Verbs that always need an object in this English.
pub(crate) static STRICT: &[Verb] = &[
    weak("praise", "praises", "praised", "praising"),
    weak("thank", "thanks", "thanked", "thanking"),
    weak("blame", "blames", "blamed", "blaming"),
    weak("admire", "admires", "admired", "admiring"),
    weak("greet", "greets", "greeted", "greeting"),
    weak("invite", "invites", "invited", "inviting"),
    weak("find", "finds", "found", "finding"),
    weak("chase", "chases", "chased", "chasing"),
];

/// Acts of one person alone. These verbs take no object.
pub(crate) static MOVES: &[&[Verb]] = &[
    &[weak("sleep", "sleeps", "slept", "sleeping")],
    &[weak("laugh", "laughs", "laughed", "laughing")],
    &[weak("wait", "waits", "waited", "waiting")],
    &[weak("cry", "cries", "cried", "crying"), weak("weep", "weeps", "wept", "weeping")],
    &[weak("dance", "dances", "danced", "dancing")],
    &[weak("smile", "smiles", "smiled", "smiling")],
    &[weak("arrive", "arrives", "arrived", "arriving")],
    &[weak("work", "works", "worked", "working")],
    &[verb("swim", "swims", "swam", "swum", "swimming")],
    &[verb("fall", "falls", "fell", "fallen", "falling")],
    &[verb("rise", "rises", "rose", "risen", "rising")],
];

/// A transfer, with a verb for the giver and, if English has one, a verb for the receiver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// The giver's verb. The recipient can follow the verb directly, or follow the thing with "to".
    pub(crate) give: Verb,
    /// The receiver's verb, with "from".
    pub(crate) take: Option<Verb>,
}

/// The number of transfers with a verb for the receiver. They are at the start of the list.
pub(crate) const EXCHANGES: usize = 3;

/// The transfers.
pub(crate) static TRANSFERS: &[Transfer] = &[
    Transfer {
        give: verb("give", "gives", "gave", "given", "giving"),
        take: Some(weak("receive", "receives", "received", "receiving")),
    },
    Transfer { give: weak("sell", "sells", "sold", "selling"), take: Some(weak("buy", "buys", "bought", "buying")) },
    Transfer {
        give: weak("lend", "lends", "lent", "lending"),
        take: Some(weak("borrow", "borrows", "borrowed", "borrowing")),
    },
    Transfer { give: weak("send", "sends", "sent", "sending"), take: None },
    Transfer { give: verb("show", "shows", "showed", "shown", "showing"), take: None },
    Transfer { give: weak("offer", "offers", "offered", "offering"), take: None },
    Transfer { give: weak("bring", "brings", "brought", "bringing"), take: None },
];

/// Adjectives of people, by meaning.
pub(crate) static TRAITS: &[&[&str]] = &[
    &["old", "elderly"],
    &["young", "youthful"],
    &["rich", "wealthy"],
    &["poor", "needy"],
    &["strong", "sturdy"],
    &["weak", "frail"],
    &["happy", "glad"],
    &["tired", "weary"],
    &["clever", "smart"],
    &["kind", "gentle"],
    &["angry", "furious"],
    &["brave", "bold"],
];

/// Adjectives of things, by meaning.
pub(crate) static LOOKS: &[&[&str]] = &[
    &["red", "scarlet"],
    &["black", "dark"],
    &["white", "pale"],
    &["small", "little"],
    &["large", "big"],
    &["heavy", "weighty"],
    &["new", "fresh"],
    &["golden", "gilded"],
];

/// A scale, with an adjective and its comparative for each end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The plain form, then the comparative.
    pub(crate) more: (&'static str, &'static str),
    /// The same forms for the other end.
    pub(crate) less: (&'static str, &'static str),
}

/// Scales on which people are compared.
pub(crate) static SCALES: &[Scale] = &[
    Scale { more: ("tall", "taller"), less: ("short", "shorter") },
    Scale { more: ("old", "older"), less: ("young", "younger") },
    Scale { more: ("rich", "richer"), less: ("poor", "poorer") },
    Scale { more: ("strong", "stronger"), less: ("weak", "weaker") },
    Scale { more: ("fast", "faster"), less: ("slow", "slower") },
];

/// Places.
pub(crate) static PLACES: &[&str] = &[
    "in the kitchen",
    "in the garden",
    "at the market",
    "in the school",
    "at the station",
    "in the library",
    "near the tower",
    "in the forest",
    "in the castle",
    "on the bridge",
];

/// Adverbials for the past.
pub(crate) static PAST_TIMES: &[&str] = &["yesterday", "last night", "last week"];
/// Adverbials for the present.
pub(crate) static PRESENT_TIMES: &[&str] = &["every day", "every night", "every week"];
/// Adverbials for the future.
pub(crate) static FUTURE_TIMES: &[&str] = &["tomorrow", "next week", "next month"];
