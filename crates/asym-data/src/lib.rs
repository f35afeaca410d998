//! Readers of machine learning files: repositories of the Hugging Face Hub, tokenizers, image processors and tables.
//!
//! This crate handles file formats, token ids and pixels. It contains no tensors, models or tasks, and it does not depend on
//! any other crate of the workspace. Each module can be used without the others.
//!
//! | module | reads | errors |
//! |---|---|---|
//! | [`hub`] | models and data sets of the Hugging Face Hub, or of its cache; needs the feature `hub` | [`HubError`] |
//! | [`tokenizer`] | a checkpoint's tokenizer, which turns texts into token ids and back | [`TokenizerError`] |
//! | [`image_processor`] | a checkpoint's image processor, which turns pictures into pixel values | [`ImageError`] |
//! | [`pictures`] | folders and tables of pictures, without decoding them | [`PicturesError`] |
//! | [`table`] | rows of TSV, CSV, JSON lines and Parquet files | [`TableError`] |
//! | [`template`] | Jinja templates written by a user | [`TemplateError`] |

#[cfg(feature = "hub")]
pub mod hub;
pub mod image_processor;
mod panics;
pub mod pictures;
pub mod table;
pub mod template;
pub mod tokenizer;

#[cfg(test)]
#[path = "../../../tests/common/damage.rs"]
mod damage;
#[cfg(test)]
mod scratch;

#[cfg(feature = "hub")]
pub use hub::{Hub, HubError, HubOptions};
pub use image_processor::{Augmentation, ImageError, ImageProcessor, Picture, Pixels};
pub use pictures::{PictureFile, PicturesError};
pub use table::{Cell, Columns, Format, Reading, Row, TableError};
pub use template::{TemplateError, TextTemplate};
pub use tokenizer::{
    ChatTemplate, Encoding, Message, ModelLimits, SentencePieceError, SpanTokenizer, Spans, Tokenizer, TokenizerError,
};
