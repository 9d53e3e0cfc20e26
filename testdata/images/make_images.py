"""Makes the images of this folder with Pillow and tifffile, and writes down what these read back from them.

    python -m pip install pillow tifffile numpy imagecodecs && python make_images.py

A line of expected.tsv has: file; rows x columns x channels; type of the samples; CRC-32 of the samples as they lie
in memory, little-endian, or, for JPEG, whose decoders round in different ways, the file that has what Pillow decodes;
keys of the attributes with the bytes of their values.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

HERE = pathlib.Path(__file__).parent
BAD = HERE / "bad"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# The time of creation is the only thing in the profile that changes.
ICC = ICC[:24] + struct.pack(">6H", 2025, 1, 1, 0, 0, 0) + ICC[36:]
EXIF = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
lines = []
# Decoded samples of JPEGs, and the file that has them.
decoded = {}


def ramp(height, width, channels, dtype=np.uint8):
    top = np.iinfo(dtype).max
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    values = ((x * 7 + y * 3 + c * 11) * (top // 97)) % (top + 1)
    return values.astype(dtype).squeeze()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, color, rows, *chunks, interlace=0):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))
    packed = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + packed + chunk(b"IEND", b"")


def expect(name, samples, meaning, keys="", near=None):
    samples = np.asarray(samples)
    height, width = samples.shape[:2]
    kind = {"u": "u", "i": "i", "f": "f"}[samples.dtype.kind] + str(8 * samples.dtype.itemsize)
    little = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("<")))
    crc = f"{zlib.crc32(little.tobytes()):08x}"
    if near:
        decoded.setdefault(little.tobytes(), near)
        crc = decoded[little.tobytes()]
        Image.fromarray(samples).save(HERE / crc)
    lines.append("\t".join([name, f"{height}x{width}x{meaning}", kind, crc, keys]))


def save(name, image, samples, meaning, keys="", **options):
    image.save(HERE / name, **options)
    expect(name, samples, meaning, keys)


def pngs():
    for depth in (1, 2, 4):
        top = (1 << depth) - 1
        values = (np.add.outer(np.arange(5), np.arange(11)) % (top + 1)).astype(np.uint8)
        rows = b""
        for row in values:
            bits = "".join(f"{v:0{depth}b}" for v in row)
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
        (HERE / f"gray-{depth}.png").write_bytes(png(11, 5, depth, 0, rows))
        expect(f"gray-{depth}.png", values * (255 // top), "gray")
        palette = ramp(1, top + 1, 3).reshape(-1, 3)
        plte = chunk(b"PLTE", palette.tobytes())
        (HERE / f"palette-{depth}.png").write_bytes(png(11, 5, depth, 3, rows, plte))
        expect(f"palette-{depth}.png", palette[values], "rgb")
        alpha = np.array([0, 128] + [255] * (top - 1), np.uint8)
        trns = chunk(b"tRNS", alpha[:2].tobytes())
        (HERE / f"palette-{depth}-alpha.png").write_bytes(png(11, 5, depth, 3, rows, plte, trns))
        rgba = np.concatenate([palette[values], alpha[values][..., None]], axis=2)
        expect(f"palette-{depth}-alpha.png", rgba, "rgba")
        clear = chunk(b"tRNS", struct.pack(">H", 1))
        (HERE / f"gray-{depth}-clear.png").write_bytes(png(11, 5, depth, 0, rows, clear))
        both = np.stack([values * (255 // top), np.where(values == 1, 0, 255).astype(np.uint8)], axis=2)
        expect(f"gray-{depth}-clear.png", both, "gray-alpha")
    for name, channels, color in (("gray", 1, 0), ("gray-alpha", 2, 4), ("rgb", 3, 2), ("rgba", 4, 6)):
        for bits, dtype in ((8, np.uint8), (16, np.uint16)):
            values = ramp(6, 9, channels, dtype)
            rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in values)
            (HERE / f"{name}-{bits}.png").write_bytes(png(9, 6, bits, color, rows))
            expect(f"{name}-{bits}.png", values, name)
    values = ramp(6, 9, 3, np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    clear = chunk(b"tRNS", values[2, 3].astype(">u2").tobytes())
    (HERE / "rgb-16-clear.png").write_bytes(png(9, 6, 16, 2, rows, clear))
    alpha = np.where((values == values[2, 3]).all(axis=2), 0, 65535).astype(np.uint16)
    expect("rgb-16-clear.png", np.concatenate([values, alpha[..., None]], axis=2), "rgba")
    values = ramp(19, 23, 3)
    rows = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in values[y0::dy, x0::dx])
    (HERE / "interlaced.png").write_bytes(png(23, 19, 8, 2, rows, interlace=1))
    expect("interlaced.png", values, "rgb")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "A ramp")
    texts.add_text("Author", "½ of it", zip=True)
    texts.add_itxt("Comment", "石")
    texts.add_itxt("Description", "Rampe", "de", "Beschreibung", zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add(b"gAMA", struct.pack(">I", 45455))
    keys = f"density=13 exif={len(EXIF) - 6} icc={len(ICC)} png:gAMA=4 png:iTXt:Description=21 "
    keys += f"text:Author=9 text:Comment=3 text:Title=6 xmp={len(XMP)}"
    save("attributes.png", Image.fromarray(values), values, "rgb", keys,
         pnginfo=texts, icc_profile=ICC, exif=EXIF, dpi=(300, 300))


def jpegs():
    photo = Image.fromarray(ramp(40, 50, 3)).resize((83, 61), Image.Resampling.BICUBIC)
    keys = f"density=11 exif={len(EXIF) - 6} icc={len(ICC)} text:Comment=5 xmp={len(XMP)}"
    for name, options in (
        ("plain.jpg", {}),
        ("progressive.jpg", {"progressive": True}),
        ("444.jpg", {"subsampling": 0}),
        ("422.jpg", {"subsampling": 1}),
        ("restart.jpg", {"restart_marker_blocks": 3}),
        ("rgb.jpg", {"keep_rgb": True}),
        ("attributes.jpg", {"icc_profile": ICC, "exif": EXIF, "xmp": XMP, "comment": "hello", "dpi": (72, 72)}),
    ):
        photo.save(HERE / name, quality=90, **options)
        found = keys if name == "attributes.jpg" else ""
        near = name.replace(".jpg", "-decoded.png")
        expect(name, np.asarray(Image.open(HERE / name)), "rgb", found, near)
    photo.convert("L").save(HERE / "gray.jpg", quality=90)
    expect("gray.jpg", np.asarray(Image.open(HERE / "gray.jpg")), "gray", near="gray-decoded.png")
    photo.convert("CMYK").save(BAD / "cmyk.jpg")
    whole = io.BytesIO()
    photo.save(whole, "jpeg", icc_profile=ICC)
    (BAD / "icc-missing.jpg").write_bytes(whole.getvalue().replace(b"ICC_PROFILE\0\x01\x01", b"ICC_PROFILE\0\x01\x02"))


def webps():
    rgba = ramp(21, 34, 4)
    for name, image, meaning in (("lossless.webp", rgba[..., :3], "rgb"), ("lossless-alpha.webp", rgba, "rgba")):
        save(name, Image.fromarray(image), image, meaning, lossless=True, exact=True)
    rgb = Image.fromarray(rgba[..., :3])
    for name, image, meaning, keys, options in (
        ("lossy.webp", rgb, "rgb", "", {}),
        ("lossy-alpha.webp", Image.fromarray(rgba), "rgba", "", {}),
        ("attributes.webp", rgb, "rgb", f"exif={len(EXIF) - 6} icc={len(ICC)} xmp={len(XMP)}",
         {"icc_profile": ICC, "exif": EXIF, "xmp": XMP}),
    ):
        image.save(HERE / name, **options)
        expect(name, np.asarray(Image.open(HERE / name)), meaning, keys)
    rgb.save(BAD / "animated.webp", save_all=True, append_images=[rgb.transpose(0)])


def bad_pngs():
    first = Image.fromarray(ramp(6, 9, 3))
    first.save(BAD / "animated.png", save_all=True, append_images=[first.transpose(0)])
    broken = bytearray((HERE / "rgb-8.png").read_bytes())
    broken[-20] ^= 1
    (BAD / "checksum.png").write_bytes(broken)
    text = b"Title\0\0" + zlib.compress(bytes(20 << 20), 9)
    (BAD / "bomb-text.png").write_bytes(png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", text)))
    (BAD / "bomb-pixels.png").write_bytes(png(100_000, 100_000, 1, 0, b"\0"))


if __name__ == "__main__":
    BAD.mkdir(exist_ok=True)
    for make in (pngs, jpegs, webps, bad_pngs):
        make()
    (HERE / "expected.tsv").write_text("# Written by make_images.py\n" + "\n".join(sorted(lines)) + "\n")
