//! Attaching adapters: the selection of the adapted weights, the frozen parameters and the fully trained modules.

use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, Reparameterizer};
use burn::tensor::{DType, Tensor};

use crate::adapter::{Draw, Shared, Site};
use crate::init::Known;
use crate::layout::{self, Entry, Kind, Layer, Naming};
use crate::observe::observe_inputs;
use crate::pattern::Pattern;
use crate::{Adapter, AdapterConfig, AdapterError, Bias, Init, InputMoment, Targets};

/// The output layers of language models. `all-linear` skips them, as in PEFT, because they are as large as the vocabulary.
const OUTPUT_EMBEDDINGS: [&str; 3] = ["lm_head", "lm_head.decoder", "predictions.decoder"];

/// The source of the values of the factors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// They are initialized from this random seed.
    Drawn(u64),
    /// They are zeros.
    Blank,
    /// They are zeros, which the values in a file replace later. The number is the largest dimension of a factor in the file.
    Loaded(usize),
}

impl Values {
    fn seed(self) -> Option<u64> {
        match self {
            Self::Drawn(seed) => Some(seed),
            Self::Blank | Self::Loaded(_) => None,
        }
    }
}

/// A module to which an adapter can be attached with `model.adapt(&config, seed)`.
pub trait Adapt: Module {
    /// The same as [`AdapterConfig::attach`], for a chain of calls.
    ///
    /// # Errors
    ///
    /// The errors of [`AdapterConfig::attach_named`].
    fn adapt(self, config: &AdapterConfig, seed: u64) -> Result<Self, AdapterError> {
        config.attach(self, seed)
    }
}

impl<M: Module> Adapt for M {}

impl AdapterConfig {
    /// Attach this adapter to `model`, with names that are the paths in Burn.
    ///
    /// See [`attach_named`](Self::attach_named).
    ///
    /// # Errors
    ///
    /// The errors of [`attach_named`](Self::attach_named).
    pub fn attach<M: Module>(&self, model: M, seed: u64) -> Result<M, AdapterError> {
        self.attach_named(model, seed, &Naming::BURN)
    }

    /// Attach this adapter to `model` and freeze the model's own parameters, except the modules to save and the
    /// selected biases.
    ///
    /// Targets and modules to save are matched against the names that `naming` returns. The initial values of each factor
    /// depend only on `seed` and its name.
    ///
    /// An [`AdaptedLinear`](crate::AdaptedLinear), an [`AdaptedEmbedding`](crate::AdaptedEmbedding) and an
    /// [`AdaptedConv2d`](crate::AdaptedConv2d) have a factored forward pass. Any other layer composes its dense weight
    /// in each forward pass. Autodiff then keeps this weight and the layer's input, and computes a gradient with the
    /// shape of the weight. Such a layer does not save the memory that freezing A saves in a factored layer.
    ///
    /// Frozen parameters are outside the autodiff graph, and remain outside after `train`, `valid`, `fork`, loading of records
    /// and [`merge`]. Only `unfreeze` and `set_require_grad` change this.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is out of range, if a target or a module to save matches nothing, if a rank does
    /// not fit a layer, if the method cannot adapt a layer, if a layer that composes its weight has dropout, or if the
    /// model already has adapters.
    pub fn attach_named<M: Module>(&self, model: M, seed: u64, naming: &Naming) -> Result<M, AdapterError> {
        self.attach_observed(model, seed, naming, |_| ())
    }

    /// Whether a factor is initialized from the inputs of its layer ([`Init::InputSvd`](crate::Init::InputSvd)).
    pub fn reads_inputs(&self) -> bool {
        self.factors().is_some_and(|(a, _)| a.init == Init::InputSvd)
    }

    /// Like [`attach_named`](Self::attach_named), for factors that are initialized from the inputs of their layers.
    ///
    /// `batches` receives the model and must run some batches without padding through it. It is called only if a factor
    /// needs inputs. On an autodiff device, Burn's dropout is active and a graph is kept for each batch. To avoid this, call
    /// this method before `train()`.
    ///
    /// # Errors
    ///
    /// The errors of [`attach_named`](Self::attach_named). Also returns [`AdapterError::Unobserved`] if no batch reached a layer
    /// or if its input cannot be observed, and [`AdapterError::FewRows`] if a layer received fewer rows than the rank.
    pub fn attach_observed<M: Module>(
        &self,
        model: M,
        seed: u64,
        naming: &Naming,
        batches: impl FnOnce(&M),
    ) -> Result<M, AdapterError> {
        self.attach_drawn(model, Values::Drawn(seed), naming, batches)
    }

    /// Like [`attach_named`](Self::attach_named), but all factors are zeros. Use this method to count parameters, or if the
    /// values of the factors are set later. No weight is read.
    ///
    /// # Errors
    ///
    /// The errors of [`attach_named`](Self::attach_named).
    pub fn attach_blank<M: Module>(&self, model: M, naming: &Naming) -> Result<M, AdapterError> {
        self.attach_drawn(model, Values::Blank, naming, |_| ())
    }

    /// Like [`attach_blank`](Self::attach_blank), for values from a file. The rank may be larger than any rank that can be
    /// initialized, but not larger than `largest`, the largest dimension of a factor in the file.
    pub(crate) fn attach_loaded<M: Module>(
        &self,
        model: M,
        largest: usize,
        naming: &Naming,
    ) -> Result<M, AdapterError> {
        self.attach_drawn(model, Values::Loaded(largest), naming, |_| ())
    }

    /// Like [`attach_observed`](Self::attach_observed), for values from any source.
    fn attach_drawn<M: Module>(
        &self,
        model: M,
        values: Values,
        naming: &Naming,
        batches: impl FnOnce(&M),
    ) -> Result<M, AdapterError> {
        self.validate()?;
        let seed = values.seed();
        let entries = layout::entries(&model, naming);
        if let Some(entry) = entries.iter().find(|entry| matches!(entry.kind, Kind::Adapter | Kind::Shared)) {
            return Err(AdapterError::AlreadyAdapted { module: entry.module().to_string() });
        }
        let mut trained = trained_whole(&entries, &self.modules_to_save)?;
        let with_bias: HashSet<&str> =
            entries.iter().filter(|entry| entry.field() == "bias").map(|entry| entry.module()).collect();
        let loaded = if let Values::Loaded(largest) = values { Some(largest) } else { None };
        let sites: HashMap<String, Site> = self
            .matching(&entries, &trained)?
            .into_iter()
            .filter_map(|entry| {
                let site = Site::new(entry, with_bias.contains(entry.module()), loaded)?;
                Some((entry.path.clone(), site))
            })
            .collect();
        let settings = self.method.settings();
        let adapted: Vec<&str> = sites.values().map(|site| site.module.as_str()).collect();
        // Patterns from a file are not checked, because PEFT ignores those without a match.
        if let (Some(_), Some((field, pattern))) = (seed, settings.unmatched(&adapted)) {
            return Err(AdapterError::NoMatch {
                field,
                pattern,
                available: layout::last_segments(adapted.into_iter()),
            });
        }
        // The layers are checked in the model's order, so the first error is deterministic.
        entries.iter().filter_map(|entry| sites.get(&entry.path)).try_for_each(|site| settings.check(site))?;

        let adapted: HashSet<&str> = sites.values().map(|site| site.module.as_str()).collect();
        let biases = entries.iter().filter(|entry| self.trains_bias(entry, |module| adapted.contains(module)));
        trained.extend(biases.map(|entry| entry.path.clone()));

        let observed = seed.is_some() && self.reads_inputs();
        let mut in_order = entries.iter().filter_map(|entry| sites.get(&entry.path));
        if observed && let Some(hidden) = in_order.find(|site| !site.shows_its_input()) {
            return Err(AdapterError::Unobserved { module: hidden.module.clone() });
        }
        let inputs = if observed {
            observe_inputs(&model, naming, |module| adapted.contains(module), batches)
        } else {
            HashMap::new()
        };
        let largest = |size: fn(&Site) -> usize| sites.values().map(size).max().unwrap_or(0);
        let shared = Shared {
            max_input: largest(|site| site.d_input),
            max_output: largest(|site| site.d_output),
            projections: None,
        };
        let mut error = None;
        let model = model.apply_reparameterization(Attacher {
            config: Some(self),
            seed,
            sites: &sites,
            trained: &trained,
            inputs: &inputs,
            shared,
            error: &mut error,
        });
        match error {
            Some(error) => Err(error),
            None => Ok(model),
        }
    }

    /// Whether `entry` is one of the model's own biases that this adapter trains.
    pub(crate) fn trains_bias(&self, entry: &Entry, is_adapted: impl Fn(&str) -> bool) -> bool {
        let is_bias = entry.kind == Kind::Other && entry.field() == "bias";
        is_bias
            && match self.bias {
                Bias::None => false,
                Bias::All => true,
                Bias::Adapted => is_adapted(entry.module()),
            }
    }

    /// The weights that this adapter's targets select.
    fn matching<'a>(&self, entries: &'a [Entry], trained: &HashSet<String>) -> Result<Vec<&'a Entry>, AdapterError> {
        let weights: Vec<&Entry> = entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::Weight { .. }) && !trained.contains(&entry.path))
            .collect();
        let no_match = |field: &'static str, pattern: &str| AdapterError::NoMatch {
            field,
            pattern: pattern.to_string(),
            available: layout::last_segments(weights.iter().map(|entry| entry.module())),
        };
        let found: Vec<&Entry> = match &self.targets {
            Targets::Pattern(word) if word == Targets::ALL_LINEAR => weights
                .iter()
                .filter(|entry| matches!(entry.kind, Kind::Weight { layer: Layer::Linear, .. }))
                .filter(|entry| !OUTPUT_EMBEDDINGS.iter().any(|head| layout::names(entry.module(), head)))
                .copied()
                .collect(),
            Targets::Pattern(pattern) => {
                let regex = Pattern::whole(pattern)?;
                weights.iter().filter(|entry| regex.is_match(entry.module())).copied().collect()
            }
            Targets::Names(wanted) => {
                // As in PEFT, a name may match only fully trained modules, which get no adapter.
                let known = |name: &str| {
                    let mut all = entries.iter().filter(|entry| matches!(entry.kind, Kind::Weight { .. }));
                    all.any(|entry| layout::names(entry.module(), name))
                };
                if let Some(name) = wanted.iter().find(|name| !known(name)) {
                    return Err(no_match("targets", name));
                }
                weights
                    .iter()
                    .filter(|entry| wanted.iter().any(|name| layout::names(entry.module(), name)))
                    .copied()
                    .collect()
            }
        };
        if found.is_empty() {
            return Err(match &self.targets {
                Targets::Pattern(pattern) => no_match("targets", pattern),
                Targets::Names(wanted) => no_match("targets", &wanted.join(", ")),
            });
        }
        let found = self.without_excluded(found)?;
        self.in_layers(found)
    }

    fn without_excluded<'a>(&self, found: Vec<&'a Entry>) -> Result<Vec<&'a Entry>, AdapterError> {
        let excluded: Box<dyn Fn(&str) -> bool> = match &self.exclude {
            None => return Ok(found),
            Some(Targets::Pattern(pattern)) => {
                let regex = Pattern::whole(pattern)?;
                Box::new(move |module| regex.is_match(module))
            }
            Some(Targets::Names(names)) => Box::new(|module| names.iter().any(|name| layout::names(module, name))),
        };
        let rest: Vec<&Entry> = found.iter().filter(|entry| !excluded(entry.module())).copied().collect();
        match (&self.exclude, rest.is_empty()) {
            (Some(exclude), true) => Err(AdapterError::NothingLeft {
                field: "exclude",
                setting: format!("{exclude:?}"),
                targets: found.len(),
            }),
            _ => Ok(rest),
        }
    }

    fn in_layers<'a>(&self, found: Vec<&'a Entry>) -> Result<Vec<&'a Entry>, AdapterError> {
        let Some(layers) = &self.layers else { return Ok(found) };
        // As in PEFT, the index is the first number after the name of a list. A later number may be the index of an expert.
        let lists: Vec<Pattern> = if layers.lists.is_empty() {
            vec![Pattern::new(r"^.*?\.[^.]*\.(?<index>\d+)\.")?]
        } else {
            layers
                .lists
                .iter()
                .map(|list| Pattern::new(&format!(r"^(?:.*?\.)?(?:{list})\.(?<index>\d+)\.")))
                .collect::<Result<_, _>>()?
        };
        let index = |module: &str| -> Option<usize> {
            lists.iter().find_map(|list| list.captures(module))?.name("index")?.as_str().parse().ok()
        };
        // As in PEFT, a target that is a full module name is selected regardless of the index of its layer.
        let named = |module: &str| matches!(&self.targets, Targets::Names(names) if names.iter().any(|n| n == module));
        let chosen = |module: &str| named(module) || index(module).is_some_and(|index| layers.indices.contains(&index));
        let rest: Vec<&Entry> = found.iter().filter(|entry| chosen(entry.module())).copied().collect();
        if rest.is_empty() {
            return Err(AdapterError::NothingLeft {
                field: "layers",
                setting: format!("{:?}", layers.indices),
                targets: found.len(),
            });
        }
        Ok(rest)
    }
}

/// Freeze `model` except the modules in `names`. This is head-only training, the paper's linear probing.
///
/// # Errors
///
/// [`AdapterError::NoMatch`] if a name matches nothing.
pub fn train_only<M: Module>(model: M, naming: &Naming, names: &[String]) -> Result<M, AdapterError> {
    let trained = trained_whole(&layout::entries(&model, naming), names)?;
    Ok(model.apply_reparameterization(Attacher {
        config: None,
        seed: None,
        sites: &HashMap::new(),
        trained: &trained,
        inputs: &HashMap::new(),
        shared: Shared::default(),
        error: &mut None,
    }))
}

/// Merge the adapters into their weights. The result is a plain module with the same outputs.
///
/// The merged weights remain frozen. The outputs of a layer with a factored forward pass change only by rounding. If (IA)³
/// scales the output of a layer, the bias of the layer is scaled too.
///
/// This function does not detect that a model uses one weight twice, such as an embedding that is also the output layer. An
/// adapter of the embedding then also changes the output layer. `merge` of `asym-models` unties such weights first.
pub fn merge<M: Module>(model: M) -> M {
    let mut scales = Scales { path: Vec::new(), found: HashMap::new() };
    model.visit(&mut scales);
    let model = if scales.found.is_empty() { model } else { model.map(&mut scales) };
    model.materialize()
}

/// The (IA)³ factors that scale the outputs of modules, by path.
struct Scales {
    path: Vec<String>,
    found: HashMap<String, Tensor<1>>,
}

impl ModuleVisitor for Scales {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let [module @ .., weight, adapter, variant, field] = self.path.as_slice() else { return };
        let path = [weight, adapter, variant, field].map(String::as_str);
        if path == ["weight", "adapter", "Ia3Scale", "output"] {
            self.found.insert(module.join("."), param.val().reshape([-1]));
        }
    }
}

impl ModuleMapper for Scales {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let [module @ .., field] = self.path.as_slice() else { return param };
        match self.found.get(&module.join(".")).filter(|_| field == "bias") {
            Some(scale) => {
                let (id, scaled) = (param.id, param.val() * scale.clone().reshape(param.shape()));
                param.transform_for_load(scaled.detach(), id)
            }
            None => param,
        }
    }
}

/// The paths of all parameters of the modules in `names`.
fn trained_whole(entries: &[Entry], names: &[String]) -> Result<HashSet<String>, AdapterError> {
    if let Some(pattern) = names.iter().find(|name| !entries.iter().any(|entry| layout::within(&entry.name, name))) {
        // Modules to train fully are usually outside the numbered layers.
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

/// Attaches adapters and freezes parameters. Burn passes only the path of a parameter.
struct Attacher<'a> {
    /// `None` if no weight gets an adapter.
    config: Option<&'a AdapterConfig>,
    seed: Option<u64>,
    /// The adapted layers, by path of the weight.
    sites: &'a HashMap<String, Site>,
    /// The paths of the model's own parameters that are trained.
    trained: &'a HashSet<String>,
    /// The moments of the layers' inputs, by module.
    inputs: &'a HashMap<String, InputMoment>,
    shared: Shared,
    error: &'a mut Option<AdapterError>,
}

impl Reparameterizer for Attacher<'_> {
    type Reparam = Adapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<Adapter>) {
        // The calls below drop an adapter of the parameter, so they come before the adapter is attached.
        let trained = self.trained.contains(path);
        // A lazy parameter has no dtype yet. It is initialized later, in the default dtype of the device.
        let param = if trained && param.is_initialized() && param.base().dtype() == DType::BF16 {
            // The precision of bf16 is too low for the small steps of an optimizer.
            let (id, tensor) = (param.id, param.base().cast(DType::F32));
            param.transform_for_load(tensor, id)
        } else {
            param
        };
        let param = param.set_require_grad(trained);
        let (Some(config), Some(site)) = (self.config, self.sites.get(path)) else {
            return (param, None);
        };
        // Few initializations of factors depend on W0. A lazy weight is initialized only for these.
        let weight = || match site.layer {
            Layer::Linear | Layer::Embedding => param.base().reshape([site.d_input, site.d_output]),
            Layer::Conv2d => param.base().reshape([site.d_output, site.d_input]).transpose(),
        };
        let known = Known { weight: &weight, inputs: self.inputs.get(&site.module) };
        let mut draw = Draw { seed: self.seed, device: param.lazy_device(), known, shared: &mut self.shared };
        let built = config.method.settings().build(site, &mut draw);
        match built {
            Ok(adapter) => (param, adapter),
            Err(error) => {
                self.error.get_or_insert(error);
                (param, None)
            }
        }
    }
}
