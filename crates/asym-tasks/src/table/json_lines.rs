//! JSON lines: an object per line, whose keys are the columns.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Collector;
use crate::error::TaskError;

/// Reads `text`. Each object must have what the first one showed to be there.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TaskError> {
    let path = collector.path;
    let mut keys: Option<Vec<String>> = None;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number + 1;
        let object: Map<String, Value> = serde_json::from_str(line).map_err(|source| TaskError::Json {
            path: path.to_owned(),
            line: number,
            source,
        })?;
        let keys = match &keys {
            Some(keys) => keys,
            None => {
                let names: Vec<&str> = object.keys().map(String::as_str).collect();
                let wanted = collector.wanted(&names)?;
                keys.insert(wanted.into_iter().map(|position| names[position].to_owned()).collect())
            }
        };
        let cells: Vec<Cow<'_, str>> = keys
            .iter()
            .map(|key| match object.get(key) {
                Some(Value::String(text)) => Ok(Cow::Borrowed(text.as_str())),
                Some(Value::Number(number)) => Ok(Cow::Owned(number.to_string())),
                _ => Err(TaskError::MissingValue { path: path.to_owned(), line: number, column: key.clone() }),
            })
            .collect::<Result<_, _>>()?;
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        collector.row(number, &cells)?;
    }
    Ok(())
}
