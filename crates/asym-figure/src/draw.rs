//! The drawing of a figure.

use plotters::style::text_anchor::HPos;

use crate::Figure;
use crate::axis::Tick;
use crate::canvas::Canvas;
use crate::error::FigureError;
use crate::layout::{Chart, SAMPLE, TICK_LENGTH, layout};
use crate::style::{GRID, INK};
use crate::{series, text};

/// Width of the lines of axes and ticks, in hundredths of a millimeter.
const AXIS: u32 = 22;
/// Width of the lines of the grid.
const THIN: u32 = 14;

/// A drawing.
pub(crate) struct Drawing {
    /// Content of the SVG file.
    pub svg: String,
    /// Width in millimeters.
    pub width: u32,
    /// Height in millimeters.
    pub height: u32,
}

/// Draws a figure that has been checked.
pub(crate) fn draw(figure: &Figure) -> Result<Drawing, FigureError> {
    text::register()?;
    let page = layout(figure)?;
    // The size of the page is rounded up to whole millimeters, so that the image has whole pixels.
    let [width, height] = [page.width, page.height].map(|side| (side / 100.0).ceil() as u32);
    let mut svg = String::new();
    let canvas = Canvas::new(&mut svg, width * 100, height * 100)?;
    canvas.words(&page.title.0, page.title.1.0, page.title.1.1, HPos::Left)?;
    for chart in &page.charts {
        grid(&canvas, chart)?;
        axes(&canvas, chart)?;
        series::draw(&canvas, chart)?;
    }
    for entry in &page.legend {
        let end = (entry.sample.0 + SAMPLE, entry.sample.1);
        series::sample(&canvas, entry.series, entry.spread, entry.sample, end)?;
        canvas.words(&entry.name.0, entry.name.1.0, entry.name.1.1, HPos::Left)?;
    }
    canvas.words(&page.note.0, page.note.1.0, page.note.1.1, HPos::Left)?;
    canvas.finish()?;
    Ok(Drawing { svg: sized(&svg, width, height), width, height })
}

/// Sets the printed size of the drawing. plotters supports only pixels, with which the drawing would be several meters wide.
fn sized(svg: &str, width: u32, height: u32) -> String {
    let pixels = format!("width=\"{}\" height=\"{}\"", width * 100, height * 100);
    let print = format!("width=\"{width}mm\" height=\"{height}mm\" stroke-linejoin=\"round\"");
    svg.replacen(&pixels, &print, 1)
}

/// Draws a line at every major tick.
fn grid(canvas: &Canvas<'_>, chart: &Chart<'_>) -> Result<(), FigureError> {
    for tick in &chart.x_ticks.major {
        let x = chart.x.at(tick.value);
        canvas.line(&[(x, chart.top), (x, chart.bottom)], GRID, THIN)?;
    }
    for tick in &chart.y_ticks.major {
        let y = chart.y.at(tick.value);
        canvas.line(&[(chart.left, y), (chart.right, y)], GRID, THIN)?;
    }
    Ok(())
}

/// Draws the axes with ticks and labels, and the panel's title.
fn axes(canvas: &Canvas<'_>, chart: &Chart<'_>) -> Result<(), FigureError> {
    let (left, bottom) = (chart.left, chart.bottom);
    canvas.line(&[(left, chart.top), (left, bottom), (chart.right, bottom)], INK, AXIS)?;
    let major = |ticks: &[Tick]| -> Vec<(f64, f64)> { ticks.iter().map(|tick| (tick.value, TICK_LENGTH)).collect() };
    let minor = |ticks: &[f64]| -> Vec<(f64, f64)> { ticks.iter().map(|&value| (value, TICK_LENGTH * 0.55)).collect() };
    for (value, length) in [major(&chart.x_ticks.major), minor(&chart.x_ticks.minor)].concat() {
        let x = chart.x.at(value);
        canvas.line(&[(x, bottom), (x, bottom + length)], INK, AXIS)?;
    }
    for (value, length) in [major(&chart.y_ticks.major), minor(&chart.y_ticks.minor)].concat() {
        let y = chart.y.at(value);
        canvas.line(&[(left - length, y), (left, y)], INK, AXIS)?;
    }
    for (block, (x, top)) in &chart.x_marks {
        canvas.words(block, *x, *top, HPos::Center)?;
    }
    for (block, (right, top)) in &chart.y_marks {
        canvas.words(block, *right, *top, HPos::Right)?;
    }
    let (title, (x, top)) = &chart.title;
    canvas.words(title, *x, *top, HPos::Left)?;
    let (label, (x, top)) = &chart.x_label;
    canvas.words(label, *x, *top, HPos::Center)?;
    let (label, (x, middle)) = &chart.y_label;
    canvas.words_upwards(label, *x, *middle)
}
