//! Provides what a conversion of bytes would do and will come to: the source is unwrapped whole, and blocks
//! that are spread over all of its content are wrapped, unwrapped again and scaled to the whole.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formats::bytes::{Codec, Encoder};
use formats::file::ObjectFile;

use super::super::estimate::{Basis, Estimate};
use super::super::memory::{BASE_BYTES, KEPT_BYTES};
use super::prove::{BLOCK_BYTES, content_shown};
use super::{BytesJob, Opened, content_of, hash_object, in_file, needed, open};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// Bytes of content that are wrapped as a sample at most: some seconds' work of the slowest level of all.
const SAMPLE_BYTES_MAX: u64 = 4 << 20;

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
    let read = content_shown(&opened.file, opened.from, &mut show, progress);
    let (content, totals) = in_file(&opened, read)?;
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
        estimate: estimate(job, &opened, (content.units, reading), workers, &sample),
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

/// Blocks of content whose length nobody knows before its end: all of them, or every second, fourth, eighth,
/// as many as there is room for.
struct Spread {
    blocks: Vec<Vec<u8>>,
    /// Blocks that are kept at most.
    most: usize,
    /// Blocks that were shown, and of how many one is kept.
    shown: u64,
    every: u64,
}

impl Spread {
    /// Nothing yet, with room for so many bytes.
    fn new(bytes: u64) -> Self {
        let most = bytes.div_ceil(BLOCK_BYTES as u64);
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Self { blocks: Vec::new(), most, shown: 0, every: 1 }
    }

    /// Takes note of the next block; one without bytes is the end.
    fn show(&mut self, block: &[u8]) {
        if block.is_empty() {
            return;
        }
        if self.shown.is_multiple_of(self.every) {
            self.blocks.push(block.to_vec());
        }
        self.shown += 1;
        if self.blocks.len() > self.most {
            let mut keep = false;
            self.blocks.retain(|_| {
                keep = !keep;
                keep
            });
            self.every *= 2;
        }
    }

    /// What was kept, one after another, of so many bytes at most.
    fn run(self, most: u64) -> Vec<u8> {
        let mut run = self.blocks.concat();
        run.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        run
    }
}

/// Wraps a run of content as a target of its own, and unwraps it again.
fn try_run(job: &BytesJob, mut run: Vec<u8>, progress: &Progress) -> Result<Sample> {
    let count = run.len() as u64;
    let watch = || progress.advance(0).map_err(|_| formats::Error::Stopped);
    let began = Instant::now();
    let mut encoder = Encoder::new(job.to);
    let mut wrapped = match Encoder::is_apart(job.to) {
        true => Encoder::apart(job.to, &mut run, &watch)?,
        false => encoder.follow(&run, &watch)?,
    };
    wrapped.extend(encoder.finish());
    let wrapping = began.elapsed();
    let dir = std::env::temp_dir();
    let failed = |error| Failure::io(&dir, error);
    let mut file = tempfile::tempfile_in(&dir).map_err(failed)?;
    file.write_all(&wrapped).map_err(failed)?;
    let file = Arc::new(ObjectFile::from_file(file, &dir.join("sample"))?);
    let began = Instant::now();
    content_of(&file, job.to.codec, progress)?;
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
    workers: usize,
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
    // One thread unwraps while others wrap; members of their own are unwrapped side by side.
    let converting = reading.max((reading + sample.wrapping.as_secs_f64() * scale) / threads);
    let verifying = sample.unwrapping.as_secs_f64() * scale;
    let verifying = if Encoder::is_apart(job.to) { verifying / threads } else { verifying };
    let working = opened.from.reader_bytes() + workers as u64 * needed(job.to);
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

    #[test]
    fn blocks_of_a_sample_are_spread_over_the_content() {
        let sample = |blocks: u8, most: u64| {
            let mut spread = Spread::new(most * BLOCK_BYTES as u64);
            (0..blocks).for_each(|block| spread.show(&[block]));
            spread.run(most)
        };
        assert!(sample(0, 4).is_empty());
        assert_eq!(sample(4, 4), [0, 1, 2, 3]);
        assert_eq!(sample(5, 4), [0, 2, 4]);
        assert_eq!(sample(100, 4), [0, 32, 64, 96]);
        assert_eq!(sample(100, 1), [0]);
        assert_eq!(Spread::new(1).most, 1, "a part may be smaller than a block");
        let mut spread = Spread::new(2 * BLOCK_BYTES as u64);
        [&[1][..], &[2], &[]].into_iter().for_each(|block| spread.show(block));
        assert_eq!(spread.run(9), [1, 2], "the end is no block");
    }
}
