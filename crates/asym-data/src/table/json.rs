//! JSON: an object per line, or one array of objects. Their keys are the columns.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::collector::Collector;
use super::error::TableError;
use super::row::Cell;

/// An object without duplicate keys. serde_json would use the last of several equal keys.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object, A::Error> {
                let mut object = Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    if object.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("the key `{key}` occurs twice")));
                    }
                    object.insert(key, value);
                }
                Ok(Object(object))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Reads `text`. The keys of the wanted columns are determined from the first object, and each object must have these keys.
pub(super) fn read(text: &str, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let mut rows = Rows { keys: None };
    if text.trim_start().starts_with('[') {
        let objects: Vec<Object> = serde_json::from_str(text)
            .map_err(|source| TableError::JsonArray { path: collector.path.to_owned(), source: source.into() })?;
        let numbered = objects.iter().enumerate();
        return numbered
            .map(|(at, object)| (at + 1, object))
            .try_for_each(|(row, object)| rows.add(row, object, collector));
    }
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number + 1;
        let object: Object = serde_json::from_str(line).map_err(|source| TableError::Json {
            path: collector.path.to_owned(),
            line: number,
            source: source.into(),
        })?;
        rows.add(number, &object, collector)?;
    }
    Ok(())
}

struct Rows {
    /// The wanted keys, after the first object was read.
    keys: Option<Vec<String>>,
}

impl Rows {
    fn add(&mut self, number: usize, object: &Object, collector: &mut Collector<'_>) -> Result<(), TableError> {
        let keys = match &self.keys {
            Some(keys) => keys,
            None => {
                let names: Vec<&str> = object.0.keys().map(String::as_str).collect();
                let wanted = collector.find(&names)?;
                self.keys.insert(wanted.into_iter().map(|position| names[position].to_owned()).collect())
            }
        };
        let cells = keys.iter().map(|key| (key.as_str(), object.0.get(key).and_then(cell)));
        collector.cells(number, cells)
    }
}

/// The cell of a value. `None` for null, and for a list that contains null.
fn cell(value: &Value) -> Option<Cell> {
    match value {
        Value::String(text) => Some(Cell::Text(text.clone())),
        Value::Bool(boolean) => Some(Cell::Boolean(*boolean)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(Cell::Integer(integer)),
            None => number.as_f64().map(Cell::Float),
        },
        Value::Array(list) => list.iter().map(cell).collect::<Option<_>>().map(Cell::List),
        Value::Object(object) => {
            let fields = object.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?)));
            Some(Cell::Struct(fields.collect()))
        }
        Value::Null => None,
    }
}
