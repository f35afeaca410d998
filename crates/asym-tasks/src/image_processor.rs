//! Pictures in, a model's numbers out, as Hugging Face's image processor for ViT over Pillow makes them.
//!
//! A picture is opened as `transformers.image_utils.load_image` opens it: turned as its EXIF orientation says and
//! converted to RGB as Pillow's `convert("RGB")` does. What follows is the processor's: resize, centre crop, rescale,
//! normalise, each where the checkpoint's configuration asks for it. Decoding and resizing do Pillow 13's arithmetic to
//! the last bit, so that a checkpoint answers here as it does there.

mod config;
mod decode;
mod error;
mod resize;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::ImageError;
use resize::Filter;

/// Pillow's own limit: it refuses a picture of more pixels.
const MAX_PIXELS: usize = 178_956_970;

/// A picture as a model takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// `[3, height, width]`, row by row: all of red, then green, then blue. The configuration decides their unit: with
    /// ViT's own, black is -1 and white 1.
    pub values: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The steps between a file and a model, every one of them decided.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageProcessor {
    resize: Option<(Target, Filter)>,
    /// Height and width.
    crop: Option<(usize, usize)>,
    /// What a sample of 0 to 255 is multiplied by.
    rescale: Option<f64>,
    normalize: Option<Normalize>,
}

/// The size that a picture is brought to, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// Whatever the picture's shape.
    Exactly { height: usize, width: usize },
    /// The shorter side; the other keeps the picture's shape.
    ShortestEdge(usize),
}

/// What is taken from a channel, and what it is divided by after that.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Normalize {
    mean: [f32; 3],
    std: [f32; 3],
}

impl ImageProcessor {
    /// Reads a checkpoint's folder: `processor_config.json` where it has an `image_processor`, else
    /// `preprocessor_config.json`, the order of transformers 5. A key that is absent has the value that the class named
    /// by `image_processor_type` gives it; where no class is named, that is ViT's.
    ///
    /// `do_convert_rgb` changes nothing: every picture is converted, and its transparency dropped. For the classes that
    /// set it, transformers 5 paints white, after that, the one colour that a PNG may declare transparent; not so here.
    ///
    /// # Errors
    ///
    /// [`ImageError::MissingConfig`], [`ImageError::Io`], [`ImageError::Json`], [`ImageError::UnknownProcessor`],
    /// [`ImageError::Setting`].
    pub fn from_folder(folder: &Path) -> Result<Self, ImageError> {
        config::read(folder)
    }

    /// ViT's processor for pictures of `height` and `width` pixels: bilinear, values from -1 to 1.
    ///
    /// # Errors
    ///
    /// [`ImageError::Setting`].
    pub fn new(height: usize, width: usize) -> Result<Self, ImageError> {
        config::vit(height, width)
    }

    /// The height and width of every result; none where a picture keeps its shape.
    pub fn output_size(&self) -> Option<(usize, usize)> {
        match (self.crop, self.resize) {
            (Some(size), _) => Some(size),
            (None, Some((Target::Exactly { height, width }, _))) => Some((height, width)),
            (None, _) => None,
        }
    }

    /// Reads a PNG, JPEG, WebP or BMP file, whatever its name ends in.
    ///
    /// # Errors
    ///
    /// [`ImageError::Io`], [`ImageError::Folder`], and what [`process`](Self::process) refuses.
    pub fn read(&self, path: &Path) -> Result<Pixels, ImageError> {
        // Asked first, since what reading a folder says differs between systems.
        if path.is_dir() {
            return Err(ImageError::Folder { path: path.to_owned() });
        }
        let bytes = std::fs::read(path).map_err(|source| ImageError::Io { path: path.to_owned(), source })?;
        self.process(&path.display().to_string(), &bytes)
    }

    /// Turns the bytes of such a file, which errors call `name`, into a model's numbers.
    ///
    /// A JPEG that is damaged anywhere is refused, while Pillow fills some of them up with grey. Of an animation the
    /// first picture is taken.
    ///
    /// # Errors
    ///
    /// [`ImageError::Empty`], [`ImageError::NotAnImage`], [`ImageError::UnsupportedFormat`],
    /// [`ImageError::TooManyPixels`], [`ImageError::Undecodable`].
    pub fn process(&self, name: &str, bytes: &[u8]) -> Result<Pixels, ImageError> {
        let mut picture = decode::decode(name, bytes)?;
        if let Some((target, filter)) = self.resize {
            let (height, width) = target.of(&picture);
            check_pixels(name, "resized, it", width, height)?;
            picture = resize::resize(picture, height, width, filter);
        }
        Ok(self.finish(&picture))
    }

    /// Crops and turns samples into values.
    fn finish(&self, picture: &Picture) -> Pixels {
        let (height, width) = self.crop.unwrap_or((picture.height, picture.width));
        let rows = window(picture.height, height);
        let columns = window(picture.width, width);
        let mut values = Vec::with_capacity(3 * height * width);
        for channel in 0..3 {
            let value = self.values_of(channel);
            for row in &rows {
                values.extend(columns.iter().map(|column| {
                    // What lies outside is black before it is normalised.
                    let sample = row.zip(*column).map_or(0, |(row, column)| picture.pixel(row, column)[channel]);
                    value[usize::from(sample)]
                }));
            }
        }
        Pixels { values, height, width }
    }

    /// The value of each of the 256 samples in a channel, computed in NumPy's types.
    fn values_of(&self, channel: usize) -> [f32; 256] {
        std::array::from_fn(|sample| {
            let value = self.rescale.map_or(sample as f32, |factor| (sample as f64 * factor) as f32);
            self.normalize.map_or(value, |normalize| (value - normalize.mean[channel]) / normalize.std[channel])
        })
    }
}

/// A picture in RGB: three samples a pixel, row by row.
#[derive(Debug)]
struct Picture {
    samples: Vec<u8>,
    height: usize,
    width: usize,
}

impl Picture {
    fn pixel(&self, row: usize, column: usize) -> [u8; 3] {
        let start = (row * self.width + column) * 3;
        [self.samples[start], self.samples[start + 1], self.samples[start + 2]]
    }
}

impl Target {
    /// The height and width that `picture` is brought to.
    fn of(self, picture: &Picture) -> (usize, usize) {
        // Python divides as floats, and cuts off what is behind the point.
        let longer = |edge: usize, long: usize, short: usize| ((edge * long) as f64 / short as f64) as usize;
        match self {
            Self::Exactly { height, width } => (height, width),
            Self::ShortestEdge(edge) if picture.width <= picture.height => {
                (longer(edge, picture.height, picture.width), edge)
            }
            Self::ShortestEdge(edge) => (edge, longer(edge, picture.width, picture.height)),
        }
    }
}

/// The `wanted` positions in the middle of `present` ones, none for each that lies outside. Where the two differ by an
/// odd number, the window begins as far left as Python's `//` rounds: downwards, below zero too.
fn window(present: usize, wanted: usize) -> Vec<Option<usize>> {
    let first = (present as isize - wanted as isize).div_euclid(2);
    (0..wanted)
        .map(|position| usize::try_from(position as isize + first).ok().filter(|position| *position < present))
        .collect()
}

/// Refuses a picture that would fill the memory.
fn check_pixels(name: &str, what: &'static str, width: usize, height: usize) -> Result<(), ImageError> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { path: name.to_owned(), what, width, height, limit: MAX_PIXELS });
    }
    Ok(())
}
