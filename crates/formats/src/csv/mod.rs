//! Provides delimited text (CSV, TSV and relatives): detection, an independent scan, decoding and encoding.
//!
//! The rules, shared by scan and decoder, are RFC 4180 and what real files add to it:
//!
//! - A record ends at `\n` (a `\r` before it belongs to the ending) or, in old Macintosh files, at `\r`. In
//!   a file of `\n` endings a lone `\r` is part of its field. The last record needs no ending.
//! - A quote opens a quoted field only as the first byte of the field; elsewhere it is text. In a quoted
//!   field everything is text; a doubled quote is one quote; where an escape byte is given, it is dropped
//!   and the byte after it is text. After the closing quote only a delimiter or an ending may follow:
//!   `"a"b` is malformed.
//! - An empty line is no record, except in a table of one column, where it is a record with an empty field.
//! - A line that begins with the comment mark, where one is given, is no record. A quoted field may hold
//!   such lines.
//! - Text is UTF-8 without NUL bytes.
//!
//! Typing of fields is not done here: fields stay text, and say whether they were quoted.

mod bits;
mod decode;
mod detect;
mod dialect;
mod encode;
mod fault;
mod header;
mod misfits;
mod parts;
mod proposal;
mod rows;
mod scan;
mod split;
mod table;

pub use decode::{BadRecords, RecordReader, Reject, TextBatch};
pub use detect::detect;
pub(crate) use detect::misleading;
pub use dialect::{Above, CsvOptions, Dialect, Given, LineEnding, Ragged};
pub use encode::{CsvFormat, CsvWriter};
pub use fault::GIVEN;
pub use header::HeaderName;
pub(crate) use header::header_of;
pub(crate) use misfits::misfits;
pub use parts::{Mark, Scan, TextPart};
pub(crate) use proposal::{SAMPLE_CHUNKS, sample};
pub use scan::{ScanOptions, scan};
pub use table::{CsvEncoder, CsvTable, observe};

#[cfg(test)]
mod tests;
