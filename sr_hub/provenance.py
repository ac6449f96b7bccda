"""Where a number comes from: the machine, the versions and the exact weights."""

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import sr_hub

PACKAGES = ("torch", "piq", "lpips", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of the packages that measure."""
    found = {"python": platform.python_version(), "sr_hub": sr_hub.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(device: torch.device | str = "cpu") -> str:
    """One line on what ran: the processor and how many threads, or the GPU."""
    device = torch.device(device)
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, PyTorch on CUDA {torch.version.cuda}"
    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    kind = "" if device.type == "cpu" else f"{device.type}, "
    return f"{kind}{_processor()}, {threads} of {cores} cores"


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
