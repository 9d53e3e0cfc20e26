//! Provides a look at the codebooks in a setup header, before the decoder takes memory for them: a few bytes
//! can tell of billions of values (Vorbis I, section 3.2.1).

use super::bad;
use crate::error::{Error, Place, Result};
use crate::limits::{VORBIS_ENTRIES_MAX, VORBIS_VALUES_MAX};

/// What the packet, and each codebook, begins with.
const SETUP: &[u8] = b"\x05vorbis";
const CODEBOOK: u64 = 0x56_4342;

/// Reads numbers whose lowest bit comes first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next number of this many bits, up to 32; `None` beyond the end.
    fn number(&mut self, bits: usize) -> Option<u64> {
        let mut number = 0;
        for bit in 0..bits {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u64::from(*byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(number)
    }

    fn skip(&mut self, bits: u64) -> Option<()> {
        let at = u64::try_from(self.at).ok()?.checked_add(bits)?;
        self.at = usize::try_from(at).ok().filter(|at| *at <= self.bytes.len() * 8)?;
        Some(())
    }
}

/// Fails where the codebooks of a setup header hold more than those of any encoder; `at` is where it lies.
pub(super) fn check(packet: &[u8], at: u64) -> Result<()> {
    let rest = packet.strip_prefix(SETUP).ok_or_else(|| bad(at, "the third packet is no setup header"))?;
    let mut bits = Bits { bytes: rest, at: 0 };
    let books = bits.number(8).map_or(0, |count| count + 1);
    let (mut entries, mut values) = (0, 0);
    for _ in 0..books {
        let book = codebook(&mut bits, VORBIS_ENTRIES_MAX - entries);
        match book.ok_or_else(|| bad(at, "a codebook of the setup header is broken"))? {
            Book::Read { entries: more, dimensions } => {
                entries += more;
                values += more * dimensions;
            }
            Book::TooLarge => entries = VORBIS_ENTRIES_MAX + 1,
        }
        for (what, count, max) in [
            ("the entries of the codebooks", entries, VORBIS_ENTRIES_MAX),
            ("the values in the codebooks", values, VORBIS_VALUES_MAX),
        ] {
            if count > max {
                let hint = "no encoder writes so many: it is no Vorbis".to_owned();
                return Err(Error::Limit { place: Box::new(Place::at_byte(at)), what, max, hint });
            }
        }
    }
    Ok(())
}

/// A codebook.
enum Book {
    Read { entries: u64, dimensions: u64 },
    TooLarge,
}

/// Passes over a codebook; `None` where it is none.
fn codebook(bits: &mut Bits<'_>, entries_max: u64) -> Option<Book> {
    if bits.number(24)? != CODEBOOK {
        return None;
    }
    let (dimensions, entries) = (bits.number(16)?, bits.number(24)?);
    if entries > entries_max {
        return Some(Book::TooLarge);
    }
    if bits.number(1)? == 1 {
        bits.skip(5)?;
        let mut current = 0;
        while current < entries {
            let width = (entries - current).ilog2() + 1;
            current += bits.number(width as usize)?;
        }
        if current > entries {
            return None;
        }
    } else {
        let sparse = bits.number(1)? == 1;
        for _ in 0..entries {
            if !sparse || bits.number(1)? == 1 {
                bits.skip(5)?;
            }
        }
    }
    match bits.number(4)? {
        0 => {}
        kind @ 1..=2 => {
            bits.skip(64)?;
            let width = bits.number(4)? + 1;
            bits.skip(1)?;
            let count = if kind == 1 { root(entries, dimensions)? } else { entries * dimensions };
            bits.skip(count * width)?;
        }
        _ => return None,
    }
    Some(Book::Read { entries, dimensions })
}

/// The greatest number whose power to `dimensions` is at most `entries` (Vorbis I, section 9.2.3).
fn root(entries: u64, dimensions: u64) -> Option<u64> {
    let dimensions = u32::try_from(dimensions).ok().filter(|dimensions| *dimensions > 0)?;
    let fits = |base: u64| base.checked_pow(dimensions).is_some_and(|power| power <= entries);
    let (mut least, mut beyond) = (0, entries + 1);
    while beyond - least > 1 {
        let middle = least + (beyond - least) / 2;
        if fits(middle) { least = middle } else { beyond = middle }
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_the_format() {
        assert_eq!([root(3126, 5), root(3124, 5), root(1, 1)], [Some(5), Some(4), Some(1)]);
        assert_eq!([root(0, 15), root(400, 0), root(8, 60_000)], [Some(0), None, Some(1)]);
    }

    #[test]
    fn codebooks_beyond_all_measure_are_refused_before_they_are_made() {
        let mut packet = SETUP.to_vec();
        // One book of 65,535 dimensions and 2^24 − 1 entries, all of whose lengths are told by one number.
        packet.extend([0, 0x42, 0x43, 0x56, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(check(&packet, 9), Err(Error::Limit { .. })));
        packet[13..16].copy_from_slice(&[0, 4, 0]);
        let few_entries = check(&packet, 9);
        assert!(few_entries.is_err());
        assert!(matches!(check(b"\x05vorbis", 9), Ok(())));
        assert!(matches!(check(&packet[..12], 9), Err(Error::Malformed { .. })));
    }
}
