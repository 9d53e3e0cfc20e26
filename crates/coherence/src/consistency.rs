//! Consistency: whether the parts of a statement agree with each other, whoever signed it.

use crate::certificate::Verdict;
use crate::content;
use crate::digest::Digest;
use crate::dsse::{Malformed, expect};
use crate::found::SET_ASIDE;
use crate::gate::{Gate, Measure};
use crate::signal::{Array, Signature};
use crate::statement::{Content, Distortion, Predicate, SignalContent};
use crate::tiles::Tiles;

/// Refuses statements whose verdict their own figures deny, and returns the verdict.
pub(crate) fn check(predicate: &Predicate) -> Result<Verdict, Malformed> {
    let found = &predicate.verification.verdict;
    let Some(verdict) = Verdict::ALL.into_iter().find(|verdict| verdict.name() == found) else {
        return Err(Malformed::Unexpected { field: "verdict", found: found.clone() });
    };
    check_content(&predicate.content, verdict)?;
    check_figures(predicate, verdict)?;
    check_equal(predicate)?;
    check_gates(predicate)?;
    check_pieces(predicate)?;
    Ok(verdict)
}

/// Whether a statement is refused because it states something of a kind that is not known here, as a later
/// version may.
pub(crate) fn is_unknown(why: &Malformed) -> bool {
    let Malformed::Unexpected { field, .. } = why else { return false };
    matches!(*field, "verdict" | "scheme" | "distortion.gates" | "content.arrays.type")
}

fn contradiction(what: &'static str) -> Result<(), Malformed> {
    Err(Malformed::Contradiction { what })
}

fn check_content(content: &Content, verdict: Verdict) -> Result<(), Malformed> {
    expect("scheme", content.scheme(), content::SCHEME)?;
    for root in [content.source(), content.target()] {
        root.parse::<Digest>()
            .map_err(|_| Malformed::Unexpected { field: "content root", found: root.to_owned() })?;
    }
    if content.equal() != (content.source() == content.target()) {
        return contradiction("content.equal does not follow from the roots");
    }
    match content {
        Content::Table(table) | Content::Partitioned(table) => {
            let partitioned = matches!(content, Content::Partitioned(_));
            if partitioned != table.partitions.is_some() {
                return contradiction("content.model does not follow from content.partitions");
            }
            if table.columns != table.type_map.len().to_string() {
                return contradiction("content.columns is not the length of content.typeMap");
            }
            if verdict == Verdict::Exact && table.type_map.iter().any(|column| !column.reversible) {
                return contradiction("verdict EXACT, but a column is not reversible");
            }
        }
        Content::Signal(signal) => check_signal(signal)?,
        Content::Bytes(bytes) => {
            count("content.bytes", &bytes.bytes)?;
            if verdict != Verdict::Exact {
                return contradiction("byte strings are converted exactly or not at all");
            }
        }
    }
    Ok(())
}

/// Refuses signals whose arrays are out of order, or do not hold the samples that are stated.
fn check_signal(signal: &SignalContent) -> Result<(), Malformed> {
    let mut signature = Signature::default();
    for array in &signal.arrays {
        let unknown = |_| Malformed::Unexpected { field: "content.arrays.type", found: array.ty.clone() };
        let axes = array.shape.iter().map(|axis| count("content.arrays.shape", axis));
        signature.arrays.push(Array {
            name: array.name.clone(),
            sample: array.ty.parse().map_err(unknown)?,
            shape: axes.collect::<Result<_, _>>()?,
            meaning: array.meaning.clone(),
            peak: None,
        });
    }
    let keys = signal.attributes.iter().map(|attribute| (attribute.key.clone(), Vec::new()));
    signature.attributes.extend(keys);
    if signature.check_order().is_err() {
        return contradiction("content.arrays or content.attributes are out of order");
    }
    if signature.samples() != Some(count("content.samples", &signal.samples)?) {
        return contradiction("content.samples is not what content.arrays hold");
    }
    Ok(())
}

/// Reads a count in its one spelling.
fn count(field: &'static str, text: &str) -> Result<u64, Malformed> {
    let count = text.parse::<u64>().ok().filter(|count| count.to_string() == text);
    count.ok_or_else(|| Malformed::Unexpected { field, found: text.to_owned() })
}

/// Refuses pieces that do not cover the samples.
fn check_pieces(predicate: &Predicate) -> Result<(), Malformed> {
    let Some(pieces) = &predicate.distortion.pieces else { return Ok(()) };
    let samples = count("distortion.pieces.samples", &pieces.samples)?;
    let found = count("distortion.pieces.count", &pieces.count)?;
    let Content::Signal(signal) = &predicate.content else {
        return contradiction("distortion.pieces, but the content is no signal");
    };
    let total = count("content.samples", &signal.samples)?;
    if let Some(side) = &pieces.side {
        let side = count("distortion.pieces.side", side)?;
        let [array] = signal.arrays.as_slice() else {
            return contradiction("distortion.pieces are tiles, but content.arrays are not one image");
        };
        let axes = array.shape.iter().map(|axis| count("content.arrays.shape", axis));
        let tiles = Tiles::new(&axes.collect::<Result<Vec<_>, _>>()?, side);
        return match tiles.is_some_and(|tiles| (tiles.samples(), tiles.count()) == (samples, found)) {
            true => Ok(()),
            false => contradiction("distortion.pieces do not cover the image as tiles"),
        };
    }
    if samples == 0 || total.div_ceil(samples) != found {
        return contradiction("distortion.pieces do not cover content.samples");
    }
    Ok(())
}

/// Refuses gates that their own figures deny, and figures of measures that nobody knows.
fn check_gates(predicate: &Predicate) -> Result<(), Malformed> {
    for gate in &predicate.distortion.gates {
        let passed = match (Measure::named(&gate.name), gate.found.as_deref()) {
            (None, None) => true,
            (None, Some(_)) => {
                return Err(Malformed::Unexpected { field: "distortion.gates", found: gate.name.clone() });
            }
            (Some(_), None) => false,
            (Some(measure), Some(found)) => match (gate.limit.parse(), found.parse()) {
                (Ok(limit), Ok(found)) => Gate { measure, limit }.passes(found),
                _ => false,
            },
        };
        if !passed {
            return contradiction("a gate that its own figures do not pass");
        }
    }
    Ok(())
}

fn check_figures(predicate: &Predicate, verdict: Verdict) -> Result<(), Malformed> {
    let figure = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let (d, epsilon) = (figure(&predicate.distortion.d), figure(&predicate.distortion.epsilon));
    // The bound was checked on sums that were rounded elsewhere; the margin is for that alone.
    let within = d <= epsilon * (1.0 + 1e-9);
    if verdict == Verdict::Bounded && !within {
        return contradiction("verdict BOUNDED, but the distance is beyond the bound");
    }
    let parts = &predicate.verification.parts;
    if verdict != Verdict::Partial && parts.decoded != parts.total {
        return contradiction("a verdict for all parts, but not all parts were decoded");
    }
    let set_aside = predicate.verification.checks.iter().any(|check| check.name == SET_ASIDE);
    if set_aside && verdict != Verdict::Partial {
        return contradiction("records were set aside, but the verdict is not PARTIAL");
    }
    let exact = matches!(verdict, Verdict::Exact | Verdict::ValueExact);
    if exact && (!predicate.content.equal() || predicate.distortion.d != "0") {
        return contradiction("an exact verdict, but the contents differ");
    }
    Ok(())
}

/// Refuses figures of a difference between contents that are equal, and counts of values that a table or a
/// byte string does not hold.
fn check_equal(predicate: &Predicate) -> Result<(), Malformed> {
    if !predicate.content.equal() {
        return Ok(());
    }
    let Distortion { d, rmse, max_abs, coherence, psnr_db, worst_part, .. } = &predicate.distortion;
    let worst = worst_part.as_ref().map_or(coherence, |worst| &worst.coherence);
    let ratio = psnr_db.as_deref().unwrap_or("inf");
    let same = [d, rmse, max_abs].into_iter().all(|figure| figure == "0")
        && [coherence, worst, &predicate.verification.tau.reached].into_iter().all(|figure| figure == "1")
        && ratio == "inf";
    if !same {
        return contradiction("the contents are equal, but a figure tells of a difference");
    }
    let (units, columns) = match &predicate.content {
        Content::Table(table) | Content::Partitioned(table) => (&table.rows, table.type_map.len() as u64),
        Content::Bytes(bytes) => (&bytes.bytes, 1),
        Content::Signal(_) => return Ok(()),
    };
    let values = count("the size of the content", units)?.saturating_mul(columns);
    if count("distortion.n", &predicate.distortion.n)? != values {
        return contradiction("distortion.n is not the number of values that the content holds");
    }
    Ok(())
}
