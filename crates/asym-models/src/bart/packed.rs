//! The forward pass of BART on a batch without its padding.

use asym_core::AdaptedEmbedding;
use asym_kernels::is_host;
use burn::tensor::{Int, Tensor};

use super::{Bart, BartInput, POSITION_OFFSET};
use crate::blocks::{Seen, rows};
use crate::packing::{Packing, places, values};

impl Bart {
    /// The decoder's last hidden states of its tokens at `positions`, each `row · decoder length + column`: `[count, d_model]`.
    ///
    /// On the host, padding and the tokens after a row's last position are not computed.
    pub(super) fn states_at(&self, input: BartInput, positions: Tensor<1, Int>) -> Tensor<2> {
        let ids = input.decoder_input_ids.clone().unwrap_or_else(|| self.moved_right(input.input_ids.clone()));
        let Some(Packed { encoder, decoder, wanted }) = Packed::of(&input, &ids, &positions) else {
            let input = BartInput { decoder_input_ids: Some(ids), ..input };
            return rows(self.forward(input)).select(0, positions);
        };
        let placed = |table: &AdaptedEmbedding, packing: &Packing| {
            table.forward(packing.columns().add_scalar(POSITION_OFFSET as i64)) // [1, tokens, d_model]
        };
        let hidden =
            self.encoder_input(encoder.tokens(&input.input_ids), placed(&self.encoder.embed_positions, &encoder));
        let encoded = self.encoder_blocks(hidden, &Seen::Sequences(encoder.sequences().clone()));
        let between = Seen::Sequences(decoder.sequences().attending_to(encoder.sequences()));
        let memory = self.memory_seen(&encoded, between);
        let hidden = self.decoder_input(decoder.tokens(&ids), placed(&self.decoder.embed_positions, &decoder));
        let seen = Seen::Sequences(decoder.sequences().clone());
        rows(self.decoder_blocks(hidden, &seen, &memory, None)).select(0, wanted)
    }
}

/// The tokens of the encoder and of the decoder without padding.
struct Packed {
    encoder: Packing,
    decoder: Packing,
    /// The index in `decoder` of each requested token.
    wanted: Tensor<1, Int>,
}

impl Packed {
    /// `None` if there is nothing to leave out, if a token at `positions` is padding, if a row has no token, or on a
    /// device whose memory is not the host's.
    fn of(input: &BartInput, decoder_ids: &Tensor<2, Int>, positions: &Tensor<1, Int>) -> Option<Self> {
        let encoder = Packing::new(&mask(&input.input_ids, input.attention_mask.as_ref())?, &input.input_ids)?;
        let positions = places(positions);
        let [batch, length] = decoder_ids.dims();
        // The decoder is causal, so later tokens have no effect.
        let mut last = vec![0; batch];
        for position in &positions {
            last[position / length] = last[position / length].max(position % length);
        }
        let mut of_decoder = mask(decoder_ids, input.decoder_attention_mask.as_ref())?;
        for (place, value) in of_decoder.iter_mut().enumerate() {
            if place % length > last[place / length] {
                *value = 0;
            }
        }
        let decoder = Packing::new(&of_decoder, decoder_ids)?;
        let wanted = decoder.find(positions)?;
        (encoder.has_padding() || decoder.has_padding()).then_some(Self { encoder, decoder, wanted })
    }
}

/// The values of the mask of `ids`. They are all 1 if `mask` is `None`. Returns `None` on a device whose memory is not
/// the host's.
fn mask(ids: &Tensor<2, Int>, mask: Option<&Tensor<2, Int>>) -> Option<Vec<i64>> {
    is_host(&ids.device()).then(|| mask.map_or_else(|| vec![1; ids.dims().iter().product()], values))
}
