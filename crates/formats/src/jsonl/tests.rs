//! Property tests of reading and writing together, and a table of bad input.

mod arrays;
mod bad;
mod exceptions;
mod laws;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::decode::Records;
use super::{Encoder, JsonProfile, Mark, Reader, Scan, Typing, is_blank, scan};
use crate::Result;

/// A small generator of numbers, so that a failing case is one seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

fn scanned(text: &[u8]) -> Scan {
    scan(text).unwrap()
}

fn profiled(text: &[u8]) -> Result<JsonProfile> {
    let end = Mark { row: 0, byte: text.len() as u64 };
    let mut records = Records::new(text, Mark { row: 0, byte: 0 }, end);
    let mut profile = JsonProfile::new();
    while let Some(record) = records.next_record()? {
        profile.observe(record)?;
    }
    Ok(profile)
}

fn decoded(text: &[u8], schema: &Schema, typings: &[Typing]) -> Result<Vec<RecordBatch>> {
    let rows = text.split(|&byte| byte == b'\n').filter(|line| !is_blank(line)).count();
    let end = Mark { row: rows as u64, byte: text.len() as u64 };
    Reader::new(text, Mark { row: 0, byte: 0 }, end, schema, typings)?.collect()
}

fn encoded(batches: &[RecordBatch], schema: &Schema, typings: &[Typing]) -> Result<Vec<u8>> {
    let encoder = Encoder::new(schema, typings)?;
    let mut out = Vec::new();
    let mut row = 0;
    for batch in batches {
        encoder.write(batch, row, &mut out)?;
        row += batch.num_rows() as u64;
    }
    Ok(out)
}
