//! Files that are there as a whole or not at all.

use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value};

/// Write a file under another name and move it into place, so that a killed program leaves the old one or the new one, and no
/// half of it that would pass for either.
///
/// # Errors
///
/// What the system refuses.
pub fn write_whole(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut part = OsString::from(path);
    part.push(".part");
    fs::write(&part, data).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        // What is left of a file that could not be finished is of no use; that it cannot be removed is no news either.
        let _ = fs::remove_file(&part);
    })
}

/// A safetensors file whose metadata are in alphabetical order. The crate writes them in the order of a hash map, so that the same
/// tensors would make another file each time. Bytes that are no safetensors file come back as they are.
pub(crate) fn ordered(bytes: Vec<u8>) -> Vec<u8> {
    let reordered = || -> Option<Vec<u8>> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (header, tensors) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let mut header: Map<String, Value> = serde_json::from_slice(header).ok()?;
        let metadata = header.get_mut("__metadata__")?.as_object_mut()?;
        metadata.sort_keys();
        let mut text = serde_json::to_string(&header).ok()?;
        // Tensors begin at a multiple of eight bytes.
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
        Some([&(text.len() as u64).to_le_bytes(), text.as_bytes(), tensors].concat())
    };
    reordered().unwrap_or(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use safetensors::SafeTensors;
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;

    #[test]
    fn the_same_tensors_make_the_same_file() {
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
}
