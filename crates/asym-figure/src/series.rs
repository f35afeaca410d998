//! The drawing of a panel's series: bands, lines, bars and markers.

use plotters::style::Color;

use crate::beside::beside;
use crate::canvas::{Canvas, Place};
use crate::error::FigureError;
use crate::layout::Chart;
use crate::style::{BAND, LINE, Look, MARKER, OUTLINE, REFERENCE_DASH, look};
use crate::{Kind, Series};

/// Width of the line of [`Kind::Bars`], in hundredths of a millimeter.
const THIN: u32 = 22;
/// Half the width of the cap of an error bar, in hundredths of a millimeter.
const CAP: f64 = 45.0;
/// Smallest distance in x at which the markers of a line do not touch, in hundredths of a millimeter.
const CLEAR: f64 = 2.6 * MARKER;
/// Distance in x between the markers of a curve of many points, in hundredths of a millimeter.
const SPARSE: f64 = 10.0 * MARKER;

/// Draws all series of a panel. Bands are at the bottom, then references, then lines and markers.
pub(crate) fn draw(canvas: &Canvas<'_>, chart: &Chart<'_>) -> Result<(), FigureError> {
    let series = &chart.panel.series;
    for one in series.iter().filter(|one| matches!(one.kind, Kind::Line | Kind::Dashed)) {
        bands(canvas, chart, one)?;
    }
    for one in series.iter().filter(|one| one.kind == Kind::Dashed) {
        let places: Vec<Place> = one.points.iter().map(|point| chart.at(point)).collect();
        canvas.dashed(&places, REFERENCE_DASH, look(one.style).color, LINE * 3 / 4)?;
    }
    for one in series.iter().filter(|one| one.kind == Kind::Line) {
        let look = look(one.style);
        let places: Vec<Place> = one.points.iter().map(|point| chart.at(point)).collect();
        canvas.dashed(&places, look.dash, look.color, LINE)?;
        let stride = stride(&places);
        // Curves of many points may be close to each other, so each style has its markers at different points.
        let first = (stride * (one.style % 4) / 4).min(places.len() - 1);
        places.iter().skip(first).step_by(stride).try_for_each(|&place| canvas.marker(place, &look))?;
    }
    for one in series.iter().filter(|one| one.kind == Kind::Across) {
        let look = look(one.style);
        for point in &one.points {
            let place = chart.at(point);
            if let Some(spread) = point.spread {
                bar_across(canvas, chart, place.1, spread, &look)?;
            }
            canvas.marker(place, &look)?;
        }
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
                // Markers come last, so no bar of another series crosses them.
                places.iter().try_for_each(|&place| canvas.marker(place, &look))?;
                continue;
            }
            if one.kind == Kind::Bars {
                canvas.dashed(&places, look.dash, look.color, THIN)?;
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

/// Stride from one marker of a line to the next. It is 1 or 2 if markers do not touch at that stride. A curve of many
/// points has only as many markers as a reader needs to recognize the line.
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

/// Draws a band for each run of points with spreads. A band across a gap in the data would look like a narrow spread.
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
                canvas.area(&inside, look.color.mix(BAND))?;
            }
        }
    }
    Ok(())
}

/// Cuts an area at `edge`. It keeps larger values of y if `side` is 1, and smaller ones if `side` is -1.
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

/// Draws an error bar. An end that is clipped by the range of the axis has no cap.
fn bar(canvas: &Canvas<'_>, chart: &Chart<'_>, x: f64, spread: (f64, f64), look: &Look) -> Result<(), FigureError> {
    let (first, last) = (chart.y.first(), chart.y.last());
    let ends = [spread.0, spread.1].map(|end| chart.y.at(end));
    let clipped = ends.map(|end| end.clamp(first, last));
    canvas.line(&clipped.map(|end| (x, end)), look.color, OUTLINE)?;
    // The canvas rounds to hundredths of a millimeter, so smaller differences are not visible.
    for (end, _) in clipped.iter().zip(ends).filter(|(clipped, end)| (*clipped - end).abs() < 0.5) {
        canvas.line(&[(x - CAP, *end), (x + CAP, *end)], look.color, OUTLINE)?;
    }
    Ok(())
}

/// Draws a horizontal error bar. [`bar`] draws a vertical one.
fn bar_across(
    canvas: &Canvas<'_>,
    chart: &Chart<'_>,
    y: f64,
    spread: (f64, f64),
    look: &Look,
) -> Result<(), FigureError> {
    let ends = [spread.0, spread.1].map(|end| chart.x.at(end));
    let clipped = ends.map(|end| end.clamp(chart.x.first(), chart.x.last()));
    canvas.line(&clipped.map(|end| (end, y)), look.color, OUTLINE)?;
    for (end, _) in clipped.iter().zip(ends).filter(|(clipped, end)| (*clipped - end).abs() < 0.5) {
        canvas.line(&[(*end, y - CAP), (*end, y + CAP)], look.color, OUTLINE)?;
    }
    Ok(())
}

/// Draws a sample of a series from `from` to `to`, for the legend.
pub(crate) fn sample(
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
            canvas.rectangle((from.0, from.1 - band), (to.0, to.1 + band), look.color.mix(BAND))?;
        }
        Kind::Bars | Kind::Points if spread => {
            canvas.line(&[(middle.0, middle.1 - bar), (middle.0, middle.1 + bar)], look.color, OUTLINE)?;
        }
        Kind::Across if spread => {
            canvas.line(&[(middle.0 - bar, middle.1), (middle.0 + bar, middle.1)], look.color, OUTLINE)?;
        }
        _ => {}
    }
    match series.kind {
        Kind::Line => canvas.dashed(&[from, to], look.dash, look.color, LINE)?,
        Kind::Bars => canvas.dashed(&[from, to], look.dash, look.color, THIN)?,
        Kind::Dashed => canvas.dashed(&[from, to], REFERENCE_DASH, look.color, LINE * 3 / 4)?,
        Kind::Points | Kind::Across => {}
    }
    if series.kind == Kind::Dashed { Ok(()) } else { canvas.marker(middle, &look) }
}

#[cfg(test)]
mod tests {
    use super::{cut, stride};

    #[test]
    fn bands_are_clipped_at_the_edge() {
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
}
