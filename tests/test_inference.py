"""One pass of a network: its precision, bad weights, and a network that is trained meanwhile."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from upscaler_parts import SMALL, loud, noise, small

from sr_hub.errors import SRHubError
from sr_hub.models import MODELS
from sr_hub.models.rrim import RRIM
from sr_hub.precision import last_convolution
from sr_hub.upscaler import Upscaler
from sr_hub.webapp.fields import EXAMPLES


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
