//! Provides [`AvroEncoder`]: parts are runs of blocks under a sync marker that follows from the schema.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, SchemaRef};

use super::codec::Codec;
use super::container::{Header, SYNC_BYTES, block_head};
use super::schema_json;
use super::values::Cells;
use crate::carry::{Carrier, RECORD_KEY};
use crate::error::{Error, Result};
use crate::limits::{AVRO_BLOCK_BYTES_MAX, CHUNK_ROWS, LONG_BUFFER_BYTES_MIN};
use crate::pieces::Pieces;
use crate::table::{Encoded, PartEncoder, Placed, TableEncoder, rows_bytes};

/// Bytes after which a block is closed: enough for a codec to find repetitions, little for a reader to hold.
const BLOCK_BYTES: usize = 256 << 10;

/// What a person may choose about an Avro target.
#[derive(Debug, Clone)]
pub struct AvroOptions {
    /// Compression of blocks.
    pub codec: Codec,
    /// Key-value metadata of the file.
    pub metadata: Vec<(String, String)>,
}

/// Deflate, which the format asks every reader to know.
impl Default for AvroOptions {
    fn default() -> Self {
        AvroOptions { codec: Codec::Deflate(6), metadata: Vec::new() }
    }
}

/// Encodes parts of an Avro file.
#[derive(Debug)]
pub struct AvroEncoder {
    carrier: Carrier,
    header: Header,
}

impl AvroEncoder {
    /// An encoder for tables of the plain schema `logical`; types and names that Avro lacks are mapped.
    ///
    /// # Errors
    /// A type that the table of types refuses; a compression level outside its range; metadata under a key
    /// that Avro or this library keeps for itself.
    pub fn new(logical: &SchemaRef, options: &AvroOptions) -> Result<Self> {
        options.codec.check()?;
        let carrier = Carrier::plan("avro", logical)?;
        let schema = schema_json::to_json(carrier.physical())?;
        let mut metadata: Vec<(String, Vec<u8>)> = Vec::new();
        if let Some(record) = carrier.record() {
            metadata.push((RECORD_KEY.to_owned(), record.into_bytes()));
        }
        for (key, value) in &options.metadata {
            if key.starts_with("avro.") || key == RECORD_KEY {
                return Err(Error::Misuse(format!("the metadata key {key:?} is kept for the format itself")));
            }
            metadata.push((key.clone(), value.clone().into_bytes()));
        }
        let sync = sync_marker(&schema, options.codec);
        Ok(AvroEncoder {
            carrier,
            header: Header { schema, codec: options.codec, metadata, sync, length: 0 },
        })
    }

    /// How types that Avro lacks are held.
    pub fn carrier(&self) -> &Carrier {
        &self.carrier
    }
}

/// The marker must be unlikely in data; nothing asks for it to differ between files of one schema.
fn sync_marker(schema: &str, codec: Codec) -> [u8; SYNC_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"isoform avro sync marker\0");
    hasher.update(codec.name().as_bytes());
    hasher.update(b"\0");
    hasher.update(schema.as_bytes());
    let mut sync = [0; SYNC_BYTES];
    sync.copy_from_slice(&hasher.finalize().as_bytes()[..SYNC_BYTES]);
    sync
}

impl TableEncoder for AvroEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        Ok(self.header.write())
    }

    fn part(&self, first_row: u64) -> Result<Box<dyn PartEncoder + '_>> {
        let (block, bytes) = (Vec::new(), Pieces::default());
        Ok(Box::new(Part { encoder: self, block, block_rows: 0, first_row, rows: 0, bytes }))
    }

    fn footer(&self, _placed: &[Placed]) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

struct Part<'a> {
    encoder: &'a AvroEncoder,
    block: Vec<u8>,
    block_rows: u64,
    /// Row of the table with which the part begins.
    first_row: u64,
    rows: u64,
    bytes: Pieces,
}

impl Part<'_> {
    /// Errors: `Limit` where the block is longer than readers take, which only its last row can make it.
    fn close_block(&mut self) -> Result<()> {
        let too_long = || Error::too_long_to_read(self.first_row + self.rows, AVRO_BLOCK_BYTES_MAX);
        if self.block.len() > AVRO_BLOCK_BYTES_MAX {
            return Err(too_long());
        }
        let header = &self.encoder.header;
        let mut stored = header.codec.compress(&self.block)?;
        match self.block.len() < LONG_BUFFER_BYTES_MIN {
            true => self.block.clear(),
            false => self.block = Vec::new(),
        }
        if stored.len() > AVRO_BLOCK_BYTES_MAX {
            return Err(too_long());
        }
        self.bytes.extend_from_slice(&block_head(self.block_rows, stored.len()))?;
        self.bytes.drain(&mut stored)?;
        self.bytes.extend_from_slice(&header.sync)?;
        self.block_rows = 0;
        Ok(())
    }
}

impl PartEncoder for Part<'_> {
    /// Blocks end where their bytes say so, never where a batch ends: the same rows make the same bytes.
    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let row = self.first_row + self.rows;
        let batch = self.encoder.carrier.to_physical(batch).map_err(|error| error.rows_before(row))?;
        let fields: Vec<&Arc<Field>> = self.encoder.carrier.physical().fields().iter().collect();
        let columns = batch.columns().iter().zip(fields);
        let columns = columns.map(|(array, field)| Cells::new(array, field)).collect::<Result<Vec<_>>>()?;
        let bytes = rows_bytes(&batch)?;
        if bytes / batch.num_rows().max(1) >= LONG_BUFFER_BYTES_MIN {
            // Room that is not filled takes no memory, and moving to larger room takes it twice.
            self.block.reserve(bytes);
        }
        for row in 0..batch.num_rows() {
            columns.iter().for_each(|column| column.write(row, &mut self.block));
            self.block_rows += 1;
            self.rows += 1;
            if self.block.len() >= BLOCK_BYTES || self.block_rows == CHUNK_ROWS {
                self.close_block()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Encoded> {
        if self.block_rows > 0 {
            self.close_block()?;
        }
        Ok(Encoded { rows: self.rows, bytes: self.bytes, sidecar: Vec::new() })
    }
}
