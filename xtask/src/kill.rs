//! Runs are killed, stopped, started twice or run out of disk space. Their results must equal those of an undisturbed run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::ending::Ending;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;

/// Options of `cargo xtask kill`.
#[derive(Debug, Args)]
pub struct Options {
    /// Number of times that a run is killed
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// The method that is trained
    #[arg(long, default_value = "adalora-r4")]
    method: String,
    /// Seed of the random times
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the runs, which is removed at the end
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// The options of a run with three epochs of 20 steps.
const LABELS: &str = "--task cola --epochs 3 --batch-size 150 --save-every 1";

/// The number of steps of this run.
const STEPS: usize = 60;

/// The options of a run with 50 steps, after which 200 reports are summarized.
const SUMMARIES: &str = "--task summarization --epochs 1 --batch-size 40";

/// The maximum time to wait for a step or a summary.
const PATIENCE: Duration = Duration::from_secs(300);

/// Run all checks, and compare each run with the undisturbed run.
///
/// # Errors
///
/// Returns an error if a run ends differently, or if a message is missing.
pub fn kill(options: &Options, root: &Path) -> Result<()> {
    let mut build = crate::cargo();
    build.args(["build", "--release", "--bin", "asym"]);
    crate::run(build, root)?;
    let folder = options
        .folder
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("asym-kill-{}", std::process::id())));
    std::fs::create_dir_all(&folder)?;
    let trial = Trial {
        asym: target(root).join("release/asym"),
        method: options.method.clone(),
        moments: Moments(options.seed.max(1)),
        folder: folder.clone(),
    };
    let done = trial.all(options.kills);
    std::fs::remove_dir_all(&folder)?;
    done
}

pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// A small random number generator (xorshift), so that the times depend only on the seed.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

struct Trial {
    asym: PathBuf,
    method: String,
    moments: Moments,
    folder: PathBuf,
}

impl Trial {
    fn all(mut self, kills: usize) -> Result<()> {
        let started = Instant::now();
        let once = self.folder.join("once");
        expect(&self.start(&once)?.wait_with_output()?, true, "")?;
        let expected = Ending::read(&self.run(&once))?;
        println!("undisturbed: {STEPS} steps in {:.1} s", started.elapsed().as_secs_f64());
        self.killed(kills, &expected)?;
        self.terminated(&expected)?;
        self.twice(&expected)?;
        self.full(&expected)?;
        self.summarizing()
    }

    /// Kill the run with SIGKILL at random times.
    fn killed(&mut self, kills: usize, expected: &Ending) -> Result<()> {
        let output = self.folder.join("killed");
        let mut steps: Vec<u64> = (0..kills).map(|_| self.moments.below(STEPS as u64)).collect();
        steps.sort_unstable();
        for step in &steps {
            let mut child = self.start(&output)?;
            self.reach(&mut child, &output, *step as usize)?;
            std::thread::sleep(Duration::from_millis(self.moments.below(120)));
            child.kill()?;
            child.wait()?;
        }
        expect(&self.start(&output)?.wait_with_output()?, true, "")?;
        self.compare(&output, expected, &format!("kill -9 after steps {steps:?}"))
    }

    /// Stop the run with SIGTERM, as a scheduler does at its time limit.
    fn terminated(&mut self, expected: &Ending) -> Result<()> {
        let output = self.folder.join("terminated");
        for step in [7, 33] {
            let mut child = self.start(&output)?;
            self.reach(&mut child, &output, step)?;
            let id = child.id().to_string();
            ensure!(Command::new("kill").args(["-TERM", &id]).status()?.success(), "kill -TERM");
            expect(&child.wait_with_output()?, false, "--resume --output")?;
        }
        expect(&self.start(&output)?.wait_with_output()?, true, "continues after step")?;
        self.compare(&output, expected, "SIGTERM after steps 7 and 33")
    }

    /// Start two processes on one folder at the same time: one trains, and the other reports which process is working.
    fn twice(&mut self, expected: &Ending) -> Result<()> {
        let output = self.folder.join("twice");
        let children = [self.start(&output)?, self.start(&output)?];
        let mut worked = 0;
        for child in children {
            let found = child.wait_with_output()?;
            if found.status.success() {
                worked += 1;
            } else {
                expect(&found, false, "is working here")?;
            }
        }
        ensure!(worked == 1, "{worked} of two processes worked in one folder");
        self.compare(&output, expected, "two processes at once")
    }

    /// Fill the disk during a run, if this process may mount a file system.
    fn full(&mut self, expected: &Ending) -> Result<()> {
        let disk = self.folder.join("disk");
        std::fs::create_dir_all(&disk)?;
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&disk).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            println!("SKIPPED: the disk of 2 MB, since this user cannot mount a tmpfs");
            return Ok(());
        }
        let done = self.full_disk(&disk, expected);
        let unmounted = Command::new("umount").arg(&disk).status()?;
        ensure!(unmounted.success(), "umount {}", disk.display());
        done
    }

    fn full_disk(&mut self, disk: &Path, expected: &Ending) -> Result<()> {
        let (output, ballast) = (disk.join("runs"), disk.join("ballast"));
        for left in [0, 40_000, 400_000] {
            let mut child = self.start(&output)?;
            self.reach(&mut child, &output, 10)?;
            // The remaining space is too small for a line of the log, for a checkpoint's state, or for its tensors.
            fill(&ballast, left)?;
            expect(&child.wait_with_output()?, false, "No space left")?;
            std::fs::remove_file(&ballast)?;
        }
        expect(&self.start(&output)?.wait_with_output()?, true, "")?;
        self.compare(&output, expected, "a disk of 2 MB that filled up three times")
    }

    /// Kill the run with SIGKILL while the trained model generates summaries. Saved summaries are kept, and the results equal
    /// those of an undisturbed run.
    fn summarizing(&mut self) -> Result<()> {
        let (once, output) = (self.folder.join("summaries"), self.folder.join("summaries-killed"));
        expect(&self.continued(SUMMARIES, &once)?.wait_with_output()?, true, "")?;
        let expected = Ending::read(&self.run(&once))?;
        let file = self.run(&output).join("evaluation-1/summaries.jsonl");
        let written = || std::fs::read_to_string(&file).unwrap_or_default();
        let mut counts = Vec::new();
        for least in [1, 60, 120] {
            let (mut child, started) = (self.continued(SUMMARIES, &output)?, Instant::now());
            while written().lines().count() < least && child.try_wait()?.is_none() {
                ensure!(started.elapsed() < PATIENCE, "{}: no {least} lines", file.display());
                std::thread::sleep(Duration::from_millis(2));
            }
            child.kill()?;
            child.wait()?;
            counts.push(written().lines().count());
        }
        let kept = written();
        let whole = kept.rfind('\n').map_or("", |end| &kept[..=end]);
        ensure!(!self.run(&output).join("results.json").exists(), "the evaluation ended before it was killed");
        expect(&self.continued(SUMMARIES, &output)?.wait_with_output()?, true, "")?;
        ensure!(written().starts_with(whole), "{}: summaries were written again", file.display());
        self.compare(&output, &expected, &format!("kill -9 in the evaluation, after {counts:?} summaries"))
    }

    /// Start or continue the run in `output`.
    fn start(&self, output: &Path) -> Result<Child> {
        self.continued(LABELS, output)
    }

    /// Start or continue the run with these options in `output`.
    fn continued(&self, options: &str, output: &Path) -> Result<Child> {
        let mut command = Command::new(&self.asym);
        command.arg("table").args(options.split(' ')).args(["--seeds", "1"]);
        command.args(["--methods", &self.method, "--resume", "--output"]).arg(output);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().with_context(|| self.asym.display().to_string())
    }

    fn run(&self, output: &Path) -> PathBuf {
        output.join(format!("{}-seed1", self.method))
    }

    /// Wait until the log has a line for `step`, or the process ends.
    fn reach(&self, child: &mut Child, output: &Path, step: usize) -> Result<()> {
        let (log, started) = (self.run(output).join("metrics.jsonl"), Instant::now());
        let wanted = format!("{{\"step\":{step},");
        while step > 0 && !std::fs::read_to_string(&log).is_ok_and(|text| text.contains(&wanted)) {
            if child.try_wait()?.is_some() {
                return Ok(());
            }
            ensure!(started.elapsed() < PATIENCE, "{}: no step {step}", log.display());
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn compare(&self, output: &Path, expected: &Ending, name: &str) -> Result<()> {
        if let Some(difference) = Ending::read(&self.run(output))?.difference(expected) {
            bail!("{name}: {difference}");
        }
        println!("{name}: log, results and adapter equal those of the undisturbed run");
        Ok(())
    }
}

/// Check whether a process succeeded or failed as expected, and that its standard error contains `part`.
fn expect(output: &Output, success: bool, part: &str) -> Result<()> {
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() == success, "a run ended with {}:\n{text}", output.status);
    ensure!(text.contains(part), "`{part}` is not in:\n{text}");
    ensure!(!text.contains("panicked"), "a run panicked:\n{text}");
    Ok(())
}

/// Fill the disk of `path` with a file, and leave about `left` bytes.
fn fill(path: &Path, left: u64) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(left))?;
    Ok(())
}
