//! Provides the detection of a dialect from the first 256 KiB of a text.
//!
//! **Line ending.** `\r` only if no `\n` stands outside of quotes; `\n` and `\r\n` are read alike.
//!
//! **Delimiter.** A candidate fits if every record of the sample has the same number of fields under it, at
//! least two, and no quoted field is broken. Where several fit: one that leaves a quote inside of a field
//! that does not begin with it is none where another does not; a comma that only ever stands as the one
//! decimal comma of a number, under another candidate that fits, is no delimiter; then the delimiter that the
//! file's ending proposes is taken, else comma, tab, semicolon, bar, in this order, and the others are
//! reported. Where none fits, one under which nine of ten records agree is taken, then one that stands in the
//! first record at all; records that disagree are then refused with their place. Else the table has one
//! column.
//!
//! **Header.** No header if a field of the first record reads as a number, date, time or truth value, or
//! all its fields are empty. A header if some column holds only such values below the first record. Else no
//! header if an empty field stands after the first one, or a field of the first record comes again in its
//! column. Else, and in a text of one record, a header.

use super::dialect::{CsvOptions, Dialect, LineEnding, validate};
use super::header::{numbered_names, unique_names};
use super::rows::{FieldRef, Rows};
use super::split::{Fault, Rules, Step};
use super::{fault, split};
use crate::limits::{COLUMNS_MAX, RECORD_BYTES_MAX};
use crate::spool::ReadAt;
use crate::{Error, Place, Result};

/// Bytes that detection looks at: thousands of records, read in no time.
const SAMPLE_BYTES: usize = 256 << 10;

/// Records that the question of the header looks at.
const HEADER_SAMPLE_RECORDS: usize = 1_000;

/// Delimiters in order of preference. Comma is first: RFC 4180.
const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Resolves the dialect of `source`. `proposed` is the delimiter that the file's ending proposes, such as tab
/// for `.tsv`.
///
/// Errors: `Misuse` for contradictory options; `Malformed` where there is no record, or the first one is
/// broken; `Limit` for too many columns or too long a first record.
pub fn detect<S: ReadAt + ?Sized>(source: &S, options: &CsvOptions, proposed: Option<u8>) -> Result<Dialect> {
    resolve(source, options, proposed).map_err(|error| match source.path() {
        Some(path) => error.in_file(path),
        None => error,
    })
}

fn resolve<S: ReadAt + ?Sized>(source: &S, options: &CsvOptions, proposed: Option<u8>) -> Result<Dialect> {
    validate(options)?;
    let start = skip_lines(source, options.skip_lines)?;
    let sample = read_from(source, start, SAMPLE_BYTES)?;
    let whole = start + sample.len() as u64 >= source.len();
    let quote = options.quote.unwrap_or(Some(b'"'));
    let mut dialect = Dialect {
        delimiter: options.delimiter.or(proposed).unwrap_or(b','),
        quote,
        escape: options.escape,
        comment: options.comment.clone(),
        line_ending: line_ending(&sample, quote, options.escape),
        header: false,
        names: Vec::new(),
        data_start: start,
        ragged: options.ragged,
        trim: options.trim,
        why: Vec::new(),
        also_fits: Vec::new(),
    };
    if options.delimiter.is_none() {
        choose_delimiter(&mut dialect, &sample, whole, proposed);
        let given = CsvOptions { delimiter: Some(dialect.delimiter), ..options.clone() };
        validate(&given)?;
    }
    // Whether it is the header is told by what is in it.
    let number = (options.header == Some(false)).then_some(1);
    let (first, next) = first_record(source, &dialect, start, number)?;
    dialect.header = match options.header {
        Some(given) => given,
        None => {
            let (header, why) = is_header(&first, &sampled(&dialect, &sample, whole));
            dialect.why.push(why);
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
    let left = usize::try_from(source.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; count.min(left)];
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
    /// Fields of each record.
    counts: Vec<usize>,
    broken: bool,
    /// Whether each comma inside a field without quotes is the only one there and stands between digits.
    commas_decimal: bool,
    /// Whether a quote stands inside of a field that is not quoted.
    inner_quotes: bool,
}

impl Fit {
    fn new(dialect: &Dialect, delimiter: u8, sample: &[u8], whole: bool) -> Self {
        let dialect = Dialect { delimiter, ..dialect.clone() };
        let mut fit =
            Fit { delimiter, counts: Vec::new(), broken: false, commas_decimal: true, inner_quotes: false };
        fit.broken = cut_sample(&dialect, sample, whole, &mut |fields| {
            fit.counts.push(fields.len());
            for (field, _) in fields.iter().filter(|(_, quoted)| !quoted) {
                fit.commas_decimal &= comma_is_decimal(field);
                fit.inner_quotes |= dialect.quote.is_some_and(|quote| memchr::memchr(quote, field).is_some());
            }
        });
        fit
    }

    fn fits(&self) -> bool {
        let first = self.counts.first().copied().unwrap_or(0);
        !self.broken && first >= 2 && self.counts.iter().all(|&count| count == first)
    }

    /// Tenths of the records, rounded down, that have the same number of fields as the first one.
    fn tenths(&self) -> usize {
        let first = self.counts.first().copied().unwrap_or(0);
        let agree = self.counts.iter().filter(|&&count| count == first).count();
        if first < 2 { 0 } else { agree * 10 / self.counts.len() }
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

fn choose_delimiter(dialect: &mut Dialect, sample: &[u8], whole: bool, proposed: Option<u8>) {
    let mut order: Vec<u8> = proposed.into_iter().collect();
    order.extend(CANDIDATES.into_iter().filter(|&candidate| Some(candidate) != proposed));
    order.retain(|&candidate| Some(candidate) != dialect.quote && Some(candidate) != dialect.escape);
    let fits: Vec<Fit> = order.iter().map(|&byte| Fit::new(dialect, byte, sample, whole)).collect();
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
        let records = best.counts.len();
        let mut why = format!(
            "delimiter {}: each of the first {records} records has {} fields",
            shown(best.delimiter),
            best.counts[0]
        );
        if !dialect.also_fits.is_empty() {
            let others: Vec<String> = dialect.also_fits.iter().map(|&byte| shown(byte)).collect();
            why += &format!("; {} would fit as well", others.join(" and "));
        }
        dialect.why.push(why);
        return;
    }
    let near = fits.iter().rev().filter(|fit| fit.tenths() >= 9).max_by_key(|fit| fit.tenths());
    let present = || fits.iter().find(|fit| fit.counts.first().is_some_and(|&count| count >= 2));
    match near.or_else(present) {
        Some(fit) => {
            dialect.delimiter = fit.delimiter;
            let text = "no delimiter fits each of the first records";
            dialect.why.push(format!("delimiter {}: {text}, this one comes nearest", shown(fit.delimiter)));
        }
        None => dialect.why.push("one column: no delimiter in the first record".to_owned()),
    }
}

fn shown(byte: u8) -> String {
    match byte {
        b'\t' => "tab".to_owned(),
        _ => format!("'{}'", char::from(byte)),
    }
}

/// The contents of a field, and whether it is quoted.
type Cut<'a> = (&'a [u8], bool);

/// Hands each record of the sample to `each`, as contents of fields and whether they are quoted; says whether
/// some record was broken.
fn cut_sample(dialect: &Dialect, sample: &[u8], whole: bool, each: &mut dyn FnMut(&[Cut<'_>])) -> bool {
    let rules = Rules::free(dialect, usize::MAX);
    let mut rows = Rows::default();
    let mut from = 0;
    let mut broken = false;
    let mut last = whole;
    loop {
        match rules.cut(sample, from, last, &mut rows) {
            Step::Bad { next, fault: Fault::Stray { .. } | Fault::FieldCount(_), .. } => {
                broken = true;
                from = next;
            }
            // Where the sample holds no whole record, the beginning of one has to do.
            Step::More { from: unfinished } if rows.rows.is_empty() && unfinished == 0 && !last => {
                last = true
            }
            Step::More { .. } | Step::End | Step::Full { .. } => break,
            Step::Unclosed { .. } | Step::TooLong { .. } => {
                broken = true;
                break;
            }
        }
    }
    let mut data = sample.to_vec();
    rows.unescape(&rules, &mut data);
    let mut fields = Vec::new();
    for (i, row) in rows.rows.iter().enumerate() {
        let next = rows.rows.get(i + 1).map_or(rows.fields.len(), |next| next.first as usize);
        fields.clear();
        fields.extend(
            rows.fields[row.first as usize..next].iter().map(|f| (&data[f.start()..f.end()], f.quoted())),
        );
        each(&fields);
    }
    broken
}

fn sampled(dialect: &Dialect, sample: &[u8], whole: bool) -> Vec<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    cut_sample(dialect, sample, whole, &mut |fields| {
        if records.len() < HEADER_SAMPLE_RECORDS {
            records.push(fields.iter().map(|(field, _)| field.to_vec()).collect());
        }
    });
    records
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
                return Err(fault::field_count(number, start + at as u64, found, found));
            }
            Step::Unclosed { open, .. } => return Err(fault::unclosed(number, start + open as u64)),
            Step::TooLong { start: at, .. } => {
                return Err(fault::too_long(number, start + at as u64, RECORD_BYTES_MAX));
            }
        };
        if rows.rows.is_empty() {
            let what = "there is no record, not even a header";
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

/// Whether the first record holds names, and why.
fn is_header(first: &[String], records: &[Vec<Vec<u8>>]) -> (bool, String) {
    let below = records.get(1..).unwrap_or_default();
    if below.is_empty() {
        return (true, "header: there is only one record".to_owned());
    }
    if first.iter().all(String::is_empty) {
        return (false, "no header: the first record is empty".to_owned());
    }
    if let Some(value) = first.iter().find(|field| is_value(field.as_bytes())) {
        return (false, format!("no header: {value:?} in the first record is a value, not a name"));
    }
    let column = |i: usize| below.iter().filter_map(move |record| record.get(i)).filter(|f| !f.is_empty());
    for (i, name) in first.iter().enumerate() {
        if column(i).next().is_some() && column(i).all(|field| is_value(field)) {
            return (true, format!("header: {name:?} stands above a column of values"));
        }
    }
    if first.iter().skip(1).any(String::is_empty) {
        return (false, "no header: a field of the first record is empty".to_owned());
    }
    let repeated = |(i, name): (usize, &String)| column(i).any(|field| field == name.as_bytes());
    if let Some((_, name)) = first.iter().enumerate().find(|&pair| repeated(pair)) {
        return (false, format!("no header: {name:?} comes again in its column"));
    }
    (true, "header: the default, since all columns hold text".to_owned())
}

/// Whether the text reads as a number, date, time or truth value.
fn is_value(field: &[u8]) -> bool {
    let text = field.trim_ascii();
    let truth = [&b"true"[..], b"false"];
    if truth.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let begins = match text {
        [b'+' | b'-' | b'.' | b',', rest @ ..] => {
            rest.first().is_some_and(|b| b.is_ascii_digit() || *b == b'.')
        }
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    };
    let allowed = |b: &u8| b.is_ascii_digit() || b"+-.,:/ eETZ%".contains(b);
    begins && text.iter().any(u8::is_ascii_digit) && text.iter().all(allowed)
}

#[cfg(test)]
mod tests;
