//! The model card of an adapter folder.

use super::SaveOptions;
use crate::inspect::Inspection;
use crate::{AdapterConfig, Bias, Targets};

/// The text of the card: the settings of the adapter, and how to use it in Python and in Rust.
pub(super) fn text(config: &AdapterConfig, table: &Inspection, options: &SaveOptions<'_>) -> String {
    let base = options.base_model.map_or_else(String::new, |base| format!("base_model: {}\n", yaml(base)));
    let of_base = options.base_model.map_or_else(|| "a model".to_string(), |base| format!("`{base}`"));
    let targets = names_of(&config.targets);
    let choice: String = [
        config.exclude.as_ref().map(|exclude| format!("| but not | {} |\n", names_of(exclude))),
        config.layers.as_ref().map(|layers| format!("| numbers | {:?} |\n", layers.indices)),
        (config.bias != Bias::None).then(|| format!("| biases trained | {:?} |\n", config.bias).to_lowercase()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let whole = match config.modules_to_save.is_empty() {
        true => "none".to_string(),
        false => config.modules_to_save.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let factors = config.factors().map_or_else(String::new, |(a, b)| {
        let state = |train: bool| if train { "trained" } else { "frozen" };
        format!(
            "| A | started {}, {} |\n| B | started {}, {} |\n",
            a.init.name(),
            state(a.train),
            b.init.name(),
            state(b.train)
        )
    });
    let seed = options.seed.map_or_else(String::new, |seed| format!("| seed | {seed} |\n"));
    format!(
        "---\n{base}library_name: peft\ntags:\n- {tag}\n- asym\n---\n\n\
         # {method} adapter for {of_base}\n\n\
         |  |  |\n|---|---|\n\
         | method | {method} |\n| layers | {targets} |\n{choice}{factors}\
         | trained whole | {whole} |\n| trained parameters | {trained} of {total} |\n{seed}\n\
         In Python: `peft.PeftModel.from_pretrained(base, folder)`. In Rust: `asym::core::load_adapter`, or\n\
         `asym predict --adapter folder`.\n",
        tag = config.method.settings().name().to_lowercase().replace("(ia)³", "ia3"),
        method = config.method.settings().name(),
        trained = table.trained(),
        total = table.total(),
    )
}

/// The targets as code in a cell of a table. A vertical bar would end the cell, so it is escaped.
fn names_of(targets: &Targets) -> String {
    let code = |name: &String| format!("`{}`", name.replace('|', "\\|"));
    match targets {
        Targets::Names(names) => names.iter().map(code).collect::<Vec<_>>().join(", "),
        Targets::Pattern(pattern) => code(pattern),
    }
}

/// A quoted YAML string, because a path may contain any character.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
