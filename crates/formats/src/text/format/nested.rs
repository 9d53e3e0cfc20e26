//! Provides the writer of nested values as canonical JSON; the parser of columns says what it looks like.

use super::writers::Writer;
use super::{recast, writer as leaf_writer};
use crate::annotation::{Annotation, of_leaves_in};
use crate::error::Result;
use crate::text::json::write_string;
use crate::text::parse::{Bare, is_object_key, key};
use crate::text::{ColumnTyping, Form, Style};
use arrow_array::cast::AsArray;
use arrow_array::{Array, OffsetSizeTrait};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

/// The writer of a nested array, whose values are UUIDs where this type, which the array may hold in another
/// way, says so.
pub(super) fn writer(data_type: &DataType, array: &dyn Array) -> Result<Box<dyn Writer>> {
    // The default typing checks the depth of the whole type, so the recursion below is bounded.
    ColumnTyping::default_for(array.data_type())?;
    Ok(Box::new(Node::new(array, &mut of_leaves_in(data_type).into_iter())?))
}

/// What is said of the leaves that come next.
type Said = std::vec::IntoIter<Option<Annotation>>;

struct Node {
    nulls: Option<NullBuffer>,
    kind: Kind,
}

enum Kind {
    Leaf { writer: Box<dyn Writer>, bare: Bare },
    List { item: Box<Node>, offsets: Vec<usize> },
    Struct { children: Vec<(Vec<u8>, Node)> },
    Map { key: Box<Node>, value: Box<Node>, offsets: Vec<usize>, object: bool },
}

fn offsets<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<usize> {
    offsets.iter().map(|offset| offset.as_usize()).collect()
}

impl Node {
    fn new(array: &dyn Array, said: &mut Said) -> Result<Node> {
        let kind = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let item = Box::new(Node::new(list.values().as_ref(), said)?);
                Kind::List { item, offsets: offsets(list.value_offsets()) }
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let item = Box::new(Node::new(list.values().as_ref(), said)?);
                Kind::List { item, offsets: offsets(list.value_offsets()) }
            }
            DataType::FixedSizeList(_, width) => {
                let list = array.as_fixed_size_list();
                let item = Box::new(Node::new(list.values().as_ref(), said)?);
                let width = usize::try_from(*width).unwrap_or(0);
                Kind::List { item, offsets: (0..=list.len()).map(|row| row * width).collect() }
            }
            DataType::ListView(item) => {
                return Node::new(&recast(array, &DataType::List(item.clone()))?, said);
            }
            DataType::LargeListView(item) => {
                return Node::new(&recast(array, &DataType::LargeList(item.clone()))?, said);
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let pairs = fields.iter().zip(columns);
                let children =
                    pairs.map(|(field, column)| Ok((key(field.name()), Node::new(column.as_ref(), said)?)));
                Kind::Struct { children: children.collect::<Result<_>>()? }
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Kind::Map {
                    key: Box::new(Node::new(map.keys().as_ref(), said)?),
                    value: Box::new(Node::new(map.values().as_ref(), said)?),
                    offsets: offsets(map.value_offsets()),
                    object: is_object_key(map.keys().data_type()),
                }
            }
            leaf => {
                let style = match said.next().flatten() {
                    Some(Annotation::Uuid) => Style::new(Form::Uuid),
                    _ => ColumnTyping::default_for(leaf)?.style,
                };
                Kind::Leaf { writer: leaf_writer(&style, array)?, bare: Bare::of(leaf) }
            }
        };
        Ok(Node { nulls: array.logical_nulls(), kind })
    }

    fn write_leaf(writer: &dyn Writer, bare: Bare, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        writer.write(row, out);
        let text = &out[start..];
        let word = || text.iter().any(|b| matches!(b, b'n' | b'i'));
        if bare == Bare::Always || (bare == Bare::WhereFinite && !word()) {
            return;
        }
        let text = out.split_off(start);
        write_string(&text, out);
    }
}

impl Writer for Node {
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return out.extend_from_slice(b"null");
        }
        match &self.kind {
            Kind::Leaf { writer, bare } => Node::write_leaf(writer.as_ref(), *bare, row, out),
            Kind::List { item, offsets } => {
                out.push(b'[');
                for (i, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(at, out);
                }
                out.push(b']');
            }
            Kind::Struct { children } => {
                out.push(b'{');
                for (i, (key, child)) in children.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key);
                    child.write(row, out);
                }
                out.push(b'}');
            }
            Kind::Map { key, value, offsets, object } => {
                out.push(if *object { b'{' } else { b'[' });
                for (i, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    if !object {
                        out.push(b'[');
                    }
                    key.write(at, out);
                    out.push(if *object { b':' } else { b',' });
                    value.write(at, out);
                    if !object {
                        out.push(b']');
                    }
                }
                out.push(if *object { b'}' } else { b']' });
            }
        }
    }
}
