//! Provides the first half of a partitioned conversion: the rows of the source, cut by partition into
//! temporaries, and for each partition the digest of its rows as they were decoded from the source.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use coherence::rows::{Sequence, SequenceDigester};
use coherence::schema::Schema;
use formats::geometry::{self, Geometry};
use formats::limits::{CHUNK_ROWS, PARTITION_COLUMNS_MAX, PARTITIONS_MAX};
use formats::partition::{Group, Partitioning, Places, group, paths, rows_encoder};
use formats::table::TableSource;

use crate::failure::{Failure, Result};
use crate::local::{pool, share, stopped};
use crate::progress::Progress;

/// Rows of the source that one thread holds at once at most: they are there as they were decoded and as they
/// are written.
const PART_ROWS: u64 = 4 * CHUNK_ROWS;

/// The rows of one partition.
#[derive(Debug)]
pub struct Waiting {
    /// Path of the partition.
    pub path: String,
    /// The temporary that holds them.
    pub file: PathBuf,
    /// What they were when they were decoded from the source.
    pub rows: Sequence,
    /// Of those whose texts are exceptions to styles, the number in the source and here.
    pub places: Vec<(u64, u64)>,
}

/// One partition while rows are added.
struct Growing {
    file: PathBuf,
    digester: SequenceDigester,
    rows: u64,
    places: Vec<(u64, u64)>,
}

/// The parts in which a table is read to be cut.
pub fn reading_parts(source: &dyn TableSource) -> Vec<Range<u64>> {
    geometry::cut(source.rows(), Some(PART_ROWS), &Geometry::READING, |rows| source.byte_range(rows))
}

/// Cuts the rows of these parts of a table by partition into files of `dir`, and notes where `wanted` ones
/// come, which ascend. What is given back is in the order of paths.
pub fn cut(
    source: &dyn TableSource,
    (parts, wanted): (&[Range<u64>], &[u64]),
    schema: &Schema,
    partitioning: &Partitioning,
    dir: &Path,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<Waiting>> {
    let encoder = rows_encoder(source.schema())?;
    let encoder = encoder.get();
    let mut growing: BTreeMap<String, Growing> = BTreeMap::new();
    let make = |index: usize| {
        let rows = parts[index].clone();
        let watch = share(source, &rows, progress);
        group(source, rows, partitioning, Some(encoder), wanted, schema, &watch).map_err(stopped)
    };
    let header = encoder.header()?;
    pool::in_order(workers, parts.len(), make, |_, groups: Vec<Group>| {
        for group in groups {
            let count = growing.len();
            let known = match growing.entry(group.path) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    check_count(count + 1, schema.columns(), partitioning)?;
                    let file = dir.join(count.to_string());
                    std::fs::write(&file, &header).map_err(|error| Failure::io(&file, error))?;
                    let digester = SequenceDigester::new(schema);
                    place.insert(Growing { file, digester, rows: 0, places: Vec::new() })
                }
            };
            known.digester.push(&group.rows);
            known.places.extend(group.places.iter().map(|(row, place)| (*row, known.rows + place)));
            known.rows += group.rows.len() as u64;
            append(&known.file, |file| group.bytes.each(file))?;
        }
        Ok(())
    })?;
    let footer = encoder.footer(&[])?;
    let mut waiting = Vec::with_capacity(growing.len());
    for (path, Growing { file, digester, places, .. }) in growing {
        append(&file, |file| file(&footer))?;
        waiting.push(Waiting { path, file, rows: digester.finish(), places });
    }
    Ok(waiting)
}

/// Opens the file for each addition: a process may have fewer files open than a table has partitions.
fn append(path: &Path, pieces: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>) -> Result<()> {
    let failed = |error| Failure::io(path, error);
    let mut file: File = OpenOptions::new().append(true).open(path).map_err(failed)?;
    pieces(&mut |piece| file.write_all(piece).map_err(failed))
}

fn check_count(count: usize, columns: usize, partitioning: &Partitioning) -> Result<()> {
    let names = partitioning.names().join(",");
    let max = PARTITIONS_MAX.min(PARTITION_COLUMNS_MAX / columns.max(1));
    if count <= max {
        return Ok(());
    }
    Err(Failure::Format(formats::Error::unsupported(
        formats::Place::default().column(&names),
        format!("it has more than {max} values, and a table of {columns} columns may have {max} partitions"),
        "partition by a column of fewer values",
    )))
}

/// What was found of one partition so far.
struct Found {
    digester: SequenceDigester,
    /// Its rows.
    rows: u64,
    /// Rows of the table that were wanted, each with its row in the partition.
    places: Vec<(u64, u64)>,
}

/// The paths of all partitions of a table, the digest of the rows of each, and where `wanted` rows of the
/// table come, which ascend; nothing is written.
pub fn sequences(
    source: &dyn TableSource,
    wanted: &[u64],
    schema: &Schema,
    partitioning: &Partitioning,
    workers: usize,
    progress: &Progress,
) -> Result<(BTreeMap<String, Sequence>, Places)> {
    let parts = reading_parts(source);
    let mut growing: BTreeMap<String, Found> = BTreeMap::new();
    let make = |index: usize| {
        let rows = parts[index].clone();
        let watch = share(source, &rows, progress);
        group(source, rows, partitioning, None, wanted, schema, &watch).map_err(stopped)
    };
    pool::in_order(workers, parts.len(), make, |_, groups: Vec<Group>| {
        for group in groups {
            check_count(growing.len(), schema.columns(), partitioning)?;
            let new = || Found { digester: SequenceDigester::new(schema), rows: 0, places: Vec::new() };
            let found = growing.entry(group.path).or_insert_with(new);
            found.digester.push(&group.rows);
            let before = found.rows;
            found.places.extend(group.places.iter().map(|(row, place)| (*row, before + place)));
            found.rows += group.rows.len() as u64;
        }
        Ok(())
    })?;
    let mut all = Places::default();
    let finished = growing.into_iter().map(|(path, found)| {
        all.add(&path, &found.places);
        (path, found.digester.finish())
    });
    Ok((finished.collect(), all))
}

/// The paths of all partitions of a table, in their order.
pub fn listed(
    source: &dyn TableSource,
    partitioning: &Partitioning,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<String>> {
    let parts = reading_parts(source);
    let columns = source.schema().fields().len();
    let mut found = BTreeSet::new();
    let make = |index: usize| {
        let rows = parts[index].clone();
        let watch = share(source, &rows, progress);
        paths(source, rows, partitioning, &watch).map_err(stopped)
    };
    pool::in_order(workers, parts.len(), make, |_, paths| {
        found.extend(paths);
        check_count(found.len(), columns, partitioning)
    })?;
    Ok(found.into_iter().collect())
}
