"""The commands of training as a researcher types them."""

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
from training_runs import command, make_run, write_pictures

from sr_hub.errors import SRHubError
from sr_hub.models import load_model
from training import bench, loop, train
from training.checkpoint import read_state
from training.config import TrainConfig
from training.journal import read_run
from training.run import Run

ROOT = Path(__file__).parents[2]


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


def test_a_run_says_what_it_is_and_when_it_is_at_its_end(pictures, tmp_path, caplog, capsys):
    caplog.set_level("INFO", "training")
    assert train.main(command(pictures, tmp_path / "run", "tiny", "--steps", "2")) == 0
    (opening,) = [text for text in caplog.messages if text.startswith("tiny: ")]
    assert re.fullmatch(
        r"tiny: 9,337 parameters, 4 pictures, (bf16|fp32) on cpu, step 0 of 2; "
        r"bicubic scores \d\d\.\d\d dB on the 4 validation pictures",
        opening,
    )
    before = (tmp_path / "run" / "run.json").read_bytes()
    for more in ([], ["--steps", "2"]):
        caplog.clear()
        assert train.main([*command(pictures, tmp_path / "run", "tiny"), "--resume", *more]) == 0
        assert caplog.messages[-1].endswith("run is at its end: step 2 of 2; --steps N goes on")
    assert (tmp_path / "run" / "run.json").read_bytes() == before
    more = ["--resume", "--steps", "1"]
    message = refused(capsys, command(pictures, tmp_path / "run", "tiny", *more))
    assert "--steps 1" in message and "at step 2 already" in message


def test_two_processes_do_not_train_in_one_folder(pictures, tmp_path, capsys):
    line = command(pictures, tmp_path / "run", "tiny", "--steps", "2")
    hold = "import pathlib, sys; from training import lock; lock.hold(pathlib.Path(sys.argv[1]))"
    other = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print(flush=True); input()", str(tmp_path / "run")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    other.stdout.readline()
    assert "run is being trained by another process" in refused(capsys, line)
    assert not (tmp_path / "run" / "run.json").exists()
    other.kill()
    other.communicate()
    assert train.main(line) == 0


def test_a_run_that_ended_lets_others_train_in_its_folder(pictures, tmp_path):
    line = command(pictures, tmp_path, "tiny", "--steps", "2")
    assert train.main(line) == 0 and train.main(line) == 2
    code = f"import pathlib; from training import lock; lock.hold(pathlib.Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_run_json_says_how_it_was_made(finished: Path):
    facts = json.loads((finished / "run.json").read_text())
    assert facts["recipe"] == "tiny" and facts["config"]["steps"] == 6
    assert len(facts["data"].pop("fingerprint")) == 16
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
    assert "all 4 pictures are under 100x100, which a patch with its margin needs: use" in message
    assert not (tmp_path / "out" / "last.pt").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lrr=1", "no setting 'lrr'"),
        ("lr", "NAME=VALUE, not 'lr'"),
        ("lr=fast", "lr is of type float, not 'fast'"),
        ("lr=True", "lr is of type float, not True"),
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
        ("weight_decay=-1", "weight_decay is a finite number of at least 0, not -1"),
        ("weight_decay=1", "weight_decay is for optimizer=muon, not adam: leave it 0"),
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
    assert "all 4 pictures are under 20x20, which a validation by any measure needs" in message


def test_a_patch_too_small_for_vgg_is_one_clear_line(pictures, tmp_path, capsys):
    more = ["--patch", "3", "--set", "losses.perceptual=1"]
    message = refused(capsys, command(pictures, tmp_path / "out", "tiny", *more))
    assert "VGG19 needs 23 pixels, patch=3 enlarged has 12" in message


def test_pictures_that_are_too_small_are_left_out_of_a_run(tmp_path, caplog):
    for name in ("learn", "judge"):
        write_pictures(tmp_path / name / "large", count=2)
        write_pictures(tmp_path / name / "small", count=3, side=19)
    line = [*command(tmp_path / "learn", tmp_path / "run", "tiny", "--steps", "2")]
    assert train.main([*line, "--val", str(tmp_path / "judge")]) == 0
    facts = read_run(tmp_path / "run")
    assert [facts[part]["pictures"] for part in ("data", "val")] == [2, 2]
    assert [facts[part]["skipped"] for part in ("data", "val")] == [3, 3]
    left_out = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert [line.partition(",")[0] for line in left_out] == [
        "3 of 5 pictures are under 64x64",
        "3 of 5 pictures are under 20x20",
    ]


def test_a_run_tells_the_memory_of_its_pictures_once(pictures, tmp_path, caplog):
    caplog.set_level("INFO", logger="training")
    other = write_pictures(tmp_path / "others", count=2)
    make_run(pictures, tmp_path / "run", "tiny", "--val", str(other))
    told = [r.getMessage() for r in caplog.records]
    assert told == [
        f"{pictures}: 4 pictures, 0 million pixels, 0.00 GB",
        f"{other}: 2 pictures, 0 million pixels, 0.00 GB",
    ]
    assert read_run(tmp_path / "run")["val"]["learned_from"] == 0


def test_validation_pictures_that_are_learned_from_are_told_and_counted(pictures, tmp_path, caplog):
    other = write_pictures(tmp_path / "others", count=2)
    (other / "again.png").write_bytes((pictures / "1.png").read_bytes())
    make_run(pictures, tmp_path / "run", "tiny", "--val", str(other))
    (line,) = [r.getMessage() for r in caplog.records if "learns from" in r.getMessage()]
    assert "learns from 1 of these 3 pictures" in line and "again.png" in line
    assert read_run(tmp_path / "run")["val"]["learned_from"] == 1


def test_settings_reach_every_kind_of_field():
    text = "losses.fft_l1=0.05 arguments.shallow=5:4,7:4 clip=2 betas=[0.5,0.9] degradation=real"
    config = TrainConfig("RRIM").with_settings([*text.split(), "vgg_before_activation=True"])
    assert config.losses == {"l1": 1.0, "fft_l1": 0.05}
    assert config.arguments == {"shallow": "5:4,7:4"}
    assert config.clip == 2.0 and config.betas == (0.5, 0.9)
    assert config.vgg_before_activation and config.degradation == "real"
    assert TrainConfig("RRIM").losses == {"l1": 1.0}


def test_settings_may_be_given_in_several_parts(pictures, tmp_path):
    line = command(pictures, tmp_path, "tiny", "--set", "clip=2", "--set", "seed=1", "ema=0")
    assert train.build_parser().parse_args(line).settings == ["clip=2", "seed=1", "ema=0"]


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


def test_start_from_takes_a_bundled_name(pictures, tmp_path):
    run = make_run(pictures, tmp_path / "run", "rrim", "--start-from", "rrim-x4", "--patch", "12")
    weights = load_model("rrim-x4").state_dict()
    assert all(torch.equal(run.state.ema.state_dict()[name], weights[name]) for name in weights)
    assert read_run(tmp_path / "run")["start_from"] == "rrim-x4"


@pytest.mark.parametrize(
    ("inside", "message"),
    [("", "is a training run: name .*best"), ("absent", "there is no folder .*absent")],
)
def test_start_from_says_what_to_name(finished, pictures, tmp_path, inside, message):
    folder = str(finished / inside)
    with pytest.raises(SRHubError, match=message):
        make_run(pictures, tmp_path / "run", "tiny", "--start-from", folder)
    with pytest.raises(SRHubError, match=message):
        type(load_model("rrim-x4")).from_folder(folder)


def test_start_from_refuses_what_would_make_another_network(finished, pictures, tmp_path):
    folder = str(finished / "model")
    for more, said in (
        (["--scale", "2"], "--scale 2: the weights to go on from enlarge by 4: --init-from takes"),
        (["--set", "arguments.groups=3"], "arguments.groups is .*--start-from takes the network"),
    ):
        with pytest.raises(SRHubError, match=said):
            make_run(pictures, tmp_path / "run", "tiny", "--start-from", folder, *more)
    assert not (tmp_path / "run").exists()


SNAPSHOT = f"models--user--rrim/snapshots/{'0' * 40}"


@pytest.mark.parametrize(
    ("inside", "origin"), [("best", "begun"), ("", "begun"), (SNAPSHOT, "user/rrim")]
)
def test_a_resumed_run_keeps_where_it_began(finished, pictures, tmp_path, inside, origin):
    begun, out = tmp_path / "begun", tmp_path / "run"
    shutil.copytree(finished / "model", begun / inside)
    line = command(pictures, out, "tiny", "--steps", "2")
    assert train.main([*line, "--start-from", str(begun / inside)]) == 0
    assert read_run(out)["start_from"] == origin
    assert train.main([*command(pictures, out, "tiny", "--steps", "4"), "--resume"]) == 0
    assert read_run(out)["start_from"] == origin


def test_run_json_says_of_whose_weights_a_run_took_what_fits(finished, pictures, tmp_path):
    folder = str(finished / "best")
    for name, more, origin in [
        ("new", [], None),
        ("folder", ["--init-from", folder], "what fits of tiny"),
        ("bundled", ["--init-from", "rrim-x4"], "what fits of rrim-x4"),
        ("both", ["--start-from", folder, "--init-from", folder], "tiny, then what fits of tiny"),
    ]:
        make_run(pictures, tmp_path / name, "tiny", *more)
        assert read_run(tmp_path / name)["start_from"] == origin
    make_run(pictures, tmp_path / "folder", "tiny", "--resume")  # it has not come to a state yet
    assert read_run(tmp_path / "folder")["start_from"] is None


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


def test_init_from_a_wider_network_says_what_it_leaves_and_how_to_have_it(
    pictures, tmp_path, caplog
):
    more = ["--scale", "2", "--patch", "12", "--init-from", "rrim-x4"]
    make_run(pictures, tmp_path / "plain", "rrim", *more)
    (message,) = [r.getMessage() for r in caplog.records if "taken over" in r.getMessage()]
    assert "(crossed_head, crossed_trunk, join, tail); more fits with" in message
    setting = message.rpartition("more fits with ")[2].split()
    assert setting == ["--set", "arguments.crossed=True"]
    caplog.clear()
    make_run(pictures, tmp_path / "all", "rrim", *more, *setting)
    (message,) = [r.getMessage() for r in caplog.records if "taken over" in r.getMessage()]
    assert "crossed" not in message


def test_bench_measures_a_recipe():
    row = bench.measure("tiny-gan", None, 2, ["--batch", "2"])
    assert re.match(
        r"\| tiny-gan \| 9,337 \| 2 x 12 \| [\d.]+ \| \d+ % \| [\d.]+ GB \| cpu, \w+ \|", row
    )


@pytest.mark.parametrize("line", [["nosuch"], ["tiny", "--batch", "many"]])
def test_bench_refuses_wrong_options_before_it_starts_a_process(line, monkeypatch, capsys):
    monkeypatch.setattr(bench, "in_own_process", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(SystemExit) as ended:
        bench.main([*line, "--steps", "1"])
    said = capsys.readouterr()
    assert ended.value.code == 2 and line[-1] in said.err and not said.out


def killed(*_):
    os._exit(9)


def test_bench_says_that_the_system_ended_a_recipe_and_does_not_wait(monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", killed)
    assert bench.main(["tiny", "--steps", "1"]) == 2
    assert "ran tiny was ended, as for want of memory: use" in capsys.readouterr().err


def test_a_corrupt_picture_does_not_stop_a_run(pictures: Path, tmp_path: Path, caplog):
    folder = write_pictures(tmp_path / "pictures")
    (folder / "broken.png").write_bytes((pictures / "0.png").read_bytes()[:200])
    Image.new("RGB", (96, 96)).save(folder / "fine.webp")
    assert train.main(command(folder, tmp_path / "run", "tiny", "--steps", "2")) == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["data"]["pictures"] == 5 and facts["data"]["skipped"] == 1
    assert "broken.png" in caplog.text
