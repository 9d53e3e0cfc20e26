//! Provides the heads of frames of MPEG audio, Layer III (ISO 11172-3 and 13818-3, section 2.4.1; MPEG 2.5 as
//! its inventors added it), and their checksum.

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 4;
/// Bytes of a frame at most: of 320 kbit/s at 32,000 samples a second, and one that fills up.
pub(super) const FRAME_BYTES_MAX: usize = 1_441;

/// Thousands of bits a second, by their number in the head: of MPEG 1, and of the others.
const BIT_RATES: [[u32; 15]; 2] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples a second of MPEG 1, by their number; MPEG 2 has half as many, and MPEG 2.5 a quarter.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// A generation of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
    TwoAndHalf,
}

/// What all frames of a sound have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub version: Version,
    /// Samples of a channel in a second.
    pub rate: u32,
    /// Channels, 1 or 2.
    pub channels: u8,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: Kind,
    /// Whether a checksum follows.
    pub checked: bool,
    /// Bytes of the frame, with the head.
    pub bytes: usize,
}

/// What begins like the head of a frame and is none that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHead {
    /// No frame at all.
    None,
    /// A frame of Layer I or II.
    OtherLayer(u8),
    /// A frame whose length stands nowhere.
    FreeFormat,
}

impl Head {
    /// Reads the first bytes of a frame.
    pub fn read(bytes: &[u8]) -> Result<Self, NoHead> {
        let Some([0xff, second, third, fourth]) = bytes.first_chunk::<HEAD_BYTES>() else {
            return Err(NoHead::None);
        };
        let version = match second >> 3 & 3 {
            3 => Version::One,
            2 => Version::Two,
            0 => Version::TwoAndHalf,
            _ => return Err(NoHead::None),
        };
        let (layer, bit_rate, rate) = (4 - (second >> 1 & 3), third >> 4, third >> 2 & 3);
        // An emphasis of 2 is none.
        if second >> 5 != 7 || layer == 4 || bit_rate == 15 || rate == 3 || fourth & 3 == 2 {
            return Err(NoHead::None);
        }
        if layer != 3 {
            return Err(NoHead::OtherLayer(layer));
        }
        if bit_rate == 0 {
            return Err(NoHead::FreeFormat);
        }
        let (table, divisor) = match version {
            Version::One => (0, 1),
            Version::Two => (1, 2),
            Version::TwoAndHalf => (1, 4),
        };
        let rate = RATES[usize::from(rate)] / divisor;
        let kind = Kind { version, rate, channels: if fourth >> 6 == 3 { 1 } else { 2 } };
        let bits = u32::from(kind.frames()) * 1000 * BIT_RATES[table][usize::from(bit_rate)];
        let bytes = bits / 8 / rate + u32::from(third >> 1 & 1);
        Ok(Self { kind, checked: second & 1 == 0, bytes: bytes as usize })
    }

    /// Bytes of what the decoder needs to know before the sound of a frame.
    pub fn side_bytes(&self) -> usize {
        match (self.kind.version, self.kind.channels) {
            (Version::One, 1) => 17,
            (Version::One, _) => 32,
            (_, 1) => 9,
            _ => 17,
        }
    }

    /// Whether the checksum of a frame is right, where it has one (ISO 11172-3, section 2.4.3.1).
    pub fn holds(&self, frame: &[u8]) -> bool {
        if !self.checked {
            return true;
        }
        let (Some(told), Some(side)) = (frame.get(4..6), frame.get(6..6 + self.side_bytes())) else {
            return false;
        };
        let sum = side.iter().fold(frame[2..4].iter().fold(0xffff, from_high), from_high);
        sum.to_be_bytes() == told
    }
}

impl Kind {
    /// Samples of a channel in a frame.
    pub fn frames(self) -> u16 {
        if self.version == Version::One { 1_152 } else { 576 }
    }

    /// Samples of all channels in a frame.
    pub fn samples(self) -> usize {
        usize::from(self.frames()) * usize::from(self.channels)
    }
}

/// One byte more in a checksum with the polynomial 0x8005, the highest bit first.
fn from_high(sum: u16, byte: &u8) -> u16 {
    (0..8).fold(
        sum ^ u16::from(*byte) << 8,
        |sum, _| {
            if sum >> 15 == 1 { sum << 1 ^ 0x8005 } else { sum << 1 }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_lengths_and_kinds() {
        let head = Head::read(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
        let kind = Kind { version: Version::One, rate: 44_100, channels: 2 };
        assert_eq!(head, Head { kind, checked: false, bytes: 417 });
        assert_eq!(Head::read(&[0xff, 0xfa, 0x92, 0xc4]).unwrap().bytes, 418);
        let low = Head::read(&[0xff, 0xe3, 0x18, 0xc4]).unwrap();
        assert_eq!((low.kind.rate, low.kind.channels, low.kind.frames(), low.bytes), (8_000, 1, 576, 72));
        assert_eq!(Head::read(&[0xff, 0xfd, 0x90, 0x64]), Err(NoHead::OtherLayer(2)));
        assert_eq!(Head::read(&[0xff, 0xfb, 0x00, 0x64]), Err(NoHead::FreeFormat));
        for none in [[0xff, 0xd8, 0xff, 0xe0], [0xff, 0xff, 0xff, 0xff], [0; 4]] {
            assert_eq!(Head::read(&none), Err(NoHead::None), "{none:?}");
        }
    }

    #[test]
    fn no_frame_is_longer_than_is_read_at_once() {
        let mut longest = 0;
        for second in 0xe0..=0xff {
            for third in 0..=0xff {
                if let Ok(head) = Head::read(&[0xff, second, third, 0]) {
                    longest = longest.max(head.bytes);
                }
            }
        }
        assert_eq!(longest, FRAME_BYTES_MAX);
    }
}
