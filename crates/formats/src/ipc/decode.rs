//! Provides [`ArrowSource`]: rows of an Arrow IPC file or stream, by range.
//!
//! A stream is walked once from message to message, which gives what the footer of a file would give.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{
    Block, MessageHeader, MetadataVersion, Schema, root_as_footer_with_opts, root_as_message_with_opts,
};
use arrow_schema::{ArrowError, SchemaRef};

use super::{CONTINUATION, MAGIC, NAME, refuse_wide, verifier};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::guard::guarded;
use crate::limits::{BATCH_BYTES, BATCH_ROWS, BOMB_RATIO_MAX, FOOTER_BYTES_MAX, SHARED_BATCH_BYTES, is_bomb};
use crate::table::{Batches, TableSource};
use crate::{normal, spread};

/// One message: where it lies, and how many rows it adds.
#[derive(Debug, Clone, Copy)]
struct Message {
    at: u64,
    meta: u64,
    body: u64,
    /// `None` for a dictionary.
    rows: Option<u64>,
    version: MetadataVersion,
    /// What its compressed buffers claim to hold.
    claimed: u64,
}

impl Message {
    fn end(&self) -> u64 {
        self.at + self.meta + self.body
    }
}

/// An Arrow IPC file or stream as a table.
pub struct ArrowSource {
    file: Arc<ObjectFile>,
    /// As the file holds it, with dictionaries and views.
    held: SchemaRef,
    schema: SchemaRef,
    version: MetadataVersion,
    /// In file order, dictionaries before the batches that use them.
    messages: Vec<Message>,
    /// First row of each record batch, and the number of rows at the end.
    starts: Vec<u64>,
    /// The parts of the file that are not messages of `messages`.
    frame: Vec<Range<u64>>,
    /// Whether it is a stream that just stops.
    open_ended: bool,
}

/// Bytes of a message that is taken for a large one.
const LARGE_BYTES: usize = 32 << 20;

/// The magic of a file, padded to the alignment of messages.
const PADDED_MAGIC_BYTES: u64 = 8;

/// What follows the first line of a fault of the library is its way through its own tables.
fn malformed(at: u64, what: impl Into<String>) -> Error {
    let what: String = what.into();
    Error::malformed(NAME, Place::at_byte(at), what.lines().next().unwrap_or_default().trim_end_matches('.'))
}

fn from_library(at: u64) -> impl Fn(ArrowError) -> Error {
    move |error| malformed(at, error.to_string())
}

impl ArrowSource {
    /// Reads the footer of a file, or walks a stream.
    ///
    /// # Errors
    /// Malformed bytes; metadata above [`FOOTER_BYTES_MAX`]; a column type that has no place in a table.
    pub fn open(file: Arc<ObjectFile>) -> Result<Self> {
        let mut magic = [0u8; 6];
        let is_file = file.read_at(&mut magic, 0)? == 6 && &magic == MAGIC;
        let opened = guarded(NAME, || if is_file { open_file(file) } else { open_stream(file) });
        let mut source = opened.map_err(|error| error.or_at(0))?;
        source.schema = normal::schema(&source.held)?;
        let mut rows = 0u64;
        source.starts.push(0);
        for message in &source.messages {
            if let Some(more) = message.rows {
                rows = rows.checked_add(more).ok_or_else(|| malformed(message.at, "more than 2^64 rows"))?;
                source.starts.push(rows);
            }
        }
        Ok(source)
    }

    fn read(&self, message: &Message) -> Result<(Block, Buffer)> {
        check_packed(message)?;
        let size = (message.meta + message.body) as usize;
        let mut bytes = match size {
            0..LARGE_BYTES => vec![0; size],
            // In whole steps, so that the memory of one large message does for the next.
            _ => {
                let mut bytes = Vec::with_capacity(size.next_multiple_of(LARGE_BYTES));
                bytes.resize(size, 0);
                bytes
            }
        };
        self.file.read_exact_at(&mut bytes, message.at)?;
        Ok((Block::new(message.at as i64, message.meta as i32, message.body as i64), Buffer::from_vec(bytes)))
    }
}

/// Checks what the compressed buffers of a message claim to hold, before the library takes memory for it.
fn check_packed(message: &Message) -> Result<()> {
    if is_bomb(message.body, message.claimed) {
        return Err(Error::Limit {
            place: Box::new(Place::at_byte(message.at)),
            what: "expansion ratio of a large Arrow message",
            max: BOMB_RATIO_MAX,
            hint: "write the file again with smaller batches if the source is trusted".into(),
        });
    }
    Ok(())
}

/// Bytes of the prefix of the message at `at`, and those of the metadata behind it, which are none at the end
/// of a stream. `None` where the file ends. Before format version 0.15 the length stood alone.
fn prefix_at(file: &ObjectFile, at: u64) -> Result<Option<(u64, u64)>> {
    let mut prefix = [0u8; 8];
    let got = file.read_at(&mut prefix, at)?;
    let [a, b, c, d, length @ ..] = prefix;
    match got {
        0 => Ok(None),
        8 if [a, b, c, d] == CONTINUATION => Ok(Some((8, u64::from(u32::from_le_bytes(length))))),
        4.. if [a, b, c, d] != CONTINUATION => Ok(Some((4, u64::from(u32::from_le_bytes([a, b, c, d]))))),
        _ => Err(malformed(at, "the stream ends inside the prefix of a message: it is truncated")),
    }
}

/// The message at `at`: its length, kind and rows. `None` at the end of a stream.
fn message_at(file: &ObjectFile, at: u64) -> Result<Option<(Message, MessageHeader, Vec<u8>)>> {
    let (prefix, length) = match prefix_at(file, at)? {
        None | Some((_, 0)) => return Ok(None),
        Some(found) => found,
    };
    // Without the marker, a length that cannot be is none.
    let fault = |at: u64, what: String| match prefix {
        4 => malformed(at, "no message starts here"),
        _ => malformed(at, what),
    };
    if length > FOOTER_BYTES_MAX.min(file.len() - at - prefix) {
        let what = format!("message metadata of {length} bytes does not fit: the file is truncated");
        return Err(fault(at, what));
    }
    let mut metadata = vec![0; length as usize];
    file.read_exact_at(&mut metadata, at + prefix)?;
    let message = root_as_message_with_opts(&verifier(), &metadata)
        .map_err(|error| fault(at + prefix, error.to_string()))?;
    let body = u64::try_from(message.bodyLength()).unwrap_or(u64::MAX);
    let meta = length + prefix;
    if body > file.len() - at - meta {
        return Err(malformed(
            at,
            format!("message body of {body} bytes does not fit: the file is truncated"),
        ));
    }
    let kind = message.header_type();
    let rows = match message.header_as_record_batch() {
        Some(batch) => {
            Some(u64::try_from(batch.length()).map_err(|_| malformed(at, "a negative number of rows"))?)
        }
        None => None,
    };
    let version = message.version();
    let claimed = claimed(file, &message, at + meta..at + meta + body)?;
    Ok(Some((Message { at, meta, body, rows, version, claimed }, kind, metadata)))
}

/// What the compressed buffers of a message claim to hold. The length stands before the bytes of each; -1
/// says that they are not compressed.
fn claimed(file: &ObjectFile, message: &arrow_ipc::Message<'_>, body: Range<u64>) -> Result<u64> {
    let batch = match message.header_as_dictionary_batch() {
        Some(dictionary) => dictionary.data(),
        None => message.header_as_record_batch(),
    };
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(0) };
    let mut held = 0u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let mut length = [0; 8];
        let start = u64::try_from(buffer.offset()).ok().and_then(|offset| body.start.checked_add(offset));
        if buffer.length() < 8 {
            continue;
        }
        let start = start.filter(|start| *start < body.end && body.end - *start >= 8);
        let start =
            start.ok_or_else(|| malformed(body.start, "a buffer of this message lies outside of it"))?;
        file.read_exact_at(&mut length, start)?;
        held = held.saturating_add(u64::try_from(i64::from_le_bytes(length)).unwrap_or(0));
    }
    Ok(held)
}

fn open_stream(file: Arc<ObjectFile>) -> Result<ArrowSource> {
    let Some((first, MessageHeader::Schema, metadata)) = message_at(&file, 0)? else {
        return Err(malformed(0, "an Arrow stream begins with its schema; this does not"));
    };
    let message =
        root_as_message_with_opts(&verifier(), &metadata).map_err(|error| malformed(8, error.to_string()))?;
    let schema = message.header_as_schema().ok_or_else(|| malformed(8, "a schema message without schema"))?;
    let held = held(schema, 8)?;
    let mut messages: Vec<Message> = Vec::new();
    let mut at = first.end();
    while let Some((message, kind, _)) = message_at(&file, at)? {
        match kind {
            MessageHeader::RecordBatch | MessageHeader::DictionaryBatch => messages.push(message),
            other => return Err(malformed(at, format!("a message of kind {other:?} inside a stream"))),
        }
        at = message.end();
    }
    let mark = prefix_at(&file, at)?;
    let end = at + mark.map_or(0, |(prefix, _)| prefix);
    if file.len() > end {
        return Err(malformed(end, "bytes follow the end of the stream"));
    }
    let version = message.version();
    let frame = vec![0..first.end(), at..file.len()];
    let (schema, starts, open_ended) = (held.clone(), Vec::new(), mark.is_none());
    Ok(ArrowSource { file, schema, held, version, messages, starts, frame, open_ended })
}

fn open_file(file: Arc<ObjectFile>) -> Result<ArrowSource> {
    let short = || malformed(0, "the file is too short to hold an Arrow footer: it is truncated");
    let tail_at = file.len().checked_sub(10).filter(|at| *at >= 8).ok_or_else(short)?;
    let mut tail = [0u8; 10];
    file.read_exact_at(&mut tail, tail_at)?;
    if &tail[4..] != MAGIC {
        return Err(malformed(tail_at + 4, "the file does not end with the Arrow magic: it is truncated"));
    }
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if length > FOOTER_BYTES_MAX.min(tail_at - 8) {
        return Err(malformed(tail_at, format!("the footer says it has {length} bytes, which cannot be")));
    }
    let footer_at = tail_at - length;
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, footer_at)?;
    let footer = root_as_footer_with_opts(&verifier(), &bytes)
        .map_err(|error| malformed(footer_at, error.to_string()))?;
    let schema = footer.schema().ok_or_else(|| malformed(footer_at, "the footer holds no schema"))?;
    let held = held(schema, footer_at)?;
    let mut messages = Vec::new();
    let blocks =
        footer.dictionaries().into_iter().flatten().map(|block| (block, MessageHeader::DictionaryBatch));
    let batches = footer.recordBatches().into_iter().flatten();
    for (block, kind) in blocks.chain(batches.map(|block| (block, MessageHeader::RecordBatch))) {
        let at = u64::try_from(block.offset()).ok().filter(|at| *at < footer_at);
        let at = at.ok_or_else(|| malformed(footer_at, "a block of the footer lies outside the file"))?;
        match message_at(&file, at)? {
            Some((message, found, _)) if found == kind && message.end() <= footer_at => {
                messages.push(message)
            }
            _ => return Err(malformed(at, "the footer points here, but no such message starts here")),
        }
    }
    // Some writers give the footer another version than the messages, which is the one that counts.
    let version = messages.first().map_or(footer.version(), |message| message.version);
    let first = messages.iter().map(|message| message.at).min().unwrap_or(footer_at - 8);
    let frame = frame_of_file(&file, first, footer_at, &held)?;
    let (schema, starts, open_ended) = (held.clone(), Vec::new(), false);
    Ok(ArrowSource { file, schema, held, version, messages, starts, frame, open_ended })
}

/// The schema as the file holds it.
fn held(schema: Schema<'_>, at: u64) -> Result<SchemaRef> {
    if !schema.endianness().equals_to_target_endianness() {
        let what = "the values are in the byte order of another kind of machine";
        let hint = "write the file again on a machine of this kind";
        return Err(Error::unsupported(Place::at_byte(at), what, hint));
    }
    refuse_wide(schema)?;
    guarded(NAME, || Ok(Arc::new(fb_to_schema(schema)))).map_err(|error| error.or_at(at))
}

/// Magic with padding, schema message, end-of-stream marker with footer. `first` is where the first of the
/// other messages begins, or the marker.
fn frame_of_file(file: &ObjectFile, first: u64, footer_at: u64, held: &SchemaRef) -> Result<Vec<Range<u64>>> {
    let mut start = vec![0u8; 72.min(file.len() as usize)];
    file.read_exact_at(&mut start, 0)?;
    let after = &start[MAGIC.len()..];
    let padding = after.iter().take_while(|byte| **byte == 0).count();
    let schema_at = (MAGIC.len() + padding) as u64;
    let prefixed = after[padding..].starts_with(&CONTINUATION);
    let end = match message_at(file, schema_at) {
        Err(_) if !prefixed && is_bare_schema(file, PADDED_MAGIC_BYTES..first, held)? => first,
        found => found?.map_or(schema_at, |(message, ..)| message.end()),
    };
    Ok(vec![0..end, footer_at - 8..file.len()])
}

/// Whether these bytes are a message with the schema of the footer that lacks the prefix of a message, as
/// Polars 2.1 writes it. No reader looks at it, since the footer holds the same.
fn is_bare_schema(file: &ObjectFile, bytes: Range<u64>, held: &SchemaRef) -> Result<bool> {
    let length = bytes.end.saturating_sub(bytes.start);
    if length > FOOTER_BYTES_MAX {
        return Ok(false);
    }
    let mut metadata = vec![0; length as usize];
    file.read_exact_at(&mut metadata, bytes.start)?;
    let Ok(message) = root_as_message_with_opts(&verifier(), &metadata) else { return Ok(false) };
    Ok(message.header_as_schema().is_some_and(|schema| fb_to_schema(schema) == **held))
}

impl TableSource for ArrowSource {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        let mut row = 0;
        let (mut start, mut end) = (u64::MAX, 0);
        for message in &self.messages {
            let Some(more) = message.rows else { continue };
            if row < rows.end && row + more > rows.start {
                start = start.min(message.at);
                end = end.max(message.end());
            }
            row += more;
        }
        start.min(end)..end
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let decoder = FileDecoder::new(self.held.clone(), self.version);
        Ok(Box::new(Reader { source: self, decoder, next: 0, row: 0, rows, current: None, step: BATCH_ROWS }))
    }

    /// A message is read whole, and its compressed buffers are unpacked beside it. What is not believed of
    /// them is refused when it is read.
    fn held_bytes(&self) -> u64 {
        let held = |message: &Message| {
            let claimed = if is_bomb(message.body, message.claimed) { 0 } else { message.claimed };
            (message.meta + message.body).saturating_add(claimed)
        };
        self.messages.iter().map(held).max().unwrap_or(0)
    }

    /// The end of a stream may be marked or not (Columnar format, "IPC Streaming Format").
    fn notes(&self) -> Vec<String> {
        let note = "the stream has no mark at its end: if it was cut between two batches, rows are missing";
        self.open_ended.then(|| note.to_owned()).into_iter().chain(normal::orders(&self.held)).collect()
    }

    fn check_structure(&self) -> Result<()> {
        let mut ranges = self.frame.clone();
        ranges.extend(self.messages.iter().map(|message| message.at..message.end()));
        ranges.sort_by_key(|range| (range.start, range.end));
        for pair in ranges.windows(2) {
            if pair[0].end != pair[1].start {
                let what = format!("bytes {} to {} belong to nothing", pair[0].end, pair[1].start);
                return Err(malformed(pair[0].end, what));
            }
        }
        Ok(())
    }
}

/// Walks the messages once: dictionaries are always taken, batches only where they hold wanted rows.
struct Reader<'a> {
    source: &'a ArrowSource,
    decoder: FileDecoder,
    next: usize,
    /// First row of the next batch.
    row: u64,
    rows: Range<u64>,
    current: Option<RecordBatch>,
    /// Rows of it that are given out at once.
    step: usize,
}

impl Reader<'_> {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.current.take() {
                let before = self.row.min(self.rows.end) - batch.num_rows() as u64;
                let step = batch.num_rows().min(self.step);
                let spread = guarded(NAME, || {
                    let step = spread::rows_within(&batch, step, SHARED_BATCH_BYTES as u64)?;
                    Ok((step, spread::compacted(&batch.slice(0, step))?))
                });
                let (step, head) = spread.map_err(|error| error.at_row(before + 1))?;
                if batch.num_rows() > step {
                    self.current = Some(batch.slice(step, batch.num_rows() - step));
                }
                let plain = normal::batch(&head, &self.source.schema);
                return plain.map(Some).map_err(|error| error.rows_before(before));
            }
            let Some(message) = self.source.messages.get(self.next) else { return Ok(None) };
            self.next += 1;
            let Some(rows) = message.rows else {
                let (block, buffer) = self.source.read(message)?;
                guarded(NAME, || {
                    self.decoder.read_dictionary(&block, &buffer).map_err(from_library(message.at))
                })
                .map_err(|error| error.or_at(message.at))?;
                continue;
            };
            let (start, end) = (self.row, self.row + rows);
            self.row = end;
            if start >= self.rows.end {
                return Ok(None);
            }
            if end <= self.rows.start {
                continue;
            }
            let batch = self.read_batch(message, rows)?;
            let width = message.claimed.max(message.body) / rows.max(1);
            self.step = (4 * BATCH_BYTES / width.max(1) as usize).clamp(1, BATCH_ROWS);
            let from = self.rows.start.saturating_sub(start);
            let to = self.rows.end.min(end) - start;
            self.current =
                Some(batch.slice(from as usize, (to - from) as usize)).filter(|batch| batch.num_rows() > 0);
        }
    }

    fn read_batch(&self, message: &Message, rows: u64) -> Result<RecordBatch> {
        let (block, buffer) = self.source.read(message)?;
        let batch = guarded(NAME, || {
            self.decoder.read_record_batch(&block, &buffer).map_err(from_library(message.at))
        });
        let batch = batch.map_err(|error| error.or_at(message.at))?;
        batch
            .filter(|batch| batch.num_rows() as u64 == rows)
            .ok_or_else(|| malformed(message.at, "the record batch does not hold the rows it declares"))
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
