//! Allocation: which option each part takes, so that the whole costs least within a bound on the sum of
//! squared distances.
//!
//! The programme min Σ cost s.t. Σ d² ≤ D is relaxed with a multiplier λ, the price of one unit of squared
//! distance: each part takes the option with the least cost + λ·d². As λ rises from 0, parts walk along the
//! lower convex hulls of their options, one step at a time and the cheapest step first, until the bound is
//! kept (Shoham and Gersho, Efficient bit allocation for an arbitrary set of quantizers, 1988).

use thiserror::Error;

/// What a part may be made of: what that costs, and what it loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Cost, in the unit of the job: bytes, seconds or credits.
    pub cost: f64,
    /// Squared distance to the source; for a choice that somebody vouches for, with what the doubt costs.
    pub d_squared: f64,
}

/// An allocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Allocation {
    /// Index of the choice of each part.
    pub chosen: Vec<usize>,
    /// Sum of the costs.
    pub cost: f64,
    /// Sum of the squared distances.
    pub d_squared: f64,
    /// The price of coherence: cost of one unit of squared distance at the margin; 0 where the bound does not
    /// bind.
    pub lambda: f64,
    /// By how much the cost may be above the least possible one.
    pub gap: f64,
}

/// Options among which no allocation keeps the bound.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Infeasible {
    /// A part has no choice at all.
    #[error("part {part} has no option that keeps its floor")]
    Part {
        /// Index of the part.
        part: usize,
    },
    /// The best that there is of every part loses too much.
    #[error("the best options are at a squared distance of {least} where {bound} is allowed")]
    Bound {
        /// The least squared distance that can be reached.
        least: f64,
        /// The bound.
        bound: f64,
    },
    /// A cost or distance is negative or not finite.
    #[error("an option of part {part} has a cost or distance that is no number from 0 on")]
    Number {
        /// Index of the part.
        part: usize,
    },
}

/// A step of one part along its hull: the next choice, and what it costs to lose less.
#[derive(Clone, Copy, Debug)]
struct Step {
    part: usize,
    choice: usize,
    /// Squared distance that the step removes.
    gain: f64,
    /// What a unit of it costs.
    price: f64,
}

/// Finds a choice for every part that keeps Σ d² within `bound` and costs at most the optimum plus the
/// largest step between neighbouring points of one part's hull.
pub fn allocate(parts: &[Vec<Choice>], bound: f64) -> Result<Allocation, Infeasible> {
    let mut hulls = Vec::with_capacity(parts.len());
    for (part, choices) in parts.iter().enumerate() {
        let number = |value: f64| value.is_finite() && value >= 0.0;
        if !choices.iter().all(|choice| number(choice.cost) && number(choice.d_squared)) {
            return Err(Infeasible::Number { part });
        }
        let hull = hull(choices);
        if hull.is_empty() {
            return Err(Infeasible::Part { part });
        }
        hulls.push(hull);
    }
    let mut chosen: Vec<usize> = hulls.iter().map(|hull| hull[0]).collect();
    let mut steps = Vec::new();
    for (part, hull) in hulls.iter().enumerate() {
        let mut price: f64 = 0.0;
        for pair in hull.windows(2) {
            let (from, to) = (parts[part][pair[0]], parts[part][pair[1]]);
            let gain = from.d_squared - to.d_squared;
            // Prices rise along a hull; where rounding says otherwise, they stay.
            price = price.max((to.cost - from.cost) / gain);
            steps.push(Step { part, choice: pair[1], gain, price });
        }
    }
    // The order is stable: the steps of a part stay in their order, and equal prices are taken in the order
    // of parts, one at a time.
    steps.sort_by(|a, b| a.price.total_cmp(&b.price));
    let (mut lambda, mut d_squared) = (0.0, total(parts, &chosen).d_squared);
    for step in &steps {
        // The running sum rounds on its way; the sum over all parts decides.
        if d_squared <= bound && total(parts, &chosen).d_squared <= bound {
            break;
        }
        chosen[step.part] = step.choice;
        d_squared -= step.gain;
        lambda = step.price;
    }
    let Choice { cost, d_squared } = total(parts, &chosen);
    // NaN is within no bound.
    let within = d_squared <= bound;
    if !within {
        return Err(Infeasible::Bound { least: d_squared, bound });
    }
    // Whatever keeps the bound costs at least the least of cost + λ·(d² − bound).
    let least = |choices: &Vec<Choice>| {
        choices.iter().map(|c| c.cost + lambda * c.d_squared).fold(f64::INFINITY, f64::min)
    };
    let dual = parts.iter().map(least).sum::<f64>() - lambda * bound;
    Ok(Allocation { chosen, cost, d_squared, lambda, gap: (cost - dual).max(0.0) })
}

fn total(parts: &[Vec<Choice>], chosen: &[usize]) -> Choice {
    let picked = parts.iter().zip(chosen).map(|(choices, index)| choices[*index]);
    picked.fold(Choice { cost: 0.0, d_squared: 0.0 }, |sum, choice| Choice {
        cost: sum.cost + choice.cost,
        d_squared: sum.d_squared + choice.d_squared,
    })
}

/// The choices on the lower convex hull, from the cheapest to the one that loses least.
fn hull(choices: &[Choice]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..choices.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (choices[*a], choices[*b]);
        a.cost.total_cmp(&b.cost).then(a.d_squared.total_cmp(&b.d_squared))
    });
    let mut hull: Vec<usize> = Vec::new();
    for next in order {
        let point = choices[next];
        // Whoever costs more must lose less.
        if hull.last().is_some_and(|last| point.d_squared >= choices[*last].d_squared) {
            continue;
        }
        while let [.., before, last] = hull.as_slice()
            && bends_down(choices[*before], choices[*last], point)
        {
            hull.pop();
        }
        hull.push(next);
    }
    hull
}

/// Whether the step from `b` to `c` costs less for what it gains than the step from `a` to `b`: then `b` is
/// on no hull.
fn bends_down(a: Choice, b: Choice, c: Choice) -> bool {
    (b.cost - a.cost) * (b.d_squared - c.d_squared) > (c.cost - b.cost) * (a.d_squared - b.d_squared)
}
