//! Provides the content of an object in order, decoded by several threads where the object is made of members
//! that stand side by side.
//!
//! Where members begin is guessed by their first bytes, and proven by decoding: a stretch counts only if it
//! decodes as whole members up to its last byte, so that what follows begins where one thread would have come
//! to. Where it does not, the object is decoded by one thread from there on. So content and totals are those
//! of a [`BytesReader`], whatever the threads, and there is a fault where that meets one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::codec::HEAD_BYTES;
use super::{BytesReader, Codec, Totals, bgzf};
use crate::error::{Error, Result};
use crate::file::ObjectFile;

/// Bytes of an object that one thread decodes at a time, at least: much more than its start costs.
const STRETCH_BYTES: u64 = 1 << 20;

/// Bytes that are looked through for the next member at most. What has none as far as this is one member, as
/// most objects are, and looking on would only delay it.
const LOOK_BYTES: u64 = 64 << 20;

/// Content of a stretch that waits for its turn at most; the rest of it is decoded when its turn has come.
const HELD_BYTES: usize = 16 << 20;

/// Content that is handed over at once.
const BLOCK_BYTES: usize = 256 << 10;

/// The window of a member that is decoded ahead at most. What has a larger one is decoded by one thread,
/// which holds it once.
const WINDOW_BYTES_MAX: u64 = 32 << 20;

/// Memory that each thread takes at most which decodes such an object ahead, with what waits for its turn;
/// `None` where no object is decoded so.
pub fn thread_bytes(codec: Codec) -> Option<u64> {
    mark(codec)?;
    let decoder = match codec {
        Codec::Zstd | Codec::Xz => WINDOW_BYTES_MAX + (2 << 20),
        // Blocks of 4 MiB, packed and unpacked, and what stood before them.
        Codec::Lz4 => 13 << 20,
        Codec::Bzip2 => 5 << 20,
        _ => 1 << 20,
    };
    Some(HELD_BYTES as u64 + decoder)
}

/// The content of an object as one stream, decoded ahead of whoever reads it.
pub struct Ahead {
    way: Way,
    /// Members before the one that is being read, or before the stretch that is.
    before: u64,
    totals: Totals,
    position: u64,
}

enum Way {
    /// By the thread that reads.
    Here(BytesReader),
    /// By others.
    Line(Line),
    Broken,
}

impl From<BytesReader> for Ahead {
    /// What this reader gives, decoded by the thread that reads.
    fn from(mut reader: BytesReader) -> Self {
        let position = reader.position();
        Ahead { way: Way::Here(reader), before: 0, totals: Totals::default(), position }
    }
}

impl Ahead {
    /// Reads a whole object, decoded on up to `workers` threads where it has several members, else by the
    /// thread that reads.
    ///
    /// # Errors
    /// Those of reading the object: where its second member begins is looked for.
    pub fn new(codec: Codec, file: &Arc<ObjectFile>, workers: usize) -> Result<Self> {
        let here = || Ahead::from(BytesReader::new(codec, file.clone()));
        if workers < 2 || mark(codec).is_none() || file.len() < 2 * STRETCH_BYTES {
            return Ok(here());
        }
        let end = next_member(codec, file, STRETCH_BYTES, &mut vec![0; BLOCK_BYTES])?;
        if end == file.len() {
            return Ok(here());
        }
        let line = Line::new(codec, file.clone(), 0..end, workers);
        Ok(Ahead { way: Way::Line(line), before: 0, totals: Totals::default(), position: 0 })
    }

    /// Threads that decode.
    pub fn workers(&self) -> usize {
        match &self.way {
            Way::Line(line) => line.threads.len().max(1),
            Way::Here(_) | Way::Broken => 1,
        }
    }

    /// Fills `out` as far as there is content; fewer bytes only at its end.
    ///
    /// # Errors
    /// Those of [`BytesReader::fill`]. What was decoded before a fault is in `out`, and counted in the
    /// totals. There is nothing more to be read then.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match self.read(&mut out[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// What was seen so far: at the end of the content, what one thread would have counted.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Offset in the object up to which all is decoded that was given; it never goes back.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Some of the content; nothing only at its end.
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let line = match &mut self.way {
                Way::Here(_) => return self.read_here(out),
                Way::Line(line) => line,
                Way::Broken => return Err(Error::Bug("a reader was used after its error".into())),
            };
            line.begin_stretches()?;
            let Some(stretch) = line.waiting.front_mut() else {
                // The system gives no other thread.
                let (at, end) = (line.next.start, line.file.len());
                if at == end {
                    return Ok(0);
                }
                self.go_on_here(at, 0)?;
                continue;
            };
            if let Some(block) = &mut stretch.block {
                let content = &block.content[stretch.taken..block.count];
                let count = content.len().min(out.len());
                out[..count].copy_from_slice(&content[..count]);
                stretch.taken += count;
                stretch.given += count as u64;
                self.totals.bytes += count as u64;
                if stretch.taken == block.count {
                    (self.position, stretch.taken) = (self.position.max(block.position), 0);
                    stretch.block.take().into_iter().for_each(|block| line.spare.give(block.content));
                }
                return Ok(count);
            }
            let (codec, start, end, given) =
                (line.codec, stretch.range.start, stretch.range.end, stretch.given);
            match stretch.pieces.recv() {
                Ok(Piece::Content(block)) => {
                    self.totals.members = counted(codec, self.before + block.members);
                    stretch.block = Some(block);
                }
                Ok(Piece::End(members)) => {
                    self.before = counted(codec, self.before + members);
                    self.totals.members = self.before;
                    self.position = self.position.max(end);
                    line.waiting.pop_front();
                }
                Ok(Piece::Fault(error)) => {
                    // One thread would meet it too.
                    let same = end == line.file.len() && !matches!(error, Error::Limit { .. });
                    if same || !is_of_bytes(&error) {
                        self.way = Way::Broken;
                        return Err(error);
                    }
                    self.go_on_here(start, given)?;
                }
                Err(_) => {
                    self.way = Way::Broken;
                    return Err(Error::Bug("a thread that decodes died".into()));
                }
            }
        }
    }

    /// Has the thread that reads decode from the beginning of a stretch on, of whose content so many bytes
    /// were given.
    fn go_on_here(&mut self, start: u64, given: u64) -> Result<()> {
        let Way::Line(line) = std::mem::replace(&mut self.way, Way::Broken) else { return Ok(()) };
        let (codec, file) = (line.codec, line.file.clone());
        // The others have ended before, and given their memory back.
        drop(line);
        let end = file.len();
        let mut reader = BytesReader::range(codec, file, start..end);
        let mut block = vec![0; BLOCK_BYTES];
        let mut left = given;
        while left > 0 {
            let count = BLOCK_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX));
            if reader.fill(&mut block[..count])? < count {
                return Err(Error::Bug("what was decoded twice differs".into()));
            }
            left -= count as u64;
        }
        self.way = Way::Here(reader);
        Ok(())
    }

    fn read_here(&mut self, out: &mut [u8]) -> Result<usize> {
        let Way::Here(reader) = &mut self.way else { return Ok(0) };
        let before = reader.totals().bytes;
        let filled = reader.fill(out);
        let totals = reader.totals();
        self.totals.bytes += totals.bytes - before;
        self.totals.members = counted(reader.codec(), self.before + totals.members);
        match filled {
            Ok(_) => self.position = self.position.max(reader.position()),
            Err(_) => self.way = Way::Broken,
        }
        filled
    }
}

/// Members as one reader counts them: to it, all blocks of BGZF are one.
fn counted(codec: Codec, members: u64) -> u64 {
    if codec == Codec::Bgzf { members.min(1) } else { members }
}

/// Whether an error may come from cutting where no member begins.
fn is_of_bytes(error: &Error) -> bool {
    matches!(error, Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. })
}

/// Stretches that are decoded side by side, and the threads that do.
struct Line {
    codec: Codec,
    file: Arc<ObjectFile>,
    /// The stretch to begin next; none at the end of the object.
    next: Range<u64>,
    waiting: VecDeque<Stretch>,
    work: Option<Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
    spare: Spare,
}

/// A stretch whose content is wanted, or is being decoded.
struct Stretch {
    range: Range<u64>,
    pieces: Receiver<Piece>,
    /// What is being given of it, and how many bytes of that were.
    block: Option<Block>,
    taken: usize,
    /// Bytes of its content that were given.
    given: u64,
}

/// What a thread is to do.
struct Work {
    range: Range<u64>,
    pieces: SyncSender<Piece>,
}

/// What comes of a stretch, in this order.
enum Piece {
    Content(Block),
    /// All of it was decoded, and has so many members.
    End(u64),
    Fault(Error),
}

/// Content, of which the first `count` bytes count.
struct Block {
    content: Vec<u8>,
    count: usize,
    /// Offset in the object up to which it is decoded, and members of the stretch up to there.
    position: u64,
    members: u64,
}

/// Buffers that are used again: fresh memory costs more than filling it.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_else(|| vec![0; BLOCK_BYTES])
    }

    fn give(&self, content: Vec<u8>) {
        lock(&self.0).push(content);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// Starts the threads, or as many as the system gives.
    fn new(codec: Codec, file: Arc<ObjectFile>, next: Range<u64>, workers: usize) -> Self {
        let ((work, wanted), spare) = (channel::<Work>(), Spare::default());
        let wanted = Arc::new(Mutex::new(wanted));
        let thread = |_| {
            let (wanted, file, spare) = (wanted.clone(), file.clone(), spare.clone());
            let run = move || {
                // Whoever waits for work holds it; the others would only wait too.
                let draw = || lock(&wanted).recv();
                while let Ok(Work { range, pieces }) = draw() {
                    let reader = BytesReader::range(codec, file.clone(), range).within(WINDOW_BYTES_MAX);
                    decode(reader, &spare, &pieces);
                }
            };
            Builder::new().spawn(run).ok()
        };
        let threads = (0..workers).map_while(thread).collect();
        Line { codec, file, next, waiting: VecDeque::new(), work: Some(work), threads, spare }
    }

    /// Has each thread that has none decode a stretch.
    fn begin_stretches(&mut self) -> Result<()> {
        while self.waiting.len() < self.threads.len() && self.next.start < self.next.end {
            let end = self.next.end;
            let mut block = self.spare.take();
            let after = next_member(self.codec, &self.file, end + STRETCH_BYTES, &mut block)?;
            self.spare.give(block);
            let range = std::mem::replace(&mut self.next, end..after);
            let (sender, pieces) = sync_channel(HELD_BYTES / BLOCK_BYTES);
            if let Some(work) = &self.work {
                // A thread that died is met where its content is missing.
                drop(work.send(Work { range: range.clone(), pieces: sender }));
            }
            self.waiting.push_back(Stretch { range, pieces, block: None, taken: 0, given: 0 });
        }
        Ok(())
    }
}

impl Drop for Line {
    /// Ends the threads: each decodes one block more at most, for which nobody waits.
    fn drop(&mut self) {
        self.waiting.clear();
        self.work = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// Decodes a stretch for as long as its content is wanted.
fn decode(mut reader: BytesReader, spare: &Spare, pieces: &SyncSender<Piece>) {
    loop {
        let mut content = spare.take();
        let before = reader.totals().bytes;
        let filled = reader.fill(&mut content);
        let totals = reader.totals();
        // What was decoded before a fault is content too.
        let count = (totals.bytes - before) as usize;
        let last = match filled {
            Ok(filled) if filled == content.len() => None,
            Ok(_) => Some(Piece::End(totals.members)),
            Err(error) => Some(Piece::Fault(error)),
        };
        let block = Block { content, count, position: reader.position(), members: totals.members };
        let sent = match count {
            0 => {
                spare.give(block.content);
                Ok(())
            }
            _ => pieces.send(Piece::Content(block)),
        };
        match (sent, last) {
            (Ok(()), None) => {}
            (Ok(()), Some(last)) => return drop(pieces.send(last)),
            (Err(_), _) => return,
        }
    }
}

/// Where a member seems to begin, at `from` or after it; the end of the object where none is found.
fn next_member(codec: Codec, file: &ObjectFile, from: u64, block: &mut [u8]) -> Result<u64> {
    let Some(mark) = mark(codec) else { return Ok(file.len()) };
    let (mut at, end) = (from, file.len().min(from.saturating_add(LOOK_BYTES)));
    while at < end {
        let count = file.read_at(block, at)?;
        let begins = |found: &usize| begins(codec, &block[*found..count]);
        if let Some(found) = memchr::memmem::find_iter(&block[..count], mark).find(begins) {
            return Ok(at + found as u64);
        }
        if count < block.len() {
            break;
        }
        // A head that this block cuts is whole in the next one.
        at += (count - HEAD_BYTES) as u64;
    }
    Ok(file.len())
}

/// The bytes with which each member begins; `None` where an object is one member.
fn mark(codec: Codec) -> Option<&'static [u8]> {
    match codec {
        Codec::Raw | Codec::Brotli => None,
        Codec::Gzip | Codec::Bgzf => Some(&[0x1f, 0x8b, 8]),
        Codec::Zstd => Some(&[0x28, 0xb5, 0x2f, 0xfd]),
        Codec::Xz => Some(&[0xfd, b'7', b'z', b'X', b'Z', 0]),
        Codec::Bzip2 => Some(b"BZh"),
        Codec::Lz4 => Some(&[0x04, 0x22, 0x4d, 0x18]),
    }
}

/// Whether what follows such a mark goes on as the head of a member does, by which most that is none is told.
fn begins(codec: Codec, head: &[u8]) -> bool {
    match (codec, head) {
        (Codec::Gzip, [_, _, _, flags, _, _, _, _, 0 | 2 | 4, 0..=13 | 255, ..]) => flags & 0xe0 == 0,
        (Codec::Gzip, _) => false,
        (Codec::Bgzf, head) => bgzf::block_bytes(head).is_some(),
        (_, head) => Codec::of_bytes(head) == Some(codec),
    }
}

#[cfg(test)]
mod tests;
