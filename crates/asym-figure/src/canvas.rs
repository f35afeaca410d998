//! Shapes and text on the canvas, in hundredths of a millimeter. plotters accepts only integers, and this unit is finer than the
//! resolution of print.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBAColor, RGBColor, ShapeStyle, WHITE};

use crate::error::FigureError;
use crate::style::{Look, MARKER, Marker, OUTLINE};
use crate::text::Block;

/// Distance in ems from the position at which plotters places text down to the baseline. With this anchor, unlike others, a
/// viewer does not need the font to find the baseline.
const ANCHOR: f64 = 0.76;
/// Width of the white ring around a marker, in hundredths of a millimeter. It sets the marker off from lines below.
const HALO: f64 = 20.0;

/// A position on the canvas: x to the right, and y downwards.
pub(crate) type Place = (f64, f64);

/// The drawing area.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    /// Makes a white canvas whose SVG is written to `svg`.
    pub fn new(svg: &'a mut String, width: u32, height: u32) -> Result<Self, FigureError> {
        let area = SVGBackend::with_string(svg, (width, height)).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        Ok(Self { area })
    }

    /// Ends the drawing.
    pub fn finish(self) -> Result<(), FigureError> {
        self.area.present().map_err(failed)
    }

    /// Draws a line through all positions.
    pub fn line(&self, places: &[Place], color: RGBColor, width: u32) -> Result<(), FigureError> {
        self.put(&PathElement::new(whole(places), stroke(color, width)))
    }

    /// Draws a dashed line through all positions. `dash` contains the lengths of dashes and gaps in turn. An empty `dash` means
    /// no gaps.
    pub fn dashed(&self, places: &[Place], dash: &[f64], color: RGBColor, width: u32) -> Result<(), FigureError> {
        if dash.is_empty() {
            return self.line(places, color, width);
        }
        dashes(places, dash).iter().try_for_each(|piece| self.line(piece, color, width))
    }

    /// Fills an area.
    pub fn area(&self, corners: &[Place], color: RGBAColor) -> Result<(), FigureError> {
        self.put(&Polygon::new(whole(corners), color.filled()))
    }

    /// Fills a rectangle.
    pub fn rectangle(&self, from: Place, to: Place, color: RGBAColor) -> Result<(), FigureError> {
        self.put(&Rectangle::new([point(from), point(to)], color.filled()))
    }

    /// Draws the marker of a look.
    pub fn marker(&self, at: Place, look: &Look) -> Result<(), FigureError> {
        match look.marker {
            Marker::Circle => {
                let circle = |radius: f64, style| Circle::new(point(at), radius.round() as i32, style);
                self.put(&circle(MARKER + f64::from(OUTLINE) / 2.0 + HALO, WHITE.filled()))?;
                if !look.hollow {
                    self.put(&circle(MARKER, look.color.filled()))?;
                }
                self.put(&circle(MARKER, stroke(look.color, OUTLINE)))
            }
            Marker::Polygon(corners) => {
                let scaled =
                    |radius: f64| -> Vec<Place> { corners.iter().map(|&corner| moved(at, corner, radius)).collect() };
                self.area(&scaled(MARKER + f64::from(OUTLINE) / 2.0 + HALO), WHITE.to_rgba())?;
                let mut outline = scaled(MARKER);
                if !look.hollow {
                    self.area(&outline, look.color.to_rgba())?;
                }
                // The line continues past the first corner, so that the last corner is joined like the others.
                outline.extend_from_within(..2);
                self.line(&outline, look.color, OUTLINE)
            }
            Marker::Strokes(strokes) => {
                let ends = |line: &[(i16, i16); 2]| line.map(|end| moved(at, end, MARKER));
                strokes.iter().try_for_each(|line| self.line(&ends(line), WHITE, 2 * OUTLINE + 2 * HALO as u32))?;
                strokes.iter().try_for_each(|line| self.line(&ends(line), look.color, OUTLINE * 3 / 2))
            }
        }
    }

    /// Writes lines of text below `top`, with their `side` at `x`.
    pub fn words(&self, block: &Block, x: f64, top: f64, side: HPos) -> Result<(), FigureError> {
        let style = block.face.style().pos(Pos::new(side, VPos::Top));
        for (number, line) in block.lines.iter().enumerate() {
            let baseline = top + block.face.ascent() + number as f64 * block.face.leading();
            let at = point((x, baseline - ANCHOR * block.face.em));
            self.area.draw_text(line, &style, at).map_err(failed)?;
        }
        Ok(())
    }

    /// Writes rotated lines of text that are read from bottom to top. They are to the right of `left`, with their
    /// middle at `y`.
    pub fn words_upwards(&self, block: &Block, left: f64, y: f64) -> Result<(), FigureError> {
        let mut style = block.face.style().pos(Pos::new(HPos::Center, VPos::Top));
        style.font = style.font.transform(FontTransform::Rotate270);
        for (number, line) in block.lines.iter().enumerate() {
            let baseline = left + block.face.ascent() + number as f64 * block.face.leading();
            let at = point((baseline - ANCHOR * block.face.em, y));
            self.area.draw_text(line, &style, at).map_err(failed)?;
        }
        Ok(())
    }

    fn put<E>(&self, element: &E) -> Result<(), FigureError>
    where
        for<'b> &'b E: PointCollection<'b, (i32, i32)>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.area.draw(element).map_err(failed)
    }
}

fn failed<E: std::error::Error + Send + Sync>(error: DrawingAreaErrorKind<E>) -> FigureError {
    FigureError::Drawing { reason: error.to_string() }
}

fn stroke(color: RGBColor, width: u32) -> ShapeStyle {
    color.stroke_width(width)
}

fn point((x, y): Place) -> (i32, i32) {
    (x.round() as i32, y.round() as i32)
}

fn whole(places: &[Place]) -> Vec<(i32, i32)> {
    places.iter().copied().map(point).collect()
}

/// Position of a marker's corner, which is given in hundredths of the radius.
fn moved(at: Place, corner: (i16, i16), radius: f64) -> Place {
    (at.0 + f64::from(corner.0) / 100.0 * radius, at.1 + f64::from(corner.1) / 100.0 * radius)
}

/// Cuts a line into the dashes of `dash`. A dash may go around corners.
fn dashes(places: &[Place], dash: &[f64]) -> Vec<Vec<Place>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Place> = places.iter().take(1).copied().collect();
    let (mut turn, mut left) = (0, dash[0]);
    for pair in places.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if turn % 2 == 0 {
                    piece.push(to);
                }
                break;
            }
            let part = left / length;
            from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
            if turn % 2 == 0 {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            turn = (turn + 1) % dash.len();
            left = dash[turn];
        }
    }
    if turn % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::dashes;

    #[test]
    fn dashes_continue_around_corners() {
        let pieces = dashes(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], &[6.0, 2.0]);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0], [(0.0, 0.0), (6.0, 0.0)]);
        assert_eq!(pieces[1], [(8.0, 0.0), (10.0, 0.0), (10.0, 4.0)]);
        assert_eq!(pieces[2], [(10.0, 6.0), (10.0, 10.0)]);
    }
}
