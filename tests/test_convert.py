"""Foreign checkpoints: spandrel judges that the converted network computes what the file says."""

import json
import os
import pickle
import re
import sys
import zipfile

import pytest
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard
from safetensors.torch import save_file
from typer.testing import CliRunner

from sr_hub import torchvision_repair
from sr_hub.cli import app, main
from sr_hub.convert import convert
from sr_hub.errors import SRHubError
from sr_hub.models import MODELS, load_model
from sr_hub.publish import push_folder

SMALL = {"channels": 16, "blocks": 2}

OLD_ESRGAN = {
    r"conv_first\.": "model.0.",
    r"body\.(\d+)\.rdb(\d)\.conv(\d)\.": r"model.1.sub.\1.RDB\2.conv\3.0.",
    r"conv_body\.": "model.1.sub.{blocks}.",
    r"conv_up1\.": "model.3.",
    r"conv_up2\.": "model.6.",
    r"conv_hr\.": "model.8.",
    r"conv_last\.": "model.10.",
}
NEW_ESRGAN = {
    r"body\.(\d+)\.rdb(\d)\.": r"RRDB_trunk.\1.RDB\2.",
    r"conv_body\.": "trunk_conv.",
    r"conv_up(\d)\.": r"upconv\1.",
    r"conv_hr\.": "HRconv.",
}
BASICSR: dict[str, str] = {}
OLD_MSRRESNET = {r"body\.(\d+)\.": r"recon_trunk.\1.", r"conv_hr\.": "HRconv."}

WRAPPERS = {
    "bare": lambda state: state,
    "params": lambda state: {"params": state},
    "params_ema": lambda state: {
        "params": {k: v + 1 for k, v in state.items()},
        "params_ema": state,
    },
    "module": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "state_dict of a parallel module": lambda state: {
        "epoch": 3,
        "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
    },
}


def random_network(architecture, **arguments):
    """A network whose every weight is random, so that no mistake in their order hides."""
    network = MODELS[architecture](**arguments).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.05)
    return network


def foreign_names(state, renames):
    blocks = 1 + max([int(m[1]) for name in state if (m := re.match(r"body\.(\d+)\.", name))])
    for pattern, theirs in renames.items():
        theirs = theirs.replace("{blocks}", str(blocks))
        state = {re.sub(f"^{pattern}", theirs, name): tensor for name, tensor in state.items()}
    return state


def by_spandrel(path, image):
    torchvision_repair.install()
    from spandrel import ModelLoader

    descriptor = ModelLoader("cpu").load_from_file(path)
    with torch.inference_mode():
        return descriptor.model.eval()(image)


def assert_same(expected, model, image):
    with torch.inference_mode():
        output = model(image)
    assert output.shape == expected.shape
    assert (output - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    "renames", [OLD_ESRGAN, NEW_ESRGAN, BASICSR], ids=["old", "RRDB_trunk", "body"]
)
def test_every_esrgan_layout_equals_spandrel(tmp_path, renames):
    state = foreign_names(random_network("RRDBNet", **SMALL).state_dict(), renames)
    torch.save(state, tmp_path / "esrgan.pth")
    image = torch.rand(1, 3, 11, 14)
    expected = by_spandrel(tmp_path / "esrgan.pth", image)
    for name, wrap in WRAPPERS.items():
        torch.save(wrap(state), tmp_path / "esrgan.pth")
        convert(tmp_path / "esrgan.pth", tmp_path / name, license="apache-2.0")
        assert_same(expected, load_model(tmp_path / name), image)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("renames", [NEW_ESRGAN, BASICSR], ids=["RRDB_trunk", "body"])
def test_unshuffling_esrgan_equals_spandrel(tmp_path, renames, scale):
    network = random_network("RRDBNet", scale=scale, **SMALL)
    state = {"params_ema": foreign_names(network.state_dict(), renames)}
    torch.save(state, tmp_path / "esrgan.pth")
    converted = convert(tmp_path / "esrgan.pth", tmp_path / "out", license="bsd-3-clause")
    assert converted.scale == scale
    for size in ((12, 16), (11, 14), (9, 5)):
        image = torch.rand(1, 3, *size)
        assert_same(by_spandrel(tmp_path / "esrgan.pth", image), converted, image)


def test_the_published_size_of_esrgan_equals_spandrel(tmp_path):
    network = random_network("RRDBNet")
    torch.save({"params_ema": network.state_dict()}, tmp_path / "esrgan.pth")
    converted = convert(tmp_path / "esrgan.pth", tmp_path / "out", license="bsd-3-clause")
    assert converted.num_parameters == 16_697_987
    image = torch.rand(1, 3, 6, 5)
    assert_same(by_spandrel(tmp_path / "esrgan.pth", image), converted, image)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_compact_equals_spandrel(tmp_path, scale):
    network = random_network("SRVGGNetCompact", scale=scale, channels=16, convs=3)
    torch.save({"params": network.state_dict()}, tmp_path / "compact.pth")
    converted = convert(tmp_path / "compact.pth", tmp_path / "out", license="bsd-3-clause")
    image = torch.rand(1, 3, 9, 7)
    assert_same(by_spandrel(tmp_path / "compact.pth", image), converted, image)


def msrresnet_as_published(state, x):
    """BasicSR's MSRResNet, from its weights alone; spandrel does not know this network."""

    def conv(name, features):
        return F.conv2d(features, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    features = F.leaky_relu(conv("conv_first", x), 0.1)
    blocks = sum(name.endswith(".conv1.weight") for name in state)
    for index in range(blocks):
        inner = F.relu(conv(f"body.{index}.conv1", features))
        features = features + conv(f"body.{index}.conv2", inner)
    step = (
        2
        if "upconv2.weight" in state
        else round((state["upconv1.weight"].shape[0] / features.shape[1]) ** 0.5)
    )
    for name in ("upconv1", "upconv2"):
        if f"{name}.weight" in state:
            features = F.leaky_relu(F.pixel_shuffle(conv(name, features), step), 0.1)
    output = conv("conv_last", F.leaky_relu(conv("conv_hr", features), 0.1))
    return output + F.interpolate(x, output.shape[-2:], mode="bilinear", align_corners=False)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("renames", [BASICSR, OLD_MSRRESNET], ids=["body", "recon_trunk"])
def test_msrresnet_equals_its_published_form(tmp_path, renames, scale):
    state = random_network("MSRResNet", scale=scale, **SMALL).state_dict()
    torch.save({"params": foreign_names(state, renames)}, tmp_path / "msrresnet.pth")
    converted = convert(tmp_path / "msrresnet.pth", tmp_path / "out", license="apache-2.0")
    image = torch.rand(1, 3, 9, 7)
    assert_same(msrresnet_as_published(state, image), converted, image)


def test_safetensors_and_half_precision_are_read(tmp_path):
    network = random_network("SRVGGNetCompact", channels=16, convs=2)
    state = {name: tensor.half() for name, tensor in network.state_dict().items()}
    save_file(state, tmp_path / "compact.safetensors")
    converted = convert(tmp_path / "compact.safetensors", tmp_path / "out", license="mit")
    image = torch.rand(1, 3, 9, 7)
    with torch.inference_mode():
        assert torch.allclose(converted(image), network(image), atol=1e-2)
    assert next(converted.parameters()).dtype == torch.float32


def compact_file(tmp_path, name="compact.pth"):
    network = random_network("SRVGGNetCompact", channels=16, convs=2)
    torch.save({"params": network.state_dict()}, tmp_path / name)
    return tmp_path / name


def test_the_folder_says_where_the_weights_are_from_and_under_which_licence(hub, tmp_path):
    source = compact_file(tmp_path)
    arguments = [str(source), str(tmp_path / "out"), "--license", "BSD-3-Clause"]
    result = CliRunner().invoke(
        app, ["convert", *arguments, "--url", "https://example.org/weights"]
    )
    assert result.exit_code == 0, result.output
    assert "SRVGGNetCompact x4" in result.output
    assert (tmp_path / "out" / "README.md").read_text().partition("\n# ")[2].startswith("out\n")
    assert push_folder(tmp_path / "out", "user/compact-x4")
    assert load_model("user/compact-x4").scale == 4
    card = ModelCard.load("user/compact-x4")
    assert card.data.license == "bsd-3-clause"
    assert "[compact.pth](https://example.org/weights)" in card.text
    assert json.loads((tmp_path / "out" / "source.json").read_text())["sha256"] in card.text
    assert "not trained by this project" in card.text


def test_the_licence_is_asked_for_and_never_guessed(tmp_path, monkeypatch, capsys):
    source = compact_file(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sr-hub", "convert", str(source), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        main()
    said = "error: name the licence of the weights: --license apache-2.0, for example\n"
    assert stop.value.code == 2 and capsys.readouterr().err == said
    for license, link, message in (
        ("", None, "name the licence"),
        ("free for all!", None, "name the licence"),
        ("other", None, "needs a link"),
    ):
        with pytest.raises(SRHubError, match=message):
            convert(source, tmp_path / "out", license=license, license_link=link)
    assert not (tmp_path / "out").exists()
    convert(source, tmp_path / "out", license="other", license_link="https://example.org/terms")
    assert "[other](https://example.org/terms)" in (tmp_path / "out" / "README.md").read_text()


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("where", ["alone", "among weights", "legacy"])
def test_a_malicious_pickle_is_refused_in_one_line_and_runs_nothing(tmp_path, where):
    bomb, source = Bomb(tmp_path / "exploded"), tmp_path / "model.pth"
    if where == "alone":
        source.write_bytes(pickle.dumps(bomb))
    else:
        state = {"params": {"conv_first.weight": torch.zeros(4), "x": bomb}}
        torch.save(state, source, _use_new_zipfile_serialization=where != "legacy")
    with pytest.raises(SRHubError, match="it was not opened") as caught:
        convert(source, tmp_path / "out", license="mit")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "out").exists()


def test_a_pickled_network_is_named_and_so_is_what_to_save(tmp_path):
    torch.save(random_network("RRDBNet", **SMALL), tmp_path / "whole.pth")
    with pytest.raises(SRHubError, match=r"\(sr_hub\.models\.rrdbnet\.RRDBNet\)") as caught:
        convert(tmp_path / "whole.pth", tmp_path / "out", license="mit")
    assert str(caught.value).isprintable() and "save the state_dict() alone" in str(caught.value)


def test_what_is_no_checkpoint_is_refused_in_one_line(tmp_path):
    torch.save({}, tmp_path / "empty.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({"body.0.weight": "text"}, tmp_path / "text.pth")
    huge = torch.zeros(1).expand(10**6, 10**6)
    torch.save({"body.0.weight": huge}, tmp_path / "huge.pth")
    (tmp_path / "broken.pth").write_bytes(b"\x80\x02broken")
    (tmp_path / "cut.safetensors").write_bytes(b"1234")
    (tmp_path / "photo.jpg").write_bytes(b"1234")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("text", "no model")
    (tmp_path / "folder.pth").mkdir()
    for name, message in (
        ("missing.pth", "there is no file"),
        ("folder.pth", "there is no file"),
        ("empty.pth", "holds no named tensors"),
        ("tensor.pth", "holds no named tensors"),
        ("text.pth", "not a tensor of weights"),
        ("huge.pth", "claims more numbers than it holds"),
        ("broken.pth", "damaged"),
        ("cut.safetensors", "damaged"),
        ("other.pt", "damaged"),
        ("photo.jpg", "not a checkpoint"),
    ):
        with pytest.raises(SRHubError, match=message) as caught:
            convert(tmp_path / name, tmp_path / "out", license="mit")
        assert name in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_network_that_is_not_ours_is_refused_in_one_line(tmp_path):
    esrgan = random_network("RRDBNet", **SMALL).state_dict()
    one_step = {k: v for k, v in esrgan.items() if not k.startswith("conv_up2")}
    plus = {**esrgan, "body.0.rdb1.conv1x1.weight": torch.zeros(32, 16, 1, 1)}
    grey = {**esrgan, "conv_first.weight": torch.zeros(16, 1, 3, 3)}
    missing = {k: v for k, v in esrgan.items() if k != "conv_hr.bias"}
    broken = {**esrgan, "conv_hr.bias": torch.full((16,), float("nan"))}
    for state, architecture, message in (
        ({"layers.0.attention": torch.zeros(4)}, None, "none of the known layouts"),
        (one_step, None, "two upsampling steps"),
        (plus, None, "1 unexpected, like body.0.rdb1.conv1x1.weight"),
        (grey, None, "only RGB pictures"),
        (missing, None, "1 missing, like conv_hr.bias"),
        (broken, None, "NaN"),
        (esrgan, "MSRResNet", "none of the known layouts"),
        (esrgan, "SwinIR", "converted to RRDBNet, MSRResNet, SRVGGNetCompact, not to SwinIR"),
    ):
        torch.save(state, tmp_path / "model.pth")
        with pytest.raises(SRHubError, match=message) as caught:
            convert(
                tmp_path / "model.pth", tmp_path / "out", license="mit", architecture=architecture
            )
        assert ".out." not in str(caught.value)  # the folder that was made on the way
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pth"]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX limits the size of files")
def test_weights_that_the_disk_does_not_take_are_told_and_leave_nothing(tmp_path):
    import resource

    source = compact_file(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SRHubError, match=r"cannot write .*model\.safetensors: File too large"):
            convert(source, tmp_path / "out", license="mit")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("out", ["compact.pth/out", "x" * 250, "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, out):
    source = compact_file(tmp_path)
    with pytest.raises(SRHubError, match=f"cannot make .*{out}: .*: name another folder"):
        convert(source, tmp_path / out, license="mit")
    assert list(tmp_path.iterdir()) == [source]


def test_an_existing_folder_is_not_overwritten(tmp_path):
    source = compact_file(tmp_path)
    convert(source, tmp_path / "out", license="mit")
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    with pytest.raises(SRHubError, match="exists; name a new folder"):
        convert(compact_file(tmp_path), tmp_path / "out", license="mit")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before
