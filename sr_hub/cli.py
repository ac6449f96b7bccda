"""The command line: `python -m sr_hub` and `sr-hub`.

Each command reads its arguments, calls one room and prints. What is wrong with the input comes out
as one line on stderr and exit code 2.
"""

import sys
from typing import Annotated, NoReturn

import typer

from sr_hub import __version__
from sr_hub.errors import SRHubError
from sr_hub.eval_cli import eval_command
from sr_hub.hub_cli import (
    bench_command,
    card_command,
    convert_command,
    export_command,
    push_command,
)
from sr_hub.upscale_cli import models_command, upscale_command

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command("upscale")(upscale_command)
app.command("models")(models_command)
app.command("eval")(eval_command)
app.command("convert")(convert_command)
app.command("push")(push_command)
app.command("export")(export_command)
app.command("card")(card_command)
app.command("bench")(bench_command)


def main() -> None:
    """Run a command; an error of the input is one line, not a traceback."""
    try:
        app()
    except SRHubError as error:
        _stop(str(error))
    except OSError as error:  # a full disk, a folder that may not be read
        if error.strerror is None:
            raise
        _stop(": ".join(filter(None, (error.filename and str(error.filename), error.strerror))))


def _stop(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sr_hub {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Single-image super-resolution: enlarge, measure, convert, push and export."""
