//! placeholder
/// What generation asks of a model: logits of the next token, row by row.
pub trait NextToken {
    /// Number of tokens.
    fn vocab_size(&self) -> usize;
    /// Take in the prompts: logits after the last token of each, `[rows, vocab_size]`.
    fn start(&mut self) -> Vec<f32>;
    /// Row i continues what row `rows[i]` of the last call was, with `tokens[i]`; its logits, `[rows.len(), vocab_size]`.
    fn step(&mut self, rows: &[usize], tokens: &[u32]) -> Vec<f32>;
}
/// placeholder
pub fn generate() {}
