//! Provides [`plan`]: what [`super::convert`] would do, found out by the same way, with nothing written.

use formats::cells::logical_schema;
use formats::geometry;
use formats::metadata::lost;
use formats::open::{Opened, Profiled};
use formats::partition::Partitioning;
use formats::write::encoder;

use super::{Job, open_sources, partitioned, pool};
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// What a conversion would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Media types from and to.
    pub media_types: (&'static str, &'static str),
    /// Bytes of the source.
    pub size: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Columns: name, type, and why it has it where there is something to say.
    pub columns: Vec<(String, String, String)>,
    /// Number of parts.
    pub parts: usize,
    /// Paths of the partitions, where the target is a directory of such.
    pub partitions: Option<Vec<String>>,
    /// Number of threads.
    pub workers: usize,
    /// Whether the target exists.
    pub exists: bool,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// Opens the source, types it whole, and cuts it.
pub fn plan(job: &Job, progress: &Progress) -> Result<Plan> {
    progress.stage("planning");
    let mut opened = open_sources(&job.sources, &job.sources, &job.open, &job.many, progress)?;
    if let Some(set_aside) = &opened.set_aside {
        let count = set_aside.records;
        opened.notes.push(format!("{count} bad records would be set aside: the verdict would be PARTIAL"));
    }
    retyped_on(&mut opened, job.workers)?;
    let table = opened.table();
    let partitions = if job.partition_by.is_empty() {
        encoder(table.schema(), &opened.typings(), &job.write)?;
        None
    } else {
        let partitioning = Partitioning::new(table.schema(), &job.partition_by)?;
        partitioned::file_encoder(job, &opened, &partitioning)?;
        Some(partitioned::listed(table, &partitioning, job.workers, progress)?)
    };
    let schema = logical_schema(table.schema())?;
    let lost = lost(table.schema(), job.write.format);
    let why = |column: usize| opened.why().get(column).cloned().unwrap_or_default();
    let columns = schema.fields.iter().enumerate();
    let columns = columns.map(|(index, field)| (field.name.clone(), field.ty.to_string(), why(index)));
    let parts = geometry::cut(table.rows(), job.write.row_group_rows, |rows| table.byte_range(rows));
    progress.finish();
    Ok(Plan {
        media_types: (opened.format.media_type(), job.write.format.media_type()),
        size: job.sources.iter().filter_map(|path| path.metadata().ok()).map(|found| found.len()).sum(),
        rows: table.rows(),
        columns: columns.collect(),
        parts: parts.len(),
        partitions,
        workers: job.workers.min(parts.len()),
        exists: job.target.symlink_metadata().is_ok(),
        notes: opened.notes.iter().cloned().chain(lost).collect(),
    })
}

/// Types a text by all of its fields.
pub fn retyped(opened: &mut Opened) -> Result<()> {
    retyped_on(opened, std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

fn retyped_on(opened: &mut Opened, workers: usize) -> Result<()> {
    if opened.can_retype() {
        opened.retype(&|count, make, take| profile(workers, count, make, take))?;
    }
    Ok(())
}

/// Runs the profiling of chunks on the pool.
pub fn profile(
    workers: usize,
    count: usize,
    make: &(dyn Fn(usize) -> formats::Result<Profiled> + Sync),
    take: &mut (dyn FnMut(Profiled) -> formats::Result<()> + Send),
) -> formats::Result<()> {
    let done = pool::in_order(workers, count, |index| Ok(make(index)?), |_, value| Ok(take(value)?));
    done.map_err(|failure| match failure {
        Failure::Format(error) => error,
        other => formats::Error::Bug(other.to_string()),
    })
}
