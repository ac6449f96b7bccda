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

MOMENTUM = 0.95
"""Decay of the momentum per step."""

ITERATIONS = 5
"""Newton-Schulz iterations; after five the singular values lie between about 0.7 and 1.2."""

RMS = 0.2
"""Root mean square of a kernel's step, in units of the rate: about that of Adam, so that a rate
means the same for both."""


class Muon(torch.optim.Adam):
    """Muon for the hidden kernels of a network, Adam for everything else.

    Hidden are all convolutions but the first and the last one. Each kernel is a matrix with a row
    for each output. Kernels of one shape are computed together, which `torch.optim.Muon`, made for
    the large matrices of language models, does not do.

    Args:
        module: the network; its kernels are (outputs, inputs, height, width).
        lr: learning rate of both.
        betas: Adam's decays.
    """

    def __init__(self, module: nn.Module, *, lr: float, betas: tuple[float, float]) -> None:
        hidden = [weight for weight in module.parameters() if weight.ndim == 4][1:-1]
        known = {id(weight) for weight in hidden}
        others = [weight for weight in module.parameters() if id(weight) not in known]
        groups = [{"params": hidden, "hidden": True}, {"params": others, "hidden": False}]
        super().__init__(groups, lr=lr, betas=betas, fused=True)

    @torch.no_grad()
    def step(self) -> None:
        """Move all weights; the gradients of the hidden kernels are used up."""
        for group in self.param_groups:
            if group["hidden"]:
                self._move_kernels(group["params"], group["lr"])
        super().step()

    def _move_kernels(self, kernels: list[nn.Parameter], lr: float) -> None:
        directions = defaultdict(list)
        for kernel in kernels:
            if kernel.grad is not None:
                directions[kernel.shape].append((kernel, self._direction(kernel)))
                kernel.grad = None  # or Adam would move it too
        for (outputs, inputs, height, width), pairs in directions.items():
            matrices = torch.stack([direction.flatten(1) for _, direction in pairs])
            length = lr * RMS * max(matrices.shape[1:]) ** 0.5
            for (kernel, _), step in zip(pairs, orthogonalise(matrices), strict=True):
                kernel.sub_(step.view(outputs, inputs, height, width), alpha=length)

    def _direction(self, kernel: nn.Parameter) -> Tensor:
        """Nesterov's: the momentum as it will be if the gradient stays."""
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
            state["step"] = torch.zeros((), device=kernel.device)  # Adam looks for it when it loads
        momentum = state["momentum"].lerp_(kernel.grad, 1 - MOMENTUM)
        return kernel.grad.lerp(momentum, MOMENTUM)


def orthogonalise(matrices: Tensor) -> Tensor:
    """The nearest matrices with orthonormal rows, or columns if these are fewer.

    `matrices` is (N, rows, columns); the result is float32, its singular values are near 1.
    """
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = 3.4445 * x + (2.0315 * square @ square - 4.7750 * square) @ x
    return (x.mT if tall else x).float()
