//! Provides the search for up to four bytes in 64 bytes at once, as a mask of bits.

/// Bytes looked at in one step.
pub(super) const BLOCK: usize = 64;

/// Gathers the lowest bits of 8 bytes into 8 bits: the factor moves bit 8i to bit 56+i, and no two partial
/// products meet, so nothing carries.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// The mask whose bit i says whether byte i is one of `wanted`.
#[inline(always)]
pub(super) fn mask<const N: usize>(block: &[u8; BLOCK], wanted: [u8; N]) -> u64 {
    // The loop compares as vectors; a direct `mask |= hit << i` does not, and is eight times slower.
    let mut hits = [0u8; BLOCK];
    for (hit, &byte) in hits.iter_mut().zip(block) {
        let mut any = false;
        for &wanted in &wanted {
            any |= byte == wanted;
        }
        *hit = u8::from(any);
    }
    let mut mask = 0;
    let (words, _) = hits.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        mask |= (u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56) << (8 * i);
    }
    mask
}

/// The 64 bytes of `data` from `at` on, filled up with `fill` after its end.
#[inline(always)]
pub(super) fn block(data: &[u8], at: usize, fill: u8) -> [u8; BLOCK] {
    match data[at..].first_chunk::<BLOCK>() {
        Some(block) => *block,
        None => {
            let mut block = [fill; BLOCK];
            block[..data.len() - at].copy_from_slice(&data[at..]);
            block
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn mask_equals_byte_by_byte(bytes in proptest::collection::vec(0u8..6, 0..200), at in 0usize..200) {
            let at = at.min(bytes.len());
            let block = block(&bytes, at, 9);
            let mask = mask(&block, [1, 3]);
            for i in 0..BLOCK {
                let byte = bytes.get(at + i).copied().unwrap_or(9);
                prop_assert_eq!(mask >> i & 1 == 1, byte == 1 || byte == 3);
            }
        }
    }
}
