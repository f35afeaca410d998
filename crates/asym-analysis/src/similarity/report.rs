//! Similarities as a table and as a picture.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use super::{Side, Similarity};
use crate::figure::{Axis, Panel, Point, Series};

/// The look of what is no measurement: gray.
const REFERENCE: usize = 7;

/// A panel with a line for each factor of each kind of module, over the layers.
pub fn panel(title: &str, rows: &[Similarity]) -> Panel {
    let mut kinds: Vec<&str> = rows.iter().map(Similarity::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut series = Vec::new();
    for side in Side::BOTH {
        for kind in &kinds {
            let of = |row: &&Similarity| row.side == side && row.kind() == *kind;
            let points = rows.iter().filter(of).enumerate().map(|(at, row)| {
                let (mean, std) = (row.mean(), row.std());
                let point = Point::new(row.layer().unwrap_or(at) as f64, mean);
                std.map_or(point, |std| point.between(mean - std, mean + std))
            });
            // Its last word, where that means no other.
            let short = |kind: &str| kind.rsplit('.').next().unwrap_or_default().to_string();
            let alone = kinds.iter().filter(|other| short(other) == short(kind)).count() == 1;
            let name = if alone { short(kind) } else { kind.to_string() };
            series.push(Series::line(format!("{side}, {name}"), series.len(), points.collect()));
        }
    }
    let independent = |side: Side| rows.iter().find(|row| row.side == side).map(|row| row.independent);
    let layers = || series.iter().flat_map(|series| &series.points).map(|point| point.x);
    let ends = layers().reduce(f64::min).zip(layers().reduce(f64::max));
    if let (Some(value), Some((first, last))) = (independent(Side::A), ends) {
        let line = [first, last].map(|x| Point::new(x, value)).to_vec();
        series.push(Series::dashed("independent subspaces", REFERENCE, line));
    }
    // Layers are counted: there is none between two.
    let mut ticks: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|point| point.x).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    let layers = Axis::linear("layer").ticked(ticks.into_iter().map(|layer| (layer, layer.to_string())));
    let axis = Axis::linear("similarity of subspaces").within(0.0, 1.0);
    Panel { series, ..Panel::new(title, layers, axis) }
}

/// A row per module, in Markdown: mean and standard deviation over the pairs, and what independent subspaces would have.
pub fn table(rows: &[Similarity]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(["module", "A", "independent", "B", "independent"]);
    let value = |row: &Similarity| match row.std() {
        Some(std) => format!("{:.3} ± {std:.3}", row.mean()),
        None => format!("{:.3}", row.mean()),
    };
    for pair in rows.chunks(2) {
        let mut cells = vec![pair[0].module.clone()];
        cells.extend(pair.iter().flat_map(|row| [value(row), format!("{:.3}", row.independent)]));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
