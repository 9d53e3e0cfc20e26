//! Provides the frame that some encoders write first, which holds no sound but tells of it: how many frames
//! there are, and how many samples at both ends are the encoder's ("Mp3 Info Tag rev 1", the layout of LAME,
//! which the other encoders took over).

use super::frame::{HEAD_BYTES, Head, Layer};

/// Frames that decoding is late: what a decoder gives first, before the encoder's own delay.
pub(super) const DECODER_DELAY: u64 = 529;

/// What a first frame tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Info {
    /// Frames that hold sound.
    pub frames: Option<u64>,
    /// Samples of each channel that the encoder put before and after the sound.
    pub delay: u64,
    pub padding: u64,
    /// Bytes from this frame on to the end of the last one, and the checksum of all but this one; where the
    /// checksum of what tells them is right.
    pub music: Option<(u64, u64)>,
}

/// Which of the places that follow are told of, by the bits of the flags.
const FRAMES: u32 = 1;
const PLACES: [(u32, usize); 3] = [(2, 4), (4, 100), (8, 4)];

impl Info {
    /// Reads a frame; `None` where it is one of sound.
    pub fn read(head: &Head, frame: &[u8]) -> Option<Self> {
        if head.kind.layer != Layer::Three {
            return None;
        }
        let side = HEAD_BYTES + head.side_bytes();
        // Encoders differ in whether they leave room for a checksum that the head tells of.
        let begins = [side, side + 2, 36];
        let at = begins.into_iter().find(|at| {
            let name = frame.get(*at..*at + 4);
            matches!(name, Some(b"Xing" | b"Info")) || (*at == 36 && matches!(name, Some(b"VBRI")))
        })?;
        if frame[at..].starts_with(b"VBRI") {
            let frames = number(frame, at + 14, 4);
            return Some(Self { frames, ..Self::default() });
        }
        let flags = number(frame, at + 4, 4)? as u32;
        let mut rest = at + 8;
        let mut info = Self::default();
        if flags & FRAMES != 0 {
            info.frames = number(frame, rest, 4);
            rest += 4;
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
        let Some(more) = frame.get(at..at + 36).filter(|more| more[..4].iter().all(u8::is_ascii_graphic))
        else {
            return;
        };
        let both = number(more, 21, 3).unwrap_or(0);
        (self.delay, self.padding) = (both >> 12, both & 0xfff);
        let right = number(more, 34, 2) == Some(frame[..at + 34].iter().fold(0, from_low).into());
        self.music = number(more, 28, 4).zip(number(more, 32, 2)).filter(|_| right);
    }

    /// Frames that are no sound at the beginning, and at the end.
    pub fn ends(&self) -> (u64, u64) {
        match (self.delay, self.padding) {
            (0, 0) => (0, 0),
            (delay, padding) => (delay + DECODER_DELAY, padding.saturating_sub(DECODER_DELAY)),
        }
    }
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
