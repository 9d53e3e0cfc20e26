//! Provides the style of a column: everything about its text that its type does not say.

use super::exceptions::Exceptions;
use super::given::GivenPattern;
use super::options::DateOrder;
use super::written::{WrittenDate, WrittenPattern};
use crate::annotation::Annotation;
use arrow_schema::{DataType, Field};

/// The type and style of one column of text.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnTyping {
    /// Type of the values.
    pub data_type: DataType,
    /// How the values are written.
    pub style: Style,
    /// Whether type and style give back the text of every field that fits them.
    pub reversible: bool,
    /// What the header said, where the column has another name: one that is not empty, and its own.
    pub source_name: Option<String>,
}

impl ColumnTyping {
    /// The typing of a column whose name is that of the header, if there is one.
    pub fn new(data_type: DataType, style: Style, reversible: bool) -> Self {
        ColumnTyping { data_type, style, reversible, source_name: None }
    }

    /// The column of this name: where the text is that of UUIDs, the values are such.
    pub(crate) fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.data_type.clone(), true);
        if self.style.form == Form::Uuid { Annotation::Uuid.tell(field) } else { field }
    }
}

/// How the values of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Text of null where it is not quoted. `None`: an empty unquoted field is null.
    pub null: Option<String>,
    /// Further texts read as null; they are written as `null`, so a style with any is not reversible.
    pub also_null: Vec<String>,
    /// Unquoted texts that the caller declared as null but that this column holds in exceptions alone. One
    /// elsewhere means that the typing must be widened.
    pub refused: Vec<String>,
    /// Mark between the integral and the fractional digits.
    pub mark: Mark,
    /// Whether an integral zero before the mark is left out: `.5`.
    pub bare_mark: bool,
    /// Fields whose text is not the one that this style gives their value.
    pub exceptions: Exceptions,
    /// Whether the form also reads texts that it would not write; then it is not reversible.
    pub lenient: bool,
    /// Shape of the text of a value.
    pub form: Form,
}

impl Style {
    /// A style in this form with empty fields as null and a decimal point.
    pub fn new(form: Form) -> Self {
        Style {
            null: None,
            also_null: Vec::new(),
            refused: Vec::new(),
            mark: Mark::Point,
            bare_mark: false,
            exceptions: Exceptions::default(),
            lenient: false,
            form,
        }
    }

    /// Whether it reads no texts but those that it writes, and exceptions.
    pub(crate) fn is_strict(&self) -> bool {
        !self.lenient && self.also_null.is_empty()
    }

    /// Text of null.
    pub fn null_text(&self) -> &str {
        self.null.as_deref().unwrap_or("")
    }

    /// The order of day and month in dates, alone or with a time of day, where both are numbers before the
    /// year.
    pub fn date_order(&self) -> DateOrder {
        let date = match self.form {
            Form::Date(pattern) => pattern,
            Form::Timestamp(pattern) => pattern.date,
            Form::Written(WrittenPattern { date: WrittenDate::Numbers(pattern), .. }) => pattern,
            _ => return DateOrder::Unknown,
        };
        match date {
            DatePattern::DmySlash | DatePattern::DmyDot | DatePattern::DmyDash => DateOrder::DayFirst,
            DatePattern::MdySlash | DatePattern::MdyDash => DateOrder::MonthFirst,
            DatePattern::YmdDash | DatePattern::YmdSlash | DatePattern::YmdDot | DatePattern::Compact => {
                DateOrder::Unknown
            }
        }
    }
}

/// Shape of the text of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// No field holds a value: every one is null.
    Empty,
    /// The text itself.
    Text,
    /// Text, each field of which is a date or a timestamp in both orders of day and month. A field that is
    /// not settles the order, so it does not fit this form.
    Ambiguous(Ambiguous),
    /// Two words.
    Bool {
        /// Index into [`BOOL_WORDS`].
        words: usize,
    },
    /// Digits without leading zeros or plus sign.
    Integer,
    /// Digits with exactly as many after the mark as the scale of the type.
    Decimal,
    /// The shortest text that reads back as the same number.
    Float(FloatStyle),
    /// A date.
    Date(DatePattern),
    /// `%I:%M %p`, or with seconds.
    HalfDay(HalfDayPattern),
    /// `%H:%M`, or `%H:%M:%S` and a fixed number of digits of a second.
    Time {
        /// Whether there are seconds.
        seconds: bool,
        /// Digits after the second, 0 to 9.
        fraction: u8,
    },
    /// A date, a time, and perhaps an offset.
    Timestamp(TimestampPattern),
    /// A date, or a date and time, as people write them.
    Written(WrittenPattern),
    /// A date, a time or a timestamp in a pattern that a person gave.
    Given(GivenPattern),
    /// ISO 8601 seconds, `PT1.500S`, with as many digits as the unit has.
    Duration,
    /// ISO 8601 with months, days and seconds, `P1M2DT3.000000000S`, each with its own sign.
    Interval,
    /// `0x` and two lower-case hexadecimal digits per byte. Hexadecimal digits have one spelling for each
    /// value, which base64 has not, and the prefix keeps an empty value apart from null.
    Binary,
    /// Hexadecimal digits with hyphens, as UUIDs have them.
    Uuid,
    /// JSON text of a nested value.
    Json,
}

/// The words that stand for true and false, in order of preference. The first three are recognised without
/// being asked for.
pub const BOOL_WORDS: [(&str, &str); 11] = [
    ("true", "false"),
    ("True", "False"),
    ("TRUE", "FALSE"),
    ("t", "f"),
    ("T", "F"),
    ("yes", "no"),
    ("Yes", "No"),
    ("YES", "NO"),
    ("y", "n"),
    ("Y", "N"),
    ("1", "0"),
];

/// Mark between the integral and the fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// `.`
    #[default]
    Point,
    /// `,`
    Comma,
}

impl Mark {
    /// The mark as a byte.
    pub fn byte(self) -> u8 {
        match self {
            Mark::Point => b'.',
            Mark::Comma => b',',
        }
    }

    /// The other mark.
    pub(crate) fn other(self) -> Self {
        match self {
            Mark::Point => Mark::Comma,
            Mark::Comma => Mark::Point,
        }
    }
}

/// How floating-point numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloatStyle {
    /// Whether integral values are written with a final `.0`.
    pub point_zero: bool,
    /// When an exponent is used, and how it is written.
    pub exponent: Exponent,
    /// Index into [`FloatStyle::NAN_WORDS`].
    pub nan: usize,
    /// Index into [`FloatStyle::INFINITY_WORDS`].
    pub infinity: usize,
}

impl FloatStyle {
    /// Spellings of "not a number", in order of preference.
    pub const NAN_WORDS: [&'static str; 3] = ["nan", "NaN", "NAN"];
    /// Spellings of infinity, in order of preference; negative infinity has a minus before it.
    pub const INFINITY_WORDS: [&'static str; 5] = ["inf", "Infinity", "Inf", "INF", "infinity"];
    /// What Python's `repr` writes.
    pub const PYTHON: FloatStyle =
        FloatStyle { point_zero: true, exponent: Exponent::Python, nan: 0, infinity: 0 };
}

/// When an exponent is used, and how it is written. The exponent is that of the first significant digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exponent {
    /// Below −4 and from 16 on, with a sign and at least two digits: `1e-05`, `1e+16`. Python's `repr`.
    Python,
    /// Below −6 and from 21 on, with a sign: `1e-7`, `1e+21`. ECMAScript's `Number::toString`.
    JavaScript,
    /// Below −5 and from 16 on, no plus sign: `1e-6`, `1e16`. Rust's shortest printers.
    Short,
    /// Only from 39 on: `0.0000001`, `100000000000000000000`.
    Plain,
    /// Below −3 and from 7 on, in upper case, no plus sign: `1.0E-4`, `1.0E7`. Java's `Double.toString`.
    Java,
    /// Wherever that is shorter than the digits alone, with a sign and at least two digits: `1e+05`,
    /// `123456`. R.
    R,
    /// Below −4 and from 15 on, in upper case, with a sign and at least two digits: `1E-05`, `1E+15`. .NET's
    /// `Double.ToString`.
    DotNet,
    /// Always, after a fixed number of digits: C's `printf("%.6e")`.
    Scientific(Scientific),
    /// Always, after the shortest digits, without plus sign or padding: `1e5`, `3.5e-7`. Rust's `{:e}`.
    Always,
}

/// A number with one digit before the mark and an exponent with a sign and at least two digits: `1.50e+03`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scientific {
    /// Digits after the mark, of which there is none without them; at most [`Scientific::DIGITS_MAX`].
    pub digits: u8,
    /// Whether the exponent follows `E` and not `e`.
    pub upper: bool,
}

impl Scientific {
    /// Most digits after the mark.
    pub const DIGITS_MAX: u8 = 40;
}

impl Exponent {
    /// Those that write the shortest digits, and not always an exponent, in order of preference.
    pub const ALL: [Exponent; 7] = [
        Exponent::Python,
        Exponent::JavaScript,
        Exponent::Short,
        Exponent::Plain,
        Exponent::Java,
        Exponent::R,
        Exponent::DotNet,
    ];

    /// The exponents of the first significant digit that are written without exponent, whatever the digits.
    pub(crate) fn plain_range(self) -> std::ops::Range<i32> {
        match self {
            Exponent::Python => -4..16,
            Exponent::JavaScript => -6..21,
            Exponent::Short => -5..16,
            Exponent::Plain => -400..39,
            Exponent::Java => -3..7,
            Exponent::R => -3..5,
            Exponent::DotNet => -4..15,
            Exponent::Scientific(_) | Exponent::Always => 0..0,
        }
    }

    /// Whether a number of so many significant digits, the first of this exponent, is written without one.
    pub(crate) fn is_plain(self, exponent: i32, digits: usize) -> bool {
        self.plain_range().contains(&exponent)
            || (self == Exponent::R && is_no_longer_plain(exponent, digits))
    }
}

/// Whether the digits alone take no more room than with an exponent of at least two digits and a sign.
fn is_no_longer_plain(exponent: i32, digits: usize) -> bool {
    let size = exponent.unsigned_abs() as usize;
    let with_mark = |digits: usize, integral: usize| digits + usize::from(digits > integral);
    let plain = if exponent < 0 { 1 + size + digits } else { with_mark(digits.max(size + 1), size + 1) };
    let power = if size < 100 { 4 } else { 5 };
    plain <= with_mark(digits, 1) + power
}

/// Order and marks of a date. Years have four digits, months and days two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatePattern {
    /// `%Y-%m-%d`
    YmdDash,
    /// `%Y/%m/%d`
    YmdSlash,
    /// `%Y.%m.%d`, in years in which three numbers are likely a date.
    YmdDot,
    /// `%d/%m/%Y`
    DmySlash,
    /// `%m/%d/%Y`
    MdySlash,
    /// `%d.%m.%Y`
    DmyDot,
    /// `%d-%m-%Y`
    DmyDash,
    /// `%m-%d-%Y`
    MdyDash,
    /// `%Y%m%d`; only where it is asked for, since it is an integer too.
    Compact,
}

impl DatePattern {
    /// All of them, in order of preference.
    pub const ALL: [DatePattern; 9] = [
        DatePattern::YmdDash,
        DatePattern::YmdSlash,
        DatePattern::YmdDot,
        DatePattern::DmySlash,
        DatePattern::MdySlash,
        DatePattern::DmyDot,
        DatePattern::DmyDash,
        DatePattern::MdyDash,
        DatePattern::Compact,
    ];

    /// The one with this mark and the year first.
    pub(crate) fn year_first(mark: u8) -> Self {
        match mark {
            b'.' => DatePattern::YmdDot,
            b'-' => DatePattern::YmdDash,
            _ => DatePattern::YmdSlash,
        }
    }

    /// Whether the year is first, with marks behind it.
    pub(crate) fn is_year_first(self) -> bool {
        matches!(self, DatePattern::YmdDash | DatePattern::YmdSlash | DatePattern::YmdDot)
    }

    /// The one with this mark and the year last that has the day first.
    pub(crate) fn day_first(mark: u8) -> Self {
        match mark {
            b'.' => DatePattern::DmyDot,
            b'-' => DatePattern::DmyDash,
            _ => DatePattern::DmySlash,
        }
    }

    /// The one that has the month first where this one has the day, if there is such.
    pub(crate) fn month_first(self) -> Option<Self> {
        match self {
            DatePattern::DmySlash => Some(DatePattern::MdySlash),
            DatePattern::DmyDash => Some(DatePattern::MdyDash),
            _ => None,
        }
    }

    /// The pattern in the notation of `strftime`.
    pub fn as_str(self) -> &'static str {
        match self {
            DatePattern::YmdDash => "%Y-%m-%d",
            DatePattern::YmdSlash => "%Y/%m/%d",
            DatePattern::YmdDot => "%Y.%m.%d",
            DatePattern::DmySlash => "%d/%m/%Y",
            DatePattern::MdySlash => "%m/%d/%Y",
            DatePattern::DmyDot => "%d.%m.%Y",
            DatePattern::DmyDash => "%d-%m-%Y",
            DatePattern::MdyDash => "%m-%d-%Y",
            DatePattern::Compact => "%Y%m%d",
        }
    }

    /// What stands between its parts; `-` where nothing does.
    pub(crate) fn mark(self) -> u8 {
        match self {
            DatePattern::YmdDash | DatePattern::DmyDash | DatePattern::MdyDash | DatePattern::Compact => b'-',
            DatePattern::YmdSlash | DatePattern::DmySlash | DatePattern::MdySlash => b'/',
            DatePattern::YmdDot | DatePattern::DmyDot => b'.',
        }
    }
}

/// What reads as one thing with the day first and as another with the month first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    /// A date of this pattern, which has the day first, or of the one that has the month first.
    Date(DatePattern),
    /// A timestamp of this pattern, which has the day first, or of the same with the month first.
    Timestamp(TimestampPattern),
    /// A date, or a date and time, of this pattern, which has the day first, or of the same with the month
    /// first.
    Written(WrittenPattern),
}

/// Parts of a time of day of twice twelve hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HalfDayPattern {
    /// Whether there are seconds.
    pub seconds: bool,
    /// Whether the hour has two digits.
    pub padded: bool,
    /// Whether a space stands before the word.
    pub space: bool,
    /// Whether the word has capitals.
    pub upper: bool,
}

impl HalfDayPattern {
    /// The word of one half of the day.
    pub(crate) fn word(self, late: bool) -> &'static [u8] {
        match (self.upper, late) {
            (true, false) => b"AM",
            (true, true) => b"PM",
            (false, false) => b"am",
            (false, true) => b"pm",
        }
    }

    /// Bytes of what stands before the word and its space, with a padded hour.
    pub(crate) fn clock_bytes(self) -> usize {
        if self.seconds { 8 } else { 5 }
    }
}

/// Parts of a timestamp. The date stands first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimestampPattern {
    /// The date, which has marks.
    pub date: DatePattern,
    /// Whether `T` stands between date and time; otherwise a space does.
    pub t: bool,
    /// Whether there are seconds.
    pub seconds: bool,
    /// Digits after the second, 0 to 9.
    pub fraction: u8,
    /// Whether zeros at the end of the fraction are left out, and the point with the last of them; `fraction`
    /// is then how many digits there are at most.
    pub trimmed: bool,
    /// What follows the time.
    pub zone: Zone,
}

/// What follows the time in a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Zone {
    /// Nothing.
    None,
    /// `Z`
    Z,
    /// A fixed offset.
    Offset {
        /// Minutes east of UTC.
        minutes: i16,
        /// How they are written.
        form: OffsetForm,
    },
}

/// How the offset of a zone is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetForm {
    /// `+02:00`
    Colon,
    /// `+0200`
    Digits,
    /// `+02`, where there are no minutes.
    Hours,
}
