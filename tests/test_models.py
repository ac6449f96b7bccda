"""What every network must be, over the table of networks, and the facts that their sources fix."""

import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

import sr_hub
from sr_hub.base import SRModel
from sr_hub.blocks import ShuffledConv2d
from sr_hub.bundled import bundled_models
from sr_hub.contestants import load_contestants
from sr_hub.degrade import downscale, quantise
from sr_hub.errors import SRHubError
from sr_hub.image import decode, to_tensor
from sr_hub.models import BASELINES, ESPCN, MODELS, Interpolation, load_model
from sr_hub.models.rrim import RRIM, InceptionModule, parse_branches

SMALL = {
    "RRIM": {"channels": 8, "shallow": "5:4,7:4", "middle": "3:4,3+3:4", "deep": "3:18,3+3:18"},
    "SRResNet": {"channels": 8, "blocks": 2},
    "RRDBNet": {"channels": 8, "blocks": 1, "growth": 4},
    "SRVGGNetCompact": {"channels": 8, "convs": 2},
    "MSRResNet": {"channels": 8, "blocks": 2},
}
"""Arguments that make a network quick, where it has such arguments."""

WAVES = Path(sr_hub.__file__).with_name("webapp") / "examples/waves.png"
"""A woodblock print of 320 x 216: the smooth texture of paper."""

NETWORKS = [name for name in MODELS if name != "Interpolation"]
EVERY = [(name, scale) for name, network in MODELS.items() for scale in network.scales]
CROSSED = ("RRIM", {"crossed": True})


def small(name, **arguments):
    return MODELS[name](**SMALL.get(name, {}), **arguments)


def shaken(network):
    """The network in evaluation mode, no parameter or statistic at a value that hides a bug."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def test_the_package_itself_gives_every_network():
    assert set(MODELS) <= set(sr_hub.__all__)


def test_a_network_that_does_not_say_how_far_it_sees_is_named():
    class Silent(SRModel):
        pass

    with pytest.raises(NotImplementedError, match="Silent has no receptive_field"):
        _ = Silent(scale=2).receptive_field


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_output_is_scale_times_any_input(name, scale):
    network = small(name, scale=scale).eval()
    with torch.inference_mode():
        for height, width in ((1, 1), (5, 9), (13, 8)):
            output = network(torch.rand(2, 3, height, width))
            assert output.shape == (2, 3, scale * height, scale * width)
            assert torch.isfinite(output).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", MODELS)
def test_a_network_runs_in_the_type_that_it_is_cast_to(name, dtype):
    network, image = shaken(small(name)), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        expected = network(image)
        output = network.to(dtype)(image.to(dtype))
    assert (output - expected).abs().max() < 0.03 * expected.abs().max()


@pytest.mark.parametrize("name", ["SRNet", "SRCNN"])
def test_in_float64_the_enlarged_input_is_in_float64_too(name):
    network, image = small(name).double().eval(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    exact = nn.functional.interpolate(image, scale_factor=4.0, mode="bicubic")
    assert torch.equal(network(image), exact)


@pytest.mark.parametrize("name", MODELS)
def test_autocast_takes_either_type(name):
    network, image = shaken(small(name)), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        expected = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = [network(image), network(image.bfloat16())]
    for output in outputs:
        assert (output - expected).abs().max() < 0.03 * expected.abs().max()


@pytest.mark.parametrize(("name", "arguments"), [*((name, {}) for name in NETWORKS), CROSSED])
def test_every_parameter_gets_a_gradient(name, arguments):
    network = small(name, **arguments).train()
    network(torch.rand(2, 3, 16, 16)).square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded_it_is_the_same_network(name, tmp_path):
    arguments = {"mode": "bilinear", "scale": 3} if name == "Interpolation" else {"scale": 2}
    network = shaken(small(name, **arguments))
    network.save_pretrained(tmp_path / "folder")
    loaded = load_model(tmp_path / "folder")
    image = torch.rand(1, 3, 9, 7)
    assert type(loaded) is type(network)
    assert loaded.arguments == network.arguments
    assert not loaded.training
    assert torch.equal(loaded(image), network(image))


@pytest.mark.parametrize(("name", "arguments"), [*((name, {}) for name in MODELS), CROSSED])
def test_receptive_field_holds(name, arguments):
    """A pixel beyond the stated reach changes nothing, whatever its place on the grid."""
    network = shaken(small(name, **arguments))
    reach, scale = network.receptive_field, network.scale
    image = torch.rand(1, 3, 8, 2 * reach + 2 * network.size_multiple + 8)
    with torch.inference_mode():
        before = network(image)
        for column in range(reach, reach + 9, 4):
            changed = image.clone()
            changed[..., column] = 1 - changed[..., column]
            columns = (network(changed) - before).abs().amax(dim=(0, 1, 2)).nonzero() // scale
            assert column in columns
            assert (columns - column).abs().max() <= reach


def test_rrdbnet_enlarged_by_strips_is_what_it_is_in_one_piece():
    network = shaken(small("RRDBNet"))
    image = torch.rand(1, 3, 300, 130)
    in_one_piece = network(image).detach()
    with torch.inference_mode():
        by_strips = network(image)
    assert (by_strips - in_one_piece).abs().max() < 1e-6


@pytest.mark.parametrize("name", MODELS)
def test_an_impossible_scale_is_refused_with_the_number(name):
    with pytest.raises(SRHubError, match="scale=9"):
        MODELS[name](scale=9)


@pytest.mark.parametrize("name", ["SRResNet", "RRIM", "LiteSRResNet", "SRCNN", "ESPCN", "SRNet"])
def test_bicubic_skip_adds_the_enlarged_input(name):
    with_skip, without = small(name, bicubic_skip=True), small(name, bicubic_skip=False)
    without.load_state_dict(with_skip.state_dict())
    image = torch.rand(1, 3, 8, 8)
    bicubic = load_model("bicubic-opencv")(image)
    expected = without.eval()(image)
    if name == "LiteSRResNet":  # its tanh is moved to [0, 1] where it is the picture itself
        expected = expected * 2 - 1
    assert torch.allclose(with_skip.eval()(image), expected + bicubic, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "parameters"),
    [
        ("RRDBNet", {}, 16_697_987),
        ("LiteSRResNet", {}, 642_050),
        ("SRResNet", {"bias": False, "shared_prelu": True}, 1_546_754),
        ("SRResNet", {}, 1_549_462),
        ("RRIM", {}, 620_639),
        ("RRIM", {"crossed": True}, 1_231_007),
        ("SRNet", {}, 9_600_206),
        ("SRNet", {"channels": 64}, 2_403_982),
        ("SRCNN", {}, 20_099),
        ("ESPCN", {}, 37_200),
        ("SRVGGNetCompact", {}, 621_424),
        ("MSRResNet", {}, 1_517_571),
        ("Interpolation", {}, 0),
    ],
)
def test_parameter_counts(name, arguments, parameters):
    assert MODELS[name](**arguments).num_parameters == parameters


def test_multiply_adds_of_srresnet_by_hand():
    pixels = 64 * 64
    trunk = (32 + 1) * 64 * 64 * 9
    sub_pixel = (1 + 4) * 64 * 256 * 9
    head = 3 * 64 * 81
    to_rgb = 4 * (4 * 3) * (4 * 64) * 25  # a 9x9 kernel in front of the last shuffle: 5x5
    ends = head + to_rgb
    assert MODELS["SRResNet"]().multiply_adds(64, 64) == pixels * (trunk + sub_pixel + ends)


def test_lite_srresnet_needs_about_30_percent_of_the_multiply_adds():
    lite, full = MODELS["LiteSRResNet"](), MODELS["SRResNet"]()
    assert 0.28 < lite.multiply_adds(64, 64) / full.multiply_adds(64, 64) < 0.34


def test_srresnet_without_batch_norm_has_none():
    assert not any(
        isinstance(m, nn.BatchNorm2d) for m in MODELS["SRResNet"](batch_norm=False).modules()
    )
    assert sum(isinstance(m, nn.BatchNorm2d) for m in MODELS["SRResNet"]().modules()) == 33


class TestRRIMKeepsTheRulesOfTheReport:
    def test_no_norm_and_no_pooling(self):
        forbidden = ("Norm", "Pool")
        assert not any(word in type(m).__name__ for m in RRIM().modules() for word in forbidden)

    def test_three_shallow_modules_to_one_middle(self):
        groups = RRIM().trunk
        assert len(groups) == 4
        assert all(len(g.shallow) == 3 and isinstance(g.middle, InceptionModule) for g in groups)

    def test_every_kernel_of_a_module_is_factorised(self):
        convs = [
            layer
            for module in RRIM().modules()
            if isinstance(module, InceptionModule)
            for layer in module.modules()
            if isinstance(layer, nn.Conv2d)
        ]
        assert convs
        assert all(1 in conv.kernel_size and max(conv.kernel_size) > 1 for conv in convs)

    def test_deeper_modules_have_more_branches_and_smaller_kernels(self):
        network = RRIM()
        shallow, middle = network.trunk[0].shallow[0], network.trunk[0].middle
        deep = next(layer for layer in network.tail if isinstance(layer, InceptionModule))
        branches = [len(m.branches) for m in (shallow, middle, deep)]
        kernels = [_largest_kernel(m) for m in (shallow, middle, deep)]
        assert branches == sorted(set(branches))
        assert kernels == sorted(set(kernels), reverse=True)

    def test_one_deep_module_between_the_sub_pixel_steps(self):
        layers = [
            type(layer)
            for layer in RRIM().tail
            if isinstance(layer, nn.PixelShuffle | InceptionModule | nn.Conv2d)
        ]
        assert layers == [nn.PixelShuffle, InceptionModule, ShuffledConv2d]

    def test_no_residual_is_scaled_inside_the_groups(self):
        group = small("RRIM").trunk[0].eval()
        x = torch.rand(1, 8, 6, 6)
        features = x
        for module in group.shallow:
            features = features + module(features)
        assert torch.allclose(group(x), x + group.middle(features))


def _largest_kernel(module):
    return max(max(m.kernel_size) for m in module.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 9, 17])
def test_a_shuffled_convolution_is_a_convolution_behind_a_shuffle(kernel, step, bias):
    conv = ShuffledConv2d(4, 3, kernel, step, bias=bias)
    behind = nn.Sequential(
        nn.PixelShuffle(step), nn.Conv2d(4, 3, kernel, padding=kernel // 2, bias=bias)
    )
    behind[1].load_state_dict(conv.state_dict())
    x = torch.rand(2, 4 * step**2, 5, 7)
    assert torch.allclose(conv(x), behind(x), atol=1e-5)


def test_a_large_kernel_to_rgb_runs_in_front_of_the_shuffle():
    conv = ShuffledConv2d(36, 3, 9, 2)
    with torch.profiler.profile(record_shapes=True) as profile:
        conv(torch.rand(1, 144, 8, 8))
    convolutions = [event for event in profile.events() if event.name == "aten::convolution"]
    assert [event.input_shapes[0] for event in convolutions] == [[1, 144, 8, 8]]


@pytest.mark.parametrize("text", ["", "3", "3:", "x:4", "4:8", "3:0", "3+:8"])
def test_malformed_branches_are_refused_by_name(text):
    with pytest.raises(SRHubError, match="branch"):
        parse_branches(text)


def test_branches_that_do_not_add_up_are_refused_with_the_numbers():
    with pytest.raises(SRHubError, match=r"adds up to 65, not to channels=64"):
        RRIM(shallow="5:32,7:33")


def test_an_even_kernel_to_rgb_is_refused():
    with pytest.raises(SRHubError, match="rgb_kernel=4 must be odd"):
        RRIM(rgb_kernel=4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_trunk_that_would_count_for_no_number_is_refused(value):
    with pytest.raises(SRHubError, match=f"trunk_scale={value} must be a finite number"):
        RRIM(trunk_scale=value)


COUNTS = [
    (name, argument)
    for name, network in MODELS.items()
    for argument, parameter in inspect.signature(network.__init__).parameters.items()
    if parameter.annotation is int and argument != "scale"
]


@pytest.mark.parametrize("value", [-1, 8.0, True, "8"])
@pytest.mark.parametrize(("name", "argument"), COUNTS)
def test_a_width_or_depth_that_is_none_is_refused_with_the_number(name, argument, value):
    message = f"{argument}={value!r} must be a whole number of at least"
    with pytest.raises(SRHubError, match=message):
        MODELS[name](**{argument: value})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scale", [4.0, True, "4", 17])
def test_a_scale_that_is_none_is_refused_with_the_number(name, scale):
    with pytest.raises(SRHubError, match=f"enlarges by .*, not by scale={scale}"):
        MODELS[name](scale=scale)


@pytest.mark.parametrize(("name", "argument"), COUNTS)
def test_a_depth_can_be_zero_and_a_width_cannot(name, argument):
    arguments = {**SMALL.get(name, {}), argument: 0}
    if argument in ("groups", "blocks", "convs"):
        assert MODELS[name](**arguments).eval()(torch.rand(1, 3, 5, 6)).shape == (1, 3, 20, 24)
    else:
        with pytest.raises(SRHubError, match=f"{argument}=0 must be a whole number of at least 1"):
            MODELS[name](**arguments)


def test_baselines_load_by_name_and_keep_a_flat_picture_flat():
    for name in BASELINES:
        output = load_model(name)(torch.full((1, 3, 5, 6), 0.25))
        assert output.shape == (1, 3, 20, 24)
        assert torch.allclose(output, torch.tensor(0.25), atol=1e-6)


def test_the_two_bicubic_kernels_differ_where_they_should():
    """Next to an edge the kernel of a = -0.75 overshoots by more than that of a = -0.5."""
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    overshoot = [load_model(n)(edge).amax().item() - 1 for n in ("bicubic", "bicubic-opencv")]
    assert 0 < overshoot[0] < overshoot[1]


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_models_load_and_run(name):
    network = load_model(name)
    image = torch.rand(1, 3, 12, 12)
    output = network(image)
    assert output.shape[-1] == 12 * network.scale
    assert torch.isfinite(output).all()


@pytest.mark.parametrize("name", bundled_models())
@pytest.mark.parametrize("size", [(8, 16), (11, 13)])
def test_a_flat_picture_has_no_rim(name, size):
    with torch.inference_mode():
        off = (load_model(name)(torch.full((1, 3, *size), 0.6)) - 0.6).abs().mean(1)[0]
    assert max(line.mean() for line in (off[0], off[-1], off[:, 0], off[:, -1])) < 0.02


@pytest.mark.parametrize("name", [n for n in bundled_models() if "gan" in n])
def test_a_gan_draws_no_cross_hatch_on_paper(name):
    """Lines 2.3 to 2.9 pixels apart, against slanted texture as fine, in a print made small."""
    paper = to_tensor(decode(WAVES))
    with torch.inference_mode():
        made = load_model(name)(quantise(downscale(paper, 4))).clamp(0, 1)
    share = block_power(made, paper) / block_power(paper, paper)
    for along in (share, share.mT):
        assert along[11:15, 0].mean() < 2.8 * along[11:15, 4:7].mean()


def block_power(image, unit):
    """Mean power spectrum of blocks of 32 x 32, each in units of that of `unit`; (17, 17)."""
    window = torch.hann_window(32)
    powers = []
    for x in (image, unit):
        blocks = nn.functional.unfold(x.mean(1, keepdim=True), 32, stride=16)
        blocks = blocks.mT.reshape(-1, 32, 32)
        blocks = (blocks - blocks.mean((1, 2), keepdim=True)) * window * window[:, None]
        powers.append(torch.fft.rfft2(blocks).abs().square())
    of_image, of_unit = powers
    return (of_image / (of_unit.sum((1, 2), keepdim=True) + 1)).mean(0)[:17]


def test_a_path_is_a_folder_even_under_a_bundled_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small("ESPCN").save_pretrained("rrim-x4")
    small("ESPCN").save_pretrained("bicubic")
    assert type(load_model(Path("rrim-x4"))) is type(load_model(Path("bicubic"))) is ESPCN
    assert type(load_model("rrim-x4")) is RRIM
    (row,) = load_contestants(["./rrim-x4"], 4, device="cpu")
    assert row.facts["architecture"] == "ESPCN"


@pytest.mark.parametrize("name", ["bicubic", "rrim-x4"])
def test_a_revision_of_what_has_none_is_refused(name):
    with pytest.raises(SRHubError, match=f"{name} is on this machine: a revision is for a Hub id"):
        load_model(name, revision="v1.0")


def test_unknown_names_are_refused_with_what_there_is():
    with pytest.raises(SRHubError, match="bicubic"):
        load_model("no-such-model")


@pytest.mark.parametrize("crossed", [False, True])
def test_a_new_rrim_starts_near_the_bicubic_picture_and_its_trunk_near_the_head(crossed):
    network, image = RRIM(crossed=crossed).eval(), torch.rand(1, 3, 24, 24)
    seen = {}
    network.trunk.register_forward_hook(lambda _, x, y: seen.update(x=x[0], y=y))
    with torch.no_grad():
        output = network(image)
    assert (output - Interpolation(mode="bicubic")(image)).abs().mean() < 0.15
    assert (seen["y"] - seen["x"]).std() < 0.9 * seen["x"].std()
