//! The errors of a figure. Most messages state how to correct the error.

use std::fmt;
use std::path::PathBuf;

/// The position of a value in a figure, for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Title of the panel.
    pub panel: String,
    /// Name of the series.
    pub series: String,
    /// Index of the point within the series, from 0.
    pub index: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "point {} of series `{}` in panel `{}`", self.index, self.series, self.panel)
    }
}

/// An error of a figure. Most variants contain the position and the value in error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// A figure without panels.
    #[error("the figure `{title}` has no panels: add at least one")]
    NoPanels {
        /// Title of the figure.
        title: String,
    },
    /// A grid without columns.
    #[error("the figure `{title}` has 0 columns: its {panels} panels need 1 to {panels} columns")]
    NoColumns {
        /// Title of the figure.
        title: String,
        /// Number of panels.
        panels: usize,
    },
    /// Two panels with the same title. They could not be distinguished in the CSV.
    #[error(
        "two panels have the title `{panel}`: the CSV identifies panels by their titles, so give them different titles"
    )]
    RepeatedPanel {
        /// The title.
        panel: String,
    },
    /// A panel without points.
    #[error("panel `{panel}` has no points: remove the panel, or check why its data are missing")]
    EmptyPanel {
        /// Title of the panel.
        panel: String,
    },
    /// A series without points, which would appear only in the legend.
    #[error("series `{series}` in panel `{panel}` has no points: remove the series, or check why its data are missing")]
    EmptySeries {
        /// Title of the panel.
        panel: String,
        /// Name of the series.
        series: String,
    },
    /// Two series with the same name in one panel.
    #[error("panel `{panel}` has two series named `{series}`: join them, or give them different names")]
    RepeatedSeries {
        /// Title of the panel.
        panel: String,
        /// The name.
        series: String,
    },
    /// A style that does not exist.
    #[error("series `{series}` has style {style}: there are {styles} styles, from 0 to {}", styles - 1)]
    NoStyle {
        /// Name of the series.
        series: String,
        /// The style of the series.
        style: usize,
        /// Number of styles.
        styles: usize,
    },
    /// Series with the same name that differ in kind or style. The shared legend could show only one of them.
    #[error("series `{series}` is {first} in one panel and {second} in another: use one kind and style, or two names")]
    TwoLooks {
        /// Name of the series.
        series: String,
        /// Kind and style in the first panel that has the name.
        first: String,
        /// Kind and style in a panel where they differ.
        second: String,
    },
    /// Series with different names and the same kind and style. A reader could not distinguish them.
    #[error("series `{first}` and `{second}` are both {look}: give them different styles")]
    SharedLook {
        /// The name that comes first.
        first: String,
        /// The name that comes later.
        second: String,
        /// Their kind and style.
        look: String,
    },
    /// A value that is infinite or not a number.
    #[error("{what} is {value} at {spot}: only finite values can be drawn, so drop the point or fix its computation")]
    NotFinite {
        /// Position of the value.
        spot: Spot,
        /// Name of the value: `x`, `y`, `low` or `high`.
        what: &'static str,
        /// The value.
        value: f64,
    },
    /// A value that has no logarithm.
    #[error(
        "{what} is {value} at {spot}: a logarithmic axis needs values above 0, so drop the point or use a linear axis"
    )]
    NotPositive {
        /// Position of the value.
        spot: Spot,
        /// Name of the value: `x`, `y`, `low` or `high`.
        what: &'static str,
        /// The value.
        value: f64,
    },
    /// A spread that does not contain its value.
    #[error(
        "the spread {low} to {high} at {spot} does not contain y = {y}: give the lower and the upper end as values \
         on the axis, not as distances from y"
    )]
    Spread {
        /// Position of the value.
        spot: Spot,
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
        /// The value that it must contain.
        y: f64,
    },
    /// A value that the given range would hide.
    #[error("{what} is {value} at {spot}, outside the axis from {low} to {high}: widen the range, or drop the point")]
    OutOfRange {
        /// Position of the value.
        spot: Spot,
        /// Name of the value: `x` or `y`.
        what: &'static str,
        /// The value.
        value: f64,
        /// Start of the axis.
        low: f64,
        /// End of the axis.
        high: f64,
    },
    /// A line whose x is not in ascending order.
    #[error(
        "x falls from {before} to {value} at {spot}: sort the points of a line by x, or draw points without a line"
    )]
    Unsorted {
        /// Position of the value.
        spot: Spot,
        /// The point's x.
        value: f64,
        /// The x of the previous point.
        before: f64,
    },
    /// A range that is empty, or that cannot be drawn on its scale.
    #[error(
        "the {axis} axis of panel `{panel}` goes from {low:?} to {high:?}: both ends must be finite, the first must be \
         below the second, a logarithmic axis must begin above 0, and the ends must be neither too close nor too far \
         apart for ticks; use another range, or another unit for the data"
    )]
    Range {
        /// Title of the panel.
        panel: String,
        /// `x` or `y`.
        axis: &'static str,
        /// Start of the axis.
        low: f64,
        /// End of the axis.
        high: f64,
    },
    /// A tick that is not on its axis.
    #[error(
        "the {axis} axis of panel `{panel}` has a tick at {value}, which is not on the axis: ticks must be finite, \
         within the range if one is given, and above 0 on a logarithmic axis"
    )]
    Tick {
        /// Title of the panel.
        panel: String,
        /// `x` or `y`.
        axis: &'static str,
        /// The tick.
        value: f64,
    },
    /// The figure could not be laid out or drawn.
    #[error("the figure could not be drawn: {reason}")]
    Drawing {
        /// Message of plotters.
        reason: String,
    },
    /// The drawing could not be converted to an image.
    #[error("the drawing could not be rasterized at {width} x {height} pixels: {reason}")]
    Raster {
        /// Width of the image in pixels.
        width: u32,
        /// Height of the image in pixels.
        height: u32,
        /// Message of resvg.
        reason: String,
    },
    /// The table could not be written.
    #[error("the table of the figure could not be written: {reason}")]
    Table {
        /// Message of csv.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error("{} could not be written: check that the folder exists and is writable, and that the disk has space", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
}
