//! The input of BERT and RoBERTa: a batch of token ids, with padding or without.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{EncoderConfig, Family};
use crate::ModelError;
use crate::inputs::{ATTENTION_MASK, INPUT_IDS, InputFile, ModelInput, check_ids, check_length, check_some};
use crate::packing::{Packing, values};

/// A batch of sequences, with the names of Hugging Face's tokenizers.
#[derive(Debug, Clone)]
pub struct EncoderInput {
    /// Token ids, `[batch, length]`.
    pub input_ids: Tensor<2, Int>,
    /// 1 for tokens and 0 for padding, `[batch, length]`. If it is `None`, there is no padding.
    pub attention_mask: Option<Tensor<2, Int>>,
    /// The type of each token, `[batch, length]`. If it is `None`, all types are 0.
    pub token_type_ids: Option<Tensor<2, Int>>,
}

const TOKEN_TYPE_IDS: &str = "token_type_ids";

/// The settings for padding the rows of a batch to one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// The model's `pad_token_id`.
    pub pad_id: usize,
    /// Whether the batch has token types, which are needed if the model has more than one type.
    pub token_types: bool,
}

impl From<&EncoderConfig> for Padding {
    fn from(config: &EncoderConfig) -> Self {
        Self { pad_id: config.pad_token_id, token_types: config.type_vocab_size > 1 }
    }
}

impl EncoderInput {
    /// Create a batch from rows of token ids and token types. The rows are padded on the right to the length of the
    /// longest row, and all integers are moved to `device` in one transfer.
    ///
    /// # Panics
    ///
    /// Panics if `rows` is empty.
    pub fn padded(rows: &[(&[u32], &[u32])], padding: Padding, device: &Device) -> Self {
        assert!(!rows.is_empty(), "a batch must have at least one row");
        let (batch, length) = (rows.len(), rows.iter().map(|(ids, _)| ids.len()).max().unwrap_or(0));
        let planes = if padding.token_types { 3 } else { 2 };
        let plane = batch * length;
        // All planes are in one buffer, one after the other, so their slices stay contiguous.
        let mut packed: Vec<i32> = Vec::with_capacity(planes * plane);
        let mut fill = |row: &mut dyn Iterator<Item = u32>, rest: usize| {
            let end = packed.len() + length;
            packed.extend(row.map(|id| id as i32));
            packed.resize(end, rest as i32);
        };
        rows.iter().for_each(|(ids, _)| fill(&mut ids.iter().copied(), padding.pad_id));
        rows.iter().for_each(|(ids, _)| fill(&mut ids.iter().map(|_| 1), 0));
        if padding.token_types {
            rows.iter().for_each(|(_, types)| fill(&mut types.iter().copied(), 0));
        }
        let total = packed.len();
        let packed: Tensor<1, Int> = Tensor::from_data(TensorData::new(packed, [total]), device);
        let matrix = |number: usize| -> Tensor<2, Int> {
            packed.clone().narrow(0, number * plane, plane).reshape([batch, length]) // [batch · length] -> [batch, length]
        };
        Self {
            input_ids: matrix(0),
            attention_mask: Some(matrix(1)),
            token_type_ids: padding.token_types.then(|| matrix(2)),
        }
    }
}

impl ModelInput for EncoderInput {
    type Config = EncoderConfig;

    fn read(file: &mut InputFile, device: &Device) -> Result<Self, ModelError> {
        let input_ids = file.ids(INPUT_IDS, device)?.ok_or_else(|| file.missing(INPUT_IDS))?;
        let attention_mask = file.ids_like(ATTENTION_MASK, (INPUT_IDS, &input_ids), device)?;
        let token_type_ids = file.ids_like(TOKEN_TYPE_IDS, (INPUT_IDS, &input_ids), device)?;
        Ok(Self { input_ids, attention_mask, token_type_ids })
    }

    fn check(&self, config: &EncoderConfig) -> Result<(), ModelError> {
        let shape @ [_, length] = self.input_ids.dims();
        check_some(INPUT_IDS, shape)?;
        let like = (INPUT_IDS, shape);
        let ids = check_ids(INPUT_IDS, &self.input_ids, like, config.vocab_size)?;
        if let Some(mask) = &self.attention_mask {
            check_ids(ATTENTION_MASK, mask, like, 2)?;
        }
        if let Some(types) = &self.token_type_ids {
            // A model without token types does not read them.
            check_ids(TOKEN_TYPE_IDS, types, like, config.type_vocab_size.max(1))?;
        }
        // In BERT, every column has a position. RoBERTa only counts the tokens that are not padding.
        let longest = match config.family {
            Family::Bert | Family::DistilBert => length,
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                let real = |row: &[i64]| row.iter().filter(|id| **id != config.pad_token_id as i64).count();
                ids.chunks(length).map(real).max().unwrap_or(0)
            }
        };
        check_length(INPUT_IDS, longest, config.max_length())
    }
}

/// The tokens of a batch without its padding. The sequences are concatenated in one row.
pub(super) struct Packed {
    /// Token ids, `[1, tokens]`.
    pub(super) ids: Tensor<2, Int>,
    /// The indices of the rows in the position embedding, `[1, tokens]`.
    pub(super) positions: Tensor<2, Int>,
    /// The type of each token, `[1, tokens]`.
    pub(super) types: Option<Tensor<2, Int>>,
    /// The index in the packed row of each requested token, `[count]`.
    pub(super) wanted: Tensor<1, Int>,
    pub(super) packing: Packing,
}

impl EncoderInput {
    /// The batch without its padding, for a model that only needs the states of the tokens at `wanted`, each
    /// `row · length + column`.
    ///
    /// `None` if one of these tokens is padding, or if [`Packing::of`] returns `None`.
    pub(super) fn without_padding(
        &self,
        config: &EncoderConfig,
        wanted: impl FnOnce() -> Vec<usize>,
    ) -> Option<Packed> {
        let packing = Packing::of(self.attention_mask.as_ref())?;
        let wanted = packing.find(wanted())?;
        let [_, length] = self.input_ids.dims();
        let ids = values(&self.input_ids);
        let positions: Vec<i64> = ids.chunks(length).flat_map(|row| config.positions(row)).collect();
        Some(Packed {
            ids: packing.pick(&ids),
            positions: packing.pick(&positions),
            types: self.token_type_ids.as_ref().map(|types| packing.tokens(types)),
            wanted,
            packing,
        })
    }
}

impl EncoderConfig {
    /// The indices of the rows in the position embedding for a row of token ids.
    fn positions(&self, ids: &[i64]) -> Vec<i64> {
        let pad = self.pad_token_id as i64;
        match self.family {
            Family::Bert | Family::DistilBert => (0..ids.len() as i64).collect(),
            // Positions count from pad_token_id + 1 over tokens that are not padding. The position of padding is pad_token_id.
            Family::Roberta | Family::XlmRoberta | Family::Camembert => {
                let mut count = 0;
                let place = |id: &i64| {
                    count += i64::from(*id != pad);
                    if *id == pad { pad } else { pad + count }
                };
                ids.iter().map(place).collect()
            }
        }
    }
}
