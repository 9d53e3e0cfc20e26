//! Provides the cutting of text into records and fields: the parser proper, without input, output or typing.

use archmage::autoversion;

use super::bits;
use super::dialect::{Dialect, Ragged};
use super::rows::{ABSENT, ESCAPED, FieldRef, QUOTED, Row, Rows};

/// Why a record cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has this many fields.
    FieldCount(usize),
    /// A byte that is neither delimiter nor line end follows a closing quote.
    Stray {
        /// Where that byte stands.
        at: usize,
    },
}

/// Why the cutting stopped. Offsets are relative to the start of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The record or line that begins at `from` is not whole: go on from there with more data.
    More { from: usize },
    /// The batch is full; the next one begins at `next`.
    Full { next: usize },
    /// The data is at its end.
    End,
    /// The record from `start` to `end` (without its line end) is bad; go on at `next`.
    Bad { start: usize, end: usize, next: usize, fault: Fault },
    /// The quote at `open` is not closed before the data ends; `stray` as in `Fault`, if the record has one
    /// before.
    Unclosed { open: usize, stray: Option<usize> },
    /// The record that begins at `start` is too long; `stray` as in `Fault`, if it was seen before that.
    TooLong { start: usize, stray: Option<usize> },
}

/// A dialect in the shape that the cutting needs.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    delimiter: u8,
    /// The quote byte; the delimiter where quoting is off, which makes it unreachable.
    pub(super) quote: u8,
    pub(super) escape: Option<u8>,
    comment: Option<Vec<u8>>,
    terminator: u8,
    /// Fields in a record; `None`: any count is right.
    pub(super) columns: Option<usize>,
    pad: bool,
    blank_is_record: bool,
    pub(super) rows_max: usize,
    pub(super) bytes_max: usize,
    pub(super) record_bytes_max: usize,
}

impl Rules {
    pub(super) fn new(dialect: &Dialect) -> Self {
        Rules {
            delimiter: dialect.delimiter,
            quote: dialect.quote.unwrap_or(dialect.delimiter),
            escape: dialect.escape.filter(|_| dialect.quote.is_some()),
            comment: dialect.comment.clone(),
            terminator: dialect.line_ending.terminator(),
            columns: Some(dialect.columns()),
            pad: dialect.ragged == Ragged::Pad,
            blank_is_record: dialect.blank_is_record(),
            rows_max: crate::limits::BATCH_ROWS,
            bytes_max: crate::limits::BATCH_BYTES,
            record_bytes_max: crate::limits::RECORD_BYTES_MAX,
        }
    }

    /// The dialect's rules where the number of columns is not known yet.
    pub(super) fn free(dialect: &Dialect, rows_max: usize) -> Self {
        Rules { columns: None, rows_max, bytes_max: usize::MAX, ..Rules::new(dialect) }
    }

    /// Cuts `data` from `from`, where a record begins, into `rows`. `last` says that no data follows.
    #[autoversion(v3)]
    pub(super) fn cut(&self, data: &[u8], from: usize, last: bool, rows: &mut Rows) -> Step {
        Cut::new(self, data, last, rows).run(from)
    }

    #[inline(always)]
    fn specials(&self, data: &[u8], at: usize) -> u64 {
        // What lies after the end must look like nothing special: neither a delimiter nor a line end is NUL.
        let block = bits::block(data, at, 0);
        match self.escape {
            None => bits::mask(&block, [self.delimiter, self.quote, self.terminator]),
            Some(escape) => bits::mask(&block, [self.delimiter, self.quote, self.terminator, escape]),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In an unquoted field.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a closing quote.
    Closed,
    /// In a comment line.
    Comment,
}

/// What follows a closing quote.
enum After {
    End,
    Unknown,
    Stray(usize),
}

struct Cut<'a> {
    rules: &'a Rules,
    data: &'a [u8],
    last: bool,
    rows: &'a mut Rows,
    columns: usize,
    mode: Mode,
    record_start: usize,
    field_start: usize,
    /// Fields of the current record so far, kept or not.
    count: usize,
    first: usize,
    first_escaped: usize,
    open: usize,
    close: usize,
    has_escape: bool,
    /// Bytes before this offset are taken by an escape.
    taken: usize,
    stray: Option<usize>,
}

impl<'a> Cut<'a> {
    fn new(rules: &'a Rules, data: &'a [u8], last: bool, rows: &'a mut Rows) -> Self {
        Cut {
            rules,
            data,
            last,
            columns: rules.columns.unwrap_or(crate::limits::COLUMNS_MAX + 1),
            first: rows.fields.len(),
            first_escaped: rows.escaped.len(),
            rows,
            mode: Mode::Plain,
            record_start: 0,
            field_start: 0,
            count: 0,
            open: 0,
            close: 0,
            has_escape: false,
            taken: 0,
            stray: None,
        }
    }

    #[inline(always)]
    fn run(mut self, from: usize) -> Step {
        if let Some(step) = self.begin(from) {
            return step;
        }
        let mut base = from;
        while base < self.data.len() {
            let mut mask = self.rules.specials(self.data, base);
            while mask != 0 {
                if self.mode == Mode::Plain {
                    mask = self.plain_fields(base, mask);
                    if mask == 0 {
                        break;
                    }
                }
                let at = base + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if let Some(step) = self.special(at) {
                    return step;
                }
            }
            base += bits::BLOCK;
        }
        self.finish()
    }

    /// The unquoted fields up to the first special byte that is no delimiter: what most bytes of most files
    /// are, with all state in registers. Returns the rest of the mask.
    #[inline(always)]
    fn plain_fields(&mut self, base: usize, mut mask: u64) -> u64 {
        let delimiter = self.rules.delimiter;
        let (mut start, mut count) = (self.field_start, self.count);
        while mask != 0 {
            let at = base + mask.trailing_zeros() as usize;
            if self.data[at] != delimiter {
                break;
            }
            mask &= mask - 1;
            count += 1;
            if count <= self.columns {
                self.rows.fields.push(FieldRef::new(start, at, 0));
            }
            start = at + 1;
        }
        (self.field_start, self.count) = (start, count);
        mask
    }

    #[inline(always)]
    fn special(&mut self, at: usize) -> Option<Step> {
        let byte = self.data[at];
        match self.mode {
            Mode::Plain | Mode::Closed => {
                if byte == self.rules.delimiter {
                    self.field(at);
                    self.field_start = at + 1;
                } else if byte == self.rules.terminator {
                    return self.record(at);
                } else if byte == self.rules.quote && self.opens(at) {
                    self.mode = Mode::Quoted;
                    self.open = at;
                    self.has_escape = false;
                }
                None
            }
            Mode::Quoted => self.quoted(at, byte),
            Mode::Comment if byte == self.rules.terminator => self.line_end(at),
            Mode::Comment => None,
        }
    }

    /// Whether a quote at `at` opens a quoted field.
    #[inline(always)]
    fn opens(&self, at: usize) -> bool {
        self.mode == Mode::Plain && at == self.field_start
    }

    #[inline(always)]
    fn quoted(&mut self, at: usize, byte: u8) -> Option<Step> {
        if at < self.taken {
            return None;
        }
        if Some(byte) == self.rules.escape {
            self.taken = at + 2;
            self.has_escape = true;
        } else if byte == self.rules.quote {
            if self.data.get(at + 1) == Some(&byte) {
                self.taken = at + 2;
                self.has_escape = true;
                return None;
            }
            match self.after_quote(at + 1) {
                After::End => {
                    self.mode = Mode::Closed;
                    self.close = at;
                }
                After::Unknown => return Some(self.more()),
                After::Stray(stray) => {
                    self.mode = Mode::Plain;
                    self.stray.get_or_insert(stray);
                }
            }
        }
        None
    }

    #[inline(always)]
    fn after_quote(&self, at: usize) -> After {
        let rules = self.rules;
        match self.data.get(at) {
            None if self.last => After::End,
            None => After::Unknown,
            Some(&byte) if byte == rules.delimiter || byte == rules.terminator => After::End,
            Some(b'\r') => match self.data.get(at + 1) {
                None if self.last => After::End,
                None => After::Unknown,
                Some(&byte) if byte == rules.terminator => After::End,
                Some(_) => After::Stray(at),
            },
            Some(_) => After::Stray(at),
        }
    }

    /// The field that ends before `end`.
    #[inline(always)]
    fn field(&mut self, end: usize) {
        self.count += 1;
        let kept = self.count <= self.columns;
        if self.mode == Mode::Closed {
            self.mode = Mode::Plain;
            if kept {
                if self.has_escape {
                    self.rows.escaped.push(self.rows.fields.len() as u32);
                }
                let flags = if self.has_escape { QUOTED | ESCAPED } else { QUOTED };
                self.rows.fields.push(FieldRef::new(self.open + 1, self.close, flags));
            }
        } else if kept {
            self.rows.fields.push(FieldRef::new(self.field_start, end, 0));
        }
    }

    /// The record whose line end, or the end of all data, is at `at`.
    #[inline(always)]
    fn record(&mut self, at: usize) -> Option<Step> {
        let mut end = at;
        if at > self.field_start && self.data[at - 1] == b'\r' && self.rules.terminator == b'\n' {
            end -= 1;
        }
        let start = self.record_start;
        if at - start > self.rules.record_bytes_max {
            return Some(self.too_long());
        }
        if end == start && self.count == 0 && !self.rules.blank_is_record {
            return self.line_end(at);
        }
        self.field(end);
        self.rows.records += 1;
        let missing = self.columns.saturating_sub(self.count);
        let wrong =
            self.rules.columns.is_some() && (missing > 0 && !self.rules.pad || self.count > self.columns);
        if wrong || self.stray.is_some() {
            self.drop_fields();
            let fault = match self.stray {
                Some(at) => Fault::Stray { at },
                None => Fault::FieldCount(self.count),
            };
            return Some(Step::Bad { start, end, next: self.data.len().min(at + 1), fault });
        }
        if missing > 0 && self.rules.columns.is_some() {
            let padded = self.rows.fields.len() + missing;
            self.rows.fields.resize(padded, FieldRef::new(end, end, ABSENT));
        }
        let (first, record) = (self.first as u32, self.rows.records - 1);
        self.rows.rows.push(Row { start: start as u32, first, record });
        self.line_end(at)
    }

    /// Goes on after the line end at `at`.
    #[inline(always)]
    fn line_end(&mut self, at: usize) -> Option<Step> {
        let next = at + 1;
        if at - self.record_start > self.rules.record_bytes_max {
            return Some(self.too_long());
        }
        if next >= self.rules.bytes_max || self.rows.rows.len() >= self.rules.rows_max {
            return Some(Step::Full { next: next.min(self.data.len()) });
        }
        self.begin(next)
    }

    /// Begins a record at `start`.
    #[inline(always)]
    fn begin(&mut self, start: usize) -> Option<Step> {
        self.record_start = start;
        self.field_start = start;
        self.count = 0;
        self.first = self.rows.fields.len();
        self.first_escaped = self.rows.escaped.len();
        self.mode = Mode::Plain;
        self.stray = None;
        let comment = self.rules.comment.as_deref()?;
        let rest = self.data.get(start..).unwrap_or_default();
        if rest.starts_with(comment) {
            self.mode = Mode::Comment;
        } else if !self.last && comment.starts_with(rest) {
            return Some(self.more());
        }
        None
    }

    fn finish(mut self) -> Step {
        let end = self.data.len();
        if end.saturating_sub(self.record_start) > self.rules.record_bytes_max {
            return self.too_long();
        }
        if !self.last {
            return self.more();
        }
        match self.mode {
            Mode::Quoted => Step::Unclosed { open: self.open, stray: self.stray },
            Mode::Plain | Mode::Closed if self.record_start < end => match self.record(end) {
                Some(step @ (Step::Bad { .. } | Step::TooLong { .. })) => step,
                _ => Step::End,
            },
            _ => Step::End,
        }
    }

    fn too_long(&self) -> Step {
        Step::TooLong { start: self.record_start, stray: self.stray }
    }

    fn more(&mut self) -> Step {
        self.drop_fields();
        Step::More { from: self.record_start }
    }

    fn drop_fields(&mut self) {
        self.rows.fields.truncate(self.first);
        self.rows.escaped.truncate(self.first_escaped);
    }
}

/// The first byte from `from` on that is NUL (true) or not UTF-8 (false).
pub(super) fn first_wrong(data: &[u8], from: usize) -> Option<(usize, bool)> {
    let data = &data[from..];
    let nul = memchr::memchr(0, data);
    let wrong = std::str::from_utf8(data).err().map(|error| error.valid_up_to());
    match (nul, wrong) {
        (Some(nul), Some(wrong)) if wrong < nul => Some((from + wrong, false)),
        (Some(nul), _) => Some((from + nul, true)),
        (None, wrong) => wrong.map(|wrong| (from + wrong, false)),
    }
}
