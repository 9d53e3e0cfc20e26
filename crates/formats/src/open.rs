//! Provides the opening of a source: which format it is, a table over it, and how its text is typed.
//!
//! A typing is proposed by a sample and checked against every field while the table is read. Where a field
//! does not fit ([`Error::Retype`]) the whole table is profiled once; the outcome is the same as if that had
//! been done first, since a profile that all fields fit is the profile of all fields. Only whether marks
//! separate thousands may be shown by fields that fit: where a sample leaves that open
//! ([`Opened::is_undecided`]), the whole table is profiled before it is read.

mod as_told;
mod certified;
mod misfit;
mod notes;
mod read_as;
mod rules;
mod spelled;
mod told;
mod why;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::binary::{in_file, open_bounded};
use crate::concat::{Concat, Fill};
use crate::csv::{
    BadRecords, CsvOptions, CsvTable, SAMPLE_CHUNKS, ScanOptions, detect as detect_dialect, sample, scan,
};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::jsonl::{self, JsonProfile, JsonTable, Layouts};
use crate::limits::RECORD_BYTES_MAX;
use crate::listen::{Heard, Listener};
use crate::passage::Passage;
use crate::recognise::detect;
use crate::registry::{Format, Wrapping};
use crate::set_aside::{self, SetAside};
use crate::signal::{self, Rows, SignalFormat};
use crate::spool::{EncodingChoice, SpoolOptions, TextFile, open_text};
use crate::table::TableSource;
use crate::text::{DecimalMarks, Fresh, Profile, merge};
use crate::words::counted;
use crate::write::WriteOptions;

pub use crate::reopen::{open_recorded, open_target, open_written};
pub(crate) use as_told::told_of_json;
pub use certified::Certified;
pub use rules::TypingRules;
use told::resolved;
pub use why::Why;
pub(crate) use why::{Found, of_json, resolve};

/// What a person may say about a source. What is not about its format is passed over, so that one set of
/// options can be given for sources of several; a caller that lets a person type them refuses what is idle.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Its format, which overrules its bytes and its name.
    pub format: Option<Format>,
    /// The container of arrays that it is, where it is one and its arrays are taken as columns.
    pub arrays: Option<SignalFormat>,
    /// Containers that its arrays are led over before.
    pub led: Vec<SignalFormat>,
    /// How delimited text is laid out.
    pub csv: CsvOptions,
    /// How text becomes typed.
    pub typing: TypingRules,
    /// What the certificate of a text tells of it, if it is followed: then nothing of that is found out.
    pub certified: Option<Arc<Certified>>,
    /// Encoding of text.
    pub encoding: EncodingChoice,
    /// Whether the difference between null and a key that is left out is kept in JSON Lines.
    pub presence: bool,
    /// What is done with bad records of text.
    pub bad: BadRecords,
    /// Bytes of a record of text that memory allows at most.
    pub record_bytes_max: usize,
    /// Different keys of JSON Lines of which memory holds what is known, those of nested objects too.
    pub keys_max: usize,
    /// Bytes of a row of another format that memory allows at most.
    pub row_bytes_max: usize,
    /// Threads that unwrap a text, and look at a sample of it.
    pub workers: usize,
    /// Directory for temporaries, where a source cannot be read twice or in place.
    pub spool_dir: PathBuf,
    /// Hears of the bytes that are read while the source is opened.
    pub listener: Listener,
}

impl OpenOptions {
    /// The same error, with the next step where it is memory that bounds the length of a record.
    fn short_of_memory(&self, error: Error) -> Error {
        match error {
            Error::Limit { place, what, max, hint } if self.record_bytes_max < RECORD_BYTES_MAX => {
                Error::Limit { place, what, max, hint: format!("give it more --memory, or {hint}") }
            }
            other => other,
        }
    }
}

/// Observations of all columns of a stretch of text, to be merged with others.
pub enum Profiled {
    /// Of delimited text.
    Csv(Vec<Profile>),
    /// Of JSON Lines.
    Json(Box<JsonProfile>),
}

/// Runs work by index on as many threads as there are, and hands over the results in order.
pub type Pool<'a> = &'a dyn Fn(
    usize,
    &(dyn Fn(usize) -> Result<Profiled> + Sync),
    &mut (dyn FnMut(Profiled) -> Result<()> + Send),
) -> Result<()>;

pub(crate) enum Table {
    Binary(Box<dyn TableSource>),
    Csv { table: CsvTable, fresh: Fresh, why: Vec<Why>, whole: bool, open: bool, by: Option<Arc<Certified>> },
    Json { table: JsonTable, why: Vec<Why>, presence: bool, whole: bool, layouts: Vec<Layouts> },
    Certified { table: JsonTable, why: Vec<Why>, by: Arc<Certified> },
    Many(Box<Concat>),
    Through(Box<Passage>),
}

/// An open source.
pub struct Opened {
    /// Its format.
    pub format: Format,
    /// Compression around it.
    pub wrapping: Wrapping,
    /// The object as it lies on disk.
    pub file: Arc<ObjectFile>,
    /// What a person should know of how it is read; [`Opened::all_notes`] adds what its types tell.
    pub notes: Vec<String>,
    /// The same of what anybody would expect, for those who ask for it.
    pub plain: Vec<String>,
    /// Bad records of text, where they were set aside and there were any.
    pub set_aside: Option<SetAside>,
    /// How its text is read, as [`Opened::read_as`] tells it.
    pub(crate) read_as: Map<String, Value>,
    /// Whether styles that metadata and certificates keep for targets that are text are followed.
    pub(crate) advised: bool,
    /// Whether its numbers may have commas because of its delimiter, which nobody told.
    pub(crate) marks_found: bool,
    pub(crate) table: Table,
}

/// Opens a source.
///
/// # Errors
/// Those of the format; every error names the file.
pub fn open(file: Arc<ObjectFile>, options: &OpenOptions) -> Result<Opened> {
    let path = file.path().to_owned();
    open_unnamed(file, options).map_err(|error| error.in_file(&path))
}

fn open_unnamed(file: Arc<ObjectFile>, options: &OpenOptions) -> Result<Opened> {
    if let Some(format) = options.arrays {
        return open_arrays(file, format, options);
    }
    let (format, wrapping) = detect(&file, options.format)?;
    let (mut notes, mut plain) = (Vec::new(), Vec::new());
    let (mut aside, mut marks_found) = (None, false);
    let table = match format {
        Format::Csv | Format::Tsv => {
            let (table, found) = open_csv(&file, format, options, &mut notes, &mut aside)?;
            marks_found = found;
            if let Table::Csv { table, .. } = &table {
                plain.clone_from(&table.dialect().plain);
            }
            table
        }
        Format::JsonLines => {
            notes.extend(options.told_of_json().map(|certified| certified.note()));
            let table = open_json(&file, options, &mut aside)?;
            if let Table::Certified { table, by, .. } = &table {
                notes.extend(by.note_on_keys(table)?);
            }
            table
        }
        binary => {
            let table = open_bounded(file.clone(), binary, options.row_bytes_max)?;
            notes.extend(table.notes());
            Table::Binary(table)
        }
    };
    match notes::on_encoding(&table, options.encoding) {
        Some((note, true)) => plain.push(note),
        Some((note, false)) => notes.push(note),
        None => {}
    }
    let (advised, read_as) = (true, read_as::of((format, wrapping), options, marks_found, &table));
    let set_aside = aside;
    let opened =
        Opened { format, wrapping, file, notes, plain, set_aside, read_as, advised, marks_found, table };
    refuse_rows_of_nothing(opened.table())?;
    Ok(opened)
}

/// The columns that arrays are. In memory they are those of Arrow.
fn open_arrays(file: Arc<ObjectFile>, format: SignalFormat, options: &OpenOptions) -> Result<Opened> {
    let mut arrays = signal::open(file.clone(), format, &options.spool_dir)?;
    for format in &options.led {
        arrays = signal::through(arrays, *format, None, false)?.arrays;
    }
    let rows = Rows::new(arrays)?;
    let notes = rows.notes();
    let table = Table::Binary(in_file(&file, Box::new(rows)));
    let (format, wrapping, read_as) = (Format::ArrowFile, Wrapping::Raw, Map::new());
    let (set_aside, advised, marks_found, plain) = (None, true, false, Vec::new());
    Ok(Opened { format, wrapping, file, notes, plain, set_aside, read_as, advised, marks_found, table })
}

/// Rows without columns hold no cells: nothing could be converted, and nothing compared.
fn refuse_rows_of_nothing(table: &dyn TableSource) -> Result<()> {
    let rows = table.rows();
    if rows == 0 || !table.schema().fields().is_empty() {
        return Ok(());
    }
    let what = format!("{} without a single column: there is no data", counted(rows, "row"));
    Err(Error::unsupported(Place::default(), what, "check that this is the right file"))
}

/// The text of a file, in place or spooled.
fn text_of(file: &Arc<ObjectFile>, options: &OpenOptions) -> Result<Arc<TextFile>> {
    let (encoding, workers, listener) = (options.encoding, options.workers, options.listener.clone());
    let spool = SpoolOptions { encoding, workers, listener, ..SpoolOptions::new(&options.spool_dir) };
    open_text(file, spool).map(Arc::new)
}

/// Opens delimited text; says whether its delimiter lets numbers have commas, which nobody told.
fn open_csv(
    file: &Arc<ObjectFile>,
    format: Format,
    options: &OpenOptions,
    notes: &mut Vec<String>,
    aside: &mut Option<SetAside>,
) -> Result<(Table, bool)> {
    let mut text = text_of(file, options)?;
    let proposed = (format == Format::Tsv).then_some(b'\t');
    let mut by = options.certified.as_ref().and_then(|by| by.beside(&options.typing));
    let layout = by.as_ref().map_or_else(|| options.csv.clone(), |by| by.layout());
    let dialect = detect_dialect(text.as_ref(), &layout, proposed).map_err(|error| text.blame(error))?;
    if let Some(by) = &by {
        by.check_names(&dialect.names)?;
        notes.push(by.note());
    }
    notes.extend(dialect.why.iter().cloned());
    for name in dialect.names.iter().filter(|name| name.renamed()) {
        let original = name.original.as_deref().unwrap_or("");
        notes.push(format!("the column headed {original:?} is called {:?}", name.name));
    }
    let mut rules = options.typing.clone();
    // Tables are delimited by semicolons because their numbers have commas.
    let marks_found = dialect.delimiter == b';' && !rules.all.marks_told;
    if marks_found {
        rules.all.decimal_marks = DecimalMarks::Either;
    }
    let fresh = rules.profiles(dialect.names.iter().map(|name| name.name.as_str()))?;
    let sorted = set_aside::fields(&text, &dialect, &fresh, by.as_deref(), options);
    if let Some(sorted) = sorted.map_err(|error| options.short_of_memory(text.blame(error)))? {
        text = Arc::new(sorted.good);
        *aside = Some(sorted.bad);
        by = by.map(|by| Arc::new(by.moved(&sorted.moved)));
    }
    let heard = Heard { text: text.as_ref(), listener: &options.listener };
    let record_bytes_max = options.record_bytes_max.min(RECORD_BYTES_MAX);
    let found = scan(&heard, &dialect, ScanOptions { record_bytes_max, ..ScanOptions::default() });
    let found = found.map_err(|error| options.short_of_memory(text.blame(error)))?;
    notes.extend(found.note(&dialect));
    let is_told = by.as_ref().is_some_and(|by| by.tells_all());
    let profiles =
        if is_told { fresh.profiles() } else { sample(&text, &dialect, &found, &fresh, options.workers)? };
    let Found { typings, why, is_open: open } = resolved(&profiles, &dialect.names, by.as_deref());
    let whole = is_told || found.marks.len() <= SAMPLE_CHUNKS;
    let table = CsvTable::new(text, dialect, found, typings);
    Ok((Table::Csv { table, fresh, why, whole, open, by }, marks_found))
}

fn open_json(file: &Arc<ObjectFile>, options: &OpenOptions, aside: &mut Option<SetAside>) -> Result<Table> {
    let mut text = text_of(file, options)?;
    let sorted = set_aside::json(&text, options);
    if let Some((good, bad)) = sorted.map_err(|error| options.short_of_memory(text.blame(error)))? {
        text = Arc::new(good);
        *aside = Some(bad);
    }
    let heard = Heard { text: text.as_ref(), listener: &options.listener };
    let found = jsonl::scan_within(&heard, options.record_bytes_max, options.keys_max);
    let found = found.map_err(|error| options.short_of_memory(text.blame(error)))?;
    if let Some(certified) = options.told_of_json() {
        let (table, why) = certified.table(text, found);
        return Ok(Table::Certified { table, why, by: certified.clone() });
    }
    // The order of columns is that of their first appearance, so a sample must be a prefix.
    let profile = jsonl::observe(&text, &found, 0..1)?;
    let presence = options.presence;
    let resolved = profile.resolve(presence);
    let why = of_json(&resolved);
    let whole = found.marks.len() <= 1;
    let table = JsonTable::new(text, found, resolved.schema, resolved.typings);
    Ok(Table::Json { table, why, presence, whole, layouts: resolved.layouts })
}

impl Opened {
    /// The same table, read by way of a format: its rows are written in that format and read again, in
    /// memory, when they are asked for. Texts must have the types that all of their fields fit.
    ///
    /// # Errors
    /// A column that the format cannot carry, or that comes back as another type.
    pub fn by_way_of(mut self, options: WriteOptions) -> Result<Self> {
        let path = self.file.path().to_owned();
        let (format, wrapping, file, advised) = (self.format, self.wrapping, self.file.clone(), self.advised);
        let (notes, set_aside, marks_found) =
            (std::mem::take(&mut self.notes), self.set_aside.take(), self.marks_found);
        let plain = std::mem::take(&mut self.plain);
        let read_as = Map::new();
        let passage = Passage::new(self, options).map_err(|error| error.in_file(&path))?;
        let table = Table::Through(Box::new(passage));
        Ok(Self { format, wrapping, file, notes, plain, set_aside, read_as, advised, marks_found, table })
    }

    /// Its rows.
    pub fn table(&self) -> &dyn TableSource {
        match &self.table {
            Table::Binary(table) => table.as_ref(),
            Table::Csv { table, .. } => table,
            Table::Json { table, .. } | Table::Certified { table, .. } => table,
            Table::Many(table) => table.as_ref(),
            Table::Through(passage) => passage.as_ref(),
        }
    }

    /// The format of each source, in order.
    pub fn formats(&self) -> Vec<Format> {
        match &self.table {
            Table::Many(table) => table.formats(),
            Table::Through(passage) => passage.inner().formats(),
            _ => Vec::from([self.format]),
        }
    }

    /// Columns that single sources lack, where several are one table.
    pub fn fills(&self) -> &[Fill] {
        match &self.table {
            Table::Many(table) => table.fills(),
            Table::Through(passage) => passage.inner().fills(),
            _ => &[],
        }
    }

    /// Records that a scan which shares no code with the decoder counted. Binary formats declare their rows
    /// in more than one place, and opening them compares those.
    pub fn records(&self) -> u64 {
        self.table().rows()
    }

    /// Whether its types come from its text and were proposed by a sample.
    pub fn can_retype(&self) -> bool {
        match &self.table {
            Table::Csv { whole, .. } | Table::Json { whole, .. } => !whole,
            Table::Many(table) => table.can_retype(),
            Table::Binary(_) | Table::Certified { .. } | Table::Through(_) => false,
        }
    }

    /// Whether a sample proposed its types that other rows may change though they fit: whoever reads it types
    /// it by all of its fields before ([`Opened::retype`]).
    pub fn is_undecided(&self) -> bool {
        match &self.table {
            Table::Csv { whole, open, .. } => *open && !whole,
            Table::Many(table) => table.is_undecided(),
            _ => false,
        }
    }

    /// Why each column has its type; empty where there is nothing to say.
    pub fn why(&self) -> &[Why] {
        match &self.table {
            Table::Binary(_) => &[],
            Table::Csv { why, .. } | Table::Json { why, .. } | Table::Certified { why, .. } => why,
            Table::Many(table) => table.why(),
            Table::Through(passage) => passage.inner().why(),
        }
    }

    /// Whether several sources are one table.
    fn has_many(&self) -> bool {
        match &self.table {
            Table::Many(_) => true,
            Table::Through(passage) => passage.inner().has_many(),
            _ => false,
        }
    }

    /// What tells its types, where a certificate does.
    pub fn certified(&self) -> Option<&Certified> {
        match &self.table {
            Table::Certified { by, .. } => Some(by),
            Table::Csv { by, .. } => by.as_deref(),
            Table::Many(table) => table.certified(),
            Table::Through(passage) => passage.inner().certified(),
            _ => None,
        }
    }

    /// Profiles the whole text and takes the typing that all fields fit.
    pub fn retype(&mut self, pool: Pool<'_>) -> Result<()> {
        let path = self.file.path().to_owned();
        match &mut self.table {
            Table::Binary(_) | Table::Certified { .. } | Table::Through(_) => Ok(()),
            Table::Many(table) => table.retype(pool),
            Table::Csv { table, fresh, why, whole, by, .. } => {
                *whole = true;
                retype_csv(table, fresh, by.as_deref(), pool).map(|found| *why = found)
            }
            Table::Json { table, why, presence, whole, .. } => {
                *whole = true;
                retype_json(table, *presence, pool).map(|found| *why = found)
            }
        }
        .map_err(|error| error.in_file(&path))
    }

    /// Whether its sample leaves open how numbers are laid out: those in it are alike in several layouts.
    fn is_open(&self) -> bool {
        match &self.table {
            Table::Json { whole, layouts, .. } => !whole && layouts.iter().any(|layouts| layouts.is_open()),
            _ => false,
        }
    }

    /// Leaves it open until [`Opened::settle`], for targets that hold styles only behind all values.
    pub fn leave_open(&mut self) {
        let open = self.is_open();
        if let Table::Json { table, layouts, .. } = &mut self.table
            && open
        {
            table.leave(layouts);
        }
    }

    /// Once all rows were read: takes the layouts that all numbers fit, as [`Opened::retype`] would. Says
    /// whether these are others than the sample proposed.
    pub fn settle(&mut self) -> bool {
        match &mut self.table {
            Table::Json { table, whole, .. } => {
                *whole = true;
                table.settle()
            }
            _ => false,
        }
    }
}

fn retype_csv(
    table: &mut CsvTable,
    fresh: &Fresh,
    by: Option<&Certified>,
    pool: Pool<'_>,
) -> Result<Vec<Why>> {
    let mut merged = None;
    let observe = |chunk: usize| Ok(Profiled::Csv(table.observe_chunk(chunk, fresh)?));
    pool(table.chunks(), &observe, &mut |more| {
        if let Profiled::Csv(more) = more {
            merge(&mut merged, more);
        }
        Ok(())
    })?;
    let found = resolved(&merged.unwrap_or_else(|| fresh.profiles()), &table.dialect().names, by);
    table.retype(found.typings);
    Ok(found.why)
}

fn retype_json(table: &mut JsonTable, presence: bool, pool: Pool<'_>) -> Result<Vec<Why>> {
    let mut merged = JsonProfile::new();
    let observe = |chunk: usize| Ok(Profiled::Json(Box::new(table.observe_chunk(chunk)?)));
    pool(table.chunks(), &observe, &mut |more| match more {
        Profiled::Json(more) => merged.merge(&more),
        Profiled::Csv(_) => Ok(()),
    })?;
    let resolved = merged.resolve(presence);
    table.retype(&resolved);
    Ok(of_json(&resolved))
}
