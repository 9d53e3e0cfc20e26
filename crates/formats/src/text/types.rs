//! Provides the names of types, as a person writes them and as type maps hold them.

use crate::error::{Error, Result};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

use super::style::{ColumnTyping, Form, Style};

/// The name of the type whose 16 bytes are written as UUIDs.
pub(crate) const UUID: &str = "uuid";

/// The type of this name.
///
/// Names: `bool`, `int8` to `int64`, `uint8` to `uint64`, `float16` to `float64`, `text`, `large_text`,
/// `text_view`, `binary`, `large_binary`, `binary_view`, `fixed_binary[N]`, `uuid`, `date`, `date64`,
/// `time[UNIT]`, `timestamp[UNIT]`, `timestamp[UNIT, ZONE]`, `duration[UNIT]`,
/// `interval[year_month|day_time|month_day_nano]`, `decimal(P, S)`, `decimal32(P, S)` to `decimal256(P,
/// S)`, `null`. A unit is `s`, `ms`, `us` or `ns`; `time` and `timestamp` alone count microseconds. A plain
/// `decimal` is as narrow as its precision allows from 128 bits on. Nested types have no name. Names that
/// certificates and `inspect` give are known too, where they differ: `binary(N)`, `date[ms]`,
/// `interval[year-month]`.
///
/// # Errors
/// If there is no such type.
pub fn parse_type(name: &str) -> Result<DataType> {
    known(name.trim()).ok_or_else(|| {
        Error::Misuse(format!(
            "there is no type {name:?}; known are bool, int8..int64, uint8..uint64, float32, float64, \
             decimal(P,S), text, binary, uuid, date, time[UNIT], timestamp[UNIT], timestamp[UNIT, ZONE], \
             duration[UNIT]"
        ))
    })
}

fn known(name: &str) -> Option<DataType> {
    let (head, arguments) = match name.find(['[', '(']) {
        Some(at) => {
            let close = if name.as_bytes()[at] == b'[' { ']' } else { ')' };
            (name[..at].trim(), Some(name[at + 1..].strip_suffix(close)?))
        }
        None => (name, None),
    };
    match arguments {
        None => simple(head),
        Some(arguments) => parametrised(head, arguments),
    }
}

fn simple(name: &str) -> Option<DataType> {
    Some(match name {
        "null" => DataType::Null,
        "bool" | "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "text" | "utf8" | "string" => DataType::Utf8,
        "large_text" => DataType::LargeUtf8,
        "text_view" => DataType::Utf8View,
        "binary" => DataType::Binary,
        "large_binary" => DataType::LargeBinary,
        "binary_view" => DataType::BinaryView,
        UUID => DataType::FixedSizeBinary(16),
        "date" | "date32" => DataType::Date32,
        "date64" => DataType::Date64,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

fn parametrised(head: &str, arguments: &str) -> Option<DataType> {
    let (first, second) = match arguments.split_once(',') {
        Some((first, second)) => (first.trim(), Some(second.trim())),
        None => (arguments.trim(), None),
    };
    if let Some(bits) = head.strip_prefix("decimal") {
        let precision: u8 = first.parse().ok()?;
        let scale: i8 = second.unwrap_or("0").parse().ok()?;
        return decimal(bits, precision, scale);
    }
    Some(match (head, second) {
        ("fixed_binary" | "binary", None) => {
            DataType::FixedSizeBinary(first.parse().ok().filter(|&n: &i32| n >= 0)?)
        }
        ("date", None) if first == "ms" => DataType::Date64,
        ("time", None) => match unit(first)? {
            short @ (TimeUnit::Second | TimeUnit::Millisecond) => DataType::Time32(short),
            long => DataType::Time64(long),
        },
        ("timestamp", zone) => DataType::Timestamp(unit(first)?, zone.map(Into::into)),
        ("duration", None) => DataType::Duration(unit(first)?),
        ("interval", None) => DataType::Interval(match first.replace('-', "_").as_str() {
            "year_month" => IntervalUnit::YearMonth,
            "day_time" => IntervalUnit::DayTime,
            "month_day_nano" => IntervalUnit::MonthDayNano,
            _ => return None,
        }),
        _ => return None,
    })
}

fn decimal(bits: &str, precision: u8, scale: i8) -> Option<DataType> {
    let (max, data_type): (u8, fn(u8, i8) -> DataType) = match bits {
        "32" => (9, DataType::Decimal32),
        "64" => (18, DataType::Decimal64),
        "128" => (38, DataType::Decimal128),
        "256" => (76, DataType::Decimal256),
        "" if precision <= 38 => (38, DataType::Decimal128),
        "" => (76, DataType::Decimal256),
        _ => return None,
    };
    let fits = (1..=max).contains(&precision) && i16::from(scale) <= i16::from(precision) && scale >= -76;
    fits.then(|| data_type(precision, scale))
}

fn unit(name: &str) -> Option<TimeUnit> {
    Some(match name {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    })
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

impl ColumnTyping {
    /// The typing under which values of the type of this name are written, as of
    /// [`ColumnTyping::default_for`].
    ///
    /// # Errors
    /// As of [`parse_type`].
    pub fn named(name: &str) -> Result<ColumnTyping> {
        let typing = ColumnTyping::default_for(&parse_type(name)?)?;
        let form = if name.trim() == UUID { Form::Uuid } else { typing.style.form.clone() };
        Ok(ColumnTyping { style: Style::new(form), ..typing })
    }

    /// The name of its type, as of [`type_name`]; that of UUIDs where its text is that of such.
    pub fn type_name(&self) -> Option<String> {
        if self.style.form == Form::Uuid { Some(UUID.to_owned()) } else { type_name(&self.data_type) }
    }
}

/// What a message calls a type: its name, where it has one.
pub(crate) fn shown_type(data_type: &DataType) -> String {
    type_name(data_type).unwrap_or_else(|| data_type.to_string())
}

/// The name of a type; `None` if it is nested, a dictionary, or of runs.
pub fn type_name(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Null => "null".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Int8 => "int8".to_owned(),
        DataType::Int16 => "int16".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::UInt8 => "uint8".to_owned(),
        DataType::UInt16 => "uint16".to_owned(),
        DataType::UInt32 => "uint32".to_owned(),
        DataType::UInt64 => "uint64".to_owned(),
        DataType::Float16 => "float16".to_owned(),
        DataType::Float32 => "float32".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Utf8 => "text".to_owned(),
        DataType::LargeUtf8 => "large_text".to_owned(),
        DataType::Utf8View => "text_view".to_owned(),
        DataType::Binary => "binary".to_owned(),
        DataType::LargeBinary => "large_binary".to_owned(),
        DataType::BinaryView => "binary_view".to_owned(),
        DataType::FixedSizeBinary(width) => format!("fixed_binary[{width}]"),
        DataType::Date32 => "date".to_owned(),
        DataType::Date64 => "date64".to_owned(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("time[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, None) => format!("timestamp[{}]", unit_name(*unit)),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp[{}, {zone}]", unit_name(*unit)),
        DataType::Duration(unit) => format!("duration[{}]", unit_name(*unit)),
        DataType::Interval(IntervalUnit::YearMonth) => "interval[year_month]".to_owned(),
        DataType::Interval(IntervalUnit::DayTime) => "interval[day_time]".to_owned(),
        DataType::Interval(IntervalUnit::MonthDayNano) => "interval[month_day_nano]".to_owned(),
        DataType::Decimal32(p, s) => format!("decimal32({p}, {s})"),
        DataType::Decimal64(p, s) => format!("decimal64({p}, {s})"),
        DataType::Decimal128(p, s) => format!("decimal128({p}, {s})"),
        DataType::Decimal256(p, s) => format!("decimal256({p}, {s})"),
        _ => return None,
    })
}
