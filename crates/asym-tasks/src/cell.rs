//! One cell of a table, which is one run of a task. Only this file connects tasks to the training loop.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use asym_core::random::derive_seed;
use asym_core::{InputMoment, SaveOptions, inspect, save_adapter};
use asym_models::{FileDtype, Loaded, ModelConfig, PretrainedModel};
use asym_train::{
    Checkpoint, Dtype, Existing, Keep, Loader, Objective, Opened, Optimized, Order, Run, RunFolder, RunResult, Source,
    State, StopSignal, TrainError, Tuning, fit, memory,
};
use burn::module::Module;
use burn::tensor::Device;

use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::images::Sheet;
use crate::recipe::{Recipe, RunConfig};
use crate::registry::{AnyTask, WithTask};
use crate::task::{Kept, Prepared, Shown, Task};

/// The names under which the model and the data were requested; `None` if they are compiled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The folder of the checkpoint, or its name on the Hub.
    pub model: Option<String>,
    /// The folder of the data, or its name on the Hub.
    pub data: Option<String>,
}

/// A task whose data were read.
pub trait ReadTask {
    /// A description of the data, in lines of text.
    fn describe(&self) -> Vec<String>;

    /// The task, including those of its own settings that depend on the data.
    fn task(&self) -> AnyTask;

    /// Check that the task can train this checkpoint, before its weights are read.
    ///
    /// # Errors
    ///
    /// [`TaskError::WrongModel`].
    fn check_base(&self, base: &Base) -> Result<(), TaskError>;

    /// Prepare the data for training `base`, which was requested as `model`, and read its weights in the dtype of the runs.
    /// Without a dtype, the weights are not read.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::prepare`], and a checkpoint that cannot be read.
    fn prepare<'a>(
        self: Box<Self>,
        base: &'a Base,
        model: Option<String>,
        dtype: Option<Dtype>,
        device: &'a Device,
    ) -> Result<Box<dyn PreparedTask + 'a>, TaskError>;
}

/// A task with its data and its model, which all its runs share.
pub trait PreparedTask {
    /// The time that reading the checkpoint took, if it was read for this task.
    fn read_in(&self) -> Option<Duration>;

    /// A description of the prepared data, in lines of text.
    fn notes(&self) -> &[String];

    /// Check, before training, that [`run`](Self::run) accepts this run.
    ///
    /// # Errors
    ///
    /// Settings that do not fit the method, the model or the number of steps.
    fn check(&self, run: &RunConfig) -> Result<RunFacts, TaskError>;

    /// The recipe that reproduces a run.
    fn recipe(&self, run: &RunConfig) -> Recipe;

    /// Training examples as the model sees them; see [`Task::sheet`].
    ///
    /// # Errors
    ///
    /// The errors of [`Task::sheet`].
    fn sheet(&self, seed: u64, columns: usize) -> Result<Option<Sheet>, TaskError>;

    /// The first `count` training examples of `run`, in training order, as the model reads them. Each example has the index of
    /// its batch. `None` for a task whose examples have no labeled tokens.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::shown`].
    fn shown(&self, run: &RunConfig, count: usize) -> Result<Option<Vec<(usize, Shown)>>, TaskError>;

    /// The second moments of the inputs of the base model's linear layers, computed on training examples that are sampled with
    /// `seed`. The keys are the names of the layers in checkpoint files.
    ///
    /// # Errors
    ///
    /// A checkpoint that cannot be read.
    fn observe_inputs(&self, seed: u64) -> Result<HashMap<String, InputMoment>, TaskError>;

    /// Train, and evaluate after each epoch. A continued run starts at its last checkpoint, and a finished run is not trained
    /// again.
    ///
    /// If there is a `folder`, the run writes its recipe, environment, metrics per step, checkpoints and results there. It also
    /// saves the adapter (or the whole model, if no adapter is trained) before the first step, after each epoch and after a stop.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check) and [`RunFolder::open`], before training starts, and the errors of [`fit`].
    fn run(
        &self,
        run: &RunConfig,
        label: &str,
        folder: Option<(&Path, Existing)>,
        stop: &StopSignal,
    ) -> Result<RunResult, TaskError>;
}

/// Facts of a run that are known before it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// The parameters that the checkpoint lacks. Each run initializes them from its seed.
    pub initialized: Vec<String>,
    /// The modules of the base model's checkpoint that the run does not use, such as the head of another task.
    pub left_out: Vec<String>,
    /// The number of trainable parameters.
    pub trained: usize,
    /// The number of all parameters, adapters included.
    pub total: usize,
    /// The number of optimizer steps.
    pub steps: usize,
}

/// Read the data of `task`. If `hold_out` is given, this share of the training examples replaces the evaluation examples.
///
/// # Errors
///
/// The errors of [`Task::read`].
pub fn read(task: &AnyTask, files: &Files, hold_out: Option<f64>) -> Result<Box<dyn ReadTask>, TaskError> {
    struct Read<'a>(&'a Files, Option<f64>);
    impl WithTask for Read<'_> {
        type Output = Result<Box<dyn ReadTask>, TaskError>;
        fn with<T: Task>(self, task: &T) -> Self::Output {
            let mut data = task.read(self.0)?;
            let task = task.settled(&data);
            if let Some(share) = self.1 {
                data = task.hold_out(data, share);
            }
            let options = toml::Table::try_from(task.options()).unwrap_or_default();
            let settled = AnyTask::named(&task.name(), &options).map_err(TaskError::task)?;
            Ok(Box::new(WithData { task, settled, data, name: self.0.pinned() }))
        }
    }
    task.visit(Read(files, hold_out))
}

struct WithData<T: Task> {
    task: T,
    /// The task, including those of its own settings that depend on the data.
    settled: AnyTask,
    data: T::Data,
    /// The name of the data in recipes.
    name: Option<String>,
}

impl<T: Task> ReadTask for WithData<T> {
    fn describe(&self) -> Vec<String> {
        self.task.describe(&self.data)
    }

    fn task(&self) -> AnyTask {
        self.settled.clone()
    }

    fn check_base(&self, base: &Base) -> Result<(), TaskError> {
        type Config<T> = <<T as Task>::Model as PretrainedModel>::Config;
        if base.checkpoint.config_of::<Config<T>>().is_ok() {
            return Ok(());
        }
        Err(TaskError::WrongModel {
            path: base.checkpoint.path().join("config.json"),
            task: self.task.name(),
            expected: <Config<T> as ModelConfig>::FAMILY,
            found: base.checkpoint.config().family(),
        })
    }

    fn prepare<'a>(
        self: Box<Self>,
        base: &'a Base,
        model: Option<String>,
        dtype: Option<Dtype>,
        device: &'a Device,
    ) -> Result<Box<dyn PreparedTask + 'a>, TaskError> {
        let Self { task, data, name, .. } = *self;
        let data = task.prepare(data, base)?;
        let read = dtype.map(|dtype| base.read::<T::Model>(dtype, device)).transpose()?.flatten();
        Ok(Box::new(Session { task, base, data, device, origin: Origin { model, data: name }, read }))
    }
}

/// The only implementation of [`PreparedTask`].
pub struct Session<'a, T: Task> {
    /// The task.
    pub task: T,
    /// The checkpoint.
    pub base: &'a Base,
    /// The task's data, ready for this checkpoint.
    pub data: Prepared<T>,
    /// The device, without autodiff.
    pub device: &'a Device,
    /// The names of the model and the data, for the recipe that a run writes.
    pub origin: Origin,
    /// The time that reading the checkpoint took, if it was read for this session.
    pub read: Option<Duration>,
}

/// The number of training examples from which factors are initialized if they depend on a layer's inputs. These examples have a
/// few thousand tokens, which is many times the rank.
const OBSERVED: usize = 128;

/// The maximum batch size of these examples.
const OBSERVED_BATCH: usize = 32;

/// The state at the start of a run.
type Start<T> = State<Optimized<<T as Task>::Model>>;

impl<T: Task> Session<'_, T> {
    /// The initial model of `run`, on the device without autodiff. A new head is initialized from the seed, the adapter is
    /// attached, and the parameters that are not trained are frozen.
    ///
    /// # Errors
    ///
    /// A checkpoint that cannot be read, and an adapter that does not fit.
    pub fn start(&self, run: &RunConfig) -> Result<(Loaded<T::Model>, Tuning), TaskError> {
        let seed = run.training.seed;
        let outputs = (self.task.outputs(), run.new_head);
        let Loaded { model, initialized, left_out } =
            self.base.load::<T::Model>(outputs, run.training.dtype, seed, self.device)?;
        let (naming, head) = (model.naming(), T::Model::keys(model.config()).task_head);
        let mut seen = Ok(());
        let observe = |model: &T::Model| seen = self.observe(model, seed);
        let applied = run.tuning.apply(self.task.label(model), (&naming, head), seed, observe);
        // If an example cannot be read, layers see too few examples. The error of the example is the cause, so it is returned
        // first.
        seen?;
        let (model, tuning) = applied?;
        Ok((Loaded { model, initialized, left_out }, tuning))
    }

    /// Pass training examples, sampled with `seed`, through `model`. All examples of a batch have the same length, since padding
    /// would be counted as input.
    fn observe(&self, model: &T::Model, seed: u64) -> Result<(), TrainError> {
        let (train, _) = self.task.of_run(&self.data, seed);
        for indices in observed(train.len(), |index| train.length(index), seed) {
            self.data.objective.loss(model, &train.collate(&indices, 0, self.device)?);
        }
        Ok(())
    }

    /// The state at the start of `run`, or at its `checkpoint`; the parameters that the base model's checkpoint lacks; and the
    /// modules of that checkpoint that the run does not use.
    fn state(
        &self,
        run: &RunConfig,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(Start<T>, [Vec<String>; 2]), TaskError> {
        run.validate()?;
        let (Loaded { model, initialized, left_out }, tuning) = self.start(run)?;
        // The temporary memory of the initialization is not counted as memory of the training.
        memory::reset_peak();
        let naming = model.naming();
        let (model, steps) = (model.train(), run.training.steps(self.data.train.len()));
        let state = match checkpoint {
            Some(checkpoint) => State::resume(model, tuning, &naming, &run.training, steps, checkpoint)?,
            None => State::new(model, tuning, &naming, &run.training, steps)?,
        };
        Ok((state, [initialized, left_out]))
    }

    /// A function that saves the adapter, or the whole model if no adapter is trained, into `folder`.
    fn keep<'b>(&'b self, folder: Option<&'b RunFolder>, seed: u64) -> Keep<'b, T::Model> {
        let Some(folder) = folder else { return Box::new(|_, _| Ok(())) };
        Box::new(move |model, tuning| match tuning {
            Tuning::Adapter(config) => {
                let options = SaveOptions {
                    naming: model.naming(),
                    base_model: Some(self.base.name()),
                    task_type: T::PEFT_TASK,
                    seed: Some(seed),
                };
                save_adapter(model, config, folder.adapter(), &options)?;
                self.task.save_inputs(self.base, Kept::Adapter, &folder.adapter()).map_err(TrainError::save)?;
                folder.copy_recipe(&folder.adapter())
            }
            Tuning::Full | Tuning::Head => {
                asym_models::save(model, folder.model(), FileDtype::F32).map_err(TrainError::save)?;
                self.task.save_inputs(self.base, Kept::Model, &folder.model()).map_err(TrainError::save)?;
                folder.copy_recipe(&folder.model())
            }
        })
    }
}

impl<T: Task> PreparedTask for Session<'_, T> {
    fn read_in(&self) -> Option<Duration> {
        self.read
    }

    fn notes(&self) -> &[String] {
        &self.data.notes
    }

    fn check(&self, run: &RunConfig) -> Result<RunFacts, TaskError> {
        let (state, [initialized, left_out]) = self.state(run, None)?;
        let table = inspect(state.model(), &state.model().naming());
        let steps = run.training.steps(self.data.train.len());
        Ok(RunFacts { initialized, left_out, trained: table.trained(), total: table.total(), steps })
    }

    fn recipe(&self, run: &RunConfig) -> Recipe {
        Recipe::of(run, self.origin.model.clone(), self.origin.data.clone())
    }

    fn sheet(&self, seed: u64, columns: usize) -> Result<Option<Sheet>, TaskError> {
        self.task.sheet(&self.data, seed, columns)
    }

    fn shown(&self, run: &RunConfig, count: usize) -> Result<Option<Vec<(usize, Shown)>>, TaskError> {
        run.validate()?;
        let (train, _) = self.task.of_run(&self.data, run.training.seed);
        let lengths: Vec<usize> = (0..train.len()).map(|index| train.length(index)).collect();
        let batches = run.training.order().batches(&lengths, run.training.batch_size, 0).into_iter().enumerate();
        let places = batches.flat_map(|(number, batch)| batch.into_iter().map(move |index| (number, index)));
        let shown = |(number, index)| {
            let shown = self.task.shown(&self.data, self.base, index)?;
            Ok(shown.map(|shown| (number, shown)))
        };
        places.take(count).map(shown).collect()
    }

    fn observe_inputs(&self, seed: u64) -> Result<HashMap<String, InputMoment>, TaskError> {
        let model = self.base.load::<T::Model>((self.task.outputs(), false), Dtype::F32, seed, self.device)?.model;
        let mut seen = Ok(());
        let moments =
            asym_core::observe_inputs(&model, &model.naming(), |_| true, |model| seen = self.observe(model, seed));
        seen?;
        Ok(moments)
    }

    fn run(
        &self,
        run: &RunConfig,
        label: &str,
        folder: Option<(&Path, Existing)>,
        stop: &StopSignal,
    ) -> Result<RunResult, TaskError> {
        run.validate()?;
        let opened = folder
            .map(|(path, existing)| RunFolder::open(path, &self.recipe(run), self.base.name(), self.device, existing));
        let folder = match opened.transpose()? {
            Some(Opened::Finished(result)) => return Ok(result),
            Some(Opened::Run(folder)) => Some(folder),
            None => None,
        };
        let start = folder.as_ref().map(RunFolder::checkpoint).transpose();
        let start = start.map_err(TaskError::from).and_then(|checkpoint| Ok(self.state(run, checkpoint.flatten())?.0));
        let state = match start {
            Ok(state) => state,
            Err(error) => {
                folder.into_iter().for_each(RunFolder::discard);
                return Err(error);
            }
        };
        let result = self.train(state, run, label, folder.as_ref(), stop);
        if let (Err(TaskError::Train(error)), Some(folder)) = (&result, &folder)
            && error.is_divergence()
        {
            folder.fail(&error.to_string())?;
        }
        result
    }
}

impl<T: Task> Session<'_, T> {
    /// Train from `state`, and write the files of the run into `folder`.
    fn train(
        &self,
        mut state: Start<T>,
        run: &RunConfig,
        label: &str,
        folder: Option<&RunFolder>,
        stop: &StopSignal,
    ) -> Result<RunResult, TaskError> {
        let table = inspect(state.model(), &state.model().naming());
        let settings = &run.training;
        let device = self.device.clone().autodiff();
        let (train, evaluation) = self.task.of_run(&self.data, settings.seed);
        let train = Loader::new(train, settings.batch_size, settings.order(), &device)?;
        let surroundings =
            Run { label: label.to_string(), folder, stop: stop.clone(), keep: self.keep(folder, settings.seed) };
        let outcome = fit(&mut state, &self.data.objective, &train, &evaluation, surroundings)?;
        let names = (self.task.name(), run.tuning.to_string(), settings.seed);
        let result = RunResult::new(names, &outcome, (table.trained(), table.total()));
        match folder {
            Some(folder) => Ok(folder.finish(result)?),
            None => Ok(result),
        }
    }
}

/// Batches of up to [`OBSERVED`] examples, sampled with `seed`. All examples of a batch have the same length.
fn observed(examples: usize, length: impl Fn(usize) -> usize, seed: u64) -> Vec<Vec<usize>> {
    let order = Order::Shuffled { seed: derive_seed(seed, "observed", 0) }.batches(&vec![0; examples], 1, 0);
    let mut chosen: Vec<usize> = order.into_iter().flatten().take(OBSERVED).collect();
    chosen.sort_by_key(|index| length(*index));
    let equal = chosen.chunk_by(|a, b| length(*a) == length(*b));
    equal.flat_map(|equal| equal.chunks(OBSERVED_BATCH)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observed_batches_are_unpadded_and_depend_on_the_seed() {
        let batches = |seed| observed(1000, |index| 5 + index % 7, seed);
        let found = batches(1);
        let mut seen: Vec<usize> = found.iter().flatten().copied().collect();
        for batch in &found {
            assert!((1..=OBSERVED_BATCH).contains(&batch.len()));
            assert!(batch.iter().all(|index| index % 7 == batch[0] % 7), "{batch:?}");
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), OBSERVED);
        assert_eq!(found, batches(1));
        assert_ne!(found, batches(2));
        assert_eq!(observed(3, |_| 5, 1).concat().len(), 3);
    }
}
