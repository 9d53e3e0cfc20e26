"""Many images and sounds at once: what is told of each, where their targets lie, and what is left out."""

import numpy as np
import pytest
import soundfile
from PIL import Image, PngImagePlugin

DROP = ("--drop", "metadata")


@pytest.fixture
def album(tmp_path):
    """Photographs of one name in two folders, and files that are none."""
    ramp = (np.add.outer(np.arange(120), np.arange(160))[..., None] // 2 + np.array([0, 20, 40])).astype(np.uint8)
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a ramp")
    for folder, pixels in [("2024", ramp), ("2025/spring", ramp[::-1])]:
        (tmp_path / "album" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "album" / folder / "a.png", pnginfo=info)
    (tmp_path / "album" / "notes.txt").write_text("none")
    (tmp_path / "album" / "2024" / "list.csv").write_text("a,b\n1,2\n")
    return tmp_path / "album"


def test_each_of_many_is_told_like_one(isoform, album, tmp_path):
    command = ["convert", album, "--out-dir", tmp_path / "out", "--to", "webp", "--within", "psnr=35,ssimulacra2=50"]
    told = isoform(*command, *DROP, "--json").expect(0).json()
    for source in told["sources"]:
        assert source["distortion"]["psnrDb"] >= 35 and source["distortion"]["gates"][0]["found"] >= 50
        assert source["settings"]["quality"] >= 0 and source["encodes"] > 0
        assert source["notes"] == ["dropped: text:Title"], source
    lines = isoform(*command[:3], tmp_path / "again", *command[4:], *DROP).expect(0).out.splitlines()
    for line in lines[1:3]:
        for words in ("BOUNDED", "PSNR", "ssimulacra2", "quality", "dropped: text:Title"):
            assert words in line, lines


def test_what_lost_nothing_is_done_also_where_more_may_be_dropped(isoform, album, tmp_path):
    Image.open(album / "2024" / "a.png").save(album / "2024" / "plain.png", pnginfo=PngImagePlugin.PngInfo())
    command = ["convert", album / "2024", "--out-dir", tmp_path / "out", "--to", "qoi", "--json"]
    first = isoform(*command).expect(3).json()
    assert (first["converted"], first["failed"]) == (1, 1)
    again = isoform(*command, *DROP).expect(0).json()
    assert (again["converted"], again["skipped"]) == (1, 1)
    # What was dropped may not be dropped any more.
    assert isoform(*command).expect(3).json()["skipped"] == 1


def test_leave_that_was_not_needed_is_no_other_option(isoform, album, tmp_path):
    """Whatever the verdict; and as little where it was given first."""
    Image.open(album / "2024" / "a.png").save(album / "2024" / "plain.png", pnginfo=PngImagePlugin.PngInfo())
    command = ["convert", album / "2024", "--out-dir", tmp_path / "out", "--to", "webp", "--within", "psnr=35", "--json"]
    first = isoform(*command).expect(3).json()
    assert [source["verdict"] for source in first["sources"]] == [None, "BOUNDED"]
    again = isoform(*command, *DROP).expect(0).json()
    assert [source["outcome"] for source in again["sources"]] == ["converted", "skipped"]
    assert isoform(*command, *DROP).expect(0).json()["skipped"] == 2
    (album / "2024" / "a.png").unlink()
    (tmp_path / "out" / "plain.webp").unlink()
    assert isoform(*command, *DROP).expect(0).json()["converted"] == 1
    assert isoform(*command).expect(0).json()["skipped"] == 1


@pytest.mark.parametrize("bad, options", [
    (b"a,b\n1,2\n3\n", ["--ragged"]), ("a,b\n1,é\n".encode("latin-1"), ["--encoding", "guess"]),
])
def test_tables_that_came_through_are_done_where_more_is_let_through(isoform, tmp_path, bad, options):
    (tmp_path / "good.csv").write_text("a,b\n1,é\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_bytes(bad)
    command = ["convert", tmp_path / "bad.csv", tmp_path / "good.csv", "--out-dir", tmp_path / "out", "--to", "parquet", "--json"]
    assert isoform(*command).expect(3).json()["converted"] == 1
    again = isoform(*command, *options).expect(0).json()
    assert [source["outcome"] for source in again["sources"]] == ["converted", "skipped"]
    # What was needed may not be left away.
    assert isoform(*command).expect(3).json()["skipped"] == 1
    # Another encoding is another option, though the text may be the same in both.
    assert isoform(*command, "--encoding", "windows-1252").expect(3).json()["failed"] == 2


def test_files_of_another_kind_are_named(isoform, album, tmp_path):
    command = ["convert", album, "--out-dir", tmp_path / "out", "--to", "qoi", *DROP]
    others = [str(album / "2024" / "list.csv"), str(album / "notes.txt")]
    for words in (["plan", *command[1:]], command):
        assert isoform(*words, "--json").expect(0).json()["leftOut"] == others
        told = isoform(*words).expect(0).out
        assert "2 files are of another kind than the sources, and left out" in told
        assert all(other in told for other in others)


def test_a_directory_of_images_or_sounds_is_told_how_it_is_converted(isoform, album, tmp_path):
    (album / "2024" / "list.csv").unlink()
    (album / "notes.txt").unlink()
    takes = tmp_path / "takes"
    takes.mkdir()
    (takes / "a.wav").write_bytes(b"RIFF")
    out = ["--out-dir", tmp_path / "out"]
    for kind, to, commands in [
        ("images", "webp", [[album, "x.webp"], [album, "x.parquet"], [album, *out], [album, *out, "--to", "csv"]]),
        ("sounds", "flac", [[takes, "x.flac"], [takes, *out], [takes, *out, "--to", "webp"]]),
    ]:
        for words in commands:
            for command in ("convert", "plan"):
                told = isoform(command, *words).expect(2).err
                assert f"{words[0]}: holds {kind}, which are converted each by itself" in told, told
                assert f"--out-dir DIR --to FORMAT, such as {to}" in told, told
    told = isoform("compare", album, takes).expect(2).err
    assert f"{album}: holds no tables but images; name one of them" in told
    (album / "2025" / "spring" / "a.png").rename(album / "2025" / "spring" / "a")
    assert "no file in it has the ending of a format" in isoform("convert", album / "2025", "x.csv").expect(2).err


@pytest.mark.parametrize("together", [(), ("--part-floor", "psnr=30")])
def test_folders_stay(isoform, album, tmp_path, together):
    out = tmp_path / "out"
    command = ["convert", album, "--out-dir", out, "--to", "jpeg", "--within", "psnr=35", *together, *DROP, "--json"]
    assert isoform(*command).expect(0).json()["converted"] == 2
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*.jpg"))
    assert made == ["2024/a.jpg", "2025/spring/a.jpg"]
    for name in made:
        assert (out / f"{name}.isoform.sigstore.json").is_file()
    assert isoform(*command).expect(0).json()["skipped"] == 2
    told = isoform("verify", out, "--json").expect(0).json()
    if together:
        found = np.asarray(Image.open(out / made[0]))
        Image.fromarray(found).save(out / "2025" / "b.jpg")
        assert "2025/b.jpg, which the certificate does not list" in isoform("verify", out).expect(4).err
    else:
        assert [target["target"] for target in told["targets"]] == [str(out / name) for name in made]


def test_folders_stay_where_source_and_target_are_one(isoform, album):
    command = ["convert", album, "--out-dir", album, "--to", "qoi", *DROP, "--json"]
    assert isoform(*command).expect(0).json()["converted"] == 2
    again = isoform(*command).expect(0).json()
    assert (again["converted"], again["skipped"]) == (0, 2)
    assert (album / "2025" / "spring" / "a.qoi").is_file()


@pytest.mark.parametrize("ending", ["csv.gz", "csv.xz", "jsonl.zst", "tsv.bz2", "csv.lz4", "csv.br", "csv.bgz"])
def test_wrapped_tables_are_targets_of_a_batch(isoform, tmp_path, ending):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"in/{name}.csv").write_text(f"k,v\n1,{name}\n")
    told = lambda *more: isoform("convert", tmp_path / "in", "--out-dir", tmp_path / "o", "--to", ending, "--json", *more)
    assert told().expect(0).json()["converted"] == 2
    made = tmp_path / f"o/a.{ending}"
    assert made.exists() and told().expect(0).json()["skipped"] == 2
    isoform("convert", made, tmp_path / "back.csv").expect(0)
    assert (tmp_path / "back.csv").read_text() == "k,v\n1,a\n"
    assert isoform("inspect", made, "--json").expect(0).json()
    # The level is that of the same wrapping; another one is refused.
    refused = isoform("convert", tmp_path / "in/a.csv", tmp_path / "x", "--to", ending, "--compression", "none").expect(2)
    assert "or --to, says another compression" in refused.err


@pytest.mark.parametrize("to, other, own", [
    ("csv.xz", "gzip:6", "xz:2"), ("csv.bgz", "xz", "gzip:2"), ("jsonl", "snappy", "zstd:2"), ("xz", "gzip:6", "xz:2"),
    ("raw", "gzip", "none"), ("avro", "brotli", "deflate:2"), ("arrow", "zstd:3", "zstd"), ("parquet", "bzip2", "brotli:2")])
def test_a_compression_that_no_target_of_a_batch_has_is_refused(isoform, tmp_path, to, other, own):
    """As that of one target is: whoever types an option and gets a result believes that it was followed."""
    (tmp_path / "a.csv").write_text("k,v\n1,a\n")
    command = (tmp_path / "a.csv", "--out-dir", tmp_path / "o", "--to", to, "--compression")
    for word in ("convert", "plan"):
        assert "--compression" in isoform(word, *command, other).expect(2).err
    assert not (tmp_path / "o").exists()
    # One that was not typed waits for the targets that it is about.
    isoform("convert", *command[:-1], env={"ISOFORM_COMPRESSION": other}).expect(0)
    isoform("convert", *command, own, "--force").expect(0)


@pytest.fixture
def kinds(tmp_path):
    """A folder of each kind of source."""
    for name in ("images", "arrays", "sounds", "tables"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(tmp_path / f"images/{name}.png")
        np.save(tmp_path / f"arrays/{name}.npy", np.arange(6.0).reshape(3, 2))
        soundfile.write(tmp_path / f"sounds/{name}.wav", np.linspace(-0.9, 0.9, 16000), 8000, subtype="FLOAT")
        (tmp_path / f"tables/{name}.csv").write_text("k,v\n1,2\n")
    return tmp_path


@pytest.mark.parametrize("sources, to, options, told", [
    ("images", "npy", ["--effort", "3"], "--effort is about images, and the target is npy"),
    ("images", "png", ["--effort", "99"], "--effort 99: that of png lies between"),
    ("images", "png", ["--quality", "80"], "--quality 80: png has none"),
    ("images", "png", ["--sample-type", "f32"], "--sample-type: means nothing for images"),
    ("images", "qoi", ["--minimise", "time"], "--minimise time: qoi has no effort"),
    ("arrays", "csv", ["--quality", "3"], "--quality: is for what becomes arrays"),
    ("arrays", "csv", ["--delimiter", ";"], "--delimiter is about the reading of tables"),
    ("arrays", "npz", ["--bits", "3"], "--bits 3: is about arrays that become sounds"),
    ("arrays", "npz", ["--nulls", "nan"], "--nulls: is about columns of tables"),
    ("arrays", "npz", ["--quality", "3"], "--quality is about images, and the target is npz"),
    ("sounds", "flac", ["--quality", "7"], "--quality is about images, and the target is flac"),
    ("tables", "parquet", ["--within", "psnr=30"], "--within psnr=30: tables are converted exactly"),
    ("tables", "parquet", ["--rate", "8000"], "--rate: is for what becomes arrays"),
    ("tables", "xz", ["--within", "psnr=30"], "--within psnr=30: bytes are converted exactly"),
    ("tables", "xz", ["--drop", "metadata"], "--drop: is for what becomes arrays"),
])
def test_an_option_that_means_nothing_for_a_batch_is_refused_once(isoform, kinds, sources, to, options, told):
    """As for one target: whoever types an option and gets a result believes that it was followed."""
    for word in ("convert", "plan"):
        refused = isoform(word, kinds / sources, "--out-dir", kinds / "out", "--to", to, *options).expect(2)
        assert refused.err.count(told) == 1 and refused.err.count("isoform: ") == 1, refused.err
    assert not (kinds / "out").exists()


@pytest.mark.parametrize("sources, to", [("arrays", "csv"), ("arrays", "npz"), ("tables", "npy"), ("tables", "xz"), ("images", "bmp")])
def test_defaults_wait_for_the_batches_that_they_are_about(isoform, kinds, sources, to):
    (kinds / "isoform.toml").write_text('[convert]\nquality = 80\neffort = 1\nrate = 8000\nbits = 24\nnulls = "nan"\ndrop = ["metadata"]\n')
    isoform("convert", sources, "--out-dir", "out", "--to", to, cwd=kinds).expect(0)


def test_a_type_of_samples_that_is_typed_counts_for_each_sound_of_a_batch(isoform, kinds):
    options = ["--to", "flac", "--within", "snr=20"]
    for out, more, subtype in [("few", [], "PCM_S8"), ("typed", ["--sample-type", "i16"], "PCM_16")]:
        isoform("convert", kinds / "sounds", "--out-dir", kinds / out, *options, *more).expect(0)
        assert soundfile.info(kinds / out / "a.flac").subtype == subtype


def test_options_about_tables_count_where_a_batch_has_one(isoform, kinds):
    (kinds / "arrays" / "c.csv").write_text("k,v\n1.5,2\n,3\n")
    isoform("convert", kinds / "arrays" / "c.csv", kinds / "arrays" / "a.npy", "--out-dir", kinds / "out", "--to", "npz",
            "--nulls", "nan", *DROP).expect(0)
