//! A classifier for texts, with all that is needed for predictions.

use std::path::Path;

use anyhow::{Result, bail};
use asym_models::PretrainedModel;
use asym_tasks::{AnyTask, Base, LoadClassifier, Problem, TextClassifier};
use burn::tensor::{Device, FloatDType};

use super::{Dtype, SourceArgs, distinct, locate, run_beside, trained};

/// A classifier for texts, its checkpoint, and the meaning of its outputs.
pub(super) struct Trained {
    pub(super) base: Base,
    pub(super) model: TextClassifier,
    /// The kind of predictions.
    pub(super) problem: Problem,
    /// The task, if it was given or if the run's recipe has one.
    pub(super) task: Option<AnyTask>,
    /// The names of the classes, in the order of the outputs; empty for a score.
    pub(super) labels: Vec<String>,
    /// The maximum number of tokens of an example, special tokens included.
    pub(super) max_length: usize,
}

impl Trained {
    /// Load a classifier. The default task, length and dtype are those of the run that saved the adapter or the model.
    pub(super) fn load(
        source: &SourceArgs,
        (model, adapter): (Option<&str>, Option<&Path>),
        task: Option<&AnyTask>,
        (num_labels, max_length, dtype): (Option<usize>, Option<usize>, Option<Dtype>),
        device: &Device,
    ) -> Result<Self> {
        let run = adapter.or(model.map(Path::new)).map(run_beside).transpose()?.flatten();
        let run_task = run.as_ref().and_then(|run| run.tasks.first());
        if let (Some(task), Some(other)) = (task, run_task)
            && task.name() != other.name()
        {
            bail!(
                "the model was trained on {}, not on {}; give a model that was trained on the task",
                other.name(),
                task.name()
            );
        }
        let task = task.or(run_task).cloned();
        if let Some(task) = task.as_ref().filter(|task| task.is_pair().is_none()) {
            bail!("the task {} does not classify texts", task.name());
        }
        let base = locate(source, model, adapter)?.base()?;
        // Without a task, the head in the adapter determines the number of labels.
        let outputs = match (num_labels.or(task.as_ref().and_then(|task| task.outputs())), adapter) {
            (None, Some(folder)) => asym_models::adapter_outputs(folder)?,
            (given, _) => given,
        };
        let of_run = run.as_ref().zip(run_task).map(|(run, task)| run.run(task, &run.tuning, 0).training.dtype);
        let dtype = dtype.map_or(of_run.map_or(FloatDType::F32, asym_train::Dtype::float), Dtype::computed);
        let class = super::class(&base.checkpoint, adapter)?;
        let model = TextClassifier::load(class, &Loader { base: &base, adapter, outputs, dtype, device })?;
        let config = base.checkpoint.config();
        let outputs = outputs.unwrap_or(config.labels().len());
        let named = config.other().get::<String>("problem_type");
        let problem =
            task.as_ref().and_then(|task| task.problem()).unwrap_or_else(|| Problem::of(named.as_deref(), outputs));
        // Names whose number differs from the number of outputs do not belong to this head.
        let own = config.labels();
        let labels = match task.as_ref().map(|task| task.labels()) {
            // The configuration names the outputs of the checkpoint's own head.
            Some(names) if adapter.is_none() && !own.iter().all(|label| label.starts_with("LABEL_")) => {
                if let Some(other) = own.iter().find(|label| !names.iter().any(|name| name.eq_ignore_ascii_case(label)))
                {
                    bail!(
                        "{}: label `{other}` is not a label of the task, which has {}",
                        base.name(),
                        names.join(", ")
                    );
                }
                own.to_vec()
            }
            Some(names) => names,
            None => own.to_vec(),
        };
        let run_length = run.as_ref().and_then(|run| run.tasks.first()?.max_length());
        let max_length = match max_length.or(run_length) {
            Some(max_length) => max_length,
            None => base.limits()?.positions.min(512),
        };
        let labels = if labels.len() == outputs { distinct(&labels) } else { Vec::new() };
        Ok(Self { base, model, problem, task, labels, max_length })
    }
}

/// Loads the model of a base, with or without an adapter.
struct Loader<'a> {
    base: &'a Base,
    adapter: Option<&'a Path>,
    /// The number of labels, if known.
    outputs: Option<usize>,
    dtype: FloatDType,
    device: &'a Device,
}

impl LoadClassifier for Loader<'_> {
    type Error = anyhow::Error;

    fn load<M: PretrainedModel>(&self) -> Result<M> {
        let settings = (self.outputs, self.dtype, false);
        trained(self.base.name(), &self.base.checkpoint, self.adapter, settings, self.device)
    }
}
