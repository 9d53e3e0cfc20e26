//! `formats`.

use ::formats::bytes::{CODECS, Codec};
use ::formats::carry::{Support, support_of, types};
use ::formats::image::{IMAGE_FORMATS, ImageFormat};
use ::formats::registry::{FORMATS, Format};
use ::formats::signal::{Encoding, SignalFormat};
use coherence::sample::SampleType;
use serde_json::{Map, Value, json};

use crate::cli::Output;
use crate::failure::{DONE, Result};
use crate::report;

/// Lists the formats, what can become what, and the types that a format holds under another one. All of it
/// comes from the table that conversions run on.
pub fn run(output: &Output) -> Result<u8> {
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for format in FORMATS {
        let held = held(format)?;
        let endings =
            format.endings().iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ");
        let wrapped = if format.is_text() { " (also .gz and .zst)" } else { "" };
        lines.push(format!("{:13} {:38} {endings}{wrapped}", format.name(), format.media_type()));
        for (ty, how) in held.iter().filter(|(_, how)| !["text", "direct"].contains(&how.as_str())) {
            lines.push(format!("{:13}   {ty}: {how}", ""));
        }
        let types: Map<String, Value> =
            held.into_iter().map(|(ty, how)| (ty.to_owned(), how.into())).collect();
        documents.push(json!({
            "name": format.name(),
            "mediaType": format.media_type(),
            "endings": format.endings(),
            "wrappings": if format.is_text() { vec!["gz", "zst"] } else { Vec::new() },
            "types": types,
        }));
    }
    lines.push(String::new());
    lines.push(
        "Each converts to each. From text: exact and reversible, where every column's text can be".into(),
    );
    lines.push(
        "given back. From the others: exact. Refused are only the types that are named as refused.".into(),
    );
    lines.push(String::new());
    lines.push("Bytes, of which only the wrapping changes; each converts to each, exactly:".into());
    let wrappings = CODECS.into_iter().map(|codec| wrapping(codec, &mut lines)).collect::<Vec<_>>();
    lines.push(String::new());
    lines.push("Arrays; each converts to each, exactly, or into narrower samples within a budget:".into());
    let arrays = SignalFormat::ALL.into_iter().map(|format| container(format, &mut lines));
    let arrays = arrays.collect::<Vec<_>>();
    lines.push(String::new());
    lines.push("Images; each converts to each, exactly where both can be, or within a budget:".into());
    let images = IMAGE_FORMATS.into_iter().map(|format| image(format, &mut lines)).collect::<Vec<_>>();
    let pairs = FORMATS.iter().flat_map(|from| FORMATS.iter().map(move |to| pair(*from, *to)));
    let pairs = pairs.collect::<Vec<_>>();
    let document = json!({
        "schema": "isoform.formats/v1", "formats": documents, "wrappings": wrappings,
        "arrays": arrays, "images": images, "pairs": pairs,
    });
    report::result(output, &document, &lines);
    Ok(DONE)
}

/// How a format holds each type: `direct`, `text`, `as TYPE`, or `refused` with what would be lost.
fn held(format: Format) -> Result<Vec<(&'static str, String)>> {
    let how = |ty: &'static str| {
        Ok(match support_of(format.name(), ty)? {
            Support::Text => (ty, "text".to_owned()),
            Support::Direct => (ty, "direct".to_owned()),
            Support::As(physical) => (ty, format!("as {physical}, recorded")),
            Support::Refuse { loses, option } => (ty, format!("refused: would lose {loses}; {option}")),
        })
    };
    types()?.into_iter().map(how).collect()
}

/// A wrapping of bytes, as a document and as a line.
fn wrapping(codec: Codec, lines: &mut Vec<String>) -> Value {
    let endings = codec.endings().iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ");
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
fn container(format: SignalFormat, lines: &mut Vec<String>) -> Value {
    let plain = SampleType::ALL.into_iter().map(Encoding::Plain);
    let held = plain.chain([Encoding::Q8_0, Encoding::Q4_0]).filter(|encoding| format.holds(*encoding));
    let held: Vec<&str> = held.map(Encoding::name).collect();
    let (name, media_type) = (format.name(), format.media_type());
    lines.push(format!("{name:13} {media_type:38} .{name}  {}", held.join(" ")));
    json!({ "name": name, "mediaType": media_type, "endings": [name], "sampleTypes": held })
}

/// An image format, as a document and as a line.
fn image(format: ImageFormat, lines: &mut Vec<String>) -> Value {
    let endings = format.endings().iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ");
    let samples: Vec<&str> = format.samples().iter().map(|sample| sample.name()).collect();
    let channels: Vec<&str> = format.channels().iter().map(|channels| channels.name()).collect();
    let lossy = format.quality().is_some();
    let how = match (format.lossless(), lossy) {
        (true, true) => "exact or lossy",
        (true, false) => "exact",
        _ => "lossy",
    };
    let (name, media_type) = (format.name(), format.media_type());
    let (held, laid) = (samples.join(" "), channels.join(" "));
    lines.push(format!("{name:13} {media_type:38} {endings}  {how}: {laid}; {held}"));
    json!({
        "name": name,
        "mediaType": media_type,
        "endings": format.endings(),
        "lossless": format.lossless(),
        "lossy": lossy,
        "channels": channels,
        "sampleTypes": samples,
    })
}

fn pair(from: Format, to: Format) -> Value {
    let class = if from.is_text() { "exact and reversible" } else { "exact" };
    json!({ "from": from.name(), "to": to.name(), "class": class })
}
