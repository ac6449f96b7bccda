"""Makes `import torchvision` work beside a CPU-only build of torch.

The package index offers torchvision with CUDA libraries only. Beside a CPU-only torch its compiled
part cannot be loaded, the operators in it are never declared, and the import stops with "operator
torchvision::nms does not exist". piq, lpips and spandrel import torchvision and stop with it,
although none of them needs those operators. `install()` declares the missing two, without a kernel,
so that the Python part loads; networks and transforms work, `ops.nms` and file reading do not.

Call it before importing any of those packages. A healthy torchvision is left as it is.
"""

import importlib
import sys

import torch

_OPERATORS = ("nms", "qnms")
_declared: list[torch.library.Library] = []  # a declaration ends when its Library is collected


def install() -> None:
    """Import torchvision, declaring its missing operators if that is what stops it.

    Raises:
        ImportError: if torchvision is not installed.
        RuntimeError: if the import fails for another reason.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _forget_half_imported()
        _declare_operators()
        importlib.import_module("torchvision")


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
