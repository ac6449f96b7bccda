"""Which network the Upscale page names for a file."""

from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from webapp_parts import VISITOR, texture  # noqa: E402

from sr_hub.webapp.advice import FOR_JPEG, advise  # noqa: E402


def saved(folder, name, mode="RGB", **options):
    path = folder / name
    texture(60, 40, mode).save(path, **options)
    return str(path)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_strongly_compressed_file_is_told_with_its_quality(tmp_path, mode):
    section, words = advise(saved(tmp_path, "a.jpg", mode, quality=60), "rrim-x4", VISITOR)
    assert section["visible"] and " 60 " in words and FOR_JPEG in words


def test_it_is_told_in_the_visitors_language(tmp_path):
    visitor = SimpleNamespace(cookies={"sr_hub_language": "zh-TW"}, headers={})
    _, words = advise(saved(tmp_path, "a.jpg", quality=60), "rrim-x4", visitor)
    assert "品質約為 60" in words


@pytest.mark.parametrize(
    ("name", "options", "model"),
    [
        ("good.jpg", {"quality": 95}, "rrim-x4"),
        ("bad.jpg", {"quality": 60}, FOR_JPEG),
        ("lossless.png", {}, "rrim-x4"),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_gain(tmp_path, name, options, model):
    assert not advise(saved(tmp_path, name, **options), model, VISITOR)[0]["visible"]


def test_nothing_is_said_of_what_can_not_be_read(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xdb\x00\x43")
    for file in (None, str(path), str(tmp_path / "gone.jpg")):
        assert not advise(file, "rrim-x4", VISITOR)[0]["visible"]
