//! The paper's Figure 1: how learned factors depend on the initialization and on the task.

use std::path::PathBuf;

use anyhow::{Result, bail};
use asym_analysis::similarity::{Alike, Side, Similarity, compare, panel};
use asym_figure::Figure;
use asym_tasks::sweep::SETTINGS;
use asym_tasks::{AnyTask, Experiment, Method, Recipe, Sweep};
use asym_train::Tuning;
use clap::Parser;

use super::FormArgs;
use super::run::{RunsArgs, execute};
use super::similarity;

/// Train LoRA in the three scenarios of the paper's Figure 1, compare the learned factors, and draw the figure.
///
/// The scenarios are (a) one task with several initializations, (b) several tasks with one initialization, and (c)
/// several tasks, each with its own initialization. Without arguments, it trains the embedded mini RoBERTa on the
/// generated tasks, in a few minutes on two cores.
#[derive(Debug, Parser)]
pub struct Figure1Args {
    /// RoBERTa or BERT checkpoint: a folder, or a name on the Hub [default: the embedded mini RoBERTa]
    #[arg(long)]
    model: Option<String>,
    /// The tasks' data: a folder, or a name on the Hub [default: generated data]
    #[arg(long)]
    data: Option<String>,
    /// The tasks of scenarios (b) and (c); scenario (a) uses the first task
    #[arg(long, value_delimiter = ',', default_value = "mrpc,rte,stsb,cola")]
    tasks: Vec<AnyTask>,
    /// The seeds of scenario (a); (b) uses the first seed, and (c) uses one seed for each task
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4,5")]
    seeds: Vec<u64>,
    /// The method: a row of `asym table` that has a pair of factors for each weight
    #[arg(long, default_value = "lora-r8")]
    method: String,
    /// Number of epochs
    #[arg(long)]
    epochs: Option<usize>,
    #[command(flatten)]
    runs: RunsArgs,
}

/// Run the example: parse the options, train, compare the factors, and draw the figure.
///
/// # Errors
///
/// Returns an error if settings, data or model are invalid, or if a run fails. All checks run before training starts.
pub fn figure1() -> Result<()> {
    super::messages::show();
    Figure1Args::parse().run()
}

impl Figure1Args {
    fn run(self) -> Result<()> {
        if self.seeds.len() < self.tasks.len().max(2) || self.tasks.len() < 2 {
            bail!(
                "Figure 1 needs at least two tasks, two seeds, and a seed for each task: \
                {} tasks, {} seeds given",
                self.tasks.len(),
                self.seeds.len()
            );
        }
        let method = Method::parse(&self.method, 8, self.tasks[0].layers())?;
        let Tuning::Adapter(config) = &method.tuning else {
            bail!("{}: this method does not train an adapter", method.name)
        };
        if matches!(config.method, asym_core::Method::Ia3(_) | asym_core::Method::Vera(_)) {
            bail!("{}: this method does not have a pair of factors for each weight", method.name);
        }
        if let Some(task) = self.tasks.iter().enumerate().find(|(at, task)| self.tasks[..*at].contains(task)) {
            bail!("{} is listed twice: the scenarios need different tasks", task.1.name());
        }
        let output = self.runs.output.open("figure1")?;
        let experiments = self.tasks.iter().map(|task| self.experiment(task, &method)).collect();
        execute(&self.runs.source, &Sweep { experiments, ..output.sweep() }, FormArgs::default())?;

        let folder = |task: &AnyTask, seed: u64| {
            output.path.join(task.name()).join(format!("{}-seed{seed}", method.name)).join("adapter")
        };
        let tasks: Vec<String> = self.tasks.iter().map(|task| task.name()).collect();
        let (first, start) = (&self.tasks[0], self.seeds[0]);
        let scenarios: [(String, Vec<PathBuf>); 3] = [
            (
                format!("(a) {} starts, one task", self.seeds.len()),
                self.seeds.iter().map(|seed| folder(first, *seed)).collect(),
            ),
            (
                format!("(b) one start, {} tasks", tasks.len()),
                self.tasks.iter().map(|task| folder(task, start)).collect(),
            ),
            (
                format!("(c) {0} starts, {0} tasks", tasks.len()),
                self.tasks.iter().zip(&self.seeds).map(|(task, seed)| folder(task, *seed)).collect(),
            ),
        ];
        let mut panels = Vec::new();
        for (title, folders) in &scenarios {
            let rows = compare(&similarity::read(folders)?)?;
            super::say(summary(title, &rows))?;
            panels.push(panel(title, &rows));
        }
        let figure = Figure {
            panels,
            ..Figure::new(format!("Similarity of learned factors: {}, {}", config.method, tasks.join(", ")))
                .note("Means over pairs of adapters, bands of one standard deviation. Gray: independent subspaces.")
                .columns(3)
        };
        super::say(figure.save(&output.path.join("figure1"))?)
    }

    /// The runs on one task. The first task uses all seeds. Every other task uses the common seed and a seed of its own.
    fn experiment(&self, task: &AnyTask, method: &Method) -> Experiment {
        let at = self.tasks.iter().position(|other| other == task).unwrap_or_default();
        let seeds = match at {
            0 => self.seeds.clone(),
            _ => vec![self.seeds[0], self.seeds[at]],
        };
        let (model, data) = (self.model.clone(), self.data.clone());
        let mut recipe = Recipe::new(model, data, task.clone(), seeds.clone(), method.tuning.clone());
        recipe.set_epochs(self.epochs);
        Experiment {
            task: task.clone(),
            recipe,
            methods: vec![method.clone()],
            full_learning_rate: None,
            folder: task.name(),
            settings: SETTINGS.into(),
        }
    }
}

/// A line that summarizes a scenario, with means over layers and modules.
fn summary(title: &str, rows: &[Similarity]) -> String {
    let mean = |side: Side, value: fn(&Alike) -> f64| {
        rows.iter().map(|row| value(row.of(side))).sum::<f64>() / rows.len() as f64
    };
    let side = |side: Side| {
        let (found, independent) = (mean(side, |alike| alike.moments().mean), mean(side, |alike| alike.independent));
        format!("{side} {found:.3} (independent: {independent:.3})")
    };
    format!("{title}: {}, {}", side(Side::A), side(Side::B))
}
