//! Provides the one error of this crate, sorted by whose fault it is, with the place where it was seen.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::words::counted;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a source or target something was seen. Every part is optional: a footer has no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: Option<PathBuf>,
    /// Byte offset from the start of the file (of the decompressed text, where it is wrapped), in whatever
    /// encoding its text is.
    pub byte: Option<u64>,
    /// Record number, counted from 1; a header is not a record.
    pub row: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
}

impl Place {
    /// A place that names only a byte offset.
    pub fn at_byte(byte: u64) -> Self {
        Place { byte: Some(byte), ..Place::default() }
    }

    /// A place that names only a record, counted from 1.
    pub fn at_row(row: u64) -> Self {
        Place { row: Some(row), ..Place::default() }
    }

    /// What stands before a message about this place: nothing where it names nothing.
    fn lead(&self) -> String {
        if *self == Place::default() { String::new() } else { format!("{self}: ") }
    }

    /// The same place, in this column.
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = Some(name.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(path) = &self.path {
            parts.push(path.display().to_string());
        }
        if let Some(row) = self.row {
            parts.push(format!("record {row}"));
        }
        if let Some(column) = &self.column {
            parts.push(format!("column {column:?}"));
        }
        if let Some(byte) = self.byte {
            parts.push(format!("byte {byte}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// Something that cannot be carried over, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What cannot be carried and what would be lost.
    pub what: String,
    /// The option or command that goes on from here.
    pub hint: String,
}

impl Obstacle {
    /// The line that it is among several of them.
    fn line(&self) -> String {
        format!("  {}; {}", self.what, self.hint)
    }
}

/// What went wrong, sorted by blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes break the rules of their format.
    #[error("{}malformed {format}: {what}", .place.lead())]
    Malformed {
        /// Where.
        place: Box<Place>,
        /// Name of the format.
        format: &'static str,
        /// What was found, and what was expected.
        what: String,
    },
    /// The bytes are right, but this program cannot carry them over.
    #[error("{}{what}; {hint}{}", .place.lead(), below(.more))]
    Unsupported {
        /// Where.
        place: Box<Place>,
        /// What cannot be carried and what would be lost.
        what: String,
        /// The option or command that goes on from here.
        hint: String,
        /// Each thing, where several stand in the way.
        more: Vec<Obstacle>,
    },
    /// A documented bound was passed.
    #[error("{}{what} is above the limit of {max}; {hint}", .place.lead())]
    Limit {
        /// Where.
        place: Box<Place>,
        /// The quantity.
        what: &'static str,
        /// Its bound.
        max: u64,
        /// What to do about it.
        hint: String,
    },
    /// A field does not have the type that was proposed for its column: the typing must be widened, or, where
    /// the type was given by a person, it is wrong.
    #[error("{place}: the field does not fit the type of its column; give the column another one")]
    Retype {
        /// Where the first such field was seen.
        place: Box<Place>,
        /// Index of the column.
        column: usize,
    },
    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    Misuse(String),
    /// The caller asked for a compression that there is not.
    #[error("--compression: {0}")]
    Compression(String),
    /// A source changed between two reads.
    #[error("{}: changed while it was being read; convert it again once nothing writes to it", .0.display())]
    Changed(PathBuf),
    /// The operating system refused.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Stopped,
    /// An invariant of this program does not hold.
    #[error("bug in isoform: {0}; please report it")]
    Bug(String),
}

impl Error {
    /// Bytes that break the rules of `format` at `place`.
    pub fn malformed(format: &'static str, place: Place, what: impl Into<String>) -> Self {
        Error::Malformed { place: Box::new(place), format, what: what.into() }
    }

    /// Something that cannot be carried over, with the way on.
    pub fn unsupported(place: Place, what: impl Into<String>, hint: impl Into<String>) -> Self {
        let (place, what, hint) = (Box::new(place), what.into(), hint.into());
        Error::Unsupported { place, what, hint, more: Vec::new() }
    }

    /// What is told, and the lines below it: one for each of several things that stand in the way. Names in
    /// them are as others gave them.
    pub fn lines(&self) -> (String, Vec<String>) {
        match self {
            Error::Unsupported { place, what, hint, more } => {
                (format!("{}{what}; {hint}", place.lead()), more.iter().map(Obstacle::line).collect())
            }
            other => (other.to_string(), Vec::new()),
        }
    }

    /// All that stands in the way, at once, so that nobody meets one thing after the other. A single one is
    /// told as such.
    pub fn obstacles(place: Place, all: Vec<Obstacle>) -> Self {
        if let [Obstacle { what, hint }] = all.as_slice() {
            return Self::unsupported(place, what, hint);
        }
        let what = format!("{} stand in the way", counted(all.len(), "thing"));
        let (place, hint) = (Box::new(place), "see to each of them:".to_owned());
        Error::Unsupported { place, what, hint, more: all }
    }

    /// The same error behind other things that stand in the way, where it is about one itself.
    pub(crate) fn behind(self, mut others: Vec<Obstacle>) -> Self {
        match self {
            Error::Unsupported { place, what, hint, more } if !others.is_empty() => {
                others.extend(each(&place, what, hint, more));
                Self::obstacles(Place::default(), others)
            }
            other => other,
        }
    }

    /// Several errors behind other things that stand in the way, where each is about one itself; one that is
    /// not is told alone.
    pub(crate) fn together(mut errors: Vec<Self>, mut others: Vec<Obstacle>) -> Self {
        let last = errors.pop();
        for error in errors {
            match error {
                Error::Unsupported { place, what, hint, more } => {
                    others.extend(each(&place, what, hint, more))
                }
                other => return other,
            }
        }
        match last {
            Some(error) => error.behind(others),
            None => Self::obstacles(Place::default(), others),
        }
    }

    /// A row, counted from 1, whose record is longer than readers of the target take.
    pub(crate) fn too_long_to_read(row: impl Into<Option<u64>>, max: usize) -> Self {
        Error::Limit {
            place: Box::new(Place { row: row.into(), ..Place::default() }),
            what: "the length in bytes of what becomes of it in the target",
            max: max as u64,
            hint: "convert into a format that holds longer values, such as Parquet".to_owned(),
        }
    }

    /// What to do about bytes that break the rules of their format, where the message does not end with it.
    pub fn next_step(&self) -> Option<&'static str> {
        let Error::Malformed { format, what, place } = self else { return None };
        if what.contains("; ") {
            return None;
        }
        match *format {
            "CSV" | "JSON Lines" => {
                place.row.map(|_| "mend the record, or have convert set it aside with --rejects FILE")
            }
            "file" => Some("give the format that it has with --from, or get the file again"),
            "table" => Some("write the file again, with values of its types"),
            "record of types (isoform.types)" | "recorded type" => {
                Some("convert the source of the file again")
            }
            _ => Some("the file is damaged: get it again, or write it again"),
        }
    }

    /// A refusal by the operating system.
    pub fn io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Error::Io { path: path.into(), error }
    }

    /// A refusal by the operating system to give a thread on which a file is read.
    pub fn no_thread(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let told = format!(
            "the system gives no thread to read it on ({error}); run fewer programs at once, or raise the \
             limit (ulimit -u)"
        );
        Error::io(path, io::Error::new(error.kind(), told))
    }

    /// Where it was seen, if it says so.
    pub(crate) fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Error::Malformed { place, .. }
            | Error::Unsupported { place, .. }
            | Error::Limit { place, .. }
            | Error::Retype { place, .. } => Some(place),
            _ => None,
        }
    }

    /// The same error where records were numbered after `rows` others: its record as its own source counts.
    pub(crate) fn rows_after(mut self, rows: u64) -> Self {
        if let Some(place) = self.place_mut() {
            place.row = place.row.map(|row| row.saturating_sub(rows));
        }
        self
    }

    /// The same error where records were numbered without `rows` others before them.
    pub(crate) fn rows_before(mut self, rows: u64) -> Self {
        if let Some(place) = self.place_mut() {
            place.row = place.row.map(|row| row.saturating_add(rows));
        }
        self
    }

    /// The same error, naming this byte where it named none.
    pub(crate) fn at_byte(mut self, byte: u64) -> Self {
        if let Error::Malformed { place, .. } | Error::Unsupported { place, .. } = &mut self {
            place.byte.get_or_insert(byte);
        }
        self
    }

    /// The same error, naming this column where it named none.
    pub(crate) fn in_column(mut self, name: &str) -> Self {
        match &mut self {
            Error::Malformed { place, .. }
            | Error::Unsupported { place, .. }
            | Error::Limit { place, .. } => {
                place.column.get_or_insert_with(|| name.to_owned());
            }
            _ => {}
        }
        self
    }

    /// The same error, naming this record, counted from 1, and column where it named none.
    pub(crate) fn at_cell(mut self, row: u64, column: &str) -> Self {
        if let Error::Malformed { place, .. } | Error::Unsupported { place, .. } = &mut self {
            place.row.get_or_insert(row);
        }
        self.in_column(column)
    }

    /// The same error, naming this record, counted from 1, where it named none.
    pub(crate) fn at_row(mut self, row: u64) -> Self {
        if let Some(place) = self.place_mut() {
            place.row.get_or_insert(row);
        }
        self
    }

    /// The same error, at this byte of its file where it names none.
    pub(crate) fn or_at(mut self, byte: u64) -> Self {
        if let Error::Malformed { place, .. } = &mut self {
            place.byte.get_or_insert(byte);
        }
        self
    }

    /// The same error, naming `path` where it named no file.
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        if let Some(place) = self.place_mut() {
            place.path.get_or_insert_with(|| path.to_owned());
        }
        self
    }
}

/// The lines below an error.
fn below(more: &[Obstacle]) -> String {
    more.iter().map(|one| format!("\n{}", one.line())).collect()
}

/// The things that one error tells, each with its place.
fn each(place: &Place, what: String, hint: String, more: Vec<Obstacle>) -> Vec<Obstacle> {
    let all = if more.is_empty() { vec![Obstacle { what, hint }] } else { more };
    let placed = |one: Obstacle| Obstacle { what: format!("{}{}", place.lead(), one.what), ..one };
    all.into_iter().map(placed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(what: &str) -> Obstacle {
        Obstacle { what: what.to_owned(), hint: format!("do {what}") }
    }

    #[test]
    fn all_that_stands_in_the_way_is_told_at_once() {
        let place = || Place { path: Some("x".into()), ..Place::default() };
        assert_eq!(Error::obstacles(place(), vec![one("a")]).to_string(), "x: a; do a");
        let both = Error::obstacles(place(), vec![one("a"), one("b")]).to_string();
        assert_eq!(both, "x: 2 things stand in the way; see to each of them:\n  a; do a\n  b; do b");
    }

    #[test]
    fn an_error_stands_behind_others_with_its_place() {
        let error = || Error::unsupported(Place::default().column("w"), "c", "do c");
        assert_eq!(error().behind(Vec::new()).to_string(), "column \"w\": c; do c");
        let told = error().behind(vec![one("a")]).to_string();
        assert!(told.ends_with(":\n  a; do a\n  column \"w\": c; do c"), "{told}");
        let told = Error::together(vec![error(), error()], vec![one("a")]).to_string();
        assert!(told.contains("3 things") && told.matches("column \"w\": c; do c").count() == 2, "{told}");
        assert_eq!(Error::together(vec![error()], Vec::new()).to_string(), error().to_string());
        assert_eq!(Error::together(vec![Error::Stopped, error()], Vec::new()).to_string(), "stopped");
        // Several things are told beside others as each of them.
        let two = Error::obstacles(Place::default().column("w"), vec![one("a"), one("b")]);
        let (first, below) = two.behind(vec![one("c")]).lines();
        assert_eq!(first, "3 things stand in the way; see to each of them:");
        assert_eq!(below, ["  c; do c", "  column \"w\": a; do a", "  column \"w\": b; do b"]);
        // What is no such thing is told alone.
        assert_eq!(Error::Misuse("m".into()).behind(vec![one("a")]).to_string(), "m");
    }
}
