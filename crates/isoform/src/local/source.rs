//! Provides the sources of a conversion: files, or pipes and standard input that are copied into a temporary
//! first, with their digests.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use coherence::certificate;
use coherence::digest::{Digest, ObjectDigest};
use coherence::verified::Records;
use formats::Error;
use formats::concat::{ConcatOptions, Input, open_many};
use formats::file::ObjectFile;
use formats::media::MediaType;
use formats::open::{OpenOptions, Opened};
use formats::recognise::{detect, of_stream};
use formats::registry::Format;

use super::pool::meanwhile;
use super::standard::{is_pipe, is_standard};
use super::{Job, hash_object, retyped_on, stopped};
use crate::failure::{Failure, Result};
use crate::meter::Stage;
use crate::progress::Progress;

/// How long a pipe that nobody writes to is waited for.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// How often a wait looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Bytes of a stream that are read at once, and how many such blocks may wait.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCKS_AHEAD: usize = 4;

/// A file whose digests are known, as it was when it was opened for them.
#[derive(Debug, Clone)]
pub struct Hashed {
    /// Its bytes.
    pub file: Arc<ObjectFile>,
    /// Their digests.
    pub digest: ObjectDigest,
}

/// The open sources of one conversion.
pub struct Source {
    /// The table that they are.
    pub opened: Opened,
    /// The objects, in order.
    pub objects: Vec<Object>,
    /// Their media types.
    media: Vec<&'static MediaType>,
}

/// One object.
pub struct Object {
    /// Its path as it was given.
    pub path: PathBuf,
    /// Its bytes.
    pub file: Arc<ObjectFile>,
    /// Their digests.
    pub digest: ObjectDigest,
}

/// One digest for all objects: that of the only one, or of the list of all.
pub fn digest_of(objects: &[ObjectDigest]) -> Digest {
    joined(&objects.iter().map(|object| object.blake3).collect::<Vec<_>>())
}

/// The same of the digests of all objects.
pub fn joined(digests: &[Digest]) -> Digest {
    match digests {
        [only] => *only,
        all => {
            let list: String = all.iter().map(|digest| format!("{digest}\n")).collect();
            Digest::blake3(list.as_bytes())
        }
    }
}

impl Source {
    /// Opens and hashes the sources side by side.
    pub fn open(job: &Job, progress: &Progress) -> Result<Self> {
        let inputs = inputs(job, progress)?;
        let files: Vec<_> = inputs.iter().map(|input| input.file.clone()).collect();
        let size: u64 = files.iter().map(|file| file.len()).sum();
        // Each is hashed, and read once more to be unwrapped or scanned.
        progress.begin(Stage::Reading, size, size * 2);
        let known = |file: &ObjectFile| job.hashed.as_ref().filter(|hashed| hashed.file.is_as(file));
        let hash = |file: &ObjectFile| match known(file) {
            Some(hashed) => progress.advance(file.len()).map(|()| hashed.digest),
            None => hash_object(file, progress),
        };
        let hash = || files.iter().map(|file| hash(file)).collect::<Result<Vec<_>>>();
        let (digests, opened) = meanwhile(hash, || open_inputs(inputs, &job.many))?;
        let opened = unless_changed(&files, opened)?;
        let digests = unless_changed(&files, digests)?;
        let mut opened = unless_changed(&files, led(opened, job))?;
        opened.notes.extend(job.notes.iter().cloned());
        let said = opened.layout().into_iter().chain(opened.plain.iter().cloned());
        said.for_each(|line| progress.say(1, || line));
        let objects = job.sources.iter().zip(files).zip(digests);
        let objects = objects.map(|((path, file), digest)| Object { path: path.clone(), file, digest });
        let formats = opened.formats();
        job.check_conversions(&formats)?;
        let media = formats.into_iter().enumerate().map(|(source, format)| job.media_of(format, source));
        Ok(Source { media: media.collect(), opened, objects: objects.collect() })
    }

    /// The media type of the first object.
    pub fn media_type(&self) -> &'static str {
        self.media.first().map_or("", |media| media.media_type.as_str())
    }

    /// Records that were set aside.
    pub fn set_aside(&self) -> u64 {
        self.records().set_aside
    }

    /// The records that there are, as an independent scan counted them, and those that were set aside.
    pub fn records(&self) -> Records {
        records_of(&self.opened)
    }

    /// Bytes of all objects.
    pub fn size(&self) -> u64 {
        self.objects.iter().map(|object| object.digest.size).sum()
    }

    /// One digest for all objects.
    pub fn digest(&self) -> Digest {
        digest_of(&self.objects.iter().map(|object| object.digest).collect::<Vec<_>>())
    }

    /// Fails if an object was written to since it was opened.
    pub fn check_unchanged(&self) -> Result<()> {
        Ok(self.objects.iter().try_for_each(|object| object.file.check_unchanged())?)
    }

    /// What came of reading the sources, or that one of them changed meanwhile: what is wrong with bytes that
    /// are no longer those that were opened is no fault of theirs.
    pub fn unless_changed<T>(&self, found: Result<T>) -> Result<T> {
        unless_changed(&self.objects.iter().map(|object| object.file.clone()).collect::<Vec<_>>(), found)
    }

    /// The objects as a certificate lists them.
    pub fn files(&self) -> Vec<certificate::File> {
        let objects = self.objects.iter().zip(&self.media);
        let files = objects.map(|(object, media)| certificate::File {
            name: object.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            object: object.digest,
            media_type: media.media_type.clone(),
        });
        files.collect()
    }
}

fn unless_changed<T>(files: &[Arc<ObjectFile>], found: Result<T>) -> Result<T> {
    if let Err(Failure::Format(_) | Failure::Mismatch(_) | Failure::Usage(_)) = found {
        files.iter().try_for_each(|file| file.check_unchanged())?;
    }
    found
}

/// Opens the sources of a conversion that is only planned.
pub fn open_planned(job: &Job, progress: &Progress) -> Result<Opened> {
    let mut opened = led(open_inputs(inputs(job, progress)?, &job.many)?, job)?;
    opened.notes.extend(job.notes.iter().cloned());
    job.check_conversions(&opened.formats())?;
    Ok(opened)
}

/// The same table, led through the formats that a person named.
fn led(mut opened: Opened, job: &Job) -> Result<Opened> {
    if !job.via.is_empty() {
        retyped_on(&mut opened, job.workers)?;
    }
    job.via.iter().try_fold(opened, |opened, options| Ok(opened.by_way_of(options.clone())?))
}

/// The sources of a conversion, each option that was typed being about some of them.
fn inputs(job: &Job, progress: &Progress) -> Result<Vec<Input>> {
    let inputs = job.sources.iter().map(|path| input(path, &job.open, progress));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    if job.open.arrays.is_some() {
        return Ok(inputs);
    }
    let formats =
        inputs.iter().map(|input| Ok((input.name.as_path(), detect(&input.file, input.options.format)?.0)));
    if let Ok(formats) = formats.collect::<formats::Result<Vec<_>>>() {
        job.typed.check_sources(&formats)?;
    }
    Ok(inputs)
}

/// The records of open sources, as an independent scan counted them, and those that were set aside.
pub fn records_of(opened: &Opened) -> Records {
    let set_aside = opened.set_aside.as_ref().map_or(0, |set_aside| set_aside.records);
    Records { counted: opened.records() + set_aside, set_aside }
}

/// Opens the sources as one table, in which they have these names, each by its own options or all by the only
/// ones.
pub fn open_sources(
    paths: &[PathBuf],
    names: &[PathBuf],
    each: &[OpenOptions],
    many: &ConcatOptions,
    progress: &Progress,
) -> Result<Opened> {
    let first = each.first().ok_or_else(|| Failure::bug("no options for a source"))?;
    let mut inputs = Vec::with_capacity(paths.len());
    for (index, (path, name)) in paths.iter().zip(names).enumerate() {
        let options = each.get(index).unwrap_or(first);
        inputs.push(Input { name: name.clone(), ..input(path, options, progress)? });
    }
    open_inputs(inputs, many)
}

/// Opens a file as one table. A stream that was copied is not read a second time.
pub fn open_table(file: &Arc<ObjectFile>, options: &OpenOptions, progress: &Progress) -> Result<Opened> {
    let options = OpenOptions { listener: progress.listener(), ..options.clone() };
    formats::open::open(file.clone(), &options).map_err(stopped)
}

fn open_inputs(mut inputs: Vec<Input>, many: &ConcatOptions) -> Result<Opened> {
    let alone = many.source_column.is_none() && many.path_columns.is_empty();
    match (inputs.len(), inputs.pop()) {
        (1, Some(only)) if alone => formats::open::open(only.file, &only.options).map_err(stopped),
        (_, last) => {
            inputs.extend(last);
            open_many(inputs, many).map_err(stopped)
        }
    }
}

/// A file, or the copy of a stream.
fn input(path: &Path, options: &OpenOptions, progress: &Progress) -> Result<Input> {
    let mut options = OpenOptions { listener: progress.listener(), ..options.clone() };
    let (file, copied) = file(path, &options.spool_dir, progress)?;
    let told = options.format.is_some() || options.arrays.is_some();
    if copied && !told && Format::of_name(path).is_none() {
        options.format = of_stream(&file)?;
    }
    Ok(Input { file, name: path.to_owned(), options })
}

/// A file; or the copy of a stream in this directory, and that it is one.
pub fn file(path: &Path, spool_dir: &Path, progress: &Progress) -> Result<(Arc<ObjectFile>, bool)> {
    let stdin = is_standard(path);
    if !stdin && !is_pipe(path) {
        return Ok((Arc::new(ObjectFile::open(path)?), false));
    }
    let name = path.to_owned();
    let blocks = match stdin {
        true => read_ahead(path, move || Ok(std::io::stdin()))?,
        false => read_ahead(path, move || File::open(&name))?,
    };
    let copy = spool(path, &blocks, stdin, spool_dir, progress)?;
    Ok((Arc::new(ObjectFile::from_file(copy, path)?), true))
}

/// A file that is read once, such as a list of sources; a pipe that nobody writes to is given up.
pub fn opened(path: &Path) -> Result<File> {
    let failed = |error| Failure::io(path, error);
    if !is_pipe(path) {
        return File::open(path).map_err(failed);
    }
    let (sender, receiver) = sync_channel(1);
    let name = path.to_owned();
    let thread = Builder::new().spawn(move || sender.send(File::open(name)));
    thread.map_err(|error| Error::no_thread(path, &error))?;
    match receiver.recv_timeout(PIPE_PATIENCE) {
        Ok(file) => file.map_err(failed),
        Err(_) => Err(unwritten(path)),
    }
}

/// The failure of a pipe that nobody opened for writing.
fn unwritten(path: &Path) -> Failure {
    let (shown, seconds) = (path.display(), PIPE_PATIENCE.as_secs());
    Failure::Temporary(format!(
        "{shown}: nobody opened this pipe for writing within {seconds} seconds; try again once its writer \
         runs"
    ))
}

/// Opens and reads a stream on a thread of its own, since neither can be interrupted. The thread ends with
/// the stream, or with the program.
fn read_ahead<R: Read>(
    path: &Path,
    open: impl FnOnce() -> std::io::Result<R> + Send + 'static,
) -> Result<Receiver<std::io::Result<Vec<u8>>>> {
    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
    let thread = Builder::new().spawn(move || {
        let read = open().and_then(|stream| {
            // An empty block says that the stream is open.
            let _ = sender.send(Ok(Vec::new()));
            read_all(stream, &sender)
        });
        if let Err(error) = read {
            let _ = sender.send(Err(error));
        }
    });
    thread.map_err(|error| Error::no_thread(path, &error))?;
    Ok(receiver)
}

fn read_all(mut stream: impl Read, to: &SyncSender<std::io::Result<Vec<u8>>>) -> std::io::Result<()> {
    loop {
        let mut block = vec![0; BLOCK_BYTES];
        match stream.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                block.truncate(count);
                if to.send(Ok(block)).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Copies a stream into a temporary without a name.
fn spool(
    path: &Path,
    blocks: &Receiver<std::io::Result<Vec<u8>>>,
    open: bool,
    directory: &Path,
    progress: &Progress,
) -> Result<File> {
    let failed = |error| Failure::io(directory, error);
    let mut copy = tempfile::tempfile_in(directory).map_err(failed)?;
    each_block(path, blocks, open, progress, |block| copy.write_all(block).map_err(failed))?;
    Ok(copy)
}

/// Reads a pipe that a person named, and may be interrupted; one that nobody writes to is given up.
pub fn read_pipe(path: &Path, progress: &Progress, take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let name = path.to_owned();
    each_block(path, &read_ahead(path, move || File::open(&name))?, false, progress, take)
}

/// Hands over the blocks of a stream as they come; until it is open, it is waited for only so long.
fn each_block(
    path: &Path,
    blocks: &Receiver<std::io::Result<Vec<u8>>>,
    mut open: bool,
    progress: &Progress,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        match blocks.recv_timeout(LOOK) {
            Ok(block) => {
                open = true;
                let block = block.map_err(|error| Failure::io(path, error))?;
                progress.advance(0)?;
                take(&block)?;
            }
            Err(RecvTimeoutError::Timeout) => {
                progress.advance(0)?;
                if !open && started.elapsed() > PIPE_PATIENCE {
                    return Err(unwritten(path));
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Output, When};
    use crate::local::mutants;

    #[test]
    fn digests_that_are_known_are_taken_for_the_same_bytes_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        let output =
            Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
        let progress = Progress::new(&output).unwrap();
        let mut job = mutants::job(dir.path(), path.clone(), Format::Parquet);
        let found = |job: &Job| Source::open(job, &progress).unwrap().objects[0].digest;
        let honest = found(&job);
        let file = Arc::new(ObjectFile::open(&path).unwrap());
        let told = ObjectDigest { blake3: Digest::blake3(b"told"), ..honest };
        job.hashed = Some(Hashed { file, digest: told });
        assert_eq!(found(&job), told);
        std::fs::write(&path, "a,b\n1,3\n").unwrap();
        let anew = found(&job);
        assert!(anew != told && anew != honest);
    }
}
