//! Provides the counting of equal rows on both sides, in bounded memory: counts by digest, which go to
//! temporaries by a byte of the digest where there are too many of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use coherence::digest::Digest;

use super::Which;
use super::spill::{PIECES, piece};
use crate::error::{Error, Result};

/// Memory that one digest and its counts take in the table.
const ENTRY_BYTES: usize = 160;

/// Levels of cutting: one byte of the digest for each.
const LEVELS: usize = 32;

/// Bytes of an entry in a temporary.
const RECORD_BYTES: usize = 64;

/// How often each side has a row, and where it has it first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) times: [u64; 2],
    pub(super) first: [u64; 2],
}

impl Counts {
    fn merge(&mut self, other: &Counts) {
        for side in 0..2 {
            if other.times[side] > 0 {
                let first = if self.times[side] == 0 { u64::MAX } else { self.first[side] };
                self.first[side] = first.min(other.first[side]);
                self.times[side] += other.times[side];
            }
        }
    }
}

/// Counts of digests.
pub(super) struct Tally {
    dir: PathBuf,
    counts: HashMap<Digest, Counts>,
    max: usize,
    level: usize,
    files: Vec<Option<BufWriter<File>>>,
}

impl Tally {
    /// A tally that holds about `memory` bytes at once.
    pub(super) fn new(dir: &Path, memory: usize) -> Self {
        Tally::at_level(dir, (memory / ENTRY_BYTES).max(PIECES), 0)
    }

    fn at_level(dir: &Path, max: usize, level: usize) -> Self {
        Tally { dir: dir.to_owned(), counts: HashMap::new(), max, level, files: Vec::new() }
    }

    /// Counts one row.
    pub(super) fn add(&mut self, digest: Digest, which: Which, row: u64) -> Result<()> {
        let mut counts = Counts::default();
        (counts.times[which as usize], counts.first[which as usize]) = (1, row);
        self.merge(digest, &counts)
    }

    fn merge(&mut self, digest: Digest, counts: &Counts) -> Result<()> {
        self.counts.entry(digest).or_default().merge(counts);
        if self.counts.len() >= self.max && self.level < LEVELS {
            self.spill()?;
        }
        Ok(())
    }

    /// Tells of each digest that one side has more often than the other.
    pub(super) fn finish(mut self, tell: &mut dyn FnMut(&Counts) -> Result<()>) -> Result<()> {
        if self.files.is_empty() {
            return self
                .counts
                .values()
                .filter(|counts| counts.times[0] != counts.times[1])
                .try_for_each(tell);
        }
        self.spill()?;
        let Tally { dir, max, level, files, counts } = self;
        drop(counts);
        for file in files.into_iter().flatten() {
            let mut piece = Tally::at_level(&dir, max, level + 1);
            let mut file = file.into_inner().map_err(|error| Error::io(&dir, error.into_error()))?;
            file.seek(SeekFrom::Start(0)).map_err(|error| Error::io(&dir, error))?;
            let mut reader = BufReader::new(file);
            while let Some((digest, counts)) = read(&mut reader).map_err(|error| Error::io(&dir, error))? {
                piece.merge(digest, &counts)?;
            }
            piece.finish(tell)?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.files.resize_with(PIECES, || None);
        for (digest, counts) in self.counts.drain() {
            let file = &mut self.files[piece(digest.as_bytes(), self.level)];
            let failed = |error| Error::io(&self.dir, error);
            if file.is_none() {
                *file = Some(BufWriter::new(tempfile::tempfile_in(&self.dir).map_err(failed)?));
            }
            if let Some(file) = file {
                file.write_all(&record(&digest, &counts)).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// The digest, then the counts and the first rows of both sides, little-endian.
fn record(digest: &Digest, counts: &Counts) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..32].copy_from_slice(digest.as_bytes());
    let numbers = counts.times.iter().chain(&counts.first);
    for (place, number) in bytes[32..].chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn read(file: &mut impl Read) -> std::io::Result<Option<(Digest, Counts)>> {
    let mut bytes = [0; RECORD_BYTES];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let (digest, numbers) = bytes.split_at(32);
    let mut place = numbers.as_chunks::<8>().0.iter().map(|number| u64::from_le_bytes(*number));
    let mut next = || place.next().unwrap_or_default();
    let mut found = Counts { times: [next(), next()], ..Counts::default() };
    found.first = [next(), next()];
    Ok(digest.first_chunk::<32>().map(|digest| (Digest(*digest), found)))
}
