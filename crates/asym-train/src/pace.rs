//! How fast examples pass.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast examples passed, and how long the computation waited for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The number of examples that passed.
    pub examples: usize,
    /// Wall-clock seconds of the loops over them: logging is included, saving is not.
    pub seconds: f64,
    /// Seconds of that in which batches were made and sent to the device.
    pub input_seconds: f64,
}

impl Pace {
    /// Examples per second; 0 if there were none.
    pub fn samples_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.examples as f64 / self.seconds } else { 0.0 }
    }

    /// The share of the time that went into input, from 0 to 1.
    pub fn input_share(&self) -> f64 {
        if self.seconds > 0.0 { self.input_seconds / self.seconds } else { 0.0 }
    }

    /// Count `examples`, whose batch was made in `input`.
    pub fn add(&mut self, examples: usize, input: Duration) {
        self.examples += examples;
        self.input_seconds += input.as_secs_f64();
    }

    /// Count the time of a loop.
    pub(crate) fn took(&mut self, time: Duration) {
        self.seconds += time.as_secs_f64();
    }
}
