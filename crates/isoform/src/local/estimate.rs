//! Provides what a conversion will come to, estimated by doing a part of it: sample parts are converted by
//! the real encoder, read back, and scaled to the whole. Where all parts fit into the sample the size is not
//! an estimate.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coherence::schema::Schema;
use formats::bytes::Outlet;
use formats::convert::convert_part;
use formats::file::ObjectFile;
use formats::open::open_written;
use formats::table::{Encoded, Placed, TableSource};
use formats::write::{Encoder, WriteOptions};

use super::{hash_object, memory, reread, stopped};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Bytes of the parts that are converted as a sample at most, if one part is not larger: a second's work.
/// They are those of the source where it is text, and else those of the values.
const SAMPLE_BYTES_MAX: u64 = 48 << 20;

/// Factor by which the size may be wrong where the rest of the table is like the sample; tested.
pub const SIZE_FACTOR: f64 = 1.5;

/// What an estimate rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// So many parts, of how many, that were converted and read back.
    Parts(usize, usize),
    /// The first seconds of a sound, of how many, that were coded, read back and measured.
    Seconds(f64, f64),
    /// Bytes of the content, spread over all of it, of how many, that were wrapped and unwrapped again.
    Bytes(u64, u64),
}

/// What a conversion will come to.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Bytes of the target.
    pub bytes: u64,
    /// Whether that is exact, and not scaled.
    pub exact: bool,
    /// What it rests on.
    pub basis: Basis,
    /// Memory that will not be passed.
    pub memory: u64,
    /// Seconds of reading, converting and verifying, without waiting for the disk.
    pub seconds: f64,
}

/// A table that is cut, of which some parts are to tell what the whole will come to.
pub struct Parts<'a> {
    /// The rows.
    pub table: &'a dyn TableSource,
    /// Those of each part.
    pub ranges: &'a [Range<u64>],
    /// Whether the source is text, whose bytes tell more of a part than its rows.
    pub text: bool,
}

/// The table that is to be converted, and how.
pub struct Subject<'a> {
    /// The rows, and how they will be cut.
    pub parts: Parts<'a>,
    /// Their schema.
    pub schema: &'a Schema,
    /// Makes the target.
    pub encoder: &'a Encoder,
    /// Options of the target.
    pub write: &'a WriteOptions,
    /// Threads that will work at once.
    pub workers: usize,
    /// Bytes of the source as it lies on disk.
    pub size: u64,
    /// Memory to stay under, in bytes.
    pub memory: u64,
}

/// What was measured of the sample.
#[derive(Default)]
struct Sample {
    placed: Vec<Placed>,
    weight: u64,
    time: Duration,
    largest_encoded: u64,
    largest_part: u64,
}

/// Estimates; `reading` is how long the source took to open and type.
pub fn estimate(subject: &Subject<'_>, reading: Duration, progress: &Progress) -> Result<Estimate> {
    let parts = &subject.parts;
    let chosen = parts.choose()?;
    let (total, sampled) = (parts.total(), parts.weight_of(&chosen));
    progress.begin(Stage::Converting, subject.size * sampled / total.max(1), sampled);
    let (mut sample, mut pieces) = (Sample::default(), Vec::new());
    let encoder = subject.encoder.get();
    let (header, mut outlet) = (encoder.header()?, Outlet::new(encoder.member()));
    let begin = outlet.pass(&header)?.len() as u64;
    let mut at = begin;
    for part in &chosen {
        let rows = parts.ranges[*part].clone();
        let began = Instant::now();
        let done = |_| progress.watch(0);
        let converted = convert_part(parts.table, rows.clone(), encoder, subject.schema, &done);
        let encoded = converted.map_err(stopped)?.encoded;
        let start = at;
        encoded.bytes.each(|piece| {
            at += outlet.pass(piece)?.len() as u64;
            Ok::<(), formats::Error>(())
        })?;
        sample.time += began.elapsed();
        progress.advance(parts.weight(&rows))?;
        pieces.push(subject.written(&header, &encoded, rows.start)?);
        let bytes = start..at;
        sample.largest_encoded = sample.largest_encoded.max(encoded.bytes.len());
        sample.largest_part = sample.largest_part.max(parts.decoded(&rows)?);
        sample.weight += parts.weight(&rows);
        sample.placed.push(Placed { rows: encoded.rows, bytes, sidecar: encoded.sidecar });
    }
    let end = outlet.finish()?.len() + encoder.footer(&sample.placed)?.len();
    let verifying = subject.read_back(pieces, progress)?;
    let exact = chosen.len() == parts.ranges.len();
    let scale = total as f64 / sample.weight.max(1) as f64;
    let (framed, body) = (begin + end as u64, at - begin);
    let scaled = |of: f64| of * if exact { 1.0 } else { scale };
    let threads = subject.workers.max(1) as f64;
    let working = scaled(sample.time.as_secs_f64()) + scaled(verifying.as_secs_f64());
    let bytes = if exact { body + framed } else { framed + scaled(body as f64) as u64 };
    let (up, held) = (parts.up(&chosen), parts.table.held_bytes());
    let memory = memory::peak(
        subject.schema.columns(),
        subject.workers,
        (memory::worker(subject.write.media), subject.write.wrapping_bytes()),
        ((sample.largest_encoded as f64 * up) as u64, (sample.largest_part as f64 * up) as u64),
        held,
    );
    Ok(Estimate {
        bytes,
        exact,
        basis: Basis::Parts(chosen.len(), parts.ranges.len()),
        // Beside long records, encoded parts take what is left, and no more.
        memory: if parts.text && held > 0 { memory.min(subject.memory) } else { memory },
        seconds: reading.as_secs_f64() + working / threads,
    })
}

/// Of parts of so many bytes, those that are converted as a sample: all where they are small; else one from
/// the middle, the first and the last, as far as they fit.
pub fn choose(bytes: &[u64]) -> Vec<usize> {
    let count = bytes.len();
    if bytes.iter().sum::<u64>() <= SAMPLE_BYTES_MAX {
        return (0..count).collect();
    }
    let mut chosen = Vec::new();
    let mut left = SAMPLE_BYTES_MAX;
    for part in [count / 2, 0, count - 1] {
        if !chosen.contains(&part) && (chosen.is_empty() || bytes[part] <= left) {
            left = left.saturating_sub(bytes[part]);
            chosen.push(part);
        }
    }
    chosen.sort_unstable();
    chosen
}

impl Parts<'_> {
    fn weight(&self, rows: &Range<u64>) -> u64 {
        let bytes = self.table.byte_range(rows.clone());
        if self.text { bytes.end - bytes.start } else { rows.end - rows.start }
    }

    /// The weight of all of them.
    pub fn total(&self) -> u64 {
        self.ranges.iter().map(|rows| self.weight(rows)).sum()
    }

    /// The weight of some of them.
    pub fn weight_of(&self, chosen: &[usize]) -> u64 {
        chosen.iter().map(|part| self.weight(&self.ranges[*part])).sum()
    }

    /// How much larger the largest part is than the largest of those that were chosen.
    pub fn up(&self, chosen: &[usize]) -> f64 {
        let largest = self.ranges.iter().map(|rows| self.weight(rows)).max().unwrap_or(0);
        let known = chosen.iter().map(|part| self.weight(&self.ranges[*part])).max().unwrap_or(1);
        (largest as f64 / known.max(1) as f64).max(1.0)
    }

    /// The parts that are converted as a sample.
    pub fn choose(&self) -> Result<Vec<usize>> {
        let count = self.ranges.len();
        let middle = &self.ranges[count / 2];
        let scale = match self.text {
            true => 1.0,
            false => self.decoded(middle)? as f64 / self.weight(middle).max(1) as f64,
        };
        let bytes = |rows: &Range<u64>| (self.weight(rows) as f64 * scale) as u64;
        Ok(choose(&self.ranges.iter().map(bytes).collect::<Vec<u64>>()))
    }

    /// Bytes of a part in memory, by its first batch; at least those that it is read from.
    pub fn decoded(&self, rows: &Range<u64>) -> Result<u64> {
        let first = self.table.batches(rows.clone())?.next().transpose()?;
        let width = first.map_or(0, |batch| batch.get_array_memory_size() / batch.num_rows().max(1));
        let bytes = self.table.byte_range(rows.clone());
        Ok((width as u64 * (rows.end - rows.start)).max(bytes.end - bytes.start))
    }
}

/// A part of the sample as a target of its own.
struct Piece {
    file: Arc<ObjectFile>,
    /// Rows of the table before it.
    first: u64,
    place: Placed,
}

impl Subject<'_> {
    /// A part as a target of its own, before which so many rows stand.
    fn written(&self, header: &[u8], part: &Encoded, first: u64) -> Result<Piece> {
        let dir = std::env::temp_dir();
        let failed = |error| Failure::io(&dir, error);
        let start = header.len() as u64;
        let bytes = start..start + part.bytes.len();
        let place = Placed { rows: part.rows, bytes, sidecar: part.sidecar.clone() };
        let footer = self.encoder.get().footer(std::slice::from_ref(&place))?;
        let mut file = tempfile::tempfile_in(&dir).map_err(failed)?;
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(failed);
        let mut outlet = Outlet::new(self.encoder.get().member());
        write(&outlet.pass(header)?)?;
        part.bytes.each(|piece| write(&outlet.pass(piece)?))?;
        write(&outlet.finish()?)?;
        write(&footer)?;
        let file = Arc::new(ObjectFile::from_file(file, &dir.join("sample"))?);
        Ok(Piece { file, first, place })
    }

    /// Reads parts back as targets of their own, and says how long that took.
    fn read_back(&self, pieces: Vec<Piece>, progress: &Progress) -> Result<Duration> {
        let began = Instant::now();
        progress.begin(Stage::Verifying, 0, 0);
        for Piece { file, first, place } in pieces {
            hash_object(&file, progress)?;
            let listener = progress.listener();
            let lie = (first, std::slice::from_ref(&place));
            let target = open_written(file, self.write, self.encoder, lie, &listener).map_err(stopped)?;
            let rows = 0..target.rows();
            reread(target.as_ref(), std::slice::from_ref(&rows), self.schema, 1, progress)?;
        }
        Ok(began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_all_a_sample_and_of_large_ones_three() {
        let part = SAMPLE_BYTES_MAX / 3;
        assert!(choose(&[]).is_empty());
        assert_eq!(choose(&[part, part, part]), [0, 1, 2]);
        assert_eq!(choose(&[part; 9]), [0, 4, 8]);
        assert_eq!(choose(&[2 * part, part, 2 * part, part]), [2, 3]);
        assert_eq!(choose(&[4 * part]), [0], "one is always there");
    }
}
