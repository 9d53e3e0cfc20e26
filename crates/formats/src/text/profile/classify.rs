//! Provides the test of one field against the candidates that remain.

use super::bits::{self, DATES, EXPONENT, INFINITY, MARK, NAN, POINT_ZERO, WORDS};
use crate::text::float::{FloatText, Plain, read_any, read_leniently};
use crate::text::number::{DecimalText, Integer, is_canonical_run, normalise_integer, split_sign};
use crate::text::parse::is_ambiguous_date;
use crate::text::{
    BOOL_WORDS, DatePattern, DecimalMarks, Exponent, FloatStyle, Mark, TimestampPattern, Zone, datetime,
};

/// What a field fits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fits {
    pub(super) bits: u64,
    /// Where it is a decimal: digits after the mark, the mark, and all digits.
    pub(super) decimal: Option<(u8, Mark, u8)>,
    /// Where it is a time: digits after the second.
    pub(super) time: Option<u8>,
    /// Where it is a timestamp: its pattern.
    pub(super) timestamp: Option<TimestampPattern>,
}

/// Digits of the longest decimal.
const DIGITS_MAX: usize = 76;

/// Tests a field against the candidates in `alive`; bits of others are not tested.
pub(super) fn classify(text: &[u8], alive: u64, marks: DecimalMarks) -> Fits {
    let mut fits = Fits::default();
    let Some(&first) = text.first() else { return fits };
    if alive & WORDS.all() != 0 {
        fits.bits |= words(text, alive);
    }
    match first {
        b'0'..=b'9' => {
            number(text, alive, marks, &mut fits);
            if matches!(text.get(2), Some(b'/' | b'.' | b':')) || matches!(text.get(4), Some(b'-' | b'/')) {
                moment(text, alive, &mut fits);
            } else if alive & DATES.bit(5) != 0 && datetime::read_date(text, DatePattern::Compact).is_some() {
                fits.bits |= DATES.bit(5);
            }
        }
        b'-' | b'+' => number(text, alive, marks, &mut fits),
        _ => {}
    }
    if fits.bits & bits::FLOAT == 0 && alive & bits::FLOAT != 0 {
        fits.bits |= special(text);
    }
    if alive & bits::LENIENT != 0 {
        fits.bits |= lenient(text, alive, marks);
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

fn number(text: &[u8], alive: u64, marks: DecimalMarks, fits: &mut Fits) {
    let (negative, run) = split_sign(text);
    let count = run.iter().position(|b| !b.is_ascii_digit()).unwrap_or(run.len());
    if !is_canonical_run(&run[..count]) {
        return;
    }
    let after = run.get(count).copied();
    match after {
        None => fits.bits |= integer(text, negative, run),
        Some(byte @ (b'.' | b',')) => {
            let fraction = &run[count + 1..];
            let mark = if byte == b'.' { Mark::Point } else { Mark::Comma };
            let digits = fraction.len() + if run[0] == b'0' { 0 } else { count };
            if alive & bits::DECIMAL != 0
                && marks.allow(mark)
                && !fraction.is_empty()
                && digits <= DIGITS_MAX
                && fraction.iter().all(u8::is_ascii_digit)
                && !(negative && run.iter().all(|b| !matches!(b, b'1'..=b'9')))
            {
                fits.bits |= bits::DECIMAL;
                fits.decimal = Some((fraction.len() as u8, mark, digits as u8));
            }
        }
        Some(b'e' | b'E') => {}
        Some(_) => return,
    }
    if alive & bits::FLOAT != 0 {
        fits.bits |= float(text, alive, after.filter(|&b| b == b',').map_or(Mark::Point, |_| Mark::Comma));
    }
}

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

/// The floating-point styles that would write a number so.
fn float(text: &[u8], alive: u64, mark: Mark) -> u64 {
    let words = NAN.all() | INFINITY.all();
    let marks = match text.iter().any(|b| matches!(b, b'.' | b',')) {
        true => MARK.bit(usize::from(mark == Mark::Comma)),
        false => MARK.all(),
    };
    let base = bits::FLOAT | words | marks;
    if let Some(plain) = Plain::scan(text, mark.byte())
        && plain.significant <= 15
        && (-4..16).contains(&plain.exponent)
    {
        let fitting = (0..2).filter(|&option| plain.fits(option == 1));
        let point_zero = fitting.fold(0, |bits, option| bits | POINT_ZERO.bit(option));
        return if point_zero == 0 { 0 } else { base | EXPONENT.all() | point_zero };
    }
    let Some(value) = read_any::<f64>(text, mark) else {
        return 0;
    };
    let mut fitting = 0;
    let mut written = Vec::with_capacity(32);
    for option in 0..2 {
        if alive & POINT_ZERO.bit(option) == 0 || (option == 0 && value == 0.0 && value.is_sign_negative()) {
            continue;
        }
        for (e, exponent) in Exponent::ALL.into_iter().enumerate() {
            if alive & EXPONENT.bit(e) == 0 {
                continue;
            }
            let style = FloatStyle { point_zero: option == 1, exponent, nan: 0, infinity: 0 };
            written.clear();
            FloatText { style, mark }.write(value, &mut written);
            let same = written == text;
            // Near one, every notation does without exponent.
            let near_one = (1e-4..1e15).contains(&value.abs());
            if same {
                let notations = if near_one { EXPONENT.all() } else { EXPONENT.bit(e) };
                fitting |= notations | POINT_ZERO.bit(option);
            }
            if near_one {
                break;
            }
        }
    }
    if fitting == 0 { 0 } else { base | fitting }
}

/// The floating-point styles that have this word.
fn special(text: &[u8]) -> u64 {
    let rest = bits::FLOAT | POINT_ZERO.all() | EXPONENT.all() | MARK.all();
    if let Some(i) = FloatStyle::NAN_WORDS.iter().position(|word| word.as_bytes() == text) {
        return rest | INFINITY.all() | NAN.bit(i);
    }
    let magnitude = split_sign(text).1;
    match FloatStyle::INFINITY_WORDS.iter().position(|word| word.as_bytes() == magnitude) {
        Some(i) => rest | NAN.all() | INFINITY.bit(i),
        None => 0,
    }
}

fn moment(text: &[u8], alive: u64, fits: &mut Fits) {
    if text.len() == 10 {
        for (i, pattern) in DatePattern::ALL.into_iter().enumerate() {
            if alive & DATES.bit(i) != 0 && datetime::read_date(text, pattern).is_some() {
                fits.bits |= DATES.bit(i);
            }
        }
        if alive & bits::AMBIGUOUS != 0 && is_ambiguous_date(text) {
            fits.bits |= bits::AMBIGUOUS;
        }
    }
    if alive & bits::TIME != 0 && text.get(2) == Some(&b':') {
        let fraction = text.len().saturating_sub(9);
        if fraction <= 9 && datetime::read_clock(text, true, fraction as u8, 9).is_some() {
            fits.bits |= bits::TIME;
            fits.time = Some(fraction as u8);
        }
    }
    if alive & bits::TIMESTAMP != 0
        && let Some(pattern) = datetime::timestamp_pattern(text)
        && datetime::read_date(&text[..10], DatePattern::YmdDash).is_some()
    {
        let digits = if pattern.fraction > 6 { 9 } else { 6 };
        if datetime::read_timestamp(text, pattern, digits).is_some() {
            fits.bits |= bits::TIMESTAMP;
            fits.timestamp = Some(pattern);
        }
    }
}

fn lenient(text: &[u8], alive: u64, marks: DecimalMarks) -> u64 {
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
        let widest = DecimalText { precision: DIGITS_MAX as u8, scale: 38, mark: b'.' };
        if widest.read_leniently::<arrow_buffer::i256>(&point(text, marks)).is_some() {
            fitting |= bits::LENIENT_DECIMAL;
        }
    }
    if alive & bits::LENIENT_FLOAT != 0 && read_leniently::<f64>(&point(text, marks), Mark::Point).is_some() {
        fitting |= bits::LENIENT_FLOAT;
    }
    let (yes, no) = BOOL_WORDS[0];
    if text.eq_ignore_ascii_case(yes.as_bytes()) || text.eq_ignore_ascii_case(no.as_bytes()) {
        fitting |= bits::LENIENT_BOOL;
    }
    if let Some(pattern) = datetime::timestamp_pattern(text)
        && datetime::read_timestamp(text, pattern, 6).is_some()
    {
        let zoned = pattern.zone != Zone::None;
        fitting |= if zoned { bits::LENIENT_INSTANT } else { bits::LENIENT_TIMESTAMP };
    }
    fitting
}

/// The text with a point for its decimal mark.
fn point(text: &[u8], marks: DecimalMarks) -> Vec<u8> {
    if marks != DecimalMarks::Comma {
        return text.to_vec();
    }
    let swap = |&b: &u8| match b {
        b',' => b'.',
        b'.' => b',',
        other => other,
    };
    text.iter().map(swap).collect()
}
