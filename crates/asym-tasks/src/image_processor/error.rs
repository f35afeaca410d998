//! What can be wrong with an image processor's configuration, or with a picture.

use std::path::PathBuf;

/// An error of a library below, whose own type is this box.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that an [`ImageProcessor`](super::ImageProcessor) refuses, each with where it is and what to do.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A checkpoint's folder does not say how its pictures are prepared.
    #[error(
        "{}: neither preprocessor_config.json nor a processor_config.json with an `image_processor`: fetch the \
        checkpoint's, or give the size that the model takes",
        folder.display()
    )]
    MissingConfig {
        /// The folder that was searched.
        folder: PathBuf,
    },

    /// The operating system refused a file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// A configuration is no JSON, or a key holds another type than it should.
    #[error("{}: {source}; fetch the file again, or repair it", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },

    /// A class whose steps are others than ViT's.
    #[error(
        "{path}: `{key}` is `{found}`, whose steps are not done here; use a checkpoint with the ImageProcessor of {}",
        known.join(", ")
    )]
    UnknownProcessor {
        /// The file.
        path: String,
        /// The key that names the class.
        key: &'static str,
        /// The class.
        found: String,
        /// The classes that are known, without `ImageProcessor` behind their names.
        known: Vec<&'static str>,
    },

    /// A setting outside its range, or one that asks for what is not done here.
    #[error("{path}: `{key}` is {found}: it must be {expected}")]
    Setting {
        /// The file, or the function that was given the value.
        path: String,
        /// The key.
        key: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        expected: String,
    },

    /// A folder where a picture should be.
    #[error("{}: a folder, not a picture; name a file", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },

    /// A file of no bytes.
    #[error("{path}: the file is empty; fetch it again")]
    Empty {
        /// The file.
        path: String,
    },

    /// Bytes that begin like no picture.
    #[error("{path}: not a picture that is known; give {expected}")]
    NotAnImage {
        /// The file.
        path: String,
        /// The formats that are read.
        expected: &'static str,
    },

    /// A format that is recognised but not read.
    #[error("{path}: a picture in {found}, which is not read; save it as {expected}")]
    UnsupportedFormat {
        /// The file.
        path: String,
        /// The format.
        found: String,
        /// The formats that are read.
        expected: &'static str,
    },

    /// More pixels than can be held.
    #[error(
        "{path}: {what} has {width} x {height} pixels, more than the {limit} that are read; make the picture smaller"
    )]
    TooManyPixels {
        /// The file.
        path: String,
        /// The picture, or what it would be resized to.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The most pixels.
        limit: usize,
    },

    /// A picture that is cut short, damaged, or of a kind that its format's reader does not have.
    #[error("{path}: cannot be decoded: {source}; fetch the picture again, or save it anew")]
    Undecodable {
        /// The file.
        path: String,
        /// What the decoder said.
        source: Source,
    },
}
