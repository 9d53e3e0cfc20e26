//! Provides the object container file: its header, and where its blocks lie.

use std::sync::Arc;

use super::NAME;
use super::codec::Codec;
use super::cursor::{Cursor, Fault, write_bytes, write_long};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{AVRO_BLOCK_BYTES_MAX, AVRO_EMPTY_VALUES_MAX, FOOTER_BYTES_MAX};
use crate::words::counted;

pub(super) const MAGIC: &[u8; 4] = b"Obj\x01";

/// Bytes in a sync marker.
pub(super) const SYNC_BYTES: usize = 16;

/// Bytes of the two integers before a block at most.
const BLOCK_HEAD_BYTES: usize = 20;

/// Source bytes between two entries of the index of blocks: an index of a terabyte stays below 20 MB.
const INDEX_STEP_BYTES: u64 = 1 << 20;

/// What stands before the blocks.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub schema: String,
    pub codec: Codec,
    /// Everything else, in the order of the file.
    pub metadata: Vec<(String, Vec<u8>)>,
    pub sync: [u8; SYNC_BYTES],
    /// Bytes of the header.
    pub length: u64,
}

/// The head of one block, and where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub rows: u64,
    /// Where the stored bytes begin.
    pub start: u64,
    /// How many there are.
    pub length: usize,
}

impl Block {
    /// Where the next block begins.
    pub(super) fn end(&self) -> u64 {
        self.start + (self.length + SYNC_BYTES) as u64
    }
}

fn malformed(at: u64, what: impl Into<String>) -> Error {
    Error::malformed(NAME, Place::at_byte(at), what)
}

impl Header {
    /// Reads the header of `file`.
    pub(super) fn read(file: &ObjectFile) -> Result<Self> {
        let mut wanted = 64u64 << 10;
        loop {
            let available = wanted.min(file.len());
            let mut bytes = vec![0; usize::try_from(available).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut bytes, 0)?;
            if !bytes.starts_with(MAGIC) {
                return Err(malformed(
                    0,
                    "the file does not begin with the Avro magic: it is not an Avro file",
                ));
            }
            let mut cursor = Cursor::new(&bytes, MAGIC.len(), 0);
            match Header::parse(&mut cursor) {
                Ok(header) => return header,
                // A header that is cut short by what was read so far: read more, as long as there is more.
                Err(_) if available < file.len() && available < FOOTER_BYTES_MAX => {
                    wanted = available.saturating_mul(8).min(FOOTER_BYTES_MAX);
                }
                Err(_) if available < file.len() => {
                    return Err(Error::Limit {
                        place: Box::new(Place::at_byte(0)),
                        what: "the size of the Avro header",
                        max: FOOTER_BYTES_MAX,
                        hint: "write the file again without large metadata".into(),
                    });
                }
                Err(fault) => return Err(malformed(fault.at as u64, fault.what)),
            }
        }
    }

    /// A fault is the fault of the bytes at hand; an error is one that more bytes cannot mend.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Result<Self>, Fault> {
        let (mut schema, mut codec) = (None, None);
        let mut metadata: Vec<(String, Vec<u8>)> = Vec::new();
        loop {
            let count = cursor.count()?;
            if count == 0 {
                break;
            }
            for _ in 0..count {
                let at = cursor.at() as u64;
                let Ok(key) = std::str::from_utf8(cursor.bytes()?) else {
                    return Ok(Err(malformed(at, "a key of the header is not UTF-8")));
                };
                let value = cursor.bytes()?;
                let slot = match key {
                    "avro.schema" => &mut schema,
                    "avro.codec" => &mut codec,
                    _ => {
                        metadata.push((key.to_owned(), value.to_vec()));
                        continue;
                    }
                };
                let Ok(text) = std::str::from_utf8(value) else {
                    return Ok(Err(malformed(at, format!("{key} is not UTF-8"))));
                };
                if slot.replace(text.to_owned()).is_some() {
                    return Ok(Err(malformed(at, format!("{key} stands twice in the header"))));
                }
            }
        }
        let mut sync = [0; SYNC_BYTES];
        sync.copy_from_slice(cursor.take(SYNC_BYTES)?);
        let length = cursor.at() as u64;
        let Some(schema) = schema else {
            return Ok(Err(malformed(MAGIC.len() as u64, "the header has no avro.schema")));
        };
        let codec = Codec::from_name(codec.as_deref().unwrap_or("null"));
        Ok(codec.map(|codec| Header { schema, codec, metadata, sync, length }))
    }

    /// The bytes of the header.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        write_long(&mut out, self.metadata.len() as i64 + 2);
        write_bytes(&mut out, b"avro.schema");
        write_bytes(&mut out, self.schema.as_bytes());
        write_bytes(&mut out, b"avro.codec");
        write_bytes(&mut out, self.codec.name().as_bytes());
        for (key, value) in &self.metadata {
            write_bytes(&mut out, key.as_bytes());
            write_bytes(&mut out, value);
        }
        out.push(0);
        out.extend_from_slice(&self.sync);
        out
    }
}

/// What stands before the stored bytes of a block, and the sync marker behind them.
pub(super) fn block_head(rows: u64, stored: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(BLOCK_HEAD_BYTES);
    write_long(&mut out, rows as i64);
    write_long(&mut out, stored as i64);
    out
}

/// Bytes of a block at most where a row may have so many.
pub(super) fn block_bytes_max(row_bytes_max: usize) -> usize {
    row_bytes_max.saturating_mul(2).min(AVRO_BLOCK_BYTES_MAX)
}

/// Reads the head of the block at `at`, which may have so many bytes. Every size is checked against the file
/// before anything is allocated.
pub(super) fn block_at(file: &ObjectFile, at: u64, bytes_max: usize) -> Result<Block> {
    let mut head = [0u8; BLOCK_HEAD_BYTES];
    let filled = file.read_at(&mut head, at)?;
    parse_head(&head[..filled], at, file.len(), bytes_max)
}

fn parse_head(head: &[u8], at: u64, file_length: u64, bytes_max: usize) -> Result<Block> {
    let mut cursor = Cursor::new(head, 0, 0);
    let fault = |fault: Fault| malformed(at + fault.at as u64, fault.what);
    let rows = cursor.long().map_err(fault)?;
    let length = cursor.long().map_err(fault)?;
    let (Ok(rows), Ok(length)) = (u64::try_from(rows), u64::try_from(length)) else {
        return Err(malformed(at, format!("a block of {rows} rows in {length} bytes")));
    };
    let start = at + cursor.at() as u64;
    let end = start.checked_add(length).and_then(|end| end.checked_add(SYNC_BYTES as u64));
    if end.is_none_or(|end| end > file_length) {
        let what = format!("a block says it has {length} bytes, and the file ends before: it is truncated");
        return Err(malformed(at, what));
    }
    match usize::try_from(length) {
        Ok(length) if length <= bytes_max => Ok(Block { rows, start, length }),
        _ => Err(too_large(at, bytes_max)),
    }
}

/// A block above the limit.
pub(super) fn too_large(at: u64, bytes_max: usize) -> Error {
    let or = if bytes_max < AVRO_BLOCK_BYTES_MAX { "give it more --memory, or " } else { "" };
    Error::Limit {
        place: Box::new(Place::at_byte(at)),
        what: "the size of an Avro block",
        max: bytes_max as u64,
        hint: format!("{or}write the file again with smaller blocks"),
    }
}

/// Where rows lie in the file: an entry for a block at least every [`INDEX_STEP_BYTES`].
#[derive(Debug)]
pub(super) struct Index {
    /// First row and offset of a block, in order; the last entry is the end of the file.
    entries: Vec<(u64, u64)>,
    /// Bytes of the largest block, as it is stored.
    pub(super) largest: u64,
}

impl Index {
    /// Walks all blocks. They must tile the file from the end of the header to its end, each with its sync
    /// marker.
    ///
    /// `row_bytes_min` is what a row takes at least; rows that take nothing are bounded in number. A block
    /// has `bytes_max` bytes at most.
    pub(super) fn walk(
        file: &Arc<ObjectFile>,
        header: &Header,
        row_bytes_min: usize,
        bytes_max: usize,
    ) -> Result<Self> {
        let (mut entries, mut largest) = (vec![(0, header.length)], 0);
        let (mut rows, mut at) = (0u64, header.length);
        // One read fetches the marker of a block and the head of the next one.
        let mut bytes = [0u8; SYNC_BYTES + BLOCK_HEAD_BYTES];
        let mut filled = file.read_at(&mut bytes[SYNC_BYTES..], at)?;
        while at < file.len() {
            let block = parse_head(&bytes[SYNC_BYTES..SYNC_BYTES + filled], at, file.len(), bytes_max)?;
            largest = largest.max(block.length as u64);
            if row_bytes_min == 0 && block.rows > AVRO_EMPTY_VALUES_MAX {
                return Err(Error::Limit {
                    place: Box::new(Place::at_byte(at)),
                    what: "the number of rows without bytes in an Avro block",
                    max: AVRO_EMPTY_VALUES_MAX,
                    hint: "write the file again with smaller blocks".into(),
                });
            }
            if block.rows == 0 && block.length > 0 {
                check_empty(file, header.codec, &block, bytes_max)?;
            }
            if rows_are_impossible(header.codec, &block, row_bytes_min) {
                let (rows, bytes) = (counted(block.rows, "row"), counted(block.length, "byte"));
                let hold = if block.length == 1 { "holds" } else { "hold" };
                let what = format!("a block says it has {rows}, more than {bytes} {hold}");
                return Err(malformed(at, what));
            }
            rows = rows
                .checked_add(block.rows)
                .ok_or_else(|| malformed(at, "the blocks hold more than 2^64 rows"))?;
            at = block.end();
            let got = file.read_at(&mut bytes, at - SYNC_BYTES as u64)?;
            if got < SYNC_BYTES {
                return Err(Error::Changed(file.path().to_owned()));
            }
            if bytes[..SYNC_BYTES] != header.sync {
                let what = "the bytes after a block are not the sync marker of the file";
                return Err(malformed(at - SYNC_BYTES as u64, what));
            }
            filled = got - SYNC_BYTES;
            let (_, last) = entries[entries.len() - 1];
            if at - last >= INDEX_STEP_BYTES {
                entries.push((rows, at));
            }
        }
        if entries.last() != Some(&(rows, at)) {
            entries.push((rows, at));
        }
        Ok(Index { entries, largest })
    }

    /// Rows of the file.
    pub(super) fn rows(&self) -> u64 {
        self.entries.last().map_or(0, |(rows, _)| *rows)
    }

    /// A block at or before `row`, as its first row and offset.
    pub(super) fn before(&self, row: u64) -> (u64, u64) {
        let at = self.entries.partition_point(|(first, _)| *first <= row);
        self.entries[at.saturating_sub(1)]
    }

    /// The offset of a block at or after the one that ends before `row`.
    pub(super) fn after(&self, row: u64) -> u64 {
        let at = self.entries.partition_point(|(first, _)| *first < row);
        self.entries[at.min(self.entries.len() - 1)].1
    }
}

/// No decoder ever asks for a block without rows, so that it holds nothing is checked here.
fn check_empty(file: &ObjectFile, codec: Codec, block: &Block, bytes_max: usize) -> Result<()> {
    let mut stored = vec![0; block.length];
    file.read_exact_at(&mut stored, block.start)?;
    match codec.decompress(stored, bytes_max) {
        Ok(bytes) if bytes.is_empty() => Ok(()),
        _ => Err(malformed(block.start, "a block without rows has bytes")),
    }
}

/// Whether a block that is not compressed claims more rows than its bytes can hold.
fn rows_are_impossible(codec: Codec, block: &Block, row_bytes_min: usize) -> bool {
    codec == Codec::Null && row_bytes_min > 0 && block.rows > (block.length / row_bytes_min) as u64
}
