//! A table of the paper: methods × seeds, one run folder each.

use std::path::PathBuf;
use std::str::FromStr;

use asym_core::{AdaLora, AdapterConfig, Dora, Factor, Ia3, Init, Lora, Vera};

use crate::error::TaskError;
use crate::plan::once;
use crate::recipe::{Recipe, Tuning};
use crate::report::Report;
use crate::run::{RunFolder, RunResult};
use crate::train::Session;

/// A method as it is named on a command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Its name, which is also that of its run folders.
    pub name: String,
    /// What it trains.
    pub tuning: Tuning,
}

impl Method {
    const FORMS: &'static str = "full, head, ia3, lora, b-only, b-only-input, a-only, rslora, dora, b-only-dora, adalora, \
        vera; from lora on they may name a rank, as in b-only-r16";

    /// The method called `name`, with `rank` where the name has none.
    ///
    /// # Errors
    ///
    /// [`TaskError::UnknownMethod`].
    pub fn parse(name: &str, rank: usize) -> Result<Self, TaskError> {
        let unknown = || TaskError::UnknownMethod { found: name.to_string(), expected: Self::FORMS };
        let (word, rank) = match name.rsplit_once("-r") {
            Some((word, digits)) => (word, usize::from_str(digits).map_err(|_| unknown())?),
            None => (name, rank),
        };
        if word != name && matches!(word, "full" | "head" | "ia3") {
            return Err(unknown());
        }
        let adapter = |config: AdapterConfig| (format!("{word}-r{rank}"), Tuning::Adapter(config));
        let (name, tuning) = match word {
            "full" => ("full".to_string(), Tuning::Full),
            "head" => ("head".to_string(), Tuning::Head),
            // The layers that PEFT takes in these models.
            "ia3" => {
                let config = AdapterConfig::new(Ia3::new(["output.dense"])).targets(Ia3::BERT_TARGETS);
                ("ia3".to_string(), Tuning::Adapter(config))
            }
            "lora" => adapter(AdapterConfig::lora(rank)),
            "b-only" => adapter(AdapterConfig::b_only(rank)),
            "b-only-input" => adapter(AdapterConfig::new(Lora::b_only(rank).a(Factor::frozen(Init::InputSvd)))),
            "a-only" => adapter(AdapterConfig::a_only(rank)),
            "rslora" => adapter(AdapterConfig::new(Lora::new(rank).rank_stabilized())),
            "dora" => adapter(AdapterConfig::new(Dora(Lora::new(rank)))),
            "b-only-dora" => adapter(AdapterConfig::new(Dora(Lora::b_only(rank)))),
            // Half as much again to choose from, as in AdaLoRA's own experiments.
            "adalora" => adapter(AdapterConfig::new(AdaLora::new(rank + rank.div_ceil(2), rank))),
            "vera" => adapter(AdapterConfig::new(Vera::new(rank))),
            _ => return Err(unknown()),
        };
        Ok(Self { name, tuning })
    }
}

/// Every method with every seed.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The recipe of the first run; the others differ in method, seed and learning rate.
    pub recipe: Recipe,
    /// The rows of the table.
    pub methods: Vec<Method>,
    /// The seeds of each row.
    pub seeds: Vec<u64>,
    /// The learning rate where the whole model is trained. Adapters and the head alone take the recipe's.
    pub full_learning_rate: f64,
    /// The name of the method that the others are compared with, seed by seed, below the table.
    pub reference: Option<String>,
    /// The folder for all runs.
    pub output: PathBuf,
    /// Whether finished runs in `output` are taken as they are and the missing ones made.
    pub resume: bool,
}

impl Experiment {
    fn recipe(&self, method: &Method, seed: u64) -> Recipe {
        let learning_rate = match method.tuning {
            Tuning::Full => self.full_learning_rate,
            Tuning::Head | Tuning::Adapter(_) => self.recipe.learning_rate,
        };
        Recipe { tuning: method.tuning.clone(), seed, learning_rate, ..self.recipe.clone() }
    }

    fn reference(&self) -> Option<&Method> {
        self.methods.iter().find(|method| Some(&method.name) == self.reference.as_ref())
    }

    /// Check what can be checked without model and data.
    ///
    /// # Errors
    ///
    /// What any run's recipe would be refused for, a method or seed that is listed twice, and an `output` that exists
    /// unless it is resumed.
    pub fn validate(&self) -> Result<(), TaskError> {
        if self.output.exists() && !self.resume {
            return Err(TaskError::OutputExists { path: self.output.clone() });
        }
        once("methods", self.methods.iter().map(|method| &method.name))?;
        once("seeds", &self.seeds)?;
        if let (Some(name), None) = (&self.reference, self.reference()) {
            let listed = self.methods.iter().map(|method| method.name.clone()).collect();
            return Err(TaskError::UnknownReference { found: name.clone(), listed });
        }
        self.methods.iter().try_for_each(|method| self.recipe(method, 0).validate())
    }

    /// Check every run of the table before the first one starts. Returns the parameters that the checkpoint lacks.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and what any run's model or adapter would be refused for.
    pub fn check(&self, session: &Session<'_>) -> Result<Vec<String>, TaskError> {
        self.validate()?;
        let mut drawn = Vec::new();
        for method in &self.methods {
            let recipe = self.recipe(method, self.seeds.first().copied().unwrap_or_default());
            drawn = session.check(&recipe)?;
        }
        Ok(drawn)
    }

    /// Make all runs, seed by seed, so that an interrupted table has every row. `seen` gets each result as it comes. A run
    /// whose loss is not finite is left out of the table, which says so, and the others go on.
    ///
    /// # Errors
    ///
    /// What [`Session::run`] refuses; [`check`](Self::check) finds it beforehand. Runs that were finished stay in their
    /// folders.
    pub fn run(&self, session: &Session<'_>, mut seen: impl FnMut(&RunResult)) -> Result<Report, TaskError> {
        let mut report = Report::new(self.recipe.task, self.methods.iter().map(|method| &method.tuning));
        report.reference = self.reference().map(|method| method.tuning.clone());
        let count = self.methods.len() * self.seeds.len();
        let (mut number, mut failed) = (0, Vec::new());
        for &seed in &self.seeds {
            for (row, method) in report.rows_mut().iter_mut().zip(&self.methods) {
                if session.stop.requested() {
                    return Ok(report);
                }
                number += 1;
                let recipe = self.recipe(method, seed);
                let folder = self.output.join(format!("{}-seed{seed}", method.name));
                let before = match self.resume {
                    true => RunFolder::resume(&folder, &session.plan(&recipe))?,
                    false => None,
                };
                let result = match before {
                    Some(result) => result,
                    None => {
                        let label = format!("[{number}/{count}] {} {} seed {seed}", recipe.task, method.name);
                        match session.run(&recipe, &label, Some(&folder)) {
                            Err(error @ TaskError::NonFiniteLoss { .. }) => {
                                failed.push(format!("{} {} seed {seed}: {error}", recipe.task, method.name));
                                continue;
                            }
                            result => result?,
                        }
                    }
                };
                seen(&result);
                if !result.interrupted {
                    row.runs.push(result);
                }
            }
        }
        report.failed = failed;
        Ok(report)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_one_name_each() {
        let name = |text: &str| Method::parse(text, 8).unwrap().name;
        assert_eq!(name("full"), "full");
        assert_eq!(name("b-only"), "b-only-r8");
        assert_eq!(name("b-only-r16"), "b-only-r16");
        assert_eq!(Method::parse("a-only-r4", 8).unwrap().tuning, Tuning::Adapter(AdapterConfig::a_only(4)));
        for bad in ["bitfit", "lora-rx", ""] {
            assert!(matches!(Method::parse(bad, 8), Err(TaskError::UnknownMethod { .. })), "{bad}");
        }
    }
}
