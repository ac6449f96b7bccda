"""The papers and reports that a model card cites, by network."""

PAPERS = {
    "srresnet": "Ledig et al. 2017, SRGAN and SRResNet, https://arxiv.org/abs/1609.04802",
    "esrgan": "Wang et al. 2018, ESRGAN, https://arxiv.org/abs/1809.00219",
    "inception": "Szegedy et al. 2016, Inception v3, https://arxiv.org/abs/1512.00567",
    "real": "Wang et al. 2021, Real-ESRGAN, https://arxiv.org/abs/2107.10833",
    "light": "尹相志 (Allan Yiin) 2019, 《越放大越清晰》, Deep Belief course, "
    "https://github.com/AllanYiin/DeepBelief_Course5_Examples",
    "srnet": "白哲睿、黃于瑞、洪聖博、楊笠笙, 《SR-NET 與 ESRGAN 生成圖像之比較》, student project",
    "srcnn": "Dong et al. 2015, SRCNN, https://arxiv.org/abs/1501.00092",
    "espcn": "Shi et al. 2016, ESPCN, https://arxiv.org/abs/1609.05158",
    "unet": "Ronneberger et al. 2015, U-Net, https://arxiv.org/abs/1505.04597",
    "keys": "Keys 1981, cubic convolution, https://doi.org/10.1109/TASSP.1981.1163711",
}

SOURCES = {
    "RRIM": ("srresnet", "esrgan", "inception"),
    "SRResNet": ("srresnet",),
    "LiteSRResNet": ("light", "srresnet"),
    "RRDBNet": ("esrgan",),
    "SRNet": ("srnet", "unet", "esrgan"),
    "SRCNN": ("srcnn",),
    "ESPCN": ("espcn",),
    "SRVGGNetCompact": ("real",),
    "MSRResNet": ("srresnet",),
    "Interpolation": ("keys",),
}
"""The papers and reports behind each network."""


def papers_of(architecture: str, *, is_gan: bool) -> list[str]:
    """Authors, year, title and address of the papers behind a network and its training."""
    papers = list(SOURCES.get(architecture, ()))
    if is_gan and "srresnet" not in papers:
        papers.append("srresnet")
    return [PAPERS[key] for key in papers]
