//! A module's parameters as files in PyTorch's layout know them.
//!
//! Burn stores a linear weight as `[d_input, d_output]` and calls a norm's parameters gamma and beta; the files of
//! Hugging Face and PEFT store `[d_output, d_input]`, weight and bias. This is the one place that knows both.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

use crate::Adapter;

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

/// What a parameter is to this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The weight of an [`AdaptedLinear`](crate::AdaptedLinear).
    AdaptedLinear,
    /// The weight of another linear layer: it can be adapted, but its forward composes the dense weight.
    Linear,
    /// A parameter of an adapter.
    Adapter,
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
}

impl Entry {
    /// The name of the module that owns the parameter, or of the one that is adapted.
    pub fn module(&self) -> &str {
        let suffixes = match self.kind {
            Kind::Adapter => 2,
            _ => 1,
        };
        let mut module = self.name.as_str();
        for _ in 0..suffixes {
            module = module.rsplit_once('.').map_or("", |(module, _)| module);
        }
        module
    }

    /// Number of values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether files store the transpose of what Burn stores.
    fn transposed(&self) -> bool {
        match self.kind {
            Kind::AdaptedLinear | Kind::Linear => true,
            Kind::Adapter => self.shape.len() == 2,
            Kind::Other => false,
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
    struct Collector<'a, F> {
        place: Place<'a>,
        read: F,
        found: Vec<(Entry, Option<Vec<f32>>)>,
    }
    impl<F: FnMut(&Entry) -> bool> ModuleVisitor for Collector<'_, F> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let entry = self.place.entry(param);
            let values = (self.read)(&entry).then(|| {
                let values = param.base().into_data().iter::<f32>().collect::<Vec<f32>>();
                match (entry.transposed(), entry.shape.as_slice()) {
                    (true, &[rows, columns]) => transpose(&values, columns, rows),
                    _ => values,
                }
            });
            self.found.push((entry, values));
        }
    }
    let mut collector = Collector { place: Place::new(naming), read, found: Vec::new() };
    module.visit(&mut collector);
    collector.found
}

/// Replace the parameters for which `value` has one, given in file order, and keep the rest.
///
/// Ids, devices and what is trained stay as they are. A parameter that was not made yet never is: what it is replaced
/// by takes its place at once.
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
    struct Replacer<'a, F, E> {
        place: Place<'a>,
        value: F,
        error: Option<E>,
    }
    impl<F, E> ModuleMapper for Replacer<'_, F, E>
    where
        F: FnMut(&Entry) -> Result<Option<Vec<f32>>, E>,
    {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.place.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.place.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.error.is_some() {
                return param;
            }
            let entry = self.place.entry(&param);
            let values = match (self.value)(&entry) {
                Ok(Some(values)) => values,
                Ok(None) => return param,
                Err(error) => {
                    self.error = Some(error);
                    return param;
                }
            };
            assert_eq!(values.len(), entry.count(), "{}: number of values", entry.name);
            let values = match (entry.transposed(), entry.shape.as_slice()) {
                (true, &[rows, columns]) => transpose(&values, rows, columns),
                _ => values,
            };
            let data = TensorData::new(values, param.lazy_shape());
            let tensor = Tensor::from_data(data, &param.lazy_device());
            let id = param.id;
            param.transform_for_load(tensor, id)
        }
    }
    let mut replacer = Replacer { place: Place::new(naming), value, error: None };
    let module = module.map(&mut replacer);
    match replacer.error {
        Some(error) => Err(error),
        None => Ok(module),
    }
}

/// Where a traversal stands.
pub(crate) struct Place<'a> {
    naming: &'a Naming,
    path: Vec<String>,
    containers: Vec<String>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(naming: &'a Naming) -> Self {
        Self { naming, path: Vec::new(), containers: Vec::new() }
    }

    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.path.push(name.to_string());
        self.containers.push(container.to_string());
    }

    pub(crate) fn exit(&mut self) {
        self.path.pop();
        self.containers.pop();
    }

    pub(crate) fn entry<const D: usize>(&self, param: &Param<Tensor<D>>) -> Entry {
        use burn::module::Reparameterization;
        let path = self.path.join(".");
        let field = self.path.last().map_or("", String::as_str);
        let container = self.containers.last().map_or("", String::as_str);
        let adapter = self
            .containers
            .iter()
            .position(|container| container == "Reparameterization")
            .filter(|index| self.path[*index] == Adapter::NAME);

        let (kind, name) = match (adapter, container, field) {
            // `….weight.adapter.LowRank.a` is written `….lora_A.weight`.
            (Some(index), ..) => {
                let module = self.path[..index.saturating_sub(1)].join(".");
                let field = self.path[index + 1..].join(".");
                let suffix = Adapter::peft_suffix(&field).unwrap_or(&field);
                (Kind::Adapter, format!("{}.{suffix}", self.naming.apply(&module)))
            }
            (None, "Struct:AdaptedLinear", "weight") => (Kind::AdaptedLinear, self.naming.apply(&path)),
            (None, "Struct:Linear", "weight") => (Kind::Linear, self.naming.apply(&path)),
            (None, _, "gamma" | "beta") if container.ends_with("Norm") => {
                let torch = if field == "gamma" { "weight" } else { "bias" };
                let module = self.path[..self.path.len() - 1].join(".");
                (Kind::Other, format!("{}.{torch}", self.naming.apply(&module)))
            }
            _ => (Kind::Other, self.naming.apply(&path)),
        };
        let mut entry = Entry { path, name, shape: param.lazy_shape().to_vec(), kind };
        if entry.transposed() {
            entry.shape.reverse();
        }
        entry
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
pub(crate) fn within(name: &str, wanted: &str) -> bool {
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
