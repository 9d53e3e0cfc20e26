//! Provides the profile of a column: which typings all its fields fit.

mod agreed;
mod bits;
mod classify;
mod explain;
mod fresh;
mod given;
mod loose;
mod lossy;
mod marks;
mod misfits;
mod moments;
mod nulls;
mod odd;
mod resolve;
mod short_year;
mod spellings;
mod uses;
mod written;

use super::digits;
use super::float::LENGTH_MAX;
use super::number::split_sign;
use super::options::NULL_WORDS;
use super::{
    ColumnTyping, DateOrder, DatePattern, DecimalMarks, GivenPattern, HalfDayPattern, Mark, Mode, RawField,
    Scientific, TimestampPattern, TypingOptions, parse_given,
};
use crate::error::Result;
pub use fresh::Fresh;
pub(crate) use fresh::merge;
pub use marks::Grouped;
pub(crate) use marks::Thousands;
pub use misfits::Unfit;

use agreed::{Agreed, Offence, Offences, Reach};
use arrow_schema::DataType;
use bits::{DATES, EXPONENT, MARK, ORDER, WORDS};
use classify::{Fits, JAVA, NumberFit, Trimmed, classify};
use loose::{LooseBool, LooseFloat};
use marks::Marks;
use spellings::Spellings;
use std::collections::HashSet;
use std::sync::Arc;
use written::Written;

/// What a profile concludes.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The typing.
    pub typing: ColumnTyping,
    /// Where the type is text or not the one that was asked for: why, with the first row that speaks against
    /// the likeliest other type. Empty if there is nothing to say.
    pub why: String,
    /// Where the texts of the column do not come back: why. Empty where they do.
    pub lost: String,
    /// Where the caller fixed a type that the column does not have: what speaks against it. The typing is
    /// then the fixed one, and a parser fails at that field or before it.
    pub unfit: Option<Unfit>,
    /// Where the marks of its numbers may separate thousands: what is said of that.
    pub grouped: Option<Grouped>,
}

/// Observations of the fields of one column. Rows count from 0 and a profile sees them in ascending order;
/// profiles of different rows merge in any order and grouping.
#[derive(Debug, Clone)]
pub struct Profile {
    rules: Arc<Rules>,
    alive: u64,
    offences: Offences,
    loose_float: LooseFloat,
    loose_bool: LooseBool,
    /// The spelling of null, where the built-in ones count or one was given.
    nulls: Agreed<usize>,
    /// The spellings of null, where several were given.
    spellings: Spellings,
    decimal: Agreed<(u8, Mark)>,
    digits_max: u8,
    /// The mark of numbers of which only the value counts.
    lenient_mark: Agreed<Mark>,
    scientific: Agreed<Scientific>,
    /// The mark of dates, as [`bits::MARKED`] has them.
    date_mark: Agreed<u8>,
    time: Agreed<(bool, u8)>,
    /// The pattern of times of twice twelve hours, as if all were padded, and whether those are that show it.
    half_day: Agreed<HalfDayPattern>,
    padded: Agreed<bool>,
    timestamp: Agreed<TimestampPattern>,
    trimmed: Agreed<TimestampPattern>,
    reach: Reach,
    written: Written,
    /// What speaks against the pattern that was given.
    given: given::Given,
    /// The lowest row that has no such field.
    absent: Option<u64>,
    marks: Marks,
}

/// What a caller said of a column. Columns of one table mostly share it.
#[derive(Debug)]
struct Rules {
    options: TypingOptions,
    fixed: Option<DataType>,
    /// The pattern that was given, which goes with the type.
    pattern: Option<GivenPattern>,
    tokens: Vec<Vec<u8>>,
    token_bytes_max: usize,
}

impl Default for Profile {
    fn default() -> Self {
        Profile::new()
    }
}

impl Profile {
    /// A profile of no fields under default options.
    pub fn new() -> Self {
        Profile::with_parts(TypingOptions::default(), None, None)
    }

    /// A profile of no fields.
    ///
    /// # Errors
    /// If the options fix a type that does not exist.
    pub fn with_options(options: &TypingOptions) -> Result<Self> {
        let (fixed, pattern) = options.fixed.as_deref().map(parse_given).transpose()?.unzip();
        Ok(Profile::with_parts(options.clone(), fixed, pattern.flatten()))
    }

    fn with_parts(
        mut options: TypingOptions,
        fixed: Option<DataType>,
        pattern: Option<GivenPattern>,
    ) -> Self {
        let mut known = HashSet::new();
        options.null_tokens.retain(|token| known.insert(token.clone()));
        let tokens: Vec<Vec<u8>> = if options.null_tokens.is_empty() {
            std::iter::once("").chain(NULL_WORDS).map(|word| word.as_bytes().to_vec()).collect()
        } else {
            options.null_tokens.iter().map(|token| token.as_bytes().to_vec()).collect()
        };
        let free = fixed.is_none() && options.mode != Mode::Text;
        let double = fixed == Some(DataType::Float64);
        let masks = LooseFloat::LEADS
            | match options.decimal_marks {
                DecimalMarks::Point => 0b01,
                DecimalMarks::Comma => 0b10,
                DecimalMarks::Either => 0b11,
            };
        let marks = Marks::new(&options);
        Profile {
            alive: initial(&options, fixed.as_ref()),
            spellings: Spellings::new(&options.null_tokens),
            rules: Arc::new(Rules {
                options,
                fixed,
                pattern,
                token_bytes_max: tokens.iter().map(Vec::len).max().unwrap_or(0),
                tokens,
            }),
            offences: Offences::default(),
            loose_float: LooseFloat::new(free || double, masks),
            loose_bool: LooseBool::new(free),
            nulls: Agreed::default(),
            decimal: Agreed::default(),
            digits_max: 0,
            lenient_mark: Agreed::default(),
            scientific: Agreed::default(),
            date_mark: Agreed::default(),
            time: Agreed::default(),
            half_day: Agreed::default(),
            padded: Agreed::default(),
            timestamp: Agreed::default(),
            trimmed: Agreed::default(),
            reach: Reach::default(),
            written: Written::default(),
            given: given::Given::default(),
            absent: None,
            marks,
        }
    }

    /// Takes note of a field.
    pub fn observe(&mut self, row: u64, field: RawField<'_>) {
        let is_settled = self.is_settled();
        if is_settled && !self.spellings.are_several() && !self.marks.are_asked() {
            return;
        }
        if let Some(token) = self.null_token(&field) {
            if self.spellings.are_several() {
                self.spellings.see(token, row);
                return;
            }
            if is_settled {
                return;
            }
            self.nulls.see(token, row, field.bytes);
            if self.nulls.broken.is_some() {
                self.apply_null_conflict();
            }
            return;
        }
        if is_settled {
            return self.marks.see(row, field.bytes);
        }
        if let (Some(pattern), Some(ty)) = (&self.rules.pattern, &self.rules.fixed) {
            return self.given.see(pattern, ty, row, field);
        }
        if self.expects(field.bytes) {
            return;
        }
        self.marks.see(row, field.bytes);
        let loose = self.loose_float.alive;
        let fits = classify(field.bytes, self.alive, self.rules.options.decimal_marks, loose);
        let dead = self.alive & !fits.bits;
        if dead != 0 {
            self.kill(dead, &Offence::new(row, field.bytes, field.quoted));
        }
        if loose || self.loose_bool.alive {
            let whole = || Offence {
                row,
                text: field.bytes[..field.bytes.len().min(LENGTH_MAX)].into(),
                quoted: field.quoted,
            };
            self.loose_float.see(&fits, &whole);
            self.loose_bool.see(field.bytes, &whole);
        }
        if fits.bits & self.alive & AGREEING != 0 || fits.lenient_mark.is_some() {
            self.agree(row, field.bytes, &fits);
        }
        if self.nulls.broken.is_some() {
            self.apply_null_conflict();
        }
    }

    /// Takes note that a row lacks the field that was observed of it.
    pub fn observe_absent(&mut self, row: u64) {
        self.absent = Some(self.absent.map_or(row, |known| known.min(row)));
    }

    /// Whether a field is an integer that changes nothing, which most fields are in a column of integers.
    #[inline]
    fn expects(&self, text: &[u8]) -> bool {
        let (negative, run) = split_sign(text);
        let (notations, fit) = match run.len() {
            1..=7 => (0, NumberFit::INTEGER),
            8..=15 => (EXPONENT.bit(JAVA), NumberFit::LONG_INTEGER),
            _ => return false,
        };
        let unfit = notations | if negative { bits::UINT64 } else { 0 };
        matches!(run[0], b'1'..=b'9')
            && self.alive & !(SMALL_INTEGER & !unfit) == 0
            && !self.loose_bool.alive
            && self.loose_float.ignores(fit)
            && !run.ends_with(b"00000")
            && digits::value(run).is_some()
    }

    /// Whether the column is text whatever comes.
    #[inline]
    fn is_settled(&self) -> bool {
        self.alive == 0 && ((!self.loose_float.alive && !self.loose_bool.alive) || self.nulls_conflict())
    }

    /// Whether a second spelling of null makes the column text.
    fn nulls_conflict(&self) -> bool {
        self.nulls.broken.is_some() && self.rules.options.mode != Mode::Value && self.rules.fixed.is_none()
    }

    fn agree(&mut self, row: u64, text: &[u8], fits: &Fits) {
        if let Some((scale, mark, digits)) = fits.decimal {
            self.decimal.see((scale, mark), row, text);
            self.digits_max = self.digits_max.max(digits);
        }
        if let Some(mark) = fits.lenient_mark {
            self.lenient_mark.see(mark, row, text);
        }
        if let Some(notation) = fits.scientific {
            self.scientific.see(notation, row, text);
        }
        if let Some(mark) = fits.date_mark {
            self.date_mark.see(mark, row, text);
        }
        if let Some(time) = fits.time {
            self.time.see(time, row, text);
        }
        if let Some((pattern, shows)) = fits.half_day {
            self.half_day.see(HalfDayPattern { padded: true, ..pattern }, row, text);
            if shows {
                self.padded.see(pattern.padded, row, text);
            }
        }
        if let Some(pattern) = fits.timestamp {
            self.timestamp.see(pattern, row, text);
        }
        if let Some(Trimmed { pattern, fine, far }) = fits.trimmed {
            self.trimmed.see(pattern, row, text);
            self.reach.see(fine, far, row, text);
        }
        if let Some(shown) = fits.written {
            self.written.see(shown, row, text);
        }
        self.apply_disagreements();
    }

    /// The index of the null spelling that a field is.
    #[inline]
    fn null_token(&self, field: &RawField<'_>) -> Option<usize> {
        if field.quoted || field.bytes.len() > self.rules.token_bytes_max {
            return None;
        }
        let digit_first = field.bytes.first().is_some_and(u8::is_ascii_digit);
        if digit_first && self.rules.options.null_tokens.is_empty() {
            return None;
        }
        self.rules.tokens.iter().position(|token| token == field.bytes)
    }

    fn kill(&mut self, dead: u64, offence: &Offence) {
        self.alive &= !dead;
        self.offences.see(dead, offence);
        // A choice without options leaves its type impossible, and then none of its bits matters.
        if !bits::float_is_possible(self.alive) {
            self.alive &= !(bits::FLOAT | float_bits());
        }
        if !bits::decimal_is_possible(self.alive) {
            self.alive &= !(bits::DECIMAL | bits::DECIMAL_LEAD.all());
        }
        if ORDER.pick(self.alive).is_none() {
            self.alive &= !(bits::TIMESTAMP | bits::TRIMMED | bits::WRITTEN);
        }
    }

    fn apply_disagreements(&mut self) {
        let broken = [
            (bits::DECIMAL, self.decimal.broken.as_ref()),
            (bits::LENIENT_NUMBER, self.lenient_mark.broken.as_ref()),
            (bits::SCIENTIFIC, self.scientific.broken.as_ref()),
            (bits::MARKED, self.date_mark.broken.as_ref()),
            (bits::TIME, self.time.broken.as_ref()),
            (bits::HALF_DAY, self.half_day.broken.as_ref()),
            (bits::HALF_DAY, self.padded.broken.as_ref()),
            (bits::TIMESTAMP, self.timestamp.broken.as_ref()),
            (bits::TRIMMED, self.trimmed.broken.as_ref()),
            (bits::TRIMMED, self.reach.broken()),
            (bits::WRITTEN, self.written.broken()),
        ];
        if broken.iter().all(|(_, offence)| offence.is_none()) {
            return;
        }
        for (bit, offence) in broken.map(|(bit, offence)| (bit, offence.cloned())) {
            if let Some(offence) = offence {
                self.kill(bit, &offence);
            }
        }
    }

    /// Ends every type where null has two spellings. As long as there is no value there is no type to end,
    /// and the first value tells which they are. It is no offence of a row to any of them: which they were
    /// would depend on how the rows are cut.
    fn apply_null_conflict(&mut self) {
        if self.nulls_conflict() && self.first_value().is_some() {
            self.alive = 0;
        }
    }

    /// Adds what another profile of the same column, under the same options, has observed in other rows.
    pub fn merge(&mut self, other: &Profile) {
        self.alive &= other.alive;
        self.offences.merge(&other.offences);
        self.loose_float.merge(&other.loose_float);
        self.loose_bool.merge(&other.loose_bool);
        self.nulls.merge(&other.nulls);
        self.spellings.merge(&other.spellings);
        self.decimal.merge(&other.decimal);
        self.digits_max = self.digits_max.max(other.digits_max);
        self.lenient_mark.merge(&other.lenient_mark);
        self.scientific.merge(&other.scientific);
        self.date_mark.merge(&other.date_mark);
        self.time.merge(&other.time);
        self.half_day.merge(&other.half_day);
        self.padded.merge(&other.padded);
        self.timestamp.merge(&other.timestamp);
        self.trimmed.merge(&other.trimmed);
        self.reach.merge(&other.reach);
        self.written.merge(&other.written);
        self.given.merge(&other.given);
        other.absent.into_iter().for_each(|row| self.observe_absent(row));
        self.marks.merge(&other.marks);
        self.apply_disagreements();
        if self.nulls.broken.is_some() {
            self.apply_null_conflict();
        }
        self.kill(0, &Offence::new(0, b"", false));
    }
}

fn float_bits() -> u64 {
    bits::FLOAT_CHOICES.iter().fold(0, |all, choice| all | choice.all())
}

/// The candidates that need all fields to agree in something.
const AGREEING: u64 = bits::DECIMAL
    | bits::SCIENTIFIC
    | bits::MARKED
    | bits::TIME
    | bits::HALF_DAY
    | bits::TIMESTAMP
    | bits::TRIMMED
    | bits::WRITTEN;

/// The candidates that an integer of at most 7 digits, the first and one of the last five not zero, fits.
const SMALL_INTEGER: u64 = bits::INT64
    | bits::UINT64
    | bits::INT128
    | bits::INT256
    | bits::FLOAT
    | bits::POINT_ZERO.bit(0)
    | (EXPONENT.all() & !(bits::SCIENTIFIC | bits::ALWAYS))
    | bits::NAN.all()
    | bits::INFINITY.all()
    | MARK.all()
    | bits::LEAD.all();

/// The candidates that the options allow.
fn initial(options: &TypingOptions, fixed: Option<&DataType>) -> u64 {
    let integers = bits::INT64 | bits::UINT64 | bits::INT128 | bits::INT256;
    let marks = match options.decimal_marks {
        DecimalMarks::Point => MARK.bit(0),
        DecimalMarks::Comma => MARK.bit(1),
        DecimalMarks::Either => MARK.all(),
    };
    let float = bits::FLOAT | (float_bits() & !MARK.all()) | marks;
    let decimal = bits::DECIMAL | bits::DECIMAL_LEAD.all();
    let written = bits::WRITTEN | ORDER.all();
    let timestamps = bits::TIMESTAMP | bits::TRIMMED | written;
    let allowed = match fixed {
        None if options.mode == Mode::Text => 0,
        None => {
            let words = WORDS.bit(0) | WORDS.bit(1) | WORDS.bit(2);
            let dates = DATES.all() & !bits::date(DatePattern::Compact);
            let moments = dates | bits::TIME | bits::HALF_DAY | timestamps;
            let strict = bits::EMPTY | words | integers | decimal | float | moments;
            let lenient =
                if options.mode == Mode::Value { bits::LENIENT & !bits::LENIENT_DECIMAL } else { 0 };
            strict | lenient
        }
        Some(DataType::Boolean) => WORDS.all() | bits::LENIENT_BOOL,
        Some(t) if t.is_integer() => bits::INT64 | bits::UINT64 | bits::LENIENT_INT64 | bits::LENIENT_UINT64,
        Some(t) if t.is_decimal() => integers | decimal | bits::LENIENT_DECIMAL,
        Some(t) if t.is_floating() => float | bits::LENIENT_FLOAT,
        Some(DataType::Date32 | DataType::Date64) => DATES.all() | written,
        Some(DataType::Time32(_) | DataType::Time64(_)) => bits::TIME | bits::HALF_DAY,
        Some(DataType::Timestamp(..)) => timestamps | bits::LENIENT_TIMESTAMP | bits::LENIENT_INSTANT,
        Some(_) => 0,
    };
    // Whoever tells the order means that it holds, even for dates that have only the other one.
    match options.date_order {
        DateOrder::Unknown => allowed,
        DateOrder::DayFirst => allowed & !(bits::date(DatePattern::MdySlash) | ORDER.bit(1)),
        DateOrder::MonthFirst => allowed & !(bits::date(DatePattern::DmySlash) | ORDER.bit(0)),
    }
}
