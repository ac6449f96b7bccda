"""An installed package works away from its repository: weights, template and results inside."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools 77 or newer")

ROOT = Path(__file__).resolve().parents[1]

USE = """
import sys
import sr_hub
from sr_hub import load_model
assert "site" in sr_hub.__file__, sr_hub.__file__
for name in ("gradio", "piq", "torchvision", "typer", "spandrel"):
    assert name not in sys.modules, name
from PIL import Image
from sr_hub.bundled import bundled_models
names = list(bundled_models())
for name in [*names, "bicubic"]:
    image = sr_hub.Upscaler(load_model(name))(Image.new("RGB", (5, 4), "red"))
    assert image.size[0] > 5
if names:
    assert sr_hub.upscale(Image.new("RGB", (5, 4), "red")).size == (20, 16)
load_model("bicubic").save_pretrained("saved")
assert open("saved/README.md").read().startswith("---")
for name in ("gradio", "piq", "torchvision", "typer"):
    assert name not in sys.modules, name
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The unpacked wheel, built from a copy so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("sr_hub", "training"):
        shutil.copytree(
            ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    build = "import setuptools.build_meta as b; b.build_wheel('..')"
    subprocess.run(
        [sys.executable, "-c", build], cwd=folder / "source", check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_every_file_that_the_package_reads(site):
    kinds = {".py", ".md", ".json", ".safetensors", ".png", ".css", ".js", ".jpg", ".webp"}
    expected = {
        path.relative_to(ROOT)
        for path in (ROOT / "sr_hub").rglob("*")
        if path.suffix in kinds and "__pycache__" not in path.parts
    }
    assert {path for path in expected if not (site / path).is_file()} == set()
    assert (site / "sr_hub" / "model_card.md").is_file()
    assert (site / "sr_hub" / "py.typed").is_file()


def test_it_loads_enlarges_and_saves_away_from_the_repository(site, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{USE}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
