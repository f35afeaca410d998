//! Theorem 3.3 as figures and as a table, which show where it holds, where it does not hold, and by how much.

use asym_core::linalg::{gaussian, orthonormal};
use asym_core::random::stream;
use asym_figure::{Axis, Figure, Panel, Point, Series, Table};
use faer::Mat;

use super::{Change, Gap, Inputs, Setting, Simulation, gap};
use crate::AnalysisError;
use crate::least_squares::Problem;
use crate::linalg::to_mat;

/// The settings of a survey: the problems to draw, and the number of draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The rank r of every adapter.
    pub rank: usize,
    /// The values of d/r, where d is the shorter side of the weight.
    pub ratios: Vec<usize>,
    /// Number of draws of Δ, Q and U for each point.
    pub draws: usize,
    /// The seed of all draws.
    pub seed: u64,
}

/// The largest d of a survey. With a larger d, a draw takes minutes.
const LONGEST: usize = 4096;

/// Shapes of a weight: a name, then d_in and d_out in units of the shorter side.
const SHAPES: [(&str, usize, usize); 3] = [("d_in = d_out", 1, 1), ("d_in = 4·d_out", 4, 1), ("d_out = 4·d_in", 1, 4)];

/// A panel: the inputs as a function of d_in, and the change as a function of the shorter side.
struct Scene {
    title: &'static str,
    inputs: fn(usize) -> Inputs,
    change: fn(usize) -> Change,
}

const SCENES: [Scene; 6] = [
    Scene { title: "(a) Σ = I, Δ anywhere", inputs: |_| Inputs::Isotropic, change: |_| Change::Gaussian },
    Scene {
        title: "(b) Σ of rank d_in/4, Δ anywhere",
        inputs: |d| Inputs::LowRank { rank: (d / 4).max(1) },
        change: |_| Change::Gaussian,
    },
    Scene {
        title: "(c) λᵢ ∝ 1/i, Δ anywhere",
        inputs: |_| Inputs::PowerLaw { exponent: 1.0 },
        change: |_| Change::Gaussian,
    },
    Scene {
        title: "(d) λᵢ ∝ 1/i, Δ on the leading d/8",
        inputs: |_| Inputs::PowerLaw { exponent: 1.0 },
        change: |d| Change::Leading { k: (d / 8).max(1) },
    },
    Scene {
        title: "(e) λᵢ ∝ 1/i, Δ on the trailing d/8",
        inputs: |_| Inputs::PowerLaw { exponent: 1.0 },
        change: |d| Change::Trailing { k: (d / 8).max(1) },
    },
    Scene {
        title: "(f) Σ = I, Δ of rank d/8",
        inputs: |_| Inputs::Isotropic,
        change: |d| Change::LowRank { k: (d / 8).max(1) },
    },
];

/// One setting of the survey and its result.
#[derive(Debug, Clone, Copy)]
pub struct Surveyed {
    scene: usize,
    shape: usize,
    /// d/r.
    pub ratio: usize,
    /// The simulated setting.
    pub setting: Setting,
    /// The result.
    pub simulation: Simulation,
}

impl Surveyed {
    /// Description of the inputs and the change, with the panel's letter.
    pub fn title(&self) -> &'static str {
        SCENES[self.scene].title
    }
}

impl Survey {
    /// The number of settings.
    pub fn settings(&self) -> usize {
        SCENES.len() * SHAPES.len() * self.ratios.len()
    }

    /// Checks the survey, before anything is drawn.
    ///
    /// # Errors
    ///
    /// [`AnalysisError::Setting`] for a rank or a ratio of 0, an empty list of ratios, ratios that are not in ascending order, a
    /// shorter side above 4096, and fewer than two draws.
    pub fn validate(&self) -> Result<(), AnalysisError> {
        let setting = |field, found: usize, least: usize, expected: &str| {
            if found >= least {
                Ok(())
            } else {
                Err(AnalysisError::Setting { field, found: found as f64, expected: expected.to_owned() })
            }
        };
        setting("rank", self.rank, 1, "at least 1")?;
        setting("ratios", self.ratios.iter().copied().min().unwrap_or(0), 1, "one or more numbers above 0")?;
        if let Some(pair) = self.ratios.windows(2).find(|pair| pair[0] >= pair[1]) {
            let expected = format!("above {}, the previous ratio: list the ratios in ascending order", pair[0]);
            return Err(AnalysisError::Setting { field: "ratios", found: pair[1] as f64, expected });
        }
        let longest = self.rank.saturating_mul(self.ratios.last().copied().unwrap_or(0));
        if longest > LONGEST {
            let expected = format!("at most {LONGEST}: lower the rank or the largest ratio");
            return Err(AnalysisError::Setting { field: "rank x ratio", found: longest as f64, expected });
        }
        setting("draws", self.draws, 2, "2 or more, as one draw has no spread")
    }

    /// Simulates every setting: six kinds of inputs and changes, three shapes, all ratios. It calls `seen` after each setting.
    ///
    /// # Errors
    ///
    /// The errors are those of [`validate`](Self::validate).
    pub fn simulate(&self, mut seen: impl FnMut(&Surveyed)) -> Result<Vec<Surveyed>, AnalysisError> {
        self.validate()?;
        let mut all = Vec::with_capacity(self.settings());
        for (scene, Scene { inputs, change, .. }) in SCENES.iter().enumerate() {
            for (shape, (_, wide, tall)) in SHAPES.iter().enumerate() {
                for &ratio in &self.ratios {
                    let d = self.rank * ratio;
                    let (d_in, d_out) = (wide * d, tall * d);
                    let setting =
                        Setting { d_in, d_out, rank: self.rank, inputs: inputs(d_in), change: change(d_in.min(d_out)) };
                    let simulation = setting.simulate(self.draws, self.seed)?;
                    let surveyed = Surveyed { scene, shape, ratio, setting, simulation };
                    seen(&surveyed);
                    all.push(surveyed);
                }
            }
        }
        Ok(all)
    }
}

/// Draws the probability that freezing A loses less, over d/r. Each kind of inputs and changes has a panel.
pub fn probabilities(survey: &[Surveyed]) -> Figure {
    let panel = |(scene, Scene { title, .. }): (usize, &Scene)| {
        let axis = Axis::linear("P(freezing A loses less)").within(0.0, 1.0);
        let mut panel = Panel::new(*title, ratio_axis(), axis);
        for (shape, (name, ..)) in SHAPES.iter().enumerate() {
            let of = survey.iter().filter(|row| (row.scene, row.shape) == (scene, shape));
            let points = of.map(|row| {
                let (low, high) = row.simulation.interval();
                Point::new(row.ratio as f64, row.simulation.probability()).between(low, high)
            });
            panel = panel.with(Series::bars(*name, shape, points.collect()));
        }
        panel
    };
    let draws = survey.first().map_or(0, |row| row.simulation.draws);
    Figure {
        panels: SCENES.iter().enumerate().map(panel).collect(),
        ..Figure::new("Theorem 3.3: does freezing a random A lose less than freezing a random B?").columns(3).note(
            format!("{draws} draws of Δ, Q and U a point; bars: Wilson's 95 % interval. d is the shorter side of the weight."),
        )
    }
}

/// Draws the losses for square weights, as shares of tr ΔΣΔᵀ, next to the exact expectations.
pub fn losses(survey: &[Surveyed]) -> Figure {
    let panel = |(scene, Scene { title, .. }): (usize, &Scene)| {
        let of = || survey.iter().filter(|row| (row.scene, row.shape) == (scene, 0));
        let points = |pick: fn(&Simulation) -> super::Moments| {
            of().map(|row| {
                let moments = pick(&row.simulation);
                let (low, high) = (moments.mean - moments.sd, moments.mean + moments.sd);
                Point::new(row.ratio as f64, moments.mean).between(low.max(0.0), high)
            })
            .collect()
        };
        let expected = of().map(|row| Point::new(row.ratio as f64, row.setting.expected().freeze_b)).collect();
        Panel::new(*title, ratio_axis(), Axis::linear("remaining loss, of tr ΔΣΔᵀ").within(0.0, 1.0))
            .with(Series::line("A frozen, B trained", 0, points(|simulation| simulation.freeze_a)))
            .with(Series::line("B frozen, A trained", 1, points(|simulation| simulation.freeze_b)))
            .with(Series::dashed("1 − r/d", 7, expected))
    };
    Figure {
        panels: SCENES.iter().enumerate().map(panel).collect(),
        ..Figure::new("Remaining loss, square weights")
            .columns(3)
            .note("Means over the draws of Δ, Q and U; bands: one standard deviation. 1 − r/d is exact for B frozen.")
    }
}

/// A panel of the figure of [`gaps`]. `variance` is the variance of the inputs as a function of the direction and r. If
/// `trailing` is true, Δ acts only on the directions in which the inputs vary least.
struct Regime {
    title: &'static str,
    variance: fn(usize, usize) -> f64,
    trailing: bool,
}

const REGIMES: [Regime; 3] = [
    Regime {
        title: "(a) Σ of rank r: the paper's regime",
        variance: |i, r| if i < r { 1.0 } else { 0.0 },
        trailing: false,
    },
    Regime { title: "(b) Σ = I", variance: |_, _| 1.0, trailing: false },
    Regime {
        title: "(c) λᵢ ∝ 1/i, Δ on the trailing d/8", variance: |i, _| 1.0 / (i + 1) as f64, trailing: true
    },
];

/// Draws the gap of the key inequality next to its limit, in the paper's regime, where Σ has rank r, and outside it.
///
/// # Errors
///
/// The errors are those of [`gap`].
pub fn gaps(survey: &Survey) -> Result<Figure, AnalysisError> {
    let rank = survey.rank;
    let mut panels = Vec::new();
    for Regime { title, variance, trailing } in REGIMES {
        let (mut found, mut limits) = (Vec::new(), Vec::new());
        for &ratio in &survey.ratios {
            let d = rank * ratio;
            let basis = to_mat(&orthonormal(d, d, &mut stream(survey.seed, &format!("gap.basis.{d}"))));
            let scaled = Mat::from_fn(d, d, |i, j| basis[(i, j)] * variance(j, rank));
            let sigma = scaled * basis.transpose();
            let delta = to_mat(&gaussian(d, d, &mut stream(survey.seed, &format!("gap.delta.{d}"))));
            let kept = if trailing { d - (d / 8).max(1) } else { 0 };
            let directions = basis.subcols(kept, d - kept);
            let delta = &delta * directions * directions.transpose();
            let problem = Problem::of(delta, sigma, 0.0)?;
            let Gap { gap, limit, .. } = gap(&problem, rank, survey.draws, survey.seed)?;
            let whole = problem.total();
            let (mean, error) = (gap.mean / whole, 1.96 * gap.standard_error() / whole);
            found.push(Point::new(ratio as f64, mean).between(mean - error, mean + error));
            limits.push(Point::new(ratio as f64, limit / whole));
        }
        panels.push(
            Panel::new(title, ratio_axis(), Axis::linear("gap, of tr ΔΣΔᵀ"))
                .with(Series::bars("gap", 0, found))
                .with(Series::dashed("the paper's limit, 1 − r/d", 7, limits)),
        );
    }
    let note = format!("Means over {} draws of Q for one Δ; bars: 95 % confidence intervals.", survey.draws);
    Ok(Figure { panels, ..Figure::new("The key inequality's gap, left less right side").columns(3).note(note) })
}

fn ratio_axis() -> Axis {
    Axis::log2("d/r")
}

/// Makes a table in Markdown with one row for each setting.
pub fn table(survey: &[Surveyed]) -> Table {
    let header = ["inputs and change", "d_in", "d_out", "r", "P(A frozen loses less)", "A frozen", "B frozen"];
    let mut table = Table::new(header, 1..);
    for Surveyed { scene, setting, simulation, .. } in survey {
        let (low, high) = simulation.interval();
        let loss = |moments: super::Moments| format!("{:.3} ± {:.3}", moments.mean, moments.sd);
        table.row([
            SCENES[*scene].title.to_string(),
            setting.d_in.to_string(),
            setting.d_out.to_string(),
            setting.rank.to_string(),
            format!("{:.3} ({low:.3} to {high:.3})", simulation.probability()),
            loss(simulation.freeze_a),
            loss(simulation.freeze_b),
        ]);
    }
    table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn survey(ratios: &[usize]) -> Survey {
        Survey { rank: 3, ratios: ratios.to_vec(), draws: 20, seed: 1 }
    }

    #[test]
    fn figures_contain_every_setting() {
        let survey = survey(&[2, 8]);
        let mut seen = 0;
        let found = survey.simulate(|_| seen += 1).unwrap();
        assert_eq!((found.len(), seen, survey.settings()), (36, 36, 36));
        let figure = probabilities(&found);
        assert_eq!(figure.panels.len(), SCENES.len());
        let of = |panel: usize, name: &str| {
            let series = figure.panels[panel].series.iter().find(|series| series.name == name).unwrap();
            series.points.iter().map(|point| (point.x, point.y)).collect::<Vec<_>>()
        };
        // With Σ = I, freezing the factor on the wider side loses more. If Δ acts where inputs vary least, freezing A loses
        // more.
        assert_eq!(of(0, "d_in = 4·d_out"), [(2.0, 0.0), (8.0, 0.0)]);
        assert_eq!(of(0, "d_out = 4·d_in"), [(2.0, 1.0), (8.0, 1.0)]);
        assert!(of(4, "d_in = d_out")[1].1 < 0.3);
        let left = losses(&found);
        let frozen = |panel: usize, series: usize| left.panels[panel].series[series].points[1].y;
        assert!(frozen(3, 0) < frozen(3, 1) && frozen(4, 0) > frozen(4, 1));
        assert!((frozen(1, 2) - 7.0 / 8.0).abs() < 1e-12);
        assert_eq!(table(&found).to_string().lines().count(), 38);
        let gaps = gaps(&survey).unwrap();
        let gap = |panel: usize| gaps.panels[panel].series[0].points[1].y;
        assert!(gap(0) > 0.5 && gap(1).abs() < 1e-9 && gap(2) < 0.0);
    }

    #[test]
    fn invalid_surveys_are_rejected() {
        for (survey, field) in [
            (Survey { rank: 0, ..survey(&[2]) }, "rank"),
            (survey(&[]), "ratios"),
            (survey(&[0, 2]), "ratios"),
            (survey(&[4, 2]), "ratios"),
            (survey(&[2, 2]), "ratios"),
            (survey(&[2, 4000]), "rank x ratio"),
            (Survey { draws: 1, ..survey(&[2]) }, "draws"),
        ] {
            let error = survey.simulate(|_| ()).map(drop).unwrap_err();
            assert!(matches!(&error, AnalysisError::Setting { field: found, .. } if *found == field), "{error}");
        }
    }
}
