//! The throughput of examples.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The throughput of examples, and the time that the computation waited for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The number of processed examples.
    pub examples: usize,
    /// Wall-clock seconds of the loops over the examples. They include logging and checkpoints within an epoch, but not saving
    /// after an epoch.
    pub seconds: f64,
    /// The part of `seconds` in which batches were made and sent to the device.
    pub input_seconds: f64,
}

impl Pace {
    /// Examples per second; 0 if there were no examples.
    pub fn samples_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.examples as f64 / self.seconds } else { 0.0 }
    }

    /// The share of the time that was spent on making batches, from 0 to 1.
    pub fn input_share(&self) -> f64 {
        if self.seconds > 0.0 { self.input_seconds / self.seconds } else { 0.0 }
    }

    /// Count `examples` examples. `input` is the time that it took to make their batch.
    pub fn add(&mut self, examples: usize, input: Duration) {
        self.examples += examples;
        self.input_seconds += input.as_secs_f64();
    }

    /// Add the time of a loop.
    pub(crate) fn took(&mut self, time: Duration) {
        self.seconds += time.as_secs_f64();
    }
}
