//! A recipe file: what is trained on which tasks, with which seeds.
//!
//! It is TOML. What it leaves out is the task's own, see [`Settings`]; [`Plan::recipes`] fills it in, so that a run's
//! [`Recipe`] says everything. A run's folder keeps a plan of that one run, with nothing left out, which runs again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::{TaskError, nearest};
use crate::glue::{Settings, Task};
use crate::recipe::{Grouping, Recipe, Tuning};

/// A recipe file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Folder of a checkpoint, or its name on the Hub; the embedded checkpoint where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Folder of the data, or its name on the Hub; the generated sets where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The tasks, each with a run per seed.
    pub tasks: Vec<Task>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Passes over the training set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Examples in a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Batches in a step.
    #[serde(default = "one")]
    pub accumulation: usize,
    /// Peak learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Part of the steps over which the learning rate rises.
    #[serde(default = "default_warmup")]
    pub warmup: f64,
    /// AdamW's weight decay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// LoRA+'s ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b_learning_rate_ratio: Option<f64>,
    /// LoRA-FA's projection.
    #[serde(default)]
    pub projected_gradient: bool,
    /// The length to which gradients are clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gradient_norm: Option<f64>,
    /// Tokens of an example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The order of the training examples.
    #[serde(default)]
    pub grouping: Grouping,
    /// What is trained. Last, since TOML wants tables behind values.
    pub tuning: Tuning,
}

const fn one() -> usize {
    1
}

const fn default_warmup() -> f64 {
    0.06
}

/// Keys whose value is a list; a command line may write it with commas alone.
const LISTS: [&str; 2] = ["tasks", "seeds"];

impl Plan {
    /// The plan in the file at `path`, after `changes` of the form `key=value`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Io`], and what [`parse`](Self::parse) refuses.
    pub fn read(path: &Path, changes: &[String]) -> Result<Self, TaskError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| TaskError::Io { path: path.to_path_buf(), source })?;
        Self::parse(path, &text, changes)
    }

    /// The plan in `text`, which errors call `path`, after `changes` of the form `key=value`. A key within a table has
    /// dots, as in `tuning.adapter.rank=4`. A value is TOML, or else a string; `tasks` and `seeds` may be written with commas alone.
    ///
    /// # Errors
    ///
    /// [`TaskError::Recipe`]: no TOML, or a value of another kind; [`TaskError::RecipeKey`]: a key or name that is not
    /// known; [`TaskError::Override`]: a change without `=`, or into what is no table.
    pub fn parse(path: &Path, text: &str, changes: &[String]) -> Result<Self, TaskError> {
        let mut table: Table = toml::from_str(text).map_err(|error| refused(path, &error))?;
        for change in changes {
            set(&mut table, change)?;
        }
        let plan: Self = table.try_into().map_err(|error| refused(path, &error))?;
        for (field, empty) in [("tasks", plan.tasks.is_empty()), ("seeds", plan.seeds.is_empty())] {
            if empty {
                return Err(TaskError::Setting { field, found: 0.0, expected: "at least one" });
            }
        }
        once("tasks", plan.tasks.iter().map(|task| task.name()))?;
        once("seeds", &plan.seeds)?;
        Ok(plan)
    }

    /// A plan of one run that leaves everything else to the task.
    pub fn new(model: Option<String>, data: Option<String>, task: Task, seed: u64, tuning: Tuning) -> Self {
        Self {
            model,
            data,
            tasks: vec![task],
            seeds: vec![seed],
            epochs: None,
            batch_size: None,
            accumulation: one(),
            learning_rate: None,
            warmup: default_warmup(),
            weight_decay: None,
            b_learning_rate_ratio: None,
            projected_gradient: false,
            max_gradient_norm: None,
            max_length: None,
            grouping: Grouping::default(),
            tuning,
        }
    }

    /// The plan of one run, with nothing left out.
    pub fn of(recipe: &Recipe, model: Option<String>, data: Option<String>) -> Self {
        Self {
            epochs: Some(recipe.epochs),
            batch_size: Some(recipe.batch_size),
            accumulation: recipe.accumulation,
            learning_rate: Some(recipe.learning_rate),
            warmup: recipe.warmup,
            weight_decay: Some(recipe.weight_decay),
            b_learning_rate_ratio: recipe.b_learning_rate_ratio,
            projected_gradient: recipe.projected_gradient,
            max_gradient_norm: recipe.max_gradient_norm,
            max_length: Some(recipe.max_length),
            grouping: recipe.grouping,
            ..Self::new(model, data, recipe.task, recipe.seed, recipe.tuning.clone())
        }
    }

    /// How `task` is trained where the plan does not say: as the paper does, or, with the embedded checkpoint, as a few
    /// minutes allow.
    pub fn settings(&self, task: Task) -> Settings {
        if self.model.is_some() { task.row().paper } else { task.row().mini }
    }

    /// The recipe of one run.
    pub fn recipe(&self, task: Task, seed: u64) -> Recipe {
        let settings = self.settings(task);
        let learning_rate = match self.tuning {
            Tuning::Full => settings.full_learning_rate,
            Tuning::Head | Tuning::Adapter(_) => settings.learning_rate,
        };
        Recipe {
            task,
            seed,
            epochs: self.epochs.unwrap_or(settings.epochs),
            batch_size: self.batch_size.unwrap_or(settings.batch_size),
            accumulation: self.accumulation,
            learning_rate: self.learning_rate.unwrap_or(learning_rate),
            warmup: self.warmup,
            weight_decay: self.weight_decay.unwrap_or(settings.weight_decay),
            b_learning_rate_ratio: self.b_learning_rate_ratio,
            projected_gradient: self.projected_gradient,
            max_gradient_norm: self.max_gradient_norm,
            max_length: self.max_length.unwrap_or(settings.max_length),
            grouping: self.grouping,
            tuning: self.tuning.clone(),
        }
    }

    /// The recipe of each run, task by task.
    pub fn recipes(&self) -> impl Iterator<Item = Recipe> {
        self.tasks.iter().flat_map(|task| self.seeds.iter().map(|seed| self.recipe(*task, *seed)))
    }
}

/// Refuse what is listed twice: its second run would find the first one's folder.
pub(crate) fn once<T: ToString>(field: &'static str, items: impl IntoIterator<Item = T>) -> Result<(), TaskError> {
    let mut seen = std::collections::HashSet::new();
    for item in items.into_iter().map(|item| item.to_string()) {
        if !seen.insert(item.clone()) {
            return Err(TaskError::Repeated { field, found: item });
        }
    }
    Ok(())
}

/// What serde refused, with the known name that an unknown one comes nearest to.
///
/// serde tells the names only within its message: "unknown field `x`, expected one of `a`, `b`". A test holds that.
fn refused(path: &Path, error: &toml::de::Error) -> TaskError {
    let message = error.message();
    let mut quoted = message.split('`').skip(1).step_by(2);
    if let (true, Some(found)) = (message.starts_with("unknown "), quoted.next()) {
        let known: Vec<String> = quoted.map(ToOwned::to_owned).collect();
        return TaskError::RecipeKey {
            path: path.to_path_buf(),
            found: found.to_owned(),
            nearest: nearest(found, known.iter().map(String::as_str)).map(ToOwned::to_owned),
            known,
        };
    }
    TaskError::Recipe { path: path.to_path_buf(), source: Box::new(error.clone()) }
}

fn set(table: &mut Table, change: &str) -> Result<(), TaskError> {
    let wrong = || TaskError::Override { found: change.to_owned() };
    let (key, value) = change.split_once('=').ok_or_else(wrong)?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = toml::from_str::<Table>(&format!("value = {value}")).ok().and_then(|mut table| table.remove("value"));
    let mut value = parsed.unwrap_or_else(|| match LISTS.contains(&key) {
        true => Value::Array(value.split(',').map(|item| scalar(item.trim())).collect()),
        false => Value::String(value.to_owned()),
    });
    if LISTS.contains(&key) && !value.is_array() {
        value = Value::Array(vec![value]);
    }
    let mut path = key.split('.').peekable();
    let mut table = table;
    while let Some(part) = path.next() {
        if part.is_empty() {
            return Err(wrong());
        }
        if path.peek().is_none() {
            table.insert(part.to_owned(), value);
            return Ok(());
        }
        let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
        // A word such as "full" makes room for the table that is asked for.
        if inner.is_str() {
            *inner = Value::Table(Table::new());
        }
        table = inner.as_table_mut().ok_or_else(wrong)?;
    }
    Err(wrong())
}

fn scalar(text: &str) -> Value {
    text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use asym_core::AdapterConfig;

    use super::*;

    const TEXT: &str = r#"
tasks = ["rte", "stsb"]
seeds = [1, 2]

[tuning.adapter]
method = "lora"
rank = 8
a = { init = "orthonormal", train = false }
b = { init = "zero", train = true }
targets = ["query", "value"]
"#;

    fn parse(text: &str, changes: &[&str]) -> Result<Plan, TaskError> {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        Plan::parse(Path::new("r.toml"), text, &changes)
    }

    #[test]
    fn what_is_left_out_is_the_tasks_own() {
        let plan = parse(TEXT, &["model=m"]).unwrap();
        assert_eq!(plan.tuning, Tuning::Adapter(AdapterConfig::b_only(8)));
        let recipes: Vec<Recipe> = plan.recipes().collect();
        assert_eq!(recipes.len(), 4);
        // LoRA's scripts: RTE 4e-4, 8 × 8 examples, 20 epochs, 512 tokens; STS-B 3e-4, 32, 10, 128.
        let of = |recipe: &Recipe| (recipe.learning_rate, recipe.batch_size, recipe.epochs, recipe.max_length);
        assert_eq!(of(&recipes[0]), (4e-4, 64, 20, 512));
        assert_eq!(of(&recipes[2]), (3e-4, 32, 10, 128));
        assert_eq!((recipes[1].seed, recipes[1].weight_decay), (2, 0.1));
        // Without a model it is the embedded one's.
        assert_eq!(parse(TEXT, &[]).unwrap().recipes().next().unwrap().epochs, 3);
    }

    #[test]
    fn changes_reach_every_depth() {
        let changes = ["tasks=mrpc,cola", "seeds=7", "learning_rate=1e-3", "tuning.adapter.rank=4", "data=some/where"];
        let plan = parse(TEXT, &changes).unwrap();
        assert_eq!((plan.tasks, plan.seeds), (vec![Task::Mrpc, Task::Cola], vec![7]));
        assert_eq!((plan.learning_rate, plan.data.as_deref()), (Some(1e-3), Some("some/where")));
        assert_eq!(plan.tuning, Tuning::Adapter(AdapterConfig::b_only(4)));
        assert_eq!(parse(TEXT, &["tuning=full", "seeds=[1,2]"]).unwrap().tuning, Tuning::Full);
        for bad in ["epochs", "=3", "seeds.x=1", "a..b=1"] {
            assert!(matches!(parse(TEXT, &[bad]), Err(TaskError::Override { .. })), "{bad}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        for (change, found, nearest) in [
            ("epoch=3", "epoch", "epochs"),
            ("tuning.adapter.rnk=3", "rnk", "rank"),
            ("tasks=mprc", "mprc", "mrpc"),
            ("tuning.adapter.a.init=orthonormall", "orthonormall", "orthonormal"),
            ("grouping=by_length", "by_length", "by-length"),
        ] {
            let error = parse(TEXT, &[change]).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(&error, TaskError::RecipeKey { found: f, nearest: Some(n), .. } if f == found && n == nearest),
                "{change}: {error:?}"
            );
            assert!(text.starts_with("r.toml: ") && text.contains(&format!("did you mean `{nearest}`?")), "{text}");
        }
    }

    #[test]
    fn no_toml_and_wrong_kinds_are_refused() {
        let error = parse("tasks = [", &[]).unwrap_err();
        assert!(matches!(error, TaskError::Recipe { .. }), "{error:?}");
        let error = parse(TEXT, &["epochs=many"]).unwrap_err();
        assert!(error.to_string().contains("many"), "{error}");
        assert!(matches!(parse(TEXT, &["seeds=[]"]), Err(TaskError::Setting { field: "seeds", .. })));
        for twice in ["seeds=1,2,1", "tasks=rte,rte"] {
            assert!(matches!(parse(TEXT, &[twice]), Err(TaskError::Repeated { .. })), "{twice}");
        }
        assert!(parse("seeds = [1]", &[]).unwrap_err().to_string().contains("tasks"));
    }

    #[test]
    fn a_runs_plan_says_everything() {
        let recipe = parse(TEXT, &["model=m", "b_learning_rate_ratio=4"]).unwrap().recipe(Task::Stsb, 3);
        let text = toml::to_string(&Plan::of(&recipe, Some("m".into()), None)).unwrap();
        // Also where the defaults are others: without the model.
        let plan = parse(&text.replace("model = \"m\"", ""), &[]).unwrap();
        assert_eq!(plan.recipes().collect::<Vec<_>>(), [recipe]);
    }
}
