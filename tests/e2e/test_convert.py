"""What is converted is there, cell by cell, for readers that are not ours."""

import datetime
import decimal
import gzip
import importlib.util
import json
import re
import shutil
import subprocess

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

import harness
from harness import TABLES

spec = importlib.util.spec_from_file_location("make_sales", TABLES / "make_sales.py")
make_sales = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_sales)

KINDS = {
    "order_id": "int", "store": "text", "ordered_on": "date", "ordered_at": "timestamp", "customer": "text",
    "product": "text", "quantity": "int", "unit_price": "decimal(2)", "discount": "decimal(2)",
    "weight_kg": "float", "paid": "bool", "note": "text",
}
TRUTH = list(make_sales.rows())


def assert_same_rows(found, truth=TRUTH):
    assert len(found) == len(truth)
    for number, (got, want) in enumerate(zip(found, truth), start=1):
        assert list(got) == want, f"record {number}"


def test_the_sample_is_what_its_maker_makes():
    assert (TABLES / "sales.csv").read_bytes() == make_sales.csv_bytes()
    read = harness.fields(make_sales.csv_bytes())
    kinds = list(KINDS.values())
    assert_same_rows([[harness.value(*f, k) for f, k in zip(r, kinds)] for r in read[1:]])


def test_parquet_read_by_pyarrow(converted):
    table = pyarrow.parquet.read_table(converted)
    assert {f.name: harness.kind(f.type) for f in table.schema} == KINDS
    assert_same_rows(list(zip(*(harness.values(c) for c in table.columns))))


def test_parquet_read_by_duckdb(converted):
    with duckdb.connect() as db:
        rows = db.execute(f"select * from read_parquet('{converted}')").fetchall()
    assert_same_rows(rows)


@pytest.mark.parametrize("codec", ["zstd:3", "snappy", "gzip:6", "none"])
def test_parquet_codecs(isoform, sales, tmp_path, codec):
    target = tmp_path / "out.parquet"
    isoform("convert", sales, target, "--compression", codec).expect(0)
    table = pyarrow.parquet.read_table(target)
    assert_same_rows(list(zip(*(harness.values(c) for c in table.columns))))
    used = pyarrow.parquet.ParquetFile(target).metadata.row_group(0).column(4).compression
    assert used == {"none": "UNCOMPRESSED"}.get(codec, codec.split(":")[0].upper())


def test_arrow_file_and_stream(isoform, sales, tmp_path):
    isoform("convert", sales, tmp_path / "out.arrow").expect(0)
    with pa.memory_map(str(tmp_path / "out.arrow")) as file:
        table = pyarrow.ipc.open_file(file).read_all()
    assert_same_rows(list(zip(*(harness.values(c) for c in table.columns))))
    isoform("convert", sales, tmp_path / "out.arrows").expect(0)
    table = pyarrow.ipc.open_stream((tmp_path / "out.arrows").read_bytes()).read_all()
    assert_same_rows(list(zip(*(harness.values(c) for c in table.columns))))


def test_avro_read_by_fastavro(isoform, sales, tmp_path):
    target = tmp_path / "out.avro"
    isoform("convert", sales, target).expect(0)
    with open(target, "rb") as file:
        records = [list(r.values()) for r in fastavro.reader(file)]
    plain = [[v.replace(tzinfo=None) if isinstance(v, datetime.datetime) else v for v in r] for r in records]
    assert_same_rows(plain)


@pytest.mark.parametrize("codec", ["none", "deflate:9", "bzip2", "xz:1"])
def test_every_codec_of_avro_is_read_by_fastavro_and_read_again(isoform, sales, tmp_path, codec):
    target, theirs, back = tmp_path / "out.avro", tmp_path / "theirs.avro", tmp_path / "back.csv"
    isoform("convert", sales, target, "--compression", codec).expect(0)
    with open(target, "rb") as file:
        reader = fastavro.reader(file)
        records, schema = list(reader), reader.writer_schema
    name = codec.split(":")[0].replace("none", "null")
    assert reader.metadata["avro.codec"] == name
    with open(theirs, "wb") as file:
        fastavro.writer(file, schema, records, codec=name, metadata={})
    isoform("compare", theirs, target).expect(0)
    isoform("convert", target, back).expect(0)
    assert back.read_bytes() == sales.read_bytes()


def test_arrow_from_before_the_marker_of_messages_is_read(isoform, tmp_path):
    """Versions before 0.15 had no marker before the length of a message."""
    table = pa.table({"a": list(range(1_000)), "b": [f"text {n}" for n in range(1_000)]})
    options = pa.ipc.IpcWriteOptions(use_legacy_format=True, metadata_version=pa.ipc.MetadataVersion.V4)
    for name, make in [("old.arrow", pa.ipc.new_file), ("old.arrows", pa.ipc.new_stream)]:
        with make(str(tmp_path / name), table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=300)
        isoform("convert", tmp_path / name, tmp_path / "out.parquet", "--force").expect(0)
        assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pydict() == table.to_pydict()
        (tmp_path / f"cut.{name}").write_bytes((tmp_path / name).read_bytes()[:-300])
        isoform("convert", tmp_path / f"cut.{name}", tmp_path / "cut.parquet").expect(9)
    (tmp_path / "old.arrows").rename(tmp_path / "renamed.arrow")
    isoform("convert", tmp_path / "renamed.arrow", tmp_path / "out.parquet", "--force").expect(0)


def test_a_stream_without_its_mark_at_the_end_is_told(isoform, tmp_path):
    """It may end like that, or may have been cut between two batches."""
    table, whole, cut = pa.table({"a": list(range(100))}), tmp_path / "whole.arrows", tmp_path / "cut.arrows"
    with pa.ipc.new_stream(str(whole), table.schema) as writer:
        writer.write_table(table)
    cut.write_bytes(whole.read_bytes()[:-8])
    note = "the stream has no mark at its end"
    assert note not in isoform("convert", whole, tmp_path / "whole.parquet").expect(0).out
    assert note in isoform("convert", cut, tmp_path / "cut.parquet").expect(0).out
    assert pyarrow.parquet.read_table(tmp_path / "cut.parquet").num_rows == 100


def test_json_lines_read_by_the_json_module(isoform, sales, tmp_path):
    target = tmp_path / "out.jsonl"
    isoform("convert", sales, target).expect(0)
    kinds = list(KINDS.values())

    def typed(found, kind):
        if found is None or kind in ("text", "int", "bool"):
            return found
        if kind == "date":
            return datetime.date.fromisoformat(found)
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(found)
        return float(found) if kind == "float" else decimal.Decimal(found)

    rows = []
    for line in target.read_text().splitlines():
        record = json.loads(line, parse_float=decimal.Decimal)
        rows.append([typed(record.get(name), kind) for name, kind in zip(KINDS, kinds)])
    assert_same_rows(rows)


@pytest.mark.parametrize("through", ["parquet", "arrow", "arrows", "avro", "tsv"])
def test_there_and_back_gives_the_same_fields(isoform, sales, tmp_path, through):
    middle, back = tmp_path / f"middle.{through}", tmp_path / "back.csv"
    isoform("convert", sales, middle).expect(0)
    isoform("convert", middle, back).expect(0)
    want, got = harness.fields(open(sales, "rb").read()), harness.fields(back.read_bytes())
    assert len(want) == len(got)
    bare = lambda records: [[(t, q if t in ("", "NA") else None) for t, q in r] for r in records]
    assert bare(want) == bare(got)


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_wrapped_text_is_read_and_written(isoform, sales, tmp_path, ending):
    wrapped, plain = tmp_path / f"sales.csv.{ending}", tmp_path / "plain.csv"
    isoform("convert", sales, wrapped, "--to", "csv").expect(0)
    if ending == "gz":
        text = gzip.decompress(wrapped.read_bytes())
        assert [[t for t, _ in r] for r in harness.fields(text)] == [
            [t for t, _ in r] for r in harness.fields(open(sales, "rb").read())]
    isoform("convert", wrapped, plain, "--to", "csv").expect(0)
    table = tmp_path / "t.parquet"
    isoform("convert", plain, table).expect(0)
    assert_same_rows(list(zip(*(harness.values(c) for c in pyarrow.parquet.read_table(table).columns))))


def parquet_of(isoform, name, tmp_path, *options):
    source = shutil.copy(TABLES / "real" / name, tmp_path / name)
    target = tmp_path / "out.parquet"
    isoform("convert", source, target, *options).expect(0)
    return pyarrow.parquet.read_table(target)


@pytest.mark.parametrize("name, want", [
    ("crlf_bom.csv", {"id": [1, 2, 3], "name": ["first\r\nsecond", None, ""]}),
    ("tabs.tsv", {"id": [1, 2, 3], "name": ["left,right", "up", "down"], "share": [0.5, 0.25, None]}),
    ("pipes.csv", {"id": [1, 2], "name": ["a|b", "c"]}),
    ("no_last_newline.csv", {"a": [1, 2], "b": ["x", "y"]}),
    ("header_only.csv", {"a": [], "b": [], "c": []}),
    ("null_tokens.csv", {"n": [1, 2, None], "word": ["NA", "x", "NA"]}),
    ("big_numbers.csv", {
        "code": ["007", "012"], "unsigned": [18446744073709551615, 12345678901234567890],
        "huge": [decimal.Decimal("123456789012345678901234567890"), decimal.Decimal(1)],
        "scaled": [decimal.Decimal("1.10"), decimal.Decimal("25.00")],
    }),
])
def test_real_life_tables(isoform, tmp_path, name, want):
    table = parquet_of(isoform, name, tmp_path)
    for column, cells in want.items():
        assert harness.values(table.column(column)) == cells, column


def test_a_decimal_comma(isoform, tmp_path):
    table = parquet_of(isoform, "semicolon.csv", tmp_path, "--decimal-comma")
    assert table.column("Größe").to_pylist() == ["klein", "mittel", "groß"]
    assert [float(v) for v in table.column("Preis").to_pylist()] == [12.5, 7.25, 100.0]


def test_duplicate_names_lose_no_column(isoform, tmp_path):
    table = parquet_of(isoform, "duplicate_header.csv", tmp_path)
    assert [harness.values(c) for c in table.columns] == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert len(set(table.column_names)) == 4


def test_json_lines_with_lists(isoform, tmp_path):
    table = parquet_of(isoform, "events.jsonl", tmp_path)
    assert table.column("id").to_pylist() == [1, 2, 3]
    assert table.column("who").to_pylist() == ["Åsa", None, ""]
    tags = [json.loads(t) if isinstance(t, str) else t for t in table.column("tags").to_pylist()]
    assert tags == [["a", "b"], [], ["☃"]]


@pytest.mark.parametrize("encoding, name", [("utf-16", "utf-16le"), ("utf-16-be", "utf-16be"), ("cp1252", "windows-1252")])
def test_other_encodings(isoform, tmp_path, encoding, name):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_bytes("id,town\n1,Århus\n2,Łódź\n".replace("Łódź", "Orléans").encode(encoding))
    isoform("convert", source, target, "--encoding", name).expect(0)
    assert pyarrow.parquet.read_table(target).column("town").to_pylist() == ["Århus", "Orléans"]


@pytest.mark.parametrize("encoding, mark, name", [
    ("utf-16-be", b"\xfe\xff", "utf-16le"), ("utf-16-le", b"\xff\xfe", "latin-1"), ("utf-8", b"\xef\xbb\xbf", "latin-1")])
def test_an_encoding_that_the_mark_contradicts_is_refused(isoform, tmp_path, encoding, mark, name):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_bytes(mark + "id,town\n1,Århus\n".encode(encoding))
    done = isoform("convert", source, target, "--encoding", name).expect(9)
    right = encoding.replace("6-", "6")
    assert f"mark of {right}, and {name} was named" in done.err and not target.exists()
    assert f"--encoding {right}, or leave --encoding away" in done.err
    for named in (["--encoding", right], []):
        isoform("convert", source, target, "--force", *named).expect(0)
        assert pyarrow.parquet.read_table(target).to_pylist() == [{"id": 1, "town": "Århus"}]


def test_sources_in_several_encodings_are_told_what_takes_each(isoform, tmp_path):
    marked, latin, target = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "out.parquet"
    marked.write_bytes("id,town\n1,Århus\n".encode("utf-8-sig"))
    latin.write_bytes("id,town\n2,Orléans\n".encode("latin-1"))
    for options in (["--encoding", "latin-1"], []):
        alone = marked if options else latin
        for sources in ([alone], [marked, latin]):
            told = isoform("convert", *sources, target, *options).expect(9).err
            assert alone.name in told and "--encoding guess" in told, told
    isoform("convert", marked, latin, target, "--encoding", "guess").expect(0)
    assert pyarrow.parquet.read_table(target).column("town").to_pylist() == ["Århus", "Orléans"]


def test_a_type_can_be_fixed(isoform, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("id,x\n1,2\n3,4\n")
    isoform("convert", source, target, "--type", "x=text").expect(0)
    assert harness.kind(pyarrow.parquet.read_schema(target).field("x").type) == "text"
    isoform("convert", source, target, "--types", "text", "--force").expect(0)
    assert [harness.kind(f.type) for f in pyarrow.parquet.read_schema(target)] == ["text", "text"]


def test_the_same_bytes_whatever_the_machine_does(isoform, tmp_path, tall):
    made = {}
    for options in [(), ("--threads", "1"), ("--threads", "2"), ("--threads", "5"), ("--memory", "128MiB")]:
        target = tmp_path / "out.parquet"
        isoform("convert", tall, target, "--force", *options).expect(0)
        made[options] = harness.sha256(target)
    assert pyarrow.parquet.ParquetFile(target).metadata.num_row_groups > 1
    assert len(set(made.values())) == 1, made


def test_the_row_group_size_is_kept(isoform, tmp_path, tall):
    target = tmp_path / "out.parquet"
    isoform("convert", tall, target, "--row-group-rows", "65536").expect(0)
    metadata = pyarrow.parquet.ParquetFile(target).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [65536, 65536, 65536, 3392]
    assert sum(r[0] for r in duckdb.sql(f"select count(*) from '{target}' where id % 2 = 0").fetchall()) == 100_000


def test_a_surprise_after_any_sample_widens_the_column(isoform, tmp_path, tall):
    source, target = tmp_path / "late.csv", tmp_path / "out.parquet"
    text = open(tall).read()
    source.write_text(text + "200000,not a number,late\n")
    isoform("convert", source, target).expect(0)
    table = pyarrow.parquet.read_table(target)
    assert harness.kind(table.schema.field("squared").type) == "text"
    assert table.column("squared").to_pylist()[:3] == ["0", "1", "4"]
    assert table.column("squared").to_pylist()[-1] == "not a number"


def test_a_closed_pipe_is_no_panic(isoform, sales):
    command = " ".join(isoform.command("inspect", sales))
    done = subprocess.run(["bash", "-c", f"{command} | head -n 1"], env=isoform.environment, capture_output=True)
    assert not re.search(rb"panicked", done.stderr)


# JSON Lines says null in two ways.

ABSENCE = (
    '{"a":1,"s":{"x":1},"n":null}\n{"s":{},"n":2}\n{"a":null,"s":{"x":null}}\n{"a":2,"s":null,"n":3}\n'
)


def test_absence_becomes_null_unless_presence_is_asked_for(isoform, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(ABSENCE)
    done = isoform("convert", source, tmp_path / "plain.parquet", "--json").expect(0).json()
    assert done["verdict"] == "VALUE-EXACT" and [c["name"] for c in done["columns"]] == ["a", "s", "n"]
    told = isoform("convert", source, tmp_path / "plain.parquet", "--force").expect(0).out
    assert 'column "a" as int64 does not give back its text: absent values' in told and "--presence" in told
    isoform("convert", source, tmp_path / "strict.parquet", "--strict").expect(4)
    for ending in ("parquet", "arrow", "avro"):
        target, back = tmp_path / f"out.{ending}", tmp_path / f"{ending}.jsonl"
        done = isoform("convert", source, target, "--presence", "--strict", "--json").expect(0).json()
        assert done["verdict"] == "EXACT"
        assert [c["name"] for c in done["columns"]] == ["a", "a_missing", "s", "n", "n_missing"]
        isoform("convert", target, back).expect(0)
        assert back.read_text() == ABSENCE, ending
        assert "decoded again" in isoform("verify", target).expect(0).out
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["a"].to_pylist() == [1, None, None, 2]
    assert table["a_missing"].to_pylist() == [False, True, False, False]
    assert [row and row["x_missing"] for row in table["s"].to_pylist()] == [False, True, False, None]
    again = tmp_path / "again.jsonl"
    isoform("convert", source, again, "--presence").expect(0)
    assert again.read_text() == ABSENCE


def test_presence_is_for_json_lines(isoform, sales, tmp_path):
    assert "--presence" in isoform("convert", sales, tmp_path / "x.parquet", "--presence").expect(2).err


def layouts(folder, of):
    """A table whose floating point numbers all writers lay out alike, but for those that `of` tells by row."""
    rows = 200_000
    number = lambda i: of.get(i, f"{i % 1000}.{i % 9 + 1}")
    lines = [f'{{"id":{i},"x":{number(i)},"y":{{"z":[{number(i)}]}}}}\n' for i in range(rows)]
    path = folder / "layouts.jsonl"
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("to", ["parquet", "arrow", "avro", "csv"])
@pytest.mark.parametrize("of, style", [
    ({150_000: "0.00005"}, {"point-zero": True, "exponent": "ecma"}),
    ({100_000: "1e-7", 190_000: "123"}, {"point-zero": False, "exponent": "ecma"}),
    ({199_999: "1.0E-4"}, {"point-zero": True, "exponent": "java"}),
    # Two that no layout has in common: one of them is an exception.
    ({70_000: "0.00005", 150_000: "5e-05"}, {"point-zero": True, "exponent": "python"}),
], ids=["once", "twice", "last", "never"])
def test_a_layout_of_numbers_that_a_sample_leaves_open(isoform, tmp_path, to, of, style):
    """Only a later number tells them apart: the outcome is as if the whole text had been looked at first."""
    source, target, back = layouts(tmp_path, of), tmp_path / f"out.{to}", tmp_path / "back.jsonl"
    done = isoform("convert", source, target, "--json").expect(0).json()
    assert done["verdict"] == "EXACT"
    found = harness.statement(harness.certificate_of(target))["predicate"]["content"]["typeMap"]
    if to != "csv":
        assert found[1]["style"]["json"]["style"] == {"float": {**style, "words": False}}, found
        isoform("convert", target, back).expect(0)
        assert harness.sha256(back) == harness.sha256(source)
    digest = harness.sha256(target)
    isoform("convert", source, target, "--force", "--threads", "7").expect(0)
    assert harness.sha256(target) == digest


def test_presence_holds_for_several_sources(isoform, tmp_path):
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_text('{"a":1}\n{}\n{"a":null}\n')
    second.write_text('{"a":5}\n')
    target, back = tmp_path / "out.parquet", tmp_path / "back.jsonl"
    isoform("convert", first, second, target, "--presence", "--strict").expect(0)
    isoform("convert", target, back).expect(0)
    assert back.read_text() == first.read_text() + second.read_text()
    isoform("convert", first, tmp_path / "named.parquet", "--presence", "--source-column", "from").expect(0)
    table = pyarrow.parquet.read_table(tmp_path / "named.parquet")
    assert table.column_names == ["a", "a_missing", "from"]
    done = isoform("convert", first, tmp_path / "parts", "--to", "parquet", "--presence", "--partition-by", "a")
    assert "--presence" in done.expect(2).err and not (tmp_path / "parts").exists()


def test_json_lines_without_records_say_what_they_lose(isoform, tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("a,b\n")
    reason = 'without a record jsonl has no columns: the names "a", "b" are in the certificate alone, with their types'
    done = isoform("convert", source, target).expect(0)
    assert "VALUE-EXACT" in done.out and f"note: {reason}" in done.out and target.read_bytes() == b""
    assert "give back" not in done.out, "there is no text that could be lost"
    planned = isoform("plan", source, tmp_path / "strict.jsonl", "--strict", "--json").expect(4).json()
    assert planned["verdict"] == "VALUE-EXACT" and reason in planned["notes"] and reason in planned["refusals"][0]
    for options in ([tmp_path / "strict.jsonl"], ["-", "--to", "jsonl"], ["-", "--to", "jsonl", "--stream"]):
        assert reason in isoform("convert", source, *options, "--strict").expect(4).err
    isoform("convert", source, tmp_path / "out.arrow", "--strict").expect(0)
    # With the certificate they come back.
    isoform("convert", target, tmp_path / "back.csv", "--strict").expect(0)
    assert (tmp_path / "back.csv").read_text() == source.read_text()


def test_a_refusal_below_exact_says_what_would_be_lost(isoform, tmp_path):
    source, broken = tmp_path / "in.csv", tmp_path / "broken.csv"
    source.write_text("a,b\n1.50,1\n01.5,2\n")
    broken.write_text("a,b\n1,2\n3\n")
    for options, lost in (
        ([source, "--types", "value"], 'VALUE-EXACT, and --strict accepts only EXACT: the text of "a" is not given back'),
        ([broken, "--rejects", tmp_path / "bad"], "PARTIAL, and --strict accepts only EXACT: 1 bad record would be set aside"),
    ):
        run = [options[0], tmp_path / "out.parquet", *options[1:], "--strict"]
        assert lost in isoform("convert", *run).expect(4).err
        assert lost in isoform("plan", *run, "--json").expect(4).json()["refusals"][0]
