//! Provides the frame that some encoders write first, which holds no sound but tells of it: how many frames
//! there are, and how many samples at both ends are the encoder's ("Mp3 Info Tag rev 1", the layout of LAME,
//! which the other encoders took over).

use super::bad;
use super::frame::{HEAD_BYTES, Head, Layer};
use crate::error::Result;
use crate::sound::tags::Found;

/// Frames that decoding is late: what a decoder gives first, before the encoder's own delay.
pub(super) const DECODER_DELAY: u64 = 529;

/// What a first frame tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Info {
    /// Frames that hold sound.
    pub frames: Option<u64>,
    /// Bytes from this frame on to the end of the last one.
    pub bytes: Option<u64>,
    /// Samples of each channel that the encoder put before and after the sound.
    pub delay: u64,
    pub padding: u64,
    /// What it tells of all bytes.
    pub seal: Option<Seal>,
}

/// What a first frame tells of all bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    /// Bytes from this frame on to the end of the last one.
    bytes: u64,
    /// The checksum of all frames but this one.
    sum: u64,
    /// Whether the checksum of what stands in this frame is right; `None` where none is told.
    holds: Option<bool>,
}

/// Which of the places that follow are told of, by the bits of the flags.
const FRAMES: u32 = 1;
const BYTES: u32 = 2;
const PLACES: [(u32, usize); 3] = [(BYTES, 4), (4, 100), (8, 4)];

/// Where an encoder says more, from the name on, where all of these places are there; in how many bytes; and
/// where its last checksum stands in them.
const MORE_AT: usize = 120;
const MORE_BYTES: usize = 36;
const OWN_AT: usize = 34;

/// Bytes that libavformat sums wherever that checksum stands: as many as are before it in a frame of two
/// channels of MPEG 1. There are zeros in its place when it does.
const SUMMED_BYTES: usize = 190;

impl Info {
    /// Reads a frame; `None` where it is one of sound.
    pub fn read(head: &Head, frame: &[u8]) -> Option<Self> {
        if head.kind.layer != Layer::Three {
            return None;
        }
        let at = begins(head).into_iter().find(|at| {
            let name = frame.get(*at..*at + 4);
            matches!(name, Some(b"Xing" | b"Info")) || (*at == 36 && matches!(name, Some(b"VBRI")))
        })?;
        if frame[at..].starts_with(b"VBRI") {
            let (bytes, frames) = (number(frame, at + 10, 4), number(frame, at + 14, 4));
            return Some(Self { frames, bytes, ..Self::default() });
        }
        let flags = number(frame, at + 4, 4)? as u32;
        let mut rest = at + 8;
        let mut info = Self::default();
        if flags & FRAMES != 0 {
            info.frames = number(frame, rest, 4);
            rest += 4;
        }
        if flags & BYTES != 0 {
            info.bytes = number(frame, rest, 4);
        }
        rest += PLACES.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, bytes)| bytes).sum::<usize>();
        info.read_more(frame, rest);
        Some(info)
    }

    /// Whether what tells of the frames begins among bytes, by its name and the zeros that follow it.
    pub fn is_named_in(bytes: &[u8]) -> bool {
        let names: [&[u8]; 3] = [b"Xing\0\0\0", b"Info\0\0\0", b"VBRI\0"];
        names.iter().any(|name| memchr::memmem::find(bytes, name).is_some())
    }

    /// What an encoder says that has a name.
    fn read_more(&mut self, frame: &[u8], at: usize) {
        let Some(more) = frame.get(at..at + MORE_BYTES) else { return };
        if !more[..4].iter().all(u8::is_ascii_graphic) {
            return;
        }
        let both = number(more, 21, 3).unwrap_or(0);
        (self.delay, self.padding) = (both >> 12, both & 0xfff);
        self.seal = Seal::read(frame, at);
    }

    /// Where the sound begins among so many samples of a channel, and how many it has; `at` is the place of
    /// the frame that tells.
    pub fn sound(&self, there: u64, at: u64) -> Result<(u64, u64)> {
        let (begin, end) = match (self.delay, self.padding) {
            (0, 0) => (0, 0),
            (delay, padding) => (delay + DECODER_DELAY, padding.saturating_sub(DECODER_DELAY)),
        };
        let sound = there.checked_sub(begin + end).ok_or_else(|| {
            let what = "the first frame tells of more samples before and behind the sound than there are";
            bad(at, format!("{what}: {begin} and {end} of {there}"))
        })?;
        Ok((begin, sound))
    }
}

impl Seal {
    /// What stands in a frame about so many bytes where LAME and libavformat put it, be the names before it
    /// broken or not.
    pub fn about(bytes: u64, head: &Head, frame: &[u8]) -> Option<Self> {
        let mut seals = begins(head).into_iter().filter_map(|at| Self::read(frame, at + MORE_AT));
        seals.find(|seal| head.kind.layer == Layer::Three && seal.bytes == bytes)
    }

    fn read(frame: &[u8], at: usize) -> Option<Self> {
        let more = frame.get(at..at + MORE_BYTES)?;
        let own = number(more, OWN_AT, 2)?;
        let (before, behind) = (&frame[..at + OWN_AT], &frame[at + MORE_BYTES..]);
        let with_zeros = before.iter().chain(&[0; 2]).chain(behind).chain(&[0; SUMMED_BYTES]);
        let sums = [before.iter().fold(0, from_low), with_zeros.take(SUMMED_BYTES).fold(0, from_low)];
        let holds = (own != 0).then(|| sums.contains(&(own as u16)));
        Some(Self { bytes: number(more, 28, 4)?, sum: number(more, 32, 2)?, holds })
    }

    /// Whether its own checksum is there and right.
    pub fn holds(&self) -> bool {
        self.holds == Some(true)
    }

    /// Compares it with so many bytes of frames from the byte `first` on, whose checksum is `sum`. Where its
    /// own checksum is wrong, and yet it is about these bytes, the frame is broken. Where it is about others,
    /// as programs leave it that cut a file, and where some program changed the gain, nothing can be said.
    pub fn check(
        &self,
        (first, bytes): (u64, u64),
        sum: u16,
        gain_changed: bool,
        found: &mut Found,
    ) -> Result<()> {
        let is_right = self.sum == u64::from(sum);
        let is_about = self.bytes == bytes && !gain_changed;
        let told = self.sum;
        let ignored = match self.holds {
            Some(false) if is_right || is_about => {
                let what = "the first frame tells of all others, and its own checksum is wrong";
                return Err(bad(first, what));
            }
            Some(false) => {
                "the checksums in the first frame, which are those of other bytes: some program changed the \
                 file, or it is damaged, which could not be checked"
            }
            Some(true) if is_about && !is_right => {
                let what = format!("the checksum of all frames is {sum:04x}, and {told:04x} is told");
                return Err(bad(first, what));
            }
            _ if is_right || told == 0 && self.holds.is_none() => return Ok(()),
            _ if gain_changed => "the checksum of all frames, which a change of their gain broke",
            Some(true) => "the checksum of all frames, which is that of more or fewer bytes",
            None => "the checksum of all frames, which is not theirs, in a first frame that has none itself",
        };
        found.ignored.push(ignored.into());
        Ok(())
    }
}

/// Where what tells of the frames can begin. Encoders differ in whether they leave room for a checksum that
/// the head tells of.
fn begins(head: &Head) -> [usize; 3] {
    let side = HEAD_BYTES + head.side_bytes();
    [side, side + 2, 36]
}

/// A number whose highest byte comes first.
fn number(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// One byte more in a checksum with the polynomial 0x8005, the lowest bit first.
pub(super) fn from_low(sum: u16, byte: &u8) -> u16 {
    (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xa001 } else { sum >> 1 })
}
