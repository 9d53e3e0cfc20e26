//! Provides the candidates that a profile holds, as bits of one word.
//!
//! A type whose style has several independent choices has a bit of its own and one for each choice. It is
//! possible while its own bit and at least one bit of each of its choices are.

use crate::text::DatePattern;

pub(super) const EMPTY: u64 = 1 << 0;
pub(super) const INT64: u64 = 1 << 1;
pub(super) const UINT64: u64 = 1 << 2;
pub(super) const INT128: u64 = 1 << 3;
pub(super) const INT256: u64 = 1 << 4;
pub(super) const DECIMAL: u64 = 1 << 5;
pub(super) const FLOAT: u64 = 1 << 6;
/// Dates and timestamps as people write them, of one pattern.
pub(super) const WRITTEN: u64 = 1 << 7;
pub(super) const TIME: u64 = 1 << 8;
pub(super) const TIMESTAMP: u64 = 1 << 9;
pub(super) const LENIENT_BOOL: u64 = 1 << 10;
pub(super) const LENIENT_INT64: u64 = 1 << 11;
pub(super) const LENIENT_UINT64: u64 = 1 << 12;
pub(super) const LENIENT_INT128: u64 = 1 << 13;
pub(super) const LENIENT_INT256: u64 = 1 << 14;
pub(super) const LENIENT_FLOAT: u64 = 1 << 15;
pub(super) const LENIENT_TIMESTAMP: u64 = 1 << 16;
pub(super) const LENIENT_DECIMAL: u64 = 1 << 17;
pub(super) const LENIENT_INSTANT: u64 = 1 << 40;
/// Numbers with fractions of which only the value counts.
pub(super) const LENIENT_NUMBER: u64 = LENIENT_FLOAT | LENIENT_DECIMAL;
pub(super) const LENIENT: u64 = 0xFF << 10 | LENIENT_INSTANT;

/// Dates, as [`date`] has their bits.
pub(super) const DATES: Choice = Choice { first: 18, count: 5 };
/// Dates with the year last: they have to agree on their mark besides. While both orders remain, which
/// numbers are the days is not known.
pub(super) const YEAR_LAST: u64 = DATES.bit(2) | DATES.bit(3);
/// Dates that have to agree on their mark: those with the year last, or first before a slash or a point.
pub(super) const MARKED: u64 = YEAR_LAST | DATES.bit(1);
/// Times of twice twelve hours.
pub(super) const HALF_DAY: u64 = 1 << 23;
/// Words of a boolean, in the order of `BOOL_WORDS`.
pub(super) const WORDS: Choice = Choice { first: 24, count: 11 };
/// Integral numbers without and with `.0`.
pub(super) const POINT_ZERO: Choice = Choice { first: 35, count: 2 };
/// Notations of the exponent, in the order of `Exponent::ALL`, and the two that always have one.
pub(super) const EXPONENT: Choice = Choice { first: 55, count: 9 };
/// The notation that always has an exponent, after a fixed number of digits.
pub(super) const SCIENTIFIC: u64 = EXPONENT.bit(7);
/// The notation that always has an exponent, after the shortest digits.
pub(super) const ALWAYS: u64 = EXPONENT.bit(8);
/// Words for "not a number".
pub(super) const NAN: Choice = Choice { first: 41, count: 3 };
/// Words for infinity.
pub(super) const INFINITY: Choice = Choice { first: 44, count: 5 };
/// Decimal marks of floating-point numbers.
pub(super) const MARK: Choice = Choice { first: 49, count: 2 };

/// With and without an integral zero before the mark of a floating-point number.
pub(super) const LEAD: Choice = Choice { first: 51, count: 2 };
/// The same for decimals.
pub(super) const DECIMAL_LEAD: Choice = Choice { first: 53, count: 2 };

/// Orders that all timestamps, or dates as people write them, can have: day first, and month first. Those
/// with the year first, or with the name of the month, have both.
pub(super) const ORDER: Choice = Choice { first: 38, count: 2 };

/// Timestamps of one pattern, whose fractions have no zeros at their end.
pub(super) const TRIMMED: u64 = 1 << 37;

/// Bits in use, or below one that is.
pub(super) const COUNT: usize = 64;

/// Every choice that a floating-point style makes.
pub(super) const FLOAT_CHOICES: [Choice; 6] = [POINT_ZERO, EXPONENT, NAN, INFINITY, MARK, LEAD];

/// Bits of which one must remain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    first: usize,
    count: usize,
}

impl Choice {
    /// All bits.
    pub(super) const fn all(self) -> u64 {
        ((1 << self.count) - 1) << self.first
    }

    /// The bit of one option.
    pub(super) const fn bit(self, option: usize) -> u64 {
        1 << (self.first + option)
    }

    /// The options that remain.
    pub(super) fn alive(self, alive: u64) -> impl Iterator<Item = usize> {
        (0..self.count).filter(move |&option| alive & self.bit(option) != 0)
    }

    /// The first of them.
    pub(super) fn pick(self, alive: u64) -> Option<usize> {
        self.alive(alive).next()
    }
}

/// The bit of dates in a pattern. Where the year is last, there is one for each order, whatever the mark.
/// Slashes and points share one where the year is first.
pub(super) const fn date(pattern: DatePattern) -> u64 {
    DATES.bit(match pattern {
        DatePattern::YmdDash => 0,
        DatePattern::YmdSlash | DatePattern::YmdDot => 1,
        DatePattern::DmySlash | DatePattern::DmyDot | DatePattern::DmyDash => 2,
        DatePattern::MdySlash | DatePattern::MdyDash => 3,
        DatePattern::Compact => 4,
    })
}

/// Whether a floating-point type is possible.
pub(super) fn float_is_possible(alive: u64) -> bool {
    alive & FLOAT != 0 && FLOAT_CHOICES.iter().all(|choice| alive & choice.all() != 0)
}

/// Whether a decimal is possible.
pub(super) fn decimal_is_possible(alive: u64) -> bool {
    alive & DECIMAL != 0 && alive & DECIMAL_LEAD.all() != 0
}
