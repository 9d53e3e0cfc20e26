//! `key`.

use serde_json::json;

use crate::cli::{Key, KeyCommand, Output};
use crate::failure::{DONE, Failure, Result};
use crate::local::keys;
use crate::report;

/// Shows the signing key, which is made if there is none.
pub fn run(args: &Key, output: &Output) -> Result<u8> {
    let KeyCommand::Show { pem: wants_pem } = &args.command;
    let key = keys::signing_key()?;
    let (id, pem) = (keys::id_of(&key)?, coherence::key::to_pem(&key.verifying_key()).map_err(Failure::bug)?);
    let document = json!({ "schema": "isoform.key/v1", "keyId": id.to_string(), "publicKey": pem });
    let text = if *wants_pem { pem } else { id.to_string() };
    report::result(output, &document, &text.lines().map(str::to_owned).collect::<Vec<_>>());
    Ok(DONE)
}
