"""Muon: momentum that moves every direction of a kernel by the same length.

Adam weighs each number of a kernel by itself. Muon takes the whole momentum of a kernel as a matrix
and puts the nearest orthogonal matrix in its place, so that directions with small gradients are
learned as fast as those with large ones.

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the length of a step:
Liu et al. 2025, https://arxiv.org/abs/2502.16982, section 2.2.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

from sr_hub.precision import pick_precision

MOMENTUM = 0.95
"""Decay of the momentum per step."""

ITERATIONS = 5
"""Newton-Schulz iterations; after five the singular values lie between about 0.7 and 1.2."""

RMS = 0.2
"""Root mean square of a kernel's step, in units of the rate: about that of Adam, so that a rate
means the same for both."""


COLOURS = 3
"""Inputs of a convolution that reads the picture, like that of a second head."""


class Muon(torch.optim.Adam):
    """Muon for the hidden kernels of a network, Adam for everything else.

    Hidden are all convolutions but the first and the last one, and those that read the picture too.
    Each kernel is a matrix with a row for each output (of a transposed convolution, each input).
    Matrices of one shape are computed together, which `torch.optim.Muon`, made for the large ones
    of language models, does not do.

    Args:
        module: the network.
        lr: learning rate of both.
        betas: Adam's decays.
        weight_decay: part of each hidden kernel that is taken off at a step, in units of the rate.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        lr: float,
        betas: tuple[float, float],
        weight_decay: float = 0.0,
    ) -> None:
        kernels = [weight for weight in module.parameters() if weight.ndim == 4]
        hidden = [kernel for kernel in kernels[1:-1] if kernel.shape[1] != COLOURS]
        known = {id(weight) for weight in hidden}
        others = [weight for weight in module.parameters() if id(weight) not in known]
        groups = [{"params": hidden, "hidden": True}, {"params": others, "hidden": False}]
        super().__init__(groups, lr=lr, betas=betas, fused=True)
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self) -> None:
        """Move all weights; the gradients of the hidden kernels are used up."""
        for group in self.param_groups:
            if group["hidden"]:
                self._move_kernels(group["params"], group["lr"])
        super().step()

    def _move_kernels(self, kernels: list[nn.Parameter], lr: float | Tensor) -> None:
        kernels = [kernel for kernel in kernels if kernel.grad is not None]
        if not kernels:
            return
        alike = defaultdict(list)
        for kernel, direction in zip(kernels, self._directions(kernels), strict=True):
            matrix = direction.movedim(1, -1).flatten(1)  # no copy, as the kernels lie in memory
            alike[matrix.shape].append((kernel, matrix))
            kernel.grad = None  # or Adam would move it too
        for shape, pairs in alike.items():
            moved = [kernel for kernel, _ in pairs]
            length = lr * RMS * max(shape) ** 0.5
            steps = orthogonalise(torch.stack([matrix for _, matrix in pairs])) * length
            steps = [
                step.view(kernel.movedim(1, -1).shape).movedim(-1, 1)
                for kernel, step in zip(moved, steps, strict=True)
            ]
            if self._weight_decay:
                torch._foreach_mul_(moved, 1 - lr * self._weight_decay)
            torch._foreach_sub_(moved, steps)

    def _directions(self, kernels: list[nn.Parameter]) -> list[Tensor]:
        """Nesterov's: for each kernel the momentum as it will be if the gradient stays."""
        for kernel in kernels:
            if not self.state[kernel]:
                step = torch.zeros((), device=kernel.device)  # Adam looks for it when it loads
                self.state[kernel] = {"momentum": torch.zeros_like(kernel), "step": step}
        gradients = [kernel.grad for kernel in kernels]
        momenta = [self.state[kernel]["momentum"] for kernel in kernels]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        return torch._foreach_lerp(gradients, momenta, MOMENTUM)


def orthogonalise(matrices: Tensor) -> Tensor:
    """The nearest matrices with orthonormal rows, or columns if these are fewer.

    `matrices` is (N, rows, columns), float32, and so is the result; its singular values are near 1.
    It is computed in bfloat16, or in float32 where the machine has no such arithmetic.
    """
    x = matrices.bfloat16() if pick_precision("auto", matrices.device) == "bf16" else matrices
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        factor = torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, factor, x, beta=3.4445)
    return (x.mT if tall else x).float()
