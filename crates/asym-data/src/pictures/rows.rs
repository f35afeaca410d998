//! Pictures in Parquet files, as the Hub stores data sets of pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::PicturesError;
use super::folders::distinct;
use super::{Class, Collection, PictureFile};
use crate::table::{self, Cell, Columns, Format, Reading};

/// The accepted names of each column. The first name that a table has is used.
const PICTURE: [&str; 3] = ["image", "picture", "img"];
const CLASS: [&str; 3] = ["label", "labels", "class"];
const ENVIRONMENT: [&str; 3] = ["domain", "environment", "env"];

/// The columns of a table of pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureTable {
    paths: Vec<PathBuf>,
    picture: String,
    class: String,
    environment: Option<String>,
    /// The names of the classes in the order of their indices, if the table declares them.
    classes: Option<Vec<String>>,
}

/// Pictures with their original paths.
type WithPaths = Vec<(Option<String>, PictureFile)>;

/// The pictures of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// One collection for each environment, sorted by name, or a single collection if the table has no column of environments.
    pub collections: Vec<Collection>,
    /// Whether every picture has a path. If so, the pictures are sorted by path. If not, they are in the order of the rows.
    pub by_path: bool,
}

impl PictureTable {
    /// The table whose parts are at `paths`. If `environments` is true, it must have a column of environments.
    ///
    /// # Errors
    ///
    /// [`PicturesError::NoColumn`] and [`PicturesError::Table`].
    pub fn new(paths: &[PathBuf], environments: bool) -> Result<Self, PicturesError> {
        let first = paths.first().cloned().unwrap_or_default();
        let schema = table::parquet_schema(&first)?;
        let find = |names: [&'static str; 3]| {
            let column = names.iter().find(|name| schema.columns.iter().any(|column| column == *name));
            column.map(ToString::to_string).ok_or_else(|| PicturesError::NoColumn {
                path: first.clone(),
                expected: names.to_vec(),
                found: schema.columns.clone(),
            })
        };
        let environment = if environments { Some(find(ENVIRONMENT)?) } else { find(ENVIRONMENT).ok() };
        let (picture, class) = (find(PICTURE)?, find(CLASS)?);
        let classes = schema.class_names(&class);
        Ok(Self { paths: paths.to_vec(), picture, class, environment, classes })
    }

    /// Reads all pictures into memory, as encoded bytes. The pictures of a class are sorted by their original paths, so a split
    /// by position is the same as for folders of pictures. `name` is the name of the collection if the table has no column of
    /// environments.
    ///
    /// # Errors
    ///
    /// [`PicturesError::Cell`], [`PicturesError::Case`] and [`PicturesError::Table`].
    pub fn read(&self, name: &str) -> Result<Rows, PicturesError> {
        let mut wanted = vec![self.picture.clone(), self.class.clone()];
        wanted.extend(self.environment.clone());
        let reading = Reading { format: Format::Parquet, columns: Columns::Named(wanted), skip_short_rows: false };
        let mut found: BTreeMap<String, BTreeMap<String, WithPaths>> = BTreeMap::new();
        let mut by_path = true;
        for path in &self.paths {
            for row in table::read(path, &reading)? {
                let refused = |column: &str, expected| {
                    let (path, column) = (path.clone(), column.to_owned());
                    PicturesError::Cell { path, row: row.line, column, expected }
                };
                let mut cells = row.cells.iter();
                let (original, bytes) =
                    cells.next().and_then(picture).ok_or_else(|| refused(&self.picture, "the bytes of a picture"))?;
                let class = cells.next().and_then(|cell| self.class_of(cell));
                let class = class.ok_or_else(|| refused(&self.class, "a class"))?;
                let environment = match &self.environment {
                    Some(column) => cells
                        .next()
                        .and_then(|cell| Some(cell.text()?.into_owned()))
                        .ok_or_else(|| refused(column, "the name of an environment"))?,
                    None => name.to_owned(),
                };
                by_path = by_path && original.is_some();
                let shown = original.clone().unwrap_or_else(|| format!("row {}", row.line));
                let file = PictureFile::bytes(format!("{}: {shown}", path.display()), bytes);
                found.entry(environment).or_default().entry(class).or_default().push((original, file));
            }
        }
        distinct(&describe(&self.paths), found.keys())?;
        let class = |(name, mut pictures): (String, WithPaths)| {
            if by_path {
                pictures.sort_by(|a, b| a.0.cmp(&b.0));
            }
            Class { name, pictures: pictures.into_iter().map(|(_, file)| file).collect() }
        };
        let mut collections = Vec::new();
        for (name, classes) in found {
            distinct(&format!("{}: {name}", describe(&self.paths)), classes.keys())?;
            collections.push(Collection { name, classes: classes.into_iter().map(class).collect() });
        }
        Ok(Rows { collections, by_path })
    }

    /// The name of the class in a cell: its text, or the name that the table declares for its index.
    fn class_of(&self, cell: &Cell) -> Option<String> {
        match (cell, &self.classes) {
            (Cell::Integer(number), Some(names)) => names.get(usize::try_from(*number).ok()?).cloned(),
            _ => Some(cell.text()?.into_owned()),
        }
    }
}

/// The path and the bytes of a picture. The cell is a struct of both, as the Hub's `Image` stores it, or it has only the bytes.
fn picture(cell: &Cell) -> Option<(Option<String>, Vec<u8>)> {
    match cell {
        Cell::Bytes(bytes) => Some((None, bytes.clone())),
        Cell::Struct(fields) => {
            let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, cell)| cell);
            let Some(Cell::Bytes(bytes)) = field("bytes") else { return None };
            let path = field("path").and_then(|path| Some(path.text()?.into_owned()));
            Some((path, bytes.clone()))
        }
        _ => None,
    }
}

fn describe(paths: &[PathBuf]) -> String {
    paths.first().map_or_else(String::new, |path: &PathBuf| Path::display(path).to_string())
}
