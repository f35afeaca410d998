//! A module's parameters as files in PyTorch's layout know them.
//!
//! Burn stores a linear weight as `[d_input, d_output]` and calls a norm's parameters gamma and beta; the files of
//! Hugging Face and PEFT store `[d_output, d_input]`, weight and bias. This is the one place that knows both.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

use crate::Adapter;
use crate::adapter::Owner;

/// How the path of a parameter in a Burn module is written in files.
///
/// A table of dotted paths and their replacements, each applied wherever its segments occur. The first rule that fits
/// at a segment wins, and rules do not apply to what another rule wrote.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming(pub &'static [(&'static str, &'static str)]);

impl Naming {
    /// Names as they are in Burn: for models whose files nobody else reads.
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

/// What a parameter is to this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The weight of a layer that can be adapted.
    Weight {
        /// Which layer.
        layer: Layer,
        /// Whether it is one of this crate's, whose forward is factored. Any other composes the dense weight.
        factored: bool,
    },
    /// A parameter of an adapter.
    Adapter,
    /// A parameter that the adapters of all layers share.
    Shared,
    /// Anything else.
    Other,
}

/// One floating-point parameter of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the Burn module.
    pub path: String,
    /// Its name in files; for an adapter's parameter, that of the module and PEFT's suffix.
    pub name: String,
    /// Its shape in files.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: Kind,
    module: String,
    /// Rows and columns in Burn, where files store the transpose.
    transposed: Option<[usize; 2]>,
}

impl Entry {
    /// The name of the module that owns the parameter, or of the one that is adapted.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// What the parameter is called within its module: `weight`, `lora_A.weight`.
    pub fn field(&self) -> &str {
        self.name.strip_prefix(self.module.as_str()).map_or(&self.name, |field| field.trim_start_matches('.'))
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Values as Burn stores them, in file order.
    fn stored(&self, values: Vec<f32>) -> Vec<f32> {
        match self.transposed {
            Some([rows, columns]) => transpose(&values, rows, columns),
            None => values,
        }
    }

    /// Values in file order, as Burn stores them.
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

/// The parameters for which `read` says yes, with their values in file order; the others without.
///
/// Values come as f32 whatever the tensor's dtype.
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

/// What is done with each parameter of a module, whatever its rank.
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

/// Replace the parameters for which `value` has one, given in file order, and keep the rest.
///
/// Ids, devices and what is trained stay as they are. A parameter that was not made yet never is: what it is replaced
/// by takes its place at once. What the adapters of all layers share stays one piece of memory.
///
/// # Errors
///
/// The first error of `value`. The module is gone then; clone it before if it is still needed.
///
/// # Panics
///
/// Panics if `value` returns another number of values than [`Entry::count`].
pub fn replace<M: Module, E>(
    module: M,
    naming: &Naming,
    value: impl FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    replace_with(module, naming, None, value)
}

/// As [`replace`], with tensors of `dtype`. Each is converted by itself, so that a model never lies in memory twice.
///
/// # Errors
///
/// As [`replace`].
///
/// # Panics
///
/// As [`replace`].
pub fn replace_as<M: Module, E>(
    module: M,
    naming: &Naming,
    dtype: FloatDType,
    value: impl FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
) -> Result<M, E> {
    replace_with(module, naming, Some(dtype), value)
}

fn replace_with<M: Module, E>(
    module: M,
    naming: &Naming,
    dtype: Option<FloatDType>,
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

/// Replace parameters by something made of their values, both in file order, and keep those for which `value` is `None`.
///
/// As [`replace`]. `wanted` says which are read at all.
pub fn rewrite<M: Module>(
    module: M,
    naming: &Naming,
    wanted: impl Fn(&Entry) -> bool,
    mut value: impl FnMut(&Entry, Vec<f32>) -> Option<Vec<f32>>,
) -> M {
    map(module, naming, None, |entry, read| wanted(entry).then(|| value(entry, read())).flatten())
}

/// `module` with the tensors of `from` in place of its own, for every parameter that both have in one shape and that `wanted`
/// accepts. The two then share these tensors; ids and devices of `module` stay.
pub fn adopt<M: Module>(module: M, from: &M, naming: &Naming, wanted: impl Fn(&Entry) -> bool) -> M {
    struct Tensors<F> {
        wanted: F,
        /// By path.
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

/// Convert every parameter to `dtype`, adapters included.
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

fn map<M: Module>(
    module: M,
    naming: &Naming,
    dtype: Option<FloatDType>,
    value: impl FnMut(&Entry, &dyn Fn() -> Vec<f32>) -> Option<Vec<f32>>,
) -> M {
    struct Mapper<'a, F> {
        place: Place<'a>,
        value: F,
        /// That of the device where none is given.
        dtype: Option<FloatDType>,
        /// Tensors by name.
        shared: HashMap<String, Box<dyn Any>>,
    }
    impl<F: FnMut(&Entry, &dyn Fn() -> Vec<f32>) -> Option<Vec<f32>>> ModuleMapper for Mapper<'_, F> {
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
            let tensor = match self.dtype {
                Some(dtype) => Tensor::from_data(data, (&device, DType::from(dtype))),
                None => Tensor::from_data(data, &device),
            };
            if entry.kind == Kind::Shared {
                self.shared.insert(entry.name, Box::new(tensor.clone()));
            }
            param.transform_for_load(tensor, id)
        }
    }
    module.map(&mut Mapper { place: Place::new(naming), value, dtype, shared: HashMap::new() })
}

/// Where a traversal stands.
struct Place<'a> {
    naming: &'a Naming,
    path: Vec<String>,
    containers: Vec<String>,
    /// The last weight that was met: the one to which the adapter belongs that comes next.
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

    /// The parameter that is met here.
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
        // Renamed as a whole, since a rule may span a module and its field.
        let module = self.path[..self.path.len().saturating_sub(1)].join(".");
        let name = match torch == field {
            true => self.naming.apply(&path),
            false => format!("{}.{torch}", self.naming.apply(&module)),
        };
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

    /// `….weight.adapter.LowRank.a` is written `….lora_A.weight`.
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

/// The values of a tensor in a safetensors file, or nothing where its dtype is not one that weights have.
pub fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let mut values = Vec::with_capacity(view.shape().iter().product());
    each_f32(view.dtype(), view.data(), |_, value| values.push(value)).then_some(values)
}

/// Call `each` with index and value of each number in `data`, little-endian; false where `dtype` is not F32, F16, BF16 or F64.
pub fn each_f32(dtype: Dtype, data: &[u8], mut each: impl FnMut(usize, f32)) -> bool {
    fn chunks<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
        data.as_chunks().0.iter().copied()
    }
    let mut all = |values: &mut dyn Iterator<Item = f32>| values.enumerate().for_each(|(i, value)| each(i, value));
    match dtype {
        // The one that large checkpoints have is spelled out, so that it compiles to a copy.
        Dtype::F32 => chunks(data).map(f32::from_le_bytes).enumerate().for_each(|(i, value)| each(i, value)),
        Dtype::F16 => all(&mut chunks(data).map(|bytes| f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => all(&mut chunks(data).map(|bytes| bf16::from_le_bytes(bytes).to_f32())),
        Dtype::F64 => all(&mut chunks(data).map(|bytes| f64::from_le_bytes(bytes) as f32)),
        _ => return false,
    }
    true
}

fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    // In blocks that fit the first cache level, since one side is always walked across its rows.
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(BLOCK) {
            for r in row..(row + BLOCK).min(rows) {
                for c in column..(column + BLOCK).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    out
}

/// Whether a module's `name` is `wanted` or ends in `.wanted`, PEFT's rule for names in lists.
pub(crate) fn names(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_suffix(wanted).is_some_and(|prefix| prefix.ends_with('.'))
}

/// Whether the parameter or module `name` lies in a module that `wanted` names.
pub fn within(name: &str, wanted: &str) -> bool {
    let ends = name.match_indices('.').map(|(end, _)| end).chain([name.len()]);
    ends.into_iter().any(|end| names(&name[..end], wanted))
}

/// The distinct last segments of `names`, in order of appearance: what a name in a list can be.
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
    use super::*;

    #[test]
    fn rules_apply_to_whole_segments_and_the_first_that_fits() {
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

    #[test]
    fn transposing_is_its_own_inverse() {
        let values: Vec<f32> = (0..70 * 41).map(|i| i as f32).collect();
        let once = transpose(&values, 70, 41);
        assert_eq!(once[70], values[1]);
        assert_eq!(transpose(&once, 41, 70), values);
    }
}
