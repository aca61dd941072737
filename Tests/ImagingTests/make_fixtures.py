"""Makes the pictures in fixtures/ and the reference results in golden/.

Runs with Pillow 13, torch, torchvision, transformers 4.57.6 and open_clip_torch; the tests need only what it writes.
"""
import base64
import hashlib
import io
import json
import math
import os
import struct
import subprocess
import tempfile
import zlib

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "fixtures")
GOLDEN = os.path.join(HERE, "golden")
os.makedirs(FIXTURES, exist_ok=True)
os.makedirs(GOLDEN, exist_ok=True)


def write(name, data):
    with open(os.path.join(FIXTURES, name), "wb") as file:
        file.write(data)


def dump(name, value):
    with open(os.path.join(GOLDEN, name), "w") as file:
        json.dump(value, file, indent=None, separators=(",", ":"))


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def noise(width, height, seed):
    """The generator that the tests repeat in Swift: a linear congruence over 64 bits, its top byte."""
    count = width * height * 3
    out = bytearray(count)
    state = seed
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        out[i] = state >> 56
    return Image.frombytes("RGB", (width, height), bytes(out))


def scene(width=32, height=24):
    """A smooth gradient with a red patch in one corner, so that every turn looks different."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 255 // (width + height - 2)], -1).astype(np.uint8)
    rgb[: height // 4, : width // 4] = (220, 30, 30)
    return Image.fromarray(rgb)


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# ---- profiles, metadata
def s15(value):
    return struct.pack(">i", round(value * 65536))


def icc(colorants, gamma, space=b"RGB "):
    """A version 2 matrix profile with one `curv` gamma."""
    tags = {}
    for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants):
        tags[name] = b"XYZ " + bytes(4) + b"".join(map(s15, xyz))
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    for name in ([b"rTRC", b"gTRC", b"bTRC"] if colorants else [b"kTRC"]):
        tags[name] = curve
    return profile(tags, b"mntr", space, b"XYZ ")


def ink_profile():
    """A version 2 printer profile: 3^4 samples of a press whose inks multiply, as one lut8 to Lab."""
    def lab(c, m, y, k):
        rgb = (0.9 * (1 - 0.9 * np.array([c, m, y])) * (1 - 0.95 * k)) ** 1.8
        xyz = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]) @ rgb
        f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz / np.array([0.9642, 1, 0.8249])]
        return [round((116 * f[1] - 16) * 2.55), round(500 * (f[0] - f[1])) + 128, round(200 * (f[1] - f[2])) + 128]
    grid = [lab(c, m, y, k) for c in (0, 0.5, 1) for m in (0, 0.5, 1) for y in (0, 0.5, 1) for k in (0, 0.5, 1)]
    identity = b"".join(s15(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 3, 0]) + identity + bytes(range(256)) * 4 + bytes(sum(grid, [])) + bytes(range(256)) * 3
    return profile({b"A2B0": lut}, b"prtr", b"CMYK", b"Lab ")


def profile(tags, kind, space, connection):
    def text(t):
        return b"desc" + bytes(4) + struct.pack(">I", len(t) + 1) + t + bytes(1) + bytes(4 + 4 + 2 + 1 + 67)
    tags = {b"desc": text(b"test profile"), b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": b"XYZ " + bytes(4) + s15(0.9642) + s15(1) + s15(0.8249), **tags}
    body, table, offset = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, kind, space, connection) + bytes(12) + b"acsp" + bytes(28)
    header += s15(0.9642) + s15(1) + s15(0.8249)
    header += bytes(128 - len(header))
    return header + struct.pack(">I", len(tags)) + table + body


DISPLAY_P3 = icc([(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)], 2.2)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def iptc(records):
    body = b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(value)) + value for number, value in records)
    resource = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(body)) + body + bytes(len(body) % 2)
    other = b"8BIM" + struct.pack(">H", 0x03ED) + b"\x03abc" + struct.pack(">I", 3) + b"xyz\0"
    payload = b"Photoshop 3.0\0" + other + resource
    return b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload


XMP = """<?xpacket begin="\ufeff"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreateDate="2020-02-29T10:11:12+08:00">
<dc:title><rdf:Alt><rdf:li xml:lang="de">Rotes Rad</rdf:li><rdf:li xml:lang="x-default">A red bicycle &amp; a wall</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Leaning &#x2014; in the sun</rdf:li></rdf:Alt></dc:description>
<dc:creator><rdf:Seq><rdf:li>Somebody</rdf:li></rdf:Seq></dc:creator>
<dc:subject><rdf:Bag><rdf:li>bicycle</rdf:li><rdf:li>\u7ea2\u8272</rdf:li><rdf:li>Wall</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()

SVG = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [ <!ENTITY ns_svg "http://www.w3.org/2000/svg"> ]>
<!-- a comment with <title>no title</title> -->
<svg xmlns="&ns_svg;" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://web.resource.org/cc/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" width="40" height="20" viewBox="0 0 40 20">
<title>Drawing's own title</title>
<metadata><rdf:RDF><cc:Work rdf:about=""><dc:title>Red square</dc:title><dc:description>Half of a flag</dc:description>
<dc:subject><rdf:Bag><rdf:li>flag</rdf:li><rdf:li>square</rdf:li><rdf:li>Flag</rdf:li></rdf:Bag></dc:subject>
<dc:publisher><cc:Agent><dc:title>The publisher</dc:title></cc:Agent></dc:publisher></cc:Work></rdf:RDF></metadata>
<rect width="20" height="20" fill="#ff0000"/><rect x="20" width="10" height="20" fill="#0000ff"/><g><title>Inner title</title></g></svg>"""


def exif_bytes(orientation=None, full=False):
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    if full:
        exif[0x010F] = "Acme"
        exif[0x0110] = "Model 7"
        exif[0x0132] = "2021:01:01 00:00:00"
        details = exif.get_ifd(0x8769)
        details[0x9003] = "2019:07:04 12:30:05"
        details[0x9011] = "+09:00"
        place = exif.get_ifd(0x8825)
        place[1], place[2] = "S", (33.0, 51.0, 24.84)
        place[3], place[4] = "E", (151.0, 12.0, 33.12)
    return exif.tobytes()


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, extra=b""):
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)) + extra
            + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b""))


# ---- the pictures and what Pillow makes of them
def over_white(image):
    if image.mode in ("LA", "PA", "RGBA", "P") and ("transparency" in image.info or image.mode != "P"):
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def reference(data):
    image = Image.open(io.BytesIO(data))
    return over_white(ImageOps.exif_transpose(image))


decoded, images = [], {}


def fixture(name, data, tolerance=0, expected=None):
    write(name, data)
    image = expected if expected is not None else reference(data)
    key = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    images[key] = b64(np.asarray(image))
    decoded.append({"file": name, "width": image.width, "height": image.height, "tolerance": tolerance, "pixels": key})


def make_formats():
    base = scene()
    fixture("rgb.jpg", encode(base, "JPEG", quality=90))
    fixture("rgb-444-progressive.jpg", encode(base, "JPEG", quality=90, subsampling=0, progressive=True))
    fixture("grey.jpg", encode(base.convert("L"), "JPEG", quality=90))
    for orientation in range(1, 9):
        fixture(f"orientation-{orientation}.jpg", encode(base, "JPEG", quality=90, exif=exif_bytes(orientation)))
    fixture("rgb.png", encode(base, "PNG"))
    fixture("mislabelled.jpg", encode(base, "PNG"))
    fixture("grey.png", encode(base.convert("L"), "PNG"))
    fixture("one-bit.png", encode(base.convert("1"), "PNG"))
    fixture("palette.png", encode(base.convert("P", palette=Image.Palette.ADAPTIVE, colors=16), "PNG"))
    fixture("interlaced.png", subprocess_interlace(base))
    rgba = base.convert("RGBA")
    rgba.putalpha(Image.fromarray((np.mgrid[0:24, 0:32][1] * 8).astype(np.uint8)))
    fixture("alpha.png", encode(rgba, "PNG"), tolerance=1)
    fixture("grey-alpha.png", encode(rgba.convert("LA"), "PNG"), tolerance=1)
    palette = base.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    fixture("palette-alpha.png", encode(palette, "PNG", transparency=3))
    make_deep(base)
    fixture("lossless.webp", encode(base, "WEBP", lossless=True))
    fixture("lossy.webp", encode(base, "WEBP", quality=80), tolerance=2)
    fixture("alpha.webp", encode(rgba, "WEBP", lossless=True, exact=True), tolerance=1)
    frames = [palette, ImageOps.mirror(base).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)]
    fixture("animated.gif", encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        fixture(f"{compression}.tif", encode(base, "TIFF", compression=compression))
    fixture("bilevel.tif", encode(base.convert("1"), "TIFF", compression="group4"))
    for mode in ("1", "L", "P", "RGB"):
        image = base.convert(mode) if mode != "P" else palette
        fixture(f"{mode.lower()}.bmp", encode(image, "BMP"))
    fixture("rgba.bmp", encode(rgba, "BMP"), tolerance=1)
    make_bitmaps(base, palette)
    fixture("photo.heic", heic(base), tolerance=6, expected=base)
    fixture("photo.avif", encode(base, "AVIF", quality=90, subsampling="4:4:4"), tolerance=6)


def subprocess_interlace(base):
    """Adam7, by hand: Pillow reads it but doesn't write it."""
    pixels = np.asarray(base)
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y0::dy, x0::dx]
        rows += b"".join(b"\0" + row.tobytes() for row in part)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", base.width, base.height, 8, 2, 0, 0, 1))
            + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b""))


def heic(image):
    """HEVC by libheif, through libvips: Pillow writes none."""
    with tempfile.TemporaryDirectory() as folder:
        image.save(f"{folder}/in.png")
        subprocess.run(["vips", "heifsave", f"{folder}/in.png", f"{folder}/out.heic", "--compression", "hevc", "--Q", "95",
                        "--subsample-mode", "off"], check=True)
        with open(f"{folder}/out.heic", "rb") as file:
            return file.read()


def bitmap(width, height, bits, compression, extra, data):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 2835, 2835, 0, 0)
    offset = 14 + len(header) + len(extra)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + extra + data


def make_bitmaps(base, palette):
    """Run lengths and bit masks: what programs write that Pillow reads but doesn't write."""
    indices = np.asarray(palette)
    colours = np.zeros((256, 4), np.uint8)
    colours[:16, 2::-1] = np.array(palette.getpalette()[:48]).reshape(16, 3)
    runs8, runs4 = b"", b""
    for row in indices[::-1]:
        for start in range(0, 32, 8):
            part = row[start:start + 8]
            if len(set(part)) == 1:
                runs8, runs4 = runs8 + bytes([8, part[0]]), runs4 + bytes([8, part[0] * 17])
            elif start:
                runs8 += bytes([0, 8]) + part.tobytes()
                runs4 += bytes([0, 8]) + bytes(int(a) << 4 | int(b) for a, b in part.reshape(4, 2))
            else:
                runs8 += b"".join(bytes([1, v]) for v in part)
                runs4 += b"".join(bytes([1, v << 4]) for v in part)
        runs8, runs4 = runs8 + b"\0\0", runs4 + b"\0\0"
    exact = palette.convert("RGB")
    fixture("runs8.bmp", bitmap(32, 24, 8, 1, colours.tobytes(), runs8 + b"\0\1"), expected=exact)
    fixture("runs4.bmp", bitmap(32, 24, 4, 2, colours[:16].tobytes(), runs4 + b"\0\1"), expected=exact)
    r, g, b = (np.asarray(base)[..., i].astype(np.uint32) for i in range(3))
    short = (r >> 3 << 11 | g >> 2 << 5 | b >> 3).astype("<u2")[::-1].tobytes()
    fixture("masks565.bmp", bitmap(32, 24, 16, 3, struct.pack("<III", 0xF800, 0x07E0, 0x001F), short), tolerance=1)
    long = (b << 20 | r << 10 | g).astype("<u4").tobytes()
    fixture("masks-odd.bmp", bitmap(32, -24, 32, 3, struct.pack("<III", 0xFF << 10, 0xFF, 0xFF << 20), long), expected=base)


def make_deep(base):
    deep = np.asarray(base).astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    fixture("rgb16.png", png(32, 24, 16, 2, rows), expected=base)
    grey = deep[..., 1]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    fixture("grey16.png", png(32, 24, 16, 0, rows), expected=Image.fromarray((grey >> 8).astype(np.uint8)).convert("RGB"))
    alpha = np.concatenate([deep, np.full((24, 32, 1), 0x8080, np.uint16)], -1)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in alpha)
    rgba = base.convert("RGBA")
    rgba.putalpha(128)
    fixture("alpha16.png", png(32, 24, 16, 6, rows), expected=over_white(rgba), tolerance=1)


def make_colours():
    base = scene()
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(DISPLAY_P3))
    srgb = ImageCms.createProfile("sRGB")

    def managed(data, profile):
        return ImageCms.profileToProfile(Image.open(io.BytesIO(data)), profile, srgb, renderingIntent=1, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION, outputMode="RGB")
    data = encode(base, "JPEG", quality=92, icc_profile=DISPLAY_P3)
    fixture("display-p3.jpg", data, tolerance=2, expected=managed(data, p3))
    data = encode(base, "PNG", icc_profile=DISPLAY_P3)
    fixture("display-p3.png", data, tolerance=2, expected=managed(data, p3))
    fixture("srgb-profile.jpg", encode(base, "JPEG", quality=90, icc_profile=SRGB))
    fixture("broken-profile.jpg", encode(base, "JPEG", quality=90, icc_profile=DISPLAY_P3[:200]))
    grey = icc([], 1.0, b"GRAY")
    data = encode(base.convert("L"), "PNG", icc_profile=grey)
    expected = managed(data, ImageCms.ImageCmsProfile(io.BytesIO(grey)))
    fixture("linear-grey.png", data, tolerance=2, expected=expected)
    ink = ink_profile()
    data = encode(base.convert("CMYK"), "JPEG", quality=92, icc_profile=ink)
    fixture("ink-profile.jpg", data, tolerance=2, expected=managed(data, ImageCms.ImageCmsProfile(io.BytesIO(ink))))
    # Without a profile ink has no defined colour: Pillow's naive arithmetic is far off, so the tolerance only tells inverted from not.
    fixture("cmyk.jpg", encode(base.convert("CMYK"), "JPEG", quality=92), tolerance=110)
    fixture("cmyk.tif", encode(base.convert("CMYK"), "TIFF", compression="tiff_lzw"), tolerance=110)


def make_metadata():
    base = scene(16, 12)
    jpeg = encode(base, "JPEG", exif=exif_bytes(6, full=True), xmp=XMP)
    records = [(5, b"IPTC title"), (25, b"bicycle"), (25, "stra\u00dfe".encode("latin-1")), (120, b"IPTC caption")]
    write("metadata.jpg", jpeg[:2] + iptc(records) + jpeg[2:])
    plain = encode(base, "JPEG")
    write("iptc.jpg", plain[:2] + iptc(records) + plain[2:])
    info = PngInfo()
    info.add_text("Title", "A gradient")
    info.add_itxt("Description", "\u6e10\u53d8 of colours")
    info.add_text("Keywords", "red, green; blue", zip=True)
    write("metadata.png", encode(base, "PNG", pnginfo=info))
    write("metadata.webp", encode(base, "WEBP", exif=exif_bytes(6, full=True), xmp=XMP))
    write("metadata.tif", encode(base, "TIFF", exif=exif_bytes(6, full=True)))
    write("drawing.svg", SVG.encode())
    write("drawing-utf16.svg", SVG.replace("UTF-8", "UTF-16").encode("utf-16"))


def make_hostile():
    base = scene()
    jpeg, flat = encode(base, "JPEG", quality=90), encode(base, "PNG")
    write("zero-bytes.jpg", b"")
    write("text.jpg", b"this is not a picture\n")
    write("truncated.jpg", jpeg[: len(jpeg) * 2 // 3])
    write("truncated.png", flat[: len(flat) * 2 // 3])
    write("truncated.webp", encode(base, "WEBP", lossless=True)[:100])
    write("truncated.gif", encode(base.convert("P"), "GIF")[:500])
    write("truncated.tif", encode(base, "TIFF", compression="raw")[:2000])
    write("truncated.bmp", encode(base, "BMP")[:1000])
    write("header-only.jpg", jpeg[:20])
    write("bad-checksum.png", flat[:60] + bytes([flat[60] ^ 255]) + flat[61:])
    write("bomb.png", png(60000, 60000, 8, 2, bytes(1000)))
    write("bomb.bmp", encode(base, "BMP")[:18] + struct.pack("<ii", 0x7FFFFFFF, 0x7FFFFFFF) + encode(base, "BMP")[26:200])
    write("bomb.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0" + struct.pack("<HH", 65535, 65535) + b"\0\x02\x02\x4c\x01\0;")
    write("text-bomb.png", png(4, 4, 8, 0, bytes(20), extra=png_chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes([65]) * (8 << 20), 9))))
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    write("laughs.svg", f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><title>&l9;</title><text>&l9;</text></svg>'.encode())
    write("external.svg", b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" '
          b'xmlns:xlink="http://www.w3.org/1999/xlink" width="48" height="36"><title>t&x;</title><text y="20">&x;</text><image xlink:href="rgb.png" width="48" height="36"/>'
          b'<image xlink:href="file:///FOLDER/rgb.png" width="48" height="36"/></svg>')
    bomb = base64.b64encode(png(30000, 30000, 1, 0, b"")).decode()
    write("inner-bomb.svg", f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9"><image width="9" height="9" xlink:href="data:image/png;base64,{bomb}"/></svg>'.encode())
    write("utf7.svg", b'<?xml version="1.0" encoding="UTF-7"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    write("huge.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="2000000" height="2000000"/>')
    write("video.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64))


# ---- resizing
def make_resizes():
    generator = np.random.default_rng(7)
    cases = []
    for index in range(260):
        limit = 24 if index % 5 == 0 else 90
        w, h, w2, h2 = (int(v) for v in generator.integers(1, limit, 4))
        if index % 11 == 0:
            w2 = w
        if index % 13 == 0:
            h2 = h
        image = noise(w, h, index)
        for kind in range(6):
            result = image.resize((w2, h2), resample=kind)
            cases.append([w, h, w2, h2, kind, index, hashlib.sha256(result.tobytes()).hexdigest()[:12]])
    dump("resize.json", cases)
    torch_cases = []
    for index in range(20):
        w, h, w2, h2 = (int(v) for v in generator.integers(4, 26, 4))
        tensor = torch.from_numpy(np.asarray(noise(w, h, index)).copy()).permute(2, 0, 1)[None]
        for mode in ("bilinear", "bicubic"):
            def run(values):
                return torch.nn.functional.interpolate(values, size=(h2, w2), mode=mode, antialias=True, align_corners=False)[0].permute(1, 2, 0)
            floats = run(tensor.float()).clamp(0, 255).round().to(torch.uint8)
            torch_cases.append({"case": [w, h, w2, h2, index], "mode": mode, "bytes": b64(run(tensor).numpy()), "floats": b64(floats.numpy())})
    dump("torch-resize.json", torch_cases[:24])


# ---- processors
def make_transforms():
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from transformers import (BeitImageProcessor, BitImageProcessor, BlipImageProcessor, ChineseCLIPImageProcessor, CLIPImageProcessor, CLIPImageProcessorFast,
                              ConvNextImageProcessor, DeiTImageProcessor, SiglipImageProcessor, ViTImageProcessor)
    small, crop = {"shortest_edge": 21}, {"height": 16, "width": 17}
    processors = [
        (CLIPImageProcessor(size=small, crop_size=crop), (50, 37)), (CLIPImageProcessor(size={"shortest_edge": 15}, crop_size={"height": 18, "width": 20}), (24, 25)),
        (CLIPImageProcessor(size={"shortest_edge": 12}, crop_size={"height": 16, "width": 16}), (24, 60)),
        (ChineseCLIPImageProcessor(size={"height": 16, "width": 18}, do_center_crop=False), (31, 77)), (BitImageProcessor(size=small, crop_size=crop), (40, 23)),
        (ViTImageProcessor(size={"height": 16, "width": 16}), (37, 50)), (DeiTImageProcessor(size={"height": 20, "width": 20}, crop_size={"height": 15, "width": 15}), (37, 50)),
        (BeitImageProcessor(size={"height": 20, "width": 20}, crop_size={"height": 15, "width": 15}, do_center_crop=True), (37, 50)),
        (SiglipImageProcessor(size={"height": 16, "width": 16}), (64, 33)), (BlipImageProcessor(size={"height": 16, "width": 16}), (64, 33)),
        (ConvNextImageProcessor(size={"shortest_edge": 16}, crop_pct=0.875), (64, 33)), (ConvNextImageProcessor(size={"shortest_edge": 16}), (21, 93)),
        (ViTImageProcessor(size={"height": 16, "width": 16}, do_rescale=False), (20, 20)), (ViTImageProcessor(do_resize=False, do_normalize=False), (16, 9)),
        (CLIPImageProcessorFast(size=small, crop_size=crop), (50, 37)),
        (CLIPImageProcessor(size={"shortest_edge": 17}, crop_size={"height": 16, "width": 16}), (1, 2000)),
        (CLIPImageProcessor(size={"shortest_edge": 17}, crop_size={"height": 18, "width": 18}), (2000, 2)),
        (CLIPImageProcessorFast(size={"shortest_edge": 17}, crop_size={"height": 16, "width": 16}), (1, 2000)),
    ]
    cases = []
    for processor, (w, h) in processors:
        values = processor(noise(w, h, w), return_tensors="pt")["pixel_values"][0].numpy()
        fast = type(processor).__name__.endswith("Fast")
        config = json.loads(processor.to_json_string())
        cases.append({"kind": "transformers", "config": json.dumps(config), "width": w, "height": h, "shape": list(values.shape), "values": b64(values.astype(np.float32)),
                      "tolerance": 2e-6 if fast else 0})
    for size, mode, interpolation, (w, h) in [(21, "shortest", "bicubic", (50, 37)), (16, "squash", "bicubic", (50, 37)), (16, "longest", "bicubic", (50, 37)),
                                              ((12, 17), "shortest", "bicubic", (33, 50)), ((18, 13), "longest", "bilinear", (33, 50)), (15, "shortest", "bilinear", (16, 16))]:
        config = {"size": size, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], "interpolation": interpolation, "resize_mode": mode, "fill_color": 9}
        values = image_transform_v2(PreprocessCfg(**config), is_train=False)(noise(w, h, w)).numpy()
        cases.append({"kind": "open_clip", "config": json.dumps({"preprocess_cfg": config}), "width": w, "height": h, "shape": list(values.shape), "values": b64(values), "tolerance": 0})
    dump("transforms.json", cases)


make_formats()
make_colours()
make_metadata()
make_hostile()
dump("decode.json", {"cases": decoded, "images": images})
make_resizes()
make_transforms()
total = sum(os.path.getsize(os.path.join(folder, name)) for folder in (FIXTURES, GOLDEN) for name in os.listdir(folder))
print(f"{total / 1024:.0f} KiB")
