"""The commands about checkpoints: `convert`, `push`, `export`, `card` and `bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sr_hub.errors import SRHubError


def convert_command(
    source: Annotated[Path, typer.Argument(help="A .pth, .pt, .ckpt, .bin or .safetensors file.")],
    out: Annotated[Path, typer.Argument(help="The Hub folder to make.")],
    license: Annotated[
        str | None,
        typer.Option(
            help="Licence of the weights, like apache-2.0 or cc-by-nc-4.0. Never guessed."
        ),
    ] = None,
    license_link: Annotated[str | None, typer.Option(help="Where its text is.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the file is from, for the card.")] = None,
    architecture: Annotated[
        str | None, typer.Option(help="RRDBNet, MSRResNet or SRVGGNetCompact; else recognised.")
    ] = None,
) -> None:
    """Make a Hub folder of a checkpoint of ESRGAN, Real-ESRGAN or BasicSR."""
    from sr_hub.convert import convert

    if license is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise SRHubError("name the licence of the weights: --license apache-2.0, for example")
        license = typer.prompt("Licence of the weights, as their source states it")
    model = convert(
        source,
        out,
        license=license,
        license_link=license_link,
        url=url,
        architecture=architecture,
    )
    typer.echo(f"{out}: {type(model).__name__} x{model.scale}, {model.num_parameters:,} parameters")


def push_command(
    model: Annotated[str, typer.Argument(help="A bundled model or a Hub folder.")],
    repo_id: Annotated[str, typer.Argument(help="The repository, user/repo; made if missing.")],
    private: Annotated[
        bool | None, typer.Option(help="Make a new repository private or public.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="Branch to commit to; else main.")] = None,
    keep_card: Annotated[
        bool | None,
        typer.Option(
            "--keep-card/--new-card",
            help="Leave the card that the repository has, or write it anew; else one that was "
            "edited is left.",
        ),
    ] = None,
) -> None:
    """Upload a model with its card to the Hub, in one commit."""
    from sr_hub.bundled import hub_folder
    from sr_hub.publish import push_folder

    commit = push_folder(
        hub_folder(model),
        repo_id,
        private=private,
        revision=branch,
        keep_card=keep_card,
    )
    typer.echo(commit.commit_url)


def export_command(
    model: Annotated[
        str,
        typer.Argument(
            help="A bundled model (also 'rrim-x4 at fidelity 0.5'), a Hub folder or a Hub id."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The .onnx file to write.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")] = None,
) -> None:
    """Write a model as ONNX with dynamic size, and compare it with the model."""
    from sr_hub.export import export_onnx
    from sr_hub.interpolate import load_named
    from sr_hub.models import load_model

    network = load_model(model, revision=revision) if revision else load_named(model)
    worst = export_onnx(network, out)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, differs from {model} by {worst:.1e}")


def card_command(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Hub folders; all that are bundled if left out.")
    ] = None,
    repo_id: Annotated[
        str | None, typer.Option(help="The name by which readers load it, like user/rrim-x4.")
    ] = None,
) -> None:
    """Write model cards anew, from the files of their Hub folders and the stored results."""
    from sr_hub.bundled import bundled_models
    from sr_hub.publish import write_card

    if repo_id and len(folders or ()) != 1:
        raise SRHubError("--repo-id names one folder; give exactly one")
    for folder in folders or bundled_models().values():
        typer.echo(write_card(folder, repo_id=repo_id))


def bench_command(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Bundled names, Hub folders, Hub ids; all that is bundled if left out."
        ),
    ] = None,
    side: Annotated[int, typer.Option(min=1, help="Height and width of the input.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Runs that count.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps...")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    store: Annotated[
        bool, typer.Option("--store", help="Keep the numbers in the Hub folders, for the cards.")
    ] = False,
) -> None:
    """Measure seconds per megapixel and memory of models."""
    from sr_hub.bundled import bundled_models, hub_folder
    from sr_hub.speed import measure_speed, store_speed

    for name in models or bundled_models():
        folder = hub_folder(name)
        if store and not folder.is_dir():
            raise SRHubError(f"{name} is not a folder, so its numbers cannot be kept in it")
        speed = measure_speed(name, side=side, repeats=repeats, device=device, precision=precision)
        typer.echo(
            f"{name}: {speed.seconds_per_megapixel:.3f} s/megapixel, "
            f"{speed.memory_bytes / 1e6:.0f} MB ({speed.precision}, {speed.hardware})"
        )
        if store:
            store_speed(speed, folder)
