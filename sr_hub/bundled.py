"""The checkpoints that come with the package, and what their folders say beside the weights."""

from pathlib import Path

from sr_hub.errors import SRHubError
from sr_hub.files import write_whole
from sr_hub.folder import (
    CONFIG_FILE,
    METRICS_FILE,
    SOURCE_FILE,
    SPEED_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
)

CHECKPOINTS = Path(__file__).with_name("checkpoints")

EXTRAS = (TRAINING_FILE, SOURCE_FILE, SPEED_FILE, METRICS_FILE)
PICTURES = (".png", ".jpg", ".webp")


def bundled_models() -> dict[str, Path]:
    """The trained models that come with the package: name -> Hub folder."""
    return {path.parent.name: path.parent for path in sorted(CHECKPOINTS.glob(f"*/{CONFIG_FILE}"))}


def hub_folder(name: str) -> Path:
    """The Hub folder that a bundled model's name or a path stands for.

    Raises:
        SRHubError: if it stands for two of them.
    """
    bundled, other = bundled_models().get(name), Path(name)
    if bundled is None:
        return other
    if (other / CONFIG_FILE).is_file() and not other.samefile(bundled):
        raise SRHubError(
            f"{name} is a bundled model and a folder here: write ./{name} for the folder"
        )
    return bundled


def extras(folder: Path) -> list[Path]:
    """What a Hub folder holds besides config, weights and card: `EXTRAS` and pictures."""
    paths = sorted(folder.iterdir())
    return [path for path in paths if path.name in EXTRAS or path.suffix in PICTURES]


def add_what_is_known(folder: Path) -> None:
    """Copy the extras of the bundled model that has the same weights, if there is one.

    A folder with a `training.json` speaks for itself, and no file is replaced.
    """
    if (folder / TRAINING_FILE).exists():
        return
    for path in _known(folder):
        if not (folder / path.name).exists():
            write_whole(folder / path.name, lambda to, path=path: to.write_bytes(path.read_bytes()))


def what_was_known(folder: Path) -> list[Path]:
    """The files of a folder that are copies of those extras: true of its weights alone."""
    pairs = [(path, folder / path.name) for path in _known(folder)]
    return [copy for path, copy in pairs if copy.is_file() and _equal(path, copy)]


def _known(folder: Path) -> list[Path]:
    """The extras of another folder, that of the bundled model with the same weights."""
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        return []
    others = [path for path in bundled_models().values() if not path.samefile(folder)]
    same = [path for path in others if _equal(path / WEIGHTS_FILE, weights)]
    return extras(same[0]) if same else []


def _equal(path: Path, other: Path) -> bool:
    # Not `filecmp`, which remembers by the time of a file: one that is written twice at a time.
    return path.stat().st_size == other.stat().st_size and path.read_bytes() == other.read_bytes()
