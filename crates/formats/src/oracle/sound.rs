//! Provides the oracle of sounds: samples are the same however they are read, and come back from every
//! format of sounds that holds them.

use std::sync::Arc;

use ogg::{PacketWriteEndInfo, PacketWriter};

use super::arrays::{comes_back, pieces, read, written};
use super::{Held, file, refusal, same};
use crate::error::Error;
use crate::file::ObjectFile;
use crate::signal::{Arrays, Encoding, SignalFormat, open, plan};
use crate::sound::depth::{Depth, Scaled, between};

/// Samples that are looked at: a few bytes can rightly stand for many.
const SAMPLES_MAX: u64 = 1 << 18;

/// A sound of any format, by its first bytes.
pub fn sound(bytes: &[u8]) -> Held {
    let failed = |error: Error| error.to_string();
    let found = file(bytes, "sound").map_err(failed)?;
    let format = SignalFormat::of_file(&found).map_err(failed)?;
    match format.filter(|format| format.is_sound()) {
        Some(format) => held(format, &found, |_| true),
        None => Ok(()),
    }
}

/// A sound of this format, which goes into the same again, or into WAV where the format is only read.
pub fn sound_of(format: SignalFormat, bytes: &[u8]) -> Held {
    let own = if format.is_written() { format } else { SignalFormat::Wav };
    held(format, &file(bytes, "sound").map_err(|error| error.to_string())?, |target| target == own)
}

fn held(format: SignalFormat, found: &Arc<ObjectFile>, is_target: impl Fn(SignalFormat) -> bool) -> Held {
    let failed = |error: Error| error.to_string();
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
    let written = |format: &SignalFormat| format.is_sound() && format.is_written() && is_target(*format);
    for target in SignalFormat::ALL.into_iter().filter(written) {
        match plan(opened().map_err(failed)?, target, None, true) {
            Ok(chosen) => {
                if target == format {
                    let (ours, theirs) = (chosen.source.signature(), sound.signature());
                    same(ours, theirs, "a format holds what was read from it")?;
                }
                comes_back(&chosen.source, &chosen.stored, target)?;
            }
            Err(Error::Unsupported { .. } | Error::Misuse(_)) if target != format => {}
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
    let asked = Encoding::Sound(Scaled::asked(depth));
    let bytes = plan(source, target, Some(asked), true)
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
        let chosen = plan(opened, SignalFormat::Flac, None, false)?;
        seeds.push(written(&chosen.source, &chosen.stored, SignalFormat::Flac)?);
        seeds.push(wav);
        seeds.push(aiff(channels, bits, &data));
    }
    seeds.push(opus().map_err(Error::Bug)?);
    Ok(seeds)
}

/// An AIFF of 8,000 samples a second.
fn aiff(channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let frames = data.len() as u32 / u32::from(channels * bits / 8);
    let mut aiff =
        b"FORM\0\0\0\0AIFFNAME\0\0\0\x02abANNO\0\0\0\x01c\0MARK\0\0\0\x02\0\0COMM\0\0\0\x12".to_vec();
    aiff.extend(channels.to_be_bytes());
    aiff.extend(frames.to_be_bytes());
    aiff.extend(bits.to_be_bytes());
    aiff.extend([0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0]);
    aiff.extend(b"SSND");
    aiff.extend((data.len() as u32 + 8).to_be_bytes());
    aiff.extend([0; 8]);
    aiff.extend(data);
    let len = aiff.len() as u32 - 8;
    aiff[4..8].copy_from_slice(&len.to_be_bytes());
    aiff
}

/// Opus in Ogg, of two channels.
fn opus() -> Result<Vec<u8>, String> {
    let mut encoder = ropus::OpusEncoder::new(48_000, 2, ropus::OPUS_APPLICATION_AUDIO)
        .map_err(|code| format!("an encoder of Opus was refused: {code}"))?;
    let mut writer = PacketWriter::new(Vec::new());
    let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0".to_vec();
    let tags = b"OpusTags\0\0\0\0\x01\0\0\0\x07\0\0\0TITLE=a".to_vec();
    let mut packets = vec![(head, PacketWriteEndInfo::EndPage, 0), (tags, PacketWriteEndInfo::EndPage, 0)];
    for at in 1..=4u64 {
        let samples: Vec<i16> = (0..1_920).map(|sample| (sample * sample / 97) as i16).collect();
        let mut packet = vec![0; 1_500];
        let room = packet.len() as i32;
        let len = encoder.encode(&samples, 960, &mut packet, room);
        packet.truncate(len.map_err(|code| format!("Opus was not encoded: {code}"))? as usize);
        let end = if at == 4 { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        packets.push((packet, end, at * 960 - if at == 4 { 7 } else { 0 }));
    }
    for (packet, end, position) in packets {
        writer.write_packet(packet, 1, end, position).map_err(|error| error.to_string())?;
    }
    Ok(writer.into_inner())
}
