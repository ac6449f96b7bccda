"""What of a network is about the Hub: how it is saved, pushed, loaded, and what its card says.

These are the methods of `PyTorchModelHubMixin`, with its arguments and some more. Beyond the mixin:
loading is strict and believes nothing in a folder before it is compared, what could not be loaded
again is not saved, uploads are one commit, and a card that somebody edited is kept.
"""

import inspect
import logging
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from huggingface_hub import CommitInfo, ModelCard, PyTorchModelHubMixin
from torch import Tensor

from sr_hub.bundled import add_what_is_known, what_was_known
from sr_hub.card import NetworkFacts, card_text
from sr_hub.errors import SRHubError
from sr_hub.facts import add_facts, check_facts
from sr_hub.files import is_folder, write_text
from sr_hub.folder import CARD_FILE, load_folder, save_folder
from sr_hub.hub import called, fetch
from sr_hub.seal import is_bare, licence_of, read_card, sealed, stays
from sr_hub.soundness import parameters_of
from sr_hub.upload import full_id, upload_folder

logger = logging.getLogger(__name__)


class HubModel(PyTorchModelHubMixin):
    """The Hub's half of an `SRModel`."""

    _unrecorded: tuple[str, ...] = ()
    """Arguments that were given and that no config can hold."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Refuse numbers of numpy and torch: the mixin would drop them from the config."""
        names = list(cls._hub_mixin_init_parameters)[1:]
        given = dict(zip(names, args, strict=False)) | kwargs
        for name, value in given.items():
            if isinstance(value, np.generic) or (isinstance(value, Tensor) and value.ndim == 0):
                kind = f"{type(value).__module__}.{type(value).__name__}"
                raise SRHubError(
                    f"{name} of {cls.__name__} is a {kind}: give a plain int, float, bool or str"
                )
        network = super().__new__(cls, *args, **kwargs)
        # The mixin takes an argument that is named "config" for the whole config.
        network._unrecorded = tuple(
            name for name in given if name == "config" or not cls._is_jsonable(given[name])
        )
        return network

    @property
    def arguments(self) -> dict[str, Any]:
        """What `__init__` was given and its defaults: the Hub config without "architecture"."""
        return dict(self._hub_mixin_config) if isinstance(self._hub_mixin_config, dict) else {}

    @property
    def upload_message(self) -> str:
        """First line of a commit that brings it to the Hub, if none is given."""
        return f"Upload {type(self).__name__}"

    def network_facts(self) -> NetworkFacts:
        """What a card says about the network itself, without weights."""
        raise NotImplementedError

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        config: dict[str, Any] | None = None,
        repo_id: str | None = None,
        facts: dict[str, Any] | None = None,
        keep_card: bool | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401 (each is typed in push_to_hub)
    ) -> CommitInfo | None:
        """Write `config.json`, `model.safetensors` and the card `README.md`, each file whole.

        Beside a bundled model goes what its folder says of it, unless `training.json` is there; it
        is taken away again when other weights are saved over it.

        Args:
            save_directory: the folder, made if it is not there. What `training.json` in it says
                goes into the card; see `card.py`.
            config: as the mixin has it; here it is always what `arguments` says, and nothing else
                is taken.
            repo_id: the name by which readers of the card load the model; the folder's own name
                by default. The repository where it goes up; without an owner, that of the token.
            facts: entries for `training.json`, like {"license": "mit", "base_model": "user/x"};
                `facts.TRAINING` lists the keys.
            keep_card: leave a card that is there as it is (True) or write it anew (False). By
                default one that somebody edited is left, with a warning; see `seal.py`.
            push_to_hub: upload what the folder holds of a model, and return the commit.
            model_card_kwargs: what the `model_card_template` of a class of one's own asks for.
            options: of `push_to_hub`, like `private`.

        Raises:
            SRHubError: if the network would not load again, a file cannot be written, or the Hub
                refuses.
        """
        known = inspect.signature(self.push_to_hub).parameters
        for name, value in options.items():
            if name not in known:
                raise SRHubError(f"{name} is no option of save_pretrained: leave it out")
            if not push_to_hub and value != known[name].default:
                raise SRHubError(f"{name} is an option of push_to_hub=True")
        folder = Path(save_directory)
        there = read_card(folder / CARD_FILE)
        if is_bare(there):
            facts = {**licence_of(there), **(facts or {})}
        self._save(folder, facts, config)
        if push_to_hub:
            repo_id = full_id(repo_id or folder.resolve().name, token=options.get("token"))
        path = folder / CARD_FILE
        if not stays(there, keep_card):
            card = self.generate_model_card(folder, repo_id, **(model_card_kwargs or {}))
            write_text(path, sealed(str(card)))
        elif keep_card is None and not push_to_hub:
            logger.warning("%s was edited and stays; keep_card=False writes it anew", path)
        if not push_to_hub:
            return None
        return self._upload(folder, repo_id, keep_card, model_card_kwargs, **options)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        branch: str | None = None,
        commit_message: str | None = None,
        create_pr: bool | None = None,
        allow_patterns: list[str] | str | None = None,
        ignore_patterns: list[str] | str | None = None,
        delete_patterns: list[str] | str | None = None,
        keep_card: bool | None = None,
        model_card_kwargs: dict[str, Any] | None = None,
    ) -> CommitInfo:
        """Upload config, weights and card in one commit; see `sr_hub.publish.push_folder`.

        A bundled model goes up with all that its folder says about its training and speed.

        Args:
            repo_id: "user/repo", or "repo" for the owner of the token; made if it is not there.
            config: as in `save_pretrained`.
            facts: entries for `training.json`, as in `save_pretrained`.
            private: make a new repository private (True) or public (False).
            token: a Hub token, True for the stored one.
            branch: branch to commit to, made if it is not there; the main branch by default.
            commit_message: first line of the commit.
            create_pr: open a pull request instead of changing the branch.
            allow_patterns: names of files, like "*.json": of all that would go up, only these.
            ignore_patterns: names of files that do not go up. Config and weights always do.
            delete_patterns: names of files of the repository that go in the same commit, unless
                they are sent.
            keep_card: leave the card that the repository has (True) or write it anew (False). By
                default one that somebody edited is left, with a warning.
            model_card_kwargs: as in `save_pretrained`.

        Raises:
            SRHubError: if the patterns leave out config or weights, or the Hub refuses, or cannot
                be reached.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            self._save(folder, facts, config)
            return self._upload(
                folder,
                repo_id,
                keep_card,
                model_card_kwargs,
                private=private,
                token=token,
                branch=branch,
                commit_message=commit_message,
                create_pr=create_pr,
                allow_patterns=allow_patterns,
                ignore_patterns=ignore_patterns,
                delete_patterns=delete_patterns,
            )

    def _save(
        self, folder: Path, facts: dict[str, Any] | None, config: dict[str, Any] | None
    ) -> None:
        if self._unrecorded:
            raise SRHubError(
                f"not saved, since it would not load: no config can hold {self._unrecorded[0]} of "
                f"{type(self).__name__}"
            )
        own = {"architecture": type(self).__name__, **self.arguments}
        if config is not None and {**own, **config} != own:
            raise SRHubError(
                f"config is what {type(self).__name__} was made of, and nothing else: leave it out"
            )
        check_facts(facts or {})
        stale = what_was_known(folder)
        save_folder(self, self.arguments, folder)
        for path in stale:
            path.unlink()
        add_what_is_known(folder)
        if facts:
            add_facts(folder, facts)

    def _upload(
        self,
        folder: Path,
        repo_id: str,
        keep_card: bool | None,
        card_kwargs: dict[str, Any] | None,
        *,
        commit_message: str | None = None,
        **options: Any,  # noqa: ANN401 (each is typed in upload_folder)
    ) -> CommitInfo:
        return upload_folder(
            folder,
            partial(self.generate_model_card, folder, **(card_kwargs or {})),
            repo_id,
            message=commit_message or self.upload_message,
            keep_card=keep_card,
            **options,
        )

    def generate_model_card(
        self,
        folder: str | Path | None = None,
        repo_id: str | None = None,
        *,
        facts: dict[str, Any] | None = None,
        **model_card_kwargs: Any,  # noqa: ANN401 (whatever a template asks for)
    ) -> ModelCard:
        """The card of the checkpoint in a Hub folder of this network; of itself without a folder.

        All cards are made here, so a class of one's own can have its own.

        Args:
            folder: a Hub folder with weights of this network.
            repo_id: the name by which readers load it; the folder's own name by default.
            facts: as in `save_pretrained`; what the class or the folder says stands over them.
            model_card_kwargs: what the `model_card_template` of its class asks for.
        """
        if folder is None:
            with tempfile.TemporaryDirectory() as temporary:
                self._save(Path(temporary), None, None)
                name = repo_id or f"{type(self).__name__.lower()}-x{self.scale}"
                return self.generate_model_card(temporary, name, facts=facts, **model_card_kwargs)
        network, folder = self.network_facts(), Path(folder)
        text = card_text(
            folder, network, repo_id=repo_id, stated=facts, card_values=model_card_kwargs
        )
        return ModelCard(text)

    @classmethod
    def from_folder(cls, folder: str | Path, **arguments: Any) -> Self:  # noqa: ANN401
        """The network that a Hub folder holds, in evaluation mode, on the CPU, in float32.

        Args:
            folder: with config and weights.
            arguments: of `__init__`, in place of what the config says.

        Raises:
            SRHubError: if the folder holds another architecture, lacks a file, or its config or
                weights are not those of the network.
        """
        given = {name: cls._encode_arg(value) for name, value in arguments.items()}
        return load_folder(cls, Path(folder), given)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        max_bytes: int | None = None,
        map_location: str | torch.device = "cpu",
        strict: bool = True,
        **arguments: Any,  # noqa: ANN401 (checked as those of a config are)
    ) -> Self:
        """The network of a local Hub folder or of a Hub repository; see `from_folder`.

        Args:
            pretrained_model_name_or_path: an existing folder, else a Hub id ("user/repo" or
                "user/repo@revision").
            revision: branch, tag or commit; config and weights come from this one commit.
            token: a Hub token, True for the stored one, False for none.
            cache_dir: where downloads are kept, instead of the usual cache.
            local_files_only: use only what the cache holds.
            force_download: download again what the cache holds.
            max_bytes: refuse a repository whose config and weights are larger than this.
            map_location: the device to put the network on.
            strict: the mixin's; always True here.
            arguments: of `__init__`, in place of what the config says, like `bicubic_skip=False`.

        Raises:
            SRHubError: if it cannot be had, or is not a sound checkpoint of this class;
                `sr_hub.load_model` finds the class by itself.
        """
        if not strict:
            raise SRHubError("strict=False: weights that do not fit are never loaded; leave it out")
        for argument in arguments.keys() - parameters_of(cls).keys():
            raise SRHubError(
                f"{argument} is no argument of {cls.__name__}.from_pretrained: leave it out"
            )
        name, folder = str(pretrained_model_name_or_path), Path(pretrained_model_name_or_path)
        if is_folder(folder):
            network = cls.from_folder(folder, **arguments)
        else:
            folder = fetch(
                name,
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                force_download=force_download,
                max_bytes=max_bytes,
            )
            with called(name, folder):
                network = cls.from_folder(folder, **arguments)
        try:
            return network.to(map_location)
        except (RuntimeError, AssertionError, TypeError):
            raise SRHubError(f"no device {str(map_location)!r} here for map_location") from None
