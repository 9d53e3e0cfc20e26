//! Provides the content of an object in order, decoded by several threads where the object is made of members
//! that stand side by side.
//!
//! Where members begin is guessed by their first bytes, and proven by decoding: a stretch counts only if it
//! decodes as whole members up to its last byte, so that what follows begins where one thread would have come
//! to. Where it does not, the object is decoded by one thread from there on. So the content is that
//! of a [`BytesReader`], whatever the threads, and there is a fault where that meets one.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::thread::Builder;

use super::codec::HEAD_BYTES;
use super::{BytesReader, Codec, bgzf};
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

/// Takes content, and the offset in the object up to which it was decoded.
pub type Take<'a> = &'a mut dyn FnMut(&[u8], u64) -> Result<()>;

/// Decodes an object on `workers` threads and hands its content over in order.
///
/// # Errors
/// Those of [`BytesReader::fill`], and of `take`.
pub fn decode(codec: Codec, file: &Arc<ObjectFile>, workers: usize, take: Take<'_>) -> Result<()> {
    if workers < 2 || mark(codec).is_none() || file.len() < 2 * STRETCH_BYTES {
        return drain(&mut BytesReader::new(codec, file.clone()), &mut Taken::new(take, (0, 0)));
    }
    let (mut at, mut reached) = (0, 0);
    let broken = std::thread::scope(|scope| {
        let mut waiting = VecDeque::new();
        loop {
            while waiting.len() < workers && at < file.len() {
                let range = at..next_member(codec, file, at + STRETCH_BYTES)?;
                let reader = BytesReader::range(codec, file.clone(), range.clone());
                let decode = move || Stretch::decoded(reader);
                let Ok(stretch) = Builder::new().spawn_scoped(scope, decode) else { break };
                at = range.end;
                waiting.push_back((range, stretch));
            }
            let Some((range, stretch)) = waiting.pop_front() else {
                // This thread decodes the rest where the system gives no other.
                return Ok((at < file.len()).then_some((at, 0)));
            };
            let stretch = stretch.join().map_err(|_| Error::Bug("a thread that decodes died".into()))?;
            let mut taken = Taken::new(take, (0, reached));
            let handed = stretch.and_then(|stretch| stretch.hand_over(&range, &mut taken));
            reached = taken.reached;
            match handed {
                Ok(()) => {}
                Err(error) if taken.refused || !is_of_bytes(&error) => return Err(error),
                // One thread would meet it too.
                Err(error) if range.end == file.len() && taken.bytes > 0 => return Err(error),
                Err(_) => return Ok(Some((range.start, taken.bytes))),
            }
        }
    })?;
    match broken {
        None => Ok(()),
        Some((start, left_out)) => {
            let mut reader = BytesReader::range(codec, file.clone(), start..file.len());
            drain(&mut reader, &mut Taken::new(take, (left_out, reached)))
        }
    }
}

/// Whether an error may come from cutting where no member begins.
fn is_of_bytes(error: &Error) -> bool {
    matches!(error, Error::Malformed { .. } | Error::Unsupported { .. } | Error::Limit { .. })
}

/// Where content goes, but for its first bytes, which went there before.
struct Taken<'a, 't> {
    take: &'a mut (dyn FnMut(&[u8], u64) -> Result<()> + 't),
    left_out: u64,
    bytes: u64,
    /// The offset in the object up to which all is decoded that went there.
    reached: u64,
    /// Whether an error is that of whoever takes it.
    refused: bool,
}

impl<'a, 't> Taken<'a, 't> {
    fn new(
        take: &'a mut (dyn FnMut(&[u8], u64) -> Result<()> + 't),
        (left_out, reached): (u64, u64),
    ) -> Self {
        Taken { take, left_out, bytes: 0, reached, refused: false }
    }

    fn push(&mut self, content: &[u8], position: u64) -> Result<()> {
        let known = usize::try_from(self.left_out.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        self.bytes += content.len() as u64;
        self.reached = self.reached.max(position);
        let taken = (self.take)(&content[known.min(content.len())..], self.reached);
        self.refused = taken.is_err();
        taken
    }
}

fn drain(reader: &mut BytesReader, taken: &mut Taken<'_, '_>) -> Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let before = reader.totals().bytes;
        let filled = reader.fill(&mut block);
        // What was decoded before a fault is content too.
        let count = (reader.totals().bytes - before) as usize;
        taken.push(&block[..count], reader.position())?;
        if filled? < BLOCK_BYTES {
            return Ok(());
        }
    }
}

/// The content of a stretch, and the reader of what was too much to wait.
struct Stretch {
    content: Vec<u8>,
    rest: Option<BytesReader>,
}

impl Stretch {
    fn decoded(mut reader: BytesReader) -> Result<Self> {
        let mut content = Vec::new();
        while content.len() < HELD_BYTES {
            let filled = content.len();
            content.resize(filled + BLOCK_BYTES, 0);
            let count = reader.fill(&mut content[filled..])?;
            if count < BLOCK_BYTES {
                content.truncate(filled + count);
                return Ok(Stretch { content, rest: None });
            }
        }
        Ok(Stretch { content, rest: Some(reader) })
    }

    fn hand_over(self, range: &Range<u64>, taken: &mut Taken<'_, '_>) -> Result<()> {
        match self.rest {
            None => taken.push(&self.content, range.end),
            Some(mut reader) => {
                taken.push(&self.content, reader.position())?;
                drain(&mut reader, taken)
            }
        }
    }
}

/// Where a member seems to begin, at `from` or after it; the end of the object where none is found.
fn next_member(codec: Codec, file: &ObjectFile, from: u64) -> Result<u64> {
    let Some(mark) = mark(codec) else { return Ok(file.len()) };
    let mut block = vec![0; BLOCK_BYTES];
    let (mut at, end) = (from, file.len().min(from.saturating_add(LOOK_BYTES)));
    while at < end {
        let count = file.read_at(&mut block, at)?;
        let begins = |found: &usize| begins(codec, &block[*found..count]);
        if let Some(found) = memchr::memmem::find_iter(&block[..count], mark).find(begins) {
            return Ok(at + found as u64);
        }
        if count < BLOCK_BYTES {
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
mod tests {
    use super::*;
    use crate::bytes::conformance::{encode, sample};
    use crate::bytes::{CODECS, Settings};
    use crate::conformance::file_of;

    /// Content, or the fault and what came before it.
    fn outcome(codec: Codec, object: &[u8], workers: usize) -> (Vec<u8>, Option<String>) {
        let (file, mut content) = (file_of(object).unwrap(), Vec::new());
        let mut last = 0;
        let done = decode(codec, &file, workers, &mut |bytes, position| {
            assert!(position >= last, "positions go on");
            last = position;
            content.extend_from_slice(bytes);
            Ok(())
        });
        (content, done.err().map(|error| error.to_string()))
    }

    /// An object of many members that one thread after another decodes.
    fn object(codec: Codec) -> (Vec<u8>, Vec<u8>) {
        let content = sample(11, 12 << 20);
        let cuts: Vec<usize> = (1..24).map(|part| part << 19).collect();
        let level = codec.levels().map_or(0, |levels| *levels.known.start());
        (encode(Settings { codec, level }, &content, &cuts).unwrap(), content)
    }

    #[test]
    fn threads_give_the_content_that_one_gives() {
        for codec in CODECS {
            let (object, content) = object(codec);
            let stretches = next_member(codec, &file_of(&object).unwrap(), STRETCH_BYTES).unwrap();
            assert_eq!(stretches < object.len() as u64, mark(codec).is_some(), "{codec:?} is cut");
            for workers in [1, 2, 5] {
                assert!(outcome(codec, &object, workers) == (content.clone(), None), "{codec:?} {workers}");
            }
        }
    }

    #[test]
    fn faults_are_those_that_one_thread_meets() {
        for codec in CODECS.into_iter().filter(|codec| mark(*codec).is_some()) {
            let (object, content) = object(codec);
            let middle = object.len() / 2;
            // The middle may be where a member ends.
            let (mut flipped, cut) = (object.clone(), object[..middle - 3].to_vec());
            flipped[middle] ^= 0x55;
            // Content of a member is handed over before its checksum is met.
            for (broken, true_so_far) in
                [(flipped, false), (cut, true), ([&object, &b"tail"[..]].concat(), true)]
            {
                let one = outcome(codec, &broken, 1);
                let starts = |found: &[u8]| !true_so_far || content.starts_with(found);
                assert!(one.1.is_some() && starts(&one.0), "{codec:?}");
                // Where a decoder notices a fault hangs on how many bytes it was given at once.
                let several = outcome(codec, &broken, 3);
                assert!(several.1.is_some() && starts(&several.0), "{codec:?}");
                let format = |fault: &Option<String>| fault.iter().all(|text| text.contains(codec.name()));
                assert!(format(&one.1) && format(&several.1), "{codec:?}: {:?} {:?}", one.1, several.1);
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_member_is_no_seam() {
        // The stored content of one member holds whole others.
        let level = Settings { codec: Codec::Gzip, level: 0 };
        let inner = encode(level, &sample(3, 700_000), &[]).unwrap();
        let content = inner.repeat(8);
        let object = encode(level, &content, &[]).unwrap();
        assert!(next_member(Codec::Gzip, &file_of(&object).unwrap(), STRETCH_BYTES).unwrap() < 2 << 20);
        assert!(outcome(Codec::Gzip, &object, 3) == (content, None));
    }

    #[test]
    fn much_content_of_few_bytes_does_not_wait_in_memory() {
        let content = vec![b'0'; 3 * HELD_BYTES + 5];
        let packed = encode(Settings { codec: Codec::Zstd, level: 1 }, &content, &[]).unwrap();
        let noise = encode(Settings { codec: Codec::Zstd, level: 1 }, &sample(5, 8 << 20), &[]).unwrap();
        let object = [&packed[..], &noise, &packed].concat();
        let (found, fault) = outcome(Codec::Zstd, &object, 2);
        assert_eq!((fault, found.len()), (None, 2 * content.len() + (8 << 20)));
    }
}
