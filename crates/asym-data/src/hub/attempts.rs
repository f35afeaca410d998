//! The attempts at one request: when to wait, how long, and when to give up.

use std::time::{Duration, Instant};

use super::fault::{Fault, Tried};

/// The longest of the own waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);
/// A server may ask for a longer wait than this once.
const SHORT_WISH: Duration = Duration::from_secs(10);

/// The attempts at one request.
pub(super) struct Attempts {
    /// The file, or another description of the request.
    what: String,
    /// The largest number of failures in a row.
    retries: usize,
    /// The wait after the first failure.
    pause: Duration,
    made: usize,
    /// Failures since the last attempt that received data.
    failures: usize,
    /// Whether the server asked for a long wait before.
    asked: bool,
    started: Instant,
}

impl Attempts {
    /// The attempts at `what`, of which as many as `retries` may fail in a row. `pause` is the wait after the first.
    pub fn new(what: &str, retries: usize, pause: Duration) -> Self {
        Self { what: what.to_string(), retries, pause, made: 0, failures: 0, asked: false, started: Instant::now() }
    }

    /// The attempts up to now and their time.
    pub fn tried(&self) -> Tried {
        Tried { attempts: self.made, time: self.started.elapsed() }
    }

    /// Waits for another attempt after `fault`, or gives it back if there should be no other. `received` says whether the
    /// attempt received much.
    pub fn wait(&mut self, fault: Fault, received: bool) -> Result<(), Fault> {
        self.made += 1;
        if received {
            self.failures = 0;
        }
        let wish = fault.wish();
        let wished_too_much = wish.is_some_and(|wish| wish > LONGEST_WISH || (wish > SHORT_WISH && self.asked));
        if !fault.may_pass() || self.failures >= self.retries || wished_too_much {
            return Err(fault);
        }
        self.asked |= wish.is_some_and(|wish| wish > SHORT_WISH);
        // Twice as long as the last time.
        let own = self.pause.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        // An attempt that ran into the time limit took long enough for two.
        self.failures += if fault.is_slow() { 2 } else { 1 };
        let wait = wish.map_or(own, |wish| wish.max(own));
        log::warn!("{}: {fault}; attempt {} in {wait:?}", self.what, self.made + 1);
        std::thread::sleep(wait);
        Ok(())
    }
}
