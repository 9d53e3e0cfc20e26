//! Provides [`Certified`]: the columns of a text as the certificate of it tells them; what is about delimited
//! text alone is in `told.rs`.
//!
//! Nothing is believed: the text is read under what it tells as strictly as under what is found, and a value
//! that would not be written back the same is an error. How delimited text spells the values of JSON Lines is
//! advice for targets.

use std::path::Path;
use std::sync::Arc;

use arrow_array::new_empty_array;
use arrow_schema::{DataType, Schema, SchemaRef};
use coherence::content::TableDigester;
use coherence::statement::{Style as Recorded, TypedColumn};

use super::Why;
use crate::cells::logical_schema;
use crate::convert;
use crate::error::{Error, Place, Result};
use crate::jsonl::{Absence, Decoder, JsonTable, Scan, Style, Typing, absent_bytes};
use crate::limits::FIXED_BYTES_MAX;
use crate::partition::Places;
use crate::spool::TextFile;
use crate::table::TableSource;
use crate::text::{ColumnFormatter, ColumnParser, ColumnTyping};
use crate::typings::Typings;

/// Columns of a text as a certificate tells them.
#[derive(Debug, Clone)]
pub struct Certified {
    /// What messages call the certificate.
    pub(super) by: String,
    pub(super) schema: SchemaRef,
    /// How the values stand in JSON; empty of delimited text.
    pub(super) json: Vec<Typing>,
    /// How delimited text spells them.
    pub(super) fields: Vec<ColumnTyping>,
    /// What stands between the fields, of delimited text.
    pub(super) delimiter: Option<u8>,
    /// Names of columns of which a person told the type or the order of day and month.
    pub(super) given: Vec<String>,
    /// Where rows with exceptions stand, if files do not lie in the order of the rows that it was made of.
    pub(super) places: Option<Places>,
}

impl Certified {
    /// What the type map of a certificate tells, which messages call `by`.
    ///
    /// # Errors
    /// A type map that is not one of JSON Lines.
    pub fn new(by: String, columns: &[TypedColumn]) -> Result<Self> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let styles: Vec<Recorded> = columns.iter().map(|column| column.style.clone()).collect();
        let (schema, Typings::Both(fields, json)) = Typings::recorded_all(&names, &styles)? else {
            return Err(Error::Misuse("the recorded styles of columns are not those of JSON Lines".into()));
        };
        // Values of JSON are held as they are, and not by keys or runs.
        let schema = plain(&schema, &json)?;
        check_size(&schema)?;
        let types = schema.fields().iter().map(|field| field.data_type());
        let fields = fields.into_iter().zip(types).map(|(typing, ty)| spelling(typing, ty));
        let fields = fields.collect::<Result<_>>()?;
        Ok(Certified { by, schema, json, fields, delimiter: None, given: Vec::new(), places: None })
    }

    /// The same of files in partitions, among which rows with exceptions are told by these places.
    #[must_use]
    pub fn placed(self, places: Places) -> Self {
        Certified { places: Some(places), ..self }
    }

    /// The rows of which it tells exceptions, ascending.
    pub(crate) fn rows_of_exceptions(&self) -> Vec<u64> {
        self.typings(&self.json).rows_of_exceptions()
    }

    /// What it tells where only some of its rows are left: each pair is the number of one before and after.
    pub(super) fn moved(&self, rows: &[(u64, u64)]) -> Self {
        let Typings::Both(fields, json) = self.typings(&self.json).moved(rows) else { return self.clone() };
        Certified { json, fields, ..self.clone() }
    }

    /// What it tells of one of several files, before which stand so many rows.
    pub(crate) fn of_file(&self, file: &Path, before: u64) -> Self {
        let all = self.typings(&self.json);
        let own = match &self.places {
            Some(places) => all.moved(places.of_file(file)),
            None => all.behind(before),
        };
        let Typings::Both(fields, json) = own else { return self.clone() };
        Certified { json, fields, places: None, ..self.clone() }
    }

    /// What is to be said where its types are taken.
    pub(super) fn note(&self) -> String {
        let but = if self.given.is_empty() { "" } else { ", but for columns that options tell of" };
        format!("types and spellings are those of the certificate {}{but}", self.by)
    }

    /// What is to be said of columns whose key stands in no record of a table with rows.
    pub(super) fn note_on_keys(&self, table: &JsonTable) -> Result<Option<String>> {
        let columns = self.schema.fields().iter().zip(&self.json);
        let optional =
            columns.filter(|(_, json)| json.absence != Absence::Null && json.style != Style::Presence);
        let optional = optional.map(|(field, _)| field.name().as_str()).collect();
        let missing = if table.rows() > 0 { table.without_keys(optional)? } else { Vec::new() };
        let names: Vec<String> = missing.iter().map(|name| format!("{name:?}")).collect();
        let said = || format!("no record has {}, which the certificate {} tells", names.join(", "), self.by);
        Ok((!names.is_empty()).then(said))
    }

    /// A text under these types, and why each column has its own.
    pub(super) fn table(&self, text: Arc<TextFile>, found: Scan) -> (JsonTable, Vec<Why>) {
        let why = vec![self.why(); self.schema.fields().len()];
        (JsonTable::new(text, found, self.schema.clone(), self.json.clone()), why)
    }

    /// Why a column has its type.
    pub(super) fn why(&self) -> Why {
        Why::from(format!("type from the certificate {}", self.by))
    }

    /// How its columns stand in text of both kinds, with these typings of JSON.
    pub(super) fn typings(&self, json: &[Typing]) -> Typings {
        Typings::Both(self.fields.clone(), json.to_vec())
    }

    /// The error for a record that is not as the certificate tells.
    pub(super) fn misfit(&self, place: Place) -> Error {
        let what = format!("the certificate {} does not describe this record", self.by);
        Error::unsupported(place, what, "find the types by the values with --no-certified-types")
    }
}

/// Fails where a row without values would be large.
pub(super) fn check_size(schema: &Schema) -> Result<()> {
    let sizes = schema.fields().iter().map(|field| absent_bytes(field.data_type()));
    if sizes.fold(0, u64::saturating_add) <= FIXED_BYTES_MAX {
        return Ok(());
    }
    Err(Error::Limit {
        place: Box::default(),
        what: "the size of a row without values",
        max: FIXED_BYTES_MAX,
        hint: "these types are not believed".into(),
    })
}

/// The schema of what is read under this one and these typings.
///
/// # Errors
/// Types that rows read from JSON do not have.
pub(super) fn plain(schema: &SchemaRef, json: &[Typing]) -> Result<SchemaRef> {
    let mut decoder = Decoder::new(schema, json)?;
    let schema = decoder.schema().clone();
    // What cannot be done with no rows cannot be done with any.
    let none = decoder.finish();
    let digested = none.and_then(|none| {
        let mut digester = TableDigester::new(&logical_schema(&schema)?);
        convert::push(&mut digester, &none)
    });
    let refused = |_| Error::Misuse("the recorded types of columns are not those of JSON Lines".into());
    digested.map_err(refused).map(|()| schema)
}

/// How fields spell values of this type: as was told, where that gives back every text, or else as usual.
fn spelling(told: ColumnTyping, data_type: &DataType) -> Result<ColumnTyping> {
    let told = ColumnTyping { data_type: data_type.clone(), ..told };
    let none = new_empty_array(data_type);
    let is_possible = ColumnParser::new(&told).is_ok() && ColumnFormatter::new(&told, &none).is_ok();
    match told.reversible && is_possible {
        true => Ok(told),
        false => Ok(ColumnTyping { source_name: told.source_name, ..ColumnTyping::default_for(data_type)? }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::text::{DatePattern, Form};

    fn column(name: &str, style: Value) -> TypedColumn {
        TypedColumn { name: name.into(), ty: String::new(), style: recorded(style), reversible: true }
    }

    fn recorded(style: Value) -> Recorded {
        style.as_object().cloned().unwrap_or_default().into()
    }

    fn style(data_type: &str, form: Value, reversible: bool) -> Value {
        let field = json!({ "type": data_type, "style": { "form": form }, "reversible": reversible });
        json!({ "field": field, "json": { "style": "plain", "absence": "null", "reversible": true } })
    }

    fn told(columns: &[TypedColumn]) -> Result<Certified> {
        Certified::new("x.isoform.sigstore.json".into(), columns)
    }

    #[test]
    fn spellings_that_give_back_their_text_are_taken() {
        let date = |reversible| style("date", json!({ "date": "%d/%m/%Y" }), reversible);
        let columns = [column("a", date(true)), column("b", date(false))];
        let found = told(&columns).unwrap();
        let forms: Vec<_> = found.fields.iter().map(|typing| typing.style.form.clone()).collect();
        assert_eq!(forms, [Form::Date(DatePattern::DmySlash), Form::Date(DatePattern::YmdDash)]);
        assert!(found.schema.fields().iter().all(|field| *field.data_type() == DataType::Date32));
    }

    #[test]
    fn a_form_that_its_type_cannot_have_is_no_spelling() {
        let found = told(&[column("a", style("int64", json!({ "date": "%d/%m/%Y" }), true))]).unwrap();
        assert_eq!(found.fields, [ColumnTyping::default_for(&DataType::Int64).unwrap()]);
    }

    #[test]
    fn a_form_that_its_type_cannot_be_written_in_is_no_spelling() {
        let form = json!({ "time": { "fraction": 0 } });
        let found = told(&[column("a", style("timestamp[us]", form, true))]).unwrap();
        let usual = ColumnTyping::default_for(found.schema.field(0).data_type()).unwrap();
        assert_eq!(found.fields, [usual]);
    }

    #[test]
    fn types_that_rows_of_json_do_not_have_are_refused() {
        let field = |name: &str, data_type: Value, nullable: bool| {
            let said = json!({ "name": name, "type": data_type });
            let mut said = said.as_object().cloned().unwrap_or_default();
            said.insert("nullable".into(), nullable.into());
            Value::Object(said)
        };
        let view = json!({ "list_view": field("item", json!("int8"), true) });
        let pair = |fields: &[Value]| {
            let entries = field("entries", json!({ "struct": fields }), false);
            json!({ "map": { "entries": entries, "sorted": false } })
        };
        let (key, value) = (field("key", json!("text"), true), field("value", json!("int8"), true));
        let types = [
            json!("text_view"),
            json!("binary_view"),
            json!("decimal32(9, 2)"),
            json!("decimal64(18, 2)"),
            view,
            pair(&[key.clone(), value]),
            pair(&[key]),
        ];
        for data_type in types {
            let mut style = style("text", json!("text"), true);
            style["field"]["type"] = data_type.clone();
            style["json"]["children"] = json!([{}, {}]);
            let error = told(&[column("a", style)]).unwrap_err();
            assert!(!matches!(error, Error::Bug(_)), "{data_type}: {error}");
        }
    }

    #[test]
    fn structs_of_many_absent_values_are_not_believed() {
        let fields: Vec<Value> = (0..70_000)
            .map(|at| json!({ "name": format!("f{at}"), "type": "int8", "nullable": true }))
            .collect();
        let mut style = style("text", json!("json"), true);
        style["json"]["children"] = fields.iter().map(|_| json!({})).collect();
        style["field"]["type"] = json!({ "struct": fields });
        assert!(matches!(told(&[column("a", style)]).unwrap_err(), Error::Limit { .. }));
    }

    #[test]
    fn values_of_keys_and_runs_are_held_as_they_are() {
        let keys = json!({ "dictionary": { "key": "int8", "value": "text" } });
        let mut style = style("text", json!("text"), true);
        style["field"]["type"] = keys;
        let found = told(&[column("a", style)]).unwrap();
        assert_eq!(*found.schema.field(0).data_type(), DataType::Utf8);
        assert_eq!(found.fields[0].data_type, DataType::Utf8);
    }

    #[test]
    fn nulls_of_any_width_are_not_believed() {
        let wide = |width: u64| {
            let item = json!({ "name": "item", "type": { "fixed_list": {
                "item": { "name": "item", "type": "int8", "nullable": true }, "width": width,
            } }, "nullable": true });
            let mut style = style("text", json!("json"), true);
            style["field"]["type"] = json!({ "fixed_list": { "item": item, "width": width } });
            let list = |child: Value| json!({ "children": [child] });
            style["json"] = list(list(json!({})));
            told(&[column("a", style)])
        };
        assert_eq!(wide(8).unwrap().schema.fields().len(), 1);
        let error = wide(1 << 20).unwrap_err();
        assert!(matches!(error, Error::Limit { max: FIXED_BYTES_MAX, .. }), "{error}");
    }

    #[test]
    fn type_maps_of_other_texts_are_refused() {
        let mut members = style("int64", json!("integer"), true);
        members.as_object_mut().and_then(|members| members.remove("json"));
        assert!(told(&[column("a", members)]).is_err(), "delimited text");
        assert!(told(&[column("a", json!({}))]).is_err(), "a format that holds types");
        let twice = [0, 1].map(|_| column("a", style("int64", json!("integer"), true)));
        assert!(told(&twice).is_err(), "two columns of one name");
    }
}
