//! Provides the division of a budget over the steps of a chain (law T5).

use coherence::budget::{Bound, Budget};
use coherence::evidence::ColumnEvidence;
use coherence::signal::{APPROXIMATE_RULES, SignalComparison, evidence};
use formats::image::Image;

use super::Step;
use crate::failure::{Failure, Result, untold};
use crate::report::distance;

/// A budget, and what is left of it.
#[derive(Debug, Clone)]
pub struct Split {
    budget: Option<Budget>,
    /// The part of the budget that was given to steps.
    given: f64,
    /// Squared norm and number of the values of the source, once a step had to know them.
    source: Option<(f64, u64)>,
}

impl Split {
    /// A budget for a chain.
    pub fn new(budget: Option<Budget>) -> Self {
        Self { budget, given: 0.0, source: None }
    }

    /// Whether anything may be lost.
    pub fn has_budget(&self) -> bool {
        self.budget.is_some()
    }

    /// Takes a step whose result is fixed, by what was found of each of its arrays: it gets what it needs.
    ///
    /// # Errors
    /// It needs more than is left; nothing may be lost; values became symbols.
    pub fn fixed<'a>(&mut self, found: impl Iterator<Item = &'a ColumnEvidence>) -> Result<Step> {
        let (mut sums, mut max_abs, mut symbols) = ([0.0; 2], 0f64, 0);
        let mut values = 0;
        for evidence in found {
            let d_squared = evidence.d_squared().map_err(untold)?;
            // Arrays that are equal take no part in the distance, unless they could have differed.
            sums = [sums[0] + d_squared, sums[1] + evidence.norm_squared().map_err(untold)?];
            max_abs = max_abs.max(evidence.max_abs);
            symbols += evidence.symbols_differing;
            values += evidence.cells;
        }
        let source = *self.source.get_or_insert((sums[1], values));
        let d = sums[0].sqrt();
        if symbols > 0 {
            return Err(Failure::Mismatch(format!(
                "{symbols} samples are beyond what it holds; nothing was written: take another sample type"
            )));
        }
        let Some(budget) = self.budget else {
            return match d == 0.0 {
                true => Ok(Step { share: 0.0, d }),
                false => Err(Failure::Mismatch(format!(
                    "it loses something (d = {}), and --within exact lets nothing be lost; nothing was \
                     written: give a budget such as --within coherence=0.99, or lead over a type that holds \
                     every sample",
                    distance(d)
                ))),
            };
        };
        let share = match budget.whole {
            Bound::MaxAbs(_) if max_abs == 0.0 => 0.0,
            Bound::MaxAbs(most) => max_abs / most,
            bound if d > 0.0 => d / bound.distance(source.0, source.1),
            _ => 0.0,
        };
        self.give(share)?;
        Ok(Step { share, d })
    }

    /// The share of the next step that searches within its budget, and that budget: of what is left, an even
    /// part where so many steps, this one among them, may yet lose something.
    pub fn searching(&mut self, image: &Image, open: usize) -> Result<Option<(f64, Budget)>> {
        if self.source.is_none() {
            let mut comparison = SignalComparison::new(image.sample, APPROXIMATE_RULES[0]);
            comparison.push(&image.samples, &image.samples).map_err(untold)?;
            let found = evidence(APPROXIMATE_RULES, comparison.evidence);
            self.source = Some((found.norm_squared().map_err(untold)?, found.rows));
        }
        let share = (1.0 - self.given) / open.max(1) as f64;
        self.give(share)?;
        Ok(self.scaled(share).map(|budget| (share, budget)))
    }

    /// The same of the step into the target, which has all that is left.
    pub fn last(&self) -> Result<Option<(f64, Budget)>> {
        let left = 1.0 - self.given;
        if self.budget.is_some() && left <= 0.0 {
            return Err(self.spent());
        }
        Ok(self.scaled(left).map(|budget| (left, budget)))
    }

    fn give(&mut self, share: f64) -> Result<()> {
        self.given += share;
        // What rounding adds is no excess.
        if self.given.is_nan() || self.given > 1.0 + 1e-9 { Err(self.spent()) } else { Ok(()) }
    }

    fn spent(&self) -> Failure {
        Failure::Mismatch(format!(
            "the steps need {:.3} times what --within allows the whole, so nothing is promised of it (the \
             distance of a chain is at most the sum of those of its steps); nothing was written: take a \
             wider budget, or steps that lose less",
            self.given
        ))
    }

    /// A share of the budget. A rate is one of the source, and not of what has become of it.
    fn scaled(&self, share: f64) -> Option<Budget> {
        let budget = self.budget?;
        if share >= 1.0 {
            return Some(budget);
        }
        let part = |bound| match bound {
            Bound::Rate(rate) => Bound::Rate(rate * share),
            Bound::Rmse(most) => Bound::Rmse(most * share),
            Bound::MaxAbs(most) => Bound::MaxAbs(most * share),
        };
        let whole = match (budget.whole, self.source) {
            (Bound::Rate(_), Some((norm_squared, values))) if values > 0 => {
                Bound::Rmse(budget.whole.distance(norm_squared, values) * share / (values as f64).sqrt())
            }
            (bound, _) => part(bound),
        };
        let part_absolute = budget.part_absolute * share;
        Some(Budget { whole, part: part(budget.part), part_absolute, ..budget })
    }
}

/// A share of a budget, as budgets are spelled.
pub fn share_text(within: &str, share: f64) -> String {
    let told = |text: &str| {
        let (kind, value) = text.split_once('=')?;
        let value: f64 = value.parse().ok()?;
        let scaled = match kind {
            "coherence" => 1.0 - (1.0 - value) * share,
            "snr" | "psnr" => value - 20.0 * share.log10(),
            "rmse" | "max-error" => value * share,
            _ => return None,
        };
        Some(format!("{kind}={scaled}"))
    };
    within.split(',').find_map(told).unwrap_or_else(|| format!("{share} of {within}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coherence::evidence::ColumnRule;
    use coherence::sample::SampleType;
    use formats::image::Channels;

    fn evidence_of(left: &[f32], right: &[f32]) -> ColumnEvidence {
        let bytes = |side: &[f32]| side.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let mut comparison = SignalComparison::new(SampleType::F32, ColumnRule::Numeric { scale: 1.0 });
        comparison.push(&bytes(left), &bytes(right)).unwrap();
        comparison.evidence
    }

    #[test]
    fn what_a_fixed_step_needs_is_taken_from_the_budget() {
        let mut split = Split::new(Some(Budget::within(Bound::Rate(0.1))));
        // The norm is 5, so the budget is a distance of 0.5, of which 0.1 is a fifth.
        let step = split.fixed([evidence_of(&[3.0, 4.0], &[3.0, 4.1])].iter()).unwrap();
        assert!((step.share - 0.2).abs() < 1e-6 && (step.d - 0.1).abs() < 1e-6);
        let (left, budget) = split.last().unwrap().unwrap();
        assert!((left - 0.8).abs() < 1e-6);
        // A rate of another step would be one of another norm: what is left is a distance of 0.4.
        let Bound::Rmse(most) = budget.whole else { panic!("{budget:?}") };
        assert!((most * 2f64.sqrt() - 0.4).abs() < 1e-6);
    }

    /// What divides a budget over a chain: the share of each step whose result is fixed and needs so much of
    /// it, and that of the step into the target. `None` where they need more than there is.
    type Divide = fn(&[f32]) -> Option<Vec<f64>>;

    /// The largest error of a step by the budget, which is 1.
    fn by_split(needs: &[f32]) -> Option<Vec<f64>> {
        let mut split = Split::new(Some(Budget::within(Bound::MaxAbs(1.0))));
        let fixed = needs.iter().map(|need| split.fixed([evidence_of(&[0.0], &[*need])].iter()));
        let mut shares: Vec<f64> = fixed.map(|step| Some(step.ok()?.share)).collect::<Option<_>>()?;
        shares.push(split.last().ok()??.0);
        Some(shares)
    }

    /// T5 as a law of what divides: if every step keeps its share of the budget, which those that are fixed
    /// do, the whole keeps it, also where all steps err to the same side.
    fn keeps_the_whole(divide: Divide) -> bool {
        let chains: [&[f32]; 6] = [&[], &[0.25], &[0.5, 0.25], &[0.75, 0.5], &[0.125; 4], &[1.0, 0.5]];
        chains.into_iter().filter_map(|needs| Some((needs, divide(needs)?))).all(|(needs, shares)| {
            let kept = needs.iter().zip(&shares).all(|(need, share)| f64::from(*need) <= share + 1e-6);
            kept && shares.iter().sum::<f64>() <= 1.0 + 1e-6
        })
    }

    #[test]
    fn t5_shares_of_a_budget_are_the_whole() {
        assert!(keeps_the_whole(by_split) && by_split(&[0.5, 0.25]).is_some_and(|shares| shares[2] > 0.2));
        assert_eq!(by_split(&[0.75, 0.5]), None, "more than there is");
        // Every step has all of it.
        assert!(!keeps_the_whole(|needs| Some(vec![1.0; needs.len() + 1])));
        // The last one has what would be left if squares added up.
        assert!(!keeps_the_whole(|needs| {
            let mut shares: Vec<f64> = needs.iter().copied().map(f64::from).collect();
            let left = 1.0 - shares.iter().map(|share| share * share).sum::<f64>();
            shares.push((left > 0.0).then(|| left.sqrt())?);
            Some(shares)
        }));
        // Nobody adds up what was given: each fixed step is held against the whole alone.
        assert!(!keeps_the_whole(|needs| {
            let mut shares: Vec<f64> = needs.iter().copied().map(f64::from).collect();
            shares.push(1.0 - shares.last().unwrap_or(&0.0));
            Some(shares)
        }));
    }

    #[test]
    fn steps_that_search_divide_what_is_left() {
        let (width, height, channels, sample) = (2, 1, Channels::Gray, SampleType::F32);
        let (samples, attributes, ignored) = (vec![0; 8], Vec::new(), Vec::new());
        let image = Image { width, height, channels, sample, samples, attributes, ignored, declared: None };
        let mut split = Split::new(Some(Budget::within(Bound::Rmse(1.0))));
        let (share, budget) = split.searching(&image, 2).unwrap().unwrap();
        assert_eq!((share, budget.whole), (0.5, Bound::Rmse(0.5)));
        // What narrows behind it finds the other half.
        assert_eq!(split.last().unwrap().unwrap().0, 0.5);
        split.searching(&image, 1).unwrap();
        assert!(split.last().is_err(), "a search that nothing follows takes all");
    }

    #[test]
    fn steps_that_need_more_than_there_is_are_refused() {
        let mut split = Split::new(Some(Budget::within(Bound::MaxAbs(0.15))));
        let found = [evidence_of(&[3.0, 4.0], &[3.0, 4.1])];
        assert!(split.fixed(found.iter()).unwrap().share > 0.6);
        assert!(split.fixed(found.iter()).unwrap_err().to_string().contains("times what --within allows"));
        let mut exact = Split::new(None);
        assert!(exact.fixed(found.iter()).unwrap_err().to_string().contains("give a budget"));
        assert_eq!(exact.fixed([evidence_of(&[1.0], &[1.0])].iter()).unwrap(), Step { share: 0.0, d: 0.0 });
        let mut wide = Split::new(Some(Budget::within(Bound::Rate(1.0))));
        let beyond = [evidence_of(&[1.0], &[f32::INFINITY])];
        assert!(wide.fixed(beyond.iter()).unwrap_err().to_string().contains("beyond what it holds"));
    }

    #[test]
    fn shares_are_spelled_like_budgets() {
        assert_eq!(share_text("coherence=0.75", 0.5), "coherence=0.875");
        assert_eq!(share_text("rmse=4", 0.25), "rmse=1");
        assert_eq!(share_text("snr=40", 0.1), "snr=60");
        assert_eq!(share_text("ssimulacra2=80,psnr=40", 0.1), "psnr=60");
    }
}
