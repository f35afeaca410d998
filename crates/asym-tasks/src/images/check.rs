//! Checks of pictures before training: the classes of each set, and files that cannot be decoded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use asym_data::pictures::Collection;
use asym_data::{ImageError, ImageProcessor, PictureFile};

use super::error::ImagesError;
use super::settings::Broken;
use crate::names::nearest;

/// The maximum number of broken pictures that a message lists.
const NAMED: usize = 10;

/// The classes of `collections`, which must be the same in all collections. Classes without pictures are removed first.
///
/// # Errors
///
/// [`ImagesError::Empty`], [`ImagesError::MissingClass`] and [`ImagesError::OneClass`].
pub fn same_classes(collections: &mut [Collection]) -> Result<Vec<String>, ImagesError> {
    // For each class, the first collection that contains it.
    let mut classes: BTreeMap<&String, &Collection> = BTreeMap::new();
    for collection in &mut *collections {
        if collection.is_empty() {
            return Err(ImagesError::Empty { set: collection.name.clone() });
        }
        collection.classes.retain(|class| !class.pictures.is_empty());
    }
    for collection in &*collections {
        for class in &collection.classes {
            classes.entry(&class.name).or_insert(collection);
        }
    }
    for collection in &*collections {
        let mut own = collection.classes.iter().map(|class| &class.name);
        if let Some((class, other)) = classes.iter().find(|(class, _)| !own.clone().any(|name| name == **class)) {
            // A similar name of this collection that the other collection lacks.
            let lacking = |name: &&String| other.classes.iter().all(|class| class.name != **name);
            let unknown = own.clone().filter(lacking).map(String::as_str);
            let near = nearest(class, unknown).map(ToOwned::to_owned);
            let (set, class, other) = (collection.name.clone(), class.to_string(), other.name.clone());
            return Err(ImagesError::MissingClass { set, class, other, near });
        }
        if let (Some(class), None) = (own.next(), own.next()) {
            return Err(ImagesError::OneClass { set: collection.name.clone(), class: class.clone() });
        }
    }
    Ok(classes.into_keys().cloned().collect())
}

/// Decode every picture once, on all threads, and treat broken pictures according to `broken`. Returns a description of the
/// skipped pictures, in lines of text.
///
/// # Errors
///
/// [`ImagesError::Broken`].
pub fn decode_all(
    collections: &mut [Collection],
    processor: &ImageProcessor,
    broken: Broken,
) -> Result<Vec<String>, ImagesError> {
    let files: Vec<PictureFile> =
        collections.iter().flat_map(|collection| collection.pictures().map(|(_, file)| file.clone())).collect();
    let errors = errors_in(&files, processor);
    if errors.is_empty() {
        return Ok(Vec::new());
    }
    let (count, total) = (errors.len(), files.len());
    if broken == Broken::Refuse {
        let named = errors.into_values().take(NAMED).collect();
        return Err(ImagesError::Broken { count, total, named });
    }
    let mut place = 0;
    for class in collections.iter_mut().flat_map(|collection| &mut collection.classes) {
        class.pictures.retain(|_| {
            place += 1;
            !errors.contains_key(&(place - 1))
        });
    }
    let mut lines =
        vec![format!("{count} of {total} pictures cannot be read and are left out, because of task.broken=skip:")];
    lines.extend(errors.values().take(NAMED).map(|error| format!("  {error}")));
    lines.extend((count > NAMED).then(|| format!("  and {} more", count - NAMED)));
    Ok(lines)
}

/// The errors of pictures that cannot be decoded, by their indices in `files`.
fn errors_in(files: &[PictureFile], processor: &ImageProcessor) -> BTreeMap<usize, ImageError> {
    let (next, errors) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(place) else { return };
            if let Err(error) = file.read().and_then(|bytes| processor.open(file.name(), &bytes)) {
                errors.lock().unwrap_or_else(PoisonError::into_inner).insert(place, error);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    errors.into_inner().unwrap_or_else(PoisonError::into_inner)
}
