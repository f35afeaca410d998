//! Fine-tuning: one run, from a checkpoint and a recipe to a folder.

mod clip;
mod interrupt;
mod log;
mod metrics;
mod observe;
mod progress;
mod schedule;
mod steering;
mod step;
mod strategy;
mod times;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use asym_core::{InputMoment, SaveOptions, inspect, save_adapter, train_only};
use asym_models::{FileDtype, Loaded, SequenceClassifier};
use burn::module::Module;
use burn::optim::AdamWConfig;
use burn::tensor::Device;
use burn::train::{Learner, SupervisedTraining, TrainingStrategy};

pub use clip::clip_by_global_norm;
pub use interrupt::StopSignal;
pub use log::Epoch;
pub use schedule::LinearWarmup;
pub use times::Pace;

use self::log::{History, JsonLines};
use self::metrics::{Scalar, ScalarMetric, ScoreMetric};
use self::progress::Progress;
use self::steering::Steering;
pub(crate) use self::step::{Trainee, answers};
use self::strategy::{Failure, FineTuning, Save};
use self::times::Times;
use crate::base::{Base, Prepared};
use crate::batch::{Loader, Order};
use crate::error::TaskError;
use crate::memory;
use crate::plan::Plan;
use crate::recipe::{Grouping, Recipe, Tuning};
use crate::run::{RunFolder, RunResult};

/// The modules that make up the task head, trained in every method.
const HEAD: &str = "classifier";

/// What runs share: the model they start from, the data, the device.
pub struct Session<'a> {
    /// The checkpoint and its tokenizer.
    pub base: &'a Base,
    /// The task's data, encoded for this checkpoint.
    pub data: &'a Prepared,
    /// The device, plain.
    pub device: &'a Device,
    /// Who may ask to stop.
    pub stop: &'a StopSignal,
    /// Where model and data came from, for the recipe that a run leaves: none where they are compiled in.
    pub origin: Origin,
}

/// What model and data were asked for by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Folder or name on the Hub of the checkpoint.
    pub model: Option<String>,
    /// Folder or name on the Hub of the data.
    pub data: Option<String>,
}

impl Session<'_> {
    /// The model that `recipe` starts from, on the plain device: the head drawn from the seed, adapters attached, the rest
    /// frozen. `train()` takes it into the autodiff graph.
    ///
    /// # Errors
    ///
    /// What loading the checkpoint or attaching the adapter refuses.
    pub fn start(&self, recipe: &Recipe) -> Result<(Loaded<SequenceClassifier>, Tuning), TaskError> {
        let outputs = self.data.task.outputs();
        let loaded = self.base.checkpoint.sequence_classifier(Some(outputs), recipe.seed, self.device)?;
        let naming = loaded.model.naming();
        let Loaded { model, initialised } = loaded;
        let model = model.with_labels(self.data.task.row().answers.names());
        let (model, tuning) = match &recipe.tuning {
            Tuning::Full => (model, Tuning::Full),
            Tuning::Head => (train_only(model, &naming, &[HEAD.to_string()])?, Tuning::Head),
            Tuning::Adapter(config) => {
                let mut config = config.clone();
                if config.modules_to_save.is_empty() {
                    config.modules_to_save = vec![HEAD.to_string()];
                }
                let observe = |model: &_| observe::observe(model, self.data, recipe.seed, self.device);
                let model = config.attach_observed(model, recipe.seed, &naming, observe)?;
                (model, Tuning::Adapter(config))
            }
        };
        Ok((Loaded { model, initialised }, tuning))
    }

    /// The second moments of what the base model's linear layers read on training examples drawn from `seed`, by their names
    /// in files: those that factors start from which start from a layer's input.
    ///
    /// # Errors
    ///
    /// What loading the checkpoint refuses.
    pub fn observe_inputs(&self, seed: u64) -> Result<HashMap<String, InputMoment>, TaskError> {
        let outputs = self.data.task.outputs();
        let model = self.base.checkpoint.sequence_classifier(Some(outputs), seed, self.device)?.model;
        let observe = |model: &_| observe::observe(model, self.data, seed, self.device);
        Ok(asym_core::observe_inputs(&model, &model.naming(), |_| true, observe))
    }

    /// Refuse what [`run`](Self::run) would refuse before training, on the plain device. Returns the parameters that the
    /// checkpoint lacks, which each run draws from its seed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and settings of the recipe that do not fit its method or the number of its steps.
    pub fn check(&self, recipe: &Recipe) -> Result<Vec<String>, TaskError> {
        recipe.validate()?;
        let (Loaded { model, initialised }, tuning) = self.start(recipe)?;
        Steering::new(recipe, tuning, &Trainee { model }, self.steps(recipe))?;
        Ok(initialised)
    }

    /// The recipe file that repeats a run of `recipe`.
    pub fn plan(&self, recipe: &Recipe) -> Plan {
        Plan::of(recipe, self.origin.model.clone(), self.origin.data.clone())
    }

    fn steps(&self, recipe: &Recipe) -> usize {
        recipe.epochs * recipe.steps_per_epoch(self.data.train.len())
    }

    /// Train as `recipe` says and measure the development set after each epoch.
    ///
    /// With a `folder`, which must be new, the run leaves there its recipe, environment, metrics per step, results, and
    /// the adapter (or the whole model, where no adapter is trained) as of the last good epoch.
    ///
    /// # Errors
    ///
    /// Everything that can be refused is refused before training starts. A loss or gradient that is not finite stops the
    /// run: [`TaskError::NonFiniteLoss`].
    pub fn run(&self, recipe: &Recipe, label: &str, folder: Option<&Path>) -> Result<RunResult, TaskError> {
        recipe.validate()?;
        let (Loaded { model, .. }, tuning) = self.start(recipe)?;
        // From here on: what drawing an init needs for a moment is no part of training.
        memory::reset_peak();
        let naming = model.naming();
        let table = inspect(&model, &naming);
        let steps = self.steps(recipe);
        let trainee = Trainee { model: model.train() };
        let steering = Steering::new(recipe, tuning, &trainee, steps)?;
        let folder = folder
            .map(|path| RunFolder::create(path, &self.plan(recipe), self.base.name(), self.device))
            .transpose()?;

        let history = History::default();
        let lines = JsonLines::new(folder.as_ref().map(RunFolder::metrics).as_deref(), history.clone())?;
        let failure = Failure::default();
        let times = Times::default();
        let strategy = FineTuning {
            recipe: recipe.clone(),
            device: self.device.clone(),
            steering: Mutex::new(steering),
            save: self.save(folder.as_ref(), recipe.seed),
            failure: failure.clone(),
            times: times.clone(),
        };
        let (train, dev) = self.loaders(recipe)?;
        // PyTorch's ε; Burn's default is a thousand times larger.
        let optimizer = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(recipe.weight_decay as f32).init();
        let schedule = steering::schedule(recipe, &trainee, steps);
        let learner = Learner::new(trainee, optimizer, schedule);

        let started = Instant::now();
        let mut training = SupervisedTraining::new(".", Arc::new(train), Arc::new(dev))
            .with_application_logger(None)
            .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)))
            .with_interrupter(self.stop.begin())
            .with_metric_logger(lines)
            .renderer(Box::new(Progress::new(label)))
            .num_epochs(recipe.epochs)
            .metric_train_numeric(ScalarMetric::new(Scalar::Loss))
            .metric_train_numeric(ScalarMetric::new(Scalar::LearningRate))
            .metric_train_numeric(ScalarMetric::new(Scalar::GradientNorm))
            .metric_valid_numeric(ScalarMetric::new(Scalar::Loss));
        for score in self.data.task.scores() {
            let members = score.part.map_or(0..self.data.dev.len(), |part| self.data.parts[part].clone());
            training = training.metric_valid_numeric(ScoreMetric::new(score.to_string(), score.metric, members));
        }
        let outcome = training.launch(learner);
        let seconds = started.elapsed().as_secs_f64();

        if let Some(error) = failure.take() {
            return Err(error);
        }
        if let Some(source) = outcome.error {
            return Err(TaskError::Training { source });
        }
        if let (Some(source), Some(folder)) = (history.failure(), &folder) {
            return Err(TaskError::Io { path: folder.metrics(), source });
        }
        let epochs = history.epochs();
        let losses = history.losses();
        let result = RunResult {
            method: recipe.tuning.to_string(),
            task: recipe.task,
            seed: recipe.seed,
            scores: epochs.last().map(|epoch| epoch.dev.clone()).unwrap_or_default(),
            epochs,
            trainable: table.trained(),
            total: table.total(),
            steps: losses.len(),
            seconds,
            training: times.training(),
            measuring: times.measuring(),
            peak_bytes: (memory::current() > 0).then(memory::peak),
            interrupted: outcome.interrupted.is_some(),
            losses,
        };
        if let Some(folder) = &folder {
            folder.finish(&result)?;
        }
        Ok(result)
    }

    fn loaders(&self, recipe: &Recipe) -> Result<(Loader, Loader), TaskError> {
        let order = match recipe.grouping {
            Grouping::ByLength => Order::Grouped { seed: recipe.seed },
            Grouping::None => Order::Shuffled { seed: recipe.seed },
        };
        let loader = |examples: &Arc<[_]>, batch_size, order| {
            Loader::new(examples.clone(), batch_size, order, self.data.padding, self.device)
        };
        // No gradients are kept while measuring, so that twice the batch takes no more memory.
        let dev = loader(&self.data.dev, 2 * recipe.batch_size, Order::ByLength)?;
        Ok((loader(&self.data.train, recipe.batch_size, order)?, dev))
    }

    fn save(&self, folder: Option<&RunFolder>, seed: u64) -> Save {
        let Some(folder) = folder.cloned() else { return Arc::new(|_, _| Ok(())) };
        let (base, tokenizer) = (self.base.name().to_string(), self.base.tokenizer.clone());
        Arc::new(move |trainee, tuning| {
            let model = &trainee.model;
            match tuning {
                Tuning::Adapter(config) => {
                    let options = SaveOptions {
                        naming: model.naming(),
                        base_model: Some(&base),
                        task_type: Some("SEQ_CLS"),
                        seed: Some(seed),
                    };
                    Ok(save_adapter(model, config, folder.adapter(), &options)?)
                }
                Tuning::Full | Tuning::Head => {
                    asym_models::save(model, folder.model(), FileDtype::F32)?;
                    // Without it the folder answers no text.
                    tokenizer.save(&folder.model())
                }
            }
        })
    }
}
