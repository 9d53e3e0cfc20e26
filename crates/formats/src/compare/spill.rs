//! Provides rows cut by digest into temporaries, for tables that memory does not hold.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::interleave::interleave_record_batch;

use crate::error::{Error, Result};
use crate::table::Batches;

/// Pieces that each level cuts its rows into.
pub(super) const PIECES: usize = 32;

/// Bytes, and rows, that wait before they are cut: enough that each piece gets batches worth writing.
const PENDING_BYTES: usize = 8 << 20;
const PENDING_ROWS: usize = 1 << 16;

/// The piece of a digest on a level; levels use one byte each.
pub(super) fn piece(digest: &[u8], level: usize) -> usize {
    usize::from(digest[level]) % PIECES
}

/// Bytes that the rows of a batch take, whatever buffers they share with others.
pub(super) fn bytes_of(batch: &RecordBatch) -> Result<usize> {
    let sizes = batch.columns().iter().map(|array| array.to_data().get_slice_memory_size());
    sizes.sum::<Result<usize, ArrowError>>().map_err(|error| bug(&error))
}

/// Rows whose last column is a digest, going to temporaries by a byte of it.
pub(super) struct Pieces {
    dir: PathBuf,
    schema: SchemaRef,
    level: usize,
    pending: Vec<RecordBatch>,
    pending_bytes: usize,
    pending_rows: usize,
    files: Vec<Option<StreamWriter<BufWriter<File>>>>,
}

/// One piece; its file is gone once it is dropped.
pub(super) struct Piece(Option<File>, PathBuf);

impl Pieces {
    pub(super) fn new(dir: &Path, schema: &SchemaRef, level: usize) -> Self {
        Pieces {
            dir: dir.to_owned(),
            schema: schema.clone(),
            level,
            pending: Vec::new(),
            pending_bytes: 0,
            pending_rows: 0,
            files: (0..PIECES).map(|_| None).collect(),
        }
    }

    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.pending_bytes += bytes_of(&batch)?;
        self.pending_rows += batch.num_rows();
        self.pending.push(batch);
        if self.pending_bytes >= PENDING_BYTES || self.pending_rows >= PENDING_ROWS {
            self.cut()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Piece>> {
        self.cut()?;
        let dir = &self.dir;
        let close = |file: Option<StreamWriter<BufWriter<File>>>| {
            let Some(mut writer) = file else { return Ok(Piece(None, dir.clone())) };
            writer.finish().map_err(|error| io(dir, error))?;
            let buffer = writer.into_inner().map_err(|error| io(dir, error))?;
            let mut file = buffer.into_inner().map_err(|error| Error::io(dir, error.into_error()))?;
            file.seek(SeekFrom::Start(0)).map_err(|error| Error::io(dir, error))?;
            Ok(Piece(Some(file), dir.clone()))
        };
        self.files.into_iter().map(close).collect()
    }

    fn cut(&mut self) -> Result<()> {
        let mut rows: Vec<Vec<(usize, usize)>> = vec![Vec::new(); PIECES];
        for (index, batch) in self.pending.iter().enumerate() {
            let digests = digests(batch);
            for row in 0..batch.num_rows() {
                rows[piece(digests.value(row), self.level)].push((index, row));
            }
        }
        let batches: Vec<&RecordBatch> = self.pending.iter().collect();
        for (file, rows) in self.files.iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            if file.is_none() {
                let made = tempfile::tempfile_in(&self.dir).map_err(|error| Error::io(&self.dir, error))?;
                let writer = StreamWriter::try_new(BufWriter::new(made), &self.schema);
                *file = Some(writer.map_err(|error| io(&self.dir, error))?);
            }
            let batch = interleave_record_batch(&batches, &rows).map_err(|error| bug(&error))?;
            if let Some(writer) = file {
                writer.write(&batch).map_err(|error| io(&self.dir, error))?;
            }
        }
        self.pending.clear();
        (self.pending_bytes, self.pending_rows) = (0, 0);
        Ok(())
    }
}

impl Piece {
    pub(super) fn read(self) -> Result<Batches<'static>> {
        let Piece(Some(file), dir) = self else { return Ok(Box::new(std::iter::empty())) };
        let reader = StreamReader::try_new(BufReader::new(file), None).map_err(|error| io(&dir, error))?;
        Ok(Box::new(reader.map(move |batch| batch.map_err(|error| io(&dir, error)))))
    }
}

/// The digests of a batch: its last column.
pub(super) fn digests(batch: &RecordBatch) -> &arrow_array::FixedSizeBinaryArray {
    batch.column(batch.num_columns() - 1).as_fixed_size_binary()
}

/// Our own temporary cannot be malformed, so what goes wrong with it is the system's doing.
fn io(dir: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io(dir, error),
        error => Error::io(dir, std::io::Error::other(format!("a temporary for comparing: {error}"))),
    }
}

fn bug(error: &ArrowError) -> Error {
    Error::Bug(format!("cutting rows into pieces: {error}"))
}
