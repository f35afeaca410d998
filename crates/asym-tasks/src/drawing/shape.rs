//! The outlines of shapes.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

/// A shape that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A disc without a smaller disc that overlaps its edge.
    Crescent,
    /// A plus sign.
    Cross,
    /// A heart.
    Heart,
    /// A disc with a hole.
    Ring,
    /// A square.
    Square,
    /// A star with five points.
    Star,
    /// An equilateral triangle.
    Triangle,
    /// An arrow.
    Arrow,
    /// A long rectangle.
    Bar,
    /// Two triangles that touch at a point.
    BowTie,
    /// A drop with a round end and a pointed end.
    Drop,
    /// Two bars at a right angle.
    Ell,
    /// A half of a disc.
    HalfDisc,
    /// Three sides of a square.
    Horseshoe,
    /// A pentagon.
    Pentagon,
    /// A star with four thin points.
    Sparkle,
    /// A bar on the middle of another bar.
    Tee,
    /// A flower with three petals.
    Trefoil,
}

impl Shape {
    /// The classes of the drawn world.
    pub const CLASSES: [Self; 7] =
        [Self::Crescent, Self::Cross, Self::Heart, Self::Ring, Self::Square, Self::Star, Self::Triangle];

    /// The classes of pre-training. None of them is a class of the drawn world.
    pub const PRETRAINING: [Self; 12] = [
        Self::Arrow,
        Self::Bar,
        Self::BowTie,
        Self::Circle,
        Self::Drop,
        Self::Ell,
        Self::HalfDisc,
        Self::Horseshoe,
        Self::Pentagon,
        Self::Sparkle,
        Self::Tee,
        Self::Trefoil,
    ];

    /// The name of the class.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Bar => "bar",
            Self::BowTie => "bow tie",
            Self::Circle => "circle",
            Self::Crescent => "crescent",
            Self::Cross => "cross",
            Self::Drop => "drop",
            Self::Ell => "ell",
            Self::HalfDisc => "half disc",
            Self::Heart => "heart",
            Self::Horseshoe => "horseshoe",
            Self::Pentagon => "pentagon",
            Self::Ring => "ring",
            Self::Sparkle => "sparkle",
            Self::Square => "square",
            Self::Star => "star",
            Self::Tee => "tee",
            Self::Trefoil => "trefoil",
            Self::Triangle => "triangle",
        }
    }

    /// Whether the point (x, y) lies in the shape, which fits into a circle of radius 1.2 around (0, 0). The y axis points
    /// up.
    pub(super) fn contains(self, x: f64, y: f64) -> bool {
        let radius = x.hypot(y);
        let within =
            |left: f64, right: f64, bottom: f64, top: f64| (left..right).contains(&x) && (bottom..top).contains(&y);
        match self {
            Self::Circle => radius < 0.9,
            Self::Crescent => radius < 0.95 && (x - 0.42).hypot(y) > 0.72,
            Self::Cross => within(-0.3, 0.3, -0.95, 0.95) || within(-0.95, 0.95, -0.3, 0.3),
            // Two discs above a square that is rotated by 45°.
            Self::Heart => {
                let disc = |center: f64| (x - center).hypot(y - 0.3) < 0.5;
                disc(-0.4) || disc(0.4) || (x.abs() + (y - 0.02).abs() < 0.86 && y < 0.3)
            }
            Self::Ring => (0.48..0.92).contains(&radius),
            Self::Square => within(-0.72, 0.72, -0.72, 0.72),
            Self::Star => star(5, 0.42, x, y),
            Self::Triangle => star(3, 0.5, x, y),
            Self::Arrow => within(-0.22, 0.22, -0.95, 0.2) || (y >= 0.0 && x.abs() < 0.75 * (0.95 - y)),
            Self::Bar => within(-0.3, 0.3, -0.95, 0.95),
            Self::BowTie => y.abs() < 0.85 * x.abs() && x.abs() < 0.85,
            Self::Drop => x.hypot(y + 0.35) < 0.6 || (y >= -0.1 && x.abs() < 0.52 * (0.98 - y)),
            Self::Ell => within(-0.65, -0.15, -0.9, 0.9) || within(-0.65, 0.7, -0.9, -0.4),
            Self::HalfDisc => x.hypot(y + 0.4) < 0.92 && y > -0.4,
            Self::Horseshoe => within(-0.75, 0.75, -0.75, 0.75) && !within(-0.28, 0.28, -0.28, 1.0),
            Self::Pentagon => star(5, (PI / 5.0).cos(), x, y),
            Self::Sparkle => star(4, 0.3, x, y),
            Self::Tee => within(-0.85, 0.85, 0.3, 0.8) || within(-0.27, 0.27, -0.9, 0.8),
            Self::Trefoil => radius < 0.62 + 0.36 * (3.0 * y.atan2(x) - 3.0 * FRAC_PI_2).cos(),
        }
    }
}

/// A star with `points` points at radius 1, one of them upwards, and `inner` as the radius of the corners between them. With an
/// inner radius of cos(π / points), it is a regular polygon.
fn star(points: usize, inner: f64, x: f64, y: f64) -> bool {
    let sector = TAU / points as f64;
    // The angle to the nearest point of the star. By symmetry, it is enough to check one side.
    let angle = (y.atan2(x) - FRAC_PI_2).rem_euclid(sector);
    let angle = angle.min(sector - angle);
    let radius = x.hypot(y);
    let (across, along) = (radius * angle.sin(), radius * angle.cos());
    // The side from the point (1, 0) to the corner.
    let (corner_along, corner_across) = (inner * (sector / 2.0).cos(), inner * (sector / 2.0).sin());
    (1.0 - along) * corner_across > across * (1.0 - corner_along)
}
