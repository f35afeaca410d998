//! The messages of the library on standard error.

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Prints the messages of asym's own crates.
struct Messages;

impl Log for Messages {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info && metadata.target().starts_with("asym")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if record.level() <= Level::Warn {
            super::note(format!("warning: {}", record.args()));
        } else {
            super::note(record.args());
        }
    }

    fn flush(&self) {}
}

/// Install the logger, unless the program already has one.
pub(super) fn show() {
    if log::set_logger(&Messages).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
