//! A bit-identical port of `Image.resize` of Pillow 13.
//!
//! It is implemented here because no crate computes the same results. fast_image_resize 6.1 runs the two passes in the opposite
//! order, so its results differ by up to 27 of 255 for bicubic, and its weights are less precise. The `image` crate computes in
//! floats.

use super::picture::Picture;

/// A filter, by Pillow's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    // In the order of Pillow's numbers.
    Nearest,
    Lanczos,
    Bilinear,
    Bicubic,
    Box,
    Hamming,
}

/// The number of bits after the binary point of a weight.
const PRECISION: u32 = 22;

/// The pixels of a row or column that contribute to one pixel of the result.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Filter {
    const ALL: [Self; 6] = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];

    /// The filter with this number in Pillow and in configurations.
    pub(super) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number of the filter in Pillow and in configurations.
    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// The radius of the filter, in pixels of the smaller one of source and result. `None` if the filter picks a single pixel.
    fn support(self) -> Option<f64> {
        match self {
            Self::Nearest => None,
            Self::Box => Some(0.5),
            Self::Bilinear | Self::Hamming => Some(1.0),
            Self::Bicubic => Some(2.0),
            Self::Lanczos => Some(3.0),
        }
    }

    /// The weight of a pixel at `distance` from the center.
    fn weight(self, distance: f64) -> f64 {
        let x = distance.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(u8::from(distance > -0.5 && distance <= 0.5)),
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Hamming if x < 1.0 => {
                // Pillow stores these two constants in single precision.
                let window = f64::from(0.54_f32) + f64::from(0.46_f32) * (x * std::f64::consts::PI).cos();
                sinc(x) * window
            }
            Self::Bicubic if x < 1.0 => ((BICUBIC + 2.0) * x - (BICUBIC + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * BICUBIC,
            Self::Lanczos if (-3.0..3.0).contains(&distance) => sinc(x) * sinc(x / 3.0),
            Self::Hamming | Self::Bicubic | Self::Lanczos => 0.0,
        }
    }
}

/// Pillow's value of the free parameter of the bicubic filter. Other libraries use -0.75.
const BICUBIC: f64 = -0.5;

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// Resizes `picture` to `height` rows and `width` columns.
pub(super) fn resize(picture: Picture, height: usize, width: usize, filter: Filter) -> Picture {
    let Some(support) = filter.support() else { return nearest(&picture, height, width) };
    let (rows, columns) = (picture.height, picture.width);
    let across = |samples: Vec<u8>| {
        if width == columns { samples } else { horizontal(&samples, columns, &taps(columns, width, filter, support)) }
    };
    let down = |samples: Vec<u8>, columns: usize| {
        if height == rows { samples } else { vertical(&samples, columns, &taps(rows, height, filter, support)) }
    };
    // The order matters, because each pass rounds and clips to 8 bits. Up to Pillow 12 the horizontal pass was always
    // first.
    let samples = if height < rows && rows - height > 2 * columns.saturating_sub(width) {
        across(down(picture.samples, columns))
    } else {
        down(across(picture.samples), width)
    };
    Picture { samples, height, width }
}

/// For each of `to` pixels, the weights of the `from` pixels. If the number of pixels decreases, the filter becomes wider in
/// the same ratio, so every pixel contributes (antialiasing).
fn taps(from: usize, to: usize, filter: Filter, support: f64) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = support * stretch;
    (0..to)
        .map(|pixel| {
            let center = (pixel as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (first..end)
                // As in Pillow, this is a multiplication by the reciprocal. A division would round differently.
                .map(|near| filter.weight((near as f64 - center + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let sum = if sum == 0.0 { 1.0 } else { sum };
            let fixed =
                |weight: f64| (weight / sum * f64::from(1 << PRECISION) + 0.5_f64.copysign(weight / sum)) as i32;
            Taps { first, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

/// The sample of a sum of weighted samples.
fn sample(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// One half. It is added so that a sum is rounded and not truncated.
const HALF: i32 = 1 << (PRECISION - 1);

fn horizontal(samples: &[u8], columns: usize, taps: &[Taps]) -> Vec<u8> {
    let mut result = Vec::with_capacity(samples.len() / columns * taps.len());
    for row in samples.chunks_exact(columns * 3) {
        for tap in taps {
            let mut sums = [HALF; 3];
            for (pixel, weight) in row[tap.first * 3..].chunks_exact(3).zip(&tap.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            result.extend(sums.map(sample));
        }
    }
    result
}

fn vertical(samples: &[u8], columns: usize, taps: &[Taps]) -> Vec<u8> {
    let length = columns * 3;
    let mut result = Vec::with_capacity(length * taps.len());
    let mut sums = vec![HALF; length];
    for tap in taps {
        sums.fill(HALF);
        for (row, weight) in samples[tap.first * length..].chunks_exact(length).zip(&tap.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        result.extend(sums.iter().map(|sum| sample(*sum)));
    }
    result
}

/// Picks one pixel for each pixel of the result.
fn nearest(picture: &Picture, height: usize, width: usize) -> Picture {
    let columns = picks(picture.width, width);
    let mut samples = Vec::with_capacity(height * width * 3);
    for row in picks(picture.height, height) {
        for column in &columns {
            samples.extend(row.zip(*column).map_or([0; 3], |(row, column)| picture.pixel(row, column)));
        }
    }
    Picture { samples, height, width }
}

/// The index of the source pixel, below `from`, for each of `to` pixels of the result. The position is a sum of steps as in
/// Pillow, because a product would round differently. `None` if the sum is past the last source pixel, where Pillow leaves the
/// pixel of the result black.
fn picks(from: usize, to: usize) -> Vec<Option<usize>> {
    let step = from as f64 / to as f64;
    let positions = std::iter::successors(Some(step * 0.5), |position| Some(position + step));
    positions.take(to).map(|position| Some(position as usize).filter(|pixel| *pixel < from)).collect()
}
