//! Sample types: how one sample of a signal is laid out, and what number it is.

use crate::numeric::{half, widen};
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

    /// Whether every value of another type of floating point is one of this type.
    pub fn holds_all(self, other: Self) -> bool {
        use SampleType::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
        let narrower: &[Self] = match self {
            F16 | Bf16 => &[F8E4M3, F8E5M2],
            F32 => &[F8E4M3, F8E5M2, F16, Bf16],
            F64 => &[F8E4M3, F8E5M2, F16, Bf16, F32],
            _ => &[],
        };
        self.is_float() && (self == other || narrower.contains(&other))
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
    /// True for a finite number.
    fn is_finite(self) -> bool;
    /// True for what is not a number.
    fn is_nan(self) -> bool;
    /// True when no reader could tell the two apart: NaN is NaN, and -0.0 is not 0.0.
    fn same(self, other: Self) -> bool;
    /// The sample as it is, for whole numbers of at most 16 bits: the square of the difference of two of them
    /// is below 2^32.
    const NARROW: Option<fn(Self) -> i32> = None;
}

macro_rules! integer {
    ($($ty:ty: $width:literal, $narrow:expr, |$a:ident, $b:ident| $minus:expr;)*) => {$(
        impl Sample for $ty {
            type Bytes = [u8; $width];
            const NARROW: Option<fn(Self) -> i32> = $narrow;
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
                let ($a, $b) = (self, other);
                $minus
            }
            #[inline]
            fn is_finite(self) -> bool {
                true
            }
            #[inline]
            fn is_nan(self) -> bool {
                false
            }
            #[inline]
            fn same(self, other: Self) -> bool {
                self == other
            }
        }
    )*};
}

// Integers of 32 bits and their differences are doubles; wider ones are subtracted before they are rounded.
integer! {
    i8: 1, Some(i32::from), |a, b| f64::from(a) - f64::from(b);
    i16: 2, Some(i32::from), |a, b| f64::from(a) - f64::from(b);
    i32: 4, None, |a, b| f64::from(a) - f64::from(b);
    i64: 8, None, |a, b| if a < b { -(b.abs_diff(a) as f64) } else { a.abs_diff(b) as f64 };
    u8: 1, Some(i32::from), |a, b| f64::from(a) - f64::from(b);
    u16: 2, Some(i32::from), |a, b| f64::from(a) - f64::from(b);
    u32: 4, None, |a, b| f64::from(a) - f64::from(b);
    u64: 8, None, |a, b| if a < b { -(b.abs_diff(a) as f64) } else { a.abs_diff(b) as f64 };
}

macro_rules! float {
    ($($(#[$doc:meta])* $ty:ident: $bits:ident, $width:literal, $symbols:literal, $nans:literal,
        |$raw:ident| $widen:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $ty($bits);

        impl $ty {
            #[inline]
            fn magnitude(self) -> $bits {
                self.0 & ($bits::MAX >> 1)
            }
        }

        impl Sample for $ty {
            type Bytes = [u8; $width];
            #[inline]
            fn read(bytes: Self::Bytes) -> Self {
                $ty($bits::from_le_bytes(bytes))
            }
            #[inline]
            fn to_f64(self) -> f64 {
                let $raw = self.0;
                $widen
            }
            #[inline]
            fn minus(self, other: Self) -> f64 {
                self.to_f64() - other.to_f64()
            }
            #[inline]
            fn is_finite(self) -> bool {
                self.magnitude() < $symbols
            }
            #[inline]
            fn is_nan(self) -> bool {
                self.magnitude() >= $nans
            }
            #[inline]
            fn same(self, other: Self) -> bool {
                (self.0 == other.0) | (self.is_nan() & other.is_nan())
            }
        }
    )*};
}

// With the least magnitudes, as bits, that are no finite number, and that are NaN. E4M3 has bias 7; all ones
// are NaN, and there is no infinity (Micikevicius et al., FP8 Formats for Deep Learning, 2022).
float! {
    /// A number of [`SampleType::F8E4M3`].
    F8E4M3: u8, 1, 0x7f, 0x7f, |raw| widen((raw >> 7).into(), (raw & 0x7f).into(), (3, 7), 0x7f);
    /// A number of [`SampleType::F8E5M2`].
    F8E5M2: u8, 1, 0x7c, 0x7d, |raw| half(u16::from(raw) << 8);
    /// A number of [`SampleType::F16`].
    F16: u16, 2, 0x7c00, 0x7c01, |raw| half(raw);
    /// A number of [`SampleType::Bf16`].
    Bf16: u16, 2, 0x7f80, 0x7f81, |raw| f32::from_bits(u32::from(raw) << 16).into();
    /// A number of [`SampleType::F32`].
    F32: u32, 4, 0x7f80_0000, 0x7f80_0001, |raw| f32::from_bits(raw).into();
    /// A number of [`SampleType::F64`].
    F64: u64, 8, 0x7ff0_0000_0000_0000, 0x7ff0_0000_0000_0001, |raw| f64::from_bits(raw);
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
        let e4m3 = |bits| F8E4M3::read([bits]).to_f64();
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
    fn wider_types_hold_all_values_of_narrower_ones() {
        use SampleType::{Bf16, F8E4M3, F8E5M2, F16, F32, F64, I16};
        for from in [F8E4M3, F8E5M2, F16, Bf16] {
            assert!(F32.holds_all(from) && F64.holds_all(from) && from.holds_all(from));
            assert!(!from.holds_all(F32));
        }
        assert!(F16.holds_all(F8E4M3) && Bf16.holds_all(F8E5M2) && F64.holds_all(F32));
        assert!(!F16.holds_all(Bf16) && !Bf16.holds_all(F16) && !F8E5M2.holds_all(F8E4M3));
        assert!(!F64.holds_all(I16) && !I16.holds_all(I16));
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
