"""Steps as CUDA graphs: a GPU that need not wait for Python between one kernel and the next.

A step of these small networks is a thousand kernels of a few microseconds; to launch them one by
one takes longer than they run. A graph holds them all and is launched at once.

Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

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
        """Call the function on another stream than the usual one, which a recording must not see."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self.function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs
