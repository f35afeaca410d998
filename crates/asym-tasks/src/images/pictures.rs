//! The pictures of a task, and their conversion to pixel values.

use std::ops::Range;
use std::sync::Arc;

use asym_core::random::{derive_seed, stream};
use asym_data::pictures::Collection;
use asym_data::{Augmentation, ImageError, ImageProcessor, Picture, PictureFile, Pixels};
use rand_chacha::rand_core::Rng;

/// A picture and its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The file.
    pub file: PictureFile,
    /// The class, as an index into the names.
    pub class: usize,
}

/// Whether and how pictures are augmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Augment {
    /// Pictures are not augmented.
    Never,
    /// Pictures are augmented differently in each epoch. The random numbers depend on (seed, epoch, index).
    EachEpoch(u64),
    /// Pictures are augmented in the same way in all epochs. The random numbers depend on (seed, index).
    Once(u64),
}

/// All pictures of a task, set by set.
#[derive(Clone, Debug)]
pub struct Pictures {
    members: Vec<Member>,
    sets: Vec<(String, Range<usize>)>,
    /// The names of the classes, in the order of the model's outputs.
    pub classes: Arc<[String]>,
    held_out: Option<f64>,
    processor: ImageProcessor,
    augmentation: Augmentation,
}

impl Pictures {
    /// The pictures of `collections`, which have the same classes in the same order.
    pub fn new(collections: &[Collection], processor: ImageProcessor, augmentation: Augmentation) -> Self {
        let (mut members, mut sets) = (Vec::new(), Vec::new());
        for collection in collections {
            let start = members.len();
            let member = |(class, file): (usize, &PictureFile)| Member { file: file.clone(), class };
            members.extend(collection.pictures().map(member));
            sets.push((collection.name.clone(), start..members.len()));
        }
        let classes = collections.first().into_iter().flat_map(|collection| &collection.classes);
        let classes = classes.map(|class| class.name.clone()).collect();
        Self { members, sets, classes, held_out: None, processor, augmentation }
    }

    /// Set the share of a run's training pictures that is held out to choose settings. If it is set, a run is evaluated on this
    /// share, and not on the other sets.
    pub fn holding_out(self, share: Option<f64>) -> Self {
        Self { held_out: share, ..self }
    }

    /// The share of a run's training pictures that is held out to choose settings; see [`holding_out`](Self::holding_out).
    pub fn held_out(&self) -> Option<f64> {
        self.held_out
    }

    /// The names of the sets, and the ranges of their pictures in [`members`](Self::members).
    pub fn sets(&self) -> &[(String, Range<usize>)] {
        &self.sets
    }

    /// All pictures.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The picture at `index` as the model sees it in `epoch`, before its samples are converted to pixel values.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or decoded.
    pub fn seen(&self, index: usize, augment: Augment, epoch: usize) -> Result<Picture, ImageError> {
        let file = &self.members[index].file;
        let opened = self.processor.open(file.name(), &file.read()?)?;
        let mut rng = match augment {
            Augment::Never => return self.processor.fit(file.name(), opened),
            Augment::EachEpoch(seed) => stream(derive_seed(seed, "augment", epoch as u64), &index.to_string()),
            Augment::Once(seed) => stream(derive_seed(seed, "augment-once", 0), &index.to_string()),
        };
        // The upper 53 bits as a number from 0 to 1.
        let uniform = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let changes = self.augmentation.draw(opened.height, opened.width, uniform);
        Ok(self.processor.augment(&opened, &changes))
    }

    /// The pixel values of the picture at `index` in `epoch`.
    ///
    /// # Errors
    ///
    /// The errors of [`seen`](Self::seen).
    pub fn values(&self, index: usize, augment: Augment, epoch: usize) -> Result<Pixels, ImageError> {
        Ok(self.processor.values(&self.seen(index, augment, epoch)?))
    }
}
