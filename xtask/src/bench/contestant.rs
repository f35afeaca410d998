//! Programs that are measured in turns: processes that obey lines and answer each with a line of JSON.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A process that takes steps when told to.
pub(super) struct Contestant {
    pub(super) name: String,
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(super) versions: String,
    pub(super) seconds: Vec<f64>,
}

impl Contestant {
    pub(super) fn start(name: impl Into<String>, command: &mut Command, quiet: bool) -> Result<Self> {
        let name = name.into();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A table needs quiet, and yet a wrong option must say what is wrong with it.
            .stderr(if quiet { Stdio::null() } else { Stdio::inherit() })
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("{name}: no pipes")
        };
        let answers = BufReader::new(answers);
        let mut contestant =
            Self { name, process, orders: Some(orders), answers, versions: String::new(), seconds: Vec::new() };
        // Said when it is ready to be measured.
        contestant.versions = contestant.answer()?["versions"].as_str().unwrap_or_default().to_string();
        Ok(contestant)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{} ended early, with `{}`", self.name, line.trim()))
    }

    pub(super) fn order(&mut self, what: &str) -> Result<Value> {
        let Some(orders) = &mut self.orders else { bail!("{}: has ended", self.name) };
        writeln!(orders, "{what}")?;
        orders.flush()?;
        self.answer()
    }

    pub(super) fn seconds(&mut self, what: &str) -> Result<f64> {
        self.order(what)?["seconds"].as_f64().with_context(|| format!("{}: seconds", self.name))
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.orders = None;
        let _ = self.process.wait();
    }
}

/// Build one of the project's benches; cargo says where it put it.
pub(super) fn build(root: &Path, bench: &str) -> Result<PathBuf> {
    let output = crate::cargo()
        .args(["build", "--release", "--workspace", "--bench", bench, "--message-format", "json"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the bench `{bench}` was not built");
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == bench);
    programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from)).context("cargo named no program")
}

/// Tell glibc to keep its pages, as asym's programs tell it: the peer's fastest setting.
pub(super) fn keeping_pages(command: &mut Command) {
    command
        .env("MALLOC_MMAP_THRESHOLD_", "1073741824")
        .env("MALLOC_TRIM_THRESHOLD_", "2147483647")
        .env("MALLOC_TOP_PAD_", "268435456")
        .env("HF_HUB_OFFLINE", "1");
}

/// The machine in words.
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let wide = if info.contains("avx512f") { ", AVX-512" } else { "" };
    format!("{}, {cores} cores{wide}, {}", model.unwrap_or("unknown processor"), std::env::consts::OS)
}

/// The median.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// The least and the largest.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(low, high), value| (value.min(low), value.max(high)))
}
