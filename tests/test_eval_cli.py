"""The command `eval`, as a user types it."""

import json
import sys

import pytest
import torch
from PIL import Image

from sr_hub import cli
from sr_hub.figures import TRUTH
from sr_hub.metrics import Protocol
from sr_hub.models import ESPCN
from sr_hub.records import read_results


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "Mini"
    folder.mkdir()
    gradient = Image.linear_gradient("L").resize((64, 48))
    for name in ("first", "second"):
        gradient.save(folder / f"{name}.png")
        gradient = gradient.rotate(30, fillcolor=90)
    return folder


@pytest.fixture
def sr_hub(monkeypatch, capsys):
    """Runs the command line; returns exit code, output and error output."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["sr-hub", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


def test_tables_json_and_figure_by_one_command(sr_hub, data, tmp_path):
    torch.manual_seed(1)
    ESPCN().save_pretrained(tmp_path / "small")
    json_path, figure = tmp_path / "out" / "results.json", tmp_path / "out" / "strip.png"
    models = f"bicubic,bicubic-opencv,{tmp_path / 'small'}"
    code, out, err = sr_hub(
        *(
            "eval",
            "--data",
            data,
            "--models",
            models,
            "--protocol",
            "y,rgb",
            "--protocol",
            "report",
        ),
        *("--json", json_path, "--figure", figure, "--picture", "second"),
    )
    assert code == 0, err
    assert err.splitlines() == ["1/2 Mini first", "2/2 Mini second"]
    for protocol in Protocol:
        assert f"Mini x4, 2 pictures, protocol {protocol}" in out
        assert f"{protocol}: {protocol.definition}" in out
    assert "low resolution: made from the ground truth" in out
    results = read_results(json_path)
    assert list(results["models"]) == ["bicubic", "bicubic-opencv", "small"]
    assert len(results["results"]) == 9
    assert len(results["models"]["small"]["sha256"]) == 64
    assert results["command"] == (
        "python -m sr_hub eval --data Mini --models bicubic,bicubic-opencv,small "
        "--protocol y,rgb,report --scale 4"
    )
    assert "cores" in results["hardware"]
    assert str(tmp_path) not in json_path.read_text()
    with Image.open(figure) as strip:
        assert strip.width > 4 * 150
    assert TRUTH == "ground truth"


def test_the_best_has_a_star_where_there_is_no_bold(sr_hub, data):
    code, out, _ = sr_hub("eval", "--data", data, "--models", "nearest,bicubic")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if " " in line}
    assert code == 0
    assert rows["bicubic"][0].endswith("*")
    assert not rows["nearest"][0].endswith("*")


def test_other_scales_and_several_folders(sr_hub, data, tmp_path):
    other = tmp_path / "Other"
    (other / "HR").mkdir(parents=True)
    (other / "LRx2").mkdir()
    Image.radial_gradient("L").resize((41, 40)).save(other / "HR" / "a.png")
    Image.radial_gradient("L").resize((20, 20)).save(other / "LRx2" / "a.png")
    code, out, err = sr_hub(
        *("eval", "--data", data, "--data", other, "--models", "bilinear", "--scale", 2)
    )
    assert code == 0, err
    assert "Mini x2" in out
    assert "low resolution: the files of LRx2" in out


def test_tiny_pictures_get_a_dash_and_a_reason(sr_hub, tmp_path):
    folder = tmp_path / "Tiny"
    folder.mkdir()
    Image.linear_gradient("L").resize((16, 16)).save(folder / "a.png")
    code, out, _ = sr_hub("eval", "--data", folder, "--models", "bicubic")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("bicubic"))
    assert "–" in row.split()
    assert "– Tiny/a has no ssim (y): SSIM needs 11 pixels a side, 16x16 has 8" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", ""], "no model is named"),
        (["--models", "absent"], "no model 'absent'"),
        (["--models", "bicubic,bicubic"], "model 'bicubic' is named twice"),
        (["--protocol", "ycbcr"], "no protocol 'ycbcr': it is one of y, rgb, report"),
        (["--picture", "third"], "no picture 'third' in the data: one is 'first'"),
        (["--figure", "strip.xyz"], "strip.xyz ends in .xyz"),
        (["--device", "abacus"], "no device 'abacus' here"),
        (["--precision", "fp8"], "precision 'fp8'"),
        (["--lpips-weights", "absent.pth"], "no file absent.pth"),
        (["--figure", "/proc/strip.png"], "cannot write /proc/strip.png: /"),
        (["--scale", "9"], "Interpolation enlarges by"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    sr_hub, data, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    models = [] if "--models" in words else ["--models", "bicubic"]
    code, out, err = sr_hub("eval", "--data", data, *models, *words, "--json", "results.json")
    assert code == 2
    assert err.startswith(f"error: {message}")
    assert len(err.splitlines()) == 1
    assert out == ""
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((1, 1), "a: ground truth of 1x1 is too small for x4"),
        ((50, 40), "a: low resolution of 11x10 does not fit ground truth of 50x40 at x4"),
    ],
)
def test_pairs_that_do_not_fit(sr_hub, tmp_path, size, message):
    folder = tmp_path / "Bad"
    (folder / "HR").mkdir(parents=True)
    (folder / "LRx4").mkdir()
    Image.new("RGB", size).save(folder / "HR" / "a.png")
    Image.new("RGB", (11, 10)).save(folder / "LRx4" / "a.png")
    code, _, err = sr_hub("eval", "--data", folder, "--models", "bicubic")
    assert (code, err.splitlines()[0].startswith(f"error: {message}")) == (2, True)
    assert len(err.splitlines()) == 1


def test_an_unreadable_file_is_named(sr_hub, data):
    (data / "second.png").write_text(json.dumps({"not": "a picture"}))
    code, _, err = sr_hub("eval", "--data", data, "--models", "bicubic")
    assert code == 2
    assert err.splitlines()[-1].endswith("second.png is not a picture of a known format")


def test_a_missing_folder_is_named(sr_hub, tmp_path):
    code, _, err = sr_hub("eval", "--data", tmp_path / "absent")
    assert code == 2
    assert err == f"error: no folder {tmp_path / 'absent'}\n"
