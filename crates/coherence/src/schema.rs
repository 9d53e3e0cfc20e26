//! Logical types and schemas: what a content digest binds besides the values.
//!
//! A logical type says what values mean (width, unit, zone, scale), never how a reader holds them: offset
//! width, dictionaries, views and nullability flags do not exist here.

use std::fmt;

/// Resolution of dates, times, timestamps and durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimeUnit {
    /// Days since 1970-01-01; for dates only.
    Day,
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

/// Layout of a calendar interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntervalUnit {
    /// Whole months, one 4-byte integer.
    YearMonth,
    /// Days and milliseconds, two 4-byte integers.
    DayTime,
    /// Months, days (4 bytes each) and nanoseconds (8 bytes).
    MonthDayNano,
}

/// What the values of a column mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// Every cell is null.
    Null,
    /// Truth values.
    Bool,
    /// Integers of 8, 16, 32 or 64 bits.
    Int {
        /// Width in bits.
        bits: u8,
        /// Two's complement when true.
        signed: bool,
    },
    /// IEEE 754 binary floating point of 16, 32 or 64 bits.
    Float {
        /// Width in bits.
        bits: u8,
    },
    /// Decimal fixed point: an integer times 10^-scale.
    Decimal {
        /// Greatest number of decimal digits, at most 76.
        precision: u8,
        /// Digits after the point; may be negative.
        scale: i8,
    },
    /// UTF-8 text.
    Utf8,
    /// Byte strings.
    Binary,
    /// Byte strings of one length.
    FixedBinary {
        /// Length in bytes.
        size: u32,
    },
    /// Calendar dates, since 1970-01-01.
    Date {
        /// [`TimeUnit::Day`] (4 bytes) or [`TimeUnit::Millisecond`] (8 bytes).
        unit: TimeUnit,
    },
    /// Time of day; 4 bytes for seconds and milliseconds, 8 for finer units.
    Time {
        /// Resolution.
        unit: TimeUnit,
    },
    /// Instants since 1970-01-01T00:00:00, in UTC when a zone is given and on a wall clock when not.
    Timestamp {
        /// Resolution.
        unit: TimeUnit,
        /// Zone name or offset as the source spells it.
        zone: Option<String>,
    },
    /// Elapsed time.
    Duration {
        /// Resolution.
        unit: TimeUnit,
    },
    /// Calendar intervals.
    Interval {
        /// Layout.
        unit: IntervalUnit,
    },
    /// Lists of any length.
    List(Box<LogicalType>),
    /// Lists of one length.
    FixedList {
        /// Items in each list.
        size: u32,
        /// Type of an item.
        item: Box<LogicalType>,
    },
    /// Named fields.
    Struct(Vec<Field>),
    /// Key-value pairs, in order.
    Map {
        /// Type of a key.
        key: Box<LogicalType>,
        /// Type of a value.
        value: Box<LogicalType>,
    },
}

/// A named type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Name, as the source spells it; may be empty.
    pub name: String,
    /// Type of the values.
    pub ty: LogicalType,
}

/// The columns of a table, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schema {
    /// Columns, in order.
    pub fields: Vec<Field>,
}

impl Field {
    /// A field of this name and type.
    pub fn new(name: impl Into<String>, ty: LogicalType) -> Self {
        Self { name: name.into(), ty }
    }
}

impl Schema {
    /// A schema of these columns.
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.fields.len()
    }

    /// The canonical serialisation that the root of a content digest binds; see `docs/content-digest.md`.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_fields(&mut out, &self.fields);
        out
    }
}

impl LogicalType {
    /// Bytes of one value in the content serialisation; `None` for types without one width.
    pub fn value_width(&self) -> Option<usize> {
        Some(match self {
            Self::Int { bits, .. } | Self::Float { bits } => usize::from(*bits) / 8,
            Self::Decimal { precision, .. } if *precision <= 38 => 16,
            Self::Decimal { .. } => 32,
            Self::FixedBinary { size } => usize::try_from(*size).ok()?,
            Self::Date { unit: TimeUnit::Day } => 4,
            Self::Time { unit: TimeUnit::Second | TimeUnit::Millisecond } => 4,
            Self::Date { .. } | Self::Time { .. } | Self::Timestamp { .. } | Self::Duration { .. } => 8,
            Self::Interval { unit: IntervalUnit::YearMonth } => 4,
            Self::Interval { unit: IntervalUnit::DayTime } => 8,
            Self::Interval { unit: IntervalUnit::MonthDayNano } => 16,
            _ => return None,
        })
    }

    /// Appends the canonical serialisation: one tag byte, then the parameters.
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Bool => out.push(1),
            Self::Int { bits, signed } => out.extend([2, *bits, u8::from(*signed)]),
            Self::Float { bits } => out.extend([3, *bits]),
            Self::Decimal { precision, scale } => {
                out.extend([4, *precision]);
                out.extend(scale.to_le_bytes());
            }
            Self::Utf8 => out.push(5),
            Self::Binary => out.push(6),
            Self::FixedBinary { size } => {
                out.push(7);
                out.extend(size.to_le_bytes());
            }
            Self::Date { unit } => out.extend([8, unit.tag()]),
            Self::Time { unit } => out.extend([9, unit.tag()]),
            Self::Timestamp { unit, zone } => {
                out.extend([10, unit.tag(), u8::from(zone.is_some())]);
                if let Some(zone) = zone {
                    put_text(out, zone);
                }
            }
            Self::Duration { unit } => out.extend([11, unit.tag()]),
            Self::Interval { unit } => out.extend([12, unit.tag()]),
            Self::List(item) => {
                out.push(13);
                item.put(out);
            }
            Self::FixedList { size, item } => {
                out.push(14);
                out.extend(size.to_le_bytes());
                item.put(out);
            }
            Self::Struct(fields) => {
                out.push(15);
                put_fields(out, fields);
            }
            Self::Map { key, value } => {
                out.push(16);
                key.put(out);
                value.put(out);
            }
        }
    }
}

impl TimeUnit {
    fn tag(self) -> u8 {
        match self {
            Self::Day => 0,
            Self::Second => 1,
            Self::Millisecond => 2,
            Self::Microsecond => 3,
            Self::Nanosecond => 4,
        }
    }
}

impl IntervalUnit {
    fn tag(self) -> u8 {
        match self {
            Self::YearMonth => 0,
            Self::DayTime => 1,
            Self::MonthDayNano => 2,
        }
    }
}

/// Appends the length in bytes as an unsigned 64-bit little-endian integer, then the text.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_fields(out: &mut Vec<u8>, fields: &[Field]) {
    out.extend((fields.len() as u64).to_le_bytes());
    for field in fields {
        put_text(out, &field.name);
        field.ty.put(out);
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "d",
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        })
    }
}

impl fmt::Display for IntervalUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::YearMonth => "year-month",
            Self::DayTime => "day-time",
            Self::MonthDayNano => "month-day-nano",
        })
    }
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int { bits, signed: true } => write!(f, "int{bits}"),
            Self::Int { bits, signed: false } => write!(f, "uint{bits}"),
            Self::Float { bits } => write!(f, "float{bits}"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            Self::Utf8 => f.write_str("text"),
            Self::Binary => f.write_str("binary"),
            Self::FixedBinary { size } => write!(f, "binary({size})"),
            Self::Date { unit: TimeUnit::Day } => f.write_str("date"),
            Self::Date { unit } => write!(f, "date[{unit}]"),
            Self::Time { unit } => write!(f, "time[{unit}]"),
            Self::Timestamp { unit, zone: None } => write!(f, "timestamp[{unit}]"),
            Self::Timestamp { unit, zone: Some(zone) } => write!(f, "timestamp[{unit}, {zone}]"),
            Self::Duration { unit } => write!(f, "duration[{unit}]"),
            Self::Interval { unit } => write!(f, "interval[{unit}]"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::FixedList { size, item } => write!(f, "list<{item}>[{size}]"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{field}")?;
                }
                f.write_str(">")
            }
            Self::Map { key, value } => write!(f, "map<{key}, {value}>"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}
