"""The file that the Upscale page gives: its size, what it says, what of the picture it keeps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from gradio_client import handle_file  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402
from webapp_parts import VISITOR, run_upscale, texture  # noqa: E402

import sr_hub  # noqa: E402
from sr_hub.image import decode  # noqa: E402
from sr_hub.webapp.download import resize  # noqa: E402
from sr_hub.webapp.work import discard  # noqa: E402


def test_a_result_offers_all_widths_from_the_pictures_to_its_own(offer, photo):
    button, width = run_upscale(offer, photo)[1][1:3]
    assert button["label"].endswith("(240 × 160)") and button["interactive"]
    assert (width["visible"], width["minimum"], width["maximum"]) == (True, 60, 240)
    assert width["value"] == 240


def test_a_smaller_width_is_a_file_of_its_own_that_keeps_what_the_picture_has(offer, tmp_path):
    photo = tmp_path / "seal.png"
    image = texture(60, 40)
    image.putalpha(texture(60, 40, "L"))
    image.save(photo, dpi=(300, 300), icc_profile=None)
    updates = run_upscale(offer, photo, also=[])
    whole, work = updates[1][1], updates[-1][8]
    button = resize(work, 100, VISITOR)
    assert button["label"].endswith("(100 × 67)")
    assert Path(button["value"]).name == "seal_rrim-x4_100x67.png"
    expected = offer.upscaler("rrim-x4")(decode(photo), size=(100, 67))
    result = decode(Path(button["value"]))
    assert result.mode == "RGBA" and result.info["text"] == expected.info["text"]
    shown = np.asarray(expected)[..., 3] > 0
    assert np.array_equal(np.asarray(result)[shown], np.asarray(expected)[shown])
    assert resize(work, 240, VISITOR)["value"] == whole["value"]
    assert decode(Path(whole["value"])).size == (240, 160)


@pytest.mark.parametrize(("asked", "given"), [(None, 1), (0, 1), (-5, 1), (9999, 240)])
def test_a_width_out_of_reach_is_the_nearest_one(offer, photo, asked, given):
    work = run_upscale(offer, photo, also=[])[-1][8]
    assert decode(Path(resize(work, asked, VISITOR)["value"])).width == given


def test_nothing_happens_without_a_result_or_after_its_files_are_gone(offer, photo):
    assert resize(None, 100, VISITOR) == gr.skip()
    work = run_upscale(offer, photo, also=[])[-1][8]
    discard(work)
    assert resize(work, 100, VISITOR) == gr.skip()


def test_programs_name_a_greatest_width(client, models, photo):
    def ask(*width):
        file, facts = client.predict(
            handle_file(str(photo)), "rrim-x4", *width, api_name="/upscale"
        )
        with Image.open(file) as result:
            assert list(result.size) == facts["output"]
            return np.asarray(result)

    expected = sr_hub.Upscaler(models["rrim-x4"])(decode(photo), size=(150, 100))
    assert np.array_equal(ask(150), np.asarray(expected))
    assert ask().shape == ask(0).shape == ask(9999).shape == (160, 240, 3)
    with pytest.raises(AppError, match="less than minimum value 0"):
        ask(-1)
