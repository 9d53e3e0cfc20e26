"""Makes the bad Parquet and Arrow files of the folder `bad`: sound files of pyarrow with one thing changed.

    make_bad.py [DIRECTORY]

The files are kept in the repository, since another version of pyarrow lays its files out differently.
"""

import pathlib
import struct
import sys

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("bad"))
TABLE = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "name": ["Åsa", "Bo", None]})


def parquet(table=TABLE, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **{"use_dictionary": False, "compression": "none", "store_schema": False,
                               "write_statistics": False, **options})
    return bytearray(sink.getvalue().to_pybytes())


def arrow(table=TABLE, stream=False, batches=None, **options):
    sink = pa.BufferOutputStream()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    schema = batches[0].schema if batches else table.schema
    with new(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches or table.to_batches():
            writer.write_batch(batch)
    return bytearray(sink.getvalue().to_pybytes())


def varint(data, at):
    """The number of a Thrift varint and the offset after it."""
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def number(value):
    """A Thrift varint."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def thrift(data, kind, at):
    """A value in Thrift's compact protocol: integers as their offsets, and the offset after the value."""
    if kind in (1, 2):
        return at, at
    if kind == 3:
        return at, at + 1
    if kind in (4, 5, 6):
        return at, varint(data, at)[1]
    if kind == 8:
        length, at = varint(data, at)
        return at, at + length
    if kind in (9, 10):
        head, at = data[at], at + 1
        count, at = (head >> 4, at) if head < 0xf0 else varint(data, at)
        items = []
        for _ in range(count):
            item, at = thrift(data, head & 15, at)
            items.append(item)
        return items, at
    assert kind == 12, kind
    fields, last = {}, 0
    while data[at]:
        head, at = data[at], at + 1
        if head >> 4:
            last += head >> 4
        else:
            number, at = varint(data, at)
            last = number >> 1
        fields[last], at = thrift(data, head & 15, at)
    return fields, at + 1


# Where facts stand in a footer, by the numbers of Parquet's Thrift definition.
ROWS, GROUP_ROWS = (3,), (4, 0, 3)
VALUES, OFFSET, SIZE = (4, 0, 1, 0, 3, 5), (4, 0, 1, 0, 3, 9), (4, 0, 1, 0, 3, 7)


def lie(data, fact, add):
    """Adds to the first byte of an integer in the footer."""
    place, _ = thrift(data, 12, len(data) - 8 - struct.unpack("<I", data[-8:-4])[0])
    for step in fact:
        place = place[step]
    changed = bytearray(data)
    changed[place] += add
    return changed


def replaced(data, old, new):
    """Changes the one place where these bytes stand."""
    assert len(old) == len(new) and data.count(old) == 1, (old, data.count(old))
    at = data.index(old)
    data[at:at + len(old)] = new
    return data


def bad_parquet():
    good = parquet()
    yield "cut_short", good[:-20]
    yield "start_only", good[:40]
    yield "footer_length_beyond", good[:-8] + struct.pack("<I", 1 << 30) + b"PAR1"
    yield "footer_length_zero", good[:-8] + struct.pack("<I", 0) + b"PAR1"
    yield "footer_of_garbage", good[:-8 - 60] + bytes(range(52, 112)) + good[-8:]
    yield "footer_encrypted", good[:-4] + b"PARE"
    yield "rows_of_file", lie(good, ROWS, 2)
    yield "rows_of_group", lie(good, GROUP_ROWS, 2)
    yield "values_of_column", lie(good, VALUES, 2)
    yield "offset_into_page", lie(good, OFFSET, 8)
    yield "offset_negative", lie(good, OFFSET, -7)
    yield "size_negative", lie(good, SIZE, 1)
    yield "page_header", good[:4] + b"\xff\xff\xff\xff" + good[8:]
    many = parquet(pa.table({"id": [7] * 1000}), compression="snappy")
    # After the kind of page come its sizes, unpacked and packed.
    after = many.index(b"\x15\x00\x15", 4) + 3
    size = varint(many, after)[1] - after
    grown = many[:after] + number((1 << 32) - 2) + many[after + size:]
    yield "page_size_huge", lie(grown, SIZE, 2 * (5 - size))
    packed_at = after + size + 1
    yield "page_beyond_chunk", many[:packed_at] + bytes([many[packed_at] + 2]) + many[packed_at + 1:]
    yield "not_utf8", replaced(good[:], "Åsa".encode(), b"\xc3\xffsa")
    packed = parquet(pa.table({"text": ["a" * 63]}), compression="snappy")
    # A copy from one byte back becomes one from before the start.
    yield "page_packed_badly", replaced(packed, b"a\xf6\x01\x00", b"a\xf6\xff\xff")
    words = parquet(pa.table({"word": ["only"] * 9}), use_dictionary=True)
    # The page of indices: bit width 1 and one run of nine zeros, made a run of nine ones.
    yield "dictionary_index", replaced(words, b"\x01\x12\x00\x15", b"\x01\x12\x01\x15")
    decimals = pa.table({"price": pa.array([1, 2], pa.decimal128(38, 2))})
    wide = parquet(decimals)
    yield "decimal_too_wide", replaced(wide, (100).to_bytes(16, "big"), b"\x7f" * 16)


def bad_arrow():
    good = arrow()
    yield "cut_short.arrow", good[:-20]
    yield "start_only.arrow", good[:40]
    yield "footer_length_beyond.arrow", good[:-10] + struct.pack("<I", 1 << 30) + b"ARROW1"
    yield "footer_of_garbage.arrow", good[:-80] + b"\x7f" * 60 + good[-20:-10] + struct.pack("<I", 64) + good[-6:]
    block = struct.pack("<qiiq", *block_of(good))
    far = struct.pack("<qiiq", 1 << 40, *block_of(good)[1:])
    yield "block_beyond.arrow", replaced(good[:], block, far)
    off = struct.pack("<qiiq", block_of(good)[0] + 8, *block_of(good)[1:])
    yield "block_by_eight.arrow", replaced(good[:], block, off)
    yield "rows_of_batch.arrow", replaced(good[:], *node(3, 0, 4, 0))
    yield "nulls_of_column.arrow", replaced(good[:], *node(3, 1, 3, 77))
    yield "not_utf8.arrow", replaced(good[:], "Åsa".encode(), b"\xc3\xffsa")
    yield "offsets_down.arrow", replaced(good[:], struct.pack("<iii", 0, 4, 6), struct.pack("<iii", 0, 4, 2))
    yield "offsets_beyond.arrow", replaced(good[:], struct.pack("<iii", 0, 4, 6), struct.pack("<iii", 0, 4, 1 << 20))
    packed = arrow(pa.table({"n": [7] * 100}), compression="zstd")
    yield "unpacked_size_huge.arrow", replaced(packed, struct.pack("<q", 800), struct.pack("<q", 1 << 45))
    small = arrow(pa.table({"n": [7] * 100}), compression="lz4")
    yield "unpacked_size_small.arrow", replaced(small, struct.pack("<q", 800), struct.pack("<q", 8))
    words = pa.array(["x", "y", "x"]).dictionary_encode()
    indices = words.indices.to_numpy().tobytes()
    yield "dictionary_index.arrow", replaced(arrow(pa.table({"w": words})), indices, struct.pack("<iii", 0, 99, 0))
    either = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    yield "union.arrow", arrow(pa.table({"either": either}))
    clock = pa.table({"time": pa.array([1, 86399], pa.time32("s"))})
    yield "no_time_of_day.arrow", replaced(arrow(clock), struct.pack("<ii", 1, 86399), struct.pack("<ii", 1, 86400))
    tags = pa.table({"tags": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))})
    # The type of the entries, Struct_ of Schema.fbs, becomes Null.
    yield "map_of_nulls.arrows", replaced(arrow(tags, stream=True), b"\0\0\0\x0d\x18", b"\0\0\0\x01\x18")
    stream = arrow(stream=True)
    yield "cut_in_body.arrows", stream[:-30]
    yield "cut_in_prefix.arrows", stream[:-4]
    yield "bytes_after_end.arrows", stream + b"more"
    yield "no_schema.arrows", stream[schema_bytes(stream):]
    yield "length_huge.arrows", stream[:4] + struct.pack("<I", 1 << 31) + stream[8:]


def block_of(data):
    """The block of the only record batch: offset, bytes of metadata, padding, bytes of body."""
    with pa.ipc.open_file(pa.BufferReader(bytes(data))) as file:
        assert file.num_record_batches == 1
    at = schema_bytes(data[8:]) + 8
    meta = struct.unpack("<I", data[at + 4:at + 8])[0] + 8
    tail = len(data) - 10 - struct.unpack("<I", data[-10:-6])[0] - 8
    return at, meta, 0, tail - at - meta


def schema_bytes(stream):
    return struct.unpack("<I", stream[4:8])[0] + 8


def node(length, nulls, new_length, new_nulls):
    """A field node of a record batch, before and after."""
    return struct.pack("<qq", length, nulls), struct.pack("<qq", new_length, new_nulls)


for name, data in bad_parquet():
    (FOLDER / f"{name}.parquet").write_bytes(data)
for name, data in bad_arrow():
    (FOLDER / name).write_bytes(data)
