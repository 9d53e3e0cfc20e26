//! Provides the oracle of the splitter of delimited text: scan and decoder agree, whatever a read returns and
//! wherever the text is cut.

use super::{Held, Trickle, choice, law, same};
use crate::csv::{
    BadRecords, CsvFormat, Dialect, LineEnding, Ragged, RecordReader, ScanOptions, TextPart, scan,
};
use crate::error::Error;
use crate::spool::ReadAt;

/// A record: its number, where it begins, and its fields with whether each was quoted.
type Record = (u64, u64, Vec<(Vec<u8>, bool)>);

/// Cuts are tried at this many records, evenly between.
const CUTS_MAX: usize = 8;

/// Delimited text under a dialect that the first two bytes choose.
pub fn csv_parts(bytes: &[u8]) -> Held {
    let (first, rest) = choice(bytes);
    let (second, text) = choice(rest);
    let dialect = dialect(first, second);
    let whole = part(0, 0..text.len() as u64);
    let decoded = decode(text, &dialect, &whole, 1 << 20);
    let counted = count(text, &dialect, 1 << 20);
    for at_most in [1, 3, 64] {
        let trickle = Trickle { bytes: text, at_most };
        same(&decode(&trickle, &dialect, &whole, at_most), &decoded, "reads decide what is decoded")?;
        same(&count(&trickle, &dialect, at_most), &counted, "reads decide what the scan counts")?;
    }
    let records = match (&decoded, &counted) {
        (Ok(records), counted) => {
            same(counted, &Ok(records.len() as u64), "decoder and scan count differently")?;
            records
        }
        (Err(error), _) => return placed(error),
    };
    // A cut may fall before any record.
    for cut in (0..records.len()).step_by(records.len().div_ceil(CUTS_MAX).max(1)) {
        let (_, byte, _) = records[cut];
        let mut apart = decode(text, &dialect, &part(0, 0..byte), 1 << 20)?;
        apart.extend(decode(text, &dialect, &part(cut as u64, byte..text.len() as u64), 1 << 20)?);
        law(apart == *records, || format!("a cut at byte {byte} decides what is decoded"))?;
    }
    Ok(())
}

fn part(first_record: u64, bytes: std::ops::Range<u64>) -> TextPart {
    TextPart { first_record, records: 0, bytes }
}

/// Every error of this format names record and byte.
fn placed(error: &str) -> Held {
    law(error.starts_with("record ") && error.contains("byte "), || {
        format!("an error without place: {error}")
    })
}

fn dialect(first: u8, second: u8) -> Dialect {
    let names = (0..=first & 3).map(|column| format!("c{column}")).collect();
    let plain = CsvFormat { header: false, ..CsvFormat::default() }.dialect(names, 0);
    let quote = (first & 4 == 0).then_some(b'"');
    Dialect {
        delimiter: [b',', b';', b'\t', b'|'][usize::from(first >> 3 & 3)],
        quote,
        escape: (second & 1 == 1 && quote.is_some()).then_some(b'\\'),
        comment: (second & 2 == 2).then(|| b"#".to_vec()),
        line_ending: [LineEnding::Lf, LineEnding::CrLf, LineEnding::Cr][usize::from(second >> 2 & 3) % 3],
        ragged: if second & 16 == 16 { Ragged::Pad } else { Ragged::Refuse },
        ..plain
    }
}

fn decode<S: ReadAt + ?Sized>(
    text: &S,
    dialect: &Dialect,
    part: &TextPart,
    read_bytes: usize,
) -> Result<Vec<Record>, String> {
    let mut reader = RecordReader::new(text, dialect, part, BadRecords::Fail).read_bytes(read_bytes);
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|error: Error| error.to_string())? {
        for row in 0..batch.rows() {
            let fields = (0..batch.columns()).map(|column| batch.field(row, column));
            let fields = fields.map(|field| (field.bytes.to_vec(), field.quoted)).collect();
            records.push((batch.record_number(row), batch.record_byte(row), fields));
        }
    }
    Ok(records)
}

fn count<S: ReadAt + ?Sized>(text: &S, dialect: &Dialect, read_bytes: usize) -> Result<u64, String> {
    let options = ScanOptions { read_bytes, ..ScanOptions::default() };
    let counted = scan(text, dialect, options);
    counted.map(|scan| scan.records).map_err(|error| error.to_string())
}
