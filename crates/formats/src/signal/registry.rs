//! Provides the table of containers of arrays, among which are sounds.

use std::path::Path;

use coherence::sample::SampleType;

use super::{Encoding, gguf, shards};

use crate::error::Result;
use crate::file::ObjectFile;
use crate::media::{Codec, MediaType, Model, catalog};
use crate::sound::depth::Depth;
use crate::sound::{flac, mp3, ogg, tags};

/// Bytes by which a container is known: most for an Ogg, whose first page has a head before the codec.
const HEAD_BYTES: usize = 36;

/// A container of arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalFormat {
    /// One array as NumPy saves it.
    Npy,
    /// Several arrays as NumPy saves them: a zip archive of npy files.
    Npz,
    /// Tensors as Hugging Face saves them.
    Safetensors,
    /// Tensors as llama.cpp loads them.
    Gguf,
    /// A sound, not packed.
    Wav,
    /// A sound, packed without loss.
    Flac,
    /// A sound, not packed, as Apple lays it out.
    Aiff,
    /// A sound, packed with loss: Opus in Ogg.
    Opus,
    /// A sound, packed with loss: Vorbis in Ogg.
    Vorbis,
    /// A sound, packed with loss: MPEG audio, Layer III.
    Mp3,
}

impl SignalFormat {
    /// All containers, in the order in which they are listed.
    pub const ALL: [Self; 10] = [
        Self::Npy,
        Self::Npz,
        Self::Safetensors,
        Self::Gguf,
        Self::Wav,
        Self::Flac,
        Self::Aiff,
        Self::Opus,
        Self::Vorbis,
        Self::Mp3,
    ];

    /// The media type that it came with.
    pub fn media(self) -> &'static MediaType {
        Codec::Arrays(self).media()
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        &self.media().name
    }

    /// Its media type, as IANA has it for sounds, and its project or common use spells it for others.
    pub fn media_type(self) -> &'static str {
        &self.media().media_type
    }

    /// The container that a person calls by name, media type or ending.
    pub fn named(name: &str) -> Option<Self> {
        match catalog().named(name)?.codec {
            Codec::Arrays(format) => Some(format),
            _ => None,
        }
    }

    /// The container that the ending of a name tells.
    pub fn of_name(path: &Path) -> Option<Self> {
        if shards::is_index(path) {
            return Some(Self::Safetensors);
        }
        match catalog().of_ending(path.extension()?.to_str()?, Model::Arrays)?.codec {
            Codec::Arrays(format) => Some(format),
            _ => None,
        }
    }

    /// The container that an object is, by its first bytes; by its name only where the bytes are those of a
    /// family. `None` for anything else.
    pub fn of_file(file: &ObjectFile) -> Result<Option<Self>> {
        let mut head = [0; HEAD_BYTES];
        let count = file.read_at(&mut head, 0)?;
        let named = Self::of_name(file.path());
        Ok(match &head[..count] {
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Self::Npy),
            [b'G', b'G', b'U', b'F', ..] => Some(Self::Gguf),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => named.filter(|format| *format == Self::Npz),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..]
            | [b'R', b'F', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..]
            | [b'B', b'W', b'6', b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(Self::Wav),
            [b'f', b'L', b'a', b'C', ..] => Some(Self::Flac),
            [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => Some(Self::Aiff),
            [b'O', b'g', b'g', b'S', ..] => match ogg::first_packet(&head[..count]).and_then(ogg::codec) {
                Some("Opus") => Some(Self::Opus),
                Some("Vorbis") => Some(Self::Vorbis),
                _ => named,
            },
            // A tag that may stand before a FLAC too.
            start if mp3::id3_bytes(start).is_some() => {
                let mut next = [0; 4];
                file.read_at(&mut next, mp3::id3_bytes(start).unwrap_or(0))?;
                Some(if &next == b"fLaC" { Self::Flac } else { Self::Mp3 })
            }
            [0xff, 0xe0..=0xff, ..] if mp3::begins(file, 0)? => Some(Self::Mp3),
            // The length of the header, little-endian, and its first character.
            [_, _, _, _, 0, 0, 0, 0, b'{', ..] => Some(Self::Safetensors),
            _ => named,
        })
    }

    /// Whether it can hold samples in this way.
    pub fn holds(self, encoding: Encoding) -> bool {
        use SampleType::{Bf16, F8E4M3, F8E5M2, F32, F64, I8, I16, I32};
        match (self, encoding) {
            (Self::Gguf, _) => gguf::holds(encoding),
            (_, Encoding::Q8_0 | Encoding::Q4_0) => false,
            (Self::Wav, Encoding::Sound(_)) => true,
            (Self::Flac, Encoding::Sound(scaled)) => {
                scaled.depth.bits().is_some_and(|bits| flac::WIDTHS.contains(&bits))
            }
            (Self::Opus, Encoding::Sound(scaled)) => scaled.depth == Depth::Whole(16),
            (_, Encoding::Sound(_)) => false,
            // NumPy has no other floating-point types of its own.
            (Self::Npy | Self::Npz, Encoding::Plain(sample)) => !matches!(sample, Bf16 | F8E4M3 | F8E5M2),
            (Self::Safetensors, Encoding::Plain(_)) => true,
            (Self::Wav | Self::Aiff, Encoding::Plain(sample)) => matches!(sample, I8 | I16 | I32 | F32 | F64),
            (Self::Flac, Encoding::Plain(sample)) => matches!(sample, I8 | I16 | I32),
            (Self::Opus, Encoding::Plain(sample)) => sample == I16,
            (Self::Vorbis | Self::Mp3, Encoding::Plain(sample)) => sample == F32,
        }
    }

    /// Which attributes it cannot hold, by their index.
    pub fn beyond(self, attributes: &[(String, Vec<u8>)]) -> Vec<usize> {
        match self {
            Self::Npy | Self::Npz => (0..attributes.len()).collect(),
            // Values of GGUF that are no texts.
            Self::Safetensors => {
                let is_value = |index: &usize| attributes[*index].0.starts_with(gguf::VALUE_ATTRIBUTE);
                (0..attributes.len()).filter(is_value).collect()
            }
            Self::Gguf => gguf::beyond(attributes),
            Self::Wav => tags::beyond_wav(attributes),
            Self::Flac => tags::beyond_flac(attributes),
            Self::Aiff => tags::beyond_aiff(attributes),
            Self::Opus | Self::Vorbis => tags::beyond_ogg(attributes),
            Self::Mp3 => tags::beyond_mp3(attributes),
        }
    }

    /// Depths of sounds that are tried within a budget, the smallest first.
    pub fn depths(self) -> &'static [Depth] {
        use Depth::{F32, F64, Whole};
        match self {
            Self::Wav => &[Whole(8), Whole(16), Whole(24), F32, Whole(32), F64],
            // 12 and 20 bits are FLAC too, but libsndfile refuses them.
            Self::Flac => &[Whole(8), Whole(16), Whole(24), Whole(32)],
            Self::Opus => &[Whole(16)],
            _ => &[],
        }
    }

    /// Whether a sound is one in it: with its rate, the names of its channels and its declared range.
    pub fn tells_sounds(self) -> bool {
        !matches!(self, Self::Npy | Self::Npz)
    }

    /// Whether it holds sounds and nothing else.
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Wav | Self::Flac | Self::Aiff | Self::Opus | Self::Vorbis | Self::Mp3)
    }

    /// Whether it codes a sound with loss, from its first sample to its last.
    pub fn is_coded(self) -> bool {
        matches!(self, Self::Opus)
    }

    /// Whether it is written, and not only read.
    pub fn is_written(self) -> bool {
        !matches!(self, Self::Aiff | Self::Vorbis | Self::Mp3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_one_container() {
        for format in SignalFormat::ALL {
            assert_eq!(SignalFormat::named(format.name()), Some(format));
            assert_eq!(SignalFormat::named(format.media_type()), Some(format));
            let name = format!("a.b.{}", format.name().to_uppercase());
            assert_eq!(SignalFormat::of_name(Path::new(&name)), Some(format));
        }
        let index = SignalFormat::of_name(Path::new("m.safetensors.index.json"));
        assert_eq!(index, Some(SignalFormat::Safetensors));
        assert_eq!(SignalFormat::of_name(Path::new("npy")), None);
    }

    #[test]
    fn a_gguf_has_no_text_where_its_specification_has_a_number() {
        let keys = ["gguf/general.alignment", "metadata/general.alignment", "metadata/general.name"];
        let attributes = keys.map(|key| (key.to_owned(), b"64".to_vec()));
        assert_eq!(SignalFormat::Gguf.beyond(&attributes), [1]);
        assert_eq!(SignalFormat::Safetensors.beyond(&attributes), [0]);
    }
}
