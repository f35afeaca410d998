//! The errors of a figure. Each says what to do about it.

use std::fmt;
use std::path::PathBuf;

/// The place of a value in a figure, for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Title of the panel.
    pub panel: String,
    /// Name of the series.
    pub series: String,
    /// Number of the point within the series, from 0.
    pub index: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "point {} of series `{}` in panel `{}`", self.index, self.series, self.panel)
    }
}

/// An error of a figure. Each variant carries the place and what was found. Its message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// A figure with nothing in it.
    #[error("the figure `{title}` has no panels: add at least one")]
    NoPanels {
        /// Title of the figure.
        title: String,
    },
    /// A grid of no columns.
    #[error("the figure `{title}` has 0 columns: its {panels} panels need from 1 to {panels}")]
    NoColumns {
        /// Title of the figure.
        title: String,
        /// Number of panels.
        panels: usize,
    },
    /// Two panels with one title. The CSV could not tell them apart.
    #[error("two panels are titled `{panel}`: the table names panels by their titles, so give each its own")]
    RepeatedPanel {
        /// The title.
        panel: String,
    },
    /// A panel without points.
    #[error("panel `{panel}` has no points: leave it out, or find out where its data were lost")]
    EmptyPanel {
        /// Title of the panel.
        panel: String,
    },
    /// A series without points. The legend would name it for nothing.
    #[error("series `{series}` in panel `{panel}` has no points: leave it out, or find out where its data were lost")]
    EmptySeries {
        /// Title of the panel.
        panel: String,
        /// Name of the series.
        series: String,
    },
    /// Two series of one name in one panel.
    #[error("panel `{panel}` has two series named `{series}`: join them, or give each its own name")]
    RepeatedSeries {
        /// Title of the panel.
        panel: String,
        /// The name.
        series: String,
    },
    /// A style that the palette does not have.
    #[error("series `{series}` asks for style {style}: there are {styles}, from 0 to {}", styles - 1)]
    NoStyle {
        /// Name of the series.
        series: String,
        /// The style that the series asks for.
        style: usize,
        /// Number of styles.
        styles: usize,
    },
    /// One name with two looks. The shared legend could show only one of them.
    #[error("series `{series}` is {first} in one panel and {second} in another: give it one look, or two names")]
    TwoLooks {
        /// Name of the series.
        series: String,
        /// Kind and style in the first panel that has the name.
        first: String,
        /// Kind and style in a panel where they differ.
        second: String,
    },
    /// Two names with one look. A reader could not tell them apart.
    #[error("series `{first}` and `{second}` are both {look}: give each its own style")]
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
        /// Place of the value.
        spot: Spot,
        /// Name of the value: `x`, `y`, `low` or `high`.
        what: &'static str,
        /// The value.
        value: f64,
    },
    /// A value that has no logarithm.
    #[error("{what} is {value} at {spot}: a logarithmic axis needs values above 0, so drop it or use a linear axis")]
    NotPositive {
        /// Place of the value.
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
        /// Place of the value.
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
        /// Place of the value.
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
    /// A line whose x falls.
    #[error("x falls from {before} to {value} at {spot}: sort the points of a line by x, or draw them as points alone")]
    Unsorted {
        /// Place of the value.
        spot: Spot,
        /// The point's x.
        value: f64,
        /// The x of the previous point.
        before: f64,
    },
    /// A range that is empty, or that its scale cannot show.
    #[error(
        "the {axis} axis of panel `{panel}` goes from {low:?} to {high:?}: both ends must be finite, the first must be \
         below the second, a logarithmic axis must begin above 0, and the ends must be neither too close nor too far \
         apart for ticks; give another range, or give the data in another unit"
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
        "the {axis} axis of panel `{panel}` has a tick at {value}, which is not on it: ticks must be finite, within \
         the range where one is given, and above 0 on a logarithmic axis"
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
    /// The drawing could not be turned into a picture of pixels.
    #[error("the drawing could not be rasterized at {width} x {height} pixels: {reason}")]
    Raster {
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
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
    #[error("{} could not be written: check that the folder exists, has room and lets you write", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
}
