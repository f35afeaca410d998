//! What Hugging Face's files call the parameters: the form of the tables, one of which stands beside each model.

use asym_core::Naming;

/// How one model class of transformers is stored: the whole truth about one kind of checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct KeyTable {
    /// The class in `architectures`.
    pub architecture: &'static str,
    /// Burn's paths and what files call them, where the two differ.
    pub naming: Naming,
    /// What transformers 5 calls its modules in memory, where that is not what files say. PEFT's folders have these names,
    /// and those that came of transformers 4 have the files'; neither version's PEFT loads the other's folders, asym both.
    pub in_memory: Option<Naming>,
    /// Modules that a checkpoint of another task lacks: each is initialised where it is absent as a whole.
    pub head: &'static [&'static str],
    /// The head that a task trains whole; nothing where the checkpoint's own serves.
    pub task_head: &'static [&'static str],
    /// Modules that checkpoints of other tasks carry and this model has no use for.
    pub dropped: &'static [&'static str],
    /// Ends of keys of old files that are no parameters, such as positions that were counted out.
    pub buffers: &'static [&'static str],
    /// The prefix of the base model, and its modules: checkpoints of the bare model store them without it.
    pub base: (&'static str, &'static [&'static str]),
    /// Old ends of keys, and today's.
    pub renamed: &'static [(&'static str, &'static str)],
    /// A parameter, and the keys that hold the same tensor in some files, beside it or in its place.
    pub tied: &'static [(&'static str, &'static [&'static str])],
    /// A parameter, and the key that is read where the file lacks the parameter's own, and is not looked at otherwise.
    pub instead: &'static [(&'static str, &'static str)],
}

impl KeyTable {
    /// A table of no differences, to be filled up by `..`.
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
        instead: &[],
    };

    /// A key as today's transformers writes it: with the base model's prefix and today's names.
    pub(crate) fn canonical(&self, key: &str) -> String {
        let (prefix, modules) = self.base;
        let mut name = match modules.iter().any(|module| within(key, module)) {
            true => format!("{prefix}.{key}"),
            false => key.to_string(),
        };
        for (old, new) in self.renamed {
            if let Some(module) = name.strip_suffix(old) {
                name = format!("{module}{new}");
            }
        }
        name
    }

    /// Whether the key `name` is known and has no place in this model, whose parameters are those that `wanted` knows.
    pub(crate) fn is_dropped(&self, name: &str, wanted: impl Fn(&str) -> bool) -> bool {
        self.dropped.iter().any(|module| within(name, module))
            || self.buffers.iter().any(|buffer| name.strip_suffix(buffer).is_some_and(|module| module.ends_with('.')))
            || self.tied.iter().any(|(parameter, keys)| wanted(parameter) && keys.contains(&name))
            || self.instead.iter().any(|(parameter, key)| wanted(parameter) && *key == name)
    }
}

/// Whether the tensor `key` is in the module `module`, or is it.
pub(crate) fn within(key: &str, module: &str) -> bool {
    key.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
