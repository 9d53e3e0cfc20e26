//! The figures of a distance, as a certificate has them.

use crate::budget::{Bound, Budget};
use crate::certificate::{BuildError, decimal};
use crate::content::Model;
use crate::dsse::Malformed;
use crate::evidence::Evidence;
use crate::gate::Measure;
use crate::statement::{Distortion, Gate, Pieces, WorstPart};
use crate::verified::VerifiedWhole;

/// What was measured of a whole, and what a budget leaves to it; its bounds are not among that.
pub(crate) fn measured(whole: &VerifiedWhole, budget: &Budget) -> Result<Distortion, BuildError> {
    let pieces = whole.pieces().map(|pieces| Pieces {
        samples: pieces.samples().to_string(),
        count: pieces.count().to_string(),
        side: pieces.tiles().map(|(tiles, _)| tiles.side().to_string()),
    });
    let least = whole.least()?;
    let worst_part =
        least.map(|(index, least)| WorstPart { index: index.to_string(), coherence: decimal(least) });
    Ok(Distortion { worst_part, pieces, ..of_evidence(whole.evidence(), peak(whole.model()), budget)? })
}

/// The same of a content of whose parts nothing is known, with the greatest magnitude of its range.
pub(crate) fn of_evidence(
    evidence: &Evidence,
    peak: Option<f64>,
    budget: &Budget,
) -> Result<Distortion, BuildError> {
    let (d, norm) = (evidence.d_squared()?.sqrt(), evidence.norm_squared()?.sqrt());
    let psnr_db = match peak {
        _ if d == 0.0 => Some(f64::INFINITY),
        Some(peak) => Some(evidence.psnr_db(peak)?),
        None => None,
    };
    Ok(Distortion {
        d: decimal(d),
        epsilon: decimal(budget.whole.distance(norm * norm, evidence.measured())),
        norm: decimal(norm),
        n: evidence.measured().to_string(),
        rmse: decimal(evidence.rmse()?),
        psnr_db: psnr_db.map(decimal),
        max_abs: decimal(evidence.max_abs()),
        coherence: decimal(evidence.coherence()?),
        worst_part: None,
        pieces: None,
        gates: Vec::new(),
    })
}

/// The greatest magnitude of the range that all arrays declare.
fn peak(model: &Model) -> Option<f64> {
    let Model::Signal(signature) = model else { return None };
    let mut peaks = signature.arrays.iter().map(|array| array.peak);
    let first = peaks.next()??;
    peaks.all(|peak| peak == Some(first)).then_some(first)
}

impl Distortion {
    /// The bounds that were checked, with the companions of that on the parts.
    ///
    /// # Errors
    /// A gate of a name that is not known here, which may be a bound of a later version; or a limit that is
    /// no number from 0 on; or no bound, or two, on the whole or on the parts.
    pub fn budget(&self) -> Result<Budget, Malformed> {
        let unexpected =
            |found: &str| Malformed::Unexpected { field: "distortion.gates", found: found.into() };
        let (mut whole, mut part, mut companions) = (None, None, Budget::ZERO);
        let mut known: Vec<&str> = Vec::new();
        for Gate { name, limit, .. } in &self.gates {
            if Measure::named(name).is_some() {
                continue;
            }
            let number = limit.parse::<f64>().ok().filter(|limit| *limit >= 0.0);
            let limit = number.ok_or_else(|| unexpected(&format!("{name}: {limit}")))?;
            let about = match name.as_str() {
                "whole" | "whole-rmse" | "whole-max-abs" => "whole",
                "part" | "part-rmse" | "part-max-abs" => "part",
                name => name,
            };
            if known.contains(&about) {
                return Err(Malformed::Contradiction {
                    what: "distortion.gates hold two bounds on the same",
                });
            }
            known.push(about);
            match name.as_str() {
                "whole" => whole = Some(Bound::Rate(limit)),
                "whole-rmse" => whole = Some(Bound::Rmse(limit)),
                "whole-max-abs" => whole = Some(Bound::MaxAbs(limit)),
                "part" => part = Some(Bound::Rate(limit)),
                "part-rmse" => part = Some(Bound::Rmse(limit)),
                "part-max-abs" => part = Some(Bound::MaxAbs(limit)),
                "part-absolute" => companions.part_distance = limit,
                "part-absolute-rmse" => companions.part_absolute = limit,
                _ => return Err(unexpected(name)),
            }
        }
        let what = "distortion.gates hold no bound on the whole, or none on its parts";
        let (whole, part) = whole.zip(part).ok_or(Malformed::Contradiction { what })?;
        Ok(Budget { whole, part, ..companions })
    }
}
