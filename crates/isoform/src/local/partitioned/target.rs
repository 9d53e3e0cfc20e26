//! Provides the second half of a partitioned conversion: the file of each partition, written, read back from
//! disk and compared by itself.

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use coherence::certificate;
use coherence::claim::{Claim, ReadBack};
use coherence::content::{Model, PartContent};
use coherence::digest::Digest;
use coherence::rows::{Sequence, SequenceDigester};
use coherence::schema::Schema;
use coherence::verified::{Partition, Records, Verified, VerifiedWhole};
use formats::bytes::Outlet;
use formats::cells::logical_schema;
use formats::convert::{convert_part, read_rows};
use formats::file::ObjectFile;
use formats::geometry;
use formats::open::open_written;
use formats::partition::{KeyedSource, Partitioning, keyed_encoder, keyed_source, open_rows};
use formats::table::{Placed, TableEncoder, TableSource};
use formats::write::{Encoder, WriteOptions};

use super::finished::Finished;
use super::rows::Waiting;
use crate::failure::{Failure, Result};
use crate::local::encode::placed;
use crate::local::journal::Entry;
use crate::local::temporary::create_beside;
use crate::local::{hash_parts, pool, stopped, unreadable};
use crate::progress::Progress;

/// Makes the encoder of a file in which rows stand that are exceptions to styles: each by its number in the
/// source and in the file.
pub type EncoderOf<'a> = dyn Fn(&[(u64, u64)]) -> Result<Encoder> + Sync + 'a;

/// What all partitions of a conversion share.
pub struct Making<'a> {
    /// How the table is partitioned.
    pub partitioning: &'a Partitioning,
    /// Schema of the whole content.
    pub schema: &'a Schema,
    /// Encoder of the columns that are in files, for a partition without rows that are exceptions to styles.
    pub encoder: &'a Encoder,
    /// That for one with such rows.
    pub encoder_of: &'a EncoderOf<'a>,
    /// How files are written.
    pub write: &'a WriteOptions,
    /// Digest of the source.
    pub source: Digest,
    /// Directory of the files.
    pub dir: &'a Path,
    /// Name of each file in the directory of its partition.
    pub name: &'a str,
    /// The journals of files that are finished.
    pub finished: &'a Finished,
    /// Threads for one partition.
    pub workers: usize,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// A finished partition.
pub struct Made {
    /// Its proof.
    pub partition: Partition,
    /// Its file, named by its path below the target.
    pub file: certificate::File,
}

/// A file that was written and not yet read back.
pub struct Written {
    ranges: Vec<Range<u64>>,
    parts: Vec<Entry>,
    /// Whether an earlier run wrote it.
    before: bool,
}

impl Written {
    /// How many parts of it an earlier run had finished.
    pub fn reused(&self) -> usize {
        if self.before { self.parts.len() } else { 0 }
    }
}

impl Making<'_> {
    /// Writes the file of one partition, unless an earlier run did. Its rows are needed no more then, and the
    /// disk may need the room.
    pub fn write(&self, waiting: &Waiting) -> Result<Written> {
        let rows = open_rows(Arc::new(ObjectFile::open(&waiting.file)?))?;
        if logical_schema(rows.schema())? != *self.schema || rows.rows() != waiting.rows.rows {
            let what = "the rows that were set down are not those that were read";
            return Err(Failure::Mismatch(format!("partition {}: {what}", waiting.path)));
        }
        let ranges = geometry::cut(rows.rows(), self.write.part_rows(), &self.write.geometry(), |part| {
            rows.byte_range(part)
        });
        let folder = self.dir.join(&waiting.path);
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io(&folder, error))?;
        let path = folder.join(self.name);
        let own = self.own_encoder(waiting)?;
        let encoder = own.as_ref().unwrap_or(self.encoder);
        let before = self.before(waiting, &ranges, &path)?;
        let written = match before {
            Some(parts) => Written { ranges, parts, before: true },
            None => {
                let (parts, digest) = self.write_parts(rows.as_ref(), &ranges, encoder, &path)?;
                self.finished.add(waiting, &parts, digest)?;
                Written { ranges, parts, before: false }
            }
        };
        drop(rows);
        std::fs::remove_file(&waiting.file).map_err(|error| Failure::io(&waiting.file, error))?;
        Ok(written)
    }

    /// The encoder of a partition in which rows are exceptions to their styles: these are of this file alone.
    fn own_encoder(&self, waiting: &Waiting) -> Result<Option<Encoder>> {
        let places = Some(&waiting.places[..]).filter(|places| !places.is_empty());
        places.map(self.encoder_of).transpose()
    }

    /// The parts of a file that an earlier run finished.
    fn before(&self, waiting: &Waiting, ranges: &[Range<u64>], path: &Path) -> Result<Option<Vec<Entry>>> {
        let entries = self.finished.before(waiting, path)?;
        let same = |(entry, rows): (&Entry, &Range<u64>)| entry.content.units == rows.end - rows.start;
        let fit =
            |entries: &Vec<Entry>| entries.len() == ranges.len() && entries.iter().zip(ranges).all(same);
        Ok(entries.filter(fit))
    }

    /// Reads the file of one partition back and compares it with the source.
    pub fn verify(&self, waiting: &Waiting, written: Written) -> Result<Made> {
        let fails = |what: String| Failure::Mismatch(format!("partition {}: {what}", waiting.path));
        let Written { ranges, parts, .. } = written;
        let path = self.dir.join(&waiting.path).join(self.name);
        let file = Arc::new(ObjectFile::open(&path)?);
        let placed: Vec<_> = parts.iter().map(placed).collect();
        let (lie, listener) = ((0, placed.as_slice()), self.progress.listener());
        let own = self.own_encoder(waiting)?;
        let encoder = own.as_ref().unwrap_or(self.encoder);
        let target = open_written(file.clone(), self.write, encoder, lie, &listener);
        let target = target.and_then(|target| {
            target.check_structure()?;
            keyed_source(target, self.partitioning, &waiting.path)
        });
        let unread = |error| unreadable(&format!("partition {}: it", waiting.path), error);
        let target = target.map_err(unread)?;
        let found = logical_schema(target.schema()).map_err(|error| fails(error.to_string()))?;
        if found != *self.schema || target.rows() != waiting.rows.rows {
            return Err(fails("its columns or its number of rows changed".into()));
        }
        let bytes: Vec<_> = placed.into_iter().map(|part| part.bytes).collect();
        let (object, digests) = hash_parts(&file, &bytes, self.progress)?;
        let (contents, sequence) = reread(&target, &ranges, self.schema, self.workers, self.progress)
            .map_err(|failure| match failure {
                Failure::Format(error) => unread(error),
                other => other,
            })?;
        let mut verified = Vec::with_capacity(parts.len());
        for (part, ((written, content), found)) in (0..).zip(parts.into_iter().zip(contents).zip(digests)) {
            let claim = Claim::exact(part, written.content, self.source, written.digest);
            let found = ReadBack::exact(content, found);
            verified.push(Verified::check(claim, &found).map_err(|error| fails(error.to_string()))?);
        }
        let records = Records { counted: waiting.rows.rows, set_aside: 0 };
        let whole = VerifiedWhole::assemble(&Model::Table(self.schema.clone()), verified, records);
        let whole = whole.map_err(|error| fails(error.to_string()))?;
        file.check_unchanged()?;
        let path = waiting.path.clone();
        let name = format!("{path}/{}", self.name);
        let media_type = self.write.media.media_type.clone();
        Ok(Made {
            partition: Partition { path, whole, source: waiting.rows, target: sequence },
            file: certificate::File { name, object, media_type },
        })
    }

    /// Writes the file of a partition: its parts, and the digest of all of it.
    fn write_parts(
        &self,
        rows: &dyn TableSource,
        ranges: &[Range<u64>],
        encoder: &Encoder,
        path: &Path,
    ) -> Result<(Vec<Entry>, Digest)> {
        let encoder = keyed_encoder(encoder.get(), self.partitioning);
        let (mut file, mut whole) = (create_beside(path)?, blake3::Hasher::new());
        let mut write = |bytes: &[u8]| {
            whole.update(bytes);
            file.write_all(bytes).map_err(|error| Failure::io(path, error))
        };
        let mut outlet = Outlet::new(encoder.member());
        let header = encoder.header()?;
        let header = outlet.pass(&header)?;
        write(&header)?;
        let mut at = header.len() as u64;
        let mut written = Vec::with_capacity(ranges.len());
        let watch = |_| self.progress.watch(0);
        // Rows are those of the file that is made, and not of the source.
        let shown = path.strip_prefix(self.dir).unwrap_or(path);
        let make = |index: usize| {
            let made = convert_part(rows, ranges[index].clone(), &encoder, self.schema, &watch);
            made.map_err(|error| stopped(error.in_file(shown)))
        };
        pool::in_order(self.workers, ranges.len(), make, |part, converted| {
            let mut hasher = blake3::Hasher::new();
            let start = at;
            converted.encoded.bytes.each(|piece| {
                let piece = outlet.pass(piece)?;
                hasher.update(&piece);
                at += piece.len() as u64;
                write(&piece)
            })?;
            let (sidecar, content) = (converted.encoded.sidecar, converted.content);
            let digest = Digest(*hasher.finalize().as_bytes());
            written.push(Entry { part, bytes: start..at, digest, sidecar, content });
            Ok(())
        })?;
        let placed: Vec<Placed> = written.iter().map(placed).collect();
        write(&outlet.finish()?)?;
        write(&encoder.footer(&placed)?)?;
        Ok((written, Digest(*whole.finalize().as_bytes())))
    }
}

/// Decodes the parts of a partition's file: the content of each, and the sequence of all rows.
pub fn reread(
    table: &KeyedSource,
    parts: &[Range<u64>],
    schema: &Schema,
    workers: usize,
    progress: &Progress,
) -> Result<(Vec<PartContent>, Sequence)> {
    let watch = |_| progress.watch(0);
    let make = |index: usize| read_rows(table, parts[index].clone(), schema, &watch).map_err(stopped);
    let mut contents = Vec::with_capacity(parts.len());
    let mut digester = SequenceDigester::new(schema);
    pool::in_order(workers, parts.len(), make, |_, (content, rows)| {
        contents.push(content);
        digester.push(&rows);
        Ok(())
    })?;
    Ok((contents, digester.finish()))
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    use coherence::content::TableDigester;
    use formats::registry::{Format, Wrapping};
    use formats::typings::Typings;
    use formats::write::encoder;

    use super::*;
    use crate::cli::{Output, When};
    use crate::failure::{DIFFERS, INTERRUPTED};

    /// Why a partition with this file, of one row, is not proven.
    fn refused(text: &str, progress: &Progress) -> Failure {
        let dir = tempfile::tempdir().unwrap();
        let columns = ["k", "v"].map(|name| (name, Arc::new(Int64Array::from(vec![1])) as ArrayRef));
        let table = RecordBatch::try_from_iter(columns).unwrap().schema();
        let (partitioning, schema) =
            (Partitioning::new(&table, &["k".into()]).unwrap(), logical_schema(&table).unwrap());
        let write = WriteOptions {
            format: Format::Csv,
            media: Format::Csv.media(),
            wrapping: Wrapping::Raw,
            compression: None,
            row_group_rows: None,
            dictionary: true,
            metadata: Vec::new(),
        };
        let rest = partitioning.rest_schema(&table).unwrap();
        let making = Making {
            partitioning: &partitioning,
            schema: &schema,
            encoder: &encoder(&rest, &Typings::Native, &write).unwrap(),
            encoder_of: &|_| Err(Failure::bug("no row is an exception")),
            write: &write,
            source: Digest::default(),
            dir: dir.path(),
            name: "part-0.csv",
            finished: &Finished::new(dir.path().to_owned(), String::new()),
            workers: 1,
            progress,
        };
        let path = dir.path().join("k=1");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("part-0.csv"), text).unwrap();
        let rows = Sequence { rows: 1, digest: Digest::default() };
        let waiting = Waiting { path: "k=1".into(), file: dir.path().join("rows"), rows, places: Vec::new() };
        let content = TableDigester::new(&schema).finish();
        let content = PartContent { units: 1, ..content };
        let (bytes, digest, sidecar) = (2..text.len() as u64, Digest::default(), Vec::new());
        let parts = vec![Entry { part: 0, bytes, digest, sidecar, content }];
        let written = Written { ranges: std::iter::once(0..1).collect(), parts, before: false };
        making.verify(&waiting, written).err().unwrap()
    }

    #[test]
    fn a_partition_that_does_not_read_back_is_no_stop_and_a_stop_is_no_mismatch() {
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let failure = refused("v\n\"1\n", &progress);
        assert_eq!(failure.code(), DIFFERS);
        assert!(failure.to_string().starts_with("partition k=1: it does not read back: "), "{failure}");
        progress.stop();
        assert_eq!(refused("v\n1\n", &progress).code(), INTERRUPTED);
    }
}
