//! JSON lines: an object per line, whose keys are the columns.

use serde_json::{Map, Value};

use super::collector::Collector;
use super::error::TableError;
use super::row::Cell;

/// Reads `text`. The first object decides which keys are the wanted columns, and each object must have these keys.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let mut keys: Option<Vec<String>> = None;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number + 1;
        let object: Map<String, Value> = serde_json::from_str(line).map_err(|source| TableError::Json {
            path: collector.path.to_owned(),
            line: number,
            source,
        })?;
        let keys = match &keys {
            Some(keys) => keys,
            None => {
                let names: Vec<&str> = object.keys().map(String::as_str).collect();
                let wanted = collector.find(&names)?;
                keys.insert(wanted.into_iter().map(|position| names[position].to_owned()).collect())
            }
        };
        let cells = keys.iter().map(|key| (key.as_str(), object.get(key).and_then(cell)));
        collector.cells(number, cells)?;
    }
    Ok(())
}

/// `None` for null and objects.
fn cell(value: &Value) -> Option<Cell> {
    match value {
        Value::String(text) => Some(Cell::Text(text.clone())),
        Value::Bool(boolean) => Some(Cell::Integer(i64::from(*boolean))),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(Cell::Integer(integer)),
            None => number.as_f64().map(Cell::Float),
        },
        Value::Array(list) => list.iter().map(cell).collect::<Option<_>>().map(Cell::List),
        Value::Null | Value::Object(_) => None,
    }
}
