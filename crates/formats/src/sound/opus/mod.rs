//! Provides Opus in Ogg (RFC 7845), always of 48,000 samples a second.
//!
//! Its content is what the reference decoder gives in whole samples of 16 bits, its fixed-point build, with
//! the gain that the stream tells; what is there to let the decoder settle is no content.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::open;
pub use write::{BITRATES, Coded, OpusCoder, OpusStream, OpusTarget};

use super::layout;
use crate::error::{Error, Place, Result};

/// The name of the format in errors.
pub(crate) const FORMAT: &str = "opus";
/// Samples of a channel in a second, whatever was encoded (RFC 7845, section 4).
pub(crate) const RATE: u32 = 48_000;
/// Samples of a channel in a packet at most: 120 ms (RFC 6716, section 3.2.5).
pub(crate) const PACKET_FRAMES_MAX: usize = 5_760;
/// What the first packet begins with, and the second.
pub(crate) const HEAD: &[u8; 8] = b"OpusHead";
pub(crate) const TAGS: &[u8; 8] = b"OpusTags";
/// Bytes of the first packet without a table of channels.
const HEAD_BYTES: usize = 19;

/// The first packet (RFC 7845, section 5.1).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    /// Channels.
    pub channels: u8,
    /// Frames at the beginning that are no content.
    pub skipped: u16,
    /// The gain in 1/256 decibel.
    pub gain: i16,
    /// Streams in each packet, those of two channels among them, and which of their channels each channel is,
    /// in the usual order; 255 is silence.
    pub streams: u8,
    /// Streams of two channels.
    pub coupled: u8,
    /// Which of the channels of the streams each channel is.
    pub mapping: Vec<u8>,
    /// Names of the channels.
    pub meaning: String,
}

impl Head {
    /// Reads the packet, which lies at the beginning of the file.
    pub fn read(packet: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::malformed(FORMAT, Place::at_byte(0), what);
        let Some((head, table)) = packet.split_first_chunk::<HEAD_BYTES>() else {
            return Err(bad("the header OpusHead is too short"));
        };
        if !head.starts_with(HEAD) {
            return Err(bad("the stream does not begin with OpusHead"));
        }
        let [version, channels, low, high] = [head[8], head[9], head[10], head[11]];
        let (gain, family) = (i16::from_le_bytes([head[16], head[17]]), head[18]);
        if version >> 4 != 0 || channels == 0 {
            return Err(bad("the header OpusHead tells of another version, or of no channels"));
        }
        let count = usize::from(channels);
        let (streams, coupled, mapping) = match (family, table) {
            (0, _) if count <= 2 => (1, channels - 1, (0..channels).collect()),
            (1 | 255, [streams, coupled, mapping @ ..]) if mapping.len() >= count => {
                (*streams, *coupled, mapping[..count].to_vec())
            }
            (0 | 1 | 255, _) => return Err(bad("the header OpusHead tells of no channels that it can have")),
            (family, _) => {
                let what =
                    format!("channels by the mapping of family {family}, which is none of 0, 1 and 255");
                return Err(Error::unsupported(Place::at_byte(0), what, "decode it to PCM first"));
            }
        };
        let there = u16::from(streams) + u16::from(coupled);
        let inside = |channel: &u8| *channel == 255 || u16::from(*channel) < there;
        let in_order = family != 1 || count <= 8;
        if streams == 0 || coupled > streams || there > 255 || !mapping.iter().all(inside) || !in_order {
            return Err(bad("the header OpusHead maps channels to streams that are not there"));
        }
        let (mapping, meaning) = match family {
            255 => (mapping, layout::numbered(channels.into())),
            _ => (
                layout::vorbis_order(count).into_iter().map(|at| mapping[at]).collect(),
                layout::meaning(channels.into(), None),
            ),
        };
        let skipped = u16::from_le_bytes([low, high]);
        Ok(Self { channels, skipped, gain, streams, coupled, mapping, meaning })
    }
}
