//! What a person sees while a run goes: a bar on a terminal, a line now and then in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation, MetricsRendererTraining,
};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::metrics::Scalar;

/// In a pipe, a line at most this often.
const INTERVAL: Duration = Duration::from_secs(10);

/// Renders burn-train's events on standard error.
pub(crate) struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    ids: Vec<(MetricId, String)>,
    loss: Option<f64>,
    learning_rate: Option<f64>,
    epoch: usize,
    epochs: usize,
    /// Examples of the training set.
    examples: usize,
    /// Examples trained on in the epochs before.
    before: usize,
    now: usize,
    training: bool,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    pub(crate) fn new(label: &str) -> Self {
        let now = Instant::now();
        Self {
            label: label.to_string(),
            bar: None,
            ids: Vec::new(),
            loss: None,
            learning_rate: None,
            epoch: 1,
            epochs: 0,
            examples: 0,
            before: 0,
            now: 0,
            training: true,
            started: now,
            last_line: now,
        }
    }

    fn done(&self) -> usize {
        self.before + self.now
    }

    fn message(&self) -> String {
        let mut message = format!("epoch {}/{}", self.epoch, self.epochs);
        if let Some(loss) = self.loss {
            message += &format!("  loss {loss:.4}");
        }
        if let Some(rate) = self.learning_rate {
            message += &format!("  lr {rate:.2e}");
        }
        message
    }

    fn show(&mut self) {
        let done = self.done();
        if let Some(bar) = &self.bar {
            bar.set_message(self.message());
            bar.set_position(done as u64);
        } else if self.last_line.elapsed() >= INTERVAL {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let rate = done as f64 / seconds.max(1e-9);
            let total = self.examples * self.epochs;
            let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
            eprintln!(
                "{}: {done}/{total}  {}  {rate:.1} samples/s  {} left",
                self.label,
                self.message(),
                HumanDuration(left)
            );
        }
    }

    fn take(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else { return };
        let Some((_, name)) = self.ids.iter().find(|(id, _)| *id == entry.metric_id) else { return };
        if name == Scalar::Loss.name() {
            self.loss = Some(value.current());
        } else if name == Scalar::LearningRate.name() {
            self.learning_rate = Some(value.current());
        }
    }
}

impl MetricsRendererTraining for Progress {
    fn update_train(&mut self, state: MetricState) {
        self.take(state);
    }

    fn update_valid(&mut self, _state: MetricState) {}
}

impl MetricsRendererEvaluation for Progress {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl MetricsRenderer for Progress {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.ids.push((definition.metric_id, definition.name.to_string()));
    }
}

impl TrainingProgressLogger for Progress {
    fn start(&mut self, epochs: usize, _starting: usize, _items: Option<usize>, _label: Option<&str>) {
        self.epochs = epochs;
        self.started = Instant::now();
        if std::io::stderr().is_terminal() {
            let style = "{prefix} {wide_bar} {pos}/{len}  {msg}  {per_sec}  {eta} left";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
                "per_sec",
                |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                    let _ = write!(out, "{:.1} samples/s", state.per_sec());
                },
            );
            let bar = ProgressBar::new(0).with_style(style).with_prefix(self.label.clone());
            self.bar = Some(bar);
        }
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.epoch = epoch + 1;
    }

    fn start_split(&mut self, split: &str, items: usize) {
        self.training = split == "train";
        if self.training {
            self.examples = items;
            if let Some(bar) = &self.bar {
                bar.set_length((items * self.epochs) as u64);
            }
        }
    }

    fn update_split(&mut self, items: usize) {
        if self.training {
            self.now = items;
            self.show();
        }
    }

    fn end_split(&mut self) {
        if self.training {
            self.before += self.now;
            self.now = 0;
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn log_event_training(&mut self, _event: String) {}
}

impl EvaluationProgressLogger for Progress {
    fn start_global_progress(&mut self, _total: usize) {}
    fn start_test(&mut self, _name: &str, _items: usize) {}
    fn update_test_progress(&mut self, _items: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}
