//! Provides the check of a footer before the library takes memory, or goes into depth, by what it says: of
//! the number of children of a column and of the number of row groups its decoder believes anything.

use std::ops::Range;

use super::NAME;
use super::thrift::{Compact, kind};
use crate::error::{Error, Place, Result};
use crate::file::ObjectFile;
use crate::limits::{DEPTH_MAX, FOOTER_BYTES_MAX};

/// Groups within one another in a schema: a list or a map takes two for each level, and the root is one.
const GROUPS_MAX: usize = 2 * DEPTH_MAX + 1;

/// Columns, groups of columns, and entries of key-value metadata at most.
const ELEMENTS_MAX: u64 = 1_000_000;

/// Row groups at most: their ordinals have 16 bits.
const ROW_GROUPS_MAX: u64 = 1 << 15;

/// Fields of `FileMetaData` in `parquet.thrift`.
const SCHEMA: i64 = 2;
const ROW_GROUPS: i64 = 4;

/// The field of `SchemaElement` that holds the number of children.
const CHILDREN: i64 = 5;

/// The length that the last eight bytes give, bounded by the file.
pub(super) fn length(file: &ObjectFile) -> Result<u64> {
    let short =
        || Error::malformed(NAME, Place::at_byte(0), "the file is too short to hold a Parquet footer");
    let at = file.len().checked_sub(8).ok_or_else(short)?;
    if at < 4 {
        return Err(short());
    }
    let mut tail = [0u8; 8];
    file.read_exact_at(&mut tail, at)?;
    if &tail[4..] == b"PARE" {
        let what = "the footer is encrypted, and keys are not taken";
        let hint = "decrypt the file with the program that wrote it";
        return Err(Error::unsupported(Place::at_byte(at + 4), what, hint));
    }
    if &tail[4..] != b"PAR1" {
        let what = "the file does not end with the Parquet magic: it is truncated or not Parquet";
        return Err(Error::malformed(NAME, Place::at_byte(at + 4), what));
    }
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if length > at - 4 {
        let what = format!("the footer says it has {length} bytes, more than the file holds");
        return Err(Error::malformed(NAME, Place::at_byte(at), what));
    }
    Ok(length)
}

/// Where the footer lies, once it is known to be one that the library may read.
///
/// # Errors
/// As of [`check`], and a file that ends in another way.
pub(super) fn checked(file: &ObjectFile) -> Result<Range<u64>> {
    let length = length(file)?;
    if length > FOOTER_BYTES_MAX {
        return Err(Error::Limit {
            place: Box::new(Place::at_byte(file.len() - 8)),
            what: "the size of the Parquet footer",
            max: FOOTER_BYTES_MAX,
            hint: "write the file again with larger row groups".into(),
        });
    }
    let at = file.len() - 8 - length;
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at)?;
    check(&bytes, at)?;
    Ok(at..at + length)
}

/// An error of the library about a footer, with the place of that.
pub(super) fn undecoded(error: Error, footer: &Range<u64>) -> Error {
    match error {
        Error::Malformed { mut place, format, what } => {
            place.byte.get_or_insert(footer.start);
            let what =
                format!("the footer, which ends before byte {}, cannot be decoded: {what}", footer.end);
            Error::Malformed { place, format, what }
        }
        other => other,
    }
}

/// Checks a footer that begins at byte `at` of the file.
///
/// # Errors
/// `Malformed` where it is no struct of Thrift, or its schema is no tree; `Limit` for more than the format
/// counts, or than a table may have.
fn check(bytes: &[u8], at: u64) -> Result<()> {
    let broken = || Error::malformed(NAME, Place::at_byte(at), "the footer cannot be read to its end");
    let limit = |what, max| Error::Limit {
        place: Box::new(Place::at_byte(at)),
        what,
        max,
        hint: "write the file again with less of it".into(),
    };
    let mut reader = Compact::new(bytes);
    let mut id = 0;
    loop {
        let (next, kind) = reader.field(id).ok_or_else(broken)?;
        id = next;
        match kind {
            kind::STOP => return Ok(()),
            kind::LIST => {
                let list = reader.list().ok_or_else(broken)?;
                match id {
                    ROW_GROUPS if list.0 > ROW_GROUPS_MAX => {
                        return Err(limit("the number of row groups", ROW_GROUPS_MAX));
                    }
                    _ if list.0 > ELEMENTS_MAX => {
                        return Err(limit("the number of elements in the Parquet footer", ELEMENTS_MAX));
                    }
                    SCHEMA => {
                        let depth = tree(&mut reader, list).ok_or_else(|| no_tree(at))?;
                        if depth > GROUPS_MAX {
                            return Err(limit("the nesting of the Parquet schema", GROUPS_MAX as u64));
                        }
                    }
                    _ => reader.skip_elements(list, 0).ok_or_else(broken)?,
                }
            }
            _ => reader.skip(kind, 0).ok_or_else(broken)?,
        }
    }
}

fn no_tree(at: u64) -> Error {
    let what = "the schema in the footer is no tree: the numbers of children do not fit its elements";
    Error::malformed(NAME, Place::at_byte(at), what)
}

/// Reads the elements of a schema, each before its children; gives the most groups within one another. `None`
/// where they are not one tree.
fn tree(reader: &mut Compact<'_>, (count, kind): (u64, u8)) -> Option<usize> {
    // Of each group around the next element: how many of its children are still to come.
    let mut open: Vec<u64> = Vec::new();
    let mut deepest = 0;
    for index in 0..count {
        let children = (kind == kind::STRUCT).then(|| children(reader))??;
        if index > 0 {
            *open.last_mut()? -= 1;
        }
        if children > 0 {
            open.push(children);
            deepest = deepest.max(open.len());
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    open.is_empty().then_some(deepest)
}

/// The number of children of a schema element, which is passed over.
fn children(reader: &mut Compact<'_>) -> Option<u64> {
    let (mut children, mut id) = (0, 0);
    loop {
        let (next, kind) = reader.field(id)?;
        id = next;
        match (kind, id) {
            (kind::STOP, _) => return u64::try_from(children).ok(),
            (kind::I16..=kind::I64, CHILDREN) => children = reader.integer()?,
            _ => reader.skip(kind, 1)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer whose schema has elements with these numbers of children, and which has so many row groups.
    fn footer(children: &[u8], groups: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x15, 2, 0x19, 0xfc, children.len() as u8];
        for count in children {
            // Field 5, an integer of 32 bits in zigzag.
            bytes.extend([0x55, 2 * count, 0]);
        }
        bytes.extend([0x29, 0xfc]);
        bytes.extend(groups);
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        check(bytes, 4).unwrap_err().to_string()
    }

    #[test]
    fn a_schema_is_one_tree() {
        for tree in [&[0][..], &[1, 0], &[2, 1, 0, 0], &[1, 3, 0, 0, 1, 0]] {
            check(&footer(tree, &[0, 0]), 4).unwrap();
        }
        for none in [&[1][..], &[2, 0], &[63, 0, 0], &[0, 0], &[1, 0, 0], &[1, 1]] {
            assert!(refused(&footer(none, &[0, 0])).contains("no tree"), "{none:?}");
        }
    }

    #[test]
    fn a_schema_nests_as_deep_as_a_table_may() {
        let nested = |groups: usize| [vec![1; groups], vec![0]].concat();
        let with = |groups| {
            let mut bytes = footer(&nested(groups), &[0, 0]);
            // A length above 127 takes two bytes.
            bytes.splice(4..5, [((groups + 1) as u8) | 0x80, ((groups + 1) >> 7) as u8]);
            bytes
        };
        check(&with(GROUPS_MAX), 4).unwrap();
        assert!(refused(&with(GROUPS_MAX + 1)).contains("nesting"));
    }

    #[test]
    fn counts_are_bounded_and_broken_ends_are_told() {
        assert!(refused(&footer(&[0], &[0x81, 0x80, 2])).contains("row groups"));
        assert!(refused(&footer(&[0], &[0x80, 0x80, 2])).contains("to its end"));
        assert!(refused(&[0x59, 0xfc, 0x81, 0x89, 0x7a]).contains("number of elements"));
        let whole = footer(&[1, 0], &[0, 0]);
        for cut in 0..whole.len() - 1 {
            check(&whole[..cut], 4).unwrap_err();
        }
    }
}
