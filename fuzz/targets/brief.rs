//! One fuzz target, briefly: its seeds, and changes of them that a generator with a fixed start makes. What
//! is tried depends on the seeds alone, so that the same code ends the same way on every machine. libFuzzer
//! (`fuzz_target`) is led by what runs, finds more, and never takes the same way twice.
//!
//! `fuzz_brief SEEDS TRIED` names the target in `ISOFORM_FUZZ_TARGET`, and keeps in the file `TRIED` what it
//! tries, for whatever ends the process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cap::Cap;
use fastrand::Rng;
// Instrumented libraries report to libFuzzer, wherever they are linked.
use libfuzzer_sys as _;

#[global_allocator]
static MEMORY: Cap<std::alloc::System> = Cap::new(std::alloc::System, fuzz::MEMORY_BYTES_MAX);

/// Changed inputs of a target.
const CHANGED: usize = 1000;

/// An input may take so long: what takes longer is a fault, as with libFuzzer.
const INPUT_TIME_MAX: Duration = Duration::from_secs(20);

/// An input never grows beyond.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// Changes of one input at most.
const CHANGES_MAX: usize = 5;

/// The exit code where what is tried cannot be kept.
const UNKEPT: i32 = 3;

/// Numbers at which decoders go wrong: ends of ranges, and what is one beyond.
const NUMBERS: [u64; 10] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(tried)) = (arguments.next(), arguments.next()) else {
        eprintln!("fuzz_brief SEEDS TRIED");
        std::process::exit(2);
    };
    fuzz::begin();
    let seeds = seeds(&folder).unwrap_or_else(|error| {
        eprintln!("{}: {error}", folder.display());
        std::process::exit(2)
    });
    let begun = Instant::now();
    let attempt = |input: &[u8]| {
        if let Err(error) = std::fs::write(&tried, input) {
            eprintln!("{}: cannot keep what is tried next ({error}); no input is at fault", tried.display());
            std::process::exit(UNKEPT);
        }
        let begun = Instant::now();
        fuzz::judge(input);
        let time = begun.elapsed();
        if time > INPUT_TIME_MAX {
            eprintln!("an input took {} s", time.as_secs());
            std::process::abort();
        }
    };
    seeds.iter().for_each(|seed| attempt(seed));
    let mut random = Rng::with_seed(1);
    (0..CHANGED).for_each(|_| attempt(&changed(&mut random, &seeds)));
    println!("{} runs in {} ms", seeds.len() + CHANGED, begun.elapsed().as_millis());
}

/// The seeds in the order of their names, which are their digests.
fn seeds(folder: &PathBuf) -> std::io::Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    let mut seeds = paths.iter().map(std::fs::read).collect::<std::io::Result<Vec<_>>>()?;
    // Something to change, for a target without seeds.
    if seeds.is_empty() {
        seeds.push(Vec::new());
    }
    Ok(seeds)
}

/// A seed with some changes.
fn changed(random: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..=CHANGES_MAX) {
        change(random, seeds, &mut input);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// One change: of a bit, a byte or a number, or bytes that go, come twice, are made up, or come from another
/// seed.
fn change(random: &mut Rng, seeds: &[Vec<u8>], input: &mut Vec<u8>) {
    let at = random.usize(..=input.len());
    let end = input.len().min(at + random.usize(1..=32));
    match random.u8(..10) {
        0 | 1 => input[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << random.u8(..8)),
        2 => input[at..].iter_mut().take(1).for_each(|byte| *byte = random.u8(..)),
        3 | 4 => {
            let number = NUMBERS[random.usize(..NUMBERS.len())];
            let width = 1 << random.usize(..4);
            let mut bytes = number.to_le_bytes()[..width].to_vec();
            if random.bool() {
                bytes.reverse();
            }
            input[at..].iter_mut().zip(bytes).for_each(|(byte, new)| *byte = new);
        }
        5 => drop(input.drain(at..end)),
        6 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        7 => {
            let made = (0..random.usize(1..=8)).map(|_| random.u8(..)).collect::<Vec<u8>>();
            input.splice(at..at, made);
        }
        8 => {
            let other = &seeds[random.usize(..seeds.len())];
            let from = random.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.truncate(at),
    }
}
