//! Work that some methods do in addition to the optimizer's step: AdaLoRA's ranks and penalty, LoRA-FA's projection.

use std::path::Path;

use asym_core::optim::ProjectedGradient;
use asym_core::{AdapterError, Method, Naming, RankAllocator, orthogonality};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;

use crate::{TrainSettings, Tuning};

/// The operations of a method in the loop, and their state. Most methods have none.
pub(crate) struct MethodState {
    tuning: Tuning,
    ranks: Option<RankAllocator>,
    projection: Option<ProjectedGradient>,
    /// The weight of AdaLoRA's penalty.
    orthogonality: f64,
}

impl MethodState {
    /// The state for `model`, to which `tuning` was applied, in a run of `steps` steps.
    ///
    /// # Errors
    ///
    /// The errors of the method for settings that do not fit it or this number of steps.
    pub(crate) fn new<M: Module>(
        settings: &TrainSettings,
        tuning: Tuning,
        model: &M,
        naming: &Naming,
        steps: usize,
    ) -> Result<Self, AdapterError> {
        let mut state = Self { tuning, ranks: None, projection: None, orthogonality: 0.0 };
        let Tuning::Adapter(config) = &mut state.tuning else { return Ok(state) };
        if settings.projected_gradient {
            state.projection = Some(ProjectedGradient::new(config, model, naming)?);
        }
        if let Method::AdaLora(adalora) = &mut config.method {
            *adalora = adalora.for_training(steps);
            state.ranks = Some(RankAllocator::new(adalora, model, naming)?);
            state.orthogonality = adalora.orthogonality;
        }
        Ok(state)
    }

    /// The tuning, with the current ranks.
    pub(crate) fn tuning(&self) -> Tuning {
        let mut tuning = self.tuning.clone();
        if let (Tuning::Adapter(config), Some(ranks)) = (&mut tuning, &self.ranks)
            && let Method::AdaLora(settings) = &mut config.method
        {
            settings.rank_pattern = ranks.rank_pattern().clone();
        }
        tuning
    }

    /// The part of the state that changes during a run, as the bytes of the file `path`; `None` if nothing changes.
    pub(crate) fn to_bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, AdapterError> {
        self.ranks.as_ref().map(|ranks| ranks.to_bytes(path)).transpose()
    }

    /// Restore the state from the bytes of [`to_bytes`](Self::to_bytes), on `device`, which has no autodiff.
    pub(crate) fn restore(&mut self, bytes: &[u8], path: &Path, device: &Device) -> Result<(), AdapterError> {
        self.ranks.as_mut().map_or(Ok(()), |ranks| ranks.restore(bytes, path, device))
    }

    /// The gradients of the method's additional term of the loss, if it has one. The reported loss does not include this term, so
    /// that it can be compared with the loss of other methods.
    pub(crate) fn penalty<M: Module>(&self, model: &M) -> Option<GradientsParams> {
        let penalty = (self.orthogonality > 0.0).then(|| orthogonality(model)).flatten()?;
        Some(GradientsParams::from_grads(penalty.mul_scalar(self.orthogonality).backward(), model))
    }

    /// The gradients for the optimizer.
    pub(crate) fn gradients<M: Module>(&mut self, model: &M, gradients: GradientsParams) -> GradientsParams {
        if let Some(ranks) = &mut self.ranks {
            ranks.observe(model, &gradients);
        }
        match &self.projection {
            Some(projection) => projection.apply(gradients),
            None => gradients,
        }
    }

    /// The model after the optimizer's `step`, counted from 0, if the method changes it.
    pub(crate) fn after_step<M: Module>(&mut self, model: impl FnOnce() -> M, step: usize) -> Option<M> {
        self.ranks.as_mut().map(|ranks| ranks.allocate(model(), step))
    }
}
