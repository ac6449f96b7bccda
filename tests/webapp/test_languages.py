"""The texts of the app, and its notices, in the language of the visitor."""

import json
import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageCms

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from picture_files import file_of, png  # noqa: E402
from webapp_parts import (  # noqa: E402
    MAX_PIXELS,
    run_compare,
    run_upscale,
    texture,
)

from sr_hub import tables, webapp  # noqa: E402
from sr_hub.errors import HubError, HubReason, SRHubError  # noqa: E402
from sr_hub.metrics import Protocol  # noqa: E402
from sr_hub.normalise import NOTICES, Notice  # noqa: E402
from sr_hub.webapp import (  # noqa: E402
    comparing,
    engine,
    fields,
    i18n,
    theme,
)
from sr_hub.webapp.benchmarks import Benchmarks  # noqa: E402


def test_every_language_has_every_text_and_none_looks_like_a_placeholder():
    english = i18n.texts("en")
    for language in i18n.LANGUAGES:
        texts = i18n.texts(language)
        assert texts.keys() == english.keys()
        assert not [key for key, words in texts.items() if "{" in words or not words.strip()]
        assert all(texts[k].count("%s") == english[k].count("%s") for k in english)


def test_every_text_is_used_somewhere():
    source = "".join(p.read_text() for p in Path(webapp.__file__).parent.glob("*.py"))
    built = {f"{page}_{part}" for page in theme.PAGES for part in ("title", "lead")}
    built |= {f"home_{page}_{part}" for page in theme.PAGES for part in ("title", "text")}
    built |= {f"nav_{page}" for page in theme.PAGES}
    built |= {f"protocol_{protocol}{form}" for protocol in Protocol for form in ("", "_short")}
    built |= {f"table_{column}" for column in tables.COLUMNS}
    built |= {f"notice_{kind}" for kind in NOTICES}
    built |= {f"message_hub_{reason}" for reason in get_args(HubReason)}
    built |= {key for key in i18n.texts("en") if key.startswith("gradio_")}
    for key in i18n.texts("en").keys() - built:
        assert key in source or f'"{key.split("_", 1)[1]}"' in source, key


@pytest.mark.parametrize(
    ("cookie", "accepts", "language"),
    [
        ("zh-CN", "en", "zh-CN"),
        (None, "zh-Hant-HK,zh;q=0.9", "zh-TW"),
        (None, "zh-SG", "zh-CN"),
        (None, "de,en;q=0.5", "en"),
        ("nonsense", "", "en"),
    ],
)
def test_notices_speak_the_visitors_language(cookie, accepts, language):
    cookies = {i18n.COOKIE: cookie} if cookie else {}
    request = SimpleNamespace(cookies=cookies, headers={"accept-language": accepts})
    assert i18n.language_of(request) == language
    assert i18n.message("no_picture", request) == i18n.texts(language)["message_no_picture"]


def write_words(path):
    path.write_text("Dear picture")


def write_half(path):
    texture(60, 40).save(path)
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize(
    ("write", "notice"),
    [
        (write_words, "unknown_format"),
        (write_half, "damaged"),
        (lambda path: texture(800, 600).save(path), "too_large"),
        (lambda path: texture(3, 2).save(path), "too_small"),
        (lambda path: None, "gone"),
    ],
)
def test_refused_pictures_are_refused_in_the_visitors_language(offer, tmp_path, write, notice):
    write(tmp_path / "letter.png")
    for language in i18n.LANGUAGES:
        visitor = SimpleNamespace(session_hash="v", cookies={i18n.COOKIE: language}, headers={})
        with pytest.raises(gr.Error) as refused:
            run_compare(offer, tmp_path / "letter.png", visitor=visitor)
        words = re.split("%s", i18n.texts(language)[f"message_{notice}"])
        assert all(part in refused.value.message for part in words)


def visitors():
    """A visitor of each language, and how they read it."""
    for language in i18n.LANGUAGES:
        visitor = SimpleNamespace(session_hash="v", cookies={i18n.COOKIE: language}, headers={})
        yield visitor, i18n.texts(language).__getitem__


ABSENT = HubError("user/x4 is not on the Hub, or is private: give a token", "absent")


@pytest.mark.parametrize(
    ("error", "name", "values"),
    [
        (ABSENT, "hub_absent", ("user/x4",)),
        (
            HubError("user/x4 is 340 MB", "large", "340", "200"),
            "hub_large",
            ("user/x4", "340", "200"),
        ),
        (SRHubError("weights.bin is damaged"), "not_loaded", ("weights.bin is damaged",)),
    ],
)
def test_why_a_model_is_not_loaded_is_told_in_the_visitors_language(
    offer, truth, monkeypatch, error, name, values
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(engine, "load_model", fail)
    for visitor, say in visitors():
        with pytest.raises(gr.Error) as refused:
            run_compare(offer, truth, models=["user/x4"], visitor=visitor)
        assert refused.value.message == say(f"message_{name}") % values


def test_every_reason_of_the_hub_has_words_in_every_language():
    for reason in get_args(HubReason):
        for visitor, _ in visitors():
            values = ("user/x4", "340", "200")[: 3 if reason == "large" else 1]
            assert "user/x4" in i18n.message(f"hub_{reason}", visitor, *values)


def test_an_error_that_the_app_does_not_know_follows_words_of_the_visitors_language(
    offer, truth, monkeypatch
):
    def fail(*_, **__):
        raise SRHubError("its weights are bad")

    monkeypatch.setattr(engine.Upscaler, "__call__", fail)
    messages = []
    for visitor, _ in visitors():
        with pytest.raises(gr.Error) as refused:
            run_compare(offer, truth, visitor=visitor)
        messages.append(refused.value.message)
    assert messages == [
        "its weights are bad",
        "無法完成：its weights are bad",
        "无法完成：its weights are bad",
    ]


def test_notices_of_the_package_are_the_english_ones_of_the_app_and_reach_other_processes():
    english = i18n.texts("en")
    assert {key: text for key, text in english.items() if key.startswith("notice_")} == {
        f"notice_{kind}": text for kind, text in NOTICES.items()
    }
    notice = pickle.loads(pickle.dumps(Notice("page", "3", "2")))
    assert notice == "holds 3 pictures (an animation or pages): only number 2 is used"
    chinese = [i18n.retold(notice, visitor) for visitor, _ in visitors()][1:]
    assert chinese == [
        "含有 3 張圖片（動畫或多頁）：只使用第 2 張",
        "含有 3 张图片（动画或多页）：只使用第 2 张",
    ]


def test_what_is_drawn_into_the_strip_has_letters_that_its_font_has(offer, truth, monkeypatch):
    drawn, strip = [], comparing.strip

    def draw(*arguments):
        drawn.append(arguments[-2:])
        return strip(*arguments)

    monkeypatch.setattr(comparing, "strip", draw)
    for visitor, _ in visitors():
        run_compare(offer, truth, visitor=visitor)
    assert drawn[0] == ("PSNR dB / SSIM of the whole picture, protocol y", "ground truth")
    assert drawn[1:] == [("PSNR dB / SSIM, y", "GT")] * 2


def test_the_browser_is_given_words_for_what_gradio_says_in_english_only():
    words = json.loads(i18n.front_end_words())
    assert words["zh-TW"]["Error"] == "錯誤" and words["zh-CN"]["Error"] == "错误"
    assert "gradioWords" in webapp.launch_options()["head"]


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    ("notice", "data"),
    [
        (
            "animation",
            file_of(texture(8, 8), "GIF", save_all=True, append_images=[texture(8, 9)]),
        ),
        ("depth", png(16, 2, np.arange(36).reshape(3, 12))),
        ("transparent_grey", file_of(Image.new("I;16", (8, 8)), "PNG", transparency=700)),
        ("exif", file_of(texture(8, 8), "JPEG", exif=b"Exif\0\0" + b"garbage" * 3)),
        ("profile", file_of(Image.new("CMYK", (8, 8)), "JPEG", icc_profile=SRGB)),
    ],
)
def test_what_a_file_loses_is_told_in_the_visitors_language(tmp_path, monkeypatch, notice, data):
    said = []
    monkeypatch.setattr(fields.gr, "Warning", said.append)
    (tmp_path / "photo.png").write_bytes(data)
    for language in i18n.LANGUAGES:
        visitor = SimpleNamespace(cookies={i18n.COOKIE: language}, headers={})
        fields.read_picture(str(tmp_path / "photo.png"), MAX_PIXELS, visitor)
        words = re.escape(i18n.texts(language)[f"notice_{notice}"]).replace("%s", r"\w+")
        assert re.fullmatch(rf"photo\.png {words}", said.pop())
    assert not said


def test_a_picture_with_more_pixels_than_pillow_opens_is_too_large(offer, photo, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(gr.Error, match=r"photo\.png has more than 2,000 pixels"):
        run_upscale(offer, photo)


def test_protocols_are_defined_in_the_visitors_language(offer, truth, results):
    state = run_compare(offer, truth)[0]
    for protocol in Protocol:
        english = i18n.texts("en")[f"protocol_{protocol}"]
        assert english == protocol.definition.replace("`", "") + "."
        for language in i18n.LANGUAGES:
            say = i18n.texts(language).__getitem__
            assert say(f"protocol_{protocol}") in comparing.numbers(state, protocol, say)[0]
            assert say(f"protocol_{protocol}") in Benchmarks(results).table("Set5", protocol, say)
            assert language == "en" or english not in say(f"protocol_{protocol}")
