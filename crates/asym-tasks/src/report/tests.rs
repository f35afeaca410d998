#![allow(clippy::unwrap_used)]

use asym_core::AdapterConfig;
use asym_train::{Epoch, Outcome, Pace, RunResult, Scores, Tuning};

use super::*;
use crate::registry::AnyTask;

fn table<'a>(task: &AnyTask, methods: impl IntoIterator<Item = &'a Tuning>) -> Report {
    let row = |tuning: &Tuning| Row::new(task, &tuning.to_string(), tuning);
    Report { rows: methods.into_iter().map(row).collect(), ..Report::default() }
}

fn task(name: &str) -> AnyTask {
    name.parse().unwrap()
}

fn run(seed: u64, scores: &[(&str, f64)]) -> RunResult {
    let dev: Scores = scores.iter().map(|(name, score)| (name.to_string(), *score)).collect();
    let outcome = Outcome {
        epochs: vec![Epoch { epoch: 1, train: Scores::new(), dev }],
        training: Pace { examples: 300, seconds: 2.0, input_seconds: 0.5 },
        seconds: 3.0,
        ..Outcome::default()
    };
    RunResult::new(("mrpc".into(), "method".into(), seed), &outcome, (50, 2000))
}

fn mrpc(accuracy: [f64; 3]) -> Vec<RunResult> {
    let run = |(seed, accuracy): (u64, f64)| run(seed, &[("accuracy", accuracy), ("f1", 0.5)]);
    (1..).zip(accuracy).map(run).collect()
}

fn append(report: &mut Report, mut other: Report) {
    report.rows.append(&mut other.rows);
    report.failed.append(&mut other.failed);
}

fn lines(report: &Report) -> Vec<String> {
    report.to_string().lines().map(ToString::to_string).collect()
}

/// Computed by hand for 0.8, 0.9, 1.0: mean 90 %, sample standard deviation 10 %.
#[test]
fn rows_show_means_deviations_and_the_published_score() {
    let (lora, head) = (Tuning::Adapter(AdapterConfig::lora(8)), Tuning::Head);
    let mut report = table(&task("mrpc"), [&lora, &head]);
    mrpc([0.8, 0.9, 1.0]).into_iter().for_each(|run| report.rows[0].runs.push(run));
    let lines = lines(&report);
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    // The scores are followed by an empty line and the costs of the same rows.
    assert!(lines[4].is_empty() && lines.iter().all(|line| line.chars().count() <= 120), "{lines:?}");
    let at = |row: usize, name: &str| {
        let of = |table: usize| Some((table, cells(&lines[table]).iter().position(|cell| cell == name)?));
        let (table, place) = of(0).or_else(|| of(5)).unwrap();
        cells(&lines[table + 2 + row])[place].clone()
    };
    for (name, expected) in [
        ("seeds", "3"),
        ("accuracy %", "90.0 ± 10.0"),
        ("f1 %", "50.0 ± 0.0"),
        ("trained", "50"),
        ("share %", "2.500"),
        ("s / run", "3.0"),
        ("train/s", "150"),
        ("input %", "25.00"),
        // Table 10 of the paper, MRPC, LoRA r = 8.
        ("paper: accuracy % (RoBERTa-large)", "90.3 ± 0.85"),
    ] {
        assert_eq!(at(0, name), expected, "{name}");
    }
    // The second method has neither a run nor a score in the paper.
    for (name, expected) in [("seeds", "0"), ("accuracy %", "-"), ("trained", "-"), ("s / run", "-")] {
        assert_eq!(at(1, name), expected, "{name}");
    }
    assert_eq!(lines.len(), 9, "no comparison was requested");
}

/// Tables 7, 11 and 13 of the paper, PACS, linear probing.
#[test]
fn several_published_scores_have_their_own_rows() {
    let mut report = table(&task("pacs"), [&Tuning::Head, &Tuning::Adapter(AdapterConfig::lora(3))]);
    report.rows[0].runs.push(run(1, &[("ood", 0.5), ("id", 0.75), ("photo", 0.25)]));
    let lines = lines(&report);
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    let header = cells(&lines[0]);
    let at = |line: &str, name: &str| cells(line)[header.iter().position(|cell| cell == name).unwrap()].clone();
    assert!(!lines[0].contains("paper"), "{}", lines[0]);
    for (name, ours, papers) in [
        ("method", "head only", "paper (ViT)"),
        ("ood %", "50.0", "61.73"),
        ("id %", "75.0", "81.62 ± 0.34"),
        ("photo %", "25.0", "88.8 ± 1.43"),
        ("sketch %", "-", "28.72 ± 1.7"),
    ] {
        assert_eq!((at(&lines[2], name).as_str(), at(&lines[3], name).as_str()), (ours, papers), "{name}");
    }
    // There is a row for each method, and one for the paper.
    assert_eq!(lines.iter().position(String::is_empty), Some(5), "the paper has no LoRA of rank 3");
}

#[test]
fn tables_of_several_tasks_have_a_score_column() {
    let mut report = table(&task("mrpc"), [&Tuning::Head]);
    mrpc([0.8, 0.8, 0.8]).into_iter().for_each(|run| report.rows[0].runs.push(run));
    let mut other = table(&task("stsb"), [&Tuning::Head]);
    other.rows[0].runs.push(run(1, &[("pearson", 0.25), ("spearman", 0.5)]));
    other.failed.push("STS-B head seed 2: too hot".to_string());
    append(&mut report, other);
    let lines = lines(&report);
    assert!(lines[2].contains("| MRPC") && lines[2].contains("| accuracy") && lines[2].contains("f1 50.0"));
    assert!(lines[3].contains("| STS-B") && lines[3].contains("25.0 |") && lines[3].contains("spearman 50.0"));
    assert_eq!(lines[lines.len() - 1], "- failed: STS-B head seed 2: too hot");
}

/// Losses are not percentages, and the paper's MMLU scores are not shown for this task.
#[test]
fn losses_are_not_percentages_and_less_is_better() {
    let (lora, head) = (Tuning::Adapter(AdapterConfig::lora(32)), Tuning::Head);
    let mut report = table(&task("alpaca"), [&lora, &head]);
    report.reference = Some(head.to_string());
    for (row, losses) in [(0, [1.5, 1.25]), (1, [2.0, 2.25])] {
        (1..)
            .zip(losses)
            .for_each(|(seed, loss)| report.rows[row].runs.push(run(seed, &[("loss", loss), ("perplexity", 9.0)])));
    }
    let lines = lines(&report);
    let cells: Vec<&str> = lines[2].split('|').map(str::trim).collect();
    assert_eq!(cells[1..5], ["LoRA r=32", "2", "1.3750 ± 0.1768", "9.0000 ± 0.0000"]);
    assert!(
        lines[0].contains(" loss | ") && !lines[0].contains("loss %") && !lines[0].contains("paper"),
        "{}",
        lines[0]
    );
    assert!(lines.iter().any(|line| line.starts_with("Against head only, seed by seed, less is better,")), "{lines:?}");
    assert!(lines[lines.len() - 1].starts_with("- Alpaca, LoRA r=32, loss: -0.75000 ("), "{lines:?}");
    // The table also has a task whose scores are shares.
    let mut other = table(&task("mrpc"), [&head]);
    mrpc([0.8, 0.8, 0.8]).into_iter().for_each(|run| other.rows[0].runs.push(run));
    append(&mut report, other);
    let lines: Vec<String> = report.to_string().lines().map(ToString::to_string).collect();
    assert!(lines[0].contains("| value") || lines[0].contains(" value |"), "{}", lines[0]);
    assert!(lines.iter().any(|line| line.ends_with("; not in percent, less is better")), "{lines:?}");
}

/// The differences by seed are +1, +2 and +3, with mean 2 and standard deviation 1. The 97.5 % quantile of Student's t for 2
/// degrees of freedom is 4.3027, so the margin is 4.3027 / √3 = 2.48.
#[test]
fn rows_are_compared_seed_by_seed() {
    let (lora, head, full) = (Tuning::Adapter(AdapterConfig::lora(8)), Tuning::Head, Tuning::Full);
    let mut report = table(&task("mrpc"), [&lora, &head, &full]);
    report.reference = Some(head.to_string());
    mrpc([0.51, 0.72, 0.93]).into_iter().for_each(|run| report.rows[0].runs.push(run));
    mrpc([0.50, 0.70, 0.90]).into_iter().for_each(|run| report.rows[1].runs.push(run));
    // One seed that the reference has, and one that it lacks.
    report.rows[2].runs.push(run(2, &[("accuracy", 0.69)]));
    report.rows[2].runs.push(run(9, &[("accuracy", 0.99)]));
    let lines = lines(&report);
    let found: Vec<&String> = lines.iter().filter(|line| line.starts_with("- ")).collect();
    assert!(lines.iter().any(|line| line.starts_with("Against head only, seed by seed")), "{lines:?}");
    assert_eq!(found[0], "- MRPC, LoRA r=8, accuracy: +2.00 (-0.48 to +4.48, 3 seeds)");
    assert_eq!(found[1], "- MRPC, full fine-tuning, accuracy: -1.00");
    assert_eq!(found.len(), 2, "the reference is not compared with itself");
}

/// Two tasks with different scores: no line of one task has a score of the other task.
#[test]
fn lines_contain_only_the_scores_of_their_task() {
    let lora = Tuning::Adapter(AdapterConfig::lora(8));
    let mut report = table(&task("mrpc"), [&lora, &Tuning::Head]);
    mrpc([0.8, 0.9, 1.0]).into_iter().for_each(|run| report.rows[0].runs.push(run));
    mrpc([0.7, 0.9, 0.8]).into_iter().for_each(|run| report.rows[1].runs.push(run));
    report.reference = Some(report.rows[1].name.clone());
    let mut other = table(&task("stsb"), [&Tuning::Head]);
    other.rows[0].runs.push(run(1, &[("pearson", 0.25), ("spearman", 0.5)]));
    append(&mut report, other);

    let lines = report.lines();
    let find = |task: &str, row: &str, quantity: &str| {
        lines.iter().find(|line| (&*line.task, &*line.row, &*line.quantity) == (task, row, quantity))
    };
    let (lora, head) = (report.rows[0].name.clone(), report.rows[1].name.clone());
    let accuracy = find("mrpc", &lora, "accuracy").unwrap();
    assert!((accuracy.mean - 90.0).abs() < 1e-9 && (accuracy.deviation.unwrap() - 10.0).abs() < 1e-9);
    assert_eq!((accuracy.runs, accuracy.low), (Some(3), None));
    // The differences by seed are 10, 0 and 20 points.
    let difference = find("mrpc", &lora, "accuracy difference").unwrap();
    assert!((difference.mean - 10.0).abs() < 1e-9 && difference.low.unwrap() < 0.0 && difference.high.unwrap() > 20.0);
    assert!(find("mrpc", &head, "accuracy difference").is_none());
    assert!((find("stsb", &head, "pearson").unwrap().mean - 25.0).abs() < 1e-9);
    assert!(find("stsb", &head, "accuracy").is_none() && find("mrpc", &head, "pearson").is_none());
}
