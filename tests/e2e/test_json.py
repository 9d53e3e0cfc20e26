"""With --json, stdout is one JSON document and nothing else, whatever happens; without, results are for people."""

import json
import re

import pytest

import harness


@pytest.mark.parametrize("arguments, code", [
    (["convert", "{sales}", "{folder}/out.arrow"], 0),
    (["plan", "{sales}", "{folder}/out.arrow"], 0),
    (["convert", "--plan", "{sales}", "{folder}/out.arrow"], 0),
    (["verify", "{target}"], 0),
    (["verify", "{folder}"], 0),
    (["compare", "{sales}", "{target}"], 0),
    (["inspect", "{sales}"], 0),
    (["inspect", "{target}"], 0),
    (["inspect", "{certificate}"], 0),
    (["inspect", "{sales}", "--why", "store"], 0),
    (["formats"], 0),
    (["key", "show"], 0),
])
def test_results(isoform, converted, sales, tmp_path, arguments, code):
    names = {
        "sales": sales, "target": converted, "folder": tmp_path,
        "certificate": harness.certificate_of(converted),
    }
    done = isoform("--json", *(a.format(**names) for a in arguments)).expect(code)
    assert re.fullmatch(r"isoform\.[a-z.-]+/v1", done.json()["schema"])
    assert done.err == "", "no terminal, no progress"


@pytest.mark.parametrize("arguments, code", [
    (["convert", "{bad}", "{folder}/out.parquet"], 9),
    (["convert", "{sales}", "{target}"], 7),
    (["convert", "{folder}/none.csv", "{folder}/out.parquet"], 1),
    (["compare", "{sales}", "{bad}"], 9),
])
def test_failures(isoform, converted, sales, tmp_path, arguments, code):
    bad = harness.TABLES / "bad" / "unclosed_quote.csv"
    names = {"sales": sales, "target": converted, "folder": tmp_path, "bad": bad}
    done = isoform(*(a.format(**names) for a in arguments), "--json").expect(code)
    assert done.out == "" or isinstance(done.json(), dict)


def test_a_conversion_tells_what_it_proved(isoform, sales, tmp_path):
    target = tmp_path / "out.parquet"
    said = json.dumps(isoform("convert", sales, target, "--json").expect(0).json())
    content = harness.statement(harness.certificate_of(target))["predicate"]["content"]["target"]
    assert '"EXACT"' in said and content in said


def test_the_same_for_people(isoform, sales, tmp_path):
    done = isoform("convert", sales, tmp_path / "out.parquet").expect(0)
    assert "EXACT" in done.out and "1000" in done.out.replace(",", "") and done.err == ""
    assert "\x1b" not in done.out


def test_quiet(isoform, sales, tmp_path):
    done = isoform("convert", sales, tmp_path / "out.parquet", "--quiet").expect(0)
    assert done.out == "" and done.err == ""
    assert isoform("convert", sales, tmp_path / "out.parquet", "--quiet").expect(7).err


def test_environment_mirrors_flags_and_flags_win(isoform, sales, tmp_path):
    done = isoform("convert", sales, tmp_path / "a.parquet", env={"ISOFORM_JSON": "true"}).expect(0)
    assert done.json()
    plain = {"ISOFORM_COMPRESSION": "none"}
    isoform("convert", sales, tmp_path / "b.parquet", env=plain).expect(0)
    isoform("convert", sales, tmp_path / "c.parquet", "--compression", "zstd:3", env=plain).expect(0)
    sizes = [(tmp_path / f"{n}.parquet").stat().st_size for n in "abc"]
    assert sizes[1] > sizes[0] == sizes[2]


def test_plan_does_nothing(isoform, sales, tmp_path):
    before = harness.listing(tmp_path)
    for command in (["plan"], ["convert", "--plan"]):
        done = isoform(*command, sales, tmp_path / "out.parquet").expect(0)
        assert "ordered_on" in done.out
    assert harness.listing(tmp_path) == before


def test_why(isoform, sales):
    done = isoform("inspect", sales, "--why", "store").expect(0)
    assert "0002" in done.out and "record 1" in done.out
    assert isoform("inspect", sales, "--why", "nothing").code == 2


def test_why_tells_the_spelling_of_null_and_of_dates(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("n,d,e,y\n1,5/1/2024,,31/12/24\nNA,31/1/2024,,01/01/25\n")
    for column, told in [("n", 'every field has this type, or is null ("NA")'), ("d", "with dates as %-d/%-m/%Y, or is null (empty)"),
                         ("e", "every field is null"), ("y", "century would be a guess; a pattern says it")]:
        assert told in isoform("inspect", tmp_path / "a.csv", "--why", column).expect(0).out


def test_formats(isoform):
    done = isoform("formats").expect(0)
    for name in ("csv", "tsv", "jsonl", "parquet", "arrow", "avro"):
        assert name in done.out


def test_one_format_is_told_alone(isoform):
    lines = isoform("formats", "csv").expect(0).out.splitlines()
    assert lines[0].startswith("csv ") and lines[0].endswith(".csv .txt  (also in .gz .bgz .zst .xz .bz2 .lz4 .br)"), lines[0]
    assert all(line.startswith(" ") for line in lines[1:]) and len(lines) == 4
    told = isoform("formats", "csv", "--json").expect(0).json()
    assert [one["name"] for one in told["formats"]] == ["csv"] and "zst" in told["formats"][0]["wrappings"]
    assert told["arrays"] == told["images"] == told["wrappings"] == []
    assert all("csv" in (pair["from"], pair["to"]) for pair in told["pairs"]) and len(told["pairs"]) == 13
    for name, section in [("gzip", "wrappings"), ("png", "images"), ("wav", "arrays"), ("parquet", "formats")]:
        assert len(isoform("formats", name).expect(0).out.splitlines()) == 1 or name == "parquet"
        assert [one["name"] for one in isoform("formats", name, "--json").expect(0).json()[section]] == [name]
    assert "did you mean \"parquet\"?" in isoform("formats", "parqet").expect(2).err
    assert "the formats are " in isoform("formats", "no-such-format").expect(2).err


def test_compare(isoform, sales, converted, tmp_path):
    isoform("compare", sales, converted).expect(0)
    other = tmp_path / "other.csv"
    text = open(sales).read()
    other.write_text(text.replace("Łukasz Żak,nut,-3,", "Łukasz Żak,nut,-4,", 1).replace("rope", "tape", 1))
    done = isoform("compare", converted, other).expect(4)
    assert "product" in done.out and "tape" in done.out
    isoform("compare", sales, harness.TABLES / "real" / "pipes.csv").expect(4)
