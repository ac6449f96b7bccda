"""ONNX files for other runtimes, checked against the network they were made from.

Needs the extra [export]: onnx, onnxruntime, onnxscript.
"""

import copy
import importlib.util
import logging
import warnings
from pathlib import Path

import torch
from torch.export import Dim

from sr_hub.base import SRModel
from sr_hub.errors import SRHubError
from sr_hub.files import write_whole

TOLERANCE = 1e-4
"""Largest difference to the network that an exported file may show, where white is 1."""

CHECKED_SIZES = ((1, 17, 23), (2, 40, 8), (1, 1, 1))
"""Batch, height and width of the random pictures on which both are compared."""

TRACED_SIZE = (2, 12, 20)
"""Batch, height and width of the picture that the exporter follows through the network."""

OPSET = 18
"""The oldest operator set that torch's exporter writes, for the widest choice of runtimes."""


def export_onnx(model: SRModel, path: str | Path) -> float:
    """Write `model` as ONNX with dynamic batch, height and width, and compare the two.

    The input "image" is (N, 3, H, W), RGB float32 in [0, 1]; the output "enlarged" is
    (N, 3, scale * H, scale * W), not clamped.

    Args:
        model: any network of this package; it stays as it is.
        path: the .onnx file to write; it stands alone, with its weights inside.

    Returns:
        The largest difference between the two outputs that was seen.

    Raises:
        SRHubError: if the extra is missing, or the file does not compute what the network does; it
            is not written then.
    """
    _require_extra()
    path = Path(path)
    if path.suffix != ".onnx":
        raise SRHubError(f"{path} must end in .onnx")
    model = copy.deepcopy(model).to("cpu", torch.float32).eval()
    worst = 0.0

    def write(temporary: Path) -> None:
        nonlocal worst
        _export(model, temporary)
        worst = _largest_difference(model, temporary)
        if not worst <= TOLERANCE:
            raise SRHubError(f"{path} was not written: it differs from the network by {worst:.1e}")

    write_whole(path, write)
    return worst


def _export(model: SRModel, path: Path) -> None:
    batch, height, width = TRACED_SIZE
    dynamic = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the exporter's own code, nothing to act on
            torch.onnx.export(
                model,
                (torch.rand(batch, 3, height, width),),
                path,
                input_names=["image"],
                output_names=["enlarged"],
                opset_version=OPSET,
                dynamic_shapes={"x": dynamic},
                external_data=False,
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)


def _largest_difference(model: SRModel, path: Path) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, height, width in CHECKED_SIZES:
        image = torch.rand(batch, 3, height, width)
        (exported,) = session.run(None, {"image": image.numpy()})
        with torch.inference_mode():
            worst = max(worst, (torch.from_numpy(exported) - model(image)).abs().max().item())
    return worst


def _require_extra() -> None:
    missing = [
        name for name in ("onnx", "onnxscript", "onnxruntime") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise SRHubError(f"{missing[0]} is missing: pip install 'sr_hub[export]'")
