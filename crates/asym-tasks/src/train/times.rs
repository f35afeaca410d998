//! Where a run's time goes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast examples passed, and for how long the computation waited for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Examples that passed.
    pub examples: usize,
    /// Wall-clock seconds that they took, without what lies between epochs.
    pub seconds: f64,
    /// Seconds of that in which batches were put together and sent to the device.
    pub input_seconds: f64,
}

impl Pace {
    /// Examples per second; 0 where there were none.
    pub fn samples_per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.examples as f64 / self.seconds } else { 0.0 }
    }

    /// The part of the time that went into input, from 0 to 1.
    pub fn input_share(&self) -> f64 {
        if self.seconds > 0.0 { self.input_seconds / self.seconds } else { 0.0 }
    }

    fn add(&mut self, examples: usize, time: Duration, input: Duration) {
        self.examples += examples;
        self.seconds += time.as_secs_f64();
        self.input_seconds += input.as_secs_f64();
    }
}

/// The clocks of a run, which the loop and whoever started it share.
#[derive(Clone, Default)]
pub(super) struct Times(Arc<Mutex<(Pace, Pace)>>);

impl Times {
    pub(super) fn trained(&self, examples: usize, time: Duration, input: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.add(examples, time, input);
    }

    pub(super) fn measured(&self, examples: usize, time: Duration, input: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.add(examples, time, input);
    }

    pub(super) fn training(&self) -> Pace {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn measuring(&self) -> Pace {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
