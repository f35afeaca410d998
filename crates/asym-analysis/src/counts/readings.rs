//! The readings of a printed size.

use std::fmt;

use super::Count;

/// A size as printed in the paper: its digits and its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    value: f64,
    decimals: usize,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millions,
    Percent,
}

impl Figure {
    /// The figures in a text such as `0.16M-0.2M (0.18-0.29%)`. An incomplete figure, as in `0.29-0.%`, is skipped.
    pub fn in_text(text: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut waiting = 0;
        let mut digits = String::new();
        for character in text.chars().chain(['\n']) {
            if character.is_ascii_digit() || character == '.' {
                digits.push(character);
                continue;
            }
            let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let whole = !digits.ends_with('.');
            if let (Ok(value), true) = (digits.parse(), whole) {
                found.push(Self { value, decimals, unit: Unit::Percent });
                waiting += 1;
            }
            digits.clear();
            // The unit follows the last number of a range.
            let unit = match character {
                'M' => Unit::Millions,
                '%' => Unit::Percent,
                _ => continue,
            };
            let from = found.len() - waiting;
            found[from..].iter_mut().for_each(|figure| figure.unit = unit);
            waiting = 0;
        }
        found
    }

    fn is(&self, value: f64) -> Option<Rounding> {
        let scale = 10f64.powi(self.decimals as i32);
        let digits = (self.value * scale).round();
        if (value * scale).round() == digits {
            return Some(Rounding::Rounded);
        }
        (value * scale).floor().eq(&digits).then_some(Rounding::Cut)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Millions => "M",
            Unit::Percent => " %",
        };
        write!(f, "{:.*}{unit}", self.decimals, self.value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Rounded,
    Cut,
}

/// The counted parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    All,
    /// The bare model and its pooler, which the ViT classifier of transformers does not have.
    AllWithPooler,
    Head,
    Adapter,
    WithHead,
    /// The adapter, and the head twice. PEFT before 0.6 counted both the original head and its copy for training.
    HeadTwice,
}

impl Counted {
    /// Whether this way of counting is possible for a row with these parameters.
    fn applies(self, count: &Count) -> bool {
        match self {
            Self::All => count.full,
            Self::AllWithPooler => count.full && count.pooler > 0,
            Self::Head => !count.full && count.adapter == 0,
            Self::Adapter => !count.full && count.adapter > 0,
            Self::WithHead | Self::HeadTwice => !count.full && count.adapter > 0 && count.head > 0,
        }
    }
}

/// A way of counting whose result has the digits of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    counted: Counted,
    unit: Unit,
    printed: Unit,
    rounding: Rounding,
    /// The numbers of classes for which the digits agree; empty if they agree for all.
    labels: Vec<usize>,
}

impl Reading {
    /// The readings of `figure`. `counts` has one count for each number of classes. The readings are those that round to the
    /// digits of the figure. If there are none, they are those that are truncated to these digits. Readings that count fewer
    /// parts come first. A figure in percent may be a misprinted figure in millions.
    pub fn of(figure: Figure, counts: &[Count]) -> Vec<Self> {
        const WAYS: [Counted; 6] = [
            Counted::Adapter,
            Counted::Head,
            Counted::WithHead,
            Counted::HeadTwice,
            Counted::All,
            Counted::AllWithPooler,
        ];
        let units: &[Unit] = match figure.unit {
            Unit::Millions => &[Unit::Millions],
            Unit::Percent => &[Unit::Percent, Unit::Millions],
        };
        for rounding in [Rounding::Rounded, Rounding::Cut] {
            let mut found: Vec<Self> = Vec::new();
            for counted in WAYS {
                for &unit in units {
                    let gives = |count: &&Count| {
                        counted.applies(count)
                            && values(counted, unit, count).any(|value| figure.is(value) == Some(rounding))
                    };
                    let with: Vec<&Count> = counts.iter().filter(gives).collect();
                    if !with.is_empty() {
                        let all = with.len() == counts.len();
                        let labels = if all { Vec::new() } else { with.iter().map(|count| count.labels).collect() };
                        found.push(Self { counted, unit, printed: figure.unit, rounding, labels });
                    }
                }
            }
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }
}

/// The counted parameters in millions, or in percent of the model without its head, with its head, and with head and adapter.
fn values(counted: Counted, unit: Unit, count: &Count) -> impl Iterator<Item = f64> {
    let trained = match counted {
        Counted::All => count.body + count.head,
        Counted::AllWithPooler => count.body + count.pooler,
        Counted::Head => count.head,
        Counted::Adapter => count.adapter,
        Counted::WithHead => count.adapter + count.head,
        Counted::HeadTwice => count.adapter + 2 * count.head,
    };
    let model = count.body + count.head;
    let wholes = match (unit, counted) {
        (Unit::Millions, _) => vec![1e8],
        (Unit::Percent, Counted::All | Counted::AllWithPooler) => vec![model as f64],
        (Unit::Percent, _) => {
            [count.body, model, model + count.adapter + count.frozen_factors].map(|whole| whole as f64).to_vec()
        }
    };
    wholes.into_iter().map(move |whole| 100.0 * trained as f64 / whole)
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.counted {
            Counted::All => "the whole model",
            Counted::AllWithPooler => "the bare model with its pooler",
            Counted::Head => "the head",
            Counted::Adapter => "the adapter",
            Counted::WithHead => "adapter and head",
            Counted::HeadTwice => "adapter and head, this twice",
        })?;
        if self.unit != self.printed {
            f.write_str(match self.unit {
                Unit::Millions => ", in millions",
                Unit::Percent => ", in percent",
            })?;
        }
        if let [first, rest @ ..] = self.labels.as_slice() {
            write!(f, ", {first}")?;
            rest.iter().try_for_each(|labels| write!(f, ", {labels}"))?;
            f.write_str(" classes")?;
        }
        if self.rounding == Rounding::Cut {
            f.write_str(", cut off")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_parsed_with_their_units() {
        let of = |text| Figure::in_text(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(of("0.8%"), ["0.8 %"]);
        assert_eq!(of("0.44 %"), ["0.44 %"]);
        assert_eq!(of("0.16M-0.2M (0.18-0.29%)"), ["0.16M", "0.2M", "0.18 %", "0.29 %"]);
        assert_eq!(of("0.2M-M (0.29-0.%)"), ["0.2M", "0.29 %"]);
        assert_eq!(of("86.4M (100%)"), ["86.4M", "100 %"]);
        assert_eq!(of("?M"), Vec::<String>::new());
    }

    #[test]
    fn every_reading_is_found() {
        let count = |adapter, head, labels| Count {
            adapter,
            head,
            body: 1_000_000,
            frozen_factors: 0,
            full: false,
            labels,
            pooler: 0,
        };
        let of = |text, counts: &[Count]| {
            Reading::of(Figure::in_text(text)[0], counts).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let is = |found: Vec<String>, expected: &str| assert_eq!(found, [expected]);
        let small = [count(10_000, 1_000, 2)];
        is(of("1.0%", &small), "the adapter");
        is(of("1.1%", &small), "adapter and head");
        is(of("1.2%", &small), "adapter and head, this twice");
        is(of("0.01%", &[count(10_000, 6_000, 2)]), "the adapter, in millions");
        is(of("0.9%", &[count(9_950, 0, 0)]), "the adapter, cut off");
        assert_eq!(of("3.0%", &small), Vec::<String>::new());
        assert_eq!(of("1%", &small), ["the adapter", "adapter and head", "adapter and head, this twice"]);
        let two = [count(10_000, 1_000, 2), count(10_000, 5_000, 10)];
        is(of("1.5%", &two), "adapter and head, 10 classes");
        let full = [Count { full: true, ..count(0, 1_000, 2) }];
        is(of("1.0M", &full), "the whole model");
        is(of("0.001M", &[count(0, 1_000, 2)]), "the head");
        is(of("1.2M", &[Count { pooler: 150_000, ..full[0] }]), "the bare model with its pooler");
        let three = [count(10_000, 1_000, 2), count(10_000, 5_000, 10), count(10_000, 5_100, 11)];
        is(of("1.5%", &three), "adapter and head, 10, 11 classes");
    }
}
