//! Provides the headers of FLAC frames (RFC 9639, section 9.1).

use super::bits::{BitReader, crc8};

/// Bytes of a header at most.
pub(super) const HEADER_BYTES_MAX: usize = 16;

/// How the channels of a frame are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// Each by itself.
    Independent(u8),
    /// Left, and left minus right.
    LeftSide,
    /// Left minus right, and right.
    SideRight,
    /// Half of the sum, and left minus right.
    MidSide,
}

impl Channels {
    /// How many there are.
    pub fn count(self) -> u8 {
        match self {
            Self::Independent(count) => count,
            _ => 2,
        }
    }

    /// Whether the channel at an index is a difference, which has one bit more.
    pub fn is_side(self, index: usize) -> bool {
        match self {
            Self::Independent(_) => false,
            Self::SideRight => index == 0,
            Self::LeftSide | Self::MidSide => index == 1,
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Independent(count) => u32::from(count) - 1,
            Self::LeftSide => 8,
            Self::SideRight => 9,
            Self::MidSide => 10,
        }
    }
}

/// The header of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Whether frames may have different lengths, and `number` counts samples of a channel and not frames.
    pub variable: bool,
    /// Place of the frame.
    pub number: u64,
    /// Samples of each channel.
    pub frames: u32,
    /// Samples of a channel in a second; 0 where the stream tells.
    pub rate: u32,
    /// Bits of a sample; 0 where the stream tells.
    pub bits: u8,
    /// How channels are stored.
    pub channels: Channels,
    /// Bytes of the header.
    pub len: usize,
}

impl FrameHeader {
    /// Reads the header at the beginning of these bytes; `None` where there is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(bytes);
        if bits.take(15)? != 0x7ffc {
            return None;
        }
        let variable = bits.take(1)? == 1;
        let (frames, rate) = (bits.take(4)?, bits.take(4)?);
        let channels = match bits.take(4)? {
            count @ 0..=7 => Channels::Independent(count as u8 + 1),
            8 => Channels::LeftSide,
            9 => Channels::SideRight,
            10 => Channels::MidSide,
            _ => return None,
        };
        let width = match bits.take(3)? {
            0 => 0,
            1 => 8,
            2 => 12,
            4 => 16,
            5 => 20,
            6 => 24,
            7 => 32,
            _ => return None,
        };
        if bits.take(1)? != 0 {
            return None;
        }
        let number = number(&mut bits)?;
        let frames = match frames {
            0 => return None,
            1 => 192,
            2..=5 => 576 << (frames - 2),
            6 => bits.take(8)? + 1,
            7 => bits.take(16)? + 1,
            _ => 256 << (frames - 8),
        };
        let rate = match rate {
            0 => 0,
            1 => 88_200,
            2 => 176_400,
            3 => 192_000,
            4 => 8_000,
            5 => 16_000,
            6 => 22_050,
            7 => 24_000,
            8 => 32_000,
            9 => 44_100,
            10 => 48_000,
            11 => 96_000,
            12 => bits.take(8)? * 1000,
            13 => bits.take(16)?,
            14 => bits.take(16)? * 10,
            _ => return None,
        };
        let end = bits.position();
        let matches = bits.take(8)? == u32::from(crc8(bytes.get(..end)?));
        let header = Self { variable, number, frames, rate, bits: width, channels, len: end + 1 };
        (matches && frames <= 1 << 16).then_some(header)
    }

    /// The bytes of this header, of a frame with a number of its own and at most 65,536 samples.
    pub fn bytes(&self) -> Vec<u8> {
        let rate: (u8, Option<u16>) = match self.rate {
            88_200 => (1, None),
            176_400 => (2, None),
            192_000 => (3, None),
            8_000 => (4, None),
            16_000 => (5, None),
            22_050 => (6, None),
            24_000 => (7, None),
            32_000 => (8, None),
            44_100 => (9, None),
            48_000 => (10, None),
            96_000 => (11, None),
            rate if rate > 0 && rate <= u32::from(u16::MAX) => (13, Some(rate as u16)),
            rate if rate % 10 == 0 && rate / 10 <= u32::from(u16::MAX) && rate > 0 => {
                (14, Some((rate / 10) as u16))
            }
            _ => (0, None),
        };
        let width = match self.bits {
            8 => 1,
            12 => 2,
            16 => 4,
            20 => 5,
            24 => 6,
            32 => 7,
            _ => 0,
        };
        let mut out = vec![0xff, 0xf8 | u8::from(self.variable)];
        let usual = self.frames == 4096;
        out.push(if usual { 12 << 4 } else { 7 << 4 } | rate.0);
        out.push((self.channels.code() as u8) << 4 | width << 1);
        put_number(&mut out, self.number);
        if !usual {
            out.extend(((self.frames - 1) as u16).to_be_bytes());
        }
        if let Some(rate) = rate.1 {
            out.extend(rate.to_be_bytes());
        }
        out.push(crc8(&out));
        out
    }
}

/// A number of up to 36 bits, coded as UTF-8 codes characters.
fn number(bits: &mut BitReader<'_>) -> Option<u64> {
    let first = bits.take(8)? as u8;
    let ones = first.leading_ones();
    let (mut number, more) = match ones {
        0 => return Some(first.into()),
        2..=7 => (u64::from(first) & (0x7f >> ones), ones - 1),
        _ => return None,
    };
    for _ in 0..more {
        let next = bits.take(8)?;
        if next >> 6 != 2 {
            return None;
        }
        number = number << 6 | u64::from(next & 0x3f);
    }
    Some(number)
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        out.push(number as u8);
        return;
    }
    // The first of n bytes has room for 7 - n bits, each other one for 6.
    let more = (1..6u32).find(|more| number < 1 << (6 * more + 6 - more)).unwrap_or(6);
    let first = (0xff80u32 >> more) as u8 | (number >> (6 * more)) as u8;
    out.push(first);
    out.extend((0..more).rev().map(|at| 0x80 | (number >> (6 * at) & 0x3f) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        for number in [0, 127, 128, 2047, 2048, 65_535, 65_536, 2_097_151, 2_097_152, (1 << 31) - 1, 1 << 35]
        {
            for (rate, told) in [(44_100, 44_100), (11_025, 11_025), (705_600, 0), (352_800, 352_800), (1, 1)]
            {
                for channels in [Channels::Independent(8), Channels::MidSide, Channels::SideRight] {
                    let frames = if number % 2 == 0 { 4096 } else { 17 };
                    let mut header =
                        FrameHeader { variable: false, number, frames, rate, bits: 24, channels, len: 0 };
                    let bytes = header.bytes();
                    (header.len, header.rate) = (bytes.len(), told);
                    assert_eq!(FrameHeader::read(&bytes), Some(header));
                    let mut broken = bytes.clone();
                    *broken.last_mut().unwrap() ^= 0x10;
                    assert_eq!(FrameHeader::read(&broken), None);
                    assert_eq!(FrameHeader::read(&bytes[..bytes.len() - 1]), None);
                }
            }
        }
    }
}
