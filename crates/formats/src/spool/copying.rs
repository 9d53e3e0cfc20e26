//! Provides the copy of a text as plain UTF-8 that a thread of its own makes, and that is read meanwhile.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::transcode::Transcoder;
use super::{
    Encoding, EncodingChoice, SpoolLimits, SpoolOptions, Wrapping, check_bomb, read_file_at, temporary,
};
use crate::bytes::Ahead;
use crate::file::ObjectFile;
use crate::listen::Listener;
use crate::{Error, Result};

/// Bytes of text that are unwrapped at once.
const BLOCK_BYTES: usize = 256 << 10;

/// A copy, and the thread that makes it, which ends when nobody wants the copy any more.
#[derive(Debug)]
pub(super) struct Copying {
    copy: Arc<Copy>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Copy {
    file: File,
    object: Arc<ObjectFile>,
    directory: PathBuf,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of text that can be read.
    there: u64,
    /// Encoding of the text and its mark, once enough of it is there.
    chosen: Option<(Encoding, &'static [u8])>,
    ended: bool,
    failed: bool,
    /// Why no more will come, until somebody was told.
    fault: Option<Error>,
    unwanted: bool,
}

impl Copying {
    /// Begins to copy an object that is wrapped so.
    pub(super) fn start(
        object: &Arc<ObjectFile>,
        wrapping: Wrapping,
        options: &SpoolOptions<'_>,
    ) -> Result<Self> {
        let copy = Arc::new(Copy {
            file: temporary(options.directory)?,
            object: object.clone(),
            directory: options.directory.to_owned(),
            state: Mutex::default(),
            moved: Condvar::new(),
        });
        let (choice, limits, workers) = (options.encoding, options.limits, options.workers);
        let listener = options.listener.clone();
        let ending =
            Ending { copy: copy.clone(), outcome: Err(Error::Bug("a thread that unwraps died".into())) };
        let run = move || {
            let mut ending = ending;
            ending.outcome = ending.copy.fill(wrapping, choice, &limits, workers, &listener);
        };
        let thread = std::thread::Builder::new().spawn(run);
        let thread = thread.map_err(|error| Error::no_thread(object.path(), &error))?;
        Ok(Copying { copy, thread: Some(thread) })
    }

    /// Encoding and byte order mark of the text.
    ///
    /// # Errors
    /// The fault that was met before that is known.
    pub(super) fn chosen(&self) -> Result<(Encoding, &'static [u8])> {
        let mut state = self.copy.wait(|state| state.chosen.is_some());
        match state.chosen {
            Some(chosen) => Ok(chosen),
            None => Err(state.told()),
        }
    }

    /// Bytes of the text, whose end is waited for.
    pub(super) fn len(&self) -> u64 {
        self.copy.wait(|_| false).there
    }

    /// Why the text ends where it does, if that is no end of it and nobody was told.
    pub(super) fn fault(&self) -> Option<Error> {
        self.copy.wait(|_| false).fault.take()
    }

    /// Fills `buf` from `offset` on; fewer bytes only where the text ends, and none behind it.
    ///
    /// # Errors
    /// The fault behind which there is no more text, once all text before it was read.
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let upto = offset.saturating_add(buf.len() as u64);
        let mut state = self.copy.wait(|state| state.there >= upto);
        let wanted = usize::try_from(state.there.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        if wanted == 0 && !buf.is_empty() && state.failed {
            return Err(state.told());
        }
        drop(state);
        let read = read_file_at(&self.copy.file, &mut buf[..wanted], offset);
        read.map_err(|error| Error::io(&self.copy.directory, error))
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.copy.lock().unwanted = true;
        if let Some(thread) = self.thread.take() {
            // It has told of its end whatever became of it.
            drop(thread.join());
        }
    }
}

impl State {
    fn told(&mut self) -> Error {
        self.fault.take().unwrap_or_else(|| Error::Bug("a text is read on behind its fault".into()))
    }
}

impl Copy {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state once this is so, or nothing more will come.
    fn wait(&self, is_so: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.ended && !is_so(&state) {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Makes the copy.
    fn fill(
        &self,
        wrapping: Wrapping,
        choice: EncodingChoice,
        limits: &SpoolLimits,
        workers: usize,
        listener: &Listener,
    ) -> Result<()> {
        let mut transcoder = Transcoder::new(choice);
        let (mut bytes, mut heard) = (0, 0);
        let mut take = |content: &[u8], last: bool, read: u64| {
            listener.hear(read.saturating_sub(heard))?;
            heard = heard.max(read);
            transcoder.feed(content, last, &mut |text: &[u8]| {
                bytes += text.len() as u64;
                (&self.file).write_all(text).map_err(|error| Error::io(&self.directory, error))
            })?;
            check_bomb(limits, wrapping, bytes, read)?;
            let mut state = self.lock();
            (state.there, state.chosen) = (bytes, transcoder.chosen());
            self.moved.notify_all();
            if state.unwanted { Err(Error::Stopped) } else { Ok(()) }
        };
        let mut unwrapped = Ahead::new(wrapping, &self.object, workers)?;
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let before = unwrapped.totals().bytes;
            let filled = unwrapped.fill(&mut block);
            // What was decoded before a fault is text too.
            let count = (unwrapped.totals().bytes - before) as usize;
            take(&block[..count], false, unwrapped.position())?;
            if filled? < BLOCK_BYTES {
                return take(&[], true, self.object.len());
            }
        }
    }
}

/// Tells that the copy has ended, even where its thread panics.
struct Ending {
    copy: Arc<Copy>,
    outcome: Result<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let outcome = std::mem::replace(&mut self.outcome, Ok(()));
        let mut state = self.copy.lock();
        state.fault = outcome.err().map(|error| error.in_file(self.copy.object.path()));
        (state.ended, state.failed) = (true, state.fault.is_some());
        self.copy.moved.notify_all();
    }
}
