"""The app for programs: what its two endpoints give and refuse, over the loopback."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from gradio_client import handle_file
from gradio_client.exceptions import AppError
from webapp_parts import VISITOR, texture, upscale

import sr_hub
from sr_hub.evaluate import score
from sr_hub.image import decode, to_tensor
from sr_hub.models import load_model
from sr_hub.webapp.comparing import CompareHandlers
from sr_hub.webapp.small import make_small

NO_HUB_IDS = ("nothing", "../models", "/etc", "sr_hub/webapp", "a/b/c", "", "a" * 300)
NO_REVISIONS = ("user/a@", "user/a@../b", "user/a@v1/../../b", "user/a@/etc", "user/a@v1@v2")


def test_endpoint_gives_the_pixels_of_upscaler_upright_under_the_files_name(
    client, models, tmp_path
):
    path = tmp_path / "my photo.jpg"
    exif = Image.Exif()
    exif[274] = 6  # the camera lay on its side
    texture(30, 20).save(path, exif=exif, quality=90)
    file, facts = upscale(client, path)
    expected = sr_hub.Upscaler(load_model(models["rrim-x4"]))(decode(path))
    with Image.open(file) as result:
        assert Path(file).name == "my photo_rrim-x4.png"
        assert result.format == "PNG" and result.size == (80, 120)
        assert result.tobytes() == expected.tobytes()
    assert facts["input"] == [20, 30] and facts["output"] == [80, 120]
    assert facts["seconds"] > 0 and 10 < facts["consistency_psnr"] < 60


@pytest.mark.parametrize("mode", ["I;16", "RGBA", "L"])
def test_depth_transparency_and_grey_survive(client, models, tmp_path, mode):
    path = tmp_path / "picture.png"
    if mode == "I;16":
        image = Image.fromarray((np.arange(30 * 20, dtype=np.uint16) * 101).reshape(20, 30))
    else:
        image = texture(30, 20, "RGB").convert(mode)
    if mode == "RGBA":
        image.putalpha(texture(30, 20, "L"))
    image.save(path)
    with Image.open(upscale(client, path)[0]) as result:
        expected = sr_hub.Upscaler(load_model(models["rrim-x4"]))(decode(path))
        assert result.mode == mode
        assert np.array_equal(np.asarray(result), np.asarray(expected))


def test_what_is_not_a_picture_is_one_clear_line(client, tmp_path):
    path = tmp_path / "letter.png"
    path.write_text("Dear picture")
    with pytest.raises(AppError, match=r"^letter\.png is not a picture of a known format\. Save"):
        upscale(client, path)


def test_too_many_pixels_are_refused_with_size_and_limit(client, tmp_path):
    path = tmp_path / "large.png"
    texture(200, 150).save(path)
    with pytest.raises(AppError, match=r"200 × 150; .* at most 20,000 pixels, which is 163 × 122"):
        upscale(client, path)


@pytest.mark.parametrize("name", [*NO_HUB_IDS, *NO_REVISIONS])
def test_a_name_that_is_no_hub_id_loads_nothing(client, tmp_path, name):
    texture(8, 8).save(tmp_path / "picture.png")
    with pytest.raises(AppError, match="not a Hub id"):
        upscale(client, tmp_path / "picture.png", name)


@pytest.mark.parametrize(
    ("endpoint", "asked", "says"),
    [
        ("/upscale", ["photo", None], "at least one method"),
        ("/upscale", [None, "rrim-x4"], "a picture first"),
        ("/upscale", ["photo.png", "rrim-x4"], "photo.png.* give handle_file"),
        ("/compare", ["photo", None, "y"], "at least one method"),
        ("/compare", ["photo", [], "y"], "at least one method"),
        ("/compare", ["photo", ["bicubic"], None], "it is one of y, rgb, report"),
        ("/compare", [7, ["bicubic"], "y"], "7 is not an uploaded picture"),
    ],
)
def test_what_a_program_leaves_out_is_one_clear_line(client, photo, endpoint, asked, says):
    values = [handle_file(str(photo)) if value == "photo" else value for value in asked]
    with pytest.raises(AppError, match=says):
        client.predict(*values, api_name=endpoint)


def test_one_method_may_be_named_without_a_list(client, photo):
    answer = client.predict(handle_file(str(photo)), "bicubic", "y", api_name="/compare")
    assert list(answer["models"]) == ["bicubic"]


def test_programs_see_two_endpoints_and_nothing_private(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/upscale", "/compare"}
    assert not client.view_api(return_format="dict")["unnamed_endpoints"]


def test_a_visitor_who_leaves_stops_the_run(client):
    targets = [target for each in client.config["dependencies"] for target in each["targets"]]
    assert "unload" in [event for _, event in targets]


def test_compare_endpoint_gives_the_numbers_of_evaluate(client, models, tmp_path):
    path = tmp_path / "truth.png"
    texture(64, 48).save(path)
    answer = client.predict(
        handle_file(str(path)), ["bicubic", "rrim-x4"], "rgb", api_name="/compare"
    )
    hr = to_tensor(decode(path))
    lr = make_small(hr, 0, 0, 100)
    outputs = {
        name: sr_hub.Upscaler(models.get(name, name)).run(lr) for name in ("bicubic", "rrim-x4")
    }
    expected = score(outputs, hr, ["rgb"], 4)["rgb"]
    assert answer["protocol"] == "rgb" and "no border cropped" in answer["definition"]
    for name, values in expected.items():
        found = {k: v for k, v in answer["models"][name].items() if k != "seconds"}
        assert found == pytest.approx(values, rel=1e-6)


def test_a_comparison_for_a_program_leaves_no_files(offer, photo):
    CompareHandlers(offer).call(str(photo), ["bicubic"], "y", VISITOR)
    assert not list(offer.root.iterdir())


@pytest.mark.parametrize("endpoint", ["/upscale", "/compare"])
def test_no_other_file_of_the_machine_is_read(client, photo, endpoint):
    example = Path(sr_hub.webapp.fields.EXAMPLES) / "chart.png"
    for path in (str(photo), str(example), "README.md", "/etc/hostname"):
        for sent in ({"path": path}, {"path": path, "meta": {"_type": "file"}}):
            with pytest.raises(AppError, match="is not an uploaded picture"):
                client.predict(sent, api_name=endpoint)
