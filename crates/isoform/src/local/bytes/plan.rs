//! Provides what a conversion of bytes would do and will come to: the source is unwrapped whole, and the
//! first bytes of its content are wrapped, unwrapped again and scaled to the whole.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use formats::bytes::{BytesReader, Codec, Encoder};
use formats::file::ObjectFile;

use super::super::estimate::{Basis, Estimate};
use super::super::memory::{BASE_BYTES, KEPT_BYTES};
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
    let (content, totals) = in_file(&opened, content_of(&opened.file, opened.from, progress))?;
    let reading = began.elapsed();
    let parts = content.units.div_ceil(job.to.part_bytes()).max(1);
    let workers = opened.workers.min(usize::try_from(parts).unwrap_or(usize::MAX));
    let sample = in_file(&opened, try_first(job, &opened, content.units, &progress.aside()))?;
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

/// Wraps the first bytes of the content as a target of their own, and unwraps them again.
fn try_first(job: &BytesJob, opened: &Opened, content: u64, progress: &Progress) -> Result<Sample> {
    let count = content.min(SAMPLE_BYTES_MAX).min(job.to.part_bytes());
    let mut run = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
    BytesReader::new(opened.from, opened.file.clone()).fill(&mut run)?;
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
