//! Provides the oracle of the splitter of JSON Lines: scan and decoder agree, whatever a read returns and
//! wherever the text is cut.

use super::{Held, Trickle, law, same};
use crate::jsonl::decode::Records;
use crate::jsonl::{Mark, scan};
use crate::spool::ReadAt;

/// A record: its number from 0, where its line begins, and its text.
type Line = (u64, u64, Vec<u8>);

/// Cuts are tried at this many records, evenly between.
const CUTS_MAX: usize = 8;

/// The lines of a text, whatever is in them.
pub fn jsonl_parts(text: &[u8]) -> Held {
    let (start, end) = (Mark { row: 0, byte: 0 }, Mark { row: 0, byte: text.len() as u64 });
    let read = lines(text, start, end);
    let counted = count(text);
    for at_most in [1, 3, 64] {
        let trickle = Trickle { bytes: text, at_most };
        same(&lines(&trickle, start, end), &read, "reads decide what is read")?;
        same(&count(&trickle), &counted, "reads decide what the scan counts")?;
    }
    let records = match read {
        Ok(records) => records,
        Err(error) => {
            let placed = error.starts_with("record ") && error.contains("byte ");
            return law(placed, || format!("an error without place: {error}"));
        }
    };
    same(&counted, &Ok(records.len() as u64), "decoder and scan count differently")?;
    for cut in (0..records.len()).step_by(records.len().div_ceil(CUTS_MAX).max(1)) {
        let (row, byte, _) = records[cut];
        let mark = Mark { row, byte };
        let mut apart = lines(text, start, mark)?;
        apart.extend(lines(text, mark, end)?);
        law(apart == records, || format!("a cut at byte {byte} decides what is read"))?;
    }
    Ok(())
}

fn lines<S: ReadAt + ?Sized>(text: &S, from: Mark, to: Mark) -> Result<Vec<Line>, String> {
    let mut records = Records::new(text, from, to);
    let mut lines = Vec::new();
    while let Some(record) = records.next_record().map_err(|error| error.to_string())? {
        lines.push((record.row, record.byte, record.text.to_vec()));
    }
    Ok(lines)
}

fn count<S: ReadAt + ?Sized>(text: &S) -> Result<u64, String> {
    scan(text).map(|scan| scan.end.row).map_err(|error| error.to_string())
}
