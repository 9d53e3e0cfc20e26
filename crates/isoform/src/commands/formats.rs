//! `formats`.

use ::formats::bytes::{CODECS, Codec as Wrapping};
use ::formats::carry::{Support, names_told, support_of, takes_nul, types};
use ::formats::media::{Codec, MediaType, catalog, dot, edges, svg};
use ::formats::registry::{FORMATS, Format};
use ::formats::signal::Encoding;
use ::formats::words::near;
use coherence::sample::SampleType;
use serde_json::{Map, Value, json};

use crate::cli::{Formats, Graph, Output};
use crate::failure::{DONE, Failure, Result};
use crate::report;

/// Lists the formats, what can become what, and the types that a format holds under another one. All of it
/// comes from the table that conversions run on.
pub fn run(args: &Formats, output: &Output) -> Result<u8> {
    if let Some(graph) = args.graph {
        return self::graph(graph, output);
    }
    let only = args.format.as_deref().map(meant).transpose()?;
    let is_meant = |name: &str| only.is_none_or(|only| only == name);
    let mut lines = Vec::new();
    let heads = |lines: &mut Vec<String>, text: &[&str]| {
        if only.is_none() {
            lines.extend(text.iter().map(|line| (*line).to_owned()));
        }
    };
    let types = catalog().types().iter().filter(|media| is_meant(&media.name));
    let tables = types.clone().filter_map(|media| table(media, &mut lines).transpose());
    let tables = tables.collect::<Result<Vec<_>>>()?;
    heads(&mut lines, &TABLES);
    let codecs = CODECS.into_iter().filter(|codec| is_meant(&codec.media().name));
    let wrappings = codecs.map(|codec| wrapping(codec, &mut lines)).collect::<Vec<_>>();
    heads(&mut lines, &ARRAYS);
    let arrays = types.clone().filter_map(|media| container(media, &mut lines)).collect::<Vec<_>>();
    heads(&mut lines, &IMAGES);
    let images = types.filter_map(|media| image(media, &mut lines)).collect::<Vec<_>>();
    let pairs = FORMATS.iter().flat_map(|from| FORMATS.iter().map(move |to| (*from, *to)));
    let pairs = pairs.filter(|(from, to)| is_meant(from.name()) || is_meant(to.name()));
    let document = json!({
        "schema": "isoform.formats/v1", "formats": tables, "wrappings": wrappings,
        "arrays": arrays, "images": images, "pairs": pairs.map(pair).collect::<Vec<_>>(),
    });
    report::result(output, &document, &lines);
    Ok(DONE)
}

/// What stands between the tables and the wrappings.
const TABLES: [&str; 5] = [
    "",
    "Each converts to each. From text: exact and reversible, where every column's text can be",
    "given back. From the others: exact. Refused are only types and names that are said to be.",
    "",
    "Bytes, of which only the wrapping changes; each converts to each, exactly:",
];

/// What stands before the containers of arrays.
const ARRAYS: [&str; 3] = [
    "",
    "Arrays and sounds; each converts to each, exactly, or into narrower samples within a",
    "budget; what is coded with loss is never exact, and is written within a budget alone:",
];

/// What stands before the images.
const IMAGES: [&str; 2] =
    ["", "Images; each converts to each, exactly where both can be, or within a budget:"];

/// The name of the one format that was asked for.
fn meant(name: &str) -> Result<&'static str> {
    let all: Vec<&str> = catalog().types().iter().map(|media| media.name.as_str()).collect();
    let found = catalog().named(name).map(|media| media.name.as_str());
    found.ok_or_else(|| {
        let next = match near(name, &all) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the formats are {}", all.join(", ")),
        };
        Failure::Usage(format!("{name:?} is no format; {next}"))
    })
}

/// A format of tables, as a document and as lines.
fn table(media: &MediaType, lines: &mut Vec<String>) -> Result<Option<Value>> {
    let Codec::Table(format) = media.codec else { return Ok(None) };
    let held = held(format)?;
    let endings = endings(media);
    let packed = CODECS.into_iter().filter(|codec| format.is_text() && *codec != Wrapping::Raw);
    let packed: Vec<&str> = packed.filter_map(|codec| codec.endings().first().map(String::as_str)).collect();
    let wrapped = match packed.is_empty() {
        true => String::new(),
        false => format!("  (also in .{})", packed.join(" .")),
    };
    lines.push(format!("{:13} {:38} {endings}{wrapped}", media.name, media.media_type));
    for (ty, how) in held.iter().filter(|(_, how)| !["text", "direct"].contains(&how.as_str())) {
        lines.push(format!("{:13}   {ty}: {how}", ""));
    }
    let (names, nul) = (names_told(format.codec_name())?, takes_nul(format.codec_name())?);
    lines.push(format!("{:13}   names of columns: {names}", ""));
    if !nul {
        lines.push(format!("{:13}   text with a NUL: refused; write another format", ""));
    }
    let types: Map<String, Value> = held.into_iter().map(|(ty, how)| (ty.to_owned(), how.into())).collect();
    Ok(Some(json!({
        "name": media.name,
        "mediaType": media.media_type,
        "endings": media.endings,
        "wrappings": packed,
        "types": types,
        "names": names,
        "nul": nul,
    })))
}

/// Prints the graph of conversions.
fn graph(form: Graph, output: &Output) -> Result<u8> {
    let text = match form {
        Graph::Dot => dot(catalog()),
        Graph::Svg => svg(catalog()),
    };
    let types = catalog().types().iter().map(|media| {
        json!({ "name": media.name, "mediaType": media.media_type, "model": media.codec.model().name() })
    });
    let edges = edges(catalog()).into_iter().map(|edge| {
        json!({
            "from": edge.from.name, "to": edge.to.name, "class": edge.class.name(), "cost": edge.cost,
        })
    });
    let document = json!({
        "schema": "isoform.graph/v1",
        "types": types.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>(),
    });
    report::result(output, &document, &text.lines().map(str::to_owned).collect::<Vec<_>>());
    Ok(DONE)
}

/// How a format holds each type: `direct`, `text`, `as TYPE`, or `refused` with what would be lost.
fn held(format: Format) -> Result<Vec<(&'static str, String)>> {
    let how = |ty: &'static str| {
        Ok(match support_of(format.codec_name(), ty)? {
            Support::Text => (ty, "text".to_owned()),
            Support::Direct => (ty, "direct".to_owned()),
            Support::As(physical) => (ty, format!("as {physical}, recorded")),
            Support::Refuse { loses, option } => (ty, format!("refused: would lose {loses}; {option}")),
        })
    };
    types()?.into_iter().map(how).collect()
}

/// Endings of names, with their dots.
fn endings(media: &MediaType) -> String {
    media.endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ")
}

/// A wrapping of bytes, as a document and as a line.
fn wrapping(codec: Wrapping, lines: &mut Vec<String>) -> Value {
    let endings = endings(codec.media());
    let levels = codec.levels();
    let told = levels.as_ref().map_or(String::new(), |levels| {
        format!(":{}-{}, {} by default", levels.known.start(), levels.known.end(), levels.default)
    });
    lines.push(format!("{:13} {:38} {endings}  {}{told}", codec.name(), codec.media_type(), codec.name()));
    json!({
        "name": codec.name(),
        "mediaType": codec.media_type(),
        "endings": codec.endings(),
        "levels": levels.map(|levels| json!({
            "default": levels.default, "least": levels.known.start(), "most": levels.known.end(),
        })),
    })
}

/// A container of arrays, as a document and as a line.
fn container(media: &MediaType, lines: &mut Vec<String>) -> Option<Value> {
    let Codec::Arrays(format) = media.codec else { return None };
    let plain = SampleType::ALL.into_iter().map(Encoding::Plain);
    let held = plain.chain([Encoding::Q8_0, Encoding::Q4_0]).filter(|encoding| format.holds(*encoding));
    let held: Vec<&str> = held.map(Encoding::name).collect();
    let MediaType { name, media_type, .. } = media;
    let written = format.is_written();
    let only = match (written, format.is_coded()) {
        (false, _) => "  (only read)",
        (true, true) => "  (coded with loss)",
        (true, false) => "",
    };
    lines.push(format!("{name:13} {media_type:38} {}  {}{only}", endings(media), held.join(" ")));
    Some(json!({
        "name": name,
        "mediaType": media_type,
        "endings": media.endings,
        "sampleTypes": held,
        "written": written,
    }))
}

/// An image format, as a document and as a line.
fn image(media: &MediaType, lines: &mut Vec<String>) -> Option<Value> {
    let Codec::Image(format) = media.codec else { return None };
    let endings = endings(media);
    let samples: Vec<&str> = format.samples().iter().map(|sample| sample.name()).collect();
    let channels: Vec<&str> = format.channels().iter().map(|channels| channels.name()).collect();
    let lossy = format.quality().is_some();
    let written = format.is_written();
    let how = match (format.lossless(), lossy) {
        _ if !written => "only read",
        (true, true) => "exact or lossy",
        (true, false) => "exact",
        _ => "lossy",
    };
    let MediaType { name, media_type, .. } = media;
    let (held, laid) = (samples.join(" "), channels.join(" "));
    lines.push(format!("{name:13} {media_type:38} {endings}  {how}: {laid}; {held}"));
    Some(json!({
        "name": name,
        "mediaType": media_type,
        "endings": media.endings,
        "lossless": format.lossless(),
        "losslessSampleTypes": format.exact().iter().map(|sample| sample.name()).collect::<Vec<_>>(),
        "lossy": lossy,
        "channels": channels,
        "sampleTypes": samples,
        "written": written,
    }))
}

fn pair((from, to): (Format, Format)) -> Value {
    let class = if from.is_text() { "exact and reversible" } else { "exact" };
    json!({ "from": from.name(), "to": to.name(), "class": class })
}
