"""Files to the Hub: one upload, one commit."""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from sr_hub.errors import SRHubError
from sr_hub.folder import CARD_FILE
from sr_hub.retries import FAILURES, persist, summary


def upload(
    files: Mapping[str, Path | bytes],
    repo_id: str,
    *,
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
        repo_id: "user/repo", or "repo" for the owner of the token.
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
        additions = [CommitOperationAdd(path, content) for path, content in files.items()]
        return api.create_commit(
            name, additions, commit_message=message, revision=revision, create_pr=create_pr
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

    def ask() -> bool:
        name = repo_id if "/" in repo_id else f"{api.whoami()['name']}/{repo_id}"
        return api.file_exists(name, CARD_FILE, revision=revision)

    try:
        return persist(ask)
    except FAILURES as error:
        raise SRHubError(
            f"the Hub did not say if {repo_id} has a card: {_explain(error)}"
        ) from error


def _explain(error: Exception) -> str:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in (401, 403, 404):
        return f"the token is missing or may not write there ({summary(error)})"
    return summary(error)
