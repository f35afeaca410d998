//! Conversion of pictures to pixel values, with the same results as the image processors of Hugging Face's transformers with
//! Pillow.
//!
//! A picture is opened as in `transformers.image_utils.load_image`: it is rotated by its EXIF orientation and converted to RGB
//! as by Pillow's `convert("RGB")`. The steps of the checkpoint's configuration follow: resize, center crop, rescale and
//! normalize. Decoding and resizing are bit-identical to Pillow 13, so a checkpoint computes the same results as in Python.

mod augment;
mod config;
mod decode;
mod error;
mod picture;
mod resize;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use augment::{Augmentation, Changes, Jitter};
pub use error::ImageError;
use picture::check_pixels;
pub use picture::{Crop, Picture};
use resize::Filter;

/// The pixel values of a picture, for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// The values of shape `[channels, height, width]`, row by row: all red values, then green, then blue, or the brightness
    /// alone. The configuration determines their range. With the defaults of ViT, black is -1 and white is 1.
    pub values: Vec<f32>,
    /// The number of channels: 3 for colors, or 1 for brightness.
    pub channels: usize,
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
}

/// The steps from a picture to pixel values.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageProcessor {
    resize: Option<(Target, Filter)>,
    /// Height and width.
    crop: Option<(usize, usize)>,
    /// The factor by which a sample from 0 to 255 is multiplied.
    rescale: Option<f64>,
    normalize: Option<Normalize>,
    /// Whether pictures are converted to brightness.
    gray: bool,
}

/// The size to which a picture is resized, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Height and width, regardless of the picture's aspect ratio.
    Exactly { height: usize, width: usize },
    /// The length of the shorter side. The aspect ratio is kept.
    ShortestEdge(usize),
    /// The length of the shorter side, reduced if the longer side would be longer than `longest`. The aspect ratio is kept.
    Within { shortest: usize, longest: usize },
}

/// The mean that is subtracted from each channel, and the standard deviation by which the result is divided.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Normalize {
    mean: [f32; 3],
    std: [f32; 3],
}

impl ImageProcessor {
    /// Reads a checkpoint's folder: `processor_config.json` if it has an `image_processor`, else `preprocessor_config.json`, as
    /// in transformers 5. An absent key has the default of the class in `image_processor_type`. If no class is given, the class
    /// is ViT's.
    ///
    /// `do_convert_rgb` is ignored: every picture is converted to RGB, and transparency is dropped. For the classes that set
    /// this key, transformers 5 also replaces the transparent color of a PNG by white. This is not done here.
    ///
    /// # Errors
    ///
    /// [`ImageError::MissingConfig`], [`ImageError::Io`], [`ImageError::Json`], [`ImageError::UnknownProcessor`],
    /// [`ImageError::Setting`].
    pub fn from_folder(folder: &Path) -> Result<Self, ImageError> {
        config::read(folder)
    }

    /// Reads the text of a `preprocessor_config.json`. `name` is the name of the file in errors.
    ///
    /// # Errors
    ///
    /// The errors of [`from_folder`](Self::from_folder).
    pub fn from_json(name: &str, text: &str) -> Result<Self, ImageError> {
        config::parse(text, Path::new(name))
    }

    /// ViT's processor with results of `height` rows and `width` columns: bilinear resizing, and values from -1 to 1.
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn new(height: usize, width: usize) -> Result<Self, ImageError> {
        config::vit(height, width)
    }

    /// The same steps for a model of `channels` channels. The values are brightness for 1 channel and colors for any other
    /// number.
    pub fn for_channels(self, channels: usize) -> Self {
        Self { gray: channels == 1, ..self }
    }

    /// The same steps for results of `edge` rows and columns. The resize and the crop are scaled by the same factor. If the
    /// result is not a square, its aspect ratio is kept, and `edge` is its longer side. If the size of the result depends on
    /// the picture, this is [`whole`](Self::whole).
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn with_size(self, edge: usize) -> Result<Self, ImageError> {
        config::check_edge("image_size", edge)?;
        let Some((height, width)) = self.output_size() else {
            return self.whole(edge);
        };
        let longer = height.max(width);
        let scaled = |side: usize| ((side * edge) as f64 / longer as f64).round().max(1.0) as usize;
        let resize = self.resize.map(|(target, filter)| {
            let target = match target {
                Target::Exactly { height, width } => Target::Exactly { height: scaled(height), width: scaled(width) },
                Target::ShortestEdge(edge) => Target::ShortestEdge(scaled(edge)),
                Target::Within { shortest, longest } => {
                    Target::Within { shortest: scaled(shortest), longest: scaled(longest) }
                }
            };
            (target, filter)
        });
        let crop = self.crop.map(|(height, width)| (scaled(height), scaled(width)));
        Ok(Self { resize, crop, ..self })
    }

    /// The same steps without a crop: the whole picture is resized to `edge` rows and columns with the bilinear filter,
    /// regardless of its aspect ratio. DomainBed prepares pictures in this way.
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn whole(self, edge: usize) -> Result<Self, ImageError> {
        config::check_edge("image_size", edge)?;
        let target = Target::Exactly { height: edge, width: edge };
        Ok(Self { resize: Some((target, Filter::Bilinear)), crop: None, ..self })
    }

    /// The configuration as the text of a `preprocessor_config.json`, from which [`from_folder`](Self::from_folder) and
    /// transformers read the same steps.
    pub fn to_json(&self) -> String {
        config::to_json(self)
    }

    /// The height and width of every result. `None` if they depend on the picture.
    pub fn output_size(&self) -> Option<(usize, usize)> {
        match (self.crop, self.resize) {
            (Some(size), _) => Some(size),
            (None, Some((Target::Exactly { height, width }, _))) => Some((height, width)),
            (None, _) => None,
        }
    }

    /// Reads a PNG, JPEG, WebP, BMP, GIF or TIFF file. The ending of its name does not matter.
    ///
    /// # Errors
    ///
    /// [`ImageError::Io`], [`ImageError::Folder`], and the errors of [`process`](Self::process).
    pub fn read(&self, path: &Path) -> Result<Pixels, ImageError> {
        // This is checked first, because the error of reading a folder differs between systems.
        if path.is_dir() {
            return Err(ImageError::Folder { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(|source| ImageError::Io { path: path.to_owned(), source })?;
        self.process(&path.display().to_string(), &bytes)
    }

    /// Converts the bytes of a picture's file to pixel values. `name` is the name of the file in errors.
    ///
    /// A damaged JPEG is refused, whereas Pillow fills the missing parts of some damaged JPEGs with gray. Only the first
    /// picture of an animation is read.
    ///
    /// # Errors
    ///
    /// [`ImageError::Empty`], [`ImageError::NotAnImage`], [`ImageError::UnsupportedFormat`],
    /// [`ImageError::TooManyPixels`], [`ImageError::Undecodable`].
    pub fn process(&self, name: &str, bytes: &[u8]) -> Result<Pixels, ImageError> {
        let picture = self.open(name, bytes)?;
        Ok(self.values(&self.fit(name, picture)?))
    }

    /// Decodes the bytes of a picture's file.
    ///
    /// # Errors
    ///
    /// The errors of [`process`](Self::process).
    pub fn open(&self, name: &str, bytes: &[u8]) -> Result<Picture, ImageError> {
        let picture = decode::decode(name, bytes)?;
        Ok(if self.gray { picture.gray() } else { picture })
    }

    /// Resizes an opened picture according to the configuration. `name` is the name of the file in errors.
    ///
    /// # Errors
    ///
    /// [`ImageError::TooManyPixels`].
    pub fn fit(&self, name: &str, picture: Picture) -> Result<Picture, ImageError> {
        let Some((target, filter)) = self.resize else { return Ok(picture) };
        let (height, width) = target.of(&picture);
        check_pixels(name, "resized, it", width, height)?;
        Ok(resize::resize(picture, height, width, filter))
    }

    /// Applies `changes` to an opened picture and resizes it to the [`output_size`](Self::output_size), or to the size of the
    /// changes' crop if there is none. The filter is that of the configuration, or bilinear.
    ///
    /// # Panics
    ///
    /// If the crop of the changes is not within the picture.
    pub fn augment(&self, picture: &Picture, changes: &Changes) -> Picture {
        let (height, width) = self.output_size().unwrap_or((changes.crop.height, changes.crop.width));
        let filter = self.resize.map_or(Filter::Bilinear, |(_, filter)| filter);
        changes.apply(picture, height, width, filter)
    }

    /// Crops a resized picture and converts its samples to values.
    pub fn values(&self, picture: &Picture) -> Pixels {
        let (height, width) = self.crop.unwrap_or((picture.height, picture.width));
        let rows = window(picture.height, height);
        let columns = window(picture.width, width);
        let channels = if self.gray { 1 } else { 3 };
        let mut values = Vec::with_capacity(channels * height * width);
        for channel in 0..channels {
            let value = self.values_of(channel);
            for row in &rows {
                values.extend(columns.iter().map(|column| {
                    // Pixels outside the picture are black before they are normalized.
                    let sample = row.zip(*column).map_or(0, |(row, column)| picture.pixel(row, column)[channel]);
                    value[usize::from(sample)]
                }));
            }
        }
        Pixels { values, channels, height, width }
    }

    /// The value of each of the 256 possible samples in a channel, computed with the same types as in NumPy.
    fn values_of(&self, channel: usize) -> [f32; 256] {
        std::array::from_fn(|sample| {
            let value = self.rescale.map_or(sample as f32, |factor| (sample as f64 * factor) as f32);
            self.normalize.map_or(value, |normalize| (value - normalize.mean[channel]) / normalize.std[channel])
        })
    }
}

impl Target {
    /// The height and width to which `picture` is resized.
    fn of(self, picture: &Picture) -> (usize, usize) {
        // As in Python, the division is in floats, and the fraction is cut off.
        let longer = |edge: usize, long: usize, short: usize| ((edge * long) as f64 / short as f64) as usize;
        match self {
            Self::Exactly { height, width } => (height, width),
            Self::ShortestEdge(edge) if picture.width <= picture.height => {
                (longer(edge, picture.height, picture.width), edge)
            }
            Self::ShortestEdge(edge) => (edge, longer(edge, picture.width, picture.height)),
            Self::Within { shortest, longest } => within(picture, shortest, longest),
        }
    }
}

/// `get_size_with_aspect_ratio` of transformers.
fn within(picture: &Picture, shortest: usize, longest: usize) -> (usize, usize) {
    let (height, width) = (picture.height, picture.width);
    let (short, long) = (height.min(width) as f64, height.max(width) as f64);
    let limited = (long / short * shortest as f64 > longest as f64).then(|| longest as f64 * short / long);
    // Python rounds a half to the even neighbor.
    let edge = limited.map_or(shortest, |edge| edge.round_ties_even() as usize).max(1);
    if height.min(width) == edge {
        return (height, width);
    }
    let other = (limited.unwrap_or(edge as f64) * long / short) as usize;
    if width < height { (other, edge) } else { (edge, other) }
}

/// The `wanted` positions in the middle of `present` positions, with `None` for each position outside. If `wanted` and
/// `present` differ by an odd number, the start is rounded down as by Python's `//`, also below zero.
fn window(present: usize, wanted: usize) -> Vec<Option<usize>> {
    let first = (present as isize - wanted as isize).div_euclid(2);
    (0..wanted)
        .map(|position| usize::try_from(position as isize + first).ok().filter(|position| *position < present))
        .collect()
}
