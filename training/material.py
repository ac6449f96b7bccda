"""The pictures of a run: those that it learns from, and those that it is judged by."""

import argparse
import logging
from pathlib import Path

from accelerate import Accelerator

from training.data import Pictures
from training.vgg import MIN_SIDE

logger = logging.getLogger(__name__)


def read_material(
    options: argparse.Namespace, accelerator: Accelerator, *, side: int, scale: int
) -> tuple[Pictures, Pictures]:
    """The pictures of `options.data`, on the device of the run, and those of `options.val`.

    Args:
        options: those of `training.train`.
        accelerator: of the run; of the processes on one machine, the first fills the cache.
        side: pixels to each side that a picture to learn from has at least.
        scale: enlargement factor of the network.

    Raises:
        SRHubError: if a folder holds no picture that is large enough, or memory does not suffice.
    """
    with accelerator.local_main_process_first():
        remedy = "--cache FOLDER, or fewer pictures"
        data = Pictures.read(options.data, cache=options.cache, remedy=remedy)
    advice = "use a smaller --patch, or larger pictures"
    data = data.without_small(side, "a patch with its margin", advice)
    val = read_validation(options.val, scale)
    if accelerator.is_main_process:
        logger.info("%s: %s", options.data, data)
        logger.info("%s: %s", options.val, val)
        learned = val.also_in(data)
        val.learned = len(learned)
        if learned:
            text = "--val: the run learns from %d of these %d pictures, like %s: give others"
            logger.warning(text, len(learned), len(val), learned[0])
    return data.to(accelerator.device), val


def read_validation(folder: Path, scale: int) -> Pictures:
    """The pictures of a folder on which a network that enlarges by `scale` can be measured.

    Raises:
        SRHubError: if the folder holds no picture that is large enough.
    """
    return Pictures.read(folder).without_small(MIN_SIDE + scale, "a validation by any measure")
