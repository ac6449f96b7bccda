"""The commands of training as a researcher types them."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import command, make_run, read_rows, write_pictures

from sr_hub.errors import SRHubError
from sr_hub.interpolate import interpolate as blend
from sr_hub.models import MODELS, load_model
from training import bench, interpolate, loop, push, train
from training.checkpoint import read_state
from training.config import TrainConfig
from training.data import Pictures
from training.discriminators import DISCRIMINATORS
from training.perceptual import LAYERS
from training.push import chosen_row
from training.recipes import RECIPES
from training.run import Run
from training.setup import read_run

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="module")
def finished(pictures: Path, tmp_path_factory) -> Path:
    """A finished run of a few steps."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    line = command(pictures, out, "tiny", "--steps", "6", "--set", "validate_every=3")
    assert train.main(line) == 0
    return out


def refused(capsys, line: list[str]) -> str:
    """The one line that the command says when it refuses."""
    capsys.readouterr()
    assert train.main(line) == 2
    (message,) = [text for text in capsys.readouterr().err.splitlines() if text]
    assert message.startswith("error: ")
    return message


def test_training_needs_nothing_that_a_bare_machine_with_a_gpu_lacks(pictures, tmp_path):
    absent = "typer gradio piq matplotlib lpips ray skimage spandrel torchvision onnx fastapi"
    code = f"""
import sys
for name in {absent.split()}:
    sys.modules[name] = None
from training import train
sys.exit(train.main(sys.argv[1:]))
"""
    line = command(pictures, tmp_path / "run", "tiny-gan", "--steps", "2")
    done = subprocess.run(
        [sys.executable, "-c", code, *line], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model" / "config.json").is_file()


def test_ctrl_c_ends_the_command_saved_and_with_its_own_exit_code(
    pictures: Path, tmp_path: Path, monkeypatch
):
    take_step = loop.take_step

    def press(run: Run, batch: tuple) -> tuple:
        if run.state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return take_step(run, batch)

    monkeypatch.setattr(loop, "take_step", press)
    assert train.main(command(pictures, tmp_path, "tiny", "--steps", "9")) == train.INTERRUPTED
    assert read_state(tmp_path / "last.pt")["step"] == 3


def test_a_run_that_leaves_the_path_has_its_own_exit_code(pictures, tmp_path, monkeypatch, capsys):
    batch = Run.batch
    monkeypatch.setattr(Run, "batch", lambda run, step: [x * np.nan for x in batch(run, step)])
    line = command(pictures, tmp_path, "tiny", "--steps", "9", "--set", "patience=1")
    assert train.main(line) == train.NOT_FINITE
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: stopped at step 1 after a step that was not finite")


def test_a_terminal_sees_a_progress_bar_with_loss_score_and_time_left(
    pictures: Path, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert train.main(command(pictures, tmp_path, "tiny", "--steps", "25")) == 0
    last = capsys.readouterr().err.replace("\r", "\n").splitlines()[-1]
    assert "25/25" in last and "loss=0.0" in last and "dB=" in last and "<00:00" in last


def test_run_json_says_how_it_was_made(finished: Path):
    facts = json.loads((finished / "run.json").read_text())
    assert facts["recipe"] == "tiny" and facts["config"]["steps"] == 6
    assert facts["data"] == {"name": "pictures", "pictures": 4, "skipped": 0}
    assert facts["parameters"] == load_model(finished / "model").num_parameters
    assert facts["processes"] == 1 and facts["machine"] and facts["torch"] == torch.__version__


def test_an_empty_folder_is_one_clear_line(pictures: Path, tmp_path: Path, capsys):
    (tmp_path / "empty").mkdir()
    line = command(pictures, tmp_path / "out")
    line[line.index("--data") + 1] = str(tmp_path / "empty")
    assert "empty holds no picture" in refused(capsys, line)
    line[line.index("--data") + 1] = str(tmp_path / "nowhere")
    assert "nowhere is not a folder" in refused(capsys, line)


def test_a_folder_that_cannot_be_written_is_one_clear_line(pictures, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert "file" in refused(capsys, command(pictures, tmp_path / "file" / "out"))


def test_pictures_smaller_than_the_patch_are_one_clear_line(pictures, tmp_path, capsys):
    message = refused(capsys, command(pictures, tmp_path / "out", "tiny", "--patch", "21"))
    assert "0.png is 96x96, but a patch with its margin needs 100x100" in message
    assert not (tmp_path / "out" / "last.pt").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lrr=1", "no setting 'lrr'"),
        ("lr", "NAME=VALUE, not 'lr'"),
        ("lr=fast", "lr is of type float, not 'fast'"),
        ("lr=-1", "lr is a finite number above 0, not -1"),
        ("lr=1e999", "lr is a finite number above 0, not inf"),
        ("discriminator_lr=0", "discriminator_lr is a finite number above 0"),
        ("steps=2.5", "steps is of type int"),
        ("schedule=linear", "schedule is cosine or halving or constant"),
        ("ema=1", "ema is at least 0 and below 1, not 1.0"),
        ("ema=-0.1", "ema is at least 0 and below 1, not -0.1"),
        ("clip=-1", "clip is a finite number of at least 0, not -1"),
        ("clip=1e999", "clip is a finite number of at least 0, not inf"),
        ("warmup=-5", "warmup is a finite number of at least 0, not -5"),
        ("pixel_steps=-1", "pixel_steps is a finite number of at least 0"),
        ("seed=-1", "seed is a finite number of at least 0, not -1"),
        ("validate_every=-1", "validate_every is a finite number of at least 0"),
        ("save_every=-1", "save_every is a finite number of at least 0"),
        ("keep_every=-1", "keep_every is a finite number of at least 0"),
        ("sample_every=-1", "sample_every is a finite number of at least 0"),
        ("betas=(0.9,)", "betas are two numbers, at least 0 and below 1, not (0.9,)"),
        ("betas=(0.9,1)", "betas are two numbers, at least 0 and below 1, not (0.9, 1)"),
        ("betas=('a','b')", "betas are two numbers"),
        ("validation_side=31", "validation_side is at least 32 pixels, not 31"),
        ("losses={}", "at least one loss"),
        ("losses.l3=1", "no loss 'l3'"),
        ("losses.l1=abc", "losses.l1 is a finite number of at least 0, not 'abc'"),
        ("losses.l1=-1", "losses.l1 is a finite number of at least 0, not -1"),
        ("losses.l1=1e999", "losses.l1 is a finite number of at least 0, not inf"),
        ("losses.l1=True", "losses.l1 is a finite number of at least 0, not True"),
        ("lr.x=1", "no setting 'lr.x'"),
        ("vgg_layers.conv9_9=1", "VGG19 has no layer 'conv9_9': conv1_1 to conv5_4"),
        ("vgg_layers.conv5_4=-1", "vgg_layers.conv5_4 is a finite number of at least 0"),
        ("discriminator=Judge", "no discriminator 'Judge': SRGANDiscriminator"),
        (
            "discriminator_arguments.colour=7",
            "SRGANDiscriminator has no argument 'colour': channels, hidden, batch_norm",
        ),
        ("discriminator_arguments.hidden=wide", "hidden of SRGANDiscriminator is of type int"),
        ("discriminator_arguments.batch_norm=1", "batch_norm of SRGANDiscriminator is of type"),
        ("discriminator_arguments.channels=0", "channels of SRGANDiscriminator is at least 1"),
        ("arguments.channels=7", "7"),
        ("arguments.colour=7", "colour"),
        ("architecture=Nothing", "no network 'Nothing'"),
    ],
)
def test_wrong_settings_are_one_clear_line(pictures, tmp_path, capsys, setting, message):
    line = command(pictures, tmp_path / "out", "tiny-gan", "--steps", "1", "--set", setting)
    assert message in refused(capsys, line)
    assert not (tmp_path / "out").exists()


def test_wrong_options_are_one_clear_line(pictures, tmp_path, capsys):
    line = command(pictures, tmp_path / "out", "tiny")
    assert "lr is a finite number above 0, not nan" in refused(capsys, [*line, "--lr", "nan"])
    assert "seed is a finite number of at least 0" in refused(capsys, [*line, "--seed", "-3"])


def test_a_perceptual_loss_without_a_layer_is_one_clear_line(pictures, tmp_path, capsys):
    more = ["--set", "vgg_layers={}", "losses.perceptual=1"]
    message = refused(capsys, command(pictures, tmp_path / "out", "tiny", *more))
    assert "vgg_layers needs a layer with a weight" in message


def test_validation_pictures_too_small_to_measure_are_one_clear_line(pictures, tmp_path, capsys):
    small = write_pictures(tmp_path / "small", side=19)
    line = [*command(pictures, tmp_path / "out"), "--val", str(small)]
    message = refused(capsys, line)
    assert "0.png is 19x19, but a validation by any measure needs 20x20: take out the 4" in message


def test_a_patch_too_small_for_vgg_is_one_clear_line(pictures, tmp_path, capsys):
    more = ["--patch", "3", "--set", "losses.perceptual=1"]
    message = refused(capsys, command(pictures, tmp_path / "out", "tiny", *more))
    assert "VGG19 needs 23 pixels, patch=3 enlarged has 12" in message


def test_settings_reach_every_kind_of_field():
    text = "losses.fft_l1=0.05 arguments.shallow=5:4,7:4 clip=2 betas=[0.5,0.9] degradation=real"
    config = TrainConfig("RRIM").with_settings([*text.split(), "vgg_before_activation=True"])
    assert config.losses == {"l1": 1.0, "fft_l1": 0.05}
    assert config.arguments == {"shallow": "5:4,7:4"}
    assert config.clip == 2.0 and config.betas == (0.5, 0.9)
    assert config.vgg_before_activation and config.degradation == "real"
    assert TrainConfig("RRIM").losses == {"l1": 1.0}


def test_one_loss_can_take_the_place_of_another_in_any_order():
    for settings in (["losses.l1=0", "losses.mse=25"], ["losses.mse=25", "losses.l1=0"]):
        assert TrainConfig("RRIM").with_settings(settings).losses == {"l1": 0, "mse": 25}


def test_start_from_takes_the_weights_and_the_arguments_of_a_folder(finished, pictures, tmp_path):
    run = make_run(pictures, tmp_path / "gan", "tiny-gan", "--start-from", str(finished / "model"))
    weights = load_model(finished / "model").state_dict()
    for name, tensor in run.state.generator.state_dict().items():
        assert torch.equal(tensor, weights[name])
    with pytest.raises(SRHubError, match="holds a RRIM; this recipe trains a SRResNet"):
        make_run(pictures, tmp_path / "other", "srgan", "--start-from", str(finished / "model"))


def test_start_from_refuses_what_would_make_another_network(finished, pictures, tmp_path):
    folder = str(finished / "model")
    for more, said in (
        (["--scale", "2"], "--scale 2: the weights to go on from enlarge by 4"),
        (["--set", "arguments.groups=3"], "arguments.groups is .*--start-from takes the network"),
    ):
        with pytest.raises(SRHubError, match=said):
            make_run(pictures, tmp_path / "run", "tiny", "--start-from", folder, *more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("inside", "origin"), [("best", "begun"), ("", "begun")])
def test_a_resumed_run_keeps_where_it_began(finished, pictures, tmp_path, inside, origin):
    begun, out = tmp_path / "begun", tmp_path / "run"
    shutil.copytree(finished / "model", begun / inside)
    line = command(pictures, out, "tiny", "--steps", "2")
    assert train.main([*line, "--start-from", str(begun / inside)]) == 0
    assert read_run(out)["start_from"] == origin
    assert train.main([*command(pictures, out, "tiny", "--steps", "4"), "--resume"]) == 0
    assert read_run(out)["start_from"] == origin


def test_push_tells_the_score_of_the_best_by_the_measure_of_the_end():
    by_psnr = [{"step": 2, "val_psnr_y": 28.5}]
    by_lpips = [{"step": s, "val_psnr_y": 28, "val_lpips": v} for s, v in ((4, 0.2), (6, 0.1))]
    assert chosen_row([*by_psnr, *by_lpips], "best")["step"] == 6
    assert chosen_row(by_psnr, "best")["step"] == 2


def test_push_tells_of_the_last_generator_what_was_measured_on_it(finished, tmp_path):
    run, out = tmp_path / "run", tmp_path / "hub"
    shutil.copytree(finished, run)
    validated = [row for row in read_rows(run) if "val_psnr_y" in row]
    assert [row["step"] for row in validated] == [3, 6]

    def pushed() -> tuple[dict, dict]:
        line = [str(run), "user/x", "--which", "model", "--out", str(out), "--dry-run"]
        assert push.main(line) == 0
        names = ("training.json", "metrics.json")
        training, metrics = (json.loads((out / name).read_text()) for name in names)
        return training, metrics

    with (run / "log.jsonl").open("a") as log:  # of a run that was killed before its next save
        log.write(json.dumps({**validated[1], "step": 9, "val_psnr_y": 99}) + "\n")
    training, metrics = pushed()
    assert metrics == validated[1]
    assert training["steps"] == 6
    assert f"{metrics['val_psnr_y']:.2f} dB on luma" in training["validation"]

    saved = read_state(run / "last.pt")
    torch.save({**saved, "step": 5}, run / "last.pt")
    training, metrics = pushed()
    assert metrics == {"step": 5, "seconds": round(saved["seconds"], 2)}
    assert training["steps"] == 5 and training["loss"] > 0 and "validation" not in training
    assert "dB on luma" not in (out / "README.md").read_text()


def test_push_out_of_or_into_what_is_no_folder_is_one_line(finished, tmp_path, capsys):
    run, file = tmp_path / "run", tmp_path / "file"
    file.write_text("in the way")
    shutil.copytree(finished, run)
    for out in (file, file / "hub"):
        for more in ([], ["--half"]):
            line = [str(run), "user/x", "--dry-run", "--out", str(out), *more]
            assert push.main(line) == 2
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").mkdir()
    assert push.main([str(run), "user/x", "--dry-run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5 and all(line.startswith("error: ") for line in lines)
    assert all("file" in line for line in lines[:4]) and "log.jsonl" in lines[4]


def test_a_gan_run_can_start_with_the_discriminator_of_another(finished, pictures, tmp_path):
    first = tmp_path / "first"
    assert train.main(command(pictures, first, "tiny-gan", "--steps", "2")) == 0
    more = ["--discriminator-from", str(first), "--seed", "5"]
    run = make_run(pictures, tmp_path / "second", "tiny-gan", *more)
    saved = read_state(first / "last.pt")["discriminator"]
    for name, tensor in run.state.discriminator.state_dict().items():
        assert torch.equal(tensor, saved[name])
    for recipe, folder, setting, said in [
        ("tiny-gan", tmp_path / "none", [], "none holds no run with a discriminator"),
        ("tiny-gan", finished, [], "holds no run with a discriminator"),
        ("tiny-gan", first, ["--set", "discriminator_arguments.hidden=5"], "is another network"),
        ("tiny", first, [], "this recipe has no discriminator"),
    ]:
        line = ["--discriminator-from", str(folder), *setting]
        with pytest.raises(SRHubError, match=said):
            make_run(pictures, tmp_path / "other", recipe, *line)


def test_init_from_another_scale_says_what_was_not_taken(finished, pictures, tmp_path, caplog):
    more = ["--scale", "2", "--init-from", str(finished / "model")]
    run = make_run(pictures, tmp_path, "tiny", *more)
    assert run.state.generator.scale == 2
    (message,) = [r.getMessage() for r in caplog.records if "taken over" in r.getMessage()]
    assert "tail" in message and "trunk" not in message
    head = load_model(finished / "model").state_dict()["head.0.weight"]
    assert torch.equal(run.state.generator.state_dict()["head.0.weight"], head)
    assert torch.equal(run.state.ema.state_dict()["head.0.weight"], head)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("scale", [2, 4])
def test_every_recipe_names_what_exists(name: str, scale: int):
    config = RECIPES[name](scale)
    with torch.device("meta"):
        network = MODELS[config.architecture](**config.arguments)
        if config.is_gan:
            DISCRIMINATORS[config.discriminator](**config.discriminator_arguments)
    assert network.scale == scale
    assert set(config.vgg_layers) <= set(LAYERS)
    assert config.warmup < config.steps and config.pixel_steps < config.steps


@pytest.mark.parametrize("name", set(RECIPES) - {"tiny", "tiny-gan"})
def test_every_recipe_states_its_command_and_what_to_expect(name: str):
    text = RECIPES[name].__doc__
    command = re.search(r"`python -m training\.train (\S+) (.*?)`", text, re.DOTALL)
    assert command and command[1] == name
    train.build_parser().parse_args([name, *command[2].split()])


def test_the_report_recipes_have_the_report_numbers():
    config = RECIPES["rrim-report"](4)
    assert (config.batch, config.lr, config.optimizer) == (4, 0.03, "momentum")
    assert config.pixel_steps * 40 == config.steps - config.pixel_steps  # 10 and 400 epochs
    srgan, bare = RECIPES["srgan-report"](4), RECIPES["srgan-no-bn-report"](4)
    assert srgan.changed(architecture="RRIM") == config
    assert bare.changed(arguments=srgan.arguments) == srgan


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_five_real_steps(name: str, shared: Path, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "cache"
    folder = tmp_path_factory.mktemp(name)
    data = ["--data", str(shared / "data/train"), "--val", str(shared / "data/val")]
    weights = ["--vgg-weights", str(shared / "weights/vgg19_imagenet_conv_uint8.npz")]
    settings = ["--set", "validation_side=64", "log_every=5", "batch=2"]
    line = [name, *data, *weights, *settings, "--cache", str(cache), "--out", str(folder / "run")]
    assert train.main([*line, "--steps", "5"]) == 0
    row = json.loads((folder / "run" / "log.jsonl").read_text().splitlines()[0])
    assert row["step"] == 5 and np.isfinite(row["loss"])


def test_bench_measures_a_recipe():
    row = bench.measure(("tiny-gan", None, 2, ["--batch", "2"]))
    assert re.match(
        r"\| tiny-gan \| 9,337 \| 2 x 12 \| [\d.]+ \| \d+ % \| [\d.]+ GB \| cpu, \w+ \|", row
    )


def test_push_dry_run_writes_the_folder_and_uploads_nothing(finished, tmp_path, capsys, hub):
    (tmp_path / "facts.json").write_text('{"license": "cc0-1.0", "hours": 7}')
    facts = ["--facts", str(tmp_path / "facts.json")]
    line = [str(finished), "user/tiny-x4", "--out", str(tmp_path / "hub"), "--dry-run", *facts]
    assert push.main(line) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hub")
    names = {"README.md", "config.json", "model.safetensors", "training.json", "metrics.json"}
    assert {path.name for path in (tmp_path / "hub").iterdir()} == names
    best = load_model(finished / "best").state_dict()
    for name, tensor in load_model(tmp_path / "hub").state_dict().items():
        assert torch.equal(tensor, best[name])
    training = json.loads((tmp_path / "hub" / "training.json").read_text())
    assert training["recipe"] == "tiny" and training["hours"] == 7
    assert 0 < training["loss"] < 1 and training["seconds_per_epoch"] > 0
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "user/tiny-x4" in card and "pictures: 4 pictures" in card and "cc0-1.0" in card
    assert str(finished) not in card
    assert hub.count("POST") == 0


def test_push_half_stores_16_bits_that_load_as_32(finished, tmp_path):
    out = tmp_path / "folder"
    assert push.main([str(finished), "user/x", "--half", "--dry-run", "--out", str(out)]) == 0
    full, half = load_model(finished / "best"), load_model(out)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (finished / "best", out)]
    assert sizes[1] < 0.7 * sizes[0]
    assert next(half.parameters()).dtype == torch.float32
    image = torch.rand(1, 3, 8, 8)
    assert torch.allclose(half(image), full(image), atol=1e-2)


def test_push_makes_one_commit_that_loads(finished: Path, tmp_path: Path, hub):
    assert push.main([str(finished), "user/tiny-x4", "--out", str(tmp_path / "hub")]) == 0
    assert hub.count("POST /api/models/user/tiny-x4/commit") == 1
    model = load_model("user/tiny-x4")
    best = load_model(finished / "best").state_dict()
    assert all(torch.equal(t, best[n]) for n, t in model.state_dict().items())


def test_push_refuses_what_is_no_run(finished: Path, tmp_path: Path, capsys):
    assert push.main([str(tmp_path), "user/x", "--dry-run"]) == 2
    assert push.main([str(finished), "user/x", "--which", "step-9", "--dry-run"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "holds no run" in lines[0] and "no generator 'step-9'" in lines[1]
    for other in ("[]", '{"name": "website"}'):
        (tmp_path / "run.json").write_text(other)
        assert push.main([str(tmp_path), "user/x", "--dry-run"]) == 2
        assert "holds no run: its run.json" in capsys.readouterr().err


def test_interpolate_blends_two_runs(finished: Path, pictures: Path, tmp_path: Path):
    gan = tmp_path / "gan"
    more = ["--start-from", str(finished / "model"), "--steps", "3"]
    assert train.main(command(pictures, gan, "tiny-gan", *more)) == 0
    line = [str(finished / "model"), str(gan / "model"), str(tmp_path / "mix"), "--alpha", "0.25"]
    assert interpolate.main(line) == 0
    first, second, mix = (
        load_model(folder).state_dict()["head.0.weight"]
        for folder in (finished / "model", gan / "model", tmp_path / "mix")
    )
    assert torch.allclose(mix, 0.75 * first + 0.25 * second, atol=1e-7)
    line = [str(tmp_path / "mix"), str(gan / "model"), str(tmp_path / "carried"), "--alpha", "1"]
    assert interpolate.main([*line, "--start", str(finished / "model")]) == 0
    carried = load_model(tmp_path / "carried").state_dict()["head.0.weight"]
    assert torch.allclose(carried, mix + second - first, atol=1e-6)


def test_interpolate_takes_the_sharpest_blend_that_loses_no_more_than_allowed(
    finished: Path, pictures: Path, tmp_path: Path, capsys
):
    psnr = load_model(finished / "model")
    bright = copy.deepcopy(psnr)
    bright.tail[-1].bias.data += 0.2
    bright.save_pretrained(tmp_path / "bright")

    def chosen(lose: float) -> float:
        mix = tmp_path / f"mix{lose}"
        line = [str(finished / "model"), str(tmp_path / "bright"), str(mix)]
        assert interpolate.main([*line, "--val", str(pictures), "--lose", str(lose)]) == 0
        shift = load_model(mix).tail[-1].bias - psnr.tail[-1].bias
        alpha = shift.mean().item() / 0.2
        assert capsys.readouterr().out.startswith(f"alpha {alpha:.2g}")
        return round(alpha, 6)

    assert chosen(100) == 1
    assert 0 < chosen(1) < chosen(3) < 1
    seen = Pictures.read(pictures)
    best, kept, over = (
        interpolate.score(blend(psnr, bright, alpha), seen)
        for alpha in (0, chosen(3), chosen(3) + 0.05)
    )
    assert best - kept <= 3 < best - over


def test_a_corrupt_picture_does_not_stop_a_run(pictures: Path, tmp_path: Path, caplog):
    folder = write_pictures(tmp_path / "pictures")
    (folder / "broken.png").write_bytes((pictures / "0.png").read_bytes()[:200])
    Image.new("RGB", (96, 96)).save(folder / "fine.webp")
    assert train.main(command(folder, tmp_path / "run", "tiny", "--steps", "2")) == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["data"]["pictures"] == 5 and facts["data"]["skipped"] == 1
    assert "broken.png" in caplog.text
