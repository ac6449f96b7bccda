"""Divide a folder of pictures into train, val and test: `python -m training.split FOLDER OUT`.

8 : 1 : 1, as the second report does it. The same files and seed always give the same parts. Files
that are neither pictures nor tar shards are left out; a shard stays whole.
"""

import argparse
import hashlib
import logging
import os
import shutil
import sys
import tarfile
from pathlib import Path

from sr_hub.errors import SRHubError
from training.command import command
from training.decoding import files_of, size_in_header

logger = logging.getLogger(__name__)

PARTS = ("train",) * 8 + ("val", "test")
"""Of ten pictures in a row; with fewer, a part would stay empty."""


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.split", description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures, in sub-folders too")
    parser.add_argument("out", type=Path, help="gets train/, val/ and test/; must not exist")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    counts = split(options.folder, options.out, seed=options.seed)
    sys.stdout.write(", ".join(f"{part}: {count}" for part, count in counts.items()) + "\n")
    return 0


def split(folder: Path, out: Path, *, seed: int = 0) -> dict[str, int]:
    """Link (or copy, across disks) each picture of `folder` into a part of `out`; the counts.

    Raises:
        SRHubError: if `folder` has too few pictures for each part to get one, or `out` exists.
        OSError: if a file cannot be read or written.
    """
    pictures = divisible(folder)
    if out.exists():
        raise SRHubError(f"{out} exists already: give a new folder")
    ranked = sorted(pictures, key=lambda path: _rank(path.relative_to(folder), seed))
    counts = dict.fromkeys(("train", "val", "test"), 0)
    for index, path in enumerate(ranked):
        part = PARTS[index * len(PARTS) // len(ranked)]
        target = out / part / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(path, target)
        counts[part] += 1
    return counts


def divisible(folder: Path) -> list[Path]:
    """The files below `folder` that are pictures, by their header, or tar shards.

    Raises:
        SRHubError: if there are too few for one in each part.
    """
    pictures, others = [], []
    for path in files_of(folder) if folder.is_dir() else []:
        (pictures if _is_picture(path) else others).append(path)
    if len(pictures) < len(PARTS):
        besides = f" (and {len(others)} files that are none)" if others else ""
        raise SRHubError(
            f"{folder} has {len(pictures) or 'no'} pictures to divide{besides}: "
            f"each part gets one from {len(PARTS)} on"
        )
    if others:
        text = "left out %d files that are no pictures, like %s"
        logger.warning(text, len(others), others[0])
    return pictures


def _is_picture(path: Path) -> bool:
    return tarfile.is_tarfile(path) if path.suffix == ".tar" else size_in_header(path) is not None


def _rank(path: Path, seed: int) -> str:
    return hashlib.sha256(f"{seed} {path.as_posix()}".encode()).hexdigest()


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path.resolve(), target)
    except OSError:
        shutil.copy2(path, target)


if __name__ == "__main__":
    sys.exit(main())
