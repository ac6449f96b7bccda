"""Metrics against hand-worked values, other implementations and the printed tables."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from sr_hub import fsim, metrics, torchvision_repair
from sr_hub.degrade import downscale, modcrop, quantise
from sr_hub.errors import SRHubError
from sr_hub.metrics import METRICS, Protocol, consistency, measure, why_undefined
from sr_hub.models import load_model

PROTOCOLS = list(Protocol)


def pattern(height, width):
    """A picture of edges and ramps made of whole numbers only, so that it is the same anywhere."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    levels = x * x // (3 + c) + y * y // 4 + x * y // 7 + 40 * ((x // 9 + y // 7) % 2)
    return to_tensor((levels % 256).astype(np.uint8))


def coarse(image):
    """Every 4x4 block in the colour of its upper left pixel."""
    height, width = image.shape[-2:]
    return image[..., torch.arange(height) // 4 * 4, :][..., torch.arange(width) // 4 * 4]


def blend(image):
    """Half of the picture and half of its coarse form, in whole levels."""
    return sum(torch.floor(x * 255 / 2 + 1e-3) for x in (image, coarse(image))) / 255


def to_tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255


def read(path):
    return to_tensor(np.array(Image.open(path).convert("RGB")))


def pairs(folder):
    for path in sorted((folder / "HR").glob("*.png")):
        yield read(folder / "LRx4" / path.name), modcrop(read(path), 4)


def test_psnr_and_rmse_of_ten_levels_difference():
    hr = torch.full((1, 3, 16, 16), 100 / 255)
    values = measure(hr + 10 / 255, hr, "rgb", 4)
    assert values["psnr"] == pytest.approx(20 * math.log10(255 / 10), abs=1e-4)  # 28.1308 dB
    assert values["rmse"] == pytest.approx(10 / 255, abs=1e-6)


def test_report_rmse_is_that_of_all_channels_over_4095():
    hr = torch.full((1, 3, 16, 16), 100 / 255)
    sr = hr + torch.tensor([3.0, 6.0, 21.0])[None, :, None, None] / 255
    mse = (9 + 36 + 441) / 3
    assert measure(sr, hr, "report", 4)["rmse"] == pytest.approx(mse**0.5 / 4095, abs=1e-7)
    assert measure(sr, hr, "report", 4)["psnr"] == pytest.approx(
        10 * math.log10(255**2 / mse), abs=1e-4
    )


def test_luma_is_studio_range():
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0]]).T[None, :, None]
    expected = torch.tensor([16, 235, 81.481, 144.553])  # MATLAB's rgb2ycbcr before rounding
    assert torch.allclose(metrics.luma(colours)[0, 0, 0] * 255, expected, atol=1e-3)


def test_protocol_y_measures_luma_inside_the_border():
    hr = torch.full((1, 3, 24, 24), 100 / 255)
    blue = hr.clone()
    blue[:, 2] += 51 / 255
    levels = 24.966 * 51 / 255  # of luma
    assert measure(blue, hr, "y", 4)["psnr"] == pytest.approx(
        20 * math.log10(255 / levels), abs=1e-3
    )
    border = hr.clone()
    border[..., :4, :] = border[..., -4:, :] = border[..., :4] = border[..., -4:] = 1
    assert measure(border, hr, "y", 4)["psnr"] == math.inf
    assert measure(border, hr, "y", 3)["psnr"] < 40
    assert measure(border, hr, "rgb", 4)["psnr"] < 40


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_results_are_rounded_to_eight_bits(protocol):
    hr = pattern(40, 40)
    assert measure(hr + 0.4 / 255, hr, protocol, 4)["psnr"] == math.inf
    assert measure(hr + 0.6 / 255, hr, protocol, 4)["psnr"] < 60
    assert measure(hr.clamp(min=0) - (hr == 0).float(), hr, protocol, 4)["psnr"] == math.inf


def test_ssim_equals_scikit_image_in_its_gaussian_form():
    hr, sr = pattern(70, 50), coarse(pattern(70, 50))
    arguments = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(
        hr[0].double().numpy(), sr[0].double().numpy(), channel_axis=0, data_range=1, **arguments
    )
    assert measure(sr, hr, "rgb", 4)["ssim"] == pytest.approx(expected, abs=1e-5)
    x, y = (metrics.luma(image.double())[0, 0, 4:-4, 4:-4].numpy() * 255 for image in (hr, sr))
    expected = structural_similarity(x, y, data_range=255, **arguments)
    assert measure(sr, hr, "y", 4)["ssim"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "change", "expected"),
    [
        # image-similarity-measures 0.3.6 with phasepack 1.5 and OpenCV on the same 8-bit arrays
        (48, 64, coarse, 0.41577287602282187),
        (48, 64, blend, 0.79905010244345),
        (45, 51, coarse, 0.4323057377086932),
        (45, 51, blend, 0.7982450754420086),
        (37, 48, coarse, 0.3834043345267943),
        (64, 33, coarse, 0.43558273711628614),
    ],
)
def test_report_fsim_equals_image_similarity_measures(height, width, change, expected):
    hr = pattern(height, width)
    values = measure(change(hr), hr, "report", 4)
    assert values["fsim"] == pytest.approx(expected, abs=1e-6)
    described = fsim.describe(hr[0])
    assert measure(change(hr), hr, "report", 4, truth=described) == values


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_equal_pictures(protocol):
    image = pattern(33, 40)
    values = measure(image, image.clone(), protocol, 4)
    assert values["psnr"] == math.inf
    assert values["rmse"] == 0
    assert values["ssim"] == pytest.approx(1, abs=1e-6)
    assert values["fsim"] == pytest.approx(1, abs=1e-6)


def report_fsim(sr, hr):
    return fsim.compare(fsim.describe(sr), fsim.describe(hr))


def test_report_fsim_of_a_channel_without_structure():
    flat = torch.full((3, 32, 32), 0.4)
    assert report_fsim(flat, flat) == 1
    red_only = pattern(32, 32)[0] * torch.tensor([1.0, 0, 0])[:, None, None]
    assert 0 < report_fsim(coarse(red_only), red_only) < 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_symmetric(protocol):
    a, b = pattern(40, 44), coarse(pattern(40, 44))
    forth, back = measure(a, b, protocol, 4), measure(b, a, protocol, 4)
    assert forth == pytest.approx(back, rel=1e-5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_more_noise_is_worse_by_every_metric(protocol):
    hr = pattern(64, 64) * 0.6 + 0.2
    noise = torch.randn(hr.shape)
    rows = [measure(hr + noise * s, hr, protocol, 4) for s in (0.01, 0.03, 0.1)]
    for metric in METRICS:
        values = [row[metric] for row in rows]
        order = sorted(values, reverse=metric != "rmse")
        assert values == order
        assert len(set(values)) == 3


def test_consistency_is_infinite_for_the_truth_and_lower_for_a_wrong_colour():
    hr = pattern(48, 40)
    lr = quantise(downscale(hr, 4))
    assert consistency(hr, lr, 4) == math.inf
    assert consistency((hr + 10 / 255).clamp(0, 1), lr, 4) < 30
    with pytest.raises(SRHubError, match="40x48 is not 2 times 10x12"):
        consistency(hr, lr, 2)


def test_a_pair_that_does_not_fit_is_refused():
    with pytest.raises(SRHubError, match="the result is 20x16, the ground truth 16x16"):
        measure(torch.zeros(1, 3, 16, 20), torch.zeros(1, 3, 16, 16), "y", 4)
    with pytest.raises(SRHubError, match="one RGB picture"):
        measure(torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16), "y", 4)
    with pytest.raises(SRHubError, match="no protocol 'ycbcr': it is one of y, rgb, report"):
        measure(torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), "ycbcr", 4)


@pytest.mark.parametrize(
    ("size", "protocol", "undefined"),
    [
        ((1, 1), "y", {"psnr", "ssim", "fsim", "rmse"}),
        ((8, 30), "y", {"psnr", "ssim", "fsim", "rmse"}),
        ((9, 30), "y", {"ssim", "fsim"}),
        ((18, 30), "y", {"ssim"}),
        ((19, 19), "y", set()),
        ((1, 30), "rgb", {"ssim", "fsim"}),
        ((2, 2), "rgb", {"ssim"}),
        ((11, 11), "rgb", set()),
        ((1, 1), "report", {"ssim", "fsim"}),
        ((32, 32), "report", set()),
    ],
)
def test_tiny_pictures_have_no_value_and_a_reason(size, protocol, undefined):
    image = pattern(*size)
    values = measure(image * 0.9, image, protocol, 4)
    assert {metric for metric, value in values.items() if math.isnan(value)} == undefined
    assert all("structure" not in why_undefined(m, *size, protocol, 4) for m in undefined)


def test_reasons_are_sentences():
    assert why_undefined("ssim", 10, 30, "rgb", 4) == "SSIM needs 11 pixels a side, 30x10 has 10"
    assert why_undefined("psnr", 1, 1, "y", 4) == (
        "nothing is left of 1x1 when a border of 4 pixels is cropped"
    )
    assert why_undefined("ssim", 18, 18, "y", 4).endswith(
        "18x18 has 10 after a border of 4 is cropped"
    )
    assert why_undefined("lpips", 16, 16, "y", 4) == "LPIPS needs 17 pixels a side, 16x16 has 16"
    assert "no structure" in why_undefined("fsim", 9, 9, "report", 4)


def test_every_protocol_says_what_it_is():
    assert {"border" in p.definition and "8-bit" in p.definition for p in Protocol} == {True}


@pytest.mark.parametrize(
    ("name", "printed_psnr", "printed_ssim", "printed_rmse"),
    [("Set5", "26.8905", "0.7762", "0.0031"), ("Set14", "24.3709", "0.6687", "0.0040")],
)
def test_the_bicubic_rows_of_the_report(
    shared: Path, name, printed_psnr, printed_ssim, printed_rmse
):
    model = load_model("bicubic-opencv")
    rows = []
    with torch.inference_mode():
        for lr, hr in pairs(shared / "data" / "eval" / name):
            sr = quantise(model(lr))
            values = (metrics.psnr(sr, hr), metrics.ssim(sr, hr), metrics.rmse(sr, hr) * 255 / 4095)
            rows.append(values)
    measured = tuple(f"{value:.4f}" for value in np.mean(rows, axis=0))
    assert measured == (printed_psnr, printed_ssim, printed_rmse)


@pytest.mark.parametrize(
    ("name", "printed"),
    [("Set5", "0.6601"), pytest.param("Set14", "0.6039", marks=pytest.mark.slow)],
)
def test_the_bicubic_fsim_of_the_report(shared: Path, name, printed):
    model = load_model("bicubic-opencv")
    with torch.inference_mode():
        values = [
            report_fsim(model(lr)[0], hr[0]) for lr, hr in pairs(shared / "data" / "eval" / name)
        ]
    assert f"{np.mean(values):.4f}" == printed


@pytest.mark.parametrize(
    ("name", "printed"), [("Set5", 28.43), ("Set14", 26.09), ("BSD100", 25.96)]
)
def test_the_bicubic_rows_of_the_literature(shared: Path, name, printed):
    model = load_model("bicubic")
    values = []
    with torch.inference_mode():
        for lr, hr in pairs(shared / "data" / "eval" / name):
            x, y = (metrics.luma(metrics.crop_border(quantise(p), 4)) for p in (model(lr), hr))
            values.append(metrics.psnr(x, y))
    assert np.mean(values) == pytest.approx(printed, abs=0.02)


def test_the_repair_changes_nothing_the_second_time():
    torchvision_repair.install()
    import torchvision

    torchvision_repair.install()
    import torchvision as again

    assert again is torchvision
    assert callable(torchvision.models.squeezenet1_1)


def test_the_repair_passes_on_what_it_does_not_know(monkeypatch):
    def broken(name):
        raise RuntimeError("the driver is too old")

    monkeypatch.setattr(torchvision_repair.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="too old"):
        torchvision_repair.install()


def test_lpips_equals_the_values_measured_with_the_public_package(shared: Path):
    pytest.importorskip("lpips")
    from sr_hub.lpips import LPIPS

    distance = LPIPS(shared / "weights" / "squeezenet1_1_torchvision_fp16.pth")
    model = load_model("bicubic-opencv")
    values = [distance(model(lr), hr) for lr, hr in pairs(shared / "data" / "eval" / "Set5")]
    assert np.mean(values) == pytest.approx(0.2789, abs=1e-4)
    assert distance(pattern(32, 32), pattern(32, 32)) == 0
    assert math.isnan(distance(pattern(16, 16), pattern(16, 16)))


def test_lpips_says_what_is_wrong_with_its_weights(tmp_path):
    pytest.importorskip("lpips")
    from sr_hub.lpips import LPIPS

    with pytest.raises(SRHubError, match="no file"):
        LPIPS(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(SRHubError, match="cannot be read"):
        LPIPS(tmp_path / "text.pth")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(SRHubError, match=r"has no features\.0\.weight"):
        LPIPS(tmp_path / "other.pth")
