//! The check of a figure before it is drawn.

use crate::axis;
use crate::error::{FigureError, Spot};
use crate::style::STYLES;
use crate::{Axis, Figure, Kind, Panel, Point, Scale, Series};

/// Distance that a value may be outside a given range, as a share of the range. For example, a cosine of 1.0000001 is due to
/// rounding, and is not an error.
const ROUNDING: f64 = 1e-3;

/// Refuses a figure that cannot be drawn as intended.
pub(crate) fn check(figure: &Figure) -> Result<(), FigureError> {
    if figure.panels.is_empty() {
        return Err(FigureError::NoPanels { title: figure.title.clone() });
    }
    if figure.columns == 0 {
        return Err(FigureError::NoColumns { title: figure.title.clone(), panels: figure.panels.len() });
    }
    for (number, panel) in figure.panels.iter().enumerate() {
        if figure.panels[..number].iter().any(|other| other.title == panel.title) {
            return Err(FigureError::RepeatedPanel { panel: panel.title.clone() });
        }
        check_panel(panel)?;
    }
    check_looks(figure)
}

fn check_panel(panel: &Panel) -> Result<(), FigureError> {
    if panel.series.is_empty() {
        return Err(FigureError::EmptyPanel { panel: panel.title.clone() });
    }
    check_axis(panel, "x", &panel.x)?;
    check_axis(panel, "y", &panel.y)?;
    for (number, series) in panel.series.iter().enumerate() {
        let names = || (panel.title.clone(), series.name.clone());
        if panel.series[..number].iter().any(|other| other.name == series.name) {
            let (panel, series) = names();
            return Err(FigureError::RepeatedSeries { panel, series });
        }
        if series.points.is_empty() {
            let (panel, series) = names();
            return Err(FigureError::EmptySeries { panel, series });
        }
        let mut before = None;
        for (index, point) in series.points.iter().enumerate() {
            let spot = || Spot { panel: panel.title.clone(), series: series.name.clone(), index };
            check_point(panel, series.kind, point, spot)?;
            match before {
                Some(before) if !matches!(series.kind, Kind::Points | Kind::Across) && point.x < before => {
                    return Err(FigureError::Unsorted { spot: spot(), value: point.x, before });
                }
                _ => before = Some(point.x),
            }
        }
    }
    let [x, y] = axis::ranges(panel);
    for (name, axis, (low, high)) in [("x", &panel.x, x), ("y", &panel.y, y)] {
        if !countable(axis.scale, low, high) {
            return Err(FigureError::Range { panel: panel.title.clone(), axis: name, low, high });
        }
    }
    Ok(())
}

/// Returns whether the ticks of a range can be counted. They cannot if their distance is too large for an f64, or too small for
/// an f64 of full precision.
fn countable(scale: Scale, low: f64, high: f64) -> bool {
    match scale {
        Scale::Linear => (1e-290..=1e305).contains(&(high - low)),
        Scale::Log2 | Scale::Log10 => 1e-300 <= low && high <= 1e300,
    }
}

fn check_axis(panel: &Panel, name: &'static str, axis: &Axis) -> Result<(), FigureError> {
    let lies = |value: f64| value.is_finite() && (axis.scale == Scale::Linear || value > 0.0);
    if let Some((low, high)) = axis.range
        && !(lies(low) && lies(high) && low < high)
    {
        return Err(FigureError::Range { panel: panel.title.clone(), axis: name, low, high });
    }
    for &(value, _) in &axis.ticks {
        if !lies(value) || axis.range.is_some_and(|range| !within(axis.scale, range, value)) {
            return Err(FigureError::Tick { panel: panel.title.clone(), axis: name, value });
        }
    }
    Ok(())
}

fn check_point(panel: &Panel, kind: Kind, point: &Point, spot: impl Fn() -> Spot) -> Result<(), FigureError> {
    let ends = point.spread.map_or([None; 2], |(low, high)| [Some(("low", low)), Some(("high", high))]);
    let (around, axis) = if kind == Kind::Across { (point.x, &panel.x) } else { (point.y, &panel.y) };
    let values = [(&panel.x, Some(("x", point.x))), (&panel.y, Some(("y", point.y)))];
    for (axis, named) in values.into_iter().chain(ends.map(|end| (axis, end))) {
        let Some((what, value)) = named else { continue };
        if !value.is_finite() {
            return Err(FigureError::NotFinite { spot: spot(), what, value });
        }
        if axis.scale != Scale::Linear && value <= 0.0 {
            return Err(FigureError::NotPositive { spot: spot(), what, value });
        }
        // The ends of a spread may be outside the range. For example, probabilities may have a mean of 0.98 and a standard
        // deviation of 0.05.
        if let Some((low, high)) = axis.range
            && (what == "x" || what == "y")
            && !within(axis.scale, (low, high), value)
        {
            return Err(FigureError::OutOfRange { spot: spot(), what, value, low, high });
        }
    }
    match point.spread {
        Some((low, high)) if !(low <= around && around <= high) => {
            Err(FigureError::Spread { spot: spot(), low, high, y: around })
        }
        _ => Ok(()),
    }
}

/// Returns whether a value is in a range, except for rounding.
fn within(scale: Scale, (low, high): (f64, f64), value: f64) -> bool {
    let (low, high, value) = (scale.of(low), scale.of(high), scale.of(value));
    let slack = ROUNDING * (high - low);
    low - slack <= value && value <= high + slack
}

/// Checks that series with the same name have the same kind and style in all panels, and that series with different names do not.
/// The panels share a legend.
fn check_looks(figure: &Figure) -> Result<(), FigureError> {
    let mut seen: Vec<&Series> = Vec::new();
    for series in figure.panels.iter().flat_map(|panel| &panel.series) {
        if series.style >= STYLES {
            let (series, style) = (series.name.clone(), series.style);
            return Err(FigureError::NoStyle { series, style, styles: STYLES });
        }
        let same = |other: &&&Series| (other.kind, other.style) == (series.kind, series.style);
        match seen.iter().find(|other| other.name == series.name) {
            Some(first) if !same(&first) => {
                let (first, second) = (look(first), look(series));
                return Err(FigureError::TwoLooks { series: series.name.clone(), first, second });
            }
            Some(_) => {}
            None => {
                if let Some(first) = seen.iter().find(same) {
                    let (first, second) = (first.name.clone(), series.name.clone());
                    return Err(FigureError::SharedLook { first, second, look: look(series) });
                }
                seen.push(series);
            }
        }
    }
    Ok(())
}

/// Kind and style of a series in words.
fn look(series: &Series) -> String {
    let kind = match series.kind {
        Kind::Line => "a line",
        Kind::Bars => "a line with bars",
        Kind::Points => "points",
        Kind::Across => "points with bars across",
        Kind::Dashed => "a dashed line",
    };
    format!("{kind} of style {}", series.style)
}
