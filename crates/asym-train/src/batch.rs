//! Batches, and the sources of their examples.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::Device;

use crate::TrainError;

/// A batch on the device.
pub trait Batch {
    /// The number of examples, from which throughput is computed.
    fn examples(&self) -> usize;

    /// The number of terms in the batch's mean loss: examples for a classifier, labeled tokens for a language model. Gradient
    /// accumulation weights each batch by this number, so four batches of two examples equal one batch of eight. A batch of
    /// weight 0 is skipped.
    fn weight(&self) -> f64 {
        self.examples() as f64
    }
}

/// Examples on the host, which become batches on a device.
pub trait Source: Send + Sync + 'static {
    /// A batch of these examples.
    type Batch: Batch + Send + 'static;

    /// The number of examples.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of an example, by which examples are grouped. The default is 0 for all examples.
    fn length(&self, _index: usize) -> usize {
        0
    }

    /// The number of threads that make batches in advance. The default is 0: each batch is made when the loop requests it, which
    /// is best for cheap batches. Decoding images takes a considerable part of a step's time, so it needs threads.
    fn threads(&self) -> usize {
        0
    }

    /// Make a batch of the examples at `indices` on `device`. With [`threads`](Self::threads), several threads call this method
    /// concurrently.
    ///
    /// The result may depend on `epoch`, as augmentation does, but on no other state, because a repeated or resumed run must get
    /// the same batches.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] for an example that cannot be read.
    fn collate(&self, indices: &[usize], epoch: usize, device: &Device) -> Result<Self::Batch, TrainError>;
}

/// A Burn [`Dataset`] with its [`Batcher`], as a [`Source`].
pub struct DatasetSource<I, B> {
    dataset: Arc<dyn Dataset<I>>,
    batcher: Arc<dyn Batcher<I, B>>,
}

impl<I, B> DatasetSource<I, B> {
    /// The items of `dataset`, collated by `batcher`.
    pub fn new(dataset: impl Dataset<I> + 'static, batcher: impl Batcher<I, B> + 'static) -> Self {
        Self { dataset: Arc::new(dataset), batcher: Arc::new(batcher) }
    }
}

impl<I: 'static, B: Batch + Send + 'static> Source for DatasetSource<I, B> {
    type Batch = B;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn collate(&self, indices: &[usize], _epoch: usize, device: &Device) -> Result<B, TrainError> {
        let items = self.dataset.get_many(indices.to_vec()).map_err(TrainError::data)?;
        Ok(self.batcher.batch(items, device))
    }
}
