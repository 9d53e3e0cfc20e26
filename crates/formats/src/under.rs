//! Provides the reading of JSON under the types of another table, for comparing the two.

use std::sync::Arc;

use arrow_schema::Schema;

use crate::annotation::unsaid;
use crate::jsonl::{Resolved, Typing};
use crate::open::{Opened, Table};
use crate::table::TableSource;

impl Opened {
    /// Reads the columns of JSON that the other table has too under its types, where JSON can hold them. A
    /// value that does not fit is then found as [`crate::Error::Retype`]. Other formats stay as they are.
    /// What the other table says to be UUIDs stands as such, or else as any bytes.
    pub fn read_under(&mut self, other: &Schema, as_uuids: bool) {
        let other = &if as_uuids { other.clone() } else { unsaid(other) };
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
                let twin = twin.as_ref().clone().with_nullable(true);
                let typing = by_value(Typing::of_field(&twin));
                (Arc::new(twin), typing)
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
