//! Provides the growing cells of nested values, read from canonical JSON.
//!
//! Numbers and booleans stand bare, all other leaves and the non-finite numbers as strings of the text that
//! they have in a field of their own. A struct is an object with every field in order; a map is an object
//! where its keys are text, in the order of its entries, and otherwise an array of pairs.

use super::cells::{Cells, NullRows, broken};
use super::select::other;
use crate::error::{Error, Result};
use crate::text::json::Cursor;
use crate::text::{ColumnTyping, json};
use arrow_array::{ArrayRef, FixedSizeListArray, LargeListArray, ListArray, MapArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use std::sync::Arc;

/// Cells of one nested column.
pub(super) struct NestedCells {
    node: Node,
    rows: usize,
    scratch: Vec<u8>,
}

impl NestedCells {
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        // The default typing checks the depth of the whole type, so the recursion below is bounded.
        ColumnTyping::default_for(data_type)?;
        let field = Field::new("", data_type.clone(), true);
        Ok(NestedCells { node: Node::new(&field)?, rows: 0, scratch: Vec::new() })
    }
}

impl Cells for NestedCells {
    fn push_text(&mut self, text: &[u8]) -> bool {
        let mut cursor = Cursor::new(text);
        let taken = self.node.read(&mut cursor, &mut self.scratch).is_some() && cursor.at_end();
        // Null has a text of its own in the style of the column.
        if !taken || text == b"null" {
            self.node.truncate(self.rows);
            return false;
        }
        self.rows += 1;
        true
    }

    fn push_null(&mut self) {
        self.node.push_null();
        self.rows += 1;
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        self.node.truncate(self.rows);
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.rows = 0;
        self.node.finish()
    }
}

/// The cells of one level.
enum Node {
    Leaf { cells: Box<dyn Cells>, bare: Bare },
    List { item: Box<Node>, field: FieldRef, kind: ListKind, ends: Vec<usize>, nulls: NullRows },
    Struct { children: Vec<Node>, keys: Vec<Vec<u8>>, fields: Fields, rows: usize, nulls: NullRows },
    Map { entries: Box<MapNode>, ends: Vec<usize>, nulls: NullRows },
}

/// Which leaves stand without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text) enum Bare {
    Never,
    Always,
    WhereFinite,
}

impl Bare {
    /// How leaves of this type stand.
    pub(in crate::text) fn of(data_type: &DataType) -> Bare {
        match data_type {
            DataType::Dictionary(_, value) => Bare::of(value),
            DataType::RunEndEncoded(_, value) => Bare::of(value.data_type()),
            t if t.is_floating() => Bare::WhereFinite,
            t if t.is_integer() || t.is_decimal() || *t == DataType::Boolean => Bare::Always,
            _ => Bare::Never,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum ListKind {
    Small,
    Large,
    Fixed(usize),
}

struct MapNode {
    key: Node,
    value: Node,
    field: FieldRef,
    fields: Fields,
    sorted: bool,
    object: bool,
}

/// Whether keys of this type are the keys of an object.
pub(in crate::text) fn is_object_key(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn last(ends: &[usize]) -> usize {
    ends.last().copied().unwrap_or(0)
}

impl Node {
    fn new(field: &Field) -> Result<Node> {
        let list = |field: &FieldRef, kind| -> Result<Node> {
            let item = Box::new(Node::new(field)?);
            Ok(Node::List { item, field: field.clone(), kind, ends: Vec::new(), nulls: NullRows::default() })
        };
        match field.data_type() {
            DataType::List(field) => list(field, ListKind::Small),
            DataType::LargeList(field) => list(field, ListKind::Large),
            DataType::FixedSizeList(field, width) => {
                let width = usize::try_from(*width).map_err(|e| Error::Misuse(e.to_string()))?;
                list(field, ListKind::Fixed(width))
            }
            DataType::Struct(fields) => {
                let children = fields.iter().map(|f| Node::new(f)).collect::<Result<_>>()?;
                let keys = fields.iter().map(|f| key(f.name())).collect();
                let nulls = NullRows::default();
                Ok(Node::Struct { children, keys, fields: fields.clone(), rows: 0, nulls })
            }
            DataType::Map(field, sorted) => {
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(Error::Misuse("the entries of a map are no struct".to_owned()));
                };
                let [key, value] = &fields[..] else {
                    return Err(Error::Misuse("the entries of a map are no pairs".to_owned()));
                };
                let entries = Box::new(MapNode {
                    object: is_object_key(key.data_type()),
                    key: Node::new(key)?,
                    value: Node::new(value)?,
                    field: field.clone(),
                    fields: fields.clone(),
                    sorted: *sorted,
                });
                Ok(Node::Map { entries, ends: Vec::new(), nulls: NullRows::default() })
            }
            leaf => {
                let cells = other(&ColumnTyping::default_of(field)?)?;
                Ok(Node::Leaf { cells, bare: Bare::of(leaf) })
            }
        }
    }

    /// Appends the value at the cursor. On failure the children may have grown; truncate them.
    fn read(&mut self, at: &mut Cursor<'_>, scratch: &mut Vec<u8>) -> Option<()> {
        if at.eat(b"null") {
            self.push_null();
            return Some(());
        }
        match self {
            Node::Leaf { cells, bare } => {
                if at.peek(b'"') {
                    at.string(scratch)?;
                    let text = &scratch[..];
                    let finite = || !text.iter().any(|b| matches!(b, b'n' | b'N' | b'i' | b'I'));
                    if *bare == Bare::Always || (*bare == Bare::WhereFinite && finite()) {
                        return None;
                    }
                    cells.push_text(text).then_some(())
                } else {
                    let word = at.bare();
                    let number = || !word.iter().any(|b| matches!(b, b'n' | b'N' | b'i' | b'I'));
                    if *bare == Bare::Never || (*bare == Bare::WhereFinite && !number()) {
                        return None;
                    }
                    cells.push_text(word).then_some(())
                }
            }
            Node::List { item, kind, ends, .. } => {
                let start = last(ends);
                let count = read_sequence(at, b"[", b"]", |at| item.read(at, scratch))?;
                if matches!(kind, ListKind::Fixed(width) if *width != count) {
                    return None;
                }
                ends.push(start + count);
                Some(())
            }
            Node::Struct { children, keys, rows, .. } => {
                at.eat(b"{").then_some(())?;
                for (i, (child, key)) in children.iter_mut().zip(keys).enumerate() {
                    (i == 0 || at.eat(b",")).then_some(())?;
                    at.eat(key).then_some(())?;
                    child.read(at, scratch)?;
                }
                *rows += 1;
                at.eat(b"}").then_some(())
            }
            Node::Map { entries, ends, .. } => {
                let start = last(ends);
                let (open, close): (&[u8], &[u8]) = if entries.object { (b"{", b"}") } else { (b"[", b"]") };
                let count = read_sequence(at, open, close, |at| entries.read(at, scratch))?;
                ends.push(start + count);
                Some(())
            }
        }
    }

    fn push_null(&mut self) {
        match self {
            Node::Leaf { cells, .. } => cells.push_null(),
            Node::List { item, kind, ends, nulls, .. } => {
                let mut end = last(ends);
                if let ListKind::Fixed(width) = kind {
                    (0..*width).for_each(|_| item.push_null());
                    end += *width;
                }
                nulls.push(ends.len());
                ends.push(end);
            }
            Node::Struct { children, rows, nulls, .. } => {
                children.iter_mut().for_each(Node::push_null);
                nulls.push(*rows);
                *rows += 1;
            }
            Node::Map { ends, nulls, .. } => {
                nulls.push(ends.len());
                ends.push(last(ends));
            }
        }
    }

    fn truncate(&mut self, to: usize) {
        match self {
            Node::Leaf { cells, .. } => cells.truncate(to),
            Node::List { item, ends, nulls, .. } => {
                ends.truncate(to);
                nulls.truncate(to);
                item.truncate(last(ends));
            }
            Node::Struct { children, rows, nulls, .. } => {
                *rows = to.min(*rows);
                nulls.truncate(to);
                children.iter_mut().for_each(|child| child.truncate(to));
            }
            Node::Map { entries, ends, nulls } => {
                ends.truncate(to);
                nulls.truncate(to);
                entries.key.truncate(last(ends));
                entries.value.truncate(last(ends));
            }
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Node::Leaf { cells, .. } => cells.finish()?,
            Node::List { item, field, kind, ends, nulls } => {
                let (rows, field, values) = (ends.len(), field.clone(), item.finish()?);
                let nulls = nulls.finish(rows);
                let ends = std::mem::take(ends);
                match kind {
                    ListKind::Small => Arc::new(
                        ListArray::try_new(field, offsets_32(&ends)?, values, nulls).map_err(broken)?,
                    ),
                    ListKind::Large => {
                        let offsets: Vec<i64> =
                            std::iter::once(0).chain(ends).map(|end| end as i64).collect();
                        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                        Arc::new(LargeListArray::try_new(field, offsets, values, nulls).map_err(broken)?)
                    }
                    ListKind::Fixed(width) => Arc::new(
                        FixedSizeListArray::try_new_with_length(field, *width as i32, values, nulls, rows)
                            .map_err(broken)?,
                    ),
                }
            }
            Node::Struct { children, fields, rows, nulls, .. } => {
                let rows = std::mem::take(rows);
                let arrays = children.iter_mut().map(Node::finish).collect::<Result<_>>()?;
                let nulls = nulls.finish(rows);
                Arc::new(
                    StructArray::try_new_with_length(fields.clone(), arrays, nulls, rows).map_err(broken)?,
                )
            }
            Node::Map { entries, ends, nulls } => {
                let nulls = nulls.finish(ends.len());
                let offsets = offsets_32(&std::mem::take(ends))?;
                let arrays = vec![entries.key.finish()?, entries.value.finish()?];
                let pairs = StructArray::try_new(entries.fields.clone(), arrays, None).map_err(broken)?;
                let map = MapArray::try_new(entries.field.clone(), offsets, pairs, nulls, entries.sorted);
                Arc::new(map.map_err(broken)?)
            }
        })
    }
}

impl MapNode {
    fn read(&mut self, at: &mut Cursor<'_>, scratch: &mut Vec<u8>) -> Option<()> {
        if self.object {
            self.key.read(at, scratch)?;
            at.eat(b":").then_some(())?;
            return self.value.read(at, scratch);
        }
        at.eat(b"[").then_some(())?;
        self.key.read(at, scratch)?;
        at.eat(b",").then_some(())?;
        self.value.read(at, scratch)?;
        at.eat(b"]").then_some(())
    }
}

/// Reads `open item,item close`; gives the number of items.
fn read_sequence(
    at: &mut Cursor<'_>,
    open: &[u8],
    close: &[u8],
    mut item: impl FnMut(&mut Cursor<'_>) -> Option<()>,
) -> Option<usize> {
    at.eat(open).then_some(())?;
    if at.eat(close) {
        return Some(0);
    }
    let mut count = 0;
    loop {
        item(at)?;
        count += 1;
        if at.eat(close) {
            return Some(count);
        }
        at.eat(b",").then_some(())?;
    }
}

/// The text of a key and the colon after it.
pub(in crate::text) fn key(name: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 3);
    json::write_string(name.as_bytes(), &mut text);
    text.push(b':');
    text
}

fn offsets_32(ends: &[usize]) -> Result<OffsetBuffer<i32>> {
    let offsets: std::result::Result<Vec<i32>, _> =
        std::iter::once(&0).chain(ends).map(|&end| i32::try_from(end)).collect();
    let offsets = offsets.map_err(|_| Error::Misuse("too many items for one list column".to_owned()))?;
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}
