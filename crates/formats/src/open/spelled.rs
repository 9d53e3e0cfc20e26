//! Provides how the columns of an open source stand in text, for encoders and for certificates.

use coherence::certificate::ColumnStyle;
use coherence::statement;

use super::{Opened, Table};
use crate::csv::header_of;
use crate::error::Result;
use crate::jsonl::{FloatStyle, each_layout};
use crate::metadata::NAMED_MAX;
use crate::registry::Format;
use crate::text::{ColumnTyping, NULL_WORDS, Style};
use crate::typings::Typings;
use crate::write::Encoder;

impl Opened {
    /// How its columns stand in text.
    pub fn typings(&self) -> Typings {
        match &self.table {
            Table::Binary(table) if self.advised => Typings::of_metadata(table.schema()),
            Table::Binary(_) => Typings::Native,
            Table::Csv { table, .. } => Typings::Fields(table.typings().to_vec()),
            Table::Certified { table, by, .. } if self.advised => by.typings(table.typings()),
            Table::Json { table, .. } | Table::Certified { table, .. } => {
                Typings::Json(table.typings().to_vec())
            }
            Table::Many(table) if self.advised => table.typings(),
            Table::Many(table) if self.format.is_text() => match table.typings() {
                Typings::Both(_, json) => Typings::Json(json),
                found => found,
            },
            Table::Through(passage) if self.advised || self.format.is_text() => passage.inner().typings(),
            Table::Many(_) | Table::Through(_) => Typings::Native,
        }
    }

    /// Forgets the styles that metadata and certificates keep for targets that are text, and notes it; false
    /// where there are none. They are advice of whoever wrote them: values that were changed since need not
    /// fit them.
    pub fn forget_advice(&mut self) -> bool {
        let before = self.typings();
        self.advised = false;
        let had = self.typings() != before;
        if had {
            let keeps = self.tells("keeps", "keep");
            let note =
                format!("the values do not fit the styles that the source's {keeps}; defaults were used");
            self.notes.push(note);
        }
        had
    }

    /// Whether styles that metadata and certificates keep are followed.
    pub fn follows_advice(&self) -> bool {
        self.advised
    }

    /// What a person should know of how it is read and of what that makes of null in a target of this format:
    /// words for null that are not usual, where metadata or a certificate alone tell them.
    pub fn notes_for(&self, target: Format) -> Vec<String> {
        let mut notes = self.all_notes();
        let advice = self.advice().filter(|_| matches!(target, Format::Csv | Format::Tsv));
        let schema = self.table().schema();
        let columns = schema.fields().iter().zip(advice.iter().flatten());
        let words: Vec<String> = columns
            .flat_map(|(field, typing)| {
                let words = unusual_nulls(&typing.style).into_iter();
                words.map(|word| format!("{word:?} (column {:?})", field.name()))
            })
            .collect();
        if !words.is_empty() {
            let (words, tells) = (words.join(", "), self.tells("tells", "tell"));
            notes.push(format!("null is written as {words}, as the source's {tells}"));
        }
        notes
    }

    /// What is to be said of a header of a target with all columns that has again what that of a source said,
    /// and not the names of columns.
    pub fn note_on_header(&self, target: Format) -> Option<String> {
        let schema = self.table().schema();
        let typings = self.typings();
        let sources = typings.source_names();
        if !matches!(target, Format::Csv | Format::Tsv) || sources.iter().all(Option::is_none) {
            return None;
        }
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let fields = header_of(&names, &sources);
        let mut pairs: Vec<String> = fields
            .iter()
            .zip(&names)
            .filter(|(field, name)| field != name)
            .map(|(field, name)| format!("{field:?} for {name:?}"))
            .collect();
        let more = pairs.split_off(pairs.len().min(NAMED_MAX)).len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        // Above columns of text alone, a record with an empty field is taken for data.
        let found =
            if fields.iter().any(String::is_empty) { "; --header yes finds it in any case" } else { "" };
        let pairs = pairs.join(", ");
        (!pairs.is_empty()).then(|| format!("the header is that of the source: {pairs}{more}{found}"))
    }

    /// How delimited text is told to spell each column by metadata or a certificate, if that is followed.
    fn advice(&self) -> Option<Vec<ColumnTyping>> {
        match (&self.table, self.typings()) {
            (Table::Through(passage), _) if self.advised => passage.inner().advice(),
            (
                Table::Binary(_) | Table::Certified { .. },
                Typings::Fields(typings) | Typings::Both(typings, _),
            ) if self.advised => Some(typings),
            (Table::Many(_), Typings::Both(typings, _)) if self.advised && self.format.is_text() => {
                Some(typings)
            }
            _ => None,
        }
    }

    /// What tells styles for targets that are text, with a verb for one and for many.
    fn tells(&self, one: &str, many: &str) -> String {
        if self.format.is_text() { format!("certificate {one}") } else { format!("metadata {many}") }
    }

    /// How text spells each column, as far as its values depend on it: numbers are the same, however they are
    /// laid out.
    pub fn styles_of_values(&self) -> Result<Vec<ColumnStyle>> {
        match self.typings() {
            Typings::Json(mut typings) if self.format.is_text() => {
                each_layout(&mut typings, &mut |layout| *layout = FloatStyle::default());
                Typings::Json(typings).styles(self.table().schema())
            }
            _ => self.styles(),
        }
    }

    /// How text spells each column of a conversion, for the certificate: the text of the target and that of
    /// the source, so that either can be given back.
    pub fn styles_for(&self, target: &Encoder) -> Result<Vec<ColumnStyle>> {
        self.styles_into(Typings::of_target(target))
    }

    /// The same where the target is text that stands so.
    pub fn styles_into(&self, target: Option<Typings>) -> Result<Vec<ColumnStyle>> {
        let Some(typings) = target else { return self.styles() };
        let mut styles = typings.styles_from(&self.typings(), self.table().schema())?;
        let told = !matches!(typings, Typings::Json(_)) || self.table().rows() > 0;
        for (style, source) in styles.iter_mut().zip(self.styles()?) {
            style.reversible &= source.reversible && told;
        }
        Ok(styles)
    }

    /// How text spells each column, where it is text.
    pub fn styles(&self) -> Result<Vec<ColumnStyle>> {
        let typings = if self.format.is_text() { self.typings() } else { Typings::Native };
        typings.styles(self.table().schema())
    }
}

impl Typings {
    /// How the columns stand in a target that is text.
    pub fn of_target(target: &Encoder) -> Option<Self> {
        match target {
            Encoder::Csv(encoder) => Some(Typings::Fields(encoder.typings().to_vec())),
            Encoder::Json(encoder) => Some(Typings::Json(encoder.typings().to_vec())),
            Encoder::Binary(_) => None,
        }
    }

    /// The same as records of its columns tell it.
    ///
    /// # Errors
    /// Records that are none of such a text.
    pub fn told_of_target(
        target: Format,
        names: &[String],
        styles: &[statement::Style],
    ) -> Result<Option<Self>> {
        match target.is_text() {
            true => Typings::recorded(names, styles, target == Format::JsonLines).map(|told| Some(told.1)),
            false => Ok(None),
        }
    }
}

/// The words that this style writes for null, without those that are usual.
fn unusual_nulls(style: &Style) -> Vec<&str> {
    let words = style.exceptions.iter().map(|odd| &odd.text).filter(|text| style.refused.contains(text));
    let words = std::iter::once(style.null_text()).chain(words.map(String::as_str));
    let mut words: Vec<_> = words.filter(|word| !word.is_empty() && !NULL_WORDS.contains(word)).collect();
    words.sort_unstable();
    words.dedup();
    words
}
