//! Provides the writing of pages: packets are laid out on them as they come.

use super::{
    CAPTURE, CHECKSUM_AT, CONTINUED, FIRST, HEAD_BYTES, LAST, NO_POSITION, SEGMENT_FULL, SEGMENTS_MAX,
    checksum,
};

/// Writes the pages of one stream.
#[derive(Debug)]
pub(crate) struct PageWriter {
    stream: u32,
    /// The number of the page that is filled.
    number: u32,
    segments: Vec<u8>,
    body: Vec<u8>,
    /// What the codec counts at the end of the last packet that ends on it.
    position: Option<u64>,
    continued: bool,
}

impl PageWriter {
    /// A stream of this number, without a page.
    pub fn new(stream: u32) -> Self {
        Self { stream, number: 0, segments: Vec::new(), body: Vec::new(), position: None, continued: false }
    }

    /// Whether a packet of so many bytes fits on the page that is filled, beside what is there.
    pub fn has_room(&self, packet_bytes: usize) -> bool {
        self.segments.len() + packet_bytes / usize::from(SEGMENT_FULL) < SEGMENTS_MAX
    }

    /// Lays out a packet, at whose end the codec counts `position`; pages that are full go to `out`.
    pub fn packet(&mut self, packet: &[u8], position: u64, out: &mut Vec<u8>) {
        let mut rest = packet;
        loop {
            if self.segments.len() == SEGMENTS_MAX {
                self.end_page(false, out);
                self.continued = rest.len() < packet.len();
            }
            let (piece, more) = rest.split_at(rest.len().min(SEGMENT_FULL.into()));
            self.segments.push(piece.len() as u8);
            self.body.extend_from_slice(piece);
            rest = more;
            // A packet ends with the first segment that is not full, be it an empty one.
            if piece.len() < SEGMENT_FULL.into() {
                break;
            }
        }
        self.position = Some(position);
    }

    /// Ends the page that is filled, which is the last one of the stream or is not.
    pub fn end_page(&mut self, last: bool, out: &mut Vec<u8>) {
        let mut flags = 0;
        for (flag, set) in [(CONTINUED, self.continued), (FIRST, self.number == 0), (LAST, last)] {
            flags |= if set { flag } else { 0 };
        }
        let start = out.len();
        out.extend(CAPTURE);
        out.extend([0, flags]);
        out.extend(self.position.unwrap_or(NO_POSITION).to_le_bytes());
        out.extend(self.stream.to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend([0; 4]);
        out.push(self.segments.len() as u8);
        debug_assert_eq!(out.len() - start, HEAD_BYTES);
        out.append(&mut self.segments);
        out.append(&mut self.body);
        let sum = checksum(&out[start..]);
        out[start + CHECKSUM_AT..start + CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        self.number = self.number.wrapping_add(1);
        (self.position, self.continued) = (None, false);
    }
}
