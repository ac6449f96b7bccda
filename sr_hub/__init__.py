"""Single-image super-resolution: networks of five student reports as Hub models.

`load_model`, `Upscaler`, `upscale`, `MODELS` and the networks in it are imported when they are
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sr_hub.base import SRModel
    from sr_hub.errors import SRHubError
    from sr_hub.models import (
        ESPCN,
        MODELS,
        RRIM,
        SRCNN,
        Interpolation,
        LiteSRResNet,
        MSRResNet,
        RRDBNet,
        SRNet,
        SRResNet,
        SRVGGNetCompact,
        load_model,
    )
    from sr_hub.upscaler import Upscaler, upscale

__version__ = "0.1.0"
__all__ = [
    "ESPCN",
    "MODELS",
    "RRIM",
    "SRCNN",
    "Interpolation",
    "LiteSRResNet",
    "MSRResNet",
    "RRDBNet",
    "SRHubError",
    "SRModel",
    "SRNet",
    "SRResNet",
    "SRVGGNetCompact",
    "Upscaler",
    "load_model",
    "upscale",
]

_HOMES = {
    "SRHubError": "sr_hub.errors",
    "SRModel": "sr_hub.base",
    "Upscaler": "sr_hub.upscaler",
    "upscale": "sr_hub.upscaler",
}
"""Where the names of `__all__` are that are not in `sr_hub.models`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "sr_hub.models")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
