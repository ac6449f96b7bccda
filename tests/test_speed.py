"""Seconds per megapixel and memory, measured, stored and told in the card."""

import json
import os
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from sr_hub.card import read_speeds
from sr_hub.cli import app
from sr_hub.errors import SRHubError
from sr_hub.folder import SPEED_FILE
from sr_hub.models import ESPCN, load_model
from sr_hub.speed import Speed, _measure, measure_speed, store_speed


@pytest.fixture
def folder(tmp_path):
    ESPCN().save_pretrained(tmp_path / "espcn-x4")
    return tmp_path / "espcn-x4"


def test_the_command_measures_and_the_card_tells(folder):
    arguments = [str(folder), "--side", "16", "--repeats", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, ["bench", *arguments, "--precision", "fp32", "--store"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads((folder / SPEED_FILE).read_text())["speeds"]
    assert row["seconds_per_megapixel"] > 0
    assert row["memory_bytes"] == 0 or row["memory_bytes"] > 50_000_000
    load_model(folder).save_pretrained(folder)
    text = ModelCard.load(folder / "README.md").text
    assert f"| {row['hardware']} | fp32 | {row['seconds_per_megapixel']:.2f} |" in text


def test_of_an_even_number_of_runs_the_median_is_between_the_middle_two(monkeypatch):
    moments = iter([0, 50, 100, 102, 110, 114])  # the first pass does not count
    monkeypatch.setattr("time.perf_counter", lambda: next(moments))
    _, _, seconds, _ = _measure("nearest", 25, 2, "cpu", "fp32")
    assert seconds == 3 / 0.01


def speed(**changes):
    values = {"model": "m", "sha256": "1", "hardware": "CPU", "precision": "fp32"}
    return Speed(**{**values, "seconds_per_megapixel": 1.0, "memory_bytes": 0, **changes})


def test_a_new_number_replaces_the_old_one_and_those_of_other_weights(folder):
    for each in (speed(), speed(hardware="GPU"), speed(seconds_per_megapixel=2.0)):
        store_speed(each, folder)
    rows = json.loads((folder / SPEED_FILE).read_text())["speeds"]
    assert [(row["hardware"], row["seconds_per_megapixel"]) for row in rows] == [
        ("GPU", 1.0),
        ("CPU", 2.0),
    ]
    store_speed(speed(sha256="2"), folder)
    assert len(json.loads((folder / SPEED_FILE).read_text())["speeds"]) == 1


def test_a_name_that_is_no_utf_8_is_stored(folder):
    store_speed(speed(model="caf\udce9"), folder)
    assert json.loads((folder / SPEED_FILE).read_text())["speeds"][0]["model"] == "caf\udce9"


def test_numbers_of_other_weights_are_not_told(folder):
    store_speed(speed(hardware="Abacus"), folder)
    load_model(folder).save_pretrained(folder)
    assert "Abacus" not in (folder / "README.md").read_text()


def killed(*_):
    os._exit(9)


def test_a_process_that_the_system_ends_is_an_error_and_no_endless_wait(monkeypatch):
    monkeypatch.setattr("sr_hub.speed._measure", killed)
    with pytest.raises(SRHubError, match="ran bicubic was ended"):
        measure_speed("bicubic", side=8)


def test_a_script_that_measures_as_it_is_imported_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from sr_hub.speed import measure_speed\nmeasure_speed('nearest', side=8)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert 'does not do so below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(SRHubError, match="'nothing' is neither a folder nor a Hub id"):
        measure_speed("nothing", side=8)
    with pytest.raises(SRHubError, match="at least 1"):
        measure_speed("bicubic", side=0)


@pytest.mark.parametrize("speeds", ["[1]", "null", '[{"sha256": "a"}]'])
def test_a_damaged_file_of_speeds_is_named(folder, speeds):
    (folder / "speed.json").write_text(f'{{"speeds": {speeds}}}')
    for write in (lambda: store_speed(speed(), folder), lambda: read_speeds(folder)):
        with pytest.raises(SRHubError, match=r'"speeds" is not a list of what `bench --store`'):
            write()
