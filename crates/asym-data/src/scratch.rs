//! Folders for tests.

use std::path::{Path, PathBuf};

/// A folder below the system's temporary folder. It is removed when this value is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder. No other test may use the same `name`.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}-{name}-{}", env!("CARGO_PKG_NAME"), std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        #[allow(clippy::expect_used)]
        std::fs::create_dir_all(&path).expect("a writable temporary folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        #[allow(clippy::expect_used)]
        std::fs::write(self.0.join(name), bytes).expect("a writable temporary folder");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The folder of real data in the environment variable `ASYM_SHARED`. Prints a line if the variable is not set.
pub(crate) fn shared() -> Option<PathBuf> {
    variable(
        "ASYM_SHARED",
        "the folder that contains data/MRPC, data/CoLA, data/alpaca, data/tok-roberta and data/tok-llama",
    )
}

/// The folder in an environment variable. Prints a line with `what` if the variable is not set.
pub(crate) fn variable(name: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(name).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: set {name} to {what}");
    }
    folder
}
