//! Series that are drawn side by side, so that no series hides another at the same x.

use crate::axis::Map;
use crate::style::MARKER;
use crate::{Kind, Panel, Series};

/// Distance between series that are drawn side by side, in hundredths of a millimeter, if there is enough room.
const BESIDE: f64 = 1.6 * MARKER;

/// The series that are drawn side by side if they have values at the same x.
pub(crate) fn beside(panel: &Panel) -> impl Iterator<Item = &Series> {
    panel.series.iter().filter(|one| matches!(one.kind, Kind::Bars | Kind::Points))
}

/// Distance between the series of [`beside`], and distance of the outer series from their x. Both are 0 if no two series
/// have values at the same x.
pub(crate) fn offsets(panel: &Panel, x: &Map) -> (f64, f64) {
    let series = beside(panel).count();
    let mut places: Vec<f64> = beside(panel).flat_map(|one| &one.points).map(|point| x.at(point.x)).collect();
    let all = places.len();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|later, earlier| *later - *earlier < 1.0);
    if series < 2 || places.len() == all {
        return (0.0, 0.0);
    }
    // Half of the distance to the next x is left free, so that a reader sees to which x a point belongs.
    let room = places.windows(2).map(|pair| pair[1] - pair[0]).fold(x.last() - x.first(), f64::min);
    let step = BESIDE.min(0.5 * room / (series - 1) as f64);
    (step, step * (series - 1) as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::{BESIDE, offsets};
    use crate::axis::Map;
    use crate::{Axis, Panel, Point, Scale, Series};

    #[test]
    fn series_at_the_same_x_are_offset() {
        let points = |xs: [f64; 2]| xs.map(|x| Point::new(x, 0.0)).to_vec();
        let panel = |second: Series| {
            let panel = Panel::new("", Axis::linear(""), Axis::linear(""));
            panel.with(Series::points("a", 0, points([0.0, 1.0]))).with(second)
        };
        let x = Map::new(Scale::Linear, (0.0, 1.0), 0.0, 1000.0);
        assert_eq!(offsets(&panel(Series::bars("b", 1, points([1.0, 2.0]))), &x), (BESIDE, BESIDE / 2.0));
        assert_eq!(offsets(&panel(Series::bars("b", 1, points([0.2, 0.3]))), &x), (0.0, 0.0));
        assert_eq!(offsets(&panel(Series::line("b", 1, points([0.0, 1.0]))), &x), (0.0, 0.0));
        // Two values that are 2 hundredths of a millimeter apart leave almost no room.
        assert!(offsets(&panel(Series::bars("b", 1, points([1.0, 1.002]))), &x).0 < 1.0);
    }
}
