//! Provides the check of the chunk `tRNS`, which tells opacities. The crate `png` leaves one that does not
//! fit out, or takes a part of it, without a word; readers differ in which.

use crate::words::counted;

/// Colour types whose colours `tRNS` is about (PNG, 11.3.2.1).
const GREY: u8 = 0;
const RGB: u8 = 2;
const PALETTE: u8 = 3;

/// The chunks before one, as far as transparency rests on them.
#[derive(Debug, Default)]
pub(super) struct Before {
    colour_type: u8,
    /// Colours of the palette.
    colours: usize,
    pixels: bool,
    told: bool,
}

impl Before {
    /// Takes the next chunk: whether it is a `tRNS` that says nothing, since each pixel has an opacity of its
    /// own.
    ///
    /// # Errors
    /// What is wrong with a `tRNS`.
    pub fn take(&mut self, name: &[u8; 4], data: &[u8]) -> Result<bool, String> {
        match name {
            b"IHDR" => self.colour_type = data.get(9).copied().unwrap_or_default(),
            b"PLTE" => self.colours = data.len() / 3,
            b"IDAT" => self.pixels = true,
            b"tRNS" => return self.transparency(data.len()),
            _ => {}
        }
        Ok(false)
    }

    fn transparency(&mut self, bytes: usize) -> Result<bool, String> {
        let (fits, wanted) = match self.colour_type {
            GREY => (bytes == 2, "a shade of grey has 2".to_owned()),
            RGB => (bytes == 6, "a colour has 6".to_owned()),
            PALETTE => {
                let colours = counted(self.colours, "colour");
                ((1..=self.colours).contains(&bytes), format!("the palette before it has {colours}"))
            }
            _ => return Ok(true),
        };
        match (std::mem::replace(&mut self.told, true), self.pixels) {
            (true, _) => Err("a second chunk \"tRNS\"".to_owned()),
            (_, true) => Err("the chunk \"tRNS\" stands behind the pixels".to_owned()),
            _ if fits => Ok(false),
            _ => Err(format!("the chunk \"tRNS\" has {}, and {wanted}", counted(bytes, "byte"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(colour_type: u8, chunks: &[(&[u8; 4], usize)]) -> Result<bool, String> {
        let mut before = Before::default();
        let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, colour_type, 0, 0, 0];
        before.take(b"IHDR", &header).unwrap();
        let mut found = Ok(false);
        for (name, bytes) in chunks {
            found = before.take(name, &vec![0; *bytes]);
        }
        found
    }

    #[test]
    fn opacities_fit_what_they_are_about() {
        for (colour_type, bytes) in [(0, 2), (2, 6), (3, 1), (3, 4)] {
            assert_eq!(taken(colour_type, &[(b"PLTE", 12), (b"tRNS", bytes)]), Ok(false));
        }
        for (colour_type, bytes) in [(0, 0), (0, 1), (0, 3), (2, 2), (2, 5), (2, 7), (3, 0), (3, 5)] {
            let told = taken(colour_type, &[(b"PLTE", 12), (b"tRNS", bytes)]).unwrap_err();
            assert!(told.starts_with(&format!("the chunk \"tRNS\" has {bytes} byte")), "{told}");
        }
        assert_eq!([4, 6].map(|alpha| taken(alpha, &[(b"tRNS", 9)])), [Ok(true), Ok(true)]);
    }

    #[test]
    fn opacities_stand_once_behind_the_palette_and_before_the_pixels() {
        assert!(taken(0, &[(b"tRNS", 2), (b"tRNS", 2)]).is_err());
        assert!(taken(0, &[(b"IDAT", 1), (b"tRNS", 2)]).is_err());
        assert!(taken(3, &[(b"tRNS", 2)]).is_err());
    }
}
