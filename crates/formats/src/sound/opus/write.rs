//! Provides the writing of Opus (RFC 7845): sound is coded packet by packet, each packet is decoded as it is
//! made, and packets are laid out on pages.
//!
//! The samples that the decoder gives are the content of what is written, so whoever measures them has
//! measured the stream. Encoder and decoder go from the first sample to the last and hold a packet at a time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coherence::digest::Digest;
use coherence::signal::Signature;
use ropus::{Application, Bitrate, Channels, DecodeMode, Decoder, Encoder};

use super::{FORMAT, HEAD, RATE, TAGS};
use crate::error::{Error, Obstacle, Place, Result};
use crate::guard::guarded;
use crate::signal::Encoding;
use crate::sound::comments::PICTURE_BLOCK;
use crate::sound::ogg::PageWriter;
use crate::sound::tags::{self, PICTURE, TAG};
use crate::sound::{Shape, layout};

/// Frames of a packet: 20 ms, which is what most streams have.
const PACKET_FRAMES: usize = 960;
/// Bytes of such a packet at most (RFC 6716, section 3.4), and one that tells the coding.
const PACKET_BYTES_MAX: usize = 1276;
/// Packets of a page: a second, so that a player that seeks need not read more.
const PAGE_PACKETS: u32 = 50;
/// Work that the encoder spends; the most that it knows.
const COMPLEXITY: u8 = 10;
/// Channels that are written: those of the mapping family 0.
const CHANNELS_MAX: u64 = 2;

/// The least and the most bits a second that are asked of the encoder. More than the latter, 1275 bytes for
/// each packet, no packet holds.
pub const BITRATES: (u32, u32) = (6_000, 510_000);

/// What came of some samples.
#[derive(Debug, Default)]
pub struct Coded {
    /// Packets.
    pub packets: Vec<Vec<u8>>,
    /// What they decode to: samples of 16 bits, little-endian, without those at the beginning that are no
    /// content.
    pub samples: Vec<u8>,
}

/// What a stream is to hold.
#[derive(Debug, Clone)]
pub struct OpusTarget {
    channels: u8,
    frames: u64,
    stream: u32,
    tags: Vec<u8>,
}

impl OpusTarget {
    /// A stream of the only array of a signal, which is a sound of 48,000 frames a second, of one channel or
    /// two.
    pub fn new(signature: &Signature, stored: &[Encoding]) -> Result<Self> {
        let (shape, _) = Shape::of(FORMAT, signature, stored)?;
        let obstacles = Self::obstacles(signature);
        if !obstacles.is_empty() {
            return Err(Error::obstacles(Place::default(), obstacles));
        }
        if shape.bits != Some(16) {
            return Err(Error::Bug("samples of opus that have no 16 bits".into()));
        }
        let tags = tags(&signature.attributes);
        let digest = Digest::blake3(&signature.canonical_bytes());
        // Streams that stand in one file one day need different numbers.
        let stream = u32::from_le_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]);
        Ok(Self { channels: shape.channels as u8, frames: shape.frames, stream, tags })
    }

    /// What of the only array of a signal, which is a sound, no stream can hold.
    pub fn obstacles(signature: &Signature) -> Vec<Obstacle> {
        let [array] = signature.arrays.as_slice() else { return Vec::new() };
        let mut found = Vec::new();
        if let Some(rate) = tags::rate(&signature.attributes).filter(|rate| *rate != RATE) {
            let what = format!(
                "opus gives {RATE} samples a second, whatever went in, and this sound has {rate}; it would \
                 have to be resampled, which is no conversion and is not done"
            );
            let hint = "convert to flac, or resample it with another program first".to_owned();
            found.push(Obstacle { what, hint });
        }
        let channels = array.shape.get(1).copied().unwrap_or(1);
        if channels > CHANNELS_MAX || !layout::is_usual(channels, &array.meaning) {
            let what = format!(
                "opus is written with one channel, FC, or two, FL FR, and these are {}",
                array.meaning
            );
            let hint = "convert to flac or wav, which hold more channels".to_owned();
            found.push(Obstacle { what, hint });
        }
        found
    }

    /// A stream of the first frames of the sound alone.
    pub fn of_first(self, frames: u64) -> Self {
        Self { frames: frames.min(self.frames), ..self }
    }
}

/// Codes a sound.
pub struct OpusCoder {
    encoder: Encoder,
    decoder: Decoder,
    channels: usize,
    /// Samples that are no whole packet yet.
    begun: Vec<i16>,
    /// Packets that there will be, and were.
    packets: (u64, u64),
    /// Frames that the decoder gives before the first one of content.
    skipped: u16,
    /// Samples that it gives yet before the content, and of the content.
    left: (u64, u64),
}

impl OpusCoder {
    /// A coder that is asked for so many bits a second, on average.
    pub fn new(target: &OpusTarget, bitrate: u32) -> Result<Self> {
        let channels = if target.channels == 1 { Channels::Mono } else { Channels::Stereo };
        let refused =
            |error: &dyn std::fmt::Display| Error::Bug(format!("a coder of opus was refused: {error}"));
        // The half of Opus that keeps the waveform, and that alone: the other one, for few bits a second,
        // keeps what speech sounds like, and is further from it.
        let encoder = Encoder::builder(RATE, channels, Application::RestrictedLowDelay)
            .bitrate(Bitrate::Bits(bitrate))
            .complexity(COMPLEXITY)
            .vbr(true)
            .vbr_constraint(false)
            .build()
            .map_err(|error| refused(&error))?;
        let decoder = Decoder::new(RATE, channels).map_err(|error| refused(&error))?;
        let skipped = u16::try_from(encoder.lookahead()).map_err(|error| refused(&error))?;
        let count = u64::from(target.channels);
        let there = (target.frames + u64::from(skipped)).div_ceil(PACKET_FRAMES as u64);
        Ok(Self {
            encoder,
            decoder,
            channels: target.channels.into(),
            begun: Vec::new(),
            packets: (there.max(1), 0),
            skipped,
            left: (count * u64::from(skipped), count * target.frames),
        })
    }

    /// Takes samples of 16 bits, little-endian, of channels that lie side by side.
    pub fn push(&mut self, samples: &[u8], out: &mut Coded) -> Result<()> {
        self.begun.extend(samples.as_chunks().0.iter().map(|raw| i16::from_le_bytes(*raw)));
        let packet = PACKET_FRAMES * self.channels;
        let begun = std::mem::take(&mut self.begun);
        let (whole, rest) = begun.split_at(begun.len() / packet * packet);
        whole.chunks_exact(packet).try_for_each(|samples| self.code(samples, out))?;
        self.begun = rest.to_vec();
        Ok(())
    }

    /// Ends the sound: what is left of it is coded, with silence behind it.
    pub fn finish(&mut self, out: &mut Coded) -> Result<()> {
        while self.packets.1 < self.packets.0 {
            let mut last = std::mem::take(&mut self.begun);
            last.resize(PACKET_FRAMES * self.channels, 0);
            self.code(&last, out)?;
        }
        match self.left {
            (0, 0) if self.begun.is_empty() && self.packets.0 == self.packets.1 => Ok(()),
            _ => Err(Error::Bug("a sound of another length than its header tells".into())),
        }
    }

    fn code(&mut self, samples: &[i16], out: &mut Coded) -> Result<()> {
        let mut packet = vec![0; PACKET_BYTES_MAX];
        let mut decoded = vec![0i16; samples.len()];
        let (encoder, decoder) = (&mut self.encoder, &mut self.decoder);
        let bug = |error: &dyn std::fmt::Display| Error::Bug(format!("opus cannot be coded: {error}"));
        let (len, frames) = guarded(FORMAT, || {
            let len = encoder.encode(samples, &mut packet).map_err(|error| bug(&error))?;
            let made = decoder.decode(&packet[..len], &mut decoded, DecodeMode::Normal);
            Ok((len, made.map_err(|error| bug(&error))?))
        })?;
        if frames != PACKET_FRAMES || len == 0 {
            return Err(Error::Bug("a packet of opus is not of the length that it was given".into()));
        }
        packet.truncate(len);
        out.packets.push(packet);
        self.packets.1 += 1;
        let skipped = self.left.0.min(decoded.len() as u64);
        let kept = self.left.1.min(decoded.len() as u64 - skipped);
        self.left = (self.left.0 - skipped, self.left.1 - kept);
        let kept = &decoded[skipped as usize..(skipped + kept) as usize];
        out.samples.extend(kept.iter().flat_map(|sample| sample.to_le_bytes()));
        Ok(())
    }
}

/// Lays out packets.
#[derive(Debug)]
pub struct OpusStream {
    pages: PageWriter,
    /// Frames that are no content, and those of content.
    frames: (u16, u64),
    /// Frames that came out of packets, and packets of the page that is filled.
    came: u64,
    on_page: u32,
}

impl OpusStream {
    /// A stream of packets of a coder; what stands before these goes to `out`.
    pub fn begin(target: &OpusTarget, coder: &OpusCoder, out: &mut Vec<u8>) -> Self {
        let mut head = HEAD.to_vec();
        head.extend([1, target.channels]);
        head.extend(coder.skipped.to_le_bytes());
        head.extend(RATE.to_le_bytes());
        // No gain, and the mapping family 0.
        head.extend([0, 0, 0]);
        let mut pages = PageWriter::new(target.stream);
        for packet in [&head, &target.tags] {
            pages.packet(packet, 0, out);
            pages.end_page(false, out);
        }
        Self { pages, frames: (coder.skipped, target.frames), came: 0, on_page: 0 }
    }

    /// Lays out a packet; pages that are full go to `out`.
    pub fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>) {
        // The last packet has to be on the last page, so a page ends only when there is another packet.
        if self.on_page == PAGE_PACKETS || (self.on_page > 0 && !self.pages.has_room(packet.len())) {
            self.pages.end_page(false, out);
            self.on_page = 0;
        }
        self.came += PACKET_FRAMES as u64;
        self.on_page += 1;
        let (skipped, frames) = self.frames;
        // The sound ends within the last packet (RFC 7845, section 4.4).
        self.pages.packet(packet, self.came.min(u64::from(skipped) + frames), out);
    }

    /// Ends the stream.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.pages.end_page(true, out);
    }
}

/// The second packet, of the tags and pictures among attributes (RFC 7845, section 5.2).
fn tags(attributes: &[(String, Vec<u8>)]) -> Vec<u8> {
    let comment = |(key, value): &(String, Vec<u8>)| match key.strip_prefix(TAG) {
        Some(name) => Some([name.as_bytes(), b"=", value].concat()),
        None if key == PICTURE => Some(format!("{PICTURE_BLOCK}={}", STANDARD.encode(value)).into_bytes()),
        None => None,
    };
    let comments: Vec<Vec<u8>> = attributes.iter().filter_map(comment).collect();
    let mut packet = TAGS.to_vec();
    put(&mut packet, b"isoform");
    packet.extend((comments.len() as u32).to_le_bytes());
    comments.iter().for_each(|comment| put(&mut packet, comment));
    packet
}

fn put(packet: &mut Vec<u8>, bytes: &[u8]) {
    packet.extend((bytes.len() as u32).to_le_bytes());
    packet.extend(bytes);
}

#[cfg(test)]
mod tests {
    use coherence::sample::SampleType;

    use super::*;
    use crate::signal::Arrays;
    use crate::sound::tags::{self, Found};
    use crate::sound::tests::{file, whole};

    const ENCODING: Encoding = Encoding::Plain(SampleType::I16);

    fn signature(frames: u64, channels: u64, rate: &str) -> Signature {
        let (meaning, sample, bits) = (layout::meaning(channels, None), SampleType::I16, Some(16));
        let shape = Shape { frames, channels, meaning, sample, bits };
        let mut found = Found::default();
        found.add(tags::RATE.into(), rate.as_bytes().to_vec()).unwrap();
        found.tag("TITLE", "Größe").unwrap();
        found.tag("TITLE", "again").unwrap();
        found.add(PICTURE.into(), vec![0, 1, 2, 253]).unwrap();
        Signature { arrays: vec![shape.array()], attributes: found.finish() }
    }

    /// A tone on each channel.
    fn tones(frames: u64, channels: u64) -> Vec<u8> {
        let value = |at: u64| {
            let (frame, channel) = ((at / channels) as f64, (at % channels + 1) as f64);
            ((frame * 0.03 * channel).sin() * 9_000.0) as i16
        };
        (0..frames * channels).flat_map(|at| value(at).to_le_bytes()).collect()
    }

    /// A file, and what its packets decoded to, of samples that come in pieces of so many bytes.
    fn written(signature: &Signature, samples: &[u8], piece: usize) -> (Vec<u8>, Vec<u8>) {
        let target = OpusTarget::new(signature, &[ENCODING]).unwrap();
        let mut coder = OpusCoder::new(&target, 64_000).unwrap();
        let (mut out, mut coded) = (Vec::new(), Coded::default());
        let mut stream = OpusStream::begin(&target, &coder, &mut out);
        samples.chunks(piece).for_each(|piece| coder.push(piece, &mut coded).unwrap());
        coder.finish(&mut coded).unwrap();
        coded.packets.iter().for_each(|packet| stream.packet(packet, &mut out));
        stream.finish(&mut out);
        (out, coded.samples)
    }

    fn opened(bytes: &[u8]) -> Arrays {
        super::super::open(file(bytes), &std::env::temp_dir()).unwrap()
    }

    #[test]
    fn streams_have_as_many_frames_as_the_sound_and_what_was_measured() {
        for channels in [1, 2] {
            for frames in [0, 1, 839, 840, 841, 960, 961, 48_000, 3 * 48_000 + 17] {
                let (signature, samples) = (signature(frames, channels, "48000"), tones(frames, channels));
                let (bytes, coded) = written(&signature, &samples, 4096);
                let again = opened(&bytes);
                assert_eq!(again.signature(), &signature, "{frames} frames");
                assert_eq!(whole(&again), coded, "{frames} frames");
                assert_eq!(coded.len(), samples.len());
            }
        }
    }

    #[test]
    fn pieces_in_which_samples_come_change_nothing() {
        let (signature, samples) = (signature(10_000, 2, "48000"), tones(10_000, 2));
        let expected = written(&signature, &samples, samples.len());
        for piece in [4, 400, 3840, 3844, 20_000] {
            assert_eq!(written(&signature, &samples, piece), expected);
        }
        let (a, b) = (u32::from_le_bytes(expected.0[14..18].try_into().unwrap()), {
            let other = self::signature(9_999, 2, "48000");
            let bytes = written(&other, &samples[..9_999 * 4], 4096).0;
            u32::from_le_bytes(bytes[14..18].try_into().unwrap())
        });
        assert_ne!(a, b, "streams have numbers of their own");
    }

    #[test]
    fn another_length_than_the_header_tells_is_found() {
        let target = OpusTarget::new(&signature(1000, 1, "48000"), &[ENCODING]).unwrap();
        for frames in [5000, 3840] {
            let mut coder = OpusCoder::new(&target, 64_000).unwrap();
            let mut coded = Coded::default();
            coder.push(&tones(frames, 1), &mut coded).unwrap();
            assert!(coder.finish(&mut coded).is_err(), "{frames} frames");
        }
    }

    #[test]
    fn what_opus_has_no_place_for_is_refused_with_the_reason() {
        let refused =
            |signature: &Signature| OpusTarget::new(signature, &[ENCODING]).unwrap_err().to_string();
        assert!(refused(&signature(10, 2, "44100")).contains("resampled"));
        assert!(refused(&signature(10, 3, "48000")).contains("FL FR FC"));
        let mut sides = signature(10, 2, "48000");
        sides.arrays[0].meaning = "SL SR".into();
        assert!(refused(&sides).contains("SL SR"));
    }

    #[test]
    fn long_packets_go_on_on_the_next_page() {
        let mut signature = signature(100, 1, "48000");
        let long = vec![7; 200_000];
        signature.attributes[0].1.clone_from(&long);
        let (bytes, _) = written(&signature, &tones(100, 1), 200);
        assert_eq!(opened(&bytes).signature().attributes[0], (PICTURE.to_owned(), long));
    }
}
