//! Text in a figure: its width and its line breaks.

use plotters::style::{FontFamily, FontStyle, IntoFont, RGBColor, TextStyle, register_font};

use crate::error::FigureError;
use crate::style::{FAINT_INK, INK};

/// The font family in the SVG. A browser without DejaVu uses its default sans-serif font. plotters looks up the font by this
/// whole string.
pub(crate) const FAMILY: &str = "DejaVu Sans, sans-serif";

/// Size that plotters needs for one em.
const SIZE_OF_EM: f64 = 1.24;
/// Sum of DejaVu's ascent and descent, in ems. ab_glyph, which measures text for plotters, uses this height as the size of the
/// font.
const HEIGHT_OF_EM: f64 = 2384.0 / 2048.0;
/// Distance from one line to the next, in ems.
const LEADING: f64 = 1.22;
/// Distance from the top of a line to its baseline, in ems.
const ASCENT: f64 = 0.97;
/// Hundredths of a millimeter in a point.
const POINT: f64 = 2540.0 / 72.0;

/// A size, weight and color of text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Face {
    /// Size in hundredths of a millimeter.
    pub em: f64,
    bold: bool,
    color: RGBColor,
}

/// Title of the figure: 9.5 pt.
pub(crate) const TITLE: Face = Face { em: 9.5 * POINT, bold: true, color: INK };
/// Title of a panel: 8 pt.
pub(crate) const PANEL: Face = Face { em: 8.0 * POINT, bold: true, color: INK };
/// Label of an axis or of the legend: 7.5 pt.
pub(crate) const LABEL: Face = Face { em: 7.5 * POINT, bold: false, color: INK };
/// Label of a tick: 7 pt.
pub(crate) const TICK: Face = Face { em: 7.0 * POINT, bold: false, color: INK };
/// The note: 7 pt.
pub(crate) const NOTE: Face = Face { em: 7.0 * POINT, bold: false, color: FAINT_INK };

impl Face {
    /// The style of plotters for this face.
    pub fn style(&self) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = (FontFamily::Name(FAMILY), self.em * SIZE_OF_EM, weight).into_font();
        font.color(&self.color)
    }

    /// Width of a line in hundredths of a millimeter.
    pub fn width(&self, line: &str) -> Result<f64, FigureError> {
        let ((left, _), (right, _)) = self
            .style()
            .font
            .layout_box(line)
            .map_err(|error| FigureError::Drawing { reason: format!("`{line}` could not be measured: {error}") })?;
        Ok(f64::from(right - left) * HEIGHT_OF_EM / SIZE_OF_EM)
    }

    /// Distance from one line to the next, in hundredths of a millimeter.
    pub fn leading(&self) -> f64 {
        self.em * LEADING
    }

    /// Distance from the top of a line to its baseline, in hundredths of a millimeter.
    pub fn ascent(&self) -> f64 {
        self.em * ASCENT
    }
}

/// Registers DejaVu with plotters, which includes no font.
pub(crate) fn register() -> Result<(), FigureError> {
    for (style, bytes) in [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())] {
        register_font(FAMILY, style, bytes)
            .map_err(|_| FigureError::Drawing { reason: String::from("the font DejaVu could not be read") })?;
    }
    Ok(())
}

/// A text in lines.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// The lines, from the top.
    pub lines: Vec<String>,
    /// Their face.
    pub face: Face,
    /// Width of the widest line in hundredths of a millimeter.
    pub width: f64,
}

impl Block {
    /// Breaks `text` into lines of about equal width, at most `room` hundredths of a millimeter. An empty text has no
    /// lines.
    pub fn new(text: &str, face: Face, room: f64) -> Result<Self, FigureError> {
        let mut block = Self::filled(text, face, room)?;
        if block.lines.len() > 1 {
            // With the smallest room for the same number of lines, the lines are about equally wide.
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

    /// Breaks `text` into lines of at most `room` hundredths of a millimeter. Each line contains as many words as fit.
    pub fn filled(text: &str, face: Face, room: f64) -> Result<Self, FigureError> {
        let lines = lines(text, face, room)?;
        let mut width = 0.0_f64;
        for line in &lines {
            width = width.max(face.width(line)?);
        }
        Ok(Self { lines, face, width })
    }

    /// Height of all lines in hundredths of a millimeter.
    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * self.face.leading()
    }
}

/// Breaks a text into lines, at its line breaks and before a word that does not fit.
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

/// Breaks a word into pieces that fit, because the name of a module can be wider than a panel. A combining mark stays
/// with its letter.
fn pieces(word: &str, face: Face, room: f64) -> Result<Vec<String>, FigureError> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for letter in word.chars() {
        let mark = ('\u{300}'..='\u{36f}').contains(&letter);
        piece.push(letter);
        if !mark && piece.chars().count() > 1 && face.width(&piece)? > room {
            piece.pop();
            // The word is broken after a dot or a similar character if it has one, because names of modules have such parts.
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
    fn long_text_is_wrapped() {
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
