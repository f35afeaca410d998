//! A padded batch is computed without its padding: logits and gradients are those of its rows, each by itself.
#![allow(clippy::unwrap_used, missing_docs)]

use asym_models::{EncoderConfig, EncoderInput, Family, Padding, PretrainedModel, SequenceClassifier};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};

fn model(family: Family, device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(family, 90, 32, 3);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    config.classifier_dropout = Some(0.0);
    SequenceClassifier::init(&config, 3, device).unwrap()
}

/// Rows of very different lengths. One has the padding's id in its middle.
fn rows(pad: u32) -> Vec<Vec<u32>> {
    let row = |length: u32, salt: u32| (0..length).map(|i| 5 + (i * 7 + salt * 13) % 80).collect();
    let mut rows: Vec<Vec<u32>> = vec![row(3, 0), row(19, 1), row(1, 2), row(140, 3)];
    rows[1][6] = pad;
    rows
}

fn batch(rows: &[&Vec<u32>], padding: Padding, device: &Device) -> EncoderInput {
    let types: Vec<Vec<u32>> = rows.iter().map(|row| (0..row.len()).map(|i| u32::from(i > 2)).collect()).collect();
    let pairs: Vec<(&[u32], &[u32])> =
        rows.iter().zip(&types).map(|(row, types)| (row.as_slice(), types.as_slice())).collect();
    EncoderInput::padded(&pairs, padding, device)
}

fn gradients(model: &SequenceClassifier, gradients: &Gradients) -> Vec<Vec<f32>> {
    struct Found<'a>(&'a Gradients, Vec<Vec<f32>>);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.base().grad(self.0).map(|gradient| gradient.into_data().iter::<f32>().collect());
            self.1.push(gradient.unwrap_or_default());
        }
    }
    let mut found = Found(gradients, Vec::new());
    model.visit(&mut found);
    found.1
}

fn close(name: &str, found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 2e-5 * largest, "{name}: {found} for {expected}, largest {largest}");
    }
}

#[test]
fn padding_changes_neither_logits_nor_gradients() {
    let device = Device::flex().autodiff();
    for family in [Family::Bert, Family::Roberta] {
        let model = model(family, &device);
        let padding = Padding::from(model.config());
        let rows = rows(padding.pad_id as u32);
        let all: Vec<&Vec<u32>> = rows.iter().collect();
        let logits = model.forward(batch(&all, padding, &device));
        let of_batch = gradients(&model, &logits.clone().powi_scalar(2).sum().backward());
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        // Each row by itself has no padding.
        let (mut singly, mut sums): (Vec<f32>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
        for row in &rows {
            let logits = model.forward(batch(&[row], padding, &device));
            for (at, gradient) in
                gradients(&model, &logits.clone().powi_scalar(2).sum().backward()).into_iter().enumerate()
            {
                match sums.get_mut(at) {
                    Some(sum) => sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value),
                    None => sums.push(gradient),
                }
            }
            singly.extend(logits.into_data().iter::<f32>());
        }
        close(&format!("{family:?}: logits"), &logits, &singly);
        assert_eq!(of_batch.len(), sums.len());
        for (at, (found, expected)) in of_batch.iter().zip(&sums).enumerate() {
            assert_eq!(found.len(), expected.len());
            close(&format!("{family:?}: gradient {at}"), found, expected);
        }
    }
}

#[test]
fn rows_do_not_see_each_other() {
    let device = Device::flex();
    let model = model(Family::Roberta, &device);
    let padding = Padding::from(model.config());
    let mut rows = rows(7);
    let logits = |rows: &[Vec<u32>]| -> Vec<f32> {
        model.forward(batch(&rows.iter().collect::<Vec<_>>(), padding, &device)).into_data().iter::<f32>().collect()
    };
    let before = logits(&rows);
    rows[1].iter_mut().for_each(|id| *id = 11);
    let after = logits(&rows);
    let labels = before.len() / rows.len();
    for (row, (before, after)) in before.chunks(labels).zip(after.chunks(labels)).enumerate() {
        assert_eq!(before == after, row != 1, "row {row}");
    }
}
