//! What is drawn for the points of a panel.

use plotters::style::Color;

use super::axis::Map;
use super::canvas::{Canvas, Place};
use super::error::FigureError;
use super::layout::Chart;
use super::style::{BAND, LINE, Look, MARKER, OUTLINE, REFERENCE_DASH, look};
use super::{Kind, Panel, Series};

/// Width of the line of [`Kind::Bars`], in hundredths of a millimetre.
const THIN: u32 = 22;
/// Half the width of the cap of an error bar, in hundredths of a millimetre.
const CAP: f64 = 45.0;
/// Distance in x at which the markers of a line do not touch, in hundredths of a millimetre.
const CLEAR: f64 = 2.6 * MARKER;
/// Distance in x of the markers of a curve of many points.
const SPARSE: f64 = 10.0 * MARKER;
/// Distance between series that are drawn beside each other, in hundredths of a millimetre, where there is room.
const BESIDE: f64 = 1.6 * MARKER;

/// Draws all series of a panel: bands below everything, then references, then lines and markers.
pub(super) fn draw(canvas: &Canvas<'_>, chart: &Chart<'_>) -> Result<(), FigureError> {
    let series = &chart.panel.series;
    for one in series.iter().filter(|one| matches!(one.kind, Kind::Line | Kind::Dashed)) {
        bands(canvas, chart, one)?;
    }
    for one in series.iter().filter(|one| one.kind == Kind::Dashed) {
        let places: Vec<Place> = one.points.iter().map(|point| chart.at(point)).collect();
        canvas.dashed(&places, REFERENCE_DASH, look(one.style).colour, LINE * 3 / 4)?;
    }
    for one in series.iter().filter(|one| one.kind == Kind::Line) {
        let look = look(one.style);
        let places: Vec<Place> = one.points.iter().map(|point| chart.at(point)).collect();
        canvas.dashed(&places, look.dash, look.colour, LINE)?;
        let stride = stride(&places);
        // A curve of many points has markers at other places than its neighbours, which it may run along.
        let first = (stride * (one.style % 4) / 4).min(places.len() - 1);
        places.iter().skip(first).step_by(stride).try_for_each(|&place| canvas.marker(place, &look))?;
    }
    let beside: Vec<&Series> = beside(chart.panel).collect();
    let middle = beside.len().saturating_sub(1) as f64 / 2.0;
    let shifted = |number: usize| (number as f64 - middle) * chart.beside;
    for pass in [false, true] {
        for (number, one) in beside.iter().enumerate() {
            let look = look(one.style);
            let places: Vec<Place> =
                one.points.iter().map(|point| chart.at(point)).map(|(x, y)| (x + shifted(number), y)).collect();
            if pass {
                // Markers last, so that no bar of another series crosses them.
                places.iter().try_for_each(|&place| canvas.marker(place, &look))?;
                continue;
            }
            if one.kind == Kind::Bars {
                canvas.dashed(&places, look.dash, look.colour, THIN)?;
            }
            for (point, &(x, _)) in one.points.iter().zip(&places) {
                if let Some(spread) = point.spread {
                    bar(canvas, chart, x, spread, &look)?;
                }
            }
        }
    }
    Ok(())
}

/// Every how many points of a line have a marker: all where these do not touch, every second one where that is enough,
/// and just enough to know the line by where it is a curve of many points.
fn stride(places: &[Place]) -> usize {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return 1 };
    let step = (last.0 - first.0) / places.len().saturating_sub(1).max(1) as f64;
    if step == 0.0 || step >= CLEAR {
        1
    } else if 2.0 * step >= CLEAR {
        2
    } else {
        (SPARSE / step).ceil() as usize
    }
}

/// The bands of a line: one for each run of points with spreads, since a gap in the data is no narrow spread.
fn bands(canvas: &Canvas<'_>, chart: &Chart<'_>, series: &Series) -> Result<(), FigureError> {
    let look = look(series.style);
    for run in series.points.split(|point| point.spread.is_none()) {
        let spreads = run.iter().filter_map(|point| point.spread.map(|spread| (chart.x.at(point.x), spread)));
        match run {
            [] => {}
            [point] => {
                if let Some(spread) = point.spread {
                    bar(canvas, chart, chart.x.at(point.x), spread, &look)?;
                }
            }
            _ => {
                let mut corners: Vec<Place> = spreads.clone().map(|(x, (_, high))| (x, chart.y.at(high))).collect();
                corners.extend(spreads.rev().map(|(x, (low, _))| (x, chart.y.at(low))));
                let inside = cut(&cut(&corners, chart.y.first(), 1.0), chart.y.last(), -1.0);
                canvas.area(&inside, look.colour.mix(BAND))?;
            }
        }
    }
    Ok(())
}

/// The part of an area whose y is beyond `edge`: above it in number where `side` is 1, below where it is -1.
fn cut(corners: &[Place], edge: f64, side: f64) -> Vec<Place> {
    let inside = |place: Place| (place.1 - edge) * side >= 0.0;
    let mut kept = Vec::new();
    for (number, &to) in corners.iter().enumerate() {
        let from = corners[(number + corners.len() - 1) % corners.len()];
        if inside(from) != inside(to) {
            kept.push((from.0 + (edge - from.1) / (to.1 - from.1) * (to.0 - from.0), edge));
        }
        if inside(to) {
            kept.push(to);
        }
    }
    kept
}

/// An error bar. Where the range of the axis cuts it off, it has no cap.
fn bar(canvas: &Canvas<'_>, chart: &Chart<'_>, x: f64, spread: (f64, f64), look: &Look) -> Result<(), FigureError> {
    let (first, last) = (chart.y.first(), chart.y.last());
    let ends = [spread.0, spread.1].map(|end| chart.y.at(end));
    let clipped = ends.map(|end| end.clamp(first, last));
    canvas.line(&clipped.map(|end| (x, end)), look.colour, OUTLINE)?;
    // Half a hundredth of a millimetre is what the canvas rounds away.
    for (end, _) in clipped.iter().zip(ends).filter(|(clipped, end)| (*clipped - end).abs() < 0.5) {
        canvas.line(&[(x - CAP, *end), (x + CAP, *end)], look.colour, OUTLINE)?;
    }
    Ok(())
}

/// The series that are drawn beside each other where they have values at the same x.
fn beside(panel: &Panel) -> impl Iterator<Item = &Series> {
    panel.series.iter().filter(|one| matches!(one.kind, Kind::Bars | Kind::Points))
}

/// How far from each other series with bars or points alone are drawn, so that none hides another at the same x, and
/// how far the outer ones are from their x. Both are 0 where no two have values at the same x.
pub(super) fn apart(panel: &Panel, x: &Map) -> (f64, f64) {
    let series = beside(panel).count();
    let mut places: Vec<f64> = beside(panel).flat_map(|one| &one.points).map(|point| x.at(point.x)).collect();
    let all = places.len();
    places.sort_by(f64::total_cmp);
    places.dedup_by(|later, earlier| *later - *earlier < 1.0);
    if series < 2 || places.len() == all {
        return (0.0, 0.0);
    }
    // Half the way to the next x stays free, so that it is plain to which x a point belongs.
    let room = places.windows(2).map(|pair| pair[1] - pair[0]).fold(x.last() - x.first(), f64::min);
    let step = BESIDE.min(0.5 * room / (series - 1) as f64);
    (step, step * (series - 1) as f64 / 2.0)
}

/// The look of a series on a line from `from` to `to`, for the legend.
pub(super) fn sample(
    canvas: &Canvas<'_>,
    series: &Series,
    spread: bool,
    from: Place,
    to: Place,
) -> Result<(), FigureError> {
    let look = look(series.style);
    let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
    let [band, bar] = [1.6 * MARKER, 2.3 * MARKER];
    match series.kind {
        Kind::Line | Kind::Dashed if spread => {
            canvas.rectangle((from.0, from.1 - band), (to.0, to.1 + band), look.colour.mix(BAND))?;
        }
        Kind::Bars | Kind::Points if spread => {
            canvas.line(&[(middle.0, middle.1 - bar), (middle.0, middle.1 + bar)], look.colour, OUTLINE)?;
        }
        _ => {}
    }
    match series.kind {
        Kind::Line => canvas.dashed(&[from, to], look.dash, look.colour, LINE)?,
        Kind::Bars => canvas.dashed(&[from, to], look.dash, look.colour, THIN)?,
        Kind::Dashed => canvas.dashed(&[from, to], REFERENCE_DASH, look.colour, LINE * 3 / 4)?,
        Kind::Points => {}
    }
    if series.kind == Kind::Dashed { Ok(()) } else { canvas.marker(middle, &look) }
}

#[cfg(test)]
mod tests {
    use super::super::axis::Map;
    use super::super::{Axis, Panel, Point, Scale, Series};
    use super::{BESIDE, apart, cut, stride};

    #[test]
    fn a_band_is_cut_at_the_edge() {
        let triangle = [(0.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
        assert_eq!(cut(&triangle, 2.0, -1.0), [(0.0, 2.0), (0.0, 0.0), (2.0, 2.0)]);
        assert_eq!(cut(&triangle, -1.0, 1.0), triangle);
        assert!(cut(&triangle, 5.0, 1.0).is_empty());
    }

    #[test]
    fn close_points_have_fewer_markers() {
        let line = |step: f64| -> Vec<(f64, f64)> { (0..100).map(|number| (f64::from(number) * step, 0.0)).collect() };
        assert_eq!(stride(&line(200.0)), 1);
        assert_eq!(stride(&line(100.0)), 2);
        assert_eq!(stride(&line(31.0)), 20);
        assert_eq!(stride(&line(0.0)), 1);
        assert_eq!(stride(&line(1.0)[..1]), 1);
    }

    #[test]
    fn series_at_the_same_x_are_set_apart() {
        let points = |xs: [f64; 2]| xs.map(|x| Point::new(x, 0.0)).to_vec();
        let panel = |second: Series| {
            let panel = Panel::new("", Axis::linear(""), Axis::linear(""));
            panel.with(Series::points("a", 0, points([0.0, 1.0]))).with(second)
        };
        let x = Map::new(Scale::Linear, (0.0, 1.0), 0.0, 1000.0);
        assert_eq!(apart(&panel(Series::bars("b", 1, points([1.0, 2.0]))), &x), (BESIDE, BESIDE / 2.0));
        assert_eq!(apart(&panel(Series::bars("b", 1, points([0.2, 0.3]))), &x), (0.0, 0.0));
        assert_eq!(apart(&panel(Series::line("b", 1, points([0.0, 1.0]))), &x), (0.0, 0.0));
        // Two values 2 hundredths of a millimetre apart leave next to no room.
        assert!(apart(&panel(Series::bars("b", 1, points([1.0, 1.002]))), &x).0 < 1.0);
    }
}
