"""The recipes: each a function of the scale that returns a run's config.

Command of each: `python -m training.train RECIPE --data DIR --val DIR --out DIR [--scale 4]`.
"""

from collections.abc import Callable

from training.config import TrainConfig


def rrim(scale: int) -> TrainConfig:
    """PSNR stage of RRIM."""
    return TrainConfig("RRIM", {"scale": scale}, lr=1e-3)


def srresnet(scale: int) -> TrainConfig:
    """PSNR stage of SRResNet with batch norm, as published."""
    return TrainConfig("SRResNet", {"scale": scale}, lr=1e-3)


def rrim_gan(scale: int) -> TrainConfig:
    """GAN stage of RRIM, from the weights of its PSNR stage (`--start-from`)."""
    return _gan(TrainConfig("RRIM", {"scale": scale}))


def srgan(scale: int) -> TrainConfig:
    """The same GAN stage for SRResNet."""
    return _gan(TrainConfig("SRResNet", {"scale": scale}))


def _gan(config: TrainConfig) -> TrainConfig:
    return config.with_(
        steps=20_000,
        batch=8,
        lr=1e-4,
        discriminator_lr=1e-4,
        losses={"l1": 1.0, "perceptual": 0.1, "adversarial": 5e-3},
        vgg_layers={"conv4_4": 1.0},
        vgg_before_activation=True,
        discriminator_arguments={"channels": 32, "hidden": 256},
    )


RECIPES: dict[str, Callable[[int], TrainConfig]] = {
    "rrim": rrim,
    "srresnet": srresnet,
    "rrim-gan": rrim_gan,
    "srgan": srgan,
}
"""Every recipe by the name that the command line knows."""
