//! The files of a figure: SVG, PNG and CSV.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::Figure;
use crate::draw::Drawing;
use crate::error::FigureError;

/// Pixels per millimeter. This is 305 dpi, about three times the resolution of a screen.
const PIXELS: u32 = 12;

/// Renders the drawing as a PNG file.
pub(crate) fn png(drawing: &Drawing) -> Result<Vec<u8>, FigureError> {
    let (width, height) = (drawing.width * PIXELS, drawing.height * PIXELS);
    let failed = |reason: String| FigureError::Raster { width, height, reason };
    // System fonts are not used, so that the image is the same on every machine.
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let options = Options { fontdb: Arc::new(fonts), font_family: String::from("DejaVu Sans"), ..Options::default() };
    let tree = Tree::from_str(&drawing.svg, &options).map_err(|error| failed(error.to_string()))?;
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| failed(String::from("the picture is too large")))?;
    let scale = Transform::from_scale(width as f32 / tree.size().width(), height as f32 / tree.size().height());
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

/// Writes the points as a table. Each number has the fewest digits from which it can be restored exactly.
pub(crate) fn csv(figure: &Figure) -> Result<Vec<u8>, FigureError> {
    let failed = |error: csv::Error| FigureError::Table { reason: error.to_string() };
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["panel", "series", "x", "y", "low", "high"]).map_err(failed)?;
    for panel in &figure.panels {
        for series in &panel.series {
            for point in &series.points {
                let [low, high] =
                    point.spread.map_or([const { String::new() }; 2], |(low, high)| [low, high].map(|v| v.to_string()));
                let row = [&panel.title, &series.name, &point.x.to_string(), &point.y.to_string(), &low, &high];
                table.write_record(row).map_err(failed)?;
            }
        }
    }
    table.into_inner().map_err(|error| FigureError::Table { reason: error.to_string() })
}

/// Writes `bytes` to `stem.extension` and returns the path. A dot in the stem's name is kept, as in `d_r_0.5`.
pub(crate) fn write(stem: &Path, extension: &str, bytes: &[u8]) -> Result<PathBuf, FigureError> {
    let path = extended(stem, extension);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| FigureError::Io { path: folder.to_path_buf(), source })?;
    }
    write_whole(&path, bytes).map_err(|source| FigureError::Io { path: path.clone(), source })?;
    Ok(path)
}

/// Writes a file under another name and moves it into place when it is on the disk. If the program is killed or the power fails,
/// the old file or the complete new file remains.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = extended(path, "part");
    let write = || {
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().inspect_err(|_| {
        // Remove the incomplete file. If this fails too, only the first error is reported.
        let _ = fs::remove_file(&part);
    })
}

/// Adds a dot and `extension` to a path.
fn extended(path: &Path, extension: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
