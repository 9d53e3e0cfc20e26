//! Provides the reading of JSON under the types of another table, for comparing the two.

use std::sync::Arc;

use arrow_schema::{Field, Schema};

use crate::jsonl::{Resolved, Typing};
use crate::open::{Opened, Table};

impl Opened {
    /// Reads the columns of JSON that the other table has too under its types, where JSON can hold them. A
    /// value that does not fit is then found as [`crate::Error::Retype`]. Other formats stay as they are.
    pub fn read_under(&mut self, other: &Schema) {
        let Table::Json { table, .. } = &mut self.table else { return };
        let schema = crate::table::TableSource::schema(table).clone();
        let columns = schema.fields().iter().zip(table.typings()).map(|(field, typing)| {
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
        let schema = Arc::new(Schema::new(fields));
        table.retype(&Resolved { schema, typings, why: Vec::new(), layouts: Vec::new() });
    }
}

/// The same typing, taking other spellings of a value: it is the value that is compared.
fn by_value(typing: Typing) -> Typing {
    let children = typing.children.into_iter().map(by_value).collect();
    Typing { reversible: false, children, ..typing }
}
