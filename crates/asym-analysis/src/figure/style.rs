//! What a series looks like: colours that colour-blind readers can tell apart, and for print without colours a marker
//! and a dash of its own for each.

use plotters::style::RGBColor;

/// How many styles there are. A series' [`style`](super::Series::style) is below it.
pub const STYLES: usize = 8;

/// Words and axes. Not quite black, which is left to the data.
pub(super) const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
/// The note under the panels.
pub(super) const FAINT_INK: RGBColor = RGBColor(0x4d, 0x4d, 0x4d);
/// The grid: just dark enough to be printed.
pub(super) const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// Opacity of a band. Three on top of each other still show what lies below.
pub(super) const BAND: f64 = 0.16;

/// Width of the line of a series, in hundredths of a millimetre (1 pt is 35).
pub(super) const LINE: u32 = 36;
/// Width of the outline of a marker and of an error bar, in hundredths of a millimetre.
pub(super) const OUTLINE: u32 = 28;
/// Radius of a marker, in hundredths of a millimetre.
pub(super) const MARKER: f64 = 62.0;
/// Dashes of a reference line in hundredths of a millimetre: drawn and left out, in turn.
pub(super) const REFERENCE_DASH: &[f64] = &[110.0, 75.0];

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// A circle.
    Circle,
    /// The corners of a polygon, in hundredths of the marker's radius.
    Polygon(&'static [(i16, i16)]),
    /// Strokes from one point to another, in hundredths of the marker's radius.
    Strokes(&'static [[(i16, i16); 2]]),
}

/// Look of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Colour of line, marker, band and bars.
    pub colour: RGBColor,
    /// Shape of the markers.
    pub marker: Marker,
    /// Whether the marker is white inside. Neighbours in the palette differ in this, which small print keeps best.
    pub hollow: bool,
    /// Dashes in hundredths of a millimetre, drawn and left out in turn; empty for a line without gaps.
    pub dash: &'static [f64],
}

/// Corners in hundredths of the radius. The areas are about equal, so that no series looks heavier than another.
const SQUARE: Marker = Marker::Polygon(&[(-88, -88), (88, -88), (88, 88), (-88, 88)]);
const UP: Marker = Marker::Polygon(&[(0, -125), (118, 85), (-118, 85)]);
const DOWN: Marker = Marker::Polygon(&[(0, 125), (118, -85), (-118, -85)]);
const DIAMOND: Marker = Marker::Polygon(&[(0, -130), (115, 0), (0, 130), (-115, 0)]);
const CROSS: Marker = Marker::Strokes(&[[(-90, -90), (90, 90)], [(-90, 90), (90, -90)]]);
const PLUS: Marker = Marker::Strokes(&[[(-118, 0), (118, 0)], [(0, -118), (0, 118)]]);

/// Okabe and Ito's palette, the colours that are strong on white first. Their yellow, which white paper swallows, is
/// left out for a gray.
const LOOKS: [Look; STYLES] = [
    Look { colour: RGBColor(0x00, 0x72, 0xb2), marker: Marker::Circle, hollow: false, dash: &[] },
    Look { colour: RGBColor(0xd5, 0x5e, 0x00), marker: SQUARE, hollow: true, dash: &[220.0, 60.0] },
    Look { colour: RGBColor(0x00, 0x9e, 0x73), marker: UP, hollow: false, dash: &[220.0, 60.0, 50.0, 60.0] },
    Look { colour: RGBColor(0xcc, 0x79, 0xa7), marker: DIAMOND, hollow: true, dash: &[110.0, 50.0] },
    Look { colour: RGBColor(0xe6, 0x9f, 0x00), marker: DOWN, hollow: false, dash: &[50.0, 45.0] },
    Look { colour: RGBColor(0x56, 0xb4, 0xe9), marker: CROSS, hollow: false, dash: &[330.0, 70.0] },
    Look {
        colour: RGBColor(0x00, 0x00, 0x00),
        marker: PLUS,
        hollow: false,
        dash: &[110.0, 45.0, 40.0, 45.0, 40.0, 45.0],
    },
    Look { colour: RGBColor(0x80, 0x80, 0x80), marker: Marker::Circle, hollow: true, dash: &[220.0, 110.0] },
];

/// Look of a style, which has been checked to be below [`STYLES`].
pub(super) fn look(style: usize) -> Look {
    LOOKS[style % STYLES]
}
