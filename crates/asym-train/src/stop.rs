//! Stopping on Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A request to stop, shared by all runs of a program.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A signal that Ctrl-C gives. The current run stops after its step and leaves its folder usable. A second Ctrl-C ends the
    /// program at once.
    ///
    /// If the program has a handler for Ctrl-C already, that one stays, and the signal never comes.
    pub fn on_ctrl_c() -> Self {
        let signal = Self::default();
        let handler = signal.clone();
        let installed = ctrlc::set_handler(move || {
            if handler.requested() {
                std::process::exit(130);
            }
            eprintln!("\nstopping after this step; Ctrl-C again ends at once");
            handler.request();
        });
        if let Err(error) = installed {
            log::warn!("Ctrl-C ends the program without saving: {error}");
        }
        signal
    }

    /// Ask the current run, and all that would follow, to stop.
    pub fn request(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether a stop was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Relaxed)
    }
}
