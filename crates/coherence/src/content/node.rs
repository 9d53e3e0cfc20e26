//! The streams of one column, arranged as the tree of its type.
//!
//! Only visible valid cells reach the value streams: what lies beneath a null, in its own slot or in the
//! fields and items below it, leaves no trace.

use super::stream::{BitStream, Stream, Validity};
use crate::cells::{Cells, Offsets, Values};
use crate::digest::Digest;
use crate::schema::LogicalType;

/// A length that does not fit 32 bits is written as this mark and then in 64 bits.
const LONG_LENGTH: u32 = u32::MAX;

/// One type of the tree and its streams.
#[derive(Debug)]
pub(super) struct Node {
    validity: Validity,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Null,
    Bool { bits: BitStream },
    Fixed { width: usize, values: Stream },
    Float { width: usize, values: Stream },
    Bytes { lengths: Stream, data: Stream },
    List { lengths: Stream, item: Box<Node> },
    FixedList { size: usize, item: Box<Node> },
    Struct { fields: Vec<Node> },
}

impl Node {
    pub(super) fn new(ty: &LogicalType) -> Self {
        let kind = match ty {
            LogicalType::Null => Kind::Null,
            LogicalType::Bool => Kind::Bool { bits: BitStream::default() },
            LogicalType::Float { bits } => {
                Kind::Float { width: usize::from(*bits) / 8, values: Stream::default() }
            }
            LogicalType::Utf8 | LogicalType::Binary => {
                Kind::Bytes { lengths: Stream::default(), data: Stream::default() }
            }
            LogicalType::List(item) => Kind::list(Self::new(item)),
            LogicalType::Map { key, value } => {
                let fields = vec![Self::new(key), Self::new(value)];
                Kind::list(Self { validity: Validity::default(), kind: Kind::Struct { fields } })
            }
            LogicalType::FixedList { size, item } => {
                Kind::FixedList { size: *size as usize, item: Box::new(Self::new(item)) }
            }
            LogicalType::Struct(fields) => {
                Kind::Struct { fields: fields.iter().map(|field| Self::new(&field.ty)).collect() }
            }
            fixed => {
                Kind::Fixed { width: fixed.value_width().unwrap_or_default(), values: Stream::default() }
            }
        };
        Self { validity: Validity::default(), kind }
    }

    /// True when the layout of the cells is that of this type, all the way down.
    pub(super) fn fits(&self, cells: &Cells<'_>) -> bool {
        match (&self.kind, cells.values()) {
            (Kind::Null, Values::Null) => true,
            (Kind::Bool { .. }, Values::Bool(_)) => true,
            (Kind::Fixed { width, .. }, Values::Fixed { width: found, .. }) => width == found,
            (Kind::Float { width, .. }, Values::Float { width: found, .. }) => width == found,
            (Kind::Bytes { .. }, Values::Bytes { .. }) => true,
            (Kind::List { item, .. }, Values::List { child, .. }) => item.fits(child),
            (Kind::FixedList { size, item }, Values::FixedList { size: found, child }) => {
                size == found && item.fits(child)
            }
            (Kind::Struct { fields }, Values::Struct(children)) => {
                let mut pairs = fields.iter().zip(children);
                fields.len() == children.len() && pairs.all(|(field, child)| field.fits(child))
            }
            _ => false,
        }
    }

    /// Appends cells `start..end`, all of them visible. The layout must fit.
    pub(super) fn push(&mut self, cells: &Cells<'_>, start: usize, end: usize) {
        if start >= end || matches!(self.kind, Kind::Null) {
            return;
        }
        match cells.validity() {
            Some(bits) if !bits.all_set(start, end) => {
                self.validity.push_bits(&bits, start, end);
                let values = cells.values();
                bits.for_each_run(start, end, |from, to| self.kind.push_valid(values, from, to));
            }
            _ => {
                self.validity.push_valid(end - start);
                self.kind.push_valid(cells.values(), start, end);
            }
        }
    }

    /// Appends the digests of the streams in pre-order; the streams are empty afterwards.
    pub(super) fn finish(&mut self, out: &mut Vec<Digest>) {
        if matches!(self.kind, Kind::Null) {
            return;
        }
        out.push(self.validity.finish());
        match &mut self.kind {
            Kind::Null => {}
            Kind::Bool { bits } => out.push(bits.finish()),
            Kind::Fixed { values, .. } | Kind::Float { values, .. } => out.push(values.finish()),
            Kind::Bytes { lengths, data } => out.extend([lengths.finish(), data.finish()]),
            Kind::List { lengths, item } => {
                out.push(lengths.finish());
                item.finish(out);
            }
            Kind::FixedList { item, .. } => item.finish(out),
            Kind::Struct { fields } => fields.iter_mut().for_each(|field| field.finish(out)),
        }
    }
}

impl Kind {
    fn list(item: Node) -> Self {
        Self::List { lengths: Stream::default(), item: Box::new(item) }
    }

    /// Appends a run of valid cells.
    fn push_valid(&mut self, values: &Values<'_>, start: usize, end: usize) {
        match (self, values) {
            (Self::Bool { bits }, Values::Bool(values)) => bits.push_bits(values, start, end),
            (Self::Fixed { width, values }, Values::Fixed { bytes, .. }) => {
                values.update(&bytes[start * *width..end * *width]);
            }
            (Self::Float { width, values }, Values::Float { bytes, .. }) => {
                push_floats(values, *width, &bytes[start * *width..end * *width]);
            }
            (Self::Bytes { lengths, data }, Values::Bytes { offsets, data: bytes }) => {
                push_lengths(lengths, offsets, start, end);
                data.update(&bytes[offsets.get(start)..offsets.get(end)]);
            }
            (Self::List { lengths, item }, Values::List { offsets, child }) => {
                push_lengths(lengths, offsets, start, end);
                item.push(child, offsets.get(start), offsets.get(end));
            }
            (Self::FixedList { size, item }, Values::FixedList { child, .. }) => {
                item.push(child, start * *size, end * *size);
            }
            (Self::Struct { fields }, Values::Struct(children)) => {
                for (field, child) in fields.iter_mut().zip(children) {
                    field.push(child, start, end);
                }
            }
            // `Node::fits` has refused every other pair.
            _ => {}
        }
    }
}

fn push_lengths(stream: &mut Stream, offsets: &Offsets<'_>, start: usize, end: usize) {
    match offsets {
        Offsets::I32(offsets) => {
            push_each_length(stream, &offsets[start..=end], |low, high| (high - low) as u64);
        }
        Offsets::I64(offsets) => {
            push_each_length(stream, &offsets[start..=end], |low, high| (high - low) as u64);
        }
    }
}

fn push_each_length<T: Copy>(stream: &mut Stream, offsets: &[T], length: impl Fn(T, T) -> u64) {
    const GATHERED: usize = 256;
    let mut bytes = [0; GATHERED * 4];
    let pairs: (&[T], &[T]) = match offsets {
        [] => return,
        [_, rest @ ..] => (offsets, rest),
    };
    for (lows, highs) in pairs.0.chunks(GATHERED).zip(pairs.1.chunks(GATHERED)) {
        let mut widest = 0;
        for ((low, high), out) in lows.iter().zip(highs).zip(bytes.chunks_exact_mut(4)) {
            let length = length(*low, *high);
            widest |= length;
            out.copy_from_slice(&(length as u32).to_le_bytes());
        }
        if widest < u64::from(LONG_LENGTH) {
            stream.update(&bytes[..highs.len() * 4]);
            continue;
        }
        for (low, high) in lows.iter().zip(highs) {
            push_any_length(stream, length(*low, *high));
        }
    }
}

fn push_any_length(stream: &mut Stream, length: u64) {
    if length < u64::from(LONG_LENGTH) {
        stream.update(&(length as u32).to_le_bytes());
    } else {
        stream.update(&LONG_LENGTH.to_le_bytes());
        stream.update(&length.to_le_bytes());
    }
}

/// Appends values as they lie when none of them is NaN, and with every NaN made the same otherwise.
fn push_floats(stream: &mut Stream, width: usize, bytes: &[u8]) {
    match width {
        2 => push_floats_of(stream, bytes, |raw| {
            let bits = u16::from_le_bytes(raw);
            (bits & 0x7fff > 0x7c00).then_some(0x7e00u16.to_le_bytes())
        }),
        4 => push_floats_of(stream, bytes, |raw| {
            let bits = u32::from_le_bytes(raw);
            (bits & 0x7fff_ffff > 0x7f80_0000).then_some(0x7fc0_0000u32.to_le_bytes())
        }),
        _ => push_floats_of(stream, bytes, |raw| {
            let bits = u64::from_le_bytes(raw);
            let nan = bits & 0x7fff_ffff_ffff_ffff > 0x7ff0_0000_0000_0000;
            nan.then_some(0x7ff8_0000_0000_0000u64.to_le_bytes())
        }),
    }
}

/// `canonical` gives the bytes that stand for a NaN, and nothing for any other value.
fn push_floats_of<const W: usize>(
    stream: &mut Stream,
    bytes: &[u8],
    canonical: impl Fn([u8; W]) -> Option<[u8; W]>,
) {
    let (values, _) = bytes.as_chunks::<W>();
    for values in values.chunks(4096) {
        // The fold has no early exit, so that it runs as vector instructions.
        let any_nan = values.iter().fold(false, |any, raw| any | canonical(*raw).is_some());
        if !any_nan {
            stream.update(values.as_flattened());
            continue;
        }
        for raw in values {
            stream.update(&canonical(*raw).unwrap_or(*raw));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Bits;

    #[test]
    fn lengths_beyond_32_bits_are_marked() {
        let mut short = Stream::default();
        let offsets = [0, 3, 3 + (1 << 33)];
        push_lengths(&mut short, &Offsets::I64(&offsets), 0, 2);
        let mut expected = vec![3, 0, 0, 0, 255, 255, 255, 255];
        expected.extend((1u64 << 33).to_le_bytes());
        assert_eq!(short.finish(), Digest::blake3(&expected));
    }

    #[test]
    fn runs_of_bits_are_found_at_any_offset() {
        let bytes = [0b1010_1100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0b0000_0011];
        for offset in 0..20 {
            let bits = Bits::new(&bytes, offset);
            let len = bytes.len() * 8 - offset;
            let mut seen = vec![false; len];
            let mut last = None;
            bits.for_each_run(0, len, |from, to| {
                assert!(from < to && last.is_none_or(|last| last < from));
                last = Some(to);
                seen[from..to].fill(true);
            });
            let expected: Vec<bool> = (0..len).map(|index| bits.get(index)).collect();
            assert_eq!(seen, expected);
        }
    }
}
