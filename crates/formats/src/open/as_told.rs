//! Provides the reading of a text under the types and styles that a certificate tells of it, as strictly as
//! under those that are found.

use coherence::statement::Style;

use super::certified::plain;
use super::{Opened, Table};
use crate::error::Result;
use crate::jsonl::Resolved;
use crate::typings::Typings;

impl Opened {
    /// Reads text under the typings that these records of its columns tell: a field that they do not give
    /// back is then found as [`crate::Error::Retype`]. False where it is no text or has other columns.
    ///
    /// # Errors
    /// Records that are none of such a text.
    pub fn retype_as_told(&mut self, names: &[String], styles: &[Style]) -> Result<bool> {
        if !self.table().schema().fields().iter().map(|field| field.name()).eq(names) {
            return Ok(false);
        }
        match &mut self.table {
            Table::Csv { table, whole, .. } => {
                let (_, Typings::Fields(told)) = Typings::recorded(names, styles, false)? else {
                    return Ok(false);
                };
                *whole = true;
                table.retype(told);
                Ok(true)
            }
            Table::Json { table, whole, .. } => {
                *whole = true;
                table.retype(&told_of_json(names, styles)?);
                Ok(true)
            }
            Table::Many(table) => table.retype_as_told(names, styles),
            Table::Binary(_) | Table::Certified { .. } | Table::Through(_) => Ok(false),
        }
    }
}

/// The columns of JSON Lines as these records tell them.
pub(crate) fn told_of_json(names: &[String], styles: &[Style]) -> Result<Resolved> {
    let (schema, told) = Typings::recorded(names, styles, true)?;
    let typings = told.json(&schema);
    let schema = plain(&schema, &typings)?;
    Ok(Resolved { schema, typings, why: Vec::new(), as_json: Vec::new(), layouts: Vec::new() })
}
