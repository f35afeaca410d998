//! An axis: its range, its ticks and the positions of its values.

use crate::{Axis, Kind, Panel, Scale};

/// Share of the plot's side that is left free at each end of an axis, so that no marker is on the frame.
const MARGIN: f64 = 0.035;
/// Largest number of ticks that are chosen for a linear axis.
const MOST_TICKS: u32 = 7;

impl Scale {
    /// Position of a value on the scale, up to an offset and a factor.
    pub(crate) fn of(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log2 => value.log2(),
            Self::Log10 => value.log10(),
        }
    }
}

/// A tick with its label. The label is empty if it would touch another label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// The value.
    pub value: f64,
    /// The label.
    pub label: String,
}

/// The ticks of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    /// Ticks with a grid line.
    pub major: Vec<Tick>,
    /// Short ticks between powers of ten.
    pub minor: Vec<f64>,
}

/// Mapping of the values of an axis to the canvas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Map {
    /// Maps `range` to the canvas from `from` to `to`, with a margin at both ends.
    pub fn new(scale: Scale, range: (f64, f64), from: f64, to: f64) -> Self {
        Self { scale, low: scale.of(range.0), high: scale.of(range.1), from, to }.onto(from, to)
    }

    /// Maps the same axis to the canvas from `from` to `to`.
    pub fn onto(self, from: f64, to: f64) -> Self {
        let margin = MARGIN * (to - from);
        Self { from: from + margin, to: to - margin, ..self }
    }

    /// Leaves `more` of the canvas free at both ends. This works only for an axis from left to right.
    pub fn narrowed(self, more: f64) -> Self {
        Self { from: self.from + more, to: self.to - more, ..self }
    }

    /// Position of a value on the canvas, in hundredths of a millimeter.
    pub fn at(&self, value: f64) -> f64 {
        self.from + (self.scale.of(value) - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Position of the upper or left end of the range.
    pub fn first(&self) -> f64 {
        self.from.min(self.to)
    }

    /// Position of the lower or right end of the range.
    pub fn last(&self) -> f64 {
        self.from.max(self.to)
    }
}

/// Ranges of the panel's axes. An axis without a given range covers the data, their spreads and the ticks.
pub(crate) fn ranges(panel: &Panel) -> [(f64, f64); 2] {
    let values = |is_x: bool| {
        panel.series.iter().flat_map(move |series| {
            let of_spread = (series.kind == Kind::Across) == is_x;
            series.points.iter().flat_map(move |point| {
                let value = if is_x { point.x } else { point.y };
                let (low, high) = point.spread.filter(|_| of_spread).unwrap_or((value, value));
                [value, low, high]
            })
        })
    };
    [range(&panel.x, values(true)), range(&panel.y, values(false))]
}

fn range(axis: &Axis, values: impl Iterator<Item = f64>) -> (f64, f64) {
    if let Some(range) = axis.range {
        return range;
    }
    let values = values.chain(axis.ticks.iter().map(|tick| tick.0));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    // `Map` divides by the length of the range. A single value, or values that differ only by rounding, need a wider range.
    match axis.scale {
        Scale::Linear if high - low <= 1e-9 * low.abs().max(high.abs()) => {
            let half = if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
            (low - half, high + half)
        }
        Scale::Log2 | Scale::Log10 if high <= low * (1.0 + 1e-9) => (low / 2.0, high * 2.0),
        _ => (low, high),
    }
}

/// Chooses the ticks of an axis over a range. `fit` returns whether the labels do not touch each other.
pub(crate) fn ticks<E>(axis: &Axis, range: (f64, f64), fit: impl Fn(&[Tick]) -> Result<bool, E>) -> Result<Ticks, E> {
    if !axis.ticks.is_empty() {
        let major = axis.ticks.iter().map(|(value, label)| Tick { value: *value, label: label.clone() }).collect();
        return Ok(Ticks { major: thinned(major, fit)?, minor: Vec::new() });
    }
    if axis.scale != Scale::Linear {
        for step in 1.. {
            let (major, all) = powers(axis.scale, range, step);
            if major.len() < 2 {
                break;
            }
            if fit(&major)? {
                let minor = if all && axis.scale == Scale::Log10 { between_tens(range) } else { Vec::new() };
                return Ok(Ticks { major, minor });
            }
        }
        let major = one_two_five(range);
        if axis.scale == Scale::Log10 && major.len() >= 3 && fit(&major)? {
            return Ok(Ticks { major, minor: Vec::new() });
        }
    }
    let mut major = Vec::new();
    for most in (1..=MOST_TICKS).rev() {
        major = nice(range, most);
        if fit(&major)? {
            return Ok(Ticks { major, minor: Vec::new() });
        }
    }
    Ok(Ticks { major: thinned(major, fit)?, minor: Vec::new() })
}

/// Keeps the labels at the smallest stride at which they fit.
fn thinned<E>(ticks: Vec<Tick>, fit: impl Fn(&[Tick]) -> Result<bool, E>) -> Result<Vec<Tick>, E> {
    for stride in 1..=ticks.len() {
        let kept: Vec<Tick> = ticks.iter().step_by(stride).cloned().collect();
        if stride == ticks.len() || fit(&kept)? {
            let blank = |(number, tick): (usize, Tick)| {
                if number % stride == 0 { tick } else { Tick { label: String::new(), ..tick } }
            };
            return Ok(ticks.into_iter().enumerate().map(blank).collect());
        }
    }
    Ok(ticks)
}

/// Divides a range into at most about `most` steps of 1, 2 or 5 times a power of ten.
fn nice((low, high): (f64, f64), most: u32) -> Vec<Tick> {
    let raw = (high - low) / f64::from(most);
    let mut exponent = raw.log10().floor() as i32;
    let lead = raw / 10f64.powi(exponent);
    let mut factor = 10;
    for candidate in [1, 2, 5] {
        if lead <= f64::from(candidate) * (1.0 + 1e-9) {
            factor = candidate;
            break;
        }
    }
    if factor == 10 {
        (factor, exponent) = (1, exponent + 1);
    }
    // A power of ten below 1 has no exact f64, but its inverse has one. Division results in a tick at 0.3,
    // and multiplication would result in 0.30000000000000004.
    let at = |count: f64| {
        let whole = count * f64::from(factor);
        if exponent < 0 { whole / 10f64.powi(-exponent) } else { whole * 10f64.powi(exponent) }
    };
    let step = at(1.0);
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = if last >= first { (last - first) as usize + 1 } else { 0 };
    let values = (0..count).map(|number| at(first + number as f64)).collect();
    labeled(values, exponent)
}

/// Labels values with digits down to 10 to the power `exponent`.
fn labeled(values: Vec<f64>, exponent: i32) -> Vec<Tick> {
    let most = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let scientific = most >= 1e6 || exponent < -4;
    let lead = if scientific && most > 0.0 { (most * (1.0 + 1e-9)).log10().floor() as i32 } else { 0 };
    let decimals = (lead - exponent).max(0) as usize;
    let label = |value: f64| {
        if value == 0.0 {
            return String::from("0");
        }
        let shown = value / 10f64.powi(lead);
        let sign = if shown < 0.0 { "−" } else { "" };
        let power = if lead == 0 { String::new() } else { format!("×10{}", superscript(lead)) };
        format!("{sign}{:.decimals$}{power}", shown.abs())
    };
    values.into_iter().map(|value| Tick { value, label: label(value) }).collect()
}

/// Ticks at every `step`-th power of the scale's base in the range. The second value is true if these are all powers.
fn powers(scale: Scale, (low, high): (f64, f64), step: i32) -> (Vec<Tick>, bool) {
    let (base, plain) = if scale == Scale::Log2 { (2.0_f64, -3..=16) } else { (10.0_f64, -2..=3) };
    let (first, last) = ((scale.of(low) - 1e-6).ceil() as i32, (scale.of(high) + 1e-6).floor() as i32);
    let written_out = plain.contains(&first) && plain.contains(&last);
    let label = |exponent: i32| {
        if written_out { format!("{}", base.powi(exponent)) } else { format!("{base}{}", superscript(exponent)) }
    };
    let kept = (first..=last).filter(|exponent| exponent.rem_euclid(step) == 0);
    (kept.map(|exponent| Tick { value: base.powi(exponent), label: label(exponent) }).collect(), step == 1)
}

/// Ticks at 1, 2 and 5 times powers of ten, for a range of about one power.
fn one_two_five((low, high): (f64, f64)) -> Vec<Tick> {
    let (first, last) = (low.log10().floor() as i32, high.log10().floor() as i32);
    let inside = |value: f64| low * (1.0 - 1e-6) <= value && value <= high * (1.0 + 1e-6);
    let values =
        (first..=last).flat_map(|exponent| [1.0, 2.0, 5.0].map(|factor| (factor * 10f64.powi(exponent), exponent)));
    values.filter(|&(value, _)| inside(value)).flat_map(|(value, exponent)| labeled(vec![value], exponent)).collect()
}

/// Values at 2 to 9 times powers of ten.
fn between_tens((low, high): (f64, f64)) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().floor() as i32);
    let values =
        (first..=last).flat_map(|exponent| (2..=9).map(move |factor| f64::from(factor) * 10f64.powi(exponent)));
    values.filter(|&value| low <= value && value <= high).collect()
}

/// Writes an integer in superscript digits.
fn superscript(number: i32) -> String {
    let raised = |letter: char| match letter {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    number.to_string().chars().map(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::{Axis, Map, Scale, Ticks, range, ticks};

    fn all(axis: &Axis, range: (f64, f64)) -> Ticks {
        ticks::<()>(axis, range, |_| Ok(true)).unwrap()
    }

    fn labels(axis: &Axis, range: (f64, f64)) -> Vec<String> {
        all(axis, range).major.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&Axis::linear(""), (0.0, 1.0)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::linear(""), (1.0, 24.0)), ["5", "10", "15", "20"]);
        assert_eq!(labels(&Axis::linear(""), (-1.0, 1.0)), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
        assert_eq!(labels(&Axis::linear(""), (0.0, 4e7)), ["0", "1×10⁷", "2×10⁷", "3×10⁷", "4×10⁷"]);
        assert_eq!(
            labels(&Axis::linear(""), (1.3e-7, 2.2e-7)),
            ["1.4×10⁻⁷", "1.6×10⁻⁷", "1.8×10⁻⁷", "2.0×10⁻⁷", "2.2×10⁻⁷"]
        );
        assert_eq!(all(&Axis::linear(""), (0.0, 1.0)).major[3].value, 0.6);
    }

    #[test]
    fn ticks_of_logarithmic_axes_are_powers() {
        assert_eq!(labels(&Axis::log2(""), (16.0, 300.0)), ["16", "32", "64", "128", "256"]);
        assert_eq!(labels(&Axis::log2(""), (0.25, 2.0)), ["0.25", "0.5", "1", "2"]);
        assert_eq!(labels(&Axis::log2(""), (0.01, 0.1)), ["2⁻⁶", "2⁻⁵", "2⁻⁴"]);
        assert_eq!(labels(&Axis::log10(""), (1.0, 1000.0)), ["1", "10", "100", "1000"]);
        assert_eq!(labels(&Axis::log10(""), (1e-5, 1e-2)), ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]);
        assert_eq!(labels(&Axis::log10(""), (0.1, 0.7)), ["0.1", "0.2", "0.5"]);
        assert_eq!(labels(&Axis::log10(""), (0.41, 0.47)), ["0.41", "0.42", "0.43", "0.44", "0.45", "0.46", "0.47"]);
        assert_eq!(all(&Axis::log10(""), (1.0, 100.0)).minor.len(), 16);
    }

    #[test]
    fn overlapping_labels_are_omitted() {
        let axis = Axis::linear("").ticked([(1.0, "a"), (2.0, "b"), (3.0, "c"), (4.0, "d"), (5.0, "e")]);
        let thinned = ticks::<()>(&axis, (1.0, 5.0), |kept| Ok(kept.len() <= 3)).unwrap();
        assert_eq!(thinned.major.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["a", "", "c", "", "e"]);
        let powers = ticks::<()>(&Axis::log2(""), (1.0, 16.0), |kept| Ok(kept.len() <= 3)).unwrap();
        assert_eq!(powers.major.iter().map(|tick| tick.value).collect::<Vec<_>>(), [1.0, 4.0, 16.0]);
    }

    #[test]
    fn a_range_is_never_empty() {
        assert_eq!(range(&Axis::linear(""), [0.0].into_iter()), (-1.0, 1.0));
        assert_eq!(range(&Axis::linear(""), [-5.0, -5.0].into_iter()), (-5.5, -4.5));
        assert_eq!(range(&Axis::log2(""), [8.0].into_iter()), (4.0, 16.0));
        assert_eq!(range(&Axis::linear("").ticked([(7.0, "7")]), [1.0].into_iter()), (1.0, 7.0));
        let map = Map::new(Scale::Log2, (1.0, 4.0), 0.0, 1000.0);
        assert_eq!((map.at(1.0), map.at(2.0), map.at(4.0)), (map.first(), 500.0, map.last()));
    }
}
