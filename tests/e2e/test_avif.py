"""AVIF and JPEG XL: what libavif, libjxl and Pillow make and find, against what the program reads and writes."""

import re

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from test_images import photograph, psnr, samples

FORMATS = imagecodecs.AVIF.PIXEL_FORMAT
MATRICES = imagecodecs.AVIF.MATRIX_COEFFICIENTS
CORNER = (100, 50, 197, 125)


@pytest.fixture
def corner(tmp_path):
    """A part of a photograph whose sides are odd, so that colours at half resolution end in half a pixel."""
    with Image.open(photograph("chelsea.png")) as image:
        image.convert("RGB").crop(CORNER).save(tmp_path / "x.png")
    return tmp_path / "x.png"


def read_by_us(isoform, source, into):
    """The samples that the program finds, through a PNG of its own."""
    run = isoform("--json", "convert", source, into, "--force").expect(0).json()
    assert run["verdict"] == "EXACT"
    isoform("verify", into, "--source", source).expect(0)
    if into.suffix == ".npy":
        return np.load(into)
    with Image.open(into) as image:
        return np.asarray(image)


def close_in_integers(off):
    """libyuv, by which libavif decodes 8 bits, rounds twice, and does not interpolate the last of an odd number of columns."""
    return off[:, :-1].max() <= 2 and off.max() <= 8


@pytest.mark.parametrize("subsampling", ["4:0:0", "4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("span", ["full", "limited"])
def test_photographs_of_others_are_read_as_pillow_reads_them(isoform, tmp_path, corner, subsampling, span):
    source = tmp_path / "y.avif"
    with Image.open(corner) as image:
        if subsampling == "4:0:0":
            image = image.convert("L")
        image.save(source, quality=70, subsampling=subsampling, range=span)
    found = read_by_us(isoform, source, tmp_path / "y.png").astype(int)
    expected = samples(source)
    assert found.shape == expected.shape
    off = np.abs(found - expected)
    assert close_in_integers(off) and off.mean() < 0.5


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("matrix", ["BT601", "BT709", "BT2020_NCL", "SMPTE240", "FCC", "UNSPECIFIED"])
@pytest.mark.parametrize("layout", ["YUV420", "YUV422", "YUV444"])
def test_every_depth_and_matrix_is_read_as_libavif_reads_it(isoform, tmp_path, corner, bits, matrix, layout):
    pixels = samples(corner).astype(np.uint16) * (2**bits - 1) // 255
    pixels = pixels.astype(np.uint8) if bits == 8 else pixels
    made = imagecodecs.avif_encode(
        pixels, level=80, speed=10, bitspersample=bits,
        pixelformat=getattr(FORMATS, layout), matrix=getattr(MATRICES, matrix),
    )
    (tmp_path / "y.avif").write_bytes(made)
    found = read_by_us(isoform, tmp_path / "y.avif", tmp_path / "y.npy")
    expected = imagecodecs.avif_decode(made).astype(float) / (2**bits - 1)
    assert found.dtype == (np.uint8 if bits == 8 else np.uint16)
    off = np.abs(found / np.iinfo(found.dtype).max - expected) * (2**bits - 1)
    # Where libavif does not compute in integers, it rounds the same numbers.
    assert close_in_integers(off.round(3)) if bits == 8 else off.max() < 0.54


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_avif_without_loss_by_others_is_exact(isoform, tmp_path, channels):
    pixels = np.random.default_rng(channels).integers(0, 256, (33, 45, channels), dtype=np.uint8).squeeze()
    (tmp_path / "x.avif").write_bytes(imagecodecs.avif_encode(pixels, level=100))
    found = read_by_us(isoform, tmp_path / "x.avif", tmp_path / "x.png")
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("within", ["psnr=36", "psnr=44", "ssimulacra2=70"])
def test_a_budget_is_kept_as_pillow_measures_it(isoform, tmp_path, corner, within):
    made = tmp_path / "x.avif"
    run = isoform("--json", "convert", corner, made, "--within", within, "--effort", "2").expect(0).json()
    assert run["verdict"] == "BOUNDED" and not run["settings"]["subsampled"] and run["encodes"] <= 7
    assert made.stat().st_size < corner.stat().st_size
    assert psnr(samples(corner), samples(made)) == pytest.approx(run["distortion"]["psnrDb"], abs=0.25)
    isoform("verify", made, "--source", corner).expect(0)
    # The same bytes again, and with another number of threads.
    again = tmp_path / "again.avif"
    isoform("convert", corner, again, "--within", within, "--effort", "2", "--threads", "1").expect(0)
    assert again.read_bytes() == made.read_bytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_every_layout_is_written_as_others_read_it(isoform, tmp_path, corner, mode):
    with Image.open(corner) as image:
        grey = image.convert("L")
        if mode == "I;16":
            Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(tmp_path / "y.png")
        else:
            image = image.convert(mode.removesuffix("A"))
            if mode.endswith("A"):
                image.putalpha(grey)
            image.save(tmp_path / "y.png")
    made = tmp_path / "y.avif"
    run = isoform("--json", "convert", tmp_path / "y.png", made, "--within", "psnr=36", "--effort", "1").expect(0).json()
    found = imagecodecs.avif_decode(made.read_bytes()).astype(float)
    expected = samples(tmp_path / "y.png")
    if mode == "I;16":
        found, expected = found / 1023 * 255, expected / 257
    if mode == "LA":
        # libavif gives grey with opacity as colours.
        found = found[..., [0, 3]] if found.shape[-1] == 4 else found
    assert found.shape == expected.shape
    assert psnr(expected, found) == pytest.approx(run["distortion"]["psnrDb"], abs=0.25)


def test_metadata_and_turns_are_those_that_pillow_finds(isoform, tmp_path, corner):
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "a cat", 6
    with Image.open(corner) as image:
        image.save(tmp_path / "y.jpg", exif=exif, icc_profile=b"profile" * 20, xmp=b"<x:xmpmeta/>")
    isoform("convert", tmp_path / "y.jpg", tmp_path / "y.avif", "--within", "psnr=34", "--drop", "metadata", "--effort", "1").expect(0)
    with Image.open(tmp_path / "y.avif") as found:
        assert found.info["icc_profile"] == b"profile" * 20 and found.info["xmp"] == b"<x:xmpmeta/>"
        assert found.getexif()[0x0112] == 6 and found.getexif()[0x010E] == "a cat"
    # Pillow takes the turn from the container, where others have it too.
    assert b"irot" in (tmp_path / "y.avif").read_bytes()
    for mirrored in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = mirrored
        with Image.open(corner) as image:
            image.save(tmp_path / "z.avif", exif=exif, quality=50)
        isoform("convert", tmp_path / "z.avif", tmp_path / "z.png", "--force").expect(0)
        with Image.open(tmp_path / "z.png") as found:
            assert found.getexif().get(0x0112, 1) == mirrored


def test_an_album_becomes_avif_within_one_bound(isoform, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("coffee.png", "chelsea.png"):
        with Image.open(photograph(name)) as image:
            image.convert("RGB").resize((90, 60)).save(album / name)
    bounds = ["--within", "psnr=36", "--part-floor", "psnr=32", "--effort", "0"]
    run = isoform("--json", "convert", album, "--out-dir", tmp_path / "out", "--to", "avif", *bounds).expect(0).json()
    assert run["album"]["distortion"]["psnrDb"] >= 36
    for path in album.iterdir():
        assert psnr(samples(path), samples(tmp_path / "out" / f"{path.stem}.avif")) >= 31.8
    isoform("verify", tmp_path / "out").expect(0)
    # What no quality reaches is kept without loss, where there is such an encoding.
    bounds[1], bounds[3] = "psnr=90", "psnr=80"
    run = isoform("--json", "convert", album, "--out-dir", tmp_path / "exact", "--to", "avif", *bounds).expect(0).json()
    assert all(photo["settings"]["lossless"] for photo in run["sources"])
    for path in album.iterdir():
        wide_grey(path, path)
    isoform("convert", album, "--out-dir", tmp_path / "other", "--to", "avif", *bounds).expect(4)


def wide_grey(corner, path):
    """A copy in 16 bits, of which AVIF holds 10."""
    with Image.open(corner) as image:
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path)
    return path


def test_what_avif_and_jpeg_xl_cannot_be_is_refused(isoform, tmp_path, corner):
    wide = wide_grey(corner, tmp_path / "wide.png")
    run = isoform("convert", wide, tmp_path / "x.avif").expect(2)
    assert "loses something of samples of type u16" in run.err and "--within psnr=40" in run.err
    run = isoform("convert", wide, tmp_path / "x.avif", "--within", "psnr=90", "--effort", "1").expect(4)
    assert "quality 100" in run.err and "nothing was written" in run.err
    run = isoform("convert", corner, tmp_path / "x.jxl").expect(2)
    assert "is read here, and not written" in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wide.png", "x.png"]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_avif_without_loss_is_what_others_read(isoform, tmp_path, corner, mode):
    with Image.open(corner) as image:
        colours = image.convert(mode.removesuffix("A"))
        if mode.endswith("A"):
            colours.putalpha(image.convert("L"))
        colours.save(tmp_path / "y.png")
    made = tmp_path / "y.avif"
    run = isoform("--json", "convert", tmp_path / "y.png", made).expect(0).json()
    assert run["verdict"] == "EXACT" and run["settings"]["lossless"]
    expected = np.asarray(Image.open(tmp_path / "y.png").convert("RGBA"))
    assert np.array_equal(np.asarray(Image.open(made).convert("RGBA")), expected)
    isoform("verify", made).expect(0)
    # A budget that no quality keeps is kept without loss.
    within = ["--within", "psnr=90", "--effort", "0"]
    run = isoform("--json", "convert", tmp_path / "y.png", tmp_path / "z.avif", *within).expect(0).json()
    assert run["settings"]["lossless"] and run["distortion"]["d"] == 0


@pytest.mark.parametrize("container", [False, True], ids=["bare", "in a container"])
@pytest.mark.parametrize("kind", ["u8", "u16", "f32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_xl_without_loss_is_exact(isoform, tmp_path, container, kind, channels):
    random = np.random.default_rng(channels)
    shape = (33, 45, channels) if channels > 1 else (33, 45)
    if kind == "f32":
        pixels = random.random(shape, dtype=np.float32)
    else:
        dtype = np.dtype(kind.replace("u", "uint"))
        pixels = random.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    made = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=container)
    (tmp_path / "x.jxl").write_bytes(made)
    run = isoform("--json", "convert", tmp_path / "x.jxl", tmp_path / "x.npy", "--drop", "metadata").expect(0).json()
    assert run["verdict"] == "EXACT"
    assert np.array_equal(np.load(tmp_path / "x.npy").squeeze(), pixels)


def test_damage_in_a_jpeg_xl_has_a_place(isoform, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for container in (False, True):
        made = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=container)
        middle = len(made) // 2
        for bad in (made[:middle] + b"\xff" * 64 + made[middle + 64:], made[:middle]):
            (tmp_path / "x.jxl").write_bytes(bad)
            told = isoform("convert", tmp_path / "x.jxl", tmp_path / "x.png").expect(9).err
            assert 0 < int(re.search(r"x\.jxl, byte (\d+): malformed jxl", told)[1]) <= len(bad), told


@pytest.mark.parametrize("container", [False, True], ids=["bare", "in a container"])
def test_damage_in_a_jpeg_xl_is_told_by_the_section_that_it_is_in(isoform, tmp_path, container):
    """Of an image of nine squares of pixels, each of which is a section."""
    pixels = np.random.default_rng(2).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    made = imagecodecs.jpegxl_encode(pixels, lossless=True, usecontainer=container)
    places = []
    for tenth in (3, 5, 8):
        at = len(made) * tenth // 10
        (tmp_path / "x.jxl").write_bytes(made[:at] + bytes(byte ^ 0x5a for byte in made[at:at + 8]) + made[at + 8:])
        told = isoform("convert", tmp_path / "x.jxl", tmp_path / "x.png").expect(9).err
        begin, end = map(int, re.search(r"x\.jxl, byte (\d+): malformed jxl: from here to byte (\d+), it cannot", told).groups())
        assert begin <= at < end <= len(made) and end - begin < len(made) // 3, (told, at, len(made))
        places.append(begin)
    assert places == sorted(set(places))


def test_a_photograph_in_jpeg_xl_is_read_as_libjxl_reads_it(isoform, tmp_path, corner):
    made = imagecodecs.jpegxl_encode(samples(corner).astype(np.uint8), distance=1.0)
    (tmp_path / "y.jxl").write_bytes(made)
    found = read_by_us(isoform, tmp_path / "y.jxl", tmp_path / "y.png").astype(int)
    assert np.abs(found - imagecodecs.jpegxl_decode(made).astype(int)).max() <= 1
    # It becomes an AVIF within a budget, as anything else does.
    run = isoform("--json", "convert", tmp_path / "y.jxl", tmp_path / "y.avif", "--within", "psnr=34", "--effort", "1")
    assert run.expect(0).json()["distortion"]["psnrDb"] >= 34


def test_an_exact_archive_of_photographs_from_jpeg_xl(isoform, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    for name in ("coffee.png", "chelsea.png"):
        with Image.open(photograph(name)) as image:
            pixels = np.asarray(image.convert("RGB").resize((60, 40)))
        (album / f"{name[:-4]}.jxl").write_bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
    run = isoform("--json", "convert", album, "--out-dir", tmp_path / "out", "--to", "webp").expect(0).json()
    assert [item["verdict"] for item in run["sources"]] == ["EXACT"] * 2
    for path in album.iterdir():
        assert np.array_equal(samples(tmp_path / "out" / f"{path.stem}.webp"), imagecodecs.jpegxl_decode(path.read_bytes()))
