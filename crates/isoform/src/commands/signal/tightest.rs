//! Provides what is told of the part of a target that comes closest to missing its floor.

use coherence::budget::Bound;
use serde_json::{Map, Value, json};

use super::super::within as budgets;
use crate::local::signal::{Place, Tightest};
use crate::report::number;

/// The part that comes closest to missing its floor, in the measure that was asked for, and the `least`
/// coherence of a part where that is another one: its error is so small that no rate is asked of it. `peak`
/// is the greatest magnitude of the samples, where these declare one.
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
    let reached = |found| budgets::reached(floor, found, peak);
    let is_rate = matches!(found, Bound::Rate(_));
    let excused = least.filter(|(other, _)| is_rate && other != place);
    let excused = excused.map(|(place, coherence)| {
        let found = reached(Bound::Rate(1.0 - coherence));
        format!("; {place}, whose error is below the absolute floor, has {found}")
    });
    let (reached, excused) = (reached(*found), excused.unwrap_or_default());
    Some(format!("  every {what} keeps its bound; the tightest, {place}, has {reached}{excused}"))
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
