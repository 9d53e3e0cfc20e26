//! Provides the reading of JSON under the types of another table, for comparing the two.

use std::sync::Arc;

use arrow_schema::{Field, Schema};

use crate::jsonl::{Resolved, Typing};
use crate::open::{Opened, Table};
use crate::table::TableSource;

impl Opened {
    /// Reads the columns of JSON that the other table has too under its types, where JSON can hold them. A
    /// value that does not fit is then found as [`crate::Error::Retype`]. Other formats stay as they are.
    pub fn read_under(&mut self, other: &Schema) {
        match &mut self.table {
            Table::Json { table, .. } => {
                let resolved = under(TableSource::schema(table), table.typings(), other);
                table.retype(&resolved);
            }
            Table::Many(table) => table.retype_json(|schema, typings| under(schema, typings, other)),
            _ => {}
        }
    }
}

/// The columns of JSON under the types of another table.
fn under(schema: &Schema, typings: &[Typing], other: &Schema) -> Resolved {
    let columns = schema.fields().iter().zip(typings).map(|(field, typing)| {
        let same = other.fields().iter().find(|twin| twin.name() == field.name());
        match same {
            Some(twin) if twin.data_type() != field.data_type() => {
                let typing = by_value(Typing::of(twin.data_type()));
                (Arc::new(Field::new(field.name(), twin.data_type().clone(), true)), typing)
            }
            _ => (field.clone(), typing.clone()),
        }
    });
    let (fields, typings): (Vec<_>, Vec<_>) = columns.unzip();
    let (schema, why) = (Arc::new(Schema::new(fields)), Vec::new());
    Resolved { schema, typings, why, as_json: Vec::new(), layouts: Vec::new() }
}

/// The same typing, taking other spellings of a value: it is the value that is compared.
fn by_value(typing: Typing) -> Typing {
    let children = typing.children.into_iter().map(by_value).collect();
    Typing { reversible: false, children, ..typing }
}
