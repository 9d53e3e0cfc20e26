//! Provides standard output as a conversion writes it: it waits for a reader that reads nothing only as long
//! as no signal asks to stop, and what the reader took is counted to the byte.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Time to wait for a reader between two looks whether to stop.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Bytes that a pipe with any room takes at once: PIPE_BUF of Linux.
const PIPE_BYTES: usize = 4096;

/// Standard output, without a buffer, in which bytes could wait that were counted.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// Whether it is a file, which keeps nobody waiting.
    is_file: bool,
}

impl Output {
    /// That of this process.
    pub fn standard() -> Result<Self> {
        let owned = std::io::stdout().as_fd().try_clone_to_owned();
        owned.and_then(|owned| Self::of(owned.into())).map_err(|error| Failure::io(Path::new("-"), error))
    }

    fn of(file: File) -> std::io::Result<Self> {
        let is_file = file.metadata()?.is_file();
        Ok(Output { file, is_file })
    }
}

impl Write for Output {
    /// Writes what is taken at once. Where that is nothing for a while, it is as if a signal had come:
    /// whoever writes looks whether to stop, and writes again.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_file {
            return self.file.write(bytes);
        }
        match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&WAIT))? {
            0 => Err(ErrorKind::Interrupted.into()),
            _ => self.file.write(&bytes[..bytes.len().min(PIPE_BYTES)]),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes all of `bytes`, counts those that are out, and tells whether these are all: a reader that closed
/// its end has what it wanted.
pub fn write(out: &mut dyn Write, mut bytes: &[u8], count: &mut u64, progress: &Progress) -> Result<bool> {
    while !bytes.is_empty() {
        progress.advance(0)?;
        match out.write(bytes) {
            Ok(written) => {
                *count += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => return Err(Failure::io(Path::new("-"), error)),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_reader_that_reads_nothing_keeps_nobody_waiting() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut out = Output::of(File::from(std::os::fd::OwnedFd::from(writer))).unwrap();
        let mut count = 0;
        let error = loop {
            match out.write(&[7; 100_000]) {
                Ok(written) => count += written,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        let mut taken = vec![0; count];
        reader.read_exact(&mut taken).unwrap();
        assert!(taken.iter().all(|byte| *byte == 7) && out.write(&[7; 10]).unwrap() == 10);
        drop(reader);
        assert_eq!(out.write(&[7]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_file_takes_all_at_once() {
        let mut out = Output::of(tempfile::tempfile().unwrap()).unwrap();
        assert_eq!(out.write(&[7; 100_000]).unwrap(), 100_000);
    }
}
