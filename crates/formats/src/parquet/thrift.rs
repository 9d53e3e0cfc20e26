//! Provides a reader of the compact protocol of Thrift
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>), in which Parquet
//! holds its footer and the headers of its pages.

/// Structs and lists within one another: a footer has 7.
const DEPTH_MAX: usize = 16;

/// A reader of Thrift's compact protocol. `None` where the bytes end or make no sense.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    /// Bytes that were taken.
    pub(super) at: usize,
}

/// The types of the protocol that the structs of Parquet hold.
pub(super) mod kind {
    pub const STOP: u8 = 0;
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const STRUCT: u8 = 12;
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Compact { bytes, at: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        self.at = (end <= self.bytes.len()).then_some(end)?;
        Some(())
    }

    /// The number and type of the next field of a struct; the type is `STOP` after the last one.
    pub(super) fn field(&mut self, last: i64) -> Option<(i64, u8)> {
        let head = self.byte()?;
        let (delta, kind) = (i64::from(head >> 4), head & 15);
        match (kind, delta) {
            (kind::STOP, _) => Some((last, kind)),
            (_, 0) => Some((self.integer()?, kind)),
            _ => Some((last.checked_add(delta)?, kind)),
        }
    }

    /// Passes over a value of a field.
    pub(super) fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match kind {
            kind::TRUE | kind::FALSE => Some(()),
            kind::BYTE => self.pass(1),
            kind::I16..=kind::I64 => self.varint().map(|_| ()),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            kind::LIST | kind::SET => {
                let list = self.list()?;
                self.skip_elements(list, depth)
            }
            kind::STRUCT => {
                let mut id = 0;
                loop {
                    let (next, kind) = self.field(id)?;
                    if kind == kind::STOP {
                        return Some(());
                    }
                    id = next;
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => None,
        }
    }

    /// The number and the type of the elements of a list, which follow.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, head & 15))
    }

    /// Passes over the elements of a list.
    pub(super) fn skip_elements(&mut self, (count, kind): (u64, u8), depth: usize) -> Option<()> {
        for _ in 0..count {
            match kind {
                // In lists, unlike in fields, a truth value is a byte.
                kind::TRUE | kind::FALSE => self.pass(1)?,
                kind => self.skip(kind, depth + 1)?,
            }
        }
        Some(())
    }
}
