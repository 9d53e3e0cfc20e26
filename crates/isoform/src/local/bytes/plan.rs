//! Provides what a conversion of bytes would do and will come to: the source is unwrapped whole, and pieces
//! that are spread over all of its content are wrapped, unwrapped again and scaled to the whole.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formats::bytes::{Ahead, Codec, Encoder, ahead};
use formats::file::ObjectFile;

use super::super::estimate::{Basis, Estimate};
use super::super::memory::{BASE_BYTES, KEPT_BYTES};
use super::prove::digest_shown;
use super::{BytesJob, Opened, content_of, hash_object, in_file, needed, open};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Bytes of content that are wrapped as a sample at most: some seconds' work of the slowest level of all.
const SAMPLE_BYTES_MAX: u64 = 4 << 20;

/// Content that is kept or left out at once: twice the window of gzip, and so little that a sample has
/// many.
const PIECE_BYTES: usize = 64 << 10;

/// The golden ratio's share of 2^64: multiples of it are spread evenly, and in step with nothing.
const TURN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What would be done.
#[derive(Debug, Clone)]
pub struct BytesPlan {
    /// How source and target are wrapped.
    pub codecs: (Codec, Codec),
    /// Bytes of the source.
    pub size: u64,
    /// Bytes of content, and members that hold them.
    pub content_bytes: u64,
    /// Members of the source.
    pub members: u64,
    /// Number of parts.
    pub parts: u64,
    /// Number of threads.
    pub workers: usize,
    /// What it will come to.
    pub estimate: Estimate,
    /// Whether the target exists.
    pub exists: bool,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// Reads the source whole, says what a conversion would do, and does a part of it.
pub fn plan(job: &BytesJob, progress: &Progress) -> Result<BytesPlan> {
    let opened = open(job, progress)?;
    progress.begin(Stage::Reading, opened.file.len(), opened.file.len());
    let began = Instant::now();
    let most = SAMPLE_BYTES_MAX.min(job.to.part_bytes());
    let mut spread = Spread::new(most);
    let mut show = |block: &[u8]| spread.show(block);
    let mut reader = in_file(&opened, Ahead::new(opened.from, &opened.file, opened.unwrapping))?;
    let unwrapping = reader.workers();
    let read = digest_shown(&mut reader, u64::MAX, &mut show, progress);
    let (content, totals) = (in_file(&opened, read)?, reader.totals());
    drop(reader);
    let reading = began.elapsed();
    let parts = content.units.div_ceil(job.to.part_bytes()).max(1);
    let workers = opened.workers.min(usize::try_from(parts).unwrap_or(usize::MAX));
    let sample = in_file(&opened, try_run(job, spread.run(most), &progress.aside()))?;
    Ok(BytesPlan {
        codecs: (opened.from, job.to.codec),
        size: opened.file.len(),
        content_bytes: content.units,
        members: totals.members,
        parts,
        workers,
        estimate: estimate(job, &opened, (content.units, reading), (workers, unwrapping), &sample),
        exists: job.target.symlink_metadata().is_ok(),
        notes: opened.notes,
    })
}

/// What was measured of the sample.
struct Sample {
    /// Bytes of content, and what they are wrapped.
    bytes: (u64, u64),
    wrapping: Duration,
    unwrapping: Duration,
    hashing: Duration,
}

/// Pieces of content whose length nobody knows before its end: all of them, or one of every two, four, eight,
/// as many as there is room for. Which one it is changes from run to run, so that content that repeats itself
/// does not do so in step with what is kept of it; for the same content it is always the same.
struct Spread {
    pieces: Vec<Vec<u8>>,
    /// Pieces that are kept at most.
    most: usize,
    /// Pieces that were shown, and how many are a run of which one is kept.
    shown: u64,
    every: u64,
    /// The place in the present run of the piece that is kept, unless it has come.
    place: Option<u64>,
    turned: u64,
}

impl Spread {
    /// Nothing yet, with room for so many bytes.
    fn new(bytes: u64) -> Self {
        let most = bytes.div_ceil(PIECE_BYTES as u64);
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Self { pieces: Vec::new(), most, shown: 0, every: 1, place: None, turned: 0 }
    }

    /// Takes note of the next block of the content.
    fn show(&mut self, block: &[u8]) {
        for piece in block.chunks(PIECE_BYTES) {
            let at = self.shown % self.every;
            if at == 0 {
                self.place = Some(self.below(self.every));
            }
            if self.place == Some(at) {
                self.place = None;
                self.pieces.push(piece.to_vec());
            }
            self.shown += 1;
            if self.pieces.len() > self.most {
                self.thin();
            }
        }
    }

    /// Makes one run of every two, and keeps the piece of the first or of the second.
    fn thin(&mut self) {
        let mut pieces = std::mem::take(&mut self.pieces).into_iter();
        while let Some(first) = pieces.next() {
            let is_second = self.below(2) == 1;
            match pieces.next() {
                Some(second) => self.pieces.push(if is_second { second } else { first }),
                None if is_second => self.place = Some(self.every + self.below(self.every)),
                None => self.pieces.push(first),
            }
        }
        self.every *= 2;
    }

    /// A number below `count`, which is at most 2^32.
    fn below(&mut self, count: u64) -> u64 {
        self.turned = self.turned.wrapping_add(TURN);
        ((self.turned >> 32) * count) >> 32
    }

    /// What was kept, one after another, of so many bytes at most.
    fn run(self, most: u64) -> Vec<u8> {
        let mut run = self.pieces.concat();
        run.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        run
    }
}

/// Wraps a run of content as a target of its own, and unwraps it again.
fn try_run(job: &BytesJob, mut run: Vec<u8>, progress: &Progress) -> Result<Sample> {
    let count = run.len() as u64;
    let watch = || progress.watch(0);
    let began = Instant::now();
    let mut encoder = Encoder::new(job.to);
    let mut wrapped = match Encoder::is_apart(job.to) {
        true => Encoder::apart(job.to, &mut run, &watch)?,
        false => encoder.follow(&run, &watch)?,
    };
    wrapped.extend(encoder.finish()?);
    let wrapping = began.elapsed();
    let dir = std::env::temp_dir();
    let failed = |error| Failure::io(&dir, error);
    let mut file = tempfile::tempfile_in(&dir).map_err(failed)?;
    file.write_all(&wrapped).map_err(failed)?;
    let file = Arc::new(ObjectFile::from_file(file, &dir.join("sample"))?);
    let began = Instant::now();
    content_of(&file, job.to.codec, 1, progress)?;
    let unwrapping = began.elapsed();
    hash_object(&file, progress)?;
    let hashing = began.elapsed() - unwrapping;
    Ok(Sample { bytes: (count, wrapped.len() as u64), wrapping, unwrapping, hashing })
}

/// What the whole will come to, by its bytes of content, the time in which they were unwrapped, and a sample.
fn estimate(
    job: &BytesJob,
    opened: &Opened,
    (content, reading): (u64, Duration),
    (workers, unwrapping): (usize, usize),
    sample: &Sample,
) -> Estimate {
    let all = sample.bytes.0 == content;
    let scale = if all { 1.0 } else { content as f64 / sample.bytes.0.max(1) as f64 };
    let bytes = match job.to.codec {
        Codec::Raw => content,
        _ if all => sample.bytes.1,
        _ => (sample.bytes.1 as f64 * scale) as u64,
    };
    let (threads, reading) = (workers.max(1) as f64, reading.as_secs_f64());
    // It is unwrapped while parts are wrapped; members of their own are unwrapped side by side.
    let unwrapped = reading * unwrapping.min(workers) as f64;
    let converting = reading.max((unwrapped + sample.wrapping.as_secs_f64() * scale) / threads);
    let verifying = sample.unwrapping.as_secs_f64() * scale;
    let verifying = if Encoder::is_apart(job.to) { verifying / threads } else { verifying };
    let ahead = ahead::thread_bytes(opened.from).filter(|_| unwrapping > 1).unwrap_or(0);
    let reader = opened.from.reader_bytes().max(ahead * unwrapping as u64);
    let working = reader + workers as u64 * needed(job.to);
    let hashed = (bytes + opened.file.len()) as f64 / sample.bytes.1.max(1) as f64;
    Estimate {
        bytes,
        exact: all || job.to.codec == Codec::Raw,
        basis: Basis::Bytes(sample.bytes.0, content),
        memory: (BASE_BYTES + KEPT_BYTES + working).min(job.memory),
        seconds: converting + verifying + sample.hashing.as_secs_f64() * hashed / threads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of so many pieces, of which each is one byte that is told by its index.
    fn sample(pieces: u64, most: u64, byte: impl Fn(u64) -> u8) -> Vec<u8> {
        let mut spread = Spread::new(most * PIECE_BYTES as u64);
        (0..pieces).for_each(|piece| spread.show(&[byte(piece)]));
        spread.run(most)
    }

    #[test]
    fn pieces_of_a_sample_are_spread_over_the_content() {
        let index = |piece: u64| piece as u8;
        assert!(sample(0, 4, index).is_empty());
        assert_eq!(sample(4, 4, index), [0, 1, 2, 3]);
        for (pieces, most) in [(5, 4), (100, 4), (255, 16), (256, 16), (100, 1)] {
            let kept = sample(pieces, most, index);
            assert_eq!(kept, sample(pieces, most, index), "the same content has one sample");
            assert!(kept.is_sorted() && kept.len() as u64 <= most && kept.len() as u64 * 2 >= most);
            // One of each run of as many as there are runs for.
            let every = pieces.div_ceil(most).next_power_of_two();
            let runs: Vec<u64> = kept.iter().map(|piece| u64::from(*piece) / every).collect();
            assert_eq!(runs, (0..kept.len() as u64).collect::<Vec<_>>(), "{pieces} {most} {kept:?}");
        }
        assert_eq!(Spread::new(1).most, 1, "a part may be smaller than a piece");
        let mut spread = Spread::new(4 * PIECE_BYTES as u64);
        [vec![1; PIECE_BYTES + 1], vec![2], Vec::new()].iter().for_each(|block| spread.show(block));
        assert_eq!(spread.pieces.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE_BYTES, 1, 1]);
    }

    #[test]
    fn content_that_repeats_itself_is_not_in_step_with_its_sample() {
        for period in (1..=8).map(|power| 1u64 << power) {
            for pieces in [512, 768, 1000, 4096, 5000] {
                let (most, noisy) = (64, (period / 4).max(1));
                for from in [0, period / 3, period / 2] {
                    let is_noise = |piece: u64| u8::from((piece + from) % period < noisy);
                    let count = (0..pieces).filter(|piece| is_noise(*piece) == 1).count() as f64;
                    let kept = sample(pieces, most, is_noise);
                    let found = kept.iter().map(|noise| f64::from(*noise)).sum::<f64>() / kept.len() as f64;
                    let factor = found / (count / pieces as f64);
                    assert!((1.0 / 1.5..1.5).contains(&factor), "{period} {pieces} {from}: {factor}");
                }
            }
        }
    }
}
