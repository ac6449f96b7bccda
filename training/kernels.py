"""Triton kernels for one factor of RRIM: a convolution along a line of pixels, 1 x k or k x 1.

cuDNN has no good kernel for so few channels along one line. Here a pixel's channels lie together in
memory, a factor is one matrix product for each of its k taps, and what follows it (bias,
activation, a sum) happens before the result is written.

Source of the method: Chetlur et al. 2014 (cuDNN), section 3, https://arxiv.org/abs/1410.0759.
"""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from sr_hub.models.rrim import SLOPE

BLOCK = 128
"""Pixels that one program computes at a time."""

CHUNKS, MOST_BLOCKS = 64, 18
"""A sum over all pixels is shared by `CHUNKS` programs, or by more, so that none adds up more than
about `MOST_BLOCKS` blocks."""


@dataclass(frozen=True)
class Line:
    """One factor: from which channels, along which line, and whether an activation follows."""

    inputs: int
    outputs: int
    taps: int
    vertical: bool
    activated: bool


def run_line(
    line: Line,
    x: Tensor,
    weight: Tensor,
    out: Tensor,
    *,
    bias: Tensor | None = None,
    add: Tensor | None = None,
    mask: Tensor | None = None,
    backward: bool = False,
) -> None:
    """Write a factor's answer to `x` into `out`, or, `backward`, what a gradient `x` asks of `out`.

    Where `mask` is not above 0 the answer is multiplied by the activation's slope; then `add` is
    added.
    """
    across, along = (weight.stride(1), weight.stride(0)), weight.stride(2 if line.vertical else 3)
    inputs, outputs = (line.inputs, line.outputs)
    if backward:
        inputs, outputs, across = outputs, inputs, across[::-1]
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    _line[(triton.cdiv(pixels, BLOCK),)](
        _base(x), weight, bias, add, mask, _base(out), pixels, x.shape[2], x.shape[3],
        X_AT=x.storage_offset(), X_STEP=x.stride(3),
        OUT_AT=out.storage_offset(), OUT_STEP=out.stride(3),
        ADD_STEP=0 if add is None else add.stride(3),
        MASK_STEP=0 if mask is None else mask.stride(3),
        WEIGHT_IN=across[0], WEIGHT_OUT=across[1], WEIGHT_TAP=along,
        INPUTS=inputs, OUTPUTS=outputs, TAPS=line.taps, VERTICAL=line.vertical,
        WIDTH_IN=_width(inputs), WIDTH_OUT=_width(outputs), SIGN=-1 if backward else 1,
        ACTIVATED=line.activated and not backward, SLOPE=SLOPE, BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip


def gradient_of_weights(
    line: Line, x: Tensor, grad: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of a factor's kernel, laid out as the kernel is, and of its bias."""
    pixels = x.shape[0] * x.shape[2] * x.shape[3]
    size = weight.numel()
    chunks = _chunks(triton.cdiv(pixels, BLOCK))
    partial = torch.empty(chunks, size + line.outputs, device=x.device)
    _line_weights[(chunks, line.taps)](
        x, _base(grad), partial, pixels, x.shape[2], x.shape[3],
        X_STEP=x.stride(3), GRAD_AT=grad.storage_offset(), GRAD_STEP=grad.stride(3),
        WEIGHT_IN=weight.stride(1), WEIGHT_OUT=weight.stride(0),
        WEIGHT_TAP=weight.stride(2 if line.vertical else 3), SIZE=size,
        INPUTS=line.inputs, OUTPUTS=line.outputs, TAPS=line.taps, VERTICAL=line.vertical,
        WIDTH_IN=_width(line.inputs), WIDTH_OUT=_width(line.outputs), BLOCK=BLOCK,
        BLOCKS=triton.cdiv(triton.cdiv(pixels, BLOCK), chunks), num_warps=4,
    )  # fmt: skip
    total = partial.sum(0)
    return total[:size].as_strided(weight.shape, weight.stride()), total[size:]


def _chunks(blocks: int) -> int:
    return min(blocks, max(CHUNKS, triton.cdiv(blocks, MOST_BLOCKS)))


def _base(x: Tensor) -> Tensor:
    """The start of the memory in which `x` lies: aligned, which some channels in it are not."""
    return x.as_strided((1,), (1,), 0) if x.storage_offset() else x


def _width(channels: int) -> int:
    """Columns of the matrix units that hold so many channels: a power of two, at least 16."""
    return max(16, triton.next_power_of_2(channels))


@triton.jit
def _line(
    x, weight, bias, add, mask, out, pixels, height, width,
    X_AT: tl.constexpr, X_STEP: tl.constexpr, ADD_STEP: tl.constexpr, MASK_STEP: tl.constexpr,
    OUT_AT: tl.constexpr, OUT_STEP: tl.constexpr,
    WEIGHT_IN: tl.constexpr, WEIGHT_OUT: tl.constexpr, WEIGHT_TAP: tl.constexpr,
    INPUTS: tl.constexpr, OUTPUTS: tl.constexpr, TAPS: tl.constexpr, VERTICAL: tl.constexpr,
    WIDTH_IN: tl.constexpr, WIDTH_OUT: tl.constexpr, SIGN: tl.constexpr, ACTIVATED: tl.constexpr,
    SLOPE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    i, o = tl.arange(0, WIDTH_IN), tl.arange(0, WIDTH_OUT)
    place = (pixel // width) % height if VERTICAL else pixel % width
    side = height if VERTICAL else width
    stride = width if VERTICAL else 1
    total = tl.zeros((BLOCK, WIDTH_OUT), dtype=tl.float32)
    for tap in tl.static_range(TAPS):
        shift = (tap - TAPS // 2) * SIGN
        inside = (pixel < pixels) & (place + shift >= 0) & (place + shift < side)
        seen = tl.load(
            x + X_AT + (pixel + shift * stride)[:, None] * X_STEP + i[None, :],
            mask=inside[:, None] & (i < INPUTS)[None, :],
            other=0.0,
        )
        kernel = tl.load(
            weight + i[:, None] * WEIGHT_IN + o[None, :] * WEIGHT_OUT + tap * WEIGHT_TAP,
            mask=(i < INPUTS)[:, None] & (o < OUTPUTS)[None, :],
            other=0.0,
        )
        total += tl.dot(seen, kernel.to(seen.dtype), input_precision="ieee")
    kept = (pixel < pixels)[:, None] & (o < OUTPUTS)[None, :]
    if bias is not None:
        total += tl.load(bias + o, mask=o < OUTPUTS, other=0.0)[None, :]
    if ACTIVATED:
        total = tl.where(total > 0, total, total * SLOPE)
    if mask is not None:
        after = tl.load(mask + pixel[:, None] * MASK_STEP + o[None, :], mask=kept, other=0.0)
        total = tl.where(after > 0, total, total * SLOPE)
    if add is not None:
        total += tl.load(add + pixel[:, None] * ADD_STEP + o[None, :], mask=kept, other=0.0)
    tl.store(out + OUT_AT + pixel[:, None] * OUT_STEP + o[None, :], total, mask=kept)


@triton.jit
def _line_weights(
    x, grad, partial, pixels, height, width,
    X_STEP: tl.constexpr, GRAD_AT: tl.constexpr, GRAD_STEP: tl.constexpr,
    WEIGHT_IN: tl.constexpr, WEIGHT_OUT: tl.constexpr, WEIGHT_TAP: tl.constexpr, SIZE: tl.constexpr,
    INPUTS: tl.constexpr, OUTPUTS: tl.constexpr, TAPS: tl.constexpr, VERTICAL: tl.constexpr,
    WIDTH_IN: tl.constexpr, WIDTH_OUT: tl.constexpr, BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):  # fmt: skip
    chunk, tap = tl.program_id(0), tl.program_id(1)
    i, o = tl.arange(0, WIDTH_IN), tl.arange(0, WIDTH_OUT)
    shift = tap - TAPS // 2
    side = height if VERTICAL else width
    stride = width if VERTICAL else 1
    total = tl.zeros((WIDTH_IN, WIDTH_OUT), dtype=tl.float32)
    of_bias = tl.zeros((WIDTH_OUT,), dtype=tl.float32)
    for block in range(BLOCKS):
        pixel = (chunk * BLOCKS + block) * BLOCK + tl.arange(0, BLOCK)
        place = (pixel // width) % height if VERTICAL else pixel % width
        inside = (pixel < pixels) & (place + shift >= 0) & (place + shift < side)
        seen = tl.load(
            x + (pixel + shift * stride)[:, None] * X_STEP + i[None, :],
            mask=inside[:, None] & (i < INPUTS)[None, :],
            other=0.0,
        )
        wanted = tl.load(
            grad + GRAD_AT + pixel[:, None] * GRAD_STEP + o[None, :],
            mask=(pixel < pixels)[:, None] & (o < OUTPUTS)[None, :],
            other=0.0,
        )
        total += tl.dot(tl.trans(seen), wanted, input_precision="ieee")
        of_bias += tl.sum(wanted.to(tl.float32), axis=0)
    partial += chunk * (SIZE + OUTPUTS)
    tl.store(
        partial + i[:, None] * WEIGHT_IN + o[None, :] * WEIGHT_OUT + tap * WEIGHT_TAP,
        total,
        mask=(i < INPUTS)[:, None] & (o < OUTPUTS)[None, :],
    )
    if tap == 0:
        tl.store(partial + SIZE + o, of_bias, mask=o < OUTPUTS)
