"""What every network of this package is: an `nn.Module` that the Hub can hold.

The arguments of a network's `__init__` are its Hub config. `PyTorchModelHubMixin` records them in
`__new__`, before `__init__` runs, merged with the defaults; that is why they are keyword-only and
plain (int, float, bool, str, or one of these and None). A Hub folder holds `config.json` (those
arguments and the key "architecture", the name of the class), `model.safetensors` and `README.md`.
Nothing here knows about pictures, devices or tiles: see `image.py` and `upscaler.py`.
"""

import copy
import inspect
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from huggingface_hub import CommitInfo, ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sr_hub.bundled import add_what_is_known, what_was_known
from sr_hub.card import NetworkFacts, add_facts, card_text, check_facts
from sr_hub.errors import SRHubError
from sr_hub.files import is_folder, write_text
from sr_hub.folder import CARD_FILE, load_folder, save_folder
from sr_hub.hub import called, fetch
from sr_hub.upload import full_id, upload_folder

CARD_OUTPUT = (720, 1280)
"""Height and width of the output for which cards state the multiply-adds, as papers do."""


class SRModel(nn.Module, PyTorchModelHubMixin):
    """A network that enlarges pictures by an integer factor.

    `forward` takes (N, 3, H, W), RGB in [0, 1], any H and W from 1, and returns
    (N, 3, scale * H, scale * W), not clamped, so that losses see the truth. A network that adds the
    bicubic enlargement answers in float32, also where its weights have 16 bits.
    """

    scales: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """The enlargement factors that the source of the network allows."""

    scale: int

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
        network._unrecorded = tuple(name for name in given if not cls._is_jsonable(given[name]))
        return network

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        if type(scale) is not int or scale not in self.scales:
            allowed = ", ".join(str(s) for s in self.scales)
            raise SRHubError(f"{type(self).__name__} enlarges by {allowed}, not by scale={scale}")
        self.scale = scale

    @property
    def arguments(self) -> dict[str, Any]:
        """What `__init__` was given and its defaults: the Hub config without "architecture"."""
        return dict(self._hub_mixin_config or {})

    @property
    def receptive_field(self) -> int:
        """How far, in input pixels to each side, an input pixel can change the output."""
        raise NotImplementedError(
            f"{type(self).__name__} has no receptive_field: tiles need to know how far it sees"
        )

    @property
    def size_multiple(self) -> int:
        """Input pixels at whose multiples a tile must start to equal the whole picture."""
        return 1

    @property
    def num_parameters(self) -> int:
        """Count of trainable numbers."""
        return sum(p.numel() for p in self.parameters())

    def multiply_adds(self, height: int, width: int) -> int:
        """Multiply-adds of the convolutions for one input of `height` x `width` pixels."""
        network = copy.deepcopy(self).to("meta").float().eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, height, width, device="meta", dtype=torch.float32))
        return counter.get_total_flops() // 2

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        repo_id: str | None = None,
        facts: dict[str, Any] | None = None,
        keep_card: bool = False,
        push_to_hub: bool = False,
        **options: Any,  # noqa: ANN401 (each is typed in push_to_hub)
    ) -> CommitInfo | None:
        """Write `config.json`, `model.safetensors` and the card `README.md`, each file whole.

        Beside a bundled model goes what its folder says of it, unless `training.json` is there; it
        is taken away again when other weights are saved over it.

        Args:
            save_directory: the folder, made if it is not there. What `training.json` in it says
                goes into the card; see `card.py`.
            repo_id: the name by which readers of the card load the model; the folder's own name
                by default. The repository where it goes up; without an owner, that of the token.
            facts: entries for `training.json`, like {"license": "mit", "base_model": "user/x"};
                `card.TRAINING` lists the keys.
            keep_card: leave a card that is there as it is.
            push_to_hub: upload what the folder holds of a model, and return the commit.
            options: of `push_to_hub`, like `private`.

        Raises:
            SRHubError: if the network would not load again, a file cannot be written, or the Hub
                refuses.
        """
        for name in options:
            if name not in inspect.signature(self.push_to_hub).parameters:
                raise SRHubError(f"{name} is no option of save_pretrained: leave it out")
            if not push_to_hub:
                raise SRHubError(f"{name} is an option of push_to_hub=True")
        folder = Path(save_directory)
        self._save(folder, facts)
        if push_to_hub:
            repo_id = full_id(repo_id or folder.resolve().name, token=options.get("token"))
        network = self.network_facts()
        if not (keep_card and (folder / CARD_FILE).is_file()):
            write_text(folder / CARD_FILE, card_text(folder, network, repo_id=repo_id))
        if not push_to_hub:
            return None
        return upload_folder(folder, network, repo_id, keep_card=keep_card, **options)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        facts: dict[str, Any] | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        branch: str | None = None,
        commit_message: str | None = None,
        create_pr: bool = False,
        keep_card: bool = False,
    ) -> CommitInfo:
        """Upload config, weights and card in one commit; see `sr_hub.publish.push_folder`.

        A bundled model goes up with all that its folder says about its training and speed.

        Args:
            repo_id: "user/repo", or "repo" for the owner of the token; made if it is not there.
            facts: entries for `training.json`, as in `save_pretrained`.
            private: make a new repository private (True) or public (False).
            token: a Hub token, True for the stored one.
            branch: branch to commit to, made if it is not there; the main branch by default.
            commit_message: first line of the commit.
            create_pr: open a pull request instead of changing the branch.
            keep_card: leave the card that the repository has as it is.

        Raises:
            SRHubError: if the Hub refuses, or cannot be reached.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            self._save(folder, facts)
            return upload_folder(
                folder,
                self.network_facts(),
                repo_id,
                private=private,
                token=token,
                branch=branch,
                commit_message=commit_message,
                create_pr=create_pr,
                keep_card=keep_card,
            )

    def _save(self, folder: Path, facts: dict[str, Any] | None) -> None:
        if self._unrecorded:
            raise SRHubError(
                f"not saved, since it would not load: no config can hold {self._unrecorded[0]} of "
                f"{type(self).__name__}"
            )
        check_facts(facts or {})
        stale = what_was_known(folder)
        save_folder(self, self.arguments, folder)
        for path in stale:
            path.unlink()
        add_what_is_known(folder)
        if facts:
            add_facts(folder, facts)

    def generate_model_card(self, folder: str | Path, repo_id: str | None = None) -> ModelCard:
        """The card of the checkpoint in a Hub folder of this network."""
        return ModelCard(card_text(Path(folder), self.network_facts(), repo_id=repo_id))

    def network_facts(self) -> NetworkFacts:
        """What a card says about the network itself, without weights."""
        height, width = CARD_OUTPUT[0] // self.scale, CARD_OUTPUT[1] // self.scale
        return NetworkFacts(
            architecture=type(self).__name__,
            module=type(self).__module__,
            summary=_summary(type(self)),
            scale=self.scale,
            arguments=self.arguments,
            parameters=self.num_parameters,
            multiply_adds=self.multiply_adds(height, width),
            output_size=(height * self.scale, width * self.scale),
            declared=self._hub_mixin_info.model_card_data.to_dict(),
        )

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """The network that a Hub folder holds, in evaluation mode, on the CPU, in float32.

        Raises:
            SRHubError: if the folder holds another architecture, lacks a file, or its config or
                weights are not those of the network.
        """
        return load_folder(cls, Path(folder))

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

        Raises:
            SRHubError: if it cannot be had, or is not a sound checkpoint of this class;
                `sr_hub.load_model` finds the class by itself.
        """
        if not strict:
            raise SRHubError("strict=False: weights that do not fit are never loaded; leave it out")
        name, folder = str(pretrained_model_name_or_path), Path(pretrained_model_name_or_path)
        if is_folder(folder):
            network = cls.from_folder(folder)
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
                network = cls.from_folder(folder)
        try:
            return network.to(map_location)
        except (RuntimeError, AssertionError, TypeError):
            raise SRHubError(f"no device {str(map_location)!r} here for map_location") from None


def _summary(network: type[SRModel]) -> str:
    """The first paragraph of the class's docstring, else of that of the network it is made of."""
    classes = network.__mro__[: network.__mro__.index(SRModel)]
    texts = (each.__doc__ for each in classes if issubclass(each, SRModel))
    return " ".join(inspect.cleandoc(next(filter(None, texts), "")).partition("\n\n")[0].split())
