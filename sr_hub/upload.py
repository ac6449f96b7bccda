"""Hub folders to the Hub: what of a folder goes up, under whose name, in one commit."""

import logging
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects

from sr_hub.bundled import EXTRAS, extras
from sr_hub.card import PICTURE_FILE
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.retries import FAILURES, persist, summary
from sr_hub.seal import licence_of, read_card, sealed, stays

logger = logging.getLogger(__name__)

Patterns = list[str] | str | None
"""Of file names, like "*.png", as the Hub's client takes them."""


def upload_folder(
    folder: Path,
    card: Callable[..., object],
    repo_id: str,
    *,
    message: str,
    private: bool | None = None,
    token: str | bool | None = None,
    branch: str | None = None,
    create_pr: bool | None = None,
    keep_card: bool | None = None,
    allow_patterns: Patterns = None,
    ignore_patterns: Patterns = None,
    delete_patterns: Patterns = None,
) -> CommitInfo:
    """Put a sound Hub folder on the Hub; `publish.push_folder` tells what goes up.

    Where the repository's card stays, so does the `comparison.png` that it may show.

    Args:
        folder: config, weights and what may lie beside them.
        card: what the card says, for the full name of the repository and, as "facts", the licence
            that its card states, as it does if that was chosen on the Hub's website.
        repo_id: "user/repo", or "repo" for the owner of the token.
        message: first line of the commit.
        private: make a new repository private (True) or public (False).
        token: a Hub token, True for the stored one.
        branch: branch to commit to; the main branch by default.
        create_pr: open a pull request instead of changing the branch.
        keep_card: True keeps the card that the repository has, or else the one in the folder, False
            writes it anew. By default a card that was edited goes up from the folder, or else stays
            in the repository, and any other is written anew.
        allow_patterns: of all that would go up, only what matches one of these.
        ignore_patterns: of all that would go up, nothing that matches one of these.
        delete_patterns: what the repository has and matches one of these goes, in the same commit.

    Raises:
        SRHubError: if the patterns leave out config or weights, or the Hub refuses, or cannot be
            reached.
    """
    _check_whole(allow_patterns, ignore_patterns)
    repo_id = full_id(repo_id, token=token)
    files: dict[str, Path | bytes] = {name: folder / name for name in (CONFIG_FILE, WEIGHTS_FILE)}
    files |= {path.name: path for path in extras(folder)}
    known = {*files, *EXTRAS, PICTURE_FILE, CARD_FILE}
    goes = {
        *filter_repo_objects(known, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
    }
    stay = set()
    if CARD_FILE in goes:
        there = card_on_hub(repo_id, revision=branch, token=token)
        text = _card_to_send(folder, card, repo_id, there, keep_card)
        if text is None:
            stay = {CARD_FILE}
        else:
            files[CARD_FILE] = text
    replaced = goes & {*EXTRAS, PICTURE_FILE}
    return upload(
        {name: content for name, content in files.items() if name in goes},
        repo_id,
        replaced=replaced if CARD_FILE in files else replaced - {PICTURE_FILE},
        message=message,
        private=private,
        revision=branch,
        token=token,
        create_pr=bool(create_pr),
        delete_patterns=delete_patterns,
        stay=stay,
    )


def _check_whole(allow_patterns: Patterns, ignore_patterns: Patterns) -> None:
    needed = (CONFIG_FILE, WEIGHTS_FILE)
    given = {"allow_patterns": allow_patterns, "ignore_patterns": ignore_patterns}
    for argument, patterns in given.items():
        for name in {*needed}.difference(filter_repo_objects(needed, **{argument: patterns})):
            raise SRHubError(
                f"{argument} leaves out {name}: a model goes up with config and weights; single "
                "files go up by huggingface_hub.upload_file"
            )


def _card_to_send(
    folder: Path,
    card: Callable[..., object],
    repo_id: str,
    there: str | None,
    keep: bool | None,
) -> Path | bytes | None:
    """The card of the folder, or one that is written now; None where the repository's stays."""
    here = read_card(folder / CARD_FILE)
    if keep is None and stays(here, keep):
        gone = f", in place of the one that {repo_id} has" if stays(there, keep) else ""
        if here != there:
            logger.warning("%s goes up as it was edited%s", folder / CARD_FILE, gone)
        return folder / CARD_FILE
    if stays(there, keep):
        if not keep:
            logger.warning(
                "%s keeps its %s, which was edited and may tell of other weights; "
                "keep_card=False (--new-card) writes it anew",
                repo_id,
                CARD_FILE,
            )
        return None
    if stays(here, keep):
        return folder / CARD_FILE
    licence = licence_of(there)  # stays until another one is stated
    kept = {"facts": licence} if licence else {}
    return sealed(str(card(repo_id, **kept))).encode()


def full_id(repo_id: str, *, token: str | bool | None = None) -> str:
    """A repository's name with its owner: that of the token, where none is named.

    Raises:
        SRHubError: if the Hub does not say whose the token is.
    """
    if "/" in repo_id:
        return repo_id
    try:
        return f"{persist(HfApi(token=token).whoami)['name']}/{repo_id}"
    except FAILURES as error:
        raise SRHubError(
            f"name the owner, like user/{repo_id}: the Hub did not say who you are: "
            f"{summary(error)}"
        ) from error


def upload(
    files: Mapping[str, Path | bytes],
    repo_id: str,
    *,
    replaced: Collection[str],
    message: str,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    create_pr: bool = False,
    delete_patterns: Patterns = None,
    stay: Collection[str] = (),
) -> CommitInfo:
    """Put `files` (path in the repository -> content) on the Hub in one commit.

    The repository and the branch are made if they are not there. Files that have not changed are
    not sent; if none has, no commit is made and the head of the branch is returned.

    Args:
        files: a local file or the content itself, for each path in the repository.
        repo_id: "user/repo".
        replaced: paths that are deleted where they are not among `files`.
        message: first line of the commit.
        private: make a new repository private (True) or public (False).
        revision: branch to commit to; the main branch by default.
        token: a Hub token, True for the stored one.
        create_pr: open a pull request instead of changing the branch.
        delete_patterns: paths that match one of these are deleted likewise.
        stay: paths that are not deleted, whatever they match.

    Raises:
        SRHubError: if the Hub refuses, or cannot be reached.
    """
    api = HfApi(token=token)

    def commit() -> CommitInfo:
        name = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        if private and not api.model_info(name).private:
            raise SRHubError(f"{name} exists and is public; give another name, or make it private")
        if revision not in (None, "main") and not revision.startswith("refs/"):
            api.create_branch(name, branch=revision, exist_ok=True)
        there = {*api.list_repo_files(name, revision=revision)}
        matched = filter_repo_objects(there, allow_patterns=delete_patterns or [])
        goes = (there & {*replaced} | {*matched}) - {*files, *stay, ".gitattributes"}
        operations = [
            *(CommitOperationAdd(path, content) for path, content in files.items()),
            *(CommitOperationDelete(path) for path in sorted(goes)),
        ]
        return api.create_commit(
            name, operations, commit_message=message, revision=revision, create_pr=create_pr
        )

    try:
        # A second attempt makes no second commit: what the first one stored has not changed since.
        return commit() if create_pr else persist(commit)
    except FAILURES as error:
        raise SRHubError(f"{repo_id} was not uploaded: {_explain(error)}") from error


def card_on_hub(
    repo_id: str, *, revision: str | None = None, token: str | bool | None = None
) -> str | None:
    """The card of a repository; None if it has none, or does not exist.

    Of a branch that is not there it is the card of the main branch, from which it will be made.

    Raises:
        SRHubError: if the Hub cannot be asked.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = persist(
                lambda: hf_hub_download(
                    repo_id, CARD_FILE, revision=revision, token=token, local_dir=folder
                )
            )
            return read_card(Path(path))
    except RevisionNotFoundError:
        return card_on_hub(repo_id, token=token) if revision else None
    except (RepositoryNotFoundError, RemoteEntryNotFoundError):
        return None
    except FAILURES as error:
        raise SRHubError(
            f"the Hub did not say if {repo_id} has a card: {_explain(error)}"
        ) from error


def _explain(error: Exception) -> str:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403, 404):
        return f"the token is missing or may not write there ({summary(error)})"
    return summary(error)
