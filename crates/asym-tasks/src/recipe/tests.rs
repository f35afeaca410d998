#![allow(clippy::unwrap_used, clippy::expect_used)]

use asym_core::AdapterConfig;

use super::*;
use crate::registry::RegistryError;

pub(super) const TEXT: &str = r#"
tasks = ["rte", "stsb"]
seeds = [1, 2]

[tuning.adapter]
method = "lora"
rank = 8
a = { init = "orthonormal", train = false }
b = { init = "zero", train = true }
targets = ["query", "value"]
"#;

pub(super) fn parse(text: &str, changes: &[&str]) -> Result<Recipe, RecipeError> {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    Recipe::parse(Path::new("r.toml"), text, &changes)
}

pub(super) fn run_of(recipe: &Recipe) -> RunConfig {
    recipe.runs().next().unwrap()
}

fn run(recipe: &Recipe, name: &str, seed: u64) -> RunConfig {
    recipe.run(&name.parse().unwrap(), &recipe.tuning, seed)
}

#[test]
fn missing_settings_use_the_defaults_of_the_task() {
    let recipe = parse(TEXT, &["model=m"]).unwrap();
    assert_eq!(recipe.tuning, Tuning::Adapter(AdapterConfig::b_only(8)));
    let runs: Vec<RunConfig> = recipe.runs().collect();
    assert_eq!(runs.len(), 4);
    // LoRA's scripts: RTE 4e-4, 8 × 8 examples, 20 epochs, 512 tokens; STS-B 3e-4, 32, 10, 128.
    let of = |run: &RunConfig| {
        let training = &run.training;
        (training.learning_rate, training.batch_size, training.epochs, run.task.max_length().unwrap())
    };
    assert_eq!(of(&runs[0]), (4e-4, 64, 20, 512));
    assert_eq!(of(&runs[2]), (3e-4, 32, 10, 128));
    assert_eq!((runs[1].training.seed, runs[1].training.weight_decay), (2, 0.1));
    // Without a model, the defaults are those of the embedded model.
    assert_eq!(parse(TEXT, &[]).unwrap().runs().next().unwrap().training.epochs, 3);
}

#[test]
fn changes_apply_at_every_level() {
    let changes = [
        "tasks=mrpc,cola",
        "seeds=7",
        "learning_rate=1e-3",
        "training.epochs=4",
        "tuning.adapter.rank=4",
        "data=some/where",
        "task.max_length=50",
    ];
    let recipe = parse(TEXT, &changes).unwrap();
    let names: Vec<String> = recipe.tasks.iter().map(|task| task.name()).collect();
    assert_eq!((names, &recipe.seeds), (vec!["mrpc".to_string(), "cola".to_string()], &vec![7]));
    assert_eq!(recipe.data.as_deref(), Some("some/where"));
    assert_eq!(recipe.tuning, Tuning::Adapter(AdapterConfig::b_only(4)));
    for run in recipe.runs() {
        assert_eq!((run.training.learning_rate, run.training.epochs, run.task.max_length()), (1e-3, 4, Some(50)));
    }
    assert_eq!(parse(TEXT, &["tuning=full", "seeds=[1,2]"]).unwrap().tuning, Tuning::Full);
    for bad in ["epochs", "=3", "seeds.x=1", "a..b=1"] {
        assert!(matches!(parse(TEXT, &[bad]), Err(RecipeError::Change { .. })), "{bad}");
    }
}

#[test]
fn errors_for_unknown_names_suggest_the_nearest_name() {
    for (change, found, nearest) in [
        ("training.epoch=3", "epoch", "epochs"),
        ("epoch=3", "epoch", "epochs"),
        ("tasc=3", "tasc", "task"),
        ("tuning.adapter.rnk=3", "rnk", "rank"),
        ("training.loraplus_ratio=2", "loraplus_ratio", "loraplus_lr_ratio"),
        ("tuning.adapter.a.init=orthonormall", "orthonormall", "orthonormal"),
    ] {
        let error = parse(TEXT, &[change]).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(&error, RecipeError::Unknown { found: f, nearest: Some(n), .. } if f == found && n == nearest),
            "{change}: {error:?}"
        );
        assert!(text.starts_with("r.toml: ") && text.contains(&format!("did you mean `{nearest}`?")), "{text}");
    }
    let error = parse(TEXT, &["tasks=mprc"]).unwrap_err().to_string();
    assert!(error.starts_with("r.toml: ") && error.contains("did you mean `mrpc`?"), "{error}");
}

#[test]
fn renamed_keys_are_rejected_with_their_new_names() {
    for (old, now) in [
        ("accumulation = 2", "training.gradient_accumulation"),
        ("warmup = 0.1", "training.warmup_ratio"),
        ("b_learning_rate_ratio = 4", "training.loraplus_lr_ratio"),
        ("max_gradient_norm = 1", "training.max_grad_norm"),
        ("grouping = \"none\"", "training.group_by_length"),
        ("max_length = 64", "task.max_length"),
        ("epochs = 3", "training.epochs"),
        ("[training]\nwarmup = 0.1", "training.warmup_ratio"),
        ("[training]\nmax_length = 64", "task.max_length"),
    ] {
        // The key is inserted before the table at the end of the text.
        let text =
            format!("{}\n{old}\n{}", &TEXT[..TEXT.find("[tuning").unwrap()], &TEXT[TEXT.find("[tuning").unwrap()..]);
        let error = parse(&text, &[]).unwrap_err();
        let is = |error: &RecipeError| matches!(error, RecipeError::Renamed { keys, .. } if keys[0].1 == now);
        assert!(is(&error), "{old}: {error:?}");
        assert!(error.to_string().contains(&format!("`{now}`")), "{error}");
    }
    // All keys appear in one error.
    let text = format!("warmup = 0.1\naccumulation = 2\n{TEXT}");
    let error = parse(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("write `training.gradient_accumulation` instead of `accumulation`"), "{error}");
    assert!(error.contains("write `training.warmup_ratio` instead of `warmup`"), "{error}");
    // The keys are also refused on a command line, where a setting of training needs no table.
    assert!(matches!(parse(TEXT, &["warmup=0.1"]), Err(RecipeError::Renamed { .. })));
    assert_eq!(run(&parse(TEXT, &["epochs=9"]).unwrap(), "rte", 1).training.epochs, 9);
}

#[test]
fn a_setting_of_another_task_is_refused() {
    let error = parse(TEXT, &["task.num_beams=4"]).unwrap_err();
    let RecipeError::Task { source, .. } = &error else { panic!("{error:?}") };
    let RegistryError::UnknownOption { task, found, known, .. } = source.as_ref() else { panic!("{source:?}") };
    assert_eq!(
        (task.as_str(), found.as_str(), known.as_slice()),
        ("rte", "num_beams", &["max_length".to_string()][..])
    );
    let error = parse(TEXT, &["task.max_lenght=4"]).unwrap_err().to_string();
    assert!(error.contains("did you mean `max_length`?"), "{error}");
    let error = parse(TEXT, &["task.max_length=long"]).unwrap_err().to_string();
    assert!(error.contains("task rte"), "{error}");
}

#[test]
fn invalid_toml_and_wrong_types_are_rejected() {
    let error = parse("tasks = [", &[]).unwrap_err();
    assert!(matches!(error, RecipeError::Toml { .. }), "{error:?}");
    let error = parse(TEXT, &["epochs=many"]).unwrap_err();
    assert!(error.to_string().contains("many"), "{error}");
    assert!(matches!(parse(TEXT, &["seeds=[]"]), Err(RecipeError::Empty { field: "seeds" })));
    for twice in ["seeds=1,2,1", "tasks=rte,rte"] {
        assert!(matches!(parse(TEXT, &[twice]), Err(RecipeError::Repeated { .. })), "{twice}");
    }
    assert!(parse("seeds = [1]", &[]).unwrap_err().to_string().contains("tasks"));
}

#[test]
fn the_recipe_of_a_run_is_complete() {
    let run = run(&parse(TEXT, &["model=m", "loraplus_lr_ratio=4"]).unwrap(), "stsb", 3);
    let text = toml::to_string(&Recipe::of(&run, Some("m".into()), None)).unwrap();
    // The recipe repeats the run even if the defaults differ, as they do without a model.
    let recipe = parse(&text.replace("model = \"m\"", ""), &[]).unwrap();
    assert_eq!(recipe.runs().collect::<Vec<_>>(), [run]);
    // A recipe is equal to the complete recipe of its run.
    assert_eq!(recipe, Recipe::of(&run_of(&recipe), None, None));
    // The recipe in a run's folder is read with serde.
    assert_eq!(toml::from_str::<Recipe>(&text).unwrap().runs().count(), 1);
}

#[test]
fn training_settings_are_known_fields() {
    let known = fields::<TrainSettings>();
    for setting in ["epochs", "max_grad_norm", "group_by_length"] {
        assert!(known.iter().any(|known| known == setting), "{known:?}");
    }
    assert!(!known.iter().any(|known| known == "seed"), "the seed is not a setting of training in a recipe");
}

#[test]
fn learning_rates_can_be_chosen_from_a_list() {
    let listed = parse(TEXT, &["learning_rate=[1e-4, 1]"]).unwrap();
    assert_eq!((listed.learning_rates.as_slice(), listed.share()), ([1e-4, 1.0].as_slice(), Some(0.2)));
    // The final runs hold out no examples, for any share.
    let share = parse(TEXT, &["learning_rate=[1e-4, 1]", "hold_out=0.5"]).unwrap();
    assert_eq!((share.share(), run_of(&share).hold_out), (Some(0.5), None));
    assert_ne!(listed, share);
    for recipe in [&listed, &share] {
        let again: Recipe = toml::from_str(&toml::to_string(recipe).unwrap()).unwrap();
        assert_eq!(again, *recipe);
    }
    // A list with one rate is equivalent to the rate. A recipe with one rate may hold out examples, as the runs that choose a
    // rate do.
    assert_eq!(parse(TEXT, &["learning_rate=[1e-4]"]).unwrap(), parse(TEXT, &["learning_rate=1e-4"]).unwrap());
    let deciding = parse(TEXT, &["learning_rate=1e-4", "hold_out=0.2"]).unwrap();
    assert_eq!(run_of(&deciding).hold_out, Some(0.2));
    assert_eq!(Recipe::of(&run_of(&deciding), None, None).hold_out, Some(0.2));
    for (changes, part) in [
        (["learning_rate=[]", "epochs=1"], "`learning_rate` is empty"),
        (["learning_rate=[\"a\", 1e-3]", "epochs=1"], "not a list of numbers"),
        (["learning_rate=[1e-3, 0.001]", "epochs=1"], "appears twice in learning_rate"),
        (["learning_rate=[1e-3, 1e-2]", "hold_out=0"], "`hold_out` is 0"),
        (["learning_rate=[1e-3, 1e-2]", "hold_out=1.0"], "`hold_out` is 1"),
    ] {
        let error = parse(TEXT, &changes).unwrap_err().to_string();
        assert!(error.contains(part), "`{part}` in: {error}");
    }
}
