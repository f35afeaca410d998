//! Programs that are measured in alternation: processes that read commands from standard input and answer each command with a
//! line of JSON.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A process that executes commands, such as a training step.
pub(super) struct Contestant {
    pub(super) name: String,
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The file with the messages of a quiet program.
    messages: Option<PathBuf>,
    pub(super) versions: String,
    pub(super) seconds: Vec<f64>,
}

impl Contestant {
    /// Start a program. Messages of a `quiet` program are only shown if it fails, since they would interrupt the table.
    pub(super) fn start(name: impl Into<String>, command: &mut Command, quiet: bool) -> Result<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let name = name.into();
        let messages = quiet.then(|| {
            let number = STARTED.fetch_add(1, Ordering::Relaxed);
            std::env::temp_dir().join(format!("asym-bench-{}-{number}.log", std::process::id()))
        });
        let stderr = match &messages {
            Some(path) => File::create(path).with_context(|| path.display().to_string())?.into(),
            None => Stdio::inherit(),
        };
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("{name}: no pipes")
        };
        let answers = BufReader::new(answers);
        let orders = Some(orders);
        let mut contestant =
            Self { name, process, orders, answers, messages, versions: String::new(), seconds: Vec::new() };
        // The process prints its versions when it is ready.
        contestant.versions = contestant.answer()?["versions"].as_str().unwrap_or_default().to_string();
        Ok(contestant)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line)
            .with_context(|| format!("{} ended early, with `{}`{}", self.name, line.trim(), self.last_messages()))
    }

    /// The last lines of the messages of a quiet program.
    fn last_messages(&self) -> String {
        const LINES: usize = 20;
        let text = self.messages.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("\n  {line}")).collect()
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

/// Start a program with each setting, and keep the process for which `order` takes the least time. The times of all settings are
/// appended to `notes`.
pub(super) fn fastest(
    name: &str,
    settings: Vec<(String, Command)>,
    order: &str,
    notes: &mut String,
) -> Result<Contestant> {
    /// The number of measurements of each setting. The shortest one is used.
    const TRIES: usize = 3;
    let (mut best, mut times): (Option<(f64, Contestant)>, Vec<String>) = (None, Vec::new());
    for (setting, mut command) in settings {
        let mut contestant = Contestant::start(format!("PEFT, {setting}"), &mut command, true)?;
        let seconds: Vec<f64> = (0..TRIES).map(|_| contestant.seconds(order)).collect::<Result<_>>()?;
        let (least, _) = range(&seconds);
        times.push(format!("{setting} {least:.3} s"));
        if best.as_ref().is_none_or(|(of_best, _)| least < *of_best) {
            best = Some((least, contestant));
        }
    }
    notes.push_str(&format!("- {name}: the fastest of {}.\n", times.join(", ")));
    Ok(best.with_context(|| format!("{name}: no setting to start"))?.1)
}

/// The settings of a Python peer: each kind of attention, with pages of 4 KiB and with huge pages. glibc keeps the pages.
pub(super) fn settings(mut peer: impl FnMut(&str) -> Command) -> Vec<(String, Command)> {
    let mut all = Vec::new();
    for attention in ["eager", "sdpa"] {
        for pages in ["small pages", "huge pages"] {
            let mut command = peer(attention);
            keeping_pages(&mut command);
            if pages == "huge pages" {
                command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
            }
            all.push((format!("{attention} attention, {pages}"), command));
        }
    }
    all
}

/// The dtype of the frozen weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Dtype {
    /// All parameters in f32
    F32,
    /// Frozen weights in bf16
    Bf16,
}

impl Dtype {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // The process ends at the end of its input.
        self.orders = None;
        let _ = self.process.wait();
        if let Some(path) = &self.messages {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Build a benchmark of the project, and return the path of its program.
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
    programs
        .find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from))
        .context("cargo did not print the path of the program")
}

/// Configure glibc to keep its pages, as asym's programs do. This is the fastest setting of the peer.
pub(super) fn keeping_pages(command: &mut Command) {
    command
        .env("MALLOC_MMAP_THRESHOLD_", "1073741824")
        .env("MALLOC_TRIM_THRESHOLD_", "2147483647")
        .env("MALLOC_TOP_PAD_", "268435456")
        .env("HF_HUB_OFFLINE", "1");
}

/// A description of the machine.
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let units = [("avx512f", ", AVX-512"), ("avx512_bf16", ", AVX512-BF16"), ("amx_bf16", ", AMX")];
    let units: String = units.iter().filter(|(flag, _)| info.contains(flag)).map(|(_, name)| *name).collect();
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let chosen = setting.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    let pages = chosen.map_or_else(String::new, |chosen| format!(", huge pages: {chosen}"));
    let (model, system) = (model.unwrap_or("unknown processor"), std::env::consts::OS);
    format!("{model}, {cores} cores{units}, {system}{pages}")
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

/// The smallest and the largest value.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(low, high), value| (value.min(low), value.max(high)))
}
