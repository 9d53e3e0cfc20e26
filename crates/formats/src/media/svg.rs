//! Provides the drawing of the graph of conversions: a band for each model, what all types of a band share
//! drawn once, and every other conversion as a line of its own.

use std::fmt::Write;

use super::graph::{Edge, edges, stroke};
use super::{Catalog, Class, MediaType, Model};

/// Pixels: of a node, between nodes, of a band, at the edges.
const NODE: (usize, usize) = (112, 34);
const GAP: usize = 14;
const BAND: usize = 190;
const MARGIN: usize = 24;
/// Pixels of a band above its nodes.
const CAPTION: usize = 44;

/// Characters of a name that fit into its node.
const LABEL_CHARS: usize = 15;

/// A type and where it is drawn.
struct Node<'a> {
    media: &'a MediaType,
    x: usize,
    y: usize,
}

impl Node<'_> {
    fn middle(&self) -> usize {
        self.x + NODE.0 / 2
    }
}

/// The graph as an SVG. The same types give the same bytes.
pub fn svg(catalog: &Catalog) -> String {
    let bands: Vec<Vec<Node<'_>>> = Model::ALL.iter().enumerate().map(|band| placed(catalog, band)).collect();
    let widest = bands.iter().map(Vec::len).max().unwrap_or(1);
    let width = (2 * MARGIN + widest * (NODE.0 + GAP)).max(640);
    let height = 2 * MARGIN + bands.len() * BAND + 20;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 \
        {width} \
         {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>What becomes what</title>\n<rect \
         width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let all = edges(catalog);
    let mut shared = Vec::new();
    for (index, model) in Model::ALL.into_iter().enumerate() {
        let class = common(catalog, &all, model, model);
        let told = class.map_or(String::new(), |class| format!(": each becomes each, {}", class.name()));
        let y = MARGIN + index * BAND;
        let (fill, inner) = ("#f6f8fa", width - 2 * MARGIN);
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{inner}\" height=\"110\" rx=\"8\" \
            fill=\"{fill}\"/>\n<text \
             x=\"{}\" y=\"{}\" font-weight=\"bold\">{}{told}</text>",
            MARGIN + 12,
            y + 24,
            model.name()
        );
        for other in Model::ALL.into_iter().filter(|other| *other != model) {
            if let Some(class) = common(catalog, &all, model, other) {
                shared.push((model, other, class));
            }
        }
    }
    for (from, to, class) in &shared {
        between_bands(&mut out, width, (*from, *to), *class);
    }
    let nodes: Vec<&Node<'_>> = bands.iter().flatten().collect();
    for edge in &all {
        let (from, to) = (edge.from.codec.model(), edge.to.codec.model());
        let within = from == to && common(catalog, &all, from, to).is_some();
        if !within && !shared.iter().any(|(a, b, _)| (*a, *b) == (from, to)) {
            line(&mut out, &nodes, edge);
        }
    }
    for node in nodes {
        let (x, y, middle) = (node.x, node.y, node.middle());
        let label: String = node.media.name.chars().take(LABEL_CHARS).collect();
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"5\" \
            fill=\"#ffffff\" \
             stroke=\"#57606a\"/><text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{label}</text></g>",
            node.media.media_type,
            NODE.0,
            NODE.1,
            y + 21
        );
    }
    legend(&mut out, height);
    out.push_str("</svg>\n");
    out
}

fn placed<'a>(catalog: &'a Catalog, (index, model): (usize, &Model)) -> Vec<Node<'a>> {
    let of_model = catalog.types().iter().filter(|media| media.codec.model() == *model);
    let y = MARGIN + index * BAND + CAPTION;
    of_model
        .enumerate()
        .map(|(at, media)| Node { media, x: MARGIN + GAP / 2 + at * (NODE.0 + GAP), y })
        .collect()
}

/// The class of all conversions of one model to another, where all types convert and alike.
fn common(catalog: &Catalog, all: &[Edge<'_>], from: Model, to: Model) -> Option<Class> {
    let count = |model: Model| catalog.types().iter().filter(|media| media.codec.model() == model).count();
    let wanted = if from == to { count(from) * (count(from).max(1) - 1) } else { count(from) * count(to) };
    let found = all.iter().filter(|edge| edge.from.codec.model() == from && edge.to.codec.model() == to);
    let classes: Vec<Class> = found.map(|edge| edge.class).collect();
    let first = *classes.first()?;
    (classes.len() == wanted && classes.iter().all(|class| *class == first)).then_some(first)
}

/// An arrow along the right side, from one band to another.
fn between_bands(out: &mut String, width: usize, (from, to): (Model, Model), class: Class) {
    let place = |model: Model| Model::ALL.iter().position(|other| *other == model).unwrap_or(0);
    let down = place(to) > place(from);
    let x = if down { width - 90 } else { width - 170 };
    let (start, end) = match down {
        true => (MARGIN + place(from) * BAND + 110, MARGIN + place(to) * BAND),
        false => (MARGIN + place(from) * BAND, MARGIN + place(to) * BAND + 110),
    };
    let (colour, dashes) = drawn(class);
    let (tip, side) = if down { (end - 8, end) } else { (end + 8, end) };
    let _ = writeln!(
        out,
        "<line x1=\"{x}\" y1=\"{start}\" x2=\"{x}\" y2=\"{tip}\" stroke=\"{colour}\" \
        stroke-width=\"4\"{dashes}/>\n\
         <path d=\"M{} {tip} L{} {tip} L{x} {side} Z\" fill=\"{colour}\"/>\n<text x=\"{}\" y=\"{}\" \
         fill=\"{colour}\">{}</text>",
        x - 7,
        x + 7,
        x + 10,
        (start + end) / 2 + 4,
        class.name()
    );
}

/// A line from one type to another; within a band an arc below it.
fn line(out: &mut String, nodes: &[&Node<'_>], edge: &Edge<'_>) {
    let find = |media: &MediaType| nodes.iter().find(|node| node.media.name == media.name);
    let (Some(from), Some(to)) = (find(edge.from), find(edge.to)) else { return };
    let (colour, dashes) = drawn(edge.class);
    let (start, end) = match from.y.cmp(&to.y) {
        std::cmp::Ordering::Less => (from.y + NODE.1, to.y),
        std::cmp::Ordering::Greater => (from.y, to.y + NODE.1),
        std::cmp::Ordering::Equal => (from.y + NODE.1, to.y + NODE.1),
    };
    let bend = if from.y == to.y { start + 36 } else { (start + end) / 2 };
    let (x1, x2) = (from.middle() - 8, to.middle() + 8);
    let _ = writeln!(
        out,
        "<path d=\"M{x1} {start} C{x1} {bend} {x2} {bend} {x2} {end}\" fill=\"none\" \
         stroke=\"{colour}\"{dashes}><title>{} → {}: {}</title></path>\n<circle cx=\"{x2}\" cy=\"{end}\" \
         r=\"3\" \
         fill=\"{colour}\"/>",
        edge.from.name,
        edge.to.name,
        edge.class.name()
    );
}

fn legend(out: &mut String, height: usize) {
    let y = height - 16;
    for (index, class) in Class::ALL.into_iter().enumerate() {
        let x = MARGIN + index * 140;
        let (colour, dashes) = drawn(class);
        let (end, text, low) = (x + 36, x + 44, y + 4);
        let name = class.name();
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\" stroke=\"{colour}\" \
             stroke-width=\"2\"{dashes}/><text x=\"{text}\" y=\"{low}\">{name}</text>"
        );
    }
}

/// Colour of a class, and the attribute for its dashes.
fn drawn(class: Class) -> (&'static str, &'static str) {
    let (colour, style) = stroke(class);
    let dashes = match style {
        "dashed" => " stroke-dasharray=\"6 4\"",
        "dotted" => " stroke-dasharray=\"2 3\"",
        _ => "",
    };
    (colour, dashes)
}
