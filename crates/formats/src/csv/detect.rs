//! Provides the detection of a dialect from the beginning of a text: its first 256 KiB, or more where these
//! hold fewer than ten records, up to 16 MiB, or up to the end of the first record.
//!
//! **Line ending.** `\r` only if no `\n` stands outside of quotes; `\n` and `\r\n` are read alike.
//!
//! **Delimiter.** A first line that is `sep=` and one character tells it, and is no record. Else a candidate
//! fits if every record of the sample has the same number of fields under it, at least two, and no quoted
//! field is broken. Where several fit: one that leaves a quote inside of a field
//! that does not begin with it is none where another does not; a comma that only ever stands as the one
//! decimal comma of a number, under another candidate that fits, is no delimiter; then the delimiter that the
//! file's ending proposes is taken, else comma, tab, semicolon, bar, in this order, and the others are
//! reported. Where none fits, one under which nine of ten records agree is taken, then one that stands in the
//! first record at all; records that disagree are then refused with their place. Else the table has one
//! column.
//!
//! Where the first records have fewer fields than nearly all after them, these may be lines above the table,
//! such as comments: a note, and the error about the later records, name the option that leaves them out.
//!
//! **Header.** No header if a field of the first record reads as a number, date, time or truth value,
//! unless it is quoted and those below it are not, or if all its fields are empty. Else a header if a field
//! is such a one, in a text of one record, and if some column holds only such values below the first record.
//! Else no header if an empty field stands after the first one, or a field of the first record comes again
//! in its column. Else a header.

use super::dialect::{CsvOptions, Dialect, Given, LineEnding, validate};
use super::header::{numbered_names, unique_names};
use super::rows::{FieldRef, Rows};
use super::split::{Fault, Rules, Step};
use super::{fault, split};
use crate::limits::{COLUMNS_MAX, RECORD_BYTES_MAX};
use crate::spool::ReadAt;
use crate::words::counted;
use crate::{Error, Place, Result};
use names::Told;
pub(super) use names::is_value;
use sample::{SAMPLE_BYTES, Sample};
pub(super) use told::is_like as is_like_told;

mod above;
mod names;
mod sample;
mod told;

/// Delimiters in order of preference. Comma is first: RFC 4180.
const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Resolves the dialect of `source`. `proposed` is the delimiter that the file's ending proposes, such as tab
/// for `.tsv`.
///
/// Errors: `Misuse` for contradictory options; `Malformed` where there is no record, or the first one is
/// broken; `Limit` for too many columns or too long a first record.
pub fn detect<S: ReadAt + ?Sized>(source: &S, options: &CsvOptions, proposed: Option<u8>) -> Result<Dialect> {
    resolve(source, options, proposed).map_err(|error| source.placed(error))
}

fn resolve<S: ReadAt + ?Sized>(source: &S, options: &CsvOptions, proposed: Option<u8>) -> Result<Dialect> {
    validate(options)?;
    let told = told::delimiter(source, options)?;
    let note = told.map(|told| told::note(told, options.delimiter));
    let options = &match told {
        Some(_) => {
            CsvOptions { delimiter: options.delimiter.or(told), skip_lines: Some(1), ..options.clone() }
        }
        None => options.clone(),
    };
    let start = skip_lines(source, options.skip_lines.unwrap_or(0))?;
    let mut wanted = SAMPLE_BYTES;
    let mut sample = Sample::read(source, start, wanted)?;
    let mut dialect = sample_dialect(options, proposed, start, &sample);
    while wanted < RECORD_BYTES_MAX && !sample.is_enough(&dialect) {
        wanted *= 4;
        sample = Sample::read(source, start, wanted)?;
        dialect = sample_dialect(options, proposed, start, &sample);
    }
    if options.delimiter.is_none() {
        let given = CsvOptions { delimiter: Some(dialect.delimiter), ..options.clone() };
        validate(&given)?;
    }
    dialect.why.splice(..0, note);
    // Whether it is the header is told by what is in it.
    let number = (options.header == Some(false)).then_some(1);
    let (first, next) = first_record(source, &dialect, start, number)?;
    dialect.header = match options.header {
        Some(given) => given,
        None => {
            let Told { header, why, is_plain } = names::is_header(&first, &dialect, &sample);
            let said = if is_plain { &mut dialect.plain } else { &mut dialect.why };
            said.push(why);
            header
        }
    };
    if dialect.header {
        dialect.data_start = next;
        dialect.names = unique_names(first);
    } else {
        dialect.names = numbered_names(first.len());
    }
    Ok(dialect)
}

/// What is to be said of a text that was written in this dialect, where it is another one that its records
/// tell.
pub(crate) fn misleading<S: ReadAt + ?Sized>(source: &S, dialect: &Dialect) -> Option<String> {
    let proposed = (dialect.delimiter == b'\t').then_some(b'\t');
    let found = detect(source, &CsvOptions::default(), proposed).ok()?;
    let delimiter = char::from(dialect.delimiter);
    let said = match (found.delimiter == dialect.delimiter, found.header == dialect.header) {
        (false, _) => format!("--delimiter '{delimiter}'"),
        (true, false) if dialect.header => "--header yes".to_owned(),
        (true, false) => "--header no".to_owned(),
        (true, true) if found.columns() == dialect.columns() => return None,
        (true, true) => format!("--delimiter '{delimiter}'"),
    };
    let why = [found.plain, found.why].concat().join("; ");
    Some(format!(
        "programs that guess how this text is laid out may be wrong ({why}); to read it, give {said}"
    ))
}

/// The dialect that a sample tells, without names.
fn sample_dialect(options: &CsvOptions, proposed: Option<u8>, start: u64, sample: &Sample) -> Dialect {
    let quote = options.quote.unwrap_or(Some(b'"'));
    let mut dialect = Dialect {
        delimiter: options.delimiter.or(proposed).unwrap_or(b','),
        quote,
        escape: options.escape,
        comment: options.comment.clone(),
        skip_lines: options.skip_lines.unwrap_or(0),
        line_ending: line_ending(&sample.bytes, quote, options.escape),
        header: false,
        names: Vec::new(),
        data_start: start,
        ragged: options.ragged,
        why: Vec::new(),
        plain: Vec::new(),
        also_fits: Vec::new(),
        above: None,
        given: None,
    };
    let fits = match options.delimiter {
        Some(given) => {
            let fit = Fit::new(&dialect, given, sample);
            let fitting = (!fit.fits()).then(|| fitting(&dialect, sample, proposed)).flatten();
            dialect.given = Some(Given { fitting });
            dialect.why.extend(fitting.map(|other| {
                let (given, other) = (shown(given), shown(other));
                format!("delimiter {given}: given, and {other} fits each of the first records")
            }));
            vec![fit]
        }
        None => choose_delimiter(&mut dialect, sample, proposed),
    };
    let above = |fit: &Fit| {
        let under = Dialect { delimiter: fit.delimiter, ..dialect.clone() };
        let found = above::find(&fit.records, &under, sample, dialect.skip_lines)?;
        (!fit.fits()).then_some((fit.delimiter, found))
    };
    if let Some((delimiter, above)) = fits.iter().find_map(above) {
        dialect.above = (delimiter == dialect.delimiter).then_some(above);
        dialect.why.push(format!(
            "the first records have fewer fields under {} than those after them: {}",
            shown(delimiter),
            above.advice()
        ));
    }
    dialect
}

/// A delimiter that fits each record of a sample.
fn fitting(dialect: &Dialect, sample: &Sample, proposed: Option<u8>) -> Option<u8> {
    let mut other = dialect.clone();
    choose_delimiter(&mut other, sample, proposed);
    let delimiter = other.delimiter;
    Fit::new(dialect, delimiter, sample).fits().then_some(delimiter)
}

/// Offset of the byte after `count` lines.
fn skip_lines<S: ReadAt + ?Sized>(source: &S, count: u64) -> Result<u64> {
    let mut left = count;
    let mut offset = 0;
    let mut terminator = None;
    while left > 0 {
        let block = read_from(source, offset, SAMPLE_BYTES)?;
        if block.is_empty() {
            break;
        }
        // The first line tells how lines end; what follows may hold other ends in quotes.
        let end = memchr::memchr2(b'\n', b'\r', &block);
        let lone = end.is_some_and(|at| block[at] == b'\r' && block.get(at + 1) != Some(&b'\n'));
        let terminator = *terminator.get_or_insert(if lone { b'\r' } else { b'\n' });
        match memchr::memchr_iter(terminator, &block).nth(usize::try_from(left - 1).unwrap_or(usize::MAX)) {
            Some(at) => return Ok(offset + at as u64 + 1),
            None => left -= memchr::memchr_iter(terminator, &block).count() as u64,
        }
        offset += block.len() as u64;
    }
    Ok(offset)
}

fn read_from<S: ReadAt + ?Sized>(source: &S, offset: u64, count: usize) -> Result<Vec<u8>> {
    // The length is not asked for: the text may still be on its way.
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read_at(offset + filled as u64, &mut bytes[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn line_ending(sample: &[u8], quote: Option<u8>, escape: Option<u8>) -> LineEnding {
    let mut quoted = false;
    let mut lone_return = false;
    let mut bytes = sample.iter().enumerate();
    while let Some((i, &byte)) = bytes.next() {
        match byte {
            _ if Some(byte) == quote => quoted = !quoted,
            _ if quoted && Some(byte) == escape => {
                bytes.next();
            }
            b'\n' if !quoted => {
                let crlf = i > 0 && sample[i - 1] == b'\r';
                return if crlf { LineEnding::CrLf } else { LineEnding::Lf };
            }
            b'\r' if !quoted && i + 1 < sample.len() && sample[i + 1] != b'\n' => lone_return = true,
            _ => {}
        }
    }
    // A quote inside of text can hide line ends from a count of quotes: then any newline decides.
    let newline = memchr::memchr(b'\n', sample);
    match newline {
        Some(_) if !lone_return => LineEnding::Lf,
        None if memchr::memchr(b'\r', sample).is_some() => LineEnding::Cr,
        _ if lone_return => LineEnding::Cr,
        _ => LineEnding::Lf,
    }
}

/// How the sample looks under one delimiter.
struct Fit {
    delimiter: u8,
    /// How many fields each record has, and where it begins.
    records: Vec<(usize, usize)>,
    broken: bool,
    /// Whether each comma inside a field without quotes is the only one there and stands between digits.
    commas_decimal: bool,
    /// Whether a quote stands inside of a field that is not quoted.
    inner_quotes: bool,
}

impl Fit {
    fn new(dialect: &Dialect, delimiter: u8, sample: &Sample) -> Self {
        let dialect = Dialect { delimiter, ..dialect.clone() };
        let mut fit =
            Fit { delimiter, records: Vec::new(), broken: false, commas_decimal: true, inner_quotes: false };
        fit.broken = sample.cut(&dialect, &mut |start, fields| {
            fit.records.push((fields.len(), start));
            for (field, _) in fields.iter().filter(|(_, quoted)| !quoted) {
                fit.commas_decimal &= comma_is_decimal(field);
                fit.inner_quotes |= dialect.quote.is_some_and(|quote| memchr::memchr(quote, field).is_some());
            }
        });
        fit
    }

    /// Fields of the first record; 0 without one.
    fn first(&self) -> usize {
        self.records.first().map_or(0, |(count, _)| *count)
    }

    /// Records with as many fields as the first one.
    fn agreeing(&self) -> usize {
        self.records.iter().filter(|(count, _)| *count == self.first()).count()
    }

    fn fits(&self) -> bool {
        !self.broken && self.first() >= 2 && self.agreeing() == self.records.len()
    }

    /// Tenths of the records, rounded down, that have the same number of fields as the first one.
    fn tenths(&self) -> usize {
        if self.first() < 2 { 0 } else { self.agreeing() * 10 / self.records.len() }
    }
}

fn comma_is_decimal(field: &[u8]) -> bool {
    let mut commas = memchr::memchr_iter(b',', field);
    let Some(at) = commas.next() else { return true };
    let number = |b: &u8| b.is_ascii_digit() || matches!(b, b',' | b'.' | b'-' | b'+' | b' ');
    commas.next().is_none()
        && at > 0
        && field[at - 1].is_ascii_digit()
        && field.get(at + 1).is_some_and(u8::is_ascii_digit)
        && field.iter().all(number)
}

/// Chooses the delimiter. Where none fits all or nearly all records, gives how the sample looks under each.
fn choose_delimiter(dialect: &mut Dialect, sample: &Sample, proposed: Option<u8>) -> Vec<Fit> {
    let mut order: Vec<u8> = proposed.into_iter().collect();
    order.extend(CANDIDATES.into_iter().filter(|&candidate| Some(candidate) != proposed));
    order.retain(|&candidate| Some(candidate) != dialect.quote && Some(candidate) != dialect.escape);
    let fits: Vec<Fit> = order.iter().map(|&byte| Fit::new(dialect, byte, sample)).collect();
    let mut fitting: Vec<&Fit> = fits.iter().filter(|fit| fit.fits()).collect();
    if fitting.iter().any(|fit| !fit.inner_quotes) {
        fitting.retain(|fit| !fit.inner_quotes);
    }
    let decimal_under_other = fitting.iter().any(|fit| fit.delimiter != b',' && fit.commas_decimal);
    if decimal_under_other {
        fitting.retain(|fit| fit.delimiter != b',' && fit.commas_decimal);
    }
    if let Some(best) = fitting.first() {
        dialect.delimiter = best.delimiter;
        dialect.also_fits = fitting[1..].iter().map(|fit| fit.delimiter).collect();
        let records = match best.records.len() {
            1 => "the first record".to_owned(),
            count => format!("each of the first {count} records"),
        };
        let mut why =
            format!("delimiter {}: {records} has {}", shown(best.delimiter), counted(best.first(), "field"));
        if !dialect.also_fits.is_empty() {
            let others: Vec<String> = dialect.also_fits.iter().map(|&byte| shown(byte)).collect();
            why += &format!("; {} would fit as well", others.join(" and "));
        }
        let is_plain = dialect.also_fits.is_empty() && best.delimiter == proposed.unwrap_or(CANDIDATES[0]);
        let said = if is_plain { &mut dialect.plain } else { &mut dialect.why };
        said.push(why);
        return Vec::new();
    }
    let near = fits.iter().rev().filter(|fit| fit.tenths() >= 9).max_by_key(|fit| fit.tenths());
    let is_near = near.is_some();
    let present = || fits.iter().find(|fit| fit.first() >= 2);
    match near.or_else(present) {
        Some(fit) => {
            dialect.delimiter = fit.delimiter;
            let text = "no delimiter fits each of the first records";
            dialect.why.push(format!("delimiter {}: {text}, this one comes nearest", shown(fit.delimiter)));
        }
        None => dialect.why.push("one column: no delimiter in the first record".to_owned()),
    }
    if is_near { Vec::new() } else { fits }
}

pub(super) fn shown(byte: u8) -> String {
    match byte {
        b'\t' => "tab".to_owned(),
        _ => format!("'{}'", char::from(byte)),
    }
}

/// The fields of the first record at or after `start`, which may have a number, and the offset after it.
fn first_record<S: ReadAt + ?Sized>(
    source: &S,
    dialect: &Dialect,
    start: u64,
    number: Option<u64>,
) -> Result<(Vec<String>, u64)> {
    let rules = Rules::free(dialect, 1);
    let mut rows = Rows::default();
    let mut wanted = SAMPLE_BYTES;
    loop {
        let mut data = read_from(source, start, wanted)?;
        let last = start + data.len() as u64 >= source.len();
        rows.clear();
        let end = match rules.cut(&data, 0, last, &mut rows) {
            Step::More { .. } => {
                wanted = wanted.saturating_mul(4);
                continue;
            }
            Step::Full { next } => next,
            Step::End => data.len(),
            Step::Bad { fault: Fault::Stray { at }, .. } => {
                return Err(fault::stray(number, start + at as u64));
            }
            Step::Bad { start: at, fault: Fault::FieldCount(found), .. } => {
                return Err(fault::field_count(number, start + at as u64, (found, found), (None, None)));
            }
            Step::Unclosed { open, .. } => return Err(fault::unclosed(number, start + open as u64)),
            Step::TooLong { start: at, .. } => {
                return Err(fault::too_long(number, start + at as u64, RECORD_BYTES_MAX));
            }
        };
        if rows.rows.is_empty() {
            let what = "there is no record, not even a header; check that this is the right file";
            return Err(Error::malformed("CSV", Place::at_byte(start), what));
        }
        let record_start = rows.rows[0].start as usize;
        if let Some((at, nul)) = split::first_wrong(&data[..end], record_start) {
            let at = start + at as u64;
            return Err(if nul { fault::nul(number, at) } else { fault::not_utf8(number, at) });
        }
        if rows.fields.len() > COLUMNS_MAX {
            return Err(Error::Limit {
                place: Box::new(Place::at_byte(start + record_start as u64)),
                what: "count of columns",
                max: COLUMNS_MAX as u64,
                hint: "name the delimiter if another one was meant".to_owned(),
            });
        }
        rows.unescape(&rules, &mut data);
        let text = |f: &FieldRef| String::from_utf8_lossy(&data[f.start()..f.end()]).into_owned();
        return Ok((rows.fields.iter().map(text).collect(), start + end as u64));
    }
}

#[cfg(test)]
mod tests;
