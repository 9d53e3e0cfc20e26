//! Provides the lines above a table, such as comments and a title: the first records then have fewer fields
//! than those after them.

use super::sample::Sample;
use crate::csv::dialect::{Above, Dialect};

/// With what lines above a table begin, where they are comments.
const MARKS: [&str; 5] = ["#", "%", "//", ";", "!"];

/// The lines above the table, by the number of fields of each record of a sample and where it begins, if
/// nearly all records after them have the same number of fields, and more than these. So many lines of the
/// text were skipped before the sample.
pub(super) fn find(
    records: &[(usize, usize)],
    dialect: &Dialect,
    sample: &Sample,
    skipped: u64,
) -> Option<Above> {
    let &(fields, _) = records.last()?;
    let at = records.iter().position(|(count, _)| *count == fields).filter(|at| *at > 0)?;
    let (above, table) = records.split_at(at);
    let agree = table.iter().filter(|(count, _)| *count == fields).count();
    if table.len() < 2 || agree * 10 < table.len() * 9 || above.iter().any(|(count, _)| *count > fields) {
        return None;
    }
    // Names that lack the one of the first column, or stand before a delimiter at the end of each record.
    if let [(names, _)] = above
        && *names >= 2
        && names + 1 == fields
    {
        return None;
    }
    let first = table[0].1;
    let begins = |start: usize, mark: &str| sample.bytes[start..].starts_with(mark.as_bytes());
    let comments = |mark: &&&str| {
        above.iter().all(|(_, start)| begins(*start, mark))
            && !begins(first, mark)
            && !mark.as_bytes().contains(&dialect.delimiter)
    };
    Some(match MARKS.iter().find(comments) {
        Some(&mark) => Above::Comments(mark),
        None => {
            let ends = memchr::memchr_iter(dialect.line_ending.terminator(), &sample.bytes[..first]);
            Above::Lines(skipped + ends.count() as u64)
        }
    })
}
