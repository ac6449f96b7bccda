"""The Benchmarks page: tables and plot of stored results."""

import re

import pytest

pytest.importorskip("gradio", reason="the app needs gradio (extra `app`)")


from sr_hub.records import read_results, write_results
from sr_hub.webapp import (
    i18n,
    plot,
)
from sr_hub.webapp.benchmarks import Benchmarks


def test_results_of_another_scale_are_a_benchmark_of_their_own(results, tmp_path):
    stored = read_results(results / "all.json")
    write_results(stored, tmp_path / "x4.json")
    halved = [row | {"mean": row["mean"] | {"psnr": 36.0}} for row in stored["results"]]
    write_results(stored | {"scale": 2, "results": halved}, tmp_path / "x2.json")
    both = Benchmarks(tmp_path)
    assert both.datasets[0] == "Set5" and both.datasets[-1] == "Set5 ×2"
    assert {row.values["psnr"] for row in both.rows("Set5 ×2", "y")} == {36.0}
    assert 36.0 not in {row.values["psnr"] for row in both.rows("Set5", "y")}


def test_of_two_files_with_one_model_the_newer_one_is_shown_and_foreign_files_are_passed(
    results, tmp_path
):
    stored = read_results(results / "all.json")
    for name, created, psnr in (("a.json", "2026-02-01", 36.0), ("b.json", "2026-01-01", 35.0)):
        rows = [row | {"mean": row["mean"] | {"psnr": psnr}} for row in stored["results"]]
        write_results(stored | {"created": created, "results": rows}, tmp_path / name)
    (tmp_path / "c.json").write_text("[]")
    shown = Benchmarks(tmp_path).rows("Set5", "y")
    assert {row.values["psnr"] for row in shown} == {36.0}


def test_the_highest_psnr_comes_first_and_arrows_say_what_is_better(results):
    html = Benchmarks(results).table("Set5", "y", i18n.texts("en").__getitem__)
    assert 0 < html.index("rrim-x4") < html.index("bicubic")
    assert "PSNR ↑" in html and "RMSE ↓" in html and "Seconds ↓" in html


def test_lpips_is_explained_where_it_is_shown(results, tmp_path):
    stored = read_results(results / "all.json")
    rows = [row | {"mean": row["mean"] | {"lpips": 0.1}} for row in stored["results"]]
    write_results(stored | {"results": rows}, tmp_path / "all.json")
    for language in i18n.LANGUAGES:
        say = i18n.texts(language).__getitem__
        assert say("table_lpips_info") in Benchmarks(tmp_path).table("Set5", "y", say)
        assert say("table_lpips_info") not in Benchmarks(results).table("Set5", "y", say)


def test_benchmarks_stand_beside_the_reports_rows_under_its_own_protocol_only(results):
    stored, say = Benchmarks(results), i18n.texts("en").__getitem__
    table = stored.table("Set5", "report", say)
    assert "report: RRIM (“Ours”)" in table and "26.8981" in table and "rrim-x4" in table
    assert "report: RRIM (“Ours”)" not in stored.table("Set5", "y", say)
    assert "26.8981" in stored.reports("Set5", "y", say)
    assert "22.0793" in stored.reports("Urban100", "y", say)
    assert "29.057<" in stored.reports("Set5", "y", say)
    assert "eval --data Set5" in table and stored.datasets[0] == "Set5"


def test_the_plot_names_every_point_inside_the_drawing(results):
    html = Benchmarks(results).plot("Set5", "y", i18n.texts("en").__getitem__)
    points = [plot.Point("a", 0.001, 28), plot.Point("b", 0.3, 31), plot.Point("c", 0.3, 31)]
    assert html.count("<circle") == 2 and "rrim-x4" in html
    assert "aria-label='PSNR (dB) / seconds per picture'" in html
    svg = plot.scatter([*points, plot.Point("broken", 0, 1)], "x", "y")
    assert svg.count("<circle") == 3 and "broken" not in svg
    places = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)'", svg)
    assert all(0 < float(x) < plot.WIDTH and 0 < float(y) < plot.HEIGHT for x, y in places)


def test_names_of_crowded_points_stand_apart_and_clear_of_the_points():
    points = [plot.Point(f"network-{i:02}-x4", 0.3 + i * 0.004, 30 + i % 3 / 50) for i in range(12)]
    svg = plot.scatter([*points, plot.Point("bicubic", 0.002, 28)], "x", "y")
    found = re.findall(
        r"<text x='([\d.]+)' y='([\d.]+)' class='name' text-anchor='(\w+)'>([^<]+)<", svg
    )
    assert {name for *_, name in found} == {p.name for p in points} | {"bicubic"}
    boxes = []
    for x, y, anchor, name in found:
        width = 6.5 * len(name)  # of a 13 px letter
        left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
        boxes.append((left, float(y) - 11, left + width, float(y) + 3))
    dots = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)'", svg)
    boxes += [(float(x), float(y), float(x), float(y)) for x, y in dots]
    for i, one in enumerate(boxes[: len(found)]):
        assert one[0] >= 0 and one[2] <= plot.WIDTH
        for other in boxes[i + 1 :]:
            across = one[0] < other[2] and other[0] < one[2]
            assert not (across and one[1] < other[3] and other[1] < one[3])
    assert "class='leader'" in svg
