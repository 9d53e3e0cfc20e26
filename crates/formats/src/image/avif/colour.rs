//! Provides the way between planes of brightness and colour, as AV1 has them, and red, green and blue.
//!
//! The equations are those of ITU-T H.273, section 8.3: numbers 1 to 3 for the whole range, 20 to 31 for its
//! quantisation, 38 to 46 for the matrices. They are computed in 64-bit floating point from the integers of
//! the planes, and rounded once, to the nearest. Colours at half resolution are taken to lie in the middle of
//! their pixels, and are interpolated from the four nearest (in weights 9, 3, 3 and 1 of 16), as libavif does
//! unless told otherwise.

use super::{Shape, Signal};

/// Samples of a component.
#[derive(Debug, Clone, Default)]
pub(super) struct Plane {
    /// Samples in a row.
    pub width: usize,
    /// Row by row from the top.
    pub samples: Vec<u16>,
}

impl Plane {
    /// Of so many rows and columns, all zeros.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, samples: vec![0; width * height] }
    }

    fn row(&self, y: usize) -> &[u16] {
        &self.samples[y * self.width..][..self.width]
    }

    fn height(&self) -> usize {
        self.samples.len() / self.width.max(1)
    }
}

/// Brightness, and two of colour where there are any.
#[derive(Debug, Clone)]
pub(super) struct Planes {
    /// How they are laid out.
    pub shape: Shape,
    /// One plane, or three.
    pub planes: Vec<Plane>,
}

/// What a matrix does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Matrix {
    /// The planes are green, blue and red.
    Identity,
    /// Brightness, and how green and how orange.
    YCgCo,
    /// Brightness of these parts of red and blue, and the distances of blue and red from it.
    Luma(f64, f64),
}

impl Matrix {
    /// Of a code of H.273, table 4; `None` for those that are not read. What is unspecified is taken for
    /// BT.601, as libavif takes it.
    pub fn of_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Self::Identity,
            1 => Self::Luma(0.2126, 0.0722),
            2 | 5 | 6 => Self::Luma(0.299, 0.114),
            4 => Self::Luma(0.30, 0.11),
            7 => Self::Luma(0.212, 0.087),
            8 => Self::YCgCo,
            9 => Self::Luma(0.2627, 0.0593),
            _ => return None,
        })
    }

    fn to_rgb(self, y: f64, b: f64, r: f64) -> [f64; 3] {
        match self {
            Self::Identity => [r, y, b],
            Self::YCgCo => [y - b + r, y + b, y - b - r],
            Self::Luma(red, blue) => {
                let green = 1.0 - red - blue;
                let (of_red, of_blue) = (2.0 * (1.0 - red) * r, 2.0 * (1.0 - blue) * b);
                [y + of_red, y - (red * of_red + blue * of_blue) / green, y + of_blue]
            }
        }
    }
}

/// Of planes that hold this many bits: what stands for none, and for the whole of it.
#[derive(Debug, Clone, Copy)]
struct Range {
    zero: f64,
    full: f64,
}

impl Range {
    fn luma(bits: u8, full_range: bool) -> Self {
        let step = f64::from(1u16 << (bits - 8));
        let top = f64::from((1u16 << bits) - 1);
        if full_range {
            Self { zero: 0.0, full: top }
        } else {
            Self { zero: 16.0 * step, full: 219.0 * step }
        }
    }

    fn chroma(bits: u8, full_range: bool) -> Self {
        let Self { full, .. } = Self::luma(bits, full_range);
        let step = f64::from(1u16 << (bits - 8));
        Self { zero: 128.0 * step, full: if full_range { full } else { 224.0 * step } }
    }

    /// The fraction that a sample stands for.
    fn of(self, sample: f64) -> f64 {
        (sample - self.zero) / self.full
    }
}

/// A fraction of full intensity as a whole number, rounded to the nearest.
fn rounded(fraction: f64, peak: f64) -> u16 {
    (fraction.clamp(0.0, 1.0) * peak + 0.5) as u16
}

/// Where the samples of an image are put.
pub(super) struct Target<'a> {
    /// All samples, little-endian.
    pub samples: &'a mut [u8],
    /// Samples of a pixel.
    pub channels: usize,
    /// Whether a sample has 16 bits, and not 8.
    pub wide: bool,
}

impl Target<'_> {
    fn peak(&self) -> f64 {
        if self.wide { f64::from(u16::MAX) } else { f64::from(u8::MAX) }
    }

    fn put(&mut self, pixel: usize, channel: usize, value: u16) {
        let at = pixel * self.channels + channel;
        match self.wide {
            true => self.samples[2 * at..][..2].copy_from_slice(&value.to_le_bytes()),
            false => self.samples[at] = value as u8,
        }
    }
}

impl Planes {
    /// Puts the first plane into a channel.
    pub fn luma_into(&self, full_range: bool, target: &mut Target<'_>, channel: usize) {
        let (range, peak) = (Range::luma(self.shape.bits, full_range), target.peak());
        for (pixel, sample) in self.planes[0].samples.iter().enumerate() {
            target.put(pixel, channel, rounded(range.of(f64::from(*sample)), peak));
        }
    }

    /// Puts red, green and blue into the first three channels.
    pub fn rgb_into(&self, matrix: Matrix, signal: &Signal, target: &mut Target<'_>) {
        let [luma, blue, red] = self.planes.as_slice() else { return };
        let (bits, peak) = (self.shape.bits, target.peak());
        let whole = Range::luma(bits, signal.full_range);
        let colour = match matrix {
            Matrix::Identity => whole,
            _ => Range::chroma(bits, signal.full_range),
        };
        let mut rows = [vec![0.0; luma.width], vec![0.0; luma.width]];
        for y in 0..luma.height() {
            rows.iter_mut().zip([blue, red]).for_each(|(row, plane)| self.chroma_row(plane, y, row));
            for (x, sample) in luma.row(y).iter().enumerate() {
                let (b, r) = (colour.of(rows[0][x]), colour.of(rows[1][x]));
                let rgb = matrix.to_rgb(whole.of(f64::from(*sample)), b, r);
                for (channel, value) in rgb.into_iter().enumerate() {
                    target.put(y * luma.width + x, channel, rounded(value, peak));
                }
            }
        }
    }

    /// A row of colours at the resolution of brightness.
    fn chroma_row(&self, plane: &Plane, y: usize, row: &mut [f64]) {
        let (across, down) = self.shape.halved();
        let (near, far) = neighbours(y, down, plane.height());
        let (near, far) = (plane.row(near), plane.row(far));
        for (x, value) in row.iter_mut().enumerate() {
            let (left, right) = neighbours(x, across, plane.width);
            let [near, far] = [near, far].map(|row| 3 * u32::from(row[left]) + u32::from(row[right]));
            // Both are below 2^14, so that the sum is exact.
            *value = (3 * near + far) as f64 / 16.0;
        }
    }

    /// Planes of nothing.
    pub fn zero(shape: Shape) -> Self {
        let mut planes = vec![Plane::new(shape.width, shape.height)];
        if !shape.is_grey() {
            let (width, height) = shape.chroma_size();
            planes.extend([Plane::new(width, height), Plane::new(width, height)]);
        }
        Self { shape, planes }
    }

    /// Puts a tile in this column and row of a grid, as far as it lies within.
    pub fn place(&mut self, tile: &Planes, column: usize, row: usize) {
        let all = self.planes.iter_mut().zip(&tile.planes);
        for (to, from) in all {
            let (left, top, width) = (column * from.width, row * from.height(), to.width);
            if left >= width {
                continue;
            }
            let rows = to.samples.chunks_exact_mut(width).skip(top);
            for (to, from) in rows.zip(from.samples.chunks_exact(from.width)) {
                let count = from.len().min(width - left);
                to[left..left + count].copy_from_slice(&from[..count]);
            }
        }
    }

    /// Red, green and blue of an image as planes in the whole range; grey as one plane.
    pub fn of_image(shape: Shape, matrix: Matrix, pixel: impl Fn(usize, usize) -> [f64; 3]) -> Self {
        let top = f64::from((1u16 << shape.bits) - 1);
        // Where what stands for no distance from grey lies in the range.
        let zero = match matrix {
            Matrix::Identity => 0.0,
            _ => f64::from(1u16 << (shape.bits - 1)) / top,
        };
        let Self { mut planes, .. } = Self::zero(shape);
        let (width, _) = shape.chroma_size();
        let (across, down) = shape.halved();
        // Colours of the pixels that one row of samples stands for, and how many they are.
        let mut sums = vec![[0.0f64; 3]; if shape.is_grey() { 0 } else { width }];
        for y in 0..shape.height {
            for x in 0..shape.width {
                let [y_of, b, r] = from_rgb(matrix, pixel(x, y));
                planes[0].samples[y * shape.width + x] = rounded(y_of, top);
                if let Some([b_sum, r_sum, count]) = sums.get_mut(x >> u8::from(across)) {
                    (*b_sum, *r_sum, *count) = (*b_sum + b, *r_sum + r, *count + 1.0);
                }
            }
            if down && y % 2 == 0 && y + 1 < shape.height {
                continue;
            }
            for (channel, plane) in planes[1..].iter_mut().enumerate() {
                let row = &mut plane.samples[(y >> u8::from(down)) * width..][..width];
                for (sample, sum) in row.iter_mut().zip(&sums) {
                    *sample = rounded(sum[channel] / sum[2] + zero, top);
                }
            }
            sums.fill([0.0; 3]);
        }
        Self { shape, planes }
    }
}

/// Brightness and the distances of blue and red from it.
fn from_rgb(matrix: Matrix, [r, g, b]: [f64; 3]) -> [f64; 3] {
    let Matrix::Luma(red, blue) = matrix else { return [g, b, r] };
    let y = red * r + (1.0 - red - blue) * g + blue * b;
    [y, (b - y) / (2.0 * (1.0 - blue)), (r - y) / (2.0 * (1.0 - red))]
}

/// The sample that a place at twice the resolution lies in, and the one that it is next to.
fn neighbours(at: usize, halved: bool, count: usize) -> (usize, usize) {
    if !halved {
        return (at, at);
    }
    let near = at / 2;
    let far = if at.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) };
    (near, far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matrix_and_its_inverse_give_the_colour_back() {
        for code in [1, 4, 6, 7, 9] {
            let matrix = Matrix::of_code(code).unwrap();
            for colour in [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.1, 0.7, 0.3]] {
                let [y, b, r] = from_rgb(matrix, colour);
                let back = matrix.to_rgb(y, b, r);
                assert!(back.iter().zip(colour).all(|(a, b)| (a - b).abs() < 1e-6), "{code}: {back:?}");
            }
        }
        assert_eq!(Matrix::of_code(0).unwrap().to_rgb(0.5, 0.25, 1.0), [1.0, 0.5, 0.25]);
        assert_eq!(Matrix::of_code(8).unwrap().to_rgb(0.5, 0.25, 0.125), [0.375, 0.75, 0.125]);
        assert_eq!(Matrix::of_code(14), None);
    }

    #[test]
    fn ranges_end_where_the_standard_says() {
        for (bits, low, high) in [(8, 16.0, 235.0), (10, 64.0, 940.0), (12, 256.0, 3760.0)] {
            let range = Range::luma(bits, false);
            assert_eq!((range.of(low), range.of(high)), (0.0, 1.0));
            assert_eq!(Range::chroma(bits, false).of(low), -0.5);
            assert_eq!(Range::luma(bits, true).of(f64::from((1u16 << bits) - 1)), 1.0);
        }
    }

    #[test]
    fn colours_between_are_interpolated() {
        let found: Vec<_> = (0..5).map(|at| neighbours(at, true, 3)).collect();
        assert_eq!(found, [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(neighbours(5, true, 3), (2, 2));
        assert_eq!(neighbours(5, false, 6), (5, 5));
    }
}
