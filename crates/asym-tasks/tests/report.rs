//! Comparison of the report with the folders of runs: each number on the page is recomputed from the files.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use asym_core::AdapterConfig;
use asym_tasks::report::Gathered;
use asym_tasks::sweep::grid::Grid;
use asym_tasks::{AnyTask, Experiment, Others, Recipe, Sweep};
use asym_train::{Epoch, Existing, Opened, Outcome, Pace, RunFolder, RunResult, Scores, Tuning};
use burn::tensor::Device;
use serde_json::Value;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("asym-report-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The name of a row, and its method.
type Named = (&'static str, fn() -> Tuning);

const ROWS: [Named; 3] = [
    ("lora-r8", || Tuning::Adapter(AdapterConfig::lora(8))),
    ("b-only-r8", || Tuning::Adapter(AdapterConfig::b_only(8))),
    ("probe", || Tuning::Head),
];

fn sweep(output: &Path, rates: &[f64]) -> Sweep {
    let tasks: Vec<AnyTask> = ["rte", "mrpc"].map(|name| name.parse().unwrap()).to_vec();
    let experiment = |task: &AnyTask, (name, tuning): &Named| {
        let mut recipe = Recipe::new(None, None, task.clone(), vec![1, 2, 3], tuning());
        recipe.learning_rates = if *name == "probe" { rates.to_vec() } else { Vec::new() };
        Experiment::of_recipe(name, &recipe, task)
    };
    Sweep {
        experiments: tasks.iter().flat_map(|task| ROWS.iter().map(|row| experiment(task, row))).collect(),
        reference: Some("lora-r8".into()),
        output: output.to_path_buf(),
        existing: Existing::Resume,
        others: Others::Leave,
    }
}

/// A deterministic generator of arbitrary numbers.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Write the folder of a finished run.
fn write(path: &Path, experiment: &Experiment, seed: u64, rate: Option<f64>, numbers: &mut Numbers) {
    let method = &experiment.methods[0];
    let mut run = experiment.run_config(method, seed);
    run.task = experiment.run_task();
    if let Some(rate) = rate {
        run.training.learning_rate = rate;
    }
    let name = path.file_name().unwrap().to_str().unwrap();
    run.hold_out = name.contains("-lr").then_some(0.2);
    let recipe = Recipe::of(&run, None, None);
    let opened = RunFolder::open(path, &recipe, "roberta-mini", &Device::default(), Existing::Resume).unwrap();
    let Opened::Run(folder) = opened else { panic!("{} is finished", path.display()) };
    let epoch = |epoch: usize, numbers: &mut Numbers| {
        let dev: Scores = ["accuracy", "f1"].map(|score| (score.to_string(), numbers.next())).into();
        Epoch { epoch, train: Scores::new(), dev }
    };
    let outcome = Outcome {
        epochs: vec![epoch(1, numbers), epoch(2, numbers)],
        steps: 60,
        training: Pace { examples: 3000, seconds: 1.0 + 9.0 * numbers.next(), input_seconds: 0.1 },
        evaluation: Pace { examples: 500, seconds: 1.0 + numbers.next(), input_seconds: 0.1 },
        seconds: 10.0 * numbers.next(),
        ..Outcome::default()
    };
    let names = (run.task.name(), run.tuning.to_string(), seed);
    let trainable = 1000 + 17 * method.name.len();
    folder.finish(RunResult::new(names, &outcome, (trainable, 963_074))).unwrap();
    let log: String =
        (1..=60).map(|step| format!("{{\"step\":{step},\"epoch\":1,\"loss\":{}}}\n", numbers.next())).collect();
    // A killed process may leave half a line.
    std::fs::write(path.join("metrics.jsonl"), log + "{\"step\":61,\"lo").unwrap();
    // Memory is counted in the program, but not in a test.
    let mut results = read(path);
    results["peak_bytes"] = Value::from((30.0 + 9.0 * numbers.next()) as u64 * 1_234_567);
    std::fs::write(path.join("results.json"), results.to_string()).unwrap();
}

fn make(sweep: &Sweep) {
    let mut numbers = Numbers(7);
    Grid::of(sweep).add_to(&sweep.output).unwrap();
    for cell in sweep.cells() {
        let experiment = &sweep.experiments[cell.experiment];
        let own = experiment.learning_rates(&experiment.methods[0]);
        let rate = cell.learning_rate.or(own.get(cell.seed as usize % 2).copied());
        write(&sweep.output.join(sweep.name(&cell)), experiment, cell.seed, rate, &mut numbers);
    }
}

fn read(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("results.json")).unwrap()).unwrap()
}

/// A table cell. A word after the number is stored separately.
#[derive(Debug, Clone)]
struct Shown {
    task: String,
    row: String,
    key: String,
    text: String,
    word: String,
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_string())
}

/// The text of a piece of HTML.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_string()
}

/// The cells of the tables whose rows have the attribute `of`.
fn shown(page: &str, of: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let mut task = String::new();
    for section in page.split("<h2 id=\"").skip(1) {
        task = section.split_once('"').map_or(task, |(id, _)| id.to_string());
        for line in section.split("<tr ").skip(1) {
            let (tag, body) = line.split_once('>').unwrap();
            let Some(row) = attribute(tag, of) else { continue };
            for cell in body.split("</tr>").next().unwrap().split("<td").skip(1) {
                let (tag, inner) = cell.split_once('>').unwrap();
                let inner = inner.split("</td>").next().unwrap();
                let (number, word) = inner.split_once("<span class=\"word\">").unwrap_or((inner, ""));
                let key = attribute(tag, "data-key").unwrap_or_default();
                let (text, word) = (plain(number), plain(word));
                found.push(Shown { task: task.clone(), row: row.clone(), key, text, word });
            }
        }
    }
    found
}

/// The results of a row in the files, by seed.
fn results(runs: &Path, task: &str, row: &str) -> Vec<(u64, Value)> {
    let whole = |seed| {
        let run = runs.join(task).join(format!("{row}-seed{seed}"));
        let text = std::fs::read_to_string(run.join("results.json")).ok()?;
        Some((seed, serde_json::from_str(&text).ok()?))
    };
    (1..=3).filter_map(whole).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)).sqrt()
}

/// Student's t at 97.5 % for 1 and 2 degrees of freedom, from a table.
fn student(runs: usize) -> f64 {
    [12.706_204_736, 4.302_652_730][runs - 2]
}

/// A number of a result, by the key of its column.
fn number(result: &Value, key: &str) -> f64 {
    let at = |pointer: &str| result.pointer(pointer).unwrap().as_f64().unwrap();
    match key {
        "accuracy" | "f1" => 100.0 * at(&format!("/scores/{key}")),
        "trained" => at("/trainable"),
        "trained_percent" => 100.0 * at("/trainable") / at("/total"),
        "seconds" | "steps" => at(&format!("/{key}")),
        "training_samples_per_second" => at("/training/examples") / at("/training/seconds"),
        "evaluation_samples_per_second" => at("/evaluation/examples") / at("/evaluation/seconds"),
        "peak_mib" => at("/peak_bytes") / 1_048_576.0,
        other => panic!("the column `{other}` is unknown to this test"),
    }
}

/// The text that a cell of a summary must have, and its word.
fn expected(runs: &Path, task: &str, row: &str, key: &str) -> (String, String) {
    let own = results(runs, task, row);
    let values: Vec<f64> = match key.strip_suffix(" difference") {
        _ if key == "seeds" => return (format!("{} of 3", own.len()), String::new()),
        Some(_) if row == "lora-r8" => Vec::new(),
        Some(score) => {
            let others = results(runs, task, "lora-r8");
            let pair = |(seed, result): &(u64, Value)| {
                let other = others.iter().find(|(other, _)| other == seed)?;
                Some(number(result, score) - number(&other.1, score))
            };
            own.iter().filter_map(pair).collect()
        }
        None if key.starts_with("paper ") => {
            // Tables 4 and 10 of the paper: accuracy of LoRA and of B alone with rank 8.
            let papers = match (task, row) {
                ("rte", "lora-r8") => "84.1 ± 0.96",
                ("rte", "b-only-r8") => "82.8 ± 1.5",
                ("mrpc", "lora-r8") => "90.3 ± 0.85",
                ("mrpc", "b-only-r8") => "89.7 ± 0.13",
                _ => "–",
            };
            return (papers.to_string(), String::new());
        }
        None => own.iter().map(|(_, result)| number(result, key)).collect(),
    };
    if values.is_empty() {
        return ("–".into(), String::new());
    }
    let (average, several) = (mean(&values), values.len() > 1);
    if key.ends_with(" difference") {
        let signed = |value: f64| format!("{value:+.2}").replace('-', "−");
        if !several {
            return (signed(average), "one seed".into());
        }
        let margin = student(values.len()) * deviation(&values) / (values.len() as f64).sqrt();
        let (low, high) = (average - margin, average + margin);
        let word = if low > 0.0 {
            "better"
        } else if high < 0.0 {
            "worse"
        } else {
            "not clear"
        };
        return (format!("{} ({} to {})", signed(average), signed(low), signed(high)), word.into());
    }
    let text = match key {
        "accuracy" | "f1" if several => format!("{average:.1} ± {:.1}", deviation(&values)),
        "accuracy" | "f1" | "seconds" => format!("{average:.1}"),
        "trained_percent" => format!("{average:.3}"),
        _ => format!("{average:.0}"),
    };
    (text, String::new())
}

/// Compare every number on the page with the folders, and return the number of comparisons.
fn check(page: &str, runs: &Path) -> usize {
    let mut numbers = 0;
    for cell in shown(page, "data-row") {
        let Shown { task, row, key, text, word } = &cell;
        if key.is_empty() {
            // The name of the method.
            continue;
        }
        assert_eq!((text.clone(), word.clone()), expected(runs, task, row, key), "{cell:?}");
        numbers += 1;
    }
    for cell in shown(page, "data-folder") {
        let Shown { row: folder, key, text, .. } = &cell;
        let recipe = std::fs::read_to_string(runs.join(folder).join("recipe.toml"));
        match key.as_str() {
            // The folder, the state, and the link to the recipe.
            "" => continue,
            "seed" => assert!(folder.ends_with(&format!("-seed{text}")), "{cell:?}"),
            "learning_rate" => {
                let text = text.rsplit(' ').next().unwrap();
                let recipe = recipe.map(|text| text.parse::<toml::Table>().unwrap());
                let rate = recipe.ok().map(|recipe| recipe["training"]["learning_rate"].as_float().unwrap());
                assert_eq!(text.parse::<f64>().ok(), rate, "{cell:?}");
            }
            key => {
                let value = number(&read(&runs.join(folder)), key);
                let digits = match key {
                    "accuracy" | "f1" => 2,
                    "seconds" => 1,
                    _ => 0,
                };
                assert_eq!(*text, format!("{value:.digits$}"), "{cell:?}");
            }
        }
        numbers += 1;
    }
    // Every number in a table is tested.
    let tables = page.split("<tbody>").skip(1).map(|rest| rest.split("</tbody>").next().unwrap());
    for cell in tables.flat_map(|table| table.split("<td").skip(1)) {
        let (tag, inner) = cell.split_once('>').unwrap();
        let is_named =
            ["data-key", "data-label=\"state\"", "data-label=\"recipe\""].iter().any(|name| tag.contains(name));
        let inner = plain(inner.split("</td>").next().unwrap());
        let is_first = tag.is_empty();
        assert!(is_named || is_first || inner == "–", "a number without a name: {cell}");
    }
    numbers
}

fn report(runs: &Path) -> (String, PathBuf) {
    let output = runs.with_extension("report");
    let _ = std::fs::remove_dir_all(&output);
    Gathered::read(runs, None).unwrap().write(&output, "A test", None).unwrap();
    (std::fs::read_to_string(output.join("report.html")).unwrap(), output)
}

#[test]
fn report_numbers_match_the_run_folders() {
    let folder = Folder::new("whole");
    let sweep = sweep(&folder.0, &[]);
    make(&sweep);
    let (page, output) = report(&folder.0);
    let _output = Folder(output.clone());
    // 6 rows with 10 or 11 columns, and 18 runs with 9 or 10 columns.
    assert!(check(&page, &folder.0) > 200);
    assert!(page.contains("18 runs") && !page.contains("incomplete"), "{page}");
    // The page loads no resources and runs no scripts.
    for word in ["<script", "<link", "<img", "@import", "url(", "http:", "https:"] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(word), "{word}");
    }
    // Every link leads to an anchor on the page, and anchors are unique.
    let ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    let links: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 60 && links.iter().all(|link| unique.contains(link)), "{links:?}");
    // The recipe of each row is on the page.
    for (method, text) in [("b-only-r8", "init = \"orthonormal\""), ("probe", "tuning = \"head\"")] {
        let detail =
            page.split(&format!("<h3 id=\"rte-{method}\"")).nth(1).unwrap().split("</section>").next().unwrap();
        assert!(detail.contains("<pre>") && plain(detail).replace("&#34;", "\"").contains(text), "{detail}");
    }
    // The figures have the numbers of the tables: the differences, and the parameters.
    let figure = |name: &str| std::fs::read_to_string(output.join("figures").join(name)).unwrap();
    let differences = figure("rte-differences.csv");
    let line = differences.lines().find(|line| line.contains(",mean, 95 %") || line.contains("interval")).unwrap();
    let numbers: Vec<f64> = line.rsplit(',').take(4).map(|number| number.parse().unwrap()).collect();
    let signed = |value: f64| format!("{value:+.2}").replace('-', "−");
    let text = format!("{} ({} to {})", signed(numbers[3]), signed(numbers[1]), signed(numbers[0]));
    assert_eq!(text, expected(&folder.0, "rte", "b-only-r8", "accuracy difference").0);
    assert!(figure("mrpc-parameters.csv").contains(",1153,"), "{}", figure("mrpc-parameters.csv"));
    for name in ["mrpc-memory.svg", "rte-loss.png", "rte-epochs.csv"] {
        assert!(output.join("figures").join(name).exists(), "{name}");
    }
    // The Markdown and the CSV have the same numbers.
    let (text, _) = expected(&folder.0, "mrpc", "b-only-r8", "accuracy");
    let markdown = std::fs::read_to_string(output.join("report.md")).unwrap();
    assert!(markdown.contains(&format!("| {text} |")), "{markdown}");
    let mut summary = csv::Reader::from_path(output.join("summary.csv")).unwrap();
    let mut lines = 0;
    for record in summary.records() {
        let record = record.unwrap();
        let (task, row, key) = (&record[0], &record[3], &record[5]);
        if !key.starts_with("paper") && !key.ends_with("difference") {
            let values: Vec<f64> =
                results(&folder.0, task, row).iter().map(|(_, result)| number(result, key)).collect();
            let found: f64 = record[6].parse().unwrap();
            assert!((found - mean(&values)).abs() <= 1e-9 * found.abs(), "{record:?}");
            lines += 1;
        }
    }
    assert!(lines > 40, "{lines}");
    let mut runs = csv::Reader::from_path(output.join("runs.csv")).unwrap();
    let mut lines = 0;
    for record in runs.records() {
        let record = record.unwrap();
        let found: f64 = record[8].parse().unwrap();
        assert_eq!(found, number(&read(&folder.0.join(&record[5])), &record[7]), "{record:?}");
        lines += 1;
    }
    assert_eq!(lines, 9 * 6 + 9 * 7);
}

/// A figure has eight line styles. Rows with the same method are distinguished by their names.
#[test]
fn more_rows_than_line_styles_give_more_figures() {
    let folder = Folder::new("many");
    let mut numbers = Numbers(3);
    let task: AnyTask = "rte".parse().unwrap();
    for row in 1..=10 {
        let recipe = Recipe::new(None, None, task.clone(), vec![1], Tuning::Head);
        // For a recipe called `recipe`, the name of the settings file must not make its folder look like the folder of a run.
        let name = if row == 1 { "recipe".to_string() } else { format!("row{row}") };
        let experiment = Experiment::of_recipe(&name, &recipe, &task);
        std::fs::create_dir_all(folder.0.join("rte")).unwrap();
        std::fs::write(folder.0.join("rte").join(&experiment.settings), "").unwrap();
        for seed in [1, 2] {
            write(&folder.0.join(format!("rte/{name}-seed{seed}")), &experiment, seed, None, &mut numbers);
        }
    }
    let output = folder.0.with_extension("report");
    let gathered = Gathered::read(&folder.0, None).unwrap();
    gathered.write(&output, "", Some("recipe")).unwrap();
    let _output = Folder(output.clone());
    let series = |name: &str| {
        let mut table = csv::Reader::from_path(output.join("figures").join(name)).unwrap();
        table.records().map(|record| record.unwrap()[1].to_string()).collect::<BTreeSet<_>>()
    };
    let (first, second) = (series("rte-parameters-1.csv"), series("rte-parameters-2.csv"));
    assert_eq!((first.len(), second.len()), (8, 2));
    assert!(second.contains("head only (row9)"), "{second:?}");
    // The figure of the differences contains all rows: 9 differences.
    let forest = std::fs::read_to_string(output.join("figures/rte-differences.csv")).unwrap();
    assert_eq!(forest.lines().filter(|line| line.contains("interval")).count(), 9);
}

#[test]
fn missing_and_damaged_runs_are_named() {
    let folder = Folder::new("partial");
    let sweep = sweep(&folder.0, &[]);
    make(&sweep);
    for gone in ["rte/lora-r8-seed2", "rte/b-only-r8-seed3", "mrpc/probe-seed1"] {
        std::fs::remove_dir_all(folder.0.join(gone)).unwrap();
    }
    // Half a file, as after an interrupted copy; a file of another version; and a run on another machine.
    let half = folder.0.join("mrpc/lora-r8-seed3/results.json");
    let text = std::fs::read_to_string(&half).unwrap();
    std::fs::write(&half, &text[..text.len() / 2]).unwrap();
    let other = folder.0.join("mrpc/b-only-r8-seed2/results.json");
    std::fs::write(&other, r#"{"format": 1, "scores": {}}"#).unwrap();
    let running = folder.0.join("mrpc/probe-seed3");
    std::fs::remove_file(running.join("results.json")).unwrap();
    let claim =
        r#"{"host":"elsewhere","boot":"another","pid":7,"since":"2001-01-01 00:00:00 UTC","step":59,"steps":90}"#;
    std::fs::write(running.join("claim-1"), claim).unwrap();

    let gathered = Gathered::read(&folder.0, None).unwrap();
    let found = gathered.status();
    let status = found.to_string();
    assert!(
        status.starts_with(&format!(
            "{}: 18 runs: 12 done, 1 running, 0 failed, 3 open, 2 unreadable",
            folder.0.display()
        )),
        "{status}"
    );
    for part in ["open       rte/lora-r8-seed2", "running    mrpc/probe-seed3  process 7 on elsewhere", "step 60 of 90"]
    {
        assert!(status.contains(part), "`{part}` in: {status}");
    }
    let state = |name: &str| found.runs.iter().find(|run| run.run == name).map(|run| (run.state, run.value.is_some()));
    assert_eq!(found.runs.len(), 18);
    assert_eq!(state("mrpc/probe-seed2"), Some(("done", true)));
    assert_eq!(state("mrpc/probe-seed3"), Some(("running", false)));
    assert_eq!(state("mrpc/lora-r8-seed3"), Some(("unreadable", false)));
    let (page, output) = report(&folder.0);
    let _output = Folder(output);
    for file in [&half, &other] {
        assert!(plain(&page).contains(&*file.to_string_lossy()), "{}", file.display());
    }
    let text = plain(&page);
    for part in [
        "This report is incomplete",
        "missing: rte/lora-r8-seed2: open",
        "missing: mrpc/probe-seed1: open",
        "half-written or damaged",
        "its format is 1, and this version reads 2",
    ] {
        assert!(text.contains(part), "{part}");
    }
    // The numbers come from the existing runs. A file of another format has no numbers.
    std::fs::remove_file(&other).unwrap();
    check(&page, &folder.0);
    assert!(shown(&page, "data-row").iter().any(|cell| cell.text == "2 of 3" && cell.key == "seeds"));
}

/// A sweep that has just been planned.
#[test]
fn reports_of_grids_without_runs_contain_all_rows() {
    let folder = Folder::new("planned");
    let sweep = sweep(&folder.0, &[]);
    Grid::of(&sweep).add_to(&folder.0).unwrap();
    let (page, output) = report(&folder.0);
    let _output = Folder(output.clone());
    check(&page, &folder.0);
    let text = plain(&page);
    assert!(
        text.contains("18 runs") && text.contains("18 open") && text.contains("missing: rte/probe-seed3: open"),
        "{text}"
    );
    for method in ["LoRA r=8", "B̂_0 A_rand r=8", "head only"] {
        assert_eq!(page.matches(&format!(">{method}</a>")).count(), 2, "{method}");
    }
    assert!(!output.join("figures").exists());
}

#[test]
fn chosen_learning_rates_are_reported() {
    let folder = Folder::new("chosen");
    let sweep = sweep(&folder.0, &[1e-3, 3e-3]);
    make(&sweep);
    let (page, output) = report(&folder.0);
    let _output = Folder(output);
    check(&page, &folder.0);
    let text = plain(&page);
    let choice = "head only: learning rate 3e-3 (seed 1), 1e-3 (seed 2), 3e-3 (seed 3); candidates 1e-3, 3e-3, compared by the \
        score on 20 % of the training examples";
    assert!(text.contains(&format!("RTE, {choice}")), "{text}");
    // The runs that choose a rate are not included in the means. They are listed with the other runs below.
    assert!(text.contains("30 runs") && text.contains("decides on 1e-3"), "{text}");
    assert!(page.contains("data-folder=\"rte/probe-lr1e-3-seed1\""));
}

#[test]
fn runs_with_the_same_name_are_kept_apart() {
    let folder = Folder::new("twice");
    for (part, seed) in [("first", 7), ("second", 8)] {
        let sweep = sweep(&folder.0.join(part), &[]);
        let mut numbers = Numbers(seed);
        let experiment = &sweep.experiments[0];
        write(&sweep.output.join("rte/lora-r8-seed1"), experiment, 1, None, &mut numbers);
    }
    let (page, output) = report(&folder.0);
    let _output = Folder(output);
    let rows: BTreeSet<String> = shown(&page, "data-row").into_iter().map(|cell| cell.row).collect();
    assert!(rows.iter().eq(["first/rte/lora-r8", "second/rte/lora-r8"]), "{rows:?}");
}

#[test]
fn folders_without_runs_and_unknown_rows_are_rejected() {
    let folder = Folder::new("empty");
    std::fs::create_dir_all(&folder.0).unwrap();
    let error = Gathered::read(&folder.0, None).unwrap_err().to_string();
    assert!(error.contains("there is no run in this folder"), "{error}");
    assert!(Gathered::read(&folder.0.join("nowhere"), None).is_err());
    make(&sweep(&folder.0, &[]));
    let gathered = Gathered::read(&folder.0, None).unwrap();
    let error = gathered.write(&folder.0.join("report"), "", Some("lora-r9")).unwrap_err().to_string();
    assert!(error.contains("b-only-r8, lora-r8, probe"), "{error}");
}
