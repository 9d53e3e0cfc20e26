//! Provides the depths of sounds: how samples over one declared range are held over another.
//!
//! All ranges of sounds end at powers of two, so a sample becomes one of another depth by a shift, and by one
//! rounding to the nearest, ties to even, where that depth has fewer bits. Nothing is added to hide the
//! rounding (dither): that would be a further error, and another one in every run. A sample beyond the range
//! becomes the end of the range; how far that is from it is measured like any other error.

use std::fmt;

use coherence::sample::SampleType;
use coherence::signal::Array;

use super::is_sound;
use super::pcm::{put, sample_of};
use crate::signal::Encoding;

/// Names of the depths of whole samples, from 1 bit on.
const WHOLE: [&str; 32] = [
    "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11", "i12", "i13", "i14", "i15", "i16",
    "i17", "i18", "i19", "i20", "i21", "i22", "i23", "i24", "i25", "i26", "i27", "i28", "i29", "i30", "i31",
    "i32",
];

/// How many bits a sample of a sound has, and of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// A whole number of this many bits, 1 to 32, whose range ends at 2^(bits − 1).
    Whole(u8),
    /// Floating point of 32 bits, whose range ends at 1.
    F32,
    /// Floating point of 64 bits.
    F64,
}

impl Depth {
    /// All of them, whole samples first, from 1 bit on.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=32).map(Self::Whole).chain([Self::F32, Self::F64])
    }

    /// The depth of an array; `None` where it is no sound, or declares another range.
    pub fn of(array: &Array) -> Option<Self> {
        let peak = array.peak.filter(|_| is_sound(array))?;
        let depth = match array.sample {
            SampleType::F32 => Self::F32,
            SampleType::F64 => Self::F64,
            SampleType::I8 | SampleType::I16 | SampleType::I32 => {
                Self::Whole((peak as u64).trailing_zeros().min(31) as u8 + 1)
            }
            _ => return None,
        };
        (depth.sample() == array.sample && depth.peak() == peak).then_some(depth)
    }

    /// The depth that a person asks for by the name of an encoding.
    pub fn asked(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::Plain(SampleType::I8) => Some(Self::Whole(8)),
            Encoding::Plain(SampleType::I16) => Some(Self::Whole(16)),
            Encoding::Plain(SampleType::I32) => Some(Self::Whole(32)),
            Encoding::Plain(SampleType::F32) => Some(Self::F32),
            Encoding::Plain(SampleType::F64) => Some(Self::F64),
            Encoding::Sound(scaled) => Some(scaled.depth),
            _ => None,
        }
    }

    /// The depth of a name, such as `i24`.
    pub fn named(name: &str) -> Option<Self> {
        let whole = (1..).zip(WHOLE).find(|(_, known)| *known == name);
        let float = [Self::F32, Self::F64].into_iter().find(|depth| depth.name() == name);
        whole.map(|(bits, _)| Self::Whole(bits)).or(float)
    }

    /// Its name, as options and certificates spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole(bits) => WHOLE[usize::from(bits.clamp(1, 32)) - 1],
            Self::F32 => SampleType::F32.name(),
            Self::F64 => SampleType::F64.name(),
        }
    }

    /// The type that holds a sample.
    pub fn sample(self) -> SampleType {
        match self {
            Self::Whole(bits) => sample_of(bits),
            Self::F32 => SampleType::F32,
            Self::F64 => SampleType::F64,
        }
    }

    /// Bits of a sample in a file.
    pub fn size_bits(self) -> u8 {
        match self {
            Self::Whole(bits) => bits,
            Self::F32 => 32,
            Self::F64 => 64,
        }
    }

    /// Bits of whole samples.
    pub fn bits(self) -> Option<u8> {
        match self {
            Self::Whole(bits) => Some(bits),
            Self::F32 | Self::F64 => None,
        }
    }

    /// Where the declared range ends.
    pub fn peak(self) -> f64 {
        2f64.powi(self.exponent())
    }

    /// Whether every sample of another depth is one of this: `f32` has 24 bits of precision, and `f64` 53.
    pub fn holds_all(self, other: Self) -> bool {
        match (self, other) {
            (Self::Whole(ours), Self::Whole(theirs)) => theirs <= ours,
            (Self::F32, Self::Whole(bits)) => bits <= 24,
            (Self::F32, Self::F32) | (Self::F64, _) => true,
            (Self::F32, Self::F64) | (Self::Whole(_), _) => false,
        }
    }

    /// Half a step of this depth over a range that ends at `peak`: what rounding moves a sample by at most.
    pub fn half_step(self, peak: f64) -> f64 {
        peak / self.peak() / 2.0
    }

    fn exponent(self) -> i32 {
        match self {
            Self::Whole(bits) => i32::from(bits) - 1,
            Self::F32 | Self::F64 => 0,
        }
    }
}

/// A depth, and the range that its samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scaled {
    /// The depth.
    pub depth: Depth,
    /// A sample times 2 to the power of this is one of the depth.
    shift: i8,
}

impl Scaled {
    /// Samples of one depth held in another.
    pub fn new(from: Depth, to: Depth) -> Self {
        Self { depth: to, shift: (to.exponent() - from.exponent()) as i8 }
    }

    /// A depth that was asked for, of samples that are not known yet.
    pub fn asked(depth: Depth) -> Self {
        Self { depth, shift: 0 }
    }

    /// Where the range ends that a range up to `peak` becomes.
    pub fn peak(&self, peak: f64) -> f64 {
        peak * 2f64.powi(self.shift.into())
    }

    /// Appends samples of type `from` to `out` as this holds them.
    pub(crate) fn encode(&self, from: SampleType, samples: &[u8], out: &mut Vec<u8>) {
        let to = self.depth.sample();
        let (least, most) = match self.depth {
            Depth::Whole(bits) => {
                let end = 2f64.powi(i32::from(bits) - 1);
                (-end, last_below(end, from))
            }
            Depth::F32 if !from.is_float() => (-1.0, last_below(1.0, SampleType::F32)),
            Depth::F32 | Depth::F64 => (f64::NEG_INFINITY, f64::INFINITY),
        };
        scale(samples, from, to, (self.shift.into(), least, most), out);
    }

    /// Appends what this holds to `out` as samples of type `to`.
    pub(crate) fn decode(&self, held: &[u8], to: SampleType, out: &mut Vec<u8>) {
        let end = 2f64.powi(8 * to.width() as i32 - 1);
        let (least, most) =
            if to.is_float() { (f64::NEG_INFINITY, f64::INFINITY) } else { (-end, end - 1.0) };
        scale(held, self.depth.sample(), to, (-i32::from(self.shift), least, most), out);
    }
}

/// The greatest number below the end of a range that a whole number is, and that the other type holds too: so
/// a sample at the end of the range comes back as what it has become, and not as the end.
fn last_below(end: f64, held: SampleType) -> f64 {
    match held {
        SampleType::F32 => f64::from((end as f32).next_down()).min(if end > 1.0 { end - 1.0 } else { end }),
        _ => end - 1.0,
    }
}

/// Appends samples times a power of two, rounded once, within a range. All whole samples of up to 32 bits are
/// doubles, and so are their products with powers of two.
fn scale(
    samples: &[u8],
    from: SampleType,
    to: SampleType,
    (shift, least, most): (i32, f64, f64),
    out: &mut Vec<u8>,
) {
    let factor = 2f64.powi(shift);
    out.reserve(samples.len() / from.width() * to.width());
    let mut push = |value: f64| {
        let value = value * factor;
        match to {
            SampleType::F32 => {
                // NaN is above nothing, and stays.
                let value = value as f32;
                out.extend(if value > most as f32 { most as f32 } else { value }.to_le_bytes());
            }
            SampleType::F64 => out.extend(value.to_le_bytes()),
            // A float-to-integer `as` makes 0 of NaN, whose place in the content tells that it was lost.
            _ => put(value.round_ties_even().clamp(least, most) as i32, to, out),
        }
    };
    match from {
        SampleType::I8 => samples.iter().for_each(|raw| push((*raw as i8).into())),
        SampleType::I16 => {
            samples.as_chunks().0.iter().for_each(|raw| push(i16::from_le_bytes(*raw).into()));
        }
        SampleType::I32 => {
            samples.as_chunks().0.iter().for_each(|raw| push(i32::from_le_bytes(*raw).into()));
        }
        SampleType::F32 => {
            samples.as_chunks().0.iter().for_each(|raw| push(f32::from_le_bytes(*raw).into()));
        }
        _ => samples.as_chunks().0.iter().for_each(|raw| push(f64::from_le_bytes(*raw))),
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What makes the samples of one array those of another, in its type and over its declared range.
pub fn between(from: &Array, to: &Array) -> Encoding {
    match (Depth::of(from), Depth::of(to)) {
        (Some(ours), Some(theirs)) if ours.exponent() != theirs.exponent() => {
            Encoding::Sound(Scaled::new(ours, theirs))
        }
        _ => Encoding::Plain(to.sample),
    }
}

/// What makes doubles of two sounds over different ranges, both over that of the left; `None` where the
/// arrays are no such sounds.
pub fn alike(left: &Array, right: &Array) -> Option<[Encoding; 2]> {
    let (ours, theirs) = (Depth::of(left)?, Depth::of(right)?);
    let shift = (ours.exponent() - theirs.exponent()) as i8;
    let scaled = Encoding::Sound(Scaled { depth: Depth::F64, shift });
    (shift != 0).then_some([Encoding::Plain(SampleType::F64), scaled])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_depths_hold_all_samples_of_narrower_ones() {
        let whole = Depth::Whole;
        assert!(whole(24).holds_all(whole(16)) && !whole(16).holds_all(whole(24)));
        assert!(Depth::F32.holds_all(whole(24)) && !Depth::F32.holds_all(whole(25)));
        assert!(Depth::F64.holds_all(whole(32)) && Depth::F64.holds_all(Depth::F32));
        assert!(!Depth::F32.holds_all(Depth::F64) && !whole(32).holds_all(Depth::F32));
    }
    use crate::sound::Shape;

    fn array(depth: Depth) -> Array {
        let (sample, bits) = (depth.sample(), depth.bits());
        Shape { frames: 1, channels: 1, meaning: "FC".into(), sample, bits }.array()
    }

    /// Whole samples or floats of a depth, little-endian.
    fn bytes(depth: Depth, values: &[f64]) -> Vec<u8> {
        let mut out = Vec::new();
        for value in values {
            match depth {
                Depth::F32 => out.extend((*value as f32).to_le_bytes()),
                Depth::F64 => out.extend(value.to_le_bytes()),
                Depth::Whole(_) => put(*value as i32, depth.sample(), &mut out),
            }
        }
        out
    }

    /// Values of one depth held in another, and what comes back.
    fn through(from: Depth, to: Depth, values: &[f64]) -> (Vec<u8>, Vec<u8>) {
        let (mut held, mut back) = (Vec::new(), Vec::new());
        let encoding = between(&array(from), &array(to));
        encoding.encode(from.sample(), &bytes(from, values), &mut held);
        encoding.decode(&held, from.sample(), &mut back);
        (held, back)
    }

    #[test]
    fn names_and_arrays_tell_depths() {
        for bits in 1..=32 {
            let depth = Depth::Whole(bits);
            assert_eq!(Depth::named(depth.name()), Some(depth));
            assert_eq!(Depth::of(&array(depth)), Some(depth));
        }
        assert_eq!(Depth::named("f32"), Some(Depth::F32));
        assert_eq!((Depth::named("i33"), Depth::named("i0"), Depth::named("f16")), (None, None, None));
        let other = Array { peak: Some(3.0), ..array(Depth::Whole(16)) };
        assert_eq!(Depth::of(&other), None);
        assert_eq!(Depth::of(&Array { name: "weight".into(), ..array(Depth::F32) }), None);
    }

    #[test]
    fn samples_are_rounded_to_the_nearest_and_ties_to_even() {
        let (wide, narrow) = (Depth::Whole(24), Depth::Whole(16));
        let values = [0.0, 127.0, 128.0, 129.0, 384.0, -128.0, -384.0, 8_388_607.0, -8_388_608.0];
        let expected = [0.0, 0.0, 0.0, 1.0, 2.0, 0.0, -2.0, 32767.0, -32768.0];
        let (held, back) = through(wide, narrow, &values);
        assert_eq!(held, bytes(narrow, &expected));
        assert_eq!(back, bytes(wide, &expected.map(|value| value * 256.0)));
        let step = 1.0 / 32768.0;
        let (held, _) = through(Depth::F32, narrow, &[0.5 * step, 1.5 * step, -2.5 * step, 1.0, -1.5]);
        assert_eq!(held, bytes(narrow, &[0.0, 2.0, -2.0, 32767.0, -32768.0]));
    }

    #[test]
    fn wider_depths_hold_every_sample() {
        let depths = [8, 12, 16, 20, 24, 32].map(Depth::Whole);
        for from in depths {
            let end = from.peak();
            let values = [-end, -1.0, 0.0, 1.0, end - 1.0];
            let holds = |to: &Depth| match to {
                Depth::F32 => from.size_bits() <= 24,
                other => other.size_bits() >= from.size_bits(),
            };
            for to in depths.into_iter().chain([Depth::F32, Depth::F64]).filter(holds) {
                assert_eq!(through(from, to, &values).1, bytes(from, &values), "{from} in {to}");
            }
        }
    }

    #[test]
    fn the_end_of_a_range_comes_back_as_what_it_has_become() {
        let last = 1.0 - 2f64.powi(-24);
        let (held, back) = through(Depth::F32, Depth::Whole(32), &[1.0, -1.0]);
        assert_eq!(held, bytes(Depth::Whole(32), &[last * 2f64.powi(31), -(2f64.powi(31))]));
        assert_eq!(back, bytes(Depth::F32, &[last, -1.0]));
        let (held, back) = through(Depth::Whole(32), Depth::F32, &[f64::from(i32::MAX)]);
        assert_eq!(held, bytes(Depth::F32, &[last]));
        assert_eq!(back, bytes(Depth::Whole(32), &[last * 2f64.powi(31)]));
    }

    #[test]
    fn what_is_no_number_stays_that_where_it_can() {
        let (held, back) = through(Depth::F64, Depth::F32, &[f64::NAN, f64::INFINITY, 1e300]);
        let (held, back) = (held.as_chunks::<4>().0, back.as_chunks::<8>().0);
        assert!(f32::from_le_bytes(held[0]).is_nan() && f64::from_le_bytes(back[0]).is_nan());
        assert_eq!(f64::from_le_bytes(back[1]), f64::INFINITY);
        // Beyond the largest number there is only infinity, which whoever compares finds.
        assert_eq!(f64::from_le_bytes(back[2]), f64::INFINITY);
        assert_eq!(through(Depth::F32, Depth::Whole(16), &[f64::NAN]).0, [0, 0]);
    }

    #[test]
    fn sounds_are_compared_over_the_range_of_the_left() {
        let [left, right] = alike(&array(Depth::Whole(16)), &array(Depth::F32)).unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        left.encode(SampleType::I16, &bytes(Depth::Whole(16), &[-5.0]), &mut ours);
        right.encode(SampleType::F32, &bytes(Depth::F32, &[-5.25 / 32768.0]), &mut theirs);
        assert_eq!((ours, theirs), (bytes(Depth::F64, &[-5.0]), bytes(Depth::F64, &[-5.25])));
        assert_eq!(alike(&array(Depth::F64), &array(Depth::F32)), None);
    }
}
