//! Pictures as pixel values, with the results of Hugging Face's image processor for ViT and Pillow.
//!
//! A picture is opened as `transformers.image_utils.load_image` opens it: it is turned by its EXIF orientation and
//! converted to RGB as Pillow's `convert("RGB")` does. Then follow the steps that the checkpoint's configuration asks
//! for: resize, center crop, rescale and normalize. Decoding and resizing follow Pillow 13's arithmetic to the last
//! bit, so a checkpoint gives the same answers as in Python.

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
    /// `[channels, height, width]`, row by row: all of red, then green, then blue, or the brightness alone. The
    /// configuration decides the unit. With the defaults of ViT, black is -1 and white is 1.
    pub values: Vec<f32>,
    /// 3, or 1 for a model that sees brightness.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The steps from a picture to pixel values.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageProcessor {
    resize: Option<(Target, Filter)>,
    /// Height and width.
    crop: Option<(usize, usize)>,
    /// The factor of a sample of 0 to 255.
    rescale: Option<f64>,
    normalize: Option<Normalize>,
    /// Whether pictures become brightness alone.
    gray: bool,
}

/// The size to which a picture is resized, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Height and width, regardless of the picture's shape.
    Exactly { height: usize, width: usize },
    /// The length of the shorter side. The aspect ratio is kept.
    ShortestEdge(usize),
    /// The same, unless the longer side would be longer than `longest`.
    Within { shortest: usize, longest: usize },
}

/// The mean that is subtracted from each channel, and the standard deviation that divides the result.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Normalize {
    mean: [f32; 3],
    std: [f32; 3],
}

impl ImageProcessor {
    /// Reads a checkpoint's folder: `processor_config.json` if it has an `image_processor`, else
    /// `preprocessor_config.json`, the order of transformers 5. A key that is absent has the value that the class named
    /// by `image_processor_type` gives it. If no class is named, it is ViT's.
    ///
    /// `do_convert_rgb` changes nothing: every picture is converted, and its transparency dropped. For the classes that
    /// set it, transformers 5 then paints the color white that a PNG declares as transparent. This is not done here.
    ///
    /// # Errors
    ///
    /// [`ImageError::MissingConfig`], [`ImageError::Io`], [`ImageError::Json`], [`ImageError::UnknownProcessor`],
    /// [`ImageError::Setting`].
    pub fn from_folder(folder: &Path) -> Result<Self, ImageError> {
        config::read(folder)
    }

    /// Reads the text of a `preprocessor_config.json`, which errors call `name`.
    ///
    /// # Errors
    ///
    /// The errors of [`from_folder`](Self::from_folder).
    pub fn from_json(name: &str, text: &str) -> Result<Self, ImageError> {
        config::parse(text, Path::new(name))
    }

    /// ViT's processor for pictures of `height` and `width` pixels: bilinear, values from -1 to 1.
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn new(height: usize, width: usize) -> Result<Self, ImageError> {
        config::vit(height, width)
    }

    /// The same steps for a model of `channels` channels: 1 sees brightness, any other number colors.
    pub fn for_channels(self, channels: usize) -> Self {
        Self { gray: channels == 1, ..self }
    }

    /// The same steps for results of `edge` rows and columns. A size of the shorter side and a crop keep their ratio, and so do
    /// height and width if the crop or the size is not a square: `edge` is the longer of both.
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

    /// The same values of the whole picture, which is resized to `edge` rows and columns regardless of its shape, by the bilinear
    /// filter. This is DomainBed's preparation of pictures.
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn whole(self, edge: usize) -> Result<Self, ImageError> {
        config::check_edge("image_size", edge)?;
        let target = Target::Exactly { height: edge, width: edge };
        Ok(Self { resize: Some((target, Filter::Bilinear)), crop: None, ..self })
    }

    /// The configuration as `preprocessor_config.json` has it, from which [`from_folder`](Self::from_folder) and transformers
    /// make the same steps.
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

    /// Turns the bytes of such a file into pixel values. `name` is the name of the file in errors.
    ///
    /// A damaged JPEG is refused, while Pillow fills the missing parts of some with gray. An animation gives its first
    /// picture.
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

    /// Resizes an opened picture as the configuration asks. `name` is the name of the file in errors.
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

    /// Makes the `changes` of an opened picture, which is then of the [`output_size`](Self::output_size), or of the size of the
    /// crop if there is none. The filter is the configuration's, or bilinear.
    ///
    /// # Panics
    ///
    /// If the crop of the changes is not within the picture.
    pub fn augment(&self, picture: &Picture, changes: &Changes) -> Picture {
        let (height, width) = self.output_size().unwrap_or((changes.crop.height, changes.crop.width));
        let filter = self.resize.map_or(Filter::Bilinear, |(_, filter)| filter);
        changes.apply(picture, height, width, filter)
    }

    /// Crops a resized picture and turns samples into values.
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

    /// The value of each of the 256 samples in a channel, computed with NumPy's types.
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

/// The `wanted` positions in the middle of `present` ones, with `None` for each that is outside. If the two differ by
/// an odd number, the start is rounded down as by Python's `//`, also below zero.
fn window(present: usize, wanted: usize) -> Vec<Option<usize>> {
    let first = (present as isize - wanted as isize).div_euclid(2);
    (0..wanted)
        .map(|position| usize::try_from(position as isize + first).ok().filter(|position| *position < present))
        .collect()
}
