"""What a certificate tells of the columns is checked with the source: types, styles and the texts of exceptions."""

import json

import pytest

import harness

PARTITIONED = ("--partition-by", "k")
TARGETS = {
    "a.parquet": (), "a.jsonl": (), "a.tsv": (),
    "out-parquet": ("--to", "parquet", *PARTITIONED), "out-jsonl": ("--to", "jsonl", *PARTITIONED),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Few numbers are written otherwise than the rest of their column."""
    path = tmp_path_factory.mktemp("types") / "s.csv"
    rows = [f"{at},k{at % 3},{'1e3' if at in (50, 100) else at + 0.5}" for at in range(300)]
    path.write_text("\n".join(["id,k,x", *rows, ""]))
    return path


def restated(isoform, target, change):
    """Lets the certificate of a target tell something else of its columns; false where that is nothing else."""
    at = harness.certificate_of(target)
    said = harness.statement(at)
    content = said["predicate"]["content"]
    before = json.dumps(content["typeMap"])
    content["typeMap"] = change(json.loads(before))
    harness.sign(isoform, at, said)
    return json.dumps(content["typeMap"]) != before


def other_text(columns):
    return json.loads(json.dumps(columns).replace('"1e3"', '"1000"'))


def other_row(columns):
    return json.loads(json.dumps(columns).replace('[50, "1e3"]', '[60, "1e3"]'))


def other_type(columns):
    columns[2]["type"] = "text"
    return columns


def other_name(columns):
    columns[2]["name"] = "y"
    return columns


@pytest.mark.parametrize("change", [other_text, other_row, other_type, other_name])
@pytest.mark.parametrize("name", TARGETS)
def test_a_type_map_that_is_not_that_of_the_source_is_found(isoform, table, tmp_path, name, change):
    target = tmp_path / name
    isoform("convert", table, target, *TARGETS[name]).expect(0)
    isoform("verify", target).expect(0)
    if not restated(isoform, target, change):
        assert name == "a.tsv"
        return
    told = isoform("verify", target).expect(4).err
    # A target that is text does not fit exceptions and names that are its own.
    own = name == "a.tsv" and change is not other_type or "jsonl" in name and change is other_name
    assert own or f"{harness.certificate_of(target)}: typeMap " in told, told
    assert "rowsOfExceptions" not in told


def test_a_type_map_of_several_sources(isoform, table, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text("id,k,x\n" + "".join(f"{at},k9,{'2E4' if at == 320 else at + 0.5}\n" for at in range(300, 400)))
    target = tmp_path / "a.jsonl"
    isoform("convert", table, more, target).expect(0)
    isoform("verify", target).expect(0)
    assert restated(isoform, target, lambda columns: json.loads(json.dumps(columns).replace('"2E4"', '"20000"')))
    assert "typeMap does not tell how the values of \"x\"" in isoform("verify", target).expect(4).err


@pytest.mark.parametrize("sources", [1, 2])
@pytest.mark.parametrize("name", TARGETS)
def test_another_style_that_gives_back_the_same_text_is_as_true(isoform, table, tmp_path, name, sources):
    """As another version of the program may find it: a word for null in a column that holds none."""
    target, more = tmp_path / name, tmp_path / "more.csv"
    more.write_text("id,k,x\n400,k0,400.5\n")
    isoform("convert", *[table, more][:sources], target, *TARGETS[name]).expect(0)

    def other_null(columns):
        columns[2]["style"]["field"]["style"]["null"] = "NA"
        return columns

    assert restated(isoform, target, other_null)
    isoform("verify", target).expect(0)


def test_styles_of_json_lines(isoform, tmp_path):
    source, target = tmp_path / "s.jsonl", tmp_path / "a.parquet"
    rows = [{"a": at, "b": at + 0.5, **({} if at % 7 else {"c": "x"})} for at in range(200)]
    source.write_text("".join(json.dumps(row).replace("20.5", "2.05e1") + "\n" for row in rows))
    isoform("convert", source, target).expect(0)
    isoform("verify", target).expect(0)
    for change in [
        lambda columns: json.loads(json.dumps(columns).replace("2.05e1", "20.50")),
        lambda columns: json.loads(json.dumps(columns).replace('"missing"', '"null"')),
    ]:
        before = harness.certificate_of(target).read_bytes()
        assert restated(isoform, target, change)
        told = isoform("verify", target).expect(4).err
        assert "typeMap does not tell how the values of" in told and f"as {source} has them" in told
        harness.certificate_of(target).write_bytes(before)
    isoform("verify", target).expect(0)


def test_spellings_that_come_by_way_of_a_format_with_types(isoform, table, tmp_path):
    """The metadata of Parquet tell the exceptions, and so does the certificate of what is made of it."""
    between, target = tmp_path / "a.parquet", tmp_path / "b.jsonl"
    isoform("convert", table, between).expect(0)
    isoform("convert", between, target).expect(0)
    isoform("verify", target).expect(0)
    assert restated(isoform, target, other_text)
    assert "typeMap does not tell" in isoform("verify", target).expect(4).err
