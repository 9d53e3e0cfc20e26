//! Provides the refusal of files in a directory that a certificate proves as a whole.

use std::path::Path;

use coherence::statement::Content;

use super::seal::placed;
use super::staging::certificate_path;
use super::verify::read_certificate;
use crate::failure::{Failure, Result};

/// Fails where what is to be made would lie in a directory of partitions, or below one, that has a
/// certificate: another file in it is no part of what is proven, and whoever reads the directory would
/// read it too.
pub fn refuse_inside(path: &Path) -> Result<()> {
    refuse_below(path, &placed(path))
}

/// The same where files are to be made in a directory.
pub fn refuse_into(dir: &Path) -> Result<()> {
    refuse_below(dir, &placed(&dir.join("file")))
}

fn refuse_below(path: &Path, file: &Path) -> Result<()> {
    for dir in file.ancestors().skip(1).filter(|dir| dir.file_name().is_some()) {
        let at = certificate_path(dir);
        if !at.is_file() {
            continue;
        }
        let Ok(certificate) = read_certificate(&at, None) else { continue };
        if matches!(certificate.statement().predicate.content, Content::Partitioned(_)) {
            let (shown, dir, at) = (path.display(), dir.display(), at.display());
            return Err(Failure::Usage(format!(
                "{shown}: {dir} is a directory of partitions, certified as a whole by {at}, and takes no \
                 other file; give another place, or remove that certificate first"
            )));
        }
    }
    Ok(())
}
