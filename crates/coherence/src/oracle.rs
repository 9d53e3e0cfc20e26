//! Provides what must hold of any bytes that claim to be a certificate: the oracle behind its fuzz target.
//!
//! A refusal is no breach. A panic is one, and so is a certificate that is accepted in two spellings, or
//! under a signature over other bytes.

use crate::canonical;
use crate::certificate::verify;
use crate::dsse::Bundle;
use crate::key;
use ed25519_dalek::SigningKey;
use serde_json::Value;

/// Whether the laws hold; else the one that does not, in a sentence.
pub type Held = Result<(), String>;

/// Bytes as a bundle, and as a statement that somebody signed.
pub fn certificate(bytes: &[u8]) -> Held {
    if let Ok(bundle) = Bundle::parse(bytes) {
        law(bundle.to_bytes() == bytes, "a bundle was accepted in another spelling than its own")?;
        // Whether it verifies is up to its signature; that it says so without breaking is the law.
        let _ = verify(&bundle, None);
    }
    let key = SigningKey::from_bytes(&[7; 32]);
    let Some(payload) = statement(bytes, &key) else { return Ok(()) };
    let signed = Bundle::sign(payload.clone(), &key).map_err(|error| error.to_string())?;
    let parsed = Bundle::parse(&signed.to_bytes()).map_err(|error| format!("what was signed: {error}"))?;
    law(parsed == signed, "a bundle changes when it is written and read")?;
    let Ok(certificate) = verify(&signed, None) else { return Ok(()) };
    let value = serde_json::to_value(certificate.statement()).map_err(|error| error.to_string())?;
    let again = canonical::to_bytes(&value).map_err(|error| format!("a statement without JSON: {error}"))?;
    law(again == payload, "a statement was accepted in another spelling than its own")?;
    forged(&payload, &key)
}

/// The same statement with one byte changed, under the signature of the original, is never accepted.
fn forged(payload: &[u8], key: &SigningKey) -> Held {
    let text = String::from_utf8_lossy(payload);
    let changed = text.replacen("\"verdict\":\"", "\"verdict\":\"x", 1).into_bytes();
    let signed = Bundle::sign(payload.to_vec(), key).map_err(|error| error.to_string())?.to_bytes();
    let mut value: Value = serde_json::from_slice(&signed).map_err(|error| error.to_string())?;
    let other = Bundle::sign(changed, key).map_err(|error| error.to_string())?.to_bytes();
    let other: Value = serde_json::from_slice(&other).map_err(|error| error.to_string())?;
    value["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"].clone();
    let bytes = canonical::to_bytes(&value).map_err(|error| error.to_string())?;
    let accepted = Bundle::parse(&bytes).is_ok_and(|bundle| verify(&bundle, None).is_ok());
    law(!accepted, "a statement was accepted under the signature of another")
}

/// The bytes as a statement that names this key, in canonical JSON. JSON that is not canonical is the matter
/// of the bundle above.
fn statement(bytes: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let predicate = value.get_mut("predicate")?.as_object_mut()?;
    predicate.insert("key".into(), key::to_pem(&key.verifying_key()).ok()?.into());
    canonical::to_bytes(&value).ok()
}

fn law(holds: bool, broken: &str) -> Held {
    if holds { Ok(()) } else { Err(broken.to_owned()) }
}
