//! Batches: which examples stand together, and their tensors.
//!
//! The order of an epoch is a function of (seed, epoch) alone, so that a repeated or resumed run sees the same batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::rand_core::Rng;

use crate::error::TaskError;
use crate::table::Target;

/// An example as the model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedExample {
    /// Token ids, special tokens included, without padding.
    pub input_ids: Vec<u32>,
    /// The segment of each token: 1 in the second text of a pair, where the tokenizer tells the two apart.
    pub type_ids: Vec<u32>,
    /// What is right.
    pub target: Target,
}

/// What is right for each example of a batch, on the device.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Classes, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Scores, `[batch]`.
    Scores(Tensor<1>),
    /// Not known: there is nothing to learn from.
    Unknown,
}

/// Examples on the device, padded on the right to the longest of them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Token ids, `[batch, length]`.
    pub input_ids: Tensor<2, Int>,
    /// 1 at a token, 0 at padding, `[batch, length]`.
    pub attention_mask: Tensor<2, Int>,
    /// Segments, `[batch, length]`; only for a model with more than one token type.
    pub token_type_ids: Option<Tensor<2, Int>>,
    /// What is right.
    pub targets: Targets,
    /// The same on the host, so that metrics need not wait for the device.
    pub host_targets: Vec<Target>,
    /// Where each example stands in the list that the loader was made from.
    pub indices: Vec<usize>,
}

impl Batch {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no example; a loader never yields such a batch.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Pads `examples[indices]` and moves them to `device`, all integers in one transfer.
    ///
    /// # Panics
    ///
    /// If an index is not below the number of examples, or `indices` is empty.
    pub fn new(examples: &[EncodedExample], indices: Vec<usize>, padding: Padding, device: &Device) -> Self {
        assert!(!indices.is_empty(), "a batch holds an example");
        let batch = indices.len();
        let chosen = || indices.iter().map(|&index| &examples[index]);
        let length = chosen().map(|example| example.input_ids.len()).max().unwrap_or(0);
        let planes = if padding.token_types { 3 } else { 2 };
        let plane = batch * length;

        // One buffer, plane behind plane, is one transfer instead of four; the slices stay contiguous.
        let mut packed: Vec<i32> = Vec::with_capacity(planes * plane + batch);
        let mut fill = |row: &mut dyn Iterator<Item = u32>, rest: usize| {
            let end = packed.len() + length;
            packed.extend(row.map(|id| id as i32));
            packed.resize(end, rest as i32);
        };
        for example in chosen() {
            fill(&mut example.input_ids.iter().copied(), padding.pad_id);
        }
        for example in chosen() {
            fill(&mut example.input_ids.iter().map(|_| 1), 0);
        }
        if padding.token_types {
            for example in chosen() {
                fill(&mut example.type_ids.iter().copied(), 0);
            }
        }
        // One kind of target for all: what a task asks for.
        let host_targets: Vec<Target> = chosen().map(|example| example.target).collect();
        let classes = host_targets.iter().map_while(|target| match target {
            Target::Class(class) => Some(*class as i32),
            Target::Score(_) | Target::Unknown => None,
        });
        packed.extend(classes);
        let classified = packed.len() == (planes * plane) + batch;

        let total = packed.len();
        let packed: Tensor<1, Int> = Tensor::from_data(TensorData::new(packed, [total]), device);
        let matrix = |number: usize| -> Tensor<2, Int> {
            packed.clone().narrow(0, number * plane, plane).reshape([batch, length]) // [batch · length] -> [batch, length]
        };
        let scores: Vec<f32> = host_targets
            .iter()
            .map_while(|target| match target {
                Target::Score(score) => Some(*score),
                Target::Class(_) | Target::Unknown => None,
            })
            .collect();
        let targets = if classified {
            Targets::Classes(packed.clone().narrow(0, planes * plane, batch))
        } else if scores.len() == batch {
            Targets::Scores(Tensor::from_data(TensorData::new(scores, [batch]), device))
        } else {
            Targets::Unknown
        };
        Self {
            input_ids: matrix(0),
            attention_mask: matrix(1),
            token_type_ids: padding.token_types.then(|| matrix(2)),
            targets,
            host_targets,
            indices,
        }
    }
}

/// How a model wants its batches filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// The model's `pad_token_id`.
    pub pad_id: usize,
    /// Whether the model has more than one token type.
    pub token_types: bool,
}

impl From<&crate::tokenizer::ModelLimits> for Padding {
    fn from(limits: &crate::tokenizer::ModelLimits) -> Self {
        Self { pad_id: limits.pad_token_id, token_types: limits.type_vocab_size > 1 }
    }
}

/// Which examples stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A fresh shuffle each epoch; within each 50 batches, examples of similar length stand together. For training.
    Grouped {
        /// The run's seed.
        seed: u64,
    },
    /// A fresh shuffle each epoch, whatever the lengths: what PyTorch's `DataLoader(shuffle=True)` does. For
    /// comparison with it.
    Shuffled {
        /// The run's seed.
        seed: u64,
    },
    /// The longest first, those of equal length in file order; the same each epoch. For evaluation: padding is least,
    /// and a batch that does not fit in memory is the first one.
    ByLength,
}

/// Batches whose examples are sorted together by length in [`Order::Grouped`]. Fifty leave little padding and still
/// mix an epoch well; transformers' length-grouped sampler uses as many.
const BATCHES_PER_BUCKET: usize = 50;

impl Order {
    /// The batches of `epoch` over examples of the given `lengths`: each position below `lengths.len()` exactly once,
    /// `batch_size` to a batch, one batch of the rest.
    ///
    /// # Panics
    ///
    /// If `batch_size` is 0.
    pub fn batches(self, lengths: &[usize], batch_size: usize, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        match self {
            Self::Grouped { seed } => {
                let mut rng = stream(seed, epoch);
                shuffle(&mut order, &mut rng);
                for bucket in order.chunks_mut(BATCHES_PER_BUCKET * batch_size) {
                    bucket.sort_by_key(|&position| lengths[position]);
                }
                let mut batches = cut(&order, batch_size);
                shuffle(&mut batches, &mut rng);
                batches
            }
            Self::Shuffled { seed } => {
                shuffle(&mut order, &mut stream(seed, epoch));
                cut(&order, batch_size)
            }
            Self::ByLength => {
                order.sort_by_key(|&position| std::cmp::Reverse(lengths[position]));
                cut(&order, batch_size)
            }
        }
    }
}

fn cut(order: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    order.chunks(batch_size).map(<[usize]>::to_vec).collect()
}

fn stream(seed: u64, epoch: usize) -> impl Rng {
    asym_core::random::stream(seed, &format!("batches/{epoch}"))
}

/// Fisher and Yates' shuffle, written out because `rand` does not promise that its own stays the same. The upper half
/// of a 128-bit product is uniform to within n / 2⁶⁴.
fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for last in (1..items.len()).rev() {
        let draw = u128::from(rng.next_u64()) * (last as u128 + 1);
        items.swap(last, (draw >> 64) as usize);
    }
}

/// Yields the batches of one epoch after another, as burn-train expects.
///
/// The first call of [`DataLoader::iter`] is epoch 0, the next one epoch 1, and so on; [`Loader::set_next_epoch`] puts a
/// resumed run where it stopped, and [`Loader::epoch`] yields any epoch without counting. A loader moved to another
/// device, or sliced, counts on from where its original stands.
#[derive(Debug)]
pub struct Loader {
    examples: Arc<[EncodedExample]>,
    /// The examples that this loader yields, as positions in `examples`.
    members: Vec<usize>,
    batch_size: usize,
    order: Order,
    padding: Padding,
    device: Device,
    next_epoch: AtomicUsize,
}

impl Loader {
    /// A loader of all `examples` in batches of `batch_size`.
    ///
    /// # Errors
    ///
    /// [`TaskError::ZeroBatchSize`].
    pub fn new(
        examples: impl Into<Arc<[EncodedExample]>>,
        batch_size: usize,
        order: Order,
        padding: Padding,
        device: &Device,
    ) -> Result<Self, TaskError> {
        if batch_size == 0 {
            return Err(TaskError::ZeroBatchSize);
        }
        let examples = examples.into();
        Ok(Self {
            members: (0..examples.len()).collect(),
            examples,
            batch_size,
            order,
            padding,
            device: device.clone(),
            next_epoch: AtomicUsize::new(0),
        })
    }

    /// Number of batches of an epoch.
    pub fn num_batches(&self) -> usize {
        self.members.len().div_ceil(self.batch_size)
    }

    /// The batches of one epoch, without counting it.
    pub fn epoch(&self, epoch: usize) -> Batches<'_> {
        let lengths: Vec<usize> = self.members.iter().map(|&index| self.examples[index].input_ids.len()).collect();
        let plan = self.order.batches(&lengths, self.batch_size, epoch);
        Batches { loader: self, plan: plan.into_iter(), processed: 0 }
    }

    /// Makes the next call of [`DataLoader::iter`] yield `epoch`.
    pub fn set_next_epoch(&self, epoch: usize) {
        self.next_epoch.store(epoch, Ordering::Relaxed);
    }

    fn with(&self, members: Vec<usize>, device: &Device) -> Self {
        Self {
            examples: self.examples.clone(),
            members,
            batch_size: self.batch_size,
            order: self.order,
            padding: self.padding,
            device: device.clone(),
            next_epoch: AtomicUsize::new(self.next_epoch.load(Ordering::Relaxed)),
        }
    }
}

impl DataLoader<Batch> for Loader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.next_epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(self.epoch(epoch))
    }

    fn num_items(&self) -> usize {
        self.members.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.with(self.members.clone(), device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.with(self.members[start..end].to_vec(), &self.device))
    }
}

/// The batches of one epoch, made as they are asked for.
#[derive(Debug)]
pub struct Batches<'a> {
    loader: &'a Loader,
    plan: std::vec::IntoIter<Vec<usize>>,
    processed: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let loader = self.loader;
        let positions = self.plan.next()?;
        self.processed += positions.len();
        let indices = positions.into_iter().map(|position| loader.members[position]).collect();
        Some(Ok(Batch::new(&loader.examples, indices, loader.padding, &loader.device)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.plan.size_hint()
    }
}

impl ExactSizeIterator for Batches<'_> {}

impl DataLoaderIterator<Batch> for Batches<'_> {
    fn progress(&self) -> Progress {
        Progress::new(self.processed, self.loader.members.len(), Some("items".to_owned()))
    }
}

#[cfg(test)]
mod tests;
