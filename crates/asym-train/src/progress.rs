//! The progress of a run on standard error: a bar on a terminal, a line now and then in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// In a pipe, a line at most this often.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows how far a run is, how fast it goes, and how long it takes still.
pub(crate) struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    epoch: usize,
    epochs: usize,
    /// Examples of an epoch.
    examples: usize,
    /// Examples trained on so far.
    done: usize,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// The progress of `epochs` epochs.
    pub(crate) fn new(label: &str, epochs: usize) -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{prefix} {wide_bar} {pos}/{len}  {msg}  {per_sec}  {eta} left";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
                "per_sec",
                |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = write!(out, "{:.1} samples/s", state.per_sec());
                },
            );
            ProgressBar::new(0).with_style(style).with_prefix(label.to_string())
        });
        Self { label: label.to_string(), bar, epoch: 0, epochs, examples: 0, done: 0, started: now, last_line: now }
    }

    /// An epoch of `examples` examples starts.
    pub(crate) fn epoch(&mut self, epoch: usize, examples: usize) {
        self.epoch = epoch;
        self.examples = examples;
        if let Some(bar) = &self.bar {
            bar.set_length((examples * self.epochs) as u64);
        }
    }

    /// A step over `examples` examples was made.
    pub(crate) fn step(&mut self, examples: usize, loss: Option<f64>, learning_rate: f64) {
        self.done += examples;
        let loss = loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        let message = format!("epoch {}/{}{loss}  lr {learning_rate:.2e}", self.epoch, self.epochs);
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.set_position(self.done as u64);
        } else if self.last_line.elapsed() >= INTERVAL {
            self.last_line = Instant::now();
            let rate = self.done as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
            let total = self.examples * self.epochs;
            let left = Duration::from_secs_f64(total.saturating_sub(self.done) as f64 / rate.max(1e-9));
            let (label, done, left) = (&self.label, self.done, HumanDuration(left));
            eprintln!("{label}: {done}/{total}  {message}  {rate:.1} samples/s  {left} left");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
