//! A checkpoint's chat template, which converts a prompt to the form of the texts on which the chat model was trained.
//!
//! Templates are written in Jinja with Python's methods, and are stored in `chat_template.jinja` or in `tokenizer_config.json`.
//! Source: `chat_template_utils.py` of transformers 5.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Context};
use minijinja::{Environment, Error, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::TokenizerError;

/// The limit of a template's work (minijinja's fuel), in addition to 1 for each byte of the conversation. An instruction of
/// minijinja costs 1, and so do 64 bytes of text.
const FUEL: u64 = 1_000_000;

/// A turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The speaker: `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// A turn of `role` with the text `content`.
    pub fn new(role: &str, content: &str) -> Self {
        Self { role: role.to_owned(), content: content.to_owned() }
    }
}

/// The special tokens in the files of `folder`, by their names such as `bos_token` and `eos_token`.
///
/// # Errors
///
/// [`TokenizerError::Io`], [`TokenizerError::UnreadableTokenizer`].
pub fn special_tokens(folder: &Path) -> Result<BTreeMap<String, String>, TokenizerError> {
    let map = read_json(&folder.join("special_tokens_map.json"))?;
    Ok(tokens_of(&[map, read_json(&folder.join("tokenizer_config.json"))?]))
}

/// The special tokens in files. A token in a later file replaces the token with the same name in an earlier file.
fn tokens_of(files: &[Value]) -> BTreeMap<String, String> {
    let mut tokens = BTreeMap::new();
    for (name, value) in files.iter().filter_map(Value::as_object).flatten() {
        // A token is a text, or an object with the text as `content` and further properties.
        let token = value.as_str().or_else(|| value["content"].as_str()).filter(|_| name.ends_with("_token"));
        tokens.extend(token.map(|token| (name.clone(), token.to_owned())));
    }
    tokens
}

/// A chat template, and the special tokens that it may use.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    /// The file of the template.
    path: PathBuf,
    source: String,
    /// The special tokens by their names in `tokenizer_config.json`, such as `bos_token`.
    tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    /// Reads the template of a checkpoint's folder. `None` if the folder has no template.
    ///
    /// # Errors
    ///
    /// [`TokenizerError::Io`], [`TokenizerError::UnreadableTokenizer`].
    pub fn from_folder(folder: &Path) -> Result<Option<Self>, TokenizerError> {
        let config = folder.join("tokenizer_config.json");
        let (map, fields) = (read_json(&folder.join("special_tokens_map.json"))?, read_json(&config)?);
        let own = folder.join("chat_template.jinja");
        let template = match read(&own)? {
            Some(source) => Some((own, source)),
            None => named(&fields["chat_template"]).map(|source| (config, source)),
        };
        let Some((path, source)) = template else { return Ok(None) };
        Ok(Some(Self { path, source, tokens: tokens_of(&[map, fields]) }))
    }

    /// The text of a conversation that consists of the user's `prompt`, followed by the beginning of the model's answer. It
    /// contains its special tokens and is encoded with [`Tokenizer::encode_whole`](super::Tokenizer::encode_whole).
    ///
    /// # Errors
    ///
    /// [`TokenizerError::ChatTemplate`] if the template cannot be read, or refuses the prompt.
    pub fn render(&self, prompt: &str) -> Result<String, TokenizerError> {
        self.render_messages(&[Message::new("user", prompt)], true)
    }

    /// The text of a conversation, with its special tokens. If `continued` is true, the text ends with the beginning of the
    /// model's next answer, if the template defines one.
    ///
    /// # Errors
    ///
    /// The errors of [`render`](Self::render).
    pub fn render_messages(&self, messages: &[Message], continued: bool) -> Result<String, TokenizerError> {
        let mut environment = Environment::new();
        // A template is untrusted. It could loop for hours or fill the memory.
        let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        environment.set_fuel(Some(FUEL.saturating_add(bytes as u64)));
        let wrong = |source| TokenizerError::ChatTemplate { path: self.path.clone(), source: Box::new(source) };
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(wrong)?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: String| -> Result<String, Error> {
            let mut text = String::new();
            // `write!` returns an error for a format that is unknown to chrono.
            write!(text, "{}", chrono::Utc::now().format(&format))
                .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: bad format `{format}`")))?;
            Ok(text)
        });
        let mut context = json!({
            "messages": messages,
            "add_generation_prompt": continued,
            "tools": null,
            "documents": null,
        });
        for (name, token) in &self.tokens {
            context[name] = token.as_str().into();
        }
        environment.render_str(&without_marks(&self.source), Context::from(Serde(context))).map_err(wrong)
    }
}

/// The only template, or the template called `default` if there are several templates with names.
fn named(templates: &Value) -> Option<String> {
    let default = || templates.as_array()?.iter().find(|template| template["name"] == "default")?["template"].as_str();
    templates.as_str().or_else(default).map(ToOwned::to_owned)
}

/// The template without the marks around the model's answers, which are only used for training.
fn without_marks(source: &str) -> String {
    let mut text = source.to_owned();
    for (mark, block) in [("generation", "if true"), ("endgeneration", "endif")] {
        for (open, close) in [("{%", "%}"), ("{%-", "%}"), ("{%", "-%}"), ("{%-", "-%}")] {
            text = text.replace(&format!("{open} {mark} {close}"), &format!("{open} {block} {close}"));
        }
    }
    text
}

fn read(path: &Path) -> Result<Option<String>, TokenizerError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TokenizerError::Io { path: path.to_owned(), source }),
    }
}

/// The JSON in a file. Null if there is no such file.
fn read_json(path: &Path) -> Result<Value, TokenizerError> {
    let Some(text) = read(path)? else { return Ok(Value::Null) };
    serde_json::from_str(&text).map_err(|error| TokenizerError::UnreadableTokenizer {
        path: path.display().to_string(),
        source: Box::new(error),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn template(name: &str, files: &[(&str, &str)]) -> Option<ChatTemplate> {
        let folder = Scratch::new(name);
        files.iter().for_each(|(file, text)| folder.write(file, text.as_bytes()));
        ChatTemplate::from_folder(folder.path()).unwrap()
    }

    /// ChatML, as in SmolLM2-Instruct, with a default system message.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + \
        message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\\n' }}{% endif %}";

    #[test]
    fn templates_are_read_from_every_location() {
        let config = json!({"chat_template": CHATML}).to_string();
        let text =
            "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n";
        let found = template("chat-config", &[("tokenizer_config.json", &config)]).unwrap();
        assert_eq!(found.render("hello").unwrap(), text);

        let several = json!({"chat_template": [
            {"name": "tool_use", "template": "tools"},
            {"name": "default", "template": "{{ bos_token }}[{{ messages[0].content.strip() }}]"},
        ], "bos_token": {"content": "<s>", "lstrip": false}});
        let found = template("chat-several", &[("tokenizer_config.json", &several.to_string())]).unwrap();
        assert_eq!(found.render(" hello ").unwrap(), "<s>[hello]");

        // The separate file takes precedence, and the tokens may be in a file next to it.
        let jinja = "{%- for m in messages -%}\n    {% generation %}\n{{ bos_token }}{{ m.content|trim }}\n    {% endgeneration %}\n{% endfor %}\n";
        let map = r#"{"bos_token": "<b>"}"#;
        let files =
            [("chat_template.jinja", jinja), ("special_tokens_map.json", map), ("tokenizer_config.json", &config)];
        assert_eq!(template("chat-jinja", &files).unwrap().render("hello").unwrap(), "<b>hello\n");

        assert!(template("chat-none", &[("tokenizer_config.json", "{}")]).is_none());
    }

    /// One case of `tests/fixtures/chat/templates.json`, which `tests/fixtures/make_chat.py` creates.
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        tokens: Value,
        template: String,
        rendered: Vec<Rendered>,
    }

    #[derive(serde::Deserialize)]
    struct Rendered {
        messages: Vec<Turn>,
        continued: bool,
        text: Option<String>,
    }

    #[derive(serde::Deserialize)]
    struct Turn {
        role: String,
        content: String,
    }

    #[test]
    fn templates_of_ten_families_render_as_in_transformers() {
        let cases = include_str!("../../../../tests/fixtures/chat/templates.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        assert_eq!(cases.len(), 10);
        let mut refused = 0;
        for Case { name, tokens, template: source, rendered } in cases {
            let files = [("chat_template.jinja", source.as_str()), ("tokenizer_config.json", &tokens.to_string())];
            let template = template(&format!("chat-family-{name}"), &files).unwrap();
            for Rendered { messages, continued, text } in rendered {
                let messages: Vec<Message> =
                    messages.iter().map(|Turn { role, content }| Message::new(role, content)).collect();
                let found = template.render_messages(&messages, continued);
                refused += usize::from(text.is_none());
                match text {
                    Some(text) => assert_eq!(found.unwrap(), text, "{name}: {messages:?}"),
                    None => assert!(found.unwrap_err().to_string().contains("chat_template.jinja"), "{name}"),
                }
            }
        }
        assert_eq!(refused, 8);
    }

    #[test]
    fn unknown_date_formats_are_rejected() {
        let dated = |format: &str| {
            template("chat-date", &[("chat_template.jinja", &format!("{{{{ strftime_now('{format}') }}}}"))])
                .unwrap()
                .render("")
        };
        assert_eq!(dated("%Y-%m").unwrap().len(), 7);
        let error = dated("%Q").unwrap_err().to_string();
        assert!(error.contains("strftime_now: bad format `%Q`"), "{error}");
    }

    #[test]
    fn endless_templates_are_stopped() {
        for endless in [
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace(x='xx') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{{ 'a'|indent(99999999999, true) }}",
        ] {
            let found = template("chat-endless", &[("chat_template.jinja", endless)]).unwrap();
            let error = found.render("hello").unwrap_err().to_string();
            assert!(error.contains("ran out of fuel"), "{error}");
        }
        // The limit grows with the length of the text.
        let trims = "{{ messages[0].content|trim|upper|lower|replace('a', 'b')|trim ~ '' }}";
        let found = template("chat-long", &[("chat_template.jinja", trims)]).unwrap();
        assert_eq!(found.render(&"a".repeat(40_000_000)).unwrap().len(), 40_000_000);
    }

    #[test]
    fn errors_of_templates_are_reported() {
        let source = "{% if messages[0].role == 'user' %}{{ raise_exception('no users here') }}{% endif %}";
        let found = template("chat-refuses", &[("chat_template.jinja", source)]).unwrap();
        let error = found.render("hello").unwrap_err().to_string();
        assert!(error.contains("chat_template.jinja") && error.contains("no users here"), "{error}");
        let found = template("chat-broken", &[("chat_template.jinja", "{% for %}")]).unwrap();
        assert!(matches!(found.render("hello").unwrap_err(), TokenizerError::ChatTemplate { .. }));
    }
}
