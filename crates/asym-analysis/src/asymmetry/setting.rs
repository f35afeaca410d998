//! The settings of the simulation.

use crate::AnalysisError;

/// The spectrum of Σ, the second moment of the inputs, scaled so that tr Σ = d_in. The scale has no effect on losses as shares.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Inputs {
    /// Σ = I.
    Isotropic,
    /// Inputs vary equally in `rank` directions and not at all in the others.
    LowRank {
        /// The number of directions, 1 ..= d_in.
        rank: usize,
    },
    /// λ_i ∝ i^−exponent.
    PowerLaw {
        /// The exponent, from 0, which is isotropic, to 10.
        exponent: f64,
    },
}

impl Inputs {
    /// The number of directions in which inputs vary, out of `d_in`.
    pub fn varying(self, d_in: usize) -> usize {
        match self {
            Self::LowRank { rank } => rank,
            Self::Isotropic | Self::PowerLaw { .. } => d_in,
        }
    }

    /// The eigenvalues of Σ that are not zero, descending. They sum to `d_in`.
    pub fn spectrum(self, d_in: usize) -> Vec<f64> {
        let exponent = match self {
            Self::PowerLaw { exponent } => exponent,
            Self::Isotropic | Self::LowRank { .. } => 0.0,
        };
        let raw: Vec<f64> = (1..=self.varying(d_in)).map(|i| (i as f64).powf(-exponent)).collect();
        let scale = d_in as f64 / raw.iter().sum::<f64>();
        raw.into_iter().map(|value| scale * value).collect()
    }
}

/// The change Δ, `[d_out, d_in]`, which is sampled for every draw. Its entries are standard normal where it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Δ acts on all inputs.
    Gaussian,
    /// Δ acts on the k eigenvectors of Σ along which inputs vary most.
    Leading {
        /// The number of eigenvectors, at most the number of directions in which inputs vary.
        k: usize,
    },
    /// Δ acts on the k eigenvectors of Σ along which inputs vary least. Eigenvectors along which inputs do not vary are excluded,
    /// because a change has no effect there.
    Trailing {
        /// The number of eigenvectors, at most the number of directions in which inputs vary.
        k: usize,
    },
    /// Δ is the product of a d_out × k and a k × d_in matrix with standard normal entries.
    LowRank {
        /// The rank, 1 ..= min(d_in, d_out).
        k: usize,
    },
}

impl Change {
    /// The index of the first direction on which Δ acts, among the `varying` directions, and the number of such directions.
    pub(super) fn directions(self, varying: usize) -> (usize, usize) {
        match self {
            Self::Gaussian | Self::LowRank { .. } => (0, varying),
            Self::Leading { k } => (0, k),
            Self::Trailing { k } => (varying - k, k),
        }
    }
}

/// Shapes, inputs and change of a simulation of Theorem 3.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Input features.
    pub d_in: usize,
    /// Output features.
    pub d_out: usize,
    /// The rank r of the adapter, 1 ..= min(d_in, d_out).
    pub rank: usize,
    /// The spectrum of Σ.
    pub inputs: Inputs,
    /// The change to be approximated.
    pub change: Change,
}

/// Exact expectations of a setting's losses, as shares of tr ΔΣΔᵀ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// With A frozen: 1 − r/m if inputs vary in m directions equally, 0 if m ≤ r. `None` for other spectra, for which no closed
    /// form is known.
    pub freeze_a: Option<f64>,
    /// With B frozen: 1 − r/d_out, regardless of the inputs and the change.
    pub freeze_b: f64,
}

impl Setting {
    /// Check that the setting can be simulated.
    ///
    /// # Errors
    ///
    /// A rank outside 1 ..= min(d_in, d_out); a rank, exponent or k of the inputs or the change outside its range.
    pub fn validate(&self) -> Result<(), AnalysisError> {
        let Self { d_in, d_out, rank, .. } = *self;
        let least = d_in.min(d_out);
        if rank == 0 || rank > least {
            return Err(AnalysisError::Rank { rank, d_in, d_out });
        }
        match self.inputs {
            Inputs::LowRank { rank } => within("inputs.rank", rank, d_in, "d_in")?,
            Inputs::PowerLaw { exponent } if !(0.0..=10.0).contains(&exponent) => {
                // With an exponent above 10, the range of the variances exceeds the precision of f64, and such inputs are
                // not of interest.
                let expected = "from 0 to 10".to_owned();
                return Err(AnalysisError::Setting { field: "inputs.exponent", found: exponent, expected });
            }
            Inputs::Isotropic | Inputs::PowerLaw { .. } => {}
        }
        match self.change {
            Change::Gaussian => Ok(()),
            Change::Leading { k } | Change::Trailing { k } => {
                within("change.k", k, self.varying(), "the number of directions in which inputs vary")
            }
            Change::LowRank { k } => within("change.k", k, least, "min(d_in, d_out)"),
        }
    }

    /// The number of directions in which inputs vary.
    pub fn varying(&self) -> usize {
        self.inputs.varying(self.d_in)
    }

    /// The eigenvalues of Σ that are not zero, descending. They sum to d_in.
    pub fn spectrum(&self) -> Vec<f64> {
        self.inputs.spectrum(self.d_in)
    }

    /// The square roots of the spectrum.
    pub(super) fn deviations(&self) -> Vec<f64> {
        self.spectrum().into_iter().map(f64::sqrt).collect()
    }

    /// The expected losses in closed form.
    ///
    /// Freezing B explains tr\[UᵀΔΣΔᵀU\], and E\[UUᵀ\] = (r/d_out) I. Freezing A explains ‖ΔΣ^½P‖² with P the projection on
    /// the span of Σ^½Qᵀ; if inputs vary equally in m directions, that is a uniformly random subspace of these directions,
    /// of dimension r, and E\[P\] = (r/m) I on them.
    pub fn expected(&self) -> Expected {
        let share = |directions: usize| 1.0 - self.rank.min(directions) as f64 / directions as f64;
        let flat = match self.inputs {
            Inputs::Isotropic | Inputs::LowRank { .. } => true,
            Inputs::PowerLaw { exponent } => exponent == 0.0,
        };
        Expected { freeze_a: flat.then(|| share(self.varying())), freeze_b: share(self.d_out) }
    }
}

fn within(field: &'static str, found: usize, most: usize, name: &str) -> Result<(), AnalysisError> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    let expected = format!("from 1 to {most}, {name}");
    Err(AnalysisError::Setting { field, found: found as f64, expected })
}
