//! The data sets of DomainBed that the paper uses.

/// A data set of DomainBed that the paper uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Benchmark {
    /// Photographs of five classes from four collections.
    Vlcs,
    /// Seven classes as art, cartoons, photographs and sketches.
    Pacs,
    /// 65 classes of objects in homes and offices.
    OfficeHome,
    /// Ten classes from camera traps at four locations: nine animals, and pictures without an animal.
    TerraIncognita,
}

/// The properties of a data set.
#[derive(Debug)]
pub(super) struct Row {
    /// The name in recipes.
    pub(super) name: &'static str,
    /// The name in tables.
    pub(super) title: &'static str,
    /// The folder in DomainBed's own layout.
    pub(super) folder: &'static str,
    /// The names of the environments' folders.
    pub(super) environments: [&'static str; 4],
    /// The environment that the paper trains on.
    pub(super) train: &'static str,
    /// The number of epochs. With batches of 32 pictures, it results in about as many steps as in DomainBed or the paper.
    pub(super) epochs: usize,
}

impl Benchmark {
    /// Every data set.
    pub const ALL: [Self; 4] = [Self::Vlcs, Self::Pacs, Self::OfficeHome, Self::TerraIncognita];

    /// The data set with this name in recipes.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|benchmark| benchmark.row().name == name)
    }

    /// The data set with these environments, which are sorted by name.
    pub(super) fn of_environments(names: &[String]) -> Option<Self> {
        Self::ALL.into_iter().find(|benchmark| benchmark.row().environments.iter().eq(names))
    }

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub(super) fn row(self) -> &'static Row {
        match self {
            Self::Vlcs => &Row {
                name: "vlcs",
                title: "VLCS",
                folder: "VLCS",
                environments: ["Caltech101", "LabelMe", "SUN09", "VOC2007"],
                train: "LabelMe",
                // 2125 training pictures, 5001 steps in DomainBed.
                epochs: 75,
            },
            Self::Pacs => &Row {
                name: "pacs",
                title: "PACS",
                folder: "PACS",
                environments: ["art_painting", "cartoon", "photo", "sketch"],
                train: "cartoon",
                // 1876 training pictures, 5001 steps in DomainBed.
                epochs: 85,
            },
            Self::OfficeHome => &Row {
                name: "office-home",
                title: "OfficeHome",
                folder: "office_home",
                environments: ["Art", "Clipart", "Product", "Real World"],
                train: "Clipart",
                // 3492 training pictures, 5001 steps in DomainBed.
                epochs: 46,
            },
            Self::TerraIncognita => &Row {
                name: "terra-incognita",
                title: "TerraIncognita",
                folder: "terra_incognita",
                environments: ["location_100", "location_38", "location_43", "location_46"],
                train: "location_38",
                // 7789 training pictures, 20 000 steps in the paper.
                epochs: 82,
            },
        }
    }
}
