import pytest
import torch

from sr_hub.errors import SRHubError
from training.discriminators import DISCRIMINATORS, InceptionDiscriminator, SRGANDiscriminator


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_one_logit_for_each_picture_of_any_size_and_a_gradient_for_every_weight(
    name: str, batch_norm: bool
):
    network = DISCRIMINATORS[name](channels=4, hidden=8, batch_norm=batch_norm)
    for side in (16, 50, 96):
        assert network(torch.rand(2, 3, side, side)).shape == (2, 1)
    network(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_srgan_discriminator_has_the_published_layers():
    network = SRGANDiscriminator()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    widths = [c.out_channels for c in convolutions]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [c.stride[0] for c in convolutions] == [1, 2] * 4
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules()) == 7
    assert network.head[2].in_features == 6 * 6 * 512 and network.head[2].out_features == 1024
    assert network.features(torch.rand(1, 3, 96, 96)).shape[-2:] == (6, 6)
    assert sum(p.numel() for p in network.parameters()) == 23_563_649


def test_inception_discriminator_has_the_documented_size():
    assert sum(p.numel() for p in InceptionDiscriminator().parameters()) == 23_102_977


def test_inception_discriminator_refuses_a_width_that_its_branches_cannot_share():
    with pytest.raises(SRHubError, match="multiple of 4, not 6"):
        InceptionDiscriminator(channels=6)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_learns_to_tell_noise_from_smooth_pictures(name: str):
    network = DISCRIMINATORS[name](channels=4, hidden=8)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(25):
        noise = torch.rand(8, 3, 16, 16)
        smooth = torch.rand(8, 3, 1, 1).expand(8, 3, 16, 16)
        loss = torch.nn.functional.softplus(-network(smooth)).mean()
        loss = loss + torch.nn.functional.softplus(network(noise)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.8
