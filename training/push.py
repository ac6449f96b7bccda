"""A run to the Hub, in one commit: `python -m training.push RUN USER/REPO [--dry-run]`.

What goes up is the averaged generator with its config, a card, `training.json` (how it was trained,
which the card tells) and `metrics.json` (its validation). `--dry-run` writes the folder and stops.
"""

import argparse
import json
import logging
import math
import shutil
import sys
from pathlib import Path
from typing import Any

from sr_hub.errors import SRHubError
from sr_hub.facts import check_facts, plain_fact, read_facts
from sr_hub.files import write_text
from sr_hub.folder import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    RUN_FILE,
    TRAINING_FILE,
    WEIGHTS_FILE,
    run_around,
)
from sr_hub.models import load_model
from sr_hub.publish import push_folder, write_card
from sr_hub.seal import read_card, stays
from sr_hub.upload import full_id
from training.checkpoint import LAST_FILE, read_state
from training.command import command
from training.journal import LOG_FILE, read_log, read_run
from training.parts import (
    Part,
    begun_before,
    in_order,
    measured_since,
    parts_of,
    same_pictures,
    with_steps,
)
from training.recipes_gan import EPOCH
from training.validation import badness

logger = logging.getLogger(__name__)


@command
def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, or 2 with one line on stderr if the input is at fault."""
    parser = argparse.ArgumentParser(prog="python -m training.push", description=__doc__)
    add = parser.add_argument
    add("run", type=Path, help="folder of the run")
    add("repo", help="Hub id, user/repo; without an owner, of the token's")
    add("--which", default="best", help="best (default), model (the last) or step-0010000")
    add("--out", type=Path, help="folder to gather it in; RUN/push if left out")
    add(
        "--facts",
        type=Path,
        help="JSON file whose entries go into training.json, like data, license",
    )
    add("--half", action="store_true", help="store the weights in 16 bits, half the size")
    add("--private", action="store_true", default=None, help="make a new repository private")
    add("--branch", help="branch to commit to, made if it is not there; else main")
    add(
        "--keep-card",
        action="store_true",
        default=None,
        help="leave the card that the repository has, or else the one in the folder",
    )
    add(
        "--new-card",
        dest="keep_card",
        action="store_false",
        help="write the card anew though somebody edited it",
    )
    add("--dry-run", action="store_true", help="write the folder, upload nothing")
    options = parser.parse_args(arguments)
    repo_id = _repo_id(options.repo, dry_run=options.dry_run)
    out = options.out or options.run / "push"
    card_stays = stays(read_card(out / CARD_FILE), options.keep_card)
    folder = gather(
        options.run,
        out,
        which=options.which,
        facts=options.facts,
        half=options.half,
    )
    if not card_stays:
        write_card(folder, repo_id=repo_id)
    elif options.dry_run and not options.keep_card:
        logger.warning("%s was edited and stays; --new-card writes it anew", out / CARD_FILE)
    if options.dry_run:
        sys.stdout.write(f"{folder}\n")
        return 0
    commit = push_folder(
        folder,
        repo_id,
        private=options.private,
        revision=options.branch,
        keep_card=options.keep_card,
    )
    sys.stdout.write(f"{commit.commit_url}\n")
    return 0


def _repo_id(repo: str, *, dry_run: bool) -> str:
    """`full_id`; of a dry run, which needs no token, as given if nobody says whose that is."""
    try:
        return full_id(repo)
    except SRHubError:
        if not dry_run:
            raise
        return repo


def gather(
    run: Path, out: Path, *, which: str = "best", facts: Path | None = None, half: bool = False
) -> Path:
    """Write the Hub folder of a run, except its card; a card that is there stays. The folder.

    Args:
        run: folder of the run.
        out: folder to write to.
        which: name of the run's sub-folder with the generator.
        facts: JSON file whose entries replace those of `training.json`.
        half: store the weights as float16; they are float32 again when they are loaded.

    Raises:
        SRHubError: if the run has no such generator, or `facts` is not a JSON object.
        OSError: if a file cannot be read or written.
    """
    _refuse_a_folder(run)
    told, row = told_of_run(run, which)
    source = run / which
    if not (source / WEIGHTS_FILE).is_file():
        raise SRHubError(f"{run} has no generator {which!r} yet")
    out.mkdir(parents=True, exist_ok=True)
    if half:
        load_model(source).half().save_pretrained(out, keep_card=True)
    else:
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(source / name, out / name)
    _write_json(out / TRAINING_FILE, {**told, **_read_facts(facts)})
    _write_json(out / METRICS_FILE, row)
    return out


def told_of_run(run: Path, which: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """`training_facts` of a run's generator, and its validation, as far as the run tells of it.

    Raises:
        SRHubError: if the folder holds no run.
    """
    parts, log = parts_of(read_run(run)), list(read_log(run / LOG_FILE))
    rows = [row for row in log if "val_psnr_y" in row]
    row = row_of_model(run, rows) if which == "model" else chosen_row(rows, which, parts)
    led = begun_before(parts, row.get("step", _step_of(which)))
    return training_facts(led, row, log), row


def chosen_row(rows: list[dict[str, Any]], which: str, parts: list[Part]) -> dict[str, Any]:
    """The validation of the best generator, or of a kept one; an empty one if there was none."""
    if which == "best" and rows:
        # A run resumed with another measure, or other pictures to measure on, starts its best anew.
        measure = badness(rows[-1])[0]
        since = measured_since(begun_before(parts, rows[-1]["step"]))
        return min(
            (row for row in rows if badness(row)[0] == measure and row["step"] > since),
            key=lambda row: badness(row)[1] if math.isfinite(badness(row)[1]) else math.inf,
        )
    return next((row for row in rows if which == f"step-{row['step']:07d}"), {})


def _step_of(which: str) -> float:
    """The step in the name of a kept generator; for others infinite."""
    digits = which.removeprefix("step-")
    return int(digits) if digits.isdigit() else math.inf


def row_of_model(run: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The validation at the step that was saved last; its step and seconds if there was none."""
    path = run / LAST_FILE
    if not path.is_file():
        return {}
    saved = read_state(path)
    step, seconds = saved["step"], round(saved["seconds"], 2)
    return next((row for row in rows if row["step"] == step), {"step": step, "seconds": seconds})


def training_facts(
    parts: list[Part], row: dict[str, Any], log: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a card says of the training: `sr_hub.facts.TRAINING` lists the keys.

    Args:
        parts: those of the run that led to the generator.
        row: the validation of the generator, or its step and seconds alone, or nothing.
        log: all lines of the log.
    """
    last, took, step = parts[-1], with_steps(parts), row.get("step")
    losses = _setting(took, "losses")
    facts = {
        "recipe": last["recipe"],
        "command": "; ".join(part["command"] for part in parts),
        "start_from": last["start_from"],
        "steps": step,
        "hours": round(row["seconds"] / 3600, 2) if step else None,
        "hardware": in_order(took, lambda part: part["machine"]),
        "batch": in_order(took, _batch),
        "losses": last["config"]["losses"],
        "losses_on_the_way": losses if isinstance(losses, str) else None,
        "loss": _loss_at(log, step) if step else None,
        "seconds_per_epoch": round(row["seconds"] / step * EPOCH, 1) if step else None,
        "seed": _setting(took, "seed"),
        "validation": _words(took, row) if "val_psnr_y" in row else None,
        "commit": in_order(took, lambda part: part["commit"] or "") or None,
        "degradation": last["config"]["degradation"],
        "data": _data(took),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _refuse_a_folder(folder: Path) -> None:
    if (folder / RUN_FILE).is_file() or not (folder / CONFIG_FILE).is_file():
        return
    if run := run_around(folder):
        raise SRHubError(f"{folder} is of a run: give {run}, and --which {folder.resolve().name}")
    command = f"python -m sr_hub push {folder} user/repo"
    raise SRHubError(f"{folder} is a Hub folder, not a run: {command} publishes it")


def _setting(parts: list[Part], name: str) -> Any:  # noqa: ANN401
    """The value of a setting of all parts; where it was changed, the values in words."""
    values = [part["config"][name] for part in parts]
    if all(value == values[0] for value in values):
        return values[0]
    return in_order(parts, lambda part: plain_fact(part["config"][name]))


def _batch(part: Part) -> str:
    config = part["config"]
    return f"{config['batch'] * part['processes']} patches of {config['patch']} pixels"


def _data(parts: list[Part]) -> list[dict[str, Any]]:
    """The sets of pictures that the parts learned from, each once."""
    entries = [{name: part["data"][name] for name in ("name", "pictures")} for part in parts]
    return [entry for index, entry in enumerate(entries) if entry not in entries[:index]]


def _loss_at(log: list[dict[str, Any]], step: int) -> float | None:
    """The mean loss of the last tenth of the steps up to `step`, as far as the log has it."""
    losses = [(row["step"], row["loss"]) for row in log if "loss" in row and row["step"] <= step]
    recent = [loss for at, loss in losses if at >= 0.9 * losses[-1][0]]
    return float(f"{sum(recent) / len(recent):.5g}") if recent else None


def _words(parts: list[Part], row: dict[str, Any]) -> str:
    val, config = parts[-1]["val"], parts[-1]["config"]
    scores = [f"{row['val_psnr_y']:.2f} dB on luma"]
    if "val_lpips" in row:
        scores.append(f"LPIPS {row['val_lpips']:.4f}")
    here = [part["val"] for part in parts if same_pictures(part["val"], val)]
    learned = max(each.get("learned_from", 0) for each in here)
    kind = f"pictures, {learned} of which it learned from" if learned else "other pictures"
    centres = f"centres ({config['validation_side']} pixels) of {val['pictures']} {kind}"
    spoiled = ", spoiled in the same ways" if config["degradation"] == "real" else ""
    return f"{', '.join(scores)}: {centres}{spoiled}"


def _read_facts(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    if not path.is_file():
        raise SRHubError(f"no file {path}")
    facts = read_facts(path)
    check_facts(facts)
    return facts


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2) + "\n"
    write_text(path, text)


if __name__ == "__main__":
    sys.exit(main())
