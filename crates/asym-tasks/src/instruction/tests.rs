#![allow(clippy::unwrap_used)]

use std::path::Path;

use asym_data::{HubOptions, Tokenizer};
use asym_models::{FileDtype, LlamaConfig, LlamaLanguageModel, PretrainedModel, save};
use asym_train::{Batch, EvalRoom, Evaluation, Objective, Pace, Source, StopSignal, Tuning};
use burn::tensor::Device;
use serde_json::{Value, json};

use super::encode::{Encoded, Encoder};
use super::template::{Rendered, Template};
use super::*;
use crate::base::Base;
use crate::files::Files;
use crate::language::{LanguageExample, LanguageLoss};
use crate::scratch::{Scratch, shared};
use crate::task::{Prepared, Scale, Task};
use crate::{AnyTask, TaskError};

/// A byte-level BPE of the shape of SmolLM2's, made by `make_chat.py` there.
const BYTES: &str = include_str!("../../../../tests/fixtures/chat/tokenizer.json");
const PIECES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/sentencepiece");

/// ChatML, as SmolLM2 has it.
const CHATML: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + \
    '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn read(path: &Path, options: InstructionOptions) -> Result<InstructionData, TaskError> {
    let path = path.display().to_string();
    Instruction { alpaca: false, options }.read(&Files::new(Some(&path), HubOptions::default()))
}

/// A small Llama with random weights. Its token at the end of a turn is that at the end of a text, and the padding.
fn llama(name: &str) -> Scratch {
    let folder = Scratch::new(&format!("instruction-{name}"));
    let mut config = LlamaConfig::new(500, 24, 2, 4);
    (config.intermediate_size, config.max_position_embeddings, config.initializer_range) = (40, 200, 0.3);
    config.pad_token_id = Some(2);
    let model = LlamaLanguageModel::init(&config, 3, &Device::default()).unwrap();
    save(&model, folder.path(), FileDtype::F32).unwrap();
    folder.write("tokenizer.json", BYTES.as_bytes());
    folder.write("chat_template.jinja", CHATML.as_bytes());
    let tokens = json!({"eos_token": "<|im_end|>", "bos_token": "<|im_start|>", "pad_token": "<|im_end|>"});
    folder.write("tokenizer_config.json", tokens.to_string().as_bytes());
    folder
}

fn base(folder: &Scratch) -> Base {
    Base::open(folder.path()).unwrap()
}

/// The task on data of a file, prepared as a run prepares it.
fn prepared(base: &Base, path: &Path, options: InstructionOptions) -> Result<Prepared<Instruction>, TaskError> {
    let task = Instruction { alpaca: false, options }.resolved(Scale::Paper);
    let data = task.read(&Files::new(Some(&path.display().to_string()), HubOptions::default()))?;
    task.settled(&data).prepare(data, base)
}

fn rows(count: usize) -> Vec<Value> {
    let input = |at: usize| if at.is_multiple_of(3) { String::new() } else { format!("tiro {at}") };
    let row = |at| json!({"instruction": format!("say dor {at}"), "input": input(at), "output": format!("men {at}.")});
    (0..count).map(row).collect()
}

#[test]
fn every_form_of_a_file_gives_the_same_rows() {
    let folder = Scratch::new("instruction-forms");
    let rows = rows(20);
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    folder.write("a.json", Value::from(rows.clone()).to_string().as_bytes());
    folder.write("a.jsonl", lines(&rows).as_bytes());
    let cell = |row: &Value, name: &str| format!("\"{}\"", row[name].as_str().unwrap());
    let table = |between: &str, names: [&str; 3]| -> String {
        let row = |row: &Value| ["instruction", "input", "output"].map(|name| cell(row, name)).join(between) + "\n";
        names.join(between) + "\n" + &rows.iter().map(row).collect::<String>()
    };
    folder.write("a.csv", table(",", ["instruction", "input", "output"]).as_bytes());
    folder.write("a.tsv", table("\t", ["instruction", "input", "output"]).as_bytes());
    folder.write("named.csv", table(",", ["question", "context", "answer"]).as_bytes());
    let texts = |data: &InstructionData| {
        let of = |rows: &Rows| rows.samples.iter().map(|sample| sample.content.clone()).collect::<Vec<_>>();
        (of(&data.train), of(&data.dev))
    };
    let expected = read(&folder.path().join("a.json"), InstructionOptions::default()).unwrap();
    assert_eq!((expected.train.samples.len(), expected.dev.samples.len()), (19, 1));
    for name in ["a.jsonl", "a.csv", "a.tsv"] {
        let data = read(&folder.path().join(name), InstructionOptions::default()).unwrap();
        assert_eq!((texts(&data), &data.layout), (texts(&expected), &expected.layout), "{name}");
    }
    let named = InstructionOptions {
        instruction: Some("question".into()),
        input: Some("context".into()),
        output: Some("answer".into()),
        ..InstructionOptions::default()
    };
    let data = read(&folder.path().join("named.csv"), named).unwrap();
    assert_eq!(texts(&data), texts(&expected));

    // Without a column of inputs, and with a set of its own for the evaluation.
    let short: Vec<Value> = rows.iter().map(|row| json!({"output": row["output"], "instruction": "x"})).collect();
    folder.write("short.jsonl", lines(&short).as_bytes());
    let dev = InstructionOptions { dev: Some("short.jsonl".into()), ..InstructionOptions::default() };
    let data = read(&folder.path().join("short.jsonl"), dev).unwrap();
    assert_eq!((data.train.samples.len(), data.dev.samples.len()), (20, 20));
    let Content::Pair { input, .. } = &data.dev.samples[0].content else { panic!() };
    assert_eq!(input, "");

    // Prompts and conversations are found by their columns.
    let prompt: Vec<Value> =
        rows.iter().map(|row| json!({"prompt": row["input"], "completion": row["output"]})).collect();
    folder.write("prompt.jsonl", lines(&prompt).as_bytes());
    let data = read(&folder.path().join("prompt.jsonl"), InstructionOptions::default()).unwrap();
    assert_eq!(data.layout.columns(), ["prompt", "completion"]);
    let settled = Instruction::default().settled(&data);
    assert_eq!((settled.options.template.as_deref(), settled.options.eos), (Some("plain"), Some(true)));
    assert_eq!(settled.options.completion.as_deref(), Some("completion"));
    let turn = |role: &str, content: &Value| json!({"role": role, "content": content});
    let chat: Vec<Value> = rows
        .iter()
        .map(|row| json!({"id": 1, "messages": [turn("user", &row["input"]), turn("assistant", &row["output"])]}))
        .collect();
    folder.write("chat.jsonl", lines(&chat).as_bytes());
    let data = read(&folder.path().join("chat.jsonl"), InstructionOptions::default()).unwrap();
    let Content::Turns(turns) = &data.train.samples[1].content else { panic!() };
    assert_eq!((turns.len(), turns[1].role.as_str()), (2, "assistant"));
    let settled = Instruction::default().settled(&data);
    assert_eq!((settled.options.template.as_deref(), settled.options.eos), (Some("chat"), Some(false)));
    // Settled options read the same again.
    assert_eq!(read(&folder.path().join("chat.jsonl"), settled.options.clone()).unwrap(), data);

    // The Hub's Parquet: a table of texts, and lists of structs.
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../asym-data/tests/fixtures"));
    let columns = InstructionOptions {
        instruction: Some("sentence1".into()),
        output: Some("sentence2".into()),
        ..InstructionOptions::default()
    };
    assert!(read(&fixtures.join("pairs.parquet"), columns).unwrap().train.samples.len() > 1);
    let data = read(&fixtures.join("chat.parquet"), InstructionOptions::default()).unwrap();
    let all = data.train.samples.iter().chain(&data.dev.samples).map(|sample| &sample.content);
    let turns: usize = all.map(|content| if let Content::Turns(turns) = content { turns.len() } else { 0 }).sum();
    assert_eq!(turns, 8);
}

/// torchtune's file holds the text that its template makes of each row.
#[test]
fn the_prompt_and_the_answer_are_torchtunes_text() {
    let Some(shared) = shared() else { return };
    let path = shared.join("data/alpaca/alpaca_tiny_torchtune.json");
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(rows.len(), 100);
    let (with_break, without) = (Template::named("alpaca-lora").unwrap(), Template::named("stanford").unwrap());
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let (instruction, input, output) = (text("instruction"), text("input"), text("output"));
        let content = Content::Pair { instruction, input, output: output.clone() };
        let rendered = with_break.render(&content, None).unwrap().unwrap();
        assert_eq!(rendered.text, text("text"));
        assert_eq!(rendered.text[rendered.answers[0].clone()], output);
        // Stanford's has no line break before the answer.
        let stanford = without.render(&content, None).unwrap().unwrap().text;
        assert_eq!(stanford, text("text").replacen("### Response:\n", "### Response:", 1));
    }
}

/// The tokenizers whose masks are checked: byte-level BPE and SentencePiece, from this repository and from real
/// checkpoints.
fn tokenizers() -> Vec<(String, Tokenizer)> {
    let folder = Scratch::new("instruction-tokenizer");
    folder.write("tokenizer.json", BYTES.as_bytes());
    let mut found = vec![
        ("bytes".to_owned(), Tokenizer::for_generation(folder.path()).unwrap()),
        ("pieces".to_owned(), Tokenizer::for_generation(Path::new(PIECES)).unwrap()),
    ];
    if let Some(shared) = shared() {
        let tokenizer = |name: &str| Tokenizer::for_generation(&shared.join("data").join(name)).unwrap();
        found.extend(["tok-llama", "tok-gpt2"].map(|name| (name.to_owned(), tokenizer(name))));
    }
    found
}

fn encode(tokenizer: &Tokenizer, template: &str, contents: &[Content], max_length: usize) -> Encoded {
    let template = Template::named(template).unwrap();
    let encoder = Encoder {
        tokenizer: tokenizer.with_places().unwrap(),
        template: &template,
        chat: None,
        loss: LossOn::Answer,
        end: Some(2),
        max_length,
        too_long: TooLong::Cut,
        unlabeled: Unlabeled::Drop,
    };
    let sample = |(at, content): (usize, &Content)| Sample { content: content.clone(), line: at + 1 };
    let samples = contents.iter().enumerate().map(sample).collect();
    encoder.encode(&Rows { source: "rows".into(), samples }).unwrap()
}

fn pair(instruction: &str, output: &str) -> Content {
    Content::Pair { instruction: instruction.into(), input: String::new(), output: output.into() }
}

/// The labeled tokens say the answer, all of it and nothing else.
#[test]
fn masks_are_exact_on_every_tokenizer() {
    let answers = ["men.", " with a space", "日本 É \u{1f600}", "a\nb\n", "12", "x  ", "", "<tool>", "\n\nmen"];
    let contents: Vec<Content> = answers.iter().map(|answer| pair("say \u{1f600} dor", answer)).collect();
    for (name, tokenizer) in tokenizers() {
        for template in ["stanford", "alpaca-lora", "{{ instruction }} 日 "] {
            let encoded = encode(&tokenizer, template, &contents, 500);
            assert_eq!(encoded.examples.len(), answers.len(), "{name}: an empty answer has its end");
            let text = |ids: &[u32]| tokenizer.decode(ids).unwrap();
            for (example, answer) in encoded.examples.iter().zip(answers) {
                let LanguageExample { input_ids, labeled, .. } = example;
                assert_eq!((input_ids.last(), labeled.last()), (Some(&2), Some(&true)), "{name}: the end is labeled");
                let first = labeled.iter().position(|labeled| *labeled).unwrap();
                assert!(labeled[first..].iter().all(|labeled| *labeled), "{name}: {answer:?}");
                let (prompt, whole) = (&input_ids[..first], &input_ids[..input_ids.len() - 1]);
                // A token may hold the last space of a prompt and the beginning of an answer. It is labeled.
                let (prompt, whole) = (text(prompt), text(whole));
                let said = whole.strip_prefix(&prompt).unwrap_or_else(|| panic!("{name}: {prompt:?} of {whole:?}"));
                let own = template.starts_with("{{") && said.strip_prefix(' ') == Some(answer);
                // The beginning of a line break of "\n\n" that is one token with that of the prompt.
                let broken =
                    said.trim_start_matches('\n') == answer.trim_start_matches('\n') && answer.starts_with('\n');
                assert!(said == answer || own || broken, "{name}, {template}: {said:?} is not {answer:?}");
            }
        }
    }
}

/// A prompt that is encoded alone has other tokens than the beginning of the text.
#[test]
fn a_token_of_prompt_and_answer_is_labeled_and_counted() {
    let (_, tokenizer) = tokenizers().swap_remove(0);
    let word = |text: &str| tokenizer.encode(text, None, usize::MAX).unwrap().input_ids;
    let (prompt, answer) = ("Respon", "se");
    assert_ne!([word(prompt), word(answer)].concat(), word("Response"), "one word of the vocabulary");
    let encoded = encode(&tokenizer, "plain", &[pair(prompt, answer)], 100);
    let example = &encoded.examples[0];
    assert_eq!(example.input_ids, [word("Response"), vec![2]].concat());
    assert!(encoded.describe("training", "").iter().any(|line| line.contains("in 1 rows one token")), "counted");
    // The first token of a text cannot be said, and here it is the only one of the word.
    assert_eq!(example.labels(), if example.input_ids.len() == 2 { 1 } else { example.input_ids.len() - 1 });
}

#[test]
fn texts_are_cut_and_rows_without_labels_are_named() {
    let (_, tokenizer) = tokenizers().swap_remove(0);
    let contents = [pair("men", "dor"), pair(&"men ".repeat(30), "dor"), pair("men", &"dor ".repeat(30))];
    let encoded = encode(&tokenizer, "plain", &contents, 20);
    assert_eq!(encoded.examples.iter().map(|example| example.line).collect::<Vec<_>>(), [1, 3]);
    let cut = &encoded.examples[1];
    assert_eq!(cut.input_ids.len(), 20);
    assert_ne!(cut.input_ids.last(), Some(&2), "a text that is cut does not end there");
    let said = encoded.describe("training", "").join("\n");
    assert!(said.contains("training: 1 rows have no labeled token and are left out: line 2"), "{said}");
    // A text that fits without its end-of-text token is truncated too.
    let length = encode(&tokenizer, "plain", &contents[..1], 100).examples[0].input_ids.len();
    let encoded = encode(&tokenizer, "plain", &contents[..1], length - 1);
    assert_eq!((encoded.lengths.cut, encoded.lengths.longest), (1, length));
}

#[test]
fn turns_of_the_model_are_labeled_with_their_ends() {
    let folder = llama("turns");
    let turn = |role: &str, content: &str| json!({"role": role, "content": content});
    let row = json!({"messages": [
        turn("system", "men"), turn("user", "dor"), turn("assistant", " tiro"), turn("user", "x"), turn("assistant", "12"),
    ]});
    folder.write("chat.jsonl", format!("{row}\n{row}\n").as_bytes());
    let base = base(&folder);
    let prepared = prepared(&base, &folder.path().join("chat.jsonl"), InstructionOptions::default()).unwrap();
    let example = &prepared.train.all()[0];
    let tokenizer = base.language_tokenizer().unwrap();
    let ids = |labeled: bool| -> Vec<u32> {
        let chosen = example.input_ids.iter().zip(&example.labeled).filter(|(_, own)| **own == labeled);
        chosen.map(|(id, _)| *id).collect()
    };
    let spelled = |ids: &[u32]| tokenizer.tokens(ids).concat().replace('Ġ', " ").replace('Ċ', "\n");
    assert_eq!(spelled(&ids(true)), " tiro<|im_end|>12<|im_end|>");
    assert_eq!(
        spelled(&ids(false)),
        "<|im_start|>system\nmen<|im_end|>\n<|im_start|>user\ndor<|im_end|>\n<|im_start|>assistant\n\n\
        <|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n\n"
    );
    // An instruction in the same words.
    folder.write(
        "rows.jsonl",
        format!("{0}\n{0}\n", json!({"instruction": "a", "input": "b", "output": "c"})).as_bytes(),
    );
    let options = InstructionOptions { template: Some("chat".into()), ..InstructionOptions::default() };
    let prepared = self::prepared(&base, &folder.path().join("rows.jsonl"), options).unwrap();
    let text = tokenizer.tokens(&prepared.train.all()[0].input_ids).concat();
    assert!(text.contains("<|im_start|>userĊaĊĊb<|im_end|>Ċ<|im_start|>assistantĊc<|im_end|>"), "{text}");
}

#[test]
fn the_loss_is_a_mean_over_labeled_tokens_whatever_stands_beside_a_text() {
    let folder = llama("loss");
    folder.write("rows.json", Value::from(rows(12)).to_string().as_bytes());
    let base = base(&folder);
    let options = InstructionOptions { dev_share: Some(0.5), ..InstructionOptions::default() };
    let prepared = prepared(&base, &folder.path().join("rows.json"), options).unwrap();
    let device = Device::default();
    let model = base.load::<LlamaLanguageModel>((None, false), asym_train::Dtype::F32, 0, &device).unwrap().model;
    let dev = &prepared.evaluation.language.dev;
    let loss = |indices: &[usize]| {
        let batch = dev.batch(indices, &device);
        let loss: f32 = LanguageLoss.loss(&model, &batch).into_scalar();
        (f64::from(loss), batch.weight())
    };
    let (together, weight) = loss(&[0, 1, 2, 3, 4, 5]);
    let single: Vec<(f64, f64)> = (0..6).map(|index| loss(&[index])).collect();
    assert_eq!(weight, single.iter().map(|(_, weight)| weight).sum::<f64>());
    let mean = single.iter().map(|(loss, weight)| loss * weight).sum::<f64>() / weight;
    assert!((together - mean).abs() < 1e-5, "{together} {mean}");
    // The padding is the token that ends a text, which is learned nevertheless.
    assert!(
        (0..6).all(|index| dev.all()[index].labeled.ends_with(&[true]) && dev.all()[index].input_ids.ends_with(&[2]))
    );
    let (mut pace, stop) = (Pace::default(), StopSignal::default());
    let scores = prepared.evaluation.run(&model, &mut EvalRoom::new(&stop, &mut pace, 4)).unwrap().unwrap();
    assert!((scores["loss"] - mean).abs() < 1e-5 && (scores["perplexity"] - mean.exp()).abs() < 1e-2, "{scores:?}");
    // The whole text instead of the answer.
    let options = InstructionOptions { dev_share: Some(0.5), loss: Some(LossOn::All), ..InstructionOptions::default() };
    let all = self::prepared(&base, &folder.path().join("rows.json"), options).unwrap();
    assert!(all.train.all().iter().all(|example| example.labels() == example.input_ids.len() - 1));
    assert_eq!(all.train.len(), 6);
}

#[test]
fn mistakes_are_refused_with_their_place() {
    let folder = llama("mistakes");
    let base = base(&folder);
    let check = |name: &str, text: &str, options: &[(&str, Value)], parts: &[&str]| {
        folder.write(name, text.as_bytes());
        let table: serde_json::Map<String, Value> =
            options.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
        let options: InstructionOptions = serde_json::from_value(Value::Object(table)).unwrap();
        let error = prepared(&base, &folder.path().join(name), options).err().unwrap_or_else(|| panic!("{parts:?}"));
        let message = error.to_string();
        println!("{message}");
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    };
    let lines = |rows: &[Value]| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let good = lines(&rows(6));
    check(
        "a.jsonl",
        &lines(&[json!({"question": "a", "answer": "b"})]),
        &[],
        &["a.jsonl", "question, answer", "task.output"],
    );
    check("a.jsonl", &lines(&rows(1)), &[], &["a.jsonl: 1 row", "at least two"]);
    check("a.jsonl", &good, &[("template", json!("standford"))], &["`standford`", "did you mean `stanford`?"]);
    check("a.jsonl", &good, &[("template", json!("{{ instructon }}"))], &["undefined", "instruction and input"]);
    check("a.jsonl", &good, &[("template", json!("{{ input }}:"))], &["does not name `instruction`"]);
    check("a.jsonl", &good, &[("template", json!("{{ instruction }"))], &["the template of the task"]);
    check("a.jsonl", &good, &[("prompt", json!("a")), ("output", json!("b"))], &["one of them"]);
    check("a.jsonl", &good, &[("output", json!("answer"))], &["a.jsonl", "`answer`", "instruction"]);
    check("a.jsonl", &good, &[("dev_share", json!(1.0))], &["dev_share", "below 1"]);
    check("a.jsonl", &good, &[("max_length", json!(400))], &["400", "200 positions"]);
    check("a.jsonl", &good, &[("max_length", json!(1))], &["max length 1"]);
    // Every answer is cut off.
    let cut = [("max_length", json!(20))];
    check(
        "a.jsonl",
        &good,
        &cut,
        &["5 of 5 rows have no labeled token within max_length=20, at lines", "task.unlabeled=drop"],
    );
    let drop = [("max_length", json!(20)), ("unlabeled", json!("drop"))];
    check("a.jsonl", &good, &drop, &["no row is left"]);
    let refuse = [("max_length", json!(20)), ("too_long", json!("refuse"))];
    check("a.jsonl", &good, &refuse, &["rows have more than max_length=20 tokens", "task.too_long=drop"]);
    let null = lines(&[rows(1)[0].clone(), json!({"instruction": "a", "input": null, "output": "b"})]);
    check("a.jsonl", &null, &[], &["a.jsonl", "2", "input"]);

    let chat = |turns: Value| lines(&[json!({"messages": turns}), json!({"messages": turns})]);
    let text = chat(json!("hello"));
    check("c.jsonl", &text, &[], &["c.jsonl:1", "no list", "`role` and `content`"]);
    check("c.jsonl", &chat(json!([])), &[], &["c.jsonl:1", "no turn"]);
    check("c.jsonl", &chat(json!([{"from": "human", "value": "x"}])), &[], &["turn 1 has no `role`"]);
    check("c.jsonl", &chat(json!([{"role": "user", "content": 3}])), &[], &["`content` of turn 1 is no text"]);
    let question = json!([{"role": "user", "content": "x"}]);
    check("c.jsonl", &chat(question.clone()), &[], &["1 of 1 rows have no labeled token", "line"]);
    check(
        "c.jsonl",
        &chat(question.clone()),
        &[("template", json!("stanford"))],
        &["`messages`", "task.template=chat"],
    );
    // A template that refuses, one that changes its mind, and none.
    folder.write("chat_template.jinja", b"{{ raise_exception('no talk today') }}");
    check("c.jsonl", &chat(question.clone()), &[], &["c.jsonl:", "chat_template.jinja", "no talk today"]);
    let counting = "{{ messages|length }}{% for m in messages %}[{{ m.content }}]{% endfor %}";
    folder.write("chat_template.jinja", counting.as_bytes());
    let answered = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]);
    check("c.jsonl", &chat(answered), &[], &["c.jsonl:", "writes a turn otherwise"]);
    std::fs::remove_file(folder.path().join("chat_template.jinja")).unwrap();
    check("c.jsonl", &chat(question), &[], &["has no chat template", "task.template=chat"]);
}

#[test]
fn what_a_recipe_says_is_what_a_run_has() {
    let task: AnyTask = "alpaca".parse().unwrap();
    let options = task.resolved(Scale::Paper).options();
    assert_eq!(options["unlabeled"].as_str(), Some("drop"));
    assert_eq!(
        "instruction".parse::<AnyTask>().unwrap().resolved(Scale::Paper).options()["unlabeled"].as_str(),
        Some("refuse")
    );
    let lora = Tuning::Adapter(asym_core::AdapterConfig::lora(32));
    let scores = task.paper(&lora);
    let all = scores.iter().find(|score| score.score == "mmlu all").unwrap();
    assert_eq!((all.mean, scores.len(), task.paper_model()), (40.56, 5, None));
    assert!(task.paper(&Tuning::Full).is_empty(), "the paper does not say which row that is");
    assert_eq!(mmlu_cells().unwrap().len(), 20);
    // A lower value is better, and the score is not a share.
    assert_eq!(task.scores().iter().map(|score| score.heading()).collect::<Vec<_>>(), ["loss", "perplexity"]);
    let rendered = Template::named("plain").unwrap().render(&pair("a", "b"), None).unwrap().unwrap();
    assert_eq!(rendered, Rendered { text: "ab".into(), answers: std::iter::once(1..2).collect(), is_whole: false });
}
