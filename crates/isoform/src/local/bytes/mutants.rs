//! Tests of the proof of bytes: a finished temporary with one deliberate fault in it must not be found true.

use std::path::{Path, PathBuf};

use coherence::digest::Digest;
use coherence::verified::Records;
use formats::bytes::conformance::sample;
use formats::bytes::{CODECS, Codec, Encoder, Settings};
use serde_json::Map;

use super::super::journal::Journal;
use super::super::staging::Staging;
use super::work::{Parts, Work};
use super::{BytesJob, convert, open, prove};
use crate::cli::{Output, When};
use crate::failure::{DIFFERS, Failure, Result};
use crate::progress::Progress;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The encoder is given one byte less, and says nothing.
    DroppedByte,
    /// The encoder is given one byte twice.
    DoubledByte,
    /// A bit of the content flips between decoder and encoder.
    DecoderBit,
    /// A bit flips in the finished file.
    JoinedBit,
    /// Two parts stand in each other's place.
    SwappedParts,
    /// A part is missing from the file.
    MissingPart,
    /// Bytes follow the last part.
    Appended,
    /// The bytes of one part are those of another run over other content.
    StaleBytes,
    /// The reader of the source lost the last byte, and nobody noticed while it was read.
    SourceCut,
}

const FAULTS: [Fault; 9] = [
    Fault::DroppedByte,
    Fault::DoubledByte,
    Fault::DecoderBit,
    Fault::JoinedBit,
    Fault::SwappedParts,
    Fault::MissingPart,
    Fault::Appended,
    Fault::StaleBytes,
    Fault::SourceCut,
];

fn job(dir: &Path, source: PathBuf, to: Settings) -> BytesJob {
    BytesJob {
        source,
        from: Some(Codec::Raw),
        target: dir.join("target"),
        to,
        replace: true.into(),
        resume: false,
        threads: Some(2),
        memory: 1 << 30,
        parameters: Map::new(),
        notes: Vec::new(),
        lie: None,
    }
}

/// Part 1 of the target, made anew from changed content.
fn remake(to: Settings, content: &[u8], fault: Fault) -> Result<Vec<u8>> {
    let part = usize::try_from(to.part_bytes()).unwrap();
    let mut run = content[part..(2 * part).min(content.len())].to_vec();
    match fault {
        Fault::DroppedByte => {
            run.remove(99);
        }
        Fault::DoubledByte => run.insert(99, run[99]),
        _ => run[99] ^= 4,
    }
    Ok(Encoder::apart(to, &mut run, &|| Ok(()))?)
}

/// A target that was made without a fault: its parts and its bytes.
fn made(dir: &Path, to: Settings, content: &[u8]) -> Result<(Parts, Vec<u8>)> {
    let progress = progress()?;
    let source = dir.join("source");
    std::fs::write(&source, content).unwrap();
    let job = job(dir, source, to);
    let opened = open(&job, &progress)?;
    let mut staging = Staging::open(&job.target, true)?;
    let mut journal = Journal::begin(&dir.join("journal"), "test", &[])?;
    let (file, from) = (opened.file, opened.from);
    let work = Work { job: &job, file, from, workers: 2, unwrapping: 2, progress: &progress };
    let parts = work.run(&mut staging, &mut journal, Vec::new())?;
    let bytes = std::fs::read(staging.path()).unwrap();
    Ok((parts, bytes))
}

fn progress() -> Result<Progress> {
    Progress::new(&Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None })
}

/// Puts a fault into what was made and returns what the proof says.
fn attempt(
    dir: &Path,
    to: Settings,
    content: &[u8],
    made: &(Parts, Vec<u8>),
    stale: &[u8],
    fault: Fault,
) -> Result<u64> {
    let (mut parts, mut file) = made.clone();
    damage(to, content, stale, fault, &mut parts, &mut file)?;
    let path = dir.join("damaged");
    std::fs::write(&path, &file).unwrap();
    let records = Records { counted: parts.totals.bytes, set_aside: 0 };
    let proof = prove::read_back(to, &parts, records, Digest::blake3(content), &path, (2, 2), &progress()?);
    Ok(proof?.whole.units())
}

fn damage(
    to: Settings,
    content: &[u8],
    stale: &[u8],
    fault: Fault,
    parts: &mut Parts,
    file: &mut Vec<u8>,
) -> Result<()> {
    let range = |part: usize, parts: &Parts| {
        let bytes = &parts.entries[part].bytes;
        bytes.start as usize..bytes.end as usize
    };
    match fault {
        Fault::None => {}
        Fault::DroppedByte | Fault::DoubledByte | Fault::DecoderBit => {
            let bytes = remake(to, content, fault)?;
            let place = range(1, parts);
            let grown = bytes.len() as i64 - place.len() as i64;
            // The writer believes in what it wrote: place and digest are those of the wrong bytes.
            parts.entries[1].digest = Digest::blake3(&bytes);
            parts.entries[1].bytes.end = (place.start + bytes.len()) as u64;
            for entry in &mut parts.entries[2..] {
                entry.bytes.start = entry.bytes.start.strict_add_signed(grown);
                entry.bytes.end = entry.bytes.end.strict_add_signed(grown);
            }
            file.splice(place, bytes);
        }
        Fault::JoinedBit => {
            let place = range(1, parts);
            file[place.start + place.len() / 2] ^= 16;
        }
        Fault::SwappedParts => {
            let (first, second) = (range(0, parts), range(1, parts));
            let swapped = [&file[second.clone()], &file[first.clone()]].concat();
            file.splice(first.start..second.end, swapped);
        }
        Fault::MissingPart => {
            file.drain(range(1, parts));
        }
        Fault::Appended => file.extend_from_slice(&stale[..stale.len().min(40)]),
        Fault::StaleBytes => {
            let place = range(1, parts);
            let end = place.end.min(stale.len());
            file[place.start..end].copy_from_slice(&stale[place.start..end]);
        }
        Fault::SourceCut => parts.totals.bytes += 1,
    }
    Ok(())
}

/// Content of three parts, quick to pack.
fn content(seed: u64, part_bytes: u64) -> Vec<u8> {
    let mut content = sample(seed, 1 << 20).repeat(usize::try_from(part_bytes >> 19).unwrap());
    content.extend(sample(seed + 1, 5_000));
    // Parts must differ, or swapping them would change nothing.
    content[0] ^= 1;
    content[usize::try_from(part_bytes).unwrap()] ^= 2;
    content
}

#[test]
fn every_fault_is_found_in_every_wrapping() {
    let dir = tempfile::tempdir().unwrap();
    for codec in CODECS {
        let fastest = codec.levels().map(|levels| *levels.known.start().max(&1));
        let to = Settings::new(codec, fastest).unwrap();
        let (mine, theirs) = (content(1, to.part_bytes()), content(5, to.part_bytes()));
        let stale = made(dir.path(), to, &theirs).unwrap().1;
        let made = made(dir.path(), to, &mine).unwrap();
        assert!(!dir.path().join(".target.isoform-part").exists(), "a temporary is left");
        for fault in [Fault::None].into_iter().chain(FAULTS) {
            // What is one stream has no parts that could be made anew, swapped or lost by themselves.
            let whole = [Fault::None, Fault::JoinedBit, Fault::Appended, Fault::StaleBytes, Fault::SourceCut];
            if !Encoder::is_apart(to) && !whole.contains(&fault) {
                continue;
            }
            let found = attempt(dir.path(), to, &mine, &made, &stale, fault);
            match fault {
                Fault::None => assert_eq!(found.unwrap(), mine.len() as u64, "{codec:?}"),
                _ => assert!(matches!(found, Err(Failure::Mismatch(_))), "{codec:?}, {fault:?}: {found:?}"),
            }
        }
    }
}

/// An encoder writes what it was not given, with sums and lengths of its own that are right.
#[test]
fn an_encoder_that_changes_its_content_is_refused_and_leaves_nothing() {
    let lies: [fn(&mut Vec<u8>); 4] =
        [|run| run[99] ^= 4, |run| run.truncate(run.len() - 1), |run| run.push(0), |run| run.clear()];
    for codec in CODECS {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        std::fs::write(&source, sample(1, 5_000)).unwrap();
        for lie in lies {
            let job = BytesJob {
                lie: Some(lie),
                ..job(dir.path(), source.clone(), Settings::new(codec, None).unwrap())
            };
            let failure = convert(&job, &progress().unwrap()).unwrap_err();
            assert_eq!(failure.code(), DIFFERS, "{codec:?}: {failure}");
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{codec:?}");
        }
    }
}
