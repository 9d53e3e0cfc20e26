//! Provides chains of conversions: which types a content has on its way where no rule leads there directly.

use std::path::{Path, PathBuf};

use ::formats::file::ObjectFile;
use ::formats::image::ImageFormat;
use ::formats::media::{self, Class, Codec, Edge, MediaType, catalog, chain as cheapest};
use ::formats::recognise::detect;
use ::formats::registry::{Format, Wrapping};
use ::formats::signal::{Encoding, SignalFormat};
use ::formats::write::WriteOptions;
use serde_json::{Map, Value, json};

use super::{image, options};
use crate::cli::{Convert, Reading};
use crate::failure::{Failure, Result};
use crate::local::media::class_within;
use crate::local::standard::{is_pipe, is_plain_file};
use crate::local::via::Stop;
use crate::report;

/// What a source is that is no container of arrays: an image or a table, as was said or as its bytes and its
/// name tell; of a pipe, its name alone.
pub fn source_of(path: &Path, said: Option<&str>) -> Result<Option<Codec>> {
    if let Some(name) = said {
        let codec = catalog().named(name).map(|media| media.codec);
        return Ok(codec.filter(|codec| !matches!(codec, Codec::Bytes(_))));
    }
    if is_pipe(path) {
        let table = || Format::of_name(path).map(|(format, _)| Codec::Table(format));
        return Ok(image::of_name(path).map(Codec::Image).or_else(table));
    }
    if !is_plain_file(path) {
        return Ok(None);
    }
    let file = ObjectFile::open(path)?;
    if let Some(format) = ImageFormat::of_file(&file)? {
        return Ok(Some(Codec::Image(format)));
    }
    // What is named as an image and does not begin as one is damaged, whatever else it begins as.
    if image::of_name(path).is_some() {
        return Ok(None);
    }
    Ok(detect(&file, None).ok().map(|(format, _)| Codec::Table(format)))
}

/// The types on the way from a source to a target: the wrapping that a text is in, its own type, and those
/// that the graph of conversions leads over.
pub fn chain(
    source: &Path,
    (from, to): (&'static MediaType, &'static MediaType),
    via: &[Stop],
    approximate: bool,
) -> Result<Vec<Edge<'static>>> {
    let mut stops = vec![from];
    stops.extend(via.iter().map(|stop| stop.media));
    stops.push(to);
    if let Codec::Table(format) = from.codec
        && format.is_text()
        && let Some(wrapped) = wrapping(source, format)?
    {
        stops.insert(0, Codec::Bytes(wrapped).media());
    }
    let direct = stops.len() == 2 && from.rule_to(to).is_some();
    if direct || !to.codec.is_written() {
        class_within(from, to, approximate)?;
    }
    let found = cheapest(catalog(), &stops).filter(|steps| !steps.is_empty());
    let steps = found.ok_or_else(|| {
        let (ours, theirs) = (&from.name, &to.name);
        Failure::Usage(format!(
            "{}: there is no chain of conversions from {ours} to {theirs}; see isoform formats --graph",
            source.display()
        ))
    })?;
    // A budget is for a step that may lose something, wherever it stands.
    let bounded = steps.iter().rfind(|step| step.class == Class::Bounded);
    if let Some(step) = bounded.filter(|_| !via.is_empty()).or(steps.last()) {
        class_within(step.from, step.to, approximate)?;
    }
    Ok(steps)
}

/// The types that a person asks the content to be led over.
///
/// # Errors
/// A name that is none; a wrapping; a sample type that a type does not hold, or that may lose something where
/// nobody said how much.
pub fn stops(args: &Convert) -> Result<Vec<Stop>> {
    let usage = |text: &str, what: &str| Failure::Usage(format!("--via {text}: {what}"));
    let stop = |text: &String| {
        let (name, sample) = match text.split_once(':') {
            None => (text.as_str(), None),
            Some((name, sample)) => (name, Some(sample)),
        };
        let media = catalog().named(name).ok_or_else(|| usage(text, "is no type; see isoform formats"))?;
        let encoding = sample.map(str::parse::<Encoding>).transpose();
        let encoding = encoding.map_err(|error| usage(text, &error.to_string()))?;
        let stop = Stop { media, encoding };
        match (media.codec, stop.asked()) {
            (Codec::Bytes(_), _) => {
                let what =
                    "is a wrapping of bytes, which is taken off before; name what is inside, or nothing";
                Err(usage(text, what))
            }
            (Codec::Arrays(format), _) if format.is_coded() => {
                Err(usage(text, "is coded from its first sample to its last, and can be no step on the way"))
            }
            (Codec::Arrays(format), Some(_)) if format.is_sound() => {
                Err(usage(text, "is a sound, whose sample type is chosen for the target alone"))
            }
            (Codec::Arrays(format), Some(encoding)) if !format.holds(encoding) => {
                Err(usage(text, "does not hold samples of this type"))
            }
            (Codec::Arrays(_), Some(_)) if args.within.is_none() => Err(usage(
                text,
                "may lose something, and nobody said how much; add a budget such as --within coherence=0.99, \
                 or --within exact to fail unless nothing is lost",
            )),
            (Codec::Arrays(_), _) | (_, None) => Ok(stop),
            _ => Err(usage(text, "is no container of arrays, and only these have sample types to choose")),
        }
    };
    args.via.iter().map(stop).collect()
}

/// Refuses steps that a conversion into a table cannot take; gives the containers of arrays among them, and
/// how tables are written in the others.
pub fn table_stops(stops: &[Stop], from_arrays: bool) -> Result<(Vec<SignalFormat>, Vec<WriteOptions>)> {
    let usage = |stop: &Stop, what: &str| {
        Err(Failure::Usage(format!("--via {}: {what}; leave it away", stop.media.name)))
    };
    let (mut arrays, mut tables) = (Vec::new(), Vec::new());
    for stop in stops {
        match (stop.media.codec, stop.written()) {
            (_, Some(options)) => tables.push(options),
            _ if stop.asked().is_some() => {
                return usage(stop, "a sample type may lose something, and tables are converted exactly");
            }
            (Codec::Arrays(format), _) if from_arrays && tables.is_empty() && !format.is_sound() => {
                arrays.push(format);
            }
            _ => return usage(stop, "a table becomes a table over other tables, and arrays one over arrays"),
        }
    }
    Ok((arrays, tables))
}

/// How a text is wrapped.
fn wrapping(source: &Path, format: Format) -> Result<Option<Wrapping>> {
    if !source.is_file() {
        return Ok(None);
    }
    let wrapping = detect(&ObjectFile::open(source)?, Some(format))?.1;
    Ok(Some(wrapping).filter(|wrapping| *wrapping != Wrapping::Raw))
}

/// The steps of a chain with what each may lose: by law T5 the distance of the whole is at most the sum of
/// those of its steps, and only the last step of these chains may lose anything, so it has the whole budget.
pub fn steps(chain: &[Edge<'_>], within: &str) -> Vec<Value> {
    let last = chain.len().saturating_sub(1);
    let step = |(index, edge): (usize, &Edge<'_>)| {
        let lossy = index == last && edge.class == Class::Bounded;
        let within = if lossy { within } else { "exact" };
        json!({
            "from": edge.from.media_type,
            "to": edge.to.media_type,
            "class": class(edge.class, within),
            "within": within,
        })
    };
    chain.iter().enumerate().map(step).collect()
}

/// The class of a step whose rule has this one: nothing differs in one that has no budget, whatever the rule
/// lets.
fn class(of_rule: Class, within: &str) -> &'static str {
    match (within, of_rule) {
        ("exact", Class::Reversible) => Class::Reversible.name(),
        ("exact", _) => Class::Exact.name(),
        _ => Class::Bounded.name(),
    }
}

/// A chain with what its steps did, where that is known: `taken` holds those that a person named and the
/// last. A step that has a share of the budget is one that may lose something, whatever the rule says of
/// samples that stay what they are.
pub fn taken(chain: &[Edge<'_>], within: &str, taken: &[Value]) -> Vec<Value> {
    let mut steps = steps(chain, within);
    let mut from = 0;
    for told in taken {
        let Some(at) = steps.iter().skip(from).position(|step| step["to"] == told["to"]) else { continue };
        let step = &mut steps[from + at];
        let rule = chain[from + at].class;
        step["class"] = json!(class(rule, told["within"].as_str().unwrap_or("exact")));
        step["within"] = told["within"].clone();
        if let Some(d) = told.get("d") {
            step["d"] = d.clone();
        }
        from += at + 1;
    }
    steps
}

/// The types that a person named, as a certificate records them.
pub fn record_via(parameters: &mut Map<String, Value>, args: &Convert) {
    if !args.via.is_empty() {
        parameters.insert("via".to_owned(), json!(args.via));
    }
}

/// Adds a chain of several steps to what a certificate records.
pub fn record(parameters: &mut Map<String, Value>, chain: &[Edge<'_>]) {
    if chain.len() > 1 {
        let within = parameters.get("within").and_then(Value::as_str).unwrap_or("exact").to_owned();
        parameters.insert("chain".to_owned(), json!(steps(chain, &within)));
    }
}

/// A line that tells a chain of several steps, each with its class and its share of the budget.
pub fn line(chain: &[Edge<'_>], within: &str, done: &[Value]) -> Option<String> {
    let first = chain.first().filter(|_| chain.len() > 1)?;
    let mut text = format!("  by way of {}", first.from.name);
    for (edge, step) in chain.iter().zip(taken(chain, within, done)) {
        let class = step["class"].as_str().unwrap_or_default();
        let told = match step["within"].as_str() {
            None | Some("exact") => class.to_owned(),
            Some(budget) => format!("{class}, within {budget}"),
        };
        let lost = step["d"].as_str().and_then(|d| d.parse::<f64>().ok()).filter(|d| *d > 0.0);
        let told = lost.map_or(told.clone(), |d| format!("{told}, d = {}", report::distance(d)));
        text.push_str(&format!(" → {} ({told})", edge.to.name));
    }
    Some(text)
}

/// Adds how a table was read to what a certificate records.
pub fn add_reading(parameters: &mut Map<String, Value>, reading: &Reading, null_is_nan: bool) {
    for (key, value) in options::reading_parameters(reading) {
        parameters.entry(key).or_insert(value);
    }
    if null_is_nan {
        parameters.insert("nulls".to_owned(), json!("nan"));
    }
}

/// Options that mean something for other sources only.
pub fn refuse_idle(args: &Convert, from: Codec, to: SignalFormat) -> Result<()> {
    let table = matches!(from, Codec::Table(_));
    if args.signals.nulls.is_some() && !table {
        let text = "--nulls: is about columns of tables, and the source is none; leave it away";
        return Err(Failure::Usage(text.into()));
    }
    if let Some(bits) = args.signals.bits.filter(|_| !to.is_sound()) {
        return Err(Failure::Usage(format!(
            "--bits {bits}: is about arrays that become sounds, and the target is {}; leave it away",
            to.name()
        )));
    }
    match args.signals.rate {
        Some(0) => Err(Failure::Usage("--rate: a sound has one sample a second at least".into())),
        Some(rate) if !to.is_sound() => Err(Failure::Usage(format!(
            "--rate {rate}: is about arrays that become sounds, and the target is {}; leave it away",
            to.name()
        ))),
        _ => Ok(()),
    }
}

/// Whether the target is a table.
pub fn becomes_table(args: &Convert, target: &Path) -> bool {
    match args.writing.to.as_deref() {
        Some(name) => Format::named(name).is_ok(),
        None => Format::of_name(target).is_some(),
    }
}

/// Why a signal does not become a table in one conversion, and how it does in two.
pub fn two_models(source: &Path, name: &str, what: &str) -> Failure {
    Failure::Usage(format!(
        "{}: {name} is {what}, and a table has no place for what makes it one; convert it to npy first, with \
         --drop metadata, and that to a table if it has rows and columns alone",
        source.display()
    ))
}

/// The container of arrays that becomes a table, and the chain to it; `None` where the source is none.
pub fn rows(
    args: &Convert,
    sources: &[PathBuf],
    stops: &[Stop],
    to: &'static MediaType,
) -> Result<Option<(SignalFormat, Vec<Edge<'static>>)>> {
    let [source] = sources else { return Ok(None) };
    let said = args.reading.from.as_deref();
    let Some(format) = super::signal::of_source(source, said)? else { return Ok(None) };
    if format.is_sound() {
        return Err(two_models(source, format.name(), "a sound"));
    }
    args.typed.check_rows()?;
    let from = media::identify(Codec::Arrays(format), said, Some(source));
    Ok(Some((format, chain(source, (from, to), stops, false)?)))
}
