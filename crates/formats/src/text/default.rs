//! Provides the text of values whose type is already known, one style for every type that text can carry.

use super::parse::offset_of_zone;
use super::style::{ColumnTyping, DatePattern, FloatStyle, Form, OffsetForm, Style, TimestampPattern, Zone};
use crate::annotation;
use crate::carry::{type_told, union};
use crate::error::{Error, Place, Result};
use crate::limits::DEPTH_MAX;
use arrow_schema::{DataType, Field, TimeUnit};

/// How a date of milliseconds is written that is not at midnight.
pub(crate) const MILLISECONDS: TimestampPattern = TimestampPattern {
    date: DatePattern::YmdDash,
    t: true,
    seconds: true,
    fraction: 3,
    trimmed: false,
    zone: Zone::None,
};

impl ColumnTyping {
    /// The typing under which values of this type are written where no text of theirs is known. It is
    /// reversible: the text reads back as the same values.
    ///
    /// | type | text |
    /// |---|---|
    /// | integers | `-5` |
    /// | floating point | as Python's `repr` for their own width: `1.0`, `1e-05`, `nan`, `-inf` |
    /// | decimals | as many digits after the point as the scale |
    /// | booleans | `true`, `false` |
    /// | binary | `0x` and lower-case hexadecimal digits; UUIDs: [`ColumnTyping::default_of`] |
    /// | dates | `%Y-%m-%d`; a date of milliseconds that is not at midnight as a timestamp |
    /// | times | `%H:%M:%S` and the digits of the unit |
    /// | timestamps | `2020-01-31T23:59:59.000001`; a fixed offset local with `+02:00`; a named zone as `Z` |
    /// | durations | `PT1.500S` with the digits of the unit |
    /// | intervals | `P14M`; `P0M3DT1.500S`; each part with its sign |
    /// | dictionaries, runs | their values |
    /// | lists, structs, maps | JSON |
    ///
    /// # Errors
    /// If text cannot carry the type: a union, or nesting that is too deep.
    pub fn default_for(data_type: &DataType) -> Result<ColumnTyping> {
        check(data_type, 0)?;
        let style = Style::new(form(data_type));
        Ok(ColumnTyping::new(data_type.clone(), style, true))
    }
}

impl ColumnTyping {
    /// The same for the values of a column, which may be UUIDs: these have hyphens between their digits.
    ///
    /// # Errors
    /// As of [`ColumnTyping::default_for`].
    pub fn default_of(field: &Field) -> Result<ColumnTyping> {
        if annotation::is_uuid(field) {
            return Ok(ColumnTyping::new(field.data_type().clone(), Style::new(Form::Uuid), true));
        }
        ColumnTyping::default_for(field.data_type())
    }
}

fn form(data_type: &DataType) -> Form {
    match data_type {
        DataType::Null => Form::Empty,
        DataType::Boolean => Form::Bool { words: 0 },
        t if t.is_integer() => Form::Integer,
        t if t.is_floating() => Form::Float(FloatStyle::PYTHON),
        t if t.is_decimal() => Form::Decimal,
        DataType::Date32 | DataType::Date64 => Form::Date(DatePattern::YmdDash),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            Form::Time { seconds: true, fraction: unit_digits(*unit) }
        }
        DataType::Timestamp(unit, zone) => Form::Timestamp(TimestampPattern {
            date: DatePattern::YmdDash,
            t: true,
            seconds: true,
            fraction: unit_digits(*unit),
            trimmed: false,
            zone: zone.as_deref().map_or(Zone::None, default_zone),
        }),
        DataType::Duration(_) => Form::Duration,
        DataType::Interval(_) => Form::Interval,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Form::Binary
        }
        DataType::Dictionary(_, value) => form(value),
        DataType::RunEndEncoded(_, value) => form(value.data_type()),
        t if t.is_nested() => Form::Json,
        _ => Form::Text,
    }
}

/// How an instant in this zone is written: local time where the zone is a fixed offset, UTC where it has a
/// name and so needs the history of its offsets.
fn default_zone(zone: &str) -> Zone {
    match offset_of_zone(zone) {
        Some(minutes) if minutes != 0 => Zone::Offset { minutes, form: OffsetForm::Colon },
        _ => Zone::Z,
    }
}

/// Digits after the second that a unit stands for.
pub(crate) fn unit_digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn check(data_type: &DataType, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(Error::Limit {
            place: Box::new(Place::default()),
            what: "nesting of a type",
            max: DEPTH_MAX as u64,
            hint: "flatten the column".to_owned(),
        });
    }
    match data_type {
        DataType::Union(..) => Err(union(&type_told(data_type))?),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => check(item.data_type(), depth + 1),
        DataType::Struct(fields) => fields.iter().try_for_each(|f| check(f.data_type(), depth + 1)),
        DataType::Dictionary(_, value) => check(value, depth + 1),
        _ => Ok(()),
    }
}
