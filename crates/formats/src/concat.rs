//! Provides several sources as one table: their rows in the order of the sources, under one schema.
//!
//! Text is typed jointly: the profiles of all sources are merged, so that a column is of a type only if all
//! sources agree to it. A source that lacks a column is refused, unless columns are united by name. Columns
//! that no source holds follow: those that its directories tell, and the one of its name.

mod agree;
mod held;
mod members;
mod more;
mod order;
mod told;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::file::ObjectFile;
use crate::jsonl;
use crate::open::{
    Certified, Found, OpenOptions, Opened, Pool, Profiled, Table, Why, of_json, open, resolve,
};
use crate::partition::PathColumn;
use crate::registry::Format;
use crate::table::{Batches, TableSource};
use crate::text::{ColumnTyping, Fresh, Profile};
use crate::typings::Typings;
use crate::words::counted;
use held::Held;
use more::Added;
use order::Shown;

/// How several sources become one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConcatOptions {
    /// Whether columns are united by name, and null where a source lacks them.
    pub union: bool,
    /// Name of a text column that is added and holds the name of each row's source.
    pub source_column: Option<String>,
    /// Columns that the directories of the sources tell, outermost first.
    pub path_columns: Vec<PathColumn>,
}

/// One of several sources.
pub struct Input {
    /// The object.
    pub file: Arc<ObjectFile>,
    /// What the column of sources holds, and what messages call it. Its directories tell the columns of paths
    /// where those of the object do not: it may have been moved.
    pub name: PathBuf,
    /// How it is read.
    pub options: OpenOptions,
}

/// A column that a source lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The source.
    pub source: PathBuf,
    /// The column.
    pub column: String,
    /// Rows in which it is null for that reason.
    pub rows: u64,
}

/// Several tables, one after another.
pub(crate) struct Concat {
    members: Vec<Member>,
    /// The columns of the members, and behind them those that are added.
    schema: SchemaRef,
    kind: Kind,
    fills: Vec<Fill>,
    /// Columns that no member holds, behind the others.
    added: Vec<Added>,
    /// All of these in the order that others see.
    shown: Shown,
}

/// One of the tables.
struct Member {
    opened: Opened,
    name: PathBuf,
    /// Rows of the tables before it.
    rows_before: u64,
    /// Bytes of the tables before it, as [`TableSource::byte_range`] counts them.
    bytes_before: u64,
    /// For each column of the whole, its index in this table.
    columns: Vec<Option<usize>>,
    /// Its value, in one row, of each column that is added.
    added: Vec<ArrayRef>,
    /// Columns that it holds and its directories tell as well.
    held: Vec<Held>,
}

impl Member {
    fn rows(&self) -> u64 {
        self.opened.table().rows()
    }
}

/// How the columns stand in the sources.
enum Kind {
    Fields { fresh: Fresh, typings: Vec<ColumnTyping>, why: Vec<Why>, whole: bool, open: bool },
    Json { typings: Vec<jsonl::Typing>, why: Vec<Why> },
    Typed(Typings),
}

/// Opens several sources as one.
///
/// # Errors
/// Those of each format; sources of different kinds; columns that do not agree, with the first source and
/// column that differ.
pub fn open_many(inputs: Vec<Input>, options: &ConcatOptions) -> Result<Opened> {
    let mut members = Vec::with_capacity(inputs.len());
    let (mut rows_before, mut bytes_before) = (0, 0);
    let rules = inputs.first().map(|input| input.options.typing.clone()).unwrap_or_default();
    for input in inputs {
        let mut reading = input.options;
        // A type that was given for a column must fit the whole, not each source.
        reading.typing.fixed_if_present = true;
        let certified = reading.certified.take();
        reading.certified = certified.map(|told| Arc::new(told.of_file(&input.name, rows_before)));
        let opened = open(input.file, &reading)?;
        let table = opened.table();
        let (rows, bytes) = (table.rows(), table.byte_range(0..table.rows()).end);
        let (columns, added, held) = (Vec::new(), Vec::new(), Vec::new());
        members.push(Member { opened, name: input.name, rows_before, bytes_before, columns, added, held });
        rows_before += rows;
        bytes_before += bytes;
    }
    let Some(first) = members.first() else {
        return Err(Error::Misuse("there is no source".into()));
    };
    let (format, wrapping, file) = (first.opened.format, first.opened.wrapping, first.opened.file.clone());
    agree::check_kinds(&members)?;
    let mut concat = match format {
        Format::Csv | Format::Tsv if members.iter().all(|member| is_told(&member.opened)) => {
            agree::told_fields(members, options, &rules)?
        }
        Format::Csv | Format::Tsv => agree::fields(members, options, &rules)?,
        Format::JsonLines if members.iter().all(|member| member.opened.certified().is_some()) => {
            agree::certified(members)
        }
        Format::JsonLines => agree::json(members, options)?,
        _ => agree::typed(members, options)?,
    };
    concat.add_path_columns(&options.path_columns)?;
    if let Some(name) = &options.source_column {
        concat.add_source_column(name)?;
    }
    concat.append_added();
    let (notes, plain) = (concat.notes(), concat.told(|opened| &opened.plain));
    let set_aside = concat.members.iter_mut().map(|member| member.opened.set_aside.take());
    let set_aside = set_aside.collect::<Vec<_>>().into_iter().flatten().collect();
    let marks_found = concat.members.iter().any(|member| member.opened.marks_found);
    let table = Table::Many(Box::new(concat));
    let set_aside = crate::set_aside::joined(set_aside);
    let (advised, read_as) = (true, Map::new());
    Ok(Opened { format, wrapping, file, notes, plain, set_aside, read_as, advised, marks_found, table })
}

/// Whether a certificate tells the types of all columns.
fn is_told(opened: &Opened) -> bool {
    opened.certified().is_some_and(Certified::tells_all)
}

/// What the headers of all members that have a column call it, where that is not its name; for each column.
fn source_names(members: &[Member], columns: usize) -> Vec<Option<String>> {
    let mut known: Vec<Option<Option<String>>> = vec![None; columns];
    for member in members {
        let typings = member.opened.typings();
        let names = typings.source_names();
        for (known, column) in known.iter_mut().zip(&member.columns) {
            let Some(column) = column else { continue };
            let name = names.get(*column).copied().flatten();
            *known = Some(match known.take() {
                None => name.map(str::to_owned),
                Some(before) => before.filter(|before| Some(before.as_str()) == name),
            });
        }
    }
    known.into_iter().map(Option::flatten).collect()
}

/// The error of one member, whose records were numbered after those before it.
fn named(error: Error, member: &Member) -> Error {
    error.rows_after(member.rows_before).in_file(&member.name)
}

impl Concat {
    /// These members, under this schema, with nothing added.
    fn of(members: Vec<Member>, schema: SchemaRef, kind: Kind, fills: Vec<Fill>) -> Self {
        Concat { members, schema, kind, fills, added: Vec::new(), shown: Shown::none() }
    }

    pub(crate) fn fills(&self) -> &[Fill] {
        &self.fills
    }

    pub(crate) fn formats(&self) -> Vec<Format> {
        self.members.iter().map(|member| member.opened.format).collect()
    }

    pub(crate) fn read_as(&self) -> Vec<Map<String, Value>> {
        self.members.iter().flat_map(|member| member.opened.read_as()).collect()
    }

    pub(crate) fn layout(&self) -> Vec<String> {
        self.members.iter().flat_map(|member| member.opened.layout()).collect()
    }

    pub(crate) fn typings(&self) -> Typings {
        let typings = match &self.kind {
            Kind::Fields { typings, .. } => Typings::Fields(typings.clone()),
            Kind::Json { typings, .. } => Typings::Json(typings.clone()),
            Kind::Typed(typings) => typings.clone(),
        };
        typings.project(&self.shown.order)
    }

    /// What tells the types of all of them, where a certificate does.
    pub(crate) fn certified(&self) -> Option<&Certified> {
        self.members.first().and_then(|member| member.opened.certified())
    }

    pub(crate) fn why(&self) -> &[Why] {
        &self.shown.why
    }

    /// The source in which a row stands, and its number there.
    pub(crate) fn place_of(&self, row: u64) -> Option<(&Path, u64)> {
        let member = self.members.iter().rev().find(|member| member.rows_before <= row)?;
        Some((&member.name, row - member.rows_before))
    }

    pub(crate) fn can_retype(&self) -> bool {
        matches!(self.kind, Kind::Fields { whole: false, .. })
    }

    pub(crate) fn is_undecided(&self) -> bool {
        matches!(self.kind, Kind::Fields { whole: false, open: true, .. })
    }

    /// Profiles of one chunk of one member, for the columns that it has.
    fn observe(&self, at: usize, chunk: usize) -> Result<Vec<Profile>> {
        let Kind::Fields { fresh, .. } = &self.kind else { return Ok(Vec::new()) };
        let member = &self.members[at];
        let fresh = fresh.placed(member.opened.table().schema().fields().len(), &member.columns);
        let observed = member.opened.observe_fields(chunk, member.rows_before, &fresh);
        observed.map_err(|error| named(error, member))
    }

    fn merge_fields(&self, merged: &mut [Profile], at: usize, more: &[Profile]) {
        for (profile, column) in merged.iter_mut().zip(&self.members[at].columns) {
            if let Some(column) = column {
                profile.merge(&more[*column]);
            }
        }
    }

    /// Takes the typing that these profiles of all columns give.
    fn set_fields(&mut self, names: &[String], merged: &[Profile], all: bool) {
        let shown: Vec<&str> = names.iter().map(String::as_str).collect();
        self.take_fields(names, resolve(merged, &shown), all);
    }

    /// Takes these typings of all columns.
    fn take_fields(&mut self, names: &[String], found: Found, all: bool) {
        let Kind::Fields { typings, why, whole, open, .. } = &mut self.kind else { return };
        Found { typings: *typings, why: *why, is_open: *open } = found;
        *whole = all;
        let columns = names.iter().zip(typings.iter());
        let columns = columns.map(|(name, typing)| typing.field(name));
        self.schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        for member in &mut self.members {
            let width = member.opened.table().schema().fields().len();
            let mut own = vec![None; width];
            for (typing, column) in typings.iter().zip(&member.columns) {
                if let Some(column) = column {
                    own[*column] = Some(typing.clone());
                }
            }
            member.opened.retype_fields(member.rows_before, own.into_iter().flatten().collect());
        }
        let names = source_names(&self.members, typings.len());
        typings.iter_mut().zip(names).for_each(|(typing, name)| typing.source_name = name);
    }

    /// Profiles all chunks of all members.
    pub(crate) fn retype(&mut self, pool: Pool<'_>) -> Result<()> {
        let mut work = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            work.extend((0..member.opened.chunks()).map(|chunk| (at, chunk)));
        }
        let Kind::Fields { fresh, .. } = &self.kind else { return Ok(()) };
        let mut merged = fresh.profiles();
        let mut next = 0;
        let observe = |index: usize| Ok(Profiled::Csv(self.observe(work[index].0, work[index].1)?));
        pool(work.len(), &observe, &mut |more| {
            if let Profiled::Csv(more) = more {
                self.merge_fields(&mut merged, work[next].0, &more);
            }
            next += 1;
            Ok(())
        })?;
        let names = self.schema.fields().iter().take(merged.len());
        let names: Vec<String> = names.map(|field| field.name().clone()).collect();
        self.set_fields(&names, &merged, true);
        self.append_added();
        Ok(())
    }

    /// Reads JSON under a schema that is made of the present one.
    pub(crate) fn retype_json(&mut self, make: impl FnOnce(&Schema, &[jsonl::Typing]) -> jsonl::Resolved) {
        let Kind::Json { typings, .. } = &self.kind else { return };
        let own = typings.len() - self.added.len();
        let columns: Vec<_> = self.schema.fields().iter().take(own).cloned().collect();
        let resolved = make(&Schema::new(columns), &typings[..own]);
        for member in &mut self.members {
            member.opened.retype_json(member.rows_before, &resolved);
        }
        let why = of_json(&resolved);
        self.kind = Kind::Json { why, typings: resolved.typings };
        self.schema = resolved.schema;
        self.append_added();
    }

    /// What a person should know.
    fn notes(&self) -> Vec<String> {
        let filled = self.fills.iter().map(|fill| {
            let (source, column, rows) = (fill.source.display(), &fill.column, counted(fill.rows, "row"));
            format!("{source}: has no column {column:?}; it is null in {rows}")
        });
        self.told(|opened| &opened.notes).into_iter().chain(filled).collect()
    }

    /// What is said of the sources: what holds for all of them once, the rest with its source.
    fn told(&self, said: impl Fn(&Opened) -> &Vec<String>) -> Vec<String> {
        let mut known: Vec<(&String, Vec<&Member>)> = Vec::new();
        for member in &self.members {
            for note in said(&member.opened) {
                match known.iter_mut().find(|(known, _)| *known == note) {
                    Some((_, of)) => of.push(member),
                    None => known.push((note, vec![member])),
                }
            }
        }
        let told = known.into_iter().map(|(note, of)| match of.len() {
            n if n == self.members.len() => note.clone(),
            1 => format!("{}: {note}", of[0].name.display()),
            n => format!("{} and {} more: {note}", of[0].name.display(), n - 1),
        });
        told.collect()
    }

    /// A batch of a member, which begins at this row of its own, as one of the whole.
    fn united(&self, member: &Member, row: u64, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (column, field) in member.columns.iter().zip(self.schema.fields()) {
            columns.push(match column {
                Some(at) if batch.column(*at).data_type() == field.data_type() => batch.column(*at).clone(),
                Some(at) => arrow_cast::cast(batch.column(*at), field.data_type())
                    .map_err(|error| Error::Bug(format!("lengthening the offsets of a column: {error}")))?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        self.check_held(member, row, &columns)?;
        for value in &member.added {
            columns.push(more::repeated(value, rows)?);
        }
        self.shown.batch(&columns, rows)
    }
}

impl TableSource for Concat {
    fn schema(&self) -> &SchemaRef {
        &self.shown.schema
    }

    fn rows(&self) -> u64 {
        self.members.iter().map(Member::rows).sum()
    }

    fn byte_range(&self, rows: Range<u64>) -> Range<u64> {
        let mut bytes: Option<Range<u64>> = None;
        for (member, own) in self.touched(&rows) {
            let own = member.opened.table().byte_range(own);
            let (start, end) = (own.start + member.bytes_before, own.end + member.bytes_before);
            bytes = Some(bytes.map_or(start..end, |known| known.start..end));
        }
        bytes.unwrap_or(0..0)
    }

    fn batches(&self, rows: Range<u64>) -> Result<Batches<'_>> {
        let mut wanted = self.touched(&rows).into_iter();
        let mut current: Option<(&Member, u64, Batches<'_>)> = None;
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                if let Some((member, row, batches)) = &mut current {
                    match batches.next() {
                        Some(Ok(batch)) => {
                            let first = std::mem::replace(row, *row + batch.num_rows() as u64);
                            return Some(self.united(member, first, &batch));
                        }
                        Some(Err(error)) => return Some(Err(self.shown_error(member, error))),
                        None => current = None,
                    }
                }
                let (member, own) = wanted.next()?;
                let first = own.start;
                match member.opened.table().batches(own) {
                    Ok(batches) => current = Some((member, first, batches)),
                    Err(error) => return Some(Err(self.shown_error(member, error))),
                }
            }
        })))
    }

    fn held_bytes(&self) -> u64 {
        self.members.iter().map(|member| member.opened.table().held_bytes()).max().unwrap_or(0)
    }

    fn check_structure(&self) -> Result<()> {
        self.members.iter().try_for_each(|member| member.opened.table().check_structure())
    }
}

impl Concat {
    /// The members that hold some of `rows`, each with its own numbers of those.
    fn touched(&self, rows: &Range<u64>) -> Vec<(&Member, Range<u64>)> {
        let own = |member: &Member| {
            let end = member.rows_before + member.rows();
            let (start, end) = (rows.start.max(member.rows_before), rows.end.min(end));
            start.saturating_sub(member.rows_before)..end.saturating_sub(member.rows_before)
        };
        let all = self.members.iter().map(|member| (member, own(member)));
        all.filter(|(_, own)| own.start < own.end).collect()
    }
}
