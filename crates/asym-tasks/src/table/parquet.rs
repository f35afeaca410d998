//! Parquet, as the Hub holds its data sets.

use std::borrow::Cow;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::Collector;
use crate::error::TaskError;

/// Reads `file`, of which only the columns that are wanted are unpacked.
pub(super) fn read<R: ChunkReader + 'static>(file: R, collector: &mut Collector<'_>) -> Result<(), TaskError> {
    let path = collector.path;
    let failed = |source: ParquetError| TaskError::Parquet { path: path.to_owned(), source: Box::new(source) };
    let reader = SerializedFileReader::new(file).map_err(failed)?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let wanted = collector.wanted(&names)?;
    let projection = Type::group_type_builder(schema.name())
        .with_fields(wanted.iter().map(|position| Arc::clone(&fields[*position])).collect())
        .build()
        .map_err(failed)?;
    for (row, record) in reader.get_row_iter(Some(projection)).map_err(failed)?.enumerate() {
        let columns = record.map_err(failed)?.into_columns();
        let cells: Vec<Cow<'_, str>> = columns
            .iter()
            .map(|(name, field)| {
                cell(field).ok_or_else(|| TaskError::MissingValue {
                    path: path.to_owned(),
                    line: row + 1,
                    column: name.clone(),
                })
            })
            .collect::<Result<_, _>>()?;
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        collector.row(row + 1, &cells)?;
    }
    Ok(())
}

/// A cell as a text file would have it.
fn cell(field: &Field) -> Option<Cow<'_, str>> {
    match field {
        Field::Str(text) => Some(Cow::Borrowed(text)),
        Field::Byte(number) => Some(number.to_string().into()),
        Field::Short(number) => Some(number.to_string().into()),
        Field::Int(number) => Some(number.to_string().into()),
        Field::Long(number) => Some(number.to_string().into()),
        Field::UByte(number) => Some(number.to_string().into()),
        Field::UShort(number) => Some(number.to_string().into()),
        Field::UInt(number) => Some(number.to_string().into()),
        Field::ULong(number) => Some(number.to_string().into()),
        Field::Float(number) => Some(number.to_string().into()),
        Field::Double(number) => Some(number.to_string().into()),
        _ => None,
    }
}
