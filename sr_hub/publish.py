"""Hub folders to the Hub: the folder is checked, its card renewed, and it goes up in one commit."""

from functools import partial
from pathlib import Path

from huggingface_hub import CommitInfo

from sr_hub.errors import SRHubError
from sr_hub.files import is_folder, write_text
from sr_hub.folder import CARD_FILE, CONFIG_FILE, RUN_FILE, run_around
from sr_hub.models import load_model
from sr_hub.seal import sealed
from sr_hub.upload import upload_folder


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    keep_card: bool | None = None,
    token: str | bool | None = None,
    message: str | None = None,
) -> CommitInfo:
    """Upload a Hub folder in one commit; without changes no commit is made.

    What goes up: config, weights, card, `bundled.EXTRAS` and pictures; nothing else that lies in
    the folder, and nothing in the folder changes. What the repository holds of `bundled.EXTRAS`,
    and a `comparison.png`, goes if the folder has none: it is about other weights.

    Args:
        folder: a Hub folder; it must load.
        repo_id: "user/repo", or "repo" for the owner of the token; made if it is not there.
        private: make a new repository private (True) or public (False).
        revision: branch to commit to, made if it is not there; the main branch by default.
        keep_card: True keeps the card that the repository has, or else the one in the folder, word
            for word; False writes it anew. By default a card that was edited goes up from the
            folder, or else stays in the repository, and any other is written anew.
        token: a Hub token, True for the stored one.
        message: first line of the commit.

    Raises:
        SRHubError: if the folder is not a sound checkpoint, if it is of a training run, whose card
            `training.push` writes, or if the Hub refuses or cannot be reached.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise SRHubError(f"there is no folder {folder}")
    if run := _run_of(folder, keep_card=keep_card):
        raise SRHubError(f"{run} {repo_id} publishes it with its card")
    model = load_model(folder)
    return upload_folder(
        folder,
        partial(model.generate_model_card, folder),
        repo_id,
        message=message or model.upload_message,
        private=private,
        token=token,
        branch=revision,
        keep_card=keep_card,
    )


def write_card(folder: str | Path, *, repo_id: str | None = None) -> Path:
    """Write the card of a Hub folder anew, from its files and the stored results.

    Raises:
        SRHubError: if the folder is not a sound checkpoint, or is of a training run.
    """
    folder = Path(folder)
    if run := _run_of(folder):
        raise SRHubError(f"{run} {repo_id or 'user/repo'} --dry-run writes it with its card")
    card = load_model(folder).generate_model_card(folder, repo_id)
    write_text(folder / CARD_FILE, sealed(str(card)))
    return folder / CARD_FILE


def _run_of(folder: Path, *, keep_card: bool | None = None) -> str:
    """That a folder is of a training run, and the command for it; empty if it can have its card."""
    if (folder / RUN_FILE).is_file() and not (folder / CONFIG_FILE).is_file():
        return f"{folder} is a training run: python -m training.push {folder}"
    run = None if keep_card else run_around(folder)
    if run is None:
        return ""
    name = folder.resolve().name
    which = "" if name == "best" else f" --which {name}"
    return f"{folder} is of a training run: python -m training.push {run}{which}"
