//! Provides [`convert`]: a target that is let out part by part, each of which was decoded again, from what
//! was written, and compared before.
//!
//! What is out cannot be taken back. So the types of a text are found by all of its fields before the first
//! part is made, and whatever makes the verdict less than was asked for is refused then. A part is written
//! into a temporary with the header before it and the footer behind it, which makes it a whole target of its
//! own rows, and opened as anybody's.

use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use coherence::certificate::ColumnStyle;
use coherence::claim::{Claim, ReadBack};
use coherence::content::Model;
use coherence::digest::{Digest, ObjectDigest, ObjectHasher};
use coherence::schema::Schema;
use coherence::verified::{Verified, VerifiedWhole};
use formats::cells::logical_schema;
use formats::convert::{convert_part, read_part};
use formats::file::ObjectFile;
use formats::geometry;
use formats::listen::Listener;
use formats::metadata::lost;
use formats::open::open_written;
use formats::pieces::Pieces;
use formats::registry::Format;
use formats::table::Placed;
use formats::write::{Encoder, encoder};

use super::encode::{share, stopped, unreadable};
use super::job::{Job, fitting, hold_pieces, misfit, mismatch, preconditions, profiled, without_advice};
use super::keys;
use super::outcome::Outcome;
use super::plan::strictly;
use super::pool;
use super::prove::digest_range;
use super::rejects::{self, Rejects};
use super::released;
use super::seal::{self, seal};
use super::source::Source;
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// What was let out.
pub enum Streamed {
    /// All of it; with the bytes of the certificate.
    Whole(Box<Outcome>, Vec<u8>),
    /// What the reader took before it closed its end.
    Closed(Released),
}

/// How much is out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Released {
    /// Bytes.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
}

/// Whether a target of this format needs nothing that is known only at its end.
pub fn can_stream(format: Format) -> bool {
    match format {
        Format::Csv | Format::Tsv | Format::JsonLines | Format::ArrowStream | Format::Avro => true,
        Format::Parquet | Format::ArrowFile => false,
    }
}

/// Converts, and lets out each part once it is proven.
///
/// # Errors
/// Those of a conversion; once something is out, [`Failure::Released`] around them.
pub fn convert(job: &Job, out: &mut (dyn Write + Send), progress: &Progress) -> Result<Streamed> {
    let started = (SystemTime::now(), Instant::now());
    preconditions(job).into_iter().collect::<Result<()>>()?;
    keys::signing_key()?;
    let rejects = Rejects::begin(job, None)?;
    let mut source = Source::open(job, progress)?;
    let job = &fitting(job, &source.opened)?;
    hold_pieces(job, &source.opened);
    let lost = lost(source.opened.table(), job.write.format);
    source.opened.notes.extend(lost);
    if source.opened.can_retype() {
        progress.again(&[(Stage::Typing, source.size())]);
        let typed = profiled(job, &mut source, progress);
        source.unless_changed(typed)?;
    }
    let attempt = loop {
        let attempt = match attempt(job, &source, out, progress) {
            Ok(attempt) => attempt,
            Err(failure) if without_advice(job, &mut source.opened, &failure) => continue,
            Err(failure) => return Err(failure),
        };
        let nothing_out = attempt.released.bytes == 0;
        match &attempt.proven {
            Err(failure) if nothing_out && without_advice(job, &mut source.opened, failure) => {}
            _ => break attempt,
        }
    };
    let released = attempt.released;
    if attempt.closed {
        return Ok(Streamed::Closed(released));
    }
    sealed(job, &source, attempt, rejects, started).map_err(|failure| match released.bytes {
        0 => failure,
        _ => Failure::Released { bytes: released.bytes, rows: Some(released.rows), cause: Box::new(failure) },
    })
}

/// What came of letting the parts out.
struct Attempt {
    proven: Result<Vec<Verified>>,
    object: ObjectDigest,
    released: Released,
    closed: bool,
    schema: Schema,
    styles: Vec<ColumnStyle>,
}

fn attempt(job: &Job, source: &Source, out: &mut (dyn Write + Send), progress: &Progress) -> Result<Attempt> {
    let table = source.opened.table();
    let encoder = encoder(table.schema(), &source.opened.typings(), &job.write)?;
    let schema = logical_schema(table.schema())?;
    let styles = source.opened.styles_for(&encoder)?;
    // What --strict would refuse at the end is refused before anything is out.
    strictly(job, &source.opened, &styles)?;
    let parts = geometry::cut(table.rows(), job.write.part_rows(), &job.write.geometry(), |rows| {
        table.byte_range(rows)
    });
    let directory = std::env::temp_dir();
    let (encoder, directory) = (&encoder, &directory);
    let stream = Stream { job, source, encoder, schema: &schema, directory, progress };
    let (hasher, released) = (ObjectHasher::new(), Released::default());
    let mut target = Target { out, hasher, released, closed: false, progress };
    let proven = stream.run(&parts, &mut target).map_err(|failure| misfit(&source.opened, failure));
    let Target { hasher, released, closed, .. } = target;
    Ok(Attempt { proven, object: hasher.finish(), released, closed, schema, styles })
}

/// The certificate of what is out.
fn sealed(
    job: &Job,
    source: &Source,
    attempt: Attempt,
    mut rejects: Option<Rejects>,
    started: (SystemTime, Instant),
) -> Result<Streamed> {
    let Attempt { proven, object, schema, styles, .. } = attempt;
    let verified = source.unless_changed(proven)?;
    source.check_unchanged()?;
    let whole = VerifiedWhole::assemble(&Model::Table(schema.clone()), verified, source.records());
    let whole = whole.map_err(|error| Failure::Mismatch(error.to_string()))?;
    let file = seal::file(Path::new("-"), object, job.write.media.media_type.as_str());
    let parameters = rejects::kept(job, &source.opened, &mut rejects)?;
    let facts = seal::facts(source.files(), Vec::from([file]), &parameters, styles.clone(), started.0);
    let sealed = seal(&whole, facts, job.strict)?;
    let left = rejects::published(rejects)?;
    let times = (started.1.elapsed(), Duration::ZERO);
    let mut outcome = Outcome::of((job, source), (&whole, &sealed), (&schema, &styles), object.size, times);
    outcome.done.certificate = Path::new("-").to_owned();
    outcome.done.notes.extend(left);
    Ok(Streamed::Whole(Box::new(outcome), sealed.certificate))
}

/// What the parts have in common.
struct Stream<'a> {
    job: &'a Job,
    source: &'a Source,
    encoder: &'a Encoder,
    schema: &'a Schema,
    directory: &'a Path,
    progress: &'a Progress,
}

/// One part that is proven.
struct Part {
    verified: Verified,
    rows: u64,
    bytes: Pieces,
    sidecar: Vec<u8>,
}

impl Stream<'_> {
    /// Makes, proves and lets out all parts.
    fn run(&self, parts: &[Range<u64>], target: &mut Target<'_>) -> Result<Vec<Verified>> {
        let table = self.source.opened.table();
        let whole = table.byte_range(0..table.rows());
        self.progress.begin(Stage::Converting, self.source.size(), whole.end - whole.start);
        let encoder = self.encoder.get();
        let header = encoder.header()?;
        let (mut placed, mut verified) = (Vec::<Placed>::new(), Vec::new());
        if parts.is_empty() {
            self.reread(&header, &Pieces::default(), &[], 0..0)?;
        }
        let make = |index: usize| self.part(index, parts[index].clone(), &header);
        pool::in_order(self.job.workers, parts.len(), make, |index, part| {
            self.source.check_unchanged()?;
            if index == 0 {
                target.write(&header)?;
            }
            let start = target.released.bytes;
            part.bytes.each(|piece| target.write(piece))?;
            target.out_for(part.rows)?;
            let bytes = start..target.released.bytes;
            placed.push(Placed { rows: part.rows, bytes, sidecar: part.sidecar });
            verified.push(part.verified);
            Ok(())
        })?;
        if parts.is_empty() {
            target.write(&header)?;
        }
        target.write(&encoder.footer(&placed)?)?;
        target.out_for(0)?;
        Ok(verified)
    }

    fn part(&self, index: usize, rows: Range<u64>, header: &[u8]) -> Result<Part> {
        let table = self.source.opened.table();
        let watch = share(table, &rows, self.progress);
        let encoder = self.encoder.get();
        let made = convert_part(table, rows.clone(), encoder, self.schema, &watch).map_err(stopped)?;
        let mut hasher = blake3::Hasher::new();
        made.encoded.bytes.each(|piece| {
            hasher.update(piece);
            Ok::<(), formats::Error>(())
        })?;
        let digest = Digest(*hasher.finalize().as_bytes());
        let sidecar = made.encoded.sidecar;
        let at = header.len() as u64;
        let place = Placed {
            rows: made.encoded.rows,
            bytes: at..at + made.encoded.bytes.len(),
            sidecar: sidecar.clone(),
        };
        let found = self.reread(header, &made.encoded.bytes, &[place], rows.clone())?;
        let claim = Claim::exact(index as u64, made.content, self.source.digest(), digest);
        let verified = Verified::check(claim, &found);
        let ranges = vec![0..0; index].into_iter().chain([rows.clone()]).collect::<Vec<_>>();
        let verified = verified.map_err(|error| mismatch(&error, self.schema, &ranges))?;
        Ok(Part { verified, rows: rows.end - rows.start, bytes: made.encoded.bytes, sidecar })
    }

    /// Writes a part, which is to lie in the given place, with header and footer into a temporary, opens that
    /// as a target, and decodes it.
    fn reread(&self, header: &[u8], part: &Pieces, placed: &[Placed], rows: Range<u64>) -> Result<ReadBack> {
        let failed = |error| Failure::io(self.directory, error);
        let mut file = tempfile::tempfile_in(self.directory).map_err(failed)?;
        let mut write = |bytes: &[u8]| file.write_all(bytes).map_err(failed);
        write(header)?;
        part.each(&mut write)?;
        write(&self.encoder.get().footer(placed)?)?;
        let fails = |error| unreadable("a finished part", error);
        let file = Arc::new(ObjectFile::from_file(file, &self.directory.join("part"))?);
        let (write, lie) = (&self.job.write, (rows.start, placed));
        let target = open_written(file.clone(), write, self.encoder, lie, &Listener::default());
        let target = target.map_err(fails)?;
        target.check_structure().map_err(fails)?;
        let found = logical_schema(target.schema()).map_err(fails)?;
        if &found != self.schema || target.rows() != rows.end - rows.start {
            let (want, rows) = (rows.end - rows.start, target.rows());
            let schema = self.schema;
            return Err(Failure::Mismatch(format!(
                "a finished part holds {rows} rows of {found:?}, and not {want} of {schema:?}"
            )));
        }
        let watch = |_| self.progress.watch(0);
        let content = read_part(target.as_ref(), 0..target.rows(), self.schema, &watch).map_err(fails)?;
        let start = header.len() as u64;
        Ok(ReadBack::exact(content, digest_range(&file, start..start + part.len())?))
    }
}

/// Where parts go, and what of them is out.
struct Target<'a> {
    out: &'a mut (dyn Write + Send),
    hasher: ObjectHasher,
    released: Released,
    /// Whether the reader closed its end.
    closed: bool,
    progress: &'a Progress,
}

impl Target<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.closed = !released::write(self.out, bytes, &mut self.released.bytes, self.progress)?;
        if self.closed {
            return Err(Failure::io(Path::new("-"), ErrorKind::BrokenPipe.into()));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// These rows are out.
    fn out_for(&mut self, rows: u64) -> Result<()> {
        self.out.flush().map_err(|error| Failure::io(Path::new("-"), error))?;
        self.released.rows += rows;
        Ok(())
    }
}
