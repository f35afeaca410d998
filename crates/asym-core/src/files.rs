//! Atomic writing of files: a file is written completely or not at all.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::{fmt, fs, io};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Write a file under another name and move it into place. A killed program or a power cut then leaves either the old file
/// or the new file, and never a part of one under the final name.
///
/// # Errors
///
/// The error of the operation that failed.
pub fn write_whole(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut part = OsString::from(path);
    part.push(".part");
    fill_whole(path, Path::new(&part), |part| fs::write(part, data), |error| error)
}

/// Like [`write_whole`], for a file that `fill` writes under the name `part`. `refused` converts an error of the
/// operating system.
///
/// # Errors
///
/// The error of `fill`, or the converted error of the operating system.
pub fn fill_whole<E>(
    path: &Path,
    part: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
    refused: impl FnOnce(io::Error) -> E,
) -> Result<(), E> {
    // Without `sync_all`, a power cut after the move could leave an empty file under the final name.
    let place = || File::options().write(true).open(part)?.sync_all().and_then(|()| fs::rename(part, path));
    fill(part).and_then(|()| place().map_err(refused)).inspect_err(|_| {
        // An incomplete file is useless. An error of its removal is ignored, because it would hide the first error.
        let _ = fs::remove_file(part);
    })
}

/// The first key that is repeated in the header of a safetensors file, which the format forbids. The safetensors crate uses the
/// last entry of such a key. `None` if no key is repeated or if the header is not a JSON object, which the crate rejects.
///
/// `file` is the contents of the file, or their beginning with the whole header.
pub fn repeated_key(file: &[u8]) -> Option<String> {
    struct Keys(Option<String>);
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Each;
            impl<'de> Visitor<'de> for Each {
                type Value = Keys;

                fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                    out.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Keys, A::Error> {
                    let (mut seen, mut repeated) = (HashSet::new(), None);
                    while let Some((key, IgnoredAny)) = entries.next_entry::<String, IgnoredAny>()? {
                        if let Some(key) = seen.replace(key) {
                            repeated = repeated.or(Some(key));
                        }
                    }
                    Ok(Keys(repeated))
                }
            }
            deserializer.deserialize_map(Each)
        }
    }
    let (length, rest) = file.split_first_chunk::<8>()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    serde_json::from_slice(header).ok().and_then(|Keys(repeated)| repeated)
}

/// A safetensors file whose metadata are in alphabetical order. The safetensors crate writes them in the order of a hash map, so
/// the same tensors would give a different file each time. Bytes that are not a safetensors file are returned unchanged.
pub(crate) fn ordered(bytes: Vec<u8>) -> Vec<u8> {
    let reordered = || -> Option<Vec<u8>> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (header, tensors) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let mut header: Map<String, Value> = serde_json::from_slice(header).ok()?;
        let metadata = header.get_mut("__metadata__")?.as_object_mut()?;
        metadata.sort_keys();
        let mut text = serde_json::to_string(&header).ok()?;
        // The tensors must begin at a multiple of eight bytes.
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
        Some([&(text.len() as u64).to_le_bytes(), text.as_bytes(), tensors].concat())
    };
    reordered().unwrap_or(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use safetensors::SafeTensors;
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::damage::config;

    #[test]
    fn repeated_keys_are_found() {
        let file = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), b"data"].concat();
        assert_eq!(repeated_key(&file(r#"{"a": {"b": 1}, "c": [], "a": 2, "c": 3}"#)).as_deref(), Some("a"));
        for fine in [r#"{"a": {"b": 1}, "b": {"b": 1}}"#, "{}", "[]", "{"] {
            assert_eq!(repeated_key(&file(fine)), None, "{fine}");
        }
        assert_eq!(repeated_key(&[255; 9]), None);
    }

    #[test]
    fn equal_tensors_give_identical_files() {
        let data: Vec<u8> = (0..12).collect();
        let write = || {
            let keys = ["format", "asym", "b", "a", "c", "d"];
            let metadata: HashMap<String, String> =
                keys.iter().map(|key| (key.to_string(), format!("{key}\"é"))).collect();
            let view = |shape: &[usize]| TensorView::new(Dtype::F32, shape.to_vec(), &data).unwrap();
            let views = [("x", view(&[3])), ("y", view(&[1, 3]))];
            ordered(safetensors::serialize(views, Some(metadata)).unwrap())
        };
        let first = write();
        (0..20).for_each(|_| assert_eq!(write(), first));
        let file = SafeTensors::deserialize(&first).unwrap();
        assert_eq!(file.tensor("y").unwrap().data(), data);
        let (_, header) = SafeTensors::read_metadata(&first).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["asym"], "asym\"é");
        assert_eq!(ordered(vec![1, 2, 3]), [1, 2, 3]);
    }

    proptest! {
        #![proptest_config(config(500))]

        #[test]
        fn reordering_preserves_tensors_and_metadata(
            metadata in prop::collection::hash_map(any::<String>(), any::<String>(), 0..5),
            name in any::<String>(),
        ) {
            prop_assume!(name != "__metadata__");
            let data = [7; 8];
            let view = TensorView::new(Dtype::F32, vec![2], &data).unwrap();
            let bytes = ordered(safetensors::serialize([(&name, view)], Some(metadata.clone())).unwrap());
            prop_assert_eq!(repeated_key(&bytes), None);
            prop_assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensor(&name).unwrap().data(), data);
            let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
            prop_assert_eq!(header.metadata().clone().unwrap_or_default(), metadata);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(length in 0..40_u64, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let with_length = [&length.to_le_bytes()[..], &bytes].concat();
            for bytes in [bytes, with_length] {
                let _ = repeated_key(&bytes);
                // Bytes that are not a safetensors file are returned unchanged.
                if SafeTensors::deserialize(&bytes).is_err() {
                    prop_assert_eq!(ordered(bytes.clone()), bytes);
                }
            }
        }
    }
}
