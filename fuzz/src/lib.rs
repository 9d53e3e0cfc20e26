//! Provides the table of fuzz targets, and the call of an oracle in a process of its own.
//!
//! The oracles themselves are in the libraries (`formats::oracle`, `coherence::oracle`). Here is only what
//! turns a broken law into the end of the process, which is how libFuzzer learns of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use formats::media::{BUILT_IN, Codec};
use formats::oracle;

/// Bytes that a target may hold at once. An input has a few kilobytes; the largest block that the libraries
/// take on the word of a file has 256 MiB (`formats::limits`), and may be held twice.
pub const MEMORY_BYTES_MAX: usize = 1 << 30;

/// What an oracle says of bytes: nothing, or which law they break.
type Said = Result<(), String>;

/// An oracle that needs no choice.
type Plain = fn(&[u8]) -> Said;

/// An oracle over bytes.
pub type Oracle = Box<dyn Fn(&[u8]) -> Said + Send + Sync>;

/// The variable that names the target.
const CHOICE: &str = "ISOFORM_FUZZ_TARGET";

/// Splitters, what goes from one format into all others, and what is read beside the formats of content.
const OTHERS: [(&str, Plain); 14] = [
    ("any", oracle::any),
    ("arrays", oracle::arrays),
    ("attributes", oracle::attributes),
    ("bytes", oracle::bytes),
    ("certificate", coherence::oracle::certificate),
    ("csv_parts", oracle::csv_parts),
    ("image", oracle::image),
    ("index", oracle::index),
    ("jsonl_parts", oracle::jsonl_parts),
    ("media_types", oracle::media_types),
    ("record", oracle::record),
    ("sound", oracle::sound),
    ("spool", oracle::spool),
    ("typing", oracle::typing),
];

/// All targets with their names: one for each decoder, from the table of all, and the others.
pub fn targets() -> Vec<(&'static str, Oracle)> {
    let decoders = BUILT_IN.iter().map(|entry| (entry.name, decoder(entry.codec)));
    decoders.chain(OTHERS.map(|(name, oracle)| (name, Box::new(oracle) as Oracle))).collect()
}

fn decoder(codec: Codec) -> Oracle {
    match codec {
        Codec::Table(format) => Box::new(move |bytes| oracle::table_of(format, bytes)),
        Codec::Arrays(format) if format.is_sound() => Box::new(move |bytes| oracle::sound_of(format, bytes)),
        Codec::Arrays(format) => Box::new(move |bytes| oracle::arrays_of(format, bytes)),
        Codec::Image(format) => Box::new(move |bytes| oracle::image_of(format, bytes)),
        Codec::Bytes(codec) => Box::new(move |bytes| oracle::bytes_of(codec, bytes)),
    }
}

/// The target that the environment names.
fn chosen() -> Oracle {
    let name = std::env::var(CHOICE).unwrap_or_default();
    let found = targets().into_iter().find(|(known, _)| *known == name);
    found.map(|(_, oracle)| oracle).unwrap_or_else(|| {
        let known: Vec<&str> = targets().into_iter().map(|(name, _)| name).collect();
        eprintln!("{CHOICE}={name} is no target; choose one of {}", known.join(", "));
        std::process::exit(2)
    })
}

/// The target of this process.
static TARGET: LazyLock<Oracle> = LazyLock::new(chosen);

/// Takes the place of libFuzzer's hook, which ends the process at any panic: one inside a decoder of others
/// is caught by the libraries and is an error about the bytes. One in our own code is a fault, caught or not.
pub fn begin() {
    LazyLock::force(&TARGET);
    std::panic::set_hook(Box::new(|info| {
        let foreign = info.location().is_some_and(|at| at.file().starts_with('/'));
        if !foreign {
            eprintln!("{info}");
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
    }));
}

/// Ends the process where the oracle of the target finds a broken law, or a panic that nobody caught.
pub fn judge(data: &[u8]) {
    match catch_unwind(AssertUnwindSafe(|| TARGET(data))) {
        Ok(Ok(())) => {}
        Ok(Err(broken)) => {
            eprintln!("a law is broken: {broken}");
            std::process::abort();
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            eprintln!("a decoder of others panicked and nobody caught it: {text:?}");
            std::process::abort();
        }
    }
}
