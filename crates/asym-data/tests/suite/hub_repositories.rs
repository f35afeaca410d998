//! Names without an owner, adapters on the Hub, and the files of older tokenizers and of chat models.
#![allow(clippy::unwrap_used)]

use crate::hub_server::*;
use asym_data::hub::HubError;

#[test]
fn models_without_an_owner_are_downloaded() {
    let (server, cache) = (Server::start(), empty("ownerless"));
    server.add("bert-old", "main", COMMIT, model_files());
    let folder = hub(&server, &cache).model("bert-old").unwrap();
    assert_eq!(folder, cache.join("models--bert-old/snapshots").join(COMMIT));
    assert_eq!(content(&folder), weights());
    assert_eq!(offline(&server, &cache).model("bert-old@main").unwrap(), folder);
    let error = offline(&server, &cache).model("bert-other").unwrap_err();
    assert!(matches!(error, HubError::NotCached { .. }), "{error}");
}

#[test]
fn vocabularies_and_chat_templates_are_downloaded() {
    let (server, cache) = (Server::start(), empty("vocabulary"));
    let model = vec![
        File::plain("config.json", "{}"),
        File::plain("vocab.txt", "[PAD]"),
        File::plain("tokenizer_config.json", "{ }"),
        File::plain("chat_template.jinja", "{{ messages }}"),
        File::large(WEIGHTS, weights()),
    ];
    server.add(MODEL, "main", COMMIT, model);
    let names = ["config.json", "vocab.txt", "tokenizer_config.json", "chat_template.jinja", WEIGHTS];
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(files_below(&folder), names.map(String::from).into());
}

#[test]
fn only_the_two_files_of_an_adapter_are_downloaded() {
    let (server, cache) = (Server::start(), empty("adapter"));
    let files = |tensors: &str| {
        vec![
            File::plain("README.md", "words"),
            File::plain("adapter_config.json", "{}"),
            File::large(tensors, "tensors"),
            File::large("optimizer.pt", "state"),
        ]
    };
    server.add("owner/adapter", "main", COMMIT, files("adapter_model.safetensors"));
    let folder = hub(&server, &cache).adapter("owner/adapter").unwrap();
    let names = ["adapter_config.json", "adapter_model.safetensors"];
    assert_eq!(files_below(&folder), names.map(String::from).into());
    assert_eq!(offline(&server, &cache).adapter("owner/adapter").unwrap(), folder);

    server.add("owner/pickled", "main", COMMIT, files("adapter_model.bin"));
    let error = hub(&server, &cache).adapter("owner/pickled").unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == names[1]), "{error}");
    assert!(error.to_string().contains("adapter_model.bin"), "{error}");
    // A model is not an adapter.
    server.add(MODEL, "main", COMMIT, model_files());
    let error = hub(&server, &cache).adapter(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == names[0]), "{error}");
}
