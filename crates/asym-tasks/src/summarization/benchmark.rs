//! The two benchmarks of the paper.

/// A benchmark of summarization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Benchmark {
    /// News of the BBC with a summary of one sentence (Narayan et al., 2018, arXiv:1808.08745).
    Xsum,
    /// News with the highlights of their editors (Nallapati et al., 2016, arXiv:1602.06023), in version 3.0.0.
    CnnDailyMail,
}

/// The properties of a benchmark.
///
/// The columns are those of the data sets on the Hub. Lengths and beams come from AdaLoRA's scripts for BART-large, which the
/// paper follows. The numbers of epochs come from the paper's Table 9. The warm-up of 3000 steps is expressed as a fraction of
/// all training steps with batches of 48.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub text: &'static str,
    pub summary: &'static str,
    pub source_length: usize,
    pub target_length: usize,
    pub beams: usize,
    pub epochs: usize,
    pub warmup: f64,
}

impl Benchmark {
    /// Both benchmarks.
    pub const ALL: [Self; 2] = [Self::Xsum, Self::CnnDailyMail];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The benchmark with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|benchmark| benchmark.name() == name)
    }

    pub(super) fn row(self) -> Row {
        match self {
            Self::Xsum => Row {
                name: "xsum",
                title: "XSum",
                text: "document",
                summary: "summary",
                source_length: 768,
                target_length: 64,
                beams: 8,
                epochs: 25,
                // 204 045 examples.
                warmup: 0.0282,
            },
            Self::CnnDailyMail => Row {
                name: "cnn-dailymail",
                title: "CNN/DailyMail",
                text: "article",
                summary: "highlights",
                source_length: 1024,
                target_length: 160,
                beams: 4,
                epochs: 15,
                // 287 113 examples.
                warmup: 0.0334,
            },
        }
    }
}
