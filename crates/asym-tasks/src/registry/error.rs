//! Unknown tasks, and unknown settings of tasks.

use crate::names::hint;

/// A task or a setting of one is unknown.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A task's name is unknown.
    #[error("there is no task `{found}`{}; write one of {}", hint(nearest.as_deref()), known.join(", "))]
    UnknownTask {
        /// The name that was given.
        found: String,
        /// The most similar name, if one is similar enough.
        nearest: Option<String>,
        /// Every task's name.
        known: Vec<String>,
    },

    /// A setting does not belong to the task.
    #[error("the task {task} has no setting `{found}`{}; {}{}", hint(nearest.as_deref()), listed(known), of_another(other.as_deref()))]
    UnknownOption {
        /// The task's name.
        task: String,
        /// The setting that was given.
        found: String,
        /// The most similar setting, if one is similar enough.
        nearest: Option<String>,
        /// The settings of the task.
        known: Vec<String>,
        /// The kind of task that has such a setting.
        other: Option<String>,
    },

    /// A setting has a value of the wrong type.
    #[error("a setting of the task {task} cannot be read: {message}")]
    Option {
        /// The task's name.
        task: String,
        /// The message of the TOML parser.
        message: String,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "it has no settings".to_string() } else { format!("its settings are {}", known.join(", ")) }
}

fn of_another(other: Option<&str>) -> String {
    other.map_or_else(String::new, |other| format!("; such a setting belongs to tasks of the kind {other}"))
}
