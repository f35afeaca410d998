//! The 57 subjects and their groups.

/// A group of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Humanities.
    Humanities,
    /// Social sciences.
    SocialSciences,
    /// Science, technology, engineering and mathematics.
    Stem,
    /// All other subjects.
    Other,
}

impl Group {
    /// Every group, in the order of the paper's columns.
    pub const ALL: [Self; 4] = [Self::Humanities, Self::Stem, Self::SocialSciences, Self::Other];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Humanities => "humanities",
            Self::SocialSciences => "social sciences",
            Self::Stem => "STEM",
            Self::Other => "other",
        }
    }
}

/// An assignment of the subjects to groups. The two groupings differ only in anatomy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// The grouping of the benchmark: Hendrycks et al., 2021, `categories.py` of their repository.
    Original,
    /// The grouping of lm-evaluation-harness.
    Harness,
}

/// A subject, represented by its index in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(usize);

impl Subject {
    /// Every subject, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SUBJECTS.len()).map(Self)
    }

    /// The subject with this name, which has underscores between words.
    pub fn named(name: &str) -> Option<Self> {
        SUBJECTS.binary_search_by_key(&name, |(known, _)| known).ok().map(Self)
    }

    /// The name, as in the names of files.
    pub const fn name(self) -> &'static str {
        SUBJECTS[self.0].0
    }

    /// The name with spaces between words.
    pub fn words(self) -> String {
        self.name().replace('_', " ")
    }

    /// The group of the subject.
    pub fn group(self, by: Grouping) -> Group {
        match (by, SUBJECTS[self.0]) {
            (Grouping::Harness, ("anatomy", _)) => Group::Stem,
            (_, (_, group)) => group,
        }
    }
}

/// The names of the subjects and their groups in the benchmark. Source: `categories.py` of hendrycks/test.
const SUBJECTS: [(&str, Group); 57] = [
    ("abstract_algebra", Group::Stem),
    ("anatomy", Group::Other),
    ("astronomy", Group::Stem),
    ("business_ethics", Group::Other),
    ("clinical_knowledge", Group::Other),
    ("college_biology", Group::Stem),
    ("college_chemistry", Group::Stem),
    ("college_computer_science", Group::Stem),
    ("college_mathematics", Group::Stem),
    ("college_medicine", Group::Other),
    ("college_physics", Group::Stem),
    ("computer_security", Group::Stem),
    ("conceptual_physics", Group::Stem),
    ("econometrics", Group::SocialSciences),
    ("electrical_engineering", Group::Stem),
    ("elementary_mathematics", Group::Stem),
    ("formal_logic", Group::Humanities),
    ("global_facts", Group::Other),
    ("high_school_biology", Group::Stem),
    ("high_school_chemistry", Group::Stem),
    ("high_school_computer_science", Group::Stem),
    ("high_school_european_history", Group::Humanities),
    ("high_school_geography", Group::SocialSciences),
    ("high_school_government_and_politics", Group::SocialSciences),
    ("high_school_macroeconomics", Group::SocialSciences),
    ("high_school_mathematics", Group::Stem),
    ("high_school_microeconomics", Group::SocialSciences),
    ("high_school_physics", Group::Stem),
    ("high_school_psychology", Group::SocialSciences),
    ("high_school_statistics", Group::Stem),
    ("high_school_us_history", Group::Humanities),
    ("high_school_world_history", Group::Humanities),
    ("human_aging", Group::Other),
    ("human_sexuality", Group::SocialSciences),
    ("international_law", Group::Humanities),
    ("jurisprudence", Group::Humanities),
    ("logical_fallacies", Group::Humanities),
    ("machine_learning", Group::Stem),
    ("management", Group::Other),
    ("marketing", Group::Other),
    ("medical_genetics", Group::Other),
    ("miscellaneous", Group::Other),
    ("moral_disputes", Group::Humanities),
    ("moral_scenarios", Group::Humanities),
    ("nutrition", Group::Other),
    ("philosophy", Group::Humanities),
    ("prehistory", Group::Humanities),
    ("professional_accounting", Group::Other),
    ("professional_law", Group::Humanities),
    ("professional_medicine", Group::Other),
    ("professional_psychology", Group::SocialSciences),
    ("public_relations", Group::SocialSciences),
    ("security_studies", Group::SocialSciences),
    ("sociology", Group::SocialSciences),
    ("us_foreign_policy", Group::SocialSciences),
    ("virology", Group::Other),
    ("world_religions", Group::Humanities),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_sizes_match_both_sources() {
        let sizes = |by| Group::ALL.map(|group| Subject::all().filter(|subject| subject.group(by) == group).count());
        assert_eq!(sizes(Grouping::Original), [13, 18, 12, 14]);
        assert_eq!(sizes(Grouping::Harness), [13, 19, 12, 13]);
    }

    #[test]
    fn each_subject_is_found_by_its_name() {
        for subject in Subject::all() {
            assert_eq!(Subject::named(subject.name()), Some(subject));
        }
        assert_eq!(Subject::named("anatomie"), None);
        assert_eq!(Subject::named("us_foreign_policy").map(Subject::words).as_deref(), Some("us foreign policy"));
    }
}
