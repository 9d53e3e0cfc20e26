//! Provides what an interrupted run left of a target in partitions: the files that it had finished, each with
//! a journal of its parts.
//!
//! A journal is of use where it is of the same conversion and of the same rows, as they were decoded from the
//! source now; and it is not trusted: the bytes of the file must have the digests that it gives, and the file
//! is read back and compared like one that was just written.

use std::path::{Path, PathBuf};

use coherence::digest::Digest;
use formats::file::ObjectFile;

use super::rows::Waiting;
use crate::failure::Result;
use crate::local::journal::{Entry, Journal};
use crate::local::prove::digest_range;

/// The journals of finished files.
pub struct Finished {
    /// Their directory.
    dir: PathBuf,
    /// What a conversion must share with that of an earlier run.
    identity: String,
}

impl Finished {
    /// Those in this directory of conversions with this identity.
    pub fn new(dir: PathBuf, identity: String) -> Self {
        Finished { dir, identity }
    }

    /// The parts of a partition's file, if an earlier run finished it with these rows and its bytes are still
    /// there.
    pub fn before(&self, waiting: &Waiting, file: &Path) -> Result<Option<Vec<Entry>>> {
        let begins = self.line(waiting);
        let found = Journal::read(&self.path(waiting))?.filter(|(line, _)| line.starts_with(&begins));
        let Some((line, entries)) = found else { return Ok(None) };
        if !file.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let file = ObjectFile::open(file)?;
        let mut at = 0;
        let within = entries.iter().all(|Entry { bytes, .. }| {
            let follows = at <= bytes.start && bytes.start <= bytes.end && bytes.end <= file.len();
            at = bytes.end;
            follows
        });
        let same = within && line == format!("{begins} {}", digest_range(&file, 0..file.len())?);
        Ok(same.then_some(entries))
    }

    /// Notes that a partition's file is finished, and its digest.
    pub fn add(&self, waiting: &Waiting, entries: &[Entry], file: Digest) -> Result<()> {
        Journal::begin(&self.path(waiting), &format!("{} {file}", self.line(waiting)), entries)
            .map(|mut journal| journal.keep(true))
    }

    /// Where the journal of a partition is.
    fn path(&self, waiting: &Waiting) -> PathBuf {
        self.dir.join(Digest::blake3(waiting.path.as_bytes()).to_string())
    }

    /// The beginning of its first line; the digest of the file follows.
    fn line(&self, waiting: &Waiting) -> String {
        let (path, rows) = (Digest::blake3(waiting.path.as_bytes()), &waiting.rows);
        format!("{} {path} {} {}", self.identity, rows.rows, rows.digest)
    }
}

#[cfg(test)]
mod tests {
    use coherence::content::{Grid, PartContent};
    use coherence::rows::Sequence;

    use super::*;

    #[test]
    fn a_file_is_taken_over_where_its_rows_and_its_bytes_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("part-0.csv");
        std::fs::write(&file, "v\n1\n2\n").unwrap();
        let entry = |part, bytes: std::ops::Range<u64>, text: &[u8]| Entry {
            part,
            bytes,
            digest: Digest::blake3(text),
            sidecar: Vec::new(),
            content: PartContent { grid: Grid::Table { columns: 0 }, units: 1, leaves: Vec::new() },
        };
        let entries = [entry(0, 2..4, b"1\n"), entry(1, 4..6, b"2\n")];
        let waiting = |rows| Waiting {
            path: "k=1".into(),
            file: dir.path().join("rows"),
            rows: Sequence { rows, digest: Digest::default() },
            places: Vec::new(),
        };
        let finished = |identity: &str| Finished::new(dir.path().to_owned(), identity.into());
        let before = |identity: &str, rows| finished(identity).before(&waiting(rows), &file).unwrap();
        assert_eq!(before("a", 2), None);
        finished("a").add(&waiting(2), &entries, Digest::blake3(b"v\n1\n2\n")).unwrap();
        assert_eq!(before("a", 2).as_deref(), Some(&entries[..]));
        assert_eq!((before("b", 2), before("a", 3)), (None, None));
        for text in ["v\n1\n3\n", "w\n1\n2\n", "v\n1\n2\n3\n", "v\n1\n2"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(before("a", 2), None, "{text}");
        }
        // Nor are parts taken that no such file has.
        let apart = [entry(0, 6..8, b"1\n"), entry(1, 4..6, b"2\n")];
        finished("a").add(&waiting(2), &apart, Digest::blake3(b"v\n1\n2")).unwrap();
        assert_eq!(before("a", 2), None);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(before("a", 2), None);
    }
}
