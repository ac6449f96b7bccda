"""Folders of pictures: which files become which, one picture at a time, and what came of each.

`enlarge_file` is all that happens to one picture; it knows nothing of what runs it, returns its
errors as part of its row, and leaves either a whole file or none. `run_jobs` is the runner that
needs no engine.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sr_hub.errors import SRHubError, one_line
from sr_hub.image import (
    FORMATS,
    QUALITY,
    check_format,
    decode,
    format_of,
    readable_suffixes,
    save,
)
from sr_hub.output_size import FULL, OutputSize
from sr_hub.upscaler import Progress, Upscaler


@dataclass(frozen=True)
class Job:
    """One picture to enlarge."""

    source: Path
    target: Path
    format: str
    """Of the target; a key of `image.FORMATS`."""


@dataclass(frozen=True)
class Row:
    """What came of a job."""

    input: str
    output: str
    status: Literal["done", "skipped", "failed"]
    input_size: tuple[int, int] | None = None
    """Width and height in pixels, upright."""
    output_size: tuple[int, int] | None = None
    seconds: float = 0.0
    """For reading, enlarging and writing."""
    error: str | None = None
    notices: list[str] = field(default_factory=list)
    """What could not be kept, one line each."""


def find_jobs(
    source: Path,
    target: str | Path,
    *,
    format: str | None = None,
    recursive: bool = False,
    skip_existing: bool = False,
) -> list[Job]:
    """The pictures of a file or folder, with the files that they become.

    Args:
        source: a file, or a folder, of which hidden files and files without the suffix of a
            picture are left out.
        target: a folder, which need not exist; for a single file, also the name of a file. A text
            that ends in a slash is a folder, whatever its suffix.
        format: of the new files; None takes it from the name of a target file, else PNG.
        recursive: sub-folders too, mirrored in `target`; links to folders are not followed.
        skip_existing: whether targets that exist are left, as `run_jobs` has it.

    Raises:
        SRHubError: if there is no picture, the target is a file without a suffix, a folder's is
            named like a picture, or a picture would be replaced by its own enlargement or, in its
            own folder, by that of another.
    """
    into_folder = str(target).endswith(("/", os.sep)) or Path(target).is_dir()
    target = Path(target)
    if not source.exists():
        raise SRHubError(f"no file or folder {source}")
    if source.is_file():
        jobs = [_single(source, target, format, into_folder)]
    else:
        if target.is_file() or (target.exists() and target.samefile(source)):
            raise SRHubError(f"{source} is a folder: name another folder for the results")
        if not into_folder and target.suffix.lower() in readable_suffixes():
            raise SRHubError(
                f"{source} is a folder and {target} named like a picture: name a folder for the "
                f"results, or end it in a slash"
            )
        jobs = _folder(source, target, format or "PNG", recursive)
    sources = {job.source.resolve() for job in jobs}
    for job in jobs:
        itself = job.target.exists() and job.target.samefile(job.source)
        if itself or job.target.resolve() in sources:
            raise SRHubError(f"{job.target} would be replaced by an enlargement: name another")
        beside = into_folder and not skip_existing
        if beside and job.target.exists() and job.target.parent.samefile(job.source.parent):
            raise SRHubError(
                f"{job.target} is there already, beside {job.source.name}: name the file to write"
            )
    return jobs


def left_out(source: Path, *, recursive: bool = False) -> Counter[str]:
    """How many files of a folder `find_jobs` passes over for their suffix, by suffix.

    Hidden files do not count; "" stands for no suffix.
    """
    inside = _inside(source, recursive)
    return Counter(
        path.suffix.lower()
        for path in inside
        if path.suffix.lower() not in readable_suffixes() and _is_plain(source, path)
    )


def not_entered(source: Path, target: Path) -> list[str]:
    """Names of the sub-folders with pictures that a folder has, apart from that of the results.

    Hidden ones do not count; pictures further down do.
    """
    found = [path.relative_to(source) for path in source.rglob("*")]
    pictures = (path for path in found if path.suffix.lower() in readable_suffixes())
    deeper = (path for path in pictures if len(path.parts) > 1 and _is_plain(source, path))
    results = target.resolve()
    outside = (path for path in deeper if results not in (source / path).resolve().parents)
    return sorted({path.parts[0] for path in outside})


def broken_links(source: Path, *, recursive: bool = False) -> list[str]:
    """Names of the links in a folder that are named like pictures and lead nowhere."""
    return [
        str(path)
        for path in _inside(source, recursive)
        if path.suffix.lower() in readable_suffixes()
        and (source / path).is_symlink()
        and not (source / path).exists()
    ]


def run_jobs(
    jobs: Iterable[Job],
    upscaler: Upscaler,
    *,
    size: OutputSize = FULL,
    quality: int = QUALITY,
    skip_existing: bool = False,
    progress: Callable[[Job], Progress | None] | None = None,
) -> Iterator[Row]:
    """The rows of jobs, as they are done one after the other.

    Args:
        jobs: as `find_jobs` gives them.
        upscaler: enlarges them.
        size: of the results.
        quality: of JPEG and AVIF files.
        skip_existing: leave targets that exist; they are whole, as all files are written.
        progress: asked before each job for what takes `(done, total)` tiles of it.
    """
    for job in jobs:
        if skip_existing and job.target.exists():
            yield Row(str(job.source), str(job.target), "skipped")
        else:
            tiles = progress(job) if progress else None
            yield enlarge_file(job, upscaler, size=size, quality=quality, progress=tiles)


def enlarge_file(
    job: Job,
    upscaler: Upscaler,
    *,
    size: OutputSize = FULL,
    quality: int = QUALITY,
    progress: Progress | None = None,
) -> Row:
    """What came of reading, enlarging and writing one picture; the row tells what went wrong."""
    start = time.perf_counter()
    names = (str(job.source), str(job.target))
    sizes: dict[str, tuple[int, int]] = {}
    try:
        with job.source.open("rb") as file:
            image = decode(file)
        sizes["input_size"] = image.size
        wanted = size.of(image.size, upscaler.scale)
        check_format(job.format, image.mode, wanted)
        result = upscaler(image, size=wanted, progress=progress)
        save(result, job.target, format=job.format, quality=quality)
        sizes["output_size"] = result.size
    except Exception as error:
        logging.getLogger(__name__).debug("%s failed", job.source, exc_info=True)
        seconds = time.perf_counter() - start
        return Row(*names, "failed", **sizes, seconds=seconds, error=_reason(error))
    notices = list(result.info.get("notices", ()))
    return Row(*names, "done", **sizes, seconds=time.perf_counter() - start, notices=notices)


def _single(source: Path, target: Path, format: str | None, into_folder: bool) -> Job:
    if target.is_file() and (into_folder or not target.suffix):
        raise SRHubError(
            f"{target} is a file: name a folder, or a file with the suffix of a picture"
        )
    if into_folder or not target.suffix:
        format = format or "PNG"
        return Job(source, target / (source.stem + FORMATS[format].suffixes[0]), format)
    named = format_of(target)
    if format not in (None, named):
        raise SRHubError(f"{target.name} is no name for a file of format {format}")
    return Job(source, target, named)


def _folder(source: Path, target: Path, format: str, recursive: bool) -> list[Job]:
    suffixes, results = readable_suffixes(), target.resolve()
    holds_results = source.resolve() in results.parents
    pictures = [
        path
        for path in _inside(source, recursive)
        if path.suffix.lower() in suffixes
        and _is_plain(source, path)
        and not (holds_results and results in (source / path).resolve().parents)
    ]
    if not pictures:
        advice = "" if recursive else " (sub-folders are left out without --recursive)"
        raise SRHubError(f"no pictures in {source}{advice}")
    names = _target_names(pictures, FORMATS[format].suffixes[0])
    return [
        Job(source / path, target / name, format)
        for path, name in zip(pictures, names, strict=True)
    ]


def _inside(source: Path, recursive: bool) -> list[Path]:
    found = sorted(source.rglob("*") if recursive else source.iterdir())
    return [path.relative_to(source) for path in found]


def _is_plain(source: Path, path: Path) -> bool:
    """Whether `path` inside `source` is a file that is not hidden, nor in a hidden folder."""
    return not any(part.startswith(".") for part in path.parts) and (source / path).is_file()


def _target_names(pictures: list[Path], suffix: str) -> list[Path]:
    """A name for each picture, none twice, not even where upper and lower case are the same.

    a.jpg -> a.png; but where a.jpg and a.webp lie side by side, a.jpg.png and a.webp.png.
    """
    stems = Counter(_folded(path.with_suffix("")) for path in pictures)
    names: list[Path] = []
    taken: set[str] = set()
    for path in pictures:
        alone = stems[_folded(path.with_suffix(""))] == 1
        stem = path.stem if alone else path.name
        name, number = path.with_name(stem + suffix), 2
        while _folded(name) in taken:
            name, number = path.with_name(f"{stem}-{number}{suffix}"), number + 1
        taken.add(_folded(name))
        names.append(name)
    return names


def _folded(path: Path) -> str:
    return path.as_posix().casefold()


def _reason(error: Exception) -> str:
    """One line on what went wrong."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    line = one_line(error)
    return line if isinstance(error, SRHubError) else f"{type(error).__name__}: {line}"
