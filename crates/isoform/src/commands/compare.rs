//! `compare`.

use std::sync::Arc;

use ::formats::compare::{Comparison, compare};
use ::formats::file::ObjectFile;
use ::formats::open::{OpenOptions, Opened, open};
use ::formats::text::Mode;
use serde_json::{Value, json};

use super::{bytes, options, types_file};
use crate::cli::{Compare, Output};
use crate::failure::{DIFFERS, DONE, Failure, Result};
use crate::local::{retyped, stopped};
use crate::meter::Stage;
use crate::progress::Progress;
use crate::report;

/// Compares two tables.
pub fn run(args: &Compare, output: &Output) -> Result<u8> {
    if bytes::are_meant(&args.reading, &[&args.left, &args.right])? {
        return bytes::compare(args, output);
    }
    let progress = Progress::new(output)?;
    progress.begin(Stage::Comparing, 0, 0);
    let options = options::reading(&types_file::resolved(&args.reading)?, &options::temporary_dir())?;
    let files = (Arc::new(ObjectFile::open(&args.left)?), Arc::new(ObjectFile::open(&args.right)?));
    let (mut left, mut right) = pair(&files, &options)?;
    let comparison = loop {
        let watch = |_| progress.advance(0).map_err(|_| ::formats::Error::Stopped);
        match compare(left.table(), right.table(), args.show, &watch) {
            Err(::formats::Error::Retype { .. }) if left.can_retype() || right.can_retype() => {
                let typed = !left.format.is_text() || !right.format.is_text();
                if typed {
                    // The text does not have the types of the other side, so it is compared as what it is.
                    (left, right) = (open(files.0.clone(), &options)?, open(files.1.clone(), &options)?);
                }
                retyped(&mut left)?;
                retyped(&mut right)?;
                (left, right) = same_types(&files, left, right, &options)?;
            }
            other => break other.map_err(stopped)?,
        }
    };
    progress.finish();
    let rows = (left.table().rows(), right.table().rows());
    report::result(output, &document(args, &comparison, rows)?, &lines(args, &comparison, rows)?);
    Ok(if comparison.is_equal() { DONE } else { DIFFERS })
}

/// Both sides open, text under the types of a side that holds types.
fn pair(files: &(Arc<ObjectFile>, Arc<ObjectFile>), options: &OpenOptions) -> Result<(Opened, Opened)> {
    let (left, right) = (open(files.0.clone(), options)?, open(files.1.clone(), options)?);
    match (left.format.is_text(), right.format.is_text()) {
        (true, false) => {
            let left = under(&files.0, options, &right)?;
            Ok((left, right))
        }
        (false, true) => {
            let right = under(&files.1, options, &left)?;
            Ok((left, right))
        }
        (true, true) => same_types(files, left, right, options),
        (false, false) => Ok((left, right)),
    }
}

/// A text under the types of a table that holds types.
fn under(file: &Arc<ObjectFile>, options: &OpenOptions, typed: &Opened) -> Result<Opened> {
    let mut options = options.clone();
    for field in typed.table().schema().fields() {
        let fixed = options.typing.fixed.iter().any(|(name, _)| name == field.name());
        if let (false, Some(ty)) = (fixed, ::formats::text::type_name(field.data_type())) {
            options.typing.fixed.push((field.name().clone(), ty));
        }
    }
    options.typing.fixed_if_present = true;
    Ok(open(file.clone(), &options)?)
}

/// Two texts under types that both have: their own where those agree, else text.
fn same_types(
    files: &(Arc<ObjectFile>, Arc<ObjectFile>),
    left: Opened,
    right: Opened,
    options: &OpenOptions,
) -> Result<(Opened, Opened)> {
    let types = |opened: &Opened| {
        let fields = opened.table().schema().fields().clone();
        fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
    };
    if types(&left) == types(&right) {
        return Ok((left, right));
    }
    let mut options = options.clone();
    options.typing.all.mode = Mode::Text;
    Ok((open(files.0.clone(), &options)?, open(files.1.clone(), &options)?))
}

fn distance(comparison: &Comparison) -> Result<(u64, u64)> {
    let mut sum = (0u64, 0u64);
    for (_, column) in &comparison.columns {
        let overflow = || Failure::Other("the number of cells is above 2^64".into());
        sum.0 = sum.0.checked_add(column.evidence.differing).ok_or_else(overflow)?;
        sum.1 = sum.1.checked_add(column.evidence.cells).ok_or_else(overflow)?;
    }
    Ok(sum)
}

fn document(args: &Compare, comparison: &Comparison, rows: (u64, u64)) -> Result<Value> {
    let (differing, cells) = distance(comparison)?;
    let columns = comparison.columns.iter().map(|(name, column)| {
        json!({ "name": name, "cells": column.evidence.cells, "differing": column.evidence.differing })
    });
    let rows_shown = comparison.rows.iter().map(|(row, cells)| {
        let cells = cells.iter().map(|(column, left, right)| {
            json!({ "column": comparison.columns[*column].0, "left": left, "right": right })
        });
        json!({ "row": row + 1, "cells": cells.collect::<Vec<_>>() })
    });
    let finite = comparison.signature.is_empty();
    Ok(json!({
        "schema": "isoform.compare/v1",
        "model": "table",
        "left": { "path": args.left.to_string_lossy(), "rows": rows.0 },
        "right": { "path": args.right.to_string_lossy(), "rows": rows.1 },
        "equal": comparison.is_equal(),
        "d": if finite { json!((differing as f64).sqrt()) } else { json!("infinity") },
        "coherence": finite.then(|| coherence::evidence::coherence(differing as f64, cells as f64)),
        "cells": cells,
        "differing": differing,
        "signature": comparison.signature.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "columns": columns.collect::<Vec<_>>(),
        "castColumns": comparison.cast,
        "rows": rows_shown.collect::<Vec<_>>(),
    }))
}

fn lines(args: &Compare, comparison: &Comparison, rows: (u64, u64)) -> Result<Vec<String>> {
    let (differing, cells) = distance(comparison)?;
    let mut lines = vec![format!("{} ↔ {}", args.left.display(), args.right.display())];
    if comparison.is_equal() {
        lines.push(format!("  equal: {} rows, {} columns, d = 0", rows.0, comparison.columns.len()));
        return Ok(lines);
    }
    for mismatch in &comparison.signature {
        lines.push(format!("  {mismatch}: the distance is infinite"));
    }
    if comparison.signature.is_empty() {
        let d = (differing as f64).sqrt();
        lines.push(format!("  {differing} of {cells} cells differ: d = {d:.3}"));
    } else {
        lines.push(format!("  of what both sides have, {differing} of {cells} cells differ"));
    }
    for (name, column) in comparison.columns.iter().filter(|(_, column)| column.evidence.differing > 0) {
        lines.push(format!(
            "  column {name:?}: {} of {} differ",
            column.evidence.differing, column.evidence.cells
        ));
    }
    for name in &comparison.cast {
        lines.push(format!("  column {name:?} has other types on both sides; values were compared"));
    }
    for (row, cells) in &comparison.rows {
        for (column, left, right) in cells {
            let shown =
                |text: &Option<String>| text.as_ref().map_or("null".into(), |text| format!("{text:?}"));
            let name = &comparison.columns[*column].0;
            lines.push(format!("  row {}, {name:?}: {} ≠ {}", row + 1, shown(left), shown(right)));
        }
    }
    Ok(lines)
}
