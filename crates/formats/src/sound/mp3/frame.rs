//! Provides the heads of frames of MPEG audio (ISO 11172-3 and 13818-3, section 2.4.1; MPEG 2.5, which has
//! Layer III alone, as its inventors added it), and their checksums.

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = 4;
/// Bytes of a frame at most: of 384 kbit/s in Layer II at 32,000 samples a second, and one that fills up.
pub(super) const FRAME_BYTES_MAX: usize = 1_729;

/// Thousands of bits a second, by their number in the head: of the Layers I, II and III of MPEG 1, and of
/// Layer I and the others of MPEG 2.
const BIT_RATES: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples a second of MPEG 1, by their number; MPEG 2 has half as many, and MPEG 2.5 a quarter.
const RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// Bands of frequencies in Layers I and II, and the bits in which Layer I tells how each is coded.
const BANDS: u8 = 32;
const BAND_BITS: usize = 4;

/// The same of Layer II, as bits and numbers of bands (ISO 11172-3, tables B.2a to B.2d; 13818-3, B.1): with
/// many bits a second, with most, with few, with few at 32,000 samples a second, and of MPEG 2.
const MANY: &[(usize, u8)] = &[(4, 11), (3, 12), (2, 4)];
const MOST: &[(usize, u8)] = &[(4, 11), (3, 12), (2, 7)];
const FEW: &[(usize, u8)] = &[(4, 2), (3, 6)];
const FEW_SLOW: &[(usize, u8)] = &[(4, 2), (3, 10)];
const OF_MPEG_2: &[(usize, u8)] = &[(4, 4), (3, 7), (2, 19)];

/// A generation of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
    TwoAndHalf,
}

/// A way of coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    One,
    Two,
    Three,
}

impl Layer {
    /// Its number, as the standard writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "I",
            Self::Two => "II",
            Self::Three => "III",
        }
    }
}

/// What all frames of a sound have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub version: Version,
    pub layer: Layer,
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
    /// Thousands of bits a second.
    kbps: u32,
    /// Bands that each channel has for itself; those from here on belong to both.
    apart: u8,
}

/// What begins like the head of a frame and is none that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHead {
    /// No frame at all.
    None,
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
        let (layer, bit_rate, rate) = (second >> 1 & 3, third >> 4, third >> 2 & 3);
        // An emphasis of 2 is none.
        if second >> 5 != 7 || bit_rate == 15 || rate == 3 || fourth & 3 == 2 {
            return Err(NoHead::None);
        }
        let layer = match layer {
            1 => Layer::Three,
            2 if version != Version::TwoAndHalf => Layer::Two,
            3 if version != Version::TwoAndHalf => Layer::One,
            _ => return Err(NoHead::None),
        };
        if bit_rate == 0 {
            return Err(NoHead::FreeFormat);
        }
        let (table, divisor) = match (version, layer) {
            (Version::One, layer) => (layer as usize, 1),
            (Version::Two, Layer::One) => (3, 2),
            (Version::Two, _) => (4, 2),
            (Version::TwoAndHalf, _) => (4, 4),
        };
        let rate = RATES[usize::from(rate)] / divisor;
        let kind = Kind { version, layer, rate, channels: if fourth >> 6 == 3 { 1 } else { 2 } };
        let kbps = BIT_RATES[table][usize::from(bit_rate)];
        // A frame consists of slots, and may have one more to fill up.
        let slot = if layer == Layer::One { 4 } else { 1 };
        let slots = u32::from(kind.frames()) * 1000 * kbps / 8 / slot / rate + u32::from(third >> 1 & 1);
        let apart = if fourth >> 6 == 1 { (fourth >> 4 & 3) * 4 + 4 } else { BANDS };
        Ok(Self { kind, checked: second & 1 == 0, bytes: (slots * slot) as usize, kbps, apart })
    }

    /// Bytes of what the decoder needs to know before the sound of a frame of Layer III.
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
        let (Some(told), Some(rest)) = (frame.get(4..6), frame.get(6..)) else { return false };
        let bits = match self.kind.layer {
            Layer::One => self.in_bands(BANDS) * BAND_BITS,
            Layer::Two => self.allocation_bits(rest),
            Layer::Three => 8 * self.side_bytes(),
        };
        if bits > 8 * rest.len() {
            return false;
        }
        let sum = with_bits(with_bits(0xffff, &frame[2..4], 16), rest, bits);
        sum.to_be_bytes() == told
    }

    /// How often something is told that is told once for each band, or for each channel of it.
    fn in_bands(&self, bands: u8) -> usize {
        let apart = usize::from(self.apart.min(bands));
        usize::from(bands) + apart * usize::from(self.kind.channels - 1)
    }

    /// Bits in which a frame of Layer II tells how its bands are coded, and, two for each channel of a band
    /// that is coded, how their scales are.
    fn allocation_bits(&self, rest: &[u8]) -> usize {
        let (mut at, mut coded, mut band) = (0, 0, 0);
        for (bits, count) in self.bands() {
            for _ in 0..*count {
                let both = if band < self.apart { 1 } else { self.kind.channels };
                for _ in 0..self.kind.channels / both {
                    let told = (at..at + bits).any(|at| bit(rest, at) == 1);
                    coded += if told { usize::from(both) } else { 0 };
                    at += bits;
                }
                band += 1;
            }
        }
        at + 2 * coded
    }

    /// The bands of Layer II: how many are told of in how many bits.
    fn bands(&self) -> &'static [(usize, u8)] {
        let slow = self.kind.rate == 32_000;
        match self.kbps / u32::from(self.kind.channels) {
            _ if self.kind.version != Version::One => OF_MPEG_2,
            ..56 if slow => FEW_SLOW,
            ..56 => FEW,
            96.. if self.kind.rate != 48_000 => MOST,
            _ => MANY,
        }
    }
}

/// A bit of a piece, the highest of each byte first; 0 beyond its end.
fn bit(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at / 8).map_or(0, |byte| u16::from(byte >> (7 - at % 8) & 1))
}

/// So many bits more in a checksum with the polynomial 0x8005, the highest bit first.
fn with_bits(sum: u16, bytes: &[u8], bits: usize) -> u16 {
    (0..bits).fold(sum, |sum, at| if sum >> 15 != bit(bytes, at) { sum << 1 ^ 0x8005 } else { sum << 1 })
}

impl Kind {
    /// Samples of a channel in a frame.
    pub fn frames(self) -> u16 {
        match (self.layer, self.version) {
            (Layer::One, _) => 384,
            (Layer::Three, Version::Two | Version::TwoAndHalf) => 576,
            _ => 1_152,
        }
    }

    /// Samples of all channels in a frame.
    pub fn samples(self) -> usize {
        usize::from(self.frames()) * usize::from(self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_tell_lengths_and_kinds() {
        let head = Head::read(&[0xff, 0xfb, 0x90, 0x64]).unwrap();
        let kind = Kind { version: Version::One, layer: Layer::Three, rate: 44_100, channels: 2 };
        assert_eq!((head.kind, head.checked, head.bytes), (kind, false, 417));
        assert_eq!(Head::read(&[0xff, 0xfa, 0x92, 0xc4]).unwrap().bytes, 418);
        let low = Head::read(&[0xff, 0xe3, 0x18, 0xc4]).unwrap();
        assert_eq!((low.kind.rate, low.kind.channels, low.kind.frames(), low.bytes), (8_000, 1, 576, 72));
        let second = Head::read(&[0xff, 0xfd, 0xa4, 0x04]).unwrap();
        let told = (second.kind.layer, second.kind.rate, second.kind.frames(), second.bytes, second.apart);
        assert_eq!(told, (Layer::Two, 48_000, 1_152, 576, 32));
        let first = Head::read(&[0xff, 0xff, 0x62, 0x54]).unwrap();
        let told = (first.kind.layer, first.kind.rate, first.kind.frames(), first.bytes, first.apart);
        assert_eq!(told, (Layer::One, 44_100, 384, 212, 8));
        assert_eq!(Head::read(&[0xff, 0xfb, 0x00, 0x64]), Err(NoHead::FreeFormat));
        for none in [[0xff, 0xd8, 0xff, 0xe0], [0xff, 0xff, 0xff, 0xff], [0xff, 0xe5, 0x90, 0x64], [0; 4]] {
            assert_eq!(Head::read(&none), Err(NoHead::None), "{none:?}");
        }
    }

    #[test]
    fn what_is_told_of_bands_has_as_many_bits_as_they_need() {
        let bits = |head: [u8; 4], rest: &[u8]| Head::read(&head).unwrap().allocation_bits(rest);
        // 192 kbit/s for two channels at 48,000 samples a second, of which no band is coded.
        assert_eq!(bits([0xff, 0xfd, 0xa4, 0x04], &[0; 100]), 2 * (11 * 4 + 12 * 3 + 4 * 2));
        // The first band is, in both channels; then in one.
        assert_eq!(bits([0xff, 0xfd, 0xa4, 0x04], &[0x11]), 2 * (11 * 4 + 12 * 3 + 4 * 2) + 4);
        assert_eq!(bits([0xff, 0xfd, 0xa4, 0x04], &[0x01]), 2 * (11 * 4 + 12 * 3 + 4 * 2) + 2);
        // From the fifth band on, both channels are one.
        let joint = 11 * 4 + 12 * 3 + 4 * 2 + 4 * 4;
        assert_eq!(bits([0xff, 0xfd, 0xa4, 0x44], &[0; 100]), joint);
        assert_eq!(bits([0xff, 0xfd, 0xa4, 0x44], &[0, 0, 0, 0, 0x10]), joint + 4);
        // One channel of 32 kbit/s at 32,000 samples a second, and one of MPEG 2.
        assert_eq!(bits([0xff, 0xfd, 0x18, 0xc4], &[0; 100]), 2 * 4 + 10 * 3);
        assert_eq!(bits([0xff, 0xf5, 0x18, 0xc4], &[0; 100]), 4 * 4 + 7 * 3 + 19 * 2);
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
