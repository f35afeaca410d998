use std::collections::HashSet;

use super::*;

#[test]
fn shapes_and_their_names_are_distinct() {
    let all: Vec<Shape> = Shape::CLASSES.into_iter().chain(Shape::PRETRAINING).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all.iter().map(|shape| shape.name()).collect::<HashSet<_>>().len(), all.len());
    // Classes and environments are listed in the order of their names, as folders are.
    assert!(Shape::CLASSES.map(Shape::name).is_sorted());
    assert!(Style::ALL.map(Style::name).is_sorted());
}

#[test]
fn shapes_fit_into_their_circle_and_fill_part_of_it() {
    for shape in Shape::CLASSES.into_iter().chain(Shape::PRETRAINING) {
        let grid = (-60..=60).flat_map(|x| (-60..=60).map(move |y| (f64::from(x) / 50.0, f64::from(y) / 50.0)));
        let (mut inside, mut total) = (0, 0);
        for (x, y) in grid {
            let contained = shape.contains(x, y);
            assert!(!contained || x.hypot(y) <= 1.2, "{}: ({x}, {y})", shape.name());
            total += usize::from(x.hypot(y) <= 1.0);
            inside += usize::from(contained);
        }
        let share = inside as f64 / f64::from(total as u32);
        assert!((0.15..0.85).contains(&share), "{}: {share}", shape.name());
    }
}

#[test]
fn pictures_depend_on_seed_shape_style_and_index() {
    let first = picture(1, Shape::Star, Style::Flat, 3);
    assert_eq!(first, picture(1, Shape::Star, Style::Flat, 3));
    assert_eq!((first.height, first.width, first.samples.len()), (SIDE, SIDE, 3 * SIDE * SIDE));
    for other in [
        picture(2, Shape::Star, Style::Flat, 3),
        picture(1, Shape::Ring, Style::Flat, 3),
        picture(1, Shape::Star, Style::Striped, 3),
        picture(1, Shape::Star, Style::Flat, 4),
    ] {
        assert_ne!(first, other);
    }
}

/// Training and test sets are parts of the drawn world, so no picture is in both.
#[test]
fn all_drawn_pictures_are_different() {
    let world = environments(0).unwrap();
    assert_eq!(world.len(), Style::ALL.len());
    let mut seen = HashSet::new();
    for environment in &world {
        assert_eq!(environment.classes.len(), Shape::CLASSES.len());
        for (_, file) in environment.pictures() {
            assert!(seen.insert(file.read().unwrap().into_owned()), "{}", file.name());
        }
    }
    assert_eq!(seen.len(), Style::ALL.len() * Shape::CLASSES.len() * PICTURES);
}

#[test]
fn outlines_are_less_colorful_than_flat_pictures() {
    let colorful = |style: Style| {
        let pictures = (0..20).map(|index| picture(0, Shape::Square, style, index));
        let spread = |pixel: &[u8]| f64::from(pixel.iter().max().unwrap_or(&0) - pixel.iter().min().unwrap_or(&0));
        let mean = |picture: Picture| picture.samples.chunks_exact(3).map(spread).sum::<f64>() / (SIDE * SIDE) as f64;
        pictures.map(mean).sum::<f64>() / 20.0
    };
    let (sketch, flat) = (colorful(Style::Outline), colorful(Style::Flat));
    assert!(sketch < 15.0 && flat > 2.0 * sketch, "{sketch}, {flat}");
}
