//! Tests of the proof of signals: an encoder that writes something else than it says is refused, and nothing
//! stays of the target.

use std::path::Path;
use std::sync::Arc;

use coherence::budget::{Bound, Budget};
use coherence::digest::Digest;
use formats::media::{self, Codec};
use formats::open::TypingRules;
use formats::signal::{Declared, Encoding, Packing, SignalFormat, Writer, Written};
use serde_json::Map;

use super::super::journal::Journal;
use super::super::staging::temporaries;
use super::*;
use crate::cli::{Output, When};
use crate::failure::DIFFERS;

/// What an encoder does wrong: with the samples of each stretch, and with the bytes around them.
#[derive(Clone, Copy, Default)]
pub struct Lie {
    /// Changes samples as they are held; what is said of them is what they are then.
    pub samples: Option<fn(&mut [u8])>,
    /// Changes what stands before the samples.
    pub around: Option<fn(&mut Vec<u8>)>,
}

/// The same writer, which lies about what stands around the samples.
pub fn told(lie: Lie, writer: Box<dyn Writer>) -> Box<dyn Writer> {
    match lie.around {
        Some(lie) => Box::new(Liar { inner: writer, lie }),
        None => writer,
    }
}

struct Liar {
    inner: Box<dyn Writer>,
    lie: fn(&mut Vec<u8>),
}

impl Writer for Liar {
    fn order(&self) -> &[usize] {
        self.inner.order()
    }

    fn begin(&mut self, array: usize) -> formats::Result<Vec<u8>> {
        let mut bytes = self.inner.begin(array)?;
        (self.lie)(&mut bytes);
        Ok(bytes)
    }

    fn data(&mut self, held: &[u8], written: &Written) -> formats::Result<()> {
        self.inner.data(held, written)
    }

    fn finish(&mut self) -> formats::Result<Vec<u8>> {
        self.inner.finish()
    }

    fn can_go_on(&self) -> bool {
        self.inner.can_go_on()
    }

    fn packing(&self) -> Option<Arc<dyn Packing>> {
        self.inner.packing()
    }

    fn patch(&self) -> Option<Vec<u8>> {
        let mut bytes = self.inner.patch()?;
        (self.lie)(&mut bytes);
        Some(bytes)
    }
}

/// Replaces a text by another of the same length.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from);
    if let Some(at) = at {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// An npy of 4 × 64 samples, or of one axis where it becomes a sound.
fn source(dir: &Path, shape: &str) -> PathBuf {
    let path = dir.join("source.npy");
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend((0..256u32).flat_map(|at| ((at * at % 251) as f32 / 256.0 - 0.5).to_le_bytes()));
    std::fs::write(&path, bytes).unwrap();
    path
}

fn job(dir: &Path, (to, encoding, bound): (SignalFormat, Option<&str>, Option<f64>)) -> SignalJob {
    let media = |format| media::identify(Codec::Arrays(format), None, None);
    let shape = if to.is_sound() { "256," } else { "4, 64" };
    SignalJob {
        source: source(dir, shape),
        media: (media(SignalFormat::Npy), media(to)),
        via: Vec::new(),
        chain: Vec::new(),
        reading: OpenOptions {
            arrays: None,
            led: Vec::new(),
            format: None,
            csv: formats::csv::CsvOptions::default(),
            typing: TypingRules::default(),
            certified: None,
            encoding: formats::spool::EncodingChoice::default(),
            presence: false,
            bad: formats::csv::BadRecords::Fail,
            record_bytes_max: usize::MAX,
            keys_max: usize::MAX,
            row_bytes_max: usize::MAX,
            workers: 1,
            spool_dir: dir.to_owned(),
            listener: formats::listen::Listener::default(),
        },
        null_is_nan: false,
        target: dir.join("target"),
        to,
        encoding: encoding.map(|name| name.parse::<Encoding>().unwrap()),
        encoding_is_typed: encoding.is_some(),
        budget: Box::new(move |_| Ok(bound.map(|bound| Budget::within(Bound::Rate(bound))))),
        lossy: bound.is_some(),
        exact_asked: false,
        objective: Objective::Size,
        wanted: wanted(&[], &[]).unwrap(),
        declared: Declared { rate: to.is_sound().then_some(8000), bits: None },
        drop_attributes: true,
        replace: false.into(),
        resume: false,
        strict: false,
        threads: Some(2),
        memory: 512 << 20,
        parameters: Map::new(),
        lie: Lie::default(),
    }
}

fn progress() -> Progress {
    let output = Output { json: false, quiet: true, verbose: 0, progress: When::Never, media_types: None };
    Progress::new(&output).unwrap()
}

/// Whether what an honest encoder makes is proven.
fn holds(job: &SignalJob) {
    let progress = progress();
    let mut target = Target::begin(job).unwrap();
    let (opened, making) = open(job, &progress).unwrap();
    let (parts, _) = target.make((job, &opened), making, &progress).unwrap();
    let (made, source) = (target.path(), coherence::digest::Digest::default());
    prove::read_back(job, &opened, &parts, source, &made, &progress).unwrap();
}

/// A conversion with an encoder that lies is refused as one that differs, and leaves nothing.
fn refused(what: (SignalFormat, Option<&str>, Option<f64>), lie: Lie) {
    let dir = tempfile::tempdir().unwrap();
    let honest = job(dir.path(), what);
    holds(&honest);
    let failure = convert(&SignalJob { lie, ..honest }, &progress()).err().unwrap();
    assert_eq!(failure.code(), DIFFERS, "{what:?}: {failure}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{what:?}: {failure}");
}

#[test]
fn an_encoder_without_loss_that_flips_a_bit_is_refused() {
    use SignalFormat::{Flac, Gguf, Npy, Npz, Safetensors, Wav};
    for to in [Npy, Npz, Safetensors, Gguf, Wav] {
        for lie in [|held: &mut [u8]| held[100] ^= 1, |held: &mut [u8]| held.rotate_left(4)] {
            refused((to, None, None), Lie { samples: Some(lie), ..Lie::default() });
        }
    }
    // Widened without loss, and packed.
    refused((Npy, Some("f64"), None), Lie { samples: Some(|held| held[100] ^= 1), ..Lie::default() });
    refused((Flac, Some("i24"), Some(1e-5)), Lie { samples: Some(|held| held.fill(0)), ..Lie::default() });
}

/// What it says of its distance is not what it is: of blocks with a scale, of casts, and of a depth.
#[test]
fn an_encoder_that_loses_more_than_it_says_is_refused() {
    use SignalFormat::{Gguf, Npy, Safetensors, Wav};
    for (to, encoding, bound) in [
        (Gguf, "q8_0", 0.02),
        (Gguf, "q4_0", 0.2),
        (Safetensors, "bf16", 0.01),
        (Safetensors, "f8e4m3", 0.1),
        (Npy, "f16", 0.001),
        (Wav, "i16", 0.001),
    ] {
        // All of a stretch, the scale of one block or the first numbers, and every sign.
        let lies: [fn(&mut [u8]); 3] = [
            |held| held.fill(0),
            |held| held[..64].fill(0x55),
            |held| held.iter_mut().for_each(|byte| *byte ^= 0x80),
        ];
        for lie in lies {
            refused((to, Some(encoding), Some(bound)), Lie { samples: Some(lie), ..Lie::default() });
        }
    }
}

#[test]
fn an_encoder_that_tells_other_dimensions_is_refused() {
    use SignalFormat::{Gguf, Npy, Safetensors, Wav};
    type Lies = fn(&mut Vec<u8>);
    let lies: [(SignalFormat, Lies); 7] = [
        (Safetensors, |bytes| replace(bytes, b"[4,64]", b"[64,4]")),
        (Safetensors, |bytes| replace(bytes, b"\"F32\"", b"\"I32\"")),
        (Npy, |bytes| replace(bytes, b"(4, 64)", b"(64, 4)")),
        (Npy, |bytes| replace(bytes, b"(4, 64)", b"(3, 64)")),
        (Npy, |bytes| replace(bytes, b"<f4", b">f4")),
        (Gguf, |bytes| replace(bytes, &64u64.to_le_bytes(), &32u64.to_le_bytes())),
        // Half of the bytes are samples.
        (Wav, |bytes| replace(bytes, &1024u32.to_le_bytes(), &512u32.to_le_bytes())),
    ];
    for (to, lie) in lies {
        refused((to, None, None), Lie { around: Some(lie), ..Lie::default() });
    }
}

/// Also where the journal gives the digest of what lies there, and the content of the source.
#[test]
fn a_part_that_is_not_what_the_source_becomes_is_not_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let (job, progress) =
        (job(dir.path(), (SignalFormat::Safetensors, Some("bf16"), Some(0.01))), progress());
    let job = SignalJob { resume: true, ..job };
    let mut target = Target::begin(&job).unwrap();
    let (opened, making) = open(&job, &progress).unwrap();
    drop(target.make((&job, &opened), making, &progress).unwrap());
    drop(target);
    let [part, journal, ..] = temporaries(&job.target).unwrap();
    let (identity, mut entries) = Journal::read(&journal).unwrap().unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    let held = entries[0].bytes.start as usize..entries[0].bytes.end as usize;
    bytes[held.start] ^= 1;
    entries[0].digest = Digest::blake3(&bytes[held]);
    std::fs::write(&part, bytes).unwrap();
    Journal::begin(&journal, &identity, &entries).unwrap().keep(true);
    let failure = convert(&job, &progress).err().unwrap().to_string();
    assert!(failure.contains("the interrupted conversion was of another source"), "{failure}");
}
