//! Words of a figure: how wide they are, and where they are broken into lines.

use plotters::style::{FontFamily, FontStyle, IntoFont, RGBColor, TextStyle, register_font};

use super::error::FigureError;
use super::style::{FAINT_INK, INK};

/// The family that the SVG names: a browser without DejaVu takes its own. plotters finds the font under the whole of
/// it.
pub(super) const FAMILY: &str = "DejaVu Sans, sans-serif";

/// plotters' sizes are this many ems.
const SIZE_OF_EM: f64 = 1.24;
/// DejaVu's ascent and descent together in ems: what ab_glyph, which measures for plotters, takes a size to be.
const HEIGHT_OF_EM: f64 = 2384.0 / 2048.0;
/// From one line to the next, in ems.
const LEADING: f64 = 1.22;
/// From the top of a line to its baseline, in ems.
const ASCENT: f64 = 0.97;
/// Hundredths of a millimetre in a point.
const POINT: f64 = 2540.0 / 72.0;

/// A size, weight and colour of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    /// Size in hundredths of a millimetre.
    pub em: f64,
    bold: bool,
    colour: RGBColor,
}

/// Title of the figure: 9.5 pt.
pub(super) const TITLE: Face = Face { em: 9.5 * POINT, bold: true, colour: INK };
/// Title of a panel: 8 pt.
pub(super) const PANEL: Face = Face { em: 8.0 * POINT, bold: true, colour: INK };
/// Label of an axis or of the legend: 7.5 pt.
pub(super) const LABEL: Face = Face { em: 7.5 * POINT, bold: false, colour: INK };
/// Label of a tick: 7 pt.
pub(super) const TICK: Face = Face { em: 7.0 * POINT, bold: false, colour: INK };
/// The note: 7 pt.
pub(super) const NOTE: Face = Face { em: 7.0 * POINT, bold: false, colour: FAINT_INK };

impl Face {
    /// What plotters calls this face.
    pub fn style(&self) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = (FontFamily::Name(FAMILY), self.em * SIZE_OF_EM, weight).into_font();
        font.color(&self.colour)
    }

    /// Width of a line in hundredths of a millimetre.
    pub fn width(&self, line: &str) -> Result<f64, FigureError> {
        let ((left, _), (right, _)) = self
            .style()
            .font
            .layout_box(line)
            .map_err(|error| FigureError::Drawing { reason: format!("`{line}` could not be measured: {error}") })?;
        Ok(f64::from(right - left) * HEIGHT_OF_EM / SIZE_OF_EM)
    }

    /// From one line to the next, in hundredths of a millimetre.
    pub fn leading(&self) -> f64 {
        self.em * LEADING
    }

    /// From the top of a line to its baseline, in hundredths of a millimetre.
    pub fn ascent(&self) -> f64 {
        self.em * ASCENT
    }
}

/// Makes DejaVu known to plotters, which has no font of its own.
pub(super) fn register() -> Result<(), FigureError> {
    for (style, bytes) in [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())] {
        register_font(FAMILY, style, bytes)
            .map_err(|_| FigureError::Drawing { reason: String::from("the font DejaVu could not be read") })?;
    }
    Ok(())
}

/// Words broken into lines.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The lines, from the top.
    pub lines: Vec<String>,
    /// Their face.
    pub face: Face,
    /// Width of the widest line in hundredths of a millimetre.
    pub width: f64,
}

impl Block {
    /// `text` in lines of at most `room` hundredths of a millimetre, about equally wide; no lines where it is empty.
    pub fn new(text: &str, face: Face, room: f64) -> Result<Self, FigureError> {
        let mut block = Self::filled(text, face, room)?;
        if block.lines.len() > 1 {
            // The least room that needs no line more leaves no word alone on the last.
            let (mut too_little, mut enough) = (room / 2.0, room);
            for _ in 0..6 {
                let middle = f64::midpoint(too_little, enough);
                let narrower = Self::filled(text, face, middle)?;
                if narrower.lines.len() == block.lines.len() {
                    (block, enough) = (narrower, middle);
                } else {
                    too_little = middle;
                }
            }
        }
        Ok(block)
    }

    /// `text` in lines of at most `room` hundredths of a millimetre, all but the last as wide as they get.
    pub fn filled(text: &str, face: Face, room: f64) -> Result<Self, FigureError> {
        let lines = lines(text, face, room)?;
        let mut width = 0.0_f64;
        for line in &lines {
            width = width.max(face.width(line)?);
        }
        Ok(Self { lines, face, width })
    }

    /// Height of all lines in hundredths of a millimetre.
    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * self.face.leading()
    }
}

fn lines(text: &str, face: Face, room: f64) -> Result<Vec<String>, FigureError> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split([' ', '\t']).filter(|word| !word.is_empty()) {
            for piece in pieces(word, face, room)? {
                let joined = if line.is_empty() { piece.clone() } else { format!("{line} {piece}") };
                if line.is_empty() || face.width(&joined)? <= room {
                    line = joined;
                } else {
                    lines.push(std::mem::replace(&mut line, piece));
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// A word in pieces that fit, since a name of a module can be wider than a panel. A combining mark stays with its
/// letter.
fn pieces(word: &str, face: Face, room: f64) -> Result<Vec<String>, FigureError> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for letter in word.chars() {
        let mark = ('\u{300}'..='\u{36f}').contains(&letter);
        piece.push(letter);
        if !mark && piece.chars().count() > 1 && face.width(&piece)? > room {
            piece.pop();
            // After a dot or the like where there is one: names of modules are read in such parts.
            let end = piece.rfind(['.', '_', '/', '-']).map_or(piece.len(), |last| last + 1);
            let rest = format!("{}{letter}", &piece[end..]);
            piece.truncate(end);
            pieces.push(std::mem::replace(&mut piece, rest));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::{Block, LABEL, register};

    #[test]
    fn text_is_broken_where_it_does_not_fit() {
        register().unwrap();
        let room = LABEL.width("one two").unwrap() + 1.0;
        assert_eq!(Block::new("one two three\nfour", LABEL, room).unwrap().lines, ["one two", "three", "four"]);
        let room = LABEL.width("one two three").unwrap() + 1.0;
        assert_eq!(Block::filled("one two three four", LABEL, room).unwrap().lines, ["one two three", "four"]);
        assert_eq!(Block::new("one two three four", LABEL, room).unwrap().lines, ["one two", "three four"]);
        let room = LABEL.width("one two").unwrap() + 1.0;
        let long = Block::new("model.decoder.layers.11.self_attn.q_proj.B\u{302}", LABEL, room).unwrap();
        assert!(long.lines.len() > 2 && long.width <= room);
        assert_eq!(long.lines.concat(), "model.decoder.layers.11.self_attn.q_proj.B\u{302}");
        assert!(!long.lines.iter().any(|line| line.starts_with('\u{302}')));
        assert!(Block::new("  ", LABEL, room).unwrap().lines.is_empty());
    }
}
