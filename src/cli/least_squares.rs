//! The least-squares theory of the paper (Lemmas 3.1 and 3.2, Theorem 3.3), drawn.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use asym_analysis::asymmetry::{Survey, gaps, losses, probabilities, table};
use asym_analysis::descent;
use burn::tensor::Device;
use clap::Parser;

use super::run::next_free;

/// Draws when freezing a random A loses less than freezing a random B, where Theorem 3.3 says so and where it fails; what
/// both lose; the gap beside its limit; and gradient descent on the adapted layer reaching the lemmas' losses.
#[derive(Debug, Parser)]
pub struct LeastSquaresArgs {
    /// The rank r
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// d/r, where d is the shorter side of the weight
    #[arg(long, value_delimiter = ',', default_value = "2,4,8,16,32,64")]
    ratios: Vec<usize>,
    /// Draws of the change and of both factors a point
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Seed of all draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the figures, which must be new [default: the next free runs/least-squares-NUMBER]
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Run the example: parse the options, simulate, draw.
///
/// # Errors
///
/// Everything that the library refuses.
pub fn least_squares() -> Result<()> {
    LeastSquaresArgs::parse().run()
}

impl LeastSquaresArgs {
    fn run(self) -> Result<()> {
        let output = self.output.unwrap_or_else(|| next_free(Path::new("runs"), "least-squares"));
        if output.exists() {
            bail!("{}: exists already; name another output folder", output.display());
        }
        let survey = Survey { rank: self.rank, ratios: self.ratios, draws: self.draws, seed: self.seed };
        survey.validate()?;
        // What cannot be written is found before anything is drawn.
        std::fs::create_dir_all(&output).with_context(|| output.display().to_string())?;
        let mut done = 0;
        let found = survey.simulate(|row| {
            done += 1;
            let (setting, probability) = (row.setting, row.simulation.probability());
            eprintln!(
                "[{done}/{}] {}, {} -> {}, d/r = {}: A frozen loses less in {:.1} % of draws",
                survey.settings(),
                row.title(),
                setting.d_in,
                setting.d_out,
                row.ratio,
                100.0 * probability
            );
        })?;
        super::say(table(&found))?;
        for (name, figure) in [
            ("probability", probabilities(&found)),
            ("losses", losses(&found)),
            ("gap", gaps(&survey)?),
            ("descent", descent::figure(self.seed, &Device::flex().autodiff())?),
        ] {
            super::say(figure.save(&output.join(name))?)?;
        }
        Ok(())
    }
}
