//! Provides the first half of a conversion of bytes: the content cut into parts, each digested, encoded and
//! appended, with a journal.

use std::sync::{Arc, Mutex, PoisonError};

use coherence::content::{BytesDigester, PartContent};
use coherence::digest::Digest;
use formats::bytes::{Ahead, Codec, Encoder, Settings, Totals};
use formats::file::ObjectFile;

use super::super::journal::{Entry, Journal, changed};
use super::super::pool;
use super::super::staging::Staging;
use super::BytesJob;
use crate::failure::Result;
use crate::progress::Progress;

/// What a run over the parts needs.
pub struct Work<'a> {
    /// What is to be done.
    pub job: &'a BytesJob,
    /// The source.
    pub file: Arc<ObjectFile>,
    /// How it is wrapped.
    pub from: Codec,
    /// Threads that wrap parts.
    pub workers: usize,
    /// Threads that unwrap the source.
    pub unwrapping: usize,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// The finished target, not yet proven.
#[derive(Clone)]
pub struct Parts {
    /// One entry for each part, in order.
    pub entries: Vec<Entry>,
    /// How many of them an earlier run had finished.
    pub reused: usize,
    /// What the reader of the source counted.
    pub totals: Totals,
}

/// What a thread made of a part.
enum Made {
    /// An earlier run has made it.
    Before,
    /// Members of their own.
    Apart(PartContent, Vec<u8>),
    /// Content that the one stream goes on with.
    Content(PartContent, Vec<u8>),
}

/// Draws parts from the source, into buffers that are used again: fresh memory costs more than filling it.
struct Feed {
    reader: Ahead,
    part_bytes: usize,
    first: bool,
    ended: bool,
    at: u64,
}

impl Feed {
    /// The next part. An object without content is one part without bytes, since most formats have no file
    /// without a member.
    fn next(&mut self, mut run: Vec<u8>, progress: &Progress) -> Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        run.resize(self.part_bytes, 0);
        let count = self.reader.fill(&mut run)?;
        run.truncate(count);
        let at = self.reader.position();
        progress.advance(at.saturating_sub(self.at))?;
        self.at = at;
        self.ended = count < self.part_bytes;
        let first = std::mem::replace(&mut self.first, false);
        Ok((count > 0 || first).then_some(run))
    }
}

impl Work<'_> {
    /// Encodes the parts that `done` does not hold and appends them after its last one; then what closes the
    /// target.
    pub fn run(&self, staging: &mut Staging, journal: &mut Journal, done: Vec<Entry>) -> Result<Parts> {
        staging.truncate(done.last().map_or(0, |entry| entry.bytes.end))?;
        let to: Settings = self.job.to;
        let part_bytes = usize::try_from(to.part_bytes()).unwrap_or(usize::MAX);
        let reader = Ahead::new(self.from, &self.file, self.unwrapping)?;
        let mut feed = Feed { reader, part_bytes, first: true, ended: false, at: 0 };
        let spare: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
        let spares = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = || spares().pop().unwrap_or_default();
        let give_back = |run: Vec<u8>| spares().push(run);
        let watch = || self.progress.watch(0);
        let mut encoder = Encoder::new(to);
        let (mut entries, mut taken) = (Vec::with_capacity(done.len()), 0);
        let draw = || feed.next(buffer(), self.progress);
        let make = |index: usize, mut run: Vec<u8>| {
            let mut digester = BytesDigester::new();
            digester.push(&run);
            let content = digester.finish();
            #[cfg(test)]
            self.job.lie.iter().for_each(|lie| lie(&mut run));
            if let Some(entry) = done.get(index) {
                give_back(run);
                return if entry.content == content {
                    Ok(Made::Before)
                } else {
                    Err(changed(&self.job.target))
                };
            }
            if !Encoder::is_apart(to) {
                return Ok(Made::Content(content, run));
            }
            let bytes = Encoder::apart(to, &mut run, &watch)?;
            give_back(run);
            Ok(Made::Apart(content, bytes))
        };
        pool::fed_in_order(self.workers, draw, make, |index, made| {
            taken += 1;
            let (content, bytes) = match made {
                Made::Before => {
                    entries.push(done[index].clone());
                    return Ok(());
                }
                Made::Apart(content, bytes) => (content, bytes),
                Made::Content(content, run) => {
                    let bytes = encoder.follow(&run, &watch)?;
                    give_back(run);
                    (content, bytes)
                }
            };
            let entry = append(staging, index, content, &bytes)?;
            journal.add(&entry)?;
            entries.push(entry);
            Ok(())
        })?;
        if taken < done.len() {
            return Err(changed(&self.job.target));
        }
        staging.append(&encoder.finish()?)?;
        Ok(Parts { entries, reused: done.len(), totals: feed.reader.totals() })
    }
}

fn append(staging: &mut Staging, part: usize, content: PartContent, bytes: &[u8]) -> Result<Entry> {
    let start = staging.len();
    staging.append(bytes)?;
    let (bytes, digest) = (start..staging.len(), Digest::blake3(bytes));
    Ok(Entry { part, bytes, digest, sidecar: Vec::new(), content })
}
