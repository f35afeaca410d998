//! The looks of series. Color-blind readers can distinguish the colors. The looks also differ in marker and dash, for print
//! without colors.

use plotters::style::RGBColor;

/// Number of styles. The [`style`](crate::Series::style) of a series must be smaller.
pub const STYLES: usize = 8;

/// Color of text and axes. It is not quite black, because black is used for data.
pub(crate) const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
/// Color of the note under the panels.
pub(crate) const FAINT_INK: RGBColor = RGBColor(0x4d, 0x4d, 0x4d);
/// Color of the grid. It is just dark enough for print.
pub(crate) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// Opacity of a band. Lines still show through three bands.
pub(crate) const BAND: f64 = 0.16;

/// Width of the line of a series, in hundredths of a millimeter (1 pt is 35).
pub(crate) const LINE: u32 = 36;
/// Width of the outline of a marker and of an error bar, in hundredths of a millimeter.
pub(crate) const OUTLINE: u32 = 28;
/// Radius of a marker, in hundredths of a millimeter.
pub(crate) const MARKER: f64 = 62.0;
/// Lengths of the dashes and gaps of a reference line in turn, in hundredths of a millimeter.
pub(crate) const REFERENCE_DASH: &[f64] = &[110.0, 75.0];

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// A circle.
    Circle,
    /// The corners of a polygon, in hundredths of the marker's radius.
    Polygon(&'static [(i16, i16)]),
    /// Strokes from one point to another, in hundredths of the marker's radius.
    Strokes(&'static [[(i16, i16); 2]]),
}

/// Look of a series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Color of line, marker, band and bars.
    pub color: RGBColor,
    /// Shape of the markers.
    pub marker: Marker,
    /// True if the marker is white inside. Most neighboring styles differ in this property, because it is easy to see in small
    /// print.
    pub hollow: bool,
    /// Lengths of dashes and gaps in turn, in hundredths of a millimeter. An empty list means a line without gaps.
    pub dash: &'static [f64],
}

/// Corners in hundredths of the radius. The areas are about equal, so no series looks heavier than another.
const SQUARE: Marker = Marker::Polygon(&[(-88, -88), (88, -88), (88, 88), (-88, 88)]);
const UP: Marker = Marker::Polygon(&[(0, -125), (118, 85), (-118, 85)]);
const DOWN: Marker = Marker::Polygon(&[(0, 125), (118, -85), (-118, -85)]);
const DIAMOND: Marker = Marker::Polygon(&[(0, -130), (115, 0), (0, 130), (-115, 0)]);
const CROSS: Marker = Marker::Strokes(&[[(-90, -90), (90, 90)], [(-90, 90), (90, -90)]]);
const PLUS: Marker = Marker::Strokes(&[[(-118, 0), (118, 0)], [(0, -118), (0, 118)]]);

/// The palette of Okabe and Ito, with a gray in place of their yellow, which is hard to see on white paper. The colors
/// that are strong on white come first.
const LOOKS: [Look; STYLES] = [
    Look { color: RGBColor(0x00, 0x72, 0xb2), marker: Marker::Circle, hollow: false, dash: &[] },
    Look { color: RGBColor(0xd5, 0x5e, 0x00), marker: SQUARE, hollow: true, dash: &[220.0, 60.0] },
    Look { color: RGBColor(0x00, 0x9e, 0x73), marker: UP, hollow: false, dash: &[220.0, 60.0, 50.0, 60.0] },
    Look { color: RGBColor(0xcc, 0x79, 0xa7), marker: DIAMOND, hollow: true, dash: &[110.0, 50.0] },
    Look { color: RGBColor(0xe6, 0x9f, 0x00), marker: DOWN, hollow: false, dash: &[50.0, 45.0] },
    Look { color: RGBColor(0x56, 0xb4, 0xe9), marker: CROSS, hollow: false, dash: &[330.0, 70.0] },
    Look {
        color: RGBColor(0x00, 0x00, 0x00),
        marker: PLUS,
        hollow: false,
        dash: &[110.0, 45.0, 40.0, 45.0, 40.0, 45.0],
    },
    Look { color: RGBColor(0x80, 0x80, 0x80), marker: Marker::Circle, hollow: true, dash: &[220.0, 110.0] },
];

/// Look of a style. The check of the figure ensures that the style is below [`STYLES`].
pub(crate) fn look(style: usize) -> Look {
    LOOKS[style % STYLES]
}
