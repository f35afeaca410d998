//! The HTML page: one file that needs no other files.

use askama::Template;

use super::figures::Drawn;
use super::gather::{Counts, Found, Gather, Gathered, Group};
use super::rows::Report;
use super::sheet::{Number, Quantity, Sheet, of_run};
use super::write::{learning_rate, notes, origin, seeds};
use crate::error::TaskError;

/// A group, and everything that is computed from it.
pub(super) struct Part<'a> {
    /// The name in anchors and files.
    pub id: String,
    pub group: &'a Group,
    pub report: Report,
    pub sheet: Sheet,
    pub figures: Vec<Drawn>,
}

/// The maximum number of columns that fit side by side at the usual text size.
const DENSE: usize = 12;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: &'a str,
    root: String,
    version: &'static str,
    counts: Counts,
    problems: Vec<String>,
    sections: Vec<Section<'a>>,
}

struct Section<'a> {
    id: &'a str,
    title: String,
    origin: String,
    quantities: &'a [Quantity],
    rows: Vec<Line>,
    notes: Vec<String>,
    has_differences: bool,
    figures: Vec<Picture<'a>>,
    details: Vec<Detail>,
}

/// A row of the table.
struct Line {
    anchor: String,
    name: String,
    method: String,
    there: usize,
    all: usize,
    cells: Vec<Cell>,
}

/// A number of the table, or a dash.
struct Cell {
    key: String,
    label: String,
    text: String,
    word: &'static str,
    is_there: bool,
}

struct Picture<'a> {
    svg: String,
    caption: &'a str,
}

/// The runs of a row, with their recipes.
struct Detail {
    anchor: String,
    name: String,
    method: String,
    heads: Vec<String>,
    runs: Vec<Run>,
    recipes: Vec<Text>,
}

struct Run {
    anchor: String,
    seed: u64,
    role: String,
    state: &'static str,
    why: String,
    folder: String,
    cells: Vec<Cell>,
    recipe: Option<String>,
    made: String,
}

/// The recipe of one run, or of several runs that differ only in the seed.
struct Text {
    anchor: String,
    label: String,
    text: String,
}

/// Create the page.
///
/// # Errors
///
/// A figure that cannot be drawn.
pub(super) fn page(gathered: &Gathered, title: &str, parts: &[Part<'_>]) -> Result<String, TaskError> {
    let page = Page {
        title,
        root: gathered.root().display().to_string(),
        version: env!("CARGO_PKG_VERSION"),
        counts: gathered.counts(),
        problems: gathered.problems(),
        sections: parts.iter().map(section).collect::<Result<_, _>>()?,
    };
    page.render().map_err(TaskError::task)
}

/// Convert a text into the name of an anchor or a file.
pub(super) fn slug(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    text.chars().map(plain).collect()
}

fn section<'a>(part: &'a Part<'_>) -> Result<Section<'a>, TaskError> {
    let Part { id, group, report, sheet, figures } = part;
    let scores = group.task.scores();
    let anchor = |row: usize| format!("{id}-{}", slug(&report.rows[row].name));
    let line = |(number, cells): (usize, &Vec<_>)| {
        let (row, (there, all)) = (&report.rows[number], seeds(part, number));
        let cells = sheet.quantities.iter().zip(cells).map(cell).collect();
        Line { anchor: anchor(number), name: row.name.clone(), method: report.method(row), there, all, cells }
    };
    let detail = |(number, row): (usize, &Gather)| {
        let heads = of_heads(row, &scores);
        let (mut runs, mut recipes) = (Vec::new(), Vec::<Text>::new());
        for found in &row.runs {
            let recipe = found.recipe.as_ref().map(|(_, text)| recipe_of(&mut recipes, &anchor(number), found, text));
            runs.push(run(&anchor(number), found, &scores, recipe));
        }
        let method = report.method(&report.rows[number]);
        Detail { anchor: anchor(number), name: row.name.clone(), method, heads, runs, recipes }
    };
    let picture = |drawn: &'a Drawn| {
        let svg = drawn.figure.svg().map_err(TaskError::task)?;
        Ok(Picture { svg, caption: &drawn.caption })
    };
    Ok(Section {
        id,
        title: group.task.to_string(),
        origin: origin(group),
        quantities: &sheet.quantities,
        rows: sheet.lines.iter().enumerate().map(line).collect(),
        notes: notes(report),
        has_differences: report.differences().next().is_some(),
        figures: figures.iter().map(picture).collect::<Result<_, TaskError>>()?,
        details: group.rows.iter().enumerate().map(detail).collect(),
    })
}

fn cell((quantity, entry): (&Quantity, &Option<super::sheet::Entry>)) -> Cell {
    let (key, label) = (quantity.key.clone(), quantity.label.clone());
    match entry {
        Some(entry) => Cell { key, label, text: entry.text.clone(), word: entry.word, is_there: true },
        None => Cell { key, label, text: "–".into(), word: "", is_there: false },
    }
}

/// The column heads in the table of a row's runs.
fn of_heads(row: &Gather, scores: &[crate::task::Score]) -> Vec<String> {
    let first = row.runs.iter().filter_map(Found::result).next();
    first.map(|result| of_run(result, scores).into_iter().map(|number| number.label).collect()).unwrap_or_default()
}

fn run(row: &str, found: &Found, scores: &[crate::task::Score], recipe: Option<String>) -> Run {
    let (state, why) = found.describe();
    let cells = found.result().map(|result| of_run(result, scores)).unwrap_or_default();
    let rate = learning_rate(found).map_or_else(String::new, |rate| format!("{rate:e}"));
    let role = match found.learning_rate {
        Some(rate) => format!("decides on {rate:e}"),
        None => rate,
    };
    let made = found.environment.as_ref().map_or_else(String::new, |made| {
        format!("asym {}, {}, {}, {} threads", made.asym, made.base, made.device, made.threads)
    });
    let of_rate = found.learning_rate.map_or_else(String::new, |rate| format!("-lr{}", slug(&format!("{rate:e}"))));
    Run {
        anchor: format!("{row}{of_rate}-seed{}", found.seed),
        seed: found.seed,
        role,
        state,
        why,
        folder: found.folder.clone(),
        cells: cells
            .into_iter()
            .map(|Number { key, label, text, value }| Cell { key, label, text, word: "", is_there: value.is_some() })
            .collect(),
        recipe,
        made,
    }
}

/// The anchor of a recipe. The recipe is added to `recipes`, unless one of these differs only in the seed.
fn recipe_of(recipes: &mut Vec<Text>, row: &str, found: &Found, text: &str) -> String {
    let text: String = text
        .lines()
        .map(|line| if line.starts_with("seeds = ") { "seeds = [SEED]" } else { line })
        .map(|line| format!("{line}\n"))
        .collect();
    if let Some(known) = recipes.iter().find(|known| known.text == text) {
        return known.anchor.clone();
    }
    let anchor = format!("{row}-recipe{}", recipes.len() + 1);
    let label = match found.learning_rate {
        Some(rate) => format!("Recipe of the runs that decide on {rate:e}"),
        None => "Recipe".to_string(),
    };
    recipes.push(Text { anchor: anchor.clone(), label, text });
    anchor
}
