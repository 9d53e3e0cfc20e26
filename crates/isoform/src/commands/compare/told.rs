//! Provides the telling of a comparison: a document, and lines for people.

use ::formats::compare::{Alone, AloneRow, ComparedColumn, DifferingRow, Which};
use ::formats::words::{counted, some_of};
use coherence::evidence::{ColumnRule, EvidenceError, coherence};
use serde_json::{Value, json};

use super::Compared;
use crate::cli::Compare;
use crate::failure::{Failure, Result};
use crate::report::distance;

/// Characters of a value that a line shows at most.
const SHOWN_CHARS: usize = 60;

/// Characters that two shown values have in common at most before the first that differs.
const LEAD_CHARS: usize = 20;

/// Characters of a whole row that a line shows at most.
const ROW_CHARS: usize = 200;

/// Sums over all columns.
struct Sums {
    cells: u64,
    differing: u64,
    within: u64,
    d_squared: f64,
    norm_squared: f64,
}

impl Sums {
    fn new(columns: &[ComparedColumn]) -> Result<Self> {
        let mut sums = Sums { cells: 0, differing: 0, within: 0, d_squared: 0.0, norm_squared: 0.0 };
        let add = |sum: &mut u64, more: u64| {
            *sum = sum.checked_add(more).ok_or(Failure::Other("more than 2^64 cells".into()))?;
            Ok::<_, Failure>(())
        };
        for column in columns {
            add(&mut sums.cells, column.evidence.cells)?;
            add(&mut sums.differing, column.evidence.differing)?;
            add(&mut sums.within, column.within)?;
            sums.d_squared += column.evidence.d_squared().map_err(|error| too_large(&error, column))?;
            sums.norm_squared += column.evidence.norm_squared().map_err(|error| too_large(&error, column))?;
        }
        Ok(sums)
    }
}

fn too_large(error: &EvidenceError, column: &ComparedColumn) -> Failure {
    Failure::Other(format!("column {:?}: {error}; compare it without a tolerance", column.name))
}

/// The document `isoform.compare/v1`.
pub(super) fn document(args: &Compare, compared: &Compared, notes: &[String]) -> Result<Value> {
    let found = &compared.found;
    let sums = Sums::new(&found.columns)?;
    let columns = found.columns.iter().map(column_document).collect::<Result<Vec<_>>>()?;
    let rows = found.rows.iter().map(|(row, differing)| row_document(*row, differing, &found.columns));
    let cast = found.columns.iter().filter(|column| column.read_as.is_some());
    let finite = found.signature.is_empty();
    let mode = match (args.unordered, compared.key.is_empty()) {
        (true, _) => "multiset",
        (false, true) => "order",
        (false, false) => "key",
    };
    let multisets = compared.multisets.as_ref();
    Ok(json!({
        "schema": "isoform.compare/v1",
        "model": "table",
        "left": { "path": args.left.to_string_lossy(), "rows": compared.rows.0 },
        "right": { "path": args.right.to_string_lossy(), "rows": compared.rows.1 },
        "mode": mode,
        "key": compared.key,
        "equal": found.is_equal(),
        "d": if finite { json!(sums.d_squared.sqrt()) } else { json!("infinity") },
        "coherence": finite.then(|| coherence(sums.d_squared, sums.norm_squared)),
        "pairs": found.pairs,
        "cells": sums.cells,
        "differing": sums.differing,
        "within": sums.within,
        "signature": found.signature.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "columns": columns,
        "castColumns": cast.map(|column| column.name.clone()).collect::<Vec<_>>(),
        "rows": rows.collect::<Vec<_>>(),
        "alone": {
            "left": alone_document(&found.alone[0], &found.columns),
            "right": alone_document(&found.alone[1], &found.columns),
        },
        "multisets": multisets.map(|digests| {
            json!({ "left": digests[0].to_string(), "right": digests[1].to_string() })
        }),
        "notes": notes,
    }))
}

fn column_document(column: &ComparedColumn) -> Result<Value> {
    let d_squared = column.evidence.d_squared().map_err(|error| too_large(&error, column))?;
    let scale = match column.evidence.rule {
        ColumnRule::Exact | ColumnRule::Fixed => None,
        ColumnRule::Numeric { scale } => Some(scale),
    };
    let tolerance = column
        .tolerance
        .map(|tolerance| json!({ "absolute": tolerance.absolute(), "relative": tolerance.relative() }));
    Ok(json!({
        "name": column.name,
        "cells": column.evidence.cells,
        "differing": column.evidence.differing,
        "within": column.within,
        "tolerance": tolerance,
        "d": d_squared.sqrt(),
        "maxAbs": column.tolerance.map(|_| column.evidence.max_abs),
        "scale": scale,
        "readAs": column.read_as,
    }))
}

fn row_document(row: u64, differing: &DifferingRow, columns: &[ComparedColumn]) -> Value {
    let cells = differing.cells.iter().map(
        |(column, left, right)| json!({ "column": columns[*column].name, "left": left, "right": right }),
    );
    let cells = cells.collect::<Vec<_>>();
    json!({ "row": row + 1, "rightRow": differing.right + 1, "key": differing.key, "cells": cells })
}

fn alone_document(alone: &Alone, columns: &[ComparedColumn]) -> Value {
    let rows = alone.rows.iter().map(|(row, shown)| {
        let cells = columns.iter().zip(&shown.cells);
        let cells = cells.map(|(column, value)| json!({ "column": column.name, "value": value }));
        let times = json!({ "left": shown.times[0], "right": shown.times[1] });
        json!({ "row": row + 1, "times": times, "cells": cells.collect::<Vec<_>>() })
    });
    json!({ "count": alone.count, "rows": rows.collect::<Vec<_>>() })
}

/// Lines for people.
pub(super) fn lines(args: &Compare, compared: &Compared) -> Result<Vec<String>> {
    let found = &compared.found;
    let how = match (args.unordered, compared.key.is_empty()) {
        (true, _) => ", in any order of rows".to_owned(),
        (false, true) => String::new(),
        (false, false) => format!(", rows of equal {}", compared.key.join(", ")),
    };
    let mut lines = vec![format!("{} ↔ {}{how}", args.left.display(), args.right.display())];
    let sums = Sums::new(&found.columns)?;
    let d = distance(sums.d_squared.sqrt());
    let differ = some_of(sums.differing, sums.cells, "cell", "differ");
    let cells = match sums.within {
        0 => differ,
        within => format!("{differ}, {within} within the tolerance"),
    };
    let columns = counted(found.columns.len(), "column");
    let size = format!("{}, {columns}", counted(compared.rows.0, "row"));
    for mismatch in &found.signature {
        lines.push(format!("  {mismatch}: the distance is infinite"));
    }
    lines.push(match (found.is_equal(), found.signature.is_empty()) {
        (true, _) if sums.differing == 0 => format!("  equal: {size}, d = 0"),
        (true, _) => format!("  equal within the tolerance: {size}; {cells}, d = {d}"),
        (false, true) => format!("  {cells}: d = {d}"),
        (false, false) if args.unordered => {
            let (left, right) = compared.rows;
            format!("  {} on the left, {right} on the right; {columns} on both", counted(left, "row"))
        }
        (false, false) => format!("  of what both sides have ({}), {cells}", counted(found.pairs, "row")),
    });
    lines.extend(found.columns.iter().filter(|column| column.evidence.differing > 0).map(column_line));
    for column in &found.columns {
        if let Some(ty) = &column.read_as {
            let name = &column.name;
            lines.push(format!("  column {name:?} has other types on both sides; compared as {ty}"));
        }
    }
    differing_lines(&mut lines, args, compared);
    for which in [Which::Left, Which::Right] {
        alone_lines(&mut lines, args, compared, which);
    }
    let shifted = |column: &ComparedColumn| column.evidence.differing > column.evidence.cells / 2;
    let unaligned = compared.rows.0 != compared.rows.1 || found.columns.iter().any(shifted);
    if unaligned && !args.unordered && compared.key.is_empty() && !found.is_equal() {
        let hint = "rows were compared in order; --key COLUMNS aligns them, --unordered ignores their order";
        lines.push(format!("  {hint}"));
    }
    Ok(lines)
}

fn column_line(column: &ComparedColumn) -> String {
    let ComparedColumn { name, evidence, tolerance, within, .. } = column;
    let differ = some_of(evidence.differing, evidence.cells, "cell", "differ");
    let mut line = format!("  column {name:?}: {differ}");
    if let Some(tolerance) = tolerance {
        let (absolute, relative) = (figure(tolerance.absolute()), figure(tolerance.relative()));
        let bounds = match (tolerance.absolute(), tolerance.relative()) {
            (_, 0.0) => absolute,
            (0.0, _) => format!("{relative} of the larger"),
            _ => format!("{absolute} or {relative} of the larger"),
        };
        line += &format!(", {within} within {bounds}; largest difference {}", distance(evidence.max_abs));
        if let Ok(d_squared) = evidence.d_squared() {
            line += &format!(", d = {}", distance(d_squared.sqrt()));
        }
    }
    line
}

/// A number that a person typed: digits while they are few, else with an exponent.
fn figure(number: f64) -> String {
    match number.abs() {
        size if size == 0.0 || (1e-4..1e9).contains(&size) => number.to_string(),
        _ => format!("{number:e}"),
    }
}

fn differing_lines(lines: &mut Vec<String>, args: &Compare, compared: &Compared) {
    let found = &compared.found;
    if args.show > 0 && found.rows.len() == args.show {
        let first = if args.show == 1 { "row that differs" } else { "rows that differ" };
        lines.push(format!("  the first {} {first} (--show N for more):", args.show));
    }
    for (row, differing) in &found.rows {
        let place = match compared.key.is_empty() {
            true => format!("row {}", row + 1),
            false => {
                let key = key_text(&compared.key, &differing.key);
                format!("{key} (rows {} and {})", row + 1, differing.right + 1)
            }
        };
        for (column, left, right) in &differing.cells {
            let (left, right) = excerpts(left.as_deref(), right.as_deref());
            lines.push(format!("  {place}, {:?}: {left} ≠ {right}", found.columns[*column].name));
        }
    }
}

fn alone_lines(lines: &mut Vec<String>, args: &Compare, compared: &Compared, which: Which) {
    let alone = &compared.found.alone[which as usize];
    if alone.count == 0 {
        return;
    }
    let side = if which == Which::Left { "left" } else { "right" };
    let shown = if (alone.rows.len() as u64) < alone.count && !args.unordered {
        format!(", the first {} of them", alone.rows.len())
    } else {
        String::new()
    };
    lines.push(format!("  only on the {side}: {}{shown}", counted(alone.count, "row")));
    for (row, AloneRow { cells, times }) in &alone.rows {
        let names = compared.found.columns.iter().map(|column| &column.name);
        let text = match compared.key.is_empty() {
            true => {
                let cells =
                    names.zip(cells).map(|(name, cell)| format!("{name} = {}", quoted(cell.as_deref())));
                clipped(&cells.collect::<Vec<_>>().join(", "), ROW_CHARS)
            }
            false => {
                let of_key = names.zip(cells).filter(|(name, _)| compared.key.contains(name));
                let cells = of_key.map(|(name, cell)| format!("{name} = {}", quoted(cell.as_deref())));
                cells.collect::<Vec<_>>().join(", ")
            }
        };
        let often = match (args.unordered, times) {
            (true, [left, right]) if *left + *right > 1 => {
                format!(" ({} on the left, {right} on the right)", counted(left, "time"))
            }
            _ => String::new(),
        };
        lines.push(format!("    row {}: {text}{often}", row + 1));
    }
}

fn key_text(names: &[String], cells: &[Option<String>]) -> String {
    let parts = names.iter().zip(cells).map(|(name, cell)| format!("{name} = {}", quoted(cell.as_deref())));
    parts.collect::<Vec<_>>().join(", ")
}

fn quoted(cell: Option<&str>) -> String {
    cell.map_or("null".into(), |text| format!("{:?}", clipped(text, SHOWN_CHARS)))
}

fn clipped(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Both values as a line shows them: long ones from shortly before the first character that differs.
fn excerpts(left: Option<&str>, right: Option<&str>) -> (String, String) {
    let (Some(a), Some(b)) = (left, right) else { return (quoted(left), quoted(right)) };
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let long = a.chars().nth(SHOWN_CHARS).is_some() || b.chars().nth(SHOWN_CHARS).is_some();
    if !long || common <= LEAD_CHARS {
        return (quoted(left), quoted(right));
    }
    let skip = common - LEAD_CHARS;
    let part = |text: &str| {
        let rest: String = text.chars().skip(skip).collect();
        format!("…{:?} from character {}", clipped(&rest, SHOWN_CHARS), skip + 1)
    };
    (part(a), part(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (left, right) = ("x".repeat(500), format!("{}yz", "x".repeat(499)));
        let (left, right) = excerpts(Some(&left), Some(&right));
        assert!(left.starts_with('…') && left.contains("from character 480"), "{left}");
        assert!(right.contains("xyz") && right.len() < 200, "{right}");
        assert_eq!(excerpts(Some("a"), None), ("\"a\"".into(), "null".into()));
    }
}
