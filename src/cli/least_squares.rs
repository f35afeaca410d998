//! Figures of the paper's least-squares theory (Lemmas 3.1 and 3.2, Theorem 3.3).

use std::path::PathBuf;

use anyhow::Result;
use asym_analysis::asymmetry::{Survey, gaps, losses, probabilities, table};
use asym_analysis::descent;
use asym_train::Existing;
use burn::tensor::Device;
use clap::Parser;

use super::output::Output;

/// Simulate the losses of a frozen random A and of a frozen random B, and draw figures of them.
///
/// The figures show the probability that freezing A gives the smaller loss, both where Theorem 3.3 holds and where it fails; the
/// losses; the gap and its limit; and gradient descent on the adapted layer, which converges to the losses of the
/// lemmas.
#[derive(Debug, Parser)]
pub struct LeastSquaresArgs {
    /// The rank r
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Ratios d/r, where d is the smaller dimension of the weight
    #[arg(long, value_delimiter = ',', default_value = "2,4,8,16,32,64")]
    ratios: Vec<usize>,
    /// Number of random draws of the weight update and of both factors per point
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Seed of all draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Output folder for the figures, which must not exist yet [default: the next free runs/least-squares-NUMBER]
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Run the example: parse the options, simulate, and draw the figures.
///
/// # Errors
///
/// Returns an error if the settings are invalid, or if the figures cannot be written.
pub fn least_squares() -> Result<()> {
    super::messages::show();
    LeastSquaresArgs::parse().run()
}

impl LeastSquaresArgs {
    fn run(self) -> Result<()> {
        // The folder is created first, so that a failure is reported before the simulation.
        let output = Output::open(self.output, "least-squares", Existing::Refuse)?;
        let survey = Survey { rank: self.rank, ratios: self.ratios, draws: self.draws, seed: self.seed };
        survey.validate()?;
        let mut done = 0;
        let found = survey.simulate(|row| {
            done += 1;
            let (setting, probability) = (row.setting, row.simulation.probability());
            super::note(format!(
                "[{done}/{}] {}, {} -> {}, d/r = {}: a frozen A gives the smaller loss in {:.1} % of draws",
                survey.settings(),
                row.title(),
                setting.d_in,
                setting.d_out,
                row.ratio,
                100.0 * probability
            ));
        })?;
        super::say(table(&found))?;
        for (name, figure) in [
            ("probability", probabilities(&found)),
            ("losses", losses(&found)),
            ("gap", gaps(&survey)?),
            ("descent", descent::figure(self.seed, &Device::flex().autodiff())?),
        ] {
            super::say(figure.save(&output.path.join(name))?)?;
        }
        Ok(())
    }
}
