//! Provides the words for a budget that was missed: in the measure that was asked for, with as many digits as
//! it takes to tell what was found from what is allowed.

use std::ops::Range;

use coherence::budget::{Bound, Budget, OverBudget};
use serde_json::{Map, Value};

use crate::report::shortened;

/// Decimals of a number that was measured, before zeros at their end are left out.
const DECIMALS: Range<usize> = 2..16;

/// Decimals of a number that a person typed, where it is below one and where it is not, and the share of it
/// that computing with it may have added.
const TYPED_DECIMALS: [Range<usize>; 2] = [0..11, 0..7];
const ROUNDING: f64 = 1e-12;

/// Numbers below this are told with an exponent.
const SMALL: f64 = 0.01;

/// What was found and what was asked for, such as `root mean square error 2.63 where 2.5 is allowed`; nothing
/// where the budget was missed for another reason. The parameters of the conversion tell how the budget was
/// asked for; `peak` is the greatest magnitude of the samples, where these declare one.
pub fn told(
    missed: &OverBudget,
    budget: &Budget,
    parameters: &Map<String, Value>,
    peak: Option<f64>,
) -> Option<String> {
    let (bound, options): (Bound, &[&str]) = match missed {
        OverBudget::Part { .. } => (budget.part, &["partFloor", "within"]),
        _ => (budget.whole, &["within"]),
    };
    let (OverBudget::Whole { measure, found, allowed } | OverBudget::Part { measure, found, allowed, .. }) =
        *missed
    else {
        return None;
    };
    // A quiet part may move by a distance that does not depend on its norm, where its share of that is less.
    let (allowed, is_share) = match (missed, bound) {
        (OverBudget::Part { absolute, .. }, Bound::Rate(_)) if allowed < *absolute => (*absolute, false),
        _ => (allowed, allowed > 0.0),
    };
    let asked = options.iter().find_map(|option| parameters.get(*option)?.as_str()).unwrap_or_default();
    let asked_in = |kind: &str| asked.split(',').any(|piece| piece.split('=').next() == Some(kind));
    // Nothing is at minus zero.
    let decibels = |ratio: f64| -20.0 * ratio.log10() + 0.0;
    let least = |name: &str, unit: &str, reached: f64, least: f64| {
        let (reached, least) = apart(reached, least);
        Some(format!("{name} {reached}{unit} where at least {least}{unit} is asked for"))
    };
    match (bound, peak) {
        (Bound::Rmse(most), Some(peak)) if asked_in("psnr") => {
            least("PSNR", " dB", decibels(found / peak), decibels(most / peak))
        }
        // What a rate allows is a share of a norm that is not known here, but by how far it was missed.
        (Bound::Rate(rate), _) if asked_in("snr") && is_share => {
            least("SNR", " dB", decibels(rate * found / allowed), decibels(rate))
        }
        (Bound::Rate(rate), _) if asked_in("coherence") && is_share => {
            least("coherence", "", 1.0 - rate * found / allowed, 1.0 - rate)
        }
        _ => {
            let (found, allowed) = apart(found, allowed);
            Some(format!("{measure} {found} where {allowed} is allowed"))
        }
    }
}

/// The same of a bound on the whole that no options keep, by the least squared distance that these reach over
/// so many values, and the one that is allowed.
pub fn of_options(
    (least, allowed): (f64, f64),
    values: u64,
    budget: &Budget,
    parameters: &Map<String, Value>,
    peak: f64,
) -> Option<String> {
    let missed = match budget.whole {
        Bound::Rmse(most) => OverBudget::Whole {
            measure: "root mean square error",
            found: (least / values.max(1) as f64).sqrt(),
            allowed: most,
        },
        _ => OverBudget::Whole { measure: "distance", found: least.sqrt(), allowed: allowed.sqrt() },
    };
    told(&missed, budget, parameters, Some(peak))
}

/// What is said of a target that is written without loss since nothing smaller that was tried keeps the
/// budget: what came closest, and the bytes of source and target.
pub fn without_loss(closest: &str, (source, target): (u64, u64)) -> String {
    let larger = if target > source { "; the target is larger than the source" } else { "" };
    format!("without loss, as nothing smaller that was tried keeps the budget: {closest}{larger}")
}

/// What was found, with as few decimals as leave it clearly apart from what is allowed; and this as it was
/// typed, where it was.
fn apart(found: f64, allowed: f64) -> (String, String) {
    let small = [found, allowed].iter().any(|number| *number != 0.0 && number.abs() < SMALL);
    let text = |number: f64, decimals: usize| match small {
        true => format!("{number:.decimals$e}"),
        false => format!("{number:.decimals$}"),
    };
    let rounded = |number: f64, decimals: Range<usize>, slack: f64| {
        let near = |text: &String| text.parse().is_ok_and(|told: f64| (told - number).abs() <= slack);
        decimals.map(|decimals| text(number, decimals)).find(near)
    };
    let clearly = |number: f64| {
        let told = rounded(number, DECIMALS, (found - allowed).abs() / 10.0);
        shortened(&told.unwrap_or_else(|| number.to_string()))
    };
    let [below_one, other] = TYPED_DECIMALS;
    let typed = if allowed.abs() < 1.0 { below_one } else { other };
    let typed = rounded(allowed, typed, allowed.abs() * ROUNDING);
    (clearly(found), typed.unwrap_or_else(|| clearly(allowed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(bound: Bound, (found, allowed): (f64, f64), options: &[(&str, &str)]) -> String {
        let parameters = options.iter().map(|(key, text)| ((*key).to_owned(), json!(text))).collect();
        let missed = OverBudget::Part { part: 0, measure: "distance", found, allowed, absolute: 0.0 };
        told(&missed, &Budget::within(bound), &parameters, Some(255.0)).unwrap()
    }

    #[test]
    fn the_measure_is_the_one_that_was_asked_for() {
        let psnr = 255.0 * 10f64.powf(-40.0 / 20.0);
        let told = words(Bound::Rmse(psnr), (2.63, psnr), &[("within", "psnr=40,ssimulacra2=80")]);
        assert_eq!(told, "PSNR 39.73 dB where at least 40 dB is asked for");
        let told = words(Bound::Rmse(2.5), (2.63, 2.5), &[("within", "rmse=2.5")]);
        assert_eq!(told, "distance 2.63 where 2.5 is allowed");
        let told = words(Bound::Rate(0.1), (200.0, 100.0), &[("within", "snr=20")]);
        assert_eq!(told, "SNR 13.98 dB where at least 20 dB is asked for");
        // One that is nearly one is not told as one.
        let told = words(Bound::Rate(1e-10), (2e6, 1.0), &[("within", "coherence=0.9999999999")]);
        assert_eq!(told, "coherence 0.9998 where at least 0.9999999999 is asked for");
        let floor = [("within", "snr=20"), ("partFloor", "coherence=0.95")];
        let told = words(Bound::Rate(0.05), (200.0, 100.0), &floor);
        assert_eq!(told, "coherence 0.9 where at least 0.95 is asked for");
    }

    #[test]
    fn of_a_quiet_part_the_distance_is_told_that_it_may_move() {
        let parameters = [("within".to_owned(), json!("snr=20"))].into_iter().collect();
        let budget = Budget { part_absolute: 0.5, ..Budget::within(Bound::Rate(0.1)) };
        let words = |missed: &OverBudget| told(missed, &budget, &parameters, Some(32_768.0)).unwrap();
        let (measure, found, absolute) = ("distance", 5494.21, 109.5445);
        let part = |allowed| OverBudget::Part { part: 1, measure, found, allowed, absolute };
        for allowed in [0.0, 90.0] {
            assert_eq!(words(&part(allowed)), "distance 5494.21 where 109.5445 is allowed");
        }
        assert_eq!(words(&part(5000.0)), "SNR 19.18 dB where at least 20 dB is asked for");
        let whole = OverBudget::Whole { measure: "distance", found: 200.0, allowed: 100.0 };
        assert_eq!(words(&whole), "SNR 13.98 dB where at least 20 dB is asked for");
    }

    #[test]
    fn what_options_reach_is_told_in_the_measure_that_was_asked_for() {
        let words = |within: &str, bound: Bound, least: f64, allowed: f64| {
            let parameters = [("within".to_owned(), json!(within))].into_iter().collect();
            of_options((least, allowed), 400, &Budget::within(bound), &parameters, 255.0).unwrap()
        };
        // A root mean square error of 5.1 is 34 dB below 255.
        let least = 400.0 * 5.1f64.powi(2);
        let psnr = Bound::Rmse(255.0 * 10f64.powf(-40.0 / 20.0));
        let told = words("psnr=40", psnr, least, 400.0 * 2.55f64.powi(2));
        assert_eq!(told, "PSNR 33.98 dB where at least 40 dB is asked for");
        let told = words("rmse=2.5", Bound::Rmse(2.5), least, 2500.0);
        assert_eq!(told, "root mean square error 5.1 where 2.5 is allowed");
        let told = words("coherence=0.9", Bound::Rate(0.1), 40_000.0, 10_000.0);
        assert_eq!(told, "coherence 0.8 where at least 0.9 is asked for");
    }

    #[test]
    fn numbers_have_the_digits_that_tell_them_apart() {
        let pair = |left, right| {
            let (left, right) = apart(left, right);
            format!("{left} {right}")
        };
        assert_eq!(pair(17.0, 0.0), "17 0");
        assert_eq!(pair(2.63, 2.5500000000000003), "2.63 2.55");
        assert_eq!(pair(39.99962, 40.0), "39.9996 40");
        assert_eq!(pair(0.99602, 0.9999), "0.996 0.9999");
        assert_eq!(pair(51.1415, 76.02059991327963), "51.14 76.02");
        assert_eq!(pair(1.25e-6, 1e-6), "1.25e-6 1e-6");
        assert_eq!(pair(f64::INFINITY, 0.0), "inf 0");
        assert_eq!(pair(100.0, 100.0), "100 100");
    }
}
