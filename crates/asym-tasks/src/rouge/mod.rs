//! ROUGE of summaries: the scores of `rouge_score`, sentence splitting as in NLTK's Punkt, and bootstrap intervals.
//!
//! | file | contents |
//! |---|---|
//! | `score.rs` | the scores of one summary |
//! | `punkt.rs` | sentences of English text |
//! | `report.rs` | means over summaries with intervals, and their table |
//! | `files.rs` | summaries and references from files |

mod error;
mod files;
mod punkt;
mod report;
mod score;
#[cfg(test)]
mod tests;

pub use error::RougeError;
pub use files::{Column, Texts};
pub use punkt::sentences;
pub use report::{Bootstrap, Mean, RougeReport};
pub use score::{Measure, Rouge, RougeScore, VARIANTS};
