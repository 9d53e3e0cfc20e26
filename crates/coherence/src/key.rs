//! Ed25519 keys as certificates name them: PEM text and the SHA-256 of the DER public key.

use crate::digest::Digest;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::pkcs8::EncodePublicKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

/// A public key that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key in PEM")]
pub struct BadKey;

/// The name of a key: SHA-256 of its DER encoding (SubjectPublicKeyInfo).
pub fn key_id(key: &VerifyingKey) -> Result<Digest, BadKey> {
    let der = key.to_public_key_der().map_err(|_| BadKey)?;
    Ok(Digest::sha256(der.as_bytes()))
}

/// The key as PEM, with one line feed at the end of each line.
pub fn to_pem(key: &VerifyingKey) -> Result<String, BadKey> {
    key.to_public_key_pem(LineEnding::LF).map_err(|_| BadKey)
}

/// Reads a key from PEM.
pub fn from_pem(text: &str) -> Result<VerifyingKey, BadKey> {
    VerifyingKey::from_public_key_pem(text).map_err(|_| BadKey)
}
