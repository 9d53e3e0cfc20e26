//! Provides the independent scan: one sequential pass that counts records and finds where they begin.
//!
//! It shares no code with the decoder but the search for bytes, so that a record lost by one is noticed by
//! the other. It does not split fields; whether each record has the right number of them is the decoder's
//! matter.

use archmage::autoversion;

use super::bits;
use super::dialect::Dialect;
use super::fault;
use super::parts::{Mark, Scan};
use crate::limits::{CHUNK_ROWS, LONG_RECORD_BYTES_MIN};
use crate::spool::{ReadAt, Utf8Check};
use crate::{Error, Result};

/// Bytes asked of the source at once.
const READ_BYTES: usize = 1 << 20;

/// How a scan treats what it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanOptions {
    /// Counts records with wrong bytes or text after a closing quote instead of failing: for a decoder that
    /// sets bad records aside.
    pub lenient: bool,
    /// Bytes of a record at most.
    pub record_bytes_max: usize,
    /// Bytes asked of the source at once.
    pub read_bytes: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions {
            lenient: false,
            record_bytes_max: crate::limits::RECORD_BYTES_MAX,
            read_bytes: READ_BYTES,
        }
    }
}

/// Scans `source` from end to end.
///
/// Errors: `Malformed` for a quote that is not closed, text after a closing quote, invalid UTF-8 and NUL
/// bytes, each with byte and record; `Limit` for a record that is too long.
pub fn scan<S: ReadAt + ?Sized>(source: &S, dialect: &Dialect, options: ScanOptions) -> Result<Scan> {
    let named = |error: Error| source.placed(error);
    let mut scanner = Scanner::new(dialect, options);
    let mut check = Utf8Check::new(dialect.data_start);
    let mut block = vec![0; options.read_bytes.max(1)];
    let mut offset = 0;
    loop {
        let count = source.read_at(offset, &mut block)?;
        if count == 0 {
            break;
        }
        let skipped = usize::try_from(dialect.data_start.saturating_sub(offset)).unwrap_or(usize::MAX);
        let data = &block[skipped.min(count)..count];
        let wrong = if options.lenient { None } else { first_wrong(&mut check, data) };
        // The scanner sees a wrong byte too, so that what stands right before it does not depend on reads.
        let upto = wrong.map_or(data.len(), |(at, _)| (at + 1).saturating_sub(scanner.at) as usize);
        scanner.feed(&data[..upto.min(data.len())]).map_err(named)?;
        if let Some((at, nul)) = wrong {
            let record = scanner.records + 1;
            return Err(named(if nul { fault::nul(record, at) } else { fault::not_utf8(record, at) }));
        }
        offset += count as u64;
    }
    if !options.lenient
        && let Err(at) = check.finish()
    {
        return Err(named(fault::not_utf8(scanner.records + 1, at)));
    }
    scanner.finish().map_err(named)
}

/// Offset of the first byte of this block that is NUL (true) or not UTF-8 (false).
fn first_wrong(check: &mut Utf8Check, data: &[u8]) -> Option<(u64, bool)> {
    let base = check.offset();
    let nul = memchr::memchr(0, data).map(|at| base + at as u64);
    match (nul, check.feed(data).err()) {
        (Some(nul), Some(wrong)) if wrong < nul => Some((wrong, false)),
        (Some(nul), _) => Some((nul, true)),
        (None, wrong) => wrong.map(|wrong| (wrong, false)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a line.
    Line,
    /// After `\r` at the start of a line.
    LineReturn,
    /// At the start of a later field.
    Field,
    Unquoted,
    Quoted,
    /// After the escape byte between quotes.
    Escaped,
    /// After a quote between quotes: the closing one, or the first of two.
    QuoteSeen,
    /// After `\r` that follows a closing quote.
    ClosedReturn,
    /// After this many bytes of the comment mark.
    CommentMark(usize),
    Comment,
}

struct Scanner {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    comment: Vec<u8>,
    terminator: u8,
    blank_is_record: bool,
    /// Whether the dialect allows the look at 64 bytes at once.
    simple: bool,
    lenient: bool,
    record_bytes_max: u64,
    state: State,
    /// Offset of the next byte.
    at: u64,
    /// Offset where the current line or record begins.
    start: u64,
    /// Offset of the last opening quote.
    open: u64,
    records: u64,
    /// Lines that are no records.
    passed_over: u64,
    marks: Vec<Mark>,
    /// Bytes of the longest line so far, at least those that are told.
    longest: u64,
}

impl Scanner {
    fn new(dialect: &Dialect, options: ScanOptions) -> Self {
        let escape = dialect.escape.filter(|_| dialect.quote.is_some());
        Scanner {
            delimiter: dialect.delimiter,
            quote: dialect.quote,
            escape,
            comment: dialect.comment.clone().unwrap_or_default(),
            terminator: dialect.line_ending.terminator(),
            blank_is_record: dialect.columns() == 1,
            simple: escape.is_none() && dialect.comment.is_none(),
            lenient: options.lenient,
            record_bytes_max: options.record_bytes_max as u64,
            state: State::Line,
            at: dialect.data_start,
            start: dialect.data_start,
            open: 0,
            records: 0,
            passed_over: 0,
            marks: Vec::new(),
            longest: LONG_RECORD_BYTES_MIN.min(options.record_bytes_max as u64),
        }
    }

    #[autoversion(v3)]
    fn feed(&mut self, data: &[u8]) -> Result<()> {
        let mut i = 0;
        while i < data.len() {
            let usual = matches!(self.state, State::Line | State::Field | State::Unquoted | State::Quoted);
            match data[i..].first_chunk::<{ bits::BLOCK }>() {
                Some(block) if self.simple && usual => {
                    self.block(block)?;
                    i += bits::BLOCK;
                }
                _ => {
                    self.byte(data[i])?;
                    i += 1;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Scan> {
        match self.state {
            State::Quoted | State::Escaped => return Err(fault::unclosed(self.records + 1, self.open)),
            State::Line | State::Comment => {}
            State::LineReturn if !self.blank_is_record => {}
            _ => self.count(),
        }
        let longest = self.longest.max(self.at - self.start);
        let longest = if longest > LONG_RECORD_BYTES_MIN { longest } else { 0 };
        let (records, passed_over) = (self.records, self.passed_over);
        Ok(Scan { records, passed_over, marks: self.marks, end: self.at, longest })
    }

    /// Counts the record that begins at `start`.
    fn count(&mut self) {
        if self.records.is_multiple_of(CHUNK_ROWS) {
            self.marks.push(Mark { record: self.records, byte: self.start });
        }
        self.records += 1;
    }

    /// Ends the line at `at`.
    fn end_line(&mut self, at: u64, is_record: bool) -> Result<()> {
        if at - self.start > self.record_bytes_max {
            return Err(self.too_long());
        }
        self.longest = self.longest.max(at - self.start);
        match is_record {
            true => self.count(),
            false => self.passed_over += 1,
        }
        self.start = at + 1;
        self.state = State::Line;
        Ok(())
    }

    fn too_long(&self) -> Error {
        fault::too_long(self.records + 1, self.start, self.record_bytes_max as usize)
    }

    /// Text after a closing quote, at `at`: the rest of the field is taken as unquoted.
    fn stray(&mut self, at: u64) -> Result<()> {
        if !self.lenient {
            return Err(fault::stray(self.records + 1, at));
        }
        self.state = State::Unquoted;
        Ok(())
    }

    /// One byte, under any dialect.
    fn byte(&mut self, byte: u8) -> Result<()> {
        let at = self.at;
        self.at += 1;
        if byte != self.terminator && self.at - self.start > self.record_bytes_max {
            return Err(self.too_long());
        }
        let closing_return = byte == b'\r' && self.terminator == b'\n';
        match self.state {
            State::Line if self.comment.first() == Some(&byte) => self.mark_byte(0),
            State::Line if byte == self.terminator => return self.end_line(at, self.blank_is_record),
            State::Line if closing_return => self.state = State::LineReturn,
            State::LineReturn if byte == self.terminator => return self.end_line(at, self.blank_is_record),
            State::Line | State::Field if Some(byte) == self.quote => {
                self.state = State::Quoted;
                self.open = at;
            }
            State::CommentMark(seen) if self.comment[seen] == byte => self.mark_byte(seen),
            State::Line | State::Field | State::Unquoted | State::LineReturn | State::CommentMark(_) => {
                return self.unquoted(byte, at);
            }
            State::Quoted if Some(byte) == self.escape => self.state = State::Escaped,
            State::Quoted if Some(byte) == self.quote => self.state = State::QuoteSeen,
            State::Quoted => {}
            State::Escaped => self.state = State::Quoted,
            State::QuoteSeen if Some(byte) == self.quote => self.state = State::Quoted,
            State::QuoteSeen if closing_return => self.state = State::ClosedReturn,
            State::ClosedReturn if byte != self.terminator => {
                self.stray(at - 1)?;
                return self.unquoted(byte, at);
            }
            State::QuoteSeen | State::ClosedReturn => {
                if byte != self.delimiter && byte != self.terminator {
                    self.stray(at)?;
                }
                return self.unquoted(byte, at);
            }
            State::Comment if byte == self.terminator => return self.end_line(at, false),
            State::Comment => {}
        }
        Ok(())
    }

    fn mark_byte(&mut self, seen: usize) {
        let whole = seen + 1 == self.comment.len();
        self.state = if whole { State::Comment } else { State::CommentMark(seen + 1) };
    }

    fn unquoted(&mut self, byte: u8, at: u64) -> Result<()> {
        if byte == self.terminator {
            return self.end_line(at, true);
        }
        self.state = if byte == self.delimiter { State::Field } else { State::Unquoted };
        Ok(())
    }

    /// Sixty-four bytes at once: the same as `byte` on each of them, for a simple dialect and a usual state.
    #[inline(always)]
    fn block(&mut self, block: &[u8; bits::BLOCK]) -> Result<()> {
        let base = self.at;
        let ends = bits::mask(block, [self.terminator]);
        let quotes = self.quote.map_or(0, |quote| bits::mask(block, [quote]));
        let at_line = u64::from(self.state == State::Line);
        let at_field = matches!(self.state, State::Line | State::Field);
        // An end whose line holds nothing, or nothing but `\r`.
        let mut blank = ends & (ends << 1 | at_line);
        let mut returns = ends & (ends << 2 | at_line << 1);
        while returns != 0 && self.terminator == b'\n' {
            let i = returns.trailing_zeros() as usize;
            returns &= returns - 1;
            blank |= u64::from(block[i - 1] == b'\r') << i;
        }
        let blank = if self.blank_is_record { 0 } else { blank };
        let mut inside = self.state == State::Quoted;
        let mut i = 0;
        while i < bits::BLOCK {
            let rest = !0 << i;
            let quote = (quotes & rest).trailing_zeros() as usize;
            if !inside {
                let before = if quote < bits::BLOCK { (1 << quote) - 1 } else { !0 };
                self.end_lines(base, ends & rest & before, blank)?;
            }
            if quote == bits::BLOCK {
                break;
            }
            i = quote + 1;
            if inside {
                match self.closing(block, quote)? {
                    After::Closed => inside = false,
                    After::Doubled => i += 1,
                    After::Undecided(state) => {
                        self.state = state;
                        self.at = base + bits::BLOCK as u64;
                        return self.check_length();
                    }
                }
            } else if quote.checked_sub(1).map_or(at_field, |before| self.begins_field(block[before])) {
                inside = true;
                self.open = base + quote as u64;
            }
        }
        self.at = base + bits::BLOCK as u64;
        self.state = if inside { State::Quoted } else { self.outside(block[bits::BLOCK - 1]) };
        self.check_length()
    }

    fn begins_field(&self, before: u8) -> bool {
        before == self.delimiter || before == self.terminator
    }

    /// The state after a block that ends outside of quotes with `last`.
    fn outside(&self, last: u8) -> State {
        if last == self.terminator {
            State::Line
        } else if last == self.delimiter {
            State::Field
        } else if last == b'\r' && self.terminator == b'\n' && self.start + 1 == self.at {
            State::LineReturn
        } else {
            State::Unquoted
        }
    }

    fn check_length(&self) -> Result<()> {
        if self.at - self.start > self.record_bytes_max { Err(self.too_long()) } else { Ok(()) }
    }

    /// Ends the lines at these bits of the block at `base`.
    #[inline(always)]
    fn end_lines(&mut self, base: u64, mut ends: u64, blank: u64) -> Result<()> {
        let Some(first) = (ends != 0).then(|| u64::from(ends.trailing_zeros())) else {
            return Ok(());
        };
        let in_chunk = self.records % CHUNK_ROWS;
        let count = u64::from((ends & !blank).count_ones());
        // Longer ones, which may be too long, are looked at one by one.
        let short = base + first - self.start <= self.longest;
        if in_chunk != 0 && in_chunk + count <= CHUNK_ROWS && short && self.record_bytes_max >= 64 {
            self.records += count;
            self.passed_over += u64::from((ends & blank).count_ones());
            self.start = base + bits::BLOCK as u64 - u64::from(ends.leading_zeros());
            return Ok(());
        }
        while ends != 0 {
            let i = ends.trailing_zeros();
            ends &= ends - 1;
            self.end_line(base + u64::from(i), blank >> i & 1 == 0)?;
        }
        Ok(())
    }

    /// What the quote at `quote`, met between quotes, is.
    #[inline(always)]
    fn closing(&mut self, block: &[u8; bits::BLOCK], quote: usize) -> Result<After> {
        let at = self.at + quote as u64;
        let Some(&next) = block.get(quote + 1) else {
            return Ok(After::Undecided(State::QuoteSeen));
        };
        if Some(next) == self.quote {
            return Ok(After::Doubled);
        }
        if next == b'\r' && self.terminator == b'\n' {
            match block.get(quote + 2) {
                None => return Ok(After::Undecided(State::ClosedReturn)),
                Some(&end) if end == self.terminator => {}
                Some(_) => self.stray(at + 1)?,
            }
        } else if !self.begins_field(next) {
            self.stray(at + 1)?;
        }
        Ok(After::Closed)
    }
}

/// What a quote between quotes is.
enum After {
    Closed,
    /// The first of two that stand for one.
    Doubled,
    /// The block ends too early to say; the state to go on in.
    Undecided(State),
}
