//! Still images encoded as AV1 by libaom, the encoder of the Alliance for Open Media, behind a safe
//! interface: [`encode`] is a function from samples and settings to bytes.
//!
//! The one module with `unsafe` code: the library has no other door than its C interface. What it is asked
//! for is checked before, it is given copies in memory of its own, and everything that it makes is freed
//! with the value that owns it.
#![expect(unsafe_code, reason = "libaom is called through its C interface")]

use std::ffi::{CStr, c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr;

use libaom_sys as sys;

/// Settings of an encoder; see [`Settings::quantizer`] and [`Settings::speed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// From 0, with which samples come back as they were, to [`QUANTIZER_MAX`].
    pub quantizer: u8,
    /// From 0, the slowest, to [`SPEED_MAX`].
    pub speed: u8,
}

/// The coarsest quantiser.
pub const QUANTIZER_MAX: u8 = 63;

/// The speed with the least effort that libaom has for single pictures.
pub const SPEED_MAX: u8 = 9;

/// Width or height of a picture at most, as AV1 has it.
const SIDE_MAX: usize = 1 << 16;

/// How much resolution the planes of colour have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// There are none.
    Grey,
    /// Half of it in both directions (4:2:0).
    Quarter,
    /// Half of it from left to right (4:2:2).
    Half,
    /// All of it (4:4:4).
    Full,
}

impl Sampling {
    /// Binary logarithms of how much smaller planes of colour are, across and down.
    fn shifts(self) -> (usize, usize) {
        match self {
            Sampling::Grey | Sampling::Quarter => (1, 1),
            Sampling::Half => (1, 0),
            Sampling::Full => (0, 0),
        }
    }

    fn planes(self) -> usize {
        if self == Sampling::Grey { 1 } else { 3 }
    }
}

/// A picture in the whole range of its samples.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Samples in a row of the first plane.
    pub width: usize,
    /// Rows of the first plane.
    pub height: usize,
    /// Bits of a sample: 8, 10 or 12.
    pub bits: u8,
    /// How large the other planes are; sizes that do not divide are rounded up.
    pub sampling: Sampling,
    /// The matrix of its colours, as ISO/IEC 23091-2 numbers them; 0 needs colours of all resolution.
    pub matrix: u8,
    /// Rows of samples from the top, without gaps: one plane, or three.
    pub planes: Vec<Vec<u16>>,
}

/// A picture that was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The sequence header and the frame, as an image item holds them: without a temporal delimiter.
    pub data: Vec<u8>,
    /// The record that the box `av1C` holds (AV1-ISOBMFF, section 2.3.3), without headers of its own.
    pub configuration: [u8; 4],
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture or the settings are not as their fields say.
    #[error("{0}")]
    Asked(&'static str),
    /// The library refused.
    #[error("libaom: {0}")]
    Library(String),
}

/// Encodes a picture on one thread. The bytes depend on the picture and the settings alone.
///
/// # Errors
/// [`Error::Asked`] before anything is done; [`Error::Library`] where memory runs out.
pub fn encode(mut picture: Picture, settings: Settings) -> Result<Encoded, Error> {
    check(&picture, settings)?;
    let mut encoder = Encoder::new(&picture, settings)?;
    let image = Image::of(&picture)?;
    // The library has a copy of its own, and takes much memory.
    picture.planes = Vec::new();
    let mut data = encoder.encode(Some(&image))?;
    drop(image);
    while let more @ [_, ..] = encoder.encode(None)?.as_slice() {
        data.extend_from_slice(more);
    }
    let data = data.strip_prefix(&[0x12, 0x00]).map(<[u8]>::to_vec).unwrap_or(data);
    let configuration = configuration(&picture, &data)?;
    Ok(Encoded { data, configuration })
}

fn check(picture: &Picture, settings: Settings) -> Result<(), Error> {
    let asked = |holds: bool, what| if holds { Ok(()) } else { Err(Error::Asked(what)) };
    let side = |length: usize| (1..=SIDE_MAX).contains(&length);
    asked(side(picture.width) && side(picture.height), "sides have 1 to 65,536 samples")?;
    asked(matches!(picture.bits, 8 | 10 | 12), "samples have 8, 10 or 12 bits")?;
    asked(settings.quantizer <= QUANTIZER_MAX, "quantisers go from 0 to 63")?;
    asked(settings.speed <= SPEED_MAX, "speeds go from 0 to 9")?;
    let whole = picture.sampling == Sampling::Full;
    asked(picture.matrix != 0 || whole, "planes of colours themselves have all of the resolution")?;
    asked(picture.planes.len() == picture.sampling.planes(), "there are one or three planes")?;
    for (number, samples) in picture.planes.iter().enumerate() {
        let (width, height) = size(picture, number);
        asked(samples.len() == width * height, "planes are as large as their sides say")?;
        asked(
            samples.iter().all(|sample| sample >> picture.bits == 0),
            "samples have no more bits than told",
        )?;
    }
    Ok(())
}

/// Width and height of a plane.
fn size(picture: &Picture, plane: usize) -> (usize, usize) {
    let (across, down) = if plane == 0 { (0, 0) } else { picture.sampling.shifts() };
    ((picture.width + across) >> across, (picture.height + down) >> down)
}

/// The profile of AV1 that holds the picture: Main, High or Professional.
fn profile(picture: &Picture) -> u8 {
    match (picture.sampling, picture.bits) {
        (Sampling::Half, _) | (_, 12) => 2,
        (Sampling::Full, _) => 1,
        (Sampling::Grey | Sampling::Quarter, _) => 0,
    }
}

/// The record of the sequence header that `data` begins with, which has the short form for single pictures:
/// a profile in 3 bits, two flags that are set, and a level in 5 bits (AV1, section 5.5.1).
fn configuration(picture: &Picture, data: &[u8]) -> Result<[u8; 4], Error> {
    let odd = || Error::Library("the sequence header is not that of a single picture".into());
    // Its type and that its length follows, the length in one byte, and its first two bytes.
    let &[0x0a, length, first, second, ..] = data else { return Err(odd()) };
    if !(2..0x80).contains(&length) || first >> 5 != profile(picture) || first >> 3 & 0b11 != 0b11 {
        return Err(odd());
    }
    let level = (first & 0b111) << 2 | second >> 6;
    let (across, down) = picture.sampling.shifts();
    let flags =
        [picture.bits > 8, picture.bits == 12, picture.sampling == Sampling::Grey, across > 0, down > 0];
    // The tier stands before them, the place of colour samples behind, and neither is anything but none.
    let flags = flags.iter().fold(0, |bits, flag| bits << 1 | u8::from(*flag)) << 2;
    Ok([0x81, profile(picture) << 5 | level, flags, 0])
}

/// A picture in memory of the library's own.
struct Image(ptr::NonNull<sys::aom_image_t>);

impl Image {
    fn of(picture: &Picture) -> Result<Self, Error> {
        let format = match picture.sampling {
            Sampling::Grey | Sampling::Quarter => sys::AOM_IMG_FMT_I420,
            Sampling::Half => sys::AOM_IMG_FMT_I422,
            Sampling::Full => sys::AOM_IMG_FMT_I444,
        };
        let wide = if picture.bits > 8 { sys::AOM_IMG_FMT_HIGHBITDEPTH } else { 0 };
        // SAFETY: without a picture to begin with, a new one is allocated, or none.
        let made = unsafe {
            sys::aom_img_alloc(
                ptr::null_mut(),
                format | wide,
                picture.width as c_uint,
                picture.height as c_uint,
                32,
            )
        };
        let made = ptr::NonNull::new(made).ok_or_else(|| Error::Library("no memory for a picture".into()))?;
        let mut image = Image(made);
        image.describe(picture);
        for plane in 0..3 {
            image.fill(picture, plane);
        }
        Ok(image)
    }

    fn describe(&mut self, picture: &Picture) {
        // SAFETY: the pointer is to a picture that is ours alone until it is dropped.
        let image = unsafe { self.0.as_mut() };
        image.bit_depth = picture.bits.into();
        image.monochrome = (picture.sampling == Sampling::Grey).into();
        image.range = sys::AOM_CR_FULL_RANGE;
        image.mc = picture.matrix.into();
    }

    /// Copies the rows of a plane; those of no colour are half of the range.
    fn fill(&mut self, picture: &Picture, plane: usize) {
        let (width, height) = size(picture, plane);
        let grey = 1u16 << (picture.bits - 1);
        // SAFETY: as above.
        let image = unsafe { self.0.as_ref() };
        let (start, stride) = (image.planes[plane], image.stride[plane] as usize);
        for row in 0..height {
            let of = |column: usize| match picture.planes.get(plane) {
                Some(samples) => samples[row * width + column],
                None => grey,
            };
            // SAFETY: the library has allocated `height` rows of `stride` bytes for this plane, of which
            // each holds at least `width` samples, in two bytes where they have more than 8 bits; rows of
            // those begin at multiples of 32 bytes.
            unsafe {
                let to = start.add(row * stride);
                match picture.bits {
                    8 => (0..width).for_each(|column| to.add(column).write(of(column) as u8)),
                    _ => {
                        let to = to.cast::<u16>();
                        (0..width).for_each(|column| to.add(column).write(of(column)));
                    }
                }
            }
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: it was allocated by the library, and nothing points to it any more.
        unsafe { sys::aom_img_free(self.0.as_ptr()) }
    }
}

/// An encoder that was set up. It does not move: the library may point into it.
struct Encoder(Box<sys::aom_codec_ctx_t>);

impl Encoder {
    fn new(picture: &Picture, settings: Settings) -> Result<Self, Error> {
        // SAFETY: the function takes nothing and gives a pointer to a constant.
        let interface = unsafe { sys::aom_codec_av1_cx() };
        let mut config = MaybeUninit::uninit();
        // SAFETY: the interface is one, and all of the configuration is written where that succeeds.
        let mut config = unsafe {
            let done =
                sys::aom_codec_enc_config_default(interface, config.as_mut_ptr(), sys::AOM_USAGE_ALL_INTRA);
            refused(done)?;
            config.assume_init()
        };
        config.g_w = picture.width as c_uint;
        config.g_h = picture.height as c_uint;
        config.g_limit = 1;
        config.g_lag_in_frames = 0;
        config.g_threads = 1;
        config.g_profile = profile(picture).into();
        config.g_bit_depth = picture.bits.into();
        config.g_input_bit_depth = picture.bits.into();
        config.monochrome = (picture.sampling == Sampling::Grey).into();
        config.rc_end_usage = sys::AOM_Q;
        config.rc_min_quantizer = 0;
        config.rc_max_quantizer = QUANTIZER_MAX.into();
        let flags = if picture.bits > 8 { sys::AOM_CODEC_USE_HIGHBITDEPTH } else { 0 };
        // SAFETY: a context of zeros is what C code begins with; it is destroyed only if this succeeds.
        let encoder = unsafe {
            let mut context = Box::new(MaybeUninit::<sys::aom_codec_ctx_t>::zeroed());
            let version = sys::AOM_ENCODER_ABI_VERSION as c_int;
            let done =
                sys::aom_codec_enc_init_ver(context.as_mut_ptr(), interface, &config, flags.into(), version);
            refused(done)?;
            Encoder(context.assume_init())
        };
        encoder.set_up(picture, settings)
    }

    fn set_up(mut self, picture: &Picture, settings: Settings) -> Result<Self, Error> {
        self.control(sys::AOME_SET_CPUUSED, settings.speed.into())?;
        self.control(sys::AOME_SET_CQ_LEVEL, settings.quantizer.into())?;
        match settings.quantizer {
            0 => self.control(sys::AV1E_SET_LOSSLESS, 1)?,
            // As libavif does for pictures that are looked at.
            _ => self.control(sys::AOME_SET_TUNING, sys::AOM_TUNE_SSIM as c_int)?,
        }
        self.control(sys::AV1E_SET_COLOR_RANGE, sys::AOM_CR_FULL_RANGE as c_int)?;
        self.control(sys::AV1E_SET_MATRIX_COEFFICIENTS, picture.matrix.into())?;
        Ok(self)
    }

    /// Sets one of the controls that take an `int` or an `unsigned int`.
    fn control(&mut self, control: sys::aome_enc_control_id, value: c_int) -> Result<(), Error> {
        // SAFETY: the context was initialised, and each control that is used here takes one such number.
        let done = unsafe { sys::aom_codec_control(&mut *self.0, control as c_int, value) };
        self.told(done)
    }

    /// Encodes a picture, or what is left when there are no more; the bytes that are finished by then.
    fn encode(&mut self, image: Option<&Image>) -> Result<Vec<u8>, Error> {
        let image = image.map_or(ptr::null(), |image| image.0.as_ptr().cast_const());
        let flags = if image.is_null() { 0 } else { sys::AOM_EFLAG_FORCE_KF };
        // SAFETY: the context was initialised, and the picture is one of the size that it was set up for.
        let done = unsafe { sys::aom_codec_encode(&mut *self.0, image, 0, 1, flags.into()) };
        self.told(done)?;
        let (mut data, mut place) = (Vec::new(), ptr::null());
        loop {
            // SAFETY: the place is none at first and then as the library left it; a packet and its bytes
            // stay until the next call.
            unsafe {
                let Some(packet) = sys::aom_codec_get_cx_data(&mut *self.0, &mut place).as_ref() else {
                    break;
                };
                if packet.kind == sys::AOM_CODEC_CX_FRAME_PKT && packet.data.frame.sz > 0 {
                    let frame = packet.data.frame;
                    data.extend_from_slice(std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz));
                }
            }
        }
        Ok(data)
    }

    /// What the library says of a call on this encoder.
    fn told(&mut self, done: sys::aom_codec_err_t) -> Result<(), Error> {
        refused(done).map_err(|error| {
            // SAFETY: the context was initialised; a detail is none or a text that stays until the next call.
            let detail = unsafe {
                let detail = sys::aom_codec_error_detail(&*self.0);
                (!detail.is_null()).then(|| CStr::from_ptr(detail).to_string_lossy().into_owned())
            };
            detail.map_or(error, Error::Library)
        })
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: it was initialised, and is destroyed once.
        unsafe { sys::aom_codec_destroy(&mut *self.0) };
    }
}

fn refused(done: sys::aom_codec_err_t) -> Result<(), Error> {
    if done == sys::AOM_CODEC_OK {
        return Ok(());
    }
    // SAFETY: every error has a text that is constant.
    let text = unsafe { CStr::from_ptr(sys::aom_codec_err_to_string(done)) };
    Err(Error::Library(text.to_string_lossy().into_owned()))
}
