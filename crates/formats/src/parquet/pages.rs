//! Provides the check of page headers before the library takes memory by what they say: its own decoders
//! believe any size.
//!
//! A page header is a struct of [Thrift](super::thrift), defined in `parquet.thrift` of the format. Only the
//! fields that sizes hang on are looked at; the others are passed over.

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{Compression, Type};
use parquet::file::metadata::ColumnChunkMetaData;

use super::NAME;
use super::thrift::{Compact, kind};
use crate::binary::row_too_long;
use crate::error::{Error, Place, Result};
use crate::file::{ObjectFile, RangeReader};
use crate::limits::{BATCH_ROWS, BOMB_RATIO_MAX, SHARED_BATCH_BYTES, is_bomb};

/// Bytes asked for one header at first: most take less than 100.
const HEADER_BYTES: usize = 512;

/// Bytes of a page header at most. It holds the least and the largest value of its page, which can be long.
const HEADER_BYTES_MAX: usize = 32 << 20;

/// Bytes of a value that many rows share, up to which a batch of them is no larger than it should be.
const SHARED_BYTES_MIN: u64 = (SHARED_BATCH_BYTES / BATCH_ROWS) as u64;

/// What a page header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct PageHeader {
    uncompressed: Option<i64>,
    compressed: Option<i64>,
    /// Of a dictionary.
    entries: Option<i64>,
    /// Of a page of data; a dictionary has none.
    values: Option<i64>,
    /// Of a page of data.
    encoding: Option<i64>,
}

/// Values of a list on average, up to which a row is no concern: tensors are stored so.
pub(super) const LIST_LENGTH_MAX: u64 = 1 << 16;

/// Bytes of the lengths and levels of one value in a page at most, about.
const LENGTH_BYTES: u64 = 64;

/// `DELTA_BYTE_ARRAY` of `parquet.thrift`: texts that begin as the one before.
const DELTA_BYTE_ARRAY: i64 = 7;

/// What the pages of a column chunk hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pages {
    /// Values in the pages of data.
    values: i64,
    /// Bytes of the page with the dictionary.
    dictionary: u64,
    /// Bytes of the largest page whose texts begin as others.
    delta: u64,
    /// Bytes that the page takes which takes most, as it is stored and unpacked.
    pub(super) held: u64,
}

impl Pages {
    /// Bytes at most, as a rule, of a row's values that many rows share in the file, so that it takes them
    /// once; 0 where each row has its own. `longest` finds the longest text of the dictionary, and `widest`
    /// the most bytes of texts that a row has.
    ///
    /// # Errors
    /// `Limit` for lists of which one row could stand for much more than the file holds.
    pub(super) fn shared_bytes(
        &self,
        column: &ColumnChunkMetaData,
        rows: i64,
        longest: impl FnOnce() -> Result<u64>,
        widest: impl FnOnce() -> Result<u64>,
    ) -> Result<u64> {
        let descriptor = column.column_descr();
        let texts = descriptor.physical_type() == Type::BYTE_ARRAY;
        let shared = match descriptor.physical_type() {
            _ if texts && self.dictionary > SHARED_BYTES_MIN => {
                longest()?.min(self.dictionary).max(self.delta)
            }
            _ if texts => self.dictionary.max(self.delta),
            Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(descriptor.type_length()).unwrap_or(0),
            _ => 0,
        };
        if descriptor.max_rep_level() == 0 {
            return Ok(shared);
        }
        let ((at, packed), values) = (column.byte_range(), u64::try_from(self.values).unwrap_or(0));
        let each_row = values.div_ceil(u64::try_from(rows).unwrap_or(0).max(1));
        let too_much = || Err(too_much("expansion ratio of the lists of a Parquet column", at));
        let is_bomb = |each: u64| is_bomb(packed, values.saturating_mul(each));
        if each_row > LIST_LENGTH_MAX && is_bomb(size_of::<u64>() as u64) {
            return too_much();
        }
        if !texts || !is_bomb(shared) {
            return Ok(each_row.saturating_mul(shared + size_of::<u64>() as u64));
        }
        // Some texts are longer than others: these are looked at one by one.
        let widest = widest()?;
        if crate::limits::is_bomb(packed, widest) { too_much() } else { Ok(widest) }
    }
}

/// Walks the pages of one column chunk of a row group of so many rows, of which each may have so many bytes.
///
/// # Errors
/// As of [`walk_chunk`], and `Malformed` where the pages hold another number of values than the chunk:
/// reading all of it and passing over some of it would then give different rows.
pub(super) fn check(
    file: &Arc<ObjectFile>,
    column: &ColumnChunkMetaData,
    rows: i64,
    row_bytes_max: usize,
) -> Result<Pages> {
    let (at, pages) = (column.byte_range().0, walk_chunk(file, column, row_bytes_max)?);
    let (values, flat) = (pages.values, column.column_descr().max_rep_level() == 0);
    if values != column.num_values() || (flat && values != rows) {
        let (claimed, place) = (column.num_values(), Place::at_byte(at));
        let what = format!("the pages hold {values} values, the column chunk {claimed}, in {rows} rows");
        return Err(Error::malformed(NAME, place, what));
    }
    Ok(pages)
}

/// Walks the pages of one column chunk, whose values may have so many bytes.
///
/// # Errors
/// `Malformed` for what is no page. `Limit` for a page that is much smaller than what it claims to hold, and
/// for one whose values are longer than a row may be.
pub(super) fn walk_chunk(
    file: &Arc<ObjectFile>,
    column: &ColumnChunkMetaData,
    row_bytes_max: usize,
) -> Result<Pages> {
    let (at, length) = column.byte_range();
    walk(file, at..at + length, column.compression(), row_bytes_max as u64)
}

/// Walks the pages in these bytes.
fn walk(
    file: &Arc<ObjectFile>,
    range: Range<u64>,
    compression: Compression,
    row_bytes_max: u64,
) -> Result<Pages> {
    let (mut at, mut pages) = (range.start, Pages::default());
    while at < range.end {
        let (header, length) = header_at(file, at, range.end)?;
        let malformed = |what: &str| Error::malformed(NAME, Place::at_byte(at), what);
        let size = |size: Option<i64>| {
            let size = size.ok_or_else(|| malformed("a page header without sizes"))?;
            u64::try_from(size).map_err(|_| malformed("a page of negative size"))
        };
        let (held, stored) = (size(header.uncompressed)?, size(header.compressed)?);
        let start = at + length;
        let end = start.checked_add(stored).filter(|end| *end <= range.end);
        let end = end.ok_or_else(|| malformed("a page leads beyond its column chunk"))?;
        let bomb = |held| {
            if is_bomb(stored, held) {
                Err(too_much("expansion ratio of a large Parquet page", at))
            } else {
                Ok(())
            }
        };
        bomb(held)?;
        if let Compression::BROTLI(_) = compression {
            bomb(unpacked(file, start..end)?)?;
        }
        pages.held = pages.held.max(stored.saturating_add(held));
        // A page of that many bytes holds a value of that many at least, beside its length.
        let values = header.values.or(header.entries).and_then(|values| u64::try_from(values).ok());
        let each = held.saturating_sub(LENGTH_BYTES) / values.unwrap_or(u64::MAX).max(1);
        if each > row_bytes_max {
            return Err(row_too_long(Place::at_byte(at), each, row_bytes_max));
        }
        match (header.values, header.encoding) {
            (None, _) => pages.dictionary = pages.dictionary.max(held),
            (_, Some(DELTA_BYTE_ARRAY)) => pages.delta = pages.delta.max(held),
            _ => {}
        }
        pages.values = pages.values.saturating_add(header.values.unwrap_or(0));
        at = end;
    }
    Ok(pages)
}

fn too_much(what: &'static str, at: u64) -> Error {
    Error::Limit {
        place: Box::new(Place::at_byte(at)),
        what,
        max: BOMB_RATIO_MAX,
        hint: "write the file again with smaller pages if the source is trusted".into(),
    }
}

/// What a Brotli stream expands to, as far as it takes to call it a bomb: nothing in it bounds that.
fn unpacked(file: &Arc<ObjectFile>, range: Range<u64>) -> Result<u64> {
    let stored = range.end - range.start;
    let mut stream =
        brotli::Decompressor::new(RangeReader::range(file.clone(), range.start, range.end), 64 << 10);
    let mut block = vec![0; 64 << 10];
    let mut bytes = 0u64;
    // A stream that is broken is for the library to refuse, once it is known to be small.
    while let Ok(count) = std::io::Read::read(&mut stream, &mut block)
        && count > 0
    {
        bytes += count as u64;
        if is_bomb(stored, bytes) {
            break;
        }
    }
    Ok(bytes)
}

/// The header at `at` and its length; it ends before `end`.
fn header_at(file: &ObjectFile, at: u64, end: u64) -> Result<(PageHeader, u64)> {
    let mut wanted = HEADER_BYTES;
    loop {
        let available = usize::try_from(end - at).unwrap_or(usize::MAX).min(wanted);
        let mut bytes = vec![0; available];
        file.read_exact_at(&mut bytes, at)?;
        let mut reader = Compact::new(&bytes);
        match reader.page_header() {
            Some(header) => return Ok((header, reader.at as u64)),
            None if available == wanted && wanted < HEADER_BYTES_MAX => wanted *= 8,
            None => return Err(Error::malformed(NAME, Place::at_byte(at), "no page header is here")),
        }
    }
}

impl Compact<'_> {
    fn page_header(&mut self) -> Option<PageHeader> {
        let mut header = PageHeader::default();
        let mut id = 0;
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (kind, id) {
                (kind::STOP, _) => return Some(header),
                (kind::I16..=kind::I64, 2) => header.uncompressed = Some(self.integer()?),
                (kind::I16..=kind::I64, 3) => header.compressed = Some(self.integer()?),
                // The headers of data pages, of versions 1 and 2.
                (kind::STRUCT, 5) => (header.values, header.encoding) = self.data_page(2)?,
                (kind::STRUCT, 7) => header.entries = self.data_page(i64::MAX)?.0,
                (kind::STRUCT, 8) => (header.values, header.encoding) = self.data_page(4)?,
                _ => self.skip(kind, 0)?,
            }
        }
    }

    /// Number and encoding of the values of a page of data: its first field, and the one of this number.
    fn data_page(&mut self, encoded: i64) -> Option<(Option<i64>, Option<i64>)> {
        let (mut values, mut encoding, mut id) = (None, None, 0);
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (kind, id) {
                (kind::STOP, _) => return Some((values, encoding)),
                (kind::I16..=kind::I64, 1) => values = Some(self.integer()?),
                (kind::I16..=kind::I64, id) if id == encoded => encoding = Some(self.integer()?),
                _ => self.skip(kind, 1)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_whatever_stands_between_its_sizes() {
        // Type 0, sizes 300 and 7, a header of 9 values with a binary, a list of two structs, a set and a
        // double.
        let bytes = [
            0x15, 0, 0x15, 0xd8, 0x04, 0x15, 14, 0x2c, 0x15, 18, 0x18, 2, 9, 9, 0x19, 0x2c, 0, 0, 0x1a, 0x11,
            1, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 0, 99,
        ];
        let mut reader = Compact::new(&bytes);
        let header = PageHeader {
            uncompressed: Some(300),
            compressed: Some(7),
            values: Some(9),
            ..PageHeader::default()
        };
        assert_eq!(reader.page_header(), Some(header));
        assert_eq!(reader.at, bytes.len() - 1);
        for cut in 0..bytes.len() - 1 {
            assert_eq!(Compact::new(&bytes[..cut]).page_header(), None, "{cut}");
        }
    }

    #[test]
    fn a_page_whose_values_are_longer_than_a_row_may_be_is_refused() {
        // 300 bytes in 7, of 2 values: in a page of data, and in a dictionary.
        for values in [0x2c, 0x4c] {
            let header = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 14, values, 0x15, 4, 0, 0];
            let page = [&header[..], &[0; 7]].concat();
            let file = crate::conformance::file_of(&page).unwrap();
            let found = |max| walk(&file, 0..page.len() as u64, Compression::UNCOMPRESSED, max);
            assert_eq!(found(118).unwrap().held, 307);
            let error = found(117).unwrap_err().to_string();
            assert!(error.contains("the size of a row in bytes"), "{error}");
            assert!(error.ends_with("give it --memory 8MiB"), "{error}");
        }
    }

    #[test]
    fn headers_that_make_no_sense_are_none() {
        for bytes in [&[0x15; 4][..], &[0xff; 40], &[0x1c; 40], &[0x19, 0xfc, 0xff, 0xff, 0x0f], &[0x1e, 0]] {
            assert_eq!(Compact::new(bytes).page_header(), None, "{bytes:?}");
        }
    }

    /// Pages whose header says 10 bytes, with this much in them.
    fn brotli_page(bytes: usize) -> Vec<u8> {
        let mut packed = Vec::new();
        let zeros = std::io::Read::take(std::io::repeat(0), bytes as u64);
        std::io::Read::read_to_end(&mut brotli::CompressorReader::new(zeros, 1 << 16, 1, 24), &mut packed)
            .unwrap();
        let mut page = vec![0x15, 0, 0x15, 20, 0x15];
        let mut length = packed.len() * 2;
        while length > 127 {
            page.push(length as u8 | 0x80);
            length >>= 7;
        }
        page.extend([length as u8, 0]);
        page.extend(packed);
        page
    }

    #[test]
    fn a_page_that_holds_more_than_it_says_is_a_bomb() {
        let codec = Compression::BROTLI(Default::default());
        let small = brotli_page(100_000);
        let file = crate::conformance::file_of(&small).unwrap();
        walk(&file, 0..small.len() as u64, codec, u64::MAX).unwrap();
        let bomb = brotli_page(300 << 20);
        let file = crate::conformance::file_of(&bomb).unwrap();
        let error = walk(&file, 0..bomb.len() as u64, codec, u64::MAX).unwrap_err();
        assert!(error.to_string().starts_with("byte 0: expansion ratio"), "{error}");
    }
}
