//! Runs as users make them: repeatable, refused before they start or stopped with their folder usable. The model is a
//! fixture of `tests/fixtures/make.py`, the data are made here.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use asym::core::{AdaLora, AdapterConfig, Bias, Dora, Factor, Ia3, Init, Lora, Method, Vera, load_adapter};
use asym::models::{
    Checkpoint, EncoderConfig, Family, FileDtype, MaskedLanguageModel, PretrainedModel, SequenceClassifier,
};
use asym::tasks::recipe::{Grouping, Recipe, Tuning};
use asym::tasks::{
    Base, Batch, EncodedExample, Origin, Padding, Plan, Prepared, RunFolder, RunResult, Session, StopSignal, Target,
    Task, TaskError,
};
use burn::tensor::Device;

mod common;
use common::{copy, difference, fixture, read, scratch};

#[global_allocator]
static ALLOCATOR: asym::tasks::memory::Counting = asym::tasks::memory::Counting;

/// The CPU backend has one generator and one peak of memory: runs beside each other would not repeat.
fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The masked language model of the fixtures, whose classifier is drawn from the seed, with this dropout.
fn base(dropout: f64) -> Base {
    let config = include_str!("fixtures/roberta-mlm/config.json");
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(config).unwrap();
    for field in ["hidden_dropout_prob", "attention_probs_dropout_prob"] {
        config.insert(field.into(), dropout.into());
    }
    Base::from_bytes(
        "tiny",
        &serde_json::to_string(&config).unwrap(),
        include_bytes!("fixtures/roberta-mlm/model.safetensors"),
        include_bytes!("fixtures/tokenizer/tokenizer.json"),
    )
    .unwrap()
}

fn data(train: usize, dev: usize) -> Prepared {
    examples(train, dev, 5..12)
}

/// Examples of so many tokens, whose class is that of their second token.
fn examples(train: usize, dev: usize, lengths: Range<usize>) -> Prepared {
    let example = |i: usize| {
        // Multiplied as Knuth hashes, so that neighbours have nothing in common.
        let word = |j: usize| 5 + (((i * 64 + j + 1) as u32).wrapping_mul(2_654_435_761) >> 16) % 55;
        let words = lengths.start + i % lengths.len() - 2;
        let input_ids: Vec<u32> = [0].into_iter().chain((0..words).map(word)).chain([2]).collect();
        EncodedExample {
            type_ids: vec![0; input_ids.len()],
            target: Target::Class(usize::from(input_ids[1] < 32)),
            input_ids,
        }
    };
    Prepared {
        task: Task::Mrpc,
        train: (0..train).map(example).collect(),
        dev: (train..train + dev).map(example).collect(),
        parts: std::iter::once(0..dev).collect(),
        padding: Padding { pad_id: 1, token_types: false },
    }
}

fn recipe() -> Recipe {
    Recipe {
        task: Task::Mrpc,
        seed: 5,
        epochs: 2,
        batch_size: 8,
        accumulation: 1,
        learning_rate: 1e-2,
        warmup: 0.0,
        weight_decay: 0.01,
        b_learning_rate_ratio: None,
        projected_gradient: false,
        max_gradient_norm: None,
        max_length: 11,
        grouping: Grouping::ByLength,
        tuning: Tuning::Adapter(AdapterConfig::b_only(3)),
    }
}

fn run(base: &Base, data: &Prepared, recipe: &Recipe, folder: Option<&Path>) -> Result<RunResult, TaskError> {
    let (device, stop) = (Device::default(), StopSignal::default());
    Session { base, data, device: &device, stop: &stop, origin: Origin::default() }.run(recipe, "test", folder)
}

/// The recipe that a run left.
fn recipe_of(folder: &Path) -> Recipe {
    let plan = Plan::read(&folder.join("recipe.toml"), &[]).unwrap();
    let mut recipes = plan.recipes();
    let recipe = recipes.next().unwrap();
    assert!(recipes.next().is_none());
    recipe
}

/// The text of `results.json`. Not its numbers read again: serde_json may miss the last bit of one.
fn json(result: &RunResult) -> String {
    serde_json::to_string_pretty(result).unwrap() + "\n"
}

/// Load the adapter of a run's folder onto a fresh model.
fn load(base: &Base, folder: &Path) -> (SequenceClassifier, AdapterConfig) {
    let model = base.checkpoint.sequence_classifier(Some(2), 99, &Device::default().autodiff()).unwrap().model;
    let naming = model.naming();
    load_adapter(model, folder.join("adapter"), &naming).unwrap()
}

#[test]
fn a_run_repeats_bit_for_bit() {
    let _alone = alone();
    // With both kinds of dropout, so that every source of chance takes part.
    let (base, data) = (base(0.1), data(60, 20));
    let dropped = AdapterConfig::new(Lora::new(3).dropout(0.1));
    for tuning in [Tuning::Adapter(AdapterConfig::b_only(3)), Tuning::Adapter(dropped), Tuning::Full] {
        let recipe = Recipe { tuning, ..recipe() };
        let first = run(&base, &data, &recipe, None).unwrap();
        let second = run(&base, &data, &recipe, None).unwrap();
        let bits = |run: &RunResult| run.losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&first), bits(&second), "{}", recipe.tuning);
        assert_eq!((&first.scores, &first.epochs), (&second.scores, &second.epochs));
        let other = run(&base, &data, &Recipe { seed: 6, ..recipe.clone() }, None).unwrap();
        assert_ne!(bits(&first), bits(&other), "{}", recipe.tuning);
    }
}

/// The first loss of a regression is the mean squared error of the logits, by hand.
#[test]
fn a_score_is_learned_by_its_squared_error() {
    let _alone = alone();
    let (base, mut data) = (base(0.0), data(8, 4));
    data.task = Task::Stsb;
    let scored = |examples: &[EncodedExample]| -> std::sync::Arc<[EncodedExample]> {
        let score = |(i, example): (usize, &EncodedExample)| EncodedExample {
            target: Target::Score(0.5 * i as f32),
            ..example.clone()
        };
        examples.iter().enumerate().map(score).collect()
    };
    (data.train, data.dev) = (scored(&data.train), scored(&data.dev));
    let recipe = Recipe { task: Task::Stsb, epochs: 30, ..recipe() };
    let (device, stop) = (Device::default(), StopSignal::default());
    let session = Session { base: &base, data: &data, device: &device, stop: &stop, origin: Origin::default() };
    let (start, _) = session.start(&recipe).unwrap();
    let errors: Vec<f64> = (0..8)
        .map(|at| {
            let batch = Batch::new(&data.train, vec![at], data.padding, &device);
            let input = asym::models::EncoderInput {
                input_ids: batch.input_ids,
                attention_mask: Some(batch.attention_mask),
                token_type_ids: None,
            };
            let logit = f64::from(start.model.forward(input).into_data().iter::<f32>().next().unwrap());
            (logit - 0.5 * at as f64).powi(2)
        })
        .collect();
    let result = session.run(&recipe, "test", None).unwrap();
    let expected = errors.iter().sum::<f64>() / 8.0;
    assert!((result.losses[0] - expected).abs() < 1e-5 * expected, "{} is not {expected}", result.losses[0]);
    assert!(result.losses[29] < 0.5 * result.losses[0], "{:?}", result.losses);
    assert!(result.scores.keys().map(String::as_str).eq(["loss", "pearson", "spearman"]), "{:?}", result.scores);
}

/// As wide as work that is split among threads.
#[test]
fn a_run_repeats_bit_for_bit_on_many_threads() {
    let _alone = alone();
    let mut config = EncoderConfig::new(Family::Roberta, 60, 256, 2);
    config.max_position_embeddings = 66;
    let model = MaskedLanguageModel::init(&config, 3, &Device::default()).unwrap();
    let folder = copy(&fixture("tokenizer"), "session-wide");
    asym::models::save(&model, &folder, FileDtype::F32).unwrap();
    let base = Base::open(&folder).unwrap();
    let data = examples(64, 16, 40..65);
    let recipe = Recipe { epochs: 1, batch_size: 16, learning_rate: 1e-3, ..recipe() };
    let [first, second] = [0, 1].map(|_| run(&base, &data, &recipe, None).unwrap());
    assert_eq!(first.losses, second.losses);
    assert_eq!(first.scores, second.scores);
}

#[test]
fn accumulated_batches_are_one_batch() {
    let _alone = alone();
    // 62 examples: the last group of each epoch is a batch of 4 and one of 2.
    let (base, data) = (base(0.0), data(62, 20));
    let recipe = Recipe { grouping: Grouping::None, ..recipe() };
    let whole = run(&base, &data, &recipe, None).unwrap();
    let parts = Recipe { batch_size: 4, accumulation: 2, ..recipe };
    let parts = run(&base, &data, &parts, None).unwrap();
    assert_eq!((whole.steps, parts.steps), (16, 16));
    let f32s = |run: &RunResult| run.losses.iter().map(|loss| *loss as f32).collect::<Vec<_>>();
    let largest = difference(&f32s(&whole), &f32s(&parts));
    println!("accumulation: losses differ by {largest:.1e}");
    assert!(largest < 1e-5, "{:?} and {:?}", whole.losses, parts.losses);
    assert_eq!(whole.scores["accuracy"], parts.scores["accuracy"]);
}

#[test]
fn a_run_leaves_what_a_report_needs() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(60, 20));
    let folder = scratch("session-folder").join("run");
    let recipe = Recipe { warmup: 0.25, ..recipe() };
    let result = run(&base, &data, &recipe, Some(&folder)).unwrap();

    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text("results.json"), json(&result));
    assert_eq!(recipe_of(&folder), recipe);
    assert!(
        RunFolder::finished(&folder, &Plan::of(&recipe, None, None))
            .is_some_and(|read| read.losses.len() == result.losses.len())
    );
    let environment: serde_json::Value = serde_json::from_str(&text("environment.json")).unwrap();
    assert_eq!(environment["base"], "tiny");

    let steps = 2 * 60usize.div_ceil(8);
    assert_eq!((result.steps, result.losses.len(), result.epochs.len()), (steps, steps, 2));
    // B of query and value in two layers, and the head 24 -> 24 -> 2.
    let trainable = 2 * 2 * 3 * 24 + (24 * 24 + 24) + (24 * 2 + 2);
    assert_eq!(result.trainable, trainable);
    assert!(result.total > 10 * trainable && !result.interrupted);
    assert!(result.losses.iter().all(|loss| loss.is_finite() && *loss > 0.0));
    assert!(result.scores.keys().map(String::as_str).eq(["accuracy", "f1", "loss"]), "{:?}", result.scores);
    assert!((0.0..=1.0).contains(&result.scores["accuracy"]));
    assert!(result.seconds > 0.0 && result.training.samples_per_second() > 0.0);
    assert!(result.peak_bytes.unwrap() > 4 * result.total, "the peak holds the model at least");

    let lines: Vec<serde_json::Value> =
        text("metrics.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (step_lines, epoch_lines): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.get("step").is_some());
    assert_eq!((step_lines.len(), epoch_lines.len()), (steps, 2));
    for (i, line) in step_lines.iter().enumerate() {
        assert_eq!(line["step"], i + 1);
        assert_eq!(line["epoch"], 1 + i / (steps / 2));
        assert_eq!(line["loss"].as_f64().unwrap(), result.losses[i]);
        // 4 of 16 steps of warm-up from 0, then down to 0 behind the last.
        let rate = if i < 4 { i as f64 / 4.0 } else { (steps - i) as f64 / 12.0 };
        assert!((line["learning_rate"].as_f64().unwrap() - 1e-2 * rate).abs() < 1e-12, "{line}");
        assert!(line["gradient_norm"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(epoch_lines[1]["dev"]["accuracy"].as_f64().unwrap(), result.scores["accuracy"]);

    // The adapter is that of the end, A frozen as it was drawn, and no temporary file is left.
    let (_, config) = load(&base, &folder);
    let pair = (Factor::frozen(Init::Orthonormal), Factor::trained(Init::Zero));
    assert_eq!(config.factors(), Some(pair));
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "{names:?}");

    // A folder that is there is never written into.
    let refused = run(&base, &data, &recipe, Some(&folder)).unwrap_err();
    assert!(matches!(&refused, TaskError::OutputExists { path } if *path == folder), "{refused}");
    assert!(refused.to_string().contains(folder.to_str().unwrap()));
    assert_eq!(text("results.json"), json(&result));
}

/// Every method trains, and its folder holds what was trained.
#[test]
fn every_method_trains() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(60, 20));
    let methods: [(&str, AdapterConfig); 5] = [
        ("dora", AdapterConfig::new(Dora(Lora::b_only(3)))),
        ("adalora", AdapterConfig::new(AdaLora::new(4, 2))),
        ("vera", AdapterConfig::new(Vera::new(16)).bias(Bias::Adapted)),
        ("ia3", AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS)),
        ("patterns", AdapterConfig::new(Lora::new(3).rank_of("layer.1.*value", 2)).bias(Bias::All)),
    ];
    for (name, config) in methods {
        let folder = scratch(&format!("session-method-{name}")).join("run");
        let recipe = Recipe { epochs: 3, tuning: Tuning::Adapter(config), ..recipe() };
        let result = run(&base, &data, &recipe, Some(&folder)).unwrap();
        assert_eq!(recipe_of(&folder), recipe);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let steps = result.losses.len() / 3;
        let (first, last) = (mean(&result.losses[..steps]), mean(&result.losses[2 * steps..]));
        println!("{name}: {} trained, loss {first:.3} to {last:.3}", result.trainable);
        assert!(last < first, "{name}: {first} to {last}");

        // The folder's adapter loads; AdaLoRA's has the ranks that are left.
        let (model, read) = load(&base, &folder);
        let Method::AdaLora(settings) = &read.method else { continue };
        // 24 steps: ranks fall from the second on and stay for the last seven.
        assert_eq!((settings.warmup_steps, settings.final_steps, settings.total_steps), (2, 7, Some(24)));
        let left: usize = settings.rank_pattern.values().flatten().filter(|kept| **kept).count();
        assert!(settings.rank_pattern.len() == 4 && left <= 2 * 4 && left > 0, "{:?}", settings.rank_pattern);
        let entries = asym::core::layout::entries(&model, &model.naming());
        let stored: usize = entries.iter().filter(|entry| entry.field() == "lora_E").map(|entry| entry.shape[0]).sum();
        assert_eq!(stored, left, "what was dropped is not saved");
    }
}

/// LoRA+ and LoRA-FA change what they should and nothing else.
#[test]
fn factors_have_rates_and_gradients_of_their_own() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(16, 8));
    // One step at the peak: Adam moves every value by the learning rate.
    let moved = |recipe: Recipe| {
        let folder = scratch("session-rates").join("run");
        let recipe = Recipe { epochs: 1, batch_size: 16, weight_decay: 0.0, ..recipe };
        run(&base, &data, &recipe, Some(&folder)).unwrap();
        let after = read(&folder.join("adapter/adapter_model.safetensors"));
        let largest = |part: &str| {
            let of = after.iter().filter(|(key, _)| key.ends_with(part));
            of.flat_map(|(_, tensor)| tensor.f32()).fold(0.0f32, |largest, value| largest.max(value.abs()))
        };
        (largest("lora_A.weight"), largest("lora_B.weight"), largest("out_proj.bias"))
    };
    // Both factors start so that a move is seen: A at 0, whose gradient is not 0 where B is not.
    let both = Lora::new(3).a(Factor::trained(Init::Zero)).b(Factor::frozen(Init::Orthonormal));
    let a_only = Recipe { tuning: Tuning::Adapter(AdapterConfig::new(both)), ..recipe() };
    let b_only = recipe();
    let close = |value: f32, expected: f32| (value - expected).abs() < 1e-3 * expected;
    assert!(close(moved(a_only.clone()).0, 1e-2));
    assert!(close(moved(b_only.clone()).1, 1e-2));
    let ratio = |recipe: Recipe| Recipe { b_learning_rate_ratio: Some(4.0), ..recipe };
    let (a, _, bias) = moved(ratio(a_only.clone()));
    assert!(close(a, 1e-2), "A keeps the base rate: {a}");
    assert!(close(bias, 4e-2), "vectors take B's: {bias}");
    let b = moved(ratio(b_only.clone())).1;
    assert!(close(b, 4e-2), "B moves four times as fast: {b}");

    let projected = |recipe: Recipe| Recipe { projected_gradient: true, ..recipe };
    // A gradient's size does not matter to Adam, and for an orthonormal A its direction stays.
    assert!(close(moved(projected(b_only)).1, 1e-2));
    let folder = scratch("session-rates").join("refused");
    let error = run(&base, &data, &projected(a_only), Some(&folder)).unwrap_err().to_string();
    assert!(error.contains("projected_gradient") && !folder.exists(), "{error}");
    let short = AdapterConfig::new(AdaLora::new(4, 2).schedule(3, 1, 1));
    let short = Recipe { tuning: Tuning::Adapter(short), ..recipe() };
    let error = run(&base, &data, &short, Some(&folder)).unwrap_err().to_string();
    assert!(error.contains("total_steps") && !folder.exists(), "{error}");
}

#[test]
fn a_whole_model_that_was_trained_is_a_checkpoint() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(40, 20));
    for (name, tuning) in [("full", Tuning::Full), ("head", Tuning::Head)] {
        let folder = scratch(&format!("session-{name}")).join("run");
        run(&base, &data, &Recipe { tuning, ..recipe() }, Some(&folder)).unwrap();
        let loaded = Checkpoint::open(folder.join("model")).unwrap();
        let loaded = loaded.sequence_classifier(None, 0, &Device::default()).unwrap();
        assert!(loaded.initialised.is_empty(), "{:?}", loaded.initialised);
        let key = "roberta.encoder.layer.0.attention.self.query.weight";
        let before = read(&fixture("roberta-mlm").join("model.safetensors"))[key].f32();
        let moved = difference(&read(&folder.join("model/model.safetensors"))[key].f32(), &before);
        assert_eq!(moved > 0.0, name == "full", "{name}: the query moved by {moved}");
    }
}

#[test]
fn a_loss_that_explodes_stops_the_run_and_keeps_the_adapter() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(60, 20));
    let folder = scratch("session-explosion").join("run");
    let error = run(&base, &data, &Recipe { learning_rate: 1e30, ..recipe() }, Some(&folder)).unwrap_err();
    println!("{error}");
    let TaskError::NonFiniteLoss { step, learning_rate, .. } = error else { panic!("{error}") };
    assert!((2..=16).contains(&step), "{step}");
    assert!(learning_rate > 1e28, "{learning_rate}");
    assert!(error.to_string().contains(&format!("at step {step}")), "{error}");
    // What was good before: here the start, since no epoch was finished.
    load(&base, &folder);
    let adapter = read(&folder.join("adapter/adapter_model.safetensors"));
    assert!(adapter.iter().filter(|(key, _)| key.contains("lora_B")).all(|(_, b)| b.f32().iter().all(|b| *b == 0.0)));
    assert!(!folder.join("results.json").exists(), "a run that failed has no result");
}

#[test]
fn a_stopped_run_leaves_its_folder_usable() {
    let _alone = alone();
    // An epoch of 1000 steps, so that the stop falls into the first one.
    let (base, data) = (base(0.1), data(8000, 20));
    let folder = scratch("session-stop").join("run");
    let (recipe, device, stop) = (recipe(), Device::default(), StopSignal::default());
    let session = Session { base: &base, data: &data, device: &device, stop: &stop, origin: Origin::default() };
    let result = std::thread::scope(|scope| {
        let running = scope.spawn(|| session.run(&recipe, "test", Some(&folder)));
        let (lines, started) = (folder.join("metrics.jsonl"), Instant::now());
        while std::fs::read_to_string(&lines).map_or(0, |text| text.lines().count()) < 3 {
            assert!(!running.is_finished() && started.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.request();
        running.join().unwrap().unwrap()
    });
    assert!(result.interrupted);
    assert!((3..1000).contains(&result.steps) && result.steps == result.losses.len(), "{}", result.steps);
    assert!(result.scores.is_empty() && result.epochs.is_empty(), "no score of a part passes for one of the whole");

    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text("results.json"), json(&result));
    assert!(
        RunFolder::finished(&folder, &Plan::of(&recipe, None, None)).is_none(),
        "what was interrupted is made again by --resume"
    );
    assert_eq!(recipe_of(&folder), recipe);
    // What was learned until then is kept.
    load(&base, &folder);
    let adapter = read(&folder.join("adapter/adapter_model.safetensors"));
    assert!(adapter.iter().any(|(key, b)| key.contains("lora_B") && b.f32().iter().any(|b| *b != 0.0)));

    // A request that came before the run: nothing is trained, and the folder still has its start.
    let folder = scratch("session-stop-early").join("run");
    let result = session.run(&recipe, "test", Some(&folder)).unwrap();
    assert!(result.interrupted && result.steps == 0 && result.scores.is_empty());
    load(&base, &folder);
}

#[test]
fn what_cannot_be_trained_is_refused_before_a_folder_is_made() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(16, 8));
    let adapter = |config: AdapterConfig| Recipe { tuning: Tuning::Adapter(config), ..recipe() };
    let cases = [
        ("rank 0", adapter(AdapterConfig::lora(0)), "rank"),
        ("rank above the layer", adapter(AdapterConfig::b_only(25)), "from 1 to 24"),
        ("target", adapter(AdapterConfig::lora(2).targets(["q_proj"])), "query, key, value"),
        (
            "projection of everything",
            Recipe { projected_gradient: true, tuning: Tuning::Full, ..recipe() },
            "projected_gradient",
        ),
        (
            "ratio without factors",
            Recipe { b_learning_rate_ratio: Some(4.0), tuning: Tuning::Head, ..recipe() },
            "b_learning_rate_ratio",
        ),
        ("epochs", Recipe { epochs: 0, ..recipe() }, "epochs"),
        ("batch size", Recipe { batch_size: 0, ..recipe() }, "batch_size"),
        ("learning rate", Recipe { learning_rate: f64::NAN, ..recipe() }, "learning_rate"),
    ];
    for (name, recipe, part) in cases {
        let folder = scratch("session-refused").join("run");
        let message = run(&base, &data, &recipe, Some(&folder)).unwrap_err().to_string();
        assert!(message.contains(part), "{name}: {message}");
        assert!(!folder.exists(), "{name} left a folder");
    }
}
