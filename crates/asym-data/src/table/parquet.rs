//! Parquet, in which the Hub stores its data sets.

use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::collector::Collector;
use super::error::TableError;
use super::row::Cell;
use crate::panics::caught;

/// Reads `file`. Only the wanted columns are unpacked.
pub(super) fn read<R: ChunkReader + 'static>(file: R, collector: &mut Collector<'_>) -> Result<(), TableError> {
    let path = collector.path;
    // The crate checks damaged pages by assertions, and not all of them return errors.
    caught(|| unpack(file, collector))
        .unwrap_or_else(|panic| Err(TableError::Parquet { path: path.to_owned(), source: Box::new(panic) }))
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

/// `None` for null and for types that have no cell, such as dates and structs.
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
        _ => None,
    }
}
