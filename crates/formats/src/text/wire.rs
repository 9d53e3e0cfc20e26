//! Provides the JSON form of typings, which type maps and metadata of targets hold.
//!
//! ```json
//! {"type":"int64","style":{"form":"integer","null":"NA"},"reversible":true}
//! ```
//!
//! Absent members have their default: an empty field is null, a point is the decimal mark, nothing is
//! lenient. Unknown ones are refused. `"exceptions":[[9,"1e3"]]` lists rows, counted from 0, whose text
//! differs. A type is its name (see [`super::parse_type`]), or an object with one member: `list`,
//! `large_list`, `list_view`, `large_list_view` (a field), `fixed_list` (`{"item":field,"width":2}`),
//! `struct` (fields), `map` (`{"entries":field,"sorted":false}`), `dictionary`
//! (`{"key":type,"value":type}`), `runs` (`{"ends":field,"values":field}`). That of a field of UUIDs is
//! `uuid`.

use super::style::{
    Ambiguous, BOOL_WORDS, ColumnTyping, DatePattern, Exponent, FloatStyle, Form, HalfDayPattern, Mark,
    Scientific, Style, TimestampPattern, Zone,
};
use super::types::UUID;
use super::written::WrittenJson;
use super::{Exceptions, GivenPattern, datetime, parse_type, type_name};
use crate::annotation::{Annotation, is_uuid};
use crate::error::{Error, Place, Result};
use arrow_schema::{DataType, Field, FieldRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TypingJson {
    #[serde(rename = "type")]
    data_type: TypeJson,
    style: StyleJson,
    reversible: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TypeJson {
    Name(String),
    Nested(NestedJson),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum NestedJson {
    List(Box<FieldJson>),
    LargeList(Box<FieldJson>),
    ListView(Box<FieldJson>),
    LargeListView(Box<FieldJson>),
    FixedList { item: Box<FieldJson>, width: i32 },
    Struct(Vec<FieldJson>),
    Map { entries: Box<FieldJson>, sorted: bool },
    Dictionary { key: Box<TypeJson>, value: Box<TypeJson> },
    Runs { ends: Box<FieldJson>, values: Box<FieldJson> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldJson {
    name: String,
    #[serde(rename = "type")]
    data_type: TypeJson,
    nullable: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StyleJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    null: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also_null: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    decimal_comma: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bare_mark: bool,
    #[serde(default, skip_serializing_if = "Exceptions::are_none")]
    exceptions: Exceptions,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lenient: bool,
    form: FormJson,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FormJson {
    Empty,
    Text,
    /// With slashes; the next in another pattern with the day first.
    AmbiguousDate,
    AmbiguousDateOf(String),
    AmbiguousTimestamp(TimestampJson),
    AmbiguousWritten(WrittenJson),
    Bool {
        yes: String,
        no: String,
    },
    Integer,
    Decimal,
    Float {
        point_zero: bool,
        exponent: ExponentJson,
        nan: String,
        infinity: String,
    },
    Date(String),
    Time {
        /// Left out where there are some.
        #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
        seconds: bool,
        fraction: u8,
    },
    HalfDay {
        seconds: bool,
        padded: bool,
        space: bool,
        upper: bool,
    },
    Timestamp(TimestampJson),
    Written(WrittenJson),
    Given(String),
    Duration,
    Interval,
    Binary,
    Uuid,
    Json,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct TimestampJson {
    /// Of its date, if that is not as in ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    separator: String,
    seconds: bool,
    fraction: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    trimmed: bool,
    zone: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExponentJson {
    Python,
    JavaScript,
    Short,
    Plain,
    Java,
    R,
    DotNet,
    Always,
    Scientific {
        digits: u8,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        upper: bool,
    },
}

impl ColumnTyping {
    /// The JSON form, which tells nothing of names.
    ///
    /// # Errors
    /// If JSON has no form for the type: a union.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        let wire = TypingJson {
            data_type: type_to_wire(&self.data_type)?,
            style: style_to_wire(&self.style)?,
            reversible: self.reversible,
        };
        serde_json::to_value(wire).map_err(|error| Error::Bug(format!("typing has no JSON: {error}")))
    }

    /// The typing of this JSON form.
    ///
    /// # Errors
    /// If a member is missing, unknown or wrong, or a style that reads more texts than it writes is said to
    /// give back every text.
    pub fn from_json(json: &serde_json::Value) -> Result<Self> {
        let wire = TypingJson::deserialize(json).map_err(|error| wrong(error.to_string()))?;
        let data_type = type_from_wire(&wire.data_type)?;
        let style = style_from_wire(wire.style)?;
        if wire.reversible && !style.is_strict() {
            return Err(wrong("a style that reads more texts than it writes is not reversible"));
        }
        Ok(ColumnTyping::new(data_type, style, wire.reversible))
    }
}

fn wrong(what: impl Into<String>) -> Error {
    Error::malformed("type map", Place::default(), what)
}

fn field_to_wire(field: &Field) -> Result<Box<FieldJson>> {
    Ok(Box::new(FieldJson {
        name: field.name().clone(),
        data_type: match is_uuid(field) {
            true => TypeJson::Name(UUID.to_owned()),
            false => type_to_wire(field.data_type())?,
        },
        nullable: field.is_nullable(),
    }))
}

fn type_to_wire(data_type: &DataType) -> Result<TypeJson> {
    let nested = match data_type {
        DataType::List(item) => NestedJson::List(field_to_wire(item)?),
        DataType::LargeList(item) => NestedJson::LargeList(field_to_wire(item)?),
        DataType::ListView(item) => NestedJson::ListView(field_to_wire(item)?),
        DataType::LargeListView(item) => NestedJson::LargeListView(field_to_wire(item)?),
        DataType::FixedSizeList(item, width) => {
            NestedJson::FixedList { item: field_to_wire(item)?, width: *width }
        }
        DataType::Struct(fields) => {
            NestedJson::Struct(fields.iter().map(|f| field_to_wire(f).map(|f| *f)).collect::<Result<_>>()?)
        }
        DataType::Map(entries, sorted) => {
            NestedJson::Map { entries: field_to_wire(entries)?, sorted: *sorted }
        }
        DataType::Dictionary(key, value) => NestedJson::Dictionary {
            key: Box::new(type_to_wire(key)?),
            value: Box::new(type_to_wire(value)?),
        },
        DataType::RunEndEncoded(ends, values) => {
            NestedJson::Runs { ends: field_to_wire(ends)?, values: field_to_wire(values)? }
        }
        flat => {
            let name = type_name(flat)
                .ok_or_else(|| Error::Misuse(format!("type {flat} has no form in a type map")))?;
            return Ok(TypeJson::Name(name));
        }
    };
    Ok(TypeJson::Nested(nested))
}

fn field_from_wire(wire: &FieldJson) -> Result<FieldRef> {
    let field = Field::new(&wire.name, type_from_wire(&wire.data_type)?, wire.nullable);
    let is_uuid = matches!(&wire.data_type, TypeJson::Name(name) if name == UUID);
    Ok(Arc::new(if is_uuid { Annotation::Uuid.tell(field) } else { field }))
}

fn type_from_wire(wire: &TypeJson) -> Result<DataType> {
    let nested = match wire {
        TypeJson::Name(name) => return parse_type(name).map_err(|error| wrong(error.to_string())),
        TypeJson::Nested(nested) => nested,
    };
    Ok(match nested {
        NestedJson::List(item) => DataType::List(field_from_wire(item)?),
        NestedJson::LargeList(item) => DataType::LargeList(field_from_wire(item)?),
        NestedJson::ListView(item) => DataType::ListView(field_from_wire(item)?),
        NestedJson::LargeListView(item) => DataType::LargeListView(field_from_wire(item)?),
        NestedJson::FixedList { item, width } => DataType::FixedSizeList(field_from_wire(item)?, *width),
        NestedJson::Struct(fields) => {
            DataType::Struct(fields.iter().map(field_from_wire).collect::<Result<Vec<_>>>()?.into())
        }
        NestedJson::Map { entries, sorted } => DataType::Map(field_from_wire(entries)?, *sorted),
        NestedJson::Dictionary { key, value } => {
            DataType::Dictionary(Box::new(type_from_wire(key)?), Box::new(type_from_wire(value)?))
        }
        NestedJson::Runs { ends, values } => {
            DataType::RunEndEncoded(field_from_wire(ends)?, field_from_wire(values)?)
        }
    })
}

fn style_to_wire(style: &Style) -> Result<StyleJson> {
    Ok(StyleJson {
        null: style.null.clone(),
        also_null: style.also_null.clone(),
        refused: style.refused.clone(),
        decimal_comma: style.mark == Mark::Comma,
        bare_mark: style.bare_mark,
        exceptions: style.exceptions.clone(),
        lenient: style.lenient,
        form: form_to_wire(&style.form)?,
    })
}

fn style_from_wire(wire: StyleJson) -> Result<Style> {
    Ok(Style {
        null: wire.null,
        also_null: wire.also_null,
        refused: wire.refused,
        mark: if wire.decimal_comma { Mark::Comma } else { Mark::Point },
        bare_mark: wire.bare_mark,
        exceptions: wire.exceptions,
        lenient: wire.lenient,
        form: form_from_wire(wire.form)?,
    })
}

fn form_to_wire(form: &Form) -> Result<FormJson> {
    Ok(match form {
        Form::Empty => FormJson::Empty,
        Form::Text => FormJson::Text,
        Form::Ambiguous(Ambiguous::Date(DatePattern::DmySlash)) => FormJson::AmbiguousDate,
        Form::Ambiguous(Ambiguous::Date(pattern)) => FormJson::AmbiguousDateOf(pattern.as_str().to_owned()),
        Form::Ambiguous(Ambiguous::Timestamp(pattern)) => {
            FormJson::AmbiguousTimestamp(timestamp_to_wire(*pattern))
        }
        &Form::Ambiguous(Ambiguous::Written(pattern)) => FormJson::AmbiguousWritten(pattern.into()),
        Form::Bool { words } => {
            let (yes, no) = BOOL_WORDS.get(*words).ok_or_else(|| wrong("no such words of a boolean"))?;
            FormJson::Bool { yes: (*yes).to_owned(), no: (*no).to_owned() }
        }
        Form::Integer => FormJson::Integer,
        Form::Decimal => FormJson::Decimal,
        Form::Float(style) => FormJson::Float {
            point_zero: style.point_zero,
            exponent: match style.exponent {
                Exponent::Python => ExponentJson::Python,
                Exponent::JavaScript => ExponentJson::JavaScript,
                Exponent::Short => ExponentJson::Short,
                Exponent::Plain => ExponentJson::Plain,
                Exponent::Java => ExponentJson::Java,
                Exponent::R => ExponentJson::R,
                Exponent::DotNet => ExponentJson::DotNet,
                Exponent::Always => ExponentJson::Always,
                Exponent::Scientific(Scientific { digits, upper }) => {
                    ExponentJson::Scientific { digits, upper }
                }
            },
            nan: word(&FloatStyle::NAN_WORDS, style.nan)?,
            infinity: word(&FloatStyle::INFINITY_WORDS, style.infinity)?,
        },
        Form::Date(pattern) => FormJson::Date(pattern.as_str().to_owned()),
        &Form::Time { seconds, fraction } => FormJson::Time { seconds, fraction },
        &Form::HalfDay(HalfDayPattern { seconds, padded, space, upper }) => {
            FormJson::HalfDay { seconds, padded, space, upper }
        }
        Form::Timestamp(pattern) => FormJson::Timestamp(timestamp_to_wire(*pattern)),
        &Form::Written(pattern) => FormJson::Written(pattern.into()),
        Form::Given(pattern) => FormJson::Given(pattern.as_str().to_owned()),
        Form::Duration => FormJson::Duration,
        Form::Interval => FormJson::Interval,
        Form::Binary => FormJson::Binary,
        Form::Uuid => FormJson::Uuid,
        Form::Json => FormJson::Json,
    })
}

fn timestamp_to_wire(pattern: TimestampPattern) -> TimestampJson {
    TimestampJson {
        date: (pattern.date != DatePattern::YmdDash).then(|| pattern.date.as_str().to_owned()),
        separator: if pattern.t { "T" } else { " " }.to_owned(),
        seconds: pattern.seconds,
        fraction: pattern.fraction,
        trimmed: pattern.trimmed,
        zone: zone_text(pattern.zone),
    }
}

fn timestamp_from_wire(wire: TimestampJson) -> Result<TimestampPattern> {
    let TimestampJson { date, separator, seconds, fraction, trimmed, zone } = wire;
    let date = match date {
        None => DatePattern::YmdDash,
        Some(text) => match date_pattern(&text)? {
            DatePattern::Compact => return Err(wrong("no timestamp has a date without marks")),
            pattern => pattern,
        },
    };
    let t = match separator.as_str() {
        "T" => true,
        " " => false,
        other => return Err(wrong(format!("no timestamp has {other:?} before its time"))),
    };
    if trimmed && !seconds {
        return Err(wrong("no timestamp without seconds has digits of one"));
    }
    let (fraction, zone) = (at_most_nine(fraction)?, zone_of(&zone)?);
    Ok(TimestampPattern { date, t, seconds, fraction, trimmed, zone })
}

fn date_pattern(text: &str) -> Result<DatePattern> {
    let pattern = DatePattern::ALL.into_iter().find(|pattern| pattern.as_str() == text);
    pattern.ok_or_else(|| wrong(format!("no date pattern {text:?}")))
}

fn form_from_wire(wire: FormJson) -> Result<Form> {
    Ok(match wire {
        FormJson::Empty => Form::Empty,
        FormJson::Text => Form::Text,
        FormJson::AmbiguousDate => Form::Ambiguous(Ambiguous::Date(DatePattern::DmySlash)),
        FormJson::AmbiguousDateOf(text) => match date_pattern(&text)? {
            pattern if pattern.month_first().is_some() => Form::Ambiguous(Ambiguous::Date(pattern)),
            _ => return Err(wrong(format!("dates of pattern {text:?} have one order"))),
        },
        FormJson::AmbiguousTimestamp(timestamp) => {
            Form::Ambiguous(Ambiguous::Timestamp(timestamp_from_wire(timestamp)?))
        }
        FormJson::AmbiguousWritten(written) => match written.pattern().map_err(wrong)? {
            pattern if pattern.date.month_first().is_some() => Form::Ambiguous(Ambiguous::Written(pattern)),
            pattern => {
                return Err(wrong(format!("dates of pattern {:?} have one order", pattern.date_notation())));
            }
        },
        FormJson::Bool { yes, no } => {
            let words = BOOL_WORDS.iter().position(|words| *words == (&yes, &no));
            Form::Bool { words: words.ok_or_else(|| wrong(format!("no boolean is {yes:?} or {no:?}")))? }
        }
        FormJson::Integer => Form::Integer,
        FormJson::Decimal => Form::Decimal,
        FormJson::Float { point_zero, exponent, nan, infinity } => Form::Float(FloatStyle {
            point_zero,
            exponent: match exponent {
                ExponentJson::Python => Exponent::Python,
                ExponentJson::JavaScript => Exponent::JavaScript,
                ExponentJson::Short => Exponent::Short,
                ExponentJson::Plain => Exponent::Plain,
                ExponentJson::Java => Exponent::Java,
                ExponentJson::R => Exponent::R,
                ExponentJson::DotNet => Exponent::DotNet,
                ExponentJson::Always => Exponent::Always,
                ExponentJson::Scientific { digits, .. } if digits > Scientific::DIGITS_MAX => {
                    return Err(wrong(format!("no number has {digits} digits after its mark")));
                }
                ExponentJson::Scientific { digits, upper } => {
                    Exponent::Scientific(Scientific { digits, upper })
                }
            },
            nan: position(&FloatStyle::NAN_WORDS, &nan)?,
            infinity: position(&FloatStyle::INFINITY_WORDS, &infinity)?,
        }),
        FormJson::Date(text) => Form::Date(date_pattern(&text)?),
        FormJson::Time { seconds: false, fraction: 1.. } => {
            return Err(wrong("no time without seconds has digits of one"));
        }
        FormJson::Time { seconds, fraction } => Form::Time { seconds, fraction: at_most_nine(fraction)? },
        FormJson::HalfDay { seconds, padded, space, upper } => {
            Form::HalfDay(HalfDayPattern { seconds, padded, space, upper })
        }
        FormJson::Timestamp(timestamp) => Form::Timestamp(timestamp_from_wire(timestamp)?),
        FormJson::Written(written) => Form::Written(written.pattern().map_err(wrong)?),
        FormJson::Given(notation) => Form::Given(GivenPattern::parse(&notation).map_err(wrong)?),
        FormJson::Duration => Form::Duration,
        FormJson::Interval => Form::Interval,
        FormJson::Binary => Form::Binary,
        FormJson::Uuid => Form::Uuid,
        FormJson::Json => Form::Json,
    })
}

/// What a member stands for that is left out.
fn yes() -> bool {
    true
}

fn word(words: &[&str], index: usize) -> Result<String> {
    words.get(index).map(|&word| word.to_owned()).ok_or_else(|| wrong("no such word of a number"))
}

fn position(words: &[&str], word: &str) -> Result<usize> {
    words.iter().position(|&known| known == word).ok_or_else(|| wrong(format!("no number is {word:?}")))
}

fn at_most_nine(digits: u8) -> Result<u8> {
    if digits <= 9 { Ok(digits) } else { Err(wrong(format!("{digits} digits of a second"))) }
}

fn zone_text(zone: Zone) -> String {
    let mut text = Vec::new();
    match zone {
        Zone::None => {}
        Zone::Z => text.push(b'Z'),
        Zone::Offset { minutes, form } => datetime::write_offset(minutes, form, &mut text),
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn zone_of(text: &str) -> Result<Zone> {
    match text {
        "" => Ok(Zone::None),
        "Z" => Ok(Zone::Z),
        _ => datetime::read_offset(text.as_bytes())
            .map(|(minutes, form)| Zone::Offset { minutes, form })
            .ok_or_else(|| wrong(format!("no offset {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_more_texts_than_it_writes_is_not_reversible() {
        for more in [("lenient", serde_json::json!(true)), ("also_null", serde_json::json!(["NA"]))] {
            let mut json = serde_json::json!({"type": "int64", "style": {"form": "integer"}});
            json["style"][more.0] = more.1;
            for reversible in [true, false] {
                json["reversible"] = reversible.into();
                assert_eq!(ColumnTyping::from_json(&json).is_err(), reversible, "{json}");
            }
        }
    }

    #[test]
    fn unknown_members_are_refused() {
        let good = serde_json::json!({"type": "int64", "style": {"form": "integer"}, "reversible": true});
        assert!(ColumnTyping::from_json(&good).is_ok());
        for (pointer, name) in [("", "colour"), ("/style", "Null")] {
            let mut bad = good.clone();
            bad.pointer_mut(pointer).unwrap()[name] = "x".into();
            assert!(ColumnTyping::from_json(&bad).is_err(), "{bad}");
        }
        for form in [
            "{\"time\":{\"fraction\":10}}",
            "{\"time\":{\"seconds\":false,\"fraction\":1}}",
            "{\"date\":\"%y\"}",
            "\"number\"",
            "{\"bool\":{\"yes\":\"1\",\"no\":\"f\"}}",
            "{\"written\":{\"date\":\"%-d/%m/%Y\"}}",
            "{\"written\":{\"date\":\"%-d/%-m/%Y\",\"zone\":\"Z\"}}",
            "{\"written\":{\"date\":\"%Y-%-m-%-d\",\"clock\":{\"day\":{\"padded\":true}}}}",
            "{\"ambiguous_written\":{\"date\":\"%-d.%-m.%Y\"}}",
        ] {
            let mut bad = good.clone();
            bad["style"]["form"] = serde_json::from_str(form).unwrap();
            assert!(ColumnTyping::from_json(&bad).is_err(), "{bad}");
        }
    }
}
