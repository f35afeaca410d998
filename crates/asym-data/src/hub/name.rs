//! Names of repositories and of files in them, checked before they become parts of paths and addresses.

use super::error::HubError;

/// The largest number of characters that the Hub allows in either part of a repository's name.
const LONGEST_PART: usize = 96;

/// The kind of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Model,
    Dataset,
}

impl Kind {
    pub fn text(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }
}

/// A repository at a revision.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub kind: Kind,
    /// `owner/name`, or `name` alone for the oldest models.
    pub id: String,
    pub revision: String,
}

impl Name {
    /// Parses `owner/name` or `name`, optionally followed by `@revision`.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, HubError> {
        let wrong = |problem| HubError::Name { found: text.to_string(), problem };
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() > 2 {
            return Err(wrong("it has more than one slash"));
        }
        if !parts.iter().all(|part| is_part(part)) {
            return Err(wrong(
                "each part must have 1 to 96 letters, digits, `-`, `_` or `.`, must not begin or end with `-` or `.`, \
                 and must not contain `--` or `..`",
            ));
        }
        if id.ends_with(".git") {
            return Err(wrong("the name must not end in `.git`"));
        }
        if !is_revision(revision) {
            return Err(wrong("the text after `@` is not a valid branch, tag or commit"));
        }
        Ok(Self { kind, id: id.to_string(), revision: revision.to_string() })
    }

    /// The repository as a value of hf-hub, at `revision`.
    pub fn at(&self, revision: &str) -> hf_hub::Repo {
        let kind = match self.kind {
            Kind::Model => hf_hub::RepoType::Model,
            Kind::Dataset => hf_hub::RepoType::Dataset,
        };
        hf_hub::Repo::with_revision(self.id.clone(), kind, revision.to_string())
    }
}

/// Whether a text is the name of a repository with its owner: `owner/name` or `owner/name@revision`.
///
/// A relative path of two parts looks the same, so a caller should look for a folder of that name first. `./name` is
/// never a repository.
pub fn looks_like_repo(text: &str) -> bool {
    Name::parse(Kind::Model, text).is_ok_and(|name| name.id.contains('/'))
}

/// Whether a text is the name of a repository, with or without its owner. The oldest models and data sets have no owner.
///
/// Any plain word is such a name, so a caller should look for a folder first.
pub fn may_be_repo(text: &str) -> bool {
    Name::parse(Kind::Model, text).is_ok()
}

fn is_part(part: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=LONGEST_PART).contains(&part.len())
        && part.chars().all(inside)
        && part.starts_with(edge)
        && part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
}

/// Whether a text can be a revision. A revision becomes the name of a file below `refs` and a part of an address in which only
/// its slashes are escaped.
fn is_revision(revision: &str) -> bool {
    revision.split('/').all(is_component)
}

/// Whether a text from a server or the cache can safely be used as the name of a file.
pub(super) fn is_component(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
}

/// Whether the path of a file in a repository stays below the folder to which it is joined.
pub(super) fn is_inside(path: &str) -> bool {
    // A backslash or a colon has a special meaning on Windows, and a control character has one on a terminal.
    let wrong = |c: char| matches!(c, '\\' | ':') || c.is_control();
    let harmless = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(wrong);
    path.split('/').all(harmless)
}

/// A path with percent-encoding, for an address. hf-hub does not escape names in addresses, so `#` or a space would break an
/// address.
pub(super) fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    #[test]
    fn repository_names_are_validated() {
        let long = format!("owner/{}", "n".repeat(96));
        for good in
            ["FacebookAI/roberta-large", "owner-x/data-set", "a/b", "a_/_b", "owner/name@main", "o/n@refs/pr/1", &long]
        {
            assert!(looks_like_repo(good), "{good}");
        }
        let too_long = format!("owner/{}", "n".repeat(97));
        let wrong = [
            "",
            "/",
            "a/",
            "/b",
            "./b",
            "../b",
            "a/b/c",
            "a//b",
            "~/b",
            "a b/c",
            "a/b@",
            "a/b@..",
            "a/b@x/../y",
            "a/b@x y",
            "-a/b",
            "a/b.",
            "a/b--c",
            "a/b..c",
            "a/b.git",
            "C:/b",
            "a\\b/c",
            "naïve/b",
            &too_long,
        ];
        for wrong in wrong {
            assert!(!looks_like_repo(wrong), "{wrong}");
        }
        // The Hub still has models with names of one part.
        assert!(!looks_like_repo("gpt2") && may_be_repo("gpt2") && may_be_repo("bert-base-uncased@main"));
        assert!(may_be_repo("a/b") && !may_be_repo("./b") && !may_be_repo("/b") && !may_be_repo("a/b/c"));
        let name = Name::parse(Kind::Model, "gpt2@v1").unwrap();
        assert_eq!((name.id.as_str(), name.revision.as_str()), ("gpt2", "v1"));
        assert_eq!(Name::parse(Kind::Model, "gpt2").unwrap().revision, "main");
    }

    #[test]
    fn file_paths_are_validated_and_escaped() {
        for good in ["config.json", "mrpc/train-00000-of-00001.parquet", "a b#.txt", "..a/b"] {
            assert!(is_inside(good), "{good}");
        }
        for wrong in ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", "a\\b", "C:x", "a\0", "a\u{1b}[2J"] {
            assert!(!is_inside(wrong), "{wrong}");
        }
        assert_eq!(escaped("mrpc/a b#1?%é.txt"), "mrpc/a%20b%231%3F%25%C3%A9.txt");
    }

    /// A part of a repository's name.
    fn part() -> impl Strategy<Value = String> {
        "[A-Za-z0-9_]([A-Za-z0-9_]|[-.][A-Za-z0-9_]){0,40}"
            .prop_filter("a name that ends in .git", |part| !part.ends_with(".git"))
    }

    proptest! {
        #![proptest_config(config(1000))]

        #[test]
        fn names_are_split_into_id_and_revision(
            owner in prop::option::of(part()),
            name in part(),
            revision in prop::option::of("[A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,9}(/[A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,9}){0,2}"),
        ) {
            let id = owner.iter().chain([&name]).map(String::as_str).collect::<Vec<_>>().join("/");
            let text = revision.iter().fold(id.clone(), |id, revision| format!("{id}@{revision}"));
            let parsed = Name::parse(Kind::Dataset, &text).unwrap();
            prop_assert_eq!(&parsed.id, &id);
            prop_assert_eq!(&parsed.revision, revision.as_deref().unwrap_or("main"));
            prop_assert_eq!(looks_like_repo(&text), owner.is_some());
        }

        /// A name that is accepted becomes a folder of the cache and a part of an address.
        #[test]
        fn accepted_names_stay_inside_the_cache(text in "([a-z]|[./@:_+-]|\\PC|\\\\){0,30}") {
            if let Ok(name) = Name::parse(Kind::Model, &text) {
                prop_assert!(is_inside(&name.id) && is_inside(&name.revision), "{:?}", name);
                prop_assert_eq!(escaped(&name.id), name.id.as_str());
                let again = Name::parse(Kind::Model, &format!("{}@{}", name.id, name.revision)).unwrap();
                prop_assert_eq!((again.id, again.revision), (name.id, name.revision));
            }
        }

        #[test]
        fn unescaping_restores_the_path(path in "(\\PC|[ #?%/]){0,30}") {
            let escaped = escaped(&path);
            prop_assert!(escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~%".contains(&byte)));
            let mut parts = escaped.split('%');
            let mut bytes = parts.next().unwrap().as_bytes().to_vec();
            for part in parts {
                bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
                bytes.extend(part[2..].bytes());
            }
            prop_assert_eq!(bytes, path.as_bytes());
        }
    }
}
