"""Images beside plain photographs: Exif data in TIFFs, densities, inks, and files of several images, all made by Pillow."""

import shutil
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

import harness

MAKE, ORIENTATION, SOFTWARE, CHANGED = 271, 274, 305, 306
EXPOSURE, TAKEN, NOTE = 33434, 36867, 37500


def pixels(channels, seed=1):
    shape = (24, 31, channels) if channels > 1 else (24, 31)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def exif_data():
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION], exif[CHANGED] = "Leica", 6, "2025:01:02 03:04:05"
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    camera[EXPOSURE], camera[TAKEN], camera[NOTE] = IFDRational(1, 250), "2025:01:02 03:04:05", b"note"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[1], place[2] = "N", (52.0, 31.0, 12.0)
    return exif


def told(path):
    """What Pillow finds in the directories of an image: of the image, of the camera, of the place."""
    with Image.open(path) as image:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(ExifTags.IFD.Exif)), dict(exif.get_ifd(ExifTags.IFD.GPSInfo))


def check_told(path):
    image, camera, place = told(path)
    assert (image[MAKE], image[ORIENTATION], image[CHANGED]) == ("Leica", 6, "2025:01:02 03:04:05")
    assert (float(camera[EXPOSURE]), camera[TAKEN], bytes(camera[NOTE])) == (0.004, "2025:01:02 03:04:05", b"note")
    assert (place[1], tuple(map(float, place[2]))) == ("N", (52.0, 31.0, 12.0))


@pytest.mark.parametrize("source", ["jpg", "png", "webp"])
def test_exif_data_goes_into_a_tiff_and_comes_back(isoform, tmp_path, source):
    first = tmp_path / f"a.{source}"
    options = {"lossless": True} if source == "webp" else {}
    Image.fromarray(pixels(3)).save(first, exif=exif_data().tobytes(), **options)
    isoform("convert", first, tmp_path / "b.tif").expect(0)
    check_told(tmp_path / "b.tif")
    isoform("verify", tmp_path / "b.tif", "--source", first).expect(0)
    isoform("compare", first, tmp_path / "b.tif").expect(0)
    again = isoform("--json", "convert", tmp_path / "b.tif", tmp_path / "c.tif").expect(0).json()
    assert again["verdict"] == "EXACT"
    check_told(tmp_path / "c.tif")
    # Nothing has to be dropped on the way back, whoever wrote the TIFF.
    for target in ("png", "webp"):
        isoform("convert", tmp_path / "b.tif", tmp_path / f"d.{target}").expect(0)
        check_told(tmp_path / f"d.{target}")


def block(*entries):
    """An Exif block of one directory, of entries as (tag, type, count, bytes)."""
    directory, values, behind = b"", b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, data in entries:
        if len(data) > 4:
            place, values = struct.pack(">I", behind + len(values)), values + data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack(">HHI", tag, kind, count) + place
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + directory + b"\0" * 4 + values


def of_density(above, below, unit):
    return [(tag, 5, 1, struct.pack(">II", above, below)) for tag in (282, 283)] + [(296, 3, 1, struct.pack(">H", unit))]


def chunks(path, *more):
    """A PNG with these chunks behind its header, as they are."""
    Image.fromarray(pixels(3)).save(path)
    whole = path.read_bytes()
    laid = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in more]
    path.write_bytes(whole[:33] + b"".join(laid) + whole[33:])
    return path


def metres(x, y):
    return b"pHYs", struct.pack(">IIB", x, y, 1)


def dense(path, metre, inch=None):
    """A PNG of so many pixels a metre, with Exif data that tell so many an inch."""
    exif = Image.Exif()
    if inch:
        exif[282], exif[283], exif[296] = IFDRational(inch, 1), IFDRational(inch, 1), 2
    Image.fromarray(pixels(3)).save(path, exif=exif)
    whole, chunk = path.read_bytes(), b"pHYs" + struct.pack(">IIB", metre, metre, 1)
    chunk = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
    # Behind the header.
    path.write_bytes(whole[:33] + chunk + whole[33:])
    return path


@pytest.mark.parametrize("target", ["jpg", "webp"])
def test_a_density_that_a_format_has_no_place_for_goes_into_exif_data(isoform, tmp_path, target):
    source, made = dense(tmp_path / "x.png", 2834), tmp_path / f"x.{target}"
    isoform("convert", source, made, "--within", "psnr=20").expect(0)
    exif = told(made)[0]
    assert (float(exif[282]), float(exif[283]), exif[296]) == (28.34, 28.34, 3)
    isoform("verify", made, "--source", source).expect(0)
    isoform("convert", source, tmp_path / "exact.webp").expect(0)
    isoform("compare", source, tmp_path / "exact.webp").expect(0)
    isoform("compare", tmp_path / "exact.webp", source).expect(0)
    # Programs that cut where others round have 2834 pixels a metre for 72 an inch.
    source = dense(tmp_path / "cut.png", 2834, inch=72)
    run = isoform("--json", "convert", source, made, "--within", "psnr=20", "--force").expect(0).json()
    assert any("2834x2834/m" in note and "2835x2835/m" in note for note in run["notes"]), run["notes"]
    assert float(told(made)[0][282]) == 72
    isoform("verify", made, "--source", source).expect(0)
    isoform("convert", source, tmp_path / "cut.webp").expect(0)
    isoform("compare", source, tmp_path / "cut.webp").expect(0)
    isoform("compare", tmp_path / "cut.webp", source).expect(0)
    # Two densities are a matter of a person.
    source = dense(tmp_path / "two.png", 2834, inch=300)
    refused = isoform("convert", source, made, "--within", "psnr=20", "--force").expect(9)
    assert "the pixel density 2834x2834/m (its Exif data tell 11811x11811/m)" in refused.err
    assert "--drop metadata" in refused.err
    isoform("convert", source, made, "--within", "psnr=20", "--force", "--drop", "metadata").expect(0)
    assert float(told(made)[0][282]) == 300


def test_a_density_comes_back_out_of_exif_data(isoform, tmp_path):
    source, webp = dense(tmp_path / "x.png", 2834), tmp_path / "x.webp"
    isoform("convert", source, webp).expect(0)
    for target in ("back.png", "back.bmp", "back.tiff"):
        run = isoform("--json", "convert", webp, tmp_path / target).expect(0).json()
        assert run["verdict"] == "EXACT" and not run["notes"]
        isoform("verify", tmp_path / target, "--source", webp).expect(0)
        isoform("compare", source, tmp_path / target).expect(0)
        with Image.open(tmp_path / target) as image:
            assert float(image.info["dpi"][0]) == pytest.approx(28.34 * 2.54, rel=1e-4)
            assert target != "back.png" or "exif" not in image.info
    # What else Exif data tell has no place in a BMP, and their density has.
    source = chunks(tmp_path / "make.png", (b"eXIf", block((271, 2, 5, b"Make\0"), *of_density(72, 1, 2))))
    isoform("convert", source, tmp_path / "make.bmp", "--drop", "metadata").expect(0)
    with Image.open(tmp_path / "make.bmp") as image:
        assert round(float(image.info["dpi"][0])) == 72


def test_a_density_goes_into_no_exif_data_that_cannot_be_read(isoform, tmp_path):
    make = (271, 2, 5, b"Make\0")
    beyond = block((271, 2, 500, b"Make\0"))
    source = chunks(tmp_path / "beyond.png", metres(2834, 2834), (b"eXIf", beyond))
    assert "the pixel density" in isoform("convert", source, tmp_path / "a.webp").expect(9).err
    # Beside so much of Exif data there is no room for a density.
    long = block(make).ljust((16 << 20) - 36, b"\0")
    source = chunks(tmp_path / "long.png", metres(2834, 2834), (b"eXIf", long))
    assert "the pixel density" in isoform("convert", source, tmp_path / "a.webp").expect(9).err
    run = isoform("--json", "convert", source, tmp_path / "a.webp", "--drop", "metadata").expect(0).json()
    assert "dropped: density" in run["notes"]


def test_exif_data_with_the_mark_of_a_jpeg_are_refused_by_a_webp(isoform, tmp_path):
    source = chunks(tmp_path / "mark.png", (b"eXIf", b"Exif\0\0" + block((271, 2, 5, b"Make\0"))))
    assert "the Exif data" in isoform("convert", source, tmp_path / "a.webp").expect(9).err
    isoform("convert", source, tmp_path / "a.webp", "--drop", "metadata").expect(0)
    isoform("convert", source, tmp_path / "b.png").expect(0)


@pytest.mark.parametrize("metre, told", [((1, 1), (2, 100, 3)), ((0, 0), (1, 100, 3))])
def test_few_pixels_a_metre_are_not_nearly_others(isoform, tmp_path, metre, told):
    source = chunks(tmp_path / "a.png", metres(*metre), (b"eXIf", block(*of_density(*told))))
    assert "the pixel density" in isoform("convert", source, tmp_path / "a.webp").expect(9).err


def test_proportions_of_pixels_are_kept_or_refused_with_the_way_on(isoform, tmp_path):
    source = chunks(tmp_path / "a.png", (b"pHYs", struct.pack(">IIB", 4, 3, 0)))
    for ending in ("webp", "qoi", "bmp"):
        made = tmp_path / f"b.{ending}"
        refused = isoform("convert", source, made).expect(9).err
        assert f"{ending} cannot hold the proportions of a pixel 4x3; leave it out with --drop metadata, or choose another" in refused
        assert not made.exists()
        assert "dropped: density" in isoform("--json", "convert", source, made, "--drop", "metadata").expect(0).json()["notes"]
    for ending in ("tiff", "png"):
        isoform("convert", source, tmp_path / f"c.{ending}").expect(0)
        isoform("compare", source, tmp_path / f"c.{ending}").expect(0)


def test_differing_attributes_are_told_alone(isoform, tmp_path):
    title = (b"tEXt", b"Title\0hi")
    differs = lambda a, b: isoform("--json", "compare", tmp_path / a, tmp_path / b).expect(4).json()["attributes"]
    chunks(tmp_path / "q.png", metres(2834, 2834), title)
    isoform("convert", tmp_path / "q.png", tmp_path / "q.webp", "--drop", "metadata").expect(0)
    assert differs("q.png", "q.webp") == differs("q.webp", "q.png") == ["text:Title"]
    chunks(tmp_path / "once.png", title)
    chunks(tmp_path / "twice.png", title, title)
    assert differs("once.png", "twice.png") == differs("twice.png", "once.png") == ["text:Title"]


@pytest.mark.parametrize("target", ["dropped.webp", "kept.png", "halves.png", "tiles.jpg"])
def test_certificates_of_earlier_rules_hold(isoform, tmp_path, target):
    """Of before a density went into Exif data, or out of them, before halves were compared as f64, and before what a
    black tile may be off by was told per sample."""
    shutil.copytree(harness.ROOT / "testdata" / "certificates", tmp_path / "old")
    assert "decoded again" in isoform("verify", tmp_path / "old" / target).expect(0).out


def test_a_density_that_a_jpeg_counts_in_stays_where_it_has_it(isoform, tmp_path):
    source, made = dense(tmp_path / "x.png", 2835), tmp_path / "x.jpg"
    isoform("convert", source, made, "--within", "psnr=20").expect(0)
    with Image.open(made) as image:
        assert tuple(map(float, image.info["dpi"])) == (72, 72) and not image.getexif()


def test_exif_data_of_a_tiff_by_pillow_goes_into_a_png(isoform, tmp_path):
    exif, tags = exif_data(), ImageFileDirectory_v2()
    for tag in (MAKE, ORIENTATION, CHANGED):
        tags[tag] = exif[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        tags[directory] = dict(exif.get_ifd(directory))
    Image.fromarray(pixels(3)).save(tmp_path / "a.tif", tiffinfo=tags)
    check_told(tmp_path / "a.tif")
    isoform("convert", tmp_path / "a.tif", tmp_path / "b.png").expect(0)
    check_told(tmp_path / "b.png")
    isoform("verify", tmp_path / "b.png", "--source", tmp_path / "a.tif").expect(0)


def test_exif_data_are_compared_by_what_they_say(isoform, tmp_path):
    exif = exif_data()
    exif.endian, exif[SOFTWARE] = ">", "camera"
    Image.fromarray(pixels(3)).save(tmp_path / "a.png", exif=exif.tobytes())
    exif.get_ifd(ExifTags.IFD.Exif)[TAKEN] = "2025:01:02 03:04:06"
    Image.fromarray(pixels(3)).save(tmp_path / "later.png", exif=exif.tobytes())
    isoform("convert", tmp_path / "a.png", tmp_path / "b.tif").expect(0)
    isoform("convert", tmp_path / "b.tif", tmp_path / "c.png").expect(0)
    orders = [b"MM\0*" in (tmp_path / name).read_bytes() for name in ("a.png", "c.png")]
    assert orders == [True, False], "the way through a TIFF lays Exif data out anew"
    for name in ("b.tif", "c.png"):
        isoform("compare", tmp_path / "a.png", tmp_path / name).expect(0)
        isoform("compare", tmp_path / name, tmp_path / "a.png").expect(0)
        for pair in [("later.png", name), (name, "later.png")]:
            told = isoform("--json", "compare", *(tmp_path / side for side in pair)).expect(4).json()
            assert told["attributes"] == ["exif"], pair


def test_bytes_that_no_known_tag_points_to_are_no_less_compared(isoform, tmp_path):
    """A thumbnail without a second directory, and what a maker's note finds by its place."""
    for name, loose in (("a", b"AAAAAA"), ("b", b"BBBBBB")):
        tag = struct.pack("<HHII", 513, 4, 1, 26)
        block = b"II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0) + loose
        Image.fromarray(pixels(3)).save(tmp_path / f"{name}.png", exif=block)
        assert loose in (tmp_path / f"{name}.png").read_bytes()
    isoform("compare", tmp_path / "a.png", tmp_path / "a.png").expect(0)
    assert "exif differs" in isoform("compare", tmp_path / "a.png", tmp_path / "b.png").expect(4).out


def test_what_exif_data_says_otherwise_than_the_image_is_named(isoform, tmp_path):
    exif = Image.Exif()
    exif[SOFTWARE], exif[MAKE] = "camera", "Leica"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", "editor")
    Image.fromarray(pixels(3)).save(tmp_path / "a.png", exif=exif.tobytes(), pnginfo=texts)
    run = isoform("convert", tmp_path / "a.png", tmp_path / "b.tif").expect(0)
    assert "Software" in run.err + run.out and "not content in tiff" in run.err + run.out
    assert told(tmp_path / "b.tif")[0][SOFTWARE] == "editor"


def test_what_a_tiff_cannot_take_of_exif_data_is_refused_or_named(isoform, tmp_path):
    make, artist = (271, 2, 5, b"Make\0"), "José\0".encode()
    source, made = chunks(tmp_path / "utf8.png", (b"eXIf", block(make, (315, 129, len(artist), artist)))), tmp_path / "a.tiff"
    assert "the Exif data" in isoform("convert", source, made).expect(9).err
    run = isoform("--json", "convert", source, made, "--drop", "metadata").expect(0).json()
    assert "dropped: exif" in run["notes"]
    assert isoform("--json", "compare", source, made).expect(4).json()["attributes"] == ["exif"]
    size = (256, 4, 1, struct.pack(">I", 4000))
    rest = [(274, 3, 1, b"\0\x09"), (283, 5, 1, struct.pack(">II", 300, 1)), (296, 3, 1, b"\0\2")]
    source = chunks(tmp_path / "rest.png", (b"eXIf", block(size, make, *rest)))
    run = isoform("--json", "convert", source, made, "--force").expect(0).json()
    for tag in (256, 274, 283, 296):
        assert f"not content in tiff: the tag {tag} of its Exif data" in run["notes"], run["notes"]
    assert "exif" in isoform("--json", "compare", source, made).expect(4).json()["attributes"]


def test_inks_are_kept_in_a_tiff_and_never_become_light(isoform, tmp_path):
    inks = pixels(4)
    for name in ("a.tif", "a.jpg"):
        Image.fromarray(inks, "CMYK").save(tmp_path / name, **({"quality": 95} if name == "a.jpg" else {}))
        run = isoform("--json", "convert", tmp_path / name, tmp_path / f"{name}.tiff").expect(0).json()
        assert run["verdict"] == "EXACT"
        with Image.open(tmp_path / f"{name}.tiff") as found, Image.open(tmp_path / name) as expected:
            assert found.mode == "CMYK" and np.array_equal(np.asarray(found), np.asarray(expected))
        isoform("verify", tmp_path / f"{name}.tiff", "--source", tmp_path / name).expect(0)
    for target in ("b.png", "b.webp", "b.jpg", "b.avif", "b.npy"):
        budget = [] if target == "b.npy" else ["--within", "psnr=30"]
        run = isoform("convert", tmp_path / "a.tif", tmp_path / target, *budget).expect(9)
        assert "four inks (CMYK)" in run.err and "RGB" in run.err and "TIFF" in run.err
        assert not (tmp_path / target).exists()


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_several_images_in_a_file_are_counted_and_refused(isoform, tmp_path, name):
    frames = [Image.fromarray(pixels(1, seed) // 64 * 64) for seed in range(7)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    for command in (["convert", tmp_path / name, tmp_path / "b.qoi"], ["inspect", tmp_path / name]):
        run = isoform(*command).expect(9)
        assert "of 7 pages" in run.err if name == "a.tif" else "of 7 frames" in run.err
        assert "apart first, as" in run.err
    assert not (tmp_path / "b.qoi").exists()


def floats(isoform, folder, values):
    """A TIFF of floating point."""
    np.save(folder / "f.npy", values)
    isoform("convert", folder / "f.npy", folder / "f.tiff", "--force").expect(0)
    return folder / "f.tiff"


def waves():
    y, x, c = np.meshgrid(np.arange(40), np.arange(60), np.arange(3), indexing="ij")
    return (0.5 + 0.25 * np.sin(x / 9 + c) + 0.25 * np.cos(y / 7 - c)).astype(np.float32)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floating_point_becomes_whole_samples_within_a_budget(isoform, tmp_path, kind):
    values, compared_as = waves().astype(kind), np.float64 if kind == np.float16 else kind
    source, png, jpg = floats(isoform, tmp_path, values), tmp_path / "x.png", tmp_path / "x.jpg"
    for target in (png, jpg):
        refused = isoform("convert", source, target).expect(2).err
        assert "has no samples of type f" in refused and "--within" in refused and "tiff" in refused
    run = isoform("--json", "convert", source, png, "--within", "max-error=0.001").expect(0).json()
    found = imagecodecs.png_decode(png.read_bytes())
    assert found.dtype == np.uint16
    assert np.array_equal(found, np.rint(values.astype(np.float64) * 65535))
    error = (found / 65535).astype(compared_as).astype(np.float64) - values.astype(np.float64)
    assert run["distortion"]["d"] == pytest.approx(np.sqrt(np.sum(error**2)), rel=1e-9, abs=1e-12)
    assert run["distortion"]["maxAbs"] == np.abs(error).max()
    # A fraction is rounded to the type in which it is compared, by 2^-25 at most.
    assert abs(run["distortion"]["maxAbs"] - np.abs(found / 65535 - values).max()) <= 2**-25
    told = isoform("convert", source, png, "--within", "max-error=0.001", "--force").expect(0).out
    told_rmse = float(told.split("root mean square error ")[1].split(",")[0])
    assert told_rmse == pytest.approx(run["distortion"]["rmse"], rel=1e-3) and told_rmse < 1e-5
    run = isoform("--json", "convert", source, jpg, "--within", "psnr=36").expect(0).json()
    error = (np.asarray(Image.open(jpg)) / 255).astype(compared_as).astype(np.float64) - values.astype(np.float64)
    assert run["verdict"] == "BOUNDED"
    assert run["distortion"]["psnrDb"] == pytest.approx(-10 * np.log10(np.mean(error**2)), rel=1e-9)
    for target in (png, jpg):
        isoform("verify", target, "--source", source).expect(0)
    compared = isoform("--json", "compare", source, jpg).expect(4).json()
    assert compared["psnrDb"] == pytest.approx(run["distortion"]["psnrDb"], rel=1e-12)
    gated = isoform("--json", "convert", source, tmp_path / "x.webp", "--within", "ssimulacra2=70").expect(0).json()
    assert gated["distortion"]["gates"][0]["found"] >= 70


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_an_array_and_its_image_are_as_far_apart_as_convert_says(isoform, tmp_path, kind):
    values, source = waves().astype(kind), tmp_path / "f.npy"
    np.save(source, values)
    np.savez(tmp_path / "f.npz", image=values)
    for target in (tmp_path / "x.png", tmp_path / "x.jpg"):
        made = isoform("--json", "convert", source, target, "--within", "psnr=30").expect(0).json()["distortion"]
        for array in (source, tmp_path / "f.npz"):
            for left, right in ((array, target), (target, array)):
                found = isoform("--json", "compare", left, right).expect(4).json()
                assert found["d"] == pytest.approx(made["d"], rel=1e-12)
                assert found["arrays"][0]["maxAbs"] == made["maxAbs"]
        assert isoform("--json", "compare", source, target).expect(4).json()["coherence"] == pytest.approx(made["coherence"])


def test_whole_samples_in_floating_point_are_told_of_where_they_are_compared_with_an_image(isoform, tmp_path):
    whole = np.round(waves() * 255)
    Image.fromarray(whole.astype(np.uint8)).save(tmp_path / "x.png")
    np.save(tmp_path / "whole.npy", whole.astype(np.float32))
    np.save(tmp_path / "fractions.npy", (whole / 256).astype(np.float32))
    for left, right in (("x.png", "whole.npy"), ("whole.npy", "x.png")):
        left, right = tmp_path / left, tmp_path / right
        [note] = isoform("--json", "compare", left, right).expect(4).json()["notes"]
        first = int(np.flatnonzero(whole > 1)[0])
        assert f"sample {first} of the array is {int(whole.flat[first])}:" in note and "the u8 samples" in note, note
        assert f"note: {note}" in isoform("compare", left, right).expect(4).out
    # The note leads on.
    isoform("convert", tmp_path / "x.png", tmp_path / "x.npy").expect(0)
    assert isoform("--json", "compare", tmp_path / "x.npy", tmp_path / "whole.npy").expect(0).json()["notes"] == []
    assert isoform("--json", "compare", tmp_path / "x.png", tmp_path / "fractions.npy").expect(4).json()["notes"] == []
    # No sample of another shape is compared, on whatever scale.
    np.save(tmp_path / "cut.npy", whole[1:].astype(np.float32))
    for pair in (("x.png", "cut.npy"), ("cut.npy", "x.png")):
        done = isoform("--json", "compare", *(tmp_path / name for name in pair)).expect(4).json()
        assert (done["d"], done["arrays"], done["notes"]) == ("infinity", [], []), done


@pytest.mark.parametrize("bad, shown", [(1.5, "1.5"), (-0.25, "-0.25"), (np.nan, "NaN"), (np.inf, "inf")])
def test_floating_point_beyond_its_range_is_refused_with_its_pixel(isoform, tmp_path, bad, shown):
    values = waves()
    values[3, 7, 1] = bad
    source = floats(isoform, tmp_path, values)
    for target in ("x.png", "x.jpg"):
        refused = isoform("convert", source, tmp_path / target, "--within", "rmse=0.1").expect(9).err
        assert f"row 3, column 7 (from 0) has {shown} in channel 2" in refused and "f.tiff" in refused, refused
        assert not (tmp_path / target).exists()


def test_halves_are_compared_as_what_tells_samples_of_16_bits_apart(isoform, tmp_path):
    values = waves().astype(np.float16)
    source = floats(isoform, tmp_path, values)
    run = isoform("--json", "convert", source, tmp_path / "x.png", "--within", "rmse=0.1").expect(0).json()
    assert "samples of type f16 are compared as f64" in run["notes"]
    assert isoform("--json", "convert", source, tmp_path / "y.tiff").expect(0).json()["verdict"] == "EXACT"
    isoform("compare", source, tmp_path / "y.tiff").expect(0)
    wide = tmp_path / "wide"
    wide.mkdir()
    isoform("compare", source, floats(isoform, wide, values.astype(np.float32))).expect(0)
    values[3, 7, 1] = 1.5
    refused = isoform("convert", floats(isoform, tmp_path, values), tmp_path / "z.png", "--within", "rmse=0.1").expect(9).err
    assert "row 3, column 7 (from 0) has 1.5 in channel 2, and samples of floating point become u16" in refused


def test_a_budget_for_halves_is_kept_by_what_numpy_finds(isoform, tmp_path):
    values = np.array([[0, 1, 65504 / 65536, 65472 / 65536, 65440 / 65536]], np.float16)
    np.save(tmp_path / "f.npy", values)
    error = np.abs(np.rint(values.astype(np.float64) * 65535) / 65535 - values.astype(np.float64)).max()
    assert 0 < error < 2**-25
    convert = ["convert", tmp_path / "f.npy", tmp_path / "x.png", "--within"]
    isoform(*convert, f"max-error={error * 0.999:.20f}").expect(4)
    run = isoform("--json", *convert, f"max-error={error * 1.001:.20f}").expect(0).json()
    assert run["verdict"] == "BOUNDED" and run["distortion"]["maxAbs"] == error
    isoform("verify", tmp_path / "x.png", "--source", tmp_path / "f.npy").expect(0)


def test_what_is_recommended_for_samples_holds_them(isoform, tmp_path):
    np.save(tmp_path / "s.npy", np.arange(-32, 32, dtype="i2").reshape(8, 8))
    for target in ("s.png", "s.webp"):
        refused = isoform("convert", tmp_path / "s.npy", tmp_path / target, "--within", "psnr=30").expect(9).err
        assert "i16" in refused and "such as tiff or npy" in refused, refused
    isoform("convert", tmp_path / "s.npy", tmp_path / "s.tiff").expect(0)
    np.save(tmp_path / "l.npy", np.arange(64, dtype="i8").reshape(8, 8))
    refused = isoform("convert", tmp_path / "l.npy", tmp_path / "l.tiff").expect(9).err
    assert "i64" in refused and "such as safetensors" in refused, refused


def test_a_declared_range_is_not_scaled(isoform, tmp_path):
    for kind, greatest, code in [(12, 1.0, 0), (12, 255.0, 9), (4, 1, 0), (4, 10, 9), (3, 1, 0)]:
        tags = ImageFileDirectory_v2()
        tags.tagtype[341] = kind
        tags[341] = greatest
        Image.fromarray(waves()[:, :, 0]).save(tmp_path / "d.tiff", tiffinfo=tags)
        options = ["--within", "rmse=0.1", "--drop", "metadata", "--force"]
        done = isoform("convert", tmp_path / "d.tiff", tmp_path / "d.png", *options).expect(code)
        assert code == 0 or ("another range than 0 to 1" in done.err and "tags 340 and 341" in done.err)
        # Nor where the tags do not reach the format that has no such samples.
        for name, way in [("e.png", "npy"), ("e.npy", "npz,png"), ("e.tiff", "npz,png"), ("e.png", "npz,tiff")]:
            led = isoform("convert", tmp_path / "d.tiff", tmp_path / name, *options, "--via", way).expect(code)
            assert code == 0 or ("png cannot hold" in led.err and "another range than 0 to 1" in led.err), led.err
            if code == 0:
                isoform("verify", tmp_path / name, "--source", tmp_path / "d.tiff").expect(0)


def test_samples_too_large_to_be_squared_are_compared_as_far_as_that_goes(isoform, tmp_path):
    values = np.full((2, 3), 1e200)
    for name, first in [("a", 1e200), ("b", 1e200), ("c", -1e200)]:
        values[0, 0] = first
        np.save(tmp_path / f"{name}.npy", values)
        isoform("convert", tmp_path / f"{name}.npy", tmp_path / f"{name}.tiff").expect(0)
    same = isoform("compare", tmp_path / "a.tiff", tmp_path / "b.tiff", "--json").expect(0).json()
    assert same["equal"] and same["samples"] == 6 and float(same["d"]) == 0
    other = isoform("compare", tmp_path / "a.tiff", tmp_path / "c.tiff").expect(4).err
    assert "no distance can be told" in other and "npy" in other and "--within" not in other


def test_a_grey_jpeg_is_said_to_have_no_colours(isoform, tmp_path):
    for channels in (1, 3):
        Image.fromarray(pixels(channels)).save(tmp_path / "x.png")
        said = isoform("convert", tmp_path / "x.png", tmp_path / f"{channels}.jpg", "--within", "psnr=20").expect(0).out
        assert "quality" in said and ("colours at" in said) == (channels == 3), said


def test_a_packing_that_is_not_read_is_told_once(isoform, tmp_path):
    Image.fromarray(pixels(1)).save(tmp_path / "x.tif", compression="zstd")
    said = isoform("convert", tmp_path / "x.tif", tmp_path / "x.png").expect(9).err
    assert "packed with ZSTD are not read; write it again with LZW, Deflate or no compression" in said, said
    assert "unsupported" not in said, said
