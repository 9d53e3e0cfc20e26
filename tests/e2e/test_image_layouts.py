"""Palettes, few bits and many: what files declare beside their samples, as Pillow finds it in the results."""

import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import harness

LETTERS = np.random.default_rng(2)


def header(path):
    """Bits and colour type of a PNG."""
    return tuple(path.read_bytes()[24:26])


def png(path, pixels, bits, kind, *chunks):
    """A PNG of numbers of a few bits, by hand."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    height, width = pixels.shape
    rows = b""
    for row in pixels:
        ones = "".join(f"{number:0{bits}b}" for number in row)
        ones += "0" * (-len(ones) % 8)
        rows += b"\0" + bytes(int(ones[at:at + 8], 2) for at in range(0, len(ones), 8))
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)), *(chunk(*one) for one in chunks)]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]))


def rgba(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def style(made):
    return harness.statement(harness.certificate_of(made))["predicate"]["content"]["arrays"][0]["style"]


def exact(isoform, source, made, *more):
    run = isoform("--json", "convert", source, made, *more).expect(0).json()
    assert run["verdict"] == "EXACT" and np.array_equal(rgba(source), rgba(made))
    isoform("verify", made, "--source", source).expect(0)
    assert isoform("--json", "compare", source, made).expect(0).json()["equal"]
    return run


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_stays_so(isoform, tmp_path, bits):
    source, made = tmp_path / "x.png", tmp_path / "y.png"
    png(source, LETTERS.integers(0, 2**bits, (11, 13)), bits, 0)
    assert exact(isoform, source, made)["notes"] == []
    assert header(made) == (bits, 0)
    with Image.open(made) as image:
        assert image.mode == ("1" if bits == 1 else "L")
    assert style(made)["declared"].startswith(f"grey of {bits} bit") and style(made)["declaredKept"] is True


@pytest.mark.parametrize("bits, count", [(1, 2), (2, 4), (2, 3), (4, 11), (8, 200)])
@pytest.mark.parametrize("transparent", [False, True])
def test_a_palette_stays_as_it_was(isoform, tmp_path, bits, count, transparent):
    source, made = tmp_path / "x.png", tmp_path / "y.png"
    colours = bytes(LETTERS.integers(0, 256, 3 * count, dtype=np.uint8))
    opacity = [(b"tRNS", bytes([0, 128][:count]))] if transparent else []
    # Not in the order of the palette, and not all of its colours.
    png(source, LETTERS.integers(0, count - (count > 2), (17, 9))[::-1], bits, 3, (b"PLTE", colours), *opacity)
    assert exact(isoform, source, made)["notes"] == []
    assert header(made) == (bits, 3)
    with Image.open(source) as left, Image.open(made) as right:
        assert right.mode == left.mode == "P" and bytes(right.getpalette()[:3 * count]) == colours
        told = [0, 128] + [255] * (count - 2) if transparent else []
        assert list(right.info.get("transparency", b"")) == told


@pytest.mark.parametrize("kind, target", [(kind, target) for kind in ["png", "gif", "bmp", "tif"] for target in ["png", "gif"]])
def test_labels_of_equal_colours_stay_apart(isoform, tmp_path, kind, target):
    labels = LETTERS.integers(0, 5, (20, 31), dtype=np.uint8)
    image = Image.fromarray(labels, "P")
    image.putpalette([9, 9, 9] * 5)
    source, made, other = tmp_path / f"x.{kind}", tmp_path / f"y.{target}", tmp_path / "z.webp"
    image.save(source, **({"optimize": False} if kind == "gif" else {}))
    with Image.open(source) as found:
        labels = np.asarray(found)
        assert len(np.unique(labels)) == 5
    drop = ["--drop", "metadata"]
    run = exact(isoform, source, made, *drop) if kind != "bmp" else isoform("--json", "convert", source, made, *drop).expect(0).json()
    assert not any("palette" in note for note in run["notes"]) and style(made)["declaredKept"] is True
    with Image.open(made) as found:
        assert found.mode == "P" and np.array_equal(np.asarray(found), labels)
    told = "pixels of equal colours lose the numbers that told them apart"
    assert told in isoform("plan", source, other, *drop).expect(0).out
    assert told in isoform("convert", source, other, *drop).expect(0).out and style(other)["declaredKept"] is False


def test_the_colour_of_transparent_pixels_of_a_gif(isoform, tmp_path):
    image = Image.fromarray(LETTERS.integers(0, 4, (9, 9), dtype=np.uint8), "P")
    image.putpalette([1, 2, 3, 38, 219, 186, 7, 8, 9, 10, 11, 12])
    source, same, made = tmp_path / "x.gif", tmp_path / "y.gif", tmp_path / "y.png"
    image.save(source, transparency=1, optimize=False)
    assert exact(isoform, source, same)["notes"] == [] and style(same)["declaredKept"] is True
    with Image.open(same) as found:
        assert found.info["transparency"] == 1 and found.getpalette()[3:6] == [38, 219, 186]
    told = "its transparent colour, #26dbba, is black in png"
    assert told in isoform("plan", source, made).expect(0).out
    run = isoform("--json", "convert", source, made).expect(0).json()
    assert any(told in note for note in run["notes"]) and style(made)["declaredKept"] is False
    with Image.open(made) as found:
        assert found.mode == "P"


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_of_few_bits_keeps_its_transparent_shade(isoform, tmp_path, bits):
    source, made, other = tmp_path / "x.png", tmp_path / "y.png", tmp_path / "z.webp"
    png(source, LETTERS.integers(0, 2**bits, (11, 13)), bits, 0, (b"tRNS", bytes([0, 1])))
    run = isoform("--json", "convert", source, made).expect(0).json()
    assert run["notes"] == [] and header(made) == (bits, 0) and style(made)["declaredKept"] is True
    assert b"tRNS\0\1" in made.read_bytes()
    told = "of which shade 1 is transparent: written in webp as rgba u8"
    assert told in isoform("plan", source, other).expect(0).out
    isoform("convert", source, other).expect(0)
    assert style(other)["declaredKept"] is False


@pytest.mark.parametrize("bits, kind, chunks, told", [
    (4, 0, [(b"tRNS", b"\1")], "has 1 byte, and a shade of grey has 2"),
    (4, 0, [(b"tRNS", b"")], "has 0 bytes, and a shade of grey has 2"),
    (8, 0, [(b"tRNS", b"\0\1\0")], "has 3 bytes, and a shade of grey has 2"),
    (16, 0, [(b"tRNS", b"\0\1\0")], "has 3 bytes, and a shade of grey has 2"),
    (24, 2, [(b"tRNS", b"\0\1")], "has 2 bytes, and a colour has 6"),
    (48, 2, [(b"tRNS", bytes(7))], "has 7 bytes, and a colour has 6"),
    (4, 3, [(b"PLTE", bytes(9)), (b"tRNS", bytes(4))], "has 4 bytes, and the palette before it has 3 colours"),
    (4, 3, [(b"tRNS", bytes(2)), (b"PLTE", bytes(9))], "has 2 bytes, and the palette before it has 0 colours"),
    (4, 0, [(b"tRNS", b"\0\1"), (b"tRNS", b"\0\2")], "a second chunk"),
])
def test_transparency_that_does_not_fit_is_damage(isoform, tmp_path, bits, kind, chunks, told):
    source = tmp_path / "x.png"
    # A pixel of several samples is written as one number.
    png(source, np.ones((3, 5), dtype=int), bits, kind, *chunks)
    data = bytearray(source.read_bytes())
    depth = bits // {0: 1, 2: 3, 3: 1}[kind]
    data[24] = depth
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    source.write_bytes(data)
    run = isoform("convert", source, tmp_path / "y.webp").expect(9)
    assert "malformed png" in run.err and told in run.err and "tRNS" in run.err
    assert not (tmp_path / "y.webp").exists()


def test_transparency_beside_an_alpha_channel_is_named(isoform, tmp_path):
    source = tmp_path / "x.png"
    Image.fromarray(LETTERS.integers(0, 256, (4, 4, 4), dtype=np.uint8), "RGBA").save(source)
    data = source.read_bytes()
    told = struct.pack(">I", 6) + b"tRNS" + bytes(6) + struct.pack(">I", zlib.crc32(b"tRNS" + bytes(6)))
    source.write_bytes(data[:33] + told + data[33:])
    run = isoform("--json", "convert", source, tmp_path / "y.png").expect(0).json()
    assert any("the chunk tRNS beside an alpha channel" in note for note in run["notes"])
    assert np.array_equal(rgba(source), rgba(tmp_path / "y.png"))


@pytest.mark.parametrize("pixel, told", [
    ((255, 255, 255, 0), "gif cannot hold the colour of fully transparent pixels, where it is not black"),
    ((0, 0, 0, 9), "gif cannot hold opacity between none and full"),
])
def test_a_gif_is_refused_for_what_it_lacks(isoform, tmp_path, pixel, told):
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 255))
    image.putpixel((1, 1), pixel)
    image.save(tmp_path / "x.png")
    assert told in isoform("convert", tmp_path / "x.png", tmp_path / "x.gif").expect(9).err


@pytest.mark.parametrize("target", ["jpg", "webp"])
def test_what_is_too_large_is_refused_before_the_work(isoform, tmp_path, target):
    source, made = tmp_path / "x.png", tmp_path / f"x.{target}"
    Image.new("P", (3000, 1800)).save(source)
    # Its samples take 16.2 MB, of which a PNG may take 16.8.
    for command in ["plan", "convert"]:
        run = isoform(command, source, made, "--within", "psnr=30", "--memory", "64MiB").expect(9)
        assert " times its " in run.err and "need --memory" in run.err, run.err


@pytest.mark.parametrize("bits, transparent", [(1, False), (2, True), (4, False), (8, True)])
def test_a_colour_that_a_palette_does_not_have_is_damage(isoform, tmp_path, bits, transparent):
    source = tmp_path / "x.png"
    numbers = np.zeros((7, 13), dtype=np.uint8)
    numbers[5, 11] = 1
    opacity = [(b"tRNS", bytes([7]))] if transparent else []
    png(source, numbers, bits, 3, (b"PLTE", bytes([1, 2, 3])), *opacity)
    for command in [["convert", source, tmp_path / "y.png"], ["convert", source, tmp_path / "y.npy"], ["inspect", source]]:
        assert "the pixel at x 11, y 5 has colour 1 of 1" in isoform(*command).expect(9).err
    assert not (tmp_path / "y.png").exists()
    png(source, numbers * 0, bits, 3, (b"PLTE", bytes([1, 2, 3])), *opacity)
    exact(isoform, source, tmp_path / "y.png")
    png(source, numbers * 0, bits, 3)
    isoform("convert", source, tmp_path / "z.png").expect(9)


@pytest.mark.parametrize("middle", ["gif", "bmp", "tif"])
def test_palettes_of_other_formats_become_those_of_png(isoform, tmp_path, middle):
    colours = LETTERS.integers(0, 256, (16, 3), dtype=np.uint8)
    image = Image.fromarray(LETTERS.integers(0, 16, (20, 30), dtype=np.uint8), "P")
    image.putpalette(colours.tobytes())
    source, made = tmp_path / f"x.{middle}", tmp_path / "y.png"
    image.save(source)
    exact(isoform, source, made)
    with Image.open(made) as found:
        assert found.mode == "P"
    if middle == "bmp":
        # A GIF has no place for its density.
        return
    again = tmp_path / "z.gif"
    exact(isoform, made, again)
    with Image.open(again) as found, Image.open(made) as palette:
        # Pillow gives a GIF of one palette as such.
        assert found.mode == "P" and found.getpalette()[:48] == palette.getpalette()[:48]


def test_bilevel_tiff_and_bmp(isoform, tmp_path):
    image = Image.fromarray(LETTERS.integers(0, 2, (21, 35)).astype(bool))
    image.save(tmp_path / "x.tif")
    exact(isoform, tmp_path / "x.tif", tmp_path / "x.png")
    assert header(tmp_path / "x.png") == (1, 0)
    image.save(tmp_path / "y.bmp")
    exact(isoform, tmp_path / "y.bmp", tmp_path / "y.png")
    assert header(tmp_path / "y.png") == (1, 3)


def test_what_a_target_has_no_layout_for_is_named(isoform, tmp_path):
    source = tmp_path / "x.png"
    png(source, LETTERS.integers(0, 4, (12, 12)), 2, 3, (b"PLTE", bytes(range(12))))
    assert "declared: a palette of 4 colours, 2 bits a pixel" in isoform("inspect", source).expect(0).out
    told = "a palette of 4 colours, 2 bits a pixel: written in webp as rgb u8, which holds the same colours"
    assert told in isoform("plan", source, tmp_path / "x.webp").expect(0).out
    assert told in exact(isoform, source, tmp_path / "x.webp")["notes"]
    assert style(tmp_path / "x.webp")["declaredKept"] is False
    for target in ["tif", "bmp", "qoi"]:
        assert len(exact(isoform, source, tmp_path / f"x.{target}", "--strict")["notes"]) == 1
    # Samples that have become others are no palette any more.
    isoform("convert", source, tmp_path / "lossy.jpg", "--within", "psnr=30").expect(0)
    isoform("convert", source, tmp_path / "back.png", "--via", "jpeg", "--within", "psnr=20").expect(0)
    assert header(tmp_path / "back.png") == (8, 2) and style(tmp_path / "back.png")["declaredKept"] is False


def into_array(isoform, source, made, told, *more):
    """Makes an array of an image and asks that plan, note and certificate name what is not kept of its layout."""
    assert told in isoform("plan", source, made, *more).expect(0).out
    run = isoform("--json", "convert", source, made, *more).expect(0).json()
    assert run["verdict"] == "EXACT" and sum(told in note for note in run["notes"]) == 1
    assert told.startswith(style(made)["declared"] + ": ") and style(made)["declaredKept"] is False
    isoform("verify", made, "--source", source).expect(0)


@pytest.mark.parametrize("target", ["npy", "npz", "safetensors", "gguf"])
def test_what_an_array_does_not_hold_of_an_image_is_named(isoform, tmp_path, target):
    mask, equal, grey, hidden = (tmp_path / f"{name}.{kind}" for name, kind in [("mask", "png"), ("equal", "png"), ("grey", "png"), ("hidden", "gif")])
    made = lambda source: source.with_name(f"{source.name}.{target}")
    labels = LETTERS.integers(0, 4, (12, 12))
    not_numbers = "an array has the colours of pixels, and not their numbers in the palette, such as the labels of a mask"
    png(mask, labels, 2, 3, (b"PLTE", bytes(range(12))))
    into_array(isoform, mask, made(mask), f"a palette of 4 colours, 2 bits a pixel: {not_numbers}")
    png(equal, labels, 2, 3, (b"PLTE", bytes([7] * 12)))
    lost = "; pixels of equal colours lose the numbers that told them apart"
    into_array(isoform, equal, made(equal), f"a palette of 4 colours, 2 bits a pixel: {not_numbers}{lost}")
    png(grey, labels, 2, 0, (b"tRNS", bytes([0, 1])))
    shades = "an array has the shades as samples from 0 to 255"
    into_array(isoform, grey, made(grey), f"grey of 2 bits, of which shade 1 is transparent: {shades}")
    image = Image.fromarray(labels.astype(np.uint8), "P")
    image.putpalette([1, 2, 3, 38, 219, 186, 7, 8, 9, 10, 11, 12])
    image.save(hidden, transparency=1, optimize=False)
    into_array(isoform, hidden, made(hidden), f"a palette of 4 colours, 2 bits a pixel: {not_numbers}; its transparent colour, #26dbba, is black")
    whole = tmp_path / "whole.png"
    Image.fromarray(labels.astype(np.uint8)).save(whole)
    assert isoform("--json", "convert", whole, made(whole)).expect(0).json()["notes"] == [] and "declared" not in style(made(whole))


def test_what_is_lost_of_a_layout_on_the_way_is_not_certified_as_kept(isoform, tmp_path):
    source = tmp_path / "x.png"
    png(source, LETTERS.integers(0, 3, (12, 12)), 2, 3, (b"PLTE", bytes([7] * 9)))
    told = "pixels of equal colours lose the numbers that told them apart"
    for via, target in [("qoi", "a.png"), ("npy", "b.png"), ("npz,npy", "c.png"), ("npy,qoi", "d.webp"), ("qoi", "e.npy"), ("npz", "f.npy"), ("gif", "g.npy")]:
        run = isoform("--json", "convert", source, tmp_path / target, "--via", via).expect(0).json()
        assert any(told in note for note in run["notes"]), (via, target)
        assert len(set(run["notes"])) == len(run["notes"]), (via, run["notes"])
        assert style(tmp_path / target)["declaredKept"] is False, (via, target)
        isoform("verify", tmp_path / target, "--source", source).expect(0)
    assert header(tmp_path / "a.png") == header(tmp_path / "b.png") == (8, 2)
    isoform("convert", source, tmp_path / "kept.png", "--via", "gif").expect(0)
    assert header(tmp_path / "kept.png") == (2, 3) and style(tmp_path / "kept.png")["declaredKept"] is True


@pytest.mark.parametrize("via", ["qoi", "gif", "webp", "npy,qoi", "qoi,npz"])
def test_an_array_gets_no_axes_on_its_way_over_images(isoform, tmp_path, via):
    np.save(tmp_path / "x.npy", LETTERS.integers(0, 255, (9, 8), dtype=np.uint8))
    Image.fromarray(np.load(tmp_path / "x.npy")).save(tmp_path / "x.png")
    for source in ("x.npy", "x.png"):
        told = isoform("convert", tmp_path / source, tmp_path / "y.npy", "--via", via).expect(2).err
        assert "it holds gray as rgb, and arrays tell the one from the other" in told
        assert not (tmp_path / "y.npy").exists()
    isoform("convert", tmp_path / "x.npy", tmp_path / "y.npy", "--via", "png").expect(0)
    assert np.load(tmp_path / "y.npy").shape == (9, 8, 1)
    isoform("verify", tmp_path / "y.npy").expect(0)
    isoform("convert", tmp_path / "x.png", tmp_path / "y.png", "--via", "qoi").expect(0)


def test_the_space_of_comparison_is_told(isoform, tmp_path):
    pixels = (np.arange(64)[:, None] * 900 + np.arange(64)[None, :] * 30).astype(np.uint16)
    source = tmp_path / "x.png"
    Image.fromarray(pixels).save(source)
    for target, written in [("jpg", "u16 are written as u8"), ("webp", "u16 are written as u8"), ("avif", "16 bits are written as 10")]:
        made, asked = tmp_path / f"x.{target}", ["--within", "psnr=30"]
        told = f"{written} and compared at 16 bits, full range"
        assert told in isoform("plan", source, made, *asked).expect(0).out
        assert told in isoform("convert", source, made, *asked).expect(0).out
        if target != "avif":
            assert style(made)["comparison"] == "compared at 16 bits, full range" and style(made)["sampleType"] == "u8"


def test_what_is_not_read_of_a_tiff_has_a_place(isoform, tmp_path):
    source = tmp_path / "x.tif"
    Image.new("LAB", (9, 9)).save(source)
    bytes_of = source.read_bytes()
    at = struct.unpack_from("<I", bytes_of, 4)[0]
    entries = range(at + 2, at + 2 + 12 * struct.unpack_from("<H", bytes_of, at)[0], 12)
    place = next(entry for entry in entries if struct.unpack_from("<H", bytes_of, entry)[0] == 262)
    run = isoform("convert", source, tmp_path / "x.png").expect(9)
    assert f"byte {place}: colours in interpretation 8" in run.err


def test_a_photograph_of_12_megapixels_needs_no_option(isoform, tmp_path):
    """The pixels of one image are excepted from --memory, within a limit of their own."""
    y, x = np.mgrid[0:3024, 0:4032]
    pixels = np.stack([x // 20, y // 16, (x + y) // 40], -1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.jpg", quality=90)
    Image.fromarray(pixels[:2100, :2100]).save(tmp_path / "y.jpg", quality=90)
    for source, target, within in [("x.jpg", "x.avif", "psnr=30"), ("y.jpg", "y.webp", "ssimulacra2=30")]:
        asked = ["convert", tmp_path / source, tmp_path / target, "--within", within, "--minimise", "time"]
        code, found, told = harness.measured(isoform, *asked)
        assert code == 0 and found < 2304 << 20, (told, found)
        # Who gives less means images too.
        code, found, told = harness.measured(isoform, *asked, "--memory", "511MiB", "--force")
        assert code == 9 and re.search(r"need --memory \d+MiB", told) and found < 511 << 20, (told, found)
    isoform("verify", tmp_path / "x.avif", "--source", tmp_path / "x.jpg").expect(0)
