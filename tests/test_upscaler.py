"""Pictures through an `Upscaler`: tiles, modes, what stays of a file, what is refused."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn
from upscaler_parts import MODES, noise, small

import sr_hub
from sr_hub import upscaler as upscaler_module
from sr_hub.errors import SRHubError
from sr_hub.image import decode, encode, from_tensor, to_tensor
from sr_hub.models import MODELS, Interpolation, RRDBNet, rrdbnet
from sr_hub.models.rrim import RRIM
from sr_hub.upscaler import Upscaler


def whole_and_tiled(model, height, width, tile):
    x = torch.rand(1, 3, height, width)
    tiled = Upscaler(model, device="cpu", precision="fp32", tile=tile)
    assert len(tiled.tiles(height, width, "fp32")) > 1
    with torch.no_grad():
        whole = model(x.contiguous(memory_format=torch.channels_last)).clamp(0, 1)
    assert whole.std() > 0.05
    return whole, tiled.run(x)


@pytest.mark.parametrize("name", MODELS)
def test_tiles_equal_the_whole_picture(name):
    check_that_tiles_equal_the_whole(small(name))


def far_seeing():
    """A RRDBNet that carries every pixel as far as it can see, and leaves it where it was too."""
    model = MODELS["RRDBNet"](channels=4, growth=2, blocks=10).eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.zero_()
                layer.weight[:, -1, 1, 0] = 1
        model.conv_last.weight /= model(torch.ones(1, 3, 6, 400)).max()
    return model


def test_tiles_equal_the_whole_picture_where_a_network_sees_very_far(monkeypatch):
    monkeypatch.setattr(rrdbnet, "RESIDUAL_SCALE", 1.0)
    model = far_seeing()
    assert model.receptive_field == 155
    check_that_tiles_equal_the_whole(model)
    monkeypatch.setattr(RRDBNet, "receptive_field", 48)
    whole, tiled = whole_and_tiled(model, 6, 640, tile=160)
    assert (tiled - whole).abs().max() > 1e-3


def check_that_tiles_equal_the_whole(model):
    width = 4 * (model.receptive_field + model.size_multiple)
    whole, tiled = whole_and_tiled(model, 6, width, tile=width // 4)
    assert (tiled - whole).abs().max() < 1e-5


def test_tiles_of_any_size_equal_the_whole_picture():
    for tile in (5, 16, 30):
        whole, tiled = whole_and_tiled(small(), 57, 90, tile)
        assert (tiled - whole).abs().max() < 1e-5


def test_an_overlap_below_the_receptive_field_is_seen(monkeypatch):
    model = small()
    monkeypatch.setattr(RRIM, "receptive_field", 3)
    whole, tiled = whole_and_tiled(model, 40, 60, tile=8)
    assert (tiled - whole).abs().max() > 1e-4


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (5, 1), (13, 7)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_any_size_from_one_pixel(size, scale):
    upscaler = Upscaler(small(scale=scale), device="cpu", tile=4)
    width, height = size
    assert upscaler(Image.new("RGB", size, "red")).size == (scale * width, scale * height)
    assert upscaler.run(torch.rand(1, 3, height, width)).shape[-2:] == (
        scale * height,
        scale * width,
    )


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_stays_what_it_is(mode):
    image = noise(mode)
    result = Upscaler(Interpolation(mode="nearest"), device="cpu")(image)
    assert result.mode == mode
    expected = np.asarray(image).repeat(4, 0).repeat(4, 1)
    got = np.asarray(result)
    if mode in ("LA", "RGBA"):
        hidden = expected[..., -1] == 0
        assert np.array_equal(got[..., -1], expected[..., -1])
        got, expected = got[~hidden], expected[~hidden]
    assert np.array_equal(got, expected)


def test_sixteen_bits_are_used_even_in_a_dark_picture():
    dark = Image.fromarray(np.tile(np.arange(200, 230, dtype=np.uint16), (8, 1)))
    result = np.asarray(Upscaler(Interpolation(mode="bilinear"), device="cpu")(dark))
    assert result.dtype == np.uint16
    assert (result.min(), result.max()) == (200, 229)
    assert len(np.unique(result)) == 30


def test_alpha_is_enlarged_by_the_network_as_a_grey_picture():
    rgba = noise("RGBA")
    upscaler = Upscaler(small(), device="cpu", precision="fp32")
    grey = upscaler(rgba.getchannel("A"))
    alpha = upscaler(rgba).getchannel("A")
    assert np.asarray(alpha).std() > 10
    assert np.array_equal(np.asarray(alpha), np.asarray(grey))


def test_constant_alpha_does_not_go_through_the_network():
    image = noise("RGBA")
    image.putalpha(77)
    steps = []
    result = Upscaler(small(), device="cpu")(image, progress=lambda *step: steps.append(step))
    assert result.getchannel("A").getextrema() == (77, 77)
    assert steps == [(1, 1)]


def disc(hidden):
    """A white disc on nothing, whose transparent pixels hide the given colour."""
    y, x = np.mgrid[:32, :32] - 15.5
    alpha = np.clip(255 * (11 - np.hypot(x, y)), 0, 255).astype(np.uint8)
    colours = np.full((32, 32, 3), 255, np.uint8)
    colours[alpha == 0] = hidden
    return Image.fromarray(np.dstack([colours, alpha]))


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_no_dark_fringe_around_what_is_visible(mode):
    upscaler = Upscaler(Interpolation(mode=mode), device="cpu")
    pixels = np.asarray(upscaler(disc(hidden=(0, 0, 0))))
    assert pixels[pixels[..., 3] > 0].min(0)[:3].min() >= 254
    stretched = np.asarray(disc(hidden=(0, 0, 0)).convert("RGB").resize((128, 128)))
    assert stretched[pixels[..., 3] > 0].min() < 100


def test_hidden_colours_do_not_reach_the_result():
    upscaler = Upscaler(small(), device="cpu", precision="fp32")
    black, green = (upscaler(disc(hidden=c)) for c in ((0, 0, 0), (0, 255, 0)))
    assert np.array_equal(np.asarray(black), np.asarray(green))


def test_opaque_stays_opaque_and_transparent_transparent():
    image = disc(hidden=(0, 0, 0))
    alpha = np.asarray(Upscaler(small(), device="cpu")(image).getchannel("A"))
    assert (alpha[56:72, 56:72] == 255).all()
    assert (alpha[:8, :8] == 0).all()


def test_profile_exif_and_text_stay_and_the_result_says_who_made_it():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    file = io.BytesIO()
    noise().save(file, "JPEG", icc_profile=profile, exif=exif)
    result = Upscaler(small(), device="cpu")(Image.open(file))
    assert result.size == (4 * 11, 4 * 14)
    again = decode(encode(result))
    assert again.info["icc_profile"] == profile
    assert again.getexif()[0x010F] == "Camera"
    assert 0x0112 not in again.getexif()
    assert again.info["text"]["Model"] == "RRIM"
    assert again.info["text"]["Scale"] == "4"
    assert again.info["text"]["Software"].startswith("sr_hub ")


@pytest.mark.parametrize("mode", MODES)
def test_a_smaller_result_is_the_whole_one_reduced(mode):
    upscaler = Upscaler(Interpolation(mode="bicubic"), device="cpu")
    ramp = np.linspace(0.1, 0.9, 24)[None] * np.linspace(0.6, 1, 18)[:, None]
    dtype, shape = MODES[mode]
    values = np.round(ramp * np.iinfo(dtype).max).astype(dtype)
    image = Image.fromarray(values if len(shape) == 2 else np.stack([values] * shape[2], -1))
    whole, result = upscaler(image), upscaler(image, size=(60, 45))
    assert (whole.size, result.size, result.mode) == ((96, 72), (60, 45), mode)
    for channel, full in zip(result.split(), whole.split(), strict=True):
        expected = np.asarray(full.resize((60, 45), Image.Resampling.BICUBIC)).astype(float)
        assert np.abs(np.asarray(channel) - expected).max() <= 0.002 * np.iinfo(dtype).max
    assert result.info["text"]["Software"].endswith("x4), reduced to 60x45")


def test_reducing_draws_no_hidden_colour_into_an_edge():
    upscaler = Upscaler(small(), device="cpu", precision="fp32")
    black, green = (upscaler(disc(hidden=c), size=(50, 50)) for c in ((0, 0, 0), (0, 255, 0)))
    assert np.array_equal(np.asarray(black), np.asarray(green))
    alpha = np.asarray(black.getchannel("A"))
    assert (alpha.min(), alpha.max()) == (0, 255)


@pytest.mark.parametrize("size", [(57, 44), (56, 45), (0, 10), (5.0, 4), (10,), "10x10"])
def test_a_size_that_is_none_or_out_of_reach_is_refused(size):
    with pytest.raises(SRHubError, match=r"RRIM makes 56x44|whole pixels"):
        Upscaler(small(), device="cpu")(noise(), size=size)
    assert sr_hub.upscale(noise(), "bicubic", size=(20, 16)).size == (20, 16)


def test_the_input_is_not_changed():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    noise().save(file, "JPEG", exif=exif)
    image = Image.open(file)
    upscaler = Upscaler(small(), device="cpu")
    first, second = upscaler(image), upscaler(image)
    assert first.size == second.size == (44, 56)
    assert image.getexif()[0x0112] == 6


def test_notices_reach_the_caller():
    file = io.BytesIO()
    noise().save(file, "GIF", save_all=True, append_images=[Image.new("RGB", (14, 11))])
    (notice,) = Upscaler(small(), device="cpu")(Image.open(file)).info["notices"]
    assert "holds 2 pictures" in notice


def test_pictures_and_tensors_go_the_same_way():
    upscaler = Upscaler(small(), device="cpu")
    image = noise()
    tensor = upscaler.run(to_tensor(image))
    assert tensor.dtype == torch.float32
    assert tensor.min() >= 0 and tensor.max() <= 1
    assert np.array_equal(np.asarray(upscaler(image)), np.asarray(from_tensor(tensor)))


def test_progress_counts_the_tiles_of_colours_and_alpha():
    steps = []
    upscaler = Upscaler(Interpolation(mode="bicubic"), device="cpu", tile=4)
    upscaler(noise("LA"), progress=lambda *step: steps.append(step))
    assert len(upscaler.tiles(11, 14, "fp32")) == 6
    assert steps == [(done, 12) for done in range(1, 13)]


def test_sixteen_bit_pictures_are_computed_in_fp32_unless_told_otherwise(monkeypatch):
    fp32 = Upscaler(small(), device="cpu", precision="fp32")
    bf16 = Upscaler(small(), device="cpu", precision="bf16")
    monkeypatch.setattr(upscaler_module, "pick_precision", lambda *_: "bf16")
    auto = Upscaler(small(), device="cpu")
    exact, auto_16, auto_8, rough_8 = (
        np.asarray(upscaler(noise(mode)))
        for upscaler, mode in ((fp32, "I;16"), (auto, "I;16"), (auto, "L"), (bf16, "L"))
    )
    assert np.array_equal(auto_16, exact)
    assert np.array_equal(auto_8, rough_8)
    assert not np.array_equal(np.asarray(bf16(noise("I;16"))), exact)


def test_what_a_notebook_shows_says_what_will_run():
    upscaler = Upscaler(Interpolation(scale=2), device="cpu", ensemble=True, name="twice")
    assert repr(upscaler) == "<Upscaler twice, x2, fp32 on cpu, ensemble>"
    upscaler = Upscaler(Interpolation(), device="cpu", consistent=True, name="held")
    assert repr(upscaler) == "<Upscaler held, x4, fp32 on cpu, consistent>"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "banana"}, "no device 'banana'"),
        ({"device": "meta"}, "no device 'meta'"),
        ({"device": "hpu"}, "no device 'hpu'"),
        ({"device": None}, "no device 'None'"),
        ({"precision": "fp16"}, "precision 'fp16'"),
        ({"tile": 0}, "tile=0"),
        ({"tile": True}, "tile=True"),
        ({"tile": "64"}, "tile='64': a tile is a whole number"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(SRHubError, match=message):
        Upscaler(Interpolation(), **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), "give a PIL picture, not a ndarray; Image.fromarray"),
        ("photo.jpg", r"photo\.jpg is a name: sr_hub\.image\.decode"),
        (Path("photo.jpg"), r"photo\.jpg is a name: sr_hub\.image\.decode"),
        (None, "give a PIL picture, not a NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_way_to_one(given, message):
    import sr_hub

    for enlarge in (Upscaler(Interpolation(), device="cpu"), sr_hub.upscale):
        with pytest.raises(SRHubError, match=message):
            enlarge(given)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(3, 4, 5), r"\(N, 3, H, W\), not \(3, 4, 5\)"),
        (torch.rand(1, 1, 4, 5), r"not \(1, 1, 4, 5\)"),
        (torch.rand(1, 3, 0, 5), r"not \(1, 3, 0, 5\)"),
        (torch.zeros(1, 3, 4, 5, dtype=torch.uint8), r"floats in \[0, 1\], not torch\.uint8"),
        (np.zeros((1, 3, 4, 5)), "not a ndarray"),
        (torch.rand(1, 3, 4, 5) * 255, r"\[0, 1\], not from .* to \d+: scale them, as by x / 255"),
        (torch.linspace(-1, 1, 60).view(1, 3, 4, 5), r"not from -1 to 1"),
    ],
)
def test_a_tensor_of_another_kind_is_refused(x, message):
    with pytest.raises(SRHubError, match=message):
        Upscaler(small(), device="cpu").run(x)


def test_a_tensor_a_little_beyond_the_range_is_taken():
    x = torch.linspace(-0.3, 1.4, 60).view(1, 3, 4, 5)
    assert Upscaler(small(), device="cpu").run(x).shape[-2:] == (16, 20)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_every_floating_type_is_taken(dtype):
    upscaler = Upscaler(small(), device="cpu", precision="fp32")
    x = torch.rand(1, 3, 5, 6).to(dtype)
    assert torch.equal(upscaler.run(x), upscaler.run(x.float()))


def test_the_function_keeps_the_model_loaded(monkeypatch):
    import sr_hub

    loads = []
    monkeypatch.setattr(upscaler_module, "load_named", lambda name: loads.append(name) or small())
    upscaler_module._loaded.cache_clear()
    first = sr_hub.upscale(noise(), model="some-model", device="cpu")
    steps = []
    second = sr_hub.upscale(
        noise(), model="some-model", device="cpu", progress=lambda *step: steps.append(step)
    )
    upscaler_module._loaded.cache_clear()
    assert loads == ["some-model"]
    assert steps == [(1, 1)]
    assert first.info["text"]["Model"] == "some-model"
    assert np.array_equal(np.asarray(first), np.asarray(second))


def test_the_function_loads_a_folder_again_that_was_saved_again(tmp_path):
    import sr_hub

    results = []
    for name in ("ESPCN", "SRCNN"):
        network = small(name)
        network.save_pretrained(tmp_path)
        results.append(sr_hub.upscale(noise(), model=tmp_path, device="cpu").tobytes())
        assert results[-1] == Upscaler(network, device="cpu")(noise()).tobytes()
    assert results[0] != results[1]


def test_the_function_sends_a_network_to_the_class():
    import sr_hub

    with pytest.raises(SRHubError, match="not a RRIM: give it to Upscaler"):
        sr_hub.upscale(noise(), model=small())


def test_what_wraps_a_network_is_refused_by_name():
    with pytest.raises(SRHubError, match="not a DataParallel"):
        Upscaler(torch.nn.DataParallel(small()))


def test_importing_the_package_is_light():
    code = (
        "import sys, sr_hub; heavy = {'torch', 'gradio', 'piq', 'torchvision', 'typer'};"
        "print(sorted(heavy & set(sys.modules))); from sr_hub import MODELS, Upscaler;"
        "print(sr_hub.load_model.__name__, 'RRIM' in MODELS, Upscaler.__name__);"
        "print([name for name in sr_hub.__all__ if not hasattr(sr_hub, name)]);"
        "print(all(getattr(sr_hub, name) is network for name, network in MODELS.items()));"
        "print(issubclass(sr_hub.RRIM, sr_hub.SRModel));"
        "print(len(Upscaler('rrim-x4', device='cpu').tiles(300, 400, 'fp32')));"
        "print('torch._dynamo' in sys.modules)"  # the compiler of torch: a second or more
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *light, tiles, compiler = done.stdout.splitlines()
    assert light == ["[]", "load_model True Upscaler", "[]", "True", "True"]
    assert int(tiles) > 1 and compiler == "False"


def test_another_default_type_of_torch_changes_nothing(tmp_path):
    small().save_pretrained(tmp_path)
    x, pictures = torch.rand(1, 3, 5, 6), [noise(mode) for mode in MODES]
    size = (320, 300)  # more than is tried without asking how much fits

    def results():
        upscaler = Upscaler(tmp_path, device="cpu", precision="fp32")
        enlarged = [upscaler(picture).tobytes() for picture in pictures]
        return upscaler.run(x), upscaler(Image.new("L", size, 90)).tobytes(), *enlarged

    expected = results()
    torch.set_default_dtype(torch.float64)
    try:
        found = results()
    finally:
        torch.set_default_dtype(torch.float32)
    assert found[0].dtype == torch.float32
    assert torch.equal(found[0], expected[0]) and found[1:] == expected[1:]


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel, nn.Sequential])
def test_a_wrapped_network_is_refused_with_where_the_network_is(wrap):
    with pytest.raises(SRHubError, match=r"give the network itself \(\.module, \._orig_mod\)"):
        Upscaler(wrap(small()))


def test_a_name_that_is_too_long_is_one_line():
    with pytest.raises(SRHubError, match="no model"):
        sr_hub.upscale(Image.new("RGB", (4, 4)), "x" * 300)


def test_no_number_is_refused_as_a_value_and_not_blamed_on_the_weights():
    with pytest.raises(SRHubError, match=r"run takes values in \[0, 1\], not from nan"):
        Upscaler("espcn-x4").run(torch.full((1, 3, 8, 8), torch.nan))
