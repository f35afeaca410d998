//! Checks the documentation: links lead to existing files, and the options of commands exist.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

use asym::cli::Args;
use clap::Parser;
use clap::error::ErrorKind;

/// The Markdown pages in `folder`, without hidden folders, build output and runs.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "runs" {
            found.append(&mut pages(&path));
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn all() -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    pages(Path::new(env!("CARGO_MANIFEST_DIR"))).into_iter().map(read).collect()
}

/// The commands in code blocks of the language `sh`. Continued lines are joined, and comments are removed.
fn commands(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut inside, mut goes_on) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = line.trim() == "```sh";
            continue;
        }
        if !inside {
            continue;
        }
        let line = line.split(" #").next().unwrap().trim();
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part.trim_end(), true));
        match found.last_mut().filter(|_| goes_on) {
            Some(last) => *last = format!("{last} {part}"),
            None => found.push(part.to_owned()),
        }
        goes_on = more;
    }
    found
}

/// The words of a command up to a pipe, as a shell would split them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => (quote, word) = (Some(c), Some(word.unwrap_or_default())),
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '>' | ';' | '&') => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The part of a command that `asym` would parse. `None` if the command runs another program.
fn arguments(command: &str) -> Option<Vec<String>> {
    let words = words(command);
    let at = words.iter().position(|word| word == "asym" || word.ends_with("/asym"))?;
    // Environment variables may precede the program, as in `BURN_DEVICE=cuda:1 asym`.
    let is_program = words[..at].iter().all(|word| word.contains('='));
    is_program.then(|| words[at..].to_vec())
}

#[test]
fn links_point_to_existing_files() {
    let (mut checked, mut broken) = (0, Vec::new());
    for (path, text) in all() {
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            checked += 1;
            if !path.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(checked > 50 && broken.is_empty(), "{checked} checked; {broken:#?}");
}

#[test]
fn documented_commands_are_valid() {
    let (mut checked, mut wrong) = (0, Vec::new());
    for (path, text) in all() {
        // Earlier versions had other commands.
        if path.ends_with("CHANGELOG.md") {
            continue;
        }
        for command in commands(&text) {
            if let Some(arguments) = arguments(&command).filter(|_| !command.contains('$')) {
                checked += 1;
                match Args::try_parse_from(arguments) {
                    Err(error) if error.kind() != ErrorKind::DisplayHelp => {
                        wrong.push(format!("{}: {command}\n{error}", path.display()));
                    }
                    _ => {}
                }
            }
            let mut words = command.split_whitespace().skip_while(|word| *word != "--example").skip(1);
            if let Some(example) = words.next().filter(|_| command.starts_with("cargo")) {
                checked += 1;
                let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{example}.rs"));
                if !file.exists() {
                    wrong.push(format!("{}: no example {example}", path.display()));
                }
            }
        }
    }
    assert!(checked > 50 && wrong.is_empty(), "{checked} checked; {}", wrong.join("\n"));
}

#[test]
fn the_readme_is_short() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(text.lines().count() <= 120 && long.is_empty(), "{} lines; {long:#?}", text.lines().count());
}
