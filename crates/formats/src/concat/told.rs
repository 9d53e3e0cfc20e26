//! Provides the reading of several texts under the types and styles that a certificate tells of the whole.

use coherence::statement::Style;

use super::{Concat, Kind};
use crate::error::Result;
use crate::open::{Found, told_of_json};
use crate::typings::Typings;

impl Concat {
    /// Reads the texts under the typings that these records of the columns that are shown tell; false where
    /// they are none. Columns that no source holds stay as they are.
    pub(crate) fn retype_as_told(&mut self, names: &[String], styles: &[Style]) -> Result<bool> {
        let own = self.schema.fields().len() - self.added.len();
        let places: Vec<usize> =
            (0..own).filter_map(|column| self.shown.order.iter().position(|at| *at == column)).collect();
        let names: Vec<String> = places.iter().map(|at| names[*at].clone()).collect();
        let styles: Vec<Style> = places.iter().map(|at| styles[*at].clone()).collect();
        match &self.kind {
            Kind::Fields { why, .. } => {
                let why = why.iter().take(own).cloned().collect();
                let (_, Typings::Fields(told)) = Typings::recorded(&names, &styles, false)? else {
                    return Ok(false);
                };
                self.take_fields(&names, Found { typings: told, why, is_open: false }, true);
                self.append_added();
            }
            Kind::Json { .. } => {
                let told = told_of_json(&names, &styles)?;
                self.retype_json(|_, _| told);
            }
            Kind::Typed(_) => return Ok(false),
        }
        Ok(true)
    }
}
