"""How large a result is to be, as a user says it."""

import pytest

from sr_hub.errors import SRHubError
from sr_hub.output_size import OutputSize


@pytest.mark.parametrize(
    ("scale", "box", "expected"),
    [
        (None, None, (1280, 864)),
        (2.5, None, (800, 540)),
        (1, None, (320, 216)),
        (0.001, None, (1, 1)),
        (None, "640x", (640, 432)),
        (None, "x432", (640, 432)),
        (None, "640X9999", (640, 432)),
        (None, " 3840x2160 ", (1280, 864)),
        (None, "100x", (100, 68)),
    ],
)
def test_the_size_of_a_result(scale, box, expected):
    assert OutputSize.parse(scale, box).of((320, 216), 4) == expected


@pytest.mark.parametrize("picture", [(7, 5), (333, 1000), (1, 4000)])
@pytest.mark.parametrize("box", [(50, 50), (640, None), (None, 9)])
def test_a_result_is_never_larger_than_its_box(picture, box):
    width, height = OutputSize(None, *box).of(picture, 3)
    assert 1 <= width <= min(box[0] or 12_000, 3 * picture[0])
    assert 1 <= height <= min(box[1] or 12_000, 3 * picture[1])


@pytest.mark.parametrize("box", ["600", "x", "0x5", "5x0", "3840*2160", "-3x4", "1.5x2", ""])
def test_what_is_no_box_is_refused_with_an_example(box):
    with pytest.raises(SRHubError, match="3840x2160"):
        OutputSize.parse(None, box)


def test_two_ways_at_once_are_refused():
    with pytest.raises(SRHubError, match="give one"):
        OutputSize.parse(2.0, "600x")


@pytest.mark.parametrize("scale", [4.01, 0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_the_network_does_not_reach_is_refused(scale):
    with pytest.raises(SRHubError, match="at most 4, that of rrim-x4"):
        OutputSize(scale).check(4, "rrim-x4")
    OutputSize(4.0).check(4, "rrim-x4")
