//! Provides the lattice of number texts: which types and styles give back every number seen so far.
//!
//! Each candidate remembers the first number that it cannot give back. Merging takes the earlier one of two,
//! so that any grouping of the same numbers ends in the same state.

use arrow_schema::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};

use super::layouts::{Layouts, STYLES};
use super::lexer::Number;
use super::number::{self, Width};
use super::odd_numbers::OddNumbers;
use super::typing::{FloatStyle, Style};
use crate::text::Exceptions;

/// Where a value stands: record, counted from 0, and byte within the record.
pub(crate) type Spot = (u64, usize);

/// A value that a candidate cannot give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) spot: Spot,
    /// Its text, cut after `WITNESS_BYTES_MAX` bytes.
    pub(crate) text: Box<str>,
}

/// Enough of a value's text to recognise it.
const WITNESS_BYTES_MAX: usize = 64;

impl Witness {
    pub(crate) fn new(spot: Spot, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&text[..text.len().min(WITNESS_BYTES_MAX)]);
        Witness { spot, text: text.into() }
    }
}

/// Keeps the earlier of two witnesses.
pub(crate) fn earlier(mine: &mut Option<Witness>, other: Option<&Witness>) {
    if let Some(other) = other
        && mine.as_ref().is_none_or(|mine| other.spot < mine.spot)
    {
        *mine = Some(other.clone());
    }
}

/// Digits that a decimal column is given, smallest sufficient first: what fits in 64, 128 and 256 bits.
const PRECISIONS: [u8; 3] = [18, DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION];

/// The numbers of one column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NumberProfile {
    /// First number that is no int64, no uint64, no integer at all.
    int64: Option<Witness>,
    uint64: Option<Witness>,
    integer: Option<Witness>,
    /// First number that no decimal gives back: an exponent or a negative zero.
    decimal: Option<Witness>,
    /// First number with more digits than each of `PRECISIONS`.
    longer: [Option<Witness>; PRECISIONS.len()],
    /// First number, its scale, and the first number of another scale.
    first: Option<(Witness, usize)>,
    other_scale: Option<Witness>,
    /// First number that each of `STYLES` writes differently.
    float: [Option<Witness>; STYLES.len()],
    /// Numbers that not all of `STYLES` write, where those may be exceptions.
    odd: Option<Box<OddNumbers>>,
}

/// What the numbers of a column have in common.
pub(crate) struct Found {
    pub(crate) data_type: DataType,
    pub(crate) style: Style,
    pub(crate) exceptions: Exceptions,
    /// What is to be said of it.
    pub(crate) why: Option<String>,
}

impl Found {
    fn new(data_type: DataType, style: Style) -> Self {
        Found { data_type, style, exceptions: Exceptions::default(), why: None }
    }
}

impl NumberProfile {
    /// Of a column of which each record holds one number at most, or of one with more.
    pub(crate) fn new(one: bool) -> Self {
        NumberProfile {
            odd: one.then(|| Box::new(OddNumbers::new(STYLES.len()))),
            ..NumberProfile::default()
        }
    }

    /// Adds one number.
    pub(crate) fn observe(&mut self, spot: Spot, number: &Number<'_>) {
        let witness = || Witness::new(spot, number.text);
        let note = |slot: &mut Option<Witness>, broken: bool| {
            if broken && slot.as_ref().is_none_or(|old| spot < old.spot) {
                *slot = Some(witness());
            }
        };
        note(&mut self.int64, as_i64(number).is_none());
        note(&mut self.uint64, as_u64(number).is_none());
        note(&mut self.integer, !number.is_integer());
        note(&mut self.decimal, !is_decimal(number));
        for (slot, &precision) in self.longer.iter_mut().zip(&PRECISIONS) {
            note(slot, significant(number) > usize::from(precision));
        }
        self.note_scale(spot, number);
        self.note_floats(spot, number);
    }

    fn note_floats(&mut self, spot: Spot, number: &Number<'_>) {
        // Most numbers have a size at which only `point_zero` tells the styles apart: two answers are enough.
        let shared = number::nearest(number).is_some_and(number::in_every_range);
        let mut answers = [None; 2];
        let mut scratch = Vec::new();
        let (mut missed, mut written) = (0, false);
        for (at, (slot, style)) in self.float.iter_mut().zip(STYLES).enumerate() {
            let noted = slot.as_ref().is_some_and(|old| old.spot <= spot);
            if noted && !self.odd.as_ref().is_some_and(|odd| odd.asks(at)) {
                continue;
            }
            let answer = &mut answers[usize::from(style.point_zero)];
            let known = answer.filter(|_| shared);
            let fits = known.unwrap_or_else(|| style.read(number, Width::Double, &mut scratch).is_some());
            *answer = Some(fits);
            written |= fits;
            if !fits {
                missed |= 1 << at;
                if !noted {
                    *slot = Some(Witness::new(spot, number.text));
                }
            }
        }
        if let Some(odd) = self.odd.as_mut().filter(|_| missed != 0) {
            let mut read = |style: &FloatStyle| style.read(number, Width::Double, &mut scratch).is_some();
            odd.observe(spot, number.text, missed, || written || STYLES.iter().any(&mut read));
        }
    }

    fn note_scale(&mut self, spot: Spot, number: &Number<'_>) {
        match &self.first {
            Some((first, scale)) if first.spot < spot => {
                if *scale != number.fraction && self.other_scale.as_ref().is_none_or(|old| spot < old.spot) {
                    self.other_scale = Some(Witness::new(spot, number.text));
                }
            }
            _ => {
                let first = Some((Witness::new(spot, number.text), number.fraction));
                let one = NumberProfile { first, ..NumberProfile::default() };
                self.merge_scale(&one);
            }
        }
    }

    /// Of two groups whose scales differ, the first number of the later group breaks the earlier one's.
    fn merge_scale(&mut self, other: &NumberProfile) {
        let Some(theirs) = &other.first else { return };
        let Some(mine) = self.first.take() else {
            self.first = Some(theirs.clone());
            self.other_scale.clone_from(&other.other_scale);
            return;
        };
        let (winner, loser) =
            if theirs.0.spot < mine.0.spot { (theirs.clone(), mine) } else { (mine, theirs.clone()) };
        // A witness of the other group may have the winner's own scale; then the loser's first is earlier.
        let (winners, losers) = if winner.0.spot == theirs.0.spot {
            (other.other_scale.clone(), self.other_scale.take())
        } else {
            (self.other_scale.take(), other.other_scale.clone())
        };
        self.other_scale = winners;
        if winner.1 == loser.1 {
            earlier(&mut self.other_scale, losers.as_ref());
        } else {
            earlier(&mut self.other_scale, Some(&loser.0));
        }
        self.first = Some(winner);
    }

    /// Adds all numbers of another profile.
    pub(crate) fn merge(&mut self, other: &NumberProfile) {
        earlier(&mut self.int64, other.int64.as_ref());
        earlier(&mut self.uint64, other.uint64.as_ref());
        earlier(&mut self.integer, other.integer.as_ref());
        earlier(&mut self.decimal, other.decimal.as_ref());
        if let (Some(mine), Some(theirs)) = (&mut self.odd, &other.odd) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.longer.iter_mut().zip(&other.longer) {
            earlier(mine, theirs.as_ref());
        }
        for (mine, theirs) in self.float.iter_mut().zip(&other.float) {
            earlier(mine, theirs.as_ref());
        }
        self.merge_scale(other);
    }

    /// Type and style that give back every number, or why there are none.
    ///
    /// Integers come first, then floating point, then decimals of one scale, then floating point with
    /// exceptions: a JSON number is a double to most writers, and only digits that a double would not give
    /// back say otherwise.
    pub(crate) fn resolve(&self) -> Result<Found, String> {
        if self.int64.is_none() {
            return Ok(Found::new(DataType::Int64, Style::Plain));
        }
        if self.uint64.is_none() {
            return Ok(Found::new(DataType::UInt64, Style::Plain));
        }
        let decimal = self.decimal_type();
        if self.integer.is_none()
            && let Some(data_type) = &decimal
        {
            return Ok(Found::new(data_type.clone(), Style::Plain));
        }
        if let Some(style) = self.layouts().first() {
            return Ok(Found::new(DataType::Float64, Style::Float(style)));
        }
        let decimal = decimal.map(|data_type| Found::new(data_type, Style::Plain));
        decimal.or_else(|| self.with_exceptions()).ok_or_else(|| self.why())
    }

    fn with_exceptions(&self) -> Option<Found> {
        let found = self.odd.as_ref()?.find()?;
        let style = Style::Float(*STYLES.get(found.style)?);
        let plain = Found::new(DataType::Float64, style);
        Some(Found { exceptions: found.exceptions, why: Some(found.why), ..plain })
    }

    /// Layouts that give back every number.
    pub(crate) fn layouts(&self) -> Layouts {
        Layouts::that(|at| self.float[at].is_none())
    }

    fn decimal_type(&self) -> Option<DataType> {
        if self.decimal.is_some() || self.other_scale.is_some() {
            return None;
        }
        let scale = i8::try_from(self.first.as_ref()?.1).ok()?;
        let precision = PRECISIONS[self.longer.iter().position(Option::is_none)?];
        Some(if precision <= DECIMAL128_MAX_PRECISION {
            DataType::Decimal128(precision, scale)
        } else {
            DataType::Decimal256(precision, scale)
        })
    }

    /// Names the number at which the last candidate fell.
    fn why(&self) -> String {
        let decimal = [&self.decimal, &self.other_scale, &self.longer[PRECISIONS.len() - 1]];
        let decimal = decimal.into_iter().flatten().min_by_key(|witness| witness.spot);
        let last = self.float.iter().flatten().chain(decimal).max_by_key(|witness| witness.spot);
        match (last, &self.first) {
            (Some(last), Some((first, _))) => format!(
                "no number type gives back {} (record {}) and those before it, such as {} (record {})",
                last.text,
                last.spot.0 + 1,
                first.text,
                first.spot.0 + 1
            ),
            _ => "no number type gives back every number".to_owned(),
        }
    }
}

/// The value of a number that int64 gives back exactly as written.
#[inline]
pub(crate) fn as_i64(number: &Number<'_>) -> Option<i64> {
    if !number.is_integer() || number.digits > 19 || (number.negative && number.mantissa == 0) {
        return None;
    }
    if number.negative {
        0_i64.checked_sub_unsigned(number.mantissa)
    } else {
        i64::try_from(number.mantissa).ok()
    }
}

/// The value of a number that uint64 gives back exactly as written.
#[inline]
pub(crate) fn as_u64(number: &Number<'_>) -> Option<u64> {
    match number.digits {
        _ if !number.is_integer() || number.negative => None,
        0..=19 => Some(number.mantissa),
        20 => number.as_str().parse().ok(),
        _ => None,
    }
}

/// Whether a decimal of the number's own scale gives it back exactly as written.
pub(crate) fn is_decimal(number: &Number<'_>) -> bool {
    !(number.exponent || number.negative && number.is_zero())
}

/// Digits that a decimal needs: those of the integer that it stores, and at least its scale.
pub(crate) fn significant(number: &Number<'_>) -> usize {
    // `0.05` is stored as 5 with a scale of 2, and Arrow wants the precision to reach the scale.
    let zero_whole = number.fraction > 0 && number.digits == number.fraction + 1 && {
        number.text[usize::from(number.negative)] == b'0'
    };
    number.digits - usize::from(zero_whole)
}
