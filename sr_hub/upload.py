"""Hub folders to the Hub: what of a folder goes up, under whose name, in one commit."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError

from sr_hub.bundled import EXTRAS, extras
from sr_hub.card import PICTURE_FILE, NetworkFacts, card_text
from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from sr_hub.retries import FAILURES, persist, summary

logger = logging.getLogger(__name__)


def upload_folder(
    folder: Path,
    network: NetworkFacts,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    branch: str | None = None,
    commit_message: str | None = None,
    create_pr: bool = False,
    keep_card: bool = False,
) -> CommitInfo:
    """Put a sound Hub folder on the Hub; `publish.push_folder` tells what goes up.

    Where the repository's card stays, so does the `comparison.png` that it may show.

    Args:
        folder: config, weights and what may lie beside them.
        network: what its network says of itself, for the card.
        repo_id: "user/repo", or "repo" for the owner of the token.
        private: make a new repository private (True) or public (False).
        token: a Hub token, True for the stored one.
        branch: branch to commit to; the main branch by default.
        commit_message: first line of the commit.
        create_pr: open a pull request instead of changing the branch.
        keep_card: keep the card that the repository has, or else the one in the folder.

    Raises:
        SRHubError: if the Hub refuses, or cannot be reached.
    """
    repo_id = full_id(repo_id, token=token)
    files: dict[str, Path | bytes] = {name: folder / name for name in (CONFIG_FILE, WEIGHTS_FILE)}
    files |= {path.name: path for path in extras(folder)}
    if keep_card and has_card(repo_id, revision=branch, token=token):
        logger.info("%s keeps its card", repo_id)
    elif keep_card and (folder / CARD_FILE).is_file():
        files[CARD_FILE] = folder / CARD_FILE
    else:
        files[CARD_FILE] = card_text(folder, network, repo_id=repo_id).encode()
    return upload(
        files,
        repo_id,
        replaced=(*EXTRAS, PICTURE_FILE) if CARD_FILE in files else EXTRAS,
        message=commit_message or f"Upload {network.architecture} x{network.scale}",
        private=private,
        revision=branch,
        token=token,
        create_pr=create_pr,
    )


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
        there = api.list_repo_files(name, revision=revision)
        operations = [
            *(CommitOperationAdd(path, content) for path, content in files.items()),
            *(CommitOperationDelete(path) for path in {*replaced}.difference(files) & {*there}),
        ]
        return api.create_commit(
            name, operations, commit_message=message, revision=revision, create_pr=create_pr
        )

    try:
        # A second attempt makes no second commit: what the first one stored has not changed since.
        return commit() if create_pr else persist(commit)
    except FAILURES as error:
        raise SRHubError(f"{repo_id} was not uploaded: {_explain(error)}") from error


def has_card(repo_id: str, *, revision: str | None = None, token: str | bool | None = None) -> bool:
    """Whether a repository has a card; one that does not exist has none.

    Raises:
        SRHubError: if the Hub cannot be asked.
    """
    api = HfApi(token=token)
    try:
        return persist(lambda: api.file_exists(repo_id, CARD_FILE, revision=revision))
    except FAILURES as error:
        raise SRHubError(
            f"the Hub did not say if {repo_id} has a card: {_explain(error)}"
        ) from error


def _explain(error: Exception) -> str:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403, 404):
        return f"the token is missing or may not write there ({summary(error)})"
    return summary(error)
