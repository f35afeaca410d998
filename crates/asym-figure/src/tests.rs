//! Tests of saved figures.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use resvg::tiny_skia::Pixmap;

use crate::{Axis, Figure, FigureError, Panel, Point, STYLES, Saved, Series};

/// A folder that is removed with its content.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("figure-{}-{number}", std::process::id())))
    }

    fn save(&self, figure: &Figure) -> Saved {
        figure.save(&self.0.join("deeper/r_0.5")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn points() -> Vec<Point> {
    let third = 1.0 / 3.0;
    vec![Point::new(1.0, third).give_or_take(0.1), Point::new(2.0, 0.1 + 0.2), Point::new(4.0, 0.7).between(0.6, 1.2)]
}

fn panel(title: &str) -> Panel {
    Panel::new(title, Axis::log2("width ×"), Axis::linear("‖ΔW‖² ≤ 1").within(0.0, 1.0))
}

fn figure() -> Figure {
    let first = panel("(a) \"one\", Â").with(Series::line("B̂ <query>", 0, points()));
    let second = panel("(b) two").with(Series::line("B̂ <query>", 0, points())).with(Series::bars("value", 1, points()));
    let third =
        panel("(c) three").with(Series::points("alone", 2, points())).with(Series::dashed("chance", 6, points()));
    Figure::new("Σ of all").columns(2).note("bands: one standard deviation").with(first).with(second).with(third)
}

/// A figure of one panel with one line.
fn one(axes: [Axis; 2], points: Vec<Point>) -> Figure {
    let [x, y] = axes;
    Figure::new("").with(Panel::new("p", x, y).with(Series::line("s", 0, points)))
}

fn linear() -> [Axis; 2] {
    [Axis::linear("x"), Axis::linear("y")]
}

/// The error with which a figure is refused, and its message. No file may be created.
fn refusal(figure: &Figure) -> (FigureError, String) {
    let folder = Folder::new();
    let error = figure.save(&folder.0.join("figure")).unwrap_err();
    assert!(!folder.0.exists());
    let message = error.to_string();
    (error, message)
}

#[test]
fn the_csv_file_contains_the_drawn_values() {
    let (folder, figure) = (Folder::new(), figure());
    let saved = folder.save(&figure);
    assert!(saved.csv.ends_with("deeper/r_0.5.csv"));
    let mut table = csv::Reader::from_path(saved.csv).unwrap();
    assert_eq!(table.headers().unwrap(), &["panel", "series", "x", "y", "low", "high"][..]);
    let read: Vec<_> =
        table.deserialize::<(String, String, f64, f64, Option<f64>, Option<f64>)>().map(Result::unwrap).collect();
    let drawn = figure.panels.iter().flat_map(|panel| panel.series.iter().map(move |series| (panel, series)));
    let drawn: Vec<_> = drawn
        .flat_map(|(panel, series)| {
            series.points.iter().map(|point| {
                let (low, high) = point.spread.unzip();
                (panel.title.clone(), series.name.clone(), point.x, point.y, low, high)
            })
        })
        .collect();
    assert_eq!(read, drawn);
    assert_eq!(read.len(), 15);
}

#[test]
fn the_svg_file_contains_all_texts_and_one_legend() {
    let folder = Folder::new();
    let svg = fs::read_to_string(folder.save(&figure()).svg).unwrap();
    let lines = |words: &str| svg.lines().filter(|line| *line == words).count();
    for (words, times) in [
        ("Σ of all", 1),
        ("(a) &quot;one&quot;, Â", 1),
        ("(b) two", 1),
        ("width ×", 3),
        ("‖ΔW‖² ≤ 1", 3),
        ("bands: one standard deviation", 1),
        ("B̂ &lt;query&gt;", 1),
        ("value", 1),
        ("alone", 1),
        ("chance", 1),
        ("0.4", 3),
        ("4", 3),
    ] {
        assert_eq!(lines(words), times, "{words}");
    }
    assert!(svg.starts_with("<svg width=\"170mm\""));
    assert!(svg.contains("font-family=\"DejaVu Sans, sans-serif\""));
}

#[test]
fn the_png_file_has_the_right_size_and_colors() {
    let folder = Folder::new();
    let saved = folder.save(&figure());
    let svg = fs::read_to_string(saved.svg).unwrap();
    let height: u32 = svg.split("height=\"").nth(1).unwrap().split("mm").next().unwrap().parse().unwrap();
    let picture = Pixmap::decode_png(&fs::read(saved.png).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (170 * 12, height * 12));
    let count = |red, green, blue| {
        let same = |pixel: &&resvg::tiny_skia::PremultipliedColorU8| {
            (pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()) == (red, green, blue, 255)
        };
        picture.pixels().iter().filter(same).count()
    };
    // The image contains the white background, the color of the text, and the three colors and the black of the series. It does
    // not contain the color of style 3.
    assert!(count(255, 255, 255) > picture.pixels().len() / 2);
    for (red, green, blue) in [(0x26, 0x26, 0x26), (0, 0x72, 0xb2), (0xd5, 0x5e, 0), (0, 0x9e, 0x73), (0, 0, 0)] {
        assert!(count(red, green, blue) > 200, "{red} {green} {blue}: {}", count(red, green, blue));
    }
    assert_eq!(count(0xcc, 0x79, 0xa7), 0);
    assert!(picture.pixels().iter().all(|pixel| pixel.alpha() == 255));
}

#[test]
fn equal_figures_give_identical_files() {
    let (first, second) = (Folder::new(), Folder::new());
    let (one, other) = (first.save(&figure()), second.save(&figure()));
    for (one, other) in [(&one.svg, &other.svg), (&one.png, &other.png), (&one.csv, &other.csv)] {
        assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
    }
    // The figure is saved again over the old files. The folder contains no other file.
    let again = first.save(&figure());
    assert_eq!(fs::read(&again.png).unwrap(), fs::read(other.png).unwrap());
    assert_eq!(fs::read_dir(again.png.parent().unwrap()).unwrap().count(), 3);
}

#[test]
fn figures_without_data_are_rejected() {
    assert!(matches!(refusal(&Figure::new("t")).0, FigureError::NoPanels { title } if title == "t"));
    let (error, _) = refusal(&figure().columns(0));
    assert!(matches!(error, FigureError::NoColumns { panels: 3, .. }));
    let (error, _) = refusal(&Figure::new("").with(panel("p")));
    assert!(matches!(error, FigureError::EmptyPanel { panel } if panel == "p"));
    let (error, _) = refusal(&one(linear(), Vec::new()));
    assert!(matches!(error, FigureError::EmptySeries { panel, series } if panel == "p" && series == "s"));
}

#[test]
fn values_that_cannot_be_drawn_are_refused() {
    let (error, message) = refusal(&one(linear(), vec![Point::new(0.0, 0.0), Point::new(1.0, f64::NAN)]));
    assert!(matches!(error, FigureError::NotFinite { what: "y", spot, .. } if spot.index == 1));
    assert!(message.starts_with("y is NaN at point 1 of series `s` in panel `p`: "));
    let (error, _) = refusal(&one(linear(), vec![Point::new(f64::INFINITY, 0.0)]));
    assert!(matches!(error, FigureError::NotFinite { what: "x", .. }));
    let (error, _) = refusal(&one(linear(), vec![Point::new(1.0, 0.0).between(f64::NAN, 1.0)]));
    assert!(matches!(error, FigureError::NotFinite { what: "low", .. }));
    let (error, _) = refusal(&one([Axis::log2("x"), Axis::linear("y")], vec![Point::new(0.0, 0.0)]));
    assert!(matches!(error, FigureError::NotPositive { what: "x", value: 0.0, .. }));
    let log = || [Axis::linear("x"), Axis::log10("y")];
    let (error, _) = refusal(&one(log(), vec![Point::new(0.0, -1.0)]));
    assert!(matches!(error, FigureError::NotPositive { what: "y", value: -1.0, .. }));
    let (error, _) = refusal(&one(log(), vec![Point::new(0.0, 1.0).between(0.0, 1.0)]));
    assert!(matches!(error, FigureError::NotPositive { what: "low", .. }));
    for (low, high) in [(1.0, 0.0), (0.6, 0.7), (0.3, 0.4)] {
        let (error, _) = refusal(&one(linear(), vec![Point::new(0.0, 0.5).between(low, high)]));
        assert!(matches!(error, FigureError::Spread { y: 0.5, .. }));
    }
    let (error, _) = refusal(&one(linear(), vec![Point::new(1.0, 0.0), Point::new(0.0, 0.0)]));
    assert!(matches!(error, FigureError::Unsorted { value: 0.0, before: 1.0, .. }));
}

#[test]
fn data_outside_the_axis_range_are_rejected() {
    let y = |low, high| [Axis::linear("x"), Axis::linear("y").within(low, high)];
    let (error, message) = refusal(&one(y(0.0, 1.0), vec![Point::new(0.0, 1.01)]));
    assert!(matches!(error, FigureError::OutOfRange { what: "y", value: 1.01, low: 0.0, high: 1.0, .. }));
    assert!(message.contains("1.01") && message.contains("from 0 to 1") && message.contains("widen the range"));
    // A value may be outside the range because of rounding, and a spread is clipped.
    Folder::new().save(&one(y(0.0, 1.0), vec![Point::new(0.0, 1.000_000_1).between(-0.5, 2.0)]));
    for (low, high) in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::NAN)] {
        let (error, _) = refusal(&one(y(low, high), points()));
        assert!(matches!(error, FigureError::Range { axis: "y", .. }));
    }
    let (error, _) = refusal(&one([Axis::log10("x").within(0.0, 9.0), Axis::linear("y")], points()));
    assert!(matches!(error, FigureError::Range { axis: "x", low: 0.0, .. }));
    let (error, _) = refusal(&one([Axis::log2("x").ticked([(0.0, "0")]), Axis::linear("y")], points()));
    assert!(matches!(error, FigureError::Tick { axis: "x", value: 0.0, .. }));
    for ends in [[-1.7e308, 1.7e308], [0.0, 1e-310]] {
        let (error, _) = refusal(&one(linear(), ends.map(|end| Point::new(end, 0.0)).to_vec()));
        assert!(matches!(error, FigureError::Range { axis: "x", .. }));
    }
    let ticked = Axis::linear("x").within(0.0, 8.0).ticked([(9.0, "9")]);
    let (error, _) = refusal(&one([ticked, Axis::linear("y")], points()));
    assert!(matches!(error, FigureError::Tick { axis: "x", value: 9.0, .. }));
}

#[test]
fn ambiguous_series_names_are_rejected() {
    let two = |one: Series, other: Series| Figure::new("").with(panel("p").with(one)).with(panel("q").with(other));
    let (error, message) = refusal(&two(Series::line("s", 0, points()), Series::line("s", 1, points())));
    assert!(matches!(error, FigureError::TwoLooks { series, .. } if series == "s"));
    assert!(message.contains("a line of style 0 in one panel and a line of style 1 in another"));
    let (error, _) = refusal(&two(Series::line("s", 0, points()), Series::points("s", 0, points())));
    assert!(matches!(error, FigureError::TwoLooks { .. }));
    let (error, _) = refusal(&two(Series::line("s", 0, points()), Series::line("t", 0, points())));
    assert!(matches!(error, FigureError::SharedLook { first, second, .. } if first == "s" && second == "t"));
    let (error, _) = refusal(&two(Series::line("s", 0, points()), Series::line("t", STYLES, points())));
    assert!(matches!(error, FigureError::NoStyle { style: STYLES, .. }));
    let (error, _) = refusal(&Figure::new("").with(panel("p").with(Series::line("s", 0, points()))).with(panel("p")));
    assert!(matches!(error, FigureError::RepeatedPanel { panel } if panel == "p"));
    let twice = panel("p").with(Series::line("s", 0, points())).with(Series::line("s", 0, points()));
    assert!(matches!(refusal(&Figure::new("").with(twice)).0, FigureError::RepeatedSeries { .. }));
}

#[test]
fn unwritable_paths_are_named() {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("taken.svg/full")).unwrap();
    let error = figure().save(&folder.0.join("taken")).unwrap_err();
    assert!(matches!(&error, FigureError::Io { path, .. } if path.ends_with("taken.svg")));
    assert!(!folder.0.join("taken.svg.part").exists());
    fs::write(folder.0.join("file"), "").unwrap();
    let error = figure().save(&folder.0.join("file/figure")).unwrap_err();
    assert!(matches!(&error, FigureError::Io { path, .. } if path.ends_with("file")));
}

#[test]
fn figures_with_extreme_values_are_drawn() {
    let one_point = one(linear(), vec![Point::new(3.0, 5.0)]);
    let equal = one([Axis::log2("x"), Axis::log10("y")], vec![Point::new(3.0, 5.0).between(5.0, 5.0); 2]);
    let huge = one(linear(), vec![Point::new(-1e300, 1e-280), Point::new(1e300, 2e-280)]);
    let far = one([Axis::log2("x"), Axis::log10("y")], vec![Point::new(1e-300, 1e-300), Point::new(1e300, 1e300)]);
    let close = one(linear(), vec![Point::new(1e9, 1.0), Point::new(1e9 + 1.0, 1.0 + 1e-8)]);
    for figure in [one_point, equal, huge, far, close] {
        let folder = Folder::new();
        let picture = Pixmap::decode_png(&fs::read(folder.save(&figure).png).unwrap()).unwrap();
        // A narrow figure has the width of one column of print.
        assert_eq!(picture.width(), 86 * 12);
    }
}

#[test]
fn horizontal_spreads_belong_to_the_horizontal_axis() {
    let across = |low: f64, high: f64| {
        let panel = Panel::new("p", Axis::linear("difference"), Axis::linear("").ticked([(1.0, "one"), (2.0, "two")]));
        let points = vec![Point::new(3.0, 2.0).between(low, high), Point::new(-1.0, 1.0)];
        Figure::new("").tall(30.0).with(panel.with(Series::across("s", 0, points)))
    };
    let svg = across(-40.0, 5.0).svg().unwrap();
    // The axis covers the whole bar.
    assert!(svg.starts_with("<svg") && svg.contains("−40"), "{svg}");
    assert!(matches!(refusal(&across(4.0, 5.0)).0, FigureError::Spread { y, .. } if y == 3.0));
}
