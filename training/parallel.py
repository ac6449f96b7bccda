"""What the processes of one run tell each other. With one process, nothing.

Every process holds the whole state and cuts its own patches. After each backward pass the gradients
are averaged, as one message for each network, so all processes take the same step.
"""

from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn


def average_gradients(accelerator: Accelerator, modules: list[nn.Module]) -> None:
    """Replace each gradient by its mean over all processes."""
    if accelerator.num_processes == 1:
        return
    for module in modules:
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if not gradients:
            continue
        flat = accelerator.reduce(torch.cat([g.flatten() for g in gradients]), "mean")
        parts = flat.split([g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))


def average_numbers(accelerator: Accelerator, numbers: dict[str, Tensor]) -> dict[str, float]:
    """Scalars on the device as means over all processes, fetched at once."""
    stacked = torch.stack([number.float() for number in numbers.values()])
    if accelerator.num_processes > 1:
        stacked = accelerator.reduce(stacked, "mean")
    return dict(zip(numbers, stacked.tolist(), strict=True))


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether `flag` is set on any process."""
    if accelerator.num_processes == 1:
        return flag
    return (
        accelerator.reduce(torch.tensor(float(flag), device=accelerator.device), "sum").item() > 0
    )


def from_main(accelerator: Accelerator, value: Any) -> Any:  # noqa: ANN401
    """The main process's `value`, on every process."""
    if accelerator.num_processes == 1:
        return value
    box = [value]
    broadcast_object_list(box)
    return box[0]


def leave() -> None:
    """End what the processes share. One that ends with it still open may be aborted on its way."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def share_buffers(accelerator: Accelerator, module: nn.Module) -> None:
    """Give every process the main one's buffers: batch norm's statistics differ between them."""
    if accelerator.num_processes > 1:
        for buffer in module.buffers():
            torch.distributed.broadcast(buffer, src=0)
