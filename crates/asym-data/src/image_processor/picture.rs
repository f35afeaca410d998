//! Decoded pictures.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};

use super::error::ImageError;

/// The largest number of pixels. Pillow has the same limit.
pub(super) const MAX_PIXELS: usize = 178_956_970;

/// A picture in RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Three samples per pixel, row by row.
    pub samples: Vec<u8>,
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
}

impl Picture {
    /// Pillow's `convert("L")`: each sample is replaced by the brightness of its pixel.
    pub(super) fn gray(mut self) -> Self {
        for pixel in self.samples.as_chunks_mut::<3>().0 {
            *pixel = [luminance(*pixel); 3];
        }
        self
    }

    /// The part `crop` of the picture, which must be within the picture.
    pub(super) fn cut(&self, crop: Crop) -> Self {
        let rows = self.samples.chunks_exact(self.width * 3).skip(crop.top).take(crop.height);
        let samples = rows.flat_map(|row| &row[crop.left * 3..(crop.left + crop.width) * 3]).copied().collect();
        Self { samples, height: crop.height, width: crop.width }
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// [`ImageError::Unencodable`] if the picture has no pixels, or fewer than three samples per pixel.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let mut file = Cursor::new(Vec::new());
        let (width, height) = (self.width as u32, self.height as u32);
        let rgb = RgbImage::from_raw(width, height, self.samples.clone()).filter(|_| width > 0 && height > 0);
        let rgb =
            rgb.ok_or_else(|| ImageError::Unencodable { source: "it has no pixels, or too few samples".into() })?;
        rgb.write_to(&mut file, ImageFormat::Png)
            .map_err(|source| ImageError::Unencodable { source: source.into() })?;
        Ok(file.into_inner())
    }

    pub(super) fn pixel(&self, row: usize, column: usize) -> [u8; 3] {
        let start = (row * self.width + column) * 3;
        [self.samples[start], self.samples[start + 1], self.samples[start + 2]]
    }
}

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
}

/// The brightness of a pixel, as Pillow's `convert("L")` computes it.
pub(super) fn luminance(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    ((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u8
}

/// Refuses a picture without pixels, or with more than [`MAX_PIXELS`] pixels.
pub(super) fn check_pixels(name: &str, what: &'static str, width: usize, height: usize) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::NoPixels { path: name.to_owned(), what, width, height });
    }
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { path: name.to_owned(), what, width, height, limit: MAX_PIXELS });
    }
    Ok(())
}
