//! Provides the comparison of what the pages of a stream count with what came out of its packets, and which
//! frames are left of them.
//!
//! A page tells how many frames there are up to the end of its last packet. The last page may tell of fewer,
//! so that the sound ends within a packet (RFC 7845, section 4.4; Vorbis I, appendix A.2); the first one of
//! more, where a stream was recorded from its middle on. Anything else is a packet that is not there.

use std::ops::Range;

use super::Page;
use crate::error::{Error, Place, Result};

/// What a first page means that tells of fewer frames than it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Early {
    /// The first ones are no content (Vorbis I, appendix A.2).
    Cut,
    /// The stream is broken (RFC 7845, section 4.5).
    Refused,
}

/// Frames, as they come and as they are told of.
#[derive(Debug)]
pub(crate) struct Counted {
    format: &'static str,
    early: Early,
    /// Frames that came, and those before the last page that told a position.
    came: u64,
    told: u64,
    /// What was counted before the first frame.
    before: Option<u64>,
    kept: Range<u64>,
}

impl Counted {
    /// Nothing yet, of a stream of this format.
    pub fn new(format: &'static str, early: Early) -> Self {
        Self { format, early, came: 0, told: 0, before: None, kept: 0..0 }
    }

    /// Takes note of a page, from whose packets so many frames came.
    ///
    /// # Errors
    /// It tells of another number.
    pub fn take(&mut self, page: &Page, frames: u64) -> Result<()> {
        self.came += frames;
        let Some(position) = page.position else { return Ok(()) };
        let counted = self.came - self.kept.start;
        let before = match self.before {
            Some(before) => before,
            None if position >= counted => position - counted,
            None if !page.last && self.early == Early::Cut => {
                self.kept.start = counted - position;
                0
            }
            None => 0,
        };
        self.before = Some(before);
        let end = position.checked_sub(before).map(|end| end + self.kept.start);
        let right = |end: &u64| *end == self.came || (page.last && (self.told..self.came).contains(end));
        let Some(end) = end.filter(right) else {
            let told = position.saturating_sub(before);
            let what = format!("the stream counts {told} frames up to here, and {counted} came out of it");
            return Err(Error::malformed(self.format, Place::at_byte(page.at), what));
        };
        self.told = self.came;
        self.kept.end = end;
        Ok(())
    }

    /// Which of the frames that came are content.
    pub fn kept(&self) -> Range<u64> {
        self.kept.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(early: Early, pages: &[(u64, u64)]) -> Option<Range<u64>> {
        let mut counted = Counted::new("x", early);
        for (at, (frames, position)) in (1..).zip(pages) {
            let last = at == pages.len();
            let page = Page { at: at as u64, position: Some(*position), last, ..Page::default() };
            counted.take(&page, *frames).ok()?;
        }
        Some(counted.kept())
    }

    #[test]
    fn what_is_counted_and_what_came_must_agree() {
        for early in [Early::Cut, Early::Refused] {
            assert_eq!(count(early, &[(10, 10), (10, 20), (10, 30)]), Some(0..30));
            // The sound ends within the last packet, or on the only page.
            assert_eq!(count(early, &[(10, 10), (10, 20), (10, 23)]), Some(0..23));
            assert_eq!(count(early, &[(10, 7)]), Some(0..7));
            assert_eq!(count(early, &[(10, 10), (0, 10)]), Some(0..10));
            // Recorded from the middle on.
            assert_eq!(count(early, &[(10, 1010), (10, 1020), (10, 1025)]), Some(0..25));
            // Packets are missing, or there are too many.
            for wrong in [
                &[(10, 10), (10, 30), (10, 40)][..],
                &[(10, 10), (10, 19), (10, 29)],
                &[(10, 10), (10, 31)],
                &[(10, 10), (10, 9)],
                &[(10, 1010), (10, 20)],
            ] {
                assert_eq!(count(early, wrong), None, "{wrong:?}");
            }
        }
        assert_eq!(count(Early::Cut, &[(10, 4), (10, 14), (10, 20)]), Some(6..26));
        assert_eq!(count(Early::Refused, &[(10, 4), (10, 14), (10, 20)]), None);
    }
}
