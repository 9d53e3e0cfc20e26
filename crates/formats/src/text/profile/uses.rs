//! Provides how marks stand in a field: in a number, which may have a unit beside it, or in what only looks
//! like one.

use super::explain::has_thousands;
use crate::text::Mark;
use crate::text::number::split_sign;

/// Bytes of the longest field in which a number is looked for among other things.
const BESIDE_MAX: usize = 100;

/// Bytes of the longest unit beside a number.
const UNIT_MAX: usize = 12;

/// How a mark stands in a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    /// Once, with one to three digits before it and three behind it: it may separate thousands.
    Grouping,
    /// Once, elsewhere: it is the decimal mark.
    Decimal,
    /// Several times, with three digits behind each: if this is a number, it separates thousands.
    Thousands,
    /// Where thousands are separated, before the other mark: this is a number, and it separates thousands.
    ThousandsBeforeMark,
}

impl Use {
    /// The index of this use of this mark, below 8.
    pub(super) fn index(self, mark: Mark) -> usize {
        2 * self as usize + mark as usize
    }
}

/// What a field is, as far as its marks tell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// Digits alone.
    Integer,
    /// With a mark.
    Number(Use, Mark),
    /// It looks like a number and is none, such as a list, a version or a date.
    List,
    /// Anything else.
    Other,
}

impl Field {
    /// What a field is that is not empty.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        number(text).unwrap_or_else(|| other(text))
    }
}

/// What a field is that is a number and nothing else.
fn number(text: &[u8]) -> Option<Field> {
    let run = text.strip_prefix(b"+").unwrap_or(split_sign(text).1);
    let is_mark = |byte: &u8| matches!(byte, b'.' | b',');
    let end = run.iter().position(|byte| !byte.is_ascii_digit() && !is_mark(byte)).unwrap_or(run.len());
    let (number, rest) = run.split_at(end);
    let has_exponent = !rest.is_empty();
    if !number.iter().any(u8::is_ascii_digit) || (has_exponent && !is_exponent(rest)) {
        return None;
    }
    let Some(first) = number.iter().find(|byte| is_mark(byte)) else { return Some(Field::Integer) };
    let mark = if *first == b'.' { Mark::Point } else { Mark::Comma };
    let count = |mark: Mark| number.iter().filter(|byte| **byte == mark.byte()).count();
    let ends_in_other = number.iter().rfind(|byte| is_mark(byte)) != Some(first);
    let is_grouped = has_thousands(number);
    let used = match (count(mark), count(mark.other())) {
        (1, 0) if is_grouped && !has_exponent => Use::Grouping,
        (1, 0) => Use::Decimal,
        (_, 0) if is_grouped => Use::Thousands,
        (_, 1) if is_grouped && ends_in_other => Use::ThousandsBeforeMark,
        _ => return None,
    };
    Some(Field::Number(used, mark))
}

/// Whether this is an exponent.
fn is_exponent(text: &[u8]) -> bool {
    let Some((b'e' | b'E', rest)) = text.split_first() else { return false };
    let digits = rest.strip_prefix(b"+").unwrap_or(split_sign(rest).1);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// What a field is that is more than a number: with white space around it, its sign behind it, what separates
/// thousands and is no mark, or a unit beside it. Numbers with both marks are found among anything.
fn other(text: &[u8]) -> Field {
    let (all, text) = (text, text.trim_ascii());
    if text.len() > BESIDE_MAX {
        return Field::Other;
    }
    if memchr::memchr2(b'.', b',', text).is_none() {
        let is_padded = text.len() < all.len();
        return if is_padded { number(text).unwrap_or(Field::Other) } else { Field::Other };
    }
    let is_digit = u8::is_ascii_digit;
    let Some(first) = text.iter().position(is_digit) else { return Field::Other };
    let end = text.iter().rposition(is_digit).map_or(first, |last| last + 1);
    let like_number = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_digit() || b"., +-".contains(byte));
    let found = |text: &[u8]| number(text).or_else(|| spaced(text));
    if like_number(text) {
        return found(text.strip_suffix(b"-").unwrap_or(text)).unwrap_or(Field::List);
    }
    let inner = &text[first..end];
    if !inner.iter().all(|byte| byte.is_ascii_digit() || b"., '".contains(byte) || !byte.is_ascii()) {
        return Field::Other;
    }
    let has_unit = is_before(&text[..first]) && is_behind(&text[end..]);
    match found(inner) {
        Some(certain @ Field::Number(Use::ThousandsBeforeMark, _)) => certain,
        Some(found) if has_unit => found,
        None if has_unit && like_number(inner) => Field::List,
        _ => Field::Other,
    }
}

/// A number with a mark whose thousands are separated by spaces or apostrophes: it is the decimal mark.
fn spaced(text: &[u8]) -> Option<Field> {
    let text = std::str::from_utf8(text.strip_prefix(b"+").unwrap_or(split_sign(text).1)).ok()?;
    let mark = if text.contains(',') { Mark::Comma } else { Mark::Point };
    let (whole, fraction) = text.split_once(char::from(mark.byte()))?;
    let mut groups = whole.split([' ', '\'', '\u{a0}', '\u{202f}', '\u{2019}']);
    let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = |group: &str| (1..=3).contains(&group.len()) && are_digits(group);
    let is_whole = groups.next().is_some_and(is_first)
        && whole.contains(|letter: char| !letter.is_ascii_digit())
        && groups.all(|group| group.len() == 3 && are_digits(group));
    (is_whole && are_digits(fraction)).then_some(Field::Number(Use::Decimal, mark))
}

/// Whether this is a unit, such as `kg`, a bracket or nothing.
fn is_unit(text: &[u8]) -> bool {
    text.len() <= UNIT_MAX && !text.iter().any(|byte| b".,".contains(byte) || byte.is_ascii_whitespace())
}

/// Whether this may stand before a number: nothing, a sign, or a unit that does not run into it as the
/// letters of a code or a version do.
fn is_before(text: &[u8]) -> bool {
    let unsigned = text.strip_suffix(b"-").or_else(|| text.strip_suffix(b"+")).unwrap_or(text);
    let ends_apart = unsigned.last().is_none_or(|byte| b" \t$(~<>=".contains(byte) || !byte.is_ascii());
    ends_apart && is_unit(unsigned.trim_ascii())
}

/// Whether this may stand behind a number: nothing, a unit, or a sign with or without one.
fn is_behind(text: &[u8]) -> bool {
    is_unit(text.strip_prefix(b"-").unwrap_or(text).trim_ascii())
}
