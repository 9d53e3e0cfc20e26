//! Borrowed views of column data: what decoders hand to the laws.
//!
//! A view is checked once, when it is made; after that no function here can leave its buffers.

use thiserror::Error;

/// A view whose buffers do not fit its length.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BadCells {
    /// A buffer is shorter or longer than the number of cells asks for.
    #[error("the {buffer} buffer does not hold {cells} cells")]
    Length {
        /// Which buffer.
        buffer: &'static str,
        /// Cells that the view claims.
        cells: usize,
    },
    /// Offsets are negative, decrease, or point beyond the data.
    #[error("offset {index} is negative, decreases or points beyond the data")]
    Offset {
        /// Index of the first bad offset.
        index: usize,
    },
    /// A floating-point width other than 2, 4 or 8 bytes.
    #[error("floating-point values of {width} bytes do not exist")]
    FloatWidth {
        /// The width asked for, in bytes.
        width: usize,
    },
    /// A slice beyond the end of the view.
    #[error("cells {offset}..{offset}+{len} lie outside a view of {cells} cells")]
    Slice {
        /// First cell asked for.
        offset: usize,
        /// Cells asked for.
        len: usize,
        /// Cells there are.
        cells: usize,
    },
}

/// Bits, least significant first, starting at bit `offset` of `bytes`.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    /// Packed bits.
    pub bytes: &'a [u8],
    /// Index of the first bit.
    pub offset: usize,
}

/// Where variable-length cells begin and end: one more entry than there are cells.
#[derive(Clone, Copy, Debug)]
pub enum Offsets<'a> {
    /// 32-bit offsets.
    I32(&'a [i32]),
    /// 64-bit offsets.
    I64(&'a [i64]),
}

/// The values of a column, apart from their validity.
#[derive(Clone, Debug)]
pub enum Values<'a> {
    /// Nothing but nulls.
    Null,
    /// One bit a cell.
    Bool(Bits<'a>),
    /// Little-endian values of one width: integers, decimals, dates, times, intervals, fixed binary.
    Fixed {
        /// Bytes of one value.
        width: usize,
        /// Exactly `len * width` bytes.
        bytes: &'a [u8],
    },
    /// Little-endian IEEE 754 values of 2, 4 or 8 bytes.
    Float {
        /// Bytes of one value.
        width: usize,
        /// Exactly `len * width` bytes.
        bytes: &'a [u8],
    },
    /// Text or byte strings.
    Bytes {
        /// Bounds of the cells within `data`.
        offsets: Offsets<'a>,
        /// Bytes of all cells.
        data: &'a [u8],
    },
    /// Lists of any length; a map is a list of struct (key, value).
    List {
        /// Bounds of the cells within `child`.
        offsets: Offsets<'a>,
        /// Items of all cells.
        child: Box<Cells<'a>>,
    },
    /// Lists of one length.
    FixedList {
        /// Items of one cell.
        size: usize,
        /// Exactly `len * size` items.
        child: Box<Cells<'a>>,
    },
    /// Named fields, each as long as the struct.
    Struct(Vec<Cells<'a>>),
}

/// A checked view of consecutive cells of one column.
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    len: usize,
    validity: Option<Bits<'a>>,
    values: Values<'a>,
}

impl<'a> Cells<'a> {
    /// Checks that every buffer holds what `len` asks for. A set validity bit means that the cell is not
    /// null.
    pub fn new(len: usize, validity: Option<Bits<'a>>, values: Values<'a>) -> Result<Self, BadCells> {
        if let Some(bits) = validity {
            bits.check(len, "validity")?;
        }
        match &values {
            Values::Null => {}
            Values::Bool(bits) => bits.check(len, "bool")?,
            Values::Fixed { width, bytes } => check_fixed(len, *width, bytes)?,
            Values::Float { width, bytes } => {
                if !matches!(width, 2 | 4 | 8) {
                    return Err(BadCells::FloatWidth { width: *width });
                }
                check_fixed(len, *width, bytes)?;
            }
            Values::Bytes { offsets, data } => offsets.check(len, data.len())?,
            Values::List { offsets, child } => offsets.check(len, child.len)?,
            Values::FixedList { size, child } => {
                if len.checked_mul(*size) != Some(child.len) {
                    return Err(BadCells::Length { buffer: "child", cells: len });
                }
            }
            Values::Struct(children) => {
                if children.iter().any(|child| child.len != len) {
                    return Err(BadCells::Length { buffer: "field", cells: len });
                }
            }
        }
        Ok(Self { len, validity, values })
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Validity bits; `None` when no cell is null (unless the values are [`Values::Null`]).
    pub fn validity(&self) -> Option<Bits<'a>> {
        self.validity
    }

    /// The values; those of null cells mean nothing.
    pub fn values(&self) -> &Values<'a> {
        &self.values
    }

    /// True when the cell is null. Out of range counts as null.
    pub fn is_null(&self, index: usize) -> bool {
        let masked = self.validity.is_some_and(|bits| !bits.get(index));
        index >= self.len || masked || matches!(self.values, Values::Null)
    }

    /// The view of cells `offset..offset + len`.
    pub fn slice(&self, offset: usize, len: usize) -> Result<Self, BadCells> {
        let outside = BadCells::Slice { offset, len, cells: self.len };
        let end = match offset.checked_add(len) {
            Some(end) if end <= self.len => end,
            _ => return Err(outside),
        };
        let values = match &self.values {
            Values::Null => Values::Null,
            Values::Bool(bits) => Values::Bool(bits.skip(offset)),
            Values::Fixed { width, bytes } => {
                Values::Fixed { width: *width, bytes: &bytes[offset * width..end * width] }
            }
            Values::Float { width, bytes } => {
                Values::Float { width: *width, bytes: &bytes[offset * width..end * width] }
            }
            Values::Bytes { offsets, data } => Values::Bytes { offsets: offsets.slice(offset, end), data },
            Values::List { offsets, child } => {
                Values::List { offsets: offsets.slice(offset, end), child: child.clone() }
            }
            Values::FixedList { size, child } => {
                let child = Box::new(child.slice(offset * size, len * size)?);
                Values::FixedList { size: *size, child }
            }
            Values::Struct(children) => {
                let fields = children.iter().map(|child| child.slice(offset, len));
                Values::Struct(fields.collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { len, validity: self.validity.map(|bits| bits.skip(offset)), values })
    }
}

fn check_fixed(len: usize, width: usize, bytes: &[u8]) -> Result<(), BadCells> {
    if len.checked_mul(width) == Some(bytes.len()) {
        return Ok(());
    }
    Err(BadCells::Length { buffer: "value", cells: len })
}

impl<'a> Bits<'a> {
    /// Bits from bit `offset` of `bytes` on.
    pub fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// The bit at `index`; bits beyond the end are clear.
    pub fn get(&self, index: usize) -> bool {
        let bit = self.offset.saturating_add(index);
        self.bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// Up to 64 bits from `index` on; bits at and beyond `count` are clear.
    pub(crate) fn word(&self, index: usize, count: usize) -> u64 {
        let bit = self.offset + index;
        let (byte, shift) = (bit / 8, bit % 8);
        let mut low = [0; 16];
        let there = self.bytes.len().saturating_sub(byte).min(9);
        low[..there].copy_from_slice(&self.bytes[byte.min(self.bytes.len())..][..there]);
        let word = (u128::from_le_bytes(low) >> shift) as u64;
        if count >= 64 { word } else { word & ((1 << count) - 1) }
    }

    /// Calls `run(start, end)` for every maximal run of set bits within `start..end`.
    pub(crate) fn for_each_run(&self, start: usize, end: usize, mut run: impl FnMut(usize, usize)) {
        let mut open = None;
        let mut at = start;
        while at < end {
            let count = (end - at).min(64);
            let mut word = self.word(at, count);
            let mut base = 0;
            while base < count {
                let left = count - base;
                if open.is_none() {
                    let clear = (word.trailing_zeros() as usize).min(left);
                    base += clear;
                    word = word.checked_shr(clear as u32).unwrap_or(0);
                    if clear < left {
                        open = Some(at + base);
                    }
                    continue;
                }
                let set = (word.trailing_ones() as usize).min(left);
                base += set;
                word = word.checked_shr(set as u32).unwrap_or(0);
                if set < left
                    && let Some(from) = open.take()
                {
                    run(from, at + base);
                }
            }
            at += count;
        }
        if let Some(from) = open {
            run(from, end);
        }
    }

    /// True when every bit of `start..end` is set.
    pub(crate) fn all_set(&self, start: usize, end: usize) -> bool {
        (start..end).step_by(64).all(|at| {
            let count = (end - at).min(64);
            self.word(at, count).count_ones() as usize == count
        })
    }

    fn skip(self, count: usize) -> Self {
        Self { bytes: self.bytes, offset: self.offset + count }
    }

    fn check(&self, len: usize, buffer: &'static str) -> Result<(), BadCells> {
        let needed = self.offset.checked_add(len).map(|bits| bits.div_ceil(8));
        if len == 0 || needed.is_some_and(|bytes| bytes <= self.bytes.len()) {
            return Ok(());
        }
        Err(BadCells::Length { buffer, cells: len })
    }
}

impl<'a> Offsets<'a> {
    /// The offset at `index`. A checked view holds only offsets that fit.
    pub fn get(&self, index: usize) -> usize {
        match self {
            Self::I32(offsets) => offsets[index] as usize,
            Self::I64(offsets) => offsets[index] as usize,
        }
    }

    fn slice(&self, start: usize, end: usize) -> Self {
        match self {
            // A view without cells may have no offsets at all.
            Self::I32([]) | Self::I64([]) => *self,
            Self::I32(offsets) => Self::I32(&offsets[start..=end]),
            Self::I64(offsets) => Self::I64(&offsets[start..=end]),
        }
    }

    fn check(&self, len: usize, data: usize) -> Result<(), BadCells> {
        match self {
            Self::I32(offsets) => check_offsets(offsets, len, data, |offset| i64::from(*offset)),
            Self::I64(offsets) => check_offsets(offsets, len, data, |offset| *offset),
        }
    }
}

fn check_offsets<T>(offsets: &[T], len: usize, data: usize, value: fn(&T) -> i64) -> Result<(), BadCells> {
    if offsets.len() != len.saturating_add(1) && !(len == 0 && offsets.is_empty()) {
        return Err(BadCells::Length { buffer: "offset", cells: len });
    }
    let mut last = 0;
    for (index, offset) in offsets.iter().map(value).enumerate() {
        if offset < last {
            return Err(BadCells::Offset { index });
        }
        last = offset;
    }
    if usize::try_from(last).is_ok_and(|last| last <= data) {
        return Ok(());
    }
    Err(BadCells::Offset { index: len })
}
