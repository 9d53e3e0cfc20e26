//! Provides the reasons that a profile gives: why a column is text, or reads into values that lose its text.

use super::agreed::Offence;
use super::bits::{self, DATES, DECIMAL_LEAD, FLOAT_CHOICES, MARK, ORDER, WORDS};
use super::loose::{End, first_end, hard};
use super::moments::{SHORT_YEAR, contradicts, describe_moment, is_date, type_of_timestamp};
use super::odd::ROWS_PER_EXCEPTION;
use super::short_year::patterns_hint;
use super::{Profile, Resolved, Unfit};
use crate::limits::EXCEPTIONS_MAX;
use crate::text::float::{out_of_range, read_any, read_leniently};
use crate::text::number::{Integer, normalise_integer, split_sign};
use crate::text::{BOOL_WORDS, DecimalMarks, FloatStyle, Form, Mark, Mode, shown_type};
use arrow_schema::DataType;

/// Rows that have a type before the first that does not, from which on it is the row that is unlike the
/// column: so many texts in a row do not look like values by chance.
const ROWS_ALIKE_MIN: u64 = 20;

/// Characters of a field that a message shows.
const SHOWN: usize = 40;

impl Profile {
    /// Why the column is text.
    pub(super) fn why_text(&self) -> String {
        let first_value = self.first_value();
        if let (None, Some(second)) = (first_value, &self.nulls.broken) {
            let place = format!("record {}: {}", second.row + 1, show(second));
            return format!("{place} is a second spelling of null in a column without values; {NULLS_HINT}");
        }
        let Some((name, End { offence, count })) = self.longest_lived_with_count() else {
            return String::new();
        };
        let place = format!("record {}: {}", offence.row + 1, show(&offence));
        if self.nulls.broken.as_ref() == Some(&offence) {
            return format!("{place} is a second spelling of null in a column of {name}; {NULLS_HINT}");
        }
        let (reason, hint) = match self.reach.broken() == Some(&offence) {
            true => (BEYOND_ALL_UNITS, None),
            false => self.describe(&offence),
        };
        let is_first = first_value == Some(offence.row);
        let told = if is_first { reason } else { among(reason, &name) };
        let until = match count {
            _ if is_first => String::new(),
            0 => format!("; the rows before it are {name}"),
            _ => format!(
                "; the rows before it are {name}, and {} of them {} already, of which a column \
                 keeps at most {EXCEPTIONS_MAX} and one in {ROWS_PER_EXCEPTION} rows",
                count - 1,
                if count == 2 { "is an exception" } else { "are exceptions" }
            ),
        };
        // Its value would be one of this column only where it is of the same kind.
        let text = marked(&offence.text, self.rules.options.decimal_marks);
        let is_of_kind = told == reason && (is_first || is_among(&text, reason, &name));
        let reads = self.rules.options.mode != Mode::Value && is_of_kind;
        let hint = hint.filter(|hint| reads || *hint != VALUE_HINT);
        let shown = |hint| match hint {
            PATTERN_HINT => format!("; {}", patterns_hint(&offence.text)),
            other => format!("; {other}"),
        };
        format!("{place} {told}{until}{}", hint.map(shown).unwrap_or_default())
    }

    /// The row that keeps a column, which was found to be text, from another type, where a person may want to
    /// know of it: many rows before it have that type, or there is a choice that an option makes. None of
    /// a column that is text throughout, or of identifiers with leading zeros.
    pub(crate) fn missed(&self, found: &Resolved) -> Option<u64> {
        let is_text = found.typing.data_type == DataType::Utf8 && found.typing.style.form != Form::Empty;
        let said = self.rules.fixed.is_some() || self.rules.options.mode == Mode::Text;
        let first = self.first_value().filter(|_| is_text && !said && found.grouped.is_none())?;
        if self.is_undecided() {
            return Some(first);
        }
        let (_, offence) = self.longest_lived()?;
        let asks = |hint: &str| hint != VALUE_HINT;
        let is_choice =
            self.nulls.broken.as_ref() == Some(&offence) || self.describe(&offence).1.is_some_and(asks);
        (is_choice || offence.row >= first + ROWS_ALIKE_MIN).then_some(offence.row)
    }

    /// That none of the dates tells which of its numbers is the day.
    pub(super) fn ambiguous(&self) -> Unfit {
        match self.offences.of(0) {
            Some(first) => Unfit::new(first, format_args!("{}: {AMBIGUOUS}", show(first))),
            None => Unfit::of_all(AMBIGUOUS.to_owned()),
        }
    }

    /// Why dates stay text.
    pub(super) fn why_ambiguous(&self) -> String {
        self.ambiguous().placed()
    }

    /// Which field does not have the fixed type.
    pub(super) fn unfit_for(&self, fixed: &DataType) -> Unfit {
        let name = self.rules.named(fixed);
        let Some((_, offence)) = self.longest_lived() else {
            return Unfit::of_all(format!("the column is not of type {name}"));
        };
        if let Some(both) = type_of_timestamp(&offence.text).filter(|_| is_date_type(fixed)) {
            let (shown, both) = (show(&offence), shown_type(&both));
            return Unfit::new(
                &offence,
                format_args!("{shown} has a time of day too, so it is not of type {name}; {both} holds both"),
            );
        }
        let marks = self.rules.options.decimal_marks;
        let (reason, hint) = match self.describe(&offence) {
            _ if fixed.is_integer() && has_fraction(&marked(&offence.text, marks)) => {
                ("has a fraction", None)
            }
            _ if !is_date_type(fixed) && is_date(&offence.text) => match fixed {
                DataType::Timestamp(..) => ("is a date without a time of day", None),
                _ => ("is a date", None),
            },
            _ if contradicts(&offence.text, self.rules.options.date_order) => {
                ("has another order of day and month than the given one", None)
            }
            (OTHER_INTEGER, _) if !fixed.is_integer() => ("is an integer", None),
            (OTHER_INTEGER, _) if !fits_64_bits(&offence.text) => {
                ("is an integer of more than 64 bits", None)
            }
            found => found,
        };
        let about_commas = |hint: &&str| [COMMA_HINT, THOUSANDS_HINT].contains(hint);
        let hint = hint.filter(about_commas).map(|hint| format!("; {hint}")).unwrap_or_default();
        let shown = show(&offence);
        Unfit::new(&offence, format_args!("{shown} {reason}, so it is not of type {name}{hint}"))
    }

    /// What is the matter with a field, and the option that accepts it.
    pub(super) fn describe(&self, offence: &Offence) -> (&'static str, Option<&'static str>) {
        match self.changes_mark(offence) {
            true => ("has another decimal mark than a value before it", None),
            false => describe(offence, self.rules.options.decimal_marks),
        }
    }

    /// Whether a number has one decimal mark, and one before it the other, where no option tells which it is.
    fn changes_mark(&self, offence: &Offence) -> bool {
        let Some(mark) = sole_mark(&offence.text) else { return false };
        let by_default = match self.rules.options.decimal_marks {
            DecimalMarks::Comma => false,
            DecimalMarks::Point => !has_thousands(&offence.text),
            DecimalMarks::Either => true,
        };
        // Of rows behind the end of a type it depends on how profiles were merged whether they were seen.
        let was = |end: &Option<Offence>, row: u64| end.as_ref().is_none_or(|end| end.row >= row);
        let decimal = self.decimal.first_before(offence.row).map(|(_, mark)| mark.byte());
        let decimal = decimal.filter(|_| was(&self.end(bits::DECIMAL), offence.row));
        // The first field that is no floating-point number with each of the marks.
        let possible = super::initial(&self.rules.options, self.rules.fixed.as_ref());
        let float = self.strict_float_end(possible).map(|end| end.offence);
        let unfit = [Mark::Point, Mark::Comma].into_iter().filter_map(|mark| {
            // One with this mark is none for another reason, which may depend on the rows seen before it.
            let known = self.end(MARK.bit(usize::from(mark == Mark::Comma)))?;
            (sole_mark(&known.text) == Some(mark.other().byte())).then_some(known)
        });
        let before = unfit.filter(|known| known.row < offence.row && was(&float, known.row));
        let float = before.filter_map(|known| sole_mark(&known.text)).next();
        by_default && decimal.or(float).is_some_and(|known| known != mark)
    }

    /// The row of the first value.
    pub(super) fn first_value(&self) -> Option<u64> {
        self.offences.of(0).map(|first| first.row)
    }

    /// The type that the most rows from the top fit, and the row that ended it.
    fn longest_lived(&self) -> Option<(String, Offence)> {
        self.longest_lived_with_count().map(|(name, end)| (name, end.offence))
    }

    /// The same, with the number of exceptions where there were too many.
    fn longest_lived_with_count(&self) -> Option<(String, End)> {
        let possible = super::initial(&self.rules.options, self.rules.fixed.as_ref());
        let written = match self.written.pattern().and_then(|pattern| pattern.clock) {
            None => "dates",
            Some(_) => "timestamps of one pattern",
        };
        let kinds: [(&str, u64); 13] = [
            ("booleans", WORDS.all()),
            ("int64", bits::INT64),
            ("uint64", bits::UINT64),
            ("integers", bits::INT128),
            ("integers", bits::INT256),
            ("decimals of one scale", bits::DECIMAL),
            ("float64", bits::FLOAT),
            ("dates", DATES.all()),
            ("times", bits::TIME),
            ("times", bits::HALF_DAY),
            ("timestamps of one pattern", bits::TIMESTAMP),
            ("timestamps of one pattern", bits::TRIMMED),
            (written, bits::WRITTEN),
        ];
        let first_value = self.first_value();
        let is_loose = |bit| [bits::FLOAT, WORDS.all()].contains(&bit);
        let mut best: Option<(bool, &str, End)> = None;
        for (name, bit) in kinds.into_iter().filter(|(_, bit)| possible & bit != 0) {
            let end = self.kind_end(bit);
            // A type that the first value does not have is no type of this column.
            let own = if is_loose(bit) { None } else { hard(self.end(possible & bit)) };
            let fits = [&end, &own].into_iter().flatten().all(|end| Some(end.offence.row) != first_value);
            let second = self.nulls.broken.clone().filter(|_| fits);
            let Some(end) = first_end(end, hard(second)) else {
                continue;
            };
            let is_better = |known: &End| end.offence.row > known.offence.row;
            if best.as_ref().is_none_or(|(fit, _, known)| (fits, is_better(known)) > (*fit, false)) {
                best = Some((fits, name, end));
            }
        }
        best.map(|(_, name, end)| (name.to_owned(), end))
    }

    /// What ended the types of this bit, or of these words of a boolean.
    pub(super) fn kind_end(&self, bit: u64) -> Option<End> {
        let possible = super::initial(&self.rules.options, self.rules.fixed.as_ref());
        match bit {
            bits::FLOAT => self.float_end(possible),
            bits::DECIMAL => first_end(hard(self.end(bits::DECIMAL)), hard(self.end(DECIMAL_LEAD.all()))),
            bits::TIMESTAMP | bits::TRIMMED | bits::WRITTEN => {
                first_end(hard(self.end(bit)), hard(self.end(possible & ORDER.all())))
            }
            _ if bit == WORDS.all() && self.rules.fixed.is_none() => self.loose_bool.end(),
            _ => hard(self.end(possible & bit)),
        }
    }

    /// The offence that ended the last of these options; none while one remains.
    fn end(&self, options: u64) -> Option<Offence> {
        let positions = (0..bits::COUNT).filter(|position| options & (1 << position) != 0);
        let ends: Option<Vec<&Offence>> = positions.map(|position| self.offences.of(position)).collect();
        ends?.into_iter().max_by_key(|offence| offence.row).cloned()
    }

    fn float_end(&self, possible: u64) -> Option<End> {
        if self.loose_float.is_enabled() {
            return self.loose_float.end();
        }
        self.strict_float_end(possible)
    }

    /// The end of floating-point numbers without exceptions.
    fn strict_float_end(&self, possible: u64) -> Option<End> {
        let choices = FLOAT_CHOICES.iter().map(|choice| hard(self.end(possible & choice.all())));
        choices.fold(hard(self.end(bits::FLOAT)), first_end)
    }
}

/// What is to be said of a column with so many exceptions, of which this is the first.
pub(super) fn why_exceptions(count: usize, first: &Offence, marks: DecimalMarks) -> String {
    let (reason, _) = describe(first, marks);
    let place = format!("record {}: {} {reason}", first.row + 1, show(first));
    match count {
        1 => format!("{place}; its text is kept as an exception"),
        _ => format!("{place}; the texts of it and {} more are kept as exceptions", count - 1),
    }
}

/// What is to be said of a column with so many nulls that are spelled unlike the others; this is the first.
pub(super) fn why_spellings(count: usize, first: &Offence) -> String {
    let place = format!("record {}: {} is another spelling of null", first.row + 1, show(first));
    match count {
        1 => format!("{place}; it is kept as an exception"),
        _ => format!("{place}; it and {} more are kept as exceptions", count - 1),
    }
}

/// What is to be said of a column whose spellings of null are not kept apart. This is the first that is not
/// spelled as the one before it.
pub(super) fn why_spellings_lost(second: &Offence) -> String {
    format!(
        "record {}: {} is another spelling of null, and there are more than {EXCEPTIONS_MAX} exceptions, \
         which is the most that a column keeps: all are null, and which spelling it was is not kept",
        second.row + 1,
        show(second)
    )
}

/// The field in quotes, with control characters escaped, and cut.
pub(super) fn show(offence: &Offence) -> String {
    let text = String::from_utf8_lossy(&offence.text);
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// What is the matter with a moment that no unit holds together with the moments before it.
const BEYOND_ALL_UNITS: &str = "and the rows before it have no unit in common: \
    only nanoseconds have all the digits, and they reach from 1677 to 2262";

const AMBIGUOUS: &str = "every date fits both orders of day and month; --dates dmy or --dates mdy says which";

const COMMA_HINT: &str = "--decimal-comma reads it as a decimal mark";

const THOUSANDS_HINT: &str = "separators of thousands are not read";

const NULLS_HINT: &str = "--types value reads every known spelling as null";

const VALUE_HINT: &str = "--types value reads it as a value and loses this detail of its text";

const NOT_FINITE_HINT: &str = "--type COLUMN=float64 reads it among numbers, and --null WORD makes it null";

/// Stands for the patterns that read the text.
const PATTERN_HINT: &str = "a pattern says it";

const NO_VALUE: &str = "is neither a number nor a date nor a truth value";

const OTHER_INTEGER: &str = "is an integer that the values before it do not allow";

const OTHER_WORD: &str = "has other capitals, or is a truth value among others";

/// What is the matter with a field, and the option that accepts it.
fn describe(offence: &Offence, marks: DecimalMarks) -> (&'static str, Option<&'static str>) {
    // A comma that is the mark is described as a point is elsewhere.
    let text = &marked(&offence.text, marks)[..];
    let (negative, run) = split_sign(text);
    if text.is_empty() {
        return match offence.quoted {
            true => ("is the empty string, which is not null", None),
            false => ("is empty", None),
        };
    }
    let inner = text.trim_ascii();
    if inner.len() < text.len() && (is_number(inner) || describe_moment(inner).is_some()) {
        return ("has white space around it", None);
    }
    if let Some(told) = describe_mark(&offence.text, marks) {
        return told;
    }
    if let Some(rest) = text.strip_prefix(b"+") {
        return match out_of_range(rest) {
            Some(reason) => (reason, None),
            None if is_number(text) => ("has a plus sign", Some(VALUE_HINT)),
            None => (NO_VALUE, None),
        };
    }
    if let Some(normal) = normalise_integer(text) {
        return match (negative, &normal[..]) {
            (true, b"0") => ("is a negative zero", Some(VALUE_HINT)),
            _ if normal.len() != text.len() => ("has leading zeros", Some(VALUE_HINT)),
            _ if run.len() > 76 => ("has more than 76 digits", None),
            _ => (OTHER_INTEGER, None),
        };
    }
    if BOOL_WORDS[..3].iter().any(|(yes, no)| {
        text.eq_ignore_ascii_case(yes.as_bytes()) || text.eq_ignore_ascii_case(no.as_bytes())
    }) {
        return (OTHER_WORD, Some(VALUE_HINT));
    }
    if text.iter().any(u8::is_ascii_digit) {
        return describe_digits(text, run);
    }
    let mut words = FloatStyle::NAN_WORDS.iter().chain(&FloatStyle::INFINITY_WORDS);
    let not_finite = words.any(|word| word.as_bytes() == run);
    (NO_VALUE, Some(NOT_FINITE_HINT).filter(|_| not_finite))
}

/// Whether a text is read as a number where only values count.
fn is_number(text: &[u8]) -> bool {
    normalise_integer(text).is_some() || read_leniently::<f64>(text, Mark::Point).is_some()
}

/// Whether a field that is read as a value, for this reason, is of one kind with values of this type.
fn is_among(text: &[u8], reason: &str, name: &str) -> bool {
    let numbers = ["int64", "uint64", "integers", "decimals of one scale", "float64"];
    match reason == OTHER_WORD {
        true => name == "booleans",
        false => is_number(text) == numbers.contains(&name),
    }
}

/// The reason behind values of this type: a pattern is another one only where they have one of the same kind.
fn among<'a>(reason: &'a str, name: &str) -> &'a str {
    match reason.split_once(" in another ") {
        Some((kind, _)) if !name.starts_with(&format!("{}s", kind.trim_start_matches("is a "))) => kind,
        _ => reason,
    }
}

/// The text with a point for its decimal mark, where that is a comma.
fn marked(text: &[u8], marks: DecimalMarks) -> Vec<u8> {
    let commas = text.iter().filter(|&&byte| byte == b',').count();
    let is_mark = commas == 1 && marks.allow(Mark::Comma) && !text.contains(&b'.');
    let point = |byte: &u8| if is_mark && *byte == b',' { b'.' } else { *byte };
    text.iter().map(point).collect()
}

/// What is the matter with the mark of a number, if that is.
fn describe_mark(text: &[u8], marks: DecimalMarks) -> Option<(&'static str, Option<&'static str>)> {
    let count = |mark: u8| text.iter().filter(|&&byte| byte == mark).count();
    let is_number = text.iter().all(|byte| byte.is_ascii_digit() || b"+-,.eE".contains(byte));
    match (count(b','), count(b'.')) {
        _ if !is_number || !text.iter().any(u8::is_ascii_digit) => None,
        (0, 1) if marks == DecimalMarks::Comma => {
            Some(("has a point, and the decimal mark is a comma", None))
        }
        (0, _) => None,
        (1, 0) if marks.allow(Mark::Comma) => None,
        _ if has_thousands(text) => match marks {
            DecimalMarks::Comma => Some(("has a point", Some(THOUSANDS_HINT))),
            _ => Some(("has a comma", Some(THOUSANDS_HINT))),
        },
        (1, 0) => Some(("has a comma", Some(COMMA_HINT))),
        _ => Some(("has a comma", None)),
    }
}

/// The decimal mark of a number that has one mark.
fn sole_mark(text: &[u8]) -> Option<u8> {
    let is_number = text.iter().all(|byte| byte.is_ascii_digit() || b"+-,.eE".contains(byte));
    let mut marks = text.iter().copied().filter(|byte| b",.".contains(byte));
    let mark = marks.next().filter(|_| marks.next().is_none());
    mark.filter(|_| is_number && text.iter().any(u8::is_ascii_digit))
}

/// Whether commas or points stand between groups of three digits, as in `1,234`, `1,234,567.8` and `1.234,5`.
pub(super) fn has_thousands(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"+").unwrap_or(split_sign(text).1);
    let Some(&mark) = text.iter().find(|byte| b",.".contains(byte)) else { return false };
    let other = if mark == b',' { b'.' } else { b',' };
    let whole = text.split(|&byte| byte == other).next().unwrap_or_default();
    let groups: Vec<&[u8]> = whole.split(|&byte| byte == mark).collect();
    let digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
    groups.len() > 1
        && (1..=3).contains(&groups[0].len())
        && groups[0][0] != b'0'
        && digits(groups[0])
        && groups[1..].iter().all(|group| group.len() == 3 && digits(group))
}

fn fits_64_bits(text: &[u8]) -> bool {
    <i64 as Integer>::read(text).is_some() || <u64 as Integer>::read(text).is_some()
}

/// Whether a text is a number with a decimal mark.
fn has_fraction(text: &[u8]) -> bool {
    let run = split_sign(text).1;
    run.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') && run.contains(&b'.')
}

fn is_date_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

fn describe_digits(text: &[u8], run: &[u8]) -> (&'static str, Option<&'static str>) {
    let only = |allowed: &[u8]| text.iter().all(|b| b.is_ascii_digit() || allowed.contains(b));
    let is_number = read_any::<f64>(text, Mark::Point).is_some();
    let hint = read_leniently::<f64>(text, Mark::Point).map(|_| VALUE_HINT);
    if is_number && only(b"-.") {
        return match run {
            [b'0', b'0'..=b'9', ..] => ("has leading zeros", hint),
            [.., b'0'] => ("has trailing zeros", hint),
            _ => ("is not the shortest text of its number", hint),
        };
    }
    if let Some((reason, is_value)) = describe_moment(text) {
        let hint = if reason == SHORT_YEAR { Some(PATTERN_HINT) } else { None };
        return (reason, if is_value { Some(VALUE_HINT) } else { hint });
    }
    if let Some(reason) = out_of_range(text) {
        return (reason, None);
    }
    if is_number && only(b"-+.eE") {
        return ("writes its exponent unlike the other values or a shortest text", hint);
    }
    (NO_VALUE, None)
}

/// What there is to say, in one line.
pub(super) fn joined(whys: [String; 2]) -> String {
    whys.into_iter().filter(|why| !why.is_empty()).collect::<Vec<_>>().join("; ")
}
