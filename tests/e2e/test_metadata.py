"""Metadata of the source: kept where the target has a place for it, told where it has none. Files of types."""

import json

import fastavro
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

import harness

SCHEMA = pa.schema([
    pa.field("a", pa.int64(), metadata={"unit": "m"}),
    pa.field("b", pa.int8(), metadata={"unit": "s"}),
    pa.field("d", pa.duration("us"), metadata={"of": "stay"}),
    pa.field("s", pa.struct([pa.field("x", pa.int32(), metadata={"in": "ner"})])),
], metadata={"own": "yes", "pandas": "{}"})
TABLE = pa.table({"a": [1, 2], "b": [3, None], "d": [5, 6], "s": [{"x": 1}, None]}, schema=SCHEMA)


def schema_of(path):
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_schema(path)
    return pyarrow.ipc.open_file(path).schema


def entries(schema):
    metadata = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
    return {k: v for k, v in metadata.items() if not k.startswith("isoform.") and k != "ARROW:schema"}


@pytest.fixture(params=["parquet", "arrow"])
def annotated(request, tmp_path):
    path = tmp_path / f"in.{request.param}"
    if request.param == "parquet":
        pyarrow.parquet.write_table(TABLE, path)
    else:
        with pyarrow.ipc.new_file(path, SCHEMA) as writer:
            writer.write_table(TABLE)
    return path


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_typed_formats_keep_all_of_it(isoform, annotated, tmp_path, ending):
    target = tmp_path / f"out.{ending}"
    done = isoform("convert", annotated, target, "--metadata", "added=1=2", "--json").expect(0).json()
    assert done["notes"] == []
    schema = schema_of(target)
    assert entries(schema) == {"own": "yes", "pandas": "{}", "added": "1=2"}
    assert [schema.field(name).metadata for name in "abd"] == [{b"unit": b"m"}, {b"unit": b"s"}, {b"of": b"stay"}]
    assert schema.field("s").type.field(0).metadata == {b"in": b"ner"}


@pytest.mark.parametrize("ending", ["parquet", "arrow", "avro"])
def test_inspect_shows_entries_of_others(isoform, tmp_path, sales, ending):
    target = tmp_path / f"x.{ending}"
    isoform("convert", sales, target, "--metadata", "owner=me", "--metadata", "odd=\u202eé\x1b").expect(0)
    shown = isoform("--json", "inspect", target).expect(0).json()["metadata"]
    assert {"key": "owner", "bytes": 2, "value": "me"} in shown
    assert {"key": "odd", "bytes": 6, "value": None} in shown
    assert not any(entry["key"].startswith("isoform.") or entry["key"] == "ARROW:schema" for entry in shown)
    told = isoform("inspect", target).expect(0).out
    assert '  metadata owner: "me"\n' in told and "  metadata odd: 6 bytes\n" in told, told
    assert isoform("--json", "inspect", sales).expect(0).json()["metadata"] == []


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_the_order_of_categories_is_told_as_lost(isoform, tmp_path, ending):
    source = tmp_path / f"in.{ending}"
    categories = pa.array(["low", "high", "never"])
    codes = pa.array([0, 1, None], pa.int8())
    ranked = pa.DictionaryArray.from_arrays(codes, categories, ordered=True)
    plain = pa.DictionaryArray.from_arrays(codes, categories)
    table = pa.table({"rank": ranked, "kind": plain})
    if ending == "parquet":
        pyarrow.parquet.write_table(table, source)
    else:
        with pyarrow.ipc.new_file(source, table.schema) as writer:
            writer.write_table(table)
    done = isoform("convert", source, tmp_path / f"out.{ending}", "--json").expect(0).json()
    assert len(done["notes"]) == 1 and "order" in done["notes"][0], done["notes"]
    assert '"rank"' in done["notes"][0] and '"kind"' not in done["notes"][0]


def test_avro_keeps_entries_and_says_that_columns_lose_theirs(isoform, annotated, tmp_path):
    target = tmp_path / "out.avro"
    done = isoform("convert", annotated, target, "--metadata", "added=1", "--json").expect(0).json()
    assert len(done["notes"]) == 1 and all(f'"{name}"' in done["notes"][0] for name in ("a", "b", "d", "s.x"))
    with open(target, "rb") as file:
        metadata = fastavro.reader(file).metadata
    assert (metadata["own"], metadata["pandas"], metadata["added"]) == ("yes", "{}", "1")


def test_text_says_what_it_loses_and_takes_no_entries(isoform, annotated, tmp_path):
    for ending in ("csv", "jsonl"):
        target = tmp_path / f"out.{ending}"
        for command in (["convert"], ["plan"]):
            notes = isoform(*command, annotated, target, "--json").expect(0).json()["notes"]
            assert any('"own", "pandas"' in note for note in notes) and any('"s.x"' in note for note in notes)
            harness.remove(target)
        refused = isoform("convert", annotated, target, "--metadata", "k=v").expect(2)
        assert "no place for metadata" in refused.err and not target.exists()


def test_records_of_isoform_do_not_pile_up(isoform, annotated, tmp_path):
    """Through every format and back, twice: foreign entries survive, ours are those of each file alone."""
    source = annotated
    for number, ending in enumerate(["avro", "parquet", "arrow", "avro", "arrow", "parquet"]):
        target = tmp_path / f"{number}.{ending}"
        isoform("convert", source, target).expect(0)
        source = target
    metadata = schema_of(source).metadata
    assert entries(schema_of(source)) == {"own": "yes", "pandas": "{}"}
    assert sum(key == b"isoform.types" for key in metadata) <= 1
    assert pyarrow.parquet.read_table(source).to_pylist() == TABLE.to_pylist()
    for key in ("isoform.types", "isoform.styles", "ARROW:schema"):
        refused = isoform("convert", annotated, tmp_path / "x.parquet", "--metadata", f"{key}=1").expect(2)
        assert key in refused.err


def test_avro_headers_and_schemas(isoform, tmp_path):
    schema = {
        "type": "record", "name": "Trip", "doc": "each trip",
        "fields": [{"name": "a", "type": "long", "doc": "count"}, {"name": "b", "type": ["null", "string"], "default": None}],
    }
    source = tmp_path / "in.avro"
    with open(source, "wb") as file:
        fastavro.writer(file, schema, [{"a": 1, "b": "x"}], metadata={"made.by": "fastavro"})
    for ending in ("parquet", "arrow"):
        target = tmp_path / f"out.{ending}"
        notes = isoform("convert", source, target, "--json").expect(0).json()["notes"]
        assert entries(schema_of(target)) == {"made.by": "fastavro"}
        assert len(notes) == 1 and '"doc"' in notes[0] and "default" not in notes[0]


def test_sources_that_disagree(isoform, tmp_path):
    for name, own in (("a", "1"), ("b", "2")):
        table = pa.table({"x": [1]}).replace_schema_metadata({"own": own, "same": "s"})
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    target = tmp_path / "out.arrow"
    done = isoform("convert", tmp_path / "a.parquet", tmp_path / "b.parquet", target, "--json").expect(0).json()
    assert entries(schema_of(target)) == {"same": "s"}
    assert any("do not agree" in note and '"own"' in note for note in done["notes"])


# Files of types.


@pytest.fixture
def codes(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("id,code,price\n1,007,1.50\n2,010,2.00\n")
    return path


def test_a_file_of_types(isoform, codes, tmp_path):
    types = tmp_path / "types.toml"
    types.write_text('# recorded\nid = "int16"\n"price" = "decimal(12, 2)"\n')
    target = tmp_path / "out.parquet"
    done = isoform("convert", codes, target, "--types", types, "--json").expect(0).json()
    assert done["verdict"] == "EXACT"
    assert [str(f.type) for f in pyarrow.parquet.read_schema(target)] == ["int16", "string", "decimal128(12, 2)"]
    types.unlink()
    assert "decoded again" in isoform("verify", target).expect(0).out, "the certificate knows the types"
    types.write_text('id = "int16"\n')
    isoform("convert", codes, target, "--types", types, "--type", "id=int32", "--force").expect(0)
    assert str(pyarrow.parquet.read_schema(target).field("id").type) == "int32", "what is typed wins"


def test_a_recorded_schema_is_enforced(isoform, codes, tmp_path):
    types = tmp_path / "types.json"
    types.write_text(isoform("inspect", codes, "--json").expect(0).out)
    target = tmp_path / "out.parquet"
    isoform("convert", codes, target, "--types", types).expect(0)
    assert isoform("inspect", codes, "--types", types, "--json").expect(0).json()["columns"] \
        == json.loads(types.read_text())["columns"]
    codes.write_text("id,code,price\n1,007,1.50\nx,010,2.00\n")
    refused = isoform("convert", codes, target, "--types", types, "--force").expect(9)
    assert "id" in refused.err and "record 2" in refused.err
    codes.write_text("code,price\n007,1.50\n")
    assert '"id"' in isoform("convert", codes, target, "--types", types, "--force").expect(2).err


@pytest.mark.parametrize("told, options, later, contradicting", [
    ("1/15/2024", (), "1/5/2024", "25/1/2024"), ("01/15/2024", (), "01/05/2024", "25/01/2024"),
    ("1/5/2024", ("--dates=mdy",), "1/5/2024", "25/1/2024"), ("01-15-2024", (), "1/5/2024", "25/1/2024"),
    ("1/15/2024 3:45 PM", (), "1/5/2024 10:00", "25/1/2024 10:00"),
    ("01/15/2024 10:00:00", (), "01/05/2024 09:00:00", "25/01/2024 09:00:00"),
])
def test_a_recorded_schema_has_the_order_of_day_and_month(isoform, tmp_path, told, options, later, contradicting):
    """A later file in which no field shows the order is read in the one of the file that was recorded."""
    source, types, target = tmp_path / "dates.csv", tmp_path / "types.json", tmp_path / "out.parquet"
    source.write_text(f"id,v\n1,{told}\n")
    types.write_text(isoform("inspect", source, *options, "--json").expect(0).out)
    source.write_text(f"id,v\n1,{later}\n2,{contradicting}\n")
    refused = isoform("convert", source, target, "--types", types).expect(9).err
    assert all(words in refused for words in ("record 2", '"v"', "has another order of day and month")), refused
    source.write_text(f"id,v\n1,{later}\n")
    for more, date in ((("--dates=dmy",), (1, 5)), ((), (5, 1))):
        isoform("convert", source, target, "--types", types, "--force", *more).expect(0)
        found = pyarrow.parquet.read_table(target).column("v")[0].as_py()
        assert (found.day, found.month) == date
    types.unlink()
    assert "decoded again" in isoform("verify", target).expect(0).out, "the certificate knows the order"


@pytest.mark.parametrize("text, place", [
    ('id = "int64"\n\ncode = "integer"\n', "line 3"), ('id = "int64"\nprice = 2\n', "line 2"),
    ('id = "int64"\nid = "text"\n', "line 2"), ("id: int64\n", "line 1"), ('{"id":\n 5}', '"id"|inspect'),
])
def test_bad_files_of_types(isoform, codes, tmp_path, text, place):
    types = tmp_path / "types"
    types.write_text(text)
    done = isoform("convert", codes, tmp_path / "out.parquet", "--types", types).expect(2)
    assert any(p in done.err for p in place.split("|")), done.err
    assert harness.listing(tmp_path) == ["codes.csv", "types"]


def test_types_are_for_text(isoform, converted, tmp_path):
    types = tmp_path / "types"
    types.write_text('order_id = "int64"\n')
    assert "parquet" in isoform("convert", converted, tmp_path / "x.arrow", "--types", types).expect(2).err
    assert "no file" in isoform("convert", converted, tmp_path / "x.arrow", "--types", tmp_path / "no").expect(2).err


def test_metadata_of_fields_in_mapped_types_come_back(isoform, tmp_path):
    """Parquet holds these types under others, and what is said of the fields in them stays with them."""
    note = {"unit": "kg"}
    inner = lambda name, kind: pa.field(name, kind, metadata=note)
    seconds, interval = pa.timestamp("s"), pa.month_day_nano_interval()
    columns = {
        "s": pa.array([{"x": 1}, None], pa.struct([inner("x", seconds)])),
        "l": pa.array([[(1, 2, 3)], None], pa.list_(inner("item", interval))),
        "f": pa.array([[1, 2], None], pa.list_(inner("item", seconds), 2)),
        "e": pa.array([{"e": {}}, None], pa.struct([inner("e", pa.struct([]))])),
        "n": pa.array([[{"x": 1}], None], pa.list_(pa.field("item", pa.struct([inner("x", seconds)])))),
    }
    schema = pa.schema([pa.field(name, column.type) for name, column in columns.items()])
    source = tmp_path / "in.arrow"
    with pa.ipc.new_file(source, schema) as writer:
        writer.write_table(pa.Table.from_arrays(list(columns.values()), schema=schema))
    isoform("convert", source, tmp_path / "mid.parquet").expect(0)
    isoform("convert", tmp_path / "mid.parquet", tmp_path / "back.arrow").expect(0)
    back = pa.ipc.open_file(tmp_path / "back.arrow").schema

    def noted(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return sum(field.metadata == {b"unit": b"kg"} for field in fields) + sum(noted(field.type) for field in fields)

    assert {field.name: noted(field.type) for field in back} == {name: 1 for name in columns}


def test_each_entry_has_a_key_of_its_own(isoform, sales, tmp_path):
    target = tmp_path / "x.parquet"
    for entries, what in [(["k=v", "k=w"], 'the key "k" is given twice'), (["=x"], '"=x" is not KEY=VALUE')]:
        options = [word for entry in entries for word in ("--metadata", entry)]
        assert what in isoform("convert", sales, target, *options).expect(2).err
    assert not target.exists()
