"""Blends of two stages by the command `training.interpolate`."""

import copy
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from training_runs import command
from typer.testing import CliRunner

from sr_hub.cli import app
from sr_hub.interpolate import interpolate as blend
from sr_hub.models import load_model
from training import interpolate, push, train
from training.config import TrainConfig
from training.data import Pictures
from training.validation import mean_psnr


@pytest.fixture(scope="module")
def gan(finished: Path, pictures: Path, tmp_path_factory) -> Path:
    """A GAN stage that went on from the finished run."""
    out = tmp_path_factory.mktemp("runs") / "gan"
    more = ["--start-from", str(finished / "model"), "--steps", "3"]
    assert train.main(command(pictures, out, "tiny-gan", *more)) == 0
    return out


def test_interpolate_blends_two_runs(finished: Path, gan: Path, tmp_path: Path):
    line = [str(finished / "model"), str(gan / "model"), str(tmp_path / "mix"), "--alpha", "0.25"]
    assert interpolate.main(line) == 0
    first, second, mix = (
        load_model(folder).state_dict()["head.0.weight"]
        for folder in (finished / "model", gan / "model", tmp_path / "mix")
    )
    assert torch.allclose(mix, 0.75 * first + 0.25 * second, atol=1e-7)
    line = [str(tmp_path / "mix"), str(gan / "model"), str(tmp_path / "carried"), "--alpha", "1"]
    assert interpolate.main([*line, "--start", str(finished / "model")]) == 0
    carried = load_model(tmp_path / "carried").state_dict()["head.0.weight"]
    assert torch.allclose(carried, mix + second - first, atol=1e-6)


def test_interpolate_takes_the_sharpest_blend_that_loses_no_more_than_allowed(
    finished: Path, pictures: Path, tmp_path: Path, capsys
):
    psnr = load_model(finished / "model")
    bright = copy.deepcopy(psnr)
    bright.tail[-1].bias.data += 0.2
    bright.save_pretrained(tmp_path / "bright")

    def chosen(lose: float) -> float:
        mix = tmp_path / f"mix{lose}"
        line = [str(finished / "model"), str(tmp_path / "bright"), str(mix)]
        assert interpolate.main([*line, "--val", str(pictures), "--lose", str(lose)]) == 0
        shift = load_model(mix).tail[-1].bias - psnr.tail[-1].bias
        alpha = shift.mean().item() / 0.2
        assert capsys.readouterr().out.startswith(f"alpha {alpha:.2g}")
        return round(alpha, 6)

    most = chosen(3)
    assert 0 < chosen(1) < most < 1 == chosen(100)
    seen = Pictures.read(pictures)
    best, kept, over = (
        mean_psnr(blend(psnr, bright, alpha), seen, TrainConfig(type(psnr).__name__))
        for alpha in (0, most, most + 0.05)
    )
    assert best - kept <= 3 < best - over


def test_a_blend_is_not_chosen_by_what_cannot_be_measured(finished, gan, tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    line = [str(finished / "model"), str(gan / "model"), str(tmp_path / "mix")]
    assert interpolate.main([*line, "--val", str(tmp_path)]) == 2
    assert "all 1 pictures are under 20x20" in capsys.readouterr().err
    Image.new("RGB", (64, 64)).save(tmp_path / "large.png")
    assert interpolate.main([*line, "--val", str(tmp_path), "--lose", "nan"]) == 2
    assert "--lose is 0 dB or more, not nan" in capsys.readouterr().err


def test_the_card_of_a_blend_tells_how_both_were_trained(finished, gan, tmp_path, hub):
    mix = tmp_path / "mix"
    models = [str(finished / "best"), str(gan / "model")]
    assert interpolate.main([*models, str(mix), "--alpha", "0.5"]) == 0
    facts = json.loads((mix / "training.json").read_text())
    assert facts["start_from"] == "tiny/best and gan/model, share 0.5"
    assert facts["recipe"] == "tiny and tiny-gan" and facts["degradation"] == "bicubic"
    assert facts["losses"]["adversarial"] > 0 and facts["losses"]["l1"] > 0
    assert facts["data"] == [{"name": "pictures", "pictures": 4}]
    last = "python -m training.interpolate tiny/best gan/model OUT --alpha 0.5"
    assert facts["command"].split("; ")[-1] == last
    assert CliRunner().invoke(app, ["push", str(mix), "user/mix"]).exit_code == 0
    repo = hub.repo("user/mix")
    card = repo.commits[repo.branches["main"]]["README.md"].decode()
    assert "**It invents detail.**" in card and "pictures: 4 pictures" in card and last in card


def test_a_blend_of_blends_tells_of_all_and_nothing_of_what_lay_there(finished, gan, tmp_path):
    mix, again = tmp_path / "mix", tmp_path / "again"
    models = [str(finished / "best"), str(gan / "model")]
    assert interpolate.main([*models, str(mix)]) == 0
    again.mkdir()
    (again / "training.json").write_text('{"hours": 99}')
    line = [models[0], str(mix), str(again), "--alpha", "0.25", "--start", models[0]]
    assert interpolate.main(line) == 0
    facts = json.loads((again / "training.json").read_text())
    assert facts["start_from"] == "tiny/best and mix, which started from tiny/best, share 0.25"
    assert "hours" not in facts and facts["losses"]["adversarial"] > 0
    assert [part.split()[2] for part in facts["command"].split("; ")] == [
        "training.train",  # of both, since the tests have one command line
        "training.interpolate",
        "training.interpolate",
    ]


def test_a_blend_of_unknown_weights_claims_nothing(finished: Path, gan: Path, tmp_path: Path):
    unknown = tmp_path / "unknown"
    load_model(finished / "best").save_pretrained(unknown)
    for other, is_gan in ((finished / "best", False), (gan / "best", True)):
        assert interpolate.main([str(other), str(unknown), str(tmp_path / "mix")]) == 0
        card = (tmp_path / "mix" / "README.md").read_text()
        assert ("It invents detail" in card) == is_gan and "smallest error" not in card


@pytest.mark.parametrize(("other", "told"), [("mit", "mit"), ("cc-by-4.0", None), (None, None)])
def test_a_blend_has_the_licence_of_both(finished: Path, tmp_path: Path, other, told):
    models = []
    for name, licence in (("a", "mit"), ("b", other)):
        model = load_model(finished / "best")
        model.save_pretrained(tmp_path / name, facts={"license": licence} if licence else None)
        models.append(str(tmp_path / name))
    assert interpolate.main([*models, str(tmp_path / "mix")]) == 0
    facts = json.loads((tmp_path / "mix" / "training.json").read_text())
    assert facts.get("license") == told


def test_a_blend_of_bundled_models_tells_what_their_folders_say(tmp_path: Path):
    assert interpolate.main(["rrim-x4", "rrim-gan-x4", str(tmp_path / "mix")]) == 0
    facts = json.loads((tmp_path / "mix" / "training.json").read_text())
    assert facts["start_from"] == "rrim-x4 and rrim-gan-x4, share 0.8"
    assert facts["recipe"] == "rrim and rrim-gan" and len(facts["data"]) == 7


def test_push_of_a_run_says_which_command_is_for_a_blend(finished: Path, tmp_path: Path, capsys):
    load_model(finished / "best").save_pretrained(tmp_path / "mix")
    assert push.main([str(tmp_path / "mix"), "user/x", "--dry-run"]) == 2
    assert push.main([str(finished / "best"), "user/x", "--dry-run"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert f"python -m sr_hub push {tmp_path / 'mix'} user/repo publishes it" in first
    assert f"is of a run: give {finished}, and --which best" in second
