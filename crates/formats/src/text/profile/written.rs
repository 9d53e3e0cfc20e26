//! Provides what the dates of a column, as people write them, must agree on.

use super::agreed::{Agreed, Offence};
use crate::text::written::{NamedDate, Shown, WrittenDate, WrittenPattern};

/// The pattern of all dates, and those of its properties that only some of them show.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// As if all were padded and names short.
    pattern: Agreed<WrittenPattern>,
    /// Whether days and months are padded.
    padded: Agreed<bool>,
    /// Whether names of months are whole.
    full: Agreed<bool>,
    /// Whether hours are padded.
    hour: Agreed<bool>,
}

impl Written {
    /// Notes what a date shows.
    pub(super) fn see(&mut self, shown: Shown, row: u64, text: &[u8]) {
        self.pattern.see(shown.pattern, row, text);
        let some =
            [(shown.padded, &mut self.padded), (shown.full, &mut self.full), (shown.hour, &mut self.hour)];
        for (property, agreed) in some {
            if let Some(property) = property {
                agreed.see(property, row, text);
            }
        }
    }

    /// What was noted by either.
    pub(super) fn merge(&mut self, other: &Self) {
        self.pattern.merge(&other.pattern);
        self.padded.merge(&other.padded);
        self.full.merge(&other.full);
        self.hour.merge(&other.hour);
    }

    /// The lowest row that is not written as those before it.
    pub(super) fn broken(&self) -> Option<&Offence> {
        let all = [&self.pattern.broken, &self.padded.broken, &self.full.broken, &self.hour.broken];
        all.into_iter().flatten().min_by_key(|offence| offence.row)
    }

    /// The pattern of all, with the day first where the year is last. What none of them shows is padded, or
    /// short.
    pub(super) fn pattern(&self) -> Option<WrittenPattern> {
        let pattern = self.pattern.first()?;
        let date = match pattern.date {
            WrittenDate::Named(named) => {
                WrittenDate::Named(NamedDate { full: self.full.first().unwrap_or(false), ..named })
            }
            numbers @ WrittenDate::Numbers(_) => numbers,
        };
        let padded = self.padded.first().unwrap_or(true);
        let pattern = WrittenPattern { date, padded, ..pattern };
        Some(pattern.with_hour(self.hour.first().unwrap_or(true)))
    }
}
