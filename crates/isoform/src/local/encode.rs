//! Provides the first half of a conversion: every part decoded, digested, encoded and appended, with a
//! journal.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use coherence::content::PartContent;
use coherence::digest::Digest;
use coherence::schema::Schema;
use formats::bytes::Outlet;
use formats::convert::{Converted, convert_part, read_part};
use formats::table::{Placed, TableEncoder, TableSource};

use super::journal::{Entry, Journal, changed};
use super::pool;
use super::staging::Staging;
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;

/// What a run over the parts needs.
pub struct Work<'a> {
    /// The source.
    pub source: &'a dyn TableSource,
    /// Makes the parts of the target.
    pub encoder: &'a dyn TableEncoder,
    /// The schema of the content.
    pub schema: &'a Schema,
    /// Rows of each part.
    pub parts: &'a [Range<u64>],
    /// Threads.
    pub workers: usize,
    /// Bytes of the source as it lies on disk, which the bar is measured in.
    pub size: u64,
    /// The target, of which errors tell.
    pub target: &'a Path,
    /// Where progress is told.
    pub progress: &'a Progress,
}

/// What a thread made of a part.
enum Made {
    /// An earlier run has made it; this is what the source holds of it.
    Before(PartContent),
    /// Its bytes and content, the bytes of the source behind them, and the time that it took.
    Now(Converted, u64, Duration),
}

/// The finished parts of a target, which has no footer yet.
#[derive(Debug)]
pub struct Parts {
    /// One entry for each part, in order.
    pub entries: Vec<Entry>,
    /// How many of them an earlier run had finished.
    pub reused: usize,
}

impl Work<'_> {
    /// Encodes the parts that `done` does not hold and appends them after its last one. The rows of the
    /// others are decoded and digested again, as no journal is evidence of what the source holds.
    ///
    /// # Errors
    /// Among others, a part of the earlier run holds something else than the source.
    pub fn run(&self, staging: &mut Staging, journal: &mut Journal, done: Vec<Entry>) -> Result<Parts> {
        let reused = done.len();
        let (header, mut outlet) = (self.encoder.header()?, Outlet::new(self.encoder.member()));
        let at = done.last().map_or(0, |entry| entry.bytes.end);
        if at == 0 {
            staging.truncate(0)?;
            staging.append(&outlet.pass(&header)?)?;
        } else {
            staging.truncate(at)?;
        }
        let mut entries = done;
        let whole = self.source.byte_range(0..self.source.rows());
        let units = self.parts.iter().map(|rows| self.source.byte_range(rows.clone()));
        let units = units.map(|bytes| bytes.end - bytes.start).sum::<u64>().max(whole.end - whole.start);
        self.progress.begin(Stage::Converting, self.size, units);
        let make = |index: usize| self.make(index, index < reused);
        pool::in_order(self.workers, self.parts.len(), make, |index, made| match made {
            Made::Before(content) if content == entries[index].content => Ok(()),
            Made::Before(_) => Err(changed(self.target)),
            Made::Now(converted, size, time) => {
                let entry = append(staging, &mut outlet, index, converted)?;
                journal.add(&entry)?;
                self.progress.say(2, || self.told(&entry, size, time));
                entries.push(entry);
                Ok(())
            }
        })?;
        staging.append(&outlet.finish()?)?;
        Ok(Parts { entries, reused })
    }

    /// Decodes and digests the rows of a part, and encodes them where no earlier run did.
    fn make(&self, index: usize, before: bool) -> Result<Made> {
        let rows = self.parts[index].clone();
        let watch = share(self.source, &rows, self.progress);
        if before {
            let content = read_part(self.source, rows, self.schema, &watch);
            return content.map(Made::Before).map_err(stopped);
        }
        let bytes = self.source.byte_range(rows.clone());
        let began = Instant::now();
        let converted = convert_part(self.source, rows, self.encoder, self.schema, &watch);
        Ok(Made::Now(converted.map_err(stopped)?, bytes.end - bytes.start, began.elapsed()))
    }

    /// A line about a part that is in the temporary.
    fn told(&self, entry: &Entry, size: u64, time: Duration) -> String {
        let (number, count) = (entry.part + 1, self.parts.len());
        let rows = &self.parts[entry.part];
        let (from, to) = (report::bytes(size), report::bytes(entry.bytes.end - entry.bytes.start));
        let (first, seconds) = (rows.start + 1, time.as_secs_f64());
        format!("part {number} of {count}: rows {first} to {}, {from} → {to}, {seconds:.2} s", rows.end)
    }

    /// The entries of an earlier run whose bytes are still there with the digest that was noted, and that
    /// cover the parts of this run. One member of a wrapping is begun anew.
    pub fn still_true(&self, staging: &mut Staging, entries: Vec<Entry>) -> Result<Vec<Entry>> {
        if self.encoder.member().is_some() {
            return Ok(Vec::new());
        }
        let fits = |(entry, rows): &(Entry, &Range<u64>)| entry.content.units == rows.end - rows.start;
        let fitting = entries.into_iter().zip(self.parts).take_while(fits).map(|(entry, _)| entry);
        staging.still_there(self.encoder.header()?.len() as u64, fitting.collect())
    }
}

fn append(staging: &mut Staging, outlet: &mut Outlet, part: usize, converted: Converted) -> Result<Entry> {
    let mut hasher = blake3::Hasher::new();
    let start = staging.len();
    converted.encoded.bytes.each(|piece| {
        let piece = outlet.pass(piece)?;
        hasher.update(&piece);
        staging.append(&piece)
    })?;
    let (bytes, digest) = (start..staging.len(), Digest(*hasher.finalize().as_bytes()));
    let (sidecar, content) = (converted.encoded.sidecar, converted.content);
    Ok(Entry { part, bytes, digest, sidecar, content })
}

/// What counts rows of a part that are done, by their share of its bytes in the source, and asks whether to
/// stop.
pub fn share<'a>(
    source: &dyn TableSource,
    rows: &Range<u64>,
    progress: &'a Progress,
) -> impl Fn(u64) -> formats::Result<()> + Sync + use<'a> {
    let bytes = source.byte_range(rows.clone());
    let (size, count) = (bytes.end - bytes.start, (rows.end - rows.start).max(1));
    move |rows: u64| {
        let share = u128::from(size) * u128::from(rows) / u128::from(count);
        progress.watch(share as u64)
    }
}

/// Writes the footer.
pub fn close(encoder: &dyn TableEncoder, staging: &mut Staging, parts: &Parts) -> Result<()> {
    let placed: Vec<Placed> = parts.entries.iter().map(placed).collect();
    let footer = encoder.footer(&placed)?;
    staging.append(&footer)
}

/// Where a part lies in the target.
pub fn placed(entry: &Entry) -> Placed {
    Placed { rows: entry.content.units, bytes: entry.bytes.clone(), sidecar: entry.sidecar.clone() }
}

/// A stop that was asked for is no fault of a format.
pub fn stopped(error: formats::Error) -> Failure {
    match error {
        formats::Error::Stopped => Failure::Interrupted,
        other => other.into(),
    }
}

/// What was written, which does not read back: no fault of the source. A stop that was asked for is no fault
/// of anything.
pub fn unreadable(what: &str, error: formats::Error) -> Failure {
    match error {
        formats::Error::Stopped => Failure::Interrupted,
        other => Failure::Mismatch(format!("{what} does not read back: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{DIFFERS, INTERRUPTED};

    #[test]
    fn what_does_not_read_back_is_no_malformed_source_unless_it_was_stopped() {
        let malformed = formats::Error::malformed("CSV", formats::Place::default(), "a quote is missing");
        let failure = unreadable("the finished target", malformed);
        assert_eq!(failure.code(), DIFFERS);
        let told = failure.to_string();
        assert!(told.starts_with("the finished target does not read back: "), "{told}");
        assert!(told.contains("a quote is missing"), "{told}");
        assert_eq!(unreadable("the finished target", formats::Error::Stopped).code(), INTERRUPTED);
    }
}
