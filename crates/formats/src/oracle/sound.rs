//! Provides the oracle of sounds: samples are the same however they are read, and come back from every
//! format of sounds that holds them.

use super::arrays::{comes_back, pieces, read, written};
use super::{Held, file, refusal, same};
use crate::error::Error;
use crate::signal::{SignalFormat, open, plan};

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
        match plan(opened().map_err(failed)?, target, None, true) {
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
    }
    Ok(())
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
        let chosen = plan(opened, SignalFormat::Flac, None, false)?;
        seeds.push(written(&chosen.source, &chosen.stored, SignalFormat::Flac)?);
        seeds.push(wav);
    }
    Ok(seeds)
}
