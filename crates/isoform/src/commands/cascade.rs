//! Provides chains of conversions: which types a content has on its way where no rule leads there directly.

use std::path::{Path, PathBuf};

use ::formats::bytes::Codec as Wrapped;
use ::formats::file::ObjectFile;
use ::formats::image::ImageFormat;
use ::formats::media::{self, Class, Codec, Edge, MediaType, catalog, chain as cheapest};
use ::formats::recognise::detect;
use ::formats::registry::{Format, Wrapping};
use ::formats::signal::SignalFormat;
use serde_json::{Map, Value, json};

use super::options;
use crate::cli::{Convert, Reading};
use crate::failure::{Failure, Result};
use crate::local::media::class_within;

/// Bytes by which an image is known.
const HEAD_BYTES: usize = 16;

/// What a source is that is no container of arrays: an image or a table, as was said or as its bytes and its
/// name tell.
pub fn source_of(path: &Path, said: Option<&str>) -> Result<Option<Codec>> {
    if let Some(name) = said {
        let codec = catalog().named(name).map(|media| media.codec);
        return Ok(codec.filter(|codec| !matches!(codec, Codec::Bytes(_))));
    }
    if path == Path::new("-") || !path.is_file() {
        return Ok(None);
    }
    let file = ObjectFile::open(path)?;
    let mut head = [0; HEAD_BYTES];
    let count = file.read_at(&mut head, 0)?;
    if let Some(format) = ImageFormat::of_bytes(&head[..count]) {
        return Ok(Some(Codec::Image(format)));
    }
    Ok(detect(&file, None).ok().map(|(format, _)| Codec::Table(format)))
}

/// The types on the way from a source to a target: the wrapping that a text is in, its own type, and those
/// that the graph of conversions leads over.
pub fn chain(
    source: &Path,
    (from, to): (&'static MediaType, &'static MediaType),
    approximate: bool,
) -> Result<Vec<Edge<'static>>> {
    let mut stops = vec![from, to];
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
    if let Some(last) = steps.last() {
        class_within(last.from, last.to, approximate)?;
    }
    Ok(steps)
}

/// How a text is wrapped.
fn wrapping(source: &Path, format: Format) -> Result<Option<Wrapped>> {
    if !source.is_file() {
        return Ok(None);
    }
    let wrapping = detect(&ObjectFile::open(source)?, Some(format))?.1;
    Ok(match wrapping {
        Wrapping::Gzip => Some(Wrapped::Gzip),
        Wrapping::Zstd => Some(Wrapped::Zstd),
        Wrapping::Plain => None,
    })
}

/// The steps of a chain with what each may lose: by law T5 the distance of the whole is at most the sum of
/// those of its steps, and only the last step of these chains may lose anything, so it has the whole budget.
pub fn steps(chain: &[Edge<'_>], within: &str) -> Vec<Value> {
    let last = chain.len().saturating_sub(1);
    let step = |(index, edge): (usize, &Edge<'_>)| {
        let lossy = index == last && edge.class == Class::Bounded;
        json!({
            "from": edge.from.media_type,
            "to": edge.to.media_type,
            "class": edge.class.name(),
            "within": if lossy { within } else { "exact" },
        })
    };
    chain.iter().enumerate().map(step).collect()
}

/// Adds a chain of several steps to what a certificate records.
pub fn record(parameters: &mut Map<String, Value>, chain: &[Edge<'_>]) {
    if chain.len() > 1 {
        let within = parameters.get("within").and_then(Value::as_str).unwrap_or("exact").to_owned();
        parameters.insert("chain".to_owned(), json!(steps(chain, &within)));
    }
}

/// A line that tells a chain of several steps.
pub fn line(chain: &[Edge<'_>], within: &str) -> Option<String> {
    let first = chain.first().filter(|_| chain.len() > 1)?;
    let mut text = format!("  by way of {}", first.from.name);
    for (edge, step) in chain.iter().zip(steps(chain, within)) {
        let budget = step["within"].as_str().unwrap_or("exact");
        let class = edge.class.name();
        let told = if budget == "exact" && edge.class != Class::Reversible { "exact" } else { class };
        let told = if budget == "exact" { told } else { budget };
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

/// The container of arrays that becomes a table, and the chain to it; `None` where the source is none.
pub fn rows(
    args: &Convert,
    sources: &[PathBuf],
    to: &'static MediaType,
) -> Result<Option<(SignalFormat, Vec<Edge<'static>>)>> {
    let [source] = sources else { return Ok(None) };
    let said = args.reading.from.as_deref();
    let Some(format) = super::signal::of_source(source, said)? else { return Ok(None) };
    if format.is_sound() {
        let (shown, name) = (source.display(), format.name());
        return Err(Failure::Usage(format!(
            "{shown}: {name} is a sound, and a table has no place for what makes it one; convert it to npy \
             first, and that to a table"
        )));
    }
    args.typed.check_rows()?;
    let from = media::identify(Codec::Arrays(format), said, Some(source));
    Ok(Some((format, chain(source, (from, to), false)?)))
}
