//! Figures of a paper: line charts in several panels with one legend, each saved as SVG, PNG and a CSV of what is
//! drawn.
//!
//! A figure is plain data. [`Figure::save`] checks it, lays it out and writes the three files; the same figure gives
//! the same bytes, and the font comes with the program, so that no machine's own fonts change a picture.
//!
//! ```no_run
//! use asym_analysis::figure::{Axis, Figure, Panel, Point, Series};
//!
//! let points = (1..=24).map(|layer| Point::new(f64::from(layer), 0.5).between(0.4, 0.6)).collect();
//! let panel = Panel::new("(a) two tasks", Axis::linear("layer"), Axis::linear("similarity").within(0.0, 1.0))
//!     .with(Series::line("A, query", 0, points));
//! Figure::new("Similarity of the factors").with(panel).save("figures/similarity".as_ref())?;
//! # Ok::<(), asym_analysis::figure::FigureError>(())
//! ```

mod axis;
mod canvas;
mod check;
mod draw;
mod error;
mod layout;
mod output;
mod series;
mod style;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::error::{FigureError, Spot};
pub use self::style::STYLES;

/// A figure: panels in a grid, and below them one legend and one note.
///
/// It is 8.6 cm wide with one column and 17 cm with more (the widths of one and of two columns of print), and wider
/// only where panels would get too small to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Title above the panels; empty for none.
    pub title: String,
    /// What a reader must know of the bands and bars, under the legend.
    pub note: Option<String>,
    /// The panels, row by row.
    pub panels: Vec<Panel>,
    /// Panels in a row, from 1; no more than there are panels.
    pub columns: usize,
}

/// One chart of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title above the chart, with the panel's letter if one is wanted. It names the panel in the CSV, so no two are
    /// equal.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, the last on top.
    pub series: Vec<Series>,
}

/// One axis of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Label with the unit; empty for none.
    pub label: String,
    /// How values are spaced.
    pub scale: Scale,
    /// First and last value, in the unit of the data. Chosen from the data, their spreads and the ticks where absent.
    /// Spreads are cut off at a given range; a value outside it is refused.
    pub range: Option<(f64, f64)>,
    /// Places and labels of the ticks; chosen where empty. Where labels would touch, only every second one (third, ...)
    /// is written.
    pub ticks: Vec<(f64, String)>,
}

/// How an axis spaces its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps for equal differences.
    Linear,
    /// Equal steps for equal ratios, with ticks at powers of two.
    Log2,
    /// Equal steps for equal ratios, with ticks at powers of ten.
    Log10,
}

/// What is drawn for a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Markers joined by a line, spreads as a band. Where the points are close, only every second one (third, ...) has
    /// a marker.
    Line,
    /// Markers joined by a thin line, spreads as error bars: for few points of many series, whose bands would cover
    /// each other.
    Bars,
    /// Markers alone, spreads as error bars.
    Points,
    /// A thin dashed line without markers, for a reference such as chance.
    Dashed,
}

/// The points of one name in one panel.
///
/// Series of [`Kind::Bars`] and [`Kind::Points`] that have values at the same x are drawn a little beside each other,
/// so that their bars do not hide one another; the CSV has the x that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend, which lists it once however many panels have it.
    pub name: String,
    /// What is drawn.
    pub kind: Kind,
    /// Colour, marker and dash, from 0 to [`STYLES`] - 1; 6 is black, 7 is gray. The same in all panels for one name.
    pub style: usize,
    /// The points, sorted by x where a line joins them.
    pub points: Vec<Point>,
}

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Place on the horizontal axis, in its unit.
    pub x: f64,
    /// Place on the vertical axis, in its unit.
    pub y: f64,
    /// Lower and upper end of the spread around `y`, as values on the vertical axis (not as distances).
    pub spread: Option<(f64, f64)>,
}

/// The files of a saved figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The drawing.
    pub svg: PathBuf,
    /// The drawing at 12 pixels per millimetre (305 dpi).
    pub png: PathBuf,
    /// The data drawn: `panel,series,x,y,low,high`.
    pub csv: PathBuf,
}

impl Figure {
    /// A figure without panels, in one column.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), note: None, panels: Vec::new(), columns: 1 }
    }

    /// The figure with one panel more.
    pub fn with(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// The figure with so many panels in a row.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// The figure with a note, for example `bands: one standard deviation over 10 pairs`.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Writes the figure to `stem.svg`, `stem.png` and `stem.csv`, and gives their paths. Missing folders are made.
    /// Each file is written beside its place and then moved there, so that no reader finds half of one.
    ///
    /// # Errors
    ///
    /// Refuses a figure that cannot be drawn as it is meant, before anything is written: no panels or points; values
    /// that are not finite, not above 0 on a logarithmic axis, or outside a range that was given; spreads that do not
    /// contain their value; a name with two looks, or a look with two names. Otherwise gives what went wrong with
    /// drawing or writing.
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

    /// The panel with one series more.
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }
}

impl Axis {
    /// An axis with equal steps for equal differences.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, range: None, ticks: Vec::new() }
    }

    /// An axis with equal steps for equal ratios, and ticks at powers of two.
    pub fn log2(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log2, ..Self::linear(label) }
    }

    /// An axis with equal steps for equal ratios, and ticks at powers of ten.
    pub fn log10(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log10, ..Self::linear(label) }
    }

    /// The axis from `low` to `high`, in the unit of the data.
    pub fn within(mut self, low: f64, high: f64) -> Self {
        self.range = Some((low, high));
        self
    }

    /// The axis with these ticks: places in the unit of the data, and labels.
    pub fn ticked<L: Into<String>>(mut self, ticks: impl IntoIterator<Item = (f64, L)>) -> Self {
        self.ticks = ticks.into_iter().map(|(value, label)| (value, label.into())).collect();
        self
    }
}

impl Series {
    /// Markers joined by a line, spreads as a band.
    pub fn line(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { name: name.into(), kind: Kind::Line, style, points }
    }

    /// Markers joined by a thin line, spreads as error bars.
    pub fn bars(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Bars, ..Self::line(name, style, points) }
    }

    /// Markers alone, spreads as error bars.
    pub fn points(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Points, ..Self::line(name, style, points) }
    }

    /// A thin dashed line without markers, for a reference.
    pub fn dashed(name: impl Into<String>, style: usize, points: Vec<Point>) -> Self {
        Self { kind: Kind::Dashed, ..Self::line(name, style, points) }
    }
}

impl Point {
    /// A value without a spread.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, spread: None }
    }

    /// The value with a spread from `low` to `high`, as values on the vertical axis.
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { spread: Some((low, high)), ..self }
    }

    /// The value with a spread of `distance` to both sides, for example one standard deviation.
    pub fn give_or_take(self, distance: f64) -> Self {
        self.between(self.y - distance, self.y + distance)
    }
}

impl std::fmt::Display for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}", self.svg.display(), self.png.display(), self.csv.display())
    }
}
