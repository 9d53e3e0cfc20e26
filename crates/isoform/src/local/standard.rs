//! Provides what a path is that a person typed: standard input or output, or a file that can be looked at.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Whether this path means standard input, or standard output.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether this is a pipe with a name, which can be read only once.
pub fn is_pipe(path: &Path) -> bool {
    !is_standard(path) && path.metadata().is_ok_and(|found| found.file_type().is_fifo())
}

/// Whether this is a file whose beginning can be looked at before it is read: no standard input, pipe or
/// directory.
pub fn is_plain_file(path: &Path) -> bool {
    !is_standard(path) && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_looked_at_before_they_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let (file, pipe) = (dir.path().join("-"), dir.path().join("pipe"));
        std::fs::write(&file, "a\n").unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(is_plain_file(&file) && !is_standard(&file));
        assert!(is_standard(Path::new("-")) && !is_standard(Path::new("./-")));
        for path in [Path::new("-"), dir.path(), &pipe, &dir.path().join("missing")] {
            assert!(!is_plain_file(path), "{}", path.display());
        }
    }
}
