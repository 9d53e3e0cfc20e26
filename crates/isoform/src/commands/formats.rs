//! `formats`.

use ::formats::bytes::{CODECS, Codec as Wrapping};
use ::formats::carry::{Support, names_told, support_of, takes_nul, types};
use ::formats::media::{Codec, MediaType, catalog, dot, edges, svg};
use ::formats::registry::{FORMATS, Format};
use ::formats::signal::Encoding;
use coherence::sample::SampleType;
use serde_json::{Map, Value, json};

use crate::cli::{Formats, Graph, Output};
use crate::failure::{DONE, Result};
use crate::report;

/// Lists the formats, what can become what, and the types that a format holds under another one. All of it
/// comes from the table that conversions run on.
pub fn run(args: &Formats, output: &Output) -> Result<u8> {
    if let Some(graph) = args.graph {
        return self::graph(graph, output);
    }
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for media in catalog().types() {
        let Codec::Table(format) = media.codec else { continue };
        let held = held(format)?;
        let endings = endings(media);
        let wrapped = if format.is_text() { " (also wrapped, as in .gz)" } else { "" };
        lines.push(format!("{:13} {:38} {endings}{wrapped}", media.name, media.media_type));
        for (ty, how) in held.iter().filter(|(_, how)| !["text", "direct"].contains(&how.as_str())) {
            lines.push(format!("{:13}   {ty}: {how}", ""));
        }
        let (names, nul) = (names_told(format.codec_name())?, takes_nul(format.codec_name())?);
        lines.push(format!("{:13}   names of columns: {names}", ""));
        if !nul {
            lines.push(format!("{:13}   text with a NUL: refused; write another format", ""));
        }
        let types: Map<String, Value> =
            held.into_iter().map(|(ty, how)| (ty.to_owned(), how.into())).collect();
        documents.push(json!({
            "name": media.name,
            "mediaType": media.media_type,
            "endings": media.endings,
            "wrappings": if format.is_text() { vec!["gz", "zst"] } else { Vec::new() },
            "types": types,
            "names": names,
            "nul": nul,
        }));
    }
    lines.push(String::new());
    lines.push(
        "Each converts to each. From text: exact and reversible, where every column's text can be".into(),
    );
    lines.push(
        "given back. From the others: exact. Refused are only types and names that are said to be.".into(),
    );
    lines.push(String::new());
    lines.push("Bytes, of which only the wrapping changes; each converts to each, exactly:".into());
    let wrappings = CODECS.into_iter().map(|codec| wrapping(codec, &mut lines)).collect::<Vec<_>>();
    lines.push(String::new());
    lines.push("Arrays and sounds; each converts to each, exactly, or into narrower samples within a".into());
    lines
        .push("budget; what is coded with loss is never exact, and is written within a budget alone:".into());
    let types = catalog().types().iter();
    let arrays = types.clone().filter_map(|media| container(media, &mut lines)).collect::<Vec<_>>();
    lines.push(String::new());
    lines.push("Images; each converts to each, exactly where both can be, or within a budget:".into());
    let images = types.filter_map(|media| image(media, &mut lines)).collect::<Vec<_>>();
    let pairs = FORMATS.iter().flat_map(|from| FORMATS.iter().map(move |to| pair(*from, *to)));
    let pairs = pairs.collect::<Vec<_>>();
    let document = json!({
        "schema": "isoform.formats/v1", "formats": documents, "wrappings": wrappings,
        "arrays": arrays, "images": images, "pairs": pairs,
    });
    report::result(output, &document, &lines);
    Ok(DONE)
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

fn pair(from: Format, to: Format) -> Value {
    let class = if from.is_text() { "exact and reversible" } else { "exact" };
    json!({ "from": from.name(), "to": to.name(), "class": class })
}
