//! The bytes of a safetensors file, which are read in chunks.
//!
//! A file is read and not mapped into memory. If a mapped file is truncated, for example on a network disk, the operating
//! system ends the program with a signal (SIGBUS). Reading a truncated file returns an error instead.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;
use serde::de::Error as _;

/// The size of a chunk in bytes. It is a multiple of the size of every dtype.
const PIECE: usize = 1 << 20;
/// The size in bytes of the largest header that safetensors accepts.
const LONGEST_HEADER: usize = 100_000_000;

/// The bytes of a file, or bytes in memory.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file, and its length when it was opened.
    File(Mutex<File>, usize),
    Held(Cow<'static, [u8]>),
}

impl Bytes {
    /// The bytes of a file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let length = usize::try_from(metadata.len()).map_err(|_| Error::from(ErrorKind::FileTooLarge))?;
        Ok(Self::File(Mutex::new(file), length))
    }

    pub fn len(&self) -> usize {
        match self {
            Self::File(_, length) => *length,
            Self::Held(bytes) => bytes.len(),
        }
    }

    /// The bytes in `range`, which must be within the length.
    pub fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>> {
        match self {
            Self::Held(bytes) => Ok(Cow::Borrowed(&bytes[range])),
            Self::File(file, _) => {
                let mut bytes = vec![0; range.len()];
                read(file, range.start, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Call `each` with the chunks of `range` in order, and with the offset of each chunk in the range.
    pub fn pieces(&self, range: Range<usize>, mut each: impl FnMut(usize, &[u8])) -> Result<()> {
        match self {
            Self::Held(bytes) => each(0, &bytes[range]),
            Self::File(file, _) => {
                let mut buffer = vec![0; range.len().min(PIECE)];
                for at in range.clone().step_by(PIECE) {
                    let piece = &mut buffer[..PIECE.min(range.end - at)];
                    read(file, at, piece)?;
                    each(at - range.start, piece);
                }
            }
        }
        Ok(())
    }

    /// The length of the header and its parsed content, as `SafeTensors::read_metadata` returns them for a file in memory.
    pub fn metadata(&self) -> Result<std::result::Result<(usize, Metadata), SafeTensorError>> {
        if let Self::Held(bytes) = self {
            return Ok(safetensors::SafeTensors::read_metadata(bytes));
        }
        let invalid = |error| Ok(Err(SafeTensorError::InvalidHeaderDeserialization(error)));
        let length = self.len();
        if length < 8 {
            return Ok(Err(SafeTensorError::HeaderTooSmall));
        }
        let mut first = [0; 8];
        first.copy_from_slice(&self.get(0..8)?);
        let header = usize::try_from(u64::from_le_bytes(first)).unwrap_or(usize::MAX);
        if header > LONGEST_HEADER {
            return Ok(Err(SafeTensorError::HeaderTooLarge));
        }
        if header > length - 8 {
            return Ok(Err(SafeTensorError::InvalidHeaderLength));
        }
        let bytes = self.get(0..8 + header)?;
        if let Some(key) = asym_core::repeated_key(&bytes) {
            return invalid(serde_json::Error::custom(format_args!("the key `{key}` occurs twice")));
        }
        let text = match std::str::from_utf8(&bytes[8..]) {
            Ok(text) => text,
            Err(error) => return Ok(Err(SafeTensorError::InvalidHeader(error))),
        };
        // safetensors checks that the tensors are contiguous and begin at the first byte of the data.
        let metadata: Metadata = match serde_json::from_str(text) {
            Ok(metadata) => metadata,
            Err(error) => return invalid(error),
        };
        let end = metadata.tensors().values().map(|tensor| tensor.data_offsets.1).max().unwrap_or(0);
        if end != length - 8 - header {
            return Ok(Err(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Ok((header, metadata)))
    }
}

/// Read the bytes from offset `at` on, until `bytes` is full.
fn read(file: &Mutex<File>, at: usize, bytes: &mut [u8]) -> Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(at as u64))?;
    file.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::UnexpectedEof, "the file was truncated while it was read; download it again")
        }
        _ => error,
    })
}
