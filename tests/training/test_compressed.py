"""The scores by JPEG quality on which the app's advice rests."""

import torch
from training_runs import write_pictures

from sr_hub.lpips import LPIPS
from sr_hub.models import RRIM
from training.data import Pictures
from training.experiments import compressed

TINY = {"channels": 8, "groups": 1, "shallow": "3:8", "middle": "3:8", "deep": "3:8"}


def test_stronger_compression_has_lower_scores_and_the_better_network_is_bold(tmp_path):
    torch.manual_seed(0)
    pictures = Pictures.read(write_pictures(tmp_path / "val"))
    bicubic, noise = RRIM(scale=4, **TINY).eval(), RRIM(scale=4, **TINY).eval()
    torch.nn.init.zeros_(bicubic.tail[-1].weight)
    torch.nn.init.normal_(noise.tail[-1].weight)

    def distance(sr: torch.Tensor, hr: torch.Tensor) -> float:
        return (sr - hr).abs().mean().item()

    models = {"bicubic": bicubic, "noise": noise}
    scores = compressed.study(models, pictures, distance, qualities=(None, 80, 5))
    psnrs = [scores[quality]["bicubic"][0] for quality in (None, 80, 5)]
    assert psnrs == sorted(psnrs, reverse=True)
    row = compressed.table(scores).splitlines()[2]
    assert row.startswith("| not compressed | **") and row.count("**") == 4


def test_the_command_prints_a_row_for_each_quality(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(LPIPS, "__init__", lambda self, weights: None)
    monkeypatch.setattr(LPIPS, "__call__", lambda self, sr, hr: 0.5)
    monkeypatch.setattr(compressed, "load_model", lambda name: RRIM(scale=4, **TINY).eval())
    assert compressed.main(["--val", str(write_pictures(tmp_path / "val"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| JPEG quality | rrim-x4 | rrim-real-x4 |"
    assert len(lines) == 2 + len(compressed.QUALITIES) and "| 75 |" in lines[8]
