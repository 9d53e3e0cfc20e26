//! Provides patterns of dates, times and timestamps that a person gives in terms of `strftime`: `%d.%m.%Y`.
//!
//! A pattern writes each value in one way. It reads that text; leniently it also reads one whose numbers are
//! not padded and whose letters have other capitals, as Python's `strptime` does, and then only the value
//! comes back.

mod notation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

use super::datetime::{self, DAY_SECONDS};
use super::default::unit_digits;
use super::digits::{POWERS, write_padded};
use super::parse::offset_of_zone;
use super::written::MONTHS;

pub use notation::parse_given;

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// The first of the two-digit years that are of the twentieth century, as POSIX has it: 69 to 99 are 1969 to
/// 1999, and 00 to 68 are 2000 to 2068.
const PIVOT: u32 = 69;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A pattern that was given, as its notation tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenPattern {
    notation: Arc<str>,
    pieces: Arc<[Piece]>,
}

/// A piece of a text: letters that stand for themselves, or a part of the value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Letters(Vec<u8>),
    /// A number of two digits, or of as many as it needs where it is not padded.
    Number(Part, bool),
    /// `%Y`, four digits.
    Year,
    /// `%y`, the last two.
    ShortYear,
    /// The English name of the month, whole or its first three letters, perhaps in capitals.
    Month {
        full: bool,
        upper: bool,
    },
    /// That of the day of the week.
    Weekday {
        full: bool,
    },
    /// `AM` and `PM`, or in small letters.
    Half {
        upper: bool,
    },
    /// Digits of a second.
    Fraction(u8),
}

impl Piece {
    fn may_begin_with_digit(&self) -> bool {
        match self {
            Piece::Letters(letters) => letters.first().is_some_and(u8::is_ascii_digit),
            Piece::Month { .. } | Piece::Weekday { .. } | Piece::Half { .. } => false,
            Piece::Number(..) | Piece::Year | Piece::ShortYear | Piece::Fraction(_) => true,
        }
    }
}

/// What a number of two digits counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Month,
    Day,
    Hour,
    HalfHour,
    Minute,
    Second,
}

/// A day since 1970-01-01 and nanoseconds since its midnight; either is 0 where a pattern does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    days: i64,
    nanos: i64,
}

/// What the pieces of a text tell.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: i64,
    late: Option<bool>,
    weekday: Option<usize>,
}

impl GivenPattern {
    /// The notation that it was given in.
    pub fn as_str(&self) -> &str {
        &self.notation
    }

    /// Whether values of this type are all that it tells, no more and no less.
    ///
    /// # Errors
    /// What is missing in it, or too much.
    pub fn check(&self, data_type: &DataType) -> Result<(), &'static str> {
        let unit = match data_type {
            DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => *unit,
            _ => TimeUnit::Second,
        };
        let (date, clock) = (self.has_date(), self.has_clock());
        let fine =
            self.pieces.iter().any(|piece| matches!(piece, Piece::Fraction(n) if *n > unit_digits(unit)));
        match data_type {
            DataType::Date32 if clock => Err("a date has no time of day: take the type timestamp"),
            DataType::Date32 if !date => Err("a date has a year, a month and a day"),
            DataType::Time32(_) | DataType::Time64(_) if date => Err("a time of day has no date"),
            DataType::Time32(_) | DataType::Time64(_) if !clock => Err("a time of day has an hour"),
            DataType::Timestamp(..) if !date => Err("a timestamp has a year, a month and a day"),
            DataType::Timestamp(_, Some(zone)) if offset_of_zone(zone) != Some(0) => {
                Err("of the zones only UTC goes with a pattern, whose texts are then in UTC")
            }
            _ if fine => Err("it has more digits of a second than the unit of the type"),
            DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => Ok(()),
            _ => Err("only the types date, time and timestamp have one"),
        }
    }

    fn has_date(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Year | Piece::ShortYear))
    }

    fn has_clock(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Number(Part::Hour | Part::HalfHour, _)))
    }

    /// Days since 1970-01-01, leniently or not.
    pub(super) fn read_days(&self, text: &[u8], lenient: bool) -> Option<i64> {
        self.read(text, lenient).map(|moment| moment.days)
    }

    /// Units of 10^-`digits` seconds since the epoch, or since midnight where there is no date.
    pub(super) fn read_units(&self, text: &[u8], digits: u8, lenient: bool) -> Option<i64> {
        let Moment { days, nanos } = self.read(text, lenient)?;
        let step = POWERS[usize::from(9 - digits)] as i64;
        if nanos % step != 0 {
            return None;
        }
        let whole = i128::from(days) * i128::from(DAY_SECONDS) * i128::from(POWERS[usize::from(digits)]);
        i64::try_from(whole + i128::from(nanos / step)).ok()
    }

    /// Writes a date.
    pub(super) fn write_days(&self, days: i64, out: &mut Vec<u8>) {
        self.write(Moment { days, nanos: 0 }, out);
    }

    /// Writes units of 10^-`digits` seconds.
    pub(super) fn write_units(&self, units: i64, digits: u8, out: &mut Vec<u8>) {
        let day = DAY_SECONDS * POWERS[usize::from(digits)] as i64;
        let nanos = units.rem_euclid(day) * POWERS[usize::from(9 - digits)] as i64;
        self.write(Moment { days: units.div_euclid(day), nanos }, out);
    }

    /// Why a text has no value, not even leniently read.
    pub(super) fn misfit(&self, text: &[u8]) -> &'static str {
        let Some(told) = self.told(text, true) else { return "does not fit the pattern" };
        match (told.moment(self.has_date()), Told { weekday: None, ..told }.moment(self.has_date())) {
            (Some(_), _) => "is beyond what the type holds, read by the pattern",
            (None, Some(_)) => "has another day of the week than its date, read by the pattern",
            (None, None) => "is no day or time that there is, read by the pattern",
        }
    }

    /// What the pieces of a text tell, in the layout of the pattern.
    fn told(&self, text: &[u8], lenient: bool) -> Option<Told> {
        let (mut told, mut rest) = (Told::default(), text);
        for (at, piece) in self.pieces.iter().enumerate() {
            // A number ends where its digits do, or else only its width tells where.
            let ends = !self.pieces.get(at + 1).is_some_and(Piece::may_begin_with_digit);
            rest = told.take(piece, rest, lenient && ends)?;
        }
        rest.is_empty().then_some(told)
    }

    fn read(&self, text: &[u8], lenient: bool) -> Option<Moment> {
        let moment = self.told(text, lenient)?.moment(self.has_date())?;
        if !lenient {
            let mut written = Vec::with_capacity(text.len());
            self.write(moment, &mut written);
            return (written == text).then_some(moment);
        }
        Some(moment)
    }

    fn write(&self, Moment { days, nanos }: Moment, out: &mut Vec<u8>) {
        let (year, month, day) = datetime::civil_from_days(days);
        let second = nanos / NANOS;
        let hour = second / 3_600;
        for piece in self.pieces.iter() {
            match piece {
                Piece::Letters(letters) => out.extend_from_slice(letters),
                Piece::Year => datetime::write_year(year, out),
                Piece::ShortYear => write_padded(out, year.rem_euclid(100) as u64, 2),
                Piece::Month { full, upper } => {
                    let name = MONTHS[month as usize - 1];
                    let shown = if *full { name } else { &name[..3] };
                    out.extend(shown.bytes().map(|b| if *upper { b.to_ascii_uppercase() } else { b }));
                }
                Piece::Weekday { full } => {
                    let name = WEEKDAYS[weekday(days)];
                    out.extend_from_slice(if *full { name } else { &name[..3] }.as_bytes());
                }
                Piece::Half { upper } => out.extend_from_slice(match (upper, hour >= 12) {
                    (true, false) => b"AM",
                    (true, true) => b"PM",
                    (false, false) => b"am",
                    (false, true) => b"pm",
                }),
                Piece::Fraction(digits) => {
                    let shown = nanos % NANOS / POWERS[usize::from(9 - digits)] as i64;
                    write_padded(out, shown as u64, usize::from(*digits));
                }
                Piece::Number(part, padded) => {
                    let number = match part {
                        Part::Month => i64::from(month),
                        Part::Day => i64::from(day),
                        Part::Hour => hour,
                        Part::HalfHour => (hour + 11) % 12 + 1,
                        Part::Minute => second / 60 % 60,
                        Part::Second => second % 60,
                    };
                    write_padded(out, number as u64, if *padded { 2 } else { 1 });
                }
            }
        }
    }
}

/// The day of the week, from Monday on: 1970-01-01 was a Thursday.
fn weekday(days: i64) -> usize {
    (days + 3).rem_euclid(7) as usize
}

impl Told {
    /// Takes note of a piece at the start of a text, and gives back what follows it.
    fn take<'a>(&mut self, piece: &Piece, text: &'a [u8], lenient: bool) -> Option<&'a [u8]> {
        let rest = match piece {
            Piece::Letters(letters) => text.strip_prefix(letters.as_slice())?,
            Piece::Year => {
                let (year, rest) = number(text, 4, 4)?;
                self.year = year;
                rest
            }
            Piece::ShortYear => {
                let (year, rest) = number(text, 2, 2)?;
                self.year = if year >= PIVOT { 1_900 } else { 2_000 } + year;
                rest
            }
            Piece::Month { full, .. } => {
                let (month, rest) = name(text, &MONTHS, *full)?;
                self.month = month as u32 + 1;
                rest
            }
            Piece::Weekday { full } => {
                let (day, rest) = name(text, &WEEKDAYS, *full)?;
                self.weekday = Some(day);
                rest
            }
            Piece::Half { .. } => {
                let (word, rest) = text.split_at_checked(2)?;
                self.late = Some(word.eq_ignore_ascii_case(b"PM"));
                (self.late == Some(true) || word.eq_ignore_ascii_case(b"AM")).then_some(rest)?
            }
            Piece::Fraction(digits) => {
                let run = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let most = usize::from(*digits);
                let taken = if lenient { run.min(most) } else { most };
                let (fraction, rest) = number(text, taken.max(1), taken)?;
                self.nanos = i64::from(fraction) * POWERS[9 - taken] as i64;
                rest
            }
            Piece::Number(part, padded) => {
                let least = if *padded && !lenient { 2 } else { 1 };
                let (found, rest) = number(text, least, 2)?;
                *match part {
                    Part::Month => &mut self.month,
                    Part::Day => &mut self.day,
                    Part::Hour | Part::HalfHour => &mut self.hour,
                    Part::Minute => &mut self.minute,
                    Part::Second => &mut self.second,
                } = found;
                rest
            }
        };
        Some(rest)
    }

    fn moment(self, has_date: bool) -> Option<Moment> {
        let hour = match self.late {
            None => self.hour,
            Some(late) if (1..=12).contains(&self.hour) => self.hour % 12 + if late { 12 } else { 0 },
            Some(_) => return None,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 || self.month > 12 || self.day > 31 {
            return None;
        }
        let days = match has_date {
            true => datetime::near_date(self.year, self.month * 100 + self.day)?,
            false => 0,
        };
        let same_day = self.weekday.is_none_or(|told| told == weekday(days));
        let seconds = i64::from(hour * 3_600 + self.minute * 60 + self.second);
        same_day.then_some(Moment { days, nanos: seconds * NANOS + self.nanos })
    }
}

/// A number of at least and at most so many digits that a text begins with, and what follows it.
fn number(text: &[u8], least: usize, most: usize) -> Option<(u32, &[u8])> {
    let count = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let (run, rest) = text.split_at(count);
    let number = run.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    (count >= least).then_some((number, rest))
}

/// The place of the name that a text begins with, in any capitals, and what follows it.
fn name<'a>(text: &'a [u8], names: &[&str], full: bool) -> Option<(usize, &'a [u8])> {
    names.iter().enumerate().find_map(|(at, name)| {
        let shown = if full { *name } else { &name[..3] };
        let (word, rest) = text.split_at_checked(shown.len())?;
        word.eq_ignore_ascii_case(shown.as_bytes()).then_some((at, rest))
    })
}
