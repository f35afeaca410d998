//! The number of trained parameters of every row in the paper's tables, computed from the models' configurations, and the sizes
//! that the paper prints.
//!
//! `data/paper-parameters.csv` contains the rows and the printed sizes. `data/configs` contains Hugging Face's `config.json` of
//! each of the four models. No weights are read or created, because only the shapes are needed.
//!
//! The paper does not state which parameters its sizes count, and no single way of counting explains all of them.
//! [`Row::explain`] therefore lists, for each printed figure, every [`Reading`] with the same digits.

mod readings;

use std::path::Path;

use asym_core::layout::{Entry, Kind};
use asym_core::{AdaLora, AdapterConfig, AdapterError, Factor, Ia3, Init, Lora, Targets};
use asym_figure::{TERMINAL, Table, numbered};
use asym_models::{Config, InFamily, ModelError, PretrainedModel, WithModel};
use burn::tensor::Device;
use serde::Deserialize;

pub use readings::{Figure, Reading};

const ROWS: &str = include_str!("../data/paper-parameters.csv");

const CONFIGS: [(&str, &str); 4] = [
    ("roberta-large", include_str!("../data/configs/roberta-large.json")),
    ("bart-large", include_str!("../data/configs/bart-large.json")),
    ("Llama-2-7b", include_str!("../data/configs/Llama-2-7b.json")),
    ("vit-base-patch16-224", include_str!("../data/configs/vit-base-patch16-224.json")),
];

/// The rank to which AdaLoRA is pruned. The paper does not state it, so this is PEFT's default. It does not change the count.
const ADALORA_TARGET: usize = 8;

/// BART's bias of zeros over the vocabulary. It is a buffer in transformers, and so is not counted as a parameter.
const BUFFER: &str = "final_logits_bias";

/// The reason why a row cannot be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountError {
    /// The table of rows is damaged.
    #[error("paper-parameters.csv: {0}")]
    Table(#[from] csv::Error),
    /// The model, the method or the list of labels in a row is unknown or invalid.
    #[error("paper-parameters.csv: `{0}` is not a known model, a known method or a list of numbers")]
    Unknown(String),
    /// The model cannot be built.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The adapter does not fit the model.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
}

/// A row of the paper's tables.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    /// The numbers of the tables that contain the row, separated by spaces.
    pub tables: String,
    /// The model, which is the name of its file in `data/configs`.
    pub model: String,
    method: String,
    rank: Option<usize>,
    a_init: Option<Init>,
    a_train: Option<bool>,
    b_init: Option<Init>,
    b_train: Option<bool>,
    targets: String,
    labels: String,
    /// The size as the paper prints it.
    pub printed: String,
}

/// The trained parameters of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The trained parameters of the adapter.
    pub adapter: usize,
    /// The parameters of the classifier's head, which every method trains; 0 for a language model.
    pub head: usize,
    /// The parameters of the model without head and adapter.
    pub body: usize,
    /// The frozen parameters of the adapter.
    pub frozen_factors: usize,
    /// The parameters of the bare model's pooler, which is not part of the classifier; 0 if there is no pooler.
    pub pooler: usize,
    /// Whether the body is trained too.
    pub full: bool,
    /// The number of classes of the head.
    pub labels: usize,
}

/// The rows, in the paper's order.
///
/// # Errors
///
/// [`CountError::Table`] if the embedded file is damaged.
pub fn rows() -> Result<Vec<Row>, CountError> {
    Ok(csv::Reader::from_reader(ROWS.as_bytes()).deserialize().collect::<Result<_, _>>()?)
}

impl Row {
    /// The name of the row's method, in the paper's notation.
    ///
    /// # Errors
    ///
    /// [`CountError::Unknown`].
    pub fn method(&self) -> Result<String, CountError> {
        Ok(match (self.method.as_str(), self.adapter()?) {
            (_, Some(config)) => config.method.to_string(),
            ("head", None) => "head only".into(),
            _ => "full".into(),
        })
    }

    /// The adapter that the row trains, if any.
    fn adapter(&self) -> Result<Option<AdapterConfig>, CountError> {
        let unknown = || CountError::Unknown(format!("{} in the tables {}", self.method, self.tables));
        let targets = Targets::Names(self.targets.split(' ').map(ToString::to_string).collect());
        let config = match self.method.as_str() {
            "full" | "head" => return Ok(None),
            "ia3" => AdapterConfig::new(Ia3::new(["output.dense"])),
            "adalora" => AdapterConfig::new(AdaLora::new(self.rank.ok_or_else(unknown)?, ADALORA_TARGET)),
            "lora" => {
                let factor = |init: Option<Init>, train: Option<bool>| Some(Factor { init: init?, train: train? });
                let a = factor(self.a_init, self.a_train).ok_or_else(unknown)?;
                let b = factor(self.b_init, self.b_train).ok_or_else(unknown)?;
                AdapterConfig::new(Lora::new(self.rank.ok_or_else(unknown)?).a(a).b(b))
            }
            _ => return Err(unknown()),
        };
        Ok(Some(config.targets(targets)))
    }

    /// The counts of the row, one for each number of labels of its data sets; a single count for a language model.
    ///
    /// # Errors
    ///
    /// [`CountError::Unknown`] for an unknown model or method, and the errors of building the model and of attaching the adapter.
    pub fn counts(&self, device: &Device) -> Result<Vec<Count>, CountError> {
        let (name, text) = CONFIGS
            .iter()
            .find(|(name, _)| *name == self.model)
            .ok_or_else(|| CountError::Unknown(self.model.clone()))?;
        let path = Path::new(name);
        let config = Config::parse(text, path)?;
        let adapter = self.adapter()?;
        let labels: Vec<usize> = match self.labels.as_str() {
            "" => vec![0],
            labels => {
                let parse = |text: &str| text.parse().map_err(|_| CountError::Unknown(self.labels.clone()));
                labels.split(' ').map(parse).collect::<Result<_, _>>()?
            }
        };
        let full = self.method == "full";
        let count = |&labels| {
            let counting = Counting { config: &config, adapter: adapter.as_ref(), full, labels, path, device };
            config.class().visit(counting)
        };
        labels.iter().map(count).collect()
    }

    /// The figures that the paper prints for the row, each with its readings. `counts` are the counts of the row.
    pub fn explain(&self, counts: &[Count]) -> Vec<(Figure, Vec<Reading>)> {
        let figures = Figure::in_text(&self.printed).into_iter();
        figures.map(|figure| (figure, Reading::of(figure, counts))).collect()
    }
}

struct Counting<'a> {
    config: &'a Config,
    adapter: Option<&'a AdapterConfig>,
    full: bool,
    labels: usize,
    path: &'a Path,
    device: &'a Device,
}

impl WithModel for Counting<'_> {
    type Output = Result<Count, CountError>;

    fn with<M: PretrainedModel>(self) -> Self::Output {
        let config = M::Config::of(self.config).ok_or_else(|| CountError::Unknown(self.path.display().to_string()))?;
        let config = match self.labels {
            0 => config.clone(),
            labels => config.clone().with_num_labels(labels, self.path)?,
        };
        let model = M::outline(&config, self.path, self.device)?;
        let (naming, heads) = (model.naming(), M::keys(&config).task_head);
        let in_head = |entry: &Entry| heads.iter().any(|head| asym_core::layout::within(&entry.name, head));
        let model = match self.adapter {
            Some(adapter) => adapter.attach_blank(model, &naming)?,
            None => model,
        };
        let table = asym_core::inspect(&model, &naming);
        let of_adapter = |entry: &Entry| matches!(entry.kind, Kind::Adapter | Kind::Shared);
        let sum = |wanted: &dyn Fn(&asym_core::Row) -> bool| -> usize {
            let wanted = table.rows.iter().filter(|row| wanted(row));
            wanted.fold(0, |sum: usize, row| sum.saturating_add(row.entry.count()))
        };
        Ok(Count {
            adapter: sum(&|row| of_adapter(&row.entry) && row.trained),
            frozen_factors: sum(&|row| of_adapter(&row.entry) && !row.trained),
            head: sum(&|row| in_head(&row.entry)),
            body: sum(&|row| !of_adapter(&row.entry) && !in_head(&row.entry) && row.entry.name != BUFFER),
            pooler: match self.config {
                // The pooler is a square layer with a bias. In RoBERTa and BERT, such a layer belongs to the head.
                Config::Vit(config) => config.hidden_size.saturating_mul(config.hidden_size.saturating_add(1)),
                _ => 0,
            },
            full: self.full,
            labels: self.labels,
        })
    }
}

/// A table in Markdown for each model, with the trained parameters of each row and the size that the paper prints. Numbered notes
/// explain what the paper's figures count.
///
/// # Errors
///
/// The errors of [`Row::counts`].
pub fn report(device: &Device) -> Result<String, CountError> {
    let header = ["tables", "method", "adapter", "% of model", "head", "paper", "note"];
    let range = |values: Vec<usize>| match values.as_slice() {
        [first, .., last] if first != last => format!("{first} to {last}"),
        [first, ..] => first.to_string(),
        [] => String::new(),
    };
    let (mut tables, mut notes) = (Vec::<(String, Table)>::new(), Vec::<String>::new());
    for row in rows()? {
        let counts = row.counts(device)?;
        let Some(first) = counts.first() else { continue };
        let title = format!("{}, {} parameters without the head:", row.model, first.body);
        let place = tables.iter().position(|(known, _)| *known == title).unwrap_or_else(|| {
            tables.push((title, Table::new(header, 2..5)));
            tables.len() - 1
        });
        let explained = explanation(&row.explain(&counts));
        let note = notes.iter().position(|known| *known == explained).unwrap_or_else(|| {
            notes.push(explained);
            notes.len() - 1
        });
        tables[place].1.row([
            row.tables.clone(),
            row.method()?,
            first.adapter.to_string(),
            format!("{:.4}", 100.0 * first.adapter as f64 / first.body as f64),
            range(counts.iter().map(|count| count.head).collect()),
            row.printed.clone(),
            (note + 1).to_string(),
        ]);
    }
    let legend = numbered(notes, TERMINAL);
    let tables = tables.iter().map(|(title, table)| format!("{title}\n\n{table}\n"));
    Ok(format!("{}\nThe figures of the paper count:\n\n{}", tables.collect::<Vec<_>>().join("\n"), legend))
}

/// The figures that the paper prints for a row, with their readings, as text.
fn explanation(figures: &[(Figure, Vec<Reading>)]) -> String {
    let lines = figures.iter().map(|(figure, readings)| {
        let readings: Vec<String> = readings.iter().map(ToString::to_string).collect();
        let readings = if readings.is_empty() { "no count".to_owned() } else { readings.join(" or ") };
        format!("{figure}: {readings}")
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "no figure".to_owned() } else { lines.join("; ") }
}
