//! The loss of a causal language model.

use asym_kernels::cross_entropy;
use asym_models::LlamaLanguageModel;
use asym_train::Objective;
use burn::tensor::Tensor;

use super::batch::LanguageBatch;

/// Cross-entropy, averaged over the labeled tokens.
///
/// The logits are computed only for labeled tokens. The head is the largest layer of a small model, and logits for all tokens
/// would need more memory than all other tensors.
#[derive(Clone, Copy, Debug)]
pub struct LanguageLoss;

impl Objective for LanguageLoss {
    type Model = LlamaLanguageModel;
    type Batch = LanguageBatch;

    fn loss(&self, model: &LlamaLanguageModel, batch: &LanguageBatch) -> Tensor<1> {
        let logits = model.forward_at(batch.input.clone(), batch.positions.clone()); // [labels, vocab_size]
        cross_entropy(logits, batch.targets.clone(), 0.0)
    }
}
