//! The learning rate over the steps of a run.

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use serde::{Deserialize, Serialize};

/// The schedule of the learning rate after the warm-up, with the names that transformers uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrSchedulerType {
    /// The learning rate falls linearly to 0.
    #[default]
    Linear,
    /// The learning rate stays at its peak.
    ConstantWithWarmup,
}

/// A linear warm-up from 0, then a linear decay to 0 or a constant rate, like `get_linear_schedule_with_warmup` and
/// `get_constant_schedule_with_warmup` of transformers.
///
/// With a warm-up, the first step has the learning rate 0. Burn's linear scheduler cannot start at 0.
#[derive(Clone, Copy, Debug)]
pub struct LinearWarmup {
    peak: LearningRate,
    warmup: usize,
    total: usize,
    kind: LrSchedulerType,
    step: usize,
}

impl LinearWarmup {
    /// Rise to `peak` over `ratio` of `total` steps, rounded up as in transformers, and fall to 0 at step `total`.
    pub fn from_ratio(peak: LearningRate, ratio: f64, total: usize) -> Self {
        Self::new(peak, (ratio * total as f64).ceil() as usize, total)
    }

    /// Rise to `peak` over `warmup` steps and fall to 0 at step `total`.
    pub fn new(peak: LearningRate, warmup: usize, total: usize) -> Self {
        Self { peak, warmup, total, kind: LrSchedulerType::Linear, step: 0 }
    }

    /// Use this kind of schedule after the warm-up.
    pub fn then(self, kind: LrSchedulerType) -> Self {
        Self { kind, ..self }
    }

    /// The learning rate of `step`, counted from 0.
    pub fn at(&self, step: usize) -> LearningRate {
        let factor = if step < self.warmup {
            step as f64 / self.warmup as f64
        } else if self.kind == LrSchedulerType::ConstantWithWarmup {
            1.0
        } else {
            self.total.saturating_sub(step) as f64 / self.total.saturating_sub(self.warmup).max(1) as f64
        };
        self.peak * factor
    }
}

impl LrScheduler for LinearWarmup {
    fn step(&mut self) -> LearningRate {
        let rate = self.at(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar("step", self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>("step") {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_and_decays_to_zero() {
        // transformers 5.23, get_linear_schedule_with_warmup(optimizer at 1.0, 4, 10).get_last_lr() before each step.
        let expected = [0.0, 0.25, 0.5, 0.75, 1.0, 5.0 / 6.0, 4.0 / 6.0, 0.5, 2.0 / 6.0, 1.0 / 6.0];
        let mut schedule = LinearWarmup::new(1.0, 4, 10);
        for rate in expected {
            assert!((schedule.step() - rate).abs() < 1e-12);
        }
        assert_eq!(schedule.step(), 0.0);
    }

    /// `TrainingArguments.get_warmup_steps` of transformers 5.23 rounds up.
    #[test]
    fn warm_up_steps_are_rounded_up() {
        let schedule = LinearWarmup::from_ratio(1.0, 0.1, 16);
        assert_eq!((schedule.at(0), schedule.at(1), schedule.at(2)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn constant_schedules_keep_the_rate_after_warm_up() {
        let schedule = LinearWarmup::new(2.0, 2, 9).then(LrSchedulerType::ConstantWithWarmup);
        assert_eq!([0, 1, 2, 8, 100].map(|step| schedule.at(step)), [0.0, 1.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn the_first_step_without_warm_up_has_the_peak_rate() {
        assert_eq!(LinearWarmup::new(0.5, 0, 3).at(0), 0.5);
    }

    #[test]
    fn records_restore_the_step() {
        let mut first = LinearWarmup::new(1.0, 2, 9);
        for _ in 0..5 {
            first.step();
        }
        let mut second = LinearWarmup::new(1.0, 2, 9);
        second.load_record(first.to_record());
        assert_eq!(first.step(), second.step());
    }
}
