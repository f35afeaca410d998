//! Runs of a session: they are reproducible, invalid settings are refused before a run starts, and a stopped run leaves a usable
//! folder. The model is a fixture of `tests/fixtures/make.py`. The data are generated here.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use asym::core::{AdaLora, AdapterConfig, Bias, Dora, Factor, Ia3, Init, Lora, Method, Vera, load_adapter};
use asym::models::{
    Checkpoint, EncoderConfig, Family, FileDtype, MaskedLanguageModel, Padding, PretrainedModel, SequenceClassifier,
};
use asym::tasks::glue::{Dataset, Glue};
use asym::tasks::text::{EncodedExample, Examples, Problem, Target, TextEvaluation, TextLoss};
use asym::tasks::{Base, Origin, PreparedTask, Recipe, RunConfig, Session, TaskError};
use asym::train::{Dtype, Existing, RunFolder, RunResult, StopSignal, TrainError, TrainSettings, Tuning};
use burn::tensor::Device;

mod common;
use common::{copy, difference, fixture, read, scratch};

#[global_allocator]
static ALLOCATOR: asym::train::memory::Counting = asym::train::memory::Counting;

/// A lock, since runs are not reproducible in parallel: the CPU backend has one random number generator and one peak of memory.
fn alone() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The masked language model of the fixtures, with this dropout. Its classifier is initialized from the seed.
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
    )
    .unwrap()
    .with_tokenizer(include_bytes!("fixtures/tokenizer/tokenizer.json"))
    .unwrap()
}

/// Encoded examples for training and evaluation.
#[derive(Clone)]
struct Data {
    dataset: Dataset,
    train: Vec<EncodedExample>,
    dev: Vec<EncodedExample>,
}

fn data(train: usize, dev: usize) -> Data {
    examples(train, dev, 5..12)
}

/// Examples with numbers of tokens in `lengths`. The second token determines the class.
fn examples(train: usize, dev: usize, lengths: Range<usize>) -> Data {
    let example = |i: usize| {
        // Knuth's multiplicative hash, so that neighboring examples are not related.
        let word = |j: usize| 5 + (((i * 64 + j + 1) as u32).wrapping_mul(2_654_435_761) >> 16) % 55;
        let words = lengths.start + i % lengths.len() - 2;
        let input_ids: Vec<u32> = [0].into_iter().chain((0..words).map(word)).chain([2]).collect();
        EncodedExample {
            type_ids: vec![0; input_ids.len()],
            target: Target::Class(usize::from(input_ids[1] < 32)),
            input_ids,
        }
    };
    Data {
        dataset: Dataset::Mrpc,
        train: (0..train).map(example).collect(),
        dev: (train..train + dev).map(example).collect(),
    }
}

fn settings() -> TrainSettings {
    TrainSettings {
        seed: 5,
        epochs: 2,
        batch_size: 8,
        learning_rate: 1e-2,
        warmup_ratio: 0.0,
        ..TrainSettings::default()
    }
}

fn tuned(tuning: Tuning) -> RunConfig {
    let task = Glue { dataset: Dataset::Mrpc, options: asym::tasks::glue::GlueOptions { max_length: Some(11) } };
    RunConfig { task: task.into(), training: settings(), tuning, new_head: false, hold_out: None }
}

fn adapted(config: AdapterConfig) -> RunConfig {
    tuned(Tuning::Adapter(config))
}

/// The run that most tests use.
fn b_only() -> RunConfig {
    adapted(AdapterConfig::b_only(3))
}

/// The run with changed settings.
fn with(run: RunConfig, change: impl FnOnce(&mut TrainSettings)) -> RunConfig {
    let mut run = run;
    change(&mut run.training);
    run
}

fn session<'a>(base: &'a Base, data: &Data, device: &'a Device) -> Session<'a, Glue> {
    let padding = Padding { pad_id: 1, token_types: false };
    let examples =
        |examples: &[EncodedExample]| Arc::new(Examples::new(examples.to_vec(), padding, data.dataset.outputs()));
    Session {
        task: Glue::from(data.dataset),
        base,
        data: asym::tasks::Prepared {
            train: examples(&data.train),
            objective: TextLoss,
            evaluation: TextEvaluation {
                dev: examples(&data.dev),
                parts: std::iter::once(0..data.dev.len()).collect(),
                problem: if data.dataset.outputs() == 1 { Problem::Score } else { Problem::Classes },
                scores: data.dataset.scores(),
                constant: asym::train::Scores::new(),
            },
            notes: Vec::new(),
        },
        device,
        origin: Origin::default(),
        read: None,
    }
}

fn run(base: &Base, data: &Data, run: &RunConfig, folder: Option<&Path>) -> Result<RunResult, TaskError> {
    let device = Device::default();
    session(base, data, &device).run(run, "test", folder.map(|path| (path, Existing::Refuse)), &StopSignal::default())
}

/// The run in the recipe of a run's folder.
fn recipe_of(folder: &Path) -> RunConfig {
    let recipe = Recipe::read(&folder.join("recipe.toml"), &[]).unwrap();
    let mut runs = recipe.runs();
    let run = runs.next().unwrap();
    assert!(runs.next().is_none());
    run
}

/// The expected text of `results.json`. Texts are compared, since serde_json may change the last bit of a number that it reads.
fn json(result: &RunResult) -> String {
    serde_json::to_string_pretty(result).unwrap() + "\n"
}

/// Load the adapter of a run's folder into a new model.
fn load(base: &Base, folder: &Path) -> (SequenceClassifier, AdapterConfig) {
    let model = base.checkpoint.sequence_classifier(Some(2), 99, &Device::default().autodiff()).unwrap().model;
    let naming = model.naming();
    load_adapter(model, folder.join("adapter"), &naming).unwrap()
}

#[test]
fn runs_are_reproducible_bit_for_bit() {
    let _alone = alone();
    // With both kinds of dropout, so that all sources of randomness are tested.
    let (base, data) = (base(0.1), data(60, 20));
    let dropped = AdapterConfig::new(Lora::new(3).dropout(0.1));
    for tuning in [Tuning::Adapter(AdapterConfig::b_only(3)), Tuning::Adapter(dropped), Tuning::Full] {
        let recipe = tuned(tuning);
        let first = run(&base, &data, &recipe, None).unwrap();
        let second = run(&base, &data, &recipe, None).unwrap();
        let bits = |run: &RunResult| run.losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&first), bits(&second), "{}", recipe.tuning);
        assert_eq!((&first.scores, &first.epochs), (&second.scores, &second.epochs));
        let other = run(&base, &data, &with(recipe.clone(), |training| training.seed = 6), None).unwrap();
        assert_ne!(bits(&first), bits(&other), "{}", recipe.tuning);
    }
}

/// A run with frozen weights in bf16 learns the same as a run in f32, and it is reproducible.
#[test]
fn runs_in_bf16_match_runs_in_f32() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(96, 48));
    let in_bf16 = with(b_only(), |training| training.dtype = Dtype::Bf16);
    let [first, second, plain] = [&in_bf16, &in_bf16, &b_only()].map(|recipe| run(&base, &data, recipe, None).unwrap());
    assert_eq!(first.losses, second.losses);
    assert_ne!(first.losses, plain.losses);
    for (step, (found, expected)) in first.losses.iter().zip(&plain.losses).enumerate() {
        assert!((found - expected).abs() <= 0.05 * expected.abs().max(0.1), "step {step}: {found}, in f32 {expected}");
    }
    let accuracy = |run: &RunResult| *run.scores.get("accuracy").unwrap();
    assert!((accuracy(&first) - accuracy(&plain)).abs() <= 0.1);
}

/// The first loss of a regression is the mean squared error of the logits, which is computed here.
#[test]
fn regression_uses_the_mean_squared_error() {
    let _alone = alone();
    let (base, mut data) = (base(0.0), data(8, 4));
    data.dataset = Dataset::Stsb;
    let scored = |examples: &[EncodedExample]| -> Vec<EncodedExample> {
        let score = |(i, example): (usize, &EncodedExample)| EncodedExample {
            target: Target::Score(0.5 * i as f32),
            ..example.clone()
        };
        examples.iter().enumerate().map(score).collect()
    };
    (data.train, data.dev) = (scored(&data.train), scored(&data.dev));
    let recipe = with(b_only(), |training| training.epochs = 30);
    let device = Device::default();
    let session = session(&base, &data, &device);
    let (start, _) = session.start(&recipe).unwrap();
    let errors: Vec<f64> = (0..8)
        .map(|at| {
            let logits = start.model.forward(session.data.train.batch(&[at], &device).input);
            let logit = f64::from(logits.into_data().iter::<f32>().next().unwrap());
            (logit - 0.5 * at as f64).powi(2)
        })
        .collect();
    let result = session.run(&recipe, "test", None, &StopSignal::default()).unwrap();
    let expected = errors.iter().sum::<f64>() / 8.0;
    assert!((result.losses[0] - expected).abs() < 1e-5 * expected, "{} is not {expected}", result.losses[0]);
    assert!(result.losses[29] < 0.5 * result.losses[0], "{:?}", result.losses);
    assert!(result.scores.keys().map(String::as_str).eq(["loss", "pearson", "spearman"]), "{:?}", result.scores);
}

/// The model is wide enough that its work is split among threads.
#[test]
fn runs_on_many_threads_are_reproducible_bit_for_bit() {
    let _alone = alone();
    let mut config = EncoderConfig::new(Family::Roberta, 60, 256, 2);
    config.max_position_embeddings = 66;
    let model = MaskedLanguageModel::init(&config, 3, &Device::default()).unwrap();
    let folder = copy(&fixture("tokenizer"), "session-wide");
    asym::models::save(&model, &folder, FileDtype::F32).unwrap();
    let base = Base::open(&folder).unwrap();
    let data = examples(64, 16, 40..65);
    let recipe = with(b_only(), |training| {
        (training.epochs, training.batch_size, training.learning_rate) = (1, 16, 1e-3);
    });
    let [first, second] = [0, 1].map(|_| run(&base, &data, &recipe, None).unwrap());
    assert_eq!(first.losses, second.losses);
    assert_eq!(first.scores, second.scores);
}

#[test]
fn accumulated_batches_match_one_large_batch() {
    let _alone = alone();
    // With 62 examples, the last accumulation step of each epoch has a batch of 4 and a batch of 2.
    let (base, data) = (base(0.0), data(62, 20));
    let recipe = with(b_only(), |training| training.group_by_length = false);
    let whole = run(&base, &data, &recipe, None).unwrap();
    let parts = with(recipe, |training| (training.batch_size, training.gradient_accumulation) = (4, 2));
    let parts = run(&base, &data, &parts, None).unwrap();
    assert_eq!((whole.steps, parts.steps), (16, 16));
    let f32s = |run: &RunResult| run.losses.iter().map(|loss| *loss as f32).collect::<Vec<_>>();
    let largest = difference(&f32s(&whole), &f32s(&parts));
    println!("accumulation: losses differ by {largest:.1e}");
    assert!(largest < 1e-5, "{:?} and {:?}", whole.losses, parts.losses);
    assert_eq!(whole.scores["accuracy"], parts.scores["accuracy"]);
}

#[test]
fn run_folders_contain_the_data_for_reports() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(60, 20));
    let folder = scratch("session-folder").join("run");
    // 0.22 of 16 steps are 3.52 steps, which is rounded to 4 steps of warmup.
    let recipe = with(b_only(), |training| training.warmup_ratio = 0.22);
    let result = run(&base, &data, &recipe, Some(&folder)).unwrap();

    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text("results.json"), json(&result));
    assert_eq!(recipe_of(&folder), recipe);
    assert!(RunFolder::finished(&folder).unwrap().is_some_and(|read| read.steps == result.steps));
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
    assert!(result.peak_bytes.unwrap() > 4 * result.total, "the peak is smaller than the model");

    let lines: Vec<serde_json::Value> =
        text("metrics.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (step_lines, epoch_lines): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.get("step").is_some());
    assert_eq!((step_lines.len(), epoch_lines.len()), (steps, 2));
    for (i, line) in step_lines.iter().enumerate() {
        assert_eq!(line["step"], i + 1);
        assert_eq!(line["epoch"], 1 + i / (steps / 2));
        assert_eq!(line["loss"].as_f64().unwrap(), result.losses[i]);
        // The learning rate rises from 0 for 4 of 16 steps, and then falls to 0 after the last step.
        let rate = if i < 4 { i as f64 / 4.0 } else { (steps - i) as f64 / 12.0 };
        assert!((line["learning_rate"].as_f64().unwrap() - 1e-2 * rate).abs() < 1e-12, "{line}");
        assert!(line["grad_norm"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(epoch_lines[1]["dev"]["accuracy"].as_f64().unwrap(), result.scores["accuracy"]);

    // The folder has the final adapter, with A frozen, and no temporary file.
    let (_, config) = load(&base, &folder);
    let pair = (Factor::frozen(Init::Orthonormal), Factor::trained(Init::Zero));
    assert_eq!(config.factors(), Some(pair));
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 6, "{names:?}");

    // A run never writes to an existing folder.
    let refused = run(&base, &data, &recipe, Some(&folder)).unwrap_err();
    assert!(matches!(&refused, TaskError::Train(TrainError::OutputExists { path }) if *path == folder), "{refused}");
    assert!(refused.to_string().contains(folder.to_str().unwrap()));
    assert_eq!(text("results.json"), json(&result));
}

/// Every method trains, and the run's folder contains the trained tensors.
#[test]
fn every_method_trains() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(60, 20));
    let methods: [(&str, AdapterConfig, &[&str]); 7] = [
        ("lora", AdapterConfig::lora(3), &[]),
        ("a-only", AdapterConfig::a_only(3), &["lora_B"]),
        ("dora", AdapterConfig::new(Dora(Lora::b_only(3))), &["lora_A"]),
        ("adalora", AdapterConfig::new(AdaLora::new(4, 2)), &[]),
        ("vera", AdapterConfig::new(Vera::new(16)).bias(Bias::Adapted), &["vera_A", "vera_B"]),
        ("ia3", AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS), &[]),
        ("patterns", AdapterConfig::new(Lora::new(3).rank_of("layer.1.*value", 2)).bias(Bias::All), &[]),
    ];
    for (name, config, frozen) in methods {
        let folder = scratch(&format!("session-method-{name}")).join("run");
        let recipe = with(adapted(config), |training| training.epochs = 3);
        let result = run(&base, &data, &recipe, Some(&folder)).unwrap();
        assert_eq!(recipe_of(&folder), recipe);
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let steps = result.losses.len() / 3;
        let (first, last) = (mean(&result.losses[..steps]), mean(&result.losses[2 * steps..]));
        println!("{name}: {} trained, loss {first:.3} to {last:.3}", result.trainable);
        assert!(last < first, "{name}: {first} to {last}");

        // Each trained tensor of the adapter changed, and each frozen tensor did not.
        let tensors = |folder: &Path| read(&folder.join("adapter/adapter_model.safetensors"));
        let start = scratch(&format!("session-start-{name}")).join("run");
        let (stopped, device) = (StopSignal::default(), Device::default());
        stopped.request();
        session(&base, &data, &device).run(&recipe, "start", Some((&start, Existing::Refuse)), &stopped).unwrap();
        let (before, after) = (tensors(&start), tensors(&folder));
        assert!(after.keys().eq(before.keys()), "{name}");
        for (key, tensor) in &after {
            let frozen = frozen.iter().any(|part| key.contains(part));
            // AdaLoRA's file has only the remaining ranks, so that shapes differ too.
            let moved = tensor.shape != before[key].shape || difference(&tensor.f32(), &before[key].f32()) > 0.0;
            assert_eq!(moved, !frozen, "{name}: {key}");
        }

        // The adapter in the folder loads. With AdaLoRA, it has only the remaining ranks.
        let (model, read) = load(&base, &folder);
        let Method::AdaLora(settings) = &read.method else { continue };
        // Of 24 steps, the first 2 keep all ranks, and the last 7 do not change the ranks.
        assert_eq!((settings.warmup_steps, settings.final_steps, settings.total_steps), (2, 7, Some(24)));
        let left: usize = settings.rank_pattern.values().flatten().filter(|kept| **kept).count();
        assert!(settings.rank_pattern.len() == 4 && left <= 2 * 4 && left > 0, "{:?}", settings.rank_pattern);
        let entries = asym::core::layout::entries(&model, &model.naming());
        let stored: usize = entries.iter().filter(|entry| entry.field() == "lora_E").map(|entry| entry.shape[0]).sum();
        assert_eq!(stored, left, "pruned ranks were saved");
    }
}

/// LoRA+ changes only learning rates, and LoRA-FA only the gradient of B.
#[test]
fn loraplus_changes_rates_and_lora_fa_changes_gradients() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(16, 8));
    // A single step at the peak learning rate: Adam changes every value by the learning rate.
    let moved = |recipe: RunConfig| {
        let folder = scratch("session-rates").join("run");
        let recipe = with(recipe, |training| {
            (training.epochs, training.batch_size, training.weight_decay) = (1, 16, 0.0);
        });
        run(&base, &data, &recipe, Some(&folder)).unwrap();
        let after = read(&folder.join("adapter/adapter_model.safetensors"));
        let largest = |part: &str| {
            let of = after.iter().filter(|(key, _)| key.ends_with(part));
            of.flat_map(|(_, tensor)| tensor.f32()).fold(0.0f32, |largest, value| largest.max(value.abs()))
        };
        (largest("lora_A.weight"), largest("lora_B.weight"), largest("out_proj.bias"))
    };
    // A starts at 0, so that its value after the step is the change. Its gradient is not 0, because B is not.
    let both = Lora::new(3).a(Factor::trained(Init::Zero)).b(Factor::frozen(Init::Orthonormal));
    let a_only = adapted(AdapterConfig::new(both));
    let b_only = b_only();
    let close = |value: f32, expected: f32| (value - expected).abs() < 1e-3 * expected;
    assert!(close(moved(a_only.clone()).0, 1e-2));
    assert!(close(moved(b_only.clone()).1, 1e-2));
    let ratio = |recipe: RunConfig| with(recipe, |training| training.loraplus_lr_ratio = Some(4.0));
    let (a, _, bias) = moved(ratio(a_only.clone()));
    assert!(close(a, 1e-2), "A does not have the base rate: {a}");
    assert!(close(bias, 4e-2), "vectors do not have the rate of B: {bias}");
    let b = moved(ratio(b_only.clone())).1;
    assert!(close(b, 4e-2), "B does not have four times the rate: {b}");

    let projected = |recipe: RunConfig| with(recipe, |training| training.projected_gradient = true);
    // Adam's step does not depend on the scale of the gradient, and the projection with an orthonormal A keeps its direction.
    assert!(close(moved(projected(b_only)).1, 1e-2));
    let folder = scratch("session-rates").join("refused");
    let error = run(&base, &data, &projected(a_only), Some(&folder)).unwrap_err().to_string();
    assert!(error.contains("projected_gradient") && !folder.exists(), "{error}");
    let short = AdapterConfig::new(AdaLora::new(4, 2).schedule(3, 1, 1));
    let short = adapted(short);
    let error = run(&base, &data, &short, Some(&folder)).unwrap_err().to_string();
    assert!(error.contains("total_steps") && !folder.exists(), "{error}");
}

#[test]
fn fully_trained_models_are_saved_as_checkpoints() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(40, 20));
    for (name, tuning) in [("full", Tuning::Full), ("head", Tuning::Head)] {
        let folder = scratch(&format!("session-{name}")).join("run");
        run(&base, &data, &tuned(tuning), Some(&folder)).unwrap();
        let loaded = Checkpoint::open(folder.join("model")).unwrap();
        let loaded = loaded.sequence_classifier(None, 0, &Device::default()).unwrap();
        assert!(loaded.initialized.is_empty(), "{:?}", loaded.initialized);
        let key = "roberta.encoder.layer.0.attention.self.query.weight";
        let before = read(&fixture("roberta-mlm").join("model.safetensors"))[key].f32();
        let moved = difference(&read(&folder.join("model/model.safetensors"))[key].f32(), &before);
        assert_eq!(moved > 0.0, name == "full", "{name}: the query moved by {moved}");
    }
}

#[test]
fn diverging_losses_stop_the_run_and_keep_the_adapter() {
    let _alone = alone();
    let (base, data) = (base(0.0), data(60, 20));
    let folder = scratch("session-explosion").join("run");
    let recipe = with(b_only(), |training| training.learning_rate = 1e30);
    let error = run(&base, &data, &recipe, Some(&folder)).unwrap_err();
    println!("{error}");
    let TaskError::Train(TrainError::NonFiniteLoss { step, learning_rate, .. }) = error else { panic!("{error}") };
    assert!((2..=16).contains(&step), "{step}");
    assert!(learning_rate > 1e28, "{learning_rate}");
    assert!(error.to_string().contains(&format!("at step {step}")), "{error}");
    // The last valid adapter is kept. Here, this is the initial adapter, since no epoch was finished.
    load(&base, &folder);
    let adapter = read(&folder.join("adapter/adapter_model.safetensors"));
    assert!(adapter.iter().filter(|(key, _)| key.contains("lora_B")).all(|(_, b)| b.f32().iter().all(|b| *b == 0.0)));
    assert!(!folder.join("results.json").exists(), "a failed run has a result");
}

#[test]
fn stopped_runs_leave_a_usable_folder() {
    let _alone = alone();
    // An epoch has 1000 steps, so that the run is stopped in the first epoch.
    let (base, data) = (base(0.1), data(8000, 20));
    let folder = scratch("session-stop").join("run");
    let (recipe, device, stop) = (b_only(), Device::default(), StopSignal::default());
    let session = session(&base, &data, &device);
    let result = std::thread::scope(|scope| {
        let running = scope.spawn(|| session.run(&recipe, "test", Some((&folder, Existing::Refuse)), &stop));
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
    assert!(result.scores.is_empty() && result.epochs.is_empty(), "an interrupted run has scores");

    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text("results.json"), json(&result));
    assert!(RunFolder::finished(&folder).unwrap().is_none(), "an interrupted run counts as finished");
    assert_eq!(recipe_of(&folder), recipe);
    // The adapter trained so far is saved.
    load(&base, &folder);
    let adapter = read(&folder.join("adapter/adapter_model.safetensors"));
    assert!(adapter.iter().any(|(key, b)| key.contains("lora_B") && b.f32().iter().any(|b| *b != 0.0)));

    // The stop is requested before the run: nothing is trained, and the folder has the initial adapter.
    let folder = scratch("session-stop-early").join("run");
    let result = session.run(&recipe, "test", Some((&folder, Existing::Refuse)), &stop).unwrap();
    assert!(result.interrupted && result.steps == 0 && result.scores.is_empty());
    load(&base, &folder);
}

#[test]
fn invalid_runs_are_rejected_before_a_folder_is_created() {
    let _alone = alone();
    let (base, data) = (base(0.1), data(16, 8));
    let cases = [
        ("rank 0", adapted(AdapterConfig::lora(0)), "rank"),
        ("rank above the layer", adapted(AdapterConfig::b_only(25)), "from 1 to 24"),
        ("target", adapted(AdapterConfig::lora(2).targets(["q_proj"])), "query, key, value"),
        (
            "projection of everything",
            with(tuned(Tuning::Full), |training| training.projected_gradient = true),
            "projected_gradient",
        ),
        (
            "ratio without factors",
            with(tuned(Tuning::Head), |training| training.loraplus_lr_ratio = Some(4.0)),
            "loraplus_lr_ratio",
        ),
        ("epochs", with(b_only(), |training| training.epochs = 0), "epochs"),
        ("batch size", with(b_only(), |training| training.batch_size = 0), "batch_size"),
        ("learning rate", with(b_only(), |training| training.learning_rate = f64::NAN), "learning_rate"),
    ];
    for (name, recipe, part) in cases {
        let folder = scratch("session-refused").join("run");
        let message = run(&base, &data, &recipe, Some(&folder)).unwrap_err().to_string();
        assert!(message.contains(part), "{name}: {message}");
        assert!(!folder.exists(), "{name} left a folder");
    }
}
