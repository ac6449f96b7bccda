"""RRIM on a GPU: its Inception modules by the kernels of `kernels.py`, its two paths side by side.

The layers of `sr_hub/models/rrim.py` read and write the whole feature map once more for each
activation, concatenation and sum of gradients; here that is part of the factors. The numbers are
those of the layers, but for rounding.
"""

import functools

import torch
from torch import Tensor, nn

from sr_hub.models.rrim import RRIM, InceptionModule
from training.kernels import Line, gradient_of_weights, run_line


def use_lines(network: nn.Module) -> None:
    """Let every Inception module of `network` compute by these kernels from here on."""
    for module in network.modules():
        if isinstance(module, InceptionModule):
            module.__class__ = InceptionLines
    if isinstance(network, RRIM) and network.crossed:
        network.__class__ = SideBySide


class SideBySide(RRIM):
    """A crossed RRIM whose second path runs on the GPU beside the first, not after it."""

    def path(self, head: nn.Module, trunk: nn.Module, x: Tensor) -> Tensor:
        """As in `RRIM`."""
        if not x.is_cuda:
            return super().path(head, trunk, x)
        stream = torch.cuda.current_stream()
        if head is self.head:
            self.fork = stream.record_event()
            return super().path(head, trunk, x)
        aside = _second_stream()
        aside.wait_event(self.fork)
        with torch.cuda.stream(aside):
            features = super().path(head, trunk, x)
        stream.wait_stream(aside)
        return features


@functools.cache
def _second_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()


class InceptionLines(InceptionModule):
    """An Inception module whose forward and backward passes are those kernels."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W), channels last, in the precision of autocast."""
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        factors = [[m for m in b.modules() if isinstance(m, nn.Conv2d)] for b in self.branches]
        weights = [t for branch in factors for conv in branch for t in (conv.weight, conv.bias)]
        plan = tuple(tuple(_lines_of(branch)) for branch in factors)
        return _Inception.apply(x, plan, *weights)


def _lines_of(branch: list[nn.Conv2d]) -> list[Line]:
    return [
        Line(
            conv.in_channels,
            conv.out_channels,
            max(conv.kernel_size),
            vertical=conv.kernel_size[0] > 1,
            activated=conv is not branch[-1],
        )
        for conv in branch
    ]


class _Inception(torch.autograd.Function):
    """All branches of a module: (x, plan, weight, bias, weight, bias, ...) -> their outputs."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        x: Tensor,
        plan: tuple[tuple[Line, ...], ...],
        *weights: Tensor,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        widths = [branch[-1].outputs for branch in plan]
        out = _empty_like(x, sum(widths))
        saved, kernels = [x], iter(weights)
        for branch, part in zip(plan, out.split(widths, dim=1), strict=True):
            features = x
            for line in branch:
                target = _empty_like(x, line.outputs) if line.activated else part
                run_line(line, features, next(kernels), target, bias=next(kernels))
                features = target
                if line.activated:
                    saved.append(target)
        ctx.plan, ctx.widths = plan, widths
        ctx.save_for_backward(*saved, *weights[::2])
        return out

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        grad = grad.contiguous(memory_format=torch.channels_last)
        count = sum(len(branch) for branch in ctx.plan)
        x, *hidden = ctx.saved_tensors[:-count]
        kernels = list(ctx.saved_tensors[-count:])
        grad_x, found, first = _empty_like(x, x.shape[1]), [], True
        for branch, part in zip(ctx.plan, grad.split(ctx.widths, dim=1), strict=True):
            seen = [x, *hidden[: len(branch) - 1]]
            weights = kernels[: len(branch)]
            del hidden[: len(branch) - 1], kernels[: len(branch)]
            of_branch = []
            for line, before, weight in zip(
                reversed(branch), reversed(seen), reversed(weights), strict=True
            ):
                of_branch.append(gradient_of_weights(line, before, part, weight))
                if before is x:
                    run_line(
                        line, part, weight, grad_x, add=None if first else grad_x, backward=True
                    )
                else:
                    target = torch.empty_like(before)
                    run_line(line, part, weight, target, mask=before, backward=True)
                    part = target
            found += [g for pair in reversed(of_branch) for g in pair]
            first = False
        return grad_x, None, *found


def _empty_like(x: Tensor, channels: int) -> Tensor:
    shape = (x.shape[0], channels, *x.shape[2:])
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
