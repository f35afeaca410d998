//! Regular expressions in configurations. They are those of Python, with look-ahead and look-behind.

use fancy_regex::{Captures, Regex};

use crate::AdapterError;

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Compile `text`.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Pattern`].
    pub(crate) fn new(text: &str) -> Result<Self, AdapterError> {
        Self::compiled(text, text)
    }

    /// Compile `text`, which must match a whole name.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Pattern`].
    pub(crate) fn whole(text: &str) -> Result<Self, AdapterError> {
        Self::compiled(&format!("^(?:{text})$"), text)
    }

    /// Compile `text`, which must match a whole name, or the end of a name after any of its dots.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Pattern`].
    pub(crate) fn ending(text: &str) -> Result<Self, AdapterError> {
        Self::compiled(&format!("^(?:.*\\.)?(?:{text})$"), text)
    }

    fn compiled(expression: &str, text: &str) -> Result<Self, AdapterError> {
        let wrong = |source| AdapterError::Pattern { pattern: text.to_string(), source: Box::new(source) };
        // A pattern such as `a)|(b` is invalid, but the parentheses around it would make it valid.
        if expression != text {
            Regex::new(text).map_err(wrong)?;
        }
        Regex::new(expression).map(Self).map_err(wrong)
    }

    /// Whether the expression matches `name`. If it needs too many steps, it does not match.
    pub(crate) fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name).unwrap_or(false)
    }

    /// The groups of the first match in `name`.
    pub(crate) fn captures<'a>(&self, name: &'a str) -> Option<Captures<'a>> {
        self.0.captures(name).ok().flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    #[test]
    fn python_regular_expressions_are_supported() {
        let pattern = Pattern::whole(r"(?!.*vision).*\.(q|v)_proj").unwrap();
        assert!(pattern.is_match("model.layers.0.q_proj") && !pattern.is_match("vision.layers.0.q_proj"));
        assert!(Pattern::whole(r".*(?<=self\.)query").unwrap().is_match("layer.0.attention.self.query"));
        assert!(!Pattern::whole("query").unwrap().is_match("layer.query"));
        assert!(
            Pattern::ending("query").unwrap().is_match("layer.query")
                && !Pattern::ending("query").unwrap().is_match("xquery")
        );
        for open in ["query)|(?:value", "query|(value", "a)(?x"] {
            assert!(Pattern::whole(open).is_err() && Pattern::ending(open).is_err(), "{open}");
        }
        let error = Pattern::new("(query").unwrap_err();
        assert!(matches!(&error, AdapterError::Pattern { pattern, .. } if pattern == "(query"), "{error}");
    }

    proptest! {
        #![proptest_config(config(300))]

        /// The compiled expression has more characters around the pattern. They must not make an invalid pattern valid. A pattern
        /// that ends with a comment in verbose mode is refused, because the comment would contain these characters.
        #[test]
        fn anchors_do_not_fix_invalid_patterns(text in "([ab.*+?|^$(){}=!<:\\\\\\[\\]#-]|\\(\\?[=!:x#]|\\PC){0,12}") {
            let alone = Pattern::new(&text);
            for pattern in [Pattern::whole(&text), Pattern::ending(&text)] {
                prop_assert!(pattern.is_ok() == alone.is_ok() || (alone.is_ok() && text.contains('#')), "{}", &text);
                let _ = pattern.map(|pattern| pattern.is_match("a.b"));
            }
        }

        #[test]
        fn names_match_themselves_as_patterns(name in "[a-z_0-9-]{1,8}", before in "[a-z_0-9.]{0,8}") {
            prop_assert!(Pattern::whole(&name).unwrap().is_match(&name));
            let longer = format!("{before}{name}");
            prop_assert_eq!(Pattern::whole(&name).unwrap().is_match(&longer), before.is_empty());
            let ends = before.is_empty() || before.ends_with('.');
            prop_assert_eq!(Pattern::ending(&name).unwrap().is_match(&longer), ends);
        }
    }
}
