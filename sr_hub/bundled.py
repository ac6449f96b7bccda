"""The checkpoints that come with the package, and what their folders say beside the weights."""

import filecmp
import shutil
from pathlib import Path

from sr_hub.folder import CONFIG_FILE, SOURCE_FILE, SPEED_FILE, TRAINING_FILE, WEIGHTS_FILE

CHECKPOINTS = Path(__file__).with_name("checkpoints")

EXTRAS = (TRAINING_FILE, SOURCE_FILE, SPEED_FILE, "metrics.json")
PICTURES = (".png", ".jpg", ".webp")


def bundled_models() -> dict[str, Path]:
    """The trained models that come with the package: name -> Hub folder."""
    return {path.parent.name: path.parent for path in sorted(CHECKPOINTS.glob(f"*/{CONFIG_FILE}"))}


def extras(folder: Path) -> list[Path]:
    """What a Hub folder holds besides config, weights and card: `EXTRAS` and pictures."""
    paths = sorted(folder.iterdir())
    return [path for path in paths if path.name in EXTRAS or path.suffix in PICTURES]


def add_what_is_known(folder: Path) -> None:
    """Copy the extras of the bundled model that has the same weights, if there is one."""
    for bundled in bundled_models().values():
        if filecmp.cmp(bundled / WEIGHTS_FILE, folder / WEIGHTS_FILE, shallow=False):
            for path in extras(bundled):
                shutil.copyfile(path, folder / path.name)
