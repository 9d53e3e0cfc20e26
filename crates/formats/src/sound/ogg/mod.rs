//! Provides Ogg (RFC 3533): pages with a checksum each, in which packets lie.
//!
//! Every byte of a file belongs to a page of the one stream in it, whose checksum and number are right; what
//! follows its last page, or lies between pages, is an error with its place.

mod count;
mod read;
mod write;

use crate::error::{Error, Place, Result};
pub(crate) use count::{Counted, Early};
pub(crate) use read::{Page, Pages};
pub(crate) use write::PageWriter;

/// What each page begins with.
const CAPTURE: &[u8; 4] = b"OggS";
/// Bytes before the table of segments.
const HEAD_BYTES: usize = 27;
/// Segments of a page at most.
const SEGMENTS_MAX: usize = 255;
/// Bytes of a segment that its packet goes on after.
const SEGMENT_FULL: u8 = 255;
/// Flags of a page: its first packet began on the page before; it is the first; it is the last.
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// Where the checksum stands in a page.
const CHECKSUM_AT: usize = 22;
/// The position of a page on which no packet ends.
const NO_POSITION: u64 = u64::MAX;

/// The polynomial of the checksum; the register begins and ends as it is (RFC 3533, section 6).
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// What each byte does to the checksum.
const CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum >> 31 == 1 { sum << 1 ^ POLYNOMIAL } else { sum << 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

/// The checksum of a page, in which its own place holds zeros.
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, byte| sum << 8 ^ CHECKSUMS[usize::from((sum >> 24) as u8 ^ *byte)])
}

/// The name of the codec of a stream, by its first packet; what is not known is `None`.
pub(crate) fn codec(packet: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 8] = [
        (b"OpusHead", "Opus"),
        (b"\x01vorbis", "Vorbis"),
        (b"\x7fFLAC", "FLAC in Ogg"),
        (b"Speex   ", "Speex"),
        (b"\x80theora", "Theora, which is video"),
        (b"fishead\0", "Ogg Skeleton"),
        (b"CELT    ", "CELT"),
        (b"PCM     ", "PCM in Ogg"),
    ];
    known.iter().find(|(head, _)| packet.starts_with(head)).map(|(_, name)| *name)
}

/// Fails where the first packet of a stream is of another codec than the one of this name.
pub(crate) fn check_codec(format: &'static str, packet: &[u8], name: &str) -> Result<()> {
    match codec(packet) {
        Some(found) if found == name => Ok(()),
        Some(other) => {
            let what = format!("the stream is {other}, and not {name}");
            Err(Error::unsupported(
                Place::at_byte(0),
                what,
                "name its format with --from, or decode it first",
            ))
        }
        None => Err(Error::malformed(format, Place::at_byte(0), "the stream is of no codec that is known")),
    }
}

/// The first packet of a stream that begins so, as far as it is there: it has the first page for itself.
pub(crate) fn first_packet(start: &[u8]) -> Option<&[u8]> {
    let segments = usize::from(*start.get(HEAD_BYTES - 1)?);
    start.get(HEAD_BYTES + segments..).filter(|_| start.starts_with(CAPTURE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_format() {
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(&[0, 0, 0, 1]), POLYNOMIAL);
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }
}
