//! Quoting of words for a shell.

/// Quote a word for a POSIX shell. A word is put in single quotes if it is empty or has characters other than letters, digits and
/// `-_./=,:+@%`.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::quoted;
    use crate::damage::config;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("recipes/mini/a-only.toml"), "recipes/mini/a-only.toml");
        assert_eq!(quoted("learning_rate=[1e-4, 3e-4]"), "'learning_rate=[1e-4, 3e-4]'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    proptest! {
        #![proptest_config(config(100))]

        /// The words are passed to a real shell.
        #[cfg(unix)]
        #[test]
        fn quoted_words_reach_the_command_unchanged(
            words in prop::collection::vec(
                "([ab ~='\"$`*?!#&|;<>(){}\\[\\]\\\\^%+,@:./\n\t-]|[^\\x00]){0,8}",
                1..20,
            ),
        ) {
            let command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            let script = format!("printf '%s\\0' {command}");
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            prop_assert!(output.status.success() && output.stderr.is_empty(), "{}", script);
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(found, expected, "{}", script);
        }

        /// Most words need no quotes, and a list of commands without quotes is easier to read.
        #[test]
        fn plain_words_are_not_quoted(word in "[A-Za-z0-9_./=,:+@%-]{1,12}") {
            prop_assert_eq!(quoted(&word), word);
        }
    }
}
