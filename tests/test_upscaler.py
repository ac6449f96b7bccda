import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn

from sr_hub import upscaler as upscaler_module
from sr_hub.errors import SRHubError
from sr_hub.image import decode, encode, from_tensor, to_tensor
from sr_hub.models import MODELS, Interpolation, RRDBNet, rrdbnet
from sr_hub.models.rrim import RRIM
from sr_hub.precision import last_convolution
from sr_hub.upscaler import Upscaler
from sr_hub.webapp.fields import EXAMPLES

SMALL = {
    "RRIM": {"channels": 8, "groups": 1, "shallow": "5:4,7:4", "middle": "3:4,5:4", "deep": "3:36"},
    "SRResNet": {"channels": 8, "blocks": 2},
    "RRDBNet": {"channels": 8, "growth": 4, "blocks": 1},
}
MODES = {
    "L": (np.uint8, (11, 14)),
    "LA": (np.uint8, (11, 14, 2)),
    "RGB": (np.uint8, (11, 14, 3)),
    "RGBA": (np.uint8, (11, 14, 4)),
    "I;16": (np.uint16, (11, 14)),
}


def small(name="RRIM", scale=4):
    """A small untrained network whose output depends on all that it sees."""
    torch.manual_seed(1)
    return loud(MODELS[name](scale=scale, **SMALL.get(name, {})))


def loud(model):
    """The network with weights that let through what it sees."""
    model.eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(
                layer.weight, a=0.2, mode="fan_out" if layer.weight.shape[0] > 3 else "fan_in"
            )
    return model


def noise(mode="RGB"):
    dtype, shape = MODES[mode]
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    image = Image.fromarray(values)
    assert image.mode == mode
    return image


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


@pytest.mark.parametrize(("skip", "kind"), [(False, torch.float32), (True, torch.bfloat16)])
def test_bf16_keeps_the_last_layer_exact_only_where_it_gives_the_whole_picture(skip, kind):
    model = loud(RRIM(**SMALL["RRIM"], bicubic_skip=skip))
    seen = []
    layer = model.get_submodule(last_convolution(model))
    layer.register_forward_hook(lambda *call: seen.append(call[2].dtype))
    x = torch.rand(1, 3, 24, 24)
    bf16 = Upscaler(model, device="cpu", precision="bf16").run(x)
    assert set(seen) == {kind}
    exact = Upscaler(model, device="cpu", precision="fp32").run(x)
    assert 0 < (bf16 - exact).abs().mean() < 0.02


@pytest.mark.parametrize("name", ["rrim-x4", "srgan-x4", "srcnn-x4"])
def test_bf16_costs_a_picture_next_to_nothing(name):
    image = Image.open(EXAMPLES / "bridge.png").convert("RGB").crop((0, 0, 64, 64))
    bf16, fp32 = (
        np.asarray(Upscaler(name, device="cpu", precision=precision)(image), np.int16)
        for precision in ("bf16", "fp32")
    )
    difference = np.abs(bf16 - fp32)
    assert difference.max() <= 2
    assert 0 < (difference > 0).mean() < 0.05


@pytest.mark.parametrize("name", [n for n in MODELS if n != "Interpolation"])
def test_the_convolution_registered_last_runs_last(name):
    model, order = small(name), []
    for key, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda *_, key=key: order.append(key))
    with torch.no_grad():
        model(torch.rand(1, 3, 8, 8))
    assert order[-1] == last_convolution(model)


class OverflowsInBf16(RRIM):
    """Gives values that are not finite, but only where autocast is on."""

    def forward(self, x):
        output = super().forward(x)
        return output * float("inf") if torch.is_autocast_enabled("cpu") else output


def test_a_tile_that_is_not_finite_in_bf16_is_run_again_in_fp32():
    model = OverflowsInBf16(**SMALL["RRIM"])
    x = torch.rand(1, 3, 12, 12)
    bf16 = Upscaler(model, device="cpu", precision="bf16").run(x)
    fp32 = Upscaler(model, device="cpu", precision="fp32").run(x)
    assert torch.equal(bf16, fp32)


def test_broken_weights_are_an_error_and_not_a_black_picture():
    model = small()
    next(model.parameters()).data[0] = float("nan")
    for precision in ("fp32", "bf16"):
        with pytest.raises(SRHubError, match="RRIM gives values that are not finite"):
            Upscaler(model, device="cpu", precision=precision)(noise())


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "banana"}, "no device 'banana'"),
        ({"device": "meta"}, "no device 'meta'"),
        ({"device": "hpu"}, "no device 'hpu'"),
        ({"device": None}, "no device 'None'"),
        ({"precision": "fp16"}, "precision 'fp16'"),
        ({"tile": 0}, "tile=0"),
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
    ],
)
def test_a_tensor_of_another_kind_is_refused(x, message):
    with pytest.raises(SRHubError, match=message):
        Upscaler(small(), device="cpu").run(x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_every_floating_type_is_taken(dtype):
    upscaler = Upscaler(small(), device="cpu", precision="fp32")
    x = torch.rand(1, 3, 5, 6).to(dtype)
    assert torch.equal(upscaler.run(x), upscaler.run(x.float()))


def test_a_network_that_is_trained_meanwhile_is_not_touched():
    network = small("SRResNet")
    upscaler = Upscaler(network, device="cpu")
    expected = upscaler(noise()).tobytes()
    network.train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    assert upscaler(noise()).tobytes() == expected
    assert network.training
    assert all(torch.equal(before[name], buffer) for name, buffer in network.named_buffers())


def test_two_threads_share_a_network_that_is_trained_meanwhile():
    network = small("SRResNet")
    first, second = (Upscaler(network, device="cpu") for _ in range(2))
    network.train()
    within, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: second(noise()))
    states = []

    def second_is_overtaken(layer, *_):
        if threading.current_thread() is thread:
            within.set()
            done.wait(60)
            states.append(layer.training)
        elif not thread.ident:
            thread.start()
            within.wait(60)

    next(network.children()).register_forward_pre_hook(second_is_overtaken)
    first(noise())
    done.set()
    thread.join()
    assert set(states) == {False}
    assert network.training


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
        "print(issubclass(sr_hub.RRIM, sr_hub.SRModel))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "load_model True Upscaler", "[]", "True", "True"]


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
