"""Single-image super-resolution: networks of five student reports as Hub models.

`load_model`, `Upscaler`, `upscale` and `MODELS` are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sr_hub.models import MODELS, load_model
    from sr_hub.upscaler import Upscaler, upscale

__version__ = "0.1.0"
__all__ = ["MODELS", "Upscaler", "load_model", "upscale"]

_HOMES = {
    "MODELS": "sr_hub.models",
    "load_model": "sr_hub.models",
    "Upscaler": "sr_hub.upscaler",
    "upscale": "sr_hub.upscaler",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
