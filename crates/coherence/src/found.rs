//! Differences: what a certificate states that is not what is found by who reads both sides again, by the
//! rules by which it is made.

use crate::budget::{Bound, Budget};
use crate::certificate::{BuildError, Verdict, decimal};
use crate::claim::equal;
use crate::content::Grid;
use crate::digest::Digest;
use crate::distortion::{self, measured};
use crate::evidence::{self, Evidence};
use crate::part_table::part_table;
use crate::statement::{Content, Distortion, Predicate, Verification, WorstPart};
use crate::verified::{Records, VerifiedWhole};

/// The check that tells of records which are not in the target.
pub const SET_ASIDE: &str = "set-aside";

/// The checks that are known here.
const CHECKS: [&str; 6] =
    ["decode-compare", "count-records", "count-samples", "count-bytes", "partition-rows", SET_ASIDE];

/// What is found of a target and its sources by who reads both again.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// What was measured, cut into the parts that are certified. `None` where both sides have the same
    /// content by rules that let nothing differ: then there is nothing to measure, and nothing is known of
    /// parts.
    pub whole: Option<&'a VerifiedWhole>,
    /// Units of the sources, and records of these that were set aside.
    pub records: Records,
    /// How many partitions the target has, where it is held in such.
    pub partitions: Option<u64>,
    /// Whether the text of every column comes back.
    pub reversible: bool,
    /// The bounds that the certificate states.
    pub budget: &'a Budget,
}

/// Something that a certificate states and that is found to be otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is called in the certificate.
    pub name: &'static str,
    /// What the certificate states; empty where that is nothing.
    pub stated: String,
    /// What was found; empty where that is nothing.
    pub found: String,
}

impl<'a> Found<'a> {
    /// What was measured of a whole that has no partitions, and of which no text is lost.
    pub fn measured(whole: &'a VerifiedWhole, budget: &'a Budget) -> Self {
        Self { whole: Some(whole), records: whole.records(), partitions: None, reversible: true, budget }
    }

    /// The first thing that a certificate states and that is not, to the last digit, what is found.
    ///
    /// # Errors
    /// What was measured has no distance.
    pub fn difference(&self, predicate: &Predicate) -> Result<Option<Difference>, BuildError> {
        let Predicate { content, distortion, verification, .. } = predicate;
        let evidence = match self.whole {
            Some(whole) => whole.evidence().clone(),
            None => equal(grid(content), self.records.counted.saturating_sub(self.records.set_aside)),
        };
        // Every part of equal contents is alike.
        let alike = |worst: &WorstPart| WorstPart { coherence: decimal(1.0), ..worst.clone() };
        let figures = match self.whole {
            Some(whole) => measured(whole, self.budget)?,
            None => Distortion {
                worst_part: distortion.worst_part.as_ref().map(alike),
                ..distortion::of_evidence(&evidence, None, self.budget)?
            },
        };
        let stated = all_figures(distortion).into_iter().chain(self.stated(verification));
        let found = all_figures(&figures).into_iter().chain(self.found(predicate, &evidence)?);
        let pairs = stated.zip(found).map(|((name, stated), (_, found))| Difference { name, stated, found });
        Ok(pairs.into_iter().find(|pair| pair.stated != pair.found))
    }

    /// What a certificate states of its verification, by name.
    fn stated(&self, of: &Verification) -> Vec<(&'static str, String)> {
        let mut stated = vec![
            ("verdict", of.verdict.clone()),
            ("tau.requested", of.tau.requested.clone()),
            ("tau.reached", of.tau.reached.clone()),
        ];
        stated.extend(CHECKS.map(|name| {
            let checks = of.checks.iter().filter(|check| check.name == name);
            let told: Vec<_> = checks.map(|check| format!("{} {}", check.scope, check.result)).collect();
            (name, told.join(", "))
        }));
        if self.whole.is_some() {
            stated.push(("parts.total", of.parts.total.clone()));
            stated.push(("table", of.table.digest.blake3.clone()));
        }
        stated
    }

    /// The same as it is found.
    fn found(
        &self,
        predicate: &Predicate,
        evidence: &Evidence,
    ) -> Result<Vec<(&'static str, String)>, BuildError> {
        let parts = match self.whole {
            Some(whole) => whole.parts().len().to_string(),
            None => predicate.verification.parts.total.clone(),
        };
        let equal = self.whole.is_none_or(VerifiedWhole::is_equal);
        let mut found = vec![
            ("verdict", Verdict::earned(self.records, equal, self.reversible).to_string()),
            ("tau.requested", decimal(requested(evidence, self.budget)?)),
            ("tau.reached", decimal(evidence.coherence()?)),
        ];
        let checks = checks(grid(&predicate.content), &parts, self.records, self.partitions);
        found.extend(CHECKS.map(|name| {
            let check = checks.iter().find(|(known, ..)| *known == name);
            (name, check.map_or_else(String::new, |(_, scope, result)| format!("{scope} {result}")))
        }));
        if let Some(whole) = self.whole {
            found.push(("parts.total", parts));
            found.push(("table", Digest::blake3(&part_table(whole)?).to_string()));
        }
        Ok(found)
    }
}

/// How the units of a content lie on leaves.
fn grid(content: &Content) -> Grid {
    match content {
        Content::Table(table) | Content::Partitioned(table) => Grid::Table { columns: table.type_map.len() },
        Content::Signal(_) => Grid::Signal,
        Content::Bytes(_) => Grid::Bytes,
    }
}

/// What is checked of a content of so many parts: the name of each check, its scope and its result.
pub(crate) fn checks(
    grid: Grid,
    parts: &str,
    Records { counted, set_aside }: Records,
    partitions: Option<u64>,
) -> Vec<(&'static str, String, &'static str)> {
    let count = match grid {
        Grid::Table { .. } => "count-records",
        Grid::Signal => "count-samples",
        Grid::Bytes => "count-bytes",
    };
    let all = |name, count: &str| (name, format!("{count}/{count}"), "PASSED");
    let mut checks = vec![all("decode-compare", parts), all(count, &counted.to_string())];
    checks.extend(partitions.map(|partitions| all("partition-rows", &partitions.to_string())));
    if set_aside > 0 {
        checks.push((SET_ASIDE, format!("{set_aside}/{counted}"), "WARNED"));
    }
    checks
}

/// The least coherence that the bound on the whole leaves to a source of which this was measured.
pub(crate) fn requested(evidence: &Evidence, budget: &Budget) -> Result<f64, BuildError> {
    if let Bound::Rate(rate) = budget.whole {
        return Ok(1.0 - rate);
    }
    let (norm_squared, values) = (evidence.norm_squared()?, evidence.measured());
    let distance = budget.whole.distance(norm_squared, values);
    Ok(evidence::coherence(distance * distance, norm_squared))
}

/// Every figure of a distance, by its name in the certificate.
fn all_figures(of: &Distortion) -> [(&'static str, String); 10] {
    let worst = of.worst_part.as_ref().map(|worst| format!("{}: {}", worst.index, worst.coherence));
    let pieces = of.pieces.as_ref().map(|pieces| {
        let side = pieces.side.as_ref().map_or_else(String::new, |side| format!(", of side {side}"));
        format!("{} of {} samples{side}", pieces.count, pieces.samples)
    });
    [
        ("d", of.d.clone()),
        ("epsilon", of.epsilon.clone()),
        ("norm", of.norm.clone()),
        ("n", of.n.clone()),
        ("rmse", of.rmse.clone()),
        ("psnrDb", of.psnr_db.clone().unwrap_or_default()),
        ("maxAbs", of.max_abs.clone()),
        ("coherence", of.coherence.clone()),
        ("worstPart", worst.unwrap_or_default()),
        ("pieces", pieces.unwrap_or_default()),
    ]
}
