"""The recipes: each a function of the scale that returns the config of a run.

    python -m training.train RECIPE --data PICTURES --val OTHERS --out RUN

runs one; `--start-from` gives a GAN stage the weights to start from, and `--vgg-weights FILE` the
VGG19 to look through where torchvision's cannot be had. The sizes here run on any machine. A GPU
has room for more: `--batch 64 --patch 48 --steps 200000` is the usual budget of a light network,
and `--set losses.fft_l1=0.05` a usual gain.

Hours: a recipe's steps divided by the steps per second that `python -m training.bench RECIPE`
measures on the machine at hand. Scores are dB on Set5 / Set14 (protocol y). Unless a docstring says
"measured", they are what the literature reports for such a network at full budget, not what was
reached here. The GAN stages are in `recipes_gan.py`.
"""

from collections.abc import Callable

from training.config import TrainConfig
from training.recipes_gan import (
    LIGHT_RRDBNET,
    esrgan,
    esrgan_light,
    rrim_gan,
    rrim_gan_inception,
    rrim_real_gan,
    rrim_report,
    srgan,
    srgan_no_bn,
    srgan_no_bn_report,
    srgan_paper,
    srgan_report,
)


def rrim(scale: int) -> TrainConfig:
    """PSNR stage of RRIM: L1, Muon, cosine, average of the weights.

    Muon at 2e-3 learned RRIM, SRResNet and RRDBNet two to three times as fast as Adam at 1e-3, the
    only rate of Adam that was tried, and the smaller networks about as fast, in runs of 120 to 1200
    steps (`experiments/rrim_design.md`).

    Command: `python -m training.train rrim --data D --val V --out runs/rrim`.
    Expected: 32.1 / 28.6 dB, as of other networks of its size, with the budget of a GPU.
    """
    return TrainConfig("RRIM", {"scale": scale}, optimizer="muon", lr=2e-3, steps=50_000)


def rrim_real(scale: int) -> TrainConfig:
    """RRIM for pictures from the street: blur, resize, noise and JPEG, each picture its own.

    Command: `python -m training.train rrim-real --data D --val V --out runs/rrim-real --start-from
    runs/rrim/model`.
    Expected: fewer dB than `rrim` on clean pictures, and no enlarged blocks and noise on others.
    The validation pictures are spoiled too, each always in the same way.
    """
    return rrim(scale).changed(degradation="real", optimizer="adam", lr=5e-4, patch=32)


def srresnet(scale: int) -> TrainConfig:
    """PSNR stage of SRResNet with batch norm, under the same budget as `rrim`.

    Command: `python -m training.train srresnet --data D --val V --out runs/srresnet`.
    Expected: 32.05 / 28.49 dB (Ledig et al. 2017, table 2, after 10^6 steps on ImageNet).
    """
    return rrim(scale).changed(architecture="SRResNet")


def rrdbnet(scale: int) -> TrainConfig:
    """PSNR stage of ESRGAN's generator.

    Command: `python -m training.train rrdbnet --data D --val V --out runs/rrdbnet`.
    Expected: 32.73 / 28.99 dB (Wang et al. 2018, table 2, after 10^6 steps).
    """
    return TrainConfig(
        "RRDBNet", {"scale": scale}, steps=500_000, patch=32, lr=2e-4, schedule="halving"
    )


def rrdbnet_light(scale: int) -> TrainConfig:
    """`rrdbnet` with 3 blocks instead of 23, by the recipe of `rrim`: a tenth of the size.

    Command: `python -m training.train rrdbnet-light --data D --val V --out runs/rrdbnet`.
    Measured: 31.34 / 28.16 dB (5000 steps of Adam at 1e-3, 2400 of Muon at 5e-4).
    """
    return rrim(scale).changed(architecture="RRDBNet", arguments={"scale": scale, **LIGHT_RRDBNET})


def lite_srresnet(scale: int) -> TrainConfig:
    """PSNR stage of the fourth report's light SRResNet (tanh output).

    Command: `python -m training.train lite-srresnet --data D --val V --out runs/lite-srresnet`.
    Expected: between ESPCN and SRResNet.
    """
    return rrim(scale).changed(architecture="LiteSRResNet")


def srcnn(scale: int) -> TrainConfig:
    """SRCNN: three layers on the enlarged picture.

    Command: `python -m training.train srcnn --data D --val V --out runs/srcnn`.
    Expected: a little below 30.5 / 27.5 dB, which is an SRCNN with a larger second kernel (9-5-5).
    """
    return rrim(scale).changed(architecture="SRCNN", steps=20_000)


def espcn(scale: int) -> TrainConfig:
    """ESPCN: three layers on the small picture and one sub-pixel step.

    Command: `python -m training.train espcn --data D --val V --out runs/espcn`.
    Expected: 30.5 / 27.5 dB.
    """
    return rrim(scale).changed(architecture="ESPCN", steps=20_000)


def srnet(scale: int) -> TrainConfig:
    """SR-NET, the U-Net of the second report, in its own form, without a bicubic skip.

    Command: `python -m training.train srnet --data D --val V --out runs/srnet`.
    Expected: 19 to 22 dB, says the report. Measured: 31.00 / 27.91 dB, with 40 channels instead of
    128 (23,000 steps, the last 14,000 with the squared error).
    """
    arguments = {"scale": scale, "bicubic_skip": False}
    return rrim(scale).changed(architecture="SRNet", arguments=arguments, steps=20_000)


def tiny(scale: int) -> TrainConfig:
    """An RRIM of a few thousand weights and a minute at most, to see that everything works."""
    arguments = {
        "scale": scale,
        "channels": 8,
        "groups": 1,
        "shallow": "5:4,7:4",
        "middle": "3:4,5:4",
        "deep": "3:6,3:6,3+3:6" if scale == 3 else "3:4,3+3:4",
    }
    return TrainConfig(
        "RRIM",
        arguments,
        steps=60,
        batch=4,
        patch=12,
        lr=2e-3,
        warmup=5,
        ema=0.9,
        validate_every=20,
        validation_side=64,
        save_every=20,
        sample_every=30,
        log_every=5,
    )


def tiny_gan(scale: int) -> TrainConfig:
    """`tiny` with a discriminator, without VGG19, which would have to be downloaded."""
    return tiny(scale).changed(
        lr=1e-4,
        losses={"l1": 1.0, "adversarial": 5e-3},
        discriminator_arguments={"channels": 4, "hidden": 8},
    )


RECIPES: dict[str, Callable[[int], TrainConfig]] = {
    "rrim": rrim,
    "rrim-real": rrim_real,
    "rrim-gan": rrim_gan,
    "rrim-gan-inception": rrim_gan_inception,
    "rrim-real-gan": rrim_real_gan,
    "rrim-report": rrim_report,
    "srresnet": srresnet,
    "srgan": srgan,
    "srgan-no-bn": srgan_no_bn,
    "srgan-paper": srgan_paper,
    "srgan-report": srgan_report,
    "srgan-no-bn-report": srgan_no_bn_report,
    "rrdbnet": rrdbnet,
    "rrdbnet-light": rrdbnet_light,
    "esrgan": esrgan,
    "esrgan-light": esrgan_light,
    "lite-srresnet": lite_srresnet,
    "srcnn": srcnn,
    "espcn": espcn,
    "srnet": srnet,
    "tiny": tiny,
    "tiny-gan": tiny_gan,
}
"""Every recipe by the name that the command line knows."""
