//! Provides what a caller may say about delimited text, and the resolved rules by which it is read.

use super::header::HeaderName;
use crate::{Error, Result};

/// What the caller says about delimited text; what is `None` is detected or has a documented default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// Byte between fields. Default: detected among comma, semicolon, tab and bar.
    pub delimiter: Option<u8>,
    /// Quote byte; `Some(None)` turns quoting off. Default: `"`.
    pub quote: Option<Option<u8>>,
    /// Byte that, inside a quoted field, makes the next byte plain text. Default: none.
    pub escape: Option<u8>,
    /// Lines that begin with these bytes are comments. Default: none are.
    pub comment: Option<Vec<u8>>,
    /// Lines passed over at the start, whatever is in them. Default: the first, where it tells the delimiter.
    pub skip_lines: Option<u64>,
    /// Whether the first record holds the names. Default: detected.
    pub header: Option<bool>,
    /// What a record of fewer fields than columns means.
    pub ragged: Ragged,
}

/// What a record of fewer fields than columns means. One of more fields is always malformed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ragged {
    /// It is malformed.
    #[default]
    Refuse,
    /// The missing fields are empty and unquoted.
    Pad,
}

/// How records end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnding {
    /// `\n`. When reading, `\r\n` is accepted as well.
    Lf,
    /// `\r\n`. When reading, `\n` is accepted as well.
    CrLf,
    /// `\r` alone.
    Cr,
}

impl LineEnding {
    /// The bytes of the ending.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            LineEnding::Lf => b"\n",
            LineEnding::CrLf => b"\r\n",
            LineEnding::Cr => b"\r",
        }
    }

    /// The byte at which a record ends.
    pub(crate) fn terminator(self) -> u8 {
        if self == LineEnding::Cr { b'\r' } else { b'\n' }
    }
}

/// The rules by which one delimited text is read, all resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Byte between fields.
    pub delimiter: u8,
    /// Quote byte, if quoting is on.
    pub quote: Option<u8>,
    /// Escape byte in quoted fields, if any.
    pub escape: Option<u8>,
    /// Mark of comment lines, if any.
    pub comment: Option<Vec<u8>>,
    /// Lines that were passed over at the start.
    pub skip_lines: u64,
    /// How the first record ends.
    pub line_ending: LineEnding,
    /// Whether the first record holds the names.
    pub header: bool,
    /// One name for each column, unique and not empty.
    pub names: Vec<HeaderName>,
    /// Byte at which the records begin: after skipped lines and header.
    pub data_start: u64,
    /// What short records mean.
    pub ragged: Ragged,
    /// Why it was resolved so: one sentence for each thing that was not given.
    pub why: Vec<String>,
    /// The same of what is as its name and its records tell anybody.
    pub plain: Vec<String>,
    /// Other delimiters that fit the sample as well; not empty means that the choice was a default.
    pub also_fits: Vec<u8>,
    /// What stands above the table, if its first records look like that.
    pub above: Option<Above>,
    /// Whether the delimiter was given, and which other one fits the sample where that does not.
    pub given: Option<Given>,
}

/// A delimiter that was given, rather than found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The one that fits each of the first records, where this does not.
    pub fitting: Option<u8>,
}

/// Lines above a table that are no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Above {
    /// All of them begin with this.
    Comments(&'static str),
    /// So many lines, from the start of the text.
    Lines(u64),
}

impl Above {
    /// The option that leaves them out.
    pub(super) fn advice(self) -> String {
        match self {
            Above::Comments(mark) => {
                format!("--comment '{mark}' leaves out the lines that begin with {mark}")
            }
            Above::Lines(1) => {
                "if the first line is no part of the table, --skip-lines 1 leaves it out".to_owned()
            }
            Above::Lines(count) => format!(
                "if the first {count} lines are no part of the table, --skip-lines {count} leaves them out"
            ),
        }
    }
}

impl Dialect {
    /// Count of columns.
    pub fn columns(&self) -> usize {
        self.names.len()
    }

    /// Whether an empty line is a record.
    pub(super) fn blank_is_record(&self) -> bool {
        self.columns() == 1
    }
}

/// Refuses options that contradict each other or that no text can follow.
pub(super) fn validate(options: &CsvOptions) -> Result<()> {
    let quote = options.quote.unwrap_or(Some(b'"'));
    let specials = [("delimiter", options.delimiter), ("quote", quote), ("escape", options.escape)];
    for (what, byte) in specials {
        if let Some(byte) = byte
            && (matches!(byte, 0 | b'\n' | b'\r') || !byte.is_ascii())
        {
            let text =
                format!("{what} {byte:#04x} cannot be used: it must be ASCII, not NUL and not a line end");
            return Err(Error::Misuse(text));
        }
    }
    if options.delimiter.is_some() && options.delimiter == quote {
        return Err(Error::Misuse("delimiter and quote are the same byte".to_owned()));
    }
    if let Some(escape) = options.escape
        && (Some(escape) == quote || Some(escape) == options.delimiter)
    {
        let text = "the escape byte must differ from quote and delimiter; doubled quotes need no escape byte";
        return Err(Error::Misuse(text.to_owned()));
    }
    let Some(comment) = &options.comment else {
        return Ok(());
    };
    let clashes = |byte: &u8| {
        byte.is_ascii_whitespace() || *byte == 0 || Some(*byte) == quote || Some(*byte) == options.delimiter
    };
    if comment.is_empty() || comment.iter().any(clashes) {
        let text = "the comment mark must not be empty nor hold white space, quote or delimiter";
        return Err(Error::Misuse(text.to_owned()));
    }
    Ok(())
}
