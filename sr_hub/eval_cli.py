"""The command `eval`: reads its arguments, runs `evaluate`, prints tables, writes files."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from sr_hub.errors import SRHubError
from sr_hub.files import check_writable

if TYPE_CHECKING:
    from torch import Tensor

    from sr_hub.evaluate import Progress
    from sr_hub.pairs import Dataset


def eval_command(
    data: Annotated[
        list[Path],
        typer.Option(help="Benchmark folder: HR pictures, or HR/ and LRx4/ in it. Repeatable."),
    ],
    models: Annotated[
        str | None,
        typer.Option(
            help="Comma list of bundled names, folders, Hub ids (user/repo@revision), bicubic, "
            "bicubic-opencv, bilinear, nearest. Default: both bicubics and every bundled model of "
            "this scale."
        ),
    ] = None,
    protocol: Annotated[
        list[str], typer.Option(help="y, rgb or report; repeatable, or a comma list.")
    ] = ["y"],  # noqa: B006 (typer copies it)
    scale: Annotated[int, typer.Option(min=1, help="Enlargement factor.")] = 4,
    json: Annotated[Path | None, typer.Option(help="Write all numbers here.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Write the comparison strip of one picture here.")
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option(help="The picture of the strip, by its name; the first if not given."),
    ] = None,
    lpips: Annotated[bool, typer.Option("--lpips", help="Measure LPIPS (squeeze) too.")] = False,
    lpips_weights: Annotated[
        Path | None, typer.Option(help="SqueezeNet weights for LPIPS, instead of a download.")
    ] = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble",
            help="Mean over eight orientations, for all networks; their names get a plus.",
        ),
    ] = False,
    consistent: Annotated[
        bool,
        typer.Option(
            "--consistent",
            help="Networks' results held to their input; the word is put behind their names.",
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or auto.")] = "fp32",
) -> None:
    """Measure models on benchmark folders: PSNR, SSIM, FSIM, RMSE, and LPIPS on request.

    Each model runs once per picture; every protocol is computed from that result.
    """
    from sr_hub.contestants import default_names, load_contestants
    from sr_hub.evaluate import evaluate
    from sr_hub.metrics import parse_protocol
    from sr_hub.pairs import find_dataset
    from sr_hub.records import write_results

    protocols = [str(parse_protocol(name)) for name in _words(protocol)]
    names = default_names(scale) if models is None else _words([models])
    datasets = [find_dataset(folder, scale) for folder in data]
    strip = _Strip(datasets, picture)
    _check_outputs(json, figure)
    distance = _distance(lpips_weights) if lpips or lpips_weights else None
    contestants = load_contestants(
        names,
        scale,
        device=device,
        precision=precision,
        ensemble=ensemble,
        consistent=consistent,
    )
    with _Reporter(sum(len(dataset.pairs) for dataset in datasets)) as reporter:
        results = evaluate(
            datasets,
            contestants,
            protocols,
            scale,
            lpips=distance,
            progress=reporter,
            on_picture=strip if figure else None,
        )
    options = ["--protocol", ",".join(protocols), "--scale", str(scale)]
    options += ["--lpips"] if distance else []
    options += ["--ensemble"] if ensemble else []
    options += ["--consistent"] if consistent else []
    options += ["--precision", precision] if precision != "fp32" else []
    results |= _origin(data, names, options, device)
    _print_tables(results)
    if json:
        write_results(results, json)
    if figure:
        strip.write(figure, results, scale)
    for path in (json, figure):
        if path:
            typer.echo(f"written: {path}")


class _Reporter:
    """Progress on stderr: a bar on a terminal, else a line per picture."""

    def __init__(self, total: int) -> None:
        self.bar = tqdm(total=total, unit="picture", disable=not sys.stderr.isatty())

    def __enter__(self) -> "_Reporter":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, progress: "Progress") -> None:
        self.bar.set_description(progress.dataset)
        self.bar.update()
        if self.bar.disable:
            place = f"{progress.done}/{progress.total}"
            typer.echo(f"{place} {progress.dataset} {progress.picture}", err=True)


class _Strip:
    """Keeps what the comparison strip needs of one picture, and draws it at the end."""

    def __init__(self, datasets: "list[Dataset]", picture: str | None) -> None:
        names = [(d.name, pair.name) for d in datasets for pair in d.pairs]
        wanted = [name for name in names if picture in (None, name[1])]
        if not wanted:
            raise SRHubError(f"no picture {picture!r} in the data: one is {names[0][1]!r}")
        self.place = wanted[0]
        self.kept: tuple[Tensor, dict[str, Tensor]] | None = None

    def __call__(
        self, dataset: str, picture: str, hr: "Tensor", outputs: "dict[str, Tensor]"
    ) -> None:
        if (dataset, picture) == self.place:
            self.kept = hr, outputs

    def write(self, path: Path, results: dict[str, Any], scale: int) -> None:
        from sr_hub.figures import caption, strip, telling_box
        from sr_hub.image import save

        hr, outputs = self.kept
        dataset, picture = self.place
        protocol, definition = next(iter(results["protocols"].items()))
        index = results["datasets"][dataset]["pictures"].index(picture)
        captions = {}
        for row in results["results"]:
            if (row["dataset"], row["protocol"]) == (dataset, protocol):
                values = {metric: column[index] for metric, column in row["pictures"].items()}
                captions[row["model"]] = caption(values, protocol)
        note = (
            f"{picture} of {dataset}, x{scale}. Below each crop: PSNR / SSIM of the whole picture, "
            f"protocol {protocol} ({definition})."
        )
        box = telling_box(hr, list(outputs.values()))
        save(strip(hr, outputs, box, captions, note), path)


def _words(values: list[str]) -> list[str]:
    return [word.strip() for value in values for word in value.split(",") if word.strip()]


def _check_outputs(json: Path | None, figure: Path | None) -> None:
    """Refuse, before anything runs, what could not be written at the end."""
    from sr_hub.image import format_of

    if figure:
        format_of(figure)
    for path in filter(None, (json, figure)):
        check_writable(path)


def _distance(weights: Path | None) -> Any:  # noqa: ANN401
    from sr_hub.lpips import LPIPS

    return LPIPS(weights)


def _origin(data: list[Path], names: list[str], options: list[str], device: str) -> dict[str, str]:
    from sr_hub.contestants import command_line
    from sr_hub.device import pick_device
    from sr_hub.provenance import hardware

    return {
        "command": command_line(data, names, options),
        "hardware": hardware(pick_device(device)),
    }


def _print_tables(results: dict[str, Any]) -> None:
    from sr_hub.tables import LPIPS_DEFINITION, columns_of, rows_of, terminal_table

    bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for dataset, about in results["datasets"].items():
        pictures = len(about["pictures"])
        for protocol, definition in results["protocols"].items():
            rows = rows_of(results, dataset, protocol)
            typer.echo(f"\n{dataset} x{results['scale']}, {pictures} pictures, protocol {protocol}")
            typer.echo(terminal_table(rows, protocol, bold=bold))
            typer.echo(f"{protocol}: {definition}")
            if "lpips" in columns_of(rows):
                typer.echo(LPIPS_DEFINITION)
        typer.echo(f"low resolution: {about['low_resolution']}")
    for missing in results["undefined"]:
        place = f"{missing['dataset']}/{missing['picture']}"
        typer.echo(
            f"– {place} has no {missing['metric']} ({missing['protocol']}): {missing['reason']}"
        )
    typer.echo(f"seconds on {results['hardware']}")
