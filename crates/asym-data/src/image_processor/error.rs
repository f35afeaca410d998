//! Errors of an image processor's configuration, or of a picture.

use std::path::PathBuf;

/// An error of a decoder, whose own type is this box, or of the reader of JSON, whose own type is inside.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// An [`ImageProcessor`](super::ImageProcessor) cannot be read, or it refuses a picture.
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

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the path exists and may be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// A configuration is not JSON, or a key has a value of the wrong type.
    #[error("{}: {source}; fetch the file again, or repair it", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The error of the reader.
        source: Source,
    },

    /// A class has other steps than ViT's.
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
        /// The classes that are known, without `ImageProcessor` after their names.
        known: Vec<&'static str>,
    },

    /// A setting is outside its range, or asks for a step that is not supported.
    #[error("{path}: `{key}` is {found}: it must be {expected}")]
    Setting {
        /// The file, or the function that was given the value.
        path: String,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The values that are allowed.
        expected: String,
    },

    /// A path is a folder and not a picture.
    #[error("{}: a folder, not a picture; name a file", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },

    /// A file is empty.
    #[error("{path}: the file is empty; fetch it again")]
    Empty {
        /// The file.
        path: String,
    },

    /// The first bytes are not those of a known picture format.
    #[error("{path}: not a picture that is known; give {expected}")]
    NotAnImage {
        /// The file.
        path: String,
        /// The formats that are read.
        expected: &'static str,
    },

    /// A format is recognized but not supported.
    #[error("{path}: a picture in {found}, which is not read; save it as {expected}")]
    UnsupportedFormat {
        /// The file.
        path: String,
        /// The format.
        found: String,
        /// The formats that are read.
        expected: &'static str,
    },

    /// A picture has no pixels. A JPEG may leave its height open in the header, which is not read.
    #[error("{path}: {what} has {width} x {height} pixels; save the picture again")]
    NoPixels {
        /// The file.
        path: String,
        /// The picture, or the result of its resizing.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },

    /// A picture has too many pixels.
    #[error(
        "{path}: {what} has {width} x {height} pixels, more than the {limit} that are read; make the picture smaller"
    )]
    TooManyPixels {
        /// The file.
        path: String,
        /// The picture, or the result of its resizing.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The largest number of pixels.
        limit: usize,
    },

    /// A picture cannot be written.
    #[error("the picture cannot be written as PNG: {source}")]
    Unencodable {
        /// The error of the encoder.
        source: Source,
    },

    /// A picture is cut short or damaged, or its decoder does not support its kind.
    #[error("{path}: cannot be decoded: {source}; fetch the picture again, or save it again")]
    Undecodable {
        /// The file.
        path: String,
        /// The error of the decoder.
        source: Source,
    },
}
