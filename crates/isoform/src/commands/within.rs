//! Provides the reading of budgets: `--within` and `--part-floor`, and of the gates among them.

use std::path::Path;

use coherence::budget::{Bound, Budget};
use coherence::dsse::shown;
use coherence::gate::{Gate, Measure};
use coherence::statement::{Content, Predicate, SignalContent};
use serde_json::Value;

use ::formats::image;
use ::formats::media::{self, BUDGETS, Codec, Key, MediaType};

use crate::cli::Convert;
use crate::failure::{Failure, Result, by_maker};
use crate::local::effective::FROM_TARGET;
use crate::local::signal::{Distortion, PEAK};
use crate::report::{distance, fixed};

/// What `--within` asks of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// The bound on the distance, as [`budget`] reads it.
    distance: Option<String>,
    /// Gates beside it, by measure.
    pub gates: Vec<Gate>,
}

/// Takes a distance and gates apart, which commas divide.
///
/// Gates alone bound no distance, and without a bound there would be nothing to certify. What they get is the
/// widest one that means anything: a coherence of 0, at which the result is as far from the source as nothing
/// at all.
pub fn bounds(within: &str) -> Result<Bounds> {
    let usage = |what: &str| Failure::Usage(format!("--within {within}: {what}"));
    let (mut distance, mut gates): (Option<&str>, Vec<Gate>) = (None, Vec::new());
    for piece in within.split(',') {
        let gate = piece.split_once('=').and_then(|(name, value)| Some((Measure::named(name)?, value)));
        let Some((measure, value)) = gate else {
            if distance.replace(piece).is_some() {
                return Err(usage(
                    "a budget has one distance, and any gates beside it: ssimulacra2=80, butteraugli=1.5",
                ));
            }
            continue;
        };
        let limit = value.parse::<f64>().ok().filter(|limit| measure.allows(*limit));
        let limit = limit.ok_or_else(|| match measure {
            Measure::Ssimulacra2 => usage("ssimulacra2 is bounded by a number below 100, such as 80"),
            Measure::Butteraugli => usage("butteraugli is bounded by a number above 0, such as 1.5"),
        })?;
        if gates.iter().any(|gate| gate.measure == measure) {
            return Err(usage("the same gate twice"));
        }
        gates.push(Gate { measure, limit });
    }
    if distance == Some("exact") && !gates.is_empty() {
        return Err(usage("what is exact passes every gate; leave one of them away"));
    }
    gates.sort_by_key(|gate| gate.measure.name());
    Ok(Bounds { distance: distance.map(str::to_owned), gates })
}

impl Bounds {
    /// The budget that the distance stands for; `peak` is the greatest magnitude of the samples.
    pub fn budget(&self, floor: Option<&str>, peak: f64) -> Result<Option<Budget>> {
        match (&self.distance, floor) {
            (Some(distance), _) => budget(distance, floor, Some(peak)),
            (None, None) => Ok(Some(Budget::within(Bound::Rate(1.0)))),
            (None, Some(_)) => Err(Failure::Usage(
                "--part-floor: bounds a distance, and --within has only gates; add one, such as psnr=38"
                    .into(),
            )),
        }
    }
}

/// The budget that was asked for; `None` where nothing may differ. `peak` is the greatest magnitude of the
/// range that the source declares.
pub fn budget(within: &str, floor: Option<&str>, peak: Option<f64>) -> Result<Option<Budget>> {
    let whole = bound("--within", within, peak)?;
    let floor = floor.map(|floor| bound("--part-floor", floor, peak)).transpose()?;
    match (whole, floor) {
        (None, None) => Ok(None),
        (Some(whole), None) => Ok(Some(Budget::within(whole))),
        (Some(whole), Some(part)) => {
            let part = part.unwrap_or(Bound::ZERO);
            Ok(Some(Budget { part, ..Budget::within(whole) }))
        }
        (None, Some(_)) => Err(Failure::Usage(
            "--part-floor: bounds every part of a conversion that may lose something; say with --within how \
             much the whole may lose"
                .into(),
        )),
    }
}

/// Fails where a certificate states other bounds than those that were asked for by its own parameters.
pub fn check_stated(at: &Path, predicate: &Predicate) -> Result<()> {
    let (parameters, stated) = (&predicate.conversion.parameters, &predicate.distortion);
    let text = |key: &str| parameters.get(key).and_then(Value::as_str);
    let (Content::Signal(content), Some(within)) = (&predicate.content, text("within")) else {
        return Ok(());
    };
    let unknown = |why: &str| {
        let (at, tool) = (at.display(), &predicate.conversion.tool);
        let maker = by_maker(&format!("{} {}", tool.name, tool.version));
        Failure::Other(format!("{at}: tells of a budget that is not known here ({}); {maker}", shown(why)))
    };
    let peak = peak(predicate, content);
    let read = bounds(within).and_then(|bounds| {
        let budget = match peak {
            Some(peak) => bounds.budget(text("partFloor"), peak),
            None => budget(within, text("partFloor"), None),
        };
        Ok((budget?.unwrap_or(Budget::ZERO), bounds.gates))
    });
    let (asked, gates) = read.map_err(|failure| unknown(&failure.to_string()))?;
    let found = stated.budget().map_err(|error| unknown(&error.to_string()))?;
    let (asked, gates) = match parameters.contains_key("album") {
        // The gates of an album are in the certificates of its photographs.
        true if parameters.get(FROM_TARGET).is_some_and(Value::is_object) => (asked, Vec::new()),
        // Each of these has its floor for a bound.
        true => (Budget::within(asked.part), gates),
        false => (asked, gates),
    };
    let measures = stated.gates.iter().filter_map(|gate| {
        Some(Gate { measure: Measure::named(&gate.name)?, limit: gate.limit.parse().unwrap_or(f64::NAN) })
    });
    let mut measures: Vec<Gate> = measures.collect();
    measures.sort_by_key(|gate| gate.measure.name());
    if is_like(found.whole, asked.whole) && is_like(found.part, asked.part) && measures == gates {
        return Ok(());
    }
    let (at, within, floor) = (at.display(), shown(within), text("partFloor").map(shown));
    let floor = floor.map_or_else(String::new, |floor| format!(" and {floor} for its parts"));
    Err(Failure::Mismatch(format!(
        "{at}: states other bounds than its parameters ask for, which are {within}{floor}; get it again, or \
         convert the source again"
    )))
}

/// Whether a bound that is stated is the one that was asked for: powers may be rounded otherwise elsewhere.
fn is_like(stated: Bound, asked: Bound) -> bool {
    let same = |stated: f64, asked: f64| (stated - asked).abs() <= asked.abs() * 1e-12;
    match (stated, asked) {
        (Bound::Rate(stated), Bound::Rate(asked))
        | (Bound::Rmse(stated), Bound::Rmse(asked))
        | (Bound::MaxAbs(stated), Bound::MaxAbs(asked)) => same(stated, asked),
        _ => false,
    }
}

/// The greatest magnitude of the samples that a certificate is about, where they have one.
fn peak(predicate: &Predicate, content: &SignalContent) -> Option<f64> {
    let conversion = &predicate.conversion;
    let to = media::recorded(&conversion.to, &conversion.parameters).map(|to| to.codec);
    let mut peaks = content.arrays.iter().map(|array| match to {
        Some(Codec::Image(_)) => array.ty.parse().ok().map(image::peak),
        _ => array.style.get(PEAK).and_then(|peak| peak.as_str()?.parse::<f64>().ok()),
    });
    let first = peaks.next()??;
    peaks.all(|peak| peak == Some(first)).then_some(first)
}

/// The budgets of the whole and of its parts: those that were asked for, or those of the target's type. A
/// number alone is meant in the metric of that type.
pub fn asked(args: &Convert, to: &MediaType) -> (String, Option<String>) {
    let within = args.within.as_deref().or_else(|| to.text(Key::Within)).unwrap_or("exact");
    let own = || to.text(Key::PartFloor).filter(|_| within != "exact");
    let metric = to.text(Key::Metric).unwrap_or_default();
    let named = |text: &str| in_metric(text, metric);
    (named(within), args.part_floor.as_deref().or_else(own).map(named))
}

/// A budget whose distance has the name of its measure.
fn in_metric(budget: &str, metric: &str) -> String {
    let named = |piece: &str| match piece.parse::<f64>() {
        Ok(_) => format!("{metric}={piece}"),
        Err(_) => piece.to_owned(),
    };
    budget.split(',').map(named).collect::<Vec<_>>().join(",")
}

/// Whether a person asked for no distance at all.
pub fn exact_asked(args: &Convert) -> bool {
    args.within.as_deref() == Some("exact")
}

/// The figures that a budget is about, as they were found; nothing where nothing differs.
pub fn measured(within: &str, figures: &Distortion, psnr_db: Option<f64>) -> Vec<String> {
    let figure = |piece: &str| {
        Some(match piece.split_once('=')?.0 {
            "psnr" => format!("PSNR {} dB", fixed(psnr_db?, 2)),
            "snr" => format!("SNR {} dB", fixed(figures.snr_db, 2)),
            "coherence" => format!("coherence {}", fixed(figures.coherence, 6)),
            "rmse" => format!("root mean square error {}", distance(figures.rmse)),
            "max-error" => format!("largest error {}", distance(figures.max_abs)),
            _ => return None,
        })
    };
    let differs = figures.d > 0.0;
    within.split(',').filter(|_| differs).filter_map(figure).collect()
}

/// The same of those that a line does not tell anyway, each with a comma behind it.
pub fn measured_beside(within: &str, told: &[&str], figures: &Distortion, psnr_db: Option<f64>) -> String {
    let untold: Vec<&str> = within
        .split(',')
        .filter(|piece| !told.contains(&piece.split('=').next().unwrap_or_default()))
        .collect();
    measured(&untold.join(","), figures, psnr_db).iter().map(|figure| format!("{figure}, ")).collect()
}

/// What was found of a part, as the bound that it just keeps, in the measure that `floor` asks for.
pub fn reached(floor: &str, found: Bound, peak: Option<f64>) -> String {
    let decibels = |ratio: f64| fixed(-20.0 * ratio.log10(), 2);
    match (found, floor.split('=').next(), peak) {
        (Bound::Rate(rate), Some("snr"), _) => format!("SNR {} dB", decibels(rate)),
        (Bound::Rate(rate), ..) => format!("coherence {}", fixed(1.0 - rate, 6)),
        (Bound::Rmse(error), Some("psnr"), Some(peak)) => format!("PSNR {} dB", decibels(error / peak)),
        (Bound::Rmse(error), ..) => format!("root mean square error {}", distance(error)),
        (Bound::MaxAbs(error), ..) => format!("largest error {}", distance(error)),
    }
}

/// Whether what was found of a part is beyond the bound that `floor` asks for: then its error is below the
/// absolute floor, which excuses it.
pub fn is_excused(floor: &str, found: Bound, peak: Option<f64>) -> bool {
    // What rounding may have added.
    let beyond = |found: f64, asked: f64| found > asked * (1.0 + 1e-9);
    match (found, bound("--part-floor", floor, peak)) {
        (Bound::Rate(found), Ok(Some(Bound::Rate(asked))))
        | (Bound::Rmse(found), Ok(Some(Bound::Rmse(asked))))
        | (Bound::MaxAbs(found), Ok(Some(Bound::MaxAbs(asked)))) => beyond(found, asked),
        _ => false,
    }
}

fn bound(option: &str, text: &str, peak: Option<f64>) -> Result<Option<Bound>> {
    let usage = |what: &str| Failure::Usage(format!("{option} {text}: {what}"));
    if text == "exact" {
        return Ok(None);
    }
    let gates = match option {
        "--within" => ", and of images ssimulacra2=80 and butteraugli=1.5, alone or beside one of these",
        _ => "",
    };
    let unknown = || usage(&format!("is no budget; budgets are {BUDGETS}{gates}"));
    let (kind, value) = text.split_once('=').ok_or_else(unknown)?;
    let value: f64 = value.parse().map_err(|_| unknown())?;
    let positive = value.is_finite() && value > 0.0;
    let decibels = || match positive {
        true => Ok(10f64.powf(-value / 20.0)),
        false => Err(usage("decibels are a finite number above 0")),
    };
    Ok(Some(match kind {
        "max-error" | "rmse" if !(value.is_finite() && value >= 0.0) => {
            return Err(usage("an error is a number from 0 on"));
        }
        "max-error" => Bound::MaxAbs(value),
        "rmse" => Bound::Rmse(value),
        "coherence" if !(value > 0.0 && value <= 1.0) => {
            return Err(usage("a coherence is above 0 and at most 1"));
        }
        name if Measure::named(name).is_some() => {
            return Err(usage("is no distance but a gate, and only images, one by one, have gates"));
        }
        "coherence" => Bound::Rate(1.0 - value),
        "snr" => Bound::Rate(decibels()?),
        "psnr" => {
            let peak = peak.ok_or_else(|| {
                usage("these arrays declare no range, so they have no peak; ask for snr or rmse instead")
            })?;
            Bound::Rmse(peak * decibels()?)
        }
        _ => return Err(unknown()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read() {
        let read = |text| budget(text, None, Some(255.0)).unwrap();
        assert_eq!(read("exact"), None);
        assert_eq!(read("max-error=0.5"), Some(Budget::within(Bound::MaxAbs(0.5))));
        assert_eq!(read("coherence=0.75"), Some(Budget::within(Bound::Rate(0.25))));
        assert_eq!(read("snr=20"), Some(Budget::within(Bound::Rate(0.1))));
        assert_eq!(read("psnr=20"), Some(Budget::within(Bound::Rmse(25.5))));
        let loose = budget("rmse=1", Some("rmse=4"), None).unwrap().unwrap();
        assert_eq!((loose.whole, loose.part), (Bound::Rmse(1.0), Bound::Rmse(4.0)));
    }

    #[test]
    fn a_number_alone_is_in_the_metric() {
        for (budget, told) in [
            ("40", "psnr=40"),
            ("40,ssimulacra2=80", "psnr=40,ssimulacra2=80"),
            ("ssimulacra2=80", "ssimulacra2=80"),
            ("rmse=2", "rmse=2"),
            ("exact", "exact"),
        ] {
            assert_eq!(in_metric(budget, "psnr"), told);
        }
    }

    #[test]
    fn gates_stand_beside_a_distance() {
        let (sight, eyes) = (Measure::Ssimulacra2, Measure::Butteraugli);
        let gate = |measure, limit| Gate { measure, limit };
        let both = bounds("psnr=38,ssimulacra2=80,butteraugli=1.5").unwrap();
        assert_eq!(both.budget(None, 255.0).unwrap(), budget("psnr=38", None, Some(255.0)).unwrap());
        assert_eq!(both.gates, [gate(eyes, 1.5), gate(sight, 80.0)]);
        let alone = bounds("ssimulacra2=80").unwrap();
        assert_eq!(alone.budget(None, 255.0).unwrap(), Some(Budget::within(Bound::Rate(1.0))));
        assert!(alone.budget(Some("psnr=30"), 255.0).is_err());
        assert_eq!(bounds("exact").unwrap().budget(None, 255.0).unwrap(), None);
        let refused = [
            "psnr=38,rmse=2",
            "ssimulacra2=80,ssimulacra2=70",
            "ssimulacra2=100",
            "ssimulacra2=",
            "butteraugli=0",
            "butteraugli=nan",
            "exact,ssimulacra2=80",
        ];
        for text in refused {
            assert!(matches!(bounds(text), Err(Failure::Usage(_))), "{text}");
        }
        assert!(budget("ssimulacra2=80", None, None).is_err());
        assert!(budget("rmse=1", Some("ssimulacra2=80"), None).is_err());
    }

    #[test]
    fn what_was_reached_is_told_in_the_measure_that_was_asked_for() {
        let told = |floor, found| reached(floor, found, Some(255.0));
        assert_eq!(told("snr=20", Bound::Rate(0.01)), "SNR 40.00 dB");
        assert_eq!(told("snr=20", Bound::Rate(1.0)), "SNR 0.00 dB");
        assert_eq!(told("snr=20", Bound::Rate(1.0001)), "SNR 0.00 dB");
        assert_eq!(told("coherence=0.9", Bound::Rate(1.000_000_1)), "coherence 0.000000");
        assert_eq!(told("coherence=0.9", Bound::Rate(0.01)), "coherence 0.990000");
        assert_eq!(told("psnr=40", Bound::Rmse(0.255)), "PSNR 60.00 dB");
        assert_eq!(told("rmse=1", Bound::Rmse(0.255)), "root mean square error 0.255");
        assert_eq!(told("max-error=1", Bound::MaxAbs(0.5)), "largest error 0.5");
        let figures =
            Distortion { d: 1.0, coherence: 0.5, rmse: 0.1, max_abs: 0.1, snr_db: 6.02, psnr_db: Some(20.0) };
        let beside = |within| measured_beside(within, &["psnr"], &figures, figures.psnr_db);
        assert_eq!(beside("psnr=10,butteraugli=2"), "");
        assert_eq!((&*beside("snr=6"), &*beside("coherence=0.4")), ("SNR 6.02 dB, ", "coherence 0.500000, "));
    }

    #[test]
    fn a_part_beyond_its_bound_is_excused() {
        let excused = |floor, found| is_excused(floor, found, Some(255.0));
        for floor in ["snr=20", "coherence=0.9"] {
            assert_eq!(
                [0.099, 0.1, 0.101].map(|rate| excused(floor, Bound::Rate(rate))),
                [false, false, true]
            );
        }
        assert!(excused("psnr=40", Bound::Rmse(2.56)) && !excused("psnr=40", Bound::Rmse(2.54)));
        assert!(excused("max-error=1", Bound::MaxAbs(1.5)) && !excused("rmse=1", Bound::MaxAbs(1.5)));
    }

    #[test]
    fn what_is_no_budget_is_refused() {
        for text in ["", "psnr", "psnr=", "psnr=-1", "coherence=0", "coherence=1.1", "rmse=nan", "loss=1"] {
            assert!(matches!(budget(text, None, Some(1.0)), Err(Failure::Usage(_))), "{text}");
        }
        assert!(budget("psnr=40", None, None).is_err());
        assert!(budget("exact", Some("rmse=1"), None).is_err());
    }
}
