"""What a certificate claims is what is found of the files: whoever signed it may claim something else."""

import copy

import numpy as np
import pytest
import soundfile
from PIL import Image

import harness

RANDOM = np.random.default_rng(11)


def claims(isoform, target, change, *more):
    """What is said of a target whose certificate claims something else."""
    at = harness.certificate_of(target)
    honest = at.read_bytes()
    said = copy.deepcopy(harness.statement(at))
    change(said["predicate"])
    harness.sign(isoform, at, said)
    told = isoform("verify", target, *more)
    at.write_bytes(honest)
    return told


def refused(isoform, target, change, *more):
    told = claims(isoform, target, change, *more)
    # What contradicts itself, or means nothing, is seen without the files.
    assert told.code == 4 or told.code == 9 and f"{harness.certificate_of(target)}: malformed certificate" in told.err, told
    return told.err


def exact(predicate):
    predicate["verification"]["verdict"] = "EXACT"
    for column in predicate["content"]["typeMap"]:
        column["reversible"] = True
        column["style"]["field"]["reversible"] = True
        if "json" in column["style"]:
            column["style"]["json"]["reversible"] = True


def exact_and_strict(predicate):
    exact(predicate)
    for column in predicate["content"]["typeMap"]:
        for key in ("lenient", "also_null"):
            column["style"]["field"]["style"].pop(key, None)


TABLES = {"a.parquet": [], "a.jsonl": [], "a.tsv": [], "parts": ["--to", "parquet", "--partition-by", "k"]}


@pytest.mark.parametrize("change", [exact, exact_and_strict])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", TABLES)
def test_values_alone_are_no_text(isoform, tmp_path, name, several, change):
    (tmp_path / "a.csv").write_text("d,n,k\n2020-01-01,007,x\n2020-1-2,8,y\n")
    (tmp_path / "b.csv").write_text("d,n,k\n2020-01-03,010,x\n")
    sources = ["a.csv", "b.csv"] if several else ["a.csv"]
    target = tmp_path / name
    run = isoform("convert", *[tmp_path / source for source in sources], target, "--types", "value", *TABLES[name], "--json")
    assert run.expect(0).json()["verdict"] == "VALUE-EXACT"
    isoform("verify", target).expect(0)
    assert "typeMap" in refused(isoform, target, change)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", ["a.parquet", "parts"])
def test_records_that_were_set_aside_are_told(isoform, tmp_path, name, several):
    (tmp_path / "a.csv").write_text("a,k\n1,x\n3\n4,y\n")
    (tmp_path / "b.csv").write_text("a,k\n5,x\n6\n7\n")
    sources = ["a.csv", "b.csv"] if several else ["a.csv"]
    target = tmp_path / name
    command = ["convert", *[tmp_path / source for source in sources], target, "--rejects", tmp_path / "bad.jsonl", *TABLES[name]]
    assert isoform(*command, "--json").expect(0).json()["verdict"] == "PARTIAL"
    assert "of 6 were set aside" if several else "of 3 were set aside" in isoform("verify", target).expect(0).out

    def verdict(predicate):
        predicate["verification"]["verdict"] = "EXACT"

    def silent(predicate):
        verdict(predicate)
        checks = predicate["verification"]["checks"]
        predicate["verification"]["checks"] = [check for check in checks if check["name"] != "set-aside"]
        predicate["conversion"]["parameters"]["rejects"] = True

    def fewer(predicate):
        silent(predicate)
        for check in predicate["verification"]["checks"]:
            if check["name"] == "count-records":
                rows = predicate["content"]["rows"]
                check["scope"] = f"{rows}/{rows}"

    def other(predicate):
        for check in predicate["verification"]["checks"]:
            if check["name"] == "set-aside":
                check["scope"] = "7/" + check["scope"].split("/")[1]

    assert "not PARTIAL" in refused(isoform, target, verdict)
    assert "verdict is PARTIAL, and not EXACT" in refused(isoform, target, silent)
    assert "verdict is PARTIAL, and not EXACT" in refused(isoform, target, fewer)
    assert "set-aside is " in refused(isoform, target, other)


def test_a_verdict_of_arrays_follows_from_what_a_table_tells(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1.5\n\n2.5\n")
    target = tmp_path / "a.npy"
    isoform("convert", tmp_path / "a.csv", target, "--nulls", "nan", "--drop", "metadata").expect(0)
    assert "VALUE-EXACT holds" in isoform("verify", target).expect(0).out
    told = refused(isoform, target, lambda predicate: predicate["verification"].update(verdict="EXACT"))
    assert "the certificate says EXACT, and that an array does not keep all of its columns" in told

    def exact(predicate):
        predicate["verification"].update(verdict="EXACT")
        predicate["content"]["arrays"][0]["style"].pop("textNotKept")

    assert "not EXACT" in refused(isoform, target, exact) or "textNotKept" in refused(isoform, target, exact)


def test_arrays_of_a_table_tell_how_that_was_read(isoform, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1.5,2\n2.5,3\n")
    target = tmp_path / "a.npz"
    isoform("convert", tmp_path / "a.csv", target, "--drop", "metadata").expect(0)
    isoform("verify", target).expect(0)
    told = refused(isoform, target, lambda predicate: predicate["conversion"]["parameters"]["reading"][0].update(lineEnding="crlf"))
    assert "reading tells lineEnding" in told


def photograph(folder, seed=0, size=(160, 120), **more):
    smooth = np.add.outer(np.arange(size[1]), np.arange(size[0]))[:, :, None] * [1, 0.5, 0.25]
    noise = np.random.default_rng(seed).normal(0, 6, (size[1], size[0], 3))
    path = folder / f"p{seed}.png"
    Image.fromarray(np.clip(smooth + noise + 20 * seed, 0, 255).astype(np.uint8)).save(path, **more)
    return path


def exif():
    found = Image.Exif()
    found[0x0110] = "camera"
    return found


@pytest.fixture(scope="module")
def bounded(isoform, tmp_path_factory):
    """Targets that differ from their sources, one of each kind."""
    folder = tmp_path_factory.mktemp("bounded")
    isoform("convert", photograph(folder), folder / "p.jpg", "--within", "psnr=32", "--part-floor", "psnr=28").expect(0)
    (folder / "album").mkdir()
    for seed in range(3):
        photograph(folder / "album", seed)
    asked = ["--to", "jpeg", "--within", "psnr=32", "--part-floor", "psnr=28"]
    isoform("convert", folder / "album", "--out-dir", folder / "o", *asked).expect(0)
    time = np.arange(3 * 8000) / 8000
    soundfile.write(folder / "s.wav", np.sin(2 * np.pi * 330 * time) / 2, 8000, subtype="FLOAT")
    isoform("convert", folder / "s.wav", folder / "s.flac", "--sample-type", "i16", "--within", "snr=40").expect(0)
    np.save(folder / "w.npy", RANDOM.standard_normal((300, 64)).astype(np.float32))
    narrowed = ["--sample-type", "bf16", "--within", "coherence=0.99", "--part-floor", "coherence=0.98"]
    isoform("convert", folder / "w.npy", folder / "w.safetensors", *narrowed).expect(0)
    return folder


BOUNDED = ["p.jpg", "o", "s.flac", "w.safetensors"]


@pytest.mark.parametrize("name", BOUNDED)
def test_every_figure_of_a_distance_is_measured_again(isoform, bounded, name):
    target = bounded / name
    honest = isoform("verify", target).expect(0).out
    assert "BOUNDED holds" in honest and "decoded again" in honest
    for figure in ("d", "epsilon", "norm", "n", "rmse", "psnrDb", "maxAbs", "coherence"):
        if name == "w.safetensors" and figure == "psnrDb":
            continue
        told = refused(isoform, target, lambda predicate: predicate["distortion"].update({figure: "1"}))
        assert figure in told or "beyond the bound" in told or "contradicts" in told, (figure, told)
    for figure in ("requested", "reached"):
        told = refused(isoform, target, lambda predicate: predicate["verification"]["tau"].update({figure: "1"}))
        assert f"tau.{figure} is " in told
    told = refused(isoform, target, lambda predicate: predicate["distortion"]["worstPart"].update(coherence="1"))
    assert "worstPart is " in told
    told = refused(isoform, target, lambda predicate: predicate["verification"]["table"]["digest"].update(blake3="0" * 64))
    assert "table is " in told
    told = refused(isoform, target, lambda predicate: predicate["verification"].update(verdict="PARTIAL"))
    assert "verdict is BOUNDED, and not PARTIAL" in told
    long = refused(isoform, target, lambda predicate: predicate["distortion"].update(rmse="9" * 100_000))
    assert len(long) < 1000


@pytest.mark.parametrize("name", BOUNDED)
def test_bounds_are_those_that_were_asked_for_and_hold(isoform, bounded, name):
    target = bounded / name

    def limits(kind, limit):
        def change(predicate):
            for gate in predicate["distortion"]["gates"]:
                if gate["name"].startswith(kind):
                    gate["limit"] = limit
        return change

    for kind in ("whole", "part"):
        for limit in ("1e-9", "0.5"):
            refused(isoform, target, limits(kind, limit))
    asked = refused(isoform, target, lambda predicate: predicate["conversion"]["parameters"].update(within="psnr=60" if name in ("p.jpg", "o") else "snr=60"))
    assert "other bounds than its parameters ask for" in asked
    asked = refused(isoform, target, lambda predicate: predicate["conversion"]["parameters"].update(partFloor="snr=90"))
    assert "other bounds than its parameters ask for" in asked
    for companion in ("part-absolute-rmse", "part-absolute"):
        def wider(predicate):
            gates = [gate for gate in predicate["distortion"]["gates"] if not gate["name"].startswith("part-absolute")]
            predicate["distortion"]["gates"] = [*gates, {"name": companion, "limit": "1000000"}]
        assert "lets every part be off by 1000000" in refused(isoform, target, wider)
    unknown = claims(isoform, target, lambda predicate: predicate["conversion"]["parameters"].update(within="nearly")).expect(1).err
    assert "tells of a budget that is not known here" in unknown


def test_an_image_without_tiles_is_one_part(isoform, bounded):
    """As before there were tiles: then all figures are those of one part."""
    def change(predicate):
        stated = predicate["distortion"]
        del stated["pieces"]
        stated |= {"rmse": "0.01", "psnrDb": "88", "maxAbs": "1", "coherence": "0.99999", "n": "7", "norm": "1"}
    assert "its samples are not as far from their source as was certified: norm is " in refused(isoform, bounded / "p.jpg", change)


@pytest.fixture(scope="module")
def equal(isoform, tmp_path_factory):
    """Targets that are equal to their sources, one of each kind."""
    folder = tmp_path_factory.mktemp("equal")
    (folder / "t.csv").write_text("a,b\n1,x\n2,y\n")
    isoform("convert", folder / "t.csv", folder / "t.parquet").expect(0)
    isoform("convert", folder / "t.csv", folder / "parts", "--to", "parquet", "--partition-by", "b").expect(0)
    isoform("convert", folder / "t.csv", folder / "t.csv.gz", "--to", "gzip").expect(0)
    isoform("convert", photograph(folder, exif=exif()), folder / "p.qoi", "--drop", "metadata").expect(0)
    isoform("convert", photograph(folder, 1), folder / "p.webp", "--within", "coherence=1").expect(0)
    np.save(folder / "w.npy", RANDOM.standard_normal((30, 64)).astype(np.float32))
    isoform("convert", folder / "w.npy", folder / "w.safetensors").expect(0)
    isoform("convert", folder / "w.npy", folder / "within.npz", "--within", "coherence=1").expect(0)
    return folder


EQUAL = ["t.parquet", "parts", "t.csv.gz", "p.qoi", "p.webp", "w.safetensors", "within.npz"]


@pytest.mark.parametrize("name", EQUAL)
def test_equal_contents_have_the_figures_of_equal_contents(isoform, equal, name):
    target = equal / name
    assert "EXACT holds" in isoform("verify", target).expect(0).out
    figures = {"d": "1", "rmse": "0.5", "maxAbs": "1", "coherence": "0.1", "psnrDb": "3", "norm": "3", "n": "5", "epsilon": "9"}
    for figure, other in figures.items():
        refused(isoform, target, lambda predicate: predicate["distortion"].update({figure: other}))
    for figure in ("requested", "reached"):
        refused(isoform, target, lambda predicate: predicate["verification"]["tau"].update({figure: "0.5"}))
    for at in range(2):
        refused(isoform, target, lambda predicate: predicate["verification"]["checks"][at].update(scope="5/5"))
        refused(isoform, target, lambda predicate: predicate["verification"]["checks"].pop(at))
    refused(isoform, target, lambda predicate: predicate["verification"].update(verdict="PARTIAL"))


def test_what_was_dropped_is_told(isoform, equal, tmp_path):
    soundfile.write(tmp_path / "s.wav", np.zeros((800, 1)), 8000, subtype="PCM_16")
    isoform("convert", tmp_path / "s.wav", tmp_path / "s.npy", "--drop", "metadata").expect(0)
    (tmp_path / "album").mkdir()
    for seed in range(2):
        photograph(tmp_path / "album", seed, exif=exif())
    asked = ["--to", "jpeg", "--within", "psnr=32", "--part-floor", "psnr=28", "--drop", "metadata"]
    isoform("convert", tmp_path / "album", "--out-dir", tmp_path / "o", *asked).expect(0)
    for target in (equal / "p.qoi", tmp_path / "s.npy", tmp_path / "o"):
        isoform("verify", target).expect(0)

        def change(dropped):
            def changed(predicate):
                parameters = predicate["conversion"]["parameters"]
                for record in [parameters.get("writing", {}), *[array["style"] for array in predicate["content"]["arrays"]]]:
                    if dropped:
                        record["dropped"] = dropped
                    else:
                        record.pop("dropped", None)
            return changed

        assert "was dropped, and it lacks " in refused(isoform, target, change(["icc", "orientation"]))
        if target.name != "o":
            assert "nothing was dropped, and it lacks " in refused(isoform, target, change([]))
