"""The two claims as tables: what is printed is what is stored, and a loss is not hidden."""

import copy

import pytest

from sr_hub.models import ESPCN, load_model
from sr_hub.records import RESULTS, read_results, write_results
from training.experiments import claims


@pytest.fixture
def results(monkeypatch):
    """The stored results; a small network tells its costs in the place of each of the two."""
    monkeypatch.setattr(claims, "load_model", lambda _: ESPCN())
    return read_results(RESULTS / "x4.json")


def better_everywhere(results, name, other):
    """The results with every number of `name` a little better than that of `other`."""
    changed = copy.deepcopy(results)
    known = {(r["dataset"], r["protocol"]): r for r in changed["results"] if r["model"] == other}
    for row in changed["results"]:
        if row["model"] == name:
            theirs = known[row["dataset"], row["protocol"]]
            for key, mean in theirs["mean"].items():
                factor = 1.1 if key in ("psnr", "ssim", "fsim") else 0.9
                row["mean"][key] = mean * factor
                row["pictures"][key] = [value * factor for value in theirs["pictures"][key]]
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


def verdict(results):
    text = claims.claim_text(results, "title", "srresnet-x4", "rrim-x4")
    return text.split("\n\n")[-3:]


def test_a_challenger_that_is_better_everywhere_is_said_to_be(results):
    better, surely, worse = verdict(better_everywhere(results, "rrim-x4", "srresnet-x4"))
    assert better == "rrim-x4 is better in 30 of 30 numbers."
    assert surely.startswith("Better by 2 standard errors or more: 30: Set5 y PSNR, ")
    assert worse == "Worse by 2 standard errors or more: 0.\n"


def test_a_number_that_two_protocols_share_counts_once(results):
    text = claims.claim_text(results, "title", "srresnet-x4", "rrim-x4")
    (row,) = [line for line in text.splitlines() if line.startswith("| Set5 | report |")]
    cells = [cell.strip() for cell in row.split("|")[3:-1]]
    assert [bool(cell) for cell in cells] == [False, False, True, False, False]


def test_where_the_challenger_is_surely_worse_is_named(results):
    changed = better_everywhere(results, "rrim-x4", "srresnet-x4")
    rows = {(r["model"], r["dataset"], r["protocol"]): r for r in changed["results"]}
    row = rows["rrim-x4", "BSD100", "y"]
    row["mean"]["rmse"] *= 2
    row["pictures"]["rmse"] = [2 * value for value in row["pictures"]["rmse"]]
    assert verdict(changed)[0] == "rrim-x4 is better in 29 of 30 numbers."
    assert verdict(changed)[2] == "Worse by 2 standard errors or more: 1: BSD100 y RMSE.\n"


def test_a_lead_by_the_luck_of_one_picture_is_no_sure_one(results):
    changed = copy.deepcopy(results)
    rows = {(r["model"], r["dataset"], r["protocol"]): r for r in changed["results"]}
    theirs, ours = (rows[name, "BSD100", "y"] for name in ("srresnet-x4", "rrim-x4"))
    ours["pictures"]["ssim"] = list(theirs["pictures"]["ssim"])
    ours["pictures"]["ssim"][0] += 0.5
    ours["mean"]["ssim"] = theirs["mean"]["ssim"] + 0.005
    text = claims.claim_text(changed, "title", "srresnet-x4", "rrim-x4")
    assert f"**{ours['mean']['ssim']:.5f}** (+1.0)" in text
    assert all("BSD100 y SSIM" not in line for line in verdict(changed))


def test_results_without_the_models_are_refused_in_one_line(results, tmp_path, capsys):
    del results["models"]["rrim-x4"]
    write_results(results, tmp_path / "x4.json")
    assert claims.main(["--results", str(tmp_path / "x4.json"), "--out", str(tmp_path / "a.md")])
    assert "there is no rrim-x4" in capsys.readouterr().err
    assert not (tmp_path / "a.md").exists()
