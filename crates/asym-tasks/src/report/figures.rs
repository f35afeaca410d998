//! The figures of a report.

use std::path::Path;

use asym_figure::{Axis, Figure, Panel, Point, STYLES, Series};
use asym_train::RunFolder;

use super::gather::{Gather, Group};
use super::rows::{Report, Row, peak_mib};
use crate::error::TaskError;
use crate::metrics::Summary;
use crate::task::Score;

/// The maximum number of points of a curve. Each point is a mean over neighboring steps.
const POINTS: usize = 40;

/// A figure with the name of its files, and a caption that also describes the figure to screen readers.
pub(super) struct Drawn {
    pub name: String,
    pub caption: String,
    pub figure: Figure,
}

/// The figures of a group. If there are more rows than line styles, the rows are divided among several figures.
pub(super) fn figures(root: &Path, group: &Group, report: &Report) -> Result<Vec<Drawn>, TaskError> {
    let Some(headline) = group.task.scores().into_iter().next() else { return Ok(Vec::new()) };
    let mut drawn = Vec::new();
    drawn.extend(forest(report, &headline));
    let rows: Vec<(&Row, &Gather)> =
        report.rows.iter().zip(&group.rows).filter(|(row, _)| !row.runs.is_empty()).collect();
    let parts: Vec<&[(&Row, &Gather)]> = rows.chunks(STYLES).collect();
    let of_part = |number: usize| if parts.len() > 1 { format!("-{}", number + 1) } else { String::new() };
    for (number, part) in parts.iter().enumerate() {
        let end = of_part(number);
        let named: Vec<(String, usize, &Row)> =
            part.iter().enumerate().map(|(style, (row, _))| (report.method(row), style, *row)).collect();
        drawn.extend(against(&named, &headline, ("parameters", "trained parameters", true), &end, |row| {
            row.runs.first().map(|run| run.trainable as f64).filter(|count| *count > 0.0)
        }));
        drawn.extend(against(&named, &headline, ("memory", "peak memory in MiB", false), &end, |row| {
            row.summary(peak_mib).map(|summary| summary.mean)
        }));
        drawn.extend(epochs(&named, &headline, &end));
        drawn.extend(losses(root, part, &named, &end)?);
    }
    Ok(drawn)
}

/// The mean and the standard deviation at `x`.
fn point(x: f64, summary: Summary) -> Point {
    let point = Point::new(x, summary.mean);
    summary.std.map_or(point, |std| point.give_or_take(std))
}

/// The differences to the reference with their intervals, a line for each row.
fn forest(report: &Report, headline: &Score) -> Option<Drawn> {
    let found: Vec<_> = report.differences().collect();
    let reference = report.method(found.first()?.reference);
    let places: Vec<f64> = (0..found.len()).map(|number| (found.len() - number) as f64).collect();
    let ticks = found.iter().zip(&places).map(|(difference, place)| (*place, report.method(difference.row)));
    let points = found.iter().zip(&places).map(|(difference, place)| {
        let (summary, point) = (difference.summary, Point::new(difference.summary.mean, *place));
        summary.margin().map_or(point, |margin| point.between(summary.mean - margin, summary.mean + margin))
    });
    let top = found.len() as f64 + 0.5;
    let y = Axis::linear("").within(0.5, top).ticked(ticks);
    let label = format!("{} against {reference}", headline.heading());
    let panel = Panel::new("Difference, seed by seed", Axis::linear(label), y)
        .with(Series::dashed("no difference", 7, vec![Point::new(0.0, 0.5), Point::new(0.0, top)]))
        .with(Series::across("mean, 95 % interval", 0, points.collect()));
    Some(Drawn {
        name: "differences".into(),
        caption: format!(
            "Differences in {} to {reference}, seed by seed, with 95 % confidence intervals.",
            headline.heading()
        ),
        figure: Figure::new("").tall(12.0 + 9.0 * found.len() as f64).with(panel),
    })
}

/// The headline score of each row against another quantity.
fn against(
    rows: &[(String, usize, &Row)],
    headline: &Score,
    (name, label, is_log): (&str, &str, bool),
    end: &str,
    value: impl Fn(&Row) -> Option<f64>,
) -> Option<Drawn> {
    let x = if is_log { Axis::log10(label) } else { Axis::linear(label) };
    let mut panel = Panel::new(format!("Score and {label}"), x, Axis::linear(headline.heading()));
    for (method, style, row) in rows {
        if let (Some(x), Some(summary)) = (value(row), row.score(headline)) {
            panel = panel.with(Series::points(method.clone(), *style, vec![point(x, summary)]));
        }
    }
    (!panel.series.is_empty()).then(|| Drawn {
        name: format!("{name}{end}"),
        caption: format!(
            "The score, {}, against {label}: means, with one standard deviation over the seeds.",
            headline.heading()
        ),
        figure: Figure::new("").with(panel),
    })
}

/// The headline score after each epoch; `None` if there is only one epoch.
fn epochs(rows: &[(String, usize, &Row)], headline: &Score, end: &str) -> Option<Drawn> {
    let mut panel = Panel::new("Score after each epoch", Axis::linear("epoch"), Axis::linear(headline.heading()));
    for (method, style, row) in rows {
        let last = row.runs.iter().map(|run| run.epochs.len()).min().unwrap_or_default();
        let points = (0..last).filter_map(|number| {
            let score = |run: &asym_train::RunResult| run.epochs[number].dev.get(&headline.name).copied();
            Some(point((number + 1) as f64, row.summary(score)?.scaled(headline.factor())))
        });
        let points: Vec<Point> = points.collect();
        if points.len() > 1 {
            panel = panel.with(Series::line(method.clone(), *style, points));
        }
    }
    (!panel.series.is_empty()).then(|| Drawn {
        name: format!("epochs{end}"),
        caption: format!(
            "The score, {}, after each epoch: means, with bands of one standard deviation over the seeds.",
            headline.heading()
        ),
        figure: Figure::new("").with(panel),
    })
}

/// The training loss over the steps, averaged over the seeds and over neighboring steps.
fn losses(
    root: &Path,
    part: &[(&Row, &Gather)],
    named: &[(String, usize, &Row)],
    end: &str,
) -> Result<Option<Drawn>, TaskError> {
    let mut panel = Panel::new("Training loss", Axis::linear("step"), Axis::linear("loss"));
    for ((_, gather), (method, style, _)) in part.iter().zip(named) {
        let mut all: Vec<Vec<(usize, f64)>> = Vec::new();
        for run in gather.counting().filter(|run| run.result().is_some()) {
            all.push(RunFolder::losses(&root.join(&run.folder))?);
        }
        let points = curve(&all);
        if points.len() > 1 {
            panel = panel.with(Series::line(method.clone(), *style, points));
        }
    }
    Ok((!panel.series.is_empty()).then(|| Drawn {
        name: format!("loss{end}"),
        caption: "Training loss by step: means over neighboring steps and over the seeds.".into(),
        figure: Figure::new("").with(panel),
    }))
}

/// A curve through the means of neighboring steps of several runs.
fn curve(runs: &[Vec<(usize, f64)>]) -> Vec<Point> {
    let last = runs.iter().filter_map(|run| run.last()).map(|(step, _)| *step).max().unwrap_or_default();
    let width = last.div_ceil(POINTS).max(1);
    let mut sums = vec![(0.0, 0.0, 0.0); last.div_ceil(width)];
    for (step, loss) in runs.iter().flatten().filter(|(step, loss)| *step > 0 && loss.is_finite()) {
        let (steps, losses, count) = &mut sums[(step - 1) / width];
        *steps += *step as f64;
        *losses += loss;
        *count += 1.0;
    }
    sums.into_iter()
        .filter(|(.., count)| *count > 0.0)
        .map(|(steps, losses, count)| Point::new(steps / count, losses / count))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn curves_average_neighboring_steps() {
        let run = |shift: f64| (1..=80).map(|step| (step, step as f64 + shift)).collect::<Vec<_>>();
        let found = curve(&[run(0.0), run(1.0)]);
        assert_eq!(found.len(), POINTS);
        // Steps 1 and 2 of both runs: the mean step is 1.5, and the mean loss is (1 + 2 + 2 + 3) / 4.
        assert_eq!((found[0].x, found[0].y), (1.5, 2.0));
        assert_eq!((found[39].x, found[39].y), (79.5, 80.0));
        assert_eq!(curve(&[vec![(1, 0.5), (2, f64::NAN)]]), [Point::new(1.0, 0.5)]);
        assert!(curve(&[]).is_empty());
    }
}
