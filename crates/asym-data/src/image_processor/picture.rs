//! Decoded pictures.

use super::error::ImageError;

/// Pillow's limit: it refuses a picture with more pixels.
pub(super) const MAX_PIXELS: usize = 178_956_970;

/// A picture in RGB: three samples a pixel, row by row.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) samples: Vec<u8>,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Picture {
    /// Pillow's `convert("L")`: each sample of a pixel becomes its brightness.
    pub(super) fn gray(mut self) -> Self {
        for pixel in self.samples.as_chunks_mut::<3>().0 {
            let [red, green, blue] = pixel.map(u32::from);
            *pixel = [((19_595 * red + 38_470 * green + 7_471 * blue + 0x8000) >> 16) as u8; 3];
        }
        self
    }

    pub(super) fn pixel(&self, row: usize, column: usize) -> [u8; 3] {
        let start = (row * self.width + column) * 3;
        [self.samples[start], self.samples[start + 1], self.samples[start + 2]]
    }
}

/// Refuses a picture without pixels, and one that would fill the memory.
pub(super) fn check_pixels(name: &str, what: &'static str, width: usize, height: usize) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return Err(ImageError::NoPixels { path: name.to_owned(), what, width, height });
    }
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { path: name.to_owned(), what, width, height, limit: MAX_PIXELS });
    }
    Ok(())
}
