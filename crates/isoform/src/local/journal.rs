//! Provides the journal of a conversion: one line for each finished part, so that a killed run can be gone on
//! from.
//!
//! A line that was cut off ends the journal; what it would have said is done again. The journal is not
//! trusted: the bytes of a reused part must have the digest that its line gives, and the source, which is
//! decoded again, the content.

use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use coherence::content::{Grid, PartContent};
use coherence::digest::Digest;
use formats::words::counted;
use serde::{Deserialize, Serialize};

use super::keys;
use super::replace::Replace;
use super::staging::{JOURNAL_ENDING, Staging, beside};
use super::temporary::{create_beside, remove_left, remove_own};
use crate::failure::{Failure, Result};

/// Bytes of a journal that are read at most: about four million parts.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// Bytes of a line that are read at most. A part of a million columns has leaves of 64 MB for each 65,536
/// rows; memory sets the limit for such a table long before.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// A finished part: where its bytes lie in the temporary, and what was proven of them so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Index of the part.
    pub part: usize,
    /// Bytes of the target.
    pub bytes: Range<u64>,
    /// BLAKE3 of those bytes.
    pub digest: Digest,
    /// What the footer must know.
    pub sidecar: Vec<u8>,
    /// Content that was decoded from the source.
    pub content: PartContent,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    part: usize,
    start: u64,
    end: u64,
    digest: String,
    sidecar: String,
    units: u64,
    /// The model of the content, as [`grid_text`] spells it.
    grid: String,
    leaves: String,
    /// BLAKE3 of the line without this, against lines that were half written.
    check: String,
}

impl Line {
    fn sum(&self) -> String {
        let Line { part, start, end, digest, sidecar, units, grid, leaves, check: _ } = self;
        let text = format!("{part} {start} {end} {digest} {units} {grid} {sidecar} {leaves}");
        Digest::blake3(text.as_bytes()).to_string()
    }
}

/// `signal`, `bytes`, or `table:` and the number of columns.
fn grid_text(grid: Grid) -> String {
    match grid {
        Grid::Table { columns } => format!("table:{columns}"),
        Grid::Signal => "signal".into(),
        Grid::Bytes => "bytes".into(),
    }
}

fn grid_of(text: &str) -> Option<Grid> {
    Some(match text {
        "signal" => Grid::Signal,
        "bytes" => Grid::Bytes,
        _ => Grid::Table { columns: text.strip_prefix("table:")?.parse().ok()? },
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().as_chunks::<2>();
    if !pairs.1.is_empty() {
        return None;
    }
    pairs.0.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        let mut line = Line {
            part: entry.part,
            start: entry.bytes.start,
            end: entry.bytes.end,
            digest: entry.digest.to_string(),
            sidecar: hex(&entry.sidecar),
            units: entry.content.units,
            grid: grid_text(entry.content.grid),
            leaves: entry.content.leaves.iter().map(Digest::to_string).collect(),
            check: String::new(),
        };
        line.check = line.sum();
        line
    }
}

impl Line {
    fn to_entry(&self) -> Option<Entry> {
        if self.sum() != self.check {
            return None;
        }
        let leaves = unhex(&self.leaves)?;
        let (leaves, rest) = leaves.as_chunks::<32>();
        rest.is_empty().then_some(())?;
        let content = PartContent {
            grid: grid_of(&self.grid)?,
            units: self.units,
            leaves: leaves.iter().copied().map(Digest).collect(),
        };
        Some(Entry {
            part: self.part,
            bytes: self.start..self.end,
            digest: self.digest.parse().ok()?,
            sidecar: unhex(&self.sidecar)?,
            content,
        })
    }
}

/// The journal of one conversion. It is removed when dropped, unless kept.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    keep: bool,
}

/// Opens the temporary of a target, and tells where its journal is, once there is a key to sign with. A run
/// that is to go on from finished parts does not lose them, however early it fails; any other begins without
/// them.
pub fn begin(target: &Path, replace: Replace, resume: bool) -> Result<(Staging, PathBuf)> {
    let staging = Staging::open_to(resume, target, replace)?;
    keys::signing_key()?;
    let path = beside(target, JOURNAL_ENDING)?;
    if !resume {
        remove_left(&path)?;
    }
    Ok((staging, path))
}

/// The next line of a journal, unless it was cut off, is longer than any may be, or is no text.
fn line(reader: &mut impl BufRead, bytes_max: u64) -> Option<String> {
    let mut line = Vec::new();
    reader.take(bytes_max).read_until(b'\n', &mut line).ok()?;
    line.pop_if(|byte| *byte == b'\n')?;
    String::from_utf8(line).ok()
}

/// What an interrupted run left is of no use.
pub fn changed(target: &Path) -> Failure {
    let what = "the interrupted conversion was of another source or had other options";
    Failure::Usage(format!("{}: {what}; convert without --resume to begin anew", target.display()))
}

/// What is to be said where a run was to go on from finished parts, and there are none, or some of them were
/// damaged since.
pub fn in_vain(resume: bool, reused: usize, damaged: usize) -> Option<String> {
    match (resume, reused, damaged) {
        (true, 0, 0) => {
            Some("--resume: there was nothing to go on from, as in a first run, so all of it was done".into())
        }
        (true, _, 1..) => {
            let (parts, were) =
                (counted(damaged, "finished part"), if damaged == 1 { "was" } else { "were" });
            Some(format!(
                "--resume: {parts} of the interrupted run did not have the bytes that it had noted, or came \
                 after such a part, and {were} made again"
            ))
        }
        _ => None,
    }
}

impl Journal {
    /// What an interrupted run left: the line that tells its conversion, and its finished parts in order.
    pub fn read(path: &Path) -> Result<Option<(String, Vec<Entry>)>> {
        // What is not a file of our own is told when the journal begins.
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(None);
        }
        let file = File::open(path).map_err(|error| Failure::io(path, error))?;
        let mut reader = BufReader::new(file.take(JOURNAL_BYTES_MAX));
        let mut lines = std::iter::from_fn(|| line(&mut reader, LINE_BYTES_MAX));
        let Some(identity) = lines.next() else { return Ok(None) };
        let mut entries: Vec<Entry> = Vec::new();
        for line in lines {
            let entry = serde_json::from_str::<Line>(&line).ok().and_then(|line| line.to_entry());
            match entry {
                Some(entry) if entry.part == entries.len() => entries.push(entry),
                _ => break,
            }
        }
        Ok(Some((identity, entries)))
    }

    /// Begins a journal, which replaces one that is there. It holds values of the content, such as the least
    /// of a column, so that none but the owner may read it, as the target may be private.
    pub fn begin(path: &Path, identity: &str, entries: &[Entry]) -> Result<Self> {
        let file = create_beside(path)?;
        let private = file.set_permissions(Permissions::from_mode(0o600));
        private.map_err(|error| Failure::io(path, error))?;
        let mut journal = Journal { path: path.to_owned(), file, keep: false };
        journal.write(&format!("{identity}\n"))?;
        for entry in entries {
            journal.add(entry)?;
        }
        Ok(journal)
    }

    /// Adds a finished part.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        let line = serde_json::to_string(&Line::from(entry));
        let line = line.map_err(|error| Failure::bug(format_args!("journal line: {error}")))?;
        self.write(&format!("{line}\n"))
    }

    /// Keeps the journal when this is dropped.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.file.write_all(text.as_bytes()).map_err(|error| Failure::io(&self.path, error))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.keep {
            remove_own(&self.file, &self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(part: usize) -> Entry {
        Entry {
            part,
            bytes: 10..20,
            digest: Digest::blake3(b"a"),
            sidecar: vec![0, 255, 16],
            content: PartContent {
                grid: Grid::Table { columns: 2 },
                units: 3,
                leaves: vec![Digest::blake3(b"c"), Digest::blake3(b"d")],
            },
        }
    }

    #[test]
    fn a_journal_that_was_cut_off_gives_its_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::begin(&path, "identity", &[entry(0)]).unwrap();
        journal.keep(true);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        journal.add(&entry(1)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let first_two = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for cut in first_two + 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (found, entries) = Journal::read(&path).unwrap().unwrap();
            assert_eq!(found, "identity");
            assert!(entries.len() < 2 || cut + 1 == whole.len(), "{cut}");
            assert!(entries.iter().enumerate().all(|(part, found)| *found == entry(part)));
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_read_whole() {
        let mut reader = BufReader::new((&b"one\ntwo\n"[..]).chain(std::io::repeat(0)));
        let mut next = || line(&mut reader, 16);
        assert_eq!((next(), next(), next()), (Some("one".into()), Some("two".into()), None));
        // A last line that was cut off is none.
        assert_eq!(line(&mut &b"cut"[..], 16), None);
        assert_eq!(line(&mut &b"exactly\n"[..], 8).as_deref(), Some("exactly"));
        assert_eq!(line(&mut &b"exactly\n"[..], 7), None);
    }

    #[test]
    fn a_journal_is_not_written_into_what_has_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("journal"), dir.path().join("copy"));
        std::fs::write(&copy, "precious").unwrap();
        std::fs::hard_link(&copy, &path).unwrap();
        Journal::begin(&path, "identity", &[]).unwrap().keep(true);
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "identity\n");
    }

    #[test]
    fn the_journal_of_another_run_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = Journal::begin(&path, "first", &[]).unwrap();
        let second = Journal::begin(&path, "second", &[]).unwrap();
        drop(first);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second\n");
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn parts_that_were_damaged_are_not_said_to_be_missing() {
        let told = |reused, damaged| in_vain(true, reused, damaged).unwrap_or_default();
        assert!(told(0, 0).contains("nothing to go on from") && told(3, 0).is_empty());
        assert!(told(0, 1).contains(": 1 finished part ") && told(0, 1).ends_with("was made again"));
        assert!(told(1, 2).contains(": 2 finished parts ") && told(1, 2).ends_with("were made again"));
        assert_eq!(in_vain(false, 0, 0), None);
    }

    #[test]
    fn a_line_that_was_changed_ends_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        Journal::begin(&path, "identity", &[entry(0), entry(1)]).unwrap().keep(true);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"start\":10", "\"start\":11", 1)).unwrap();
        assert_eq!(Journal::read(&path).unwrap().unwrap().1, Vec::new());
    }
}
