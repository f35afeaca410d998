//! JSON objects that are stored without interpreting them.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A JSON object whose keys keep their order, such as the keys of a `config.json` that no model uses.
///
/// serde reads and writes it as a JSON object. `Display` writes it as one line of JSON.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use asym_models::JsonObject;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let object = JsonObject::of(&BTreeMap::from([("problem_type", "regression")]))?;
/// assert_eq!(object.get::<String>("problem_type").as_deref(), Some("regression"));
/// assert_eq!(object.to_string(), r#"{"problem_type":"regression"}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonObject(pub(crate) Map<String, Value>);

impl JsonObject {
    /// An object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serialize `value`, a struct or a map, to an object.
    ///
    /// # Errors
    ///
    /// Returns an error if the serialization fails, or if the value is not a JSON object.
    pub fn of(value: &impl Serialize) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        match serde_json::to_value(value)? {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(format!("expected a JSON object, found {other}").into()),
        }
    }

    /// The value of `key`. `None` if there is no such key, or if its value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0.get(key).and_then(|value| T::deserialize(value).ok())
    }

    /// Add the keys of `other`. If a key already exists, it keeps its position and gets the new value.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Remove a key. The other keys keep their order. Returns whether the key existed.
    pub fn remove(&mut self, key: &str) -> bool {
        self.0.shift_remove(key).is_some()
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TEXT: &str = r#"{"z":1,"a":[true],"m":"b"}"#;

    #[test]
    fn keys_keep_their_order_and_values_keep_their_types() {
        let mut object: JsonObject = serde_json::from_str(TEXT).unwrap();
        assert_eq!((object.to_string().as_str(), object.keys().collect::<String>()), (TEXT, "zam".to_string()));
        assert_eq!(
            (object.get::<usize>("z"), object.get::<f64>("z"), object.get::<bool>("z")),
            (Some(1), Some(1.0), None)
        );
        assert_eq!((object.get::<String>("m").as_deref(), object.get::<Vec<bool>>("a")), (Some("b"), Some(vec![true])));
        object.extend(serde_json::from_str(r#"{"b":null,"a":2}"#).unwrap());
        assert_eq!(object.to_string(), r#"{"z":1,"a":2,"m":"b","b":null}"#);
        assert!(object.remove("z") && !object.remove("z"));
        assert_eq!(object.keys().collect::<String>(), "amb");
    }

    #[test]
    fn values_other_than_objects_are_rejected() {
        assert!(JsonObject::new().is_empty() && JsonObject::of(&JsonObject::new()).unwrap().is_empty());
        let error = JsonObject::of(&[1, 2]).unwrap_err();
        assert!(error.to_string().contains("found [1,2]"), "{error}");
    }
}
