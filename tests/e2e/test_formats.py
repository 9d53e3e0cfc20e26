"""Files of other writers, and tables made at random, through chains of formats: readers that are not ours find
the same types and values at the end.

`ISOFORM_TABLES=10000` makes the random part run for long; a failure prints the seed that repeats it.
"""

import datetime
import decimal
import json
import math
import os
import random
import struct

import duckdb
import fastavro
import numpy
import pyarrow as pa
import pyarrow.compute
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import harness

TABLES = int(os.environ.get("ISOFORM_TABLES", "25"))
SEED = int(os.environ.get("ISOFORM_SEED", "1"))
UNITS = ["s", "ms", "us", "ns"]
T = pa.types
WIDE = decimal.Context(prec=80)


def scalar_type(rng):
    digits = rng.randint(1, 76)
    fewer = min(digits, 38)
    decimals = [pa.decimal256(digits, rng.randint(0, digits)), pa.decimal128(fewer, rng.randint(0, fewer))]
    zone = rng.choice([None, "UTC", "Europe/Berlin", "+05:30"])
    return rng.choice(decimals + [
        pa.null(), pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(),
        pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.string_view(),
        pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(rng.randint(1, 16)), pa.date32(), pa.date64(),
        pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp(rng.choice(UNITS), zone),
        pa.duration(rng.choice(UNITS)), pa.month_day_nano_interval(), pa.decimal32(7, 2), pa.decimal64(15, 3),
    ])


def column_type(rng, depth=0):
    if depth == 3 or rng.random() < 0.7:
        return scalar_type(rng)
    inside = column_type(rng, depth + 1)
    names = rng.sample(["a", "b", "c d", "é", ""], rng.randint(1, 3))
    return rng.choice([
        pa.list_(inside), pa.large_list(inside), pa.list_(inside, rng.randint(1, 3)), pa.map_(pa.string(), inside),
        pa.struct([(name, column_type(rng, depth + 1)) for name in names]),
        pa.dictionary(pa.int8(), rng.choice([pa.string(), pa.int64(), pa.date32()])),
        pa.run_end_encoded(pa.int32(), pa.string()),
    ])


WORDS = ["", "a", "NA", "null", "true", "007", "nan", "é☃😀", "a,b", 'q"q', "x\ny", "x\r\ny", " lead", "{}", "\\",
         "2020-01-01", "#x", "\u2028", "\x01\x7f", "\ufeffbom", "long " * 60]
FLOATS = [0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, 1e16, 1e21, 1e-7, 5e-324, 1.7976931348623157e308]


def number(kind, rng):
    """The integer beneath a value of this type: ordinary ones, and those at the ends."""
    if T.is_date64(kind):
        return 86_400_000 * rng.choice([0, -1, 2_932_897, -719_163, rng.randint(-10**5, 10**5)])
    if T.is_time(kind):
        return rng.randrange(86_400 * 1000 ** UNITS.index(kind.unit))
    bits = kind.bit_width
    low, high = (0, 2**bits - 1) if T.is_unsigned_integer(kind) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if T.is_timestamp(kind) and kind.unit == "s":
        # Avro and Parquet have no timestamps in seconds; what its milliseconds cannot hold is refused.
        low, high = low // 1001, high // 1001
    return rng.choice([low, high, 0, 1, rng.randint(low, high), rng.randint(0, 100)])


def value(kind, rng):
    if T.is_boolean(kind):
        return rng.random() < 0.5
    if T.is_float16(kind):
        return numpy.float16(rng.choice([0.0, -0.0, math.nan, math.inf, 1.5, 65504.0, 6e-8]))
    if T.is_floating(kind):
        found = rng.choice([*FLOATS, rng.gauss(0, 1), rng.random() * 10.0 ** rng.randint(-30, 30)])
        return found if T.is_float64(kind) else float(numpy.float32(numpy.clip(found, -3e38, 3e38)))
    if T.is_decimal(kind):
        most = 10**kind.precision - 1
        return decimal.Decimal(rng.choice([0, 1, most, -most, rng.randint(-most, most)])).scaleb(-kind.scale, WIDE)
    if T.is_fixed_size_binary(kind):
        return rng.randbytes(kind.byte_width)
    if T.is_binary(kind) or T.is_large_binary(kind) or T.is_binary_view(kind):
        return rng.randbytes(rng.choice([0, 1, 40]))
    if T.is_interval(kind):
        return pa.MonthDayNano([rng.randint(-99, 99), rng.randint(-99, 99), rng.randint(-10**10, 10**10)])
    return rng.choice(WORDS)


def array(kind, rows, rng, nulls):
    """Random values of a type; a share of them is null."""
    absent = [T.is_null(kind) or rng.random() < nulls for _ in range(rows)]
    mask = pa.array(absent, pa.bool_())
    if T.is_dictionary(kind):
        return array(kind.value_type, rows, rng, nulls).dictionary_encode().cast(kind)
    if T.is_run_end_encoded(kind):
        return pa.compute.run_end_encode(array(kind.value_type, rows, rng, nulls), pa.int32())
    if T.is_fixed_size_list(kind):
        items = array(kind.value_type, rows * kind.list_size, rng, 0.2)
        return pa.FixedSizeListArray.from_arrays(items, type=kind, mask=mask)
    if T.is_struct(kind):
        fields = [array(field.type, rows, rng, 0.2) for field in kind]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=mask)
    if T.is_list(kind) or T.is_large_list(kind) or T.is_map(kind):
        ends = numpy.cumsum([0 if none else rng.choice([0, 1, 3]) for none in absent], dtype=numpy.int64).tolist()
        starts = [0, *ends][:rows]
        width = pa.int64() if T.is_large_list(kind) else pa.int32()
        offsets = pa.array([None if none else at for none, at in zip(absent, starts)] + [[0, *ends][-1]], width)
        if T.is_map(kind):
            keys = pa.array([f"k{number}" for number in range([0, *ends][-1])], pa.string())
            return pa.MapArray.from_arrays(offsets, keys, array(kind.item_type, len(keys), rng, 0.2), type=kind)
        items = array(kind.value_type, [0, *ends][-1], rng, 0.2)
        return (pa.LargeListArray if T.is_large_list(kind) else pa.ListArray).from_arrays(offsets, items)
    if T.is_integer(kind) or T.is_temporal(kind) and not T.is_interval(kind):
        raw = pa.int64() if kind.bit_width == 64 else pa.int32()
        raw = kind if T.is_integer(kind) else raw
        return pa.array([None if none else number(kind, rng) for none in absent], raw).view(kind)
    return pa.array([None if none else value(kind, rng) for none in absent], kind)


def name_of(kind):
    """The type as content: not how it is held."""
    if T.is_dictionary(kind) or T.is_run_end_encoded(kind):
        return name_of(kind.value_type)
    if T.is_string(kind) or T.is_large_string(kind) or T.is_string_view(kind):
        return "text"
    if T.is_fixed_size_binary(kind):
        return f"binary[{kind.byte_width}]"
    if T.is_binary(kind) or T.is_large_binary(kind) or T.is_binary_view(kind):
        return "binary"
    if T.is_fixed_size_list(kind):
        return f"list[{kind.list_size}]<{name_of(kind.value_type)}>"
    if T.is_list(kind) or T.is_large_list(kind):
        return f"list<{name_of(kind.value_type)}>"
    if T.is_map(kind):
        return f"map<{name_of(kind.key_type)}, {name_of(kind.item_type)}>"
    if T.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {name_of(field.type)}' for field in kind)}>"
    if T.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return str(kind)


def cells(found):
    """The values of an array, so that equal content is equal: bits of floats, integers beneath moments."""
    kind = found.type
    if isinstance(found, pa.ChunkedArray):
        return [cell for chunk in found.chunks for cell in cells(chunk)]
    if T.is_dictionary(kind):
        return cells(found.dictionary_decode())
    if T.is_run_end_encoded(kind):
        return cells(pa.compute.run_end_decode(found))
    valid = found.is_valid().to_pylist()
    if T.is_floating(kind):
        plain = [None if x is None else float(x) for x in found.to_pylist()]
        return [x if x is None else "nan" if math.isnan(x) else struct.pack("<d", x) for x in plain]
    if T.is_temporal(kind) and not T.is_interval(kind):
        return found.view(pa.int64() if kind.bit_width == 64 else pa.int32()).to_pylist()
    if T.is_struct(kind):
        fields = [cells(found.field(index)) for index in range(kind.num_fields)]
        return [tuple(field[row] for field in fields) if there else None for row, there in enumerate(valid)]
    if T.is_map(kind):
        entries = [found[row].values if there else None for row, there in enumerate(valid)]
        return [e if e is None else list(zip(cells(e.field(0)), cells(e.field(1)))) for e in entries]
    if T.is_list(kind) or T.is_large_list(kind) or T.is_fixed_size_list(kind):
        return [cells(found[row].values) if there else None for row, there in enumerate(valid)]
    return found.to_pylist()


def content(table):
    return [(field.name, name_of(field.type), cells(table.column(index))) for index, field in enumerate(table.schema)]


def write(table, path, rng):
    if path.suffix == ".parquet":
        pq.write_table(
            table, path, compression=rng.choice(["none", "snappy", "gzip", "brotli", "zstd", "lz4"]),
            data_page_version=rng.choice(["1.0", "2.0"]), use_dictionary=rng.random() < 0.5,
            row_group_size=rng.choice([1, 7, 1 << 20]), data_page_size=rng.choice([100, 1 << 20]))
        return
    options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
    new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
    with new(str(path), table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rng.choice([1, 3, 1000]))


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return (pa.ipc.open_file if path.suffix == ".arrow" else pa.ipc.open_stream)(str(path)).read_all()


def source_of(table, folder, rng):
    """The table in a file of pyarrow, in a format in which pyarrow itself keeps it."""
    for ending in [rng.choice(["parquet", "arrows"]), "arrow"]:
        path = folder / f"source.{ending}"
        try:
            write(table, path, rng)
            if content(read(path)) == content(table):
                return path
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    raise AssertionError("pyarrow keeps every table in Arrow files")


@pytest.mark.parametrize("seed", range(SEED, SEED + TABLES))
def test_any_table_through_any_formats(isoform, tmp_path, seed):
    rng = random.Random(seed)
    rows, nulls = rng.choice([0, 1, 2, 10, 50]), rng.choice([0, 0.2, 0.9])
    names = rng.sample(["a", "b", "Ä", "x y", 'n,"q', "1", "col\n2", "a.b"], rng.randint(1, 5))
    table = pa.table([array(column_type(rng), rows, rng, nulls) for _ in names], names=names)
    at = source_of(table, tmp_path, rng)
    chain = [rng.choice(["parquet", "arrow", "arrows", "avro"]) for _ in range(rng.randint(1, 3))]
    for step, ending in enumerate([*chain, rng.choice(["arrow", "arrows"])]):
        after = tmp_path / f"{step}.{ending}"
        assert isoform("convert", at, after, "--json").expect(0).json()["verdict"] == "EXACT"
        at = after
    assert content(read(at)) == content(table), (seed, chain)


ENCODINGS = [
    {"i": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY", "f": "BYTE_STREAM_SPLIT", "b": "RLE",
     "x": "DELTA_BYTE_ARRAY"},
    {"i": "BYTE_STREAM_SPLIT", "s": "DELTA_LENGTH_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT"},
]


@pytest.fixture(scope="module")
def plain():
    rng = random.Random(7)
    kinds = {"i": pa.int64(), "s": pa.string(), "f": pa.float64(), "b": pa.bool_(), "x": pa.binary(5)}
    return pa.table({name: array(kind, 3000, rng, 0.1) for name, kind in kinds.items()})


@pytest.mark.parametrize("options", [
    *({"column_encoding": encodings, "use_dictionary": False, "data_page_version": version}
      for encodings in ENCODINGS for version in ("1.0", "2.0")),
    {"write_page_index": True, "write_page_checksum": True, "row_group_size": 100},
])
def test_parquet_in_every_encoding(isoform, plain, tmp_path, options):
    pq.write_table(plain, tmp_path / "in.parquet", data_page_size=1000, **options)
    isoform("convert", tmp_path / "in.parquet", tmp_path / "out.arrow").expect(0)
    assert content(read(tmp_path / "out.arrow")) == content(plain)


@pytest.mark.parametrize("wrapping", ["gz", "bgz", "zst", "xz", "bz2", "lz4", "br"])
def test_a_table_without_rows_is_a_member_all_the_same(isoform, tmp_path, wrapping):
    """Of JSON Lines it is no bytes at all, which no wrapping is."""
    (tmp_path / "in.csv").write_text("a,b\n")
    target = tmp_path / f"out.jsonl.{wrapping}"
    isoform("convert", tmp_path / "in.csv", target).expect(0)
    isoform("verify", target).expect(0)
    isoform("convert", target, tmp_path / "out.jsonl").expect(0)
    assert target.stat().st_size > 0 and (tmp_path / "out.jsonl").read_bytes() == b""


def test_a_group_without_rows_and_without_bytes(isoform, tmp_path):
    """What pyarrow writes for an empty table without dictionaries: no page, and an offset of zero."""
    empty = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.list_(pa.string()))})
    pq.write_table(empty, tmp_path / "in.parquet", use_dictionary=False)
    for name in ("out.arrow", "out.csv", "out.parquet"):
        isoform("convert", tmp_path / "in.parquet", tmp_path / name).expect(0)
    assert content(read(tmp_path / "out.arrow")) == content(empty)


def test_types_of_duckdb(isoform, tmp_path):
    with duckdb.connect() as db:
        db.execute(f"""copy (select date '2020-01-02' d, time '12:00' t, timestamp '2020-01-02 03:04:05' ts,
            timestamptz '2020-01-02 03:04:05+00' tz, 1::utinyint a, [1, 2] l, {{'k': 1}} s, map {{'k': 1}} m,
            'x'::blob b, 'a'::enum('a', 'b') e, 1.5::decimal(9, 2) dc, timestamp_ns '2020-01-02 03:04:05' tn)
            to '{tmp_path}/in.parquet' (format parquet)""")
    isoform("convert", tmp_path / "in.parquet", tmp_path / "out.arrow").expect(0)
    found, want = read(tmp_path / "out.arrow"), pq.read_table(tmp_path / "in.parquet")
    assert [cells(c) for c in found.columns] == [cells(c) for c in want.columns]


@pytest.mark.parametrize("deltas", [True, False])
def test_dictionaries_that_grow_or_change(isoform, tmp_path, deltas):
    stages = [["a"], ["a", "b"], ["a", "b", "c"]] if deltas else [["a"], ["z", "y"], ["q"]]
    batches = [pa.record_batch([pa.DictionaryArray.from_arrays(pa.array([0, len(words) - 1]), pa.array(words))], ["x"])
               for words in stages]
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    with pa.ipc.new_stream(str(tmp_path / "in.arrows"), batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    isoform("convert", tmp_path / "in.arrows", tmp_path / "out.parquet").expect(0)
    assert read(tmp_path / "out.parquet").column("x").to_pylist() == [w for s in stages for w in (s[0], s[-1])]


DICTIONARIES = {
    "bool": pa.array([True, False], pa.bool_()), "decimal": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-2.50")]),
    "wide": pa.array([decimal.Decimal("1.25"), decimal.Decimal(3)], pa.decimal256(60, 2)), "bytes": pa.array([b"ab", b"cd"], pa.binary(2)),
    "half": pa.array([numpy.float16(1.5), numpy.float16(-0.0)], pa.float16()), "int": pa.array([3, 200], pa.uint8()),
    "double": pa.array([1.5, float("nan")]), "date": pa.array([1, 2], pa.date32()), "text": pa.array(["a", "é"]),
    "null": pa.array([], pa.null()),
}


@pytest.mark.parametrize("name", DICTIONARIES)
def test_dictionaries_of_parquet_are_of_the_type_of_their_values(isoform, tmp_path, name):
    """Alone, in lists, structs and maps, with nulls, in several row groups."""
    values = DICTIONARIES[name]
    keys = pa.array([None if at % 3 == 2 or not len(values) else at % 3 for at in range(12)], pa.int8())
    held = pa.DictionaryArray.from_arrays(keys, values)
    plain = held.dictionary_decode()
    table = lambda column: pa.table({
        "x": column.slice(0, 6), "list": pa.ListArray.from_arrays([0, 2, 2, 5, 8, 9, 12], column),
        "struct": pa.StructArray.from_arrays([column.slice(6)], ["f"]),
        "map": pa.MapArray.from_arrays([0, 1, 3, 6, 6, 7, 12], [str(at) for at in range(12)], column),
    })
    found = []
    for file, column in (("held", held), ("plain", plain)):
        source, target = tmp_path / f"{file}.parquet", tmp_path / f"{file}.arrow"
        pq.write_table(table(column), source, row_group_size=4)
        found.append(isoform("convert", source, target, "--json").expect(0).json())
        isoform("verify", target).expect(0)
    assert found[0]["content"] == found[1]["content"] and found[0]["columns"] == found[1]["columns"]
    assert content(read(tmp_path / "held.arrow")) == content(table(plain))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary(), pa.int32()], ids=str)
def test_keys_that_count_the_values_of_one_row_group_only(isoform, tmp_path, kind):
    words = [pa.array([str(100 * group + at) for at in range(100)]).cast(kind) for group in range(3)]
    parts = [pa.DictionaryArray.from_arrays(pa.array(range(100), pa.int8()), each) for each in words]
    with pq.ParquetWriter(tmp_path / "in.parquet", pa.schema([("x", parts[0].type)])) as writer:
        for part in parts:
            writer.write_table(pa.table({"x": part}))
    isoform("convert", tmp_path / "in.parquet", tmp_path / "out.arrow").expect(0)
    assert read(tmp_path / "out.arrow").column("x").to_pylist() == [word for each in words for word in each.to_pylist()]


def test_arrow_of_the_version_before(isoform, plain, tmp_path):
    options = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    with pa.ipc.new_file(str(tmp_path / "in.arrow"), plain.schema, options=options) as writer:
        writer.write_table(plain)
    isoform("convert", tmp_path / "in.arrow", tmp_path / "out.arrow").expect(0)
    assert content(read(tmp_path / "out.arrow")) == content(plain)


def nested(kind, depth):
    """A column nested this deep, with one value at the bottom."""
    data_type, cell = pa.int32(), 1
    for _ in range(depth):
        if kind == "list":
            data_type, cell = pa.list_(data_type), [cell]
        else:
            data_type, cell = pa.struct([("f", data_type)]), {"f": cell}
    return pa.table({"x": pa.array([cell], data_type)})


@pytest.mark.parametrize("kind, depth", [("list", 63), ("struct", 63), ("list", 33)])
def test_deep_nesting_is_kept_by_every_format(isoform, tmp_path, kind, depth):
    table = nested(kind, depth)
    write(table, tmp_path / "in.arrow", random.Random(0))
    for ending in ("parquet", "arrows", "avro"):
        isoform("convert", tmp_path / "in.arrow", tmp_path / f"out.{ending}").expect(0)
        isoform("convert", tmp_path / f"out.{ending}", tmp_path / f"{ending}.arrow").expect(0)
        isoform("verify", tmp_path / f"out.{ending}").expect(0)
        assert content(read(tmp_path / f"{ending}.arrow")) == content(table), ending
    for ending in ("csv", "jsonl"):
        isoform("convert", tmp_path / "in.arrow", tmp_path / f"out.{ending}").expect(0)
        isoform("verify", tmp_path / f"out.{ending}").expect(0)


def test_json_nests_64_deep_and_no_deeper(isoform, tmp_path):
    deep, source = lambda n: '{"x":' + "[" * n + "1" + "]" * n + "}\n", tmp_path / "in.jsonl"
    source.write_text(deep(64))
    for ending in ("parquet", "arrow", "avro"):
        isoform("convert", source, tmp_path / f"out.{ending}").expect(0)
        isoform("convert", tmp_path / f"out.{ending}", tmp_path / "back.jsonl", "--force").expect(0)
        assert (tmp_path / "back.jsonl").read_text() == deep(64), ending
    source.write_text(deep(65))
    assert "64" in isoform("convert", source, tmp_path / "no.parquet").expect(9).err


def test_moments_in_seconds_are_moments_for_others(isoform, tmp_path):
    """Parquet has no such types: held as they are, others would see bare integers."""
    seconds = {"day": pa.date64(), "clock": pa.time32("s"), "local": pa.timestamp("s"),
               "instant": pa.timestamp("s", "UTC")}
    rng = random.Random(3)
    table = pa.table({name: array(kind, 0, rng, 0) for name, kind in seconds.items()})
    write(table, tmp_path / "in.arrow", rng)
    isoform("convert", tmp_path / "in.arrow", tmp_path / "out.parquet").expect(0)
    found = {field.name: harness.kind(field.type) for field in pq.read_schema(tmp_path / "out.parquet")}
    assert found == {"day": "timestamp", "clock": "time", "local": "timestamp", "instant": "timestamp with zone"}
    isoform("convert", tmp_path / "out.parquet", tmp_path / "out.arrow").expect(0)
    assert content(read(tmp_path / "out.arrow")) == content(table)


@pytest.mark.parametrize("union", [["int", "string"], ["null", "int", "long"]])
def test_unions_of_avro_are_refused_by_name(isoform, tmp_path, union):
    schema = {"type": "record", "name": "r", "fields": [{"name": "either", "type": union}]}
    with open(tmp_path / "in.avro", "wb") as file:
        fastavro.writer(file, schema, [{"either": 1}])
    assert '"either"' in isoform("convert", tmp_path / "in.avro", tmp_path / "out.parquet").expect(9).err


@pytest.mark.parametrize("start, word", [
    (b"BZh91AY&SY" + b"\0" * 20, "bzip2"), (b"\xfd7zXZ\0" + b"\0" * 20, "xz"), (b"\x04\x22\x4d\x18", "lz4"), (b"PK\x03\x04" + b"\0" * 20, "zip"),
])
def test_what_others_packed_is_named(isoform, tmp_path, start, word):
    (tmp_path / "in.csv").write_bytes(start)
    assert word in isoform("convert", tmp_path / "in.csv", tmp_path / "out.parquet").expect(9).err


def test_text_that_begins_like_parquet_is_text(isoform, tmp_path):
    (tmp_path / "in.csv").write_text("PAR1,PAR2\n1,2\n")
    isoform("convert", tmp_path / "in.csv", tmp_path / "out.arrow").expect(0)
    assert read(tmp_path / "out.arrow").to_pylist() == [{"PAR1": 1, "PAR2": 2}]


@pytest.mark.parametrize("name", ["file", "empty", "all_types"])
def test_arrow_files_of_polars_are_read(isoform, tmp_path, name):
    """They lack the prefix of the first message, which other readers never look at."""
    source = harness.TABLES / "polars" / f"{name}.arrow"
    wanted = pa.ipc.open_file(source).read_all()
    for ending, read in (("arrow", lambda path: pa.ipc.open_file(path).read_all()), ("parquet", pq.read_table)):
        target = tmp_path / f"out.{ending}"
        isoform("convert", source, target).expect(0)
        isoform("verify", target).expect(0)
        assert repr(read(target).to_pylist()) == repr(wanted.to_pylist())
    # What is no schema there belongs to nothing.
    damaged = tmp_path / "damaged.arrow"
    damaged.write_bytes(source.read_bytes())
    for offset in (13, 60):
        harness.flip(damaged, offset, bit=3)
    assert "Arrow" in isoform("convert", damaged, tmp_path / "damaged.parquet").expect(9).err


@pytest.mark.parametrize("name", ["wide.arrow", "wide.parquet"])
def test_integers_that_are_too_wide_are_unsupported_and_not_damage(isoform, tmp_path, name):
    told = isoform("convert", harness.TABLES / "polars" / name, tmp_path / "out.csv").expect(9).err
    assert '"wide"' in told and "64 bits" in told and "malformed" not in told


@pytest.mark.parametrize("depth", [61, 63])
def test_columns_nearly_as_deep_as_the_limit_are_read_from_other_writers(isoform, tmp_path, depth):
    """Their Arrow schema nests deeper than the library verifies, and names list items in another way."""
    kind, value = pa.duration("ms"), 5
    for _ in range(depth):
        kind, value = pa.list_(kind), [value]
    table = pa.table({"a": pa.array([value], kind)})
    source, target = tmp_path / "in.parquet", tmp_path / "out.arrow"
    pq.write_table(table, source)
    isoform("convert", source, target).expect(0)
    isoform("convert", source, tmp_path / "out.parquet").expect(0)
    isoform("verify", tmp_path / "out.parquet").expect(0)
    inside = pa.ipc.open_file(target).schema.field(0).type
    for _ in range(depth):
        inside = inside.value_type
    assert inside == pa.duration("ms")


@pytest.mark.parametrize("names", [["a", "a"], ["", "b"], ["a\0", "b"], ["a b", "é"]])
@pytest.mark.parametrize("value", ["x", "x\0"])
def test_only_listed_names_and_text_are_refused(isoform, tmp_path, names, value):
    """The table of types says which names and which text a format does not take; all else converts."""
    table = pa.Table.from_arrays([pa.array([value]), pa.array([1])], names=names)
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    for format in isoform("formats", "--json").expect(0).json()["formats"]:
        target = tmp_path / f"out.{format['name']}"
        done = isoform("convert", tmp_path / "in.arrow", target, "--to", format["name"])
        again = len(set(names)) < len(names) and "comes again" in format["names"]
        unnamed = "" in names and "none empty" in format["names"]
        nul = "\0" in value + "".join(names) and not format["nul"]
        refused = again or unnamed or nul
        assert done.code == (9 if refused else 0), (format["name"], done.err)
        if refused:
            assert "column" in done.err and ("rename" in done.err or "another format" in done.err)
        else:
            isoform("compare", tmp_path / "in.arrow", target).expect(0)


MOMENTS = {
    "near": ([datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), None], "timestamp[ns]"),
    "far": ([datetime.datetime(9999, 12, 31), datetime.datetime(1, 1, 1, 0, 0, 0, 1), None], "timestamp[us]"),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", MOMENTS)
def test_moments_of_96_bits_are_what_they_were(isoform, tmp_path, name, nested):
    """As Spark writes them: 64 bits of nanoseconds end in 2262, and readers go around without a word."""
    moments, wanted = MOMENTS[name]
    column = pa.array(moments, pa.timestamp("us"))
    if nested:
        column = pa.StructArray.from_arrays([pa.array([moments] * len(moments)), column], ["many", "one"])
    source, target = tmp_path / "in.parquet", tmp_path / "out.arrow"
    options = {"use_deprecated_int96_timestamps": True, "store_schema": False}
    pq.write_table(pa.table({"t": column}), source, **options)
    columns = isoform("convert", source, target, "--json").expect(0).json()["columns"]
    assert wanted in columns[0]["type"]
    found = pa.ipc.open_file(target).read_all()
    assert found.cast(pa.schema([("t", column.type)])).column("t").to_pylist() == column.to_pylist()


def test_moments_of_96_bits_that_no_type_holds_are_refused(isoform, tmp_path):
    """Days far away beside nanoseconds: by hand, since no writer has both."""
    source = tmp_path / "in.parquet"
    column = pa.array([0, 1], pa.timestamp("ns"))
    pq.write_table(
        pa.table({"t": column}), source, use_deprecated_int96_timestamps=True, store_schema=False,
        compression="none", use_dictionary=False, write_statistics=False,
    )
    day = struct.pack("<qI", 0, 2440588)
    data = source.read_bytes()
    assert data.count(day) == 1
    source.write_bytes(data.replace(day, struct.pack("<qI", 0, 2440588 + 3_000_000)))
    told = isoform("convert", source, tmp_path / "out.arrow").expect(9).err
    assert 'column "t"' in told and "record 1" in told and "nanoseconds" in told


@pytest.mark.parametrize("interval, kind", [
    ("14 months", "interval[year-month]"), ("3 days 5 seconds", "interval[day-time]"), ("1 month 3 days", None),
])
def test_no_part_of_an_interval_is_cut_off(isoform, tmp_path, interval, kind):
    source = tmp_path / "in.parquet"
    duckdb.sql(f"copy (select interval '{interval}' as i union all select null) to '{source}'")
    done = isoform("convert", source, tmp_path / "out.csv", "--json")
    if kind is None:
        assert 'column "i"' in done.expect(9).err and "months" in done.err
    else:
        assert done.expect(0).json()["columns"][0]["type"] == kind
        isoform("convert", source, tmp_path / "back.parquet").expect(0)
        again = duckdb.sql(f"select i from '{tmp_path / 'back.parquet'}'").fetchall()
        assert again == duckdb.sql(f"select i from '{source}'").fetchall()


def test_what_is_said_besides_types_is_named(isoform, tmp_path):
    source = tmp_path / "in.parquet"
    duckdb.sql(f"""copy (select 'a8098c1a-f86e-11da-bd1a-00112444be1e'::uuid as u, '{{}}'::json as j) to '{source}'""")
    notes = isoform("convert", source, tmp_path / "of_parquet.avro", "--json").expect(0).json()["notes"]
    assert any('"j"' in note and "JSON" in note for note in notes) and not any("UUID" in note for note in notes)
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "e", "type": {"type": "enum", "name": "kinds", "symbols": ["a", "b"]}},
        {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
    ]}
    with open(tmp_path / "in.avro", "wb") as file:
        fastavro.writer(file, schema, [{"e": "a", "u": "a8098c1a-f86e-11da-bd1a-00112444be1e"}])
    notes = isoform("convert", tmp_path / "in.avro", tmp_path / "out.avro", "--json").expect(0).json()["notes"]
    assert any("symbols" in note and "uuid" in note for note in notes)


@pytest.mark.parametrize("kind, precision, code", [
    ({"type": "bytes"}, 76, 0),
    ({"type": "bytes"}, 77, 9),
    ({"type": "fixed", "name": "f", "size": 64}, 100, 9),
    # What the bytes cannot hold is no decimal by the specification, and bytes alone.
    ({"type": "fixed", "name": "f", "size": 2}, 100, 0),
])
def test_a_decimal_of_avro_with_too_many_digits_is_not_taken_as_bytes(isoform, tmp_path, kind, precision, code):
    source = tmp_path / "a.avro"
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "d", "type": {**kind, "logicalType": "decimal", "precision": precision, "scale": 2}}]}
    plain = {"type": "record", "name": "r", "fields": [{"name": "d", "type": kind}]}
    with open(source, "wb") as file:
        fastavro.writer(file, plain, [{"d": b"\0" * kind.get("size", 3)}])
    made = source.read_bytes()
    one, other = (json.dumps(value).encode() for value in (plain, schema))
    assert made.count(one) == 1, made
    length = lambda n: bytes([(2 * n) & 0x7f | 0x80, 2 * n >> 7])
    assert length(len(one)) + one in made and len(other) < 8192
    source.write_bytes(made.replace(length(len(one)) + one, length(len(other)) + other))
    done = isoform("convert", source, tmp_path / "a.parquet").expect(code)
    assert code == 0 or f"a decimal of {precision} digits" in done.err
