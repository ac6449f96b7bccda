import json
import logging
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from sr_hub.degrade import downscale, quantise
from sr_hub.errors import SRHubError
from sr_hub.files import write_text
from training import decoding
from training.data import Pictures
from training.split import main as split_main
from training.split import split


def gradient(height: int, width: int) -> np.ndarray:
    """Every pixel tells its place: red is the row, green the column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)


def save(folder: Path, name: str, array: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(folder / name)
    return folder / name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index, (height, width) in enumerate([(120, 90), (80, 140)]):
        noise = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
        save(tmp_path / "pictures", f"{index}.png", noise)
    return tmp_path / "pictures"


def batch(pictures: Pictures, **changes) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures.batch(**{"scale": 4, "patch": 8, "size": 6, "seed": 1, "step": 5, **changes})


def test_reads_files_subfolders_and_tar_shards_in_the_order_of_their_names(folder: Path):
    shard = folder / "shard.tar"
    inner = save(folder.parent / "loose", "c.png", gradient(40, 50))
    with tarfile.open(shard, "w") as archive:
        archive.add(inner, "deep/c.png")
    save(folder / "more", "d.png", gradient(60, 30))
    pictures = Pictures.read(folder)
    assert [Path(name).name for name in pictures.names] == ["0.png", "1.png", "d.png", "c.png"]
    assert pictures.sizes.tolist() == [[120, 90], [80, 140], [60, 30], [40, 50]]
    expected = torch.from_numpy(gradient(40, 50)).permute(2, 0, 1) / 255
    assert torch.equal(pictures.picture(3)[0], expected)


def test_what_is_hidden_is_left_out_and_so_is_a_folder(folder: Path):
    save(folder / ".ipynb_checkpoints", "0-checkpoint.png", gradient(60, 30))
    save(folder, ".0.png", gradient(60, 30))
    assert len(Pictures.read(folder)) == 2


def test_a_damaged_shard_is_one_line(folder: Path):
    with tarfile.open(folder / "shard.tar", "w") as archive:
        archive.add(folder / "0.png", "0.png")
    whole = (folder / "shard.tar").read_bytes()
    (folder / "shard.tar").write_bytes(whole[:700])
    with pytest.raises(SRHubError, match=r"shard\.tar is damaged"):
        Pictures.read(folder)


def test_a_batch_is_a_function_of_seed_step_and_rank(folder: Path):
    first, again = Pictures.read(folder), Pictures.read(folder)
    lr, hr = batch(first)
    assert lr.shape == (6, 3, 8, 8) and hr.shape == (6, 3, 32, 32)
    assert all(torch.equal(a, b) for a, b in zip(batch(again), (lr, hr), strict=True))
    for change in ({"seed": 2}, {"step": 6}, {"rank": 1}):
        assert not torch.equal(batch(first, **change)[1], hr)


def test_patches_are_cut_from_the_pictures_in_all_eight_orientations(tmp_path: Path):
    save(tmp_path, "a.png", gradient(100, 90))
    _, hr = batch(Pictures.read(tmp_path), size=64)
    turns = set()
    for patch in (hr * 255).round().long():
        down, right = patch[:2, 1, 0] - patch[:2, 0, 0], patch[:2, 0, 1] - patch[:2, 0, 0]
        turns.add((*down.tolist(), *right.tolist()))
        rows, columns = patch[0], patch[1]
        assert rows.max() - rows.min() == 31 and columns.max() - columns.min() == 31
    assert len(turns) == 8


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_low_patch_is_what_the_whole_degraded_picture_has_there(tmp_path: Path, scale: int):
    side = 24 * scale
    noise = np.random.default_rng(0).integers(80, 180, size=(side, side, 3), dtype=np.uint8)
    save(tmp_path, "a.png", noise)
    pictures = Pictures.read(tmp_path)
    lr, hr = batch(pictures, scale=scale, patch=20, size=4)
    whole = quantise(downscale(pictures.picture(0), scale))
    turned = [torch.rot90(w, k, (-2, -1)) for w in (whole, whole.flip(-1)) for k in range(4)]
    inner = [w[..., 2:-2, 2:-2] for w in turned]
    for low in lr:
        assert min((low - candidate[0]).abs().max() for candidate in inner) < 1.5 / 255
    assert hr.shape[-1] == 20 * scale


def test_real_degradation_changes_the_low_patch_alone(folder: Path):
    pictures = Pictures.read(folder)
    clean_lr, clean_hr = batch(pictures)
    lr, hr = batch(pictures, degradation="real")
    assert torch.equal(hr, clean_hr) and not torch.equal(lr, clean_lr)
    assert torch.equal(lr, quantise(lr))
    assert torch.equal(lr, batch(pictures, degradation="real")[0])


def test_a_corrupt_picture_is_named_once_skipped_and_counted(folder: Path, caplog):
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    save(folder, "deep.tiff", np.full((90, 90), 999, dtype=np.uint16))
    with caplog.at_level(logging.WARNING):
        pictures = Pictures.read(folder)
    assert len(pictures) == 2 and pictures.skipped == 2
    assert caplog.text.count("broken.jpg") == 1 and caplog.text.count("deep.tiff") == 1


def test_transparency_that_hides_colours_is_skipped_and_an_opaque_one_is_not(tmp_path, caplog):
    red = np.full((40, 40, 4), [255, 0, 0, 255], dtype=np.uint8)
    save(tmp_path, "opaque.png", red)
    red[:, 20:, 3] = 0
    save(tmp_path, "hidden.png", red)
    save(tmp_path, "grey.png", red[..., 2:])
    pictures = Pictures.read(tmp_path)
    assert [Path(name).name for name in pictures.names] == ["opaque.png"]
    assert pictures.picture(0)[0, :, 0, 0].tolist() == [1, 0, 0]
    assert caplog.text.count("transparent parts") == pictures.skipped == 2


def test_no_file_starts_another_program(folder: Path, monkeypatch):
    Image.open(folder / "0.png").save(folder / "figure.eps")
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_: started.append(1))
    assert Pictures.read(folder).skipped == 1 and not started


def test_pictures_are_read_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(gradient(40, 50)).save(tmp_path / "a.png", exif=exif)
    assert Pictures.read(tmp_path).sizes.tolist() == [[50, 40]]


def test_a_folder_without_pictures_is_refused_by_name(tmp_path: Path):
    with pytest.raises(SRHubError, match="not a folder"):
        Pictures.read(tmp_path / "nowhere")
    with pytest.raises(SRHubError, match="holds no picture"):
        Pictures.read(tmp_path)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(SRHubError, match=r"holds no picture.*1 files"):
        Pictures.read(tmp_path)


def test_pictures_under_a_size_are_left_out_and_told_in_one_line(folder: Path, caplog):
    for index in range(4):
        save(folder, f"small{index}.png", gradient(30, 99 + index))
    save(folder, "last.png", gradient(100, 101))
    pictures = Pictures.read(folder)
    assert pictures.without_small(30, "a patch") is pictures and not caplog.text
    large = pictures.without_small(90, "a patch")
    assert large.sizes.tolist() == [[120, 90], [100, 101]] and large.skipped == 5
    assert torch.equal(large.picture(1), pictures.picture(2))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "5 of 7 pictures are under 90x90, which a patch needs, and left out: "
        "1.png, small0.png, small1.png, ..."
    )
    whole = set(torch.unique(large.batch(scale=4, patch=18, size=9, seed=0, step=0)[1]).tolist())
    assert len(whole) > 100, "patches are cut where the pictures lie"


def test_pictures_that_are_all_too_small_are_refused(folder: Path):
    said = "all 2 pictures are under 91x91, which a patch needs: use a smaller one"
    with pytest.raises(SRHubError, match=said):
        Pictures.read(folder).without_small(91, "a patch", "use a smaller one")


def test_few_files_are_read_ahead_of_the_picture_that_is_asked_for(folder: Path, monkeypatch):
    for index in range(40):
        save(folder, f"more{index:02}.png", gradient(8, 8))
    seen = []
    decode = decoding._decode
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(
        "training.decoding._decode", lambda *file: seen.append(file[0]) or decode(*file)
    )
    for count, _ in enumerate(decoding.decoded(folder), start=1):
        assert len(seen) <= count + 2
    assert count == 42


def test_pictures_beyond_the_memory_are_one_line_before_any_is_decoded(folder, monkeypatch):
    monkeypatch.setattr("training.decoding.free_memory", lambda: 60_000)
    monkeypatch.setattr("training.decoding._decode", lambda *_: pytest.fail("decoded"))
    save(folder, "large.png", np.zeros((7000, 5000, 3), dtype=np.uint8))
    said = r"pictures take 0\.1 GB decoded, more than is free: give --cache FOLDER"
    with pytest.raises(SRHubError, match=said):
        Pictures.read(folder, remedy="--cache FOLDER")


def test_memory_that_ends_while_pictures_are_decoded_is_one_line(folder, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("training.decoding._decode", fail)
    with pytest.raises(SRHubError, match="more than is free: give fewer pictures"):
        Pictures.read(folder)
    with pytest.raises(SRHubError, match=r"largest pictures .* do not fit into memory: cut them"):
        Pictures.read(folder, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_the_memory_of_a_container_counts(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(decoding, "ALLOWED", tmp_path / "memory.max")
    free = decoding.free_memory()
    assert free > 10**6
    (tmp_path / "memory.max").write_text("1000\n")
    assert decoding.free_memory() == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert decoding.free_memory() > 10**6


def test_a_cache_is_filled_without_all_pictures_in_memory(folder, tmp_path, monkeypatch):
    expected = batch(Pictures.read(folder))[1]
    monkeypatch.setattr("training.data.in_memory", lambda *_: pytest.fail("held them all"))
    monkeypatch.setattr("training.decoding.free_memory", lambda: 0)
    assert torch.equal(batch(Pictures.read(folder, cache=tmp_path / "cache"))[1], expected)


def test_a_file_that_may_not_be_read_is_named_and_not_the_cache(folder, tmp_path, monkeypatch):
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("training.decoding._each_member", refuse)
        (folder / "locked.tar").write_bytes(b"")
        for cache in (None, tmp_path / "cache"):
            with pytest.raises(SRHubError, match=r"cannot read .*locked\.tar: Permission denied"):
                Pictures.read(folder, cache=cache)


def test_pictures_whose_header_was_wrong_are_read_whole(folder: Path, monkeypatch):
    monkeypatch.setattr("training.decoding.size_in_header", lambda stream: (3, 3))
    assert torch.equal(Pictures.read(folder).picture(1)[0, 0, 0, :2], _first_reds(folder / "1.png"))


def _first_reds(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))[0, :2, 0] / 255).float()


def test_pictures_tell_their_number_and_memory(folder: Path):
    save(folder, "large.png", gradient(3000, 2000))
    assert str(Pictures.read(folder)) == "3 pictures, 6 million pixels, 0.02 GB"


def test_pictures_that_others_hold_too_are_found_by_their_pixels(folder: Path, tmp_path: Path):
    other = tmp_path / "other"
    same = np.array(Image.open(folder / "1.png"))
    changed = np.array(Image.open(folder / "0.png"))
    changed[0, 0] ^= 1  # far from the middle
    save(other, "same.bmp", same)
    save(other, "changed.png", changed)
    save(other, "new.png", gradient(50, 60))
    found = Pictures.read(other).also_in(Pictures.read(folder))
    assert [Path(name).name for name in found] == ["same.bmp"]


def test_the_cache_serves_until_the_folder_changes(folder: Path, tmp_path: Path, monkeypatch):
    cache = tmp_path / "cache"
    decoded = Pictures.read(folder)
    Pictures.read(folder, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr("training.decoding._decode", lambda name, _: pytest.fail(f"decoded {name}"))
        mapped = Pictures.read(folder, cache=cache)
    assert mapped.names == decoded.names
    assert torch.equal(batch(mapped)[1], batch(decoded)[1])
    save(folder, "new.png", gradient(70, 70))
    assert len(Pictures.read(folder, cache=cache)) == 3
    os.utime(folder / "new.png", ns=(1, 1))
    assert len(Pictures.read(folder, cache=cache)) == 3


@pytest.mark.parametrize("index", ["", '{"of": "a', "[]", "\xff"])
def test_a_damaged_cache_is_filled_anew(folder: Path, tmp_path: Path, index: str):
    cache, expected = tmp_path / "cache", batch(Pictures.read(folder))[1]
    Pictures.read(folder, cache=cache)
    (cache / "index.json").write_text(index, encoding="latin-1")
    assert torch.equal(batch(Pictures.read(folder, cache=cache))[1], expected)
    assert json.loads((cache / "index.json").read_text())["names"]


def test_a_cache_among_the_pictures_is_refused(folder: Path):
    with pytest.raises(SRHubError, match=r"--cache .* lies in .*: give a folder beside it"):
        Pictures.read(folder, cache=folder / "cache")
    assert not (folder / "cache").exists()


def test_a_cache_that_was_left_half_written_serves_no_other_pictures(
    folder: Path, tmp_path: Path, monkeypatch
):
    cache, other = tmp_path / "cache", tmp_path / "other"
    for picture in folder.iterdir():
        save(other, picture.name, 255 - np.array(Image.open(picture)))
    expected = batch(Pictures.read(folder, cache=cache))[1].clone()

    def interrupted(path: Path, text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("training.data.write_text", interrupted)
        Pictures.read(other, cache=cache)
    assert torch.equal(batch(Pictures.read(folder, cache=cache))[1], expected)
    inverse = batch(Pictures.read(other, cache=cache))[1]
    assert torch.allclose(inverse, 1 - expected)


def test_two_runs_that_fill_a_cache_at_once_keep_their_own_pictures(
    folder: Path, tmp_path: Path, monkeypatch
):
    cache, other = tmp_path / "cache", tmp_path / "other"
    save(other, "2.png", gradient(90, 90))
    decoded = {source: Pictures.read(source) for source in (folder, other)}
    read = []

    def overtaken(path: Path, text: str) -> None:
        if not read:
            read.append(None)
            read[0] = Pictures.read(other, cache=cache)
        write_text(path, text)

    monkeypatch.setattr("training.data.write_text", overtaken)
    found = {folder: Pictures.read(folder, cache=cache), other: read[0]}
    for _ in range(2):
        for source, pictures in found.items():
            assert torch.equal(batch(pictures)[1], batch(decoded[source])[1])
        found = {source: Pictures.read(source, cache=cache) for source in found}


def test_a_cache_keeps_the_pixels_of_one_folder_and_the_files_of_others(folder, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("pixels.bin", "pytorch_model.bin"):
        (cache / name).write_bytes(b"old")
    for index in range(2):
        save(folder, f"more{index}.png", gradient(70, 70))
        Pictures.read(folder, cache=cache)
    _, pixels, model = sorted(path.name for path in cache.iterdir())
    assert pixels.startswith("pixels-") and model == "pytorch_model.bin"


def test_split_gives_eight_one_one_and_the_same_again(tmp_path: Path):
    for index in range(20):
        save(tmp_path / "all", f"{index:02}.png", gradient(4, 4))
    assert split(tmp_path / "all", tmp_path / "a") == {"train": 16, "val": 2, "test": 2}
    split(tmp_path / "all", tmp_path / "b")
    split(tmp_path / "all", tmp_path / "c", seed=1)
    parts = {n: sorted(p.name for p in (tmp_path / n / "val").iterdir()) for n in "abc"}
    assert parts["a"] == parts["b"] != parts["c"]
    names = [p.name for p in (tmp_path / "a").rglob("*.png")]
    assert len(set(names)) == 20


def test_split_of_links_gives_files_that_can_be_read(tmp_path: Path):
    (tmp_path / "links").mkdir()
    for index in range(10):
        save(tmp_path / "real", f"{index}.png", gradient(20, 20))
        (tmp_path / "links" / f"{index}.png").symlink_to(Path("..") / "real" / f"{index}.png")
    assert split(tmp_path / "links", tmp_path / "out") == {"train": 8, "val": 1, "test": 1}
    assert len(Pictures.read(tmp_path / "out" / "train")) == 8


def test_split_takes_only_what_is_a_picture_or_a_shard(tmp_path: Path, capsys, caplog):
    for index in range(9):
        save(tmp_path / "all", f"{index:02}.png", gradient(4, 4))
    with tarfile.open(tmp_path / "all/shard.tar", "w") as archive:
        archive.add(tmp_path / "all/00.png", "a.png")
    (tmp_path / "all/empty.jpg").write_bytes(b"")
    (tmp_path / "all/notes.txt").write_text("no picture")
    (tmp_path / "all/broken.png").write_bytes(b"\x89PNG no more")
    assert split_main([str(tmp_path / "all"), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == "train: 8, val: 1, test: 1\n"
    assert "left out 3 files that are no pictures, like" in caplog.text
    suffixes = sorted(path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert suffixes == [".png"] * 9 + [".tar"]


def test_split_refuses_in_one_line(tmp_path: Path, capsys):
    for index in range(10):
        save(tmp_path / "all", f"{index}.png", gradient(4, 4))
    save(tmp_path / "few", "a.png", gradient(4, 4))
    (tmp_path / "few/notes.txt").write_text("no picture")
    (tmp_path / "out").mkdir()
    assert split_main([str(tmp_path / "all"), str(tmp_path / "out")]) == 2
    assert split_main([str(tmp_path / "nothing"), str(tmp_path / "new")]) == 2
    assert split_main([str(tmp_path / "few"), str(tmp_path / "new")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and "exists already" in lines[0] and "no pictures" in lines[1]
    assert (
        "1 pictures to divide (and 1 files that are none): each part gets one from 10" in lines[2]
    )
    assert not (tmp_path / "new").exists()


def test_split_into_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys):
    for index in range(10):
        picture = save(tmp_path / "all", f"{index}.png", gradient(4, 4))
    assert split_main([str(tmp_path / "all"), str(picture / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "9.png/out" in line


def test_the_training_shards_are_read_whole(shared: Path, tmp_path: Path):
    (tmp_path / "val").symlink_to(shared / "data/val")
    pictures = Pictures.read(tmp_path / "val")
    assert len(pictures) == 41 and pictures.skipped == 0
    assert set(map(tuple, pictures.sizes.tolist())) == {(512, 512)}
