"""README.md says what is true: its numbers, its versions, its commands."""

import json
import re

import pytest

from tests.readme import README, ROOT, results_section, written_section


def test_results_are_those_that_are_stored():
    assert written_section() == results_section().strip(), "run `python -m tests.readme`"


def test_the_space_runs_the_gradio_that_is_required():
    header = README.read_text(encoding="utf-8").split("---")[1]
    stated = re.search(r"sdk_version: (\S+)", header)[1]
    required = re.search(r"gradio==(\S+)", (ROOT / "requirements.txt").read_text())[1]
    assert stated == required


def test_files_that_are_named_exist():
    text = README.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:sr_hub|training|tests)/[\w./]*|app\.py)`", text)
    paths += [link for link in re.findall(r"\]\(([\w./-]+)\)", text) if not link.startswith("http")]
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert paths
    assert not missing


def test_every_licence_of_the_training_pictures_is_named():
    texts = [README, ROOT / "sr_hub" / "webapp" / "texts" / "en.toml"]
    for path in (ROOT / "sr_hub" / "checkpoints").glob("*/training.json"):
        for source in json.loads(path.read_text())["data"]:
            for licence in source["licences"].split(", "):
                name = re.sub(r"(-\d.*| licence.*| \(.*)", "", licence)
                assert all(name in text.read_text(encoding="utf-8") for text in texts), name


@pytest.mark.parametrize("package", ["sr_hub", "training"])
def test_every_room_stands_once_in_the_house(package):
    house = README.read_text(encoding="utf-8").partition("## The house")[2].partition("\n## ")[0]
    ours = house.partition(f"`{package}/`:")[2].partition("\n`")[0].partition("\nImports")[0]
    named = re.findall(r"`([a-z0-9_]+)/?`", ours)
    found = [path for path in (ROOT / package).iterdir() if not path.name.startswith(("_", "."))]
    rooms = [path.stem for path in found if path.is_dir() or path.suffix == ".py"]
    assert sorted(named) == sorted(rooms)


def test_commands_of_the_readme_exist():
    from sr_hub.cli import app

    known = {command.name for command in app.registered_commands}
    named = set(re.findall(r"python -m sr_hub (\w+)", README.read_text(encoding="utf-8")))
    assert named
    assert named <= known
