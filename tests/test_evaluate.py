"""Pairs, evaluation, its JSON, its tables and its figures."""

import csv
import hashlib
import io
import json
import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from sr_hub import figures, tables
from sr_hub.contestants import Contestant, command_line, default_names, load_contestants
from sr_hub.degrade import downscale, quantise
from sr_hub.errors import SRHubError
from sr_hub.evaluate import evaluate, score
from sr_hub.image import from_tensor
from sr_hub.metrics import Protocol, measure
from sr_hub.models import ESPCN
from sr_hub.pairs import MADE_HERE, find_dataset, fit_pair, read_pair, read_picture
from sr_hub.records import FORMAT, read_folder, read_results, write_results
from sr_hub.upscaler import Upscaler


def picture(height, width, mode="RGB"):
    pixels = np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height // 4 + 1, width // 4 + 1, 3)
    )
    image = Image.fromarray(pixels.astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return image.convert(mode)


@pytest.fixture
def truth_only(tmp_path):
    """A benchmark of two pictures, one of them with a size that is no multiple of four."""
    folder = tmp_path / "Tiny"
    folder.mkdir()
    picture(40, 48).save(folder / "b.png")
    picture(43, 50, "L").save(folder / "a.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def pairs_folder(tmp_path):
    """A benchmark with files for the low resolution."""
    folder = tmp_path / "Pairs"
    (folder / "HR").mkdir(parents=True)
    (folder / "LRx4").mkdir()
    picture(41, 48).save(folder / "HR" / "one.png")
    picture(10, 12).save(folder / "LRx4" / "one.png")
    return folder


def enlarge(mode):
    return lambda x: F.interpolate(x, scale_factor=4.0, mode=mode)


def contestants():
    return [Contestant(mode, enlarge(mode), {"parameters": 0}) for mode in ("nearest", "bilinear")]


def run(folder, protocols=("y",), models=None, **options):
    return evaluate([find_dataset(folder, 4)], models or contestants(), protocols, 4, **options)


def test_low_resolution_is_made_from_a_cut_truth(truth_only):
    dataset = find_dataset(truth_only, 4)
    assert (dataset.name, dataset.low_resolution) == ("Tiny", MADE_HERE)
    assert [pair.name for pair in dataset.pairs] == ["a", "b"]
    lr, hr = read_pair(dataset.pairs[0], 4)
    whole = read_picture(truth_only / "a.png")
    assert torch.equal(hr, whole[..., :40, :48])
    assert torch.equal(hr[:, 0], hr[:, 2])  # grey became RGB
    assert torch.equal(lr, quantise(downscale(hr, 4)))


def test_low_resolution_files_are_used_as_they_are(pairs_folder):
    dataset = find_dataset(pairs_folder, 4)
    lr, hr = read_pair(dataset.pairs[0], 4)
    assert dataset.low_resolution == "the files of LRx4"
    assert torch.equal(lr, read_picture(pairs_folder / "LRx4" / "one.png"))
    assert hr.shape == (1, 3, 40, 48)
    assert find_dataset(pairs_folder, 2).low_resolution == MADE_HERE


def test_equal_names_that_end_in_the_scale_are_a_pair(pairs_folder):
    for kind in ("HR", "LRx4"):
        (pairs_folder / kind / "one.png").rename(pairs_folder / kind / "onex4.png")
    assert [pair.name for pair in find_dataset(pairs_folder, 4).pairs] == ["onex4"]


def test_low_resolution_may_carry_the_scale_in_its_name(pairs_folder):
    (pairs_folder / "LRx4" / "one.png").rename(pairs_folder / "LRx4" / "onex4.png")
    assert find_dataset(pairs_folder, 4).pairs[0].lr.name == "onex4.png"


def test_two_files_of_low_resolution_for_one_picture_are_refused(pairs_folder):
    picture(10, 12).save(pairs_folder / "LRx4" / "onex4.png")
    with pytest.raises(SRHubError, match=r"one.png and onex4.png are both of one: keep one"):
        find_dataset(pairs_folder, 4)


@pytest.mark.parametrize("size", [(11, 12), (10, 13), (40, 48), (5, 6)])
def test_a_pair_that_does_not_fit_is_refused_not_resized(pairs_folder, size):
    picture(*size).save(pairs_folder / "LRx4" / "one.png")
    message = f"one: low resolution of {size[1]}x{size[0]} does not fit ground truth of 48x41 at x4"
    with pytest.raises(SRHubError, match=message):
        run(pairs_folder)


def test_what_is_wrong_with_a_folder_is_one_line(pairs_folder, tmp_path):
    with pytest.raises(SRHubError, match="no folder"):
        find_dataset(tmp_path / "absent", 4)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SRHubError, match="no pictures in"):
        find_dataset(tmp_path / "empty", 4)
    picture(40, 40).save(pairs_folder / "HR" / "two.png")
    with pytest.raises(SRHubError, match=r"two is only in .*HR"):
        find_dataset(pairs_folder, 4)
    picture(40, 40).save(pairs_folder / "HR" / "two.bmp")
    with pytest.raises(SRHubError, match="same name"):
        find_dataset(pairs_folder, 4)


def test_pictures_that_can_not_be_measured_are_refused(truth_only):
    clear = picture(40, 40).convert("RGBA")
    clear.save(truth_only / "b.png")
    assert read_picture(truth_only / "b.png").shape == (1, 3, 40, 40)
    clear.putpixel((3, 3), (0, 0, 0, 10))
    clear.save(truth_only / "b.png")
    with pytest.raises(SRHubError, match=r"b\.png has transparent parts"):
        run(truth_only)
    (truth_only / "b.png").write_bytes(b"nothing")
    with pytest.raises(SRHubError, match=r"b\.png is not a picture"):
        run(truth_only)
    with pytest.raises(SRHubError, match="the picture: ground truth of 3x9 is too small for x4"):
        fit_pair(torch.zeros(1, 3, 9, 3), None, 4)


def test_every_model_runs_once_per_picture_whatever_the_protocols(truth_only):
    calls = []

    def counted(x):
        calls.append(x.shape)
        return enlarge("nearest")(x)

    results = run(truth_only, list(Protocol), [Contestant("counted", counted, {})])
    assert len(calls) == 2
    assert [row["protocol"] for row in results["results"]] == ["y", "rgb", "report"]


def test_values_are_those_of_measure_and_the_mean_is_over_pictures(truth_only):
    results = run(truth_only, ["rgb"])
    row = results["results"][1]
    assert (row["dataset"], row["model"], row["protocol"]) == ("Tiny", "bilinear", "rgb")
    expected = []
    for pair in find_dataset(truth_only, 4).pairs:
        lr, hr = read_pair(pair, 4)
        expected.append(measure(enlarge("bilinear")(lr), hr, "rgb", 4))
    for metric in ("psnr", "ssim", "fsim", "rmse"):
        assert row["pictures"][metric] == [values[metric] for values in expected]
        assert row["mean"][metric] == pytest.approx(np.mean(row["pictures"][metric]))
    seconds = results["seconds"][1]
    assert seconds["model"] == "bilinear"
    assert len(seconds["pictures"]) == 2
    assert seconds["mean"] > 0


def test_a_metric_that_is_not_defined_has_a_reason_and_is_left_out_of_the_mean(truth_only):
    picture(16, 16).save(truth_only / "c.png")
    results = run(truth_only, ["y"])
    row = results["results"][0]
    assert math.isnan(row["pictures"]["ssim"][2])
    assert row["mean"]["ssim"] == pytest.approx(np.mean(row["pictures"]["ssim"][:2]))
    assert results["undefined"] == [
        {
            "dataset": "Tiny",
            "picture": "c",
            "protocol": "y",
            "metric": "ssim",
            "reason": "SSIM needs 11 pixels a side, 16x16 has 8 after a border of 4 is cropped",
        }
    ]


def test_lpips_is_one_more_value_under_every_protocol():
    hr = torch.rand(1, 3, 32, 32)
    table = score({"same": hr}, hr, ["y", "rgb"], 4, lpips=lambda sr, hr: 0.25)
    assert [table[p]["same"]["lpips"] for p in ("y", "rgb")] == [0.25, 0.25]
    assert list(score({"same": hr}, hr, ["y"], 4)["y"]["same"]) == ["psnr", "ssim", "fsim", "rmse"]


def test_progress_and_outputs_are_reported(truth_only):
    steps, seen = [], {}
    run(
        truth_only,
        progress=steps.append,
        on_picture=lambda dataset, name, hr, outputs: seen.update({name: (hr, outputs)}),
    )
    assert [(step.picture, step.done, step.total) for step in steps] == [("a", 1, 2), ("b", 2, 2)]
    hr, outputs = seen["b"]
    assert set(outputs) == {"nearest", "bilinear"}
    assert outputs["nearest"].shape == hr.shape


def test_there_must_be_something_to_measure(truth_only):
    with pytest.raises(SRHubError, match="no model is named"):
        evaluate([find_dataset(truth_only, 4)], [], ["y"], 4)
    with pytest.raises(SRHubError, match="model 'nearest' is named twice"):
        run(truth_only, models=contestants() + contestants())
    with pytest.raises(SRHubError, match="no protocol 'z'"):
        run(truth_only, ["z"])


def test_a_model_that_breaks_is_named(truth_only):
    broken = Contestant("broken", lambda x: enlarge("nearest")(x) * math.nan, {})
    with pytest.raises(SRHubError, match="broken gave values that are not finite"):
        run(truth_only, models=[broken])


def test_json_gives_back_what_was_written(truth_only, tmp_path):
    picture(16, 16).save(truth_only / "c.png")
    exact = Contestant(
        "exact", lambda x: torch.full((1, 3, x.shape[2] * 4, x.shape[3] * 4), 0.2), {}
    )
    Image.new("RGB", (40, 40), (51, 51, 51)).save(truth_only / "a.png")
    results = run(truth_only, ["y", "report"], [exact, *contestants()])
    path = tmp_path / "new" / "results.json"
    write_results(results, path)
    assert "NaN" not in path.read_text()
    assert "Infinity" not in path.read_text()
    again = read_results(path)
    assert again["results"][0]["pictures"]["psnr"][0] == math.inf
    assert math.isnan(again["results"][0]["pictures"]["ssim"][2])
    for old, new in zip(results["results"], again["results"], strict=True):
        assert new["mean"] == pytest.approx(old["mean"], rel=1e-6, nan_ok=True)
    assert again["protocols"]["y"] == Protocol.Y.definition
    assert set(again["versions"]) >= {"python", "torch", "piq", "sr_hub"}
    assert [path.name for path in path.parent.iterdir()] == ["results.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_a_name_that_is_no_utf_8_is_stored(truth_only, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    picture(16, 16).save(truth_only / "c.png")
    (truth_only / "c.png").rename(truth_only / f"{name}.png")
    write_results(run(truth_only), tmp_path / "results.json")
    (about,) = read_results(tmp_path / "results.json")["datasets"].values()
    assert name in about["pictures"]


def test_json_of_something_else_is_refused(tmp_path):
    with pytest.raises(SRHubError, match="no file"):
        read_results(tmp_path / "absent.json")
    (tmp_path / "other.json").write_text(json.dumps({"psnr": 3}))
    with pytest.raises(SRHubError, match="holds no results"):
        read_results(tmp_path / "other.json")
    (tmp_path / "empty.json").write_text(json.dumps({"format": FORMAT}))
    with pytest.raises(SRHubError, match="holds no results"):
        read_results(tmp_path / "empty.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SRHubError, match="not valid JSON"):
        read_results(tmp_path / "broken.json")
    sound = {"scale": 4, "protocols": {}, "datasets": {}, "models": {}, "format": FORMAT}
    for row in ("psnr", {"model": "a"}, {"model": "a", "dataset": "b", "mean": {}}):
        (tmp_path / "row.json").write_text(json.dumps(sound | {"results": [row]}))
        with pytest.raises(SRHubError, match=r"row\.json is damaged: a row of results holds"):
            read_results(tmp_path / "row.json")
    (tmp_path / "list.json").write_text(json.dumps(sound | {"models": [], "results": []}))
    with pytest.raises(SRHubError, match=r"list\.json is damaged: models is not an object"):
        read_results(tmp_path / "list.json")
    assert read_folder(tmp_path) == []


def test_a_folder_is_a_contestant_with_the_checksum_of_its_weights(tmp_path):
    ESPCN(scale=2).save_pretrained(tmp_path / "small")
    (model,) = load_contestants([str(tmp_path / "small")], 2)
    weights = (tmp_path / "small" / "model.safetensors").read_bytes()
    assert model.name == "small"
    assert model.facts["sha256"] == hashlib.sha256(weights).hexdigest()
    assert model.facts["architecture"] == "ESPCN"
    assert model.facts["parameters"] == ESPCN(scale=2).num_parameters
    assert model.facts["config"]["scale"] == 2
    assert model.run(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)


def test_the_folders_of_two_runs_are_told_apart(tmp_path):
    folders = [tmp_path / run / "best" for run in ("a", "b")]
    for folder in folders:
        ESPCN(scale=2).save_pretrained(folder)
    assert [model.name for model in load_contestants(map(str, folders), 2)] == ["a/best", "b/best"]
    assert Upscaler(folders[0]).name == "a/best"


def test_a_hub_id_is_a_contestant_with_its_commit(hub):
    commit = ESPCN(scale=2).push_to_hub("user/small").oid
    for name in ("user/small", f"user/small@{commit}"):
        (model,) = load_contestants([name], 2)
        assert model.name == name
        assert (model.facts["origin"], model.facts["repository"]) == ("hub", "user/small")
        assert model.facts["revision"] == commit
        weights = hub.repo("user/small").commits[commit]["model.safetensors"]
        assert model.facts["sha256"] == hashlib.sha256(weights).hexdigest()


def test_contestants_of_another_scale_are_refused(tmp_path):
    ESPCN(scale=2).save_pretrained(tmp_path / "small")
    with pytest.raises(SRHubError, match="small enlarges by 2, not by 4"):
        load_contestants([str(tmp_path / "small")], 4)
    with pytest.raises(SRHubError, match="no model 'nothing'"):
        load_contestants(["nothing"], 4)
    assert load_contestants(["bicubic"], 3)[0].run(torch.rand(1, 3, 4, 5)).shape == (1, 3, 12, 15)


def test_both_forms_of_bicubic_come_first_by_default():
    assert default_names(4)[:2] == ["bicubic", "bicubic-opencv"]


def test_the_recorded_command_holds_no_path_of_the_user(tmp_path):
    folders = [tmp_path / "small", tmp_path / "run1" / "best", tmp_path / "run1" / "step-0000300"]
    for folder in folders:
        folder.mkdir(parents=True)
    models = ["bicubic", *map(str, folders), "user/repo@v1"]
    command = command_line([tmp_path / "Set5"], models, ["--scale", "4"])
    assert command == (
        "python -m sr_hub eval --data Set5 "
        "--models bicubic,small,run1/best,run1/step-0000300,user/repo@v1 --scale 4"
    )


ROWS = [
    tables.Row("a", {"psnr": 28.434, "ssim": 0.81, "rmse": 0.04, "seconds": 1.0}),
    tables.Row("b", {"psnr": 28.431, "ssim": math.nan, "rmse": 0.03, "seconds": 2.0}),
    tables.Row("c", {"psnr": 27.0, "ssim": 0.80, "rmse": 0.05, "seconds": math.nan}),
]


def test_the_best_is_marked_as_it_is_printed():
    marks = tables.best(ROWS, "y")
    assert marks == {"psnr": {"a", "b"}, "ssim": {"a"}, "rmse": {"b"}, "seconds": set()}
    assert tables.best(ROWS, "report")["psnr"] == {"a"}  # four digits there
    assert tables.best(ROWS[:1], "y")["psnr"] == set()


def test_tables_show_dashes_and_marks():
    lines = tables.terminal_table(ROWS, "y", bold=False).splitlines()
    assert lines[2].split() == ["b", "28.43*", "–", "0.0300*", "2.000"]
    assert "\033[1m    28.43\033[0m" in tables.terminal_table(ROWS, "y")
    markdown = tables.markdown_table(ROWS, "y").splitlines()
    assert markdown[0] == "| model | PSNR dB | SSIM | RMSE | s/picture |"
    assert markdown[3] == "| b | **28.43** | – | **0.0300** | 2.000 |"
    assert tables.show(math.inf, "psnr", "y") == "∞"


def test_csv_holds_all_digits_and_the_protocol():
    text = tables.csv_table(ROWS, "y", Protocol.Y.definition)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["psnr"] == "28.434"
    assert rows[1]["ssim"] == ""
    assert rows[2]["definition"] == Protocol.Y.definition


def test_rows_of_results_come_in_their_order(truth_only):
    results = run(truth_only, ["y", "rgb"])
    rows = tables.rows_of(results, "Tiny", "rgb")
    assert [row.model for row in rows] == ["nearest", "bilinear"]
    assert rows[0].values["psnr"] == results["results"][2]["mean"]["psnr"]
    assert tables.columns_of(rows) == ["psnr", "ssim", "fsim", "rmse", "seconds"]
    assert tables.rows_of(results, "Tiny", "report") == []


def test_boxes_stay_inside():
    assert figures.box_at(50, 40, 20, 100, 80) == (40, 30, 20)
    assert figures.box_at(0, 79, 20, 100, 80) == (0, 60, 20)
    assert figures.box_at(5, 5, 500, 100, 80) == (0, 0, 80)


def test_the_telling_box_holds_the_error():
    hr = torch.zeros(1, 3, 100, 120)
    sr = hr.clone()
    sr[..., 70:80, 30:40] = 1
    box = figures.telling_box(hr, [sr])
    assert box.left <= 30 < 40 <= box.left + box.side
    assert box.top <= 70 < 80 <= box.top + box.side
    assert figures.telling_box(hr[..., :1, :1], [sr[..., :1, :1]]) == (0, 0, 1)


def test_the_strip_shows_the_crop_of_every_method_and_of_the_truth():
    hr = torch.zeros(1, 3, 64, 64)
    red, blue = (torch.zeros_like(hr) for _ in range(2))
    red[:, 0, 16:32, 16:32] = 1
    blue[:, 2, 16:32, 16:32] = 1
    hr[:, 1, 16:32, 16:32] = 1
    box = figures.Square(16, 16, 16)
    sheet = figures.strip(hr, {"red": red, "blue": blue}, box, {"red": "20.00 dB / 0.5"}, "a note")
    colours = {colour: count for count, colour in sheet.getcolors(2**16)}
    for colour in [(255, 0, 0), (0, 0, 255)]:
        assert colours[colour] == 192 * 192
    assert colours[(0, 255, 0)] > 192 * 192  # the crop of the truth, and the whole picture
    assert colours[(230, 0, 60)] > 100  # the box
    assert figures.strip(hr, {"red": red}, box).height < sheet.height


def test_captions_have_signs_that_the_font_knows():
    values = {"psnr": math.inf, "ssim": math.nan}
    assert figures.caption(values, "y") == "inf dB / -"
    assert figures.caption({"psnr": 28.434, "ssim": 0.81126}, "y") == "28.43 dB / 0.8113"


def test_figures_refuse_what_does_not_fit():
    hr = torch.zeros(1, 3, 32, 32)
    with pytest.raises(SRHubError, match=r"the box \(20, 0, 16\) is not inside 32x32"):
        figures.crop(hr, figures.Square(20, 0, 16))
    with pytest.raises(SRHubError, match="small is"):
        figures.strip(hr, {"small": hr[..., :8]}, figures.Square(0, 0, 8))
    with pytest.raises(SRHubError, match="the result is"):
        figures.error_map(hr[..., :8], hr)


def test_the_error_map_gets_brighter_with_the_error():
    hr = torch.zeros(1, 3, 1, 4)
    sr = torch.tensor([0.0, 16, 64, 200]).expand(1, 3, 1, 4) / 255
    image = figures.error_map(sr, hr)
    brightness = [sum(image.getpixel((x, 0))) for x in range(4)]
    assert brightness[0] < 20
    assert brightness[0] < brightness[1] < brightness[2] == brightness[3]


def test_a_crop_holds_the_pixels_themselves():
    image = torch.rand(1, 3, 20, 20)
    expected = from_tensor(image).crop((3, 5, 11, 13))
    assert figures.crop(image, figures.Square(3, 5, 8)).tobytes() == expected.tobytes()


def test_pictures_that_others_enlarge_meanwhile_keep_all_cores(monkeypatch):
    """An app measures for one visitor while it enlarges for another."""
    seen = []

    def look() -> int:
        with ThreadPoolExecutor(1) as other:
            return other.submit(torch.get_num_threads).result()

    def measured(*_, **__):
        seen.append((torch.get_num_threads(), look()))
        return {"psnr": 1.0}

    monkeypatch.setattr("sr_hub.evaluate.measure", measured)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        hr = torch.rand(1, 3, 16, 16)
        score({"a": hr, "b": hr}, hr, ["y", "rgb"], 4)
        after = torch.get_num_threads(), look()
    finally:
        torch.set_num_threads(before)
    assert seen == [(1, 3)] * 4 and after == (3, 3)


def test_of_a_strip_of_a_picture_the_whole_is_not_wider_than_the_crops_need():
    hr = torch.rand(1, 3, 8, 4000)
    sheet = figures.strip(hr, {"a": hr}, figures.box_at(9, 4, 8, 4000, 8), note="n")
    assert sheet.width < 2000
