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
use serde::{Deserialize, Serialize};
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawBundle {
    media_type: String,
    verification_material: RawMaterial,
    dsse_envelope: RawEnvelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMaterial {
    public_key: RawHint,
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawEnvelope {
    payload_type: String,
    payload: String,
    signatures: Vec<RawSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    keyid: String,
    sig: String,
}

/// A payload, a signature, and the name of the key that is said to have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    key_id: Digest,
    payload: Vec<u8>,
    signature: [u8; 64],
}

/// The bytes that a DSSE signature covers.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Bundle {
    /// Signs a payload.
    pub(crate) fn sign(payload: Vec<u8>, key: &SigningKey) -> Result<Self, key::BadKey> {
        let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload)).to_bytes();
        Ok(Self { key_id: key::key_id(&key.verifying_key())?, payload, signature })
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
        let payload =
            BASE64.decode(&raw.dsse_envelope.payload).map_err(|_| Malformed::Base64 { field: "payload" })?;
        let bad_signature = Malformed::Base64 { field: "sig" };
        let signature = BASE64.decode(&signature.sig).map_err(|_| bad_signature.clone())?;
        let signature = signature.try_into().map_err(|_| bad_signature)?;
        Ok(Self { key_id, payload, signature })
    }

    /// The canonical bytes of the bundle.
    pub fn to_bytes(&self) -> Vec<u8> {
        let key_id = self.key_id.to_string();
        let signature = RawSignature { keyid: key_id.clone(), sig: BASE64.encode(self.signature) };
        let raw = RawBundle {
            media_type: BUNDLE_TYPE.to_owned(),
            verification_material: RawMaterial {
                public_key: RawHint { hint: key_id },
                tlog_entries: Vec::new(),
            },
            dsse_envelope: RawEnvelope {
                payload_type: PAYLOAD_TYPE.to_owned(),
                payload: BASE64.encode(&self.payload),
                signatures: vec![signature],
            },
        };
        let value = serde_json::to_value(raw).unwrap_or_default();
        canonical::to_bytes(&value).unwrap_or_default()
    }

    /// Name of the key that is said to have signed: a hint until the signature is checked.
    pub fn unverified_key_id(&self) -> &Digest {
        &self.key_id
    }

    /// The payload: nothing in it is known to be true until the signature is checked.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// True when this key made the signature.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let signed = pre_authentication_encoding(PAYLOAD_TYPE, &self.payload);
        key.verify_strict(&signed, &Signature::from_bytes(&self.signature)).is_ok()
    }
}

/// Reads canonical JSON within the limits.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    document: &'static str,
    bytes: &[u8],
) -> Result<T, Malformed> {
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
    let value: serde_json::Value = parse(bytes).map_err(broken)?;
    // This also refuses doubled keys, of which readers see the first, the last or both.
    if canonical::to_bytes(&value).as_deref() != Ok(bytes) {
        return Err(Malformed::NotCanonical { document });
    }
    // Read again from the bytes, so that an error has a place.
    parse(bytes).map_err(broken)
}

/// Parses bytes of which [`check_depth`] has said that they nest no deeper than [`DEPTH_MAX`], which is more
/// than the parser's own limit.
fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
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
