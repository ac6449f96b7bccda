"""Divide a folder of pictures into train, val and test: `python -m training.split FOLDER OUT`.

8 : 1 : 1, as the second report does it. The same files and seed always give the same parts.
"""

import argparse
import hashlib
import os
import shutil
import sys
from pathlib import Path

from sr_hub.errors import SRHubError
from training.command import command
from training.decoding import files_of

PARTS = ("train",) * 8 + ("val", "test")


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
    """Link (or copy, across disks) each file of `folder` into a part of `out`; the counts.

    Raises:
        SRHubError: if `folder` has no files or `out` exists.
        OSError: if a file cannot be read or written.
    """
    files = files_of(folder) if folder.is_dir() else []
    if not files:
        raise SRHubError(f"{folder} has no pictures to divide")
    if out.exists():
        raise SRHubError(f"{out} exists already: give a new folder")
    ranked = sorted(files, key=lambda path: _rank(path.relative_to(folder), seed))
    counts = dict.fromkeys(("train", "val", "test"), 0)
    for index, path in enumerate(ranked):
        part = PARTS[index * len(PARTS) // len(ranked)]
        target = out / part / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(path, target)
        counts[part] += 1
    return counts


def _rank(path: Path, seed: int) -> str:
    return hashlib.sha256(f"{seed} {path.as_posix()}".encode()).hexdigest()


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


if __name__ == "__main__":
    sys.exit(main())
