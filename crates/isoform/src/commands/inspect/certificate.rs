//! Provides a certificate as a readable page: what it promises, of what, how that is known, and under which
//! parameters. Whether any of it is true is for `verify` to tell.

use ::formats::words::counted;
use coherence::statement::{
    Check, Content, DigestSet, Distortion, Gate, Predicate, RowsOfExceptions, SignalArray, SignalContent,
    Statement, TableContent, TypedColumn, Verification,
};
use serde_json::{Map, Value};

/// The page of a certificate that `shown` names, with its verdict and the key that signed it.
pub fn page(shown: &str, verdict: &str, signer: &str, statement: &Statement) -> Vec<String> {
    let predicate = &statement.predicate;
    let (conversion, execution) = (&predicate.conversion, &predicate.execution);
    let mut lines = vec![
        format!("{shown}: {verdict}"),
        format!("  signed by {signer}"),
        format!(
            "  made by {} {} from {} to {}, {}",
            conversion.tool.name,
            conversion.tool.version,
            conversion.started_on,
            conversion.finished_on,
            execution.mode
        ),
        format!("  {} → {}", conversion.from, conversion.to),
        format!("  {}", size(&predicate.content)),
    ];
    lines.extend(roots(&predicate.content));
    lines.extend(distance(&predicate.distortion, &predicate.content));
    lines.extend(predicate.distortion.gates.iter().map(gate));
    lines.extend(verified(&predicate.verification, signer));
    lines.extend(files(statement));
    lines.push("  parameters".to_owned());
    lines.extend(conversion.parameters.iter().flat_map(|(key, value)| parameter(key, value)));
    lines.extend(places(&conversion.parameters.rows_of_exceptions));
    lines.extend(nodes(predicate));
    match &predicate.content {
        Content::Table(table) | Content::Partitioned(table) => lines.extend(columns(table)),
        Content::Signal(signal) => lines.extend(arrays(signal)),
        Content::Bytes(_) => {}
    }
    lines
}

/// How much there is of the content.
fn size(content: &Content) -> String {
    match content {
        Content::Table(table) | Content::Partitioned(table) => {
            let all = format!("{}, {}", counted(&table.rows, "row"), counted(&table.columns, "column"));
            match &table.partitions {
                None => all,
                Some(partitions) => format!(
                    "{all}, {} by {}",
                    counted(&partitions.count, "partition"),
                    partitions.columns.join(", ")
                ),
            }
        }
        Content::Signal(signal) => {
            let arrays = counted(signal.arrays.len(), "array");
            format!("{} in {arrays}", counted(&signal.samples, "sample"))
        }
        Content::Bytes(bytes) => format!("{} of content", counted(&bytes.bytes, "byte")),
    }
}

/// The digests of the content on both sides, as one where they are the same.
fn roots(content: &Content) -> Vec<String> {
    let scheme = content.scheme();
    match content.equal() {
        true => vec![format!("  content of source and target {} ({scheme})", content.target())],
        false => vec![
            format!("  content of the source {} ({scheme})", content.source()),
            format!("  content of the target {} ({scheme})", content.target()),
        ],
    }
}

/// How far the target is from the source; short where it is not.
fn distance(found: &Distortion, content: &Content) -> Vec<String> {
    let unit = match content {
        Content::Table(_) | Content::Partitioned(_) => "cell",
        Content::Signal(_) => "sample",
        Content::Bytes(_) => "byte",
    };
    if found.d == "0" && found.epsilon == "0" {
        return vec![format!("  distance 0 over {}", counted(&found.n, unit))];
    }
    let psnr = found.psnr_db.as_ref().map_or(String::new(), |psnr| format!(", PSNR {psnr} dB"));
    let mut lines = vec![
        format!("  distance {} over {}, allowed {}", found.d, counted(&found.n, unit), found.epsilon),
        format!("    norm of the source {}, coherence {}", found.norm, found.coherence),
        format!("    root mean square error {}, largest error {}{psnr}", found.rmse, found.max_abs),
    ];
    lines.extend(found.worst_part.as_ref().map(|worst| {
        let what = if found.pieces.is_some() { "piece" } else { "part" };
        format!("    worst {what} {}: coherence {}", worst.index, worst.coherence)
    }));
    lines.extend(found.pieces.as_ref().map(|pieces| {
        format!("    {} of {} each", counted(&pieces.count, "piece"), counted(&pieces.samples, "sample"))
    }));
    lines
}

fn gate(gate: &Gate) -> String {
    let found = gate.found.as_ref().map_or(String::new(), |found| format!(", found {found}"));
    let by = gate.by.as_ref().map_or(String::new(), |by| format!(", measured by {by}"));
    format!("  gate {}: limit {}{found}{by}", gate.name, gate.limit)
}

/// How it is known.
fn verified(verification: &Verification, signer: &str) -> Vec<String> {
    let (parts, tau) = (&verification.parts, &verification.tau);
    let mut lines = vec![
        format!(
            "  {}: {} decoded, {} sampled, {} replicated, {} mismatched, {} redone",
            counted(&parts.total, "part"),
            parts.decoded,
            parts.sampled,
            parts.replicated,
            parts.mismatched,
            parts.redone
        ),
        format!("  tau {} requested, {} reached", tau.requested, tau.reached),
        format!("  probability of an undetected fault {}", verification.undetected),
    ];
    lines.extend(verification.checks.iter().map(|check| {
        let Check { name, by, scope, result } = check;
        let by = if by == signer { "the signer" } else { by };
        format!("  check {name}: {result}, {scope}, by {by}")
    }));
    lines.push(format!("  table of parts blake3 {}", verification.table.digest.blake3));
    lines
}

fn files(statement: &Statement) -> Vec<String> {
    let digests = |of: &DigestSet| [format!("    sha256 {}", of.sha256), format!("    blake3 {}", of.blake3)];
    let mut lines = Vec::new();
    for source in &statement.predicate.source {
        lines.push(format!("  source {}: {}, {} bytes", source.name, source.media_type, source.size));
        lines.extend(digests(&source.digest));
    }
    for subject in &statement.subject {
        lines.push(format!("  target {}", subject.name));
        lines.extend(digests(&subject.digest));
    }
    lines
}

/// A parameter, with those in it below it.
fn parameter(key: &str, value: &Value) -> Vec<String> {
    let members = |of: &Map<String, Value>| -> Vec<String> {
        of.iter().map(|(key, value)| format!("      {key}: {value}")).collect()
    };
    match value {
        Value::Object(map) => std::iter::once(format!("    {key}")).chain(members(map)).collect(),
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            let of = entries.len();
            let entry = |(index, entry): (usize, &Value)| {
                let head =
                    if of > 1 { format!("    {key} {} of {of}", index + 1) } else { format!("    {key}") };
                let below = match entry {
                    Value::Object(map) => members(map),
                    other => vec![format!("      {other}")],
                };
                std::iter::once(head).chain(below).collect::<Vec<_>>()
            };
            entries.iter().enumerate().flat_map(entry).collect()
        }
        flat => vec![format!("    {key}: {flat}")],
    }
}

/// Where it ran, and what it cost, if that is told.
fn nodes(predicate: &Predicate) -> Vec<String> {
    let execution = &predicate.execution;
    let nodes = execution.nodes.iter().map(|node| format!("  node {node}"));
    let cost = execution.cost.iter().map(|(key, value)| format!("  cost {key}: {value}"));
    nodes.chain(cost).collect()
}

/// Where rows of a partitioned table stand that have exceptions.
fn places(rows: &RowsOfExceptions) -> Vec<String> {
    let head = (!rows.is_empty()).then(|| "    rowsOfExceptions".to_owned());
    let of_path = |(path, rows): (&String, &Vec<(u64, u64)>)| {
        let mut line = format!("      {path}: [");
        for (index, (row, place)) in rows.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            line += &format!("{comma}[{row},{place}]");
        }
        line + "]"
    };
    head.into_iter().chain(rows.iter().map(of_path)).collect()
}

/// The type map of a table.
fn columns(table: &TableContent) -> Vec<String> {
    std::iter::once("  columns".to_owned()).chain(table.type_map.iter().map(column)).collect()
}

/// One column: its type, what its header said where that is another name, and how text spells it.
fn column(column: &TypedColumn) -> String {
    let mut line = format!("    {}: {}", column.name, column.ty);
    for (key, value) in column.style.members() {
        line += &match (key.as_str(), &value) {
            ("sourceName", name) => format!(", headed {name}"),
            ("field", field) => format!(", as a field {}", field.get("style").unwrap_or(field)),
            ("json", json) => format!(", as JSON {}", json.get("style").unwrap_or(json)),
            (key, value) => format!(", {key} {value}"),
        };
    }
    if column.reversible { line } else { line + " (its text does not come back)" }
}

/// The arrays of a signal, and what else is content.
fn arrays(signal: &SignalContent) -> Vec<String> {
    let array = |array: &SignalArray| {
        let shape = array.shape.join(" × ");
        let meaning = if array.meaning.is_empty() { String::new() } else { format!(", {}", array.meaning) };
        let style =
            array.style.members().iter().map(|(key, value)| format!(", {key} {value}")).collect::<String>();
        format!("    {:?}: {}, {shape}{meaning}{style}", array.name, array.ty)
    };
    let mut lines = vec!["  arrays".to_owned()];
    lines.extend(signal.arrays.iter().map(array));
    if !signal.attributes.is_empty() {
        lines.push("  attributes".to_owned());
    }
    let attribute =
        |of: &coherence::statement::SignalAttribute| format!("    {}: blake3 {}", of.key, of.blake3);
    lines.extend(signal.attributes.iter().map(attribute));
    lines
}

#[cfg(test)]
mod tests;
