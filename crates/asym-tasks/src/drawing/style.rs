//! The styles in which shapes are drawn.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A style, which is an environment of the drawn world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// One bright color with a dark outline, on a background of one light color.
    Flat,
    /// A dark line on white.
    Outline,
    /// A color gradient without an outline, on a background with another gradient, and with noise.
    Shaded,
    /// Stripes of two colors on a dotted background.
    Striped,
}

/// Red, green and blue, from 0 to 1.
pub(super) type Color = [f64; 3];

/// The colors of one picture, as functions of a point (x, y) of the unit square.
pub(super) struct Paint {
    style: Style,
    background: [Color; 2],
    fill: [Color; 2],
    /// The color of the line around the shape.
    pub(super) line: Color,
    /// Half the width of this line in pixels; 0 if there is no line.
    pub(super) width: f64,
    /// The directions of the background's and the shape's pattern, as cosine and sine.
    directions: [(f64, f64); 2],
    /// The number of stripes or dots along a side.
    frequency: f64,
    /// The offset of the pattern, as a share of the distance between stripes or dots.
    phase: f64,
    /// The maximum change of a sample by noise.
    pub(super) noise: f64,
}

impl Style {
    /// Every style, by name.
    pub const ALL: [Self; 4] = [Self::Flat, Self::Outline, Self::Shaded, Self::Striped];

    /// The name of the environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Outline => "outline",
            Self::Shaded => "shaded",
            Self::Striped => "striped",
        }
    }

    /// Sample the colors of a picture.
    pub(super) fn paint(self, rng: &mut ChaCha8Rng) -> Paint {
        let hue = rng.random_range(0.0..1.0);
        // The hues of shape and background differ enough to distinguish them.
        let other = hue + rng.random_range(0.25..0.75);
        let (bright, deep) = (rng.random_range(0.75..1.0), rng.random_range(0.5..0.9));
        let mut color = |hue: f64, saturation: f64, value: f64| {
            let [hue, value] = [(hue, 0.04), (value, 0.06)].map(|(at, by)| at + rng.random_range(-by..by));
            from_hue(hue, saturation, value.clamp(0.0, 1.0))
        };
        let (background, fill, line, width, noise) = match self {
            Self::Flat => {
                let (light, own) = (color(other, 0.15, 0.95), color(hue, 0.75, bright));
                ([light; 2], [own; 2], color(hue, 0.3, 0.15), 0.8, 0.0)
            }
            Self::Outline => ([color(other, 0.03, 0.97); 2], [[0.97; 3]; 2], color(hue, 0.05, 0.15), 0.7, 0.02),
            Self::Shaded => {
                let background = [color(other, 0.35, 0.65), color(other, 0.3, 0.35)];
                (background, [color(hue, 0.55, bright), color(hue, 0.6, deep)], [0.0; 3], 0.0, 0.05)
            }
            Self::Striped => {
                let background = [color(other, 0.3, 0.9), color(other, 0.45, 0.75)];
                (background, [color(hue, 0.8, deep), color(hue + 0.12, 0.6, 0.35)], [0.0; 3], 0.0, 0.03)
            }
        };
        let directions = [(); 2].map(|()| {
            let angle: f64 = rng.random_range(0.0..std::f64::consts::TAU);
            (angle.cos(), angle.sin())
        });
        let (frequency, phase) = (rng.random_range(5.0..8.0), rng.random_range(0.0..1.0));
        Paint { style: self, background, fill, line, width, directions, frequency, phase, noise }
    }
}

impl Paint {
    /// The color of the background at (x, y).
    pub(super) fn background(&self, x: f64, y: f64) -> Color {
        let [low, high] = self.background;
        match self.style {
            Style::Flat | Style::Outline => low,
            Style::Shaded => mix(low, high, along(self.directions[0], x, y)),
            Style::Striped => {
                let dot = |at: f64| (at * self.frequency + self.phase).fract() - 0.5;
                if dot(x).hypot(dot(y)) < 0.28 { high } else { low }
            }
        }
    }

    /// The color of the shape at (x, y).
    pub(super) fn fill(&self, x: f64, y: f64) -> Color {
        let [low, high] = self.fill;
        match self.style {
            Style::Flat => low,
            // The color of the paper.
            Style::Outline => self.background[0],
            Style::Shaded => mix(low, high, along(self.directions[1], x, y)),
            Style::Striped => {
                let place = along(self.directions[1], x, y) * self.frequency + self.phase;
                if place.rem_euclid(1.0) < 0.5 { high } else { low }
            }
        }
    }
}

/// The position of (x, y) along a direction, from 0 to 1 for most of the unit square.
fn along((cosine, sine): (f64, f64), x: f64, y: f64) -> f64 {
    0.5 + (x - 0.5) * cosine + (y - 0.5) * sine
}

fn mix(low: Color, high: Color, share: f64) -> Color {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|channel| low[channel] * (1.0 - share) + high[channel] * share)
}

/// Convert hue, saturation and value to red, green and blue. A hue of 1 is a full circle; saturation and value are from 0 to 1.
fn from_hue(hue: f64, saturation: f64, value: f64) -> Color {
    // Red is at its maximum for hues within 1/6 of 0, green within 1/6 of 1/3, and blue within 1/6 of 2/3.
    [0.0, 2.0, 4.0].map(|center| {
        let distance = (hue.rem_euclid(1.0) * 6.0 - center).abs();
        let share = (2.0 - distance.min(6.0 - distance)).clamp(0.0, 1.0);
        value * (1.0 - saturation * (1.0 - share))
    })
}
