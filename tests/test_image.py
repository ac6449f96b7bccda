import io
import struct

import numpy as np
import pytest
import torch
from picture_files import file_of, png
from PIL import Image, ImageCms, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from sr_hub.alpha import join_alpha, split_alpha
from sr_hub.errors import SRHubError
from sr_hub.image import FORMATS, decode, encode, from_tensor, readable_suffixes, save, to_tensor
from sr_hub.normalise import MODES, normalise

ORIENTATION, MAKE, SOFTWARE, CAMERA, GPS = 0x0112, 0x010F, 0x0131, 0x8769, 0x8825
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(mode="RGB", size=(20, 12)):
    """Random pixels of a mode, smooth enough for lossy formats to keep them roughly."""
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1}[mode]
    top = 65535 if mode == "I;16" else 255
    coarse = np.random.default_rng(0).integers(0, top + 1, (3, 4, channels))
    y, x = np.arange(size[1]) * 3 // size[1], np.arange(size[0]) * 4 // size[0]
    values = coarse[y][:, x].astype(np.uint16 if mode == "I;16" else np.uint8)
    return Image.fromarray(values.squeeze())


def exif(orientation=1):
    data = Image.Exif()
    data[ORIENTATION], data[MAKE], data[SOFTWARE] = orientation, "Camera", "Firmware"
    data.get_ifd(CAMERA).update({0xA002: 20, 0xA003: 12, 0x829A: 0.5})
    data.get_ifd(GPS)[1] = "N"
    return data.tobytes()


def profile(space, connection, tags):
    """A minimal ICC profile, for the colour spaces that ImageCms makes none for."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061), **tags}
    offset, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    size = offset + len(body)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    header = struct.pack(">I4sI", size, b"lcms", 0x02400000) + kind + space + connection
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def grey_profile(gamma):
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, int(gamma * 256))
    return profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def one_colour_cmyk_profile(lab):
    """A profile by which every ink is one and the same colour (L*, a*, b* as 8-bit codes)."""
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + 4 * ramp + 16 * bytes(lab) + 3 * ramp
    return profile(b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_gone(format, orientation):
    turns = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}.get(orientation, [])
    upright = noise()
    stored = upright
    for turn in turns:
        stored = stored.transpose(Image.Transpose(turn))
    image = decode(file_of(stored, format, exif=exif(orientation)))
    assert image.size == upright.size
    assert np.abs(np.asarray(image).astype(int) - np.asarray(upright)).mean() < 25
    kept = image.getexif()
    assert ORIENTATION not in kept
    assert kept[MAKE] == "Camera"
    assert kept.get_ifd(GPS) == {1: "N"}
    assert kept.get_ifd(CAMERA)[0x829A] == 0.5


def test_a_turned_picture_stays_upright_through_a_second_file():
    once = decode(file_of(noise(), "JPEG", exif=exif(6)))
    twice = decode(encode(once))
    assert once.size == twice.size == (12, 20)
    assert np.array_equal(np.asarray(once), np.asarray(twice))


def test_tiff_layout_does_not_leak_into_the_exif():
    image = decode(file_of(noise(), "TIFF", exif=exif()))
    assert not {256, 257, 258, 259, 273, 279} & set(image.getexif())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("damage", [b"garbage" * 3, b"II*\0\xff\xff\xff\x7f" + bytes(20), b""])
def test_damaged_exif_costs_the_exif_and_not_the_picture(damage):
    image = decode(file_of(noise(), "JPEG", exif=b"Exif\0\0" + damage))
    assert image.size == (20, 12)
    assert "exif" not in image.info
    told = image.info.get("notices", [])
    assert told == (["has EXIF data that cannot be read: it was dropped"] if damage else [])


@pytest.mark.parametrize("format", FORMATS)
def test_profile_and_exif_survive_writing(format):
    image = noise()
    image.info = {"icc_profile": SRGB, "exif": exif()}
    kept = decode(encode(image, format=format))
    assert kept.info["icc_profile"] == SRGB
    assert kept.getexif()[MAKE] == "Camera"
    assert kept.getexif().get_ifd(GPS) == {1: "N"}


def test_size_in_the_exif_follows_the_picture():
    image = noise(size=(80, 48))
    image.info = {"exif": exif()}
    camera = decode(encode(image)).getexif().get_ifd(CAMERA)
    assert (camera[0xA002], camera[0xA003]) == (80, 48)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_what_a_format_holds_comes_back_and_the_rest_is_refused(format, mode):
    image = noise(mode)
    if mode not in FORMATS[format].modes:
        with pytest.raises(
            SRHubError, match=f"{format} cannot hold (16-bit grey|transparency): use"
        ):
            encode(image, format=format)
        return
    again = decode(encode(image, format=format))
    assert again.size == image.size
    if format in ("PNG", "TIFF"):
        assert again.mode == mode
        assert np.array_equal(np.asarray(again), np.asarray(image))
    elif format == "WEBP":
        assert np.array_equal(np.asarray(again.convert(mode)), np.asarray(image))
    else:
        assert again.mode == {"LA": "RGBA"}.get(mode, mode)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "TIFF"])
def test_other_formats_name_the_software_in_their_exif(format):
    image = noise()
    image.info = {"text": {"Software": "sr_hub 0 (rrim-x4, x4)", "Model": "rrim-x4"}}
    assert decode(encode(image, format=format)).getexif()[SOFTWARE] == "sr_hub 0 (rrim-x4, x4)"


def test_text_of_a_png_is_kept():
    image = noise()
    image.info = {"text": {"Comment": "Grüße", "parameters": "steps: 20, " * 200, "Titel": "猫"}}
    assert decode(encode(image)).info["text"] == image.info["text"]


@pytest.mark.parametrize("key", ["notices", "text", "icc_profile", "exif", "dpi"])
def test_png_text_of_any_name_is_text(key):
    image = Image.new("RGB", (4, 3))
    image.info = {"text": {key: "abc"}}
    again = decode(encode(image))
    assert again.info["text"] == {key: "abc"}
    assert again.info.keys() <= {"text", "notices"}
    for format in FORMATS:
        assert decode(encode(again, format=format)).size == (4, 3)


def png_with(**chunks):
    info = PngImagePlugin.PngInfo()
    for name, numbers in chunks.items():
        info.add(name.encode(), struct.pack(f">{len(numbers)}I", *numbers))
    return file_of(noise(), "PNG", pnginfo=info)


P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


@pytest.mark.parametrize("chunks", [{"gAMA": [100000]}, {"gAMA": [45455], "cHRM": P3}])
def test_a_gamma_or_primaries_that_are_lost_are_told(chunks):
    (notice,) = decode(png_with(**chunks)).info["notices"]
    assert notice.startswith("has a gamma or primaries of its own")


def test_the_gamma_of_srgb_is_no_loss_and_none_counts_beside_a_profile():
    usual = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    marked = Image.open(io.BytesIO(png_with(gAMA=[100000])))
    marked.info["icc_profile"] = SRGB
    for image in (decode(png_with(gAMA=[45455], cHRM=usual)), normalise(marked)):
        assert "notices" not in image.info


def test_quality_is_for_lossy_formats():
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    for format in ("JPEG", "AVIF"):
        assert len(encode(image, format=format, quality=30)) < len(encode(image, format=format))


def test_jpeg_keeps_colour_at_every_pixel():
    with Image.open(io.BytesIO(encode(noise(), format="JPEG"))) as image:
        assert JpegImagePlugin.get_sampling(image) == 0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("1", "L"),
        ("L", "L"),
        ("LA", "LA"),
        ("La", "LA"),
        ("P", "RGB"),
        ("PA", "RGBA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("RGBa", "RGBA"),
        ("RGBX", "RGB"),
        ("CMYK", "RGB"),
        ("YCbCr", "RGB"),
        ("HSV", "RGB"),
        ("LAB", "RGB"),
        ("I;16", "I;16"),
        ("I;16B", "I;16"),
    ],
)
def test_every_mode_becomes_one_of_five(mode, expected):
    image = normalise(Image.new(mode, (3, 2)))
    assert image.mode == expected
    assert image.size == (3, 2)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_without_a_known_white_are_refused(mode):
    with pytest.raises(SRHubError, match=r"32-bit values .* convert it to 16-bit grey"):
        normalise(Image.new(mode, (3, 2)))


def test_transparent_palettes_become_rgba():
    palette = noise().quantize(4)
    data = file_of(palette, "PNG", transparency=bytes([0, 128, 255, 255]))
    image = decode(data)
    assert image.mode == "RGBA"
    assert set(np.unique(np.asarray(image)[..., 3])) == {0, 128, 255}
    assert decode(file_of(palette, "PNG")).mode == "RGB"
    assert decode(file_of(palette, "GIF", transparency=0)).mode == "RGBA"


def test_transparent_grey_and_colour_keys_become_alpha():
    grey = decode(file_of(noise("L"), "PNG", transparency=int(noise("L").getpixel((0, 0)))))
    assert grey.mode == "LA"
    assert grey.getpixel((0, 0))[1] == 0
    colour = decode(file_of(noise(), "PNG", transparency=noise().getpixel((0, 0))))
    assert colour.mode == "RGBA"
    assert colour.getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_dark_sixteen_bit_grey_is_sixteen_bit_by_type(format):
    dark = Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12))
    image = decode(file_of(dark, format))
    assert image.mode == "I;16"
    assert np.array_equal(np.asarray(image), np.asarray(dark))
    assert "notices" not in image.info


def test_a_transparent_grey_of_sixteen_bits_is_dropped_with_a_notice():
    image = decode(file_of(noise("I;16"), "PNG", transparency=700))
    assert image.mode == "I;16"
    assert "transparent grey" in image.info["notices"][0]


@pytest.mark.parametrize(("colour_type", "mode"), [(2, "RGB"), (4, "LA"), (6, "RGBA")])
def test_colours_in_sixteen_bits_are_read_in_eight_with_a_notice(colour_type, mode):
    channels = len(mode)
    values = np.random.default_rng(0).integers(0, 65536, (3, 4 * channels))
    image = decode(png(16, colour_type, values))
    assert image.mode == mode
    assert np.array_equal(np.asarray(image), (values >> 8).reshape(3, 4, channels))
    assert image.info["notices"] == [
        "has 16 bits per channel, of which 8 are used: only grey is kept in 16 bits"
    ]


@pytest.mark.parametrize(("white", "told"), [(255, False), (1023, True), (65535, True)])
@pytest.mark.parametrize("kind", ["P3", "P6"])
def test_colours_in_more_bits_of_a_ppm_file_are_told_too(kind, white, told):
    values = [white, 0, white // 2]
    size = 1 if white < 256 else 2
    raw = b"".join(value.to_bytes(size, "big") for value in values)
    plain = " ".join(map(str, values)).encode()
    image = decode(f"{kind} 1 1 {white}\n".encode() + (plain if kind == "P3" else raw))
    assert image.getpixel((0, 0))[:2] == (255, 0)
    assert ("of which 8 are used" in "".join(image.info.get("notices", []))) is told


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"])
def test_more_than_one_picture_in_a_file_is_told(format):
    frames = [noise().point([value // shade for value in range(256)] * 3) for shade in (1, 2, 4)]
    data = file_of(frames[0], format, save_all=True, append_images=frames[1:])
    image = decode(data)
    (notice,) = image.info["notices"]
    assert notice.startswith("holds 3 pictures")
    assert np.abs(np.asarray(image).astype(int) - np.asarray(frames[0])).mean() < 25


def test_cmyk_becomes_rgb_without_its_profile():
    cmyk = Image.new("CMYK", (8, 8), (0, 200, 200, 0))
    plain = decode(file_of(cmyk, "JPEG"))
    assert plain.mode == "RGB"
    assert np.abs(np.asarray(plain)[0, 0].astype(int) - (255, 55, 55)).max() < 4
    blue = one_colour_cmyk_profile((82, 207, 20))
    image = decode(file_of(cmyk, "JPEG", icc_profile=blue))
    assert image.mode == "RGB"
    assert "icc_profile" not in image.info
    red, green, blue = np.asarray(image)[4, 4].astype(int)
    assert blue > 150 > 100 > max(red, green)


def test_a_profile_that_does_not_fit_cmyk_is_told():
    image = decode(file_of(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=SRGB))
    assert image.mode == "RGB"
    assert "profile that does not fit CMYK" in image.info["notices"][0]


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_a_grey_profile_becomes_srgb_where_the_file_holds_only_rgb(format):
    image = noise("LA")
    image.info = {"icc_profile": grey_profile(1.0)}
    assert decode(encode(image)).info["icc_profile"] == grey_profile(1.0)
    again = decode(encode(image, format=format, quality=100))
    assert "icc_profile" not in again.info
    linear = np.asarray(image)[..., 0].astype(float) / 255
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear) * 255
    assert np.abs(np.asarray(again)[..., 0] - srgb).max() < 4
    assert np.array_equal(np.asarray(again)[..., -1], np.asarray(image)[..., 1])


def test_what_is_normal_stays_and_the_original_is_not_touched():
    image = noise("RGBA")
    image.info = {"icc_profile": SRGB, "dpi": (72, 72)}
    result = normalise(image)
    assert result is not image
    assert np.array_equal(np.asarray(result), np.asarray(image))
    assert result.info == {"icc_profile": SRGB}
    assert set(image.info) == {"icc_profile", "dpi"}
    assert normalise(result).info == result.info


TRUNCATED = ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"]


@pytest.mark.parametrize("format", TRUNCATED)
@pytest.mark.parametrize("part", [0.3, 0.95])
def test_a_truncated_file_is_one_line(format, part):
    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = file_of(Image.fromarray(colours), format)
    with pytest.raises(SRHubError) as error:
        decode(data[: int(part * len(data))])
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(("the file is damaged", "the file is not a picture"))


def test_other_files_are_named(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    with pytest.raises(SRHubError, match=r"text\.png is not a picture of a known format"):
        decode(text)
    with pytest.raises(SRHubError, match=r"cannot read .*none\.png: No such file"):
        decode(tmp_path / "none.png")
    with pytest.raises(SRHubError, match=r"cannot read .*: Is a directory"):
        decode(tmp_path)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(SRHubError, match="not a picture"):
        decode(postscript)
    assert ".eps" not in readable_suffixes()
    assert {".png", ".jpg", ".webp", ".avif", ".tif"} <= readable_suffixes()


def test_decompression_bombs_are_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(SRHubError, match="million pixels"):
        decode(file_of(Image.new("L", (50, 50)), "PNG"))


def test_too_large_for_a_format_is_one_line():
    with pytest.raises(SRHubError, match="WEBP cannot hold 16384x1 pixels, only 16383 a side"):
        encode(Image.new("L", (16384, 1)), format="WEBP")
    with pytest.raises(SRHubError, match="unknown format 'HEIC'"):
        encode(noise(), format="HEIC")


def test_saving_is_whole_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    save(noise(), path)
    assert np.array_equal(np.asarray(decode(path)), np.asarray(noise()))
    before = path.read_bytes()

    def fail(self, stream, *_, **__):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(SRHubError, match=r"cannot write .*a\.png: No space left"):
        save(noise(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_suffix_names_the_format(tmp_path):
    save(noise(), tmp_path / "a.WEBP")
    assert Image.open(tmp_path / "a.WEBP").format == "WEBP"
    with pytest.raises(SRHubError, match=r"a\.xyz ends in \.xyz: use one of \.png"):
        save(noise(), tmp_path / "a.xyz")


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_tensors_and_pictures_are_inverse(mode):
    x = to_tensor(noise(mode))
    assert x.shape == (1, 3, 12, 20)
    assert x.dtype == torch.float32
    assert x.min() >= 0 and x.max() <= 1
    assert np.array_equal(np.asarray(from_tensor(x, mode)), np.asarray(noise(mode)))


def test_every_sixteen_bit_value_survives():
    values = Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    assert np.array_equal(np.asarray(from_tensor(to_tensor(values), "I;16")), np.asarray(values))


def test_values_are_clamped_and_rounded_and_not_cut_off():
    x = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 254.6 / 255, 7.0]).expand(1, 3, 1, 5)
    assert np.asarray(from_tensor(x))[0, :, 0].tolist() == [0, 0, 1, 255, 255]


def test_grey_is_the_luma_of_the_channels():
    rgb = noise()
    grey = np.asarray(from_tensor(to_tensor(rgb), "L")).astype(int)
    assert np.abs(grey - np.asarray(rgb.convert("L"))).max() <= 1


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_hidden_colours_are_taken_from_the_visible_ones(mode):
    colour = (90, 180, 30)[: len(mode) - 1]
    image = Image.new(mode, (37, 23), (0,) * len(mode))
    image.paste((*colour, 200), (10, 5, 14, 9))
    colours, alpha = split_alpha(image)
    assert np.abs(np.asarray(colours).reshape(-1, len(colour)).astype(int) - colour).max() <= 4
    again = np.asarray(join_alpha(colours, alpha))
    visible = np.asarray(alpha) > 0
    assert np.array_equal(again[visible], np.asarray(image)[visible])
    assert np.array_equal(again[..., -1], np.asarray(image)[..., -1])


def test_pages_of_a_long_chain_are_not_all_counted(monkeypatch):
    pages = [Image.new("L", (2, 2), value) for value in range(6)]
    data = io.BytesIO()
    pages[0].save(data, "TIFF", save_all=True, append_images=pages[1:])
    assert decode(data.getvalue()).info["notices"][0].startswith("holds 6 pictures")
    monkeypatch.setattr("sr_hub.normalise.MANY", 4)
    seeks = []
    seek = TiffImagePlugin.TiffImageFile.seek
    monkeypatch.setattr(
        TiffImagePlugin.TiffImageFile, "seek", lambda self, n: (seeks.append(n), seek(self, n))
    )
    decoded = decode(data.getvalue())
    assert decoded.info["notices"][0].startswith("holds 4+ pictures") and max(seeks) < 4
    assert decoded.getpixel((0, 0)) == 0
