//! Parquet, the format in which the Hub stores data sets.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::collector::Collector;
use super::error::TableError;
use super::row::Cell;
use crate::panics::caught;

/// Reads `file`. Only the wanted columns are decompressed.
pub(super) fn read<R: ChunkReader + 'static>(file: R, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let path = collector.path;
    guarded(path, || unpack(file, collector))
}

/// The result of `work` on the file `path`. For some damaged files, the crate panics instead of returning an error.
fn guarded<T>(path: &str, work: impl FnOnce() -> Result<T, TableError>) -> Result<T, TableError> {
    caught(work).unwrap_or_else(|panic| Err(TableError::Parquet { path: path.to_owned(), source: Box::new(panic) }))
}

fn unpack<R: ChunkReader + 'static>(file: R, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let path = collector.path;
    let failed = |source: ParquetError| TableError::Parquet { path: path.to_owned(), source: Box::new(source) };
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let wanted = collector.find(&names)?;
    let projection = Type::group_type_builder(schema.name())
        .with_fields(wanted.iter().map(|position| Arc::clone(&fields[*position])).collect())
        .build()
        .map_err(failed)?;
    for (row, record) in reader.get_row_iter(Some(projection)).map_err(failed)?.enumerate() {
        let columns = record.map_err(failed)?.into_columns();
        collector.cells(row + 1, columns.iter().map(|(name, field)| (name.as_str(), cell(field))))?;
    }
    Ok(())
}

/// The columns of a file, and the names of classes that it declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParquetSchema {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The Hub's description of the columns, as JSON.
    features: Option<serde_json::Value>,
}

impl ParquetSchema {
    /// The names of the classes in `column`, in the order of their indices, if the file declares them in the Hub's format.
    pub fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let names = self.features.as_ref()?.get("info")?.get("features")?.get(column)?.get("names")?;
        names.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
    }
}

/// The schema of the file at `path`.
///
/// # Errors
///
/// [`TableError::Io`] and [`TableError::Parquet`].
pub fn parquet_schema(path: &Path) -> Result<ParquetSchema, TableError> {
    let file = File::open(path).map_err(|source| TableError::Io { path: path.to_owned(), source })?;
    guarded(&path.display().to_string(), || {
        let reader = SerializedFileReader::new(file)
            .map_err(|source| TableError::Parquet { path: path.display().to_string(), source: Box::new(source) })?;
        let metadata = reader.metadata().file_metadata();
        let columns = metadata.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        let entries = metadata.key_value_metadata().into_iter().flatten();
        let features = entries.filter(|entry| entry.key == "huggingface").find_map(|entry| entry.value.as_deref());
        Ok(ParquetSchema { columns, features: features.and_then(|text| serde_json::from_str(text).ok()) })
    })
}

/// The cell of a value. `None` for null and for types that [`Cell`] does not support, such as dates.
fn cell(field: &Field) -> Option<Cell> {
    match field {
        Field::Str(text) => Some(Cell::Text(text.clone())),
        Field::Bool(boolean) => Some(Cell::Boolean(*boolean)),
        Field::Byte(number) => Some(Cell::Integer(i64::from(*number))),
        Field::Short(number) => Some(Cell::Integer(i64::from(*number))),
        Field::Int(number) => Some(Cell::Integer(i64::from(*number))),
        Field::Long(number) => Some(Cell::Integer(*number)),
        Field::UByte(number) => Some(Cell::Integer(i64::from(*number))),
        Field::UShort(number) => Some(Cell::Integer(i64::from(*number))),
        Field::UInt(number) => Some(Cell::Integer(i64::from(*number))),
        Field::ULong(number) => Some(i64::try_from(*number).map_or(Cell::Float(*number as f64), Cell::Integer)),
        Field::Float16(number) => Some(Cell::Float(f64::from(*number))),
        Field::Float(number) => Some(Cell::Float(f64::from(*number))),
        Field::Double(number) => Some(Cell::Float(*number)),
        Field::Bytes(bytes) => Some(Cell::Bytes(bytes.data().to_vec())),
        Field::ListInternal(list) => list.elements().iter().map(cell).collect::<Option<_>>().map(Cell::List),
        Field::Group(record) => {
            let fields = record.get_column_iter();
            Some(Cell::Struct(fields.filter_map(|(name, field)| Some((name.clone(), cell(field)?))).collect()))
        }
        _ => None,
    }
}
