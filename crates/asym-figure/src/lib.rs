//! Figures of a paper: line charts in several panels with one legend. Each figure is saved as an SVG, a PNG and a CSV
//! of its data. A [`Table`] is a Markdown table for a terminal.
//!
//! A figure is plain data. [`Figure::save`] checks it, lays it out and writes the three files. The files of a figure are
//! the same on every machine, because the font is part of the program.
//!
//! ```no_run
//! use asym_figure::{Axis, Figure, Panel, Point, Series};
//!
//! let points = (1..=24).map(|layer| Point::new(f64::from(layer), 0.5).between(0.4, 0.6)).collect();
//! let panel = Panel::new("(a) two tasks", Axis::linear("layer"), Axis::linear("similarity").within(0.0, 1.0))
//!     .with(Series::line("A, query", 0, points));
//! Figure::new("Similarity of the factors").with(panel).save("figures/similarity".as_ref())?;
//! # Ok::<(), asym_figure::FigureError>(())
//! ```

mod axis;
mod beside;
mod canvas;
mod check;
mod draw;
mod error;
mod layout;
mod output;
mod series;
mod style;
mod table;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::{FigureError, Spot};
pub use style::STYLES;
pub use table::{TERMINAL, Table, numbered};

/// A figure: panels in a grid, and below them one legend and one note.
///
/// A figure with one column of panels is 8.6 cm wide, like one column of print. Other figures are 17 cm wide, like two
/// columns of print. A figure is wider if its panels would be too small to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Title above the panels; empty for none.
    pub title: String,
    /// Explanation of the bands and bars, under the legend.
    pub note: Option<String>,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
    /// Number of panels in a row, at least 1. It is reduced to the number of panels if it is larger.
    pub columns: usize,
    /// Height of each plot in millimeters. By default, it is 45, or 38 if there are three or more columns.
    pub tall: Option<f64>,
}

/// One chart of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title above the chart, which may include the panel's letter. The title identifies the panel in the CSV, so no two
    /// panels may have the same title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The series. The last one is drawn on top.
    pub series: Vec<Series>,
}

/// One axis of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Label with the unit; empty for none.
    pub label: String,
    /// Spacing of the values.
    pub scale: Scale,
    /// First and last value, in the unit of the data. Without a range, the axis covers the data, their spreads and the
    /// ticks. Spreads are clipped to a given range, and a value outside the range is refused.
    pub range: Option<(f64, f64)>,
    /// Positions and labels of the ticks. They are chosen from the range if the list is empty. If labels would touch,
    /// only every second label (or third, and so on) is written.
    pub ticks: Vec<(f64, String)>,
}

/// Spacing of the values of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps for equal differences.
    Linear,
    /// Equal steps for equal ratios, with ticks at powers of two.
    Log2,
    /// Equal steps for equal ratios, with ticks at powers of ten.
    Log10,
}

/// The way in which a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line joins the markers, and spreads are a band. If the points are close, only every second point (or third, and
    /// so on) has a marker.
    Line,
    /// A thin line joins the markers, and spreads are error bars. Use it for few points of many series, where bands
    /// would cover each other.
    Bars,
    /// Markers have no line, and spreads are error bars.
    Points,
    /// Markers have no line, and spreads are error bars from left to right, as in a forest plot.
    Across,
    /// A thin dashed line has no markers. Use it for a reference such as chance.
    Dashed,
}

/// A named list of points in one panel.
///
/// Series of [`Kind::Bars`] and [`Kind::Points`] that have values at the same x are drawn side by side with a
/// small distance, so no bar hides another. The CSV contains the original x.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend. The legend lists a name once, even if several panels have it.
    pub name: String,
    /// The way in which the series is drawn.
    pub kind: Kind,
    /// Color, marker and dash, from 0 to [`STYLES`] - 1. Style 6 is black, and 7 is gray. A name has the same style in
    /// all panels.
    pub style: usize,
    /// The points. They must be sorted by x if a line joins them.
    pub points: Vec<Point>,
}

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Value on the horizontal axis, in its unit.
    pub x: f64,
    /// Value on the vertical axis, in its unit.
    pub y: f64,
    /// Lower and upper end of the spread around `y`, as values on the vertical axis (not as distances). In a series of
    /// [`Kind::Across`] it is the spread around `x`, as values on the horizontal axis.
    pub spread: Option<(f64, f64)>,
}

/// The files of a saved figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The drawing.
    pub svg: PathBuf,
    /// The drawing at 12 pixels per millimeter (305 dpi).
    pub png: PathBuf,
    /// The data drawn: `panel,series,x,y,low,high`.
    pub csv: PathBuf,
}

impl Figure {
    /// A figure without panels, in one column.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), note: None, panels: Vec::new(), columns: 1, tall: None }
    }

    /// Adds a panel.
    pub fn with(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Sets the number of panels in a row.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// Sets the height of each plot, in millimeters.
    pub fn tall(mut self, millimeters: f64) -> Self {
        self.tall = Some(millimeters);
        self
    }

    /// Sets the note, for example `bands: one standard deviation over 10 pairs`.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The SVG text, for embedding into a page.
    ///
    /// # Errors
    ///
    /// The errors of [`save`](Self::save), except for errors of files.
    pub fn svg(&self) -> Result<String, FigureError> {
        check::check(self)?;
        Ok(draw::draw(self)?.svg)
    }

    /// Writes the figure to `stem.svg`, `stem.png` and `stem.csv`, and returns their paths. It creates missing folders.
    /// Each file is written under another name and then moved into place, so no reader sees an incomplete file.
    ///
    /// # Errors
    ///
    /// A figure is refused before anything is written if
    ///
    /// - it has no panels, or a panel or series has no points,
    /// - a value is not finite, not above 0 on a logarithmic axis, or outside the given range,
    /// - a spread does not contain its value,
    /// - two panels, or two series of a panel, have the same name, or
    /// - the kind or style of series with the same name differs, or series with different names have the same kind and style.
    ///
    /// An error is also returned if drawing or writing fails.
    pub fn save(&self, stem: &Path) -> Result<Saved, FigureError> {
        check::check(self)?;
        let drawing = draw::draw(self)?;
        let png = output::png(&drawing)?;
        let csv = output::csv(self)?;
        Ok(Saved {
            svg: output::write(stem, "svg", drawing.svg.as_bytes())?,
            png: output::write(stem, "png", &png)?,
            csv: output::write(stem, "csv", &csv)?,
        })
    }
}

impl Panel {
    /// A panel without series.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, series: Vec::new() }
    }

    /// Adds a series.
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }
}

impl Axis {
    /// A linear axis: equal steps for equal differences.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None, ticks: Vec::new() }
    }

    /// A logarithmic axis: equal steps for equal ratios, with ticks at powers of two.
    pub fn log2(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log2, ..Self::linear(label) }
    }

    /// A logarithmic axis: equal steps for equal ratios, with ticks at powers of ten.
    pub fn log10(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log10, ..Self::linear(label) }
    }

    /// Sets the range from `low` to `high`, in the unit of the data.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// Sets the ticks: positions in the unit of the data, and labels.
    pub fn ticked<L: Into<String>>(mut self, ticks: impl IntoIterator<Item = (f64, L)>) -> Self {
        self.ticks = ticks.into_iter().map(|(value, label)| (value, label.into())).collect();
        self
    }
}

impl Series {
    /// A series of [`Kind::Line`]: markers joined by a line, spreads as a band.
    pub fn line(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { name: name.into(), kind: Kind::Line, style, points }
    }

    /// A series of [`Kind::Bars`]: markers joined by a thin line, spreads as error bars.
    pub fn bars(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Bars, ..Self::line(name, style, points) }
    }

    /// A series of [`Kind::Points`]: markers without a line, spreads as error bars.
    pub fn points(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Points, ..Self::line(name, style, points) }
    }

    /// A series of [`Kind::Across`]: markers without a line, spreads as error bars from left to right.
    pub fn across(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Across, ..Self::line(name, style, points) }
    }

    /// A series of [`Kind::Dashed`]: a thin dashed line without markers, for a reference.
    pub fn dashed(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Dashed, ..Self::line(name, style, points) }
    }
}

impl Point {
    /// A value without a spread.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, spread: None }
    }

    /// Sets the spread from `low` to `high`, as values on the vertical axis.
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { spread: Some((low, high)), ..self }
    }

    /// Sets a spread of `distance` to both sides, for example one standard deviation.
    pub fn give_or_take(self, distance: f64) -> Self {
        self.between(self.y - distance, self.y + distance)
    }
}

impl std::fmt::Display for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}", self.svg.display(), self.png.display(), self.csv.display())
    }
}
