//! Provides the making of targets: members from runs of content, apart from each other where the format lets
//! them stand side by side.

use super::brotli::BrotliEncoder;
use super::{Codec, bgzf, bzip2, gzip, lz4, xz, zstd};
use std::borrow::Cow;
use std::io::Write;

use crate::error::{Error, Result};
use crate::media::{Key, ONE};

/// Content that is encoded between two looks whether to stop.
const STEP_BYTES: usize = 1 << 20;

/// Asked between steps of encoding; an error of it stops the work.
pub type Watch<'a> = &'a dyn Fn() -> Result<()>;

/// Writes a run in steps.
pub(super) fn write_run(writer: &mut dyn Write, run: &[u8], watch: Watch<'_>) -> Result<()> {
    for step in run.chunks(STEP_BYTES) {
        watch()?;
        writer.write_all(step).map_err(bug)?;
    }
    Ok(())
}

/// Compression into memory does not fail but by a fault of ours.
pub(super) fn bug(error: std::io::Error) -> Error {
    Error::Bug(format!("compression in memory failed: {error}"))
}

/// What decides the bytes of a target, besides its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The format.
    pub codec: Codec,
    /// The level of compression; 0 where the format has none.
    pub level: i32,
}

impl Settings {
    /// A format at the level that was asked for, or at its default.
    pub fn new(codec: Codec, level: Option<i32>) -> Result<Self> {
        Ok(Settings { codec, level: codec.level(level)? })
    }

    /// Bytes of content in each part but the last.
    pub fn part_bytes(&self) -> u64 {
        self.codec.part_bytes(self.level)
    }

    /// Codec and level as they are written on the command line.
    pub fn text(&self) -> String {
        match self.codec.levels() {
            Some(_) => format!("{}:{}", self.codec.name(), self.level),
            None => self.codec.name().to_owned(),
        }
    }
}

/// A target that is one stream, being written.
trait Stream: Send {
    /// Takes the next run of content; what comes out is a stretch of the stream.
    fn push(&mut self, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>>;

    /// The rest of the stream.
    fn finish(self: Box<Self>) -> Result<Vec<u8>>;
}

/// Makes a stream of an encoder of a library that writes into a buffer.
macro_rules! stream {
    ($encoder:ty) => {
        impl Stream for $encoder {
            fn push(&mut self, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
                write_run(self, run, watch)?;
                Ok(std::mem::take(self.get_mut()))
            }

            fn finish(self: Box<Self>) -> Result<Vec<u8>> {
                (*self).finish().map_err(bug)
            }
        }
    };
}

stream!(flate2::write::GzEncoder<Vec<u8>>);
stream!(::zstd::stream::write::Encoder<'static, Vec<u8>>);
stream!(liblzma::write::XzEncoder<Vec<u8>>);
stream!(::bzip2::write::BzEncoder<Vec<u8>>);

impl Stream for BrotliEncoder {
    fn push(&mut self, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
        BrotliEncoder::push(self, run, watch)
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>> {
        Ok(BrotliEncoder::finish(*self))
    }
}

/// The stream that a target with these settings is, where it is one.
fn stream(settings: Settings) -> Result<Box<dyn Stream>> {
    let Settings { codec, level } = settings;
    Ok(match codec {
        Codec::Brotli => Box::new(BrotliEncoder::new(level)),
        Codec::Gzip => Box::new(gzip::member(level, Vec::new())),
        Codec::Zstd => Box::new(zstd::frame(level).map_err(bug)?),
        Codec::Bzip2 => Box::new(bzip2::stream(level, Vec::new())),
        Codec::Xz => {
            let size = usize::try_from(settings.part_bytes()).unwrap_or(usize::MAX);
            Box::new(xz::encoder(level, size, xz::check()).map_err(|error| bug(error.into()))?)
        }
        Codec::Raw | Codec::Bgzf | Codec::Lz4 => {
            return Err(Error::Bug(format!("{} is not one stream", codec.name())));
        }
    })
}

/// Makes the bytes of a target.
pub struct Encoder {
    settings: Settings,
    stream: Option<Box<dyn Stream>>,
}

impl Encoder {
    /// An encoder at the beginning of a target.
    pub fn new(settings: Settings) -> Self {
        Encoder { settings, stream: None }
    }

    /// Whether parts are members of their own, so that they can be made in any order, on any thread, and be
    /// kept for a later run. Where not, [`Encoder::follow`] must see them in order.
    pub fn is_apart(settings: Settings) -> bool {
        settings.codec != Codec::Brotli && settings.codec.media().text(Key::Framing) != Some(ONE)
    }

    /// A run of content as members of their own. No content is still one member, since a file without any is
    /// none in most formats; but for BGZF, whose mark of the end is one.
    pub fn apart(settings: Settings, run: &mut Vec<u8>, watch: Watch<'_>) -> Result<Vec<u8>> {
        match settings.codec {
            // What is not packed is not copied either; the caller's buffer is empty afterwards.
            Codec::Raw => Ok(std::mem::take(run)),
            _ => Self::packed(settings, run, watch),
        }
    }

    /// The same of a format that packs.
    pub(crate) fn packed(settings: Settings, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
        match settings.codec {
            Codec::Raw => Ok(run.to_vec()),
            Codec::Gzip => gzip::encode(settings.level, run, watch),
            Codec::Bgzf => bgzf::encode(settings.level, run, watch),
            Codec::Zstd => zstd::encode(settings.level, run, watch),
            Codec::Xz => xz::encode(settings.level, run, watch),
            Codec::Bzip2 => bzip2::encode(settings.level, run, watch),
            Codec::Lz4 => lz4::encode(run, watch),
            Codec::Brotli => Err(Error::Bug("a brotli stream has no parts of its own".into())),
        }
    }

    /// The next run of content of a target that is one stream.
    pub fn follow(&mut self, run: &[u8], watch: Watch<'_>) -> Result<Vec<u8>> {
        let begun = match self.stream.take() {
            Some(begun) => begun,
            None => stream(self.settings)?,
        };
        self.stream.insert(begun).push(run, watch)
    }

    /// What follows the last part.
    pub fn finish(self) -> Result<Vec<u8>> {
        match (self.settings.codec, self.stream) {
            (Codec::Bgzf, _) => Ok(bgzf::close()),
            (_, Some(stream)) => stream.finish(),
            _ => Ok(Vec::new()),
        }
    }
}

/// What the bytes of a table go through, in their order, on their way into a target: nothing, or the one
/// member of a wrapping that the whole target is.
pub struct Outlet(Option<Encoder>);

impl Outlet {
    /// At the beginning of a target that is one member of this kind, if it is any.
    pub fn new(member: Option<Settings>) -> Self {
        Outlet(member.map(Encoder::new))
    }

    /// What comes out where these bytes go in.
    pub fn pass<'b>(&mut self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        match &mut self.0 {
            None => Ok(Cow::Borrowed(bytes)),
            Some(encoder) => Ok(Cow::Owned(encoder.follow(bytes, &|| Ok(()))?)),
        }
    }

    /// The rest. A target without any bytes is a member all the same.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        let rest = self.pass(&[])?.into_owned();
        match self.0 {
            None => Ok(rest),
            Some(encoder) => Ok([rest, encoder.finish()?].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_an_outlet_is_one_member() {
        let mut plain = Outlet::new(None);
        assert!(matches!(plain.pass(b"as it is").unwrap(), Cow::Borrowed(b"as it is")));
        assert!(plain.finish().unwrap().is_empty());
        for pieces in [&[&b"head\n"[..], b"", b"body"][..], &[]] {
            let settings = Settings::new(Codec::Gzip, None).unwrap();
            let (mut outlet, mut out) = (Outlet::new(Some(settings)), Vec::new());
            pieces.iter().for_each(|piece| out.extend(outlet.pass(piece).unwrap().as_ref()));
            out.extend(outlet.finish().unwrap());
            let mut member = flate2::read::GzDecoder::new(out.as_slice());
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut member, &mut text).unwrap();
            assert_eq!(text, pieces.concat());
            assert!(member.into_inner().is_empty());
        }
    }
}
