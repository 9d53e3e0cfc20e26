//! Provides the typings of a whole table, of any kind of text, and their record in certificates and in the
//! metadata of targets that hold types.

use arrow_schema::{Field, Schema, SchemaRef};
use coherence::certificate::ColumnStyle;
use coherence::statement::Style;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

use crate::annotation::{bare, spelled};
use crate::error::{Error, Result};
use crate::jsonl;
use crate::text::ColumnTyping;

mod rows;

pub use rows::{moved_styles, normal_styles, rows_of_styles};

/// Key of a target's metadata under which the styles of its text source are kept, so that converting back
/// gives the same text.
pub const STYLES_KEY: &str = "isoform.styles";

/// Members of a column's style: how it stands in delimited text, and in JSON.
const FIELD: &str = "field";
const JSON: &str = "json";

/// Member of a column's style: what the header of delimited text said, where the column has another name.
const SOURCE_NAME: &str = "sourceName";

/// How the columns of a table stand in text.
#[derive(Debug, Clone, PartialEq)]
pub enum Typings {
    /// The format holds types itself, and no text is known.
    Native,
    /// As fields of delimited text.
    Fields(Vec<ColumnTyping>),
    /// As values of JSON.
    Json(Vec<jsonl::Typing>),
    /// As fields and as values of JSON: a text of one kind that was made from one of the other.
    Both(Vec<ColumnTyping>, Vec<jsonl::Typing>),
}

impl Typings {
    /// The typings of these columns, in this order; of none that it does not have.
    #[must_use]
    pub fn project(&self, columns: &[usize]) -> Self {
        match self {
            Typings::Native => Typings::Native,
            Typings::Fields(all) => Typings::Fields(picked(all, columns)),
            Typings::Json(all) => Typings::Json(picked(all, columns)),
            Typings::Both(fields, json) => Typings::Both(picked(fields, columns), picked(json, columns)),
        }
    }

    /// Styles for delimited text under this schema: those that are known, or the defaults.
    pub fn fields(&self, schema: &Schema) -> Result<Vec<ColumnTyping>> {
        match self {
            Typings::Fields(typings) | Typings::Both(typings, _) if fits(typings, schema) => {
                Ok(typings.clone())
            }
            _ => schema.fields().iter().map(|field| ColumnTyping::default_of(field)).collect(),
        }
    }

    /// Styles for JSON under this schema: those that are known, or the defaults.
    pub fn json(&self, schema: &Schema) -> Vec<jsonl::Typing> {
        match self {
            Typings::Json(typings) | Typings::Both(_, typings) if is_as_wide(typings, schema) => {
                typings.clone()
            }
            _ => jsonl::Typing::of_schema(schema),
        }
    }

    /// What the header of delimited text said of each column that has another name, where that is known.
    pub fn source_names(&self) -> Vec<Option<&str>> {
        match self {
            Typings::Fields(typings) | Typings::Both(typings, _) => {
                typings.iter().map(|typing| typing.source_name.as_deref()).collect()
            }
            Typings::Native | Typings::Json(_) => Vec::new(),
        }
    }

    /// One record for each column of this schema.
    pub fn styles(&self, schema: &Schema) -> Result<Vec<ColumnStyle>> {
        let style = |(index, field): (usize, &Arc<Field>)| {
            let mut style = Map::new();
            let mut reversible = true;
            match self {
                Typings::Native => {}
                Typings::Fields(typings) => {
                    insert_field(&mut style, &typings[index])?;
                    reversible = typings[index].reversible;
                }
                Typings::Json(typings) => {
                    style.insert(JSON.into(), json_typing(&typings[index])?);
                    // UUIDs are those that stand as such in JSON, which they did not always.
                    let plain = Field::new(field.name(), bare(field.data_type()), true);
                    let told = typings[index].told(&Arc::new(plain));
                    style.insert(FIELD.into(), ColumnTyping::default_of(&told)?.to_json()?);
                    reversible = typings[index].is_reversible();
                }
                Typings::Both(fields, json) => {
                    insert_field(&mut style, &fields[index])?;
                    style.insert(JSON.into(), json_typing(&json[index])?);
                    reversible = fields[index].reversible && json[index].is_reversible();
                }
            }
            Ok(ColumnStyle { style: style.into(), reversible })
        };
        schema.fields().iter().enumerate().map(style).collect()
    }

    /// The records of a target that is text: its own, and those of its source where that is text of another
    /// kind, which spells some values in ways that the target's has no place for.
    pub fn styles_from(&self, source: &Typings, schema: &Schema) -> Result<Vec<ColumnStyle>> {
        let mut styles = self.styles(schema)?;
        match (self, source) {
            (Typings::Json(_), Typings::Fields(typings) | Typings::Both(typings, _))
                if fits(typings, schema) =>
            {
                for (column, typing) in styles.iter_mut().zip(typings) {
                    let mut members = column.style.members();
                    insert_field(&mut members, typing)?;
                    column.style = members.into();
                }
            }
            (Typings::Fields(_), Typings::Json(typings) | Typings::Both(_, typings))
                if is_as_wide(typings, schema) =>
            {
                for (column, typing) in styles.iter_mut().zip(typings) {
                    let mut members = column.style.members();
                    members.insert(JSON.into(), json_typing(typing)?);
                    column.style = members.into();
                }
            }
            _ => {}
        }
        Ok(styles)
    }

    /// The schema and typings that records of columns describe, as JSON or as fields of delimited text.
    ///
    /// # Errors
    /// Records that are none, or not of this kind.
    pub fn recorded(names: &[String], styles: &[Style], as_json: bool) -> Result<(SchemaRef, Self)> {
        let (schema, fields) = fields_of(names, styles)?;
        let typings = if as_json { Typings::Json(json_of(styles)?) } else { Typings::Fields(fields) };
        Ok((schema, typings))
    }

    /// The same of a text that may have been made from one of the other kind: as fields, and as JSON too
    /// where that is recorded.
    ///
    /// # Errors
    /// Records that are none.
    pub fn recorded_all(names: &[String], styles: &[Style]) -> Result<(SchemaRef, Self)> {
        let (schema, fields) = fields_of(names, styles)?;
        let typings = match styles.iter().any(|style| style.get(JSON).is_some()) {
            true => Typings::Both(fields, json_of(styles)?),
            false => Typings::Fields(fields),
        };
        Ok((schema, typings))
    }

    /// The entry for a target's metadata; `None` where there is nothing to keep.
    pub fn record(&self, schema: &Schema) -> Result<Option<String>> {
        if *self == Typings::Native {
            return Ok(None);
        }
        Ok(Some(format!("{{\"version\":1,\"columns\":{}}}", text_of(&self.styles(schema)?))))
    }

    /// The typings that a target's metadata keep, if they are there and still fit its columns. The entry is
    /// advice about spelling, so one that is broken is passed over.
    pub fn of_metadata(schema: &Schema) -> Self {
        let record = schema.metadata().get(STYLES_KEY).and_then(|text| crate::carry::nested_json(text).ok());
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let found = record.filter(|record: &Record| record.columns.len() == names.len());
        let found = found.and_then(|record| Typings::recorded_all(&names, &record.columns).ok());
        match found {
            Some((recorded, typings)) if same_types(&recorded, schema) => typings,
            _ => Typings::Native,
        }
    }
}

/// What is read of the entry for a target's metadata.
#[derive(Deserialize)]
struct Record {
    columns: Vec<Style>,
}

/// The records of columns as one array of JSON.
pub fn text_of(styles: &[ColumnStyle]) -> String {
    let length: usize = styles.iter().map(|column| column.style.as_str().len() + 1).sum();
    let mut text = String::with_capacity(length + 2);
    for (index, column) in styles.iter().enumerate() {
        text.push(if index == 0 { '[' } else { ',' });
        text.push_str(column.style.as_str());
    }
    text.push_str(if styles.is_empty() { "[]" } else { "]" });
    text
}

/// Records how a column stands in delimited text.
fn insert_field(style: &mut Map<String, Value>, typing: &ColumnTyping) -> Result<()> {
    style.insert(FIELD.into(), typing.to_json()?);
    style.extend(typing.source_name.iter().map(|name| (SOURCE_NAME.to_owned(), json!(name))));
    Ok(())
}

/// The schema and the typings of fields that records describe.
fn fields_of(names: &[String], styles: &[Style]) -> Result<(SchemaRef, Vec<ColumnTyping>)> {
    let field = |style: &Style| {
        let style = style.members();
        let typing = ColumnTyping::from_json(style.get(FIELD).ok_or_else(no_text)?)?;
        let source_name = match style.get(SOURCE_NAME) {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(no_text()),
        };
        Ok(ColumnTyping { source_name, ..typing })
    };
    let fields = styles.iter().map(field).collect::<Result<Vec<_>>>()?;
    let columns = names.iter().zip(&fields).map(|(name, typing)| typing.field(name));
    Ok((Arc::new(Schema::new(columns.collect::<Vec<_>>())), fields))
}

/// The typings of values of JSON that records describe.
fn json_of(styles: &[Style]) -> Result<Vec<jsonl::Typing>> {
    let json = styles.iter().map(|style| {
        let typing = style.get(JSON).ok_or_else(no_text)?;
        serde_json::from_value(typing).map_err(|_| no_text())
    });
    json.collect()
}

fn no_text() -> Error {
    Error::Misuse("the recorded styles of columns are not those of a text".into())
}

/// Those at these places, in this order.
fn picked<T: Clone>(all: &[T], places: &[usize]) -> Vec<T> {
    places.iter().filter_map(|at| all.get(*at).cloned()).collect()
}

fn json_typing(typing: &jsonl::Typing) -> Result<Value> {
    serde_json::to_value(typing).map_err(|error| Error::Bug(format!("a typing without JSON: {error}")))
}

fn fits(typings: &[ColumnTyping], schema: &Schema) -> bool {
    let types = schema.fields().iter().map(|field| field.data_type());
    typings.len() == schema.fields().len()
        && typings.iter().zip(types).all(|(typing, ty)| spelled(&typing.data_type) == spelled(ty))
}

fn is_as_wide(typings: &[jsonl::Typing], schema: &Schema) -> bool {
    typings.len() == schema.fields().len()
}

fn same_types(left: &Schema, right: &Schema) -> bool {
    let pairs = left.fields().iter().zip(right.fields());
    left.fields().len() == right.fields().len()
        && pairs.into_iter().all(|(a, b)| spelled(a.data_type()) == spelled(b.data_type()))
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;

    use super::*;
    use crate::annotation::Annotation;
    use crate::jsonl::Absence;
    use crate::text::{DatePattern, Form};

    /// A column of days, with styles for both kinds of text that are not the usual ones.
    fn days() -> (Schema, ColumnTyping, jsonl::Typing) {
        let schema = Schema::new(vec![Field::new("day", DataType::Date32, true)]);
        let mut field = ColumnTyping::default_for(&DataType::Date32).unwrap();
        field.style.form = Form::Date(DatePattern::DmySlash);
        field.source_name = Some("".into());
        let json = jsonl::Typing { absence: Absence::Missing, ..jsonl::Typing::of(&DataType::Date32) };
        (schema, field, json)
    }

    #[test]
    fn styles_of_both_kinds_of_text_are_kept() {
        let (schema, field, json) = days();
        let both = Typings::Both(vec![field.clone()], vec![json.clone()]);
        let record = both.record(&schema).unwrap().unwrap();
        let kept = schema.clone().with_metadata([(STYLES_KEY.to_owned(), record)].into());
        assert_eq!(Typings::of_metadata(&kept), both);
        assert_eq!(both.fields(&schema).unwrap(), std::slice::from_ref(&field));
        assert_eq!(both.json(&schema), [json]);
    }

    #[test]
    fn bytes_stand_in_fields_as_they_are_told_to_stand_in_json() {
        let uuid = Annotation::Uuid.tell(Field::new("u", DataType::FixedSizeBinary(16), true));
        let schema = Schema::new(vec![uuid]);
        for (style, form) in [(jsonl::Style::Uuid, "uuid"), (jsonl::Style::Plain, "binary")] {
            let typing = jsonl::Typing { style, ..jsonl::Typing::of(&DataType::FixedSizeBinary(16)) };
            let styles = Typings::Json(vec![typing]).styles(&schema).unwrap();
            assert_eq!(styles[0].style.members()[FIELD]["style"]["form"], form);
        }
    }

    #[test]
    fn styles_fit_whatever_is_said_of_the_values() {
        let uuid = Annotation::Uuid.tell(Field::new("item", DataType::FixedSizeBinary(16), true));
        let schema = Schema::new(vec![Field::new("l", DataType::List(Arc::new(uuid)), true)]);
        let mut json = jsonl::Typing::of_schema(&schema);
        json[0].absence = Absence::Missing;
        let typings = Typings::Json(json);
        let record = typings.record(&schema).unwrap().unwrap();
        let kept = schema.clone().with_metadata([(STYLES_KEY.to_owned(), record)].into());
        assert_eq!(Typings::of_metadata(&kept).json(&schema), typings.json(&schema));
    }

    #[test]
    fn what_a_header_said_is_text_or_the_record_is_passed_over() {
        let (schema, field, _) = days();
        let told = |name: Value| {
            let record = Typings::Fields(vec![field.clone()]).record(&schema).unwrap().unwrap();
            let mut record: Value = serde_json::from_str(&record).unwrap();
            record["columns"][0][SOURCE_NAME] = name;
            let entry = (STYLES_KEY.to_owned(), record.to_string());
            let typings = Typings::of_metadata(&schema.clone().with_metadata([entry].into()));
            typings.source_names().into_iter().map(|name| name.map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(told(json!("day")), [Some("day".to_owned())]);
        assert!(told(json!(5)).is_empty());
    }

    #[test]
    fn a_target_has_its_own_style_and_the_other_one_of_its_source() {
        let (schema, field, json) = days();
        let both = Typings::Both(vec![field.clone()], vec![json]);
        let own = Typings::Json(jsonl::Typing::of_schema(&schema));
        let style = own.styles_from(&both, &schema).unwrap().swap_remove(0).style.members();
        assert_eq!((&style[FIELD], &style[JSON]["absence"]), (&field.to_json().unwrap(), &json!("null")));
        assert_eq!(style[SOURCE_NAME], "");
        let own = Typings::Fields(vec![ColumnTyping::default_for(&DataType::Date32).unwrap()]);
        let style = own.styles_from(&both, &schema).unwrap().swap_remove(0).style.members();
        assert_ne!(style[FIELD], field.to_json().unwrap());
        assert_eq!(style[JSON]["absence"], "missing");
    }
}
