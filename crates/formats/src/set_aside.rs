//! Provides the setting aside of bad records: one pass over a text that copies its good records into another
//! text and writes the bad ones, with their reasons, into a temporary of JSON Lines.
//!
//! What reads the good text afterwards is as strict as ever, so a bad record that slipped through this pass
//! is an error and never a row.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::ops::Range;
use std::path::Path;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::csv::{BadRecords, Dialect, RecordReader, ScanOptions, misfits, scan};
use crate::error::{Error, Place, Result};
use crate::jsonl::{JsonProfile, Record, TOO_MANY_KEYS};
use crate::limits::RECORD_BYTES_MAX;
use crate::open::{Certified, OpenOptions};
use crate::spool::{Origin, ReadAt, TextFile};
use crate::text::Fresh;

/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Records that were set aside.
#[derive(Debug)]
pub struct SetAside {
    /// How many.
    pub records: u64,
    /// Their JSON Lines, in order; temporaries that nobody else sees.
    pub files: Vec<File>,
}

/// All that several sources set aside; `None` where they set nothing aside.
pub(crate) fn joined(all: Vec<SetAside>) -> Option<SetAside> {
    let records = all.iter().map(|one| one.records).sum();
    let files: Vec<File> = all.into_iter().flat_map(|one| one.files).collect();
    (!files.is_empty()).then_some(SetAside { records, files })
}

impl SetAside {
    /// Copies the lines to `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for file in &self.files {
            let mut file = file.try_clone()?;
            file.rewind()?;
            std::io::copy(&mut file, out)?;
        }
        Ok(())
    }
}

/// Both temporaries while they are written.
struct Sorter<'a> {
    text: &'a TextFile,
    origin: Origin<'a>,
    good: BufWriter<File>,
    good_bytes: u64,
    bad: BufWriter<File>,
    bad_records: u64,
    directory: &'a Path,
}

impl<'a> Sorter<'a> {
    fn new(text: &'a TextFile, directory: &'a Path) -> Result<Self> {
        let file = || tempfile::tempfile_in(directory).map_err(|error| Error::io(directory, error));
        let (good, bad) = (BufWriter::new(file()?), BufWriter::new(file()?));
        let origin = Origin::new(text);
        Ok(Sorter { text, origin, good, good_bytes: 0, bad, bad_records: 0, directory })
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        self.good_bytes += bytes.len() as u64;
        self.good.write_all(bytes).map_err(|error| Error::io(self.directory, error))
    }

    /// Copies a stretch of the original.
    fn keep_range(&mut self, range: Range<u64>) -> Result<()> {
        let mut at = range.start;
        let mut buffer = vec![0; usize::try_from(range.end - at).unwrap_or(COPY_BYTES).min(COPY_BYTES)];
        while at < range.end {
            let wanted = usize::try_from(range.end - at).unwrap_or(COPY_BYTES).min(buffer.len());
            let count = self.text.read_at(at, &mut buffer[..wanted])?;
            if count == 0 {
                return Err(Error::Changed(self.text.path().to_owned()));
            }
            self.keep(&buffer[..count])?;
            at += count as u64;
        }
        Ok(())
    }

    /// Writes the bad record that begins at this offset of the text.
    fn set_aside(&mut self, record: u64, byte: u64, reason: &str, bytes: &[u8]) -> Result<()> {
        let source = self.text.path().to_string_lossy();
        let byte = self.origin.byte(byte)?;
        let line = Line { source, record, byte, reason, text: bytes, base64: self.origin.bytes(bytes) };
        self.bad_records += 1;
        let written = serde_json::to_writer(&mut self.bad, &line).map_err(std::io::Error::from);
        written.and_then(|()| self.bad.write_all(b"\n")).map_err(|error| Error::io(self.directory, error))
    }

    /// The good text and what was set aside; `None` for both where every record was good.
    fn finish(self) -> Result<Option<(TextFile, SetAside)>> {
        if self.bad_records == 0 {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Error::io(self.directory, error);
        let good = self.good.into_inner().map_err(|error| failed(error.into_error()))?;
        let bad = self.bad.into_inner().map_err(|error| failed(error.into_error()))?;
        let set_aside = SetAside { records: self.bad_records, files: Vec::from([bad]) };
        Ok(Some((self.text.replaced(good, self.good_bytes), set_aside)))
    }
}

/// What the file of bad records has of one. It is written piece by piece, since a record may be long.
#[derive(Serialize)]
struct Line<'a> {
    source: Cow<'a, str>,
    record: u64,
    byte: u64,
    reason: &'a str,
    #[serde(serialize_with = "as_text")]
    text: &'a [u8],
    #[serde(serialize_with = "as_base64")]
    base64: Cow<'a, [u8]>,
}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&Lossy(bytes))
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

/// Bytes as text, with a replacement character for what is no UTF-8.
struct Lossy<'a>(&'a [u8]);

impl Display for Lossy<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            out.write_str(chunk.valid())?;
            out.write_str(if chunk.invalid().is_empty() { "" } else { "\u{fffd}" })
        })
    }
}

/// Rows of a text that a certificate tells of by number, while records before them are set aside.
struct Moved<'a> {
    /// Those that are left, ascending.
    left: &'a [u64],
    set_aside: u64,
    /// The others that are still there, each with its number in the text and in the good one.
    found: Vec<(u64, u64)>,
}

impl Moved<'_> {
    /// Moves those before this row.
    fn until(&mut self, row: u64) {
        let (before, left) = self.left.split_at(self.left.partition_point(|known| *known < row));
        self.found.extend(before.iter().map(|row| (*row, row - self.set_aside)));
        self.left = left;
    }

    /// Takes note that a row is set aside, which is behind all that were before.
    fn set_aside(&mut self, row: u64) {
        self.until(row);
        self.left = self.left.strip_prefix(&[row]).unwrap_or(self.left);
        self.set_aside += 1;
    }
}

/// Records of delimited text that were sorted.
pub(crate) struct Sorted {
    /// The good ones.
    pub(crate) good: TextFile,
    pub(crate) bad: SetAside,
    /// Of the rows that were told of by number those that are good, each with its number before and after.
    pub(crate) moved: Vec<(u64, u64)>,
}

/// Sorts the records of delimited text, of which `fresh` tells what types were given, and `by` exceptions by
/// row. `None` where all are good, or bad ones are not to be set aside. A record of more bytes than memory
/// allows is refused, as it is where none is set aside.
pub(crate) fn fields(
    text: &TextFile,
    dialect: &Dialect,
    fresh: &Fresh,
    by: Option<&Certified>,
    options: &OpenOptions,
) -> Result<Option<Sorted>> {
    if options.bad == BadRecords::Fail {
        return Ok(None);
    }
    let record_bytes_max = options.record_bytes_max.min(RECORD_BYTES_MAX);
    let lenient = ScanOptions { lenient: true, record_bytes_max, ..ScanOptions::default() };
    let found = scan(text, dialect, lenient)?;
    let mut sorter = Sorter::new(text, &options.spool_dir)?;
    let rows = by.map(Certified::rows_of_exceptions).unwrap_or_default();
    let mut moved = Moved { left: &rows, set_aside: 0, found: Vec::new() };
    let mut at = 0;
    let mut kept = 0;
    for part in found.parts(1) {
        let reader = RecordReader::new(text, dialect, &part, BadRecords::SetAside);
        let mut reader = reader.record_bytes_max(record_bytes_max);
        // What is bad in one batch alone waits in memory: every record may be.
        while let Some(batch) = reader.next_batch()? {
            let unfit = misfits(text, dialect, &batch, fresh)?;
            kept += (batch.rows() - unfit.len()) as u64;
            let mut rejects = reader.take_rejects();
            rejects.extend(unfit);
            rejects.sort_unstable_by_key(|reject| reject.byte);
            for reject in rejects {
                sorter.keep_range(at..reject.byte)?;
                at = after_line_end(text, dialect, reject.byte + reject.bytes.len() as u64)?;
                moved.set_aside(reject.record.saturating_sub(1));
                sorter.set_aside(reject.record, reject.byte, &reject.reason, &reject.bytes)?;
            }
        }
    }
    moved.until(u64::MAX);
    sorter.keep_range(at..text.len())?;
    if kept + sorter.bad_records != found.records {
        let (counted, bad) = (found.records, sorter.bad_records);
        let what = format!("{counted} records were counted, but {kept} are good and {bad} bad");
        return Err(Error::malformed("CSV", Place::default(), what));
    }
    Ok(sorter.finish()?.map(|(good, bad)| Sorted { good, bad, moved: moved.found }))
}

/// The offset after the line end that stands at `at`.
fn after_line_end(text: &TextFile, dialect: &Dialect, at: u64) -> Result<u64> {
    let mut end = [0; 2];
    let mut filled = 0;
    while filled < end.len() {
        match text.read_at(at + filled as u64, &mut end[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    let terminator = dialect.line_ending.bytes().last().copied().unwrap_or(b'\n');
    Ok(at
        + match end[..filled] {
            [first, ..] if first == terminator => 1,
            [b'\r', second] if second == terminator => 2,
            _ => 0,
        })
}

/// The same of JSON Lines.
pub(crate) fn json(text: &TextFile, options: &OpenOptions) -> Result<Option<(TextFile, SetAside)>> {
    if options.bad == BadRecords::Fail {
        return Ok(None);
    }
    let mut sorter = Sorter::new(text, &options.spool_dir)?;
    let max = options.record_bytes_max.min(RECORD_BYTES_MAX);
    let mut lines = Lines { text, max, buffer: Vec::new(), at: 0, searched: 0 };
    let mut row = 0;
    while let Some((byte, line)) = lines.next_line()? {
        let contents = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap_or(line);
        if contents.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
            sorter.keep(line)?;
            continue;
        }
        row += 1;
        match bad_json(contents, (row - 1, byte), options.keys_max)? {
            None => sorter.keep(line)?,
            Some(reason) => sorter.set_aside(row, byte, &reason, contents)?,
        }
    }
    sorter.finish()
}

/// Why this line is no record.
///
/// # Errors
/// A record of more keys than memory has room for.
fn bad_json(line: &[u8], (row, byte): (u64, u64), keys_max: usize) -> Result<Option<String>> {
    if std::str::from_utf8(line).is_err() {
        return Ok(Some("these bytes are not UTF-8".into()));
    }
    match JsonProfile::within(keys_max).observe(Record { row, byte, text: line }) {
        Ok(()) => Ok(None),
        Err(Error::Malformed { what, .. }) => Ok(Some(what)),
        Err(error @ Error::Limit { what: TOO_MANY_KEYS, .. }) => Err(error),
        Err(Error::Limit { what, max, .. }) => Ok(Some(format!("{what} is above the limit of {max}"))),
        Err(other) => Ok(Some(other.to_string())),
    }
}

/// The lines of a text, each with its end.
struct Lines<'a> {
    text: &'a TextFile,
    /// Bytes that one may have.
    max: usize,
    buffer: Vec<u8>,
    /// Offset in the text of the next line, which the buffer begins with after what was given out.
    at: u64,
    /// Bytes at the front of the buffer that were given out.
    searched: usize,
}

impl Lines<'_> {
    fn next_line(&mut self) -> Result<Option<(u64, &[u8])>> {
        let mut from = self.searched;
        loop {
            let end = memchr::memchr(b'\n', &self.buffer[from..]).map(|end| from + end);
            if end.unwrap_or(self.buffer.len()) - self.searched > self.max {
                return Err(self.text.placed(Error::Limit {
                    place: Box::new(Place::at_byte(self.at)),
                    what: "bytes in one record",
                    max: self.max as u64,
                    hint: "cut the record into several".into(),
                }));
            }
            if let Some(end) = end {
                return Ok(Some(self.give(end + 1)));
            }
            self.buffer.drain(..self.searched);
            self.searched = 0;
            from = self.buffer.len();
            self.buffer.resize(from + COPY_BYTES, 0);
            let count = self.text.read_at(self.at + from as u64, &mut self.buffer[from..])?;
            self.buffer.truncate(from + count);
            if count == 0 {
                let end = self.buffer.len();
                return Ok((end > 0).then(|| self.give(end)));
            }
        }
    }

    fn give(&mut self, end: usize) -> (u64, &[u8]) {
        let (start, at) = (self.searched, self.at);
        self.searched = end;
        self.at += (end - start) as u64;
        (at, &self.buffer[start..end])
    }
}
