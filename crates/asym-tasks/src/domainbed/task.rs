//! DomainBed as a [`Task`]: a ViT is trained on one environment and tested on others.

use std::path::Path;
use std::sync::Arc;

use asym_data::Augmentation;
use asym_data::pictures::Collection;
use asym_models::VitClassifier;
use asym_train::{LrSchedulerType, Scores, TrainSettings, Tuning};

use super::benchmark::Benchmark;
use super::files::{self, Environments};
use super::options::DomainBedOptions;
use super::paper;
use super::split::split;
use crate::base::Base;
use crate::drawing::Style;
use crate::error::TaskError;
use crate::files::Files;
use crate::images::{
    Augment, Derived, ImageEvaluation, ImageLoss, ImageSet, ImageSettings, ImageSource, ImagesError, Pictures,
    SetMetric, Sheet, decode_all, processor_of, same_classes, save_processor,
};
use crate::methods::LayerNames;
use crate::metrics::Metric;
use crate::names::{Names, nearest};
use crate::split::held_out;
use crate::task::{Kept, PaperScore, Prepared, Scale, Score, Task, TaskInfo};

/// The mean accuracy over the test environments.
pub(super) const OUT_OF_DOMAIN: &str = "ood";
/// The accuracy on the held-out fifth of the training environment.
pub(super) const IN_DOMAIN: &str = "id";
/// The accuracy on the part of the training environment that is trained on.
pub(super) const TRAIN: &str = "train";
/// The training accuracy minus the mean accuracy over the test environments.
pub(super) const GAP: &str = "gap";

/// Names that an environment cannot have, since the score of an environment has the environment's name.
const RESERVED: [&str; 5] = [OUT_OF_DOMAIN, IN_DOMAIN, TRAIN, GAP, "loss"];

/// The minimum number of pictures of an environment, so that both parts of its split contain a picture.
const FEWEST: usize = 5;

/// The name of the task for a user's own data, or for drawn pictures if no data are given.
const OWN: &str = "domainbed";

/// One training environment, and one or several test environments.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainBed {
    /// The data set; `None` for a user's own data and for drawn pictures.
    pub benchmark: Option<Benchmark>,
    /// The task's own settings.
    pub options: DomainBedOptions,
}

/// The environments, all with the same classes.
#[derive(Debug)]
pub struct DomainBedData {
    /// The data set, which is given or recognized by the names of its environments.
    pub benchmark: Option<Benchmark>,
    /// The environments, sorted by name.
    pub environments: Vec<Collection>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The training environment.
    pub train: String,
    /// The test environments.
    pub test: Vec<String>,
    /// Whether the pictures are ordered by path. If not, the split differs from DomainBed's.
    pub by_path: bool,
    /// Whether the pictures are drawn.
    pub drawn: bool,
    /// The share of a run's training pictures that is held out to choose settings. The run is then evaluated on it, and not on
    /// the held-out fifth or the test environments.
    pub held_out: Option<f64>,
}

impl DomainBed {
    fn settings(&self) -> ImageSettings {
        ImageSettings { size: self.options.image_size, whole: true }
    }

    /// The training environment, if it is known before the data are read.
    fn train(&self) -> Option<&str> {
        self.options.train.as_deref().or(self.benchmark.map(|benchmark| benchmark.row().train))
    }

    /// The names of the test environments, if they are known before the data are read.
    fn test(&self) -> Vec<String> {
        let known = self.benchmark.map_or(&[][..], |benchmark| &benchmark.row().environments);
        let others = known.iter().filter(|name| Some(**name) != self.train()).map(ToString::to_string);
        self.options.test.as_ref().map_or_else(|| others.collect(), |test| test.all().to_vec())
    }

    /// Check the environments, and find the training and test environments among them.
    fn settle(&self, path: &str, found: Environments) -> Result<DomainBedData, ImagesError> {
        let Environments { collections: mut environments, by_path, drawn } = found;
        let classes = same_classes(&mut environments)?;
        if let Some(expected) = self.options.labels.as_ref().filter(|labels| **labels != classes) {
            return Err(ImagesError::OtherClasses { expected: expected.clone(), found: classes });
        }
        let names: Vec<String> = environments.iter().map(|environment| environment.name.clone()).collect();
        if let [only] = names.as_slice() {
            return Err(ImagesError::OneEnvironment { path: path.to_owned(), found: only.clone() });
        }
        if let Some(name) = names.iter().find(|name| RESERVED.contains(&name.as_str())) {
            let expected = format!("a name other than {}, which are scores; rename the folder", RESERVED.join(", "));
            return Err(ImagesError::Setting { setting: "environment", found: name.clone(), expected });
        }
        if let Some(small) = environments.iter().find(|environment| environment.len() < FEWEST) {
            return Err(ImagesError::TooFew { set: small.name.clone(), pictures: small.len(), least: FEWEST });
        }
        let find = |name: &str| {
            let found = names.iter().find(|known| known.eq_ignore_ascii_case(name)).cloned();
            found.ok_or_else(|| ImagesError::UnknownEnvironment {
                found: name.to_owned(),
                nearest: nearest(name, names.iter().map(String::as_str)).map(ToOwned::to_owned),
                known: names.clone(),
            })
        };
        let benchmark = self.benchmark.or_else(|| Benchmark::of_environments(&names));
        let usual = benchmark.map(|benchmark| benchmark.row().train).or(drawn.then(|| Style::Flat.name()));
        let train = self.options.train.as_deref().or(usual).ok_or_else(|| ImagesError::Setting {
            setting: "train",
            found: "absent".into(),
            expected: format!(
                "the environment to train on, one of {}, as in task.train={}",
                names.join(", "),
                names[0]
            ),
        })?;
        let train = find(train)?;
        let test = match &self.options.test {
            Some(given) => given.all().iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()?,
            None => names.iter().filter(|name| **name != train).cloned().collect(),
        };
        if test.is_empty() || test.contains(&train) {
            return Err(ImagesError::Setting {
                setting: "test",
                found: if test.is_empty() {
                    "empty".into()
                } else {
                    format!("{train}, which is the training environment")
                },
                expected: "one or several environments that are not trained on".into(),
            });
        }
        Ok(DomainBedData { benchmark, environments, classes, train, test, by_path, drawn, held_out: None })
    }

    /// The training pictures and the evaluation of the run with `seed`. If a share of the training pictures is held out to choose
    /// settings, this share replaces the held-out fifth, and no test picture is used.
    pub(super) fn trial(&self, pictures: &Arc<Pictures>, seed: u64) -> (Arc<ImageSource>, ImageEvaluation) {
        let augment = self.options.augment.unwrap_or(true);
        let changed = |augmented| if augment { augmented } else { Augment::Never };
        let (mut train, mut evaluated, mut tested) = (Vec::new(), Vec::new(), Vec::new());
        let accuracy = |score: &str| vec![SetMetric { metric: Metric::Accuracy, score: score.to_owned() }];
        let source = |members: &[usize], augment| Arc::new(ImageSource::new(Arc::clone(pictures), members, augment));
        for (number, (name, range)) in pictures.sets().iter().enumerate() {
            let parts = split(range.len(), self.options.split_seed.unwrap_or(seed), number);
            let place = |places: Vec<usize>| places.into_iter().map(|place| range.start + place).collect::<Vec<_>>();
            let (mut aside, mut rest) = (place(parts.held_out), place(parts.rest));
            if Some(name.as_str()) == self.train() {
                if let Some(share) = pictures.held_out() {
                    (rest, aside) = held_out(&rest, |place| pictures.members()[*place].class, share);
                }
                // As in DomainBed, which also augments the training environment's pictures in evaluation.
                let once = changed(Augment::Once(seed));
                let set = |score: &str, members: &[usize], last| ImageSet {
                    name: score.to_owned(),
                    source: source(members, once),
                    last,
                    metrics: accuracy(score),
                };
                evaluated.splice(0..0, [set(IN_DOMAIN, &aside, false), set(TRAIN, &rest, true)]);
                train = rest;
            } else if pictures.held_out().is_none() && self.test().contains(name) {
                let (source, metrics) = (source(&rest, Augment::Never), accuracy(name));
                evaluated.push(ImageSet { name: name.clone(), source, last: true, metrics });
                tested.push(name.clone());
            }
        }
        let difference =
            |score: String, minus: &str| Derived::Difference { score, from: TRAIN.to_owned(), minus: minus.to_owned() };
        let mut derived = Vec::new();
        if !tested.is_empty() {
            derived.push(Derived::Mean { score: OUT_OF_DOMAIN.to_owned(), of: tested.clone() });
            derived.push(difference(GAP.to_owned(), OUT_OF_DOMAIN));
        }
        derived.extend(
            tested.iter().map(String::as_str).chain([IN_DOMAIN]).map(|name| difference(format!("{GAP} {name}"), name)),
        );
        let evaluation = ImageEvaluation { sets: evaluated, derived, constant: Scores::new() };
        (source(&train, changed(Augment::EachEpoch(seed))), evaluation)
    }
}

impl TaskInfo for DomainBed {
    fn name(&self) -> String {
        self.benchmark.map_or(OWN, Benchmark::name).to_string()
    }

    fn title(&self) -> String {
        self.benchmark.map_or(OWN, |benchmark| benchmark.row().title).to_string()
    }

    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let learning_rate = match (tuning, scale) {
            (Tuning::Full, Scale::Paper) => 5e-5,
            (Tuning::Full, Scale::Embedded) => 1e-3,
            (Tuning::Head | Tuning::Adapter(_), Scale::Paper) => 1e-3,
            (Tuning::Head | Tuning::Adapter(_), Scale::Embedded) => 3e-3,
        };
        let settings = TrainSettings { batch_size: 32, learning_rate, weight_decay: 0.0, ..TrainSettings::default() };
        match scale {
            Scale::Paper => TrainSettings {
                epochs: self.benchmark.map_or(10, |benchmark| benchmark.row().epochs),
                // For pictures, DomainBed uses Adam with a constant learning rate and without weight decay.
                lr_scheduler_type: LrSchedulerType::ConstantWithWarmup,
                warmup_ratio: 0.0,
                ..settings
            },
            // With few steps, full fine-tuning is better with a decreasing learning rate.
            Scale::Embedded => TrainSettings { epochs: 10, ..settings },
        }
    }

    fn scores(&self) -> Vec<Score> {
        let names = [OUT_OF_DOMAIN, IN_DOMAIN].map(String::from).into_iter();
        let names = names.chain(self.test()).chain([TRAIN, GAP].map(String::from));
        names.map(Score::share).collect()
    }

    fn layers(&self) -> LayerNames {
        LayerNames::VIT
    }

    fn labels(&self) -> Vec<String> {
        self.options.labels.clone().unwrap_or_default()
    }

    fn outputs(&self) -> Option<usize> {
        self.options.labels.as_ref().map(Vec::len)
    }

    fn paper(&self, tuning: &Tuning) -> Vec<PaperScore> {
        match self.benchmark {
            Some(benchmark) if self.train() == Some(benchmark.row().train) => {
                paper::scores(benchmark, tuning, &self.test())
            }
            _ => Vec::new(),
        }
    }

    fn paper_model(&self) -> Option<&'static str> {
        self.benchmark.map(|_| paper::MODEL)
    }
}

impl Task for DomainBed {
    const KIND: &'static str = "domainbed";
    const PEFT_TASK: Option<&'static str> = None;

    type Options = DomainBedOptions;
    type Model = VitClassifier;
    type Data = DomainBedData;
    type Source = ImageSource;
    type Objective = ImageLoss;
    type Evaluation = ImageEvaluation;

    fn names() -> Vec<String> {
        Benchmark::ALL.iter().map(|benchmark| benchmark.name()).chain([OWN]).map(String::from).collect()
    }

    fn named(name: &str, options: DomainBedOptions) -> Option<Self> {
        let benchmark = Benchmark::named(name);
        (benchmark.is_some() || name == OWN).then_some(Self { benchmark, options })
    }

    fn options(&self) -> DomainBedOptions {
        self.options.clone()
    }

    fn resolved(self, _scale: Scale) -> Self {
        self
    }

    fn read(&self, files: &Files) -> Result<DomainBedData, TaskError> {
        match (files.folder(&files::is_wanted)?, self.benchmark) {
            (Some(path), benchmark) => Ok(self.settle(&path.display().to_string(), files::read(&path, benchmark)?)?),
            (None, None) => Ok(self.settle("drawn pictures", files::drawn()?)?),
            (None, Some(_)) => Err(TaskError::task(ImagesError::Setting {
                setting: "data",
                found: "absent".into(),
                expected: format!(
                    "the folder of the environments, as in --data PACS; the task {OWN} draws pictures if there is no folder"
                ),
            })),
        }
    }

    fn settled(&self, data: &DomainBedData) -> Self {
        let (train, test, labels) = (data.train.clone(), Names::Several(data.test.clone()), data.classes.clone());
        let options = self.options.clone();
        let options = DomainBedOptions { train: Some(train), test: Some(test), labels: Some(labels), ..options };
        Self { options, benchmark: data.benchmark }
    }

    fn hold_out(&self, data: DomainBedData, share: f64) -> DomainBedData {
        DomainBedData { held_out: Some(share), ..data }
    }

    fn describe(&self, data: &DomainBedData) -> Vec<String> {
        let DomainBedData { environments, classes, train, test, by_path, drawn, held_out, .. } = data;
        let total: usize = environments.iter().map(Collection::len).sum();
        let each: Vec<String> =
            environments.iter().map(|environment| format!("{} {}", environment.name, environment.len())).collect();
        let mut lines = vec![
            format!(
                "{}: {total} {}pictures of {} classes: {}",
                self.settled(data).title(),
                if *drawn { "drawn " } else { "" },
                classes.len(),
                each.join(", ")
            ),
            format!("trained on {train}, tested on {}; each picture is decoded once before training", test.join(", ")),
        ];
        lines.extend(held_out.map(|share| {
            format!(
                "{:.0} % of each class of a run's training pictures are held out; no test picture is used",
                100.0 * share
            )
        }));
        if !by_path {
            lines.push(
                "the table has no picture paths, so the split follows the order of rows and differs from DomainBed's"
                    .to_string(),
            );
        }
        lines
    }

    fn prepare(&self, data: DomainBedData, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let (processor, mut notes) = processor_of(base, self.settings())?;
        let DomainBedData { mut environments, held_out, .. } = data;
        notes.extend(decode_all(&mut environments, &processor, self.options.broken.unwrap_or_default())?);
        let classes = same_classes(&mut environments)?;
        if classes != data.classes {
            return Err(ImagesError::OtherClasses { expected: data.classes, found: classes }.into());
        }
        let pictures = Pictures::new(&environments, processor, Augmentation::DOMAINBED);
        let (train, evaluation) = self.trial(&Arc::new(pictures.holding_out(held_out)), 0);
        let sizes = evaluation.sets.iter().map(|set| format!("{} {}", set.name, set.source.members().len()));
        notes.push(format!("pictures of a run: {}", sizes.collect::<Vec<_>>().join(", ")));
        Ok(Prepared { train, objective: ImageLoss, evaluation, notes })
    }

    fn of_run(&self, prepared: &Prepared<Self>, seed: u64) -> (Arc<ImageSource>, ImageEvaluation) {
        self.trial(prepared.train.pictures(), seed)
    }

    fn sheet(&self, prepared: &Prepared<Self>, seed: u64, columns: usize) -> Result<Option<Sheet>, TaskError> {
        let (train, _) = self.of_run(prepared, seed);
        Sheet::of(&train, columns).map(Some)
    }

    fn save_inputs(&self, base: &Base, _kept: Kept, folder: &Path) -> Result<(), TaskError> {
        save_processor(base, self.settings(), folder)
    }

    fn label(&self, model: VitClassifier) -> VitClassifier {
        let labels = self.labels();
        model.with_labels(&labels.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
