//! A contact sheet: training pictures as the model receives them.

use asym_data::Picture;

use super::error::ImagesError;
use super::source::ImageSource;
use crate::error::TaskError;

/// The number of pixels between two pictures, and around the grid.
const MARGIN: usize = 2;

/// The sample value of the background.
const WHITE: u8 = 255;

/// Training pictures in a grid, and the classes of its rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The grid.
    pub picture: Picture,
    /// The class of each row.
    pub rows: Vec<String>,
}

impl Sheet {
    /// The sheet with a row of up to `columns` pictures for each class, as they are in the first epoch of `source`.
    ///
    /// # Errors
    ///
    /// [`ImagesError::Setting`] if `columns` is 0, and a picture that cannot be read.
    pub fn of(source: &ImageSource, columns: usize) -> Result<Self, TaskError> {
        if columns == 0 {
            let expected = "at least 1".to_string();
            return Err(ImagesError::Setting { setting: "columns", found: "0".into(), expected }.into());
        }
        let classes = &source.pictures().classes;
        let row = |class: usize| {
            let members = source.members().iter().enumerate();
            let own = members.filter(|(index, _)| source.class(*index) == class).take(columns);
            own.map(|(_, member)| source.pictures().seen(*member, source.augment(), 0)).collect::<Result<Vec<_>, _>>()
        };
        let rows = (0..classes.len()).map(row).collect::<Result<Vec<Vec<Picture>>, _>>()?;
        Ok(Self { picture: grid(&rows), rows: classes.to_vec() })
    }
}

/// Rows of pictures on a white background. All cells have the size of the largest picture.
fn grid(rows: &[Vec<Picture>]) -> Picture {
    let largest = |side: fn(&Picture) -> usize| rows.iter().flatten().map(side).max().unwrap_or_default() + MARGIN;
    let (cell_height, cell_width) = (largest(|picture| picture.height), largest(|picture| picture.width));
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let (height, width) = (rows.len() * cell_height + MARGIN, columns * cell_width + MARGIN);
    let mut sheet = Picture { samples: vec![WHITE; 3 * height * width], height, width };
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            let (top, left) = (MARGIN + row * cell_height, MARGIN + column * cell_width);
            for (line, samples) in picture.samples.chunks_exact(3 * picture.width).enumerate() {
                let start = 3 * ((top + line) * width + left);
                sheet.samples[start..start + samples.len()].copy_from_slice(samples);
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_placed_in_cells_on_white() {
        let picture = |shade: u8, height, width| Picture { samples: vec![shade; 3 * height * width], height, width };
        let sheet = grid(&[vec![picture(1, 3, 4), picture(2, 3, 4)], vec![picture(3, 2, 4)]]);
        assert_eq!((sheet.height, sheet.width), (2 * 5 + 2, 2 * 6 + 2));
        let at = |row: usize, column: usize| sheet.samples[3 * (row * sheet.width + column)];
        for (row, column, shade) in
            [(0, 0, 255), (2, 2, 1), (4, 5, 1), (4, 6, 255), (2, 8, 2), (7, 2, 3), (9, 2, 255), (7, 8, 255)]
        {
            assert_eq!(at(row, column), shade, "{row}, {column}");
        }
        // Every sample of the three pictures appears once.
        let count = |shade: u8| sheet.samples.iter().filter(|sample| **sample == shade).count();
        assert_eq!([1, 2, 3].map(count), [36, 36, 24]);
    }
}
