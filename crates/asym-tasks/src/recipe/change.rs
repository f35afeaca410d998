//! Changes of a recipe on the command line, and keys of older recipes.

use std::path::Path;

use toml::{Table, Value};

use super::error::RecipeError;

/// Keys whose value is a list. On the command line, the list may be written with commas and without brackets.
const LISTS: [&str; 2] = ["tasks", "seeds"];

/// Top-level keys of older recipes, and their present names.
const RENAMED: [(&str, &str); 11] = [
    ("epochs", "training.epochs"),
    ("batch_size", "training.batch_size"),
    ("accumulation", "training.gradient_accumulation"),
    ("learning_rate", "training.learning_rate"),
    ("warmup", "training.warmup_ratio"),
    ("weight_decay", "training.weight_decay"),
    ("b_learning_rate_ratio", "training.loraplus_lr_ratio"),
    ("projected_gradient", "training.projected_gradient"),
    ("max_gradient_norm", "training.max_grad_norm"),
    ("grouping", "training.group_by_length"),
    ("max_length", "task.max_length"),
];

/// Refuse keys of older recipes, at the top level and in the table `training`, with an error that lists their present names.
pub(super) fn refuse_renamed(path: &Path, table: &Table) -> Result<(), RecipeError> {
    let mut keys = Vec::new();
    for (old, now) in RENAMED {
        if table.contains_key(old) {
            keys.push((old.to_owned(), now));
        }
        // `training.warmup`, but not `training.epochs`.
        let within = table.get("training").and_then(Value::as_table).is_some_and(|table| table.contains_key(old));
        if within && now != format!("training.{old}") {
            keys.push((format!("training.{old}"), now));
        }
    }
    if keys.is_empty() { Ok(()) } else { Err(RecipeError::Renamed { path: path.to_path_buf(), keys }) }
}

/// Apply the change `key=value` to `table`. A key within a table has dots, as in `tuning.adapter.rank=4`. A setting of training,
/// that is, one of the names in `training`, may be given without its table. A value that is not valid TOML is a string.
pub(super) fn set(table: &mut Table, change: &str, training: &[String]) -> Result<(), RecipeError> {
    let wrong = || RecipeError::Change { found: change.to_owned() };
    let (key, value) = change.split_once('=').ok_or_else(wrong)?;
    let (key, value) = (key.trim(), value.trim());
    let parsed = toml::from_str::<Table>(&format!("value = {value}")).ok();
    // A text of several lines may be TOML with further keys.
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    let mut value = parsed.unwrap_or_else(|| {
        if LISTS.contains(&key) {
            Value::Array(value.split(',').map(|item| scalar(item.trim())).collect())
        } else {
            Value::String(value.to_owned())
        }
    });
    if LISTS.contains(&key) && !value.is_array() {
        value = Value::Array(vec![value]);
    }
    let key = if training.iter().any(|setting| setting == key) { format!("training.{key}") } else { key.to_owned() };
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
        // A string such as "full" is replaced by a table with the new key.
        if inner.is_str() {
            *inner = Value::Table(Table::new());
        }
        table = inner.as_table_mut().ok_or_else(wrong)?;
    }
    Err(wrong())
}

/// In a recipe without `tasks`, convert `task = { NAME = { … } }` into the task NAME with these settings.
pub(super) fn unnest(table: &mut Table) {
    if table.contains_key("tasks") {
        return;
    }
    let Some(Value::Table(task)) = table.get("task") else { return };
    let mut tasks = task.iter();
    if let (Some((name, Value::Table(settings))), None) = (tasks.next(), tasks.next()) {
        let (name, settings) = (name.clone(), settings.clone());
        table.insert("tasks".to_owned(), Value::Array(vec![Value::String(name)]));
        table.insert("task".to_owned(), Value::Table(settings));
    }
}

fn scalar(text: &str) -> Value {
    text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer)
}
