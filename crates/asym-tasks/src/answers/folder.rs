//! The settings that are saved in the folder of an evaluation. They prevent a mix of answers from different models.

use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::AnswersError;

/// The file of the settings.
const FILE: &str = "evaluation.json";

/// Create `folder` for an evaluation with these settings, or check that the settings in an existing folder are the same. The
/// settings must be a struct or a map, which serde serializes to a JSON object.
///
/// # Errors
///
/// [`AnswersError::OtherEvaluation`] if the folder belongs to an evaluation with other settings, and [`AnswersError::Io`], also
/// for settings that are not a JSON object.
pub fn settle(folder: &Path, settings: &impl Serialize) -> Result<(), AnswersError> {
    let path = folder.join(FILE);
    let failed = |source| AnswersError::Io { path: path.clone(), source };
    let settings: Map<String, Value> =
        serde_json::to_value(settings).and_then(serde_json::from_value).map_err(|error| failed(error.into()))?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            let text = format!("{:#}\n", Value::Object(settings));
            return asym_core::write_whole(&path, text.as_bytes()).map_err(failed);
        }
        Err(error) => return Err(failed(error)),
    };
    let other = |key: &str, found: String, expected: String| {
        Err(AnswersError::OtherEvaluation { path: path.clone(), key: key.to_string(), found, expected })
    };
    let Ok(found) = serde_json::from_str::<Map<String, Value>>(&text) else {
        return other("the file", "not a JSON object".to_string(), "one".to_string());
    };
    for (key, expected) in &settings {
        let found = found.get(key).unwrap_or(&Value::Null);
        if found != expected {
            return other(key, found.to_string(), expected.to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_folder_belongs_to_one_evaluation() {
        let folder = Scratch::new("answers-folder");
        let path = folder.path().join("new");
        let settings = |model: &str| json!({ "model": model, "split": "test" }).as_object().unwrap().clone();
        settle(&path, &settings("a")).unwrap();
        settle(&path, &settings("a")).unwrap();
        let error = settle(&path, &settings("b")).unwrap_err();
        assert!(matches!(&error, AnswersError::OtherEvaluation { key, .. } if key == "model"), "{error}");
        std::fs::write(path.join(FILE), "[").unwrap();
        assert!(matches!(settle(&path, &settings("a")), Err(AnswersError::OtherEvaluation { .. })));
        assert!(matches!(settle(&folder.path().join("list"), &[1]), Err(AnswersError::Io { .. })));
    }
}
