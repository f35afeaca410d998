//! The training loop.
//!
//! The loop uses a model only through its optimizer, a batch only through its weight, and a task only through its objective and
//! its evaluation. [`fit`] runs the loop on a [`State`]; [`FineTuning`](crate::FineTuning) runs it within burn-train.

use std::time::{Duration, Instant};

use asym_core::random::derive_seed;
use burn::module::Module;
use burn::optim::GradientsAccumulator;
use burn::tensor::{Device, FloatDType, Tensor};

use crate::clip::clip_by_global_norm;
use crate::objective::Gradients;
use crate::parameters::all_finite;
use crate::state::{Optimized, Position, State, Update};
use crate::surroundings::{Step, Surroundings};
use crate::{Batch, Evaluation, Loader, Objective, Outcome, Run, Source, TrainError};

/// Train `state` for the remaining epochs, and evaluate after each epoch.
///
/// Each step accumulates the gradients of `gradient_accumulation` batches, each weighted by its share of the terms of the loss,
/// clips the gradient by its norm over all parameters, and updates the model. The random numbers of a step, such as dropout,
/// depend only on (seed, step). The model is saved with [`Run::keep`] before the first step, after each epoch, and after a stop.
/// With a folder, checkpoints are saved too, also within epochs. [`State::resume`] continues from a checkpoint.
///
/// # Errors
///
/// [`TrainError::NonFiniteLoss`], [`TrainError::NonFiniteWeights`] and [`TrainError::NonFiniteScore`] at the first value that is
/// not finite; [`TrainError::NoExamples`]; [`TrainError::OtherData`] if a run continues on different examples; and the errors of
/// the data, of the evaluation and of the run's folder. The model that was saved last is kept.
///
/// After [`TrainError::NonFiniteLoss`], the model has the weights from before the step, but the optimizer, the schedule and the
/// method's own state include the step. Do not train this state further.
pub fn fit<O, S, E>(
    state: &mut State<Optimized<O::Model>>,
    objective: &O,
    train: &Loader<S>,
    evaluation: &E,
    run: Run<'_, O::Model>,
) -> Result<Outcome, TrainError>
where
    O: Objective,
    S: Source<Batch = O::Batch>,
    E: Evaluation<O::Model>,
{
    let mut run = run.begin(evaluation, state, train.digest())?;
    let complete = train_all(state, objective, train, &mut run)?;
    Ok(run.end(complete))
}

/// The batches of the epochs.
pub(crate) trait Epochs<B> {
    /// The number of examples in an epoch.
    fn examples(&self) -> usize;

    /// The batches of `epoch`, counted from 0, without the first `skip` batches.
    fn batches(&self, epoch: usize, skip: usize) -> Box<dyn Iterator<Item = Result<B, TrainError>> + '_>;
}

impl<S: Source> Epochs<S::Batch> for Loader<S> {
    fn examples(&self) -> usize {
        self.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Box<dyn Iterator<Item = Result<S::Batch, TrainError>> + '_> {
        Box::new(self.epoch(epoch).skip_batches(skip))
    }
}

/// Train all remaining epochs. Returns false if a stop ended the training early.
pub(crate) fn train_all<U, G, H>(
    state: &mut State<U>,
    objective: &G,
    train: &dyn Epochs<G::Batch>,
    around: &mut H,
) -> Result<bool, TrainError>
where
    U: Update,
    G: Gradients<U::Model>,
    H: Surroundings<U, G::Report>,
{
    if train.examples() == 0 {
        return Err(TrainError::NoExamples);
    }
    around.keep(state)?;
    let mut complete = true;
    while complete && state.position.epoch < state.settings.epochs {
        let epoch = state.position.epoch;
        around.epoch_started(epoch, train.examples());
        complete = train_epoch(state, objective, train, around)?;
        around.epoch_trained(epoch);
        // No loss follows the last step of the epoch, so its weights are checked here.
        if !all_finite(&state.trainee.model()) {
            return Err(TrainError::NonFiniteWeights { step: state.position.step });
        }
        // The run is also saved after a stop within an epoch, since the training so far is usable.
        around.keep(state)?;
        complete = complete && around.evaluate(epoch, &state.trainee)?;
        if complete {
            state.position = Position { epoch: epoch + 1, batch: 0, step: state.position.step };
            around.epoch_ended(state)?;
        }
    }
    Ok(complete)
}

/// Train the remaining steps of an epoch. Returns false if a stop ended it early.
fn train_epoch<U, G, H>(
    state: &mut State<U>,
    objective: &G,
    train: &dyn Epochs<G::Batch>,
    around: &mut H,
) -> Result<bool, TrainError>
where
    U: Update,
    G: Gradients<U::Model>,
    H: Surroundings<U, G::Report>,
{
    let mut batches = train.batches(state.position.epoch, state.position.batch);
    while !around.should_stop() {
        let started = Instant::now();
        let group = batches.by_ref().take(state.settings.gradient_accumulation).collect::<Result<Vec<_>, _>>()?;
        if group.is_empty() {
            return Ok(true);
        }
        let input = started.elapsed();
        let step = train_step(state, objective, group, input, around)?;
        around.stepped(step, state)?;
    }
    Ok(false)
}

/// One step: the gradients of each batch, accumulation, clipping, the operations of the method, and the optimizer.
fn train_step<U, G, H>(
    state: &mut State<U>,
    objective: &G,
    group: Vec<G::Batch>,
    input: Duration,
    around: &mut H,
) -> Result<Step, TrainError>
where
    U: Update,
    G: Gradients<U::Model>,
    H: Surroundings<U, G::Report>,
{
    let State { settings, trainee, method, position, .. } = state;
    let model = trainee.model();
    // The device's seed depends only on (seed, step), so a run can be repeated bit for bit.
    device_of(&model).seed(derive_seed(settings.seed, "step", position.step as u64));
    let rate = trainee.next_rate();
    let (batches, examples) = (group.len(), group.iter().map(Batch::examples).sum());
    let total: f64 = group.iter().map(Batch::weight).sum();
    let (mut accumulator, mut loss) = (GradientsAccumulator::new(), None);
    for batch in group {
        let (count, share) = (batch.examples(), batch.weight() / total);
        // A batch without weight contributes nothing to training, and the mean over zero examples is not a number.
        if batch.weight() == 0.0 {
            continue;
        }
        let (report, gradients) = objective.gradients(&model, batch, share);
        accumulator.accumulate(&model, gradients);
        let part = G::loss(&report).map(|loss| loss.mul_scalar(share));
        loss = match (loss, part) {
            (Some(sum), Some(part)) => Some(sum + part),
            (sum, part) => sum.or(part),
        };
        around.passed(report, count, &rate, position.step + 1);
    }
    if let Some(penalty) = method.penalty(&model) {
        accumulator.accumulate(&model, penalty);
    }
    let (norm, gradients) = clip_by_global_norm(&model, accumulator.grads(), settings.max_grad_norm);
    let gradients = method.gradients(&model, gradients);
    trainee.update(rate.clone(), gradients);

    // The values are read only after the whole step is queued, so that the device does not wait for the host.
    let (loss, grad_norm) = read(loss, norm);
    if !(loss.is_none_or(f64::is_finite) && grad_norm.is_finite()) {
        // Restore the weights from before the step.
        trainee.replace(model);
        let step = position.step + 1;
        return Err(TrainError::NonFiniteLoss { loss, grad_norm, step, learning_rate: rate.base() });
    }
    drop(model);
    if let Some(model) = method.after_step(|| trainee.model(), position.step) {
        trainee.replace(model);
    }
    position.step += 1;
    position.batch += batches;
    let (number, epoch, learning_rate) = (position.step, position.epoch, rate.base());
    Ok(Step { loss, grad_norm, learning_rate, number, epoch, examples, input })
}

/// The values of both tensors, in one transfer.
fn read(loss: Option<Tensor<1>>, norm: Tensor<1>) -> (Option<f64>, f64) {
    let values: Vec<f64> = match &loss {
        Some(loss) => {
            Tensor::cat(vec![norm, loss.clone().cast(FloatDType::F32)], 0).into_data().iter::<f64>().collect()
        }
        None => norm.into_data().iter::<f64>().collect(),
    };
    (values.get(1).copied(), values.first().copied().unwrap_or(f64::NAN))
}

fn device_of<M: Module>(model: &M) -> Device {
    model.devices().into_iter().next().unwrap_or_default()
}
