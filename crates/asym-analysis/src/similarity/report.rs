//! Similarities as a table and as figures.

use asym_figure::{Axis, Panel, Point, Series, Table};

use super::{Alike, Side, Similarity};
use crate::names;

/// The styles of lines that do not show measurements: gray, and black.
const REFERENCES: [usize; 2] = [7, 6];

/// Draws one panel with a line for each factor of each kind of module, over the layers. Use it for few kinds, such as query and
/// value. If all independent subspaces have the same expected similarity, a gray line shows it.
pub fn panel(title: &str, rows: &[Similarity]) -> Panel {
    let kinds = names::kinds(rows.iter().map(|row| row.module.as_str()));
    let mut series = Vec::new();
    for side in Side::BOTH {
        for (kind, short) in &kinds {
            series.push(Series::line(format!("{side}, {short}"), series.len(), points(rows, kind, side)));
        }
    }
    let mut independent: Vec<f64> =
        rows.iter().flat_map(|row| Side::BOTH.map(|side| row.of(side).independent)).collect();
    independent.dedup();
    if let ([value], (Some(first), Some(last))) = (independent.as_slice(), ends(&series)) {
        let line = [first, last].map(|x| Point::new(x, *value)).to_vec();
        series.push(Series::dashed("independent subspaces", REFERENCES[0], line));
    }
    framed(title, series)
}

/// Draws a panel for each kind of module, with a line for each factor, and one for independent subspaces.
pub fn panels(rows: &[Similarity]) -> Vec<Panel> {
    let kinds = names::kinds(rows.iter().map(|row| row.module.as_str()));
    let panel = |(kind, short): &(String, String)| {
        let mut series = Vec::new();
        for (number, side) in Side::BOTH.into_iter().enumerate() {
            series.push(Series::line(side.to_string(), number, points(rows, kind, side)));
        }
        for (side, look) in Side::BOTH.into_iter().zip(REFERENCES) {
            let of = places(rows, kind).into_iter();
            let line = of.map(|(x, row)| Point::new(x, row.of(side).independent)).collect();
            series.push(Series::dashed(format!("{side}, independent subspaces"), look, line));
        }
        framed(short, series)
    };
    kinds.iter().map(panel).collect()
}

/// The rows of a kind, each with the number of its layer, or with its index if the name of the module contains no number.
fn places<'a>(rows: &'a [Similarity], kind: &str) -> Vec<(f64, &'a Similarity)> {
    let of = rows.iter().filter(|row| names::kind(&row.module) == kind);
    of.enumerate().map(|(at, row)| (names::layer(&row.module).unwrap_or(at) as f64, row)).collect()
}

fn points(rows: &[Similarity], kind: &str, side: Side) -> Vec<Point> {
    let point = |(x, row): (f64, &Similarity)| {
        let moments = row.of(side).moments();
        let point = Point::new(x, moments.mean);
        if moments.count > 1 { point.between(moments.mean - moments.sd, moments.mean + moments.sd) } else { point }
    };
    places(rows, kind).into_iter().map(point).collect()
}

fn ends(series: &[Series]) -> (Option<f64>, Option<f64>) {
    let x = || series.iter().flat_map(|series| &series.points).map(|point| point.x);
    (x().reduce(f64::min), x().reduce(f64::max))
}

fn framed(title: &str, series: Vec<Series>) -> Panel {
    // Layers have whole numbers, so only layers have ticks.
    let mut layers: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|point| point.x).collect();
    layers.sort_by(f64::total_cmp);
    layers.dedup();
    let x = Axis::linear("layer").ticked(layers.into_iter().map(|layer| (layer, layer.to_string())));
    Panel { series, ..Panel::new(title, x, Axis::linear("similarity of subspaces").within(0.0, 1.0)) }
}

/// Makes a table in Markdown with one row for each module. A row has the mean and the standard deviation over the pairs, and
/// the expected similarity of independent subspaces.
pub fn table(rows: &[Similarity]) -> Table {
    let mut table = Table::new(["module", "A", "independent", "B", "independent"], 1..);
    let value = |alike: &Alike| {
        let moments = alike.moments();
        if moments.count > 1 {
            format!("{:.3} ± {:.3}", moments.mean, moments.sd)
        } else {
            format!("{:.3}", moments.mean)
        }
    };
    for row in rows {
        let mut cells = vec![row.module.clone()];
        cells
            .extend([&row.a, &row.b].into_iter().flat_map(|alike| [value(alike), format!("{:.3}", alike.independent)]));
        table.row(cells);
    }
    table
}
