//! Provides the reading and writing of durations and intervals.

use super::digits::{POWERS, value, write_padded};
use super::number::split_sign;

/// Reads seconds with exactly `digits` fractional digits as units of 10^-`digits` seconds.
fn read_seconds(text: &[u8], digits: u8) -> Option<i64> {
    let (negative, run) = split_sign(text);
    let digits = usize::from(digits);
    let (whole, part) = match digits {
        0 => (run, &[][..]),
        _ => {
            let at = run.len().checked_sub(digits + 1)?;
            (&run[..at], run[at..].strip_prefix(b".")?)
        }
    };
    if !super::number::is_canonical_run(whole) || whole.len() > 19 {
        return None;
    }
    let power = i128::from(POWERS[digits]);
    let units = i128::from(value(whole)?) * power + i128::from(value(part)?);
    if negative && units == 0 {
        return None;
    }
    i64::try_from(if negative { -units } else { units }).ok()
}

fn write_seconds(units: i64, digits: u8, out: &mut Vec<u8>) {
    let power = POWERS[usize::from(digits)];
    if units < 0 {
        out.push(b'-');
    }
    write_padded(out, units.unsigned_abs() / power, 1);
    if digits > 0 {
        out.push(b'.');
        write_padded(out, units.unsigned_abs() % power, usize::from(digits));
    }
}

/// Reads `PT1.500S` as units of 10^-`digits` seconds.
pub(crate) fn read_duration(text: &[u8], digits: u8) -> Option<i64> {
    read_seconds(text.strip_prefix(b"PT")?.strip_suffix(b"S")?, digits)
}

/// Writes `PT1.500S`.
pub(crate) fn write_duration(units: i64, digits: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"PT");
    write_seconds(units, digits, out);
    out.push(b'S');
}

/// Months, days and units of 10^-`digits` seconds of `P1M2DT3.000S`.
pub(crate) fn read_interval(text: &[u8], digits: u8) -> Option<(i32, i32, i64)> {
    use super::number::Integer;
    let rest = text.strip_prefix(b"P")?;
    let m = rest.iter().position(|&b| b == b'M')?;
    let months = i32::read(&rest[..m])?;
    let rest = &rest[m + 1..];
    let d = rest.iter().position(|&b| b == b'D')?;
    let days = i32::read(&rest[..d])?;
    let seconds = rest[d + 1..].strip_prefix(b"T")?.strip_suffix(b"S")?;
    Some((months, days, read_seconds(seconds, digits)?))
}

/// Writes `P1M2DT3.000S`.
pub(crate) fn write_interval(months: i32, days: i32, units: i64, digits: u8, out: &mut Vec<u8>) {
    use super::number::Integer;
    out.push(b'P');
    months.write(out);
    out.push(b'M');
    days.write(out);
    out.extend_from_slice(b"DT");
    write_seconds(units, digits, out);
    out.push(b'S');
}
