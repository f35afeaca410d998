//! The parameters of a module, with the names and the layout of PyTorch's files.
//!
//! Burn stores a linear weight as `[d_input, d_output]` and calls a norm's parameters gamma and beta. The files of
//! Hugging Face and PEFT store `[d_output, d_input]`, weight and bias. This module converts between these forms.

mod values;

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, FloatDType, Tensor, TensorData};

use self::values::transpose;
pub use self::values::{each_f32, to_f32};
use crate::Adapter;
use crate::adapter::Owner;

/// Maps the path of a parameter in a Burn module to its name in files.
///
/// This is a table of dotted paths and their replacements. A rule is applied wherever its segments occur. At each
/// segment, the first matching rule is applied, and no rule is applied to the replacement of another rule.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming(pub &'static [(&'static str, &'static str)]);

impl Naming {
    /// The names of Burn, for models whose files no other library reads.
    pub const BURN: Self = Self(&[]);

    /// The name of `path` in files.
    pub fn apply(&self, path: &str) -> String {
        let segments: Vec<&str> = path.split('.').collect();
        let mut name: Vec<&str> = Vec::with_capacity(segments.len());
        let mut rest = segments.as_slice();
        while let [first, tail @ ..] = rest {
            let rule = self.0.iter().find_map(|(from, to)| {
                let from: Vec<&str> = from.split('.').collect();
                rest.starts_with(&from).then_some((from.len(), *to))
            });
            match rule {
                Some((length, to)) => {
                    name.push(to);
                    rest = &rest[length..];
                }
                None => {
                    name.push(first);
                    rest = tail;
                }
            }
        }
        name.join(".")
    }
}

/// A layer whose weight can be adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// A linear layer.
    Linear,
    /// An embedding.
    Embedding,
    /// A two-dimensional convolution.
    Conv2d,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "a linear layer",
            Self::Embedding => "an embedding",
            Self::Conv2d => "a convolution",
        })
    }
}

/// The role of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The weight of a layer that can be adapted.
    Weight {
        /// The kind of layer.
        layer: Layer,
        /// Whether the layer belongs to this crate, which means that its forward pass is factored. Other
        /// layers compose the dense weight.
        factored: bool,
    },
    /// A parameter of an adapter.
    Adapter,
    /// A parameter that the adapters of all layers share.
    Shared,
    /// Any other parameter.
    Other,
}

/// One floating-point parameter of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path in the Burn module.
    pub path: String,
    /// The name in files. For an adapter's parameter, this is the name of the module with PEFT's suffix.
    pub name: String,
    /// The shape in files.
    pub shape: Vec<usize>,
    /// The role.
    pub kind: Kind,
    module: String,
    /// Rows and columns in Burn, if files store the transpose.
    transposed: Option<[usize; 2]>,
}

impl Entry {
    /// The name of the module that owns the parameter. For an adapter's parameter, this is the adapted module.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// The name of the parameter within its module, such as `weight` or `lora_A.weight`.
    pub fn field(&self) -> &str {
        self.name.strip_prefix(self.module.as_str()).map_or(&self.name, |field| field.trim_start_matches('.'))
    }

    /// A parameter of this shape that belongs to no model.
    #[cfg(test)]
    pub(crate) fn sized(name: &str, shape: &[usize]) -> Self {
        let (path, name, module) = (name.into(), name.into(), name.into());
        Self { path, name, shape: shape.to_vec(), kind: Kind::Other, module, transposed: None }
    }

    /// The number of values; `usize::MAX` if there are more.
    pub fn count(&self) -> usize {
        self.shape.iter().fold(1, |count: usize, size| count.saturating_mul(*size))
    }

    /// Convert values from Burn's order to file order.
    fn stored(&self, values: Vec<f32>) -> Vec<f32> {
        match self.transposed {
            Some([rows, columns]) => transpose(&values, rows, columns),
            None => values,
        }
    }

    /// Convert values from file order to Burn's order.
    fn loaded(&self, values: Vec<f32>) -> Vec<f32> {
        match self.transposed {
            Some([rows, columns]) => transpose(&values, columns, rows),
            None => values,
        }
    }
}

/// The floating-point parameters of `module`, in the order of its fields.
pub fn entries<M: Module>(module: &M, naming: &Naming) -> Vec<Entry> {
    collect(module, naming, |_| false).into_iter().map(|(entry, _)| entry).collect()
}

/// The floating-point parameters of `module`, in the order of its fields. The values of those that `read` selects are
/// included, in file order and converted to f32.
pub fn collect<M: Module>(
    module: &M,
    naming: &Naming,
    read: impl FnMut(&Entry) -> bool,
) -> Vec<(Entry, Option<Vec<f32>>)> {
    struct Collector<F> {
        read: F,
        found: Vec<(Entry, Option<Vec<f32>>)>,
    }
    impl<F: FnMut(&Entry) -> bool> EachParam for Collector<F> {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            let values = (self.read)(&entry).then(|| entry.stored(param.base().into_data().iter::<f32>().collect()));
            self.found.push((entry, values));
        }
    }
    let mut collector = Collector { read, found: Vec::new() };
    each(module, naming, &mut collector);
    collector.found
}

/// An operation on each parameter of a module, for any number of dimensions.
pub(crate) trait EachParam {
    fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>);
}

/// Visit the floating-point parameters of `module`, in the order of its fields.
pub(crate) fn each<M: Module>(module: &M, naming: &Naming, visitor: &mut impl EachParam) {
    struct Visitor<'a, V> {
        place: Place<'a>,
        inner: &'a mut V,
    }
    impl<V: EachParam> ModuleVisitor for Visitor<'_, V> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.inner.param(self.place.entry(param), param);
        }
    }
    module.visit(&mut Visitor { place: Place::new(naming), inner: visitor });
}

/// Replace the parameters for which `value` returns values in file order, and keep all other parameters.
///
/// Parameters keep their ids, their devices and whether they are trained. A lazy parameter is replaced without being
/// initialized. Parameters that the adapters of all layers share still share one tensor afterwards.
///
/// # Errors
///
/// Returns the first error of `value`. The module is lost in this case; clone it before if it is still needed.
///
/// # Panics
///
/// Panics if the number of values that `value` returns differs from [`Entry::count`].
pub fn replace<M: Module, E>(
    module: M,
    naming: &Naming,
    value: impl FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    replace_with(module, naming, |_| NewDtype::Default, value)
}

/// Like [`replace`], with the dtype that `dtype` returns for each parameter. The parameters are converted one by one, so the
/// model is never in memory twice.
///
/// # Errors
///
/// The errors of [`replace`].
///
/// # Panics
///
/// Panics under the same condition as [`replace`].
pub fn replace_as<M: Module, E>(
    module: M,
    naming: &Naming,
    dtype: impl Fn(&Entry) -> FloatDType,
    value: impl FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    replace_with(module, naming, |entry| NewDtype::Given(dtype(entry)), value)
}

fn replace_with<M: Module, E>(
    module: M,
    naming: &Naming,
    dtype: impl Fn(&Entry) -> NewDtype,
    mut value: impl FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    let mut error = None;
    let module = map(module, naming, dtype, |entry, _| match error.is_none().then(|| value(entry)) {
        Some(Ok(values)) => values,
        Some(Err(first)) => {
            error = Some(first);
            None
        }
        None => None,
    });
    match error {
        Some(error) => Err(error),
        None => Ok(module),
    }
}

/// Replace the values of parameters with those that `value` computes from them, both in file order. A parameter is kept if
/// `value` returns `None`.
///
/// Only the parameters that `wanted` selects are read. They keep their dtypes. See [`replace`].
///
/// # Panics
///
/// Panics under the same condition as [`replace`].
pub fn rewrite<M: Module>(
    module: M,
    naming: &Naming,
    wanted: impl Fn(&Entry) -> bool,
    mut value: impl FnMut(&Entry, Vec<f32>) -> Option<Vec<f32>>,
) -> M {
    map(module, naming, |_| NewDtype::Kept, |entry, read| wanted(entry).then(|| value(entry, read())).flatten())
}

/// Replace tensors of `module` with those of `from`, for every parameter that exists in both modules with the same shape and
/// that `wanted` selects.
///
/// The two modules then share these tensors. The ids and devices of `module` are kept.
pub fn adopt<M: Module>(module: M, from: &M, naming: &Naming, wanted: impl Fn(&Entry) -> bool) -> M {
    struct Tensors<F> {
        wanted: F,
        /// The tensors, by path.
        found: HashMap<String, Box<dyn Any>>,
    }
    impl<F: Fn(&Entry) -> bool> EachParam for Tensors<F> {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            if (self.wanted)(&entry) {
                self.found.insert(entry.path, Box::new(param.base()));
            }
        }
    }
    struct Adopt<'a> {
        place: Place<'a>,
        tensors: HashMap<String, Box<dyn Any>>,
    }
    impl ModuleMapper for Adopt<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let entry = self.place.entry(&param);
            let tensor = self.tensors.remove(&entry.path).and_then(|tensor| tensor.downcast::<Tensor<D>>().ok());
            match tensor.filter(|tensor| tensor.shape() == param.lazy_shape()) {
                Some(tensor) => {
                    let id = param.id;
                    param.transform_for_load(*tensor, id)
                }
                None => param,
            }
        }
    }
    let mut tensors = Tensors { wanted, found: HashMap::new() };
    each(from, naming, &mut tensors);
    module.map(&mut Adopt { place: Place::new(naming), tensors: tensors.found })
}

/// The dtype of a parameter in a model with frozen weights in bf16: bf16 for the weight of an
/// [`AdaptedLinear`](crate::AdaptedLinear) or an [`AdaptedEmbedding`](crate::AdaptedEmbedding), and f32 for all other parameters.
pub fn rounded(entry: &Entry) -> FloatDType {
    match entry.kind {
        Kind::Weight { layer: Layer::Linear | Layer::Embedding, factored: true } => FloatDType::BF16,
        _ => FloatDType::F32,
    }
}

/// Round the frozen weights of this crate's linear layers and embeddings to bf16. All other parameters keep their dtype.
///
/// The model then computes in f32, except for the products with these weights (see [`BaseLinear`](crate::BaseLinear)). Attach an
/// adapter first, or freeze the model, because a weight that is trained is not rounded.
pub fn round<M: Module>(module: M) -> M {
    struct Round<'a>(Place<'a>);
    impl ModuleMapper for Round<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if param.is_require_grad() || rounded(&self.0.entry(&param)) != FloatDType::BF16 {
                return param;
            }
            let (id, tensor) = (param.id, param.base().cast(FloatDType::BF16));
            param.transform_for_load(tensor, id)
        }
    }
    module.map(&mut Round(Place::new(&Naming::BURN)))
}

/// Convert every parameter to `dtype`, including those of adapters.
pub fn cast<M: Module>(module: M, dtype: FloatDType) -> M {
    struct Cast(FloatDType);
    impl ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, tensor) = (param.id, param.base().cast(self.0));
            param.transform_for_load(tensor, id)
        }
    }
    module.map(&mut Cast(dtype))
}

/// The dtype of a tensor that replaces another tensor.
enum NewDtype {
    /// The default dtype of the device.
    Default,
    /// The dtype of the tensor that it replaces.
    Kept,
    Given(FloatDType),
}

fn map<M: Module>(
    module: M,
    naming: &Naming,
    dtype: impl Fn(&Entry) -> NewDtype,
    value: impl FnMut(&Entry, &dyn Fn() -> Vec<f32>) -> Option<Vec<f32>>,
) -> M {
    struct Mapper<'a, F, T> {
        place: Place<'a>,
        value: F,
        dtype: T,
        /// The shared tensors, by name.
        shared: HashMap<String, Box<dyn Any>>,
    }
    impl<F, T> ModuleMapper for Mapper<'_, F, T>
    where
        F: FnMut(&Entry, &dyn Fn() -> Vec<f32>) -> Option<Vec<f32>>,
        T: Fn(&Entry) -> NewDtype,
    {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let entry = self.place.entry(&param);
            let id = param.id;
            if let Some(tensor) = self.shared.get(&entry.name).and_then(|shared| shared.downcast_ref::<Tensor<D>>()) {
                return param.transform_for_load(tensor.clone(), id);
            }
            let read = || entry.stored(param.base().into_data().iter::<f32>().collect());
            let Some(values) = (self.value)(&entry, &read) else { return param };
            assert_eq!(values.len(), entry.count(), "{}: number of values", entry.name);
            let data = TensorData::new(entry.loaded(values), param.lazy_shape());
            let device = param.lazy_device();
            let tensor = match (self.dtype)(&entry) {
                NewDtype::Default => Tensor::from_data(data, &device),
                NewDtype::Kept => Tensor::from_data(data, (&device, param.base().dtype())),
                NewDtype::Given(dtype) => Tensor::from_data(data, (&device, DType::from(dtype))),
            };
            if entry.kind == Kind::Shared {
                self.shared.insert(entry.name, Box::new(tensor.clone()));
            }
            param.transform_for_load(tensor, id)
        }
    }
    module.map(&mut Mapper { place: Place::new(naming), value, dtype, shared: HashMap::new() })
}

/// The current position in the traversal of a module.
struct Place<'a> {
    naming: &'a Naming,
    path: Vec<String>,
    containers: Vec<String>,
    /// The layer of the last weight that was visited. An adapter that is visited next belongs to this layer.
    owner: Option<Owner>,
}

impl<'a> Place<'a> {
    fn new(naming: &'a Naming) -> Self {
        Self { naming, path: Vec::new(), containers: Vec::new(), owner: None }
    }

    fn enter(&mut self, name: &str, container: &str) {
        self.path.push(name.to_string());
        self.containers.push(container.to_string());
    }

    fn exit(&mut self) {
        self.path.pop();
        self.containers.pop();
    }

    /// The entry of the parameter at this position.
    fn entry<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Entry {
        use burn::module::Reparameterization;
        let dims = param.lazy_shape().to_vec();
        let adapter = self
            .containers
            .iter()
            .position(|container| container == "Reparameterization")
            .filter(|index| self.path[*index] == Adapter::NAME);
        if let Some(index) = adapter {
            return self.adapter_entry(index, dims);
        }
        let path = self.path.join(".");
        let field = self.path.last().map_or("", String::as_str);
        let container = self.containers.last().map_or("", String::as_str);
        let weight = |layer, factored| Kind::Weight { layer, factored };
        let kind = match (container, field) {
            ("Struct:AdaptedLinear", "weight") => weight(Layer::Linear, true),
            ("Struct:Linear", "weight") => weight(Layer::Linear, false),
            ("Struct:AdaptedEmbedding", "weight") => weight(Layer::Embedding, true),
            ("Struct:Embedding", "weight") => weight(Layer::Embedding, false),
            ("Struct:AdaptedConv2d", "weight") => weight(Layer::Conv2d, true),
            ("Struct:Conv2d", "weight") => weight(Layer::Conv2d, false),
            _ => Kind::Other,
        };
        let torch = match field {
            "gamma" if container.ends_with("Norm") => "weight",
            "beta" if container.ends_with("Norm") => "bias",
            field => field,
        };
        // The path is renamed as a whole, because a rule may span a module and its field.
        let module = self.path[..self.path.len().saturating_sub(1)].join(".");
        let name =
            if torch == field { self.naming.apply(&path) } else { format!("{}.{torch}", self.naming.apply(&module)) };
        let module = name.rsplit_once('.').map_or("", |(module, _)| module).to_string();
        let (shape, transposed) = match (kind, dims.as_slice()) {
            (Kind::Weight { layer: Layer::Linear, .. }, &[rows, columns]) => {
                (vec![columns, rows], Some([rows, columns]))
            }
            _ => (dims, None),
        };
        if let Kind::Weight { layer, .. } = kind {
            self.owner = Some(Owner { layer, shape: shape.clone() });
        }
        Entry { path, name, shape, kind, module, transposed }
    }

    /// The entry of an adapter's parameter: `….weight.adapter.LowRank.a` is stored as `….lora_A.weight`.
    fn adapter_entry(&self, index: usize, dims: Vec<usize>) -> Entry {
        let module = self.naming.apply(&self.path[..index.saturating_sub(1)].join("."));
        let field = self.path[index + 1..].join(".");
        let stored = self.owner.as_ref().and_then(|owner| Adapter::peft_tensor(&field, &dims, owner));
        let (kind, name, shape) = match stored {
            Some(stored) if stored.shared => (Kind::Shared, stored.name.to_string(), stored.shape),
            Some(stored) => (Kind::Adapter, format!("{module}.{}", stored.name), stored.shape),
            None => (Kind::Adapter, format!("{module}.{field}"), dims.clone()),
        };
        let transposed = match *dims.as_slice() {
            [rows, columns] => Some([rows, columns]),
            _ => None,
        };
        Entry { path: self.path.join("."), name, shape, kind, module, transposed }
    }
}

/// Whether a module's `name` is `wanted` or ends in `.wanted`. This is PEFT's rule for names in lists.
pub(crate) fn names(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_suffix(wanted).is_some_and(|prefix| prefix.ends_with('.'))
}

/// Whether the parameter or module `name` is in a module that matches `wanted`, by the same rule.
pub fn within(name: &str, wanted: &str) -> bool {
    let ends = name.match_indices('.').map(|(end, _)| end).chain([name.len()]);
    ends.into_iter().any(|end| names(&name[..end], wanted))
}

/// The distinct last segments of `names`, in the order in which they first appear. Each of them is a valid name in a list such as
/// `targets`.
pub(crate) fn last_segments<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    names
        .map(|name| name.rsplit_once('.').map_or(name, |(_, last)| last))
        .filter(|last| seen.insert(*last))
        .map(ToString::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    #[test]
    fn the_first_matching_rule_applies_to_whole_segments() {
        let naming = Naming(&[("lm_head.norm", "cls.LayerNorm"), ("norm", "LayerNorm"), ("backbone", "bert")]);
        assert_eq!(naming.apply("backbone.layer.0.norm.weight"), "bert.layer.0.LayerNorm.weight");
        assert_eq!(naming.apply("lm_head.norm.bias"), "cls.LayerNorm.bias");
        assert_eq!(naming.apply("lm_head.normal.bias"), "lm_head.normal.bias");
    }

    #[test]
    fn names_match_whole_segments() {
        assert!(names("a.b.query", "query"));
        assert!(names("a.b.query", "b.query"));
        assert!(!names("a.b.subquery", "query"));
        assert!(within("classifier.dense.weight", "classifier"));
        assert!(within("model.classifier.dense.weight", "classifier"));
        assert!(!within("model.classifiers.dense.weight", "classifier"));
    }

    proptest! {
        #![proptest_config(config(1000))]

        #[test]
        fn arbitrary_names_match_by_whole_segments(
            name in "[ab]{0,2}(\\.[ab]{0,2}){0,4}",
            wanted in "[ab]{1,2}(\\.[ab]{1,2}){0,2}",
        ) {
            let [segments, end]: [Vec<&str>; 2] = [&name, &wanted].map(|name| name.split('.').collect());
            prop_assert_eq!(names(&name, &wanted), segments.ends_with(&end));
            prop_assert_eq!(within(&name, &wanted), segments.windows(end.len()).any(|part| part == end));
        }

        #[test]
        fn arbitrary_paths_are_renamed_only_by_matching_rules(path in "(\\PC|\\.){0,20}", wanted in "(\\PC|\\.){0,6}") {
            prop_assert_eq!(Naming::BURN.apply(&path), path.as_str());
            prop_assert!(!names(&path, &wanted) || within(&path, &wanted));
            let segments: Vec<&str> = path.split('.').collect();
            let table = Naming(&[("a.b", "c"), ("\u{e9}", "d.e")]);
            let has_rule = segments.contains(&"\u{e9}") || segments.windows(2).any(|pair| pair == ["a", "b"]);
            prop_assert_eq!(table.apply(&path) != path, has_rule);
        }
    }
}
