//! Provides the graph of conversions: media types, what each becomes directly, and the cheapest chain where
//! none does.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Catalog, Class, Key, MediaType, Model};

/// Steps of a chain at most: the longest that the types of the program need has four.
const STEPS_MAX: usize = 8;

/// A direct conversion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge<'a> {
    /// What is read.
    pub from: &'a MediaType,
    /// What is written.
    pub to: &'a MediaType,
    /// What survives.
    pub class: Class,
    /// Relative cost for each byte of content.
    pub cost: f64,
}

/// A direct conversion of one type to another; `None` where there is no rule about it.
pub fn edge<'a>(from: &'a MediaType, to: &'a MediaType) -> Option<Edge<'a>> {
    let rule = from.rule_to(to)?;
    // What is written is read back.
    let computed = from.number(Key::DecodeCost) + to.number(Key::EncodeCost) + to.number(Key::DecodeCost);
    Some(Edge { from, to, class: rule.class, cost: rule.cost.unwrap_or(computed) })
}

/// All direct conversions of a type into another one, in the order of the types.
pub fn edges(catalog: &Catalog) -> Vec<Edge<'_>> {
    let types = catalog.types();
    let pairs = types.iter().flat_map(|from| types.iter().map(move |to| (from, to)));
    pairs.filter(|(from, to)| from.name != to.name).filter_map(|(from, to)| edge(from, to)).collect()
}

/// The cheapest chain from one type over others to the last one, in this order; `None` where there is none.
/// Of chains that cost the same the one with fewer steps is taken, and of those the first by the names of its
/// types.
///
/// A chain of one type is a conversion into itself.
pub fn chain<'a>(catalog: &'a Catalog, stops: &[&'a MediaType]) -> Option<Vec<Edge<'a>>> {
    let mut steps = Vec::new();
    for pair in stops.windows(2) {
        steps.extend(shortest(catalog, pair[0], pair[1])?);
    }
    (steps.len() <= STEPS_MAX).then_some(steps)
}

/// A way that was found: cost, and the types after the first.
#[derive(Clone)]
struct Way<'a> {
    cost: f64,
    steps: Vec<Edge<'a>>,
}

impl Way<'_> {
    fn names(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.to.name.as_str()).collect()
    }

    fn is_before(&self, other: &Self) -> bool {
        let by_cost = self.cost.total_cmp(&other.cost);
        let by_steps = self.steps.len().cmp(&other.steps.len());
        by_cost.then(by_steps).then_with(|| self.names().cmp(&other.names())).is_lt()
    }
}

/// Dijkstra's algorithm, over ways instead of nodes so that ties are settled by what a person sees.
fn shortest<'a>(catalog: &'a Catalog, from: &'a MediaType, to: &'a MediaType) -> Option<Vec<Edge<'a>>> {
    if from.name == to.name {
        return edge(from, to).filter(|edge| edge.class != Class::Refused).map(|edge| vec![edge]);
    }
    let mut open = vec![Way { cost: 0.0, steps: Vec::new() }];
    let mut closed: BTreeSet<&str> = BTreeSet::new();
    loop {
        let at = (0..open.len())
            .reduce(|best, next| if open[next].is_before(&open[best]) { next } else { best })?;
        let way = open.swap_remove(at);
        let here = way.steps.last().map_or(from, |step| step.to);
        if here.name == to.name {
            return Some(way.steps);
        }
        if !closed.insert(&here.name) || way.steps.len() >= STEPS_MAX {
            continue;
        }
        for next in catalog.types().iter().filter(|next| !closed.contains(next.name.as_str())) {
            if let Some(step) = edge(here, next).filter(|step| step.class != Class::Refused) {
                let mut steps = way.steps.clone();
                steps.push(step);
                open.push(Way { cost: way.cost + step.cost, steps });
            }
        }
    }
}

/// How an edge of a class is drawn: colour and dashes.
pub(super) fn stroke(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::Reversible => ("#1a7f37", "solid"),
        Class::Exact => ("#0969da", "solid"),
        Class::Bounded => ("#bc4c00", "dashed"),
        Class::Refused => ("#8c959f", "dotted"),
    }
}

/// The graph in the language of Graphviz.
pub fn dot(catalog: &Catalog) -> String {
    let mut out = String::from("digraph isoform {\n  rankdir=LR;\n  node [shape=box];\n");
    for model in Model::ALL {
        // Writing into a string does not fail.
        let _ = writeln!(out, "  subgraph cluster_{} {{\n    label=\"{}\";", model.name(), model.name());
        for media in catalog.types().iter().filter(|media| media.codec.model() == model) {
            let _ =
                writeln!(out, "    \"{}\" [label=\"{}\\n{}\"];", media.name, media.name, media.media_type);
        }
        out.push_str("  }\n");
    }
    for Edge { from, to, class, cost } in edges(catalog) {
        let (colour, style) = stroke(class);
        let _ = writeln!(
            out,
            "  \"{}\" -> \"{}\" [class=\"{}\", label=\"{}\", weight=\"{cost}\", color=\"{colour}\", \
            style={style}];",
            from.name,
            to.name,
            class.name(),
            class.name(),
        );
    }
    out.push_str("}\n");
    out
}
