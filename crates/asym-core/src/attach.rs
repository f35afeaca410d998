//! Attaching adapters: which weights get one, what is frozen, what is trained whole.

use std::collections::{HashMap, HashSet};

use burn::module::{Module, Param, Reparameterizer};
use burn::tensor::Tensor;
use regex::Regex;

use crate::adapter::LowRank;
use crate::layout::{self, Entry, Kind, Naming};
use crate::{Adapter, AdapterConfig, AdapterError, Method, Targets};

impl AdapterConfig {
    /// Attach this adapter to `model`, whose files are named as its Burn paths.
    ///
    /// See [`attach_named`](Self::attach_named).
    ///
    /// # Errors
    ///
    /// As [`attach_named`](Self::attach_named).
    pub fn attach<M: Module>(&self, model: M, seed: u64) -> Result<M, AdapterError> {
        self.attach_named(model, seed, &Naming::BURN)
    }

    /// Attach this adapter to `model`, freeze its weights, and leave the modules to save trained.
    ///
    /// Targets and modules to save are matched against names as `naming` gives them, and each factor is drawn from
    /// (`seed`, name). An [`AdaptedLinear`](crate::AdaptedLinear) then runs the factored forward. Any other linear layer
    /// composes its dense weight in each forward: autodiff keeps that weight and the layer's input, and computes a
    /// gradient of the weight's shape, so that this path costs the memory that freezing A would save.
    ///
    /// Everything that is frozen leaves the autodiff graph, and stays out of it through `train`, `valid`, `fork`, records
    /// and [`merge`](crate::merge). Only `unfreeze` and `set_require_grad` undo it.
    ///
    /// # Errors
    ///
    /// A setting out of its range; a target or module to save that matches nothing; a rank that does not fit a layer;
    /// dropout on a layer that composes its weight; a model that has adapters.
    pub fn attach_named<M: Module>(&self, model: M, seed: u64, naming: &Naming) -> Result<M, AdapterError> {
        self.validate()?;
        let entries = layout::entries(&model, naming);
        if let Some(entry) = entries.iter().find(|entry| entry.kind == Kind::Adapter) {
            return Err(AdapterError::AlreadyAdapted { module: entry.module().to_string() });
        }
        let trained = trained_whole(&entries, &self.modules_to_save)?;
        let targets = self.matching(&entries, &trained)?;
        for entry in &targets {
            self.check_fit(entry)?;
        }
        let targets = targets.into_iter().map(|entry| (entry.path.clone(), entry.module().to_string())).collect();
        let mut error = None;
        let model =
            model.apply_reparameterization(Attacher { config: Some(self), seed, targets, trained, error: &mut error });
        match error {
            Some(error) => Err(error),
            None => Ok(model),
        }
    }

    /// The weights that this adapter's targets name.
    fn matching<'a>(&self, entries: &'a [Entry], trained: &HashSet<String>) -> Result<Vec<&'a Entry>, AdapterError> {
        let linear: Vec<&Entry> = entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::AdaptedLinear | Kind::Linear))
            .filter(|entry| !trained.contains(&entry.path))
            .collect();
        let no_match = |pattern: &str| AdapterError::NoMatch {
            field: "targets",
            pattern: pattern.to_string(),
            available: layout::last_segments(linear.iter().map(|entry| entry.module())),
        };
        let found: Vec<&Entry> = match &self.targets {
            Targets::Pattern(word) if word == Targets::ALL_LINEAR => linear.clone(),
            Targets::Pattern(pattern) => {
                // The whole name must match, as in PEFT.
                let regex = Regex::new(&format!("^(?:{pattern})$"))
                    .map_err(|source| AdapterError::Pattern { pattern: pattern.clone(), source: Box::new(source) })?;
                linear.iter().filter(|entry| regex.is_match(entry.module())).copied().collect()
            }
            Targets::Names(wanted) => {
                for name in wanted {
                    if !linear.iter().any(|entry| layout::names(entry.module(), name)) {
                        return Err(no_match(name));
                    }
                }
                linear
                    .iter()
                    .filter(|entry| wanted.iter().any(|name| layout::names(entry.module(), name)))
                    .copied()
                    .collect()
            }
        };
        match (&self.targets, found.is_empty()) {
            (_, false) => Ok(found),
            (Targets::Pattern(pattern), true) => Err(no_match(pattern)),
            (Targets::Names(wanted), true) => Err(no_match(&wanted.join(", "))),
        }
    }

    fn check_fit(&self, entry: &Entry) -> Result<(), AdapterError> {
        let module = entry.module().to_string();
        if entry.kind == Kind::Linear && self.dropout > 0.0 {
            return Err(AdapterError::DropoutOnDense { module, dropout: self.dropout });
        }
        match *entry.shape.as_slice() {
            [d_output, d_input] if self.rank <= d_input.min(d_output) => Ok(()),
            [d_output, d_input] => Err(AdapterError::Rank { module, rank: self.rank, d_input, d_output }),
            _ => Err(AdapterError::Rank { module, rank: self.rank, d_input: 0, d_output: 0 }),
        }
    }
}

/// Freeze `model` but for the modules that `names` names: head-only training, the paper's linear probing.
///
/// # Errors
///
/// [`AdapterError::NoMatch`] if a name matches nothing.
pub fn train_only<M: Module>(model: M, naming: &Naming, names: &[String]) -> Result<M, AdapterError> {
    let trained = trained_whole(&layout::entries(&model, naming), names)?;
    Ok(model.apply_reparameterization(Attacher {
        config: None,
        seed: 0,
        targets: HashMap::new(),
        trained,
        error: &mut None,
    }))
}

/// Fold the adapters into the weights they belong to: a plain module with the same outputs.
///
/// The merged weights stay frozen, as their bases were. Where the forward of a layer is factored, the results differ by
/// rounding alone.
pub fn merge<M: Module>(model: M) -> M {
    model.materialize()
}

/// The paths of the parameters that lie in the modules that `names` names.
fn trained_whole(entries: &[Entry], names: &[String]) -> Result<HashSet<String>, AdapterError> {
    if let Some(pattern) = names.iter().find(|name| !entries.iter().any(|entry| layout::within(&entry.name, name))) {
        // What is outside the numbered layers is what one would train whole.
        let outside = entries
            .iter()
            .map(Entry::module)
            .filter(|module| !module.split('.').any(|segment| segment.parse::<usize>().is_ok()));
        return Err(AdapterError::NoMatch {
            field: "modules_to_save",
            pattern: pattern.clone(),
            available: layout::last_segments(outside),
        });
    }
    Ok(entries
        .iter()
        .filter(|entry| names.iter().any(|name| layout::within(&entry.name, name)))
        .map(|entry| entry.path.clone())
        .collect())
}

/// Carries out what was decided: by path, since Burn gives no more.
struct Attacher<'a> {
    /// Absent where nothing gets an adapter.
    config: Option<&'a AdapterConfig>,
    seed: u64,
    /// Path of a weight -> name of its module.
    targets: HashMap<String, String>,
    /// Paths of the parameters that are trained whole.
    trained: HashSet<String>,
    error: &'a mut Option<AdapterError>,
}

impl Reparameterizer for Attacher<'_> {
    type Reparam = Adapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Adapter>) {
        // Before the adapter is attached: on an adapted parameter this call would drop it.
        let param = param.set_require_grad(self.trained.contains(path));
        let (Some(config), Some(module)) = (self.config, self.targets.get(path)) else {
            return (param, None);
        };
        let [rows, columns] = param.lazy_shape().dims();
        let weight = param.base().reshape([rows, columns]);
        let adapter = match config.method {
            Method::Lora => LowRank::init(config, module, &weight, self.seed).map(Adapter::LowRank),
        };
        match adapter {
            Ok(adapter) => (param, Some(adapter)),
            Err(_) => {
                *self.error = Some(AdapterError::NoSvd { module: module.clone() });
                (param, None)
            }
        }
    }
}
