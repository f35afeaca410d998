//! The attempts at one request: when to wait, how long, and when to give up.

use std::time::{Duration, Instant};

use super::fault::{Fault, Tried};

/// The longest wait that is not requested by the server.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);
/// A server may ask for a wait longer than this only once.
const SHORT_WISH: Duration = Duration::from_secs(10);

/// The attempts at one request.
pub(super) struct Attempts {
    /// The file, or another description of the request.
    what: String,
    /// The largest number of retries in a row.
    retries: usize,
    /// The wait after the first failure.
    pause: Duration,
    made: usize,
    /// Failures since the last attempt that received data. A timeout counts as two.
    failures: usize,
    /// Whether the server has already asked for a long wait.
    asked: bool,
    started: Instant,
}

impl Attempts {
    /// The attempts at `what`, with at most `retries` retries in a row. `pause` is the wait after the first failure.
    pub fn new(what: &str, retries: usize, pause: Duration) -> Self {
        Self { what: what.to_string(), retries, pause, made: 0, failures: 0, asked: false, started: Instant::now() }
    }

    /// The number of attempts until now, and the time that they took.
    pub fn tried(&self) -> Tried {
        Tried { attempts: self.made, time: self.started.elapsed() }
    }

    /// Waits before the next attempt after `fault`, or returns `fault` if there should be no further attempt. `received` is
    /// whether the failed attempt received a large amount of data.
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
        // The wait doubles with each failure.
        let own = self.pause.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        // An attempt that timed out counts as two, because it took a long time.
        self.failures += if fault.is_slow() { 2 } else { 1 };
        let wait = wish.map_or(own, |wish| wish.max(own));
        log::warn!("{}: {fault}; attempt {} in {wait:?}", self.what, self.made + 1);
        std::thread::sleep(wait);
        Ok(())
    }
}
