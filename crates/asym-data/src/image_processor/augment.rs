//! Random augmentation of training pictures, with Pillow's arithmetic and torchvision's order of operations.
//!
//! Sources: `domainbed/datasets.py` of DomainBed, which uses `RandomResizedCrop`, `RandomHorizontalFlip`, `ColorJitter` and
//! `RandomGrayscale`; `transforms/transforms.py` and `_functional_pil.py` of torchvision 0.29; `Blend.c` and `Convert.c` of
//! Pillow 13.
//!
//! [`Augmentation::draw`] samples the changes, and [`Changes`] applies them. They are separate so that tests can set the
//! changes.

use super::picture::{Crop, Picture, luminance};
use super::resize::{Filter, resize};

/// The ranges and probabilities of the changes of training pictures. All samples are uniform and independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// The smallest and the largest area of the crop, as fractions of the picture's area.
    pub area: (f64, f64),
    /// The smallest and the largest aspect ratio (width to height) of the crop. Its logarithm is uniform.
    pub aspect: (f64, f64),
    /// The probability of a horizontal flip.
    pub flip: f64,
    /// Brightness, contrast and saturation are each multiplied by a factor that differs from 1 by at most this value.
    pub jitter: f64,
    /// The hue is shifted by at most this fraction of the color circle, in either direction.
    pub hue: f64,
    /// The probability of a conversion to gray.
    pub gray: f64,
}

impl Augmentation {
    /// DomainBed's values: 0.7 to 1 of the area, a flip of every second picture on average, jitter of 0.3, and one picture in
    /// ten in gray.
    pub const DOMAINBED: Self =
        Self { area: (0.7, 1.0), aspect: (3.0 / 4.0, 4.0 / 3.0), flip: 0.5, jitter: 0.3, hue: 0.3, gray: 0.1 };

    /// Samples the changes of a picture of `height` rows and `width` columns. `uniform` returns independent numbers from 0
    /// (inclusive) to 1 (exclusive).
    pub fn draw(&self, height: usize, width: usize, mut uniform: impl FnMut() -> f64) -> Changes {
        let crop = self.crop(height, width, &mut uniform);
        let flip = uniform() < self.flip;
        let mut order = [0, 1, 2, 3];
        for last in (1..order.len()).rev() {
            order.swap(last, below(last + 1, &mut uniform));
        }
        let factors: [f64; 3] = std::array::from_fn(|_| between((1.0 - self.jitter, 1.0 + self.jitter), &mut uniform));
        let hue = between((-self.hue, self.hue), &mut uniform);
        let jitter = order.map(|at| match at {
            0 => Jitter::Brightness(factors[0]),
            1 => Jitter::Contrast(factors[1]),
            2 => Jitter::Saturation(factors[2]),
            _ => Jitter::Hue(hue),
        });
        Changes { crop, flip, jitter: jitter.to_vec(), gray: uniform() < self.gray }
    }

    /// `RandomResizedCrop.get_params`: ten attempts to sample a crop that fits, and otherwise the largest allowed crop in the
    /// middle.
    fn crop(&self, height: usize, width: usize, uniform: &mut impl FnMut() -> f64) -> Crop {
        let area = (height * width) as f64;
        for _ in 0..10 {
            let target = area * between(self.area, uniform);
            let aspect = between((self.aspect.0.ln(), self.aspect.1.ln()), uniform).exp();
            // Python rounds a half to the even neighbor.
            let side = |square: f64| square.sqrt().round_ties_even() as usize;
            let (columns, rows) = (side(target * aspect), side(target / aspect));
            if (1..=width).contains(&columns) && (1..=height).contains(&rows) {
                let top = below(height - rows + 1, uniform);
                return Crop { top, left: below(width - columns + 1, uniform), height: rows, width: columns };
            }
        }
        let aspect = width as f64 / height as f64;
        let (rows, columns) = if aspect < self.aspect.0 {
            ((width as f64 / self.aspect.0).round_ties_even() as usize, width)
        } else if aspect > self.aspect.1 {
            (height, (height as f64 * self.aspect.1).round_ties_even() as usize)
        } else {
            (height, width)
        };
        Crop { top: (height - rows) / 2, left: (width - columns) / 2, height: rows, width: columns }
    }
}

/// A number between two bounds.
fn between((least, most): (f64, f64), uniform: &mut impl FnMut() -> f64) -> f64 {
    least + (most - least) * uniform()
}

/// A whole number from 0 (inclusive) to `count` (exclusive).
fn below(count: usize, uniform: &mut impl FnMut() -> f64) -> usize {
    ((uniform() * count as f64) as usize).min(count - 1)
}

/// The changes of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The part to which the picture is cropped before it is resized.
    pub crop: Crop,
    /// Whether the picture is flipped horizontally.
    pub flip: bool,
    /// Changes of the colors, in the order in which they are applied.
    pub jitter: Vec<Jitter>,
    /// Whether the picture is converted to gray at the end.
    pub gray: bool,
}

/// A change of the colors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// A factor: 0 is black, and 1 is the unchanged picture.
    Brightness(f64),
    /// A factor: 0 is the mean brightness everywhere, and 1 is the unchanged picture.
    Contrast(f64),
    /// A factor: 0 is gray, and 1 is the unchanged picture.
    Saturation(f64),
    /// The fraction of the color circle by which the hue is shifted.
    Hue(f64),
}

impl Changes {
    /// The changed picture with `height` rows and `width` columns.
    pub(super) fn apply(&self, picture: &Picture, height: usize, width: usize, filter: Filter) -> Picture {
        let mut picture = resize(picture.cut(self.crop), height, width, filter);
        if self.flip {
            for row in picture.samples.chunks_exact_mut(width * 3) {
                let (pixels, _) = row.as_chunks_mut::<3>();
                pixels.reverse();
            }
        }
        for jitter in &self.jitter {
            jitter.apply(&mut picture);
        }
        if self.gray { picture.gray() } else { picture }
    }
}

impl Jitter {
    fn apply(self, picture: &mut Picture) {
        match self {
            Self::Brightness(factor) => blend(&mut picture.samples, factor, |_| [0; 3]),
            Self::Contrast(factor) => {
                let pixels = picture.samples.as_chunks::<3>().0;
                let sum: u64 = pixels.iter().map(|pixel| u64::from(luminance(*pixel))).sum();
                // `int(mean + 0.5)`.
                let mean = (sum as f64 / pixels.len().max(1) as f64 + 0.5) as u8;
                blend(&mut picture.samples, factor, |_| [mean; 3]);
            }
            Self::Saturation(factor) => blend(&mut picture.samples, factor, |pixel| [luminance(pixel); 3]),
            Self::Hue(turn) => {
                // Python truncates the product, and the sum wraps around like a u8.
                let turn = (turn * 255.0) as i32 as u8;
                for pixel in picture.samples.as_chunks_mut::<3>().0 {
                    let [hue, saturation, value] = to_hsv(*pixel);
                    *pixel = to_rgb([hue.wrapping_add(turn), saturation, value]);
                }
            }
        }
    }
}

/// Pillow's `Image.blend(other(picture), picture, factor)`, in single precision. Fractions are truncated.
fn blend(samples: &mut [u8], factor: f64, other: impl Fn([u8; 3]) -> [u8; 3]) {
    let factor = factor as f32;
    for pixel in samples.as_chunks_mut::<3>().0 {
        let from = other(*pixel);
        for (sample, from) in pixel.iter_mut().zip(from) {
            let difference = i32::from(*sample) - i32::from(from);
            // `as` clips to 0 and 255.
            *sample = (f32::from(from) + factor * difference as f32) as u8;
        }
    }
}

/// Pillow's `convert("HSV")`.
fn to_hsv(pixel: [u8; 3]) -> [u8; 3] {
    let [red, green, blue] = pixel;
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    if most == least {
        return [0, 0, most];
    }
    let range = f32::from(most - least);
    let saturation = range / f32::from(most);
    let [red_part, green_part, blue_part] = pixel.map(|sample| f32::from(most - sample) / range);
    // The constants have double precision in C, and the result is stored in single precision.
    let hue = if red == most {
        blue_part - green_part
    } else if green == most {
        (2.0 + f64::from(red_part) - f64::from(blue_part)) as f32
    } else {
        (4.0 + f64::from(green_part) - f64::from(red_part)) as f32
    };
    let hue = ((f64::from(hue) / 6.0 + 1.0) % 1.0) as f32;
    [(f64::from(hue) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, most]
}

/// Pillow's `convert("RGB")` of a pixel in HSV.
fn to_rgb([hue, saturation, value]: [u8; 3]) -> [u8; 3] {
    if saturation == 0 {
        return [value; 3];
    }
    let position = f64::from(f32::from(hue)) * 6.0 / 255.0;
    let sector = position.floor();
    let within = f64::from((position - sector) as f32);
    let saturation = f64::from((f64::from(f32::from(saturation)) / 255.0) as f32);
    let scaled = |factor: f64| (f64::from(value) * factor).round() as u8;
    let low = scaled(1.0 - saturation);
    let falling = scaled(1.0 - saturation * within);
    let rising = scaled(1.0 - saturation * (1.0 - within));
    match sector as u32 % 6 {
        0 => [value, rising, low],
        1 => [falling, value, low],
        2 => [low, value, rising],
        3 => [low, falling, value],
        4 => [rising, low, value],
        _ => [value, low, falling],
    }
}
