//! Provides what is told of the part of a target that comes closest to missing its floor.

use coherence::budget::Bound;
use serde_json::{Value, json};

use super::super::within as budgets;
use super::within;
use crate::local::signal::{Place, SignalJob, SignalOutcome, Tightest};
use crate::report::number;

/// The part that comes closest to missing its floor, in the measure that was asked for.
pub fn line(job: &SignalJob, outcome: &SignalOutcome) -> Option<String> {
    let Tightest { place, found } = outcome.tightest.as_ref()?;
    let text = |key: &str| job.parameters.get(key).and_then(Value::as_str);
    let floor = text("partFloor").unwrap_or_else(|| within(job));
    let peak = outcome.signature.arrays.first().and_then(|array| array.peak);
    let to_milliseconds = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    let (what, place) = match place {
        Place::Seconds(from, to) => {
            ("second", format!("from {} s to {} s", to_milliseconds(*from), to_milliseconds(*to)))
        }
        Place::Samples(name, samples) => {
            ("part", format!("samples {} to {} of array {name:?}", samples.start, samples.end))
        }
    };
    let reached = budgets::reached(floor, *found, peak);
    Some(format!("  every {what} keeps its bound; the worst, {place}, has {reached}"))
}

/// The same for a document.
pub fn document(tightest: &Tightest) -> Value {
    let (measure, found) = match tightest.found {
        Bound::Rate(rate) => ("coherence", 1.0 - rate),
        Bound::Rmse(error) => ("rmse", error),
        Bound::MaxAbs(error) => ("maxAbs", error),
    };
    match &tightest.place {
        Place::Seconds(from, to) => {
            json!({ "from": from, "to": to, "measure": measure, "found": number(found) })
        }
        Place::Samples(array, samples) => json!({
            "array": array, "from": samples.start, "to": samples.end,
            "measure": measure, "found": number(found),
        }),
    }
}
