//! Provides the patterns of dates as people write them.

use crate::text::{DatePattern, HalfDayPattern};

/// A date as people write it, alone or before a space and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WrittenPattern {
    /// Order, marks and month of the date.
    pub date: WrittenDate,
    /// Whether the day, and the month where it is a number, have two digits.
    pub padded: bool,
    /// The time of day, if there is one.
    pub clock: Option<ClockPattern>,
}

/// Order, marks and month of a date whose year has four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WrittenDate {
    /// Three numbers, in the order and with the marks of this pattern, which has marks.
    Numbers(DatePattern),
    /// Two numbers, and the English name of the month.
    Named(NamedDate),
}

/// A date with the name of its month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamedDate {
    /// Order and marks.
    pub layout: NamedLayout,
    /// Whether the name is whole; otherwise it is its first three letters.
    pub full: bool,
    /// Whether all its letters are capitals; otherwise the first is.
    pub upper: bool,
}

/// Order and marks of a date with the name of its month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedLayout {
    /// `Jan 5 2024`
    MonthFirst,
    /// `Jan 5, 2024`
    MonthFirstComma,
    /// `5 Jan 2024`
    DayFirst,
    /// `5-Jan-2024`
    DayFirstDash,
}

/// A time of day after a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockPattern {
    /// Of 24 hours.
    Day {
        /// Whether the hour has two digits.
        padded: bool,
        /// Whether there are seconds.
        seconds: bool,
        /// Digits after the second, 0 to 9.
        fraction: u8,
    },
    /// Of twice twelve.
    Half(HalfDayPattern),
}

impl WrittenPattern {
    /// The same with the hour padded or not.
    pub(crate) fn with_hour(self, padded: bool) -> Self {
        let clock = self.clock.map(|clock| match clock {
            ClockPattern::Day { seconds, fraction, .. } => ClockPattern::Day { padded, seconds, fraction },
            ClockPattern::Half(pattern) => ClockPattern::Half(HalfDayPattern { padded, ..pattern }),
        });
        WrittenPattern { clock, ..self }
    }

    /// Digits after the second.
    pub(crate) fn fraction(self) -> u8 {
        match self.clock {
            Some(ClockPattern::Day { fraction, .. }) => fraction,
            Some(ClockPattern::Half(_)) | None => 0,
        }
    }

    /// The date in the notation of `strftime`, as glibc has it.
    pub fn date_notation(self) -> String {
        let (parts, marks) = self.date.layout();
        let [first, second, third] = parts.map(|part| self.notation_of(part));
        format!("{first}{}{second}{}{third}", marks[0], marks[1])
    }

    fn notation_of(self, part: Part) -> &'static str {
        match (part, self.date, self.padded) {
            (Part::Year, ..) => "%Y",
            (Part::Month, WrittenDate::Numbers(_), true) => "%m",
            (Part::Month, WrittenDate::Numbers(_), false) => "%-m",
            (Part::Month, WrittenDate::Named(named), _) => match (named.full, named.upper) {
                (false, false) => "%b",
                (false, true) => "%^b",
                (true, false) => "%B",
                (true, true) => "%^B",
            },
            (Part::Day, _, true) => "%d",
            (Part::Day, _, false) => "%-d",
        }
    }

    /// The pattern of a date in the notation of `strftime`.
    pub(crate) fn of_date_notation(text: &str) -> Option<Self> {
        let dates = WrittenDate::all();
        let mut all =
            dates.flat_map(|date| [true, false].map(|padded| WrittenPattern { date, padded, clock: None }));
        all.find(|pattern| pattern.date_notation() == text)
    }
}

/// A part of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
}

impl WrittenDate {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let numbers = DatePattern::ALL.into_iter().filter(|pattern| *pattern != DatePattern::Compact);
        let layouts = [
            NamedLayout::MonthFirst,
            NamedLayout::MonthFirstComma,
            NamedLayout::DayFirst,
            NamedLayout::DayFirstDash,
        ];
        let letters = [(false, false), (false, true), (true, false), (true, true)];
        let named = layouts.into_iter().flat_map(move |layout| {
            letters.map(|(full, upper)| WrittenDate::Named(NamedDate { layout, full, upper }))
        });
        numbers.map(WrittenDate::Numbers).chain(named)
    }

    /// Its parts in their order, and what stands between them.
    pub(super) fn layout(self) -> ([Part; 3], [&'static str; 2]) {
        use Part::{Day, Month, Year};
        match self {
            WrittenDate::Numbers(pattern) => match pattern {
                DatePattern::YmdDash | DatePattern::Compact => ([Year, Month, Day], ["-"; 2]),
                DatePattern::YmdSlash => ([Year, Month, Day], ["/"; 2]),
                DatePattern::YmdDot => ([Year, Month, Day], ["."; 2]),
                DatePattern::DmySlash => ([Day, Month, Year], ["/"; 2]),
                DatePattern::MdySlash => ([Month, Day, Year], ["/"; 2]),
                DatePattern::DmyDot => ([Day, Month, Year], ["."; 2]),
                DatePattern::DmyDash => ([Day, Month, Year], ["-"; 2]),
                DatePattern::MdyDash => ([Month, Day, Year], ["-"; 2]),
            },
            WrittenDate::Named(named) => match named.layout {
                NamedLayout::MonthFirst => ([Month, Day, Year], [" ", " "]),
                NamedLayout::MonthFirstComma => ([Month, Day, Year], [" ", ", "]),
                NamedLayout::DayFirst => ([Day, Month, Year], [" ", " "]),
                NamedLayout::DayFirstDash => ([Day, Month, Year], ["-", "-"]),
            },
        }
    }

    /// The one that has the month first where this one has the day, if there is such.
    pub(crate) fn month_first(self) -> Option<Self> {
        match self {
            WrittenDate::Numbers(pattern) => pattern.month_first().map(WrittenDate::Numbers),
            WrittenDate::Named(_) => None,
        }
    }
}

/// The English names of the months.
pub(in crate::text) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl NamedDate {
    /// The letters of the name of a month, as they are written here.
    pub(super) fn letters(self, name: &str) -> impl ExactSizeIterator<Item = u8> {
        let shown = if self.full { name } else { &name[..3] };
        shown.bytes().map(move |letter| if self.upper { letter.to_ascii_uppercase() } else { letter })
    }
}
