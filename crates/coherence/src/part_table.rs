//! The table of all parts of a whole, whose digest is in its certificate.

use crate::canonical;
use crate::certificate::{self, BuildError};
use crate::content::Model;
use crate::digest::Digest;
use crate::evidence::ColumnEvidence;
use crate::pieces::Pieces;
use crate::verified::VerifiedWhole;
use serde_json::{Value, json};

/// The table of all parts, and of the tiles where an image has such, one canonical JSON object on each line;
/// its digest is in the certificate.
pub fn part_table(whole: &VerifiedWhole) -> Result<Vec<u8>, BuildError> {
    let mut table = Vec::new();
    for part in whole.parts() {
        let claim = part.claim();
        let leaves = |leaves: &[Digest]| leaves.iter().map(Digest::to_string).collect::<Vec<_>>();
        let evidence = claim.evidence.columns.iter().map(measured);
        // Exact columns that do not differ need no words; they are most columns of most tables.
        let differs = claim.evidence.differing() > 0;
        let evidence: Vec<Value> = if differs { evidence.collect() } else { Vec::new() };
        let mut line = json!({
            "content": leaves(&claim.content),
            "evidence": evidence,
            "index": claim.part.to_string(),
            "result": claim.result.to_string(),
            "source": claim.source.to_string(),
        });
        line[claim.grid.unit()] = claim.units.to_string().into();
        if let Model::Table(schema) = whole.model() {
            line["columns"] = schema.columns().to_string().into();
        }
        table.extend(canonical::to_bytes(&line)?);
        table.push(b'\n');
    }
    for (tile, found) in whole.pieces().and_then(Pieces::tiles).into_iter().flat_map(|(_, tiles)| tiles) {
        let line = json!({ "tile": tile.to_string(), "evidence": [measured(found)] });
        table.extend(canonical::to_bytes(&line)?);
        table.push(b'\n');
    }
    Ok(table)
}

/// What was measured of a column or an array, as the table of parts has it.
fn measured(column: &ColumnEvidence) -> Value {
    json!({
        "cells": column.cells.to_string(),
        "differing": column.differing.to_string(),
        "maxAbs": certificate::decimal(column.max_abs),
        "sumSq": column.sum_sq.to_string(),
        "sumSqDiff": column.sum_sq_diff.to_string(),
        "symbols": column.symbols.to_string(),
        "symbolsDiffering": column.symbols_differing.to_string(),
    })
}
