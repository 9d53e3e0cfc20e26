//! The envelope of a certificate: a DSSE signature in a Sigstore bundle, version 0.3.
//!
//! A parsed [`Bundle`] is well formed and nothing more; whose signature it carries, and over what, is the
//! business of [`crate::certificate::verify`].

use crate::canonical;
use crate::digest::Digest;
use crate::key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use thiserror::Error;

/// Media type of the bundle.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// Media type of what is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Bundles beyond this size are refused before they are read. One of 100,000 columns
/// takes about 25 MB.
pub const BUNDLE_BYTES_MAX: usize = 64 << 20;
/// Objects and arrays within one another; a bundle takes 4 and a statement 8. The rest is for the styles of
/// columns that are nested 64 deep, each level of which takes five at most.
pub const DEPTH_MAX: usize = 16 + 5 * 64;

/// Characters of a text from a certificate that messages show: whoever wrote it chose how many there are.
pub const SHOWN_CHARS: usize = 120;

/// The beginning of a text from a certificate, for a message.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A bundle or statement that is not what it should be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Beyond [`BUNDLE_BYTES_MAX`].
    #[error("{bytes} bytes, where a certificate has at most {BUNDLE_BYTES_MAX}")]
    TooLarge {
        /// Size found.
        bytes: usize,
    },
    /// Beyond [`DEPTH_MAX`].
    #[error("values nest deeper than {DEPTH_MAX}, at byte {offset}")]
    TooDeep {
        /// Where the limit is passed.
        offset: usize,
    },
    /// Not JSON, or not of the right shape.
    #[error("the {document}: {} (line {line}, column {column})", shown(.reason))]
    Json {
        /// `bundle` or `statement`.
        document: &'static str,
        /// What the JSON reader says, without the place.
        reason: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// JSON whose bytes are not the canonical ones, so that two readers might read it differently.
    #[error("the {document} is not canonical JSON")]
    NotCanonical {
        /// `bundle` or `statement`.
        document: &'static str,
    },
    /// A field with a fixed value has another one.
    #[error("{field} is {:?}", shown(.found))]
    Unexpected {
        /// Name of the field.
        field: &'static str,
        /// Value found.
        found: String,
    },
    /// Not exactly one signature.
    #[error("{found} signatures, where a certificate has exactly one")]
    Signatures {
        /// Number found.
        found: usize,
    },
    /// A field is not base64, or not of the right length.
    #[error("{field} is not base64 of the right length")]
    Base64 {
        /// Name of the field.
        field: &'static str,
    },
    /// The key in the statement is not an Ed25519 public key in PEM.
    #[error("the key is not an Ed25519 public key in PEM")]
    Key,
    /// Bundle, signature and statement do not name the same key.
    #[error("the certificate names two different keys")]
    KeyNames,
    /// Two fields cannot both be true.
    #[error("the statement contradicts itself: {what}")]
    Contradiction {
        /// Which fields, and how.
        what: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBundle<'a> {
    media_type: String,
    verification_material: RawMaterial,
    #[serde(borrow)]
    dsse_envelope: RawEnvelope<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMaterial {
    public_key: RawHint,
    tlog_entries: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHint {
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawEnvelope<'a> {
    payload_type: String,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    signatures: Vec<RawSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    keyid: String,
    sig: String,
}

/// A payload, a signature, and the name of the key that is said to have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    key_id: Digest,
    /// What the signature covers, the last of which is the payload.
    covered: Vec<u8>,
    payload_begin: usize,
    signature: [u8; 64],
}

/// The bytes that a DSSE signature covers.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    [&head(payload_type, payload.len()), payload].concat()
}

/// What stands before a payload of so many bytes in what a signature covers.
fn head(payload_type: &str, payload_bytes: usize) -> Vec<u8> {
    format!("DSSEv1 {} {payload_type} {payload_bytes} ", payload_type.len()).into_bytes()
}

impl Bundle {
    /// Signs a payload.
    pub(crate) fn sign(payload: Vec<u8>, key: &SigningKey) -> Result<Self, key::BadKey> {
        let covered = pre_authentication_encoding(PAYLOAD_TYPE, &payload);
        let payload_begin = covered.len() - payload.len();
        drop(payload);
        let signature = key.sign(&covered).to_bytes();
        Ok(Self { key_id: key::key_id(&key.verifying_key())?, covered, payload_begin, signature })
    }

    /// Reads a bundle. That it parses says nothing about its signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw: RawBundle = read("bundle", bytes)?;
        expect("mediaType", &raw.media_type, BUNDLE_TYPE)?;
        expect("payloadType", &raw.dsse_envelope.payload_type, PAYLOAD_TYPE)?;
        if !raw.verification_material.tlog_entries.is_empty() {
            let found = raw.verification_material.tlog_entries.len().to_string();
            return Err(Malformed::Unexpected { field: "length of tlogEntries", found });
        }
        let [signature] = raw.dsse_envelope.signatures.as_slice() else {
            return Err(Malformed::Signatures { found: raw.dsse_envelope.signatures.len() });
        };
        let hint = raw.verification_material.public_key.hint;
        let key_id = signature
            .keyid
            .parse()
            .map_err(|_| Malformed::Unexpected { field: "keyid", found: signature.keyid.clone() })?;
        if hint != signature.keyid {
            return Err(Malformed::KeyNames);
        }
        let bad_signature = Malformed::Base64 { field: "sig" };
        let signature = BASE64.decode(&signature.sig).map_err(|_| bad_signature.clone())?;
        let signature = signature.try_into().map_err(|_| bad_signature)?;
        let (covered, payload_begin) = covered(&raw.dsse_envelope.payload)?;
        Ok(Self { key_id, covered, payload_begin, signature })
    }

    /// The canonical bytes of the bundle.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (key_id, signature) = (self.key_id, BASE64.encode(self.signature));
        let behind = [
            format!("\",\"payloadType\":\"{PAYLOAD_TYPE}\",\"signatures\":[{{\"keyid\":\"{key_id}\","),
            format!("\"sig\":\"{signature}\"}}]}},\"mediaType\":\"{BUNDLE_TYPE}\",\"verificationMaterial\":"),
            format!("{{\"publicKey\":{{\"hint\":\"{key_id}\"}},\"tlogEntries\":[]}}}}"),
        ]
        .concat();
        let before = "{\"dsseEnvelope\":{\"payload\":\"";
        let payload = self.unverified_payload();
        let mut text = String::with_capacity(before.len() + payload.len().div_ceil(3) * 4 + behind.len());
        text.push_str(before);
        BASE64.encode_string(payload, &mut text);
        text.push_str(&behind);
        text.into_bytes()
    }

    /// Name of the key that is said to have signed: a hint until the signature is checked.
    pub fn unverified_key_id(&self) -> &Digest {
        &self.key_id
    }

    /// The payload: nothing in it is known to be true until the signature is checked.
    pub fn unverified_payload(&self) -> &[u8] {
        self.covered.get(self.payload_begin..).unwrap_or_default()
    }

    /// True when this key made the signature.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify_strict(&self.covered, &Signature::from_bytes(&self.signature)).is_ok()
    }
}

/// What the signature of a payload in base64 covers, and where the payload begins there.
fn covered(payload: &str) -> Result<(Vec<u8>, usize), Malformed> {
    let padding = payload.bytes().rev().take_while(|byte| *byte == b'=').count();
    let bytes = (payload.len() / 4 * 3).saturating_sub(padding);
    let mut covered = head(PAYLOAD_TYPE, bytes);
    let begin = covered.len();
    let decoded = BASE64.decode_vec(payload, &mut covered);
    match decoded.is_ok() && covered.len() == begin + bytes {
        true => Ok((covered, begin)),
        false => Err(Malformed::Base64 { field: "payload" }),
    }
}

/// Reads canonical JSON within the limits.
pub(crate) fn read<'a, T: Deserialize<'a>>(document: &'static str, bytes: &'a [u8]) -> Result<T, Malformed> {
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(Malformed::TooLarge { bytes: bytes.len() });
    }
    check_depth(bytes)?;
    let broken = |error: serde_json::Error| {
        let (text, line, column) = (error.to_string(), error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        let reason = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        Malformed::Json { document, reason, line, column }
    };
    // This also refuses doubled keys, of which readers see the first, the last or both.
    if !canonical::is_canonical(bytes) {
        parse::<IgnoredAny>(bytes).map_err(broken)?;
        return Err(Malformed::NotCanonical { document });
    }
    parse(bytes).map_err(broken)
}

/// Parses bytes of which it is known that they nest no deeper than [`DEPTH_MAX`], which is more than the
/// parser's own limit.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    parser.disable_recursion_limit();
    let value = T::deserialize(&mut parser)?;
    parser.end().map(|()| value)
}

fn check_depth(bytes: &[u8]) -> Result<(), Malformed> {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep { offset });
        }
    }
    Ok(())
}

/// Fails unless a field has its one value.
pub(crate) fn expect(field: &'static str, found: &str, wanted: &str) -> Result<(), Malformed> {
    if found == wanted {
        return Ok(());
    }
    Err(Malformed::Unexpected { field, found: found.to_owned() })
}
