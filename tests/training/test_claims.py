"""The two claims as tables: what is printed is what is stored, and a loss is not hidden."""

import copy

import pytest

from sr_hub.models import load_model
from sr_hub.records import RESULTS, read_results, write_results
from training.experiments import claims


@pytest.fixture
def results():
    return read_results(RESULTS / "x4.json")


def better_everywhere(results, name, other):
    """The results with every number of `name` a little better than that of `other`."""
    changed = copy.deepcopy(results)
    known = {(r["dataset"], r["protocol"]): r for r in changed["results"] if r["model"] == other}
    for row in changed["results"]:
        if row["model"] == name:
            values = known[row["dataset"], row["protocol"]]["mean"]
            row["mean"] = {
                key: value * (1.1 if key in ("psnr", "ssim", "fsim") else 0.9)
                for key, value in values.items()
            }
    return changed


def test_one_command_prints_both_claims_with_costs_scores_and_training(capsys):
    assert claims.main([]) == 0
    text = capsys.readouterr().out
    assert "## RRIM against SRResNet" in text and "## RRIM-GAN against SRGAN" in text
    for name in ("srresnet-x4", "rrim-x4"):
        assert f"{load_model(name).num_parameters:,}" in text
    for fact in ("multiply-adds", "seconds per picture of Set5", "loss at the end", "epoch"):
        assert text.count(fact) >= 2


def test_seconds_on_a_gpu_have_a_row_where_there_were_any(results, monkeypatch):
    facts = {"steps": 7, "gpu_seconds": 229.1}
    monkeypatch.setattr(claims, "read_facts", lambda path: facts)
    text = claims.claim_text(results, "title", "srresnet-x4", "rrim-x4")
    assert "| training: GPU-seconds | 229.1 | 229.1 |" in text and "CPU-seconds" not in text


def test_a_challenger_that_is_better_everywhere_is_said_to_be(results):
    changed = better_everywhere(results, "rrim-x4", "srresnet-x4")
    text = claims.claim_text(changed, "title", "srresnet-x4", "rrim-x4")
    rows = [row for row in results["results"] if row["model"] == "rrim-x4"]
    count = len({(row["dataset"], *number) for row in rows for number in row["mean"].items()})
    assert count < sum(len(row["mean"]) for row in rows)
    assert text.endswith(f"rrim-x4 is better in {count} of {count} numbers.\n")


def test_where_the_challenger_is_no_better_is_named(results):
    changed = better_everywhere(results, "rrim-x4", "srresnet-x4")
    rows = {(r["model"], r["dataset"], r["protocol"]): r["mean"] for r in changed["results"]}
    rows["rrim-x4", "Set14", "rgb"]["ssim"] = rows["srresnet-x4", "Set14", "rgb"]["ssim"]
    rows["rrim-x4", "BSD100", "y"]["rmse"] *= 2
    text = claims.claim_text(changed, "title", "srresnet-x4", "rrim-x4")
    assert text.endswith("not in Set14 rgb SSIM, BSD100 y RMSE.\n")


def test_results_without_the_models_are_refused_in_one_line(results, tmp_path, capsys):
    del results["models"]["rrim-x4"]
    write_results(results, tmp_path / "x4.json")
    assert claims.main(["--results", str(tmp_path / "x4.json"), "--out", str(tmp_path / "a.md")])
    assert "there is no rrim-x4" in capsys.readouterr().err
    assert not (tmp_path / "a.md").exists()
