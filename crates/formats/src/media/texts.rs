//! Provides the rules for values of keys that are texts: compressions, framings, digests, layouts,
//! delimiters, sample types, budgets and metrics.

use coherence::gate::Measure;

use super::keys::{digests, layouts};
use super::{Codec, Key};

/// What a text may be, beyond being one; the words say it where it is not.
pub(super) fn check_text(key: Key, codec: Codec, text: &str) -> Result<(), String> {
    let fine = match key {
        Key::Compression => crate::write::knows_compression(codec, text),
        Key::Framing => [PARTS, ONE].contains(&text),
        Key::Digest => digests(codec).contains(&text),
        Key::Layout => layouts(codec).contains(&text),
        Key::Metric => METRICS.contains(&text),
        Key::Delimiter => delimiter(text).is_some(),
        Key::SampleType => text.parse::<crate::signal::Encoding>().is_ok_and(|encoding| match codec {
            Codec::Arrays(format) => format.holds(encoding),
            _ => false,
        }),
        Key::Within if matches!(codec, Codec::Image(_)) => is_budget_with_gates(text),
        _ => is_budget(text),
    };
    match fine {
        true => Ok(()),
        false => Err(match key {
            Key::Compression => "is no compression that this codec has; it is codec or codec:level".into(),
            Key::Framing => format!("is no framing; it is `{PARTS}` or `{ONE}`"),
            Key::Digest => format!("is no digest of this codec; it is {}", one_of(digests(codec))),
            Key::Layout => format!("is no layout of this codec; it is {}", one_of(layouts(codec))),
            Key::Metric => format!("is no metric; it is {}", one_of(&METRICS)),
            Key::Delimiter => {
                "is no delimiter; it is one ASCII character that is no letter, digit, quote, line \
                               end or NUL, or `tab`"
                    .into()
            }
            Key::SampleType => "is no sample type that this codec holds".into(),
            Key::Within if matches!(codec, Codec::Image(_)) => {
                format!("is no budget; budgets are {BUDGETS}, and gates such as ssimulacra2=80 beside them")
            }
            _ => format!("is no budget; budgets are {BUDGETS}"),
        }),
    }
}

/// The framing in which parts are members of their own.
pub const PARTS: &str = "parts";

/// The framing in which a target is one member.
pub const ONE: &str = "one";

/// The digest of members that carry none.
pub const NO_DIGEST: &str = "none";

/// The measures that a budget may be in.
const METRICS: [&str; 5] = ["max-error", "rmse", "psnr", "snr", "coherence"];

/// Names to choose from.
fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// How budgets are spelled.
pub const BUDGETS: &str = "exact, max-error=0.001, rmse=0.01, psnr=45, snr=60 or coherence=0.999";

fn is_budget(text: &str) -> bool {
    let number = |value: &str| value.parse::<f64>().ok().filter(|value| value.is_finite());
    text == "exact"
        || text.split_once('=').is_some_and(|(kind, value)| match (kind, number(value)) {
            ("max-error" | "rmse", Some(value)) => value >= 0.0,
            ("psnr" | "snr", Some(value)) => value > 0.0,
            ("coherence", Some(value)) => value > 0.0 && value <= 1.0,
            _ => false,
        })
}

/// Whether a text is a distance, gates, or both, which commas divide; what is exact passes every gate.
fn is_budget_with_gates(text: &str) -> bool {
    let (mut distances, mut gates) = (Vec::new(), Vec::new());
    for piece in text.split(',') {
        match piece.split_once('=').and_then(|(name, value)| Some((Measure::named(name)?, value))) {
            None => distances.push(piece),
            Some((measure, value)) => {
                let fine = value.parse().is_ok_and(|limit| measure.allows(limit));
                if !fine || gates.contains(&measure) {
                    return false;
                }
                gates.push(measure);
            }
        }
    }
    match distances.as_slice() {
        [] => true,
        [only] => is_budget(only) && (gates.is_empty() || *only != "exact"),
        _ => false,
    }
}

/// The byte that a delimiter is.
pub fn delimiter(text: &str) -> Option<u8> {
    match text.as_bytes() {
        b"tab" => Some(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\0\"\r\n".contains(byte) => {
            Some(*byte)
        }
        _ => None,
    }
}
