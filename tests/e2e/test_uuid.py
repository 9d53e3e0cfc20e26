"""UUIDs stay UUIDs, as the readers of others see them, and text spells them with hyphens."""

import base64
import csv
import json
import uuid

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import harness

FIRST = uuid.UUID("82358803-ec46-4c5e-b67c-2234a2d38e66")
VALUES = [FIRST, None, uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]
SPELLED = [None if value is None else str(value) for value in VALUES]


@pytest.fixture
def source(tmp_path):
    """A Parquet file with a column of UUIDs, as DuckDB writes it: without an Arrow schema."""
    path = tmp_path / "in.parquet"
    rows = ", ".join("(null)" if value is None else f"('{value}'::uuid)" for value in VALUES)
    duckdb.sql(f"copy (select row_number() over () as id, u from (values {rows}) t(u)) to '{path}'")
    return path


def notes_of(isoform, source, target, *options):
    done = isoform("convert", source, target, "--json", *options).expect(0).json()
    assert done["verdict"] == "EXACT"
    return done["notes"]


def content(isoform, path):
    return isoform("inspect", path, "--json").expect(0).json()["content"]


def of_duckdb(path):
    """The type and the values of the column, as DuckDB reads them."""
    rows = duckdb.sql(f"select typeof(u), u from '{path}' order by id").fetchall()
    return {row[0] for row in rows}, [row[1] for row in rows]


def test_parquet_keeps_them(isoform, source, tmp_path):
    target = tmp_path / "out.parquet"
    assert notes_of(isoform, source, target) == []
    assert of_duckdb(target) == of_duckdb(source) == ({"UUID"}, VALUES)
    assert pq.read_schema(target).field("u").type == pa.uuid()
    assert pq.read_table(target)["u"].to_pylist() == VALUES
    assert str(pq.ParquetFile(target).schema.column(1).logical_type) == "UUID"
    isoform("verify", target).expect(0)


def test_arrow_and_avro_keep_them(isoform, source, tmp_path):
    arrow, avro = tmp_path / "out.arrow", tmp_path / "out.avro"
    for target, back in ((arrow, "a.parquet"), (avro, "b.parquet"), (tmp_path / "out.arrows", "c.parquet")):
        assert notes_of(isoform, source, target) == [] and notes_of(isoform, target, tmp_path / back) == []
        assert of_duckdb(tmp_path / back) == of_duckdb(source)
        assert content(isoform, target) == content(isoform, tmp_path / back) == content(isoform, source)
        isoform("verify", target).expect(0)
    table = pa.ipc.open_file(arrow).read_all()
    assert table.schema.field("u").type == pa.uuid() and table["u"].to_pylist() == VALUES
    with open(avro, "rb") as file:
        reader = fastavro.reader(file)
        (_, column) = reader.writer_schema["fields"]
        (fixed,) = [branch for branch in column["type"] if branch != "null"]
        assert (fixed["type"], fixed["size"], fixed["logicalType"]) == ("fixed", 16, "uuid")
        assert [row["u"] for row in reader] == [None if value is None else value.bytes for value in VALUES]


def test_what_pyarrow_writes_is_kept(isoform, tmp_path):
    """Within lists and structs too; and JSON, where Avro has no word for it."""
    storage = pa.array([value and value.bytes for value in VALUES], pa.binary(16))
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), storage)
    texts = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', "[]", None, "1"]))
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 4, 4], pa.int32()), uuids)
    inside = pa.StructArray.from_arrays([uuids, pa.array([1, 2, 3, 4])], ["u", "n"])
    table = pa.table({"u": uuids, "j": texts, "l": lists, "s": inside})
    pq.write_table(table, tmp_path / "in.parquet")
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    for source in ("in.parquet", "in.arrow"):
        for number, target in enumerate(("out.parquet", "out.arrow")):
            assert notes_of(isoform, tmp_path / source, tmp_path / f"{source}-{target}") == []
            path = tmp_path / f"{source}-{target}"
            found = pa.ipc.open_file(path).read_all() if number else pq.read_table(path)
            assert found.schema.types == table.schema.types and found.to_pydict() == table.to_pydict()
        (note,) = notes_of(isoform, tmp_path / source, tmp_path / f"{source}.avro")
        assert note == 'avro does not say what these values are: "j" is JSON'
        isoform("convert", tmp_path / f"{source}.avro", tmp_path / f"{source}.back.parquet").expect(0)
        back = pq.read_table(tmp_path / f"{source}.back.parquet")
        assert back.schema.field("l").type.value_type == pa.uuid() and back["s"].to_pylist() == table["s"].to_pylist()
        for ending in ("csv", "jsonl"):
            (note,) = notes_of(isoform, tmp_path / source, tmp_path / f"{source}.{ending}")
            assert note == f'{ending} does not say what these values are: "j" is JSON'


@pytest.mark.parametrize("ending", ["csv", "tsv.gz", "jsonl"])
def test_text_spells_them(isoform, source, tmp_path, ending):
    text, back = tmp_path / f"out.{ending}", tmp_path / "back.parquet"
    assert notes_of(isoform, source, text) == []
    if ending == "csv":
        fields = [line.split(",")[1] for line in text.read_text().splitlines()[1:]]
        assert fields == [value or "" for value in SPELLED]
    if ending == "jsonl":
        assert f'"u":"{FIRST}"' in text.read_text()
    (note,) = notes_of(isoform, text, back)
    assert "types and spellings are those of the certificate" in note
    assert of_duckdb(back) == of_duckdb(source) and content(isoform, back) == content(isoform, source)
    assert pq.read_schema(back).field("u").type == pa.uuid()
    notes_of(isoform, back, tmp_path / f"again.{ending}")
    notes_of(isoform, text, tmp_path / "other.jsonl")
    assert f'"u":"{FIRST}"' in (tmp_path / "other.jsonl").read_text()
    for path in (text, back, tmp_path / f"again.{ending}", tmp_path / "other.jsonl"):
        isoform("verify", path).expect(0)
    # Nothing but the certificate or a person says that these texts are UUIDs.
    isoform("convert", text, tmp_path / "found.parquet", "--no-certified-types").expect(0)
    assert pq.read_schema(tmp_path / "found.parquet").field("u").type == pa.string()
    isoform("compare", source, back).expect(0)


def test_a_person_says_that_they_are(isoform, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,u\n" + "".join(f"{at},{value or ''}\n" for at, value in enumerate(SPELLED)))
    for number, options in enumerate([("--type", "u=uuid"), ("--types", tmp_path / "types.json")]):
        target = tmp_path / f"{number}.parquet"
        notes_of(isoform, source, target, *options)
        assert of_duckdb(target) == ({"UUID"}, VALUES)
        assert notes_of(isoform, target, tmp_path / f"{number}.csv") == []
        assert (tmp_path / f"{number}.csv").read_bytes() == source.read_bytes()
        isoform("verify", target).expect(0)
        (tmp_path / "types.json").write_text(isoform("inspect", source, "--json", "--type", "u=uuid").expect(0).out)
    for wrong in (str(FIRST).upper(), str(FIRST).replace("-", ""), f"{{{FIRST}}}", "x"):
        source.write_text(f"id,u\n0,{FIRST}\n1,{wrong}\n")
        err = isoform("convert", source, tmp_path / "wrong.parquet", "--type", "u=uuid").expect(9).err
        assert "record 2" in err and '"u"' in err and "--type" in err, err
        isoform("convert", source, tmp_path / "aside.parquet", "--type", "u=uuid", "--rejects", tmp_path / "bad.jsonl", "--force").expect(0)
        assert pq.read_table(tmp_path / "aside.parquet")["u"].to_pylist() == [FIRST]


def test_partitions_streams_and_several_sources_keep_them(isoform, source, tmp_path):
    notes_of(isoform, source, tmp_path / "parts", "--to", "parquet", "--partition-by", "id")
    (first, *_) = sorted((tmp_path / "parts").rglob("*.parquet"))
    assert pq.read_schema(first).field("u").type == pa.uuid()
    isoform("verify", tmp_path / "parts").expect(0)
    streamed = isoform("convert", source, "-", "--to", "csv", "--stream").expect(0).out
    assert str(FIRST) in streamed
    notes_of(isoform, source, tmp_path / "one.parquet")
    isoform("convert", source, tmp_path / "one.parquet", tmp_path / "both.parquet").expect(0)
    assert of_duckdb(tmp_path / "both.parquet")[0] == {"UUID"}
    isoform("convert", source, tmp_path / "via.parquet", "--via", "csv").expect(0)
    assert content(isoform, tmp_path / "via.parquet") == content(isoform, source)


def test_those_within_others_are_spelled_alike(isoform, tmp_path):
    storage = pa.array([value and value.bytes for value in VALUES], pa.binary(16))
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), storage)
    keys = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([FIRST.bytes, VALUES[3].bytes], pa.binary(16)))
    table = pa.table({
        "l": pa.ListArray.from_arrays(pa.array([0, 1, 2, 4, 4], pa.int32()), uuids),
        "f": pa.FixedSizeListArray.from_arrays(uuids, 1),
        "s": pa.StructArray.from_arrays([uuids, pa.array([1, 2, 3, 4]), storage], ["u", "n", "b"]),
        "m": pa.MapArray.from_arrays(pa.array([0, 1, 2, 2, 2], pa.int32()), keys, uuids.slice(0, 2)),
    })
    source = tmp_path / "in.parquet"
    pq.write_table(table, source)
    spelled = str(FIRST)
    for ending, bytes_ in (("jsonl", base64.b64encode(FIRST.bytes).decode()), ("csv", f"0x{FIRST.hex}")):
        text, back, again = (tmp_path / f"{ending}.{name}" for name in (ending, "parquet", f"again.{ending}"))
        assert notes_of(isoform, source, text) == []
        if ending == "jsonl":
            first = json.loads(text.read_text().splitlines()[0])
        else:
            header, row = list(csv.reader(text.open(newline="")))[:2]
            first = {name: json.loads(field) for name, field in zip(header, row)}
        inside = {"u": spelled, "n": 1, "b": bytes_}
        assert first == {"l": [spelled], "f": [spelled], "s": inside, "m": [[spelled, spelled]]}
        notes_of(isoform, text, back)
        found = pq.read_table(back)
        assert found.schema.types == table.schema.types and found.to_pydict() == table.to_pydict()
        assert notes_of(isoform, back, again) == []
        assert again.read_bytes() == text.read_bytes()
        led = tmp_path / f"{ending}.led.parquet"
        notes_of(isoform, source, led, "--via", ending)
        for path in (text, back, again, led):
            isoform("verify", path).expect(0)
        assert content(isoform, source) == content(isoform, back) == content(isoform, led)
        isoform("compare", source, back).expect(0)
        isoform("compare", source, text).expect(0)
        isoform("convert", text, tmp_path / f"{ending}.other.{'csv' if ending == 'jsonl' else 'jsonl'}").expect(0)


def test_dictionaries_and_columns_of_nulls_are_kept(isoform, tmp_path):
    said = {b"ARROW:extension:name": b"arrow.uuid"}
    values = pa.array([FIRST.bytes, FIRST.bytes, None], pa.binary(16)).dictionary_encode()
    schema = pa.schema([pa.field("d", values.type, metadata=said), pa.field("n", pa.binary(16), metadata=said)])
    columns = [values, pa.nulls(3, pa.binary(16))]
    with pa.ipc.new_file(tmp_path / "in.arrow", schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    for ending in ("parquet", "avro", "csv", "jsonl", "arrow"):
        target, back = tmp_path / f"out.{ending}", tmp_path / f"{ending}.back.parquet"
        assert notes_of(isoform, tmp_path / "in.arrow", target) == []
        notes_of(isoform, target, back)
        found = pq.read_table(back)
        assert found.schema.types == [pa.uuid(), pa.uuid()], ending
        assert found.to_pydict() == {"d": [FIRST, FIRST, None], "n": [None] * 3}
        isoform("verify", target).expect(0)
        isoform("verify", back).expect(0)


def plain_parquet(source, path):
    """The same rows without a word that they are UUIDs."""
    rows = duckdb.sql(f"select id, u from '{source}' order by id").fetchall()
    bytes_of = [value and value.bytes for _, value in rows]
    pq.write_table(pa.table({"id": [row for row, _ in rows], "u": pa.array(bytes_of, pa.binary(16))}), path)
    return path


def test_bytes_are_shown_and_written_as_bytes_where_nobody_says_more(isoform, source, tmp_path):
    plain = plain_parquet(source, tmp_path / "plain.parquet")
    assert content(isoform, plain) == content(isoform, source)
    assert notes_of(isoform, plain, tmp_path / "plain.csv") == []
    assert f"0x{FIRST.hex}" in (tmp_path / "plain.csv").read_text()
    notes_of(isoform, plain, tmp_path / "plain.jsonl")
    said = {b"ARROW:extension:name": b"arrow.uuid"}
    wrong = pa.schema([
        pa.field("a", pa.binary(15), metadata=said), pa.field("b", pa.string(), metadata=said),
        pa.field("c", pa.binary(16), metadata=said | {b"ARROW:extension:metadata": b"x"}),
    ])
    # As a field's entries, not as a type: pyarrow refuses to make such types.
    with pa.ipc.new_file(tmp_path / "in.arrow", wrong) as writer:
        writer.write_batch(pa.record_batch([[b"a" * 15], ["b"], [FIRST.bytes]], schema=wrong))
    notes = notes_of(isoform, tmp_path / "in.arrow", tmp_path / "out.csv")
    print(notes)
    assert "metadata of columns" in notes[0]
    assert f"0x{FIRST.hex}" in (tmp_path / "out.csv").read_text()


def test_comparing_takes_them_for_their_text_and_their_bytes(isoform, source, tmp_path):
    plain = plain_parquet(source, tmp_path / "plain.parquet")
    for path in (source, plain):
        for ending in ("csv", "jsonl"):
            # Text as this program writes UUIDs and as it writes bytes.
            target = tmp_path / f"{path.stem}.{ending}"
            isoform("convert", path, target).expect(0)
            isoform("compare", source, target).expect(0)
            isoform("compare", target, source).expect(0)
    isoform("compare", source, plain).expect(0)
    duckdb.sql(f"copy (select id, u::varchar as u from '{source}') to '{tmp_path}/text.parquet'")
    isoform("compare", source, tmp_path / "text.parquet").expect(0)
    other = uuid.UUID(int=5)
    duckdb.sql(f"copy (select id, case id when 1 then '{other}'::uuid else u end u from '{source}') to '{tmp_path}/other.parquet'")
    for left in (source, plain):
        told = isoform("compare", left, tmp_path / "other.parquet", "--json").expect(4).json()
        assert told["rows"][0]["cells"] == [{"column": "u", "left": str(FIRST), "right": str(other)}]
    told = isoform("compare", plain, plain_parquet(tmp_path / "other.parquet", tmp_path / "bytes.parquet"), "--json")
    assert told.expect(4).json()["rows"][0]["cells"][0]["left"] == f"0x{FIRST.hex}"


def test_several_sources_say_what_all_of_them_say(isoform, source, tmp_path):
    plain = plain_parquet(source, tmp_path / "plain.parquet")
    storage = pa.array([FIRST.bytes, None], pa.binary(16))
    offsets = pa.array([0, 1, 2], pa.int32())
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), storage)
    for name, item in (("a", uuids), ("b", storage)):
        table = pa.table({"l": pa.ListArray.from_arrays(offsets, item)})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    for names, said in (("ab", False), ("ba", False), ("aa", True)):
        paths = [tmp_path / f"{name}.parquet" for name in names]
        target = tmp_path / f"{names}.parquet"
        notes = notes_of(isoform, *paths, target)
        assert notes == ([] if said else ['not all sources say of "l" that it is a UUID: not kept'])
        assert pq.read_schema(target).field("l").type.value_type == (pa.uuid() if said else pa.binary(16))
        isoform("verify", target).expect(0)
    for options in ([], ["--union"]):
        (note,) = notes_of(isoform, source, plain, tmp_path / "both.csv", "--force", *options)
        assert note == 'not all sources say of "u" that it is a UUID: not kept'
        assert f"0x{FIRST.hex}" in (tmp_path / "both.csv").read_text()
    # Those of other writers, and what this program made of them, say the same in other words.
    notes_of(isoform, source, tmp_path / "own.parquet")
    pq.write_table(pq.read_table(source), tmp_path / "pyarrow.parquet")
    assert notes_of(isoform, source, *(tmp_path / f"{name}.parquet" for name in ("own", "pyarrow")), tmp_path / "all.parquet") == []
    assert pq.read_schema(tmp_path / "all.parquet").field("u").type == pa.uuid()
    # A source without the column says nothing of it.
    duckdb.sql(f"copy (select id from '{source}') to '{tmp_path}/less.parquet'")
    notes = notes_of(isoform, source, tmp_path / "less.parquet", tmp_path / "united.parquet", "--union")
    assert all("UUID" not in note for note in notes)
    assert pq.read_schema(tmp_path / "united.parquet").field("u").type == pa.uuid()


def test_they_name_partitions(isoform, source, tmp_path):
    parts = tmp_path / "parts"
    notes_of(isoform, source, parts, "--to", "parquet", "--partition-by", "u")
    names = {path.parent.name for path in parts.rglob("*.parquet")}
    assert names == {"u=__HIVE_DEFAULT_PARTITION__" if value is None else f"u={value}" for value in VALUES}
    isoform("verify", parts).expect(0)
    isoform("convert", parts, tmp_path / "back.parquet").expect(0)
    assert sorted(of_duckdb(tmp_path / "back.parquet")[1], key=str) == sorted(VALUES, key=str)
    assert pq.read_schema(tmp_path / "back.parquet").field("u").type == pa.uuid()
    isoform("compare", "--key", "id", source, tmp_path / "back.parquet").expect(0)
    isoform("verify", tmp_path / "back.parquet").expect(0)
    # Without the certificate they are text, unless a person says what they are.
    texts = tmp_path / "texts"
    notes_of(isoform, source, texts, "--to", "csv", "--partition-by", "u")
    harness.certificate_of(texts).unlink()
    for options, wanted in (([], pa.string()), (["--type", "u=uuid"], pa.uuid())):
        target = tmp_path / f"{len(options)}.parquet"
        isoform("convert", texts, target, *options).expect(0)
        assert pq.read_schema(target).field("u").type == wanted
        isoform("verify", target).expect(0)
    (texts / "u=5").mkdir()
    (texts / "u=5" / "x.csv").write_text("id\n9\n")
    err = isoform("convert", texts, tmp_path / "no.parquet", "--type", "u=uuid").expect(9).err
    assert '"5", which is no uuid' in err, err
    plain = plain_parquet(source, tmp_path / "plain.parquet")
    err = isoform("convert", plain, tmp_path / "p", "--to", "parquet", "--partition-by", "u").expect(9).err
    assert "UUIDs" in err


def test_inspect_and_plan_tell_them(isoform, source, tmp_path):
    described = isoform("inspect", source, "--json").expect(0)
    planned = isoform("plan", source, tmp_path / "out.csv", "--json").expect(0)
    for document in (described, planned):
        said = {column["name"]: (column["type"], column["annotation"]) for column in document.json()["columns"]}
        assert said == {"id": ("int64", None), "u": ("binary(16)", "uuid")}
    assert "u: binary(16) (uuid)" in isoform("inspect", source).expect(0).out
    assert "u: binary(16) (uuid)" in isoform("plan", source, tmp_path / "out.csv").expect(0).out
    notes_of(isoform, source, tmp_path / "out.csv")
    for number, document in enumerate((described, planned)):
        types, target = tmp_path / f"{number}.json", tmp_path / f"{number}.parquet"
        types.write_text(document.out)
        notes_of(isoform, tmp_path / "out.csv", target, "--types", types)
        assert pq.read_schema(target).field("u").type == pa.uuid()


def test_avro_of_others(isoform, tmp_path):
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "f", "type": {"type": "fixed", "name": "id", "size": 16, "logicalType": "uuid"}},
        {"name": "g", "type": ["null", "id"]},
        {"name": "s", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "w", "type": {"type": "fixed", "name": "wide", "size": 17, "logicalType": "uuid"}},
        {"name": "a", "type": {"type": "array", "items": "id"}},
    ]}
    record = {"f": FIRST.bytes, "g": None, "s": str(FIRST), "w": b"w" * 17, "a": [FIRST.bytes]}
    with open(tmp_path / "in.avro", "wb") as file:
        fastavro.writer(file, schema, [record])
    notes = notes_of(isoform, tmp_path / "in.avro", tmp_path / "out.parquet")
    assert len(notes) == 1 and "uuid" in notes[0]
    types = pq.read_schema(tmp_path / "out.parquet")
    assert types.types[:4] == [pa.uuid(), pa.uuid(), pa.string(), pa.binary(17)]
    assert types.field("a").type.value_type == pa.uuid()
    isoform("verify", tmp_path / "out.parquet").expect(0)


def with_arrow_schema(table, schema, path):
    """A Parquet file with the columns of a table and this Arrow schema in its footer."""
    held = base64.b64encode(schema.serialize().to_pybytes())
    pq.write_table(table.replace_schema_metadata({b"OTHER:schema": held}), path)
    data = path.read_bytes().replace(b"ARROW:schema", b"WROTE:schema").replace(b"OTHER:schema", b"ARROW:schema")
    path.write_bytes(data)


def test_an_arrow_schema_that_does_not_say_it_takes_nothing_away(isoform, tmp_path):
    """Nor does one that holds them by keys, or says something else of them."""
    uuids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([FIRST.bytes, None], pa.binary(16)))
    texts = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None]))
    table = pa.table({"u": uuids, "j": texts})
    own = {b"ARROW:extension:name": b"com.example.own"}
    for number, (first, second, kept) in enumerate([
        (pa.field("u", pa.binary(16)), pa.field("j", pa.string()), True),
        (pa.field("u", pa.dictionary(pa.int8(), pa.binary(16))), pa.field("j", pa.large_string()), True),
        (pa.field("u", pa.binary()), pa.field("j", pa.binary()), True),
        (pa.field("u", pa.binary(16), metadata=own), pa.field("j", pa.string(), metadata=own), False),
    ]):
        source, target = tmp_path / f"{number}.parquet", tmp_path / f"{number}.out.parquet"
        with_arrow_schema(table, pa.schema([first, second]), source)
        notes = notes_of(isoform, source, target)
        logical = [str(pq.ParquetFile(target).schema.column(at).logical_type) for at in (0, 1)]
        if kept:
            assert (logical, notes) == (["UUID", "JSON"], []), number
        else:
            assert len(notes) == 2 and "UUID" in notes[0] and "JSON" in notes[1], notes
            assert pq.read_schema(target).field("u").metadata[b"ARROW:extension:name"] == b"com.example.own"
        isoform("verify", target).expect(0)


def test_other_extension_types_are_what_they_were(isoform, tmp_path):
    """Known and unknown ones, and some whose entries are wrong."""
    tensor = pa.fixed_shape_tensor(pa.int32(), (2,))
    columns = {
        "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8())),
        "tensor": pa.ExtensionArray.from_storage(tensor, pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2))),
        "opaque": pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "a", "b"), pa.array(["x", "y"])),
        "json": pa.ExtensionArray.from_storage(pa.json_(pa.large_string()), pa.array(["1", "2"], pa.large_string())),
    }
    table = pa.table(columns)
    said = {b"ARROW:extension:name": b"geoarrow.wkb", b"ARROW:extension:metadata": b'{"crs":"OGC:CRS84"}'}
    raw = pa.schema([pa.field("g", pa.binary(), metadata=said),
                     pa.field("v", pa.int64(), metadata={b"ARROW:extension:name": b"arrow.parquet.variant"})])
    pq.write_table(table, tmp_path / "in.parquet")
    with pa.ipc.new_file(tmp_path / "in.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_file(tmp_path / "raw.arrow", raw) as writer:
        writer.write_batch(pa.record_batch([[b"a"], [5]], schema=raw))
    for source in ("in.parquet", "in.arrow"):
        for ending in ("parquet", "arrow"):
            target = tmp_path / f"{source}.out.{ending}"
            assert notes_of(isoform, tmp_path / source, target) == []
            found = pq.read_table(target) if ending == "parquet" else pa.ipc.open_file(target).read_all()
            assert found.schema.types == table.schema.types and found.equals(table)
        for ending in ("csv", "jsonl", "avro"):
            notes_of(isoform, tmp_path / source, tmp_path / f"{source}.out.{ending}")
    for ending in ("parquet", "arrow"):
        target = tmp_path / f"raw.out.{ending}"
        assert notes_of(isoform, tmp_path / "raw.arrow", target) == []
        found = pq.read_schema(target) if ending == "parquet" else pa.ipc.open_file(target).schema
        assert found.field("g").metadata == said
        assert found.field("v").metadata == {b"ARROW:extension:name": b"arrow.parquet.variant"}


def test_an_interrupted_run_goes_on(isoform, source, tmp_path):
    """The certificate of a run that finds all of its parts done is that of one that does not."""
    target = tmp_path / "out.parquet"
    notes_of(isoform, source, target, "--resume")
    first = target.read_bytes()
    target.unlink()
    notes_of(isoform, source, target, "--resume", "--force")
    assert target.read_bytes() == first
