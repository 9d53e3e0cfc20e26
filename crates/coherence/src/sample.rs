//! Sample types: how one sample of a signal is laid out, and what number it is.

use crate::numeric::half;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// How a sample is laid out, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SampleType {
    /// A truth value: one byte, 0 or 1.
    Bool,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754 floating point with 4 bits of exponent and 3 of fraction, without infinities (`E4M3FN`).
    F8E4M3,
    /// IEEE 754 floating point with 5 bits of exponent and 2 of fraction.
    F8E5M2,
    /// IEEE 754 `binary16`.
    F16,
    /// The upper half of a `binary32`.
    Bf16,
    /// IEEE 754 `binary32`.
    F32,
    /// IEEE 754 `binary64`.
    F64,
}

/// A name that no sample type has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no sample type is called {0:?}; there are {list}", list = SampleType::names())]
pub struct UnknownSampleType(pub String);

impl SampleType {
    /// Every sample type.
    pub const ALL: [Self; 15] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F8E4M3,
        Self::F8E5M2,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
    ];

    /// Its name, as options and certificates spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F8E4M3 => "f8e4m3",
            Self::F8E5M2 => "f8e5m2",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    /// All names, separated by commas.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Bytes of a sample.
    pub fn width(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 | Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// True for floating point.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F8E4M3 | Self::F8E5M2 | Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// The one NaN that stands for all in digests; `None` for types that have none.
    pub fn canonical_nan(self) -> Option<&'static [u8]> {
        match self {
            Self::F8E4M3 => Some(&[0x7f]),
            Self::F8E5M2 => Some(&[0x7e]),
            Self::F16 => Some(&[0x00, 0x7e]),
            Self::Bf16 => Some(&[0xc0, 0x7f]),
            Self::F32 => Some(&[0x00, 0x00, 0xc0, 0x7f]),
            Self::F64 => Some(&[0, 0, 0, 0, 0, 0, 0xf8, 0x7f]),
            _ => None,
        }
    }
}

impl fmt::Display for SampleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SampleType {
    type Err = UnknownSampleType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|ty| ty.name() == name);
        found.ok_or_else(|| UnknownSampleType(name.to_owned()))
    }
}

/// A sample of one type, as arithmetic sees it.
pub trait Sample: Copy {
    /// Bytes of a sample.
    type Bytes: AsRef<[u8]> + Copy;
    /// Reads a sample.
    fn read(bytes: Self::Bytes) -> Self;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// `self - other`, rounded once to `f64`.
    fn minus(self, other: Self) -> f64;
    /// True when no reader could tell the two apart: NaN is NaN, and -0.0 is not 0.0.
    fn same(self, other: Self) -> bool;
}

macro_rules! integer {
    ($($ty:ty: $width:literal via $wide:ty),*) => {$(
        impl Sample for $ty {
            type Bytes = [u8; $width];
            #[inline]
            fn read(bytes: Self::Bytes) -> Self {
                <$ty>::from_le_bytes(bytes)
            }
            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline]
            fn minus(self, other: Self) -> f64 {
                (<$wide>::from(self) - <$wide>::from(other)) as f64
            }
            #[inline]
            fn same(self, other: Self) -> bool {
                self == other
            }
        }
    )*};
}

integer!(i8: 1 via i16, i16: 2 via i32, i32: 4 via i64, i64: 8 via i128,
    u8: 1 via i16, u16: 2 via i32, u32: 4 via i64, u64: 8 via i128);

macro_rules! float {
    ($($ty:ident: $width:literal as |$bytes:ident| $widen:expr),*) => {$(
        impl Sample for $ty {
            type Bytes = [u8; $width];
            #[inline]
            fn read($bytes: Self::Bytes) -> Self {
                $ty($widen)
            }
            #[inline]
            fn to_f64(self) -> f64 {
                self.0
            }
            #[inline]
            fn minus(self, other: Self) -> f64 {
                self.0 - other.0
            }
            #[inline]
            fn same(self, other: Self) -> bool {
                self.0.to_bits() == other.0.to_bits() || (self.0.is_nan() && other.0.is_nan())
            }
        }
    )*};
}

/// A number of [`SampleType::F8E4M3`], widened without loss.
#[derive(Clone, Copy, Debug)]
pub struct F8E4M3(f64);
/// A number of [`SampleType::F8E5M2`], widened without loss.
#[derive(Clone, Copy, Debug)]
pub struct F8E5M2(f64);
/// A number of [`SampleType::F16`], widened without loss.
#[derive(Clone, Copy, Debug)]
pub struct F16(f64);
/// A number of [`SampleType::Bf16`], widened without loss.
#[derive(Clone, Copy, Debug)]
pub struct Bf16(f64);
/// A number of [`SampleType::F32`], widened without loss.
#[derive(Clone, Copy, Debug)]
pub struct F32(f64);
/// A number of [`SampleType::F64`].
#[derive(Clone, Copy, Debug)]
pub struct F64(f64);

float!(
    F8E4M3: 1 as |bytes| e4m3(bytes[0]),
    F8E5M2: 1 as |bytes| half(u16::from(bytes[0]) << 8),
    F16: 2 as |bytes| half(u16::from_le_bytes(bytes)),
    Bf16: 2 as |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16).into(),
    F32: 4 as |bytes| f32::from_le_bytes(bytes).into(),
    F64: 8 as |bytes| f64::from_le_bytes(bytes)
);

/// E4M3FN: bias 7; all ones are NaN, and there is no infinity (Micikevicius et al., FP8 Formats for Deep
/// Learning, 2022).
fn e4m3(bits: u8) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 3 & 0xf), f64::from(bits & 7));
    let magnitude = match (exponent, bits & 7) {
        (15, 7) => f64::NAN,
        (0, _) => fraction * 2f64.powi(-9),
        _ => (8.0 + fraction) * 2f64.powi(exponent - 10),
    };
    if bits >> 7 == 1 { -magnitude } else { magnitude }
}

/// Calls a generic function with the Rust type that reads samples of a [`SampleType`].
macro_rules! with_sample {
    ($ty:expr, $function:ident($($argument:expr),*)) => {{
        use $crate::sample::{self, SampleType};
        match $ty {
            SampleType::I8 => $function::<i8, 1>($($argument),*),
            SampleType::I16 => $function::<i16, 2>($($argument),*),
            SampleType::I32 => $function::<i32, 4>($($argument),*),
            SampleType::I64 => $function::<i64, 8>($($argument),*),
            SampleType::Bool | SampleType::U8 => $function::<u8, 1>($($argument),*),
            SampleType::U16 => $function::<u16, 2>($($argument),*),
            SampleType::U32 => $function::<u32, 4>($($argument),*),
            SampleType::U64 => $function::<u64, 8>($($argument),*),
            SampleType::F8E4M3 => $function::<sample::F8E4M3, 1>($($argument),*),
            SampleType::F8E5M2 => $function::<sample::F8E5M2, 1>($($argument),*),
            SampleType::F16 => $function::<sample::F16, 2>($($argument),*),
            SampleType::Bf16 => $function::<sample::Bf16, 2>($($argument),*),
            SampleType::F32 => $function::<sample::F32, 4>($($argument),*),
            SampleType::F64 => $function::<sample::F64, 8>($($argument),*),
        }
    }};
}
pub(crate) use with_sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_floats_widen_as_published() {
        assert_eq!(e4m3(0x7e), 448.0);
        assert_eq!(e4m3(0x01), 2f64.powi(-9));
        assert_eq!(e4m3(0x08), 2f64.powi(-6));
        assert_eq!(e4m3(0xb8), -1.0);
        assert!(e4m3(0x7f).is_nan() && e4m3(0xff).is_nan());
        assert_eq!(F8E5M2::read([0x7b]).to_f64(), 57344.0);
        assert_eq!(F8E5M2::read([0x7c]).to_f64(), f64::INFINITY);
        assert_eq!(F8E5M2::read([0x01]).to_f64(), 2f64.powi(-16));
    }

    #[test]
    fn names_are_read_back() {
        for ty in SampleType::ALL {
            assert_eq!(ty.name().parse(), Ok(ty));
            assert_eq!(ty.canonical_nan().map(<[u8]>::len), ty.is_float().then(|| ty.width()));
        }
        assert!("f128".parse::<SampleType>().is_err());
    }

    #[test]
    fn integers_are_subtracted_before_they_are_rounded() {
        assert_eq!(((1i64 << 60) + 1).minus(1 << 60), 1.0);
        assert_eq!(u64::MAX.minus(0), 18_446_744_073_709_551_615.0);
        assert_eq!(0u8.minus(255), -255.0);
    }
}
