//! Where a run's time goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast examples passed, and for how long the computation waited for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Examples that passed.
    pub examples: usize,
    /// Wall-clock seconds that the loops over them took, logging included, saving and what else lies between not.
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

    fn add(&mut self, examples: usize, input: Duration) {
        self.examples += examples;
        self.input_seconds += input.as_secs_f64();
    }
}

/// The clocks of a run, which the loop and whoever started it share.
#[derive(Clone, Default)]
pub(super) struct Times(Arc<Mutex<(Pace, Pace)>>);

impl Times {
    /// A batch was trained on, or several that made one step; putting them together took `input`.
    pub(super) fn trained(&self, examples: usize, input: Duration) {
        self.lock().0.add(examples, input);
    }

    /// A loop over the training set took as long.
    pub(super) fn trained_for(&self, time: Duration) {
        self.lock().0.seconds += time.as_secs_f64();
    }

    /// A batch was measured; putting it together took `input`.
    pub(super) fn measured(&self, examples: usize, input: Duration) {
        self.lock().1.add(examples, input);
    }

    /// A loop over the development sets took as long.
    pub(super) fn measured_for(&self, time: Duration) {
        self.lock().1.seconds += time.as_secs_f64();
    }

    pub(super) fn training(&self) -> Pace {
        self.lock().0
    }

    pub(super) fn measuring(&self) -> Pace {
        self.lock().1
    }

    fn lock(&self) -> MutexGuard<'_, (Pace, Pace)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
