//! Text fields to typed values and back, by a reversible rule per column.

/// One field as it stood in a text source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawField<'a> {
    /// CSV: the contents without quotes and escapes. JSON: the text of a number, the contents of a string.
    pub bytes: &'a [u8],
    /// Whether it was quoted: only an unquoted field can be null.
    pub quoted: bool,
}
