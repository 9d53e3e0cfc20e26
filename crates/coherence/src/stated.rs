//! Provides what is read of a statement that is not known here as it stands, as of another version.

use crate::digest::Digest;
use crate::dsse::{Bundle, read};
use crate::key;
use serde::Deserialize;

/// What is read of a statement that is not known here: its key, or the program that made it.
#[derive(Deserialize)]
struct Stated<T> {
    predicate: T,
}

#[derive(Deserialize)]
struct StatedKey {
    key: String,
}

#[derive(Deserialize)]
struct StatedBy {
    conversion: StatedConversion,
}

#[derive(Deserialize)]
struct StatedConversion {
    tool: StatedTool,
}

#[derive(Deserialize)]
struct StatedTool {
    name: String,
    version: String,
}

/// The key that signed a statement which is not known here as it stands, where that is the one which it
/// names, and the program that made it, if that is told; else nothing.
pub(crate) fn stated_by(bundle: &Bundle) -> Option<(Digest, Option<String>)> {
    let payload = bundle.unverified_payload();
    let stated: Stated<StatedKey> = read("statement", payload).ok()?;
    let signer = key::from_pem(&stated.predicate.key).ok()?;
    let key_id = key::key_id(&signer).ok()?;
    let is_named = key_id == *bundle.unverified_key_id();
    let by = read::<Stated<StatedBy>>("statement", payload).ok();
    let tool = by.map(|by| by.predicate.conversion.tool);
    let tool = tool.map(|tool| format!("{} {}", tool.name, tool.version));
    (is_named && bundle.is_signed_by(&signer)).then_some((key_id, tool))
}
