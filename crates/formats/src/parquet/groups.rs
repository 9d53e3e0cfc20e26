//! Provides the pages of some row groups to the library, each looked at for what its decoders would believe:
//! the number of lengths before the texts of a page, for which they take memory at once, and that a column
//! begins with a row.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::ByteArrayType;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::decode::Chunks;
use crate::limits::is_bomb;

/// Row groups of a file.
pub(super) struct Groups {
    pub(super) chunks: Arc<Chunks>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) groups: Vec<usize>,
}

impl RowGroups for Groups {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (chunks, metadata) = (self.chunks.clone(), self.metadata.clone());
        Ok(Box::new(ColumnChunks { chunks, metadata, column, groups: self.groups.clone().into_iter() }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.groups.iter().map(|group| self.metadata.row_group(*group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// Bytes of the longest text in the dictionary of a column, of the first of these row groups: they follow
/// their length (`PLAIN` of the format's `Encodings.md`). Of a dictionary that is not sound, all bytes.
pub(super) fn longest(groups: &Groups, column: usize) -> Result<u64> {
    let Some(mut pages) = groups.column_chunks(column)?.next().transpose()? else { return Ok(0) };
    let Some(Page::DictionaryPage { buf, .. }) = pages.get_next_page()? else { return Ok(u64::MAX) };
    let (mut rest, mut longest) = (buf.as_ref(), 0);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(after) = after.get(length..) else { return Ok(buf.len() as u64) };
        (rest, longest) = (after, longest.max(length as u64));
    }
    Ok(longest)
}

/// Values of a column that are looked at together, as a rule: each takes some 40 bytes.
const VALUES: i64 = 1 << 20;

/// The most bytes of texts that one row of a column has, of the first of these row groups. The library gives
/// texts as places in their pages, so that none is written out.
pub(super) fn widest(groups: &Groups, column: usize) -> Result<u64> {
    let Some(pages) = groups.column_chunks(column)?.next().transpose()? else { return Ok(0) };
    let described = groups.metadata.file_metadata().schema_descr().column(column);
    let held = described.max_def_level();
    let column = groups.metadata.row_group(groups.groups[0]).column(column);
    let each_row = column.num_values() / groups.num_rows().max(1) as i64;
    let count = (VALUES / each_row.max(1)).clamp(1, 1_024) as usize;
    let mut reader = ColumnReaderImpl::<ByteArrayType>::new(described, pages);
    let (mut row, mut widest) = (0u64, 0);
    loop {
        let (mut texts, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        let (records, ..) =
            reader.read_records(count, Some(&mut defined), Some(&mut repeated), &mut texts)?;
        if records == 0 {
            return Ok(widest);
        }
        let mut texts = texts.iter();
        for (defined, repeated) in defined.into_iter().zip(repeated) {
            row = if repeated == 0 { 0 } else { row };
            if defined == held {
                row = row.saturating_add(texts.next().map_or(0, |text| text.len() as u64));
            }
            widest = widest.max(row);
        }
    }
}

/// The chunks of one column, one for each row group.
struct ColumnChunks {
    chunks: Arc<Chunks>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    groups: std::vec::IntoIter<usize>,
}

impl Iterator for ColumnChunks {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.metadata.row_group(self.groups.next()?);
        let (column, rows) = (group.column(self.column), usize::try_from(group.num_rows()).unwrap_or(0));
        let described = column.column_descr();
        let levels = (described.max_rep_level(), described.max_def_level());
        let pages = SerializedPageReader::new(self.chunks.clone(), column, rows, None);
        Some(pages.map(|pages| {
            let checked = Checked { pages, levels, begun: false, rows: rows as u64, found: Some(0) };
            Box::new(checked) as Box<dyn PageReader>
        }))
    }
}

impl PageIterator for ColumnChunks {}

/// The pages of one column chunk.
struct Checked {
    pages: SerializedPageReader<Chunks>,
    /// The largest levels of repetition and definition.
    levels: (i16, i16),
    /// Whether a page of data was read or passed over.
    begun: bool,
    /// Rows of the row group.
    rows: u64,
    /// Rows that begin in the pages so far; `None` once there was a page that does not tell.
    found: Option<u64>,
}

impl Checked {
    /// Takes note of the rows that begin in a page. Where they are more than the row group has, the library
    /// would take them for rows of the next one.
    fn count(&mut self, rows: Option<u64>) -> Result<()> {
        self.found = self.found.zip(rows).map(|(found, rows)| found + rows);
        match self.found {
            Some(found) if found > self.rows => Err(self.miscounted(found)),
            _ => Ok(()),
        }
    }

    /// Checks, behind the last page, that no row is missing.
    fn end(&self) -> Result<()> {
        match self.found {
            Some(found) if found != self.rows => Err(self.miscounted(found)),
            _ => Ok(()),
        }
    }

    fn miscounted(&self, found: u64) -> ParquetError {
        let rows = self.rows;
        wrong(&format!("{found} rows begin in the pages of a column chunk, and its row group has {rows}"))
    }
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        match &page {
            None => self.end()?,
            Some(Page::DictionaryPage { .. }) => {}
            Some(page) => {
                let rows = check(page, self.levels, !self.begun)?;
                self.begun = true;
                self.count(rows)?;
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let page = self.pages.peek_next_page()?;
        if page.is_none() {
            self.end()?;
        }
        Ok(page)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if let Some(page) = self.pages.peek_next_page()?.filter(|page| !page.is_dict) {
            self.begun = true;
            let levels = page.num_levels.filter(|_| self.levels.0 == 0);
            self.count(page.num_rows.or(levels).map(|rows| rows as u64))?;
        }
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

fn wrong(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

/// Checks a page of data; gives how many rows begin in it, where its levels tell.
fn check(page: &Page, levels: (i16, i16), first: bool) -> Result<Option<u64>> {
    let outside = || wrong("the levels of a page lead beyond it");
    let (repetition, at) = match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let (start, end) =
                level_bytes(buf, 0, levels.0, *rep_level_encoding, *num_values).ok_or_else(outside)?;
            let (_, at) =
                level_bytes(buf, end, levels.1, *def_level_encoding, *num_values).ok_or_else(outside)?;
            let hybrid = *rep_level_encoding == Encoding::RLE;
            (buf.get(start..end).filter(|_| hybrid), at)
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let end = *rep_levels_byte_len as usize;
            (buf.get(..end), end.saturating_add(*def_levels_byte_len as usize))
        }
        Page::DictionaryPage { .. } => return Ok(Some(0)),
    };
    if let Some(levels_of_rows) = repetition.filter(|_| first && levels.0 > 0 && page.num_values() > 0)
        && first_level(levels_of_rows, levels.0) != Some(0)
    {
        return Err(wrong("the first value of a column chunk does not begin a row"));
    }
    let values = page.buffer().get(at..).ok_or_else(outside)?;
    check_lengths(page.encoding(), values, page.num_values())?;
    let count = page.num_values();
    Ok(match levels.0 {
        0 => Some(count.into()),
        max => repetition.and_then(|levels| zeros(levels, max, count)),
    })
}

/// How many of the first `count` levels in the hybrid of runs and packed bits are 0. `None` where there are
/// fewer levels.
fn zeros(mut bytes: &[u8], max: i16, count: u32) -> Option<u64> {
    let bits = level_bits(max) as usize;
    let (mut left, mut zeros) = (u64::from(count), 0);
    while left > 0 {
        let head = varint(&mut bytes)?;
        let (value, packed) = match head & 1 {
            0 => (true, bits.div_ceil(8)),
            // The last group may lack the bits behind its last level.
            _ => (false, usize::try_from(head >> 1).ok()?.checked_mul(bits)?.min(bytes.len())),
        };
        let (here, rest) = bytes.split_at_checked(packed)?;
        bytes = rest;
        let levels = if value { head >> 1 } else { (packed * 8 / bits) as u64 };
        let levels = levels.min(left);
        if value {
            zeros += if here.iter().all(|byte| *byte == 0) { levels } else { 0 };
        } else {
            let is_set = |bit: usize| here[bit / 8] >> (bit % 8) & 1 == 1;
            let is_zero = |level: &usize| !(level * bits..(level + 1) * bits).any(is_set);
            zeros += (0..levels as usize).filter(is_zero).count() as u64;
        }
        if levels == 0 && bytes.is_empty() {
            return None;
        }
        left -= levels;
    }
    Some(zeros)
}

/// Where the levels of a page of version 1 lie, behind their length.
fn level_bytes(buf: &Bytes, at: usize, max: i16, encoding: Encoding, values: u32) -> Option<(usize, usize)> {
    if max == 0 {
        return Some((at, at));
    }
    if encoding == Encoding::RLE {
        let length = buf.get(at..at.checked_add(4)?)?.first_chunk::<4>().copied()?;
        let start = at + 4;
        let end = start.checked_add(u32::from_le_bytes(length) as usize)?;
        return (end <= buf.len()).then_some((start, end));
    }
    // The old encoding, in which each level has as many bits as the largest needs.
    let bits = u64::from(level_bits(max)) * u64::from(values);
    let end = at.checked_add(usize::try_from(bits.div_ceil(8)).ok()?)?;
    (end <= buf.len()).then_some((at, end))
}

fn level_bits(max: i16) -> u32 {
    i16::BITS - max.leading_zeros()
}

/// The first of some levels in the hybrid of runs and packed bits.
fn first_level(mut bytes: &[u8], max: i16) -> Option<u32> {
    let head = varint(&mut bytes)?;
    let value = u32::from(*bytes.first()?) | u32::from(bytes.get(1).copied().unwrap_or(0)) << 8;
    let bits = level_bits(max);
    match head & 1 {
        // A run of one value in whole bytes.
        0 if bits <= 8 => Some(value & 0xff),
        0 => Some(value),
        _ => Some(value & ((1 << bits) - 1)),
    }
}

/// Checks how many lengths stand before texts.
fn check_lengths(encoding: Encoding, values: &[u8], count: u32) -> Result<()> {
    let lists = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // The lengths of what each text shares with the one before it, and those of the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    if values.is_empty() {
        // A page of nulls alone.
        return Ok(());
    }
    let mut rest = values;
    for _ in 0..lists {
        let lengths =
            pass_lengths(&mut rest).ok_or_else(|| wrong("the lengths of texts lead beyond a page"))?;
        if lengths > u64::from(count) {
            return Err(wrong(&format!("a page of {count} values says it has {lengths} lengths")));
        }
        if is_bomb(values.len() as u64, lengths * size_of::<i32>() as u64) {
            return Err(wrong(&format!("a page of {} bytes says it has {lengths} lengths", values.len())));
        }
    }
    Ok(())
}

/// Passes over integers in the encoding of differences (`DELTA_BINARY_PACKED` of the format's `Encodings.md`)
/// and says how many there are. The bits of miniblocks behind the last integer are not there.
fn pass_lengths(bytes: &mut &[u8]) -> Option<u64> {
    let (block, miniblocks, count) = (varint(bytes)?, varint(bytes)?, varint(bytes)?);
    varint(bytes)?;
    let mut left = count.saturating_sub(1);
    if left == 0 {
        return Some(count);
    }
    let size = block.checked_div(miniblocks).filter(|size| *size > 0)?;
    while left > 0 {
        varint(bytes)?;
        let widths = bytes.get(..usize::try_from(miniblocks).ok()?)?;
        *bytes = &bytes[widths.len()..];
        for width in widths {
            if left == 0 {
                break;
            }
            let packed = u64::from(*width).checked_mul(size)?.div_ceil(8);
            *bytes = bytes.get(usize::try_from(packed).ok()?..)?;
            left = left.saturating_sub(size);
        }
    }
    Some(count)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences in blocks of 128 with 4 miniblocks: so many integers, the widths of the first block, and
    /// the bytes of its miniblocks.
    fn lengths(count: &[u8], widths: [u8; 4], packed: usize) -> Vec<u8> {
        let head = [&[0x80, 1, 4], count, &[0, 0], &widths].concat();
        [head, vec![0; packed]].concat()
    }

    fn verdict(encoding: Encoding, values: &[u8], count: u32) -> String {
        check_lengths(encoding, values, count).map_or_else(|error| error.to_string(), |()| "good".to_owned())
    }

    #[test]
    fn counts_of_lengths_are_not_believed() {
        let length = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        assert_eq!(verdict(length, &lengths(&[3], [8, 0, 0, 0], 32), 3), "good");
        assert_eq!(verdict(length, &lengths(&[65], [0, 1, 0, 0], 4), 100), "good");
        assert!(
            verdict(length, &lengths(&[4], [8, 0, 0, 0], 32), 3).contains("3 values says it has 4 lengths")
        );
        assert!(verdict(length, &lengths(&[3], [8, 0, 0, 0], 31), 3).contains("lead beyond"));
        // One block of 2^40 integers without bits, as many as are claimed.
        let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
        assert!(verdict(length, &huge, u32::MAX).contains("15 bytes says it has 4294967295 lengths"));
        assert!(verdict(length, &[0x80, 1, 0, 9, 0], 9).contains("lead beyond"));
        assert_eq!(verdict(Encoding::PLAIN, &[0xff; 9], 1), "good");
    }

    #[test]
    fn both_lists_of_lengths_are_looked_at() {
        let both = |second: &[u8]| [lengths(&[2], [0; 4], 0), lengths(second, [0; 4], 0)].concat();
        assert_eq!(verdict(Encoding::DELTA_BYTE_ARRAY, &both(&[2]), 2), "good");
        assert!(verdict(Encoding::DELTA_BYTE_ARRAY, &both(&[9]), 2).contains("9 lengths"));
    }

    #[test]
    fn levels_that_begin_rows_are_counted() {
        assert_eq!(zeros(&[0x06, 0], 1, 3), Some(3));
        assert_eq!(zeros(&[0x06, 1, 0x04, 0], 1, 5), Some(2));
        // Eight levels of one bit: 0, 0, 1, 1, 0, 1, 1, 0; then as many of three, of which five count.
        assert_eq!(zeros(&[0x03, 0b0110_1100], 1, 8), Some(4));
        assert_eq!(zeros(&[0x03, 0b0100_0001, 0, 0b1000_0000], 7, 5), Some(3));
        assert_eq!(zeros(&[0x06, 0], 1, 4), None);
        assert_eq!(zeros(&[0, 0, 0, 0], 1, 4), None);
    }

    #[test]
    fn the_first_level_is_that_of_a_run_or_of_bits() {
        assert_eq!(first_level(&[0x06, 1], 1), Some(1));
        assert_eq!(first_level(&[0x06, 0], 1), Some(0));
        assert_eq!(first_level(&[0x03, 0b0110_1101], 7), Some(5));
        assert_eq!(first_level(&[0x06, 0, 1], 300), Some(256));
        assert_eq!(first_level(&[], 1), None);
    }
}
