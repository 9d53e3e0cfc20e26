//! Provides delimited text from fields, with as few quotes as reading the same fields back allows.
//!
//! A field is quoted if it holds a delimiter, quote or line end, if it is empty text or equals a spelling of
//! null in its column though it is no null, or if its first bytes at the start of a line would be read as
//! something else: the comment mark, or, at the start of the text, a byte order mark, the magic of a
//! compressed file, or `sep=` with one character or none. A null is a spelling of its column, unquoted. In a
//! table of one column whose token is empty, a null is an empty line, which readers of one-column text take
//! for a record.

use super::detect::{is_like_told, is_value};
use super::dialect::{CsvOptions, Dialect, LineEnding, Ragged, validate};
use super::header::unique_names;
use crate::carry::{NOT_AS_TEXT, Refusal};
use crate::limits::RECORD_BYTES_MAX;
use crate::pieces::Pieces;
use crate::{Error, Place, Result};

/// How delimited text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvFormat {
    /// Byte between fields.
    pub delimiter: u8,
    /// Quote byte.
    pub quote: u8,
    /// Line ending.
    pub line_ending: LineEnding,
    /// A comment mark that readers will be given; `None`: they take no line for a comment.
    pub comment: Option<Vec<u8>>,
    /// Whether the first record holds the names.
    pub header: bool,
}

impl Default for CsvFormat {
    fn default() -> Self {
        CsvFormat { delimiter: b',', quote: b'"', line_ending: LineEnding::Lf, comment: None, header: true }
    }
}

impl CsvFormat {
    /// Tab-separated values.
    pub fn tsv() -> Self {
        CsvFormat { delimiter: b'\t', ..CsvFormat::default() }
    }

    /// The dialect that reads what a writer of this format wrote: no detection, no surprise. `data_start`
    /// is the length of the header record, 0 without one; `names` are the names that were written.
    pub fn dialect(&self, names: Vec<String>, data_start: u64) -> Dialect {
        Dialect {
            delimiter: self.delimiter,
            quote: Some(self.quote),
            escape: None,
            comment: self.comment.clone(),
            skip_lines: 0,
            line_ending: self.line_ending,
            header: self.header,
            names: unique_names(names),
            data_start,
            ragged: Ragged::Refuse,
            why: Vec::new(),
            plain: Vec::new(),
            also_fits: Vec::new(),
            above: None,
            given: None,
        }
    }
}

/// What the bytes of a field call for, as bits that are gathered without a branch.
const PLAIN: u8 = 0;
/// The field must be quoted.
const SPECIAL: u8 = 1;
/// The field cannot be written.
const NUL: u8 = 2;

/// Writes records into a buffer of its own, which the caller takes whenever it likes.
pub struct CsvWriter {
    format: CsvFormat,
    /// Null token of each column.
    nulls: Vec<Vec<u8>>,
    /// Other texts that readers of a column take for null, or refuse, where they are not quoted.
    words: Vec<Vec<Vec<u8>>>,
    classes: [u8; 256],
    out: Vec<u8>,
    /// Where the record that is being written begins in it.
    begun: usize,
    column: usize,
    /// Whether nothing was written before: the first bytes of a text must not look like those of another
    /// format.
    at_start: bool,
}

impl CsvWriter {
    /// A writer of records with one field for each of `nulls`, the text that stands for null in each column.
    /// `at_start`: the first record opens the text.
    ///
    /// Errors: `Misuse` if the format contradicts itself, or a null token would need quotes.
    pub fn new(format: CsvFormat, nulls: Vec<Vec<u8>>, at_start: bool) -> Result<Self> {
        validate(&CsvOptions {
            delimiter: Some(format.delimiter),
            quote: Some(Some(format.quote)),
            comment: format.comment.clone(),
            ..CsvOptions::default()
        })?;
        if nulls.is_empty() {
            return Err(Error::Misuse(
                "a table without columns cannot be written as delimited text".to_owned(),
            ));
        }
        let mut classes = [PLAIN; 256];
        for byte in [format.delimiter, format.quote, b'\n', b'\r'] {
            classes[usize::from(byte)] = SPECIAL;
        }
        classes[0] = NUL;
        let words = vec![Vec::new(); nulls.len()];
        let out = Vec::new();
        let writer = CsvWriter { format, nulls, words, classes, out, begun: 0, column: 0, at_start };
        writer.nulls.iter().enumerate().try_for_each(|(column, token)| writer.check_null(column, token))?;
        Ok(writer)
    }

    /// The same with other texts of each column that readers take for null, or refuse, if not quoted.
    #[must_use]
    pub fn with_words(mut self, words: Vec<Vec<Vec<u8>>>) -> Self {
        self.words = words;
        self.words.resize(self.nulls.len(), Vec::new());
        self
    }

    fn check_null(&self, column: usize, token: &[u8]) -> Result<()> {
        let comment = self.format.comment.as_ref().is_some_and(|mark| column == 0 && token.starts_with(mark));
        if comment || self.class(token) != PLAIN {
            let token = String::from_utf8_lossy(token);
            let told =
                format!("--null: {token:?} could not be told from data in the target; give another word");
            return Err(Error::Misuse(told));
        }
        Ok(())
    }

    /// Writes the header record, if the format has one. Names that read as values, such as years, are quoted:
    /// by that, readers tell the record from those below it. A name that is empty needs no quotes, since no
    /// header has null, unless the record would be an empty line.
    pub fn header(&mut self, names: &[&str]) -> Result<()> {
        if !self.format.header {
            return Ok(());
        }
        for name in names {
            let written = match () {
                () if is_value(name.as_bytes()) => self.separate().map(|()| {
                    let start = self.out.len();
                    self.out.extend_from_slice(name.as_bytes());
                    self.quote_from(start);
                }),
                () if name.is_empty() && names.len() > 1 => self.field_by(false, |_| false),
                () => self.field(name.as_bytes(), false),
            };
            written.map_err(|error| error.in_column(name))?;
        }
        self.end_record()
    }

    /// Writes the next field of the record: the null token, or this text with quotes as needed.
    ///
    /// Errors: as for [`CsvWriter::field_by`].
    pub fn field(&mut self, text: &[u8], null: bool) -> Result<()> {
        let token = if null { self.nulls.get(self.column).cloned() } else { None };
        self.field_by(true, |out| {
            out.extend_from_slice(token.as_deref().unwrap_or(text));
            !null
        })
    }

    /// Writes the next field of the record with what `write` appends: with quotes as needed, or without, if
    /// `write` says that it is a spelling of null. Where `any` is false, the text is known to hold nothing
    /// that calls for quotes ([`CsvWriter::is_plain`]), as that of numbers.
    ///
    /// Errors: `Unsupported` for text with a NUL byte; `Misuse` for a field too many, and for a null that
    /// would need quotes.
    #[inline]
    pub fn field_by(&mut self, any: bool, write: impl FnOnce(&mut Vec<u8>) -> bool) -> Result<()> {
        self.separate()?;
        let column = self.column - 1;
        let start = self.out.len();
        let value = write(&mut self.out);
        let text = &self.out[start..];
        if !value {
            // The usual spelling was checked once for all.
            return if text == self.nulls[column] { Ok(()) } else { self.check_null(column, text) };
        }
        let class = if any { self.class(text) } else { PLAIN };
        match class {
            PLAIN if !text.is_empty() && !self.is_null(column, text) && !self.misleads(column, text) => {}
            PLAIN | SPECIAL => {
                self.quote_from(start);
            }
            _ => {
                let what = "text (type utf8) with a NUL character";
                let loses = "the text behind it for most readers";
                let refusal = Refusal::new("delimited text", what, loses, NOT_AS_TEXT);
                return Err(refusal.at(Place::default()));
            }
        }
        Ok(())
    }

    /// Whether none of these bytes calls for quotes.
    pub fn is_plain(&self, bytes: &[u8]) -> bool {
        self.class(bytes) == PLAIN
    }

    /// Ends the record. Errors: `Misuse` where fields are missing; `Limit` where it is longer than a scan
    /// takes.
    #[inline]
    pub fn end_record(&mut self) -> Result<()> {
        if self.column != self.nulls.len() {
            let text = format!("a record of {} fields where {} are expected", self.column, self.nulls.len());
            return Err(Error::Misuse(text));
        }
        self.out.extend_from_slice(self.format.line_ending.bytes());
        // The last byte of the line end is not counted.
        if self.out.len() - self.begun > RECORD_BYTES_MAX + 1 {
            return Err(Error::too_long_to_read(None, RECORD_BYTES_MAX));
        }
        self.begun = self.out.len();
        self.column = 0;
        self.at_start = false;
        Ok(())
    }

    /// Takes what was written so far.
    pub fn take(&mut self) -> Vec<u8> {
        self.begun = 0;
        std::mem::take(&mut self.out)
    }

    /// Appends what was written so far to `out`, keeping the writer's memory for what follows where that is
    /// little.
    pub fn drain_into(&mut self, out: &mut Pieces) -> Result<()> {
        self.begun = 0;
        out.drain(&mut self.out)
    }

    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    #[inline]
    fn separate(&mut self) -> Result<()> {
        if self.column == self.nulls.len() {
            return Err(Error::Misuse(format!("more than {} fields in a record", self.nulls.len())));
        }
        if self.column > 0 {
            self.out.push(self.format.delimiter);
        }
        self.column += 1;
        Ok(())
    }

    /// The same for many bytes at once.
    pub fn are_plain(&self, bytes: &[u8]) -> bool {
        let (delimiter, quote) = (self.format.delimiter, self.format.quote);
        let special = |byte: u8| {
            (byte == delimiter) | (byte == quote) | (byte == b'\n') | (byte == b'\r') | (byte == 0)
        };
        // Without an exit from the inner loop, so that it runs as vector instructions.
        bytes.chunks(1 << 10).all(|some| !some.iter().fold(false, |any, &byte| any | special(byte)))
    }

    #[inline]
    fn class(&self, text: &[u8]) -> u8 {
        text.iter().fold(PLAIN, |class, &byte| class | self.classes[usize::from(byte)])
    }

    /// Whether readers of this column would not take this text for a value, if it were not quoted.
    #[inline]
    fn is_null(&self, column: usize, text: &[u8]) -> bool {
        text == self.nulls[column] || self.words[column].iter().any(|word| word == text)
    }

    /// Whether this text, unquoted, would be taken for something else at the start of its line.
    fn misleads(&self, column: usize, text: &[u8]) -> bool {
        if column > 0 {
            return false;
        }
        let comment = self.format.comment.as_ref().is_some_and(|mark| text.starts_with(mark));
        // A byte order mark would be dropped, and some wrappings have marks that are valid UTF-8: frames of
        // zstd and lz4 that are there to be skipped, those of lz4, and bzip2.
        let foreign = text.starts_with(b"\xef\xbb\xbf")
            || text.get(1..4) == Some(b"*M\x18")
            || text.get(1..4) == Some(b"\"M\x18")
            || text.get(1..4) == Some(b"!L\x18")
            || text.starts_with(b"BZh")
            || is_like_told(text);
        comment || (self.at_start && foreign)
    }

    /// Puts quotes around what begins here, and doubles those inside: in place, from the end on.
    fn quote_from(&mut self, start: usize) {
        let (quote, mut from) = (self.format.quote, self.out.len());
        let mut to = from + memchr::memchr_iter(quote, &self.out[start..]).count() + 2;
        // The last byte is the quote at the end.
        self.out.resize(to, quote);
        to -= 1;
        while let Some(at) = memchr::memrchr(quote, &self.out[start..from]) {
            let at = start + at;
            to -= from - at;
            self.out.copy_within(at..from, to);
            to -= 1;
            self.out[to] = quote;
            from = at;
        }
        self.out.copy_within(start..from, start + 1);
        self.out[start] = quote;
    }
}
