//! Provides schema inference: a fold over records whose result does not depend on how they were grouped.
//!
//! What counts as content: the values, the text of numbers, which keys an object has, and whether an absent
//! value is `null` or left out. Not content: white space between tokens, the order of keys within an object,
//! and how a string is escaped. An object with a key twice is malformed, because readers differ on its value.
//!
//! A sample that is to propose a schema must be a prefix of the file: fields stand in order of their first
//! appearance, and only a prefix knows that order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};

use super::layouts::Layouts;
use super::lexer::{Cursor, DUPLICATE, Fault};
use super::number_profile::{NumberProfile, Spot, Witness, earlier};
use super::resolved::{Resolved, Said};
use super::typing::{Absence, Style, Typing};
use super::{Record, fault};
use crate::{Error, Place, Result, limits};

/// Keys of one nested object type at most. Objects above this are dictionaries whose keys are data, and are
/// kept as JSON text; tables with that many real columns in one nested object have not been seen.
pub const NESTED_FIELDS_MAX: usize = 4_096;

/// Why values are kept as JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonText {
    /// They are of several kinds, such as strings and numbers.
    Kinds,
    /// They are numbers that no type gives back.
    Numbers,
    /// They are objects of more than [`NESTED_FIELDS_MAX`] different keys.
    Keys,
    /// They are objects of which all are empty.
    Empty,
}

/// What a column that tells where keys are left out has behind the name of its column.
const PRESENCE_SUFFIX: &str = "_missing";

/// What is known of a file's records so far.
#[derive(Debug, Clone)]
pub struct JsonProfile {
    root: ObjectProfile,
    /// Keys that it knows, those of nested objects too, and may know.
    keys: (usize, usize),
}

impl Default for JsonProfile {
    fn default() -> Self {
        JsonProfile { root: ObjectProfile::default(), keys: (0, usize::MAX) }
    }
}

impl JsonProfile {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, of records with so many different keys at most, those of nested objects too.
    pub fn within(keys_max: usize) -> Self {
        JsonProfile { keys: (0, keys_max), ..Self::default() }
    }

    /// Adds one record. Errors: `Malformed` with the place; `Limit` for depth and the number of columns and
    /// keys.
    pub fn observe(&mut self, record: Record<'_>) -> Result<()> {
        let mut cursor = Cursor::new(record.text);
        cursor.keys = self.keys;
        let found = if cursor.peek() == b'{' {
            self.root.observe(record.row, &mut cursor, (0, usize::MAX)).and_then(|()| cursor.end())
        } else {
            Err(super::not_an_object(&mut cursor))
        };
        self.keys = cursor.keys;
        found.map_err(|reason| fault(record, &cursor, reason, 0))?;
        self.check_size(record.row)
    }

    /// Adds all records of another profile of the same file.
    pub fn merge(&mut self, other: &JsonProfile) -> Result<()> {
        self.root.merge(&other.root, usize::MAX);
        let max = self.keys.1.min(other.keys.1);
        self.keys = (self.root.keys(), max);
        if self.keys.0 > max {
            return Err(super::too_many_keys(Place::default(), max));
        }
        self.check_size(0)
    }

    fn check_size(&self, row: u64) -> Result<()> {
        if self.root.fields.len() <= limits::COLUMNS_MAX {
            return Ok(());
        }
        Err(Error::Limit {
            place: Box::new(Place::at_row(row + 1)),
            what: "number of columns",
            max: limits::COLUMNS_MAX as u64,
            hint: "put the varying keys into a nested object".to_owned(),
        })
    }

    /// The narrowest schema that gives back every record seen. With `presence`, a column that is both null
    /// and left out is followed by one that tells where its key is left out.
    pub fn resolve(&self, presence: bool) -> Resolved {
        let mut notes = Notes { presence, ..Notes::default() };
        let (fields, typings) = self.root.resolve(None, &mut notes);
        let Notes { why, as_json, layouts, .. } = notes;
        Resolved { schema: Arc::new(Schema::new(fields)), typings, why, as_json, layouts }
    }
}

/// What is said and asked while a profile is resolved.
#[derive(Default)]
struct Notes {
    /// The position of the column that is being resolved.
    column: usize,
    why: Vec<Said>,
    as_json: Vec<(usize, JsonText)>,
    presence: bool,
    layouts: Vec<Layouts>,
}

impl Notes {
    fn say(&mut self, path: &str, why: impl Into<String>) {
        self.why.push(Said { column: self.column, path: path.to_owned(), why: why.into() });
    }
}

/// The values of one column, of any kind.
#[derive(Debug, Clone, Default)]
struct ValueProfile {
    /// Whether a record may hold several, being an array.
    many: bool,
    null: bool,
    boolean: Option<Witness>,
    string: Option<Witness>,
    number: Option<(Witness, Box<NumberProfile>)>,
    list: Option<(Witness, Box<ValueProfile>)>,
    object: Option<(Witness, Box<ObjectProfile>)>,
}

impl ValueProfile {
    fn observe(&mut self, row: u64, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Fault> {
        let spot = (row, cursor.at);
        let nested = matches!(cursor.peek(), b'{' | b'[');
        if nested && depth >= limits::DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let start = cursor.at;
        // The text is known only once the value was read; until then the witness has none.
        let first = |cursor: &Cursor<'_>| Witness::new(spot, &cursor.text[start..cursor.at]);
        let elements = || Box::new(ValueProfile { many: true, ..ValueProfile::default() });
        let object = |many: bool| Box::new(ObjectProfile { many, ..ObjectProfile::default() });
        match cursor.peek() {
            b'n' => {
                cursor.literal()?;
                self.null = true;
            }
            b't' | b'f' => {
                cursor.literal()?;
                keep(&mut self.boolean, spot, || first(cursor));
            }
            b'"' => {
                cursor.string()?;
                keep(&mut self.string, spot, || first(cursor));
            }
            b'-' | b'0'..=b'9' => {
                let number = cursor.number()?;
                let (witness, profile) = self
                    .number
                    .get_or_insert_with(|| (first(cursor), Box::new(NumberProfile::new(!self.many))));
                if spot < witness.spot {
                    *witness = first(cursor);
                }
                profile.observe(spot, &number);
            }
            b'[' => {
                let (witness, element) =
                    self.list.get_or_insert_with(|| (Witness::new(spot, b"an array"), elements()));
                witness.spot = spot.min(witness.spot);
                let mut more = cursor.open(b']');
                while more {
                    element.observe(row, cursor, depth + 1)?;
                    more = cursor.more(b']')?;
                }
            }
            b'{' => {
                let (witness, object) =
                    self.object.get_or_insert_with(|| (Witness::new(spot, b"an object"), object(self.many)));
                witness.spot = spot.min(witness.spot);
                object.observe(row, cursor, (depth + 1, NESTED_FIELDS_MAX))?;
            }
            _ => return Err(cursor.syntax("a value was expected")),
        }
        Ok(())
    }

    /// How many keys the objects in it have.
    fn keys(&self) -> usize {
        let of_object = self.object.as_ref().map_or(0, |(_, object)| object.keys());
        of_object + self.list.as_ref().map_or(0, |(_, element)| element.keys())
    }

    fn merge(&mut self, other: &ValueProfile) {
        self.null |= other.null;
        earlier(&mut self.boolean, other.boolean.as_ref());
        earlier(&mut self.string, other.string.as_ref());
        merge_kind(&mut self.number, other.number.as_ref(), NumberProfile::merge);
        merge_kind(&mut self.list, other.list.as_ref(), ValueProfile::merge);
        merge_kind(&mut self.object, other.object.as_ref(), |mine, theirs| {
            mine.merge(theirs, NESTED_FIELDS_MAX)
        });
    }

    /// The kinds of value seen, by first appearance.
    fn kinds(&self) -> Vec<(Spot, &'static str)> {
        let mut kinds: Vec<(Spot, &'static str)> = [
            (self.boolean.as_ref(), "a boolean"),
            (self.string.as_ref(), "a string"),
            (self.number.as_ref().map(|(witness, _)| witness), "a number"),
            (self.list.as_ref().map(|(witness, _)| witness), "an array"),
            (self.object.as_ref().map(|(witness, _)| witness), "an object"),
        ]
        .into_iter()
        .filter_map(|(witness, kind)| Some((witness?.spot, kind)))
        .collect();
        kinds.sort_unstable();
        kinds
    }

    /// Type and typing of the values, given whether the key was left out anywhere.
    fn resolve(&self, missing: bool, path: &str, notes: &mut Notes) -> (DataType, Typing) {
        let (data_type, mut typing) = self.resolve_kind(path, notes);
        typing.absence = match (self.null, missing) {
            (true, true) if notes.presence => Absence::Told,
            (true, true) => Absence::Mixed,
            (false, true) => Absence::Missing,
            _ => Absence::Null,
        };
        if typing.absence == Absence::Mixed {
            let text = "absent values are partly null and partly left out; both are read as null, unless \
                        --presence is given";
            notes.say(path, text);
        }
        (data_type, typing)
    }

    fn resolve_kind(&self, path: &str, notes: &mut Notes) -> (DataType, Typing) {
        let styled = |style| Typing { style, reversible: true, ..Typing::default() };
        let kinds = self.kinds();
        let mut text = |style, kept: JsonText, reason: String| {
            notes.say(path, format!("kept as JSON text: {reason}"));
            notes.as_json.push((notes.column, kept));
            (DataType::Utf8, styled(style))
        };
        if let [(first, one), (second, other), ..] = kinds[..] {
            let reason = format!("record {} has {other}, record {} {one}", second.0 + 1, first.0 + 1);
            return text(Style::Json, JsonText::Kinds, reason);
        }
        if let Some((_, numbers)) = &self.number {
            return match numbers.resolve() {
                Ok(found) => {
                    found.why.into_iter().for_each(|why| notes.say(path, why));
                    if let Style::Float(_) = found.style {
                        notes.layouts.push(numbers.layouts());
                    }
                    (found.data_type, Typing { exceptions: found.exceptions, ..styled(found.style) })
                }
                Err(reason) => text(Style::Json, JsonText::Numbers, reason),
            };
        }
        if let Some((_, object)) = &self.object {
            if object.collapsed {
                let reason = format!("objects here have more than {NESTED_FIELDS_MAX} different keys");
                return text(Style::Json, JsonText::Keys, reason);
            }
            if object.fields.is_empty() {
                return text(Style::EmptyObject, JsonText::Empty, "every object here is empty".to_owned());
            }
            let (fields, children) = object.resolve(Some(path), notes);
            return (DataType::Struct(fields.into()), Typing { children, ..styled(Style::Plain) });
        }
        if let Some((_, element)) = &self.list {
            let (data_type, child) = element.resolve(false, &join(path, "[]"), notes);
            let field = Field::new_list_field(data_type, true);
            return (
                DataType::List(Arc::new(field)),
                Typing { children: vec![child], ..styled(Style::Plain) },
            );
        }
        let data_type = match (&self.string, &self.boolean) {
            (Some(_), _) => DataType::Utf8,
            (None, Some(_)) => DataType::Boolean,
            (None, None) => DataType::Null,
        };
        (data_type, styled(Style::Plain))
    }
}

fn keep(slot: &mut Option<Witness>, spot: Spot, witness: impl FnOnce() -> Witness) {
    if slot.as_ref().is_none_or(|old| spot < old.spot) {
        *slot = Some(witness());
    }
}

/// Merges what is known of one kind of value.
fn merge_kind<T: Clone>(
    mine: &mut Option<(Witness, Box<T>)>,
    theirs: Option<&(Witness, Box<T>)>,
    merge: impl FnOnce(&mut T, &T),
) {
    match (mine, theirs) {
        (_, None) => {}
        (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
        (Some((witness, mine)), Some((other, theirs))) => {
            if other.spot < witness.spot {
                *witness = other.clone();
            }
            merge(mine, theirs);
        }
    }
}

/// A field's name below `path`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The objects of one column, or the records themselves.
#[derive(Debug, Clone, Default)]
struct ObjectProfile {
    /// Whether a record may hold several.
    many: bool,
    /// Objects seen.
    count: u64,
    fields: Vec<FieldProfile>,
    index: HashMap<Box<[u8]>, usize>,
    /// Whether there were too many keys to be fields; then `fields` is empty.
    collapsed: bool,
}

#[derive(Debug, Clone)]
struct FieldProfile {
    name: Box<[u8]>,
    /// First appearance.
    first: Spot,
    /// Objects that have this key.
    count: u64,
    /// Value of the object counter when the key was last seen.
    seen: u64,
    values: ValueProfile,
}

impl ObjectProfile {
    fn observe(
        &mut self,
        row: u64,
        cursor: &mut Cursor<'_>,
        (depth, fields_max): (usize, usize),
    ) -> Result<(), Fault> {
        if self.collapsed {
            return cursor.value(depth - 1).map(drop);
        }
        let start = cursor.at;
        self.count += 1;
        let mut hint = 0;
        let mut more = cursor.open(b'}');
        while more {
            let spot = (row, cursor.at);
            let key = cursor.string()?.bytes();
            let known = self.fields.len();
            let at = self.field(&key, hint, spot);
            if at == known {
                if known == fields_max {
                    // Nothing is to be known of its keys.
                    cursor.keys.0 = cursor.keys.0.saturating_sub(self.keys() - 1);
                    self.collapse(fields_max);
                    cursor.at = start;
                    return cursor.value(depth - 1).map(drop);
                }
                cursor.key()?;
            }
            hint = at + 1;
            let field = &mut self.fields[at];
            if field.seen == self.count {
                cursor.at = spot.1;
                return Err(DUPLICATE);
            }
            field.seen = self.count;
            field.count += 1;
            field.first = field.first.min(spot);
            cursor.colon()?;
            if let Err(reason) = field.values.observe(row, cursor, depth) {
                cursor.trail.push(String::from_utf8_lossy(&key).into_owned());
                return Err(reason);
            }
            more = cursor.more(b'}')?;
        }
        Ok(())
    }

    /// The index of the field of this name, which most often is the one at `hint`.
    fn field(&mut self, key: &[u8], hint: usize, first: Spot) -> usize {
        if self.fields.get(hint).is_some_and(|field| *field.name == *key) {
            return hint;
        }
        if let Some(&at) = self.index.get(key) {
            return at;
        }
        let at = self.fields.len();
        self.index.insert(key.into(), at);
        self.fields.push(FieldProfile {
            name: key.into(),
            first,
            count: 0,
            seen: 0,
            values: ValueProfile { many: self.many, ..ValueProfile::default() },
        });
        at
    }

    /// How many keys it knows, those of nested objects too.
    fn keys(&self) -> usize {
        self.fields.len() + self.fields.iter().map(|field| field.values.keys()).sum::<usize>()
    }

    /// Gives up on fields once there are too many. Groups with too many keys have too many together, so that
    /// the order of merging does not matter.
    fn collapse(&mut self, fields_max: usize) {
        if self.fields.len() > fields_max {
            self.collapsed = true;
        }
        if self.collapsed {
            self.fields.clear();
            self.index.clear();
        }
    }

    fn merge(&mut self, other: &ObjectProfile, fields_max: usize) {
        self.collapsed |= other.collapsed;
        for theirs in &other.fields {
            let at = self.field(&theirs.name, self.fields.len(), theirs.first);
            let mine = &mut self.fields[at];
            mine.first = mine.first.min(theirs.first);
            mine.count += theirs.count;
            mine.values.merge(&theirs.values);
        }
        self.count += other.count;
        self.collapse(fields_max);
    }

    /// Fields and typings of what is in the column of this path, or of all columns.
    fn resolve(&self, path: Option<&str>, notes: &mut Notes) -> (Vec<Field>, Vec<Typing>) {
        let (is_all, path) = (path.is_none(), path.unwrap_or_default());
        let mut fields: Vec<&FieldProfile> = self.fields.iter().collect();
        fields.sort_unstable_by_key(|field| field.first);
        let (mut resolved, mut typings) = (Vec::new(), Vec::new());
        let mut taken: HashSet<String> = HashSet::new();
        if notes.presence {
            taken.extend(fields.iter().map(|field| String::from_utf8_lossy(&field.name).into_owned()));
        }
        for field in fields {
            let name = String::from_utf8_lossy(&field.name);
            if is_all {
                notes.column = resolved.len();
            }
            let missing = field.count < self.count;
            let (data_type, typing) = field.values.resolve(missing, &join(path, &name), notes);
            let told = typing.absence == Absence::Told;
            resolved.push(Field::new(&*name, data_type, true));
            typings.push(typing);
            if told {
                let mut telling = format!("{name}{PRESENCE_SUFFIX}");
                while !taken.insert(telling.clone()) {
                    telling.push('_');
                }
                let text = format!("it is true where {name:?} is left out, which elsewhere may be null");
                if is_all {
                    notes.column = resolved.len();
                }
                notes.say(&join(path, &telling), text);
                resolved.push(Field::new(telling, DataType::Boolean, true));
                typings.push(Typing { style: Style::Presence, reversible: true, ..Typing::default() });
            }
        }
        (resolved, typings)
    }
}
