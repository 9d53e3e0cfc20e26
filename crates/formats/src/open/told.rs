//! Provides the columns of delimited text as the certificate of it tells them: what a conversion wrote is
//! read as it was written, so that types come back which the fields alone do not show.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use coherence::content::TableDigester;
use coherence::statement::TypedColumn;

use super::certified::check_size;
use super::{Certified, Found, OpenOptions, TypingRules, Why, resolve};
use crate::cells::logical_schema;
use crate::convert;
use crate::csv::{CsvOptions, HeaderName};
use crate::error::{Error, Place, Result};
use crate::normal;
use crate::spool::{Encoding, EncodingChoice};
use crate::text::{ColumnFormatter, ColumnParser, ColumnTyping, DateOrder, Mode, Profile, Style};
use crate::typings::Typings;

impl Certified {
    /// What the type map of a certificate, which messages call `by`, tells of delimited text that was written
    /// with this byte between its fields.
    ///
    /// # Errors
    /// A type map that is not one of delimited text, or types that are not believed.
    pub fn delimited(by: String, columns: &[TypedColumn], delimiter: u8) -> Result<Self> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let styles: Vec<_> = columns.iter().map(|column| column.style.clone()).collect();
        let (recorded, typings) = Typings::recorded(&names, &styles, false)?;
        let (schema, fields) = (normal::schema(&recorded)?, typings.fields(&recorded)?);
        check_size(&schema)?;
        let types = schema.fields().iter().map(|field| field.data_type());
        let fields: Vec<_> = fields.into_iter().zip(types).map(|(told, ty)| strict(told, ty)).collect();
        check_possible(&schema, &fields)?;
        let (delimiter, json, given, places) = (Some(delimiter), Vec::new(), Vec::new(), None);
        Ok(Certified { by, schema, json, fields, delimiter, given, places })
    }

    /// What it tells where it is about delimited text and these rules hold as well: of columns that they are
    /// about it tells nothing.
    pub(super) fn beside(&self, rules: &TypingRules) -> Option<Arc<Self>> {
        let told = rules.fixed.iter().map(|(name, _)| name);
        let told = told.chain(rules.orders.iter().map(|(name, _)| name));
        let known = |name: &&String| self.schema.fields().iter().any(|field| field.name() == *name);
        let given = told.filter(known).cloned().collect();
        self.delimiter.map(|_| Arc::new(Certified { given, ..self.clone() }))
    }

    /// How the text is laid out.
    pub(super) fn layout(&self) -> CsvOptions {
        let (header, skip_lines) = (Some(true), Some(0));
        CsvOptions { delimiter: self.delimiter, header, skip_lines, ..CsvOptions::default() }
    }

    /// Fails where a text has other columns.
    pub(super) fn check_names(&self, names: &[HeaderName]) -> Result<()> {
        let told = self.schema.fields().iter().map(|field| field.name());
        match names.iter().map(|name| &name.name).eq(told) {
            true => Ok(()),
            false => Err(self.misfit(Place::at_byte(0))),
        }
    }

    /// Whether it tells the type of this column, and no option does.
    pub(super) fn tells(&self, column: usize) -> bool {
        self.schema.fields().get(column).is_none_or(|field| !self.given.contains(field.name()))
    }

    /// Whether it tells the types of all columns.
    pub(crate) fn tells_all(&self) -> bool {
        self.given.is_empty()
    }

    /// Puts what it tells in the place of what was found, with the reason.
    pub(super) fn put(&self, typings: &mut [ColumnTyping], why: &mut [Why]) {
        let found = typings.iter_mut().zip(why).zip(&self.fields).enumerate();
        for (_, ((typing, why), told)) in found.filter(|(column, _)| self.tells(*column)) {
            *typing = told.clone();
            *why = Why { lost: String::new(), ..self.why() };
        }
    }
}

impl OpenOptions {
    /// What a certificate tells, where it is about JSON Lines.
    pub(super) fn told_of_json(&self) -> Option<&Arc<Certified>> {
        self.certified.as_ref().filter(|certified| certified.delimiter.is_none())
    }

    /// Whether what a person said of how delimited text is read is about single columns at most, or what
    /// holds anyway of text that was written with this byte between its fields.
    pub fn leave_to_certificate(&self, delimiter: u8) -> bool {
        // Text that was written has no short records, so what is done with such does not matter.
        let CsvOptions { delimiter: said, quote, escape, comment, skip_lines, header, ragged: _ } = &self.csv;
        let layout = said.is_none_or(|said| said == delimiter)
            && quote.is_none_or(|quote| quote == Some(b'"'))
            && (escape, comment) == (&None, &None)
            && skip_lines.is_none_or(|lines| lines == 0)
            && *header != Some(false);
        let all = &self.typing.all;
        let typing = all.mode == Mode::Reversible
            && all.null_tokens.is_empty()
            && all.date_order == DateOrder::Unknown
            && !all.marks_told;
        let encoding = match self.encoding {
            EncodingChoice::Mark | EncodingChoice::Guess => true,
            EncodingChoice::Given(encoding) => encoding == Encoding::Utf8,
        };
        layout && typing && encoding
    }
}

/// The typings of columns of these names, with what there is to say of each: as a certificate tells, if there
/// is one.
pub(super) fn resolved(profiles: &[Profile], names: &[HeaderName], by: Option<&Certified>) -> Found {
    let names: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    let mut found = resolve(profiles, &names);
    if let Some(by) = by {
        by.put(&mut found.typings, &mut found.why);
    }
    found
}

/// A typing for values of this type that reads what the one that was told writes, and nothing else: what it
/// takes comes back.
fn strict(told: ColumnTyping, data_type: &DataType) -> ColumnTyping {
    let style = Style { also_null: Vec::new(), lenient: false, ..told.style };
    ColumnTyping { data_type: data_type.clone(), style, reversible: true, source_name: told.source_name }
}

/// Fails where fields cannot be read or written under these typings: what cannot be done with no rows cannot
/// be done with any.
fn check_possible(schema: &Schema, typings: &[ColumnTyping]) -> Result<()> {
    let none = typings.iter().map(|typing| {
        let none = ColumnParser::new(typing)?.finish()?;
        ColumnFormatter::new(typing, &none).map(|_| none)
    });
    let none = none.collect::<Result<Vec<_>>>().and_then(|none| {
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), none);
        let batch = batch.map_err(|error| Error::Misuse(error.to_string()))?;
        convert::push(&mut TableDigester::new(&logical_schema(schema)?), &batch)
    });
    none.map_err(|_| Error::Misuse("the recorded types of columns are not those of delimited text".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::limits::FIXED_BYTES_MAX;

    fn column(name: &str, data_type: Value, form: Value) -> TypedColumn {
        let style = json!({ "field": { "type": data_type, "style": { "form": form }, "reversible": true } });
        let style = style.as_object().cloned().unwrap_or_default();
        TypedColumn { name: name.into(), ty: String::new(), style: style.into(), reversible: true }
    }

    fn told(columns: &[TypedColumn]) -> Result<Certified> {
        Certified::delimited("x.isoform.sigstore.json".into(), columns, b',')
    }

    fn item(data_type: Value) -> Value {
        json!({ "name": "item", "type": data_type, "nullable": true })
    }

    #[test]
    fn types_are_held_as_they_are_and_not_by_keys_views_or_runs() {
        let keys = json!({ "dictionary": { "key": "int8", "value": "text" } });
        let list = json!({ "list_view": item(json!("text_view")) });
        let found = told(&[column("a", keys, json!("text")), column("b", list, json!("json"))]).unwrap();
        let types: Vec<_> = found.fields.iter().map(|typing| typing.data_type.clone()).collect();
        let list = DataType::List(Arc::new(arrow_schema::Field::new("item", DataType::Utf8, true)));
        assert_eq!(types, [DataType::Utf8, list]);
        assert!(found.schema.fields().iter().map(|field| field.data_type()).eq(&types));
    }

    #[test]
    fn what_a_typing_does_not_write_is_not_read() {
        let mut columns = [column("a", json!("float64"), json!("text"))];
        let field = json!({ "type": "timestamp[us]", "reversible": false, "style": {
            "null": "NA", "also_null": ["-"], "lenient": true,
            "form": { "timestamp": { "separator": " ", "seconds": true, "fraction": 0, "zone": "" } },
        } });
        columns[0].style = Map::from_iter([("field".to_owned(), field)]).into();
        let found = told(&columns).unwrap();
        let style = &found.fields[0].style;
        assert!(found.fields[0].reversible && !style.lenient && style.also_null.is_empty());
        assert_eq!(style.null_text(), "NA");
    }

    #[test]
    fn forms_that_their_types_cannot_have_are_refused() {
        let date = json!({ "date": "%d/%m/%Y" });
        let date_time =
            json!({ "timestamp": { "separator": "T", "seconds": true, "fraction": 0, "zone": "Z" } });
        for (data_type, form) in [
            (json!("int64"), date.clone()),
            (json!("text"), json!("integer")),
            (json!("timestamp[us]"), date_time),
            (json!({ "list": item(json!("int8")) }), json!("text")),
            (json!("decimal(10, 2)"), json!({ "bool": { "yes": "t", "no": "f" } })),
        ] {
            let error = told(&[column("a", data_type.clone(), form)]).unwrap_err();
            assert!(!matches!(error, Error::Bug(_)), "{data_type}: {error}");
        }
    }

    #[test]
    fn types_that_do_not_hold_together_are_refused() {
        let key = json!({ "name": "key", "type": "text", "nullable": false });
        let entries = json!({ "name": "entries", "type": { "struct": [key] }, "nullable": false });
        let map = json!({ "map": { "entries": entries, "sorted": false } });
        for data_type in [map, json!("int5"), json!({ "list": 5 }), json!(7)] {
            let error = told(&[column("a", data_type.clone(), json!("json"))]).unwrap_err();
            assert!(!matches!(error, Error::Bug(_)), "{data_type}: {error}");
        }
        let wide = json!({ "fixed_list": { "item": item(json!("int8")), "width": 1 << 20 } });
        let error = told(&[column("a", wide, json!("json"))]).unwrap_err();
        assert!(matches!(error, Error::Limit { max: FIXED_BYTES_MAX, .. }), "{error}");
        let mut native = [column("a", json!("int8"), json!("integer"))];
        native[0].style = Map::new().into();
        assert!(told(&native).is_err(), "a format that holds types");
    }

    #[test]
    fn rules_of_single_columns_hold_beside_it() {
        let columns = ["a", "b"].map(|name| column(name, json!("int8"), json!("integer")));
        let found = told(&columns).unwrap();
        let rules = TypingRules { fixed: vec![("b".into(), "text".into())], ..TypingRules::default() };
        let beside = found.beside(&rules).unwrap();
        assert_eq!([0, 1].map(|at| beside.tells(at)), [true, false]);
        assert!(!beside.tells_all() && found.beside(&TypingRules::default()).unwrap().tells_all());
        let names = |names: &[&str]| {
            let named = |name: &&str| HeaderName { name: (*name).into(), original: None };
            names.iter().map(named).collect::<Vec<_>>()
        };
        beside.check_names(&names(&["a", "b"])).unwrap();
        assert!(
            beside.check_names(&names(&["a", "c"])).is_err() && beside.check_names(&names(&["a"])).is_err()
        );
    }
}
