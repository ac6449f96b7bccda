import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import color

from sr_hub.errors import SRHubError
from training.losses import (
    PIXEL_LOSSES,
    discriminator_adversarial,
    feature_distance,
    generator_adversarial,
    grid_l1,
    line_l1,
    rgb_to_hsv_cone,
    rgb_to_lab,
    spectral_excess,
)
from training.vgg import CONVOLUTIONS, LAYERS, VGG19


@pytest.mark.parametrize("name", PIXEL_LOSSES)
def test_pixel_losses_are_least_at_the_target_and_have_gradients(name: str):
    loss, hr = PIXEL_LOSSES[name], torch.rand(2, 3, 16, 16)
    near, far = (hr + 0.02 * torch.randn_like(hr) for _ in range(2))
    far = hr + 5 * (far - hr)
    assert loss(hr, hr) < loss(near, hr) < loss(far, hr)
    assert loss(hr, hr) <= 1.1e-3
    sr = far.clone().requires_grad_()
    loss(sr, hr).backward()
    assert torch.isfinite(sr.grad).all() and sr.grad.abs().sum() > 0


@pytest.mark.parametrize("name", PIXEL_LOSSES)
def test_pixel_losses_have_finite_gradients_at_black_white_and_grey(name: str):
    sr = torch.tensor([0.0, 1.0, 0.5]).repeat(1, 3, 4, 4).requires_grad_()
    PIXEL_LOSSES[name](sr, torch.full_like(sr, 0.25)).backward()
    assert torch.isfinite(sr.grad).all()


def test_lab_is_that_of_scikit_image():
    rgb = torch.rand(1, 3, 8, 8)
    expected = color.rgb2lab(rgb[0].permute(1, 2, 0).numpy()) / 100
    assert np.allclose(rgb_to_lab(rgb)[0].permute(1, 2, 0).numpy(), expected, atol=2e-4)


def test_hsv_cone_agrees_with_scikit_image_and_has_no_seam_at_red():
    rgb = torch.rand(1, 3, 8, 8)
    hue, saturation, value = np.moveaxis(color.rgb2hsv(rgb[0].permute(1, 2, 0).numpy()), -1, 0)
    x, y, z = rgb_to_hsv_cone(rgb)[0].numpy()
    assert np.allclose(x, saturation * value * np.cos(2 * np.pi * hue), atol=1e-5)
    assert np.allclose(y, saturation * value * np.sin(2 * np.pi * hue), atol=1e-5)
    assert np.allclose(z, value, atol=1e-6)
    reds = torch.tensor([[0.9, 0.0, 0.01], [0.9, 0.01, 0.0]])[:, :, None, None]
    orangish, pinkish = rgb_to_hsv_cone(reds)
    assert (orangish - pinkish).abs().max() < 0.03


def test_fft_l1_weighs_a_stripe_like_its_amplitude():
    x = torch.arange(16)
    stripe = 0.1 * torch.cos(2 * math.pi * 4 * x / 16).expand(1, 3, 16, 16)
    expected = 0.1 * 16 / 2 / (16 * 9 * 2)  # one of 16 x 9 coefficients, real part, orthonormal
    loss = PIXEL_LOSSES["fft_l1"](stripe, torch.zeros_like(stripe))
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def logits(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)[:, None]


def test_discriminator_at_a_loss_pays_log_two_and_less_when_it_is_right():
    for kind in ("vanilla", "non-saturating", "relativistic"):
        unsure = discriminator_adversarial(kind, logits(0, 0), logits(0, 0))
        right = discriminator_adversarial(kind, logits(2, 3), logits(-2, -3))
        assert unsure.item() == pytest.approx(math.log(2))
        assert right < unsure < discriminator_adversarial(kind, logits(-2, -3), logits(2, 3))


@pytest.mark.parametrize("kind", ["vanilla", "non-saturating", "relativistic"])
def test_the_generator_wants_its_logits_to_rise(kind: str):
    fake = logits(-1, 0.5).requires_grad_()
    generator_adversarial(kind, logits(1, 2), fake).backward()
    assert (fake.grad < 0).all()


def test_the_non_saturating_loss_still_pulls_where_the_vanilla_one_has_given_up():
    pulls = {}
    for kind in ("vanilla", "non-saturating"):
        fake = logits(-8).requires_grad_()
        generator_adversarial(kind, logits(8), fake).backward()
        pulls[kind] = fake.grad.abs().item()
    assert pulls["vanilla"] < 1e-3 < 0.9 < pulls["non-saturating"]


def test_the_relativistic_losses_are_those_of_the_paper():
    real, fake = logits(1, 2), logits(-1, 0)
    d_real, d_fake = torch.sigmoid(real - fake.mean()), torch.sigmoid(fake - real.mean())
    d_loss = -d_real.log().mean() - (1 - d_fake).log().mean()
    g_loss = -(1 - d_real).log().mean() - d_fake.log().mean()
    assert 2 * discriminator_adversarial("relativistic", real, fake) == pytest.approx(d_loss.item())
    assert 2 * generator_adversarial("relativistic", real, fake) == pytest.approx(g_loss.item())


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory) -> Path:
    """A file in the form of the Oxford weights, with random ones, and narrow after two blocks."""
    rng, content, inputs = np.random.default_rng(0), {}, 3
    for block, count in enumerate(CONVOLUTIONS, start=1):
        outputs = 8
        for index in range(1, count + 1):
            key = f"block{block}_conv{index}"
            content |= {
                f"{key}.kernel": rng.integers(256, size=(outputs, inputs, 3, 3), dtype=np.uint8),
                f"{key}.kernel.scale": np.float64(0.01),
                f"{key}.kernel.min": np.float64(-1.2),
                f"{key}.bias": np.full(outputs, 100, dtype=np.uint8),
                f"{key}.bias.scale": np.float64(0.01),
                f"{key}.bias.min": np.float64(-1.0),
            }
            inputs = outputs
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **content)
    return path


def test_vgg_reads_the_file_as_it_was_trained(vgg_file: Path):
    vgg = VGG19(("conv1_1",), weights=vgg_file, before_activation=True)
    picture = torch.rand(1, 3, 16, 16)
    content = np.load(vgg_file)
    kernel = torch.from_numpy(content["block1_conv1.kernel"].astype(np.float32) * 0.01 - 1.2)
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    raw = torch.nn.functional.conv2d(picture.flip(1) * 255 - mean, kernel, padding=1)
    raw = raw + 100 * 0.01 - 1.0
    assert torch.allclose(vgg(picture)["conv1_1"] * vgg.sizes["conv1_1"], raw, rtol=1e-4, atol=0.05)


def test_vgg_gives_each_layer_asked_for_before_or_behind_the_activation(vgg_file: Path):
    layers, picture = ("conv2_2", "conv3_4"), torch.rand(1, 3, 32, 32)
    before = VGG19(layers, weights=vgg_file, before_activation=True)(picture)
    behind = VGG19(layers, weights=vgg_file)(picture)
    assert {name: tuple(f.shape[-2:]) for name, f in behind.items()} == {
        "conv2_2": (16, 16),
        "conv3_4": (8, 8),
    }
    for name in layers:
        assert before[name].min() < 0
        assert torch.allclose(behind[name], before[name].relu(), atol=1e-4)


def test_vgg_computes_nothing_behind_the_deepest_layer(vgg_file: Path):
    assert list(VGG19(("conv2_1", "conv1_2"), weights=vgg_file).convolutions) == list(LAYERS[:3])


def test_the_perceptual_gradient_reaches_the_picture_and_not_vgg(vgg_file: Path):
    vgg = VGG19(("conv3_2",), weights=vgg_file)
    sr = torch.rand(1, 3, 16, 16).requires_grad_()
    hr = vgg(torch.rand(1, 3, 16, 16))
    for norm in ("l1", "mse"):
        feature_distance(vgg(sr), hr, {"conv3_2": 2.0}, norm).backward()
        assert sr.grad.abs().sum() > 0
        assert all(p.grad is None and not p.requires_grad for p in vgg.parameters())


def test_unknown_layers_and_wrong_files_are_refused(vgg_file: Path, tmp_path: Path):
    with pytest.raises(SRHubError, match="no layer 'conv6_1': conv1_1 to conv5_4"):
        VGG19(("conv6_1",), weights=vgg_file)
    with pytest.raises(SRHubError, match="does not exist"):
        VGG19(("conv1_1",), weights=tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(1))
    with pytest.raises(SRHubError, match="does not hold VGG19"):
        VGG19(("conv1_1",), weights=tmp_path / "other.npz")


def test_the_real_vgg_tells_a_blurred_picture_from_a_sharp_one(shared: Path):
    weights = shared / "weights/vgg19_imagenet_conv_uint8.npz"
    vgg = VGG19(("conv4_4",), weights=weights, before_activation=True)
    hr = torch.rand(1, 3, 64, 64)
    soft = torch.nn.functional.avg_pool2d(hr, 3, 1, 1)
    near = (hr + 0.01 * torch.randn_like(hr)).clamp(0, 1)
    distances = [
        feature_distance(vgg(x), vgg(hr), {"conv4_4": 1.0}, "l1") for x in (hr, near, soft)
    ]
    assert distances[0] == 0 and 4 * distances[1] < distances[2]
    assert 0.5 < vgg(hr)["conv4_4"].abs().mean() < 5


def test_the_grid_loss_sees_a_pattern_and_not_the_texture_over_it():
    hr = torch.rand(2, 3, 96, 96)
    noise = 0.1 * torch.randn(hr.shape)
    pattern = 0.01 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(48, 48)
    assert grid_l1(hr + pattern, hr).item() == pytest.approx(0.01, rel=1e-4)
    with_pattern, without = grid_l1(hr + noise + pattern, hr), grid_l1(hr + noise, hr)
    assert with_pattern > 2 * without


def lines(period: float) -> torch.Tensor:
    """Horizontal lines, (1, 1, 96, 96), mean 0, root mean square 1."""
    wave = math.sqrt(2) * torch.sin(2 * math.pi / period * torch.arange(96))
    return wave[None, None, :, None].repeat(1, 1, 1, 96)


def test_the_line_loss_sees_fine_lines_and_not_a_texture_as_strong():
    hr = torch.rand(2, 3, 96, 96)
    texture, pattern = torch.randn(hr.shape), lines(2.5).expand(hr.shape)
    for seen in (pattern, pattern.mT):
        assert line_l1(hr + 0.02 * seen, hr) > 2 * line_l1(hr + 0.02 * texture, hr)
    broad = line_l1(hr + 0.02 * lines(24.0).expand(hr.shape), hr)
    assert broad < 0.1 * line_l1(hr + 0.02 * pattern, hr)


def test_the_spectral_loss_allows_a_weaker_texture_and_no_pattern_of_its_own():
    hr = 0.5 + 0.05 * torch.randn(4, 3, 96, 96)
    weaker = 0.5 + 0.7 * (hr - 0.5)
    assert spectral_excess(weaker, hr) == 0
    slanted = torch.sin(2.4 * torch.arange(96.0)[:, None] + 0.6 * torch.arange(96.0))
    assert spectral_excess(weaker + 0.05 * slanted, hr) > 0.01


def test_the_spectral_loss_sees_a_faint_pattern_best_where_the_target_is_smooth():
    hr = torch.full((2, 3, 96, 96), 0.5)
    hr[..., 48:] = torch.rand(2, 3, 96, 48)
    on_smooth = torch.zeros_like(hr)
    on_smooth[..., :48] = 0.02 * lines(2.5)[..., :48]
    on_texture = on_smooth.flip(3)
    assert spectral_excess(hr + on_smooth, hr) > 3 * spectral_excess(hr + on_texture, hr)
