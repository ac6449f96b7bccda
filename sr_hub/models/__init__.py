"""The networks, in one visible table, and the one way to load any of them."""

import logging
from pathlib import Path

from sr_hub.base import SRModel
from sr_hub.bundled import bundled_models
from sr_hub.errors import SRHubError
from sr_hub.files import is_folder
from sr_hub.folder import CONFIG_FILE, read_config
from sr_hub.hub import called, fetch
from sr_hub.models.compact import SRVGGNetCompact
from sr_hub.models.espcn import ESPCN
from sr_hub.models.interpolation import MODES, Interpolation
from sr_hub.models.lite_srresnet import LiteSRResNet
from sr_hub.models.msrresnet import MSRResNet
from sr_hub.models.rrdbnet import RRDBNet
from sr_hub.models.rrim import RRIM
from sr_hub.models.srcnn import SRCNN
from sr_hub.models.srnet import SRNet
from sr_hub.models.srresnet import SRResNet

logger = logging.getLogger(__name__)

MODELS: dict[str, type[SRModel]] = {
    "RRIM": RRIM,
    "SRResNet": SRResNet,
    "LiteSRResNet": LiteSRResNet,
    "RRDBNet": RRDBNet,
    "SRNet": SRNet,
    "SRCNN": SRCNN,
    "ESPCN": ESPCN,
    "SRVGGNetCompact": SRVGGNetCompact,
    "MSRResNet": MSRResNet,
    "Interpolation": Interpolation,
}
"""Every network by the name of its class, which is the "architecture" of its Hub config."""

BASELINES = MODES
"""Names of the interpolations, which `load_model` gives at scale 4."""


def load_model(
    name: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    max_bytes: int | None = None,
) -> SRModel:
    """The trained network behind a name, in evaluation mode, on the CPU, in float32.

    Args:
        name: what to load, tried in this order: a bundled model ("rrim-x4") or a baseline
            ("bicubic"), a local Hub folder, a Hub id ("user/repo", or "user/repo@revision"). The
            first two never touch the network. A `Path` is always a folder of its own.
        revision: branch, tag or commit of a Hub id.
        token: a Hub token, True for the stored one, False for none.
        cache_dir: where Hub downloads are kept, instead of the usual cache.
        local_files_only: use only what the cache holds.
        force_download: download again what the cache holds.
        max_bytes: refuse a Hub repository whose config and weights are larger than this.

    Raises:
        SRHubError: if nothing has that name, or what has it is not a sound checkpoint.
    """
    if not isinstance(name, str | Path):
        raise SRHubError(f"a model is named by a str or a Path, not a {type(name).__name__}")
    by_name = isinstance(name, str)
    folder = bundled_models().get(name, Path(name)) if by_name else name
    if by_name and folder != Path(name) and (Path(name) / CONFIG_FILE).is_file():
        logger.warning("%s is the bundled model: write ./%s for the folder here", name, name)
    is_local = is_folder(folder)
    if revision is not None and (name in BASELINES or is_local):
        raise SRHubError(f"{name} is on this machine: a revision is for a Hub id like user/repo")
    if by_name and name in BASELINES:
        return Interpolation(mode=name).eval()
    if is_local:
        return _class_of(folder).from_folder(folder)
    if str(name).partition("@")[0].count("/") != 1:
        raise SRHubError(
            f"no model {str(name)!r}: not bundled "
            f"({', '.join([*bundled_models(), *BASELINES])}), not a folder, not a Hub id "
            f"like user/repo"
        )
    folder = fetch(
        str(name),
        revision=revision,
        token=token,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        force_download=force_download,
        max_bytes=max_bytes,
    )
    with called(str(name), folder):
        return _class_of(folder).from_folder(folder)


def _class_of(folder: Path) -> type[SRModel]:
    architecture = read_config(folder)["architecture"]
    if architecture not in MODELS:
        raise SRHubError(
            f"{folder} holds the network {architecture}; this version of sr_hub knows "
            f"{', '.join(MODELS)}: load it by its own class, {architecture}.from_pretrained"
        )
    return MODELS[architecture]
