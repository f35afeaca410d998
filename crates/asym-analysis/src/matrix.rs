//! What every matrix that comes in is asked.

use faer::Mat;

use crate::AnalysisError;

/// Refuse a value that is not finite.
pub(crate) fn finite(matrix: &Mat<f64>, what: &str) -> Result<(), AnalysisError> {
    for column in 0..matrix.ncols() {
        for row in 0..matrix.nrows() {
            let found = matrix[(row, column)];
            if !found.is_finite() {
                return Err(AnalysisError::NotFinite { what: what.to_string(), row, column, found });
            }
        }
    }
    Ok(())
}
