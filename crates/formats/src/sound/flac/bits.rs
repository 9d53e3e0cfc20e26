//! Provides streams of bits, the most significant first, and the two checksums of FLAC frames.

/// Writes bits.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    /// Whole words that are written.
    pub out: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// Writes after bytes that are there.
    pub fn after(out: Vec<u8>) -> Self {
        Self { out, ..Self::default() }
    }

    /// The lower `count` bits of `value`, 32 at most; those above them must be zero.
    #[inline]
    pub fn put(&mut self, value: u32, count: u32) {
        self.pending = self.pending << count | u64::from(value);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.out.extend(((self.pending >> self.count) as u32).to_be_bytes());
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

    /// Zeros up to the end of the byte; then all bytes are in `out`.
    pub fn align(&mut self) {
        self.put(0, self.count.wrapping_neg() % 8);
        while self.count > 0 {
            self.count -= 8;
            self.out.push((self.pending >> self.count) as u8);
        }
    }
}

fn mask(count: u32) -> u32 {
    u32::MAX.checked_shr(32 - count).unwrap_or(0)
}

/// Reads bits. Reading beyond the end gives `None`.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// The next byte that is not in `pending`.
    at: usize,
    /// Bits that are next, from the top; those below `count` are zero.
    pending: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    /// A reader of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, pending: 0, count: 0 }
    }

    /// Takes in whole bytes while they fit.
    #[inline]
    fn refill(&mut self) {
        if let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let taken = (63 - self.count) / 8;
            // Bits of a byte that is not taken are put there again with it: they must not stand there
            // before.
            let word = u64::from_be_bytes(*word);
            let kept = self.count + 8 * taken;
            self.pending |= word >> self.count & (u64::MAX << (64 - kept));
            self.at += taken as usize;
            self.count = kept;
            return;
        }
        while self.count < 56
            && let Some(byte) = self.bytes.get(self.at)
        {
            self.pending |= u64::from(*byte) << (56 - self.count);
            self.at += 1;
            self.count += 8;
        }
    }

    #[inline]
    fn skip(&mut self, count: u32) {
        self.pending <<= count;
        self.count -= count;
    }

    /// The next `count` bits, 32 at most.
    #[inline]
    pub fn take(&mut self, count: u32) -> Option<u32> {
        if self.count < count {
            self.refill();
            if self.count < count {
                return None;
            }
        }
        let value = (self.pending >> 1 >> (63 - count)) as u32;
        self.skip(count);
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
    #[inline]
    pub fn take_unary(&mut self) -> Option<u32> {
        let mut zeros = 0u32;
        loop {
            let here = self.pending.leading_zeros();
            if here < self.count {
                self.skip(here + 1);
                return zeros.checked_add(here);
            }
            zeros = zeros.checked_add(self.count)?;
            (self.pending, self.count) = (0, 0);
            self.refill();
            if self.count == 0 {
                return None;
            }
        }
    }

    /// Leaves out the rest of the byte; `None` where it is not zero.
    pub fn align(&mut self) -> Option<()> {
        (self.take(self.count % 8)? == 0).then_some(())
    }

    /// Bytes that were taken whole or in part.
    pub fn position(&self) -> usize {
        self.at - (self.count / 8) as usize
    }
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
        writer.align();
        let mut reader = BitReader::new(&writer.out);
        for (number, count) in &numbers {
            assert_eq!(reader.take_signed(*count), Some(*number), "{count}");
            assert_eq!(reader.take_unary(), Some(*count * 3));
        }
        assert!(reader.align().is_some());
        assert_eq!(reader.position(), writer.out.len());
        assert_eq!((reader.take(1), reader.take_unary()), (None, None));
    }
}
