//! Files of checkpoints and adapters: unsupported ones are refused with the reason, harmless extra tensors are left out, and
//! classifiers and generation work for each family.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::data::Tokenizer;
use asym::models::{
    BartClassifier, BartConfig, Checkpoint, FileDtype, LlamaClassifier, LlamaConfig, MaskedLanguageModel,
    PretrainedModel, SequenceClassifier, save,
};
use asym::tasks::TextClassifier;
use burn::tensor::Device;
use serde_json::{Value, json};

use crate::common::{Stored, asym, copy, difference, edit_json, fixture, llama, read, scratch, write};

/// The last line on standard error of a command that must fail.
fn refusal(args: &[&str]) -> String {
    let run = asym(args);
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success(), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked at"), "{args:?}: {stderr}");
    stderr.lines().last().unwrap_or_default().to_string()
}

fn text(args: &[&str]) -> String {
    let run = asym(args);
    assert!(run.status.success(), "{args:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// The arguments of `asym predict` for a model.
fn prediction<'a>(model: &'a Path, inputs: &'a Path, output: &'a Path) -> Vec<&'a str> {
    let path = |path: &'a Path| path.to_str().unwrap();
    vec!["predict", "--model", path(model), "--inputs", path(inputs), "--output", path(output)]
}

fn predicted(name: &str, model: &Path, more: &[&str]) -> String {
    let inputs = fixture("bert-classifier").join("inputs.safetensors");
    let output = scratch(&format!("files-{name}-output")).join("logits");
    refusal(&[&prediction(model, &inputs, &output)[..], more].concat())
}

#[test]
fn errors_for_checkpoints_of_other_tasks_name_the_task() {
    for (class, task) in [
        ("RobertaForTokenClassification", "token classifier"),
        ("BertForMultipleChoice", "multiple-choice classifier"),
        ("BertForNextSentencePrediction", "next-sentence classifier"),
        ("BertForQuestionAnswering", "question-answering model"),
    ] {
        let model = copy(&fixture("bert-classifier"), &format!("files-{class}"));
        edit_json(&model.join("config.json"), |config| config["architectures"] = json!([class]));
        let message = predicted(class, &model, &[]);
        assert!(message.contains("architectures") && message.contains(class) && message.contains(task), "{message}");
        let message = refusal(&["classify", "--model", model.to_str().unwrap(), "--text", "a"]);
        assert!(message.contains(task), "{message}");
    }
    for (task_type, task) in [
        ("TOKEN_CLS", "token classifier"),
        ("QUESTION_ANS", "question-answering model"),
        ("FEATURE_EXTRACTION", "the model without a head"),
    ] {
        let adapter = copy(&fixture("peft-bert-lora"), &format!("files-{task_type}"));
        edit_json(&adapter.join("adapter_config.json"), |config| {
            config["task_type"] = task_type.into();
            config["modules_to_save"] = Value::Null;
        });
        let message = predicted(task_type, &fixture("bert-classifier"), &["--adapter", adapter.to_str().unwrap()]);
        assert!(message.contains(task_type) && message.contains(task), "{message}");
    }
}

#[test]
fn unsupported_weights_are_named() {
    let quantized = |name: &str, config: Value| {
        let model = copy(&fixture("bert-classifier"), &format!("files-{name}"));
        edit_json(&model.join("config.json"), |fields| drop(fields.insert("quantization_config".into(), config)));
        predicted(name, &model, &[])
    };
    for (name, config, method) in [
        ("bnb8", json!({"load_in_8bit": true}), "bitsandbytes to 8 bits"),
        ("fp8", json!({"quant_method": "fp8"}), "fp8"),
        ("gptq", json!({"quant_method": "gptq", "bits": 4}), "gptq"),
    ] {
        let message = quantized(name, config);
        assert!(message.contains("quantized by") && message.contains(method), "{message}");
    }
    let model = copy(&fixture("bert-classifier"), "files-null");
    edit_json(&model.join("config.json"), |fields| drop(fields.insert("quantization_config".into(), Value::Null)));
    let inputs = model.join("inputs.safetensors");
    text(&prediction(&model, &inputs, &scratch("files-null-output").join("logits")));

    // The dtype shows quantization even if the configuration does not mention it.
    let model = copy(&fixture("bert-classifier"), "files-f8");
    let path = model.join("model.safetensors");
    let mut tensors = read(&path);
    let key = "bert.encoder.layer.0.output.dense.weight";
    let shape = tensors[key].shape.clone();
    let data = vec![0; shape.iter().product()];
    tensors.insert(key.into(), Stored { dtype: safetensors::Dtype::F8_E4M3, shape, data });
    write(&path, &tensors, None);
    let message = predicted("f8", &model, &[]);
    assert!(message.contains(key) && message.contains("quantized"), "{message}");

    let adapter = predicted("adapter", &fixture("peft-bert-lora"), &[]);
    assert!(adapter.contains("--adapter"), "{adapter}");
    let link = copy(&fixture("bert-classifier"), "files-link");
    std::fs::write(link.join("model.safetensors"), "../../blobs/0123456789abcdef").unwrap();
    assert!(predicted("link", &link, &[]).contains("symbolic link"));
    std::fs::write(link.join("config.json"), "../../blobs/0123").unwrap();
    assert!(predicted("link-config", &link, &[]).contains("symbolic link"));
}

/// The fixture `name` with changed tensors and, if `class` is given, another class.
fn changed(name: &str, to: &str, class: Option<&str>, change: impl FnOnce(&mut crate::common::Tensors)) -> PathBuf {
    let model = copy(&fixture(name), to);
    if let Some(class) = class {
        edit_json(&model.join("config.json"), |config| config["architectures"] = json!([class]));
    }
    let path = model.join("model.safetensors");
    let mut tensors = read(&path);
    change(&mut tensors);
    write(&path, &tensors, None);
    model
}

fn floats(shape: &[usize]) -> Stored {
    let data = vec![0; 4 * shape.iter().product::<usize>()];
    Stored { dtype: safetensors::Dtype::F32, shape: shape.to_vec(), data }
}

#[test]
fn heads_of_other_tasks_are_replaced_by_new_ones() {
    let device = Device::default();
    let loaded = |model: &Path| Checkpoint::open(model).unwrap().sequence_classifier(Some(2), 7, &device).unwrap();
    let heads = |model: &Path| {
        let loaded = loaded(model);
        assert!(loaded.initialized.iter().any(|name| name.contains("classifier")), "{:?}", loaded.initialized);
        loaded.left_out
    };
    assert_eq!(heads(&fixture("bert-mlm")), ["cls"]);
    assert_eq!(heads(&fixture("roberta-mlm")), ["lm_head"]);
    let answers = changed("roberta-mlm", "files-qa", Some("RobertaForQuestionAnswering"), |tensors| {
        tensors.retain(|key, _| !key.starts_with("lm_head"));
        tensors.insert("qa_outputs.weight".into(), floats(&[2, 24]));
        tensors.insert("qa_outputs.bias".into(), floats(&[2]));
    });
    assert_eq!(heads(&answers), ["qa_outputs"]);
    // The head of a token classifier has the name of the new head, with a different or the same number of labels.
    for labels in [2, 5] {
        let name = format!("files-ner-{labels}");
        let tokens = changed("bert-classifier", &name, Some("BertForTokenClassification"), |tensors| {
            tensors.insert("classifier.weight".into(), floats(&[labels, 24]));
            tensors.insert("classifier.bias".into(), floats(&[labels]));
        });
        assert_eq!(heads(&tokens), ["classifier"]);
    }
    let none = loaded(&changed("bert-classifier", "files-two", None, |tensors| {
        tensors.insert("classifier.weight".into(), floats(&[2, 24]));
        tensors.insert("classifier.bias".into(), floats(&[2]));
    }));
    assert!(none.initialized.is_empty() && none.left_out.is_empty());
}

#[test]
fn extra_tensors_with_names_like_the_model_are_rejected() {
    for (name, key) in [
        ("wrapped", "module.bert.encoder.layer.0.output.dense.weight"),
        ("deeper", "bert.encoder.layer.9.output.dense.weight"),
        ("other-head", "model.classifier.weight"),
    ] {
        let model = changed("bert-classifier", &format!("files-{name}"), None, |tensors| {
            tensors.insert(key.into(), floats(&[24, 24]));
        });
        let message = predicted(name, &model, &[]);
        assert!(message.contains("unexpected") && message.contains(key), "{message}");
    }
}

#[test]
fn unused_embedding_rows_may_be_infinite() {
    let low = f32::NEG_INFINITY.to_le_bytes();
    let key = "bert.embeddings.word_embeddings.weight";
    let with = |name: &str, values: std::ops::Range<usize>| {
        changed("bert-classifier", &format!("files-{name}"), None, |tensors| {
            let data = &mut tensors.get_mut(key).unwrap().data;
            data[4 * values.start..4 * values.end].chunks_mut(4).for_each(|value| value.copy_from_slice(&low));
        })
    };
    let width = 24;
    let inputs = fixture("bert-classifier").join("inputs.safetensors");
    let read_ids = read(&inputs)["input_ids"].i64();
    let unread = (0..60).find(|id| !read_ids.contains(id)).unwrap() as usize;
    let model = with("low-row", unread * width..(unread + 1) * width);
    let output = scratch("files-low-row-output").join("logits");
    text(&prediction(&model, &inputs, &output));
    let expected = read(&fixture("bert-classifier").join("expected.safetensors"))["logits"].f32();
    assert!(difference(&read(&output)["logits"].f32(), &expected) < 1e-4);

    let part = predicted("low-part", &with("low-part", unread * width + 3..(unread + 1) * width), &[]);
    assert!(part.contains(key) && part.contains("finite"), "{part}");
    let begun = predicted("low-begun", &with("low-begun", unread * width..(unread + 1) * width - 1), &[]);
    assert!(begun.contains(key) && begun.contains("finite"), "{begun}");
    let is_read = read_ids[0] as usize;
    let message = predicted("low-read", &with("low-read", is_read * width..(is_read + 1) * width), &[]);
    assert!(message.contains("not finite"), "{message}");
}

/// A classifier with random weights, saved with the tokenizer of the embedded RoBERTa, in which `</s>` has the id 2.
fn classifier<M: PretrainedModel>(name: &str, config: &M::Config) -> PathBuf {
    let folder = scratch(name);
    let model = M::init(config, 3, &Device::default()).unwrap();
    save(&model, &folder, FileDtype::F32).unwrap();
    asym::embedded::ROBERTA_MINI.base().unwrap().save_tokenizer(&folder).unwrap();
    folder
}

fn rows() -> usize {
    asym::embedded::ROBERTA_MINI.base().unwrap().tokenizer().unwrap().vocab_size()
}

/// The probabilities that `asym classify` prints for texts, and their token ids.
fn classified(model: &Path, texts: &[&str], pair: bool) -> Vec<(Vec<f32>, Vec<u32>)> {
    let mut args = vec!["classify", "--model", model.to_str().unwrap(), "--json"];
    for each in texts {
        args.extend(["--text", each]);
        if pair {
            args.extend(["--pair", "a dog runs"]);
        }
    }
    let tokenizer = Tokenizer::from_folder(model).unwrap();
    let ids = |text: &str| tokenizer.encode(text, pair.then_some("a dog runs"), 64).unwrap().input_ids;
    let lines = text(&args);
    let found = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["probabilities"].as_object().unwrap().values().map(|value| value.as_f64().unwrap() as f32).collect()
    });
    found.zip(texts.iter().map(|text| ids(text))).collect()
}

const TEXTS: [&str; 3] = ["the boy is happy .", "a", "the girl sees the old dog in the garden ."];

#[test]
fn llama_and_bart_classify_texts() {
    let device = Device::default();
    let softmax = |logits: Vec<f32>| {
        let total: f32 = logits.iter().map(|logit| logit.exp()).sum();
        logits.into_iter().map(|logit| logit.exp() / total).collect::<Vec<f32>>()
    };
    let mut llama = LlamaConfig::new(rows(), 24, 2, 4);
    (llama.intermediate_size, llama.initializer_range) = (40, 0.4);
    llama.labels = ["no", "maybe", "yes"].map(String::from).into();
    let mut bart = BartConfig::new(rows(), 24, 1);
    (bart.init_std, bart.max_position_embeddings) = (0.4, 64);
    let folders = [
        (
            "with-pad",
            classifier::<LlamaClassifier>("files-llama-pad", &LlamaConfig { pad_token_id: Some(1), ..llama.clone() }),
        ),
        ("without-pad", classifier::<LlamaClassifier>("files-llama", &llama)),
        ("bart", classifier::<BartClassifier>("files-bart", &bart)),
    ];
    for (what, folder) in folders {
        let checkpoint = Checkpoint::open(&folder).unwrap();
        let model = if what == "bart" {
            TextClassifier::Bart(checkpoint.load(None, 0, &device).unwrap().model)
        } else {
            TextClassifier::Llama(checkpoint.load(None, 0, &device).unwrap().model)
        };
        for pair in [false, true] {
            // A text has the same probabilities in a batch with longer texts as alone.
            for (found, ids) in classified(&folder, &TEXTS, pair) {
                let logits = model.logits(&[(&ids, &vec![0; ids.len()])], &device);
                let expected = softmax(logits.into_data().iter::<f32>().collect());
                assert_eq!(found.len(), 3, "{what}");
                assert!(difference(&found, &expected) < 1e-5, "{what}: {found:?} {expected:?}");
            }
        }
    }
}

#[test]
fn models_cannot_be_used_for_the_wrong_task() {
    let llama = classifier::<LlamaClassifier>("files-llama-headless", &LlamaConfig::new(rows(), 24, 1, 2));
    edit_json(&llama.join("config.json"), |config| config["architectures"] = json!(["LlamaForCausalLM"]));
    let path = llama.join("model.safetensors");
    let mut tensors = read(&path);
    tensors.remove("score.weight").unwrap();
    write(&path, &tensors, None);
    let message = refusal(&["classify", "--model", llama.to_str().unwrap(), "--text", "a"]);
    assert!(message.contains("score.weight") && message.contains("no trained head"), "{message}");
    let folder = fixture("variants").join("llama-classifier");
    let message = refusal(&["generate", "--model", folder.to_str().unwrap(), "--prompt", "a"]);
    assert!(message.contains("cannot generate text"), "{message}");
}

#[test]
fn masked_language_models_keep_an_untied_decoder() {
    let device = Device::default();
    let folder = fixture("variants").join("bert-two-decoders");
    let model: MaskedLanguageModel =
        Checkpoint::open(&folder).unwrap().masked_language_model(0, &device).unwrap().model;
    assert!(!model.config().tie_word_embeddings);
    let again = scratch("files-two-decoders");
    save(&model, &again, FileDtype::F32).unwrap();
    let config: Value = serde_json::from_str(&std::fs::read_to_string(again.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["tie_word_embeddings"], false);
    let tensors = read(&again.join("model.safetensors"));
    assert_ne!(tensors["cls.predictions.decoder.weight"], tensors["bert.embeddings.word_embeddings.weight"]);
    let (found, expected) = (tensors["cls.predictions.decoder.weight"].f32(), read(&folder.join("model.safetensors")));
    assert_eq!(found, expected["cls.predictions.decoder.weight"].f32());
    // A classifier from the same checkpoint has no such decoder, so its configuration stays tied.
    let classifier: SequenceClassifier = Checkpoint::open(&folder).unwrap().load(Some(2), 0, &device).unwrap().model;
    assert!(classifier.config().tie_word_embeddings);
}

/// A Llama with random weights and the tokenizer of the fixture `sentencepiece`, whose configuration has a chat template.
fn chat(name: &str, template: &str) -> PathBuf {
    let folder = llama(name);
    edit_json(&folder.join("tokenizer_config.json"), |config| {
        drop(config.insert("chat_template".into(), template.into()))
    });
    folder
}

#[test]
fn prompts_use_the_chat_template() {
    let template = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'].strip() }}\n{% endfor %}{% if add_generation_prompt %}[me]{% endif %}";
    let folder = chat("files-chat", template);
    let model = folder.to_str().unwrap();
    let tokens = |more: &[&str]| {
        let line = text(&[&["generate", "--model", model, "--max-new-tokens", "6", "--json"], more].concat());
        serde_json::from_str::<Value>(&line).unwrap()["tokens"].clone()
    };
    let through = tokens(&["--prompt", "  hello  "]);
    assert_eq!(through, tokens(&["--prompt", "hello"]), "the template did not strip the prompt");
    assert_ne!(through, tokens(&["--prompt", "hello", "--no-chat-template"]));
    let run = asym(["generate", "--model", model, "--prompt", "hello", "--max-new-tokens", "2"]);
    assert!(String::from_utf8_lossy(&run.stderr).contains("--no-chat-template"));
    let refuses = chat("files-chat-refuses", "{{ raise_exception('only for tools') }}");
    let message = refusal(&["generate", "--model", refuses.to_str().unwrap(), "--prompt", "hello"]);
    assert!(message.contains("only for tools"), "{message}");
}

/// The answer to a line depends on all previous turns. The first answer is the same as with `--prompt`.
#[test]
fn conversations_include_all_previous_turns() {
    let template = "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}[me]{% endif %}";
    let folder = chat("files-conversation", template);
    let model = folder.to_str().unwrap();
    let fixed = ["generate", "--model", model, "--max-new-tokens", "6"];
    let talk = |lines: &str, more: &[&str]| {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_asym"))
            .args(fixed)
            .arg("--chat")
            .args(more)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), err)
    };
    let (good, said, err) = talk("hello\n\nworld\n", &[]);
    assert!(good, "{err}");
    let once = |prompt: &str| text(&[&fixed[..], &["--prompt", prompt]].concat());
    let first = once("hello");
    assert!(said.starts_with(&first), "{said:?} and {first:?}");
    let second = &said[first.len()..];
    assert!(!second.is_empty() && second != once("world"), "{said:?}");
    assert_eq!(
        talk("hello\nworld\n", &[]).1,
        said,
        "empty lines count as turns, or the conversation is not reproducible"
    );
    assert_ne!(talk("hello\nworld\n", &["--system", "be brief"]).1, said);
    let (good, _, err) = talk("hello\n", &["--system", &"long ".repeat(2000)]);
    assert!(!good && err.contains("shorten the turn"), "{err}");
    let plain = llama("files-no-chat");
    let message = refusal(&["generate", "--model", plain.to_str().unwrap(), "--chat"]);
    assert!(message.contains("no chat template"), "{message}");
}

#[test]
fn sampling_options_enable_sampling() {
    let folder = chat("files-sampling", "{{ messages[0].content }}");
    let model = folder.to_str().unwrap();
    let generate = |more: &[&str]| {
        asym([&["generate", "--model", model, "--prompt", "hello", "--max-new-tokens", "9", "--json"], more].concat())
    };
    let stdout = |more: &[&str]| {
        let run = generate(more);
        assert!(run.status.success(), "{more:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    for option in [["--temperature", "1.4"], ["--top-k", "30"], ["--top-p", "0.9"], ["--seed", "5"]] {
        let run = generate(&option);
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.success() && stderr.contains("sampled") && stderr.contains(option[0]), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&run.stdout), stdout(&[&option[..], &["--do-sample"]].concat()));
    }
    // An explicit contradiction is refused.
    let run = generate(&["--temperature", "0.5", "--generate", r#"{"do_sample": false}"#]);
    assert!(!run.status.success() && String::from_utf8_lossy(&run.stderr).contains("temperature"));
}

#[test]
fn stop_texts_end_a_row() {
    let folder = chat("files-stop", "{{ messages[0].content }}");
    let model = folder.to_str().unwrap();
    let line = |more: &[&str]| -> Value {
        let all =
            [&["generate", "--model", model, "--prompt", "hello", "--max-new-tokens", "12", "--json"], more].concat();
        serde_json::from_str(text(&all).lines().next().unwrap()).unwrap()
    };
    let whole = line(&[]);
    let (all, tokens) = (whole["text"].as_str().unwrap(), whole["tokens"].as_array().unwrap());
    let tokenizer = Tokenizer::for_generation(&folder).unwrap();
    let ids: Vec<u32> = tokens.iter().map(|id| id.as_u64().unwrap() as u32).collect();
    // The stop string is from the middle of the text. The row ends with the token that completes it.
    let middle = tokenizer.decode(&ids[..6]).unwrap();
    let stop: String = middle.chars().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(all.contains(&stop), "{all:?} {stop:?}");
    let setting = json!({"stop_strings": [stop, "never said"]}).to_string();
    let found = line(&["--generate", &setting]);
    assert!(
        found["tokens"].as_array().unwrap().len() <= 6 && found["text"].as_str().unwrap().contains(&stop),
        "{found}"
    );
    assert!(found["tokens"].as_array().unwrap().len() < tokens.len());
    let beams = line(&["--generate", &setting, "--num-beams", "2"]);
    assert!(!beams["tokens"].as_array().unwrap().is_empty());
}

#[test]
fn force_replaces_existing_outputs() {
    let model = fixture("bert-classifier");
    let (inputs, output) = (model.join("inputs.safetensors"), scratch("files-force").join("logits"));
    std::fs::write(&output, "old").unwrap();
    let args = prediction(&model, &inputs, &output);
    assert!(refusal(&args).contains("--force"));
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "old");
    text(&[&args[..], &["--force"]].concat());
    assert!(read(&output).contains_key("logits"));
}

#[test]
fn pictures_can_be_files_or_folders() {
    let model = copy(&fixture("vit"), "files-pictures");
    let processor = r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}"#;
    std::fs::write(model.join("preprocessor_config.json"), processor).unwrap();
    let (one, folder) = (fixture("images").join("rgb.png"), fixture("images").join("more"));
    let classify = |more: &[&Path]| {
        let more: Vec<&str> = more.iter().map(|path| path.to_str().unwrap()).collect();
        text(&[&["classify", "--model", model.to_str().unwrap(), "--json", "--image"], &more[..]].concat())
    };
    let all = classify(&[&one, &folder, &one]);
    let names: Vec<String> = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["image"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(names.len(), 9, "{names:?}");
    assert!(names[1..8].is_sorted() && names[1].ends_with("animation.gif"), "{names:?}");
    // An image has the same probabilities in a batch as alone, and the same probabilities in another file format.
    let probabilities = |line: &str| -> Vec<f32> {
        let line: Value = serde_json::from_str(line).unwrap();
        line["probabilities"].as_object().unwrap().values().map(|value| value.as_f64().unwrap() as f32).collect()
    };
    let lines: Vec<Vec<f32>> = all.lines().map(probabilities).collect();
    assert!(difference(&lines[0], &probabilities(classify(&[&one]).trim_end())) < 1e-5);
    assert!(difference(&lines[0], &lines[6]) < 1e-5 && difference(&lines[0], &lines[1]) > 1e-3, "{}", names[6]);

    let none = fixture("images").join("vit");
    let message = refusal(&["classify", "--model", model.to_str().unwrap(), "--image", none.to_str().unwrap()]);
    assert!(message.contains("no picture in this folder"), "{message}");
}

/// The library logs what it leaves out with the log crate, and the command prints these messages.
#[test]
fn skipped_rows_are_counted_on_standard_error() {
    let folder = scratch("short-rows");
    let row = |id: usize, label: usize| format!("{id}\t{id}\t{id}\tIs {id} odd?\tIs {id} even?\t{label}\n");
    let rows: String = (0..8).map(|id| row(id, id % 2)).collect();
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    std::fs::write(folder.join("train.tsv"), format!("{header}{rows}8\t8\t8\tcut off\n")).unwrap();
    std::fs::write(folder.join("dev.tsv"), format!("{header}{rows}")).unwrap();
    // The task has no preview, but the data are read before that is checked.
    let run = asym(["data", "--preview", "-", "--task", "qqp", "--data", folder.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        said.contains("warning: ") && said.contains("train.tsv: rows with too few columns, which were left out: 1"),
        "{said}"
    );
}
