"""What one visitor's run left: the results on disk, in a folder of their own.

Results stay on disk as plain arrays, because a visitor who looks around needs only small spots of
them, and memory would have to hold them all for an hour.
"""

import shutil
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image, PngImagePlugin

from sr_hub.files import write_whole
from sr_hub.webapp.view import fit, percent_at, preview

KEPT_SECONDS = 3600
"""How long a visitor's files stay."""

SWEEP_SECONDS = 300
"""How often old files are looked for, so that none gets older than that."""

NAME_BYTES = 130
"""Longest part of an upload's name that a download keeps; beside it stand the name of a Hub
repository, up to 96, and a size."""


@dataclass(frozen=True)
class Result:
    """One picture of a run: where its pixels lie, and what is said about it.

    Args:
        pixels: file of the 8-bit pixels (H, W, 3) as a numpy array.
        size: width and height.
        scale: enlargement factor; 1 for a truth.
        seconds: how long the network took.
        consistency: PSNR in dB of the result made small again against the input.
        device: where and how precisely it was computed.
    """

    pixels: Path
    size: tuple[int, int]
    scale: int = 1
    seconds: float = float("nan")
    consistency: float = float("nan")
    device: str = ""


@dataclass
class Work:
    """A visitor's picture and what the methods made of it.

    Args:
        folder: a folder of its own, removed by `discard`.
        stem: the picture's file name without ending.
        size: width and height of the small, upright picture, in pixels.
        profile: its colour profile, for previews.
        chosen: the result that is shown whole.
        order: the methods in the order in which they are shown.
        spot: what is looked at: its middle across and down, in percent, and the page's third
            control, zoom or size.
        results: every result by the name of its method.
        scores: metrics by protocol and method, as far as they were asked for.
    """

    folder: Path
    stem: str
    size: tuple[int, int]
    profile: bytes | None
    chosen: str
    order: list[str]
    spot: tuple[float, float, int] = (50, 50, 3)
    results: dict[str, Result] = field(default_factory=dict)
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, root: Path, path: str, image: Image.Image, chosen: str, order: list[str]
    ) -> "Work":
        """An empty folder below `root` for the picture `image` that was read from `path`."""
        folder = root / uuid.uuid4().hex
        folder.mkdir(parents=True)
        profile = preview(image.crop((0, 0, 1, 1))).info.get("icc_profile")
        if profile and len(profile) > PngImagePlugin.MAX_TEXT_CHUNK:
            profile = None  # Pillow would not open the PNG again
        stem = Path(path).stem.encode()[:NAME_BYTES].decode(errors="ignore") or "picture"
        return cls(folder, stem, image.size, profile, chosen, order)

    def keep(self, name: str, picture: Image.Image, **facts: object) -> Result:
        """Store the 8-bit pixels of `picture` under `name`, with what is known about it."""
        path = self.folder / f"{len(self.results)}.npy"
        np.save(path, np.asarray(preview(picture)))
        self.results[name] = Result(path, picture.size, **facts)
        return self.results[name]

    def shown(self) -> list[tuple[str, Result]]:
        """The methods' results that are there, in the order in which they are shown."""
        return [(name, self.results[name]) for name in self.order if name in self.results]

    def pixels(self, name: str) -> np.ndarray:
        """The stored pixels (H, W, 3), uint8; only what is used of them is read."""
        return np.load(self.results[name].pixels, mmap_mode="r")

    def picture(self, name: str, side: int) -> Path:
        """The stored result as a PNG file whose longer side is at most `side` pixels."""
        path = self.folder / f"{self.results[name].pixels.stem}-{side}.png"
        if not path.exists():
            self.save(fit(Image.fromarray(np.asarray(self.pixels(name))), side), path.name)
        return path

    def save(self, picture: Image.Image, name: str) -> Path:
        """A PNG file called `name` of a picture for the screen, with the colour profile."""
        path = self.folder / name
        options = {"compress_level": 1, "icc_profile": self.profile}
        write_whole(path, lambda unfinished: picture.save(unfinished, "PNG", **options))
        return path

    def percent(self, name: str, event: gr.SelectData) -> tuple[float, float]:
        """Where a click on the overview of `name` fell, in percent across and down."""
        return percent_at(event.index, self.results[name].size)


def discard(work: Work | None) -> None:
    """Remove a work's folder; nothing happens if there is no work."""
    if work is not None:
        shutil.rmtree(work.folder, ignore_errors=True)


def keep_swept(root: Path) -> None:
    """Look now and then, for as long as there is the folder `root`, for what is too old in it."""

    def look() -> None:
        while root.exists():
            with suppress(OSError):  # a folder that its visitor discards meanwhile
                sweep(root)
            time.sleep(SWEEP_SECONDS)

    threading.Thread(target=look, name="sweep", daemon=True).start()


def sweep(root: Path) -> None:
    """Remove the folders below `root` that are older than a visitor's files may be."""
    oldest = time.time() - KEPT_SECONDS + SWEEP_SECONDS
    for folder in root.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
