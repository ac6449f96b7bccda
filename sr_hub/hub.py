"""Hub ids to Hub folders, over `huggingface_hub`; the way back is `upload.py`.

What this adds to the client: the revision becomes a commit once, and the config and the weights
both come from that commit; the Hub is asked with a short timeout, and where it does not answer the
cache serves at once; every file is compared with the checksum that the Hub gave for it, so that a
damaged download neither loads nor stays in the cache; every failure is one line.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    HfApi,
    ModelInfo,
    constants,
    hf_hub_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import validate_repo_id

from sr_hub.errors import HubError, SRHubError
from sr_hub.files import write_text
from sr_hub.folder import CONFIG_FILE, MAX_CONFIG_BYTES, PICKLES, WEIGHTS_FILE, read_config
from sr_hub.retries import FAILURES, is_transient, persist, summary

FILES = (CONFIG_FILE, WEIGHTS_FILE)
"""What loading needs, in the order in which it is fetched."""

ASK_SECONDS = 3.0
"""How long the Hub may take to say which commit a revision is, before the cache is used.

Without a copy in the cache it may take HF_HUB_ETAG_TIMEOUT."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Source:
    """One revision of one repository, and the cache that may hold it."""

    repo_id: str
    revision: str
    token: str | bool | None
    cache_dir: Path

    def __str__(self) -> str:
        return self.repo_id if self.revision == "main" else f"{self.repo_id} at {self.revision}"


def fetch(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    max_bytes: int | None = None,
) -> Path:
    """A local folder with the config and the weights of one commit of a Hub repository.

    Args:
        repo_id: "user/repo", or "user/repo@revision".
        revision: branch, tag or commit; the main branch by default.
        token: a Hub token, True for the stored one, False for none.
        cache_dir: where downloads are kept, instead of the usual cache.
        local_files_only: use only what the cache holds.
        force_download: download again what the cache holds.
        max_bytes: refuse a repository whose two files are larger than this together.

    Raises:
        HubError: if the repository, the revision or a file is not there or not allowed, is too
            large, is not a model of sr_hub, or the Hub does not answer.
        SRHubError: if two revisions are named, or a file cannot be had whole.
    """
    repo_id, at, named = repo_id.partition("@")
    if at and (revision or not named):
        raise SRHubError(f"{repo_id}@{named}: name a revision, and only one")
    revision = named or revision
    check_repo_id(repo_id)
    source = _Source(
        repo_id, revision or "main", token, Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
    )
    offline = local_files_only or constants.is_offline_mode()
    pinned = _COMMIT.fullmatch(source.revision) is not None
    if offline or (pinned and not force_download):
        folder = _cached(source)
        if folder is not None:
            _check_size(source, _size_on_disk(folder), max_bytes)
            return folder
        if offline:
            raise HubError(
                f"{source} is not in the cache, and downloads are off; "
                "there is no such folder either",
                "offline",
            )
    try:
        return _download(source, force_download=force_download, max_bytes=max_bytes)
    except FAILURES as error:
        folder = _cached(source) if is_transient(error) and not force_download else None
        if folder is None:
            raise _told(error, source) from error
        _check_size(source, _size_on_disk(folder), max_bytes)
        logger.warning("%s; using the copy in the cache, %s", _told(error, source), folder.name)
        return folder


@contextmanager
def called(name: str, folder: Path) -> Iterator[None]:
    """Errors about a folder of the cache that arise here call it by the name of its repository."""
    try:
        yield
    except SRHubError as error:
        raise SRHubError(str(error).replace(str(folder), name)) from error


def is_repo_id(name: object) -> bool:
    """Whether a name has the form "user/repo"."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return isinstance(name, str) and "/" in name


def check_repo_id(repo_id: str) -> None:
    """Refuse what cannot be the id of a repository.

    Raises:
        HubError: if `repo_id` is not of the form user/repo.
    """
    if not is_repo_id(repo_id):
        raise HubError(
            f"{repo_id!r} is neither a folder nor a Hub id of the form user/repo; "
            "bundled models are loaded by sr_hub.load_model",
            "no_id",
        )


def _download(source: _Source, *, force_download: bool, max_bytes: int | None) -> Path:
    info = persist(lambda: _ask(source))
    _check_listing(source, info, max_bytes)
    for name in FILES:
        path = _download_file(source, info.sha, name, force_download=force_download)
        if name == CONFIG_FILE:
            _check_config(source, path.parent)  # before gigabytes of another library
    _remember(source, info.sha)
    return path.parent


def _ask(source: _Source) -> ModelInfo:
    """The commit and the files of a revision, in one request."""
    patient = max(ASK_SECONDS, constants.HF_HUB_ETAG_TIMEOUT)
    return HfApi(token=source.token).model_info(
        source.repo_id,
        revision=source.revision,
        timeout=ASK_SECONDS if _cached(source) else patient,
        files_metadata=True,
    )


def _check_listing(source: _Source, info: ModelInfo, max_bytes: int | None) -> None:
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    for name in FILES:
        if name not in sizes:
            pickles = [path for path in sizes if path.endswith(PICKLES)]
            hint = f"; {pickles[0]} can hold code and is not opened" if pickles else ""
            raise HubError(f"{source} has no {name}: it is not a model of sr_hub{hint}", "foreign")
    if (sizes[CONFIG_FILE] or 0) > MAX_CONFIG_BYTES:
        raise SRHubError(f"{CONFIG_FILE} of {source} is larger than {MAX_CONFIG_BYTES} bytes")
    _check_size(source, sum(sizes[name] or 0 for name in FILES), max_bytes)


def _check_config(source: _Source, folder: Path) -> None:
    try:
        with called(source.repo_id, folder):
            read_config(folder)
    except SRHubError as error:
        raise HubError(str(error), "foreign") from error


def _check_size(source: _Source, total: int, max_bytes: int | None) -> None:
    if max_bytes is not None and total > max_bytes:
        size, limit = f"{total / 1e6:.0f}", f"{max_bytes / 1e6:.0f}"
        raise HubError(f"{source} is {size} MB; the limit here is {limit} MB", "large", size, limit)


def _size_on_disk(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in FILES)


def _download_file(source: _Source, commit: str, name: str, *, force_download: bool) -> Path:
    for again in (False, True):
        path = persist(
            lambda again=again: hf_hub_download(
                source.repo_id,
                name,
                revision=commit,
                token=source.token,
                cache_dir=source.cache_dir,
                force_download=force_download or again,
            )
        )
        if _is_whole(Path(path)):
            return Path(path)
        _forget(Path(path))
    raise SRHubError(f"{name} of {source} arrives damaged: its checksum is not the Hub's")


def _remember(source: _Source, commit: str) -> None:
    """Note in the cache, as the client does, which commit the revision was: for offline use."""
    if source.revision == commit or ".." in source.revision:
        return
    storage = source.cache_dir / repo_folder_name(repo_id=source.repo_id, repo_type="model")
    reference = storage / "refs" / source.revision
    try:
        write_text(reference, commit)
    except SRHubError as error:  # a cache that is shared and read-only
        logger.info("the commit of %s was not noted: %s", source, error)


def _cached(source: _Source) -> Path | None:
    """The folder of a revision in the cache, None if the cache does not hold it whole."""
    paths = [
        try_to_load_from_cache(source.repo_id, name, source.cache_dir, source.revision)
        for name in FILES
    ]
    folders = {Path(path).parent for path in paths if isinstance(path, str)}
    sound = all(isinstance(path, str) and _is_whole(Path(path)) for path in paths)
    return folders.pop() if sound and len(folders) == 1 else None


def _is_whole(path: Path) -> bool:
    """Whether a cached file has the checksum that is its name in the cache.

    Where the cache cannot link (Windows without the right to), files bear their own names and
    nothing is known.
    """
    blob = path.resolve()
    with blob.open("rb") as file:
        if _SHA256.fullmatch(blob.name):
            return hashlib.file_digest(file, "sha256").hexdigest() == blob.name
        if _COMMIT.fullmatch(blob.name):
            header = f"blob {blob.stat().st_size}\0".encode()
            return hashlib.file_digest(file, lambda: hashlib.sha1(header)).hexdigest() == blob.name
    return True


def _forget(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _told(error: Exception, source: _Source) -> SRHubError:
    if isinstance(error, GatedRepoError):
        message = f"{source} asks you to accept its terms on the Hub, and for a token"
        return HubError(message, "gated")
    if isinstance(error, RepositoryNotFoundError):
        return HubError(
            f"{source} is not on the Hub, or is private: check the name, or give a token; "
            "there is no such folder either",
            "absent",
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            f"{source.repo_id} has no branch, tag or commit {source.revision!r}", "revision"
        )
    if is_transient(error):
        return HubError(f"the Hub did not give {source}: {summary(error)}", "unreachable")
    return SRHubError(f"{source} could not be loaded: {summary(error)}")
