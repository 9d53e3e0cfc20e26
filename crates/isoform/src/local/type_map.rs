//! Provides the check of what a certificate tells of the columns of a table: their names and types, and how
//! text spells them.

use std::path::Path;

use coherence::certificate::ColumnStyle;
use coherence::dsse::{Malformed, shown};
use coherence::schema::Schema;
use coherence::statement::{Style, TableContent, TypedColumn};
use formats::open::Opened;
use formats::registry::Format;
use formats::typings::{Typings, normal_styles};

use crate::failure::{Failure, Result};

/// The columns that a certificate tells, and where it lies.
#[derive(Debug)]
pub(super) struct TypeMap<'a> {
    at: &'a Path,
    columns: &'a [TypedColumn],
    /// Their names.
    pub(super) names: Vec<String>,
    /// How text spells them.
    pub(super) styles: Vec<Style>,
}

impl<'a> TypeMap<'a> {
    /// That of a table.
    ///
    /// # Errors
    /// Records that are none.
    pub(super) fn of(at: &'a Path, content: &'a TableContent) -> Result<Self> {
        let columns = content.type_map.as_slice();
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let styles: Vec<_> = columns.iter().map(|column| column.style.clone()).collect();
        normal_styles(&styles).map_err(|error| {
            let malformed = Malformed::Unexpected { field: "content.typeMap", found: error.to_string() };
            Failure::Certificate { path: at.to_owned(), error: malformed.into() }
        })?;
        Ok(TypeMap { at, columns, names, styles })
    }

    /// How the columns stand in a target of this format, where that is text.
    pub(super) fn of_target(&self, format: Format) -> Result<Option<Typings>> {
        Ok(Typings::told_of_target(format, &self.names, &self.styles)?)
    }

    /// Whether it tells of every column that its text comes back.
    pub(super) fn reversible(&self) -> bool {
        self.columns.iter().all(|column| column.reversible)
    }

    /// Fails where the target has other columns.
    pub(super) fn check_types(&self, target: &Schema) -> Result<()> {
        let same = |(column, field): (&TypedColumn, &coherence::schema::Field)| {
            column.name == field.name && column.ty == field.ty.to_string()
        };
        if self.columns.len() != target.fields.len() {
            return Err(self.wrong(&format!("tells of {} columns", self.columns.len()), "the target"));
        }
        match self.columns.iter().zip(&target.fields).find(|pair| !same(*pair)) {
            None => Ok(()),
            Some((column, _)) => {
                let (name, ty) = (shown(&column.name), shown(&column.ty));
                Err(self.wrong(&format!("tells of a column {name:?} of type {ty:?}"), "the target"))
            }
        }
    }

    /// Fails where the columns of a source do not stand as this tells: neither as they are found to, which
    /// `made` gives as a conversion records it, nor otherwise, under which the source is read again as
    /// strictly, by `holds`. Another version may have found other styles that give back the same text.
    pub(super) fn check_styles(
        &self,
        opened: &mut Opened,
        source: &Path,
        made: &dyn Fn(&Opened) -> Result<Vec<ColumnStyle>>,
        holds: &dyn Fn(&Opened) -> Result<()>,
    ) -> Result<()> {
        let Some(column) = self.differing(made(opened))? else { return Ok(()) };
        if opened.forget_advice() && self.differing(made(opened))?.is_none() {
            return Ok(());
        }
        if opened.retype_as_told(&self.names, &self.styles).unwrap_or(false) {
            match holds(opened) {
                Ok(()) if self.differing(made(opened))?.is_none() => return Ok(()),
                Ok(()) | Err(Failure::Mismatch(_) | Failure::Format(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Err(self.wrong(
            &format!("does not tell how the values of {:?} are written", shown(column)),
            &source.display().to_string(),
        ))
    }

    /// The first column of which something else is told than a conversion would record.
    fn differing(&self, made: Result<Vec<ColumnStyle>>) -> Result<Option<&str>> {
        let told = normal_styles(&self.styles);
        let (made, told) = match (made, told) {
            (Ok(made), Ok(told)) => (made, told),
            // Records that are none.
            (Err(Failure::Format(_)), _) | (_, Err(_)) => {
                return Ok(self.names.first().map(String::as_str));
            }
            (Err(other), _) => return Err(other),
        };
        let same = |(at, made): (usize, &ColumnStyle)| {
            made.style == told[at] && made.reversible == self.columns[at].reversible
        };
        let differing = made.iter().enumerate().find(|pair| !same(*pair));
        Ok(differing.and_then(|(at, _)| self.names.get(at)).map(String::as_str))
    }

    fn wrong(&self, tells: &str, of: &str) -> Failure {
        let at = self.at.display();
        Failure::Mismatch(format!("{at}: typeMap {tells}, and not as {of} has them; convert it again"))
    }
}
