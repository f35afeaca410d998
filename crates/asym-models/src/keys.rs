//! The format of the tables with the names of parameters in Hugging Face's files. Each model class has such a table.

use asym_core::Naming;

/// Describes the checkpoints of one model class of transformers.
#[derive(Debug, Clone, Copy)]
pub struct KeyTable {
    /// The class in `architectures`.
    pub architecture: &'static str,
    /// Maps Burn's paths to the names in files, if they differ.
    pub naming: Naming,
    /// The names of modules in the memory of transformers 5, if they differ from those in files. Adapters saved with
    /// transformers 5 have these names, and adapters saved with transformers 4 have the names in files. PEFT loads only
    /// the adapters saved with the same version of transformers. asym loads both.
    pub in_memory: Option<Naming>,
    /// Modules that a checkpoint of another task lacks. A module is initialized if all of its tensors are missing.
    pub head: &'static [&'static str],
    /// The modules of the head that is fully trained for a task. The list is empty if the checkpoint's own head is used.
    pub task_head: &'static [&'static str],
    /// Modules in checkpoints of other tasks that this model does not use.
    pub dropped: &'static [&'static str],
    /// Suffixes of keys in old files that are not parameters, such as position ids.
    pub buffers: &'static [&'static str],
    /// The prefix of the base model, and its modules. Checkpoints of the bare model store the modules without the
    /// prefix.
    pub base: (&'static str, &'static [&'static str]),
    /// Old suffixes of keys, and the current suffixes.
    pub renamed: &'static [(&'static str, &'static str)],
    /// A parameter, and the keys of its copies. Some files store a copy in addition to the parameter or instead of it.
    pub tied: &'static [(&'static str, &'static [&'static str])],
    /// The modules whose weights have a row for each token.
    pub vocabulary: &'static [&'static str],
    /// A parameter, and the key that is read if the file lacks the parameter. The key is ignored otherwise.
    pub instead: &'static [(&'static str, &'static str)],
}

impl KeyTable {
    /// An empty table, for use with the struct update syntax `..`.
    pub const EMPTY: Self = Self {
        architecture: "",
        naming: Naming::BURN,
        in_memory: None,
        head: &[],
        task_head: &[],
        dropped: &[],
        buffers: &[],
        base: ("", &[]),
        renamed: &[],
        tied: &[],
        vocabulary: &[],
        instead: &[],
    };

    /// Convert a key to its current form in transformers, with the base model's prefix and the current names.
    pub(crate) fn canonical(&self, key: &str) -> String {
        let (prefix, modules) = self.base;
        let mut name =
            if modules.iter().any(|module| within(key, module)) { format!("{prefix}.{key}") } else { key.to_string() };
        for (old, new) in self.renamed {
            if let Some(module) = name.strip_suffix(old) {
                name = format!("{module}{new}");
            }
        }
        name
    }

    /// Whether the key `name` is a buffer or a copy of a parameter, which contains no additional information. The
    /// parameters of the model are those for which `wanted` is true.
    pub(crate) fn is_known(&self, name: &str, wanted: impl Fn(&str) -> bool) -> bool {
        self.buffers.iter().any(|buffer| name.strip_suffix(buffer).is_some_and(|module| module.ends_with('.')))
            || self.tied.iter().any(|(parameter, keys)| wanted(parameter) && keys.contains(&name))
            || self.instead.iter().any(|(parameter, key)| wanted(parameter) && *key == name)
    }
}

/// Whether `key` is `module` itself or a tensor in it.
pub(crate) fn within(key: &str, module: &str) -> bool {
    key.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
