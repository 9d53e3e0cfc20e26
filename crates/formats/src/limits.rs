//! Every bound that this crate puts on bytes from outside, with the argument for its size.

/// Rows in one chunk of the content digest; parts begin at multiples of it.
pub const CHUNK_ROWS: u64 = coherence::content::CHUNK_ROWS;

/// Rows in one part at most: larger row groups no longer make files smaller.
pub const PART_ROWS_MAX: u64 = 16 * CHUNK_ROWS;

/// Rows in one decoded batch at most: small enough to stay in the processor's cache, large enough to
/// spread the cost of a call.
pub const BATCH_ROWS: usize = 8_192;

/// Source bytes of text behind one decoded batch at most.
pub const BATCH_BYTES: usize = 1 << 20;

/// Bytes of one decoded batch at most where rows share values that the file holds once: each of them gets its
/// own.
pub const SHARED_BATCH_BYTES: usize = 16 << 20;

/// Columns of a text table at most. Real tables stay below 20,000; a file above this is not a table.
pub const COLUMNS_MAX: usize = 100_000;

/// Nesting of lists, structs and maps at most.
pub const DEPTH_MAX: usize = 64;

/// Bytes of one text record at most, unless memory allows less: an eighth of the default memory.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

/// Bytes above which the length of a text record is told: what several threads hold of shorter ones is
/// covered by what each is given anyway.
pub const LONG_RECORD_BYTES_MIN: u64 = 1 << 20;

/// Times that a long record of text is in memory at once at most, on its way through one thread: as text,
/// field and value, in pages and buffers of its encoder, and in the part.
pub const RECORD_COPIES: u64 = 7;

/// Times that a row of a format that holds types is in memory at once at most: as page, value, and what its
/// encoder and the part hold. Five were seen.
pub const ROW_COPIES: usize = 8;

/// Bytes of a buffer from which on it is not kept for what follows, or copied where it can be moved: copies
/// of less take no time, and room for less is soon used again.
pub const LONG_BUFFER_BYTES_MIN: usize = 8 << 20;

/// Bytes of encoded parts in memory at most: more than two workers of parts of the usual size have at once,
/// so that only parts of long rows go on in temporaries. It is three eighths of the default memory.
pub const PIECES_HELD_BYTES_MAX: usize = 192 << 20;

/// Bytes of one part at least that are worth a temporary: a process may have few files open.
pub const PIECES_SPILL_BYTES_MIN: usize = 8 << 20;

/// Bytes of text that are wrapped as one gzip member or zstd frame at most: they are in memory at once.
pub const WRAPPED_BYTES_MAX: usize = 32 << 20;

/// Bytes of a Parquet or Arrow footer, or an Avro header, at most.
pub const FOOTER_BYTES_MAX: u64 = 256 << 20;

/// Bytes at most that the types in a certificate give a row without values: a null of fixed width is held at
/// that width, and a few bytes of a certificate could claim any. Vectors of language models have kilobytes.
pub const FIXED_BYTES_MAX: u64 = 1 << 20;

/// Bytes that the nulls of one JSON record or one Avro batch hold at most: half of the default memory. Few
/// bytes stand for a null, and its column holds it at the width of a value. A record of nothing but nulls of
/// eight bytes stays below.
pub const NULL_BYTES_MAX: usize = 256 << 20;

/// Fields kept as exceptions to a column's style at most.
pub const EXCEPTIONS_MAX: usize = 1_000;

/// Bytes of one Avro block at most, compressed or not: a quarter of the default memory. Writers close blocks
/// at kilobytes; a block above this is a whole table in one piece.
pub const AVRO_BLOCK_BYTES_MAX: usize = 128 << 20;

/// Avro values that take no bytes (nulls) in one block or batch at most: nothing else bounds how many a few
/// bytes can claim.
pub const AVRO_EMPTY_VALUES_MAX: u64 = 1 << 24;

/// Bytes of the window of a zstd frame or xz dictionary at most: what the zstd tool accepts unasked, and
/// twice what `xz -9` uses. It is held while the frame is decoded, beside the default memory of the workers.
pub const DECODER_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// Partitions of a table at most: each is a file of its own, and a line of the certificate. Tables with more
/// are slow to list for everybody who reads them.
pub const PARTITIONS_MAX: usize = 10_000;

/// Partitions times columns at most: what is known of each column of each partition, about 200 bytes, waits
/// in memory for the certificate.
pub const PARTITION_COLUMNS_MAX: usize = 1_000_000;

/// Bytes in the name of a directory at most, as file systems have it.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of an image's attributes at most, unpacked. Profiles of printers reach 3 MiB, thumbnails less.
pub const ATTRIBUTE_BYTES_MAX: u64 = 16 << 20;

/// Attributes of an image at most: each is a line that somebody may have to read.
pub const ATTRIBUTES_MAX: usize = 1_000;

/// Items of an AVIF at most: telephones cut photographs into some hundred tiles, and each is a decoder's
/// start.
pub const AVIF_ITEMS_MAX: usize = 4_096;

/// Scans of a JPEG at most: each may go over the whole image for a few bytes. Encoders write 10, and those
/// that search for the smallest file three times as many.
pub const SCANS_MAX: u64 = 100;

/// Packed bytes of a binary format may hold this many bytes at any ratio: half of the default memory.
pub const BOMB_BYTES_MIN: u64 = 256 << 20;

/// Bytes held for each packed byte at most, above that: gzip cannot pass 1,032, and what zstd packs tighter
/// than this holds next to no information.
pub const BOMB_RATIO_MAX: u64 = 1_000;

/// Whether `packed` bytes that claim to hold `held` bytes are believed no more.
pub(crate) fn is_bomb(packed: u64, held: u64) -> bool {
    held > packed.saturating_mul(BOMB_RATIO_MAX).max(BOMB_BYTES_MIN)
}

/// Axes of an array at most: what NumPy 2 allows.
pub const RANK_MAX: usize = 64;

/// Bytes of the header of an npy file at most. NumPy itself reads 10,000 unasked; longer ones have fields.
pub const NPY_HEADER_BYTES_MAX: u64 = 1 << 20;

/// Bytes of the header of a safetensors file at most, as its library has it.
pub const SAFETENSORS_HEADER_BYTES_MAX: u64 = 100_000_000;

/// Files that an index of safetensors names at most: they are all open at once.
pub const SHARDS_MAX: usize = 512;

/// Bytes of the rows of an array in column-major order that one part touches, at most: they are gathered from
/// all over the array, and are held at once.
pub const COLUMN_MAJOR_BYTES_MAX: usize = 128 << 20;

/// Bytes before the samples of a GGUF file at most: those of the largest vocabularies take a quarter of it.
pub const GGUF_HEAD_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a packet in Ogg at most: all attributes that a sound may have, in base64, and some more. Packets
/// of sound have kilobytes.
pub const OGG_PACKET_BYTES_MAX: usize = 24 << 20;

/// Bytes of decoded samples that a sound may have at any ratio: three hours of floating point in two
/// channels. They lie in a temporary, not in memory; above this, [`BOMB_RATIO_MAX`] bytes for each packed one
/// are believed, which real encoders reach with silence alone.
pub const DECODED_SOUND_BYTES_MIN: u64 = 4 << 30;

/// Entries of all codebooks of a Vorbis at most, and values in them: the reference encoder stays below 20,000
/// entries and 100,000 values, and a few bytes could claim billions.
pub const VORBIS_ENTRIES_MAX: u64 = 1 << 18;
/// See [`VORBIS_ENTRIES_MAX`].
pub const VORBIS_VALUES_MAX: u64 = 1 << 21;

/// Pixels of a side of a tile at least: what is measured of each takes about 3 KiB, whoever chose how many
/// there are.
pub const TILE_SIDE_MIN: u64 = 64;
