"""The optimizer of the hidden kernels: what a step of it does, and that a network learns by it."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sr_hub.models import RRIM
from training.muon import RMS, Muon, orthogonalise

RATE = 1e-2


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3), nn.PReLU(), nn.Conv2d(16, 8, 5), nn.Conv2d(8, 3, 3)]
    return nn.Sequential(*layers)


def step(network: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor) -> None:
    optimizer.zero_grad()
    network(x).square().mean().backward()
    optimizer.step()


def test_the_result_has_the_directions_of_the_matrix_and_equal_lengths():
    torch.manual_seed(0)
    for shape in ((3, 24, 60), (3, 60, 24)):
        matrices = torch.randn(shape) * 1e-3
        left, _, right = torch.linalg.svd(matrices, full_matrices=False)
        ours = orthogonalise(matrices)
        values = torch.linalg.svdvals(ours)
        assert 0.6 < values.min() < values.max() < 1.3
        nearest = left @ right
        cosine = (ours * nearest).sum((1, 2)) / (ours.norm(dim=(1, 2)) * nearest.norm(dim=(1, 2)))
        assert cosine.min() > 0.97


def test_hidden_kernels_take_a_step_of_the_usual_size_and_the_rest_is_adams():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 16, 16)
    ours = small_network()
    adams = copy.deepcopy(ours)
    before = copy.deepcopy(ours.state_dict())
    muon, adam = (
        Muon(ours, lr=RATE, betas=(0.9, 0.99)),
        torch.optim.Adam(adams.parameters(), lr=RATE, betas=(0.9, 0.99)),
    )
    step(ours, muon, x)
    step(adams, adam, x)
    for name, after in ours.state_dict().items():
        moved = after - before[name]
        if name == "2.weight":
            # 8 rows of unit length and 400 numbers in each, times the square root of 400
            assert torch.isclose(moved.square().mean().sqrt(), torch.tensor(RMS * RATE), rtol=0.2)
            values = torch.linalg.svdvals(moved.flatten(1))
            assert values.max() < 2 * values.min()
        else:
            torch.testing.assert_close(after, adams.state_dict()[name])


@pytest.mark.parametrize("rate", [RATE, torch.tensor(RATE)])
def test_weight_decay_shrinks_the_hidden_kernels_and_nothing_else(rate):
    x = torch.rand(2, 3, 16, 16)
    start = small_network()
    moved = {}
    for decay in (0.0, 5.0):
        network = copy.deepcopy(start)
        optimizer = Muon(network, lr=RATE, betas=(0.9, 0.99), weight_decay=decay)
        for group in optimizer.param_groups:
            group["lr"] = rate
        step(network, optimizer, x)
        moved[decay] = network.state_dict()
    for name, before in start.state_dict().items():
        taken = moved[0.0][name] - moved[5.0][name]
        part = 5 * RATE if name == "2.weight" else 0
        torch.testing.assert_close(taken, part * before, atol=1e-6, rtol=1e-5)


def test_a_second_head_is_adams_like_the_first():
    network = RRIM(crossed=True, channels=4, groups=1, shallow="3:4", middle="3:4", deep="3:4")
    hidden = Muon(network, lr=RATE, betas=(0.9, 0.99)).param_groups[0]["params"]
    names = {id(tensor): name for name, tensor in network.named_parameters()}
    moved = {names[id(tensor)] for tensor in hidden}
    assert not moved & {"head.0.weight", "crossed_head.0.weight", "tail.4.weight"}
    assert {"head.2.weight", "crossed_head.2.weight", "join.weight"} <= moved


def test_the_memory_format_makes_no_difference():
    x = torch.rand(2, 3, 16, 16)
    one = small_network()
    other = copy.deepcopy(one).to(memory_format=torch.channels_last)
    for network in (one, other):
        optimizer = Muon(network, lr=RATE, betas=(0.9, 0.99))
        for _ in range(3):
            step(network, optimizer, x)
    assert other[2].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(one[2].weight, other[2].weight.contiguous(), atol=1e-4, rtol=1e-3)


def test_a_kernel_without_a_gradient_stays():
    network = small_network()
    network[2].weight.requires_grad_(False)
    before = network[2].weight.clone()
    step(network, Muon(network, lr=RATE, betas=(0.9, 0.99)), torch.rand(1, 3, 16, 16))
    assert torch.equal(network[2].weight, before)
