//! Columns of plain Rust values, and the many ways in which buffers can hold the same ones.

use coherence::cells::{Bits, Cells, Offsets, Values};
use coherence::schema::{Field, IntervalUnit, LogicalType, TimeUnit};
use proptest::collection::vec;
use proptest::prelude::*;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Little-endian bytes of a fixed-width value, floating point included.
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    /// Items of a list, of a fixed list, or the (key, value) structs of a map.
    List(Vec<Value>),
    Struct(Vec<Value>),
}

/// How buffers hold values; none of it may show in a digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// 64-bit offsets instead of 32-bit ones.
    pub(crate) wide: bool,
    /// Index of the first bit in bitmaps.
    pub(crate) bit_offset: usize,
    /// Junk cells before and after those of interest, which a slice then hides.
    pub(crate) padding: usize,
    /// Validity bits even where no cell is null.
    pub(crate) explicit_validity: bool,
    /// Seed of what lies beneath nulls.
    pub(crate) junk: u8,
}

pub(crate) fn layouts() -> impl Strategy<Value = Layout> {
    (any::<bool>(), 0..70usize, 0..5usize, any::<bool>(), any::<u8>()).prop_map(
        |(wide, bit_offset, padding, explicit_validity, junk)| Layout {
            wide,
            bit_offset,
            padding,
            explicit_validity,
            junk,
        },
    )
}

/// The plainest layout.
pub(crate) const PLAIN: Layout =
    Layout { wide: false, bit_offset: 0, padding: 0, explicit_validity: false, junk: 0 };

pub(crate) fn types() -> impl Strategy<Value = LogicalType> {
    let simple = prop_oneof![
        Just(LogicalType::Null),
        Just(LogicalType::Bool),
        Just(LogicalType::Int { bits: 8, signed: true }),
        Just(LogicalType::Int { bits: 64, signed: false }),
        Just(LogicalType::Float { bits: 16 }),
        Just(LogicalType::Float { bits: 32 }),
        Just(LogicalType::Float { bits: 64 }),
        Just(LogicalType::Decimal { precision: 18, scale: 2 }),
        Just(LogicalType::Decimal { precision: 70, scale: -1 }),
        Just(LogicalType::Utf8),
        Just(LogicalType::Binary),
        Just(LogicalType::FixedBinary { size: 3 }),
        Just(LogicalType::FixedBinary { size: 0 }),
        Just(LogicalType::Date { unit: TimeUnit::Day }),
        Just(LogicalType::Timestamp { unit: TimeUnit::Microsecond, zone: Some("UTC".into()) }),
        Just(LogicalType::Interval { unit: IntervalUnit::MonthDayNano }),
    ];
    let nested = simple.clone().prop_recursive(3, 8, 3, |inner| {
        let fields = vec(inner.clone(), 0..3).prop_map(|types| {
            let named = types.into_iter().enumerate();
            LogicalType::Struct(named.map(|(index, ty)| Field::new(format!("f{index}"), ty)).collect())
        });
        prop_oneof![
            inner.clone().prop_map(|item| LogicalType::List(Box::new(item))),
            (0..3u32, inner.clone())
                .prop_map(|(size, item)| LogicalType::FixedList { size, item: Box::new(item) }),
            fields,
            (inner.clone(), inner)
                .prop_map(|(key, value)| LogicalType::Map { key: Box::new(key), value: Box::new(value) }),
        ]
    });
    prop_oneof![simple, nested]
}

/// Cells of a type. Few different values, so that equal ones are common.
pub(crate) fn values(ty: &LogicalType) -> BoxedStrategy<Value> {
    let valid: BoxedStrategy<Value> = match ty {
        LogicalType::Null => return Just(Value::Null).boxed(),
        LogicalType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        LogicalType::Float { bits } => floats(usize::from(*bits) / 8),
        LogicalType::Utf8 | LogicalType::Binary => {
            prop_oneof!["[ab]{0,3}", "é?x{0,40}"].prop_map(|text| Value::Bytes(text.into_bytes())).boxed()
        }
        LogicalType::List(item) => vec(values(item), 0..4).prop_map(Value::List).boxed(),
        LogicalType::FixedList { size, item } => {
            vec(values(item), *size as usize).prop_map(Value::List).boxed()
        }
        LogicalType::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|field| values(&field.ty)).collect();
            fields.prop_map(Value::Struct).boxed()
        }
        LogicalType::Map { key, value } => {
            let entry = (values(key), values(value)).prop_map(|(key, value)| Value::Struct(vec![key, value]));
            vec(entry, 0..3).prop_map(Value::List).boxed()
        }
        fixed => {
            let width = fixed.value_width().expect("every other type has a width");
            vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], width).prop_map(Value::Fixed).boxed()
        }
    };
    prop_oneof![4 => valid, 1 => Just(Value::Null)].boxed()
}

/// Floats in which NaNs of several payloads and both zeros are common.
fn floats(width: usize) -> BoxedStrategy<Value> {
    let raw: Vec<u64> = match width {
        2 => vec![0, 0x8000, 0x3c00, 0x7c00, 0x7c01, 0x7e00, 0xfe77],
        4 => vec![0, 0x8000_0000, 0x3f80_0000, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000, 0xffc1_2345],
        _ => {
            vec![
                0,
                1 << 63,
                0x3ff0 << 48,
                0x7ff0 << 48,
                (0x7ff0 << 48) + 1,
                0x7ff8 << 48,
                (0xfff8 << 48) + 77,
            ]
        }
    };
    proptest::sample::select(raw)
        .prop_map(move |bits| Value::Fixed(bits.to_le_bytes()[..width].into()))
        .boxed()
}

/// A type, and some cells of it.
pub(crate) fn columns(cells: std::ops::Range<usize>) -> impl Strategy<Value = (LogicalType, Vec<Value>)> {
    types().prop_flat_map(move |ty| {
        let column = vec(values(&ty), cells.clone());
        (Just(ty), column)
    })
}

/// Buffers that own a column.
#[derive(Debug)]
pub(crate) struct Owned {
    len: usize,
    validity: Option<Vec<u8>>,
    bit_offset: usize,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Null,
    Bool(Vec<u8>),
    Fixed(usize, Vec<u8>),
    Float(usize, Vec<u8>),
    Bytes(OwnedOffsets, Vec<u8>),
    List(OwnedOffsets, Box<Owned>),
    FixedList(usize, Box<Owned>),
    Struct(Vec<Owned>),
}

#[derive(Debug)]
enum OwnedOffsets {
    Narrow(Vec<i32>),
    Wide(Vec<i64>),
}

/// Zero, false, or the empty text: what a careless reader finds where a null stands.
pub(crate) fn zero(ty: &LogicalType) -> Value {
    junk(ty, 0)
}

/// A valid cell that stands where nobody may look.
fn junk(ty: &LogicalType, seed: u8) -> Value {
    match ty {
        LogicalType::Null => Value::Null,
        LogicalType::Bool => Value::Bool(seed & 1 == 1),
        LogicalType::Utf8 | LogicalType::Binary => Value::Bytes(vec![b'?'; usize::from(seed % 4)]),
        LogicalType::List(item) => Value::List(vec![junk(item, seed); usize::from(seed % 3)]),
        LogicalType::FixedList { size, item } => Value::List(vec![junk(item, seed); *size as usize]),
        LogicalType::Struct(fields) => {
            Value::Struct(fields.iter().map(|field| junk(&field.ty, seed)).collect())
        }
        LogicalType::Map { key, value } => {
            let entry = Value::Struct(vec![junk(key, seed), junk(value, seed)]);
            Value::List(vec![entry; usize::from(seed % 3)])
        }
        fixed => Value::Fixed(vec![seed; fixed.value_width().expect("every other type has a width")]),
    }
}

/// Lays out cells, with padding cells around them that [`Padded::cells`] slices away.
pub(crate) fn build(ty: &LogicalType, cells: &[Value], layout: Layout) -> Padded {
    let around = vec![junk(ty, layout.junk.wrapping_add(1)); layout.padding];
    let padded: Vec<&Value> = around.iter().chain(cells).chain(&around).collect();
    Padded { owned: build_exactly(ty, &padded, layout), padding: layout.padding, len: cells.len() }
}

/// Buffers with cells of no interest at both ends.
#[derive(Debug)]
pub(crate) struct Padded {
    owned: Owned,
    padding: usize,
    len: usize,
}

impl Padded {
    /// The view of the cells of interest.
    pub(crate) fn cells(&self) -> Cells<'_> {
        self.owned.cells().slice(self.padding, self.len).expect("the cells lie within the padding")
    }
}

fn build_exactly(ty: &LogicalType, cells: &[&Value], layout: Layout) -> Owned {
    let hidden = junk(ty, layout.junk);
    let any_null = cells.contains(&&Value::Null) && *ty != LogicalType::Null;
    let flags = cells.iter().map(|cell| **cell != Value::Null);
    let validity = (any_null || (layout.explicit_validity && *ty != LogicalType::Null))
        .then(|| pack(flags, layout.bit_offset));
    let shown: Vec<&Value> =
        cells.iter().map(|cell| if **cell == Value::Null { &hidden } else { *cell }).collect();
    let bytes = || shown.iter().flat_map(|cell| fixed(cell).iter().copied()).collect();
    let body = match ty {
        LogicalType::Null => Body::Null,
        LogicalType::Bool => {
            Body::Bool(pack(shown.iter().map(|cell| **cell == Value::Bool(true)), layout.bit_offset))
        }
        LogicalType::Float { bits } => Body::Float(usize::from(*bits) / 8, bytes()),
        LogicalType::Utf8 | LogicalType::Binary => {
            let texts: Vec<&[u8]> = shown.iter().map(|cell| fixed(cell)).collect();
            Body::Bytes(offsets(texts.iter().map(|text| text.len()), layout.wide), texts.concat())
        }
        LogicalType::List(item) => list(item, &shown, layout),
        LogicalType::Map { key, value } => {
            let entry = vec![Field::new("key", (**key).clone()), Field::new("value", (**value).clone())];
            list(&LogicalType::Struct(entry), &shown, layout)
        }
        LogicalType::FixedList { size, item } => {
            let all: Vec<&Value> = shown.iter().flat_map(|cell| items(cell)).collect();
            Body::FixedList(*size as usize, Box::new(build_exactly(item, &all, layout)))
        }
        LogicalType::Struct(fields) => {
            let field = |(index, field): (usize, &Field)| {
                let column: Vec<&Value> = shown.iter().map(|cell| &items(cell)[index]).collect();
                build_exactly(&field.ty, &column, layout)
            };
            Body::Struct(fields.iter().enumerate().map(field).collect())
        }
        other => Body::Fixed(other.value_width().expect("every other type has a width"), bytes()),
    };
    Owned { len: cells.len(), validity, bit_offset: layout.bit_offset, body }
}

fn list(item: &LogicalType, shown: &[&Value], layout: Layout) -> Body {
    let all: Vec<&Value> = shown.iter().flat_map(|cell| items(cell)).collect();
    let lengths = shown.iter().map(|cell| items(cell).len());
    Body::List(offsets(lengths, layout.wide), Box::new(build_exactly(item, &all, layout)))
}

fn fixed(cell: &Value) -> &[u8] {
    match cell {
        Value::Fixed(bytes) | Value::Bytes(bytes) => bytes,
        other => panic!("{other:?} is not bytes"),
    }
}

fn items(cell: &Value) -> &[Value] {
    match cell {
        Value::List(items) | Value::Struct(items) => items,
        other => panic!("{other:?} has no items"),
    }
}

fn pack(flags: impl Iterator<Item = bool>, offset: usize) -> Vec<u8> {
    // Bits outside the view are set, so that a reader who strays sees it.
    let all: Vec<bool> = std::iter::repeat_n(true, offset).chain(flags).collect();
    let mut bytes = vec![0xff; all.len().div_ceil(8)];
    for (index, _) in all.iter().enumerate().filter(|(_, flag)| !**flag) {
        bytes[index / 8] &= !(1 << (index % 8));
    }
    bytes
}

fn offsets(lengths: impl Iterator<Item = usize>, wide: bool) -> OwnedOffsets {
    let mut ends = vec![0usize];
    for length in lengths {
        ends.push(ends[ends.len() - 1] + length);
    }
    if wide {
        OwnedOffsets::Wide(ends.iter().map(|end| *end as i64).collect())
    } else {
        OwnedOffsets::Narrow(ends.iter().map(|end| *end as i32).collect())
    }
}

impl OwnedOffsets {
    fn view(&self) -> Offsets<'_> {
        match self {
            Self::Narrow(offsets) => Offsets::I32(offsets),
            Self::Wide(offsets) => Offsets::I64(offsets),
        }
    }
}

impl Owned {
    fn cells(&self) -> Cells<'_> {
        let bits = |bytes| Bits::new(bytes, self.bit_offset);
        let values = match &self.body {
            Body::Null => Values::Null,
            Body::Bool(bytes) => Values::Bool(bits(bytes)),
            Body::Fixed(width, bytes) => Values::Fixed { width: *width, bytes },
            Body::Float(width, bytes) => Values::Float { width: *width, bytes },
            Body::Bytes(offsets, data) => Values::Bytes { offsets: offsets.view(), data },
            Body::List(offsets, child) => {
                Values::List { offsets: offsets.view(), child: Box::new(child.cells()) }
            }
            Body::FixedList(size, child) => Values::FixedList { size: *size, child: Box::new(child.cells()) },
            Body::Struct(fields) => Values::Struct(fields.iter().map(Self::cells).collect()),
        };
        Cells::new(self.len, self.validity.as_deref().map(bits), values).expect("buffers fit their length")
    }
}
