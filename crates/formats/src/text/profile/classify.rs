//! Provides the test of one field against the candidates that remain.

use super::bits::{self, DECIMAL_LEAD, EXPONENT, INFINITY, LEAD, MARK, NAN, ORDER, POINT_ZERO, WORDS};
use super::loose::LooseFloat;
use crate::text::float::{FloatText, is_odd_number, read_any, read_leniently, scientific_of, styles_of};
use crate::text::number::{DecimalText, Integer, is_canonical_run, normalise_integer, split_sign};
use crate::text::plain::Plain;
use crate::text::{
    BOOL_WORDS, DatePattern, DecimalMarks, Exponent, FloatStyle, HalfDayPattern, Mark, Scientific,
    TimestampPattern, Zone, datetime, half_day, written,
};

/// A timestamp whose fraction has no zeros at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trimmed {
    /// Its pattern, without how many digits there are at most.
    pub(super) pattern: TimestampPattern,
    /// Whether only nanoseconds have its digits.
    pub(super) fine: bool,
    /// Whether nanoseconds do not hold it.
    pub(super) far: bool,
}

/// What a field fits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fits {
    pub(super) bits: u64,
    /// Where it is a decimal: digits after the mark, the mark, and all digits.
    pub(super) decimal: Option<(u8, Mark, u8)>,
    /// Where it is a date, as [`bits::MARKED`] has them: its mark.
    pub(super) date_mark: Option<u8>,
    /// Where it is a time: whether it has seconds, and digits after them.
    pub(super) time: Option<(bool, u8)>,
    /// Where it is a time of twice twelve hours: its pattern, and whether it shows how hours are padded.
    pub(super) half_day: Option<(HalfDayPattern, bool)>,
    /// Where it is a date, or a date and time, as people write them: what it shows of its pattern.
    pub(super) written: Option<written::Shown>,
    /// Where it is a timestamp: its pattern.
    pub(super) timestamp: Option<TimestampPattern>,
    /// The same where its fraction has no zeros at its end.
    pub(super) trimmed: Option<Trimmed>,
    /// Where it is a floating-point number that may be an exception to the style of others.
    pub(super) number: Option<NumberFit>,
    /// Where it is a number with an exponent and a fixed number of digits, as every number of a column may
    /// have them: its notation.
    pub(super) scientific: Option<Scientific>,
    /// Where only its value counts and either mark is allowed: its mark.
    pub(super) lenient_mark: Option<Mark>,
    /// Where it is one of [`FloatStyle::NAN_WORDS`]: which.
    pub(super) nan: Option<usize>,
    /// Where it is one of [`FloatStyle::INFINITY_WORDS`]: which.
    pub(super) infinity: Option<usize>,
}

/// How a floating-point number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberFit {
    /// The styles that write it so: without `.0` in the lower seven bits, with it in the seven above, each by
    /// the notation of the exponent. There is none if no style writes it so.
    pub(super) styles: u16,
    /// The marks, then whether an integral zero stands before the mark or is left out, that it allows.
    pub(super) masks: u8,
}

impl NumberFit {
    /// How an integer of at most 7 digits is written that does not end in five zeros.
    pub(super) const INTEGER: NumberFit = NumberFit { styles: Self::NOTATIONS, masks: 0x0F };
    /// The same of 8 to 15 digits.
    pub(super) const LONG_INTEGER: NumberFit =
        NumberFit { styles: Self::NOTATIONS & !(1 << JAVA), masks: 0x0F };
    /// All notations of the exponent, without `.0`.
    const NOTATIONS: u16 = (1 << Exponent::ALL.len()) - 1;

    /// The index of the style.
    pub(super) fn style(notation: usize, point_zero: bool) -> usize {
        notation + Exponent::ALL.len() * usize::from(point_zero)
    }

    /// The notation and whether there is `.0`, by the index of the style.
    pub(super) fn of_style(index: usize) -> (Exponent, bool) {
        (Exponent::ALL[index % Exponent::ALL.len()], index >= Exponent::ALL.len())
    }
}

/// The index of [`Exponent::Java`], the first notation that has an exponent for integers.
pub(super) const JAVA: usize = 4;

/// Dates without marks.
const COMPACT: u64 = bits::date(DatePattern::Compact);

/// Digits of the longest decimal.
const DIGITS_MAX: usize = 76;

/// Tests a field against the candidates in `alive`; bits of others are not tested. `loose` says whether
/// floating-point numbers are of interest even if no style fits them all.
pub(super) fn classify(text: &[u8], alive: u64, marks: DecimalMarks, loose: bool) -> Fits {
    let mut fits = Fits::default();
    let Some(&first) = text.first() else { return fits };
    if alive & WORDS.all() != 0 {
        fits.bits |= words(text, alive);
    }
    match first {
        b'0'..=b'9' => {
            number(text, alive, marks, loose, &mut fits);
            if matches!(text.get(2), Some(b'/' | b'.' | b'-' | b':'))
                || matches!(text.get(4), Some(b'-' | b'/' | b'.'))
            {
                moment(text, alive, &mut fits);
            } else if alive & COMPACT != 0 && datetime::read_date(text, DatePattern::Compact).is_some() {
                fits.bits |= COMPACT;
            }
            if alive & bits::HALF_DAY != 0 {
                fits.half_day = half_day::half_day_pattern(text);
                fits.bits |= if fits.half_day.is_some() { bits::HALF_DAY } else { 0 };
            }
        }
        b'-' | b'+' | b'.' | b',' => number(text, alive, marks, loose, &mut fits),
        _ => {}
    }
    if alive & bits::WRITTEN != 0
        && let Some(shown) = shown(text, &fits)
    {
        fits.bits |= bits::WRITTEN | orders(shown.orders);
        fits.written = Some(shown);
    }
    if fits.bits & bits::FLOAT == 0 && (loose || alive & bits::FLOAT != 0) {
        special(text, &mut fits);
    }
    if alive & bits::LENIENT != 0 {
        let mark = lenient_mark(text, marks);
        fits.bits |= lenient(text, alive, mark);
        let is_either = marks == DecimalMarks::Either && text.contains(&mark.byte());
        fits.lenient_mark = (is_either && fits.bits & bits::LENIENT_NUMBER != 0).then_some(mark);
    }
    fits
}

fn words(text: &[u8], alive: u64) -> u64 {
    if text.len() > 5 {
        return 0;
    }
    let fitting = BOOL_WORDS.iter().enumerate().filter(|(i, (yes, no))| {
        alive & WORDS.bit(*i) != 0 && (text == yes.as_bytes() || text == no.as_bytes())
    });
    fitting.fold(0, |bits, (i, _)| bits | WORDS.bit(i))
}

fn number(text: &[u8], alive: u64, marks: DecimalMarks, loose: bool, fits: &mut Fits) {
    let (negative, run) = split_sign(text);
    let count = run.iter().position(|b| !b.is_ascii_digit()).unwrap_or(run.len());
    let bare = count == 0 && matches!(run, [b'.' | b',', _, ..]);
    if !is_canonical_run(&run[..count]) && !bare {
        return;
    }
    let after = run.get(count).copied();
    let mark = match after {
        Some(b',') => Mark::Comma,
        _ => Mark::Point,
    };
    match after {
        None => fits.bits |= integer(text, negative, run),
        Some(b'.' | b',') => {
            let fraction = &run[count + 1..];
            let digits = fraction.len() + if run[0] == b'0' { 0 } else { count };
            if alive & bits::DECIMAL != 0
                && marks.allow(mark)
                && !fraction.is_empty()
                && digits <= DIGITS_MAX
                && fraction.iter().all(u8::is_ascii_digit)
                && !(negative && run.iter().all(|b| !matches!(b, b'1'..=b'9')))
            {
                let lead =
                    if bare || run[0] == b'0' { DECIMAL_LEAD.bit(bare.into()) } else { DECIMAL_LEAD.all() };
                fits.bits |= bits::DECIMAL | lead;
                fits.decimal = Some((fraction.len() as u8, mark, digits as u8));
            }
        }
        Some(b'e' | b'E') => {}
        Some(_) => return,
    }
    if !loose && alive & bits::FLOAT == 0 {
        return;
    }
    if let Some(fit) = float(text, mark) {
        fits.bits |= float_bits(fit);
        fits.number = Some(fit);
    }
    if alive & (bits::SCIENTIFIC | bits::ALWAYS) != 0 && matches!(run.get(1), Some(b'.' | b',' | b'e' | b'E'))
    {
        always_exponent(text, mark, fits);
    }
}

/// Tests for the notations in which every number has an exponent.
fn always_exponent(text: &[u8], mark: Mark, fits: &mut Fits) {
    let Some(value) = read_any::<f64>(text, mark) else { return };
    let style = FloatStyle { exponent: Exponent::Always, ..FloatStyle::PYTHON };
    let shortest = FloatText { style, mark, bare_mark: false }.is_text_of(value, text);
    fits.scientific = scientific_of(text, value, mark);
    let notations = [(fits.scientific.is_some(), bits::SCIENTIFIC), (shortest, bits::ALWAYS)];
    let notations = notations.iter().filter(|(fits, _)| *fits).fold(0, |all, (_, bit)| all | bit);
    if notations != 0 {
        let marked = text.contains(&mark.byte());
        let marks = if marked { MARK.bit(usize::from(mark == Mark::Comma)) } else { MARK.all() };
        fits.bits |= ANY_NUMBER & !(EXPONENT.all() | MARK.all()) | notations | marks;
    }
}

/// Every floating-point style.
const ANY_NUMBER: u64 =
    bits::FLOAT | POINT_ZERO.all() | EXPONENT.all() | NAN.all() | INFINITY.all() | MARK.all() | LEAD.all();

/// The integer types that hold a canonical run of digits.
fn integer(text: &[u8], negative: bool, run: &[u8]) -> u64 {
    if negative && run == b"0" {
        return 0;
    }
    let wide = match run.len() {
        0..=38 => bits::INT128 | bits::INT256,
        39..=DIGITS_MAX => bits::INT256,
        _ => 0,
    };
    let narrow = match run.len() {
        0..=18 if negative => bits::INT64,
        0..=18 => bits::INT64 | bits::UINT64,
        19..=20 => {
            let signed = if <i64 as Integer>::read(text).is_some() { bits::INT64 } else { 0 };
            let unsigned = if <u64 as Integer>::read(text).is_some() { bits::UINT64 } else { 0 };
            signed | unsigned
        }
        _ => 0,
    };
    wide | narrow
}

/// The floating-point styles that would write a number so; `None` if it is no number, or one that must not be
/// an exception.
fn float(text: &[u8], mark: Mark) -> Option<NumberFit> {
    let run = split_sign(text).1;
    let at = run.iter().position(|&b| b == mark.byte());
    let marks = match (at, mark) {
        (None, _) => LooseFloat::MARKS,
        (Some(_), Mark::Point) => 0b01,
        (Some(_), Mark::Comma) => 0b10,
    };
    let leads = match at {
        Some(0) => 0b1000,
        Some(1) if run[0] == b'0' => 0b0100,
        _ => LooseFloat::LEADS,
    };
    let masks = marks | leads;
    if let Some(plain) = Plain::scan(text, mark.byte())
        && plain.significant <= 15
        && (-4..16).contains(&plain.exponent)
    {
        // Only a negative zero is an integer that no style writes.
        let fitting = |point_zero| if plain.fits(point_zero) { notations(&plain) } else { 0 };
        let styles = fitting(false) | fitting(true) << Exponent::ALL.len();
        return (styles != 0 || plain.decimals > 0).then_some(NumberFit { styles, masks });
    }
    let value: f64 = read_any(text, mark)?;
    let mut styles = 0;
    styles_of(text, value, mark, |point_zero, exponent| {
        let notation = Exponent::ALL.iter().position(|&known| known == exponent).unwrap_or_default();
        styles |= 1 << NumberFit::style(notation, point_zero);
    });
    (styles != 0 || is_odd_number(text, mark, value)).then_some(NumberFit { styles, masks })
}

/// The notations that write a number without exponent.
fn notations(plain: &Plain) -> u16 {
    if (-3..5).contains(&plain.exponent) {
        return NumberFit::NOTATIONS;
    }
    let digits = plain.digits();
    let fitting =
        Exponent::ALL.iter().enumerate().filter(|(_, known)| known.is_plain(plain.exponent, digits));
    fitting.fold(0, |all, (i, _)| all | 1 << i)
}

/// The candidates among floating-point styles that a number fits.
fn float_bits(fit: NumberFit) -> u64 {
    if fit.styles == 0 {
        return 0;
    }
    let (without, with) = (fit.styles & NumberFit::NOTATIONS, fit.styles >> Exponent::ALL.len());
    let pick = |choice: bits::Choice, set: u16, count: usize| {
        (0..count).filter(|i| set & 1 << i != 0).fold(0, |bits, i| bits | choice.bit(i))
    };
    let masks = u16::from(fit.masks);
    bits::FLOAT
        | NAN.all()
        | INFINITY.all()
        | pick(MARK, masks, 2)
        | pick(LEAD, masks >> 2, 2)
        | pick(EXPONENT, without | with, Exponent::ALL.len())
        | pick(POINT_ZERO, u16::from(without != 0) | u16::from(with != 0) << 1, 2)
}

/// Tests for the words of floating-point numbers.
fn special(text: &[u8], fits: &mut Fits) {
    let rest = ANY_NUMBER & !(NAN.all() | INFINITY.all());
    fits.nan = FloatStyle::NAN_WORDS.iter().position(|word| word.as_bytes() == text);
    if let Some(i) = fits.nan {
        fits.bits |= rest | INFINITY.all() | NAN.bit(i);
    }
    let magnitude = split_sign(text).1;
    fits.infinity = FloatStyle::INFINITY_WORDS.iter().position(|word| word.as_bytes() == magnitude);
    if let Some(i) = fits.infinity {
        fits.bits |= rest | NAN.all() | INFINITY.bit(i);
    }
}

fn moment(text: &[u8], alive: u64, fits: &mut Fits) {
    if text.len() == 10 {
        date(text, alive, fits);
    }
    if alive & bits::TIME != 0 && text.get(2) == Some(&b':') {
        let seconds = text.len() > 5;
        let fraction = text.len().saturating_sub(9);
        if fraction <= 9 && datetime::read_clock(text, seconds, fraction as u8, 9).is_some() {
            fits.bits |= bits::TIME;
            fits.time = Some((seconds, fraction as u8));
        }
    }
    if alive & (bits::TIMESTAMP | bits::TRIMMED) != 0
        && let Some(pattern) = datetime::timestamp_pattern(text)
    {
        timestamp(text, pattern, fits);
    }
}

fn date(text: &[u8], alive: u64, fits: &mut Fits) {
    for pattern in DatePattern::ALL {
        if alive & bits::date(pattern) != 0 && datetime::read_date(text, pattern).is_some() {
            fits.bits |= bits::date(pattern);
        }
    }
    if fits.bits & bits::MARKED != 0 {
        fits.date_mark = Some(if fits.bits & bits::YEAR_LAST != 0 { text[2] } else { text[4] });
    }
}

fn timestamp(text: &[u8], pattern: TimestampPattern, fits: &mut Fits) {
    let fitting = datetime::timestamp_orders(text, pattern);
    let known = match (fitting, pattern.date.month_first()) {
        ([true, _], _) => pattern,
        ([false, true], Some(date)) => TimestampPattern { date, ..pattern },
        _ => return,
    };
    // Years that do not have four digits are for types that were given.
    if datetime::read_date(&text[..10], known.date).is_none() {
        return;
    }
    fits.bits |= bits::TIMESTAMP | orders(fitting);
    fits.timestamp = Some(pattern);
    let fine = pattern.fraction > 6;
    fits.trimmed = datetime::trimmed_pattern(text, pattern).map(|trimmed| Trimmed {
        pattern: trimmed,
        fine,
        far: !fine && datetime::read_timestamp(text, known, 9).is_none(),
    });
    if fits.trimmed.is_some() {
        fits.bits |= bits::TRIMMED;
    }
}

/// What a field shows as a date as people write them, by the other pattern of dates or timestamps that it
/// fits, if there is one.
fn shown(text: &[u8], fits: &Fits) -> Option<written::Shown> {
    if let Some(pattern) = fits.timestamp {
        let orders = [0, 1].map(|order| fits.bits & ORDER.bit(order) != 0);
        return written::shown_of_timestamp(text, pattern, orders);
    }
    let has = |dates: u64| fits.bits & dates != 0;
    let pattern = match fits.date_mark {
        Some(mark) if has(bits::YEAR_LAST) => Some(DatePattern::day_first(mark)),
        Some(mark) => Some(DatePattern::year_first(mark)),
        None => has(bits::date(DatePattern::YmdDash)).then_some(DatePattern::YmdDash),
    };
    match pattern {
        Some(pattern) => written::shown_of_date(text, pattern),
        None => written::shown(text),
    }
}

/// The candidates among orders of day and month, of which the day is first in one and the month in the other.
fn orders(fitting: [bool; 2]) -> u64 {
    (0..2).filter(|order| fitting[*order]).fold(0, |bits, order| bits | ORDER.bit(order))
}

fn lenient(text: &[u8], alive: u64, mark: Mark) -> u64 {
    let mut fitting = 0;
    if let Some(normal) = normalise_integer(text) {
        let strict = integer(&normal, normal[0] == b'-', split_sign(&normal).1);
        let pairs = [
            (bits::INT64, bits::LENIENT_INT64),
            (bits::UINT64, bits::LENIENT_UINT64),
            (bits::INT128, bits::LENIENT_INT128),
            (bits::INT256, bits::LENIENT_INT256),
        ];
        fitting |= pairs.iter().filter(|(s, _)| strict & s != 0).fold(0, |all, (_, l)| all | l);
    }
    if alive & bits::LENIENT_DECIMAL != 0 {
        let widest = DecimalText { precision: DIGITS_MAX as u8, scale: 38, mark: b'.', bare_mark: false };
        if widest.read_leniently::<arrow_buffer::i256>(&point(text, mark)).is_some() {
            fitting |= bits::LENIENT_DECIMAL;
        }
    }
    if alive & bits::LENIENT_FLOAT != 0 && read_leniently::<f64>(&point(text, mark), Mark::Point).is_some() {
        fitting |= bits::LENIENT_FLOAT;
    }
    let (yes, no) = BOOL_WORDS[0];
    if text.eq_ignore_ascii_case(yes.as_bytes()) || text.eq_ignore_ascii_case(no.as_bytes()) {
        fitting |= bits::LENIENT_BOOL;
    }
    if let Some(pattern) = datetime::timestamp_pattern(text)
        && pattern.date.is_year_first()
        && datetime::read_timestamp(text, pattern, 6).is_some()
    {
        let zoned = pattern.zone != Zone::None;
        fitting |= if zoned { bits::LENIENT_INSTANT } else { bits::LENIENT_TIMESTAMP };
    }
    fitting
}

/// The decimal mark that a text has where only its value counts.
fn lenient_mark(text: &[u8], marks: DecimalMarks) -> Mark {
    match marks {
        DecimalMarks::Point => Mark::Point,
        DecimalMarks::Comma => Mark::Comma,
        DecimalMarks::Either if text.contains(&b',') => Mark::Comma,
        DecimalMarks::Either => Mark::Point,
    }
}

/// The text with a point for this decimal mark.
fn point(text: &[u8], mark: Mark) -> Vec<u8> {
    if mark == Mark::Point {
        return text.to_vec();
    }
    let swap = |&b: &u8| match b {
        b',' => b'.',
        b'.' => b',',
        other => other,
    };
    text.iter().map(swap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Dates and timestamps, and what is nearly one.
    fn moment() -> BoxedStrategy<String> {
        prop_oneof![
            "[0-3][0-9]([/.-])[0-3][0-9]([/.-])(0001|1599|20[0-9]{2}|9999)",
            "(0000|0001|1599|20[0-9]{2})([/.-])[01][0-9]([/.-])[0-3][0-9]",
            "20[0-9]{2}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+]01)?",
            "[0-3][0-9]([/.-])[0-3][0-9]([/.-])2262 [0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{7})?)?( PM)?",
            "[0-3]?[0-9]/[0-3]?[0-9]/2024( [0-9]{1,2}:[0-5][0-9]( [AP]M)?)?",
        ]
        .boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Whatever else is tested, a field shows what it shows alone.
        #[test]
        fn fields_show_the_same_by_every_way(text in moment(), alive in any::<u64>()) {
            let text = text.as_bytes();
            let fits = classify(text, alive | bits::WRITTEN, DecimalMarks::Point, false);
            prop_assert_eq!(fits.written, written::shown(text));
        }
    }
}
