"""The Compare page without a browser: what its handlers measure and show."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

gr = pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")

from webapp_parts import (  # noqa: E402
    VISITOR,
    run_compare,
    texture,
)

from sr_hub.image import decode, to_tensor  # noqa: E402
from sr_hub.metrics import Protocol  # noqa: E402
from sr_hub.webapp import (  # noqa: E402
    comparing,
    i18n,
)
from sr_hub.webapp.comparing import CompareHandlers  # noqa: E402
from sr_hub.webapp.engine import Engine  # noqa: E402
from sr_hub.webapp.small import SMALLEST, make_small  # noqa: E402


def test_another_protocol_changes_the_numbers_and_runs_nothing(offer, truth, monkeypatch):
    state, *_, table, file, _, _, _ = run_compare(offer, truth)
    monkeypatch.setattr(Engine, "enlarge", lambda *_: pytest.fail("a network was run"))
    again, report, *_ = CompareHandlers(offer).rescore(state, "report", VISITOR)
    assert Protocol.Y.definition.split(",")[0] in table
    assert "4095" in again and "4095" not in table
    for csv_file, protocol in ((file, "y"), (report, "report")):
        rows = list(csv.DictReader(Path(csv_file["value"]).read_text().splitlines()))
        assert [row["model"] for row in rows] == ["bicubic", "rrim-x4"]
        expected = comparing.measured(state, protocol)[0].values["psnr"]
        assert float(rows[0]["psnr"]) == pytest.approx(expected, rel=1e-5)
        assert rows[0]["protocol"] == protocol and rows[0]["definition"]


def test_a_pictures_name_is_not_html(offer, truth):
    state = run_compare(offer, truth)[0]
    state.stem = "<img src=x>"
    html = comparing.numbers(state, "y", i18n.texts("en").__getitem__)[0]
    assert "<img" not in html and "&lt;img" in html


def test_galleries_hold_truth_results_and_error_maps(offer, truth):
    _, section, pictures, maps, *_ = run_compare(offer, truth)
    assert section["visible"]
    assert [caption for _, caption in pictures][1:3] == ["bicubic", "rrim-x4"]
    assert [Image.open(path).size for path, _ in pictures] == [(96, 64)] * 3 + [(24, 16)]
    assert [caption for _, caption in maps] == ["bicubic", "rrim-x4"]


def test_damage_changes_the_small_picture_and_repeats(truth):
    hr = to_tensor(decode(truth))
    clean = make_small(hr, 0, 0, 100)
    for damage in ((1.5, 0, 100), (0, 10, 100), (0, 0, 30)):
        damaged = make_small(hr, *damage)
        assert damaged.shape == clean.shape and not torch.equal(damaged, clean)
        assert torch.equal(damaged, make_small(hr, *damage))
        assert torch.equal((damaged * 255).round() / 255, damaged)


def test_a_small_picture_of_ones_own_is_used_and_must_fit(offer, truth, tmp_path):
    texture(24, 16).save(tmp_path / "low.png")
    state = run_compare(offer, truth, str(tmp_path / "low.png"))[0]
    assert np.array_equal(state.pixels("small"), np.asarray(texture(24, 16)))
    texture(30, 16).save(tmp_path / "wrong.png")
    with pytest.raises(gr.Error, match="must be 24 × 16"):
        run_compare(offer, truth, str(tmp_path / "wrong.png"))


@pytest.mark.parametrize(
    ("size", "damage", "methods", "says"),
    [
        ((1, 1), (0, 0, 100), ["bicubic"], "1 × 1; .* 20 pixels"),
        ((300, 19), (2, 0, 100), ["bicubic"], "300 × 19; .* 20 pixels"),
        ((16, 16), (0, 0, 100), [], "at least one method"),
        ((20, 20), (0, 0, 100), ["small-x2"], "compares models that enlarge by 4"),
    ],
)
def test_what_can_not_be_compared_is_one_clear_line(offer, tmp_path, size, damage, methods, says):
    texture(*size).save(tmp_path / "truth.png")
    with pytest.raises(gr.Error, match=says):
        run_compare(offer, tmp_path / "truth.png", None, damage, methods)


def test_the_smallest_picture_that_is_taken_has_every_number(offer, tmp_path):
    texture(SMALLEST, SMALLEST).save(tmp_path / "truth.png")
    state = run_compare(offer, tmp_path / "truth.png")[0]
    for protocol in Protocol:
        for row in comparing.measured(state, protocol):
            assert all(math.isfinite(row.values[name]) for name in ("psnr", "ssim", "fsim", "rmse"))
