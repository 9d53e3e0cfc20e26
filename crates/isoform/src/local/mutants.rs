//! Tests of the proof: a conversion with one deliberate fault in it must not be found true. Each fault stands
//! for a bug that a decoder, an encoder, the joining of parts or a careless restart could have.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use coherence::digest::Digest;
use formats::concat::ConcatOptions;
use formats::csv::BadRecords;
use formats::open::{OpenOptions, TypingRules};
use formats::pieces::Pieces;
use formats::registry::{FORMATS, Format};
use formats::table::{Encoded, PartEncoder, Placed, TableEncoder};
use formats::write::{Encoder, WriteOptions, encoder};
use serde_json::Map;

use super::job::{Job, encode_with, read_back};
use super::journal::{Journal, changed};
use super::source::Source;
use super::staging::{Staging, beside, temporaries};
use crate::cli::{Output, When};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::typed::Typed;

/// Rows of the table under test: three chunks, so that there are parts to swap.
const ROWS: usize = 150_000;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The encoder is given one row less, and says nothing.
    DroppedRow,
    /// The encoder is given one row twice.
    DoubledRow,
    /// A bit of a value flips between decoder and encoder.
    DecoderBit,
    /// A bit flips in the bytes of an encoded part.
    EncoderBit,
    /// The footer describes the parts in another order.
    SwappedParts,
    /// The bytes of the first two parts stand in the other order.
    SwappedBytes,
    /// The footer says that every part lies one byte further on.
    FooterOffset,
    /// A bit flips in the joined file.
    JoinedBit,
    /// The bytes of one part are those of another run over other data.
    StaleBytes,
    /// A bit flips in what stands before the parts.
    HeaderBit,
    /// The last byte of a part, which ends its last line where it is text, is missing.
    UnendedPart,
    /// A row follows the last byte that was written.
    RowBehind,
}

struct Mutant {
    inner: Encoder,
    fault: Fault,
}

impl TableEncoder for Mutant {
    fn header(&self) -> formats::Result<Vec<u8>> {
        self.inner.get().header()
    }

    fn part(&self, first_row: u64) -> formats::Result<Box<dyn PartEncoder + '_>> {
        Ok(Box::new(Part {
            inner: self.inner.get().part(first_row)?,
            fault: self.fault,
            batches: 0,
            rows: 0,
        }))
    }

    fn footer(&self, placed: &[Placed]) -> formats::Result<Vec<u8>> {
        let mut placed = placed.to_vec();
        match self.fault {
            Fault::SwappedParts => placed.swap(0, 1),
            Fault::FooterOffset => {
                placed.iter_mut().for_each(|part| part.bytes = part.bytes.start + 1..part.bytes.end + 1);
            }
            _ => {}
        }
        self.inner.get().footer(&placed)
    }
}

struct Part<'a> {
    inner: Box<dyn PartEncoder + 'a>,
    fault: Fault,
    batches: usize,
    rows: u64,
}

impl PartEncoder for Part<'_> {
    fn push(&mut self, batch: &RecordBatch) -> formats::Result<()> {
        self.batches += 1;
        self.rows += batch.num_rows() as u64;
        if self.batches != 2 {
            return self.inner.push(batch);
        }
        match self.fault {
            Fault::DroppedRow => self.inner.push(&batch.slice(1, batch.num_rows() - 1)),
            Fault::DoubledRow => {
                self.inner.push(&batch.slice(0, 1))?;
                self.inner.push(batch)
            }
            Fault::DecoderBit => self.inner.push(&flipped(batch)),
            _ => self.inner.push(batch),
        }
    }

    fn finish(self: Box<Self>) -> formats::Result<Encoded> {
        let mut encoded = self.inner.finish()?;
        if matches!(self.fault, Fault::EncoderBit | Fault::UnendedPart) {
            let mut bytes = encoded.bytes.concat()?;
            let middle = bytes.len() / 2;
            match self.fault {
                Fault::UnendedPart => drop(bytes.pop()),
                _ => bytes[middle] ^= 4,
            }
            encoded.bytes = Pieces::default();
            encoded.bytes.push(bytes)?;
        }
        // The count that the encoder reports must not be what finds the fault.
        encoded.rows = self.rows;
        Ok(encoded)
    }
}

fn flipped(batch: &RecordBatch) -> RecordBatch {
    let mut values = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    values[3] ^= 1;
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[0] = Arc::new(Int64Array::from(values));
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// A table whose lines are of one length, so that its parts in text are as well.
fn table(dir: &Path, seed: usize, rows: usize) -> PathBuf {
    let path = dir.join(format!("table-{seed}.csv"));
    let mut text = String::from("id,name,price\n");
    for row in 0..rows {
        let (id, name) = (100_000 + row + seed, 10_000 + (row * 7919 + seed) % 10_007);
        text.push_str(&format!("{id},name {name},{}.{:02}\n", 100 + row % 900, row % 100));
    }
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn job(dir: &Path, source: PathBuf, format: Format) -> Job {
    let open = OpenOptions {
        arrays: None,
        led: Vec::new(),
        format: None,
        csv: formats::csv::CsvOptions::default(),
        typing: TypingRules::default(),
        certified: None,
        encoding: formats::spool::EncodingChoice::default(),
        presence: false,
        bad: BadRecords::Fail,
        record_bytes_max: usize::MAX,
        keys_max: usize::MAX,
        row_bytes_max: usize::MAX,
        workers: 1,
        spool_dir: dir.to_owned(),
        listener: formats::listen::Listener::default(),
    };
    let write = WriteOptions::plain(format);
    Job {
        via: Vec::new(),
        chain: Vec::new(),
        from: None,
        sources: vec![source],
        hashed: None,
        many: ConcatOptions::default(),
        rejects: None,
        partition_by: Vec::new(),
        target: dir.join("target"),
        open,
        write,
        replace: false.into(),
        resume: false,
        strict: false,
        workers: 2,
        memory: 512 << 20,
        typed: Typed::default(),
        parameters: Map::new(),
        notes: Vec::new(),
    }
}

/// Flips a bit of the byte at `at`.
fn flip(file: &std::fs::File, at: u64) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 16], at).unwrap();
}

/// Converts with a fault and returns what the proof says.
fn attempt(dir: &Path, job: &Job, fault: Fault, other: &[u8]) -> Result<u64> {
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output)?;
    let mut staging = Staging::open(&job.target, false)?;
    let source = Source::open(job, &progress)?;
    let (schema, typings) = (source.opened.table().schema().clone(), source.opened.typings());
    let inner = encoder(&schema, &typings, &job.write)?;
    let mutant = |inner: Encoder| Box::new(Mutant { inner, fault });
    let faulty = Encoder::Binary(mutant(inner));
    let journal = beside(&job.target, ".isoform-journal")?;
    let mut made = encode_with(faulty, job, &source, &mut staging, &journal, &progress)?;
    made.close(&mut staging)?;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(staging.path()).unwrap();
    let [before, part] = [0, 1].map(|index| made.parts.entries[index].bytes.clone());
    match fault {
        Fault::SwappedBytes => {
            let mut both = vec![0; (part.end - before.start) as usize];
            file.read_exact_at(&mut both, before.start).unwrap();
            both.rotate_left((part.start - before.start) as usize);
            file.write_all_at(&both, before.start).unwrap();
        }
        Fault::JoinedBit => flip(&file, (part.start + part.end) / 2),
        Fault::HeaderBit => flip(&file, made.parts.entries[0].bytes.start / 2),
        Fault::RowBehind => file.write_all_at(b"7,name,1.00\n", file.metadata().unwrap().len()).unwrap(),
        Fault::StaleBytes => {
            let (start, end) = (part.start as usize, (part.end as usize).min(other.len()));
            file.write_all_at(&other[start..end], part.start).unwrap();
        }
        _ => {}
    }
    // Text is read back under the typings of its encoder, so the real one stands in for the mutant here.
    made.encoder = encoder(&schema, &typings, &job.write)?;
    let proof = read_back(job, &source, &made, staging.path(), &progress);
    drop(staging);
    let left: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("isoform-part")), "{left:?}");
    Ok(proof?.whole.units())
}

#[test]
fn every_fault_is_found_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let (source, other_source) = (table(dir.path(), 1, ROWS), table(dir.path(), 2, ROWS));
    for format in FORMATS {
        let other_job = job(dir.path(), other_source.clone(), format);
        let other = bytes_of(dir.path(), &other_job);
        let job = job(dir.path(), source.clone(), format);
        assert_eq!(attempt(dir.path(), &job, Fault::None, &other).unwrap(), ROWS as u64, "{format:?}");
        for fault in [
            Fault::DroppedRow,
            Fault::DoubledRow,
            Fault::DecoderBit,
            Fault::EncoderBit,
            Fault::SwappedParts,
            Fault::SwappedBytes,
            Fault::FooterOffset,
            Fault::JoinedBit,
            Fault::StaleBytes,
            Fault::HeaderBit,
            Fault::UnendedPart,
            Fault::RowBehind,
        ] {
            // Formats without a footer have no offsets in it to be wrong.
            let footer = matches!(format, Format::Parquet | Format::ArrowFile);
            if matches!(fault, Fault::SwappedParts | Fault::FooterOffset) && !footer {
                continue;
            }
            if fault == Fault::HeaderBit && format == Format::JsonLines {
                continue;
            }
            let found = attempt(dir.path(), &job, fault, &other);
            assert!(matches!(found, Err(Failure::Mismatch(_))), "{format:?}, {fault:?}: {found:?}");
        }
    }
}

/// Where the decoder of the source loses a row, its digest is that of the rows that are left: all of them
/// come back, and only the count of the records tells.
#[test]
fn a_row_that_the_decoder_loses_is_found_by_the_count() {
    let dir = tempfile::tempdir().unwrap();
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output).unwrap();
    for format in FORMATS {
        let opened = |rows: usize| {
            let made = bytes_of(dir.path(), &job(dir.path(), table(dir.path(), 1, rows), format));
            let path = dir.path().join(format!("{rows}.{}", format.endings()[0]));
            std::fs::write(&path, made).unwrap();
            Source::open(&job(dir.path(), path, Format::Csv), &progress).unwrap()
        };
        let (whole, lossy) = (opened(ROWS), opened(ROWS - 1));
        let job = job(dir.path(), whole.objects[0].path.clone(), Format::Csv);
        let mut staging = Staging::open(&job.target, false).unwrap();
        let target = encoder(lossy.opened.table().schema(), &lossy.opened.typings(), &job.write).unwrap();
        let journal = dir.path().join("journal");
        let mut made = encode_with(target, &job, &lossy, &mut staging, &journal, &progress).unwrap();
        made.close(&mut staging).unwrap();
        let proof = |source| {
            let proof = read_back(&job, source, &made, staging.path(), &progress);
            proof.map(|proof| proof.whole.units())
        };
        assert_eq!(proof(&lossy).unwrap(), ROWS as u64 - 1, "{format:?}: nothing else finds it");
        let found = proof(&whole);
        let told = format!("the source {ROWS}");
        assert!(
            matches!(&found, Err(Failure::Mismatch(why)) if why.contains(&told)),
            "{format:?}: {found:?}"
        );
    }
}

/// The bytes of a finished temporary of this job.
fn bytes_of(dir: &Path, job: &Job) -> Vec<u8> {
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output).unwrap();
    let mut staging = Staging::open(&job.target, false).unwrap();
    let source = Source::open(job, &progress).unwrap();
    let made = encoder(source.opened.table().schema(), &source.opened.typings(), &job.write).unwrap();
    let made = encode_with(made, job, &source, &mut staging, &dir.join("journal"), &progress);
    made.unwrap().close(&mut staging).unwrap();
    std::fs::read(staging.path()).unwrap()
}

/// The bytes of a part and its line in the journal agree, but another source was converted.
#[test]
fn parts_of_another_source_are_not_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output).unwrap();
    let path = table(dir.path(), 1, ROWS);
    for format in FORMATS {
        let job = Job { resume: true, ..job(dir.path(), path.clone(), format) };
        let [part, journal, ..] = temporaries(&job.target).unwrap();
        let run = || {
            let mut staging = Staging::open(&job.target, false)?;
            let source = Source::open(&job, &progress)?;
            let target = encoder(source.opened.table().schema(), &source.opened.typings(), &job.write)?;
            let made = encode_with(target, &job, &source, &mut staging, &journal, &progress)?;
            Ok::<_, Failure>((made.parts.entries.len(), made.parts.reused))
        };
        let (parts, reused) = run().unwrap();
        assert!(parts > 1 && reused == 0, "{format:?}");
        assert_eq!(run().unwrap(), (parts, parts), "{format:?}");
        let (line, mut entries) = Journal::read(&journal).unwrap().unwrap();
        entries[1].content.leaves[0] = Digest::blake3(b"other");
        Journal::begin(&journal, &line, &entries).unwrap().keep(true);
        let failure = run().unwrap_err();
        assert!(matches!(&failure, Failure::Usage(why) if why.contains("another source")), "{failure}");
        assert!(part.exists() && journal.exists(), "nothing is lost by a refusal");
        [part, journal].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
    // One that changed only now is a matter of trying again.
    let job = job(dir.path(), path.clone(), Format::Csv);
    let source = Source::open(&job, &progress).unwrap();
    std::fs::write(&path, "id\n1\n").unwrap();
    let failure = source.unless_changed::<()>(Err(changed(&job.target))).unwrap_err();
    assert_eq!(failure.code(), crate::failure::TEMPORARY);
}

/// What is found wrong with bytes that changed since they were opened is a matter of trying again.
#[test]
fn a_source_that_changes_while_it_is_read_is_no_malformed_one() {
    let dir = tempfile::tempdir().unwrap();
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    let progress = Progress::new(&output).unwrap();
    for format in [Format::Parquet, Format::Avro] {
        let made = job(dir.path(), table(dir.path(), 1, ROWS), format);
        let path = dir.path().join(format!("source.{}", format.endings()[0]));
        std::fs::write(&path, bytes_of(dir.path(), &made)).unwrap();
        let job = job(dir.path(), path.clone(), Format::Csv);
        let read = || {
            let source = Source::open(&job, &progress)?;
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[0x55; 100_000], 1000).unwrap();
            let mut staging = Staging::open(&job.target, false)?;
            let (schema, typings) = (source.opened.table().schema(), source.opened.typings());
            let target = encoder(schema, &typings, &job.write)?;
            let journal = dir.path().join("journal");
            let made = encode_with(target, &job, &source, &mut staging, &journal, &progress).map(drop);
            assert!(matches!(&made, Err(Failure::Format(_))), "{format:?}: {made:?}");
            source.unless_changed(made)
        };
        assert_eq!(read().unwrap_err().code(), crate::failure::TEMPORARY, "{format:?}");
    }
}
