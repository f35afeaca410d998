//! The least-squares theory of the paper (Lemmas 3.1 and 3.2, Theorem 3.3), drawn.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use asym_analysis::asymmetry::{Inputs, Survey, gaps, losses, probabilities, table};
use asym_analysis::descent;
use asym_analysis::figure::Figure;
use asym_analysis::least_squares::Problem;
use asym_core::linalg::{gaussian, orthonormal};
use asym_core::random::stream;
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
            ("descent", descents(self.seed)?),
        ] {
            super::say(figure.save(&output.join(name))?)?;
        }
        Ok(())
    }
}

/// Gradient descent for two spectra of Σ: an easy one, and one that decays as those of real layers.
fn descents(seed: u64) -> Result<Figure> {
    const D: usize = 64;
    const RANK: usize = 8;
    const STEPS: usize = 20_000;
    let device = Device::flex().autodiff();
    let mut panels = Vec::new();
    for (title, inputs) in
        [("(a) λᵢ ∝ 1/√i", Inputs::PowerLaw { exponent: 0.5 }), ("(b) λᵢ ∝ 1/i", Inputs::PowerLaw { exponent: 1.0 })]
    {
        let values = inputs.spectrum(D);
        let basis = orthonormal(D, D, &mut stream(seed, "descent.basis"));
        let sigma = faer::Mat::from_fn(D, D, |i, j| basis[(i, j)] * values[j]) * basis.transpose();
        let delta = gaussian(D, D, &mut stream(seed, "descent.delta")) * faer::Scale(0.1);
        let problem = Problem::new(delta, sigma, 0.01)?;
        panels.push(descent::panel(title, &problem, (RANK, STEPS, seed), &device)?);
    }
    let note = format!("64 x 64, r = {RANK}, σ² = 0.01; plain gradient descent in f64 on the adapted layer.");
    Ok(Figure { panels, ..Figure::new("Training reaches the lemmas' losses").columns(2).note(note) })
}
