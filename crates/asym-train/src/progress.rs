//! The progress of a run: a progress bar on a terminal, or otherwise a log message at intervals. Both require a logger that
//! accepts messages of level info.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// The least time between two progress messages if there is no progress bar.
const INTERVAL: Duration = Duration::from_secs(10);

/// The remaining time is estimated after this number of steps and this time, because the first step is slower than later steps.
const FIRST_STEPS: usize = 5;
const FIRST_TIME: Duration = Duration::from_secs(2);

/// The estimate is logged only if at least this much time is left.
const WORTH_SAYING: Duration = Duration::from_secs(20);

/// Shows the progress of a run, its speed, and the remaining time.
pub(crate) struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    epoch: usize,
    epochs: usize,
    /// The number of examples in an epoch.
    examples: usize,
    /// The number of examples trained on so far, and how many of them before this process.
    done: usize,
    before: usize,
    /// Steps of this process.
    steps: usize,
    estimated: bool,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// The progress of a run of `epochs` epochs, after training on `before` examples.
    pub(crate) fn new(label: &str, epochs: usize, before: usize) -> Self {
        let now = Instant::now();
        let bar = (log::log_enabled!(log::Level::Info) && std::io::stderr().is_terminal()).then(|| {
            let style = "{prefix} {wide_bar} {pos}/{len}  {msg}  {per_sec}  {eta} left";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
                "per_sec",
                |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = write!(out, "{:.1} samples/s", state.per_sec());
                },
            );
            ProgressBar::new(0).with_style(style).with_prefix(label.to_string())
        });
        Self {
            label: label.to_string(),
            bar,
            epoch: 0,
            epochs,
            examples: 0,
            done: before,
            before,
            steps: 0,
            estimated: false,
            started: now,
            last_line: now,
        }
    }

    /// Called when `epoch`, which has `examples` examples, starts.
    pub(crate) fn epoch(&mut self, epoch: usize, examples: usize) {
        self.epoch = epoch;
        self.examples = examples;
        if let Some(bar) = &self.bar {
            bar.set_length((examples * self.epochs) as u64);
        }
    }

    /// Called after a step over `examples` examples.
    pub(crate) fn step(&mut self, examples: usize, loss: Option<f64>, learning_rate: f64) {
        self.done += examples;
        self.steps += 1;
        self.estimate();
        let loss = loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        let message = format!("epoch {}/{}{loss}  lr {learning_rate:.2e}", self.epoch, self.epochs);
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.set_position(self.done as u64);
        } else if self.last_line.elapsed() >= INTERVAL {
            self.last_line = Instant::now();
            let (rate, left) = (self.rate(), HumanDuration(self.left()));
            let (label, done, total) = (&self.label, self.done, self.total());
            log::info!("{label}: {done}/{total}  {message}  {rate:.1} samples/s  {left} left");
        }
    }

    /// Log the remaining time once, estimated from the first steps.
    fn estimate(&mut self) {
        let (steps, elapsed) = (self.steps, self.started.elapsed());
        if self.estimated || steps < FIRST_STEPS || elapsed < FIRST_TIME {
            return;
        }
        self.estimated = true;
        let left = self.left();
        if left < WORTH_SAYING {
            return;
        }
        let (label, rate, left) = (&self.label, self.rate(), HumanDuration(left));
        let line = format!(
            "{label}: {left} of training left, estimated from {steps} steps at {rate:.1} samples/s, without evaluation"
        );
        match &self.bar {
            Some(bar) => bar.suspend(|| log::info!("{line}")),
            None => log::info!("{line}"),
        }
    }

    fn total(&self) -> usize {
        self.examples * self.epochs
    }

    /// Examples per second.
    fn rate(&self) -> f64 {
        (self.done - self.before) as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    fn left(&self) -> Duration {
        Duration::from_secs_f64(self.total().saturating_sub(self.done) as f64 / self.rate().max(1e-9))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
