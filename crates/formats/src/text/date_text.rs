//! Provides what all patterns of dates have in common.

use super::datetime;
use super::style::DatePattern;
use super::written::{WrittenPattern, read_written_date, write_written_date};

/// How a date is written.
pub(super) trait DateText: Copy + Send + Sync + 'static {
    /// Days from 1970-01-01 of a date that is written so.
    fn read_days(self, text: &[u8]) -> Option<i64>;

    /// Writes a date given in days from 1970-01-01.
    fn write_days(self, days: i64, out: &mut Vec<u8>);
}

impl DateText for DatePattern {
    #[inline]
    fn read_days(self, text: &[u8]) -> Option<i64> {
        datetime::read_date_any_year(text, self)
    }

    #[inline]
    fn write_days(self, days: i64, out: &mut Vec<u8>) {
        datetime::write_date(days, self, out);
    }
}

impl DateText for WrittenPattern {
    fn read_days(self, text: &[u8]) -> Option<i64> {
        read_written_date(text, self)
    }

    fn write_days(self, days: i64, out: &mut Vec<u8>) {
        write_written_date(days, self, out);
    }
}
