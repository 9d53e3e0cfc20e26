//! Provides the two sides, open, under types that make their values comparable.
//!
//! Text has no types of its own. It is read under those of the side that has: of a binary format, else of
//! delimited text (whose columns are typed as for a conversion), else of JSON. Two delimited texts keep the
//! types on which they agree; where they do not, their fields are compared as text. A directory is one table,
//! of the files in it and the columns that its paths tell.

use std::sync::Arc;

use ::formats::compare::Tolerances;
use ::formats::concat::{ConcatOptions, Input, open_many};
use ::formats::csv::Ragged;
use ::formats::file::ObjectFile;
use ::formats::media;
use ::formats::open::{OpenOptions, Opened, open};
use ::formats::partition::PathColumn;
use ::formats::recognise::detect;
use ::formats::registry::Format;
use ::formats::table::numbered_name;
use ::formats::text::{ColumnTyping, Form};
use ::formats::typings::Typings;

use crate::commands::options::defined_delimiter;
use crate::commands::partitions::{self, Told};
use crate::commands::sources::Sources;
use crate::failure::Result;
use crate::local::retyped;

/// Ways of reading, to be tried in order until all text fits: under the types of a sample, under those of
/// the whole text, delimited text under the types of JSON, and each side under its own types.
pub(super) const STEPS: usize = 4;

/// Two sides, and how they are to be read.
pub(super) struct Sides {
    pub(super) files: [Files; 2],
    pub(super) reading: OpenOptions,
    pub(super) tolerances: Tolerances,
}

/// One side: a file, or those of a directory as one table.
pub(super) struct Files {
    files: Vec<Arc<ObjectFile>>,
    /// Columns that directories tell.
    columns: Vec<PathColumn>,
    /// What is to be said of the directory.
    notes: Vec<String>,
}

impl Files {
    /// Opens the files of a side.
    pub(super) fn open(sources: &Sources) -> Result<Self> {
        let files = sources.found.iter().map(|source| Ok(Arc::new(ObjectFile::open(&source.path)?)));
        let files = files.collect::<Result<_>>()?;
        let Told { columns, note } = partitions::columns(&sources.found)?;
        Ok(Files { files, columns, notes: sources.notes().into_iter().chain(note).collect() })
    }

    /// Their bytes.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|file| file.len()).sum()
    }

    /// Fails if a file was written to since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        Ok(self.files.iter().try_for_each(|file| file.check_unchanged())?)
    }

    /// The table that they are.
    fn table(&self, options: &OpenOptions) -> Result<Opened> {
        let mut opened = self.opened(options)?;
        if opened.is_undecided() {
            retyped(&mut opened)?;
        }
        Ok(opened)
    }

    fn opened(&self, options: &OpenOptions) -> Result<Opened> {
        if let ([only], []) = (self.files.as_slice(), self.columns.as_slice()) {
            return Ok(open(only.clone(), options)?);
        }
        let input = |file: &Arc<ObjectFile>| {
            let (name, options) = (file.path().to_owned(), options.clone());
            Input { file: file.clone(), name, options }
        };
        let many = ConcatOptions { path_columns: self.columns.clone(), ..ConcatOptions::default() };
        Ok(open_many(self.files.iter().map(input).collect(), &many)?)
    }
}

impl Sides {
    /// What is to be said of both.
    pub(super) fn notes(&self) -> Vec<String> {
        self.files.iter().flat_map(|files| files.notes.clone()).collect()
    }

    /// Both sides, read in this way.
    pub(super) fn open(&self, step: usize) -> Result<[Opened; 2]> {
        let mut options = [self.options(0)?, self.options(1)?];
        let mut left = self.files[0].table(&options[0])?;
        let mut right = self.files[1].table(&options[1])?;
        left = self.named(0, left, &mut options[0], &right);
        right = self.named(1, right, &mut options[1], &left);
        if step > 0 {
            retyped(&mut left)?;
            retyped(&mut right)?;
        }
        if step + 1 == STEPS {
            return Ok([left, right]);
        }
        match (rank(left.format), rank(right.format)) {
            (1, 0) if step == 2 => left = self.under(0, left, &options[0], (&right, true))?,
            (0, 1) if step == 2 => right = self.under(1, right, &options[1], (&left, true))?,
            (1, 1) => {
                let texts = self.disagreeing(&left, &right);
                if !texts.is_empty() {
                    (left, right) = (self.as_text(0, &options, &texts)?, self.as_text(1, &options, &texts)?);
                }
            }
            (mine, theirs) if mine < theirs => left = self.under(0, left, &options[0], (&right, step < 2))?,
            (mine, theirs) if mine > theirs => {
                right = self.under(1, right, &options[1], (&left, step < 2))?
            }
            _ => {}
        }
        Ok([left, right])
    }

    /// What a person said about reading is about the side that it can be about; the other passes it over.
    fn options(&self, side: usize) -> Result<OpenOptions> {
        let mut options = OpenOptions { format: Some(self.format(side)?), ..self.reading.clone() };
        let told = || defined_delimiter(None, self.files[side].files[0].path());
        options.csv.delimiter = options.csv.delimiter.or_else(|| media::delimiter(told()?));
        Ok(options)
    }

    /// The format of one side. One that its bytes tell needs no word.
    pub(super) fn format(&self, side: usize) -> Result<Format> {
        let file = &self.files[side].files[0];
        let found = match detect(file, None) {
            Ok((format, _)) if !format.is_text() => Ok(format),
            _ => detect(file, self.reading.format).map(|(format, _)| format),
        };
        Ok(found.map_err(|error| error.in_file(file.path()))?)
    }

    /// A text whose first record was not taken for its header, with that as its header where it holds the
    /// names of the other side.
    fn named(&self, side: usize, text: Opened, options: &mut OpenOptions, other: &Opened) -> Opened {
        let names = |opened: &Opened| -> Vec<String> {
            opened.table().schema().fields().iter().map(|field| field.name().clone()).collect()
        };
        let (mine, theirs) = (names(&text), names(other));
        let numbered = (0..mine.len()).map(numbered_name).eq(mine.iter().cloned());
        let is_asked = rank(text.format) == 1 && options.csv.header.is_none();
        if !is_asked || !numbered || mine == theirs || mine.len() != theirs.len() {
            return text;
        }
        let mut with = options.clone();
        with.csv.header = Some(true);
        match self.files[side].table(&with) {
            Ok(found) if names(&found) == theirs => {
                *options = with;
                found
            }
            _ => text,
        }
    }

    /// A text under the types of the other side. Where that says that values are UUIDs, they stand as such in
    /// the text, or as the bytes that they are.
    fn under(
        &self,
        side: usize,
        mut text: Opened,
        options: &OpenOptions,
        (typed, as_uuids): (&Opened, bool),
    ) -> Result<Opened> {
        let typed = typed.table().schema();
        if text.format == Format::JsonLines {
            text.read_under(typed, as_uuids);
            return Ok(text);
        }
        let mut options = options.clone();
        let empty = empty_columns(&text);
        for field in typed.fields() {
            let fixed = options.typing.fixed.iter().any(|(name, _)| name == field.name());
            let typing = match as_uuids {
                true => ColumnTyping::default_of(field),
                false => ColumnTyping::default_for(field.data_type()),
            };
            let Some(ty) = typing.ok().and_then(|typing| typing.type_name()) else { continue };
            let free = ty == "text" && empty.contains(field.name());
            if !fixed && !free {
                options.typing.fixed.push((field.name().clone(), ty));
            }
        }
        options.typing.fixed_if_present = true;
        self.settled(side, &options, !empty.is_empty())
    }

    /// A side, typed by all of its fields where these decide; records that are filled do.
    fn settled(&self, side: usize, options: &OpenOptions, all: bool) -> Result<Opened> {
        let mut opened = self.files[side].table(options)?;
        if all || options.csv.ragged == Ragged::Pad {
            retyped(&mut opened)?;
        }
        Ok(opened)
    }

    fn as_text(&self, side: usize, options: &[OpenOptions; 2], columns: &[String]) -> Result<Opened> {
        let mut options = options[side].clone();
        options.typing.fixed.retain(|(name, _)| !columns.contains(name));
        options.typing.fixed.extend(columns.iter().map(|name| (name.clone(), "text".to_owned())));
        self.settled(side, &options, false)
    }

    /// Columns of two texts that have different types on both sides, but for numbers whose values count.
    fn disagreeing(&self, left: &Opened, right: &Opened) -> Vec<String> {
        let (mine, theirs) = (left.table().schema(), right.table().schema());
        let differ = mine.fields().iter().filter(|field| {
            let Ok(other) = theirs.field_with_name(field.name()) else { return false };
            let tolerant =
                self.tolerances.general.is_some() || self.tolerances.columns.contains_key(field.name());
            let numbers = field.data_type().is_numeric() && other.data_type().is_numeric();
            field.data_type() != other.data_type() && !(tolerant && numbers)
        });
        differ.map(|field| field.name().clone()).collect()
    }
}

/// How much a format knows of types: nothing firm as JSON, what text tells, or all.
fn rank(format: Format) -> u8 {
    match format {
        Format::JsonLines => 0,
        format if format.is_text() => 1,
        _ => 2,
    }
}

/// The columns of delimited text, as far as it was read, that are text of which every field says null: under
/// a type that is given, most of its words would be values.
fn empty_columns(text: &Opened) -> Vec<String> {
    let Typings::Fields(typings) = text.typings() else { return Vec::new() };
    let columns = text.table().schema().fields().iter().zip(typings);
    let empty = columns.filter(|(_, typing)| matches!(typing.style.form, Form::Empty));
    empty.map(|(field, _)| field.name().clone()).collect()
}
