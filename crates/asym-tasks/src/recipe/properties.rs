//! Property tests with settings that are written as text, and with arbitrary text.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::tests::{TEXT, parse, run_of};
use super::*;
use crate::damage::{config, damage, damaged};

/// A value of TOML.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 10, 4, |inner| {
        let named = prop::collection::btree_map("[a-z_]{1,6}", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            named.prop_map(|named| Value::Table(named.into_iter().collect())),
        ]
    })
}

/// The table after one change, and the value at `key`.
fn changed(key: &str, change: &str) -> (Table, Option<Value>) {
    let mut table = Table::new();
    change::set(&mut table, change, &[]).unwrap();
    let mut at = Some(Value::Table(table.clone()));
    for part in key.split('.') {
        at = at.and_then(|value| value.get(part).cloned());
    }
    (table, at)
}

#[test]
fn multi_line_texts_are_one_value() {
    let text = "1\nx = 2";
    let (table, found) = changed("output", &format!("output={text}"));
    assert_eq!((table.len(), found), (1, Some(Value::from(text))));
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn changes_preserve_their_value(key in "[a-z_]{6,8}(\\.[a-z_]{1,8}){0,2}", value in value()) {
        let (table, found) = changed(&key, &format!("{key}={value}"));
        prop_assert_eq!(found, Some(value.clone()), "{}", &value);
        prop_assert_eq!(table.len(), 1);
        prop_assert_eq!(changed(&key, &format!(" {key} = {value} ")).0, table);
    }

    /// A value that is not valid TOML is the text itself, and no part of the text becomes another key.
    #[test]
    fn arbitrary_text_is_a_valid_value(text in "(\\PC|[=\\[\\]{}\"'#,.0-9 \n-]){0,16}") {
        let (table, found) = changed("output", &format!("output={text}"));
        prop_assert_eq!(table.len(), 1);
        let text = text.trim();
        match text.parse::<Value>() {
            Ok(value) => prop_assert_eq!(found, Some(value)),
            // A comment may follow a value.
            Err(_) if text.contains('#') => {}
            Err(_) => prop_assert_eq!(found, Some(Value::from(text))),
        }
    }

    #[test]
    fn lists_need_no_brackets(
        seeds in prop::collection::vec(any::<u32>(), 1..5),
        words in prop::collection::vec("[a-z][a-z/]{0,5}", 2..5),
    ) {
        let numbers: Vec<Value> = seeds.iter().map(|seed| Value::from(*seed)).collect();
        let commas = seeds.iter().map(ToString::to_string).collect::<Vec<_>>();
        let texts: Vec<Value> = words.iter().map(|word| Value::from(word.as_str())).collect();
        for (change, key, expected) in [
            (format!("seeds={}", commas.join(",")), "seeds", &numbers),
            (format!("seeds={}", commas.join(" , ")), "seeds", &numbers),
            (format!("seeds=[{}]", commas.join(", ")), "seeds", &numbers),
            (format!("tasks={}", words.join(",")), "tasks", &texts),
        ] {
            prop_assert_eq!(changed(key, &change).1, Some(Value::Array(expected.clone())), "{}", change);
        }
    }

    #[test]
    fn arbitrary_changes_do_not_panic(
        change in "((seeds|tasks|task|training|tuning|epochs|a)[.=]){0,4}(\\PC|[=.\\[\\]{},0-9]){0,12}",
    ) {
        let _ = parse(TEXT, &[&change]);
    }

    #[test]
    fn damaged_recipes_do_not_panic(changes in damage()) {
        if let Ok(text) = String::from_utf8(damaged(TEXT.as_bytes(), &changes, 30)) {
            let _ = parse(&text, &[]);
        }
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// The recipe in the folder of a run.
    #[test]
    fn the_recipe_of_a_run_survives_a_round_trip(
        (model, data) in (prop::option::of(any::<String>()), prop::option::of(any::<String>())),
        rate in 1e-9..1.0,
        epochs in 1..1000_usize,
        seed in 0..i64::MAX as u64,
        hold_out in prop::option::of(0.001..0.999),
    ) {
        let mut changes = vec![format!("learning_rate={rate:e}"), format!("epochs={epochs}"), format!("seeds={seed}")];
        changes.extend(hold_out.map(|share| format!("hold_out={share}")));
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let run = run_of(&parse(TEXT, &changes).unwrap());
        prop_assert_eq!((run.training.learning_rate, run.training.epochs), (rate, epochs));
        prop_assert_eq!((run.training.seed, run.hold_out), (seed, hold_out));
        let recipe = Recipe::of(&run, model, data);
        let text = toml::to_string(&recipe).unwrap();
        prop_assert_eq!(parse(&text, &[]).unwrap(), recipe);
    }

    /// The name of a key may have any characters.
    #[test]
    fn unknown_keys_are_named(key in "x(\\PC|`|, expected ){0,6}") {
        let error = parse(&format!("{} = 1\n{TEXT}", Value::from(key.as_str())), &[]).unwrap_err();
        let RecipeError::Unknown { found, known, .. } = error else { panic!("{error:?}") };
        prop_assert_eq!(found, key);
        prop_assert!(known.iter().any(|known| known == "seeds"), "{:?}", known);
    }
}
