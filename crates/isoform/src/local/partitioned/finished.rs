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

    /// The parts of a partition's file, if an earlier run finished it with these rows and its bytes, which
    /// begin with this header, are still there.
    pub fn before(&self, waiting: &Waiting, file: &Path, header: &[u8]) -> Result<Option<Vec<Entry>>> {
        let found = Journal::read(&self.path(waiting))?.filter(|(line, _)| *line == self.line(waiting));
        let Some((_, entries)) = found else { return Ok(None) };
        if !file.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let (file, mut at) = (ObjectFile::open(file)?, header.len() as u64);
        let mut begin = vec![0; header.len()];
        if file.read_at(&mut begin, 0)? != header.len() || begin != header {
            return Ok(None);
        }
        for entry in &entries {
            let bytes = &entry.bytes;
            let there = bytes.start == at && bytes.start <= bytes.end && bytes.end <= file.len();
            if !there || digest_range(&file, bytes.clone())? != entry.digest {
                return Ok(None);
            }
            at = bytes.end;
        }
        Ok(Some(entries))
    }

    /// Notes that a partition's file is finished.
    pub fn add(&self, waiting: &Waiting, entries: &[Entry]) -> Result<()> {
        Journal::begin(&self.path(waiting), &self.line(waiting), entries)
            .map(|mut journal| journal.keep(true))
    }

    /// Where the journal of a partition is.
    fn path(&self, waiting: &Waiting) -> PathBuf {
        self.dir.join(Digest::blake3(waiting.path.as_bytes()).to_string())
    }

    /// The line that it begins with.
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
        let before = |identity: &str, rows, header: &[u8]| {
            finished(identity).before(&waiting(rows), &file, header).unwrap()
        };
        assert_eq!(before("a", 2, b"v\n"), None);
        finished("a").add(&waiting(2), &entries).unwrap();
        assert_eq!(before("a", 2, b"v\n").as_deref(), Some(&entries[..]));
        for (identity, rows, header) in
            [("b", 2, &b"v\n"[..]), ("a", 3, b"v\n"), ("a", 2, b"w\n"), ("a", 2, b"")]
        {
            assert_eq!(before(identity, rows, header), None, "{identity} {rows} {header:?}");
        }
        for text in ["v\n1\n3\n", "v\n1\n2"] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(before("a", 2, b"v\n"), None, "{text}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(before("a", 2, b"v\n"), None);
    }
}
