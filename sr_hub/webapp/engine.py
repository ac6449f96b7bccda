"""The networks of the app: loaded once for everybody, run for one visitor at a time.

An `Engine` holds no picture, and of a visitor only which file a run is of and the wish to stop.
"""

import os
import re
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from PIL import Image

from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models
from sr_hub.errors import HubError, NoMemoryError, SRHubError
from sr_hub.files import is_folder
from sr_hub.folder import read_config
from sr_hub.interpolate import load_with_fidelity, name_at, pair_of, split_fidelity
from sr_hub.models import BASELINES, load_model
from sr_hub.models.interpolation import Interpolation
from sr_hub.upscaler import Upscaler
from sr_hub.webapp.advance import Report, layers_counted
from sr_hub.webapp.i18n import VisitorError

BICUBIC = "bicubic"

ORDER = (
    BICUBIC,
    "srresnet-x4",
    "srgan-x4",
    "rrim-x4",
    "rrim-gan-x4",
    "rrdbnet-x4",
    "esrgan-x4",
)
"""Methods that come first in every list, in this order."""

DEFAULT_MAX_PIXELS = 3_000_000
"""Input pixels that two CPU cores enlarge in about a minute; SR_HUB_MAX_PIXELS overrides it."""

WAIT = 0.5
"""Seconds between two looks at whether a visitor who waits has pressed Stop."""

OTHERS_KEPT = 2
"""Networks from the Hub or at some fidelity that stay in memory, besides all bundled ones."""

HUB_MODEL_BYTES = 200_000_000
"""Largest checkpoint that a visitor can have downloaded; the published ESRGAN has 67 MB."""

HEAVY = {"concurrency_id": "networks", "concurrency_limit": 1}
"""What every listener that runs networks is given: one run at a time on the whole machine."""

_HUB_ID = re.compile(
    r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}"
    r"(@(?!.*\.\.)[A-Za-z0-9][\w./-]{0,95})?",  # a revision names a file of the cache
    re.ASCII,
)


class Enlarged(NamedTuple):
    """What came of one picture.

    Args:
        picture: the result.
        seconds: that it took.
        device: where and how precisely it was computed, for people: "cpu, bf16".
    """

    picture: Image.Image
    seconds: float
    device: str


class StoppedError(Exception):
    """The visitor pressed Stop."""


def gpu(function: Callable) -> Callable:
    """`function` on the accelerator of a ZeroGPU machine, where the package `spaces` exists."""
    try:
        import spaces
    except ImportError:
        return function
    return spaces.GPU(function)


class Engine:
    """Every network that the app offers.

    Args:
        models: name -> Hub folder, instead of the bundled ones.
        max_pixels: the largest input, in pixels, instead of SR_HUB_MAX_PIXELS.

    Raises:
        SRHubError: if SR_HUB_MAX_PIXELS is no count of pixels.
    """

    def __init__(
        self, models: dict[str, Path] | None = None, *, max_pixels: int | None = None
    ) -> None:
        self._folders = bundled_models() if models is None else dict(models)
        known = [name for name in ORDER if name in self._folders or name == BICUBIC]
        self.names = known + [name for name in self._folders if name not in known]
        self.max_pixels = max_pixels or _max_pixels()
        self._folder = tempfile.TemporaryDirectory(prefix="sr_hub_", ignore_cleanup_errors=True)
        self._upscalers: dict[str, Upscaler] = {}
        self._others: OrderedDict[str, Upscaler] = OrderedDict()
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._runs: dict[str, str | None] = {}  # visitor -> file, None once it is to end
        self._run = gpu(self._enlarge)
        # A ZeroGPU machine runs it in another process, from which no progress comes and which
        # alone may touch the GPU.
        self._is_here = self._run == self._enlarge
        self._device = "auto" if self._is_here else "cpu"

    def offered(self, scale: int) -> list[str]:
        """Those of `names` that enlarge by `scale`."""
        return [
            name
            for name in self.names
            if name not in self._folders or read_config(self._folders[name]).get("scale") == scale
        ]

    @property
    def root(self) -> Path:
        """The folder for visitors' files; it goes away with the engine."""
        return Path(self._folder.name)

    @property
    def default(self) -> str:
        """The model that is chosen at first: the report's own, else the last one."""
        return "rrim-x4" if "rrim-x4" in self.names else self.names[-1]

    def place(self, name: str) -> int:
        """Where a method stands in lists: those of `names` first."""
        return self.names.index(name) if name in self.names else len(self.names)

    def pair(self, name: str) -> tuple[str, str] | None:
        """The PSNR and the GAN model between which `name` has a fidelity; None if it has none."""
        return pair_of(name, self._folders)

    def at_fidelity(self, name: str, fidelity: float) -> str:
        """What `upscaler` calls the model `name`, which has a `pair`, at a fidelity of 0 to 1.

        The ends go by the names of the two models.
        """
        true, sharp = self.pair(name)
        return {0: sharp, 1: true}.get(fidelity) or name_at(name, fidelity)

    def upscaler(self, name: str, scale: int = 4) -> Upscaler:
        """The method called `name`, ready to run: one of `names`, an interpolation, a Hub id.

        A name may also be one that `at_fidelity` gave.

        `scale` is for the interpolations, which have any; a network has its own.

        Raises:
            SRHubError: if it is none of these, or cannot be loaded.
        """
        with self._lock:
            if name in BASELINES and scale != 4:
                return Upscaler(Interpolation(mode=name, scale=scale), device=self._device)
            if name not in self.names and name not in BASELINES:
                return self._other(name)
            if name not in self._upscalers:
                source = self._folders.get(name, name)
                self._upscalers[name] = Upscaler(source, device=self._device)
            return self._upscalers[name]

    def enlarge(
        self, name: str, image: Image.Image, report: Report | None = None, *, scale: int = 4
    ) -> Enlarged:
        """`image` enlarged by `upscaler(name, scale)`.

        Raises:
            SRHubError: if there is no such method, or not enough memory for the picture.
            StoppedError: if `report` raised it.
        """
        self.upscaler(name, scale)
        with self._turn(report):
            started = time.perf_counter()
            made = self._run(name, scale, image, report if self._is_here else None)
            seconds = time.perf_counter() - started
        if made is None:
            raise VisitorError("no_memory")
        picture, device = made
        return Enlarged(picture, seconds, device)

    @contextmanager
    def _turn(self, report: Report | None) -> Iterator[None]:
        """Within it, nobody else's network runs: a call of a program that went away runs on."""
        while not self._one_at_a_time.acquire(timeout=WAIT):
            if report:
                report(0)
        try:
            yield
        finally:
            self._one_at_a_time.release()

    @contextmanager
    def running(self, session: str, picture: str) -> Iterator[None]:
        """Within it, `stop` ends the run of the visitor `session` on the file `picture`."""
        self._runs[session] = picture
        try:
            yield
        finally:
            self._runs.pop(session, None)

    def stop(self, session: str) -> None:
        """End this visitor's run, if there is one, at its next layer."""
        if session in self._runs:
            self._runs[session] = None

    def stop_others(self, session: str, picture: str | None) -> None:
        """`stop`, unless the run is on the file `picture`."""
        if self._runs.get(session) != picture:
            self.stop(session)

    def check(self, session: str) -> None:
        """Raise `StoppedError` if this visitor wishes to stop."""
        if self._runs.get(session, "") is None:
            raise StoppedError

    def reporter(
        self, name: str, names: Sequence[str], request: gr.Request, progress: gr.Progress
    ) -> Report:
        """Shows how far `name` is, which of `names` it is and how long it will take; ends on Stop.

        Of several, it shows "2 / 3" before the name.
        """
        shown_as = f"{names.index(name) + 1} / {len(names)} · {name}" if len(names) > 1 else name
        started, shown = time.perf_counter(), -1

        def report(part: float) -> None:
            nonlocal shown
            self.check(request.session_hash)
            if int(part * 100) != shown:
                shown = int(part * 100)
                seconds = (time.perf_counter() - started) / part * (1 - part) if part else 0
                progress(part, desc=f"{shown_as} · {seconds:.0f} s" if seconds >= 1 else shown_as)

        report(0)
        return report

    def _enlarge(
        self, name: str, scale: int, image: Image.Image, report: Report | None
    ) -> tuple[Image.Image, str] | None:
        """The result and where it was computed, or None if there is not enough memory.

        That is not an error, since those of another process come without their type.
        """
        upscaler = self.upscaler(name, scale)
        if not self._is_here:
            upscaler = Upscaler(upscaler.model, name=upscaler.name)
        try:
            if report is None:
                picture = upscaler(image)
            else:
                with layers_counted(upscaler, image, report) as progress:
                    picture = upscaler(image, progress=progress)
        except (MemoryError, NoMemoryError):
            return None
        return picture, f"{upscaler.device}, {upscaler.precision}"

    def _other(self, name: str) -> Upscaler:
        """A model that is none of `names`; of these, the last few stay loaded."""
        if name in self._others:
            self._others.move_to_end(name)
        else:
            self._others[name] = Upscaler(self._load(name), name=name, device=self._device)
            if len(self._others) > OTHERS_KEPT:
                self._others.popitem(last=False)
        return self._others[name]

    def _load(self, name: str) -> SRModel:
        if name is None:
            raise VisitorError("no_model")
        if mixed := split_fidelity(name):
            return load_with_fidelity(*mixed, self._folders)
        if not _HUB_ID.fullmatch(name) or is_folder(name):
            raise VisitorError("hub_no_id", repr(name))
        try:
            # Without this machine's token: a visitor sees public repositories only.
            return load_model(name, token=False, max_bytes=HUB_MODEL_BYTES)
        except HubError as error:
            raise VisitorError(f"hub_{error.reason}", name, *error.values) from None
        except SRHubError as error:
            raise VisitorError("not_loaded", str(error)) from None


def _max_pixels() -> int:
    """What SR_HUB_MAX_PIXELS says, `DEFAULT_MAX_PIXELS` where it says nothing."""
    setting = os.environ.get("SR_HUB_MAX_PIXELS", "").strip() or str(DEFAULT_MAX_PIXELS)
    if not setting.isdecimal() or int(setting) < 1:
        raise SRHubError(
            f"SR_HUB_MAX_PIXELS={setting!r} is not a whole number of at least 1: give pixels, "
            f"like {DEFAULT_MAX_PIXELS}"
        )
    return int(setting)
