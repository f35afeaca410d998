//! The random streams of the sets. Each part of each set has its own stream.
//!
//! The numbers are part of the definition of the data, so they must never change. Stream 1 is that of the pre-training corpus,
//! and streams 19 to 21 are those of the reports.

use crate::grammar::draw::Stream;

pub(super) const MRPC_TRAIN: Stream = Stream(2);
pub(super) const MRPC_DEV: Stream = Stream(3);
pub(super) const COLA_TRAIN: Stream = Stream(4);
pub(super) const COLA_DEV: Stream = Stream(5);
pub(super) const MNLI_TRAIN: Stream = Stream(6);
pub(super) const MNLI_MATCHED: Stream = Stream(7);
pub(super) const MNLI_MISMATCHED: Stream = Stream(8);
pub(super) const QNLI_TRAIN: Stream = Stream(9);
pub(super) const QNLI_DEV: Stream = Stream(10);
pub(super) const QQP_TRAIN: Stream = Stream(11);
pub(super) const QQP_DEV: Stream = Stream(12);
pub(super) const RTE_TRAIN: Stream = Stream(13);
pub(super) const RTE_DEV: Stream = Stream(14);
pub(super) const SST2_TRAIN: Stream = Stream(15);
pub(super) const SST2_DEV: Stream = Stream(16);
pub(super) const STSB_TRAIN: Stream = Stream(17);
pub(super) const STSB_DEV: Stream = Stream(18);
