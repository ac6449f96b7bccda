"""Foreign checkpoints (.pth, .safetensors) to Hub folders of this package."""

import json
import re
import shutil
import uuid
from pathlib import Path

from safetensors.torch import save

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError
from sr_hub.files import write_text, write_whole
from sr_hub.folder import CONFIG_FILE, SOURCE_FILE, WEIGHTS_FILE
from sr_hub.foreign import read_state, recognise
from sr_hub.models import MODELS
from sr_hub.provenance import sha256

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def convert(
    source: str | Path,
    out: str | Path,
    *,
    license: str,
    license_link: str | None = None,
    url: str | None = None,
    architecture: str | None = None,
) -> SRModel:
    """Make a Hub folder of a foreign checkpoint, and return its network.

    Args:
        source: a .pth, .pt, .ckpt, .bin or .safetensors file in one of `foreign.LAYOUTS`.
        out: the folder to make; it must not exist yet.
        license: licence of the weights, as the Hub names it ("apache-2.0", "bsd-3-clause",
            "cc-by-nc-4.0"); "other" needs `license_link`. It is written to the card.
        license_link: where the text of the licence is.
        url: where the file is from; it is written to the card.
        architecture: the network that it must be; recognised by itself otherwise.

    Raises:
        SRHubError: if the file is missing, damaged, hostile or not recognised, if the licence is
            not named, or if `out` exists or cannot be written.
    """
    source, out = Path(source), Path(out)
    license = _checked_license(license, license_link)
    try:
        if out.exists():
            raise SRHubError(f"{out} exists; name a new folder")
    except OSError as error:
        raise _not_made(out, error) from None
    state = read_state(source)
    try:
        layout, renamed = recognise(state, architecture)
        config = {"architecture": layout.architecture, **layout.arguments(renamed)}
    except (SRHubError, LookupError, ArithmeticError) as error:
        raise SRHubError(f"{source} was not converted: {error}") from None
    origin = {
        "file": source.name,
        "url": url,
        "layout": layout.title,
        "sha256": sha256(source),
        "license": license,
        "license_link": license_link,
    }
    staging = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise _not_made(out, error) from None
    try:
        weights = {name: tensor.float().clone() for name, tensor in renamed.items()}
        content = save(weights, metadata={"format": "pt"})
        write_whole(staging / WEIGHTS_FILE, lambda path: path.write_bytes(content))
        write_text(staging / CONFIG_FILE, json.dumps(config) + "\n")
        model = _loaded(MODELS[layout.architecture], staging, source)
        write_text(staging / SOURCE_FILE, json.dumps(origin, indent=2) + "\n")
        model.save_pretrained(staging, repo_id=out.resolve().name)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return model


def _loaded(network: type[SRModel], staging: Path, source: Path) -> SRModel:
    try:
        return network.from_folder(staging)
    except SRHubError as error:
        reason = str(error).replace(f"{staging / WEIGHTS_FILE}", "it")
        raise SRHubError(f"{source} was not converted: {reason}") from None


def _not_made(out: Path, error: OSError) -> SRHubError:
    return SRHubError(f"cannot make {out}: {error.strerror}: name another folder")


def _checked_license(license: str, license_link: str | None) -> str:
    license = license.strip().lower()
    if not _LICENSE.fullmatch(license):
        raise SRHubError("name the licence of the weights, like apache-2.0 or cc-by-nc-4.0")
    if license == "other" and not license_link:
        raise SRHubError('the licence "other" needs a link to its text')
    return license
