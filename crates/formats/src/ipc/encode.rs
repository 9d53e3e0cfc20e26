//! Provides [`ArrowEncoder`]. A part is a run of record batch messages, which hold no positions; the footer
//! of a file lists where they came to lie.

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::IpcSchemaEncoder;
use arrow_ipc::writer::{IpcWriteOptions, StreamEncoder};
use arrow_ipc::{Block, CompressionType, FooterBuilder, MetadataVersion};
use arrow_schema::{ArrowError, SchemaRef};

use super::{CONTINUATION, MAGIC};
use crate::error::{Error, Result};
use crate::pieces::Pieces;
use crate::table::{Encoded, PartEncoder, Placed, TableEncoder, rows_bytes};

/// Bytes to which messages are aligned, so that readers can map a file and use its buffers in place.
const ALIGNMENT: usize = 64;

/// Continuation marker and length zero: the end of the stream.
const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Bytes of a message before its metadata: the continuation marker and a length.
const PREFIX_BYTES: usize = 8;

/// Rows in a message: large enough that its metadata does not weigh, small enough to stay in cache.
const MESSAGE_ROWS: usize = 65_536;

/// Bytes of values in a message, about: readers hold a message whole.
const MESSAGE_BYTES: usize = 16 << 20;

/// Compression of message bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyCompression {
    /// Not at all: readers can use the buffers in place.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// What a person may choose about an Arrow target.
#[derive(Debug, Clone, Default)]
pub struct ArrowOptions {
    /// Whether the target is a stream, without footer.
    pub stream: bool,
    /// Compression of message bodies.
    pub compression: BodyCompression,
}

/// Encodes parts of an Arrow IPC file or stream.
pub struct ArrowEncoder {
    schema: SchemaRef,
    options: ArrowOptions,
}

fn write_failed(error: ArrowError) -> Error {
    Error::Bug(format!("writing Arrow IPC: {error}"))
}

impl ArrowEncoder {
    /// An encoder for tables of this schema.
    pub fn new(schema: SchemaRef, options: ArrowOptions) -> Self {
        ArrowEncoder { schema, options }
    }

    fn write_options(&self) -> Result<IpcWriteOptions> {
        let compression = match self.options.compression {
            BodyCompression::None => None,
            BodyCompression::Lz4 => Some(CompressionType::LZ4_FRAME),
            BodyCompression::Zstd => Some(CompressionType::ZSTD),
        };
        IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
            .and_then(|options| options.try_with_compression(compression))
            .map_err(write_failed)
    }

    fn encoder(&self) -> Result<StreamEncoder> {
        StreamEncoder::try_new_with_options(&self.schema, self.write_options()?).map_err(write_failed)
    }

    /// The schema message.
    fn schema_message(&self) -> Result<Vec<u8>> {
        let mut bytes = concat(&self.encoder()?.finish().map_err(write_failed)?);
        let end = bytes.len().saturating_sub(END_OF_STREAM.len());
        bytes.truncate(end);
        Ok(bytes)
    }
}

impl TableEncoder for ArrowEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if !self.options.stream {
            bytes.extend_from_slice(MAGIC);
            bytes.resize(ALIGNMENT, 0);
        }
        bytes.extend(self.schema_message()?);
        Ok(bytes)
    }

    fn part(&self, _first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        let skip = self.schema_message()?.len();
        Ok(Box::new(Part {
            encoder: self.encoder()?,
            skip,
            rows: 0,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            bytes: Pieces::default(),
            sidecar: Vec::new(),
        }))
    }

    fn footer(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        let mut bytes = END_OF_STREAM.to_vec();
        if self.options.stream {
            return Ok(bytes);
        }
        let mut blocks = Vec::new();
        for part in placed {
            let mut at = part.bytes.start;
            for entry in part.sidecar.as_chunks::<16>().0 {
                let (meta, body) = (field(entry, 0), field(entry, 8));
                blocks.push(Block::new(at as i64, meta as i32, body as i64));
                at += meta + body;
            }
        }
        let mut builder = flatbuffers::FlatBufferBuilder::new();
        let dictionaries = builder.create_vector::<Block>(&[]);
        let batches = builder.create_vector(&blocks);
        let schema = IpcSchemaEncoder::new().schema_to_fb_offset(&mut builder, &self.schema);
        let mut footer = FooterBuilder::new(&mut builder);
        footer.add_version(MetadataVersion::V5);
        footer.add_schema(schema);
        footer.add_dictionaries(dictionaries);
        footer.add_recordBatches(batches);
        let root = footer.finish();
        builder.finish(root, None);
        let footer = builder.finished_data();
        bytes.extend_from_slice(footer);
        bytes.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        Ok(bytes)
    }
}

fn field(entry: &[u8; 16], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&entry[at..at + 8]);
    u64::from_le_bytes(word)
}

fn concat(buffers: &[Buffer]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(buffers.iter().map(Buffer::len).sum());
    for buffer in buffers {
        bytes.extend_from_slice(buffer);
    }
    bytes
}

struct Part {
    encoder: StreamEncoder,
    /// Bytes of the schema message, which the encoder puts before the first batch.
    skip: usize,
    rows: u64,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    bytes: Pieces,
    /// Sizes of metadata and body of each message, as pairs of little-endian u64.
    sidecar: Vec<u8>,
}

impl Part {
    fn write_waiting(&mut self) -> Result<()> {
        let Some(first) = self.waiting.first() else { return Ok(()) };
        let batch =
            arrow_select::concat::concat_batches(&first.schema(), &self.waiting).map_err(write_failed)?;
        self.waiting.clear();
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let buffers = self.encoder.encode(&batch).map_err(write_failed)?;
        let mut skip = std::mem::take(&mut self.skip);
        let (mut prefix, mut length) = (Vec::with_capacity(PREFIX_BYTES), 0);
        for buffer in &buffers {
            let skipped = skip.min(buffer.len());
            skip -= skipped;
            let bytes = &buffer[skipped..];
            prefix.extend_from_slice(&bytes[..bytes.len().min(PREFIX_BYTES - prefix.len())]);
            length += bytes.len() as u64;
            self.bytes.extend_from_slice(bytes)?;
        }
        let (Some(&[a, b, c, d]), true) =
            (prefix.get(4..).and_then(<[u8]>::first_chunk), prefix.starts_with(&CONTINUATION))
        else {
            return Err(Error::Bug("an Arrow message without its prefix".into()));
        };
        let meta = u64::from(u32::from_le_bytes([a, b, c, d])) + 8;
        let body = length - meta;
        self.sidecar.extend_from_slice(&meta.to_le_bytes());
        self.sidecar.extend_from_slice(&body.to_le_bytes());
        Ok(())
    }
}

impl PartEncoder for Part {
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.waiting_rows += batch.num_rows();
        self.waiting_bytes += rows_bytes(batch)?;
        self.waiting.push(batch.clone());
        let full = self.waiting_rows >= MESSAGE_ROWS || self.waiting_bytes >= MESSAGE_BYTES;
        if full { self.write_waiting() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        self.write_waiting()?;
        Ok(Encoded { rows: self.rows, bytes: self.bytes, sidecar: self.sidecar })
    }
}
