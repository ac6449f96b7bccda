import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sr_hub import bulk
from sr_hub.bulk import (
    Job,
    broken_links,
    enlarge_file,
    find_jobs,
    left_out,
    not_entered,
    run_jobs,
)
from sr_hub.cli import app
from sr_hub.errors import SRHubError
from sr_hub.image import decode
from sr_hub.models import Interpolation
from sr_hub.upscaler import Upscaler


@pytest.fixture(scope="module")
def upscaler():
    return Upscaler(Interpolation(mode="nearest"), device="cpu")


def picture(path, size=(6, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 100 if mode == "L" else (200, 30, 60)[: len(mode)]).save(path)
    return path


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def targets(jobs, folder):
    return {j.source.name: j.target.relative_to(folder).as_posix() for j in jobs}


def test_a_folder_is_mirrored_when_asked(tmp_path, upscaler):
    for name in ("a.jpg", "deep/b.png", "deep/er/c.bmp", ".hidden.png", ".cache/d.png", "read.me"):
        picture(tmp_path / "in" / Path(name).with_suffix(".png")).rename(tmp_path / "in" / name)
    source, target = tmp_path / "in", tmp_path / "out"
    assert targets(find_jobs(source, target), target) == {"a.jpg": "a.png"}
    rows = list(run_jobs(find_jobs(source, target, recursive=True), upscaler))
    assert [row.status for row in rows] == ["done"] * 3
    assert files(target) == ["a.png", "deep/b.png", "deep/er/c.png"]


def test_links_to_folders_are_not_followed_and_the_help_says_so(tmp_path):
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "other" / "b.png")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    jobs = find_jobs(tmp_path / "in", tmp_path / "out", recursive=True)
    assert [job.source.name for job in jobs] == ["a.png"]
    said = CliRunner().invoke(app, ["upscale", "--help"], env={"COLUMNS": "200"}).output
    assert "links to folders are not followed" in said


def test_a_result_that_cannot_be_written_names_where(tmp_path, upscaler):
    (tmp_path / "out").touch()
    job = Job(picture(tmp_path / "a.png"), tmp_path / "out" / "sub" / "a.png", "PNG")
    row = enlarge_file(job, upscaler)
    assert row.error == f"cannot write {job.target}: Not a directory"


def test_results_inside_the_source_are_not_enlarged_again(tmp_path, upscaler):
    picture(tmp_path / "a.png")
    for _ in range(2):
        jobs = find_jobs(tmp_path, tmp_path / "out", recursive=True)
        assert [job.source.name for job in jobs] == ["a.png"]
        list(run_jobs(jobs, upscaler))


def test_a_folder_may_go_into_the_one_around_it(tmp_path):
    source = picture(tmp_path / "small" / "a.png")
    assert find_jobs(source.parent, tmp_path) == [Job(source, tmp_path / "a.png", "PNG")]
    picture(source.parent / "small" / "a.png")
    with pytest.raises(SRHubError, match=r"small/a\.png would be replaced by an enlargement"):
        find_jobs(source.parent, tmp_path, recursive=True)


def test_results_inside_the_source_are_known_by_any_spelling(tmp_path, upscaler, monkeypatch):
    picture(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "in" / "out")
    picture(tmp_path / "in" / "out" / "a.png")
    for target in (tmp_path / "in" / "out", Path("in/../in/out"), tmp_path / "link"):
        jobs = find_jobs(Path("in"), target, recursive=True)
        assert [job.source for job in jobs] == [Path("in/a.png")]


def test_no_two_pictures_become_one_file(tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "a.jpg", "B.png", "b.jpg", "c.png", "a.jpg.bmp"):
        picture(source / name)
    names = targets(find_jobs(source, target), target)
    assert names["a.png"] == "a.png.png"
    assert names["a.jpg"] == "a.jpg.png"
    assert names["c.png"] == "c.png"
    assert names["a.jpg.bmp"] == "a.jpg-2.png"
    assert len({name.casefold() for name in names.values()}) == 6


def test_existing_results_are_skipped_when_asked(tmp_path, upscaler):
    source, target = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        picture(source / name)
    picture(target / "a.png", size=(1, 1))
    rows = list(run_jobs(find_jobs(source, target), upscaler, skip_existing=True))
    assert [row.status for row in rows] == ["skipped", "done"]
    assert Image.open(target / "a.png").size == (1, 1)
    rows = list(run_jobs(find_jobs(source, target), upscaler))
    assert [row.status for row in rows] == ["done", "done"]
    assert Image.open(target / "a.png").size == (24, 16)


def test_a_single_file_goes_into_a_folder_or_under_a_name(tmp_path):
    source = picture(tmp_path / "a.jpg")
    out = tmp_path / "out"
    assert find_jobs(source, out) == [Job(source, out / "a.png", "PNG")]
    assert find_jobs(source, out, format="WEBP") == [Job(source, out / "a.webp", "WEBP")]
    assert find_jobs(source, out / "b.TIF") == [Job(source, out / "b.TIF", "TIFF")]
    assert find_jobs(source, f"{out}.d/") == [Job(source, tmp_path / "out.d" / "a.png", "PNG")]
    assert find_jobs(source.parent, f"{out}.png/")[0].target == tmp_path / "out.png" / "a.png"
    (tmp_path / "dir.png").mkdir()
    assert find_jobs(source.parent, tmp_path / "dir.png")
    assert find_jobs(source, tmp_path / "dir.png")[0].target == tmp_path / "dir.png" / "a.png"


def test_a_picture_that_is_skipped_replaces_no_neighbour(tmp_path, upscaler):
    picture(tmp_path / "a.jpg")
    for status in ("done", "skipped"):
        jobs = find_jobs(tmp_path / "a.jpg", f"{tmp_path}/", skip_existing=True)
        (row,) = run_jobs(jobs, upscaler, skip_existing=True)
        assert row.status == status


def test_a_neighbour_is_not_replaced(tmp_path):
    source, neighbour = picture(tmp_path / "a.jpg"), picture(tmp_path / "a.png")
    with pytest.raises(SRHubError, match=r"a\.png is there already, beside a\.jpg: name the file"):
        find_jobs(source, tmp_path)
    assert find_jobs(source, neighbour) == [Job(source, neighbour, "PNG")]
    assert find_jobs(source, tmp_path, format="WEBP")


def test_what_is_left_out_for_its_name_is_counted(tmp_path):
    for name in ("a.jpg", "b.HEIC", "noext", ".hidden.txt", "sub/c.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert left_out(tmp_path) == {".heic": 1, "": 1}
    assert left_out(tmp_path, recursive=True) == {".heic": 2, "": 1}


def test_what_makes_no_sense_is_refused(tmp_path):
    source = picture(tmp_path / "in" / "a.png")
    folder = source.parent
    cases = [
        (tmp_path / "none", tmp_path, {}, "no file or folder"),
        (source, source, {}, "replaced by an enlargement"),
        (source, folder, {}, "replaced by an enlargement"),
        (folder, folder, {}, "name another folder"),
        (folder, source, {}, "name another folder"),
        (folder, tmp_path / "b.PNG", {}, r"in is a folder and .*b\.PNG named like a picture"),
        (source, f"{source}/", {}, r"a\.png is a file: name a folder"),
        (source, tmp_path / "b.gif", {}, r"b\.gif ends in \.gif: use one of \.png"),
        (source, tmp_path / "b.png", {"format": "JPEG"}, "no name for a file of format JPEG"),
    ]
    for source_path, target, options, message in cases:
        with pytest.raises(SRHubError, match=message):
            find_jobs(source_path, target, **options)
    (tmp_path / "results").touch()
    with pytest.raises(SRHubError, match="results is a file: name a folder"):
        find_jobs(source, tmp_path / "results")
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(SRHubError, match=r"no pictures in .* without --recursive"):
        find_jobs(tmp_path / "empty", tmp_path / "out")


def test_a_row_tells_what_came_of_a_picture(tmp_path, upscaler):
    source, target = picture(tmp_path / "a.png"), tmp_path / "new" / "b.png"
    steps = []
    row = enlarge_file(
        Job(source, target, "PNG"), upscaler, progress=lambda *step: steps.append(step)
    )
    assert (row.input, row.output, row.status) == (str(source), str(target), "done")
    assert (row.input_size, row.output_size) == ((6, 4), (24, 16))
    assert row.seconds > 0
    assert row.error is None
    assert steps == [(1, 1)]
    expected = np.asarray(Image.open(source)).repeat(4, 0).repeat(4, 1)
    assert np.array_equal(np.asarray(decode(target)), expected)


def test_a_format_that_cannot_hold_the_result_fails_before_the_work(tmp_path):
    class NeverCalled:
        scale = 4

        def __call__(self, *_, **__):
            raise AssertionError("enlarged although the result cannot be written")

    source = tmp_path / "a.png"
    Image.new("RGBA", (6, 4), (1, 2, 3, 4)).save(source)
    row = enlarge_file(Job(source, tmp_path / "out" / "a.jpg", "JPEG"), NeverCalled())
    assert row.status == "failed"
    assert row.error.startswith("JPEG cannot hold transparency: use PNG")
    wide = picture(tmp_path / "wide.png", size=(5000, 1))
    row = enlarge_file(Job(wide, tmp_path / "out" / "a.webp", "WEBP"), NeverCalled())
    assert "WEBP cannot hold 20000x4 pixels" in row.error
    assert not (tmp_path / "out").exists()


def test_any_error_is_one_row_and_the_others_go_on(tmp_path, upscaler, monkeypatch):
    source, target = tmp_path / "in", tmp_path / "out"
    for name in "abcd":
        picture(source / f"{name}.png")
    Image.effect_noise((64, 64), 50).save(source / "b.png")
    data = (source / "b.png").read_bytes()
    (source / "b.png").write_bytes(data[: len(data) // 2])

    save = bulk.save

    def fail_on_c(image, path, **options):
        if path.stem == "c":
            raise RuntimeError("something\nnobody expected")
        save(image, path, **options)

    monkeypatch.setattr(bulk, "save", fail_on_c)
    rows = list(run_jobs(find_jobs(source, target), upscaler))
    assert [row.status for row in rows] == ["done", "failed", "failed", "done"]
    assert "damaged" in rows[1].error
    assert rows[2].error == "RuntimeError: something nobody expected"
    assert files(target) == ["a.png", "d.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs file permissions")
def test_a_file_that_may_not_be_read_is_named(tmp_path, upscaler):
    source = picture(tmp_path / "a.png")
    source.chmod(0)
    row = enlarge_file(Job(source, tmp_path / "b.png", "PNG"), upscaler)
    assert row.error == "Permission denied"


def test_notices_are_in_the_row(tmp_path, upscaler):
    source = tmp_path / "a.gif"
    frames = [Image.new("L", (6, 4), shade) for shade in (0, 200)]
    frames[0].save(source, save_all=True, append_images=frames[1:])
    row = enlarge_file(Job(source, tmp_path / "a.png", "PNG"), upscaler)
    assert row.status == "done"
    assert "holds 2 pictures" in row.notices[0]


def test_pictures_that_are_not_reached_are_named(tmp_path):
    for name in ("a.png", "sub/deep/b.png", ".hidden/c.png", "out/d.png", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "found.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "sub" / "gone.jpg").symlink_to("nowhere")
    assert not_entered(tmp_path, tmp_path / "out") == ["sub"]
    assert broken_links(tmp_path) == ["lost.png"]
    assert broken_links(tmp_path, recursive=True) == ["lost.png", "sub/gone.jpg"]
