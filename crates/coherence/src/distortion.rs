//! The figures of a distance, as a certificate has them.

use crate::budget::Budget;
use crate::certificate::{BuildError, decimal};
use crate::content::Model;
use crate::statement::{Distortion, Pieces, WorstPart};
use crate::verified::VerifiedWhole;

/// A figure of a certificate that is another than what is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherFigure {
    /// Its name in the certificate.
    pub name: &'static str,
    /// What the certificate states.
    pub stated: String,
    /// What was measured.
    pub found: String,
}

/// The first figure that a certificate states and that is not, to the last digit, the one of a whole that was
/// measured again, within the budget that the certificate states.
///
/// # Errors
/// The whole has no distance.
pub fn other_figure(
    stated: &Distortion,
    whole: &VerifiedWhole,
    budget: &Budget,
) -> Result<Option<OtherFigure>, BuildError> {
    fn figures(of: &Distortion) -> [(&'static str, String); 10] {
        let worst = of.worst_part.as_ref();
        let pieces = of.pieces.as_ref().map(|pieces| (&pieces.samples, &pieces.count, &pieces.side));
        [
            ("d", of.d.clone()),
            ("epsilon", of.epsilon.clone()),
            ("norm", of.norm.clone()),
            ("n", of.n.clone()),
            ("rmse", of.rmse.clone()),
            ("psnrDb", of.psnr_db.clone().unwrap_or_default()),
            ("maxAbs", of.max_abs.clone()),
            ("coherence", of.coherence.clone()),
            (
                "worstPart",
                worst.map_or_else(String::new, |worst| format!("{}: {}", worst.index, worst.coherence)),
            ),
            ("pieces", pieces.map_or_else(String::new, |pieces| format!("{pieces:?}"))),
        ]
    }
    let found = measured(whole, budget)?;
    let pairs = figures(stated).into_iter().zip(figures(&found));
    let other = pairs.map(|((name, stated), (_, found))| OtherFigure { name, stated, found });
    Ok(other.into_iter().find(|figure| figure.stated != figure.found))
}

/// What was measured of a whole, and what a budget leaves to it; its bounds are not among that.
pub(crate) fn measured(whole: &VerifiedWhole, budget: &Budget) -> Result<Distortion, BuildError> {
    let evidence = whole.evidence();
    let (d, norm) = (evidence.d_squared()?.sqrt(), evidence.norm_squared()?.sqrt());
    let pieces = whole.pieces().map(|pieces| Pieces {
        samples: pieces.samples().to_string(),
        count: pieces.count().to_string(),
        side: pieces.tiles().map(|(tiles, _)| tiles.side().to_string()),
    });
    let psnr_db = match peak(whole.model()) {
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
        worst_part: whole
            .least()?
            .map(|(index, least)| WorstPart { index: index.to_string(), coherence: decimal(least) }),
        pieces,
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
