//! Provides the marks in the numbers of a table whose decimal mark nobody told. A point or a comma before
//! three digits may as well separate thousands, and other columns may show that it does.

use super::explain::has_thousands;
use super::{Profile, Resolved};
use crate::text::number::split_sign;
use crate::text::{Form, Mark, Mode, TypingOptions};

/// Bytes of the longest field in which a number is looked for among other things.
const BESIDE_MAX: usize = 100;

/// How a mark stands in a number.
#[derive(Debug, Clone, Copy)]
enum Use {
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
    fn bit(self, mark: Mark) -> u8 {
        1 << (2 * self as u8 + mark as u8)
    }
}

/// What the fields of a column show of the marks in their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Whether that is asked: nobody told the decimal mark.
    asked: bool,
    /// The uses of each mark, as [`Use::bit`] has them.
    seen: u8,
    /// Whether some field looks like a number and is none, such as a list or a version.
    alike: bool,
}

impl Marks {
    /// Of no fields.
    pub(super) fn new(options: &TypingOptions) -> Self {
        let asked = !options.marks_told && options.mode != Mode::Text;
        Marks { asked, seen: 0, alike: false }
    }

    /// Whether fields are of interest.
    #[inline]
    pub(super) fn are_asked(&self) -> bool {
        self.asked
    }

    /// Takes note of a field that is not null.
    #[inline]
    pub(super) fn see(&mut self, text: &[u8]) {
        if !self.asked || text.is_empty() {
            return;
        }
        match uses(text) {
            Some(seen) => self.seen |= seen,
            None => {
                self.alike |= text.iter().all(|byte| byte.is_ascii_digit() || b"., +-".contains(byte))
                    && text.iter().any(u8::is_ascii_digit);
                let certain = |mark| Use::ThousandsBeforeMark.bit(mark);
                let certain = certain(Mark::Point) | certain(Mark::Comma);
                self.seen |= uses(number_in(text)).unwrap_or(0) & certain;
            }
        }
    }

    /// Adds what was seen in other rows.
    pub(super) fn merge(&mut self, other: &Marks) {
        self.seen |= other.seen;
        self.alike |= other.alike;
    }

    fn has(&self, used: Use, mark: Mark) -> bool {
        self.seen & used.bit(mark) != 0
    }

    /// Whether these fields show that the mark separates thousands. Beside lists and versions, those that
    /// look like numbers may be such too: then only numbers with both marks show it.
    fn show_thousands(&self, mark: Mark) -> bool {
        let alone = self.has(Use::Thousands, mark) || self.has(Use::Decimal, mark.other());
        self.has(Use::ThousandsBeforeMark, mark) || (alone && !self.alike)
    }
}

/// The uses of the marks in a field, where it is a number.
fn uses(text: &[u8]) -> Option<u8> {
    let run = text.strip_prefix(b"+").unwrap_or(split_sign(text).1);
    let is_mark = |byte: &u8| matches!(byte, b'.' | b',');
    let end = run.iter().position(|byte| !byte.is_ascii_digit() && !is_mark(byte)).unwrap_or(run.len());
    let (number, rest) = run.split_at(end);
    let has_exponent = !rest.is_empty();
    if !number.iter().any(u8::is_ascii_digit) || (has_exponent && !is_exponent(rest)) {
        return None;
    }
    let Some(first) = number.iter().find(|byte| is_mark(byte)) else { return Some(0) };
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
    Some(used.bit(mark))
}

/// Whether this is an exponent.
fn is_exponent(text: &[u8]) -> bool {
    let Some((b'e' | b'E', rest)) = text.split_first() else { return false };
    let digits = rest.strip_prefix(b"+").unwrap_or(split_sign(rest).1);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// What a field with both marks holds from its first to its last digit, as it may have a unit beside its
/// number.
fn number_in(text: &[u8]) -> &[u8] {
    if text.len() > BESIDE_MAX || !text.contains(&b',') || !text.contains(&b'.') {
        return b"";
    }
    let first = text.iter().position(u8::is_ascii_digit);
    let last = text.iter().rposition(u8::is_ascii_digit);
    first.zip(last).map_or(b"", |(first, last)| &text[first..=last])
}

/// The marks that separate thousands in a table, or may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thousands {
    point: bool,
    comma: bool,
}

impl Thousands {
    /// As the profiles of all columns show it, with what each column was found to be.
    pub(crate) fn of(profiles: &[Profile], found: &[Resolved]) -> Self {
        let shown = |mark: Mark| {
            profiles.iter().zip(found).any(|(profile, found)| {
                // Two columns cannot have different decimal marks and both be right.
                let other = mark_of(found).filter(|found| *found == mark.other());
                other.is_some_and(|other| profile.marks.has(Use::Grouping, other))
                    || profile.marks.show_thousands(mark)
            })
        };
        Thousands { point: shown(Mark::Point), comma: shown(Mark::Comma) }
    }

    fn has(self, mark: Mark) -> bool {
        match mark {
            Mark::Point => self.point,
            Mark::Comma => self.comma,
        }
    }

    /// Whether more rows may show otherwise, though all of their fields fit what was found: a number in a
    /// column of text, or one whose mark cannot separate thousands.
    pub(crate) fn are_open(self, profiles: &[Profile], found: &[Resolved]) -> bool {
        let has_text = found.iter().any(|found| found.typing.style.form == Form::Text);
        profiles.iter().zip(found).any(|(profile, found)| {
            let open = mark_of(found).filter(|mark| profile.may_group(*mark));
            open.is_some_and(|mark| has_text || self.has(mark))
        })
    }
}

/// The decimal mark of a column that was found to be one of numbers with fractions.
fn mark_of(found: &Resolved) -> Option<Mark> {
    let is_number = matches!(found.typing.style.form, Form::Float(_) | Form::Decimal);
    is_number.then_some(found.typing.style.mark)
}

/// Why a column of numbers is text in which a mark may separate thousands.
pub(crate) fn why_grouped(mark: Mark) -> String {
    let (marks, option) = match mark {
        Mark::Point => ("points", "--decimal-comma=false"),
        Mark::Comma => ("commas", "--decimal-comma"),
    };
    format!(
        "{marks} may separate thousands here, as the marks in other columns show; \
         {option} reads them as decimal marks"
    )
}

impl Profile {
    /// Whether no number shows that the mark is the decimal mark, where nobody told it.
    fn may_group(&self, mark: Mark) -> bool {
        self.marks.asked && self.rules.fixed.is_none() && !self.marks.has(Use::Decimal, mark)
    }

    /// What the column was found to be; text where its marks may separate thousands as some do in its table.
    pub(crate) fn unless_grouped(&self, found: Resolved, thousands: Thousands) -> Resolved {
        let grouped = mark_of(&found).filter(|mark| {
            thousands.has(*mark) && self.may_group(*mark) && self.marks.has(Use::Grouping, *mark)
        });
        match grouped {
            Some(mark) => Resolved { grouped, ..self.complete(self.as_text(why_grouped(mark))) },
            None => found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::resolve;
    use crate::text::{DecimalMarks, RawField};

    /// Profiles of columns, of rows with bars between their fields.
    fn profiled(options: &TypingOptions, rows: &[&str]) -> Vec<Profile> {
        let columns = rows[0].split('|').count();
        let mut profiles = vec![Profile::with_options(options).unwrap(); columns];
        for (row, fields) in (0..).zip(rows) {
            for (profile, field) in profiles.iter_mut().zip(fields.split('|')) {
                profile.observe(row, RawField::plain(field.as_bytes()));
            }
        }
        profiles
    }

    /// What the columns are: text, numbers, or text since a mark may separate thousands; and whether more
    /// rows may change it.
    fn typed(profiles: &[Profile]) -> (String, bool) {
        let found = resolve(profiles);
        let kinds = found.typings.iter().zip(&found.why).map(|(typing, why)| match why.grouped {
            Some(mark) => format!("{mark:?}"),
            None if typing.style.form == Form::Text => "text".to_owned(),
            None => "number".to_owned(),
        });
        (kinds.collect::<Vec<_>>().join(" "), found.is_open)
    }

    fn options(decimal_marks: DecimalMarks) -> TypingOptions {
        TypingOptions { decimal_marks, ..TypingOptions::default() }
    }

    #[test]
    fn marks_that_separate_thousands_elsewhere_are_no_decimal_marks() {
        let (either, point) = (options(DecimalMarks::Either), options(DecimalMarks::Point));
        for (options, rows, types) in [
            (&either, &["1.200|12.345,50", "3.450|950,10"][..], "Point text"),
            (&either, &["1,200|12,345.50", "3,450|950.10"], "Comma text"),
            (&point, &["1.200|12.345,50", "3.450|950,10"], "Point text"),
            (&point, &["1.234|2,5", "2.345|3"], "Point text"),
            (&point, &["1.234|1.234.567", "2.345|3"], "Point text"),
            (&either, &["1.000|01,5"], "Point text"),
            (&either, &["1.234|2,5", "2.345|k. A."], "Point text"),
            (&point, &["1.234|2,5", "2.345|k. A."], "Point text"),
            (&either, &["1.234|2,5"], "Point number"),
            (&either, &["1,234|2.5"], "Comma number"),
            (&either, &["1.234|1,234"], "Point Comma"),
            (&either, &["1.234|x", "2.345|12.345,50 EUR"], "Point text"),
            (&point, &["1.234|x", "2.345|ab 12.345,50 EUR"], "Point text"),
            (&either, &["1,234|2.5|2,5"], "Comma number number"),
            (&either, &["1e5|2,5", "1.234|2,5"], "Point number"),
            // One use that cannot separate thousands says that none does.
            (&either, &["1.234|2,5", "2.5|3,5"], "number number"),
            (&either, &["1.234|2,5", "0.345|3,5"], "number number"),
            (&either, &["1234.567|2,5", "2.345|3,5"], "number number"),
            (&either, &["1.234e5|2,5", "2.345|3,5"], "number number"),
            // Nothing is shown by lists, versions, coordinates and numbers that may be either.
            (&point, &["1.234|1,2", "2.345|1,2,3"], "number text"),
            (&point, &["1.234|1,234", "2.345|x"], "number text"),
            (&point, &["1.234|1,234,567.8", "2.345|5,000"], "number text"),
            (&point, &["1.234|48.137,11.575", "2.345|52.52,13.405"], "number text"),
            (&point, &["1.234|1,2", "2.345|1, 2"], "number text"),
            (&either, &["1,234|2.5", "2,345|3.1.4"], "number text"),
            (&either, &["1.234|1.2.3", "2.345|31.12.2024"], "number text"),
            (&either, &["1.234|10.000.000.1"], "number text"),
            (&either, &["1.234|12.345"], "number number"),
        ] {
            assert_eq!(typed(&profiled(options, rows)).0, types, "{rows:?}");
        }
    }

    #[test]
    fn where_a_person_told_the_mark_or_the_type_it_holds() {
        let told = TypingOptions { marks_told: true, ..options(DecimalMarks::Point) };
        assert_eq!(typed(&profiled(&told, &["1.200|12.345,50"])), ("number text".to_owned(), false));
        let fixed = TypingOptions { fixed: Some("float64".into()), ..options(DecimalMarks::Either) };
        let mut profiles = profiled(&options(DecimalMarks::Either), &["1.200|12.345,50"]);
        profiles[0] = profiled(&fixed, &["1.200"]).remove(0);
        assert_eq!(typed(&profiles), ("number text".to_owned(), false));
    }

    #[test]
    fn rows_that_lack_the_field_are_not_forgotten() {
        let mut profiles = profiled(&options(DecimalMarks::Either), &["1.234|2,5"]);
        profiles[0].observe_absent(1);
        let found = resolve(&profiles);
        assert!(found.why[0].grouped.is_some() && !found.typings[0].reversible, "{:?}", found.why[0]);
        assert!(found.why[0].lost.contains("record 2 has no such field"), "{:?}", found.why[0]);
    }
}
