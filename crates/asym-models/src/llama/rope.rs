//! The frequencies of the rotary position embedding, and their scaling for longer texts.
//!
//! Source: `modeling_rope_utils.py` of transformers 5.

use std::f64::consts::TAU;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::ModelError;
use crate::error::refuse;

/// The scaling of the rotation's frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// All frequencies are divided by one factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies are divided by a factor, high frequencies are kept, and frequencies in between are interpolated.
    /// Llama 3.1 and 3.2 use this scaling.
    Llama3 {
        /// The factor of the low frequencies.
        factor: f64,
        /// Frequencies whose wavelength is above `original / low` are low.
        low: f64,
        /// Frequencies whose wavelength is below `original / high` are high.
        high: f64,
        /// Maximum length of a sequence in the original training, in tokens.
        original: f64,
    },
}

impl RopeScaling {
    /// Read the scaling from `rotation`, the value of `key`; `None` if the rotation is not scaled.
    ///
    /// `longest` is `max_position_embeddings`, and `original` is `original_max_position_embeddings` at the top level of
    /// the file.
    pub(super) fn read(
        path: &Path,
        (key, rotation): (&'static str, &Map<String, Value>),
        (longest, original): (usize, Option<f64>),
    ) -> Result<Option<Self>, ModelError> {
        let kind = rotation.get("rope_type").or_else(|| rotation.get("type")).unwrap_or(&Value::Null);
        let number = |name: &str| {
            let found = rotation.get(name).unwrap_or(&Value::Null);
            let good = found.as_f64().filter(|value| *value > 0.0 && value.is_finite());
            good.ok_or_else(|| refuse(path, key, format!("a positive number as {name} of rope_type {kind}"), found))
        };
        match kind.as_str() {
            // Dynamic scaling only affects sequences longer than `max_position_embeddings`, which asym does not accept.
            None | Some("default" | "dynamic") if kind.is_null() || kind.is_string() => Ok(None),
            Some("linear") => Ok(Some(Self::Linear { factor: number("factor")? })),
            Some("llama3") => {
                let inside = rotation.get("original_max_position_embeddings").and_then(Value::as_f64);
                let scaling = Self::Llama3 {
                    factor: number("factor")?,
                    low: number("low_freq_factor")?,
                    high: number("high_freq_factor")?,
                    original: original.or(inside).unwrap_or(longest as f64),
                };
                match scaling {
                    Self::Llama3 { low, high, .. } if low >= high => {
                        Err(refuse(path, key, format!("a high_freq_factor above low_freq_factor {low}"), high))
                    }
                    _ => Ok(Some(scaling)),
                }
            }
            _ => {
                let expected = "a supported rope_type: `default`, `linear`, `dynamic` or `llama3`";
                Err(refuse(path, key, expected, kind))
            }
        }
    }

    /// The fields of `config.json`, except for `rope_theta`.
    pub(super) fn write(scaling: Option<Self>) -> Map<String, Value> {
        let fields = match scaling {
            None => json!({"rope_type": "default"}),
            Some(Self::Linear { factor }) => json!({"rope_type": "linear", "factor": factor}),
            Some(Self::Llama3 { factor, low, high, original }) => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                // transformers accepts only integers here.
                "original_max_position_embeddings": original as u64,
            }),
        };
        fields.as_object().cloned().unwrap_or_default()
    }

    /// The scaled `frequency`, in radians per position.
    fn scale(self, frequency: f64) -> f64 {
        match self {
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low, high, original } => {
                let wavelength = TAU / frequency;
                if wavelength < original / high {
                    frequency
                } else if wavelength > original / low {
                    frequency / factor
                } else {
                    let kept = (original / wavelength - low) / (high - low);
                    (1.0 - kept) * frequency / factor + kept * frequency
                }
            }
        }
    }
}

/// The frequency of each pair of a head's features.
pub(super) fn frequencies(head_dim: usize, theta: f64, scaling: Option<RopeScaling>) -> Vec<f32> {
    let of_pair = |pair: usize| {
        let frequency = theta.powf(-((2 * pair) as f64) / head_dim as f64);
        scaling.map_or(frequency, |scaling| scaling.scale(frequency)) as f32
    };
    (0..head_dim / 2).map(of_pair).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(rotation: &Value) -> Result<Option<RopeScaling>, ModelError> {
        let rotation = rotation.as_object().unwrap();
        RopeScaling::read(Path::new("config.json"), ("rope_scaling", rotation), (64, None))
    }

    #[test]
    fn all_rope_spellings_are_read_and_survive_a_round_trip() {
        let plain = [
            json!({}),
            json!({"type": "default"}),
            json!({"rope_type": null}),
            json!({"type": "dynamic", "factor": 2.0}),
        ];
        for rotation in plain {
            assert_eq!(read(&rotation).unwrap(), None, "{rotation}");
        }
        let linear = RopeScaling::Linear { factor: 2.0 };
        assert_eq!(read(&json!({"type": "linear", "factor": 2})).unwrap(), Some(linear));
        let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0});
        let own = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 64.0 };
        assert_eq!(read(&llama3).unwrap(), Some(own));
        for scaling in [None, Some(linear), Some(own)] {
            assert_eq!(read(&Value::Object(RopeScaling::write(scaling))).unwrap(), scaling);
        }
    }

    #[test]
    fn unsupported_rope_types_are_named() {
        let cases = [
            (json!({"rope_type": "yarn", "factor": 2.0}), "yarn"),
            (json!({"type": "longrope"}), "longrope"),
            (json!({"type": 3}), "found 3"),
            (json!({"type": "linear"}), "a positive number as factor of rope_type \"linear\", found null"),
            (json!({"type": "linear", "factor": 0}), "found 0"),
            (
                json!({"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}),
                "a high_freq_factor above low_freq_factor 4",
            ),
        ];
        for (rotation, message) in cases {
            let error = read(&rotation).unwrap_err().to_string();
            assert!(error.contains("rope_scaling") && error.contains(message), "{error}");
        }
    }

    #[test]
    fn frequencies_match_transformers() {
        // `_compute_llama3_parameters` of transformers 5.24 for a head of 8, theta 10000 and 32 positions.
        let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 32.0 };
        let found = frequencies(8, 10_000.0, Some(scaling));
        assert_eq!(found[0], 1.0);
        assert_eq!(found[3], 0.001 / 8.0);
        assert_eq!(frequencies(4, 100.0, Some(RopeScaling::Linear { factor: 4.0 })), [0.25, 0.025]);
    }
}
