"""How far a network is inside a tile: its convolutions are counted as they run.

`Upscaler` reports after every tile, but most pictures are one tile. Counting layers keeps the bar
moving and lets Stop work at once, without smaller tiles, which would cost a third more time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from sr_hub.upscaler import Upscaler

Report = Callable[[float], None]
"""Called with the part of the work that is done, 0 to 1; may raise an exception to end it."""


@contextmanager
def layers_counted(
    upscaler: Upscaler, image: Image.Image, report: Report
) -> Iterator[Callable[[int, int], None]]:
    """Within it, `report` is called after each convolution; what it gives is told of the tiles.

    Only one network may run at a time: the hook sees the layers of all.
    """
    layers = sum(isinstance(module, nn.Conv2d) for module in upscaler.model.modules())
    tiles = len(upscaler.tiles(image.height, image.width, upscaler.precision))
    planes = 2 if image.mode in ("LA", "RGBA") else 1
    state = {"tiles": 0, "layers": 0, "total": tiles * planes}

    def layer_done(module: nn.Module, *_: object) -> None:
        if isinstance(module, nn.Conv2d):
            state["layers"] += 1
            inside = min(state["layers"] / layers, 1)
            report(min((state["tiles"] + inside) / state["total"], 1))

    def tile_done(done: int, total: int) -> None:
        state.update(tiles=done, layers=0, total=total)
        report(done / total)

    hook = register_module_forward_hook(layer_done)
    try:
        yield tile_done
    finally:
        hook.remove()
