"""Delimited text has the types that the certificate beside it tells, if its reader signed it."""

import datetime
import decimal
import gzip
import shutil

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import harness

DAY, MOMENT = datetime.date(2025, 12, 31), datetime.datetime(2025, 12, 31, 23, 59, 58)
DECIMAL = decimal.Decimal
# Of every type that pyarrow makes: values that the fields alone do not tell.
COLUMNS = {
    "bool": (pa.bool_(), [True, False]), "int8": (pa.int8(), [-128, 1]), "int16": (pa.int16(), [300, -1]),
    "int32": (pa.int32(), [0, 7]), "int64": (pa.int64(), [-(2**63), 1]), "uint8": (pa.uint8(), [0, 255]),
    "uint16": (pa.uint16(), [0, 2]), "uint32": (pa.uint32(), [1, 2]), "uint64": (pa.uint64(), [2**64 - 1, 0]),
    "float16": (pa.float16(), [0.5, 2.0]), "float32": (pa.float32(), [0.1, float("inf")]),
    "float64": (pa.float64(), [1.0, 2.5]), "price": (pa.decimal128(10, 2), [DECIMAL("1.50"), DECIMAL("-2.25")]),
    "wide": (pa.decimal256(50, 5), [DECIMAL("1.00000"), DECIMAL("9" * 40)]), "text": (pa.string(), ["007", ""]),
    "long": (pa.large_string(), ["1.10", "true"]), "bytes": (pa.binary(), [b"\0\xff", b""]),
    "long bytes": (pa.large_binary(), [b"x", b"2024"]), "fixed": (pa.binary(2), [b"\0\1", b"ab"]),
    "day": (pa.date32(), [DAY, DAY]), "day in ms": (pa.date64(), [DAY, DAY]),
    "second": (pa.time32("s"), [datetime.time(9, 5), datetime.time(0)]),
    "clock": (pa.time64("us"), [datetime.time(9, 5, 1, 2), datetime.time(0)]),
    "nano": (pa.time64("ns"), [1000, 2000]),
    "at": (pa.timestamp("ms"), [MOMENT, MOMENT]), "in utc": (pa.timestamp("us", "UTC"), [MOMENT, MOMENT]),
    "zoned": (pa.timestamp("ns", "Europe/Berlin"), [MOMENT, MOMENT]), "took": (pa.duration("ms"), [1500, -1]),
    "list": (pa.list_(pa.int16()), [[1, None], []]), "texts": (pa.large_list(pa.string()), [["a,b", 'c"d', ""], ["NA"]]),
    "pair": (pa.list_(pa.float32(), 2), [[0.5, 1.0], [None, 2.0]]),
    "struct": (pa.struct([("x", pa.uint8()), ("y", pa.list_(pa.decimal128(4, 1)))]),
               [{"x": 1, "y": [DECIMAL("0.5")]}, {"x": None, "y": None}]),
    "map": (pa.map_(pa.string(), pa.date32()), [[("a", DAY)], []]),
    "map of numbers": (pa.map_(pa.int32(), pa.timestamp("s")), [[(1, MOMENT), (2, None)], []]),
    "null": (pa.null(), [None, None]),
}
# Parquet holds what these are only by the entries of others, or not at all.
NOT_OF_PARQUET = {"day in ms", "second", "map of numbers"}


def all_types(path):
    """A table of all of these types, with a null in each column; and its content, as the program tells it."""
    columns = {name: pa.array([*values, None], data_type) for name, (data_type, values) in COLUMNS.items()
               if path.suffix != ".parquet" or name not in NOT_OF_PARQUET}
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    return table


def read(path):
    return pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_file(path).read_all()


def told(isoform, path, *options):
    """What the program tells of a table: its content, and the names and types of its columns."""
    document = isoform("inspect", path, "--json", *options).expect(0).json()
    return document["content"], [(column["name"], column["type"]) for column in document["columns"]]


def notes_of(isoform, source, target, *options):
    """The notes of a conversion that are about a certificate."""
    notes = isoform("convert", source, target, "--json", *options).expect(0).json()["notes"]
    return [note for note in notes if harness.ENDING in note]


def typed_by(path):
    return f"types and spellings are those of the certificate {harness.certificate_of(path).name}"


@pytest.fixture
def written(isoform, tmp_path):
    """A CSV made of Parquet whose types the fields do not tell."""
    table = pa.table({
        "id": pa.array([1, 2], pa.int16()), "price": pa.array([DECIMAL("1.50"), None], pa.decimal128(10, 2)),
        "tags": pa.array([["a"], []], pa.list_(pa.string())), "code": pa.array(["1", "2"]),
    })
    pq.write_table(table, tmp_path / "d.parquet")
    isoform("convert", tmp_path / "d.parquet", tmp_path / "d.csv").expect(0)
    return tmp_path / "d.csv"


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "tsv.zst"])
@pytest.mark.parametrize("held", ["parquet", "arrow"])
def test_every_type_comes_back(isoform, tmp_path, held, ending):
    source, text, back = tmp_path / f"d.{held}", tmp_path / f"d.{ending}", tmp_path / f"d2.{held}"
    table = all_types(source)
    assert isoform("convert", source, text, "--json").expect(0).json()["verdict"] == "EXACT"
    done = isoform("convert", text, back, "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and typed_by(text) in done["notes"]
    assert told(isoform, back) == told(isoform, source) == told(isoform, text)
    assert read(back).schema.types == table.schema.types
    assert read(back).replace_schema_metadata().to_pylist() == table.to_pylist()
    isoform("compare", source, back).expect(0)
    isoform("verify", text).expect(0)
    isoform("verify", back).expect(0)
    # Text again, by which the bytes are the same.
    isoform("convert", back, tmp_path / f"d3.{ending}").expect(0)
    unpacked = gzip.decompress if ending.endswith("gz") else bytes
    assert unpacked((tmp_path / f"d3.{ending}").read_bytes()) == unpacked(text.read_bytes())


def test_without_its_certificate_the_fields_tell_the_types(isoform, written, tmp_path):
    found = dict(told(isoform, written, "--no-certified-types")[1])
    assert (found["id"], found["tags"], found["code"]) == ("int64", "text", "int64")
    assert notes_of(isoform, written, tmp_path / "v.parquet", "--no-certified-types") == []
    harness.certificate_of(written).unlink()
    assert notes_of(isoform, written, tmp_path / "w.parquet") == []
    for name in ("v.parquet", "w.parquet"):
        assert dict(told(isoform, tmp_path / name)[1]) == found


def test_a_text_that_was_edited_is_read_by_its_fields(isoform, written, tmp_path):
    with open(written, "a") as file:
        file.write("70000,9.75,\"[\"\"b\"\"]\",3\n")
    assert notes_of(isoform, written, tmp_path / "e.parquet") == []
    assert dict(told(isoform, tmp_path / "e.parquet")[1])["id"] == "int64"
    # Neither does a certificate about the bytes of a wrapping tell anything.
    packed = tmp_path / "e.csv.gz"
    isoform("convert", written, packed).expect(0)
    assert notes_of(isoform, packed, tmp_path / "f.parquet") == []


def test_commands_tell_where_types_are_from(isoform, written, tmp_path):
    why = f"type from the certificate {harness.certificate_of(written).name}"
    planned = isoform("plan", written, tmp_path / "b.parquet", "--json").expect(0).json()
    assert {column["why"] for column in planned["columns"]} == {why} and planned["verdict"] == "EXACT"
    assert typed_by(written) in planned["notes"]
    found = isoform("inspect", written, "--why", "tags", "--json").expect(0).json()
    assert found["why"] == why and found["type"] == told(isoform, written)[1][2][1] != "text"
    isoform("convert", written, tmp_path / "b.parquet").expect(0)
    said = harness.statement(harness.certificate_of(tmp_path / "b.parquet"))["predicate"]["conversion"]["parameters"]
    assert said["typesFrom"]["certificate"] == harness.certificate_of(written).name
    assert said["typesFrom"]["delimiter"] == ","


def test_verifying_needs_neither_the_certificate_nor_the_key(isoform, written, tmp_path):
    for target in ("b.parquet", "b.jsonl", "b.tsv"):
        isoform("convert", written, tmp_path / target).expect(0)
    isoform("convert", written, tmp_path / "parts", "--to", "parquet", "--partition-by", "id").expect(0)
    streamed = isoform("convert", written, "-", "--to", "tsv", "--stream").expect(0).out
    assert streamed == (tmp_path / "b.tsv").read_text()
    harness.certificate_of(written).unlink()
    other = harness.Program(tmp_path / "elsewhere")
    for target in ("b.parquet", "b.jsonl", "b.tsv", "parts"):
        assert "decoded again" in other("verify", tmp_path / target, "--source", written).expect(0).out, target
    written.write_text(written.read_text().replace("1.50", "1.51"))
    isoform("verify", tmp_path / "b.parquet", "--source", written).expect(4)


def test_a_type_that_is_given_goes_before(isoform, written, tmp_path):
    by = harness.certificate_of(written).name
    types = tmp_path / "types.toml"
    types.write_text('id = "text"\n')
    for number, options in enumerate([("--type", "id=text"), ("--types", types)]):
        target = tmp_path / f"b{number}.parquet"
        notes = notes_of(isoform, written, target, *options)
        assert notes == [f"{typed_by(written)}, but for columns that options tell of"]
        (id_type, *others) = pq.read_schema(target).types
        assert id_type == pa.string() and others == pq.read_schema(tmp_path / "d.parquet").types[1:]
        planned = isoform("plan", written, tmp_path / "p.parquet", "--json", *options).expect(0).json()
        assert [by in column["why"] for column in planned["columns"]] == [False, True, True, True]
        isoform("verify", target, "--source", written).expect(0)
    # One that the fields do not have is told as ever.
    err = isoform("convert", written, tmp_path / "c.parquet", "--type", "tags=int64").expect(9).err
    assert "does not have the type that was given" in err and "--type" in err and by not in err
    assert "no column" in isoform("convert", written, tmp_path / "c.parquet", "--type", "none=int64").expect(2).err


@pytest.mark.parametrize("options", [
    ("--types", "text"), ("--types", "value"), ("--null", "x"), ("--delimiter", ";"), ("--header", "no"), ("--quote", "none"),
    ("--skip-lines", "1"), ("--comment", "#"), ("--dates", "dmy"), ("--decimal-comma",),
    ("--encoding", "latin-1"),
], ids=" ".join)
def test_other_options_leave_the_certificate_aside(isoform, written, tmp_path, options):
    plain = shutil.copy(written, tmp_path / "plain.csv")
    notes = notes_of(isoform, written, tmp_path / "b.parquet", *options)
    (note,) = [note for note in notes if "found by the values" in note]
    assert harness.certificate_of(written).name in note and "options of reading" in note
    isoform("convert", plain, tmp_path / "c.parquet", *options).expect(0)
    assert told(isoform, tmp_path / "b.parquet") == told(isoform, tmp_path / "c.parquet")
    isoform("verify", tmp_path / "b.parquet", "--source", written).expect(0)


def test_options_that_say_what_holds_anyway_leave_nothing_aside(isoform, written, tmp_path):
    options = ["--delimiter", ",", "--header", "yes", "--quote", '"', "--encoding", "utf-8", "--ragged"]
    assert typed_by(written) in notes_of(isoform, written, tmp_path / "b.parquet", *options)
    assert told(isoform, tmp_path / "b.parquet") == told(isoform, tmp_path / "d.parquet")


def test_a_certificate_by_another_key_is_not_followed(isoform, written, tmp_path):
    other = harness.Program(tmp_path / "elsewhere")
    (note,) = notes_of(other, written, tmp_path / "b.parquet")
    assert "another key" in note and "found by the values" in note
    assert dict(told(isoform, tmp_path / "b.parquet")[1])["tags"] == "text"


def test_a_header_is_known_that_nothing_in_the_text_tells(isoform, tmp_path):
    """A name that comes again in its column, and a name that is a number above numbers."""
    tables = [{"x": ["x", "y"]}, {"2024": [1, 2]}, {"a": ["a", None], "b": [None, ""]}, {"a;b": ["c;d", "e"]}, {"n": pa.nulls(2)}]
    for number, columns in enumerate(tables):
        source, text, back = (tmp_path / f"{number}{name}" for name in (".parquet", ".csv", "b.parquet"))
        pq.write_table(pa.table(columns), source)
        isoform("convert", source, text).expect(0)
        isoform("convert", text, back).expect(0)
        assert told(isoform, back) == told(isoform, source), columns
        assert pq.read_table(back).to_pydict() == pq.read_table(source).to_pydict()


def test_text_of_text_stays_as_it_was(isoform, tmp_path):
    source = tmp_path / "a.csv"
    rows = "".join(f"{at},{at % 7}.5,31/12/20{at % 90 + 10},NA,x\n" for at in range(70_000))
    source.write_text("n,n,day,,v\n1,1e5,01/02/2024,7,y\n" + rows)
    isoform("convert", source, tmp_path / "b.csv").expect(0)
    done = isoform("convert", tmp_path / "b.csv", tmp_path / "c.csv", "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and typed_by(tmp_path / "b.csv") in done["notes"]
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "b.csv").read_bytes() == source.read_bytes()
    isoform("convert", tmp_path / "b.csv", tmp_path / "b.parquet").expect(0)
    isoform("convert", source, tmp_path / "a.parquet").expect(0)
    assert told(isoform, tmp_path / "a.parquet") == told(isoform, tmp_path / "b.parquet")
    isoform("convert", tmp_path / "b.parquet", tmp_path / "d.csv").expect(0)
    assert (tmp_path / "d.csv").read_bytes() == source.read_bytes()
    # What was lost before is not lost again: the text that was written comes back.
    lossy = tmp_path / "l.csv"
    lossy.write_text("x,y\n1.50,01.2.2024\n2.5,1.12.2024\n-,\n?,\n")
    options = ["--types", "value", "--null", "-", "--null", "?", "--null", "", "--type", "y=date:%d.%m.%Y"]
    assert isoform("convert", lossy, tmp_path / "m.csv", *options, "--json").expect(0).json()["verdict"] == "VALUE-EXACT"
    done = isoform("convert", tmp_path / "m.csv", tmp_path / "n.csv", "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and (tmp_path / "n.csv").read_bytes() == (tmp_path / "m.csv").read_bytes()


def test_a_definition_with_another_delimiter_is_followed(isoform, tmp_path):
    definitions = tmp_path / "types"
    definitions.mkdir()
    (definitions / "sensor.toml").write_text(
        '[type]\nname = "sensor"\nmedia-type = "text/x-sensor"\ncodec = "csv"\nendings = ["sensor"]\n[storage]\ndelimiter = ";"\n')
    pq.write_table(pa.table({"a": pa.array([[1], [2, 3]], pa.list_(pa.int8()))}), tmp_path / "d.parquet")
    options = ["--media-types", definitions]
    isoform("convert", tmp_path / "d.parquet", tmp_path / "d.sensor", *options).expect(0)
    isoform("convert", tmp_path / "d.sensor", tmp_path / "e.parquet", *options).expect(0)
    assert told(isoform, tmp_path / "e.parquet") == told(isoform, tmp_path / "d.parquet")
    isoform("verify", tmp_path / "e.parquet", *options).expect(0)


def forge(isoform, text, change):
    """Signs the certificate of a text anew, by the key of the program, with changed columns."""
    certificate = harness.certificate_of(text)
    said = harness.statement(certificate)
    content = said["predicate"]["content"]
    change(content["typeMap"])
    content["columns"] = str(len(content["typeMap"]))
    said["predicate"]["distortion"]["n"] = str(int(content["rows"]) * len(content["typeMap"]))
    harness.sign(isoform, certificate, said)


MISFITS = {
    "a smaller type": lambda columns: columns[3]["style"]["field"].update(type="bool", style={"form": {"bool": {"yes": "1", "no": "0"}}}),
    "other digits": lambda columns: columns[1]["style"]["field"].update(type="decimal(10, 1)"),
    "a list of numbers": lambda columns: columns[2]["style"]["field"].update(
        type={"list": {"name": "item", "type": "int8", "nullable": True}}),
    "no list": lambda columns: columns[2]["style"]["field"].update(type="timestamp[us]"),
    "another name": lambda columns: columns[0].update(name="key"),
    "a column less": lambda columns: columns.pop(),
    "the columns in another order": lambda columns: columns.reverse(),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_certificate_that_does_not_describe_its_text_is_an_error(isoform, written, tmp_path, name):
    forge(isoform, written, MISFITS[name])
    before = harness.listing(tmp_path)
    for command in (["convert", written, tmp_path / "b.parquet"], ["plan", written, tmp_path / "b.parquet"],
                    ["convert", written, "-", "--to", "tsv", "--stream"], ["inspect", written],
                    ["convert", written, tmp_path / "p", "--to", "csv", "--partition-by", "id"]):
        err = isoform(*command).expect(9).err
        assert "does not describe" in err and "--no-certified-types" in err and "d.csv" in err, err
        assert harness.listing(tmp_path) == before
    isoform("convert", written, tmp_path / "b.parquet", "--no-certified-types").expect(0)


UNBELIEVED = {
    "no type": "int5",
    "nulls of any width": {"fixed_list": {"item": {"name": "item", "type": "int64", "nullable": True}, "width": 1 << 30}},
    "bytes of any width": "fixed_binary[2147483647]",
    "a map of one column": {"map": {"entries": {"name": "entries", "nullable": False, "type": {"struct": [
        {"name": "key", "type": "text", "nullable": False}]}}, "sorted": False}},
    "more digits than a decimal has": "decimal(99, 2)",
}


@pytest.mark.parametrize("name", UNBELIEVED)
def test_types_that_are_not_believed_are_found_by_the_values(isoform, written, tmp_path, name):
    forge(isoform, written, lambda columns: columns[2]["style"]["field"].update(type=UNBELIEVED[name]))
    (note,) = notes_of(isoform, written, tmp_path / "b.parquet")
    assert harness.certificate_of(written).name in note and "found by the values" in note
    assert dict(told(isoform, tmp_path / "b.parquet")[1])["tags"] == "text"
    code, memory, _ = harness.measured(isoform, "convert", written, tmp_path / "c.parquet", "--threads", "1")
    assert code == 0 and memory < 200 << 20


def test_exceptions_stay_with_their_records_where_others_are_set_aside(isoform, tmp_path):
    source, text = tmp_path / "in.csv", tmp_path / "d.csv"
    odd, bad = {3: "1.50", 250: "2.50", 400: "3.50"}, {0, 100, 250, 499}
    rows = [f"{odd.get(at, f'{at}.5')},{'x' if at in bad else at}\n" for at in range(500)]
    source.write_text("a,z\n" + "".join(rows))
    isoform("convert", source, text).expect(0)
    target, back = tmp_path / "d.parquet", tmp_path / "back.csv"
    command = [text, target, "--type", "z=int64", "--rejects", tmp_path / "bad.jsonl"]
    assert "4 bad records would be set aside" in isoform("plan", *command).expect(0).out
    done = isoform("convert", *command, "--json").expect(0).json()
    assert done["verdict"] == "PARTIAL" and any(typed_by(text) in note for note in done["notes"])
    isoform("verify", target).expect(0)
    isoform("convert", target, back).expect(0)
    assert back.read_text() == "a,z\n" + "".join(row for at, row in enumerate(rows) if at not in bad)


def test_a_batch_knows_by_what_types_its_targets_were_made(isoform, written, tmp_path):
    command = ["convert", written, "--out-dir", tmp_path / "out", "--to", "parquet", "--json"]
    assert isoform(*command).expect(0).json()["converted"] == 1
    assert told(isoform, tmp_path / "out" / "d.parquet") == told(isoform, tmp_path / "d.parquet")
    # What lets more through leaves alone what came through without it.
    for options in ([], ["--ragged"], ["--encoding", "guess"]):
        assert isoform(*command, *options).expect(0).json()["skipped"] == 1
    harness.certificate_of(written).unlink()
    (failed,) = isoform(*command).expect(3).json()["sources"]
    assert "told other types when it was made" in failed["error"]["message"]


@pytest.fixture
def parted(isoform, tmp_path):
    """The directory of CSV that a table of all types became, with a key between the columns."""
    table = all_types(tmp_path / "d.parquet")
    table = table.add_column(3, "k", pa.array(["A b", "A b", None]))
    pq.write_table(table, tmp_path / "d.parquet")
    isoform("convert", tmp_path / "d.parquet", tmp_path / "parts", "--to", "csv", "--partition-by", "k").expect(0)
    return tmp_path / "parts"


def test_a_partitioned_directory_has_the_types_of_its_certificate(isoform, parted, tmp_path):
    source, back = tmp_path / "d.parquet", tmp_path / "back.parquet"
    plan = isoform("plan", parted, back, "--json").expect(0).json()
    why = f"type from the certificate {harness.certificate_of(parted).name}"
    assert [column["why"] == why for column in plan["columns"]].count(False) == 1 and plan["verdict"] == "EXACT"
    done = isoform("convert", parted, back, "--json").expect(0).json()
    assert done["verdict"] == "EXACT" and typed_by(parted) in done["notes"] and typed_by(parted) in plan["notes"]
    assert told(isoform, back) == told(isoform, source)
    isoform("convert", parted, tmp_path / "again", "--to", "tsv", "--partition-by", "k").expect(0)
    isoform("convert", tmp_path / "again", tmp_path / "again.parquet").expect(0)
    assert told(isoform, tmp_path / "again.parquet") == told(isoform, source)
    harness.certificate_of(parted).unlink()
    for target in (back, tmp_path / "again"):
        assert "decoded again" in isoform("verify", target).expect(0).out, target


def test_a_partitioned_directory_gives_back_its_spellings(isoform, tmp_path):
    rows = ["300,31/12/2025,b,1.50,NA\n", "301,01/02/2024,a,2.25,7\n", "302,02/02/2024,b,3.25,8\n"]
    (tmp_path / "p.csv").write_text("".join(["id,day,g,price,n\n", *rows]))
    isoform("convert", tmp_path / "p.csv", tmp_path / "parts", "--to", "csv", "--partition-by", "g").expect(0)
    back = tmp_path / "back.csv"
    isoform("convert", tmp_path / "parts", back).expect(0)
    assert back.read_text() == "".join(["id,day,g,price,n\n", rows[1], rows[0], rows[2]])
    isoform("convert", tmp_path / "parts", tmp_path / "typed.parquet").expect(0)
    isoform("convert", tmp_path / "p.csv", tmp_path / "straight.parquet").expect(0)
    assert told(isoform, tmp_path / "typed.parquet")[1] == told(isoform, tmp_path / "straight.parquet")[1]
    harness.certificate_of(tmp_path / "parts").unlink()
    for target in (back, tmp_path / "typed.parquet"):
        isoform("verify", target).expect(0)


def test_a_partitioned_directory_is_read_by_its_values_where_its_certificate_is_not_followed(isoform, parted, tmp_path):
    def told_of(number, *options, program=isoform):
        target = tmp_path / f"{number}.parquet"
        notes = " ".join(notes_of(program, parted, target, *options))
        assert "types and spellings" not in notes and dict(told(isoform, target)[1])["int16"] == "int64"
        isoform("verify", target).expect(0)
        return notes

    assert told_of(1, "--no-certified-types") == ""
    assert "options of reading were given" in told_of(2, "--type", "int16=int64")
    assert "options of reading were given" in told_of(3, "--null", "")
    # A key's own type says nothing of how the files are read.
    assert "types and spellings" in " ".join(notes_of(isoform, parted, tmp_path / "4.parquet", "--type", "k=text"))
    assert "another key" in told_of(5, program=harness.Program(tmp_path / "elsewhere"))
    shutil.copy(next(parted.glob("k=A*/*.csv")), next(parted.glob("k=A*")) / "part-1.csv")
    assert told_of(7) == ""
