"""A network made ready for pictures: device, precision and tiles chosen, PIL in, PIL out."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from sr_hub import __version__, heap
from sr_hub.alpha import join_alpha, keep_solid, split_alpha
from sr_hub.base import SRModel
from sr_hub.consistency import REACH, hold_to
from sr_hub.device import is_out_of_memory, pick_device
from sr_hub.ensemble import ORIENTATIONS, Orientation, mean_image
from sr_hub.errors import NoMemoryError, SRHubError
from sr_hub.files import is_folder
from sr_hub.folder import WEIGHTS_FILE, name_of
from sr_hub.image import from_tensor, to_tensor
from sr_hub.inference import Inference, evaluating
from sr_hub.interpolate import load_named
from sr_hub.normalise import normalise
from sr_hub.output_size import reduce
from sr_hub.precision import pick_precision
from sr_hub.tiling import (
    SMALLEST_TILE,
    Box,
    Tile,
    choose_tile,
    plan_tiles,
    run_tiles,
)

Result = TypeVar("Result")
Precision = Literal["auto", "fp32", "bf16"]
Progress = Callable[[int, int], None]

MOST_HALVINGS = 6
"""Times that a tile is halved for want of memory before that is given up."""


class Upscaler:
    """Enlarges pictures with one network.

    Args:
        model: a network, or a name for `load_model`, or such a name and a fidelity ("rrim-x4 at
            fidelity 0.5"). A network is moved to the device, set to evaluation mode and to float32.
        device: "auto" takes CUDA, else MPS, else the CPU; or what `torch.device` takes.
        precision: "fp32"; "bf16" runs all but the last convolution in bfloat16; "auto" takes bf16
            where the hardware computes in it, but fp32 for 16-bit pictures. A tile that comes out
            of bf16 with values that are not finite is run again in fp32.
        tile: greatest side of a tile in input pixels, without its overlap; None chooses by the
            memory that the network needs and the device has. When memory runs out all the same,
            the chosen tile is halved; a given one never is.
        ensemble: take the mean over the eight orientations of a picture, which is a little truer
            and takes eight times as long.
        consistent: hold results to their input (see `consistency`), at next to no cost. It keeps
            colours and makes sharp networks truer, on pictures that are free of noise and blocks.
        name: what the results call the model; by default its name, or the network's class.

    Raises:
        SRHubError: for an unknown model, device or precision, a tile below 1, or a network that is
            wrapped, as by `torch.compile`.

    Attributes: `model`, `name` (for provenance), `scale`, `device`, `precision` ("fp32" or "bf16"),
    `ensemble`, `consistent`.
    """

    def __init__(
        self,
        model: SRModel | str | Path,
        *,
        device: str | torch.device = "auto",
        precision: Precision = "auto",
        tile: int | None = None,
        ensemble: bool = False,
        consistent: bool = False,
        name: str | None = None,
    ) -> None:
        if tile is not None and (type(tile) is not int or tile < 1):
            raise SRHubError(f"tile={tile!r}: a tile is a whole number of pixels, at least 1")
        network = _network(model)
        self.name = name or _name_of(model)
        self.device = pick_device(device)
        self.precision = pick_precision(precision, self.device)
        if not network.num_parameters:
            self.precision = "fp32"
        self._inference = Inference(network, self.device, self.name)
        self.model = network
        self.scale = network.scale
        self.tile = tile
        self.ensemble = ensemble
        self.consistent = consistent
        self._precision_16_bit = "fp32" if precision == "auto" else self.precision
        self._halvings = 0

    def __repr__(self) -> str:
        options = [name for name in ("ensemble", "consistent") if getattr(self, name)]
        words = [self.name, f"x{self.scale}", f"{self.precision} on {self.device}", *options]
        return f"<Upscaler {', '.join(words)}>"

    def __call__(
        self,
        image: Image.Image,
        *,
        size: tuple[int, int] | None = None,
        progress: Progress | None = None,
    ) -> Image.Image:
        """`image` enlarged: same mode (see `normalise`), colour profile, EXIF, text and notices.

        Alpha is enlarged by the network as a grey picture of its own, and stays what it is where
        it is constant. `.info["text"]` says which model and scale made the result.

        Args:
            image: any picture that Pillow opens; it is not changed.
            size: width and height of the result, in pixels; None for `scale` times those of the
                upright picture. To a smaller one the network's result is reduced by Pillow's
                bicubic.
            progress: called as `progress(done, total)` after each tile.

        Raises:
            SRHubError: if it is no picture or its mode is unknown, or the network does not reach
                `size`; as `NoMemoryError`, if memory does not suffice.
            MemoryError: if not even the result has room.
        """
        image = normalise(image)
        full = (self.scale * image.width, self.scale * image.height)
        size = full if size is None else self._reached(size, full)
        colours, alpha = split_alpha(image)
        varies = alpha is not None and len(set(alpha.getextrema())) > 1
        planes = [colours, alpha] if varies else [colours]
        enlarged = self._retrying(lambda: self._enlarge(planes, progress))
        if varies:
            alpha = keep_solid(enlarged[1], alpha)
        elif alpha is not None:
            alpha = alpha.resize(enlarged[0].size, Image.Resampling.NEAREST)
        result = join_alpha(enlarged[0], alpha)
        result.info = {**image.info, "text": {**image.info.get("text", {}), **self.provenance}}
        return reduce(result, size)

    @torch.no_grad()
    def run(self, x: Tensor, *, progress: Progress | None = None) -> Tensor:
        """`x` enlarged, tile by tile: (N, 3, H, W) in [0, 1] -> (N, 3, scale * H, scale * W).

        `x` is of any floating type. The result is float32, clamped to [0, 1], on the device of `x`.

        Raises:
            SRHubError: if `x` is no such tensor; as `NoMemoryError`, if memory does not suffice.
        """
        x = _as_batch(x)

        def enlarge() -> Tensor:
            plans = self._plans(*x.shape[-2:], self.precision)
            steps, done, total = sum(len(tiles) for _, tiles in plans), 0, None
            for orientation, tiles in plans:
                turned = orientation.turn(x)
                output = self._enlarge_tensor(turned, tiles, _after(done, steps, progress))
                output = orientation.turn_back(output)
                total = output if total is None else total.add_(output)
                done += len(tiles)
            return total.div_(len(plans))

        return self._retrying(enlarge)

    def tiles(self, height: int, width: int, precision: str) -> list[Tile]:
        """The tiles in which a picture of `height` x `width` pixels is enlarged."""
        overlap, multiple = self.model.receptive_field, self.model.size_multiple
        overlap += REACH if self.consistent else 0
        if self.tile is not None:
            tile = (self.tile, self.tile)
        elif height * width <= SMALLEST_TILE**2:
            tile = (height, width)
        else:
            area = self._inference.area(precision) >> (2 * self._halvings)
            tile = choose_tile(height, width, area=area, overlap=overlap, multiple=multiple)
        return plan_tiles(height, width, tile=tile, overlap=overlap, multiple=multiple)

    @property
    def provenance(self) -> dict[str, str]:
        """What the result's `.info["text"]` says about how it was made."""
        options = f", mean of {len(ORIENTATIONS)} orientations" if self.ensemble else ""
        options += ", held to the input" if self.consistent else ""
        return {
            "Software": f"sr_hub {__version__} ({self.name}, x{self.scale}{options})",
            "Model": self.name,
            "Scale": str(self.scale),
        }

    def _reached(self, size: tuple[int, int], full: tuple[int, int]) -> tuple[int, int]:
        """`size`, refused if it is none or the network, whose result is `full`, is smaller."""
        sides = tuple(size) if isinstance(size, tuple | list) else ()
        if len(sides) != 2 or any(type(side) is not int or side < 1 for side in sides):
            raise SRHubError(f"size={size!r}: give width and height in whole pixels, at least 1")
        if sides[0] > full[0] or sides[1] > full[1]:
            raise SRHubError(
                f"size={sides[0]}x{sides[1]}: {self.name} makes {full[0]}x{full[1]} of this "
                f"picture; give at most that, or enlarge the result once more"
            )
        return sides

    def _enlarge(self, planes: list[Image.Image], progress: Progress | None) -> list[Image.Image]:
        """Each of `planes`, which have one size, enlarged; `progress` counts the tiles of all."""
        width, height = planes[0].size
        precision = self._precision_16_bit if planes[0].mode == "I;16" else self.precision
        plans = self._plans(height, width, precision)
        of_one = sum(len(tiles) for _, tiles in plans)
        return [
            mean_image(
                self._enlarge_turned(
                    plane, plans, precision, _after(index * of_one, len(planes) * of_one, progress)
                )
            )
            for index, plane in enumerate(planes)
        ]

    def _plans(
        self, height: int, width: int, precision: str
    ) -> list[tuple[Orientation, list[Tile]]]:
        """The orientations in which a picture is enlarged, and the tiles of each."""
        upright = self.tiles(height, width, precision)
        if not self.ensemble:
            return [(ORIENTATIONS[0], upright)]
        turned = self.tiles(width, height, precision)
        return [(each, turned if each.sideways else upright) for each in ORIENTATIONS]

    def _enlarge_turned(
        self,
        plane: Image.Image,
        plans: list[tuple[Orientation, list[Tile]]],
        precision: str,
        progress: Progress | None,
    ) -> Iterator[Image.Image]:
        """`plane` enlarged in each orientation of `plans`, and turned back."""
        steps, done = sum(len(tiles) for _, tiles in plans), 0
        for orientation, tiles in plans:
            turned = orientation.turn_image(plane)
            enlarged = self._enlarge_plane(turned, tiles, precision, _after(done, steps, progress))
            yield orientation.turn_image_back(enlarged)
            done += len(tiles)

    def _enlarge_tensor(self, x: Tensor, tiles: list[Tile], progress: Progress | None) -> Tensor:
        """(N, 3, H, W) enlarged, in float32, on its device."""
        size = (self.scale * x.shape[-2], self.scale * x.shape[-1])
        output = torch.empty(*x.shape[:-2], *size, device=x.device, dtype=torch.float32)

        def write(box: Box, values: Tensor) -> None:
            output[..., *box.slices] = values

        run_tiles(
            tiles,
            self.scale,
            read=lambda box: x[..., *box.slices],
            network=partial(self._pass, precision=self.precision),
            write=write,
            progress=progress,
        )
        return output

    def _enlarge_plane(
        self, plane: Image.Image, tiles: list[Tile], precision: str, progress: Progress | None
    ) -> Image.Image:
        result = Image.new(plane.mode, (self.scale * plane.width, self.scale * plane.height))
        run_tiles(
            tiles,
            self.scale,
            read=lambda box: to_tensor(plane.crop(box)),
            network=partial(self._pass, precision=precision),
            write=lambda box, values: result.paste(from_tensor(values, plane.mode), box),
            progress=progress,
        )
        return result

    def _pass(self, x: Tensor, precision: str) -> Tensor:
        """One tile enlarged: what `Inference` gives, held to `x` if that is wanted."""
        output = self._inference(x, precision)
        return hold_to(x.to(output), output) if self.consistent else output

    def _retrying(self, enlarge: Callable[[], Result]) -> Result:
        """The result of `enlarge`, with ever smaller tiles when memory runs out."""
        while True:
            try:
                with evaluating(self.model):
                    result = enlarge()
                heap.give_back()
                return result
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if self.tile is not None:
                    raise NoMemoryError(
                        f"{self.device} has too little memory for tile={self.tile}: give less"
                    ) from None
                if self._halvings == MOST_HALVINGS:
                    advice = "cut the picture" if self.device.type == "cpu" else "use the CPU"
                    raise NoMemoryError(f"{self.device} has too little memory: {advice}") from None
            torch.cuda.empty_cache()
            self._halvings += 1


def upscale(
    image: Image.Image,
    model: str | Path = "rrim-x4",
    *,
    device: str | torch.device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    ensemble: bool = False,
    consistent: bool = False,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Image.Image:
    """`image` enlarged by the model of that name, which stays loaded for the next call.

    `size` and `progress` are those of a call of an `Upscaler`, the rest are arguments of
    `Upscaler`. The four models used last stay loaded, a folder as long as its weights are the same
    file.

    Raises:
        SRHubError: as `Upscaler` does; and for a network itself, which `Upscaler` takes.
    """
    if not isinstance(model, str | Path):
        kind = type(model).__name__
        raise SRHubError(f"upscale takes the name of a model, not a {kind}: give it to Upscaler")
    weights = Path(model) / WEIGHTS_FILE
    saved = weights.stat().st_mtime_ns if is_folder(model) and weights.is_file() else None
    options = {"device": device, "precision": precision, "tile": tile}
    options |= {"ensemble": ensemble, "consistent": consistent, "name": name}
    return _loaded(model, saved, **options)(image, size=size, progress=progress)


@lru_cache(maxsize=4)
def _loaded(model: str | Path, saved: int | None, **options: object) -> Upscaler:
    """`saved` is when the weights of a folder were written."""
    return Upscaler(model, **options)


def _network(model: SRModel | str | Path) -> SRModel:
    if isinstance(model, nn.Module) and not isinstance(model, SRModel):
        raise SRHubError(
            f"Upscaler takes a network of sr_hub, not a {type(model).__name__}: if it wraps one, "
            f"give the network itself (.module, ._orig_mod)"
        )
    return model if isinstance(model, SRModel) else load_named(model)


def _name_of(model: SRModel | str | Path) -> str:
    """A network's class, what results call a folder, a bundled name or Hub id as it is."""
    if isinstance(model, SRModel):
        return type(model).__name__
    return name_of(Path(model)) if is_folder(model) else str(model)


def _as_batch(x: Tensor) -> Tensor:
    """`x` in float32, refused if it is not (N, 3, H, W) in a floating type and about [0, 1]."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        kind = x.dtype if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise SRHubError(f"run takes a tensor of floats in [0, 1], not {kind}: convert it")
    if x.ndim != 4 or x.shape[1] != 3 or not x.numel():
        raise SRHubError(f"run takes a tensor (N, 3, H, W), not {tuple(x.shape)}")
    low, high = x.aminmax()
    if not (low >= -0.5 and high <= 2):  # NaN neither
        raise SRHubError(
            f"run takes values in [0, 1], not from {low:.3g} to {high:.3g}: "
            f"scale them, as by x / 255"
        )
    return x.float()


def _after(start: int, total: int, progress: Progress | None) -> Progress | None:
    """`progress` for a part of the work that begins after `start` of `total` steps."""
    return progress and (lambda done, _: progress(start + done, total))
