//! The layout of a page. Positions are in hundredths of a millimeter from its upper left corner.

use crate::axis::{self, Map, Tick, Ticks};
use crate::beside::offsets;
use crate::canvas::Place;
use crate::error::FigureError;
use crate::text::{Block, LABEL, NOTE, PANEL, TICK, TITLE};
use crate::{Figure, Panel, Point, Series};

/// Width of a figure of one column of print.
const NARROW: f64 = 8600.0;
/// Width of a figure of two columns of print.
const WIDE: f64 = 17000.0;
/// Smallest width of a plot. A figure gets wider if its plots would be narrower than this.
const LEAST_PLOT: f64 = 2800.0;
/// Margin at the edges of the page.
const EDGE: f64 = 150.0;
/// Distance from a plot to the next panel or the edge. Half of the last label may extend into it.
const BESIDE: f64 = 320.0;
/// Distance between the rows of panels.
const BETWEEN_ROWS: f64 = 420.0;
/// Distance from a block of text to the next element.
const GAP: f64 = 130.0;
/// Length of a tick.
pub(crate) const TICK_LENGTH: f64 = 80.0;
/// Distance from a tick to its label.
const TICK_GAP: f64 = 60.0;
/// Largest width of a line in a tick's label on a vertical axis.
const TICK_ROOM: f64 = 1800.0;
/// Smallest distance between the labels of ticks.
const TICKS_APART: f64 = 130.0;
/// Width of the sample of line and marker in the legend.
pub(crate) const SAMPLE: f64 = 850.0;
/// Distance from the sample to its name.
const SAMPLE_GAP: f64 = 120.0;
/// Distance between columns of the legend.
const LEGEND_GAP: f64 = 450.0;

/// The layout of a figure.
pub(crate) struct Page<'a> {
    /// Width of the page.
    pub width: f64,
    /// Height of the page.
    pub height: f64,
    /// Title, and its upper left corner.
    pub title: (Block, Place),
    /// The panels.
    pub charts: Vec<Chart<'a>>,
    /// The legend.
    pub legend: Vec<Entry<'a>>,
    /// Note, and its upper left corner.
    pub note: (Block, Place),
}

/// The layout of a panel.
pub(crate) struct Chart<'a> {
    /// The panel.
    pub panel: &'a Panel,
    /// Left side of the plot.
    pub left: f64,
    /// Right side of the plot.
    pub right: f64,
    /// Upper side of the plot.
    pub top: f64,
    /// Lower side of the plot.
    pub bottom: f64,
    /// Distance between series with values at the same x.
    pub beside: f64,
    /// Map of the horizontal axis.
    pub x: Map,
    /// Map of the vertical axis.
    pub y: Map,
    /// Ticks of x.
    pub x_ticks: Ticks,
    /// Ticks of y.
    pub y_ticks: Ticks,
    /// Labels of the ticks of x, with the middle of their upper side.
    pub x_marks: Vec<(Block, Place)>,
    /// Labels of the ticks of y, with their upper right corner.
    pub y_marks: Vec<(Block, Place)>,
    /// Title, with its upper left corner.
    pub title: (Block, Place),
    /// Label of x, with the middle of its upper side.
    pub x_label: (Block, Place),
    /// Label of y, which is read from bottom to top, with the middle of its left side.
    pub y_label: (Block, Place),
}

impl Chart<'_> {
    /// Position of a point.
    pub fn at(&self, point: &Point) -> Place {
        (self.x.at(point.x), self.y.at(point.y))
    }
}

/// An entry of the legend.
pub(crate) struct Entry<'a> {
    /// The first series with this name.
    pub series: &'a Series,
    /// True if any series with this name has spreads.
    pub spread: bool,
    /// Left end of the sample.
    pub sample: Place,
    /// Name, with its upper left corner.
    pub name: (Block, Place),
}

/// The left side of a panel: the vertical axis without its position. The width of the plot depends on the width of this side.
struct Side {
    range: (f64, f64),
    ticks: Ticks,
    marks: Vec<Block>,
    label: Block,
    width: f64,
}

/// Lays out a figure that has been checked.
pub(crate) fn layout(figure: &Figure) -> Result<Page<'_>, FigureError> {
    let columns = figure.columns.min(figure.panels.len());
    let tall = figure.tall.map_or(if columns < 3 { 4500.0 } else { 3800.0 }, |millimeters| 100.0 * millimeters);
    let sides = figure.panels.iter().map(|panel| side(panel, tall)).collect::<Result<Vec<_>, _>>()?;
    let widest = |column: usize| sides.iter().skip(column).step_by(columns).fold(0.0, |most: f64, s| most.max(s.width));
    let gutters: Vec<f64> = (0..columns).map(widest).collect();
    let around = 2.0 * EDGE + gutters.iter().sum::<f64>() + columns as f64 * BESIDE - EDGE;
    let usual = if columns == 1 { NARROW } else { WIDE };
    let plot = ((usual - around) / columns as f64).max(LEAST_PLOT);
    let width = (around + plot * columns as f64).ceil();

    let title = Block::new(&figure.title, TITLE, width - 2.0 * EDGE)?;
    let mut down = EDGE;
    let title_at = (EDGE, down);
    down += after(&title, 2.0 * GAP);
    let mut charts = Vec::new();
    let mut sides = sides.into_iter();
    for (row, panels) in figure.panels.chunks(columns).enumerate() {
        if row > 0 {
            down += BETWEEN_ROWS;
        }
        let mut left = EDGE;
        let mut placed = Vec::new();
        for (column, (panel, side)) in panels.iter().zip(sides.by_ref()).enumerate() {
            left += gutters[column];
            placed.push(chart(panel, side, left, plot, gutters[column])?);
            left += plot + BESIDE;
        }
        // All plots of a row begin at the same height, even if their titles differ in height.
        let head = placed.iter().map(|chart| after(&chart.title.0, GAP)).fold(0.0, f64::max);
        let top = down + head;
        for chart in &mut placed {
            chart.move_down(top, tall);
        }
        down = placed.iter().map(Chart::end).fold(top + tall, f64::max);
        charts.append(&mut placed);
    }
    down += 2.0 * GAP;
    let (legend, end) = legend(figure, width, down)?;
    down = end;
    let note = Block::filled(figure.note.as_deref().unwrap_or_default(), NOTE, width - 2.0 * EDGE)?;
    if !note.lines.is_empty() {
        down += GAP;
    }
    let note_at = (EDGE, down);
    down += note.height() + EDGE;
    Ok(Page { width, height: down, title: (title, title_at), charts, legend, note: (note, note_at) })
}

/// Height of a block with the gap after it. It is 0 for a block without lines.
fn after(block: &Block, gap: f64) -> f64 {
    if block.lines.is_empty() { 0.0 } else { block.height() + gap }
}

/// Lays out the left side of a panel.
fn side(panel: &Panel, tall: f64) -> Result<Side, FigureError> {
    let [_, range] = axis::ranges(panel);
    let map = Map::new(panel.y.scale, range, tall, 0.0);
    let mark = |tick: &Tick| Block::new(&tick.label, TICK, TICK_ROOM);
    let ticks = axis::ticks(&panel.y, range, |ticks| {
        let spans = ticks.iter().map(|tick| Ok((map.at(tick.value), mark(tick)?.height())));
        Ok(apart(spans.collect::<Result<_, FigureError>>()?, 0.0))
    })?;
    let marks = ticks.major.iter().map(mark).collect::<Result<Vec<_>, _>>()?;
    let label = Block::new(&panel.y.label, LABEL, tall)?;
    let widest = marks.iter().fold(0.0_f64, |most, mark| most.max(mark.width));
    let width = after(&label, GAP) + widest + TICK_GAP + TICK_LENGTH;
    Ok(Side { range, ticks, marks, label, width })
}

/// Returns whether spans with these middles and lengths are at least `gap` apart.
fn apart(mut spans: Vec<(f64, f64)>, gap: f64) -> bool {
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    spans.windows(2).all(|pair| pair[1].0 - pair[0].0 >= (pair[0].1 + pair[1].1) / 2.0 + gap)
}

/// Lays out a panel as if its plot began at the top of the page.
fn chart<'a>(panel: &'a Panel, side: Side, left: f64, plot: f64, gutter: f64) -> Result<Chart<'a>, FigureError> {
    let right = left + plot;
    let [range, _] = axis::ranges(panel);
    let whole = Map::new(panel.x.scale, range, left, right);
    let (beside, outer) = offsets(panel, &whole);
    let x = whole.narrowed(outer);
    // The labels at the ends may extend beyond the sides of the plot, but not beyond the edge or into the next panel.
    let mark = |tick: &Tick| -> Result<(Block, f64), FigureError> {
        let block = Block::new(&tick.label, TICK, plot)?;
        let half = block.width / 2.0;
        let middle = x.at(tick.value).min(right + BESIDE - TICKS_APART - half).max(left - gutter + half);
        Ok((block, middle))
    };
    let x_ticks = axis::ticks(&panel.x, range, |ticks| {
        let spans = ticks.iter().map(|tick| mark(tick).map(|(block, middle)| (middle, block.width)));
        Ok::<_, FigureError>(apart(spans.collect::<Result<_, _>>()?, TICKS_APART))
    })?;
    let marks = x_ticks.major.iter().map(mark).collect::<Result<Vec<_>, _>>()?;
    let middle = f64::midpoint(left, right);
    let label_left = left - side.width;
    Ok(Chart {
        panel,
        left,
        right,
        top: 0.0,
        bottom: 0.0,
        beside,
        x,
        y: Map::new(panel.y.scale, side.range, 1.0, 0.0),
        x_ticks,
        y_ticks: side.ticks,
        x_marks: marks.into_iter().map(|(block, middle)| (block, (middle, 0.0))).collect(),
        y_marks: side.marks.into_iter().map(|block| (block, (left - TICK_LENGTH - TICK_GAP, 0.0))).collect(),
        title: (Block::new(&panel.title, PANEL, gutter + plot + BESIDE - GAP)?, (left - gutter, 0.0)),
        x_label: (Block::new(&panel.x.label, LABEL, plot)?, (middle, 0.0)),
        y_label: (side.label, (label_left, 0.0)),
    })
}

impl Chart<'_> {
    /// Moves the plot below `top`, with its title, ticks and labels.
    fn move_down(&mut self, top: f64, tall: f64) {
        (self.top, self.bottom) = (top, top + tall);
        self.y = self.y.onto(self.bottom, self.top);
        self.title.1.1 = top - after(&self.title.0, GAP);
        let marks = self.bottom + TICK_LENGTH + TICK_GAP;
        let mut lowest = 0.0_f64;
        for (block, place) in &mut self.x_marks {
            place.1 = marks;
            lowest = lowest.max(block.height());
        }
        self.x_label.1.1 = marks + lowest + GAP / 3.0;
        for (tick, (block, place)) in self.y_ticks.major.iter().zip(&mut self.y_marks) {
            place.1 = self.y.at(tick.value) - block.height() / 2.0;
        }
        self.y_label.1.1 = f64::midpoint(self.top, self.bottom);
    }

    /// Lower end of the panel.
    fn end(&self) -> f64 {
        self.x_label.1.1 + self.x_label.0.height()
    }
}

/// Lays out the legend below `top`, and returns its lower end. It has one entry for each name, in as many columns as fit.
fn legend(figure: &Figure, width: f64, top: f64) -> Result<(Vec<Entry<'_>>, f64), FigureError> {
    let mut names: Vec<(&Series, bool)> = Vec::new();
    for series in figure.panels.iter().flat_map(|panel| &panel.series) {
        let spread = series.points.iter().any(|point| point.spread.is_some());
        match names.iter_mut().find(|(first, _)| first.name == series.name) {
            Some((_, any)) => *any |= spread,
            None => names.push((series, spread)),
        }
    }
    let room = width - 2.0 * EDGE;
    let named = |(series, _): &(&Series, bool)| Block::new(&series.name, LABEL, room - SAMPLE - SAMPLE_GAP);
    let blocks = names.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let widths = |columns: usize| -> Vec<f64> {
        let widest =
            |column: usize| blocks.iter().skip(column).step_by(columns).map(|block| block.width).fold(0.0, f64::max);
        (0..columns).map(|column| SAMPLE + SAMPLE_GAP + widest(column)).collect()
    };
    let total = |widths: &[f64]| widths.iter().sum::<f64>() + (widths.len() - 1) as f64 * LEGEND_GAP;
    let most = (1..=blocks.len()).rev().find(|&columns| total(&widths(columns)) <= room).unwrap_or(1);
    // Fewer columns with the same number of rows fill the last row better. They are used if they fit.
    let even = blocks.len().div_ceil(blocks.len().div_ceil(most));
    let widths = widths(if total(&widths(even)) <= room { even } else { most });
    let start = (width - total(&widths)) / 2.0;
    let mut entries = Vec::new();
    let mut down = top;
    let mut cells = names.into_iter().zip(blocks).peekable();
    while cells.peek().is_some() {
        let (mut left, mut tallest) = (start, 0.0_f64);
        for ((series, spread), block) in cells.by_ref().take(widths.len()) {
            tallest = tallest.max(block.height()).max(LABEL.leading());
            let sample = (left, down + LABEL.leading() / 2.0);
            let name = (block, (left + SAMPLE + SAMPLE_GAP, down));
            left += widths[entries.len() % widths.len()] + LEGEND_GAP;
            entries.push(Entry { series, spread, sample, name });
        }
        down += tallest + GAP / 3.0;
    }
    Ok((entries, down))
}
