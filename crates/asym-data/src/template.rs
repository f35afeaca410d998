//! Jinja templates written by a user, with named values.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};

/// A template that cannot be parsed, or that uses an undefined value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(Box<minijinja::Error>);

/// The name of the only template of an environment.
const NAME: &str = "template";

/// A template of a text with named values.
#[derive(Clone, Debug)]
pub struct TextTemplate(Environment<'static>);

impl TextTemplate {
    /// The template in `source`. A line break at the end of `source` is kept.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if `source` is not valid Jinja.
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let failed = |error| TemplateError(Box::new(error));
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build().map_err(failed)?;
        environment.set_syntax(syntax);
        // By default, a misspelled name would be replaced by an empty text.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_template_owned(NAME, source.to_owned()).map_err(failed)?;
        Ok(Self(environment))
    }

    /// The text with `values`, which are pairs of a name and a value.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template uses a value that is not in `values`.
    pub fn render(&self, values: &[(&str, &str)]) -> Result<String, TemplateError> {
        let failed = |error| TemplateError(Box::new(error));
        let values: BTreeMap<&str, &str> = values.iter().copied().collect();
        let template = self.0.get_template(NAME).map_err(failed)?;
        template.render(Value::from(Serde(values))).map_err(failed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn templates_keep_whitespace_and_require_all_values() {
        let template = TextTemplate::new("Q: {{ q }}{% if more %} ({{ more }}){% endif %}\nA:\n").unwrap();
        assert_eq!(template.render(&[("q", "<a> & 'b'"), ("more", "")]).unwrap(), "Q: <a> & 'b'\nA:\n");
        assert_eq!(template.render(&[("q", " x "), ("more", "{{ q }}")]).unwrap(), "Q:  x  ({{ q }})\nA:\n");
        let error = template.render(&[("question", "x"), ("more", "")]).unwrap_err().to_string();
        assert!(error.contains("undefined"), "{error}");
        assert!(TextTemplate::new("{% if %}").is_err());
    }
}
