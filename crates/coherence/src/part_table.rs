//! The table of all parts of a whole, whose digest is in its certificate.

use crate::canonical;
use crate::certificate::{self, BuildError};
use crate::content::Model;
use crate::digest::Digest;
use crate::evidence::ColumnEvidence;
use crate::pieces::Pieces;
use crate::verified::VerifiedWhole;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The table of all parts, and of the tiles where an image has such, one canonical JSON object on each line;
/// its digest is in the certificate.
pub fn part_table(whole: &VerifiedWhole) -> Result<Vec<u8>, BuildError> {
    let mut table = Vec::new();
    each_line(whole, |line| table.extend_from_slice(line))?;
    Ok(table)
}

/// The digest of that table, which is not held for it.
pub fn part_table_digest(whole: &VerifiedWhole) -> Result<Digest, BuildError> {
    let mut digest = blake3::Hasher::new();
    each_line(whole, |line| {
        digest.update(line);
    })?;
    Ok(Digest(*digest.finalize().as_bytes()))
}

/// Makes the lines of the table, each for itself.
fn each_line(whole: &VerifiedWhole, mut take: impl FnMut(&[u8])) -> Result<(), BuildError> {
    let mut put = |line: Vec<u8>| {
        take(&line);
        take(b"\n");
    };
    for part in whole.parts() {
        let claim = part.claim();
        let evidence = claim.evidence.columns.iter().map(measured);
        // Exact columns that do not differ need no words; they are most columns of most tables.
        let differs = claim.evidence.differing() > 0;
        let columns = match whole.model() {
            Model::Table(schema) => Some(schema.columns()),
            _ => None,
        };
        put(canonical::to_bytes(&Line {
            columns: columns.map(|columns| columns.to_string()),
            content: Leaves(&claim.content),
            evidence: if differs { evidence.collect() } else { Vec::new() },
            index: claim.part.to_string(),
            result: claim.result.to_string(),
            source: claim.source.to_string(),
            units: [(claim.grid.unit(), claim.units.to_string())].into(),
        })?);
    }
    for (tile, found) in whole.pieces().and_then(Pieces::tiles).into_iter().flat_map(|(_, tiles)| tiles) {
        put(canonical::to_bytes(&json!({ "tile": tile.to_string(), "evidence": [measured(found)] }))?);
    }
    Ok(())
}

/// A line of a part.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<String>,
    content: Leaves<'a>,
    evidence: Vec<Value>,
    index: String,
    result: String,
    source: String,
    /// Its size, by what its units are called.
    #[serde(flatten)]
    units: BTreeMap<&'static str, String>,
}

/// Digests of leaves, of which a part may have hundreds of thousands.
struct Leaves<'a>(&'a [Digest]);

impl Serialize for Leaves<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Digest::to_string))
    }
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
