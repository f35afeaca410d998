//! Chat templates of a checkpoint, and templates of a user.
#![no_main]

use std::hint::black_box;

use asym_data::{ChatTemplate, Message, TextTemplate};
use asym_fuzz::{file, folder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else { return };
    file("chat_template.jinja", data);
    file("tokenizer_config.json", br#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}}"#);
    if let Ok(Some(template)) = ChatTemplate::from_folder(folder()) {
        let messages = [Message::new("system", "help"), Message::new("user", " hello "), Message::new("assistant", "")];
        for messages in [&messages[1..2], &messages] {
            let _ = black_box(template.render_messages(messages, messages.len() == 1));
        }
    }
    // The loops in a user's own template are not limited, so it is not rendered.
    let _ = black_box(TextTemplate::new(source));
});
