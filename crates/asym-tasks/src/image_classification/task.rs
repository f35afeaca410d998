//! A user's own pictures as a [`Task`].

use std::path::Path;
use std::sync::Arc;

use asym_data::Augmentation;
use asym_data::pictures::Collection;
use asym_models::VitClassifier;
use asym_train::{Scores, TrainSettings, Tuning};

use super::files::{self, Sets, aligned};
use super::options::ImageClassificationOptions;
use crate::base::Base;
use crate::error::TaskError;
use crate::files::Files;
use crate::images::{
    Augment, ImageEvaluation, ImageLoss, ImageSet, ImageSettings, ImageSource, ImagesError, Pictures, SetMetric, Sheet,
    decode_all, processor_of, same_classes, save_processor,
};
use crate::methods::LayerNames;
use crate::metrics::Metric;
use crate::split::{DEV_SHARE, held_out, split};
use crate::task::{Kept, Prepared, Scale, Score, Task, TaskInfo};

/// The accuracy of always predicting the most frequent class of the training set, as a score next to the model's
/// scores.
const MAJORITY: &str = "majority";

/// The scores of a test set, if there is also an evaluation set.
const TEST_SCORES: [(Metric, &str); 2] = [(Metric::Accuracy, "test accuracy"), (Metric::MacroF1, "test macro_f1")];

/// Classes are imbalanced if one of them has at least this many times the pictures of another.
const IMBALANCE: usize = 10;

/// A user's own pictures in folders of classes, on which an image classifier is trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageClassification {
    /// The task's own settings.
    pub options: ImageClassificationOptions,
}

/// The pictures of all sets.
#[derive(Debug)]
pub struct ImageData {
    /// The training set. If there is no evaluation set, a part of it is held out.
    pub train: Collection,
    /// The evaluation set.
    pub dev: Option<Collection>,
    /// The test set, which is evaluated after the last epoch.
    pub test: Option<Collection>,
    /// The share of the training pictures that is held out to choose settings. Runs are then evaluated on it, and not on the
    /// other sets.
    pub held_out: Option<f64>,
}

impl ImageData {
    fn classes(&self) -> Vec<String> {
        self.train.classes.iter().map(|class| class.name.clone()).collect()
    }
}

impl ImageClassification {
    fn settings(&self) -> ImageSettings {
        ImageSettings { size: self.options.image_size, whole: false }
    }

    fn share(&self) -> (f64, u64) {
        (self.options.dev_share.unwrap_or(DEV_SHARE), self.options.split_seed.unwrap_or_default())
    }

    /// Check the sets, and bring their classes into the same order.
    fn settle(&self, sets: Sets) -> Result<ImageData, ImagesError> {
        let (share, _) = self.share();
        if !(share > 0.0 && share < 1.0) {
            let (setting, found) = ("dev_share", share.to_string());
            return Err(ImagesError::Setting { setting, found, expected: "above 0 and below 1".into() });
        }
        let Sets { mut train, dev, test } = sets;
        let classes = same_classes(std::slice::from_mut(&mut train))?;
        if let Some(expected) = self.options.labels.as_ref().filter(|labels| **labels != classes) {
            return Err(ImagesError::OtherClasses { expected: expected.clone(), found: classes });
        }
        let dev = dev.map(|dev| aligned(dev, &train)).transpose()?;
        let test = test.map(|test| aligned(test, &train)).transpose()?;
        if let Some(class) = train.classes.iter().find(|class| dev.is_none() && class.pictures.len() < 2) {
            let set = format!("{}/{}", train.name, class.name);
            return Err(ImagesError::TooFew { set, pictures: class.pictures.len(), least: 2 });
        }
        Ok(ImageData { train, dev, test, held_out: None })
    }

    /// The training set and the evaluation of the run with `seed`.
    pub(super) fn sources(&self, pictures: &Arc<Pictures>, seed: u64) -> (Arc<ImageSource>, ImageEvaluation) {
        let source = |members: Vec<usize>, augment| Arc::new(ImageSource::new(Arc::clone(pictures), members, augment));
        let class = |place: &usize| pictures.members()[*place].class;
        let mut sets = pictures.sets().iter().map(|(_, range)| range.clone().collect::<Vec<usize>>());
        let whole = sets.next().unwrap_or_default();
        let (mut train, mut dev) = match sets.next() {
            Some(dev) => (whole, dev),
            None => {
                let (share, split_seed) = self.share();
                split(&whole.iter().map(class).collect::<Vec<_>>(), share, split_seed)
            }
        };
        let mut test = sets.next();
        if let Some(share) = pictures.held_out() {
            ((train, dev), test) = (held_out(&train, class, share), None);
        }
        let set = |name: &str, members: Vec<usize>, last, scores: [(Metric, &str); 2]| ImageSet {
            name: name.to_owned(),
            source: source(members, Augment::Never),
            last,
            metrics: scores.map(|(metric, score)| SetMetric { metric, score: score.to_owned() }).to_vec(),
        };
        let mut counts = vec![0; pictures.classes.len()];
        train.iter().for_each(|place| counts[class(place)] += 1);
        // If several classes are equally frequent, the first one is chosen.
        let majority = (0..counts.len()).rev().max_by_key(|class| counts[*class]).unwrap_or_default();
        let hits = dev.iter().filter(|place| class(place) == majority).count();
        let constant = Scores::from([(MAJORITY.to_owned(), hits as f64 / dev.len().max(1) as f64)]);
        let scores = [Metric::Accuracy, Metric::MacroF1].map(|metric| (metric, metric.name()));
        let mut evaluated = vec![set("dev", dev, false, scores)];
        evaluated.extend(test.map(|test| set("test", test, true, TEST_SCORES)));
        let augment = if self.options.augment.unwrap_or(true) { Augment::EachEpoch(seed) } else { Augment::Never };
        (source(train, augment), ImageEvaluation { sets: evaluated, derived: Vec::new(), constant })
    }
}

impl TaskInfo for ImageClassification {
    fn name(&self) -> String {
        Self::KIND.to_string()
    }

    fn defaults(&self, scale: Scale, tuning: &Tuning) -> TrainSettings {
        let (learning_rate, full) = match scale {
            Scale::Paper => (1e-3, 5e-5),
            Scale::Embedded => (3e-3, 5e-4),
        };
        TrainSettings {
            epochs: 5,
            batch_size: 32,
            learning_rate: match tuning {
                Tuning::Full => full,
                Tuning::Head | Tuning::Adapter(_) => learning_rate,
            },
            ..TrainSettings::default()
        }
    }

    fn scores(&self) -> Vec<Score> {
        ["accuracy", "macro_f1", MAJORITY].map(Score::share).to_vec()
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
}

impl Task for ImageClassification {
    const KIND: &'static str = "image-classification";
    const PEFT_TASK: Option<&'static str> = None;

    type Options = ImageClassificationOptions;
    type Model = VitClassifier;
    type Data = ImageData;
    type Source = ImageSource;
    type Objective = ImageLoss;
    type Evaluation = ImageEvaluation;

    fn names() -> Vec<String> {
        vec![Self::KIND.to_string()]
    }

    fn named(name: &str, options: ImageClassificationOptions) -> Option<Self> {
        (name == Self::KIND).then_some(Self { options })
    }

    fn options(&self) -> ImageClassificationOptions {
        self.options.clone()
    }

    fn resolved(self, _scale: Scale) -> Self {
        self
    }

    fn read(&self, files: &Files) -> Result<ImageData, TaskError> {
        let Some(path) = files.folder(&files::is_wanted)? else {
            return Err(TaskError::task(ImagesError::Setting {
                setting: "data",
                found: "absent".into(),
                expected: "a folder of folders of pictures, as in --data pictures".into(),
            }));
        };
        Ok(self.settle(files::read(&path)?)?)
    }

    fn settled(&self, data: &ImageData) -> Self {
        Self { options: ImageClassificationOptions { labels: Some(data.classes()), ..self.options.clone() } }
    }

    fn hold_out(&self, data: ImageData, share: f64) -> ImageData {
        ImageData { held_out: Some(share), ..data }
    }

    fn describe(&self, data: &ImageData) -> Vec<String> {
        let ImageData { train, dev, test, held_out } = data;
        let (share, seed) = self.share();
        let evaluated = match dev {
            Some(dev) => format!("{} pictures of {} to evaluate on", dev.len(), dev.name),
            None => format!("{:.0} % of each class, drawn with seed {seed}, held out for evaluation", 100.0 * share),
        };
        let mut test = test
            .as_ref()
            .map_or_else(String::new, |test| format!("; {} of {} after the last epoch", test.len(), test.name));
        if let Some(share) = held_out {
            test.push_str(&format!(
                "; {:.0} % of the rest of each class are held out to choose settings",
                100.0 * share
            ));
        }
        let counts = || train.classes.iter().map(|class| class.pictures.len());
        let of = |(class, count): (&String, usize)| format!("{class} {count}");
        let classes = data.classes();
        let each = classes.iter().zip(counts()).map(of).collect::<Vec<_>>();
        let mut lines = vec![
            format!("{}: {} pictures; {evaluated}{test}", train.name, train.len()),
            format!("classes: {}; each picture is decoded once before training", each.join(", ")),
        ];
        let (least, most) = (counts().min().unwrap_or_default(), counts().max().unwrap_or_default());
        if most >= IMBALANCE * least.max(1) {
            lines.push(format!(
                "the classes are imbalanced: they have {least} to {most} pictures; macro_f1 weights all classes equally"
            ));
        }
        lines
    }

    fn prepare(&self, data: ImageData, base: &Base) -> Result<Prepared<Self>, TaskError> {
        let (processor, mut notes) = processor_of(base, self.settings())?;
        let (classes, held_out) = (data.classes(), data.held_out);
        let mut sets: Vec<Collection> = [Some(data.train), data.dev, data.test].into_iter().flatten().collect();
        notes.extend(decode_all(&mut sets, &processor, self.options.broken.unwrap_or_default())?);
        // The skipped pictures may have been all pictures of a class.
        let found = same_classes(&mut sets[..1])?;
        if found != classes {
            return Err(ImagesError::OtherClasses { expected: classes, found }.into());
        }
        let pictures = Pictures::new(&sets, processor, Augmentation::DOMAINBED);
        let (train, evaluation) = self.sources(&Arc::new(pictures.holding_out(held_out)), 0);
        Ok(Prepared { train, objective: ImageLoss, evaluation, notes })
    }

    fn of_run(&self, prepared: &Prepared<Self>, seed: u64) -> (Arc<ImageSource>, ImageEvaluation) {
        self.sources(prepared.train.pictures(), seed)
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
