//! The table of all parameters and of those that are trained.

use std::collections::HashSet;
use std::fmt;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::layout::{self, EachParam, Entry, Kind, Naming};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The parameter.
    pub entry: Entry,
    /// Whether it is trained, now or after `train()`.
    pub trained: bool,
}

/// The parameters of a module and whether they are trained. `Display` formats them as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// One row per parameter, in the order of the module's fields.
    pub rows: Vec<Row>,
}

/// List the parameters of `module` under their names in files.
pub fn inspect<M: Module>(module: &M, naming: &Naming) -> Inspection {
    #[derive(Default)]
    struct Inspector {
        /// The names of parameters that all layers share, so that each is listed once.
        shared: HashSet<String>,
        rows: Vec<Row>,
    }
    impl EachParam for Inspector {
        fn param<const D: usize>(&mut self, entry: Entry, param: &Param<Tensor<D>>) {
            // A lazy parameter is not initialized here. A copy with a tensor of one value has the same settings.
            let param = match param.is_initialized() {
                true => param.clone(),
                false => param.clone().transform_for_load(Tensor::zeros([1; D], &param.lazy_device()), param.id),
            };
            // On a device without autodiff, the tensor does not show whether it will be trained.
            let trained = param.is_require_grad() || Module::train(param.valid()).is_require_grad();
            if entry.kind != Kind::Shared || self.shared.insert(entry.name.clone()) {
                self.rows.push(Row { entry, trained });
            }
        }
    }
    let mut inspector = Inspector::default();
    layout::each(module, naming, &mut inspector);
    Inspection { rows: inspector.rows }
}

impl Inspection {
    /// The number of trained values; `usize::MAX` if there are more.
    pub fn trained(&self) -> usize {
        sum(self.rows.iter().filter(|row| row.trained))
    }

    /// The number of all values, including adapters; `usize::MAX` if there are more.
    pub fn total(&self) -> usize {
        sum(self.rows.iter())
    }

    /// The share of trained values in all values, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.trained() as f64 / self.total().max(1) as f64
    }
}

fn sum<'a>(rows: impl Iterator<Item = &'a Row>) -> usize {
    rows.fold(0, |sum: usize, row| sum.saturating_add(row.entry.count()))
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |row: &Row| {
            let sizes: Vec<String> = row.entry.shape.iter().map(ToString::to_string).collect();
            sizes.join(" x ")
        };
        let width = |text: &dyn Fn(&Row) -> usize| self.rows.iter().map(text).max().unwrap_or(0);
        let name_width = width(&|row| row.entry.name.len());
        let shape_width = width(&|row| shape(row).len());
        for row in &self.rows {
            let state = match (row.trained, row.entry.kind) {
                (true, Kind::Adapter | Kind::Shared) => "trained  adapter",
                (false, Kind::Adapter | Kind::Shared) => "frozen   adapter",
                (true, _) => "trained",
                (false, _) => "frozen",
            };
            writeln!(f, "{:name_width$}  {:>shape_width$}  {state}", row.entry.name, shape(row))?;
        }
        write!(
            f,
            "trained: {} of {} parameters ({:.3} %)",
            thousands(self.trained()),
            thousands(self.total()),
            100.0 * self.share()
        )
    }
}

/// `1234567` as `1 234 567`.
fn thousands(value: usize) -> String {
    if value == usize::MAX {
        return format!("at least {}", thousands(value - 1));
    }
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!(super::thousands(7), "7");
        assert_eq!(super::thousands(1234), "1 234");
        assert_eq!(super::thousands(355_359_744), "355 359 744");
    }

    #[test]
    fn sums_do_not_wrap() {
        // A configuration can have such dimensions. The first row has 2^70 values.
        let row = |entry: Entry, trained| Row { entry, trained };
        let entry = |shape: &[usize]| Entry::sized("a", shape);
        let table = Inspection {
            rows: vec![
                row(entry(&[1 << 40, 1 << 30]), false),
                row(entry(&[1 << 63]), true),
                row(entry(&[1 << 63]), true),
            ],
        };
        assert_eq!((table.trained(), table.total()), (usize::MAX, usize::MAX));
        assert!(table.to_string().contains("of at least 18 446 744 073 709 551 614 parameters"), "{table}");
    }
}
