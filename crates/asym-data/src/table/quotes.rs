//! The quotes of a text, found without parsing its cells.

/// How a text uses quotes.
pub(super) struct Quotes {
    /// Whether every quote surrounds a whole cell, or is doubled within one.
    pub(super) proper: bool,
    /// The line of a cell whose quote is never closed.
    pub(super) open: Option<usize>,
    /// The line of the first doubled quote.
    pub(super) doubled: Option<usize>,
}

impl Quotes {
    /// Reads `text` as a CSV reader does.
    pub(super) fn scan(text: &str, delimiter: u8) -> Self {
        let mut quotes = Self { proper: true, open: None, doubled: None };
        let (mut line, mut starts) = (1, true);
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match (byte, quotes.open) {
                (b'"', Some(_)) if bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    quotes.doubled.get_or_insert(line);
                }
                // This quote ends a quoted cell, so the next byte must end the cell or the row.
                (b'"', Some(_)) => {
                    quotes.open = None;
                    quotes.proper &= bytes.peek().is_none_or(|next| [delimiter, b'\n', b'\r'].contains(next));
                }
                (b'"', None) if starts => quotes.open = Some(line),
                (b'"', None) => quotes.proper = false,
                _ => {}
            }
            line += usize::from(byte == b'\n');
            starts = quotes.open.is_none() && (byte == delimiter || byte == b'\n');
        }
        quotes
    }
}
