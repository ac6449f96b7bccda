"""Tiles as large as the memory allows, and what happens when it does not suffice."""

import subprocess
import sys

import pytest
import torch
from PIL import Image
from torch import nn

from sr_hub import heap
from sr_hub import upscaler as upscaler_module
from sr_hub.device import bytes_per_pixel
from sr_hub.errors import NoMemoryError, SRHubError
from sr_hub.models import RRIM, Interpolation
from sr_hub.upscaler import Upscaler


class LittleMemory(Interpolation):
    """Runs out of memory above 1000 pixels, as a GPU does."""

    error: Exception = torch.OutOfMemoryError("CUDA out of memory")

    def forward(self, x):
        if x.shape[-2] * x.shape[-1] > 1000:
            raise self.error
        return super().forward(x)


CPU_ALLOCATOR = "alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to ..."


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError(CPU_ALLOCATOR),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB)"),
    ],
)
def test_an_automatic_tile_is_halved_when_memory_runs_out(monkeypatch, error):
    monkeypatch.setattr(LittleMemory, "error", error)
    monkeypatch.setattr(upscaler_module, "SMALLEST_TILE", 16)
    monkeypatch.setattr("sr_hub.tiling.SMALLEST_TILE", 16)
    monkeypatch.setattr("sr_hub.inference.tile_area", lambda *_: 4000)
    x = torch.rand(1, 3, 60, 70)
    upscaler = Upscaler(LittleMemory(mode="bilinear"), device="cpu")
    expected = Upscaler(Interpolation(mode="bilinear"), device="cpu").run(x)
    assert torch.equal(upscaler.run(x), expected)


def test_a_given_tile_is_never_changed():
    upscaler = Upscaler(LittleMemory(mode="bilinear"), device="cpu", tile=50)
    with pytest.raises(SRHubError, match="too little memory for tile=50"):
        upscaler.run(torch.rand(1, 3, 60, 70))


def test_endless_lack_of_memory_ends(monkeypatch):
    monkeypatch.setattr("sr_hub.inference.tile_area", lambda *_: 10**6)
    with pytest.raises(NoMemoryError, match="cpu has too little memory: cut the picture"):
        Upscaler(LittleMemory(), device="cpu").run(torch.rand(1, 3, 200, 200))


def test_other_errors_of_a_network_are_not_taken_for_a_lack_of_memory(monkeypatch):
    monkeypatch.setattr(LittleMemory, "error", RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        Upscaler(LittleMemory(), device="cpu").run(torch.rand(1, 3, 60, 70))


def test_a_process_that_may_not_have_more_memory_is_told_in_one_line():
    code = """
import resource
from PIL import Image
from sr_hub import Upscaler
from sr_hub.errors import NoMemoryError
upscaler = Upscaler("rrim-x4", device="cpu", tile=400)
upscaler(Image.new("RGB", (8, 8)))
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 10**8,) * 2)
try:
    upscaler(Image.new("RGB", (400, 400)))
except NoMemoryError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "cpu has too little memory for tile=400: give less\n", done.stderr


def test_memory_of_a_network_is_what_it_holds_at_a_time():
    # 1 input channel of 4 bytes is not counted; 8 channels become 16, then 8 are freed.
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 4, 1))
    with torch.no_grad():
        assert bytes_per_pixel(network, torch.device("cpu")) == 4 * (8 + 16)


def test_automatic_tiles_follow_the_memory(monkeypatch):
    monkeypatch.setattr("sr_hub.device.CPU_BUDGET", 2**26)
    network = RRIM(channels=8, groups=1, shallow="5:4,7:4", middle="3:4,5:4", deep="3:36")
    upscaler = Upscaler(network, device="cpu", precision="fp32")
    tiles = upscaler.tiles(400, 400, "fp32")
    with torch.no_grad():
        per_pixel = bytes_per_pixel(upscaler.model, torch.device("cpu"))
    assert len(tiles) > 1
    assert all(
        (t.padded.right - t.padded.left) * (t.padded.bottom - t.padded.top) * per_pixel <= 2**26
        for t in tiles
    )


@pytest.mark.skipif(heap._glibc() is None, reason="only glibc on Linux keeps it, or says so")
def test_memory_that_was_freed_does_not_pile_up_from_picture_to_picture(monkeypatch):
    upscaler, image = Upscaler(Interpolation(), device="cpu"), Image.new("RGB", (8, 8))
    blocks = [bytearray(100_000) for _ in range(3000)]
    del blocks[:-1]  # the last one keeps the heap from shrinking by itself
    monkeypatch.setattr(heap, "_needed", heap._held() - 10**8)
    upscaler(image)
    assert heap._held() > heap._needed + 5 * 10**7, "little is kept"
    monkeypatch.setattr(heap, "MOST_KEPT", 5 * 10**7)
    before = heap._held()
    upscaler(image)
    assert heap._held() < before - 2 * 10**8
