//! Provides what the channels of a sound are: names of loudspeakers, and how formats tell them.

/// Names of loudspeakers, in the order of the bits of a channel mask (`WAVEFORMATEXTENSIBLE`).
const SPEAKERS: [&str; 18] = [
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL",
    "TBC", "TBR",
];

/// The masks of sounds with 1 to 8 channels that tell no other (RFC 9639, section 9.1.3).
const USUAL: [u32; 8] = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

/// The names of so many channels, separated by spaces: the loudspeakers of a mask, else the usual ones,
/// else numbers from 1 on.
pub(crate) fn meaning(channels: u64, mask: Option<u32>) -> String {
    let known = mask.filter(|mask| u64::from(mask.count_ones()) >= channels && mask >> SPEAKERS.len() == 0);
    let usual = usize::try_from(channels).ok().and_then(|count| USUAL.get(count.wrapping_sub(1)).copied());
    match known.or(usual) {
        Some(mask) => {
            let there = SPEAKERS.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
            let names = there.map(|(_, name)| *name).take(usize::try_from(channels).unwrap_or(usize::MAX));
            names.collect::<Vec<_>>().join(" ")
        }
        None => numbered(channels),
    }
}

/// The names of channels that are no loudspeakers: their numbers, from 1 on.
pub(crate) fn numbered(channels: u64) -> String {
    (1..=channels).map(|channel| channel.to_string()).collect::<Vec<_>>().join(" ")
}

/// The mask of channels with these names; `None` where they are no loudspeakers in this order.
pub(crate) fn mask(meaning: &str) -> Option<u32> {
    let mut mask = 0u32;
    for name in meaning.split(' ') {
        let bit = 1 << SPEAKERS.iter().position(|speaker| *speaker == name)?;
        if mask >= bit {
            return None;
        }
        mask |= bit;
    }
    Some(mask)
}

/// For each channel in the usual order, which of the channels of Vorbis it is, whose order is another one
/// (Vorbis I, section 4.3.9; also that of Opus, RFC 7845, section 5.1.1.2).
pub(crate) fn vorbis_order(channels: usize) -> Vec<usize> {
    let known: &[usize] = match channels {
        3 => &[0, 2, 1],
        5 => &[0, 2, 1, 3, 4],
        6 => &[0, 2, 1, 5, 3, 4],
        7 => &[0, 2, 1, 6, 5, 3, 4],
        8 => &[0, 2, 1, 7, 5, 6, 3, 4],
        _ => return (0..channels).collect(),
    };
    known.to_vec()
}

/// Whether channels with these names need no mask to be told.
pub(crate) fn is_usual(channels: u64, names: &str) -> bool {
    names == meaning(channels, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_vorbis_are_put_into_the_usual_order() {
        for (names, channels) in [
            ("FL FR", 2),
            ("FL FC FR", 3),
            ("FL FR BL BR", 4),
            ("FL FC FR BL BR", 5),
            ("FL FC FR BL BR LFE", 6),
            ("FL FC FR SL SR BC LFE", 7),
            ("FL FC FR SL SR BL BR LFE", 8),
        ] {
            let theirs: Vec<&str> = names.split(' ').collect();
            let ours: Vec<&str> = vorbis_order(channels).into_iter().map(|at| theirs[at]).collect();
            assert_eq!(ours.join(" "), meaning(channels as u64, None));
        }
    }

    #[test]
    fn names_and_masks_belong_together() {
        assert_eq!(meaning(1, None), "FC");
        assert_eq!(meaning(2, None), "FL FR");
        assert_eq!(meaning(6, Some(0x60f)), "FL FR FC LFE SL SR");
        assert_eq!(meaning(7, None), "FL FR FC LFE BC SL SR");
        assert_eq!(meaning(9, None), "1 2 3 4 5 6 7 8 9");
        // A mask of too few loudspeakers says nothing; one of too many says the first ones.
        assert_eq!(meaning(2, Some(0x4)), "FL FR");
        assert_eq!(meaning(2, Some(0x3f)), "FL FR");
        for (channels, usual) in (1..).zip(USUAL) {
            assert_eq!(mask(&meaning(channels, None)), Some(usual));
            assert!(is_usual(channels, &meaning(channels, Some(usual))));
        }
        assert_eq!((mask("FR FL"), mask("1 2"), mask("FL FL")), (None, None, None));
    }
}
