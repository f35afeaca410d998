//! The process that works in a folder, as its claim names it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The process that works in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The name of its machine.
    pub host: String,
    /// The id that the machine's system gave itself when it started; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot: String,
    /// Its process id on that machine.
    pub pid: u32,
    /// When it began, in UTC, by the clock of its machine.
    pub since: String,
    /// The optimizer steps that it has made, some seconds ago.
    #[serde(default)]
    pub step: usize,
    /// The optimizer steps of the whole run; 0 before the first one is made.
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

    /// Whether the worker runs on the system that this process runs on, so both see the same locks. Names of machines do not
    /// say that: containers often have one name.
    pub(super) fn is_of_this_system(&self) -> bool {
        let this = Self::this();
        self.pid > 0 && self.boot == this.boot && (!self.boot.is_empty() || self.host == this.host)
    }
}

/// The id of the system that is running. Linux draws it when it starts.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string()
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, pid, since, .. } = self;
        if *pid == 0 { f.write_str("another process") } else { write!(f, "process {pid} on {host}, since {since},") }
    }
}

/// The worker that a claim names. It writes its name just after it makes the file, and again from time to time.
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
