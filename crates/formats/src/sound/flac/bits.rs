//! Provides streams of bits, the most significant first, and the two checksums of FLAC frames.

use archmage::autoversion;

use super::rice::fold;

/// Bytes of room that are made at once.
const GROWTH_BYTES: usize = 16 << 10;

/// Writes bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    /// Whole bytes that are written, and room for more.
    out: Vec<u8>,
    /// Length of the former.
    len: usize,
    /// Bits of a byte that is not whole, from the top, and how many they are.
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// Writes after bytes that are there.
    pub fn after(out: Vec<u8>) -> Self {
        Self { len: out.len(), out, ..Self::default() }
    }

    /// The lower `count` bits of `value`, 32 at most; those above them must be zero.
    #[inline(always)]
    pub fn put(&mut self, value: u32, count: u32) {
        // Eight bytes are stored each time, and those that are not whole once more the next time: there is
        // nothing to branch on.
        let count = self.count + count;
        self.pending |= u64::from(value) << 1 << (63 - count);
        let Some(room) = self.out.get_mut(self.len..self.len + 8) else {
            return self.grow(count);
        };
        room.copy_from_slice(&self.pending.to_be_bytes());
        self.len += (count / 8) as usize;
        self.pending <<= count & !7;
        self.count = count % 8;
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: u32) {
        self.reserve(GROWTH_BYTES);
        self.count = 0;
        self.put(0, count);
    }

    /// Makes room.
    fn reserve(&mut self, bytes: usize) {
        if self.out.len() < self.len + bytes {
            self.out.resize(self.len + bytes.max(GROWTH_BYTES), 0);
        }
    }

    /// A number in two's complement of `count` bits, 64 at most.
    pub fn put_signed(&mut self, value: i64, count: u32) {
        let upper = count.saturating_sub(32);
        if upper > 0 {
            self.put((value >> 32) as u32 & mask(upper), upper);
        }
        self.put(value as u32 & mask(count - upper), count - upper);
    }

    /// As many zeros, and a one.
    #[inline]
    pub fn put_unary(&mut self, mut zeros: u32) {
        while zeros >= 32 {
            self.put(0, 32);
            zeros -= 32;
        }
        self.put(1, zeros + 1);
    }

    /// Folded numbers with a Rice parameter of 30 at most.
    pub fn put_rice(&mut self, values: &[i32], parameter: u32) {
        put_rice(self, values, parameter);
    }

    /// All bytes, the last one filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        self.put(0, self.count.wrapping_neg() % 8);
        self.out.truncate(self.len);
        self.out
    }
}

/// Numbers before which there is room for all that are short.
const CHUNK: usize = 1024;

#[autoversion(v3)]
fn put_rice(writer: &mut BitWriter, values: &[i32], parameter: u32) {
    for values in values.chunks(CHUNK) {
        writer.reserve(8 * CHUNK + 8);
        // What nothing points to stays in registers.
        let (mut len, mut pending, mut count) = (writer.len, writer.pending, writer.count);
        for value in values {
            let folded = fold(*value);
            let (upper, lower) = (folded >> parameter, folded & ((1 << parameter) - 1));
            if upper + parameter < 32 {
                let bits = count + upper + 1 + parameter;
                pending |= u64::from(1 << parameter | lower) << (64 - bits);
                writer.out[len..len + 8].copy_from_slice(&pending.to_be_bytes());
                len += (bits / 8) as usize;
                pending <<= bits & !7;
                count = bits % 8;
            } else {
                (writer.len, writer.pending, writer.count) = (len, pending, count);
                writer.put_unary(upper);
                writer.put(lower, parameter);
                writer.reserve(8 * CHUNK + 8);
                (len, pending, count) = (writer.len, writer.pending, writer.count);
            }
        }
        (writer.len, writer.pending, writer.count) = (len, pending, count);
    }
}

fn mask(count: u32) -> u32 {
    u32::MAX.checked_shr(32 - count).unwrap_or(0)
}

/// Reads bits. Reading beyond the end gives `None`.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that were taken.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits from the top, 57 at least; zeros where there are no more.
    #[inline(always)]
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let word = match rest.first_chunk() {
            Some(word) => *word,
            None => last_word(rest),
        };
        u64::from_be_bytes(word) << (self.at % 8)
    }

    /// Leaves bits out.
    #[inline(always)]
    fn skip(&mut self, count: u32) -> Option<()> {
        self.at += count as usize;
        (self.at <= 8 * self.bytes.len()).then_some(())
    }

    /// The next `count` bits, 32 at most.
    #[inline]
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let value = (self.peek() >> 1 >> (63 - count)) as u32;
        self.skip(count)?;
        Some(value)
    }

    /// A number in two's complement of `count` bits, from 1 to 64.
    pub fn take_signed(&mut self, count: u32) -> Option<i64> {
        let upper = count.saturating_sub(32);
        let value = u64::from(self.take(upper)?) << 32 | u64::from(self.take(count - upper)?);
        let unused = 64 - count;
        Some(((value << unused) as i64) >> unused)
    }

    /// Zeros before the next one, which is taken as well.
    pub fn take_unary(&mut self) -> Option<u32> {
        let mut zeros = 0u32;
        loop {
            let here = self.peek().leading_zeros();
            if here < PEEKED {
                self.skip(here + 1)?;
                return zeros.checked_add(here);
            }
            zeros = zeros.checked_add(PEEKED)?;
            self.skip(PEEKED)?;
        }
    }

    /// Rice-coded numbers with a parameter of 30 at most; whether none of them has more than 32 bits.
    pub fn take_rice(&mut self, parameter: u32, values: &mut [i32]) -> Option<bool> {
        let (at, fits) = take_rice(self, parameter, values)?;
        self.at = at;
        Some(fits)
    }

    /// One of them, without its sign in the lowest bit.
    fn take_folded(&mut self, parameter: u32) -> Option<u64> {
        let upper = u64::from(self.take_unary()?);
        Some(upper << parameter | u64::from(self.take(parameter)?))
    }

    /// Leaves out the rest of the byte; `None` where it is not zero.
    pub fn align(&mut self) -> Option<()> {
        (self.take(self.at.wrapping_neg() as u32 % 8)? == 0).then_some(())
    }

    /// Bytes that were taken whole or in part.
    pub fn position(&self) -> usize {
        self.at.div_ceil(8)
    }
}

/// Numbers that are read from what is seen at once.
const TOGETHER: usize = 3;

#[autoversion(v3)]
fn take_rice(reader: &BitReader<'_>, parameter: u32, values: &mut [i32]) -> Option<(usize, bool)> {
    // What nothing points to stays in registers.
    let (bytes, mut at) = (reader.bytes, reader.at);
    let mut beyond = 0;
    for group in values.chunks_mut(TOGETHER) {
        let (mut next, mut taken) = (BitReader { bytes, at }.peek(), 0);
        let mut folded = [0; TOGETHER];
        for folded in &mut folded {
            let upper = next.leading_zeros();
            // The one that ends the upper bits stands above the lower ones.
            let lower = next.wrapping_shl(upper) >> (63 - parameter) ^ 1 << parameter;
            *folded = u64::from(upper) << parameter | lower;
            let count = upper + 1 + parameter;
            next = next.wrapping_shl(count);
            taken += count;
        }
        if taken <= PEEKED && group.len() == TOGETHER {
            at += taken as usize;
        } else {
            let mut reader = BitReader { bytes, at };
            for folded in &mut folded[..group.len()] {
                *folded = reader.take_folded(parameter)?;
            }
            at = reader.at;
        }
        for (value, folded) in group.iter_mut().zip(folded) {
            beyond |= folded >> 32;
            *value = (folded >> 1) as i32 ^ -((folded & 1) as i32);
        }
    }
    (at <= 8 * bytes.len()).then_some((at, beyond == 0))
}

/// Bits that are seen at once, wherever in a byte they begin.
const PEEKED: u32 = 57;

/// The last bytes, fewer than eight, and zeros.
#[cold]
fn last_word(rest: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    word
}

const fn crc8_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let (mut crc, mut bit) = (at as u8, 0);
        while bit < 8 {
            crc = crc << 1 ^ (if crc & 0x80 != 0 { 0x07 } else { 0 });
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

const fn crc16_tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut at = 0;
    while at < 256 {
        let (mut crc, mut bit) = ((at as u16) << 8, 0);
        while bit < 8 {
            crc = crc << 1 ^ (if crc & 0x8000 != 0 { 0x8005 } else { 0 });
            bit += 1;
        }
        tables[0][at] = crc;
        at += 1;
    }
    let mut row = 1;
    while row < 8 {
        let mut at = 0;
        while at < 256 {
            let before = tables[row - 1][at];
            tables[row][at] = before << 8 ^ tables[0][(before >> 8) as usize];
            at += 1;
        }
        row += 1;
    }
    tables
}

static CRC8: [u8; 256] = crc8_table();
static CRC16: [[u16; 256]; 8] = crc16_tables();

/// The checksum of a frame's header.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| CRC8[usize::from(crc ^ byte)])
}

/// The checksum of a frame, going on from `crc`; it is zero over a frame with its checksum.
pub(super) fn crc16(mut crc: u16, bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let [high, low] = crc.to_be_bytes();
        let first = [word[0] ^ high, word[1] ^ low, word[2], word[3], word[4], word[5], word[6], word[7]];
        crc = (0..8).fold(0, |crc, at| crc ^ CRC16[7 - at][usize::from(first[at])]);
    }
    rest.iter().fold(crc, |crc, byte| crc << 8 ^ CRC16[0][usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_that_are_published() {
        // The check values of CRC-8/SMBUS and CRC-16/UMTS.
        assert_eq!(crc8(b"123456789"), 0xf4);
        assert_eq!(crc16(0, b"123456789"), 0xfee8);
        let long: Vec<u8> = (0..100u8).collect();
        assert_eq!(crc16(crc16(0, &long[..37]), &long[37..]), crc16(0, &long));
        let mut closed = long.clone();
        closed.extend(crc16(0, &long).to_be_bytes());
        assert_eq!(crc16(0, &closed), 0);
    }

    #[test]
    fn bits_come_back() {
        let mut writer = BitWriter::default();
        let numbers: Vec<(i64, u32)> =
            (1..=40).map(|count| ((-1i64 << (count - 1)) + i64::from(count / 3), count)).collect();
        for (number, count) in &numbers {
            writer.put_signed(*number, *count);
            writer.put_unary(*count * 3);
        }
        let out = writer.finish();
        let mut reader = BitReader::new(&out);
        for (number, count) in &numbers {
            assert_eq!(reader.take_signed(*count), Some(*number), "{count}");
            assert_eq!(reader.take_unary(), Some(*count * 3));
        }
        assert!(reader.align().is_some());
        assert_eq!(reader.position(), out.len());
        assert_eq!((reader.take(1), reader.take_unary()), (None, None));
    }
}
