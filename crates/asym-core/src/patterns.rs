//! Settings that differ between modules.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// An ordered map from patterns or names of modules to values.
///
/// Entries keep the order in which they were inserted or in which they appear in a file. Patterns are tried in this order, and
/// the first pattern that matches is used. Two maps are equal if they have the same entries, in any order.
///
/// ```
/// use asym_core::{Lora, Patterns};
///
/// let mut lora = Lora::new(8);
/// lora.rank_pattern = Patterns::from([("layer.0.query", 2), ("query", 4)]);
/// assert_eq!((lora.rank_at("m.layer.0.query"), lora.rank_at("m.layer.1.query")), (2, 4));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patterns<T>(IndexMap<String, T>);

impl<T> Patterns<T> {
    /// A map without entries.
    pub fn new() -> Self {
        Self(IndexMap::new())
    }

    /// Insert an entry at the end and return `None`. If the key exists, replace its value, keep its position and return the old
    /// value.
    pub fn insert(&mut self, key: impl Into<String>, value: T) -> Option<T> {
        self.0.insert(key.into(), value)
    }

    /// Remove the entry with this key and return its value. The other entries keep their order.
    pub fn remove(&mut self, key: &str) -> Option<T> {
        self.0.shift_remove(key)
    }

    /// The value of this key. The key is compared as text and not used as a pattern.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.0.get(key)
    }

    /// The entries, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The patterns or names, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The values, in the order of the entries.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Into<String>, T> Extend<(K, T)> for Patterns<T> {
    fn extend<I: IntoIterator<Item = (K, T)>>(&mut self, entries: I) {
        self.0.extend(entries.into_iter().map(|(key, value)| (key.into(), value)));
    }
}

impl<K: Into<String>, T> FromIterator<(K, T)> for Patterns<T> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        let mut patterns = Self::new();
        patterns.extend(entries);
        patterns
    }
}

impl<K: Into<String>, T, const N: usize> From<[(K, T); N]> for Patterns<T> {
    fn from(entries: [(K, T); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<T> IntoIterator for Patterns<T> {
    type Item = (String, T);
    // A type of the standard library, so the public interface does not contain the map's type, which is from another crate.
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Neither the keys nor the values are sorted.
    const JSON: &str = r#"{"z":1,"a":3,"m":2}"#;

    #[test]
    fn entries_keep_their_order_in_memory_and_in_files() {
        let mut patterns = Patterns::from([("z", 1), ("a", 0)]);
        assert_eq!(patterns.insert("m", 2), None);
        assert_eq!(patterns.insert("a", 3), Some(0));
        assert_eq!(serde_json::to_string(&patterns).unwrap(), JSON);
        let read: Patterns<usize> = serde_json::from_str(JSON).unwrap();
        assert_eq!(read, patterns);
        assert_eq!(read.iter().collect::<Vec<_>>(), [("z", &1), ("a", &3), ("m", &2)]);
        assert_eq!(read.keys().collect::<String>(), "zam");
        assert_eq!(read.values().copied().collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(read.into_iter().map(|(key, _)| key).collect::<String>(), "zam");
    }

    #[test]
    fn entries_are_found_and_removed_by_exact_name() {
        let mut patterns = Patterns::from([("z", 1), ("a", 3), ("m", 2)]);
        assert_eq!((patterns.get("a"), patterns.get(".*"), patterns.len()), (Some(&3), None, 3));
        assert_eq!((patterns.remove("z"), patterns.remove("z")), (Some(1), None));
        assert_eq!(patterns.keys().collect::<String>(), "am");
        patterns.extend([("z".to_string(), 4)]);
        assert_eq!(patterns.keys().collect::<String>(), "amz");
        assert!(!patterns.is_empty() && Patterns::<usize>::default().is_empty());
    }
}
