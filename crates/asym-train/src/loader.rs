//! The batches of an epoch, made on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use sha2::{Digest, Sha256};

use crate::ahead::Ahead;
use crate::parameters::hex;
use crate::{Order, Source, TrainError};

/// The number of batches per thread that are requested in advance.
const AHEAD: usize = 2;

/// Batches of a [`Source`] in an [`Order`].
///
/// [`epoch`](Self::epoch) yields the batches of any epoch. As a Burn [`DataLoader`], the first call of [`DataLoader::iter`]
/// yields epoch 0, the next call epoch 1, and so on. A loader that is moved to another device or sliced continues the count of
/// the original loader.
pub struct Loader<S> {
    source: Arc<S>,
    /// The examples that this loader yields, as indices into `source`.
    members: Vec<usize>,
    batch_size: usize,
    order: Order,
    device: Device,
    next_epoch: AtomicUsize,
}

impl<S: Source> Loader<S> {
    /// A loader of all examples of `source` in batches of `batch_size` on `device`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if `batch_size` is 0.
    pub fn new(source: Arc<S>, batch_size: usize, order: Order, device: &Device) -> Result<Self, TrainError> {
        if batch_size == 0 {
            return Err(TrainError::Setting { field: "batch_size", found: 0.0, expected: "at least 1" });
        }
        Ok(Self {
            members: (0..source.len()).collect(),
            source,
            batch_size,
            order,
            device: device.clone(),
            next_epoch: AtomicUsize::new(0),
        })
    }

    /// The number of examples in an epoch.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The number of batches in an epoch.
    pub fn num_batches(&self) -> usize {
        self.members.len().div_ceil(self.batch_size)
    }

    /// The batches of one epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Batches<'_, S> {
        let lengths: Vec<usize> = self.members.iter().map(|&index| self.source.length(index)).collect();
        let plan = self.order.batches(&lengths, self.batch_size, epoch).into_iter();
        Batches { loader: self, plan, epoch, processed: 0, ahead: None }
    }

    /// A digest of the examples' indices in the source and of their lengths. A run continues only on examples with the same
    /// digest.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for &index in &self.members {
            digest.update((index as u64).to_le_bytes());
            digest.update((self.source.length(index) as u64).to_le_bytes());
        }
        hex(digest)
    }

    fn with(&self, members: Vec<usize>, device: &Device) -> Self {
        Self {
            source: Arc::clone(&self.source),
            members,
            batch_size: self.batch_size,
            order: self.order,
            device: device.clone(),
            next_epoch: AtomicUsize::new(self.next_epoch.load(Ordering::Relaxed)),
        }
    }
}

impl<S: Source + 'static> DataLoader<S::Batch> for Loader<S> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<S::Batch> + 'a> {
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(BurnBatches(self.epoch(epoch)))
    }

    fn num_items(&self) -> usize {
        self.members.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(self.with(self.members.clone(), device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(self.with(self.members[start..end].to_vec(), &self.device))
    }
}

/// The batches of one epoch. If the source has [`threads`](Source::threads), they are made in advance, in the same order.
pub struct Batches<'a, S: Source> {
    loader: &'a Loader<S>,
    /// The batches that were not requested yet, as indices into `members`.
    plan: std::vec::IntoIter<Vec<usize>>,
    epoch: usize,
    processed: usize,
    /// The threads; `None` before the first batch.
    ahead: Option<Ahead<Vec<usize>, Made<S>>>,
}

/// A batch and the number of its examples.
type Made<S> = (Result<<S as Source>::Batch, TrainError>, usize);

impl<S: Source> Batches<'_, S> {
    /// Skip the next `count` batches without making them.
    pub fn skip_batches(mut self, count: usize) -> Self {
        self.processed += self.plan.by_ref().take(count).map(|positions| positions.len()).sum::<usize>();
        self
    }

    /// The examples of the next batch that was not requested yet.
    fn indices(&mut self) -> Option<Vec<usize>> {
        let members = &self.loader.members;
        Some(self.plan.next()?.into_iter().map(|position| members[position]).collect())
    }

    /// The next batch, which is made by a thread.
    fn next_ahead(&mut self, threads: usize) -> Option<Made<S>> {
        let mut ahead = self.ahead.take().unwrap_or_else(|| {
            let (source, epoch, device) = (Arc::clone(&self.loader.source), self.epoch, self.loader.device.clone());
            Ahead::new(threads, move |indices: Vec<usize>| (source.collate(&indices, epoch, &device), indices.len()))
        });
        while ahead.waiting() < AHEAD * threads
            && let Some(indices) = self.indices()
        {
            ahead.ask(indices);
        }
        let made = ahead.next();
        self.ahead = Some(ahead);
        made
    }
}

impl<S: Source> Iterator for Batches<'_, S> {
    type Item = Result<S::Batch, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        let loader = self.loader;
        let threads = loader.source.threads();
        let (batch, examples) = if threads > 0 {
            self.next_ahead(threads)?
        } else {
            let indices = self.indices()?;
            (loader.source.collate(&indices, self.epoch, &loader.device), indices.len())
        };
        self.processed += examples;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.plan.len() + self.ahead.as_ref().map_or(0, Ahead::waiting);
        (left, Some(left))
    }
}

impl<S: Source> ExactSizeIterator for Batches<'_, S> {}

/// The batches of one epoch for burn-train, whose loaders return Burn's error type.
struct BurnBatches<'a, S: Source>(Batches<'a, S>);

impl<S: Source> Iterator for BurnBatches<'_, S> {
    type Item = Result<S::Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|batch| batch.map_err(DatasetError::new))
    }
}

impl<S: Source> DataLoaderIterator<S::Batch> for BurnBatches<'_, S> {
    fn progress(&self) -> Progress {
        Progress::new(self.0.processed, self.0.loader.members.len(), Some("items".to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::Batch;

    /// Examples whose batch is the list of their indices. The fields are the number of examples and the number of threads.
    struct Places(usize, usize);

    #[derive(Debug)]
    struct Chosen(Vec<usize>);

    impl Batch for Chosen {
        fn examples(&self) -> usize {
            self.0.len()
        }
    }

    impl Source for Places {
        type Batch = Chosen;
        fn len(&self) -> usize {
            self.0
        }
        fn length(&self, index: usize) -> usize {
            1 + (index * 31) % 97
        }
        fn threads(&self) -> usize {
            self.1
        }
        fn collate(&self, indices: &[usize], epoch: usize, _device: &Device) -> Result<Chosen, TrainError> {
            if epoch == BROKEN && indices.contains(&0) {
                return Err(TrainError::data("example 0 is broken"));
            }
            Ok(Chosen(indices.to_vec()))
        }
    }

    /// An epoch in which an example cannot be read.
    const BROKEN: usize = 99;

    fn loader(n: usize, batch_size: usize, order: Order) -> Loader<Places> {
        loader_of(Places(n, 0), batch_size, order)
    }

    fn loader_of(places: Places, batch_size: usize, order: Order) -> Loader<Places> {
        Loader::new(Arc::new(places), batch_size, order, &Device::default()).unwrap()
    }

    fn indices<E: Debug>(batches: impl Iterator<Item = Result<Chosen, E>>) -> Vec<Vec<usize>> {
        batches.map(|batch| batch.unwrap().0).collect()
    }

    #[test]
    fn each_iteration_is_the_next_epoch() {
        let order = Order::Grouped { seed: 9 };
        let loader = loader(50, 8, order);
        assert_eq!((loader.num_items(), loader.num_batches()), (50, 7));
        let first = indices(loader.iter());
        let second = indices(loader.iter());
        assert_ne!(first, second);
        assert_eq!(first, indices(loader.epoch(0)));
        assert_eq!(second, indices(loader.epoch(1)));
        // A moved loader continues the count, and does not change the count of the original loader.
        let moved = loader.to_device(&Device::default());
        assert_eq!(indices(moved.iter()), indices(loader.epoch(2)));
        assert_eq!(indices(loader.iter()), indices(loader.epoch(2)));
        assert_eq!(indices(loader.epoch(1).skip_batches(3)), second[3..]);
    }

    #[test]
    fn threads_do_not_change_the_batches() {
        let order = Order::Shuffled { seed: 4 };
        let (plain, threaded) = (loader(101, 8, order), loader_of(Places(101, 3), 8, order));
        for epoch in 0..3 {
            assert_eq!(indices(threaded.epoch(epoch)), indices(plain.epoch(epoch)));
        }
        let mut batches = threaded.epoch(1).skip_batches(2);
        assert_eq!(batches.len(), 11);
        batches.next().unwrap().unwrap();
        assert_eq!(batches.len(), 10, "batches made in advance are counted");
        assert_eq!(indices(batches), indices(plain.epoch(1).skip_batches(3)));
        let failed = |loader: &Loader<Places>| loader.epoch(BROKEN).position(|batch| batch.is_err());
        assert_eq!(failed(&threaded), failed(&plain));
        assert!(failed(&plain).is_some());
    }

    #[test]
    fn progress_is_complete_after_the_last_batch() {
        let loader = loader(10, 4, Order::ByLength);
        let mut batches = loader.iter();
        assert!(!batches.progress().is_completed());
        let mut sizes = Vec::new();
        for batch in batches.by_ref() {
            sizes.push(batch.unwrap().0.len());
        }
        assert_eq!(sizes, [4, 4, 2]);
        assert!(batches.progress().is_completed());
    }

    #[test]
    fn a_slice_keeps_the_original_indices() {
        let loader = loader(30, 4, Order::Shuffled { seed: 3 });
        let slice = loader.slice(10, 21);
        assert_eq!(slice.num_items(), 11);
        let mut all = indices(slice.iter()).concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(10..21));
    }

    #[test]
    fn a_batch_size_of_zero_is_refused() {
        let error = Loader::new(Arc::new(Places(1, 0)), 0, Order::ByLength, &Device::default());
        assert!(matches!(error, Err(TrainError::Setting { field: "batch_size", .. })));
    }
}
