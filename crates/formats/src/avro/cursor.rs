//! Provides [`Cursor`]: the primitive values of the Avro binary encoding, read from bytes in memory.

/// What is wrong with the bytes, and where in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Offset in the bytes that were read.
    pub at: usize,
    /// What was found.
    pub what: String,
}

/// A position in encoded bytes.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of memory that nulls may still fill: an encoded null takes one byte, its place in an array many.
    budget: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, budget: usize) -> Self {
        Cursor { bytes, at, budget }
    }

    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    /// Takes from the budget what the file need not hold for each row: the place of a null, a symbol's name.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        match self.budget.checked_sub(bytes) {
            Some(left) => self.budget = left,
            None => return self.fault("nulls or symbols that would fill more memory than a batch may take"),
        }
        Ok(())
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn fault<T>(&self, what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { at: self.at, what: what.into() })
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        match self.bytes[self.at..].get(..length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => self.fault(format!("a value of {length} bytes where {} are left", self.left())),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.try_into().or_else(|_| self.fault("a value is cut short"))
    }

    /// A variable-length zig-zag integer.
    pub(super) fn long(&mut self) -> Result<i64, Fault> {
        let start = self.at;
        let mut value = 0u64;
        for index in 0..10u32 {
            let Some(byte) = self.bytes.get(self.at).copied() else {
                return self.fault("an integer is cut short");
            };
            self.at += 1;
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Fault { at: start, what: "an integer has more than 64 bits".into() })
    }

    pub(super) fn int(&mut self) -> Result<i32, Fault> {
        let start = self.at;
        let value = self.long()?;
        i32::try_from(value).map_err(|_| Fault { at: start, what: format!("{value} does not fit an int") })
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Fault> {
        match self.array::<1>()?[0] {
            0 => Ok(false),
            1 => Ok(true),
            other => self.fault(format!("{other} where a boolean is 0 or 1")),
        }
    }

    pub(super) fn float(&mut self) -> Result<f32, Fault> {
        self.array().map(f32::from_le_bytes)
    }

    pub(super) fn double(&mut self) -> Result<f64, Fault> {
        self.array().map(f64::from_le_bytes)
    }

    /// A length and as many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(Fault { at: start, what: format!("a length of {length}") }),
        }
    }

    /// The count of the next block of an array or a map; 0 ends it. A negative count is followed by a byte
    /// size.
    pub(super) fn count(&mut self) -> Result<u64, Fault> {
        let start = self.at;
        let count = self.long()?;
        if count >= 0 {
            return Ok(count.unsigned_abs());
        }
        match self.long()? {
            size if size < 0 => Err(Fault { at: start, what: format!("a block of {size} bytes") }),
            _ => Ok(count.unsigned_abs()),
        }
    }
}

/// Writes a variable-length zig-zag integer.
pub(super) fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut value = ((value << 1) ^ (value >> 63)) as u64;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a length and the bytes.
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_come_back(value in any::<i64>()) {
            let mut out = Vec::new();
            write_long(&mut out, value);
            prop_assert!(out.len() <= 10);
            let mut cursor = Cursor::new(&out, 0, 0);
            prop_assert_eq!(cursor.long(), Ok(value));
            prop_assert_eq!(cursor.left(), 0);
        }
    }

    #[test]
    fn integers_of_more_than_64_bits_are_refused() {
        assert!(Cursor::new(&[0xff; 11], 0, 0).long().is_err());
        let just = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Cursor::new(&just, 0, 0).long(), Ok(i64::MIN));
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert!(Cursor::new(&over, 0, 0).long().is_err());
    }
}
