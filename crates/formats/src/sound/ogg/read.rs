//! Provides the reading of pages: what they say of their stream, and the packets that end on each.

use std::sync::Arc;

use super::{
    CAPTURE, CHECKSUM_AT, CONTINUED, FIRST, HEAD_BYTES, LAST, NO_POSITION, SEGMENT_FULL, SEGMENTS_MAX,
    checksum, codec,
};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::OGG_PACKET_BYTES_MAX;

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Its first byte.
    pub at: u64,
    /// The packets that end on it.
    pub packets: Vec<Vec<u8>>,
    /// What the codec counts, at the end of the last of them.
    pub position: Option<u64>,
    /// Whether the stream ends with it.
    pub last: bool,
}

/// What lies in the head of a page.
struct Head {
    flags: u8,
    position: u64,
    stream: u32,
    number: u32,
    checksum: u32,
}

impl Head {
    fn read(bytes: &[u8; HEAD_BYTES]) -> Self {
        let number = |from: usize, count: usize| {
            bytes[from..from + count].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        Self {
            flags: bytes[5],
            position: number(6, 8),
            stream: number(14, 4) as u32,
            number: number(18, 4) as u32,
            checksum: number(CHECKSUM_AT, 4) as u32,
        }
    }
}

/// Reads the pages of the only stream of a file, from first to last.
#[derive(Debug)]
pub(crate) struct Pages {
    format: &'static str,
    file: Arc<ObjectFile>,
    at: u64,
    /// The stream, and the number of the page before.
    stream: Option<(u32, u32)>,
    /// What is there of a packet that goes on.
    begun: Option<Vec<u8>>,
    ended: bool,
}

impl Pages {
    /// The pages of a file, whose errors speak of this format.
    pub fn new(format: &'static str, file: Arc<ObjectFile>) -> Self {
        Self { format, file, at: 0, stream: None, begun: None, ended: false }
    }

    /// Where the next page begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next page; `None` after the last one, at the end of the file.
    ///
    /// # Errors
    /// A page that is damaged, missing, or of another stream; a file that ends before its stream does, or
    /// goes on after it.
    pub fn next_page(&mut self) -> Result<Option<Page>> {
        let at = self.at;
        let left = self.file.len().saturating_sub(at);
        if self.ended && left == 0 {
            return Ok(None);
        }
        if left == 0 {
            return Err(self.bad("the file ends before its stream does: no page is marked as the last"));
        }
        let (head, segments, body) = self.read()?;
        self.check(&head, &body)?;
        let mut page = Page { at, last: head.flags & LAST != 0, ..Page::default() };
        self.take(&segments, &body, &mut page)?;
        if !page.packets.is_empty() || page.last {
            page.position = Some(head.position).filter(|position| *position != NO_POSITION);
        }
        if page.position.is_none() && !page.packets.is_empty() {
            return Err(self.bad("packets end on this page, and it tells no position"));
        }
        if page.last && self.begun.is_some() {
            return Err(self.bad("the stream ends within a packet"));
        }
        self.ended = page.last;
        self.at += (HEAD_BYTES + segments.len() + body.len()) as u64;
        Ok(Some(page))
    }

    /// The first `count` packets, which fill whole pages.
    pub fn headers(&mut self, count: usize) -> Result<Vec<Vec<u8>>> {
        let mut packets = Vec::new();
        while packets.len() < count {
            let at = self.at;
            match self.next_page()? {
                Some(page) if !page.last || packets.len() + page.packets.len() == count => {
                    packets.extend(page.packets);
                }
                _ => {
                    let what = format!("the stream ends within its {count} headers");
                    return Err(Error::malformed(self.format, Place::at_byte(at), what));
                }
            }
        }
        match packets.len() == count && self.begun.is_none() {
            true => Ok(packets),
            false => Err(self.bad("sound begins on a page of the headers")),
        }
    }

    /// An error about the page that is read.
    fn bad(&self, what: impl Into<String>) -> Error {
        Error::malformed(self.format, Place::at_byte(self.at), what)
    }

    /// The head of a page, its table of segments, and what is in them; its checksum is right.
    fn read(&self) -> Result<(Head, Vec<u8>, Vec<u8>)> {
        let mut page = vec![0; HEAD_BYTES + SEGMENTS_MAX];
        let count = self.file.read_at(&mut page, self.at)?;
        page.truncate(count);
        if !page.starts_with(CAPTURE) {
            let what = if self.ended { "bytes follow the end of the stream" } else { "no page begins here" };
            return Err(self.bad(what));
        }
        let cut = || self.bad("the file ends within a page");
        let head: [u8; HEAD_BYTES] = *page.first_chunk::<HEAD_BYTES>().ok_or_else(cut)?;
        let count = usize::from(head[HEAD_BYTES - 1]);
        let segments = page.get(HEAD_BYTES..HEAD_BYTES + count).ok_or_else(cut)?.to_vec();
        let mut body = vec![0; segments.iter().map(|len| usize::from(*len)).sum()];
        if self.file.read_at(&mut body, self.at + (HEAD_BYTES + count) as u64)? < body.len() {
            return Err(cut());
        }
        page.truncate(HEAD_BYTES + count);
        page.extend(&body);
        page[CHECKSUM_AT..CHECKSUM_AT + 4].fill(0);
        let (told, found) = (Head::read(&head), checksum(&page));
        if told.checksum != found {
            let what = format!("the checksum of a page is {found:08x}, and {:08x} is told", told.checksum);
            return Err(self.bad(what));
        }
        match head[4] {
            0 => Ok((told, segments, body)),
            version => Err(self.bad(format!("a page of version {version}, and only 0 is known"))),
        }
    }

    /// Whether this page is the one that is to come.
    fn check(&mut self, head: &Head, body: &[u8]) -> Result<()> {
        let first = head.flags & FIRST != 0;
        match self.stream {
            None if !first => return Err(self.bad("the first page is not marked as such: its stream is cut")),
            None => {}
            Some(_) if first => {
                let what = match (self.ended, codec(body)) {
                    (true, _) => "another stream follows (a chain)".to_owned(),
                    (false, None) => "a second stream lies beside the first".to_owned(),
                    (false, Some(name)) => format!("a second stream, {name}, lies beside the first"),
                };
                let place = Place::at_byte(self.at);
                return Err(Error::unsupported(place, what, "take the streams apart first"));
            }
            Some((stream, _)) if stream != head.stream => {
                return Err(self.bad("a page of a stream never begun"));
            }
            Some(_) if self.ended => return Err(self.bad("a page follows the last one")),
            Some((_, before)) if head.number != before.wrapping_add(1) => {
                let what = format!("page {} follows page {before}: something is missing", head.number);
                return Err(self.bad(what));
            }
            Some(_) => {}
        }
        if (head.flags & CONTINUED != 0) != self.begun.is_some() {
            return Err(self.bad("a packet goes on from no page, or on none"));
        }
        self.stream = Some((head.stream, head.number));
        Ok(())
    }

    /// Takes the packets out of the segments.
    fn take(&mut self, segments: &[u8], body: &[u8], page: &mut Page) -> Result<()> {
        let mut rest = body;
        for len in segments {
            let (segment, after) = rest.split_at(usize::from(*len));
            rest = after;
            let packet = self.begun.get_or_insert_default();
            packet.extend_from_slice(segment);
            if packet.len() > OGG_PACKET_BYTES_MAX {
                let (what, max) = ("the bytes of a packet", OGG_PACKET_BYTES_MAX as u64);
                let hint = "remove its metadata first".to_owned();
                return Err(Error::Limit { place: Box::new(Place::at_byte(page.at)), what, max, hint });
            }
            if *len < SEGMENT_FULL {
                page.packets.extend(self.begun.take());
            }
        }
        Ok(())
    }
}
