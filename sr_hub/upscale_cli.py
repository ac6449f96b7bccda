"""The commands about pictures: `upscale` and `models`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from sr_hub.errors import SRHubError
from sr_hub.files import check_writable, write_text

if TYPE_CHECKING:
    from collections import Counter

    from sr_hub.base import SRModel
    from sr_hub.bulk import Job, Row
    from sr_hub.output_size import OutputSize
    from sr_hub.upscaler import Upscaler


class FormatName(StrEnum):
    """What `--format` takes."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"
    AVIF = "avif"
    TIFF = "tiff"


class PrecisionName(StrEnum):
    """What `--precision` takes."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


def upscale_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="A folder; for one picture, also a file name.")
    ],
    model: Annotated[
        str,
        typer.Option(help="A name of `models`, a Hub folder or a Hub id (user/repo@revision)."),
    ] = "rrim-x4",
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")] = None,
    fidelity: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Between the GAN (0, sharpest) and PSNR form (1, truest) of MODEL."
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Times larger, fractions too: at most as MODEL enlarges. Default: that."),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Most pixels of a result (3840x2160, 3840x, x2160): larger ones are reduced.",
        ),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive",
            "-r",
            help="Sub-folders too, mirrored in OUT; links to folders are not followed.",
        ),
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave results that are already there.")
    ] = False,
    format: Annotated[
        FormatName | None,
        typer.Option(
            help="File format of the results. Default: that of OUT's name, else png. "
            "jpeg and avif are lossy."
        ),
    ] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of jpeg and avif.")] = 95,
    tile: Annotated[
        int | None,
        typer.Option(min=1, help="Side of a tile in input pixels; else by the memory there is."),
    ] = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble",
            help="Mean over eight orientations: a little truer, eight times as long.",
        ),
    ] = False,
    consistent: Annotated[
        bool,
        typer.Option(
            "--consistent",
            help="Results that, made small again, are their input: truer, for clean pictures.",
        ),
    ] = False,
    precision: Annotated[
        PrecisionName, typer.Option(help="bf16 is faster where the hardware has it.")
    ] = PrecisionName.AUTO,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps...")] = "auto",
    report: Annotated[
        Path | None, typer.Option(help="A JSON file: what came of each picture.")
    ] = None,
) -> None:
    """Enlarge a picture, or a folder of pictures.

    A picture that fails is told in one line and the others go on; the exit code is then 1.
    """
    from sr_hub.bulk import broken_links, find_jobs, left_out, not_entered, run_jobs
    from sr_hub.output_size import OutputSize
    from sr_hub.upscaler import Upscaler

    if "-" in (str(source), target):
        raise SRHubError("pictures do not go through pipes: name a file instead of -")
    size = OutputSize.parse(scale, fit)
    name = format.upper() if format else None
    jobs = find_jobs(source, target, format=name, recursive=recursive, skip_existing=skip_existing)
    if report:
        _check_report(report, jobs)
    network, name = _network(model, revision, fidelity)
    upscaler = Upscaler(
        network,
        name=name,
        tile=tile,
        ensemble=ensemble,
        consistent=consistent,
        precision=precision,
        device=device,
    )
    size.check(upscaler.scale, upscaler.name)
    start, rows = time.perf_counter(), []
    try:
        with _bars(len(jobs)) as (tiles, advance):
            for row in run_jobs(
                jobs,
                upscaler,
                size=size,
                quality=quality,
                skip_existing=skip_existing,
                progress=tiles,
            ):
                rows.append(row)
                _tell(row)
                advance()
    finally:
        if report:
            _write_report(report, rows, upscaler, size)
    failed = sum(row.status == "failed" for row in rows)
    typer.echo(_summary(rows, time.perf_counter() - start))
    if source.is_dir():
        _tell_left_out(left_out(source, recursive=recursive))
        _tell_not_reached(
            [] if recursive else not_entered(source, Path(target)),
            broken_links(source, recursive=recursive),
        )
    if failed:
        raise typer.Exit(1)


def models_command() -> None:
    """List the models that come with the package: size, cost and scores."""
    from sr_hub.zoo import entries, table

    typer.echo(table(entries()))


def _network(
    model: str, revision: str | None, fidelity: float | None
) -> "tuple[SRModel | str, str | None]":
    """What `Upscaler` takes for a model of these options, and the name of it."""
    from sr_hub.interpolate import load_with_fidelity, name_at
    from sr_hub.models import load_model

    if fidelity is not None:
        if revision:
            raise SRHubError("--fidelity is for bundled models, --revision for those of the Hub")
        return load_with_fidelity(model, fidelity), name_at(model, fidelity)
    if revision:
        return load_model(model, revision=revision), f"{model}@{revision}"
    return model, None


@contextmanager
def _bars(
    pictures: int,
) -> Iterator[tuple[Callable[["Job"], Callable[[int, int], None]], Callable[[], None]]]:
    """Progress bars on a terminal: pictures, where there are several, and tiles of the present one.

    Gives what makes the tile bar of a job, and what advances the other by one picture.
    """
    hidden = None if pictures > 1 else True  # None: where there is no terminal
    with (
        tqdm(total=pictures, unit="picture", disable=hidden) as outer,
        tqdm(unit="tile", leave=False, disable=None) as inner,
    ):

        def tiles(job: "Job") -> Callable[[int, int], None]:
            inner.reset()
            inner.set_description(job.source.name)

            def update(done: int, total: int) -> None:
                inner.total = total
                inner.update(done - inner.n)

            return update

        yield tiles, outer.update


def _tell(row: "Row") -> None:
    for notice in row.notices:
        tqdm.write(f"note: {row.input}: {notice}", file=sys.stderr)
    if row.error:
        tqdm.write(f"failed: {row.input}: {row.error}", file=sys.stderr)


def _summary(rows: "list[Row]", seconds: float) -> str:
    counts = {kind: sum(row.status == kind for row in rows) for kind in ("skipped", "failed")}
    done = len(rows) - sum(counts.values())
    parts = [f"{done} of {len(rows)} pictures enlarged"]
    parts += [f"{count} {kind}" for kind, count in counts.items() if count]
    return f"{', '.join(parts)}, in {seconds:.1f} s"


def _tell_left_out(counts: "Counter[str]") -> None:
    if counts:
        kinds = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in counts.items())
        typer.echo(f"note: skipped, not named like pictures: {kinds}", err=True)


def _tell_not_reached(folders: list[str], links: list[str]) -> None:
    if folders:
        typer.echo(f"note: --recursive takes in the pictures of {_some(folders)}", err=True)
    if links:
        typer.echo(f"note: skipped, links that lead nowhere: {_some(links)}", err=True)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _check_report(path: Path, jobs: "list[Job]") -> None:
    """Refuse, before the work, a report that would replace a picture or cannot be written."""
    pictures = {picture.resolve() for job in jobs for picture in (job.source, job.target)}
    if path.resolve() in pictures:
        raise SRHubError(f"--report {path} is one of the pictures: give it another name")
    check_writable(path)


def _write_report(path: Path, rows: "list[Row]", upscaler: "Upscaler", size: "OutputSize") -> None:
    from sr_hub import __version__

    report = {
        "format": "sr_hub upscale report 1",
        "sr_hub": __version__,
        "model": upscaler.name,
        "scale": upscaler.scale,
        "device": str(upscaler.device),
        "precision": upscaler.precision,
        "ensemble": upscaler.ensemble,
        "consistent": upscaler.consistent,
        "size": asdict(size),
        "pictures": [asdict(row) for row in rows],
    }
    text = json.dumps(report, indent=1) + "\n"  # in ASCII: a file's name may be no text at all
    write_text(path, text)
