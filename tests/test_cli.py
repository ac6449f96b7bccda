import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import sr_hub
from sr_hub.cli import app, main
from sr_hub.errors import SRHubError
from sr_hub.image import decode, encode
from sr_hub.models.rrim import RRIM
from sr_hub.records import FORMAT, write_results
from sr_hub.upscaler import Upscaler

RRIM_SMALL = {
    "channels": 8,
    "groups": 1,
    "shallow": "5:4,7:4",
    "middle": "3:4,5:4",
    "deep": "3:4",
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny-x4"
    RRIM(**RRIM_SMALL).save_pretrained(folder)
    return folder


def run(*arguments):
    """Exit code, stdout and stderr of the command line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def noise(channels, top=255):
    shape = (9, 13) if channels == 1 else (9, 13, channels)
    kind = np.uint16 if top > 255 else np.uint8
    return Image.fromarray(np.random.default_rng(0).integers(0, top + 1, shape).astype(kind))


@pytest.fixture
def folder(tmp_path):
    """Seven sound files of seven kinds, a truncated one and a text, in and below a folder."""
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    noise(3).save(source / "photo.jpg")
    noise(2).save(source / "grey-alpha.png")
    noise(1, top=900).save(source / "deep.png")
    palette = noise(3).quantize(4)
    palette.save(source / "palette.png", transparency=bytes([0, 128, 255, 255]))
    noise(3).convert("CMYK").save(source / "cmyk.jpg")
    noise(3).save(source / "modern.avif")
    noise(1).save(source / "sub" / "grey.webp", lossless=True)
    data = encode(noise(3))
    (source / "truncated.png").write_bytes(data[: len(data) // 2])
    (source / "text.png").write_text("not a picture")
    return source


def test_a_folder_of_all_kinds_with_two_bad_files(folder, tmp_path, model_folder):
    out, report = tmp_path / "out", tmp_path / "report.json"
    code, stdout, stderr = run(
        "upscale", folder, out, "--model", model_folder, "--recursive", "--report", report
    )
    assert code == 1
    modes = {
        path.relative_to(out).as_posix(): (Image.open(path).mode, Image.open(path).size)
        for path in out.rglob("*")
        if path.is_file()
    }
    size = (4 * 13, 4 * 9)
    assert modes == {
        "photo.png": ("RGB", size),
        "grey-alpha.png": ("LA", size),
        "deep.png": ("I;16", size),
        "palette.png": ("RGBA", size),
        "cmyk.png": ("RGB", size),
        "modern.png": ("RGB", size),
        "sub/grey.png": ("RGB", size),
    }
    lines = stderr.splitlines()
    assert len(lines) == 2
    assert lines[0] == f"failed: {folder / 'text.png'}: the file is not a picture of a known format"
    assert lines[1].startswith(f"failed: {folder / 'truncated.png'}: the file is damaged: ")
    assert stdout.startswith("7 of 9 pictures enlarged, 2 failed, in ")
    rows = {row["input"]: row for row in json.loads(report.read_text())["pictures"]}
    assert len(rows) == 9
    assert rows[str(folder / "photo.jpg")]["output_size"] == [52, 36]
    assert rows[str(folder / "text.png")]["status"] == "failed"


def test_a_report_that_would_replace_a_picture_is_refused_before_the_work(tmp_path, model_folder):
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    noise(3).save(source)
    before = source.read_bytes()
    for report, said in (
        (source, "is one of the pictures"),
        (target, "is one of the pictures"),
        (tmp_path, "it is a folder"),
        (source / "r.json", "Not a directory"),
    ):
        with pytest.raises(SRHubError, match=said):
            run("upscale", source, target, "--model", model_folder, "--report", report)
    assert source.read_bytes() == before and not target.exists()


def test_a_report_can_name_a_file_whose_name_is_no_text(tmp_path, model_folder):
    folder, report = tmp_path / "in", tmp_path / "report.json"
    folder.mkdir()
    noise(3).save(folder / "a.png")
    try:
        (folder / "a.png").rename(os.fsdecode(os.fsencode(folder) + b"/b\xff.png"))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    arguments = (folder, tmp_path / "out", "--model", model_folder, "--report", report)
    assert run("upscale", *arguments)[0] == 0
    (row,) = json.loads(report.read_text())["pictures"]
    assert os.fsencode(row["input"]).endswith(b"b\xff.png")


def test_the_command_gives_the_pixels_of_upscaler(tmp_path, model_folder):
    source = tmp_path / "a.png"
    noise(4).save(source)
    code, _, stderr = run("upscale", source, tmp_path / "b.png", "--model", model_folder)
    assert (code, stderr) == (0, "")
    expected = Upscaler(model_folder)(decode(source))
    assert (tmp_path / "b.png").read_bytes() == encode(expected)
    assert Image.open(tmp_path / "b.png").text["Model"] == "tiny-x4"
    same = sr_hub.upscale(Image.open(source), model=model_folder)
    assert np.array_equal(np.asarray(same), np.asarray(expected))


def test_formats_and_skipping(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    noise(3).save(source / "a.png")
    noise(4).save(source / "b.png")
    options = ("--model", "bilinear", "--format", "jpeg", "--quality", "80")
    code, stdout, stderr = run("upscale", source, out, *options)
    assert code == 1
    assert "b.png: JPEG cannot hold transparency" in stderr
    assert Image.open(out / "a.jpg").format == "JPEG"
    code, stdout, _ = run("upscale", source, out, "--model", "bilinear", "--format", "webp")
    assert code == 0
    code, stdout, _ = run(
        "upscale", source, out, "--model", "bilinear", "--format", "webp", "--skip-existing"
    )
    assert code == 0
    assert stdout.startswith("0 of 2 pictures enlarged, 2 skipped")


def test_results_of_another_size_than_the_network_gives(tmp_path):
    source, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report.json"
    source.mkdir()
    noise(3).save(source / "wide.png")
    noise(3).rotate(90, expand=True).save(source / "high.png")
    options = ("--model", "bicubic", "--report", report)

    def sizes(*size):
        code, _, stderr = run("upscale", source, out, *options, *size)
        assert (code, stderr) == (0, "")
        written = {name: Image.open(out / f"{name}.png").size for name in ("wide", "high")}
        rows = json.loads(report.read_text())["pictures"]
        assert {tuple(row["output_size"]) for row in rows} == set(written.values())
        return written

    assert sizes() == {"wide": (52, 36), "high": (36, 52)}
    assert sizes("--scale", "1.5") == {"wide": (20, 14), "high": (14, 20)}
    assert sizes("--fit", "26x9999") == {"wide": (26, 18), "high": (26, 38)}
    assert json.loads(report.read_text())["size"]["width"] == 26


def test_notices_are_printed(tmp_path):
    frames = [Image.new("L", (6, 4), shade) for shade in (0, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    code, _, stderr = run("upscale", tmp_path / "a.gif", tmp_path / "out", "--model", "nearest")
    assert code == 0
    assert stderr.startswith(f"note: {tmp_path / 'a.gif'}: holds 2 pictures")


def command(*arguments):
    """The finished process of `python -m sr_hub`."""
    line = [sys.executable, "-m", "sr_hub", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png", "out"], "error: no file or folder none.png"),
        ([".", "out"], "error: no pictures in ."),
        (["-", "out"], "error: pictures do not go through pipes: name a file instead of -"),
        (["a.png", "-"], "error: pictures do not go through pipes: name a file instead of -"),
        (["a.png", "out", "--model", "no-such-model"], "error: no model 'no-such-model'"),
        (["a.png", "out", "--model", "nearest", "--device", "banana"], "error: no device 'banana'"),
        (["a.png", "out", "--scale", "5"], "error: a scale of 5: give more than 0 and at most 4"),
        (["a.png", "out", "--fit", "600"], "error: '600' is no box of pixels: give 3840x2160"),
        (["a.png", "out", "--fit", "6x", "--scale", "2"], "error: a scale and a box for the"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "a.png":
        noise(3).save("a.png")
    monkeypatch.setattr(sys, "argv", ["sr-hub", "upscale", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    stderr = capsys.readouterr().err
    assert stop.value.code == 2
    assert stderr.startswith(message)
    assert stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"a.png"}


def test_a_slash_at_the_end_names_a_folder(tmp_path, model_folder):
    noise(3).save(tmp_path / "a.jpg")
    out = tmp_path / "out.d"
    assert run("upscale", tmp_path / "a.jpg", f"{out}/", "--model", model_folder)[0] == 0
    assert [path.name for path in out.iterdir()] == ["a.png"]


def test_the_version_is_told():
    assert run("--version") == (0, f"sr_hub {sr_hub.__version__}\n", "")


def test_what_the_system_refuses_is_one_line_too(monkeypatch, capsys):
    def full_disk(*_, **__):
        raise OSError(28, "No space left on device", "out")

    monkeypatch.setattr("sr_hub.bulk.find_jobs", full_disk)
    monkeypatch.setattr(sys, "argv", ["sr-hub", "upscale", "in", "out"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: out: No space left on device\n"


def test_mistyped_options_are_exit_code_two(tmp_path):
    assert run("upscale", "a.png", "b.png", "--precision", "fp8")[0] == 2
    assert run("upscale", "a.png", "b.png", "--tile", "0")[0] == 2


def test_it_runs_as_a_module_without_bars_or_tracebacks(tmp_path):
    noise(3).save(tmp_path / "a.png")
    (tmp_path / "bad.png").write_text("text")
    done = command("upscale", tmp_path, tmp_path / "out", "--model", "bicubic")
    assert done.returncode == 1
    assert done.stdout.startswith("1 of 2 pictures enlarged, 1 failed, in ")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"failed: {tmp_path / 'bad.png'}: ")


def test_a_terminal_gets_a_bar(tmp_path, monkeypatch, capsys):
    for name in "ab":
        noise(3).save(tmp_path / f"{name}.png")
    line = ["upscale", str(tmp_path), str(tmp_path / "out"), "--model", "nearest"]
    monkeypatch.setattr(sys, "argv", ["sr-hub", *line])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capsys.readouterr().err
    assert stop.value.code == 0
    assert "2/2" in shown and "picture" in shown


def stored(model, psnr, created):
    return {
        "format": FORMAT,
        "created": created,
        "scale": 4,
        **{"protocols": {}, "datasets": {}, "models": {}},
        "results": [
            {
                "dataset": "Set5",
                "model": model,
                "protocol": "y",
                "mean": {"psnr": psnr, "ssim": 0.9},
            },
            {"dataset": "Set5", "model": model, "protocol": "rgb", "mean": {"psnr": 1, "ssim": 0}},
        ],
    }


def test_models_lists_size_cost_and_scores(monkeypatch, model_folder, tmp_path):
    monkeypatch.setattr("sr_hub.bundled.CHECKPOINTS", model_folder.parent)
    monkeypatch.setattr("sr_hub.zoo.RESULTS", tmp_path)
    _, without, _ = run("models")
    assert "No scores are stored" in without
    write_results(stored("tiny-x4", 31.254, "2026-02-01"), tmp_path / "a.json")
    write_results(stored("tiny-x4", 11.111, "2026-01-01"), tmp_path / "b.json")
    code, stdout, _ = run("models")
    assert code == 0
    rows = {line.split()[0]: line.split() for line in stdout.splitlines() if line}
    network = RRIM(**RRIM_SMALL)
    size = (model_folder / "model.safetensors").stat().st_size / 1e6
    macs = network.multiply_adds(64, 64) / 1e9
    assert rows["tiny-x4"][1:] == [
        *["RRIM", "x4", f"{network.num_parameters:,}", f"{macs:.2f}", "G", f"{size:.1f}", "MB"],
        *["31.25", "/", "0.9000"],
    ]
    assert rows["bicubic"] == ["bicubic", "Interpolation", "x4", "–", "–", "–", "–"]
    assert "protocol y" in stdout


def test_a_folder_tells_of_sub_folders_and_links_that_it_passes_over(tmp_path):
    source = tmp_path / "in"
    for name in ("a.png", "sub/b.png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        noise(3).save(source / name)
    for number in range(5):
        (source / f"gone{number}.png").symlink_to("nowhere")
    code, _, stderr = run("upscale", source, tmp_path / "out", "--model", "nearest")
    assert code == 0
    assert "note: --recursive takes in the pictures of sub\n" in stderr
    assert "links that lead nowhere: gone0.png, gone1.png, gone2.png and 2 more\n" in stderr
    _, _, stderr = run("upscale", source, tmp_path / "out", "--model", "nearest", "--recursive")
    assert "--recursive takes" not in stderr
