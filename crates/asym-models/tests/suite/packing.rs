//! A padded batch is computed without its padding. The logits and the gradients are the same as those of the separate rows.
#![allow(clippy::unwrap_used, missing_docs)]

use asym_models::{
    BartClassifier, BartConfig, BartInput, BartLanguageModel, EncoderConfig, EncoderInput, Family, LlamaClassifier,
    LlamaConfig, LlamaInput, LlamaLanguageModel, LlamaScorer, MaskedLanguageModel, Padding, PretrainedModel,
    SequenceClassifier,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

fn model(family: Family, device: &Device) -> SequenceClassifier {
    let mut config = EncoderConfig::new(family, 90, 32, 3);
    (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
    config.classifier_dropout = Some(0.0);
    SequenceClassifier::init(&config, 3, device).unwrap()
}

/// Rows of very different lengths. One row contains the id of the padding token in its middle.
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

fn gradients(model: &impl Module, gradients: &Gradients) -> Vec<Vec<f32>> {
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
        // A separate row has no padding.
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
fn rows_do_not_affect_each_other() {
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

/// The lengths of the rows in a batch, and the length of the longest row.
const LENGTHS: [usize; 4] = [5, 1, 17, 9];
const LONGEST: usize = 17;

/// The ids of a batch with padding on the right or on the left, and its mask.
fn ids_and_mask(pad: i64, left: bool, device: &Device) -> [Tensor<2, Int>; 2] {
    let place = |row: usize, column: usize| {
        let length = LENGTHS[row];
        if left { (column + length).checked_sub(LONGEST) } else { (column < length).then_some(column) }
    };
    let cells = || (0..LENGTHS.len()).flat_map(|row| (0..LONGEST).map(move |column| (row, place(row, column))));
    let ids: Vec<i64> = cells().map(|(row, at)| at.map_or(pad, |at| 5 + ((at * 7 + row * 13) % 80) as i64)).collect();
    let mask: Vec<i64> = cells().map(|(_, at)| i64::from(at.is_some())).collect();
    [ids, mask].map(|values| Tensor::from_data(TensorData::new(values, [LENGTHS.len(), LONGEST]), device))
}

/// Check that logits and gradients without padding are the same as those of the padded batch.
fn agree<M: Module>(name: &str, model: &M, without: impl Fn(&M) -> Tensor<2>, padded: impl Fn(&M) -> Tensor<2>) {
    let of = |logits: Tensor<2>| {
        let gradients = gradients(model, &logits.clone().powi_scalar(2).sum().backward());
        (logits.into_data().iter::<f32>().collect::<Vec<f32>>(), gradients)
    };
    let ((logits, of_logits), (expected, of_expected)) = (of(without(model)), of(padded(model)));
    assert_eq!(logits.len(), expected.len());
    // The order of the sums differs. If all values were equal to the last bit, both passes would have computed the padding.
    assert_ne!(of_logits, of_expected, "{name}: both passes are the same");
    close(&format!("{name}: logits"), &logits, &expected);
    for (at, (found, expected)) in of_logits.iter().zip(&of_expected).enumerate() {
        assert_eq!(found.len(), expected.len());
        close(&format!("{name}: gradient {at}"), found, expected);
    }
}

/// The logits at `positions`, each `row · length + column`.
fn chosen(logits: Tensor<3>, positions: Tensor<1, Int>) -> Tensor<2> {
    let [batch, length, width] = logits.dims();
    logits.reshape([batch * length, width]).select(0, positions)
}

/// The positions of some real tokens: two of the first row, the only one of the second row, and two of the third row.
fn positions(left: bool, device: &Device) -> Tensor<1, Int> {
    let place = |row: usize, at: usize| (row * LONGEST + at + if left { LONGEST - LENGTHS[row] } else { 0 }) as i64;
    Tensor::from_data([place(0, 1), place(0, 4), place(1, 0), place(2, 3), place(2, 12)], device)
}

#[test]
fn padding_does_not_change_a_masked_language_model() {
    let device = Device::flex().autodiff();
    for family in [Family::Bert, Family::Roberta] {
        let mut config = EncoderConfig::new(family, 90, 32, 3);
        (config.hidden_dropout_prob, config.attention_probs_dropout_prob) = (0.0, 0.0);
        let model = MaskedLanguageModel::init(&config, 3, &device).unwrap();
        let [input_ids, mask] = ids_and_mask(config.pad_token_id as i64, false, &device);
        let input = EncoderInput { input_ids, attention_mask: Some(mask), token_type_ids: None };
        let positions = positions(false, &device);
        agree(
            &format!("{family:?}"),
            &model,
            |model| model.forward_at(input.clone(), positions.clone()),
            |model| chosen(model.forward(input.clone()), positions.clone()),
        );
    }
}

#[test]
fn padding_on_either_side_does_not_change_llama() {
    let device = Device::flex().autodiff();
    let mut config = LlamaConfig::new(90, 32, 2, 4);
    (config.intermediate_size, config.num_key_value_heads, config.pad_token_id) = (64, 2, Some(0));
    let model = LlamaLanguageModel::init(&config, 3, &device).unwrap();
    for left in [false, true] {
        let [input_ids, mask] = ids_and_mask(0, left, &device);
        let input = LlamaInput { input_ids, attention_mask: Some(mask) };
        let positions = positions(left, &device);
        agree(
            &format!("padding on the left: {left}"),
            &model,
            |model| model.forward_at(input.clone(), positions.clone()),
            |model| chosen(model.forward(input.clone()), positions.clone()),
        );
    }
    config.labels = vec!["a".to_string(), "b".to_string()];
    let model = LlamaClassifier::init(&config, 3, &device).unwrap();
    let [input_ids, mask] = ids_and_mask(0, false, &device);
    let input = LlamaInput { input_ids, attention_mask: Some(mask) };
    let singly = |model: &LlamaClassifier| {
        let rows = LENGTHS.iter().enumerate().map(|(row, length)| {
            let input_ids = input.input_ids.clone().slice([row..row + 1, 0..*length]);
            model.forward(LlamaInput { input_ids, attention_mask: None })
        });
        Tensor::cat(rows.collect(), 0)
    };
    agree("classifier", &model, |model| model.forward(input.clone()), singly);
}

#[test]
fn padding_does_not_change_either_side_of_bart() {
    let device = Device::flex().autodiff();
    let mut config = BartConfig::new(90, 32, 2);
    config.dropout = 0.0;
    let model = BartLanguageModel::init(&config, 3, &device).unwrap();
    let [ids, mask] = ids_and_mask(config.pad_token_id as i64, false, &device);
    let [decoder_ids, decoder_mask] = [&ids, &mask].map(|tensor| tensor.clone().flip([0]));
    // The decoder's rows are the encoder's rows in reverse order, so the second row of the decoder is the third of the encoder.
    let at = |row: usize, column: usize| (row * LONGEST + column) as i64;
    let positions = Tensor::<1, Int>::from_data([at(0, 3), at(0, 8), at(1, 16), at(2, 0), at(3, 2)], &device);
    for (mask, decoder_mask) in [
        (Some(mask.clone()), Some(decoder_mask.clone())),
        (Some(mask.clone()), None),
        (None, Some(decoder_mask.clone())),
    ] {
        let name = format!("masks: {}, {}", mask.is_some(), decoder_mask.is_some());
        let input = BartInput {
            input_ids: ids.clone(),
            attention_mask: mask,
            decoder_input_ids: Some(decoder_ids.clone()),
            decoder_attention_mask: decoder_mask,
        };
        agree(
            &name,
            &model,
            |model| model.forward_at(input.clone(), positions.clone()),
            |model| chosen(model.forward(input.clone()), positions.clone()),
        );
    }
}

#[test]
fn padding_does_not_change_a_classifier_of_bart() {
    let device = Device::flex().autodiff();
    let mut config = BartConfig::new(90, 32, 2);
    (config.dropout, config.classifier_dropout) = (0.0, 0.0);
    config.labels = vec!["a".to_string(), "b".to_string(), "c".to_string()];
    let model = BartClassifier::init(&config, 3, &device).unwrap();
    let pad = config.pad_token_id as i64;
    let [ids, mask] = ids_and_mask(pad, false, &device);
    // The last token of each row is the end-of-sequence token.
    let last = LENGTHS.map(|length| [length as i64 - 1]);
    let columns = Tensor::<1, Int>::arange(0..LONGEST as i64, &device).unsqueeze::<2>().expand([4, LONGEST]);
    let ends = columns.equal(Tensor::<2, Int>::from_data(last, &device).expand([4, LONGEST]));
    let ids = ids.mask_fill(ends, config.eos_token_id as i64);
    let input = |input_ids: Tensor<2, Int>, mask| BartInput {
        input_ids,
        attention_mask: mask,
        decoder_input_ids: None,
        decoder_attention_mask: None,
    };
    let singly = |model: &BartClassifier| {
        let row =
            |(row, length): (usize, &usize)| model.forward(input(ids.clone().slice([row..row + 1, 0..*length]), None));
        Tensor::cat(LENGTHS.iter().enumerate().map(row).collect(), 0)
    };
    agree("classifier", &model, |model| model.forward(input(ids.clone(), Some(mask.clone()))), singly);
}

/// The logits after a common beginning, which is processed once, are the same as those of the whole texts. The texts have
/// different lengths.
#[test]
fn a_common_beginning_does_not_change_the_logits() {
    let device = Device::flex();
    let mut config = LlamaConfig::new(90, 32, 2, 4);
    (config.intermediate_size, config.num_key_value_heads) = (64, 2);
    let model = LlamaLanguageModel::init(&config, 3, &device).unwrap();
    let texts: [&[u32]; 3] = [&[7], &[11, 12, 13, 14, 15], &[21, 22]];
    for beginning in [&[][..], &[5, 6, 8, 9, 10, 11, 60]] {
        let logits = LlamaScorer::new(&model, beginning).logits(&texts);
        for (text, logits) in texts.iter().zip(logits.chunks(90)) {
            let whole: Vec<i64> = beginning.iter().chain(*text).map(|id| i64::from(*id)).collect();
            let count = whole.len();
            let input_ids = Tensor::from_data(TensorData::new(whole, [1, count]), &device);
            let all = model.forward(LlamaInput { input_ids, attention_mask: None });
            let expected: Vec<f32> = all.into_data().iter::<f32>().skip((count - 1) * 90).collect();
            close(&format!("{beginning:?}, {text:?}"), logits, &expected);
        }
    }
}
