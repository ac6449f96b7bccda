"""RRIM's kernels for a GPU, run by Triton's interpreter on the CPU: the numbers of the layers."""

import copy

import pytest
import torch
from torch import Tensor, nn
from training_runs import make_run, read_rows, write_pictures

from sr_hub.models.rrim import RRIM, InceptionModule
from training.loop import fit

pytest.importorskip("triton", reason="the kernels need Triton, which comes with torch for CUDA")

from training.lines import use_lines


def answer_and_gradients(network: nn.Module, x: Tensor, wanted: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = network(x)
    y.backward(wanted)
    return [y.detach(), x.grad, *(p.grad for p in network.parameters())]


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize(
    ("inputs", "branches", "size"),
    [(64, "5:32,7:32", (5, 9)), (64, "3:24,5:16,3+3:24", (12, 11)), (16, "3+3:36", (13, 21))],
)
def test_a_module_by_the_kernels_is_the_module(inputs, branches, size, crossed):
    plain = InceptionModule(inputs, branches, crossed=crossed)
    plain = plain.to(memory_format=torch.channels_last)
    fast = copy.deepcopy(plain)
    use_lines(fast)
    x = torch.randn(2, inputs, *size)
    wanted = torch.randn(2, plain.outputs, *size)
    assert type(fast) is not type(plain)
    ours, theirs = (answer_and_gradients(network, x, wanted) for network in (fast, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert one.shape == other.shape
    strides = [(p.grad.stride(), p.stride()) for p in fast.parameters()]
    assert all(gradient == weight for gradient, weight in strides)


def test_a_crossed_network_by_the_kernels_is_the_network():
    arguments = {"channels": 8, "groups": 1, "shallow": "5:4,7:4", "middle": "3:4,5:4"}
    plain = RRIM(**arguments, deep="3:4,3+3:4", crossed=True)
    fast = copy.deepcopy(plain)
    use_lines(fast)
    x, wanted = torch.rand(1, 3, 8, 6), torch.randn(1, 3, 32, 24)
    ours, theirs = (answer_and_gradients(network, x, wanted) for network in (fast, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA GPU")
@pytest.mark.parametrize("recipe", ["tiny", "tiny-gan"])
def test_a_fast_run_learns_as_a_plain_one(recipe, tmp_path):
    pictures = write_pictures(tmp_path / "pictures")
    losses = []
    for name, more in (("plain", ()), ("fast", ("--fast",))):
        fit(make_run(pictures, tmp_path / name, recipe, "--set", "precision=fp32", *more))
        losses.append([row["loss"] for row in read_rows(tmp_path / name) if "loss" in row])
    assert losses[1][1:] == pytest.approx(losses[0][1:], rel=0.1)
