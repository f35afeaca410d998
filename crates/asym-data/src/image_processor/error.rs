//! Errors of an image processor's configuration, or of a picture.

use std::path::PathBuf;

/// An error of a decoder, which returns this type, or a boxed error of the JSON reader.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// An [`ImageProcessor`](super::ImageProcessor) cannot be read, or it refuses a picture.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A checkpoint's folder has no configuration of an image processor.
    #[error(
        "{}: neither preprocessor_config.json nor a processor_config.json with an `image_processor`; fetch the \
        file of the checkpoint, or give the input size of the model",
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

    /// The steps of a class are not supported.
    #[error(
        "{path}: `{key}` is `{found}`, which is not supported; use a checkpoint with the ImageProcessor of {}",
        known.join(", ")
    )]
    UnknownProcessor {
        /// The file.
        path: String,
        /// The key of the class.
        key: &'static str,
        /// The class.
        found: String,
        /// The supported classes, without `ImageProcessor` at the end of their names.
        known: Vec<&'static str>,
    },

    /// A setting is outside its range, or requires a step that is not supported.
    #[error("{path}: `{key}` is {found}: it must be {expected}")]
    Setting {
        /// The file, or the function that received the value.
        path: String,
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The allowed values.
        expected: String,
    },

    /// A path is a folder and not a picture.
    #[error("{}: this is a folder, not a picture; give a file", path.display())]
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

    /// The first bytes of a file do not match a known picture format.
    #[error("{path}: not a picture of a known format; use {expected}")]
    NotAnImage {
        /// The file.
        path: String,
        /// The supported formats.
        expected: &'static str,
    },

    /// A format is recognized but not supported.
    #[error("{path}: the picture format {found} is not supported; save the picture as {expected}")]
    UnsupportedFormat {
        /// The file.
        path: String,
        /// The format.
        found: String,
        /// The supported formats.
        expected: &'static str,
    },

    /// A picture has no pixels. A JPEG may leave its height open in the header. Such a JPEG is not supported.
    #[error("{path}: {what} has {width} x {height} pixels; save the picture again")]
    NoPixels {
        /// The file.
        path: String,
        /// The picture, or the result of its resizing.
        what: &'static str,
        /// The number of columns.
        width: usize,
        /// The number of rows.
        height: usize,
    },

    /// A picture has too many pixels.
    #[error("{path}: {what} has {width} x {height} pixels, more than the limit of {limit}; make the picture smaller")]
    TooManyPixels {
        /// The file.
        path: String,
        /// The picture, or the result of its resizing.
        what: &'static str,
        /// The number of columns.
        width: usize,
        /// The number of rows.
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

    /// A picture is truncated or damaged, or its decoder does not support this kind of picture.
    #[error("{path}: the picture cannot be decoded: {source}; fetch it again, or save it again")]
    Undecodable {
        /// The file.
        path: String,
        /// The error of the decoder.
        source: Source,
    },
}
