//! The process that works in a folder, as its claim file records it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The process that works in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The host name of its machine.
    pub host: String,
    /// The boot id of its operating system; empty if the system has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot: String,
    /// Its process id on that machine.
    pub pid: u32,
    /// The time at which it claimed the folder, in UTC, by the clock of its machine.
    pub since: String,
    /// The number of optimizer steps that it had completed some seconds ago.
    #[serde(default)]
    pub step: usize,
    /// The number of optimizer steps of the whole run; 0 before the first step is completed.
    #[serde(default)]
    pub steps: usize,
}

impl Worker {
    /// This process.
    pub(super) fn this() -> Self {
        Self {
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            boot: boot(),
            pid: std::process::id(),
            since: chrono::Utc::now().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
            step: 0,
            steps: 0,
        }
    }

    /// Whether the worker runs on the same system as this process, so that both see the same locks. Host names cannot decide
    /// this, because several machines may have the same name, as containers often do.
    pub(super) fn is_of_this_system(&self) -> bool {
        let this = Self::this();
        self.pid > 0 && self.boot == this.boot && (!self.boot.is_empty() || self.host == this.host)
    }
}

/// The boot id of the operating system. Linux generates it at each boot. It is empty on other systems.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string()
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pid, since, .. } = self;
        if *pid == 0 { f.write_str("another process") } else { write!(f, "process {pid} on {host}, since {since},") }
    }
}

/// The worker that a claim file records. The worker writes to the file just after its creation and at intervals, so reading is
/// retried.
pub(super) fn read(file: &mut File) -> Worker {
    for _ in 0..20 {
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
        if let (Ok(_), Ok(worker)) = (read, serde_json::from_str(&text)) {
            return worker;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Worker::default()
}
