//! Provides the conclusion of a profile: the first candidate in the order of preference that remains.

use super::bits::{self, DECIMAL_LEAD, EXPONENT, INFINITY, LEAD, MARK, NAN, ORDER, POINT_ZERO, WORDS};
use super::explain::{joined, why_exceptions, why_spellings, why_spellings_lost};
use super::loose::Found;
use super::lossy::why_second;
use super::nulls::NullStyle;
use super::odd::Odd;
use super::{Profile, Resolved};
use crate::text::parse::offset_of_zone;
use crate::text::{
    Ambiguous, ColumnTyping, DateOrder, DatePattern, DecimalMarks, Exceptions, Exponent, FloatStyle, Form,
    HalfDayPattern, Mark, Mode, OffsetForm, Style, TimestampPattern, WrittenPattern, Zone,
};
use arrow_schema::{DataType, TimeUnit};

/// A type and the form of its text.
pub(super) struct Candidate {
    data_type: DataType,
    form: Form,
    mark: Mark,
    bare_mark: bool,
    /// Fields that are not written so.
    odd: Odd,
}

/// How the nulls of a column are written, beside the exceptions of its values.
struct Nulls {
    style: NullStyle,
    /// The exceptions of nulls and values.
    exceptions: Exceptions,
    /// Whether the text of every null is given back.
    reversible: bool,
    /// What is to be said of them.
    why: String,
}

impl Candidate {
    pub(super) fn new(data_type: DataType, form: Form) -> Self {
        Candidate { data_type, form, mark: Mark::Point, bare_mark: false, odd: Odd::default() }
    }

    fn marked(self, mark: Mark, bare_mark: bool) -> Self {
        Candidate { mark, bare_mark, ..self }
    }
}

impl Profile {
    /// The typing that all observed fields fit, by the order of preference.
    ///
    /// A column without values is text of which every field is null, in [`Form::Empty`]. A column whose dates
    /// all fit both orders of day and month is text in [`Form::Ambiguous`].
    ///
    /// Where rows lack the field, its text does not come back: it is written with one.
    pub fn resolve(&self) -> Resolved {
        self.complete(self.resolve_fields())
    }

    /// The same with what rows that lack the field lose.
    pub(super) fn complete(&self, mut resolved: Resolved) -> Resolved {
        if let Some(row) = self.absent {
            resolved.typing.reversible = false;
            let lacking =
                format!("record {} has no such field, and would come back with an empty one", row + 1);
            resolved.why = joined([resolved.why, lacking.clone()]);
            resolved.lost = joined([resolved.lost, lacking]);
        }
        resolved
    }

    fn resolve_fields(&self) -> Resolved {
        if let (Some(pattern), Some(ty)) = (&self.rules.pattern, &self.rules.fixed) {
            return self.resolve_given(pattern, ty);
        }
        if self.nulls_conflict() {
            return self.text();
        }
        if let Some(candidate) = self.strict() {
            return match is_ambiguous(&candidate) {
                // A word for null is no date, and text like any other.
                true if self.has_null_word() => self.as_text(self.why_ambiguous()),
                true => self.resolved(candidate, self.why_ambiguous()),
                false => self.resolved(candidate, String::new()),
            };
        }
        if let Some((candidate, why)) = self.loose() {
            return self.resolved(candidate, why);
        }
        if let Some(candidate) = self.lenient() {
            return self.lossy(candidate);
        }
        match &self.rules.fixed {
            None => self.text(),
            Some(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => self.text(),
            Some(fixed) => self.unchecked(fixed),
        }
    }

    pub(super) fn resolved(&self, candidate: Candidate, why: String) -> Resolved {
        let nulls = self.nulls(&candidate.odd);
        let mut style = Style {
            mark: candidate.mark,
            bare_mark: candidate.bare_mark,
            exceptions: nulls.exceptions,
            ..Style::new(candidate.form)
        };
        nulls.style.apply(&mut style);
        let typing = ColumnTyping::new(candidate.data_type, style, nulls.reversible);
        let lost = if nulls.reversible { String::new() } else { nulls.why.clone() };
        Resolved { typing, why: joined([why, nulls.why]), lost, unfit: None, grouped: None }
    }

    /// The typing of a candidate that reads more texts than it writes.
    pub(super) fn lossy(&self, candidate: Candidate) -> Resolved {
        let mut style = Style { mark: candidate.mark, lenient: true, ..Style::new(candidate.form) };
        self.many_nulls().apply(&mut style);
        let typing = ColumnTyping::new(candidate.data_type, style, false);
        let why = self.why_lossy(&typing);
        Resolved { typing, lost: why.clone(), why, unfit: None, grouped: None }
    }

    fn text(&self) -> Resolved {
        let unsaid = self.rules.options.mode == Mode::Text || self.rules.fixed.is_some();
        self.as_text(if unsaid { String::new() } else { self.why_text() })
    }

    /// The typing as text, with a reason for it.
    pub(super) fn as_text(&self, why: String) -> Resolved {
        let data_type = self.rules.fixed.clone().unwrap_or(DataType::Utf8);
        if !self.rules.options.null_tokens.is_empty() {
            return self.resolved(Candidate::new(data_type, Form::Text), why);
        }
        // Without a word from the caller, null in text is the empty field alone.
        let typing = ColumnTyping::new(data_type, Style::new(Form::Text), true);
        Resolved { typing, why, lost: String::new(), unfit: None, grouped: None }
    }

    /// How nulls are written beside these exceptions.
    fn nulls(&self, odd: &Odd) -> Nulls {
        let exceptions = odd.exceptions().unwrap_or_default();
        if !self.spellings.are_several() {
            return match &self.nulls.broken {
                None => Nulls { style: self.one_null(), exceptions, reversible: true, why: String::new() },
                Some(second) => {
                    let why = why_second(second);
                    Nulls { style: self.many_nulls(), exceptions, reversible: false, why }
                }
            };
        }
        let Some(written) = self.spellings.find(odd) else {
            let why = self.spellings.second().map(why_spellings_lost).unwrap_or_default();
            return Nulls { style: self.many_nulls(), exceptions, reversible: false, why };
        };
        let why = written.others.first().map(|first| why_spellings(written.others.count(), first));
        Nulls {
            style: self.null_of(written.token),
            exceptions: written.all.exceptions().unwrap_or_default(),
            reversible: true,
            why: why.unwrap_or_default(),
        }
    }

    /// Whether nulls are spelled with a word that the caller did not give.
    fn has_null_word(&self) -> bool {
        self.rules.options.null_tokens.is_empty() && self.nulls.first().is_some_and(|token| token > 0)
    }

    /// The first reversible candidate that remains.
    fn strict(&self) -> Option<Candidate> {
        let has = |bit: u64| self.alive & bit != 0;
        let mut found: Vec<Candidate> = Vec::new();
        if has(bits::EMPTY) {
            found.push(Candidate::new(DataType::Utf8, Form::Empty));
        }
        if let Some(words) = WORDS.pick(self.alive) {
            found.push(Candidate::new(DataType::Boolean, Form::Bool { words }));
        }
        let integers = [
            (bits::INT64, DataType::Int64),
            (bits::UINT64, DataType::UInt64),
            (bits::INT128, DataType::Decimal128(38, 0)),
            (bits::INT256, DataType::Decimal256(76, 0)),
        ];
        for (bit, data_type) in integers {
            if has(bit) {
                found.push(Candidate::new(data_type, Form::Integer));
            }
        }
        if let Some((scale, mark)) = self.decimal.first().filter(|_| has(bits::DECIMAL)) {
            let scale = scale as i8;
            let data_type = match self.digits_max {
                0..=18 => DataType::Decimal128(18, scale),
                19..=38 => DataType::Decimal128(38, scale),
                _ => DataType::Decimal256(76, scale),
            };
            let bare_mark = DECIMAL_LEAD.pick(self.alive) == Some(1);
            found.push(Candidate::new(data_type, Form::Decimal).marked(mark, bare_mark));
        }
        found.extend(self.float());
        found.extend(self.dates());
        if let Some((seconds, fraction)) = self.time.first().filter(|_| has(bits::TIME)) {
            let unit = if fraction > 6 { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
            found.push(Candidate::new(DataType::Time64(unit), Form::Time { seconds, fraction }));
        }
        if let Some(pattern) = self.half_day.first().filter(|_| has(bits::HALF_DAY)) {
            let pattern = HalfDayPattern { padded: self.padded.first().unwrap_or(true), ..pattern };
            found.push(Candidate::new(DataType::Time64(TimeUnit::Microsecond), Form::HalfDay(pattern)));
        }
        found.extend(self.moments());
        found.extend(self.written());
        match &self.rules.fixed {
            None => found.into_iter().next(),
            // Whoever gave the type of dates has not said which of their numbers is the day.
            Some(_) if self.is_undecided() => None,
            Some(fixed) => found.into_iter().find_map(|candidate| adapt(candidate, fixed)),
        }
    }

    /// Whether all fields are dates or timestamps in both orders of day and month.
    pub(super) fn is_undecided(&self) -> bool {
        let found = [self.dates(), self.moments(), self.written()];
        found.iter().any(|candidates| candidates.first().is_some_and(is_ambiguous))
    }

    /// The same, where either order would have this type.
    pub(super) fn is_undecided_as(&self, fixed: &DataType) -> bool {
        let found = [self.dates(), self.moments(), self.written()].into_iter();
        let mut undecided = found.filter(|candidates| candidates.first().is_some_and(is_ambiguous)).flatten();
        undecided.any(|candidate| adapt(candidate, fixed).is_some())
    }

    fn float(&self) -> Option<Candidate> {
        if !bits::float_is_possible(self.alive) {
            return None;
        }
        let (point_zero, exponent) = self.number_style()?;
        let style = FloatStyle {
            point_zero,
            exponent,
            nan: NAN.pick(self.alive)?,
            infinity: INFINITY.pick(self.alive)?,
        };
        let mark = if MARK.pick(self.alive)? == 0 { Mark::Point } else { Mark::Comma };
        let bare_mark = LEAD.pick(self.alive)? == 1;
        Some(Candidate::new(DataType::Float64, Form::Float(style)).marked(mark, bare_mark))
    }

    /// The first style of numbers that remains: whether there is `.0`, and the notation of the exponent. Each
    /// may remain where no field is written by both, as `-0.0` and `1E-10` have it of Java's.
    fn number_style(&self) -> Option<(bool, Exponent)> {
        let points = POINT_ZERO.alive(self.alive);
        points.flat_map(|point| EXPONENT.alive(self.alive).map(move |option| (point == 1, option))).find_map(
            |(point_zero, option)| match Exponent::ALL.get(option) {
                Some(exponent) => {
                    self.loose_float.has_all(option, point_zero).then_some((point_zero, *exponent))
                }
                None if EXPONENT.bit(option) == bits::SCIENTIFIC => {
                    Some((point_zero, Exponent::Scientific(self.scientific.first()?)))
                }
                None => Some((point_zero, Exponent::Always)),
            },
        )
    }

    /// The first candidate that a few fields break, and what is to be said of them.
    fn loose(&self) -> Option<(Candidate, String)> {
        if let Some(found) = self.loose_bool.find() {
            return Some(self.with_exceptions(DataType::Boolean, found, |words| Form::Bool { words }));
        }
        Some(self.with_exceptions(DataType::Float64, self.loose_float.find()?, Form::Float))
    }

    fn with_exceptions<T>(
        &self,
        data_type: DataType,
        found: Found<T>,
        form: impl Fn(T) -> Form,
    ) -> (Candidate, String) {
        let marks = self.rules.options.decimal_marks;
        let count = found.odd.count();
        let why = found.odd.first().map(|first| why_exceptions(count, first, marks)).unwrap_or_default();
        let candidate = Candidate::new(data_type, form(found.style)).marked(found.mark, found.bare_mark);
        (Candidate { odd: found.odd, ..candidate }, why)
    }

    fn dates(&self) -> Vec<Candidate> {
        let mark = self.date_mark.first().unwrap_or(b'/');
        let day_first = DatePattern::day_first(mark);
        let mut year_last = [Some(day_first), day_first.month_first()];
        if self.rules.options.date_order == DateOrder::MonthFirst {
            year_last.reverse();
        }
        let mut found = Vec::new();
        if self.alive & bits::YEAR_LAST == bits::YEAR_LAST {
            found.push(Candidate::new(DataType::Utf8, Form::Ambiguous(Ambiguous::Date(day_first))));
        }
        let year_first = [b'-', mark].map(|mark| Some(DatePattern::year_first(mark)));
        let patterns = year_first.into_iter().chain(year_last).chain([Some(DatePattern::Compact)]);
        let patterns = patterns.flatten().filter(|pattern| self.alive & bits::date(*pattern) != 0);
        found.extend(patterns.map(|pattern| Candidate::new(DataType::Date32, Form::Date(pattern))));
        found
    }

    /// Timestamps of one pattern, or of one without zeros at the end of fractions.
    fn moments(&self) -> Vec<Candidate> {
        let has = |bit| self.alive & bit != 0;
        let mut found = Vec::new();
        if let Some(pattern) = self.timestamp.first().filter(|_| has(bits::TIMESTAMP)) {
            found.extend(self.timestamps(pattern));
        }
        if let Some(pattern) = self.trimmed.first().filter(|_| has(bits::TRIMMED)) {
            let fraction = if self.reach.is_fine() { 9 } else { 6 };
            found.extend(self.timestamps(TimestampPattern { fraction, ..pattern }));
        }
        found
    }

    /// Timestamps of a pattern, in the orders of day and month that remain.
    fn timestamps(&self, pattern: TimestampPattern) -> Vec<Candidate> {
        let month_first = pattern.date.month_first().map(|date| TimestampPattern { date, ..pattern });
        let of = |pattern| Candidate::new(timestamp_type(pattern), Form::Timestamp(pattern));
        self.in_orders([Some(pattern), month_first], of, Ambiguous::Timestamp(pattern))
    }

    /// Dates and timestamps as people write them, in the orders of day and month that remain.
    fn written(&self) -> Vec<Candidate> {
        let found = self.written.pattern().filter(|_| self.alive & bits::WRITTEN != 0);
        let Some(pattern) = found else { return Vec::new() };
        let month_first = pattern.date.month_first().map(|date| WrittenPattern { date, ..pattern });
        let of = |pattern| Candidate::new(written_type(pattern), Form::Written(pattern));
        self.in_orders([Some(pattern), month_first], of, Ambiguous::Written(pattern))
    }

    /// The candidates of a pattern that has the day first and of the one that has the month first, if there
    /// is such, in the orders that remain; text before them where both do.
    fn in_orders<P>(
        &self,
        [day_first, month_first]: [Option<P>; 2],
        of: impl Fn(P) -> Candidate,
        both: Ambiguous,
    ) -> Vec<Candidate> {
        if month_first.is_none() {
            return day_first.map(of).into_iter().collect();
        }
        let orders = [day_first, month_first].into_iter().enumerate();
        let remaining = orders.filter(|(order, _)| self.alive & ORDER.bit(*order) != 0);
        let mut found: Vec<_> = remaining.filter_map(|(_, pattern)| pattern.map(&of)).collect();
        if found.len() > 1 {
            found.insert(0, Candidate::new(DataType::Utf8, Form::Ambiguous(both)));
        }
        found
    }

    /// The first candidate that remains and reads more texts than it writes.
    fn lenient(&self) -> Option<Candidate> {
        let mark = match self.rules.options.decimal_marks {
            DecimalMarks::Comma => Mark::Comma,
            DecimalMarks::Point => Mark::Point,
            DecimalMarks::Either => self.lenient_mark.first().unwrap_or_default(),
        };
        let float = FloatStyle { point_zero: false, ..FloatStyle::PYTHON };
        let pattern = |zone| TimestampPattern {
            date: DatePattern::YmdDash,
            t: true,
            seconds: true,
            fraction: 6,
            trimmed: false,
            zone,
        };
        let (local, instant) = (pattern(Zone::None), pattern(Zone::Z));
        let candidates = [
            (bits::LENIENT_BOOL, DataType::Boolean, Form::Bool { words: 0 }),
            (bits::LENIENT_INT64, DataType::Int64, Form::Integer),
            (bits::LENIENT_UINT64, DataType::UInt64, Form::Integer),
            (bits::LENIENT_INT128, DataType::Decimal128(38, 0), Form::Integer),
            (bits::LENIENT_INT256, DataType::Decimal256(76, 0), Form::Integer),
            (bits::LENIENT_DECIMAL, DataType::Decimal256(76, 38), Form::Decimal),
            (bits::LENIENT_FLOAT, DataType::Float64, Form::Float(float)),
            (bits::LENIENT_TIMESTAMP, timestamp_type(local), Form::Timestamp(local)),
            (bits::LENIENT_INSTANT, timestamp_type(instant), Form::Timestamp(instant)),
        ];
        let remaining = candidates.into_iter().filter(|(bit, ..)| self.alive & bit != 0);
        let mut found =
            remaining.map(|(_, data_type, form)| Candidate::new(data_type, form).marked(mark, false));
        match &self.rules.fixed {
            None => found.next(),
            Some(fixed) => found.find_map(|candidate| match (&candidate.data_type, fixed) {
                (DataType::Decimal256(76, 38), t) if t.is_decimal() => {
                    Some(Candidate { data_type: t.clone(), ..candidate })
                }
                _ => adapt(candidate, fixed),
            }),
        }
    }
}

fn is_ambiguous(candidate: &Candidate) -> bool {
    matches!(candidate.form, Form::Ambiguous(_))
}

/// The type of timestamps in this pattern.
pub(super) fn timestamp_type(pattern: TimestampPattern) -> DataType {
    let unit = if pattern.fraction > 6 { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
    let zone = match pattern.zone {
        Zone::None => None,
        Zone::Z | Zone::Offset { minutes: 0, .. } => Some("UTC".into()),
        Zone::Offset { minutes, .. } => {
            let mut text = Vec::with_capacity(6);
            crate::text::datetime::write_offset(minutes, OffsetForm::Colon, &mut text);
            Some(String::from_utf8_lossy(&text).into())
        }
    };
    DataType::Timestamp(unit, zone)
}

/// The type of dates in this pattern.
pub(super) fn written_type(pattern: WrittenPattern) -> DataType {
    match pattern.clock {
        None => DataType::Date32,
        Some(_) if pattern.fraction() > 6 => DataType::Timestamp(TimeUnit::Nanosecond, None),
        Some(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// The candidate under a fixed type; `None` if its text does not give that type.
fn adapt(candidate: Candidate, fixed: &DataType) -> Option<Candidate> {
    let fits = match (&candidate.data_type, fixed) {
        (DataType::Boolean, DataType::Boolean) => true,
        (DataType::Int64 | DataType::UInt64, t) if t.is_integer() => true,
        (from, t) if t.is_decimal() => match (&candidate.form, scale_of(t)) {
            (Form::Integer, Some(0)) => true,
            (Form::Decimal, Some(scale)) => scale_of(from) == Some(scale),
            _ => false,
        },
        (DataType::Float64, t) if t.is_floating() => true,
        (DataType::Date32, DataType::Date32 | DataType::Date64) => true,
        (DataType::Time64(_), DataType::Time32(_) | DataType::Time64(_)) => true,
        (DataType::Timestamp(_, None), DataType::Timestamp(_, None)) => true,
        (DataType::Timestamp(_, Some(from)), DataType::Timestamp(_, Some(to))) => {
            offset_of_zone(to).is_none() || offset_of_zone(to) == offset_of_zone(from)
        }
        _ => false,
    };
    let form = match (&candidate.form, fixed) {
        (Form::Integer, t) if t.is_decimal() => Form::Decimal,
        (form, _) => form.clone(),
    };
    fits.then(|| Candidate { data_type: fixed.clone(), form, ..candidate })
}

fn scale_of(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}
