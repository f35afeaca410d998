//! Settings that are refused, with their messages, and settings that are accepted.

use serde_json::json;

use super::*;

const FILE: &str = r#"{
    "_from_model_config": true, "bos_token_id": 0, "eos_token_id": [2, 3], "pad_token_id": 1, "num_beams": 1,
    "temperature": 0.6, "top_p": 0.9, "early_stopping": true, "length_penalty": 2.0, "typical_p": 0.9, "max_length": 142,
    "min_length": 10, "cache_implementation": "static", "alignment_heads": [[1, 2]], "transformers_version": "4.31.0"
}"#;

fn file(text: &str) -> Result<GenerationConfig, GenerationError> {
    GenerationConfig::parse(text, Path::new("m/generation_config.json"))
}

/// Resolve `FILE` with the settings of a user, for prompts of 5 tokens, a context of 100 tokens and a vocabulary of 13.
fn resolve(user: &Value) -> Result<Generation, GenerationError> {
    file(FILE)?.overlaid_with(&GenerationConfig::strict(&user.to_string())?).resolve(5, Some(100), 13)
}

#[test]
fn settings_without_effect_are_ignored() {
    let settings = resolve(&json!({})).unwrap();
    assert_eq!((settings.max_new_tokens, settings.min_new_tokens), (95, 5), "shortened to the context");
    assert_eq!((settings.sampling.as_ref(), settings.num_beams), (None, 1));
    assert_eq!((&settings.eos_token_id[..], settings.pad_token_id), (&[2, 3][..], Some(1)));
    assert!(settings.use_cache);
    // Values that have no effect are accepted, even without sampling.
    resolve(&json!({"temperature": 1.0, "top_k": 50, "top_p": 1})).unwrap();
    // The file's settings take effect if the user sets `do_sample` or `num_beams`.
    let settings = resolve(&json!({"do_sample": true, "typical_p": null, "top_k": null})).unwrap();
    let sampling = settings.sampling.unwrap();
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p), (0.6, 0.9, 50, None));
    let settings = resolve(&json!({"num_beams": 2})).unwrap();
    assert_eq!((settings.early_stopping, settings.length_penalty), (EarlyStopping::Yes, 2.0));
}

/// LLaVA's files have a padding token outside the embedding, and Llama's first files use -1 for a missing token.
#[test]
fn unused_invalid_tokens_of_a_file_are_ignored() {
    let settings = |text: &str| {
        let user = GenerationConfig::strict("{}").unwrap();
        file(text).unwrap().overlaid_with(&user).resolve(5, Some(100), 13)
    };
    let behind = settings(r#"{"eos_token_id": 2, "pad_token_id": 13}"#).unwrap();
    assert_eq!(behind.pad_token_id, Some(13));
    let none = settings(r#"{"eos_token_id": 2, "pad_token_id": -1, "bos_token_id": -1}"#).unwrap();
    assert_eq!(none.pad_token_id, Some(2), "the first token that ends a row");
    // A null removes the default of the family, and neither setting is treated as a user's setting.
    let over = file(r#"{"eos_token_id": 2, "bos_token_id": 1}"#).unwrap();
    let over = over.reading(r#"{"bos_token_id": null, "temperature": 0.6, "early_stopping": true}"#).unwrap();
    assert_eq!((over.bos_token_id, over.temperature), (None, Some(0.6)));
    assert!(over.given.is_empty() && over.resolve(5, Some(100), 13).is_ok());
    assert!(settings(r#"{"eos_token_id": 13}"#).is_err());
    assert!(GenerationConfig::strict(r#"{"pad_token_id": -1}"#).is_err());
}

#[test]
fn lengths_are_counted_as_in_transformers() {
    let lengths = |text: &str, user: &str, context| {
        let user = GenerationConfig::strict(user).unwrap();
        let settings = file(text).unwrap().overlaid_with(&user).resolve(5, context, 13).unwrap();
        (settings.max_new_tokens, settings.min_new_tokens)
    };
    for (text, user, context, expected) in [
        // The default is 20 new tokens, within the context.
        ("{}", "{}", None, (20, 0)),
        ("{}", "{}", Some(12), (7, 0)),
        // Lengths include the prompt.
        (r#"{"max_length": 30, "min_length": 8}"#, "{}", Some(100), (25, 3)),
        (r#"{"max_length": 30, "min_length": 3}"#, "{}", Some(20), (15, 0)),
        // A number of new tokens takes precedence over a file's length.
        (r#"{"max_length": 30, "max_new_tokens": 7}"#, "{}", None, (7, 0)),
        (r#"{"max_length": 30, "min_length": 28}"#, r#"{"max_new_tokens": 50, "min_new_tokens": 0}"#, None, (50, 0)),
        // A user's length takes precedence over a file's number of new tokens.
        (r#"{"max_new_tokens": 7, "min_new_tokens": 3}"#, r#"{"max_length": 40, "min_length": 9}"#, None, (35, 4)),
        // A setting that is null is treated as absent.
        (r#"{"max_new_tokens": 7}"#, r#"{"max_new_tokens": null}"#, None, (20, 0)),
        // A user may set the maximum that fits into the context.
        ("{}", r#"{"max_new_tokens": 7}"#, Some(12), (7, 0)),
        ("{}", r#"{"max_length": 12}"#, Some(12), (7, 0)),
    ] {
        assert_eq!(lengths(text, user, context), expected, "{text} {user} {context:?}");
    }
}

#[test]
fn bad_user_settings_are_rejected() {
    for (user, expected) in [
        (json!({"horses": 5}), "generation settings: unknown key `horses`; use one of max_length, max_new_tokens,"),
        (json!({"max_new_token": 5}), "unknown key `max_new_token` (did you mean `max_new_tokens`?)"),
        (json!({"typicalp": 0.5}), "unknown key `typicalp` (did you mean `typical_p`?)"),
        (json!({"max_new_tokens": 0}), "generation settings: `max_new_tokens`: expected at least one, found 0"),
        (json!({"max_new_tokens": 2.5}), "`max_new_tokens`: expected a whole number, zero or more, found 2.5"),
        (json!({"max_new_tokens": "5"}), "`max_new_tokens`: expected a whole number, zero or more, found \"5\""),
        (
            json!({"max_new_tokens": 96}),
            "`max_new_tokens`: expected at most 95, since the context has 100 tokens and the prompt has 5, found 96",
        ),
        (json!({"max_length": 101}), "`max_length`: expected at most 100, the model's context in tokens, found 101"),
        (
            json!({"max_length": 5}),
            "`max_length`: expected more than the 5 tokens of the longest prompt, which it includes (or set `max_new_tokens`), found 5",
        ),
        (
            json!({"max_length": 9, "max_new_tokens": 4}),
            "`max_length` 9 limits the same length as `max_new_tokens` 4; set only one of them",
        ),
        (
            json!({"min_length": 9, "min_new_tokens": 4}),
            "`min_length` 9 limits the same length as `min_new_tokens` 4; set only one of them",
        ),
        (
            json!({"max_length": 12, "min_length": 13}),
            "`min_length` 13 requires 8 new tokens, but the maximum is 7; lower it, or raise the maximum",
        ),
        (
            json!({"max_new_tokens": 4, "min_new_tokens": 5}),
            "`min_new_tokens` 5 requires 5 new tokens, but the maximum is 4",
        ),
        // The file's minimum contradicts the user's maximum.
        (
            json!({"max_new_tokens": 4}),
            "m/generation_config.json: `min_length` 10 requires 5 new tokens, but the maximum is 4",
        ),
        (json!({"num_beams": 0}), "`num_beams`: expected at least one, found 0"),
        (json!({"num_beams": -2}), "`num_beams`: expected a whole number, zero or more, found -2"),
        (json!({"num_return_sequences": 0}), "`num_return_sequences`: expected at least one, found 0"),
        (
            json!({"num_return_sequences": 2}),
            "`num_return_sequences` 2 would return the same row several times; set `do_sample` to true, or `num_beams` to at least this number",
        ),
        (
            json!({"num_beams": 2, "num_return_sequences": 3}),
            "`num_return_sequences` 3 is more than `num_beams` 2; raise `num_beams`, or lower this number",
        ),
        (
            json!({"early_stopping": true}),
            "`early_stopping` true has no effect without beam search; set `num_beams` to at least 2, or remove this setting",
        ),
        (json!({"early_stopping": "never"}), "`early_stopping` \"never\" has no effect without beam search"),
        (
            json!({"early_stopping": "always", "num_beams": 2}),
            "`early_stopping`: expected true, false or \"never\", found \"always\"",
        ),
        (json!({"length_penalty": 0.5}), "`length_penalty` 0.5 has no effect without beam search"),
        (json!({"repetition_penalty": 0}), "`repetition_penalty`: expected a number above zero, found 0"),
        (
            json!({"temperature": 0.7}),
            "`temperature` 0.7 has no effect without sampling; set `do_sample` to true, or remove this setting",
        ),
        (json!({"top_k": 5, "do_sample": false}), "`top_k` 5 has no effect without sampling"),
        (json!({"top_p": 0.5}), "`top_p` 0.5 has no effect without sampling"),
        (json!({"min_p": 0.5, "num_beams": 3}), "`min_p` 0.5 has no effect without sampling"),
        (json!({"temperature": 0}), "`temperature`: expected a number above zero, found 0"),
        (
            json!({"temperature": -1.5, "do_sample": true, "typical_p": 1}),
            "`temperature`: expected a number above zero, found -1.5",
        ),
        (
            json!({"top_p": 0, "do_sample": true, "typical_p": 1}),
            "`top_p`: expected a probability above zero, up to 1, found 0",
        ),
        (
            json!({"top_p": 1.1, "do_sample": true, "typical_p": 1}),
            "`top_p`: expected a probability above zero, up to 1, found 1.1",
        ),
        (json!({"min_p": 2, "do_sample": true, "typical_p": 1}), "`min_p`: expected a number from 0 to 1, found 2"),
        (json!({"top_k": 0.5}), "`top_k`: expected a whole number, zero or more, found 0.5"),
        (
            json!({"eos_token_id": -1}),
            "`eos_token_id`: expected a token id or a list of at least one id, whole numbers of zero or more, found -1",
        ),
        (
            json!({"eos_token_id": []}),
            "`eos_token_id`: expected a token id or a list of at least one id, whole numbers of zero or more, found []",
        ),
        (json!({"eos_token_id": [2, 1.5]}), "whole numbers of zero or more, found [2,1.5]"),
        (
            json!({"eos_token_id": [2, 13]}),
            "`eos_token_id`: expected ids below 13, the size of the vocabulary, found 13",
        ),
        (
            json!({"pad_token_id": 0.5}),
            "`pad_token_id`: expected a token id, a whole number of zero or more, found 0.5",
        ),
        (json!({"pad_token_id": 13}), "`pad_token_id`: expected ids below 13, the size of the vocabulary, found 13"),
        (json!({"bos_token_id": 13}), "`bos_token_id`: expected ids below 13"),
        (
            json!({"decoder_start_token_id": 14}),
            "`decoder_start_token_id`: expected ids below 13, the size of the vocabulary, found 14",
        ),
        (
            json!({"forced_bos_token_id": 99}),
            "`forced_bos_token_id`: expected ids below 13, the size of the vocabulary, found 99",
        ),
        (
            json!({"forced_eos_token_id": [2, 99]}),
            "`forced_eos_token_id`: expected ids below 13, the size of the vocabulary, found 99",
        ),
        (
            json!({"suppress_tokens": 4}),
            "`suppress_tokens`: expected a list of token ids, whole numbers of zero or more, found 4",
        ),
        (json!({"suppress_tokens": [13]}), "`suppress_tokens`: expected ids below 13"),
        (json!({"begin_suppress_tokens": [13]}), "`begin_suppress_tokens`: expected ids below 13"),
        (json!({"bad_words_ids": [[1, 13]]}), "`bad_words_ids`: expected ids below 13"),
        (
            json!({"bad_words_ids": [[1], []]}),
            "`bad_words_ids`: expected a list of lists of token ids, none of them empty, found [[1],[]]",
        ),
        (
            json!({"forced_eos_token_id": 2, "suppress_tokens": [2]}),
            "`forced_eos_token_id` [2] is also in `suppress_tokens`, so no token would be left; remove it from one of the settings",
        ),
        (
            json!({"num_beams": 2, "eos_token_id": (0..13).collect::<Vec<_>>()}),
            "`eos_token_id`: expected fewer than all 13 tokens, found 13",
        ),
        (json!({"do_sample": "yes"}), "`do_sample`: expected true or false, found \"yes\""),
        (json!({"seed": -1}), "`seed`: expected a whole number, zero or more, found -1"),
        (
            json!({"penalty_alpha": 0.6}),
            "generation settings: `penalty_alpha` is not supported: expected 0 or null, found 0.6; set `penalty_alpha` to null to generate without it",
        ),
        (json!({"sequence_bias": [[[1], 2.0]]}), "`sequence_bias` is not supported: expected null"),
        (json!({"stop_strings": [""]}), "`stop_strings`: expected a string or a list of strings, none of them empty"),
        (json!([5]), "generation settings: invalid type: sequence, expected a map"),
    ] {
        let error = resolve(&user).unwrap_err().to_string();
        assert!(error.contains(expected), "{user}:\n{error}\n{expected}");
    }
    assert!(GenerationConfig::strict("{").unwrap_err().to_string().contains("line 1 column 1"));
}

#[test]
fn bad_file_settings_are_rejected() {
    for (text, expected) in [
        (
            r#"{"num_beams": true}"#,
            "m/generation_config.json: `num_beams`: expected a whole number, zero or more, found true",
        ),
        (
            r#"{"max_length": 5}"#,
            "m/generation_config.json: `max_length`: expected more than the 5 tokens of the longest prompt",
        ),
        (
            r#"{"max_length": 9, "min_length": 10}"#,
            "m/generation_config.json: `min_length` 10 requires 5 new tokens, but the maximum is 4",
        ),
        (
            r#"{"do_sample": true, "temperature": 0.0}"#,
            "m/generation_config.json: `temperature`: expected a number above zero, found 0",
        ),
        (
            r#"{"do_sample": true, "typical_p": 0.5}"#,
            "m/generation_config.json: `typical_p` is not supported: expected 1 or null, found 0.5",
        ),
        (
            r#"{"num_beam_groups": 2}"#,
            "m/generation_config.json: `num_beam_groups` is not supported: expected 1 or null, found 2",
        ),
        (
            r#"{"eos_token_id": 50256}"#,
            "m/generation_config.json: `eos_token_id`: expected ids below 13, the size of the vocabulary, found 50256",
        ),
        ("{", "m/generation_config.json: EOF while parsing"),
    ] {
        let error = file(text).and_then(|config| config.resolve(5, None, 13)).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}:\n{error}\n{expected}");
    }
}

#[test]
fn unsupported_settings_are_named() {
    let neutral = json!({
        "constraints": null, "diversity_penalty": 0.0, "dola_layers": null,
        "encoder_repetition_penalty": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0, "exponential_decay_length_penalty": null,
        "force_words_ids": null, "guidance_scale": 1, "max_time": null, "num_beam_groups": 1, "penalty_alpha": 0,
        "sequence_bias": null, "token_healing": false, "top_h": null, "typical_p": 1.0,
        "use_mtp": false, "watermarking_config": null
    });
    GenerationConfig::strict(&neutral.to_string()).unwrap().resolve(5, None, 13).unwrap();
    for key in neutral.as_object().unwrap().keys() {
        let text = json!({key: 7, "do_sample": true}).to_string();
        for error in
            [GenerationConfig::strict(&text).unwrap_err(), file(&text).unwrap().resolve(5, None, 13).unwrap_err()]
        {
            assert!(
                matches!(&error, GenerationError::Unsupported { key: found, .. } if found == key),
                "{key}: {error}"
            );
        }
        // A user can override the setting of a file.
        let without = GenerationConfig::strict(&json!({key: null}).to_string()).unwrap();
        file(&text).unwrap().overlaid_with(&without).resolve(5, None, 13).unwrap();
    }
}

#[test]
fn prompts_must_not_be_empty_or_fill_the_context() {
    let resolve = |length, context| GenerationConfig::default().resolve(length, context, 13);
    for (length, context, expected) in [
        (0, None, "the longest prompt: expected at least one token, found 0; add the token that texts begin with"),
        (
            12,
            Some(12),
            "the longest prompt: expected fewer tokens than the model's context of 12, found 12; shorten it to leave room for new tokens",
        ),
        (13, Some(12), "the longest prompt: expected fewer tokens than the model's context of 12, found 13"),
    ] {
        let error = resolve(length, context).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    assert_eq!(resolve(11, Some(12)).unwrap().max_new_tokens, 1);
}
