//! Provides the oracle of sounds: samples are the same however they are read, and come back from every
//! format of sounds that holds them.

use super::arrays::{comes_back, pieces, read, written};
use super::{Held, file, refusal, same};
use crate::error::Error;
use crate::signal::{Arrays, Encoding, Filter, SignalFormat, open, plan};
use crate::sound::depth::{Depth, Scaled, between};

/// Samples that are looked at: a few bytes can rightly stand for many.
const SAMPLES_MAX: u64 = 1 << 18;

/// A sound of any format, by its first bytes.
pub fn sound(bytes: &[u8]) -> Held {
    let failed = |error: Error| error.to_string();
    let found = file(bytes, "sound").map_err(failed)?;
    let format = SignalFormat::of_file(&found).map_err(failed)?;
    let Some(format) = format.filter(|format| format.is_sound()) else { return Ok(()) };
    let opened = || open(found.clone(), format, &std::env::temp_dir());
    let sound = match opened() {
        Ok(sound) => sound,
        Err(error) => return refusal(&error),
    };
    if sound.signature().samples().is_none_or(|samples| samples > SAMPLES_MAX) {
        return Ok(());
    }
    let content = match read(&sound) {
        Ok(content) => content,
        Err(error) => return refusal(&error),
    };
    pieces(&sound, &content)?;
    for target in SignalFormat::ALL.into_iter().filter(|format| format.is_sound()) {
        let filter = Filter { wanted: &|_: &str| true, drop_attributes: true };
        match plan(opened().map_err(failed)?, target, None, &filter) {
            Ok(chosen) => {
                if target == format {
                    let (ours, theirs) = (chosen.source.signature(), sound.signature());
                    same(ours, theirs, "a format holds what was read from it")?;
                }
                comes_back(&chosen.source, &chosen.stored, target)?;
            }
            Err(Error::Unsupported { .. }) if target != format => {}
            Err(error) => return Err(format!("{} does not hold what it held: {error}", target.name())),
        }
        for depth in target.depths() {
            in_depth(opened().map_err(failed)?, target, *depth)?;
        }
    }
    Ok(())
}

/// What a target holds in another depth is what the arithmetic gives, and so is what is made of it again.
fn in_depth(source: Arrays, target: SignalFormat, depth: Depth) -> Held {
    let failed = |error: Error| format!("{} of {depth}: {error}", target.name());
    let filter = Filter { wanted: &|_: &str| true, drop_attributes: true };
    let asked = Encoding::Sound(Scaled::asked(depth));
    let bytes = plan(source, target, Some(asked), &filter)
        .and_then(|chosen| Ok((written(&chosen.source, &chosen.stored, target)?, chosen)));
    let (bytes, chosen) = match bytes {
        Ok(made) => made,
        Err(Error::Unsupported { .. }) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let again =
        open(file(&bytes, "sound").map_err(failed)?, target, &std::env::temp_dir()).map_err(failed)?;
    let (ours, theirs) = (&chosen.source.signature().arrays[0], &again.signature().arrays[0]);
    let (mut held, mut back, mut lifted) = (Vec::new(), Vec::new(), Vec::new());
    let (samples, found) =
        (read(&chosen.source).map_err(failed)?.concat(), read(&again).map_err(failed)?.concat());
    chosen.stored[0].encoding.encode(ours.sample, &samples, &mut held);
    same(&found, &held, "a depth is held as it was made")?;
    chosen.stored[0].encoding.decode(&held, ours.sample, &mut back);
    between(theirs, ours).encode(theirs.sample, &found, &mut lifted);
    same(&lifted, &back, "a depth comes back by what its file tells")
}

/// Small sounds of every format.
pub fn seeds() -> crate::error::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (channels, bits) in [(1u16, 8u16), (2, 16), (3, 24), (2, 32)] {
        let frame_bytes = channels * bits / 8;
        let data: Vec<u8> = (0..600 * u32::from(frame_bytes)).map(|at| (at * at / 97) as u8).collect();
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        wav.extend(channels.to_le_bytes());
        wav.extend(8000u32.to_le_bytes());
        wav.extend((8000 * u32::from(frame_bytes)).to_le_bytes());
        wav.extend([frame_bytes.to_le_bytes(), bits.to_le_bytes()].concat());
        wav.extend(b"LIST\x0e\0\0\0INFOINAM\x02\0\0\0a\0data");
        wav.extend((data.len() as u32).to_le_bytes());
        wav.extend(&data);
        let opened = open(file(&wav, "sound")?, SignalFormat::Wav, &std::env::temp_dir())?;
        let filter = Filter { wanted: &|_: &str| true, drop_attributes: false };
        let chosen = plan(opened, SignalFormat::Flac, None, &filter)?;
        seeds.push(written(&chosen.source, &chosen.stored, SignalFormat::Flac)?);
        seeds.push(wav);
    }
    Ok(seeds)
}
