//! Sweeps by several processes that are killed, and the comparison of their runs with those of an undisturbed sweep.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::ending::Ending;
use crate::kill::{Moments, target};

/// Options of `cargo xtask sweep`.
#[derive(Debug, Args)]
pub struct Options {
    /// Number of processes
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Number of times that a process is killed
    #[arg(long, default_value_t = 5)]
    kills: usize,
    /// Seed of the random times
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Options of `cargo xtask same`.
#[derive(Debug, Args)]
pub struct SameOptions {
    /// Folder of undisturbed runs
    expected: PathBuf,
    /// Folder of the runs to compare with them
    found: PathBuf,
}

/// The recipes: 2 tasks × 3 methods × 4 seeds, each of which takes a few seconds.
const RECIPES: [&str; 3] = ["lora-r8", "b-only-orthonormal-r8", "a-only-orthonormal-r8"];
const SETTINGS: [&str; 5] = ["tasks=rte,mrpc", "epochs=1", "save_every=5", "--seeds", "4"];

/// The maximum time to wait for all workers.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Run a sweep with several processes, kill some of them, and compare each run with that of a single undisturbed process.
///
/// # Errors
///
/// Returns an error if a process fails, or if a run differs or is missing.
pub fn sweep(options: &Options, root: &Path) -> Result<()> {
    let mut build = crate::cargo();
    build.args(["build", "--release", "--bin", "asym"]);
    crate::run(build, root)?;
    let folder = std::env::temp_dir().join(format!("asym-sweep-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = compared(options, root, &folder);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn compared(options: &Options, root: &Path, folder: &Path) -> Result<()> {
    let (once, together) = (folder.join("once"), folder.join("together"));
    let started = Instant::now();
    ensure!(start(root, &once, false)?.wait()?.success(), "the undisturbed sweep failed");
    println!("undisturbed: one process, {:.1} s", started.elapsed().as_secs_f64());
    let mut workers = (0..options.workers).map(|_| start(root, &together, true)).collect::<Result<Vec<Child>>>()?;
    let (mut moments, started) = (Moments(options.seed.max(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)), Instant::now());
    for _ in 0..options.kills {
        std::thread::sleep(Duration::from_millis(2000 + moments.below(3000)));
        let at = moments.below(workers.len() as u64) as usize;
        workers[at].kill()?;
        workers[at].wait()?;
        println!("{:6.1} s: worker {} is killed, and a new worker starts", started.elapsed().as_secs_f64(), at + 1);
        workers[at] = start(root, &together, true)?;
    }
    for worker in &mut workers {
        while worker.try_wait()?.is_none() {
            ensure!(started.elapsed() < PATIENCE, "the workers do not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        ensure!(worker.wait()?.success(), "a worker failed");
    }
    println!("{:6.1} s: all workers have ended", started.elapsed().as_secs_f64());
    same(&SameOptions { expected: once, found: together })
}

fn start(root: &Path, output: &Path, wait: bool) -> Result<Child> {
    let asym = target(root).join("release/asym");
    let mut command = Command::new(&asym);
    command.arg("sweep");
    command.args(RECIPES.map(|name| root.join(format!("recipes/mini/glue/{name}.toml"))));
    command.args(SETTINGS).arg("--output").arg(output).args(wait.then_some("--wait"));
    // Each worker has one thread, so that the workers do not compete for cores.
    command.env("RAYON_NUM_THREADS", "1").stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| asym.display().to_string())
}

/// Compare the runs in two folders.
///
/// # Errors
///
/// Returns an error if a run exists in only one of the folders, or if the log, the results or the adapter of a run differ.
pub fn same(options: &SameOptions) -> Result<()> {
    let [expected, found] = [&options.expected, &options.found].map(|root| runs(root, Path::new("")));
    let (expected, found) = (expected?, found?);
    ensure!(!expected.is_empty(), "{}: there is no run", options.expected.display());
    if expected != found {
        let lacks: Vec<_> = expected.iter().filter(|run| !found.contains(run)).collect();
        let more: Vec<_> = found.iter().filter(|run| !expected.contains(run)).collect();
        bail!("{}: missing runs: {lacks:?}; additional runs: {more:?}", options.found.display());
    }
    for run in &expected {
        let ending = Ending::read(&options.found.join(run))?;
        if let Some(difference) = ending.difference(&Ending::read(&options.expected.join(run))?) {
            bail!("{}: {difference}", run.display());
        }
    }
    println!("{} runs: log, results and adapter of each run equal those of the undisturbed run", expected.len());
    Ok(())
}

/// The folders in `root` that have results, by their paths relative to `root`.
fn runs(root: &Path, place: &Path) -> Result<Vec<PathBuf>> {
    let path = root.join(place);
    if path.join("results.json").is_file() {
        return Ok(vec![place.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&path).with_context(|| path.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.append(&mut runs(root, &place.join(entry.file_name()))?);
        }
    }
    found.sort();
    Ok(found)
}
