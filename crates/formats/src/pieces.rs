//! Provides [`Pieces`]: the bytes of an encoded part, in memory as far as all parts together fit there, and
//! from then on in a temporary.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::limits::{LONG_BUFFER_BYTES_MIN, PIECES_HELD_BYTES_MAX, PIECES_SPILL_BYTES_MIN};

/// Bytes in one piece at most, save what was appended at once.
const PIECE_BYTES: usize = 1 << 20;

/// Bytes in the first piece at least: thousands of parts of a few rows may be made side by side.
const PIECE_BYTES_MIN: usize = 4 << 10;

/// Bytes that are in memory for the pieces of all parts, and how many may be.
static HELD: AtomicUsize = AtomicUsize::new(0);
static HELD_MAX: AtomicUsize = AtomicUsize::new(PIECES_HELD_BYTES_MAX);

/// Where they go on, if that was told.
static DIRECTORY: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Lets the pieces of all parts of this process hold so many bytes in memory, and never more than
/// [`PIECES_HELD_BYTES_MAX`], and go on in files of `directory`. Untold, that is the one of the system.
pub fn hold_at_most(bytes: usize, directory: &Path) {
    HELD_MAX.store(bytes.min(PIECES_HELD_BYTES_MAX), Ordering::Relaxed);
    *told_directory() = Some(directory.to_owned());
}

fn told_directory() -> MutexGuard<'static, Option<PathBuf>> {
    DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where pieces go on.
pub(crate) fn directory() -> PathBuf {
    told_directory().clone().unwrap_or_else(std::env::temp_dir)
}

/// A share of [`HELD`].
#[derive(Debug, Default)]
struct Held(usize);

impl Held {
    fn add(&mut self, bytes: usize) {
        self.0 += bytes;
        HELD.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes over the share of another.
    fn join(&mut self, mut other: Held) {
        self.0 += std::mem::take(&mut other.0);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Bytes in pieces: they grow without being moved, which for a whole part costs more than making them. Once
/// the parts that are being made hold more than [`PIECES_HELD_BYTES_MAX`] in memory, the larger ones go on
/// in a temporary; what the bytes are does not depend on where they lie.
#[derive(Debug, Default)]
pub struct Pieces {
    /// The first bytes, if they are no longer in memory.
    spilled: Option<Spilled>,
    /// The bytes after them.
    pieces: Vec<Vec<u8>>,
    held: Held,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    len: u64,
}

impl Pieces {
    /// Adds a piece that is there already.
    ///
    /// # Errors
    /// Those of the temporary, here and below.
    pub fn push(&mut self, piece: Vec<u8>) -> Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        self.held.add(piece.capacity());
        self.pieces.push(piece);
        self.spill_if_many().map_err(failed)
    }

    /// Adds the pieces of another.
    pub fn append(&mut self, more: Pieces) -> Result<()> {
        if more.spilled.is_some() {
            return more.each(|piece| self.extend_from_slice(piece));
        }
        let Pieces { mut pieces, held, .. } = more;
        self.pieces.append(&mut pieces);
        self.held.join(held);
        self.spill_if_many().map_err(failed)
    }

    /// Adds what is in `bytes`, which is empty then: little is copied, so that there is room for what
    /// follows, and much is moved.
    pub fn drain(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        if bytes.len() >= LONG_BUFFER_BYTES_MIN {
            return self.push(std::mem::take(bytes));
        }
        self.extend_from_slice(bytes)?;
        bytes.clear();
        Ok(())
    }

    /// Copies bytes to the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(failed)
    }

    /// Hands over all bytes, piece by piece and in order.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn each<E: From<Error>>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if let Some(Spilled { file, len }) = &self.spilled {
            let (mut file, mut left, mut piece) = (file, *len, vec![0; PIECE_BYTES]);
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            while left > 0 {
                piece.truncate(usize::try_from(left).unwrap_or(PIECE_BYTES));
                file.read_exact(&mut piece).map_err(failed)?;
                take(&piece)?;
                left -= piece.len() as u64;
            }
        }
        self.pieces.iter().try_for_each(|piece| take(piece))
    }

    /// Count of bytes.
    pub fn len(&self) -> u64 {
        let spilled = self.spilled.as_ref().map_or(0, |spilled| spilled.len);
        spilled + self.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.spilled.is_none() && self.pieces.is_empty()
    }

    /// Whether some of the bytes are no longer in memory.
    pub fn has_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// All bytes in one piece, for those that are known to be few.
    pub fn concat(&self) -> Result<Vec<u8>> {
        let mut all = Vec::with_capacity(usize::try_from(self.len()).unwrap_or(0));
        self.each(|piece| {
            all.extend_from_slice(piece);
            Ok::<(), Error>(())
        })?;
        Ok(all)
    }

    /// Moves what is in memory into the temporary, where all parts hold too much and this one much of it.
    fn spill_if_many(&mut self) -> io::Result<()> {
        if self.held.0 < PIECES_SPILL_BYTES_MIN
            || HELD.load(Ordering::Relaxed) <= HELD_MAX.load(Ordering::Relaxed)
        {
            return Ok(());
        }
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled { file: tempfile::tempfile_in(directory())?, len: 0 }),
        };
        spilled.file.seek(SeekFrom::Start(spilled.len))?;
        for piece in self.pieces.drain(..) {
            spilled.file.write_all(&piece)?;
            spilled.len += piece.len() as u64;
        }
        self.held = Held::default();
        Ok(())
    }
}

/// A fault of the temporary.
fn failed(error: io::Error) -> Error {
    Error::io(directory(), error)
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let room = |last: &Vec<u8>| last.capacity() - last.len();
        if self.pieces.last().is_none_or(|last| room(last) == 0) {
            self.spill_if_many()?;
            // As much again as there is, so that little takes little room and much few pieces.
            let size = self.held.0.clamp(PIECE_BYTES_MIN, PIECE_BYTES);
            let piece = Vec::with_capacity(size);
            self.held.add(piece.capacity());
            self.pieces.push(piece);
        }
        let Some(last) = self.pieces.last_mut() else { return Ok(0) };
        let taken = room(last).min(bytes.len());
        last.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at * 7 % 251) as u8).collect()
    }

    /// What the pieces are made of, in the three ways to add.
    fn made(all: &[u8]) -> Pieces {
        let (first, rest) = all.split_at(all.len() / 3);
        let (second, third) = rest.split_at(rest.len() / 2);
        let mut pieces = Pieces::default();
        first.chunks(70_001).for_each(|chunk| pieces.extend_from_slice(chunk).unwrap());
        pieces.push(second.to_vec()).unwrap();
        let mut more = Pieces::default();
        third.chunks(1 << 21).for_each(|chunk| more.write_all(chunk).unwrap());
        pieces.append(more).unwrap();
        pieces.push(Vec::new()).unwrap();
        pieces
    }

    fn sum(held: usize) {
        assert_eq!(HELD.load(Ordering::Relaxed), held, "what was held is given back");
    }

    #[test]
    fn bytes_are_the_same_in_memory_and_in_a_temporary() {
        let all = bytes(3 * PIECES_SPILL_BYTES_MIN);
        let pieces = made(&all);
        assert!(pieces.spilled.is_none());
        assert_eq!((pieces.len(), pieces.is_empty()), (all.len() as u64, false));
        assert!(pieces.concat().unwrap() == all);
        drop(pieces);
        sum(0);
        let mut others = Held::default();
        others.add(PIECES_HELD_BYTES_MAX);
        let mut pieces = made(&all);
        assert!(pieces.spilled.is_some());
        assert!(pieces.held.0 < 2 * PIECES_SPILL_BYTES_MIN, "{} bytes are held", pieces.held.0);
        assert_eq!((pieces.len(), pieces.is_empty()), (all.len() as u64, false));
        assert!(pieces.concat().unwrap() == all);
        // Reading leaves the place where writing goes on.
        pieces.append(made(&all)).unwrap();
        assert!(pieces.concat().unwrap() == [all.as_slice(), &all].concat());
        drop(pieces);
        sum(PIECES_HELD_BYTES_MAX);
        let few = made(&all[..PIECES_SPILL_BYTES_MIN / 2]);
        assert!(few.spilled.is_none(), "few bytes are not worth a file");
        drop((few, others));
        sum(0);
    }

    #[test]
    fn no_pieces_are_no_bytes() {
        let pieces = Pieces::default();
        assert_eq!((pieces.len(), pieces.is_empty()), (0, true));
        assert!(pieces.concat().unwrap().is_empty());
        sum(0);
    }
}
