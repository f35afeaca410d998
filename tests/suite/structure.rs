//! Checks the structure of the workspace: which crates and files may import others. ARCHITECTURE.md gives the reasons.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files in a folder and its subfolders, by path, without their tests.
fn sources(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\n#[allow").next().unwrap().split("#[cfg(test)]\nmod tests {").next();
            found.insert(path, text.unwrap().to_string());
        }
    }
    found
}

fn crate_sources(name: &str) -> BTreeMap<PathBuf, String> {
    sources(&root().join("crates").join(name).join("src"))
}

/// The dependencies of a crate, without dev-dependencies.
fn dependencies(name: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    table["dependencies"].as_table().unwrap().keys().cloned().collect()
}

fn workspace_dependencies(name: &str) -> Vec<String> {
    dependencies(name).into_iter().filter(|name| name.starts_with("asym-")).collect()
}

#[test]
fn data_and_figure_crates_do_not_depend_on_burn_or_asym() {
    for name in ["asym-data", "asym-figure"] {
        assert_eq!(workspace_dependencies(name), [""; 0], "{name}");
        assert!(!dependencies(name).iter().any(|name| name.starts_with("burn")), "{name}");
    }
    for (path, text) in crate_sources("asym-data") {
        let known = ["Tensor", "burn::"].iter().find(|word| text.contains(**word));
        assert_eq!(known, None, "{}", path.display());
    }
}

/// If a file is renamed before its contents are on the disk, a file with the final name can be empty after a power failure.
#[test]
fn files_are_synced_before_they_are_renamed() {
    let mut files = sources(&root().join("src"));
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        files.append(&mut sources(&entry.unwrap().path().join("src")));
    }
    let moves: Vec<_> = files.iter().filter(|(_, text)| text.contains("fs::rename(")).collect();
    assert!(moves.len() > 3, "{moves:?}");
    for (path, text) in moves {
        let before = text.split("fs::rename(").next().unwrap();
        // A folder is renamed. Its files are written by the function of asym-core.
        let is_folder = path.ends_with("merge.rs") && text.contains("asym_core::write_whole");
        assert!(before.contains("sync_all()") || text.contains("sync_all()?") || is_folder, "{}", path.display());
    }
    // Results are written by this function, not directly to the final path.
    let direct = |text: &String| text.contains("fs::write(") || text.contains("File::create(");
    let direct = files.iter().filter(|(_, text)| direct(text)).map(|(path, _)| path.file_name().unwrap());
    // `scratch.rs` creates folders for tests.
    let direct: Vec<_> = direct.filter(|name| *name != "scratch.rs").collect();
    assert_eq!(direct, ["files.rs", "output.rs", "save.rs", "write.rs", "checkpoint.rs"]);
}

#[test]
fn the_training_loop_does_not_depend_on_models_or_tasks() {
    assert_eq!(workspace_dependencies("asym-train"), ["asym-core"]);
    let mut files = crate_sources("asym-train");
    files.append(&mut crate_sources("asym-data"));
    files.append(&mut sources(&root().join("src/cli")));
    // The subcommands that are only for GLUE, and the list of all subcommands, are excluded.
    files.retain(|path, _| {
        !["data.rs", "submit.rs", "command.rs"].iter().any(|own| path.ends_with(Path::new("cli").join(own)))
    });
    for (path, text) in files {
        assert!(!text.to_lowercase().contains("glue"), "{}", path.display());
    }
}

/// The modules of the tasks, from the lines of `tasks!`.
fn tasks() -> Vec<String> {
    let registry = std::fs::read_to_string(root().join("crates/asym-tasks/src/registry/mod.rs")).unwrap();
    let lines = registry.split("\ntasks! {").nth(1).unwrap().split('}').next().unwrap();
    let module = |line: &str| Some(line.trim().split_once('(')?.1.split_once("::")?.0.to_string());
    lines.lines().filter_map(module).collect()
}

#[test]
fn only_the_registry_imports_tasks() {
    let (tasks, folder) = (tasks(), root().join("crates/asym-tasks/src"));
    assert!(tasks.contains(&"glue".to_string()), "{tasks:?}");
    for (path, text) in crate_sources("asym-tasks") {
        for task in &tasks {
            let own = path.starts_with(folder.join(task)) || path == folder.join(format!("{task}.rs"));
            let registry = path.ends_with("registry/mod.rs");
            let imports = text.contains(&format!("crate::{task}")) || text.contains(&format!("super::{task}::"));
            assert!(own || registry || !imports, "{} imports the task `{task}`", path.display());
        }
    }
}

/// The files of modules and their texts, by module path.
struct Modules {
    files: BTreeMap<Vec<String>, PathBuf>,
    texts: BTreeMap<Vec<String>, String>,
}

impl Modules {
    fn read(src: &Path) -> Self {
        let (mut files, mut texts) = (BTreeMap::new(), BTreeMap::new());
        for (path, text) in sources(src) {
            let relative = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_string()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
                module.pop();
            }
            files.insert(module.clone(), path);
            texts.insert(module, text);
        }
        Self { files, texts }
    }

    /// The paths in the `use` items of a text. Groups are expanded: `a::{b, c::d}` has two paths.
    fn uses(text: &str, public: bool) -> Vec<Vec<String>> {
        fn expand(prefix: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
            let mut depth = 0;
            let (mut start, mut parts) = (0, Vec::new());
            for (at, byte) in tree.bytes().enumerate() {
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    b',' if depth == 0 => {
                        parts.push(&tree[start..at]);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            parts.push(&tree[start..]);
            for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
                let head = part.split('{').next().unwrap();
                let mut path = prefix.to_vec();
                let segments = head.split("::").map(|segment| segment.split(" as ").next().unwrap().trim().to_string());
                path.extend(segments.filter(|segment| !segment.is_empty() && segment != "self"));
                match part.split_once('{') {
                    Some((_, group)) => expand(&path, group.strip_suffix('}').unwrap_or(group), found),
                    None => found.push(path),
                }
            }
        }
        let mut found = Vec::new();
        for item in text.split(';') {
            let item = item.trim_start();
            let lines: Vec<&str> = item.lines().skip_while(|line| !line.contains("use ")).collect();
            let item = lines.join(" ");
            let (is_public, tree) = match (item.strip_prefix("pub use "), item.strip_prefix("use ")) {
                (Some(tree), _) => (true, tree),
                (_, Some(tree)) => (false, tree),
                _ => continue,
            };
            if is_public == public {
                expand(&[], tree, &mut found);
            }
        }
        found
    }

    /// An absolute module path, without `crate`, `self` and `super`.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "super" => {
                let parent = &module[..module.len().checked_sub(1)?];
                self.absolute(parent, &path[1..]).or_else(|| Some([parent, &path[1..]].concat()))
            }
            _ => {
                let child = [module, &path[..1]].concat();
                self.files.contains_key(&child).then(|| [module, path].concat())
            }
        }
    }

    /// The module that defines the item at `path`: the longest prefix of `path` that is a file, or the file from which this
    /// module re-exports the item.
    fn definition(&self, path: &[String]) -> Option<Vec<String>> {
        let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let module = path[..length].to_vec();
        let Some(name) = path.get(length) else { return Some(module) };
        for reexport in Self::uses(&self.texts[&module], true) {
            if reexport.last() == Some(name) {
                // `self::a::B`, from which `self` was removed, or `a::B`.
                if let Some(target) = self.absolute(&module, &reexport).filter(|target| *target != path) {
                    return self.definition(&target);
                }
            }
        }
        Some(module)
    }

    /// Cycles of imports through more than two files. For each file, only the shortest cycle that starts at it is found.
    fn cycles(&self) -> Vec<Vec<PathBuf>> {
        let imports: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = self
            .texts
            .iter()
            .map(|(module, text)| {
                let uses = Self::uses(text, false);
                let targets = uses.iter().filter_map(|path| self.definition(&self.absolute(module, path)?));
                (module, targets.filter(|target| target != module).collect())
            })
            .collect();
        let mut found = Vec::new();
        for start in self.texts.keys() {
            // A breadth-first search over paths without repeated files. Two files may import each other.
            let mut paths: Vec<Vec<&Vec<String>>> = vec![vec![start]];
            'search: while !paths.is_empty() && paths[0].len() <= self.texts.len() {
                let mut longer = Vec::new();
                for path in &paths {
                    for next in &imports[path[path.len() - 1]] {
                        if next == start && path.len() > 2 {
                            found.push(path.iter().map(|module| self.files[*module].clone()).collect());
                            break 'search;
                        }
                        // Each cycle is found only from its first file.
                        if next > start && !path.contains(&next) {
                            let next = imports.get_key_value(next).unwrap().0;
                            longer.push([path.as_slice(), &[*next]].concat());
                        }
                    }
                }
                assert!(longer.len() < 100_000, "too many paths from {start:?}");
                paths = longer;
            }
        }
        found
    }
}

#[test]
fn import_cycles_contain_at_most_two_files() {
    for folder in ["asym-data", "asym-train", "asym-tasks", "asym-models", "asym-figure", "asym-core", "asym-analysis"]
    {
        let modules = Modules::read(&root().join("crates").join(folder).join("src"));
        assert!(modules.files.len() > 5, "{folder}");
        let cycles = modules.cycles();
        assert!(cycles.is_empty(), "{folder}: {cycles:#?}");
    }
}

/// The search of the test above finds an existing cycle.
#[test]
fn import_cycles_are_detected() {
    let module = |name: &str| vec![name.to_string()];
    let texts = [
        (vec![], "mod a;\nmod b;\nmod c;\npub use c::C;\n"),
        (module("a"), "use crate::b::B;\n"),
        (module("b"), "use std::fmt;\nuse crate::{C, d::{E, F}};\n"),
        (module("c"), "use super::a::{self, A};\n"),
        (module("d"), "use crate::a;\n"),
    ];
    let texts: BTreeMap<_, _> = texts.into_iter().map(|(module, text)| (module, text.to_string())).collect();
    let files = texts.keys().map(|module| (module.clone(), PathBuf::from(module.join("/")))).collect();
    let cycles = Modules { files, texts }.cycles();
    // Two files may import each other. a -> b -> c -> a and a -> b -> d -> a are cycles.
    assert_eq!(cycles, [["a", "b", "c"].map(PathBuf::from).to_vec()]);
}
