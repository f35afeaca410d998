//! The progress of a download: a bar on a terminal, otherwise a log message every 30 seconds. Both require a logger that
//! accepts this crate's messages of level info.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressStyle};

/// The shortest time between two log messages if there is no terminal.
const INTERVAL: Duration = Duration::from_secs(30);

/// The progress of one file.
pub(super) struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    /// Zero if the length is not known.
    total: u64,
    done: u64,
    /// Bytes that an earlier attempt downloaded.
    before: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// The progress of a file of `total` bytes (`None` if unknown), of which `before` bytes were downloaded earlier.
    pub fn new(label: &str, total: Option<u64>, before: u64) -> Self {
        let total = total.unwrap_or(0);
        let now = Instant::now();
        let bar = (log::log_enabled!(log::Level::Info) && std::io::stderr().is_terminal()).then(|| {
            let style =
                "{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style).with_prefix(label.to_string());
            // Without the reset, the rate would include the bytes that were downloaded earlier.
            bar.set_position(before);
            bar.tick();
            bar.reset_eta();
            bar
        });
        Self { label: label.to_string(), bar, total, done: before, before, started: now, last_line: now }
    }

    /// Sets the number of downloaded bytes.
    pub fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.last_line.elapsed() >= INTERVAL {
            self.last_line = Instant::now();
            log::info!("{}", self.line(self.started.elapsed()));
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let rate = ((self.done - self.before) as f64 / elapsed.as_secs_f64().max(1e-9)).max(1.0);
        let left = self.total.saturating_sub(self.done) as f64 / rate;
        format!(
            "{}: {} of {}  {}/s  {} left",
            self.label,
            BinaryBytes(self.done),
            BinaryBytes(self.total),
            BinaryBytes(rate as u64),
            HumanDuration(Duration::from_secs_f64(left))
        )
    }

    /// Reports the end of the download.
    pub fn finish(mut self) {
        self.clear();
        log::info!("{}: {} in {}", self.label, BinaryBytes(self.done), HumanDuration(self.started.elapsed()));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    /// Removes the bar of a failed attempt, which would otherwise stay on the screen.
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_only_new_bytes() {
        let mut progress = Progress::new("w", Some(4 << 20), 1 << 20);
        progress.set(2 << 20);
        let line = progress.line(Duration::from_secs(2));
        assert_eq!(line, "w: 2.00 MiB of 4.00 MiB  512.00 KiB/s  4 seconds left");
    }
}
