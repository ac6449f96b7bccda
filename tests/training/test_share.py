"""The share of a GAN stage: the one that is surely ahead in every measure, if there is one."""

import copy

import pytest
import torch
from training_runs import write_pictures

from sr_hub.errors import SRHubError
from sr_hub.lpips import LPIPS
from sr_hub.models import RRIM
from training.data import Pictures
from training.experiments import leads, share

TINY = {"channels": 8, "groups": 1, "shallow": "3:8", "middle": "3:8", "deep": "3:8"}


def brighter(model: RRIM, amount: float) -> RRIM:
    changed = copy.deepcopy(model)
    changed.tail[-1].bias.data += amount
    return changed


@pytest.fixture(scope="module")
def psnr() -> RRIM:
    """A network that adds nothing to the bicubic picture."""
    model = RRIM(scale=4, **TINY).eval()
    torch.nn.init.zeros_(model.tail[-1].weight)
    torch.nn.init.zeros_(model.tail[-1].bias)
    return model


def wants_brighter(sr: torch.Tensor, hr: torch.Tensor) -> float:
    return 1 - (sr.mean() - hr.mean()).item()


def test_a_lead_is_above_zero_where_the_blend_is_better(psnr, tmp_path):
    pictures = Pictures.read(write_pictures(tmp_path / "val"))
    gan, rival = brighter(psnr, 0.2), brighter(psnr, 0.1)
    leads = share.compare({0.0: psnr, 1.0: gan}, rival, pictures, wants_brighter)
    for measure, sign in [("psnr", 1), ("ssim", 1), ("rmse", 1), ("lpips", -1)]:
        for number in (0, 1):
            assert sign * leads[0.0][measure][number] > 0 > sign * leads[1.0][measure][number]
    assert leads[1.0]["lpips"][0] == pytest.approx(0.1, abs=0.01)


def test_a_lead_is_as_sure_as_the_pictures_agree():
    mean, sure = leads.lead([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    assert sure == pytest.approx(0.2 / (0.1 / 3**0.5))


def test_the_command_compares_saved_models(psnr, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(LPIPS, "__init__", lambda self, weights: None)
    monkeypatch.setattr(LPIPS, "__call__", lambda self, sr, hr: wants_brighter(sr, hr))
    names = []
    for name, amount in (("psnr", 0.0), ("gan", 0.2), ("rival", 0.1)):
        brighter(psnr, amount).save_pretrained(tmp_path / name)
        names.append(str(tmp_path / name))
    pictures = write_pictures(tmp_path / "val")
    assert share.main([*names, "--val", str(pictures), "--shares", "0", "1"]) == 0
    table = capsys.readouterr().out
    assert len(table.splitlines()) == 4 and table.count("**") == 2


def test_the_share_whose_least_sure_lead_is_the_surest_is_taken():
    def leads(psnr: float, lpips: float) -> dict[str, tuple[float, float]]:
        return {m: (0.0, lpips if m == "lpips" else psnr) for m in share.MEASURES}

    table = {0.8: leads(9.0, -1.0), 0.9: leads(5.0, 4.0), 1.0: leads(3.0, 30.0)}
    assert share.surest(table) == 0.9
    assert "| **0.9** |" in share.table(table) and "| 1 |" in share.table(table)


def test_a_standard_error_needs_two_pictures(psnr, tmp_path):
    pictures = Pictures.read(write_pictures(tmp_path / "val", count=1))
    with pytest.raises(SRHubError, match="needs two pictures"):
        share.compare({0.5: psnr}, psnr, pictures, wants_brighter)


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    line = ["rrim-x4", str(tmp_path / "none"), "srgan-x4", "--val", str(tmp_path)]
    assert share.main(line) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert message.startswith("error: ") and "none" in message


@pytest.mark.parametrize(
    ("more", "tried"),
    [([], share.SHARES), (["--shares", "0", "0.5", "--shares", "1"], (0, 0.5, 1))],
)
def test_shares_may_be_given_in_several_parts(more, tried, psnr, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(share, "load_model", lambda _: psnr)
    monkeypatch.setattr(share, "LPIPS", lambda _: None)
    monkeypatch.setattr(share, "compare", lambda blends, *_: seen.extend(blends) or {})
    monkeypatch.setattr(share, "table", lambda _: "")
    assert share.main(["a", "b", "c", "--val", str(write_pictures(tmp_path / "val")), *more]) == 0
    assert tuple(seen) == tried
