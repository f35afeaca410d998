//! Drawn pictures, for a vision model that must be trained within minutes and without a download.
//!
//! A picture shows one shape at a random position, size and angle, and two small discs as distractors. The shape is the class.
//! The [`Style`] is the environment. It determines outline, colors and texture, and is independent of the shape.
//! [`Shape::CLASSES`] are the classes of the drawn world of DomainBed ([`environments`]). [`Shape::PRETRAINING`] are the classes
//! on which the embedded ViT was pre-trained, in all styles. No shape is in both lists.

mod shape;
mod style;
#[cfg(test)]
mod tests;

use asym_core::random::{derive_seed, stream};
use asym_data::pictures::{Class, Collection};
use asym_data::{ImageError, Picture, PictureFile};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use self::shape::Shape;
pub use self::style::Style;

/// The number of rows and of columns of a picture, in pixels.
pub const SIDE: usize = 24;

/// The number of pictures of each class in each environment.
pub const PICTURES: usize = 300;

/// The number of points along each side of a pixel at which its color is computed.
const FINE: usize = 3;

/// The picture with index `index` of `shape` in `style`. It depends only on these arguments and `seed`.
pub fn picture(seed: u64, shape: Shape, style: Style, index: usize) -> Picture {
    let name = format!("{}/{}", style.name(), shape.name());
    draw(shape, style, &mut stream(derive_seed(seed, "drawing", index as u64), &name))
}

/// The drawn world: one environment for each style, with [`PICTURES`] pictures of each class, as PNG files. The same seed always
/// results in the same pictures.
///
/// # Errors
///
/// [`ImageError::Unencodable`], if PNG cannot be written.
pub fn environments(seed: u64) -> Result<Vec<Collection>, ImageError> {
    let file = |shape: Shape, style: Style, index: usize| -> Result<PictureFile, ImageError> {
        let name = format!("{}/{}/{index:03}.png", style.name(), shape.name());
        Ok(PictureFile::bytes(name, picture(seed, shape, style, index).to_png()?))
    };
    let class = |shape: Shape, style: Style| -> Result<Class, ImageError> {
        let pictures = (0..PICTURES).map(|index| file(shape, style, index)).collect::<Result<_, _>>()?;
        Ok(Class { name: shape.name().to_string(), pictures })
    };
    let collection = |style: Style| -> Result<Collection, ImageError> {
        let classes = Shape::CLASSES.into_iter().map(|shape| class(shape, style)).collect::<Result<_, _>>()?;
        Ok(Collection { name: style.name().to_string(), classes })
    };
    Style::ALL.into_iter().map(collection).collect()
}

/// A shape with its position, size and angle.
struct Placed {
    shape: Shape,
    /// The center and the radius, in pixels.
    center: (f64, f64),
    radius: f64,
    /// Cosine and sine of the angle.
    turn: (f64, f64),
}

impl Placed {
    fn contains(&self, x: f64, y: f64) -> bool {
        let (x, y) = ((x - self.center.0) / self.radius, (self.center.1 - y) / self.radius);
        let (cosine, sine) = self.turn;
        self.shape.contains(x * cosine + y * sine, y * cosine - x * sine)
    }
}

/// Draw `shape` in `style`.
fn draw(shape: Shape, style: Style, rng: &mut ChaCha8Rng) -> Picture {
    let side = SIDE as f64;
    let paint = style.paint(rng);
    let radius = rng.random_range(0.33..0.46) * side;
    let mut between = |least: f64, most: f64| rng.random_range(least..most);
    let center = (between(radius, side - radius), between(radius, side - radius));
    let angle = between(-0.35, 0.35);
    let placed = Placed { shape, center, radius, turn: (angle.cos(), angle.sin()) };
    // The distractors: discs of a few pixels in the background, in the colors of the shape.
    let scraps: Vec<(f64, f64, f64)> =
        (0..2).map(|_| (between(0.0, side), between(0.0, side), between(0.6, 1.4))).collect();

    let fine = SIDE * FINE;
    let at = |place: usize| (place as f64 + 0.5) / FINE as f64;
    let inside: Vec<bool> = (0..fine * fine).map(|place| placed.contains(at(place % fine), at(place / fine))).collect();
    // A point is on the line if a point on the other side of the outline is within half the width of the line.
    let reach = (paint.width * FINE as f64).round() as isize;
    let offsets: Vec<(isize, isize)> = (-reach..=reach)
        .flat_map(|row| (-reach..=reach).map(move |column| (row, column)))
        .filter(|(row, column)| row * row + column * column <= reach * reach)
        .collect();
    let on_line = |row: usize, column: usize| {
        let own = inside[row * fine + column];
        offsets.iter().any(|(down, right)| {
            let (row, column) = (row.wrapping_add_signed(*down), column.wrapping_add_signed(*right));
            row < fine && column < fine && inside[row * fine + column] != own
        })
    };
    let color = |row: usize, column: usize| {
        let (x, y) = (at(column), at(row));
        let (u, v) = (x / side, y / side);
        let scrap = scraps.iter().any(|(left, top, radius)| (x - left).hypot(y - top) < *radius);
        if on_line(row, column) {
            paint.line
        } else if inside[row * fine + column] {
            paint.fill(u, v)
        } else if scrap {
            // The discs have the color of the line in sketches, and the colors of the shape in the other styles.
            if style == Style::Outline { paint.line } else { paint.fill(u, v) }
        } else {
            paint.background(u, v)
        }
    };
    let mut samples = Vec::with_capacity(3 * SIDE * SIDE);
    for row in 0..SIDE {
        for column in 0..SIDE {
            let mut sum = [0.0; 3];
            for point in 0..FINE * FINE {
                let color = color(row * FINE + point / FINE, column * FINE + point % FINE);
                sum.iter_mut().zip(color).for_each(|(sum, value)| *sum += value);
            }
            for sum in sum {
                let noise = if paint.noise > 0.0 { rng.random_range(-paint.noise..paint.noise) } else { 0.0 };
                let value = sum / (FINE * FINE) as f64 + noise;
                samples.push((value.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
    }
    Picture { samples, height: SIDE, width: SIDE }
}
