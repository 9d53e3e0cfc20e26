//! `formats`.

use ::formats::registry::FORMATS;
use serde_json::json;

use crate::cli::Output;
use crate::failure::{DONE, Result};
use crate::report;

/// Lists the formats.
pub fn run(output: &Output) -> Result<u8> {
    let documents = FORMATS.iter().map(|format| {
        json!({
            "name": format.name(),
            "mediaType": format.media_type(),
            "endings": format.endings(),
            "wrappings": if format.is_text() { vec!["gz", "zst"] } else { Vec::new() },
        })
    });
    let document = json!({ "schema": "isoform.formats/v1", "formats": documents.collect::<Vec<_>>() });
    let lines = FORMATS.iter().map(|format| {
        let endings =
            format.endings().iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" ");
        let wrapped = if format.is_text() { " (also .gz and .zst)" } else { "" };
        format!("{:13} {:38} {endings}{wrapped}", format.name(), format.media_type())
    });
    let mut lines: Vec<_> = lines.collect();
    lines.push(String::new());
    lines.push("Each converts to each.".into());
    report::result(output, &document, &lines);
    Ok(DONE)
}
