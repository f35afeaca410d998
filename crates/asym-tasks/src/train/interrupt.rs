//! Stopping on Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::Interrupter;

/// A request to stop, shared by all runs of a program.
#[derive(Clone, Default)]
pub struct StopSignal(Arc<Inner>);

#[derive(Default)]
struct Inner {
    requested: AtomicBool,
    /// The run that is going on.
    current: Mutex<Option<Interrupter>>,
}

impl StopSignal {
    /// A signal that Ctrl-C gives: the run that is going on stops after its step and leaves its folder usable. A second
    /// Ctrl-C ends the program at once.
    ///
    /// Where the handler cannot be installed, because the program has one, Ctrl-C does what it did before.
    pub fn on_ctrl_c() -> Self {
        let signal = Self::default();
        let handler = signal.clone();
        let installed = ctrlc::set_handler(move || {
            if handler.0.requested.swap(true, Relaxed) {
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
        self.0.requested.store(true, Relaxed);
        if let Some(interrupter) = &*self.0.current.lock().unwrap_or_else(PoisonError::into_inner) {
            interrupter.stop(Some("interrupted"));
        }
    }

    /// Whether a stop was asked for.
    pub fn requested(&self) -> bool {
        self.0.requested.load(Relaxed)
    }

    /// An interrupter for the run that begins now.
    pub(crate) fn begin(&self) -> Interrupter {
        let interrupter = Interrupter::new();
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupter.clone());
        if self.requested() {
            interrupter.stop(Some("interrupted"));
        }
        interrupter
    }
}
