"""The share of a GAN stage: the one that is surely ahead in every measure, if there is one."""

import copy

import pytest
import torch
from training_runs import write_pictures

from sr_hub.errors import SRHubError
from sr_hub.models import RRIM
from training.data import Pictures
from training.experiments import share

TINY = {"channels": 8, "groups": 1, "shallow": "3:8", "middle": "3:8", "deep": "3:8"}


def brighter(model: RRIM, amount: float) -> RRIM:
    changed = copy.deepcopy(model)
    changed.tail[-1].bias.data += amount
    return changed


@pytest.fixture(scope="module")
def psnr() -> RRIM:
    torch.manual_seed(0)
    return RRIM(scale=4, **TINY).eval()


@pytest.fixture(scope="module")
def rival(psnr: RRIM) -> RRIM:
    """Noisy, and by its brightness nearer to what the distance below wants than `psnr`."""
    noisy = brighter(psnr, 0.006)
    weight = noisy.tail[-1].weight.data
    weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    return noisy


def wants_brighter(sr: torch.Tensor, hr: torch.Tensor) -> float:
    return abs((sr.mean() - hr.mean()).item() - 0.012)


def test_the_share_that_leads_in_every_measure_is_taken(psnr, rival, tmp_path):
    pictures = Pictures.read(write_pictures(tmp_path / "val"))
    gan = brighter(psnr, 0.2)
    blends = {s: share.interpolate(psnr, gan, s) for s in (0.0, 0.05, 1.0)}
    leads = share.compare(blends, rival, pictures, wants_brighter)
    assert leads[0.05]["psnr"][0] > 0 > leads[1.0]["psnr"][0]
    assert leads[0.0]["lpips"][0] < 0 < leads[0.05]["lpips"][0]
    assert all(mean > 0 and sure > 0 for mean, sure in leads[0.05].values())
    assert share.surest(leads) == 0.05
    assert "| **0.05** |" in share.table(leads)


def test_a_standard_error_needs_two_pictures(psnr, rival, tmp_path):
    pictures = Pictures.read(write_pictures(tmp_path / "val", count=1))
    with pytest.raises(SRHubError, match="needs two pictures"):
        share.compare({0.5: psnr}, rival, pictures, wants_brighter)


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    line = ["rrim-x4", str(tmp_path / "none"), "srgan-x4", "--val", str(tmp_path)]
    assert share.main(line) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith("error: ") and "none" in message
