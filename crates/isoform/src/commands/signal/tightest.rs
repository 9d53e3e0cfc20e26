//! Provides what is told of the part of a target that comes closest to missing its floor.

use coherence::budget::Bound;
use serde_json::{Map, Value, json};

use super::super::within as budgets;
use crate::local::signal::{Place, Tightest};
use crate::report::number;

/// The part that comes closest to missing its floor, in the measure that was asked for, and the one with the
/// `least` coherence where that is another one and beyond this floor. Of a part that is, the error is so
/// small that nothing else is asked of it. `peak` is the greatest magnitude of the samples, where these
/// declare one.
pub fn line(
    parameters: &Map<String, Value>,
    tightest: Option<&Tightest>,
    least: Option<(Place, f64)>,
    peak: Option<f64>,
) -> Option<String> {
    let Tightest { place, found } = tightest?;
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let asked = text("partFloor").or_else(|| text("within")).unwrap_or("exact");
    let is_gate =
        |piece: &&str| coherence::gate::Measure::named(piece.split('=').next().unwrap_or_default()).is_some();
    let floor = asked.split(',').find(|piece| !is_gate(piece)).unwrap_or(asked);
    let what = match place {
        Place::Seconds(..) => "second",
        Place::Samples(..) => "part",
        Place::Tile { .. } => "tile",
    };
    let is_excused = |found| budgets::is_excused(floor, found, peak);
    let told = |place: &Place, found| {
        let why = if is_excused(found) { " whose error is below the absolute floor," } else { "" };
        format!("{place},{why} has {}", budgets::reached(floor, found, peak))
    };
    let least = least.map(|(place, coherence)| (place, Bound::Rate(1.0 - coherence)));
    let other = least.filter(|(other, found)| other != place && is_excused(*found));
    let other = other.map_or(String::new(), |(place, found)| format!("; {}", told(&place, found)));
    Some(format!("  every {what} keeps its bound; the tightest, {}{other}", told(place, *found)))
}

/// Where a part lies, for a document.
pub fn place(place: &Place) -> Value {
    match place {
        Place::Seconds(from, to) => json!({ "from": from, "to": to }),
        Place::Samples(array, samples) => json!({ "array": array, "from": samples.start, "to": samples.end }),
        Place::Tile { at, x, y } => {
            json!({ "tile": [at.0, at.1], "x": [x.start, x.end], "y": [y.start, y.end] })
        }
    }
}

/// The part that comes closest to missing its floor, for a document.
pub fn document(tightest: &Tightest) -> Value {
    let (measure, found) = match tightest.found {
        Bound::Rate(rate) => ("coherence", 1.0 - rate),
        Bound::Rmse(error) => ("rmse", error),
        Bound::MaxAbs(error) => ("maxAbs", error),
    };
    let mut document = place(&tightest.place);
    document["measure"] = json!(measure);
    document["found"] = number(found);
    document
}
