//! Provides what a conversion into partitions will come to: some of the rows go the whole way, into a
//! directory for temporaries.

use std::time::{Duration, Instant};

use coherence::certificate::ColumnStyle;
use coherence::digest::Digest;
use formats::cells::logical_schema;
use formats::open::Opened;
use formats::partition::Partitioning;
use formats::typings::Typings;

use super::finished::Finished;
use super::rows::{self, Waiting};
use super::target::Making;
use super::{across, file_encoder, file_encoders, file_name, styles};
use crate::failure::{Failure, Result};
use crate::local::estimate::{Basis, Estimate, Parts};
use crate::local::{Job, memory, pool};
use crate::meter::Stage;
use crate::progress::Progress;

/// The paths of all partitions of a table, in their order, and how text spells its columns.
///
/// # Errors
/// A column is none to partition by, the target cannot have one of the others, or the partitions are too
/// many.
pub fn listed(job: &Job, opened: &Opened, progress: &Progress) -> Result<(Vec<String>, Vec<ColumnStyle>)> {
    let partitioning = Partitioning::new(opened.table().schema(), &job.partition_by)?;
    let encoder = file_encoder(job, opened, &partitioning)?;
    let paths = rows::listed(opened.table(), &partitioning, job.workers, progress)?;
    Ok((paths, styles(opened, &partitioning, Typings::of_target(&encoder))?))
}

/// Estimates what `count` partitions will come to; `reading` is how long the source took to open and type.
pub fn estimate(
    job: &Job,
    opened: &Opened,
    count: usize,
    reading: Duration,
    progress: &Progress,
) -> Result<Estimate> {
    let table = opened.table();
    let ranges = rows::reading_parts(table);
    let parts = Parts { table, ranges: &ranges, text: opened.format.is_text() };
    let chosen = parts.choose()?;
    let exact = chosen.len() == ranges.len();
    let scale = match exact {
        true => 1.0,
        false => parts.total() as f64 / parts.weight_of(&chosen).max(1) as f64,
    };
    let sample = sample(job, opened, &parts, &chosen, progress)?;
    let filled = sample.bytes.saturating_sub(sample.empty * sample.files as u64) as f64;
    let held = (sample.largest as f64 * parts.up(&chosen)) as u64;
    Ok(Estimate {
        bytes: if exact { sample.bytes } else { sample.empty * count as u64 + (filled * scale) as u64 },
        exact,
        basis: Basis::Parts(chosen.len(), ranges.len()),
        // Rows are held as they were decoded and as they are set down, which is not less than in the target.
        memory: memory::peak(
            table.schema().fields().len(),
            job.workers,
            (memory::worker(job.write.media), job.write.wrapping_bytes()),
            (held, held),
            table.held_bytes(),
        ),
        seconds: reading.as_secs_f64() + sample.time.as_secs_f64() * scale,
    })
}

/// What was measured of some rows.
struct Sample {
    /// Bytes of all files, and how many there are.
    bytes: u64,
    files: usize,
    /// Bytes of a file without rows.
    empty: u64,
    /// Bytes that the rows of the largest part take in memory.
    largest: u64,
    time: Duration,
}

/// Converts some of the parts as if they were all, and reads them back.
fn sample(
    job: &Job,
    opened: &Opened,
    parts: &Parts<'_>,
    chosen: &[usize],
    progress: &Progress,
) -> Result<Sample> {
    let dir = tempfile::tempdir().map_err(|error| Failure::io(&std::env::temp_dir(), error))?;
    let [set_down, files, finished] = ["rows", "files", "finished"].map(|name| dir.path().join(name));
    [&set_down, &files, &finished]
        .into_iter()
        .try_for_each(|path| std::fs::create_dir(path).map_err(|error| Failure::io(path, error)))?;
    let schema = logical_schema(parts.table.schema())?;
    let partitioning = Partitioning::new(parts.table.schema(), &job.partition_by)?;
    let encoder_of = file_encoders(job, opened, &partitioning)?;
    let encoder = encoder_of(&[])?;
    let empty = encoder.get().header()?.len() + encoder.get().footer(&[])?.len();
    let ranges: Vec<_> = chosen.iter().map(|part| parts.ranges[*part].clone()).collect();
    let largest = ranges.iter().map(|rows| parts.decoded(rows)).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    progress.begin(Stage::Converting, 0, parts.weight_of(chosen));
    let waiting =
        rows::cut(parts.table, (&ranges, &[]), &schema, &partitioning, &set_down, job.workers, progress)?;
    let (across, within) = across(waiting.len(), job.workers);
    let making = Making {
        partitioning: &partitioning,
        schema: &schema,
        encoder: &encoder,
        encoder_of: &encoder_of,
        write: &job.write,
        // No claim of a sample leaves this place, so it is about no source.
        source: Digest([0; 32]),
        dir: &files,
        name: &file_name(&job.write)?,
        finished: &Finished::new(finished, String::new()),
        workers: within,
        progress,
    };
    let make = |index: usize| {
        let waiting: &Waiting = &waiting[index];
        let written = making.write(waiting)?;
        Ok(making.verify(waiting, written)?.file.object.size)
    };
    let mut bytes = 0;
    pool::in_order(across, waiting.len(), make, |_, size| {
        bytes += size;
        Ok(())
    })?;
    let largest = largest.into_iter().max().unwrap_or(0);
    Ok(Sample { bytes, files: waiting.len(), empty: empty as u64, largest, time: began.elapsed() })
}
