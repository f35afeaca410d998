//! One cell of a table: a run of a task. This file alone joins tasks and the loop.

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

/// The names by which model and data were asked for; none if they are compiled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Folder or name on the Hub of the checkpoint.
    pub model: Option<String>,
    /// Folder or name on the Hub of the data.
    pub data: Option<String>,
}

/// A task whose data were read.
pub trait ReadTask {
    /// Lines on the data, for people.
    fn describe(&self) -> Vec<String>;

    /// The task, with the settings of its own that the data decide.
    fn task(&self) -> AnyTask;

    /// Refuse a checkpoint that the task cannot train, before it is read.
    ///
    /// # Errors
    ///
    /// [`TaskError::WrongModel`].
    fn check_base(&self, base: &Base) -> Result<(), TaskError>;

    /// Make the data ready for training on `base`, which comes from `model`, and read its weights in the dtype that the runs have.
    /// Without a dtype, no weight is read.
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

/// A task with its data and its model: everything that its runs share.
pub trait PreparedTask {
    /// The time that reading the checkpoint took, if it was read for this task.
    fn read_in(&self) -> Option<Duration>;

    /// Lines on the prepared data, for people.
    fn notes(&self) -> &[String];

    /// Refuse, before training, a run that [`run`](Self::run) would refuse.
    ///
    /// # Errors
    ///
    /// Settings that do not fit the method, the model or the number of steps.
    fn check(&self, run: &RunConfig) -> Result<RunFacts, TaskError>;

    /// The recipe that repeats a run.
    fn recipe(&self, run: &RunConfig) -> Recipe;

    /// Training examples as the model is shown them: see [`Task::sheet`].
    ///
    /// # Errors
    ///
    /// The errors of [`Task::sheet`].
    fn sheet(&self, seed: u64, columns: usize) -> Result<Option<Sheet>, TaskError>;

    /// The first `count` training examples of `run`, in the order in which it sees them, as the model reads them: each with the
    /// number of its batch, from 0. `None` for a task whose examples have no labeled tokens.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::shown`].
    fn shown(&self, run: &RunConfig, count: usize) -> Result<Option<Vec<(usize, Shown)>>, TaskError>;

    /// The second moments of the inputs of the base model's linear layers, by their names in files, on training examples that
    /// are drawn from `seed`.
    ///
    /// # Errors
    ///
    /// A checkpoint that cannot be read.
    fn observe_inputs(&self, seed: u64) -> Result<HashMap<String, InputMoment>, TaskError>;

    /// Train, and evaluate after each epoch. A run that is continued starts at its last checkpoint, and one that was finished is
    /// not trained again.
    ///
    /// With a `folder`, the run leaves there its recipe, environment, metrics per step, checkpoints, results, and the adapter (or
    /// the whole model, if no adapter is trained) as of the last good epoch.
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
    /// The parameters that the checkpoint lacks, which each run draws from its seed.
    pub initialized: Vec<String>,
    /// The modules of the base model's checkpoint that are left out, such as the head of another task.
    pub left_out: Vec<String>,
    /// The number of trained parameters.
    pub trained: usize,
    /// The number of all parameters, adapters included.
    pub total: usize,
    /// Optimizer steps.
    pub steps: usize,
}

/// Read the data of `task`. With `hold_out`, this share of the training examples takes the place of those to evaluate on.
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
    /// The same.
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

/// The one implementation of [`PreparedTask`].
pub struct Session<'a, T: Task> {
    /// The task.
    pub task: T,
    /// The checkpoint.
    pub base: &'a Base,
    /// The task's data, ready for this checkpoint.
    pub data: Prepared<T>,
    /// The device, plain.
    pub device: &'a Device,
    /// The names of model and data, for the recipe that a run leaves.
    pub origin: Origin,
    /// The time that reading the checkpoint took.
    pub read: Option<Duration>,
}

/// The number of training examples for factors that are initialized from a layer's inputs: a few thousand tokens, many
/// times the rank.
const OBSERVED: usize = 128;

/// Examples that pass at once.
const OBSERVED_BATCH: usize = 32;

/// The state at the start of a run.
type Start<T> = State<Optimized<<T as Task>::Model>>;

impl<T: Task> Session<'_, T> {
    /// The model that `run` starts from, on the plain device: the head drawn from the seed, adapters attached, the rest frozen.
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
        // An example that cannot be read is the cause of a layer that saw too few.
        seen?;
        let (model, tuning) = applied?;
        Ok((Loaded { model, initialized, left_out }, tuning))
    }

    /// Pass training examples, drawn from `seed`, through `model`. Examples of the same length form a batch, since padding
    /// would count as input.
    fn observe(&self, model: &T::Model, seed: u64) -> Result<(), TrainError> {
        let (train, _) = self.task.of_run(&self.data, seed);
        for indices in observed(train.len(), |index| train.length(index), seed) {
            self.data.objective.loss(model, &train.collate(&indices, 0, self.device)?);
        }
        Ok(())
    }

    /// The state at the start of `run`, or at its `checkpoint`, and the parameters that the base model's checkpoint lacks.
    fn state(
        &self,
        run: &RunConfig,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(Start<T>, [Vec<String>; 2]), TaskError> {
        run.validate()?;
        let (Loaded { model, initialized, left_out }, tuning) = self.start(run)?;
        // The temporary memory of an initialization is not part of training.
        memory::reset_peak();
        let naming = model.naming();
        let (model, steps) = (model.train(), run.training.steps(self.data.train.len()));
        let state = match checkpoint {
            Some(checkpoint) => State::resume(model, tuning, &naming, &run.training, steps, checkpoint)?,
            None => State::new(model, tuning, &naming, &run.training, steps)?,
        };
        Ok((state, [initialized, left_out]))
    }

    /// Saves the adapter, or the whole model if no adapter is trained, into `folder`.
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
    /// Train from `state` on, in `folder`.
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

/// Batches of some examples, drawn from `seed`, each of one length.
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
    fn no_observed_batch_has_padding_and_the_seed_chooses() {
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
