//! Provides the signing key: made on first use, kept in the configuration directory, readable by its owner
//! alone.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use coherence::digest::Digest;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use etcetera::BaseStrategy;
use formats::Error;
use formats::file::text_of;
use formats::words::argument;
use rustix::fs::{Access, access};

use super::naming::Means;
use crate::failure::{Failure, Result};

/// Bytes of a key that are read at most; one has some hundred.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// The directory of configuration: `ISOFORM_CONFIG_DIR`, or `isoform` in the platform's.
pub fn config_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("ISOFORM_CONFIG_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let base = etcetera::choose_base_strategy().map_err(|error| {
        Failure::Other(format!("{error}; set ISOFORM_CONFIG_DIR to a directory for the signing key"))
    })?;
    Ok(base.config_dir().join("isoform"))
}

/// The signing key, which is made if there is none.
pub fn signing_key() -> Result<SigningKey> {
    let path = path()?;
    read(&path)?.map_or_else(|| make(Means::ALL, &path), Ok)
}

/// Fails where a conversion would not get a signing key: the one that there is cannot be used, or none could
/// be made. Nothing is made for that.
pub fn refuse_unusable() -> Result<()> {
    unusable(&path()?)
}

fn unusable(path: &Path) -> Result<()> {
    if read(path)?.is_some() {
        return Ok(());
    }
    let mut above = path.ancestors().skip(1);
    let dir = above.find(|dir| dir.symlink_metadata().is_ok()).unwrap_or(Path::new("."));
    if !dir.is_dir() {
        return Err(Failure::io(dir, ErrorKind::NotADirectory.into()));
    }
    let allowed = access(dir, Access::WRITE_OK | Access::EXEC_OK);
    allowed.map_err(|error| Failure::io(dir, error.into()))
}

/// Which key signs here, if there is one yet.
pub fn own_key_id() -> Result<Option<Digest>> {
    read(&path()?)?.map(|key| id_of(&key)).transpose()
}

/// Which key this is.
pub fn id_of(key: &SigningKey) -> Result<Digest> {
    let id = coherence::key::key_id(&key.verifying_key());
    id.map_err(Failure::bug)
}

fn path() -> Result<PathBuf> {
    Ok(config_dir()?.join("signing-key.pem"))
}

fn read(path: &Path) -> Result<Option<SigningKey>> {
    match text_of(path, "a signing key", KEY_BYTES_MAX) {
        Ok(pem) => parse(path, &pem).map(Some),
        Err(Error::Io { error, .. }) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn parse(path: &Path, pem: &str) -> Result<SigningKey> {
    let metadata = fs::metadata(path).map_err(|error| Failure::io(path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let shown = path.display();
        return Err(Failure::Other(format!(
            "{shown}: others can read the signing key; run: chmod 600 {}",
            argument(path)
        )));
    }
    SigningKey::from_pkcs8_pem(pem).map_err(|error| {
        let shown = path.display();
        Failure::Other(format!(
            "{shown}: not an Ed25519 key in PKCS#8 PEM ({error}); move it away to make a new one"
        ))
    })
}

/// Makes a key under a temporary name and gives it its own, so that of two first uses at once one wins and
/// both use its key.
fn make(means: Means, path: &Path) -> Result<SigningKey> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let failed = |error| Failure::io(path, error);
    fs::create_dir_all(dir).map_err(failed)?;
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::Other(format!("no entropy for a signing key: {error}")))?;
    let key = SigningKey::from_bytes(&seed);
    let pem = key.to_pkcs8_pem(LineEnding::LF);
    let pem = pem.map_err(|error| Failure::Other(format!("encoding the signing key: {error}")))?;
    // The name is by chance, as in a container the number of the process may be that of a killed one. It is
    // readable by its owner alone, and removed where it gets no other name.
    let temporary = tempfile::Builder::new().prefix(".signing-key-").tempfile_in(dir).map_err(failed)?;
    let file = temporary.as_file();
    let written = (&*file).write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed);
    match written.and_then(|()| means.give_name(temporary.path(), path, false)) {
        Ok(()) => Ok(key),
        Err(Failure::Exists(_)) => parse(path, &text_of(path, "a signing key", KEY_BYTES_MAX)?),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_on_every_file_system() {
        for means in [Means::ALL, Means::LINKS, Means::RENAMES] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("config/signing-key.pem");
            let made = make(means, &path).unwrap();
            assert_eq!(read(&path).unwrap().unwrap().to_bytes(), made.to_bytes(), "{means:?}");
            assert_eq!(make(means, &path).unwrap().to_bytes(), made.to_bytes(), "{means:?}");
            assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "{means:?}");
        }
    }

    #[test]
    fn a_key_that_would_not_be_had_is_told_and_none_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("more/config/signing-key.pem");
        unusable(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        make(Means::ALL, &path).unwrap();
        unusable(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(unusable(&path).unwrap_err().to_string().contains("others can read"));
        fs::write(dir.path().join("file"), "").unwrap();
        let told = unusable(&dir.path().join("file/config/signing-key.pem")).unwrap_err().to_string();
        assert!(told.to_lowercase().contains("not a directory"), "{told}");
    }
}
