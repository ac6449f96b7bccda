"""Steps as CUDA graphs: a GPU that need not wait for Python between one kernel and the next.

A step of these small networks is a thousand kernels of a few microseconds; to launch them one by
one takes longer than they run. A graph holds them all and is launched at once.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from training.checkpoint import State
from training.data import to_device
from training.steps import Context, clip_gradients, compute_gradients, grid_corner, move_weights

WARM_UP = 3
"""Calls that run as they are, so that kernels are chosen and optimizers have their state."""


class Recorded:
    """`function`, whose kernels are recorded at the call after the first three, then replayed.

    It must read nothing from the GPU and take no decision by numbers that change; what changes from
    call to call comes in as tensors, always of the same shapes. It returns the same tensors each
    time, with new values.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.forget()

    def forget(self) -> None:
        """Start anew: tensors that the function works on have been put in the place of others."""
        self.calls, self.graph, self.inputs, self.outputs = 0, None, (), None

    def __call__(self, *inputs: Tensor) -> Any:  # noqa: ANN401
        """What the function returns for these inputs."""
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._run_aside(*inputs)
        if self.graph is None:
            self.inputs = tuple(tensor.clone() for tensor in inputs)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.outputs = self.function(*self.inputs)
        for kept, new in zip(self.inputs, inputs, strict=True):
            kept.copy_(new, non_blocking=True)
        self.graph.replay()
        return self.outputs

    def _run_aside(self, *inputs: Tensor) -> Any:  # noqa: ANN401
        """Call the function on another stream than the usual one, which is not recorded."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self.function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs


class RecordedStep:
    """Gradients and update of a step as two recordings, from (lr, hr) to numbers.

    The numbers are those of the step before, which are there without waiting; at first there are
    none. Rates, pictures and the corner of VGG19's view are read anew in each step.
    """

    def __init__(self, state: State, context: Context) -> None:
        self.state, self.context = state, context
        self.compute, self.move = Recorded(self._compute), Recorded(lambda: move_weights(state))
        self.forget()

    def forget(self) -> None:
        """Record anew: the state has been loaded."""
        self.compute.forget()
        self.move.forget()
        self.pending: Pending | None = None
        for optimizer in self.state.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = torch.as_tensor(group["lr"], device=self.context.device)
                group["capturable"] = True

    def __call__(self, lr: Tensor, hr: Tensor) -> dict[str, float]:
        """Take the step; the numbers of the one before."""
        corner = grid_corner(self.context.config.seed, self.state.step)
        numbers = self.compute(lr, hr, to_device(corner, self.context.device))
        self.move()
        before, self.pending = self.pending, Pending(numbers)
        return before.read() if before else {}

    def _compute(self, lr: Tensor, hr: Tensor, corner: Tensor) -> dict[str, Tensor]:
        numbers = compute_gradients(self.state, self.context, lr, hr, corner)
        return numbers | clip_gradients(self.state, self.context.config)


class Pending:
    """Numbers on their way from the GPU."""

    def __init__(self, numbers: dict[str, Tensor]) -> None:
        self.names = list(numbers)
        self.values = torch.empty(len(numbers), pin_memory=True)
        self.values.copy_(torch.stack([n.float() for n in numbers.values()]), non_blocking=True)
        self.arrived = torch.cuda.current_stream().record_event()

    def read(self) -> dict[str, float]:
        """Wait for them, not for what was given to the GPU after them."""
        self.arrived.synchronize()
        return dict(zip(self.names, self.values.tolist(), strict=True))
