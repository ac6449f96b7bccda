"""What the reports themselves printed, digit by digit, to stand beside our measurements."""

from sr_hub.tables import Row
from sr_hub.webapp.i18n import Say

MAIN_REPORT: dict[str, dict[str, tuple[float, float, float, float]]] = {
    "Set5": {
        "Bicubic": (0.0031, 26.8905, 0.7762, 0.6601),
        "SRGAN": (0.0031, 26.7233, 0.7696, 0.6565),
        "Ours": (0.0030, 26.8981, 0.7768, 0.6609),
    },
    "Set14": {
        "Bicubic": (0.0040, 24.3709, 0.6687, 0.6039),
        "SRGAN": (0.0039, 24.3715, 0.6583, 0.6026),
        "Ours": (0.0039, 24.4972, 0.6639, 0.6064),
    },
    "Urban100": {
        "Bicubic": (0.0054, 21.8013, 0.6366, 0.5835),
        "SRGAN": (0.0053, 22.0325, 0.6396, 0.5913),
        "Ours": (0.0052, 22.0793, 0.6433, 0.5941),
    },
}
"""RMSE, PSNR, SSIM, FSIM at x4 by benchmark and method.

Source: Lin, Huang and Chang 2023, section 4.4.2, the tables of Set5, Set14 and Urban100.
"""

OTHER_REPORT: dict[str, tuple[str, str]] = {
    "Set5": ("29.057", "0.839"),
    "Set14": ("25.426", "0.688"),
    "BSD100": ("24.248", "0.628"),
}
"""PSNR and SSIM of SRGAN at x4, by benchmark. Source: Yan 2023, table 4.1."""


MEANT = {"Ours": "RRIM (“Ours”)"}
"""What a name of the tables stands for, where it would say another thing elsewhere."""


def main_report(dataset: str, say: Say) -> list[Row]:
    """The main report's rows of one benchmark, named as there; none if it has no such table."""
    return [
        Row(
            say("benchmarks_printed") % MEANT.get(name, name),
            dict(zip(("rmse", "psnr", "ssim", "fsim"), values, strict=True)),
        )
        for name, values in MAIN_REPORT.get(dataset, {}).items()
    ]
