"""The GAN stages; see `recipes.py` for how to run them and for the table of all recipes."""

from training.config import TrainConfig

EPOCH = 200
"""Steps of an epoch of the main report: 800 pictures of DIV2K in batches of 4."""

LIGHT_RRDBNET = {"channels": 64, "blocks": 3, "growth": 24, "bicubic_skip": True}
"""An RRDBNet for a CPU. Few blocks had a slightly lower LPIPS than narrow layers: 0.108 against
0.112 on the validation pictures, after 300 steps against the same adversary."""


def rrim_gan(scale: int) -> TrainConfig:
    """GAN stage of RRIM, from the weights of its PSNR stage.

    L1 holds the colours, four layers of VGG19 before activation the structure, from edges to
    objects, and a non-saturating GAN with a narrow discriminator the texture. At equal PSNR this
    mix had a lower LPIPS than conv4_4 alone with a stronger GAN. VGG19's loss rewards patterns that
    no picture has: `grid_l1` keeps the grid of the sub-pixel steps out of the texture, `line_l1`
    fine horizontal and vertical lines (a cross-hatch, in paper and skin), `spectral_excess` what is
    left of them when they lean. The adversary is weak: with 1e-3, and 0.12 for VGG19, the
    validation lost 0.14 dB more than with 3e-4 for no lower LPIPS (3000 steps), and with 3e-4 0.01
    dB more than with 1e-4 (300 steps).

    Command: `python -m training.train rrim-gan --data D --val V --out runs/rrim-gan --start-from
    runs/rrim/model`.
    Measured: 31.35 / 28.10 dB at LPIPS 0.095 / 0.154, 0.3 dB below the PSNR stage and three fifths
    of its LPIPS (21,400 steps of batch 8, 2454 of batch 32 on a GPU; the crossed network, and a
    blend of 0.9375 of it with the PSNR stage).
    """
    return TrainConfig(
        "RRIM",
        {"scale": scale},
        steps=20_000,
        batch=8,
        lr=2e-4,
        discriminator_lr=1e-4,
        losses={
            "l1": 1.0,
            "grid_l1": 2.0,
            "line_l1": 2.0,
            "spectral_excess": 0.03,
            "perceptual": 0.2,
            "adversarial": 1e-4,
        },
        vgg_layers={"conv1_2": 0.3, "conv2_2": 0.3, "conv3_4": 1.0, "conv4_4": 1.0},
        vgg_before_activation=True,
        discriminator_arguments={"channels": 32, "hidden": 256},
    )


def rrim_gan_inception(scale: int) -> TrainConfig:
    """`rrim-gan` against the Inception discriminator that the report proposes as future work.

    Command: `python -m training.train rrim-gan-inception --data D --val V --out runs/rrim-gan-i
    --start-from runs/rrim/model`.
    Expected: open; the report hopes for a better judge and shorter training.
    """
    return rrim_gan(scale).changed(discriminator="InceptionDiscriminator")


def rrim_real_gan(scale: int) -> TrainConfig:
    """GAN stage of `rrim-real`: the same losses, on pictures that are blurred, noisy or JPEGs.

    Command: `python -m training.train rrim-real-gan --data D --val V --out runs/rrim-real-gan
    --start-from runs/rrim-real/model`.
    Measured: on spoiled validation pictures LPIPS 0.265, not 0.319, for 0.19 dB (1100 steps of
    batch 16).
    """
    return rrim_gan(scale).changed(degradation="real")


def srgan(scale: int) -> TrainConfig:
    """SRGAN by exactly the recipe of `rrim-gan`, so that the two networks can be compared.

    Command: `python -m training.train srgan --data D --val V --out runs/srgan --start-from
    runs/srresnet/model`.
    Measured: 31.34 / 28.14 dB at LPIPS 0.093 / 0.156 (19,350 steps of batch 8, 4910 of batch 16; a
    blend of 0.9 of it with the PSNR stage).
    """
    return rrim_gan(scale).changed(architecture="SRResNet")


def srgan_no_bn(scale: int) -> TrainConfig:
    """`srgan` without batch norm in the generator: what the main report found unstable.

    Command: `python -m training.train srgan-no-bn --data D --val V --out runs/srgan-no-bn`.
    """
    return srgan(scale).changed(arguments={"scale": scale, "batch_norm": False})


def srgan_paper(scale: int) -> TrainConfig:
    """SRGAN with the published losses: VGG19 conv5_4 behind the ReLU (MSE) + 1e-3 adversarial.

    Command: `python -m training.train srgan-paper --data D --val V --out runs/srgan-paper
    --start-from runs/srresnet/model`.
    Expected: 29.4 / 26.0 dB (Ledig et al. 2017, table 2).
    """
    return srgan(scale).changed(
        steps=200_000,
        batch=16,
        losses={"perceptual": 1.0, "adversarial": 1e-3},
        vgg_layers={"conv5_4": 1.0},
        vgg_before_activation=False,
        vgg_norm="mse",
        schedule="halving",
        discriminator_arguments={},
    )


def esrgan(scale: int) -> TrainConfig:
    """ESRGAN: VGG19 conv5_4 before activation, relativistic average GAN, a hundredth of L1.

    The published pictures blend the result with the PSNR stage: `python -m training.interpolate`.

    Command: `python -m training.train esrgan --data D --val V --out runs/esrgan --start-from
    runs/rrdbnet/model`.
    Expected: 30.45 / 26.28 dB at LPIPS (AlexNet) 0.075 / 0.133.
    """
    return TrainConfig(
        "RRDBNet",
        {"scale": scale},
        steps=400_000,
        patch=32,
        schedule="halving",
        lr=1e-4,
        betas=(0.9, 0.999),
        losses={"l1": 1e-2, "perceptual": 1.0, "adversarial": 5e-3},
        vgg_layers={"conv5_4": 1.0},
        vgg_before_activation=True,
        adversarial="relativistic",
    )


def esrgan_light(scale: int) -> TrainConfig:
    """ESRGAN with a tenth of the network, for a CPU.

    The losses are those of `rrim-gan` but for the two against lines, and the adversary is
    relativistic and ten times as strong: more texture, a lower PSNR, and no lines that stand out of
    it. The rate is higher: a narrower RRDBNet with a weak adversary had, after 300 steps, an LPIPS
    of 0.126 on the validation pictures at 8e-4 and of 0.129 at 2e-4.

    Command: `python -m training.train esrgan-light --data D --val V --out runs/esrgan --start-from
    runs/rrdbnet/model`.
    Measured: LPIPS on the validation pictures, 0.0927 after 3000 steps, and rising from there on,
    for the adversary gets the upper hand; 0.0885 after 2000 more with `--lr 2e-4 --set
    losses.adversarial=3e-4`; carried over to a better PSNR stage and 2289 more likewise 0.0865, and
    0.0848, at 28.35 dB, as a blend with a quarter of where these started.
    """
    return rrim_gan(scale).changed(
        architecture="RRDBNet",
        arguments={"scale": scale, **LIGHT_RRDBNET},
        lr=5e-4,
        betas=(0.9, 0.999),
        losses={"l1": 1.0, "grid_l1": 2.0, "perceptual": 0.15, "adversarial": 1e-3},
        adversarial="relativistic",
    )


def rrim_report(scale: int) -> TrainConfig:
    """RRIM GAN by the numbers of the main report: 10 initial epochs, then 400, batch 4, rate 0.03.

    The rest follows the code it started from, the SRGAN of TensorLayerX: gradient descent with
    momentum 0.9, HR patches of 384, MSE on [-1, 1] (here four times that on [0, 1]), 2e-6 of the
    MSE of VGG19's fourth block (1.4 in the units of here) and 1e-3 adversarial; no average of the
    weights, no bicubic skip. An epoch is `EPOCH` steps.

    What differs from that code: it compares the fourth block behind its pool, where 2e-6 of the MSE
    is about twice as much as before it; it adds the discriminator's two losses, of which here the
    mean is taken; it only mirrors patches, and reduces them without an antialiased bicubic. The
    tanh at the end of its networks, which bounds the first steps, is not here: gradients are
    clipped instead.

    Command: `python -m training.train rrim-report --data D --val V --out runs/rrim-report`.
    Hours: the report's RTX 3060 Ti took 138 s for each epoch (table 1-4), 15 hours in all.
    Expected: the report's row "Ours": Set5 26.898, Set14 24.497 (its own protocol).
    """
    return TrainConfig(
        "RRIM",
        {"scale": scale, "bicubic_skip": False},
        steps=410 * EPOCH,
        pixel_steps=10 * EPOCH,
        batch=4,
        patch=96,
        optimizer="momentum",
        lr=0.03,
        discriminator_lr=0.03,
        schedule="constant",
        warmup=0,
        ema=0.0,
        losses={"mse": 4.0, "perceptual": 1.4, "adversarial": 1e-3},
        vgg_layers={"conv4_4": 1.0},
        vgg_norm="mse",
    )


def srgan_report(scale: int) -> TrainConfig:
    """SRGAN by the same numbers: the report's row to compare with.

    Command: `python -m training.train srgan-report --data D --val V --out runs/srgan-report`.
    Expected: the report's row "SRGAN": Set5 26.723, Set14 24.372 (its own protocol).
    """
    return rrim_report(scale).changed(architecture="SRResNet")


def srgan_no_bn_report(scale: int) -> TrainConfig:
    """SRGAN without batch norm by the same numbers: it diverges (report, figures 1-1 and 1-2).

    Command: `python -m training.train srgan-no-bn-report --data D --val V --out runs/no-bn-report`.
    Expected: losses that swing wider and wider from step 500 on.
    """
    arguments = {"scale": scale, "bicubic_skip": False, "batch_norm": False}
    return srgan_report(scale).changed(arguments=arguments)
